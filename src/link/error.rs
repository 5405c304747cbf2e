//! Links that are refused.

use ledger_format::hash::hex;

use super::Hash;
use crate::diagnostic::{self, Code};
use crate::document::canonical::NoForm;
use crate::document::{Pointer, WriteError};

/// A link that is refused. Objects are named as whoever took them into the census named them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// A declaration contradicts itself or the others.
    #[error("{kind}: {rule}")]
    Declared {
        /// The kind it is of.
        kind: String,
        /// What is wrong.
        rule: String,
    },
    /// A kind that nothing was declared of.
    #[error("{kind} is no declared kind")]
    UnknownKind {
        /// The kind.
        kind: String,
    },
    /// The declared references lead in a circle.
    #[error("no hash can be computed first: {}", .circle.join(" needs "))]
    Cycle {
        /// What needs what; the last is the first again.
        circle: Vec<String>,
    },
    /// A place that must hold a hash holds something else.
    #[error("{object} {place}: expected {expected}")]
    NoHash {
        /// The object.
        object: String,
        /// The place.
        place: Pointer,
        /// What should stand there.
        expected: &'static str,
    },
    /// Something of an object cannot be hashed.
    #[error("{object} {reason}")]
    NoForm {
        /// The object.
        object: String,
        /// Where and why.
        reason: NoForm,
    },
    /// The object cannot be written in its format.
    #[error("{object} {reason}")]
    Unwritable {
        /// The object.
        object: String,
        /// Where and why.
        reason: WriteError,
    },
    /// A hash that an object holds of itself is not that of its content.
    #[error(
        "{object} {place}: states {}, its content has {}: it was changed and not hashed again",
        hex(stated),
        hex(present)
    )]
    StaleSelf {
        /// The object.
        object: String,
        /// The place.
        place: Pointer,
        /// The hash that stands there.
        stated: Hash,
        /// The hash of the content.
        present: Hash,
    },
    /// A reference names an object as it was, or under another hash than the one declared.
    #[error("{object} {place}: {} is not the present hash of {target}: {reason}", hex(stated))]
    StaleReference {
        /// The object that refers.
        object: String,
        /// The place.
        place: Pointer,
        /// The object that it once named.
        target: String,
        /// The hash that stands there.
        stated: Hash,
        /// How it is known that this object is meant.
        reason: &'static str,
    },
    /// A reference names nothing in the set.
    #[error("{object} {place}: no {to_kind} here has the hash {}", hex(stated))]
    Dangling {
        /// The object that refers.
        object: String,
        /// The place.
        place: Pointer,
        /// The kind of what is missing.
        to_kind: String,
        /// The hash that stands there.
        stated: Hash,
    },
    /// A reference fits several objects that do not have one new hash.
    #[error(
        "{object} {place}: {} is the hash of several objects whose new hashes differ: {}",
        hex(stated),
        .targets.join(", ")
    )]
    Ambiguous {
        /// The object that refers.
        object: String,
        /// The place.
        place: Pointer,
        /// The objects that it fits.
        targets: Vec<String>,
        /// The hash that stands there.
        stated: Hash,
    },
}

impl LinkError {
    /// The registered code.
    pub const fn code(&self) -> &'static Code {
        match self {
            Self::Declared { .. } | Self::UnknownKind { .. } => &diagnostic::CONTRACT_INVALID,
            Self::Cycle { .. } => &diagnostic::LINK_CYCLE,
            Self::NoHash { .. } | Self::NoForm { .. } | Self::Unwritable { .. } => {
                &diagnostic::LINK_INVALID
            }
            Self::StaleSelf { .. } | Self::StaleReference { .. } => &diagnostic::LINK_STALE,
            Self::Dangling { .. } => &diagnostic::LINK_DANGLING,
            Self::Ambiguous { .. } => &diagnostic::LINK_AMBIGUOUS,
        }
    }

    /// The place in the document, if one is to blame.
    pub const fn place(&self) -> Option<&Pointer> {
        match self {
            Self::NoHash { place, .. }
            | Self::StaleSelf { place, .. }
            | Self::StaleReference { place, .. }
            | Self::Dangling { place, .. }
            | Self::Ambiguous { place, .. } => Some(place),
            Self::NoForm { reason, .. } => Some(&reason.place),
            _ => None,
        }
    }
}
