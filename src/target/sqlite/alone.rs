//! A database that nobody else has open while it is written, so that even what others read once and keep of it can change:
//! page size and vacuum mode.
//!
//! It is replaced by SQLite's own copying from one database into another, which is one transaction of the rollback journal:
//! a process that is killed anywhere leaves the database of before or the one of after. A database in WAL mode cannot change
//! its page size; it leaves that mode first, which SQLite allows only to who has it open alone, and comes back to it at the
//! end. One that a kill leaves without its WAL holds the same.
//!
//! Where the database is in a rollback mode, who has it open and does nothing is not seen. Such a connection finds the new
//! pages with its next transaction.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::DatabaseError;
use super::connection::{Guest, open_existing};

/// The mode that a database is put back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Wal,
    Rollback,
}

/// Takes the write lock on a database that nobody else reads or, as far as that can be seen, has open. The database is in
/// a rollback mode then.
pub(super) fn begin(guest: &Guest) -> Result<Mode, DatabaseError> {
    guest.run(|connection| {
        let was = if journal_mode(connection, None)? == "wal" { Mode::Wal } else { Mode::Rollback };
        if was == Mode::Wal {
            journal_mode(connection, Some("delete"))?;
        }
        // The first finds out who reads, and would keep this process from reading beside it.
        let begun = connection.execute_batch("BEGIN EXCLUSIVE; COMMIT; BEGIN IMMEDIATE");
        if begun.is_err() && was == Mode::Wal {
            // Whoever is in the way now came after the mode was left.
            let _ = journal_mode(connection, Some("wal"));
        }
        begun.map(|()| was)
    })
}

/// Turns the database into the one at `other`, in one transaction, without letting go of the write lock before. Inside a
/// transaction that reads what was written when it returns.
pub(super) fn replace(guest: &mut Guest, other: &Path) -> Result<(), DatabaseError> {
    guest.run(|connection| {
        connection.query_row("PRAGMA locking_mode = exclusive", [], |_| Ok(()))?;
        connection.execute_batch("COMMIT")
    })?;
    let (path, wait) = (guest.path().to_owned(), guest.wait());
    let source = open_existing(other, wait)?;
    let copied =
        Backup::new(&source, guest.connection_mut()).and_then(|copying| copying.step(ALL_PAGES));
    match copied.map_err(|error| DatabaseError::of(&path, wait, error))? {
        StepResult::Done => guest.run(|connection| {
            connection.execute_batch("BEGIN")?;
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        }),
        _ => Err(DatabaseError::Busy { path, waited: wait }),
    }
}

/// Copies until nothing is left to copy.
const ALL_PAGES: i32 = -1;

/// Ends what [`begin`] began: the database has its mode again. What is locked still goes with the connection, which is to be
/// closed next.
pub(super) fn end(guest: &Guest, mode: Mode) -> Result<(), DatabaseError> {
    guest.run(|connection| {
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
        if mode == Mode::Wal {
            journal_mode(connection, Some("wal"))?;
        }
        Ok(())
    })?;
    guest.close_as_an_owner()
}

fn journal_mode(connection: &Connection, to: Option<&str>) -> rusqlite::Result<String> {
    let sql = match to {
        None => "PRAGMA journal_mode".to_owned(),
        Some(mode) => format!("PRAGMA journal_mode = {mode}"),
    };
    connection.query_row(&sql, [], |row| row.get(0))
}
