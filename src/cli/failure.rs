//! From what the library's layers call their errors to what people are told: one code, one place, what
//! was not done, what to do next. Every variant is named, so that a new one is given its code by
//! somebody.

use std::io;
use std::path::Path;

use crate::contract::{ContractError, DetectError, PathError};
use crate::diagnostic::{
    ALREADY_HERE, AUDIT_CHANGED, BUSY, CONTRACT_INVALID, CURSOR_UNKNOWN, Code, EVENT_ILLEGAL,
    Failure, INTERNAL, IO, KEY_EXPOSED, KEY_INVALID, KEY_MISSING, KEY_UNKNOWN, LEDGER_DAMAGED,
    LEDGER_DIVERGED, LEDGER_FOREIGN, LEDGER_MISSING, LEDGER_REGRESSED, LOG_FULL, MANIFEST_INVALID,
    MIGRATION_PATH_MISSING, MIGRATION_VERSION_AMBIGUOUS, MIGRATION_VERSION_UNKNOWN,
    NEEDS_EXCLUSIVE, NOTHING_HERE, OBJECT_DAMAGED, OBJECT_MISSING, OUTCOME_INVALID, PIN_INVALID,
    SIGNATURE_BAD, STEP_FAILED, STORE_DISAGREES, STORE_INVALID,
};
use crate::ledger::{AppendError, CursorError, FoldError, LedgerError, PinError};
use crate::log::sled::OpenError;
use crate::log::{self, BatchError, ReadError};
use crate::migrate::MigrateError;
use crate::objects::ObjectsError;
use crate::target::glyph_store::{AuditError, CreateError, ManifestError};
use crate::target::sqlite::{
    ContentError, DatabaseError, ImageError, PublishError, StepError, UnknownPage,
};
use crate::trust::{KeyError, NoHome};

/// Whether events were appended is not known.
const IN_DOUBT: &str = "whether the events were appended shows on opening the ledger again";

/// A failure of the file system at `path`.
pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let place = path.display().to_string();
    move |error| Failure::new(&IO, format!("{place}: {error}")).at(place)
}

fn at_path(code: &'static Code, error: &impl ToString, path: &Path) -> Failure {
    Failure::new(code, error.to_string()).at(path.display().to_string())
}

fn at_event(code: &'static Code, error: &impl ToString, seq: u64) -> Failure {
    Failure::new(code, error.to_string()).at(format!("event {seq}"))
}

fn plainly(code: &'static Code, error: &impl ToString) -> Failure {
    Failure::new(code, error.to_string())
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match &error {
            OpenError::Missing { path, .. } => {
                at_path(&LEDGER_MISSING, &error, path).next(["verify-chain"])
            }
            OpenError::Foreign { dir, .. } => at_path(&LEDGER_FOREIGN, &error, dir),
            OpenError::Forked { dir, .. } => {
                at_path(&LEDGER_DIVERGED, &error, dir).next(["verify-chain"])
            }
            OpenError::Regressed { dir, .. } => {
                at_path(&LEDGER_REGRESSED, &error, dir).next(["verify-chain"])
            }
            OpenError::Damaged { path, .. } => {
                at_path(&LEDGER_DAMAGED, &error, path).next(["verify-chain"])
            }
            OpenError::Busy { dir, .. } => at_path(&BUSY, &error, dir),
            OpenError::Exists { path } => at_path(&ALREADY_HERE, &error, path).next(["status"]),
            OpenError::Impossible(_) => plainly(&INTERNAL, &error),
            OpenError::NoSpace { path, .. } | OpenError::Io { path, .. } => {
                at_path(&IO, &error, path)
            }
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Damaged { seq, .. } => {
                at_event(&LEDGER_DAMAGED, &error, *seq).next(["verify-chain"])
            }
            ReadError::Io { path, .. } => at_path(&IO, &error, path),
        }
    }
}

