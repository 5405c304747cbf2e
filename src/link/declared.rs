//! What is declared of the hashes in objects of one kind.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Encoding, LinkError};
use crate::document::Pointer;

/// The hashes in objects of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Declared {
    /// The kind.
    pub kind: String,
    /// Where its objects refer to others.
    pub refs: Vec<Reference>,
    /// Where they hold hashes of themselves.
    pub self_hash: Vec<SelfHash>,
    /// Where somebody's signature stands.
    pub signature: Option<Signature>,
}

/// A place that holds the hash of another object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The place; `*` is each element of a list or object. What is absent or null refers to nothing.
    pub at: Pointer,
    /// The kind of object that it names.
    pub to_kind: String,
    /// What of that object is hashed.
    pub preimage: Preimage,
    /// Places of that object that are left out of the hash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Pointer>,
    /// How the hash is written.
    #[serde(default)]
    pub encoding: Encoding,
    /// The versions of the object that holds it in which this is so; all of them, if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
}

/// A place that holds a hash of the object itself. The place itself is always left out of what is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfHash {
    /// The place. An object in which nothing stands there has no such hash.
    pub at: Pointer,
    /// What is hashed.
    pub preimage: Preimage,
    /// Places that are left out of the hash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Pointer>,
    /// How the hash is written.
    #[serde(default)]
    pub encoding: Encoding,
    /// The versions in which this is so; all of them, if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
}

/// Where somebody's signature stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// An object with something at one of these places is signed.
    pub at: Vec<Pointer>,
    /// Whether the signature is taken off, which is loss, and the object migrated; a signed object is left alone
    /// otherwise.
    #[serde(default)]
    pub drop: bool,
}

/// What is hashed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preimage {
    /// The bytes of the file.
    FileBytes,
    /// The canonical CBOR of the value.
    ObjectDigest,
    /// The canonical JSON (RFC 8785) of the value.
    JcsSha256,
    /// `CBOR([tag, value])`.
    Commit(String),
    /// Nothing: the hash is the one that the object states of itself at this place.
    Stated(Pointer),
}

/// A text that names no preimage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no preimage: file_bytes, object_digest, jcs_sha256, commit:TAG and stated:POINTER are"
)]
pub struct NoPreimage(String);

impl FromStr for Preimage {
    type Err = NoPreimage;

    fn from_str(text: &str) -> Result<Self, NoPreimage> {
        let none = || NoPreimage(text.to_owned());
        match text.split_once(':') {
            None if text == "file_bytes" => Ok(Self::FileBytes),
            None if text == "object_digest" => Ok(Self::ObjectDigest),
            None if text == "jcs_sha256" => Ok(Self::JcsSha256),
            Some(("commit", tag)) if !tag.is_empty() => Ok(Self::Commit(tag.to_owned())),
            Some(("stated", place)) => place.parse().map(Self::Stated).map_err(|_| none()),
            _ => Err(none()),
        }
    }
}

impl fmt::Display for Preimage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileBytes => f.write_str("file_bytes"),
            Self::ObjectDigest => f.write_str("object_digest"),
            Self::JcsSha256 => f.write_str("jcs_sha256"),
            Self::Commit(tag) => write!(f, "commit:{tag}"),
            Self::Stated(place) => write!(f, "stated:{place}"),
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
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl Declared {
    /// Refuses what no hash can be computed of.
    pub(super) fn check(&self) -> Result<(), LinkError> {
        let refuse = |rule: String| Err(LinkError::declared(self, rule));
        for reference in &self.refs {
            let whole = matches!(reference.preimage, Preimage::FileBytes | Preimage::Stated(_));
            if whole && !reference.exclude.is_empty() {
                let (at, preimage) = (&reference.at, &reference.preimage);
                return refuse(format!("refs {at}: nothing can be excluded from {preimage}"));
            }
        }
        for own in &self.self_hash {
            if matches!(own.preimage, Preimage::FileBytes | Preimage::Stated(_)) {
                let (at, preimage) = (&own.at, &own.preimage);
                return refuse(format!("self_hash {at}: {preimage} would hash itself"));
            }
        }
        Ok(())
    }
}

impl Reference {
    pub(super) fn holds_in(&self, version: &str) -> bool {
        holds_in(&self.versions, version)
    }
}

impl SelfHash {
    pub(super) fn holds_in(&self, version: &str) -> bool {
        holds_in(&self.versions, version)
    }

    /// Everything that is left out of it, its own place included.
    pub(super) fn omitted(&self) -> Vec<Pointer> {
        self.exclude.iter().chain([&self.at]).cloned().collect()
    }
}

fn holds_in(versions: &[String], version: &str) -> bool {
    versions.is_empty() || versions.iter().any(|known| known == version)
}
