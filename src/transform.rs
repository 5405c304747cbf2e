//! What the steps of a contract do to a document, and what they leave behind of what they did.
//!
//! A step is applied whole or refuses. Every change is recorded as an [`Effect`], with what stood there before, so that
//! what a run loses is counted from what it did and not from what it promised. Knows no contract as a whole
//! and no ledger; but for `external`, which runs programs that somebody else wrote, no file and no time.
//!
//! ```
//! use glyph_ledger::document::json;
//! use glyph_ledger::transform::{Effect, Programs, Step, apply};
//!
//! let steps: Vec<Step> = serde_json::from_str(
//!     r#"[{"rename": {"path": "/titel", "to": "title"}}, {"remove": {"path": "/draft"}}]"#,
//! )?;
//! let mut document = json::read(br#"{"titel": "On time", "price": 1.50, "draft": true}"#)?;
//! let effects = apply(&steps, &Programs::of(&steps)?, &mut document.value)?;
//! let text = json::write(&document.value, &document.style)?;
//! assert_eq!(text, r#"{"title": "On time", "price": 1.50}"#);
//! let lost: Vec<_> = effects.iter().flat_map(Effect::lost).collect();
//! assert_eq!(lost, ["/draft".parse()?]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod condition;
mod convert;
mod difference;
mod effect;
mod external;
mod groups;
mod inverse;
mod jq;
mod parameters;
mod programs;
mod reads;
mod step;
mod steps;

pub use convert::is_of_kind;
pub use difference::{Identity, difference};
pub use effect::{Effect, Operation, leaves};
pub use external::ExternalError;
pub use inverse::{inverse, is_reversible};
pub use jq::{JqError, Program, missing_parameter};
pub use parameters::Parameters;
pub use programs::Programs;
pub(crate) use step::given;
pub use step::*;
pub use steps::{Attempt, StepError, Trouble, apply, apply_unnoted, attempt};
