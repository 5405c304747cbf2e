//! Batches as a judge needs them: each event with the id of its bytes. Knows bytes; judges nothing.

use ledger_format::event::{Event, EventError};
use ledger_format::hash::EventId;
use ledger_format::head::SignedHead;

use crate::log::Batch;

/// A batch whose events have been read.
pub(super) struct Decoded {
    pub(super) first_seq: u64,
    pub(super) events: Vec<DecodedEvent>,
    pub(super) head: SignedHead,
}

/// An event and the id of its bytes.
pub(super) struct DecodedEvent {
    pub(super) id: EventId,
    pub(super) event: Result<Event, EventError>,
}

/// Hashes and reads every event of `batch`.
pub(super) fn decode(batch: Batch) -> Decoded {
    let Batch { first_seq, events, head } = batch;
    let decode =
        |bytes: &Vec<u8>| DecodedEvent { id: EventId::of(bytes), event: Event::decode(bytes) };
    Decoded { first_seq, events: events.iter().map(decode).collect(), head }
}
