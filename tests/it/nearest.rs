//! Which ledger a command works on that names none, how one is named where that is not the one meant, and that what is said to
//! be run next can be typed as it stands.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Place, Said, a_shelf, done};

const DOCUMENTS: [&str; 4] = ["init", "--documents", "--contract", "../contracts/book.yaml"];
const DATABASE: [&str; 5] = ["init", "--database", "app.db", "--migrations", "db"];

fn in_folder(place: &Place, folder: &Path, arguments: &[&str]) -> Said {
    place.said_by(place.command(arguments).current_dir(folder))
}

/// What is said to be run next, without the program.
fn next(answer: &Value) -> Vec<Vec<String>> {
    let commands = answer["next"].as_array().unwrap().iter();
    let words = commands.map(|command| command["argv"].as_array().unwrap()[1..].iter());
    words.map(|words| words.map(|word| word.as_str().unwrap().to_owned()).collect()).collect()
}

/// Does what was said, and asks for an answer that can be looked at.
fn type_in(place: &Place, folder: &Path, words: &[String]) -> Said {
    let root = place.work().parent().unwrap().display().to_string();
    let words = words.iter().map(|word| word.replace("[PLACE]", &root));
    let words: Vec<String> = words.filter(|word| word != "--json").collect();
    let words = words.iter().map(String::as_str).chain(["--json"]);
    in_folder(place, folder, &words.collect::<Vec<_>>())
}

/// A folder of migrations for a database that is not there yet.
fn migrations(folder: &Path) {
    fs::create_dir_all(folder.join("db")).unwrap();
    fs::write(folder.join("db/1_a.sql"), "CREATE TABLE a(x);").unwrap();
    fs::write(folder.join("db/2_b.sql"), "CREATE TABLE b(x);").unwrap();
}

