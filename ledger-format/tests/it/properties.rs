//! Properties that hold for every value, frame and history.

use ledger_format::body::{Body, StateRecorded};
use ledger_format::cbor::{self, VALUE_DEPTH_MAX, Value};
use ledger_format::chain::Chain;
use ledger_format::event::Event;
use ledger_format::frame::{Frame, HeadRecord, Salvaged, salvage};
use ledger_format::hash::{CommitHash, EventId, KeyId, LedgerId};
use ledger_format::json;
use ledger_format::line::Line;
use quickcheck::{TestResult, quickcheck};

use crate::values::AnyValue;

quickcheck! {
    fn every_value_reads_back(value: AnyValue) -> bool {
        cbor::decode(&value.0.encode(), VALUE_DEPTH_MAX) == Ok(value.0)
    }

    /// No two encodings of one value: whatever a changed byte still decodes to is another value,
    /// and the changed bytes are its one encoding.
    fn a_changed_byte_is_refused_or_is_another_value(value: AnyValue, flip: u8) -> TestResult {
        if flip == 0 {
            return TestResult::discard();
        }
        let bytes = value.0.encode();
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= flip;
            if let Ok(other) = cbor::decode(&bent, VALUE_DEPTH_MAX) {
                assert_ne!(other, value.0, "byte {at}");
                assert_eq!(other.encode(), bent, "byte {at}");
            }
        }
        TestResult::passed()
    }

    /// Whatever bytes decode at all are the encoding of what they decode to.
    fn any_bytes_that_decode_are_canonical(bytes: Vec<u8>) -> bool {
        cbor::decode(&bytes, VALUE_DEPTH_MAX).map_or(true, |value| value.encode() == bytes)
    }

    /// The same for events: put another value anywhere into a body, and it is refused or changes
    /// the event.
    fn no_other_body_reads_as_the_same_event(value: AnyValue) -> bool {
        let event = &history(1)[0];
        let bytes = event.encode().unwrap();
        let Value::Map(fields) = cbor::decode(&bytes, VALUE_DEPTH_MAX).unwrap() else {
            panic!("an event is a map")
        };
        let Some(Value::Map(body)) = fields.get("body") else { panic!("a body is a map") };
        for (key, _) in body.iter() {
            let mut body = body.clone();
            body.insert(key, value.0.clone());
            let mut fields = fields.clone();
            fields.insert("body", body);
            let bent = Value::Map(fields).encode();
            if let Ok(event) = Event::decode(&bent) {
                assert_eq!(event.encode().unwrap(), bent);
            }
        }
        true
    }

    fn frames_and_heads_are_found_at_any_offset(
        before: Vec<u8>,
        between: Vec<u8>,
        events: Vec<Vec<u8>>,
        size: u32
    ) -> TestResult {
        if events.is_empty() {
            return TestResult::discard();
        }
        let frame = Frame::pack(ledger(), size.into(), &events).remove(0);
        let head = HeadRecord { ledger: ledger(), size: size.into(), note: between.clone() };
        let raw = [&*before, &frame.encode(), &between, &head.encode(), &before].concat();
        let found: Vec<_> = salvage(&raw).collect();
        let head_at = before.len() + frame.encode().len() + between.len();
        TestResult::from_bool(
            found.contains(&(before.len(), Salvaged::Frame(frame)))
                && found.contains(&(head_at, Salvaged::Head(head))),
        )
    }

    /// Every reader answers to every input: bytes of the right form with some of them replaced.
    fn bent_input_is_refused_or_read_but_never_panics(at: usize, len: u8, by: Vec<u8>) -> bool {
        let event = history(1)[0].encode().unwrap();
        let line = Line::of(&event, None).unwrap().into_bytes();
        let frame = Frame { ledger: ledger(), first_seq: 0, events: vec![event.clone()] }.encode();
        let [event, line, frame] = [event, line, frame].map(|mut bytes| {
            let start = at % (bytes.len() + 1);
            let end = bytes.len().min(start + usize::from(len));
            bytes.splice(start..end, by.iter().copied());
            bytes
        });
        if let Ok(read) = Event::decode(&event) {
            assert_eq!(read.encode().unwrap(), event);
        }
        if let Ok(line) = String::from_utf8(line)
            && let Ok(read) = Line::parse(&line)
        {
            assert_eq!(Line::of(&read.bytes, read.head.as_ref()).unwrap(), line);
        }
        if let Ok(read) = Frame::decode(&frame) {
            assert_eq!(read.encode(), frame);
        }
        salvage(&frame).count() <= frame.len()
    }

    /// A history accepts its own events in their order and nothing else.
    fn a_dropped_doubled_or_swapped_event_breaks_the_chain(len: u8, at: u8) -> TestResult {
        let (len, at) = (u64::from(len % 20) + 2, usize::from(at));
        let events = history(len);
        let at = at % (events.len() - 1);
        let mut dropped = events.clone();
        dropped.remove(at);
        let mut doubled = events.clone();
        doubled.insert(at, events[at].clone());
        let mut swapped = events.clone();
        swapped.swap(at, at + 1);
        TestResult::from_bool(
            accepts(&events) && !accepts(&dropped) && !accepts(&doubled) && !accepts(&swapped),
        )
    }

    /// Changing an event breaks the next link; changing every link after it changes the root.
    fn a_changed_event_shows_in_the_next_link_or_in_the_root(len: u8, at: u8) -> bool {
        let events = history(u64::from(len % 20) + 2);
        let at = usize::from(at) % (events.len() - 1);
        let mut changed = events.clone();
        changed[at].body = recorded(99);
        let rechained = chained(changed.clone());
        !accepts(&changed) && accepts(&rechained) && head(&rechained) != head(&events)
    }
}

