//! What the program promises to whoever runs it for the first time, and to other programs.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ledger_format::line::Line;
use serde_json::Value;

use crate::support::{Place, a_migrated_store, change_store, done};

/// A folder with a few files, beside the working folder.
fn some_files(place: &Place) {
    let folder = place.work().join("../files");
    fs::create_dir_all(folder.join("src")).unwrap();
    for (name, text) in [("README.md", "Read me.\n"), ("src/main.rs", "fn main() {}\n")] {
        fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn p1_demo_runs_to_its_end() {
    let place = Place::new();
    some_files(&place);
    let out = place.work().join("../demo");
    let mut command = place.command(&["demo", "--from", "../files", "--out", "../demo"]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for fact in [
        "2 files of ../files became ",
        "adopted by ledger ",
        "refused: its loss was not accepted by typing the plan's id",
        "1 -> 2: certificate ",
        "2 -> 3: certificate ",
        "complete up to ",
        "3 -> 2: the live database has page root ",
        "2 -> 3: the live database has page root ",
        " each of which verifies alone",
        "flipped a bit of event 7 (",
        "verify-chain: event 7 cannot be read: ",
        "still good: the first 7 events",
    ] {
        assert!(text.contains(fact), "{fact}: {text}");
    }
    let root = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label)).unwrap();
    assert_eq!(root("page root recorded then  "), root("page root of the replay  "));
    let paths = paths_told(&text);
    assert_eq!(paths.len(), 6, "{text}");
    for path in paths {
        assert!(Path::new(path).exists(), "{path}");
        assert!(path.starts_with(out.to_str().unwrap()), "{path}");
    }
    try_next(&text);
}

/// What stands under "What lies where".
fn paths_told(text: &str) -> Vec<&str> {
    let told = text.split("What lies where\n").nth(1).unwrap().split("\n\n").next().unwrap();
    told.lines().map(|line| &line[line.find('/').unwrap()..]).collect()
}

/// Does what stands under "Three commands to try next", in a shell, as a reader would.
fn try_next(text: &str) {
    let told = text.split("Three commands to try next\n").nth(1).unwrap();
    let mut lines = told.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap();
    let commands: Vec<_> = lines.collect();
    assert_eq!(commands.len(), 3, "{told}");
    for command in commands {
        let mut shell = Command::new("/bin/sh");
        let said = shell.env_clear().args(["-c", &format!("{first} && {command}")]);
        let said = said.stdin(Stdio::null()).output().unwrap();
        assert_eq!(said.status.code(), Some(0), "{command}: {said:?}");
    }
}

#[test]
fn l8_jq_reads_the_export_without_losing_a_field() {
    let place = Place::new();
    a_migrated_store(&place);
    let export = done(&place, &["export"]).stdout;
    let through = jq(".", &export);
    assert_eq!(through.lines().count(), export.lines().count());
    let columns = |line: &str| -> Vec<String> {
        let value: Value = serde_json::from_str(line).unwrap();
        value.as_object().unwrap().keys().cloned().collect()
    };
    let first = columns(export.lines().next().unwrap());
    for (line, through) in export.lines().zip(through.lines()) {
        assert_eq!(columns(line), first);
        // Not a digit of a number, not an escape is different: what jq wrote verifies like the line.
        assert_eq!(through, line);
        assert_eq!(Line::parse(through).unwrap(), Line::parse(line).unwrap());
    }
    // Its own reading agrees with the exact bytes, in what people ask for.
    let kinds = jq(".kind", &export);
    let expected = export.lines().map(|line| Line::parse(line).unwrap().event.body.kind());
    assert_eq!(
        kinds.lines().map(|kind| kind.trim_matches('"')).collect::<Vec<_>>(),
        expected.collect::<Vec<_>>()
    );
    // The body is JSON in a text, which jq opens without losing a number beyond 2^53.
    assert_eq!(
        jq(".body | fromjson | type", &export).lines().filter(|kind| *kind == "\"object\"").count(),
        export.lines().count()
    );
}

fn jq(filter: &str, input: &str) -> String {
    let mut jq = Command::new("jq")
        .args(["-c", filter])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("jq is one of the tools that tools/setup installs");
    let mut stdin = jq.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = jq.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every command ends by itself with nothing on stdin, and one that needs a confirmation says which
/// command gives it.
#[test]
fn p2_nothing_prompts_without_a_terminal() {
    let place = Place::new();
    some_files(&place);
    let mut answered = BTreeMap::new();
    let commands: [&[&str]; 20] = [
        &["init"],
        &["status", "--deep"],
        &["plan", "--to", "3", "-o", "plan.json"],
        &["apply", "plan.json"],
        &["apply", "plan.json", "--yes"],
        &["apply", "plan.json", "--accept-lossy", "00000000"],
        &["apply"],
        &["undo"],
        &["migration", "rollback", "--to", "@", "--discard-changes"],
        &["migration", "resume"],
        &["log"],
        &["show", "@"],
        &["verify-chain"],
        &["replay"],
        &["export"],
        &["explain"],
        &["completions", "bash"],
        &["man"],
        &["demo", "--from", "../files", "--out", "../demo"],
        &[],
    ];
    for arguments in commands {
        // An open pipe that nobody writes into: whoever asked would wait for ever.
        let mut command = place.command(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let held = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(held);
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        answered.insert(arguments.join(" "), (output.status.code().unwrap(), text.concat()));
        if arguments == ["init"] {
            // What holds nothing asks for nothing when it goes.
            let row = "INSERT INTO sources VALUES ('a.rs', 'c0', 'label', 'now')";
            change_store(&place.work().join(".glyph"), row);
        }
    }
    for lossy in ["apply plan.json", "apply plan.json --accept-lossy 00000000", "apply"] {
        let (exit, text) = &answered[lossy];
        assert_eq!(*exit, 5, "{lossy}: {text}");
        assert!(text.contains("next: glyph-ledger apply"), "{lossy}: {text}");
        assert!(text.contains("--accept-lossy"), "{lossy}: {text}");
    }
    for (command, (exit, text)) in answered {
        assert!([0, 2, 5].contains(&exit), "{command}: {exit}: {text}");
    }
}
