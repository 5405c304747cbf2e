//! Planning the migration of documents: every one is worked on, and what becomes of it is bound by its hash, so that what
//! is applied later is what was looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ledger_format::body::ObjectState;
use ledger_format::cbor::{self, VALUE_DEPTH_MAX, Value as Cbor};
use ledger_format::hash::{CommitHash, ContentHash, LedgerId};
use serde::{Deserialize, Serialize};

use super::super::amounts::Amounts;
use super::super::environment::Environment;
use super::super::error::MigrateError;
use super::super::plan::{PlanFileError, must_be_whole, read_text, to_text};
use super::super::run::Subject as _;
use super::aside::Aside;
use super::collection::Documents;
use super::evaluation::Status;
use super::prepared::{Outside, Prepared};
use super::refusal::Refusal;
use super::summary::Summary;
use crate::document::{Pointer, Value};
use crate::objects::Objects;
use crate::target::documents::Survey;
use crate::transform::Parameters;

/// A plan for documents: everything that applying it will do, under one id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentsPlan {
    /// Form of this file.
    pub schema: String,
    /// `CommitHash("documents_plan", …)` (SPEC §8.2).
    pub id: CommitHash,
    /// The ledger it was made for.
    pub ledger: LedgerId,
    /// What is allowed.
    pub policy: DocumentsPolicy,
    /// The ways that documents take.
    pub routes: Vec<PlannedRoute>,
    /// The documents that change, in the order of their ids.
    pub objects: Vec<PlannedDocument>,
    /// What hangs together by hashes, where documents name each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<PlannedLinks>,
    /// What was left out because whoever planned said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// What is lost, in part; all of it is kept with the run.
    pub lossy: Vec<LossyValue>,
    /// Number of values lost.
    pub lost: u64,
    /// What of the form of documents is lost although no value is, at most [`LISTED_MAX`].
    pub form_lost: Vec<String>,
    /// How many there are in all.
    pub form_lost_total: u64,
    /// Number of documents that stay as they are.
    pub unchanged: u64,
    /// Documents that stay as they are because somebody signed them, at most [`LISTED_MAX`].
    pub signed: Vec<String>,
    /// What of the tree was not looked into, or is not all there is.
    pub aside: Aside,
    /// Bytes of the documents that change: they are kept.
    pub bytes_kept: u64,
    /// What it was made with. No part of its id.
    pub environment: Environment,
}

/// What a run on documents is allowed to do (SPEC §8.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentsPolicy {
    /// Whether values may be lost, once that was confirmed by typing the plan's id.
    pub allow_loss: bool,
    /// Whether steps may run external programs.
    pub allow_programs: bool,
    /// Values given from outside.
    pub parameters: BTreeMap<String, Value>,
}

/// A way that planned documents take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedRoute {
    /// The kind of document.
    pub kind: String,
    /// The contract's own version.
    pub contract_version: String,
    /// Digest of the contract.
    pub contract: CommitHash,
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
    /// Digests of the edges.
    pub edges: Vec<CommitHash>,
}

/// A document of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedDocument {
    /// Object id.
    pub id: String,
    /// The way it takes, by its place in the list.
    pub route: u64,
    /// Its bytes now.
    pub source: ContentHash,
    /// Its permission bits.
    pub mode: u32,
    /// Its bytes after.
    pub target: ContentHash,
    /// Number of values it loses.
    pub lost: u64,
    /// Digest of what it loses.
    pub loss: CommitHash,
}

/// What a plan binds where documents name each other by hash, beside those that change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedLinks {
    /// Digests of the contracts of all kinds: each may say how others are named.
    pub contracts: Vec<CommitHash>,
    /// The documents that stay as they are and that documents which change name, in the order of their ids.
    pub named: Vec<NamedDocument>,
}

/// What a plan was told not to look at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The ids and globs, as they were given to the plan.
    pub named: Vec<String>,
    /// The documents that they mean, and those that are always left out; with a `/` at the end folders; in the order of ids.
    pub documents: Vec<String>,
}

/// A document that another one names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedDocument {
    /// Object id.
    pub id: String,
    /// Its contract, by its place in the list.
    pub contract: u64,
    /// Its bytes.
    pub source: ContentHash,
    /// Its permission bits.
    pub mode: u32,
}

