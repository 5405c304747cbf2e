//! Why a ledger's folder is refused. Every refusal of a store names both sides: what the anchor
//! promises and what the store holds.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::{Path, PathBuf};

use ledger_format::hash::LedgerId;
use ledger_format::head::TreeHead;

use super::lock::LockError;
use crate::log::BatchError;

/// Why a ledger's folder was not opened, created or copied. Where it was there before, it is as it
/// was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something a ledger's folder has is not there.
    #[error("{} is missing{}", path.display(), Anchored(anchored.as_deref()))]
    Missing {
        /// What is missing.
        path: PathBuf,
        /// What the anchor promises, if there is one.
        anchored: Option<Box<TreeHead>>,
    },
    /// The folder holds parts of two ledgers.
    #[error("{} belongs to ledger {expected}, but holds {}", dir.display(), Shown(found))]
    Foreign {
        /// The ledger's folder.
        dir: PathBuf,
        /// The ledger it says it is.
        expected: LedgerId,
        /// The newest head found of another one.
        found: Box<TreeHead>,
    },
    /// The store and the anchor have the same ledger and different histories.
    #[error("{} holds {}, but its anchor states {}", dir.display(), Shown(stored), Shown(anchored))]
    Forked {
        /// The ledger's folder.
        dir: PathBuf,
        /// The newest acknowledged head.
        anchored: Box<TreeHead>,
        /// The head the store has in its place, or the newest of a store that has none there.
        stored: Box<TreeHead>,
    },
    /// The store ends before its anchor: an older copy, emptied or cut off.
    #[error(
        "{} holds {}, but its anchor states {}",
        dir.display(), Stored(stored.as_deref()), Shown(anchored)
    )]
    Regressed {
        /// The ledger's folder.
        dir: PathBuf,
        /// The newest acknowledged head.
        anchored: Box<TreeHead>,
        /// The newest head in the store; `None` when it is empty.
        stored: Option<Box<TreeHead>>,
    },
    /// Something is there and cannot be read.
    #[error("{} is damaged: {reason}{}", path.display(), Anchored(anchored.as_deref()))]
    Damaged {
        /// What is damaged.
        path: PathBuf,
        /// What was found.
        reason: String,
        /// What the anchor promises, if it can be read.
        anchored: Option<Box<TreeHead>>,
    },
    /// Somebody else has the folder open.
    #[error("{} is in use by {}", dir.display(), Holder(*pid))]
    Busy {
        /// The ledger's folder.
        dir: PathBuf,
        /// The process, when it is a writer.
        pid: Option<u32>,
    },
    /// There is something where a ledger was to be created.
    #[error("{} exists already", path.display())]
    Exists {
        /// The place.
        path: PathBuf,
    },
    /// The first batch of a new ledger is none.
    #[error("impossible first batch: {0}")]
    Impossible(#[from] BatchError),
    /// Too little space for a copy.
    #[error("{} has {available} bytes free, a copy needs {needed}", path.display())]
    NoSpace {
        /// Where the copy was to lie.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes there are.
        available: u64,
    },
    /// The operating system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder in use.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

pub(super) fn busy(dir: &Path) -> impl FnOnce(LockError) -> OpenError {
    move |error| match error {
        LockError::Busy { pid } => OpenError::Busy { dir: dir.to_owned(), pid },
        LockError::Io(source) => OpenError::Io { path: dir.join("lock"), source },
    }
}

pub(super) fn damaged(path: &Path, reason: String, anchored: Option<Box<TreeHead>>) -> OpenError {
    OpenError::Damaged { path: path.to_owned(), reason, anchored }
}

pub(super) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io { path: path.to_owned(), source }
}

pub(super) fn missing_or_io(
    path: &Path,
    anchored: Option<Box<TreeHead>>,
) -> impl FnOnce(io::Error) -> OpenError {
    move |error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::Missing { path: path.to_owned(), anchored },
        _ => io_error(path)(error),
    }
}

/// A head as people read it.
struct Shown<'a>(&'a TreeHead);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let TreeHead { ledger, size, root } = self.0;
        write!(f, "head {size} (root {}) of ledger {}", root.short(), ledger.short())
    }
}

/// A head that may not be there, at the end of a sentence.
struct Anchored<'a>(Option<&'a TreeHead>);

impl Display for Anchored<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |head| write!(f, "; the anchor states {}", Shown(head)))
    }
}

/// The newest head of a store, or that there is none.
struct Stored<'a>(Option<&'a TreeHead>);

impl Display for Stored<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(head) => Shown(head).fmt(f),
            None => f.write_str("no event"),
        }
    }
}

/// The process that holds a lock.
struct Holder(Option<u32>);

impl Display for Holder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("readers"),
        }
    }
}
