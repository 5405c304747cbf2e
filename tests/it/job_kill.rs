//! Jobs killed with SIGKILL: at every milestone, and at every call that makes something durable or
//! gives it its name. What is resumed afterwards must come to what an undisturbed story comes to, down
//! to the root over all events.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use glyph_ledger::migrate::{Milestone, Observer, Plan, Silent, apply};
use glyph_ledger::target::glyph_store::Layout;
use ledger_format::body::{Body, Cause, ObjectObserved};
use rustix::process::{Signal, getpid, kill_process};

use crate::job_scene::{INPUTS, Outcome, Scene, accept, signer, tell};
use crate::support::not_shown;

/// The folder that a started process works in; without it the part below plays nothing.
const PART_DIR: &str = "GLYPH_LEDGER_TEST_PART_DIR";

/// The milestone, counted from 0, at which the started process kills itself.
const KILL_AT: &str = "GLYPH_LEDGER_TEST_KILL_AT";

/// What the started process does: [`STORY`], [`BATCHES`], or a plan as JSON.
const PART: &str = "GLYPH_LEDGER_TEST_PART";
const STORY: &str = "story";
const BATCHES: &str = "batches";

/// Set: kill at every write as well, which takes minutes.
const EVERY_WRITE: &str = "GLYPH_LEDGER_KILL_EVERY_WRITE";

/// Calls that write, make way or cut off, beside those that sync and rename.
const WRITES: [&str; 5] = ["write", "pwrite64", "ftruncate", "unlink", "unlinkat"];

#[test]
fn a_story_killed_at_any_milestone_ends_as_if_undisturbed() {
    let (home, scene, expected) = undisturbed();
    for at in 0.. {
        let again = scene.copy_to(&home.path().join(format!("{at}")));
        if !killed(play(&again, Part::Story, Until::Milestone(at))) {
            assert!(at > 30, "the story has only {at} milestones");
            println!("{at} milestones");
            return;
        }
        // Killed a second time at the first thing that resuming reaches, in every other round.
        if at % 2 == 1 {
            killed(play(&again, Part::Story, Until::Milestone(0)));
        }
        finish(&again, &expected, &format!("milestone {at}"));
    }
}

#[test]
fn a_story_killed_at_any_fsync_ends_as_if_undisturbed() {
    kill_a_story_at_every(&["fsync"]);
}

#[test]
fn a_story_killed_at_any_other_sync_or_rename_ends_as_if_undisturbed() {
    let writes = std::env::var_os(EVERY_WRITE).map_or(&[][..], |_| &WRITES[..]);
    kill_a_story_at_every(&[&["fdatasync", "rename", "renameat", "renameat2"], writes].concat());
}

fn kill_a_story_at_every(calls: &[&'static str]) {
    let (home, scene, expected) = undisturbed();
    let points = kill_at_every(&home, &scene, Part::Story, calls, |again, point| {
        finish(again, &expected, point);
    });
    assert!(points.is_none_or(|points| points > 40), "only {points:?} calls were found");
}

#[test]
fn l2_a_batch_is_whole_or_absent() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(&home.path().join("scene"));
    let whole = scene.copy_to(&home.path().join("whole"));
    append_batches(&whole);
    let expected = whole.outcome();
    let calls = ["pwrite64", "sync_file_range", "fdatasync", "fsync", "rename"];
    let points = kill_at_every(&home, &scene, Part::Batches, &calls, |again, point| {
        let size = again.open_ledger().state().size();
        assert!(expected.batches.contains(&size), "{point}: {size} events are half a batch");
        append_batches(again);
        assert_eq!(again.outcome(), expected, "{point}");
    });
    assert!(points.is_none_or(|points| points > 15), "only {points:?} calls were found");
}

/// Kills a process at every one of `calls`, each time on a new copy of `scene`, which `judge` is then
/// given. The number of points, if there is a strace to find them.
fn kill_at_every(
    home: &tempfile::TempDir,
    scene: &Scene,
    part: Part<'_>,
    calls: &[&'static str],
    judge: impl Fn(&Scene, &str),
) -> Option<u64> {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        not_shown("a kill at every call", "there is no strace here");
        return None;
    }
    let mut points = 0;
    for call in calls {
        for nth in 1.. {
            let again = scene.copy_to(&home.path().join(format!("{call}-{nth}")));
            if !killed(play(&again, part, Until::Call(call, nth))) {
                break;
            }
            points += 1;
            judge(&again, &format!("{call} {nth}"));
            std::fs::remove_dir_all(again.home()).unwrap();
        }
        println!("{points} points up to {call}");
    }
    Some(points)
}

