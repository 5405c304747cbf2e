//! Planning: what would be done, to which objects, with what loss. Content-addressed, so that what is
//! applied later is what was looked at.

use std::io::{self, Read as _};
use std::path::Path;

use ledger_format::body::ObjectState;
use ledger_format::cbor::{self, EVENT_DEPTH_MAX, Value};
use ledger_format::hash::{CommitHash, ContentHash, LedgerId};
use ledger_format::json::to_json;
use serde::{Deserialize, Serialize};

use super::amounts::Amounts;
use super::applied::must_be_unchanged;
use super::environment::Environment;
use super::error::MigrateError;
use super::loss::{self, LossSummary};
use super::observe::{LiveDatabase, VERSION_ROW, document};
use super::rehearsal::{Keeping, Rehearsed, Stage, rehearse};
use super::run::{Consent, Inputs, Subject as _};
use super::space;
use super::store::{Store, read_manifest};
use crate::contract::{Contract, Format, way};
use crate::target::glyph_store::Layout;
use crate::target::sqlite::{Exemption, Loss, RequestedPragma, Script, Transactions};
use crate::transform::Sql;

/// A plan: everything that applying it will do, under one id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Form of this file.
    pub schema: String,
    /// `CommitHash("migration_plan", …)` over what follows (SPEC §8.2).
    pub id: CommitHash,
    /// The ledger it was made for.
    pub ledger: LedgerId,
    /// Digest of the contract.
    pub contract: CommitHash,
    /// Version now.
    pub from: String,
    /// Version after.
    pub to: String,
    /// What is allowed.
    pub policy: Policy,
    /// The objects, in the order of their ids.
    pub objects: Vec<PlannedObject>,
    /// What is lost: applying loses no more than this.
    pub loss: LossSummary,
    /// Rows that get another primary key, one by one in the order of the steps. No part of the id: how many there are is
    /// in `loss`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids_changed: Vec<PlannedId>,
    /// What is done to the database, in order.
    pub steps: Vec<PlannedStep>,
    /// What it was made with. No part of its id.
    pub environment: Environment,
    /// `CommitHash("migration_plan_told", …)` over what is told beside that and may be another when the plan is applied: the
    /// amounts of pages, rows that get another key, the environment. So an edited file is told from the one that was made.
    pub told: CommitHash,
}

/// One object of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedObject {
    /// Object id.
    pub id: String,
    /// Kind of object.
    pub kind: String,
    /// Version before.
    pub from: String,
    /// What of it must still be so when the plan is applied: the bytes of a document; schema and
    /// version row of a database, whose rows may change meanwhile.
    pub source_binding: CommitHash,
    /// Digests of the edges it takes.
    pub path: Vec<CommitHash>,
}

/// One step of a plan. What it does is part of the plan's id; how many pages it changed on the scratch copy is not, since
/// rows may go on changing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedStep {
    /// The edge.
    pub edge: String,
    /// The script.
    pub script: String,
    /// Statements it ran on the scratch copy.
    pub statements: u64,
    /// Pages it changed there: what will be kept of it.
    pub pages_changed: u64,
    /// Bytes of those pages.
    pub bytes_changed: u64,
    /// How its statements are divided into transactions.
    #[serde(default, skip_serializing_if = "Transactions::are_usual")]
    pub transactions: Transactions,
    /// Settings of the file that it asks for and that are left out, as it names them: `journal_mode = WAL`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// A row that gets another primary key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedId {
    /// Its table.
    pub table: String,
    /// Its key before, a value a column.
    pub was: Vec<serde_json::Value>,
    /// Its key after.
    pub now: Vec<serde_json::Value>,
}

impl PlannedStep {
    /// What a plan's id binds of it.
    fn meaning(&self) -> Value {
        let left_out = self.left_out.iter().map(|setting| Value::from(setting.as_str()));
        cbor::map([
            ("edge", Value::from(self.edge.as_str())),
            ("script", Value::from(self.script.as_str())),
            ("statements", self.statements.into()),
            ("transactions", Value::from(self.transactions.name())),
            ("left_out", Value::Array(left_out.collect())),
        ])
    }
}

impl PlannedId {
    /// Its bytes in a plan's file. A number that is no integer counts to its twelfth digit: reading may round the last.
    fn told(&self) -> Value {
        let key = |key: &[serde_json::Value]| Value::Array(key.iter().map(told).collect());
        Value::Array(vec![Value::from(self.table.as_str()), key(&self.was), key(&self.now)])
    }

    pub(super) fn all_of(loss: &Loss) -> impl Iterator<Item = Self> + '_ {
        let key = |key: &[Value]| key.iter().map(to_json).collect();
        loss.tables.iter().flat_map(move |table| {
            table.ids.iter().map(move |changed| Self {
                table: table.table.clone(),
                was: key(&changed.was),
                now: key(&changed.now),
            })
        })
    }
}

