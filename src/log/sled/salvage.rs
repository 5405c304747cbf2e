//! What a store that the engine does not open still holds: frames and heads recognised in the raw
//! bytes of `sled/db`, chained from the first event on. Knows links and roots; knows no key, so
//! whether a head was rightly signed is for the reader to say.
//!
//! The engine writes a leaf anew every few changes, so most frames are found several times, and one
//! that was replaced before it was acknowledged may still be there: of all frames found, the chain of
//! ids decides which belong together. Memory is one index entry for each distinct frame and head.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use ledger_format::chain::{Chain, ChainError};
use ledger_format::event::Event;
use ledger_format::frame::{self, FRAME_BYTES_MAX, Frame, HeadRecord, Salvaged};
use ledger_format::hash::{ContentHash, EventId};
use ledger_format::head::{SignedHead, TreeHead};

use super::OpenOptions;
use super::error::{OpenError, busy, io_error, missing_or_io};
use super::folder::Folder;
use super::lock::Lock;
use super::open::read_identity;
use crate::log::{BATCH_EVENTS_MAX, Batch, Batches, ReadError, ReadLog, Tip};

/// Bytes of the store looked at in one go.
const WINDOW_BYTES: usize = 8 * 1024 * 1024;

/// The longest good prefix of a damaged store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvage {
    /// Events from the first on that were found and chain.
    pub size: u64,
    /// Id of the last of them; [`EventId::GENESIS`] when there is none.
    pub last: EventId,
    /// The newest head whose root is that of the events found. What lies beyond it chains, but no
    /// head vouches for it.
    pub head: Option<TreeHead>,
    /// Why event `size` is not among them.
    pub reason: String,
    /// The head over the most events that was found at all, whether those events were found or not.
    pub newest_seen: Option<TreeHead>,
}

/// The batches of a salvaged store, readable like any log's: those up to its last good head.
#[derive(Debug)]
pub struct SalvagedLog {
    raw: Raw,
    salvage: Salvage,
    tip: Option<Tip>,
    frames: Vec<u64>,
    heads: Vec<HeadAt>,
    _lock: Lock,
}

impl SalvagedLog {
    /// Reads the raw store of the ledger in `dir` under a shared lock, which is held until this is
    /// dropped. Nothing is written.
    pub fn read_raw(dir: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        let folder = Folder::new(dir);
        let identity = read_identity(dir)?;
        let lock = Lock::shared(&folder.lock(), options.wait).map_err(busy(dir))?;
        let path = folder.db();
        let file = File::open(&path).map_err(missing_or_io(&path, None))?;
        let raw = Raw { file, path };
        let unreadable = |error: ReadError| io_error(&raw.path)(io::Error::other(error));
        let empty = Chain::new(identity.ledger());
        let index = Index::scan(&raw, empty).map_err(io_error(&raw.path))?;
        let found = index.longest(&raw).map_err(unreadable)?;
        let head = found.tip.as_ref().map(|tip| *tip.head.head());
        let salvage = Salvage {
            size: found.end.size,
            last: found.end.last,
            head,
            reason: found.end.reason,
            newest_seen: index.newest_seen,
        };
        let Found { frames, heads, tip, .. } = found;
        Ok(Self { raw, salvage, tip, frames, heads, _lock: lock })
    }

    /// What was found.
    pub const fn salvage(&self) -> &Salvage {
        &self.salvage
    }

    fn batch(&self, first_seq: u64, frames: &[u64], head: &HeadAt) -> Result<Batch, ReadError> {
        let damaged =
            |reason: &str| ReadError::Damaged { seq: first_seq, reason: reason.to_owned() };
        if head.size - first_seq > BATCH_EVENTS_MAX as u64 {
            return Err(damaged("the head that closes its batch was not found"));
        }
        let mut events = Vec::new();
        for offset in frames {
            let frame = self.raw.frame(*offset)?;
            events.extend(frame.ok_or_else(|| damaged("a frame changed while being read"))?.events);
        }
        let head = self.raw.head(head.offset)?;
        let head = head.ok_or_else(|| damaged("a head changed while being read"))?;
        Ok(Batch { first_seq, events, head })
    }
}

impl ReadLog for SalvagedLog {
    fn tip(&self) -> Result<Option<Tip>, ReadError> {
        Ok(self.tip.clone())
    }

    fn read(&self, seqs: Range<u64>) -> Batches<'_> {
        let first = self.heads.partition_point(|head| head.size <= seqs.start);
        let before = first.checked_sub(1).and_then(|at| self.heads.get(at));
        let mut last = before.copied().unwrap_or_default();
        let heads = self.heads.get(first..).unwrap_or_default().iter();
        Box::new(heads.map_while(move |head| {
            let previous = std::mem::replace(&mut last, *head);
            let frames = self.frames.get(previous.frames..head.frames).unwrap_or_default();
            (!seqs.is_empty() && previous.size < seqs.end)
                .then(|| self.batch(previous.size, frames, head))
        }))
    }
}

