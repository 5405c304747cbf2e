//! Jobs on a tree of documents of two kinds, from the first plan to the way back.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use ledger_format::body::{Changes, ObjectState};
use projections::Certificate;

use super::super::error::MigrateError;
use super::super::run::{Consent, Inputs, Milestone, Observer, RunReport, Silent};
use super::*;
use crate::contract::{Contract, load_bytes};
use crate::effects::{FixedClock, FixedRandom, KeySigner};
use crate::ledger::{Begins, MemoryPins, Surroundings};
use crate::target::documents::Tree;

const BOOKS: &str = r"
contract: book
contract_version: 1.0.0
format: json
files: ['books/**/*.json']
versions: ['1', '2', '3']
current: '3'
min: '1'
detect:
  - {version: '1', when: {path: /v, equals: 1}}
  - {version: '2', when: {path: /v, equals: 2}}
  - {version: '3', when: {path: /v, equals: 3}}
edges:
  - from: '1'
    to: '2'
    steps:
      - {map_values: {path: /v, table: [{from: 1, to: 2}]}}
      - {rename: {path: /titel, to: title}}
    proof: {addsDefaulted: [], dropsNothing: true}
  - from: '2'
    to: '3'
    steps:
      - {map_values: {path: /v, table: [{from: 2, to: 3}]}}
      - {remove: {path: /draft, optional: true}}
    proof: {addsDefaulted: [], dropsNothing: false}
    lossy: [/draft]
";

const NOTES: &str = r"
contract: note
contract_version: 1.0.0
format: yaml
files: ['notes/*.yaml']
versions: ['1', '2', '3']
current: '3'
min: '1'
detect:
  - {version: '1', when: {path: /v, equals: 1}}
  - {version: '2', when: {path: /v, equals: 2}}
  - {version: '3', when: {path: /v, equals: 3}}
edges:
  - from: '1'
    to: '2'
    steps:
      - {set: {path: /v, value: 2}}
    proof: {addsDefaulted: [], dropsNothing: true}
  - from: '2'
    to: '3'
    steps:
      - {set: {path: /v, value: 3}}
      - {add: {path: /done, value: false}}
    proof: {addsDefaulted: [/done], dropsNothing: true}
";

/// Documents of each kind in a large scene.
const MANY: usize = 100;

pub(super) const INPUTS: Inputs = Inputs { clock_ms: 1_700_000_000_000, seed: [5; 32] };

/// Bytes and permissions by id.
pub(super) type Files = BTreeMap<String, (Vec<u8>, u32)>;

pub(super) struct Scene {
    pub(super) folder: tempfile::TempDir,
    pins: Arc<MemoryPins>,
    jobs: usize,
}

impl Scene {
    /// So many documents of each kind, at version 1, in the care of a new ledger.
    pub(super) fn new(each: usize, jobs: usize) -> (Self, Documents) {
        let scene = Self { folder: tempfile::tempdir().unwrap(), pins: Arc::default(), jobs };
        for number in 0..each {
            let draft =
                if number % 4 == 0 { format!(", \"draft\": [{number}]") } else { String::new() };
            let book = format!("{{\"v\": 1, \"titel\": \"b{number}\", \"p\": 1.50{draft}}}\n");
            scene.write(
                &format!("books/{}/{number}.json", number % 7),
                book.as_bytes(),
                [0o644, 0o600][number % 2],
            );
            scene.write(
                &format!("notes/{number}.yaml"),
                format!("v: 1\ntext: n{number}\n").as_bytes(),
                0o640,
            );
        }
        let documents = Documents::init(
            scene.settings(),
            Begins::default(),
            &signer(),
            &mut FixedRandom::new([3; 32]),
        )
        .unwrap();
        (scene, documents)
    }

    pub(super) fn settings(&self) -> OpenDocuments {
        let surroundings = Surroundings {
            clock: Arc::new(FixedClock(INPUTS.clock_ms)),
            pins: self.pins.clone(),
            wait: Duration::from_millis(500),
        };
        OpenDocuments {
            tree: Tree::new(self.root()),
            ledger: self.root().join(".glyph-ledger"),
            contracts: [BOOKS, NOTES].map(contract).into(),
            outside: Outside::default(),
            jobs: self.jobs,
            surroundings,
        }
    }

