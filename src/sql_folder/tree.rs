//! What lies in a folder: names, kinds, and the bytes of what may be a migration. Links are not followed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::error::Trouble;
use super::names;

/// Deepest folder that is looked into. Migrations lie one or two deep.
const DEPTH_MAX: usize = 16;

/// Most names. A project of ten years has a few thousand.
const ENTRIES_MAX: usize = 100_000;

/// Longest script in bytes; a contract takes no longer ones.
const SCRIPT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Most bytes of all scripts together, which are held in memory.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Everything in a folder and the folders below, by path relative to it, with `/` between folders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tree(BTreeMap<String, Entry>);

/// What has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A file, with its bytes if it may be a migration.
    File(Vec<u8>),
    /// A folder.
    Folder,
    /// Something else, and what.
    Other(&'static str),
    /// Anything whose name is not UTF-8; its path has replacement characters.
    BadName,
}

impl Tree {
    /// Reads the folder `dir`, which may itself be a link.
    pub(super) fn read(dir: &Path) -> Result<Self, Trouble> {
        let mut reader = Reader { found: BTreeMap::new(), bytes: 0 };
        reader.folder(dir, "", 0)?;
        Ok(Self(reader.found))
    }

    #[cfg(test)]
    pub(super) fn of<'a>(entries: impl IntoIterator<Item = (&'a str, Entry)>) -> Self {
        Self(entries.into_iter().map(|(path, entry)| (path.to_owned(), entry)).collect())
    }

    /// Everything, by path.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The bytes of a file.
    pub(super) fn file(&self, path: &str) -> Option<&[u8]> {
        match self.0.get(path) {
            Some(Entry::File(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Whether there is anything of that path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Whether anything lies in that folder.
    pub(super) fn holds_anything(&self, folder: &str) -> bool {
        let inside = format!("{folder}/");
        self.0.range(inside.clone()..).next().is_some_and(|(path, _)| path.starts_with(&inside))
    }
}

struct Reader {
    found: BTreeMap<String, Entry>,
    bytes: u64,
}

impl Reader {
    fn folder(&mut self, dir: &Path, prefix: &str, depth: usize) -> Result<(), Trouble> {
        let io = |source| Trouble::Io { name: prefix.trim_end_matches('/').to_owned(), source };
        if depth > DEPTH_MAX {
            return Err(too_large(prefix, format!("lies more than {DEPTH_MAX} folders deep")));
        }
        for entry in fs::read_dir(dir).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name();
            let path = format!("{prefix}{}", name.to_string_lossy());
            if self.found.len() >= ENTRIES_MAX {
                return Err(too_large(&path, format!("is one of more than {ENTRIES_MAX} names")));
            }
            let kind = entry.file_type().map_err(io)?;
            let found = if name.to_str().is_none() {
                Entry::BadName
            } else if kind.is_symlink() {
                Entry::Other("a symbolic link")
            } else if kind.is_dir() {
                self.folder(&entry.path(), &format!("{path}/"), depth + 1)?;
                Entry::Folder
            } else if kind.is_file() {
                Entry::File(self.bytes_of(&entry.path(), &path)?)
            } else {
                Entry::Other("a device, pipe or socket")
            };
            self.found.insert(path, found);
        }
        Ok(())
    }

    fn bytes_of(&mut self, file: &Path, path: &str) -> Result<Vec<u8>, Trouble> {
        let mut bytes = Vec::new();
        if !names::may_be_read(path) {
            return Ok(bytes);
        }
        let io = |source| Trouble::Io { name: path.to_owned(), source };
        let opened = fs::File::open(file).map_err(io)?;
        opened.take(SCRIPT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
        let length = bytes.len() as u64;
        self.bytes += length;
        if length > SCRIPT_BYTES_MAX {
            return Err(too_large(path, format!("is longer than {SCRIPT_BYTES_MAX} bytes")));
        }
        if self.bytes > BYTES_MAX {
            return Err(too_large(path, format!("makes more than {BYTES_MAX} bytes of scripts")));
        }
        Ok(bytes)
    }
}

fn too_large(name: &str, what: String) -> Trouble {
    Trouble::TooLarge { name: name.to_owned(), what }
}
