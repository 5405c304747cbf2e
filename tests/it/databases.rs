//! The database of an application and its folder of SQL migrations, through the program: taken into care, migrated, put
//! back, while the application goes on writing rows of its own.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use glyph_ledger::target::sqlite::{PageTree, Snapshot};
use serde_json::Value;

use crate::support::{Place, Said, beside, check_answer, done};

const INIT: &str = "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT);\n";
const TOKENS: &str = "ALTER TABLE users ADD COLUMN token BLOB;
UPDATE users SET token = randomblob(8);
CREATE TABLE log(at TEXT DEFAULT CURRENT_TIMESTAMP, who INTEGER REFERENCES users(id));
INSERT INTO log(who) SELECT id FROM users;\n";
const DROP: &str = "ALTER TABLE users DROP COLUMN note;\n";

/// A folder of migrations, and a database that has gone through the first.
pub(crate) fn an_application(scripts: &[(&str, &str)]) -> Place {
    let place = Place::new();
    let folder = place.work().join("db/migrations");
    fs::create_dir_all(&folder).unwrap();
    for (name, sql) in scripts {
        fs::write(folder.join(name), sql).unwrap();
    }
    sql(&place, scripts[0].1);
    place
}

fn three() -> Place {
    with_rows(&[("0001_init.sql", INIT), ("0002_tokens.sql", TOKENS), ("0003_drop.sql", DROP)])
}

/// The same with 200 users.
fn with_rows(scripts: &[(&str, &str)]) -> Place {
    let place = an_application(scripts);
    sql(&place, &rows(0..200));
    place
}

fn rows(ids: std::ops::Range<u32>) -> String {
    let row = |id| format!("INSERT INTO users(id, name) VALUES ({id}, 'n{id}');");
    ids.map(row).collect::<Vec<_>>().concat()
}

pub(crate) fn database(place: &Place) -> PathBuf {
    place.work().join("app.db")
}

/// What the application does.
pub(crate) fn sql(place: &Place, sql: &str) {
    let connection = rusqlite::Connection::open(database(place)).unwrap();
    connection.execute_batch(&format!("BEGIN; {sql} COMMIT;")).unwrap();
}

pub(crate) fn number(place: &Place, query: &str) -> i64 {
    let connection = rusqlite::Connection::open(database(place)).unwrap();
    connection.query_row(query, [], |row| row.get(0)).unwrap()
}

pub(crate) fn page_root(path: &std::path::Path) -> String {
    PageTree::build(&Snapshot::open(path, Duration::ZERO).unwrap()).unwrap().root().to_string()
}

pub(crate) const INIT_COMMAND: [&str; 5] =
    ["init", "--database", "app.db", "--migrations", "db/migrations"];

pub(crate) fn told(place: &Place, command: &str, exit: i32, arguments: &[&str]) -> Value {
    let said: Said = place.run(&[arguments, &["--json"]].concat());
    assert_eq!(said.exit, exit, "{said:?}");
    let answer = said.json();
    check_answer(command, &answer);
    answer
}

/// Plans and applies, whatever is lost.
pub(crate) fn apply(place: &Place) -> Value {
    let plan = told(place, "plan", 0, &["plan", "-o", "../plan.json"]);
    let id = plan["data"]["plan"]["id"].as_str().unwrap();
    told(place, "apply", 0, &["apply", "../plan.json", "--accept-lossy", id])
}

