//! Whole `.glyph` stores of version 1, in both of its shapes, through the program: recognised, migrated, reported on, and
//! put back, with everything in them that migrations are not about left as it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{
    Place, Shape, a_glyph_store, change_store, check_answer, copy, done, fingerprint, migrate,
    not_shown, rows_of,
};

const BOTH: [(Shape, &str); 2] = [(Shape::First, "1"), (Shape::Semantic, "1-semantic")];

/// Every table that no migration touches, with all its columns.
const UNTOUCHED: [(&str, &str); 10] = [
    ("content", "id, hash, size, path, created_at"),
    ("realms", "name, description"),
    ("work_contexts", "name, base_realm, workspace_path, status, created_at"),
    ("snapshots", "id, work_name, reason, hash, created_at"),
    ("remotes", "name, url, created_at"),
    ("mounts", "path, remote, created_at"),
    ("work_claims", "id, work_name, actor"),
    ("work_dependencies", "work_name, depends_on_work, created_at"),
    ("work_conflicts", "id, work_name, conflicts"),
    ("hook_runs", "id, hook, exit_code, created_at"),
];

fn told(place: &Place, command: &str, exit: i32, arguments: &[&str]) -> Value {
    let said = place.run(&[arguments, &["--json"]].concat());
    assert_eq!(said.exit, exit, "{said:?}");
    let answer = said.json();
    check_answer(command, &answer);
    answer
}

fn in_care(shape: Shape) -> (Place, PathBuf) {
    let place = Place::new();
    let root = a_glyph_store(&place, shape);
    done(&place, &["init"]);
    (place, root)
}

fn untouched(root: &Path) -> BTreeMap<&'static str, Vec<String>> {
    let rows = UNTOUCHED.map(|(table, columns)| (table, rows_of(root, table, columns)));
    assert!(rows.iter().all(|(_, rows)| !rows.is_empty()));
    rows.into()
}

fn audit(root: &Path) -> String {
    fs::read_to_string(root.join("audit/events.jsonl")).unwrap()
}

#[test]
fn s1_both_shapes_of_version_1_are_recognised_and_keep_all_their_tables() {
    for (shape, version) in BOTH {
        let place = Place::new();
        let root = a_glyph_store(&place, shape);
        let before = (untouched(&root), audit(&root));
        let adopted = told(&place, "init", 0, &["init"]);
        assert_eq!(adopted["data"]["version"], version);
        assert_eq!((untouched(&root), audit(&root)), before);
        let status = told(&place, "status", 0, &["status"]);
        assert_eq!(status["data"]["tables"], json!({"known": 13, "missing": [], "other": []}));
        let publications = "id, work_name, dest_realm, status, actor, mode, created_at";
        let published = rows_of(&root, "publications", publications);
        let sources = rows_of(&root, "sources", "path, content_id, updated_at");
        migrate(&place, "3");
        assert_eq!(untouched(&root), before.0);
        assert_eq!(rows_of(&root, "publications", publications), published);
        assert_eq!(rows_of(&root, "sources", "path, content_id, updated_at"), sources);
        let meaning = rows_of(&root, "publications", "semantic_type, semantic_description");
        match shape {
            Shape::First => assert!(meaning.iter().all(|row| row == "''|''")),
            Shape::Semantic => assert!(meaning.contains(&"'feature'|'number pub-9'".to_owned())),
        }
        let labels = rows_of(&root, "source_labels", "path, position, label");
        assert!(labels.contains(&"'src/3.rs'|2|'ü'".to_owned()), "{labels:?}");
        done(&place, &["undo"]);
        assert_eq!(told(&place, "status", 0, &["status"])["data"]["version"], version);
        assert_eq!(rows_of(&root, "publications", publications), published);
    }
}

