//! Opening a database that belongs to somebody else, and leaving it as it was found.
//!
//! The file itself is never opened beside SQLite: closing any handle of it would drop the locks that
//! other connections of this process hold (POSIX advisory locks belong to the process).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::DatabaseError;
use super::page::{Chunkwise, PageSize, PageSource, chunks};
use crate::effects::syncs;

/// A connection to a database of somebody else's. On close it neither checkpoints their WAL nor
/// leaves files behind that were not there.
#[derive(Debug)]
pub(super) struct Guest {
    connection: Connection,
    path: PathBuf,
    wait: Duration,
    wal_was_there: bool,
}

impl Guest {
    /// Opens the database at `path`, which must exist, waiting up to `wait` for locks.
    pub(super) fn open(path: &Path, wait: Duration) -> Result<Self, DatabaseError> {
        refuse_what_is_no_file(path)?;
        let wal_was_there = wal_path(path).exists();
        let connection = open_existing(path, wait)?;
        let guest = Self { connection, path: path.to_owned(), wait, wal_was_there };
        guest
            .run(|connection| {
                connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
                connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
            })
            .or_else(|error| cannot_open(error, path))?;
        if guest.run(can_reach_pages)? { Ok(guest) } else { Err(DatabaseError::NoPageAccess) }
    }

    /// Runs `work`, its errors sorted and told with the path.
    pub(super) fn run<'a, T>(
        &'a self,
        work: impl FnOnce(&'a Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        self.view().run(work)
    }

    pub(super) fn view(&self) -> View<'_> {
        View { connection: &self.connection, path: &self.path, wait: self.wait }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) const fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(super) const fn wait(&self) -> Duration {
        self.wait
    }

    /// Begins a transaction that writes. Waits for its lock as long as the guest waits, and asks for it every millisecond:
    /// SQLite's own waiting asks ten times a second, and who never pauses for that long is never met between two writes.
    pub(super) fn begin_writing(&self) -> Result<(), DatabaseError> {
        let once = Duration::from_millis(1).min(self.wait);
        self.run(|connection| connection.busy_timeout(once))?;
        let begin = || self.run(|connection| connection.execute_batch("BEGIN IMMEDIATE"));
        let asked = (1..self.wait.as_millis())
            .map(|_| begin())
            .find(|begun| !matches!(begun, Err(DatabaseError::Busy { .. })));
        let begun = asked.unwrap_or_else(begin);
        self.run(|connection| connection.busy_timeout(self.wait))?;
        begun
    }

    /// Refuses a database that can only be read. SQLite itself begins such a transaction all the same, and
    /// finds out with the first page that it writes.
    pub(super) fn must_be_writable(&self) -> Result<(), DatabaseError> {
        let refused = |what| Err(DatabaseError::ReadOnly { path: self.path.clone(), what });
        if self.run(|connection| connection.is_readonly(rusqlite::MAIN_DB))? {
            return refused("the file");
        }
        if folder_is_writable(&self.path)? { Ok(()) } else { refused(JOURNALS) }
    }

    /// Refuses a database that contradicts itself; says the first of what `PRAGMA integrity_check` finds.
    pub(super) fn must_be_sound(&self) -> Result<(), DatabaseError> {
        let found: String = self.run(|connection| {
            connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        })?;
        if found == "ok" {
            return Ok(());
        }
        Err(DatabaseError::Corrupt { path: self.path.clone(), message: found })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the close that follows checkpoint, as that of any application does.
    pub(super) fn close_as_an_owner(&self) -> Result<(), DatabaseError> {
        self.run(|connection| {
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        })
        .map(|_| ())
    }

    /// Page `number` as the connection's present transaction sees it.
    pub(super) fn read_page(&self, number: u32) -> Result<Vec<u8>, DatabaseError> {
        self.view().read_page(number)
    }
}

impl Drop for Guest {
    /// Opening a WAL database without a WAL makes an empty one. SQLite's own close, which holds the
    /// locks it takes, removes it again; a WAL with frames stays untouched.
    fn drop(&mut self) {
        let empty = fs::metadata(wal_path(&self.path)).is_ok_and(|wal| wal.len() == 0);
        if empty && !self.wal_was_there {
            // Failing leaves an empty file, which changes nothing.
            let _ = self.close_as_an_owner();
        }
    }
}

/// A connection to the database at a path, to read with.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    connection: &'a Connection,
    path: &'a Path,
    wait: Duration,
}

impl<'a> View<'a> {
    pub(super) const fn of(connection: &'a Connection, path: &'a Path, wait: Duration) -> Self {
        Self { connection, path, wait }
    }

    /// Runs `work`, its errors sorted and told with the path.
    pub(super) fn run<T>(
        &self,
        work: impl FnOnce(&'a Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        work(self.connection).map_err(|error| DatabaseError::of(self.path, self.wait, error))
    }

    pub(super) const fn connection(&self) -> &'a Connection {
        self.connection
    }

    pub(super) const fn path(&self) -> &'a Path {
        self.path
    }

    /// The pages as the connection's present transaction sees them.
    pub(super) fn pages(&self) -> Result<(PageSize, u32), DatabaseError> {
        let (size, count) = self.run(|connection| {
            let size: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            let count: u32 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
            Ok((size, count))
        })?;
        let size = PageSize::new(size).ok_or_else(|| DatabaseError::Corrupt {
            path: self.path.to_owned(),
            message: format!("a page size of {size} bytes"),
        })?;
        if count == 0 {
            return Err(DatabaseError::Empty { path: self.path.to_owned() });
        }
        Ok((size, count))
    }

    /// Page `number` as the connection's present transaction sees it.
    pub(super) fn read_page(&self, number: u32) -> Result<Vec<u8>, DatabaseError> {
        let page = self.run(|connection| {
            connection
                .prepare_cached("SELECT data FROM sqlite_dbpage('main') WHERE pgno = ?1")?
                .query_row([number], |row| row.get(0))
                .optional()
        })?;
        page.ok_or_else(|| self.unreadable(number))
    }

    fn unreadable(&self, number: u32) -> DatabaseError {
        DatabaseError::Corrupt {
            path: self.path.to_owned(),
            message: format!("page {number} cannot be read"),
        }
    }
}

