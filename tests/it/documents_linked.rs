//! Documents that name each other by hash, through the commands.

use std::fs;
use std::path::{Path, PathBuf};

use ledger_format::hash::ContentHash;
use serde_json::{Value, json};

use crate::support::{Place, Said};

/// Every kind of a linked set.
const KINDS: [&str; 4] =
    ["glyphser-certificate", "glyphser-checkpoint", "glyphser-manifest", "glyphser-trace"];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/glyphser")
}

/// The documents of a set, by name.
fn documents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())
        })
        .collect();
    all.sort();
    all
}

/// Runs a command with the kinds and the values that the newer versions need.
fn described(place: &Place, command: &[&str]) -> Said {
    let parameters = fs::read(fixtures().join("parameters.json")).unwrap();
    let parameters: Value = serde_json::from_slice(&parameters).unwrap();
    let mut arguments: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    for kind in KINDS {
        arguments.extend(["--contract".to_owned(), kind.to_owned()]);
    }
    for (name, value) in parameters.as_object().unwrap() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        arguments.extend(["--set".to_owned(), format!("{name}={text}")]);
    }
    place.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn set(place: &Place, name: &str) -> PathBuf {
    let folder = place.work().join("set");
    fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in documents(&fixtures().join(name)) {
        fs::write(folder.join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn m14_a_linked_tree_is_migrated_by_the_commands() {
    let place = Place::new();
    let folder = set(&place, "linked");
    assert_eq!(described(&place, &["init", "--documents", "set"]).exit, 0);
    let ledger = ["--ledger", "set/.glyph-ledger"];
    let run = |words: &[&str]| place.run(&[words, &ledger].concat());
    let planned = run(&["plan", "-o", "plan.json", "--json"]);
    assert_eq!(planned.exit, 0, "{}", planned.stderr);
    let data = planned.json()["data"].clone();
    assert_eq!(data["plan"]["objects"].as_array().unwrap().len(), 4);
    assert_eq!(data["plan"]["lossy"][0]["path"], "/header/trace_final_hash");
    let id = data["plan"]["id"].as_str().unwrap()[..12].to_owned();
    let unconfirmed = run(&["apply", "plan.json"]);
    assert_eq!(unconfirmed.exit, 5, "{}", unconfirmed.stderr);
    assert_eq!(documents(&folder), documents(&fixtures().join("linked")));
    let applied = run(&["apply", "plan.json", "--accept-lossy", &id]);
    assert_eq!(applied.exit, 0, "{}", applied.stderr);
    // The operators made the same of them, on a way of their own.
    assert_eq!(documents(&folder), documents(&fixtures().join("migrated")));
    let undone = run(&["undo"]);
    assert_eq!(undone.exit, 0, "{}", undone.stderr);
    assert_eq!(documents(&folder), documents(&fixtures().join("linked")));
}

#[test]
fn m14_a_bent_link_is_refused_by_name_and_nothing_is_touched() {
    for (name, code) in [
        ("bad/stale-head", "STEP_FAILED"),
        ("bad/stale-self", "LINK_STALE"),
        ("bad/dangling", "LINK_DANGLING"),
        ("bad/renamed-not-rehashed", "LINK_DANGLING"),
    ] {
        let place = Place::new();
        let folder = set(&place, name);
        let said = described(&place, &["check", "set", "--json"]);
        assert_eq!(said.json()["diagnostics"][0]["code"], code, "{name}");
        assert_ne!(said.exit, 0, "{name}");
        assert_eq!(documents(&folder), documents(&fixtures().join(name)));
    }
}

#[test]
fn m6_proofs_of_a_linked_tree_are_of_the_bytes_that_apply_writes() {
    let place = Place::new();
    let folder = set(&place, "linked");
    assert_eq!(described(&place, &["init", "--documents", "set"]).exit, 0);
    let ends = |exit: i32, words: &[&str]| {
        let said = place.run(&[&["--ledger", "set/.glyph-ledger"], words, &["--json"]].concat());
        assert_eq!(said.exit, exit, "{words:?}: {said:?}");
        said.json()["data"].clone()
    };
    let at = |words: &[&str]| ends(0, words);
    // Edges that rename or hash again promise to drop nothing, and append nothing only.
    let proved = ends(3, &["prove", "set"]);
    assert_eq!((&proved["documents"], &proved["passed"]), (&4.into(), &2.into()));
    for one in proved["proofs"].as_array().unwrap() {
        let missing = &one["missing"];
        assert!(*missing == json!([]) || *missing == json!(["appendOnly"]), "{one}");
    }
    let alone = at(&["prove", "set/run.checkpoint.json"]);
    assert_eq!(at(&["proof", "verify", "set"])["proved_again"], proved["documents"]);
    let results: Vec<(String, Value)> = proved["proofs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let name = format!("migration/{}.json", one["fingerprint"].as_str().unwrap());
            let file = fs::read(folder.join(name)).unwrap();
            let proof: Value = serde_json::from_slice(&file).unwrap();
            (one["id"].as_str().unwrap().to_owned(), proof["proof"]["result"].clone())
        })
        .collect();
    assert!(results.contains(&("run.checkpoint.json".into(), alone["proof"]["result"].clone())));
    let plan = at(&["plan", "-o", "plan.json"])["plan"]["id"].as_str().unwrap().to_owned();
    at(&["apply", "plan.json", "--accept-lossy", &plan]);
    for (id, result) in results {
        let found = ContentHash::of(&fs::read(folder.join(&id)).unwrap());
        assert_eq!(Value::from(found.to_string()), result, "{id}");
    }
}
