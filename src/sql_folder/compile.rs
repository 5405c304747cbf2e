//! A folder as a contract: one edge a migration, its script the one step, and beside it the script that writes the row into
//! the tool's books.

use std::collections::BTreeMap;

use ledger_format::cbor::Value;
use ledger_format::hash::ContentHash;

use super::books::Books;
use super::folder::{Folder, Migration, Script, Transaction};
use super::record;
use crate::contract::{ANYTHING, Bookkeeping, Contract, EMPTY, Edge, EdgeProof, Format, Step};
use crate::transform::{ForeignKeyMode, Sql};

/// The name of the contract of every folder.
pub const CONTRACT: &str = "sql-folder";

/// How much of the hash of all scripts stands in a contract's version, in hexadecimal digits.
const HASH_DIGITS: usize = 16;

/// The contract that migrates a database as `folder` says, and keeps `books` if they are given. Foreign keys are `keys` in
/// every script.
///
/// Nothing is promised of any edge: what it loses is measured.
pub fn compile(folder: &Folder, books: Option<&Books>, keys: ForeignKeyMode) -> Contract {
    let mut scripts = BTreeMap::new();
    let mut edges = Vec::new();
    let mut before: Option<&Migration> = None;
    for migration in &folder.migrations {
        edges.push(edge(migration, before, (books, keys), &mut scripts));
        before = Some(migration);
    }
    let tokens = folder.migrations.iter().map(|migration| migration.version.clone());
    let versions: Vec<String> = std::iter::once(EMPTY.to_owned()).chain(tokens).collect();
    Contract {
        contract: CONTRACT.to_owned(),
        contract_version: version(&versions, &scripts, keys),
        format: Format::Sqlite.name().to_owned(),
        description: Some(format!(
            "A folder of SQL migrations, laid out as {}.",
            folder.layout.name()
        )),
        files: Vec::new(),
        operator: None,
        current: versions.last().cloned().unwrap_or_default(),
        min: EMPTY.to_owned(),
        versions,
        detect: Vec::new(),
        bookkeeping: books.map(|books| Bookkeeping {
            tool: books.tool().name().to_owned(),
            table: books.tool().table().to_owned(),
        }),
        parameters: BTreeMap::new(),
        definitions: None,
        schemas: BTreeMap::new(),
        edges,
        normalize: Vec::new(),
        normalize_lossy: Vec::new(),
        invariants: Vec::new(),
        refs: Vec::new(),
        self_hash: Vec::new(),
        identity: BTreeMap::new(),
        signature: None,
        scripts,
    }
}

/// `1.COUNT.0+HASH`: the hash is that of versions and scripts, so that an edited script is another version; and of what
/// becomes of foreign keys, unless they are on.
fn version(
    versions: &[String],
    scripts: &BTreeMap<String, Vec<u8>>,
    keys: ForeignKeyMode,
) -> String {
    let hashes = scripts.iter().map(|(name, bytes)| (name.as_str(), ContentHash::of(bytes)));
    let count = versions.len().saturating_sub(1);
    let versions = Value::Array(versions.iter().map(|version| version.as_str().into()).collect());
    let told = [("versions", versions), ("scripts", Value::Map(hashes.collect()))].into_iter();
    let keys = Some(keys).filter(|keys| *keys != ForeignKeyMode::On);
    let keys = keys.map(|keys| ("foreign_keys", Value::from(keys.name())));
    let all = Value::Map(told.chain(keys).collect());
    let hash = ContentHash::of(&all.encode()).to_string();
    format!("1.{count}.0+{}", hash.get(..HASH_DIGITS).unwrap_or(&hash))
}

fn edge(
    migration: &Migration,
    before: Option<&Migration>,
    (books, keys): (Option<&Books>, ForeignKeyMode),
    scripts: &mut BTreeMap<String, Vec<u8>>,
) -> Edge {
    let below = before.map(|before| before.version.as_str());
    let up = books.map(|books| record::written(books, migration, before.is_none()));
    let steps = vec![step(&migration.up, up, keys, scripts)];
    let inverse = migration.down.as_ref().map(|down| {
        let back = books.map(|books| record::taken_back(books, migration, below));
        vec![step(down, back, keys, scripts)]
    });
    Edge {
        from: below.unwrap_or(EMPTY).to_owned(),
        to: migration.version.clone(),
        description: Some(migration.name.clone()).filter(|name| !name.is_empty()),
        steps,
        proof: EdgeProof { adds_defaulted: Vec::new(), drops_nothing: false, invariant: None },
        lossy: vec![ANYTHING.to_owned()],
        inverse,
    }
}

/// The step that runs `script`, and after it the SQL that keeps the books.
fn step(
    script: &Script,
    books: Option<String>,
    foreign_keys: ForeignKeyMode,
    scripts: &mut BTreeMap<String, Vec<u8>>,
) -> Step {
    scripts.insert(script.name.clone(), script.sql.clone().into_bytes());
    let record = books.map(|sql| {
        let name = format!("{} (record)", script.name);
        scripts.insert(name.clone(), sql.into_bytes());
        name
    });
    let no_transaction = script.transaction == Transaction::None;
    Step::Sql(Sql { script: script.name.clone(), record, no_transaction, foreign_keys })
}
