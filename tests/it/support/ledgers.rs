//! Ledgers to judge: in memory, where every byte can be bent, and in folders.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ed25519_dalek::{Signer as _, SigningKey};
use glyph_ledger::effects::{FixedClock, KeySigner};
use glyph_ledger::ledger::{Ledger, MemoryPins, Pins, Surroundings};
use glyph_ledger::log::{Batch, Batches, ReadError, ReadLog, Tip};
use glyph_ledger::objects::{MemoryObjects, Objects as _};
use glyph_ledger::target::sqlite::{Snapshot, image};
use ledger_format::body::{Body, ObjectState};
use ledger_format::hash::{ContentHash, EventId, LedgerId, NodeHash};
use ledger_format::head::{SignedHead, TreeHead};
use ledger_format::tree::Frontier;
use projections::State;

use crate::history::{History, Matter, Names, append};

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn sign(head: TreeHead, key: &SigningKey) -> SignedHead {
    SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text))
}

/// A log that holds whatever a test puts into it.
#[derive(Clone)]
pub(crate) struct VecLog {
    pub(crate) batches: Vec<Batch>,
}

impl VecLog {
    pub(crate) fn ledger(&self) -> LedgerId {
        self.batches[0].head.head().ledger
    }

    pub(crate) fn size(&self) -> u64 {
        self.head().head().size
    }

    pub(crate) fn head(&self) -> &SignedHead {
        &self.batches.last().unwrap().head
    }

    /// Every stored event, to be bent.
    pub(crate) fn event(&mut self, seq: u64) -> &mut Vec<u8> {
        let batch = self.batches.iter_mut().rev().find(|batch| batch.first_seq <= seq).unwrap();
        let at = usize::try_from(seq - batch.first_seq).unwrap();
        &mut batch.events[at]
    }

    /// The batch that holds event `seq`.
    pub(crate) fn range_of(&self, seq: u64) -> Range<u64> {
        let batch = self.batches.iter().rev().find(|batch| batch.first_seq <= seq).unwrap();
        batch.first_seq..batch.first_seq + batch.events.len() as u64
    }

    /// Makes every event from `seq` on link to the one before it, as somebody without the key could.
    pub(crate) fn relink_from(&mut self, seq: u64) {
        for seq in seq..self.size() {
            let prev = EventId::of(self.event(seq - 1));
            let bytes = self.event(seq);
            let mut event = ledger_format::event::Event::decode(bytes).unwrap();
            event.prev = prev;
            *bytes = event.encode().unwrap();
        }
    }

    /// Signs every head anew over what is there, from batch `from` on.
    pub(crate) fn resign_from(&mut self, from: usize, key: &SigningKey) {
        let mut frontier = Frontier::new();
        let ledger = self.ledger();
        for (at, batch) in self.batches.iter_mut().enumerate() {
            for event in &batch.events {
                frontier.push(NodeHash::leaf(EventId::of(event)));
            }
            if at >= from {
                let head = TreeHead { ledger, size: frontier.size(), root: frontier.root() };
                batch.head = sign(head, key);
            }
        }
    }
}

impl ReadLog for VecLog {
    fn tip(&self) -> Result<Option<Tip>, ReadError> {
        let tip = |batch: &Batch| Tip { head: batch.head.clone(), frontier: Frontier::new() };
        Ok(self.batches.last().map(tip))
    }

    fn read(&self, _seqs: Range<u64>) -> Batches<'_> {
        Box::new(self.batches.iter().cloned().map(Ok))
    }
}

/// A legal history in batches of these sizes.
pub(crate) fn log(seed: u64, sizes: &[usize]) -> VecLog {
    log_of(&mut History::new(seed, key(1).verifying_key().to_bytes(), Names), sizes).0
}

/// The same of an open store, with documents that join it and runs with routes.
pub(crate) fn log_of_documents(seed: u64, sizes: &[usize]) -> VecLog {
    let history = History::new(seed, key(1).verifying_key().to_bytes(), Names);
    log_of(&mut history.of_documents(), sizes).0
}

pub(crate) fn log_of<M: Matter>(history: &mut History<M>, sizes: &[usize]) -> (VecLog, State) {
    let mut state = State::new(history.ledger());
    let mut batches = Vec::new();
    for size in sizes {
        let first_seq = state.size();
        let event = |_| {
            let body = history.next(&state);
            append(&mut state, &history.public_key, body)
        };
        let events = (0..*size).map(event).collect();
        batches.push(Batch { first_seq, events, head: sign(state.chain().head(), &key(1)) });
    }
    (VecLog { batches }, state)
}

