//! Heads seen earlier, as whoever opens a ledger must be given them. What a ledger shows later must
//! continue what was remembered. Knows no file: the user's memory lies outside the store, above.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ledger_format::hash::LedgerId;
use ledger_format::head::SignedHead;

use super::{KnownHead, Prefix};

/// How a pin came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// Seen for the first time: detects going back from here, proves no completeness.
    FirstUse,
    /// The user named a head: so far nothing is missing.
    Explicit(Prefix),
    /// Made here: so far nothing is missing.
    OwnAppend(Prefix),
}

impl Provenance {
    /// The word in pin files and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::FirstUse => "first-use",
            Self::Explicit(_) => "explicit",
            Self::OwnAppend(_) => "own-append",
        }
    }

    /// How far a pin of this kind shows a ledger to be complete. What was seen behind that may be cut off behind what was seen.
    pub const fn complete(self) -> Option<Prefix> {
        match self {
            Self::FirstUse => None,
            Self::Explicit(prefix) | Self::OwnAppend(prefix) => Some(prefix),
        }
    }

    /// The same after an append from here, which leads up to `head`. It does not make the past of a ledger better known that was found.
    #[must_use]
    pub const fn appended(self, head: Prefix) -> Self {
        match self {
            Self::FirstUse => Self::FirstUse,
            Self::Explicit(_) => Self::Explicit(head),
            Self::OwnAppend(_) => Self::OwnAppend(head),
        }
    }

    /// The same for a user who vouches for `head`, which the ledger contains.
    #[must_use]
    pub const fn vouched(self, head: Prefix) -> Self {
        match self {
            Self::Explicit(known) | Self::OwnAppend(known) if known.size >= head.size => self,
            Self::FirstUse | Self::Explicit(_) => Self::Explicit(head),
            Self::OwnAppend(_) => Self::OwnAppend(head),
        }
    }
}

/// What is remembered of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The newest head seen.
    pub head: SignedHead,
    /// How the user came to know the ledger, and how far.
    pub provenance: Provenance,
}

impl Pin {
    /// Of a head that was made here, as all before it.
    pub fn own(head: SignedHead) -> Self {
        let provenance = Provenance::OwnAppend(Prefix::from(head.head()));
        Self { head, provenance }
    }
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
