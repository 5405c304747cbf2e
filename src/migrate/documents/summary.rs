//! What is left of a document that was worked on, once everything that plans and runs need was computed from it. Made on
//! the thread that worked on the document, so that whoever takes results in order hashes nothing. Knows no ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger_format::body::{ObjectState, Verdict};
use ledger_format::hash::CommitHash;

use super::collection::state_of;
use super::evaluation::{Lost, Status};
use super::prepared::Route;
use super::refusal::Refusal;
use super::work::Done;
use crate::document::LostForm;
use crate::link::Renaming;
use crate::objects::Named;

/// A document that was worked on.
pub(super) struct Summary {
    pub(super) id: String,
    pub(super) kind: usize,
    pub(super) signed: bool,
    pub(super) status: Status,
    pub(super) route: Option<Arc<Route>>,
    /// What stood in its place.
    pub(super) source: ObjectState,
    pub(super) source_mode: u32,
    /// Number of names that its file has.
    pub(super) file_names: u64,
    /// Its bytes after, unless it is refused.
    pub(super) target: Option<Named>,
    pub(super) lost: Vec<Lost>,
    /// `CommitHash("migration_loss", …)` of what is lost.
    pub(super) loss: CommitHash,
    /// The list that the hash is of, as it is kept; none where nothing is lost.
    pub(super) loss_list: Option<Named>,
    pub(super) form_lost: Vec<LostForm>,
    /// The first reason why it is refused.
    pub(super) refusal: Option<Refusal>,
    pub(super) verdicts: BTreeMap<String, Verdict>,
    /// Names of it that are others now.
    pub(super) renamed: Vec<Renaming>,
    /// The documents that it names, as it was or as it will be.
    pub(super) names: BTreeSet<String>,
}

impl Summary {
    pub(super) fn of(done: Done) -> Self {
        let Done { id, kind, source, evaluation, signed, renamed, names } = done;
        let loss = evaluation.loss_hash();
        let kept = !evaluation.lost.is_empty() && evaluation.result.is_some();
        let loss_list = kept.then(|| Named::of(evaluation.loss_list().encode()));
        Self {
            id,
            kind,
            signed,
            status: evaluation.status,
            route: evaluation.route,
            source: state_of(&source),
            source_mode: source.mode,
            file_names: source.names,
            target: evaluation.result.map(|outcome| Named::of(outcome.bytes)),
            lost: evaluation.lost,
            loss,
            loss_list,
            form_lost: evaluation.form_lost,
            refusal: evaluation.refusals.into_iter().next(),
            verdicts: evaluation.verdicts,
            renamed,
            names,
        }
    }
}
