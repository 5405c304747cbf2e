//! Where the rows may lie that a step added, changed or took away, found out from the pages that it wrote: a row on a page that
//! has it before and after, and that was not written in between, is the same row. Knows two states of a database and the pages
//! between them; where anything is in doubt, every row may have changed.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::btree::{Leaf, Tree, strike_out_free};
use super::connection::{GuestPages, View};
use super::page::{Layout, PageSource as _};
use super::schema::{Table, quoted};
use super::{ContentError, DatabaseError};

/// Of so many leaves at most one may be another one; else reading all of both sides costs no more.
const LEAVES_A_CHANGE_MIN: usize = 4;

/// Ranges of rowids, ascending, none of which touches another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Spans(Vec<(i64, i64)>);

impl Spans {
    /// Where rows of the table called `name` may differ between `before` and `after`, if that can be told. `written` are the
    /// pages written in between, and perhaps more. What the table's columns are called and where they stand must be the same
    /// on both sides, as [`Table::begins_as`] tells.
    pub(super) fn of(
        name: &str,
        before: View<'_>,
        after: View<'_>,
        written: &BTreeSet<u32>,
    ) -> Result<Option<Self>, ContentError> {
        let (Some(old), Some(new)) = (tree(before, name)?, tree(after, name)?) else {
            return Ok(None);
        };
        if !old.is_table || !new.is_table || !overflow_is_untouched(after, &new, written)? {
            return Ok(None);
        }
        let both = on_both_sides(&old.leaves, &new.leaves);
        let changed = |leaf: &Leaf| !both(leaf.page) || written.contains(&leaf.page);
        let count = |leaves: &[Leaf]| leaves.iter().filter(|leaf| changed(leaf)).count();
        let leaves = old.leaves.len() + new.leaves.len();
        if (count(&old.leaves) + count(&new.leaves)) * LEAVES_A_CHANGE_MIN > leaves {
            return Ok(None);
        }
        let ranges = ranges(&old.leaves).chain(ranges(&new.leaves));
        let ranges = ranges.filter(|(_, leaf)| changed(leaf));
        Ok(Some(Self::joined(ranges.map(|(first, leaf)| (first, leaf.last)))))
    }

    fn joined(ranges: impl Iterator<Item = (i64, i64)>) -> Self {
        let mut ranges: Vec<(i64, i64)> = ranges.collect();
        ranges.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (first, last) in ranges {
            match joined.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => joined.push((first, last)),
            }
        }
        Self(joined)
    }

    /// As a list of pairs in JSON: what [`rows_within`] takes as its only parameter.
    pub(super) fn to_json(&self) -> String {
        let pairs = self.0.iter().map(|(first, last)| format!("[{first},{last}]"));
        format!("[{}]", pairs.collect::<Vec<_>>().join(","))
    }
}

/// What to select from to get the rows of `table` whose rowids lie within spans. `None` where its columns hide every name
/// that a rowid has.
pub(super) fn rows_within(table: &Table) -> Option<String> {
    const ROWIDS: [&str; 3] = ["rowid", "_rowid_", "oid"];
    let is_free = |name: &str| !table.has_name(name);
    if !is_free("glyph_first") || !is_free("glyph_last") {
        return None;
    }
    let hidden = || ROWIDS.into_iter().find(|name| is_free(name)).map(str::to_owned);
    let rowid = table.id.as_deref().map(quoted).or_else(hidden)?;
    let name = quoted(&table.name);
    Some(format!(
        "(SELECT value ->> 0 AS glyph_first, value ->> 1 AS glyph_last FROM json_each(?1))
         CROSS JOIN main.{name} ON {name}.{rowid} BETWEEN glyph_first AND glyph_last"
    ))
}

/// Leaves with the smallest rowid that may stand on them.
fn ranges(leaves: &[Leaf]) -> impl Iterator<Item = (i64, &Leaf)> {
    let after = leaves.iter().map(|leaf| leaf.last.saturating_add(1));
    std::iter::once(i64::MIN).chain(after).zip(leaves)
}

/// Tells of a page whether it is among the leaves of both sides.
fn on_both_sides(old: &[Leaf], new: &[Leaf]) -> impl Fn(u32) -> bool + use<> {
    let last = old.iter().chain(new).map(|leaf| leaf.page).max().unwrap_or_default();
    let mut sides = vec![0_u8; last as usize + 1];
    for (side, leaves) in [(1, old), (2, new)] {
        for leaf in leaves {
            if let Some(sides) = sides.get_mut(leaf.page as usize) {
                *sides |= side;
            }
        }
    }
    move |page| sides.get(page as usize) == Some(&3)
}

