//! Where a ledger's bytes lie: an append-only sequence of batches, each closed by a signed head.
//!
//! Knows bytes, positions and durability. Knows no key, no meaning of an event, no projection; never
//! signs, never repairs, never starts empty where something was.

use ledger_format::head::SignedHead;
use ledger_format::tree::Frontier;

/// Most events in one batch. A batch is held in memory whole and written as one transaction.
pub const BATCH_EVENTS_MAX: usize = 1_000;

/// Events appended together, and the head that closes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Sequence number of the first event.
    pub first_seq: u64,
    /// Canonical bytes of 1 to [`BATCH_EVENTS_MAX`] events.
    pub events: Vec<Vec<u8>>,
    /// The head over all events up to the last of these.
    pub head: SignedHead,
}

/// Where a log ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The newest head.
    pub head: SignedHead,
    /// The right edge of its tree, as stored; hashes to the head's root.
    pub frontier: Frontier,
}
