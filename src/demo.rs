//! The whole of it on real input: a store made from the files of a folder, migrated, verified,
//! replayed, rolled back and forward, attacked, exported. Everything it says was asked of the library
//! a moment before; what does not hold ends it with an error.

mod import;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledger_format::body::ObjectState;
use ledger_format::hash::{CommitHash, LedgerId};

use crate::effects::{Clock as _, KeySigner, Random as _, SystemClock, SystemRandom};
use crate::export::{ExportError, export};
use crate::ledger::{Begins, Cursor, CursorError, Surroundings, place_of};
use crate::migrate::{
    Consent, InitOptions, Inputs, MigrateError, Observer, OpenStore, Plan, Policy, RollbackOptions,
    Store, apply, in_words, init, plan, rollback,
};
use crate::objects::PackObjects;
use crate::replay::{MaterialiseError, ReplayError, materialise, replay};
use crate::target::glyph_store::{Layout, built_in_contract};
use crate::target::sqlite::{DatabaseError, PageTree, Snapshot};
use crate::trust::{FilePins, Home, KeyError, create_key};
use crate::verify::{Folders, Options, Outcome, Report, Unobserved, VerifyError, verify_folder};

/// Is told the story while it happens.
pub trait Narrator: Observer {
    /// A chapter begins.
    fn chapter(&mut self, title: &str);
    /// Something was found out.
    fn fact(&mut self, text: &str);
}

/// What the demonstration leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demo {
    /// The folder of all of it.
    pub root: PathBuf,
    /// The project, with its store in `.glyph`.
    pub project: PathBuf,
    /// The folder that stands in for the user's home: key, remembered heads.
    pub home: PathBuf,
    /// The export.
    pub export: PathBuf,
    /// The store as it was before version 3.
    pub replayed: PathBuf,
    /// The copy of the ledger in which one byte was changed.
    pub attacked: PathBuf,
    /// The ledger.
    pub ledger: LedgerId,
}

/// The demonstration ended early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A job.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A verification.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A replay.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The store as it was.
    #[error(transparent)]
    Materialise(#[from] MaterialiseError),
    /// The export.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A cursor.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The replayed database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The import.
    #[error("{}: {source}", path.display())]
    Import {
        /// The database.
        path: PathBuf,
        /// What happened.
        source: rusqlite::Error,
    },
    /// A file or folder.
    #[error("{}: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// There is nothing to import.
    #[error("{} has no files to import", path.display())]
    NothingToImport {
        /// The folder.
        path: PathBuf,
    },
    /// Something did not come out as it must.
    #[error("this did not hold: {0}")]
    DidNotHold(String),
}

/// Tells the whole story with the files below `from`, in the new folder `root`.
pub fn run(from: &Path, root: &Path, narrator: &mut dyn Narrator) -> Result<Demo, DemoError> {
    let story = Story::begin(from, root, narrator)?;
    story.migrate(narrator)?;
    story.verify(narrator)?;
    let replayed = story.replay(narrator)?;
    story.back_and_forth(narrator)?;
    let export = story.export(narrator)?;
    let attacked = story.attack(narrator)?;
    Ok(Demo {
        root: story.root.clone(),
        project: story.root.join("project"),
        home: story.root.join("home"),
        export,
        replayed,
        attacked,
        ledger: story.ledger,
    })
}

struct Story {
    root: PathBuf,
    pins: Arc<FilePins>,
    signer: Arc<KeySigner>,
    open: OpenStore,
    ledger: LedgerId,
}

impl Story {
    fn begin(from: &Path, root: &Path, narrator: &mut dyn Narrator) -> Result<Self, DemoError> {
        narrator.chapter("A store of version 1, from the files of this folder");
        let layout = Layout::new(root.join("project/.glyph"));
        let imported = import::import(from, &layout, SystemClock.now_ms())?;
        narrator.fact(&format!(
            "{} files of {} became {} rows and {} audit lines",
            imported.files,
            from.display(),
            imported.rows,
            imported.audit_lines
        ));
        let home = Home::below(&root.join("home"));
        let signer = Arc::new(create_key(&home.key_file(), &mut SystemRandom)?);
        let pins = Arc::new(FilePins::new(home.pins(), home.places()));
        let clock = Arc::new(SystemClock);
        let surroundings = Surroundings { clock, pins: pins.clone(), wait: Duration::ZERO };
        let contract = built_in_contract().map_err(MigrateError::from)?;
        let open =
            OpenStore { ledger: layout.ledger(), site: layout.into(), contract, surroundings };
        let options = InitOptions {
            open: open.clone(),
            project: "demo".to_owned(),
            baseline: None,
            begins: Begins::default(),
            signer: signer.clone(),
        };
        let (_, adoption) = init(options, &mut SystemRandom)?;
        narrator.fact(&format!("adopted by ledger {}", adoption.ledger));
        Ok(Self { root: root.to_owned(), pins, signer, open, ledger: adoption.ledger })
    }

