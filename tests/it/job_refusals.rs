//! What a job is not done for: each refusal has its code, leaves every byte of the store as it was, and
//! stands in nobody's way afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use ed25519_dalek::SigningKey;
use glyph_ledger::contract::{Contract, Edge, Sql, Step};
use glyph_ledger::diagnostic::{self, Code};
use glyph_ledger::effects::KeySigner;
use glyph_ledger::ledger::LedgerError;
use glyph_ledger::log::sled::OpenError;
use glyph_ledger::migrate::{
    Consent, MigrateError, Plan, Policy, Silent, abandon, apply, plan, resume, status,
};

use crate::job_kill::kill_at_milestone;
use crate::job_scene::{INPUTS, Scene, accept, files_below, go_back, migrate, signer};

type Files = BTreeMap<PathBuf, (u32, Vec<u8>)>;

/// Every file there is, the ledger's and the pins' among them.
fn everything(scene: &Scene) -> Files {
    let mut files = files_below(scene.home());
    files.retain(|path, _| path.extension().is_none_or(|end| end != "db-shm"));
    files
}

fn assert_code<T: std::fmt::Debug>(answer: Result<T, MigrateError>, code: &Code) -> String {
    let error = answer.unwrap_err();
    assert_eq!(error.code().id, code.id, "{error}");
    error.to_string()
}

#[test]
fn s2_a_newer_store_is_refused_from_its_manifest() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let manifest = scene.layout().manifest();
    let good = fs::read_to_string(&manifest).unwrap();
    for (from, to, code, said) in [
        ("version: 1", "version: 99", &diagnostic::MIGRATION_VERSION_UNKNOWN, "1 to 3"),
        ("version: 1", "version: 1\n  min_reader: 4", &diagnostic::MIGRATION_VERSION_UNKNOWN, "4"),
        ("version: 1", "version: 0", &diagnostic::MIGRATION_VERSION_UNKNOWN, "1 to 3"),
        ("version: 1", "revision: 1", &diagnostic::MANIFEST_INVALID, "store.version"),
        ("version: 1", "version: one", &diagnostic::MANIFEST_INVALID, "store.version"),
        ("version: 1", "version: 1\n  min_reader: ~", &diagnostic::MANIFEST_INVALID, "min_reader"),
        ("store:", "store: [", &diagnostic::MANIFEST_INVALID, "YAML"),
    ] {
        fs::write(&manifest, good.replacen(from, to, 1)).unwrap();
        // Nobody may even open what the manifest shows to be too new: a database that cannot be
        // opened without an error would show.
        let database = fs::read(scene.layout().database()).unwrap();
        fs::write(scene.layout().database(), "not to be read").unwrap();
        let before = everything(&scene);
        let said_instead = assert_code(scene.open().map(drop), code);
        assert!(said_instead.contains(said), "{to}: {said_instead}");
        assert_eq!(everything(&scene), before, "{to}");
        fs::write(scene.layout().database(), database).unwrap();
    }
    fs::write(&manifest, good).unwrap();
    migrate(&mut scene.open().unwrap(), "2", &mut Silent).unwrap();
}

#[test]
fn a_manifest_and_a_database_that_disagree_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let state = "UPDATE meta SET value = '2' WHERE key = 'store_version'";
    scene.sql(state);
    let mut store = scene.open().unwrap();
    let (before, size) = (everything(&scene), store.ledger().state().size());
    let said = assert_code(plan(&mut store, None, Policy::default()), &diagnostic::STORE_DISAGREES);
    assert!(said.contains("manifest") && said.contains("states 2"), "{said}");
    assert_code(status(&scene.open_store(), &store, false), &diagnostic::STORE_DISAGREES);
    assert_code(go_back(&mut store, size, &mut Silent), &diagnostic::STORE_DISAGREES);
    assert_eq!((everything(&scene), store.ledger().state().size()), (before, size));
    scene.sql(&state.replace("'2'", "'1'"));
    migrate(&mut store, "2", &mut Silent).unwrap();
}

