//! Proofs of documents, through the program: made, kept, read again, refused.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Place, Said, check_answer};

const CONTRACT: &str = r#"
contract: notes
contract_version: 1.0.0
format: json
versions: ["0", "1"]
current: "1"
min: "0"
detect:
  - {version: "0", when: {path: /schemaVersion, absent: true}}
  - {version: "1", when: {path: /schemaVersion, equals: 1}}
schemas: {"0": notes-0.json, "1": notes-1.json}
edges:
  - from: "0"
    to: "1"
    steps:
      - add: {path: /schemaVersion, value: 1}
    proof: {addsDefaulted: [/schemaVersion], dropsNothing: true}
"#;

const OLD: &str = r#"{"type": "object", "required": ["title"], "properties": {"title": {"type": "string"}, "pages": {"type": "integer", "minimum": 1}}, "additionalProperties": false}"#;
const NEW: &str = r#"{"type": "object", "required": ["title", "schemaVersion"], "properties": {"schemaVersion": {"const": 1}, "pages": {"maximum": 9007199254740992}}}"#;
const NOTE: &str = "{\n  \"title\": \"On time\",\n  \"pages\": 12\n}\n";

/// A folder with a contract and a document.
fn a_place(edit: impl Fn(&str) -> String) -> Place {
    let place = Place::new();
    let write = |name: &str, text: &str| fs::write(place.work().join(name), text).unwrap();
    write("notes.yaml", &edit(CONTRACT));
    write("notes-0.json", OLD);
    write("notes-1.json", NEW);
    write("note.json", NOTE);
    place
}

fn unchanged(text: &str) -> String {
    text.to_owned()
}

fn prove(place: &Place, more: &[&str]) -> Said {
    place.run(&[&["prove", "note.json", "--contract", "notes.yaml"], more].concat())
}

fn code(said: &Said) -> (i32, Value) {
    (said.exit, said.json()["diagnostics"][0]["code"].clone())
}

fn proofs(place: &Place) -> Vec<PathBuf> {
    let folder = fs::read_dir(place.work().join("migration"));
    folder.map_or_else(|_| Vec::new(), |files| files.map(|file| file.unwrap().path()).collect())
}

fn verify(place: &Place, more: &[&str]) -> Said {
    let file = proofs(place).pop().unwrap();
    place.run(&[&["proof", "verify", file.to_str().unwrap()], more].concat())
}

const AGAIN: [&str; 3] = ["note.json", "--contract", "notes.yaml"];

#[test]
fn a_migration_is_proved_and_the_proof_is_kept_beside_the_document() {
    let place = a_place(unchanged);
    let said = prove(&place, &[]);
    insta::assert_snapshot!("prove", said.whole());
    assert_eq!(said.exit, 0);
    assert_eq!(fs::read_to_string(place.work().join("note.json")).unwrap(), NOTE);
    let answer = prove(&place, &["--json"]).json();
    check_answer("prove", &answer);
    assert_eq!(answer["data"]["already_there"], true);
    let kept = proofs(&place);
    let name = format!("{}.json", answer["data"]["fingerprint"].as_str().unwrap());
    assert_eq!(kept, [place.work().join("migration").join(name)]);
    let under = place.run(&["migration", "prove", "note.json", "--contract", "notes.yaml"]);
    assert_eq!(under.stdout, prove(&place, &[]).stdout);
}

#[test]
fn m6_the_same_proof_comes_out_in_another_folder_and_from_another_working_directory() {
    let (one, other) = (a_place(unchanged), a_place(unchanged));
    let fingerprint = |said: Said| said.json()["data"]["fingerprint"].clone();
    let first = fingerprint(prove(&one, &["--cases", "20", "--json"]));
    assert_eq!(first, fingerprint(prove(&other, &["--cases", "20", "--json"])));
    let from_below = other.work().join("below");
    fs::create_dir(&from_below).unwrap();
    fs::rename(other.work().join("note.json"), from_below.join("renamed.json")).unwrap();
    let said = other.run(&[
        "prove",
        "below/renamed.json",
        "--contract",
        "notes.yaml",
        "--cases",
        "20",
        "--json",
    ]);
    assert_eq!(first, fingerprint(said));
    let (one, other) = (proofs(&one), proofs(&other));
    assert_eq!(fs::read(&one[0]).unwrap(), fs::read(&other[0]).unwrap());
}

