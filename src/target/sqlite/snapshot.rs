//! A live database as one read transaction sees it: every page, every row, WAL included, all of one
//! moment. Never writes; what others commit meanwhile is not seen.

use std::path::Path;
use std::time::Duration;

use ledger_format::hash::CommitHash;
use rusqlite::Connection;

use super::connection::{Guest, GuestPages};
use super::page::{Chunkwise, PageSize, PageSource};
use super::{ContentError, DatabaseError, content, schema};

/// One read transaction on a live database.
#[derive(Debug)]
pub struct Snapshot {
    guest: Guest,
    page_size: PageSize,
    page_count: u32,
}

impl Snapshot {
    /// Begins a read transaction on the database at `path`, which must exist. A writer of a database
    /// in rollback mode waits for it; a database in WAL mode goes on. A journal that a killed writer
    /// left behind is rolled back first, as by every reader.
    pub fn open(path: &Path, wait: Duration) -> Result<Self, DatabaseError> {
        let guest = Guest::open(path, wait)?;
        guest.run(|connection| {
            content::prepare(connection)?;
            connection.execute_batch("BEGIN")?;
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        })?;
        let pages = GuestPages::of(&guest)?;
        let (page_size, page_count) = (pages.page_size(), pages.page_count());
        Ok(Self { guest, page_size, page_count })
    }

    /// Ends the transaction, and watches for what others commit from its moment on.
    pub fn watch(self) -> Result<Watch, DatabaseError> {
        let Self { guest, .. } = self;
        let version = guest.run(data_version)?;
        guest.run(|connection| connection.execute_batch("COMMIT"))?;
        Ok(Watch { guest, version })
    }

    /// What the database holds, whatever its page layout (SPEC §9.2).
    pub fn content_hash(&self) -> Result<CommitHash, ContentError> {
        content::hash(self.guest.connection(), self.guest.path())
    }

    /// Refuses a database that contradicts itself (`PRAGMA integrity_check`), or that uses what only its
    /// application has. No step's outcome could be checked.
    pub fn must_be_sound(&self) -> Result<(), DatabaseError> {
        self.guest.must_be_sound()
    }

    /// Bytes of all its pages.
    pub fn bytes(&self) -> u64 {
        u64::from(self.page_size.bytes()) * u64::from(self.page_count)
    }

    /// The declared structure (SPEC §9.3).
    pub fn schema_digest(&self) -> Result<CommitHash, DatabaseError> {
        self.guest.run(schema::digest)
    }

    /// The SQL of everything the schema declares.
    pub fn declarations(&self) -> Result<Vec<String>, DatabaseError> {
        self.guest.run(schema::declarations)
    }

    /// Names of the columns of `table`, in their order; empty when there is no such table.
    pub fn columns(&self, table: &str) -> Result<Vec<String>, DatabaseError> {
        self.guest.run(|connection| {
            let mut names = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
            names.query_map([table], |row| row.get(0))?.collect()
        })
    }

