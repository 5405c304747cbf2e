//! The frozen vectors and the code agree: what the code makes is what the files hold, byte for byte,
//! and what the files hold reads back to what they say. Nothing here writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ed25519_dalek::VerifyingKey;
use ledger_format::body::Body;
use ledger_format::cbor::{self, EVENT_DEPTH_MAX};
use ledger_format::chain::Chain;
use ledger_format::event::Event;
use ledger_format::frame::{Frame, HeadRecord, Salvaged, salvage};
use ledger_format::hash::{CommitHash, ContentHash, EventId, KeyId, LedgerId, NodeHash, unhex};
use ledger_format::head::SignedHead;
use ledger_format::json;
use ledger_format::line::Line;
use ledger_format::tree::{verify_consistency, verify_inclusion};
use serde_json::Value as Json;

use crate::make;

type Files = BTreeMap<String, String>;

#[test]
fn the_code_makes_the_frozen_vectors() {
    let differing = differing(&made(), &frozen());
    assert!(
        differing.is_empty(),
        "{differing:?} differ. Only if the format was meant to change, run \
         cargo run -p ledger-format --example vectors -- ledger-format/vectors"
    );
}

/// The comparison above can fail: one changed digit, one missing file, one file too many.
#[test]
fn a_changed_vector_is_caught() {
    let made = made();
    for name in made.keys() {
        let mut changed = frozen();
        let text = changed.get_mut(name).unwrap();
        let digit = text.rfind(|c: char| c.is_ascii_digit()).unwrap();
        let other = if text.as_bytes()[digit] == b'1' { "2" } else { "1" };
        text.replace_range(digit..=digit, other);
        assert_eq!(differing(&made, &changed), [name.as_str()]);
        changed.remove(name);
        assert_eq!(differing(&made, &changed), [name.as_str()]);
    }
    let mut more = frozen();
    more.insert("more.json".into(), String::new());
    assert_eq!(differing(&made, &more), ["more.json"]);
}

fn differing(made: &Files, frozen: &Files) -> Vec<String> {
    let names: BTreeSet<&String> = made.keys().chain(frozen.keys()).collect();
    names.into_iter().filter(|name| made.get(*name) != frozen.get(*name)).cloned().collect()
}

fn made() -> Files {
    let files = make::files().unwrap();
    files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}

fn frozen() -> Files {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read_to_string(entry.path()).unwrap())
    });
    files.collect()
}

#[test]
fn cbor_vectors_read_as_they_say() {
    let vectors = read("cbor.json");
    for vector in items(&vectors["accept"]) {
        let value = cbor::decode(&bytes(&vector["cbor"]), EVENT_DEPTH_MAX).unwrap();
        assert_eq!(json::to_text(&value), text(&vector["json"]));
    }
    for vector in items(&vectors["reject"]) {
        let error = cbor::decode(&bytes(&vector["cbor"]), EVENT_DEPTH_MAX).unwrap_err();
        let found = (error.offset as u64, format!("{:?}", error.reason));
        assert_eq!(found, (number(&vector["offset"]), text(&vector["reason"]).to_owned()));
    }
}

#[test]
fn hash_vectors_read_as_they_say() {
    let vectors = read("hashes.json");
    for vector in items(&vectors["commit_hash"]) {
        let value = cbor::decode(&bytes(&vector["value"]), EVENT_DEPTH_MAX).unwrap();
        let hash = text(&vector["hash"]);
        assert_eq!(CommitHash::of(text(&vector["tag"]), &value).to_string(), hash);
        assert_eq!(ContentHash::of(&bytes(&vector["preimage"])).to_string(), hash);
    }
    for vector in items(&vectors["content_hash"]) {
        assert_eq!(ContentHash::of(&bytes(&vector["bytes"])).to_string(), text(&vector["hash"]));
    }
    let (ledger, key) = (&vectors["ledger_id"], &vectors["key_id"]);
    let public_key = array(&ledger["public_key"]);
    let id = LedgerId::of(&public_key, &bytes(&ledger["nonce"]).try_into().unwrap());
    assert_eq!(id.to_string(), text(&ledger["id"]));
    assert_eq!(KeyId::of(&array(&key["public_key"])).to_string(), text(&key["id"]));
    let id = EventId::of(&bytes(&vectors["event_id"]["bytes"]));
    assert_eq!(id.to_string(), text(&vectors["event_id"]["id"]));
    let node = &vectors["node"];
    let inner = NodeHash::inner(&hash(&node["left"]), &hash(&node["right"]));
    assert_eq!(inner, hash(&node["node"]));
    assert_eq!(NodeHash::empty_root(), hash(&vectors["empty_root"]));
}

