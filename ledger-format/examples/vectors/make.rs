//! The texts of the vector files.

use std::error::Error;
use std::fmt::Write as _;

use ed25519_dalek::Signer as _;
use ledger_format::bundle::{Bundle, PAYLOAD_TYPE, pre_authentication_encoding};
use ledger_format::cbor::{
    self, EVENT_DEPTH_MAX, Float, Integer, Map, VALUE_DEPTH_MAX, Value, map,
};
use ledger_format::event::Event;
use ledger_format::flat::{flat_line, types_line};
use ledger_format::frame::{Frame, HeadRecord};
use ledger_format::hash::{
    CommitHash, ContentHash, EventId, KeyId, LedgerId, NodeHash, commit_preimage, hex, unhex,
};
use ledger_format::head::{SignedHead, TreeHead};
use ledger_format::json;
use ledger_format::line::Line;
use ledger_format::statement::{Claimed, Claims, ProvedEvent, Statement, certificate_of};
use ledger_format::tree::{MemoryTree, prove_consistency, prove_inclusion, root};
use serde_json::{Value as Json, json};

use crate::history::{self, History, NONCE, SECRET_KEY};

pub(crate) type Made<T> = Result<T, Box<dyn Error>>;

/// Every vector file: its name and its text.
pub(crate) fn files() -> Made<Vec<(&'static str, String)>> {
    let history = history::history()?;
    Ok(vec![
        ("cbor.json", pretty(&cbor_vectors()?)?),
        ("hashes.json", pretty(&hash_vectors())?),
        ("events.json", pretty(&event_vectors(&history)?)?),
        ("heads.json", pretty(&head_vectors())?),
        ("proofs.json", pretty(&proof_vectors()?)?),
        ("frames.json", pretty(&frame_vectors(&history)?)?),
        ("bundle.json", pretty(&bundle_vector(&history)?)?),
        ("ledger.json", pretty(&ledger_vector(&history))?),
        ("ledger.jsonl", export(&history)?),
        ("ledger-flat.jsonl", flat_export(&history)?),
        ("example.txt", worked_example(&history)?),
    ])
}

fn pretty(vectors: &Json) -> Made<String> {
    Ok(serde_json::to_string_pretty(vectors)? + "\n")
}

/// Integers at every border of the encoding and of JSON's exact range.
const INTEGERS: [i128; 20] = [
    0,
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    4_294_967_295,
    4_294_967_296,
    9_007_199_254_740_991,
    9_007_199_254_740_992,
    u64::MAX as i128,
    -1,
    -24,
    -25,
    -256,
    -257,
    -9_007_199_254_740_991,
    -9_007_199_254_740_992,
    i64::MIN as i128,
];

/// Zeros, one, a tenth, infinities, the NaN.
const FLOAT_BITS: [u64; 7] = [
    0,
    0x8000_0000_0000_0000,
    0x3ff0_0000_0000_0000,
    0x3fb9_9999_9999_999a,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
];

const TEXTS: [&str; 6] = ["", "a", "\"\\\n\u{1}\u{7f}", "é", "e\u{301}", "\u{10ffff}"];

/// Breaches of the profile: cut off, not shortest, out of range, indefinite, tagged, narrow floats,
/// other NaNs, simple values, bad UTF-8, bad keys, bytes after the value, impossible lengths.
const REJECTED: [&str; 55] = [
    "",
    "18",
    "1817",
    "190017",
    "1900ff",
    "1a0000ffff",
    "1b00000000ffffffff",
    "3817",
    "5800",
    "7800",
    "9800",
    "b800",
    "3b8000000000000000",
    "3bffffffffffffffff",
    "1c",
    "1f",
    "5f4100ff",
    "7f6161ff",
    "9f00ff",
    "bf616100ff",
    "c000",
    "c249010000000000000000",
    "d9d9f700",
    "f93c00",
    "f97e00",
    "fa3f800000",
    "fb7ff8000000000001",
    "fbfff8000000000000",
    "fb7ff4000000000000",
    "e0",
    "f0",
    "f3",
    "f7",
    "f800",
    "f818",
    "f8ff",
    "ff",
    "61ff",
    "62c328",
    "63eda080",
    "a10000",
    "a1410000",
    "a1f600",
    "a2616200616100",
    "a262616100616200",
    "a2616100616100",
    "0000",
    "8201",
    "a1",
    "a16161",
    "4200",
    "62",
    "9bffffffffffffffff",
    "bbffffffffffffffff",
    "5bffffffffffffffff",
];