/// The deepest value that is allowed fits a default thread's stack in everything done with values.
#[test]
fn the_deepest_value_is_read_written_shown_and_dropped() {
    for opening in [vec![0x81], vec![0xa1, 0x61, b'k']] {
        let nested = |depth: usize| [opening.repeat(depth), vec![0x00]].concat();
        let bytes = nested(VALUE_DEPTH_MAX);
        let value = cbor::decode(&bytes, VALUE_DEPTH_MAX).unwrap();
        assert_eq!(value.encode(), bytes);
        assert_eq!(json::to_json(&value).to_string(), json::to_text(&value));
        let deeper = cbor::decode(&nested(VALUE_DEPTH_MAX + 1), VALUE_DEPTH_MAX).unwrap_err();
        assert_eq!(deeper.reason, cbor::Reason::Depth);
    }
}

fn ledger() -> LedgerId {
    LedgerId::of(&[1; 32], &[2; 16])
}

fn recorded(size: u64) -> Body {
    StateRecorded { size, digest: CommitHash::of("x", &Value::Null) }.into()
}

fn history(len: u64) -> Vec<Event> {
    let event = |seq| Event {
        at: 1_000 + seq / 2,
        seq,
        body: recorded(seq),
        prev: EventId::GENESIS,
        actor: KeyId::of(&[3; 32]),
        ledger: ledger(),
    };
    chained((0..len).map(event).collect())
}

/// The events with every link set to the event before.
fn chained(mut events: Vec<Event>) -> Vec<Event> {
    let mut prev = EventId::GENESIS;
    for event in &mut events {
        event.prev = prev;
        prev = EventId::of(&event.encode().unwrap());
    }
    events
}

fn folded(events: &[Event]) -> Option<Chain> {
    let mut chain = Chain::new(ledger());
    for event in events {
        chain.push(event, EventId::of(&event.encode().unwrap())).ok()?;
    }
    Some(chain)
}

/// Whether the events are the beginning of a history of as many events as expected by their last.
fn accepts(events: &[Event]) -> bool {
    folded(events).is_some_and(|chain| chain.size() == events.last().unwrap().seq + 1)
}

fn head(events: &[Event]) -> ledger_format::head::TreeHead {
    folded(events).unwrap().head()
}
