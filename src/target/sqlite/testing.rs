//! What the tests of this folder share: an application that owns a database.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::FromSql;

/// Long enough for any lock that is going to be released.
pub(super) const WAIT: Duration = Duration::from_secs(5);

/// Opens or makes the database at `path` as an application does, and runs `script`.
pub(super) fn owner(path: &Path, script: &str) -> Connection {
    let name = std::path::absolute(path).unwrap();
    let connection = Connection::open(name).unwrap();
    connection.busy_timeout(WAIT).unwrap();
    connection.execute_batch("PRAGMA foreign_keys=off").unwrap();
    connection.execute_batch(script).unwrap();
    connection
}

/// Runs `script` on the database at `path` and closes it.
pub(super) fn database(path: &Path, script: &str) {
    drop(owner(path, script));
}

/// The one value that `query` answers.
pub(super) fn sql<T: FromSql>(path: &Path, query: &str) -> T {
    owner(path, "").query_row(query, [], |row| row.get(0)).unwrap()
}