fn cbor_vectors() -> Made<Json> {
    let reject: Made<Vec<Json>> = REJECTED.into_iter().map(rejected).collect();
    Ok(json!({
        "about": "accept: canonical CBOR (SPEC 2) and its JSON form (SPEC 4). reject: not canonical, \
                  at which byte and why. depth: how deep arrays and maps may nest.",
        "accept": accepted()?.iter().map(accept).collect::<Vec<_>>(),
        "reject": reject?,
        "depth": { "event": EVENT_DEPTH_MAX, "value": VALUE_DEPTH_MAX },
    }))
}

fn accept(value: &Value) -> Json {
    json!({ "cbor": hex(&value.encode()), "json": json::to_text(value) })
}

fn rejected(text: &str) -> Made<Json> {
    let bytes = unhex(text).ok_or("not hex")?;
    let error = cbor::decode(&bytes, EVENT_DEPTH_MAX).err().ok_or("accepted")?;
    let reason = format!("{:?}", error.reason);
    Ok(json!({ "cbor": text, "offset": error.offset, "reason": reason }))
}

fn accepted() -> Made<Vec<Value>> {
    let mut values = vec![Value::Null, false.into(), true.into()];
    for number in INTEGERS {
        values.push(Value::Integer(Integer::new(number).ok_or("not an integer of the profile")?));
    }
    for bits in FLOAT_BITS {
        let float = Float::new(f64::from_bits(bits)).ok_or("not a float of the profile")?;
        values.push(Value::Float(float));
    }
    values.extend([vec![], vec![0x00, 0xff], vec![0xab; 24]].map(Value::Bytes));
    values.extend(TEXTS.map(Value::from));
    values.push(Value::Array(Vec::new()));
    values.push(Value::Array(vec![Value::Null, Value::Array(vec![1_u64.into()])]));
    values.push(Value::Map(Map::new()));
    values.push(map([
        ("b", 1_u64.into()),
        ("aa", 2_u64.into()),
        ("", 3_u64.into()),
        ("a", 4_u64.into()),
        ("é", 5_u64.into()),
        ("z", map([("inner", Value::Null)])),
    ]));
    Ok(values)
}

fn hash_vectors() -> Json {
    let public_key = history::key().verifying_key().to_bytes();
    let commit = [
        ("trace_chain", Value::Array(Vec::new())),
        ("ckpt_merkle_root", Value::Array(Vec::new())),
        ("tensors_root", Value::Array(Vec::new())),
        ("optimizer_root", Value::Array(Vec::new())),
        ("x", Value::Null),
        ("", map([("a", Value::from(1_u64)), ("b", Value::Bytes(vec![0]))])),
        (
            "ledger_id",
            Value::Array(vec![Value::Bytes(public_key.to_vec()), Value::Bytes(NONCE.to_vec())]),
        ),
    ];
    let commit: Vec<Json> = commit
        .iter()
        .map(|(tag, value)| {
            json!({
                "tag": tag,
                "value": hex(&value.encode()),
                "preimage": hex(&commit_preimage(tag, value)),
                "hash": CommitHash::of(tag, value),
            })
        })
        .collect();
    let content: Vec<Json> = [b"".as_slice(), b"content", &[0, 1, 2, 255]]
        .iter()
        .map(|bytes| json!({ "bytes": hex(bytes), "hash": ContentHash::of(bytes) }))
        .collect();
    let (left, right) = (EventId::of(b"left"), EventId::of(b"right"));
    json!({
        "about": "Every hash class of SPEC 3.",
        "commit_hash": commit,
        "content_hash": content,
        "ledger_id": {
            "public_key": hex(&public_key), "nonce": hex(&NONCE), "id": history::ledger(),
        },
        "key_id": { "public_key": hex(&public_key), "id": KeyId::of(&public_key) },
        "event_id": { "bytes": hex(b"left"), "id": left },
        "node": {
            "left": left,
            "right": right,
            "node": NodeHash::inner(&NodeHash::leaf(left), &NodeHash::leaf(right)),
        },
        "empty_root": NodeHash::empty_root(),
    })
}

fn event_vectors(history: &History) -> Made<Json> {
    let of_history = history.events.iter().map(|(_, bytes)| bytes.clone());
    let events: Made<Vec<Json>> =
        of_history.chain(history::other_events()?).map(|bytes| event_vector(&bytes)).collect();
    Ok(json!({
        "about": "Events of every kind (SPEC 5 and 6): the bytes, the id, the body as JSON.",
        "events": events?,
    }))
}

