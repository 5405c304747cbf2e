//! What an auditor asks about first: runs that nobody else agreed to, or only somebody who depends on whoever carried them out;
//! losses that nobody gave a reason for; states that were given up, and rules that were loosened; what keys signed that are suspect. Tells what stands in the events and judges nothing:
//! all of it may be as it should be.

mod drift;
mod keys;
mod runs;

use std::ops::Range;

use ledger_format::hash::{CommitHash, EventId, KeyId};
use serde::Serialize;

use crate::ledger::{FoldError, Ledger};
use keys::Suspicion;
use runs::Runs;

pub use drift::{DriftSize, measure_drift};

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// The event at which it shows.
    pub seq: u64,
    /// What is the matter.
    #[serde(flatten)]
    pub matter: Matter,
}

/// What is the matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "exception", rename_all = "snake_case")]
pub enum Matter {
    /// A migration began that no other key had agreed to.
    Unapproved {
        /// The run.
        run: EventId,
        /// Its plan.
        plan: CommitHash,
        /// The key that carried it out.
        actor: KeyId,
        /// How many others had to agree then.
        required: u64,
    },
    /// Whoever carried a plan out had agreed to it, by the same key or by one that this took over from.
    SelfApproved {
        /// The run.
        run: EventId,
        /// Its plan.
        plan: CommitHash,
        /// The key that carried it out.
        actor: KeyId,
        /// The key that agreed.
        approver: KeyId,
        /// Where it agreed.
        approved: u64,
    },
    /// Somebody agreed to a plan whose key was authorised by whoever carried it out.
    DependentApproval {
        /// The run.
        run: EventId,
        /// Its plan.
        plan: CommitHash,
        /// The key that carried it out.
        actor: KeyId,
        /// The key that agreed.
        approver: KeyId,
        /// Where it agreed.
        approved: u64,
        /// Where it was authorised.
        authorized: u64,
    },
    /// A run lost values, and nobody who agreed to its plan gave a reason.
    LossyWithoutReason {
        /// The run.
        run: EventId,
        /// Its plan.
        plan: CommitHash,
        /// Values, rows and ids lost.
        values: u64,
        /// Objects that lost something.
        objects: u64,
    },
    /// A run was committed and then given up.
    Abandoned {
        /// The run.
        run: EventId,
        /// Why, as it was given.
        reason: String,
    },
    /// A contract was seen not to keep what it promises.
    ProofFailed {
        /// The object it was tried on.
        object: String,
        /// Digest of the contract.
        contract: CommitHash,
    },
    /// A structure of a database became what the ledger has of it, and no run made it.
    DriftAccepted {
        /// The database.
        object: String,
        /// The version that it was said to have.
        version: String,
        /// Why, as it was given.
        reason: String,
        /// The key that accepted it.
        actor: KeyId,
        /// How much differed; none where that was not measured, or images of it were pruned.
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<DriftSize>,
    },
    /// States of a database were given up, which nobody brings back; no agreement is asked for.
    Pruned {
        /// The database.
        object: String,
        /// The event from which on its states can be put back.
        keep: u64,
        /// How many images were given up.
        images: u64,
        /// Why, as it was given.
        reason: String,
        /// The key that did it.
        actor: KeyId,
    },
    /// Fewer others must agree to plans than before.
    ApprovalsLowered {
        /// How many had to until then.
        before: u64,
        /// How many must from then on.
        required: u64,
        /// The key that did it.
        actor: KeyId,
    },
    /// A key signed events from the one on since which its owner may not have been who signed; or a key did that such a one
    /// let in.
    SuspectKey {
        /// The key.
        key: KeyId,
        /// The key that was called suspect; the same, unless that one let this in.
        suspect: KeyId,
        /// The first of the events.
        first: u64,
        /// The last of them.
        last: u64,
        /// Their number.
        events: u64,
    },
}

impl Matter {
    /// The word that stands for it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unapproved { .. } => "unapproved",
            Self::SelfApproved { .. } => "self_approved",
            Self::DependentApproval { .. } => "dependent_approval",
            Self::LossyWithoutReason { .. } => "lossy_without_reason",
            Self::Abandoned { .. } => "abandoned",
            Self::ProofFailed { .. } => "proof_failed",
            Self::DriftAccepted { .. } => "drift_accepted",
            Self::Pruned { .. } => "pruned",
            Self::ApprovalsLowered { .. } => "approvals_lowered",
            Self::SuspectKey { .. } => "suspect_key",
        }
    }
}

/// Every exception that shows at an event of `seqs`, in order. Reads all events up to its end: who agreed and who let whom in
/// may stand before it. Which keys are suspect is asked of the whole ledger, since it is said afterwards.
pub fn exceptions(ledger: &Ledger, seqs: &Range<u64>) -> Result<Vec<Exception>, FoldError> {
    let mut runs = Runs::default();
    let mut suspicion = Suspicion::of(ledger.state().keys());
    let mut found = Vec::new();
    ledger.each_event::<FoldError>(0..seqs.end, |recorded| {
        suspicion.take(&recorded.event, seqs);
        runs.take(&recorded, &mut found);
        Ok(())
    })?;
    runs.finish(&mut found);
    found.extend(suspicion.finish());
    found.retain(|exception| seqs.contains(&exception.seq));
    found.sort_by_key(|exception| exception.seq);
    Ok(found)
}
