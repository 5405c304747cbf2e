//! The commands about contracts: what people read, the published form of it, and how they end.

use std::fs;

use serde_json::Value;

use crate::support::{Place, check_answer};

const CONTRACT: &str = r#"contract: state
contract_version: 1.0.0
format: json
description: The state of a run.
files: ["**/state.json"]
versions: ["0", "1", "2"]
current: "2"
min: "0"
detect:
  - {version: "0", when: {path: /v, absent: true}}
  - {version: "1", when: {path: /v, equals: 1}}
  - {version: "2", when: {path: /v, equals: 2}}
edges:
  - from: "0"
    to: "1"
    steps: [{add: {path: /v, value: 1}}]
    proof: {addsDefaulted: [/v], dropsNothing: true}
  - from: "1"
    to: "2"
    steps: [{set: {path: /v, value: 2}}, {remove: {path: /draft, optional: true}}]
    proof: {addsDefaulted: [], dropsNothing: false}
    lossy: [/draft]
normalize: [{add: {path: /tasks, value: []}}]
"#;

fn place() -> Place {
    let place = Place::new();
    fs::write(place.work().join("state.yaml"), CONTRACT).unwrap();
    place
}

fn edited(place: &Place, name: &str, from: &str, to: &str) {
    assert!(CONTRACT.contains(from), "{from}");
    fs::write(place.work().join(name), CONTRACT.replace(from, to)).unwrap();
}

/// The answer of a command, in the form that is published for it.
fn answer(place: &Place, command: &str, arguments: &[&str], exit: i32) -> Value {
    let said = place.run(&[arguments, &["--json"]].concat());
    assert_eq!(said.exit, exit, "{said:?}");
    let answer = said.json();
    check_answer(command, &answer);
    answer
}

