//! A disk that is full, for real: a small tmpfs in a namespace of its own, filled up to so many bytes
//! before some point. Needs neither root nor a device, but a kernel that lets users have namespaces;
//! where it does not, that is said and nothing is shown.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use glyph_ledger::diagnostic::{Exit, Failure};
use glyph_ledger::migrate::{Milestone, Observer, Silent};
use glyph_ledger::target::glyph_store::Layout;
use ledger_format::body::{Body, Cause, ObjectObserved, ObjectState};
use ledger_format::hash::ContentHash;
use projections::{Phase, State};
use serde_json::Value;

use crate::databases::{INIT_COMMAND, an_application, database, told};
use crate::job_scene::{Outcome, Scene, signer, tell};
use crate::support::{Place, Said, copy, done, not_shown};

/// Where a started process finds the small disk; without it the parts below play nothing.
const DISK: &str = "GLYPH_LEDGER_TEST_DISK";

/// What the small disk is mounted with.
const OPTIONS: &str = "size=24m";

/// Events of a batch.
const EVENTS: usize = 900;

/// Bytes left free: none, some pages, some dozen pages.
const LEFT: [u64; 3] = [0, 12_288, 131_072];

#[test]
fn l2_a_disk_that_is_full_at_any_point_of_a_job_loses_nothing() {
    on_a_small_disk("disk_full::part_jobs");
}

#[test]
fn l2_a_batch_on_a_full_disk_is_whole_or_absent() {
    on_a_small_disk("disk_full::part_appends");
}

#[test]
fn a_command_on_a_full_disk_says_so_and_succeeds_once_there_is_space() {
    on_a_small_disk("disk_full::part_commands");
}

#[test]
fn s5_a_database_larger_than_the_disk_is_refused_before_it_is_read() {
    on_a_small_disk("disk_full::part_large");
}

/// Every milestone of the story, each amount of space left after it: the story fails, or does not; once
/// there is space it comes to what the undisturbed one comes to.
#[test]
fn part_jobs() {
    let Some(disk) = disk() else { return };
    let scene = Scene::adopted(&disk.root.join("scene"));
    let told = scene.copy_to(&disk.root.join("told"));
    tell(&told, &mut Silent).unwrap();
    let expected = told.outcome();
    fs::remove_dir_all(told.home()).unwrap();
    let mut struck = BTreeSet::new();
    for left in LEFT {
        // At every milestone with nothing left, at every third with something.
        for at in (0..).step_by(if left == 0 { 1 } else { 3 }) {
            let again = scene.copy_to(&disk.root.join("again"));
            let point = format!("{left} bytes left at milestone {at}");
            let mut filler =
                Filler { disk: &disk, left, at, passed: 0, filled: false, recorded: 0 };
            let ended = tell(&again, &mut filler);
            let (filled, recorded) = (filler.filled, filler.recorded);
            if let Err(error) = ended {
                let failure = Failure::from(&error);
                assert_told(&failure, &point);
                struck.insert(struck_place(&failure));
                // In every other round tried again while nothing has changed.
                if at % 2 == 1 {
                    again_while_full(&again, &point);
                }
            }
            disk.make_space();
            struck.insert(standing(&again, recorded, &point));
            finish(&again, &expected, &point);
            fs::remove_dir_all(again.home()).unwrap();
            if !filled {
                break;
            }
        }
    }
    println!("{struck:#?}");
    for phase in [
        "between runs",
        "staging",
        "staged, not committed",
        "committed, nothing published",
        "manifest published",
        "database published",
        "manifest and database published",
        "in the home",
        "in the objects",
        "in a step's work copy",
        "in the live store",
    ] {
        assert!(struck.contains(phase), "the disk was never full {phase}: {struck:#?}");
    }
}

