//! Heads seen earlier, as whoever opens a ledger must be given them. What a ledger shows later must
//! continue what was remembered. Knows no file: the user's memory lies outside the store, above.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ledger_format::hash::LedgerId;
use ledger_format::head::SignedHead;

use super::KnownHead;

/// How a pin came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provenance {
    /// Seen for the first time: detects going back from here, proves no completeness.
    FirstUse,
    /// Named by the user.
    Explicit,
    /// Appended from here.
    OwnAppend,
}

impl Provenance {
    /// Every provenance, weakest first.
    pub const ALL: [Self; 3] = [Self::FirstUse, Self::Explicit, Self::OwnAppend];

    /// The word in pin files and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::FirstUse => "first-use",
            Self::Explicit => "explicit",
            Self::OwnAppend => "own-append",
        }
    }

    /// Whether a pin of this kind can show a ledger to be complete.
    pub const fn proves_completeness(self) -> bool {
        matches!(self, Self::Explicit | Self::OwnAppend)
    }
}

/// A remembered head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The head.
    pub head: SignedHead,
    /// How it came to be remembered.
    pub provenance: Provenance,
}

/// A pin that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The file system.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Not a pin.
    #[error("{path} is not a pin: {reason}")]
    Form {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

/// Remembers heads by ledger, and ledgers by place.
pub trait Pins: Send + Sync {
    /// The head remembered of `ledger`.
    fn get(&self, ledger: &LedgerId) -> Result<Option<Pin>, PinError>;

    /// Remembers a head. Whether it continues the one before is for the caller to have checked.
    fn set(&self, pin: &Pin) -> Result<(), PinError>;

    /// The ledger that was last seen in the folder `place`.
    fn ledger_at(&self, place: &Path) -> Result<Option<LedgerId>, PinError>;

    /// Remembers that `ledger` lies in the folder `place`.
    fn set_ledger_at(&self, place: &Path, ledger: &LedgerId) -> Result<(), PinError>;

    /// Heads that the user named, to hold against whatever ledger is opened.
    fn named(&self) -> &[KnownHead] {
        &[]
    }
}

/// Pins in memory.
#[derive(Debug, Default)]
pub struct MemoryPins {
    pins: Mutex<BTreeMap<LedgerId, Pin>>,
    places: Mutex<BTreeMap<PathBuf, LedgerId>>,
    named: Vec<KnownHead>,
}

impl MemoryPins {
    /// The same with heads that a user named.
    #[must_use]
    pub fn naming(self, named: Vec<KnownHead>) -> Self {
        Self { named, ..self }
    }
}

impl Pins for MemoryPins {
    fn get(&self, ledger: &LedgerId) -> Result<Option<Pin>, PinError> {
        Ok(locked(&self.pins).get(ledger).cloned())
    }

    fn set(&self, pin: &Pin) -> Result<(), PinError> {
        locked(&self.pins).insert(pin.head.head().ledger, pin.clone());
        Ok(())
    }

    fn ledger_at(&self, place: &Path) -> Result<Option<LedgerId>, PinError> {
        Ok(locked(&self.places).get(place).copied())
    }

    fn set_ledger_at(&self, place: &Path, ledger: &LedgerId) -> Result<(), PinError> {
        locked(&self.places).insert(place.to_owned(), *ledger);
        Ok(())
    }

    fn named(&self) -> &[KnownHead] {
        &self.named
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
