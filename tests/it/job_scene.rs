//! A `.glyph` store with rows in it, its ledger, its key and its memory of heads, below one folder.
//! Clock, seed, nonce and key are fixed: what is made from equal scenes is equal, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use glyph_ledger::contract::Contract;
use glyph_ledger::effects::{FixedClock, FixedRandom, KeySigner};
use glyph_ledger::ledger::{Begins, Ledger, LedgerError, Surroundings};
use glyph_ledger::migrate::{
    Adoption, Consent, InitOptions, Inputs, MigrateError, Observer, OpenStore, Plan, Policy,
    RollbackOptions, RunReport, Silent, Store, apply, init, plan, resume, rollback,
};
use glyph_ledger::target::glyph_store::{Layout, built_in_contract, create};
use glyph_ledger::target::sqlite::{PageTree, Snapshot};
use glyph_ledger::trust::FilePins;
use ledger_format::hash::{CommitHash, NodeHash};

/// A lock may outlive its holder by a moment: another test that starts a process just then holds a
/// copy of it until that process has begun.
const PATIENCE: Duration = Duration::from_millis(500);

/// The clock of everything: 2023-11-14T22:13:20Z.
pub(crate) const CLOCK_MS: u64 = 1_700_000_000_000;

/// What the steps of every run see.
pub(crate) const INPUTS: Inputs = Inputs { clock_ms: CLOCK_MS, seed: [5; 32] };

/// What later builds of version 1 have more than the first ones.
pub(crate) const SEMANTIC_COLUMNS: &str = "
    ALTER TABLE publications ADD COLUMN semantic_type TEXT NOT NULL DEFAULT '';
    ALTER TABLE publications ADD COLUMN semantic_scope TEXT NOT NULL DEFAULT '';
    ALTER TABLE publications ADD COLUMN semantic_description TEXT NOT NULL DEFAULT '';";

/// Rows in the tables that migrations touch: enough for some dozen pages.
const ROWS: usize = 400;

/// One store and what belongs to it.
pub(crate) struct Scene {
    home: PathBuf,
    pub(crate) contract: Contract,
    pub(crate) wait: Duration,
    /// The clock of events; what steps see is [`INPUTS`].
    pub(crate) clock_ms: u64,
}

impl Scene {
    /// The scene below `home`, whatever is there.
    pub(crate) fn at(home: &Path) -> Self {
        let contract = built_in_contract().unwrap();
        Self { home: home.to_owned(), contract, wait: PATIENCE, clock_ms: CLOCK_MS }
    }

    /// A store of version 1 with rows, and no ledger yet.
    pub(crate) fn created(home: &Path) -> Self {
        let scene = Self::at(home);
        create(&scene.layout(), "scene", CLOCK_MS).unwrap();
        scene.sql(&rows());
        scene
    }

    /// The same in the care of a new ledger.
    pub(crate) fn adopted(home: &Path) -> Self {
        let scene = Self::created(home);
        scene.init().unwrap();
        scene
    }

    /// The same at version 2, one committed run later.
    pub(crate) fn at_version_2(home: &Path) -> Self {
        let scene = Self::adopted(home);
        migrate(&mut scene.open().unwrap(), "2", &mut Silent).unwrap();
        scene
    }

    /// The folder that everything lies in.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// A copy of everything below another folder.
    pub(crate) fn copy_to(&self, home: &Path) -> Self {
        copy(&self.home, home);
        let (contract, wait) = (self.contract.clone(), self.wait);
        Self { home: home.to_owned(), contract, wait, clock_ms: self.clock_ms }
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.home.join(".glyph"))
    }

    pub(crate) fn open_store(&self) -> OpenStore {
        let layout = self.layout();
        let ledger = layout.ledger();
        let pins = FilePins::new(self.home.join("pins"), self.home.join("places"));
        let surroundings = Surroundings {
            clock: Arc::new(FixedClock(self.clock_ms)),
            pins: Arc::new(pins),
            wait: self.wait,
        };
        OpenStore { site: layout.into(), ledger, contract: self.contract.clone(), surroundings }
    }

    /// The ledger alone, its store left aside.
    pub(crate) fn open_ledger(&self) -> Ledger {
        self.try_open_ledger().unwrap()
    }

    pub(crate) fn try_open_ledger(&self) -> Result<Ledger, LedgerError> {
        let OpenStore { ledger, surroundings, .. } = self.open_store();
        Ledger::open(&ledger, &ledger, surroundings)
    }

    pub(crate) fn open(&self) -> Result<Store, MigrateError> {
        Store::open(self.open_store())
    }

    pub(crate) fn init(&self) -> Result<(Store, Adoption), MigrateError> {
        self.init_with_nonce([3; 32])
    }

    pub(crate) fn init_with_nonce(
        &self,
        nonce: [u8; 32],
    ) -> Result<(Store, Adoption), MigrateError> {
        let (open, project) = (self.open_store(), "scene".to_owned());
        let signer = Arc::new(signer());
        let options =
            InitOptions { open, project, baseline: None, begins: Begins::default(), signer };
        init(options, &mut FixedRandom::new(nonce))
    }

    /// What another program does to the database.
    pub(crate) fn sql(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.layout().database()).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// One number out of the database.
    pub(crate) fn count(&self, query: &str) -> i64 {
        let connection = rusqlite::Connection::open(self.layout().database()).unwrap();
        connection.query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// Appends to the audit file as another program does.
    pub(crate) fn audit(&self, text: &str) {
        let mut bytes = fs::read(self.layout().audit()).unwrap();
        bytes.extend_from_slice(text.as_bytes());
        fs::write(self.layout().audit(), bytes).unwrap();
    }

    pub(crate) fn audit_lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.layout().audit()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Every file of the store with its bytes and mode. Not the ledger, and not SQLite's index of its
    /// write-ahead log, which every reader rewrites.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let layout = self.layout();
        let mut files = files_below(layout.root());
        files.retain(|path, _| {
            !path.starts_with(layout.ledger()) && path.extension().is_none_or(|end| end != "db-shm")
        });
        files
    }

    /// What the store is, told by its objects and not by how its files came to be.
    pub(crate) fn content(&self) -> Content {
        let layout = self.layout();
        let snapshot = Snapshot::open(&layout.database(), self.wait).unwrap();
        let mode = fs::metadata(layout.manifest()).unwrap().permissions().mode();
        Content {
            page_root: PageTree::build(&snapshot).unwrap().root(),
            manifest: fs::read_to_string(layout.manifest()).unwrap(),
            mode,
        }
    }

    /// Names of the store's files, and of what lies in the folder for work copies.
    pub(crate) fn names(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let root = self.layout().root().to_owned();
        let names = |files: BTreeMap<PathBuf, (u32, Vec<u8>)>| -> Vec<PathBuf> {
            files.into_keys().map(|path| path.strip_prefix(&root).unwrap().to_owned()).collect()
        };
        let mut files = self.files();
        // A killed program leaves its write-ahead log to the next one; that is SQLite's normal life.
        files.retain(|path, _| path.extension().is_none_or(|end| end != "db-wal"));
        (names(files), names(files_below(&self.layout().ledger().join("work"))))
    }

    /// Everything that must come out the same, however often the work was interrupted.
    pub(crate) fn outcome(&self) -> Outcome {
        let store = self.open().unwrap();
        let state = store.ledger().state();
        let certificates = state.certificates().issued.iter().map(|issued| issued.certificate);
        let batches = store.ledger().batches(0..u64::MAX);
        let (files, left_over) = self.names();
        Outcome {
            certificates: certificates.collect(),
            content: self.content(),
            audit: self.audit_lines(),
            files,
            left_over,
            batches: batches.map(|batch| batch.unwrap().head.head().size).collect(),
            root: store.ledger().head().head().root,
        }
    }
}

