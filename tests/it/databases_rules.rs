//! What is held of a database's folder of migrations while it is in care: foreign keys as its tool holds them, a baseline
//! that fits the structure, settings of the file that are left out, and going back without the folder.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::databases::{
    INIT_COMMAND, an_application, apply, database, number, page_root, sql, told,
};
use crate::support::{Place, done};

const FAMILY: &str = "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE child(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id) ON DELETE CASCADE);\n";
const ROWS: &str = "INSERT INTO parent VALUES (1, 'a'), (2, 'b');
INSERT INTO child VALUES (10, 1), (11, 1), (12, 2);\n";

/// The twelve steps without the first.
const REBUILD: &str = "CREATE TABLE next(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO next SELECT id, name FROM parent;
DROP TABLE parent;
ALTER TABLE next RENAME TO parent;\n";

/// A layout, its files of two migrations, and whether its tool has SQLite enforce foreign keys.
type Held = (&'static str, [&'static str; 2], bool);

const HELD: [Held; 8] = [
    ("numbered", ["0001_a.sql", "0002_b.sql"], true),
    ("plain", ["a.sql", "b.sql"], true),
    ("sqlx", ["20240101000000_a.sql", "20240102000000_b.sql"], true),
    ("refinery", ["V1__a.sql", "V2__b.sql"], true),
    ("golang-migrate", ["1_a.up.sql", "2_b.up.sql"], false),
    ("diesel", ["2024-01-01-000000_a/up.sql", "2024-01-02-000000_b/up.sql"], false),
    ("goose", ["00001_a.sql", "00002_b.sql"], false),
    ("dbmate", ["20240101000000_a.sql", "20240102000000_b.sql"], false),
];

/// A folder of that layout, and the database after its first migration with rows in it.
fn held((layout, files, _): &Held) -> Place {
    let place = Place::new();
    for (file, script) in files.iter().zip([FAMILY, REBUILD]) {
        let path = place.work().join("db/migrations").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let head = match *layout {
            "goose" => "-- +goose Up\n",
            "dbmate" => "-- migrate:up\n",
            _ => "",
        };
        let tail = if *layout == "dbmate" { "-- migrate:down\n" } else { "" };
        fs::write(path, format!("{head}{script}{tail}")).unwrap();
    }
    sql(&place, &format!("{FAMILY}{ROWS}"));
    place
}

fn init_with(place: &Place, exit: i32, options: &[&str]) -> Value {
    told(place, "init", exit, &[&INIT_COMMAND[..], options].concat())
}

#[test]
fn s5_foreign_keys_are_held_as_the_layouts_tool_holds_them() {
    for case in &HELD {
        let (layout, _, enforced) = case;
        let place = held(case);
        let made = init_with(&place, 0, &["--layout", layout]);
        let expected = if *enforced { "on" } else { "off" };
        assert_eq!(made["data"]["folder"]["foreign_keys"], expected, "{layout}");
        let plan = told(&place, "plan", 0, &["plan"]);
        let lost = if *enforced { 3 } else { 0 };
        assert_eq!(plan["data"]["values_lost"], lost, "{layout}: {plan}");
        let before = page_root(&database(&place));
        apply(&place);
        assert_eq!(number(&place, "SELECT count(*) FROM child"), 3 - lost, "{layout}");
        let again = told(&place, "replay", 0, &["replay", "--recompute"]);
        assert_eq!(again["data"]["recomputed"]["same"], 1);
        told(&place, "undo", 0, &["undo"]);
        assert_eq!(page_root(&database(&place)), before, "{layout}");
    }
}