/// A contract whose only edge leads from 1 to 2 by these scripts.
fn contract_of(scripts: &[(&str, &str)], lossy: &[&str]) -> Contract {
    let mut contract = glyph_ledger::target::glyph_store::built_in_contract().unwrap();
    contract.contract_version = "1.9.0".to_owned();
    contract.edges = vec![Edge {
        steps: scripts.iter().map(|(name, _)| sql_step(name)).collect(),
        lossy: lossy.iter().map(|lost| (*lost).to_owned()).collect(),
        ..contract.edges[0].clone()
    }];
    contract.edges[0].proof.drops_nothing = lossy.is_empty();
    contract.scripts =
        scripts.iter().map(|(name, sql)| ((*name).to_owned(), sql.as_bytes().to_vec())).collect();
    contract
}

fn sql_step(script: &str) -> Step {
    Step::Sql(Sql::of(script))
}

const FIRST: &str = "CREATE TABLE first (a);";
const LAST: &str = "ALTER TABLE publications ADD COLUMN semantic_type TEXT NOT NULL DEFAULT '';
UPDATE meta SET value = '2' WHERE key = 'store_version';";

/// Fails only once the application has written a row, so that planning finds nothing.
const FAILS_LATER: &str = "-- The second step.
CREATE TABLE second (name TEXT UNIQUE);
INSERT INTO second
    SELECT description FROM realms;
";

#[test]
fn m7_a_failing_step_leaves_the_store_untouched() {
    let home = tempfile::tempdir().unwrap();
    let mut scene = Scene::adopted(home.path());
    let scripts = [("1.sql", FIRST), ("2.sql", FAILS_LATER), ("3.sql", LAST)];
    let built_in = std::mem::replace(&mut scene.contract, contract_of(&scripts, &[]));
    let mut store = scene.open().unwrap();
    let planned = plan(&mut store, Some("2"), Policy::default()).unwrap();
    scene.sql("INSERT INTO realms VALUES ('a', 'same'), ('b', 'same')");
    let before = scene.files();
    let said = assert_code(
        apply(&mut store, &planned, &Consent::default(), INPUTS, &signer(), &mut Silent),
        &diagnostic::STEP_FAILED,
    );
    for part in ["2.sql", "3", "INSERT INTO second", "UNIQUE"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert_eq!(scene.files(), before);
    let last = store.ledger().event(store.ledger().state().size() - 1).unwrap();
    assert_eq!(last.event.body.kind(), "run.aborted");
    // Planning runs the steps too, and so says it before there is a run.
    let size = store.ledger().state().size();
    assert_code(plan(&mut store, Some("2"), Policy::default()), &diagnostic::STEP_FAILED);
    assert_eq!((scene.files(), store.ledger().state().size()), (before, size));
    drop(store);
    scene.contract = built_in;
    migrate(&mut scene.open().unwrap(), "2", &mut Silent).unwrap();
}

#[test]
fn m7_same_input_gives_the_same_error() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(&home.path().join("scene"));
    let scripts = [("1.sql", FIRST), ("2.sql", FAILS_LATER), ("3.sql", LAST)];
    let failures = ["a", "b"].map(|name| {
        let mut again = scene.copy_to(&home.path().join(name));
        again.contract = contract_of(&scripts, &[]);
        let mut store = again.open().unwrap();
        let planned = plan(&mut store, Some("2"), Policy::default()).unwrap();
        again.sql("INSERT INTO realms VALUES ('a', 'same'), ('b', 'same')");
        let error =
            apply(&mut store, &planned, &Consent::default(), INPUTS, &signer(), &mut Silent);
        (error.unwrap_err().to_string(), store.ledger().head().head().root)
    });
    assert_eq!(failures[0], failures[1]);
}

#[test]
fn loss_that_the_contract_does_not_declare_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let mut scene = Scene::adopted(home.path());
    let loses = format!("DELETE FROM content WHERE size < 3;\n{LAST}");
    scene.contract = contract_of(&[("1.sql", &loses)], &[]);
    let mut store = scene.open().unwrap();
    let (before, size) = (scene.files(), store.ledger().state().size());
    let said =
        assert_code(plan(&mut store, None, Policy::default()), &diagnostic::MIGRATION_PATH_MISSING);
    assert!(said.contains('3'), "{said}");
    let said =
        assert_code(plan(&mut store, Some("2"), Policy::default()), &diagnostic::LOSS_UNDECLARED);
    assert!(said.contains("content"), "{said}");
    assert_eq!((scene.files(), store.ledger().state().size()), (before, size));
    drop(store);
    scene.contract = contract_of(&[("1.sql", &loses)], &["content"]);
    assert_eq!(migrate(&mut scene.open().unwrap(), "2", &mut Silent).unwrap().lost, 3);
}

