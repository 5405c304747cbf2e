//! The Merkle tree cut into tiles (c2sp.org/tlog-tiles): every node of the tree out of them. Knows names and hashes; knows no file and where none of it came from.

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
#[must_use]
pub fn root_of(hashes: &[NodeHash]) -> NodeHash {
    match hashes {
        [] => NodeHash::empty_root(),
        [hash] => *hash,
        hashes => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            NodeHash::inner(&root_of(left), &root_of(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::EventId;
    use crate::tree::{MemoryTree, prove_consistency, prove_inclusion, root};

    /// Every hash of every level of tiles, in a row.
    #[derive(Default)]
    struct Rows(Vec<Vec<NodeHash>>);

    impl Rows {
        fn of(mut row: Vec<NodeHash>) -> Self {
            let mut rows = Self::default();
            while !row.is_empty() {
                let above =
                    row.chunks_exact(usize::try_from(TILE_WIDTH).unwrap()).map(root_of).collect();
                rows.0.push(row);
                row = above;
            }
            rows
        }
    }

    impl Tiles for Rows {
        fn tile(&self, tile: Tile) -> Option<Vec<NodeHash>> {
            let first = usize::try_from(tile.index * TILE_WIDTH).unwrap();
            let last = first + usize::try_from(tile.width).unwrap();
            let hashes = self.0.get(tile.level as usize)?.get(first..last)?.to_vec();
            assert_eq!(tile_hashes(&tile_bytes(&hashes), tile.width), Some(hashes.clone()));
            Some(hashes)
        }
    }

    #[test]
    fn proofs_out_of_tiles_are_those_of_the_whole_tree() {
        let size = 70_000;
        let leaves: Vec<_> =
            (0..size).map(|seq: u64| NodeHash::leaf(EventId::of(&seq.to_be_bytes()))).collect();
        let (whole, rows): (MemoryTree, _) = (leaves.iter().copied().collect(), Rows::of(leaves));
        for size in [1, 256, 700, 65_536, 65_537, size] {
            let nodes = TileNodes { tiles: &rows, size };
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
        let nodes = TileNodes { tiles: &Rows::default(), size };
        assert_eq!(prove_inclusion(&nodes, 0, size), None);
    }

    #[test]
    fn a_tile_has_the_bytes_of_its_hashes_and_no_others() {
        let hashes = vec![NodeHash::empty_root(); 3];
        let bytes = tile_bytes(&hashes);
        assert_eq!(tile_hashes(&bytes, 3), Some(hashes));
        for (bytes, width) in [(&bytes[1..], 3), (&bytes[..], 2), (&bytes[..], 4)] {
            assert_eq!(tile_hashes(bytes, width), None);
        }
    }
}
