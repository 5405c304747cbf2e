//! The Merkle tree cut into tiles (c2sp.org/tlog-tiles): which there are for a tree of a size, what they are called, and every node
//! of the tree out of them. Knows names and hashes; knows no file and where none of it came from.

use crate::hash::{HASH_BYTES, NodeHash};
use crate::tree::Nodes;

/// Hashes of a full tile: a tile is eight levels of the tree.
pub const TILE_WIDTH: u64 = 256;

const TILE_LEVELS: u32 = 8;

/// A tile: its level in the tree of tiles, its place in that level, and how many hashes it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0 for tiles of leaves; the hashes of each higher one are the roots of full tiles below it.
    pub level: u32,
    /// From the left, from 0.
    pub index: u64,
    /// 1 to [`TILE_WIDTH`] hashes.
    pub width: u64,
}

/// A bundle of entries: the events whose hashes are in the tile of leaves of the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bundle {
    /// From the left, from 0.
    pub index: u64,
    /// 1 to [`TILE_WIDTH`] entries.
    pub width: u64,
}

impl Tile {
    /// Whether nothing can be added to it.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// Where it is served, `/` between names.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, place(self.index, self.width))
    }
}

impl Bundle {
    /// Where it is served, `/` between names.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/entries/{}", place(self.index, self.width))
    }
}

/// Every tile that a tree of `new` leaves has and a tree of `old` leaves has not, level by level.
pub fn tiles_between(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    let levels =
        (0..u64::BITS / TILE_LEVELS).take_while(move |level| new >> (level * TILE_LEVELS) > 0);
    levels.flat_map(move |level| {
        let (old, new) = (old >> (level * TILE_LEVELS), new >> (level * TILE_LEVELS));
        widths_between(old, new).map(move |(index, width)| Tile { level, index, width })
    })
}

/// Every bundle that a log of `new` entries has and one of `old` entries has not.
pub fn bundles_between(old: u64, new: u64) -> impl Iterator<Item = Bundle> {
    widths_between(old, new).map(|(index, width)| Bundle { index, width })
}

/// Places and widths of what `new` things in a row fill and `old` do not.
fn widths_between(old: u64, new: u64) -> impl Iterator<Item = (u64, u64)> {
    let last = if new > old { new.div_ceil(TILE_WIDTH) } else { 0 };
    (old / TILE_WIDTH..last).map(move |index| (index, (new - index * TILE_WIDTH).min(TILE_WIDTH)))
}

/// Three digits a name, an `x` before all but the last; of a part of one its width too.
fn place(index: u64, width: u64) -> String {
    let mut path = format!("{:03}", index % 1_000);
    let mut above = index / 1_000;
    while above > 0 {
        path = format!("x{:03}/{path}", above % 1_000);
        above /= 1_000;
    }
    if width < TILE_WIDTH { format!("{path}.p/{width}") } else { path }
}

/// Entries as a bundle has them: of each its length in two bytes, the higher first, and its bytes. `None` for one that is too
/// long for that.
#[must_use]
pub fn bundle_bytes<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend(u16::try_from(entry.len()).ok()?.to_be_bytes());
        bytes.extend(entry);
    }
    Some(bytes)
}

/// The entries of a bundle; `None` unless its bytes are those of entries and nothing else.
#[must_use]
pub fn bundle_entries(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bytes = rest;
    }
    Some(entries)
}

/// The hashes of a tile as bytes.
#[must_use]
pub fn tile_bytes(hashes: &[NodeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// The hashes of a tile of that width; `None` for bytes of another length.
#[must_use]
pub fn tile_hashes(bytes: &[u8], width: u64) -> Option<Vec<NodeHash>> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    let fits = rest.is_empty() && hashes.len() as u64 == width;
    fits.then(|| hashes.iter().map(|hash| NodeHash::from_bytes(*hash)).collect())
}

/// Where tiles come from.
pub trait Tiles {
    /// The hashes of a tile; `None` where it is not to be had.
    fn tile(&self, tile: Tile) -> Option<Vec<NodeHash>>;
}

/// The nodes of a tree of `size` leaves, out of its tiles.
#[derive(Debug)]
pub struct TileNodes<'a, T> {
    /// Where the tiles come from.
    pub tiles: &'a T,
    /// Number of leaves.
    pub size: u64,
}

impl<T: Tiles> Nodes for TileNodes<'_, T> {
    fn node(&self, level: u32, index: u64) -> Option<NodeHash> {
        let (tile_level, inside) = (level / TILE_LEVELS, level % TILE_LEVELS);
        // The node is the root of 2^inside hashes of one tile.
        let first = index.checked_shl(inside)?;
        let there = self.size >> (tile_level * TILE_LEVELS);
        let end = first.checked_add(1 << inside)?;
        if end > there {
            return None;
        }
        let place = first / TILE_WIDTH;
        let width = (there - place * TILE_WIDTH).min(TILE_WIDTH);
        let hashes = self.tiles.tile(Tile { level: tile_level, index: place, width })?;
        let at = usize::try_from(first % TILE_WIDTH).ok()?;
        Some(root_of(hashes.get(at..at + (1 << inside))?))
    }
}