    /// Names and declared types of the columns of `table`, in their order; empty when there is no such table.
    pub fn declared_columns(&self, table: &str) -> Result<Vec<(String, String)>, DatabaseError> {
        self.guest.run(|connection| {
            let query = "SELECT name, type FROM pragma_table_info(?1)";
            let mut columns = connection.prepare(query)?;
            columns.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    /// What `query`, which must only read, gives: each row as `read` reads it.
    pub fn rows<T>(
        &self,
        query: &str,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, DatabaseError> {
        self.guest.run(|connection| connection.prepare(query)?.query_map([], read)?.collect())
    }

    /// The text in `column` of the row of `table` whose `key_column` is `key`; `None` when there is
    /// no such table, column, row, or text.
    pub fn text_at(
        &self,
        table: &str,
        key_column: &str,
        key: &str,
        column: &str,
    ) -> Result<Option<String>, DatabaseError> {
        let columns = self.columns(table)?;
        if ![key_column, column].into_iter().all(|name| columns.iter().any(|held| held == name)) {
            return Ok(None);
        }
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let (table, key_column, column) = (quoted(table), quoted(key_column), quoted(column));
        let query = format!("SELECT {column} FROM {table} WHERE {key_column} = ?1");
        self.guest.run(|connection| {
            let mut rows = connection.prepare(&query)?;
            let mut rows = rows.query([key])?;
            rows.next()?
                .map_or(Ok(None), |row| Ok(row.get_ref(0)?.as_str().ok().map(str::to_owned)))
        })
    }
}

/// A connection that holds no lock and tells whether others committed. It sees what is done through SQLite, and only that:
/// who relies on a database being unchanged compares its pages.
#[derive(Debug)]
pub struct Watch {
    guest: Guest,
    version: i64,
}

impl Watch {
    /// Whether nobody is known to have committed since.
    pub fn is_quiet(&self) -> bool {
        self.guest.run(data_version).is_ok_and(|version| version == self.version)
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0))
}

impl PageSource for Snapshot {
    fn page_size(&self) -> PageSize {
        self.page_size
    }

    fn page_count(&self) -> u32 {
        self.page_count
    }

    fn read_page(&self, number: u32) -> Result<Vec<u8>, DatabaseError> {
        self.guest.read_page(number)
    }

    fn in_chunks(&self, pages_a_chunk: u32, work: &mut Chunkwise<'_>) -> Result<(), DatabaseError> {
        GuestPages::of(&self.guest)?.in_chunks(pages_a_chunk, work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::sqlite::PageTree;
    use crate::target::sqlite::testing::{WAIT, database, owner, sql};
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::PathBuf;

    fn folder(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    #[test]
    fn reading_leaves_every_file_as_it_was() {
        for journal in ["delete", "wal"] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("live.db");
            database(&path, &format!("PRAGMA journal_mode={journal}; CREATE TABLE t(a);"));
            let before = folder(dir.path());
            assert_eq!(before.len(), 1);
            let snapshot = Snapshot::open(&path, WAIT).unwrap();
            PageTree::build(&snapshot).unwrap();
            snapshot.content_hash().unwrap();
            drop(snapshot);
            assert_eq!(folder(dir.path()), before, "{journal}");
        }
    }

    #[test]
    fn a_wal_that_a_killed_writer_left_is_read_and_not_checkpointed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live.db");
        let writer = owner(&path, "PRAGMA journal_mode=wal; CREATE TABLE t(a);");
        writer.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        let orphan = tempfile::tempdir().unwrap();
        let copy = orphan.path().join("live.db");
        fs::copy(&path, &copy).unwrap();
        fs::copy(dir.path().join("live.db-wal"), orphan.path().join("live.db-wal")).unwrap();
        let before = folder(orphan.path());
        let snapshot = Snapshot::open(&copy, WAIT).unwrap();
        let root = PageTree::build(&snapshot).unwrap().root();
        drop(snapshot);
        let mut after = folder(orphan.path());
        after.remove(&orphan.path().join("live.db-shm"));
        assert_eq!(after, before);
        drop(writer);
        let checkpointed = Snapshot::open(&path, WAIT).unwrap();
        assert_eq!(PageTree::build(&checkpointed).unwrap().root(), root);
    }

    #[test]
    fn later_commits_are_not_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("live.db");
        let writer = owner(&path, "PRAGMA journal_mode=wal; CREATE TABLE t(a);");
        let snapshot = Snapshot::open(&path, WAIT).unwrap();
        let before = PageTree::build(&snapshot).unwrap();
        writer.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        assert_eq!(PageTree::build(&snapshot).unwrap(), before);
        let now = PageTree::build(&Snapshot::open(&path, WAIT).unwrap()).unwrap();
        assert_eq!(before.diff(&now), [2]);
    }

    #[test]
    fn a_watch_tells_of_every_commit_of_others_and_holds_up_none() {
        for journal in ["delete", "wal"] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("live.db");
            let writer =
                owner(&path, &format!("PRAGMA journal_mode={journal}; CREATE TABLE t(a);"));
            let watch = Snapshot::open(&path, WAIT).unwrap().watch().unwrap();
            assert!(watch.is_quiet());
            assert_eq!(sql::<i64>(&path, "SELECT count(*) FROM t"), 0);
            assert!(watch.is_quiet(), "{journal}");
            writer.execute_batch("INSERT INTO t VALUES (1)").unwrap();
            assert!(!watch.is_quiet(), "{journal}");
            assert!(!watch.is_quiet(), "{journal}");
        }
    }

    #[test]
    fn what_is_no_readable_database_is_refused_by_name_and_not_created() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let open = |name: &str| Snapshot::open(&at(name), std::time::Duration::ZERO).map(|_| ());
        assert!(matches!(open("none.db"), Err(DatabaseError::Missing { .. })));
        assert!(!at("none.db").exists());
        assert!(matches!(open("."), Err(DatabaseError::NotAFile { .. })));
        fs::write(at("empty.db"), b"").unwrap();
        assert!(matches!(open("empty.db"), Err(DatabaseError::Empty { .. })));
        fs::write(at("text.db"), "hello, world\n".repeat(500)).unwrap();
        assert!(matches!(open("text.db"), Err(DatabaseError::NotADatabase { .. })));
        database(&at("cut.db"), "CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(9000));");
        let mut bytes = fs::read(at("cut.db")).unwrap();
        bytes[100..4096].fill(0xee);
        fs::write(at("cut.db"), bytes).unwrap();
        assert!(matches!(open("cut.db"), Err(DatabaseError::Corrupt { .. })));
        let locker = owner(&at("locked.db"), "CREATE TABLE t(a); BEGIN EXCLUSIVE;");
        assert!(matches!(open("locked.db"), Err(DatabaseError::Busy { .. })));
        drop(locker);
        assert!(open("locked.db").is_ok());
    }

    #[test]
    fn a_name_that_looks_like_a_uri_is_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file:a?mode=memory");
        database(&path, "CREATE TABLE t(a)");
        Snapshot::open(&path, WAIT).unwrap();
        assert_eq!(sql::<i64>(&path, "SELECT count(*) FROM t"), 0);
    }
}
