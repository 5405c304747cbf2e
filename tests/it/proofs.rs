//! Proofs of documents, through the program: made, kept, read again, refused.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{
    Place, Said, a_tree, apply_plan, check_answer, done, plan_all, set_contract, untouched,
};

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
    // A folder: the contract does not say which files in it are of its kind.
    assert_eq!(code(&prove(&place, &["--json"])), (6, "CONTRACT_INVALID".into()));
    let unknown = place.run(&["prove", "notes-0.json", "--contract", "none", "--json"]);
    assert_eq!(code(&unknown), (2, "USAGE".into()));
}

#[test]
fn m6_what_the_contract_refuses_gets_a_proof_that_fails_and_names_why() {
    let steps = "    proof: {addsDefaulted: [/schemaVersion], dropsNothing: true}\n";
    let loses = "      - remove: {path: /pages}\n";
    let inverse =
        "    inverse: [{remove: {path: /schemaVersion}}, {set: {path: /title, value: x}}]\n";
    let invariant = "invariants: [{id: same, expr: .source.title != .target.title}]\n";
    for (edit, document, property, path, result) in [
        (String::new(), r#"{"pages": 1}"#, "validatesAtCurrent", "", false),
        (format!("{loses}{steps}"), NOTE, "declaredMatchesObserved", "/pages", false),
        (format!("{steps}{inverse}"), NOTE, "roundTrips", "/title", true),
        (format!("{steps}{invariant}"), NOTE, "declaredMatchesObserved", "", false),
    ] {
        let place =
            a_place(
                |text| if edit.is_empty() { text.to_owned() } else { text.replace(steps, &edit) },
            );
        fs::write(place.work().join("note.json"), document).unwrap();
        let said = prove(&place, &["--json"]);
        assert_eq!(code(&said), (3, "PROPERTY_MISSING".into()), "{edit}: {said:?}");
        check_answer("prove", &said.json());
        let message = said.json()["diagnostics"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(property) && message.contains(path), "{message}");
        let proof = said.json()["data"]["proof"].clone();
        assert_eq!((&proof["pass"], &proof["observed"][property]), (&false.into(), &false.into()));
        assert_eq!(proof["result"].is_string(), result, "{edit}");
        let witness = proof["witnesses"].as_array().unwrap().iter();
        let mut witness = witness.filter(|witness| witness["property"] == property);
        assert_eq!(witness.next().unwrap()["path"], path, "{edit}");
        // It reads back, comes out the same again, and says that it does not pass.
        let again = verify(&place, &[&AGAIN[..], &["--json"]].concat());
        assert_eq!((again.exit, again.json()["data"]["proof"] == proof), (0, true), "{again:?}");
        check_answer("proof", &again.json());
    }
}

#[test]
fn what_a_refused_document_lacks_is_told_to_people() {
    let place =
        a_place(|text| text.replace("    proof:", "      - remove: {path: /pages}\n    proof:"));
    insta::assert_snapshot!("prove_refused", prove(&place, &[]).whole());
}

const GOOD: &str = r#"{"v":1,"titel":"good"}"#;
const DRAFT: &str = r#"{"v":1,"titel":"good","draft":"d"}"#;

/// Every proof below the working folder, by its place.
fn all_proofs(place: &Place) -> Vec<(PathBuf, String)> {
    let found = untouched(place)
        .into_keys()
        .filter(|path| path.parent().is_some_and(|folder| folder.ends_with("migration")));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(place.work()).unwrap().to_owned(), text)
    };
    found.map(read).collect()
}