/// Manifest and database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) page_root: CommitHash,
    pub(crate) manifest: String,
    pub(crate) mode: u32,
}

/// What a story came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) certificates: Vec<CommitHash>,
    pub(crate) content: Content,
    pub(crate) audit: Vec<String>,
    /// Names of the store's files: nothing lies about that was not there before.
    pub(crate) files: Vec<PathBuf>,
    /// Files in the folder for work copies.
    pub(crate) left_over: Vec<PathBuf>,
    /// Sizes at which batches end.
    pub(crate) batches: Vec<u64>,
    /// Root over every event: the very same ones were written.
    pub(crate) root: NodeHash,
}

pub(crate) fn signer() -> KeySigner {
    KeySigner::new(SigningKey::from_bytes(&[7; 32]))
}

/// Plans the way to `to` and applies the plan, its loss accepted.
pub(crate) fn migrate(
    store: &mut Store,
    to: &str,
    observer: &mut dyn Observer,
) -> Result<RunReport, MigrateError> {
    let plan = plan(store, Some(to), Policy::default())?;
    apply(store, &plan, &accept(&plan), INPUTS, &signer(), observer)
}

pub(crate) fn accept(plan: &Plan) -> Consent {
    Consent(Some(plan.id.to_string()))
}

pub(crate) fn go_back(
    store: &mut Store,
    size: u64,
    observer: &mut dyn Observer,
) -> Result<Option<RunReport>, MigrateError> {
    rollback(store, size, RollbackOptions::default(), INPUTS, &signer(), observer)
}

/// The whole story from wherever it is to its end: 1 → 2 → 3, and back to 2.
pub(crate) fn tell(scene: &Scene, observer: &mut dyn Observer) -> Result<(), MigrateError> {
    let mut store = scene.open()?;
    loop {
        if store.pending().is_some() {
            resume(&mut store, &signer(), observer)?;
            continue;
        }
        let finished = &store.ledger().state().runs().finished;
        match (finished.len(), finished.first().map(|first| first.ended_seq + 1)) {
            (0, _) => drop(migrate(&mut store, "2", observer)?),
            (1, _) => drop(migrate(&mut store, "3", observer)?),
            (2, Some(size)) => drop(go_back(&mut store, size, observer)?),
            _ => return Ok(()),
        }
    }
}

/// Content, sources with labels, and publications.
fn rows() -> String {
    let sources = (0..ROWS).map(|n| {
        let labels = ["", "doc", "code,rust", "code,test,slow"][n % 4];
        format!(
            "INSERT INTO content VALUES ('c{n}', 'sha256:{n:064}', {n}, 'src/{n}.rs', '2023');
             INSERT INTO sources VALUES ('src/{n}.rs', 'c{n}', '{labels}', '2023');"
        )
    });
    let publications = (0..20).map(|n| {
        format!(
            "INSERT INTO publications VALUES ('p{n}', 'w', 'main', 'done', 'me', 'squash', '');"
        )
    });
    let rows: Vec<String> = sources.chain(publications).collect();
    format!("BEGIN; {} COMMIT;", rows.concat())
}

/// Every file below `folder` with its mode and bytes.
pub(crate) fn files_below(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut files = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    for entry in entries {
        let path = entry.unwrap().path();
        let found = fs::symlink_metadata(&path).unwrap();
        if found.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.insert(path.clone(), (found.permissions().mode(), fs::read(&path).unwrap()));
        }
    }
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