#[test]
fn a_proof_is_verified_alone_and_proved_again_with_document_and_contract() {
    let place = a_place(unchanged);
    prove(&place, &["--cases", "5"]);
    let alone = verify(&place, &["--json"]);
    assert_eq!(code(&alone), (7, "NOT_PROVED_AGAIN".into()));
    check_answer("proof", &alone.json());
    let again = verify(&place, &AGAIN);
    assert_eq!(again.exit, 0, "{again:?}");
    insta::assert_snapshot!("proof_verify", again.whole());
    // Another document, another contract.
    fs::write(place.work().join("other.json"), "{\"title\": \"\"}").unwrap();
    let other = verify(&place, &["other.json", "--json"]);
    assert_eq!(code(&other), (3, "PROOF_FOREIGN".into()));
    fs::write(place.work().join("notes.yaml"), CONTRACT.replace("1.0.0", "1.0.1")).unwrap();
    let said = verify(&place, &[&AGAIN[..], &["--json"]].concat());
    assert_eq!(code(&said), (3, "PROOF_FOREIGN".into()));
    assert_eq!(said.json()["data"]["differs"][0], "contract");
}

#[test]
fn an_edited_or_truncated_proof_is_refused_and_never_written_over() {
    let place = a_place(unchanged);
    prove(&place, &[]);
    let file = proofs(&place).pop().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    for bad in [
        text.replace("\"pass\": true", "\"pass\": false"),
        text[..text.len() / 2].to_owned(),
        text.replace("\"errors\"", "\"more\": 1, \"errors\""),
        String::new(),
    ] {
        fs::write(&file, &bad).unwrap();
        assert_eq!(code(&verify(&place, &["--json"])), (3, "PROOF_INVALID".into()), "{bad}");
        assert_eq!(code(&prove(&place, &["--json"])), (3, "PROOF_TAKEN".into()));
        assert_eq!(fs::read_to_string(&file).unwrap(), bad);
    }
    insta::assert_snapshot!("proof_taken", prove(&place, &[]).whole());
}

#[test]
fn where_no_proof_can_be_kept_nothing_is() {
    let place = a_place(unchanged);
    fs::write(place.work().join("migration"), "mine").unwrap();
    assert_eq!(code(&prove(&place, &["--json"])), (3, "PROOF_TAKEN".into()));
    assert_eq!(fs::read_to_string(place.work().join("migration")).unwrap(), "mine");
}

#[test]
fn what_is_required_and_not_seen_is_named_and_kept() {
    // The title is changed although nothing is to be dropped: the edge says that it may be lost.
    let place = a_place(|text| {
        text.replace("    proof:", "      - copy: {from: /title, to: /name}\n    proof:")
    });
    let said = prove(&place, &["--json"]);
    assert_eq!(code(&said), (3, "PROPERTY_MISSING".into()));
    let data = said.json()["data"].clone();
    assert_eq!(data["proof"]["observed"]["declaredMatchesObserved"], false);
    assert_eq!(data["proof"]["pass"], false);
    assert_eq!(proofs(&place).len(), 1);
}

#[test]
fn a_generated_document_that_fails_is_shown() {
    let place = a_place(unchanged);
    let said = prove(&place, &["--cases", "200"]);
    assert_eq!(said.exit, 3, "{said:?}");
    insta::assert_snapshot!("prove_counterexample", said.whole());
}

#[test]
fn what_cannot_be_proved_is_refused_and_nothing_is_kept() {
    for (edit, document, more, expected) in [
        ("", r#"{"schemaVersion": 2}"#, &[][..], (4, "MIGRATION_ABOVE_CURRENT")),
        ("", "{", &[], (4, "STORE_INVALID")),
        ("", r#"{"pages": 1}"#, &[], (6, "OUTCOME_INVALID")),
        ("not", NOTE, &["--cases", "3"], (7, "CASES_UNSUPPORTED")),
        ("", NOTE, &["--set", "a=1"], (6, "CONTRACT_INVALID")),
        ("", NOTE, &["--set", "a"], (2, "USAGE")),
    ] {
        let place = a_place(unchanged);
        fs::write(place.work().join("note.json"), document).unwrap();
        if !edit.is_empty() {
            fs::write(place.work().join("notes-0.json"), r#"{"not": {"const": 1}}"#).unwrap();
        }
        let said = prove(&place, &[more, &["--json"]].concat());
        assert_eq!(code(&said), (expected.0, expected.1.into()), "{document} {more:?}");
        assert!(proofs(&place).is_empty());
    }
    let place = a_place(unchanged);
    fs::remove_file(place.work().join("note.json")).unwrap();
    assert_eq!(code(&prove(&place, &["--json"])), (2, "NOTHING_HERE".into()));
    fs::create_dir(place.work().join("note.json")).unwrap();
    assert_eq!(code(&prove(&place, &["--json"])), (2, "USAGE".into()));
    let unknown = place.run(&["prove", "notes-0.json", "--contract", "none", "--json"]);
    assert_eq!(code(&unknown), (1, "IO".into()));
}