#[test]
fn m1_list_prints_the_whole_registry() {
    let place = place();
    let said = place.run(&["migration", "list", "--contract", "state.yaml"]).stdout;
    let (glyph_store, state) = (
        said.split("\n\n").find(|text| text.starts_with("glyph-store ")),
        said.split("\n\n").last(),
    );
    insta::assert_snapshot!("list", format!("{}\n\n{}", glyph_store.unwrap(), state.unwrap()));
    let listed = answer(&place, "list", &["migration", "list", "--contract", "state.yaml"], 0);
    let names: Vec<&str> = listed["data"]["contracts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|contract| contract["contract"].as_str().unwrap())
        .collect();
    let built_in = glyph_ledger::contract::registry::names();
    assert_eq!(names, built_in.chain(["state"]).collect::<Vec<_>>());
}

#[test]
fn path_draws_the_way_and_what_it_loses() {
    let place = place();
    let path = ["migration", "path", "0", "2", "--contract", "state.yaml"];
    insta::assert_snapshot!("path", place.run(&path).whole());
    let drawn = answer(&place, "path", &path, 0);
    assert_eq!(drawn["data"]["path"], serde_json::json!(["0", "1", "2"]));
    assert_eq!(drawn["data"]["lossy"], serde_json::json!(["/draft"]));
}

#[test]
fn m3_a_way_that_is_none_is_refused_by_name() {
    let place = place();
    edited(
        &place,
        "gap.yaml",
        "  - from: \"1\"\n    to: \"2\"\n",
        "  - from: \"0\"\n    to: \"2\"\n",
    );
    edited(&place, "short.yaml", "current: \"2\"\nmin: \"0\"", "current: \"1\"\nmin: \"1\"");
    for (from, to, contract, code) in [
        ("1", "2", "gap.yaml", "MIGRATION_PATH_MISSING"),
        ("2", "1", "state.yaml", "MIGRATION_PATH_MISSING"),
        ("0", "1", "short.yaml", "MIGRATION_BELOW_MINIMUM"),
        ("1", "2", "short.yaml", "MIGRATION_ABOVE_CURRENT"),
        ("1", "9", "state.yaml", "MIGRATION_VERSION_UNKNOWN"),
    ] {
        let drawn =
            answer(&place, "path", &["migration", "path", from, to, "--contract", contract], 4);
        assert_eq!(drawn["diagnostics"][0]["code"], code);
        assert_eq!(drawn["data"]["path"], Value::Null);
        assert_eq!(drawn["data"]["versions"].as_array().unwrap().len(), 3);
    }
    let nowhere = ["migration", "path", "1", "2", "--contract", "gap.yaml"];
    insta::assert_snapshot!("path_missing", place.run(&nowhere).whole());
}

#[test]
fn m13_lint_says_what_is_wrong_and_where() {
    let place = place();
    edited(&place, "bad.yaml", "lossy: [/draft]", "lossy: [/drafts]");
    insta::assert_snapshot!(
        "lint",
        place.run(&["contract", "lint", "state.yaml", "bad.yaml"]).whole()
    );
    let linted = answer(&place, "lint", &["contract", "lint", "bad.yaml"], 6);
    assert_eq!(linted["diagnostics"][0]["code"], "CONTRACT_INVALID");
    assert_eq!(linted["diagnostics"][0]["place"], "bad.yaml:20:42");
    let sound = answer(&place, "lint", &["contract", "lint", "state.yaml"], 0);
    assert_eq!(sound["data"]["errors"], 0);
    assert_ne!(sound["data"]["warnings"], 0);
}

#[test]
fn m13_what_cannot_be_parsed_is_a_finding_and_what_cannot_be_read_a_failure() {
    let place = place();
    edited(&place, "key.yaml", "min: \"0\"", "min: \"0\"\nextra: 1");
    let linted = answer(&place, "lint", &["contract", "lint", "key.yaml"], 6);
    let finding = &linted["data"]["findings"][0];
    assert_eq!(
        (&finding["code"], &finding["line"], &finding["column"]),
        (&"syntax".into(), &9.into(), &1.into())
    );
    assert_eq!(place.run(&["contract", "lint", "nowhere.yaml"]).exit, 1);
    assert_eq!(place.run(&["contract", "lint"]).exit, 2);
}

#[test]
fn diff_says_which_version_a_change_needs() {
    let place = place();
    edited(&place, "new.yaml", "1.0.0", "1.1.0");
    let text = fs::read_to_string(place.work().join("new.yaml")).unwrap();
    let text = text.replace("min: \"0\"", "min: \"1\"").replace("of a run", "of one run");
    fs::write(place.work().join("new.yaml"), text).unwrap();
    let diff = ["contract", "diff", "state.yaml", "new.yaml"];
    insta::assert_snapshot!("diff", place.run(&diff).whole());
    let compared = answer(&place, "diff", &diff, 6);
    assert_eq!(compared["diagnostics"][0]["code"], "CONTRACT_VERSION_LOW");
    assert_eq!(compared["data"]["least_version"], "2.0.0");
    let same = answer(&place, "diff", &["contract", "diff", "state.yaml", "state.yaml"], 0);
    assert_eq!(same["data"]["changes"], serde_json::json!([]));
}

#[test]
fn schema_prints_what_is_published() {
    let place = place();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schemas/contract.schema.json");
    assert_eq!(place.run(&["contract", "schema"]).stdout, fs::read_to_string(path).unwrap());
    let data = &answer(&place, "schema", &["contract", "schema"], 0)["data"];
    assert_eq!(data["schema"]["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn new_makes_a_contract_that_lints() {
    let place = place();
    fs::write(place.work().join("old.json"), r#"{"v": 1, "titel": "On time", "draft": true}"#)
        .unwrap();
    fs::write(place.work().join("Book.json"), r#"{"v": 2, "title": "Late", "tags": []}"#).unwrap();
    let new = ["migration", "new", "old.json", "Book.json", "-o", "book.yaml"];
    insta::assert_snapshot!("new", place.run(&new).whole());
    assert_eq!(place.run(&["contract", "lint", "book.yaml"]).exit, 0);
    let written = fs::read_to_string(place.work().join("book.yaml")).unwrap();
    assert_eq!(place.run(&new[..4]).stdout, written);
    let said = answer(&place, "new", &new[..4], 0);
    assert_eq!(said["data"]["text"], written.as_str());
    assert_eq!(said["data"]["contract"], "book");
    // What was made is there to be edited, and edits are not written over.
    let mine = written + "# mine\n";
    fs::write(place.work().join("book.yaml"), &mine).unwrap();
    assert_eq!(place.run(&new).exit, 2);
    assert_eq!(fs::read_to_string(place.work().join("book.yaml")).unwrap(), mine);
}

#[test]
fn new_refuses_what_it_cannot_use_and_writes_nothing() {
    let place = place();
    let write = |name: &str, text: &str| fs::write(place.work().join(name), text).unwrap();
    write("a.json", "{\"a\": 1}");
    write("same.json", "{\"a\": 2}");
    write("broken.json", "{\"a\": 1, \"a\": 2}");
    write("taken.yaml", "something else");
    for (newer, output, exit, says) in [
        ("same.json", "out.yaml", 2, "tells the two apart"),
        ("broken.json", "out.yaml", 2, "no document of format json"),
        ("nowhere.json", "out.yaml", 1, "nowhere.json"),
        ("same.json", "taken.yaml", 2, "not written over"),
    ] {
        let said = place.run(&["migration", "new", "a.json", newer, "-o", output]);
        assert_eq!(said.exit, exit, "{said:?}");
        assert!(said.stderr.contains(says), "{said:?}");
        assert!(!place.work().join("out.yaml").exists());
    }
    assert_eq!(fs::read_to_string(place.work().join("taken.yaml")).unwrap(), "something else");
}

#[test]
fn m1_first_contracts_are_made_from_documents_of_every_format_and_pass_the_lint() {
    let place = Place::new();
    let write = |name: &str, bytes: &[u8]| fs::write(place.work().join(name), bytes).unwrap();
    write("old.yaml", b"v: 1\ntitel: x\n# said\ntags: [a]\n");
    write("new.yml", b"v: 2\ntitel: y\ntags: []\ndone: false\n");
    write("old.jsonl", b"{\"v\":1,\"n\":\"1\"}\n{\"v\":1,\"n\":\"2\"}\n");
    write("new.ndjson", b"{\"v\":2,\"n\":3}\n");
    // {"v": 1} and {"v": 2, "text": "x"} in canonical CBOR.
    write("old.cbor", b"\xa1\x61v\x01");
    write("new.cbor", b"\xa2\x61v\x02\x64text\x61x");
    for (old, new, format, steps) in [
        ("old.yaml", "new.yml", "yaml", 2),
        ("old.jsonl", "new.ndjson", "jsonl", 1),
        ("old.cbor", "new.cbor", "cbor", 2),
    ] {
        let made = answer(&place, "new", &["migration", "new", old, new, "-o", "made.yaml"], 0);
        let made = &made["data"];
        assert_eq!((&made["reaches"], &made["steps"]), (&true.into(), &steps.into()), "{made}");
        let text = fs::read_to_string(place.work().join("made.yaml")).unwrap();
        assert!(text.contains(&format!("\nformat: {format}\n")), "{text}");
        let linted = answer(&place, "lint", &["contract", "lint", "made.yaml"], 0);
        let findings = linted["data"]["findings"].as_array().unwrap().iter();
        let mut codes: Vec<_> = findings.map(|found| found["code"].clone()).collect();
        codes.sort_by_key(ToString::to_string);
        codes.dedup();
        assert_eq!(
            (&linted["data"]["errors"], &codes),
            (&0.into(), made["warnings"].as_array().unwrap())
        );
        // It migrates what it was made from.
        let check = ["check", old, "--contract", "made.yaml"];
        let checked = place.run(&[&check[..], &["--json"]].concat());
        assert_eq!(
            (checked.exit, &checked.json()["data"]["migrated"]),
            (0, &1.into()),
            "{checked:?}"
        );
        fs::remove_file(place.work().join("made.yaml")).unwrap();
    }
    let mixed = ["migration", "new", "old.yaml", "new.cbor", "--json"];
    assert_eq!(place.run(&mixed).exit, 2);
    write("bad.yaml", b"v: 1\nv: 2\n");
    assert_eq!(place.run(&["migration", "new", "bad.yaml", "new.yml"]).exit, 2);
}
