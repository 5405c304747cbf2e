//! Readers of contracts: the file that a user gives, and what a ledger keeps of it.

use std::collections::BTreeMap;

use glyph_ledger::contract::{Bundle, Contract, Facts, detect, load_bytes, resolve};
use glyph_ledger::transform::Program;
use serde_json::{Value as Json, json};

use crate::seeds;

pub(crate) fn load(input: &[u8]) {
    let Ok(contract) = load_bytes("fuzzed", input, seeds::scripts()) else { return };
    walk(&contract);
    let kept = Bundle::of(&contract);
    let back = Bundle::unpack(kept.bytes()).expect("what loads is kept in a form that loads");
    assert_eq!(back, contract);
    assert_eq!(back.digest(), contract.digest());
}

pub(crate) fn bundle(input: &[u8]) {
    let Ok(contract) = Bundle::unpack(input) else { return };
    walk(&contract);
    assert_eq!(Bundle::of(&contract).bytes(), input, "accepted, and written otherwise");
}

fn walk(contract: &Contract) {
    for from in contract.versions.iter().take(4) {
        for to in contract.versions.iter().rev().take(4) {
            let Ok(path) = resolve(contract, from, to) else { continue };
            assert_eq!(path.last().map_or(from, |edge| &edge.to), to);
        }
    }
    for edge in &contract.edges {
        let _digest = contract.edge_digest(edge);
    }
    let found = detect(contract, &Store(json!({"store": {"version": 2}})));
    assert!(
        found.as_ref().map_or(true, |version| contract.position(version).is_some()),
        "{found:?}"
    );
}

/// A store with that manifest and one column in every table.
struct Store(Json);

impl Facts for Store {
    type Error = BTreeMap<(), ()>;

    fn manifest(&self) -> &Json {
        &self.0
    }

    fn columns(&self, _table: &str) -> Result<Vec<String>, Self::Error> {
        Ok(vec!["id".to_owned()])
    }
}

/// A jq program, as a step or an invariant of a contract names it. It is compiled and never run: what it does with a
/// document may take as long as it likes.
pub(crate) fn jq(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let alone = Program::compile(text);
    // Definitions that do nothing change nothing.
    assert_eq!(alone.is_ok(), Program::with_definitions(text, "def unused: .;").is_ok());
}