/// A head that fits the events before it.
#[derive(Debug, Clone, Copy, Default)]
struct HeadAt {
    size: u64,
    offset: u64,
    /// Frames up to it.
    frames: usize,
}

/// The engine's file as bytes.
#[derive(Debug)]
struct Raw {
    file: File,
    path: PathBuf,
}

impl Raw {
    fn frame(&self, offset: u64) -> Result<Option<Frame>, ReadError> {
        let bytes = self.read(offset, FRAME_BYTES_MAX)?;
        Ok(Frame::decode_prefix(&bytes).ok().map(|(frame, _)| frame))
    }

    fn head(&self, offset: u64) -> Result<Option<SignedHead>, ReadError> {
        let bytes = self.read(offset, FRAME_BYTES_MAX)?;
        let record = HeadRecord::decode_prefix(&bytes).ok();
        Ok(record.and_then(|(record, _)| SignedHead::parse(&record.note).ok()))
    }

    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, ReadError> {
        self.read_up_to(offset, length)
            .map_err(|source| ReadError::Io { path: self.path.clone(), source })
    }

    /// Reads `length` bytes, or fewer at the end of the file.
    fn read_up_to(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

/// Where distinct frames and heads of one ledger lie.
struct Index {
    empty: Chain,
    frames: HashMap<u64, Vec<Place>>,
    heads: HashMap<u64, Vec<Place>>,
    newest_seen: Option<TreeHead>,
}

struct Place {
    content: ContentHash,
    offset: u64,
}

impl Index {
    fn scan(raw: &Raw, empty: Chain) -> io::Result<Self> {
        let (frames, heads) = (HashMap::new(), HashMap::new());
        let mut index = Self { empty, frames, heads, newest_seen: None };
        let end = raw.file.metadata()?.len();
        let mut start = 0;
        loop {
            // What begins in this window may end behind it.
            let left = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
            let window = raw.read_up_to(start, left.min(WINDOW_BYTES + FRAME_BYTES_MAX))?;
            for (at, found) in frame::salvage(&window).take_while(|(at, _)| *at < WINDOW_BYTES) {
                index.add(start + at as u64, &found);
            }
            if window.len() <= WINDOW_BYTES {
                return Ok(index);
            }
            start += WINDOW_BYTES as u64;
        }
    }

    fn add(&mut self, offset: u64, found: &Salvaged) {
        match found {
            Salvaged::Frame(frame) if frame.ledger == self.empty.ledger() => {
                add_place(&mut self.frames, frame.first_seq, &frame.encode(), offset);
            }
            Salvaged::Head(record) if record.ledger == self.empty.ledger() => {
                let Ok(head) = SignedHead::parse(&record.note) else { return };
                let head = *head.head();
                if head.ledger != record.ledger || head.size != record.size {
                    return;
                }
                add_place(&mut self.heads, record.size, &record.note, offset);
                if self.newest_seen.is_none_or(|newest| newest.size < head.size) {
                    self.newest_seen = Some(head);
                }
            }
            Salvaged::Frame(_) | Salvaged::Head(_) => {}
        }
    }

    /// Follows the ids from the first event on. Where several frames continue the chain, each is
    /// tried; as a frame names its predecessor by hash, none is ever reached on two ways.
    fn longest(&self, raw: &Raw) -> Result<Found, ReadError> {
        let mut walk = Walk::new(self.empty.clone());
        let mut untried: Vec<Branch> = Vec::new();
        let mut best: Option<Found> = None;
        loop {
            let (next, end) = self.step(raw, &walk)?;
            if next.is_empty() && best.as_ref().is_none_or(|best| best.rank() < walk.rank(&end)) {
                best = Some(walk.found(end));
            }
            untried.extend(next);
            match (untried.pop(), best.take()) {
                (Some(branch), kept) => {
                    walk.follow(branch, self, raw)?;
                    best = kept;
                }
                (None, Some(best)) => return Ok(best),
                (None, None) => return Ok(walk.found(End::of(&walk.chain))),
            }
        }
    }

    /// The frames that continue `walk` whole, and where it ends if there are none.
    fn step(&self, raw: &Raw, walk: &Walk) -> Result<(Vec<Branch>, End), ReadError> {
        let mut next = Vec::new();
        let mut end = End::of(&walk.chain);
        for place in self.frames.get(&end.size).map(Vec::as_slice).unwrap_or_default() {
            let Some(frame) = raw.frame(place.offset)? else { continue };
            match extend(&walk.chain, &frame, walk.tip.as_ref().map_or(0, Tip::size)) {
                Ok(chain) => next.push(walk.branch(chain, place.offset)),
                Err(broken) if broken.size >= end.size => end = broken,
                Err(_) => {}
            }
        }
        Ok((next, end))
    }

    /// Where the head that states exactly `chain` lies.
    fn head_of(&self, raw: &Raw, chain: &Chain) -> Result<Option<(u64, SignedHead)>, ReadError> {
        let stated = chain.head();
        for place in self.heads.get(&stated.size).map(Vec::as_slice).unwrap_or_default() {
            if let Some(head) = raw.head(place.offset)?.filter(|head| *head.head() == stated) {
                return Ok(Some((place.offset, head)));
            }
        }
        Ok(None)
    }
}

/// One way from the first event on, as far as it has been followed.
struct Walk {
    chain: Chain,
    frames: Vec<u64>,
    heads: Vec<HeadAt>,
    tip: Option<Tip>,
}

/// A frame that continues a walk, and what the walk was before it.
struct Branch {
    chain: Chain,
    offset: u64,
    frames: usize,
    heads: usize,
    tip: Option<Tip>,
}

/// The last event that chains, and why the next one does not.
struct End {
    size: u64,
    last: EventId,
    reason: String,
}

/// Where a walk ended, and all that lies on it.
struct Found {
    frames: Vec<u64>,
    heads: Vec<HeadAt>,
    tip: Option<Tip>,
    end: End,
}

impl Walk {
    const fn new(empty: Chain) -> Self {
        Self { chain: empty, frames: Vec::new(), heads: Vec::new(), tip: None }
    }

    fn branch(&self, chain: Chain, offset: u64) -> Branch {
        let (frames, heads) = (self.frames.len(), self.heads.len());
        Branch { chain, offset, frames, heads, tip: self.tip.clone() }
    }

    /// Goes back to where `branch` begins, and along it.
    fn follow(&mut self, branch: Branch, index: &Index, raw: &Raw) -> Result<(), ReadError> {
        self.frames.truncate(branch.frames);
        self.heads.truncate(branch.heads);
        self.frames.push(branch.offset);
        self.chain = branch.chain;
        self.tip = branch.tip;
        if let Some((offset, head)) = index.head_of(raw, &self.chain)? {
            self.heads.push(HeadAt { size: self.chain.size(), offset, frames: self.frames.len() });
            self.tip = Some(Tip { head, frontier: self.chain.frontier().clone() });
        }
        Ok(())
    }

    /// What a head vouches for counts more than what only chains.
    fn rank(&self, end: &End) -> (u64, u64) {
        (self.tip.as_ref().map_or(0, Tip::size), end.size)
    }

    fn found(&self, end: End) -> Found {
        let (frames, heads) = (self.frames.clone(), self.heads.clone());
        Found { frames, heads, tip: self.tip.clone(), end }
    }
}

impl Found {
    fn rank(&self) -> (u64, u64) {
        (self.tip.as_ref().map_or(0, Tip::size), self.end.size)
    }
}

impl End {
    fn of(chain: &Chain) -> Self {
        let reason = format!("no frame that begins with event {} was found", chain.size());
        Self { size: chain.size(), last: chain.last(), reason }
    }
}

/// The chain with all events of `frame`, or how far it goes and why not further. A head vouches for
/// the first `vouched` events.
fn extend(chain: &Chain, frame: &Frame, vouched: u64) -> Result<Chain, End> {
    let mut chain = chain.clone();
    let mut before = None;
    let mut events = frame.events.iter().peekable();
    while let Some(bytes) = events.next() {
        let (size, last) = (chain.size(), chain.last());
        let end = |reason: String| End { size, last, reason: format!("event {size}: {reason}") };
        let event = Event::decode(bytes).map_err(|error| end(error.to_string()))?;
        let id = EventId::of(bytes);
        match chain.push(&event, id) {
            Ok(()) => before = Some((size, last)),
            // Its successor says what the event before was. Where no head vouches for that event,
            // it is the one that was changed, unless the link is what was changed: then the next
            // event does not name this one either.
            Err(ChainError::Prev { expected, actual }) => {
                let named = events.peek().is_none_or(|next| names(next, id));
                let changed = before.filter(|(size, _)| named && *size >= vouched);
                let (size, last) = changed.ok_or_else(|| {
                    end(format!("names {actual} as its predecessor, expected {expected}"))
                })?;
                let reason =
                    format!("event {size}: hashes to {expected}, its successor names {actual}");
                return Err(End { size, last, reason });
            }
            Err(error) => return Err(end(error.to_string())),
        }
    }
    Ok(chain)
}

/// Whether the event in `bytes` continues the event `id`.
fn names(bytes: &[u8], id: EventId) -> bool {
    Event::decode(bytes).is_ok_and(|event| event.prev == id)
}

fn add_place(places: &mut HashMap<u64, Vec<Place>>, at: u64, bytes: &[u8], offset: u64) {
    let content = ContentHash::of(bytes);
    let places = places.entry(at).or_default();
    if places.iter().all(|place| place.content != content) {
        places.push(Place { content, offset });
    }
}
