//! What commands say of a store in which something was changed by hand: `check` finds what `plan` finds, `status` names nothing to
//! do next that would be refused, and what a rollback goes over is named.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Place, Said, check_answer, done, fingerprint, migrate};

fn first(said: &Said) -> (i32, Value) {
    (said.exit, said.json()["diagnostics"][0]["code"].clone())
}

#[test]
fn check_finds_the_changed_audit_line_that_plan_finds() {
    let place = Place::new();
    done(&place, &["init"]);
    migrate(&place, "2");
    let audit = place.work().join(".glyph/audit/events.jsonl");
    let text = fs::read_to_string(&audit).unwrap();
    fs::write(&audit, text.replacen("store_init", "store_xnit", 1)).unwrap();
    // Neither an event nor an object comes of it.
    let kept = || {
        let files = fingerprint(&place.work()).into_keys();
        let objects = files.filter(|file| file.iter().any(|part| part == "objects"));
        (done(&place, &["log", "--json"]).stdout, objects.collect::<Vec<_>>())
    };
    let before = kept();
    let check = place.run(&["check", "--json"]);
    assert_eq!(first(&check), (3, "AUDIT_CHANGED".into()), "{check:?}");
    assert_eq!(kept(), before);
    let plan = place.run(&["plan", "--json"]);
    assert_eq!(first(&plan), first(&check), "{plan:?}");
    let status = place.run(&["status", "--json"]);
    check_answer("status", &status.json());
    assert_eq!(first(&status), (3, "AUDIT_CHANGED".into()));
    let next = status.json()["next"].as_array().unwrap().clone();
    assert_eq!(next.len(), 1, "{next:?}");
    assert_eq!(next[0]["argv"].as_array().unwrap()[1..], ["verify-chain"]);
    // A last line without an end is in the way of both too.
    fs::write(&audit, format!("{text}{{")).unwrap();
    let (check, plan) = (place.run(&["check", "--json"]), place.run(&["plan", "--json"]));
    assert_ne!(check.exit, 0, "{check:?}");
    assert_eq!(first(&check), first(&plan), "{plan:?}");
    fs::write(&audit, text).unwrap();
    done(&place, &["check"]);
}

#[test]
fn a_manifest_that_is_gone_over_is_named() {
    let place = Place::new();
    done(&place, &["init"]);
    migrate(&place, "2");
    let manifest = place.work().join(".glyph/manifest.yaml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, format!("{text}# by hand\n")).unwrap();
    let undone = done(&place, &["undo", "--discard-changes", "--json"]).json();
    check_answer("undo", &undone);
    let named = json!({"ids": ["manifest.yaml"], "total": 1});
    assert_eq!(undone["data"]["gone_over"], named);
    // What was recorded before is named too, and where nobody wrote nothing is.
    migrate(&place, "2");
    fs::write(&manifest, format!("{text}# by hand\n")).unwrap();
    done(&place, &["plan", "--to", "3"]);
    let undone = done(&place, &["undo", "--discard-changes"]).stdout;
    let told = "  gone over    1 changed document; what stood there stays kept in the ledger:\n    manifest.yaml\n";
    assert!(undone.contains(told), "{undone}");
    migrate(&place, "2");
    let undone = done(&place, &["undo", "--discard-changes", "--json"]).json();
    assert_eq!(undone["data"]["gone_over"], Value::Null, "{undone}");
}
