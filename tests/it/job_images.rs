//! Going back, and forward again: what images give back, and what they cost.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use glyph_ledger::diagnostic;
use glyph_ledger::migrate::{RollbackOptions, Silent, Store, recompute, rollback};
use glyph_ledger::replay::replay;
use glyph_ledger::target::glyph_store::Layout;
use glyph_ledger::target::sqlite::image;
use ledger_format::body::{Body, Cause, ObjectObserved, ObjectState};
use projections::Outcome as RunOutcome;

use crate::job_scene::{Content, INPUTS, Scene, go_back, migrate, signer};

#[test]
fn s4_undo_restores_the_pages_of_then() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    fs::set_permissions(scene.layout().manifest(), fs::Permissions::from_mode(0o640)).unwrap();
    let mut store = scene.open().unwrap();
    migrate(&mut store, "2", &mut Silent).unwrap();
    let (two, size) = (scene.content(), store.ledger().state().size());
    assert_eq!(two.mode & 0o7777, 0o640);
    migrate(&mut store, "3", &mut Silent).unwrap();
    assert_ne!(scene.content(), two);
    go_back(&mut store, size, &mut Silent).unwrap().unwrap();
    assert_eq!(scene.content(), two);
    assert!(go_back(&mut store, size, &mut Silent).unwrap().is_none());
    // It is a database and not only pages.
    scene.sql("PRAGMA integrity_check; INSERT INTO realms VALUES ('after', '')");
}

#[test]
fn undo_after_the_application_wrote_restores_and_has_a_way_back_to_what_it_wrote() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let one = scene.content();
    let mut store = scene.open().unwrap();
    let adopted = store.ledger().state().size();
    migrate(&mut store, "3", &mut Silent).unwrap();
    scene.sql("INSERT INTO realms VALUES ('mine', ''); DELETE FROM content WHERE size > 100");
    let written = scene.content();
    let (before, size) = (scene.files(), store.ledger().state().size());
    let error = go_back(&mut store, adopted, &mut Silent).unwrap_err();
    assert_eq!(error.code().id, diagnostic::DOCUMENT_CHANGED.id);
    assert_eq!((scene.files(), store.ledger().state().size()), (before, size));
    let options = RollbackOptions { discard_changes: true };
    let report = rollback(&mut store, adopted, options, INPUTS, &signer(), &mut Silent);
    let report = report.unwrap().unwrap();
    assert_eq!(scene.content(), one);
    // Up to the event before the rollback began is where the written rows are.
    let started = store.ledger().events(0..report.size);
    let started = started.map(|event| event.unwrap()).find(|event| event.id == report.run).unwrap();
    go_back(&mut store, started.event.seq, &mut Silent).unwrap().unwrap();
    assert_eq!(scene.content(), written);
    assert_eq!(scene.count("SELECT count(*) FROM realms WHERE name = 'mine'"), 1);
}

#[test]
fn rows_that_a_later_run_has_recorded_already_are_asked_about_too() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let one = scene.content();
    let mut store = scene.open().unwrap();
    let adopted = store.ledger().state().size();
    scene.sql("INSERT INTO realms VALUES ('mine', '')");
    migrate(&mut store, "2", &mut Silent).unwrap();
    let (before, size) = (scene.files(), store.ledger().state().size());
    let error = go_back(&mut store, adopted, &mut Silent).unwrap_err();
    assert_eq!(error.code().id, diagnostic::DOCUMENT_CHANGED.id);
    assert_eq!((scene.files(), store.ledger().state().size()), (before, size));
    // The run itself can be taken back: it was made from these rows, and they stay.
    let started = store.ledger().state().runs().finished[0].started_seq;
    go_back(&mut store, started, &mut Silent).unwrap().unwrap();
    assert_eq!(scene.count("SELECT count(*) FROM realms WHERE name = 'mine'"), 1);
    go_back_over_rows(&mut store, adopted);
    assert_eq!(scene.content(), one);
}

#[test]
fn an_edited_manifest_is_kept_back_until_told_and_then_recorded() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let one = scene.content();
    let mut store = scene.open().unwrap();
    let adopted = store.ledger().state().size();
    migrate(&mut store, "2", &mut Silent).unwrap();
    let path = scene.layout().manifest();
    fs::write(&path, scene.content().manifest + "  note: mine\n").unwrap();
    let edited = scene.content();
    let (before, size) = (scene.files(), store.ledger().state().size());
    let error = go_back(&mut store, adopted, &mut Silent).unwrap_err();
    assert_eq!(error.code().id, diagnostic::DOCUMENT_CHANGED.id);
    assert_eq!((scene.files(), store.ledger().state().size()), (before, size));
    let options = RollbackOptions { discard_changes: true };
    rollback(&mut store, adopted, options, INPUTS, &signer(), &mut Silent).unwrap().unwrap();
    assert_eq!(scene.content(), one);
    go_back(&mut store, size + 1, &mut Silent).unwrap().unwrap();
    assert_eq!(scene.content(), edited);
}

