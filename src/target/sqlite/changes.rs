//! What differs between two databases: what they declare, and their rows, counted table by table. Reads both, changes
//! neither.
//!
//! Rows are matched by primary key and compared in the columns that both tables have. A table without a primary key, or
//! with another one, is a bag of rows: a changed row is one that is gone and one that is new.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use serde::Serialize;

use super::connection::Guest;
use super::content::refuse_too_many_columns;
use super::rows::ROW_HASH;
use super::schema::{self, Table, quoted, quoted_list};
use super::{ContentError, DatabaseError, content};

/// The name of the second database on the connection of the first.
const OTHER: &str = "other";

/// What of a database stands in its header and concerns what it holds, in the order of names.
const SETTINGS: [&str; 5] =
    ["application_id", "auto_vacuum", "encoding", "page_size", "user_version"];

/// What differs between two databases.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Changes {
    /// What is declared otherwise: tables, each with its columns, then indexes, triggers and views.
    pub declared: Vec<Declared>,
    /// Tables whose rows differ, by name.
    pub tables: Vec<TableChanges>,
    /// Tables that have the same rows in both.
    pub tables_unchanged: u64,
    /// Settings of the file that differ.
    pub settings: Vec<Setting>,
}

/// Something that is declared in one of two databases only, or otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Declared {
    /// What it is.
    pub kind: Kind,
    /// Its name; a column's is `table.column`.
    pub name: String,
    /// What became of it.
    pub change: Change,
    /// Its declaration before, if there was one.
    pub before: Option<String>,
    /// Its declaration after, if there is one.
    pub after: Option<String>,
}

/// Kinds of what a schema declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A table, virtual ones too.
    Table,
    /// A column of a table that is in both.
    Column,
    /// An index.
    Index,
    /// A trigger.
    Trigger,
    /// A view.
    View,
}

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is in the second only.
    Added,
    /// It is in the first only.
    Removed,
    /// It is another one.
    Changed,
}

/// Rows of one table in two databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableChanges {
    /// The table.
    pub table: String,
    /// Rows before; none where there is no such table.
    pub rows_before: Option<u64>,
    /// Rows after.
    pub rows_after: Option<u64>,
    /// Rows that are new.
    pub added: u64,
    /// Rows that are gone.
    pub removed: u64,
    /// Rows whose values differ in columns that both have.
    pub changed: u64,
    /// Columns that only one of the two has, as far as they hold values.
    pub columns: Vec<ColumnValues>,
}

/// A column that one of two databases has, in a table that both have, and that holds something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ColumnValues {
    /// The column.
    pub column: String,
    /// Whether the first or the second has it.
    pub change: Change,
    /// How many values it holds that are not NULL.
    pub values: u64,
}

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The pragma.
    pub name: String,
    /// Its value before.
    pub before: String,
    /// Its value after.
    pub after: String,
}

impl Kind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Column => "column",
            Self::Index => "index",
            Self::Trigger => "trigger",
            Self::View => "view",
        }
    }

    fn of(kind: &str) -> Option<Self> {
        [Self::Table, Self::Index, Self::Trigger, Self::View]
            .into_iter()
            .find(|known| known.name() == kind)
    }
}

impl Changes {
    /// What differs between the databases at `before` and `after`, which nobody else writes meanwhile.
    pub fn between(before: &Path, after: &Path) -> Result<Self, ContentError> {
        let (old, new) = (Side::open(before)?, Side::open(after)?);
        let rows = Rows::of(&old, after)?;
        let mut changes = Self { declared: declared(&old, &new), ..Self::default() };
        let names = old.tables.keys().chain(new.tables.keys()).collect::<BTreeSet<_>>();
        for name in names {
            let found = rows.table(name, old.tables.get(name), new.tables.get(name))?;
            if found.added + found.removed + found.changed > 0
                || !found.columns.is_empty()
                || found.rows_before.is_none() != found.rows_after.is_none()
            {
                changes.tables.push(found);
            } else {
                changes.tables_unchanged += 1;
            }
        }
        changes.settings = settings(&old, &new);
        Ok(changes)
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.declared.is_empty() && self.tables.is_empty() && self.settings.is_empty()
    }
}

