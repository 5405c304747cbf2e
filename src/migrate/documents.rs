//! Documents: what a contract makes of each, and jobs over trees of them.
//!
//! `prepared` and `evaluation` are pure: bytes in, verdict and bytes out. Whoever checks, plans, applies, proves or computes
//! again asks them, so that what was planned is what is applied.

mod evaluation;
mod prepared;
mod refusal;

pub use evaluation::{Evaluation, Lost, Moved, Outcome, Read, Status};
pub use prepared::{Outside, Prepared, Route};
pub use refusal::Refusal;

#[cfg(test)]
mod tests;
