//! Where a ledger's bytes lie: an append-only sequence of batches, each closed by a signed head.
//!
//! Knows bytes, positions and durability. Knows no key, no meaning of an event, no projection; never
//! signs, never repairs, never starts empty where something was.

pub mod faulty;
pub mod memory;
mod ordered;
pub mod sled;

use std::ops::Range;
use std::path::PathBuf;

use ledger_format::event::{EVENT_BYTES_MAX, Event, EventError};
use ledger_format::hash::{EventId, LedgerId};
use ledger_format::head::{SignedHead, TreeHead};
use ledger_format::tree::Frontier;

pub(crate) use ordered::in_order;

/// Most events in one batch. A batch is held in memory whole and written as one transaction.
pub const BATCH_EVENTS_MAX: usize = 1_000;

/// What can be read from a log. Everything that judges a history needs no more than this.
pub trait ReadLog {
    /// Where the log ends; `None` when nothing was ever appended.
    fn tip(&self) -> Result<Option<Tip>, ReadError>;

    /// The batches, whole and in order, that hold an event of `seqs`. One batch is in memory at a
    /// time. After an error there is nothing more.
    fn read(&self, seqs: Range<u64>) -> Batches<'_>;
}

/// Batches as they are read.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<Batch, ReadError>> + 'a>;

/// A log that grows, and changes in no other way.
///
/// What every implementation keeps to, and what is built on logs relies on:
/// - What was appended is read back, whole batches in order, byte for byte, and nothing else.
/// - An append that fails leaves no trace, unless the error is [`AppendError::InDoubt`]. Then too
///   the batch is there whole or not at all once the log is opened again: of one that arrived in part
///   nothing is shown.
/// - After [`AppendError::InDoubt`] the handle still reads what it read before, and every further
///   append through it is [`AppendError::Poisoned`]. So nobody signs a second batch for a place where
///   the first may stand.
pub trait Log: ReadLog {
    /// Appends `batch` to a log of `expected_size` events; `frontier` is the right edge of the tree
    /// with the batch in it. When this returns `Ok`, the batch survives whatever the implementation
    /// promises to survive.
    fn append(
        &mut self,
        expected_size: u64,
        batch: &Batch,
        frontier: &Frontier,
    ) -> Result<(), AppendError>;

    /// Takes in what lies beyond the last acknowledged batch, now that its links and signatures have
    /// been judged by somebody who knows the keys, and makes it durable. Returns the number of events
    /// that had been acknowledged, or `None` if nothing lay beyond them, as in a log that never shows
    /// more than it has acknowledged. Before this a log with such a tail answers every append with
    /// [`AppendError::Unsettled`].
    fn accept_tail(&mut self) -> Result<Option<u64>, AppendError> {
        Ok(None)
    }
}

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

impl Tip {
    /// Number of events in the log.
    pub const fn size(&self) -> u64 {
        self.head.head().size
    }
}

/// What a log holds is not what was appended, or cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The log is damaged here.
    #[error("damaged at event {seq}: {reason}")]
    Damaged {
        /// First event that cannot be read.
        seq: u64,
        /// What was found there.
        reason: String,
    },
    /// The storage beneath failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder in use.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Why a batch was not appended, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The log does not end where the caller thinks. Nothing was written.
    #[error("the log ends at {}, not at {expected}", actual.as_ref().map_or(0, |tip| tip.size()))]
    HeadMoved {
        /// Size the caller expected.
        expected: u64,
        /// Where the log ends.
        actual: Option<Box<Tip>>,
    },
    /// The batch contradicts itself or the log. Nothing was written.
    #[error("impossible batch: {0}")]
    Impossible(#[from] BatchError),
    /// The log ends beyond its anchor and nobody has judged that tail yet. Nothing was written.
    #[error("the log ends at {stored}, its anchor at {anchored}, and the tail is not accepted")]
    Unsettled {
        /// Events up to the anchor.
        anchored: u64,
        /// Events in the store.
        stored: u64,
    },
    /// An earlier failure made this handle unusable for writing. Nothing was written.
    #[error("{} was made unusable by an earlier failure; open it again", path.display())]
    Poisoned {
        /// The ledger's folder.
        path: PathBuf,
    },
    /// The batch may or may not be durable. Opening again and comparing the ids from the expected
    /// size on says which; appending again with identical bytes is safe after that.
    #[error("{}: {source}; whether the batch was appended shows on opening again", path.display())]
    InDoubt {
        /// The file in use.
        path: PathBuf,
        /// What failed.
        source: std::io::Error,
    },
}

