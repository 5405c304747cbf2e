//! The content hash: what two databases must share to be the same, whatever their page layout
//! (SPEC §9.2). Streams; memory does not grow with the tables.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger_format::cbor::{self, Value};
use ledger_format::hash::{CommitHash, ContentHash};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use super::DatabaseError;
use super::connection::View;
use super::many_rows::many_rows;
use super::rows::{self, ROW_HASH};
use super::schema::{self, Table, quoted, quoted_list};

/// Columns of one table that a row hash takes: the most arguments SQLite gives a function.
pub(super) const COLUMNS_MAX: usize = 1000;

/// Why a database's content could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The database could not be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A table has more columns than a row hash takes.
    #[error("{}: table {table} has {columns} columns, more than the {COLUMNS_MAX} that can be hashed", path.display())]
    TooManyColumns {
        /// The database.
        path: PathBuf,
        /// The table.
        table: String,
        /// Its columns that store values.
        columns: usize,
    },
}

/// Makes a connection able to hash rows.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    rows::define(connection)
}

/// The content hash of the database that `connection`, inside a transaction and prepared, sees.
pub(super) fn hash(connection: &Connection, path: &Path) -> Result<CommitHash, ContentError> {
    hash_by(connection, path, |table| table_rows(connection, path, table))
}

/// The same of a database that nobody writes to, its rows read by several connections.
pub(super) fn hash_on_all_cores(view: View<'_>) -> Result<CommitHash, ContentError> {
    let (connection, path) = (view.connection(), view.path());
    hash_by(connection, path, |table| match many_rows(view, table)? {
        Some(rows) => Ok(rows),
        None => table_rows(connection, path, table),
    })
}

fn hash_by(
    connection: &Connection,
    path: &Path,
    mut rows_of: impl FnMut(&Table) -> Result<TableRows, ContentError>,
) -> Result<CommitHash, ContentError> {
    let sorted = |error| DatabaseError::of(path, Duration::ZERO, error);
    let pragma = |name| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(sorted)
    };
    let encoding: String =
        connection.pragma_query_value(None, "encoding", |row| row.get(0)).map_err(sorted)?;
    let mut tables = Vec::new();
    for table in schema::tables(connection).map_err(sorted)? {
        let rows = rows_of(&table)?;
        // SQLite makes this one by itself and VACUUM drops it when nothing needs it.
        if table.name == "sqlite_sequence" && rows.count == 0 {
            continue;
        }
        tables.push(Value::Array(vec![
            Value::Text(table.name),
            rows.count.into(),
            rows.digest.into(),
        ]));
    }
    let content = cbor::map([
        ("application_id", pragma("application_id")?.into()),
        ("user_version", pragma("user_version")?.into()),
        ("encoding", Value::Text(encoding)),
        ("schema", schema::digest(connection).map_err(sorted)?.into()),
        ("tables", Value::Array(tables)),
    ]);
    Ok(CommitHash::of("sqlite_content", &content))
}

/// The rows of one table: how many, and one hash over all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TableRows {
    pub(super) count: u64,
    pub(super) digest: ContentHash,
}

/// Hashes the rows of `table`: in id order where rows have an id, else in the order of their hashes.
pub(super) fn table_rows(
    connection: &Connection,
    path: &Path,
    table: &Table,
) -> Result<TableRows, ContentError> {
    refuse_too_many_columns(path, table)?;
    let columns = quoted_list(table.columns.iter().map(|column| column.name.as_str()));
    let order = table.id.as_deref().map_or_else(|| "1".to_owned(), quoted);
    let query =
        format!("SELECT {ROW_HASH}({columns}) FROM main.{} ORDER BY {order}", quoted(&table.name));
    let hashed = || -> rusqlite::Result<TableRows> {
        let (mut hasher, mut count) = (Sha256::new(), 0);
        let mut statement = connection.prepare(&query)?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            hasher.update(row.get_ref(0)?.as_blob()?);
            count += 1;
        }
        Ok(TableRows { count, digest: ContentHash::from_bytes(hasher.finalize().into()) })
    };
    hashed().map_err(|error| DatabaseError::of(path, Duration::ZERO, error).into())
}

