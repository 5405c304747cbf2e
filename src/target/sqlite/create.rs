//! A database in which there is nothing.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use super::DatabaseError;
use super::connection::open_existing;
use crate::effects::{KernelSyncs, syncs};

/// Makes the file at `path`, which is not there or has no bytes, a database of one page, durably.
pub fn create_empty(path: &Path, wait: Duration) -> Result<(), DatabaseError> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    let length = file.and_then(|file| file.metadata()).map_err(DatabaseError::io(path))?.len();
    if length > 0 {
        return Err(DatabaseError::NotAFile { path: path.to_owned() });
    }
    let connection = open_existing(path, wait)?;
    // Writing a value, be it the one that is there, gives a database its first page.
    let written = connection.pragma_update(None, "user_version", 0);
    written.map_err(|error| DatabaseError::of(path, wait, error))?;
    drop(connection);
    syncs::folder(&KernelSyncs, syncs::folder_of(path)).map_err(DatabaseError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::sqlite::testing::{WAIT, database, sql};
    use crate::target::sqlite::{PageSource as _, Snapshot};

    #[test]
    fn a_new_database_has_one_page_and_nothing_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new.db");
        create_empty(&path, WAIT).unwrap();
        assert_eq!(Snapshot::open(&path, WAIT).unwrap().page_count(), 1);
        assert_eq!(sql::<i64>(&path, "SELECT count(*) FROM sqlite_schema"), 0);
    }

    #[test]
    fn a_file_without_bytes_becomes_one_and_a_database_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("there.db");
        std::fs::write(&path, b"").unwrap();
        create_empty(&path, WAIT).unwrap();
        database(&path, "CREATE TABLE t(a)");
        let before = std::fs::read(&path).unwrap();
        assert!(create_empty(&path, WAIT).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}
