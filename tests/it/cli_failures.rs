//! Commands that cannot do their work: exit status, the error people read, the object programs read,
//! and nothing left behind.

use std::fs;

use serde_json::Value;

use glyph_ledger::log::sled::{OpenOptions, SledLog};

use crate::support::{Place, Said, a_history, check_answer};

fn code(said: &Said) -> (i32, Value) {
    (said.exit, said.json()["diagnostics"][0]["code"].clone())
}

#[test]
fn no_ledger_here_names_what_was_looked_for_and_where() {
    let place = Place::new();
    insta::assert_snapshot!("no_ledger_here", place.run(&["log"]).whole());
    insta::assert_snapshot!("no_ledger_there", place.run(&["log", "--ledger", "other"]).whole());
    assert_eq!(fs::read_dir(place.work()).unwrap().count(), 0);
}

#[test]
fn a_store_without_a_ledger_is_not_a_ledger() {
    let place = Place::new();
    fs::create_dir(place.work().join(".glyph")).unwrap();
    fs::write(place.work().join(".glyph/manifest.yaml"), "store:\n  version: 1\n").unwrap();
    insta::assert_snapshot!("store_without_ledger", place.run(&["log"]).whole());
    let said = place.run(&["log", "--json", "--store", "."]);
    assert_eq!(code(&said), (2, "NOTHING_HERE".into()));
}

#[test]
fn a_folder_that_is_no_ledger_is_not_taken_for_a_damaged_one() {
    let place = Place::new();
    fs::write(place.work().join("notes.txt"), "not a ledger").unwrap();
    assert_eq!(code(&place.run(&["log", "--json", "--ledger", "."])), (2, "NOTHING_HERE".into()));
    let file = place.run(&["log", "--json", "--ledger", "notes.txt"]);
    assert_eq!(code(&file), (2, "NOTHING_HERE".into()));
}

#[test]
fn a_ledger_that_was_known_here_and_is_gone_is_foreign_not_absent() {
    let place = Place::new();
    a_history(&place);
    fs::rename(place.work().join(".glyph-ledger"), place.work().join("elsewhere")).unwrap();
    for arguments in
        [&["log", "--json"] as &[&str], &["log", "--json", "--ledger", ".glyph-ledger"]]
    {
        let said = place.run(arguments);
        assert_eq!(code(&said), (3, "LEDGER_FOREIGN".into()), "{arguments:?}");
        let next = said.json()["next"].clone();
        assert_eq!((&next[0]["argv"][1], &next[1]["argv"][1]), (&"explain".into(), &"init".into()));
        assert_eq!(next[1]["argv"][2], "--continues", "{said:?}");
    }
    fs::create_dir(place.work().join(".glyph-ledger")).unwrap();
    let emptied = place.run(&["log", "--json"]);
    assert_eq!(emptied.exit, 3, "{emptied:?}");
}

#[test]
fn a_place_that_cannot_be_looked_into_is_a_failure_with_its_path() {
    let place = Place::new();
    fs::write(place.work().join("file"), "").unwrap();
    let said = place.run(&["log", "--ledger", "file/ledger"]);
    insta::assert_snapshot!("not_a_folder", said.whole());
}

#[test]
fn a_busy_ledger_is_refused_naming_who_holds_it() {
    let place = Place::new();
    a_history(&place);
    let dir = place.work().join(".glyph-ledger");
    let held = SledLog::open(&dir, &OpenOptions::default()).unwrap();
    let said = place.run(&["log", "--json"]);
    drop(held);
    let answer = said.json();
    assert_eq!(code(&said), (8, "BUSY".into()));
    assert_eq!(answer["diagnostics"][0]["retryable"], true);
    let message = answer["diagnostics"][0]["message"].as_str().unwrap();
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    assert_eq!(place.run(&["log"]).exit, 0);
}

#[test]
fn an_emptied_ledger_is_refused_and_stays_as_it_is() {
    let place = Place::new();
    a_history(&place);
    let db = place.work().join(".glyph-ledger/sled/db");
    fs::remove_file(&db).unwrap();
    let said = place.run(&["log", "--json"]);
    assert_eq!(code(&said), (3, "LEDGER_MISSING".into()));
    assert!(!db.exists());
}

#[test]
fn cursors_and_hashes_that_name_nothing_are_refused() {
    let place = Place::new();
    a_history(&place);
    insta::assert_snapshot!("cursor_unknown", place.run(&["show", "99"]).whole());
    for name in ["@~99", "id:00000000", "deadbeef", &"0".repeat(64), "run:00000000", "@~10"] {
        let said = place.run(&["show", name, "--json"]);
        assert_eq!(code(&said), (2, "CURSOR_UNKNOWN".into()), "{name}");
    }
    for name in ["", "x", "-", "id:", "1.5", "99999999999999999999", "2020-01-01"] {
        let said = place.run(&["show", "--json", "--", name]);
        assert_eq!(said.exit, 2, "{name}: {said:?}");
    }
}

#[test]
fn what_is_mistyped_is_answered_with_what_was_meant() {
    let place = Place::new();
    for (arguments, meant) in [
        (["explian", "BUSY"], "'explain'"),
        (["explain", "LEDGER_REGRESED"], "'LEDGER_REGRESSED'"),
        (["log", "--revers"], "'--reverse'"),
    ] {
        let said = place.run(&arguments);
        assert_eq!((said.exit, said.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(said.stderr.contains(meant), "{said:?}");
        let said = place.run(&[arguments[0], arguments[1], "--json"]);
        assert_eq!(code(&said), (2, "USAGE".into()), "{arguments:?}");
        assert!(said.stdout.contains(meant), "{said:?}");
    }
    assert_eq!(place.run(&["man", "nope"]).exit, 2);
    assert_eq!(place.run(&[]).exit, 2);
}

#[test]
fn every_failure_is_an_object_too() {
    let place = Place::new();
    for (command, exit, arguments) in [
        ("log", 2, &["log"] as &[&str]),
        ("show", 2, &["show", "@"]),
        ("show", 2, &["show"]),
        ("explain", 2, &["explain", "nothing"]),
        ("completions", 2, &["completions", "csh"]),
        ("man", 2, &["man", "nope"]),
        ("usage", 2, &["nope"]),
        ("usage", 2, &[]),
    ] {
        let said = place.run(&[arguments, &["--json"]].concat());
        let answer = said.json();
        check_answer(command, &answer);
        assert_eq!(said.exit, exit, "{said:?}");
        assert_eq!((&answer["ok"], &answer["exit"]), (&false.into(), &exit.into()));
        assert_eq!(answer["diagnostics"].as_array().unwrap().len(), 1);
        assert_eq!(said.stderr, "", "{command}");
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let place = Place::new();
    for arguments in [&["explain"] as &[&str], &["explain", "--json"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut child = place.command(arguments).stdout(full).spawn().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{arguments:?}");
    }
}

#[test]
fn without_a_home_nothing_is_guessed() {
    let place = Place::new();
    let said = place.said_by(place.command(&["log", "--json"]).env_remove("GLYPH_LEDGER_HOME"));
    assert_eq!(code(&said), (1, "IO".into()));
    assert!(said.stdout.contains("GLYPH_LEDGER_HOME"));
}
