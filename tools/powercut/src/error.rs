//! What can go wrong with the rig itself. What a cut did to a ledger is a verdict, not an error.

use std::io;
use std::path::{Path, PathBuf};

use glyph_ledger::ledger::{AppendError, FoldError};
use glyph_ledger::log::ReadError;
use glyph_ledger::migrate::MigrateError;
use glyph_ledger::target::sqlite::DatabaseError;

/// A rig that could not be built, or a cut that did not take place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// This machine, or this user, cannot have the rig.
    #[error("no power can be cut here: {0}")]
    Unable(String),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{command}: {said}")]
    Command { command: String, said: String },
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("the scene's rows: {0}")]
    Rows(#[from] rusqlite::Error),
    #[error("{what}: expected {expected}, found {actual}")]
    Unexpected { what: &'static str, expected: String, actual: String },
}

/// Gives an operating system's error its path.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io { path: path.to_owned(), source }
}
