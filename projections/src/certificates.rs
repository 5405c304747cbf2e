//! Certificates: the statement about a finished run, recomputed from its events. Holds neither time
//! nor sequence number nor actor: the same migration has the same certificate everywhere.

use std::collections::BTreeMap;

use ledger_format::body::{Body, ObjectMigrated, RunStarted, Verdict};
use ledger_format::cbor::{self, Value};
use ledger_format::hash::CommitHash;
use serde::{Deserialize, Serialize};

use crate::{Entry, Illegal, Projection, Route, Routes, require};

/// The fold of certificates.
pub struct Certificates;

/// Every certificate issued, and what the open run's will say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateBook {
    /// Certificates of committed runs, in their order.
    pub issued: Vec<Certificate>,
    /// What the open run set out to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started: Option<RunStarted>,
    /// Edges walked so far, by object.
    paths: BTreeMap<String, Vec<CommitHash>>,
    /// Routes that objects of the open run take.
    #[serde(default, skip_serializing_if = "Routes::is_empty")]
    routes: Routes,
    /// Hashes of the claims made so far, by object.
    claims: BTreeMap<String, CommitHash>,
    /// Values lost so far.
    lost: u64,
}

/// What the hash of a claim takes where a certificate is computed.
const CLAIM_BYTES: usize = 34;

/// The certificate of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// `CommitHash("migration_run", [claim hashes in order of object ids])` (SPEC §8.5).
    pub certificate: CommitHash,
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
    /// Number of objects.
    pub objects: u64,
    /// Number of values lost, over all objects.
    pub lost: u64,
}

/// What is claimed of one migrated object (SPEC §8.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Digest of the contract; null in the hash where objects were put back without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_digest: Option<CommitHash>,
    /// Kind of object.
    pub object_kind: String,
    /// Object id.
    pub object_id: String,
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
    /// Digests of the edges walked.
    pub path: Vec<CommitHash>,
    /// What it was.
    pub source_hash: CommitHash,
    /// What it is now.
    pub target_hash: CommitHash,
    /// The operator.
    pub operator_id: String,
    /// Digest of the policy in force.
    pub migration_policy_hash: CommitHash,
    /// Digest of the recorded clock and seed; null in the hash when no step read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs_hash: Option<CommitHash>,
    /// What was checked.
    pub verdicts: BTreeMap<String, Verdict>,
    /// Digest of what is lost.
    pub loss_hash: CommitHash,
}

impl Claim {
    /// The claim that a run makes of one object: of one that took a route, by that route, else by
    /// what the run set out to do and the edges of the object's steps.
    pub fn new(
        started: &RunStarted,
        route: Option<&Route>,
        path: Vec<CommitHash>,
        body: &ObjectMigrated,
    ) -> Self {
        let (contract_digest, from, to, path) = match route {
            Some(route) => (Some(route.contract), &route.from, &route.to, route.edges.clone()),
            None => (started.contract, &started.from, &started.to, path),
        };
        Self {
            contract_digest,
            object_kind: body.target.kind().to_owned(),
            object_id: body.object.clone(),
            from: from.clone(),
            to: to.clone(),
            path,
            source_hash: CommitHash::from_bytes(body.source.claim_hash()),
            target_hash: CommitHash::from_bytes(body.target.claim_hash()),
            operator_id: body.operator.clone(),
            migration_policy_hash: started.policy,
            inputs_hash: body.reads_inputs.then(|| inputs_hash(started.clock_ms, &started.seed.0)),
            verdicts: body.verdicts.clone(),
            loss_hash: body.loss,
        }
    }

    /// `CommitHash("migration_certificate", claim)`.
    pub fn hash(&self) -> CommitHash {
        CommitHash::of_encoded("migration_certificate", &self.encoded())
    }

    /// The claim as a value with the fields of SPEC §8.5.
    pub fn to_value(&self) -> Value {
        // Canonical as it is written, so it reads back.
        cbor::decode(&self.encoded(), cbor::EVENT_DEPTH_MAX).unwrap_or(Value::Null)
    }

    /// The claim, written straight into its bytes: it is asked for once an object, and the way over a
    /// value takes longer than everything else that is done for one.
    fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        cbor::encode_map_header(13, &mut out);
        text("to", &self.to, &mut out);
        text("from", &self.from, &mut out);
        cbor::encode_text("path", &mut out);
        cbor::encode_array_header(self.path.len(), &mut out);
        for edge in &self.path {
            cbor::encode_bytes(edge.as_bytes(), &mut out);
        }
        let verdicts = self.verdicts.iter().map(|(name, verdict)| (name.as_str(), verdict.word()));
        cbor::encode_text("verdicts", &mut out);
        cbor::encode_into(&Value::Map(verdicts.collect()), &mut out);
        hash("loss_hash", Some(&self.loss_hash), &mut out);
        text("object_id", &self.object_id, &mut out);
        hash("inputs_hash", self.inputs_hash.as_ref(), &mut out);
        text("object_kind", &self.object_kind, &mut out);
        text("operator_id", &self.operator_id, &mut out);
        hash("source_hash", Some(&self.source_hash), &mut out);
        hash("target_hash", Some(&self.target_hash), &mut out);
        hash("contract_digest", self.contract_digest.as_ref(), &mut out);
        hash("migration_policy_hash", Some(&self.migration_policy_hash), &mut out);
        out
    }
}

