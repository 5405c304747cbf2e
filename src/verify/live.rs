//! The live store beside the ledger: is it what the events say it is? Reads, never writes; what an
//! application may do to its own data is a difference and no fault.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger_format::body::ObjectState;
use ledger_format::hash::{CommitHash, ContentHash};
use projections::StoreState;
use sha2::{Digest as _, Sha256};

use super::audit::{AuditRecords, audit_text};
use crate::diagnostic::{self, Code};
use crate::objects::Objects;
use crate::target::sqlite::{DatabaseError, PageTree, Snapshot};

/// Permission bits of a mode, without the kind of file.
const MODE_BITS: u32 = 0o7777;

/// How the live store stands to the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Live {
    /// Every object is what the ledger has.
    Matches,
    /// Some are not.
    Differs(Vec<Difference>),
    /// It was not looked at.
    NotChecked {
        /// Why not.
        reason: &'static str,
    },
}

/// One object that is not what the ledger has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The object.
    pub object: String,
    /// What is different.
    pub change: Change,
}

/// How an object differs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Change {
    /// It is not there.
    #[error("is not there")]
    Missing,
    /// A file has other bytes.
    #[error("hashes to {actual}, recorded as {expected}")]
    Bytes {
        /// Hash recorded.
        expected: ContentHash,
        /// Hash found.
        actual: ContentHash,
    },
    /// A file has other permissions.
    #[error("has mode {actual:o}, recorded as {expected:o}")]
    Mode {
        /// Permission bits recorded.
        expected: u32,
        /// Permission bits found.
        actual: u32,
    },
    /// An append-only file has grown since it was recorded, as it may.
    #[error("grew by {bytes} bytes since it was recorded")]
    Grown {
        /// Bytes that are new.
        bytes: u64,
    },
    /// An append-only file is shorter than it was.
    #[error("has {actual} bytes, {expected} are recorded")]
    Shorter {
        /// Bytes recorded.
        expected: u64,
        /// Bytes found.
        actual: u64,
    },
    /// An earlier line of an append-only file was changed.
    #[error("line {line} is not what it was when it was recorded")]
    Line {
        /// The first changed line, from 1.
        line: u64,
    },
    /// An append-only file was changed somewhere in what is recorded of it.
    #[error("its first {bytes} bytes changed; which line cannot be told: {reason}")]
    Earlier {
        /// Bytes recorded.
        bytes: u64,
        /// Why no line is named.
        reason: String,
    },
    /// A database has other pages: its application wrote to it.
    #[error("its rows were written to since it was recorded")]
    Rows {
        /// Page root recorded.
        expected: CommitHash,
        /// Page root found.
        actual: CommitHash,
    },
    /// A database has another schema.
    #[error("its schema is {actual}, recorded as {expected}")]
    Schema {
        /// Schema digest recorded.
        expected: CommitHash,
        /// Schema digest found.
        actual: CommitHash,
    },
    /// A database cannot be read as one, or a document is no file.
    #[error("{reason}")]
    Unreadable {
        /// What is wrong.
        reason: String,
    },
}

impl Change {
    /// The registered code, where the difference is no ordinary one.
    pub const fn code(&self) -> Option<&'static Code> {
        match self {
            Self::Shorter { .. } | Self::Line { .. } | Self::Earlier { .. } => {
                Some(&diagnostic::AUDIT_CHANGED)
            }
            Self::Missing | Self::Bytes { .. } | Self::Mode { .. } => {
                Some(&diagnostic::DOCUMENT_CHANGED)
            }
            Self::Schema { .. } => Some(&diagnostic::SCHEMA_DRIFT),
            Self::Unreadable { .. } => Some(&diagnostic::STORE_INVALID),
            Self::Grown { .. } | Self::Rows { .. } => None,
        }
    }
}

/// The live store could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The file system.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Compares the store at `root` with what the ledger has of it: `store` as folded, `records` from
/// the same events. With `objects` a changed line of an append-only file is named. `wait` is how long
/// to wait for a lock on the database.
pub fn compare_live(
    store: &StoreState,
    records: &AuditRecords,
    root: &Path,
    objects: Option<&dyn Objects>,
    wait: Duration,
) -> Result<Live, LiveError> {
    if store.contract.is_none() {
        return Ok(Live::NotChecked { reason: "no store is adopted" });
    }
    if store.pending_publish {
        return Ok(Live::NotChecked { reason: "a run is being published" });
    }
    let mut differences = Vec::new();
    for (object, state) in &store.objects {
        let path = root.join(object);
        let changes = match state {
            ObjectState::Document { content, mode, .. } => document(&path, *content, *mode)?,
            ObjectState::Log { content, bytes, .. } => {
                let text = || match objects {
                    Some(objects) => {
                        audit_text(records, object, objects).map_err(|error| error.to_string())
                    }
                    None => Err("stored content was not looked at".to_owned()),
                };
                log(&path, *content, *bytes, text)?
            }
            ObjectState::Database { page_root, schema, .. } => {
                database(&path, *page_root, **schema, wait)?
            }
        };
        let difference = |change| Difference { object: object.clone(), change };
        differences.extend(changes.into_iter().map(difference));
    }
    Ok(if differences.is_empty() { Live::Matches } else { Live::Differs(differences) })
}

