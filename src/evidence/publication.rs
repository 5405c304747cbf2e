//! A ledger as a folder that any web host serves and clients of tiled logs read (c2sp.org/tlog-tiles): its newest head, its tree in
//! tiles, its events in bundles. Only what is new is written, and the head last. Knows files; changes nothing in the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ledger_format::body::Role;
use ledger_format::hash::{KeyId, LedgerId, NodeHash};
use ledger_format::head::{HeadError, SignedHead};
use ledger_format::heads::{heads_bytes, read_heads};
use ledger_format::note::NOTE_BYTES_MAX;
use ledger_format::tile::{TILE_WIDTH, Tile, Tiles as _, entries_bytes, tile_bytes, tiles_of};
use ledger_format::tree::root;

use super::tree::{StoredTree, TreeError};
use super::vouching::{HEADS, heads_of, heads_path};
use crate::effects::{KernelSyncs, Signer, syncs};
use crate::ledger::{FoldError, Ledger};

/// The name of the head in a published folder.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// The name of the folder of tiles in it.
const TILES: &str = "tile";

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
/// that is the same head. Whoever reads the folder meanwhile finds the head that was there before, and all that it needs.
pub fn publish(
    ledger: &Ledger,
    dir: &Path,
    log_key: Option<&dyn Signer>,
    seen: Option<&SignedHead>,
) -> Result<Publication, PublicationError> {
    let before = standing(dir)?;
    let tree = StoredTree::of(ledger)?;
    if let Some(before) = &before {
        continues(before, ledger, &tree, dir)?;
    }
    let mut head = signed_by_log(ledger, log_key)?;
    for other in seen.into_iter().chain(&before) {
        if let Some(more) = head.clone().with_signatures_of(other) {
            head = more;
        }
    }
    let (touched, signed_last) = (BTreeSet::new(), BTreeMap::new());
    let mut folder = Folder { dir, written: 0, touched, signed_last };
    if before.as_ref() != Some(&head) {
        let old = before.as_ref().map_or(0, |before| before.head().size);
        folder.add_tiles(ledger, &tree, old)?;
        folder.add_heads(ledger, before.as_ref())?;
        folder.settle()?;
        folder.replace_head(&head)?;
        folder.remove_superseded(old, head.head().size)?;
    }
    let before = before.map(|before| before.head().size);
    Ok(Publication { head, before, written: folder.written })
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
    let length = fs::metadata(path).map_err(at(path))?.len();
    let too_long = || HeadError::Form("longer than a note");
    let head = |error| PublicationError::Head { path: path.to_owned(), error };
    if length > NOTE_BYTES_MAX as u64 {
        return Err(head(too_long()));
    }
    SignedHead::parse(&fs::read(path).map_err(at(path))?).map_err(head)
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
    written: u64,
    /// Folders in which something was written.
    touched: BTreeSet<PathBuf>,
    /// Of everyone who signed one of the events read, the last that they did.
    signed_last: BTreeMap<KeyId, u64>,
}

impl Folder<'_> {
    /// Writes the tiles and bundles of the tree that a head over `old` events did not have.
    fn add_tiles(
        &mut self,
        ledger: &Ledger,
        tree: &StoredTree,
        old: u64,
    ) -> Result<(), PublicationError> {
        let size = ledger.head().head().size;
        for tile in tiles_of(size).filter(|tile| !was_there(tile, old)) {
            let hashes = tree.tile(tile).ok_or(TreeError::Root)?;
            self.add(&tile.path(), &tile_bytes(&hashes))?;
        }
        let first = if old == size { size } else { old - old % TILE_WIDTH };
        let mut events: Vec<Vec<u8>> = Vec::new();
        ledger.each_event(first..size, |recorded| {
            let seq = recorded.event.seq;
            self.signed_last.insert(recorded.event.actor, seq);
            events.push(recorded.bytes);
            let width = events.len() as u64;
            if width == TILE_WIDTH || seq + 1 == size {
                let tile = Tile { level: 0, index: seq / TILE_WIDTH, width };
                self.add_entries(tile, &events)?;
                events.clear();
            }
            Ok::<_, PublicationError>(())
        })
    }

    /// Writes who stands behind the events beside whoever signs the head. Of those who signed nothing since `before`, what was published of
    /// them then is that.
    fn add_heads(
        &mut self,
        ledger: &Ledger,
        before: Option<&SignedHead>,
    ) -> Result<(), PublicationError> {
        let size = ledger.head().head().size;
        let old = before.and_then(|before| {
            let bytes = fs::read(self.dir.join(heads_path(before.head().size))).ok()?;
            Some(read_heads(&bytes)?.into_iter().chain([before.clone()]))
        });
        match old {
            Some(old) => {
                for head in old.filter(|head| head.head().size <= size) {
                    let seq = head.head().size.saturating_sub(1);
                    self.signed_last.entry(head.signer()).or_insert(seq);
                }
            }
            None => ledger.each_event(0..size, |recorded| {
                self.signed_last.insert(recorded.event.actor, recorded.event.seq);
                Ok::<_, FoldError>(())
            })?,
        }
        let heads = heads_of(ledger, &self.signed_last)?;
        self.add(&heads_path(size), &heads_bytes(&heads))
    }

    fn add_entries(&mut self, tile: Tile, events: &[Vec<u8>]) -> Result<(), PublicationError> {
        let path = tile.entries_path();
        let too_long = || io::Error::other("an event is longer than a bundle can say");
        let bytes = entries_bytes(events.iter().map(Vec::as_slice));
        let bytes = bytes.ok_or_else(|| at(&self.dir.join(&path))(too_long()))?;
        self.add(&path, &bytes)
    }

    /// A file that never changes. One that was left by a publication that did not come to its end is as good as a new one.
    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), PublicationError> {
        let path = self.dir.join(name);
        match fs::read(&path) {
            Ok(there) if there == bytes => {}
            Ok(_) => return Err(PublicationError::Different { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.write(&path, bytes)?;
            }
            Err(source) => return Err(at(&path)(source)),
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
    fn remove_superseded(&self, old: u64, size: u64) -> Result<(), PublicationError> {
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

/// Whether the tree of `old` leaves has that tile in that width.
fn was_there(tile: &Tile, old: u64) -> bool {
    let hashes = old >> (8 * tile.level);
    tile.index * TILE_WIDTH + tile.width <= hashes
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> PublicationError + use<> {
    let path = path.to_owned();
    move |source| PublicationError::Io { path, source }
}
