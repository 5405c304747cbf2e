//! Readers of files in a ledger's folder: its identity, its anchor, the engine's raw file, the packs of objects.

use std::fs;

use glyph_ledger::log::ReadLog as _;
use glyph_ledger::log::sled::{OpenOptions, SalvagedLog, read_anchor, read_identity};
use glyph_ledger::objects::{Objects as _, PackObjects};
use glyph_ledger::verify::{Expectations, Options, Unobserved, verify};
use ledger_format::hash::ContentHash;
use sha2::{Digest as _, Sha256};

use crate::{scratch, seeds};

/// Length of one slot of `HEAD` without its checksum.
const SLOT_BODY_BYTES: usize = 4_096 - 32;

pub(crate) fn identity(input: &[u8]) {
    let dir = scratch::folder("identity");
    scratch::write(&dir.join("LEDGER"), input);
    let Ok(identity) = read_identity(&dir) else { return };
    let text = std::str::from_utf8(input).expect("an identity is text");
    assert!(text.contains(&identity.ledger().to_string()), "an id that is not in the file");
    assert_eq!(text.lines().count(), 4);
}

/// The input is both slots, each half of it. The lowest bit of the last byte says whether the checksums are made right, as
/// no mutation ever would.
pub(crate) fn anchor(input: &[u8]) {
    let dir = scratch::folder("anchor");
    scratch::write(&dir.join("LEDGER"), &seeds::identity());
    let (first, second) = input.split_at(input.len() / 2);
    let right = input.last().is_none_or(|last| last & 1 == 0);
    let mut file = Vec::new();
    for half in [first, second] {
        let start = file.len();
        file.extend_from_slice(half.get(..SLOT_BODY_BYTES).unwrap_or(half));
        file.resize(start + SLOT_BODY_BYTES, 0);
        let checksum = Sha256::digest(&file[start..]);
        file.extend_from_slice(if right { &checksum } else { &[0; 32] });
    }
    scratch::write(&dir.join("HEAD"), &file);
    let Ok(reading) = read_anchor(&dir) else { return };
    assert!(right, "a slot without a right checksum is read");
    let note = reading.anchor.head.encode();
    assert!(file.windows(note.len()).any(|bytes| bytes == note), "a head that is not in the file");
    assert_eq!(reading.anchor.head.head().ledger, seeds::ledger_id());
}

pub(crate) fn salvage(input: &[u8]) {
    let dir = scratch::folder("salvage");
    scratch::write(&dir.join("LEDGER"), &seeds::identity());
    scratch::write(&dir.join("lock"), b"");
    scratch::write(&scratch::folder("salvage/sled").join("db"), input);
    let log = SalvagedLog::read_raw(&dir, &OpenOptions::default())
        .expect("whatever the bytes, they are read");
    let salvaged = log.salvage();
    let tip = log.tip().expect("a salvaged log knows its end");
    assert_eq!(tip.map(|tip| tip.size()), salvaged.head.map(|head| head.size));
    assert!(salvaged.head.is_none_or(|head| head.size <= salvaged.size));
    let mut next = 0;
    for batch in log.read(0..u64::MAX) {
        let batch = batch.expect("what was found is still there");
        assert_eq!(batch.first_seq, next);
        next += batch.events.len() as u64;
    }
    assert_eq!(next, salvaged.head.map_or(0, |head| head.size));
    let expectations = Expectations { ledger: Some(seeds::ledger_id()), ..Expectations::default() };
    let report =
        verify(&log, &expectations, Options::default(), &mut Unobserved).expect("a verdict");
    assert!(report.size <= next);
}

/// The first byte is how much of the rest is the first pack, and whether there is an index: then the last third of the
/// input, with a checksum that fits.
pub(crate) fn pack(input: &[u8]) {
    let Some((how, rest)) = input.split_first() else { return };
    let dir = scratch::empty_folder("pack");
    scratch::write(&dir.join("lock"), b"");
    let (packs, index) =
        if how & 1 == 1 { rest.split_at(rest.len() - rest.len() / 3) } else { (rest, &[][..]) };
    let (first, second) =
        if how & 2 == 2 { packs.split_at(packs.len() / 2) } else { (packs, &[][..]) };
    scratch::write(&dir.join("00000000.pack"), first);
    if !second.is_empty() {
        scratch::write(&dir.join("00000001.pack"), second);
    }
    if !index.is_empty() {
        let checksum = Sha256::digest(index);
        scratch::write(&dir.join("index"), &[index, checksum.as_slice()].concat());
    }
    let before =
        whole_objects(&PackObjects::open_read_only(&dir).expect("a folder of packs is opened"));

    let mut written = PackObjects::open(&dir).expect("a folder of packs is opened for writing");
    let added = written.put(b"one more").expect("an object is taken");
    written.sync().expect("a scratch folder is synced");
    drop(written);
    let after = PackObjects::open_read_only(&dir).expect("what a writer left is opened");
    assert_eq!(after.get(&added).as_deref().ok(), Some(b"one more".as_slice()));
    for name in before {
        assert!(after.get(&name).is_ok(), "a writer lost {name}");
    }
    fs::remove_file(dir.join("index")).expect("a writer leaves an index");
    let looked = PackObjects::open_read_only(&dir).expect("packs are opened without their index");
    assert_eq!(looked.get(&added).as_deref().ok(), Some(b"one more".as_slice()));
}

/// Objects that are there with all their bytes.
fn whole_objects(objects: &PackObjects) -> Vec<ContentHash> {
    let names = objects.names();
    assert_eq!(names.len(), objects.len());
    let whole = |name: &ContentHash| match objects.get(name) {
        Ok(bytes) => {
            assert_eq!(ContentHash::of(&bytes), *name);
            true
        }
        Err(_) => false,
    };
    names.into_iter().map(|(name, _)| name).filter(whole).collect()
}
