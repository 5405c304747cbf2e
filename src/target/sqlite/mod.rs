//! A SQLite database as a migration target, from the live file to the live file:
//!
//! [`Snapshot`] (one read transaction) → [`image`] (its pages as objects under one page root)

mod connection;
mod content;
mod error;
pub mod image;
mod page;
mod page_tree;
mod rows;
mod schema;
mod snapshot;
#[cfg(test)]
mod testing;

pub use content::ContentError;
pub use error::DatabaseError;
pub use image::ImageError;
pub use page::{Layout, PageSize, PageSource};
pub use page_tree::{PageTree, UnknownPage};
pub use snapshot::Snapshot;

/// Names in one node of a page tree: 64 × 32 bytes are 2 KiB, so a changed page costs one small
/// object a level, and 1 GiB of 4 KiB pages needs two levels.
pub const RUN_LENGTH: usize = 64;
