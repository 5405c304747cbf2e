//! What a contract says. Every map is closed: a key that is not here is refused.

use std::collections::{BTreeMap, BTreeSet};

use ledger_format::cbor::{self, Value};
use ledger_format::hash::{CommitHash, ContentHash};
use serde::{Deserialize, Serialize};

use super::detector::Detector;
use super::pattern::Pattern;
use super::reference::{Reference, SelfHash, Signature};
use crate::document::Pointer;
use crate::transform::{JqError, Programs, Sql, Step, given};

/// A contract, parsed and checked: versions exist, edges go up, files are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Its name: the kind of object it describes.
    pub contract: String,
    /// Its own version (MAJOR.MINOR.PATCH).
    pub contract_version: String,
    /// How its objects are written: the name of a [`Format`].
    pub format: String,
    /// What it is about, for people.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Which files of a tree are of this kind, as globs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// The operator that its runs name in their certificates.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Version tokens from the oldest to the newest.
    pub versions: Vec<String>,
    /// The version to migrate to.
    pub current: String,
    /// The oldest version that can be read.
    pub min: String,
    /// How to tell which version an object has; exactly one must match. Of a database there may be none: the ledger
    /// knows then.
    pub detect: Vec<Detector>,
    /// Of a database: the table by which another tool keeps account of its migrations.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub bookkeeping: Option<Bookkeeping>,
    /// Values that are given from outside, and what each is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// A file beside the contract with functions of jq that all its programs can use.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub definitions: Option<String>,
    /// JSON Schemas of versions: files beside the contract.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schemas: BTreeMap<String, String>,
    /// How to get from one version to a newer one.
    pub edges: Vec<Edge>,
    /// What is done with every document once it is at the current version, also if it was there already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub normalize: Vec<Step>,
    /// What the normalisation is known to lose: [`Pattern`]s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub normalize_lossy: Vec<String>,
    /// What must hold between a document before and after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invariants: Vec<Invariant>,
    /// Hashes of other objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refs: Vec<Reference>,
    /// Hashes of the document itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub self_hash: Vec<SelfHash>,
    /// Lists whose elements are told apart by a key, when what a program changed is worked out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub identity: BTreeMap<Pattern, Pointer>,
    /// Where signatures stand, and what becomes of signed objects.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Bytes of every file that steps and schemas name.
    #[serde(skip)]
    pub scripts: BTreeMap<String, Vec<u8>>,
}

/// The first version of contracts that begin with a database in which there is nothing.
pub const EMPTY: &str = "none";

/// What an edge of a database declares as lossy whose author did not say what it loses. It is measured all the same, and
/// asks for the plan's id.
pub const ANYTHING: &str = "*";

/// The table by which another tool keeps account of the migrations of a database. It tells the database's version, and
/// what changes in it is no loss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bookkeeping {
    /// The tool.
    pub tool: String,
    /// Its table.
    pub table: String,
}

/// How the objects of a contract are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One JSON value.
    Json,
    /// One JSON value a line.
    Jsonl,
    /// One YAML document.
    Yaml,
    /// One item of CBOR.
    Cbor,
    /// An SQLite database.
    Sqlite,
    /// A folder of manifest, database and audit file.
    GlyphStore,
}

/// One migration from a version to a newer one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
    /// What it is about, for people.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What is promised of it.
    pub proof: EdgeProof,
    /// What it is known to lose: of databases `table`, `table.column` or [`ANYTHING`], of documents a [`Pattern`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lossy: Vec<String>,
    /// Steps that take it back, where those that follow from `steps` are not the ones meant.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub inverse: Option<Vec<Step>>,
}

/// What an edge promises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct EdgeProof {
    /// What it adds with a default value: of databases `table.column`, of documents a [`Pattern`].
    pub adds_defaulted: Vec<String>,
    /// Whether everything that was there stays.
    pub drops_nothing: bool,
    /// The promise in words.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub invariant: Option<String>,
}

