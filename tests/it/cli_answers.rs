//! Commands that do their work: what people read, and the same as an object of the published schema.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use crate::support::{Place, a_history, check_answer};

fn a_place_with_history() -> Place {
    let place = Place::new();
    a_history(&place);
    place
}

#[test]
fn log_lists_events_newest_first_and_holds_runs_together() {
    let place = a_place_with_history();
    insta::assert_snapshot!("log", place.run(&["log"]).whole());
    insta::assert_snapshot!("log_oldest_first", place.run(&["log", "--reverse"]).whole());
}

#[test]
fn log_says_what_it_left_out_and_how_to_see_it() {
    let place = a_place_with_history();
    let said = place.run(&["log", "--limit", "2", "--at", "6"]);
    insta::assert_snapshot!("log_limited", said.whole());
    assert_eq!(place.run(&["log", "-n2", "--at=6", "--quiet"]).stderr, "");
}

#[test]
fn log_shows_control_characters_instead_of_sending_them() {
    let place = a_place_with_history();
    assert!(!place.run(&["log"]).stdout.contains('\u{1b}'));
    assert!(!place.run(&["show", "5"]).stdout.contains('\u{1b}'));
    assert!(place.run(&["log"]).stdout.contains("\\u{1b}[2Jgone"));
}

#[test]
fn show_prints_one_event_in_full() {
    let place = a_place_with_history();
    insta::assert_snapshot!("show", place.run(&["show", "7"]).whole());
}

#[test]
fn show_finds_the_event_by_every_name_it_has() {
    let place = a_place_with_history();
    let event = place.run(&["show", "8", "--json"]).json()["data"].clone();
    let id = event["id"].as_str().unwrap();
    let certificate = event["body"]["certificate"].as_str().unwrap();
    let run = event["body"]["run"].as_str().unwrap();
    for name in [id, &id[..12], &format!("id:{id}"), "@~1", certificate, &certificate[..16]] {
        let found = place.run(&["show", name, "--json"]).json();
        assert_eq!(found["data"]["seq"], 8, "{name}");
    }
    assert_eq!(place.run(&["show", run, "--json"]).json()["data"]["kind"], "run.started");
    let last = place.run(&["show", &format!("run:{run}"), "--json"]).json();
    assert_eq!(last["data"]["kind"], "run.published");
}

#[test]
fn show_states_bytes_that_hash_to_the_id() {
    let place = a_place_with_history();
    let data = place.run(&["show", "3", "--json"]).json()["data"].clone();
    let bytes = ledger_format::hash::unhex(data["bytes"].as_str().unwrap()).unwrap();
    assert_eq!(data["id"], ledger_format::hash::EventId::of(&bytes).to_string());
}

#[test]
fn p2_every_command_answers_in_json() {
    let place = a_place_with_history();
    for (command, arguments) in [
        ("log", &["log"] as &[&str]),
        ("show", &["show", "@"]),
        ("verify-chain", &["verify-chain"]),
        ("self-test", &["self-test", "--ways", "2"]),
        ("replay", &["replay", "--to", "7", "--projection", "runs"]),
        ("export", &["export", "-o", "lines.jsonl"]),
        ("export", &["export", "--flat", "-o", "flat.jsonl"]),
        ("export", &["export", "--kind", "run.started", "-o", "some.jsonl"]),
        ("export", &["export", "--schema", "polars"]),
        ("list", &["migration", "list"]),
        ("path", &["migration", "path", "1", "3"]),
        ("schema", &["contract", "schema"]),
        ("diff", &["contract", "diff", "glyph-store", "glyph-store"]),
        ("explain", &["explain", "busy"]),
        ("explain", &["explain"]),
        ("completions", &["completions", "fish"]),
        ("man", &["man", "log"]),
    ] {
        let said = place.run(&[arguments, &["--json"]].concat());
        let answer = said.json();
        check_answer(command, &answer);
        assert_eq!((said.exit, &answer["ok"], &answer["exit"]), (0, &true.into(), &0.into()));
        assert_eq!(said.stderr, "", "{command}");
    }
}

