//! Places: the name under which a ledger's folder is remembered.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The name under which the folder `dir`, which may not be there, is remembered: absolute, and the
/// same by whatever way it is reached.
pub fn place_of(dir: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(dir)?;
    let mut missing = Vec::new();
    for folder in absolute.ancestors() {
        match fs::canonicalize(folder) {
            Ok(there) => return Ok(missing.iter().rev().fold(there, |path, name| path.join(name))),
            Err(error) if is_absent(&error) => missing.extend(folder.file_name()),
            Err(error) => return Err(error),
        }
    }
    Ok(absolute)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_name_however_it_is_reached_and_before_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, folder.path().join("link")).unwrap();
        let before = place_of(&folder.path().join("link/ledger")).unwrap();
        assert_eq!(before, place_of(&real.join("ledger")).unwrap());
        fs::create_dir(real.join("ledger")).unwrap();
        assert_eq!(before, place_of(&real.join("ledger")).unwrap());
    }
}
