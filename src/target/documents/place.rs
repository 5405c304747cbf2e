//! The places of documents: what stands there, and how something else is put there, durably and whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::tree::{Tree, TreeError, UNFINISHED};

/// Fewest files of a batch that are synced together, by one call for their whole file system, and not one by one.
const SYNC_TOGETHER_MIN: usize = 32;

/// What stands in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// What is to stand in a place.
#[derive(Debug, Clone, Copy)]
pub struct Output<'a> {
    /// The document.
    pub id: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its permission bits.
    pub mode: u32,
}

/// The places of a tree's documents.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a>(pub &'a Tree);

impl Places<'_> {
    /// What stands in the place of `id`; none if nothing does. A link is refused.
    pub fn look(&self, id: &str) -> Result<Option<Found>, TreeError> {
        let path = self.0.path(id);
        let io = |source| TreeError::Io { path: path.clone(), source };
        let metadata = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(io)?,
        };
        if metadata.is_symlink() {
            return Err(TreeError::Link { path });
        }
        if !metadata.is_file() {
            return Err(TreeError::Special { path });
        }
        let bytes = fs::read(&path).map_err(io)?;
        Ok(Some(Found { bytes, mode: metadata.permissions().mode() & 0o7777 }))
    }

    /// Writes an output beside its place, one of `many`: durably if they are few, else [`Places::harden`] makes them durable
    /// together. What a killed job left there is replaced.
    pub fn prepare(&self, output: &Output<'_>, many: usize) -> Result<(), TreeError> {
        let path = self.0.path(output.id);
        let fresh = unfinished(&path);
        write(&path, &fresh, output, many < SYNC_TOGETHER_MIN)
            .map_err(|source| TreeError::Io { path: fresh, source })
    }

    /// Makes what was prepared durable: all outputs that are put into their places next.
    pub fn harden(&self, ids: &[&str]) -> Result<(), TreeError> {
        if ids.len() < SYNC_TOGETHER_MIN { Ok(()) } else { self.sync_together(ids) }
    }

    /// Puts a prepared output into its place.
    pub fn put(&self, id: &str) -> Result<(), TreeError> {
        let path = self.0.path(id);
        fs::rename(unfinished(&path), &path).map_err(|source| TreeError::Io { path, source })
    }

    /// Makes the names of what was put durable, and what a killed job may have left with the kernel alone.
    pub fn settle(&self, ids: &[&str]) -> Result<(), TreeError> {
        if ids.len() >= SYNC_TOGETHER_MIN {
            return self.sync_together(ids);
        }
        for id in ids {
            let path = self.0.path(id);
            sync(&path)
                .and_then(|()| sync(folder_of(&path)))
                .map_err(|source| TreeError::Io { path, source })?;
        }
        Ok(())
    }

    /// Removes what is left beside the place of `id` by a job that will not go on.
    pub fn forget(&self, id: &str) -> Result<(), TreeError> {
        let fresh = unfinished(&self.0.path(id));
        match fs::remove_file(&fresh) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(TreeError::Io { path: fresh, source })
            }
            _ => Ok(()),
        }
    }

    /// Syncs the file systems that the places lie on.
    fn sync_together(self, ids: &[&str]) -> Result<(), TreeError> {
        let mut folders = BTreeSet::new();
        for id in ids {
            folders.insert(folder_of(&self.0.path(id)).to_owned());
        }
        let mut done = BTreeSet::new();
        for folder in folders {
            let sync = || -> io::Result<()> {
                let file = File::open(&folder)?;
                if done.insert(file.metadata()?.dev()) {
                    rustix::fs::syncfs(&file)?;
                }
                Ok(())
            };
            let mut sync = sync;
            sync().map_err(|source| TreeError::Io { path: folder.clone(), source })?;
        }
        Ok(())
    }
}

/// Writes an output whole, with its permissions and the owner of what stands in its place.
fn write(path: &Path, fresh: &Path, output: &Output<'_>, durably: bool) -> io::Result<()> {
    let mut file = create(path, fresh)?;
    file.write_all(output.bytes)?;
    match fs::symlink_metadata(path) {
        Ok(old) => {
            let new = file.metadata()?;
            if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    file.set_permissions(fs::Permissions::from_mode(output.mode))?;
    if durably { file.sync_all() } else { Ok(()) }
}

/// A new file beside a place. What stands in its way is a killed job's; a folder may be gone with its documents.
fn create(path: &Path, fresh: &Path) -> io::Result<File> {
    let new = || fs::OpenOptions::new().write(true).create_new(true).open(fresh);
    match new() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(fresh)?;
            new()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder_of(path))?;
            new()
        }
        other => other,
    }
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn unfinished(path: &Path) -> PathBuf {
    let (before, after) = UNFINISHED;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{before}{name}{after}"))
}
