//! Files that a command makes where its user says: whole or not at all, and over nothing. What stands there may be a key, a remembered
//! head or a device, or an earlier answer that somebody wrote remarks into. An earlier answer gives way only where its own bytes
//! show that it is as the command wrote it.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::failure;
use crate::diagnostic::{Failure, USAGE};
use crate::effects::syncs;

/// How much of a file is looked at to tell what it is, in bytes: more than a plan has.
const LOOKED_AT_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A name under which a file may be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewFile<'a> {
    path: &'a Path,
    /// An earlier answer stands there.
    replaces: bool,
}

impl<'a> NewFile<'a> {
    /// Refuses a name under which there is something else than an empty file or an earlier answer, which `is_answer` tells
    /// from a file's bytes, before any work is done for it.
    pub(super) fn at(path: &'a Path, is_answer: fn(&[u8]) -> bool) -> Result<Self, Failure> {
        match fs::symlink_metadata(path) {
            // Whatever else is wrong with the name is told when the file is made.
            Err(_) => Ok(Self { path, replaces: false }),
            Ok(found) => {
                let bytes = || beginning(path).map_err(failure::io(path));
                if found.is_file() && (found.len() == 0 || is_answer(&bytes()?)) {
                    return Ok(Self { path, replaces: true });
                }
                let taken = format!(
                    "{} is there already and is no earlier answer of this command",
                    path.display()
                );
                Err(Failure::new(&USAGE, taken).at(path.display().to_string()))
            }
        }
    }

    /// Refuses a name under which there is anything: what was made is meant to be edited by hand.
    pub(super) fn absent(path: &'a Path) -> Result<Self, Failure> {
        if fs::symlink_metadata(path).is_ok() {
            let taken = format!("{} is there already, and is not written over", path.display());
            return Err(Failure::new(&USAGE, taken).at(path.display().to_string()));
        }
        Ok(Self { path, replaces: false })
    }

    /// Makes the file, with `mode` as far as the umask allows it, and has `write` write it. It is durable under its name
    /// when this returns.
    pub(super) fn make<T>(
        self,
        mode: u32,
        write: impl FnOnce(&mut File) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Self { path, replaces } = self;
        let folder = syncs::folder_of(path);
        let building =
            tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(folder);
        let mut building = building.map_err(failure::io(folder))?;
        let written = write(building.as_file_mut())?;
        building.as_file().sync_all().map_err(failure::io(path))?;
        let made = if replaces { building.persist(path) } else { building.persist_noclobber(path) };
        made.map_err(|error| failure::io(path)(error.error))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failure::io(folder))?;
        Ok(written)
    }
}

fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LOOKED_AT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
