//! A tree of documents, or one: which files there are, what each holds, and how results are put into their places.
//!
//! Knows paths, bytes and permissions. Knows no contract and no value; follows no link, and writes over nothing that it was
//! not told to write over.

mod place;
mod tree;

pub use place::{Beside, Found, Output, Places, Stamp, Stamps};
pub use tree::{Kinds, Survey, Tree, TreeError};
