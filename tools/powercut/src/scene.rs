//! What lies on the device: a `.glyph` store with rows in it, its ledger, and the memory of its heads.
//! Clock, seed, nonce and key are fixed, so that work that was cut short and finished afterwards must
//! come to what undisturbed work comes to, down to the root over all events.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use ed25519_dalek::SigningKey;
use glyph_ledger::effects::{FixedClock, FixedRandom, KeySigner};
use glyph_ledger::ledger::{Begins, Surroundings};
use glyph_ledger::migrate::{
    Consent, InitOptions, Inputs, Milestone, Observer, OpenStore, Policy, RollbackOptions, Store,
    apply, init, plan, resume, rollback,
};
use glyph_ledger::target::glyph_store::{Layout, built_in_contract, create};
use glyph_ledger::target::sqlite::{PageTree, Snapshot};
use glyph_ledger::trust::FilePins;
use ledger_format::body::{Body, Cause, ObjectObserved};
use ledger_format::hash::{CommitHash, NodeHash};

use crate::error::{Error, at};

/// 2023-11-14T22:13:20Z.
const CLOCK_MS: u64 = 1_700_000_000_000;

const INPUTS: Inputs = Inputs { clock_ms: CLOCK_MS, seed: [5; 32] };

/// Rows in the tables that migrations touch: some dozen pages.
const ROWS: usize = 300;

/// Batches that [`Part::Append`] writes.
const BATCHES: u64 = 60;

/// The work that is cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Batches of events, one after the other.
    Append,
    /// Runs: version 1 to 2, 2 to 3, back to 2, and forward to 3 again.
    Jobs,
}

/// A store and what belongs to it, below one folder.
pub(crate) struct Scene {
    home: PathBuf,
}

/// What work came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    certificates: Vec<CommitHash>,
    page_root: CommitHash,
    manifest: Vec<u8>,
    audit: Vec<u8>,
    root: NodeHash,
}

/// Is told whenever events have been acknowledged, with the number of events of the ledger.
pub(crate) type Acknowledged<'a> = &'a mut dyn FnMut(u64);

impl Scene {
    pub(crate) fn at(home: &Path) -> Self {
        Self { home: home.to_owned() }
    }

