//! What can go wrong while measuring. Every such thing ends the run: half a table is no table.

use std::io;
use std::path::{Path, PathBuf};

use glyph_ledger::contract::ContractError;
use glyph_ledger::export::ExportError;
use glyph_ledger::ledger::{AppendError, LedgerError};
use glyph_ledger::log::sled::OpenError;
use glyph_ledger::migrate::MigrateError;
use glyph_ledger::replay::ReplayError;
use glyph_ledger::verify::VerifyError;

/// A measurement that did not come to a number.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Contract(#[from] ContractError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error("the SQLite table: {0}")]
    Table(#[from] rusqlite::Error),
    #[error("{what}: expected {expected}, found {actual}")]
    Unexpected { what: &'static str, expected: String, actual: String },
}

/// Gives an operating system's error its path.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io { path: path.to_owned(), source }
}
