//! A plan's steps, run on a scratch copy, and what is kept of that for the run that carries the plan out in the same process.
//! Such a run takes over what was made of the very same pages by the same scripts under the same clock and seed: doing
//! it again could come to nothing else. Whether the live database still has these pages it finds out as every run does.

use std::collections::VecDeque;

use ledger_format::body::{ObjectState, RunStarted};
use ledger_format::hash::CommitHash;
use tempfile::TempDir;

use super::error::MigrateError;
use super::loss::MeasuredLoss;
use super::plan::{PlannedId, PlannedStep, asked_for, exemptions, script};
use super::run::Inputs;
use super::store::Store;
use crate::contract::{Contract, Edge};
use crate::target::sqlite::{Loss, PageTree, StepOutcome, Watch, WorkCopy};

/// What the steps did on a scratch copy.
#[derive(Default)]
pub(super) struct Rehearsed {
    pub(super) loss: MeasuredLoss,
    pub(super) steps: Vec<PlannedStep>,
    pub(super) ids_changed: Vec<PlannedId>,
}

/// What of a rehearsal is kept for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    Nothing,
    /// All of it, unless something is lost: nobody accepted that.
    WhatLosesNothing,
    Everything,
}

/// A copy of the live database to run steps on, and what watches that one.
pub(super) struct Stage {
    pub(super) copy: WorkCopy,
    pub(super) watch: Watch,
    // Removed when the files in it are closed.
    pub(super) _folder: TempDir,
}

/// Steps that were run, and the copy on which they were.
pub(super) struct Rehearsal {
    stage: Stage,
    contract: CommitHash,
    from: String,
    to: String,
    /// What the database was before the steps.
    source: ObjectState,
    before: PageTree,
    /// The clock and chance that the steps saw.
    inputs: Inputs,
    /// The root after each step, and what it lost.
    steps: VecDeque<(CommitHash, Loss)>,
    /// What the database holds after the last one.
    content: CommitHash,
}

/// Runs the edges' steps to see what they do.
pub(super) fn rehearse(
    store: &mut Store,
    mut stage: Stage,
    source: &ObjectState,
    edges: &[Edge],
    (keeping, inputs): (Keeping, Inputs),
) -> Result<Rehearsed, MigrateError> {
    let (contract, object) = (store.contract.clone(), store.site.database_id().to_owned());
    let before = stage.copy.page_tree().clone();
    let mut kept = keeping != Keeping::Nothing;
    let mut steps = VecDeque::new();
    let copy = &mut stage.copy;
    let rehearsed = rehearse_on(copy, (&contract, &object), edges, inputs, |copy, done| {
        kept &= keeping == Keeping::Everything || done.loss.is_lossless();
        if kept {
            copy.store(&mut *store.objects)?;
            steps.push_back((done.page_root, done.loss.clone()));
        }
        Ok(())
    })?;
    if !kept {
        stage.copy.check_integrity()?;
        return Ok(rehearsed);
    }
    let content = stage.copy.sound_content()?;
    let ends = (edges.first(), edges.last());
    if let (Some(first), Some(last)) = ends {
        let (from, to) = (first.from.clone(), last.to.clone());
        let (contract, source) = (contract.digest(), source.clone());
        store.rehearsal =
            Some(Rehearsal { stage, contract, from, to, source, before, inputs, steps, content });
    }
    Ok(rehearsed)
}

/// Runs the edges' steps on `copy` under some clock and seed, and looks at what comes of each.
pub(super) fn rehearse_on(
    copy: &mut WorkCopy,
    (contract, object): (&Contract, &str),
    edges: &[Edge],
    inputs: Inputs,
    mut look: impl FnMut(&mut WorkCopy, &StepOutcome) -> Result<(), MigrateError>,
) -> Result<Rehearsed, MigrateError> {
    let mut rehearsed = Rehearsed::default();
    let Rehearsed { loss, steps, ids_changed } = &mut rehearsed;
    let exemptions = exemptions(contract);
    for edge in edges {
        for sql in edge.sql() {
            let inputs = inputs.of_step(object, steps.len() as u64)?;
            let done = copy.run_step(&script(contract, sql), &inputs, &exemptions)?;
            loss.add(edge, &done.loss)?;
            ids_changed.extend(PlannedId::all_of(&done.loss));
            let pages_changed = done.changed_pages.len() as u64;
            steps.push(PlannedStep {
                edge: format!("{} -> {}", edge.from, edge.to),
                script: sql.script.clone(),
                statements: done.statements,
                pages_changed,
                bytes_changed: pages_changed * u64::from(copy.page_tree().page_size().bytes()),
                transactions: done.transactions,
                left_out: asked_for(&done.requested),
            });
            look(copy, &done)?;
        }
    }
    Ok(rehearsed)
}

impl Rehearsal {
    /// What the database was when it was copied, as long as nobody is known to have written since.
    pub(super) fn source(&self) -> Option<&ObjectState> {
        self.stage.watch.is_quiet().then_some(&self.source)
    }

    /// Whether a run begins where this began, and does the same.
    pub(super) fn is_of(&self, started: &RunStarted, source: &ObjectState) -> bool {
        let asked = (started.contract, &started.from, &started.to, source);
        let inputs = Inputs { clock_ms: started.clock_ms, seed: started.seed.0 };
        asked == (Some(self.contract), &self.from, &self.to, &self.source) && inputs == self.inputs
    }

    /// The next step's root and loss.
    pub(super) fn next_step(&mut self) -> Option<(CommitHash, Loss)> {
        self.steps.pop_front()
    }

    pub(super) fn before(&self) -> &PageTree {
        &self.before
    }

    pub(super) fn copy(&self) -> &WorkCopy {
        &self.stage.copy
    }

    pub(super) fn content(&self) -> CommitHash {
        self.content
    }
}