    /// The store, open for one chapter.
    fn store(&self) -> Result<Store, DemoError> {
        Ok(Store::open(self.open.clone())?)
    }

    fn migrate(&self, narrator: &mut dyn Narrator) -> Result<(), DemoError> {
        let mut store = self.store()?;
        for version in ["2", "3"] {
            narrator.chapter(&format!("Migrating to version {version}"));
            let plan = plan(&mut store, Some(version), Policy::default())?;
            tell_plan(&plan, narrator);
            let consent = match plan.lost() {
                0 => Consent::default(),
                _ => self.refused_without_consent(&mut store, &plan, narrator)?,
            };
            let inputs = inputs()?;
            let observer = as_observer(narrator);
            let report = apply(&mut store, &plan, &consent, inputs, &*self.signer, observer)?;
            narrator.fact(&format!(
                "{} -> {}: certificate {}",
                report.from, report.to, report.certificate
            ));
        }
        Ok(())
    }

    /// A lossy plan is not applied by accident.
    fn refused_without_consent(
        &self,
        store: &mut Store,
        plan: &Plan,
        narrator: &mut dyn Narrator,
    ) -> Result<Consent, DemoError> {
        let (consent, observer) = (Consent::default(), as_observer(narrator));
        let refused = apply(store, plan, &consent, inputs()?, &*self.signer, observer);
        match refused {
            Err(MigrateError::Unconfirmed { .. }) => {
                narrator.fact("refused: its loss was not accepted by typing the plan's id");
                Ok(Consent(Some(plan.id.short())))
            }
            Err(error) => Err(error.into()),
            Ok(_) => Err(DemoError::DidNotHold("a lossy plan is refused without consent".into())),
        }
    }

    fn verify(&self, narrator: &mut dyn Narrator) -> Result<(), DemoError> {
        narrator.chapter("Verifying the chain");
        let report = self.judged(&self.open.ledger)?;
        match &report.outcome {
            Outcome::Complete { known } => {
                let objects = report.objects.unwrap_or_default();
                narrator.fact(&format!(
                    "complete up to {} events, root {}; {} stored objects are whole",
                    known.size, known.root, objects.good
                ));
                Ok(())
            }
            _ => Err(DemoError::DidNotHold(format!("the ledger verifies: {:?}", report.faults))),
        }
    }

    /// Judges a ledger's folder with the stored content of the demo's own ledger.
    fn judged(&self, dir: &Path) -> Result<Report, DemoError> {
        let ledger = &self.open.ledger;
        let io = |source| DemoError::Io { path: ledger.clone(), source };
        let place = place_of(ledger).map_err(io)?;
        let at = Folders { dir, place: &place, wait: Duration::ZERO };
        let objects = PackObjects::open_read_only(&self.open.ledger.join("objects"))
            .map_err(MigrateError::from)?;
        let options = Options { objects: Some(&objects), keep_going: true };
        Ok(verify_folder(at, &*self.pins, options, &mut Unobserved)?.report)
    }

    fn replay(&self, narrator: &mut dyn Narrator) -> Result<PathBuf, DemoError> {
        narrator.chapter("Replaying to before version 3");
        let store = self.store()?;
        let ledger = store.ledger();
        let before: Cursor = "@-1".parse()?;
        let size = ledger.resolve(&before)?;
        let then = replay(ledger, size)?;
        let out = self.root.join("before-version-3");
        materialise(&then, store.objects(), &out)?;
        let recorded = page_root(then.state.store().objects.get(Layout::DATABASE))?;
        let snapshot = Snapshot::open(&out.join(Layout::DATABASE), Duration::ZERO)?;
        let found = PageTree::build(&snapshot)?.root();
        narrator.fact(&format!("{size} events replayed into {}", out.display()));
        narrator.fact(&format!("page root recorded then  {recorded}"));
        narrator.fact(&format!("page root of the replay  {found}"));
        if found == recorded {
            Ok(out)
        } else {
            Err(DemoError::DidNotHold("the replayed database has the page root of then".into()))
        }
    }

