//! A log in a folder, on the sled engine. Below this module, and nowhere else, sled has a name.
//!
//! Opening and appending are arranged so that nothing acknowledged is ever lost unnoticed:
//! an append is acknowledged when the engine has it, our own `fdatasync` of its file has returned and
//! the anchor beside it has moved; a store that does not reach its anchor is refused with both sides
//! named, and keeps its bytes; an fsync that failed is never tried again, the store is written anew.

mod anchor;
mod folder;
mod lock;
mod quiet;
mod store;
mod syncs;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ledger_format::event::Event;
use ledger_format::hash::{EventId, LedgerId};
use ledger_format::head::TreeHead;
use ledger_format::tree::Frontier;

pub use anchor::{Anchor, AnchorFault, AnchorReading};
pub use folder::Identity;
pub use syncs::{Kernel, Syncs};

use super::{AppendError, Batch, BatchError, Batches, Closing, Log, ReadError, ReadLog, Tip};
use anchor::AnchorFile;
use folder::{Folder, REHEARSAL_PREFIX, Trace};
use lock::{Lock, LockError};
use store::{Fault, Store};

/// Memory the engine may use for pages it has read, in bytes: enough that appending reads nothing
/// again, small beside what a desktop has.
pub const CACHE_BYTES_DEFAULT: u64 = 64 * 1024 * 1024;

/// Free space asked for beyond the bytes to be copied: the engine writes on opening, at most a few
/// segments of 512 KiB.
const COPY_SLACK_BYTES: u64 = 16 * 1024 * 1024;

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
        Self { wait: Duration::ZERO, cache_bytes: CACHE_BYTES_DEFAULT, syncs: Arc::new(Kernel) }
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
    /// knows the keys judges them and calls [`SledLog::accept_tail`]; before that nothing is
    /// appended.
    TailBeyondAnchor {
        /// Where the anchor stands.
        anchored: &'a Anchor,
    },
}

