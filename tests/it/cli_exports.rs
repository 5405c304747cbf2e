//! Exports in the hands of somebody who has the program and no ledger.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Place, Said, a_history, check_answer, done};

/// A ledger with a history and its export beside a stranger who knows nothing else.
struct Scene {
    place: Place,
    stranger: Place,
    text: String,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new();
        a_history(&place);
        let text = done(&place, &["export"]).stdout;
        Self { place, stranger: Place::new(), text }
    }

    fn line(&self, at: usize) -> Value {
        serde_json::from_str(self.text.lines().nth(at).unwrap()).unwrap()
    }

    fn lines(&self) -> Vec<&str> {
        self.text.lines().collect()
    }

    /// What the program says to a stranger about `text`, in words and as an object of the published schema.
    fn verify(&self, text: &[u8], options: &[&str]) -> (Said, Value) {
        fs::write(self.stranger.work().join("x.jsonl"), text).unwrap();
        let asked = [&["export", "verify", "x.jsonl"], options].concat();
        let said = self.stranger.run(&asked);
        let answer = self.stranger.run(&[&asked[..], &["--json"]].concat()).json();
        check_answer("export", &answer);
        assert_eq!(answer["exit"], said.exit, "{said:?}");
        (said, answer)
    }
}

fn joined(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
}

fn code(answer: &Value) -> &str {
    answer["diagnostics"][0]["code"].as_str().unwrap()
}

#[test]
fn l10_an_export_is_verified_where_there_is_no_ledger() {
    let scene = Scene::new();
    let whole = scene.text.as_bytes();
    let (said, answer) = scene.verify(whole, &[]);
    assert_eq!((said.exit, code(&answer)), (7, "COMPLETENESS_NOT_PROVEN"), "{said:?}");
    assert_eq!(answer["data"]["verdict"], "consistent_only");
    assert!(said.stderr.contains("whose ledger it is was not compared"), "{said:?}");
    let ledger = scene.line(0)["ledger"].as_str().unwrap().to_owned();
    let (said, answer) = scene.verify(whole, &["--ledger", &ledger]);
    assert_eq!((said.exit, &answer["data"]["ledger_known"]), (7, &true.into()));
    let (said, answer) = scene.verify(whole, &["--ledger", &"0".repeat(64)]);
    assert_eq!((said.exit, code(&answer)), (3, "LEDGER_FOREIGN"), "{said:?}");
    // With a head from elsewhere, as a file or told.
    fs::write(scene.stranger.work().join("head"), done(&scene.place, &["head", "show"]).stdout)
        .unwrap();
    let (said, answer) = scene.verify(whole, &["--trust", "head"]);
    let data = &answer["data"];
    assert_eq!(
        (said.exit, &data["verdict"], &data["known_by"]),
        (0, &"complete".into(), &"trust".into())
    );
    assert_eq!(data["complete_to"], scene.lines().len());
    assert!(said.stdout.contains("held to     trust over"), "{said:?}");
    assert!(said.stdout.contains("not looked  the content"), "{said:?}");
    let stated = |root: &str| format!("{}:{root}", data["size"]);
    let root = data["good"]["root"].as_str().unwrap();
    assert_eq!(scene.verify(whole, &["--expect", &stated(root)]).0.exit, 0);
    let (said, answer) = scene.verify(whole, &["--expect", &stated(&"0".repeat(64))]);
    assert_eq!((said.exit, code(&answer)), (3, "LEDGER_DIVERGED"));
    // Nothing was written where the stranger works but what they wrote themselves.
    let found = fs::read_dir(scene.stranger.work()).unwrap().count();
    assert_eq!(found, 2);
}

#[test]
fn l10_an_export_is_verified_as_it_comes_in() {
    let scene = Scene::new();
    let mut command = scene.stranger.command(&["export", "verify", "-", "--json"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), scene.text.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&said.stdout).unwrap();
    check_answer("export", &answer);
    assert_eq!((said.status.code(), &answer["data"]["form"]), (Some(7), &"whole".into()));
    let next = &answer["diagnostics"][0];
    assert_eq!(next["place"], "stdin", "{answer}");
}

