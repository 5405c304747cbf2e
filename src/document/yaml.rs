//! YAML 1.2 in the core schema, read strictly and written in block style.
//!
//! One document, keys that are text and unique, numbers as JSON writes them. Refused by name, with their place: what
//! could not be changed in one place only (aliases, merge keys), what means something else to other readers (tags,
//! directives, `0755`), and what has no exact value here (not a number, infinity). An anchor that no alias names does
//! no harm; it is lost when the document is written.

mod lost;
mod read;
mod scalar;
mod write;

use std::collections::BTreeSet;

use super::Value;

pub use lost::lost_form;
pub use read::{Reason, YamlError, read};
pub use write::write;

/// A YAML text: what it says and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yaml {
    /// What it says.
    pub value: Value,
    /// How it is written, as far as a few rules can tell.
    pub style: Style,
}

/// The style of a YAML text: what the writer keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// Columns by which a map or list is indented below the map that holds it.
    pub indent: usize,
    /// Whether lists are indented below the key that holds them.
    pub lists: Lists,
    /// What ends a line.
    pub newline: &'static str,
    /// Whether the document begins with `---`.
    pub start: Start,
    /// What follows the last value: a newline or nothing.
    pub end: &'static str,
    /// Texts that other readers may take for something else (`on`, `2001-01-01`) and that stood without quotation marks:
    /// they are written so again.
    pub plain: BTreeSet<Box<str>>,
}

/// Where the dashes of a list stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// Further right than the key that holds the list.
    Indented,
    /// Below the first letter of that key.
    Flush,
}

/// How a document begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With its value.
    Implicit,
    /// With `---`.
    Explicit,
}

/// Two columns a level, lists indented, a newline at the end.
impl Default for Style {
    fn default() -> Self {
        Self {
            indent: 2,
            lists: Lists::Indented,
            newline: "\n",
            start: Start::Implicit,
            end: "\n",
            plain: BTreeSet::new(),
        }
    }
}