/// One of the two databases.
struct Side {
    guest: Guest,
    /// Tables that have rows of their own.
    tables: BTreeMap<String, Table>,
    /// What is declared, with its SQL.
    declared: BTreeMap<(Kind, String), String>,
    /// Columns of tables that have rows of their own, as they are declared.
    columns: BTreeMap<String, BTreeMap<String, String>>,
    settings: Vec<String>,
}

impl Side {
    fn open(path: &Path) -> Result<Self, ContentError> {
        let guest = Guest::open(path, Duration::ZERO)?;
        guest.run(content::prepare)?;
        let mut tables = BTreeMap::new();
        let mut columns = BTreeMap::new();
        for table in guest.run(schema::tables)? {
            refuse_too_many_columns(path, &table)?;
            columns.insert(table.name.clone(), guest.run(|at| declared_columns(at, &table.name))?);
            tables.insert(table.name.clone(), table);
        }
        let declared = guest.run(declarations)?;
        let settings = guest.run(|connection| {
            SETTINGS.map(|name| setting(connection, name)).into_iter().collect()
        })?;
        Ok(Self { guest, tables, declared, columns, settings })
    }
}

fn declarations(connection: &Connection) -> rusqlite::Result<BTreeMap<(Kind, String), String>> {
    let mut all = connection.prepare(
        "SELECT type, name, sql FROM main.sqlite_schema
         WHERE sql IS NOT NULL AND name <> 'sqlite_sequence' AND name NOT GLOB 'sqlite_stat*'",
    )?;
    let all = all
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<Vec<(String, String, String)>, _>>()?;
    let known =
        all.into_iter().filter_map(|(kind, name, sql)| Some(((Kind::of(&kind)?, name), sql)));
    Ok(known.collect())
}

/// Each column of `table` with its declaration in words of SQL.
fn declared_columns(
    connection: &Connection,
    table: &str,
) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut columns = connection.prepare_cached(
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main')",
    )?;
    let columns = columns.query_map([table], |row| {
        let (name, kind): (String, String) = (row.get(0)?, row.get(1)?);
        let mut words = vec![kind];
        if row.get::<_, i64>(2)? != 0 {
            words.push("NOT NULL".to_owned());
        }
        words.extend(row.get::<_, Option<String>>(3)?.map(|default| format!("DEFAULT {default}")));
        let key: i64 = row.get(4)?;
        if key > 0 {
            words.push(format!("PRIMARY KEY {key}"));
        }
        if row.get::<_, i64>(5)? > 1 {
            words.push("GENERATED".to_owned());
        }
        words.retain(|word| !word.is_empty());
        Ok((name, words.join(" ")))
    })?;
    columns.collect()
}

