//! Databases as they are found: what is none, what is damaged, locked, read-only, left behind by a crash, or in an odd
//! place. Each is refused with one error and left as it is, or is read as SQLite reads it; the next run works.

use std::fs::{self, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use serde_json::Value;

use crate::databases::{INIT_COMMAND, apply, database, number, page_root, sql, told};
use crate::databases_processes::{crash, holder};
use crate::support::{Place, Said, check_answer, done, not_shown};

const INIT: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);";
const NEXT: &str = "ALTER TABLE t ADD COLUMN b;";
const ROWS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
INSERT INTO t SELECT i, 'value ' || i FROM n;";

/// A folder of two migrations; a database that has gone through the first, with rows.
fn scene() -> Place {
    let place = Place::new();
    let folder = place.work().join("db/migrations");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("0001_init.sql"), INIT).unwrap();
    fs::write(folder.join("0002_next.sql"), NEXT).unwrap();
    sql(&place, &format!("{INIT}{ROWS}"));
    place
}

/// Ways to spoil a database, the exit code and error code they are refused with, and a piece of what is said.
type Spoilt = (fn(&Path), i32, &'static str, &'static str);

const SPOILT: [Spoilt; 9] = [
    (
        |path| fs::write(path, "hello, world\n".repeat(500)).unwrap(),
        4,
        "STORE_INVALID",
        "not a SQLite database, or an encrypted one",
    ),
    (noise, 4, "STORE_INVALID", "encrypted"),
    (
        |path| fs::write(path, b"SQLite format 3\0").unwrap(),
        4,
        "STORE_INVALID",
        "not a SQLite database",
    ),
    (|path| over(path, 4 * 4096, &[0xee; 64]), 4, "STORE_INVALID", "damaged"),
    (|path| over(path, 100, &[0xee; 2_000]), 4, "STORE_INVALID", "damaged"),
    (|path| cut(path, 5_000), 4, "STORE_INVALID", "damaged"),
    (
        |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
        4,
        "STORE_INVALID",
        "not a regular file",
    ),
    (
        |path| of_an_application(path, "CREATE INDEX by_slug ON t(slug(a));"),
        4,
        "STORE_INVALID",
        "needs what only its application has: unknown function: slug()",
    ),
    (
        |path| {
            of_an_application(
                path,
                "CREATE TABLE c(a CHECK (slug(a) <> '')); INSERT INTO c VALUES ('x');",
            );
        },
        4,
        "STORE_INVALID",
        "slug()",
    ),
];

/// What an encrypted database looks like.
fn noise(path: &Path) {
    let bytes = (0..8192_u32).map(|n| u8::try_from(n * 7_919 % 251).unwrap());
    fs::write(path, bytes.collect::<Vec<_>>()).unwrap();
}

