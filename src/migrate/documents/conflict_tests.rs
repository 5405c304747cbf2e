//! What people write to documents while runs are at work, and after runs were given up, is not written over unasked.

use std::fs;

use ledger_format::body::{Body, Changes, MIXED_VERSIONS, Purpose, RunAbandoned};
use ledger_format::hash::ContentHash;

use super::super::error::MigrateError;
use super::super::run::{Milestone, Observer, Silent, Subject as _};
use super::jobs_tests::{Files, Meddler, Scene, go_back, migrate, policy, signer};
use super::*;
use crate::ledger::Cursor;

/// A document that somebody writes to while it is to be published; the last of its run.
const MEDDLED: &str = "notes/4.yaml";

const MINE: &[u8] = b"mine";

/// A run of ten documents that nine were written by, and stopped at the last, which somebody changed.
fn stopped() -> (Scene, Documents) {
    let (scene, mut documents) = Scene::new(5, 1);
    let mut meddler = Meddler(&scene, Some(MEDDLED));
    let refused = migrate(&mut documents, Some("2"), &mut meddler).unwrap_err();
    assert_eq!(refused.code().id, "PUBLISH_CONFLICT");
    assert_eq!(refused.to_string().matches(MEDDLED).count(), 1, "{refused}");
    (scene, documents)
}

fn read(scene: &Scene, id: &str) -> Vec<u8> {
    fs::read(scene.root().join(id)).unwrap()
}

fn original(number: usize) -> Vec<u8> {
    format!("v: 1\ntext: n{number}\n").into_bytes()
}

/// Refuses to go back, and names these documents and no others.
fn asks(documents: &mut Documents, size: u64, ids: &[&str]) {
    asks_saying(documents, size, &format!("changed since: {}", ids.join(", ")));
}

fn asks_saying(documents: &mut Documents, size: u64, expected: &str) {
    let Err(MigrateError::DocumentsChanged { named }) = go_back(documents, size, None) else {
        panic!()
    };
    assert_eq!(named, expected);
}

fn keeps(documents: &Documents, bytes: &[u8]) {
    assert_eq!(documents.objects().get(&ContentHash::of(bytes)).unwrap(), bytes);
}

#[test]
fn a_run_goes_on_without_a_document_that_somebody_changed_if_told_to() {
    let (scene, mut documents) = stopped();
    let stops = resume(&mut documents, Conflicts::Stop, &signer(), &mut Silent);
    assert!(matches!(stops, Err(MigrateError::DocumentsConflict { .. })), "{stops:?}");
    let done = resume(&mut documents, Conflicts::Keep, &signer(), &mut Silent).unwrap();
    assert_eq!(done.kept, [MEDDLED]);
    assert_eq!(read(&scene, MEDDLED), MINE);
    assert_eq!(read(&scene, "notes/3.yaml"), b"v: 2\ntext: n3\n");
    let stands = status(&documents);
    assert_eq!(stands.unwrap().changed, Vec::<String>::new());
    keeps(&documents, MINE);

    // What was left as it is, is not taken back unasked.
    asks(&mut documents, 2, &[MEDDLED]);
    go_back(&mut documents, 2, Some(Changes::Keep)).unwrap().unwrap();
    assert_eq!((read(&scene, MEDDLED), read(&scene, "notes/3.yaml")), (MINE.into(), original(3)));
    asks(&mut documents, 2, &[MEDDLED]);
    go_back(&mut documents, 2, Some(Changes::Discard)).unwrap().unwrap();
    assert_eq!(read(&scene, MEDDLED), original(4));
    keeps(&documents, MINE);
}

/// Outputs that were prepared for a run which is stopped do not stay, however many threads were at work, and it goes on.
#[test]
fn a_run_of_many_that_is_stopped_leaves_nothing_beside_their_places() {
    for jobs in [1, 8] {
        let (scene, mut documents) = Scene::new(200, jobs);
        let sources = scene.files();
        let mut meddler = Meddler(&scene, Some("books/1/1.json"));
        let refused = migrate(&mut documents, Some("2"), &mut meddler).unwrap_err();
        assert!(matches!(refused, MigrateError::DocumentsConflict { .. }), "{refused}");
        let stopped = scene.files();
        assert!(stopped.keys().eq(sources.keys()));
        assert_eq!(stopped["books/1/1.json"].0, MINE);
        let untouched = |files: &Files| {
            sources.iter().filter(|(id, source)| files.get(*id) == Some(source)).count()
        };
        assert!(untouched(&stopped) > 0, "nothing was stopped");
        let done = resume(&mut documents, Conflicts::Keep, &signer(), &mut Silent).unwrap();
        assert_eq!(done.kept, ["books/1/1.json"]);
        let published = scene.files();
        assert_eq!((untouched(&published), published.len()), (0, 400));
        assert_eq!(published["books/1/1.json"].0, MINE);
    }
}

