//! Why a job was not done.

use std::io;
use std::path::PathBuf;

use ledger_format::hash::{CommitHash, EventId};

use crate::contract::{ContractError, PathError};
use crate::diagnostic::{self, Code};
use crate::effects::NoRandomness;
use crate::ledger::{AppendError, FoldError, LedgerError};
use crate::log;
use crate::objects::ObjectsError;
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
    /// More than one version matches.
    #[error("more than one version matches the store: {}", matches.join(", "))]
    Ambiguous {
        /// The versions.
        matches: Vec<String>,
    },
    /// Manifest, database and ledger state different versions.
    #[error("{first} states store version {first_version}, {second} states {second_version}")]
    Disagree {
        /// One witness.
        first: &'static str,
        /// What it states.
        first_version: String,
        /// The other.
        second: &'static str,
        /// What it states.
        second_version: String,
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
    #[error("{0}")]
    PlanFile(String),
    /// The plan loses values and nobody typed its id.
    #[error("the plan loses {lost} values and its loss was not accepted")]
    Unconfirmed {
        /// The plan's id.
        plan: CommitHash,
        /// Number of values lost.
        lost: u64,
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
    #[error("the plan loses {lost} values and its policy refuses loss")]
    LossRefused {
        /// Number of values lost.
        lost: u64,
    },
    /// More is lost than the contract declares.
    #[error("edge {edge} loses {what}, which its contract does not declare")]
    Undeclared {
        /// The edge.
        edge: String,
        /// What is lost.
        what: String,
    },
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
    /// A document is not what the ledger has.
    #[error("{object} was changed since it was recorded")]
    DocumentChanged {
        /// The document.
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
        match self {
            Self::Ledger(error) => ledger_code(error),
            Self::Append(error) => append_code(error),
            Self::Fold(error) => fold_code(error),
            Self::Objects(error) => objects_code(error),
            Self::Database(error) => database_code(error),
            Self::Image(error) => image_code(error),
            Self::Content(ContentError::Database(error)) => database_code(error),
            Self::Content(_) => &diagnostic::STORE_INVALID,
            Self::Step(error) => step_code(error),
            Self::Publish(error) => publish_code(error),
            Self::Manifest { .. } => &diagnostic::MANIFEST_INVALID,
            Self::Audit(AuditError::Io { .. } | AuditError::TooLong { .. })
            | Self::Io { .. }
            | Self::Random(_) => &diagnostic::IO,
            Self::Audit(AuditError::Unfinished { .. }) => &diagnostic::BUSY,
            Self::Audit(AuditError::Changed { .. } | AuditError::Shorter { .. }) => {
                &diagnostic::AUDIT_CHANGED
            }
            Self::Contract(ContractError::Io { .. }) => &diagnostic::IO,
            Self::Contract(_) => &diagnostic::CONTRACT_INVALID,
            Self::Path(_) => &diagnostic::MIGRATION_PATH_MISSING,
            Self::Create(CreateError::Exists { .. }) | Self::AlreadyAdopted { .. } => {
                &diagnostic::ALREADY_HERE
            }
            Self::Create(_) => &diagnostic::IO,
            Self::NoStore { .. } | Self::NotAdopted { .. } => &diagnostic::NOTHING_HERE,
            Self::Version { .. } => &diagnostic::MIGRATION_VERSION_UNKNOWN,
            Self::Ambiguous { .. } => &diagnostic::MIGRATION_VERSION_AMBIGUOUS,
            Self::Disagree { .. } => &diagnostic::STORE_DISAGREES,
            Self::Pending { .. } => &diagnostic::RUN_PENDING,
            Self::NoRun => &diagnostic::NO_RUN,
            Self::Stale { .. } => &diagnostic::PLAN_STALE,
            Self::PlanFile(_) => &diagnostic::USAGE,
            Self::Unconfirmed { .. } | Self::WrongConsent { .. } => {
                &diagnostic::CONFIRMATION_REQUIRED
            }
            Self::LossRefused { .. } | Self::Undeclared { .. } => &diagnostic::LOSS_UNDECLARED,
            Self::ContractEdited { .. } => &diagnostic::CONTRACT_EDITED,
            Self::SchemaDrift { .. } => &diagnostic::SCHEMA_DRIFT,
            Self::DocumentChanged { .. } => &diagnostic::DOCUMENT_CHANGED,
            Self::Conflict { .. } => &diagnostic::PUBLISH_CONFLICT,
            Self::Diverged { .. } => &diagnostic::REPLAY_DIVERGENCE,
            Self::Outcome { .. } => &diagnostic::OUTCOME_INVALID,
            Self::BeforeAdoption => &diagnostic::CURSOR_UNKNOWN,
        }
    }
}

fn ledger_code(error: &LedgerError) -> &'static Code {
    match error {
        LedgerError::Log(error) => log_code(error),
        LedgerError::Fold(error) => fold_code(error),
        LedgerError::Rewritten { .. } => &diagnostic::LEDGER_DAMAGED,
        LedgerError::Signature { .. } => &diagnostic::SIGNATURE_BAD,
        LedgerError::Regressed { .. } => &diagnostic::LEDGER_REGRESSED,
        LedgerError::Diverged { .. } => &diagnostic::LEDGER_DIVERGED,
        LedgerError::Foreign { .. } => &diagnostic::LEDGER_FOREIGN,
        LedgerError::Pin(_) => &diagnostic::PIN_INVALID,
        LedgerError::Settle(_) => &diagnostic::IO,
    }
}

