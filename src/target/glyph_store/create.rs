//! Making a new `.glyph` store, as the Glyph tool lays it out at version 1.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::layout::Layout;
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
const SCHEMA: &str = include_str!("schema_1.sql");

/// Makes a store of version 1 for `project` at `layout`, where no manifest and database may be yet. When
/// that fails, the files that it made are removed again.
pub fn create(layout: &Layout, project: &str, now_ms: u64) -> Result<(), CreateError> {
    for path in [layout.manifest(), layout.database(), layout.audit()] {
        if path.exists() {
            return Err(CreateError::Exists { path });
        }
    }
    remove_unfinished(&fresh_manifest(layout))?;
    let made = make(layout, project, now_ms);
    if made.is_err() {
        let database = layout.database();
        let beside = ["-wal", "-shm", "-journal"].map(|end| {
            let mut name = database.clone().into_os_string();
            name.push(end);
            PathBuf::from(name)
        });
        let files = [layout.manifest(), fresh_manifest(layout), layout.audit(), database];
        for path in files.iter().chain(&beside) {
            // What cannot be removed is found, and named, by the next attempt.
            let _left = fs::remove_file(path);
        }
    }
    made
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

fn make(layout: &Layout, project: &str, now_ms: u64) -> Result<(), CreateError> {
    for folder in Layout::FOLDERS {
        let path = layout.root().join(folder);
        syncs::make_folder(&KernelSyncs, &path)
            .map_err(|source| CreateError::Io { path, source })?;
    }
    let now = i64::try_from(now_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    create_database(&layout.database())?;
    let line = json!({
        "type": "store_init",
        "timestamp": now.to_string(),
        "actor": "glyph-ledger",
        "data": {"version": 1, "project": project},
    });
    write(&layout.audit(), &format!("{line}\n"))?;
    let manifest = format!(
        "store:\n  version: 1\n  created_by: glyph-ledger/{}\n  created_at: {now}\n  project: {}\n  object_format: glyph-object-v1\n  audit_log: {}\n",
        env!("CARGO_PKG_VERSION"),
        json!(project),
        Layout::AUDIT,
    );
    sync_names(&layout.audit())?;
    // The manifest comes last, and durable: with it the store is there.
    let (fresh, path) = (fresh_manifest(layout), layout.manifest());
    write(&fresh, &manifest)?;
    fs::rename(&fresh, &path).map_err(|source| CreateError::Io { path, source })?;
    sync_names(&layout.manifest())
}

/// The manifest before it has its name.
fn fresh_manifest(layout: &Layout) -> PathBuf {
    layout.manifest().with_added_extension("new")
}

/// Makes the names beside `path` durable.
fn sync_names(path: &Path) -> Result<(), CreateError> {
    let folder = path.parent().unwrap_or(path);
    syncs::folder(&KernelSyncs, folder)
        .map_err(|source| CreateError::Io { path: folder.to_owned(), source })
}

fn create_database(path: &Path) -> Result<(), CreateError> {
    let database = |source| CreateError::Database { path: path.to_owned(), source };
    let connection = rusqlite::Connection::open(path).map_err(database)?;
    connection.pragma_update(None, "journal_mode", "wal").map_err(database)?;
    connection.execute_batch(SCHEMA).map_err(database)?;
    connection.close().map_err(|(_, source)| database(source))
}

fn write(path: &Path, text: &str) -> Result<(), CreateError> {
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()?;
        syncs::folder(&KernelSyncs, syncs::folder_of(path))
    };
    write().map_err(|source| CreateError::Io { path: path.to_owned(), source })
}
