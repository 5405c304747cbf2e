//! The contracts that this program was built with.
//!
//! Each lies in a folder below `built_in`, as `contract.yaml` with its files beside it, and is named in one table.

use std::collections::BTreeMap;

use super::load::ContractError;
use super::model::Contract;
use super::source::Source;

/// A contract as text, and its files.
struct BuiltIn {
    name: &'static str,
    text: &'static [u8],
    files: &'static [(&'static str, &'static [u8])],
}

/// The files of one folder below `built_in`.
macro_rules! built_in {
    ($name:literal $(, $file:literal)* $(,)?) => {
        BuiltIn {
            name: $name,
            text: include_bytes!(concat!("built_in/", $name, "/contract.yaml")),
            files: &[$(($file, include_bytes!(concat!("built_in/", $name, "/", $file)))),*],
        }
    };
}

/// All of them, by name.
const BUILT_IN: &[BuiltIn] = &[
    built_in!("evidence-metadata"),
    built_in!(
        "glyph-store",
        "0002_declare_version.sql",
        "0002_publication_semantics.sql",
        "0003_source_labels.sql",
    ),
    built_in!("glyphser-certificate"),
    built_in!("glyphser-checkpoint"),
    built_in!("glyphser-manifest"),
    built_in!("glyphser-trace"),
    built_in!(
        "nbformat",
        "heading.jq",
        "json.jq",
        "lines.jq",
        "nbformat-3.schema.json",
        "nbformat-4.schema.json",
        "text.jq",
        "worksheets.jq",
    ),
    built_in!("run-state", "run-state-0.schema.json", "run-state-1.schema.json", "words.jq"),
    built_in!("workflow-app", "workflow-app-1.schema.json"),
];

/// The names of all built-in contracts, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|built_in| built_in.name)
}

/// The built-in contract of that name.
pub fn load_named(name: &str) -> Result<Contract, ContractError> {
    Ok(source_named(name)?.built_in())
}

/// The text of the built-in contract of that name, with what it says.
pub fn source_named(name: &str) -> Result<Source, ContractError> {
    let Some(built_in) = BUILT_IN.iter().find(|built_in| built_in.name == name) else {
        let known = names().collect();
        return Err(ContractError::Unnamed { name: name.to_owned(), known });
    };
    let files = built_in.files.iter().map(|(file, bytes)| ((*file).to_owned(), bytes.to_vec()));
    let files: BTreeMap<_, _> = files.collect();
    Source::parse(&format!("built-in contract {name}"), built_in.text, files)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::super::lint::{Severity, lint};
    use super::*;

    #[test]
    fn every_folder_is_built_in_and_every_contract_is_sound() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/contract/built_in");
        let folders: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(folders, names().map(str::to_owned).collect());
        assert!(names().is_sorted());
        let kinds = names().map(str::to_owned).collect();
        for name in names() {
            assert_eq!(source_named(name).unwrap().judge().unwrap(), load_named(name).unwrap());
            assert_eq!(load_named(name).unwrap().contract, name);
            let source = source_named(name).unwrap();
            let findings = lint(&source, &kinds);
            let errors: Vec<_> =
                findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
            assert!(errors.is_empty(), "{errors:#?}");
            let named: BTreeSet<&str> = source.contract.files();
            let there = source.contract.scripts.keys().map(String::as_str).collect();
            assert_eq!(named, there, "{name} has a file that it does not name");
        }
    }

    #[test]
    fn a_name_that_is_none_is_answered_with_those_there_are() {
        let error = load_named("nothing").unwrap_err().to_string();
        assert!(error.contains("\"nothing\"") && error.contains("glyph-store"), "{error}");
    }
}