#[test]
fn every_command_has_a_schema_and_every_schema_a_command() {
    let place = Place::new();
    let listed = |arguments: &[&str]| -> Vec<String> {
        let help = place.run(arguments).stdout;
        let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
        let names = names.filter(|name| !["", "help", "migration", "contract"].contains(name));
        names.map(ToOwned::to_owned).collect()
    };
    let groups = [&["--help"] as &[&str], &["migration", "--help"], &["contract", "--help"]];
    let commands: BTreeSet<String> = groups.into_iter().flat_map(listed).collect();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schemas");
    let schemas: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.trim_end_matches(".schema.json").to_owned())
        .filter(|name| !["answer", "changes", "contract", "run"].contains(&name.as_str()))
        .collect();
    assert_eq!(commands, schemas);
}

#[test]
fn explain_prints_meaning_and_remedy() {
    let place = Place::new();
    insta::assert_snapshot!("explain", place.run(&["explain", "ledger_regressed"]).whole());
    let all = place.run(&["explain"]).stdout;
    assert_eq!(all.lines().count(), glyph_ledger::diagnostic::CATALOGUE.len());
}

#[test]
fn completions_and_manual_know_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.run(&["completions", shell]).stdout;
        assert!(script.contains("completions") && script.contains("limit"), "{shell}");
    }
    assert!(place.run(&["man"]).stdout.contains(".TH glyph-ledger 1"));
    assert!(place.run(&["man", "show"]).stdout.contains(".TH glyph-ledger-show 1"));
}

#[test]
fn the_short_name_answers_with_the_same_commands() {
    let place = a_place_with_history();
    let glyph = place.work().join("glyph");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_glyph-ledger"), &glyph).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&glyph);
        command.args(arguments).env_clear().env("GLYPH_LEDGER_HOME", place.home());
        place.said_by(command.current_dir(place.work()))
    };
    assert_eq!(run(&["log"]).stdout, place.run(&["log"]).stdout);
    assert!(run(&["log", "--help"]).stdout.contains("Usage: glyph log"));
    let next = run(&["log", "-n1", "--json"]).json()["next"][0]["argv"].clone();
    assert_eq!(next, serde_json::json!(["glyph", "log", "--limit", "10", "--at", "9"]));
}

#[test]
fn the_ledger_is_found_upwards_and_next_commands_name_a_given_one() {
    let place = a_place_with_history();
    let below = place.work().join("a/b");
    fs::create_dir_all(&below).unwrap();
    let from_below = place.said_by(place.command(&["log"]).current_dir(&below));
    assert_eq!(from_below.stdout, place.run(&["log"]).stdout);
    let named = ["log", "-n1", "--ledger", "../../.glyph-ledger"];
    let said = place.said_by(place.command(&named).current_dir(&below));
    assert!(
        said.stderr
            .ends_with("next: glyph-ledger log --limit 10 --at 9 --ledger ../../.glyph-ledger\n"),
        "{said:?}"
    );
}

#[test]
fn colours_are_for_terminals_and_for_who_asks() {
    let place = a_place_with_history();
    assert!(!place.run(&["log"]).stdout.contains('\u{1b}'));
    assert!(place.run(&["log", "--color", "always"]).stdout.contains('\u{1b}'));
    assert!(place.run(&["nope", "--color", "never"]).stderr.find('\u{1b}').is_none());
    let refused = place.said_by(place.command(&["log"]).env("NO_COLOR", "1"));
    assert!(!refused.stdout.contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_ends_nothing_badly() {
    let place = Place::new();
    for arguments in
        [&["completions", "bash"] as &[&str], &["man"], &["explain", "--json"], &["--help"]]
    {
        let mut child =
            place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn the_library_log_speaks_only_when_asked_and_only_on_stderr() {
    let place = a_place_with_history();
    let quiet = place.run(&["log"]);
    let asked = place.said_by(place.command(&["log"]).env("GLYPH_LEDGER_LOG", "trace"));
    assert_eq!(quiet.stderr, "");
    assert_eq!(asked.stdout, quiet.stdout);
    assert_ne!(asked.stderr, "");
}