#[test]
fn a_contract_edited_after_it_was_used_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let mut scene = Scene::at_version_2(home.path());
    scene.contract.scripts.get_mut("0003_source_labels.sql").unwrap().extend(b"-- edited\n");
    let mut store = scene.open().unwrap();
    let planned = plan(&mut store, Some("3"), Policy::default()).unwrap();
    let (before, size) = (scene.files(), store.ledger().state().size());
    assert_code(
        apply(&mut store, &planned, &accept(&planned), INPUTS, &signer(), &mut Silent),
        &diagnostic::CONTRACT_EDITED,
    );
    assert_code(go_back(&mut store, 5, &mut Silent), &diagnostic::CONTRACT_EDITED);
    assert_eq!((scene.files(), store.ledger().state().size()), (before, size));
    drop(store);
    scene.contract.contract_version = "1.0.1".to_owned();
    migrate(&mut scene.open().unwrap(), "3", &mut Silent).unwrap();
}

#[test]
fn loss_is_accepted_by_typing_the_plans_id_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::at_version_2(home.path());
    let mut store = scene.open().unwrap();
    let planned = plan(&mut store, Some("3"), Policy::default()).unwrap();
    let (before, size) = (scene.files(), store.ledger().state().size());
    let id = planned.id.to_string();
    for typed in
        [None, Some("yes"), Some(""), Some(&id[..11]), Some(&id[1..]), Some(&format!("{id}0"))]
    {
        let consent = Consent(typed.map(str::to_owned));
        assert_code(
            apply(&mut store, &planned, &consent, INPUTS, &signer(), &mut Silent),
            &diagnostic::CONFIRMATION_REQUIRED,
        );
    }
    let refuse = Policy { allow_loss: false };
    assert_code(plan(&mut store, Some("3"), refuse), &diagnostic::LOSS_UNDECLARED);
    assert_eq!((scene.files(), store.ledger().state().size()), (before, size));
    let consent = Consent(Some(id[..12].to_owned()));
    let report = apply(&mut store, &planned, &consent, INPUTS, &signer(), &mut Silent).unwrap();
    assert!(report.lost > 0);
}

#[test]
fn a_plan_file_is_read_whole_and_as_written_or_not_at_all() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::at_version_2(home.path());
    let mut store = scene.open().unwrap();
    let planned = plan(&mut store, Some("3"), Policy::default()).unwrap();
    let text = planned.to_json().unwrap();
    assert_eq!(Plan::from_json(&text).unwrap(), planned);
    let lost = format!("\"values\": {}", planned.lost());
    assert!(text.contains(&lost), "{text}");
    for (edited, code) in [
        (text.replace(&lost, "\"values\": 1000000"), &diagnostic::PLAN_EDITED),
        (text.replace("\"to\": \"3\"", "\"to\": \"2\""), &diagnostic::PLAN_EDITED),
        (text.replace("\"statements\": ", "\"statements\": 1"), &diagnostic::PLAN_EDITED),
        (text.replace("\"script\": \"", "\"script\": \"x"), &diagnostic::PLAN_EDITED),
        (text.replace("\"pages_changed\": ", "\"pages_changed\": 1"), &diagnostic::PLAN_EDITED),
        (text.replace("\"bytes_changed\": ", "\"bytes_changed\": 1"), &diagnostic::PLAN_EDITED),
        (text.replace("\"tool\": \"", "\"tool\": \"x"), &diagnostic::PLAN_EDITED),
        (text.replace("\"allow_loss\": true", "\"allow_loss\": false"), &diagnostic::PLAN_EDITED),
        (
            text.replace("\"kind\": \"database\"", "\"kind\": \"document\""),
            &diagnostic::PLAN_EDITED,
        ),
        (text.replace("migration-plan/0", "migration-plan/1"), &diagnostic::USAGE),
        (text.replacen('{', "{\"more\": 1,", 1), &diagnostic::USAGE),
        (text[..text.len() / 2].to_owned(), &diagnostic::USAGE),
        (String::new(), &diagnostic::USAGE),
    ] {
        assert_ne!(edited, text);
        assert_code(Plan::from_json(&edited).map_err(MigrateError::from), code);
    }
    let missing = Plan::load(&home.path().join("none.json")).map_err(MigrateError::from);
    assert_code(missing, &diagnostic::IO);
    drop(store);

    // A plan for another ledger: the same store, adopted twice.
    let other = Scene::created(&home.path().join("other"));
    other.init_with_nonce([4; 32]).unwrap();
    let mut store = other.open().unwrap();
    migrate(&mut store, "2", &mut Silent).unwrap();
    let size = store.ledger().state().size();
    let said = assert_code(
        apply(&mut store, &planned, &accept(&planned), INPUTS, &signer(), &mut Silent),
        &diagnostic::PLAN_STALE,
    );
    assert!(said.contains("another ledger"), "{said}");
    assert_eq!(store.ledger().state().size(), size);
}