fn document(path: &Path, expected: ContentHash, mode: u32) -> Result<Vec<Change>, LiveError> {
    match fs::symlink_metadata(path) {
        // Whoever wrote through a link would write somewhere else.
        Ok(found) if !found.is_file() => {
            return Ok(vec![Change::Unreadable { reason: "is no plain file".to_owned() }]);
        }
        Err(error) if !is_absence(&error) => return Err(io_error(path)(error)),
        _ => {}
    }
    let Some(file) = open(path)? else { return Ok(vec![Change::Missing]) };
    let found = file.metadata().map_err(io_error(path))?.permissions().mode() & MODE_BITS;
    let (_, actual) = hash(file, u64::MAX).map_err(io_error(path))?;
    let mut changes = Vec::new();
    if actual != expected {
        changes.push(Change::Bytes { expected, actual });
    }
    if found != mode {
        changes.push(Change::Mode { expected: mode, actual: found });
    }
    Ok(changes)
}

fn log(
    path: &Path,
    expected: ContentHash,
    bytes: u64,
    recorded: impl FnOnce() -> Result<Vec<u8>, String>,
) -> Result<Vec<Change>, LiveError> {
    let Some(file) = open(path)? else { return Ok(vec![Change::Missing]) };
    let length = file.metadata().map_err(io_error(path))?.len();
    let (read, actual) = hash(file, bytes).map_err(io_error(path))?;
    if (read, actual) == (bytes, expected) {
        let new = length.saturating_sub(bytes);
        return Ok(if new > 0 { vec![Change::Grown { bytes: new }] } else { Vec::new() });
    }
    let text = match recorded() {
        Ok(text) => text,
        Err(reason) if read == bytes => return Ok(vec![Change::Earlier { bytes, reason }]),
        Err(_) => return Ok(vec![Change::Shorter { expected: bytes, actual: read }]),
    };
    let found = fs::read(path).map_err(io_error(path))?;
    let same = text.iter().zip(&found).take_while(|(recorded, found)| recorded == found).count();
    if same == found.len() {
        return Ok(vec![Change::Shorter { expected: bytes, actual: read }]);
    }
    let before = text.get(..same).unwrap_or_default();
    let line = before.split(|byte| *byte == b'\n').count() as u64;
    Ok(vec![Change::Line { line }])
}

fn database(
    path: &Path,
    page_root: CommitHash,
    schema: CommitHash,
    wait: Duration,
) -> Result<Vec<Change>, LiveError> {
    let read = || -> Result<Vec<Change>, DatabaseError> {
        let snapshot = Snapshot::open(path, wait)?;
        let actual = PageTree::build(&snapshot)?.root();
        if actual == page_root {
            return Ok(Vec::new());
        }
        let found = snapshot.schema_digest()?;
        Ok(vec![if found == schema {
            Change::Rows { expected: page_root, actual }
        } else {
            Change::Schema { expected: schema, actual: found }
        }])
    };
    match read() {
        Err(DatabaseError::Missing { .. }) => Ok(vec![Change::Missing]),
        Err(
            error @ (DatabaseError::NotAFile { .. }
            | DatabaseError::Empty { .. }
            | DatabaseError::NotADatabase { .. }
            | DatabaseError::Corrupt { .. }),
        ) => Ok(vec![Change::Unreadable { reason: error.to_string() }]),
        read => Ok(read?),
    }
}

fn open(path: &Path) -> Result<Option<File>, LiveError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(io_error(path)(error)),
    }
}

/// Whether nothing is there; also where a folder on the way is a file now.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> LiveError {
    move |source| LiveError::Io { path: path.to_owned(), source }
}

/// Length and hash of the file's first `limit` bytes.
fn hash(file: File, limit: u64) -> io::Result<(u64, ContentHash)> {
    let mut hasher = Sha256::new();
    let read = io::copy(&mut file.take(limit), &mut Sink(&mut hasher))?;
    Ok((read, ContentHash::from_bytes(hasher.finalize().into())))
}

struct Sink<'a>(&'a mut Sha256);

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