impl From<FoldError> for Failure {
    fn from(error: FoldError) -> Self {
        match error {
            FoldError::Read(error) => error.into(),
            FoldError::Event { seq, .. } => {
                at_event(&LEDGER_DAMAGED, &error, seq).next(["verify-chain"])
            }
            FoldError::Illegal { seq, .. } => {
                at_event(&EVENT_ILLEGAL, &error, seq).next(["verify-chain"])
            }
            FoldError::Short { actual, .. } => {
                at_event(&LEDGER_DAMAGED, &error, actual).next(["verify-chain"])
            }
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let seq_before = |size: u64| size.saturating_sub(1);
        match error {
            LedgerError::Log(error) => error.into(),
            LedgerError::Fold(error) => error.into(),
            LedgerError::Pin(error) => error.into(),
            LedgerError::Settle(error) => error.into(),
            LedgerError::Rewritten { size, .. } => {
                at_event(&LEDGER_DIVERGED, &error, seq_before(size)).next(["verify-chain"])
            }
            LedgerError::Signature { size, .. } => {
                at_event(&SIGNATURE_BAD, &error, seq_before(size)).next(["verify-chain"])
            }
            LedgerError::Regressed { ref actual, .. } => {
                at_event(&LEDGER_REGRESSED, &error, seq_before(actual.size)).next(["verify-chain"])
            }
            LedgerError::Diverged { ref pinned, .. } => {
                at_event(&LEDGER_DIVERGED, &error, seq_before(pinned.head().size))
                    .next(["verify-chain"])
            }
            LedgerError::Foreign { ref place, .. } => plainly(&LEDGER_FOREIGN, &error).at(place),
        }
    }
}

impl From<log::AppendError> for Failure {
    fn from(error: log::AppendError) -> Self {
        match error {
            log::AppendError::HeadMoved { expected, .. } => at_event(&BUSY, &error, expected),
            log::AppendError::Impossible(error) => error.into(),
            log::AppendError::Unsettled { anchored, .. } => at_event(&INTERNAL, &error, anchored),
            log::AppendError::Poisoned { ref path } => at_path(&IO, &error, path),
            log::AppendError::InDoubt { ref path, .. } => {
                at_path(&IO, &error, path).not_done(IN_DOUBT).next(["status"])
            }
        }
    }
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Self {
        let code = match &error {
            BatchError::Count { .. } | BatchError::Length { .. } => &LOG_FULL,
            BatchError::FirstSeq { .. }
            | BatchError::Event { .. }
            | BatchError::Ledger { .. }
            | BatchError::HeadSize { .. }
            | BatchError::Frontier => &INTERNAL,
        };
        plainly(code, &error)
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Unauthorised { .. } => plainly(&KEY_UNKNOWN, &error),
            AppendError::Illegal { seq, .. } => at_event(&EVENT_ILLEGAL, &error, seq),
            AppendError::Encoding { seq, .. } => at_event(&LOG_FULL, &error, seq),
            AppendError::Log(error) => error.into(),
            AppendError::Pin(ref pin) => {
                let message = error.to_string();
                let remembering = Self::from(pin).not_done("the new head was not remembered");
                Self { message, ..remembering }
            }
        }
    }
}

impl From<CursorError> for Failure {
    fn from(error: CursorError) -> Self {
        match error {
            CursorError::Form { .. }
            | CursorError::Unknown { .. }
            | CursorError::Ambiguous { .. } => plainly(&CURSOR_UNKNOWN, &error).next(["log"]),
            CursorError::Fold(error) => error.into(),
        }
    }
}

impl From<PinError> for Failure {
    fn from(error: PinError) -> Self {
        Self::from(&error)
    }
}

impl From<&PinError> for Failure {
    fn from(error: &PinError) -> Self {
        match error {
            PinError::Io { path, .. } => at_path(&IO, error, path),
            PinError::Form { path, .. } => at_path(&PIN_INVALID, error, path),
        }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match &error {
            KeyError::Missing { path } => at_path(&KEY_MISSING, &error, path),
            KeyError::Exposed { path, .. } => at_path(&KEY_EXPOSED, &error, path),
            KeyError::Form { path } => at_path(&KEY_INVALID, &error, path),
            KeyError::Io { path, .. } => at_path(&IO, &error, path),
            KeyError::Random { .. } => plainly(&IO, &error),
        }
    }
}

