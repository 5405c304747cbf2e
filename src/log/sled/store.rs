//! Keys and values in the engine. The one tree holds, by kind byte and big-endian number:
//!
//! | key | value |
//! |---|---|
//! | `e` ‖ first seq | a frame: a run of events of one batch |
//! | `h` ‖ size | the head record that closes a batch |
//! | `r` | the right edge of the newest tree, rewritten with every batch |
//!
//! The engine is sled 0.34.7. What it does that this module has to know:
//! - It panics on some damage and opens empty on other, so every call is made inside
//!   `catch_unwind` and what it returns is compared with the anchor by the caller.
//! - Opening writes: it creates `conf` and `blobs/`, overwrites the rest of the last segment after
//!   the last whole message, zeroes segments behind a tear, and replaces `snap.*`. So whoever wants
//!   to look without changing opens a copy.
//! - A leaf is split beyond 16 entries, and a leaf of more than 128 KiB would go into a file in
//!   `blobs/` that is never synced; with values of at most 6 KiB none does.
//! - When a write fails in one of its own threads, a `flush` that waits for it may never be woken.
//! - Dropping it flushes and syncs, and panics where that fails.
//! - A read error while it opens is a torn end to it, behind which it writes zeros.
//! - `flush` writes and starts the write-back but is no fsync.
//! - Its cache forgets nothing before each of 256 queues has noted 64 accesses to pages. Reading once
//!   from beginning to end is one access a page, and appending few, so the whole store would stay in memory.

use std::fmt::Display;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use ::sled::{Config, Db};
use ledger_format::frame::{Frame, HeadRecord};
use ledger_format::hash::{HASH_BYTES, LedgerId, NodeHash};
use ledger_format::head::SignedHead;
use ledger_format::tree::Frontier;

use super::quiet;
use super::waker::Waker;
use crate::log::{BATCH_EVENTS_MAX, Batch, ReadError, Tip, is_of};

/// The engine's unit of writing and reuse, in bytes. Its default; the size from which a leaf goes
/// into a file of its own is a quarter of it.
const SEGMENT_BYTES: usize = 512 * 1024;

/// Attempts to open while a thread of a just closed handle of this process still holds the file, and
/// the pause between them: two seconds together, where milliseconds have always been enough.
const OPEN_ATTEMPTS_MAX: u32 = 200;
const OPEN_PAUSE: Duration = Duration::from_millis(10);

/// How often a frame is looked up again after it was read or written, so that the cache's queues fill after some
/// 20 MB instead of after 16,384 pages. Each takes less than a microsecond.
const LOOKUPS_PER_FRAME: u32 = 4;

/// Held while anything is written. The engine has one lock for all its stores in a process, which a batch
/// takes and a flush shares; were another store's batch waiting for it, no flush could wake anybody.
static WRITING: Mutex<()> = Mutex::new(());

const FRAME_KIND: u8 = b'e';
const HEAD_KIND: u8 = b'h';
const FRONTIER_KEY: [u8; 1] = *b"r";

/// The open engine.
#[derive(Debug)]
pub(super) struct Store {
    /// There from the first write on. Stands first, so that it has let go of the engine before the engine
    /// is dropped here, where its panic is caught.
    waker: OnceLock<Waker>,
    db: Db,
    path: PathBuf,
    ledger: LedgerId,
}

/// The engine failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The operating system said no.
    #[error(transparent)]
    Io(io::Error),
    /// What it holds makes no sense to it.
    #[error("the engine reports: {0}")]
    Damaged(String),
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(error) => error,
            Fault::Damaged(_) => Self::other(fault),
        }
    }
}

