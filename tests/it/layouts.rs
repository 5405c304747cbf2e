//! Folders of migrations as the tools have them that they were made for, through the program: each tool's table, made and
//! filled as the tool does it, is the baseline; it holds after `apply` what the tool would have written, and after `undo` what
//! it held before.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::databases::{apply, database, page_root, sql, told};
use crate::support::{Place, done};

const ONE: &str = "SELECT 1;";
const USERS: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY);\r\n";

/// A tool: two migrations, of which the database has gone through the first.
struct Case {
    layout: &'static str,
    files: &'static [(&'static str, &'static str)],
    /// What the tool has done to the database: its table, and the row of the first migration.
    done: &'static str,
    /// Versions of both.
    versions: [&'static str; 2],
    /// File of the second.
    file: &'static str,
    /// The table, one text a row, in order; times only by their form.
    rows: &'static str,
    /// Those texts before and after.
    before: &'static [&'static str],
    after: &'static [&'static str],
}

const SQLX: Case = Case {
    layout: "sqlx",
    files: &[("20240101000000_initial.sql", ONE), ("20240102000000_add_users.sql", USERS)],
    done: "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES (20240101000000, 'initial', '2024-01-01 00:00:01', TRUE,
X'26e71cc37450b183fb5bb72ec4f644ed27de1b55fad3d4d6cfb0ca0d71f42ca990911d74649814105a190325e15d2092', 1234);",
    versions: ["20240101000000", "20240102000000"],
    file: "20240102000000_add_users.sql",
    rows: "SELECT version || '|' || description || '|' || (installed_on LIKE '____-__-__ __:__:__') || '|' ||
        success || '|' || typeof(checksum) || '|' || lower(hex(checksum)) || '|' || execution_time
        FROM _sqlx_migrations ORDER BY version",
    before: &[
        "20240101000000|initial|1|1|blob|26e71cc37450b183fb5bb72ec4f644ed27de1b55fad3d4d6cfb0ca0d71f42ca990911d74649814105a190325e15d2092|1234",
    ],
    after: &[
        "20240101000000|initial|1|1|blob|26e71cc37450b183fb5bb72ec4f644ed27de1b55fad3d4d6cfb0ca0d71f42ca990911d74649814105a190325e15d2092|1234",
        "20240102000000|add users|1|1|blob|12ce142eb62c21b59210d64dad9470318f59fcb1ac23999ef93327bd2eec2f504e873202127905ea5f73e7db2b200dd8|0",
    ],
};

const DIESEL: Case = Case {
    layout: "diesel",
    files: &[
        ("2024-01-01-000000_initial/up.sql", ONE),
        ("2024-01-01-000000_initial/down.sql", ONE),
        ("2024-01-02-000000_add_users/up.sql", USERS),
        ("2024-01-02-000000_add_users/down.sql", "DROP TABLE users;"),
    ],
    done: "CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (
       version VARCHAR(50) PRIMARY KEY NOT NULL,
       run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO __diesel_schema_migrations (version) VALUES ('20240101000000');",
    versions: ["20240101000000", "20240102000000"],
    file: "2024-01-02-000000_add_users/up.sql",
    rows: "SELECT version || '|' || typeof(version) || '|' || (run_on LIKE '____-__-__ __:__:__')
        FROM __diesel_schema_migrations ORDER BY version",
    before: &["20240101000000|text|1"],
    after: &["20240101000000|text|1", "20240102000000|text|1"],
};

const REFINERY_ROWS: &str = "SELECT version || '|' || name || '|' || typeof(applied_on) || '|' ||
    (applied_on LIKE '____-__-__T__:__:__%Z') || '|' || typeof(checksum) || '|' || checksum
    FROM refinery_schema_history ORDER BY version";

const REFINERY: Case = Case {
    layout: "refinery",
    files: &[("V1__initial.sql", ONE), ("V20__add_users.sql", USERS)],
    done: "CREATE TABLE IF NOT EXISTS refinery_schema_history(
             version int4 PRIMARY KEY,
             name VARCHAR(255),
             applied_on VARCHAR(255),
             checksum VARCHAR(255));
INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
VALUES (1, 'initial', '2024-01-01T00:00:00.123456789Z', '701382154757890431');",
    versions: ["1", "20"],
    file: "V20__add_users.sql",
    rows: REFINERY_ROWS,
    before: &["1|initial|text|1|text|701382154757890431"],
    after: &[
        "1|initial|text|1|text|701382154757890431",
        "20|add_users|text|1|text|6995172775467247",
    ],
};

