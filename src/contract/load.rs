//! Reading a contract: from a file with its files beside it, or from bytes already at hand.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::location::Location;
use super::model::Contract;
use super::rules;
use super::source::Source;

/// A contract that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// Its file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// No contract of that name was built in.
    #[error("there is no built-in contract {name:?}, and no such file; built in are {}", known.join(", "))]
    Unnamed {
        /// The name asked for.
        name: String,
        /// Every name there is.
        known: Vec<&'static str>,
    },
    /// Not YAML or JSON of the contract's schema.
    #[error("{at}: {reason}")]
    Syntax {
        /// Where.
        at: Location,
        /// What is wrong.
        reason: String,
    },
    /// It contradicts itself.
    #[error("{at}: {rule}")]
    Rule {
        /// Where.
        at: Location,
        /// The rule it breaks.
        rule: String,
    },
}

impl ContractError {
    /// A contract that is sound in itself cannot be used as it is asked to be.
    pub fn rule(contract: &str, rule: impl Into<String>) -> Self {
        Self::Rule { at: Location::of_file(contract), rule: rule.into() }
    }
}

/// Loads the contract at `path`; the files it names are looked up relative to its folder and may not leave it.
pub fn load_file(path: &Path) -> Result<Contract, ContractError> {
    Source::read(path)?.judge()
}

/// Parses a contract whose files are at hand. `name` is for messages.
pub fn load_bytes(
    name: &str,
    text: &[u8],
    scripts: BTreeMap<String, Vec<u8>>,
) -> Result<Contract, ContractError> {
    Source::parse(name, text, scripts)?.judge()
}

/// The contract that a ledger holds, unless it contradicts itself.
pub(super) fn checked(name: &str, contract: Contract) -> Result<Contract, ContractError> {
    let mut breaches = rules::breaches(&contract, &BTreeMap::new());
    // One that a ledger holds may be of a format from before they were closed; it then has what a store has.
    breaches.retain(|breach| breach.at.tokens() != ["format"]);
    match breaches.into_iter().next() {
        None => Ok(contract),
        Some(breach) => Err(ContractError::Rule { at: Location::of_file(name), rule: breach.rule }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
            ("min: '1'", "min: '1'\nextra: 1", "c.yaml:8:1: unknown field `extra`"),
            ("min: '1'", "min: '9'", "c.yaml:7:6: `min` \"9\" is not one of `versions`"),
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
    fn what_is_not_of_the_schema_is_named_with_its_place() {
        for (from, to, expected) in [
            ("min: '1'", "min: 1", "7:6: The string value [1] must be quoted"),
            ("min: '1'", "min: [1]", "7:6: expected string scalar"),
            ("min: '1'", "min: '1'\nmin: '1'", "8:1: the key \"min\" stands twice"),
            ("dropsNothing: true", "dropsNothing: yes", "15:46: invalid boolean"),
            ("{sql: two.sql}", "{sequel: two.sql}", "14:14: unknown variant `sequel`"),
            ("{sql: two.sql}", "{sql: two.sql, each: 1}", "14:28: expected end of mapping"),
            ("{sql: two.sql}", "two.sql", "14:13: unknown variant `two.sql`"),
            ("current: '2'", "", "11:1: missing field `current`"),
            ("to: '2'", "to: '1'", "12:5: edge 1 \u{2192} 1 does not go up"),
            ("steps: [{sql: two", "steps: [{sql: 2", "14:13: edge 1 \u{2192} 2 names script"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let error = load(&TEXT.replace(from, to)).unwrap_err();
            assert!(error.starts_with(&format!("c.yaml:{expected}")), "{error}");
            assert!(!error.contains("at line"), "{error}");
        }
    }

    const DOCUMENTS: &str = "
contract: c
contract_version: 1.0.0
format: json
files: ['*.json']
versions: ['1', '2']
current: '2'
min: '1'
definitions: all.jq
detect:
  - {version: '1', when: {path: /v, equals: 1}}
  - {version: '2', when: {path: /v, equals: 2}}
schemas: {'2': two.json}
edges:
  - from: '1'
    to: '2'
    steps:
      - {set: {path: /v, value: 2}}
      - {jq: {path: /a, file: step.jq}}
      - when:
          if: {path: /b, absent: true}
          steps:
            - {add: {path: /b, jq: twice}}
    proof: {addsDefaulted: [/b], dropsNothing: true}
    inverse: [{set: {path: /v, jq: '1'}}]
normalize: [{ensure: {path: /c, type: array, jq: '[]', message: m}}]
invariants:
  - {id: same, expr: .source.a == .target.a}
";

    #[test]
    fn m13_what_does_not_compile_is_refused_at_load_with_its_place() {
        let files = [("all.jq", "def twice: 2;"), ("step.jq", ". + 1"), ("two.json", "{}")];
        let load = |text: &str, edit: (&str, &str)| {
            let files = files.map(|(name, text)| {
                let text = if name == edit.0 { edit.1 } else { text };
                (name.to_owned(), text.as_bytes().to_vec())
            });
            load_bytes("c.yaml", text.as_bytes(), files.into()).map_err(|error| error.to_string())
        };
        load(DOCUMENTS, ("", "")).unwrap();
        // The place of the first `needle` in `text`.
        let place = |text: &str, needle: &str| {
            let before = text.split(needle).next().unwrap();
            let column = before.len() - before.rfind('\n').unwrap();
            format!("c.yaml:{}:{column}: ", before.matches('\n').count() + 1)
        };
        for (from, to, needle) in [
            (".source.a == .target.a", "\".source.a ==\"", "\".source"),
            (".source.a == .target.a", "nothing_known(1)", "nothing_known"),
            (".source.a == .target.a", "now > 0", "now >"),
            ("jq: twice", "jq: thrice", "thrice"),
            ("jq: '1'", "jq: '1 +'", "'1 +'"),
            ("jq: '[]'", "jq: '['", "'['"),
            ("'*.json'", "'*.{json'", "'*.{json'"),
        ] {
            assert!(DOCUMENTS.contains(from), "{from}");
            let bent = DOCUMENTS.replace(from, to);
            let error = load(&bent, ("", "")).unwrap_err();
            assert!(error.starts_with(&place(&bent, needle)), "{to}: {error}");
        }
        for (file, text, says) in [
            ("step.jq", ". +", "step.jq: "),
            ("all.jq", "def twice: ;", "all.jq: "),
            ("two.json", "{", "two.json: "),
            ("two.json", r#"{"type": "text"}"#, "two.json"),
        ] {
            let error = load(DOCUMENTS, (file, text)).unwrap_err();
            let at = place(DOCUMENTS, file);
            assert!(error.starts_with(&at) && error.contains(says), "{file}: {error}");
        }
    }

    #[test]
    fn scripts_lie_beside_the_contract_and_never_outside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.yaml");
        fs::write(&path, TEXT).unwrap();
        let error = load_file(&path).unwrap_err().to_string();
        assert!(error.contains("two.sql") && error.contains("No such file"), "{error}");
        let nowhere = folder.path().join("nowhere.yaml");
        assert!(matches!(load_file(&nowhere), Err(ContractError::Io { .. })));
        fs::write(folder.path().join("two.sql"), "SELECT 1").unwrap();
        assert_eq!(load_file(&path).unwrap().digest(), load(TEXT).unwrap().digest());
        fs::write(&path, TEXT.replace("two.sql", "../two.sql")).unwrap();
        assert!(matches!(load_file(&path), Err(ContractError::Rule { .. })));
    }
}