/// One value that is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossyValue {
    /// The document.
    pub object: String,
    /// Where it stands.
    pub path: Pointer,
    /// What stands there.
    pub value: Value,
}

/// Form of a plan's file.
const SCHEMA: &str = "glyph-ledger/documents-plan/0";

/// Tag of a plan's id.
const TAG: &str = "documents_plan";

/// Most entries of the lists of a plan that are for people to read.
pub const LISTED_MAX: usize = 100;

/// Most refused documents that one error names.
const REFUSED_NAMED_MAX: usize = 20;

/// Longest plan file read, in bytes: a plan lists documents, each in a few hundred bytes.
const PLAN_BYTES_MAX: u64 = 1024 * 1024 * 1024;

impl DocumentsPolicy {
    /// `CommitHash("migration_policy", {allow_loss, allow_programs, parameters})` (SPEC §8.3).
    pub fn hash(&self) -> CommitHash {
        // Values are written by their digits and text, all of which can be encoded.
        CommitHash::of("migration_policy", &cbor::to_value(self).unwrap_or(Cbor::Null))
    }

    /// What steps get from outside under it.
    pub fn outside(&self) -> Outside {
        Outside { parameters: self.parameters(), allow_programs: self.allow_programs }
    }

    /// The values as steps see them.
    pub(super) fn parameters(&self) -> Parameters {
        self.parameters.iter().map(|(name, value)| (name, value.clone())).collect()
    }
}

impl DocumentsPlan {
    /// A plan of these documents alone.
    #[cfg(test)]
    pub(in crate::migrate) fn bound_to(
        ledger: LedgerId,
        policy: DocumentsPolicy,
        routes: Vec<PlannedRoute>,
        objects: Vec<PlannedDocument>,
        (links, left_out): (Option<PlannedLinks>, Option<LeftOut>),
        environment: Environment,
    ) -> Self {
        let mut plan = Self {
            schema: SCHEMA.to_owned(),
            id: CommitHash::of(TAG, &Cbor::Null),
            ledger,
            policy,
            routes,
            objects,
            links,
            left_out,
            lossy: Vec::new(),
            lost: 0,
            form_lost: Vec::new(),
            form_lost_total: 0,
            unchanged: 0,
            signed: Vec::new(),
            aside: Aside::default(),
            bytes_kept: 0,
            environment,
        };
        plan.id = plan.computed_id();
        plan
    }

    /// The plan as its file's text.
    pub fn to_json(&self) -> Result<String, PlanFileError> {
        to_text(self)
    }

    /// Reads a plan and checks that its content has its id.
    pub fn from_json(text: &str) -> Result<Self, PlanFileError> {
        let plan: Self =
            serde_json::from_str(text).map_err(|error| PlanFileError::Form(error.to_string()))?;
        must_be_whole((&plan.schema, SCHEMA), plan.id, plan.computed_id())?;
        Ok(plan)
    }

    /// Reads the plan file at `path`.
    pub fn load(path: &Path) -> Result<Self, PlanFileError> {
        Self::from_json(&read_text(path, PLAN_BYTES_MAX)?)
    }

    /// Whether there is nothing to do.
    pub const fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// What the id is the hash of. Kept in the ledger's objects under the plan's id by the run that applies it, so that a
    /// resumed run is bound by the same plan.
    pub(in crate::migrate) fn preimage(&self) -> Vec<u8> {
        let meaning = self.meaning();
        let mut bytes = Vec::with_capacity(meaning.len() + TAG.len() + 4);
        cbor::encode_array_header(2, &mut bytes);
        cbor::encode_text(TAG, &mut bytes);
        bytes.extend_from_slice(&meaning);
        bytes
    }

    fn computed_id(&self) -> CommitHash {
        CommitHash::of_encoded(TAG, &self.meaning())
    }

