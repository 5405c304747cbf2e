//! From stored bytes to events to state.

use std::ops::{ControlFlow, Range};

use ledger_format::event::{Event, EventError};
use ledger_format::hash::EventId;
use projections::{Entry, Illegal, State};

use crate::log::{Batch, ReadError, in_order};

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its id.
    pub id: EventId,
    /// What it says.
    pub event: Event,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
}

/// Stored events do not fold.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// They cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The bytes at that place are not an event.
    #[error("event {seq}: {error}")]
    Event {
        /// Place in the log.
        seq: u64,
        /// What is wrong with the bytes.
        error: EventError,
    },
    /// The event may not stand at that place.
    #[error("event {seq} ({kind}): {rule}")]
    Illegal {
        /// Place in the log.
        seq: u64,
        /// The event's kind.
        kind: &'static str,
        /// The rule it breaks.
        rule: Illegal,
    },
    /// The log ends earlier than asked for.
    #[error("the log ends at event {actual}, expected {expected}")]
    Short {
        /// Number of events asked for.
        expected: u64,
        /// Number of events found.
        actual: u64,
    },
}

/// Folds events into `state` until it covers `size` of them.
pub(super) fn fold(
    state: &mut State,
    batches: impl Iterator<Item = Result<Batch, ReadError>>,
    size: u64,
) -> Result<(), FoldError> {
    each(batches, state.size()..size, |recorded| apply(state, &recorded))?;
    if state.size() == size {
        Ok(())
    } else {
        Err(FoldError::Short { expected: size, actual: state.size() })
    }
}

/// Hands the events of `seqs` to `take`, in order, read on several cores.
pub(super) fn each<E: From<FoldError>>(
    batches: impl Iterator<Item = Result<Batch, ReadError>>,
    seqs: Range<u64>,
    mut take: impl FnMut(Recorded) -> Result<(), E>,
) -> Result<(), E> {
    let mut taken = Ok(());
    let decode = |batch| events(std::iter::once(Ok(batch)), seqs.clone()).collect::<Vec<_>>();
    in_order(batches, decode, |next| {
        let events = next.unwrap_or_else(|error| vec![Err(FoldError::Read(error))]);
        taken = events.into_iter().try_for_each(|event| take(event?));
        if taken.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    taken
}

pub(super) fn apply(state: &mut State, recorded: &Recorded) -> Result<(), FoldError> {
    let entry = Entry { event: &recorded.event, id: recorded.id };
    state.apply(entry).map_err(|rule| FoldError::Illegal {
        seq: state.size(),
        kind: recorded.event.body.kind(),
        rule,
    })
}

/// The events of `seqs` out of whole batches.
pub(super) fn events(
    batches: impl Iterator<Item = Result<Batch, ReadError>>,
    seqs: Range<u64>,
) -> impl Iterator<Item = Result<Recorded, FoldError>> {
    let decode = |(seq, bytes): (u64, Vec<u8>)| match Event::decode(&bytes) {
        Ok(event) => Ok(super::recorded_event(bytes, event)),
        Err(error) => Err(FoldError::Event { seq, error }),
    };
    batches.flat_map(move |batch| {
        let seqs = seqs.clone();
        let (batch, error) = match batch {
            Ok(batch) => (Some(batch), None),
            Err(error) => (None, Some(Err(FoldError::Read(error)))),
        };
        let numbered = batch.into_iter().flat_map(|batch| (batch.first_seq..).zip(batch.events));
        numbered.filter(move |(seq, _)| seqs.contains(seq)).map(decode).chain(error)
    })
}
