//! Where in the file the rows of a table lie: the leaves of its tree, and which rowids each may hold, read from the inner pages
//! alone. Knows pages, no SQL and no row; where a tree is not as it should be, nothing is said of it.
//!
//! Format: <https://www.sqlite.org/fileformat2.html#b_tree_pages>.

use std::collections::BTreeSet;

use super::DatabaseError;
use super::page::{PageSource, big_endian};

const INNER_INDEX: u8 = 0x02;
const INNER_TABLE: u8 = 0x05;
const LEAF_INDEX: u8 = 0x0a;
const LEAF_TABLE: u8 = 0x0d;

/// Pages from a root to a leaf: as many as SQLite itself follows.
const DEPTH_MAX: usize = 20;

/// Where the header of a tree's page begins on page 1, which has the file's before it.
const FILE_HEADER_BYTES: usize = 100;

/// Where in page 1 the number of the first page of the list of free ones stands.
const FREE_PAGES_AT: usize = 32;

/// A page with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) page: u32,
    /// The greatest rowid that may stand on it; those of the leaf before it are smaller.
    pub(super) last: i64,
}

/// The pages of a tree, but for those that only hold what did not fit into a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tree {
    /// Whether it is that of a table, by rowid. That of an index says nothing of rowids.
    pub(super) is_table: bool,
    /// In the order of what stands on them.
    pub(super) leaves: Vec<Leaf>,
    inner: Vec<u32>,
}

impl Tree {
    /// Follows the tree whose root is page `root`.
    pub(super) fn of(pages: &impl PageSource, root: u32) -> Result<Option<Self>, DatabaseError> {
        let mut depth = 0;
        let mut page = Page::read(pages, root)?;
        let is_table = page.is(LEAF_TABLE) || page.is(INNER_TABLE);
        let kinds = if is_table { (INNER_TABLE, LEAF_TABLE) } else { (INNER_INDEX, LEAF_INDEX) };
        while page.is(kinds.0) && depth < DEPTH_MAX {
            let Some((first, _)) = page.children(i64::MAX).into_iter().next() else {
                return Ok(None);
            };
            page = Page::read(pages, first)?;
            depth += 1;
        }
        let mut tree = Self { is_table, ..Self::default() };
        let whole = page.is(kinds.1)
            && tree.follow(pages, kinds.0, Leaf { page: root, last: i64::MAX }, depth)?;
        Ok(whole.then_some(tree))
    }