fn told(value: &serde_json::Value) -> Value {
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(number) => Value::from(format!("{number:.11e}").as_str()),
        None => Value::from(value.to_string().as_str()),
    }
}

/// What a run is allowed to do (SPEC §8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Whether values may be lost, once that was confirmed by typing the plan's id.
    pub allow_loss: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { allow_loss: true }
    }
}

impl Policy {
    /// `CommitHash("migration_policy", {allow_loss})`.
    pub fn hash(self) -> CommitHash {
        let value = cbor::map([("allow_loss", self.allow_loss.into())]);
        CommitHash::of("migration_policy", &value)
    }
}

/// Bytes that are not a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What happened.
        source: io::Error,
    },
    /// Not a plan of this form.
    #[error("not a plan: {0}")]
    Form(String),
    /// Its content does not have its id.
    #[error("the plan was edited: it has the id {actual}, but says {stated}")]
    Edited {
        /// The id it states.
        stated: CommitHash,
        /// The id its content has.
        actual: CommitHash,
    },
    /// What it tells beside what its id binds is not what was written there.
    #[error(
        "the plan was edited: what it tells beside its id has the hash {actual}, but says {stated}"
    )]
    Retold {
        /// The hash it states.
        stated: CommitHash,
        /// The hash that it has.
        actual: CommitHash,
    },
}

pub(super) const SCHEMA: &str = "glyph-ledger/migration-plan/0";

/// Tag of the hash of what a plan's file tells beside what the id binds.
const TOLD_TAG: &str = "migration_plan_told";

/// Tag of a plan's id.
const TAG: &str = "migration_plan";

/// Longest plan file read, in bytes: a plan lists objects and steps, each in a few hundred bytes.
const PLAN_BYTES_MAX: u64 = 64 * 1024 * 1024;

impl Plan {
    /// The plan as its file's text.
    pub fn to_json(&self) -> Result<String, PlanFileError> {
        to_text(self)
    }

    /// Reads a plan and checks that its content has its id.
    pub fn from_json(text: &str) -> Result<Self, PlanFileError> {
        let plan: Self =
            serde_json::from_str(text).map_err(|error| PlanFileError::Form(error.to_string()))?;
        must_be_whole((&plan.schema, SCHEMA), plan.id, plan.computed_id())?;
        if plan.told != plan.computed_told() {
            return Err(PlanFileError::Retold { stated: plan.told, actual: plan.computed_told() });
        }
        Ok(plan)
    }

    /// Reads the plan file at `path`.
    pub fn load(path: &Path) -> Result<Self, PlanFileError> {
        Self::from_json(&read_text(path, PLAN_BYTES_MAX)?)
    }