/// A history of ten runs, up and down, with rows written in between; and what the store was after
/// each.
fn history(scene: &Scene) -> Vec<(u64, Content)> {
    let mut store = scene.open().unwrap();
    let adopted = store.ledger().state().size();
    let mut cursors = vec![(adopted, scene.content())];
    for round in 0..5 {
        for to in ["2", "3"] {
            if cursors.len() > 10 {
                break;
            }
            if store.ledger().state().store().version.as_str() >= to {
                go_back_over_rows(&mut store, adopted);
                cursors.push((store.ledger().state().size(), scene.content()));
            }
            scene.sql(&format!("INSERT INTO realms VALUES ('{round}-{to}', '')"));
            migrate(&mut store, to, &mut Silent).unwrap();
            cursors.push((store.ledger().state().size(), scene.content()));
        }
    }
    cursors
}

/// Goes back to a cursor after which rows were written, which has to be asked for.
fn go_back_over_rows(store: &mut Store, size: u64) {
    let options = RollbackOptions { discard_changes: true };
    rollback(store, size, options, INPUTS, &signer(), &mut Silent).unwrap();
}

#[test]
fn every_committed_cursor_of_a_history_can_be_gone_back_to_and_forward_from() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let cursors = history(&scene);
    let mut store = scene.open().unwrap();
    let runs = &store.ledger().state().runs().finished;
    assert!(runs.len() >= 10, "{} runs", runs.len());
    assert!(runs.iter().all(|run| matches!(run.outcome, RunOutcome::Published { .. })));
    let newest = scene.content();
    for (size, content) in cursors.iter().rev().chain(&cursors) {
        go_back_over_rows(&mut store, *size);
        assert_eq!(scene.content(), *content, "cursor {size}");
    }
    assert_eq!(scene.content(), newest);
    assert_eq!(
        scene.count("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        0
    );
    // Every step of every run gives again what was recorded of it.
    let again =
        recompute(store.ledger(), store.objects(), store.ledger().state().size(), false).unwrap();
    assert!(again.steps.len() >= 10 && again.all_same(), "{:?}", again.steps);
    let ours = scene.audit_lines();
    assert_eq!(ours.len(), 1 + store.ledger().state().runs().finished.len());
}

#[test]
fn l4_replay_restores_the_store_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let cursors = history(&scene);
    let store = scene.open().unwrap();
    for (at, (size, content)) in cursors.iter().enumerate() {
        let replayed = replay(store.ledger(), *size).unwrap();
        let again = Scene::at(&home.path().join(format!("replayed-{at}")));
        fs::create_dir_all(again.home()).unwrap();
        glyph_ledger::replay::materialise(&replayed, store.objects(), again.layout().root())
            .unwrap();
        assert_eq!(again.content(), *content, "cursor {size}");
    }
}

#[test]
fn s4_images_share_unchanged_pages() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let mut store = scene.open().unwrap();
    let bytes = || -> usize {
        let packs = crate::job_scene::files_below(&scene.layout().ledger().join("objects"));
        packs.values().map(|(_, bytes)| bytes.len()).sum()
    };
    let before = bytes();
    let first = page_root(store.ledger().state().store().objects.get(Layout::DATABASE));
    migrate(&mut store, "2", &mut Silent).unwrap();
    let second = page_root(store.ledger().state().store().objects.get(Layout::DATABASE));
    let [first, second] = [first, second].map(|root| image::load(&root, store.objects()).unwrap());
    let changed = first.diff(&second).len();
    assert!(second.page_count() > 40 && changed < 15, "{changed} of {}", second.page_count());
    // Changed pages, the nodes above them, and some small objects that say what the run was.
    let grown = bytes() - before;
    let page = second.page_size().bytes() as usize;
    assert!(grown < (changed + 10) * page, "{grown} bytes for {changed} pages of {page}");
    // Going back costs nothing: everything is there.
    let before = bytes();
    let adopted = store.ledger().state().runs().finished[0].started_seq;
    go_back(&mut store, adopted, &mut Silent).unwrap().unwrap();
    assert!(bytes() - before < page, "{}", bytes() - before);
}

fn page_root(state: Option<&ObjectState>) -> ledger_format::hash::CommitHash {
    match state {
        Some(ObjectState::Database { page_root, .. }) => *page_root,
        other => panic!("{other:?}"),
    }
}

