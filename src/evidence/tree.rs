//! The nodes of a ledger's tree in files beside it, so that a proof reads a few of them and not every event. Derived from the
//! events and disposable: what is stored here is believed as far as it leads to a signed root, and made anew where it does not.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use ledger_format::hash::{HASH_BYTES, NodeHash};
use ledger_format::tile::{
    TILE_WIDTH, Tile, TileNodes, Tiles, root_of, tile_bytes, tile_hashes, tiles_of,
};
use ledger_format::tree::root;

use crate::ledger::{FoldError, Ledger};

/// Name of the folder in that of the ledger.
const FOLDER: &str = "cache/tree";

/// Levels of files: 256^8 leaves are more than there are numbers for.
const LEVELS_MAX: u32 = 8;

/// How many hashes are written at once.
const AT_ONCE: usize = 16 * 1024;

/// A tree that is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The events could not be read.
    #[error(transparent)]
    Events(#[from] FoldError),
    /// The file system.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Made anew from the events, it still has another root than the ledger signed.
    #[error("the tree of the events has another root than the newest head")]
    Root,
}

/// The tree of a ledger's events, one file a level of tiles, each a row of hashes.
#[derive(Debug)]
pub struct StoredTree {
    folder: PathBuf,
    levels: Vec<File>,
    size: u64,
}

impl StoredTree {
    /// The tree of all events of `ledger`. What is stored of it is gone on with; where that does not lead to the root of the
    /// newest head, it is made anew.
    pub fn of(ledger: &Ledger) -> Result<Self, TreeError> {
        Self::believed(ledger, |_| true)
    }

    /// The same for whoever needs every hash of it: each is one that leads to that root.
    pub fn whole(ledger: &Ledger) -> Result<Self, TreeError> {
        Self::believed(ledger, Self::leads_up)
    }

    fn believed(ledger: &Ledger, leads_up: impl Fn(&Self) -> bool) -> Result<Self, TreeError> {
        let folder = ledger.dir().join(FOLDER);
        let head = *ledger.head().head();
        let is_it = |tree: &Self| tree.root() == Some(head.root) && leads_up(tree);
        let tree = Self::grown(&folder, ledger)?;
        if is_it(&tree) {
            return Ok(tree);
        }
        fs::remove_dir_all(&folder).map_err(at(&folder))?;
        let tree = Self::grown(&folder, ledger)?;
        if is_it(&tree) { Ok(tree) } else { Err(TreeError::Root) }
    }

    /// Whether each hash of a higher level is the root of the tile below it.
    fn leads_up(&self) -> bool {
        let below = |tile: &Tile, at: u64| {
            let index = tile.index * TILE_WIDTH + at;
            self.tile(Tile { level: tile.level - 1, index, width: TILE_WIDTH })
        };
        tiles_of(self.size).filter(|tile| tile.level > 0).all(|tile| {
            let hashes = self.tile(tile).unwrap_or_default();
            let roots = (0..tile.width).map(|at| below(&tile, at).map(|hashes| root_of(&hashes)));
            roots.eq(hashes.into_iter().map(Some))
        })
    }

    /// Its nodes, as the tree of the first `size` events.
    #[must_use]
    pub fn nodes(&self, size: u64) -> TileNodes<'_, Self> {
        TileNodes { tiles: self, size: size.min(self.size) }
    }

    fn root(&self) -> Option<NodeHash> {
        root(&self.nodes(self.size), self.size)
    }

    fn grown(folder: &Path, ledger: &Ledger) -> Result<Self, TreeError> {
        let mut tree = Self::open(folder)?;
        let size = ledger.head().head().size;
        // A tree of more events than there are is another's, or of a time before the ledger was put back.
        if tree.size > size {
            tree.begin_anew()?;
        }
        let mut pending = Vec::with_capacity(AT_ONCE);
        ledger.each_event(tree.size..size, |recorded| {
            pending.push(NodeHash::leaf(recorded.id));
            if pending.len() == AT_ONCE { tree.append(&mut pending) } else { Ok(()) }
        })?;
        tree.append(&mut pending)?;
        tree.raise()?;
        Ok(tree)
    }

    fn open(folder: &Path) -> Result<Self, TreeError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let leaves = level_file(folder, 0)?;
        let bytes = leaves.metadata().map_err(at(folder))?.len();
        Ok(Self {
            folder: folder.to_owned(),
            levels: vec![leaves],
            size: bytes / HASH_BYTES as u64,
        })
    }

    fn begin_anew(&mut self) -> Result<(), TreeError> {
        self.size = 0;
        let [leaves] = self.levels.as_slice() else { return Ok(()) };
        leaves.set_len(0).map_err(at(&self.folder))
    }

    /// Writes leaves behind those that are there.
    fn append(&mut self, leaves: &mut Vec<NodeHash>) -> Result<(), TreeError> {
        if let Some(file) = self.levels.first() {
            file.write_all_at(&tile_bytes(leaves), self.size * HASH_BYTES as u64)
                .map_err(at(&self.folder))?;
        }
        self.size += leaves.len() as u64;
        leaves.clear();
        Ok(())
    }

    /// Brings every level above the leaves up to them. A level is kept only as far as it is known to be whole: of the last hash
    /// that is stored on, since a writer may have been stopped in it.
    fn raise(&mut self) -> Result<(), TreeError> {
        for level in 1..LEVELS_MAX {
            let count = self.size >> (8 * level);
            if count == 0 {
                break;
            }
            let file = level_file(&self.folder, level)?;
            let stored = file.metadata().map_err(at(&self.folder))?.len() / HASH_BYTES as u64;
            for index in stored.saturating_sub(1).min(count)..count {
                let below = Tile { level: level - 1, index, width: TILE_WIDTH };
                let hashes = self.read(below)?;
                file.write_all_at(root_of(&hashes).as_bytes(), index * HASH_BYTES as u64)
                    .map_err(at(&self.folder))?;
            }
            self.levels.push(file);
        }
        Ok(())
    }

    fn read(&self, tile: Tile) -> Result<Vec<NodeHash>, TreeError> {
        let missing = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let read = || {
            let file = self.levels.get(tile.level as usize).ok_or_else(missing)?;
            let length = usize::try_from(tile.width).map_err(|_| missing())? * HASH_BYTES;
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, tile.index * TILE_WIDTH * HASH_BYTES as u64)?;
            tile_hashes(&bytes, tile.width).ok_or_else(missing)
        };
        read().map_err(at(&self.folder))
    }
}

impl Tiles for StoredTree {
    fn tile(&self, tile: Tile) -> Option<Vec<NodeHash>> {
        self.read(tile).ok()
    }
}

fn level_file(folder: &Path, level: u32) -> Result<File, TreeError> {
    let path = folder.join(level.to_string());
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    open.map_err(at(&path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> TreeError + use<> {
    let path = path.to_owned();
    move |source| TreeError::Io { path, source }
}
