//! Jobs on a store: take it into care, plan, stage, commit, publish, go back.
//!
//! A job works beside the store; one event commits it; then its outputs are put into their places,
//! each step of that being safe to do again. Before the committing event nothing outside changed,
//! after it nothing can be lost. Resuming is reading the fold and going on from there.
//!
//! Knows stores, contracts, objects and the ledger. Knows no terminal and never asks anybody.

pub mod account;
mod amounts;
mod applied;
mod baseline;
mod books;
mod check;
#[cfg(test)]
mod conformance;
mod continues;
pub mod documents;
mod drift;
mod edits;
mod environment;
mod error;
mod folder;
mod init;
mod loss;
mod observe;
mod plan;
pub mod proof;
mod prune;
mod publish;
mod recompute;
mod rehearsal;
mod rollback;
mod run;
mod scripts;
mod space;
mod stage;
mod stated;
mod status;
mod store;

pub use amounts::{Amounts, in_words, summed};
pub use applied::failures;
pub use baseline::Baseline;
pub use check::{Tried, check};
pub use continues::{ContinueError, continued};
pub use drift::{AcceptedDrift, Drifted, accept_drift, drifted};
pub use environment::Environment;
pub use error::{ACCEPT_DRIFT, LEAVE_OUT_MAX, MigrateError};
pub use folder::{FolderOptions, Recognised, recognise};
pub use init::{Adoption, InitOptions, adopt, init};
pub use loss::{LossSummary, LostValues, total as lost};
pub use plan::{
    Plan, PlanFileError, PlannedId, PlannedObject, PlannedStep, Policy, plan, plan_to_apply,
};
pub use prune::Pruning;
pub use recompute::{Outcome, Recomputed, RecomputedStep, recompute};
pub use rollback::{RollbackOptions, must_be_kept, rollback};
pub use run::{Consent, Inputs, Milestone, Observer, RunReport, Silent, abandon, apply, resume};
pub use scripts::{Back, MigrationSeen, prove_scripts};
pub use status::{Compatibility, Drift, LastWriter, Status, glance, status};
pub use store::{OpenStore, Store};
