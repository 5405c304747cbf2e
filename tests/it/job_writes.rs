//! The application, and other programs, write to the store while a job is planned, at work, or killed
//! half-way. Nothing of theirs is lost or overwritten.

use glyph_ledger::diagnostic;
use glyph_ledger::ledger::Cursor;
use glyph_ledger::migrate::{
    Drift, MigrateError, Milestone, Observer, Policy, Silent, abandon, apply, plan, resume, status,
};
use glyph_ledger::target::glyph_store::Layout;

use crate::job_kill::kill_at_milestone;
use crate::job_scene::{INPUTS, Scene, accept, go_back, migrate, signer};

/// A row that only the application knows of, in a table that no migration rebuilds.
const ROW: &str = "INSERT INTO realms VALUES ('mine', 'written meanwhile')";
const ROW_IS_THERE: &str = "SELECT count(*) FROM realms WHERE name = 'mine'";
const OTHERS_LINE: &str =
    "{\"type\":\"import\",\"timestamp\":\"t\",\"actor\":\"me\",\"data\":{}}\n";

/// Milestones of the first run of a story, by what they are: `(kind, object)`.
fn milestone_of(wanted: &str) -> u64 {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let mut seen = Vec::new();
    migrate(&mut scene.open().unwrap(), "2", &mut Names(&mut seen)).unwrap();
    let at = seen.iter().position(|name| name == wanted);
    at.unwrap_or_else(|| panic!("{wanted} is not in {seen:?}")) as u64
}

struct Names<'a>(&'a mut Vec<String>);

impl Observer for Names<'_> {
    fn reached(&mut self, milestone: &Milestone<'_>) {
        self.0.push(match milestone {
            Milestone::Step { .. } => "step".to_owned(),
            Milestone::Document { .. } => "document".to_owned(),
            Milestone::Recorded { .. } => "recorded".to_owned(),
            Milestone::Publishing { object } => format!("publishing {object}"),
            Milestone::Published { object } => format!("published {object}"),
        });
    }
}

/// Does something once, at the first step.
struct AtStep<F: FnMut()>(Option<F>);

impl<F: FnMut()> Observer for AtStep<F> {
    fn reached(&mut self, milestone: &Milestone<'_>) {
        if matches!(milestone, Milestone::Step { .. })
            && let Some(mut act) = self.0.take()
        {
            act();
        }
    }
}

fn code(error: &MigrateError) -> &'static str {
    error.code().id
}

#[test]
fn rows_written_between_plan_and_apply_are_recorded_and_migrated() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let mut store = scene.open().unwrap();
    let plan = plan(&mut store, Some("2"), Policy::default()).unwrap();
    scene.sql(ROW);
    let before = store.ledger().state().size();
    apply(&mut store, &plan, &accept(&plan), INPUTS, &signer(), &mut Silent).unwrap();
    assert_eq!(scene.count(ROW_IS_THERE), 1);
    let kinds = store.ledger().events(before..before + 2).map(|event| event.unwrap().event.body);
    assert_eq!(kinds.map(|body| body.kind()).last(), Some("object.observed"));
}

#[test]
fn writes_that_are_held_wait_until_the_run_has_published() {
    for held in [false, true] {
        let home = tempfile::tempdir().unwrap();
        let scene = Scene::adopted(home.path());
        let mut store = scene.open().unwrap();
        let plan = plan(&mut store, Some("2"), Policy::default()).unwrap();
        if held {
            store.hold_writes().unwrap();
        }
        let write = || {
            let others = rusqlite::Connection::open(scene.layout().database()).unwrap();
            others.busy_timeout(std::time::Duration::ZERO).unwrap();
            others.execute_batch(ROW).is_ok()
        };
        let mut wrote = None;
        let mut observer = AtStep(Some(|| wrote = Some(write())));
        let ended = apply(&mut store, &plan, &accept(&plan), INPUTS, &signer(), &mut observer);
        assert_eq!(wrote, Some(!held));
        if held {
            ended.unwrap();
            assert!(write(), "the lock is gone with the run");
        } else {
            assert_eq!(code(&ended.unwrap_err()), diagnostic::PLAN_STALE.id);
        }
        assert_eq!(scene.count(ROW_IS_THERE), 1);
    }
}

