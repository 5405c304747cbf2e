//! Events: what one is, its bytes, its id (SPEC §5). An event is its canonical bytes; this module
//! turns them into a value and back and accepts nothing in between. Knows no other event.

use crate::body::{Body, BodyError};
use crate::cbor::{self, EVENT_DEPTH_MAX, FieldError, Fields};
use crate::hash::{EventId, KeyId, LedgerId};

/// The event format this crate writes and reads. 0 until the format is frozen.
pub const FORMAT: u64 = 1;

/// Longest event, in bytes. Whatever is longer goes into an object that the event names; so a
/// frame of 6 KiB always holds a whole event.
pub const EVENT_BYTES_MAX: usize = 4_096;

/// Largest sequence number: the largest integer every JSON reader keeps exact.
pub const SEQ_MAX: u64 = (1 << 53) - 1;

/// Latest time, in milliseconds since the Unix epoch: the end of the year 9999, the last that
/// RFC 3339 can write.
pub const AT_MS_MAX: u64 = 253_402_300_799_999;

/// One step of the ledger's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When: milliseconds since the Unix epoch, never before the previous event's.
    pub at: u64,
    /// Position in the ledger, from 0.
    pub seq: u64,
    /// What happened; its variant is the event's kind.
    pub body: Body,
    /// Id of the previous event; [`EventId::GENESIS`] for the first.
    pub prev: EventId,
    /// Who signs the head over this event.
    pub actor: KeyId,
    /// The ledger this event belongs to.
    pub ledger: LedgerId,
}

/// Bytes that are not an event of this format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Longer than [`EVENT_BYTES_MAX`].
    #[error("an event has at most {EVENT_BYTES_MAX} bytes, found {actual}")]
    TooLong {
        /// Bytes found.
        actual: usize,
    },
    /// Not canonical CBOR, or not the fields of an event.
    #[error("not an event: {0}")]
    Field(#[from] FieldError),
    /// Another format.
    #[error("event format {actual} is not the one read here ({FORMAT})")]
    Format {
        /// The format found.
        actual: u64,
    },
    /// A sequence number beyond [`SEQ_MAX`] or a time beyond [`AT_MS_MAX`].
    #[error("{field} is at most {max}, found {actual}")]
    Range {
        /// The field.
        field: &'static str,
        /// Its largest value.
        max: u64,
        /// The value found.
        actual: u64,
    },
    /// Kind or body.
    #[error(transparent)]
    Body(#[from] BodyError),
}

const FIELDS: [&str; 8] = ["at", "seq", "body", "kind", "prev", "actor", "format", "ledger"];

impl Event {
    /// The canonical bytes. They may exceed [`EVENT_BYTES_MAX`]; [`Event::decode`] refuses those.
    pub fn encode(&self) -> Result<Vec<u8>, EventError> {
        let mut body = Vec::with_capacity(BODY_BYTES_GUESS);
        self.body.encode_into(&mut body)?;
        Ok(self.encode_around(&body))
    }

    /// The same around the canonical bytes of its body, for whoever has them.
    #[must_use]
    pub fn encode_around(&self, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(body.len() + FRAME_BYTES_GUESS);
        cbor::encode_map_header(FIELDS.len(), &mut out);
        cbor::encode_text("at", &mut out);
        cbor::encode_unsigned(self.at, &mut out);
        cbor::encode_text("seq", &mut out);
        cbor::encode_unsigned(self.seq, &mut out);
        cbor::encode_text("body", &mut out);
        out.extend_from_slice(body);
        cbor::encode_text("kind", &mut out);
        cbor::encode_text(self.body.kind(), &mut out);
        cbor::encode_text("prev", &mut out);
        cbor::encode_bytes(self.prev.as_bytes(), &mut out);
        cbor::encode_text("actor", &mut out);
        cbor::encode_bytes(self.actor.as_bytes(), &mut out);
        cbor::encode_text("format", &mut out);
        cbor::encode_unsigned(FORMAT, &mut out);
        cbor::encode_text("ledger", &mut out);
        cbor::encode_bytes(self.ledger.as_bytes(), &mut out);
        out
    }

    /// Whether [`Event::decode`] reads this event from `bytes`, if it reads its body from those of `body`.
    pub fn is_encoded_as(&self, bytes: &[u8], body: &[u8]) -> Result<bool, EventError> {
        let read = Parts::of(bytes)?;
        Ok((read.at, read.seq, read.prev) == (self.at, self.seq, self.prev)
            && (read.actor, read.ledger) == (self.actor, self.ledger)
            && (read.kind, read.body) == (self.body.kind(), body))
    }

    /// Reads an event from its canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, EventError> {
        let Parts { at, seq, prev, actor, ledger, kind, body } = Parts::of(bytes)?;
        Ok(Self { at, seq, body: Body::from_bytes(kind, body)?, prev, actor, ledger })
    }
}