/// Somebody who writes to a document as the run is committed, when all its places have been compared.
struct AtCommit<'a>(&'a Scene, u64);

impl Observer for AtCommit<'_> {
    fn reached(&mut self, milestone: &Milestone<'_>) {
        if *milestone == (Milestone::Recorded { size: self.1 }) {
            self.0.write(MEDDLED, MINE, 0o640);
        }
    }
}

#[test]
fn what_is_changed_right_after_the_commit_stops_the_run_before_it_writes_anything() {
    let size = {
        let (_scene, mut documents) = Scene::new(40, 2);
        migrate(&mut documents, Some("2"), &mut Silent).unwrap().size
    };
    let (scene, mut documents) = Scene::new(40, 2);
    let mut expected = scene.files();
    expected.get_mut(MEDDLED).unwrap().0 = MINE.to_owned();
    // The last event is that of the publishing, the one before it that of the commit.
    let refused = migrate(&mut documents, Some("2"), &mut AtCommit(&scene, size - 1)).unwrap_err();
    assert!(matches!(refused, MigrateError::DocumentsConflict { .. }), "{refused}");
    assert_eq!(scene.files(), expected);
}

#[test]
fn a_document_that_is_gone_or_a_link_does_not_keep_a_run_from_ending() {
    for way in [Conflicts::Keep, Conflicts::Stop] {
        let (scene, mut documents) = stopped();
        fs::remove_file(scene.root().join("notes/2.yaml")).unwrap();
        fs::remove_file(scene.root().join("notes/3.yaml")).unwrap();
        std::os::unix::fs::symlink("2.yaml", scene.root().join("notes/3.yaml")).unwrap();
        let ids = ["notes/2.yaml", "notes/3.yaml", MEDDLED];
        match way {
            Conflicts::Keep => {
                let done = resume(&mut documents, way, &signer(), &mut Silent).unwrap();
                assert_eq!(done.kept, ids);
            }
            Conflicts::Stop => {
                let left = abandon(&mut documents, "enough", &signer(), &mut Silent).unwrap();
                assert_eq!(
                    (left.gone, left.changed),
                    (vec![ids[0].into(), ids[1].into()], vec![ids[2].into()])
                );
            }
        }
        assert!(documents.ledger().state().runs().open.is_none());
        assert!(!scene.root().join("notes/2.yaml").exists());
        fs::remove_file(scene.root().join("notes/3.yaml")).unwrap();
        let told = format!("changed since: {MEDDLED}; are gone: notes/2.yaml, notes/3.yaml");
        asks_saying(&mut documents, 2, &told);
        go_back(&mut documents, 2, Some(Changes::Discard)).unwrap().unwrap();
        for number in 2..5 {
            assert_eq!(read(&scene, &format!("notes/{number}.yaml")), original(number));
        }
    }
}

#[test]
fn abandoning_tells_what_was_written_and_going_back_takes_back_only_that() {
    let (scene, mut documents) = stopped();
    let before = scene.files();
    let left = abandon(&mut documents, "enough", &signer(), &mut Silent).unwrap();
    assert_eq!((left.untouched, left.changed.as_slice()), (0, &[MEDDLED.to_owned()][..]));
    assert_eq!((left.written.len(), left.gone.len()), (9, 0));
    assert_eq!(left.written[0], "books/0/0.json");
    let given_up = documents.ledger().state().runs().finished.last().unwrap().started_seq;
    assert_eq!(documents.ledger().resolve(&Cursor::RunsBack(1)).unwrap(), given_up);
    assert_eq!(scene.files(), before);
    asks(&mut documents, 2, &[MEDDLED]);
    assert_eq!(scene.files(), before);
    go_back(&mut documents, 2, Some(Changes::Keep)).unwrap().unwrap();
    assert_eq!((read(&scene, MEDDLED), read(&scene, "notes/3.yaml")), (MINE.into(), original(3)));
    go_back(&mut documents, 2, Some(Changes::Discard)).unwrap().unwrap();
    assert_eq!(read(&scene, MEDDLED), original(4));
    keeps(&documents, MINE);
}

