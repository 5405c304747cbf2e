//! The Merkle tree cut into tiles (c2sp.org/tlog-tiles): every node of the tree out of them, and the events in bundles beside them. Knows
//! names, hashes and bytes; knows no file and where none of it came from.

use crate::hash::{HASH_BYTES, NodeHash};
use crate::tree::Nodes;

/// Hashes of a full tile: a tile is eight levels of the tree.
pub const TILE_WIDTH: u64 = 256;

const TILE_LEVELS: u32 = 8;

/// Levels of tiles that a tree can have: 256^8 leaves are more than there are numbers for.
const LEVELS_MAX: u32 = 8;

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

impl Tile {
    /// The name under which it is published: `tile/L/N`, and `.p/W` behind it unless it is full.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, self.place())
    }

    /// The name of the bundle that has the events of a tile of leaves.
    #[must_use]
    pub fn entries_path(&self) -> String {
        format!("tile/entries/{}", self.place())
    }

    /// Whether it has all hashes that a tile can have.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The index in groups of three digits, all but the last of which begin with an `x`; and the width.
    fn place(&self) -> String {
        let mut groups = vec![format!("{:03}", self.index % 1_000)];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1_000));
            rest /= 1_000;
        }
        groups.reverse();
        let partial = if self.is_full() { String::new() } else { format!(".p/{}", self.width) };
        groups.join("/") + &partial
    }
}

/// Every tile of a tree of `size` leaves, those of leaves first. None is empty.
pub fn tiles_of(size: u64) -> impl Iterator<Item = Tile> {
    (0..LEVELS_MAX).flat_map(move |level| {
        let hashes = size >> (level * TILE_LEVELS);
        let width = move |index: u64| (hashes - index * TILE_WIDTH).min(TILE_WIDTH);
        (0..hashes.div_ceil(TILE_WIDTH)).map(move |index| Tile {
            level,
            index,
            width: width(index),
        })
    })
}

/// Events as a bundle: each behind its length in two bytes. `None` for one that is longer than these can say, which no event of
/// this format is.
#[must_use]
pub fn entries_bytes<'a>(events: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for event in events {
        bytes.extend(u16::try_from(event.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(event);
    }
    Some(bytes)
}

/// The events of a bundle of `width`; `None` for bytes that hold more or fewer, or end within one.
#[must_use]
pub fn entries(bytes: &[u8], width: u64) -> Option<Vec<&[u8]>> {
    let mut events = Vec::new();
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (event, behind) = behind.split_at_checked(length)?;
        events.push(event);
        rest = behind;
    }
    (rest.is_empty() && events.len() as u64 == width).then_some(events)
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
    fn tiles_have_the_names_of_the_document() {
        let name = |level, index, width| Tile { level, index, width }.path();
        assert_eq!(name(0, 0, 256), "tile/0/000");
        assert_eq!(name(1, 1_234_067, 256), "tile/1/x001/x234/067");
        assert_eq!(name(2, 999, 17), "tile/2/999.p/17");
        assert_eq!(name(2, 1_000, 255), "tile/2/x001/000.p/255");
        let entries = Tile { level: 0, index: 273, width: 112 };
        assert_eq!(entries.entries_path(), "tile/entries/273.p/112");
    }

    /// The examples of c2sp.org/tlog-tiles.
    #[test]
    fn a_tree_has_the_tiles_of_the_document() {
        let counts = |size| {
            let mut counts = std::collections::BTreeMap::<(u32, u64), u64>::new();
            tiles_of(size)
                .for_each(|tile| *counts.entry((tile.level, tile.width)).or_default() += 1);
            counts.into_iter().collect::<Vec<_>>()
        };
        let of_70_000 = [((0, 112), 1), ((0, 256), 273), ((1, 17), 1), ((1, 256), 1), ((2, 1), 1)];
        assert_eq!(counts(70_000), of_70_000);
        assert_eq!(counts(256), [((0, 256), 1), ((1, 1), 1)]);
        assert_eq!(counts(0), []);
        assert_eq!(
            tiles_of(u64::MAX).take(3).map(|tile| tile.index).collect::<Vec<_>>(),
            [0, 1, 2]
        );
    }

    #[test]
    fn bundles_hold_their_events_and_nothing_else() {
        let longest = vec![7; 65_535];
        let events: [&[u8]; 3] = [b"one", b"", &longest];
        let bytes = entries_bytes(events).unwrap();
        assert_eq!(bytes.get(..7), Some(&b"\0\x03one\0\0"[..]));
        assert_eq!(entries(&bytes, 3), Some(events.to_vec()));
        assert_eq!(entries(&[], 0), Some(Vec::new()));
        for cut in [1, 4, 6, 8, bytes.len() - 1] {
            assert_eq!(entries(&bytes[..cut], 3), None, "cut at {cut}");
        }
        assert_eq!((entries(&bytes, 2), entries(&bytes, 4)), (None, None));
        assert_eq!(entries_bytes([vec![0; 65_536].as_slice()]), None);
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