/// A batch that no history can contain at that place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No event, or more than [`BATCH_EVENTS_MAX`].
    #[error("a batch has 1 to {BATCH_EVENTS_MAX} events, found {actual}")]
    Count {
        /// Events found.
        actual: usize,
    },
    /// The batch does not begin where the log ends.
    #[error("begins at {actual}, the log ends at {expected}")]
    FirstSeq {
        /// Where the log ends.
        expected: u64,
        /// Where the batch begins.
        actual: u64,
    },
    /// An event longer than an event may be, so that no frame could hold it.
    #[error("event {seq} has {actual} bytes, an event has at most {EVENT_BYTES_MAX}")]
    Length {
        /// The event.
        seq: u64,
        /// Its length in bytes.
        actual: usize,
    },
    /// The last event is not an event.
    #[error("event {seq}: {source}")]
    Event {
        /// The event.
        seq: u64,
        /// Why it is none.
        source: EventError,
    },
    /// The head is another ledger's.
    #[error("the head belongs to ledger {actual}, this is ledger {expected}")]
    Ledger {
        /// This ledger.
        expected: LedgerId,
        /// The head's.
        actual: LedgerId,
    },
    /// The head does not state the size that the batch leads to.
    #[error("the head states {actual} events, the batch ends at {expected}")]
    HeadSize {
        /// Size after the batch.
        expected: u64,
        /// Size the head states.
        actual: u64,
    },
    /// The frontier is not that of the head's tree.
    #[error("the frontier does not hash to the root of the head")]
    Frontier,
}

/// How a batch leaves the log: what an implementation needs to know about its last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Closing {
    last: EventId,
    last_at: u64,
}

impl Batch {
    /// Checks that the batch can stand at `size` in the log of `ledger` and lead to `frontier`. Only
    /// the form: neither links nor signatures.
    fn check(
        &self,
        ledger: LedgerId,
        size: u64,
        frontier: &Frontier,
    ) -> Result<Closing, BatchError> {
        let count = self.events.len();
        let last = match self.events.last() {
            Some(last) if count <= BATCH_EVENTS_MAX => last,
            _ => return Err(BatchError::Count { actual: count }),
        };
        if self.first_seq != size {
            return Err(BatchError::FirstSeq { expected: size, actual: self.first_seq });
        }
        let too_long = |(_, event): &(u64, &Vec<u8>)| event.len() > EVENT_BYTES_MAX;
        if let Some((seq, event)) = (size..).zip(&self.events).find(too_long) {
            return Err(BatchError::Length { seq, actual: event.len() });
        }
        let end = size.saturating_add(count as u64);
        let head = self.head.head();
        if head.ledger != ledger {
            return Err(BatchError::Ledger { expected: ledger, actual: head.ledger });
        }
        if head.size != end {
            return Err(BatchError::HeadSize { expected: end, actual: head.size });
        }
        if !is_of(frontier, head) {
            return Err(BatchError::Frontier);
        }
        let event =
            Event::decode(last).map_err(|source| BatchError::Event { seq: end - 1, source })?;
        Ok(Closing { last: EventId::of(last), last_at: event.at })
    }
}

/// Whether `frontier` is the right edge of the tree that `head` states.
fn is_of(frontier: &Frontier, head: &TreeHead) -> bool {
    frontier.size() == head.size && frontier.root() == head.root
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
pub(crate) mod samples;
