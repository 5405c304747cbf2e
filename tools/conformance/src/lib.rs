//! Conformance: for every type that is encoded and kept or hashed, one hash over many seeded cases of it, compared with
//! the committed `conformance.toml` beside the test. So one changed byte of any encoding fails one cheap test, and a change
//! that was meant stands in the diff of that file.
//!
//! Depends on SHA-256 and nothing else: the cases must not change when a library does. Knows no type of the ledger.

mod draw;
mod record;
mod suite;

pub use draw::Draw;
pub use suite::{CASES, Suite};
