//! Why a job was not done.

use std::io;
use std::path::PathBuf;

use ledger_format::hash::{CommitHash, EventId};

use super::amounts::Amounts;
use super::applied::first_failure;
use super::documents::Refusal;
use super::plan::PlanFileError;
use super::proof::ProveError;
use crate::contract::{ContractError, PathError};
use crate::diagnostic::{
    ALREADY_HERE, APPROVAL_MISSING, BASELINE_DIFFERS, BASELINE_UNKNOWN, CONFIRMATION_REQUIRED,
    CONTRACT_EDITED, CONTRACT_INVALID, CURSOR_UNKNOWN, Code, DOCUMENT_CHANGED, ENVIRONMENT_DIFFERS,
    Failure, IMAGE_PRUNED, INTERRUPTED, IO, LOSS_UNDECLARED, MANIFEST_INVALID, MIGRATION_EDITED,
    MIGRATION_VERSION_AMBIGUOUS, MIGRATION_VERSION_UNKNOWN, NO_RUN, NOTHING_HERE, NOTHING_TO_DO,
    OUTCOME_INVALID, PLAN_EDITED, PLAN_STALE, PUBLISH_CONFLICT, REPLAY_DIVERGENCE, RUN_PENDING,
    SCHEMA_DRIFT, STORE_DISAGREES, STORE_INVALID, USAGE,
};
use crate::effects::NoRandomness;
use crate::failure::{AUTHORIZE_APPROVER, at_path, plainly};
use crate::ledger::other_keys;
use crate::ledger::{AppendError, FoldError, LedgerError};
use crate::link::LinkError;
use crate::objects::ObjectsError;
use crate::sql_folder::{BooksError, Finding, FolderError};
use crate::target::documents::TreeError;
use crate::target::glyph_store::{AuditError, CreateError, ManifestError};
use crate::target::sqlite::{ContentError, DatabaseError, ImageError, PublishError, StepError};

