//! What documents in a ledger's care were called, as its runs recorded it: a signed document that names one as it was is
//! followed by that.

use std::collections::{BTreeMap, BTreeSet};

use ledger_format::body::{Body, FixedBytes, Renamed};

use super::super::error::MigrateError;
use super::collection::Documents;
use super::prepared::Prepared;
use crate::ledger::Ledger;
use crate::link::{Hash, Names, Renaming};

/// What a run records of the names of a document.
pub(super) fn recorded(renamed: &[Renaming]) -> Vec<Renamed> {
    let recorded = renamed.iter().map(|one| Renamed {
        naming: one.naming.clone(),
        old_hash: FixedBytes(one.old_hash),
        new_hash: FixedBytes(one.new_hash),
    });
    recorded.collect()
}

/// Hashes that documents had, by id. Nothing, where no ledger is asked.
#[derive(Debug, Clone, Default)]
pub struct Former(BTreeMap<String, BTreeSet<Hash>>);

impl Former {
    /// Those of every committed run of a ledger, all of whose events are read.
    pub fn recorded_in(ledger: &Ledger) -> Result<Self, MigrateError> {
        let mut former = Self::default();
        let mut of_run = Vec::new();
        for recorded in ledger.events(0..ledger.state().size()) {
            match recorded?.event.body {
                Body::RunStarted(_) => of_run.clear(),
                Body::ObjectMigrated(body) if !body.renamed.is_empty() => {
                    of_run.push((body.object, body.renamed));
                }
                Body::RunCommitted(_) => {
                    for (object, renamed) in of_run.drain(..) {
                        let hashes =
                            renamed.iter().flat_map(|one| [one.old_hash.0, one.new_hash.0]);
                        former.0.entry(object).or_default().extend(hashes);
                    }
                }
                _ => {}
            }
        }
        Ok(former)
    }

    /// Those of one document.
    pub fn names_of(&self, id: &str) -> Option<Names> {
        self.0.get(id).map(|hashes| Names::of(hashes.iter().copied()))
    }

    /// Those of the documents in a folder of the tree, by their ids as seen from there.
    #[must_use]
    pub fn below(self, folder: &str) -> Self {
        if folder.is_empty() {
            return self;
        }
        let inside = |id: String| Some(id.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
        let below = self.0.into_iter().filter_map(|(id, hashes)| Some((inside(id)?, hashes)));
        Self(below.collect())
    }
}

impl Documents {
    /// What its documents were called. Nothing is read where none can be signed: all others follow what they name.
    pub fn former(&self) -> Result<Former, MigrateError> {
        let mut contracts = self.collection.contracts().iter().map(Prepared::contract);
        if contracts.any(|contract| contract.signature.is_some()) {
            Former::recorded_in(&self.ledger)
        } else {
            Ok(Former::default())
        }
    }
}
