//! A log in a folder, on the sled engine. Below this module, and nowhere else, sled has a name.
//!
//! Opening and appending are arranged so that nothing acknowledged is ever lost unnoticed:
//! an append is acknowledged when the engine has it, our own `fdatasync` of its file has returned and
//! the anchor beside it has moved; a store that does not reach its anchor is refused with both sides
//! named, and keeps its bytes; an fsync that failed is never tried again, the store is written anew.

mod anchor;
#[cfg(test)]
mod conformance;
mod copy;
mod create;
mod error;
mod folder;
mod lock;
mod open;
mod quiet;
mod salvage;
mod store;
mod waker;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ledger_format::event::Event;
use ledger_format::hash::EventId;
use ledger_format::tree::Frontier;

pub use anchor::{Anchor, AnchorFault, AnchorReading};
pub use copy::copy_for_reading;
pub use error::OpenError;
pub use folder::Identity;
pub use open::{read_anchor, read_identity};
pub use salvage::{Salvage, SalvagedLog};

use crate::effects::{KernelSyncs, Syncs};

use super::{AppendError, Batch, Batches, Closing, Log, ReadError, ReadLog, Tip};
use anchor::AnchorFile;
use error::busy;
use folder::{Folder, Trace};
use lock::Lock;
use open::Opening;
use store::{Fault, Store};

/// Memory the engine may use for pages it has read, in bytes: enough that appending, which goes to the end,
/// reads nothing again, and small beside what the state of a ledger of many objects takes.
pub const CACHE_BYTES_DEFAULT: u64 = 16 * 1024 * 1024;

/// How to open a ledger's folder.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// How long to wait for a lock that somebody else holds.
    pub wait: Duration,
    /// Memory for the engine's pages, in bytes.
    pub cache_bytes: u64,
    /// Who makes written bytes durable.
    pub syncs: Arc<dyn Syncs>,
}

impl Default for OpenOptions {
    /// No waiting, [`CACHE_BYTES_DEFAULT`], the kernel's fsync.
    fn default() -> Self {
        Self {
            wait: Duration::ZERO,
            cache_bytes: CACHE_BYTES_DEFAULT,
            syncs: Arc::new(KernelSyncs),
        }
    }
}

/// An open ledger folder. Nobody else has it open: the lock is held until this is dropped.
#[derive(Debug)]
pub struct SledLog {
    folder: Folder,
    identity: Identity,
    syncs: Arc<dyn Syncs>,
    /// `None` only while being dropped.
    store: Option<Store>,
    db: File,
    anchor: AnchorFile,
    anchored: AnchorReading,
    tip: Tip,
    state: State,
    _lock: Lock,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Settled,
    Tail,
    Poisoned,
}

/// How the store stands to its anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation<'a> {
    /// Both end with the same head.
    Settled,
    /// The store holds whole batches beyond the anchor: appended, perhaps never acknowledged. Who
    /// knows the keys judges them and calls [`Log::accept_tail`]; before that nothing is
    /// appended.
    TailBeyondAnchor {
        /// Where the anchor stands.
        anchored: &'a Anchor,
    },
}

impl SledLog {
    /// Creates the folder `dir` of a new ledger with its first batch. It is built beside its place
    /// and appears there whole or not at all.
    pub fn init(
        dir: &Path,
        identity: &Identity,
        first: &Batch,
        frontier: &Frontier,
        options: &OpenOptions,
    ) -> Result<Self, OpenError> {
        create::create(dir, identity, first, frontier, options)?;
        Self::open(dir, options)
    }

    /// Opens the ledger in the folder `dir`.
    pub fn open(dir: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        refuse_links(dir)?;
        let folder = Folder::new(dir);
        let identity = read_identity(dir)?;
        let lock = Lock::exclusive(&folder.lock(), options.wait).map_err(busy(dir))?;
        let opening = Opening { folder: &folder, identity, options };
        opening.clear_leftovers()?;
        opening.renew()?;
        let (anchor, anchored) = opening.anchor()?;
        opening.look(&anchored.anchor)?;
        opening.rehearse(&anchored.anchor)?;
        let (store, db, tip) = opening.open(&anchored.anchor)?;
        let settled = tip.size() == anchored.anchor.head.head().size;
        let state = if settled { State::Settled } else { State::Tail };
        let syncs = Arc::clone(&options.syncs);
        let store = Some(store);
        Ok(Self { folder, identity, syncs, store, db, anchor, anchored, tip, state, _lock: lock })
    }