/// What most bodies take, and what stands around one, in bytes.
const BODY_BYTES_GUESS: usize = 512;
const FRAME_BYTES_GUESS: usize = 224;

/// An event whose body was not read yet.
struct Parts<'a> {
    at: u64,
    seq: u64,
    prev: EventId,
    actor: KeyId,
    ledger: LedgerId,
    kind: &'a str,
    body: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, EventError> {
        if bytes.len() > EVENT_BYTES_MAX {
            return Err(EventError::TooLong { actual: bytes.len() });
        }
        let mut fields = Fields::of(bytes, EVENT_DEPTH_MAX)?;
        let format = fields.unsigned("format")?;
        if format != FORMAT {
            return Err(EventError::Format { actual: format });
        }
        let parts = Self {
            at: at_most(AT_MS_MAX, "at", fields.unsigned("at")?)?,
            seq: at_most(SEQ_MAX, "seq", fields.unsigned("seq")?)?,
            prev: EventId::from_bytes(fields.bytes32("prev")?),
            actor: KeyId::from_bytes(fields.bytes32("actor")?),
            ledger: LedgerId::from_bytes(fields.bytes32("ledger")?),
            kind: fields.text("kind")?,
            body: fields.bytes_of("body")?,
        };
        fields.finish(&FIELDS)?;
        Ok(parts)
    }
}

const fn at_most(max: u64, field: &'static str, actual: u64) -> Result<u64, EventError> {
    if actual > max { Err(EventError::Range { field, max, actual }) } else { Ok(actual) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::samples;
    use crate::cbor::{Map, Value};

    fn event(body: Body) -> Event {
        Event {
            at: 1_700_000_000_000,
            seq: 5,
            body,
            prev: EventId::of(b"before"),
            actor: KeyId::of(&[3; 32]),
            ledger: LedgerId::of(&[1; 32], &[2; 16]),
        }
    }

    #[test]
    fn events_of_every_kind_go_both_ways() {
        for body in samples::every_kind() {
            let event = event(body);
            let bytes = event.encode().unwrap();
            assert_eq!(Event::decode(&bytes).as_ref(), Ok(&event));
            let mut body = Vec::new();
            event.body.encode_into(&mut body).unwrap();
            assert_eq!(event.encode_around(&body), bytes);
            assert_eq!(event.is_encoded_as(&bytes, &body), Ok(true));
            for at in 0..bytes.len() {
                let mut bent = bytes.clone();
                bent[at] ^= 1;
                assert_ne!(event.is_encoded_as(&bent, &body), Ok(true), "byte {at}");
            }
        }
    }

    #[test]
    fn no_changed_byte_decodes_to_the_same_event() {
        let event = event(samples::every_kind().remove(0));
        let bytes = event.encode().unwrap();
        for at in 0..bytes.len() {
            for flip in 1..=255_u8 {
                let mut bent = bytes.clone();
                bent[at] ^= flip;
                assert_ne!(Event::decode(&bent).as_ref(), Ok(&event), "byte {at}");
            }
        }
    }

    #[test]
    fn other_formats_unknown_kinds_and_open_maps_are_refused() {
        let bytes = event(samples::every_kind().remove(0)).encode().unwrap();
        let Value::Map(map) = cbor::decode(&bytes, EVENT_DEPTH_MAX).unwrap() else { panic!("map") };
        let with = |key: &str, value: Value| {
            let mut map: Map = map.clone();
            map.insert(key, value);
            Event::decode(&Value::Map(map).encode())
        };
        for other in [0_u64, 2] {
            assert_eq!(with("format", other.into()), Err(EventError::Format { actual: other }));
        }
        assert!(matches!(with("kind", "no.such".into()), Err(EventError::Body(_))));
        assert!(matches!(with("extra", 1_u64.into()), Err(EventError::Field(_))));
        assert!(matches!(with("seq", (1_u64 << 53).into()), Err(EventError::Range { .. })));
        assert!(matches!(with("at", (AT_MS_MAX + 1).into()), Err(EventError::Range { .. })));
        assert!(matches!(with("prev", Value::Bytes(vec![0; 31])), Err(EventError::Field(_))));
        let long = with("extra", Value::Bytes(vec![0; EVENT_BYTES_MAX]));
        assert!(matches!(long, Err(EventError::TooLong { .. })));
    }
}
