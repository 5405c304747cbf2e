//! The rows of a large table hashed on all cores, each piece of it through a connection of its own. Only for a database that
//! nobody writes to: all of them must see the same. Knows rowids and row hashes; the result is that of one connection.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ledger_format::hash::{ContentHash, HASH_BYTES};
use sha2::{Digest as _, Sha256};

use super::connection::{Guest, View};
use super::content::{TableRows, refuse_too_many_columns};
use super::rows::row_hash_in;
use super::schema::{Table, quoted, quoted_list};
use super::spans::tree;
use super::{ContentError, DatabaseError};
use crate::ordered::{Crew, try_in_order};

/// Leaves of a table whose rows are one piece of work.
const LEAVES_A_PIECE: usize = 128;

/// A table of fewer pieces is read by one connection.
const PIECES_MIN: usize = 4;

/// Pieces that are worked on, or done and not taken yet, for each thread.
const PIECES_AHEAD: usize = 4;

/// The rows of `table`, if it has an id and is large.
pub(super) fn many_rows(view: View<'_>, table: &Table) -> Result<Option<TableRows>, ContentError> {
    refuse_too_many_columns(view.path(), table)?;
    let Some(id) = table.id.as_deref() else { return Ok(None) };
    let Some(tree) = tree(view, &table.name)?.filter(|tree| tree.is_table) else { return Ok(None) };
    if tree.leaves.len() < PIECES_MIN * LEAVES_A_PIECE {
        return Ok(None);
    }
    let lasts = tree.leaves.chunks(LEAVES_A_PIECE).filter_map(|piece| Some(piece.last()?.last));
    let lasts: Vec<i64> = lasts.collect();
    let after = lasts.iter().map(|last| last.saturating_add(1));
    let pieces = std::iter::once(i64::MIN).chain(after).zip(lasts.iter().copied());

    let (columns, id) = (table.columns.iter().map(|column| &*column.name), quoted(id));
    let query = format!(
        "SELECT {} FROM main.{} WHERE {id} BETWEEN ?1 AND ?2 ORDER BY {id}",
        quoted_list(columns),
        quoted(&table.name)
    );
    let readers = Readers { path: view.path(), idle: Mutex::new(Vec::new()) };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let crew = Crew { workers, ahead: workers * PIECES_AHEAD };
    let (mut digest, mut count) = (Sha256::new(), 0);
    try_in_order(
        pieces,
        crew,
        |piece| readers.hashes(&query, piece),
        |hashes: Result<Vec<u8>, DatabaseError>| {
            let hashes = hashes?;
            digest.update(&hashes);
            count += (hashes.len() / HASH_BYTES) as u64;
            Ok::<(), DatabaseError>(())
        },
    )?;
    let digest = ContentHash::from_bytes(digest.finalize().into());
    Ok(Some(TableRows { count, digest }))
}

/// Connections that read the same database, as many as are in use at once.
struct Readers<'a> {
    path: &'a Path,
    idle: Mutex<Vec<Guest>>,
}

impl Readers<'_> {
    /// The hashes of the rows from one rowid to another, one after the other.
    fn hashes(&self, query: &str, (first, last): (i64, i64)) -> Result<Vec<u8>, DatabaseError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => Guest::open(self.path, Duration::ZERO)?,
        };
        let hashes = reader.run(|connection| {
            let mut statement = connection.prepare_cached(query)?;
            let columns = statement.column_count();
            let mut rows = statement.query([first, last])?;
            let (mut hashes, mut bytes) = (Vec::new(), Vec::new());
            while let Some(row) = rows.next()? {
                let values = (0..columns).map(|at| row.get_ref(at));
                hashes.extend(row_hash_in(&mut bytes, values)?.as_bytes());
            }
            Ok(hashes)
        })?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        Ok(hashes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::sqlite::content::{prepare, table_rows};
    use crate::target::sqlite::schema;
    use crate::target::sqlite::testing::{WAIT, database, owner};

    #[test]
    fn several_connections_hash_what_one_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let connection = owner(
            &path,
            "PRAGMA page_size=512;
            CREATE TABLE t(id INTEGER PRIMARY KEY, v, w REAL, g AS (v || 'x'));
            CREATE TABLE k(v TEXT PRIMARY KEY); CREATE TABLE small(id INTEGER PRIMARY KEY);
            WITH RECURSIVE n(i) AS (SELECT -9000 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
            INSERT INTO t(id, v, w) SELECT i * 1000000007, CASE i % 4 WHEN 0 THEN NULL
                WHEN 1 THEN randomblob(30) WHEN 2 THEN 'text ' || i ELSE i END, i FROM n;
            INSERT INTO t VALUES (-9223372036854775808, 1, 2), (9223372036854775807, zeroblob(9000), 3);
            INSERT INTO k SELECT id FROM t;",
        );
        prepare(&connection).unwrap();
        let view = View::of(&connection, &path, WAIT);
        let table = |name: &str| schema::table(&connection, name.to_owned()).unwrap();
        let several = |name: &str| many_rows(view, &table(name)).unwrap();
        let one = |name: &str| table_rows(&connection, &path, &table(name)).unwrap();
        assert_eq!(several("t"), Some(one("t")));
        assert_eq!(one("t").count, 18_003);
        assert_eq!((several("k"), several("small")), (None, None));
        database(
            &path,
            "UPDATE t SET v = 'other' WHERE id = 0; DELETE FROM t WHERE id > 8000000000000;",
        );
        assert_eq!(several("t"), Some(one("t")));
    }
}
