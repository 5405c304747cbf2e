//! From any hash that an object had to what the object became, and back to what it was: every step that runs took with it.

use std::collections::{BTreeMap, BTreeSet};

use ledger_format::body::{Body, ObjectMigrated, ObjectState, Purpose, Renamed, RunStarted};
use ledger_format::hash::{EventId, hex};
use projections::Routes;
use serde::Serialize;

use super::run::{RunOutcome, spans};
use crate::ledger::{CursorError, Ledger};

/// Most steps that a trail lists: one content may be that of very many documents.
pub const STEPS_LISTED_MAX: usize = 100;

/// What runs did with the objects that once had a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trail {
    /// The hash, whole.
    pub hash: String,
    /// The steps, in the order of the events; at most [`STEPS_LISTED_MAX`].
    pub steps: Vec<TrailStep>,
    /// Number of steps that are not listed.
    pub not_listed: u64,
    /// What the ledger has of the objects of the listed steps now, by id.
    pub now: BTreeMap<String, ObjectState>,
}

/// What one run did with one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrailStep {
    /// Sequence number of its `object.migrated` event.
    pub seq: u64,
    /// The run.
    pub run: EventId,
    /// What the run was for.
    pub purpose: Purpose,
    /// How far the run has come. What was not committed did not happen.
    pub outcome: RunOutcome,
    /// The object.
    pub object: String,
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
    /// What the object was.
    pub source: ObjectState,
    /// What it became.
    pub target: ObjectState,
    /// Hashes by which others name it that are others since.
    pub renamed: Vec<Renamed>,
    /// Whether the hash is one of what the object was.
    pub hash_before: bool,
    /// Whether the hash is one of what it became.
    pub hash_after: bool,
}

/// The trail of the hash that begins with `digits`, if a run took an object from it or to it. Reads every event, twice.
pub fn trail(ledger: &Ledger, digits: &str) -> Result<Option<Trail>, CursorError> {
    let (mut hashes, mut objects) = (BTreeSet::new(), BTreeSet::new());
    for recorded in ledger.events(0..ledger.state().size()) {
        let Body::ObjectMigrated(body) = recorded?.event.body else { continue };
        let all = before(&body).into_iter().chain(after(&body));
        let fitting: Vec<String> = all.filter(|hash| hash.starts_with(digits)).collect();
        if !fitting.is_empty() {
            objects.insert(body.object);
            hashes.extend(fitting);
        }
    }
    let Some(hash) = hashes.pop_first() else { return Ok(None) };
    if !hashes.is_empty() {
        return Err(CursorError::Ambiguous { what: format!("hash {digits}") });
    }
    let mut trail = Trail { hash, steps: Vec::new(), not_listed: 0, now: BTreeMap::new() };
    let outcomes = spans(ledger).into_iter().map(|span| (span.run, span.outcome)).collect();
    let mut reading = Reading { outcomes, open: None };
    for recorded in ledger.events(0..ledger.state().size()) {
        let recorded = recorded?;
        let (seq, id) = (recorded.event.seq, recorded.id);
        let Some(body) = reading.take(id, recorded.event.body) else { continue };
        if !objects.contains(&body.object) {
            continue;
        }
        if trail.steps.len() >= STEPS_LISTED_MAX {
            trail.not_listed += 1;
        } else {
            trail.steps.extend(reading.step(seq, body, &trail.hash));
        }
    }
    let held = &ledger.state().store().objects;
    let now = trail.steps.iter().filter_map(|step| held.get_key_value(&step.object));
    trail.now = now.map(|(id, state)| (id.clone(), state.clone())).collect();
    Ok(Some(trail))
}

/// Where in the log the reader is.
struct Reading {
    outcomes: BTreeMap<EventId, RunOutcome>,
    open: Option<(EventId, RunStarted, Routes)>,
}

impl Reading {
    /// Takes note of what an event says of the run; hands back what it says of an object.
    fn take(&mut self, id: EventId, body: Body) -> Option<ObjectMigrated> {
        match body {
            Body::RunStarted(started) => self.open = Some((id, started, Routes::default())),
            Body::RunRoute(route) => {
                if let Some((_, _, routes)) = &mut self.open {
                    routes.push(&route);
                }
            }
            Body::ObjectMigrated(body) => return Some(body),
            _ => {}
        }
        None
    }

    fn step(&self, seq: u64, body: ObjectMigrated, hash: &str) -> Option<TrailStep> {
        let (run, started, routes) = self.open.as_ref()?;
        let route = body.route.and_then(|number| routes.get(number));
        let (from, to) = route.map_or((&started.from, &started.to), |way| (&way.from, &way.to));
        Some(TrailStep {
            seq,
            run: *run,
            purpose: started.purpose,
            outcome: *self.outcomes.get(run)?,
            from: from.clone(),
            to: to.clone(),
            hash_before: before(&body).iter().any(|known| known == hash),
            hash_after: after(&body).iter().any(|known| known == hash),
            object: body.object,
            source: body.source,
            target: body.target,
            renamed: body.renamed,
        })
    }
}

/// The hashes of what an object was.
fn before(body: &ObjectMigrated) -> Vec<String> {
    let renamed = body.renamed.iter().map(|one| hex(&one.old_hash.0));
    hashes_of(&body.source).into_iter().chain(renamed).collect()
}

/// The hashes of what it became.
fn after(body: &ObjectMigrated) -> Vec<String> {
    let renamed = body.renamed.iter().map(|one| hex(&one.new_hash.0));
    hashes_of(&body.target).into_iter().chain(renamed).collect()
}

/// The hashes that stand for a content and no other.
fn hashes_of(state: &ObjectState) -> Vec<String> {
    match state {
        ObjectState::Document { content, .. } | ObjectState::Log { content, .. } => {
            vec![content.to_string()]
        }
        ObjectState::Database { page_root, rows, .. } => {
            vec![rows.to_string(), page_root.to_string()]
        }
    }
}
