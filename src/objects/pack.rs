//! Objects on disk: appended to packs, found through an index that can always be made again.
//!
//! A pack is a sequence of records: magic ‖ name ‖ length ‖ bytes. Nothing in a pack is ever changed;
//! objects are compressed or not by whoever makes them, here they are kept as they are. Appending is
//! buffered, and [`Objects::sync`] is one `fdatasync` however many objects it makes durable.
//!
//! What was synced stays even if it is damaged: it is reported by name when it is asked for. What
//! was not synced when the process died is kept where it is whole and cut off where it is torn.
//!
//! Only what is pruned leaves, by writing a pack anew without it: see [`PackObjects::prune`].
//!
//! The index of all names is held in memory, about 80 bytes for each object.

mod index;
mod prune;
mod scan;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger_format::hash::{ContentHash, HASH_BYTES};

use super::{Named, Objects, ObjectsError};
use crate::effects::{KernelSyncs, Syncs, syncs};
use index::Index;
use scan::Scan;

/// Longest object, in bytes. An object is in memory whole while it is put or read; databases are
/// kept by the page and documents beyond this size are not migrated as one value.
pub const OBJECT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Size from which a new pack is begun, in bytes: small enough to be read again in a second after a
/// crash, large enough that a million pages of 4 KiB make 16 files.
const PACK_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Bytes gathered before they are handed to the kernel: 256 pages at a time.
const BUFFER_BYTES: usize = 1024 * 1024;

const MAGIC: [u8; 8] = *b"GLYPHobj";
const HEADER_BYTES: usize = 8 + HASH_BYTES + 4;

/// Where an object's bytes lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    pack: u32,
    /// Of the bytes, behind the record's header.
    offset: u64,
    length: u32,
}

/// The objects in a folder.
#[derive(Debug)]
pub struct PackObjects {
    folder: Folder,
    packs: Vec<File>,
    places: HashMap<ContentHash, Place>,
    writer: Option<Writer>,
}

/// What only the one writer has.
#[derive(Debug)]
struct Writer {
    syncs: Arc<dyn Syncs>,
    /// Where the current pack ends on disk; the buffer follows.
    end: u64,
    buffer: Vec<u8>,
    /// Whether the current pack was created since the last sync.
    created: bool,
    poisoned: bool,
    _lock: File,
}

/// Names below the folder.
#[derive(Debug, Clone)]
struct Folder {
    dir: PathBuf,
}

impl Folder {
    fn pack(&self, number: usize) -> PathBuf {
        self.dir.join(format!("{number:08}.pack"))
    }

    fn index(&self) -> PathBuf {
        self.dir.join("index")
    }

    fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// Names what is being pruned.
    fn pruning(&self) -> PathBuf {
        self.dir.join("PRUNING")
    }

    /// What is written beside its place and not renamed yet.
    fn fresh(&self) -> PathBuf {
        self.dir.join("fresh")
    }

    /// Names the pack whose sync failed.
    fn poisoned(&self) -> PathBuf {
        self.dir.join("POISONED")
    }
}

