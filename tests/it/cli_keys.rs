//! Keys through the program: who may sign what, who takes over from whom, and who must agree to a plan.

use std::fs;
use std::process::Command;

use glyph_ledger::export::{ExportReport, verify_export};
use glyph_ledger::verify::{Expectations, Outcome, Unobserved};

use crate::support::{Place, Said, a_tree, apply_plan, check_answer, done, plan_all};

const SEED: &str = "0909090909090909090909090909090909090909090909090909090909090909";

/// A tree of documents in care, and beside it a key of somebody else.
fn a_ledger() -> Place {
    let place = a_tree(&[("one.json", r#"{"v": 1, "titel": "a"}"#)]);
    done(&place, &["key", "new", "other.pem"]);
    place
}

fn as_other<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--key", "other.pem"]].concat()
}

fn export(place: &Place, arguments: &[&str]) -> String {
    let said = done(place, &as_other(&[&["key", "export", "--json"], arguments].concat()));
    let answer = said.json();
    check_answer("key", &answer);
    answer["data"]["public_key"].as_str().unwrap().to_owned()
}

fn list(place: &Place) -> serde_json::Value {
    let answer = done(place, &["key", "list", "--json"]).json();
    check_answer("key", &answer);
    answer["data"].clone()
}

fn authorize(place: &Place, roles: &[&str]) -> Said {
    let key = export(place, &[]);
    let roles = roles.iter().flat_map(|role| ["--role", role]);
    let arguments: Vec<&str> = ["key", "authorize", &key].into_iter().chain(roles).collect();
    done(place, &arguments)
}

fn size(place: &Place) -> u64 {
    done(place, &["log", "--json"]).json()["data"]["size"].as_u64().unwrap()
}

/// Refused with that code and exit, and no event is appended.
fn refused(place: &Place, arguments: &[&str], exit: i32, code: &str) -> String {
    let before = size(place);
    let said = place.run(arguments);
    assert_eq!((said.exit, said.stderr.contains(code)), (exit, true), "{said:?}");
    assert_eq!(size(place), before);
    said.stderr
}

#[test]
fn l9_a_key_is_authorised_lists_signs_and_is_revoked() {
    let place = a_ledger();
    refused(&place, &as_other(&["apply"]), 3, "KEY_UNKNOWN");
    authorize(&place, &["append"]);
    let keys = list(&place);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    assert_eq!((&keys["keys"][0]["own"], &keys["keys"][1]["own"]), (&true.into(), &false.into()));
    assert_eq!(keys["keys"][1]["roles"], serde_json::json!(["append"]));
    done(&place, &as_other(&["apply"]));
    refused(&place, &as_other(&["key", "approvals", "1"]), 6, "KEY_REFUSED");
    let id = keys["keys"][1]["key"].as_str().unwrap().to_owned();
    let revoke = |place: &Place, id: &str, more: &[&str]| {
        place.run(&[&["key", "revoke", id, "--reason", "left us"], more].concat())
    };
    assert_eq!(revoke(&place, &id[..4], &[]).exit, 2);
    assert_eq!(revoke(&place, "0123456789", &[]).exit, 2);
    assert_eq!(revoke(&place, &id[..8], &["--suspect-since", "999"]).exit, 6);
    assert_eq!(revoke(&place, &id[..8], &["--suspect-since", "3"]).exit, 0);
    let shown = &list(&place)["keys"][1];
    assert_eq!((&shown["suspect_since"], shown["ended"].is_u64()), (&3.into(), true));
    refused(&place, &as_other(&["undo"]), 3, "KEY_UNKNOWN");
    both_verifiers_agree(&place);
    assert_eq!(revoke(&place, &id[..8], &[]).exit, 6);
    // What it signed while it was allowed to is good, and so is all that follows.
    let verified = done(&place, &["verify-chain"]);
    assert!(verified.stdout.contains("complete"), "{verified:?}");
    insta::assert_snapshot!("keys", hashes_out(&done(&place, &["key", "list"]).stdout));
}

#[test]
fn l9_a_key_that_takes_over_ends_the_old_one_and_the_ledger_opens() {
    let place = a_ledger();
    let told = done(&place, &["key", "rotate", "other.pem"]);
    assert!(told.stderr.contains("--key other.pem"), "{told:?}");
    refused(&place, &["apply"], 3, "KEY_UNKNOWN");
    // The newest head is signed by a key that its own last event ended.
    done(&place, &["verify-chain"]);
    done(&place, &as_other(&["apply"]));
    done(&place, &["verify-chain"]);
    let keys = list(&place);
    assert_eq!(keys["keys"][0]["successor"], keys["keys"][1]["key"]);
    refused(&place, &as_other(&["key", "rotate", "other.pem"]), 6, "KEY_REFUSED");
    // An export of it is judged by both keys, each in its time.
    both_verifiers_agree(&place);
    let export = done(&place, &["export"]).stdout;
    let judged =
        verify_export(export.as_bytes(), &Expectations::default(), false, &mut Unobserved).unwrap();
    let ExportReport::Whole(report) = judged else { panic!("{judged:?}") };
    assert_eq!((report.faults.as_slice(), report.outcome), (&[][..], Outcome::ConsistentOnly));
}

#[test]
fn l9_the_last_key_that_administers_is_not_revoked() {
    let place = a_ledger();
    let own = list(&place)["keys"][0]["key"].as_str().unwrap().to_owned();
    let told = refused(&place, &["key", "revoke", &own, "--reason", "x"], 6, "KEY_REFUSED");
    assert!(told.contains("the last one that administers"), "{told}");
}

/// More than can agree are never asked for; who revokes a key that agreed is told what that comes to, and how to go on.
#[test]
fn l9_no_more_must_agree_than_can() {
    let place = a_ledger();
    // Alone, nobody agrees but whoever carries it out.
    let told = refused(&place, &["key", "approvals", "1"], 6, "KEY_REFUSED");
    assert!(told.contains("at most 0 can: 1 key may approve"), "{told}");
    assert!(told.contains("next: glyph-ledger key authorize PUBLIC_KEY --role approve"), "{told}");
    authorize(&place, &["approve"]);
    let told = refused(&place, &["key", "approvals", "2"], 6, "KEY_REFUSED");
    assert!(told.contains("at most 1 can: 2 keys may approve"), "{told}");
    assert!(told.contains("or: glyph-ledger key approvals 1"), "{told}");
    done(&place, &["key", "approvals", "1"]);
    let id = plan_all(&place);
    done(&place, &as_other(&["migration", "approve", &id]));
    // Whoever lost the key, or had it stolen, can end it.
    let other = list(&place)["keys"][1]["key"].as_str().unwrap().to_owned();
    let revoke = ["key", "revoke", &other, "--reason", "stolen", "--json"];
    let answer = done(&place, &revoke).json();
    check_answer("key", &answer);
    let unreachable = serde_json::json!({"approvals_required": 1, "approvals_possible": 0});
    assert_eq!(answer["data"]["unreachable"], unreachable);
    assert_eq!(answer["next"][0]["argv"][2], "authorize");
    let said = place.run(&["apply"]);
    assert_eq!(said.exit, 6, "{said:?}");
    assert!(said.stderr.contains("only 0 others may approve"), "{said:?}");
    assert!(said.stderr.contains("or: glyph-ledger key approvals 0"), "{said:?}");
    let said = done(&place, &["key", "approvals", "0", "--json"]).json();
    assert_eq!(said["data"]["unreachable"], serde_json::Value::Null);
    done(&place, &["apply"]);
}

#[test]
fn l9_a_plan_needs_the_agreement_of_others() {
    let place = a_ledger();
    authorize(&place, &["approve"]);
    done(&place, &["key", "approvals", "1"]);
    let id = plan_all(&place);
    let said = apply_plan(&place, &id);
    assert_eq!((said.exit, said.stdout.contains("APPROVAL_MISSING")), (6, true), "{said:?}");
    // One's own agreement is recorded, and does not count.
    done(&place, &["migration", "approve", &id]);
    assert_eq!(apply_plan(&place, &id).exit, 6);
    refused(&place, &["migration", "approve", &id], 6, "KEY_REFUSED");
    // An edited plan file is nobody's plan: what was agreed to is what the id binds.
    let place_of_plan = place.work().parent().unwrap().join("plan.json");
    let written = fs::read_to_string(&place_of_plan).unwrap();
    let edited = written.replacen("one.json", "two.json", 1);
    assert_ne!(written, edited, "{written}");
    fs::write(&place_of_plan, edited).unwrap();
    refused(
        &place,
        &as_other(&["migration", "approve", "../plan.json", "--reason", "x"]),
        3,
        "PLAN_EDITED",
    );
    fs::write(&place_of_plan, written).unwrap();
    let approve =
        as_other(&["migration", "approve", "../plan.json", "--reason", "looked at", "--json"]);
    let answer = done(&place, &approve).json();
    check_answer("approve", &answer);
    assert_eq!((&answer["data"]["approvals"], &answer["data"]["required"]), (&2.into(), &1.into()));
    let said = apply_plan(&place, &id);
    assert_eq!(said.exit, 0, "{said:?}");
    // Going back needs nobody.
    done(&place, &["undo"]);
}

#[test]
fn l9_keys_come_in_every_form_and_never_over_a_file() {
    let place = a_ledger();
    let ssh = export(&place, &[]);
    assert!(ssh.starts_with("ssh-ed25519 "), "{ssh}");
    fs::write(place.work().join("key.pub"), format!("{ssh} somebody@host\n")).unwrap();
    export(&place, &["--form", "pem", "--output", "key.pem.pub"]);
    let hex = export(&place, &["--form", "hex"]);
    let ledger = list(&place)["ledger"].as_str().unwrap().to_owned();
    let shown =
        done(&place, &as_other(&["key", "export", "--possession", &ledger, "--json"])).json();
    let shown = shown["data"]["possession"].as_str().unwrap().to_owned();
    let others = shown.replace(['0', '1'], "2");
    for (key, possession, exit) in [
        ("other.pem", None, 3),
        ("key.pub", Some(others.as_str()), 6),
        ("nothing", None, 3),
        (&hex, Some(&shown), 0),
    ] {
        let possession = possession.map_or(Vec::new(), |shown| vec!["--possession", shown]);
        let said = place.run(
            &[&["key", "authorize", key, "--role", "approve"], possession.as_slice()].concat(),
        );
        assert_eq!(said.exit, exit, "{key}: {said:?}");
    }
    for key in ["key.pub", "key.pem.pub", &hex] {
        refused(&place, &["key", "authorize", key, "--role", "append"], 6, "KEY_REFUSED");
    }
    let before = fs::read(place.work().join("other.pem")).unwrap();
    assert_eq!(place.run(&["key", "new", "other.pem"]).exit, 2);
    assert_eq!(place.run(&as_other(&["key", "export", "-o", "other.pem"])).exit, 2);
    assert_eq!(fs::read(place.work().join("other.pem")).unwrap(), before);
}

#[test]
fn l9_a_machine_signs_with_a_seed_from_its_environment() {
    let place = a_ledger();
    let with = |seed: &str, arguments: &[&str]| {
        place.said_by(place.command(arguments).env("GLYPH_LEDGER_KEY_SEED", seed))
    };
    let exported = with(SEED, &["key", "export", "--json"]).json();
    let key = exported["data"]["public_key"].as_str().unwrap();
    assert_eq!(with(SEED, &["apply"]).exit, 3);
    done(&place, &["key", "authorize", key, "--role", "append"]);
    let bad = with("0909", &["apply"]);
    assert_eq!((bad.exit, bad.stderr.contains("KEY_INVALID")), (3, true), "{bad:?}");
    assert!(!bad.stderr.contains("0909"), "a seed is never printed: {bad:?}");
    assert_eq!(with(SEED, &["apply"]).exit, 0);
    // A file that is named is meant.
    assert_eq!(with(SEED, &["undo", "--key", "other.pem"]).exit, 3);
}

/// The program and the verifier that was written from the document say that all of it holds, with the newest head to
/// compare with.
pub(crate) fn both_verifiers_agree(place: &Place) {
    let head = done(place, &["verify-chain", "--json"]).json();
    let head = head["data"]["good"]["note"].as_str().unwrap().to_owned();
    fs::write(place.work().join("head.note"), head).unwrap();
    fs::write(place.work().join("all.jsonl"), done(place, &["export"]).stdout).unwrap();
    done(place, &["verify-chain", "--trust", "head.note"]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/verify/verify_export.py");
    let arguments = ["-B", script, "all.jsonl", "--trust", "head.note"];
    let said = Command::new("python3").args(arguments).current_dir(place.work()).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// A text with every run of hexadecimal digits of an id taken out.
fn hashes_out(text: &str) -> String {
    let is_id = |word: &str| word.len() == 12 && word.chars().all(|c| c.is_ascii_hexdigit());
    let word = |word: &str| if is_id(word) { "[ID]".to_owned() } else { word.to_owned() };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_key_that_is_known_and_may_not_is_told_from_one_that_is_unknown() {
    let place = a_ledger();
    authorize(&place, &["approve"]);
    let said = refused(&place, &as_other(&["apply"]), 3, "KEY_ROLE_MISSING");
    assert!(said.contains("may not append") && said.contains("has the role approve"), "{said}");
}
