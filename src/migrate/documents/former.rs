//! What documents in a ledger's care were called, as its runs recorded it: a signed document that names one as it was is
//! followed by that.

use std::collections::{BTreeMap, BTreeSet};

use ledger_format::body::{Body, FixedBytes, Renamed};

use super::super::error::MigrateError;
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

/// Hashes that documents had, by id.
#[derive(Debug, Default)]
pub(super) struct Former(BTreeMap<String, BTreeSet<Hash>>);

impl Former {
    /// Those of every committed run. Nothing is read where no document can be signed.
    pub(super) fn of(ledger: &Ledger, contracts: &[Prepared]) -> Result<Self, MigrateError> {
        let mut former = Self::default();
        if !contracts.iter().any(|prepared| prepared.contract().signature.is_some()) {
            return Ok(former);
        }
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
    pub(super) fn names_of(&self, id: &str) -> Option<Names> {
        self.0.get(id).map(|hashes| Names::of(hashes.iter().copied()))
    }
}