const REFINERY_WIDE: Case = Case {
    done: "CREATE TABLE refinery_schema_history(version int8 PRIMARY KEY, name VARCHAR(255),
             applied_on VARCHAR(255), checksum VARCHAR(255));
INSERT INTO refinery_schema_history VALUES (1, 'initial', '2024-01-01T00:00:00Z', '3330196516202730252');",
    before: &["1|initial|text|1|text|3330196516202730252"],
    after: &[
        "1|initial|text|1|text|3330196516202730252",
        "20|add_users|text|1|text|9414057334454412898",
    ],
    ..REFINERY
};

const GOOSE: Case = Case {
    layout: "goose",
    files: &[
        ("00001_initial.sql", "-- +goose Up\nSELECT 1;\n"),
        (
            "00020_add_users.sql",
            "-- +goose Up\nCREATE TABLE users (id INTEGER PRIMARY KEY);\n\n-- +goose Down\nDROP TABLE users;\n",
        ),
    ],
    done: "CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1);
INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, 1);",
    versions: ["1", "20"],
    file: "00020_add_users.sql",
    rows: "SELECT id || '|' || version_id || '|' || is_applied || '|' || (tstamp LIKE '____-__-__ __:__:__')
        FROM goose_db_version ORDER BY id",
    before: &["1|0|1|1", "2|1|1|1"],
    after: &["1|0|1|1", "2|1|1|1", "3|20|1|1"],
};

const GOLANG_MIGRATE: Case = Case {
    layout: "golang-migrate",
    files: &[
        ("000001_initial.up.sql", ONE),
        ("000001_initial.down.sql", ONE),
        ("000020_add_users.up.sql", USERS),
        ("000020_add_users.down.sql", "DROP TABLE users;"),
    ],
    done: "CREATE TABLE IF NOT EXISTS schema_migrations (version uint64,dirty bool);
  CREATE UNIQUE INDEX IF NOT EXISTS version_unique ON schema_migrations (version);
INSERT INTO schema_migrations (version, dirty) VALUES (1, 0);",
    versions: ["1", "20"],
    file: "000020_add_users.up.sql",
    rows: "SELECT version || '|' || typeof(version) || '|' || dirty FROM schema_migrations",
    before: &["1|integer|0"],
    after: &["20|integer|0"],
};

const DBMATE: Case = Case {
    layout: "dbmate",
    files: &[
        ("20240101000000_initial.sql", "-- migrate:up\nSELECT 1;\n\n-- migrate:down\n"),
        (
            "20240102000000_add_users.sql",
            "-- migrate:up\nCREATE TABLE users (id INTEGER PRIMARY KEY);\n\n-- migrate:down\nDROP TABLE users;\n",
        ),
    ],
    done: "CREATE TABLE IF NOT EXISTS \"schema_migrations\" (version varchar(128) primary key);
INSERT INTO \"schema_migrations\" (version) VALUES ('20240101000000');",
    versions: ["20240101000000", "20240102000000"],
    file: "20240102000000_add_users.sql",
    rows: "SELECT version || '|' || typeof(version) FROM schema_migrations ORDER BY version",
    before: &["20240101000000|text"],
    after: &["20240101000000|text", "20240102000000|text"],
};

const ALL: [Case; 7] = [SQLX, DIESEL, REFINERY, REFINERY_WIDE, GOOSE, GOLANG_MIGRATE, DBMATE];

const INIT: [&str; 5] = ["init", "--database", "app.db", "--migrations", "migrations"];

fn write(place: &Place, file: &str, text: &str) {
    let path = place.work().join("migrations").join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn folder(files: &[(&str, &str)]) -> Place {
    let place = Place::new();
    for (file, text) in files {
        write(&place, file, text);
    }
    place
}

/// The folder, and the database as the tool left it.
fn scene(case: &Case) -> Place {
    let place = folder(case.files);
    sql(&place, case.done);
    sql(
        &place,
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT); INSERT INTO notes VALUES (1, 'kept');",
    );
    place
}

