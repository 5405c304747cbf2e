//! From what the library's layers call their errors to what people are told: one code, one place, what
//! was not done, what to do next. Every variant is named, so that a new one is given its code by
//! somebody. Knows the errors of the layers below the jobs; a module above tells of its own.

use std::io;
use std::path::Path;

use ledger_format::bundle::BundleError;
use ledger_format::event::EventError;

use crate::contract::{ContractError, PathError, VersionError};
use crate::diagnostic::{
    ALREADY_HERE, AUDIT_CHANGED, BOOKS_INVALID, BUNDLE_INVALID, BUSY, CONTRACT_INVALID,
    CURSOR_UNKNOWN, Code, EVENT_ILLEGAL, FOLDER_INVALID, FORMAT_UNSUPPORTED, Failure, INTERNAL, IO,
    KEY_EXPOSED, KEY_INVALID, KEY_MISSING, KEY_REFUSED, KEY_ROLE_MISSING, KEY_UNKNOWN,
    LAYOUT_AMBIGUOUS, LEDGER_DAMAGED, LEDGER_DIVERGED, LEDGER_FOREIGN, LEDGER_MISSING,
    LEDGER_REGRESSED, LOG_FULL, MANIFEST_INVALID, MIGRATION_ABOVE_CURRENT, MIGRATION_BELOW_MINIMUM,
    MIGRATION_PATH_MISSING, MIGRATION_VERSION_AMBIGUOUS, MIGRATION_VERSION_TYPE,
    MIGRATION_VERSION_UNKNOWN, NEEDS_EXCLUSIVE, NO_RUN, OBJECT_DAMAGED, OBJECT_MISSING,
    OUTCOME_INVALID, PIN_INVALID, POLICY_INVALID, REPLAY_DIVERGENCE, REPORT_TOO_LARGE,
    SIGNATURE_BAD, SIGNER_UNKNOWN, STEP_FAILED, STORE_INVALID, USAGE,
};
use crate::effects::NoRandomness;
use crate::evidence::{
    AttestError, CertifyError, EvidenceError, PublicationError, PublishedError, ReportError,
    SubjectError, TreeError,
};
use crate::ledger::{
    AppendError, CursorError, FoldError, KeyChangeError, LedgerError, PinError, Unsigned, notes,
};
use crate::log::sled::OpenError;
use crate::log::{self, BatchError, ReadError};
use crate::objects::ObjectsError;
use crate::sql_folder::{BooksError, FolderError, Trouble};
use crate::target::glyph_store::{AuditError, CreateError, ManifestError};
use crate::target::sqlite::{
    ContentError, DatabaseError, ImageError, PublishError, StepError, UnknownPage,
};
use crate::trust::{CosignedError, HeadFileError, KeyError, NoHome, PolicyError};

/// Whether events were appended is not known.
const IN_DOUBT: &str = "whether the events were appended shows on opening the ledger again";

/// How work goes on where a ledger is lost: from a copy of its folder, or a head of it.
const CONTINUES: [&str; 3] = ["init", "--continues", "DIR"];

/// How another key comes to agree to plans.
pub(crate) const AUTHORIZE_APPROVER: [&str; 5] =
    ["key", "authorize", "PUBLIC_KEY", "--role", "approve"];

/// A failure of the file system at `path`.
pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Failure + use<> {
    let place = path.display().to_string();
    move |error| Failure::new(&IO, format!("{place}: {error}")).at(place)
}

pub(crate) fn at_path(code: &'static Code, error: &impl ToString, path: &Path) -> Failure {
    Failure::new(code, error.to_string()).at(path.display().to_string())
}

pub(crate) fn at_event(code: &'static Code, error: &impl ToString, seq: u64) -> Failure {
    Failure::new(code, error.to_string()).at(format!("event {seq}"))
}

pub(crate) fn plainly(code: &'static Code, error: &impl ToString) -> Failure {
    Failure::new(code, error.to_string())
}

/// What is said of an error does not depend on who holds it.
macro_rules! from_owned {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::from(&error)
            }
        }
    )*};
}

