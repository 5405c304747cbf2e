//! What an auditor asks, through the program.

use std::fs;
use std::process::Command;

use ledger_format::hash::NodeHash;
use ledger_format::tree::verify_consistency;
use serde_json::{Value, json};

use crate::databases::{INIT_COMMAND, an_application};
use crate::support::{Place, a_tree, apply_plan, beside, check_answer, done, look, plan_all};

/// How SPEC §15 says that a sample is drawn, written down once more.
const DRAW: &str = r#"
import hashlib, sys
seed, wanted, of = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
drawn, counter, fair = [], 0, 2**64 // of * of
while len(drawn) < min(wanted, of):
    text = f"glyph-ledger/audit-sample/1\n{seed}\n{counter}\n"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    counter += 1
    if number < fair and number % of not in drawn:
        drawn.append(number % of)
print(drawn)
"#;

/// Documents in care, the loss of one of them; a key of somebody else beside.
fn a_ledger() -> Place {
    let lossy = r#"{"v": 1, "titel": "b", "draft": 1}"#;
    let place = a_tree(&[("one.json", r#"{"v": 1, "titel": "a"}"#), ("two.json", lossy)]);
    done(&place, &["key", "new", "other.pem"]);
    place
}

fn ask(place: &Place, arguments: &[&str]) -> Value {
    let said = place.run(&[&["audit"], arguments, &["--json"]].concat());
    let answer = said.json();
    check_answer("audit", &answer);
    assert_eq!(answer["exit"], said.exit);
    assert!(!said.stdout.contains("compliant"));
    answer
}

fn exceptions(place: &Place, arguments: &[&str]) -> Vec<(u64, String)> {
    let answer = ask(place, &[&["exceptions"], arguments].concat());
    let found = answer["data"]["exceptions"].as_array().unwrap();
    assert_eq!(
        (answer["exit"] == 6, answer["ok"] == false),
        (!found.is_empty(), !found.is_empty())
    );
    let name = |one: &Value| one["exception"].as_str().unwrap().to_owned();
    found.iter().map(|one| (one["seq"].as_u64().unwrap(), name(one))).collect()
}

fn names(found: &[(u64, String)]) -> Vec<&str> {
    found.iter().map(|(_, name)| name.as_str()).collect()
}

fn authorize(place: &Place, file: &str, role: &str) -> String {
    let exported = done(place, &["key", "export", "--key", file, "--json"]).json();
    let key = exported["data"]["public_key"].as_str().unwrap().to_owned();
    done(place, &["key", "authorize", &key, "--role", role]);
    exported["data"]["key"].as_str().unwrap().to_owned()
}

fn apply(place: &Place) {
    let id = plan_all(place);
    assert_eq!(apply_plan(place, &id).exit, 0);
}

fn hash(value: &Value) -> NodeHash {
    value.as_str().unwrap().parse().unwrap()
}

fn holds(proof: &Value) -> bool {
    let nodes: Vec<NodeHash> = proof["nodes"].as_array().unwrap().iter().map(hash).collect();
    let (old, new) = (proof["old"].as_u64().unwrap(), proof["new"].as_u64().unwrap());
    verify_consistency(old, &hash(&proof["old_root"]), new, &hash(&proof["new_root"]), &nodes)
}

#[test]
fn a_population_is_counted_without_gaps_and_leads_to_the_head() {
    let place = a_ledger();
    apply(&place);
    let events = done(&place, &["log", "--json", "--reverse"]).json()["data"]["events"].clone();
    let size = events.as_array().unwrap().len();
    for (from, to) in (0..size).flat_map(|from| (from..size).map(move |to| (from, to))) {
        // Every pair of some, to keep it quick.
        if from != 0 && to != size - 1 && to != from && (from * to) % 7 != 3 {
            continue;
        }
        let (from_text, to_text) = (from.to_string(), to.to_string());
        let answer = ask(&place, &["population", "--from", &from_text, "--to", &to_text]);
        let data = &answer["data"];
        assert_eq!(data["events"], (to + 1 - from) as u64);
        assert_eq!(
            (&data["first"]["id"], &data["last"]["id"]),
            (&events[from]["id"], &events[to]["id"])
        );
        assert!(holds(&data["range"]) && holds(&data["to_head"]), "{answer}");
        assert_eq!((&data["range"]["old"], &data["range"]["new"]), (&json!(from), &json!(to + 1)));
        assert_eq!(
            (&data["to_head"]["new"], &data["range"]["new_root"]),
            (&json!(size), &data["to_head"]["old_root"])
        );
        let kinds: u64 =
            data["kinds"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        assert_eq!(kinds, (to + 1 - from) as u64);
    }
    let whole = done(&place, &["audit", "population"]);
    assert!(whole.stdout.contains("none missing") && whole.stderr.contains("verify-chain"));
    assert_eq!(place.run(&["audit", "population", "--from", "5", "--to", "3"]).exit, 2);
    assert_eq!(place.run(&["audit", "population", "--to", &size.to_string()]).exit, 2);
}

#[test]
fn a_sample_is_drawn_again_by_somebody_else() {
    let place = a_ledger();
    apply(&place);
    let size = done(&place, &["log", "--json"]).json()["data"]["size"].as_u64().unwrap();
    for (seed, n, more) in [
        ("autumn", 5, &[] as &[&str]),
        ("third quarter", 3, &["--from", "2"]),
        ("Prüfung", 100, &[]),
        ("x", 1, &["--kind", "object.migrated", "--kind", "run.started"]),
    ] {
        let number = n.to_string();
        let asked = [&["sample", "--seed", seed, "-n", &number], more].concat();
        let answer = ask(&place, &asked);
        let data = &answer["data"];
        let of = data["population"].as_u64().unwrap();
        let python = Command::new("python3")
            .args(["-c", DRAW, seed, &number, &of.to_string()])
            .output()
            .unwrap();
        let expected: Vec<u64> = serde_json::from_slice(&python.stdout).unwrap();
        let sample = data["sample"].as_array().unwrap();
        let mut drawn: Vec<&Value> = sample.iter().collect();
        drawn.sort_by_key(|line| line["drawn"].as_u64());
        let indices: Vec<u64> = drawn.iter().map(|line| line["index"].as_u64().unwrap()).collect();
        assert_eq!(indices, expected, "{seed}");
        assert!(sample.is_sorted_by_key(|line| line["seq"].as_u64()));
        assert_eq!(ask(&place, &asked)["data"], *data);
        if more.is_empty() {
            assert!(sample.iter().all(|line| line["seq"] == line["index"]));
            assert_eq!(of, size);
        }
    }
    for refused in [
        &["audit", "sample", "--seed", "a\nb"] as &[&str],
        &["audit", "sample", "--seed", ""],
        &["audit", "sample", "--seed", "a", "-n", "0"],
        &["audit", "sample", "--seed", "a", "--kind", "no.such"],
        &["audit", "sample", "--seed", "a", "--kind", "key.revoked"],
        &["audit", "sample"],
    ] {
        assert_eq!(place.run(refused).exit, 2, "{refused:?}");
    }
}

#[test]
fn what_nobody_agreed_to_and_what_has_no_reason_stands_out() {
    let place = a_ledger();
    assert_eq!(exceptions(&place, &[]), []);
    assert_eq!(place.run(&["audit", "exceptions"]).exit, 0);
    apply(&place);
    let found = exceptions(&place, &[]);
    assert_eq!(names(&found), ["unapproved", "lossy_without_reason"]);
    let run = found[0].0.to_string();
    assert_eq!(exceptions(&place, &["--to", &(found[0].0 - 1).to_string()]), []);
    assert_eq!(names(&exceptions(&place, &["--from", &run])).len(), 2);
    assert_eq!(exceptions(&place, &["--from", &(found[0].0 + 1).to_string()]), []);
    let told = place.run(&["audit", "exceptions"]);
    assert_eq!((told.exit, told.stderr.contains("EXCEPTIONS_FOUND")), (6, true), "{told:?}");
    // Going back needs nobody, and loses nothing that was not there before.
    done(&place, &["undo"]);
    assert_eq!(exceptions(&place, &[]), found);
}

/// What takes a way back or a rule away needs nobody's agreement, so it stands out.
#[test]
fn images_given_up_and_rules_loosened_stand_out() {
    let place = an_application(&[
        ("0001_a.sql", "CREATE TABLE a(x);"),
        ("0002_b.sql", "CREATE TABLE b(x);"),
    ]);
    done(&place, &INIT_COMMAND);
    done(&place, &["apply"]);
    done(&place, &["key", "new", "other.pem"]);
    authorize(&place, "other.pem", "approve");
    let before = names(&exceptions(&place, &[])).len();
    done(&place, &["key", "approvals", "1"]);
    assert_eq!(exceptions(&place, &[]).len(), before, "more who must agree is no exception");
    done(&place, &["key", "approvals", "0"]);
    let prune = ["image", "prune", "--keep", "@", "--reason", "disk is full"];
    let asked = place.run(&[&prune[..], &["--json"]].concat()).json();
    let words = asked["next"][0]["argv"].as_array().unwrap_or_else(|| panic!("{asked}"));
    let words: Vec<&str> = words.iter().skip(1).filter_map(Value::as_str).collect();
    done(&place, &words);
    let answer = ask(&place, &["exceptions"]);
    let found = answer["data"]["exceptions"].as_array().unwrap();
    let [.., lowered, pruned] = found.as_slice() else { panic!("{answer}") };
    assert_eq!(
        (&lowered["exception"], &lowered["before"]),
        (&json!("approvals_lowered"), &json!(1))
    );
    assert_eq!(lowered["required"], 0);
    assert_eq!(
        (&pruned["exception"], &pruned["reason"]),
        (&json!("pruned"), &json!("disk is full"))
    );
    assert_eq!(pruned["images"].as_u64(), Some(1), "{answer}");
    let told = place.run(&["audit", "exceptions"]).stdout;
    assert!(told.contains("plans need the agreement of 0 instead of 1 other, by key"), "{told}");
    assert!(told.contains("given up by key") && told.contains(": disk is full"), "{told}");
}

#[test]
fn agreement_of_oneself_and_of_whom_one_let_in_is_told_from_that_of_others() {
    let place = a_ledger();
    authorize(&place, "other.pem", "approve");
    let id = plan_all(&place);
    done(&place, &["migration", "approve", &id, "--reason", "mine"]);
    done(&place, &["migration", "approve", &id, "--reason", "yours", "--key", "other.pem"]);
    assert_eq!(apply_plan(&place, &id).exit, 0);
    let found = exceptions(&place, &[]);
    assert_eq!(names(&found), ["self_approved", "dependent_approval"]);
    // By a key that was authorised by somebody else than who carries the plan out.
    done(&place, &["undo"]);
    let place = a_ledger();
    authorize(&place, "other.pem", "append");
    let id = plan_all(&place);
    done(&place, &["migration", "approve", &id, "--reason", "looked at"]);
    let said = place.run(&["apply", "../plan.json", "--accept-lossy", &id, "--key", "other.pem"]);
    assert_eq!(said.exit, 0, "{said:?}");
    assert_eq!(exceptions(&place, &[]), []);
}

#[test]
fn a_key_that_took_over_is_still_whose_it_was() {
    let place = a_ledger();
    let id = plan_all(&place);
    done(&place, &["migration", "approve", &id, "--reason", "mine"]);
    done(&place, &["key", "rotate", "other.pem"]);
    let said = place.run(&["apply", "../plan.json", "--accept-lossy", &id, "--key", "other.pem"]);
    assert_eq!(said.exit, 0, "{said:?}");
    assert_eq!(names(&exceptions(&place, &[])), ["unapproved", "self_approved"]);
}

#[test]
fn what_a_suspect_key_signed_and_let_in_stands_out() {
    let place = a_ledger();
    done(&place, &["key", "new", "third.pem"]);
    let suspect = authorize(&place, "other.pem", "administer");
    let third = done(&place, &["key", "export", "--key", "third.pem", "--json"]).json();
    let third = third["data"]["public_key"].as_str().unwrap().to_owned();
    let let_in = ["key", "authorize", &third, "--role", "append", "--key", "other.pem"];
    done(&place, &let_in);
    let size = done(&place, &["log", "--json"]).json()["data"]["size"].as_u64().unwrap();
    let id = plan_all(&place);
    let said = place.run(&["apply", "../plan.json", "--accept-lossy", &id, "--key", "third.pem"]);
    assert_eq!(said.exit, 0, "{said:?}");
    let since = (size - 1).to_string();
    let reason = ["--reason", "its laptop was stolen", "--suspect-since", &since];
    done(&place, &[&["key", "revoke", &suspect[..12]], &reason[..]].concat());
    let answer = ask(&place, &["exceptions"]);
    let found = answer["data"]["exceptions"].as_array().unwrap();
    let suspects: Vec<&Value> =
        found.iter().filter(|one| one["exception"] == "suspect_key").collect();
    assert_eq!(suspects.len(), 2, "{answer}");
    assert_eq!((&suspects[0]["key"], &suspects[0]["events"]), (&json!(suspect), &json!(1)));
    assert_eq!(suspects[0]["first"], json!(size - 1));
    assert_eq!(suspects[1]["suspect"], json!(suspect));
    assert_ne!(suspects[1]["key"], json!(suspect));
    assert_eq!(suspects[1]["first"], json!(size));
    let told = place.run(&["audit", "exceptions"]).stdout;
    assert!(told.contains("suspect then") && told.contains("let in by key"), "{told}");
}

/// What a stranger has: the archive, unpacked by a program that is not ours, and no ledger.
fn unpacked(archive: &std::path::Path) -> Place {
    let stranger = Place::new();
    let unpack = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";
    let work = stranger.work();
    let status = Command::new("python3").args(["-c", unpack]).arg(archive).arg(&work).status();
    assert!(status.unwrap().success());
    stranger
}

#[test]
fn a_bundle_is_verified_by_a_stranger_with_nothing_but_itself_and_the_head() {
    let place = a_ledger();
    apply(&place);
    done(&place, &["undo"]);
    let archive = beside(&place, "evidence.zip");
    let answer = ask(&place, &["bundle", "-o", "../evidence.zip"]);
    let data = &answer["data"];
    assert_eq!((&data["runs"], &data["has_report"]), (&json!(2), &json!(true)));
    let first = fs::read(&archive).unwrap();
    // Made again it has the same bytes.
    ask(&place, &["bundle", "-o", "../again.zip"]);
    assert_eq!(fs::read(beside(&place, "again.zip")).unwrap(), first);

    let stranger = unpacked(&archive);
    let read = |name: &str| fs::read_to_string(stranger.work().join(name)).unwrap();
    let population = ask(&place, &["population"]);
    fs::write(stranger.work().join("known"), population["data"]["head"].as_str().unwrap()).unwrap();
    let ledger = data["ledger"].as_str().unwrap();
    let verified = Command::new("python3")
        .args(["verify_export.py", "events.jsonl", "--trust", "known", "--ledger", ledger])
        .current_dir(stranger.work())
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
    assert_eq!(read("head"), population["data"]["head"].as_str().unwrap());
    let head = format!("{}:{}", data["events"], data["root"].as_str().unwrap());
    assert!(read("README.md").contains(&head) && !read("README.md").contains('{'));
    assert!(read("SPEC.md").contains("## 12. Verification"));

    let key = done(&place, &["key", "export", "--form", "hex", "--json"]).json();
    let key = key["data"]["public_key"].as_str().unwrap();
    let files = data["files"].as_array().unwrap().iter().filter_map(Value::as_str);
    let files: Vec<&str> = files.collect();
    for proof in files.iter().filter(|file| file.starts_with("proofs/")) {
        let said = done(&stranger, &["proof", "verify", proof, "--signer", key, "--json"]);
        assert_eq!(said.json()["data"]["kind"], "run.committed");
    }
    let certificates: Vec<Value> = files
        .iter()
        .filter(|file| file.starts_with("certificates/"))
        .map(|file| serde_json::from_str(&read(file)).unwrap())
        .collect();
    assert_eq!(certificates.len(), 2);
    assert!(certificates.iter().all(|one| one["recorded"] == one["recomputed"]));
    let shown = look(&json!({"open": stranger.work().join("report.html"), "known": head}));
    assert_eq!(shown["verdict"], "matches", "{shown}");
    // What lies there and is signed by nobody says so, and names what bears it out.
    let account = files.iter().find(|file| file.starts_with("certificates/")).unwrap();
    let said = stranger.run(&["bundle", "verify", account, "--ledger", ledger]);
    assert!(said.exit == 2 && said.stderr.contains("it is signed by nobody"), "{said:?}");
    assert!(said.stderr.contains("export verify events.jsonl --trust HEAD"), "{said:?}");
    let export = ["export", "verify", "events.jsonl", "--trust", "known", "--ledger", ledger];
    done(&stranger, &export);
    for named in ["glyph-ledger export verify", "glyph-ledger proof verify FILE --signer"] {
        assert!(read("README.md").contains(named), "{named}");
    }
    let all: String = files.iter().map(|file| read(file)).collect();
    assert!(!all.contains("compliant"));
}

#[test]
fn certificates_in_a_bundle_are_signed_where_that_is_asked_for_and_verify_alone() {
    let place = a_ledger();
    apply(&place);
    done(&place, &["undo"]);
    let answer = ask(&place, &["bundle", "-o", "../evidence.zip", "--certify"]);
    let files = answer["data"]["files"].as_array().unwrap().iter().filter_map(Value::as_str);
    let signed: Vec<&str> = files.filter(|file| file.ends_with(".sigstore.json")).collect();
    assert_eq!(signed.len(), 2);
    let stranger = unpacked(&beside(&place, "evidence.zip"));
    let ledger = answer["data"]["ledger"].as_str().unwrap();
    let readme = fs::read_to_string(stranger.work().join("README.md")).unwrap();
    assert!(readme.contains("verify_bundle.py") && !readme.contains('{'), "{readme}");
    for (id, exit) in [(ledger, 0), (&"0".repeat(64)[..], 3)] {
        for file in &signed {
            let ours = stranger.run(&["bundle", "verify", file, "--ledger", id]);
            assert_eq!(ours.exit, exit, "{ours:?}");
            let theirs = Command::new("python3")
                .args(["verify_bundle.py", file, "--ledger", id])
                .current_dir(stranger.work())
                .output()
                .unwrap();
            assert_eq!(theirs.status.code(), Some(exit), "{theirs:?}");
        }
    }
    // With a key that may not sign here no archive is made.
    done(&place, &["key", "new", "../other.pem"]);
    let refused =
        place.run(&["audit", "bundle", "-o", "../x.zip", "--certify", "--key", "../other.pem"]);
    assert_eq!(refused.exit, 3, "{refused:?}");
    assert!(!beside(&place, "x.zip").exists());
}

#[test]
fn a_bundle_takes_no_other_file_s_place() {
    let place = a_ledger();
    for (name, bytes) in
        [("mine.zip", &b"PK\x03\x04 another archive, of somebody else"[..]), ("a.txt", b"a")]
    {
        fs::write(beside(&place, name), bytes).unwrap();
        assert_eq!(place.run(&["audit", "bundle", "-o", &format!("../{name}")]).exit, 2, "{name}");
        assert_eq!(fs::read(beside(&place, name)).unwrap(), bytes);
    }
    assert_eq!(place.run(&["audit", "bundle", "-o", ".glyph-ledger/e.zip"]).exit, 2);
    assert_eq!(place.run(&["audit", "bundle"]).exit, 2);
}
