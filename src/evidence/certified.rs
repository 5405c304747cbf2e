//! The certificate of a run for whoever does not have the ledger: a signed statement of what became of which objects, with the events
//! that bear it out. Signs with the key it is given, and only what follows from the ledger's events.

use std::collections::{BTreeMap, BTreeSet};

use ledger_format::body::{Body, Role};
use ledger_format::bundle::Bundle;
use ledger_format::hash::{CommitHash, EventId, KeyId};
use ledger_format::head::SignedHead;
use ledger_format::statement::{
    Claimed, Claims, EVIDENCE_EVENTS_MAX, ProvedEvent, ProvedHead, Statement, certificate_of,
};
use ledger_format::tree::{prove_consistency, prove_inclusion};

use super::tree::{StoredTree, TreeError};
use crate::effects::Signer;
use crate::ledger::{FoldError, Ledger, Recorded};

/// A committed run, as its events have it.
#[derive(Debug, Clone)]
pub struct CommittedRun {
    /// Its id.
    pub id: EventId,
    /// Place of the event with which it began.
    pub first: u64,
    /// The certificate in the event that committed it.
    pub certificate: CommitHash,
    /// What it claims of its objects, in the order of their ids.
    pub claims: Vec<Claimed>,
}

/// A run as it was certified.
#[derive(Debug, Clone)]
pub struct Certified {
    /// The file.
    pub bundle: Bundle,
    /// What it says.
    pub statement: Statement,
    /// Every claim, also where the statement only names their list.
    pub claims: Vec<Claimed>,
}

/// A run that was not certified.
#[derive(Debug, thiserror::Error)]
pub enum CertifyError {
    /// It migrated nothing.
    #[error("run {} migrated no object, so there is nothing to certify", run.short())]
    NoObjects {
        /// The run.
        run: EventId,
    },
    /// The key may not append.
    #[error("key {} may not append to this ledger, so it certifies nothing of it", key.short())]
    NotSigner {
        /// The key.
        key: KeyId,
    },
    /// The certificate that was recorded does not follow from the events.
    #[error("the certificate that was recorded, {recorded}, does not follow from the run's events")]
    Differs {
        /// What was recorded.
        recorded: CommitHash,
    },
    /// More events about keys than a bundle holds.
    #[error("a bundle holds {EVIDENCE_EVENTS_MAX} events at most, and this one needs {needed}")]
    TooMany {
        /// How many.
        needed: usize,
    },
    /// The events could not be read.
    #[error(transparent)]
    Events(#[from] FoldError),
    /// The tree is not to be had.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Certifies a committed run under `head`, the ledger's newest as whoever signed it signed it.
pub fn certify(
    ledger: &Ledger,
    run: CommittedRun,
    signer: &dyn Signer,
    head: &SignedHead,
) -> Result<Certified, CertifyError> {
    let key = signer.key_id();
    if !ledger.state().keys().may(&key, Role::Append) {
        return Err(CertifyError::NotSigner { key });
    }
    if run.claims.is_empty() {
        return Err(CertifyError::NoObjects { run: run.id });
    }
    if certificate_of(&run.claims) != Some(run.certificate) {
        return Err(CertifyError::Differs { recorded: run.certificate });
    }
    let (events, heads) = evidence(ledger, &run)?;
    let statement = Statement {
        ledger: ledger.id(),
        run: run.id,
        certificate: run.certificate,
        claims: Claims::of(run.claims.clone()),
        head: head.clone(),
        heads,
        events,
    };
    let sign = |text: &[u8]| signer.sign(text);
    let bundle = Bundle::sign(statement.encode(), &signer.public_key(), sign);
    Ok(Certified { bundle, statement, claims: run.claims })
}

/// The events that bear the statement out, and the heads by which those who signed them stand behind them, each with its proof.
fn evidence(
    ledger: &Ledger,
    run: &CommittedRun,
) -> Result<(Vec<ProvedEvent>, Vec<ProvedHead>), CertifyError> {
    let size = ledger.head().head().size;
    let plan = match ledger.event(run.first)?.event.body {
        Body::RunStarted(started) => Some(started.plan),
        _ => None,
    };
    let mut found: Vec<Recorded> = Vec::new();
    let mut signed_last: BTreeMap<KeyId, u64> = BTreeMap::new();
    ledger.each_event(0..size, |recorded| {
        signed_last.insert(recorded.event.actor, recorded.event.seq);
        if bears_out(&recorded, run, plan) {
            found.push(recorded);
        }
        Ok::<_, FoldError>(())
    })?;
    if found.len() > EVIDENCE_EVENTS_MAX {
        return Err(CertifyError::TooMany { needed: found.len() });
    }
    let tree = StoredTree::of(ledger)?;
    let actors: BTreeSet<KeyId> = found.iter().map(|recorded| recorded.event.actor).collect();
    let mut last: Vec<u64> = actors
        .iter()
        .filter(|actor| **actor != ledger.head().signer())
        .filter_map(|actor| signed_last.get(actor).copied())
        .collect();
    last.sort_unstable();
    let led = |seq: u64| {
        let head = ledger.head_over(seq)?;
        let nodes = prove_consistency(&tree.nodes(size), head.head().size, size);
        Ok(ProvedHead { head, nodes: nodes.ok_or(TreeError::Root)? })
    };
    let heads = last.into_iter().map(led).collect::<Result<_, CertifyError>>()?;
    let proved = |recorded: Recorded| {
        let nodes = prove_inclusion(&tree.nodes(size), recorded.event.seq, size);
        let nodes = nodes.ok_or(TreeError::Root)?;
        Ok(ProvedEvent { bytes: recorded.bytes, nodes })
    };
    let events = found.into_iter().map(proved).collect::<Result<_, CertifyError>>()?;
    Ok((events, heads))
}

/// Whether an event says who may sign, who had agreed to the plan, or how far the run came.
fn bears_out(recorded: &Recorded, run: &CommittedRun, plan: Option<CommitHash>) -> bool {
    let (began, run) = (run.first, run.id);
    match &recorded.event.body {
        Body::LedgerCreated(_)
        | Body::KeyAuthorized(_)
        | Body::KeyRotated(_)
        | Body::KeyRevoked(_)
        | Body::ApprovalsSet(_) => true,
        Body::PlanApproved(body) => Some(body.plan) == plan && recorded.event.seq < began,
        Body::RunStarted(_) => recorded.id == run,
        Body::RunCommitted(body) => body.run == run,
        Body::RunPublished(body) => body.run == run,
        Body::RunAbandoned(body) => body.run == run,
        _ => false,
    }
}
