//! The migration of an application's database, killed around what makes it durable. What is resumed must come to the same
//! pages and the same certificate as an undisturbed run.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::databases::{INIT_COMMAND, an_application, database, page_root};
use crate::support::{Place, beside, copy, done, not_shown};

/// Set: kill at every call; else at some.
pub(crate) const EVERYWHERE: &str = "GLYPH_LEDGER_KILL_EVERYWHERE";

/// Calls to kill at, and how many of them to pass over from one point to the next.
const CALLS: [(&str, usize); 4] =
    [("renameat", 1), ("fdatasync", 3), ("fsync", 5), ("pwrite64", 11)];

const SCRIPTS: [(&str, &str); 4] = [
    (
        "1_init.sql",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
        INSERT INTO t SELECT i, 'a' || i FROM n;",
    ),
    (
        "2_rebuild.sql",
        "PRAGMA foreign_keys = OFF; CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT, b TEXT);
        INSERT INTO n SELECT id, a, 'b' || id FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
    ),
    ("3_own.sql", "BEGIN; CREATE INDEX i ON t(b); COMMIT; VACUUM;"),
    ("4_data.sql", "UPDATE t SET a = b WHERE id % 7 = 0;"),
];

/// Page root of the database, version, certificates.
type Outcome = (String, String, Vec<String>);

#[test]
fn s5_a_database_killed_anywhere_ends_as_if_undisturbed() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return not_shown("a database killed at every call", "there is no strace here");
    }
    let place = planned();
    done(&place, &apply(&place).iter().map(String::as_str).collect::<Vec<_>>());
    let expected = outcome(&place);
    assert_eq!((expected.1.as_str(), expected.2.len()), ("4", 1));
    reset(&place);
    let everywhere = std::env::var_os(EVERYWHERE).is_some();
    let (mut points, mut resumed) = (0, 0);
    for (call, stride) in CALLS {
        let mut nth = 1;
        while killed(&place, call, nth) {
            points += 1;
            resumed += usize::from(finish(&place));
            assert!(outcome(&place) == expected, "{call} {nth}: {:?}", outcome(&place));
            nth += if everywhere { 1 } else { stride };
            reset(&place);
        }
        reset(&place);
    }
    assert!(points > 10 && resumed > 5, "{points} points, {resumed} resumed");
}

/// Calls to kill a pruning at: every one, there are few.
const PRUNING_CALLS: [&str; 5] = ["renameat", "fdatasync", "fsync", "unlink", "openat"];

const PRUNE: [&str; 6] = ["image", "prune", "--keep", "@", "--reason", "space"];

#[test]
fn s4_a_pruning_killed_anywhere_is_finished_by_the_next() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return not_shown("a pruning killed at every call", "there is no strace here");
    }
    let place = planned();
    done(&place, &apply(&place).iter().map(String::as_str).collect::<Vec<_>>());
    keep(&place);
    let agreed = agreed(&place).unwrap();
    done(&place, &agreed.iter().map(String::as_str).collect::<Vec<_>>());
    let expected = pruned(&place);
    assert!(expected.1 > 0);
    reset(&place);
    let (mut points, mut said_and_not_done) = (0, 0);
    for call in PRUNING_CALLS {
        // Most files are opened long before anything is written.
        let stride = if call == "openat" { 9 } else { 1 };
        let mut nth = 1;
        while killed_at(&place, &agreed, call, nth) {
            points += 1;
            let log = done(&place, &["log", "--json"]).stdout;
            // Nobody takes it for damage, however far it came.
            let judged = place.run(&["verify-chain", "--objects", "--json"]);
            assert_eq!(judged.json()["data"]["objects"]["bad"], 0, "{call} {nth}: {judged:?}");
            while let Some(again) = self::agreed(&place) {
                said_and_not_done += usize::from(log.contains("object.pruned"));
                done(&place, &again.iter().map(String::as_str).collect::<Vec<_>>());
            }
            assert_eq!(pruned(&place), expected, "{call} {nth}");
            nth += stride;
            reset(&place);
        }
        reset(&place);
    }
    assert!(points > 10 && said_and_not_done > 0, "{points} points, {said_and_not_done}");
}

