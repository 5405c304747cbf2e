//! Documents with exactly what was written in them: the digits of every number, the order of every key, the style of the
//! text. What was not touched is written again as it was read.
//!
//! Knows no file, no contract and no hash. Nothing here rounds, sorts or normalises, but for the canonical forms that others
//! hash ([`canonical`]).

pub mod canonical;
pub mod cbor;
mod format;
pub mod json;
pub mod jsonl;
mod list;
mod lost_form;
mod map;
mod number;
mod pointer;
mod serial;
mod unwritable;
pub mod yaml;

use std::sync::Arc;

use ecow::EcoString;

pub use format::{DOCUMENT_BYTES_MAX, Document, Form, Format, Place, ReadError, ReadReason};
pub use list::List;
pub use lost_form::{FormKind, LostForm};
pub use map::{Key, Map};
pub use number::Number;
pub use pointer::{Pointer, PointerError};
pub use unwritable::{Unwritable, WriteError};

/// A value of a document.
///
/// Clones share the memory of texts, lists and maps. What is changed in one of them is copied then, level by level from the
/// root to the place that changes, so that keeping what a document was costs little more than what differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`: a value of its own, never "absent".
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, with the digits it was written with: `1`, `1.0` and `1e0` are three values.
    Number(Number),
    /// Text, never normalised.
    Text(EcoString),
    /// Bytes, as CBOR has them. Formats of text have no form for them and refuse to write them.
    Bytes(Box<[u8]>),
    /// Values in order.
    List(List),
    /// Values under names, in the order in which they stand.
    Map(Arc<Map>),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<EcoString>) -> Self {
        Self::Text(text.into())
    }

    /// What kind of value this is, as messages call it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }

    /// The map, if this is one.
    pub fn as_map(&self) -> Option<&Map> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// The map, if this is one, to change it.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        if let Self::Map(map) = self { Some(Arc::make_mut(map)) } else { None }
    }

    /// The values of the list, if this is one.
    pub fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(values) = self { Some(values) } else { None }
    }

    /// The text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<Vec<Self>> for Value {
    fn from(values: Vec<Self>) -> Self {
        Self::List(values.into())
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(Arc::new(map))
    }
}
