//! What is told of runs on documents afterwards, from the ledger and its stored content.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use ledger_format::body::{Body, Changes, FixedBytes, ObjectMigrated, ObjectState, Renamed};
use ledger_format::hash::{CommitHash, ContentHash};

use super::super::account::{RunOutcome, TraceRecord, certificate, find_run, lost, report, trace};
use super::super::recompute::{Outcome, Recomputed, recompute};
use super::super::run::{Consent, Milestone, Observer, Silent};
use super::again::{Again, Finished, again};
use super::jobs_tests::{INPUTS, Scene, StopsAfter, migrate, policy, signer};
use super::*;
use crate::contract::load_bytes;
use crate::ledger::{CursorError, FoldError};
use crate::replay::{materialise, replay};
use crate::verify::{Change, Live, compare_live};

const PROGRAM: &str = r"
contract: told
contract_version: 1.0.0
format: json
files: ['told/*.json']
versions: ['1', '2']
current: '2'
min: '1'
detect:
  - {version: '1', when: {path: /v, equals: 1}}
  - {version: '2', when: {path: /v, equals: 2}}
edges:
  - from: '1'
    to: '2'
    steps:
      - {set: {path: /v, value: 2}}
      - {program: {path: /text, argv: [same.sh], files: [same.sh]}}
    proof: {addsDefaulted: [], dropsNothing: true}
";

fn traced(documents: &Documents) -> Vec<TraceRecord> {
    let span = find_run(documents.ledger(), None).unwrap();
    let mut records = Vec::new();
    trace::<FoldError>(documents.ledger(), &span, &mut |record| {
        records.push(record);
        Ok(())
    })
    .unwrap();
    records
}

fn recomputed(documents: &Documents, allow_programs: bool) -> Recomputed {
    let size = documents.ledger().state().size();
    recompute(documents.ledger(), documents.objects(), size, allow_programs).unwrap()
}

/// Frozen: what the same documents come to must stay the same.
#[test]
fn m12_the_trace_of_a_run_is_the_golden_one() {
    let (_scene, mut documents) = Scene::new(2, 3);
    migrate(&mut documents, None, &mut Silent).unwrap();
    let lines =
        traced(&documents).into_iter().map(|record| serde_json::to_string(&record).unwrap() + "\n");
    assert_eq!(lines.collect::<String>(), include_str!("../account/golden/documents.jsonl"));
}

#[test]
fn m11_the_certificate_follows_from_the_events() {
    let (_scene, mut documents) = Scene::new(3, 1);
    let first = migrate(&mut documents, Some("2"), &mut Silent).unwrap();
    let second = migrate(&mut documents, None, &mut Silent).unwrap();
    let ledger = documents.ledger();
    for made in [&first, &second] {
        let span = find_run(ledger, Some(&made.run.to_string()[..10])).unwrap();
        let view = certificate(ledger, &span, None, 1_000).unwrap();
        assert_eq!((view.recorded, view.recomputed), (Some(made.certificate), made.certificate));
        assert_eq!((view.claims.len(), view.objects), (6, 6));
        let few = certificate(ledger, &span, None, 5).unwrap();
        assert_eq!((few.claims.len(), few.recomputed), (0, made.certificate));
        let one = certificate(ledger, &span, Some("notes/1.yaml"), 5).unwrap();
        assert_eq!(one.claims.len(), 1);
        assert_eq!(one.claims[0].claim.object_id, "notes/1.yaml");
        assert_eq!(one.claims[0].replay.migration_policy_hash, policy().hash());
        assert!(view.claims.contains(&one.claims[0]));
    }
    let named = format!("run:{}", first.run);
    assert_eq!(find_run(ledger, Some(&named)).unwrap().run, first.run);
    assert!(matches!(find_run(ledger, Some("00000000")), Err(CursorError::Unknown { .. })));
    assert!(matches!(find_run(ledger, Some("zz")), Err(CursorError::Form { .. })));
}

#[test]
fn m11_the_report_counts_objects_fields_and_what_was_lost() {
    let (_scene, mut documents) = Scene::new(5, 1);
    migrate(&mut documents, None, &mut Silent).unwrap();
    let told = |documents: &Documents, lossy_max| {
        let span = find_run(documents.ledger(), None).unwrap();
        report(documents.ledger(), documents.objects(), &span, lossy_max).unwrap()
    };
    let found = told(&documents, 100);
    assert_eq!(
        (found.objects_migrated, found.objects_failed, found.outcome),
        (10, 0, RunOutcome::Published)
    );
    // Five titles renamed, five notes done; the drafts of two books are gone.
    assert_eq!((found.field_additions, found.field_removals, found.not_counted), (10, 7, 0));
    assert_eq!((found.values_lost, found.lossy.len()), (2, 2));
    assert_eq!(found.lossy[0].what["path"], "/draft/0");
    let few = told(&documents, 1);
    assert_eq!((few.lossy.len(), few.replay.len(), few.replay_not_listed), (1, 1, 9));
    // The tuples are those that the certificate has.
    let span = find_run(documents.ledger(), None).unwrap();
    let view = certificate(documents.ledger(), &span, None, 1_000).unwrap();
    let mut tuples: Vec<_> =
        found.replay.iter().map(|of| (of.object.clone(), &of.replay)).collect();
    tuples.sort_by(|one, other| one.0.cmp(&other.0));
    let claimed = view.claims.iter().map(|one| (one.claim.object_id.clone(), &one.replay));
    assert_eq!(tuples, claimed.collect::<Vec<_>>());
    let listed = lost(documents.ledger(), documents.objects(), &span, 100).unwrap();
    assert_eq!(listed, found.lossy);
    rollback(&mut documents, 2, None, INPUTS, &signer(), &mut Silent).unwrap().unwrap();
    let back = told(&documents, 100);
    assert_eq!((back.objects_migrated, back.not_counted, back.lossy.len()), (10, 10, 0));
}