fn log_code(error: &log::sled::OpenError) -> &'static Code {
    use log::sled::OpenError;
    match error {
        OpenError::Missing { .. } => &diagnostic::LEDGER_MISSING,
        OpenError::Foreign { .. } => &diagnostic::LEDGER_FOREIGN,
        OpenError::Forked { .. } => &diagnostic::LEDGER_DIVERGED,
        OpenError::Regressed { .. } => &diagnostic::LEDGER_REGRESSED,
        OpenError::Damaged { .. } => &diagnostic::LEDGER_DAMAGED,
        OpenError::Busy { .. } => &diagnostic::BUSY,
        OpenError::Exists { .. } => &diagnostic::ALREADY_HERE,
        OpenError::Impossible(_) => &diagnostic::INTERNAL,
        OpenError::NoSpace { .. } | OpenError::Io { .. } => &diagnostic::IO,
    }
}

const fn append_code(error: &AppendError) -> &'static Code {
    match error {
        AppendError::Unauthorised { .. } => &diagnostic::KEY_UNKNOWN,
        AppendError::Illegal { .. } | AppendError::Encoding { .. } => &diagnostic::INTERNAL,
        AppendError::Log(log::AppendError::HeadMoved { .. }) => &diagnostic::BUSY,
        AppendError::Log(log::AppendError::Impossible(_)) => &diagnostic::INTERNAL,
        AppendError::Log(_) => &diagnostic::IO,
        AppendError::Pin(_) => &diagnostic::PIN_INVALID,
    }
}

const fn fold_code(error: &FoldError) -> &'static Code {
    match error {
        FoldError::Read(log::ReadError::Io { .. }) => &diagnostic::IO,
        FoldError::Read(_) | FoldError::Event { .. } | FoldError::Short { .. } => {
            &diagnostic::LEDGER_DAMAGED
        }
        FoldError::Illegal { .. } => &diagnostic::EVENT_ILLEGAL,
    }
}

const fn objects_code(error: &ObjectsError) -> &'static Code {
    match error {
        ObjectsError::Missing { .. } => &diagnostic::OBJECT_MISSING,
        ObjectsError::Corrupt { .. } => &diagnostic::OBJECT_DAMAGED,
        ObjectsError::TooLarge { .. } => &diagnostic::STORE_INVALID,
        ObjectsError::Io { .. } => &diagnostic::IO,
    }
}

const fn database_code(error: &DatabaseError) -> &'static Code {
    match error {
        DatabaseError::Busy { .. } => &diagnostic::BUSY,
        DatabaseError::Io { .. } => &diagnostic::IO,
        _ => &diagnostic::STORE_INVALID,
    }
}

const fn image_code(error: &ImageError) -> &'static Code {
    match error {
        ImageError::Database(error) => database_code(error),
        ImageError::Objects(error) => objects_code(error),
        ImageError::Malformed { .. } => &diagnostic::OBJECT_DAMAGED,
        _ => &diagnostic::STORE_INVALID,
    }
}

const fn step_code(error: &StepError) -> &'static Code {
    match error {
        StepError::Database(error) => database_code(error),
        StepError::Image(error) => image_code(error),
        StepError::Integrity { .. } => &diagnostic::OUTCOME_INVALID,
        _ => &diagnostic::STEP_FAILED,
    }
}

const fn publish_code(error: &PublishError) -> &'static Code {
    match error {
        PublishError::Database(error) => database_code(error),
        PublishError::Image(error) => image_code(error),
        PublishError::NeedsExclusive { .. } => &diagnostic::NEEDS_EXCLUSIVE,
    }
}
