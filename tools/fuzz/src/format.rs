//! Readers of `ledger-format`, and the export that consists of its lines.

use ed25519_dalek::SigningKey;
use glyph_ledger::export::{ExportReport, Selection, verify_export};
use glyph_ledger::verify::{Expectations, Outcome, Unobserved};
use ledger_format::cbor::{self, EVENT_DEPTH_MAX, Fields, Map, VALUE_DEPTH_MAX, Value};
use ledger_format::event::Event;
use ledger_format::frame::{Frame, HeadRecord, Salvaged, salvage};
use ledger_format::hash::{EventId, hex};
use ledger_format::head::{SignedHead, TreeHead};
use ledger_format::json;
use ledger_format::line::Line;
use ledger_format::note::Note;
use ledger_format::proved::ProvedLine;
use serde_json::Value as Json;

/// Deepest JSON that serde's reader of text goes.
const JSON_TEXT_DEPTH_MAX: usize = 126;

pub(crate) fn cbor(input: &[u8]) {
    let read = cbor::decode(input, VALUE_DEPTH_MAX);
    let fields = Fields::of(input, VALUE_DEPTH_MAX);
    let Ok(value) = read else {
        assert!(fields.is_err(), "the reader of fields takes what the decoder refuses");
        return;
    };
    assert_eq!(fields.is_ok(), matches!(value, Value::Map(_)));
    assert_eq!(value.encode(), input, "accepted, and written otherwise");
    let depth = depth(&value);
    assert_eq!(cbor::decode(input, EVENT_DEPTH_MAX).is_ok(), depth <= EVENT_DEPTH_MAX);
    let form = json::to_json(&value);
    assert!(agrees(&value, &form), "{value:?} is not {form}");
    let text = json::to_text(&value);
    assert_eq!(form.to_string(), text);
    if depth <= JSON_TEXT_DEPTH_MAX {
        let read: Json = serde_json::from_str(&text).expect("JSON that is written is read");
        assert!(agrees(&value, &read), "{value:?} is not {text}");
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Map(map) => 1 + map.iter().map(|(_, value)| depth(value)).max().unwrap_or_default(),
        _ => 0,
    }
}

/// SPEC §4, written a second time.
fn agrees(value: &Value, form: &Json) -> bool {
    match (value, form) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(ours), Json::Bool(theirs)) => ours == theirs,
        (Value::Integer(ours), Json::Number(theirs)) => {
            ours.get().abs() <= json::NUMBER_MAX
                && theirs.as_i64().map(i128::from) == Some(ours.get())
        }
        (Value::Integer(ours), Json::String(theirs)) => {
            ours.get().abs() > json::NUMBER_MAX && *theirs == ours.get().to_string()
        }
        (Value::Float(ours), Json::Number(theirs)) => {
            // serde's reader of text may miss by a few units in the last place.
            let bits = |number: f64| number.to_bits();
            theirs.as_f64().is_some_and(|theirs| bits(theirs).abs_diff(bits(ours.get())) <= 4)
        }
        (Value::Float(ours), Json::String(theirs)) => match theirs.as_str() {
            "NaN" => ours.get().is_nan(),
            "Infinity" => ours.get().to_bits() == f64::INFINITY.to_bits(),
            "-Infinity" => ours.get().to_bits() == f64::NEG_INFINITY.to_bits(),
            _ => false,
        },
        (Value::Bytes(ours), Json::String(theirs)) => *theirs == hex(ours),
        (Value::Text(ours), Json::String(theirs)) => ours == theirs,
        (Value::Array(ours), Json::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| agrees(ours, theirs))
        }
        (Value::Map(ours), Json::Object(theirs)) => map_agrees(ours, theirs),
        _ => false,
    }
}

fn map_agrees(ours: &Map, theirs: &serde_json::Map<String, Json>) -> bool {
    let pairs = ours.iter().zip(theirs);
    ours.len() == theirs.len()
        && pairs.into_iter().all(|((key, value), (name, form))| key == name && agrees(value, form))
}

