//! A run takes over what the steps made for its plan, and what it comes to is what doing them again comes to. Whatever
//! happened in between is noticed as it is by any run.

use std::fs;

use glyph_ledger::diagnostic;
use glyph_ledger::migrate::{
    Consent, Inputs, MigrateError, Milestone, Observer, Plan, Policy, RunReport, Silent, Store,
    apply, plan_to_apply, resume,
};

use crate::job_scene::{INPUTS, Scene, accept, migrate, signer};

/// What a row says, and what somebody writes over it.
const LABEL: (&[u8], &[u8]) = (b"code,test,slow", b"edit,in,place!");

fn rehearse(store: &mut Store) -> Plan {
    let consent = Consent(Some("whatever is lost".to_owned()));
    plan_to_apply(store, Some("3"), Policy::default(), &consent, INPUTS).unwrap()
}

fn carry_out(
    store: &mut Store,
    plan: &Plan,
    observer: &mut dyn Observer,
) -> Result<RunReport, MigrateError> {
    apply(store, plan, &accept(plan), INPUTS, &signer(), observer)
}

/// Looks at the folder for work copies when the first step is done.
struct Folders<'a>(&'a Scene, Vec<String>);

impl Observer for Folders<'_> {
    fn reached(&mut self, milestone: &Milestone<'_>) {
        if matches!(milestone, Milestone::Step { done: 1, .. }) {
            let work = fs::read_dir(self.0.layout().ledger().join("work")).unwrap();
            let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
            self.1 = work.map(|entry| name(entry.unwrap())).collect();
        }
    }
}

/// Whether a run of `plan` went on with the copy that the plan was made on.
fn takes_over(scene: &Scene, store: &mut Store, plan: &Plan) -> bool {
    let mut folders = Folders(scene, Vec::new());
    carry_out(store, plan, &mut folders).unwrap();
    assert_eq!(folders.1.len(), 1, "{:?}", folders.1);
    folders.1[0].starts_with("scratch.")
}

#[test]
fn a_run_that_takes_over_writes_the_very_events_of_one_that_does_it_again() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::at_version_2(&home.path().join("a"));
    let other = scene.copy_to(&home.path().join("b"));
    let mut store = scene.open().unwrap();
    let plan = rehearse(&mut store);
    assert!(takes_over(&scene, &mut store, &plan));
    drop(store);
    migrate(&mut other.open().unwrap(), "3", &mut Silent).unwrap();
    assert_eq!(scene.outcome(), other.outcome());
}

#[test]
fn steps_that_saw_another_clock_or_chance_are_done_again() {
    let other = [(INPUTS.clock_ms + 1, INPUTS.seed), (INPUTS.clock_ms, [6; 32])];
    for (clock_ms, seed) in other {
        let home = tempfile::tempdir().unwrap();
        let scene = Scene::at_version_2(home.path());
        let mut store = scene.open().unwrap();
        let plan = rehearse(&mut store);
        let mut folders = Folders(&scene, Vec::new());
        let inputs = Inputs { clock_ms, seed };
        apply(&mut store, &plan, &accept(&plan), inputs, &signer(), &mut folders).unwrap();
        assert!(!folders.1[0].starts_with("scratch."), "{:?}", folders.1);
    }
}

/// Wants to stop once it has seen as many milestones.
struct Stops {
    after: u64,
    seen: u64,
}

impl Observer for Stops {
    fn reached(&mut self, _milestone: &Milestone<'_>) {
        self.seen += 1;
    }

    fn wants_to_stop(&self) -> bool {
        self.seen >= self.after
    }
}