#[test]
fn s5_what_becomes_of_foreign_keys_can_be_said() {
    let place = held(&HELD[0]);
    init_with(&place, 0, &["--foreign-keys", "off"]);
    apply(&place);
    assert_eq!(number(&place, "SELECT count(*) FROM child"), 3);
    let place = held(&HELD[5]);
    init_with(&place, 0, &["--layout", "diesel", "--foreign-keys", "on"]);
    assert_eq!(told(&place, "plan", 0, &["plan"])["data"]["values_lost"], 3);
    // What the script says counts.
    let script = place.work().join("db/migrations/2024-01-02-000000_b/up.sql");
    fs::write(script, format!("PRAGMA foreign_keys = OFF;\n{REBUILD}")).unwrap();
    assert_eq!(told(&place, "plan", 0, &["plan"])["data"]["values_lost"], 0);
    assert_eq!(place.run(&[&INIT_COMMAND[..], &["--foreign-keys", "maybe"]].concat()).exit, 2);
}

/// A history that breaks references in one migration and mends them in a later one.
fn mending() -> Place {
    let place = an_application(&[
        ("0001_family.sql", FAMILY),
        ("0002_break.sql", "UPDATE child SET parent = parent + 100;"),
        ("0003_mend.sql", "UPDATE parent SET id = id + 100;"),
    ]);
    sql(&place, ROWS);
    place
}

fn refused(place: &Place, command: &[&str], code: &str, at: &str) {
    let untouched = fs::read(database(place)).unwrap();
    let answer = told(place, command[0], 6, command);
    let found = &answer["diagnostics"][0];
    assert_eq!((&found["code"], &found["place"]), (&code.into(), &at.into()), "{answer}");
    assert_eq!(fs::read(database(place)).unwrap(), untouched);
}

