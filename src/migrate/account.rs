//! What a run came to: its trace, its certificate and a report. All of them are views, computed from the events each time
//! and kept nowhere.
//!
//! Knows events, and for the report the stored content that they name. Looks at nothing live and decides nothing.

mod certificate;
mod report;
mod run;
mod trace;

pub use certificate::{CertificateView, ObjectCertificate, ReplayTuple, certificate};
pub use report::{LossyEntry, MigrationReport, ObjectReplay, lost, report};
pub use run::{RunOutcome, RunSpan, find_run};
pub use trace::{Stage, Status, TraceRecord, trace};
