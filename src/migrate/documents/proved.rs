//! Proofs in the ledger: that one was made of a document is recorded beside what is done to it. Knows a proof by its bytes.

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

/// Records a proof of the document `id`: first its bytes, then the event that names them. The same proof is recorded once.
pub fn note_proof(
    documents: &mut Documents,
    id: &str,
    proof: ProofNote<'_>,
    signer: &dyn Signer,
) -> Result<Noted, MigrateError> {
    documents.must_be_idle()?;
    documents.may_sign(signer)?;
    let mut known = documents.collection.contracts.iter();
    let known = known.find(|known| known.digest() == proof.contract).map(Prepared::contract);
    let Some(contract) = known.cloned() else {
        return Ok(Noted::OtherContract);
    };
    if is_recorded(documents, id, proof.fingerprint)? {
        return Ok(Noted::Before);
    }
    let mut bodies: Vec<Body> = documents.freeze(&contract)?.into_iter().collect();
    let kept = documents.objects.put(proof.bytes)?;
    documents.objects.sync()?;
    bodies.push(
        ProofRecorded {
            object: id.to_owned(),
            contract: proof.contract,
            fingerprint: proof.fingerprint,
            proof: kept,
            pass: proof.pass,
        }
        .into(),
    );
    documents.record(signer, bodies, &mut Silent)?;
    Ok(Noted::Now)
}

fn is_recorded(
    documents: &Documents,
    id: &str,
    fingerprint: CommitHash,
) -> Result<bool, FoldError> {
    let mut found = false;
    documents.ledger.each_event::<FoldError>(0..documents.ledger.state().size(), |recorded| {
        if let Body::ProofRecorded(body) = &recorded.event.body {
            found |= body.object == id && body.fingerprint == fingerprint;
        }
        Ok(())
    })?;
    Ok(found)
}
