//! The judge of a published folder: whether its tiles and bundles are those of the history that its head closes. Has the folder and
//! nothing else; derives everything from the events' bytes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ed25519_dalek::VerifyingKey;
use ledger_format::body::{Role, usable_key};
use ledger_format::event::{EVENT_BYTES_MAX, Event, EventError};
use ledger_format::hash::{EventId, HASH_BYTES, KeyId, LedgerId, NodeHash};
use ledger_format::head::{HeadError, SignedHead};
use ledger_format::heads::{self, HEADS_BYTES_MAX};
use ledger_format::tile::{TILE_WIDTH, Tile, entries, root_of, tile_bytes, tiles_of};
use ledger_format::tree::Frontier;
use projections::{Entry, Illegal, KeyRing, State};

use super::publication::{CHECKPOINT, PublicationError, bounded, open, read_head};
use super::vouching::heads_path;

/// What a good folder holds.
#[derive(Debug)]
pub struct Published {
    /// Its head.
    pub head: SignedHead,
    /// The public key that signed it.
    pub signer: VerifyingKey,
    /// The log key that signed it too, if one did that may publish heads.
    pub log_key: Option<KeyId>,
    /// Every key that the events know.
    pub keys: KeyRing,
    /// What was passed at the sizes that the caller asked for, as far as there are so many events.
    pub passed: Vec<Passed>,
}

/// A folder's history at some size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// Number of events.
    pub size: u64,
    /// Root over their ids.
    pub root: NodeHash,
    /// Who signed the last of them.
    pub actor: KeyId,
}

/// A folder that is not what a head says.
#[derive(Debug, thiserror::Error)]
pub enum PublishedError {
    /// The head could not be read.
    #[error(transparent)]
    Head(#[from] PublicationError),
    /// It is of another ledger.
    #[error("the folder has ledger {there}, expected {expected}")]
    Foreign {
        /// The ledger there.
        there: LedgerId,
        /// The one that was expected.
        expected: LedgerId,
    },
    /// A file that the head needs is missing or cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// A file has other bytes than follow from the events.
    #[error("{}: {reason}", path.display())]
    Differs {
        /// The file.
        path: PathBuf,
        /// How.
        reason: &'static str,
    },
    /// Bytes that are no event.
    #[error("event {seq}: {error}")]
    Event {
        /// Its place.
        seq: u64,
        /// What is wrong.
        error: EventError,
    },
    /// An event that may not stand there.
    #[error("event {seq}: {rule}")]
    Illegal {
        /// Its place.
        seq: u64,
        /// The rule.
        rule: Illegal,
    },
    /// The events have another root than the head says.
    #[error("the events have root {found}, the head over {size} says {stated}")]
    Root {
        /// The head's size.
        size: u64,
        /// The head's root.
        stated: NodeHash,
        /// The root of the events.
        found: NodeHash,
    },
    /// The head is not signed by whoever signed the last event.
    #[error("the head names {named}, its last event was signed by {actor}")]
    Signer {
        /// The actor that the head names.
        named: KeyId,
        /// The actor of the last event.
        actor: KeyId,
    },
    /// The signature does not verify.
    #[error(transparent)]
    Signature(#[from] HeadError),
    /// Events that no head by their actor covers, so that they may be anybody's; or a head that nothing needs.
    #[error("the heads beside the newest are not those of everyone else who signed: {told}")]
    Unsigned {
        /// What does not fit.
        told: String,
    },
}

/// Judges the folder `dir`: of ledger `expected`, if one is. Says which roots the first so many events have.
pub fn verify_published(
    dir: &Path,
    expected: Option<LedgerId>,
    sizes: &[u64],
) -> Result<Published, PublishedError> {
    let head = read_head(&dir.join(CHECKPOINT))?;
    let there = head.head().ledger;
    if let Some(expected) = expected.filter(|expected| *expected != there) {
        return Err(PublishedError::Foreign { there, expected });
    }
    if head.head().size == 0 {
        let (path, reason) = (dir.join(CHECKPOINT), "a head over no events");
        return Err(PublishedError::Differs { path, reason });
    }
    let heads = read_heads(dir, &head)?;
    let mut judge = Judge::new(dir, there, sizes, heads);
    for tile in tiles_of(head.head().size) {
        if tile.level == 0 {
            judge.leaves(tile)?;
        } else {
            judge.nodes(tile)?;
        }
    }
    judge.end(head)
}

struct Judge<'a> {
    dir: &'a Path,
    state: State,
    tree: Frontier,
    /// Roots of the full tiles so far, by level, from those of leaves on.
    rows: Vec<Vec<NodeHash>>,
    actor: Option<KeyId>,
    /// Of everyone who signed an event, the last that they did.
    signed_last: BTreeMap<KeyId, u64>,
    /// The heads beside the newest, by size.
    heads: BTreeMap<u64, SignedHead>,
    sizes: &'a [u64],
    passed: Vec<Passed>,
}

impl<'a> Judge<'a> {
    fn new(dir: &'a Path, ledger: LedgerId, sizes: &'a [u64], heads: Vec<SignedHead>) -> Self {
        let heads = heads.into_iter().map(|head| (head.head().size, head)).collect();
        Self {
            dir,
            state: State::new(ledger),
            tree: Frontier::new(),
            rows: vec![Vec::new()],
            actor: None,
            signed_last: BTreeMap::new(),
            heads,
            sizes,
            passed: Vec::new(),
        }
    }

