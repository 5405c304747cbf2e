//! What a run came to: its trace, its certificate and a report; and what runs did with an object. All of them are views, computed from the events each time
//! and kept nowhere.
//!
//! Knows events, and for the report the stored content that they name. Looks at nothing live and decides nothing.

mod certificate;
mod report;
mod run;
mod trace;
mod trail;

pub use certificate::{CertificateView, ObjectCertificate, ReplayTuple, certificate, claimed};
pub use report::{
    LossyEntry, MigrationReport, ObjectReplay, amounts_lost, amounts_of, lost, planned, report,
};
pub use run::{RunOutcome, RunSpan, find_run, spans};
pub use trace::{Stage, Status, TraceRecord, trace};
pub use trail::{STEPS_LISTED_MAX, Trail, TrailStep, trail};