impl Store {
    /// Opens the engine's folder `path`, or creates it: whether there is one must be known before.
    pub(super) fn open(path: &Path, ledger: LedgerId, cache_bytes: u64) -> Result<Self, Fault> {
        let config = Config::new()
            .path(path)
            .flush_every_ms(None)
            .cache_capacity(cache_bytes)
            .segment_size(SEGMENT_BYTES)
            .use_compression(false)
            .temporary(false);
        let mut attempts = 1;
        loop {
            match guarded(|| config.open()) {
                Err(Fault::Io(error)) if attempts < OPEN_ATTEMPTS_MAX && is_locked(&error) => {
                    attempts += 1;
                    thread::sleep(OPEN_PAUSE);
                }
                Err(fault) => return Err(fault),
                Ok(db) => {
                    let (path, waker) = (path.to_owned(), OnceLock::new());
                    return Ok(Self { waker, db, path, ledger });
                }
            }
        }
    }

    /// Closes the engine, which then flushes and syncs once more, and panics where that fails.
    pub(super) fn close(self) -> Result<(), Fault> {
        let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        let flushed = self.woken(|| self.db.flush());
        let closed = guarded(|| {
            drop(self);
            Ok(())
        });
        flushed.and(closed)
    }

    /// Writes one batch as one transaction and hands it to the kernel. It is not yet durable.
    pub(super) fn write(&self, batch: &Batch, frontier: &Frontier) -> Result<(), Fault> {
        let (mut writes, mut keys) = (::sled::Batch::default(), Vec::new());
        for frame in Frame::pack(self.ledger, batch.first_seq, &batch.events) {
            let key = key(FRAME_KIND, frame.first_seq);
            writes.insert(&key, frame.encode());
            keys.push(key);
        }
        let size = batch.head.head().size;
        let head = HeadRecord { ledger: self.ledger, size, note: batch.head.encode() };
        writes.insert(&key(HEAD_KIND, size), head.encode());
        writes.insert(&FRONTIER_KEY, encode_frontier(frontier));
        let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        self.woken(|| self.db.apply_batch(writes))?;
        self.woken(|| self.db.flush())?;
        keys.iter().try_for_each(|key| self.count_access(key))
    }

    /// Makes a call that waits for the engine to write, and is woken should the engine forget it.
    fn woken<T>(&self, call: impl FnOnce() -> ::sled::Result<T>) -> Result<T, Fault> {
        let waker = self.waker.get_or_init(|| {
            let db = self.db.clone();
            Waker::start(move || {
                let db = db.clone();
                Box::new(move || drop(guarded(move || db.flush())))
            })
        });
        waker.over(|| guarded(call))
    }

    /// The newest head with the frontier that belongs to it; `None` when there is no head at all.
    pub(super) fn tip(&self) -> Result<Option<Tip>, ReadError> {
        let newest =
            self.call(0, || self.db.range(kind_range(HEAD_KIND)).next_back().transpose())?;
        let Some((key, value)) = newest else { return Ok(None) };
        let head = decode_head(&key, &value)?;
        let size = head.head().size;
        let frontier = self.call(size, || self.db.get(FRONTIER_KEY))?;
        let frontier = frontier.as_deref().and_then(decode_frontier);
        match frontier {
            Some(frontier) if is_of(&frontier, head.head()) => Ok(Some(Tip { head, frontier })),
            Some(_) => {
                Err(damaged(size, "the frontier does not hash to the root of the newest head"))
            }
            None => Err(damaged(size, "the frontier of the newest head is missing or unreadable")),
        }
    }

    /// The head that closes the batch ending at `size`, if there is one.
    pub(super) fn head_at(&self, size: u64) -> Result<Option<SignedHead>, ReadError> {
        let key = key(HEAD_KIND, size);
        let value = self.call(size, || self.db.get(key))?;
        value.map(|value| decode_head(&key, &value)).transpose()
    }

    /// The last event of a log that ends at `size`.
    pub(super) fn last_event(&self, size: u64) -> Result<Vec<u8>, ReadError> {
        let seq = size.saturating_sub(1);
        let last =
            self.call(seq, || self.db.range(kind_range(FRAME_KIND)).next_back().transpose())?;
        let (key, value) = last.ok_or_else(|| damaged(seq, "there is no event at all"))?;
        let mut frame = self.frame(&key, &value, seq)?;
        if frame.first_seq + frame.events.len() as u64 != size {
            return Err(damaged(seq, "the last event is not the one the newest head ends with"));
        }
        frame.events.pop().ok_or_else(|| damaged(seq, "the last frame is empty"))
    }

