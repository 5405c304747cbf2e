//! Readers of documents that are migrated, one a format.

use glyph_ledger::document::{Document, Format, Value, json as json_text};

pub(crate) fn json(input: &[u8]) {
    rewritten(Format::Json, input);
}

pub(crate) fn jsonl(input: &[u8]) {
    let Some(document) = rewritten(Format::Jsonl, input) else { return };
    let values = document.value.as_list().expect("lines are a list");
    let lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
    assert_eq!(values.len(), lines.len());
    for (value, line) in values.iter().zip(lines) {
        assert_eq!(&json_text::read(line).expect("a line is JSON").value, value);
    }
}

pub(crate) fn yaml(input: &[u8]) {
    rewritten(Format::Yaml, input);
}

pub(crate) fn cbor(input: &[u8]) {
    let Some(document) = rewritten(Format::Cbor, input) else { return };
    assert_eq!(document.write().unwrap(), input, "accepted, and written otherwise");
}

/// Reads `input`; what is accepted is written to bytes that say the same, and written again the same.
fn rewritten(format: Format, input: &[u8]) -> Option<Document> {
    let document = Document::read(format, input).ok()?;
    let written = document.write().expect("what was read can be written");
    let lost = document.lost_form(input);
    assert_eq!(lost.is_empty(), written == input, "{lost:?}");
    let back = Document::read(format, &written).expect("what was written can be read");
    assert_eq!(back.value, document.value, "written as another value");
    assert_eq!(document.with(back.value.clone()).write().as_ref(), Ok(&written));
    let kept = serde_json::to_vec(&document.value).expect("a value has a JSON form");
    match serde_json::from_slice::<Value>(&kept) {
        Ok(kept) => assert_eq!(kept, document.value),
        // serde_json reads at most 128 levels, and says so.
        Err(error) => assert!(error.to_string().starts_with("recursion limit"), "{error}"),
    }
    Some(document)
}
