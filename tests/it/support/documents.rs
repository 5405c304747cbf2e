//! A tree of documents in the care of a ledger, and the contract that they have.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Place, Said, done, fingerprint};

/// Books of three versions; the second step loses drafts.
const BOOK: &str = r"
contract: book
contract_version: 1.0.0
format: json
files: ['**/*.json']
versions: ['1', '2', '3']
current: '3'
min: '1'
parameters: {shelf: where it stands}
detect:
  - {version: '1', when: {path: /v, equals: 1}}
  - {version: '2', when: {path: /v, equals: 2}}
  - {version: '3', when: {path: /v, equals: 3}}
schemas: {'3': three.json}
edges:
  - from: '1'
    to: '2'
    steps:
      - {map_values: {path: /v, table: [{from: 1, to: 2}]}}
      - {rename: {path: /titel, to: title}}
    proof: {addsDefaulted: [], dropsNothing: true}
  - from: '2'
    to: '3'
    steps:
      - {map_values: {path: /v, table: [{from: 2, to: 3}]}}
      - {remove: {path: /draft, optional: true}}
    proof: {addsDefaulted: [], dropsNothing: false}
    lossy: [/draft]
";

/// What a book of version 3 is.
const SCHEMA: &str = r#"{"type": "object", "properties": {"title": {"type": "string"}}}"#;

/// A place with the contract beside its working folder, and nothing in care yet.
pub(crate) fn a_shelf(documents: &[(&str, &str)]) -> Place {
    let place = Place::new();
    let contracts = beside(&place, "contracts");
    fs::create_dir(&contracts).unwrap();
    fs::write(contracts.join("three.json"), SCHEMA).unwrap();
    set_contract(&place, |text| text);
    for (id, text) in documents {
        fs::write(place.work().join(id), text).unwrap();
    }
    place
}

/// The same, its documents in care.
pub(crate) fn a_tree(documents: &[(&str, &str)]) -> Place {
    let place = a_shelf(documents);
    done(&place, &["init", "--documents", "--contract", "../contracts/book.yaml"]);
    place
}

/// Writes the contract, edited.
pub(crate) fn set_contract(place: &Place, edit: impl Fn(String) -> String) {
    let edited = edit(BOOK.to_owned());
    fs::write(beside(place, "contracts").join("book.yaml"), edited).unwrap();
}

/// Plans everything; the plan's id.
pub(crate) fn plan_all(place: &Place) -> String {
    let planned = done(place, &["plan", "-o", "../plan.json", "--json"]).json();
    planned["data"]["plan"]["id"].as_str().unwrap().to_owned()
}

/// Carries out the plan of that id.
pub(crate) fn apply_plan(place: &Place, id: &str) -> Said {
    place.run(&["apply", "../plan.json", "--accept-lossy", id, "--json"])
}

/// What lies beside the working folder.
pub(crate) fn beside(place: &Place, name: &str) -> PathBuf {
    place.work().with_file_name(name)
}

/// Every file of the tree but the ledger, with times and permissions.
pub(crate) fn untouched(place: &Place) -> BTreeMap<PathBuf, String> {
    let mut found = fingerprint(&place.work());
    found.retain(|path, _| !in_ledger(path) && path.is_file());
    found
}

fn in_ledger(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == ".glyph-ledger")
}
