//! Other processes at work on a database while it is migrated. Each is this binary started again for one of the parts
//! below.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use crate::databases::{INIT_COMMAND, an_application, apply, database, number, sql, told};
use crate::support::{Place, done};

/// Where a started process finds the database; without it the parts below play nothing.
const DATABASE: &str = "GLYPH_LEDGER_TEST_DATABASE";

/// What a started process is to do there.
const WORK: &str = "GLYPH_LEDGER_TEST_WORK";

/// What it says once it is at work.
const READY: &str = "at work";

/// Longest wait of another process for a lock: longer than any publish.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process at work.
pub(crate) struct Worker(Child);

impl Worker {
    fn start(part: &str, database: &Path, work: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                &format!("databases_processes::{part}"),
                "--nocapture",
                "--test-threads=1",
            ])
            .env(DATABASE, database)
            .env(WORK, work)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(READY) {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "{part} ended before it was at work");
        }
        child.stdout = Some(out.into_inner());
        Self(child)
    }

    /// Lets it end, which it must do well; what it said.
    pub(crate) fn end(mut self) -> String {
        drop(self.0.stdin.take());
        let mut said = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.0.wait().unwrap().success(), "{said}");
        said
    }
}

/// A process that did `sql` on the database and stays so until it is ended.
pub(crate) fn holder(database: &Path, sql: &str) -> Worker {
    Worker::start("part_hold", database, sql)
}

/// An application that commits one row, is in the middle of changing all, and dies.
pub(crate) fn crash(database: &Path, mode: &str) {
    let mut crashed = Worker::start("part_crash", database, mode);
    assert!(!crashed.0.wait().unwrap().success());
}

/// The database and the work of a started process.
fn work() -> Option<(PathBuf, String)> {
    Some((PathBuf::from(std::env::var_os(DATABASE)?), std::env::var(WORK).unwrap()))
}

fn open(database: &Path) -> Connection {
    let connection = Connection::open(database).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    connection
}

/// Says that it is at work; the answer turns true when it is to end.
fn at_work() -> Arc<AtomicBool> {
    println!("{READY}");
    let ended = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ended);
    thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        told.store(true, Ordering::SeqCst);
    });
    ended
}

#[test]
fn part_hold() {
    let Some((database, sql)) = work() else { return };
    let connection = open(&database);
    connection.execute_batch(&sql).unwrap();
    let ended = at_work();
    while !ended.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(5));
    }
    // Whatever was migrated meanwhile, a read transaction sees what it saw.
    if sql.contains("SELECT") {
        let columns = "SELECT count(*) FROM pragma_table_info('t')";
        println!("sees {}", connection.query_row(columns, [], |row| row.get::<_, i64>(0)).unwrap());
    }
}

#[test]
fn part_crash() {
    let Some((database, mode)) = work() else { return };
    let connection = open(&database);
    connection.pragma_update(None, "journal_mode", mode).unwrap();
    connection.pragma_update(None, "cache_size", 5).unwrap();
    connection
        .execute_batch("INSERT INTO t VALUES (5000, 'kept'); BEGIN; UPDATE t SET a = 'lost';")
        .unwrap();
    println!("{READY}");
    std::process::abort();
}

/// Looks all the time: every look is one transaction and sees the database before or after.
#[test]
fn part_read() {
    let Some((database, _)) = work() else { return };
    let connection = open(&database);
    let ended = at_work();
    let ask = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    let (mut looks, mut seen) = (0, [0, 0]);
    while !ended.load(Ordering::SeqCst) {
        connection.execute_batch("BEGIN").unwrap();
        let migrated = ask("SELECT count(*) FROM pragma_table_info('t') WHERE name = 'b'");
        assert_eq!(ask("SELECT count(*) FROM sqlite_schema WHERE name = 'done'"), migrated);
        assert_eq!(ask("SELECT count(*) FROM t WHERE id <= 500"), 500);
        if migrated == 1 {
            assert_eq!(ask("SELECT count(*) FROM t WHERE id <= 500 AND b IS NOT a * 2"), 0);
            assert!(ask("SELECT rows FROM done") >= 500);
        }
        if looks % 16 == 0 {
            assert_eq!(ask("SELECT count(*) FROM pragma_quick_check WHERE quick_check <> 'ok'"), 0);
        }
        connection.execute_batch("COMMIT").unwrap();
        seen[usize::try_from(migrated).unwrap()] += 1;
        looks += 1;
    }
    println!("saw {} {}", seen[0], seen[1]);
}

/// Writes a row, waits twice as long as before, writes the next.
#[test]
fn part_write() {
    let Some((database, _)) = work() else { return };
    let connection = open(&database);
    let ended = at_work();
    let (mut written, mut gap) = (0, Duration::from_millis(1));
    while !ended.load(Ordering::SeqCst) {
        connection.execute("INSERT INTO t(a) VALUES (?1)", [written]).unwrap();
        written += 1;
        thread::sleep(gap);
        gap = (gap * 2).min(Duration::from_secs(2));
    }
    println!("wrote {written}");
}