    /// Takes in what stands `depth` levels of inner pages below `top`.
    fn follow(
        &mut self,
        pages: &impl PageSource,
        inner: u8,
        top: Leaf,
        depth: usize,
    ) -> Result<bool, DatabaseError> {
        // More pages than there are: a tree that bites its tail.
        let met = self.leaves.len() + self.inner.len();
        if top.page == 0 || top.page > pages.page_count() || met >= pages.page_count() as usize {
            return Ok(false);
        }
        let Some(below) = depth.checked_sub(1) else {
            self.leaves.push(top);
            return Ok(true);
        };
        let page = Page::read(pages, top.page)?;
        if !page.is(inner) {
            return Ok(false);
        }
        self.inner.push(top.page);
        for (page, last) in page.children(top.last) {
            if !self.follow(pages, inner, Leaf { page, last }, below)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes its pages out of `numbers`.
    pub(super) fn strike_out(&self, numbers: &mut BTreeSet<u32>) {
        for page in self.inner.iter().chain(self.leaves.iter().map(|leaf| &leaf.page)) {
            numbers.remove(page);
        }
    }
}

/// Takes the free pages out of `numbers`.
pub(super) fn strike_out_free(
    pages: &impl PageSource,
    numbers: &mut BTreeSet<u32>,
) -> Result<(), DatabaseError> {
    let mut trunk = big_endian(&pages.read_page(1)?, FREE_PAGES_AT);
    for _ in 0..pages.page_count() {
        if trunk == 0 || trunk > pages.page_count() {
            break;
        }
        numbers.remove(&trunk);
        let page = pages.read_page(trunk)?;
        let count = (big_endian(&page, 4) as usize).min(page.len() / 4);
        for at in 2..2 + count {
            numbers.remove(&big_endian(&page, 4 * at));
        }
        trunk = big_endian(&page, 0);
    }
    Ok(())
}

/// A page of a tree.
struct Page {
    bytes: Vec<u8>,
    header: usize,
}

impl Page {
    /// Page `number`; one that is not there has no bytes.
    fn read(pages: &impl PageSource, number: u32) -> Result<Self, DatabaseError> {
        let there = (1..=pages.page_count()).contains(&number);
        let bytes = if there { pages.read_page(number)? } else { Vec::new() };
        Ok(Self { bytes, header: if number == 1 { FILE_HEADER_BYTES } else { 0 } })
    }

    fn is(&self, kind: u8) -> bool {
        self.bytes.get(self.header) == Some(&kind)
    }

    /// The pages below an inner page, each with the greatest rowid that may stand there; below this one that is `last`.
    fn children(&self, last: i64) -> Vec<(u32, i64)> {
        /// Bytes of an inner page's header, after which the places of its cells stand.
        const HEADER_BYTES: usize = 12;
        let count = self.two_bytes(self.header + 3);
        let mut children: Vec<(u32, i64)> = (0..count)
            .map(|cell| {
                let at = self.two_bytes(self.header + HEADER_BYTES + 2 * cell);
                (big_endian(&self.bytes, at), rowid(self.bytes.get(at + 4..).unwrap_or_default()))
            })
            .collect();
        children.push((big_endian(&self.bytes, self.header + 8), last));
        children
    }

    fn two_bytes(&self, at: usize) -> usize {
        let two = self.bytes.get(at..).and_then(<[u8]>::first_chunk);
        two.map_or(0, |two| usize::from(u16::from_be_bytes(*two)))
    }
}

/// A number as SQLite writes it in one to nine bytes.
fn rowid(bytes: &[u8]) -> i64 {
    let mut number: u64 = 0;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        if at == 8 {
            return ((number << 8) | u64::from(*byte)).cast_signed();
        }
        number = (number << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    number.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::sqlite::Snapshot;
    use crate::target::sqlite::testing::{WAIT, database, sql};
    use std::path::Path;

    const ROWS: &str = "PRAGMA page_size=512;
        CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX i ON t(v);
        WITH RECURSIVE n(i) AS (SELECT -3000 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO t SELECT i * 1000000007, hex(randomblob(20)) FROM n;";

    fn root(path: &Path, name: &str) -> u32 {
        sql(path, &format!("SELECT rootpage FROM sqlite_schema WHERE name = '{name}'"))
    }

    #[test]
    fn a_leaf_holds_the_rows_up_to_its_last_rowid() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        database(&path, ROWS);
        let snapshot = Snapshot::open(&path, WAIT).unwrap();
        let tree = Tree::of(&snapshot, root(&path, "t")).unwrap().unwrap();
        assert!(tree.is_table && tree.leaves.len() > 1000 && tree.inner.len() > 1);
        assert!(tree.leaves.is_sorted_by_key(|leaf| leaf.last));
        let mut first = i64::MIN;
        for leaf in &tree.leaves {
            let last = leaf.last;
            let query = format!("SELECT count(*) FROM t WHERE id BETWEEN {first} AND {last}");
            let page = snapshot.read_page(leaf.page).unwrap();
            let rows = i64::from(u16::from_be_bytes([page[3], page[4]]));
            assert_eq!((page[0], sql::<i64>(&path, &query)), (LEAF_TABLE, rows));
            first = last.saturating_add(1);
        }
    }

    #[test]
    fn what_is_no_page_of_a_tree_and_not_free_is_overflow() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        database(&path, &format!("{ROWS} DELETE FROM t WHERE id < 0;"));
        let left = || {
            let snapshot = Snapshot::open(&path, WAIT).unwrap();
            let mut numbers = (2..=snapshot.page_count()).collect();
            for name in ["t", "i"] {
                let tree = Tree::of(&snapshot, root(&path, name)).unwrap().unwrap();
                assert_eq!(tree.is_table, name == "t");
                tree.strike_out(&mut numbers);
            }
            strike_out_free(&snapshot, &mut numbers).unwrap();
            numbers.len()
        };
        assert_eq!(left(), 0);
        database(
            &path,
            "UPDATE t SET v = zeroblob(1500) WHERE id = 1000000007; DROP INDEX i;
            CREATE INDEX i ON t(id)",
        );
        assert_eq!(left(), 3);
    }

    #[test]
    fn of_a_tree_that_leads_nowhere_nothing_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        database(&path, ROWS);
        let root = root(&path, "t");
        let file = std::fs::read(&path).unwrap();
        for (at, bytes) in [(0, [9; 2]), (8, [0xff; 2]), (12, [0xff; 2]), (3, [0xff; 2])] {
            let mut bent = file.clone();
            let begin = (root as usize - 1) * 512 + at;
            bent[begin..begin + 2].copy_from_slice(&bytes);
            let other = dir.path().join("b.db");
            std::fs::write(&other, bent).unwrap();
            let snapshot = Snapshot::open(&other, WAIT).unwrap();
            assert_eq!(Tree::of(&snapshot, root).unwrap(), None, "{at}");
        }
        let snapshot = Snapshot::open(&path, WAIT).unwrap();
        assert_eq!(Tree::of(&snapshot, snapshot.page_count() + 1).unwrap(), None);
    }

    #[test]
    fn numbers_of_one_to_nine_bytes_are_read() {
        assert_eq!(rowid(&[0x7f, 0xff]), 127);
        assert_eq!(rowid(&[0x81, 0x00]), 128);
        assert_eq!(rowid(&[0xff; 9]), -1);
        assert_eq!(rowid(&[]), 0);
    }
}
