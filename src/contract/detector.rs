//! What a contract says about telling versions apart. Every map is closed.

use serde::{Deserialize, Serialize};

use crate::document::Value;
use crate::transform::{Kind, given};

/// One way to recognise a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// The version it recognises.
    pub version: String,
    /// What must hold.
    pub when: When,
}

/// What must hold for a detector to match: everything that is given, of the place at `path`, or of each condition in
/// `all`. Of a store the place lies in its manifest, and `equals` is a number or text; of a document anything goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The place (RFC 6901).
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The value there, digit for digit.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// The kind of the value there.
    #[serde(
        rename = "type",
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<Kind>,
    /// Nothing stands there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub absent: bool,
    /// Of a store: what the database looks like, where the manifest alone does not tell. Of a document: which keys the
    /// object at the place has.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// Conditions that must all hold, in the place of all others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<Self>,
}

/// The look of one table, or of one object of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// The table; none for an object of a document.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Columns or keys it must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<String>,
    /// Columns or keys it must not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
}

impl When {
    /// The conditions on single places: this one, or those of `all`.
    pub fn parts(&self) -> Vec<&Self> {
        if self.all.is_empty() {
            vec![self]
        } else {
            self.all.iter().flat_map(Self::parts).collect()
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_false(truth: &bool) -> bool {
    !*truth
}