fn rows(database: &Path, query: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let mut query = connection.prepare(query).unwrap();
    query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn code(answer: &Value) -> &str {
    answer["diagnostics"][0]["code"].as_str().unwrap_or_default()
}

fn message(answer: &Value) -> &str {
    answer["diagnostics"][0]["message"].as_str().unwrap_or_default()
}

#[test]
fn s5_every_tools_table_is_the_baseline_and_holds_afterwards_what_the_tool_would_have_written() {
    for case in ALL {
        let Case { layout, versions: [first, last], .. } = case;
        let place = scene(&case);
        let database = database(&place);
        assert_eq!(rows(&database, case.rows), case.before, "{layout}");
        let untouched = fs::read(&database).unwrap();
        let made = told(&place, "init", 0, &INIT);
        let folder = &made["data"]["folder"];
        assert_eq!((&made["data"]["version"], &folder["layout"]), (&first.into(), &layout.into()));
        assert!(folder["books"].is_string(), "{folder}");
        assert_eq!(fs::read(&database).unwrap(), untouched, "{layout}");

        let status = told(&place, "status", 10, &["status", "--detailed-exitcode"]);
        assert_eq!(status["data"]["applied"], 1, "{layout}");
        assert_eq!(status["data"]["pending"], json!([{"version": last, "file": case.file}]));
        assert_eq!(status["data"]["findings"], json!([]), "{layout}");
        assert_eq!(status["next"][0]["argv"][1], "plan", "{status}");

        let before = page_root(&database);
        let plan = told(&place, "plan", 0, &["plan", "-o", "../plan.json"]);
        assert_eq!(plan["data"]["values_lost"], 0, "{layout}: {plan}");
        done(&place, &["apply", "../plan.json"]);
        assert_eq!(rows(&database, case.rows), case.after, "{layout}");
        assert_eq!(rows(&database, "SELECT name FROM pragma_table_info('users')"), ["id"]);
        let status = told(&place, "status", 0, &["status", "--deep"]);
        assert_eq!(status["data"]["pending"], json!([]), "{layout}");
        assert_eq!(status["data"]["version"], last, "{layout}");
        told(&place, "replay", 0, &["replay", "--recompute"]);

        done(&place, &["undo"]);
        assert_eq!(page_root(&database), before, "{layout}");
        assert_eq!(rows(&database, case.rows), case.before, "{layout}");
        let status = told(&place, "status", 0, &["status"]);
        assert_eq!(status["data"]["version"], first, "{layout}");
    }
}

#[test]
fn s5_a_new_database_gets_its_tools_table_which_is_a_baseline_again() {
    for case in ALL {
        let Case { layout, versions: [_, last], .. } = case;
        if case.before == REFINERY_WIDE.before {
            continue;
        }
        let place = folder(case.files);
        let database = database(&place);
        let made = told(&place, "init", 0, &[&INIT[..], &["--layout", layout]].concat());
        assert_eq!(made["data"]["version"], "none", "{layout}");
        assert_eq!(rows(&database, "SELECT name FROM sqlite_schema"), [] as [&str; 0]);
        let empty = page_root(&database);
        apply(&place);
        // What the tool would have done, beside it.
        let other = place.work().join("other.db");
        rusqlite::Connection::open(&other).unwrap().execute_batch(case.done).unwrap();
        let table =
            "SELECT group_concat(name || ' ' || type || ' ' || \"notnull\" || ' ' || pk || ' ' ||
            coalesce(dflt_value, '-')) FROM pragma_table_info((SELECT name FROM sqlite_schema
            WHERE name LIKE '%migrations' OR name LIKE 'goose%' OR name LIKE 'refinery%' LIMIT 1))";
        assert_eq!(rows(&database, table), rows(&other, table), "{layout}");
        // Whoever looks at the database next finds it where the tool would find it.
        fs::rename(place.work().join(".glyph-ledger"), place.work().join("elsewhere")).unwrap();
        fs::remove_dir_all(place.home()).unwrap();
        let again = told(&place, "init", 0, &INIT);
        assert_eq!(again["data"]["version"], last, "{layout}");
        assert_eq!(again["data"]["folder"]["layout"], layout);
        let status = told(&place, "status", 0, &["status"]);
        assert_eq!(status["data"]["pending"], json!([]), "{layout}");
        assert_ne!(page_root(&database), empty);
    }
}