#[test]
fn l10_every_wrong_line_is_named_by_its_number_and_reason() {
    let scene = Scene::new();
    let lines = scene.lines();
    let head = done(&scene.place, &["head", "show"]).stdout;
    fs::write(scene.stranger.work().join("head"), head).unwrap();
    for at in 0..lines.len() {
        let bent = lines[at].replacen("\"kind\":\"", "\"kind\":\"x", 1);
        let mut changed = lines.clone();
        changed[at] = &bent;
        let (said, answer) = scene.verify(&joined(&changed), &["--trust", "head"]);
        assert_eq!((said.exit, code(&answer)), (3, "LEDGER_DAMAGED"), "line {at}: {said:?}");
        assert_eq!(answer["data"]["faults"][0]["line"], at + 1, "{answer}");
        let message = answer["data"]["faults"][0]["message"].as_str().unwrap();
        assert!(message.contains("column \"kind\" is \"x"), "{message}");
        let place = answer["diagnostics"][0]["place"].as_str().unwrap();
        assert_eq!(place, format!("x.jsonl:{}", at + 1));
        let (before, after) = lines.split_at(at);
        if at > 0 {
            let (said, answer) =
                scene.verify(&joined(&[before, &after[1..]].concat()), &["--trust", "head"]);
            assert_eq!(said.exit, 3, "without line {at}: {said:?}");
            assert!(answer["data"]["faults"][0]["line"].as_u64().is_some(), "{answer}");
        }
        let twice = [before, &after[..1], after].concat();
        assert_eq!(scene.verify(&joined(&twice), &["--trust", "head"]).0.exit, 3, "line {at}");
    }
    // Several, and what is no text at all.
    let mut bent: Vec<Vec<u8>> =
        lines.iter().map(|line| [line.as_bytes(), b"\n"].concat()).collect();
    bent[2] = b"\xff\xfe\x00\n".to_vec();
    bent[4] = b"{\n".to_vec();
    bent[6] = [b"[".repeat(200_000), b"\n".to_vec()].concat();
    let (said, answer) = scene.verify(&bent.concat(), &["--keep-going"]);
    let faults = answer["data"]["faults"].as_array().unwrap();
    let named: Vec<_> = faults.iter().map(|fault| fault["line"].as_u64().unwrap()).collect();
    assert_eq!(
        (said.exit, named, &answer["data"]["read_to_end"]),
        (3, vec![3, 5, 7], &true.into())
    );
    let (_, answer) = scene.verify(&bent.concat(), &[]);
    assert_eq!(answer["data"]["faults"].as_array().unwrap().len(), 1);
    assert_eq!(answer["data"]["read_to_end"], false);
    // A line that is missing keeps the others from being judged, and those behind it from nothing else.
    let gap = [&lines[..3], &lines[4..6], &lines[7..]].concat();
    let (_, answer) = scene.verify(&joined(&gap), &["--keep-going"]);
    assert_eq!(answer["exit"], 3);
}

