//! Reading a contract: from a file with its scripts beside it, or from bytes already at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::model::Contract;

/// Longest contract or script, in bytes. A script is held in memory while it runs.
const TEXT_BYTES_MAX: u64 = 16 * 1024 * 1024;

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

/// Loads the contract at `path`; scripts are looked up relative to its folder and may not leave it.
pub fn load_file(path: &Path) -> Result<Contract, ContractError> {
    let name = path.display().to_string();
    let text = read(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut scripts = BTreeMap::new();
    for script in script_names(&name, &text)? {
        let inside =
            Path::new(&script).components().all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            let rule = format!("script {script:?} lies outside the contract's folder");
            return Err(ContractError::Rule { name, rule });
        }
        let bytes = read(&folder.join(&script))?;
        scripts.insert(script, bytes);
    }
    load_bytes(&name, &text, scripts)
}

/// Parses a contract whose scripts are at hand. `name` is for messages.
pub fn load_bytes(
    name: &str,
    text: &[u8],
    scripts: BTreeMap<String, Vec<u8>>,
) -> Result<Contract, ContractError> {
    checked(name, Contract { scripts, ..parse(name, text)? })
}

/// The contract, unless it contradicts itself.
pub(super) fn checked(name: &str, contract: Contract) -> Result<Contract, ContractError> {
    match check(&contract) {
        Ok(()) => Ok(contract),
        Err(rule) => Err(ContractError::Rule { name: name.to_owned(), rule }),
    }
}

fn parse(name: &str, text: &[u8]) -> Result<Contract, ContractError> {
    let syntax = |reason| ContractError::Syntax { name: name.to_owned(), reason };
    let text = std::str::from_utf8(text).map_err(|error| syntax(error.to_string()))?;
    serde_saphyr::from_str(text).map_err(|error| syntax(error.to_string()))
}

fn script_names(name: &str, text: &[u8]) -> Result<BTreeSet<String>, ContractError> {
    let contract = parse(name, text)?;
    Ok(contract.edges.into_iter().flat_map(|edge| edge.steps).map(|step| step.sql).collect())
}

fn read(path: &Path) -> Result<Vec<u8>, ContractError> {
    let io = |source| ContractError::Io { path: path.to_owned(), source };
    if fs::metadata(path).map_err(io)?.len() > TEXT_BYTES_MAX {
        return Err(io(io::Error::other(format!("longer than {TEXT_BYTES_MAX} bytes"))));
    }
    fs::read(path).map_err(io)
}

fn check(contract: &Contract) -> Result<(), String> {
    let known = |version: &str, what: &str| match contract.position(version) {
        Some(position) => Ok(position),
        None => Err(format!("{what} {version:?} is not one of `versions`")),
    };
    let mut seen = BTreeSet::new();
    if let Some(twice) = contract.versions.iter().find(|version| !seen.insert(*version)) {
        return Err(format!("version {twice:?} stands twice in `versions`"));
    }
    let current = known(&contract.current, "`current`")?;
    if known(&contract.min, "`min`")? > current {
        return Err("`min` is above `current`".into());
    }
    for detector in &contract.detect {
        known(&detector.version, "a detector's version")?;
    }
    if let Some(version) = contract
        .versions
        .iter()
        .find(|version| !contract.detect.iter().any(|detector| detector.version == **version))
    {
        return Err(format!("no detector recognises version {version:?}"));
    }
    let mut pairs = BTreeSet::new();
    for edge in &contract.edges {
        let name = format!("edge {} \u{2192} {}", edge.from, edge.to);
        if known(&edge.from, "an edge's `from`")? >= known(&edge.to, "an edge's `to`")? {
            return Err(format!("{name} does not go up"));
        }
        if !pairs.insert((&edge.from, &edge.to)) {
            return Err(format!("{name} stands twice"));
        }
        if edge.proof.drops_nothing && !edge.lossy.is_empty() {
            return Err(format!("{name} promises to drop nothing and declares loss"));
        }
        let missing = edge.steps.iter().find(|step| !contract.scripts.contains_key(&step.sql));
        if let Some(step) = missing {
            return Err(format!("{name} names script {:?}, which is not there", step.sql));
        }
    }
    Ok(())
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
