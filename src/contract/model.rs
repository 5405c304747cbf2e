//! What a contract says. Every map is closed: a key that is not here is refused.

use std::collections::BTreeMap;

use ledger_format::cbor::{self, Value};
use ledger_format::hash::{CommitHash, ContentHash};
use serde::{Deserialize, Serialize};

/// A contract, parsed and checked: versions exist, edges go up, scripts are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Its name.
    pub contract: String,
    /// Its own version (MAJOR.MINOR.PATCH).
    pub contract_version: String,
    /// What it describes; `glyph-store` for a folder of manifest, database and audit file.
    pub format: String,
    /// Version tokens from the oldest to the newest.
    pub versions: Vec<String>,
    /// The version to migrate to.
    pub current: String,
    /// The oldest version that can be read.
    pub min: String,
    /// How to tell which version a store has; exactly one must match.
    pub detect: Vec<Detector>,
    /// How to get from one version to a newer one.
    pub edges: Vec<Edge>,
    /// Bytes of every script the steps name.
    #[serde(skip)]
    pub scripts: BTreeMap<String, Vec<u8>>,
}

/// One way to recognise a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// The version it recognises.
    pub version: String,
    /// What must hold.
    pub when: When,
}

/// What must hold of a store for a detector to match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Place in the manifest (RFC 6901).
    pub path: String,
    /// The value there.
    pub equals: Scalar,
    /// What the database looks like, where the manifest alone does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
}

/// A number or text in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
}

/// The look of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// The table.
    pub table: String,
    /// Columns it must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<String>,
    /// Columns it must not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
}

/// One migration from a version to a newer one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What is promised of it.
    pub proof: EdgeProof,
    /// What it is known to lose, as `table` or `table.column`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lossy: Vec<String>,
}

/// One step of an edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// A script of SQL statements, run in one transaction.
    pub sql: String,
}

/// What an edge promises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct EdgeProof {
    /// What it adds with a default value.
    pub adds_defaulted: Vec<String>,
    /// Whether everything that was there stays.
    pub drops_nothing: bool,
}

impl Contract {
    /// `CommitHash("contract", {contract, scripts})`: what the contract means, scripts included
    /// (SPEC §8.1).
    pub fn digest(&self) -> CommitHash {
        let scripts =
            self.scripts.iter().map(|(name, bytes)| (name.as_str(), ContentHash::of(bytes)));
        let meaning =
            cbor::map([("contract", as_value(self)), ("scripts", Value::Map(scripts.collect()))]);
        CommitHash::of("contract", &meaning)
    }

    /// `CommitHash("contract_edge", {edge, scripts})` with the hashes of the edge's own scripts.
    pub fn edge_digest(&self, edge: &Edge) -> CommitHash {
        let scripts = edge.steps.iter().filter_map(|step| {
            let bytes = self.scripts.get(&step.sql)?;
            Some((step.sql.as_str(), ContentHash::of(bytes)))
        });
        let meaning =
            cbor::map([("edge", as_value(edge)), ("scripts", Value::Map(scripts.collect()))]);
        CommitHash::of("contract_edge", &meaning)
    }

    /// Position of a version token, from the oldest.
    pub fn position(&self, version: &str) -> Option<usize> {
        self.versions.iter().position(|token| token == version)
    }
}

fn as_value(item: &impl Serialize) -> Value {
    // A contract is made of text, integers, booleans and lists, all of which can be encoded.
    cbor::to_value(item).unwrap_or(Value::Null)
}
