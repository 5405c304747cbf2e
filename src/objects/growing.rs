//! Packs that are read while somebody else may be adding to them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ledger_format::hash::ContentHash;

use super::{Objects, ObjectsError, PackObjects};

/// Packs opened for reading, and once more at the first object that is missing. So whatever events name that were read
/// before that object was looked for is found: objects are there before the events that name them.
#[derive(Debug)]
pub struct GrowingPacks {
    dir: PathBuf,
    first: PackObjects,
    /// `None` within if the packs could not be opened again; what is missing then stays missing.
    again: OnceLock<Option<PackObjects>>,
}

impl GrowingPacks {
    /// Opens the folder `dir` without writing anything into it.
    pub fn open(dir: &Path) -> Result<Self, ObjectsError> {
        let first = PackObjects::open_read_only(dir)?;
        Ok(Self { dir: dir.to_owned(), first, again: OnceLock::new() })
    }

    fn again(&self) -> Option<&PackObjects> {
        self.again.get_or_init(|| PackObjects::open_read_only(&self.dir).ok()).as_ref()
    }
}

impl Objects for GrowingPacks {
    /// Always refused: the packs are open for reading.
    fn put(&mut self, bytes: &[u8]) -> Result<ContentHash, ObjectsError> {
        self.first.put(bytes)
    }

    fn get(&self, name: &ContentHash) -> Result<Vec<u8>, ObjectsError> {
        match (self.first.get(name), self.first.contains(name)) {
            (Err(missing), false) => self.again().map_or(Err(missing), |packs| packs.get(name)),
            (found, _) => found,
        }
    }

    fn contains(&self, name: &ContentHash) -> bool {
        self.first.contains(name) || self.again().is_some_and(|packs| packs.contains(name))
    }

    fn sync(&mut self) -> Result<(), ObjectsError> {
        self.first.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_since_is_found_and_what_is_missing_is_said_to_be() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("objects");
        let mut writer = PackObjects::create(&dir).unwrap();
        let early = writer.put(b"early").unwrap();
        writer.sync().unwrap();
        let reader = GrowingPacks::open(&dir).unwrap();
        let late = writer.put(b"late").unwrap();
        writer.sync().unwrap();
        assert_eq!(reader.get(&early).unwrap(), b"early");
        assert!(reader.contains(&late));
        assert_eq!(reader.get(&late).unwrap(), b"late");
        let never = ContentHash::of(b"never");
        assert!(matches!(reader.get(&never), Err(ObjectsError::Missing { .. })));
    }
}
