//! Staging: a run's work, beside the store. Done again from the start when a run is resumed, each
//! result compared with the one recorded.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ledger_format::body::{
    Body, ObjectMigrated, ObjectStaged, ObjectState, Purpose, RunStarted, StagedContent, Verdict,
};
use ledger_format::hash::{CommitHash, ContentHash, EventId};
use projections::OpenRun;

use super::error::MigrateError;
use super::loss::{self, MeasuredLoss};
use super::observe::{LiveDatabase, document_state};
use super::plan::{exemptions, loss_bound, script};
use super::rehearsal::Rehearsal;
use super::run::{Inputs, Milestone, Observer, Subject as _};
use super::stated;
use super::store::Store;
use crate::contract::{Bundle, Contract, Edge, way};
use crate::effects::Signer;
use crate::ledger::Ledger;
use crate::objects::{Objects, ObjectsError};
use crate::target::Site;
use crate::target::glyph_store::{Layout, Manifest, manifest_version};
use crate::target::sqlite::{Exemption, Loss, PageTree, Script, StepInputs, WorkCopy};

/// Operator that rewrites a store's manifest.
const MANIFEST_OPERATOR: &str = "glyph-ledger.migrate.manifest";
/// Operator that runs SQL steps on a store's database.
const DATABASE_OPERATOR: &str = "glyph-ledger.migrate.database";
/// Operator that puts an object back to what it was at an earlier cursor.
const RESTORE_OPERATOR: &str = "glyph-ledger.restore";

/// Steps recorded together, so that a thousand small ones do not wait for the disk a thousand times. A run that is
/// resumed begins with its first step whatever was recorded, so that recording more often spares no work; it lets the
/// results of a long run be compared as far as they go.
const STEPS_A_BATCH: usize = 256;

/// Works on an open run until every object has reached its target.
pub(super) fn stage(
    store: &mut Store,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let open = store.pending().cloned().ok_or(MigrateError::NoRun)?;
    let migrated = match open.started.purpose {
        Purpose::Migrate => Staging::of(store, &open)?.migrate(store, signer, observer)?,
        Purpose::Rollback => restore(store, &open)?,
    };
    let missing = migrated.into_iter().filter(|body| !open.migrated.contains(&body.object));
    let bodies: Vec<Body> = missing.map(Body::from).collect();
    if !bodies.is_empty() {
        store.objects.sync()?;
        store.record(signer, bodies, observer)?;
    }
    Ok(())
}

struct Staging {
    run: EventId,
    contract: Contract,
    started: RunStarted,
    recorded: BTreeMap<String, Vec<StagedContent>>,
    pending: Vec<Body>,
}

impl Staging {
    fn of(store: &Store, open: &OpenRun) -> Result<Self, MigrateError> {
        Ok(Self {
            run: open.run,
            contract: frozen_contract(&store.ledger, &*store.objects, contract_of(&open.started)?)?,
            started: open.started.clone(),
            recorded: open.steps.clone(),
            pending: Vec::new(),
        })
    }

    fn migrate(
        mut self,
        store: &mut Store,
        signer: &dyn Signer,
        observer: &mut dyn Observer,
    ) -> Result<Vec<ObjectMigrated>, MigrateError> {
        let contract = self.contract.clone();
        let edges = way(&contract, &self.started.from, &self.started.to)?;
        let manifest = match store.site.store() {
            Some(_) => Some(self.manifest(store, &edges)?),
            None => None,
        };
        let database = self.database(store, &edges, signer, observer)?;
        self.flush(store, signer, observer)?;
        Ok(manifest.into_iter().chain([database]).collect())
    }

