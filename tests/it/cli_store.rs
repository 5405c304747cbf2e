//! The commands that work on a store, one after the other on a real one: what they answer fits their
//! published schemas.

use std::fs;

use serde_json::Value;

use crate::support::{Place, check_answer};

fn answer(place: &Place, command: &str, exit: i32, arguments: &[&str]) -> Value {
    let said = place.run(&[arguments, &["--json"]].concat());
    let answer = said.json();
    check_answer(command, &answer);
    assert_eq!(said.exit, exit, "{said:?}");
    answer
}

#[test]
fn p2_every_command_on_a_store_answers_in_json() {
    let place = Place::new();
    answer(&place, "init", 0, &["init"]);
    answer(&place, "status", 10, &["status", "--deep", "--detailed-exitcode"]);
    let plan = answer(&place, "plan", 0, &["plan", "-o", "plan.json"]);
    let id = plan["data"]["plan"]["id"].as_str().unwrap();
    let confirmed = ["apply", "plan.json", "--accept-lossy", id];
    answer(&place, "apply", 0, &confirmed);
    answer(&place, "plan", 0, &["migration", "plan"]);
    answer(&place, "verify-chain", 0, &["verify-chain", "--objects"]);
    let status = answer(&place, "status", 0, &["status"]);
    assert!(status["data"]["last_verified"]["size"].is_u64(), "{status}");
    answer(&place, "replay", 0, &["replay", "--to", "@-1", "--out", "then"]);
    let diff = answer(&place, "diff", 0, &["diff", "@-1"]);
    assert_eq!((&diff["data"]["from"], &diff["data"]["to"]), (&"1".into(), &"3".into()));
    answer(&place, "diff", 2, &["diff", "0"]);
    let images = answer(&place, "image", 0, &["image", "list"]);
    assert_eq!(images["data"]["images"].as_array().unwrap().len(), 2);
    answer(&place, "image", 0, &["image", "verify"]);
    let down = answer(&place, "plan", 4, &["plan", "--to", "1"]);
    assert!(down["diagnostics"][0]["message"].as_str().unwrap().contains("2 \u{2192} 3"), "{down}");
    answer(&place, "undo", 0, &["undo"]);
    let unchanged = answer(&place, "rollback", 0, &["migration", "rollback", "--to", "@"]);
    assert_eq!(unchanged["data"]["unchanged"], true);
    answer(&place, "resume", 2, &["migration", "resume"]);
}

/// A contract that was moved away keeps nobody from looking and from going back; whoever goes on is told which file is missed, and what to do.
#[test]
fn l4_a_store_is_read_by_the_contract_that_its_ledger_keeps() {
    let place = Place::new();
    let built_in = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contract/built_in");
    let contracts = crate::support::beside(&place, "contracts");
    crate::support::copy(&built_in.join("glyph-store"), &contracts);
    answer(&place, "init", 0, &["init", "--contract", "../contracts/contract.yaml"]);
    crate::support::migrate(&place, "2");
    let away = crate::support::beside(&place, "away");
    fs::rename(&contracts, &away).unwrap();
    let kept = |arguments: &[&str]| {
        let said = place.run(arguments);
        assert_eq!(said.exit, 0, "{arguments:?}: {said:?}");
        assert!(said.stderr.contains("gone by the contract that the ledger keeps"), "{said:?}");
    };
    kept(&["status"]);
    kept(&["undo"]);
    kept(&["migration", "rollback", "--to", "@-1"]);
    for arguments in [&["log"][..], &["verify-chain", "--objects"], &["replay"]] {
        assert_eq!(place.run(arguments).exit, 0, "{arguments:?}");
    }
    let before = place.run(&["log"]).stdout;
    for command in ["plan", "apply"] {
        let refused = answer(&place, command, 1, &[command]);
        assert_eq!(refused["diagnostics"][0]["code"], "IO");
        let message = refused["diagnostics"][0]["message"].as_str().unwrap();
        assert!(message.contains("contracts/contract.yaml: "), "{message}");
        assert!(message.contains("write where the contract is into"), "{message}");
        assert!(message.ends_with(".glyph/ledger/contract.path"), "{message}");
    }
    assert_eq!(place.run(&["log"]).stdout, before);
    let named = format!("{}\n", away.join("contract.yaml").display());
    fs::write(place.work().join(".glyph/ledger/contract.path"), named).unwrap();
    answer(&place, "plan", 0, &["plan"]);
    let said = place.run(&["status"]);
    assert!(said.exit == 0 && !said.stderr.contains("gone by"), "{said:?}");
}