    /// The batches that hold an event of `seqs`, as far as `size`, where the log ends.
    pub(super) fn read(&self, seqs: Range<u64>, size: u64) -> Reader<'_> {
        let end = seqs.end.min(size);
        let start = seqs.start.min(end);
        let before = || {
            let upto = key(HEAD_KIND, 0)..=key(HEAD_KIND, start);
            self.db.range(upto).next_back().transpose()
        };
        let first = self
            .call(start, before)
            .map(|found| found.and_then(|(key, _)| number(&key, HEAD_KIND)).unwrap_or_default());
        let (next, failure) = match first {
            Ok(next) => (next, None),
            Err(error) => (start, Some(error)),
        };
        let heads =
            self.db.range(key(HEAD_KIND, next.saturating_add(1))..=key(HEAD_KIND, u64::MAX));
        let frames = self.db.range(key(FRAME_KIND, next)..=key(FRAME_KIND, u64::MAX));
        Reader { store: self, heads, frames, next, end: if start < end { end } else { 0 }, failure }
    }

    /// Whether the engine put anything into files of their own, which it never syncs.
    pub(super) fn has_blobs(path: &Path) -> io::Result<bool> {
        match std::fs::read_dir(path.join("blobs")) {
            Ok(mut entries) => Ok(entries.next().is_some()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the cache count what has been read or written, and drop it in time.
    fn count_access(&self, key: &[u8]) -> Result<(), Fault> {
        (0..LOOKUPS_PER_FRAME).try_for_each(|_| guarded(|| self.db.get(key)).map(drop))
    }

    fn frame(&self, key: &[u8], value: &[u8], expected: u64) -> Result<Frame, ReadError> {
        let frame = Frame::decode(value).map_err(|error| damaged(expected, &error))?;
        if number(key, FRAME_KIND) != Some(frame.first_seq) {
            return Err(damaged(expected, "a frame stands under another number than its own"));
        }
        if frame.ledger != self.ledger {
            return Err(damaged(expected, &format!("a frame belongs to ledger {}", frame.ledger)));
        }
        Ok(frame)
    }

    /// Calls the engine; what it says is about event `seq`.
    fn call<T>(&self, seq: u64, call: impl FnOnce() -> ::sled::Result<T>) -> Result<T, ReadError> {
        guarded(call).map_err(|fault| self.unread(seq, fault))
    }

    /// What the engine said about event `seq`.
    fn unread(&self, seq: u64, fault: Fault) -> ReadError {
        match fault {
            Fault::Io(source) => ReadError::Io { path: self.path.clone(), source },
            fault @ Fault::Damaged(_) => damaged(seq, &fault),
        }
    }
}

/// Batches in order, read from two ranges of the tree side by side.
pub(super) struct Reader<'a> {
    store: &'a Store,
    heads: ::sled::Iter,
    frames: ::sled::Iter,
    next: u64,
    end: u64,
    failure: Option<ReadError>,
}

impl Iterator for Reader<'_> {
    type Item = Result<Batch, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match self.failure.take() {
            Some(error) => Err(error),
            None if self.next >= self.end => return None,
            None => self.batch(),
        };
        match &batch {
            Ok(batch) => self.next = batch.head.head().size,
            Err(_) => self.end = 0,
        }
        Some(batch)
    }
}