    fn manifest(
        &mut self,
        store: &mut Store,
        edges: &[Edge],
    ) -> Result<ObjectMigrated, MigrateError> {
        let broken = |error| MigrateError::Manifest { path: Layout::MANIFEST.into(), error };
        let source = recorded_state(store, Layout::MANIFEST)?;
        let ObjectState::Document { content, mode, .. } = source else {
            return Err(MigrateError::DocumentChanged { object: Layout::MANIFEST.to_owned() });
        };
        let bytes = store.objects.get(&content)?;
        let mut manifest = Manifest::parse(&bytes).map_err(broken)?;
        let mut target = source.clone();
        for (step, edge) in (0..).zip(edges) {
            if let Some(version) = manifest_version(&edge.to) {
                manifest = manifest.at_version(version).map_err(broken)?;
            }
            let content = store.objects.put(manifest.bytes())?;
            target = document_state(manifest.bytes(), mode);
            let edge = self.contract.edge_digest(edge);
            self.staged(Layout::MANIFEST, step, edge, StagedContent::Document { content })?;
        }
        let verdicts = [("only_version_changed".to_owned(), Verdict::True)].into();
        let loss = MeasuredLoss::default();
        Ok(ObjectMigrated {
            run: self.run,
            object: Layout::MANIFEST.to_owned(),
            route: None,
            operator: MANIFEST_OPERATOR.to_owned(),
            source,
            target,
            loss: loss.hash(),
            lost: 0,
            reads_inputs: false,
            loss_list: None,
            verdicts,
            renamed: Vec::new(),
        })
    }

    fn database(
        &mut self,
        store: &mut Store,
        edges: &[Edge],
        signer: &dyn Signer,
        observer: &mut dyn Observer,
    ) -> Result<ObjectMigrated, MigrateError> {
        let object = store.site.database_id().to_owned();
        let source = recorded_state(store, &object)?;
        let ObjectState::Database { page_root, .. } = source else {
            return Err(MigrateError::DocumentChanged { object });
        };
        let mut work = self.begin(store, &source, &page_root)?;
        let exemptions = exemptions(&self.contract);
        let mut loss = MeasuredLoss::default();
        let total: u64 = edges.iter().map(|edge| edge.steps.len() as u64).sum();
        let mut step = 0;
        for edge in edges {
            for sql in edge.sql() {
                let inputs = step_inputs(&self.started, &object, step)?;
                let script = script(&self.contract, sql);
                let (page_root, lost) =
                    work.step(&script, &inputs, &exemptions, &mut *store.objects)?;
                loss.add(edge, &lost)?;
                let result = StagedContent::Database { page_root };
                let edge = self.contract.edge_digest(edge);
                self.staged(&object, step, edge, result)?;
                step += 1;
                observer.reached(&Milestone::Step { done: step, total, script: &sql.script });
                let stops = observer.wants_to_stop();
                if stops || self.pending.len() >= STEPS_A_BATCH {
                    self.flush(store, signer, observer)?;
                }
                if stops {
                    return Err(MigrateError::Interrupted);
                }
            }
        }
        if !loss::within(&loss.summary, &loss_bound(store, self.started.plan)?) {
            return Err(MigrateError::Stale {
                reason: "it would lose more than was planned".into(),
            });
        }
        let rows = work.sound_content()?;
        work.must_lead_back(&*store.objects)?;
        let copy = work.copy();
        let states_version = self.check_version(store, copy)?;
        let (page_root, schema) = (copy.page_tree().root(), copy.schema_digest()?);
        let target = ObjectState::Database { page_root, rows: rows.into(), schema: schema.into() };
        let loss_list = match loss.lost() {
            0 => None,
            _ => Some(store.objects.put(&loss.list().encode())?),
        };
        let reads_inputs = reads_inputs(&self.contract, edges, copy)?;
        let checked = ["foreign_keys", "integrity", "loss_within_plan"];
        let checked = checked.into_iter().chain(states_version.then_some("version_stated"));
        Ok(ObjectMigrated {
            run: self.run,
            object,
            route: None,
            operator: DATABASE_OPERATOR.to_owned(),
            source,
            target,
            loss: loss.hash(),
            lost: loss.lost(),
            reads_inputs,
            loss_list,
            verdicts: checked.map(|name| (name.to_owned(), Verdict::True)).collect(),
            renamed: Vec::new(),
        })
    }

    /// What was made for the plan, if that is of this run; else a copy to run the steps on.
    fn begin(
        &self,
        store: &mut Store,
        source: &ObjectState,
        page_root: &CommitHash,
    ) -> Result<Work, MigrateError> {
        if let Some(done) = store.rehearsal.take().filter(|it| it.is_of(&self.started, source)) {
            return Ok(Work::Rehearsed(Box::new(done)));
        }
        let folder = store.work_folder(self.run);
        let io = |source| MigrateError::Io { path: folder.clone(), source };
        fs::create_dir_all(&folder).map_err(io)?;
        let copy = work_copy(store, &folder, page_root)?;
        let before = copy.page_tree().clone();
        Ok(Work::New(Box::new((copy, before))))
    }

