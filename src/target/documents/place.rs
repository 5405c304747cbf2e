//! The places of documents: what stands there, and how something else is put there, durably and whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::tree::{Tree, TreeError, UNFINISHED};
use crate::document::DOCUMENT_BYTES_MAX;

/// Fewest files of a batch that are synced together, by one call for their whole file system, and not one by one.
const SYNC_TOGETHER_MIN: usize = 32;

/// What stands in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
    /// Number of names that the file has; more than one where it is hard-linked.
    pub names: u64,
}

/// What lies beside a place, under the name that an output has before it is put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// A file.
    File(Found),
    /// A link, a folder or anything else that is no document.
    Other,
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
    /// What stands in the place of `id`; none if nothing does. A link is refused, and so is what is too large to be a
    /// document, before it is read.
    pub fn look(&self, id: &str) -> Result<Option<Found>, TreeError> {
        look_at(&self.0.path(id))
    }

    /// Writes an output beside its place, one of `many`: durably if they are few, else [`Places::harden`] makes them durable
    /// together. What a killed job left there is replaced.
    pub fn prepare(&self, output: &Output<'_>, many: usize) -> Result<(), TreeError> {
        let path = self.0.path(output.id);
        let fresh = unfinished(&path);
        write(&path, &fresh, output, many < SYNC_TOGETHER_MIN)
            .map_err(|source| TreeError::Io { path: fresh, source })
    }

    /// Makes what was prepared of `many` outputs durable, before the first is put into its place.
    pub fn harden(&self, ids: &[&str], many: usize) -> Result<(), TreeError> {
        if many < SYNC_TOGETHER_MIN { Ok(()) } else { self.sync_together(ids) }
    }

    /// Puts a prepared output into its place if `may_replace` what stands there. Output and place change names in one
    /// step, and what comes out is judged then, so that nothing which somebody writes in the last moment is lost: it is put
    /// back. `is_output` knows the output again. Whether it stands in its place.
    ///
    /// A file system that cannot exchange names has the place judged right before the output is renamed.
    pub fn put(
        &self,
        id: &str,
        is_output: &dyn Fn(&Found) -> bool,
        may_replace: &dyn Fn(Option<&Found>) -> bool,
    ) -> Result<bool, TreeError> {
        let path = self.0.path(id);
        let fresh = unfinished(&path);
        let placed = match exchange(&fresh, &path) {
            Ok(()) => match look_at(&fresh) {
                Ok(Some(found)) if may_replace(Some(&found)) => true,
                _ => return self.take_out(id, is_output),
            },
            Err(Errno::NOENT) => may_replace(None) && Self::put_into_empty(&fresh, &path)?,
            Err(error) if is_unknown(error) => {
                let may = may_replace(look_at(&path)?.as_ref());
                if may {
                    fs::rename(&fresh, &path).map_err(|source| TreeError::Io { path, source })?;
                }
                may
            }
            Err(error) => return Err(TreeError::Io { path, source: error.into() }),
        };
        self.forget(id)?;
        Ok(placed)
    }

    /// Takes an output out of its place again, and puts back what came out for it. Should somebody have replaced the output
    /// meanwhile, what is newest stays in the place, and what is older beside it.
    fn take_out(self, id: &str, is_output: &dyn Fn(&Found) -> bool) -> Result<bool, TreeError> {
        self.put_back(id)?;
        match self.beside(id)? {
            Beside::File(found) if is_output(&found) => self.forget(id)?,
            _ => self.put_back(id)?,
        }
        Ok(false)
    }

    /// Puts an output where nothing stands. Not if something stands there by now.
    fn put_into_empty(fresh: &Path, path: &Path) -> Result<bool, TreeError> {
        let io = |source| TreeError::Io { path: path.to_owned(), source };
        match renameat_with(CWD, fresh, CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) if is_unknown(error) => fs::rename(fresh, path).map(|()| true).map_err(io),
            Err(error) => Err(io(error.into())),
        }
    }

    /// What lies beside the place of `id`: an output that was not put there, or what came out when one was.
    pub fn beside(&self, id: &str) -> Result<Beside, TreeError> {
        match look_at(&unfinished(&self.0.path(id))) {
            Ok(Some(found)) => Ok(Beside::File(found)),
            Ok(None) => Ok(Beside::Nothing),
            Err(TreeError::Link { .. } | TreeError::Special { .. } | TreeError::Large { .. }) => {
                Ok(Beside::Other)
            }
            Err(error) => Err(error),
        }
    }

    /// Exchanges what lies beside the place of `id` with what stands in it.
    pub fn put_back(&self, id: &str) -> Result<(), TreeError> {
        let path = self.0.path(id);
        exchange(&unfinished(&path), &path)
            .map_err(|error| TreeError::Io { path, source: error.into() })
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

/// What stands at `path`, read no further than a document may be long.
fn look_at(path: &Path) -> Result<Option<Found>, TreeError> {
    let io = |source| TreeError::Io { path: path.to_owned(), source };
    let link = || TreeError::Link { path: path.to_owned() };
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(io)?,
    };
    if metadata.is_symlink() {
        return Err(link());
    }
    if !metadata.is_file() {
        return Err(TreeError::Special { path: path.to_owned() });
    }
    let large = |bytes| TreeError::Large { path: path.to_owned(), bytes };
    let bytes_max = DOCUMENT_BYTES_MAX as u64;
    if metadata.len() > bytes_max {
        return Err(large(metadata.len()));
    }
    // What is exchanged in this moment for a link or a pipe is neither followed nor waited for.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = match fs::OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => return Err(link()),
        other => other.map_err(io)?,
    };
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > bytes_max {
        return Err(large(bytes.len() as u64));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    Ok(Some(Found { bytes, mode, names: metadata.nlink() }))
}

fn exchange(one: &Path, other: &Path) -> Result<(), Errno> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

/// Whether a file system does not know how to exchange names, or to rename only where nothing stands.
fn is_unknown(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
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