/// What the process that is killed does.
#[derive(Clone, Copy)]
enum Part<'a> {
    /// The whole story.
    Story,
    /// One plan.
    Apply(&'a Plan),
    /// Batches that no job knows of.
    Batches,
}

/// When it is killed.
#[derive(Clone, Copy)]
enum Until {
    /// At the milestone of this number, counted from 0.
    Milestone(u64),
    /// Before the n-th of some system call, counted from 1.
    Call(&'static str, u64),
}

/// Plays a part until it is killed.
#[test]
fn part_player() {
    let Some(dir) = std::env::var_os(PART_DIR).map(PathBuf::from) else { return };
    let scene = Scene::at(&dir);
    let mut killer = Killer { left: std::env::var(KILL_AT).ok().map(|at| at.parse().unwrap()) };
    match std::env::var(PART).unwrap().as_str() {
        STORY => tell(&scene, &mut killer).unwrap(),
        BATCHES => append_batches(&scene),
        plan => {
            let plan = Plan::from_json(plan).unwrap();
            let mut store = scene.open().unwrap();
            apply(&mut store, &plan, &accept(&plan), INPUTS, &signer(), &mut killer).unwrap();
        }
    }
}

/// Makes the ledger longer by three batches, as far as it is not.
fn append_batches(scene: &Scene) {
    let mut ledger = scene.open_ledger();
    let state = ledger.state().store().objects[Layout::AUDIT].clone();
    let object = Layout::AUDIT.to_owned();
    let observed = Body::from(ObjectObserved { object, cause: Cause::DataChange, state });
    let mut end = 5;
    for events in [1, 40, 300] {
        end += events;
        if ledger.state().size() < end {
            let bodies = vec![observed.clone(); usize::try_from(events).unwrap()];
            ledger.append(&signer(), bodies).unwrap();
        }
    }
}

/// Has one plan applied, or the story told, by a process that is killed at a milestone.
pub(crate) fn kill_at_milestone(scene: &Scene, plan: Option<&Plan>, at: u64) {
    let part = plan.map_or(Part::Story, Part::Apply);
    assert!(killed(play(scene, part, Until::Milestone(at))), "it ended before milestone {at}");
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
    tell(scene, &mut Silent).unwrap_or_else(|error| panic!("{point}: {error}"));
    let actual = scene.outcome();
    assert!(actual == *expected, "{point}: {actual:#?}, expected {expected:#?}");
}

/// Has a part played by a process of its own.
fn play(scene: &Scene, part: Part<'_>, until: Until) -> ExitStatus {
    let player = std::env::current_exe().unwrap();
    let mut command = match until {
        Until::Milestone(at) => {
            let mut command = Command::new(&player);
            command.env(KILL_AT, at.to_string());
            command
        }
        Until::Call(call, nth) => strace(scene.home(), &player, call, nth),
    };
    let part = match part {
        Part::Story => STORY.to_owned(),
        Part::Batches => BATCHES.to_owned(),
        Part::Apply(plan) => plan.to_json().unwrap(),
    };
    command
        .args(["--exact", "job_kill::part_player", "--nocapture", "--test-threads=1"])
        .env(PART_DIR, scene.home())
        .env(PART, part)
        .stdout(Stdio::null())
        .status()
        .unwrap()
}

fn strace(home: &Path, player: &Path, call: &str, nth: u64) -> Command {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-o"])
        .arg(home.join("strace"))
        .arg("-e")
        .arg(format!("trace={call}"))
        .arg("-e")
        .arg(format!("inject={call}:signal=SIGKILL:when={nth}"))
        .arg(player);
    command
}

/// Whether the process was killed; it may not have ended in any other way but well.
fn killed(status: ExitStatus) -> bool {
    let killed = status.signal() == Some(Signal::KILL.as_raw());
    assert!(killed || status.success(), "{status}");
    killed
}
