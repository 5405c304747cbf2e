//! What people are told of a database: in words that fit what is lost, with numbers that are true, and with commands to run
//! next that work when they are run.

use std::fs;

use rusqlite::Connection;
use serde_json::Value;

use crate::databases::{INIT_COMMAND, an_application, apply, database, number, sql, told};
use crate::documents_told::without_ids;
use crate::support::{Place, check_answer, done};

const USERS: &str = "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT NOT NULL, mail TEXT);
CREATE TABLE posts(id INTEGER PRIMARY KEY, author INTEGER REFERENCES users(id), body TEXT);
CREATE TABLE old(a);";
/// A step that loses two rows, and shows in the structure.
const PURGE: (&str, &str) =
    ("0002_purge.sql", "DELETE FROM posts WHERE id > 2; CREATE INDEX by_author ON posts(author);");
const ROWS: &str =
    "INSERT INTO users(name, mail) VALUES ('ada', 'a@x'), ('bob', 'b@x'), ('cy', NULL);
INSERT INTO posts(author, body) VALUES (1, 'p'), (1, 'q'), (2, 'r'), (3, 's');
INSERT INTO old VALUES (1);";

/// A database that went through the first of these migrations, with rows, in care.
fn in_care(scripts: &[(&str, &str)]) -> Place {
    let place = an_application(&[&[("0001_users.sql", USERS)], scripts].concat());
    sql(&place, ROWS);
    done(&place, &INIT_COMMAND);
    place
}

fn migrations(place: &Place) -> std::path::PathBuf {
    place.work().join("db/migrations")
}

/// The arguments of the first command to run next.
fn next(answer: &Value) -> Vec<String> {
    let argv = answer["next"][0]["argv"].as_array().unwrap_or_else(|| panic!("no next: {answer}"));
    let word = |word: &Value| word.as_str().unwrap().to_owned();
    argv.iter().skip(1).map(word).filter(|word| word != "--json").collect()
}

