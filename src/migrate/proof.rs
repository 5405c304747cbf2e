//! Migration proofs: what was seen of one migration of one document, by whom it can be seen again.
//!
//! A proof says which bytes become which bytes under which contract, and which properties that was seen to have. It holds no
//! time, place, actor or position in a ledger: whoever has the document and the contract makes the same one, byte for byte.
//! Knows documents and schemas; how a document is migrated comes in as a [`Migration`]. Only `file` knows files.

mod document;
mod file;
mod generated;
mod prove;
mod seen;
#[cfg(test)]
mod tests;
mod told;
mod tree;

use std::fmt;

use ledger_format::cbor::{self, Value as Cbor};
use ledger_format::hash::{CommitHash, ContentHash};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::document::{Pointer, Value};

pub use document::DocumentMigration;
#[cfg(test)]
pub(super) use file::parse;
pub use file::{FOLDER, Kept, ProofFileError, keep, load};
pub use generated::Generated;
pub use prove::{Migrated, Migration, ProveError, Views, differences, proof_of, prove};
pub use seen::{Followed, appends_only, undeclared};
pub use tree::{Proven, TreeProver};

/// What a proof says it is.
pub const SCHEMA: &str = "glyph-ledger/migration-proof/0";

/// How many lost values a proof lists; their hash is over all of them.
pub const LOSS_LISTED_MAX: usize = 100;

/// How many witnesses against one property a proof names.
pub const WITNESSES_MAX: usize = 20;

/// What was seen of one migration of one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// [`SCHEMA`].
    pub schema: String,
    /// The contract it was migrated by.
    pub contract: ContractName,
    /// What became of it.
    pub status: Status,
    /// The version it had.
    pub from: String,
    /// The version it has.
    pub to: String,
    /// The versions in between, both ends included.
    pub chain: Vec<String>,
    /// Digests of the edges walked.
    pub edges: Vec<CommitHash>,
    /// Digests of the steps run, in order, the normalisation's last.
    pub steps: Vec<CommitHash>,
    /// Hash of the policy.
    pub policy: CommitHash,
    /// The bytes it was made from.
    pub source: ContentHash,
    /// The bytes that applying writes; none if what came out of the steps is refused.
    pub result: Option<ContentHash>,
    /// What is lost on the way.
    pub loss: Loss,
    /// What was seen.
    pub observed: Observed,
    /// What had to be seen for the proof to pass.
    pub required: Vec<Property>,
    /// What shows that a property does not hold, at most [`WITNESSES_MAX`] for each, in the order of properties.
    pub witnesses: Vec<Witness>,
    /// What was seen of generated documents, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cases: Option<Cases>,
    /// What kept the document from being migrated, or its result from being valid.
    pub errors: Vec<String>,
    /// Whether all that is required was seen, of this document and of every generated one.
    pub pass: bool,
}

/// Which contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractName {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Its digest.
    pub digest: CommitHash,
}

/// What becomes of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is what it should be.
    Current,
    /// Its version is current, and normalisation changes it.
    Normalized,
    /// It is migrated.
    Migrated,
    /// It cannot be.
    Unsupported,
}

/// What is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// How many values.
    pub values: u64,
    /// `CommitHash("migration_loss", …)` over all of them (SPEC §8.4).
    pub hash: CommitHash,
    /// Where the first [`LOSS_LISTED_MAX`] of them stood.
    pub first: Vec<Pointer>,
}

/// A property of a migration of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Property {
    /// The result is valid by the schema of its version, if there is one.
    ValidatesAtCurrent,
    /// Every key, element and value of the source is in the result, in its place. The version is exempt.
    AppendOnly,
    /// Migrating the result changes nothing.
    Idempotent,
    /// The source's bytes are afterwards what they were.
    SourceImmutable,
    /// Migrating again, on another thread, gives the same bytes.
    Deterministic,
    /// The inverse gives the source back.
    RoundTrips,
    /// Nothing was added or lost but what the contract says.
    DeclaredMatchesObserved,
}

/// Something that shows that a property does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// The property.
    pub property: Property,
    /// Where in the document; the root where it concerns the whole.
    pub path: Pointer,
    /// What is seen there.
    pub told: String,
}