/// Batches of events until the disk is full: the last is there whole, or not at all, and when there is
/// space more are appended.
#[test]
fn part_appends() {
    let Some(disk) = disk() else { return };
    let scene = Scene::adopted(&disk.root.join("scene"));
    let mut struck = BTreeSet::new();
    for left in [0, 1, 2, 3, 5, 9, 17, 33].map(|pages| pages * 4_096) {
        let again = scene.copy_to(&disk.root.join("again"));
        let point = format!("{left} bytes left");
        let mut ledger = again.open_ledger();
        let mut acknowledged = ledger.state().size();
        let state = ledger.state().store().objects[Layout::AUDIT].clone();
        let (object, cause) = (Layout::AUDIT.to_owned(), Cause::DataChange);
        let bodies = vec![Body::from(ObjectObserved { object, cause, state }); EVENTS];
        disk.fill(left);
        // The engine has room of its own for the first ones.
        let error = loop {
            match ledger.append(&signer(), bodies.clone()) {
                Ok(_) => acknowledged += EVENTS as u64,
                Err(error) => break error,
            }
            assert_eq!(ledger.state().size(), acknowledged);
        };
        drop(ledger);
        disk.make_space();
        let failure = Failure::from(&error);
        assert_told(&failure, &point);
        struck.insert(struck_place(&failure));
        let mut ledger = again.open_ledger();
        let found = ledger.state().size();
        let whole = [acknowledged, acknowledged + EVENTS as u64];
        assert!(whole.contains(&found), "{point}: {found} of {whole:?}");
        ledger.append(&signer(), bodies).unwrap();
        drop(ledger);
        assert_eq!(again.open_ledger().state().size(), found + EVENTS as u64, "{point}");
        fs::remove_dir_all(again.home()).unwrap();
    }
    println!("{struck:#?}");
    assert!(struck.contains("in the ledger"), "{struck:?}");
}

/// Every command that writes, on a disk with ever more space left.
#[test]
fn part_commands() {
    let Some(disk) = disk() else { return };
    let fresh: &[&[&str]] = &[];
    let adopted: &[&[&str]] = &[&["init"]];
    let planned: &[&[&str]] = &[&["init"], &["plan", "--to", "3", "-o", "plan.json"]];
    let migrated: &[&[&str]] =
        &[&["init"], &["plan", "--to", "2", "-o", "plan.json"], &["apply", "plan.json"]];
    for (before, command) in [
        (fresh, &["init"][..]),
        (adopted, &["plan", "--to", "2", "-o", "plan.json"]),
        (planned, &["apply", "plan.json"]),
        (migrated, &["undo"]),
        (migrated, &["export", "--format", "jsonl", "-o", "out.jsonl"]),
    ] {
        let prepared = Place::new();
        for command in before {
            accepted(&prepared, command);
        }
        let (mut failed, mut foreseen) = (0, 0);
        for left in (0..).map(|step| (1 << step) * 2_048 - 2_048) {
            let place = Place::new();
            copy(&prepared.work(), &place.work());
            if prepared.home().exists() {
                copy(&prepared.home(), &place.home());
            }
            if !before.is_empty() {
                // After being copied a ledger is opened with more care, which takes space of its own.
                done(&place, &["log", "--json"]);
            }
            disk.fill(left);
            let said = run_accepting(&place, command);
            disk.make_space();
            let point = format!("{command:?} with {left} bytes left");
            if said.exit == 0 {
                println!("{command:?} failed {failed} times, up to {left} bytes left");
                break;
            }
            failed += 1;
            assert_answer(&said, &point);
            foreseen += u32::from(said.stdout.contains("the work copy alone needs"));
            // What is advised, else the same again.
            let again: Vec<String> =
                match said.json()["next"].as_array().and_then(|next| next.first()) {
                    // The same again is told as it was called, which is done below.
                    Some(next) => argv(next).into_iter().filter(|word| word != "--json").collect(),
                    None => command.iter().map(ToString::to_string).collect(),
                };
            let again: Vec<&str> = again.iter().map(String::as_str).collect();
            let said = run_accepting(&place, &again);
            assert_eq!(said.exit, 0, "{point}, then {again:?}: {said:?}");
            if !again.starts_with(command) && again[0] != "migration" {
                let said = run_accepting(&place, command);
                assert_eq!(said.exit, 0, "{point}, then {again:?}, then again: {said:?}");
            }
            done(&place, &["verify-chain", "--objects"]);
        }
        assert!(failed > 0, "{command:?} never met a full disk");
        let looks_before = ["plan", "apply"].contains(&command[0]);
        assert_eq!(foreseen > 0, looks_before, "{command:?} foresaw it {foreseen} times");
    }
}