#[test]
fn loss_beyond_what_was_planned_is_refused_also_after_a_kill() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::at_version_2(&home.path().join("a"));
    let mut store = scene.open().unwrap();
    let plan = plan(&mut store, Some("3"), Policy::default()).unwrap();
    scene.sql("INSERT INTO sources VALUES ('one more', 'c0', 'label', 'now')");
    let before = (scene.files(), plan.lost());
    let apply_it = |store: &mut _, observer: &mut dyn Observer| {
        apply(store, &plan, &accept(&plan), INPUTS, &signer(), observer)
    };
    let error = apply_it(&mut store, &mut Silent).unwrap_err();
    assert_eq!(code(&error), diagnostic::PLAN_STALE.id, "{error}");
    assert_eq!((scene.files(), plan.lost()), before);
    drop(store);

    // The same from a resumed run: the plan binds it still, though nobody has the file any more.
    let again = Scene::at_version_2(&home.path().join("b"));
    let mut store = again.open().unwrap();
    let plan = glyph_ledger::migrate::plan(&mut store, Some("3"), Policy::default()).unwrap();
    drop(store);
    again.sql("INSERT INTO sources VALUES ('one more', 'c0', 'label', 'now')");
    // Recorded are the observed row, and then the run.
    kill_at_milestone(&again, Some(&plan), 1);
    let mut store = again.open().unwrap();
    assert!(store.pending().is_some());
    let error = resume(&mut store, &signer(), &mut Silent).unwrap_err();
    assert_eq!(code(&error), diagnostic::PLAN_STALE.id, "{error}");
    assert!(store.pending().is_none());
    migrate(&mut store, "3", &mut Silent).unwrap();
}

#[test]
fn a_plan_is_stale_once_schema_or_manifest_changed() {
    for change in ["schema", "manifest"] {
        let home = tempfile::tempdir().unwrap();
        let scene = Scene::adopted(home.path());
        let mut store = scene.open().unwrap();
        let plan = plan(&mut store, Some("2"), Policy::default()).unwrap();
        match change {
            "schema" => scene.sql("CREATE TABLE extra (a)"),
            _ => edit_manifest(&scene),
        }
        let (before, size) = (scene.files(), store.ledger().state().size());
        let error =
            apply(&mut store, &plan, &accept(&plan), INPUTS, &signer(), &mut Silent).unwrap_err();
        assert_eq!(code(&error), diagnostic::PLAN_STALE.id, "{change}: {error}");
        assert_eq!(store.ledger().state().size(), size);
        assert_eq!(scene.files(), before);
        if change == "manifest" {
            migrate(&mut store, "2", &mut Silent).unwrap();
            continue;
        }
        let error = glyph_ledger::migrate::plan(&mut store, Some("2"), Policy::default());
        assert_eq!(code(&error.unwrap_err()), diagnostic::SCHEMA_DRIFT.id);
        scene.sql("DROP TABLE extra");
        migrate(&mut store, "2", &mut Silent).unwrap();
    }
}

fn edit_manifest(scene: &Scene) {
    let path = scene.layout().manifest();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"scene\"", "\"renamed\"")).unwrap();
}

#[test]
fn what_changes_during_staging_aborts_the_run_and_stays() {
    for change in ["row", "manifest"] {
        let home = tempfile::tempdir().unwrap();
        let scene = Scene::adopted(home.path());
        let mut store = scene.open().unwrap();
        let mut meanwhile = AtStep(Some(|| match change {
            "row" => scene.sql(ROW),
            _ => edit_manifest(&scene),
        }));
        let error = migrate(&mut store, "2", &mut meanwhile).unwrap_err();
        assert_eq!(code(&error), diagnostic::PLAN_STALE.id, "{change}: {error}");
        let last = store.ledger().event(store.ledger().state().size() - 1).unwrap();
        assert_eq!(last.event.body.kind(), "run.aborted");
        assert!(scene.content().manifest.contains("version: 1"));
        assert_eq!(scene.count(ROW_IS_THERE), i64::from(change == "row"));
        migrate(&mut store, "2", &mut Silent).unwrap();
        assert_eq!(scene.count(ROW_IS_THERE), i64::from(change == "row"));
        assert_eq!(scene.content().manifest.contains("renamed"), change == "manifest");
    }
}

