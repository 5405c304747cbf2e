//! Independent implementations agree: ciborium on CBOR, ct-merkle on trees and proofs.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use ledger_format::cbor::{self, EVENT_DEPTH_MAX, Float, Integer, Value};
use ledger_format::hash::{EventId, NodeHash};
use ledger_format::tree::{
    self, Frontier, MemoryTree, prove_consistency, prove_inclusion, verify_consistency,
    verify_inclusion,
};
use quickcheck::quickcheck;
use sha2::Sha256;

use crate::values::{AnyValue, FloatFree};

quickcheck! {
    fn ciborium_reads_what_we_write_as_the_same_value(value: AnyValue) -> bool {
        let read: ciborium::Value = ciborium::from_reader(value.0.encode().as_slice()).unwrap();
        from_ciborium(&read) == value.0
    }

    fn ciborium_writes_the_same_bytes_where_there_are_no_floats(value: FloatFree) -> bool {
        let mut written = Vec::new();
        ciborium::into_writer(&to_ciborium(&value.0), &mut written).unwrap();
        written == value.0.encode() && cbor::decode(&written, EVENT_DEPTH_MAX) == Ok(value.0)
    }
}

fn to_ciborium(value: &Value) -> ciborium::Value {
    match value {
        Value::Null => ciborium::Value::Null,
        Value::Bool(truth) => ciborium::Value::Bool(*truth),
        Value::Integer(number) => {
            ciborium::Value::Integer(ciborium::value::Integer::try_from(number.get()).unwrap())
        }
        Value::Float(number) => ciborium::Value::Float(number.get()),
        Value::Bytes(bytes) => ciborium::Value::Bytes(bytes.clone()),
        Value::Text(text) => ciborium::Value::Text(text.clone()),
        Value::Array(items) => ciborium::Value::Array(items.iter().map(to_ciborium).collect()),
        Value::Map(map) => {
            let entry = |(key, value): (&str, &Value)| (key.into(), to_ciborium(value));
            ciborium::Value::Map(map.iter().map(entry).collect())
        }
    }
}

fn from_ciborium(value: &ciborium::Value) -> Value {
    match value {
        ciborium::Value::Null => Value::Null,
        ciborium::Value::Bool(truth) => Value::Bool(*truth),
        ciborium::Value::Integer(number) => Value::Integer(Integer::new((*number).into()).unwrap()),
        ciborium::Value::Float(number) => Value::Float(Float::new(*number).unwrap()),
        ciborium::Value::Bytes(bytes) => Value::Bytes(bytes.clone()),
        ciborium::Value::Text(text) => Value::Text(text.clone()),
        ciborium::Value::Array(items) => Value::Array(items.iter().map(from_ciborium).collect()),
        ciborium::Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, value)| (key.as_text().unwrap(), from_ciborium(value)))
                .collect(),
        ),
        other => panic!("not of the profile: {other:?}"),
    }
}

/// Every size up to here, every leaf, every earlier size.
const SIZES: u64 = 70;

fn event(n: u64) -> Vec<u8> {
    format!("event {n}").into_bytes()
}

fn theirs(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    for n in 0..size {
        tree.push(event(n));
    }
    tree
}

fn ours(size: u64) -> MemoryTree {
    (0..size).map(|n| NodeHash::leaf(EventId::of(&event(n)))).collect()
}

fn their_root(root: NodeHash, size: u64) -> RootHash<Sha256> {
    RootHash::new((*root.as_bytes()).into(), size)
}

fn nodes(bytes: &[u8]) -> Vec<NodeHash> {
    let (chunks, rest) = bytes.as_chunks::<32>();
    assert!(rest.is_empty());
    chunks.iter().copied().map(NodeHash::from_bytes).collect()
}

fn bytes(nodes: &[NodeHash]) -> Vec<u8> {
    nodes.iter().flat_map(NodeHash::as_bytes).copied().collect()
}

#[test]
fn roots_are_those_of_ct_merkle() {
    let tree = ours(SIZES);
    let mut frontier = Frontier::new();
    for size in 0..=SIZES {
        let expected = theirs(size).root();
        assert_eq!(their_root(tree::root(&tree, size).unwrap(), size), expected, "{size}");
        assert_eq!(their_root(frontier.root(), size), expected, "{size}");
        frontier.push(NodeHash::leaf(EventId::of(&event(size))));
    }
}

#[test]
fn inclusion_proofs_are_those_of_ct_merkle_and_each_accepts_the_others() {
    let tree = ours(SIZES);
    for size in 1..=SIZES {
        let their_tree = theirs(size);
        let root = tree::root(&tree, size).unwrap();
        for index in 0..size {
            let their_proof = their_tree.prove_inclusion(usize::try_from(index).unwrap());
            let our_proof = prove_inclusion(&tree, index, size).unwrap();
            assert_eq!(nodes(their_proof.as_bytes()), our_proof, "{index} of {size}");
            let leaf = NodeHash::leaf(EventId::of(&event(index)));
            assert!(verify_inclusion(leaf, index, size, &nodes(their_proof.as_bytes()), &root));
            let ours = InclusionProof::try_from_bytes(bytes(&our_proof)).unwrap();
            their_root(root, size).verify_inclusion(&event(index), index, &ours).unwrap();
        }
    }
}

#[test]
fn consistency_proofs_are_those_of_ct_merkle_and_each_accepts_the_others() {
    let tree = ours(SIZES);
    for new in 2..=SIZES {
        let their_tree = theirs(new);
        let new_root = tree::root(&tree, new).unwrap();
        for old in 1..new {
            let old_root = tree::root(&tree, old).unwrap();
            let their_proof = their_tree.prove_consistency(usize::try_from(new - old).unwrap());
            let our_proof = prove_consistency(&tree, old, new).unwrap();
            assert_eq!(nodes(their_proof.as_bytes()), our_proof, "{old} in {new}");
            assert!(verify_consistency(
                old,
                &old_root,
                new,
                &new_root,
                &nodes(their_proof.as_bytes())
            ));
            let ours = ConsistencyProof::try_from_bytes(bytes(&our_proof)).unwrap();
            let old_root = their_root(old_root, old);
            their_root(new_root, new).verify_consistency(&old_root, &ours).unwrap();
        }
    }
}