/// Four gigabytes, all but a few pages a hole: reading them would take its time, and fill the disk.
#[test]
fn part_large() {
    let Some(_disk) = disk() else { return };
    let place = an_application(&[("0001_init.sql", "CREATE TABLE t(a);")]);
    let refused = |command: &[&str]| {
        resize(&database(&place), LARGE_PAGES);
        let untouched = fs::metadata(database(&place)).unwrap().modified().unwrap();
        let began = std::time::Instant::now();
        let answer = told(&place, command[0], 1, command);
        let found = &answer["diagnostics"][0];
        assert_eq!(
            (&found["code"], &found["not_done"]),
            (&"IO".into(), &"nothing was written".into())
        );
        let message = found["message"].as_str().unwrap();
        assert!(message.contains("the work copy alone needs 4294967296"), "{message}");
        assert!(began.elapsed().as_secs() < 5, "it was read first: {:?}", began.elapsed());
        assert_eq!(fs::metadata(database(&place)).unwrap().modified().unwrap(), untouched);
        resize(&database(&place), 2);
    };
    refused(&INIT_COMMAND);
    assert!(!place.work().join(".glyph-ledger").exists());
    done(&place, &INIT_COMMAND);
    fs::write(place.work().join("db/migrations/0002_next.sql"), "CREATE TABLE u(a);").unwrap();
    done(&place, &["plan", "-o", "../plan.json"]);
    for command in [&["check"][..], &["plan"], &["apply"], &["apply", "../plan.json"]] {
        refused(command);
    }
    done(&place, &["apply", "../plan.json"]);
}

/// Pages of 4 KiB that are 4 GiB.
const LARGE_PAGES: u32 = 1 << 20;

/// Gives the database so many pages, the new ones holes.
fn resize(path: &Path, pages: u32) {
    use std::os::unix::fs::FileExt as _;
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(u64::from(pages) * 4_096).unwrap();
    // The header says how many there are.
    file.write_all_at(&pages.to_be_bytes(), 28).unwrap();
}

/// Runs a command whose loss, if it has any, is accepted.
fn run_accepting(place: &Place, command: &[&str]) -> Said {
    let mut all = command.to_vec();
    let id;
    if let ["apply", file] = command {
        let plan: Value =
            serde_json::from_slice(&fs::read(place.work().join(file)).unwrap()).unwrap();
        id = plan["id"].as_str().unwrap().to_owned();
        all.extend(["--accept-lossy", &id]);
    }
    all.push("--json");
    place.run(&all)
}

fn accepted(place: &Place, command: &[&str]) {
    let said = run_accepting(place, command);
    assert_eq!(said.exit, 0, "{command:?}: {said:?}");
}

fn argv(next: &Value) -> Vec<String> {
    let words =
        next["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
    // Its first word is the program.
    words.skip(1).collect()
}

fn assert_answer(said: &Said, point: &str) {
    assert_eq!(said.exit, 1, "{point}: {said:?}");
    let answer = said.json();
    let diagnostic = &answer["diagnostics"][0];
    assert_eq!(diagnostic["code"], "IO", "{point}: {answer}");
    assert_eq!(diagnostic["retryable"], true, "{point}: {answer}");
    for said in ["message", "place", "not_done"] {
        assert!(
            diagnostic[said].as_str().is_some_and(|text| !text.is_empty()),
            "{point}: {answer}"
        );
    }
}

/// A full disk is the operating system's fault, and nothing that a run is given up for.
fn assert_told(failure: &Failure, point: &str) {
    assert_eq!(failure.code.id, "IO", "{point}: {failure:?}");
    assert!(failure.code.retryable && failure.code.exit == Exit::Failed, "{point}: {failure:?}");
    let words = failure.message.to_lowercase();
    let known = ["no space", "disk is full", "disk i/o error", "bytes free", "unusable"];
    assert!(known.iter().any(|known| words.contains(known)), "{point}: {failure:?}");
}

/// Where the space was missing.
fn struck_place(failure: &Failure) -> &'static str {
    let place = failure.place.as_deref().unwrap_or_default();
    match place {
        place if place.contains("/ledger/work") => "in a step's work copy",
        place if place.contains("/ledger/objects") => "in the objects",
        place if place.contains("/ledger") => "in the ledger",
        place if place.contains("/.glyph") => "in the live store",
        place if place.contains("/pins") || place.contains("/places") => "in the home",
        place => panic!("an unknown place: {place:?}"),
    }
}

/// Tried again while the disk is still full: it succeeds or fails in the same way.
fn again_while_full(scene: &Scene, point: &str) {
    if let Err(error) = tell(scene, &mut Silent) {
        assert_told(&Failure::from(&error), point);
    }
}