pub(crate) fn event(input: &[u8]) {
    let Ok(event) = Event::decode(input) else { return };
    assert_eq!(event.encode().as_deref(), Ok(input), "accepted, and written otherwise");
    assert_eq!(
        cbor::decode(input, EVENT_DEPTH_MAX).map(|value| value.encode()).as_deref(),
        Ok(input)
    );
    assert_eq!(
        event.body.run().is_some(),
        event.body.kind().starts_with("object.staged")
            || event.body.kind().starts_with("object.migrated")
            || (event.body.kind().starts_with("run.") && event.body.kind() != "run.started")
    );
    let _names = event.body.contents();
    let text = Line::of(input, None).expect("an event has a line");
    let line = Line::parse(&text).expect("the line of an event is read");
    assert_eq!((line.event, line.id, line.bytes.as_slice()), (event, EventId::of(input), input));
}

pub(crate) fn head(input: &[u8]) {
    let key = SigningKey::from_bytes(&[7; 32]).verifying_key();
    let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
    if let Ok(note) = Note::parse(input) {
        assert_eq!(note.encode(), input, "accepted, and written otherwise");
        for line in note.signatures() {
            let ours = note.verify(&line.name, &key).is_ok();
            assert!(
                !ours || note.verify(&line.name, &other).is_err(),
                "two keys accept one signature"
            );
        }
    }
    if let Ok(signed) = SignedHead::parse(input) {
        assert_eq!(signed.encode(), input, "accepted, and written otherwise");
        assert!(signed.verify(&other).is_err(), "another key is accepted");
        let _verdict = signed.verify(&key);
        assert_eq!(TreeHead::parse(&signed.head().text()).as_ref(), Ok(signed.head()));
    }
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(head) = TreeHead::parse(text)
    {
        assert_eq!(head.text(), text, "accepted, and written otherwise");
    }
}

pub(crate) fn line(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(line) = Line::parse(text) {
        assert_eq!(Line::of(&line.bytes, line.head.as_ref()).as_deref(), Ok(text));
        assert_eq!(Event::decode(&line.bytes).as_ref(), Ok(&line.event));
    }
}

pub(crate) fn frame(input: &[u8]) {
    if let Ok(frame) = Frame::decode(input) {
        assert_eq!(frame.encode(), input, "accepted, and written otherwise");
    }
    if let Ok(record) = HeadRecord::decode(input) {
        assert_eq!(record.encode(), input, "accepted, and written otherwise");
    }
    for (offset, found) in salvage(input) {
        let written = match found {
            Salvaged::Frame(frame) => frame.encode(),
            Salvaged::Head(record) => record.encode(),
        };
        assert!(input[offset..].starts_with(&written), "not what stands at {offset}");
    }
}

/// A filtered export that is found sound is, line by line, what its events imply.
fn proved(selection: &Selection, input: &[u8]) {
    if !selection.faults.is_empty() || !selection.heard_all {
        return;
    }
    let text = std::str::from_utf8(input).expect("a sound export is text");
    assert_eq!(text.lines().count() as u64, selection.events);
    for text in text.lines() {
        let line = ProvedLine::parse(text).expect("a sound export consists of lines");
        let again = ProvedLine::of(&line.bytes, &line.head, line.signer, line.nodes);
        assert_eq!(again.as_deref(), Ok(text));
    }
}

/// The lowest bit of the last byte but one says whether to go on behind the first fault.
pub(crate) fn export(input: &[u8]) {
    let keep_going = input.iter().nth_back(1).is_some_and(|byte| byte & 1 == 1);
    let report = verify_export(input, &Expectations::default(), keep_going, &mut Unobserved)
        .expect("memory is always read");
    let (sound, events) = match &report {
        ExportReport::Whole(report) => (report.outcome != Outcome::Failed, report.size),
        ExportReport::Fragment(fragment) => (fragment.fault.is_none(), fragment.events),
        ExportReport::Selection(selection) => return proved(selection, input),
    };
    if let ExportReport::Whole(report) = &report {
        assert_eq!(sound, report.faults.is_empty());
        assert!(
            !matches!(report.outcome, Outcome::Complete { .. }),
            "complete, and nobody knew its end"
        );
    }
    if sound {
        let text = std::str::from_utf8(input).expect("a sound export is text");
        assert_eq!(text.lines().count() as u64, events);
        for text in text.lines() {
            let line = Line::parse(text).expect("a sound export consists of lines");
            assert_eq!(Line::of(&line.bytes, line.head.as_ref()).as_deref(), Ok(text));
        }
    }
}
