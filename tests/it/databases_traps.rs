//! SQL that the migrations of applications are known to hold: what can run is run as it must be, and what cannot is
//! refused with one error that names it, before anything is written.

use std::fs;

use serde_json::{Value, json};

use crate::databases::{INIT_COMMAND, an_application, apply, database, page_root, sql, told};
use crate::support::{Place, done};

const SETUP: &str = "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT);
CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE child(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id) ON DELETE CASCADE);
INSERT INTO users(name, note) VALUES ('ann', 'x'), ('bob', 'y'), ('cid', NULL);
INSERT INTO parent VALUES (1, 'a'), (2, 'b');
INSERT INTO child VALUES (10, 1), (11, 1), (12, 2);\n";

/// The twelve steps without the first: keys are left on.
const REBUILD: &str = "CREATE TABLE next(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO next SELECT id, name FROM parent;
DROP TABLE parent;
ALTER TABLE next RENAME TO parent;\n";

/// A script, and what holds after it: queries with the number that each gives.
type Fine = (&'static str, &'static str, &'static [(&'static str, i64)]);

const FINE: [Fine; 12] = [
    (
        "vacuum",
        "DELETE FROM users WHERE id = 2; VACUUM; ANALYZE; REINDEX;",
        &[("SELECT count(*) FROM users WHERE id = 2", 0), ("SELECT count(*) > 0 FROM sqlite_stat1", 1)],
    ),
    (
        "own",
        "BEGIN IMMEDIATE; INSERT INTO users VALUES (4, 'dan', 'in'); COMMIT;
        BEGIN; INSERT INTO users VALUES (5, 'eve', 'out'); ROLLBACK;
        SAVEPOINT s; INSERT INTO users VALUES (6, 'fay', 'in'); RELEASE s;",
        &[("SELECT sum(id) FROM users", 1 + 3 + 4 + 6)],
    ),
    (
        "twelve",
        "PRAGMA foreign_keys = OFF;
        BEGIN TRANSACTION;
        CREATE TABLE next(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
        INSERT INTO next SELECT id, name FROM parent;
        DROP TABLE parent;
        ALTER TABLE next RENAME TO parent;
        PRAGMA foreign_key_check;
        COMMIT;
        PRAGMA foreign_keys = ON;",
        &[("SELECT count(*) FROM child JOIN parent ON parent.id = child.parent", 3)],
    ),
    (
        "inside",
        "BEGIN; PRAGMA foreign_keys = OFF; CREATE TABLE next(id INTEGER PRIMARY KEY, name TEXT);
        INSERT INTO next SELECT id, name FROM parent; DROP TABLE parent; ALTER TABLE next RENAME TO parent;
        PRAGMA foreign_keys = ON; COMMIT;",
        &[("SELECT count(*) FROM child", 3)],
    ),
    (
        "trigger",
        "CREATE TABLE trail(what TEXT);
        CREATE TRIGGER renamed AFTER UPDATE OF name ON users BEGIN
            INSERT INTO trail VALUES ('a;b'); -- ; END;
            UPDATE users SET note = CASE WHEN new.id > 3 THEN 'END;' ELSE note END WHERE id = new.id;
        END;
        UPDATE users SET name = name || '!' WHERE id > 2;",
        &[
            ("SELECT count(*) FROM trail WHERE what = 'a;b'", 3),
            ("SELECT count(*) FROM users WHERE note = 'END;'", 2),
        ],
    ),
    (
        "fts",
        "CREATE VIRTUAL TABLE found USING fts5(name, content = 'users', content_rowid = 'id');
        INSERT INTO found(found) VALUES ('rebuild');
        CREATE VIRTUAL TABLE kept USING fts5(body); INSERT INTO kept VALUES ('some; words'), ('others');
        CREATE VIRTUAL TABLE old USING fts4(body); INSERT INTO old VALUES ('some words');",
        &[
            ("SELECT count(*) FROM found WHERE found MATCH 'dan'", 1),
            ("SELECT count(*) FROM kept WHERE kept MATCH 'words'", 1),
            ("SELECT count(*) FROM old WHERE old MATCH 'words'", 1),
        ],
    ),
    (
        "rtree",
        "CREATE VIRTUAL TABLE boxes USING rtree(id, low, high);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
        INSERT INTO boxes SELECT i, i, i + 1 FROM n;",
        &[("SELECT count(*) FROM boxes WHERE low >= 10 AND high <= 20", 10)],
    ),
    (
        "generated",
        "ALTER TABLE users ADD COLUMN loud TEXT GENERATED ALWAYS AS (upper(name)) VIRTUAL;
        CREATE INDEX by_loud ON users(loud);
        CREATE TABLE sums(a INT, twice INT AS (a * 2) STORED); INSERT INTO sums(a) VALUES (4);",
        &[
            ("SELECT count(*) FROM users WHERE loud = 'DAN!'", 1),
            ("SELECT twice FROM sums", 8),
        ],
    ),
    (
        "rowid",
        "CREATE TABLE words(k TEXT PRIMARY KEY, v ANY) WITHOUT ROWID, STRICT;
        INSERT INTO words SELECT name, id FROM users;
        CREATE TABLE typed(a INT, b TEXT) STRICT; INSERT INTO typed VALUES (1, 'b');",
        &[("SELECT sum(v) FROM words", 1 + 3 + 4 + 6), ("SELECT count(*) FROM typed WHERE b = 'b'", 1)],
    ),
    (
        "temporary",
        "CREATE TEMP TABLE aside(a); INSERT INTO aside SELECT max(id) FROM users;
        UPDATE typed SET a = (SELECT a FROM aside);",
        &[("SELECT a FROM typed", 6)],
    ),
    (
        "settings",
        "PRAGMA journal_mode = WAL; PRAGMA page_size = 8192; VACUUM; PRAGMA user_version = 7;",
        &[("PRAGMA user_version", 7), ("PRAGMA page_size", 4096)],
    ),
    ("nothing", "-- for later\n", &[]),
];

#[test]
fn s5_every_kind_of_statement_runs_as_it_must_and_is_taken_back() {
    let place = in_care();
    let before = (page_root(&database(&place)), fs::read(database(&place)).unwrap());
    for (number, (name, script, _)) in (2..).zip(FINE) {
        fs::write(place.work().join(format!("db/migrations/{number:04}_{name}.sql")), script)
            .unwrap();
    }
    let checked = told(&place, "check", 0, &["check"]);
    assert_eq!(checked["data"]["steps"].as_array().unwrap().len(), FINE.len());
    assert_eq!(fs::read(database(&place)).unwrap(), before.1);
    let head = || told(&place, "status", 0, &["status"])["data"]["head"].clone();
    let known = head();
    assert_eq!(
        told(&place, "check", 10, &["check", "app.db", "--detailed-exitcode"])["data"],
        checked["data"]
    );
    assert_eq!(head(), known);
    apply(&place);
    let connection = rusqlite::Connection::open(database(&place)).unwrap();
    let ask = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    for (name, _, queries) in FINE {
        for (query, expected) in queries {
            assert_eq!(ask(query), *expected, "{name}: {query}");
        }
    }
    assert_eq!(ask("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
    drop(connection);
    let again = told(&place, "replay", 0, &["replay", "--recompute"]);
    assert_eq!(again["data"]["recomputed"]["same"], FINE.len());
    told(&place, "undo", 0, &["undo"]);
    assert_eq!(page_root(&database(&place)), before.0);
    assert_eq!(told(&place, "check", 0, &["check", "--to", "0001"])["data"]["steps"], json!([]));
}

/// A script, the code and place of its refusal, and a piece of what is said.
type Refused = (&'static str, &'static str, &'static str, &'static str);

const REFUSED: [Refused; 22] = [
    ("SELECT 1;\nATTACH 'other.db' AS o; CREATE TABLE o.t(a);", "STEP_FAILED", "0002_next.sql:2", "ATTACH"),
    ("DETACH main;", "STEP_FAILED", "0002_next.sql:1", "DETACH"),
    ("VACUUM INTO 'copy.db';", "STEP_FAILED", "0002_next.sql:1", "VACUUM INTO"),
    ("\n\nSELECT load_extension('./x.so');", "STEP_FAILED", "0002_next.sql:3", "load_extension"),
    (
        "CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT load_extension('x'); END;
        INSERT INTO users(name) VALUES ('dan');",
        "STEP_FAILED",
        "0002_next.sql:2",
        "load_extension",
    ),
    ("PRAGMA temp_store_directory = '/tmp';", "STEP_FAILED", "0002_next.sql:1", "temp_store_directory"),
    ("SELECT 1;\nUPDATE users\nSET note = slug(name);", "STEP_FAILED", "0002_next.sql:2", "no such function: slug"),
    (
        "CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT slug(new.name); END;
        INSERT INTO users(name) VALUES ('d');",
        "STEP_FAILED",
        "0002_next.sql:2",
        "no such function: slug",
    ),
    ("CREATE INDEX i ON users(slug(name));", "STEP_FAILED", "0002_next.sql:1", "slug"),
    ("CREATE TABLE t(a CHECK (slug(a) > 0));", "STEP_FAILED", "0002_next.sql:1", "no such function: slug"),
    ("CREATE INDEX i ON users(name COLLATE nat);", "STEP_FAILED", "0002_next.sql:1", "nat"),
    ("CREATE VIRTUAL TABLE v USING spatial(a);", "STEP_FAILED", "0002_next.sql:1", "no such module: spatial"),
    (
        "ALTER TABLE users ADD COLUMN a;\nUPDATE users SET a = 1;\nALTER TABLE users ADD b (;\nSELECT 2;",
        "STEP_FAILED",
        "0002_next.sql:3",
        "syntax error",
    ),
    ("UPDATE users SET name = 'open;\nSELECT 1;", "STEP_FAILED", "0002_next.sql:1", "unrecognized token"),
    ("UPDATE users SET name = ?1;", "STEP_FAILED", "0002_next.sql:1", "parameter"),
    ("BEGIN; UPDATE users SET name = 'z';", "STEP_FAILED", "0002_next.sql", "does not end it"),
    ("UPDATE users SET name = 'z';\nCOMMIT;", "STEP_FAILED", "0002_next.sql:2", "did not begin"),
    (
        "PRAGMA foreign_keys = OFF; DELETE FROM parent WHERE id = 1;",
        "OUTCOME_INVALID",
        "0002_next.sql",
        "rows of child that break a foreign key (parent): 0 before, 2 after",
    ),
    ("INSERT INTO child VALUES (13, 99);", "STEP_FAILED", "0002_next.sql:1", "FOREIGN KEY"),
    (
        "PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, 'note TEXT', 'note TEXT NOT NULL') WHERE name = 'users';",
        "OUTCOME_INVALID",
        "",
        "NULL value in users.note",
    ),
    (
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 99 WHERE name = 'users';",
        "OUTCOME_INVALID",
        "0002_next.sql",
        "malformed database schema",
    ),
    (
        "PRAGMA ignore_check_constraints = ON; CREATE TABLE t(a CHECK (a > 0)); INSERT INTO t VALUES (-1);",
        "OUTCOME_INVALID",
        "",
        "CHECK constraint failed in t",
    ),
];

#[test]
fn s5_what_no_migration_may_do_is_refused_by_file_and_line() {
    let place = in_care();
    let next = place.work().join("db/migrations/0002_next.sql");
    let untouched = fs::read(database(&place)).unwrap();
    for (script, code, at, said) in REFUSED {
        fs::write(&next, script).unwrap();
        for command in ["check", "plan", "apply"] {
            let answer = told(&place, command, 6, &[command]);
            assert_refusal(&answer, code, at, said);
        }
        assert_eq!(fs::read(database(&place)).unwrap(), untouched, "{script}");
    }
    let entries = fs::read_dir(place.work()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut entries: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    entries.sort();
    assert_eq!(entries, [".glyph-ledger", "app.db", "db"]);
    fs::write(&next, "UPDATE users SET note = 'z';").unwrap();
    apply(&place);
}

/// One diagnostic, with that code and place, that says so, names no copy of ours, and that nothing was done.
fn assert_refusal(answer: &Value, code: &str, at: &str, said: &str) {
    let found = &answer["diagnostics"];
    assert_eq!(found.as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(found[0]["code"], code, "{answer}");
    assert_eq!(found[0]["place"].as_str().unwrap_or(""), at, "{answer}");
    let message = found[0]["message"].as_str().unwrap();
    assert!(message.contains(said), "{said}: {message}");
    assert!(!message.contains("work.db"), "{message}");
    assert_eq!(found[0]["not_done"], "nothing was written");
    assert!(!answer["next"].as_array().unwrap().is_empty(), "{answer}");
}

#[test]
#[should_panic(expected = "work.db")]
fn a_refusal_that_names_a_copy_of_ours_is_seen() {
    let found = json!([{"code": "A", "place": null, "message": "b: /x/work.db", "not_done": "nothing was written"}]);
    assert_refusal(&json!({"diagnostics": found}), "A", "", "b");
}

#[test]
fn s6_a_rebuild_that_would_empty_the_child_table_is_caught() {
    for deferred in ["", "PRAGMA defer_foreign_keys = ON;\n", "BEGIN;\n"] {
        let place = in_care();
        let end = if deferred == "BEGIN;\n" { "COMMIT;" } else { "" };
        let script = format!("{deferred}{REBUILD}{end}");
        fs::write(place.work().join("db/migrations/0002_rebuild.sql"), script).unwrap();
        let untouched = fs::read(database(&place)).unwrap();
        for command in ["check", "plan"] {
            let found = told(&place, command, 0, &[command])["data"].clone();
            let loss = if command == "plan" { &found["plan"]["loss"] } else { &found["loss"] };
            assert_eq!(
                loss,
                &json!({"child (rows)": {"dropped": false, "values": 3}}),
                "{deferred}"
            );
            assert_eq!(found["values_lost"], 3);
        }
        let refused = told(&place, "apply", 5, &["apply", "--yes"]);
        assert_eq!(refused["diagnostics"][0]["code"], "CONFIRMATION_REQUIRED");
        assert_eq!(fs::read(database(&place)).unwrap(), untouched);
    }
}

#[test]
fn s7_the_same_clock_and_seed_give_the_same_pages() {
    const SCRIPTS: [(&str, &str); 2] = [
        (
            "0002_made.sql",
            "CREATE TABLE made(id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP, day TEXT DEFAULT (date()),
                token BLOB);
            INSERT INTO made(token) SELECT randomblob(16) FROM users;
            CREATE TRIGGER later AFTER INSERT ON users BEGIN INSERT INTO made(token) VALUES (random()); END;",
        ),
        (
            "0003_more.sql",
            "BEGIN; INSERT INTO users(name, note) VALUES ('dan', strftime('%Y-%m-%d %H:%M:%f', 'now')); COMMIT;
            UPDATE users SET note = note || unixepoch() || julianday('now') || random(); VACUUM;",
        ),
    ];
    let (seed, other) = ("0a".repeat(32), "0b".repeat(32));
    let from = in_care();
    let root = |clock: &str, seed: &str, file: Option<&str>| {
        let place = Place::new();
        fs::create_dir_all(place.work().join("db/migrations")).unwrap();
        fs::copy(database(&from), database(&place)).unwrap();
        let files = [("0001_init.sql", SETUP)].into_iter().chain(SCRIPTS);
        for (name, script) in files {
            fs::write(place.work().join("db/migrations").join(name), script).unwrap();
        }
        done(&place, &[&INIT_COMMAND[..], &["--baseline", "0001"]].concat());
        let plan = told(&place, "plan", 0, &["plan", "-o", "../plan.json"]);
        let plan = plan["data"]["plan"]["id"].as_str().unwrap().to_owned();
        let fixed = ["--clock", clock, "--seed", seed, "--accept-lossy", &plan];
        let file = file.as_slice();
        told(&place, "apply", 0, &[&["apply"][..], file, &fixed].concat());
        let again = told(&place, "replay", 0, &["replay", "--recompute"]);
        assert_eq!(
            again["data"]["recomputed"],
            json!({"steps": 2, "same": 2, "not_recomputable": 0})
        );
        page_root(&database(&place))
    };
    let first = root("2001-09-09T01:46:40.123Z", &seed, None);
    assert_eq!(root("1000000000123", &seed, None), first);
    // Of a plan from a file the steps are done again.
    assert_eq!(root("1000000000123", &seed, Some("../plan.json")), first);
    assert_ne!(root("1000000000124", &seed, None), first);
    assert_ne!(root("1000000000123", &other, None), first);
    for bad in [["--clock", "yesterday"], ["--seed", "0a"]] {
        let refused = from.run(&[&["apply"][..], &bad].concat());
        assert_eq!(refused.exit, 2, "{refused:?}");
    }
}

/// A database in care, at version 0001.
pub(crate) fn in_care() -> Place {
    let place = an_application(&[("0001_init.sql", SETUP)]);
    done(&place, &INIT_COMMAND);
    sql(&place, "SELECT 1;");
    place
}