impl PackObjects {
    /// Creates the folder `dir`, or makes durable one whose creation was cut short, and opens it for
    /// writing.
    pub fn create(dir: &Path) -> Result<Self, ObjectsError> {
        match fs::create_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(io_error(dir))?,
        }
        drop(acquire(&Folder { dir: dir.to_owned() }.lock())?);
        syncs::folder(&KernelSyncs, dir).map_err(io_error(dir))?;
        let above = syncs::folder_of(dir);
        syncs::folder(&KernelSyncs, above).map_err(io_error(above))?;
        Self::open(dir)
    }

    /// Opens the folder `dir` for writing. There is one writer at a time; for a second one the error
    /// is of kind [`io::ErrorKind::WouldBlock`].
    pub fn open(dir: &Path) -> Result<Self, ObjectsError> {
        Self::open_with(dir, Arc::new(KernelSyncs))
    }

    fn open_with(dir: &Path, syncs: Arc<dyn Syncs>) -> Result<Self, ObjectsError> {
        let folder = Folder { dir: dir.to_owned() };
        let lock = acquire(&folder.lock())?;
        renew_poisoned(&folder, &*syncs)?;
        prune::finish(&folder, &*syncs)?;
        let (mut objects, found) = Self::read(folder, true)?;
        let end = objects.cut_tail(found.last_good)?;
        let buffer = Vec::with_capacity(BUFFER_BYTES);
        // As if the last pack were new: whoever began it may have been killed before its name was
        // durable.
        let writer = Writer { syncs, end, buffer, created: true, poisoned: false, _lock: lock };
        objects.writer = Some(writer);
        Ok(objects)
    }

    /// Opens the folder `dir` without writing anything into it, also while somebody else writes.
    /// Putting into it fails.
    pub fn open_read_only(dir: &Path) -> Result<Self, ObjectsError> {
        Ok(Self::read(Folder { dir: dir.to_owned() }, false)?.0)
    }

    /// Takes objects out for good, once everything that was put is durable. Killed on the way it is finished by the next
    /// opening for writing; whoever has the packs open for reading goes on seeing them as they were.
    pub fn prune(&mut self, names: &HashSet<ContentHash>) -> Result<(), ObjectsError> {
        let names: HashSet<_> = names.iter().filter(|name| self.contains(name)).copied().collect();
        if names.is_empty() {
            return Ok(());
        }
        self.sync()?;
        let syncs = Arc::clone(&self.writer()?.syncs);
        // What fails on the way leaves the list, and everything is looked at again at the next opening.
        self.writer()?.poisoned = true;
        prune::announce(&self.folder, &names, &*syncs)?;
        prune::finish(&self.folder, &*syncs)?;
        let (mut again, found) = Self::read(self.folder.clone(), true)?;
        let end = again.cut_tail(found.last_good)?;
        if let Some(writer) = &mut self.writer {
            (writer.end, writer.poisoned) = (end, false);
        }
        self.packs = std::mem::take(&mut again.packs);
        self.places = std::mem::take(&mut again.places);
        Ok(())
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The names and lengths in bytes of all objects, in the order in which they lie on disk.
    pub fn names(&self) -> Vec<(ContentHash, u64)> {
        let mut names: Vec<_> = self.places.iter().collect();
        names.sort_unstable_by_key(|(_, place)| (place.pack, place.offset));
        names.into_iter().map(|(name, place)| (*name, u64::from(place.length))).collect()
    }

    /// Opens every pack and finds what lies in them: through the index as far as that goes, behind it
    /// by their headers. With `verify`, bytes that the index does not vouch for are hashed.
    fn read(folder: Folder, verify: bool) -> Result<(Self, Scan), ObjectsError> {
        fs::metadata(&folder.dir).map_err(io_error(&folder.dir))?;
        let mut packs = Vec::new();
        let mut lengths = Vec::new();
        loop {
            let path = folder.pack(packs.len());
            let opened = if verify {
                File::options().read(true).write(true).open(&path)
            } else {
                File::open(&path)
            };
            match opened {
                Ok(file) => {
                    lengths.push(file.metadata().map_err(io_error(&path))?.len());
                    packs.push(file);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(source) => return Err(io_error(&path)(source)),
            }
        }
        let Index { scanned, mut places } =
            Index::load(&folder.index(), &lengths).unwrap_or_default();
        let mut last = Scan::default();
        for (number, (file, length)) in packs.iter().zip(&lengths).enumerate() {
            let start = scanned.get(number).copied().unwrap_or_default();
            let is_last = number + 1 == packs.len();
            let scan = Scan::of(file, start..*length, verify && is_last);
            last = scan.map_err(io_error(&folder.pack(number)))?;
            let pack = u32::try_from(number).unwrap_or(u32::MAX);
            for (name, offset, length) in last.found.drain(..) {
                places.entry(name).or_insert(Place { pack, offset, length });
            }
        }
        Ok((Self { folder, packs, places, writer: None }, last))
    }

    /// Cuts off what lies behind the last whole record of the last pack, which never was synced, and
    /// returns where that pack ends.
    fn cut_tail(&self, last_good: u64) -> Result<u64, ObjectsError> {
        let Some((number, pack)) = self.packs.iter().enumerate().next_back() else { return Ok(0) };
        let path = self.folder.pack(number);
        if pack.metadata().map_err(io_error(&path))?.len() > last_good {
            pack.set_len(last_good).map_err(io_error(&path))?;
        }
        Ok(last_good)
    }

    /// Where the next record goes: the current pack, or a new one when that is full.
    fn make_room(&mut self, bytes: usize) -> Result<(), ObjectsError> {
        let used = self.writer()?.used();
        let full = used > 0 && used + (HEADER_BYTES + bytes) as u64 > PACK_BYTES_MAX;
        if !full && !self.packs.is_empty() {
            return Ok(());
        }
        if full {
            self.sync()?;
        }
        let path = self.folder.pack(self.packs.len());
        let created = File::options().read(true).write(true).create_new(true).open(&path);
        self.packs.push(created.map_err(io_error(&path))?);
        let writer = self.writer()?;
        writer.end = 0;
        writer.created = true;
        Ok(())
    }

    /// Hands the buffer to the kernel.
    fn flush(&mut self) -> Result<(), ObjectsError> {
        let path = self.folder.pack(self.packs.len().saturating_sub(1));
        let (Some(writer), Some(pack)) = (&mut self.writer, self.packs.last()) else {
            return Ok(());
        };
        if writer.buffer.is_empty() {
            return Ok(());
        }
        // Where this fails nothing was acknowledged; the bytes are written again at the same place.
        pack.write_all_at(&writer.buffer, writer.end).map_err(io_error(&path))?;
        writer.end += writer.buffer.len() as u64;
        writer.buffer.clear();
        // One large object does not make it large for good.
        writer.buffer.shrink_to(2 * BUFFER_BYTES);
        Ok(())
    }

    fn writer(&mut self) -> Result<&mut Writer, ObjectsError> {
        let dir = &self.folder.dir;
        let refused = |kind, why: &str| io_error(dir)(io::Error::new(kind, why.to_owned()));
        match &mut self.writer {
            Some(writer) if writer.poisoned => {
                Err(refused(io::ErrorKind::Other, "an earlier sync failed; open it again"))
            }
            Some(writer) => Ok(writer),
            None => Err(refused(io::ErrorKind::ReadOnlyFilesystem, "opened for reading")),
        }
    }

    /// Ends writing: what the failed sync was to keep is written anew on the next opening.
    fn poison(&mut self, path: &Path, source: io::Error) -> ObjectsError {
        if let Some(writer) = &mut self.writer {
            writer.poisoned = true;
        }
        let marker = self.folder.poisoned();
        let current = self.packs.len().saturating_sub(1);
        match fs::write(&marker, current.to_string()) {
            Ok(()) => io_error(path)(source),
            Err(error) => io_error(&marker)(error),
        }
    }
}

impl Objects for PackObjects {
    fn put(&mut self, bytes: &[u8]) -> Result<ContentHash, ObjectsError> {
        self.keep(ContentHash::of(bytes), bytes)
    }

    fn put_named(&mut self, object: &Named) -> Result<ContentHash, ObjectsError> {
        self.keep(object.name(), object.bytes())
    }

    fn get(&self, name: &ContentHash) -> Result<Vec<u8>, ObjectsError> {
        let place = self.places.get(name).ok_or(ObjectsError::Missing { name: *name })?;
        let bytes = match self.writer.as_ref().and_then(|writer| writer.buffered(self, place)) {
            Some(bytes) => bytes.to_vec(),
            None => self.read_at(place)?,
        };
        let actual = ContentHash::of(&bytes);
        if actual == *name { Ok(bytes) } else { Err(ObjectsError::Corrupt { name: *name, actual }) }
    }

    fn contains(&self, name: &ContentHash) -> bool {
        self.places.contains_key(name)
    }

    fn sync(&mut self) -> Result<(), ObjectsError> {
        self.writer()?;
        self.flush()?;
        let (Some(writer), Some(pack)) = (&mut self.writer, self.packs.last()) else {
            return Ok(());
        };
        let path = self.folder.pack(self.packs.len() - 1);
        if let Err(error) = writer.syncs.data(pack) {
            return Err(self.poison(&path, error));
        }
        if writer.created {
            if let Err(error) = syncs::folder(&*writer.syncs, &self.folder.dir) {
                return Err(self.poison(&path, error));
            }
            writer.created = false;
        }
        Ok(())
    }
}

impl PackObjects {
    /// Keeps bytes whose name is known.
    fn keep(&mut self, name: ContentHash, bytes: &[u8]) -> Result<ContentHash, ObjectsError> {
        if self.places.contains_key(&name) {
            return Ok(name);
        }
        let length = match u32::try_from(bytes.len()) {
            Ok(length) if bytes.len() <= OBJECT_BYTES_MAX => length,
            _ => {
                let limit = OBJECT_BYTES_MAX as u64;
                return Err(ObjectsError::TooLarge { bytes: bytes.len() as u64, limit });
            }
        };
        self.make_room(bytes.len())?;
        let pack = u32::try_from(self.packs.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let writer = self.writer()?;
        let offset = writer.used() + HEADER_BYTES as u64;
        writer.buffer.extend_from_slice(&scan::encode_header(&name, length));
        writer.buffer.extend_from_slice(bytes);
        let full = writer.buffer.len() >= BUFFER_BYTES;
        self.places.insert(name, Place { pack, offset, length });
        if full { self.flush().map(|()| name) } else { Ok(name) }
    }

    /// Reads an object's bytes, or as many as are there: too few hash to something else.
    fn read_at(&self, place: &Place) -> Result<Vec<u8>, ObjectsError> {
        let number = place.pack as usize;
        let path = self.folder.pack(number);
        let missing = || io_error(&path)(io::ErrorKind::NotFound.into());
        let pack = self.packs.get(number).ok_or_else(missing)?;
        scan::read_up_to(pack, place.offset, place.length as usize).map_err(io_error(&path))
    }
}

impl Writer {
    /// Bytes of the current pack, those in the buffer included.
    const fn used(&self) -> u64 {
        self.end + self.buffer.len() as u64
    }

    /// The bytes at `place` when the kernel does not have them yet.
    fn buffered(&self, objects: &PackObjects, place: &Place) -> Option<&[u8]> {
        if place.pack as usize + 1 != objects.packs.len() {
            return None;
        }
        let start = usize::try_from(place.offset.checked_sub(self.end)?).ok()?;
        self.buffer.get(start..start + place.length as usize)
    }
}

impl Drop for PackObjects {
    /// Makes everything durable and leaves the index, which spares the next opening the looking.
    fn drop(&mut self) {
        let writable = self.writer.as_ref().is_some_and(|writer| !writer.poisoned);
        if !writable || self.sync().is_err() {
            return;
        }
        let lengths: io::Result<Vec<u64>> =
            self.packs.iter().map(|pack| Ok(pack.metadata()?.len())).collect();
        // The index is a cache: without it the next opening takes longer, and nothing else.
        let _written = lengths.and_then(|scanned| {
            Index { scanned, places: std::mem::take(&mut self.places) }.save(&self.folder.index())
        });
    }
}

fn acquire(path: &Path) -> Result<File, ObjectsError> {
    // A process that was killed while it made the folder may have left it without its lock.
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.map_err(io_error(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(io_error(path)(io::Error::new(io::ErrorKind::WouldBlock, "in use by a writer")))
        }
        Err(TryLockError::Error(source)) => Err(io_error(path)(source)),
    }
}

/// After a failed sync: writes that pack anew, where no page is taken for clean that the disk never
/// got. Earlier packs were synced before it was begun.
fn renew_poisoned(folder: &Folder, syncs: &dyn Syncs) -> Result<(), ObjectsError> {
    let marker = folder.poisoned();
    let text = match fs::read_to_string(&marker) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(io_error(&marker)(source)),
    };
    let number = text.trim().parse().map_err(|_| {
        io_error(&marker)(io::Error::new(io::ErrorKind::InvalidData, "names no pack"))
    })?;
    let pack = folder.pack(number);
    let fresh = folder.fresh();
    let renewed = || {
        fs::copy(&pack, &fresh)?;
        syncs.all(&File::open(&fresh)?)?;
        fs::rename(&fresh, &pack)?;
        syncs::folder(syncs, &folder.dir)?;
        fs::remove_file(&marker)?;
        syncs::folder(syncs, &folder.dir)
    };
    renewed().map_err(io_error(&pack))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ObjectsError {
    move |source| ObjectsError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
