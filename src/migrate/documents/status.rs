//! How a tree of documents stands: to its contracts, and to what the ledger has of it.

use ledger_format::body::Purpose;
use ledger_format::hash::EventId;
use projections::Phase;

use super::super::error::MigrateError;
use super::collection::{Documents, state_of};
use super::evaluation::Status;
use super::plan::{LISTED_MAX, outline};
use super::refusal::Refusal;
use super::work::Done;
use crate::target::documents::Places;

/// How a tree of documents stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreeStatus {
    /// Documents that are as their contracts say.
    pub current: u64,
    /// Documents that only a normalisation would change.
    pub normalized: u64,
    /// Documents of older versions.
    pub migrated: u64,
    /// Documents that cannot be migrated, at most [`LISTED_MAX`] by name.
    pub unsupported: Vec<String>,
    /// The first of them, and why it cannot.
    pub refused: Option<(String, Refusal)>,
    /// Documents and folders that the last run left out because whoever planned it said so, and that are there; they are
    /// not looked at here either. At most [`LISTED_MAX`].
    pub left_out: Vec<String>,
    /// What is always left out and is there; not looked at either. At most [`LISTED_MAX`].
    pub always_left_out: Vec<String>,
    /// Number of documents that cannot be migrated.
    pub unsupported_total: u64,
    /// Number of documents in the ledger's care.
    pub in_care: u64,
    /// Documents that somebody changed since they were recorded, at most [`LISTED_MAX`].
    pub changed: Vec<String>,
    /// Documents that are gone, at most [`LISTED_MAX`].
    pub gone: Vec<String>,
    /// The run under way: its id and whether it is committed.
    pub pending: Option<(EventId, bool)>,
    /// Number of events in the ledger.
    pub size: u64,
    /// Number of committed runs.
    pub runs: u64,
}

/// Looks at every document without changing it.
pub fn status(documents: &Documents) -> Result<TreeStatus, MigrateError> {
    let state = documents.ledger.state();
    let mut status = TreeStatus {
        in_care: state.store().objects.len() as u64,
        pending: state.runs().open.as_ref().map(|open| (open.run, open.phase != Phase::Staging)),
        size: state.size(),
        ..TreeStatus::default()
    };
    let finished = state.runs().finished.iter();
    status.runs = finished.filter(|run| run.outcome.committed_seq().is_some()).count() as u64;
    let former = documents.former()?;
    let named = left_out(documents)?;
    let survey = documents.collection.survey_without(named)?;
    for id in survey.left_out.difference(&survey.always) {
        listed(&mut status.left_out, id.clone());
    }
    survey.always.into_iter().for_each(|id| listed(&mut status.always_left_out, id));
    let documents_found = survey.documents;
    let look =
        |done: Done| (done.id, done.evaluation.status, done.evaluation.refusals.into_iter().next());
    let collection = &documents.collection;
    collection.work(&documents_found, None, documents.jobs, &former, &look, &mut |(
        id,
        found,
        refusal,
    )| {
        match found {
            Status::Current => status.current += 1,
            Status::Normalized => status.normalized += 1,
            Status::Migrated => status.migrated += 1,
            Status::Unsupported => {
                status.unsupported_total += 1;
                if let (None, Some(refusal)) = (&status.refused, refusal) {
                    status.refused = Some((id.clone(), refusal));
                }
                listed(&mut status.unsupported, id);
            }
        }
        Ok(())
    })?;
    // What is recorded are the targets of a run that may not have written them yet.
    if !state.store().pending_publish {
        for (id, held) in &state.store().objects {
            match Places(&documents.collection.tree).look(id)? {
                None => listed(&mut status.gone, id.clone()),
                Some(found) if state_of(&found) != *held => listed(&mut status.changed, id.clone()),
                Some(_) => {}
            }
        }
    }
    Ok(status)
}

/// What the last committed run left out.
fn left_out(documents: &Documents) -> Result<Vec<String>, MigrateError> {
    let runs = documents.ledger.state().runs().finished.iter().rev();
    let mut committed =
        runs.filter(|run| run.purpose == Purpose::Migrate && run.outcome.committed_seq().is_some());
    let Some(run) = committed.next() else { return Ok(Vec::new()) };
    Ok(outline(documents.objects(), run.plan)?.left_out.named)
}

fn listed(list: &mut Vec<String>, id: String) {
    if list.len() < LISTED_MAX {
        list.push(id);
    }
}
