//! What the program tells of runs: trace, certificate, report; and of documents in care: recomputed, put back, compared.

use std::fs;

use glyph_ledger::ledger::FoldError;
use glyph_ledger::migrate::account::{find_run, trace};
use serde_json::Value;

use crate::job_scene::Scene;
use crate::support::{Place, a_migrated_store, check_answer, done};

const CONTRACT: &str = r#"
contract: notes
contract_version: 1.0.0
format: json
files: ["notes/*.json"]
versions: ["1", "2"]
current: "2"
min: "1"
detect:
  - {version: "1", when: {path: /v, equals: 1}}
  - {version: "2", when: {path: /v, equals: 2}}
edges:
  - from: "1"
    to: "2"
    steps:
      - set: {path: /v, value: 2}
      - remove: {path: /old, optional: true}
    proof: {addsDefaulted: [], dropsNothing: false}
    lossy: [/old]
"#;

/// Three documents in the care of a ledger, at version 1.
fn documents() -> Place {
    let place = Place::new();
    fs::create_dir(place.work().join("notes")).unwrap();
    fs::write(place.home().parent().unwrap().join("notes.yaml"), CONTRACT).unwrap();
    for (name, text) in [("a", r#"{"v": 1}"#), ("b", r#"{"v": 1, "old": 7}"#), ("c", r#"{"v": 1}"#)]
    {
        fs::write(place.work().join(format!("notes/{name}.json")), text).unwrap();
    }
    done(&place, &["init", "--documents", "--contract", "../notes.yaml"]);
    place
}

fn migrated() -> Place {
    let place = documents();
    let plan = done(&place, &["plan", "-o", "../plan.json", "--json"]);
    let id = plan.json()["data"]["plan"]["id"].as_str().unwrap().to_owned();
    done(&place, &["apply", "../plan.json", "--accept-lossy", &id]);
    place
}

fn told(place: &Place, command: &str, arguments: &[&str]) -> Value {
    let said = place.run(&[arguments, &["--json"]].concat());
    let answer = said.json();
    check_answer(command, &answer);
    answer
}

/// A run is named by its id or by a cursor, of which it is the run that led to the state there.
#[test]
fn l7_a_run_is_named_by_cursors_as_well() {
    let place = crate::support::a_tree(&[("one.json", r#"{"v": 1, "titel": "a"}"#)]);
    let run = |arguments: &[&str]| done(&place, arguments).json()["data"]["run"].clone();
    let first = run(&["apply", "--json"]);
    let end = done(&place, &["log", "--json"]).json()["data"]["size"].as_u64().unwrap();
    let second = run(&["undo", "--json"]);
    let (first_id, before_second) = (first.as_str().unwrap(), (end - 1).to_string());
    let named = format!("run:{first_id}");
    let back = format!("run:{}^", second.as_str().unwrap());
    for (cursor, expected) in [
        ("@", &second),
        ("@-1", &first),
        (named.as_str(), &first),
        (back.as_str(), &first),
        (&first_id[..8], &first),
        (before_second.as_str(), &first),
    ] {
        for verb in [&["certificate", "export"][..], &["certificate"], &["trace"]] {
            let arguments = [&["migration"], verb, &[cursor, "--json"]].concat();
            assert_eq!(run(&arguments), *expected, "{arguments:?}");
        }
    }
    // Two are meant within a run as well as one, and none before the first.
    let export = |cursor: &str| {
        let said = place.run(&["migration", "certificate", "export", cursor, "--json"]);
        let code = said.json()["diagnostics"][0]["code"].clone();
        (said.exit, code, said.json()["diagnostics"][0]["message"].clone())
    };
    let (exit, code, message) = export("@~2");
    assert_eq!((exit, code), (2, "CURSOR_UNKNOWN".into()), "{message}");
    let expected = format!("name the run itself, run:{}", &second.as_str().unwrap()[..12]);
    assert!(message.as_str().unwrap().ends_with(&expected), "{message}");
    assert_eq!(export("@-2").1, "NO_RUN");
    assert_eq!(export("zz").1, "CURSOR_UNKNOWN");
}

#[test]
fn m11_m12_a_run_on_documents_is_told_in_three_ways() {
    let place = migrated();
    let report = told(&place, "report", &["migration", "report"]);
    let report = &report["data"]["migration_report"];
    assert_eq!((&report["objects_migrated"], &report["field_removals"]), (&3.into(), &1.into()));
    assert_eq!(report["lossy"][0]["object"], "notes/b.json");
    assert_eq!(report["lossy"][0]["what"]["path"], "/old");
    let run = report["run"].as_str().unwrap();

    let certificate = told(&place, "certificate", &["migration", "certificate", &run[..12]]);
    let certificate = &certificate["data"];
    assert_eq!((&certificate["same"], &certificate["objects"]), (&true.into(), &3.into()));
    let one =
        told(&place, "certificate", &["migration", "certificate", "--object", "notes/b.json"]);
    assert_eq!(one["data"]["claims"][0], certificate["claims"][1]);

    let trace = told(&place, "trace", &["migration", "trace", &format!("run:{run}")]);
    let records = trace["data"]["records"].as_array().unwrap();
    assert_eq!(records.len(), 5);
    assert_eq!(records[4]["migration_certificate_hash"], certificate["recorded"]);

    let text = done(&place, &["migration", "trace"]).stdout;
    assert!(text.contains("iter        migrate  lossy  notes/b.json"), "{text}");
    let text = done(&place, &["migration", "certificate"]).stdout;
    assert!(text.contains("  notes/a.json: 1 -> 2\n"), "{text}");
    let text = done(&place, &["migration", "report"]).stdout;
    assert!(text.contains("    notes/b.json: /old = "), "{text}");
}

#[test]
fn runs_that_are_not_there_are_refused() {
    let place = documents();
    for (arguments, code) in [
        (&["migration", "trace"] as &[&str], "NO_RUN"),
        (&["migration", "report", "00000000"], "CURSOR_UNKNOWN"),
    ] {
        let said = place.run(&[arguments, &["--json"]].concat());
        assert_eq!((said.exit, &said.json()["diagnostics"][0]["code"]), (2, &code.into()));
    }
    let place = migrated();
    let said = place.run(&["migration", "certificate", "--object", "notes/z.json", "--json"]);
    assert_eq!((said.exit, &said.json()["diagnostics"][0]["code"]), (2, &"NOTHING_HERE".into()));
}

#[test]
fn m11_m12_a_run_on_a_store_is_told_in_the_same_ways() {
    let place = Place::new();
    a_migrated_store(&place);
    let report = told(&place, "report", &["migration", "report"]);
    let report = &report["data"]["migration_report"];
    assert_eq!((&report["objects_migrated"], &report["not_counted"]), (&2.into(), &1.into()));
    let certificate = told(&place, "certificate", &["migration", "certificate"]);
    assert_eq!(certificate["data"]["same"], true);
    told(&place, "trace", &["migration", "trace"]);
}

/// Frozen: what the same store comes to must stay the same.
#[test]
fn m12_the_trace_of_a_run_on_a_store_is_the_golden_one() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::at_version_2(home.path());
    let ledger = scene.open_ledger();
    let span = find_run(&ledger, None).unwrap();
    let mut lines = String::new();
    trace::<FoldError>(&ledger, &span, &mut |record| {
        lines += &(serde_json::to_string(&record).unwrap() + "\n");
        Ok(())
    })
    .unwrap();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/src/migrate/account/golden/store.jsonl");
    assert_eq!(lines, fs::read_to_string(golden).unwrap());
}

#[test]
fn documents_are_compared_recomputed_and_put_back() {
    let place = migrated();
    let judged = told(&place, "verify-chain", &["verify-chain", "--objects"]);
    assert_eq!(
        (&judged["ok"], &judged["data"]["live"]["verdict"]),
        (&true.into(), &"matches".into())
    );
    assert_eq!(judged["data"]["objects"]["bad"], 0);
    let again = told(&place, "replay", &["replay", "--recompute", "--out", "../out"]);
    assert_eq!(again["exit"], 0);
    assert_eq!(
        again["data"]["recomputed"],
        serde_json::json!({"steps": 3, "same": 3, "not_recomputable": 0})
    );
    let read = |name: &str| fs::read(place.work().join(name)).unwrap();
    assert_eq!(read("../out/notes/b.json"), read("notes/b.json"));

    fs::write(place.work().join("notes/b.json"), "{}").unwrap();
    let judged = told(&place, "verify-chain", &["verify-chain"]);
    assert_eq!(judged["data"]["live"]["verdict"], "differs");
    assert_eq!(judged["data"]["live"]["differences"][0]["object"], "notes/b.json");
    let before = place.work().join(".glyph-ledger/objects");
    let mut packs: Vec<_> =
        fs::read_dir(before).unwrap().map(|entry| entry.unwrap().path()).collect();
    packs.retain(|path| path.is_file());
    for pack in packs {
        let mut bytes = fs::read(&pack).unwrap();
        let at = bytes.windows(8).position(|window| window == br#"{"v": 1}"#);
        if let Some(at) = at {
            bytes[at + 6] = b'9';
            fs::write(&pack, bytes).unwrap();
        }
    }
    let said = place.run(&["verify-chain", "--objects", "--json"]);
    assert_eq!((said.exit, &said.json()["data"]["verdict"]), (3, &"failed".into()), "{said:?}");
}

#[test]
fn m6_a_proof_of_a_document_in_care_is_recorded() {
    let place = documents();
    let proved = told(&place, "prove", &["prove", "notes/a.json"]);
    assert_eq!((&proved["exit"], &proved["data"]["recorded"]), (&0.into(), &true.into()));
    let again = told(&place, "prove", &["prove", "notes/a.json", "--contract", "../notes.yaml"]);
    assert_eq!(again["data"]["recorded"], true);
    let log = done(&place, &["log", "--json"]).json();
    let events = log["data"]["events"].as_array().unwrap();
    let proofs = events.iter().filter(|event| event["kind"] == "proof.recorded").count();
    assert_eq!(proofs, 1);
    assert_eq!(
        done(&place, &["verify-chain", "--objects", "--json"]).json()["data"]["objects"]["bad"],
        0
    );
}
