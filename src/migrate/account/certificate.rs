//! The certificate of a run, computed anew from its events and held against the one that was recorded.

use std::collections::BTreeMap;

use ledger_format::body::{Body, RunStarted};
use ledger_format::cbor::Value;
use ledger_format::hash::{CommitHash, EventId};
use ledger_format::statement::Claimed;
use projections::{Claim, Routes};
use serde::Serialize;

use super::run::RunSpan;
use super::trace::of_run;
use crate::ledger::{FoldError, Ledger};

/// The certificate of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateView {
    /// The run.
    pub run: EventId,
    /// The hash recorded when it was committed, if it was.
    pub recorded: Option<CommitHash>,
    /// The hash over the claims that follow from its events (SPEC §8.5).
    pub recomputed: CommitHash,
    /// Number of objects.
    pub objects: u64,
    /// What is claimed of each of them, in the order of their ids; of none where there are more than asked for.
    pub claims: Vec<ObjectCertificate>,
}

/// What is claimed of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectCertificate {
    /// Hash of the claim: the object's certificate.
    pub certificate: CommitHash,
    /// What can be compared with another migration of the same object.
    pub replay: ReplayTuple,
    /// The claim.
    pub claim: Claim,
}

/// What makes a migration the same as another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplayTuple {
    /// What the object was.
    pub source_hash: CommitHash,
    /// What it became.
    pub target_hash: CommitHash,
    /// The operator.
    pub migration_operator_id: String,
    /// Digest of the policy.
    pub migration_policy_hash: CommitHash,
}

impl ReplayTuple {
    /// Of what is claimed of an object.
    pub fn of(claim: &Claim) -> Self {
        Self {
            source_hash: claim.source_hash,
            target_hash: claim.target_hash,
            migration_operator_id: claim.operator_id.clone(),
            migration_policy_hash: claim.migration_policy_hash,
        }
    }
}

/// Computes the certificate of a run from its events. Claims are listed of all objects if there are at most `listed_max`,
/// or of `object` alone.
pub fn certificate(
    ledger: &Ledger,
    span: &RunSpan,
    object: Option<&str>,
    listed_max: usize,
) -> Result<CertificateView, FoldError> {
    let mut making = Making { object, listed_max, ..Making::default() };
    of_run::<FoldError>(ledger, span, |body| {
        making.take(body);
        Ok(())
    })?;
    let hashes = making.hashes.values().map(|hash| (*hash).into()).collect();
    Ok(CertificateView {
        run: span.run,
        recorded: making.recorded,
        recomputed: CommitHash::of("migration_run", &Value::Array(hashes)),
        objects: making.hashes.len() as u64,
        claims: making.claims.into_values().collect(),
    })
}

/// What a committed run claims of all of its objects, in the order of their ids, and the certificate that was recorded; nothing of a run that
/// was not committed.
pub fn claimed(
    ledger: &Ledger,
    span: &RunSpan,
) -> Result<Option<(CommitHash, Vec<Claimed>)>, FoldError> {
    let view = certificate(ledger, span, None, usize::MAX)?;
    let claims = view.claims.iter().filter_map(|of| Claimed::new(&of.claim.to_value())).collect();
    Ok(view.recorded.map(|recorded| (recorded, claims)))
}

#[derive(Default)]
struct Making<'a> {
    object: Option<&'a str>,
    listed_max: usize,
    started: Option<RunStarted>,
    routes: Routes,
    paths: BTreeMap<String, Vec<CommitHash>>,
    hashes: BTreeMap<String, CommitHash>,
    claims: BTreeMap<String, ObjectCertificate>,
    recorded: Option<CommitHash>,
}

impl Making<'_> {
    fn take(&mut self, body: Body) {
        match body {
            Body::RunStarted(body) => self.started = Some(body),
            Body::RunRoute(body) => self.routes.push(&body),
            Body::ObjectStaged(body) => {
                let path = self.paths.entry(body.object).or_default();
                if path.last() != Some(&body.edge) {
                    path.push(body.edge);
                }
            }
            Body::ObjectMigrated(body) => {
                let Some(started) = &self.started else { return };
                let path = self.paths.remove(&body.object).unwrap_or_default();
                let route = body.route.and_then(|number| self.routes.get(number));
                let claim = Claim::new(started, route, path, &body);
                self.hashes.insert(body.object.clone(), claim.hash());
                self.list(body.object, claim);
            }
            Body::RunCommitted(body) => self.recorded = Some(body.certificate),
            _ => {}
        }
    }

    fn list(&mut self, object: String, claim: Claim) {
        match self.object {
            Some(wanted) if wanted != object => return,
            None if self.hashes.len() > self.listed_max => return self.claims.clear(),
            _ => {}
        }
        let replay = ReplayTuple::of(&claim);
        let certificate = claim.hash();
        self.claims.insert(object, ObjectCertificate { certificate, replay, claim });
    }
}