    /// The migrated database must state the version that it was migrated to, if it states any.
    fn check_version(&self, store: &Store, copy: &WorkCopy) -> Result<bool, MigrateError> {
        let database = LiveDatabase::open(copy.path(), store.wait)?;
        let (stated, expected) = match store.site.store() {
            Some(_) => {
                let expected = manifest_version(&self.started.to);
                (database.store_version()?, expected.map(|version| version.to_string()))
            }
            None => match stated::version(&self.contract, copy.path(), &database)? {
                None => return Ok(false),
                stated => (stated, Some(self.started.to.clone())),
            },
        };
        if stated == expected {
            return Ok(true);
        }
        let stated = stated.unwrap_or_else(|| "none".into());
        let check =
            format!("the database states version {stated} after migrating to {}", self.started.to);
        Err(MigrateError::Outcome { check })
    }

    /// Takes note of a step's result: compared with the recorded one, or to be recorded.
    fn staged(
        &mut self,
        object: &str,
        step: u64,
        edge: CommitHash,
        result: StagedContent,
    ) -> Result<(), MigrateError> {
        let recorded = self
            .recorded
            .get(object)
            .and_then(|steps| usize::try_from(step).ok().and_then(|step| steps.get(step)));
        match recorded {
            Some(recorded) if *recorded == result => Ok(()),
            Some(recorded) => Err(MigrateError::Diverged {
                object: object.to_owned(),
                step,
                recorded: shown(recorded),
                actual: shown(&result),
            }),
            None => {
                let (run, object) = (self.run, object.to_owned());
                self.pending.push(ObjectStaged { run, object, step, edge, result }.into());
                Ok(())
            }
        }
    }

    fn flush(
        &mut self,
        store: &mut Store,
        signer: &dyn Signer,
        observer: &mut dyn Observer,
    ) -> Result<(), MigrateError> {
        let bodies = std::mem::take(&mut self.pending);
        if bodies.is_empty() {
            return Ok(());
        }
        store.objects.sync()?;
        store.record(signer, bodies, observer)
    }
}

/// What a run's steps are done on.
enum Work {
    /// They were done for the plan.
    Rehearsed(Box<Rehearsal>),
    /// A copy, and its pages before the steps.
    New(Box<(WorkCopy, PageTree)>),
}

impl Work {
    /// Does the next step and keeps what it made; its root, and what it lost.
    fn step(
        &mut self,
        script: &Script,
        inputs: &StepInputs,
        exemptions: &[Exemption],
        objects: &mut dyn Objects,
    ) -> Result<(CommitHash, Loss), MigrateError> {
        match self {
            Self::Rehearsed(done) => done.next_step().ok_or_else(|| MigrateError::Outcome {
                check: format!("{} was not among the steps of the plan", script.name),
            }),
            Self::New(work) => {
                let (copy, _) = &mut **work;
                let done = copy.run_step(script, inputs, exemptions)?;
                copy.store(objects)?;
                Ok((done.page_root, done.loss))
            }
        }
    }

    /// What the database holds after the last step, which must not contradict itself.
    fn sound_content(&self) -> Result<CommitHash, MigrateError> {
        match self {
            Self::Rehearsed(done) => Ok(done.content()),
            Self::New(work) => Ok(work.0.sound_content()?),
        }
    }

    /// Refuses where a page that the steps replaced is not kept whole: nothing could bring it back.
    fn must_lead_back(&self, objects: &dyn Objects) -> Result<(), MigrateError> {
        let (before, after) = match self {
            Self::Rehearsed(done) => (done.before(), done.copy().page_tree()),
            Self::New(work) => (&work.1, work.0.page_tree()),
        };
        for page in after.diff(before).into_iter().filter_map(|number| before.page(number)) {
            objects.get(page)?;
        }
        Ok(())
    }

    fn copy(&self) -> &WorkCopy {
        match self {
            Self::Rehearsed(done) => done.copy(),
            Self::New(work) => &work.0,
        }
    }
}

/// A copy of the live database if that has the pages of `page_root`, which one pass over it tells; else one made of its image.
fn work_copy(
    store: &Store,
    folder: &Path,
    page_root: &CommitHash,
) -> Result<WorkCopy, MigrateError> {
    let live = LiveDatabase::open(&store.site.database(), store.wait);
    // What is wrong with the live one, and is not with its image, shows when it is locked.
    if let Some(mut copy) = live.ok().and_then(|live| live.copy(folder).ok())
        && copy.page_tree().root() == *page_root
    {
        copy.image_is_kept();
        return Ok(copy);
    }
    Ok(WorkCopy::create(folder, page_root, &*store.objects)?)
}