fn setting(connection: &Connection, name: &str) -> rusqlite::Result<String> {
    connection
        .query_row(&format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"), [], |row| row.get(0))
}

fn settings(old: &Side, new: &Side) -> Vec<Setting> {
    let pairs = SETTINGS.iter().zip(old.settings.iter().zip(&new.settings));
    let differing = pairs.filter(|(_, (before, after))| before != after);
    differing
        .map(|(name, (before, after))| Setting {
            name: (*name).to_owned(),
            before: before.clone(),
            after: after.clone(),
        })
        .collect()
}

/// What is declared otherwise, a table's columns after it.
fn declared(old: &Side, new: &Side) -> Vec<Declared> {
    let keys = old.declared.keys().chain(new.declared.keys()).collect::<BTreeSet<_>>();
    let mut found = Vec::new();
    for (kind, name) in keys {
        let key = (*kind, name.clone());
        let texts = (old.declared.get(&key), new.declared.get(&key));
        let Some(table) = differing(*kind, name.clone(), texts) else { continue };
        let both = (table.change == Change::Changed && *kind == Kind::Table)
            .then(|| old.columns.get(name).zip(new.columns.get(name)));
        found.push(table);
        found.extend(both.flatten().into_iter().flat_map(|(old, new)| columns(name, old, new)));
    }
    found
}

fn columns(
    table: &str,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Vec<Declared> {
    let names = old.keys().chain(new.keys()).collect::<BTreeSet<_>>();
    let of = |name: &String| {
        differing(Kind::Column, format!("{table}.{name}"), (old.get(name), new.get(name)))
    };
    names.into_iter().filter_map(of).collect()
}

fn differing(
    kind: Kind,
    name: String,
    texts: (Option<&String>, Option<&String>),
) -> Option<Declared> {
    let (before, after) = texts;
    let change = match (before, after) {
        (before, after) if before == after => return None,
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        _ => Change::Changed,
    };
    Some(Declared { kind, name, change, before: before.cloned(), after: after.cloned() })
}

/// Counts rows, both databases on one connection.
struct Rows<'a> {
    guest: &'a Guest,
}

impl<'a> Rows<'a> {
    fn of(side: &'a Side, other: &Path) -> Result<Self, ContentError> {
        // An absolute path cannot begin with "file:", which SQLite would read as a URI.
        let absolute = std::path::absolute(other).map_err(DatabaseError::io(other))?;
        let absolute = absolute.to_str().ok_or_else(|| {
            let told =
                std::io::Error::new(std::io::ErrorKind::InvalidInput, "the path is not UTF-8");
            DatabaseError::io(other)(told)
        })?;
        side.guest.run(|at| at.execute(&format!("ATTACH ?1 AS {OTHER}"), [absolute]))?;
        Ok(Self { guest: &side.guest })
    }

    fn table(
        &self,
        name: &str,
        old: Option<&Table>,
        new: Option<&Table>,
    ) -> Result<TableChanges, ContentError> {
        let rows_before = old
            .map(|_| self.number(&format!("SELECT count(*) FROM {}", first(name))))
            .transpose()?;
        let rows_after = new
            .map(|_| self.number(&format!("SELECT count(*) FROM {}", second(name))))
            .transpose()?;
        let mut found = TableChanges {
            table: name.to_owned(),
            rows_before,
            rows_after,
            added: rows_after.unwrap_or(0),
            removed: rows_before.unwrap_or(0),
            changed: 0,
            columns: Vec::new(),
        };
        if let (Some(old), Some(new)) = (old, new) {
            found.columns.extend(self.columns((old, new), &first(name), Change::Removed)?);
            found.columns.extend(self.columns((new, old), &second(name), Change::Added)?);
            found.columns.sort();
            (found.added, found.removed, found.changed) = match self.key(old, new)? {
                Some(key) => self.by_key(old, new, &key)?,
                None => self.as_bags(old, new)?,
            };
        }
        Ok(found)
    }

    /// The primary key, if both tables have the same and no row of them is without one.
    fn key(&self, old: &Table, new: &Table) -> Result<Option<Vec<String>>, ContentError> {
        let key = old.key();
        if key.is_empty() || key != new.key() {
            return Ok(None);
        }
        let without = key.iter().map(|column| format!("{} IS NULL", quoted(column)));
        let without = without.collect::<Vec<_>>().join(" OR ");
        let without =
            |table: String| format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE {without})");
        let any =
            self.number(&without(first(&old.name)))? + self.number(&without(second(&new.name)))?;
        Ok((any == 0).then(|| key.into_iter().map(str::to_owned).collect()))
    }

    /// Rows added, removed and changed.
    fn by_key(
        &self,
        old: &Table,
        new: &Table,
        key: &[String],
    ) -> Result<(u64, u64, u64), ContentError> {
        let same = key.iter().map(|column| format!("a.{0} = b.{0}", quoted(column)));
        let same = same.collect::<Vec<_>>().join(" AND ");
        let (first, second) = (first(&old.name), second(&new.name));
        let removed = format!(
            "SELECT count(*) FROM {first} a WHERE NOT EXISTS (SELECT 1 FROM {second} b WHERE {same})"
        );
        let hash = |side: &str| {
            let columns = common(old, new).map(|column| format!("{side}.{}", quoted(column)));
            format!("{ROW_HASH}({})", columns.collect::<Vec<_>>().join(", "))
        };
        let (before, after) = (hash("a"), hash("b"));
        let others = format!(
            "SELECT count(*) FILTER (WHERE held IS NULL), count(*) FILTER (WHERE held = 0)
             FROM (SELECT (SELECT max({before} = {after}) FROM {first} a WHERE {same}) AS held FROM {second} b)"
        );
        let removed = self.number(&removed)?;
        let (added, changed) = self.guest.run(|at| {
            at.query_row(&others, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        })?;
        Ok((added.unsigned_abs(), removed, changed.unsigned_abs()))
    }

    /// The same of rows that only their values tell apart: none is changed.
    fn as_bags(&self, old: &Table, new: &Table) -> Result<(u64, u64, u64), ContentError> {
        let columns = quoted_list(common(old, new));
        let (first, second) = (first(&old.name), second(&new.name));
        let counts = format!(
            "SELECT total(max(times, 0)), total(max(-times, 0)) FROM (
               SELECT sum(time) AS times FROM (
                 SELECT {ROW_HASH}({columns}) AS row, -1 AS time FROM {first}
                 UNION ALL SELECT {ROW_HASH}({columns}), 1 FROM {second})
               GROUP BY row)"
        );
        let number = |found: f64| format!("{found:.0}").parse().unwrap_or(u64::MAX);
        let (added, removed) = self.guest.run(|at| {
            at.query_row(&counts, [], |row| Ok((row.get::<_, f64>(0)?, row.get::<_, f64>(1)?)))
        })?;
        Ok((number(added), number(removed), 0))
    }

    /// The columns that only the first of two tables has and that hold something, the first standing in `place`.
    fn columns(
        &self,
        (one, other): (&Table, &Table),
        place: &str,
        change: Change,
    ) -> Result<Vec<ColumnValues>, ContentError> {
        let own = one.columns.iter().filter(|column| other.column(&column.name).is_none());
        let mut found = Vec::new();
        for column in own.map(|column| column.name.clone()) {
            let values = self.number(&format!("SELECT count({}) FROM {place}", quoted(&column)))?;
            if values > 0 {
                found.push(ColumnValues { column, change, values });
            }
        }
        Ok(found)
    }

    fn number(&self, query: &str) -> Result<u64, ContentError> {
        let number: i64 = self.guest.run(|at| at.query_row(query, [], |row| row.get(0)))?;
        Ok(number.unsigned_abs())
    }
}