    /// Number of values lost.
    pub fn lost(&self) -> u64 {
        loss::total(&self.loss)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// What the id is the hash of. Kept in the ledger's objects under the plan's id by the run that
    /// applies it, so that a resumed run is bound by the same plan.
    pub(super) fn preimage(&self) -> Vec<u8> {
        Value::Array(vec![Value::from(TAG), self.meaning()]).encode()
    }

    pub(super) fn computed_id(&self) -> CommitHash {
        CommitHash::of(TAG, &self.meaning())
    }

    pub(super) fn computed_told(&self) -> CommitHash {
        let pages = |step: &PlannedStep| {
            Value::Array(vec![step.pages_changed.into(), step.bytes_changed.into()])
        };
        CommitHash::of(
            TOLD_TAG,
            &cbor::map([
                ("id", self.id.into()),
                ("from", Value::from(self.from.as_str())),
                ("pages", Value::Array(self.steps.iter().map(pages).collect())),
                (
                    "ids_changed",
                    Value::Array(self.ids_changed.iter().map(PlannedId::told).collect()),
                ),
                ("environment", Value::Bytes(self.environment.bytes())),
            ]),
        )
    }

    fn meaning(&self) -> Value {
        let objects = self.objects.iter().map(|object| {
            cbor::map([
                ("id", Value::from(object.id.as_str())),
                ("kind", Value::from(object.kind.as_str())),
                ("from", Value::from(object.from.as_str())),
                ("source_binding", object.source_binding.into()),
                ("path", Value::Array(object.path.iter().map(|edge| (*edge).into()).collect())),
            ])
        });
        cbor::map([
            ("ledger", self.ledger.into()),
            ("contract_digest", self.contract.into()),
            ("to", Value::from(self.to.as_str())),
            ("policy_hash", self.policy.hash().into()),
            ("objects", Value::Array(objects.collect())),
            ("loss_bound", loss::as_value(&self.loss)),
            ("steps", Value::Array(self.steps.iter().map(PlannedStep::meaning).collect())),
        ])
    }
}

/// A plan, of a store or of documents, as its file's text.
pub(super) fn to_text(plan: &impl Serialize) -> Result<String, PlanFileError> {
    serde_json::to_string_pretty(plan)
        .map(|text| text + "\n")
        .map_err(|error| PlanFileError::Form(error.to_string()))
}

/// The text of the plan file at `path`.
pub(super) fn read_text(path: &Path, bytes_max: u64) -> Result<String, PlanFileError> {
    let io = |source| PlanFileError::Io { path: path.display().to_string(), source };
    let found = std::fs::metadata(path).map_err(io)?;
    // A pipe would be waited for, and a device has no end.
    if !found.is_file() {
        return Err(PlanFileError::Form("no regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > bytes_max {
        return Err(PlanFileError::Form(format!("longer than {bytes_max} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| PlanFileError::Form("not UTF-8".to_owned()))
}

/// Refuses a plan of another form, and one whose content does not have the id that it states.
pub(super) fn must_be_whole(
    schema: (&str, &str),
    stated: CommitHash,
    actual: CommitHash,
) -> Result<(), PlanFileError> {
    let (found, expected) = schema;
    if found != expected {
        return Err(PlanFileError::Form(format!("its schema is {found:?}")));
    }
    if actual == stated { Ok(()) } else { Err(PlanFileError::Edited { stated, actual }) }
}

/// Plans the way to version `to`, newer or older (the contract's current one if `None`): looks at the live store and
/// runs every step on a scratch copy to measure what it loses. Appends nothing.
pub fn plan(store: &mut Store, to: Option<&str>, policy: Policy) -> Result<Plan, MigrateError> {
    make(store, to, policy, (Keeping::Nothing, Inputs::NONE))
}

/// The same for who applies the plan right away under `consent` and with `inputs`. What the steps
/// make is kept, as long as they lose nothing that was not accepted: the run has no need to do them again if it sees the same
/// clock and chance and the live store is as it was.
pub fn plan_to_apply(
    store: &mut Store,
    to: Option<&str>,
    policy: Policy,
    consent: &Consent,
    inputs: Inputs,
) -> Result<Plan, MigrateError> {
    let keeping = match consent.0 {
        Some(_) => Keeping::Everything,
        None => Keeping::WhatLosesNothing,
    };
    make(store, to, policy, (keeping, inputs))
}

fn make(
    store: &mut Store,
    to: Option<&str>,
    policy: Policy,
    rehearsing: (Keeping, Inputs),
) -> Result<Plan, MigrateError> {
    store.must_be_idle()?;
    store.rehearsal = None;
    must_be_unchanged(store)?;
    let moves = to.unwrap_or(&store.contract.current) != store.ledger.state().store().version;
    let (observation, stage) = if moves {
        space::check_live(store)?;
        let folder = scratch_folder(store)?;
        let (observation, copy, watch) = store.observe_copying(folder.path())?;
        (observation, Some(Stage { copy, watch, _folder: folder }))
    } else {
        (store.observe()?, None)
    };
    store.objects.sync()?;
    let from = observation.version;
    let to = to.unwrap_or(&store.contract.current).to_owned();
    let contract = store.contract.clone();
    let edges = way(&contract, &from, &to)?;
    let Rehearsed { loss, steps, ids_changed } = match stage {
        Some(stage) if !edges.is_empty() => {
            rehearse(store, stage, &observation.database_state, &edges, rehearsing)?
        }
        _ => Rehearsed::default(),
    };
    if loss.lost() > 0 && !policy.allow_loss {
        return Err(MigrateError::LossRefused { lost: Amounts::of(&loss.summary) });
    }
    let path: Vec<_> = edges.iter().map(|edge| contract.edge_digest(edge)).collect();
    let planned = |(id, state): &(String, ObjectState)| PlannedObject {
        id: id.clone(),
        kind: state.kind().to_owned(),
        from: from.clone(),
        source_binding: binding(state, &from),
        path: path.clone(),
    };
    let objects = observation.objects.iter().map(planned).collect();
    let mut plan = Plan {
        schema: SCHEMA.to_owned(),
        id: CommitHash::of(TAG, &Value::Null),
        ledger: store.ledger.id(),
        contract: contract.digest(),
        from,
        to,
        policy,
        objects,
        loss: loss.summary,
        ids_changed,
        steps,
        environment: Environment::here(),
        told: CommitHash::of(TOLD_TAG, &Value::Null),
    };
    plan.id = plan.computed_id();
    plan.told = plan.computed_told();
    Ok(plan)
}

/// The loss that the plan called `id` allows, from the plan as it was kept when its run began.
pub(super) fn loss_bound(store: &Store, id: CommitHash) -> Result<LossSummary, MigrateError> {
    let name = ContentHash::from_bytes(*id.as_bytes());
    let bytes = store.objects.get(&name)?;
    let bound = match cbor::decode(&bytes, EVENT_DEPTH_MAX) {
        Ok(Value::Array(parts)) => match parts.as_slice() {
            [_, Value::Map(meaning)] => meaning.get("loss_bound").and_then(loss::from_value),
            _ => None,
        },
        _ => None,
    };
    bound.ok_or_else(|| PlanFileError::Form(format!("object {name} is not a plan")).into())
}

/// What of an object's state a plan binds.
pub(super) fn binding(state: &ObjectState, version: &str) -> CommitHash {
    let bound = match state {
        ObjectState::Document { content, mode, .. } => {
            cbor::map([("content", (*content).into()), ("mode", u64::from(*mode).into())])
        }
        ObjectState::Database { schema, .. } => {
            cbor::map([("schema", (**schema).into()), ("version", Value::from(version))])
        }
        ObjectState::Log { .. } => Value::Null,
    };
    CommitHash::of("migration_source", &bound)
}

/// Whether the live store still is what the plan binds; the reason if not.
pub(super) fn still_fits(store: &Store, plan: &Plan) -> Result<(), MigrateError> {
    let stale = |reason: &str| MigrateError::Stale { reason: reason.to_owned() };
    if plan.ledger != store.ledger.id() {
        return Err(stale("it was made for another ledger"));
    }
    if plan.contract != store.contract.digest() {
        return Err(stale("it was made for another contract"));
    }
    if plan.from != store.ledger.state().store().version {
        return Err(stale("the store has another version now"));
    }
    store.site.store().map(read_manifest).transpose()?;
    let manifest = store.site.manifest().map(|path| document(&path)).transpose()?;
    let database = LiveDatabase::open(&store.site.database(), store.wait)?;
    let schema = database.schema()?;
    let live = |object: &PlannedObject| {
        if object.id == store.site.database_id() {
            let bound = cbor::map([
                ("schema", schema.into()),
                ("version", Value::from(plan.from.as_str())),
            ]);
            return Some(CommitHash::of("migration_source", &bound));
        }
        let (_, manifest) = manifest.as_ref().filter(|_| object.id == Layout::MANIFEST)?;
        Some(binding(manifest, &plan.from))
    };
    match plan.objects.iter().find(|object| live(object) != Some(object.source_binding)) {
        None => Ok(()),
        Some(object) => Err(MigrateError::Stale { reason: format!("{} changed", object.id) }),
    }
}

/// Those that were set, each once, as the script named them; one that was only read asks for nothing.
pub(super) fn asked_for(requested: &[RequestedPragma]) -> Vec<String> {
    let set = requested.iter().filter(|request| request.value.is_some());
    let mut asked: Vec<String> = Vec::new();
    for request in set.map(ToString::to_string) {
        if !asked.contains(&request) {
            asked.push(request);
        }
    }
    asked
}

/// A folder for a copy that nobody needs afterwards.
pub(super) fn scratch_folder(store: &Store) -> Result<tempfile::TempDir, MigrateError> {
    let work = store.ledger.work_dir();
    let io = |source| MigrateError::Io { path: work.clone(), source };
    std::fs::create_dir_all(&work).map_err(io)?;
    tempfile::Builder::new().prefix("scratch.").tempdir_in(&work).map_err(io)
}

/// A step's scripts, ready to run. They are checked to be there when the contract is loaded.
pub(super) fn script(contract: &Contract, sql: &Sql) -> Script {
    let named = |name: &str| {
        let bytes = contract.scripts.get(name).map(Vec::as_slice).unwrap_or_default();
        Script::new(name, String::from_utf8_lossy(bytes))
    };
    let record = sql.record.as_deref().map(named).map(Box::new);
    let Sql { no_transaction, foreign_keys, .. } = *sql;
    Script { record, no_transaction, foreign_keys, ..named(&sql.script) }
}

/// What says which version a store or database has changes with every migration and is no loss.
pub(super) fn exemptions(contract: &Contract) -> Vec<Exemption> {
    if contract.format() == Some(Format::Sqlite) {
        let tables = contract.bookkeeping.iter().map(|books| books.table.clone());
        return tables.map(|table| Exemption::Table { table }).collect();
    }
    let (table, _, key, _) = VERSION_ROW;
    vec![Exemption::Row { table: table.to_owned(), key: key.to_owned() }]
}