#[test]
fn m9_a_run_that_is_asked_to_stop_stays_open_until_it_is_committed_and_ends_as_if_undisturbed() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(&home.path().join("begun"));
    let undisturbed = scene.copy_to(&home.path().join("undisturbed"));
    migrate(&mut undisturbed.open().unwrap(), "3", &mut Silent).unwrap();
    let expected = undisturbed.outcome();
    for rehearsed in [false, true] {
        let mut stopped = 0;
        for after in 0.. {
            let scene = scene.copy_to(&home.path().join(format!("{rehearsed}{after}")));
            let before = scene.content();
            let mut store = scene.open().unwrap();
            let mut stops = Stops { after, seen: 0 };
            let ended = if rehearsed {
                let plan = rehearse(&mut store);
                carry_out(&mut store, &plan, &mut stops)
            } else {
                migrate(&mut store, "3", &mut stops)
            };
            let ends = match ended {
                Ok(_) => true,
                Err(error) => {
                    assert!(matches!(error, MigrateError::Interrupted), "{error}");
                    assert_eq!(scene.content(), before, "{after}");
                    resume(&mut store, &signer(), &mut Silent).unwrap();
                    false
                }
            };
            drop(store);
            let outcome = scene.outcome();
            assert_eq!(outcome.certificates, expected.certificates, "{after}");
            assert_eq!(outcome.content, expected.content, "{after}");
            assert_eq!(outcome.audit, expected.audit, "{after}");
            assert_eq!(outcome.left_over, expected.left_over, "{after}");
            if ends {
                break;
            }
            stopped += 1;
        }
        // After each of two steps, and before the commit.
        assert!(stopped >= 3, "{stopped}");
    }
}

#[test]
fn rows_written_in_between_are_migrated_too() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::at_version_2(home.path());
    let mut store = scene.open().unwrap();
    let plan = rehearse(&mut store);
    scene.sql("INSERT INTO realms VALUES ('mine', 'written meanwhile')");
    assert!(!takes_over(&scene, &mut store, &plan));
    assert_eq!(scene.count("SELECT count(*) FROM realms WHERE name = 'mine'"), 1);
}

#[test]
fn what_was_written_without_sqlite_in_between_is_found_before_the_commit() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::at_version_2(home.path());
    let mut store = scene.open().unwrap();
    let plan = rehearse(&mut store);
    let path = scene.layout().database();
    write_over(&path, LABEL);
    let there = fs::read(&path).unwrap();
    let error = carry_out(&mut store, &plan, &mut Silent).unwrap_err();
    assert_eq!(error.code().id, diagnostic::PLAN_STALE.id, "{error}");
    assert_eq!(fs::read(&path).unwrap(), there);
    assert!(store.pending().is_none());
    migrate(&mut store, "3", &mut Silent).unwrap();
    let now = fs::read(&path).unwrap();
    assert!(now.windows(6).any(|some| some == b"place!"), "what was written is migrated");
}

#[test]
fn a_run_whose_way_back_is_damaged_is_refused() {
    for rehearsed in [true, false] {
        let home = tempfile::tempdir().unwrap();
        let scene = Scene::at_version_2(home.path());
        let mut store = scene.open().unwrap();
        // Every migration replaces page 1; of its image the beginning of its text is no other page's.
        let page_one = fs::read(scene.layout().database()).unwrap();
        let at = page_one[..4096].windows(12).position(|some| some == b"CREATE TABLE").unwrap();
        let text = &page_one[at..at + 64];
        let packs = scene.layout().ledger().join("objects");
        for entry in fs::read_dir(packs).unwrap() {
            let path = entry.unwrap().path();
            while fs::read(&path).unwrap().windows(text.len()).any(|some| some == text) {
                write_over(&path, (text, &[b'x'; 64]));
            }
        }
        let before = fs::read(scene.layout().database()).unwrap();
        let error = if rehearsed {
            let plan = rehearse(&mut store);
            carry_out(&mut store, &plan, &mut Silent).unwrap_err()
        } else {
            migrate(&mut store, "3", &mut Silent).unwrap_err()
        };
        assert_eq!(error.code().id, diagnostic::OBJECT_DAMAGED.id, "{error}");
        assert_eq!(fs::read(scene.layout().database()).unwrap(), before);
        assert!(store.pending().is_none());
    }
}

/// Writes over the first of what a file has.
fn write_over(path: &std::path::Path, (was, now): (&[u8], &[u8])) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.windows(was.len()).position(|some| some == was).unwrap();
    bytes[at..at + now.len()].copy_from_slice(now);
    fs::write(path, bytes).unwrap();
}