    /// Makes the store, with rows, and takes it into care.
    pub(crate) fn adopt(&self) -> Result<(), Error> {
        create(&self.layout(), "powercut", CLOCK_MS)
            .map_err(glyph_ledger::migrate::MigrateError::from)?;
        rusqlite::Connection::open(self.layout().database())?.execute_batch(&rows())?;
        let open = self.open_store()?;
        let options = InitOptions {
            open,
            project: "powercut".to_owned(),
            baseline: None,
            begins: Begins::default(),
            signer: Arc::new(signer()),
        };
        init(options, &mut FixedRandom::new([3; 32]))?;
        Ok(())
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.home.join(".glyph"))
    }

    pub(crate) fn pins(&self) -> FilePins {
        FilePins::new(self.home.join("pins"), self.home.join("places"))
    }

    pub(crate) fn open(&self) -> Result<Store, Error> {
        Ok(Store::open(self.open_store()?)?)
    }

    fn open_store(&self) -> Result<OpenStore, Error> {
        let layout = self.layout();
        let surroundings = Surroundings {
            clock: Arc::new(FixedClock(CLOCK_MS)),
            pins: Arc::new(self.pins()),
            wait: Duration::from_secs(5),
        };
        let contract = built_in_contract().map_err(glyph_ledger::migrate::MigrateError::from)?;
        Ok(OpenStore { ledger: layout.ledger(), site: layout.into(), contract, surroundings })
    }

    /// Does `part` from wherever it is to its end.
    pub(crate) fn work(&self, part: Part, told: Acknowledged<'_>) -> Result<(), Error> {
        match part {
            Part::Append => self.append(told),
            Part::Jobs => self.jobs(told),
        }
    }

    /// Batches of other lengths each, as far as they are not there.
    fn append(&self, told: Acknowledged<'_>) -> Result<(), Error> {
        let store = self.open()?;
        let adopted = store.ledger().state().store().objects.get(Layout::AUDIT).cloned();
        let first = adoption(&store)?;
        drop(store);
        let Some(state) = adopted else {
            return Err(unexpected("the audit file", "an adopted object", "none"));
        };
        let open = self.open_store()?;
        let mut ledger =
            glyph_ledger::ledger::Ledger::open(&open.ledger, &open.ledger, open.surroundings)
                .map_err(glyph_ledger::migrate::MigrateError::from)?;
        let object = Layout::AUDIT.to_owned();
        let observed = Body::from(ObjectObserved { object, cause: Cause::DataChange, state });
        let mut end = first;
        for number in 0..BATCHES {
            let count = 1 + number * 37 % 97;
            end += count;
            if ledger.state().size() < end {
                let bodies = (0..count).map(|_| observed.clone()).collect();
                ledger.append(&signer(), bodies)?;
                told(end);
            }
        }
        Ok(())
    }

    fn jobs(&self, told: Acknowledged<'_>) -> Result<(), Error> {
        let mut store = self.open()?;
        let mut observer = Teller(told);
        loop {
            if store.pending().is_some() {
                resume(&mut store, &signer(), &mut observer)?;
                continue;
            }
            let ends: Vec<u64> = store
                .ledger()
                .state()
                .runs()
                .finished
                .iter()
                .map(|run| run.ended_seq + 1)
                .collect();
            match ends.as_slice() {
                [] => migrate(&mut store, "2", &mut observer)?,
                [_] => migrate(&mut store, "3", &mut observer)?,
                [second, _] => go_to(&mut store, *second, &mut observer)?,
                [_, third, _] => go_to(&mut store, *third, &mut observer)?,
                _ => return Ok(()),
            }
        }
    }

    /// The number of events after which work on versions upwards is over and going back begins.
    pub(crate) fn going_back_from(&self) -> Result<u64, Error> {
        let store = self.open()?;
        let finished = &store.ledger().state().runs().finished;
        Ok(finished.get(1).map_or(u64::MAX, |run| run.ended_seq + 1))
    }

    pub(crate) fn outcome(&self) -> Result<Outcome, Error> {
        let store = self.open()?;
        let layout = self.layout();
        let state = store.ledger().state();
        let snapshot = Snapshot::open(&layout.database(), Duration::ZERO)?;
        let tree = PageTree::build(&snapshot)?;
        Ok(Outcome {
            certificates: state.certificates().issued.iter().map(|one| one.certificate).collect(),
            page_root: tree.root(),
            manifest: fs::read(layout.manifest()).map_err(at(&layout.manifest()))?,
            audit: fs::read(layout.audit()).map_err(at(&layout.audit()))?,
            root: store.ledger().head().head().root,
        })
    }
}

/// Passes on what was recorded.
struct Teller<'a>(Acknowledged<'a>);

impl Observer for Teller<'_> {
    fn reached(&mut self, milestone: &Milestone<'_>) {
        if let Milestone::Recorded { size } = milestone {
            (self.0)(*size);
        }
    }
}

/// The number of events with which the store was adopted: those before the first that a part adds.
fn adoption(store: &Store) -> Result<u64, Error> {
    let mut size = 0;
    for batch in store.ledger().batches(0..2) {
        size = batch?.head.head().size;
    }
    Ok(size)
}

fn migrate(store: &mut Store, to: &str, observer: &mut dyn Observer) -> Result<(), Error> {
    let plan = plan(store, Some(to), Policy::default())?;
    let consent = Consent(Some(plan.id.to_string()));
    apply(store, &plan, &consent, INPUTS, &signer(), observer)?;
    Ok(())
}

fn go_to(store: &mut Store, size: u64, observer: &mut dyn Observer) -> Result<(), Error> {
    let options = RollbackOptions::default();
    match rollback(store, size, options, INPUTS, &signer(), observer)? {
        Some(_) => Ok(()),
        None => Err(unexpected("going back", "a run", "nothing to do")),
    }
}

fn unexpected(what: &'static str, expected: &str, actual: &str) -> Error {
    Error::Unexpected { what, expected: expected.to_owned(), actual: actual.to_owned() }
}

fn signer() -> KeySigner {
    KeySigner::new(SigningKey::from_bytes(&[7; 32]))
}

fn rows() -> String {
    let row = |n: usize| {
        let labels = if n.is_multiple_of(2) { "doc" } else { "code,rust" };
        format!(
            "INSERT INTO content VALUES ('c{n}', 'sha256:{n:064}', {n}, 'src/{n}.rs', '2023');
             INSERT INTO sources VALUES ('src/{n}.rs', 'c{n}', '{labels}', '2023');"
        )
    };
    format!("BEGIN; {} COMMIT;", (0..ROWS).map(row).collect::<String>())
}
