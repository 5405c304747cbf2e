//! Running every recorded step again, from what each run read, and comparing each result with the
//! one recorded. A run on documents keeps no result of single steps: its documents are taken their whole way again.

use std::collections::BTreeMap;

use ledger_format::body::{Body, ObjectMigrated, ObjectState, Purpose, RunStarted, StagedContent};
use ledger_format::hash::EventId;

use super::documents::{Again, Finished, again};
use super::error::MigrateError;
use super::plan::{exemptions, script};
use super::stage::{contract_of, frozen_contract, step_inputs};
use crate::contract::{Edge, way};
use crate::ledger::Ledger;
use crate::objects::Objects;
use crate::target::glyph_store::{Layout, Manifest, manifest_version};
use crate::target::sqlite::WorkCopy;

/// How one step came out when it was run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecomputedStep {
    /// The run.
    pub run: EventId,
    /// The object.
    pub object: String,
    /// The step; 0 for a document, whose steps are run together.
    pub step: u64,
    /// How it came out.
    pub outcome: Outcome,
}

/// How something came out when it was run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It gave the recorded result.
    Same,
    /// It gave another one.
    Differs,
    /// It cannot be run again here.
    NotRecomputable {
        /// Why not.
        reason: String,
    },
}

/// How all steps of committed runs came out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recomputed {
    /// Every step, in the order of the runs.
    pub steps: Vec<RecomputedStep>,
}

impl Recomputed {
    /// Whether every step gave the recorded result.
    pub fn all_same(&self) -> bool {
        self.steps.iter().all(|step| step.outcome == Outcome::Same)
    }
}

/// Runs the steps of every run committed within the first `size` events again, on scratch copies.
///
/// Needs nothing but the ledger and its stored content: no live store, no contract file. External programs run only if
/// the run was allowed to run them, and `allow_programs` says so again.
pub fn recompute(
    ledger: &Ledger,
    objects: &dyn Objects,
    size: u64,
    allow_programs: bool,
) -> Result<Recomputed, MigrateError> {
    let mut recomputed = Recomputed::default();
    let mut open: Option<Run> = None;
    for recorded in ledger.events(0..size) {
        let recorded = recorded?;
        match recorded.event.body {
            Body::RunStarted(started) if started.purpose == Purpose::Migrate => {
                open = Some(Run::new(recorded.id, recorded.event.seq, started));
            }
            Body::ObjectStaged(body) => {
                if let Some(run) = &mut open {
                    run.results.entry(body.object).or_default().push(body.result);
                }
            }
            Body::ObjectMigrated(body) => {
                if let Some(run) = open.as_mut().filter(|run| run.started.contract.is_none()) {
                    run.migrated.insert(body.object.clone(), body);
                }
            }
            Body::RunCommitted(_) => {
                if let Some(run) = open.take() {
                    if let Some(object) = ledger.pruned_at(run.seq)? {
                        recomputed.steps.extend(run.pruned(&object));
                        continue;
                    }
                    recomputed.steps.extend(run.again(ledger, objects, allow_programs)?);
                }
            }
            Body::RunAborted(_) => open = None,
            _ => {}
        }
    }
    Ok(recomputed)
}

struct Run {
    id: EventId,
    seq: u64,
    started: RunStarted,
    results: BTreeMap<String, Vec<StagedContent>>,
    /// What became of each object, where objects take routes.
    migrated: BTreeMap<String, ObjectMigrated>,
}

impl Run {
    const fn new(id: EventId, seq: u64, started: RunStarted) -> Self {
        Self { id, seq, started, results: BTreeMap::new(), migrated: BTreeMap::new() }
    }

    /// Every step of a run that read an image that is not kept any more.
    fn pruned(&self, object: &str) -> Vec<RecomputedStep> {
        let reason = format!("what the run read of {object} was pruned");
        let steps = self.results.iter().flat_map(|(object, results)| {
            (0..).zip(results).map(|(step, _)| (object.clone(), step))
        });
        let outcome = || Outcome::NotRecomputable { reason: reason.clone() };
        steps
            .map(|(object, step)| RecomputedStep { run: self.id, object, step, outcome: outcome() })
            .collect()
    }

    fn again(
        &self,
        ledger: &Ledger,
        objects: &dyn Objects,
        allow_programs: bool,
    ) -> Result<Vec<RecomputedStep>, MigrateError> {
        if self.started.contract.is_none() {
            return self.documents_again(ledger, objects, allow_programs);
        }
        let contract = frozen_contract(ledger, objects, contract_of(&self.started)?)?;
        let edges = way(&contract, &self.started.from, &self.started.to)?;
        let sources = ledger.state_at(self.seq)?.store().objects.clone();
        let mut found: BTreeMap<&str, Vec<StagedContent>> = BTreeMap::new();
        if let Some(ObjectState::Document { content, .. }) = sources.get(Layout::MANIFEST) {
            let broken = |error| MigrateError::Manifest { path: Layout::MANIFEST.into(), error };
            let mut manifest = Manifest::parse(&objects.get(content)?).map_err(broken)?;
            for version in edges.iter().filter_map(|edge| manifest_version(&edge.to)) {
                manifest = manifest.at_version(version).map_err(broken)?;
                let content = ledger_format::hash::ContentHash::of(manifest.bytes());
                found
                    .entry(Layout::MANIFEST)
                    .or_default()
                    .push(StagedContent::Document { content });
            }
        }
        let database = sources.iter().find_map(|(object, state)| match state {
            ObjectState::Database { page_root, .. } => Some((object.as_str(), page_root)),
            _ => None,
        });
        if let Some((object, page_root)) = database {
            let io = |source| MigrateError::Io { path: std::env::temp_dir(), source };
            let scratch = tempfile::tempdir().map_err(io)?;
            let mut copy = WorkCopy::create(scratch.path(), page_root, objects)?;
            let exemptions = exemptions(&contract);
            for (at, step) in (0..).zip(edges.iter().flat_map(Edge::sql)) {
                let inputs = step_inputs(&self.started, object, at)?;
                let done = copy.run_step(&script(&contract, step), &inputs, &exemptions)?;
                found
                    .entry(object)
                    .or_default()
                    .push(StagedContent::Database { page_root: done.page_root });
            }
        }
        Ok(self.compared(&found))
    }

    fn documents_again(
        &self,
        ledger: &Ledger,
        objects: &dyn Objects,
        allow_programs: bool,
    ) -> Result<Vec<RecomputedStep>, MigrateError> {
        let (plan, migrated) = (self.started.plan, &self.migrated);
        let finished = Finished { plan, migrated, allow_programs };
        let documents = again(ledger, objects, &finished)?.into_iter().map(|(object, again)| {
            let outcome = match again {
                Again::Same => Outcome::Same,
                Again::Differs => Outcome::Differs,
                Again::Not { reason } => Outcome::NotRecomputable { reason },
            };
            RecomputedStep { run: self.id, object, step: 0, outcome }
        });
        Ok(documents.collect())
    }

    fn compared(&self, found: &BTreeMap<&str, Vec<StagedContent>>) -> Vec<RecomputedStep> {
        let mut steps = Vec::new();
        for (object, recorded) in &self.results {
            let found = found.get(object.as_str()).map(Vec::as_slice).unwrap_or_default();
            for (step, result) in recorded.iter().enumerate() {
                let same = found.get(step) == Some(result);
                steps.push(RecomputedStep {
                    run: self.id,
                    object: object.clone(),
                    step: step as u64,
                    outcome: if same { Outcome::Same } else { Outcome::Differs },
                });
            }
        }
        steps
    }
}
