//! What can be wrong with a database file, told apart once for the whole folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ErrorCode;

/// Why a database could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No file is there, and none was made.
    #[error("{}: no such database", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is something, but not a file.
    #[error("{}: not a regular file", path.display())]
    NotAFile {
        /// The place.
        path: PathBuf,
    },
    /// A file without a single page: a database nobody has written to.
    #[error("{}: the file has 0 bytes, so it holds no database", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The first page is not one of SQLite's. An encrypted database looks the same from outside.
    #[error("{}: not a SQLite database, or an encrypted one", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else held a lock for the whole waiting time.
    #[error("{}: locked by another connection, after a wait of {} ms", path.display(), waited.as_millis())]
    Busy {
        /// The database.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// SQLite found a page that contradicts the file format.
    #[error("{}: damaged: {message}", path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        message: String,
    },
    /// This program's SQLite was compiled without `SQLITE_ENABLE_DBPAGE_VTAB`.
    #[error(
        "this build cannot reach single pages: SQLite was compiled without SQLITE_ENABLE_DBPAGE_VTAB"
    )]
    NoPageAccess,
    /// It can be read and not written.
    #[error("{}: {what} cannot be written to", path.display())]
    ReadOnly {
        /// The database.
        path: PathBuf,
        /// The file, or the folder that its journal goes into.
        what: &'static str,
    },
    /// Its tables use what only the application that owns it has: a function, a collation, a module.
    #[error("{}: needs what only its application has: {message}", path.display())]
    NeedsApplication {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        message: String,
    },
    /// The file system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Any other answer of SQLite.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// SQLite's answer.
        source: rusqlite::Error,
    },
}

impl DatabaseError {
    /// Sorts SQLite's answer about `path`; `waited` is the busy timeout of the connection.
    pub(super) fn of(path: &Path, waited: Duration, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy { path, waited }
            }
            Some(ErrorCode::NotADatabase) => Self::NotADatabase { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt { path, message: message(&source) },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path, what: "the file" },
            _ if is_of_the_application(&source) => {
                Self::NeedsApplication { path, message: message(&source) }
            }
            _ => Self::Sqlite { path, source },
        }
    }

    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// How SQLite's answer begins where a table names what no connection of ours has. It has no code for that.
const OF_THE_APPLICATION: [&str; 4] = [
    "unknown function: ",
    "no such function: ",
    "no such collation sequence: ",
    "no such module: ",
];

fn is_of_the_application(error: &rusqlite::Error) -> bool {
    let message = message(error);
    OF_THE_APPLICATION.iter().any(|beginning| message.starts_with(beginning))
}

/// Whether SQLite's answer is about the machine and not about the statement: no space, no memory, a file
/// that cannot be read, written or opened, or, on a copy that nobody else has open, a lock that a failed
/// write kept from being changed. The same statement may succeed later. One answer is of both kinds:
/// "full" is also what a table says whose largest possible rowid is in use.
pub(super) fn is_of_the_machine(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
        )
    )
}

/// SQLite's own words, without what the binding adds to them.
pub(super) fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}
