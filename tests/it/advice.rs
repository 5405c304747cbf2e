//! What the program says to do next, typed as it is printed: no step of it may tell less than the one before.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Place, Said, a_tree, beside, check_answer, copy, done};

fn a_ledger() -> Place {
    a_tree(&[("one.json", r#"{"v": 1, "titel": "a"}"#)])
}

/// The first command that `said` names, typed into a shell.
fn typed(place: &Place, said: &Said) -> Said {
    let next = |line: &str| line.trim_start().strip_prefix("next: ").map(str::to_owned);
    let line = said.stderr.lines().find_map(next).unwrap_or_else(|| panic!("{said:?}"));
    let programs = Path::new(env!("CARGO_BIN_EXE_glyph-ledger")).parent().unwrap();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &line]).env_clear().env("PATH", programs);
    place.said_by(shell.env("GLYPH_LEDGER_HOME", place.home()).current_dir(place.work()))
}

/// The same ledger in the hands of somebody with the same key, who remembers nothing.
fn a_copy(place: &Place) -> Place {
    let other = Place::new();
    copy(&place.work(), &other.work());
    copy(&beside(place, "contracts"), &beside(&other, "contracts"));
    copy(&place.home().join("config"), &other.home().join("config"));
    other
}

fn head(place: &Place) -> (String, String) {
    let head = done(place, &["head", "show", "--json"]).json()["data"].clone();
    let stated = format!("{}:{}", head["size"], head["root"].as_str().unwrap());
    (head["note"].as_str().unwrap().to_owned(), stated)
}

#[test]
fn l6_the_command_after_a_fork_or_a_cut_finds_it_too() {
    let place = a_ledger();
    let (ahead, aside) = (a_copy(&place), a_copy(&place));
    done(&ahead, &["key", "approvals", "0"]);
    done(&aside, &["key", "approvals", "0"]);
    let (note, stated) = head(&ahead);
    fs::write(beside(&place, "ahead of us"), note).unwrap();
    let commands: [&[&str]; 5] = [
        &["head", "pin", "../ahead of us"],
        &["head", "pin", "--expect", &stated],
        &["log", "--trust", "../ahead of us"],
        &["status", "--expect", &stated, "--ledger", ".glyph-ledger"],
        &["verify-chain", "--trust", "../ahead of us"],
    ];
    for (code, of_cut) in [("LEDGER_REGRESSED", true), ("LEDGER_DIVERGED", false)] {
        if !of_cut {
            fs::remove_dir_all(place.work().join(".glyph-ledger")).unwrap();
            copy(&aside.work().join(".glyph-ledger"), &place.work().join(".glyph-ledger"));
        }
        for command in commands {
            let said = place.run(command);
            assert!(said.exit == 3 && said.stderr.contains(code), "{command:?}: {said:?}");
            // What `verify-chain` names is an explanation.
            if command[0] != "verify-chain" {
                let after = typed(&place, &said);
                let found = (after.exit, after.stderr.contains(code));
                assert_eq!(found, (3, true), "{command:?}: {said:?}\n{after:?}");
            }
        }
    }
}

/// Who must agree first is asked first; the command is whole but for whose key it is.
#[test]
fn l9_a_plan_that_others_must_agree_to_names_them_before_it_is_applied() {
    let place = a_ledger();
    done(&place, &["key", "new", "other.pem"]);
    let other = done(&place, &["key", "export", "--key", "other.pem", "--form", "hex", "--json"]);
    let other = other.json()["data"]["public_key"].as_str().unwrap().to_owned();
    let alone = place.run(&["key", "approvals", "1"]);
    assert!(alone.stderr.contains("1 other key would have to agree"), "{alone:?}");
    done(&place, &["key", "authorize", &other, "--role", "approve", "--role", "administer"]);
    done(&place, &["key", "approvals", "1"]);
    let planned = done(&place, &["plan", "-o", "../plan.json"]);
    assert!(planned.stderr.contains("1 other key must agree to it"), "{planned:?}");
    let as_other = |said: &Said| Said {
        exit: said.exit,
        stdout: said.stdout.clone(),
        stderr: said.stderr.replace("KEY_OF_ANOTHER", "other.pem").replace("PUBLIC_KEY", &other),
    };
    // Whoever goes on all the same is told the same, and not to agree with the key that carries it out.
    let own = place.home().join("config/key.pem").display().to_string();
    let refused = place.run(&["apply", "../plan.json", "--key", &own]);
    assert_eq!(refused.exit, 6, "{refused:?}");
    let told = refused.stderr.contains("--key KEY_OF_ANOTHER");
    let told = told && !refused.stderr.contains("config/key.pem");
    assert!(told, "{refused:?}");
    let approved = typed(&place, &as_other(&planned));
    assert_eq!(approved.exit, 0, "{planned:?}: {approved:?}");
    let planned = done(&place, &["plan", "-o", "../plan.json"]);
    assert_eq!(typed(&place, &planned).exit, 0, "{planned:?}");
    // Whoever ended their own key cannot be who goes on.
    let keys = done(&place, &["key", "list", "--json"]).json();
    let id = keys["data"]["keys"][1]["key"].as_str().unwrap().to_owned();
    let revoke = ["key", "revoke", &id, "--reason", "lost", "--key", "other.pem"];
    let ended = done(&place, &revoke);
    assert!(
        ended.stderr.contains("1 other key must agree")
            || ended.stdout.contains("1 other key must agree")
    );
    assert!(ended.stderr.contains("--key ADMINISTRATORS_KEY"), "{ended:?}");
    assert!(!ended.stderr.contains("other.pem"), "{ended:?}");
}

#[test]
fn a_cursor_that_is_too_short_says_how_long_it_must_be() {
    let place = a_ledger();
    for cursor in ["id:012", "run:ab", "run:AB12CD34"] {
        let said = place.run(&["show", cursor]);
        assert!(said.exit == 2 && said.stderr.contains("eight digits at least"), "{said:?}");
    }
}

/// The first event that is missing, whoever looks.
#[test]
fn l6_a_cut_is_at_one_place() {
    let place = a_ledger();
    let ahead = a_copy(&place);
    done(&ahead, &["key", "approvals", "0"]);
    fs::write(beside(&place, "head"), head(&ahead).0).unwrap();
    for command in ["status", "log", "verify-chain"] {
        let answer = place.run(&[command, "--trust", "../head", "--json"]).json();
        let first = &answer["diagnostics"][0];
        assert_eq!(
            (&first["code"], &first["place"]),
            (&"LEDGER_REGRESSED".into(), &"event 2".into())
        );
    }
}

/// A ledger that a second key went on from, and its state of before.
fn signed_by_two() -> (Place, Place, String) {
    let place = a_ledger();
    let before = a_copy(&place);
    done(&place, &["key", "new", "other.pem"]);
    let other = done(&place, &["key", "export", "--key", "other.pem", "--form", "hex", "--json"]);
    let other = other.json()["data"]["public_key"].as_str().unwrap().to_owned();
    done(&place, &["key", "authorize", &other, "--role", "append"]);
    done(&place, &["apply", "--key", "other.pem"]);
    let keys = done(&place, &["key", "list", "--json"]).json();
    let id = keys["data"]["keys"][1]["key"].as_str().unwrap().to_owned();
    (place, before, id)
}

fn python(script: &str, place: &Place, arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/verify").join(script);
    let mut python = Command::new("python3");
    python.arg("-B").arg(script).args(arguments).current_dir(place.work()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

/// Whoever signed it, more events than are here were cut off; a key that came in with them cannot be known.
#[test]
fn l6_a_cut_end_is_called_so_also_where_its_signer_came_in_later() {
    let (place, before, _) = signed_by_two();
    let (note, _) = head(&place);
    fs::write(before.work().join("head"), note).unwrap();
    done(&before, &["export", "-o", "cut.jsonl"]);
    for command in [&["export", "verify", "cut.jsonl"][..], &["verify-chain"], &["log"]] {
        let said = before.run(&[command, &["--trust", "head", "--json"]].concat());
        let answer = said.json();
        let first = &answer["diagnostics"][0];
        assert_eq!((said.exit, &first["code"]), (3, &"LEDGER_REGRESSED".into()), "{answer}");
        let told = first["message"].as_str().unwrap();
        assert!(
            command == ["log"] || told.contains("may have come in with events that are missing")
        );
    }
    let said = text(&python("verify_export.py", &before, &["cut.jsonl", "--trust", "head"]));
    assert!(said.starts_with("REFUSED"), "{said}");
    assert!(said.contains("the export has 2 events, the trusted head closes"), "{said}");
    assert!(
        said.contains("was cut off, or that head is of no history that goes on from it"),
        "{said}"
    );
    // Of a key that is known its signature is looked at first.
    let forged = head(&place).0.replacen("\u{2014} glyph-actor/", "\u{2014} glyph-actors/", 1);
    fs::write(before.work().join("none"), forged).unwrap();
    assert_eq!(before.run(&["log", "--trust", "none"]).exit, 2);
}

#[test]
fn l9_what_a_suspect_key_signed_is_told_by_every_verifier() {
    let (place, _, id) = signed_by_two();
    let since = done(&place, &["audit", "population", "--json"]).json();
    assert!(since["data"].is_object());
    done(&place, &["key", "revoke", &id, "--reason", "stolen", "--suspect-since", "3"]);
    done(&place, &["export", "-o", "all.jsonl"]);
    fs::write(place.work().join("head"), head(&place).0).unwrap();
    let ours = done(&place, &["verify-chain", "--json"]).json()["data"]["suspect"].clone();
    assert_eq!(ours[0]["key"], id.as_str());
    let said = python("verify_export.py", &place, &["all.jsonl", "--trust", "head", "--json"]);
    // That somebody else may have signed is for people to judge, and fails nothing: as with `verify-chain`.
    assert_eq!(said.status.code(), Some(0));
    let theirs: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(theirs["suspect"], ours, "{theirs}");
    let told = text(&python("verify_export.py", &place, &["all.jsonl", "--trust", "head"]));
    let expected = format!("suspect: events 3 to {}: key {} signed them", ours[0]["last"], id);
    assert!(told.contains(&expected), "{told}");
    assert!(told.contains("cosignatures of witnesses"), "{told}");

    done(&place, &["migration", "certificate", "export", "-o", "certificate"]);
    let ledger = theirs["ledger"].as_str().unwrap();
    let answer = done(&place, &["bundle", "verify", "certificate", "--ledger", ledger, "--json"]);
    check_answer("bundle", &answer.json());
    let committed = answer.json()["data"]["committed"].clone();
    assert_eq!(committed["suspect_since"], 3);
    let said = python("verify_bundle.py", &place, &["certificate", "--ledger", ledger]);
    assert_eq!(said.status.code(), Some(0), "{}", text(&said));
    let theirs: Value = serde_json::from_slice(&said.stdout).unwrap();
    for name in ["key", "seq", "suspect_since"] {
        assert_eq!(theirs["committed"][name], committed[name], "{theirs}");
    }
    assert!(text(&said).contains("may not be its owner's"), "{}", text(&said));
}
