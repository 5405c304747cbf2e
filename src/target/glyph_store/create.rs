//! Making a new `.glyph` store, as the Glyph tool lays it out at version 1.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::audit_file::timestamp;
use super::layout::Layout;
use super::unfinished::{self, BESIDE, beside};
use crate::effects::{KernelSyncs, syncs};

/// A store that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Something is there already.
    #[error("{path} is there already")]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// Somebody else makes a store there at this moment.
    #[error("{path}: another process is making a store there")]
    Busy {
        /// The store's folder.
        path: PathBuf,
    },
    /// The file system.
    #[error("{path}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The database.
    #[error("{path}: {source}")]
    Database {
        /// The database.
        path: PathBuf,
        /// What happened.
        source: rusqlite::Error,
    },
}

/// The tables of version 1 in the shape of its first builds.
pub(super) const SCHEMA: &str = include_str!("schema_1.sql");

/// Type of the first line of the audit file.
pub(super) const FIRST_TYPE: &str = "store_init";

/// Who the lines of the audit file that this program writes are by.
pub(super) const ACTOR: &str = "glyph-ledger";

/// Permissions of a new database, as SQLite would give them.
const DATABASE_MODE: u32 = 0o644;

/// Makes a store of version 1 for `project` at `layout`, where no manifest and database may be yet. When
/// that fails, the files that it made are removed again, and no others. What an earlier attempt left that was
/// killed, before there was anything in it, is removed first.
pub fn create(layout: &Layout, project: &str, now_ms: u64) -> Result<(), CreateError> {
    let _alone = alone(layout.root())?;
    if !layout.manifest().exists() {
        unfinished::remove(layout)?;
    }
    for path in [layout.manifest(), layout.database(), layout.audit()] {
        if path.exists() {
            return Err(CreateError::Exists { path });
        }
    }
    let mut made = Vec::new();
    let done = make(layout, project, now_ms, &mut made);
    if done.is_err() {
        for path in made.iter().rev() {
            // What cannot be removed is found, and named, by the next attempt.
            let _left = fs::remove_file(path);
        }
    }
    done
}