    /// A tile of leaves with its events.
    fn leaves(&mut self, tile: Tile) -> Result<(), PublishedError> {
        let path = self.dir.join(tile.entries_path());
        let longest = (EVENT_BYTES_MAX as u64 + 2) * TILE_WIDTH;
        let bytes = read(&path, longest)?;
        let reason = "not the length-prefixed events that its name says";
        let events = entries(&bytes, tile.width).ok_or(PublishedError::Differs { path, reason })?;
        let mut hashes = Vec::with_capacity(events.len());
        for bytes in events {
            hashes.push(self.event(bytes)?);
        }
        self.compare(tile, &hashes)
    }

    fn event(&mut self, bytes: &[u8]) -> Result<NodeHash, PublishedError> {
        let seq = self.state.size();
        let event = Event::decode(bytes).map_err(|error| PublishedError::Event { seq, error })?;
        let id = EventId::of(bytes);
        let entry = Entry { event: &event, id };
        self.state.apply(entry).map_err(|rule| PublishedError::Illegal { seq, rule })?;
        self.actor = Some(event.actor);
        self.signed_last.insert(event.actor, seq);
        let leaf = NodeHash::leaf(id);
        self.tree.push(leaf);
        if self.sizes.contains(&self.tree.size()) {
            let (size, root, actor) = (self.tree.size(), self.tree.root(), event.actor);
            self.passed.push(Passed { size, root, actor });
        }
        if let Some(head) = self.heads.get(&self.tree.size()) {
            self.closes(head)?;
        }
        Ok(leaf)
    }

    /// A head must be over the events so far, by whoever signed the last of them.
    fn closes(&self, head: &SignedHead) -> Result<VerifyingKey, PublishedError> {
        let (stated, found, size) = (head.head().root, self.tree.root(), head.head().size);
        if stated != found {
            return Err(PublishedError::Root { size, stated, found });
        }
        let named = head.signer();
        let known = self.state.keys().known(&named);
        // The rules let nobody sign an event who may not sign, so whoever signed the last one may sign the head over it.
        let signer = match (self.actor, known.and_then(|known| usable_key(&known.public_key.0))) {
            (Some(actor), Some(key)) if actor == named => key,
            (actor, _) => {
                return Err(PublishedError::Signer { named, actor: actor.unwrap_or(named) });
            }
        };
        head.verify(&signer)?;
        Ok(signer)
    }