/// Content and databases that are really there.
pub(crate) struct Kept {
    pub(crate) objects: MemoryObjects,
    folder: tempfile::TempDir,
}

impl Kept {
    pub(crate) fn new() -> Self {
        Self { objects: MemoryObjects::new(), folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn database_path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }
}

impl Matter for Kept {
    fn content(&mut self, bytes: &[u8]) -> ContentHash {
        self.objects.put(bytes).unwrap()
    }

    fn database(&mut self, number: u64) -> ObjectState {
        let connection = rusqlite::Connection::open(self.database_path()).unwrap();
        let sql = format!(
            "PRAGMA synchronous=OFF; PRAGMA page_size=512; CREATE TABLE IF NOT EXISTS t(v); \
             INSERT INTO t SELECT {number} FROM (VALUES (1),(2),(3));"
        );
        connection.execute_batch(&sql).unwrap();
        drop(connection);
        let snapshot = Snapshot::open(&self.database_path(), Duration::ZERO).unwrap();
        let tree = image::take(&snapshot, &mut self.objects).unwrap();
        ObjectState::Database {
            page_root: tree.root(),
            rows: snapshot.content_hash().unwrap().into(),
            schema: snapshot.schema_digest().unwrap().into(),
        }
    }
}

/// A real ledger in a folder, with everything that is remembered about it.
pub(crate) struct Folder {
    pub(crate) dir: PathBuf,
    pub(crate) place: PathBuf,
    pub(crate) pins: Arc<MemoryPins>,
    pub(crate) root: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn create<M: Matter>(history: &mut History<M>, sizes: &[usize]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (place, pins) = (root.path().join(".glyph"), Arc::new(MemoryPins::default()));
        fs::create_dir(&place).unwrap();
        let folder = Self { dir: place.join("ledger"), place, pins, root };
        let signer = KeySigner::new(key(1));
        let mut ledger = Ledger::create(
            &folder.dir,
            &folder.place,
            &signer,
            history.nonce,
            folder.surroundings(),
        )
        .unwrap();
        for size in sizes {
            Self::append_to(&mut ledger, history, *size);
        }
        folder
    }

    /// Appends one batch of bodies that follow each other.
    pub(crate) fn append_to<M: Matter>(ledger: &mut Ledger, history: &mut History<M>, size: usize) {
        // The bodies' run ids depend on the time stamped into events, so the scratch state has it too.
        let mut scratch = ledger.state().clone();
        let mut bodies: Vec<Body> = Vec::new();
        for _ in 0..size {
            let body = history.next(&scratch);
            let at = CLOCK.0;
            let event = ledger_format::event::Event {
                at,
                seq: scratch.size(),
                body: body.clone(),
                prev: scratch.chain().last(),
                actor: ledger_format::hash::KeyId::of(&history.public_key),
                ledger: scratch.chain().ledger(),
            };
            let id = EventId::of(&event.encode().unwrap());
            scratch.apply(projections::Entry { event: &event, id }).unwrap();
            bodies.push(body);
        }
        ledger.append(&KeySigner::new(key(1)), bodies).unwrap();
    }

    pub(crate) fn open(&self) -> Ledger {
        Ledger::open(&self.dir, &self.place, self.surroundings()).unwrap()
    }

    pub(crate) fn surroundings(&self) -> Surroundings {
        let pins: Arc<dyn Pins> = self.pins.clone();
        Surroundings { clock: Arc::new(CLOCK), pins, wait: Duration::ZERO }
    }
}

const CLOCK: FixedClock = FixedClock(1_700_000_000_000);

/// Names, bytes, modes and times of everything below `dir`.
pub(crate) fn fingerprint(dir: &Path) -> BTreeMap<PathBuf, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let metadata = fs::symlink_metadata(&path).unwrap();
            let modified = metadata.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
            let mode = metadata.permissions().mode();
            let content = if metadata.is_dir() {
                folders.push(path.clone());
                String::new()
            } else {
                ContentHash::of(&fs::read(&path).unwrap()).to_string()
            };
            found.insert(path, format!("{mode:o} {} {content}", modified.as_nanos()));
        }
    }
    found
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