/// The root of a power of two of hashes.
fn root_of(hashes: &[NodeHash]) -> NodeHash {
    match hashes {
        [] => NodeHash::empty_root(),
        [hash] => *hash,
        hashes => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            NodeHash::inner(&root_of(left), &root_of(right))
        }
    }
}

/// The hashes of a tile above the leaves: the roots of the full tiles below it.
#[must_use]
pub fn tile_above(tile: Tile, below: &impl Tiles) -> Option<Vec<NodeHash>> {
    let first = tile.index * TILE_WIDTH;
    let roots = (first..first + tile.width).map(|index| {
        let tile = Tile { level: tile.level.checked_sub(1)?, index, width: TILE_WIDTH };
        Some(root_of(&below.tile(tile)?))
    });
    roots.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::hash::EventId;
    use crate::tree::{MemoryTree, prove_consistency, prove_inclusion, root};

    #[derive(Default)]
    struct Kept(BTreeMap<Tile, Vec<NodeHash>>);

    impl Tiles for Kept {
        fn tile(&self, tile: Tile) -> Option<Vec<NodeHash>> {
            self.0.get(&tile).cloned()
        }
    }

    fn leaves(count: u64) -> Vec<NodeHash> {
        (0..count).map(|seq| NodeHash::leaf(EventId::of(&seq.to_be_bytes()))).collect()
    }

    /// Grows a tree in steps, keeping the tiles of each.
    fn grown(leaves: &[NodeHash], steps: &[u64]) -> Kept {
        let (mut kept, mut old) = (Kept::default(), 0);
        for new in steps {
            for tile in tiles_between(old, *new) {
                let hashes = if tile.level == 0 {
                    let first = usize::try_from(tile.index * TILE_WIDTH).unwrap();
                    leaves[first..first + usize::try_from(tile.width).unwrap()].to_vec()
                } else {
                    tile_above(tile, &kept).unwrap()
                };
                assert_eq!(tile_hashes(&tile_bytes(&hashes), tile.width), Some(hashes.clone()));
                kept.0.insert(tile, hashes);
            }
            old = *new;
        }
        kept
    }

    #[test]
    fn tiles_are_called_as_the_document_says() {
        let path = |level, index, width| Tile { level, index, width }.path();
        assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(1, 0, 17), "tile/1/000.p/17");
        assert_eq!(path(3, 1_000, 1), "tile/3/x001/000.p/1");
        assert_eq!(Bundle { index: 5, width: 256 }.path(), "tile/entries/005");
        assert_eq!(Bundle { index: 999, width: 3 }.path(), "tile/entries/999.p/3");
    }

    #[test]
    fn a_tree_has_the_tiles_that_the_document_counts() {
        let counted = |size| {
            let mut counts = BTreeMap::new();
            for tile in tiles_between(0, size) {
                *counts.entry((tile.level, tile.is_full())).or_insert(0) += 1;
            }
            let partial: Vec<_> = tiles_between(0, size).filter(|tile| !tile.is_full()).collect();
            let widths: Vec<_> = partial.iter().map(|tile| (tile.level, tile.width)).collect();
            (counts, widths)
        };
        let (counts, widths) = counted(70_000);
        assert_eq!((counts[&(0, true)], counts[&(1, true)]), (273, 1));
        assert_eq!(widths, [(0, 112), (1, 17), (2, 1)]);
        assert_eq!(counted(256).1, [(1, 1)]);
        assert_eq!(tiles_between(5, 5).count() + tiles_between(0, 0).count(), 0);
    }

    #[test]
    fn proofs_out_of_tiles_are_those_of_the_whole_tree() {
        let size = 70_000;
        let leaves = leaves(size);
        let kept = grown(&leaves, &[1, 255, 256, 700, 65_536, 65_537, size]);
        let whole: MemoryTree = leaves.iter().copied().collect();
        for size in [1, 256, 700, 65_536, 65_537, size] {
            let nodes = TileNodes { tiles: &kept, size };
            assert_eq!(root(&nodes, size), root(&whole, size), "{size}");
            for index in [0, 1, 255, 256, 699, 65_535, size - 1] {
                let proof = prove_inclusion(&nodes, index, size);
                assert_eq!(proof, prove_inclusion(&whole, index, size), "{index} of {size}");
            }
            for old in [1, 255, 256, 257, 65_536] {
                let proof = prove_consistency(&nodes, old, size);
                assert_eq!(proof, prove_consistency(&whole, old, size), "{old} to {size}");
            }
        }
        // Without a tile there is no proof that needs it.
        let nodes = TileNodes { tiles: &Kept::default(), size };
        assert_eq!(prove_inclusion(&nodes, 0, size), None);
    }

    #[test]
    fn a_bundle_is_its_entries_and_nothing_else() {
        let entries: [&[u8]; 3] = [b"one", b"", b"three"];
        let bytes = bundle_bytes(entries).unwrap();
        assert_eq!(bundle_entries(&bytes).unwrap(), entries);
        assert_eq!(bundle_entries(&bytes[..bytes.len() - 1]), None);
        assert_eq!(bundle_entries(&[0]), None);
        assert_eq!(bundle_bytes([vec![0; 65_536].as_slice()]), None);
    }
}
