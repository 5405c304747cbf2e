//! Objects in memory, for tests and for work that nothing has to survive.

use std::collections::HashMap;

use ledger_format::hash::ContentHash;

use super::{Objects, ObjectsError};

/// Keeps every object in a map; gone with the process.
#[derive(Debug, Clone, Default)]
pub struct MemoryObjects {
    kept: HashMap<ContentHash, Vec<u8>>,
}

impl MemoryObjects {
    /// A store without objects.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of objects kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Forgets one object, as damage would; returns whether it was kept.
    pub fn remove(&mut self, name: &ContentHash) -> bool {
        self.kept.remove(name).is_some()
    }

    /// Puts other bytes under a name, as damage would.
    pub fn damage(&mut self, name: ContentHash, bytes: Vec<u8>) {
        self.kept.insert(name, bytes);
    }
}

impl Objects for MemoryObjects {
    fn put(&mut self, bytes: &[u8]) -> Result<ContentHash, ObjectsError> {
        let name = ContentHash::of(bytes);
        self.kept.entry(name).or_insert_with(|| bytes.to_vec());
        Ok(name)
    }

    fn get(&self, name: &ContentHash) -> Result<Vec<u8>, ObjectsError> {
        let bytes = self.kept.get(name).ok_or(ObjectsError::Missing { name: *name })?;
        let actual = ContentHash::of(bytes);
        if actual == *name {
            Ok(bytes.clone())
        } else {
            Err(ObjectsError::Corrupt { name: *name, actual })
        }
    }

    fn contains(&self, name: &ContentHash) -> bool {
        self.kept.contains_key(name)
    }

    fn sync(&mut self) -> Result<(), ObjectsError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_bytes_are_kept_once_and_come_back() {
        let mut objects = MemoryObjects::new();
        let name = objects.put(b"page").unwrap();
        assert_eq!(objects.put(b"page").unwrap(), name);
        assert_eq!(objects.len(), 1);
        assert_eq!(objects.get(&name).unwrap(), b"page");
    }

    #[test]
    fn missing_and_damaged_objects_are_told_apart() {
        let mut objects = MemoryObjects::new();
        let name = objects.put(b"page").unwrap();
        objects.damage(name, b"pige".to_vec());
        assert!(matches!(objects.get(&name), Err(ObjectsError::Corrupt { .. })));
        assert!(objects.remove(&name));
        assert!(matches!(objects.get(&name), Err(ObjectsError::Missing { .. })));
    }
}