/// Why a job was not done. Unless it says otherwise the store is as it was.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The ledger could not be opened or created.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Events could not be appended.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// Events could not be folded.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// Stored content.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The live database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// An image of a database.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The hash of a database's content.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// A step.
    #[error(transparent)]
    Step(#[from] StepError),
    /// Writing to the live database.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The manifest.
    #[error("{}: {error}", path.display())]
    Manifest {
        /// The manifest's file.
        path: PathBuf,
        /// What is wrong with it.
        error: ManifestError,
    },
    /// The audit file.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The contract.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// No way to the version asked for.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A new store could not be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A tree of documents.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Documents that name each other by hash.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The migration of a document could not be looked at.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// A document that was there is gone.
    #[error("{object} is gone")]
    Gone {
        /// The document.
        object: String,
    },
    /// Documents that cannot be migrated.
    #[error("{}", refused_in_words(*total, named))]
    Refused {
        /// Number of documents.
        total: u64,
        /// The first of them, each with its first reason.
        named: Vec<(String, Refusal)>,
    },
    /// Documents that somebody changed since they were recorded.
    #[error("{named}")]
    DocumentsChanged {
        /// Which.
        named: String,
    },
    /// Places of a committed run that hold neither what it read nor what it made.
    #[error("{named} (run {})", run.short())]
    DocumentsConflict {
        /// Which, in words.
        named: String,
        /// The run.
        run: EventId,
    },
    /// A run was given up, and not all that it left was recorded before that was cut short.
    #[error("giving up run {} was cut short", run.short())]
    HalfAbandoned {
        /// The run.
        run: EventId,
    },
    /// Documents that another ledger has in its care too.
    #[error("{named}; the other has those at {}", other.display())]
    Shared {
        /// Which.
        named: String,
        /// Where the documents of the other ledger lie.
        other: PathBuf,
    },
    /// A value for steps that no contract asks for.
    #[error("no contract has a parameter {name:?}")]
    UnknownParameter {
        /// Its name.
        name: String,
    },
    /// External programs would run, and nobody allowed it.
    #[error("the plan runs external programs, and --allow-programs was not given")]
    ProgramsNotAllowed,
    /// The run was to have the environment of another, and has not.
    #[error("this is not the environment that {by} recorded: {}", differences.join("; "))]
    OtherEnvironment {
        /// Who recorded it.
        by: String,
        /// What differs.
        differences: Vec<String>,
    },
    /// The run was to have the environment of another, and none is known.
    #[error("there is no environment to be locked to: {reason}")]
    NoEnvironment {
        /// Why.
        reason: String,
    },
    /// Somebody asked the run to stop.
    #[error("stopped as asked; the run stays open")]
    Interrupted,
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// A file or folder.
    #[error("{}: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Too little space to begin.
    #[error(
        "{} has {available} bytes free; the work copy alone needs {needed}, and what is new is kept beside it",
        path.display()
    )]
    NoSpace {
        /// Where the work copy was to lie.
        path: PathBuf,
        /// Bytes needed at least.
        needed: u64,
        /// Bytes there are.
        available: u64,
    },
    /// There is no store.
    #[error("there is no .glyph store at {}: no manifest.yaml", root.display())]
    NoStore {
        /// Where it was looked for.
        root: PathBuf,
    },
    /// The manifest states a version, or a minimum reader, that is not supported.
    #[error("{}: store version {stated} is not supported; readable are {readable}", path.display())]
    Version {
        /// The manifest.
        path: PathBuf,
        /// What it states.
        stated: String,
        /// What this program reads, in words.
        readable: String,
    },
    /// A database does not have the structure of the version that it is said to have.
    #[error("the database does not have the structure of version {version}: {differences}")]
    BaselineDiffers {
        /// That version.
        version: String,
        /// What is otherwise, or why that cannot be told.
        differences: String,
    },
    /// More than one version matches.
    #[error("more than one version matches the store: {}", matches.join(", "))]
    Ambiguous {
        /// The versions.
        matches: Vec<String>,
    },
    /// Manifest, database and ledger state different versions.
    #[error(
        "{first} states version {first_version}, {second} states {second_version}; readable are {readable}"
    )]
    Disagree {
        /// One witness.
        first: &'static str,
        /// What it states.
        first_version: String,
        /// The other.
        second: &'static str,
        /// What it states.
        second_version: String,
        /// What this program reads, in words.
        readable: String,
    },
    /// The ledger has no store yet.
    #[error("the ledger at {} has not taken a store into its care yet", ledger.display())]
    NotAdopted {
        /// The ledger.
        ledger: PathBuf,
    },
    /// The ledger has its store already.
    #[error("the store at {} is in the care of ledger {ledger} already", root.display())]
    AlreadyAdopted {
        /// The store.
        root: PathBuf,
        /// The ledger's id.
        ledger: String,
    },
    /// The ledger is there already, and began with another key to recover with, or goes on from another.
    #[error(
        "the ledger in {} is there already, and began otherwise: what it begins with is said when it is made",
        dir.display()
    )]
    BegunOtherwise {
        /// Its folder.
        dir: PathBuf,
    },
    /// A run is under way.
    #[error("run {} is {phase}", run.short())]
    Pending {
        /// The run.
        run: EventId,
        /// How far it is, in words.
        phase: &'static str,
    },
    /// No run is under way.
    #[error("no run is pending")]
    NoRun,
    /// The store is not what the plan was made for.
    #[error("the plan no longer fits: {reason}")]
    Stale {
        /// What changed.
        reason: String,
    },
    /// A file does not hold a plan, or one that was edited.
    #[error(transparent)]
    PlanFile(#[from] PlanFileError),
    /// The plan loses values and nobody typed its id.
    #[error("the plan loses {lost}, and its loss was not accepted")]
    Unconfirmed {
        /// The plan's id.
        plan: CommitHash,
        /// What it loses.
        lost: Amounts,
    },
    /// A plan id was typed, but not this plan's.
    #[error("loss was accepted for plan {typed}, this is plan {plan}")]
    WrongConsent {
        /// The plan's id.
        plan: CommitHash,
        /// What was typed.
        typed: String,
    },
    /// The policy forbids loss.
    #[error("the plan loses {lost}, and its policy refuses loss")]
    LossRefused {
        /// What it loses.
        lost: Amounts,
    },
    /// More is lost than the contract declares.
    #[error("edge {edge} loses {what}, which its contract does not declare")]
    Undeclared {
        /// The edge.
        edge: String,
        /// What is lost.
        what: String,
    },
    /// Migrations that a database went through are not what they were.
    #[error("{}", first_failure(findings).map(|failure| failure.message).unwrap_or_default())]
    AppliedChanged {
        /// What is wrong with which; none of it harmless.
        findings: Vec<Finding>,
    },
    /// A folder of migrations.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The table of a migration tool.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// Which version a database has cannot be told.
    #[error("{}", baseline_in_words(candidates, stopped.as_deref()))]
    Baseline {
        /// Versions whose structure it has, of those that could be looked at.
        candidates: Vec<String>,
        /// Why the versions from some script on could not: it does not run on an empty database.
        stopped: Option<Box<StepError>>,
    },
    /// The store was adopted under another contract.
    #[error("the store was adopted under contract {adopted}, not {offered}")]
    OtherContract {
        /// The contract's name when it was adopted.
        adopted: String,
        /// The name of the one offered now.
        offered: String,
    },
    /// A plan that leads from a version to itself.
    #[error("there is nothing to do: {at}")]
    NothingToDo {
        /// How all is already, in words.
        at: String,
    },
    /// At that cursor a run had been given up and what it left was not recorded yet.
    #[error(
        "at that cursor run outputs had been given up and not looked at yet; choose a later one"
    )]
    Unsettled,
    /// A frozen contract was edited.
    #[error("contract {name} {version} was used as {frozen} and is now {actual}")]
    ContractEdited {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
        /// Digest when it was frozen.
        frozen: CommitHash,
        /// Digest now.
        actual: CommitHash,
    },
    /// The database's schema is not what the ledger has.
    #[error("the schema of {object} is {actual}, recorded is {recorded}")]
    SchemaDrift {
        /// The database.
        object: String,
        /// Recorded schema digest.
        recorded: CommitHash,
        /// Schema digest found.
        actual: CommitHash,
    },
    /// What drifted would be accepted, and nobody named it.
    #[error("how {object} differs now has the id {}, and that was not typed", id.short())]
    DriftUnconfirmed {
        /// The database.
        object: String,
        /// What has to be typed.
        id: CommitHash,
    },
    /// What drifted is not what was named.
    #[error(
        "{object} is not as it was looked at: it changed since {typed} was told, or that is the id of something else"
    )]
    DriftMoved {
        /// The database.
        object: String,
        /// What was typed.
        typed: String,
    },
    /// Going back would take a structure away that was accepted.
    #[error(
        "the structure of {object} that was accepted at event {seq} goes away with that: it stays kept and can be brought back"
    )]
    AcceptedGoes {
        /// The database.
        object: String,
        /// Where it was accepted.
        seq: u64,
    },
    /// The images of a database that a cursor needs were given up.
    #[error(
        "{object} as it was at event {seq} was pruned; every state from event {keep} on is kept"
    )]
    Pruned {
        /// The database.
        object: String,
        /// The cursor.
        seq: u64,
        /// The oldest event that can be gone back to.
        keep: u64,
    },
    /// A document is not what the ledger has.
    #[error("{object} was changed since it was recorded")]
    DocumentChanged {
        /// The document.
        object: String,
    },
    /// Fewer others agreed to the plan than the ledger asks for.
    #[error("plan {} needs the agreement of {} and has that of {given}{}", plan.short(), other_keys(*required), too_few(*required, *possible))]
    Unapproved {
        /// The plan.
        plan: CommitHash,
        /// How many must agree.
        required: u64,
        /// How many did, beside the key that was to carry it out.
        given: u64,
        /// How many may, beside that key.
        possible: u64,
    },
    /// Going back would take rows out that no run wrote.
    #[error(
        "{object} holds what was written to it since: going back takes that out; it is recorded first and can be brought back"
    )]
    RowsWritten {
        /// The database.
        object: String,
    },
    /// A place to publish to holds neither source nor target.
    #[error("{place} holds neither what run {} read nor what it made", run.short())]
    Conflict {
        /// The place.
        place: String,
        /// The run.
        run: EventId,
    },
    /// A step gave another result than the one recorded.
    #[error("step {step} of {object} gave {actual}, recorded is {recorded}")]
    Diverged {
        /// The object.
        object: String,
        /// The step.
        step: u64,
        /// Result recorded.
        recorded: String,
        /// Result now.
        actual: String,
    },
    /// The migrated store does not pass a check.
    #[error("the migrated store fails a check: {check}")]
    Outcome {
        /// The check.
        check: String,
    },
    /// The cursor lies before the store was adopted.
    #[error("at that cursor the ledger had no store yet")]
    BeforeAdoption,
}

