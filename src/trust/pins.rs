//! Pins as files: heads seen earlier, remembered outside the store like ssh's `known_hosts`, and the
//! index from a store's place to its ledger.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledger_format::hash::{ContentHash, LedgerId};
use ledger_format::head::SignedHead;

use crate::effects::{KernelSyncs, syncs};
use crate::ledger::{KnownHead, Pin, PinError, Pins, Prefix, Provenance};

/// Pins as files in the user's state folder, one a ledger and one a place.
#[derive(Debug, Clone)]
pub struct FilePins {
    pins: PathBuf,
    places: PathBuf,
    /// Files whose names were made durable from here.
    durable: Arc<Mutex<BTreeSet<PathBuf>>>,
    /// Heads that the user named.
    named: Vec<KnownHead>,
}

/// What was remembered of a ledger, and is not any more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// The head.
    pub pin: Option<Pin>,
    /// The folders that were known to hold the ledger.
    pub places: Vec<String>,
}

impl FilePins {
    /// Pins in those two folders, made when first needed.
    pub fn new(pins: PathBuf, places: PathBuf) -> Self {
        Self { pins, places, durable: Arc::default(), named: Vec::new() }
    }

    /// The same with heads that the user named.
    #[must_use]
    pub fn naming(self, named: Vec<KnownHead>) -> Self {
        Self { named, ..self }
    }

    /// Forgets the head of `ledger` and every place that was known to hold it, and says what that was. A pin that cannot be read is
    /// forgotten too.
    pub fn forget(&self, ledger: &LedgerId) -> Result<Forgotten, PinError> {
        let file = self.pins.join(ledger.to_string());
        let mut forgotten = Forgotten { pin: self.get(ledger).ok().flatten(), places: Vec::new() };
        for (path, text) in self.all_places()? {
            let mut lines = text.lines();
            if lines.next() == Some(&ledger.to_string()) {
                remove(&path)?;
                forgotten.places.extend(lines.next().map(str::to_owned));
            }
        }
        remove(&file)?;
        Ok(forgotten)
    }

    /// Every file of the index of places.
    fn all_places(&self) -> Result<Vec<(PathBuf, String)>, PinError> {
        let io = |source| PinError::Io { path: self.places.clone(), source };
        let entries = match fs::read_dir(&self.places) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io(error)),
        };
        let mut places = Vec::new();
        for entry in entries {
            let path = entry.map_err(io)?.path();
            if let Some(text) = read(&path)? {
                places.push((path, text));
            }
        }
        places.sort();
        Ok(places)
    }

    /// Writes a file whole or not at all. Its bytes are durable before it has its name, and so is the
    /// name from its first writing here on: whoever made it may have been killed, or refused, before
    /// it was. A file that a power cut brings back as it was before remembers less, and nothing wrong.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), PinError> {
        let write = || -> io::Result<()> {
            let folder = path.parent().unwrap_or(Path::new("."));
            syncs::make_folder(&KernelSyncs, folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            if !self.durable().contains(path) {
                syncs::folder(&KernelSyncs, folder)?;
                self.durable().insert(path.to_owned());
            }
            Ok(())
        };
        write().map_err(|source| PinError::Io { path: path.to_owned(), source })
    }

    fn durable(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
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
        let form = |reason| PinError::Form { path, reason };
        let pin = parse(&text).map_err(form.clone())?;
        if pin.head.head().ledger != *ledger {
            return Err(form("its head is another ledger's".to_owned()));
        }
        Ok(Some(pin))
    }

    fn set(&self, pin: &Pin) -> Result<(), PinError> {
        let path = self.pins.join(pin.head.head().ledger.to_string());
        self.replace(&path, &encode(pin))
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
        self.replace(&path, format!("{ledger}\n{}\n", place.display()).as_bytes())
    }

    fn named(&self) -> &[KnownHead] {
        &self.named
    }
}

/// A pin as its file has it: on a line its provenance, and how far the ledger is known to be complete unless that is up to the head; then
/// the head's note.
fn encode(pin: &Pin) -> Vec<u8> {
    let seen = Prefix::from(pin.head.head());
    let word = pin.provenance.word();
    let line = match pin.provenance.complete().filter(|complete| *complete != seen) {
        None => format!("{word}\n"),
        Some(complete) => format!("{word} {complete}\n"),
    };
    let mut bytes = line.into_bytes();
    bytes.extend(pin.head.encode());
    bytes
}

fn parse(text: &str) -> Result<Pin, String> {
    let (line, note) = text.split_once('\n').ok_or("it has one line only")?;
    let head = SignedHead::parse(note.as_bytes()).map_err(|error| error.to_string())?;
    let provenance = parse_provenance(line, Prefix::from(head.head()))?;
    Ok(Pin { head, provenance })
}

fn parse_provenance(line: &str, seen: Prefix) -> Result<Provenance, &'static str> {
    let (word, complete) = match line.split_once(' ') {
        None => (line, seen),
        Some((word, told)) => (word, complete(told, seen)?),
    };
    let known = [Provenance::Explicit(complete), Provenance::OwnAppend(complete)];
    let first_use = Provenance::FirstUse;
    if line == first_use.word() {
        return Ok(first_use);
    }
    let found = known.into_iter().find(|known| known.word() == word);
    found.ok_or("its first line is no provenance")
}

/// How far the ledger is known to be complete, where its head was seen further on.
fn complete(told: &str, seen: Prefix) -> Result<Prefix, &'static str> {
    let complete: Prefix = told.parse()?;
    if complete.size < seen.size && complete.to_string() == told {
        Ok(complete)
    } else {
        Err("its first line names no events before its head")
    }
}

fn read(path: &Path) -> Result<Option<String>, PinError> {
    match fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| {
            let reason = "it is not text".to_owned();
            PinError::Form { path: path.to_owned(), reason }
        }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PinError::Io { path: path.to_owned(), source }),
    }
}

fn remove(path: &Path) -> Result<(), PinError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(PinError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod conformance;

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
        Pin::own(head)
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

    #[test]
    fn what_is_forgotten_is_told_and_nothing_else_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let pins = FilePins::new(folder.path().join("pins"), folder.path().join("places"));
        let (pin, other) = (pin(), LedgerId::of(&[9; 32], &[9; 16]));
        let ledger = pin.head.head().ledger;
        assert_eq!(pins.forget(&ledger).unwrap(), Forgotten::default());
        pins.set(&pin).unwrap();
        for (place, id) in [("/a/b", ledger), ("/c", other), ("/d", ledger)] {
            pins.set_ledger_at(Path::new(place), &id).unwrap();
        }
        let mut forgotten = pins.forget(&ledger).unwrap();
        forgotten.places.sort();
        let places = vec!["/a/b".to_owned(), "/d".to_owned()];
        assert_eq!(forgotten, Forgotten { pin: Some(pin), places });
        assert_eq!(pins.get(&ledger).unwrap(), None);
        assert_eq!(pins.ledger_at(Path::new("/d")).unwrap(), None);
        assert_eq!(pins.ledger_at(Path::new("/c")).unwrap(), Some(other));
    }
}