#[test]
fn s5_a_database_goes_through_its_folder_and_back_page_for_page() {
    let place = three();
    let untouched = fs::read(database(&place)).unwrap();
    let adopted = told(&place, "init", 0, &INIT_COMMAND);
    assert_eq!(
        (&adopted["data"]["version"], &adopted["data"]["origin"]),
        (&"0001".into(), &"adopted".into())
    );
    assert_eq!(fs::read(database(&place)).unwrap(), untouched);
    let status = told(&place, "status", 10, &["status", "--detailed-exitcode"]);
    assert_eq!(status["data"]["applied"], 1);
    assert_eq!(
        status["data"]["pending"],
        serde_json::json!([
            {"version": "0002", "file": "0002_tokens.sql"},
            {"version": "0003", "file": "0003_drop.sql"},
        ])
    );

    // Rows written since are part of what a run begins with.
    sql(&place, &rows(200..210));
    sql(&place, "UPDATE users SET note = 'kept' WHERE id = 7;");
    let plan = told(&place, "plan", 0, &["plan", "-o", "../plan.json"]);
    assert_eq!(plan["data"]["values_lost"], 1, "{plan}");
    let refused = place.run(&["apply", "../plan.json"]);
    assert_eq!(refused.exit, 5, "{refused:?}");
    sql(&place, &rows(210..220));
    let before = page_root(&database(&place));
    apply(&place);
    assert_eq!(number(&place, "SELECT count(*) FROM log"), 220);
    let migrated = page_root(&database(&place));
    let verdict = told(&place, "verify-chain", 0, &["verify-chain", "--objects"]);
    assert_eq!(verdict["data"]["live"]["verdict"], "matches");
    let replayed = told(&place, "replay", 0, &["replay", "--recompute", "--out", "../then"]);
    assert_eq!(
        replayed["data"]["recomputed"],
        serde_json::json!({"steps": 2, "same": 2, "not_recomputable": 0})
    );
    assert_eq!(page_root(&place.work().join("../then/app.db")), migrated);

    // What the application wrote after it goes with it, and is kept.
    sql(&place, "INSERT INTO users(id, name) VALUES (1000, 'late');");
    let written = page_root(&database(&place));
    let asked = told(&place, "undo", 6, &["undo"]);
    assert_eq!(asked["diagnostics"][0]["code"], "DOCUMENT_CHANGED", "{asked}");
    let back = told(&place, "undo", 0, &["undo", "--discard-changes"]);
    assert_eq!(page_root(&database(&place)), before);
    assert_eq!((&back["data"]["from"], &back["data"]["to"]), (&"0003".into(), &"0001".into()));
    let run = back["data"]["run"].as_str().unwrap();
    told(&place, "rollback", 0, &["migration", "rollback", "--to", &format!("run:{run}^")]);
    assert_eq!(page_root(&database(&place)), written);
    let status = told(&place, "status", 0, &["status", "--deep"]);
    assert_eq!(
        (&status["data"]["version"], &status["data"]["pending"]),
        (&"0003".into(), &Value::Array(Vec::new()))
    );
    assert_eq!(status["data"]["objects"], serde_json::json!([{"id": "app.db", "drift": "none"}]));
}

#[test]
fn s5_an_applied_migration_that_changed_is_refused_by_name() {
    let place = three();
    done(&place, &INIT_COMMAND);
    let folder = place.work().join("db/migrations");
    let refused = |code: &str, file: &str| {
        for arguments in [&["plan"][..], &["apply", "../plan.json"]] {
            let said = place.run(&[arguments, &["--json"]].concat());
            let (answer, exit) = (said.json(), said.exit);
            assert_eq!(exit, 6, "{answer}");
            assert_eq!(answer["diagnostics"][0]["code"], code);
            assert_eq!(answer["diagnostics"][0]["place"], file);
        }
        let status = told(&place, "status", 6, &["status"]);
        assert_eq!(status["diagnostics"][0]["code"], code);
    };
    done(&place, &["plan", "-o", "../plan.json"]);
    // What was applied before it came into care counts as well.
    fs::write(folder.join("0001_init.sql"), INIT.replace("NOT NULL", "")).unwrap();
    refused("MIGRATION_EDITED", "0001_init.sql");
    fs::remove_file(folder.join("0001_init.sql")).unwrap();
    refused("MIGRATION_MISSING", "0001_init.sql");
    fs::write(folder.join("0001_init.sql"), INIT).unwrap();
    fs::write(folder.join("0000_late.sql"), "SELECT 1;").unwrap();
    refused("MIGRATION_LATE", "0000_late.sql");
    fs::remove_file(folder.join("0000_late.sql")).unwrap();
    // One that is still to come may change; the plan is another one then.
    fs::write(folder.join("0003_drop.sql"), "CREATE INDEX by_name ON users(name);").unwrap();
    let text = fs::read_to_string(beside(&place, "plan.json")).unwrap();
    let id = serde_json::from_str::<Value>(&text).unwrap()["id"].as_str().unwrap().to_owned();
    let stale = place.run(&["apply", "../plan.json", "--accept-lossy", &id, "--json"]);
    assert_eq!(stale.json()["diagnostics"][0]["code"], "PLAN_STALE");
    apply(&place);
    fs::write(folder.join("0003_drop.sql"), DROP).unwrap();
    refused("MIGRATION_EDITED", "0003_drop.sql");
    told(&place, "undo", 0, &["undo"]);
    told(&place, "plan", 0, &["plan"]);
}