/// Why a ledger's folder was not opened, created or copied. Where it was there before, it is as it
/// was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something a ledger's folder has is not there.
    #[error("{} is missing{}", path.display(), Anchored(anchored.as_deref()))]
    Missing {
        /// What is missing.
        path: PathBuf,
        /// What the anchor promises, if there is one.
        anchored: Option<Box<TreeHead>>,
    },
    /// The folder holds parts of two ledgers.
    #[error("{} belongs to ledger {expected}, but holds {}", dir.display(), Shown(found))]
    Foreign {
        /// The ledger's folder.
        dir: PathBuf,
        /// The ledger it says it is.
        expected: LedgerId,
        /// The newest head found of another one.
        found: Box<TreeHead>,
    },
    /// The store and the anchor have the same ledger and different histories.
    #[error("{} holds {}, but its anchor states {}", dir.display(), Shown(stored), Shown(anchored))]
    Forked {
        /// The ledger's folder.
        dir: PathBuf,
        /// The newest acknowledged head.
        anchored: Box<TreeHead>,
        /// The head the store has in its place, or the newest of a store that has none there.
        stored: Box<TreeHead>,
    },
    /// The store ends before its anchor: an older copy, emptied or cut off.
    #[error(
        "{} holds {}, but its anchor states {}",
        dir.display(), Stored(stored.as_deref()), Shown(anchored)
    )]
    Regressed {
        /// The ledger's folder.
        dir: PathBuf,
        /// The newest acknowledged head.
        anchored: Box<TreeHead>,
        /// The newest head in the store; `None` when it is empty.
        stored: Option<Box<TreeHead>>,
    },
    /// Something is there and cannot be read.
    #[error("{} is damaged: {reason}{}", path.display(), Anchored(anchored.as_deref()))]
    Damaged {
        /// What is damaged.
        path: PathBuf,
        /// What was found.
        reason: String,
        /// What the anchor promises, if it can be read.
        anchored: Option<Box<TreeHead>>,
    },
    /// Somebody else has the folder open.
    #[error("{} is in use by {}", dir.display(), Holder(*pid))]
    Busy {
        /// The ledger's folder.
        dir: PathBuf,
        /// The process, when it is a writer.
        pid: Option<u32>,
    },
    /// There is something where a ledger was to be created.
    #[error("{} exists already", path.display())]
    Exists {
        /// The place.
        path: PathBuf,
    },
    /// The first batch of a new ledger is none.
    #[error("impossible first batch: {0}")]
    Impossible(#[from] BatchError),
    /// Too little space for a copy.
    #[error("{} has {available} bytes free, a copy needs {needed}", path.display())]
    NoSpace {
        /// Where the copy was to lie.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes there are.
        available: u64,
    },
    /// The operating system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder in use.
        path: PathBuf,
        /// What it said.
        source: io::Error,
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
        match fs::symlink_metadata(dir) {
            Ok(_) => return Err(OpenError::Exists { path: dir.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(io_error(dir)(source)),
        }
        let closing = first.check(identity.ledger(), 0, frontier)?;
        let parent = match dir.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let building = tempfile::Builder::new().prefix(".glyph-ledger-init.").tempdir_in(parent);
        let building = building.map_err(io_error(parent))?;
        build(building.path(), identity, first, frontier, closing, options)?;
        fs::rename(building.path(), dir).map_err(io_error(dir))?;
        // There is nothing left to remove at the temporary place.
        let _moved = building.keep();
        syncs::folder(&*options.syncs, parent).map_err(io_error(parent))?;
        Self::open(dir, options)
    }

    /// Opens the ledger in the folder `dir`.
    pub fn open(dir: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        let folder = Folder::new(dir);
        let identity = read_identity(&folder)?;
        let lock = Lock::exclusive(&folder.lock(), options.wait).map_err(busy(dir))?;
        let opening = Opening { folder: &folder, identity, options };
        opening.clear_leftovers()?;
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

    /// Makes the tail beyond the anchor durable and anchors it. The caller has verified its links and
    /// signatures from the anchored head on.
    pub fn accept_tail(&mut self) -> Result<(), AppendError> {
        match self.state {
            State::Settled => return Ok(()),
            State::Poisoned => return Err(self.poisoned()),
            State::Tail => {}
        }
        let closing = self.last_closing().map_err(|error| AppendError::InDoubt {
            path: self.folder.store(),
            source: io::Error::other(error),
        })?;
        self.state = State::Settled;
        self.acknowledge(self.tip.clone(), closing)
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
}

impl Drop for SledLog {
    /// Leaves the trace by which the next opening sees that nobody wrote in between. It is a hint:
    /// without it that opening takes longer, and nothing else.
    fn drop(&mut self) {
        drop(self.store.take());
        if self.state != State::Poisoned {
            let _unknown = leave_trace(&self.folder, &self.db);
        }
    }
}

/// Reads the anchor of the ledger in `dir` without locking or opening anything: what was newest when
/// it was last acknowledged, also while a writer is at work.
pub fn read_anchor(dir: &Path) -> Result<AnchorReading, OpenError> {
    let folder = Folder::new(dir);
    let identity = read_identity(&folder)?;
    let path = folder.anchor();
    let read = anchor::read(&path).map_err(missing_or_io(&path, None))?;
    own_anchor(&folder, identity, read)
}

/// Reads who the ledger in `dir` is.
pub fn read_identity_of(dir: &Path) -> Result<Identity, OpenError> {
    read_identity(&Folder::new(dir))
}

/// One opening of a folder whose lock is held.
struct Opening<'a> {
    folder: &'a Folder,
    identity: Identity,
    options: &'a OpenOptions,
}

impl Opening<'_> {
    /// Removes what an opening that was killed left behind.
    fn clear_leftovers(&self) -> Result<(), OpenError> {
        let dir = &self.folder.dir;
        for entry in fs::read_dir(dir).map_err(io_error(dir))? {
            let entry = entry.map_err(io_error(dir))?;
            if entry.file_name().to_string_lossy().starts_with(REHEARSAL_PREFIX) {
                fs::remove_dir_all(entry.path()).map_err(io_error(&entry.path()))?;
            }
        }
        Ok(())
    }

    fn anchor(&self) -> Result<(AnchorFile, AnchorReading), OpenError> {
        let path = self.folder.anchor();
        let opened = AnchorFile::open(&path).map_err(missing_or_io(&path, None))?;
        let (file, reading) = match opened {
            Ok((file, reading)) => (Some(file), Ok(reading)),
            Err(fault) => (None, Err(fault)),
        };
        let reading = own_anchor(self.folder, self.identity, reading)?;
        let file = file.ok_or_else(|| damaged(&path, "no slot is readable".to_owned(), None))?;
        Ok((file, reading))
    }

    /// Refuses what can be refused without the engine.
    fn look(&self, anchor: &Anchor) -> Result<(), OpenError> {
        let anchored = Box::new(*anchor.head.head());
        let db = self.folder.db();
        let found = fs::metadata(&db).map_err(missing_or_io(&db, Some(anchored.clone())))?;
        if found.len() == 0 {
            let dir = self.folder.dir.clone();
            return Err(OpenError::Regressed { dir, anchored, stored: None });
        }
        self.no_blobs(&self.folder.store(), anchor)
    }

    /// Opens a copy first, unless the store is as it was when it was last closed in order: the engine
    /// writes while it opens, and a store that is then refused must keep its bytes for salvage.
    fn rehearse(&self, anchor: &Anchor) -> Result<(), OpenError> {
        let db = self.folder.db();
        let trace = Trace::of(&db).map_err(io_error(&db))?;
        if fs::read_to_string(self.folder.closed()).is_ok_and(|text| text == trace.text()) {
            return Ok(());
        }
        let dir = &self.folder.dir;
        enough_space(&self.folder.store(), dir)?;
        let rehearsal = tempfile::Builder::new().prefix(REHEARSAL_PREFIX).tempdir_in(dir);
        let rehearsal = rehearsal.map_err(io_error(dir))?;
        let copy = rehearsal.path().join("sled");
        folder::copy_store(&self.folder.store(), &copy, &NoSync).map_err(io_error(&copy))?;
        let store = self.start(&copy, anchor)?;
        self.judge(&store, anchor)?;
        Ok(())
    }

    /// Opens the store in its place, and makes durable whatever an earlier process left with the
    /// kernel, before and after the engine has looked at it.
    fn open(&self, anchor: &Anchor) -> Result<(Store, File, Tip), OpenError> {
        let (path, db_path) = (self.folder.store(), self.folder.db());
        remove_half_snapshots(&path)?;
        let db =
            File::options().read(true).write(true).open(&db_path).map_err(io_error(&db_path))?;
        self.sync(&db_path, self.options.syncs.data(&db))?;
        let store = self.start(&path, anchor)?;
        let tip = self.judge(&store, anchor)?;
        self.sync(&db_path, self.options.syncs.data(&db))?;
        self.sync(&path, syncs::folder(&*self.options.syncs, &path))?;
        Ok((store, db, tip))
    }

    fn sync(&self, path: &Path, result: io::Result<()>) -> Result<(), OpenError> {
        result.map_err(|source| match mark_poisoned(self.folder, path, &source) {
            Ok(()) => io_error(path)(source),
            Err(error) => io_error(&self.folder.poisoned())(error),
        })
    }

    fn start(&self, path: &Path, anchor: &Anchor) -> Result<Store, OpenError> {
        let opened = Store::open(path, self.identity.ledger(), self.options.cache_bytes);
        let store = opened.map_err(|fault| match fault {
            Fault::Io(source) => io_error(&self.folder.store())(source),
            fault @ Fault::Damaged(_) => self.damaged(fault.to_string(), anchor),
        })?;
        self.no_blobs(path, anchor)?;
        Ok(store)
    }

    fn no_blobs(&self, path: &Path, anchor: &Anchor) -> Result<(), OpenError> {
        match Store::has_blobs(path) {
            Ok(false) => Ok(()),
            Ok(true) => Err(self.damaged("blobs/ is not empty".to_owned(), anchor)),
            Err(source) => Err(io_error(path)(source)),
        }
    }

    /// Compares an open store with its anchor.
    fn judge(&self, store: &Store, anchor: &Anchor) -> Result<Tip, OpenError> {
        let dir = || self.folder.dir.clone();
        let unreadable = |error: ReadError| match error {
            ReadError::Io { path, source } => OpenError::Io { path, source },
            error @ ReadError::Damaged { .. } => self.damaged(error.to_string(), anchor),
        };
        let anchored = Box::new(*anchor.head.head());
        let Some(tip) = store.tip().map_err(unreadable)? else {
            return Err(OpenError::Regressed { dir: dir(), anchored, stored: None });
        };
        let newest = Box::new(*tip.head.head());
        if newest.ledger != anchored.ledger {
            let expected = anchored.ledger;
            return Err(OpenError::Foreign { dir: dir(), expected, found: newest });
        }
        if newest.size < anchored.size {
            return Err(OpenError::Regressed { dir: dir(), anchored, stored: Some(newest) });
        }
        let stored = store.head_at(anchored.size).map_err(unreadable)?;
        if stored.as_ref() != Some(&anchor.head) {
            let stored = stored.map_or(newest, |head| Box::new(*head.head()));
            return Err(OpenError::Forked { dir: dir(), anchored, stored });
        }
        store.last_event(newest.size).map_err(unreadable)?;
        Ok(tip)
    }

    fn damaged(&self, reason: String, anchor: &Anchor) -> OpenError {
        damaged(&self.folder.store(), reason, Some(Box::new(*anchor.head.head())))
    }
}

fn remove_half_snapshots(path: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(path).map_err(io_error(path))? {
        let entry = entry.map_err(io_error(path))?.path();
        if folder::is_half_snapshot(&entry) {
            fs::remove_file(&entry).map_err(io_error(&entry))?;
        }
    }
    Ok(())
}

/// Writes a whole ledger folder into `dir`, which exists and is empty.
fn build(
    dir: &Path,
    identity: &Identity,
    first: &Batch,
    frontier: &Frontier,
    closing: Closing,
    options: &OpenOptions,
) -> Result<(), OpenError> {
    let folder = Folder::new(dir);
    let syncs = &*options.syncs;
    let write = |path: &Path, text: &str| {
        fs::write(path, text).and_then(|()| syncs.all(&File::open(path)?)).map_err(io_error(path))
    };
    write(&folder.identity(), &identity.text())?;
    write(&folder.lock(), "")?;
    let path = folder.store();
    let failed = |fault: Fault| io_error(&path)(fault.into());
    let store = Store::open(&path, identity.ledger(), options.cache_bytes).map_err(failed)?;
    store.write(first, frontier).map_err(failed)?;
    drop(store);
    sync_below(&path, syncs).map_err(io_error(&path))?;
    let Closing { last, last_at } = closing;
    let anchor = Anchor { head: first.head.clone(), last, last_at };
    let anchor_path = folder.anchor();
    AnchorFile::create(&anchor_path, &anchor, syncs).map_err(io_error(&anchor_path))?;
    syncs::folder(syncs, dir).map_err(io_error(dir))
}

/// Syncs every file and folder below `dir`, and `dir`.
fn sync_below(dir: &Path, syncs: &dyn Syncs) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_below(&entry.path(), syncs)?;
        } else {
            syncs.all(&File::open(entry.path())?)?;
        }
    }
    syncs::folder(syncs, dir)
}