#[test]
fn l10_a_cut_export_an_empty_one_and_a_part_are_no_history() {
    let scene = Scene::new();
    fs::write(scene.stranger.work().join("head"), done(&scene.place, &["head", "show"]).stdout)
        .unwrap();
    let whole = scene.text.as_bytes();
    for cut in (0..whole.len()).step_by(1_777) {
        let (said, _) = scene.verify(&whole[..cut], &["--trust", "head"]);
        assert_eq!(said.exit, 3, "cut at {cut}: {said:?}");
    }
    let (said, answer) = scene.verify(b"", &[]);
    assert_eq!((said.exit, code(&answer)), (3, "LEDGER_MISSING"));
    let part = done(&scene.place, &["export", "--from", "@~1"]).stdout;
    let (said, answer) = scene.verify(part.as_bytes(), &[]);
    assert_eq!((said.exit, code(&answer)), (3, "EXPORT_PART"), "{said:?}");
    assert_eq!(answer["data"]["form"], "part");
    let beheaded = joined(&scene.lines()[1..]);
    assert_eq!(code(&scene.verify(&beheaded, &[]).1), "EXPORT_PART");
    let flat = done(&scene.place, &["export", "--flat"]).stdout;
    let (said, _) = scene.verify(flat.as_bytes(), &[]);
    assert!(said.exit == 3 && said.stdout.contains("flat export"), "{said:?}");
    for (asked, exit) in [
        (&["export", "verify"] as &[&str], 2),
        (&["export", "verify", "nowhere.jsonl"], 1),
        (&["export", "verify", "."], 1),
        (&["export", "verify", "x.jsonl", "--ledger", "nonsense"], 2),
        (&["export", "--flat", "verify", "x.jsonl"], 2),
        (&["export", "--to", "3", "verify", "x.jsonl"], 2),
        (&["export", "--quiet", "--json", "verify", "x.jsonl"], 3),
    ] {
        let said = scene.stranger.run(asked);
        assert_eq!(said.exit, exit, "{asked:?}: {said:?}");
    }
}

/// The lines of the whole export that fit, by their columns.
fn fitting(scene: &Scene, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
    let lines = scene.text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| fits(line)).map(|line| line["id"].clone()).collect()
}

#[test]
fn l8_some_events_are_proved_to_whoever_has_no_ledger() {
    let scene = Scene::new();
    let key = done(&scene.place, &["key", "export", "--form", "hex", "--json"]).json();
    let key = key["data"]["public_key"].as_str().unwrap().to_owned();
    fs::write(scene.stranger.work().join("head"), done(&scene.place, &["head", "show"]).stdout)
        .unwrap();
    let run = fitting(&scene, |line| line["kind"] == "run.started").remove(1);
    let run = run.as_str().unwrap();
    let of_run = |line: &Value| line["run"] == run;
    let of_object = |line: &Value| line["object"] == "manifest.yaml";
    let kind = |line: &Value, kind: &str| line["kind"] == kind;
    for (asked, expected) in [
        (vec!["--kind", "run.started"], fitting(&scene, |line| kind(line, "run.started"))),
        (
            vec!["--kind", "run.started", "--kind", "run.aborted"],
            fitting(&scene, |line| kind(line, "run.started") || kind(line, "run.aborted")),
        ),
        (vec!["--run", run], fitting(&scene, of_run)),
        (vec!["--run", &run[..12]], fitting(&scene, of_run)),
        (vec!["--object", "manifest.yaml"], fitting(&scene, of_object)),
        (
            vec!["--object", "manifest.yaml", "--run", run],
            fitting(&scene, |line| of_object(line) && of_run(line)),
        ),
        (
            vec!["--object", "manifest.yaml", "--to", "4"],
            fitting(&scene, |line| of_object(line) && line["seq"].as_u64() <= Some(4)),
        ),
    ] {
        let asked = [&["export"], &asked[..]].concat();
        let made = done(&scene.place, &asked);
        assert!(made.stderr.contains("not shown: that no other event fits"), "{made:?}");
        let file = [&asked[..], &["-o", "../some.jsonl", "--json"]].concat();
        let answer = done(&scene.place, &file).json();
        check_answer("export", &answer);
        assert_eq!(answer["data"]["events"], expected.len());
        let written = scene.place.work().join("../some.jsonl");
        assert_eq!(fs::read_to_string(&written).unwrap(), made.stdout, "not the same bytes");
        fs::remove_file(written).unwrap();
        let lines = made.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ids: Vec<Value> = lines.map(|line| line["id"].clone()).collect();
        assert_eq!(ids, expected, "{asked:?}");
        let text = made.stdout.as_bytes();
        let (said, answer) = scene.verify(text, &["--signer", &key]);
        assert_eq!((said.exit, &answer["data"]["verdict"]), (0, &"proven".into()), "{said:?}");
        assert_eq!(answer["data"]["events"], expected.len());
        assert!(said.stdout.contains("not looked  that no other event fits"), "{said:?}");
        let (said, answer) = scene.verify(text, &[]);
        assert_eq!((said.exit, code(&answer)), (7, "SIGNER_NOT_NAMED"), "{said:?}");
        let (said, answer) = scene.verify(text, &["--trust", "head"]);
        assert_eq!((said.exit, &answer["data"]["known_by"]), (0, &"trust".into()), "{said:?}");
        // Fewer of its lines are a smaller selection, and the answer says that nobody can tell.
        let fewer: Vec<&str> = made.stdout.lines().skip(1).collect();
        if !fewer.is_empty() {
            let (said, answer) = scene.verify(&joined(&fewer), &["--signer", &key]);
            assert_eq!((said.exit, &answer["data"]["events"]), (0, &(expected.len() - 1).into()));
            let told = answer["data"]["not_checked"][0].as_str().unwrap();
            assert!(told.contains("left out unseen"), "{answer}");
        }
    }
}