fn over(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

fn cut(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
}

/// What an application with a function of its own does.
fn of_an_application(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("slug", 1, flags, |call| call.get::<String>(0)).unwrap();
    connection.execute_batch(sql).unwrap();
}

/// Everything in the working folder but the ledger: paths and bytes.
fn files(place: &Place) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let entries = fs::read_dir(place.work()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .filter(|path| !path.ends_with(".glyph-ledger"))
        .map(|path| (path.clone(), fs::read(&path).ok()))
        .collect();
    found.sort();
    found
}

fn assert_refused(answer: &Value, code: &str, said: &str) {
    let found = answer["diagnostics"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{answer}");
    assert_eq!(found[0]["code"], code, "{answer}");
    let message = found[0]["message"].as_str().unwrap();
    assert!(message.contains(said), "{said}: {message}");
    assert!(!answer["next"].as_array().unwrap().is_empty(), "{answer}");
}

#[test]
fn s5_what_is_no_sound_database_is_not_taken_into_care() {
    let place = scene();
    let good = fs::read(database(&place)).unwrap();
    for (spoil, exit, code, said) in SPOILT {
        spoil(&database(&place));
        let untouched = files(&place);
        let answer =
            told(&place, "init", exit, &[&INIT_COMMAND[..], &["--baseline", "0001"]].concat());
        assert_refused(&answer, code, said);
        assert_eq!(answer["diagnostics"][0]["not_done"], "nothing was written");
        assert!(
            files(&place) == untouched && !place.work().join(".glyph-ledger").exists(),
            "{said}"
        );
        if database(&place).is_dir() {
            fs::remove_dir(database(&place)).unwrap();
        }
        fs::write(database(&place), &good).unwrap();
    }
    done(&place, &INIT_COMMAND);
    apply(&place);
}

#[test]
fn s5_a_database_in_care_that_was_spoilt_is_refused_until_it_is_restored() {
    let place = scene();
    done(&place, &INIT_COMMAND);
    done(&place, &["plan", "-o", "../plan.json"]);
    let good = fs::read(database(&place)).unwrap();
    let in_the_schema = SPOILT.len() - 2;
    for (spoil, exit, code, said) in SPOILT.into_iter().take(in_the_schema) {
        spoil(&database(&place));
        let untouched = files(&place);
        for arguments in [&["check"][..], &["plan"], &["apply"], &["apply", "../plan.json"]] {
            let answer = told(&place, arguments[0], exit, arguments);
            assert_refused(&answer, code, said);
            assert!(files(&place) == untouched, "{arguments:?}: {said}");
        }
        if database(&place).is_dir() {
            fs::remove_dir(database(&place)).unwrap();
        }
        fs::write(database(&place), &good).unwrap();
    }
    fs::remove_file(database(&place)).unwrap();
    assert_refused(&told(&place, "apply", 4, &["apply"]), "STORE_INVALID", "no such database");
    fs::write(database(&place), b"").unwrap();
    assert_refused(&told(&place, "apply", 4, &["apply"]), "STORE_INVALID", "0 bytes");
    assert_eq!(fs::read(database(&place)).unwrap(), b"");
    fs::write(database(&place), &good).unwrap();
    let folder = place.work().join("db/migrations");
    fs::write(folder.join("2_other.sql"), "SELECT 1;").unwrap();
    for command in ["check", "plan", "apply", "status"] {
        let said = place.run(&[command, "--json"]);
        assert_eq!(said.exit, 6, "{said:?}");
        assert!(
            said.stdout.contains("2_other.sql") && said.stdout.contains("0002_next.sql"),
            "{said:?}"
        );
    }
    fs::remove_file(folder.join("2_other.sql")).unwrap();
    sql(&place, "CREATE INDEX drifted ON t(a);");
    let drifted = fs::read(database(&place)).unwrap();
    for command in ["check", "plan", "apply"] {
        assert_refused(
            &told(&place, command, 6, &[command]),
            "SCHEMA_DRIFT",
            "the schema of app.db is",
        );
    }
    assert_eq!(fs::read(database(&place)).unwrap(), drifted);
    sql(&place, "DROP INDEX drifted;");
    apply(&place);
    assert_eq!(number(&place, "SELECT count(*) FROM pragma_table_info('t')"), 3);
}

#[test]
fn s5_a_database_without_a_byte_is_made() {
    let place = scene();
    fs::write(database(&place), b"").unwrap();
    assert_eq!(told(&place, "init", 0, &INIT_COMMAND)["data"]["version"], "none");
    apply(&place);
    assert_eq!(number(&place, "SELECT count(*) FROM pragma_table_info('t')"), 3);
}

#[test]
fn s5_a_database_that_another_process_holds_is_busy_and_goes_on_later() {
    for (held, stopped) in
        [("BEGIN EXCLUSIVE", &["check", "plan", "apply"][..]), ("BEGIN IMMEDIATE", &["apply"])]
    {
        let place = scene();
        let lock = holder(&database(&place), held);
        if held == "BEGIN EXCLUSIVE" {
            let answer = told(&place, "init", 8, &[&INIT_COMMAND[..], &["--wait", "0"]].concat());
            assert_refused(&answer, "BUSY", "locked by another connection");
            assert!(!place.work().join(".glyph-ledger").exists());
        }
        lock.end();
        done(&place, &INIT_COMMAND);
        let untouched = files(&place);
        let lock = holder(&database(&place), held);
        for command in stopped {
            let answer = told(&place, command, 8, &[command, "--wait", "1"]);
            assert_refused(&answer, "BUSY", "locked by another connection");
        }
        lock.end();
        assert!(files(&place) == untouched, "{held}");
        let next: &[&str] =
            if held == "BEGIN EXCLUSIVE" { &["apply"] } else { &["migration", "resume"] };
        done(&place, next);
        assert_eq!(number(&place, "SELECT count(*) FROM pragma_table_info('t')"), 3);
    }
}

#[test]
fn s5_what_a_crashed_application_left_is_read_as_sqlite_reads_it() {
    for (mode, left) in [("delete", "-journal"), ("wal", "-wal")] {
        for crashed_after_init in [false, true] {
            let place = scene();
            if crashed_after_init {
                done(&place, &INIT_COMMAND);
            }
            crash(&database(&place), mode);
            assert!(place.work().join(format!("app.db{left}")).metadata().unwrap().len() > 0);
            if !crashed_after_init {
                done(&place, &INIT_COMMAND);
            }
            told(&place, "check", 0, &["check"]);
            apply(&place);
            // One row was committed before the crash; what was under way is gone.
            assert_eq!(number(&place, "SELECT count(*) FROM t"), 2_001);
            assert_eq!(number(&place, "SELECT count(*) FROM t WHERE a = 'lost'"), 0);
            assert_eq!(number(&place, "SELECT count(*) FROM pragma_table_info('t')"), 3);
            told(&place, "undo", 0, &["undo"]);
            assert_eq!(number(&place, "SELECT count(*) FROM t"), 2_001);
        }
    }
}

#[test]
fn s5_a_database_copied_with_its_log_from_under_a_writer_holds_what_was_committed() {
    let from = scene();
    let writer = Connection::open(database(&from)).unwrap();
    let work = "PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 5;
        INSERT INTO t VALUES (5000, 'kept'); BEGIN; UPDATE t SET a = 'lost';";
    writer.execute_batch(work).unwrap();
    for in_care in [false, true] {
        let place = scene();
        if in_care {
            done(&place, &INIT_COMMAND);
        }
        for name in ["app.db", "app.db-wal"] {
            fs::copy(from.work().join(name), place.work().join(name)).unwrap();
        }
        let copied =
            ["app.db", "app.db-wal"].map(|name| fs::read(place.work().join(name)).unwrap());
        assert!(copied[1].len() > 20_000, "{} bytes of log", copied[1].len());
        if !in_care {
            done(&place, &INIT_COMMAND);
        }
        told(&place, "check", 0, &["check"]);
        assert!(fs::read(database(&place)).unwrap() == copied[0]);
        apply(&place);
        assert_eq!(number(&place, "SELECT count(*) FROM t"), 2_001);
        assert_eq!(number(&place, "SELECT count(*) FROM t WHERE a = 'lost'"), 0);
        assert_eq!(number(&place, "SELECT count(*) FROM pragma_table_info('t')"), 3);
        told(&place, "undo", 0, &["undo"]);
        assert_eq!(number(&place, "SELECT count(*) FROM t"), 2_001);
        told(&place, "verify-chain", 0, &["verify-chain", "--objects"]);
    }
}

#[test]
fn s5_a_read_only_file_or_folder_is_found_before_anything_is_recorded() {
    for mode in ["delete", "wal"] {
        for what in ["data/app.db", "data"] {
            let place = scene();
            fs::create_dir(place.work().join("data")).unwrap();
            fs::rename(database(&place), place.work().join("data/app.db")).unwrap();
            let path = place.work().join("data/app.db");
            Connection::open(&path).unwrap().pragma_update(None, "journal_mode", mode).unwrap();
            done(&place, &["init", "--database", "data/app.db", "--migrations", "db/migrations"]);
            done(&place, &["plan", "-o", "../plan.json"]);
            let untouched = fs::read(&path).unwrap();
            let Some(said) = read_only(&place, what, &["apply", "../plan.json", "--json"]) else {
                return not_shown(
                    "a read-only database",
                    "no folder can be mounted read-only here",
                );
            };
            assert_eq!(said.exit, 1, "{said:?}");
            check_answer("apply", &said.json());
            assert_refused(&said.json(), "IO", "cannot be written to");
            assert_eq!(said.json()["diagnostics"][0]["not_done"], "nothing was written");
            assert_eq!(fs::read(&path).unwrap(), untouched);
            done(&place, &["apply", "../plan.json"]);
            let applied = fs::read(&path).unwrap();
            let said = read_only(&place, what, &["undo", "--json"]).unwrap();
            assert_eq!(said.exit, 1, "{said:?}");
            assert_eq!(fs::read(&path).unwrap(), applied);
            done(&place, &["undo"]);
        }
    }
}

/// The program, where `what` of the working folder is mounted read-only; `None` where that cannot be done.
fn read_only(place: &Place, what: &str, arguments: &[&str]) -> Option<Said> {
    const SCRIPT: &str =
        r#"mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 99; shift; exec "$@""#;
    let program = place.command(arguments);
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh"])
        .arg(place.work().join(what))
        .arg(program.get_program())
        .args(program.get_args())
        .env("GLYPH_LEDGER_HOME", place.home())
        .current_dir(place.work());
    if Command::new("unshare").arg("--version").output().is_err() {
        return None;
    }
    let said = place.said_by(&mut command);
    // 99 and what `unshare` itself fails with; the program has other words for a failure.
    let began = said.stdout.starts_with('{') || said.exit == 0;
    began.then_some(said)
}

/// Names of migrations and of the database itself are on one line and obeyed by no terminal, whichever command tells them.
#[test]
fn s5_a_name_cannot_pass_for_another_line() {
    let place = scene();
    let (odd, shown) = ("a\n  next: rm -rf\u{1b}[2J", "a\\n  next: rm -rf\\u{1b}[2J");
    let folder = place.work().join(odd);
    let migrations = folder.join("migrations");
    fs::create_dir(&folder).unwrap();
    fs::rename(place.work().join("db/migrations"), &migrations).unwrap();
    fs::rename(migrations.join("0002_next.sql"), migrations.join(format!("0002_{odd}.sql")))
        .unwrap();
    let database = format!("{odd}/{odd}.db");
    fs::rename(self::database(&place), place.work().join(&database)).unwrap();
    let all = |arguments: &[&str]| {
        let said = place.run(arguments);
        let text = format!("{}{}", said.stdout, said.stderr);
        assert!(text.contains(shown), "{arguments:?}: {text}");
        let passed = text.contains("\n  next: rm") || text.contains('\u{1b}');
        assert!(!passed, "{arguments:?}: {text}");
    };
    let folder = format!("{odd}/migrations");
    let init = ["init", "--database", &database, "--migrations", &folder];
    all(&init);
    for arguments in [&["status"][..], &["check"], &["plan"], &["plan", "-o", "../p.json"], &init] {
        all(arguments);
    }
    let second = migrations.join(format!("0002_{odd}.sql"));
    let good = fs::read(&second).unwrap();
    fs::write(&second, "ALTER TABLE t ADD COLUMN;").unwrap();
    for command in ["check", "plan", "apply"] {
        all(&[command]);
    }
    fs::write(&second, good).unwrap();
    apply(&place);
    fs::write(&second, "SELECT 1;").unwrap();
    for command in ["status", "check", "plan"] {
        all(&[command]);
    }
    fs::write(place.work().join(&database), "none").unwrap();
    all(&["status"]);
    fs::remove_file(place.work().join(&database)).unwrap();
    for command in ["status", "plan", "undo"] {
        all(&[command]);
    }
}

/// What only a hand can put right is named with its line, and not another command that says the same.
#[test]
fn s5_a_script_that_sqlite_refuses_is_to_be_mended_at_its_line() {
    let place = scene();
    done(&place, &INIT_COMMAND);
    let second = place.work().join("db/migrations/0002_next.sql");
    let good = fs::read(&second).unwrap();
    fs::write(&second, "-- more\nALTER TABLE t ADD COLUMN;\n").unwrap();
    for command in ["check", "plan", "apply"] {
        let answer = told(&place, command, 6, &[command]);
        assert_eq!(answer["diagnostics"][0]["mend"], "0002_next.sql:2", "{answer}");
        let said = place.run(&[command]);
        assert!(said.stderr.contains("  mend: 0002_next.sql:2\n"), "{said:?}");
    }
    fs::write(&second, good).unwrap();
    assert_eq!(told(&place, "check", 0, &["check"])["diagnostics"].as_array().unwrap().len(), 0);
}

#[test]
fn s5_odd_names_and_links_lead_to_the_database_itself() {
    let name = "dätä & so on/my äpp %41?x=#1 'q'.db";
    let place = scene();
    fs::create_dir(place.work().join("dätä & so on")).unwrap();
    fs::rename(database(&place), place.work().join(name)).unwrap();
    fs::rename(place.work().join("db/migrations"), place.work().join("dätä & so on/m i")).unwrap();
    let before = page_root(&place.work().join(name));
    let init = ["init", "--database", name, "--migrations", "dätä & so on/m i"];
    told(&place, "init", 0, &init);
    told(&place, "check", 0, &["check", name]);
    told(&place, "apply", 0, &["apply"]);
    told(&place, "verify-chain", 0, &["verify-chain", "--objects"]);
    told(&place, "undo", 0, &["undo"]);
    assert_eq!(page_root(&place.work().join(name)), before);
    told(&place, "replay", 0, &["replay", "--out", "../thän"]);
    assert_eq!(page_root(&place.work().join("../thän/my äpp %41?x=#1 'q'.db")), before);

    let place = scene();
    fs::create_dir(place.work().join("data")).unwrap();
    fs::rename(database(&place), place.work().join("data/real.db")).unwrap();
    symlink("data/real.db", database(&place)).unwrap();
    told(&place, "init", 0, &INIT_COMMAND);
    apply(&place);
    assert!(fs::symlink_metadata(database(&place)).unwrap().is_symlink());
    assert_eq!(number(&place, "SELECT count(*) FROM pragma_table_info('t')"), 3);
    let beside = fs::read_dir(place.work().join("data")).unwrap().count();
    assert_eq!(beside, 1, "nothing is left beside it");
    told(&place, "undo", 0, &["undo"]);
    assert_eq!(number(&place, "SELECT count(*) FROM pragma_table_info('t')"), 2);
}
