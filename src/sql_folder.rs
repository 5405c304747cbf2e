//! Folders of SQL migrations: numbered files, in the order of their numbers. [`compile`] makes a contract of one.
//!
//! Knows names and text. Opens no database and knows no ledger.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::contract::{ANYTHING, Contract, EMPTY, Edge, EdgeProof};
use crate::transform::{Sql, Step};

/// A folder of migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    migrations: Vec<Migration>,
}

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Migration {
    version: String,
    file: String,
    sql: Vec<u8>,
}

/// A folder that is not one of migrations.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The file system.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// It has no numbered script.
    #[error("{}: no file is named like 0001_name.sql", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// Two scripts of one number.
    #[error("{}: {first:?} and {second:?} have the same number", path.display())]
    Twice {
        /// The folder.
        path: PathBuf,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
}

impl Folder {
    /// Reads the folder at `dir`.
    pub fn read(dir: &Path) -> Result<Self, FolderError> {
        let io = |source| FolderError::Io { path: dir.to_owned(), source };
        let mut found: BTreeMap<u64, Migration> = BTreeMap::new();
        for entry in fs::read_dir(dir).map_err(io)? {
            let Ok(file) = entry.map_err(io)?.file_name().into_string() else { continue };
            let Some((version, number)) = number(&file) else { continue };
            let path = dir.join(&file);
            let sql = fs::read(&path).map_err(|source| FolderError::Io { path, source })?;
            let migration = Migration { version: version.to_owned(), file, sql };
            if let Some(other) = found.insert(number, migration.clone()) {
                let (path, first, second) = (dir.to_owned(), other.file, migration.file);
                return Err(FolderError::Twice { path, first, second });
            }
        }
        if found.is_empty() {
            return Err(FolderError::Empty { path: dir.to_owned() });
        }
        Ok(Self { migrations: found.into_values().collect() })
    }
}

/// The number that the name of a script begins with, as it is written and as it counts.
fn number(file: &str) -> Option<(&str, u64)> {
    let stem = file.strip_suffix(".sql")?;
    let (version, _) = stem.split_once(['_', '-'])?;
    Some((version, version.parse().ok()?))
}

/// The contract that `folder` comes to.
pub fn compile(folder: &Folder) -> Contract {
    let migrations = &folder.migrations;
    let versions = std::iter::once(EMPTY).chain(migrations.iter().map(|one| one.version.as_str()));
    let versions: Vec<String> = versions.map(str::to_owned).collect();
    let edges = migrations.iter().zip(versions.windows(2)).filter_map(|(migration, pair)| {
        let [from, to] = pair else { return None };
        Some(Edge {
            from: from.clone(),
            to: to.clone(),
            description: None,
            steps: vec![Step::Sql(Sql { script: migration.file.clone(), record: None })],
            proof: EdgeProof { adds_defaulted: Vec::new(), drops_nothing: false, invariant: None },
            lossy: vec![ANYTHING.to_owned()],
            inverse: None,
        })
    });
    let mut contract = Contract {
        contract: "sql-folder".to_owned(),
        contract_version: format!("1.{}.0", migrations.len()),
        format: "sqlite".to_owned(),
        description: None,
        files: Vec::new(),
        operator: None,
        current: versions.last().cloned().unwrap_or_default(),
        min: EMPTY.to_owned(),
        detect: Vec::new(),
        bookkeeping: None,
        parameters: BTreeMap::new(),
        definitions: None,
        schemas: BTreeMap::new(),
        edges: edges.collect(),
        versions,
        normalize: Vec::new(),
        normalize_lossy: Vec::new(),
        invariants: Vec::new(),
        refs: Vec::new(),
        self_hash: Vec::new(),
        identity: BTreeMap::new(),
        signature: None,
        scripts: migrations.iter().map(|one| (one.file.clone(), one.sql.clone())).collect(),
    };
    // A folder in which a file was edited is another version of its contract.
    let digest = contract.digest().to_string();
    contract.contract_version.push('+');
    contract.contract_version.push_str(digest.get(..16).unwrap_or_default());
    contract
}