impl MigrateError {
    /// The registered code of this error.
    pub fn code(&self) -> &'static Code {
        Failure::from(self).code
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        Self::from(&error)
    }
}

impl From<&MigrateError> for Failure {
    fn from(error: &MigrateError) -> Self {
        told(error)
    }
}

/// Fewer agreed than must; where so many cannot, agreeing leads nowhere.
fn unapproved(error: &MigrateError) -> Failure {
    let failure = plainly(&APPROVAL_MISSING, error);
    match error {
        MigrateError::Unapproved { required, possible, .. } if possible < required => {
            let possible = possible.to_string();
            failure.next(AUTHORIZE_APPROVER).next(["key", "approvals", &possible])
        }
        MigrateError::Unapproved { plan, .. } => {
            let plan = plan.to_string();
            failure.next(["migration", "approve", &plan, "--key", "KEY_OF_ANOTHER"])
        }
        _ => failure,
    }
}

fn too_few(required: u64, possible: u64) -> String {
    if possible < required {
        format!("; only {possible} others may approve, so that it never can")
    } else {
        String::new()
    }
}

fn told(error: &MigrateError) -> Failure {
    match error {
        MigrateError::Ledger(error) => error.into(),
        MigrateError::Append(error) => error.into(),
        MigrateError::Fold(error) => error.into(),
        MigrateError::Objects(error) => error.into(),
        MigrateError::Database(error) => error.into(),
        MigrateError::Image(error) => error.into(),
        MigrateError::Content(error) => error.into(),
        MigrateError::Step(error) => error.into(),
        MigrateError::Publish(error) => error.into(),
        MigrateError::Audit(error) => error.into(),
        MigrateError::Contract(error) => error.into(),
        MigrateError::Path(error) => error.into(),
        MigrateError::Create(error) => error.into(),
        MigrateError::Random(error) => error.into(),
        MigrateError::Tree(tree) => of_tree(tree, error),
        MigrateError::Link(link) => plainly(link.code(), error),
        MigrateError::Prove(error) => error.into(),
        MigrateError::Gone { object } | MigrateError::DocumentChanged { object } => {
            plainly(&DOCUMENT_CHANGED, error).at(object).next(["status"])
        }
        MigrateError::Unapproved { .. } => unapproved(error),
        MigrateError::RowsWritten { object }
        | MigrateError::AcceptedGoes { object, .. }
        | MigrateError::SchemaDrift { object, .. }
        | MigrateError::Pruned { object, .. }
        | MigrateError::DriftMoved { object, .. }
        | MigrateError::DriftUnconfirmed { object, .. } => of_database(object, error),
        MigrateError::Refused { total, named } => of_refused(*total, named, error),
        MigrateError::DocumentsChanged { .. } => plainly(&DOCUMENT_CHANGED, error)
            .next(["status"])
            .next(["undo", "--keep-changes"])
            .next(["undo", "--discard-changes"]),
        MigrateError::DocumentsConflict { .. } => plainly(&PUBLISH_CONFLICT, error)
            .not_done("what stands there was not touched; the run stays committed and unpublished")
            .next(["migration", "resume", "--keep-changes"])
            .next(["migration", "resume", "--abandon", "REASON"]),
        MigrateError::HalfAbandoned { .. } => {
            plainly(&RUN_PENDING, error).next(["migration", "resume", "--abandon", "REASON"])
        }
        MigrateError::Shared { other, .. } => at_path(&ALREADY_HERE, error, other)
            .not_done("nothing was written; narrow the `files` of one ledger's contracts, or have it leave them out"),
        MigrateError::UnknownParameter { .. } => plainly(&USAGE, error).at("--set"),
        MigrateError::ProgramsNotAllowed => plainly(&USAGE, error),
        MigrateError::OtherEnvironment { .. } | MigrateError::NoEnvironment { .. } => {
            plainly(&ENVIRONMENT_DIFFERS, error).not_done("nothing was written").next([
                "plan",
                "-o",
                "plan.json",
            ])
        }
        MigrateError::Interrupted => plainly(&INTERRUPTED, error).next(["migration", "resume"]),
        MigrateError::PlanFile(file) => of_plan_file(file, error),
        MigrateError::Ambiguous { .. } => plainly(&MIGRATION_VERSION_AMBIGUOUS, error),
        MigrateError::Manifest { path, .. } => at_path(&MANIFEST_INVALID, error, path),
        MigrateError::Io { path, .. } | MigrateError::NoSpace { path, .. } => {
            at_path(&IO, error, path)
        }
        MigrateError::Version { path, .. } => at_path(&MIGRATION_VERSION_UNKNOWN, error, path),
        MigrateError::NoStore { root: path } | MigrateError::NotAdopted { ledger: path } => {
            at_path(&NOTHING_HERE, error, path).next(["init"])
        }
        MigrateError::AlreadyAdopted { root, .. } => {
            at_path(&ALREADY_HERE, error, root).next(["status"])
        }
        MigrateError::BegunOtherwise { dir } => at_path(&ALREADY_HERE, error, dir).next(["status"]),
        MigrateError::Pending { .. } => plainly(&RUN_PENDING, error).next(["migration", "resume"]),
        MigrateError::NoRun => plainly(&NO_RUN, error).next(["status"]),
        MigrateError::Disagree { .. } => plainly(&STORE_DISAGREES, error).next(["status"]),
        MigrateError::Stale { .. } => plainly(&PLAN_STALE, error).next(["plan", "-o", "plan.json"]),
        MigrateError::Unconfirmed { .. } | MigrateError::WrongConsent { .. } => {
            plainly(&CONFIRMATION_REQUIRED, error)
        }
        MigrateError::LossRefused { .. } => {
            plainly(&LOSS_UNDECLARED, error).next(["plan", "-o", "plan.json"])
        }
        MigrateError::Undeclared { edge, .. } => {
            plainly(&LOSS_UNDECLARED, error).at(format!("edge {edge}"))
        }
        MigrateError::AppliedChanged { findings } => applied_changed(findings, error),
        MigrateError::Folder(error) => error.into(),
        MigrateError::Books(error) => error.into(),
        MigrateError::BaselineDiffers { .. } => plainly(&BASELINE_DIFFERS, error).at("--baseline"),
        MigrateError::Baseline { .. } => plainly(&BASELINE_UNKNOWN, error).at("--baseline"),
        MigrateError::OtherContract { .. } => plainly(&CONTRACT_INVALID, error),
        MigrateError::NothingToDo { .. } => plainly(&NOTHING_TO_DO, error).next(["status"]),
        MigrateError::Unsettled => plainly(&CURSOR_UNKNOWN, error).next(["log"]),
        MigrateError::ContractEdited { name, frozen, .. } => {
            let frozen = format!("frozen:{frozen}");
            plainly(&CONTRACT_EDITED, error).at(name).next(["contract", "diff", &frozen, name])
        }
        MigrateError::Outcome { .. } => plainly(&OUTCOME_INVALID, error).next(["check"]),
        MigrateError::Diverged { object, .. } => plainly(&REPLAY_DIVERGENCE, error).at(object),
        MigrateError::Conflict { place, .. } => plainly(&PUBLISH_CONFLICT, error)
            .at(place)
            .not_done("the place was not touched; the run stays committed and unpublished")
            .next(["migration", "resume"])
            .next(["migration", "resume", "--abandon", "written to before it was published"]),
        MigrateError::BeforeAdoption => plainly(&CURSOR_UNKNOWN, error).next(["log"]),
    }
}

