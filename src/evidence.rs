//! Evidence for people who do not have the ledger, or do not trust whoever has it: proofs about single events and about what
//! heads have to do with each other, and what an auditor asks: how many events there are, which to look at, what stands out.
//! Knows the ledger it is given; decides nothing about what may be appended.

mod exceptions;
mod population;
mod proofs;
mod report;
mod sample;
mod tree;

pub use exceptions::{Exception, Matter, exceptions};
pub use population::{Boundary, Population, population};
pub use proofs::{Consistency, EvidenceError, consistency, inclusion};
pub use report::{REPORT_BEGINS, REPORT_EVENTS_MAX, ReportError, Reported, report};
pub use sample::{SAMPLE_MAX, SEED_BYTES_MAX, Seed, draw};
pub use tree::{StoredTree, TreeError};
