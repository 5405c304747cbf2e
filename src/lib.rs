//! glyph-ledger: migrations of schema-versioned stores that can be believed by someone who was not
//! there. Every step is an event in a hash-chained, signed log; everything else is computed from the
//! events.

pub mod attacks;
pub mod cli;
pub mod contract;
pub mod demo;
pub mod diagnostic;
pub mod document;
pub mod effects;
pub mod evidence;
pub mod export;
mod failure;
pub mod glyphser;
pub mod ledger;
pub mod link;
pub mod log;
pub mod migrate;
pub mod objects;
pub mod operators;
mod ordered;
pub mod package;
pub mod replay;
pub mod schema;
pub mod sql_folder;
mod sql_text;
pub mod target;
pub mod transform;
pub mod trust;
pub mod verify;
