//! Contracts: what versions of a store there are and how to get from one to the next, as data.
//!
//! Knows text, versions and digests. Knows no ledger, no database and, but for the loader, no file.

mod bundle;
#[cfg(test)]
mod conformance;
mod detect;
mod load;
mod model;
mod path;

pub use bundle::Bundle;
pub use detect::{DetectError, Facts, detect};
pub use load::{ContractError, load_bytes, load_file};
pub use model::{Contract, Detector, Edge, EdgeProof, Scalar, Shape, Step, When};
pub use path::{PathError, resolve};
