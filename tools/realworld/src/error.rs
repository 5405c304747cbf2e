//! What keeps the tool from trying a history at all. That the program refuses one is a result, and no error.

use std::path::PathBuf;

use glyph_ledger::sql_folder::FolderError;
use glyph_ledger::target::sqlite::DatabaseError;

use crate::program::Refusal;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("{file}: {error}")]
    File { file: PathBuf, error: std::io::Error },
    #[error("cannot be read as a folder of migrations: {0}")]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    #[error("the program answered `{command}` with no JSON: {said}")]
    Answer { command: String, said: String },
}

/// Why a history was taken no further.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The program refused it: a result.
    Refused(Refusal),
    Broken(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}
