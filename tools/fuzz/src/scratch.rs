//! Folders for readers that want files: one set a process, in memory where the machine has such a place, and written over
//! by every input.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

const MEMORY: &str = "/dev/shm";

static ROOT: OnceLock<TempDir> = OnceLock::new();

/// Makes the folder, so that no input is charged for it.
pub(crate) fn prepare() {
    root();
}

/// The folder `name`, made if it is not there, with whatever the last input left in it.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = root().join(name);
    if !folder.is_dir() {
        fs::create_dir_all(&folder).expect("the scratch folder can be written");
    }
    folder
}

/// The folder `name`, empty.
pub(crate) fn empty_folder(name: &str) -> PathBuf {
    let folder = root().join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the scratch folder can be emptied");
    }
    self::folder(name)
}

/// Writes a file below one of the folders.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("the scratch folder can be written");
}

fn root() -> &'static Path {
    let made = ROOT.get_or_init(|| {
        let memory = Path::new(MEMORY);
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        tempfile::Builder::new().prefix("glyph-fuzz.").tempdir_in(place).expect("a scratch folder")
    });
    made.path()
}
