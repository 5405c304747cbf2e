//! The history that is written and read: a store of one append-only file that grows and is observed,
//! event after event. Legal by every rule, about 300 bytes an event.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use glyph_ledger::effects::{KeySigner, SystemClock};
use glyph_ledger::ledger::{Ledger, LedgerError, MemoryPins, Pins, Surroundings};
use glyph_ledger::trust::FilePins;
use ledger_format::body::{Body, Cause, ObjectObserved, ObjectState, Origin, StoreAdopted};
use ledger_format::hash::ContentHash;

use crate::error::Error;

const OBJECT: &str = "audit/events.jsonl";

/// Bytes by which the file grows from one event to the next.
const GROWTH_BYTES: u64 = 160;

/// A folder that holds one ledger and the user's memory of its head.
pub(crate) struct Place {
    dir: PathBuf,
}

impl Place {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.dir.join("ledger")
    }

    /// The state cache's folder.
    pub(crate) fn cache(&self) -> PathBuf {
        self.ledger().join("cache")
    }

    /// Heads remembered in files, as the command line does it.
    pub(crate) fn pins(&self) -> FilePins {
        FilePins::new(self.dir.join("pins"), self.dir.join("places"))
    }

    pub(crate) fn create(&self, memory: Memory) -> Result<Ledger, LedgerError> {
        let surroundings = surroundings(match memory {
            Memory::Files => Arc::new(self.pins()),
            Memory::Process => Arc::new(MemoryPins::default()),
        });
        Ledger::create(&self.ledger(), &self.ledger(), &signer(), [2; 16], surroundings)
    }

    pub(crate) fn open(&self) -> Result<Ledger, LedgerError> {
        Ledger::open(&self.ledger(), &self.ledger(), surroundings(Arc::new(self.pins())))
    }
}

/// Where the newest head is remembered.
#[derive(Clone, Copy)]
pub(crate) enum Memory {
    /// In a file outside the ledger, durably, as the command line does it.
    Files,
    /// Nowhere that outlives the process.
    Process,
}

fn surroundings(pins: Arc<dyn Pins>) -> Surroundings {
    Surroundings { clock: Arc::new(SystemClock), pins, wait: Duration::ZERO }
}

/// The same key everywhere: what it signs is thrown away.
pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

pub(crate) fn signer() -> KeySigner {
    KeySigner::new(signing_key())
}

/// Where a history stands: what its next events say.
#[derive(Default)]
pub(crate) struct Growth {
    observed: u64,
}

impl Growth {
    /// Adopts the store in `ledger`.
    pub(crate) fn begin(ledger: &mut Ledger) -> Result<Self, Error> {
        let mut growth = Self::default();
        let adopted = StoreAdopted {
            contract: "glyph-store".to_owned(),
            version: "1".to_owned(),
            origin: Origin::Adopted,
            objects: 1,
            open: false,
        };
        ledger.append(&signer(), vec![growth.next(Cause::Baseline), adopted.into()])?;
        Ok(growth)
    }

    /// The next `count` events.
    pub(crate) fn bodies(&mut self, count: usize) -> Vec<Body> {
        (0..count).map(|_| self.next(Cause::DataChange)).collect()
    }

    fn next(&mut self, cause: Cause) -> Body {
        self.observed += 1;
        let hash = |part: u8| {
            let mut seed = [part; 9];
            if let Some(digits) = seed.last_chunk_mut() {
                *digits = self.observed.to_be_bytes();
            }
            ContentHash::of(&seed)
        };
        let bytes = self.observed * GROWTH_BYTES;
        let state = ObjectState::Log { content: hash(0), bytes, tail: hash(1).into() };
        ObjectObserved { object: OBJECT.to_owned(), cause, state }.into()
    }
}
