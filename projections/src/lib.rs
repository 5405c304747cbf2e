//! Folds over the events of a glyph ledger: from history to state, and from state to what may come
//! next.
//!
//! Pure: reads event bytes and nothing else. Knows no clock, no file system, no randomness, no
//! thread, no storage, and no order that is not the events'. The legality check that admits an event
//! to the log is the one that judges it in replay.

mod audit;
mod certificates;
mod contracts;
mod images;
mod keys;
mod route;
mod runs;
mod state;
mod store;

use ledger_format::event::Event;
use ledger_format::hash::{CommitHash, EventId};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use audit::{Audit, AuditLine, AuditTrail};
pub use certificates::{Certificate, CertificateBook, Certificates, Claim, inputs_hash};
pub use contracts::{Contracts, FrozenContract, FrozenContracts};
pub use images::{ImageNeeds, NeededImages};
pub use keys::{Ended, KeyRing, Keys, KnownKey};
pub use route::{Route, Routes};
pub use runs::{AcceptedDrift, FinishedRun, OpenRun, Outcome, Phase, RunBook, Runs};
pub use state::{State, StateDigests};
pub use store::{Store, StoreState};

/// An event and its id: what a fold is given.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The event.
    pub event: &'a Event,
    /// Its id.
    pub id: EventId,
}

/// Why an event may not come next. The text names the rule; the event is named by whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
pub struct Illegal {
    rule: String,
}

impl Illegal {
    pub(crate) fn new(rule: impl Into<String>) -> Self {
        Self { rule: rule.into() }
    }
}

/// One fold.
pub trait Projection {
    /// Its name, as in digests and on the command line.
    const NAME: &'static str;
    /// Counts up whenever the same events would give another state.
    const VERSION: u64;
    /// What it folds to, from [`Default`] on.
    type State: Clone + Default + PartialEq + std::fmt::Debug + Serialize + DeserializeOwned;

    /// Whether `entry` may come next. Says nothing about rules of other projections.
    fn check(state: &Self::State, entry: Entry<'_>) -> Result<(), Illegal>;

    /// Takes in `entry`, which [`Projection::check`] has passed.
    fn advance(state: &mut Self::State, entry: Entry<'_>);

    /// Checks `entry` and takes it in. On an error nothing has changed.
    fn apply(state: &mut Self::State, entry: Entry<'_>) -> Result<(), Illegal> {
        Self::check(state, entry)?;
        Self::advance(state, entry);
        Ok(())
    }

    /// `CommitHash("projection/<name>/<version>", state)` (SPEC §6.3).
    fn digest(state: &Self::State) -> CommitHash {
        state::digest(Self::NAME, Self::VERSION, state)
    }
}

fn require(holds: bool, rule: impl FnOnce() -> String) -> Result<(), Illegal> {
    if holds { Ok(()) } else { Err(Illegal::new(rule())) }
}