/// The command that prunes what can be, if anything can.
fn agreed(place: &Place) -> Option<Vec<String>> {
    let said = place.run(&[&PRUNE[..], &["--json"]].concat());
    let told = said.json()["data"].clone();
    let something = told["images"] != 0 || told["objects"] != 0;
    assert_eq!(said.exit, if something { 5 } else { 0 }, "{said:?}");
    let id = told["id"].as_str().unwrap().to_owned();
    let words = PRUNE.iter().copied().chain(["--yes", &id]).map(str::to_owned).collect();
    something.then_some(words)
}

/// What is left: the images, how many were given up, and the bytes of all packs.
fn pruned(place: &Place) -> (serde_json::Value, u64, u64) {
    let list = done(place, &["image", "list", "--json"]).json()["data"].clone();
    let packs = fs::read_dir(place.work().join(".glyph-ledger/objects")).unwrap();
    let packs = packs.map(|entry| entry.unwrap().path());
    let packs = packs.filter(|path| path.extension().is_some_and(|end| end == "pack"));
    let bytes = packs.map(|pack| fs::metadata(pack).unwrap().len()).sum();
    let images: Vec<_> =
        list["images"].as_array().unwrap().iter().map(|image| image["root"].clone()).collect();
    (images.into(), list["pruned"].as_u64().unwrap(), bytes)
}

/// A database with rows, and a plan for it; kept to come back to.
fn planned() -> Place {
    let place = an_application(&[SCRIPTS[0]]);
    for (name, sql) in SCRIPTS {
        fs::write(place.work().join("db/migrations").join(name), sql).unwrap();
    }
    done(&place, &INIT_COMMAND);
    done(&place, &["plan", "-o", "../plan.json"]);
    keep(&place);
    place
}

/// Keeps everything as it is, to come back to.
pub(crate) fn keep(place: &Place) {
    for (from, kept) in [(place.work(), "work-kept"), (place.home(), "home-kept")] {
        let kept = beside(place, kept);
        let _none_yet = fs::remove_dir_all(&kept);
        copy(&from, &kept);
    }
}

pub(crate) fn reset(place: &Place) {
    for (to, kept) in [(place.work(), "work-kept"), (place.home(), "home-kept")] {
        fs::remove_dir_all(&to).unwrap();
        copy(&beside(place, kept), &to);
    }
    let key = place.home().join("config/key.pem");
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// The command that applies the plan.
fn apply(place: &Place) -> Vec<String> {
    let text = fs::read_to_string(beside(place, "plan.json")).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    let id = plan["id"].as_str().unwrap();
    ["apply", "../plan.json", "--accept-lossy", id].map(str::to_owned).into()
}

/// Whether applying the plan died of being killed before the n-th of some call.
fn killed(place: &Place, call: &str, nth: usize) -> bool {
    killed_at(place, &apply(place), call, nth)
}

pub(crate) fn killed_at(place: &Place, words: &[String], call: &str, nth: usize) -> bool {
    let program = place.command(&[]);
    let mut command = Command::new("strace");
    command
        .args(["-f", "-o"])
        .arg(beside(place, "strace"))
        .args(["-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=SIGKILL:when={nth}")])
        .arg(program.get_program())
        .args(words)
        .env("GLYPH_LEDGER_HOME", place.home())
        .current_dir(place.work())
        .stdin(Stdio::null());
    let status = command.output().unwrap().status;
    let killed = status.signal() == Some(Signal::KILL.as_raw());
    assert!(killed || status.success(), "{call} {nth}: {status}");
    killed
}

/// Goes on with what was killed: resumes the run, or begins it if it had not begun. Whether there was a run to resume.
fn finish(place: &Place) -> bool {
    let said = place.run(&["migration", "resume", "--json"]);
    if said.exit == 0 {
        return true;
    }
    assert_eq!(said.json()["diagnostics"][0]["code"], "NO_RUN", "{said:?}");
    if outcome(place).2.is_empty() {
        done(place, &apply(place).iter().map(String::as_str).collect::<Vec<_>>());
    }
    false
}

fn outcome(place: &Place) -> Outcome {
    let log = done(place, &["log", "--json"]).json();
    let events = log["data"]["events"].as_array().unwrap();
    let committed = events.iter().filter(|event| event["kind"] == "run.committed");
    let certificates = committed.map(|event| event["summary"].as_str().unwrap().to_owned());
    let status = done(place, &["status", "--json"]).json();
    let version = status["data"]["version"].as_str().unwrap().to_owned();
    (page_root(&database(place)), version, certificates.collect())
}
