//! verify-chain, export and replay on the command line.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::support::{Place, a_history, check_answer};

fn a_place_with_history() -> Place {
    let place = Place::new();
    a_history(&place);
    place
}

/// Every file below `folder` with its bytes.
fn bytes_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(bytes_below(&path));
        } else {
            files.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

#[test]
fn verify_chain_says_complete_and_writes_nothing_into_the_ledger() {
    let place = a_place_with_history();
    let ledger = place.work().join(".glyph-ledger");
    let before = bytes_below(&ledger);
    insta::assert_snapshot!("verify_chain", place.run(&["verify-chain"]).whole());
    assert_eq!(bytes_below(&ledger), before);
}

#[test]
fn l6_without_a_pin_completeness_is_not_proven() {
    let place = a_place_with_history();
    fs::remove_dir_all(place.home().join("state")).unwrap();
    insta::assert_snapshot!("verify_chain_not_proven", place.run(&["verify-chain"]).whole());
    let answer = place.run(&["verify-chain", "--json"]).json();
    check_answer("verify-chain", &answer);
    assert_eq!((&answer["exit"], &answer["ok"]), (&7.into(), &false.into()));
    let note = answer["data"]["good"]["note"].as_str().unwrap();
    fs::write(place.work().join("HEAD.kept"), note).unwrap();
    let trusted = place.run(&["verify-chain", "--json", "--trust", "HEAD.kept"]);
    assert_eq!((trusted.exit, &trusted.json()["data"]["known_by"]), (0, &"trust".into()));
}

#[test]
fn a_file_that_is_no_head_is_not_trusted() {
    let place = a_place_with_history();
    fs::write(place.work().join("no head"), "hello").unwrap();
    let said = place.run(&["verify-chain", "--trust", "no head", "--json"]);
    assert_eq!((said.exit, &said.json()["diagnostics"][0]["code"]), (2, &"USAGE".into()));
}

#[test]
fn a_flipped_byte_is_named_and_what_is_good_can_be_had() {
    let place = a_place_with_history();
    let db = place.work().join(".glyph-ledger/sled/db");
    let mut bytes = fs::read(&db).unwrap();
    // Words of event 5, in every copy of it that the engine has left in its file.
    let word = b"no such table";
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(word)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
    fs::write(&db, &bytes).unwrap();
    let said = place.run(&["verify-chain", "--json"]);
    let answer = said.json();
    check_answer("verify-chain", &answer);
    assert_eq!((said.exit, &answer["data"]["verdict"]), (3, &"failed".into()), "{answer}");
    assert_eq!(answer["data"]["good"]["size"], 5, "{answer}");
    assert!(said.stdout.contains("event 5"), "{answer}");
    assert_eq!(fs::read(&db).unwrap(), bytes);
}

#[test]
fn objects_that_are_gone_are_named_by_the_event_that_needs_them() {
    let place = a_place_with_history();
    let said = place.run(&["verify-chain", "--objects", "--json"]);
    let answer = said.json();
    check_answer("verify-chain", &answer);
    assert_eq!((said.exit, &answer["diagnostics"][0]["code"]), (3, &"OBJECT_MISSING".into()));
    assert_eq!(answer["diagnostics"][0]["place"], "event 1");
}

#[test]
fn export_writes_a_line_an_event_to_stdout_or_to_a_file() {
    let place = a_place_with_history();
    let said = place.run(&["export", "--format", "jsonl"]);
    assert_eq!((said.exit, said.stderr.as_str()), (0, ""));
    assert_eq!(said.stdout.lines().count(), 10);
    for (seq, line) in said.stdout.lines().enumerate() {
        assert_eq!(ledger_format::line::Line::parse(line).unwrap().event.seq, seq as u64);
    }
    let to_file = place.run(&["export", "-o", "all.jsonl"]);
    assert_eq!(to_file.stdout, "10 events from event 0 on in all.jsonl\n");
    assert_eq!(fs::read_to_string(place.work().join("all.jsonl")).unwrap(), said.stdout);
    let part = place.run(&["export", "--from", "7", "--to", "8"]);
    let lines: Vec<_> = said.stdout.lines().skip(7).take(2).collect();
    assert_eq!(part.stdout.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn an_export_that_cannot_be_is_refused_and_leaves_no_file() {
    let place = a_place_with_history();
    let json = place.run(&["export", "--json"]);
    assert_eq!((json.exit, &json.json()["diagnostics"][0]["code"]), (2, &"USAGE".into()));
    assert_eq!(place.run(&["export", "--from", "8", "--to", "3"]).exit, 2);
    assert_eq!(place.run(&["export", "-o", "missing/all.jsonl"]).exit, 1);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = place.command(&["export"]).stdout(full).status().unwrap();
    assert_eq!(status.code(), Some(1));
    let mut child =
        place.command(&["export"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(fs::read_dir(place.work()).unwrap().count(), 1);
}

#[test]
fn replay_prints_digests_and_the_projection_asked_for() {
    let place = a_place_with_history();
    let events = place.run(&["log", "--json"]).json()["data"]["events"].clone();
    let events = events.as_array().unwrap();
    let run = events.iter().find(|event| event["kind"] == "run.started").unwrap()["id"].clone();
    let before = format!("run:{}^", &run.as_str().unwrap()[..8]);
    let said = place.run(&["replay", "--to", &before, "--projection", "store"]);
    insta::assert_snapshot!("replay", said.whole());
    let mistyped = place.run(&["replay", "--projection", "stores"]);
    assert!(mistyped.exit == 2 && mistyped.stderr.contains("'store'"), "{mistyped:?}");
}

#[test]
fn replay_never_writes_over_a_folder() {
    let place = a_place_with_history();
    let mut kept = fs::File::create(place.work().join("there")).unwrap();
    kept.write_all(b"mine").unwrap();
    let said = place.run(&["replay", "--out", "there", "--json"]);
    assert_ne!(said.exit, 0);
    assert_eq!(fs::read(place.work().join("there")).unwrap(), b"mine");
}
