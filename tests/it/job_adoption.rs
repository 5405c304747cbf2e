//! Taking stores into care: new ones, and ones that other programs made.

use std::fs;

use glyph_ledger::diagnostic;
use glyph_ledger::migrate::{Compatibility, Drift, Policy, Silent, plan, status};
use glyph_ledger::target::glyph_store::Layout;
use ledger_format::body::{Cause, Origin};

#[path = "../../examples/migrate.rs"]
mod example;

use crate::job_scene::{SEMANTIC_COLUMNS, Scene, files_below, migrate};

#[test]
fn s1_init_creates_a_store() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::at(home.path());
    let (store, adoption) = scene.init().unwrap();
    assert_eq!((adoption.origin, adoption.version.as_str()), (Origin::Created, "1"));
    let layout = scene.layout();
    for there in [layout.manifest(), layout.database(), layout.audit(), layout.ledger()] {
        assert!(there.exists(), "{}", there.display());
    }
    assert!(scene.audit_lines()[0].contains("store_init"));
    assert!(scene.content().manifest.contains("version: 1"));
    drop(store);
    let error = scene.init().map(drop).unwrap_err();
    assert_eq!(error.code().id, diagnostic::ALREADY_HERE.id);
    migrate(&mut scene.open().unwrap(), "3", &mut Silent).unwrap();
}

/// A store as another program leaves it: its own manifest, its own history, rows in a write-ahead log.
fn by_hand(scene: &Scene, semantic: bool) {
    let root = scene.layout().root().to_owned();
    scene.sql("INSERT INTO realms VALUES ('main', 'by hand')");
    if semantic {
        scene.sql(SEMANTIC_COLUMNS);
    }
    let manifest = "# made by glyph 0.4\r\nproject: by hand\r\nstore:\r\n    created_by: 'glyph/0.4'\r\n    version: 1 # the first\r\n    audit_log: audit/events.jsonl\r\n";
    fs::write(scene.layout().manifest(), manifest).unwrap();
    scene.audit("{\"type\": \"import\",   \"actor\":\"\u{fc}\"}\r\n\n{\"type\":\"x\"}\n");
    fs::write(root.join("content/blob"), [0, 1, 2, 255]).unwrap();
}

#[test]
fn s1_adopting_keeps_the_audit_history() {
    for (semantic, version) in [(false, "1"), (true, "1-semantic")] {
        let home = tempfile::tempdir().unwrap();
        let scene = Scene::created(home.path());
        by_hand(&scene, semantic);
        let before = scene.files();
        let history = fs::read(scene.layout().audit()).unwrap();
        let (mut store, adoption) = scene.init().unwrap();
        assert_eq!((adoption.origin, adoption.version.as_str()), (Origin::Adopted, version));
        assert_eq!(scene.files(), before, "{version}");
        let baselines = store.ledger().events(0..u64::MAX).filter(|event| {
            let body = &event.as_ref().unwrap().event.body;
            matches!(body, ledger_format::body::Body::ObjectObserved(body) if body.cause == Cause::Baseline)
        });
        assert_eq!(baselines.count(), 3);
        migrate(&mut store, "3", &mut Silent).unwrap();
        let after = fs::read(scene.layout().audit()).unwrap();
        assert!(after.starts_with(&history));
        assert_eq!(scene.audit_lines().len(), 5);
        // The manifest keeps its comments, its line ends and everything that is not the version.
        let manifest = scene.content().manifest;
        assert!(manifest.starts_with("# made by glyph 0.4\r\nproject: by hand\r\n"), "{manifest}");
        assert!(
            manifest.contains("    version: 3 # the first\r\n    min_reader: 3\r\n"),
            "{manifest}"
        );
        assert_eq!(scene.count("SELECT count(*) FROM realms"), 1);
    }
}

#[test]
fn what_is_no_store_of_a_known_version_is_not_adopted() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::created(home.path());
    let manifest = scene.layout().manifest();
    let good = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, good.replace("version: 1", "version: 99")).unwrap();
    let before = files_below(scene.home());
    let error = scene.init().map(drop).unwrap_err();
    assert_eq!(error.code().id, diagnostic::MIGRATION_VERSION_UNKNOWN.id);
    assert_eq!(files_below(scene.home()), before);
    // The database says something else: known only once it is read. The adoption can be done again.
    fs::write(&manifest, good.replace("version: 1", "version: 2")).unwrap();
    let before = scene.files();
    let error = scene.init().map(drop).unwrap_err();
    assert_eq!(error.code().id, diagnostic::STORE_DISAGREES.id);
    assert_eq!(scene.files(), before);
    fs::write(&manifest, good).unwrap();
    scene.init().unwrap();
}

#[test]
fn s3_opening_never_migrates() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let (before, size) = (scene.files(), scene.open().unwrap().ledger().state().size());
    for deep in [false, true] {
        let mut store = scene.open().unwrap();
        let found = status(&scene.open_store(), &store, deep).unwrap();
        assert_eq!((found.version.as_deref(), found.target.as_str()), (Some("1"), "3"));
        assert_eq!(found.path, ["2", "3"]);
        plan(&mut store, None, Policy::default()).unwrap();
    }
    assert_eq!(scene.files(), before);
    assert_eq!(scene.open().unwrap().ledger().state().size(), size);
}

#[test]
fn s10_status_tells_schema_drift_from_data_change() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::at_version_2(home.path());
    let drift = |deep| {
        let store = scene.open().unwrap();
        let found = status(&scene.open_store(), &store, deep).unwrap();
        let of = |object: &str| {
            let mut drift = found.drift.iter();
            drift.find(|(held, _)| held == object).unwrap().1
        };
        let expected = Compatibility {
            min_readable: 1,
            max_readable: 3,
            writable: 3,
            min_reader: 2,
            ..found.compatibility.clone().unwrap()
        };
        assert_eq!(found.compatibility, Some(expected));
        assert_eq!((found.version.as_deref(), found.runs), (Some("2"), 1));
        [Layout::MANIFEST, Layout::DATABASE, Layout::AUDIT].map(of)
    };
    assert_eq!(drift(true), [Drift::None; 3]);
    assert_eq!(drift(false)[1], Drift::NotChecked);
    scene.sql("INSERT INTO realms VALUES ('a', '')");
    scene.audit("{}\n");
    assert_eq!(drift(true), [Drift::None, Drift::DataChange, Drift::DataChange]);
    scene.sql("CREATE TABLE extra (a)");
    let manifest = scene.content().manifest;
    fs::write(scene.layout().manifest(), manifest + "# mine\n").unwrap();
    let audit = fs::read_to_string(scene.layout().audit()).unwrap();
    fs::write(scene.layout().audit(), audit.replacen("scene", "Scene", 1)).unwrap();
    for deep in [false, true] {
        let expected = [Drift::DocumentChange, Drift::SchemaDrift, Drift::HistoryChanged];
        assert_eq!(drift(deep), expected);
    }
}

#[test]
fn p4_the_demo_migration_runs_from_rust() {
    example::main().unwrap();
}