pub(super) fn refuse_too_many_columns(path: &Path, table: &Table) -> Result<(), ContentError> {
    let columns = table.columns.len();
    if columns <= COLUMNS_MAX {
        return Ok(());
    }
    Err(ContentError::TooManyColumns { path: path.to_owned(), table: table.name.clone(), columns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::sqlite::Snapshot;
    use crate::target::sqlite::testing::{WAIT, database};
    use quickcheck::quickcheck;
    use std::collections::BTreeSet;

    const EVERYTHING: &str = "
        CREATE TABLE ids(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
        CREATE TABLE plain(a, b TEXT COLLATE NOCASE, c REAL);
        CREATE TABLE keyed(k TEXT PRIMARY KEY COLLATE NOCASE, v) WITHOUT ROWID;
        CREATE TABLE made(a INTEGER, twice AS (a * 2), thrice AS (a * 3) STORED);
        CREATE VIRTUAL TABLE words USING fts5(body);
        CREATE VIEW seen AS SELECT a FROM plain;
        CREATE INDEX plain_b ON plain(b);
        CREATE TRIGGER t AFTER INSERT ON made BEGIN SELECT 1; END;
        INSERT INTO ids(v) VALUES (5), (5.0), ('5'), (x'35'), (NULL), (-0.0);
        DELETE FROM ids WHERE id = 3;
        INSERT INTO plain VALUES (1,'a',2), (1,'A',2.5), (1,'a',2), (NULL,NULL,NULL);
        DELETE FROM plain WHERE rowid = 2;
        INSERT INTO keyed VALUES ('b', 1), ('A', 2);
        INSERT INTO made(a) VALUES (1), (2);
        INSERT INTO words VALUES ('the quick brown fox');
        PRAGMA user_version = 3; PRAGMA application_id = 77;";

    fn hash_of(path: &Path) -> CommitHash {
        Snapshot::open(path, WAIT).unwrap().content_hash().unwrap()
    }

    #[test]
    fn layout_is_not_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        database(&path, EVERYTHING);
        let hash = hash_of(&path);
        for relayout in [
            "VACUUM",
            "PRAGMA page_size=512; VACUUM",
            "PRAGMA journal_mode=wal",
            "CREATE TABLE x(a); INSERT INTO x VALUES (zeroblob(90000)); DROP TABLE x",
            "ANALYZE",
            "REINDEX",
            "PRAGMA journal_mode=delete; PRAGMA auto_vacuum=full; VACUUM",
        ] {
            database(&path, relayout);
            assert_eq!(hash_of(&path), hash, "{relayout}");
        }
    }

    #[test]
    fn every_change_of_content_is_seen() {
        let changes = [
            "UPDATE ids SET v = 5.0 WHERE id = 1",
            "UPDATE ids SET v = '5' WHERE id = 1",
            "UPDATE ids SET v = x'35' WHERE id = 1",
            "UPDATE ids SET v = 0.0 WHERE id = 6",
            "UPDATE ids SET v = '' WHERE id = 5",
            "UPDATE ids SET id = 30 WHERE id = 2",
            "UPDATE sqlite_sequence SET seq = seq + 1",
            "UPDATE plain SET b = 'A' WHERE rowid = 1",
            "DELETE FROM plain WHERE rowid = 1",
            "INSERT INTO plain VALUES (1,'a',2)",
            "UPDATE keyed SET k = 'B' WHERE k = 'b'",
            "UPDATE made SET a = 9 WHERE a = 1",
            "UPDATE words SET body = 'the slow brown fox'",
            "PRAGMA user_version = 4",
            "PRAGMA application_id = 78",
            "DROP INDEX plain_b",
            "DROP VIEW seen",
            "ALTER TABLE keyed RENAME COLUMN v TO w",
            "CREATE TABLE more(a)",
        ];
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("base.db");
        database(&base, EVERYTHING);
        let mut hashes = BTreeSet::from([hash_of(&base)]);
        for change in changes {
            let path = dir.path().join("changed.db");
            std::fs::copy(&base, &path).unwrap();
            database(&path, change);
            assert!(hashes.insert(hash_of(&path)), "{change}");
        }
    }

    #[test]
    fn an_empty_list_of_counters_is_not_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        database(&path, "CREATE TABLE t(a); INSERT INTO t VALUES (1);");
        let hash = hash_of(&path);
        database(&path, "CREATE TABLE q(id INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE q;");
        assert_eq!(hash_of(&path), hash);
    }

    #[test]
    fn a_database_of_no_tables_has_a_hash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        database(&path, "CREATE TABLE t(a); DROP TABLE t;");
        hash_of(&path);
    }

    #[test]
    fn too_many_columns_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let columns: Vec<String> = (0..=COLUMNS_MAX).map(|at| format!("c{at}")).collect();
        database(&path, &format!("CREATE TABLE wide({})", columns.join(",")));
        let refused = Snapshot::open(&path, WAIT).unwrap().content_hash();
        assert!(matches!(refused, Err(ContentError::TooManyColumns { columns: 1001, .. })));
    }

    quickcheck! {
        fn rows_decide_and_their_history_does_not(values: Vec<(Option<i64>, String)>) -> bool {
            let dir = tempfile::tempdir().unwrap();
            let make = |name: &str, backwards: bool| {
                let path = dir.path().join(name);
                let writer = crate::target::sqlite::testing::owner(
                    &path, "CREATE TABLE t(a, b); BEGIN");
                let mut rows: Vec<_> = values.iter().collect();
                if backwards { rows.reverse(); }
                for row in rows {
                    let text: String = row.1.chars().filter(|c| *c != '\0').collect();
                    writer.execute("INSERT INTO t VALUES (?1, ?2)", (row.0, text)).unwrap();
                }
                writer.execute_batch("COMMIT").unwrap();
                drop(writer);
                path
            };
            let (one, two) = (make("one.db", false), make("two.db", true));
            let same = hash_of(&one) == hash_of(&two);
            database(&two, "INSERT INTO t VALUES (1, 'one more')");
            same && hash_of(&one) != hash_of(&two)
        }
    }
}