/// What must hold between a document before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invariant {
    /// Its name, which a verdict is recorded under.
    pub id: String,
    /// A jq program on `{source, target}` that gives true or false.
    pub expr: String,
    /// The places of `{source, target}` that the program sees (`*` in a place: each element, each value); all, if this is not
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<Vec<Pointer>>,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Json, Self::Jsonl, Self::Yaml, Self::Cbor, Self::Sqlite, Self::GlyphStore];

    /// Its name in a contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Yaml => "yaml",
            Self::Cbor => "cbor",
            Self::Sqlite => "sqlite",
            Self::GlyphStore => "glyph-store",
        }
    }

    /// The format of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether its objects are documents, which steps other than SQL work on.
    pub const fn is_document(self) -> bool {
        !matches!(self, Self::Sqlite | Self::GlyphStore)
    }
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

    /// `CommitHash("contract_edge", {edge, scripts})` with the hashes of the edge's own files, and of the definitions.
    pub fn edge_digest(&self, edge: &Edge) -> CommitHash {
        let scripts = self.hashes(edge.files().chain(self.definitions.as_deref()));
        CommitHash::of(
            "contract_edge",
            &cbor::map([("edge", as_value(edge)), ("scripts", scripts)]),
        )
    }

    /// `CommitHash("contract_normalize", {scripts, normalize})`: what is done at the current version, with its files.
    pub fn normalize_digest(&self) -> CommitHash {
        let files = self.normalize.iter().flat_map(Step::files);
        let scripts = self.hashes(files.chain(self.definitions.as_deref()));
        let meaning = cbor::map([("normalize", as_value(&self.normalize)), ("scripts", scripts)]);
        CommitHash::of("contract_normalize", &meaning)
    }

    /// Hashes of those of the files that are there.
    fn hashes<'a>(&self, names: impl Iterator<Item = &'a str>) -> Value {
        let hash = |name| Some((name, ContentHash::of(self.scripts.get(name)?)));
        Value::Map(names.filter_map(hash).collect())
    }

    /// Its format; `None` for one that this program does not know.
    pub fn format(&self) -> Option<Format> {
        Format::find(&self.format)
    }

    /// Whether its objects are documents.
    pub fn is_of_documents(&self) -> bool {
        self.format().is_some_and(Format::is_document)
    }

    /// The functions of jq that all its programs can use.
    pub fn definitions_text(&self) -> Result<&str, JqError> {
        let definitions = self.definitions.as_ref().and_then(|name| self.scripts.get(name));
        std::str::from_utf8(definitions.map_or(&[], Vec::as_slice))
            .map_err(|_| JqError::Program("its definitions are not UTF-8".to_owned()))
    }

    /// Every jq program of its edges and of its normalisation, compiled.
    pub fn programs(&self) -> Result<Programs, JqError> {
        let definitions = self.definitions_text()?;
        let edges = self.edges.iter();
        let edges = edges.flat_map(|edge| edge.steps.iter().chain(edge.inverse.iter().flatten()));
        let steps: Vec<Step> = edges.chain(&self.normalize).cloned().collect();
        Programs::with_definitions(&steps, &self.scripts, definitions)
    }

    /// Every file that steps and schemas name, and the definitions.
    pub fn files(&self) -> BTreeSet<&str> {
        let steps = self.normalize.iter().flat_map(Step::files);
        let schemas = self.schemas.values().map(String::as_str);
        let definitions = self.definitions.as_deref();
        self.edges
            .iter()
            .flat_map(Edge::files)
            .chain(steps)
            .chain(schemas)
            .chain(definitions)
            .collect()
    }

    /// Position of a version token, from the oldest.
    pub fn position(&self, version: &str) -> Option<usize> {
        self.versions.iter().position(|token| token == version)
    }
}

impl Edge {
    /// Its name in messages.
    pub fn name(&self) -> String {
        format!("{} \u{2192} {}", self.from, self.to)
    }

    /// The SQL it runs, in order.
    pub fn sql(&self) -> impl Iterator<Item = &Sql> {
        self.steps.iter().filter_map(Step::sql)
    }

    /// Every file that its steps name.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().chain(self.inverse.iter().flatten()).flat_map(Step::files)
    }
}

fn as_value(item: &impl Serialize) -> Value {
    // A contract is made of text, integers, booleans and lists, all of which can be encoded.
    cbor::to_value(item).unwrap_or(Value::Null)
}