from_owned! {
    OpenError,
    ReadError,
    FoldError,
    LedgerError,
    log::AppendError,
    BatchError,
    AppendError,
    CursorError,
    PinError,
    CosignedError,
    EvidenceError,
    TreeError,
    PublicationError,
    PublishedError,
    CertifyError,
    AttestError,
    SubjectError,
    ReportError,
    KeyChangeError,
    KeyError,
    HeadFileError,
    PolicyError,
    NoHome,
    NoRandomness,
    ContractError,
    FolderError,
    BooksError,
    PathError,
    VersionError,
    ManifestError,
    AuditError,
    CreateError,
    ObjectsError,
    DatabaseError,
    ContentError,
    ImageError,
    PublishError,
    UnknownPage,
    StepError,
}

impl From<&OpenError> for Failure {
    fn from(error: &OpenError) -> Self {
        match error {
            OpenError::Missing { path, .. } => {
                at_path(&LEDGER_MISSING, error, path).next(["verify-chain"])
            }
            OpenError::Foreign { dir, .. } => {
                at_path(&LEDGER_FOREIGN, error, dir).next(["verify-chain"])
            }
            OpenError::Forked { dir, .. } => {
                at_path(&LEDGER_DIVERGED, error, dir).next(["verify-chain"])
            }
            OpenError::Regressed { dir, .. } => {
                at_path(&LEDGER_REGRESSED, error, dir).next(["verify-chain"])
            }
            OpenError::Damaged { path, .. } => {
                at_path(&LEDGER_DAMAGED, error, path).next(["verify-chain"])
            }
            OpenError::Busy { dir, .. } => at_path(&BUSY, error, dir),
            OpenError::Exists { path } => at_path(&ALREADY_HERE, error, path).next(["status"]),
            OpenError::Impossible(_) => plainly(&INTERNAL, error),
            OpenError::NoSpace { path, .. } | OpenError::Io { path, .. } => {
                at_path(&IO, error, path)
            }
        }
    }
}

impl From<&ReadError> for Failure {
    fn from(error: &ReadError) -> Self {
        match error {
            ReadError::Damaged { seq, .. } => {
                at_event(&LEDGER_DAMAGED, error, *seq).next(["verify-chain"])
            }
            ReadError::Io { path, .. } => at_path(&IO, error, path),
        }
    }
}

impl From<&FoldError> for Failure {
    fn from(error: &FoldError) -> Self {
        match error {
            FoldError::Read(error) => error.into(),
            FoldError::Event { seq, error: EventError::Format { .. } } => {
                at_event(&FORMAT_UNSUPPORTED, error, *seq)
            }
            FoldError::Event { seq, .. } => {
                at_event(&LEDGER_DAMAGED, error, *seq).next(["verify-chain"])
            }
            FoldError::Illegal { seq, .. } => {
                at_event(&EVENT_ILLEGAL, error, *seq).next(["verify-chain"])
            }
            FoldError::Short { actual, .. } => {
                at_event(&LEDGER_DAMAGED, error, *actual).next(["verify-chain"])
            }
        }
    }
}

impl From<&LedgerError> for Failure {
    fn from(error: &LedgerError) -> Self {
        let seq_before = |size: u64| size.saturating_sub(1);
        match error {
            LedgerError::Log(error) => error.into(),
            LedgerError::Fold(error) => error.into(),
            LedgerError::Pin(error) => error.into(),
            LedgerError::Append(error) => error.into(),
            LedgerError::Rewritten { size, .. } => {
                at_event(&LEDGER_DAMAGED, error, seq_before(*size)).next(["verify-chain"])
            }
            LedgerError::Signature { size, unsigned } => {
                at_event(of_unsigned(unsigned), error, seq_before(*size)).next(["verify-chain"])
            }
            LedgerError::Regressed { known, newest } => {
                at_event(&LEDGER_REGRESSED, error, newest.head().size)
                    .showing(notes(known.note.iter().chain([&**newest])))
                    .next(["verify-chain"])
            }
            LedgerError::Diverged { known, other, .. } => {
                at_event(&LEDGER_DIVERGED, error, seq_before(known.size))
                    .showing(notes(known.note.iter().chain([&**other])))
                    .next(["verify-chain"])
            }
            LedgerError::OtherHead { .. } => plainly(&LEDGER_FOREIGN, error).next(["head", "show"]),
            LedgerError::KnownSignature { unsigned, .. } => {
                plainly(of_unsigned(unsigned), error).next(["key", "list"])
            }
            // Where nothing is there to be looked at, it is put back, or gone on from.
            LedgerError::Foreign { place, expected, found: None } => {
                plainly(&LEDGER_FOREIGN, error)
                    .at(place)
                    .next(["explain", LEDGER_FOREIGN.id])
                    .next(CONTINUES)
                    .next(["head", "forget", &expected.to_string()])
            }
            LedgerError::Foreign { place, .. } => plainly(&LEDGER_FOREIGN, error)
                .at(place)
                .next(["verify-chain"])
                .next(["explain", LEDGER_FOREIGN.id]),
        }
    }
}