/// How far the run is that met the full disk. What had been acknowledged must be there.
fn standing(scene: &Scene, recorded: u64, point: &str) -> &'static str {
    let store = scene.open().unwrap_or_else(|error| panic!("{point}: {error}"));
    let size = store.ledger().state().size();
    assert!(size >= recorded, "{point}: {size} events, {recorded} were acknowledged");
    for run in &store.ledger().state().runs().finished {
        assert!(!matches!(run.outcome, projections::Outcome::Aborted { .. }), "{point}: {run:?}");
    }
    let as_recorded = as_recorded(scene, store.ledger().state());
    let Some(open) = store.pending() else { return "between runs" };
    match (&open.phase, as_recorded) {
        (Phase::Staging, (true, true)) if open.migrated.len() < 2 => "staging",
        (Phase::Staging, (true, true)) => "staged, not committed",
        (Phase::Staging, _) => panic!("{point}: the store was touched before the commit"),
        (Phase::Publishing { .. }, (false, false)) => "committed, nothing published",
        (Phase::Publishing { .. }, (true, false)) => "manifest published",
        (Phase::Publishing { .. }, (false, true)) => "database published",
        (Phase::Publishing { .. }, (true, true)) => "manifest and database published",
    }
}

/// Whether manifest and database are what the ledger has: before a commit their sources, after it their
/// targets.
fn as_recorded(scene: &Scene, state: &State) -> (bool, bool) {
    let objects = &state.store().objects;
    let content = scene.content();
    let manifest = ContentHash::of(content.manifest.as_bytes());
    (
        matches!(&objects[Layout::MANIFEST], ObjectState::Document { content, .. } if *content == manifest),
        matches!(&objects[Layout::DATABASE], ObjectState::Database { page_root, .. } if *page_root == content.page_root),
    )
}

fn finish(scene: &Scene, expected: &Outcome, point: &str) {
    tell(scene, &mut Silent).unwrap_or_else(|error| panic!("{point}: {error}"));
    let actual = scene.outcome();
    assert!(actual == *expected, "{point}: {actual:#?}, expected {expected:#?}");
}

/// Fills the disk at a milestone.
struct Filler<'a> {
    disk: &'a Disk,
    left: u64,
    at: u64,
    passed: u64,
    filled: bool,
    /// Events acknowledged.
    recorded: u64,
}

impl Observer for Filler<'_> {
    fn reached(&mut self, milestone: &Milestone<'_>) {
        if let Milestone::Recorded { size } = milestone {
            self.recorded = *size;
        }
        if self.passed == self.at {
            self.disk.fill(self.left);
            self.filled = true;
        }
        self.passed += 1;
    }
}

/// The small disk.
struct Disk {
    root: PathBuf,
}

impl Disk {
    /// Leaves so many bytes free, or fewer if there are fewer.
    fn fill(&self, left: u64) {
        let stat = rustix::fs::statvfs(&self.root).unwrap();
        let free = stat.f_bavail * stat.f_frsize;
        let file = File::create(self.filler()).unwrap();
        let bytes = free.saturating_sub(left);
        if bytes > 0 {
            rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).unwrap();
        }
    }

    fn make_space(&self) {
        let _never_filled = fs::remove_file(self.filler());
    }

    fn filler(&self) -> PathBuf {
        self.root.join("filler")
    }
}

/// Starts this binary again for the test called `part`, in a namespace in which the small disk is
/// mounted.
fn on_a_small_disk(part: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = in_a_namespace(folder.path());
    command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", part, "--nocapture", "--test-threads=1"])
        .env(DISK, folder.path())
        .env("TMPDIR", folder.path());
    if !in_a_namespace(folder.path()).arg("true").status().is_ok_and(|status| status.success()) {
        not_shown(part, "no small disk can be mounted here");
        return;
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{text}");
}

/// Runs what is added to it where a tmpfs is mounted at `folder`.
fn in_a_namespace(folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    let script = r#"mount -t tmpfs -o "$1" small "$2" && shift 2 && exec "$@""#;
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", OPTIONS])
        .arg(folder);
    command
}

/// The small disk of a started process.
fn disk() -> Option<Disk> {
    std::env::var_os(DISK).map(|root| Disk { root: PathBuf::from(root) })
}