/// Edits a document when the run begins to put outputs into their places.
struct Edits<'a> {
    scene: &'a Scene,
    edited: bool,
}

impl Observer for Edits<'_> {
    fn reached(&mut self, milestone: &Milestone<'_>) {
        if matches!(milestone, Milestone::Publishing { .. }) && !self.edited {
            self.edited = true;
            self.scene.write("notes/2.yaml", b"v: mine\n", 0o640);
        }
    }
}

#[test]
fn m11_objects_that_a_run_ended_without_have_failed() {
    let told = |documents: &Documents| {
        let span = find_run(documents.ledger(), None).unwrap();
        let told = report(documents.ledger(), documents.objects(), &span, 1).unwrap();
        (told.outcome, told.objects_migrated, told.objects_failed)
    };
    let (scene, mut documents) = Scene::new(3, 1);
    let mut edits = Edits { scene: &scene, edited: false };
    assert!(migrate(&mut documents, None, &mut edits).is_err());
    assert_eq!(told(&documents), (RunOutcome::Committed, 6, 0));
    abandon(&mut documents, "somebody edits", &signer(), &mut Silent).unwrap();
    assert_eq!(told(&documents), (RunOutcome::Abandoned, 5, 1));
    // Given up before it was committed, none is migrated.
    let (_scene, mut documents) = Scene::new(3, 1);
    let mut stops = StopsAfter { milestones: 2, documents_only: true, reached: 0 };
    assert!(migrate(&mut documents, None, &mut stops).is_err());
    assert_eq!(told(&documents), (RunOutcome::Open, 0, 0));
    abandon(&mut documents, "no longer wanted", &signer(), &mut Silent).unwrap();
    assert_eq!(told(&documents), (RunOutcome::Aborted, 0, 6));
}

#[test]
fn l4_every_document_can_be_computed_again_from_what_is_kept() {
    let (scene, mut documents) = Scene::new(20, 2);
    migrate(&mut documents, Some("2"), &mut Silent).unwrap();
    migrate(&mut documents, None, &mut Silent).unwrap();
    rollback(&mut documents, 2, Some(Changes::Keep), INPUTS, &signer(), &mut Silent)
        .unwrap()
        .unwrap();
    fs::remove_dir_all(scene.root().join("books")).unwrap();
    let found = recomputed(&documents, false);
    assert!(found.all_same(), "{found:?}");
    assert_eq!(found.steps.len(), 80);
}

#[test]
fn a_result_that_does_not_come_out_again_is_told() {
    let (_scene, mut documents) = Scene::new(2, 1);
    migrate(&mut documents, None, &mut Silent).unwrap();
    let size = documents.ledger().state().size();
    let bodies = documents.ledger().events(0..size).map(|event| event.unwrap().event.body);
    let migrated = bodies.filter_map(|body| match body {
        Body::ObjectMigrated(body) => Some((body.object.clone(), body)),
        _ => None,
    });
    let mut migrated: BTreeMap<String, ObjectMigrated> = migrated.collect();
    let plan = plan_of(&documents);
    let bent = migrated.get_mut("notes/0.yaml").unwrap();
    bent.target =
        ObjectState::Document { content: ContentHash::of(b"other"), bytes: 5, mode: 0o640 };
    migrated.get_mut("notes/1.yaml").unwrap().loss = CommitHash::from_bytes([0; 32]);
    let (naming, old_hash, new_hash) = ("x".to_owned(), FixedBytes([1; 32]), FixedBytes([2; 32]));
    let renamed = Renamed { naming, old_hash, new_hash };
    migrated.get_mut("books/1/1.json").unwrap().renamed.push(renamed);
    let run = Finished { plan, migrated: &migrated, allow_programs: false };
    let found = again(documents.ledger(), documents.objects(), &run).unwrap();
    assert_eq!(found["notes/0.yaml"], Again::Differs);
    assert_eq!(found["notes/1.yaml"], Again::Differs);
    assert_eq!(found["books/1/1.json"], Again::Differs);
    assert_eq!(found["books/0/0.json"], Again::Same);
}

fn plan_of(documents: &Documents) -> CommitHash {
    documents.ledger().state().runs().finished.last().unwrap().plan
}

