//! Looking at documents without changing anything: how each stands to its contract.

use std::collections::BTreeMap;

use super::super::error::MigrateError;
use super::collection::Collection;
use super::evaluation::Evaluation;
use super::former::Former;

/// A document that was looked at.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Its id.
    pub id: String,
    /// The name of its contract.
    pub contract: String,
    /// The contract's current version.
    pub current: String,
    /// What the contract makes of it.
    pub evaluation: Evaluation,
    /// Whether somebody signed it, so that it stays as it is.
    pub signed: bool,
    /// Number of names that its file has; more than one where it is hard-linked.
    pub names: u64,
}

/// Looks at the documents found and hands each to `take`, in the order of ids. `former` is what they were called before, as
/// far as a ledger is asked. Touches nothing.
pub fn check(
    collection: &Collection,
    found: &BTreeMap<String, usize>,
    to: Option<&str>,
    jobs: usize,
    former: &Former,
    take: &mut dyn FnMut(Checked) -> Result<(), MigrateError>,
) -> Result<(), MigrateError> {
    collection.work(found, to, jobs, former, &|done| done, &mut |done| {
        let Some(prepared) = collection.contracts().get(done.kind) else { return Ok(()) };
        let contract = prepared.contract();
        take(Checked {
            id: done.id,
            contract: contract.contract.clone(),
            current: to.unwrap_or(&contract.current).to_owned(),
            evaluation: done.evaluation,
            signed: done.signed,
            names: done.source.names,
        })
    })
}
