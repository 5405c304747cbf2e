//! How Glyphser's objects are hashed, in every generation that was ever written: the chain over a trace, the Merkle roots
//! of a checkpoint.
//!
//! A [`Formula`] names one way to compute one hash; migrating from one to the next is to compute the same records again
//! under the newer name (the step `rehash`). Knows values and hashes; no contract, no version, no file.

mod checkpoint;
mod trace;

use ledger_format::cbor::Value as Cbor;
use ledger_format::hash::{ContentHash, HASH_BYTES, hex, unhex};
use serde::{Deserialize, Serialize};

use crate::document::canonical::NoFormReason;
use crate::document::{Pointer, Value};

/// 32 bytes that one of the formulas gives.
pub type Hash = [u8; HASH_BYTES];

/// A way to compute a hash of a part of an object. Each is fixed for ever; a change of a rule is a new formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Formula {
    /// `h0 = H(["trace_chain_v1"])`, `h = SHA-256(h ‖ record hash)`.
    TraceChainT1,
    /// `h0` as before, `h = H(["trace_chain_v1", h, record hash])`.
    TraceChainT2,
    /// `h0 = H(["trace_chain_v1", []])`, `h = H(["trace_chain_v1", [h, record hash]])`.
    TraceChainT3,
    /// As T3, under the tag `trace_chain`.
    TraceChainT4,
    /// Merkle root over the shards of a checkpoint, tags with `_v1`.
    CheckpointMerkleV1,
    /// Merkle root over the shards of a checkpoint.
    CheckpointMerkle,
    /// Commitment to the leaves below `tensors/`, tag with `_v1`.
    TensorsRootV1,
    /// Commitment to the leaves below `tensors/`.
    TensorsRoot,
    /// Commitment to the leaves below `optimizer/`, tag with `_v1`.
    OptimizerRootV1,
    /// Commitment to the leaves below `optimizer/`.
    OptimizerRoot,
    /// Commitment to lock file, toolchain and environment of a checkpoint's header, tag with `_v1`.
    DependenciesLockV1,
    /// Commitment to lock file, toolchain and environment of a checkpoint's header.
    DependenciesLock,
}

/// What a formula cannot be computed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct FormulaError {
    /// Where, from the value that is hashed.
    pub place: Pointer,
    /// Why.
    pub reason: FormulaReason,
}

/// Why a formula cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormulaReason {
    /// Something is missing, or is of another kind.
    #[error("expected {0}")]
    Shape(&'static str),
    /// The paths of shards do not rise.
    #[error("the shards must stand in the order of their paths, each path once")]
    Order,
    /// A value has no canonical form.
    #[error(transparent)]
    NoForm(NoFormReason),
}

impl Formula {
    /// The hash of `value` by this formula.
    pub fn hash(self, value: &Value) -> Result<Hash, FormulaError> {
        use checkpoint::{Tags, dependencies_lock, merkle_root, part_root};
        match self {
            Self::TraceChainT1 => trace::head(value, trace::Generation::T1),
            Self::TraceChainT2 => trace::head(value, trace::Generation::T2),
            Self::TraceChainT3 => trace::head(value, trace::Generation::T3),
            Self::TraceChainT4 => trace::head(value, trace::Generation::T4),
            Self::CheckpointMerkleV1 => merkle_root(value, Tags::V1),
            Self::CheckpointMerkle => merkle_root(value, Tags::Plain),
            Self::TensorsRootV1 => part_root(value, "tensors", Tags::V1),
            Self::TensorsRoot => part_root(value, "tensors", Tags::Plain),
            Self::OptimizerRootV1 => part_root(value, "optimizer", Tags::V1),
            Self::OptimizerRoot => part_root(value, "optimizer", Tags::Plain),
            Self::DependenciesLockV1 => dependencies_lock(value, Tags::V1),
            Self::DependenciesLock => dependencies_lock(value, Tags::Plain),
        }
    }
}

/// The hash that `value` holds: 64 lower-case hexadecimal digits, or 32 bytes.
pub fn held(value: &Value) -> Option<Hash> {
    match value {
        Value::Text(text) => unhex(text)?.try_into().ok(),
        Value::Bytes(bytes) => bytes.as_ref().try_into().ok(),
        _ => None,
    }
}

/// `hash` in the form in which `like` holds one.
pub fn held_like(like: &Value, hash: &Hash) -> Value {
    match like {
        Value::Bytes(_) => Value::Bytes(hash.as_slice().into()),
        _ => Value::text(hex(hash)),
    }
}

/// Glyphser's own commitment to `items` under one of its tags: SHA-256 of `CBOR([tag, items])`.
pub fn commit(tag: &str, items: Vec<Cbor>) -> Hash {
    object_digest(&Cbor::Array(vec![tag.into(), Cbor::Array(items)]))
}

/// `ObjectDigest(value)`: SHA-256 of the canonical bytes, under no tag.
fn object_digest(value: &Cbor) -> Hash {
    sha256(&value.encode())
}

fn sha256(bytes: &[u8]) -> Hash {
    *ContentHash::of(bytes).as_bytes()
}

fn in_cbor(hash: &Hash) -> Cbor {
    Cbor::Bytes(hash.to_vec())
}

fn at(tokens: &[&str]) -> Pointer {
    tokens.iter().fold(Pointer::default(), |place, token| place.below(token))
}

fn shape(tokens: &[&str], expected: &'static str) -> FormulaError {
    FormulaError { place: at(tokens), reason: FormulaReason::Shape(expected) }
}
