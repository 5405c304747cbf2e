//! Contracts: what versions of a kind of object there are and how to get from one to the next, as data.
//!
//! Knows text, versions, steps and digests. Knows no ledger, no database and, but for the loader, no file.

mod bundle;
#[cfg(test)]
mod conformance;
mod detect;
mod detect_document;
mod detector;
mod diff;
mod draft;
mod lint;
mod load;
mod location;
mod model;
mod path;
mod pattern;
mod reference;
pub mod registry;
mod rules;
mod source;

pub use bundle::Bundle;
pub use detect::{DetectError, Facts, detect};
pub use detect_document::{VersionError, detect_document};
pub use detector::{Detector, Shape, When};
pub use diff::{Bump, Change, Difference, diff};
pub use draft::{Draft, DraftError, Examples, draft};
pub use lint::{Finding, Severity, lint};
pub use load::{ContractError, load_bytes, load_file};
pub use location::Location;
pub use model::{ANYTHING, Bookkeeping, Contract, EMPTY, Edge, EdgeProof, Format, Invariant};
pub use path::{PathError, Paths, resolve, way};
pub use pattern::Pattern;
pub use reference::{Encoding, Preimage, Reference, SelfHash, Signature};
pub use source::Source;

pub use crate::transform::{Sql, Step};

/// The published JSON Schema of contracts.
pub const SCHEMA: &str = include_str!("../docs/schemas/contract.schema.json");
