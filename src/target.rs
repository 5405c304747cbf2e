//! What can be migrated. Each kind of target is one folder that knows how to read, stage, compare
//! and publish its kind, and knows neither ledger nor events nor command line.

pub mod documents;
pub mod glyph_store;
mod site;
pub mod sqlite;

pub use site::{DatabaseFile, Site};