#[test]
fn external_programs_run_again_only_where_somebody_says_so() {
    let (scene, documents) = Scene::new(1, 1);
    drop(documents);
    scene.write("told/a.json", b"{\"v\": 1, \"text\": \"x\"}", 0o644);
    let scripts = BTreeMap::from([("same.sh".to_owned(), b"#!/bin/sh\nexec /bin/cat\n".to_vec())]);
    let told = load_bytes("told.yaml", PROGRAM.as_bytes(), scripts).unwrap();
    let mut settings = scene.settings();
    settings.contracts.push(told);
    settings.outside.allow_programs = true;
    let mut documents = Documents::open(settings).unwrap();
    let policy = DocumentsPolicy { allow_programs: true, ..policy() };
    let planned = plan(&mut documents, None, policy).unwrap();
    let consent = Consent(Some(planned.id.to_string()));
    apply(&mut documents, planned, &consent, INPUTS, &signer(), &mut Silent).unwrap();
    let outcomes = |allow| {
        let steps = recomputed(&documents, allow).steps.into_iter();
        steps.map(|step| (step.object, step.outcome)).collect::<BTreeMap<_, _>>()
    };
    let without = outcomes(false);
    assert!(
        matches!(&without["told/a.json"], Outcome::NotRecomputable { reason } if reason.contains("external"))
    );
    assert_eq!(without["notes/0.yaml"], Outcome::Same);
    assert!(outcomes(true).values().all(|outcome| *outcome == Outcome::Same));
}

#[test]
fn l4_documents_are_put_back_as_they_were_at_any_cursor() {
    let (scene, mut documents) = Scene::new(4, 1);
    let mut states = Vec::new();
    for to in [Some("2"), None] {
        let before = scene.files();
        migrate(&mut documents, to, &mut Silent).unwrap();
        states.push((documents.ledger().state().size(), scene.files()));
        assert_ne!(before, scene.files());
    }
    for (size, files) in states {
        let out = scene.folder.path().join("out");
        let replayed = replay(documents.ledger(), size).unwrap();
        materialise(&replayed, documents.objects(), &out).unwrap();
        for (id, (bytes, mode)) in files {
            assert_eq!(fs::read(out.join(&id)).unwrap(), bytes);
            assert_eq!(fs::metadata(out.join(&id)).unwrap().permissions().mode() & 0o7777, mode);
        }
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn the_live_documents_are_compared_one_by_one() {
    let (scene, mut documents) = Scene::new(3, 1);
    migrate(&mut documents, None, &mut Silent).unwrap();
    let replayed = replay(documents.ledger(), documents.ledger().state().size()).unwrap();
    let live = || {
        let (store, records) = (replayed.state.store(), &replayed.audit);
        compare_live(store, records, &scene.root(), None, Duration::ZERO).unwrap()
    };
    assert_eq!(live(), Live::Matches);
    scene.write("notes/0.yaml", b"v: 3\n", 0o600);
    fs::remove_dir_all(scene.root().join("books/1")).unwrap();
    fs::write(scene.root().join("books/1"), "a file").unwrap();
    let place = scene.root().join("notes/2.yaml");
    fs::rename(&place, scene.root().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(scene.root().join("elsewhere"), &place).unwrap();
    let Live::Differs(differences) = live() else { panic!() };
    let found: Vec<_> = differences.iter().map(|of| (of.object.as_str(), &of.change)).collect();
    assert!(matches!(
        found.as_slice(),
        [
            ("books/1/1.json", Change::Missing),
            ("notes/0.yaml", Change::Bytes { .. }),
            ("notes/0.yaml", Change::Mode { .. }),
            ("notes/2.yaml", Change::Unreadable { .. }),
        ]
    ));
}

#[test]
fn m6_a_proof_is_recorded_once_with_its_bytes() {
    let (_scene, mut documents) = Scene::new(1, 1);
    let digest = documents.collection().contracts()[0].digest();
    let fingerprint = CommitHash::from_bytes([7; 32]);
    let note = ProofNote { contract: digest, fingerprint, bytes: b"a proof", pass: true };
    let mut record = |note| {
        let mut recorded = recorded_proofs(&documents).unwrap();
        let proofs = [("books/0/0.json", note)];
        let noted = note_proofs(&mut documents, &proofs, &mut recorded, &signer()).unwrap();
        let noted = noted[0];
        (noted, documents.ledger().state().size())
    };
    assert_eq!(record(note), (Noted::Now, 4));
    assert_eq!(record(note), (Noted::Before, 4));
    let other = ProofNote { contract: fingerprint, ..note };
    assert_eq!(record(other), (Noted::OtherContract, 4));
    let failed = ProofNote { fingerprint: CommitHash::from_bytes([8; 32]), pass: false, ..note };
    assert_eq!(record(failed), (Noted::Now, 5));
    let recorded = documents.ledger().event(3).unwrap();
    let Body::ProofRecorded(body) = recorded.event.body else { panic!() };
    assert_eq!((body.object.as_str(), body.pass), ("books/0/0.json", true));
    assert_eq!(documents.objects().get(&body.proof).unwrap(), b"a proof");
    assert!(documents.ledger().state().contracts().by_digest(&digest).is_some());
}