impl From<NoHome> for Failure {
    fn from(error: NoHome) -> Self {
        plainly(&IO, &error).at("the environment")
    }
}

impl From<ContractError> for Failure {
    fn from(error: ContractError) -> Self {
        match &error {
            ContractError::Io { path, .. } => at_path(&IO, &error, path),
            ContractError::Syntax { name, .. } | ContractError::Rule { name, .. } => {
                plainly(&CONTRACT_INVALID, &error).at(name)
            }
        }
    }
}

impl<E: Into<Failure>> From<DetectError<E>> for Failure {
    fn from(error: DetectError<E>) -> Self {
        match error {
            DetectError::Unknown { stated, known } => {
                plainly(&MIGRATION_VERSION_UNKNOWN, &DetectError::<Self>::Unknown { stated, known })
            }
            DetectError::Shape { stated, candidates } => {
                let error = DetectError::<Self>::Shape { stated, candidates };
                plainly(&STORE_DISAGREES, &error)
            }
            DetectError::Ambiguous { matches } => {
                plainly(&MIGRATION_VERSION_AMBIGUOUS, &DetectError::<Self>::Ambiguous { matches })
            }
            DetectError::Facts(error) => error.into(),
        }
    }
}

impl From<PathError> for Failure {
    fn from(error: PathError) -> Self {
        let code = match &error {
            PathError::UnknownVersion { .. } => &MIGRATION_VERSION_UNKNOWN,
            PathError::Downwards { .. } | PathError::Missing { .. } => &MIGRATION_PATH_MISSING,
        };
        plainly(code, &error)
    }
}

/// The error does not say which manifest: whoever read it adds the place.
impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        match error {
            ManifestError::TooLong { .. }
            | ManifestError::Syntax { .. }
            | ManifestError::NoVersion { .. }
            | ManifestError::MinReader { .. }
            | ManifestError::NotInPlace => plainly(&MANIFEST_INVALID, &error),
        }
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        match &error {
            AuditError::Io { path, .. } => at_path(&IO, &error, path),
            AuditError::Shorter { path, .. } | AuditError::Changed { path, .. } => {
                at_path(&AUDIT_CHANGED, &error, path)
            }
            AuditError::Unfinished { path } => at_path(&BUSY, &error, path),
            AuditError::TooLong { path, .. } => at_path(&LOG_FULL, &error, path),
        }
    }
}

impl From<CreateError> for Failure {
    fn from(error: CreateError) -> Self {
        match &error {
            CreateError::Exists { path } => at_path(&ALREADY_HERE, &error, path),
            CreateError::Io { path, .. } | CreateError::Database { path, .. } => {
                at_path(&IO, &error, path).not_done("the store was not made, or only in part")
            }
        }
    }
}

impl From<ObjectsError> for Failure {
    fn from(error: ObjectsError) -> Self {
        match &error {
            ObjectsError::Missing { name } => {
                plainly(&OBJECT_MISSING, &error).at(format!("object {name}"))
            }
            ObjectsError::Corrupt { name, .. } => {
                plainly(&OBJECT_DAMAGED, &error).at(format!("object {name}"))
            }
            ObjectsError::TooLarge { .. } => plainly(&LOG_FULL, &error),
            ObjectsError::Io { path, .. } => at_path(&IO, &error, path),
        }
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        match &error {
            DatabaseError::Missing { path } => at_path(&NOTHING_HERE, &error, path),
            DatabaseError::NotAFile { path }
            | DatabaseError::Empty { path }
            | DatabaseError::NotADatabase { path }
            | DatabaseError::Corrupt { path, .. } => at_path(&STORE_INVALID, &error, path),
            DatabaseError::Busy { path, .. } => at_path(&BUSY, &error, path),
            DatabaseError::NoPageAccess => plainly(&INTERNAL, &error),
            DatabaseError::Io { path, .. } | DatabaseError::Sqlite { path, .. } => {
                at_path(&IO, &error, path)
            }
        }
    }
}

