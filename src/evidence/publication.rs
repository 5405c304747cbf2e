//! A ledger as a folder that any web host serves and clients of tiled logs read (c2sp.org/tlog-tiles): its newest head, its tree in
//! tiles, its events in bundles. Only what is new, missing or not as it must be is written, and the head last. Knows files; changes
//! nothing in the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ledger_format::body::Role;
use ledger_format::event::{EVENT_BYTES_MAX, Event};
use ledger_format::hash::{EventId, KeyId, LedgerId, NodeHash};
use ledger_format::head::{HeadError, SignedHead};
use ledger_format::heads::heads_bytes;
use ledger_format::note::NOTE_BYTES_MAX;
use ledger_format::tile::{
    TILE_WIDTH, Tile, Tiles as _, entries, entries_bytes, tile_bytes, tiles_of,
};
use ledger_format::tree::root;
use rustix::fs::OFlags;

use super::tree::{StoredTree, TreeError};
use super::vouching::{HEADS, heads_of, heads_path};
use crate::effects::{KernelSyncs, Signer, syncs};
use crate::ledger::{FoldError, Ledger};

/// The name of the head in a published folder.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// The name of the folder of tiles in it.
const TILES: &str = "tile";

/// Longest bundle there can be: each event stands behind its length in two bytes.
const BUNDLE_BYTES_MAX: u64 = (EVENT_BYTES_MAX as u64 + 2) * TILE_WIDTH;

/// How many of the files that were put right are named, so that an answer stays one to read.
const NAMED_MAX: usize = 20;

/// What a web server must be able to read.
const FILE_MODE: u32 = 0o644;

/// A folder that was brought up to a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The head that stands in it now.
    pub head: SignedHead,
    /// Number of events that it had before, if it was a published ledger.
    pub before: Option<u64>,
    /// Number of files written, the head among them.
    pub written: u64,
    /// Those among them that the head of before needed, and that were missing or had other bytes.
    pub mended: Mended,
}

/// Files of a published folder that were put right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mended {
    /// How many.
    pub files: u64,
    /// The first of them, below the folder.
    pub named: Vec<String>,
}