/// For copies that need not survive anything.
#[derive(Debug)]
struct NoSync;

impl Syncs for NoSync {
    fn data(&self, _: &File) -> io::Result<()> {
        Ok(())
    }

    fn all(&self, _: &File) -> io::Result<()> {
        Ok(())
    }
}

fn read_identity(folder: &Folder) -> Result<Identity, OpenError> {
    let path = folder.identity();
    let text = fs::read(&path).map_err(missing_or_io(&path, None))?;
    Identity::parse(&text).ok_or_else(|| damaged(&path, "not a ledger's identity".to_owned(), None))
}

/// The anchor, if it can be read and belongs to the ledger.
fn own_anchor(
    folder: &Folder,
    identity: Identity,
    read: Result<AnchorReading, AnchorFault>,
) -> Result<AnchorReading, OpenError> {
    let reading = read.map_err(|fault| damaged(&folder.anchor(), fault.to_string(), None))?;
    let found = Box::new(*reading.anchor.head.head());
    let expected = identity.ledger();
    if found.ledger == expected {
        Ok(reading)
    } else {
        Err(OpenError::Foreign { dir: folder.dir.clone(), expected, found })
    }
}

fn mark_poisoned(folder: &Folder, path: &Path, error: &io::Error) -> io::Result<()> {
    fs::write(folder.poisoned(), format!("{}: {error}\n", path.display()))
}