    pub(super) fn open(&self) -> Documents {
        Documents::open(self.settings()).unwrap()
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    pub(super) fn write(&self, id: &str, bytes: &[u8], mode: u32) {
        let path = self.root().join(id);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Every file of the tree, whatever it is.
    pub(super) fn files(&self) -> Files {
        fn below(root: &Path, folder: &Path, files: &mut Files) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.ends_with(".glyph-ledger") {
                    continue;
                }
                if path.is_dir() {
                    below(root, &path, files);
                    continue;
                }
                let id = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
                files.insert(id, (fs::read(&path).unwrap(), mode));
            }
        }
        let (root, mut files) = (self.root(), Files::new());
        below(&root, &root, &mut files);
        files
    }
}

fn contract(text: &str) -> Contract {
    load_bytes("contract.yaml", text.as_bytes(), BTreeMap::new()).unwrap()
}

pub(super) fn signer() -> KeySigner {
    KeySigner::new(SigningKey::from_bytes(&[1; 32]))
}

pub(super) fn policy() -> DocumentsPolicy {
    DocumentsPolicy { allow_loss: true, allow_programs: false, parameters: BTreeMap::new() }
}

pub(super) fn migrate(
    documents: &mut Documents,
    to: Option<&str>,
    observer: &mut dyn Observer,
) -> Result<RunReport, MigrateError> {
    let plan = plan(documents, to, policy()).unwrap();
    let consent = Consent((plan.lost > 0).then(|| plan.id.to_string()));
    apply(documents, plan, &consent, INPUTS, &signer(), observer)
}

fn gone_on(
    documents: &mut Documents,
    observer: &mut dyn Observer,
) -> Result<RunReport, MigrateError> {
    Ok(resume(documents, Conflicts::Stop, &signer(), observer)?.report)
}

pub(super) fn go_back(
    documents: &mut Documents,
    size: u64,
    changes: Option<Changes>,
) -> Result<Option<RunReport>, MigrateError> {
    rollback(documents, size, changes, INPUTS, &signer(), &mut Silent)
}

fn events(documents: &Documents) -> Vec<Vec<u8>> {
    let size = documents.ledger().state().size();
    documents.ledger().events(0..size).map(|event| event.unwrap().bytes).collect()
}

fn outcome(documents: &Documents) -> (BTreeMap<String, ObjectState>, Certificate) {
    let state = documents.ledger().state();
    (state.store().objects.clone(), state.certificates().issued.last().unwrap().clone())
}

/// Writes to another document of the batch when the first of them is about to be published.
pub(super) struct Meddler<'a>(pub(super) &'a Scene, pub(super) Option<&'static str>);

impl Observer for Meddler<'_> {
    fn reached(&mut self, milestone: &Milestone<'_>) {
        if matches!(milestone, Milestone::Publishing { .. })
            && let Some(id) = self.1.take()
        {
            self.0.write(id, b"mine", 0o640);
        }
    }
}

#[test]
fn what_somebody_writes_while_outputs_are_put_into_their_places_is_not_written_over() {
    let (scene, mut documents) = Scene::new(5, 1);
    let mut meddler = Meddler(&scene, Some("notes/4.yaml"));
    let refused = migrate(&mut documents, Some("2"), &mut meddler).unwrap_err();
    assert!(matches!(refused, MigrateError::DocumentsConflict { .. }), "{refused}");
    assert_eq!(fs::read(scene.root().join("notes/4.yaml")).unwrap(), b"mine");
}

