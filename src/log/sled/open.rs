//! Opening a ledger's folder: what is looked at, in which order, and what is refused. Nothing is
//! written into a store that is refused.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::anchor::{self, Anchor, AnchorFault, AnchorFile, AnchorReading};
use super::error::{OpenError, damaged, io_error, missing_or_io};
use super::folder::{self, Folder, Identity, REHEARSAL_PREFIX, Trace};
use super::store::{Fault, Store};
use super::{OpenOptions, mark_poisoned};
use crate::effects::{space, syncs};
use crate::log::{ReadError, Tip};

/// Free space asked for beyond the bytes to be copied: the engine writes on opening, at most a few
/// segments of 512 KiB.
const COPY_SLACK_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes read at once where a file is only read through: the engine's segments.
const READ_BYTES: usize = 512 * 1024;

/// Reads the anchor of the ledger in `dir` without locking or opening anything: what was newest when
/// it was last acknowledged, also while a writer is at work.
pub fn read_anchor(dir: &Path) -> Result<AnchorReading, OpenError> {
    let folder = Folder::new(dir);
    let identity = read_identity(dir)?;
    let path = folder.anchor();
    let read = anchor::read(&path).map_err(missing_or_io(&path, None))?;
    own_anchor(&folder, identity, read)
}

/// One opening of a folder whose lock is held.
pub(super) struct Opening<'a> {
    pub(super) folder: &'a Folder,
    pub(super) identity: Identity,
    pub(super) options: &'a OpenOptions,
}