fn event_vector(bytes: &[u8]) -> Made<Json> {
    let event = Event::decode(bytes)?;
    Ok(json!({
        "kind": event.body.kind(),
        "bytes": hex(bytes),
        "id": EventId::of(bytes),
        "body": json::to_json(&event.body.to_value()?),
    }))
}

fn head_vectors() -> Json {
    let key = history::key();
    let heads: Vec<Json> = [(0, NodeHash::empty_root()), (1, NodeHash::leaf(EventId::of(b"left")))]
        .into_iter()
        .map(|(size, root)| {
            let head = TreeHead { ledger: history::ledger(), size, root };
            let signed = SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text));
            json!({
                "size": size,
                "root": root,
                "text": head.text(),
                "note": String::from_utf8_lossy(&signed.encode()),
            })
        })
        .collect();
    json!({
        "about": "Signed heads (SPEC 7). The key is public knowledge; Ed25519 is deterministic.",
        "secret_key": hex(&SECRET_KEY),
        "public_key": hex(key.verifying_key().as_bytes()),
        "actor": KeyId::of(key.verifying_key().as_bytes()),
        "ledger": history::ledger(),
        "heads": heads,
    })
}

/// Number of leaves of the proof vectors' tree.
const LEAVES: u64 = 13;

fn proof_vectors() -> Made<Json> {
    let leaves: Vec<NodeHash> =
        (0..LEAVES).map(|n| NodeHash::leaf(EventId::of(format!("event {n}").as_bytes()))).collect();
    let tree: MemoryTree = leaves.iter().copied().collect();
    let all_of = |size: u64| (0..size).map(move |other| (other, size));
    let roots: Option<Vec<NodeHash>> = (0..=LEAVES).map(|size| root(&tree, size)).collect();
    let inclusion: Option<Vec<Json>> = (1..=LEAVES)
        .flat_map(all_of)
        .map(|(index, size)| {
            let proof = prove_inclusion(&tree, index, size)?;
            Some(json!({ "index": index, "size": size, "proof": proof }))
        })
        .collect();
    let consistency: Option<Vec<Json>> = (1..=LEAVES)
        .flat_map(all_of)
        .chain([(LEAVES, LEAVES)])
        .map(|(old, new)| {
            let proof = prove_consistency(&tree, old, new)?;
            Some(json!({ "old": old, "new": new, "proof": proof }))
        })
        .collect();
    Ok(json!({
        "about": "Roots by size, inclusion and consistency proofs (SPEC 7), over leaves \
                  SHA-256(0x00 || \"event N\").",
        "leaves": leaves,
        "roots": roots.ok_or("no root")?,
        "inclusion": inclusion.ok_or("no inclusion proof")?,
        "consistency": consistency.ok_or("no consistency proof")?,
    }))
}

fn frame_vectors(history: &History) -> Made<Json> {
    let events: Vec<Vec<u8>> = history.events.iter().map(|(_, bytes)| bytes.clone()).collect();
    let frames = Frame::pack(history::ledger(), 0, &events);
    let head = history.heads.last().ok_or("the history has no head")?;
    let record =
        HeadRecord { ledger: history::ledger(), size: head.head().size, note: head.encode() };
    let tiny =
        Frame { ledger: LedgerId::from_bytes([0xab; 32]), first_seq: 7, events: vec![vec![0]] };
    let raw = [b"GLYPHfrm".as_slice(), &tiny.encode(), b"GLYPHhed", &record.encode()].concat();
    Ok(json!({
        "about": "Frames and head records (SPEC 10): the twelve events packed, their last head, and \
                  raw bytes with what is found in them at which offset.",
        "frames": frames.iter().map(|frame| hex(&frame.encode())).collect::<Vec<_>>(),
        "head": hex(&record.encode()),
        "raw": hex(&raw),
        "found": [
            { "offset": 8, "bytes": hex(&tiny.encode()) },
            { "offset": 8 + tiny.encode().len() + 8, "bytes": hex(&record.encode()) },
        ],
    }))
}

/// Places of the events that bear the certificate of the run out.
const EVIDENCE: [usize; 4] = [0, 6, 10, 11];