    /// The bytes of [`Bound`], written straight: as a value the rows of many documents would take ten times their length.
    fn meaning(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1_024 + self.objects.len() * ROW_BYTES);
        // Texts, hashes and integers, all of which can be encoded.
        let value = |key: &str, value: Result<Cbor, _>, out: &mut Vec<u8>| {
            cbor::encode_text(key, out);
            cbor::encode_into(&value.unwrap_or(Cbor::Null), out);
        };
        let more = usize::from(self.links.is_some()) + usize::from(self.left_out.is_some());
        cbor::encode_map_header(4 + more, &mut out);
        if let Some(links) = &self.links {
            value("links", cbor::to_value(links), &mut out);
        }
        value("ledger", cbor::to_value(&self.ledger), &mut out);
        value("policy", cbor::to_value(&self.policy), &mut out);
        value("routes", cbor::to_value(&self.routes), &mut out);
        cbor::encode_text("objects", &mut out);
        cbor::encode_array_header(self.objects.len(), &mut out);
        self.objects.iter().for_each(|object| object.encode_row(&mut out));
        if let Some(left_out) = &self.left_out {
            value("left_out", cbor::to_value(left_out), &mut out);
        }
        out
    }
}

/// About what a row takes: three hashes, an id and some numbers.
const ROW_BYTES: usize = 160;

impl PlannedDocument {
    /// Appends the bytes of its [`Row`].
    fn encode_row(&self, out: &mut Vec<u8>) {
        cbor::encode_array_header(7, out);
        cbor::encode_text(&self.id, out);
        cbor::encode_unsigned(self.route, out);
        cbor::encode_bytes(self.source.as_bytes(), out);
        cbor::encode_unsigned(self.mode.into(), out);
        cbor::encode_bytes(self.target.as_bytes(), out);
        cbor::encode_unsigned(self.lost, out);
        cbor::encode_bytes(self.loss.as_bytes(), out);
    }
}

/// What a plan binds.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
#[serde(deny_unknown_fields)]
pub(super) struct Bound {
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "part of what is bound, and of no use to a run")
    )]
    pub(super) ledger: LedgerId,
    pub(super) policy: DocumentsPolicy,
    pub(super) routes: Vec<PlannedRoute>,
    pub(super) objects: Vec<Row>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) links: Option<PlannedLinks>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left_out: Option<LeftOut>,
}

/// A document as it is bound: id, route, source, mode, target, number of lost values and their digest.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub(super) struct Row(
    pub(super) String,
    pub(super) u64,
    pub(super) ContentHash,
    pub(super) u32,
    pub(super) ContentHash,
    pub(super) u64,
    pub(super) CommitHash,
);

#[cfg(test)]
impl From<&PlannedDocument> for Row {
    fn from(of: &PlannedDocument) -> Self {
        Self(of.id.clone(), of.route, of.source, of.mode, of.target, of.lost, of.loss)
    }
}

#[cfg(test)]
impl From<Row> for PlannedDocument {
    fn from(Row(id, route, source, mode, target, lost, loss): Row) -> Self {
        Self { id, route, source, mode, target, lost, loss }
    }
}

/// The plan called `id`, as it was kept when its run began.
pub(super) fn bound(objects: &dyn Objects, id: CommitHash) -> Result<Bound, MigrateError> {
    let name = ContentHash::from_bytes(*id.as_bytes());
    let bytes = objects.get(&name)?;
    match cbor::from_bytes::<(String, Bound)>(&bytes, VALUE_DEPTH_MAX) {
        Ok((_, bound)) => Ok(bound),
        Err(_) => Err(PlanFileError::Form(format!("object {name} is not a plan")).into()),
    }
}

/// What a plan that a run of documents carries or carried out comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outline {
    /// The ways of its documents.
    pub ways: Vec<Way>,
    /// What was left out.
    pub left_out: LeftOut,
}

/// A way of documents, and how many took it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Way {
    /// The kind of document.
    pub kind: String,
    /// The contract's own version.
    pub contract_version: String,
    /// Version before.
    pub from: String,
    /// Version after; the same where documents were only normalised.
    pub to: String,
    /// Number of documents.
    pub documents: u64,
}

/// The outline of the plan `id`, which a run of documents carries or carried out.
pub fn outline(objects: &dyn Objects, id: CommitHash) -> Result<Outline, MigrateError> {
    let Bound { routes, objects: rows, left_out, .. } = bound(objects, id)?;
    let mut documents: BTreeMap<u64, u64> = BTreeMap::new();
    for row in &rows {
        *documents.entry(row.1).or_default() += 1;
    }
    let ways = (0..).zip(routes).map(|(number, route)| {
        let PlannedRoute { kind, contract_version, from, to, .. } = route;
        let documents = documents.get(&number).copied().unwrap_or_default();
        Way { kind, contract_version, from, to, documents }
    });
    Ok(Outline { ways: ways.collect(), left_out: left_out.unwrap_or_default() })
}