pub(crate) const fn of_unsigned(unsigned: &Unsigned) -> &'static Code {
    match unsigned {
        Unsigned::Unknown(_) => &SIGNER_UNKNOWN,
        Unsigned::Bad(_) => &SIGNATURE_BAD,
    }
}

impl From<&log::AppendError> for Failure {
    fn from(error: &log::AppendError) -> Self {
        match error {
            log::AppendError::HeadMoved { expected, .. } => at_event(&BUSY, error, *expected),
            log::AppendError::Impossible(error) => error.into(),
            log::AppendError::Unsettled { anchored, .. } => at_event(&INTERNAL, error, *anchored),
            log::AppendError::Poisoned { path } => at_path(&IO, error, path).next(["status"]),
            log::AppendError::InDoubt { path, .. } => {
                at_path(&IO, error, path).not_done(IN_DOUBT).next(["status"])
            }
        }
    }
}

impl From<&BatchError> for Failure {
    fn from(error: &BatchError) -> Self {
        let code = match error {
            BatchError::Count { .. } | BatchError::Length { .. } => &LOG_FULL,
            BatchError::FirstSeq { .. }
            | BatchError::Event { .. }
            | BatchError::Ledger { .. }
            | BatchError::HeadSize { .. }
            | BatchError::Frontier => &INTERNAL,
        };
        plainly(code, error)
    }
}

impl From<&AppendError> for Failure {
    fn from(error: &AppendError) -> Self {
        match error {
            AppendError::Unauthorised { .. } => plainly(&KEY_UNKNOWN, error).next(["key", "list"]),
            AppendError::RoleMissing { .. } => {
                plainly(&KEY_ROLE_MISSING, error).next(["key", "list"])
            }
            AppendError::Illegal { seq, .. } => at_event(&EVENT_ILLEGAL, error, *seq),
            AppendError::Encoding { seq, .. } => at_event(&LOG_FULL, error, *seq),
            AppendError::Behind { size, .. } => at_event(&LEDGER_REGRESSED, error, *size),
            AppendError::Log(error) => error.into(),
            AppendError::Unremembered(pin) => Self { message: error.to_string(), ..pin.into() },
            AppendError::Pin(pin) => {
                let message = error.to_string();
                let remembering = Self::from(pin).not_done("the new head was not remembered");
                Self { message, ..remembering }
            }
        }
    }
}