/// A folder that was not brought up to a ledger.
#[derive(Debug, thiserror::Error)]
pub enum PublicationError {
    /// Something else is there.
    #[error("{} is no folder that a ledger was published to: {found}", dir.display())]
    Taken {
        /// The folder.
        dir: PathBuf,
        /// What was found.
        found: String,
    },
    /// Its head is none.
    #[error("{}: {error}", path.display())]
    Head {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: HeadError,
    },
    /// Another ledger was published there.
    #[error("{} has ledger {there}, this is {here}", dir.display())]
    Foreign {
        /// The folder.
        dir: PathBuf,
        /// The ledger there.
        there: LedgerId,
        /// The one to publish.
        here: LedgerId,
    },
    /// More was published than the ledger has.
    #[error("{} has a head over {there} events, the ledger has {here}", dir.display())]
    Later {
        /// The folder.
        dir: PathBuf,
        /// Events there.
        there: u64,
        /// Events here.
        here: u64,
    },
    /// What was published is not the beginning of the ledger.
    #[error(
        "{} has a head over {size} events with root {there}, the ledger has root {here} there",
        dir.display()
    )]
    Diverged {
        /// The folder.
        dir: PathBuf,
        /// The size of its head.
        size: u64,
        /// Its root.
        there: NodeHash,
        /// The root of as many events of the ledger.
        here: NodeHash,
    },
    /// A file that never changes has other bytes than it must have.
    #[error("{} is there already with other bytes", path.display())]
    Different {
        /// The file.
        path: PathBuf,
    },
    /// What stands in the place of a file is none.
    #[error("{} is no regular file, so nobody published it", path.display())]
    NotAFile {
        /// Its place.
        path: PathBuf,
    },
    /// The log key is not one that the ledger knows as such.
    #[error("key {} is none that may publish heads of this ledger", key.short())]
    NotPublisher {
        /// The key.
        key: KeyId,
    },
    /// The events could not be read.
    #[error(transparent)]
    Events(#[from] FoldError),
    /// The tree is not to be had.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The file system.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

/// Brings `dir` up to the newest head of `ledger`; also signed by its log key, if that is given, and with the cosignatures of `seen`, if
/// that is the same head. Whoever reads the folder meanwhile finds the head that was there before, and all that it needs. Every file that
/// the newest head needs is read and compared: the events in it by their hashes, so that the ledger's own are read for new bundles and for
/// those that are not as they must be only.
pub fn publish(
    ledger: &Ledger,
    dir: &Path,
    log_key: Option<&dyn Signer>,
    seen: Option<&SignedHead>,
) -> Result<Publication, PublicationError> {
    let before = standing(dir)?;
    let tree = StoredTree::whole(ledger)?;
    if let Some(before) = &before {
        continues(before, ledger, &tree, dir)?;
    }
    let mut head = signed_by_log(ledger, log_key)?;
    for other in seen.into_iter().chain(&before) {
        if let Some(more) = head.clone().with_signatures_of(other) {
            head = more;
        }
    }
    let old = before.as_ref().map_or(0, |before| before.head().size);
    let mut folder = Folder::new(dir, old);
    folder.bring_tiles(ledger, &tree)?;
    folder.bring_heads(ledger)?;
    folder.settle()?;
    if before.as_ref() != Some(&head) {
        folder.replace_head(&head)?;
        folder.remove_superseded(head.head().size)?;
    }
    let before = before.map(|before| before.head().size);
    let Folder { written, mended, .. } = folder;
    Ok(Publication { head, before, written, mended })
}

/// The head that stands in `dir`; none where nothing is, or only tiles of a publication that was interrupted.
fn standing(dir: &Path) -> Result<Option<SignedHead>, PublicationError> {
    let path = dir.join(CHECKPOINT);
    match fs::metadata(&path) {
        Ok(_) => read_head(&path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            must_be_free(dir)?;
            Ok(None)
        }
        Err(source) => Err(at(&path)(source)),
    }
}

/// The head in a published folder.
pub(super) fn read_head(path: &Path) -> Result<SignedHead, PublicationError> {
    let missing = || at(path)(io::ErrorKind::NotFound.into());
    let file = open(path)?.ok_or_else(missing)?;
    let head = |error| PublicationError::Head { path: path.to_owned(), error };
    let bytes = bounded(file, NOTE_BYTES_MAX as u64).map_err(at(path))?;
    SignedHead::parse(&bytes.ok_or_else(|| head(HeadError::Form("longer than a note")))?)
        .map_err(head)
}

fn must_be_free(dir: &Path) -> Result<(), PublicationError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(at(dir)(source)),
    };
    for entry in entries {
        let name = entry.map_err(at(dir))?.file_name();
        if name != TILES && name != HEADS {
            let found =
                format!("there is no {CHECKPOINT}, and there is {}", name.to_string_lossy());
            return Err(PublicationError::Taken { dir: dir.to_owned(), found });
        }
    }
    Ok(())
}

fn continues(
    before: &SignedHead,
    ledger: &Ledger,
    tree: &StoredTree,
    dir: &Path,
) -> Result<(), PublicationError> {
    let (there, here) = (before.head(), ledger.head().head());
    let dir = dir.to_owned();
    if there.ledger != here.ledger {
        return Err(PublicationError::Foreign { dir, there: there.ledger, here: here.ledger });
    }
    if there.size > here.size {
        return Err(PublicationError::Later { dir, there: there.size, here: here.size });
    }
    let size = there.size;
    let root = root(&tree.nodes(size), size).ok_or(TreeError::Root)?;
    if root == there.root {
        Ok(())
    } else {
        Err(PublicationError::Diverged { dir, size, there: there.root, here: root })
    }
}

/// The newest head of `ledger`, signed by its log key too, if that is given: under the ledger's own name, by which others know it.
pub fn signed_by_log(
    ledger: &Ledger,
    log_key: Option<&dyn Signer>,
) -> Result<SignedHead, PublicationError> {
    let head = ledger.head().clone();
    let Some(signer) = log_key else { return Ok(head) };
    let key = signer.key_id();
    if !ledger.state().keys().may(&key, Role::Publish) {
        return Err(PublicationError::NotPublisher { key });
    }
    Ok(head.published(&signer.public_key(), |text| signer.sign(text)))
}