fn text(key: &str, text: &str, out: &mut Vec<u8>) {
    cbor::encode_text(key, out);
    cbor::encode_text(text, out);
}

/// A field that is null where there is no hash.
fn hash(key: &str, hash: Option<&CommitHash>, out: &mut Vec<u8>) {
    cbor::encode_text(key, out);
    match hash {
        Some(hash) => cbor::encode_bytes(hash.as_bytes(), out),
        None => cbor::encode_into(&Value::Null, out),
    }
}

/// `CommitHash("migration_inputs", {seed, clock_ms})`.
pub fn inputs_hash(clock_ms: u64, seed: &[u8; 32]) -> CommitHash {
    let inputs = cbor::map([("clock_ms", clock_ms.into()), ("seed", Value::Bytes(seed.to_vec()))]);
    CommitHash::of("migration_inputs", &inputs)
}

impl CertificateBook {
    /// The certificate of the open run as far as its objects have got.
    pub fn open_certificate(&self) -> CommitHash {
        let mut hashes = Vec::with_capacity(9 + self.claims.len() * CLAIM_BYTES);
        cbor::encode_array_header(self.claims.len(), &mut hashes);
        self.claims.values().for_each(|claim| cbor::encode_bytes(claim.as_bytes(), &mut hashes));
        CommitHash::of_encoded("migration_run", &hashes)
    }

    /// Number of values lost so far by the open run.
    pub const fn open_lost(&self) -> u64 {
        self.lost
    }

    fn forget_open_run(&mut self) {
        self.started = None;
        self.paths.clear();
        self.routes = Routes::default();
        self.claims.clear();
        self.lost = 0;
    }

    /// Hashes of the open run's claims, by object id. The claims themselves follow from the run's
    /// events ([`Claim::new`]).
    pub fn open_claims(&self) -> impl Iterator<Item = (&str, &CommitHash)> {
        self.claims.iter().map(|(object, claim)| (object.as_str(), claim))
    }

    pub(crate) fn entries(&self) -> usize {
        self.issued.len() + self.paths.len() + self.routes.len() + self.claims.len()
    }
}

impl Projection for Certificates {
    const NAME: &'static str = "certificates";
    const VERSION: u64 = 2;
    type State = CertificateBook;

    fn check(state: &CertificateBook, entry: Entry<'_>) -> Result<(), Illegal> {
        let Body::RunCommitted(body) = &entry.event.body else { return Ok(()) };
        if let Some(object) = state.paths.keys().next() {
            return Err(Illegal::new(format!("{object} has steps and has not reached its target")));
        }
        let accepted = state
            .started
            .as_ref()
            .is_some_and(|started| started.accepted_loss == Some(started.plan));
        require(state.lost == 0 || accepted, || {
            format!("{} values are lost and nobody accepted that", state.lost)
        })?;
        let expected = state.open_certificate();
        require(body.certificate == expected, || {
            format!("the run's certificate is {expected}, not {}", body.certificate)
        })
    }

    fn advance(state: &mut CertificateBook, entry: Entry<'_>) {
        match &entry.event.body {
            Body::RunStarted(started) => state.started = Some(started.clone()),
            Body::RunRoute(body) => state.routes.push(body),
            Body::ObjectStaged(body) => {
                let path = state.paths.entry(body.object.clone()).or_default();
                if path.last() != Some(&body.edge) {
                    path.push(body.edge);
                }
            }
            Body::ObjectMigrated(body) => {
                if let Some(started) = &state.started {
                    let path = state.paths.remove(&body.object).unwrap_or_default();
                    let route = body.route.and_then(|route| state.routes.get(route));
                    let claim = Claim::new(started, route, path, body);
                    state.claims.insert(body.object.clone(), claim.hash());
                    state.lost = state.lost.saturating_add(body.lost);
                }
            }
            Body::RunCommitted(body) => {
                if let Some(started) = state.started.take() {
                    state.issued.push(Certificate {
                        certificate: body.certificate,
                        from: started.from,
                        to: started.to,
                        objects: state.claims.len() as u64,
                        lost: state.lost,
                    });
                }
                state.forget_open_run();
            }
            Body::RunAborted(_) => state.forget_open_run(),
            _ => {}
        }
    }
}