impl Reader<'_> {
    fn batch(&mut self) -> Result<Batch, ReadError> {
        let first_seq = self.next;
        let found = self.store.call(first_seq, || self.heads.next().transpose())?;
        let (key, value) = found.ok_or_else(|| damaged(first_seq, "its head is missing"))?;
        let head = decode_head(&key, &value)?;
        let count =
            usize::try_from(head.head().size.saturating_sub(first_seq)).unwrap_or(usize::MAX);
        if count > BATCH_EVENTS_MAX {
            return Err(damaged(first_seq, "the head that closes its batch is missing"));
        }
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            let seq = first_seq + events.len() as u64;
            let found = self.store.call(seq, || self.frames.next().transpose())?;
            let (key, value) = found.ok_or_else(|| damaged(seq, "it is missing"))?;
            let frame = self.store.frame(&key, &value, seq)?;
            self.store.count_access(&key).map_err(|fault| self.store.unread(seq, fault))?;
            if frame.first_seq != seq {
                return Err(damaged(seq, &format!("the next frame begins at {}", frame.first_seq)));
            }
            events.extend(frame.events);
        }
        if events.len() > count {
            return Err(damaged(first_seq, "a frame reaches beyond the head of its batch"));
        }
        Ok(Batch { first_seq, events, head })
    }
}

fn decode_head(key: &[u8], value: &[u8]) -> Result<SignedHead, ReadError> {
    let size = number(key, HEAD_KIND).unwrap_or_default();
    let record = HeadRecord::decode(value).map_err(|error| damaged(size, &error))?;
    let head = SignedHead::parse(&record.note).map_err(|error| damaged(size, &error))?;
    let stated = *head.head();
    if record.size != size || stated.size != size {
        return Err(damaged(size, "a head stands under another size than it states"));
    }
    // Another ledger's head is returned as such: the caller names both ledgers.
    if record.ledger != stated.ledger {
        return Err(damaged(size, "a head states another ledger than its record"));
    }
    Ok(head)
}

pub(super) fn key(kind: u8, number: u64) -> [u8; 9] {
    let mut key = [kind; 9];
    if let Some(digits) = key.last_chunk_mut() {
        *digits = number.to_be_bytes();
    }
    key
}

fn kind_range(kind: u8) -> std::ops::RangeInclusive<[u8; 9]> {
    key(kind, 0)..=key(kind, u64::MAX)
}

pub(super) fn number(key: &[u8], kind: u8) -> Option<u64> {
    let number = key.strip_prefix(&[kind])?;
    Some(u64::from_be_bytes(number.try_into().ok()?))
}

pub(super) fn encode_frontier(frontier: &Frontier) -> Vec<u8> {
    let mut bytes = frontier.size().to_be_bytes().to_vec();
    for node in frontier.nodes() {
        bytes.extend_from_slice(node.as_bytes());
    }
    bytes
}

pub(super) fn decode_frontier(bytes: &[u8]) -> Option<Frontier> {
    let (size, rest) = bytes.split_first_chunk::<8>()?;
    let (nodes, []) = rest.as_chunks::<HASH_BYTES>() else { return None };
    let nodes = nodes.iter().map(|node| NodeHash::from_bytes(*node)).collect();
    Frontier::from_nodes(u64::from_be_bytes(*size), nodes).ok()
}

fn damaged(seq: u64, reason: &(impl Display + ?Sized)) -> ReadError {
    ReadError::Damaged { seq, reason: reason.to_string() }
}

/// Calls the engine. A panic of its is its way of reporting damage.
fn guarded<T>(call: impl FnOnce() -> ::sled::Result<T>) -> Result<T, Fault> {
    match quiet::during(|| catch_unwind(AssertUnwindSafe(call))) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(::sled::Error::Io(error))) => Err(Fault::Io(error)),
        Ok(Err(error)) => {
            // The engine adds a trace of its own code, which tells a reader nothing.
            let told = error.to_string();
            let told = told.split(" backtrace").next().unwrap_or_default().to_owned();
            Err(Fault::Damaged(told))
        }
        Err(panic) => Err(Fault::Damaged(format!("a panic: {}", message(panic.as_ref())))),
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

fn is_locked(error: &io::Error) -> bool {
    error.to_string().starts_with("could not acquire lock")
}