#[test]
fn s5_what_was_applied_before_is_found_or_asked_for() {
    let scripts =
        [("1_a.sql", INIT), ("2_b.sql", "UPDATE users SET note = '';"), ("3_c.sql", DROP)];
    let place = with_rows(&scripts);
    let before = fs::read(database(&place)).unwrap();
    let refused = place.run(&[&INIT_COMMAND[..], &["--json"]].concat());
    let answer = refused.json();
    assert_eq!((refused.exit, &answer["diagnostics"][0]["code"]), (2, &"BASELINE_UNKNOWN".into()));
    let next = answer["next"][0]["argv"].as_array().unwrap();
    let again = [&INIT_COMMAND[..], &["--baseline", "VERSION"]].concat();
    assert_eq!(next[1..], again, "{answer}");
    assert!(answer["diagnostics"][0]["message"].as_str().unwrap().contains("of 1, 2"), "{answer}");
    assert!(!place.work().join(".glyph-ledger").exists());
    let unknown = place.run(&[&INIT_COMMAND[..], &["--baseline", "9"]].concat());
    assert_eq!(unknown.exit, 4, "{unknown:?}");
    let adopted = told(&place, "init", 0, &[&INIT_COMMAND[..], &["--baseline", "2"]].concat());
    assert_eq!(adopted["data"]["version"], "2");
    assert_eq!(fs::read(database(&place)).unwrap(), before);
    apply(&place);
    assert_eq!(number(&place, "SELECT count(*) FROM users WHERE id < 1000"), 200);

    sql(&place, "CREATE TABLE other(a);");
    let drifted = place.run(&["plan", "--json"]);
    assert_eq!(
        (drifted.exit, &drifted.json()["diagnostics"][0]["code"]),
        (6, &"SCHEMA_DRIFT".into())
    );
    told(&place, "status", 6, &["status"]);
}

#[test]
fn migrations_that_need_a_database_of_before_ask_for_its_version() {
    let place = with_rows(&[("1_a.sql", INIT)]);
    let script = place.work().join("db/migrations/1_a.sql");
    fs::write(script, "ALTER TABLE users ADD COLUMN seen TEXT;").unwrap();
    let refused = place.run(&[&INIT_COMMAND[..], &["--json"]].concat());
    let diagnostic = &refused.json()["diagnostics"][0];
    assert_eq!((refused.exit, &diagnostic["code"]), (2, &"BASELINE_UNKNOWN".into()));
    let message = diagnostic["message"].as_str().unwrap();
    assert!(message.contains("1_a.sql:1: no such table: users"), "{message}");
    let named = [&INIT_COMMAND[..], &["--baseline", "none"]].concat();
    let refused = told(&place, "init", 2, &named);
    assert_eq!(refused["diagnostics"][0]["code"], "BASELINE_DIFFERS", "{refused}");
    told(&place, "init", 0, &[&named[..], &["--believe-baseline"]].concat());
    apply(&place);
    assert_eq!(number(&place, "SELECT count(*) FROM pragma_table_info('users')"), 4);
}

#[test]
fn s5_a_database_that_is_not_there_is_made() {
    let place = three();
    fs::remove_file(database(&place)).unwrap();
    let said = place.run(&[&INIT_COMMAND[..], &["--baseline", "0001"]].concat());
    assert_eq!(said.exit, 6, "nothing was applied to what is not there: {said:?}");
    assert!(!database(&place).exists());
    let made = told(&place, "init", 0, &INIT_COMMAND);
    assert_eq!(
        (&made["data"]["origin"], &made["data"]["version"]),
        (&"created".into(), &"none".into())
    );
    apply(&place);
    assert_eq!(number(&place, "SELECT count(*) FROM pragma_table_info('users')"), 3);
    assert_eq!(told(&place, "init", 2, &INIT_COMMAND)["diagnostics"][0]["code"], "ALREADY_HERE");
}