#[test]
fn a_shape_between_the_two_is_refused_and_nothing_is_written() {
    for change in [
        "ALTER TABLE publications ADD COLUMN semantic_type TEXT NOT NULL DEFAULT ''",
        "DROP TABLE publications",
    ] {
        let place = Place::new();
        let root = a_glyph_store(&place, Shape::First);
        change_store(&root, change);
        let before = (untouched(&root), audit(&root));
        let refused = told(&place, "init", 4, &["init"]);
        assert_eq!(refused["diagnostics"][0]["code"], "STORE_DISAGREES", "{refused}");
        assert_eq!((untouched(&root), audit(&root)), before);
        assert!(!root.join("ledger").exists());
    }
}

#[test]
fn tables_of_somebody_else_are_named_carried_along_and_watched() {
    let place = Place::new();
    let root = a_glyph_store(&place, Shape::First);
    change_store(
        &root,
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT); INSERT INTO notes VALUES (7, 'mine');
         CREATE VIEW all_notes AS SELECT note FROM notes; DROP TABLE hook_runs;",
    );
    done(&place, &["init"]);
    let status = told(&place, "status", 0, &["status"]);
    let expected = json!({"known": 12, "missing": ["hook_runs"], "other": ["notes"]});
    assert_eq!(status["data"]["tables"], expected);
    let said = done(&place, &["status"]).stdout;
    assert!(said.contains("other     notes; carried along as they are"), "{said}");
    migrate(&place, "3");
    assert_eq!(rows_of(&root, "notes", "id, note"), ["7|'mine'"]);
    assert_eq!(rows_of(&root, "all_notes", "note"), ["'mine'"]);
}

#[test]
fn s2_status_tells_what_this_and_the_last_writing_program_read_and_write() {
    let (place, _) = in_care(Shape::Semantic);
    let status = told(&place, "status", 0, &["status"])["data"].clone();
    assert_eq!(status["readable"], json!([1, 3]));
    assert_eq!((&status["writable"], &status["min_reader"]), (&3.into(), &1.into()));
    assert_eq!(
        (&status["created_by"], &status["last_writer"]),
        (&"glyph/0.1.0".into(), &Value::Null)
    );
    assert!(done(&place, &["status"]).stdout.contains("written by  no run of a ledger yet"));
    migrate(&place, "2");
    let status = told(&place, "status", 0, &["status"])["data"].clone();
    let last = &status["last_writer"];
    let program = concat!("glyph-ledger/", env!("CARGO_PKG_VERSION"));
    assert_eq!((&last["program"], &last["readable"]), (&program.into(), &json!([1, 3])));
    assert_eq!((&last["writable"], &status["min_reader"]), (&3.into(), &2.into()));
    let said = done(&place, &["status"]).stdout;
    let line = format!("written by  {program}, which reads 1 to 3 and writes 3");
    assert!(said.contains(&line), "{said}");
    // A run that failed wrote nothing.
    let run = last["run"].clone();
    done(&place, &["undo"]);
    let after = told(&place, "status", 0, &["status"])["data"]["last_writer"]["run"].clone();
    assert_ne!(after, run);
}

#[test]
fn s9_each_migration_appends_one_line_in_the_form_of_the_tool() {
    let (place, root) = in_care(Shape::First);
    let before = audit(&root);
    let keys = |line: &str| -> Vec<String> {
        let line: Value = serde_json::from_str(line).unwrap();
        line.as_object().unwrap().keys().cloned().collect()
    };
    let form = keys(before.lines().next().unwrap());
    migrate(&place, "2");
    migrate(&place, "3");
    done(&place, &["undo"]);
    let after = audit(&root);
    assert!(after.starts_with(&before) && after.ends_with("}\n"));
    let added: Vec<&str> = after[before.len()..].lines().collect();
    let expected = [
        ("store_migrated", "1", "2"),
        ("store_migrated", "2", "3"),
        ("store_rolled_back", "3", "2"),
    ];
    assert_eq!(added.len(), expected.len());
    for (line, (kind, from, to)) in added.iter().zip(expected) {
        assert_eq!(keys(line), form, "{line}");
        assert_eq!(form, ["type", "timestamp", "actor", "data"]);
        assert!(
            !line.contains(": ") && !line.contains(", "),
            "no space, as in the tool's lines: {line}"
        );
        let said: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&said["type"], &said["actor"]), (&kind.into(), &"glyph-ledger".into()));
        assert_eq!(
            (&said["data"]["from_version"], &said["data"]["to_version"]),
            (&from.into(), &to.into())
        );
        let timestamp = said["timestamp"].as_str().unwrap();
        let shape: String =
            timestamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00Z", "whole seconds, as in the tool's lines");
    }
}