#[test]
fn a_row_written_after_the_commit_is_a_conflict_that_abandoning_ends() {
    // Killed before any place was written, and after the manifest was.
    for killed_at in ["publishing manifest.yaml", "published manifest.yaml"] {
        let home = tempfile::tempdir().unwrap();
        let scene = Scene::adopted(home.path());
        kill_at_milestone(&scene, None, milestone_of(killed_at));
        scene.sql(ROW);
        let before = scene.files();
        let mut store = scene.open().unwrap();
        let error = resume(&mut store, &signer(), &mut Silent).unwrap_err();
        assert_eq!(code(&error), diagnostic::PUBLISH_CONFLICT.id, "{killed_at}: {error}");
        assert!(error.to_string().contains("store.db"), "{error}");
        assert_eq!(scene.files(), before, "{killed_at}");
        for error in [
            plan(&mut store, None, Policy::default()).map(drop).unwrap_err(),
            go_back(&mut store, 5, &mut Silent).map(drop).unwrap_err(),
        ] {
            assert_eq!(code(&error), diagnostic::RUN_PENDING.id);
        }
        abandon(&mut store, "the row matters more", &signer(), &mut Silent).unwrap();
        assert_eq!(scene.count(ROW_IS_THERE), 1);
        assert_eq!(store.ledger().state().store().version, "1", "{killed_at}");
        let found = status(&scene.open_store(), &store, true).unwrap();
        assert_eq!(found.version.as_deref(), Some("1"));
        assert!(found.drift.iter().all(|(_, drift)| *drift == Drift::None), "{:?}", found.drift);
        migrate(&mut store, "2", &mut Silent).unwrap();
        assert_eq!(scene.count(ROW_IS_THERE), 1);
    }
}

#[test]
fn a_half_published_run_can_be_abandoned_without_a_conflict_too() {
    for (killed_at, version) in [
        ("publishing manifest.yaml", "1"),
        ("published manifest.yaml", "1"),
        ("published store.db", "2"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let scene = Scene::adopted(home.path());
        kill_at_milestone(&scene, None, milestone_of(killed_at));
        let unfinished = scene.layout().root().join("manifest.yaml.new");
        std::fs::write(&unfinished, "store:").unwrap();
        let mut store = scene.open().unwrap();
        abandon(&mut store, "no more", &signer(), &mut Silent).unwrap();
        assert!(!unfinished.exists());
        assert_eq!(store.ledger().state().store().version, version, "{killed_at}");
        // What `undo` takes back: the run that was given up, if it left anything, and nothing else.
        let undone = store.ledger().resolve(&Cursor::RunsBack(1)).ok();
        let begun = store.ledger().state().runs().finished.last().unwrap().started_seq;
        assert_eq!(undone, (killed_at == "published store.db").then_some(begun), "{killed_at}");
        migrate(&mut store, "3", &mut Silent).unwrap();
    }
}

#[test]
fn a_manifest_edited_after_the_commit_is_kept_and_the_run_can_be_abandoned() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    kill_at_milestone(&scene, None, milestone_of("published manifest.yaml"));
    edit_manifest(&scene);
    let mut store = scene.open().unwrap();
    let before = scene.files();
    let error = resume(&mut store, &signer(), &mut Silent).unwrap_err();
    assert_eq!(code(&error), diagnostic::PUBLISH_CONFLICT.id);
    assert!(error.to_string().contains("manifest.yaml"), "{error}");
    assert_eq!(scene.files(), before);
    abandon(&mut store, "edited", &signer(), &mut Silent).unwrap();
    assert_eq!(scene.files(), before);
    // The manifest says 2 and the database 1: that is said until one of them is mended.
    let error = plan(&mut store, None, Policy::default()).unwrap_err();
    assert_eq!(code(&error), diagnostic::STORE_DISAGREES.id);
    let text = scene.content().manifest.replace("version: 2", "version: 1");
    let text = text.replace("min_reader: 2", "min_reader: 1");
    std::fs::write(scene.layout().manifest(), text).unwrap();
    migrate(&mut store, "2", &mut Silent).unwrap();
    assert!(scene.content().manifest.contains("renamed"));
}