#[test]
fn m8_the_number_of_threads_leaves_no_trace() {
    let made = [1, 8].map(|jobs| {
        let (scene, mut documents) = Scene::new(MANY, jobs);
        let report = migrate(&mut documents, None, &mut Silent).unwrap();
        assert_eq!((report.objects_migrated, report.lost), (200, 25));
        (scene.files(), events(&documents), report)
    });
    let [one, eight] = made;
    assert_eq!(one, eight);
    assert_eq!(
        one.0["books/3/3.json"],
        (b"{\"v\": 3, \"title\": \"b3\", \"p\": 1.50}\n".to_vec(), 0o600)
    );
    assert_eq!(one.0["notes/3.yaml"], (b"v: 3\ntext: n3\ndone: false\n".to_vec(), 0o640));
    assert_eq!(one.0.len(), 200);
}

#[test]
fn m10_the_way_back_is_exact_across_two_runs() {
    let (scene, mut documents) = Scene::new(MANY, 2);
    let first = scene.files();
    migrate(&mut documents, Some("2"), &mut Silent).unwrap();
    let (second, at_second) = (scene.files(), documents.ledger().state().size());
    migrate(&mut documents, None, &mut Silent).unwrap();
    let (third, at_third) = (scene.files(), documents.ledger().state().size());
    assert!(first != second && second != third);
    go_back(&mut documents, 2, None).unwrap().unwrap();
    assert_eq!(scene.files(), first);
    assert_eq!(go_back(&mut documents, 2, None).unwrap(), None);
    go_back(&mut documents, at_third, None).unwrap().unwrap();
    assert_eq!(scene.files(), third);
    go_back(&mut documents, at_second, None).unwrap().unwrap();
    assert_eq!(scene.files(), second);
}

#[test]
fn m10_changed_documents_are_named_one_by_one_and_kept_or_put_back_as_told() {
    let (scene, mut documents) = Scene::new(6, 2);
    let before = scene.files();
    migrate(&mut documents, None, &mut Silent).unwrap();
    scene.write("notes/1.yaml", b"v: 3\ntext: mine\ndone: true\n", 0o640);
    scene.write("books/2/2.json", b"{\"v\": 3, \"title\": \"mine\"}", 0o600);
    fs::set_permissions(scene.root().join("notes/4.yaml"), fs::Permissions::from_mode(0o600))
        .unwrap();
    fs::remove_file(scene.root().join("books/3/3.json")).unwrap();
    let changed = scene.files();
    let size = documents.ledger().state().size();
    let Err(MigrateError::DocumentsChanged { named }) = go_back(&mut documents, 2, None) else {
        panic!()
    };
    for id in ["notes/1.yaml", "books/2/2.json", "notes/4.yaml", "books/3/3.json"] {
        assert!(named.contains(id), "{named}");
    }
    assert!(!named.contains("notes/2.yaml"), "{named}");
    assert_eq!((scene.files(), documents.ledger().state().size()), (changed.clone(), size));

    go_back(&mut documents, 2, Some(Changes::Keep)).unwrap().unwrap();
    let kept = scene.files();
    for (id, (bytes, mode)) in &before {
        let expected = match id.as_str() {
            "books/3/3.json" => None,
            "notes/1.yaml" | "books/2/2.json" | "notes/4.yaml" => changed.get(id),
            _ => before.get(id),
        };
        assert_eq!(kept.get(id), expected, "{id}, which was {bytes:?} {mode:o}");
    }

    go_back(&mut documents, 2, Some(Changes::Discard)).unwrap().unwrap();
    assert_eq!(scene.files(), before);
    let mine = ledger_format::hash::ContentHash::of(b"{\"v\": 3, \"title\": \"mine\"}");
    assert!(documents.objects().get(&mine).is_ok());
}

#[test]
fn m10_a_document_that_is_gone_comes_back_although_it_is_to_be_what_it_was_last() {
    let (scene, mut documents) = Scene::new(3, 1);
    migrate(&mut documents, Some("2"), &mut Silent).unwrap();
    let (then, size) = (scene.files(), documents.ledger().state().size());
    fs::remove_file(scene.root().join("notes/1.yaml")).unwrap();
    go_back(&mut documents, size, Some(Changes::Discard)).unwrap().unwrap();
    assert_eq!(scene.files(), then);
    assert!(documents.ledger().state().runs().open.is_none());
}

