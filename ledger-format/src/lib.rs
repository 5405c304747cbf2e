//! The bytes and proofs of a glyph ledger, as SPEC.md (beside this crate) defines them.
//!
//! Pure: knows no clock, no file system, no environment, no randomness, no thread, and no order
//! that is not defined. What it is given it checks; what it returns depends on nothing else.

pub mod body;
pub mod bundle;
pub mod cbor;
pub mod chain;
pub mod column;
pub mod consistency;
pub mod cosignature;
pub mod event;
pub mod flat;
pub mod frame;
pub mod hash;
pub mod head;
pub mod heads;
pub mod json;
pub mod line;
pub mod note;
pub mod proof;
pub mod proved;
mod row;
pub mod statement;
pub mod tile;
pub mod tree;
