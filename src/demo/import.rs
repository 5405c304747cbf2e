//! Files of a folder as the Glyph tool would import them into a store of version 1: content in
//! blocks, a source a file, a realm a top-level folder, a work context a folder, an audit line a
//! source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ledger_format::hash::ContentHash;
use rusqlite::{Connection, params};
use serde_json::json;

use super::DemoError;
use crate::migrate::MigrateError;
use crate::target::glyph_store::{Layout, create};

/// Most files imported, so that a demonstration stays one wherever it is started.
const FILES_MAX: usize = 2_000;
/// Longest file imported, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Size of a block of content, in bytes.
const BLOCK_BYTES: usize = 1024;
/// Folders that hold what is built or fetched, not what somebody wrote.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// What was imported.
pub(super) struct Imported {
    pub(super) files: usize,
    pub(super) rows: u64,
    pub(super) audit_lines: usize,
}

/// Makes a store at `layout` and imports the files below `from` into it.
pub(super) fn import(from: &Path, layout: &Layout, now_ms: u64) -> Result<Imported, DemoError> {
    let mut files = Vec::new();
    collect(from, Path::new(""), &mut files)?;
    files.sort();
    files.truncate(FILES_MAX);
    if files.is_empty() {
        return Err(DemoError::NothingToImport { path: from.to_owned() });
    }
    create(layout, "demo", now_ms).map_err(MigrateError::from)?;
    let path = layout.database();
    let database = |source| DemoError::Import { path: path.clone(), source };
    let mut connection = Connection::open(&path).map_err(database)?;
    let mut audit = Vec::new();
    let transaction = connection.transaction().map_err(database)?;
    let mut importer = Importer { rows: 0, now: time(now_ms), folders: BTreeMap::new() };
    for file in &files {
        let full = from.join(file);
        let bytes = fs::read(&full).map_err(|source| DemoError::Io { path: full, source })?;
        importer.file(&transaction, file, &bytes).map_err(database)?;
        let line = json!({
            "type": "source_imported",
            "timestamp": importer.now,
            "actor": "demo",
            "data": {"path": file, "bytes": bytes.len()},
        });
        audit.push(format!("{line}\n"));
    }
    importer.folders(&transaction).map_err(database)?;
    transaction.commit().map_err(database)?;
    connection.close().map_err(|(_, source)| database(source))?;
    append(&layout.audit(), &audit)?;
    Ok(Imported { files: files.len(), rows: importer.rows, audit_lines: audit.len() + 1 })
}

/// Paths below `root`, with `/` between names: no hidden ones, no links, nothing large.
fn collect(root: &Path, below: &Path, files: &mut Vec<String>) -> Result<(), DemoError> {
    let folder = root.join(below);
    let io = |source| DemoError::Io { path: folder.clone(), source };
    for entry in fs::read_dir(&folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type().map_err(io)?;
        if name.starts_with('.') || files.len() >= FILES_MAX {
            continue;
        }
        let path = below.join(&*name);
        if kind.is_dir() && !SKIPPED.contains(&&*name) {
            collect(root, &path, files)?;
        } else if kind.is_file() && entry.metadata().map_err(io)?.len() <= FILE_BYTES_MAX {
            files.push(path.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

struct Importer {
    rows: u64,
    now: String,
    /// Files by folder.
    folders: BTreeMap<String, u64>,
}

impl Importer {
    fn file(&mut self, to: &Connection, path: &str, bytes: &[u8]) -> rusqlite::Result<()> {
        let id = self.content(to, bytes)?;
        for block in bytes.chunks(BLOCK_BYTES) {
            self.content(to, block)?;
        }
        let mut insert = to.prepare_cached("INSERT INTO sources VALUES (?1, ?2, ?3, ?4)")?;
        self.rows += insert.execute(params![path, id, labels(path), self.now])? as u64;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        *self.folders.entry(folder.to_owned()).or_default() += 1;
        Ok(())
    }

    fn content(&mut self, to: &Connection, bytes: &[u8]) -> rusqlite::Result<String> {
        let hash = ContentHash::of(bytes).to_string();
        let (id, place) = hash.split_at_checked(16).unwrap_or((&hash, ""));
        let path = format!("content/{id}/{place}");
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let mut insert =
            to.prepare_cached("INSERT OR IGNORE INTO content VALUES (?1, ?2, ?3, ?4, ?5)")?;
        self.rows += insert.execute(params![id, hash, size, path, self.now])? as u64;
        Ok(id.to_owned())
    }

    /// A realm a top-level folder; a work context with a snapshot and a publication a folder.
    fn folders(&mut self, to: &Connection) -> rusqlite::Result<()> {
        let realm = |folder: &str| match folder.split('/').next() {
            Some("") | None => "root".to_owned(),
            Some(top) => top.to_owned(),
        };
        let realms: BTreeSet<String> = self.folders.keys().map(|folder| realm(folder)).collect();
        for name in realms {
            let description = format!("everything below {name}");
            self.rows += to
                .execute("INSERT INTO realms VALUES (?1, ?2)", params![name, description])?
                as u64;
        }
        for (folder, files) in &self.folders {
            let name = if folder.is_empty() { "root" } else { folder };
            let workspace = format!("workspaces/{name}");
            let hash = ContentHash::of(name.as_bytes()).to_string();
            let id = hash.get(..16).unwrap_or(&hash);
            self.rows += to.execute(
                "INSERT INTO work_contexts VALUES (?1, ?2, ?3, 'open', ?4)",
                params![name, realm(folder), workspace, self.now],
            )? as u64;
            self.rows += to.execute(
                "INSERT INTO snapshots VALUES (?1, ?2, ?3, ?4, ?5)",
                params![id, name, format!("import of {files} files"), hash, self.now],
            )? as u64;
            self.rows += to.execute(
                "INSERT INTO publications (id, work_name, dest_realm, status, actor, created_at)
                 VALUES (?1, ?2, ?3, 'published', 'demo', ?4)",
                params![id, name, realm(folder), self.now],
            )? as u64;
        }
        Ok(())
    }
}

/// Labels as the tool would give them: the kind of file, and the folder it belongs to.
fn labels(path: &str) -> String {
    let kind = path.rsplit_once('.').map_or("plain", |(_, extension)| extension);
    let top = path.split_once('/').map_or("root", |(top, _)| top);
    format!("{kind},{top}")
}

fn time(ms: u64) -> String {
    let timestamp =
        i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    timestamp.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

fn append(path: &PathBuf, lines: &[String]) -> Result<(), DemoError> {
    let append = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new().append(true).open(path)?;
        file.write_all(lines.concat().as_bytes())?;
        file.sync_all()
    };
    append().map_err(|source| DemoError::Io { path: path.clone(), source })
}