#[test]
fn a_run_that_had_written_nothing_leaves_nothing_to_take_back() {
    let (scene, mut documents) = Scene::new(3, 1);
    migrate(&mut documents, Some("2"), &mut Silent).unwrap();
    go_back(&mut documents, 2, None).unwrap().unwrap();
    let before = scene.files();
    let size = documents.ledger().state().size();
    // Somebody changes the first to be written, and nothing is.
    let mut meddler = Meddler(&scene, Some("books/0/0.json"));
    migrate(&mut documents, Some("2"), &mut meddler).unwrap_err();
    scene.write("books/0/0.json", &before["books/0/0.json"].0, before["books/0/0.json"].1);
    let left = abandon(&mut documents, "enough", &signer(), &mut Silent).unwrap();
    assert_eq!((left.untouched, left.written.len()), (6, 0));
    // What was changed last was changed by going back.
    let ledger = documents.ledger();
    assert_eq!(ledger.last_without_effect().unwrap().unwrap().run, left.run);
    let went_back = ledger.run_with_effect(0).unwrap().unwrap();
    assert_eq!(went_back.purpose, Purpose::Rollback);
    assert_eq!(ledger.resolve(&Cursor::RunsBack(1)).unwrap(), went_back.started_seq);
    assert_eq!(go_back(&mut documents, size, None).unwrap(), None);
    assert_eq!(scene.files(), before);
}

#[test]
fn abandoning_that_was_cut_short_is_finished_before_anything_else() {
    let (scene, mut documents) = stopped();
    let open = documents.open_run().unwrap();
    let (reason, version) = ("enough".to_owned(), MIXED_VERSIONS.to_owned());
    let given_up: Body = RunAbandoned { run: open.run, reason, places: 9, version }.into();
    documents.record(&signer(), vec![given_up], &mut Silent).unwrap();
    drop(documents);
    let mut documents = scene.open();
    for refused in [
        plan(&mut documents, None, policy()).unwrap_err(),
        resume(&mut documents, Conflicts::Stop, &signer(), &mut Silent).unwrap_err(),
        go_back(&mut documents, 2, None).unwrap_err(),
    ] {
        assert!(matches!(refused, MigrateError::HalfAbandoned { run } if run == open.run));
    }
    let left = abandon(&mut documents, "enough", &signer(), &mut Silent).unwrap();
    assert_eq!((left.run, left.written.len(), left.changed.len()), (open.run, 9, 1));
    let none = abandon(&mut documents, "enough", &signer(), &mut Silent);
    assert!(matches!(none, Err(MigrateError::NoRun)));
    asks(&mut documents, 2, &[MEDDLED]);
}

/// What a process leaves beside a place that is killed as it exchanges output and document.
#[test]
fn what_a_killed_run_took_out_of_a_place_is_put_back() {
    for ending in [Conflicts::Stop, Conflicts::Keep] {
        let (scene, mut documents) = stopped();
        let output = read(&scene, "notes/2.yaml");
        scene.write("notes/.1.yaml.glyph-ledger-new", &original(1), 0o640);
        scene.write("notes/.2.yaml.glyph-ledger-new", b"of somebody", 0o640);
        scene.write("notes/.3.yaml.glyph-ledger-new", b"v: 2\nte", 0o644);
        if ending == Conflicts::Stop {
            let left = abandon(&mut documents, "enough", &signer(), &mut Silent).unwrap();
            assert_eq!(left.changed, ["notes/2.yaml", MEDDLED]);
        } else {
            let done = resume(&mut documents, ending, &signer(), &mut Silent).unwrap();
            assert_eq!(done.kept, ["notes/2.yaml", MEDDLED]);
        }
        assert_ne!(output, b"of somebody");
        assert_eq!(read(&scene, "notes/2.yaml"), b"of somebody");
        assert_eq!(read(&scene, "notes/1.yaml"), b"v: 2\ntext: n1\n");
        assert_eq!(read(&scene, "notes/3.yaml"), b"v: 2\ntext: n3\n");
        assert_eq!(scene.files().len(), 10);
    }
}

#[test]
fn what_was_made_from_an_edit_is_not_taken_back_unasked_either() {
    let (scene, mut documents) = Scene::new(3, 1);
    let first = scene.files();
    migrate(&mut documents, Some("2"), &mut Silent).unwrap();
    scene.write("notes/1.yaml", b"v: 2\ntext: mine\n", 0o640);
    let size = documents.ledger().state().size();
    migrate(&mut documents, None, &mut Silent).unwrap();
    let made = b"v: 3\ntext: mine\ndone: false\n";
    assert_eq!(read(&scene, "notes/1.yaml"), made);
    // Before the second run the edit was there: back to it is no loss.
    asks(&mut documents, 2, &["notes/1.yaml"]);
    go_back(&mut documents, size + 1, None).unwrap().unwrap();
    assert_eq!(read(&scene, "notes/1.yaml"), b"v: 2\ntext: mine\n");
    asks(&mut documents, 2, &["notes/1.yaml"]);
    go_back(&mut documents, 2, Some(Changes::Discard)).unwrap().unwrap();
    assert_eq!(scene.files(), first);
    keeps(&documents, made);
}