impl From<&CursorError> for Failure {
    fn from(error: &CursorError) -> Self {
        match error {
            CursorError::Form { .. }
            | CursorError::Within { .. }
            | CursorError::Unknown { .. }
            | CursorError::Ambiguous { .. } => plainly(&CURSOR_UNKNOWN, error).next(["log"]),
            CursorError::NoRun => plainly(&NO_RUN, error).next(["status"]),
            CursorError::Fold(error) => error.into(),
        }
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

impl From<&CosignedError> for Failure {
    fn from(error: &CosignedError) -> Self {
        match error {
            CosignedError::Io { path, .. } => at_path(&IO, error, path),
            CosignedError::Form { path, .. } | CosignedError::Misplaced { path } => {
                at_path(&PIN_INVALID, error, path)
            }
            CosignedError::Other { path } => {
                at_path(&LEDGER_DIVERGED, error, path).next(["verify-chain"])
            }
        }
    }
}

impl From<&PolicyError> for Failure {
    fn from(error: &PolicyError) -> Self {
        match error {
            PolicyError::Io { path, .. } => at_path(&IO, error, path),
            PolicyError::File { path, .. } => at_path(&POLICY_INVALID, error, path),
            PolicyError::Line { line, .. } => {
                plainly(&POLICY_INVALID, error).at(format!("line {line}"))
            }
            PolicyError::NoQuorum => plainly(&POLICY_INVALID, error),
        }
    }
}

impl From<&HeadFileError> for Failure {
    fn from(error: &HeadFileError) -> Self {
        match error {
            HeadFileError::Io { path, .. } => at_path(&IO, error, path),
            HeadFileError::Long { path }
            | HeadFileError::Form { path, .. }
            | HeadFileError::Empty { path } => at_path(&USAGE, error, path),
        }
    }
}

impl From<&KeyError> for Failure {
    fn from(error: &KeyError) -> Self {
        match error {
            KeyError::Missing { path } => at_path(&KEY_MISSING, error, path),
            KeyError::Exposed { path, .. } => at_path(&KEY_EXPOSED, error, path),
            KeyError::Form { path } => at_path(&KEY_INVALID, error, path),
            KeyError::Io { path, .. } => at_path(&IO, error, path),
            KeyError::Random { .. } => plainly(&IO, error),
            KeyError::Seed => plainly(&KEY_INVALID, error),
        }
    }
}

impl From<&EvidenceError> for Failure {
    fn from(error: &EvidenceError) -> Self {
        match error {
            EvidenceError::Beyond { .. } => plainly(&CURSOR_UNKNOWN, error).next(["log"]),
            EvidenceError::Order { .. } => plainly(&USAGE, error),
            EvidenceError::Gap { seq } => {
                at_event(&LEDGER_DAMAGED, error, *seq).next(["verify-chain"])
            }
            EvidenceError::Events(error) => error.into(),
            EvidenceError::Tree(error) => error.into(),
        }
    }
}

impl From<&TreeError> for Failure {
    fn from(error: &TreeError) -> Self {
        match error {
            TreeError::Events(error) => error.into(),
            TreeError::Io { path, .. } => at_path(&IO, error, path),
            TreeError::Root => plainly(&LEDGER_DAMAGED, error).next(["verify-chain"]),
        }
    }
}

impl From<&PublicationError> for Failure {
    fn from(error: &PublicationError) -> Self {
        match error {
            PublicationError::Taken { dir, .. } => at_path(&USAGE, error, dir),
            PublicationError::Head { path, .. } => {
                let told = format!(
                    "{error}; where that is this ledger's, remove it, and `head publish` writes it anew"
                );
                at_path(&LEDGER_DAMAGED, &told, path)
            }
            PublicationError::NotAFile { path } => at_path(&LEDGER_DAMAGED, error, path),
            PublicationError::Foreign { dir, .. } => at_path(&LEDGER_FOREIGN, error, dir),
            PublicationError::Later { dir, .. } => at_path(&LEDGER_REGRESSED, error, dir),
            PublicationError::Diverged { dir, .. } => at_path(&LEDGER_DIVERGED, error, dir),
            PublicationError::Different { path } => at_path(&LEDGER_DIVERGED, error, path),
            PublicationError::NotPublisher { .. } => {
                plainly(&KEY_REFUSED, error).at("--log-key").next(["key", "list"])
            }
            PublicationError::Events(error) => error.into(),
            PublicationError::Tree(error) => error.into(),
            PublicationError::Io { path, .. } => at_path(&IO, error, path),
        }
    }
}

impl From<&PublishedError> for Failure {
    fn from(error: &PublishedError) -> Self {
        match error {
            PublishedError::Head(PublicationError::Head { path, .. }) => {
                at_path(&LEDGER_DAMAGED, error, path)
            }
            PublishedError::Head(error) => error.into(),
            PublishedError::Foreign { .. } => plainly(&LEDGER_FOREIGN, error),
            PublishedError::Io { path, source } if source.kind() == io::ErrorKind::NotFound => {
                at_path(&LEDGER_MISSING, error, path)
            }
            PublishedError::Io { path, .. } => at_path(&IO, error, path),
            PublishedError::Differs { path, .. } => at_path(&LEDGER_DAMAGED, error, path),
            PublishedError::Event { seq, .. } => at_event(&LEDGER_DAMAGED, error, *seq),
            PublishedError::Illegal { seq, .. } => at_event(&EVENT_ILLEGAL, error, *seq),
            PublishedError::Root { .. } => plainly(&LEDGER_DAMAGED, error),
            PublishedError::Signer { .. }
            | PublishedError::Unsigned { .. }
            | PublishedError::Signature(_) => plainly(&SIGNATURE_BAD, error),
        }
    }
}

impl From<&CertifyError> for Failure {
    fn from(error: &CertifyError) -> Self {
        match error {
            CertifyError::NoObjects { .. } => plainly(&USAGE, error),
            CertifyError::NotSigner { .. } => plainly(&KEY_UNKNOWN, error).next(["key", "list"]),
            CertifyError::Differs { .. } => plainly(&REPLAY_DIVERGENCE, error),
            CertifyError::TooMany { .. } => plainly(&LOG_FULL, error),
            CertifyError::Events(error) => error.into(),
            CertifyError::Tree(error) => error.into(),
        }
    }
}

impl From<&AttestError> for Failure {
    fn from(error: &AttestError) -> Self {
        match error {
            AttestError::Foreign { .. } => plainly(&LEDGER_FOREIGN, error),
            AttestError::Illegal { seq, .. } => at_event(&EVENT_ILLEGAL, error, *seq),
            AttestError::NoList => plainly(&USAGE, error).at("--claims"),
            AttestError::Unauthorised { .. }
            | AttestError::Unsigned { .. }
            | AttestError::Head(_)
            | AttestError::Bundle(BundleError::BadSignature | BundleError::OtherKey { .. }) => {
                plainly(&SIGNATURE_BAD, error)
            }
            AttestError::Bundle(BundleError::Form(_))
            | AttestError::Statement(_)
            | AttestError::Unrelated { .. }
            | AttestError::Surplus { .. }
            | AttestError::Missing { .. }
            | AttestError::Certificate { .. }
            | AttestError::List { .. } => plainly(&BUNDLE_INVALID, error),
        }
    }
}

impl From<&SubjectError> for Failure {
    fn from(error: &SubjectError) -> Self {
        match error {
            SubjectError::Io { path, .. } => at_path(&IO, error, path),
            SubjectError::Database(error) => error.into(),
            SubjectError::Content(error) => error.into(),
        }
    }
}

impl From<&ReportError> for Failure {
    fn from(error: &ReportError) -> Self {
        match error {
            ReportError::TooManyEvents => plainly(&REPORT_TOO_LARGE, error),
            ReportError::Events(error) => error.into(),
            ReportError::Objects(error) => error.into(),
            ReportError::Write(_) => plainly(&IO, error),
        }
    }
}

impl From<&KeyChangeError> for Failure {
    fn from(error: &KeyChangeError) -> Self {
        match error {
            KeyChangeError::Refused { .. } => plainly(&KEY_REFUSED, error).next(["key", "list"]),
            KeyChangeError::Unreachable { possible, .. } => plainly(&KEY_REFUSED, error)
                .next(AUTHORIZE_APPROVER)
                .next(["key", "approvals", &possible.to_string()]),
            KeyChangeError::Append(error) => error.into(),
        }
    }
}

impl From<&NoHome> for Failure {
    fn from(error: &NoHome) -> Self {
        plainly(&IO, error).at("the environment")
    }
}

impl From<&NoRandomness> for Failure {
    fn from(error: &NoRandomness) -> Self {
        plainly(&IO, error)
    }
}

impl From<&ContractError> for Failure {
    fn from(error: &ContractError) -> Self {
        match error {
            ContractError::Io { path, .. } => at_path(&IO, error, path),
            ContractError::Unnamed { .. } => {
                plainly(&USAGE, error).at("--contract").next(["migration", "list"])
            }
            ContractError::Syntax { at, reason: what } | ContractError::Rule { at, rule: what } => {
                plainly(&CONTRACT_INVALID, what).at(at.to_string())
            }
        }
    }
}

impl From<&FolderError> for Failure {
    fn from(error: &FolderError) -> Self {
        let place = |name: &str| match name {
            "" => error.dir.display().to_string(),
            name => error.dir.join(name).display().to_string(),
        };
        match &error.trouble {
            Trouble::Io { name, .. } => plainly(&IO, error).at(place(name)),
            Trouble::Empty { .. } => at_path(&USAGE, error, &error.dir),
            Trouble::Ambiguous { candidates: layouts, .. }
            | Trouble::Disagrees { files: layouts, .. } => {
                let dir = error.dir.display().to_string();
                let layout = layouts.first().map_or("LAYOUT", |layout| layout.name());
                let known =
                    ["init", "--database", "FILE", "--migrations", &dir, "--layout", layout];
                plainly(&LAYOUT_AMBIGUOUS, error).at("--layout").next(known)
            }
            Trouble::Mixed { .. } => at_path(&FOLDER_INVALID, error, &error.dir),
            Trouble::Duplicate { second: name, .. }
            | Trouble::BadName { file: name, .. }
            | Trouble::DownWithoutUp { file: name, .. }
            | Trouble::NameNotUtf8 { file: name }
            | Trouble::NotUtf8 { file: name, .. }
            | Trouble::NotAFile { file: name, .. }
            | Trouble::NoUp { folder: name }
            | Trouble::NotSql { file: name, .. }
            | Trouble::TooLarge { name, .. } => plainly(&FOLDER_INVALID, error).at(place(name)),
            Trouble::Nul { file, line } | Trouble::Directive { file, line, .. } => {
                plainly(&FOLDER_INVALID, error).at(format!("{}:{line}", place(file)))
            }
        }
    }
}

impl From<&BooksError> for Failure {
    fn from(error: &BooksError) -> Self {
        let BooksError::Columns { table, .. } = error;
        plainly(&BOOKS_INVALID, error).at(*table)
    }
}

impl From<&PathError> for Failure {
    fn from(error: &PathError) -> Self {
        let code = match error {
            PathError::UnknownVersion { .. } => &MIGRATION_VERSION_UNKNOWN,
            PathError::BelowMinimum { .. } => &MIGRATION_BELOW_MINIMUM,
            PathError::AboveCurrent { .. } => &MIGRATION_ABOVE_CURRENT,
            PathError::Downwards { .. }
            | PathError::Missing { .. }
            | PathError::NoWayBack { .. } => &MIGRATION_PATH_MISSING,
        };
        plainly(code, error)
    }
}

/// The error does not say which document: whoever read it adds the place.
impl From<&VersionError> for Failure {
    fn from(error: &VersionError) -> Self {
        let code = match error {
            VersionError::Newer { .. } => &MIGRATION_ABOVE_CURRENT,
            VersionError::Older { .. } => &MIGRATION_BELOW_MINIMUM,
            VersionError::WrongType { .. } => &MIGRATION_VERSION_TYPE,
            VersionError::Unknown { .. } => &MIGRATION_VERSION_UNKNOWN,
            VersionError::Ambiguous { .. } => &MIGRATION_VERSION_AMBIGUOUS,
        };
        plainly(code, error)
    }
}

/// The error does not say which manifest: whoever read it adds the place.
impl From<&ManifestError> for Failure {
    fn from(error: &ManifestError) -> Self {
        match error {
            ManifestError::TooLong { .. }
            | ManifestError::Syntax { .. }
            | ManifestError::NoVersion { .. }
            | ManifestError::MinReader { .. }
            | ManifestError::NotInPlace => plainly(&MANIFEST_INVALID, error),
        }
    }
}

impl From<&AuditError> for Failure {
    fn from(error: &AuditError) -> Self {
        match error {
            AuditError::Io { path, .. } => at_path(&IO, error, path),
            AuditError::Shorter { path, .. } | AuditError::Changed { path, .. } => {
                at_path(&AUDIT_CHANGED, error, path)
            }
            AuditError::Unfinished { path } => at_path(&BUSY, error, path),
            AuditError::TooLong { path, .. } => at_path(&LOG_FULL, error, path),
        }
    }
}

impl From<&CreateError> for Failure {
    fn from(error: &CreateError) -> Self {
        match error {
            CreateError::Exists { path } => at_path(&ALREADY_HERE, error, path),
            CreateError::Busy { path } => {
                at_path(&BUSY, error, path).not_done("the store was not made")
            }
            CreateError::Io { path, .. } | CreateError::Database { path, .. } => {
                at_path(&IO, error, path).not_done("the store was not made")
            }
        }
    }
}

impl From<&ObjectsError> for Failure {
    fn from(error: &ObjectsError) -> Self {
        match error {
            ObjectsError::Missing { name } => {
                plainly(&OBJECT_MISSING, error).at(format!("object {name}"))
            }
            ObjectsError::Corrupt { name, .. } => {
                plainly(&OBJECT_DAMAGED, error).at(format!("object {name}"))
            }
            ObjectsError::TooLarge { .. } => plainly(&LOG_FULL, error),
            ObjectsError::Io { path, .. } => at_path(&IO, error, path),
        }
    }
}

impl From<&DatabaseError> for Failure {
    fn from(error: &DatabaseError) -> Self {
        match error {
            DatabaseError::Missing { path }
            | DatabaseError::NotAFile { path }
            | DatabaseError::Empty { path }
            | DatabaseError::NotADatabase { path }
            | DatabaseError::Corrupt { path, .. }
            | DatabaseError::NeedsApplication { path, .. } => {
                at_path(&STORE_INVALID, error, path).next(["replay", "--out", "DIR"])
            }
            DatabaseError::Busy { path, .. } => at_path(&BUSY, error, path),
            DatabaseError::NoPageAccess => plainly(&INTERNAL, error),
            DatabaseError::Io { path, .. }
            | DatabaseError::ReadOnly { path, .. }
            | DatabaseError::Sqlite { path, .. } => at_path(&IO, error, path),
        }
    }
}

impl From<&ContentError> for Failure {
    fn from(error: &ContentError) -> Self {
        match error {
            ContentError::Database(error) => error.into(),
            ContentError::TooManyColumns { path, .. } => at_path(&STORE_INVALID, error, path),
        }
    }
}

impl From<&ImageError> for Failure {
    fn from(error: &ImageError) -> Self {
        match error {
            ImageError::Database(error) => error.into(),
            ImageError::Objects(error) => error.into(),
            ImageError::Malformed { name, .. } => {
                plainly(&OBJECT_DAMAGED, error).at(format!("object {name}"))
            }
            ImageError::PageChanged { page, .. } => {
                plainly(&INTERNAL, error).at(format!("page {page}"))
            }
            ImageError::NoPages { root } => {
                plainly(&OBJECT_DAMAGED, error).at(format!("image {root}"))
            }
            ImageError::Io { path, .. } => at_path(&IO, error, path),
        }
    }
}

impl From<&PublishError> for Failure {
    fn from(error: &PublishError) -> Self {
        match error {
            PublishError::Database(error) => error.into(),
            PublishError::Image(error) => error.into(),
            PublishError::NeedsExclusive { .. } => {
                plainly(&NEEDS_EXCLUSIVE, error).next(["undo", "--exclusive"])
            }
            PublishError::OtherEncoding { .. } => {
                plainly(&NEEDS_EXCLUSIVE, error).next(["replay", "--out", "DIR"])
            }
        }
    }
}

impl From<&UnknownPage> for Failure {
    fn from(error: &UnknownPage) -> Self {
        plainly(&INTERNAL, error).at(format!("page {}", error.page))
    }
}

impl From<&StepError> for Failure {
    fn from(error: &StepError) -> Self {
        match error {
            StepError::Statement { script, line, .. } | StepError::Refused { script, line, .. } => {
                let place = format!("{script}:{line}");
                plainly(&STEP_FAILED, error).at(place).mend_place().next(["check"])
            }
            StepError::TransactionLeftOpen { script } => {
                plainly(&STEP_FAILED, error).at(script).mend_place().next(["check"])
            }
            StepError::ForeignKey { script, .. } | StepError::Broken { script, .. } => {
                plainly(&OUTCOME_INVALID, error).at(script).mend_place().next(["check"])
            }
            StepError::Integrity { .. } => plainly(&OUTCOME_INVALID, error).next(["check"]),
            StepError::Clock(_) => plainly(&INTERNAL, error),
            StepError::LogDisagrees { .. } => plainly(&INTERNAL, error),
            StepError::UnknownPage(error) => error.into(),
            StepError::Database(error) => error.into(),
            StepError::Content(error) => error.into(),
            StepError::Image(error) => error.into(),
        }
    }
}
