//! Evidence for people who do not have the ledger, or do not trust whoever has it: proofs about single events and about what
//! heads have to do with each other. Knows the ledger it is given; decides nothing about what may be appended.

mod proofs;
mod tree;

pub use proofs::{Consistency, EvidenceError, consistency, inclusion};
pub use tree::{StoredTree, TreeError};