#[test]
fn m17_a_locked_run_of_a_store_needs_the_environment_of_the_last_run() {
    let place = Place::new();
    answer(&place, "init", 0, &["init"]);
    let before = place.run(&["log"]).stdout;
    let refused = answer(&place, "apply", 6, &["apply", "--locked"]);
    assert_eq!(refused["diagnostics"][0]["code"], "ENVIRONMENT_DIFFERS");
    answer(&place, "plan", 0, &["plan", "--to", "2", "-o", "plan.json"]);
    let plan = fs::read_to_string(place.work().join("plan.json")).unwrap();
    let mut other: Value = serde_json::from_str(&plan).unwrap();
    other["environment"]["lockfile"] = "00".repeat(32).into();
    fs::write(place.work().join("other.json"), other.to_string()).unwrap();
    let refused = answer(&place, "apply", 3, &["apply", "other.json", "--locked"]);
    assert_eq!(refused["diagnostics"][0]["code"], "PLAN_EDITED");
    // As if it were made by another program: with the hash that what it tells has.
    let said = refused["diagnostics"][0]["message"].as_str().unwrap();
    let told = said.split("has the hash ").nth(1).unwrap().split(',').next().unwrap();
    other["told"] = told.into();
    fs::write(place.work().join("other.json"), other.to_string()).unwrap();
    let refused = answer(&place, "apply", 6, &["apply", "other.json", "--locked"]);
    let said = refused["diagnostics"][0]["message"].as_str().unwrap();
    assert!(said.contains("lockfile was \"0000"), "{said}");
    assert_eq!(place.run(&["log"]).stdout, before);
    answer(&place, "apply", 0, &["apply", "plan.json", "--locked"]);
    let plan = answer(&place, "plan", 0, &["plan", "--to", "3"]);
    let id = plan["data"]["plan"]["id"].as_str().unwrap();
    answer(&place, "apply", 0, &["apply", "--locked", "--accept-lossy", id]);
}

#[test]
fn the_demo_answers_in_json() {
    let place = Place::new();
    fs::write(place.work().join("notes.txt"), "something to import\n").unwrap();
    answer(&place, "demo", 0, &["demo", "--out", "../demo"]);
}

#[test]
fn a_key_that_others_can_read_signs_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    answer(&place, "init", 0, &["init"]);
    let key = place.home().join("config/key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let before = place.run(&["log"]).stdout;
    let refused = answer(&place, "apply", 3, &["apply"]);
    assert_eq!(refused["diagnostics"][0]["code"], "KEY_EXPOSED");
    assert_eq!(place.run(&["log"]).stdout, before);
}

#[test]
fn verify_chain_names_a_changed_audit_line() {
    let place = Place::new();
    answer(&place, "init", 0, &["init"]);
    let audit = place.work().join(".glyph/audit/events.jsonl");
    let text = fs::read_to_string(&audit).unwrap();
    fs::write(&audit, text.replace("store_init", "store_xnit")).unwrap();
    let verdict = answer(&place, "verify-chain", 3, &["verify-chain"]);
    assert_eq!(verdict["data"]["verdict"], "complete");
    assert_eq!(verdict["diagnostics"][0]["code"], "AUDIT_CHANGED");
    assert_eq!(verdict["diagnostics"][0]["place"], "audit/events.jsonl:1");
}