#[test]
fn m5_a_plan_fits_the_documents_it_was_made_for() {
    let (scene, mut documents) = Scene::new(3, 1);
    let planned = plan(&mut documents, None, policy()).unwrap();
    let first = planned.id;
    let consent = Consent(Some(first.to_string()));
    scene.write("notes/1.yaml", b"v: 1\ntext: other\n", 0o640);
    let size = documents.ledger().state().size();
    let before = scene.files();
    let applied = apply(&mut documents, planned, &consent, INPUTS, &signer(), &mut Silent);
    assert!(
        matches!(&applied, Err(MigrateError::Stale { reason }) if reason.contains("notes/1.yaml")),
        "{applied:?}"
    );
    assert_eq!((scene.files(), documents.ledger().state().size()), (before, size));
    let again = plan(&mut documents, None, policy()).unwrap();
    assert_ne!(again.id, first);
    let unsaid = apply(&mut documents, again, &Consent::default(), INPUTS, &signer(), &mut Silent);
    assert!(matches!(unsaid, Err(MigrateError::Unconfirmed { .. })));
}

/// Asks to stop once so many milestones were reached.
pub(super) struct StopsAfter {
    pub(super) milestones: u64,
    pub(super) documents_only: bool,
    pub(super) reached: u64,
}

impl Observer for StopsAfter {
    fn reached(&mut self, milestone: &Milestone<'_>) {
        let counts = !self.documents_only || matches!(milestone, Milestone::Document { .. });
        self.reached += u64::from(counts);
    }

    fn wants_to_stop(&self) -> bool {
        self.reached >= self.milestones
    }
}

#[test]
fn m9_a_run_that_stops_at_every_document_ends_as_one_that_never_did() {
    let (whole, mut documents) = Scene::new(MANY, 4);
    migrate(&mut documents, None, &mut Silent).unwrap();
    let expected = (whole.files(), outcome(&documents));
    let (scene, mut documents) = Scene::new(MANY, 4);
    let stops = || StopsAfter { milestones: 1, documents_only: true, reached: 0 };
    let mut ended = migrate(&mut documents, None, &mut stops());
    let mut times = 0;
    while matches!(ended, Err(MigrateError::Interrupted)) {
        times += 1;
        if times % 25 == 0 {
            drop(documents);
            documents = scene.open();
        }
        ended = gone_on(&mut documents, &mut stops());
    }
    ended.unwrap();
    assert_eq!(times, 200);
    assert_eq!((scene.files(), outcome(&documents)), expected);
}

#[test]
fn m9_a_run_that_stops_at_any_milestone_is_resumed_to_the_same_end() {
    let (whole, mut documents) = Scene::new(5, 2);
    migrate(&mut documents, None, &mut Silent).unwrap();
    let expected = (whole.files(), outcome(&documents));
    let mut stopped = 0;
    for milestones in 1..16 {
        let (scene, mut documents) = Scene::new(5, 2);
        let mut stops = StopsAfter { milestones, documents_only: false, reached: 0 };
        let before = scene.files();
        if matches!(migrate(&mut documents, None, &mut stops), Err(MigrateError::Interrupted)) {
            stopped += 1;
            assert_eq!(scene.files(), before);
            drop(documents);
            documents = scene.open();
            gone_on(&mut documents, &mut Silent).unwrap();
        }
        assert_eq!((scene.files(), outcome(&documents)), expected, "{milestones} milestones");
    }
    assert!(stopped > 5, "{stopped}");
}

#[test]
fn a_run_that_is_given_up_before_it_is_committed_leaves_the_documents_alone() {
    let (scene, mut documents) = Scene::new(3, 1);
    let before = scene.files();
    let mut stops = StopsAfter { milestones: 2, documents_only: true, reached: 0 };
    assert!(matches!(migrate(&mut documents, None, &mut stops), Err(MigrateError::Interrupted)));
    abandon(&mut documents, "no longer wanted", &signer(), &mut Silent).unwrap();
    assert_eq!(scene.files(), before);
    assert!(matches!(gone_on(&mut documents, &mut Silent), Err(MigrateError::NoRun)));
    migrate(&mut documents, None, &mut Silent).unwrap();
}