fn bundle_vector(history: &History) -> Made<Json> {
    let leaves = history.events.iter().map(|(id, _)| NodeHash::leaf(*id));
    let (tree, size): (MemoryTree, _) = (leaves.collect(), history.events.len() as u64);
    let head = history.heads.last().ok_or("no head")?.clone();
    let proved = |seq: usize| {
        let nodes = prove_inclusion(&tree, seq as u64, size)?;
        Some(ProvedEvent { bytes: history.events.get(seq)?.1.clone(), nodes })
    };
    let claims: Option<Vec<Claimed>> = history.claims.iter().map(Claimed::new).collect();
    let claims = claims.ok_or("not a claim")?;
    let statement = Statement {
        ledger: history::ledger(),
        run: history.events.get(6).ok_or("no run")?.0,
        certificate: certificate_of(&claims).ok_or("claims in disorder")?,
        claims: Claims::of(claims),
        head,
        heads: Vec::new(),
        events: EVIDENCE.into_iter().map(proved).collect::<Option<_>>().ok_or("no proof")?,
    };
    let key = history::key();
    let bundle = Bundle::sign(statement.encode(), &key.verifying_key(), |text| key.sign(text));
    Ok(json!({
        "about": "The certificate of the run in ledger.json as a bundle (SPEC 8.8), signed by that ledger's key: what is \
                  signed, the statement, and the file.",
        "ledger": statement.ledger,
        "signed": hex(&pre_authentication_encoding(PAYLOAD_TYPE, &bundle.payload)),
        "statement": String::from_utf8_lossy(&bundle.payload),
        "bundle": String::from_utf8_lossy(&bundle.encode()),
    }))
}

fn ledger_vector(history: &History) -> Json {
    let events: Vec<Json> =
        history.events.iter().map(|(id, bytes)| json!({ "id": id, "bytes": hex(bytes) })).collect();
    let heads: Vec<Json> = history
        .heads
        .iter()
        .map(|head| {
            let note = String::from_utf8_lossy(&head.encode()).into_owned();
            json!({ "size": head.head().size, "root": head.head().root, "note": note })
        })
        .collect();
    json!({
        "about": "A legal history of twelve events in five batches; ledger.jsonl is its export. \
                  Digests under the tag \"vector\" stand for things the history does not contain.",
        "ledger": history::ledger(),
        "public_key": hex(history::key().verifying_key().as_bytes()),
        "nonce": hex(&NONCE),
        "events": events,
        "heads": heads,
    })
}

fn export(history: &History) -> Made<String> {
    let mut lines = String::new();
    for (seq, (_, bytes)) in (0..).zip(&history.events) {
        lines += &Line::of(bytes, history.head_after(seq))?;
        lines.push('\n');
    }
    Ok(lines)
}

fn flat_export(history: &History) -> Made<String> {
    let mut lines = types_line() + "\n";
    for (seq, (_, bytes)) in (0..).zip(&history.events) {
        lines += &flat_line(bytes, history.head_after(seq))?;
        lines.push('\n');
    }
    Ok(lines)
}

/// The worked example of SPEC §14: the first two events of the history, closed by a head.
fn worked_example(history: &History) -> Made<String> {
    let key = history::key();
    let [(first_id, first), (second_id, second), ..] = history.events.as_slice() else {
        return Err("the history is too short".into());
    };
    let root = NodeHash::inner(&NodeHash::leaf(*first_id), &NodeHash::leaf(*second_id));
    let head = TreeHead { ledger: history::ledger(), size: 2, root };
    let head = SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text));
    let note = String::from_utf8(head.encode())?;
    let lines = [Line::of(first, None)?, Line::of(second, Some(&head))?];
    let public_key = key.verifying_key().to_bytes();
    let named = [
        ("secret key", hex(&SECRET_KEY)),
        ("public key", hex(&public_key)),
        ("nonce", hex(&NONCE)),
        ("ledger", history::ledger().to_string()),
        ("actor", KeyId::of(&public_key).to_string()),
        ("event 0", hex(first)),
        ("event 0 id", first_id.to_string()),
        ("event 1", hex(second)),
        ("event 1 id", second_id.to_string()),
        ("root of 2", root.to_string()),
    ];
    let mut text = String::new();
    for (name, value) in named {
        writeln!(text, "{name:<11} {value}")?;
    }
    write!(text, "\nevent 1, field by field: key, value\n{}", fields(second)?)?;
    write!(text, "\nhead over both, as a note\n{note}")?;
    writeln!(text, "\nexport\n{}", lines.join("\n"))?;
    Ok(text)
}

/// The encoded key and value of each field of an event.
fn fields(event: &[u8]) -> Made<String> {
    let Value::Map(fields) = cbor::decode(event, EVENT_DEPTH_MAX)? else {
        return Err("an event is a map".into());
    };
    let mut text = String::from("a8\n");
    for (key, value) in fields.iter() {
        let encoded_key = hex(&Value::from(key).encode());
        writeln!(text, "{encoded_key:<14} {} ({key})", hex(&value.encode()))?;
    }
    Ok(text)
}
