//! Evidence for people who do not have the ledger, or do not trust whoever has it: proofs about single events and about what
//! heads have to do with each other, the whole of it as a folder that anybody may read, and what an auditor asks: how many events
//! there are, which to look at, what stands out. Knows the ledger it is given; decides nothing about what may be appended.

mod attested;
mod certified;
mod exceptions;
mod http;
mod population;
mod proofs;
mod publication;
mod published;
mod report;
mod sample;
mod subject;
mod tree;
mod vouching;
mod witness;

pub use attested::{AttestError, Attested, Committed, RunEnd, attest};
pub use certified::{Certified, CertifyError, CommittedRun, certify};
pub use exceptions::{DriftSize, Exception, Matter, exceptions, measure_drift};
pub use http::{Authorities, HttpWire, NoAuthority, PlainHttp, UrlError, WitnessUrl};
pub use population::{Boundary, Population, population};
pub use proofs::{Consistency, EvidenceError, consistency, inclusion};
pub use publication::{Mended, Publication, PublicationError, publish, signed_by_log};
pub use published::{Passed, Published, PublishedError, verify_published};
pub use report::{REPORT_EVENTS_MAX, ReportError, Reported, report};
pub use sample::{SAMPLE_MAX, SEED_BYTES_MAX, Seed, draw};
pub use subject::{Subject, SubjectError, find_subject};
pub use tree::{StoredTree, TreeError};
pub use witness::{
    ANSWER_BYTES_MAX, Asked, Cosigned, Wire, WireAnswer, WireError, WitnessError, cosign,
};
