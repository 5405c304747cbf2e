//! Answers known from the Glyphser documents: hash chains of traces and Merkle trees over
//! checkpoint shards, in the forms their versions have had. Every one of them is made of this
//! crate's canonical CBOR.

use ledger_format::cbor::{self, Float, Map, Value};
use ledger_format::hash::{CommitHash, ContentHash};

#[test]
fn empty_roots() {
    for (tag, expected) in [
        ("trace_chain", "d5a04212dc8be7c8c6eaab3fbaec45f4137bc49be0a0c2357f6df7954677719e"),
        ("trace_chain_v1", "882b5851e1a6c9de1b44ee807ebf8fb74ce5bbcf1a851cba9ec84bfc5ec42e98"),
        ("ckpt_merkle_root", "65dd5dace7e49fcbcc256bccab337b01efa618aadcd7ffd1becc23ffd577e48e"),
        ("tensors_root", "544e9b5088716fecc05ebc610610a68ec405999a30ac79aa538ba78a1ff25468"),
        ("optimizer_root", "9a11274be2ab06ec11bd012e0e13c2d50bfa8064caf87247cb7acaee74159266"),
    ] {
        assert_eq!(CommitHash::of(tag, &Value::Array(vec![])).to_string(), expected, "{tag}");
    }
    assert_eq!(
        digest(&Value::Array(vec!["trace_chain_v1".into()])).to_string(),
        "3039776e0d7bf8f0171e79c98330bca0c41f0b87b463d9dc0c94348116741caf"
    );
}

/// Three records, one of them with a float, under the four chain rules that traces have had.
#[test]
fn trace_chains() {
    let bare = digest(&Value::Array(vec!["trace_chain_v1".into()]));
    let empty = |tag: &str| raw(CommitHash::of(tag, &Value::Array(vec![])));
    let joined = |head: ContentHash, record: ContentHash| {
        ContentHash::of(&[*head.as_bytes(), *record.as_bytes()].concat())
    };
    let flat = |head: ContentHash, record: ContentHash| {
        digest(&Value::Array(vec!["trace_chain_v1".into(), head.into(), record.into()]))
    };
    let pair = |tag: &'static str| {
        move |head: ContentHash, record: ContentHash| {
            raw(CommitHash::of(tag, &Value::Array(vec![head.into(), record.into()])))
        }
    };
    for (chain, expected) in [
        (fold(bare, joined), "e532109370458a9894125077529dacf7ed056306fc6f5d6465a11bbdaac5f45f"),
        (fold(bare, flat), "7c59146f733c86b3c8488c90ed75b9253ce05d4db2edaeca2b960c91324c4edd"),
        (
            fold(empty("trace_chain_v1"), pair("trace_chain_v1")),
            "f78a647484049aab14d089285c1b5232c500dcd8b467313a114deae5de7ed8e6",
        ),
        (
            fold(empty("trace_chain"), pair("trace_chain")),
            "d8fa73fbfbdecede32c4609bed56d423947cf6b4374422517e25b15935e78604",
        ),
    ] {
        assert_eq!(chain.to_string(), expected);
    }
}

/// Shards with one byte each; a level's odd last node stands twice.
#[test]
fn checkpoint_shard_trees() {
    for (shards, begins, ends) in
        [(1, "f52721a9", "bf30"), (2, "8b889c99", "1428"), (3, "b5bb1341", "95d8")]
    {
        let root = shard_root((0..shards).map(shard).collect()).to_string();
        assert!(root.starts_with(begins) && root.ends_with(ends), "{shards}: {root}");
    }
}

fn shard(index: u8) -> CommitHash {
    let path = format!("tensors/rank=0/shard={index}.bin");
    let content = ContentHash::of(&[index]);
    let value = vec![path.as_str().into(), content.into(), 1_u64.into()];
    CommitHash::of("ckpt_shard", &Value::Array(value))
}

fn shard_root(mut level: Vec<CommitHash>) -> CommitHash {
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| {
                let (left, right) = (pair[0], *pair.last().unwrap());
                let pair = Value::Array(vec![left.into(), right.into()]);
                CommitHash::of("ckpt_merkle_node", &pair)
            })
            .collect();
    }
    level[0]
}

fn records() -> [Value; 3] {
    let loss = Value::Float(Float::new(0.1).unwrap());
    let iter: Map = [
        ("kind", "ITER".into()),
        ("t", Value::from(0_u64)),
        ("rank", 0_u64.into()),
        ("operator_seq", 0_u64.into()),
        ("operator_id", "op.a".into()),
        ("loss_total", loss),
    ]
    .into_iter()
    .collect();
    [
        cbor::map([
            ("kind", "RUN_HEADER".into()),
            ("schema_version", "1".into()),
            ("run_id", "r1".into()),
        ]),
        Value::Map(iter),
        cbor::map([("kind", "RUN_END".into()), ("status", "OK".into())]),
    ]
}

fn fold(start: ContentHash, step: impl Fn(ContentHash, ContentHash) -> ContentHash) -> ContentHash {
    records().iter().fold(start, |head, record| step(head, digest(record)))
}

/// The digest of a value without a tag, as those documents use it.
fn digest(value: &Value) -> ContentHash {
    ContentHash::of(&value.encode())
}

fn raw(hash: CommitHash) -> ContentHash {
    ContentHash::from_bytes(*hash.as_bytes())
}
