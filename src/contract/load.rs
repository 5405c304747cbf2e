//! Reading a contract: from a file with its scripts beside it, or from bytes already at hand.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::model::{Contract, Format};
use super::rules;

/// Longest contract or script, in bytes. A script is held in memory while it runs.
const TEXT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Deepest nesting of a contract's text.
pub(super) const DEPTH_MAX: usize = 60;

/// Most values in a contract's text.
const NODES_MAX: usize = 4_000_000;

/// A contract that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// A file of it cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Not YAML or JSON of the contract's schema.
    #[error("{name}: {reason}")]
    Syntax {
        /// The contract's file.
        name: String,
        /// What is wrong and where.
        reason: String,
    },
    /// It contradicts itself.
    #[error("{name}: {rule}")]
    Rule {
        /// The contract's file.
        name: String,
        /// The rule it breaks.
        rule: String,
    },
}

/// Loads the contract at `path`; the files it names are looked up relative to its folder and may not leave it.
pub fn load_file(path: &Path) -> Result<Contract, ContractError> {
    let name = path.display().to_string();
    let text = read(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut scripts = BTreeMap::new();
    for file in parse(&name, &text)?.files() {
        let inside = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside || file.is_empty() {
            let rule = format!("file {file:?} lies outside the contract's folder");
            return Err(ContractError::Rule { name, rule });
        }
        scripts.insert(file.to_owned(), read(&folder.join(file))?);
    }
    load_bytes(&name, &text, scripts)
}

/// Parses a contract whose files are at hand. `name` is for messages.
pub fn load_bytes(
    name: &str,
    text: &[u8],
    scripts: BTreeMap<String, Vec<u8>>,
) -> Result<Contract, ContractError> {
    let contract = Contract { scripts, ..parse(name, text)? };
    if contract.format().is_none() {
        let known = Format::ALL.map(Format::name).join(", ");
        let rule = format!("format {:?} is none of {known}", contract.format);
        return Err(ContractError::Rule { name: name.to_owned(), rule });
    }
    checked(name, contract)
}

/// The contract, unless it contradicts itself. One that a ledger holds may be of a format from before they were closed;
/// it then has what a store has.
pub(super) fn checked(name: &str, contract: Contract) -> Result<Contract, ContractError> {
    match rules::breaches(&contract).into_iter().next() {
        None => Ok(contract),
        Some(breach) => {
            Err(ContractError::Rule { name: name.to_owned(), rule: breach.to_string() })
        }
    }
}

fn parse(name: &str, text: &[u8]) -> Result<Contract, ContractError> {
    let syntax = |reason| ContractError::Syntax { name: name.to_owned(), reason };
    let text = std::str::from_utf8(text).map_err(|error| syntax(error.to_string()))?;
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| syntax(error.to_string()))
}

/// YAML as this program reads it: `yes` is a text, and a ladder of tens of thousands of edges is no attack.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 2 * NODES_MAX,
        },
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ContractError> {
    let io = |source| ContractError::Io { path: path.to_owned(), source };
    if fs::metadata(path).map_err(io)?.len() > TEXT_BYTES_MAX {
        return Err(io(io::Error::other(format!("longer than {TEXT_BYTES_MAX} bytes"))));
    }
    fs::read(path).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
contract: c
contract_version: 1.0.0
format: glyph-store
versions: ['1', '2']
current: '2'
min: '1'
detect:
  - {version: '1', when: {path: /store/version, equals: 1}}
  - {version: '2', when: {path: /store/version, equals: 2}}
edges:
  - from: '1'
    to: '2'
    steps: [{sql: two.sql}]
    proof: {addsDefaulted: [], dropsNothing: true}
";

    fn load(text: &str) -> Result<Contract, String> {
        let scripts = [("two.sql".to_owned(), b"SELECT 1".to_vec())].into();
        load_bytes("c.yaml", text.as_bytes(), scripts).map_err(|error| error.to_string())
    }

    #[test]
    fn a_contract_loads_and_its_digests_follow_its_meaning() {
        let contract = load(TEXT).unwrap();
        let spaced = load(&TEXT.replace("current: '2'", "current:    '2'   # comment")).unwrap();
        assert_eq!(contract.digest(), spaced.digest());
        let mut edited = contract.clone();
        edited.scripts.insert("two.sql".into(), b"SELECT 2".to_vec());
        assert_ne!(contract.digest(), edited.digest());
        let edge = &contract.edges[0];
        assert_ne!(contract.edge_digest(edge), edited.edge_digest(edge));
    }

    #[test]
    fn every_contradiction_is_named() {
        for (from, to, expected) in [
            ("min: '1'", "min: '1'\nextra: 1", "extra"),
            ("min: '1'", "min: '9'", "`min` \"9\" is not one of `versions`"),
            ("['1', '2']", "['1', '2', '2']", "stands twice"),
            ("['1', '2']", "['1', '2', '3']", "no detector recognises version \"3\""),
            ("from: '1'", "from: '2'", "does not go up"),
            ("two.sql", "three.sql", "which is not there"),
            ("dropsNothing: true}", "dropsNothing: true}\n    lossy: [a.b]", "declares loss"),
            ("current: '2'", "current: [", "c.yaml"),
        ] {
            let error = load(&TEXT.replace(from, to)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn scripts_lie_beside_the_contract_and_never_outside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.yaml");
        fs::write(&path, TEXT).unwrap();
        assert!(matches!(load_file(&path), Err(ContractError::Io { .. })));
        fs::write(folder.path().join("two.sql"), "SELECT 1").unwrap();
        assert_eq!(load_file(&path).unwrap().digest(), load(TEXT).unwrap().digest());
        fs::write(&path, TEXT.replace("two.sql", "../two.sql")).unwrap();
        assert!(matches!(load_file(&path), Err(ContractError::Rule { .. })));
    }
}