/// What stands in the way between a database and the ledger.
fn of_database(object: &str, error: &MigrateError) -> Failure {
    match error {
        MigrateError::SchemaDrift { .. } => {
            plainly(&SCHEMA_DRIFT, error).at(object).next(ACCEPT_DRIFT)
        }
        MigrateError::DriftUnconfirmed { .. } => {
            plainly(&CONFIRMATION_REQUIRED, error).at(object).next(ACCEPT_DRIFT)
        }
        MigrateError::DriftMoved { .. } => plainly(&PLAN_STALE, error)
            .at(object)
            .not_done("nothing was accepted")
            .next(ACCEPT_DRIFT),
        MigrateError::AcceptedGoes { seq, .. } => plainly(&DOCUMENT_CHANGED, error)
            .at(object)
            .not_done("nothing was written")
            .next(["diff", &seq.saturating_sub(1).to_string(), &seq.to_string()])
            .next(["undo", "--discard-changes"]),
        MigrateError::Pruned { .. } => {
            plainly(&IMAGE_PRUNED, error).at(object).next(["image", "list"])
        }
        _ => plainly(&DOCUMENT_CHANGED, error)
            .at(object)
            .not_done("nothing was written")
            .next(["status", "--deep"])
            .next(["undo", "--discard-changes"]),
    }
}

