//! All documents of a linked set at once, as `plan` and `apply` see them: for whoever asks about one of them.

use std::collections::BTreeMap;

use super::super::error::MigrateError;
use super::collection::Collection;
use super::evaluation::Evaluation;
use super::former::Former;
use super::prepared::Prepared;
use crate::target::documents::Found;

/// A document of a linked set.
pub(in crate::migrate) struct InSet {
    /// Its bytes.
    pub(in crate::migrate) source: Vec<u8>,
    /// What becomes of it together with the others.
    pub(in crate::migrate) evaluation: Evaluation,
}

impl Collection {
    /// Whether what becomes of a document depends on others.
    pub(in crate::migrate) fn is_linked(&self) -> bool {
        self.contracts().iter().any(Prepared::names_others)
    }

    /// What becomes of each document. Where `instead` has bytes for one, they are taken for what stands in its place.
    /// `former` is what documents were called before.
    pub(in crate::migrate) fn whole_set(
        &self,
        instead: &BTreeMap<String, Vec<u8>>,
        former: &Former,
    ) -> Result<BTreeMap<String, InSet>, MigrateError> {
        let load = |id: &str| -> Result<Found, MigrateError> {
            let mut found = self.load(id)?;
            if let Some(bytes) = instead.get(id) {
                found.bytes.clone_from(bytes);
            }
            Ok(found)
        };
        let mut set = BTreeMap::new();
        let found = self.find()?;
        let ids = found.iter().map(|(id, kind)| (id.as_str(), *kind)).collect();
        self.kinds(None, former).work(&ids, 1, &load, &|done| done, &mut |done| {
            let source = done.source.bytes;
            set.insert(done.id, InSet { source, evaluation: done.evaluation });
            Ok::<_, MigrateError>(())
        })?;
        Ok(set)
    }

    /// The bytes of a document as they are now.
    pub(in crate::migrate) fn bytes_of(&self, id: &str) -> Result<Vec<u8>, MigrateError> {
        Ok(self.load(id)?.bytes)
    }
}
