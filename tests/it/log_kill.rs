//! Real processes on one ledger's folder: killed while they write, killed while they open, and two at
//! a time. The processes are this test binary itself, started for the one test that plays their part.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use glyph_ledger::log::sled::{Identity, OpenError, OpenOptions, Relation, SledLog};
use glyph_ledger::log::{Batch, Log as _, ReadLog as _};

#[path = "../../src/log/samples.rs"]
mod samples;

pub(crate) use samples::Author;

/// The folder that a started process works in; without it the parts below play nothing.
const PART_DIR: &str = "GLYPH_LEDGER_TEST_PART_DIR";

/// How often to kill; a few by default.
const ROUNDS: &str = "GLYPH_LEDGER_KILL_ROUNDS";

const SEED: u8 = 9;

#[test]
fn l2_acknowledged_events_survive_kill_9() {
    let home = tempfile::tempdir().unwrap();
    let dir = create(home.path());
    let rounds: u32 = std::env::var(ROUNDS).map_or(4, |rounds| rounds.parse().unwrap());
    let (mut size, mut tails) = (1, 0);
    for round in 0..rounds {
        let acknowledged = kill_after(&dir, "log_kill::part_writer", 1 + round * 7 % 31);
        kill_after(&dir, "log_kill::part_opener", round % 3);
        let mut log = SledLog::open(&dir, &OpenOptions::default())
            .unwrap_or_else(|error| panic!("round {round}: {error}"));
        tails += u32::from(log.relation() != Relation::Settled);
        log.accept_tail().unwrap();
        let mut author = Author::new(SEED);
        log.read(0..u64::MAX).for_each(|batch| author.catch_up(&batch.unwrap()));
        assert_eq!(log.tip().unwrap().unwrap().size(), author.size());
        let expected = acknowledged.unwrap_or(size);
        assert!(author.size() >= expected, "round {round}: {} of {expected}", author.size());
        size = author.size();
    }
    println!("{rounds} rounds, {size} events, {tails} tails beyond the anchor");
}

#[test]
fn a_second_process_is_told_who_holds_the_ledger_and_may_wait() {
    let home = tempfile::tempdir().unwrap();
    let dir = create(home.path());
    let mut holder = start(&dir, "log_kill::part_holder");
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "holding"));
    match SledLog::open(&dir, &OpenOptions::default()) {
        Err(OpenError::Busy { pid: Some(pid), .. }) => assert_eq!(pid, holder.id()),
        other => panic!("{other:?}"),
    }
    // The kernel's lock ends with the process, however it ends.
    let options = OpenOptions { wait: Duration::from_mins(1), ..OpenOptions::default() };
    let waiting = std::thread::spawn(move || SledLog::open(&dir, &options).map(drop));
    holder.kill().unwrap();
    holder.wait().unwrap();
    waiting.join().unwrap().unwrap();
}

/// Appends batches of one to 40 events for as long as it lives and prints every acknowledgement.
#[test]
fn part_writer() {
    let Some(dir) = part_dir() else { return };
    let mut log = SledLog::open(&dir, &OpenOptions::default()).unwrap();
    log.accept_tail().unwrap();
    let mut author = Author::new(SEED);
    log.read(0..u64::MAX).for_each(|batch| author.catch_up(&batch.unwrap()));
    for count in (1..=40).cycle() {
        let size = author.size();
        let (batch, frontier) = author.batch(count);
        log.append(size, &batch, &frontier).unwrap();
        say(&author.size().to_string());
    }
}

/// Opens and closes for as long as it lives.
#[test]
fn part_opener() {
    let Some(dir) = part_dir() else { return };
    loop {
        SledLog::open(&dir, &OpenOptions::default()).unwrap();
        say("0");
    }
}

/// Opens, and waits for the end of its input.
#[test]
fn part_holder() {
    let Some(dir) = part_dir() else { return };
    let _log = SledLog::open(&dir, &OpenOptions::default()).unwrap();
    say("holding");
    std::io::stdin().lines().for_each(drop);
}

fn create(home: &Path) -> PathBuf {
    let dir = home.join("ledger");
    let mut author = Author::new(SEED);
    let identity = Identity { public_key: author.public_key, nonce: author.nonce };
    assert_eq!(identity.ledger(), author.ledger());
    let (batch, frontier) = author.batch(1);
    SledLog::init(&dir, &identity, &batch, &frontier, &OpenOptions::default()).unwrap();
    dir
}

fn start(dir: &Path, part: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", part, "--nocapture", "--test-threads=1"])
        .env(PART_DIR, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Starts a part, kills it once it has said `count` numbers, and returns the last number it said.
fn kill_after(dir: &Path, part: &str, count: u32) -> Option<u64> {
    let mut child = start(dir, part);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = None;
    let mut left = count;
    // After the kill, what the pipe still holds was said before it.
    for line in lines {
        if let Ok(number) = line.unwrap().parse() {
            said = Some(number);
            left = left.saturating_sub(1);
        }
        if left == 0 {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success(), "{part} ended by itself");
    said
}

fn part_dir() -> Option<PathBuf> {
    std::env::var_os(PART_DIR).map(PathBuf::from)
}

/// Says a line of its own: the test runner may have begun one.
fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "\n{line}").unwrap();
    out.flush().unwrap();
}