/// Holds the store's folder against others who would make a store in it, until it is dropped or the process ends.
fn alone(root: &Path) -> Result<fs::File, CreateError> {
    let io = |source| CreateError::Io { path: root.to_owned(), source };
    syncs::make_folder(&KernelSyncs, root).map_err(io)?;
    let folder = fs::File::open(root).map_err(io)?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(fs::TryLockError::WouldBlock) => Err(CreateError::Busy { path: root.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(io(source)),
    }
}

/// A manifest that never got its name belongs to a store that was never made.
fn remove_unfinished(fresh: &Path) -> Result<(), CreateError> {
    match fs::remove_file(fresh) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(CreateError::Io { path: fresh.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Notes in `made` each file that is there from here on because of it, even where it then fails.
fn make(
    layout: &Layout,
    project: &str,
    now_ms: u64,
    made: &mut Vec<PathBuf>,
) -> Result<(), CreateError> {
    for folder in Layout::FOLDERS {
        let path = layout.root().join(folder);
        syncs::make_folder(&KernelSyncs, &path)
            .map_err(|source| CreateError::Io { path, source })?;
    }
    let now = timestamp(now_ms);
    // Whoever makes the database makes the store: a second one, of an older build, ends here.
    create_database(&layout.database(), made)?;
    remove_unfinished(&fresh_manifest(layout))?;
    let line = json!({
        "type": FIRST_TYPE,
        "timestamp": now,
        "actor": ACTOR,
        "data": {"version": 1, "project": project},
    });
    write(&layout.audit(), &format!("{line}\n"), made)?;
    let manifest = format!(
        "store:\n  version: 1\n  created_by: glyph-ledger/{}\n  created_at: {now}\n  project: {}\n  object_format: glyph-object-v1\n  audit_log: {}\n",
        env!("CARGO_PKG_VERSION"),
        json!(project),
        Layout::AUDIT,
    );
    // The manifest comes last, and durable: with it the store is there.
    let (fresh, path) = (fresh_manifest(layout), layout.manifest());
    write(&fresh, &manifest, made)?;
    fs::rename(&fresh, &path).map_err(|source| CreateError::Io { path: path.clone(), source })?;
    let folder = syncs::folder_of(&path).to_owned();
    made.push(path);
    syncs::folder(&KernelSyncs, &folder).map_err(|source| CreateError::Io { path: folder, source })
}

/// The manifest before it has its name.
fn fresh_manifest(layout: &Layout) -> PathBuf {
    layout.manifest().with_added_extension("new")
}

fn create_database(path: &Path, made: &mut Vec<PathBuf>) -> Result<(), CreateError> {
    drop(create_new(path, DATABASE_MODE, made)?);
    made.extend(BESIDE.map(|end| beside(path, end)));
    let database = |source| CreateError::Database { path: path.to_owned(), source };
    let connection = rusqlite::Connection::open(path).map_err(database)?;
    connection.pragma_update(None, "journal_mode", "wal").map_err(database)?;
    connection.execute_batch(SCHEMA).map_err(database)?;
    connection.close().map_err(|(_, source)| database(source))
}

fn write(path: &Path, text: &str, made: &mut Vec<PathBuf>) -> Result<(), CreateError> {
    let mut file = create_new(path, 0o666, made)?;
    let mut write = || -> io::Result<()> {
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()?;
        syncs::folder(&KernelSyncs, syncs::folder_of(path))
    };
    write().map_err(|source| CreateError::Io { path: path.to_owned(), source })
}

/// Makes an empty file where there is none, not even a link.
fn create_new(path: &Path, mode: u32, made: &mut Vec<PathBuf>) -> Result<fs::File, CreateError> {
    let path = path.to_owned();
    match fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&path) {
        Ok(file) => {
            made.push(path);
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(CreateError::Exists { path })
        }
        Err(source) => Err(CreateError::Io { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(layout: &Layout, sql: &str) {
        let connection = rusqlite::Connection::open(layout.database()).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    fn audit(layout: &Layout, text: &str) {
        fs::create_dir_all(layout.audit().parent().unwrap()).unwrap();
        fs::write(layout.audit(), text).unwrap();
    }

    #[test]
    fn what_a_killed_creation_left_is_made_anew() {
        let line = r#"{"type":"store_init","timestamp":"T","actor":"glyph-ledger","data":{}}"#;
        let left: [&dyn Fn(&Layout); 6] = [
            &|layout| fs::write(layout.database(), "").unwrap(),
            &|layout| database(layout, "PRAGMA journal_mode = wal"),
            &|layout| database(layout, SCHEMA),
            &|layout| audit(layout, ""),
            &|layout| audit(layout, &line[..40]),
            &|layout| {
                database(layout, &format!("PRAGMA journal_mode = wal; {SCHEMA}"));
                audit(layout, &format!("{line}\n"));
                fs::write(fresh_manifest(layout), "store:").unwrap();
            },
        ];
        for (number, leave) in left.iter().enumerate() {
            let home = tempfile::tempdir().unwrap();
            let layout = Layout::new(home.path());
            leave(&layout);
            create(&layout, "p", 0).unwrap_or_else(|error| panic!("{number}: {error}"));
            assert_eq!(fs::read_to_string(layout.audit()).unwrap().lines().count(), 1, "{number}");
            assert!(layout.manifest().exists() && !fresh_manifest(&layout).exists());
        }
    }

    #[test]
    fn what_holds_anything_is_not_taken_for_something_left_behind() {
        let init = "{\"type\":\"store_init\",\"actor\":\"glyph-ledger\"}\n";
        let other = "{\"type\":\"store_init\",\"actor\":\"someone\"}\n";
        let held: [&dyn Fn(&Layout); 9] = [
            &|layout| database(layout, &format!("{SCHEMA} INSERT INTO realms VALUES ('main', '')")),
            &|layout| database(layout, &format!("{SCHEMA} INSERT INTO meta VALUES ('mine', '')")),
            &|layout| database(layout, &format!("{SCHEMA} UPDATE meta SET value = '2'")),
            &|layout| database(layout, "CREATE TABLE other (a)"),
            &|layout| fs::write(layout.database(), "no database at all").unwrap(),
            &|layout| audit(layout, other),
            &|layout| audit(layout, &format!("{init}{init}")),
            &|layout| audit(layout, "notes of mine"),
            &|layout| {
                fs::write(layout.database(), "").unwrap();
                audit(layout, other);
            },
        ];
        for (number, hold) in held.iter().enumerate() {
            let home = tempfile::tempdir().unwrap();
            let layout = Layout::new(home.path());
            hold(&layout);
            let read = || [layout.database(), layout.audit()].map(|path| fs::read(path).ok());
            let before = read();
            let refused = create(&layout, "p", 0).unwrap_err();
            assert!(matches!(refused, CreateError::Exists { .. }), "{number}: {refused}");
            assert_eq!(read(), before, "{number}");
            assert!(!layout.manifest().exists());
        }
    }

    #[test]
    fn two_creations_do_not_meet() {
        let home = tempfile::tempdir().unwrap();
        let layout = Layout::new(home.path().join("store"));
        let held = alone(layout.root()).unwrap();
        let refused = create(&layout, "p", 0).unwrap_err();
        assert!(matches!(refused, CreateError::Busy { .. }), "{refused}");
        assert!(!layout.database().exists());
        drop(held);
        create(&layout, "p", 0).unwrap();
    }

    #[test]
    fn a_creation_that_fails_removes_what_it_made_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let layout = Layout::new(home.path());
        fs::create_dir_all(layout.audit().parent().unwrap()).unwrap();
        // Somebody else's, that only shows when a file of that name is made.
        std::os::unix::fs::symlink("nowhere", layout.audit()).unwrap();
        let refused = create(&layout, "p", 0).unwrap_err();
        assert!(matches!(&refused, CreateError::Exists { path } if *path == layout.audit()));
        assert!(layout.audit().is_symlink());
        assert!(!layout.database().exists() && !layout.manifest().exists());

        fs::remove_file(layout.audit()).unwrap();
        std::os::unix::fs::symlink("nowhere", layout.database()).unwrap();
        let refused = create(&layout, "p", 0).unwrap_err();
        assert!(matches!(&refused, CreateError::Exists { path } if *path == layout.database()));
        assert!(layout.database().is_symlink());

        fs::remove_file(layout.database()).unwrap();
        create(&layout, "p", 0).unwrap();
    }
}