/// A project with a store in care, and in a folder of it documents that are in care too.
fn a_project() -> (Place, PathBuf) {
    let place = a_shelf(&[]);
    done(&place, &["init"]);
    let runs = place.work().join("runs");
    fs::create_dir(&runs).unwrap();
    fs::write(runs.join("one.json"), r#"{"v": 1, "titel": "a"}"#).unwrap();
    (place, runs)
}

#[test]
fn the_nearest_ledger_is_meant_and_not_one_further_up() {
    let (place, runs) = a_project();
    let manifest = fs::read(place.work().join(".glyph/manifest.yaml")).unwrap();
    let made = done(&place, &[&DOCUMENTS[..], &["runs", "--json"]].concat()).json();
    // From here the store is meant, so that what is said names the other one.
    for words in next(&made) {
        let said = type_in(&place, &place.work(), &words);
        assert_eq!(said.exit, 0, "{words:?}: {said:?}");
    }
    fs::remove_file(place.work().join("plan.json")).unwrap();
    let status = in_folder(&place, &runs, &["status", "--json"]).json();
    assert_eq!(status["data"]["ledger"], made["data"]["ledger"], "{status}");
    assert_eq!(in_folder(&place, &runs, &["apply"]).exit, 0);
    assert!(fs::read_to_string(runs.join("one.json")).unwrap().contains("title"));
    assert_eq!(fs::read(place.work().join(".glyph/manifest.yaml")).unwrap(), manifest);
    let log = in_folder(&place, &runs, &["verify-chain", "--json"]).json();
    assert_eq!(log["data"]["ledger"], made["data"]["ledger"], "{log}");
    assert_eq!(in_folder(&place, &runs, &["undo"]).exit, 0);
    assert!(fs::read_to_string(runs.join("one.json")).unwrap().contains("titel"));
    // One that is gone is missed, and the one further up is still not meant.
    fs::rename(runs.join(".glyph-ledger"), place.home().join("gone")).unwrap();
    let said = in_folder(&place, &runs, &["undo", "--json"]);
    assert_eq!(said.json()["diagnostics"][0]["code"], "LEDGER_FOREIGN", "{said:?}");
    assert_eq!(fs::read(place.work().join(".glyph/manifest.yaml")).unwrap(), manifest);
}

#[test]
fn two_ledgers_in_one_folder_are_both_named_and_none_is_chosen() {
    let (place, _) = a_project();
    migrations(&place.work());
    let made = done(&place, &[&DATABASE[..], &["--json"]].concat()).json();
    for words in next(&made) {
        assert_eq!(type_in(&place, &place.work(), &words).exit, 0, "{words:?}");
    }
    for command in [&["status"][..], &["plan"], &["apply"], &["undo"], &["log"], &["check"]] {
        let said = place.run(&[command, &["--json"]].concat());
        let answer = said.json();
        assert_eq!(
            (said.exit, &answer["diagnostics"][0]["code"]),
            (2, &"USAGE".into()),
            "{said:?}"
        );
        let ledgers = next(&answer).into_iter().map(|words| {
            let status = type_in(&place, &place.work(), &words);
            assert_eq!(status.exit, 0, "{words:?}: {status:?}");
            status.json()["data"]["ledger"].clone()
        });
        let ledgers: Vec<Value> = ledgers.collect();
        assert_eq!(ledgers.len(), 2);
        assert!(ledgers[0] != ledgers[1] && ledgers.iter().all(|id| !id.is_null()), "{ledgers:?}");
    }
}

#[test]
fn whoever_goes_on_from_a_ledger_says_again_what_it_kept_and_no_store_is_made_for_it() {
    for documents in [false, true] {
        let place = a_shelf(&[("one.json", r#"{"v": 1, "titel": "a"}"#)]);
        migrations(&place.work());
        let init = if documents { &DOCUMENTS[..] } else { &DATABASE };
        let before = done(&place, &[init, &["--json"]].concat()).json()["data"]["ledger"].clone();
        fs::rename(place.work().join(".glyph-ledger"), place.work().join("../before")).unwrap();
        let said = place.run(&["init", "--continues", "../before", "--json"]);
        assert_eq!(said.exit, 2, "{said:?}");
        assert!(!place.work().join(".glyph").exists());
        let made = type_in(&place, &place.work(), &next(&said.json())[0]);
        assert_eq!(made.exit, 0, "{made:?}");
        assert_eq!(made.json()["data"]["continues"]["ledger"], before);
        done(&place, &["plan"]);
    }
    // Nor where a head is all that is left.
    let (place, _) = a_project();
    done(&place, &["head", "show", "-o", "../head"]);
    fs::rename(place.work().join(".glyph"), place.work().join("../store")).unwrap();
    let said = place.run(&["init", "--continues", "../head", "--json"]);
    assert_eq!(said.json()["diagnostics"][0]["code"], "NOTHING_HERE", "{said:?}");
    assert!(!place.work().join(".glyph").exists());
}

#[test]
fn a_ledger_that_is_gone_for_good_can_be_forgotten_as_it_is_said() {
    let place = a_shelf(&[("one.json", r#"{"v": 1, "titel": "a"}"#)]);
    done(&place, &DOCUMENTS);
    fs::remove_dir_all(place.work().join(".glyph-ledger")).unwrap();
    let said = place.run(&["status", "--json"]);
    assert_eq!(said.exit, 3, "{said:?}");
    assert_eq!(place.run(&DOCUMENTS).exit, 3);
    let forget = next(&said.json()).pop().unwrap();
    assert_eq!(forget[..2], ["head", "forget"]);
    assert_eq!(type_in(&place, &place.work(), &forget).exit, 0);
    done(&place, &DOCUMENTS);
}

#[test]
fn files_that_fit_two_layouts_are_asked_about_with_what_was_typed() {
    let place = Place::new();
    fs::create_dir(place.work().join("db")).unwrap();
    for (name, sql) in [("1_a.up.sql", "CREATE TABLE a(x);"), ("1_a.down.sql", "DROP TABLE a;")] {
        fs::write(place.work().join("db").join(name), sql).unwrap();
    }
    let said = place.run(&[&DATABASE[..], &["--json"]].concat());
    assert_eq!(said.json()["diagnostics"][0]["code"], "LAYOUT_AMBIGUOUS", "{said:?}");
    assert!(next(&said.json()).len() > 1, "{said:?}");
    for words in next(&said.json()) {
        let made = type_in(&place, &place.work(), &words);
        assert_eq!(made.exit, 0, "{words:?}: {made:?}");
        let id = made.json()["data"]["ledger"].clone();
        fs::remove_dir_all(place.work().join(".glyph-ledger")).unwrap();
        fs::remove_file(place.work().join("app.db")).unwrap();
        done(&place, &["head", "forget", id.as_str().unwrap()]);
    }
}

#[test]
fn a_path_is_drawn_by_the_contract_of_what_is_in_care() {
    let place = a_shelf(&[("one.json", r#"{"v": 1, "titel": "a"}"#)]);
    let drawn = |place: &Place| {
        let said = place.run(&["migration", "path", "1", "2", "--json"]);
        (said.exit, said.json()["data"]["contract"].clone())
    };
    assert_eq!(drawn(&place), (0, "glyph-store".into()));
    done(&place, &DOCUMENTS);
    assert_eq!(drawn(&place), (0, "book".into()));
    let place = Place::new();
    migrations(&place.work());
    done(&place, &DATABASE);
    let (exit, contract) = drawn(&place);
    assert_eq!(exit, 0);
    assert_ne!(contract, "glyph-store");
}

#[test]
fn arguments_that_are_missing_lead_to_the_help_of_the_command_that_was_called() {
    let place = Place::new();
    for (called, help) in [
        (&["contract", "lint"][..], &["contract", "lint", "--help"][..]),
        (&["migration", "accept-drift", "--no-such"], &["migration", "accept-drift", "--help"]),
        (&["audit", "sample", "-n", "5"], &["audit", "sample", "--help"]),
        (&["plan", "--no-such"], &["plan", "--help"]),
        (&["--no-such"], &["--help"]),
    ] {
        let said = place.run(&[called, &["--json"]].concat());
        assert_eq!(said.exit, 2, "{said:?}");
        assert_eq!(next(&said.json()), [help], "{called:?}");
        let help: Vec<String> = help.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(place.run(&help.iter().map(String::as_str).collect::<Vec<_>>()).exit, 0);
    }
}

#[test]
fn nothing_here_is_said_before_that_there_is_no_key() {
    let place = Place::new();
    for command in [&["undo"][..], &["status"], &["plan"], &["apply"], &["migration", "resume"]] {
        let said = place.run(&[command, &["--json"]].concat());
        assert_eq!(said.json()["diagnostics"][0]["code"], "NOTHING_HERE", "{command:?}: {said:?}");
    }
}
