//! Migrates schema-versioned stores so that the migration can be believed by someone who was not
//! there.

pub mod objects;
pub mod target;