#[test]
fn s8_object_ids_are_preserved_by_every_migration_of_a_store() {
    for (shape, _) in BOTH {
        let (place, root) = in_care(shape);
        let ids = || {
            ["content", "snapshots", "publications", "work_claims", "hook_runs"]
                .map(|table| rows_of(&root, table, "id"))
        };
        let before = ids();
        let plan = told(&place, "plan", 0, &["plan", "--to", "3"]);
        assert_eq!(plan["data"]["plan"]["ids_changed"], Value::Null, "{plan}");
        migrate(&place, "3");
        assert_eq!(ids(), before);
    }
}

#[test]
fn s6_a_loss_is_counted_and_named_before_and_needs_the_id_of_its_plan() {
    let (place, root) = in_care(Shape::First);
    let before = (rows_of(&root, "sources", "path, labels"), audit(&root));
    let plan = told(&place, "plan", 0, &["plan", "-o", "../plan.json"])["data"].clone();
    assert_eq!(plan["plan"]["loss"], json!({"sources.labels": {"dropped": true, "values": 60}}));
    assert_eq!(plan["values_lost"], 60);
    let id = plan["plan"]["id"].as_str().unwrap();
    for refused in [
        &["apply", "../plan.json"][..],
        &["apply", "../plan.json", "--yes"],
        &["apply", "../plan.json", "--accept-lossy", "000000000000"],
        &["apply", "--yes"],
    ] {
        let said = place.run(&[refused, &["--json"]].concat());
        assert_eq!(said.exit, 5, "{refused:?}: {said:?}");
        assert_eq!((rows_of(&root, "sources", "path, labels"), audit(&root)), before);
    }
    told(&place, "apply", 0, &["apply", "../plan.json", "--accept-lossy", &id[..12]]);
    assert_eq!(told(&place, "status", 0, &["status"])["data"]["version"], "3");
}

/// What is in the store's folder, but for its ledger.
fn files(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = fingerprint(root);
    files.retain(|path, _| path.is_file() && !path.starts_with(root.join("ledger")));
    assert!(files.len() > 3, "{files:?}");
    files
}

#[test]
fn m4_check_tells_what_a_store_would_go_through_and_touches_nothing() {
    for (shape, version) in BOTH {
        let (place, root) = in_care(shape);
        let (before, log) = (files(&root), done(&place, &["log"]).stdout);
        let named = [".", ".glyph", ".glyph/store.db", ".glyph/manifest.yaml"];
        for target in named {
            let said = told(&place, "check", 0, &["check", target])["data"].clone();
            let verdict = (&said["status"], &said["from"], &said["to"], &said["values_lost"]);
            assert_eq!(verdict, (&json!("migrated"), &json!(version), &json!("3"), &json!(60)));
            assert_eq!(said["steps"].as_array().unwrap().len(), 2, "{said}");
        }
        told(&place, "check", 10, &["check", "--detailed-exitcode"]);
        let told_in_store = place.said_by(place.command(&["check"]).current_dir(&root)).stdout;
        assert_eq!(told_in_store, done(&place, &["check"]).stdout);
        assert!(files(&root) == before, "something was touched");
        assert_eq!(done(&place, &["log"]).stdout, log);
        migrate(&place, "3");
        assert_eq!(told(&place, "check", 0, &["check"])["data"]["status"], "current");
        let newer = fs::read_to_string(root.join("manifest.yaml")).unwrap();
        fs::write(root.join("manifest.yaml"), newer.replace("version: 3", "version: 99")).unwrap();
        told(&place, "check", 4, &["check"]);
    }
}