#[test]
fn s5_a_history_that_mends_what_it_broke_has_a_declared_way_through() {
    let place = mending();
    init_with(&place, 0, &["--baseline", "0001"]);
    refused(&place, &["plan"], "STEP_FAILED", "0002_break.sql:1");
    init_with(&place, 0, &["--foreign-keys", "off"]);
    refused(&place, &["plan"], "OUTCOME_INVALID", "0002_break.sql");
    let said = init_with(&place, 0, &["--foreign-keys", "at-end"]);
    assert_eq!(said["data"]["version"], "0001");
    refused(&place, &["plan", "--to", "0002"], "OUTCOME_INVALID", "0002_break.sql");
    let before = page_root(&database(&place));
    apply(&place);
    assert_eq!(number(&place, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    let again = told(&place, "replay", 0, &["replay", "--recompute"]);
    assert_eq!(again["data"]["recomputed"]["same"], 2);
    told(&place, "verify-chain", 0, &["verify-chain", "--objects"]);
    // What was applied stays what it was, whatever is said later.
    init_with(&place, 0, &["--foreign-keys", "on"]);
    told(&place, "status", 0, &["status"]);
    told(&place, "undo", 0, &["undo", "--discard-changes"]);
    assert_eq!(page_root(&database(&place)), before);

    let place = mending();
    fs::write(place.work().join("db/migrations/0003_mend.sql"), "SELECT 1;").unwrap();
    init_with(&place, 0, &["--baseline", "0001", "--foreign-keys", "at-end"]);
    refused(&place, &["plan"], "OUTCOME_INVALID", "0003_mend.sql");
    refused(&place, &["apply"], "OUTCOME_INVALID", "0003_mend.sql");
}

#[test]
fn s5_what_is_said_again_is_of_the_same_database() {
    let place = mending();
    init_with(&place, 0, &["--baseline", "0001"]);
    fs::create_dir(place.work().join("other")).unwrap();
    fs::write(place.work().join("other/0001_family.sql"), FAMILY).unwrap();
    let other = ["init", "--database", "app.db", "--migrations", "other", "--foreign-keys", "off"];
    let answer = told(&place, "init", 2, &other);
    assert_eq!(answer["diagnostics"][0]["code"], "ALREADY_HERE");
    init_with(&place, 2, &["--foreign-keys", "off", "--layout", "plain"]);
    refused(&place, &["plan"], "STEP_FAILED", "0002_break.sql:1");
}

const INIT: &str = "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, note TEXT);\n";

#[test]
fn s5_a_baseline_is_held_against_the_structure() {
    let scripts = [
        ("0001_init.sql", INIT),
        (
            "0002_seen.sql",
            "ALTER TABLE users ADD COLUMN seen TEXT; CREATE INDEX by_seen ON users(seen);",
        ),
        ("0003_rows.sql", "UPDATE users SET note = '';"),
    ];
    let place = an_application(&scripts);
    let untouched = fs::read(database(&place)).unwrap();
    let answer = init_with(&place, 2, &["--baseline", "0002"]);
    let found = &answer["diagnostics"][0];
    assert_eq!(found["code"], "BASELINE_DIFFERS", "{answer}");
    let message = found["message"].as_str().unwrap();
    let told_so = [
        "structure of version 0002",
        "index by_seen is missing",
        "table users is declared otherwise",
    ];
    assert!(told_so.iter().all(|told| message.contains(told)), "{message}");
    let answer = init_with(&place, 2, &["--baseline", "none"]);
    let message = answer["diagnostics"][0]["message"].as_str().unwrap();
    assert!(message.contains("table users is not in it"), "{message}");
    assert!(!place.work().join(".glyph-ledger").exists());
    assert_eq!(fs::read(database(&place)).unwrap(), untouched);
    let settings = |place: &Place| {
        let text = fs::read(place.work().join(".glyph-ledger/database.json")).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()["believed_baseline"].clone()
    };
    init_with(&place, 0, &["--baseline", "0002", "--believe-baseline"]);
    assert_eq!(settings(&place), "0002");
    let place = an_application(&scripts);
    let made = init_with(&place, 0, &["--baseline", "0001"]);
    assert_eq!((&made["data"]["version"], settings(&place)), (&"0001".into(), Value::Null));
}

#[test]
fn s5_settings_of_the_file_that_are_left_out_are_named() {
    let place = an_application(&[
        ("0001_init.sql", INIT),
        (
            "0002_settings.sql",
            "PRAGMA journal_mode = WAL;\nPRAGMA page_size = 8192; PRAGMA page_size = 8192;\nPRAGMA auto_vacuum;
            CREATE TABLE t(a);",
        ),
        ("0003_none.sql", "CREATE TABLE u(a);"),
    ]);
    done(&place, &INIT_COMMAND);
    let left_out = json!(["journal_mode = WAL", "page_size = 8192"]);
    let checked = told(&place, "check", 0, &["check"]);
    assert_eq!(checked["data"]["steps"][0]["left_out"], left_out);
    let plan = told(&place, "plan", 0, &["plan", "-o", "../plan.json"]);
    assert_eq!(plan["data"]["plan"]["steps"][0]["left_out"], left_out);
    assert_eq!(plan["data"]["plan"]["steps"][1]["left_out"], Value::Null);
    let said = done(&place, &["plan"]);
    assert!(said.stdout.contains("PRAGMA journal_mode = WAL is left out"), "{said:?}");
    let applied = told(&place, "apply", 0, &["apply", "../plan.json"]);
    assert_eq!(applied["data"]["left_out"], left_out);
    assert_eq!(number(&place, "PRAGMA page_size"), 4096);
}

#[test]
fn a_writer_that_never_pauses_does_not_keep_a_run_from_its_end() {
    let place = an_application(&[
        ("0001_init.sql", INIT),
        ("0002_seen.sql", "ALTER TABLE users ADD COLUMN seen TEXT;"),
    ]);
    sql(&place, "CREATE TABLE trail(a);");
    done(&place, &[&INIT_COMMAND[..], &["--baseline", "0001", "--believe-baseline"]].concat());
    let (path, stop, written) = (database(&place), AtomicBool::new(false), AtomicI64::new(0));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let connection = rusqlite::Connection::open(&path).unwrap();
            connection.busy_timeout(Duration::from_mins(1)).unwrap();
            while !stop.load(Ordering::Relaxed) {
                connection.execute("INSERT INTO trail VALUES (1)", []).unwrap();
                written.fetch_add(1, Ordering::Relaxed);
                // Who gets a lock that is never free for long is a matter of chance, in SQLite.
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let said = place.run(&["apply", "--hold-writes", "--wait", "60"]);
        let then = written.load(Ordering::Relaxed);
        while written.load(Ordering::Relaxed) < then + 2 && !writer.is_finished() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let undone = place.run(&["undo", "--hold-writes", "--wait", "60", "--discard-changes"]);
        let again = place.run(&["apply", "--hold-writes", "--wait", "60"]);
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        assert_eq!(
            (said.exit, undone.exit, again.exit),
            (0, 0, 0),
            "{said:?} {undone:?} {again:?}"
        );
    });
    let written = written.into_inner();
    let kept = number(&place, "SELECT count(*) FROM trail");
    assert!(kept > 0 && kept < written, "going back took rows away: {kept} of {written}");
    assert_eq!(number(&place, "SELECT count(*) FROM pragma_table_info('users')"), 4);
}

#[test]
fn s4_going_back_needs_no_folder_of_migrations() {
    let place = an_application(&[
        ("0001_init.sql", INIT),
        ("0002_seen.sql", "ALTER TABLE users ADD COLUMN seen TEXT;"),
    ]);
    done(&place, &INIT_COMMAND);
    let before = page_root(&database(&place));
    apply(&place);
    let after = page_root(&database(&place));
    let folder = place.work().join("db/migrations");
    let run = |exit: i32, arguments: &[&str]| {
        let said = place.run(arguments);
        assert_eq!(said.exit, exit, "{said:?}");
        said
    };
    fs::rename(&folder, place.work().join("db/gone")).unwrap();
    run(1, &["plan"]);
    let said = run(0, &["undo"]);
    assert!(said.stderr.contains("the contract that the ledger keeps"), "{said:?}");
    assert_eq!(page_root(&database(&place)), before);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("0001_init.sql"), [0xff, 0xfe]).unwrap();
    run(0, &["undo"]);
    assert_eq!(page_root(&database(&place)), after);
    told(&place, "verify-chain", 0, &["verify-chain", "--objects"]);
    fs::remove_dir_all(&folder).unwrap();
    fs::rename(place.work().join("db/gone"), &folder).unwrap();
    told(&place, "status", 0, &["status"]);
}