fn first(table: &str) -> String {
    format!("main.{}", quoted(table))
}

fn second(table: &str) -> String {
    format!("{OTHER}.{}", quoted(table))
}

/// Columns that both tables have, in the order of the first.
fn common<'a>(old: &'a Table, new: &'a Table) -> impl Iterator<Item = &'a str> {
    let both = old.columns.iter().filter(|column| new.column(&column.name).is_some());
    both.map(|column| column.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::sqlite::testing::database;

    const BASE: &str = "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, note);
        CREATE TABLE bag(a, b); CREATE TABLE keyed(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
        CREATE TABLE nulls(k TEXT PRIMARY KEY, v);
        CREATE INDEX by_name ON users(name); CREATE VIEW names AS SELECT name FROM users;
        CREATE TRIGGER t AFTER INSERT ON bag BEGIN SELECT 1; END;
        INSERT INTO users VALUES (1, 'a', NULL), (2, 'b', NULL), (3, 'c', 5);
        INSERT INTO bag VALUES (1, 1), (1, 1), (2, 2);
        INSERT INTO keyed VALUES ('x', 1), ('y', 2);
        INSERT INTO nulls VALUES (NULL, 1), (NULL, 1), ('z', 3);";

    fn between(script: &str) -> Changes {
        let dir = tempfile::tempdir().unwrap();
        let (before, after) = (dir.path().join("a.db"), dir.path().join("file:b ü.db"));
        database(&before, BASE);
        std::fs::copy(&before, &after).unwrap();
        database(&after, script);
        Changes::between(&before, &after).unwrap()
    }

    fn rows(script: &str) -> Vec<(String, u64, u64, u64)> {
        let table = |one: TableChanges| (one.table, one.added, one.removed, one.changed);
        between(script).tables.into_iter().map(table).collect()
    }

    fn names(script: &str) -> Vec<String> {
        let told = |one: Declared| format!("{:?} {} {}", one.change, one.kind.name(), one.name);
        between(script).declared.into_iter().map(told).collect()
    }

    #[test]
    fn the_same_content_differs_in_nothing() {
        for script in
            ["", "VACUUM", "ANALYZE", "UPDATE users SET name = name", "PRAGMA journal_mode=wal"]
        {
            let changes = between(script);
            assert!(changes.is_empty(), "{script}: {changes:?}");
            assert_eq!(changes.tables_unchanged, 4);
        }
    }

    #[test]
    fn rows_are_counted_by_key_and_else_as_a_bag() {
        let one = |table: &str, added, removed, changed| {
            vec![(table.to_owned(), added, removed, changed)]
        };
        for (script, expected) in [
            ("UPDATE users SET note = 5.0 WHERE id = 3", one("users", 0, 0, 1)),
            (
                "DELETE FROM users WHERE id = 1; INSERT INTO users VALUES (9, 'z', 0)",
                one("users", 1, 1, 0),
            ),
            ("UPDATE users SET id = 30 WHERE id = 3", one("users", 1, 1, 0)),
            ("DELETE FROM bag WHERE rowid = 2", one("bag", 0, 1, 0)),
            ("INSERT INTO bag VALUES (2, 2)", one("bag", 1, 0, 0)),
            ("UPDATE bag SET b = '1' WHERE rowid = 1", one("bag", 1, 1, 0)),
            (
                "UPDATE keyed SET v = 3 WHERE k = 'x'; DELETE FROM keyed WHERE k = 'y'",
                one("keyed", 0, 1, 1),
            ),
            ("UPDATE nulls SET v = 2 WHERE rowid = 1", one("nulls", 1, 1, 0)),
            ("DROP TABLE keyed", one("keyed", 0, 2, 0)),
            ("CREATE TABLE more(a)", one("more", 0, 0, 0)),
            // A column of one side only changes no row that is matched.
            (
                "ALTER TABLE users ADD COLUMN age DEFAULT 1; ALTER TABLE users DROP COLUMN note",
                one("users", 0, 0, 0),
            ),
        ] {
            assert_eq!(rows(script), expected, "{script}");
        }
    }

    #[test]
    fn columns_of_one_side_count_as_far_as_they_hold_something() {
        let of =
            |column: &str, change, values| ColumnValues { column: column.into(), change, values };
        for (script, expected) in [
            ("ALTER TABLE users DROP COLUMN note", vec![of("note", Change::Removed, 1)]),
            ("ALTER TABLE users ADD COLUMN age DEFAULT 1", vec![of("age", Change::Added, 3)]),
            (
                "ALTER TABLE users RENAME COLUMN note TO remark",
                vec![of("note", Change::Removed, 1), of("remark", Change::Added, 1)],
            ),
        ] {
            let changes = between(script);
            let [users] = changes.tables.as_slice() else { panic!("{script}: {changes:?}") };
            assert_eq!((users.table.as_str(), &users.columns), ("users", &expected), "{script}");
            assert_eq!(changes.tables_unchanged, 3, "{script}");
        }
        // An empty one is declared, and that is all.
        let changes = between("ALTER TABLE users ADD COLUMN age");
        assert_eq!((changes.tables.len(), changes.tables_unchanged), (0, 4));
    }

    #[test]
    fn declarations_are_named_with_what_became_of_them() {
        for (script, expected) in [
            (
                "ALTER TABLE users ADD COLUMN age INT",
                &["Changed table users", "Added column users.age"][..],
            ),
            (
                "ALTER TABLE bag RENAME COLUMN a TO c",
                &["Changed table bag", "Removed column bag.a", "Added column bag.c"],
            ),
            ("DROP INDEX by_name", &["Removed index by_name"]),
            (
                "DROP TRIGGER t; CREATE TRIGGER t BEFORE INSERT ON bag BEGIN SELECT 1; END",
                &["Changed trigger t"],
            ),
            (
                "DROP VIEW names; CREATE VIRTUAL TABLE words USING fts5(body)",
                &[
                    "Added table words",
                    "Added table words_config",
                    "Added table words_content",
                    "Added table words_data",
                    "Added table words_docsize",
                    "Added table words_idx",
                    "Removed view names",
                ],
            ),
        ] {
            assert_eq!(names(script), expected, "{script}");
        }
        assert_eq!(
            between("PRAGMA user_version = 4").settings,
            [Setting { name: "user_version".into(), before: "0".into(), after: "4".into() }]
        );
    }
}
