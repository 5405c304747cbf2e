//! Pins: heads seen earlier, remembered outside the store like ssh's `known_hosts`, and the index from
//! a store's place to its ledger. What a ledger shows later must continue what was pinned.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ledger_format::hash::{ContentHash, LedgerId};
use ledger_format::head::SignedHead;

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
    const ALL: [(Self, &str); 3] = [
        (Self::FirstUse, "first-use"),
        (Self::Explicit, "explicit"),
        (Self::OwnAppend, "own-append"),
    ];

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
}

/// Pins as files in the user's state folder, one a ledger and one a place.
#[derive(Debug, Clone)]
pub struct FilePins {
    pins: PathBuf,
    places: PathBuf,
}

impl FilePins {
    /// Pins in those two folders, made when first needed.
    pub const fn new(pins: PathBuf, places: PathBuf) -> Self {
        Self { pins, places }
    }

    fn place_file(&self, place: &Path) -> PathBuf {
        let place = place.as_os_str().as_encoded_bytes();
        self.places.join(ContentHash::of(place).to_string())
    }
}

impl Pins for FilePins {
    fn get(&self, ledger: &LedgerId) -> Result<Option<Pin>, PinError> {
        let path = self.pins.join(ledger.to_string());
        let Some(text) = read(&path)? else { return Ok(None) };
        let form = |reason: &str| PinError::Form { path: path.clone(), reason: reason.to_owned() };
        let (word, note) = text.split_once('\n').ok_or_else(|| form("it has one line only"))?;
        let provenance = Provenance::ALL.iter().find(|(_, known)| *known == word);
        let (provenance, _) = provenance.ok_or_else(|| form("its first line is no provenance"))?;
        let head = SignedHead::parse(note.as_bytes()).map_err(|error| form(&error.to_string()))?;
        if head.head().ledger != *ledger {
            return Err(form("its head is another ledger's"));
        }
        Ok(Some(Pin { head, provenance: *provenance }))
    }

    fn set(&self, pin: &Pin) -> Result<(), PinError> {
        let path = self.pins.join(pin.head.head().ledger.to_string());
        let mut bytes = format!("{}\n", pin.provenance.word()).into_bytes();
        bytes.extend(pin.head.encode());
        replace(&path, &bytes)
    }

    fn ledger_at(&self, place: &Path) -> Result<Option<LedgerId>, PinError> {
        let path = self.place_file(place);
        let Some(text) = read(&path)? else { return Ok(None) };
        let id = text.lines().next().unwrap_or_default().parse();
        let form = |reason: String| PinError::Form { path, reason };
        id.map(Some).map_err(|error: ledger_format::hash::NotAHash| form(error.to_string()))
    }

    fn set_ledger_at(&self, place: &Path, ledger: &LedgerId) -> Result<(), PinError> {
        let path = self.place_file(place);
        replace(&path, format!("{ledger}\n{}\n", place.display()).as_bytes())
    }
}

/// Pins in memory.
#[derive(Debug, Default)]
pub struct MemoryPins {
    pins: Mutex<BTreeMap<LedgerId, Pin>>,
    places: Mutex<BTreeMap<PathBuf, LedgerId>>,
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
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn read(path: &Path) -> Result<Option<String>, PinError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PinError::Io { path: path.to_owned(), source }),
    }
}

/// Writes a file whole or not at all, durably.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), PinError> {
    let write = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(|source| PinError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use ledger_format::hash::NodeHash;
    use ledger_format::head::TreeHead;

    use super::*;

    fn pin() -> Pin {
        let key = SigningKey::from_bytes(&[7; 32]);
        let ledger = LedgerId::of(key.verifying_key().as_bytes(), &[1; 16]);
        let head = TreeHead { ledger, size: 3, root: NodeHash::empty_root() };
        let head = SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text));
        Pin { head, provenance: Provenance::OwnAppend }
    }

    #[test]
    fn pins_read_back_and_damaged_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let pins = FilePins::new(folder.path().join("pins"), folder.path().join("places"));
        let pin = pin();
        let ledger = pin.head.head().ledger;
        assert_eq!(pins.get(&ledger).unwrap(), None);
        pins.set(&pin).unwrap();
        assert_eq!(pins.get(&ledger).unwrap(), Some(pin));
        let file = folder.path().join("pins").join(ledger.to_string());
        fs::write(&file, "own-append\nnot a note").unwrap();
        assert!(matches!(pins.get(&ledger), Err(PinError::Form { .. })));
    }

    #[test]
    fn a_place_remembers_its_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let pins = FilePins::new(folder.path().join("pins"), folder.path().join("places"));
        let ledger = pin().head.head().ledger;
        assert_eq!(pins.ledger_at(Path::new("/a/b")).unwrap(), None);
        pins.set_ledger_at(Path::new("/a/b"), &ledger).unwrap();
        assert_eq!(pins.ledger_at(Path::new("/a/b")).unwrap(), Some(ledger));
        assert_eq!(pins.ledger_at(Path::new("/a")).unwrap(), None);
    }
}
