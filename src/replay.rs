//! Replay: what a ledger says its store was at a cursor, folded anew from the first event, and put
//! on disk again. Uses no cache, runs no step, touches no live store.

mod difference;
mod images;
mod materialise;

use std::collections::BTreeMap;

use ledger_format::cbor::Value;
use ledger_format::head::TreeHead;
use projections::{Entry, Illegal, State, StateDigests};

use crate::ledger::{FoldError, Ledger};
use crate::verify::AuditRecords;

pub use difference::{
    Difference, DifferenceError, How, ObjectDifference, Outside, accepted_drift, difference,
};
pub use images::{Checked, Damage, Image, Images, Since, Size, Sizes, Verification};
pub use materialise::{MaterialiseError, Materialised, materialise};

/// Every projection over the first events of a ledger.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The states.
    pub state: State,
    /// Recorded states of append-only files, in order.
    pub audit: AuditRecords,
}

/// A history that does not replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The events cannot be read.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// An event may not stand where it stands.
    #[error("event {seq} ({kind}): {rule}")]
    Illegal {
        /// The event.
        seq: u64,
        /// Its kind.
        kind: &'static str,
        /// The rule it breaks.
        rule: Illegal,
    },
    /// The ledger is not that long.
    #[error("the ledger has {actual} events, asked for are {expected}")]
    Short {
        /// Events asked for.
        expected: u64,
        /// Events there are.
        actual: u64,
    },
    /// There is no projection of that name.
    #[error("there is no projection {name:?}; there are {}", State::NAMES.join(", "))]
    Unknown {
        /// The name.
        name: String,
    },
}

/// Folds the first `size` events of `ledger`, from event 0.
pub fn replay(ledger: &Ledger, size: u64) -> Result<Replay, ReplayError> {
    let mut state = State::new(ledger.id());
    let mut audit = AuditRecords::default();
    ledger.each_event(0..size, |recorded| {
        let (seq, body) = (recorded.event.seq, &recorded.event.body);
        let entry = Entry { event: &recorded.event, id: recorded.id };
        state.apply(entry).map_err(|rule| ReplayError::Illegal {
            seq: state.size(),
            kind: body.kind(),
            rule,
        })?;
        audit.record(seq, body);
        Ok::<_, ReplayError>(())
    })?;
    if state.size() == size {
        Ok(Replay { state, audit })
    } else {
        Err(ReplayError::Short { expected: size, actual: state.size() })
    }
}

impl Replay {
    /// What the head over exactly these events states.
    pub fn head(&self) -> TreeHead {
        self.state.chain().head()
    }

    /// The digest of each projection's state.
    pub fn digests(&self) -> StateDigests {
        self.state.digests()
    }

    /// The states of the projections of these names.
    pub fn values(&self, names: &[&str]) -> Result<BTreeMap<String, Value>, ReplayError> {
        let value = |name: &&str| {
            let value = self.state.value_of(name);
            let value = value.ok_or_else(|| ReplayError::Unknown { name: (*name).to_owned() })?;
            Ok(((*name).to_owned(), value))
        };
        names.iter().map(value).collect()
    }
}
