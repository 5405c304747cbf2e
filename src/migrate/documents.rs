//! Documents: what a contract makes of each, and jobs over trees of them.
//!
//! `prepared` and `evaluation` are pure: bytes in, verdict and bytes out. Whoever checks, plans, applies, proves or computes
//! again asks them, so that what was planned is what is applied.

mod abandon;
mod again;
mod aside;
mod check;
mod collection;
pub(super) mod evaluation;
mod former;
mod looking;
mod neighbour;
mod plan;
mod prepared;
mod proved;
mod publish;
mod refusal;
mod returned;
mod rollback;
mod run;
mod set;
mod status;
mod summary;
mod ways;
mod work;

pub use abandon::{Abandoned, abandon};
pub(super) use again::{Again, Finished, again};
pub use aside::{Aside, Named};
pub use check::{Checked, check};
pub use collection::{Collection, Documents, OpenDocuments};
pub use evaluation::{Evaluation, Lost, Moved, Outcome, Read, Status};
pub use former::Former;
pub use neighbour::{Neighbour, must_not_share};
pub use plan::{
    DocumentsPlan, DocumentsPolicy, LISTED_MAX, LeftOut, LossyValue, NamedDocument, Outline,
    PlannedDocument, PlannedLinks, PlannedRoute, Way, outline, plan, plan_found,
};
pub use prepared::{Outside, Prepared, Route};
pub use proved::{Noted, ProofNote, RecordedProofs, note_proofs, recorded_proofs};
pub use publish::Conflicts;
pub use refusal::Refusal;
pub use rollback::rollback;
pub use run::{Resumption, apply, resume};
pub(super) use set::InSet;
pub use status::{TreeStatus, status};

#[cfg(test)]
mod conflict_tests;
#[cfg(test)]
mod evidence_tests;
#[cfg(test)]
mod jobs_tests;
#[cfg(test)]
mod tests;