impl Opening<'_> {
    /// Removes what an opening that was killed left behind.
    pub(super) fn clear_leftovers(&self) -> Result<(), OpenError> {
        let dir = &self.folder.dir;
        for entry in fs::read_dir(dir).map_err(io_error(dir))? {
            let entry = entry.map_err(io_error(dir))?;
            if entry.file_name().to_string_lossy().starts_with(REHEARSAL_PREFIX) {
                fs::remove_dir_all(entry.path()).map_err(io_error(&entry.path()))?;
            }
        }
        Ok(())
    }

    /// After a failed sync: writes everything anew, where no page is taken for clean that the disk
    /// never got, and puts it in the old one's place. Killed anywhere, it starts again.
    pub(super) fn renew(&self) -> Result<(), OpenError> {
        let folder = self.folder;
        if !exists(&folder.poisoned())? {
            return Ok(());
        }
        let (store, fresh) = (folder.store(), folder.fresh_store());
        let (replaced, fresh_anchor) = (folder.replaced_store(), folder.fresh_anchor());
        if exists(&replaced)? && !exists(&store)? {
            fs::rename(&replaced, &store).map_err(io_error(&store))?;
        }
        remove(&fresh)?;
        remove(&replaced)?;
        remove(&fresh_anchor)?;
        let anchor = read_anchor(&folder.dir)?.anchor;
        self.look(&anchor)?;
        enough_space(&store, &folder.dir)?;
        let syncs = &*self.options.syncs;
        folder::copy_store(&store, &fresh, syncs).map_err(io_error(&fresh))?;
        let opened = self.start(&fresh, &anchor)?;
        let judged = self.judge(&opened, &anchor);
        opened.close().map_err(|fault| self.failed(fault, &anchor))?;
        judged?;
        syncs::below(&fresh, syncs).map_err(io_error(&fresh))?;
        AnchorFile::create(&fresh_anchor, &anchor, syncs).map_err(io_error(&fresh_anchor))?;
        syncs::folder(syncs, &folder.dir).map_err(io_error(&folder.dir))?;
        fs::rename(&store, &replaced).map_err(io_error(&replaced))?;
        fs::rename(&fresh, &store).map_err(io_error(&store))?;
        fs::rename(&fresh_anchor, folder.anchor()).map_err(io_error(&folder.anchor()))?;
        syncs::folder(syncs, &folder.dir).map_err(io_error(&folder.dir))?;
        remove(&folder.poisoned())?;
        syncs::folder(syncs, &folder.dir).map_err(io_error(&folder.dir))?;
        remove(&replaced)
    }

    pub(super) fn anchor(&self) -> Result<(AnchorFile, AnchorReading), OpenError> {
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
    pub(super) fn look(&self, anchor: &Anchor) -> Result<(), OpenError> {
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
    pub(super) fn rehearse(&self, anchor: &Anchor) -> Result<(), OpenError> {
        let db = self.folder.db();
        let trace = Trace::of(&db).map_err(io_error(&db))?;
        if fs::read_to_string(self.folder.closed()).is_ok_and(|text| text == trace.text()) {
            return Ok(());
        }
        let dir = &self.folder.dir;
        // Whoever made the ledger may have been killed before its name was durable.
        let above = syncs::folder_of(dir);
        syncs::folder(&*self.options.syncs, above).map_err(io_error(above))?;
        enough_space(&self.folder.store(), dir)?;
        let rehearsal = tempfile::Builder::new().prefix(REHEARSAL_PREFIX).tempdir_in(dir);
        let rehearsal = rehearsal.map_err(io_error(dir))?;
        let copy = rehearsal.path().join("sled");
        folder::copy_store(&self.folder.store(), &copy, &syncs::NoSync).map_err(io_error(&copy))?;
        let store = self.start(&copy, anchor)?;
        let judged = self.judge(&store, anchor);
        // Nobody needs the copy any more, however it ends.
        let _of_a_copy = store.close();
        judged.map(drop)
    }

    /// Opens the store in its place, and makes durable whatever an earlier process left with the
    /// kernel, before and after the engine has looked at it.
    pub(super) fn open(&self, anchor: &Anchor) -> Result<(Store, File, Tip), OpenError> {
        let (path, db_path) = (self.folder.store(), self.folder.db());
        remove_half_snapshots(&path)?;
        let db =
            File::options().read(true).write(true).open(&db_path).map_err(io_error(&db_path))?;
        self.sync(&db_path, self.options.syncs.data(&db))?;
        read_through(&db).map_err(io_error(&db_path))?;
        let store = self.start(&path, anchor)?;
        let settled = || {
            let tip = self.judge(&store, anchor)?;
            self.sync(&db_path, self.options.syncs.data(&db))?;
            self.sync(&path, syncs::folder(&*self.options.syncs, &path))?;
            Ok(tip)
        };
        match settled() {
            Ok(tip) => Ok((store, db, tip)),
            Err(error) => {
                let _what_failed_first_counts = store.close();
                Err(error)
            }
        }
    }

    fn sync(&self, path: &Path, result: io::Result<()>) -> Result<(), OpenError> {
        result.map_err(|source| match mark_poisoned(self.folder, path, &source) {
            Ok(()) => io_error(path)(source),
            Err(error) => io_error(&self.folder.poisoned())(error),
        })
    }

    fn start(&self, path: &Path, anchor: &Anchor) -> Result<Store, OpenError> {
        let opened = Store::open(path, self.identity.ledger(), self.options.cache_bytes);
        let store = opened.map_err(|fault| self.failed(fault, anchor))?;
        match self.no_blobs(path, anchor) {
            Ok(()) => Ok(store),
            Err(error) => {
                let _what_failed_first_counts = store.close();
                Err(error)
            }
        }
    }

    fn failed(&self, fault: Fault, anchor: &Anchor) -> OpenError {
        match fault {
            Fault::Io(source) => io_error(&self.folder.store())(source),
            fault @ Fault::Damaged(_) => self.damaged(fault.to_string(), anchor),
        }
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

/// Reads the engine's file from end to end, so that a read error is met here: the engine takes one for a
/// torn end and writes zeros over everything behind it. What was read is in the kernel's memory when the
/// engine asks for it.
fn read_through(db: &File) -> io::Result<()> {
    let mut read = vec![0; READ_BYTES];
    let mut at = 0;
    loop {
        match db.read_at(&mut read, at)? {
            0 => return Ok(()),
            count => at += count as u64,
        }
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

/// Reads who the ledger in `dir` is.
pub fn read_identity(dir: &Path) -> Result<Identity, OpenError> {
    let path = Folder::new(dir).identity();
    let text = fs::read(&path).map_err(missing_or_io(&path, None))?;
    Identity::parse(&text).ok_or_else(|| damaged(&path, "not a ledger's identity".to_owned(), None))
}

/// The anchor, if it can be read and belongs to the ledger.
pub(super) fn own_anchor(
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

/// Refuses to begin a copy that would not fit.
pub(super) fn enough_space(from: &Path, at: &Path) -> Result<(), OpenError> {
    let needed =
        folder::bytes_below(from).map_err(io_error(from))?.saturating_add(COPY_SLACK_BYTES);
    match space::bytes_free(at).map_err(io_error(at))? {
        Some(available) if available < needed => {
            Err(OpenError::NoSpace { path: at.to_owned(), needed, available })
        }
        _ => Ok(()),
    }
}

fn exists(path: &Path) -> Result<bool, OpenError> {
    path.try_exists().map_err(io_error(path))
}

/// Removes a file or folder that may not be there.
fn remove(path: &Path) -> Result<(), OpenError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path)(error)),
        _ => Ok(()),
    }
}
