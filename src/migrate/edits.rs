//! What people wrote between two runs, as far as the ledger has it: going back asks before it takes that away. Knows events
//! and states; looks at no place.

use std::collections::BTreeMap;

use ledger_format::body::{Body, Cause, ObjectState, Purpose};

use super::error::MigrateError;
use crate::ledger::Ledger;

type States = BTreeMap<String, ObjectState>;

/// What people wrote since a cursor, as far as the ledger has it, and what was made from it.
#[derive(Default)]
pub(super) struct Edits {
    /// What each object was then.
    written: BTreeMap<String, Vec<ObjectState>>,
    /// Where a structure of an object was accepted last.
    accepted: BTreeMap<String, u64>,
}

impl Edits {
    /// Since the ledger had `size` events, when the objects were `then` and a run was under way that began at `begun`.
    pub(super) fn since(
        ledger: &Ledger,
        begun: u64,
        size: u64,
        then: &States,
    ) -> Result<Self, MigrateError> {
        let mut edits = Self::default();
        let mut run = Run::default();
        let mut held = then.clone();
        for recorded in ledger.events(begun..ledger.state().size()) {
            let event = recorded?.event;
            match event.body {
                Body::RunStarted(body) => {
                    run = Run { purpose: Some(body.purpose), moves: BTreeMap::new() }
                }
                Body::ObjectMigrated(body) => {
                    run.moves.insert(body.object, (body.source, body.target));
                }
                Body::RunCommitted(_) => {
                    if run.purpose == Some(Purpose::Migrate) {
                        edits.follow(&run, then);
                    }
                    let targets = run.moves.iter().map(|(id, (_, target))| (id, target));
                    held.extend(targets.map(|(id, target)| (id.clone(), target.clone())));
                }
                Body::ObjectObserved(body) => {
                    let before = held.insert(body.object.clone(), body.state.clone());
                    let by_somebody = match body.cause {
                        Cause::Baseline | Cause::Joined => false,
                        Cause::DataChange => {
                            !before.is_some_and(|before| same(&before, &body.state))
                        }
                        Cause::Abandoned => !run.explains(&body.object, &body.state),
                    };
                    let is_back =
                        then.get(&body.object).is_some_and(|then| same(then, &body.state));
                    if event.seq >= size && by_somebody && !is_back {
                        edits.written.entry(body.object).or_default().push(body.state);
                    }
                }
                Body::DriftAccepted(body) => {
                    held.insert(body.object.clone(), body.state.clone());
                    if event.seq >= size {
                        edits.accepted.insert(body.object.clone(), event.seq);
                        edits.written.entry(body.object).or_default().push(body.state);
                    }
                }
                _ => {}
            }
        }
        Ok(edits)
    }

    /// What is made from what somebody wrote holds it too.
    fn follow(&mut self, run: &Run, then: &States) {
        for (id, written) in &mut self.written {
            if let Some((source, target)) = run.moves.get(id)
                && contains(written, source)
                && !then.get(id).is_some_and(|then| same(then, target))
            {
                written.push(target.clone());
            }
        }
    }

    /// Whether an object that is in this state holds something that somebody wrote.
    pub(super) fn holds(&self, id: &str, state: &ObjectState) -> bool {
        self.written.get(id).is_some_and(|written| contains(written, state))
    }

    /// Where a structure of it was accepted that no run made.
    pub(super) fn accepted(&self, id: &str) -> Option<u64> {
        self.accepted.get(id).copied()
    }
}

/// What a run did, as the events tell it.
#[derive(Default)]
struct Run {
    purpose: Option<Purpose>,
    moves: BTreeMap<String, (ObjectState, ObjectState)>,
}

impl Run {
    /// Whether an object that the run left is what it read or what it made.
    fn explains(&self, id: &str, state: &ObjectState) -> bool {
        self.moves
            .get(id)
            .is_some_and(|(source, target)| same(state, source) || same(state, target))
    }
}

fn contains(states: &[ObjectState], state: &ObjectState) -> bool {
    states.iter().any(|held| same(held, state))
}

/// Whether two states hold the same. Of databases the rows count and not the pages that they stand on.
pub(super) fn same(one: &ObjectState, other: &ObjectState) -> bool {
    match (one, other) {
        (ObjectState::Database { rows: one, .. }, ObjectState::Database { rows: other, .. }) => {
            one == other
        }
        _ => one == other,
    }
}