#[test]
fn s5_a_contract_by_hand_keeps_another_tools_books() {
    let place = Place::new();
    let folder = place.work().join("contract");
    fs::create_dir(&folder).unwrap();
    let contract = "
contract: app
contract_version: 1.0.0
format: sqlite
versions: ['1', '2']
current: '2'
min: '1'
detect:
  - {version: '1', when: {shape: {table: users, lacks: [token]}}}
  - {version: '2', when: {shape: {table: users, has: [token]}}}
edges:
  - from: '1'
    to: '2'
    steps: [{sql: {script: two.sql, record: two-record.sql}}]
    proof: {addsDefaulted: [users.token], dropsNothing: true}
";
    fs::write(folder.join("app.yaml"), contract).unwrap();
    fs::write(folder.join("two.sql"), "ALTER TABLE users ADD COLUMN token BLOB").unwrap();
    fs::write(folder.join("two-record.sql"), "INSERT INTO books VALUES (2)").unwrap();
    sql(&place, &format!("{INIT} CREATE TABLE books(v); INSERT INTO books VALUES (1);"));
    sql(&place, &rows(0..5));
    let init = ["init", "--database", "app.db", "--contract", "contract/app.yaml"];
    assert_eq!(told(&place, "init", 0, &init)["data"]["version"], "1");
    told(&place, "apply", 0, &["apply"]);
    assert_eq!(number(&place, "SELECT max(v) FROM books"), 2);
    told(&place, "undo", 0, &["undo"]);
    assert_eq!(number(&place, "SELECT max(v) FROM books"), 1);

    // A record that fails takes its script with it.
    fs::write(folder.join("two-record.sql"), "INSERT INTO nowhere VALUES (2)").unwrap();
    fs::write(folder.join("app.yaml"), contract.replace("1.0.0", "2.0.0")).unwrap();
    let before = page_root(&database(&place));
    let failed = place.run(&["apply", "--json"]);
    assert_eq!(failed.exit, 6, "{failed:?}");
    assert!(failed.stdout.contains("two-record.sql:1"), "{failed:?}");
    assert_eq!(page_root(&database(&place)), before);
}

#[test]
fn s7_sql_sees_a_recorded_clock_and_recorded_randomness() {
    let tokens = |place: &Place| -> Vec<String> {
        let connection = rusqlite::Connection::open(database(place)).unwrap();
        let query = "SELECT hex(token) FROM users UNION ALL SELECT DISTINCT at FROM log";
        let mut rows = connection.prepare(query).unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let [one, other] = [(); 2].map(|()| {
        let place = with_rows(&[("0001_init.sql", INIT), ("0002_tokens.sql", TOKENS)]);
        done(&place, &INIT_COMMAND);
        apply(&place);
        let written = page_root(&database(&place));
        let replayed = told(&place, "replay", 0, &["replay", "--recompute", "--out", "../then"]);
        let same = serde_json::json!({"steps": 1, "same": 1, "not_recomputable": 0});
        assert_eq!(replayed["data"]["recomputed"], same);
        assert_eq!(page_root(&place.work().join("../then/app.db")), written);
        tokens(&place)
    });
    // Chance was drawn for each run: only because it was recorded can it be drawn again.
    assert_ne!(one[..200], other[..200]);
    assert_eq!(one.len(), 201, "all rows have one time, that of the run");
}

#[test]
fn s8_ids_that_change_are_told_one_by_one_before_anything_is_done() {
    const MOVED: &str = "UPDATE users SET id = id + 1000 WHERE id < 30;
        CREATE TABLE tags(name TEXT, lang TEXT, v, PRIMARY KEY(name, lang));\n";
    const TAGS: &str = "UPDATE tags SET lang = 'de' WHERE name = 'a';";
    let place = with_rows(&[("1_init.sql", INIT), ("2_move.sql", MOVED), ("3_tags.sql", TAGS)]);
    done(&place, &INIT_COMMAND);
    let plan = told(&place, "plan", 0, &["plan", "--to", "2", "-o", "../plan.json"]);
    let plan = &plan["data"]["plan"];
    assert_eq!(plan["loss"], serde_json::json!({"users (ids)": {"dropped": false, "values": 30}}));
    let told_of = |id: u64| serde_json::json!({"table": "users", "was": [id], "now": [id + 1000]});
    let expected: Vec<Value> = (0..30).map(told_of).collect();
    assert_eq!(plan["ids_changed"], Value::Array(expected));
    let said = done(&place, &["plan", "--to", "2"]).stdout;
    assert!(said.contains("id in users: 7 -> 1007"), "{said}");
    assert!(said.contains("and 10 more; the plan file and --json have them all"), "{said}");
    assert_eq!(place.run(&["apply", "../plan.json"]).exit, 5);
    told(
        &place,
        "apply",
        0,
        &["apply", "../plan.json", "--accept-lossy", plan["id"].as_str().unwrap()],
    );
    let report = told(&place, "report", 0, &["migration", "report"])["data"].to_string();
    assert!(report.contains(r#""now":[1007],"was":[7]"#), "{report}");
    // A key of several columns, all of which are named.
    sql(&place, "INSERT INTO tags VALUES ('a', 'en', 1), ('b', 'en', 2);");
    let plan = told(&place, "plan", 0, &["plan"]);
    let changed = serde_json::json!([{"table": "tags", "was": ["a", "en"], "now": ["a", "de"]}]);
    assert_eq!(plan["data"]["plan"]["ids_changed"], changed);
}
