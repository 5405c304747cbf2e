//! The default SQLite file system with a recorded clock in place of the real one, so that
//! `CURRENT_TIMESTAMP`, `datetime('now')` and their kin say the same in every run. Functions inside
//! defaults, triggers and views ask the same clock; nothing above the file system could reach them.
//!
//! This is the only crate with `unsafe` in it: SQLite takes a file system as a table of C functions.
//! Knows no database and no migration.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::ptr;
use std::sync::OnceLock;

use rusqlite::ffi;

/// The name to open a connection with.
pub const NAME: &CStr = c"glyph-recorded";

/// The Unix epoch in milliseconds of SQLite's clock, which begins at noon on 24 November 4714 BC.
const UNIX_EPOCH_MS: i64 = 210_866_760_000_000;

/// Milliseconds in a day, the unit of SQLite's older clock function.
const DAY_MS: f64 = 86_400_000.0;

thread_local! {
    static CLOCK_MS: Cell<Option<i64>> = const { Cell::new(None) };
}

/// SQLite would not take the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("SQLite does not take the file system with the recorded clock: code {code}")]
pub struct NotRegistered {
    /// SQLite's result code.
    pub code: i32,
}

/// While it lives, connections opened under [`NAME`] and used on this thread read its time.
#[derive(Debug)]
pub struct RecordedClock {
    before: Option<i64>,
    /// The clock belongs to this thread.
    _stays: PhantomData<*const ()>,
}

impl RecordedClock {
    /// Stops the clock of this thread at `unix_ms`, milliseconds since 1970.
    pub fn stop_at(unix_ms: i64) -> Result<Self, NotRegistered> {
        register()?;
        Ok(Self { before: CLOCK_MS.replace(Some(unix_ms)), _stays: PhantomData })
    }
}

impl Drop for RecordedClock {
    fn drop(&mut self) {
        CLOCK_MS.set(self.before);
    }
}

/// Makes the file system known to SQLite, once in a process.
fn register() -> Result<(), NotRegistered> {
    static CODE: OnceLock<c_int> = OnceLock::new();
    match *CODE.get_or_init(register_now) {
        ffi::SQLITE_OK => Ok(()),
        code => Err(NotRegistered { code }),
    }
}

fn register_now() -> c_int {
    // SAFETY: a null name asks for the default file system; the answer is null or lives for ever.
    let default = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    if default.is_null() {
        return ffi::SQLITE_ERROR;
    }
    // SAFETY: not null, and SQLite never changes a registered file system but for its `pNext`.
    let mut recorded = unsafe { *default };
    recorded.zName = NAME.as_ptr();
    recorded.pNext = ptr::null_mut();
    recorded.xCurrentTime = Some(current_day);
    recorded.xCurrentTimeInt64 = Some(current_ms);
    // SAFETY: SQLite keeps the pointer for ever, so the table is leaked; everything it points to
    // belongs to the default file system, which lives as long.
    unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(recorded)), 0) }
}

/// `xCurrentTimeInt64`. Without a stopped clock it fails: the real time must not slip in.
unsafe extern "C" fn current_ms(_: *mut ffi::sqlite3_vfs, out: *mut i64) -> c_int {
    match CLOCK_MS.get() {
        Some(unix_ms) => {
            // SAFETY: SQLite passes a valid place for one number.
            unsafe { out.write(unix_ms.saturating_add(UNIX_EPOCH_MS)) };
            ffi::SQLITE_OK
        }
        None => ffi::SQLITE_ERROR,
    }
}

/// `xCurrentTime`: the same in days, for callers that know no other.
unsafe extern "C" fn current_day(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    let mut ms = 0;
    // SAFETY: `ms` is a valid place for one number.
    let code = unsafe { current_ms(vfs, &raw mut ms) };
    if code == ffi::SQLITE_OK {
        #[allow(clippy::cast_precision_loss)] // days are given as a float by definition
        let days = ms as f64 / DAY_MS;
        // SAFETY: SQLite passes a valid place for one number.
        unsafe { out.write(days) };
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::{Connection, OpenFlags};

    fn open() -> Connection {
        Connection::open_in_memory_with_flags_and_vfs(OpenFlags::default(), NAME).unwrap()
    }

    fn ask(connection: &Connection, sql: &str) -> rusqlite::Result<Option<String>> {
        connection.query_row(sql, [], |row| row.get(0))
    }

    #[test]
    fn every_way_to_ask_the_time_gives_the_recorded_one() {
        let _clock = RecordedClock::stop_at(1_000_000_000_123).unwrap();
        let connection = open();
        connection
            .execute_batch(
                "CREATE TABLE t(a, at TEXT DEFAULT CURRENT_TIMESTAMP);
                INSERT INTO t(a) VALUES (1);",
            )
            .unwrap();
        for (sql, expected) in [
            ("SELECT CURRENT_TIMESTAMP", "2001-09-09 01:46:40"),
            ("SELECT strftime('%f', 'now')", "40.123"),
            ("SELECT CAST(unixepoch() AS TEXT)", "1000000000"),
            ("SELECT date()", "2001-09-09"),
            ("SELECT at FROM t", "2001-09-09 01:46:40"),
        ] {
            assert_eq!(ask(&connection, sql).unwrap().as_deref(), Some(expected), "{sql}");
        }
    }

    #[test]
    fn without_a_stopped_clock_there_is_no_time() {
        let clock = RecordedClock::stop_at(0).unwrap();
        let connection = open();
        {
            let _inner = RecordedClock::stop_at(60_000).unwrap();
            assert_eq!(ask(&connection, "SELECT time()").unwrap().unwrap(), "00:01:00");
        }
        assert_eq!(ask(&connection, "SELECT time()").unwrap().unwrap(), "00:00:00");
        drop(clock);
        assert_eq!(ask(&connection, "SELECT time()").unwrap(), None);
    }
}