#[test]
fn m11_certificate_covers_the_claim_and_not_the_environment() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(&home.path().join("scene"));
    let certificate = |name: &str, change: &dyn Fn(&mut Scene)| {
        let mut again = scene.copy_to(&home.path().join(name));
        change(&mut again);
        let mut store = again.open().unwrap();
        let report = migrate(&mut store, "2", &mut Silent).unwrap();
        assert_eq!(report.objects_migrated, 2);
        report.certificate
    };
    let plain = certificate("plain", &|_| ());
    // Another place, another time on the ledger's clock, other lines in the audit file.
    assert_eq!(certificate("elsewhere", &|scene| scene.audit("{}\n")), plain);
    assert_eq!(certificate("later", &|scene| scene.clock_ms += 1_000_000), plain);
    // Another row is another source, and so another claim.
    assert_ne!(
        certificate("row", &|scene| scene.sql("INSERT INTO realms VALUES ('a', '')")),
        plain
    );
    assert_ne!(
        certificate("contract", &|scene| scene.contract.contract_version = "1.0.9".to_owned()),
        plain
    );
}

#[test]
fn l1_every_step_is_an_event() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let mut store = scene.open().unwrap();
    let size = store.ledger().state().size();
    migrate(&mut store, "2", &mut Silent).unwrap();
    let events = store.ledger().events(size..store.ledger().state().size());
    let bodies: Vec<_> = events.map(|event| event.unwrap().event.body).collect();
    let expected = [
        "contract.frozen",
        "run.started",
        "object.staged",
        "object.staged",
        "object.migrated",
        "object.migrated",
        "run.committed",
        "run.published",
    ];
    assert_eq!(bodies.iter().map(Body::kind).collect::<Vec<_>>(), expected);
    let Body::RunCommitted(committed) = &bodies[6] else { panic!("{:?}", bodies[6]) };
    let line = &committed.audit.as_ref().unwrap().line;
    assert_eq!(Some(line.trim_end()), scene.audit_lines().last().map(String::as_str));
}

#[test]
fn l1_earlier_events_keep_their_bytes() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(home.path());
    let mut store = scene.open().unwrap();
    let adopted = store.ledger().state().size();
    let mut before = Vec::new();
    let jobs: [&dyn Fn(&mut Store); 4] = [
        &|store| drop(migrate(store, "2", &mut Silent).unwrap()),
        &|store| drop(migrate(store, "3", &mut Silent).unwrap()),
        &|store| drop(go_back(store, adopted, &mut Silent).unwrap()),
        &|store| drop(migrate(store, "3", &mut Silent).unwrap()),
    ];
    for job in jobs {
        job(&mut store);
        let events = store.ledger().events(0..store.ledger().state().size());
        let events: Vec<_> = events.map(|event| event.unwrap().bytes).collect();
        assert!(events.len() > before.len() && events.starts_with(&before));
        before = events;
    }
}

#[test]
fn l3_same_events_give_the_same_digest() {
    let home = tempfile::tempdir().unwrap();
    let [first, second] = ["a", "b"].map(|name| {
        let scene = Scene::adopted(&home.path().join(name));
        let cursors = history(&scene);
        let store = scene.open().unwrap();
        cursors
            .iter()
            .map(|(size, _)| replay(store.ledger(), *size).unwrap().state.digest())
            .collect::<Vec<_>>()
    });
    assert_eq!(first, second);
    let mut distinct = first.clone();
    distinct.dedup();
    assert_eq!(distinct.len(), first.len());
}

#[test]
fn l3_deleting_state_caches_changes_no_answer() {
    let home = tempfile::tempdir().unwrap();
    let scene = Scene::adopted(&home.path().join("scene"));
    // A state is recorded after 10,000 events and two more for each entry that it holds.
    grow(&scene, 10_200);
    migrate(&mut scene.open().unwrap(), "2", &mut Silent).unwrap();
    let cache = scene.layout().ledger().join("cache/state");
    let cached = fs::read(&cache).unwrap();
    let outcomes = ["kept", "deleted", "changed", "of another ledger"].map(|name| {
        let again = scene.copy_to(&home.path().join(name));
        let cache = again.layout().ledger().join("cache/state");
        match name {
            "deleted" => fs::remove_file(&cache).unwrap(),
            "changed" => {
                let mut bytes = cached.clone();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(&cache, bytes).unwrap();
            }
            "of another ledger" => fs::write(&cache, "not a state").unwrap(),
            _ => {}
        }
        let mut store = again.open().unwrap();
        let digest = store.ledger().state().digest();
        migrate(&mut store, "3", &mut Silent).unwrap();
        drop(store);
        (digest, again.outcome())
    });
    for outcome in &outcomes[1..] {
        assert_eq!(*outcome, outcomes[0]);
    }
}

/// Makes the ledger long: the audit file is observed again and again.
fn grow(scene: &Scene, events: usize) {
    let mut ledger = scene.open_ledger();
    let state = ledger.state().store().objects[Layout::AUDIT].clone();
    let object = Layout::AUDIT.to_owned();
    let observed = ObjectObserved { object, cause: Cause::DataChange, state };
    ledger.append(&signer(), vec![observed.into(); events]).unwrap();
}