    fn back_and_forth(&self, narrator: &mut dyn Narrator) -> Result<(), DemoError> {
        narrator.chapter("Rolling back, and forward again");
        let mut store = self.store()?;
        for _ in 0..2 {
            // Before the last run: first that is the migration to 3, then the way back from it.
            let cursor: Cursor = "@-1".parse()?;
            let size = store.ledger().resolve(&cursor)?;
            let (options, observer) = (RollbackOptions::default(), as_observer(narrator));
            let report = rollback(&mut store, size, options, inputs()?, &*self.signer, observer)?;
            let Some(report) = report else {
                return Err(DemoError::DidNotHold("there is something to go back to".into()));
            };
            let live = Snapshot::open(&self.open.site.database(), Duration::ZERO)?;
            let found = PageTree::build(&live)?.root();
            let then = store.ledger().state_at(size).map_err(MigrateError::from)?;
            let recorded = page_root(then.store().objects.get(Layout::DATABASE))?;
            narrator.fact(&format!(
                "{} -> {}: the live database has page root {}",
                report.from,
                report.to,
                found.short()
            ));
            if found != recorded {
                return Err(DemoError::DidNotHold("the live database is as of then".into()));
            }
        }
        Ok(())
    }

    fn export(&self, narrator: &mut dyn Narrator) -> Result<PathBuf, DemoError> {
        narrator.chapter("Exporting the history");
        let path = self.root.join("audit.jsonl");
        let io = |source| DemoError::Io { path: path.clone(), source };
        let mut out = io::BufWriter::new(fs::File::create(&path).map_err(io)?);
        let store = self.store()?;
        let ledger = store.ledger();
        let exported = export(ledger.batches(0..ledger.state().size()), &mut out)?;
        io::Write::flush(&mut out).map_err(io)?;
        let lines = exported.seqs.end - exported.seqs.start;
        narrator
            .fact(&format!("{lines} lines in {}, each of which verifies alone", path.display()));
        Ok(path)
    }

    /// Flips one byte of one stored event in a copy of the ledger and lets the verifier find it.
    fn attack(&self, narrator: &mut dyn Narrator) -> Result<PathBuf, DemoError> {
        narrator.chapter("One byte changed, in a copy");
        let copy = self.root.join("attacked-ledger");
        copy_folder(&self.open.ledger, &copy)?;
        let victim = self.store()?.ledger().event(7).map_err(MigrateError::from)?;
        let path = copy.join("sled/db");
        let io = |source| DemoError::Io { path: path.clone(), source };
        let mut bytes = fs::read(&path).map_err(io)?;
        let places: Vec<usize> = bytes
            .windows(victim.bytes.len())
            .enumerate()
            .filter(|(_, window)| *window == victim.bytes)
            .map(|(place, _)| place + victim.bytes.len() / 2)
            .collect();
        for place in &places {
            if let Some(byte) = bytes.get_mut(*place) {
                *byte ^= 0x01;
            }
        }
        fs::write(&path, &bytes).map_err(io)?;
        narrator.fact(&format!(
            "flipped a bit of event 7 ({}) where it is stored",
            victim.event.body.kind()
        ));
        let report = self.judged(&copy)?;
        if report.outcome != Outcome::Failed || report.good_size() > victim.event.seq {
            return Err(DemoError::DidNotHold("the changed byte is found".into()));
        }
        for fault in &report.faults {
            narrator.fact(&format!("verify-chain: {fault}"));
        }
        narrator.fact(&format!("still good: the first {} events", report.good_size()));
        Ok(copy)
    }
}

fn tell_plan(plan: &Plan, narrator: &mut dyn Narrator) {
    narrator.fact(&format!("plan {}", plan.id.short()));
    for step in &plan.steps {
        narrator.fact(&format!(
            "{}: {} statements, {} pages changed",
            step.script, step.statements, step.pages_changed
        ));
    }
    for (what, lost) in &plan.loss {
        narrator.fact(&format!("loses {}", in_words(what, lost)));
    }
}

fn inputs() -> Result<Inputs, DemoError> {
    let seed = SystemRandom.bytes32().map_err(MigrateError::from)?;
    Ok(Inputs { clock_ms: SystemClock.now_ms(), seed })
}

fn page_root(state: Option<&ObjectState>) -> Result<CommitHash, DemoError> {
    let missing = || DemoError::DidNotHold("the ledger has a database".into());
    state.and_then(ObjectState::page_root).ok_or_else(missing)
}

fn as_observer(narrator: &mut dyn Narrator) -> &mut dyn Observer {
    narrator
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), DemoError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| DemoError::Io { path, source }
    };
    fs::create_dir_all(to).map_err(io(to))?;
    for entry in fs::read_dir(from).map_err(io(from))? {
        let entry = entry.map_err(io(from))?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(io(from))?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).map_err(io(&target))?;
        }
    }
    Ok(())
}