/// Does what an answer says is to be done next.
fn follow(place: &Place, answer: &Value, command: &str, exit: i32) -> Value {
    let words = next(answer);
    told(place, command, exit, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn s6_a_loss_is_told_in_tables_rows_columns_and_values() {
    let place = in_care(&[
        ("0002_mail.sql", "ALTER TABLE users DROP COLUMN mail;"),
        (
            "0003_purge.sql",
            "DELETE FROM posts WHERE id > 2; UPDATE posts SET body = 'x' WHERE id = 1;",
        ),
        ("0004_old.sql", "DROP TABLE old;"),
    ]);
    let planned = done(&place, &["plan", "-o", "../plan.json"]);
    insta::assert_snapshot!("database_planned", without_ids(&planned.whole()));
    let refused = told(&place, "apply", 5, &["apply", "../plan.json"]);
    let message = refused["diagnostics"][0]["message"].as_str().unwrap();
    assert!(message.contains("loses 1 table, 3 rows, 1 column and 3 values,"), "{message}");
    let words = next(&refused);
    let applied = place.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    insta::assert_snapshot!("database_applied", without_ids(&applied.whole()));
    let report = done(&place, &["migration", "report"]).stdout;
    assert!(
        report.contains("lost              1 table, 3 rows, 1 column and 3 values"),
        "{report}"
    );
    // Unlike things are added up nowhere, and where what they are is not kept, nothing wrong is said of them.
    let lost = "1 table, 3 rows, 1 column and 3 values";
    let log = done(&place, &["log"]).stdout;
    assert!(log.contains(&format!("{lost} lost")), "{log}");
    let exceptions = place.run(&["audit", "exceptions"]);
    assert!(exceptions.stdout.contains(&format!("{lost} of 1 object lost")), "{exceptions:?}");
    let exceptions = place.run(&["audit", "exceptions", "--json"]).json();
    check_answer("audit", &exceptions);
    let found = exceptions["data"]["exceptions"].as_array().unwrap();
    let lossy = found.iter().find(|one| one["exception"] == "lossy_without_reason").unwrap();
    let each = serde_json::json!({"tables": 1, "columns": 1, "rows": 3, "ids": 0, "values": 3});
    assert_eq!((&lossy["values"], &lossy["lost"]), (&6.into(), &each));
    fs::rename(place.work().join(".glyph-ledger/objects"), place.work().join("gone")).unwrap();
    let log = done(&place, &["log"]).stdout;
    assert!(log.contains("6 in all, rows, ids and values together, lost"), "{log}");
}

#[test]
fn s5_scripts_with_transactions_or_settings_of_their_own_are_marked() {
    let place = in_care(&[
        ("0002_own.sql", "BEGIN; CREATE TABLE a(x); COMMIT;"),
        ("0003_vacuum.sql", "CREATE TABLE b(x);\nVACUUM;\nCREATE TABLE b2(x);"),
        ("0004_mode.sql", "PRAGMA journal_mode = WAL; CREATE TABLE c(x);"),
        ("0005_plain.sql", "CREATE TABLE d(x);"),
    ]);
    let plan = told(&place, "plan", 0, &["plan"]);
    let steps = plan["data"]["plan"]["steps"].as_array().unwrap();
    let marks: Vec<_> =
        steps.iter().map(|step| (&step["transactions"], &step["left_out"])).collect();
    let left_out = Value::from(vec!["journal_mode = WAL"]);
    let none = Value::Null;
    assert_eq!(
        marks,
        [
            (&Value::from("script"), &none),
            (&Value::from("several"), &none),
            (&none, &left_out),
            (&none, &none)
        ]
    );
    let said = done(&place, &["check"]).stdout;
    for mark in [
        "in transactions of its own",
        "not all in one transaction",
        "journal_mode = WAL is left out",
    ] {
        assert_eq!(said.matches(mark).count(), 1, "{said}");
    }
    // A plan with marks is read again.
    apply(&place);
    assert_eq!(
        number(&place, "SELECT count(*) FROM sqlite_schema WHERE name IN ('a', 'b', 'c', 'd')"),
        4
    );
}

#[test]
fn s5_status_counts_what_was_applied_whatever_the_folder_holds_now() {
    let two = [("0002_a.sql", "CREATE TABLE a(x);"), ("0004_b.sql", "CREATE TABLE b(x);")];
    for spoil in [
        |place: &Place| fs::remove_file(migrations(place).join("0001_users.sql")).unwrap(),
        |place: &Place| fs::remove_file(migrations(place).join("0004_b.sql")).unwrap(),
        |place: &Place| {
            fs::write(migrations(place).join("0003_late.sql"), "CREATE TABLE c(x);").unwrap();
        },
    ] {
        let place = in_care(&two);
        apply(&place);
        spoil(&place);
        let status = told(&place, "status", 6, &["status"]);
        assert_eq!(status["data"]["applied"], 3, "{status}");
    }
    let place = in_care(&two);
    assert_eq!(told(&place, "status", 0, &["status"])["data"]["applied"], 1);
}

#[test]
fn s5_an_undo_that_a_writer_stopped_is_done_by_following_what_is_said() {
    let place = in_care(&[PURGE]);
    apply(&place);
    let writer = Connection::open(database(&place)).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO users(name) VALUES ('eve');").unwrap();
    let busy = told(&place, "undo", 8, &["undo"]);
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(next(&busy), ["undo", "--wait", "30"]);
    // Now there is a row that nobody has asked to lose.
    let asked = follow(&place, &busy, "undo", 6);
    assert_eq!(number(&place, "SELECT count(*) FROM users"), 4);
    let last = asked["next"].as_array().unwrap().last().unwrap()["argv"].as_array().unwrap();
    let words: Vec<&str> = last.iter().skip(1).map(|word| word.as_str().unwrap()).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| *word != "--json").collect();
    assert_eq!(words, ["undo", "--discard-changes"]);
    told(&place, "undo", 0, &words);
    assert_eq!(number(&place, "SELECT count(*) FROM posts"), 4);
}

#[test]
fn s6_a_column_with_values_is_told_as_gone_or_back_and_never_as_the_same_or_lost() {
    let place = in_care(&[("0002_mail.sql", "ALTER TABLE users DROP COLUMN mail;")]);
    apply(&place);
    let compared = done(&place, &["diff", "@-1", "@"]).stdout;
    let users =
        "  users: 3 -> 3 rows, 0 added, 0 removed, 0 changed; column mail with 2 values removed\n";
    assert!(compared.contains(users), "{compared}");
    assert!(compared.contains("2 tables with the same rows"), "{compared}");
    sql(&place, "INSERT INTO users(name) VALUES ('eve');");
    let back = done(&place, &["undo", "--discard-changes"]).stdout;
    let (_, told) =
        back.split_once("  left the database, and stays kept in the ledger:\n").unwrap();
    let (left, came_back) = told.split_once("  came back:\n").unwrap();
    assert_eq!(left, "    users: 1 row\n");
    let expected = "    + column users.mail TEXT\n    users: column mail with 2 values\n";
    assert!(came_back.starts_with(expected), "{came_back}");
    let forward = told_by_diff(&place);
    assert_eq!(forward["columns"][0]["values"], 2, "{forward}");
}

/// What the last run changed in the table of users.
fn told_by_diff(place: &Place) -> Value {
    let compared = told(place, "diff", 0, &["diff", "@-1", "@"]);
    let tables = compared["data"]["objects"][0]["database"]["tables"].as_array().unwrap().clone();
    tables.into_iter().find(|table| table["table"] == "users").unwrap()
}

#[test]
fn s5_a_rollback_that_asks_first_says_how_to_go_back_to_the_same_cursor() {
    let place = in_care(&[PURGE]);
    apply(&place);
    sql(&place, "INSERT INTO users(name) VALUES ('eve');");
    let asked = told(&place, "rollback", 6, &["migration", "rollback", "--to", "@-1"]);
    let commands = asked["next"].to_string();
    assert!(
        commands.contains(r#""migration","rollback","--to","@-1","--discard-changes""#),
        "{commands}"
    );
    assert!(!commands.contains("undo"), "{commands}");
}

#[test]
fn s5_whoever_is_in_the_way_is_waited_for_by_the_next_command() {
    let place = in_care(&[]);
    let holder = Connection::open(database(&place)).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let busy = told(&place, "status", 8, &["status", "--deep"]);
    holder.execute_batch("COMMIT").unwrap();
    assert_eq!(next(&busy), ["status", "--deep", "--wait", "30"]);
    follow(&place, &busy, "status", 0);
}

#[test]
fn p2_a_command_below_another_one_is_named_whole() {
    let place = Place::new();
    let said = place.run(&["resume"]);
    assert_eq!(said.exit, 2);
    assert!(said.stderr.ends_with("next: glyph-ledger migration resume --help\n"), "{said:?}");
    done(&place, &["migration", "resume", "--help"]);
}

#[test]
fn s5_what_is_committed_and_not_published_yet_is_no_mistake_of_the_folder() {
    let place = in_care(&[("0002_a.sql", "CREATE TABLE a(x);")]);
    let reader = Connection::open(database(&place)).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM users").unwrap();
    told(&place, "apply", 8, &["apply"]);
    reader.execute_batch("COMMIT").unwrap();
    let status = told(&place, "status", 0, &["status"]);
    assert_eq!(status["data"]["findings"], serde_json::json!([]));
    assert_eq!(next(&status), ["migration", "resume"]);
    // Who wrote to it meanwhile is in the way, and the way around is told.
    sql(&place, "INSERT INTO users(name) VALUES ('eve');");
    let stopped = told(&place, "resume", 6, &["migration", "resume"]);
    let commands = stopped["next"].to_string();
    assert!(commands.contains(r#""migration","resume","--abandon""#), "{commands}");
    let words: Vec<String> = stopped["next"][1]["argv"]
        .as_array()
        .unwrap()
        .iter()
        .skip(1)
        .map(|word| word.as_str().unwrap().to_owned())
        .collect();
    let words: Vec<&str> =
        words.iter().map(String::as_str).filter(|word| *word != "--json").collect();
    told(&place, "resume", 0, &words);
    told(&place, "apply", 0, &["apply"]);
    assert_eq!(number(&place, "SELECT count(*) FROM users WHERE name = 'eve'"), 1);
}
