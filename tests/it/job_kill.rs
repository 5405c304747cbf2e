//! Jobs killed with SIGKILL: at every milestone, and at every call that makes something durable or
//! gives it its name. What is resumed afterwards must come to what an undisturbed story comes to, down
//! to the root over all events.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use glyph_ledger::migrate::{Milestone, Observer, Plan, Policy, Silent, apply, plan};
use rustix::process::{Signal, getpid, kill_process};

use crate::job_scene::{INPUTS, Outcome, Scene, accept, signer, tell};

/// The folder that a started process works in; without it the part below plays nothing.
const PART_DIR: &str = "GLYPH_LEDGER_TEST_PART_DIR";

/// The milestone, counted from 0, at which the started process kills itself.
const KILL_AT: &str = "GLYPH_LEDGER_TEST_KILL_AT";

/// The plan that the started process applies; without it, it tells the whole story.
const PLAN: &str = "GLYPH_LEDGER_TEST_PLAN";

/// Set: kill at every write as well, which takes minutes.
const EVERY_WRITE: &str = "GLYPH_LEDGER_KILL_EVERY_WRITE";

/// The calls, beside fsync, after which the world is another one. strace counts each for itself.
const DECISIVE_CALLS: [&str; 5] = ["fdatasync", "rename", "renameat", "renameat2", "unlink"];

const WRITES: [&str; 4] = ["write", "pwrite64", "pwritev", "ftruncate"];

#[test]
fn a_story_killed_at_any_milestone_ends_as_if_undisturbed() {
    let (home, scene, expected) = undisturbed();
    for at in 0.. {
        let again = scene.copy_to(&home.path().join(format!("{at}")));
        if !killed(play(&again, None, Some(at), None)) {
            assert!(at > 30, "the story has only {at} milestones");
            println!("{at} milestones");
            return;
        }
        // Killed a second time at the first thing that resuming reaches, in every other round.
        if at % 2 == 1 {
            killed(play(&again, None, Some(0), None));
        }
        finish(&again, &expected, &format!("milestone {at}"));
    }
}

#[test]
fn a_story_killed_at_any_fsync_ends_as_if_undisturbed() {
    kill_at_every(&["fsync"], Part::Story);
}

#[test]
fn a_story_killed_at_any_other_sync_or_change_of_names_ends_as_if_undisturbed() {
    let writes = std::env::var_os(EVERY_WRITE).map_or(&[][..], |_| &WRITES[..]);
    kill_at_every(&[&DECISIVE_CALLS, writes].concat(), Part::Story);
}

#[test]
fn l2_a_batch_is_whole_or_absent() {
    kill_at_every(&["pwrite64", "fdatasync"], Part::FirstRun);
}

/// What is told by the process that is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Story,
    FirstRun,
}

fn kill_at_every(calls: &[&str], part: Part) {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        println!("not shown: there is no strace here");
        return;
    }
    let (home, scene, expected) = undisturbed();
    let first = || plan(&mut scene.open().unwrap(), Some("2"), Policy::default()).unwrap();
    let plan = (part == Part::FirstRun).then(first);
    let mut points = 0;
    for call in calls {
        for nth in 1.. {
            let again = scene.copy_to(&home.path().join(format!("{call}-{nth}")));
            if !killed(play(&again, plan.as_ref(), None, Some((call, nth)))) {
                break;
            }
            points += 1;
            finish(&again, &expected, &format!("{call} {nth}"));
        }
        println!("{points} points up to {call}");
    }
    assert!(points > 40, "only {points} calls were found");
}

/// Tells the story, or applies one plan, until it is killed.
#[test]
fn part_teller() {
    let Some(dir) = std::env::var_os(PART_DIR).map(PathBuf::from) else { return };
    let scene = Scene::at(&dir);
    let mut killer = Killer { left: std::env::var(KILL_AT).ok().map(|at| at.parse().unwrap()) };
    match std::env::var(PLAN) {
        Err(_) => tell(&scene, &mut killer).unwrap(),
        Ok(plan) => {
            let plan = Plan::from_json(&plan).unwrap();
            let mut store = scene.open().unwrap();
            apply(&mut store, &plan, &accept(&plan), INPUTS, &signer(), &mut killer).unwrap();
        }
    }
}

/// Has the story told, or one plan applied, by a process that is killed at a milestone.
pub(crate) fn kill_at_milestone(scene: &Scene, plan: Option<&Plan>, at: u64) {
    assert!(killed(play(scene, plan, Some(at), None)), "it ended before milestone {at}");
}

struct Killer {
    left: Option<u64>,
}

impl Observer for Killer {
    fn reached(&mut self, _milestone: &Milestone<'_>) {
        match &mut self.left {
            Some(0) => kill_process(getpid(), Signal::KILL).unwrap(),
            Some(left) => *left -= 1,
            None => {}
        }
    }
}

/// A scene, and what its story comes to.
fn undisturbed() -> (tempfile::TempDir, Scene, Outcome) {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(&home.path().join("scene"));
    let told = scene.copy_to(&home.path().join("told"));
    tell(&told, &mut Silent).unwrap();
    let outcome = told.outcome();
    assert_eq!(outcome.certificates.len(), 3);
    assert_eq!(outcome.audit.len(), 4, "{:#?}", outcome.audit);
    (home, scene, outcome)
}

fn finish(scene: &Scene, expected: &Outcome, point: &str) {
    let size = scene.open().unwrap().ledger().state().size();
    assert!(expected.batches.contains(&size), "{point}: {size} events are half a batch");
    tell(scene, &mut Silent).unwrap_or_else(|error| panic!("{point}: {error}"));
    let actual = scene.outcome();
    assert!(actual == *expected, "{point}: {actual:#?}, expected {expected:#?}");
    std::fs::remove_dir_all(scene.home()).unwrap();
}

/// Plays the teller in a process of its own, killed at a milestone or at the n-th of some call.
fn play(
    scene: &Scene,
    plan: Option<&Plan>,
    milestone: Option<u64>,
    call: Option<(&str, u64)>,
) -> ExitStatus {
    let teller = std::env::current_exe().unwrap();
    let mut command = match call {
        None => Command::new(&teller),
        Some((call, nth)) => strace(scene.home(), &teller, call, nth),
    };
    command
        .args(["--exact", "job_kill::part_teller", "--nocapture", "--test-threads=1"])
        .env(PART_DIR, scene.home())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    if let Some(plan) = plan {
        command.env(PLAN, plan.to_json().unwrap());
    }
    if let Some(at) = milestone {
        command.env(KILL_AT, at.to_string());
    }
    command.status().unwrap()
}

fn strace(home: &Path, teller: &Path, call: &str, nth: u64) -> Command {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-o"])
        .arg(home.join("strace"))
        .arg("-e")
        .arg(format!("trace={call}"))
        .arg("-e")
        .arg(format!("inject={call}:signal=SIGKILL:when={nth}"))
        .arg(teller);
    command
}

/// Whether the process was killed; it may not have ended in any other way but well.
fn killed(status: ExitStatus) -> bool {
    let killed = status.signal() == Some(Signal::KILL.as_raw());
    assert!(killed || status.success(), "{status}");
    killed
}