/// What was seen of each property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the properties, which say what they mean")]
pub struct Observed {
    pub validates_at_current: Seen,
    pub append_only: Seen,
    pub idempotent: Seen,
    pub source_immutable: Seen,
    pub deterministic: Seen,
    pub round_trips: Seen,
    pub declared_matches_observed: Seen,
}

/// What was seen of one property: written as `true`, `false` or `"not_applicable"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// There is nothing it could hold of.
    NotApplicable,
}

/// What was seen of documents made from the schema of the source's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// How many were asked for.
    pub asked: u64,
    /// How many were looked at: fewer if one failed.
    pub checked: u64,
    /// The first that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterexample: Option<Counterexample>,
}

/// A document that the schema allows and of which something required does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counterexample {
    /// Number of the case.
    pub case: u64,
    /// What does not hold; nothing where the document is not migrated at all.
    pub fails: Vec<Property>,
    /// Why it is not migrated.
    pub errors: Vec<String>,
    /// The document, made as small as it still fails.
    pub document: Value,
}

impl Proof {
    /// SHA-256 of the proof's canonical CBOR: the name it is kept under.
    pub fn fingerprint(&self) -> ContentHash {
        // A proof is made of text, integers, booleans, lists and hashes, all of which can be encoded.
        ContentHash::of(&cbor::to_value(self).unwrap_or(Cbor::Null).encode())
    }

    /// The required properties that were not seen to hold.
    pub fn missing(&self) -> Vec<Property> {
        let holds = |property: &Property| self.observed.of(*property) == Seen::Holds;
        self.required.iter().filter(|property| !holds(property)).copied().collect()
    }

    /// Whether all that [`Proof::pass`] stands for is so.
    pub(super) fn passes(&self) -> bool {
        let cases = |cases: &Cases| cases.counterexample.is_none() && cases.checked == cases.asked;
        self.result.is_some()
            && self.errors.is_empty()
            && self.missing().is_empty()
            && self.cases.as_ref().is_none_or(cases)
    }
}

impl Observed {
    /// What was seen of `property`.
    pub const fn of(&self, property: Property) -> Seen {
        match property {
            Property::ValidatesAtCurrent => self.validates_at_current,
            Property::AppendOnly => self.append_only,
            Property::Idempotent => self.idempotent,
            Property::SourceImmutable => self.source_immutable,
            Property::Deterministic => self.deterministic,
            Property::RoundTrips => self.round_trips,
            Property::DeclaredMatchesObserved => self.declared_matches_observed,
        }
    }
}

impl Property {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 7] = [
        Self::ValidatesAtCurrent,
        Self::AppendOnly,
        Self::Idempotent,
        Self::SourceImmutable,
        Self::Deterministic,
        Self::RoundTrips,
        Self::DeclaredMatchesObserved,
    ];

    /// Its name, as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ValidatesAtCurrent => "validatesAtCurrent",
            Self::AppendOnly => "appendOnly",
            Self::Idempotent => "idempotent",
            Self::SourceImmutable => "sourceImmutable",
            Self::Deterministic => "deterministic",
            Self::RoundTrips => "roundTrips",
            Self::DeclaredMatchesObserved => "declaredMatchesObserved",
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const NOT_APPLICABLE: &str = "not_applicable";

impl From<bool> for Seen {
    fn from(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Holds => to.serialize_bool(true),
            Self::Fails => to.serialize_bool(false),
            Self::NotApplicable => to.serialize_str(NOT_APPLICABLE),
        }
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Seen;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "true, false or {NOT_APPLICABLE:?}")
            }

            fn visit_bool<E>(self, holds: bool) -> Result<Seen, E> {
                Ok(holds.into())
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Seen, E> {
                match text {
                    NOT_APPLICABLE => Ok(Seen::NotApplicable),
                    _ => Err(E::custom(format_args!(
                        "{text:?} is neither true, false nor {NOT_APPLICABLE:?}"
                    ))),
                }
            }
        }
        from.deserialize_any(Any).map_err(D::Error::custom)
    }
}
