//! What is said of the errors of jobs' neighbours: verify, export, replay and the demonstration.

use crate::attacks::SelectionError;
use crate::demo::DemoError;
use crate::diagnostic::{
    ALREADY_HERE, CURSOR_UNKNOWN, EVENT_ILLEGAL, Failure, INTERNAL, IO, LEDGER_DAMAGED,
    NOTHING_HERE, OBJECT_DAMAGED, REPLAY_DIVERGENCE, SIGNER_UNKNOWN, USAGE,
};
use crate::export::ExportError;
pub(super) use crate::failure::io;
use crate::failure::{at_event, at_path, of_unsigned, plainly};
use crate::ledger::{KnownBy, Unsigned};
use crate::migrate::ContinueError;
use crate::replay::{DifferenceError, MaterialiseError, ReplayError};
use crate::verify::{AuditTextError, LiveError, VerifyError};

/// A head from elsewhere that no key of the ledger signed.
pub(super) fn of_known(by: KnownBy, size: u64, unsigned: &Unsigned) -> Failure {
    Failure::new(of_unsigned(unsigned), format!("{by}, over {size} events: {unsigned}"))
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        let left = "the demonstration ended here; what it made so far is left";
        let failure = match error {
            DemoError::Migrate(error) => error.into(),
            DemoError::Key(error) => error.into(),
            DemoError::Cursor(error) => error.into(),
            DemoError::Database(error) => error.into(),
            DemoError::Import { ref path, .. } | DemoError::Io { ref path, .. } => {
                at_path(&IO, &error, path)
            }
            DemoError::NothingToImport { ref path } => at_path(&NOTHING_HERE, &error, path),
            DemoError::Verify(error) => error.into(),
            DemoError::Replay(error) => error.into(),
            DemoError::Materialise(error) => error.into(),
            DemoError::Export(error) => error.into(),
            DemoError::DidNotHold(_) => plainly(&INTERNAL, &error),
        };
        failure.not_done(left)
    }
}

impl From<SelectionError> for Failure {
    fn from(error: SelectionError) -> Self {
        match error {
            SelectionError::NotGood(ref fault) => {
                plainly(fault.code(), &error).next(["verify-chain"])
            }
            SelectionError::Nothing => plainly(&LEDGER_DAMAGED, &error).next(["verify-chain"]),
            SelectionError::Open(error) => error.into(),
            SelectionError::Read(error) => error.into(),
            SelectionError::Verify(error) => error.into(),
            SelectionError::Pin(error) => error.into(),
            SelectionError::Io(_) => plainly(&IO, &error),
        }
        .not_done("nothing was tried")
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::NothingHere { ref dir } => {
                at_path(&NOTHING_HERE, &error, dir).next(["init"])
            }
            VerifyError::Read(error) => error.into(),
            VerifyError::Folder(error) => error.into(),
            VerifyError::Pin(error) => error.into(),
            VerifyError::Io { ref what, .. } => plainly(&IO, &error).at(what),
        }
        .not_done("nothing was verified")
    }
}

impl From<ContinueError> for Failure {
    fn from(error: ContinueError) -> Self {
        match error {
            ContinueError::Verify(error) => error.into(),
            ContinueError::Fault { ref dir, ref fault } => at_path(fault.code(), &error, dir)
                .not_done(
                    "no ledger was made: one that is not what was signed is not gone on from",
                ),
        }
    }
}

impl From<LiveError> for Failure {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Io { ref path, .. } => at_path(&IO, &error, path),
            LiveError::Database(error) => error.into(),
        }
        .not_done("the live store was not compared; the ledger itself is good")
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Read(error) => error.into(),
            ExportError::Line { seq, .. } => {
                at_event(&LEDGER_DAMAGED, &error, seq).next(["verify-chain"])
            }
            ExportError::Tree(error) => (&error).into(),
            ExportError::Unproved { seq, .. } => {
                at_event(&LEDGER_DAMAGED, &error, seq).next(["verify-chain"])
            }
            ExportError::Unsigned { .. } => plainly(&SIGNER_UNKNOWN, &error).next(["key", "list"]),
            ExportError::Nothing => plainly(&NOTHING_HERE, &error).next(["log"]),
            ExportError::Write(_) => plainly(&IO, &error),
        }
        .not_done("the export ends before its end")
    }
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Fold(error) => error.into(),
            ReplayError::Illegal { seq, .. } => {
                at_event(&EVENT_ILLEGAL, &error, seq).next(["verify-chain"])
            }
            ReplayError::Short { actual, .. } => {
                at_event(&CURSOR_UNKNOWN, &error, actual).next(["log"])
            }
            ReplayError::Unknown { .. } => plainly(&USAGE, &error).next(["replay", "--help"]),
        }
    }
}

impl From<DifferenceError> for Failure {
    fn from(error: DifferenceError) -> Self {
        let message = error.to_string();
        let failure = match error {
            DifferenceError::Fold(error) => error.into(),
            DifferenceError::NothingYet { .. } => Self::new(&CURSOR_UNKNOWN, "").next(["log"]),
            DifferenceError::Image { object, error } => Self::from(error).at(object),
            DifferenceError::Content { object, error } => Self::from(error).at(object),
            DifferenceError::Io(_) => Self::new(&IO, ""),
        };
        Self { message, ..failure }
    }
}

impl From<AuditTextError> for Failure {
    fn from(error: AuditTextError) -> Self {
        match error {
            AuditTextError::Object { seq, error } => Self::from(error).at(format!("event {seq}")),
            AuditTextError::Sum { seq, .. } => at_event(&OBJECT_DAMAGED, &error, seq),
        }
    }
}

impl From<MaterialiseError> for Failure {
    fn from(error: MaterialiseError) -> Self {
        let message = error.to_string();
        let failure = match error {
            MaterialiseError::NoStore => Self::new(&CURSOR_UNKNOWN, "").next(["log"]),
            MaterialiseError::Exists { path } => {
                Self::new(&ALREADY_HERE, "").at(path.display().to_string())
            }
            MaterialiseError::Place { object } => Self::new(&EVENT_ILLEGAL, "").at(object),
            MaterialiseError::Object { object, error } => Self::from(error).at(object),
            MaterialiseError::Audit { object, error } => Self::from(error).at(object),
            MaterialiseError::Image { object, error } => Self::from(error).at(object),
            MaterialiseError::Database { object, error } => Self::from(error).at(object),
            MaterialiseError::ReadBack { object, .. } => {
                Self::new(&REPLAY_DIVERGENCE, "").at(object)
            }
            MaterialiseError::Io { path, .. } => Self::new(&IO, "").at(path.display().to_string()),
        };
        Self { message, ..failure }.not_done("the folder was not made")
    }
}