#[test]
fn a_row_written_after_publishing_is_kept_when_the_run_is_ended() {
    for shape in ["1", "1-semantic"] {
        let home = tempfile::tempdir().unwrap();
        let scene = Scene::created(home.path());
        if shape == "1-semantic" {
            scene.sql(crate::job_scene::SEMANTIC_COLUMNS);
        }
        scene.init().unwrap();
        kill_at_milestone(&scene, None, milestone_of("published store.db"));
        scene.sql(ROW);
        let mut store = scene.open().unwrap();
        let report = resume(&mut store, &signer(), &mut Silent);
        let report = report.unwrap_or_else(|error| panic!("{shape}: {error}"));
        assert_eq!(report.to, "2");
        assert_eq!(scene.count(ROW_IS_THERE), 1);
        migrate(&mut store, "3", &mut Silent).unwrap();
        assert_eq!(scene.count(ROW_IS_THERE), 1);
    }
}

#[test]
fn s9_earlier_audit_lines_keep_their_bytes() {
    let points = [
        "step",
        "publishing manifest.yaml",
        "published manifest.yaml",
        "published store.db",
        "publishing audit/events.jsonl",
        "published audit/events.jsonl",
    ];
    for point in points {
        let home = tempfile::tempdir().unwrap();
        let scene = Scene::adopted(home.path());
        let first = scene.audit_lines();
        scene.audit(OTHERS_LINE);
        kill_at_milestone(&scene, None, milestone_of(point));
        scene.audit(&OTHERS_LINE.replace("import", "second"));
        let mut store = scene.open().unwrap();
        resume(&mut store, &signer(), &mut Silent).unwrap_or_else(|e| panic!("{point}: {e}"));
        let lines = scene.audit_lines();
        let ours = lines.iter().filter(|line| line.contains("store_migrated")).count();
        assert_eq!((lines.len(), ours), (4, 1), "{point}: {lines:#?}");
        assert_eq!(lines[0], first[0]);
        assert_eq!(lines[1], OTHERS_LINE.trim_end());
        assert!(lines[2..].iter().any(|line| line.contains("second")), "{point}");
        // What others wrote after the run's own line is observed by the next job.
        migrate(&mut store, "3", &mut Silent).unwrap();
        assert_eq!(scene.audit_lines()[..4], lines);
    }
}

#[test]
fn an_audit_line_that_was_half_written_is_completed() {
    for others in ["", OTHERS_LINE] {
        let home = tempfile::tempdir().unwrap();
        let scene = Scene::adopted(&home.path().join("scene"));
        let whole = {
            let told = scene.copy_to(&home.path().join("told"));
            migrate(&mut told.open().unwrap(), "2", &mut Silent).unwrap();
            told.audit_lines()[1].clone()
        };
        kill_at_milestone(&scene, None, milestone_of("published store.db"));
        scene.audit(others);
        scene.audit(&whole[..whole.len() / 2]);
        resume(&mut scene.open().unwrap(), &signer(), &mut Silent).unwrap();
        assert_eq!(scene.audit_lines().last(), Some(&whole));
        assert_eq!(scene.audit_lines().len(), 2 + usize::from(!others.is_empty()));
    }
}

#[test]
fn a_line_that_somebody_else_has_begun_is_never_continued() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let mut store = scene.open().unwrap();
    scene.audit("{\"type\":\"import\"");
    let before = scene.files();
    let error = plan(&mut store, None, Policy::default()).unwrap_err();
    assert_eq!(code(&error), diagnostic::BUSY.id, "{error}");
    assert_eq!(scene.files(), before);
    drop(store);
    scene.audit("}\n");
    kill_at_milestone(&scene, None, milestone_of("published store.db"));
    scene.audit("{\"type\":\"export\"");
    let mut store = scene.open().unwrap();
    let error = resume(&mut store, &signer(), &mut Silent).unwrap_err();
    assert_eq!(code(&error), diagnostic::PUBLISH_CONFLICT.id, "{error}");
    assert!(error.to_string().contains(Layout::AUDIT), "{error}");
    scene.audit("}\n");
    resume(&mut store, &signer(), &mut Silent).unwrap();
    assert_eq!(scene.audit_lines().len(), 4);
}
