//! A contract of documents as what proofs ask: one document in, what becomes of it out.

use std::collections::BTreeSet;

use ledger_format::body::Verdict;
use ledger_format::cbor::{self, Value as Cbor};
use ledger_format::hash::CommitHash;

use super::prove::{Migrated, Migration};
use super::seen::{Followed, undeclared};
use super::{ContractName, LOSS_LISTED_MAX, Loss, Property, Seen, Status, Witness};
use crate::contract::{Contract, ContractError, Edge, Pattern};
use crate::diagnostic::{LOSS_UNDECLARED, OUTCOME_INVALID};
use crate::document::{Document, Form, Pointer, Value};
use crate::migrate::documents::{self, DocumentsPolicy, Evaluation, Prepared, Refusal, Route};
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
    /// By `contract`, as a run under that policy would.
    pub fn of(contract: Contract, policy: &DocumentsPolicy) -> Result<Self, ContractError> {
        let outside = policy.outside().of_contract(&contract);
        let edges_only =
            Contract { normalize: Vec::new(), normalize_lossy: Vec::new(), ..contract.clone() };
        Ok(Self {
            prepared: Prepared::of(contract, &outside)?,
            edges_only: Prepared::of(edges_only, &outside)?,
            policy: policy.hash(),
        })
    }

    /// The first reason why a document is not migrated.
    pub fn refusal(&self, source: &[u8]) -> Option<Refusal> {
        self.prepared.evaluate(source, None).refusals.into_iter().next()
    }

    /// The contract.
    pub const fn described(&self) -> &Contract {
        self.prepared.contract()
    }

    /// What a document says; null where it cannot be read.
    pub(super) fn value_of(&self, source: &[u8]) -> Value {
        self.prepared.read(source).map_or(Value::Null, |read| read.document.value)
    }

    fn edges(&self, route: &Route) -> Vec<&Edge> {
        let edges = &self.prepared.contract().edges;
        let steps = route.chain.windows(2).filter_map(|pair| {
            let [from, to] = pair else { return None };
            edges.iter().find(|edge| edge.from == *from && edge.to == *to)
        });
        steps.collect()
    }

    /// Places that the edges add or lose without saying so, and which of the two.
    fn undeclared(&self, source: &[u8], edges: &[&Edge]) -> Vec<(Pointer, &'static str)> {
        if edges.is_empty() {
            // It stays, or is signed: no edge does anything.
            return Vec::new();
        }
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

    /// What is said of a document that `before` was and of which the steps made `after`.
    pub(super) fn told(
        &self,
        source: &[u8],
        before: Value,
        after: Option<Value>,
        found: Evaluation,
    ) -> Migrated {
        let route = found.route.as_deref();
        let edges = route.map(|route| self.edges(route)).unwrap_or_default();
        let contract = self.prepared.contract();
        let normalizes = route.is_none_or(|route| route.to == contract.current);
        let normalize = contract.normalize.iter().filter(|_| normalizes);
        let steps = edges.iter().flat_map(|edge| &edge.steps).chain(normalize);
        let refused = after.filter(|_| is_refused_for_itself(&found));
        let mut judged = Judged {
            valid: verdict(&found, "validates_at_target"),
            round_trips: verdict(&found, "round_trips"),
            declared: Seen::NotApplicable,
            witnesses: Vec::new(),
        };
        if found.result.is_some() || refused.is_some() {
            judged.promises(self.undeclared(source, &edges), &found);
        }
        if let Some(after) = &refused {
            judged.refused(self.schema_of(route), after, &found);
        }
        if judged.round_trips == Seen::Fails {
            judged.witnesses.extend(self.unreturned(source));
        }
        Migrated {
            status: found.status.into(),
            from: found.detected.clone().unwrap_or_default(),
            to: route.map_or(&contract.current, |route| &route.to).clone(),
            chain: route.map(|route| route.chain.clone()).unwrap_or_default(),
            edges: route.map(|route| route.edges.clone()).unwrap_or_default(),
            steps: steps.map(step_digest).collect(),
            source: before,
            refused,
            valid: judged.valid,
            round_trips: judged.round_trips,
            declared: judged.declared,
            witnesses: judged.witnesses,
            promises_append_only: !edges.is_empty()
                && edges.iter().all(|edge| edge.proof.drops_nothing),
            exempt: self.prepared.version_places().to_vec(),
            followed: Followed::of(&found.effects),
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

    fn schema_of(&self, route: Option<&Route>) -> Option<&Schema> {
        self.prepared.schema(&route?.to)
    }

    /// Where the steps that lead back give something else.
    fn unreturned(&self, source: &[u8]) -> Vec<Witness> {
        let Ok(read) = self.prepared.read(source) else { return Vec::new() };
        let found = self.prepared.not_returned(&read);
        let witness = |(path, told)| Witness { property: Property::RoundTrips, path, told };
        found.into_iter().map(witness).collect()
    }
}

/// Properties as the contract shows them.
struct Judged {
    valid: Seen,
    round_trips: Seen,
    declared: Seen,
    witnesses: Vec<Witness>,
}

impl Judged {
    /// What the contract says of places and of both documents together.
    fn promises(&mut self, undeclared: Vec<(Pointer, &'static str)>, found: &Evaluation) {
        let property = Property::DeclaredMatchesObserved;
        let mut against: Vec<Witness> = undeclared
            .into_iter()
            .map(|(path, told)| Witness { property, path, told: told.to_owned() })
            .collect();
        // The normalisation loses things too, and is no edge.
        let lost = found.refusals.iter().filter(|refusal| refusal.code == &LOSS_UNDECLARED);
        for refusal in lost {
            let path = refusal.path.clone().unwrap_or_default();
            if !against.iter().any(|witness| witness.path == path) {
                against.push(Witness { property, path, told: refusal.message.clone() });
            }
        }
        let broken = found.verdicts.iter().filter(|(_, verdict)| **verdict == Verdict::False);
        against.extend(broken.filter_map(|(name, _)| {
            let id = name.strip_prefix("invariant:")?;
            Some(Witness::of_whole(property, format!("the invariant {id} does not hold")))
        }));
        self.declared = against.is_empty().into();
        self.witnesses.extend(against);
    }

    /// What keeps a result from being one: some property fails, whichever it is.
    fn refused(&mut self, schema: Option<&Schema>, after: &Value, found: &Evaluation) {
        let property = Property::ValidatesAtCurrent;
        let violations = schema.and_then(|schema| schema.validate(after).err());
        self.valid = match (schema, &violations) {
            (None, _) => Seen::NotApplicable,
            (Some(_), violations) => violations.is_none().into(),
        };
        self.witnesses.extend(violations.into_iter().flatten().map(|violation| Witness {
            property,
            path: violation.path,
            told: format!("{}: {}", violation.keyword, violation.message),
        }));
        if self.valid != Seen::Fails && self.declared != Seen::Fails {
            // It is all that its contract asks, and cannot be written in its format.
            self.valid = Seen::Fails;
            let told = found.refusals.iter().map(|refusal| refusal.message.clone());
            self.witnesses.extend(told.map(|told| Witness::of_whole(property, told)));
        }
    }
}

/// Whether a document is refused for what its steps made of it, and for nothing that happened before.
fn is_refused_for_itself(found: &Evaluation) -> bool {
    let for_itself =
        |refusal: &Refusal| refusal.code == &OUTCOME_INVALID || refusal.code == &LOSS_UNDECLARED;
    found.result.is_none() && !found.refusals.is_empty() && found.refusals.iter().all(for_itself)
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
        let read = match self.prepared.read(source) {
            Ok(read) => read,
            Err(refusal) => {
                let found = Evaluation::refused(None, vec![refusal]);
                return self.told(source, Value::Null, None, found);
            }
        };
        let (version, before) = (read.version.clone(), read.document.value.clone());
        match self.prepared.take_steps(read, None) {
            Ok(moved) => {
                let after = moved.value.clone();
                let found = self.prepared.judge(moved, source);
                self.told(source, before, Some(after), found)
            }
            Err(refusal) => {
                let found = Evaluation::refused(Some(version), vec![refusal]);
                self.told(source, before, None, found)
            }
        }
    }

    fn schema(&self, version: &str) -> Option<&Schema> {
        self.prepared.schema(version)
    }

    fn write(&self, document: &Value) -> Option<Vec<u8>> {
        let form = Form::of_new(self.prepared.format());
        Document::new(document.clone(), form).write().ok()
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