/// Plans the migration of all documents, each to version `to` or its kind's current one. Appends nothing and changes
/// nothing. If any document cannot be migrated, none is planned.
pub fn plan(
    documents: &mut Documents,
    to: Option<&str>,
    policy: DocumentsPolicy,
) -> Result<DocumentsPlan, MigrateError> {
    let survey = documents.collection.survey()?;
    plan_found(documents, &survey, to, policy)
}

/// The same for what was found in the tree before.
pub fn plan_found(
    documents: &mut Documents,
    survey: &Survey,
    to: Option<&str>,
    policy: DocumentsPolicy,
) -> Result<DocumentsPlan, MigrateError> {
    documents.must_be_idle()?;
    documents.must_be_unedited()?;
    survey.must_leave_out_all()?;
    let collection = &documents.collection;
    let former = documents.former()?;
    let (aside, linked) = (Aside::of(survey), collection.is_together());
    let mut making = Making { aside, linked, ..Making::default() };
    let (found, jobs) = (&survey.documents, documents.jobs);
    collection.work(found, to, jobs, &former, &Summary::of, &mut |summary| {
        making.take(collection, summary);
        Ok(())
    })?;
    if !making.refused.is_empty() {
        return Err(MigrateError::Refused { total: making.refused_total, named: making.refused });
    }
    if making.lost > 0 && !policy.allow_loss {
        return Err(MigrateError::LossRefused { lost: Amounts::values(making.lost) });
    }
    let links = making.links(collection);
    let left_out = (!survey.left_out.is_empty()).then(|| LeftOut {
        named: collection.tree.left_out().to_vec(),
        documents: survey.left_out.iter().cloned().collect(),
    });
    let mut plan = DocumentsPlan {
        schema: SCHEMA.to_owned(),
        id: CommitHash::of(TAG, &Cbor::Null),
        ledger: documents.ledger.id(),
        policy,
        routes: making.routes,
        objects: making.objects,
        links,
        left_out,
        lossy: making.lossy,
        lost: making.lost,
        form_lost: making.form_lost,
        form_lost_total: making.form_lost_total,
        unchanged: making.unchanged,
        signed: making.signed,
        aside: making.aside,
        bytes_kept: making.bytes_kept,
        environment: Environment::here(),
    };
    plan.id = plan.computed_id();
    Ok(plan)
}

#[derive(Default)]
struct Making {
    routes: Vec<PlannedRoute>,
    objects: Vec<PlannedDocument>,
    lossy: Vec<LossyValue>,
    lost: u64,
    form_lost: Vec<String>,
    form_lost_total: u64,
    unchanged: u64,
    signed: Vec<String>,
    aside: Aside,
    bytes_kept: u64,
    refused: Vec<(String, Refusal)>,
    refused_total: u64,
    linked: bool,
    /// What documents that change name.
    named: BTreeSet<String>,
    /// Where documents name each other, those that stay as they are.
    staying: BTreeMap<String, NamedDocument>,
}

impl Making {
    fn links(&mut self, collection: &super::Collection) -> Option<PlannedLinks> {
        if !self.linked {
            return None;
        }
        let contracts = collection.contracts.iter().map(Prepared::digest).collect();
        let named = self.named.iter().filter_map(|id| self.staying.remove(id)).collect();
        Some(PlannedLinks { contracts, named })
    }