/// Whether no page was written that may hold what did not fit into a row: then a row whose leaf was not written is whole as
/// it was. Such pages are found by what they are not, since only every row of every leaf would tell.
fn overflow_is_untouched(
    after: View<'_>,
    table: &Tree,
    written: &BTreeSet<u32>,
) -> Result<bool, ContentError> {
    let pages = GuestPages::seen_by(after)?;
    let page_one = pages.read_page(1)?;
    if Layout::of(pages.page_size(), &page_one).auto_vacuum {
        return Ok(false);
    }
    let last = pages.page_count();
    let mut left: BTreeSet<u32> = written.range(2..).copied().filter(|it| *it <= last).collect();
    left.remove(&pages.page_size().lock_page());
    table.strike_out(&mut left);
    strike_out_free(&pages, &mut left)?;
    for root in after.run(roots)? {
        if left.is_empty() {
            break;
        }
        match Tree::of(&pages, root)? {
            Some(tree) => tree.strike_out(&mut left),
            None => return Ok(false),
        }
    }
    Ok(left.is_empty())
}

/// The root pages of all trees, that of the schema first.
fn roots(connection: &Connection) -> rusqlite::Result<Vec<u32>> {
    let query = "SELECT 1 UNION ALL SELECT rootpage FROM main.sqlite_schema WHERE rootpage > 0";
    connection.prepare_cached(query)?.query_map([], |row| row.get(0))?.collect()
}

