//! The files in which a `.glyph` store keeps content, compared with what its database says of them. Only reads; no
//! migration touches them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use ledger_format::hash::ContentHash;
use sha2::{Digest as _, Sha256};

use super::layout::Layout;

/// Ids that are listed of each kind; beyond it they are counted.
pub const CONTENT_LISTED_MAX: usize = 100;

/// Bytes of a file that are in memory at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// A row of the table `content`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentRow {
    /// Its id.
    pub id: String,
    /// SHA-256 of the bytes in hexadecimal digits, with or without `sha256:` before them.
    pub hash: String,
    /// Their number.
    pub size: i64,
    /// Where the file lies, below the store.
    pub path: String,
}

/// How the files of content stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContentFiles {
    /// Rows that were looked at.
    pub rows: u64,
    /// Files that have the hash and the size that their rows say.
    pub same: u64,
    /// Rows whose file is not there.
    pub missing: Listed,
    /// Rows whose file has another hash or size.
    pub differing: Listed,
    /// Rows that cannot be compared: no SHA-256, or a path that leads out of the store.
    pub unknown: Listed,
}

/// Ids, the first of them by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// At most [`CONTENT_LISTED_MAX`] of them.
    pub ids: Vec<String>,
    /// How many there are.
    pub total: u64,
}

impl Listed {
    fn add(&mut self, id: &str) {
        self.total += 1;
        if self.ids.len() < CONTENT_LISTED_MAX {
            self.ids.push(id.to_owned());
        }
    }
}

/// A file of content that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct ContentFileError {
    /// The file.
    pub path: PathBuf,
    /// What happened.
    pub source: io::Error,
}

/// Reads the file of each of `rows` and compares it.
pub fn look_at_content(
    layout: &Layout,
    rows: &[ContentRow],
) -> Result<ContentFiles, ContentFileError> {
    let mut found = ContentFiles::default();
    for row in rows {
        found.rows += 1;
        let (Some(path), Some(hash)) = (below(layout.root(), &row.path), hash_of(&row.hash)) else {
            found.unknown.add(&row.id);
            continue;
        };
        match digest(&path) {
            Ok(None) => found.differing.add(&row.id),
            Ok(Some((bytes, actual))) if i64::try_from(bytes) == Ok(row.size) && actual == hash => {
                found.same += 1;
            }
            Ok(Some(_)) => found.differing.add(&row.id),
            Err(error) if error.kind() == io::ErrorKind::NotFound => found.missing.add(&row.id),
            Err(source) => return Err(ContentFileError { path, source }),
        }
    }
    Ok(found)
}

/// `path` below `root`, if it stays there.
fn below(root: &Path, path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let stays =
        path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    (stays && path.file_name().is_some()).then(|| root.join(path))
}

/// The digits of a SHA-256.
fn hash_of(text: &str) -> Option<String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let is_hash = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hash.then(|| digits.to_ascii_lowercase())
}

/// Length and SHA-256 of a file; `None` for what is no file.
fn digest(path: &Path) -> io::Result<Option<(u64, String)>> {
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let (mut file, mut hasher, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk)?;
        let Some(part) = chunk.get(..read).filter(|part| !part.is_empty()) else { break };
        hasher.update(part);
        bytes += read as u64;
    }
    Ok(Some((bytes, ContentHash::from_bytes(hasher.finalize().into()).to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_the_same_missing_differing_or_not_to_be_told() {
        let home = tempfile::tempdir().unwrap();
        let layout = Layout::new(home.path());
        fs::create_dir(home.path().join("content")).unwrap();
        fs::write(home.path().join("content/a"), "hello").unwrap();
        let hash = ContentHash::of(b"hello").to_string();
        let row = |id: &str, hash: &str, size, path: &str| ContentRow {
            id: id.to_owned(),
            hash: hash.to_owned(),
            size,
            path: path.to_owned(),
        };
        let rows = [
            row("same", &hash, 5, "content/a"),
            row("prefixed", &format!("sha256:{}", hash.to_uppercase()), 5, "./content/a"),
            row("gone", &hash, 5, "content/b"),
            row("longer", &hash, 6, "content/a"),
            row("changed", &"0".repeat(64), 5, "content/a"),
            row("outside", &hash, 5, "../content/a"),
            row("root", &hash, 5, "/content/a"),
            row("other", "blake3:00", 5, "content/a"),
            row("nothing", &hash, 5, ""),
            row("folder", &hash, 5, "content"),
        ];
        let found = look_at_content(&layout, &rows).unwrap();
        assert_eq!((found.rows, found.same), (10, 2));
        assert_eq!(found.missing, Listed { ids: vec!["gone".into()], total: 1 });
        assert_eq!(found.differing.ids, ["longer", "changed", "folder"]);
        assert_eq!(found.unknown.ids, ["outside", "root", "other", "nothing"]);
    }
}
