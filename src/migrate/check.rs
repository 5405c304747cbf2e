//! Trying the way to a version on a copy that nobody keeps: nothing is recorded, and no object is stored.

use super::applied::must_be_unchanged;
use super::error::MigrateError;
use super::loss::{self, LossSummary};
use super::observe::LiveDatabase;
use super::plan::{PlannedStep, scratch_folder};
use super::rehearsal::rehearse_on;
use super::run::{Inputs, Subject as _};
use super::space;
use super::store::Store;
use crate::contract::way;

/// What the way to a version would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Version now.
    pub from: String,
    /// Version after.
    pub to: String,
    /// What is done to the database, in order.
    pub steps: Vec<PlannedStep>,
    /// What is lost.
    pub loss: LossSummary,
}

impl Tried {
    /// Number of values lost.
    pub fn lost(&self) -> u64 {
        loss::total(&self.loss)
    }
}

/// Runs every step to version `to` (the contract's current one if `None`) on a copy of the live database, and
/// refuses what a plan would refuse.
pub fn check(store: &Store, to: Option<&str>) -> Result<Tried, MigrateError> {
    store.must_be_idle()?;
    must_be_unchanged(store)?;
    let live = LiveDatabase::open(&store.site.database(), store.wait)?;
    let from = store.detect(&live)?;
    live.must_have_recorded_schema(store)?;
    store.audit_seen()?;
    let to = to.unwrap_or(&store.contract.current).to_owned();
    let edges = way(&store.contract, &from, &to)?;
    let (mut loss, mut steps) = (LossSummary::default(), Vec::new());
    if !edges.is_empty() {
        space::must_hold(store.ledger.dir(), live.bytes())?;
        // What a script leaves is told apart from what it found.
        live.must_be_sound()?;
        let scratch = scratch_folder(store)?;
        let mut copy = live.copy(scratch.path())?;
        let object = store.site.database_id();
        let rehearsed =
            rehearse_on(&mut copy, (&store.contract, object), &edges, Inputs::NONE, |_, _| Ok(()))?;
        copy.check_integrity()?;
        (loss, steps) = (rehearsed.loss.summary, rehearsed.steps);
    }
    Ok(Tried { from, to, steps, loss })
}