#[test]
fn m6_prove_sees_each_migration_of_a_store_whose_content_is_known_and_names_the_others() {
    let (place, root) = in_care(Shape::First);
    let before = files(&root);
    for target in [None, Some(".glyph")] {
        let arguments: Vec<&str> = ["prove"].into_iter().chain(target).collect();
        let proved = told(&place, "prove", 0, &arguments)["data"].clone();
        let count = (&proved["failing"], &proved["not_tried"], &proved["with_way_back"]);
        assert_eq!(count, (&json!(0), &json!(1), &json!(0)), "{proved}");
        let tried: Vec<_> = proved["migrations"].as_array().unwrap().iter().collect();
        let of: Vec<_> = tried.iter().map(|one| (&one["from"], &one["not_tried"])).collect();
        let unknown = json!("no content of version 1-semantic is known");
        let (first, semantic, second) = (json!("1"), json!("1-semantic"), json!("2"));
        assert_eq!(of, [(&first, &Value::Null), (&semantic, &unknown), (&second, &Value::Null)]);
    }
    assert!(files(&root) == before, "something was touched");

    // One that was the newest when it came has nothing to be tried on, which is not "all is well".
    migrate(&place, "3");
    let place = Place::new();
    copy(&root, &place.work().join(".glyph"));
    fs::remove_dir_all(place.work().join(".glyph/ledger")).unwrap();
    done(&place, &["init"]);
    let proved = told(&place, "prove", 3, &["prove"]);
    assert_eq!(proved["data"]["not_tried"], 3);
    assert_eq!(proved["diagnostics"][0]["code"], "PROPERTY_MISSING");
}

#[test]
fn s10_status_deep_compares_the_files_of_content_with_the_database() {
    let (place, root) = in_care(Shape::First);
    let files = || -> Vec<PathBuf> {
        let mut files: Vec<_> =
            fs::read_dir(root.join("content")).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    };
    let held: Vec<Vec<u8>> = files().iter().map(|file| fs::read(file).unwrap()).collect();
    assert_eq!(told(&place, "status", 0, &["status"])["data"]["content"], Value::Null);
    migrate(&place, "3");
    let none = json!({"ids": [], "total": 0});
    let content = told(&place, "status", 0, &["status", "--deep"])["data"]["content"].clone();
    let whole =
        json!({"rows": 60, "same": 60, "missing": none, "differing": none, "unknown": none});
    assert_eq!(content, whole);
    // No migration touches these files.
    assert_eq!(files().iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>(), held);

    let (gone, changed) = (&files()[0], &files()[1]);
    let id = |file: &Path| file.file_name().unwrap().to_str().unwrap()[..16].to_owned();
    fs::remove_file(gone).unwrap();
    let told_missing = told(&place, "status", 0, &["status", "--deep"]);
    let missing = &told_missing["data"]["content"]["missing"];
    assert_eq!(*missing, json!({"ids": [id(gone)], "total": 1}));
    fs::write(changed, "something else").unwrap();
    let found = told(&place, "status", 3, &["status", "--deep"]);
    assert_eq!(found["diagnostics"][0]["code"], "CONTENT_CHANGED");
    assert_eq!(found["data"]["content"]["differing"], json!({"ids": [id(changed)], "total": 1}));
    assert_eq!(found["data"]["content"]["same"], 58);
    let said = place.run(&["status", "--deep"]);
    assert!(said.stdout.contains(&format!("differs   {}", id(changed))), "{said:?}");
    // Without being asked it does not look.
    told(&place, "status", 0, &["status"]);
}

