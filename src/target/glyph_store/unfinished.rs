//! What a creation that was killed left behind: told apart from a store that holds anything, and removed.
//!
//! Opens a database of somebody else's as a copy only, and removes nothing that it did not recognise.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::create::{ACTOR, CreateError, FIRST_TYPE, SCHEMA};
use super::layout::Layout;

/// Largest file that a killed creation leaves. What it makes has some 150 KiB.
const LEFT_BYTES_MAX: u64 = 1024 * 1024;

/// What SQLite puts beside a database.
pub(super) const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Removes what a killed creation left at `layout`, where there is no manifest: a database in which nothing is but
/// an empty store, and an audit file with no more than its first line. Anything else stays, with all that lies
/// beside it.
pub(super) fn remove(layout: &Layout) -> Result<(), CreateError> {
    let (database, audit) = (layout.database(), layout.audit());
    if !holds_nothing(&audit, is_first_line)? || !holds_nothing(&database, is_blank)? {
        return Ok(());
    }
    // Without its database SQLite takes no notice of what lies beside it.
    let left = [database.clone()].into_iter().chain(BESIDE.map(|end| beside(&database, end)));
    for path in left.chain([audit]) {
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(CreateError::Io { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The file that SQLite keeps beside `database` under that ending.
pub(super) fn beside(database: &Path, end: &str) -> PathBuf {
    let mut name = database.to_owned().into_os_string();
    name.push(end);
    name.into()
}

/// Whether nothing is at `path`, or a small file that `judge` recognises. A link is neither.
fn holds_nothing(
    path: &Path,
    judge: impl FnOnce(&Path) -> io::Result<bool>,
) -> Result<bool, CreateError> {
    let held = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Ok(found) if !found.is_file() || found.len() > LEFT_BYTES_MAX => Ok(false),
        Ok(_) => judge(path),
        Err(error) => Err(error),
    };
    held.map_err(|source| CreateError::Io { path: path.to_owned(), source })
}

/// Whether an audit file holds the first line of a new store, or a part of it.
fn is_first_line(path: &Path) -> io::Result<bool> {
    let text = fs::read(path)?;
    let Some(line) = text.strip_suffix(b"\n") else {
        let begins = format!("{{\"type\":\"{FIRST_TYPE}\"");
        let begins = begins.as_bytes();
        return Ok(
            !text.contains(&b'\n') && (text.starts_with(begins) || begins.starts_with(&text))
        );
    };
    let read = serde_json::from_slice::<serde_json::Value>(line).unwrap_or_default();
    let says = |key: &str, text: &str| read.get(key).and_then(|held| held.as_str()) == Some(text);
    Ok(!line.contains(&b'\n') && says("type", FIRST_TYPE) && says("actor", ACTOR))
}

/// Whether a database is no more than a creation makes of it: nothing yet, or the tables of a new store with no row in
/// them but its version.
fn is_blank(path: &Path) -> io::Result<bool> {
    if fs::metadata(path)?.len() == 0 {
        return Ok(true);
    }
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("left.db");
    fs::copy(path, &copy)?;
    for end in ["-wal", "-journal"] {
        let from = beside(path, end);
        match fs::symlink_metadata(&from) {
            Ok(found) if found.len() > LEFT_BYTES_MAX => return Ok(false),
            Ok(_) => drop(fs::copy(&from, beside(&copy, end))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    // What does not read as a database is none of ours.
    Ok(content(&copy).is_ok_and(|left| left.is_empty() || new_store().is_ok_and(|new| new == left)))
}

/// Every declaration and every row of a new store.
fn new_store() -> rusqlite::Result<Vec<String>> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(SCHEMA)?;
    told(&connection)
}

fn content(path: &Path) -> rusqlite::Result<Vec<String>> {
    told(&Connection::open(path)?)
}

/// What `connection` declares, and how many rows each table has; of the one with the version the rows themselves.
fn told(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut declared = connection.prepare(
        "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1",
    )?;
    let mut told = declared.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let tables = tables.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    for table in tables {
        let query = match table.as_str() {
            "meta" => {
                "SELECT 'meta ' || group_concat(quote(key) || quote(value)) FROM meta".to_owned()
            }
            _ => format!("SELECT count(*) || ' rows' FROM \"{}\"", table.replace('"', "\"\"")),
        };
        told.push(
            connection
                .query_row(&query, [], |row| row.get::<_, Option<String>>(0))?
                .unwrap_or_default(),
        );
    }
    Ok(told)
}