#[test]
fn l8_a_selection_by_another_key_of_another_ledger_or_head_is_not_believed() {
    let scene = Scene::new();
    let made = done(&scene.place, &["export", "--kind", "run.started"]).stdout;
    let text = made.as_bytes();
    let ledger = scene.line(0)["ledger"].as_str().unwrap().to_owned();
    let size = scene.lines().len();
    let root = scene.verify(text, &[]).1["data"]["root"].as_str().unwrap().to_owned();
    let stranger = scene.stranger.run(&["key", "new", "own.pem"]);
    assert_eq!(stranger.exit, 0, "{stranger:?}");
    let own = scene.stranger.run(&["key", "export", "--key", "own.pem", "--json"]).json();
    let own = own["data"]["public_key"].as_str().unwrap().to_owned();
    for (asked, exit, named) in [
        (vec!["--signer", &own], 3, "SIGNATURE_BAD"),
        (vec!["--ledger", &ledger], 7, "SIGNER_NOT_NAMED"),
        (vec!["--ledger", &"0".repeat(64)], 3, "LEDGER_FOREIGN"),
        (vec!["--expect", &format!("{size}:{}", "0".repeat(64))], 3, "LEDGER_DIVERGED"),
        (vec!["--expect", &format!("1:{root}")], 7, "SIGNER_NOT_NAMED"),
        (vec!["--signer", "nonsense"], 3, "KEY_INVALID"),
    ] {
        let (said, answer) = scene.verify(text, &asked);
        assert_eq!((said.exit, code(&answer)), (exit, named), "{asked:?}: {said:?}");
    }
    assert_eq!(scene.verify(text, &["--expect", &format!("{size}:{root}")]).0.exit, 0);
    // A whole export brings its keys along, and nobody is told that another one was compared.
    assert_eq!(scene.verify(scene.text.as_bytes(), &["--signer", &own]).0.exit, 2);
    for (asked, exit) in [
        (&["--kind", "no.such"] as &[&str], 2),
        (&["--kind", "key.revoked"], 2),
        (&["--object", "nowhere"], 2),
        (&["--run", "0000000000"], 2),
        (&["--kind", "run.started", "--flat"], 2),
    ] {
        let asked = [&["export"], asked, &["-o", "../none.jsonl"]].concat();
        let said = scene.place.run(&asked);
        assert_eq!(said.exit, exit, "{asked:?}: {said:?}");
        assert!(!scene.place.work().join("../none.jsonl").exists());
    }
    for reader in ["duckdb", "polars", "json-schema"] {
        let told = done(&scene.place, &["export", "--kind", "run.started", "--schema", reader]);
        assert!(told.stdout.contains("glyph-ledger/proved-event/1"), "{told:?}");
    }
}