/// How a structure that no run made is looked at, and accepted then.
pub const ACCEPT_DRIFT: [&str; 4] = ["migration", "accept-drift", "--reason", "TEXT"];

/// Migrations that were applied and are not what they were.
fn applied_changed(findings: &[Finding], error: &MigrateError) -> Failure {
    first_failure(findings).unwrap_or_else(|| plainly(&MIGRATION_EDITED, error)).next(["status"])
}

fn baseline_in_words(candidates: &[String], stopped: Option<&StepError>) -> String {
    let found = match candidates {
        [] => "none".to_owned(),
        several => several.join(", "),
    };
    let told =
        format!("nothing tells which version the database has: its structure is that of {found}");
    match stopped {
        None => told,
        Some(stopped) => {
            format!("{told}, as far as its migrations run on an empty database: {stopped}")
        }
    }
}

/// What is wrong with a plan's file.
fn of_plan_file(file: &PlanFileError, error: &MigrateError) -> Failure {
    match file {
        PlanFileError::Io { path, .. } => plainly(&IO, error).at(path.clone()),
        PlanFileError::Form(_) => plainly(&USAGE, error),
        PlanFileError::Edited { .. } | PlanFileError::Retold { .. } => {
            plainly(&PLAN_EDITED, error).next(["plan", "-o", "plan.json"])
        }
    }
}

