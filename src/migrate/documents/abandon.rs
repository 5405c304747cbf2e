//! Giving a run of documents up: what each of its places holds is recorded, and told.

use std::collections::BTreeSet;

use ledger_format::body::{Body, Cause, MIXED_VERSIONS, RunAbandoned, RunAborted};
use ledger_format::hash::EventId;
use projections::{Outcome, Phase};

use super::super::error::MigrateError;
use super::super::run::{Observer, Subject as _, forget_work, shortened};
use super::collection::{Documents, state_of};
use super::publish::{Before, Standing};
use super::run::observation;
use crate::effects::Signer;
use crate::target::documents::Found;

/// A run that was given up, and what it left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abandoned {
    /// The run.
    pub run: EventId,
    /// Documents that it had written.
    pub written: Vec<String>,
    /// Number of its documents that are what they were before it.
    pub untouched: u64,
    /// Its documents that are neither: somebody changed them.
    pub changed: Vec<String>,
    /// Its documents that are gone, or no files any more.
    pub gone: Vec<String>,
}

impl Abandoned {
    const fn nothing_of(run: EventId) -> Self {
        Self { run, written: Vec::new(), untouched: 0, changed: Vec::new(), gone: Vec::new() }
    }
}

/// Ends the run under way without its outputs: aborts it if it was not committed, else gives up publishing it and records
/// what its places hold. Goes on with giving up one where that was cut short.
pub fn abandon(
    documents: &mut Documents,
    reason: &str,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<Abandoned, MigrateError> {
    documents.may_sign(signer)?;
    if documents.ledger.state().runs().open.is_none() {
        return finish(documents, signer, observer);
    }
    let open = documents.open_run()?;
    let (run, reason) = (open.run, shortened(reason));
    let Phase::Publishing { committed_seq, .. } = open.phase else {
        let untouched = open.started.objects;
        let aborted = RunAborted { run, code: "ABANDONED".to_owned(), message: reason };
        documents.record(signer, vec![aborted.into()], observer)?;
        forget_work(documents, run)?;
        return Ok(Abandoned { untouched, ..Abandoned::nothing_of(run) });
    };
    let before = documents.before(committed_seq, open.migrated.iter())?;
    let (abandoned, observed, at_target) = look(documents, run, open.migrated.iter().zip(&before))?;
    let version = MIXED_VERSIONS.to_owned();
    let given_up = RunAbandoned { run, reason, places: at_target, version };
    let bodies = std::iter::once(given_up.into()).chain(observed).collect();
    documents.record(signer, bodies, observer)?;
    forget_work(documents, run)?;
    Ok(abandoned)
}

/// Records what was not recorded yet when giving up a run was cut short.
fn finish(
    documents: &mut Documents,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<Abandoned, MigrateError> {
    let state = documents.ledger.state();
    let unsettled: BTreeSet<String> = state.store().unsettled.clone();
    let last = state.runs().finished.last();
    let (Some(last), false) = (last, unsettled.is_empty()) else { return Err(MigrateError::NoRun) };
    let Outcome::Abandoned { committed_seq, .. } = last.outcome else {
        return Err(MigrateError::NoRun);
    };
    let run = last.run;
    let before = documents.before(committed_seq, unsettled.iter())?;
    let (abandoned, observed, _) = look(documents, run, unsettled.iter().zip(&before))?;
    documents.record(signer, observed, observer)?;
    forget_work(documents, run)?;
    Ok(abandoned)
}

/// What stands in the places of a run, told and to be recorded, and how many hold their output. What stands in them is
/// kept. Of a document that is gone, what the run read is recorded: it is then one that is missing.
fn look<'a>(
    documents: &mut Documents,
    run: EventId,
    migrated: impl Iterator<Item = (&'a String, &'a Before)>,
) -> Result<(Abandoned, Vec<Body>, u64), MigrateError> {
    let mut abandoned = Abandoned::nothing_of(run);
    let mut observed = Vec::new();
    let mut at_target = 0;
    for (id, before) in migrated {
        let Some(place) = documents.place(id, before) else { continue };
        let read = |found: Option<&Found>| found.map(state_of).as_ref() == place.source;
        let (found, told) = match documents.standing(place, &read)? {
            Standing::Output(found) => {
                at_target += 1;
                let by_run = place.source != Some(place.target);
                (Some(found), by_run.then_some(&mut abandoned.written))
            }
            Standing::Source(found) => (found, None),
            Standing::Changed(found) => (Some(found), Some(&mut abandoned.changed)),
            Standing::Gone => (None, Some(&mut abandoned.gone)),
        };
        match told {
            Some(list) => list.push(id.clone()),
            None => abandoned.untouched += 1,
        }
        let state = match &found {
            Some(found) => {
                documents.objects.put(&found.bytes)?;
                state_of(found)
            }
            None => place.source.unwrap_or(place.target).clone(),
        };
        observed.push(observation(id, Cause::Abandoned, state));
    }
    documents.objects.sync()?;
    Ok((abandoned, observed, at_target))
}