/// Whether what the edges run, or what the database declares that it is run on, may read the clock or draw at random.
pub(super) fn reads_inputs(
    contract: &Contract,
    edges: &[Edge],
    copy: &WorkCopy,
) -> Result<bool, MigrateError> {
    let scripts = edges.iter().flat_map(Edge::sql).map(|sql| script(contract, sql));
    let scripts = scripts.flat_map(|script| {
        std::iter::once(script.sql).chain(script.record.map(|record| record.sql))
    });
    Ok(copy.declarations()?.into_iter().chain(scripts).any(|sql| names_inputs(&sql)))
}

/// The targets of a rollback: what the objects were at its cursor.
fn restore(store: &Store, open: &OpenRun) -> Result<Vec<ObjectMigrated>, MigrateError> {
    let size = open.started.to_size.ok_or(MigrateError::BeforeAdoption)?;
    let then = store.ledger.state_at(size)?;
    let mut migrated = Vec::new();
    for object in restored(&store.site) {
        let target = then.store().objects.get(object).cloned();
        let target = target.ok_or(MigrateError::BeforeAdoption)?;
        migrated.push(ObjectMigrated {
            run: open.run,
            object: object.to_owned(),
            route: None,
            operator: RESTORE_OPERATOR.to_owned(),
            source: recorded_state(store, object)?,
            target,
            loss: MeasuredLoss::default().hash(),
            lost: 0,
            reads_inputs: false,
            loss_list: None,
            verdicts: [("source_kept".to_owned(), Verdict::True)].into(),
            renamed: Vec::new(),
        });
    }
    Ok(migrated)
}

/// Ids of the objects that going back puts back, in the order of their being put.
pub(super) fn restored(site: &Site) -> Vec<&str> {
    let manifest = site.store().map(|_| Layout::MANIFEST);
    manifest.into_iter().chain([site.database_id()]).collect()
}

/// Digest of the contract that a run on a store's database follows. A run whose objects take routes
/// of their own follows none as a whole.
pub(super) fn contract_of(started: &RunStarted) -> Result<CommitHash, MigrateError> {
    started.contract.ok_or_else(|| MigrateError::Outcome {
        check: "the run follows no contract as a whole, as a run on a glyph store does".into(),
    })
}

/// The contract of that digest, from the ledger's own objects.
pub(super) fn frozen_contract(
    ledger: &Ledger,
    objects: &dyn Objects,
    digest: CommitHash,
) -> Result<Contract, MigrateError> {
    let name = ContentHash::from_bytes(*digest.as_bytes());
    let frozen = ledger.state().contracts().by_digest(&digest);
    let (_, frozen) = frozen.ok_or(ObjectsError::Missing { name })?;
    Ok(Bundle::unpack(&objects.get(&frozen.bundle)?)?)
}

/// The clock and randomness of one step of a run on its database.
pub(super) fn step_inputs(
    started: &RunStarted,
    object: &str,
    step: u64,
) -> Result<StepInputs, MigrateError> {
    Inputs { clock_ms: started.clock_ms, seed: started.seed.0 }.of_step(object, step)
}

/// Words of SQL that read the clock or draw at random.
const INPUT_WORDS: [&str; 12] = [
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "julianday",
    "random",
    "randomblob",
    "strftime",
    "time",
    "timediff",
    "unixepoch",
];

/// Whether `sql` may read the clock or draw at random. Names of tables and columns that are spelled
/// so count too: a claim then carries inputs it did not need, never the other way round.
fn names_inputs(sql: &str) -> bool {
    let mut words = sql.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.any(|word| INPUT_WORDS.iter().any(|input| word.eq_ignore_ascii_case(input)))
}

fn recorded_state(store: &Store, object: &str) -> Result<ObjectState, MigrateError> {
    let state = store.ledger.state().store().objects.get(object).cloned();
    state.ok_or_else(|| MigrateError::NotAdopted { ledger: store.ledger.dir().to_owned() })
}

fn shown(content: &StagedContent) -> String {
    match content {
        StagedContent::Document { content } => content.to_string(),
        StagedContent::Database { page_root } => page_root.to_string(),
    }
}