    /// Who the ledger is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How the store stands to its anchor.
    pub const fn relation(&self) -> Relation<'_> {
        match self.state {
            State::Tail => Relation::TailBeyondAnchor { anchored: &self.anchored.anchor },
            State::Settled | State::Poisoned => Relation::Settled,
        }
    }

    /// The slot of the anchor that could not be read on opening, if there was one: torn by a power
    /// cut during an append, or changed afterwards.
    pub const fn anchor_fault(&self) -> Option<&AnchorFault> {
        self.anchored.fault.as_ref()
    }

    fn last_closing(&self) -> Result<Closing, ReadError> {
        let size = self.tip.size();
        let damaged = |reason: String| ReadError::Damaged { seq: size.saturating_sub(1), reason };
        let store = self.store.as_ref().ok_or_else(|| damaged("closed".to_owned()))?;
        let last = store.last_event(size)?;
        let event = Event::decode(&last).map_err(|error| damaged(error.to_string()))?;
        Ok(Closing { last: EventId::of(&last), last_at: event.at })
    }

    /// The last two steps of an append: `fdatasync` on our own handle, then the anchor.
    fn acknowledge(&mut self, tip: Tip, closing: Closing) -> Result<(), AppendError> {
        let Closing { last, last_at } = closing;
        let anchor = Anchor { head: tip.head.clone(), last, last_at };
        if let Err(error) = self.syncs.data(&self.db) {
            return Err(self.poison(self.folder.db(), error, true));
        }
        if let Err(error) = self.anchor.write(&anchor, &*self.syncs) {
            return Err(self.poison(self.folder.anchor(), error, true));
        }
        self.anchored.anchor = anchor;
        self.tip = tip;
        Ok(())
    }

    /// Ends writing through this handle. With `renew`, the kernel may take for clean what the disk
    /// never got, so the next opening writes the store anew.
    fn poison(&mut self, path: PathBuf, source: io::Error, renew: bool) -> AppendError {
        self.state = State::Poisoned;
        let marked = if renew { mark_poisoned(&self.folder, &path, &source) } else { Ok(()) };
        let source = match marked {
            Ok(()) => source,
            Err(error) => io::Error::other(format!(
                "{source}; and {} cannot be written: {error}",
                self.folder.poisoned().display()
            )),
        };
        AppendError::InDoubt { path, source }
    }

    fn poisoned(&self) -> AppendError {
        AppendError::Poisoned { path: self.folder.dir.clone() }
    }

    /// Hands the batch to the engine.
    fn write(&self, batch: &Batch, frontier: &Frontier) -> Result<(), Fault> {
        let store = self.store.as_ref().ok_or_else(|| Fault::Damaged("closed".to_owned()))?;
        store.write(batch, frontier)?;
        if Store::has_blobs(&self.folder.store()).map_err(Fault::Io)? {
            return Err(Fault::Damaged("a value went into a file that is never synced".to_owned()));
        }
        Ok(())
    }
}

impl ReadLog for SledLog {
    fn tip(&self) -> Result<Option<Tip>, ReadError> {
        Ok(Some(self.tip.clone()))
    }

    fn read(&self, seqs: Range<u64>) -> Batches<'_> {
        match &self.store {
            Some(store) => Box::new(store.read(seqs, self.tip.size())),
            None => Box::new(std::iter::empty()),
        }
    }
}

impl Log for SledLog {
    fn append(
        &mut self,
        expected_size: u64,
        batch: &Batch,
        frontier: &Frontier,
    ) -> Result<(), AppendError> {
        match self.state {
            State::Settled => {}
            State::Poisoned => return Err(self.poisoned()),
            State::Tail => {
                let anchored = self.anchored.anchor.head.head().size;
                return Err(AppendError::Unsettled { anchored, stored: self.tip.size() });
            }
        }
        if self.tip.size() != expected_size {
            let actual = Some(Box::new(self.tip.clone()));
            return Err(AppendError::HeadMoved { expected: expected_size, actual });
        }
        let closing = batch.check(self.identity.ledger(), expected_size, frontier)?;
        if let Err(fault) = self.write(batch, frontier) {
            let error = io::Error::from(fault);
            let renew = error.kind() != io::ErrorKind::StorageFull;
            return Err(self.poison(self.folder.store(), error, renew));
        }
        self.acknowledge(Tip { head: batch.head.clone(), frontier: frontier.clone() }, closing)
    }

    /// Makes the tail beyond the anchor durable and anchors it.
    fn accept_tail(&mut self) -> Result<Option<u64>, AppendError> {
        match self.state {
            State::Settled => return Ok(None),
            State::Poisoned => return Err(self.poisoned()),
            State::Tail => {}
        }
        let anchored = self.anchored.anchor.head.head().size;
        let closing = self.last_closing().map_err(|error| AppendError::InDoubt {
            path: self.folder.store(),
            source: io::Error::other(error),
        })?;
        self.state = State::Settled;
        self.acknowledge(self.tip.clone(), closing)?;
        Ok(Some(anchored))
    }
}

impl Drop for SledLog {
    /// Leaves the trace by which the next opening sees that nobody wrote in between. It is a hint:
    /// without it that opening takes longer, and nothing else.
    fn drop(&mut self) {
        let closed = self.store.take().map_or(Ok(()), Store::close);
        if self.state == State::Poisoned {
            return;
        }
        match closed {
            Ok(()) => drop(leave_trace(&self.folder, &self.db)),
            // Everything acknowledged is durable; of what the engine wrote since, nobody knows.
            Err(fault) => drop(mark_poisoned(&self.folder, &self.folder.db(), &fault.into())),
        }
    }
}

/// Refuses a folder that holds a link: whoever made the folder could have us write through it.
fn refuse_links(dir: &Path) -> Result<(), OpenError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            // What is not there is named by whoever needs it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(io(&folder))?,
        };
        for entry in entries {
            let entry = entry.map_err(io(&folder))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(io(&folder))?);
            if kind.is_symlink() {
                let reason = "it is a link, and a ledger's folder holds none".to_owned();
                return Err(OpenError::Damaged { path, reason, anchored: None });
            }
            if kind.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(())
}

fn mark_poisoned(folder: &Folder, path: &Path, error: &io::Error) -> io::Result<()> {
    fs::write(folder.poisoned(), format!("{}: {error}\n", path.display()))
}

/// Gives the engine's file a time nobody else would give it, and writes that down.
fn leave_trace(folder: &Folder, db: &File) -> io::Result<()> {
    db.set_modified(SystemTime::now())?;
    fs::write(folder.closed(), Trace::of(&folder.db())?.text())
}

#[cfg(test)]
mod tests;