#[test]
fn s5_what_a_tools_table_says_against_its_folder_is_refused_by_name() {
    // (what is done to the folder, what to the table, code, word in the message, place, whether init refuses it too)
    type Change = (Option<(&'static str, Option<&'static str>)>, &'static str);
    let row = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES ";
    let newer = &*format!("{row}(20990101000000, 'later', TRUE, x'00', 1);");
    let gone = &*format!("{row}(20230101000000, 'gone', TRUE, x'00', 1);");
    let dirty = "UPDATE _sqlx_migrations SET success = FALSE;";
    let edited: Change = (Some(("20240101000000_initial.sql", Some("SELECT 2;"))), "");
    let late: Change = (Some(("20230101000000_late.sql", Some("SELECT 2;"))), "");
    for ((file, table), expected, named, file_named) in [
        (edited, "MIGRATION_EDITED", "26e71cc37450b183", "20240101000000_initial.sql"),
        (late, "MIGRATION_LATE", "20240101000000 is", "20230101000000_late.sql"),
        ((None, newer), "MIGRATION_NEWER", "20990101000000", "20990101000000"),
        ((None, gone), "MIGRATION_MISSING", "no file of the folder", "20230101000000"),
        ((None, dirty), "MIGRATION_DIRTY", "not finished", "20240101000000_initial.sql"),
    ] {
        let spoil = |place: &Place| {
            if let Some((file, text)) = file {
                write(place, file, text.unwrap_or_default());
            }
            sql(place, table);
        };
        let refused = |place: &Place, command: &str, arguments: &[&str]| {
            let bytes = fs::read(database(place)).unwrap();
            let answer = told(place, command, 6, arguments);
            assert_eq!(code(&answer), expected, "{command}: {answer}");
            assert!(message(&answer).contains(named), "{answer}");
            assert_eq!(answer["diagnostics"][0]["place"], file_named, "{answer}");
            // What to do is for people to say; `status` has shown all there is.
            let next = match command {
                "plan" | "apply" => Value::from("status"),
                "init" => Value::from("explain"),
                _ => Value::Null,
            };
            assert_eq!(answer["next"][0]["argv"][1], next, "{answer}");
            assert_eq!(fs::read(database(place)).unwrap(), bytes);
            answer
        };
        let place = scene(&SQLX);
        spoil(&place);
        refused(&place, "init", &INIT);
        assert!(!place.work().join(".glyph-ledger").exists());

        let place = scene(&SQLX);
        done(&place, &INIT);
        done(&place, &["plan", "-o", "../plan.json"]);
        spoil(&place);
        refused(&place, "plan", &["plan"]);
        refused(&place, "apply", &["apply", "../plan.json"]);
        let status = refused(&place, "status", &["status"]);
        let kind = expected.trim_start_matches("MIGRATION_").to_lowercase();
        assert_eq!(status["data"]["findings"][0]["kind"], kind.as_str(), "{status}");
        assert_eq!(status["data"]["version"], "20240101000000", "{status}");
        let said = place.run(&["status"]);
        assert!(said.stdout.contains(&kind), "{said:?}");
    }
}

#[test]
fn s5_a_cosmetic_edit_is_told_and_hinders_nothing() {
    let place = scene(&SQLX);
    // As a checkout with other line endings would have it; recognised by the checksum alone.
    write(&place, "20240101000000_initial.sql", "SELECT 1;\r\n");
    done(&place, &INIT);
    let status = told(&place, "status", 0, &["status"]);
    assert_eq!(status["data"]["findings"][0]["kind"], "cosmetic", "{status}");
    assert_eq!(status["data"]["findings"][0]["file"], "20240101000000_initial.sql");
    apply(&place);
    assert_eq!(rows(&database(&place), SQLX.rows), SQLX.after);

    // Where there is no checksum, by the statements that the ledger keeps.
    let place = scene(&DIESEL);
    done(&place, &INIT);
    write(&place, "2024-01-01-000000_initial/up.sql", "-- the first\nSELECT\t1;\n");
    let status = told(&place, "status", 0, &["status"]);
    assert_eq!(status["data"]["findings"][0]["kind"], "cosmetic", "{status}");
    apply(&place);
    write(&place, "2024-01-01-000000_initial/up.sql", "SELECT 2;\n");
    let status = told(&place, "status", 6, &["status"]);
    assert_eq!(status["data"]["findings"][0]["kind"], "edited", "{status}");
}

#[test]
fn s5_a_tool_that_migrates_meanwhile_is_noticed() {
    let place = scene(&DBMATE);
    done(&place, &INIT);
    done(&place, &["plan", "-o", "../plan.json"]);
    // dbmate runs the second migration.
    sql(&place, "INSERT INTO schema_migrations (version) VALUES ('20240102000000');");
    for (command, arguments) in
        [("status", &["status"][..]), ("plan", &["plan"]), ("apply", &["apply", "../plan.json"])]
    {
        let answer = told(&place, command, 4, arguments);
        assert_eq!(code(&answer), "STORE_DISAGREES", "{answer}");
        assert!(message(&answer).contains("20240102000000"), "{answer}");
    }
}

#[test]
fn s5_files_that_fit_several_tools_are_asked_about() {
    let pairs = GOLANG_MIGRATE.files;
    let place = folder(pairs);
    let asked = told(&place, "init", 2, &INIT);
    assert_eq!(code(&asked), "LAYOUT_AMBIGUOUS");
    for candidate in ["numbered", "sqlx", "golang-migrate"] {
        assert!(message(&asked).contains(candidate), "{asked}");
    }
    assert_eq!(asked["diagnostics"][0]["place"], "--layout");
    assert!(asked["next"][0]["argv"].as_array().unwrap().contains(&"--layout".into()), "{asked}");
    assert!(!database(&place).exists());
    let unknown = place.run(&[&INIT[..], &["--layout", "flyway"]].concat());
    assert!(unknown.exit == 2 && unknown.stderr.contains("golang-migrate"), "{unknown:?}");
    let made = told(&place, "init", 0, &[&INIT[..], &["--layout", "sqlx"]].concat());
    assert_eq!(made["data"]["folder"]["books"], "_sqlx_migrations");

    // Numbered scripts are no tool's, though sqlx reads them too: that is said.
    let place = folder(SQLX.files);
    let made = told(&place, "init", 0, &INIT);
    assert_eq!(
        (&made["data"]["folder"]["layout"], &made["data"]["folder"]["also_fits"]),
        (&"numbered".into(), &json!(["sqlx"]))
    );
    apply(&place);
    assert_eq!(rows(&database(&place), "SELECT name FROM sqlite_schema"), ["users"]);

    // The table of another tool than the files'.
    let place = folder(SQLX.files);
    sql(&place, DIESEL.done);
    assert_eq!(code(&told(&place, "init", 2, &INIT)), "LAYOUT_AMBIGUOUS");
    // A table that has a tool's name and other columns.
    let place = folder(DBMATE.files);
    sql(&place, "CREATE TABLE schema_migrations (version, at);");
    let refused = told(&place, "init", 6, &INIT);
    assert_eq!(
        (code(&refused), &refused["diagnostics"][0]["place"]),
        ("BOOKS_INVALID", &"schema_migrations".into())
    );
}

#[test]
fn s5_without_its_table_a_tool_is_not_told_of_what_was_applied_before() {
    let place = folder(DIESEL.files);
    sql(&place, "CREATE TABLE users (id INTEGER PRIMARY KEY);");
    let made = told(&place, "init", 0, &INIT);
    assert_eq!(made["data"]["version"], "20240102000000");
    assert_eq!(made["data"]["folder"]["no_books_of"], "diesel");
    write(&place, "2024-01-03-000000_more/up.sql", "CREATE TABLE more (id);");
    apply(&place);
    let tables = "SELECT name FROM sqlite_schema ORDER BY name";
    assert_eq!(rows(&database(&place), tables), ["more", "users"]);
}

#[test]
fn s5_a_folder_that_cannot_be_used_is_refused_with_its_file() {
    for (file, text, named) in [
        ("V20__twice.sql", "SELECT 1;", "version 20"),
        ("V21__bad.sql", "SELECT '\0';", "NUL"),
        ("V22__more.rs", "fn main() {}", "Rust"),
    ] {
        let place = folder(REFINERY.files);
        write(&place, file, text);
        let refused = told(&place, "init", 6, &INIT);
        assert_eq!(code(&refused), "FOLDER_INVALID", "{refused}");
        assert!(message(&refused).contains(named), "{refused}");
        assert!(refused["diagnostics"][0]["place"].as_str().unwrap().contains(file), "{refused}");
        assert!(!database(&place).exists());
    }
    let place = folder(&[("README.md", "nothing")]);
    assert_eq!(told(&place, "init", 2, &INIT)["diagnostics"][0]["code"], "USAGE");
}

#[test]
fn s5_a_script_is_run_without_a_transaction_where_its_tool_does() {
    let deferred = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
CREATE TABLE child (parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
INSERT INTO child VALUES (1);
INSERT INTO parent VALUES (1);\n";
    // In one transaction the parent may come after its child; statement by statement it may not.
    for (head, exit) in [("-- in one\n", 0), ("-- no-transaction\n", 6)] {
        let place = folder(&[("1_family.sql", &format!("{head}{deferred}"))]);
        done(&place, &[&INIT[..], &["--layout", "sqlx"]].concat());
        let plan = place.run(&["plan", "--json"]);
        assert_eq!(plan.exit, exit, "{plan:?}");
        assert_eq!(exit == 0, !plan.stdout.contains("FOREIGN KEY constraint failed"), "{plan:?}");
    }
    // What no transaction takes is run all the same, and the row follows.
    let place = folder(&[(
        "1_a.sql",
        "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE a (b);\nVACUUM;\n",
    )]);
    done(&place, &INIT);
    apply(&place);
    assert_eq!(rows(&database(&place), GOOSE.rows), ["1|0|1|1", "2|1|1|1"]);
    told(&place, "replay", 0, &["replay", "--recompute"]);
}
