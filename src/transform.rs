//! What the steps of a contract do to a document, and what they leave behind of what they did.
//!
//! A step is applied whole or refuses. Every change is recorded as an [`Effect`], with what stood there before, so that
//! what a run loses is counted from what it did and not from what it promised. Knows no file, no contract as a whole, no
//! ledger and no time.

mod convert;
mod effect;
mod inverse;
pub mod jq;
mod steps;

pub use effect::{Effect, Operation, leaves};
pub use inverse::inverse;
pub use steps::{StepError, Trouble, apply};