impl From<ContentError> for Failure {
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::Database(error) => error.into(),
            ContentError::TooManyColumns { ref path, .. } => at_path(&STORE_INVALID, &error, path),
        }
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Database(error) => error.into(),
            ImageError::Objects(error) => error.into(),
            ImageError::Malformed { name, .. } => {
                plainly(&OBJECT_DAMAGED, &error).at(format!("object {name}"))
            }
            ImageError::PageChanged { page, .. } => {
                plainly(&INTERNAL, &error).at(format!("page {page}"))
            }
            ImageError::NoPages { root } => {
                plainly(&OBJECT_DAMAGED, &error).at(format!("image {root}"))
            }
            ImageError::Io { ref path, .. } => at_path(&IO, &error, path),
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Database(error) => error.into(),
            PublishError::Image(error) => error.into(),
            PublishError::NeedsExclusive { .. } => plainly(&NEEDS_EXCLUSIVE, &error),
        }
    }
}

impl From<UnknownPage> for Failure {
    fn from(error: UnknownPage) -> Self {
        plainly(&INTERNAL, &error).at(format!("page {}", error.page))
    }
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Statement { ref script, line, .. }
            | StepError::Refused { ref script, line, .. } => {
                plainly(&STEP_FAILED, &error).at(format!("{script}:{line}"))
            }
            StepError::TransactionLeftOpen { ref script } => {
                plainly(&STEP_FAILED, &error).at(script)
            }
            StepError::ForeignKey { ref script, .. } => {
                plainly(&OUTCOME_INVALID, &error).at(script)
            }
            StepError::Integrity { .. } => plainly(&OUTCOME_INVALID, &error),
            StepError::Clock(_) => plainly(&INTERNAL, &error),
            StepError::LogDisagrees { .. } => plainly(&INTERNAL, &error),
            StepError::UnknownPage(error) => error.into(),
            StepError::Database(error) => error.into(),
            StepError::Content(error) => error.into(),
            StepError::Image(error) => error.into(),
        }
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
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
            MigrateError::Random(_)
            | MigrateError::PlanFile(_)
            | MigrateError::Ambiguous { .. } => plainly(error.code(), &error),
            MigrateError::Manifest { ref path, .. }
            | MigrateError::Io { ref path, .. }
            | MigrateError::Version { ref path, .. } => at_path(error.code(), &error, path),
            MigrateError::NoStore { ref root } => {
                at_path(error.code(), &error, root).next(["init"])
            }
            MigrateError::NotAdopted { ref ledger } => {
                at_path(error.code(), &error, ledger).next(["init"])
            }
            MigrateError::AlreadyAdopted { ref root, .. } => {
                at_path(error.code(), &error, root).next(["status"])
            }
            MigrateError::Pending { .. } => {
                plainly(error.code(), &error).next(["migration", "resume"])
            }
            MigrateError::NoRun | MigrateError::Disagree { .. } => {
                plainly(error.code(), &error).next(["status"])
            }
            MigrateError::Stale { .. } => {
                plainly(error.code(), &error).next(["plan", "-o", "plan.json"])
            }
            MigrateError::Unconfirmed { .. }
            | MigrateError::WrongConsent { .. }
            | MigrateError::LossRefused { .. }
            | MigrateError::ContractEdited { .. }
            | MigrateError::Outcome { .. } => plainly(error.code(), &error),
            MigrateError::Undeclared { ref edge, .. } => {
                plainly(error.code(), &error).at(format!("edge {edge}"))
            }
            MigrateError::SchemaDrift { ref object, .. }
            | MigrateError::DocumentChanged { ref object }
            | MigrateError::Diverged { ref object, .. } => plainly(error.code(), &error).at(object),
            MigrateError::Conflict { ref place, .. } => plainly(error.code(), &error)
                .at(place)
                .not_done("the place was not touched; the run stays committed and unpublished")
                .next(["migration", "resume"]),
            MigrateError::BeforeAdoption => plainly(error.code(), &error).next(["log"]),
        }
    }
}