    /// Everyone who signed an event must have signed a head over the last that they did, and no other heads are there.
    fn must_be_vouched_for(&self, newest: &SignedHead) -> Result<(), PublishedError> {
        let unsigned = |told: String| PublishedError::Unsigned { told };
        for (actor, seq) in &self.signed_last {
            let own = self
                .heads
                .get(&(seq + 1))
                .or_else(|| Some(newest).filter(|_| *seq + 1 == newest.head().size));
            if own.is_none_or(|own| own.signer() != *actor) {
                let told = format!("there is none by key {} over event {seq}", actor.short());
                return Err(unsigned(told));
            }
        }
        if self.heads.len() + 1 != self.signed_last.len() {
            return Err(unsigned("there are more than that".to_owned()));
        }
        Ok(())
    }

    /// A tile of roots of those below.
    fn nodes(&mut self, tile: Tile) -> Result<(), PublishedError> {
        let below = self.rows.get(tile.level as usize - 1).map(Vec::as_slice).unwrap_or_default();
        let first = usize::try_from(tile.index * TILE_WIDTH).unwrap_or(usize::MAX);
        let last = first.saturating_add(usize::try_from(tile.width).unwrap_or(usize::MAX));
        let hashes = below.get(first..last).unwrap_or_default().to_vec();
        self.compare(tile, &hashes)
    }

    /// The file of a tile with what it must hold; a full one has a root in the row above.
    fn compare(&mut self, tile: Tile, hashes: &[NodeHash]) -> Result<(), PublishedError> {
        let path = self.dir.join(tile.path());
        let bytes = read(&path, TILE_WIDTH * HASH_BYTES as u64)?;
        if bytes != tile_bytes(hashes) {
            let reason = "other hashes than those of the events";
            return Err(PublishedError::Differs { path, reason });
        }
        if tile.is_full() {
            let level = tile.level as usize;
            if self.rows.len() <= level {
                self.rows.push(Vec::new());
            }
            if let Some(row) = self.rows.get_mut(level) {
                row.push(root_of(hashes));
            }
        }
        Ok(())
    }

    fn end(self, head: SignedHead) -> Result<Published, PublishedError> {
        let signer = self.closes(&head)?;
        self.must_be_vouched_for(&head)?;
        let mut publishers =
            self.state.keys().iter().filter(|known| known.roles.contains(Role::Publish));
        let log_key = publishers.find_map(|known| {
            let key = usable_key(&known.public_key.0)?;
            head.verify_published(&key).ok().map(|()| KeyId::of(&known.public_key.0))
        });
        let keys = self.state.keys().clone();
        Ok(Published { head, signer, log_key, keys, passed: self.passed })
    }
}

/// A file no longer than any of its kind.
/// The heads that belong to `newest`.
fn read_heads(dir: &Path, newest: &SignedHead) -> Result<Vec<SignedHead>, PublishedError> {
    let size = newest.head().size;
    let path = dir.join(heads_path(size));
    let bytes = read(&path, HEADS_BYTES_MAX)?;
    let fits = |heads: &Vec<SignedHead>| {
        heads
            .iter()
            .all(|head| head.head().size < size && head.head().ledger == newest.head().ledger)
    };
    let reason = "no array of heads of this ledger before its newest, one a signer";
    heads::read_heads(&bytes).filter(fits).ok_or(PublishedError::Differs { path, reason })
}

fn read(path: &Path, longest: u64) -> Result<Vec<u8>, PublishedError> {
    let io = |source| PublishedError::Io { path: path.to_owned(), source };
    let file = open(path)?.ok_or_else(|| io(io::ErrorKind::NotFound.into()))?;
    let reason = "longer than any file of its kind";
    bounded(file, longest)
        .map_err(io)?
        .ok_or_else(|| PublishedError::Differs { path: path.to_owned(), reason })
}