struct Folder<'a> {
    dir: &'a Path,
    /// Number of events of the head that stands in it.
    old: u64,
    written: u64,
    mended: Mended,
    /// Folders in which something was written.
    touched: BTreeSet<PathBuf>,
    /// Of everyone who signed an event, the last that they did.
    signed_last: BTreeMap<KeyId, u64>,
}

impl<'a> Folder<'a> {
    fn new(dir: &'a Path, old: u64) -> Self {
        let (mended, touched, signed_last) = Default::default();
        Self { dir, old, written: 0, mended, touched, signed_last }
    }

    /// Brings the tiles and bundles to what the tree has.
    fn bring_tiles(&mut self, ledger: &Ledger, tree: &StoredTree) -> Result<(), PublicationError> {
        let mut lacking: Vec<Tile> = Vec::new();
        for tile in tiles_of(ledger.head().head().size) {
            let hashes = tree.tile(tile).ok_or(TreeError::Root)?;
            self.bring(&tile.path(), &tile_bytes(&hashes), was_there(&tile, self.old))?;
            if tile.level == 0 && !self.has_entries(&tile, &hashes)? {
                lacking.push(tile);
            }
        }
        let adjacent = |one: &Tile, next: &Tile| one.index + 1 == next.index;
        lacking.chunk_by(adjacent).try_for_each(|tiles| self.bring_entries(ledger, tiles))
    }

    /// Whether the bundle of that tile is there with the events that its hashes are of; then notes who signed them.
    fn has_entries(&mut self, tile: &Tile, hashes: &[NodeHash]) -> Result<bool, PublicationError> {
        let path = self.dir.join(tile.entries_path());
        let bytes = there(&path, BUNDLE_BYTES_MAX)?;
        let Some(events) = bytes.as_deref().and_then(|bytes| entries(bytes, tile.width)) else {
            return Ok(false);
        };
        let leaf = |event: &&[u8]| NodeHash::leaf(EventId::of(event));
        if !events.iter().map(leaf).eq(hashes.iter().copied()) {
            return Ok(false);
        }
        for (seq, bytes) in (tile.index * TILE_WIDTH..).zip(events) {
            let event = Event::decode(bytes).map_err(|error| FoldError::Event { seq, error })?;
            self.signed_last.insert(event.actor, seq);
        }
        if !was_there(tile, self.old) {
            self.touched.insert(syncs::folder_of(&path).to_owned());
        }
        Ok(true)
    }

    /// Writes the bundles of tiles that follow on each other.
    fn bring_entries(&mut self, ledger: &Ledger, tiles: &[Tile]) -> Result<(), PublicationError> {
        let (Some(first), Some(last)) = (tiles.first(), tiles.last()) else { return Ok(()) };
        let seqs = first.index * TILE_WIDTH..last.index * TILE_WIDTH + last.width;
        let end = seqs.end;
        let mut events: Vec<Vec<u8>> = Vec::new();
        ledger.each_event(seqs, |recorded| {
            let seq = recorded.event.seq;
            let last = self.signed_last.entry(recorded.event.actor).or_insert(seq);
            *last = seq.max(*last);
            events.push(recorded.bytes);
            let width = events.len() as u64;
            if width == TILE_WIDTH || seq + 1 == end {
                let tile = Tile { level: 0, index: seq / TILE_WIDTH, width };
                self.add_entries(tile, &events)?;
                events.clear();
            }
            Ok::<_, PublicationError>(())
        })
    }

    fn add_entries(&mut self, tile: Tile, events: &[Vec<u8>]) -> Result<(), PublicationError> {
        let path = tile.entries_path();
        let too_long = || io::Error::other("an event is longer than a bundle can say");
        let bytes = entries_bytes(events.iter().map(Vec::as_slice));
        let bytes = bytes.ok_or_else(|| at(&self.dir.join(&path))(too_long()))?;
        self.bring(&path, &bytes, was_there(&tile, self.old))
    }

    /// Brings to what it must be who stands behind the events beside whoever signs the head.
    fn bring_heads(&mut self, ledger: &Ledger) -> Result<(), PublicationError> {
        let size = ledger.head().head().size;
        let heads = heads_of(ledger, &self.signed_last)?;
        self.bring(&heads_path(size), &heads_bytes(&heads), size == self.old)
    }