/// Documents that are not migrated.
fn of_refused(total: u64, named: &[(String, Refusal)], error: &MigrateError) -> Failure {
    let Some((id, refusal)) = named.first() else { return plainly(&OUTCOME_INVALID, error) };
    let mut failure = plainly(refusal.code, error).at(id).next(["check", id]);
    if total > LEAVE_OUT_MAX as u64 || total > named.len() as u64 {
        return failure.next(["check"]).next(["plan", "--leave-out", "GLOB"]);
    }
    let left_out = named.iter().flat_map(|(id, _)| ["--leave-out".to_owned(), id.clone()]);
    failure.next.push(["plan".to_owned()].into_iter().chain(left_out).collect());
    failure
}

/// Most documents that are named when all that are refused are to be left out.
pub const LEAVE_OUT_MAX: usize = 5;

/// Why a tree cannot be looked through.
fn of_tree(tree: &TreeError, error: &MigrateError) -> Failure {
    match tree {
        TreeError::Io { path, .. } => at_path(&IO, error, path),
        TreeError::Link { path } | TreeError::Special { path } | TreeError::Large { path, .. } => {
            let named = path.display().to_string();
            at_path(&STORE_INVALID, error, path).next(["plan", "--leave-out", &named])
        }
        TreeError::Name { path } | TreeError::TooMany { root: path } => {
            at_path(&STORE_INVALID, error, path).next(["plan", "--leave-out", "GLOB"])
        }
        TreeError::Long { id } => plainly(&STORE_INVALID, error)
            .at(id)
            .not_done("nothing was changed: give its folders shorter names, or leave it out")
            .next(["plan", "--leave-out", id]),
        TreeError::NothingLeftOut { .. } => plainly(&USAGE, error).at("--leave-out"),
        TreeError::Ambiguous { id, .. } => plainly(&CONTRACT_INVALID, error).at(id),
        TreeError::NoFiles { .. } | TreeError::Pattern { .. } => plainly(&CONTRACT_INVALID, error),
    }
}

fn refused_in_words(total: u64, named: &[(String, Refusal)]) -> String {
    let each = named.iter().map(|(id, refusal)| format!("{id}: {}", refusal.message));
    let shown = each.collect::<Vec<_>>().join("; ");
    match total.saturating_sub(named.len() as u64) {
        0 => shown,
        more => format!("{shown}; and {more} more documents"),
    }
}