/// Gives the engine's file a time nobody else would give it, and writes that down.
fn leave_trace(folder: &Folder, db: &File) -> io::Result<()> {
    db.set_modified(SystemTime::now())?;
    fs::write(folder.closed(), Trace::of(&folder.db())?.text())
}

fn enough_space(from: &Path, at: &Path) -> Result<(), OpenError> {
    let needed =
        folder::bytes_below(from).map_err(io_error(from))?.saturating_add(COPY_SLACK_BYTES);
    let available = folder::bytes_free(at).map_err(io_error(at))?;
    if available < needed {
        return Err(OpenError::NoSpace { path: at.to_owned(), needed, available });
    }
    Ok(())
}

fn busy(dir: &Path) -> impl FnOnce(LockError) -> OpenError {
    move |error| match error {
        LockError::Busy { pid } => OpenError::Busy { dir: dir.to_owned(), pid },
        LockError::Io(source) => OpenError::Io { path: dir.join("lock"), source },
    }
}

fn damaged(path: &Path, reason: String, anchored: Option<Box<TreeHead>>) -> OpenError {
    OpenError::Damaged { path: path.to_owned(), reason, anchored }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io { path: path.to_owned(), source }
}

fn missing_or_io(
    path: &Path,
    anchored: Option<Box<TreeHead>>,
) -> impl FnOnce(io::Error) -> OpenError {
    move |error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::Missing { path: path.to_owned(), anchored },
        _ => io_error(path)(error),
    }
}

/// A head as people read it.
struct Shown<'a>(&'a TreeHead);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let TreeHead { ledger, size, root } = self.0;
        write!(f, "head {size} (root {}) of ledger {}", root.short(), ledger.short())
    }
}

/// A head that may not be there, at the end of a sentence.
struct Anchored<'a>(Option<&'a TreeHead>);

impl std::fmt::Display for Anchored<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |head| write!(f, "; the anchor states {}", Shown(head)))
    }
}

/// The newest head of a store, or that there is none.
struct Stored<'a>(Option<&'a TreeHead>);

impl std::fmt::Display for Stored<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(head) => Shown(head).fmt(f),
            None => f.write_str("no event"),
        }
    }
}

/// The process that holds a lock.
struct Holder(Option<u32>);

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("readers"),
        }
    }
}

#[cfg(test)]
mod tests;
