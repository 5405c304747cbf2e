//! A contract of documents as what proofs ask: one document in, what becomes of it out.

use std::collections::BTreeSet;

use ledger_format::body::Verdict;
use ledger_format::cbor::{self, Value as Cbor};
use ledger_format::hash::CommitHash;

use super::prove::{Migrated, Migration};
use super::seen::undeclared;
use super::{ContractName, LOSS_LISTED_MAX, Loss, Seen, Status};
use crate::contract::{Contract, ContractError, Edge, Pattern};
use crate::document::{Document, Form, Pointer, Value};
use crate::migrate::documents::{self, Evaluation, Outside, Prepared, Refusal, Route};
use crate::migrate::plan::Policy;
use crate::schema::Schema;
use crate::transform::Step;

/// How documents are migrated by a contract.
pub struct DocumentMigration {
    prepared: Prepared,
    /// The same contract without its normalisation: what edges promise is held against what edges do.
    edges_only: Prepared,
    policy: CommitHash,
}

impl DocumentMigration {
    /// By `contract`, with what its steps get from outside.
    pub fn of(contract: Contract, outside: &Outside) -> Result<Self, ContractError> {
        let edges_only =
            Contract { normalize: Vec::new(), normalize_lossy: Vec::new(), ..contract.clone() };
        Ok(Self {
            prepared: Prepared::of(contract, outside)?,
            edges_only: Prepared::of(edges_only, outside)?,
            policy: policy(outside),
        })
    }

    /// The first reason why a document is not migrated.
    pub fn refusal(&self, source: &[u8]) -> Option<Refusal> {
        self.prepared.evaluate(source, None).refusals.into_iter().next()
    }

    fn edges(&self, route: &Route) -> Vec<&Edge> {
        let edges = &self.prepared.contract().edges;
        let steps = route.chain.windows(2).filter_map(|pair| {
            let [from, to] = pair else { return None };
            edges.iter().find(|edge| edge.from == *from && edge.to == *to)
        });
        steps.collect()
    }

    /// Places that the edges add or lose without saying so.
    fn undeclared(&self, source: &[u8], edges: &[&Edge]) -> Vec<Pointer> {
        let moved =
            self.edges_only.read(source).and_then(|read| self.edges_only.take_steps(read, None));
        let Ok(moved) = moved else { return Vec::new() };
        let patterns = |texts: &mut dyn Iterator<Item = &String>| -> Vec<Pattern> {
            texts.filter_map(|text| text.parse().ok()).collect()
        };
        let adds = patterns(&mut edges.iter().flat_map(|edge| &edge.proof.adds_defaulted));
        let loses = patterns(&mut edges.iter().flat_map(|edge| &edge.lossy));
        let covers = |patterns: &[Pattern], place: &Pointer| {
            patterns.iter().any(|pattern| pattern.covers(place))
        };
        // What the inverse of an edge brings back is not among them.
        let lost: BTreeSet<&Pointer> = moved.lost.iter().map(|lost| &lost.path).collect();
        undeclared(
            &moved.effects,
            self.prepared.version_places(),
            &|place| covers(&adds, place),
            &|place| !lost.contains(place) || covers(&loses, place),
        )
    }
}

impl Migration for DocumentMigration {
    fn contract(&self) -> ContractName {
        let contract = self.prepared.contract();
        ContractName {
            name: contract.contract.clone(),
            version: contract.contract_version.clone(),
            digest: self.prepared.digest(),
        }
    }

    fn policy(&self) -> CommitHash {
        self.policy
    }

    fn migrate(&self, source: &[u8]) -> Migrated {
        let found = self.prepared.evaluate(source, None);
        let read = self.prepared.read(source).map(|read| read.document.value);
        let route = found.route.as_deref();
        let edges = route.map(|route| self.edges(route)).unwrap_or_default();
        let current = &self.prepared.contract().current;
        let steps = edges.iter().flat_map(|edge| &edge.steps);
        let steps = steps.chain(&self.prepared.contract().normalize);
        Migrated {
            status: found.status.into(),
            from: found.detected.clone().unwrap_or_default(),
            to: route.map_or(current, |route| &route.to).clone(),
            chain: route.map(|route| route.chain.clone()).unwrap_or_default(),
            edges: route.map(|route| route.edges.clone()).unwrap_or_default(),
            steps: steps.map(step_digest).collect(),
            source: read.unwrap_or(Value::Null),
            valid: verdict(&found, "validates_at_target"),
            round_trips: verdict(&found, "round_trips"),
            promises_append_only: !edges.is_empty()
                && edges.iter().all(|edge| edge.proof.drops_nothing),
            exempt: self.prepared.version_places().to_vec(),
            undeclared: self.undeclared(source, &edges),
            loss: Loss {
                values: found.lost.len() as u64,
                hash: found.loss_hash(),
                first: found
                    .lost
                    .iter()
                    .take(LOSS_LISTED_MAX)
                    .map(|lost| lost.path.clone())
                    .collect(),
            },
            errors: found.refusals.iter().map(|refusal| refusal.message.clone()).collect(),
            result: found.result.map(|outcome| (outcome.value, outcome.bytes)),
        }
    }

    fn schema(&self, version: &str) -> Option<&Schema> {
        self.prepared.schema(version)
    }

    fn write(&self, document: &Value) -> Option<Vec<u8>> {
        let form = Form::of_new(self.prepared.format());
        Document { value: document.clone(), form }.write().ok()
    }
}

impl From<documents::Status> for Status {
    fn from(status: documents::Status) -> Self {
        match status {
            documents::Status::Current => Self::Current,
            documents::Status::Normalized => Self::Normalized,
            documents::Status::Migrated => Self::Migrated,
            documents::Status::Unsupported => Self::Unsupported,
        }
    }
}

fn verdict(found: &Evaluation, name: &str) -> Seen {
    match found.verdicts.get(name) {
        Some(Verdict::True) => Seen::Holds,
        Some(Verdict::False) => Seen::Fails,
        Some(Verdict::NotApplicable) | None => Seen::NotApplicable,
    }
}

fn step_digest(step: &Step) -> CommitHash {
    // Steps are made of text, integers, booleans and lists, all of which can be encoded.
    CommitHash::of("contract_step", &cbor::to_value(step).unwrap_or(Cbor::Null))
}

/// The default policy, and with it what was given from outside, if anything was.
fn policy(outside: &Outside) -> CommitHash {
    let allow_loss = Policy::default().allow_loss;
    if outside.parameters.iter().len() == 0 {
        return Policy::default().hash();
    }
    let parameters = cbor::to_value(&outside.parameters.to_value()).unwrap_or(Cbor::Null);
    let policy = cbor::map([("allow_loss", allow_loss.into()), ("parameters", parameters)]);
    CommitHash::of("migration_policy", &policy)
}