#[test]
fn a_key_that_the_ledger_does_not_know_appends_and_publishes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let stranger = KeySigner::new(SigningKey::from_bytes(&[8; 32]));
    let mut store = scene.open().unwrap();
    let planned = plan(&mut store, Some("2"), Policy::default()).unwrap();
    let (before, size) = (scene.files(), store.ledger().state().size());
    let consent = accept(&planned);
    assert_code(
        apply(&mut store, &planned, &consent, INPUTS, &stranger, &mut Silent),
        &diagnostic::KEY_UNKNOWN,
    );
    assert_eq!((scene.files(), store.ledger().state().size()), (before, size));
    drop(store);
    // A run that is committed: publishing it is for those who may say that they did.
    kill_at_milestone(&scene, Some(&planned), 4);
    let mut store = scene.open().unwrap();
    let (before, size) = (scene.files(), store.ledger().state().size());
    assert_code(resume(&mut store, &stranger, &mut Silent), &diagnostic::KEY_UNKNOWN);
    assert_code(abandon(&mut store, "mine", &stranger, &mut Silent), &diagnostic::KEY_UNKNOWN);
    assert_eq!((scene.files(), store.ledger().state().size()), (before, size));
    resume(&mut store, &signer(), &mut Silent).unwrap();
}

#[test]
fn a_second_writer_is_told_who_is_at_work() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let store = scene.open().unwrap();
    let error = scene.open().map(drop).unwrap_err();
    assert_eq!(error.code().id, diagnostic::BUSY.id);
    match error {
        MigrateError::Ledger(LedgerError::Log(OpenError::Busy { pid, .. })) => {
            assert_eq!(pid, Some(std::process::id()));
        }
        other => panic!("{other:?}"),
    }
    drop(store);
    scene.open().unwrap();
}

#[test]
fn a_locked_database_leaves_the_run_open_until_it_is_free() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let mut store = scene.open().unwrap();
    let planned = plan(&mut store, Some("2"), Policy::default()).unwrap();
    let before = scene.files();
    let locker = rusqlite::Connection::open(scene.layout().database()).unwrap();
    locker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let consent = accept(&planned);
    assert_code(
        apply(&mut store, &planned, &consent, INPUTS, &signer(), &mut Silent),
        &diagnostic::BUSY,
    );
    assert!(store.pending().is_some());
    assert_code(resume(&mut store, &signer(), &mut Silent), &diagnostic::BUSY);
    locker.execute_batch("ROLLBACK").unwrap();
    drop(locker);
    assert_eq!(scene.files().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert_eq!(scene.content().manifest.as_bytes(), before[&scene.layout().manifest()].1);
    let report = resume(&mut store, &signer(), &mut Silent).unwrap();
    assert_eq!(report.to, "2");
}