#[test]
fn s10_started_as_glyph_the_program_answers_glyph_status() {
    let (place, _) = in_care(Shape::First);
    let glyph = place.home().join("bin/glyph");
    fs::create_dir_all(glyph.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_glyph-ledger"), &glyph).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&glyph);
        command.args(arguments).env_clear().env("GLYPH_LEDGER_HOME", place.home());
        place.said_by(command.current_dir(place.work()))
    };
    let said = run(&["status"]);
    assert_eq!((said.exit, &said.stdout), (0, &done(&place, &["status"]).stdout));
    assert!(said.stdout.starts_with("store version 1\n"), "{said:?}");
    assert!(said.stderr.contains("next: glyph plan"), "{said:?}");
    let next = run(&["status", "--json"]).json()["next"][0]["argv"][0].clone();
    assert_eq!(next, "glyph");
}

#[test]
fn s1_a_store_left_half_made_is_made_by_doing_it_again() {
    let place = Place::new();
    let root = place.work().join(".glyph");
    done(&place, &["init"]);
    let database = fs::read(root.join("store.db")).unwrap();
    let line = audit(&root);
    // Each is what a kill leaves of the making, up to the manifest.
    let half: [(&[u8], Option<&str>); 4] =
        [(&[], None), (&database, None), (&database, Some(&line[..20])), (&database, Some(&line))];
    for (database, line) in half {
        let place = Place::new();
        let root = place.work().join(".glyph");
        fs::create_dir_all(root.join("audit")).unwrap();
        fs::write(root.join("store.db"), database).unwrap();
        if let Some(line) = line {
            fs::write(root.join("audit/events.jsonl"), line).unwrap();
        }
        let made = told(&place, "init", 0, &["init"]);
        assert_eq!(made["data"]["origin"], "created");
        assert_eq!(audit(&root).lines().count(), 1);
        migrate(&place, "3");
    }
    // With a row in it, it is somebody's.
    let place = Place::new();
    let root = place.work().join(".glyph");
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("store.db"), &database).unwrap();
    change_store(&root, "INSERT INTO realms VALUES ('main', '')");
    let refused = told(&place, "init", 2, &["init"]);
    assert_eq!(refused["diagnostics"][0]["code"], "ALREADY_HERE");
    assert_eq!(rows_of(&root, "realms", "name"), ["'main'"]);
}

/// What a kill may come before: all that makes, names, fills or removes a file, or makes it durable.
const CALLS: &str = "openat,mkdir,write,pwrite64,ftruncate,fsync,fdatasync,rename,unlink";

#[test]
fn s1_an_init_killed_anywhere_is_finished_by_doing_it_again() {
    // Every fifth of some 120 calls.
    let mut half_made = 0;
    for call in (1..).step_by(5) {
        let place = Place::new();
        let untraced = place.command(&["init"]);
        let mut command = std::process::Command::new("strace");
        command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={CALLS}"), "-e"]);
        command.arg(format!("inject={CALLS}:signal=SIGKILL:when={call}"));
        command.arg(untraced.get_program()).args(untraced.get_args()).env_clear();
        command.env("GLYPH_LEDGER_HOME", place.home()).current_dir(place.work());
        let Ok(output) = command.output() else {
            not_shown("an init that is killed at each of its calls", "there is no strace here");
            return;
        };
        if output.status.success() {
            assert!(half_made > 10, "{half_made} kills left a database without a manifest");
            return;
        }
        let root = place.work().join(".glyph");
        if root.join("store.db").exists() && !root.join("manifest.yaml").exists() {
            half_made += 1;
        }
        let again = place.run(&["init", "--json"]);
        let in_care = again.stdout.contains("ALREADY_HERE") && again.exit == 2;
        assert!(again.exit == 0 || in_care, "killed at call {call}: {again:?}");
        assert_eq!(told(&place, "status", 0, &["status"])["data"]["version"], "1");
        assert_eq!(audit(&root).lines().count(), 1, "killed at call {call}");
    }
}
