//! Whether a file is one that a certificate is about: as the run left it, or as it found it. Reads the file and nothing else.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger_format::hash::ContentHash;
use ledger_format::statement::Claimed;

use crate::target::sqlite::{ContentError, DatabaseError, Snapshot};

/// What every database of SQLite begins with.
const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Largest file that a document can be, in bytes: what a ledger keeps of one.
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a file is to the objects of a run. Objects may have the same content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// Objects that the run made into this.
    pub targets: Vec<String>,
    /// Objects that were this before the run.
    pub sources: Vec<String>,
}

/// A file that could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// The file system.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// A database that could not be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Content of a database that could not be hashed.
    #[error(transparent)]
    Content(#[from] ContentError),
}

/// Finds the file at `path` among the objects of `claims`. A database is compared by what is in it.
pub fn find_subject(path: &Path, claims: &[Claimed]) -> Result<Subject, SubjectError> {
    let of_databases = claims.iter().any(|claim| claim.kind() == "database");
    let is_database = of_databases && begins_as_database(path).map_err(at(path))?;
    let hash = if is_database {
        Some(*Snapshot::open(path, Duration::ZERO)?.content_hash()?.as_bytes())
    } else {
        document(path).map_err(at(path))?
    };
    let Some(hash) = hash else { return Ok(Subject::default()) };
    let same_kind = |claim: &&Claimed| (claim.kind() == "database") == is_database;
    let named = |of: fn(&Claimed) -> &[u8]| {
        let found = claims.iter().filter(same_kind).filter(|claim| of(claim) == hash);
        found.map(|claim| claim.object().to_owned()).collect()
    };
    Ok(Subject { targets: named(Claimed::target), sources: named(Claimed::source) })
}

fn begins_as_database(path: &Path) -> io::Result<bool> {
    let mut beginning = [0; SQLITE_MAGIC.len()];
    let mut file = File::open(path)?;
    Ok(file.read_exact(&mut beginning).is_ok() && beginning == *SQLITE_MAGIC)
}

/// The hash of a file; none for one that is larger than any document.
fn document(path: &Path) -> io::Result<Option<[u8; 32]>> {
    if fs::metadata(path)?.len() > DOCUMENT_BYTES_MAX {
        return Ok(None);
    }
    Ok(Some(*ContentHash::of(&fs::read(path)?).as_bytes()))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SubjectError + use<> {
    let path = path.to_owned();
    move |source| SubjectError::Io { path, source }
}
