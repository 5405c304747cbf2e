//! The tree of page hashes under a page root (SPEC §9.1). Knows hashes, no page bytes
//! beyond the moment of hashing them.

use std::collections::{BTreeMap, BTreeSet};

use ledger_format::cbor::{self, Value};
use ledger_format::hash::{CommitHash, ContentHash, commit_preimage};

use super::page::{PageSize, PageSource};
use super::sweep::sweep;
use super::{DatabaseError, RUN_LENGTH};

const TAG: &str = "page_root";

/// The hashes of all pages of a database at one moment, and of the runs above them. Costs 33 bytes
/// of memory a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageTree {
    page_size: PageSize,
    /// Level 0 are the pages, each further level the runs of the one below. The last level is the
    /// first above the pages with at most [`RUN_LENGTH`] nodes.
    levels: Vec<Vec<ContentHash>>,
}

/// A tree was asked to grow over pages whose hashes nobody gave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("page {page} is new and has no hash")]
pub struct UnknownPage {
    /// The first such page.
    pub page: u32,
}

impl PageTree {
    /// Hashes every page of `source` once, on all cores.
    pub fn build(source: &impl PageSource) -> Result<Self, DatabaseError> {
        let mut names = Vec::with_capacity(source.page_count() as usize);
        sweep(
            source,
            |pages| pages.normalised().names(),
            |of_chunk| {
                names.extend(of_chunk);
                Ok::<(), DatabaseError>(())
            },
        )?;
        Ok(Self::over(source.page_size(), names))
    }

    /// The tree over pages with these names, in page order.
    pub(super) fn over(page_size: PageSize, pages: Vec<ContentHash>) -> Self {
        let mut tree = Self { page_size, levels: vec![Vec::new()] };
        tree.rise(pages, None);
        tree
    }

    /// The tree whose levels, pages first, were read back and checked.
    pub(super) fn from_levels(page_size: PageSize, levels: Vec<Vec<ContentHash>>) -> Self {
        Self { page_size, levels }
    }

    /// Moves the tree to a database of `page_count` pages in which `changed` pages have new names.
    /// Only runs above changed pages are hashed again. Pages beyond the former count must be among
    /// `changed`; changed pages beyond `page_count` are ignored.
    pub fn update(
        &mut self,
        page_count: u32,
        changed: &BTreeMap<u32, ContentHash>,
    ) -> Result<(), UnknownPage> {
        let before = self.page_count();
        if let Some(page) = (before + 1..=page_count).find(|page| !changed.contains_key(page)) {
            return Err(UnknownPage { page });
        }
        let mut pages = self.pages().to_vec();
        pages.truncate(page_count as usize);
        let mut dirty = BTreeSet::new();
        for (&number, &name) in changed.range(..=page_count) {
            let Some(at) = (number as usize).checked_sub(1) else { continue };
            match pages.get_mut(at) {
                Some(held) => *held = name,
                None => pages.push(name),
            }
            dirty.insert(at);
        }
        if page_count < before {
            dirty.extend((page_count as usize).checked_sub(1));
        }
        self.rise(pages, Some(dirty));
        Ok(())
    }

    /// Stands the levels on `pages`. With `dirty` positions given, everything not above one of them
    /// is taken over from the present levels.
    fn rise(&mut self, pages: Vec<ContentHash>, mut dirty: Option<BTreeSet<usize>>) {
        let old = std::mem::take(&mut self.levels);
        let mut old_levels = old.into_iter().skip(1);
        let mut below = pages;
        loop {
            let kept = old_levels.next().unwrap_or_default();
            dirty = dirty.map(|set| set.into_iter().map(|at| at / RUN_LENGTH).collect());
            let above: Vec<ContentHash> = below
                .chunks(RUN_LENGTH)
                .enumerate()
                .map(|(at, run)| match (&dirty, kept.get(at)) {
                    (Some(set), Some(node)) if !set.contains(&at) => *node,
                    _ => ContentHash::of(&node_bytes(run)),
                })
                .collect();
            self.levels.push(std::mem::replace(&mut below, above));
            if below.len() <= RUN_LENGTH {
                break;
            }
        }
        self.levels.push(below);
    }

    /// The numbers of all pages that differ, ascending: other bytes, or in one of the two only. With
    /// another page size that is every page of both.
    #[must_use]
    pub fn diff(&self, other: &Self) -> Vec<u32> {
        let (ours, theirs) = (self.pages(), other.pages());
        let same_size = self.page_size == other.page_size;
        (1..=self.page_count().max(other.page_count()))
            .filter(|&number| {
                let at = number as usize - 1;
                !same_size || ours.get(at) != theirs.get(at)
            })
            .collect()
    }

