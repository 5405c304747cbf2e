//! Evidence for people who do not have the ledger, or do not trust whoever has it: proofs about single events and about what
//! heads have to do with each other, and the whole of it as a folder that anybody may read. Knows the ledger it is given; decides
//! nothing about what may be appended.

mod proofs;
mod publication;
mod published;
mod tree;

pub use proofs::{Consistency, EvidenceError, consistency, inclusion};
pub use publication::{Publication, PublicationError, publish};
pub use published::{Published, PublishedError, verify_published};
pub use tree::{StoredTree, TreeError};
