//! What a format cannot write. Every writer refuses it by its place; none writes something like it instead.

use super::{Number, Pointer};

/// A value that the format has no form for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", if path.tokens().is_empty() { "the document".to_owned() } else { path.to_string() })]
pub struct WriteError {
    /// Where it stands.
    pub path: Pointer,
    /// Why it cannot be written.
    pub reason: Unwritable,
}

/// Why a value cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unwritable {
    /// Bytes, in a format that has text only.
    #[error("{0} has no form for bytes")]
    Bytes(&'static str),
    /// Nested deeper than any reader goes.
    #[error("nested deeper than {} levels", super::json::DEPTH_MAX)]
    Depth,
    /// A number that the format would have to round.
    #[error(
        "{0} is neither an integer from -2^63 to 2^64-1 nor the shortest form of a 64-bit float"
    )]
    Number(Number),
    /// A document that is no list, in a format of one value a line.
    #[error("lines of JSON are a list, and here stands {0}")]
    NoList(&'static str),
}

impl WriteError {
    /// An error at the value that is being written.
    pub(super) fn here(reason: Unwritable) -> Self {
        Self { path: Pointer::default(), reason }
    }

    /// The same error, as seen from the value that holds its place under `token`.
    pub(super) fn within(self, token: &str) -> Self {
        Self { path: self.path.under(&Pointer::default().below(token)), reason: self.reason }
    }
}
