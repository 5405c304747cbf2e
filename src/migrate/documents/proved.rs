//! Proofs in the ledger: that one was made of a document is recorded beside what is done to it. Knows a proof by its bytes.

use std::collections::{BTreeMap, BTreeSet};

use ledger_format::body::{Body, ProofRecorded};
use ledger_format::hash::CommitHash;

use super::super::error::MigrateError;
use super::super::run::{Silent, Subject as _};
use super::collection::Documents;
use super::prepared::Prepared;
use crate::effects::Signer;
use crate::ledger::FoldError;

/// A proof, as far as the ledger tells it.
#[derive(Debug, Clone, Copy)]
pub struct ProofNote<'a> {
    /// Digest of the contract.
    pub contract: CommitHash,
    /// Its fingerprint.
    pub fingerprint: CommitHash,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Whether it passes.
    pub pass: bool,
}

/// What became of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It is in the ledger now.
    Now,
    /// It was already.
    Before,
    /// It is by a contract that is none of the ledger's.
    OtherContract,
}

impl Documents {
    /// Whether proofs can be recorded now, and by whom.
    pub fn may_take_proofs(&self, signer: &dyn Signer) -> Result<(), MigrateError> {
        self.must_be_idle()?;
        self.may_sign(signer)
    }
}

/// Every proof that the ledger has: the document and the fingerprint.
pub type RecordedProofs = BTreeSet<(String, CommitHash)>;

/// The proofs that the ledger has already. All events are read for it, once.
pub fn recorded_proofs(documents: &Documents) -> Result<RecordedProofs, MigrateError> {
    let mut found = RecordedProofs::new();
    documents.ledger.each_event::<FoldError>(0..documents.ledger.state().size(), |recorded| {
        if let Body::ProofRecorded(body) = &recorded.event.body {
            found.insert((body.object.clone(), body.fingerprint));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Records proofs of documents, given with their ids: first their bytes, then the events that name them. The same proof is
/// recorded once; `recorded` are those that the ledger has, and takes in what comes.
pub fn note_proofs(
    documents: &mut Documents,
    proofs: &[(&str, ProofNote<'_>)],
    recorded: &mut RecordedProofs,
    signer: &dyn Signer,
) -> Result<Vec<Noted>, MigrateError> {
    documents.may_take_proofs(signer)?;
    let mut noted = Vec::with_capacity(proofs.len());
    let mut frozen: BTreeMap<CommitHash, Body> = BTreeMap::new();
    let mut bodies: Vec<Body> = Vec::new();
    for (id, proof) in proofs {
        let mut known = documents.collection.contracts.iter();
        let known = known.find(|known| known.digest() == proof.contract).map(Prepared::contract);
        let Some(contract) = known.cloned() else {
            noted.push(Noted::OtherContract);
            continue;
        };
        if !recorded.insert(((*id).to_owned(), proof.fingerprint)) {
            noted.push(Noted::Before);
            continue;
        }
        if !frozen.contains_key(&proof.contract)
            && let Some(body) = documents.freeze(&contract)?
        {
            frozen.insert(proof.contract, body);
        }
        bodies.push(
            ProofRecorded {
                object: (*id).to_owned(),
                contract: proof.contract,
                fingerprint: proof.fingerprint,
                proof: documents.objects.put(proof.bytes)?,
                pass: proof.pass,
            }
            .into(),
        );
        noted.push(Noted::Now);
    }
    if !bodies.is_empty() {
        documents.objects.sync()?;
        let all = frozen.into_values().chain(bodies).collect();
        documents.record(signer, all, &mut Silent)?;
    }
    Ok(noted)
}