#[test]
fn a_database_that_is_none_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let path = scene.layout().database();
    let good = fs::read(&path).unwrap();
    for (found, code) in [
        (Some(b"not a database, only text".repeat(400)), &diagnostic::STORE_INVALID),
        (Some(Vec::new()), &diagnostic::STORE_INVALID),
        (None, &diagnostic::STORE_INVALID),
    ] {
        match &found {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let mut store = scene.open().unwrap();
        let (before, size) = (scene.files(), store.ledger().state().size());
        let said = assert_code(plan(&mut store, None, Policy::default()), code);
        assert!(said.contains("store.db"), "{said}");
        assert_code(go_back(&mut store, size, &mut Silent), code);
        assert_eq!((scene.files(), store.ledger().state().size()), (before, size));
    }
    fs::write(&path, good).unwrap();
    migrate(&mut scene.open().unwrap(), "2", &mut Silent).unwrap();
}

#[test]
fn s9_a_changed_audit_line_is_named() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::at_version_2(home.path());
    let path = scene.layout().audit();
    let good = fs::read(&path).unwrap();
    let mut changed = good.clone();
    changed[3] ^= 1;
    for (found, code) in [
        (Some(changed), &diagnostic::AUDIT_CHANGED),
        (Some(good[..good.len() - 1].to_vec()), &diagnostic::AUDIT_CHANGED),
        (Some(Vec::new()), &diagnostic::AUDIT_CHANGED),
        (None, &diagnostic::IO),
    ] {
        match &found {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let mut store = scene.open().unwrap();
        let (before, size) = (scene.files(), store.ledger().state().size());
        let said = assert_code(plan(&mut store, None, Policy::default()), code);
        assert!(said.contains("audit/events.jsonl"), "{said}");
        assert_code(go_back(&mut store, 5, &mut Silent), code);
        assert_eq!((scene.files(), store.ledger().state().size()), (before, size));
    }
    fs::write(&path, good).unwrap();
    migrate(&mut scene.open().unwrap(), "3", &mut Silent).unwrap();
}

#[test]
fn a_damaged_object_stops_a_rollback_before_it_begins() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let mut store = scene.open().unwrap();
    let size = store.ledger().state().size();
    migrate(&mut store, "3", &mut Silent).unwrap();
    let packs = store.ledger().objects_dir();
    drop(store);
    // Labels stand in pages of version 1 that version 3 has no more.
    let mut damaged = files_below(&packs);
    damaged.retain(|_, (_, bytes)| {
        let label = b"code,test,slow";
        let places: Vec<_> =
            (0..bytes.len()).filter(|at| bytes[*at..].starts_with(label)).collect();
        for at in &places {
            bytes[*at] = b'k';
        }
        !places.is_empty()
    });
    let good = damaged.keys().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>();
    for (path, (_, bytes)) in &damaged {
        fs::write(path, bytes).unwrap();
    }
    let (before, told) = (scene.files(), scene.open().unwrap().ledger().state().size());
    let mut store = scene.open().unwrap();
    assert_code(go_back(&mut store, size, &mut Silent), &diagnostic::OBJECT_DAMAGED);
    assert!(store.pending().is_none());
    assert_eq!((scene.files(), store.ledger().state().size()), (before, told));
    drop(store);
    for (path, bytes) in damaged.keys().zip(good) {
        fs::write(path, bytes).unwrap();
    }
    go_back(&mut scene.open().unwrap(), size, &mut Silent).unwrap().unwrap();
}

#[test]
fn going_back_to_another_page_size_is_refused_before_it_is_committed() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let mut store = scene.open().unwrap();
    let adopted = store.ledger().state().size();
    migrate(&mut store, "2", &mut Silent).unwrap();
    let vacuum =
        |size: u32| format!("PRAGMA journal_mode=delete; PRAGMA page_size={size}; VACUUM;");
    scene.sql(&vacuum(8192));
    let before = scene.files();
    assert_code(go_back(&mut store, adopted, &mut Silent), &diagnostic::NEEDS_EXCLUSIVE);
    assert_eq!(scene.files(), before);
    assert!(store.pending().is_none());
    scene.sql(&vacuum(4096));
    go_back(&mut store, adopted, &mut Silent).unwrap().unwrap();
}