    /// A file that never changes. One that the head of before did not need (`promised` says whether it did) and that has other bytes is not
    /// of this ledger; one that it did need, and that is gone or has other bytes, was damaged since. One that was left by a publication that
    /// did not come to its end is as good as a new one.
    fn bring(&mut self, name: &str, bytes: &[u8], promised: bool) -> Result<(), PublicationError> {
        let path = self.dir.join(name);
        let found = there(&path, bytes.len() as u64)?;
        let as_it_must_be = found.as_deref() == Some(bytes);
        if as_it_must_be && promised {
            return Ok(());
        }
        if !as_it_must_be {
            if !promised && path.exists() {
                return Err(PublicationError::Different { path });
            }
            self.write(&path, bytes)?;
            if promised {
                self.mended.note(name);
            }
        }
        // What an interrupted publication left may not be durable under its name yet.
        self.touched.insert(syncs::folder_of(&path).to_owned());
        Ok(())
    }

    /// Makes the names of all that was written durable.
    fn settle(&mut self) -> Result<(), PublicationError> {
        for folder in std::mem::take(&mut self.touched) {
            syncs::folder(&KernelSyncs, &folder).map_err(at(&folder))?;
        }
        Ok(())
    }

    fn replace_head(&mut self, head: &SignedHead) -> Result<(), PublicationError> {
        let path = self.dir.join(CHECKPOINT);
        self.write(&path, &head.encode())?;
        syncs::folder(&KernelSyncs, self.dir).map_err(at(self.dir))
    }

    /// A whole file under its name, or none.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), PublicationError> {
        let folder = syncs::folder_of(path);
        let write = || -> io::Result<()> {
            syncs::make_folder(&KernelSyncs, folder)?;
            let mut file = tempfile::Builder::new()
                .prefix(".publish.")
                .permissions(Permissions::from_mode(FILE_MODE))
                .tempfile_in(folder)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            Ok(())
        };
        write().map_err(at(path))?;
        self.written += 1;
        Ok(())
    }

    /// Takes partial tiles away whose full one is there now, as the form allows, and what belonged to the head of before.
    fn remove_superseded(&self, size: u64) -> Result<(), PublicationError> {
        let old = self.old;
        if old != size {
            let path = self.dir.join(heads_path(old));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error))?,
                _ => {}
            }
        }
        let full = tiles_of(size).filter(|tile| tile.is_full() && !was_there(tile, old));
        for tile in full {
            self.remove_partials(&tile.path())?;
            if tile.level == 0 {
                self.remove_partials(&tile.entries_path())?;
            }
        }
        Ok(())
    }

    fn remove_partials(&self, full: &str) -> Result<(), PublicationError> {
        let folder = self.dir.join(format!("{full}.p"));
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&folder)(error)),
            _ => Ok(()),
        }
    }
}

impl Mended {
    fn note(&mut self, name: &str) {
        self.files += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(name.to_owned());
        }
    }
}

/// The bytes of a file, if it is there and has no more than `longest`.
fn there(path: &Path, longest: u64) -> Result<Option<Vec<u8>>, PublicationError> {
    let Some(file) = open(path)? else { return Ok(None) };
    bounded(file, longest).map_err(at(path))
}

/// A file that may be a stranger's, if something is there: a pipe is not waited for.
pub(super) fn open(path: &Path) -> Result<Option<File>, PublicationError> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = match File::options().read(true).custom_flags(nonblocking).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(at(path)(source)),
    };
    if file.metadata().map_err(at(path))?.is_file() {
        Ok(Some(file))
    } else {
        Err(PublicationError::NotAFile { path: path.to_owned() })
    }
}

/// All of a file; nothing if it is longer than `longest`.
pub(super) fn bounded(file: File, longest: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(longest + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes).filter(|bytes| bytes.len() as u64 <= longest))
}

/// Whether the tree of `old` leaves has that tile in that width.
fn was_there(tile: &Tile, old: u64) -> bool {
    let hashes = old >> (8 * tile.level);
    tile.index * TILE_WIDTH + tile.width <= hashes
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> PublicationError + use<> {
    let path = path.to_owned();
    move |source| PublicationError::Io { path, source }
}