/// The pages that a connection sees inside a transaction, their number read once.
#[derive(Debug, Clone, Copy)]
pub(super) struct GuestPages<'a> {
    view: View<'a>,
    page_size: PageSize,
    page_count: u32,
}

impl<'a> GuestPages<'a> {
    pub(super) fn of(guest: &'a Guest) -> Result<Self, DatabaseError> {
        Self::seen_by(guest.view())
    }

    pub(super) fn seen_by(view: View<'a>) -> Result<Self, DatabaseError> {
        let (page_size, page_count) = view.pages()?;
        Ok(Self { view, page_size, page_count })
    }
}

impl PageSource for GuestPages<'_> {
    fn page_size(&self) -> PageSize {
        self.page_size
    }

    fn page_count(&self) -> u32 {
        self.page_count
    }

    fn read_page(&self, number: u32) -> Result<Vec<u8>, DatabaseError> {
        self.view.read_page(number)
    }

    /// One statement reads them all.
    fn in_chunks(&self, pages_a_chunk: u32, work: &mut Chunkwise<'_>) -> Result<(), DatabaseError> {
        let Self { view, page_size, page_count } = self;
        let mut all = view.run(|of| of.prepare_cached("SELECT data FROM sqlite_dbpage('main')"))?;
        let mut rows = view.run(|_| all.query([]))?;
        work(&mut chunks(*page_size, *page_count, pages_a_chunk, |number, bytes| {
            let row = view.run(|_| rows.next())?;
            let page = row.map(|row| view.run(|_| Ok(row.get_ref(0)?.as_blob()?))).transpose()?;
            match page.filter(|page| page.len() == page_size.bytes() as usize) {
                Some(page) => {
                    bytes.extend_from_slice(page);
                    Ok(())
                }
                None => Err(view.unreadable(number)),
            }
        }));
        Ok(())
    }
}

/// What of a database cannot be written to, in words, where its file can.
const JOURNALS: &str = "its folder, where the journal goes,";

/// Whether a journal can be made beside the database at `path`.
fn folder_is_writable(path: &Path) -> Result<bool, DatabaseError> {
    let file = fs::canonicalize(path).map_err(DatabaseError::io(path))?;
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    Ok(rustix::fs::access(syncs::folder_of(&file), access).is_ok())
}

/// A database with a write-ahead log cannot even be read where that log cannot be made; SQLite says no more
/// than that something cannot be opened.
fn cannot_open(error: DatabaseError, path: &Path) -> Result<(), DatabaseError> {
    match &error {
        DatabaseError::Sqlite { source, .. }
            if source.sqlite_error_code() == Some(ErrorCode::CannotOpen)
                && !folder_is_writable(path)? =>
        {
            Err(DatabaseError::ReadOnly { path: path.to_owned(), what: JOURNALS })
        }
        _ => Err(error),
    }
}

/// Opens an existing database for reading and writing; never makes one.
pub(super) fn open_existing(path: &Path, wait: Duration) -> Result<Connection, DatabaseError> {
    open_by(path, wait, Connection::open_with_flags)
}

/// As [`open_existing`], on the file system whose clock is the recorded one.
pub(super) fn open_recorded(path: &Path, wait: Duration) -> Result<Connection, DatabaseError> {
    open_by(path, wait, |absolute, flags| {
        Connection::open_with_flags_and_vfs(absolute, flags, recorded_vfs::NAME)
    })
}

fn open_by(
    path: &Path,
    wait: Duration,
    open: impl FnOnce(PathBuf, OpenFlags) -> rusqlite::Result<Connection>,
) -> Result<Connection, DatabaseError> {
    // An absolute path cannot begin with "file:", which SQLite would read as a URI.
    let absolute = std::path::absolute(path).map_err(DatabaseError::io(path))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sorted = |error| DatabaseError::of(path, wait, error);
    let connection = open(absolute, flags).map_err(sorted)?;
    connection.busy_timeout(wait).map_err(sorted)?;
    Ok(connection)
}

/// Whether this SQLite has the `sqlite_dbpage` table.
pub(super) fn can_reach_pages(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .query_row("SELECT sqlite_compileoption_used('ENABLE_DBPAGE_VTAB')", [], |row| row.get(0))
}

/// Where SQLite keeps the write-ahead log of the database at `path`.
pub(super) fn wal_path(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// The file that SQLite puts beside `path` under its name and `suffix`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn refuse_what_is_no_file(path: &Path) -> Result<(), DatabaseError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(DatabaseError::Missing { path: path.to_owned() })
        }
        Err(error) => Err(DatabaseError::io(path)(error)),
        Ok(found) if !found.is_file() => Err(DatabaseError::NotAFile { path: path.to_owned() }),
        Ok(found) if found.len() == 0 => Err(DatabaseError::Empty { path: path.to_owned() }),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_sqlite_can_reach_single_pages() {
        let connection = Connection::open_in_memory().unwrap();
        assert!(can_reach_pages(&connection).unwrap());
    }
}
