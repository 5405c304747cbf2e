//! What a contract says about hashes in its documents: of other objects, and of the document itself. Every map is closed.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::pattern::Pattern;
use crate::document::Pointer;

/// Places that hold the hash of another object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Where the hash stands.
    pub at: Pattern,
    /// The contract of the objects it may be of.
    pub to_kind: String,
    /// What was hashed.
    pub preimage: Preimage,
    /// Places of the other object that are left out before hashing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Pattern>,
    /// How the hash is written.
    pub encoding: Encoding,
    /// The versions of the document in which this is so; all, if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
}

/// A place that holds the hash of the document it stands in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfHash {
    /// Where the hash stands.
    pub at: Pattern,
    /// What was hashed.
    pub preimage: Preimage,
    /// The part of the document that is hashed; the whole, if it is not given.
    #[serde(default, skip_serializing_if = "is_root")]
    pub of: Pointer,
    /// Places that are left out before hashing; the hash's own must be one of them, if it lies in that part.
    pub exclude: Vec<Pattern>,
    /// How the hash is written.
    pub encoding: Encoding,
    /// The versions of the document in which this is so; all, if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
}

/// Objects that somebody signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Where signatures stand. A document that has one of them is signed.
    pub at: Vec<Pattern>,
    /// Whether a migration takes signatures away, which is loss; otherwise signed documents stay as they are.
    pub drop: bool,
}

/// What is hashed. Written as text, the last two with a tag and a place: `commit:checkpoint_header`,
/// `stated:/trace_final_hash`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preimage {
    /// The bytes of the object's file.
    FileBytes,
    /// The object's canonical CBOR.
    ObjectDigest,
    /// The object's canonical JSON (RFC 8785).
    JcsSha256,
    /// The object's canonical CBOR in a list behind a tag that says what it is.
    Commit(String),
    /// Nothing: the hash is the one that the object holds itself at this place.
    Stated(Pointer),
}

/// How a hash is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// 64 lower-case hex digits.
    Hex,
    /// `sha256:` and 64 lower-case hex digits.
    Sha256Hex,
    /// A byte string of CBOR.
    Bytes,
    /// Base64 with padding (RFC 4648, section 4).
    Base64,
}

fn is_root(place: &Pointer) -> bool {
    place.tokens().is_empty()
}

const COMMIT: &str = "commit:";
const STATED: &str = "stated:";

impl fmt::Display for Preimage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileBytes => f.write_str("file_bytes"),
            Self::ObjectDigest => f.write_str("object_digest"),
            Self::JcsSha256 => f.write_str("jcs_sha256"),
            Self::Commit(tag) => write!(f, "{COMMIT}{tag}"),
            Self::Stated(place) => write!(f, "{STATED}{place}"),
        }
    }
}

impl Serialize for Preimage {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Preimage {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if let Some(place) = text.strip_prefix(STATED) {
            return place.parse().map(Self::Stated).map_err(D::Error::custom);
        }
        match (text.as_str(), text.strip_prefix(COMMIT)) {
            ("file_bytes", _) => Ok(Self::FileBytes),
            ("object_digest", _) => Ok(Self::ObjectDigest),
            ("jcs_sha256", _) => Ok(Self::JcsSha256),
            (_, Some(tag)) if !tag.is_empty() => Ok(Self::Commit(tag.to_owned())),
            _ => Err(D::Error::custom(format_args!(
                "{text:?} is none of file_bytes, object_digest, jcs_sha256, commit:TAG and stated:POINTER"
            ))),
        }
    }
}