    fn take(&mut self, collection: &super::Collection, summary: Summary) {
        let Summary { id, kind, status, source_mode: mode, lost, loss, form_lost, .. } = summary;
        let Some(target) = summary.target else {
            self.refused_total += 1;
            if self.refused.len() < REFUSED_NAMED_MAX {
                self.refused.extend(summary.refusal.map(|refusal| (id, refusal)));
            }
            return;
        };
        let ObjectState::Document { content: source, bytes, .. } = summary.source else { return };
        if summary.signed && self.signed.len() < LISTED_MAX {
            self.signed.push(id.clone());
        }
        let (Some(prepared), Some(route)) = (collection.contracts.get(kind), &summary.route) else {
            return;
        };
        if status == Status::Current {
            self.unchanged += 1;
            if self.linked {
                let contract = kind as u64;
                self.staying.insert(id.clone(), NamedDocument { id, contract, source, mode });
            }
            return;
        }
        self.named.extend(summary.names);
        let contract = prepared.contract();
        let route = PlannedRoute {
            kind: contract.contract.clone(),
            contract_version: contract.contract_version.clone(),
            contract: prepared.digest(),
            from: route.from.clone(),
            to: route.to.clone(),
            edges: route.edges.clone(),
        };
        let known = self.routes.iter().position(|known| *known == route);
        let route = known.unwrap_or_else(|| {
            self.routes.push(route);
            self.routes.len() - 1
        });
        self.form_lost_total += form_lost.len() as u64;
        let forms = form_lost.iter().take(LISTED_MAX - self.form_lost.len());
        self.form_lost.extend(forms.map(|form| format!("{id}: {form}")));
        if summary.file_names > 1 {
            self.aside.hard_linked.push(&id);
        }
        let number = lost.len() as u64;
        self.lost += number;
        self.bytes_kept += bytes;
        for lossy in lost.into_iter().take(LISTED_MAX - self.lossy.len()) {
            self.lossy.push(LossyValue {
                object: id.clone(),
                path: lossy.path,
                value: lossy.value,
            });
        }
        self.objects.push(PlannedDocument {
            id,
            route: route as u64,
            source,
            mode,
            target: target.name(),
            lost: number,
            loss,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plan_binds_is_written_straight_as_its_value_would_be_and_reads_back() {
        let ledger = LedgerId::of(&[1; 32], &[2; 16]);
        let parameters = [("now".to_owned(), Value::text("then"))].into();
        let policy = DocumentsPolicy { allow_loss: true, allow_programs: false, parameters };
        let hash = |text: &str| ContentHash::of(text.as_bytes());
        let commit = |text: &str| CommitHash::of(text, &Cbor::Null);
        let route = PlannedRoute {
            kind: "k".into(),
            contract_version: "1.0.0".into(),
            contract: commit("contract"),
            from: "1".into(),
            to: "2".into(),
            edges: vec![commit("edge")],
        };
        let object = |id: &str, lost| PlannedDocument {
            id: id.to_owned(),
            route: 0,
            source: hash("source"),
            mode: 0o644,
            target: hash("target"),
            lost,
            loss: commit("loss"),
        };
        let objects = vec![object("a", 0), object(&"b".repeat(300), 70_000)];
        let named = |id: &str| NamedDocument {
            id: id.to_owned(),
            contract: 1,
            source: hash("named"),
            mode: 0o600,
        };
        let contracts = vec![commit("contract"), commit("other")];
        let links = PlannedLinks { contracts, named: vec![named("c"), named("d")] };
        let left_out = LeftOut { named: vec!["*.txt".into()], documents: vec!["e/".into()] };
        let both = (Some(links), Some(left_out));
        for (links, left_out) in
            [(None, None), (both.0.clone(), None), (None, both.1.clone()), both]
        {
            let (policy, route, objects) = (policy.clone(), route.clone(), objects.clone());
            let environment = Environment::here();
            let routes = vec![route];
            let also = (links, left_out);
            let plan = DocumentsPlan::bound_to(ledger, policy, routes, objects, also, environment);
            let bound = Bound {
                ledger,
                policy: plan.policy.clone(),
                routes: plan.routes.clone(),
                objects: plan.objects.iter().map(Row::from).collect(),
                links: plan.links.clone(),
                left_out: plan.left_out.clone(),
            };
            let value = cbor::to_value(&bound).unwrap();
            assert_eq!(plan.id, CommitHash::of(TAG, &value));
            let whole = Cbor::Array(vec![Cbor::from(TAG), value]).encode();
            assert_eq!(plan.preimage(), whole);
            let mut kept = crate::objects::MemoryObjects::new();
            kept.put(&whole).unwrap();
            let read = super::bound(&kept, plan.id).unwrap();
            let objects: Vec<PlannedDocument> = read.objects.into_iter().map(Into::into).collect();
            assert_eq!((objects, read.links), (plan.objects, plan.links));
            let outline = super::outline(&kept, plan.id).unwrap();
            assert_eq!(outline.left_out, plan.left_out.unwrap_or_default());
            let [way] = outline.ways.as_slice() else { panic!("one route, {outline:?}") };
            assert_eq!((way.from.as_str(), way.to.as_str(), way.documents), ("1", "2", 2));
        }
    }
}