pub(super) fn tree(view: View<'_>, table: &str) -> Result<Option<Tree>, DatabaseError> {
    let query = "SELECT rootpage FROM main.sqlite_schema WHERE type = 'table' AND name = ?1";
    let root = view.run(|connection| {
        connection.prepare_cached(query)?.query_row([table], |row| row.get::<_, u32>(0))
    })?;
    Tree::of(&GuestPages::seen_by(view)?, root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::sqlite::loss::{self, Known, Side, Touched};
    use crate::target::sqlite::schema::Overview;
    use crate::target::sqlite::testing::{database, owner};
    use crate::target::sqlite::{Loss, PageTree, Snapshot, content};
    use std::path::Path;
    use std::time::Duration;

    const ROWS: &str = "PRAGMA page_size=512;
        CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, w);
        CREATE TABLE k(name TEXT PRIMARY KEY, v, rowid);
        CREATE TABLE b(a, b);
        CREATE TABLE big(id INTEGER PRIMARY KEY, body BLOB);
        CREATE TABLE hides(rowid, _rowid_, oid);
        WITH RECURSIVE n(i) AS (SELECT -500 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
        INSERT INTO t SELECT i * 7, 'value ' || i, i % 5 FROM n;
        INSERT INTO k SELECT 'name ' || id, v, w FROM t;
        INSERT INTO b SELECT v, w FROM t;
        INSERT INTO hides SELECT v, w, 1 FROM t;
        INSERT INTO big SELECT id, zeroblob(1500 * (id % 20 = 0)) FROM t;";

    struct Sides {
        _dir: tempfile::TempDir,
        before: Connection,
        after: Connection,
        written: BTreeSet<u32>,
    }

    fn view(connection: &Connection) -> View<'_> {
        View::of(connection, Path::new("x.db"), Duration::ZERO)
    }

    impl Sides {
        fn of(step: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let (old, new) = (dir.path().join("old.db"), dir.path().join("new.db"));
            database(&old, ROWS);
            std::fs::copy(&old, &new).unwrap();
            database(&new, step);
            let tree = |path: &Path| {
                PageTree::build(&Snapshot::open(path, Duration::ZERO).unwrap()).unwrap()
            };
            let written = tree(&old).diff(&tree(&new)).into_iter().collect();
            let (before, after) = (owner(&old, ""), owner(&new, ""));
            content::prepare(&before).unwrap();
            content::prepare(&after).unwrap();
            Self { _dir: dir, before, after, written }
        }

        fn spans(&self, table: &str) -> Option<Spans> {
            Spans::of(table, view(&self.before), view(&self.after), &self.written).unwrap()
        }

        fn loss(&self, table: &str, written: &BTreeSet<u32>) -> Loss {
            let tables = |of: &Connection| Overview::of(of).unwrap().tables;
            let (old, new) = (tables(&self.before), tables(&self.after));
            let before = Side { view: view(&self.before), tables: &old };
            let after = Side { view: view(&self.after), tables: &new };
            let touched = Touched::Tables([table.to_owned()].into());
            loss::measure(before, &Known::new(), after, (&touched, written), &[]).unwrap()
        }
    }

    #[test]
    fn looking_where_pages_were_written_finds_what_looking_everywhere_finds() {
        let everything: BTreeSet<u32> = (1..100_000).collect();
        for (table, step) in [
            ("t", "UPDATE t SET v = 'x' WHERE id BETWEEN 70 AND 700"),
            ("t", "UPDATE t SET w = w + 1.0 WHERE id IN (-3500, 0, 17500)"),
            ("t", "DELETE FROM t WHERE id % 700 = 0"),
            ("t", "DELETE FROM t WHERE id BETWEEN 700 AND 2800"),
            ("t", "DELETE FROM t WHERE id < -3000"),
            ("t", "DELETE FROM t WHERE id > 17000"),
            ("t", "UPDATE t SET id = id + 100000 WHERE id BETWEEN 70 AND 140"),
            ("t", "UPDATE t SET id = id - 100001 WHERE id = 14"),
            ("t", "INSERT INTO t SELECT id + 1, v || w, w FROM t WHERE id BETWEEN 70 AND 2000"),
            (
                "t",
                "INSERT INTO t VALUES (-9223372036854775808, 'a', 1), (9223372036854775807, 'b', 2)",
            ),
            (
                "t",
                "ALTER TABLE t ADD COLUMN x DEFAULT 5; UPDATE t SET x = 6, v = 'y' WHERE id = 70",
            ),
            ("t", "DELETE FROM t WHERE id = 70; VACUUM"),
            ("k", "UPDATE k SET v = 'x' WHERE name = 'name 70'"),
            ("k", "DELETE FROM k WHERE name LIKE 'name 7_'"),
            ("k", "UPDATE k SET name = name || '!' WHERE name = 'name 700'"),
            (
                "k",
                "DELETE FROM k WHERE name = 'name 70'; INSERT INTO k VALUES ('name 70', 'new', 0)",
            ),
            ("b", "UPDATE b SET b = 7 WHERE a = 'value 70'"),
            ("b", "DELETE FROM b WHERE a = 'value 70'; INSERT INTO b VALUES ('value 70', 0)"),
            ("b", "DELETE FROM b WHERE a LIKE 'value 1__'"),
            ("big", "UPDATE big SET body = zeroblob(1500) WHERE id = 140"),
            ("big", "UPDATE big SET body = CAST(x'01' || zeroblob(1499) AS BLOB) WHERE id = 140"),
            ("big", "UPDATE big SET body = CAST(zeroblob(1499) || x'01' AS BLOB) WHERE id = 140"),
            ("big", "DELETE FROM big WHERE id = 140"),
            ("hides", "DELETE FROM hides WHERE rowid = 'value 70'"),
        ] {
            let sides = Sides::of(step);
            let (found, all) = (sides.loss(table, &sides.written), sides.loss(table, &everything));
            assert_eq!(found, all, "{step}");
            assert_eq!(sides.loss("elsewhere", &sides.written), Loss::default(), "{step}");
        }
    }

    #[test]
    fn a_small_change_is_looked_for_in_a_small_part() {
        let sides = Sides::of("UPDATE t SET v = 'x' WHERE id = 70");
        let Spans(spans) = sides.spans("t").unwrap();
        assert!(
            matches!(spans[..], [(first, last)] if first <= 70 && last >= 70 && last - first < 300)
        );
        assert_eq!(sides.spans("k").unwrap(), Spans::default());
    }

    #[test]
    fn what_does_not_fit_into_a_row_may_change_though_its_row_seems_not_to() {
        let sides =
            Sides::of("UPDATE big SET body = CAST(zeroblob(1499) || x'01' AS BLOB) WHERE id = 140");
        let tree = |of| tree(view(of), "big").unwrap().unwrap();
        let (old, new) = (tree(&sides.before), tree(&sides.after));
        assert_eq!(old, new);
        assert!(old.leaves.iter().all(|leaf| !sides.written.contains(&leaf.page)));
        assert_eq!(sides.spans("big"), None);
        assert_eq!(sides.loss("big", &sides.written).tables[0].values_changed["body"], 1);
    }

    #[test]
    fn where_everything_moved_nothing_is_said() {
        assert_eq!(Sides::of("DELETE FROM t WHERE id = 70; VACUUM").spans("t"), None);
        assert_eq!(Sides::of("UPDATE t SET v = 'other'").spans("t"), None);
        assert_eq!(Sides::of("PRAGMA auto_vacuum=full; VACUUM").spans("t"), None);
    }

    #[test]
    fn spans_that_touch_are_one() {
        let joined =
            Spans::joined([(5, 9), (i64::MIN, 3), (4, 4), (20, i64::MAX), (30, 40)].into_iter());
        assert_eq!(joined, Spans(vec![(i64::MIN, 9), (20, i64::MAX)]));
        assert_eq!(joined.to_json(), "[[-9223372036854775808,9],[20,9223372036854775807]]");
    }
}