fn a_tree_of_books() -> Place {
    let place = a_tree(&[("b.json", GOOD), ("a.json", DRAFT)]);
    fs::create_dir_all(place.work().join("below/more")).unwrap();
    for number in 0..6 {
        let text = format!("{{\"v\":{},\"titel\":\"{number}\"}}", number % 2 + 1);
        fs::write(
            place.work().join(format!("below/{number}.json")),
            text.replace("\"v\":2,\"titel\"", "\"v\":2,\"title\""),
        )
        .unwrap();
    }
    fs::write(place.work().join("below/more/c.json"), r#"{"v":3,"title":"c"}"#).unwrap();
    place
}

#[test]
fn m6_every_document_of_a_tree_is_proved_and_the_proofs_do_not_depend_on_threads() {
    let (one, eight) = (a_tree_of_books(), a_tree_of_books());
    let first = one.run(&["prove", ".", "--jobs", "1", "--json"]);
    let second = eight.run(&["prove", ".", "--jobs", "8", "--json"]);
    assert_eq!((first.exit, second.exit), (0, 0), "{first:?}");
    check_answer("prove", &first.json());
    let data = first.json()["data"].clone();
    assert_eq!(data, second.json()["data"]);
    assert_eq!((&data["documents"], &data["passed"]), (&9.into(), &9.into()));
    let ids: Vec<_> = data["proofs"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert!(ids.is_sorted_by_key(|id| id.as_str().unwrap()), "{ids:?}");
    assert_eq!(all_proofs(&one), all_proofs(&eight));
    assert_eq!((all_proofs(&one).len(), &data["recorded"]), (9, &true.into()));
    let events = one.run(&["log", "--json"]).stdout.matches("proof.recorded").count();
    assert_eq!(events, 9);
    // The same is made once.
    let again = one.run(&["prove", ".", "--json"]).json()["data"].clone();
    assert_eq!(again["already_there"], 9);
    assert_eq!(one.run(&["log", "--json"]).stdout.matches("proof.recorded").count(), 9);
    // A folder of the tree, from another working directory.
    let below = one.run(&["prove", "below/more", "--json"]).json()["data"].clone();
    assert_eq!(
        (&below["documents"], &below["proofs"][0]["id"]),
        (&1.into(), &"below/more/c.json".into())
    );
}

#[test]
fn documents_of_a_tree_that_fail_or_have_no_proof_are_named_and_the_others_proved() {
    let place =
        a_tree(&[("a.json", GOOD), ("b.json", r#"{"v":1,"titel":7}"#), ("c.json", r#"{"v":9}"#)]);
    let said = place.run(&["prove", ".", "--json"]);
    assert_eq!(said.exit, 3, "{said:?}");
    let answer = said.json();
    check_answer("prove", &answer);
    let codes: Vec<_> =
        answer["diagnostics"].as_array().unwrap().iter().map(|of| &of["code"]).collect();
    assert_eq!(codes, ["PROPERTY_MISSING", "MIGRATION_ABOVE_CURRENT"]);
    let data = &answer["data"];
    assert_eq!(
        (&data["passed"], &data["failed"], &data["refused"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!(data["proofs"][1]["missing"], serde_json::json!(["validatesAtCurrent"]));
    assert_eq!(all_proofs(&place).len(), 2);
    insta::assert_snapshot!("prove_tree", place.run(&["prove", "."]).whole());
    // Nothing there, and no ledger.
    fs::create_dir(place.work().join("empty")).unwrap();
    assert_eq!(code(&place.run(&["prove", "empty", "--json"])), (2, "NOTHING_HERE".into()));
}

#[test]
fn proofs_of_a_folder_are_verified_together() {
    let place = a_tree_of_books();
    done(&place, &["prove", "."]);
    let verify = |more: &[&str]| place.run(&[&["proof", "verify"], more, &["--json"]].concat());
    let said = verify(&["."]);
    assert_eq!(said.exit, 0, "{said:?}");
    check_answer("proof", &said.json());
    assert_eq!(said.json()["data"]["proved_again"], 9);
    // Several by name.
    let files: Vec<String> =
        all_proofs(&place).iter().map(|(path, _)| path.display().to_string()).collect();
    let named = verify(&[&files[0], &files[1]]);
    assert_eq!((named.exit, &named.json()["data"]["proofs"]), (0, &2.into()), "{named:?}");
    // One document is migrated elsewhere, one edited, one proof edited.
    fs::write(place.work().join("below/more/c.json"), r#"{"v":3,"title":"other"}"#).unwrap();
    let said = verify(&["."]);
    assert_eq!(code(&said), (7, "NOT_PROVED_AGAIN".into()));
    let (file, text) = &all_proofs(&place)[0];
    fs::write(place.work().join(file), text.replace("true", "false")).unwrap();
    let said = verify(&["."]);
    assert_eq!(code(&said), (3, "PROOF_INVALID".into()));
    let data = said.json()["data"].clone();
    assert_eq!(
        (&data["invalid"], &data["whole"], &data["proved_again"]),
        (&1.into(), &1.into(), &7.into())
    );
    fs::create_dir(place.work().join("empty")).unwrap();
    assert_eq!(code(&verify(&["empty"])), (2, "NOTHING_HERE".into()));
}

#[test]
fn a_proof_under_another_name_is_verified_and_what_is_no_proof_is_named() {
    let place = a_tree(&[("a.json", GOOD)]);
    done(&place, &["prove", "."]);
    let (file, text) = all_proofs(&place).pop().unwrap();
    let verify = || place.run(&["proof", "verify", ".", "--json"]);
    fs::write(place.work().join("migration/README"), "ours").unwrap();
    let said = verify();
    check_answer("proof", &said.json());
    assert_eq!((said.exit, &said.json()["data"]["proved_again"]), (0, &1.into()), "{said:?}");
    assert_eq!(said.json()["data"]["passed_over_total"], 1);
    let renamed = place.work().join("migration/old.json");
    fs::rename(place.work().join(&file), &renamed).unwrap();
    let said = verify();
    assert_eq!((said.exit, &said.json()["data"]["proved_again"]), (0, &1.into()), "{said:?}");
    let own = format!("its own name is {}", file.file_name().unwrap().display());
    assert_eq!(said.json()["data"]["listed"][0]["why"], own);
    fs::write(&renamed, text.replace("true", "false")).unwrap();
    assert_eq!(code(&verify()), (3, "PROOF_INVALID".into()));
    // Cut short it is no proof any more: nothing was verified.
    fs::write(&renamed, &text[..text.len() / 2]).unwrap();
    let said = verify();
    assert_eq!(code(&said), (2, "NOTHING_HERE".into()));
    let told = said.json()["diagnostics"][0]["message"].as_str().unwrap().to_owned();
    assert!(told.ends_with("README is none"), "{told}");
    let people = place.run(&["proof", "verify", "."]);
    assert!(people.stderr.contains("README"), "{people:?}");
}

#[test]
fn m6_a_proof_binds_the_policy_that_a_run_binds() {
    let place = a_tree(&[("a.json", DRAFT)]);
    let proved = done(&place, &["prove", "a.json", "--json"]).json();
    apply_plan(&place, &plan_all(&place));
    let certificate = done(&place, &["migration", "certificate", "--json"]).json();
    let run = &certificate["data"]["claims"][0]["replay"]["migration_policy_hash"];
    assert_eq!(&proved["data"]["proof"]["policy"], run, "{certificate}");
}

#[test]
fn m1_a_contract_edited_under_its_version_is_noticed_by_every_command() {
    let place = a_tree(&[("a.json", GOOD), ("b.json", GOOD)]);
    apply_plan(&place, &plan_all(&place));
    fs::write(place.work().join("b.json"), GOOD).unwrap();
    set_contract(&place, |text| text.replace("lossy: [/draft]", "lossy: [/draft, /mine]"));
    let before = untouched(&place);
    for command in [
        &["check"][..],
        &["check", "b.json"],
        &["status"],
        &["plan"],
        &["apply"],
        &["prove", "b.json"],
        &["prove", "."],
    ] {
        let said = place.run(&[command, &["--json"]].concat());
        assert_eq!(code(&said), (6, "CONTRACT_EDITED".into()), "{command:?}: {said:?}");
        let next = said.json()["next"][0]["argv"].clone();
        let next: Vec<&str> =
            next.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        assert_eq!(next[1..3], ["contract", "diff"], "{next:?}");
        let diff = place.run(&[&next[1..], &["--json"]].concat());
        assert_eq!(code(&diff), (6, "CONTRACT_VERSION_LOW".into()), "{diff:?}");
        assert!(untouched(&place) == before);
    }
    // A contract that is named is compared with nothing.
    assert_eq!(place.run(&["check", "--contract", "../contracts/book.yaml"]).exit, 0);
    set_contract(&place, |text| {
        text.replace("lossy: [/draft]", "lossy: [/draft, /mine]").replace("1.0.0", "2.0.0")
    });
    for command in [&["check"][..], &["status"], &["plan"], &["prove", "."]] {
        assert_eq!(place.run(command).exit, 0, "{command:?}");
    }
}