    /// The name of the whole: `CommitHash("page_root", …)` (SPEC §9.1).
    #[must_use]
    pub fn root(&self) -> CommitHash {
        CommitHash::of(TAG, &self.root_value())
    }

    /// The bytes that [`Self::root`] hashes. Kept as an object they carry the root's bytes as name.
    #[must_use]
    pub(super) fn root_bytes(&self) -> Vec<u8> {
        commit_preimage(TAG, &self.root_value())
    }

    fn root_value(&self) -> Value {
        let top = self.levels.last().map_or(&[][..], Vec::as_slice);
        cbor::map([
            ("page_size", u64::from(self.page_size.bytes()).into()),
            ("page_count", u64::from(self.page_count()).into()),
            ("nodes", Value::Array(top.iter().map(|node| (*node).into()).collect())),
        ])
    }

    /// The size of every page.
    #[must_use]
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// How many pages there are.
    #[must_use]
    pub fn page_count(&self) -> u32 {
        u32::try_from(self.pages().len()).unwrap_or(u32::MAX)
    }

    /// The name of page `number`, counted from 1.
    #[must_use]
    pub fn page(&self, number: u32) -> Option<&ContentHash> {
        self.pages().get((number as usize).checked_sub(1)?)
    }

    /// The names of all pages, in order.
    #[must_use]
    pub fn pages(&self) -> &[ContentHash] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    /// The levels above the pages, lowest first.
    pub(super) fn node_levels(&self) -> &[Vec<ContentHash>] {
        self.levels.get(1..).unwrap_or_default()
    }

    /// Level `level` with the level beneath it, level 1 standing on the pages.
    pub(super) fn level(&self, level: usize) -> Option<&[ContentHash]> {
        self.levels.get(level).map(Vec::as_slice)
    }
}

/// The bytes of a node: the names of its run, one after the other.
pub(super) fn node_bytes(run: &[ContentHash]) -> Vec<u8> {
    run.iter().flat_map(|name| *name.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    fn name(seed: u32) -> ContentHash {
        ContentHash::of(&seed.to_be_bytes())
    }

    fn tree(count: u32) -> PageTree {
        PageTree::over(PageSize::new(4096).unwrap(), (1..=count).map(name).collect())
    }

    #[test]
    fn levels_stop_at_sixty_four_nodes() {
        let depth = |count| tree(count).node_levels().len();
        assert_eq!((depth(0), depth(1), depth(64), depth(64 * 64)), (1, 1, 1, 1));
        assert_eq!((depth(64 * 64 + 1), depth(5000)), (2, 2));
    }

    #[test]
    fn the_root_sees_size_count_and_every_page() {
        let base = tree(70);
        let mut roots = BTreeSet::from([base.root(), tree(69).root(), tree(0).root()]);
        let wider = PageTree::over(PageSize::new(512).unwrap(), base.pages().to_vec());
        roots.insert(wider.root());
        for number in 1..=70 {
            let mut other = base.clone();
            other.update(70, &BTreeMap::from([(number, name(1000))])).unwrap();
            roots.insert(other.root());
        }
        assert_eq!(roots.len(), 74);
    }

    #[test]
    fn growth_over_an_unknown_page_is_refused() {
        let mut small = tree(3);
        let refused = small.update(5, &BTreeMap::from([(5, name(9))]));
        assert_eq!(refused, Err(UnknownPage { page: 4 }));
    }

    quickcheck! {
        fn an_update_equals_building_again(before: u16, after: u16, changed: Vec<u16>) -> bool {
            let (before, after) = (u32::from(before) % 9000, u32::from(after) % 9000);
            let mut changes: BTreeMap<u32, ContentHash> =
                changed.iter().map(|&n| (u32::from(n) % 9000 + 1, name(u32::from(n) + 50_000))).collect();
            for grown in before + 1..=after {
                changes.entry(grown).or_insert_with(|| name(grown + 90_000));
            }
            let mut updated = tree(before);
            updated.update(after, &changes).unwrap();
            let expected = (1..=after)
                .map(|number| changes.get(&number).copied().unwrap_or_else(|| name(number)))
                .collect();
            updated == PageTree::over(updated.page_size(), expected)
        }

        fn a_diff_names_exactly_the_changed_pages(count: u16, changed: Vec<u16>) -> bool {
            let count = u32::from(count) % 500 + 1;
            let base = tree(count);
            let changes: BTreeMap<u32, ContentHash> =
                changed.iter().map(|&n| (u32::from(n) % count + 1, name(7_000_000))).collect();
            let mut other = base.clone();
            other.update(count, &changes).unwrap();
            base.diff(&other) == changes.keys().copied().collect::<Vec<_>>()
        }
    }
}
