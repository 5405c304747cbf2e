//! The chain: what makes a sequence of events one history (SPEC §5.3). Given event after event it
//! checks that each continues the one before and extends the tree. Knows positions, times and links;
//! knows not what events mean.

use crate::event::Event;
use crate::hash::{EventId, LedgerId, NodeHash};
use crate::head::TreeHead;
use crate::tree::Frontier;

/// The end of a history: all that the next event must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    ledger: LedgerId,
    last: EventId,
    last_at: u64,
    frontier: Frontier,
}

/// Why an event does not continue the history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// An event of another ledger.
    #[error("belongs to ledger {actual}, expected {expected}")]
    Ledger {
        /// The ledger of this chain.
        expected: LedgerId,
        /// The ledger the event names.
        actual: LedgerId,
    },
    /// An event missing, doubled or out of order.
    #[error("has sequence number {actual}, expected {expected}")]
    Seq {
        /// The number that comes next.
        expected: u64,
        /// The number of the event.
        actual: u64,
    },
    /// Its link does not name the event before it.
    #[error("names {actual} as its predecessor, expected {expected}")]
    Prev {
        /// Id of the last event.
        expected: EventId,
        /// The id the event names.
        actual: EventId,
    },
    /// Its time lies before its predecessor's.
    #[error("is dated {actual} ms, before its predecessor's {previous} ms")]
    Time {
        /// Time of the last event.
        previous: u64,
        /// Time of this one.
        actual: u64,
    },
}

impl Chain {
    /// The empty history of a ledger.
    pub const fn new(ledger: LedgerId) -> Self {
        Self { ledger, last: EventId::GENESIS, last_at: 0, frontier: Frontier::new() }
    }

    /// The end of a history known from elsewhere; whether it is the right one shows in the root.
    pub const fn resume(ledger: LedgerId, last: EventId, last_at: u64, frontier: Frontier) -> Self {
        Self { ledger, last, last_at, frontier }
    }

    /// Checks that `event`, whose id is `id`, comes next.
    pub fn check(&self, event: &Event) -> Result<(), ChainError> {
        if event.ledger != self.ledger {
            return Err(ChainError::Ledger { expected: self.ledger, actual: event.ledger });
        }
        if event.seq != self.size() {
            return Err(ChainError::Seq { expected: self.size(), actual: event.seq });
        }
        if event.prev != self.last {
            return Err(ChainError::Prev { expected: self.last, actual: event.prev });
        }
        if event.at < self.last_at {
            return Err(ChainError::Time { previous: self.last_at, actual: event.at });
        }
        Ok(())
    }

    /// Checks `event` and appends it. On an error nothing has changed.
    pub fn push(&mut self, event: &Event, id: EventId) -> Result<(), ChainError> {
        self.check(event)?;
        self.last = id;
        self.last_at = event.at;
        self.frontier.push(NodeHash::leaf(id));
        Ok(())
    }

    /// The ledger.
    pub const fn ledger(&self) -> LedgerId {
        self.ledger
    }

    /// Number of events.
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Id of the last event; [`EventId::GENESIS`] when there is none.
    pub const fn last(&self) -> EventId {
        self.last
    }

    /// Time of the last event, in milliseconds since the Unix epoch; 0 when there is none.
    pub const fn last_at(&self) -> u64 {
        self.last_at
    }

    /// The right edge of the tree.
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The head that states this history.
    pub fn head(&self) -> TreeHead {
        TreeHead { ledger: self.ledger, size: self.size(), root: self.frontier.root() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::samples;
    use crate::hash::KeyId;

    fn next(chain: &Chain) -> Event {
        Event {
            at: chain.last_at() + 1,
            seq: chain.size(),
            body: samples::every_kind().remove(0),
            prev: chain.last(),
            actor: KeyId::of(&[3; 32]),
            ledger: chain.ledger(),
        }
    }

    #[test]
    fn only_the_next_event_continues_a_chain() {
        let mut chain = Chain::new(LedgerId::of(&[1; 32], &[2; 16]));
        for _ in 0..5 {
            let event = next(&chain);
            let id = EventId::of(&event.encode().unwrap());
            let before = chain.clone();
            let other = LedgerId::of(&[9; 32], &[2; 16]);
            for (bad, name) in [
                (Event { seq: event.seq + 1, ..event.clone() }, "seq"),
                (Event { prev: EventId::of(b"other"), ..event.clone() }, "prev"),
                (Event { ledger: other, ..event.clone() }, "ledger"),
            ] {
                assert!(chain.push(&bad, id).is_err(), "{name}");
                assert_eq!(chain, before);
            }
            chain.push(&event, id).unwrap();
            assert_eq!((chain.last(), chain.head().size), (id, event.seq + 1));
            let early = Event { at: chain.last_at() - 1, ..next(&chain) };
            assert!(matches!(chain.check(&early), Err(ChainError::Time { .. })));
        }
    }
}