const INIT: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t SELECT i, i FROM n;";
const NEXT: &str = "ALTER TABLE t ADD COLUMN b; UPDATE t SET b = a * 2; CREATE TABLE done(rows);
INSERT INTO done SELECT count(*) FROM t;";

fn scene(mode: &str) -> Place {
    let place = an_application(&[("0001_init.sql", INIT)]);
    let connection = Connection::open(database(&place)).unwrap();
    connection.pragma_update(None, "journal_mode", mode).unwrap();
    drop(connection);
    done(&place, &INIT_COMMAND);
    std::fs::write(place.work().join("db/migrations/0002_next.sql"), NEXT).unwrap();
    place
}

/// The number that `said` has after `word`, counted from its end.
fn numbers(said: &str, word: &str) -> Vec<i64> {
    let line = said.lines().find_map(|line| line.split(word).nth(1)).unwrap();
    line.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// Runs that the writer may be too fast for.
const TRIES_MAX: usize = 40;

#[test]
fn s5_others_see_the_database_before_or_after_and_lose_no_row() {
    for mode in ["delete", "wal"] {
        let place = scene(mode);
        let path = database(&place);
        let readers = [(); 2].map(|()| Worker::start("part_read", &path, ""));
        let writer = Worker::start("part_write", &path, "");
        // The pauses of the writer get longer than a run takes.
        let late = (0..TRIES_MAX).take_while(|_| !applied(&place)).count();
        assert!(late < TRIES_MAX, "{mode}: never in time");
        let written = numbers(&writer.end(), "wrote ")[0];
        assert_eq!(
            number(&place, "SELECT count(*) FROM t"),
            500 + written,
            "{mode}: no row is lost"
        );
        // Back and forth while they look.
        for _ in 0..3 {
            let run = told(&place, "undo", 0, &["undo", "--discard-changes", "--wait", "20"])["data"]["run"]
                .as_str()
                .unwrap()
                .to_owned();
            let to = format!("run:{run}^");
            done(&place, &["migration", "rollback", "--to", &to, "--wait", "20"]);
        }
        for reader in readers {
            let seen = numbers(&reader.end(), "saw ");
            assert!(seen[0] > 0 && seen[1] > 0, "{mode}: {seen:?}");
        }
        assert_eq!(number(&place, "SELECT count(*) FROM t"), 500 + written);
        println!("{mode}: {late} times too late, {written} rows written");
    }
}

#[test]
fn a_reader_finds_what_is_between_before_and_after() {
    let place = scene("wal");
    let mut reader = Worker::start("part_read", &database(&place), "");
    sql(&place, "ALTER TABLE t ADD COLUMN b;");
    // Waiting for it would close its input, at which it ends well.
    let ended = (0..3_000).find_map(|_| {
        thread::sleep(Duration::from_millis(10));
        reader.0.try_wait().unwrap()
    });
    assert!(!ended.unwrap().success(), "a column without its values was passed over");
}

/// Applies; whether that was done, and not prevented by somebody who wrote meanwhile.
fn applied(place: &Place) -> bool {
    let said = place.run(&["apply", "--wait", "20", "--json"]);
    if said.exit == 0 {
        return true;
    }
    assert_eq!(said.exit, 8, "{said:?}");
    if !said.stdout.contains("\"resume\"") {
        return false;
    }
    let resumed = place.run(&["migration", "resume", "--wait", "20", "--json"]);
    assert_eq!(resumed.exit, 0, "{said:?} {resumed:?}");
    true
}

#[test]
fn s5_a_reader_that_stays_sees_what_it_saw() {
    const READ: &str = "BEGIN; SELECT count(*) FROM t;";
    let place = scene("wal");
    let reader = holder(&database(&place), READ);
    apply(&place);
    assert_eq!(number(&place, "SELECT count(*) FROM pragma_table_info('t')"), 3);
    assert_eq!(numbers(&reader.end(), "sees "), [2]);

    // Without a log the writer waits for the reader, and gives up; nobody lost anything meanwhile.
    let place = scene("delete");
    let before = std::fs::read(database(&place)).unwrap();
    let reader = holder(&database(&place), READ);
    let busy = told(&place, "apply", 8, &["apply", "--wait", "1"]);
    assert_eq!(busy["diagnostics"][0]["code"], "BUSY");
    assert_eq!(busy["next"][0]["argv"][2], "resume", "{busy}");
    assert_eq!(numbers(&reader.end(), "sees "), [2]);
    assert_eq!(std::fs::read(database(&place)).unwrap(), before);
    // A row written until then is kept.
    done(&place, &["migration", "resume"]);
    assert_eq!(number(&place, "SELECT count(*) FROM pragma_table_info('t')"), 3);
    sql(&place, "INSERT INTO t VALUES (900, 1, 1);");
    told(&place, "status", 0, &["status", "--deep"]);
}
