//! Readers of single files outside of the ledger's folder: remembered heads, the manifest, the audit file.

use std::fs;
use std::path::Path;

use glyph_ledger::ledger::Pins as _;
use glyph_ledger::target::glyph_store::{AuditError, Manifest, read_prefix};
use glyph_ledger::trust::FilePins;
use ledger_format::hash::ContentHash;

use crate::{scratch, seeds};

pub(crate) fn pins(input: &[u8]) {
    let root = scratch::folder("pins");
    let pins = FilePins::new(root.join("pins"), root.join("places"));
    let ledger = seeds::ledger_id();
    let file = scratch::folder("pins/pins").join(ledger.to_string());
    scratch::write(&file, input);
    if let Ok(pin) = pins.get(&ledger) {
        let pin = pin.expect("the file is there");
        assert_eq!(pin.head.head().ledger, ledger);
        let written =
            format!("{}\n{}", pin.provenance.word(), String::from_utf8(pin.head.encode()).unwrap());
        assert_eq!(written.as_bytes(), input, "accepted, and written otherwise");
    }
    let place = Path::new("/a/place");
    let file = scratch::folder("pins/places").join(ContentHash::of(b"/a/place").to_string());
    scratch::write(&file, input);
    if let Ok(found) = pins.ledger_at(place) {
        let found = found.expect("the file is there");
        assert!(input.starts_with(found.to_string().as_bytes()), "an id that is not in the file");
    }
}

pub(crate) fn manifest(input: &[u8]) {
    let Ok(manifest) = Manifest::parse(input) else { return };
    assert_eq!(manifest.bytes(), input);
    let _least = manifest.min_reader();
    let Ok(version) = manifest.version() else { return };
    let next = version.wrapping_add(1);
    let Ok(changed) = manifest.at_version(next) else { return };
    assert_eq!((changed.version(), changed.min_reader()), (Ok(next), Ok(next)));
    // Every line that is not one of the two stands there as before.
    let kept = |text: &[u8]| -> Vec<String> {
        let text = std::str::from_utf8(text).unwrap();
        let versions = ["version:", "min_reader:"];
        let lines = text
            .lines()
            .filter(|line| !versions.iter().any(|word| line.trim_start().starts_with(word)));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(kept(changed.bytes()), kept(input));
    let back = changed.at_version(next).expect("what was changed in place can be changed again");
    assert_eq!(back.bytes(), changed.bytes());
}

/// The first byte says how much of the rest was known before.
pub(crate) fn audit(input: &[u8]) {
    let Some((share, text)) = input.split_first() else { return };
    let known = text.len() * usize::from(*share) / 255;
    let path = scratch::folder("audit").join("events.jsonl");
    scratch::write(&path, &text[..known]);
    let before = read_prefix(&path, None).expect("a file that is there is read");
    assert_eq!((before.bytes, before.content), (known as u64, ContentHash::of(&text[..known])));
    scratch::write(&path, text);
    let whole = read_prefix(&path, None).unwrap();
    let grown =
        read_prefix(&path, Some((before.bytes, before.content))).expect("it begins as it did");
    assert_eq!(
        (grown.content, grown.bytes, grown.ended),
        (whole.content, whole.bytes, whole.ended)
    );
    assert_eq!((grown.tail.as_slice(), whole.tail.as_slice()), (&text[known..], text));
    assert_eq!(grown.ended, text.last().is_none_or(|last| *last == b'\n'));
    if known > 0 {
        let mut changed = text.to_vec();
        changed[0] ^= 1;
        scratch::write(&path, &changed);
        let refused = read_prefix(&path, Some((before.bytes, before.content)));
        assert!(matches!(refused, Err(AuditError::Changed { .. })));
        fs::write(&path, &text[..known - 1]).unwrap();
        let refused = read_prefix(&path, Some((before.bytes, before.content)));
        assert!(matches!(refused, Err(AuditError::Shorter { .. })));
    }
}