#[test]
fn s6_what_holds_nothing_is_dropped_without_asking() {
    let place = Place::new();
    let folder = place.work().join("db/migrations");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("0001_init.sql"), INIT).unwrap();
    let drops = "ALTER TABLE users DROP COLUMN note; CREATE TABLE t(a); DROP TABLE t;";
    fs::write(folder.join("0002_drop.sql"), drops).unwrap();
    done(&place, &INIT_COMMAND);
    let plan = told(&place, "plan", 0, &["plan", "--refuse-loss"]);
    assert_eq!(plan["data"]["values_lost"], 0);
    assert_eq!(plan["data"]["plan"]["loss"]["users.note"], json!({"dropped": true, "values": 0}));
    assert_eq!(told(&place, "apply", 0, &["apply"])["data"]["values_lost"], 0);
    told(&place, "verify-chain", 0, &["verify-chain", "--objects"]);
    told(&place, "undo", 0, &["undo"]);
    told(&place, "plan", 0, &["plan", "-o", "../plan.json"]);

    // A plan made while there was nothing to lose does not lose what was written since.
    let place = an_application(&[("0001_init.sql", INIT), ("0002_drop.sql", drops)]);
    done(&place, &INIT_COMMAND);
    told(&place, "plan", 0, &["plan", "-o", "../plan.json"]);
    sql(&place, "INSERT INTO users VALUES (1, 'ann', 'kept');");
    let stale = told(&place, "apply", 8, &["apply", "../plan.json"]);
    assert_eq!(stale["diagnostics"][0]["code"], "PLAN_STALE");
    assert_eq!(number(&place, "SELECT count(note) FROM users"), 1);
}