#[test]
fn event_vectors_cover_every_kind_and_read_as_they_say() {
    let vectors = read("events.json");
    let mut kinds = BTreeSet::new();
    for vector in items(&vectors["events"]) {
        let bytes = bytes(&vector["bytes"]);
        let event = Event::decode(&bytes).unwrap();
        assert_eq!(event.encode().unwrap(), bytes);
        assert_eq!(EventId::of(&bytes).to_string(), text(&vector["id"]));
        assert_eq!(json::to_json(&event.body.to_value().unwrap()), vector["body"]);
        assert_eq!(event.body.kind(), text(&vector["kind"]));
        kinds.insert(event.body.kind());
    }
    assert_eq!(kinds, Body::KINDS.iter().copied().collect());
}

#[test]
fn head_vectors_read_as_they_say() {
    let vectors = read("heads.json");
    let key = VerifyingKey::from_bytes(&array(&vectors["public_key"])).unwrap();
    for vector in items(&vectors["heads"]) {
        let head = SignedHead::parse(text(&vector["note"]).as_bytes()).unwrap();
        head.verify(&key).unwrap();
        assert_eq!(head.head().text(), text(&vector["text"]));
        assert_eq!(head.head().size, number(&vector["size"]));
        assert_eq!(head.head().root, hash(&vector["root"]));
        assert_eq!(head.head().ledger.to_string(), text(&vectors["ledger"]));
        assert_eq!(head.signer().to_string(), text(&vectors["actor"]));
    }
}

#[test]
fn proof_vectors_verify() {
    let vectors = read("proofs.json");
    let leaves = hashes(&vectors["leaves"]);
    let roots = hashes(&vectors["roots"]);
    let at = |list: &[NodeHash], index: u64| list[usize::try_from(index).unwrap()];
    for vector in items(&vectors["inclusion"]) {
        let (index, size) = (number(&vector["index"]), number(&vector["size"]));
        let (leaf, root) = (at(&leaves, index), at(&roots, size));
        assert!(verify_inclusion(leaf, index, size, &hashes(&vector["proof"]), &root));
    }
    for vector in items(&vectors["consistency"]) {
        let (old, new) = (number(&vector["old"]), number(&vector["new"]));
        let (old_root, new_root) = (at(&roots, old), at(&roots, new));
        assert!(verify_consistency(old, &old_root, new, &new_root, &hashes(&vector["proof"])));
    }
}

#[test]
fn frame_vectors_read_as_they_say() {
    let vectors = read("frames.json");
    let mut seq = 0;
    for vector in items(&vectors["frames"]) {
        let frame = Frame::decode(&bytes(vector)).unwrap();
        assert_eq!(frame.first_seq, seq);
        seq += frame.events.len() as u64;
    }
    assert_eq!(seq, 12);
    let head = HeadRecord::decode(&bytes(&vectors["head"])).unwrap();
    assert_eq!(SignedHead::parse(&head.note).unwrap().head().size, head.size);
    let raw = bytes(&vectors["raw"]);
    let found = salvage(&raw).map(|(offset, found)| match found {
        Salvaged::Frame(frame) => (offset as u64, frame.encode()),
        Salvaged::Head(head) => (offset as u64, head.encode()),
    });
    let expected = items(&vectors["found"]);
    let expected = expected.iter().map(|found| (number(&found["offset"]), bytes(&found["bytes"])));
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

/// The procedure of SPEC §12, over the export.
#[test]
fn the_exported_ledger_verifies_line_by_line() {
    let vectors = read("ledger.json");
    let key = VerifyingKey::from_bytes(&array(&vectors["public_key"])).unwrap();
    let mut chain = Chain::new(text(&vectors["ledger"]).parse().unwrap());
    let mut heads = Vec::new();
    let export = frozen().remove("ledger.jsonl").unwrap();
    for (line, vector) in export.lines().zip(items(&vectors["events"])) {
        let line = Line::parse(line).unwrap();
        assert_eq!(line.bytes, bytes(&vector["bytes"]));
        assert_eq!(line.id.to_string(), text(&vector["id"]));
        chain.push(&line.event, line.id).unwrap();
        if let Some(head) = line.head {
            head.verify(&key).unwrap();
            assert_eq!(*head.head(), chain.head());
            heads.push(String::from_utf8(head.encode()).unwrap());
        }
    }
    assert_eq!((chain.size(), export.lines().count()), (12, 12));
    let notes: Vec<_> = items(&vectors["heads"]).iter().map(|head| text(&head["note"])).collect();
    assert_eq!(heads, notes);
}

fn read(name: &str) -> Json {
    serde_json::from_str(&frozen()[name]).unwrap()
}

fn items(json: &Json) -> &Vec<Json> {
    json.as_array().unwrap()
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

fn number(json: &Json) -> u64 {
    json.as_u64().unwrap()
}

fn bytes(json: &Json) -> Vec<u8> {
    unhex(text(json)).unwrap()
}

fn array(json: &Json) -> [u8; 32] {
    bytes(json).try_into().unwrap()
}

fn hash(json: &Json) -> NodeHash {
    text(json).parse().unwrap()
}

fn hashes(json: &Json) -> Vec<NodeHash> {
    items(json).iter().map(hash).collect()
}
