//! Which runs changed what is in care: all that were published, and of those that were given up after their commit the ones
//! that had put something into its place. Knows what events say was found; looks at no place.

use std::collections::BTreeMap;

use ledger_format::body::{Body, Cause, ObjectState};
use projections::{FinishedRun, Outcome};

use super::{FoldError, Ledger};

impl Ledger {
    /// The last run, if it ended without having changed anything.
    pub fn last_without_effect(&self) -> Result<Option<&FinishedRun>, FoldError> {
        let Some(last) = self.state.runs().finished.last() else { return Ok(None) };
        Ok((!self.changed_something(last)?).then_some(last))
    }

    /// The newest run that changed something, but for the `skipped` newest ones of them.
    pub fn run_with_effect(&self, mut skipped: u64) -> Result<Option<&FinishedRun>, FoldError> {
        for run in self.state.runs().finished.iter().rev() {
            if !self.changed_something(run)? {
                continue;
            }
            if skipped == 0 {
                return Ok(Some(run));
            }
            skipped -= 1;
        }
        Ok(None)
    }

    /// Whether what is in care may be another since `run` because of it.
    pub fn changed_something(&self, run: &FinishedRun) -> Result<bool, FoldError> {
        match run.outcome {
            Outcome::Published { .. } => Ok(true),
            Outcome::Aborted { .. } => Ok(false),
            Outcome::Abandoned { .. } => self.left_something(run),
        }
    }

    /// Whether a run that was given up had put something into its place, by what was found there then.
    fn left_something(&self, run: &FinishedRun) -> Result<bool, FoldError> {
        let mut moves = BTreeMap::new();
        for recorded in self.events(run.started_seq..self.state.size()) {
            let event = recorded?.event;
            match event.body {
                Body::ObjectMigrated(body) => {
                    moves.insert(body.object, (body.source, body.target));
                }
                Body::RunAbandoned(body) if body.version != run.from => return Ok(true),
                Body::ObjectObserved(body) if body.cause == Cause::Abandoned => {
                    let by_run = moves
                        .get(&body.object)
                        .is_some_and(|(source, target)| is_left(source, target, &body.state));
                    if by_run {
                        return Ok(true);
                    }
                }
                Body::RunStarted(_) if event.seq > run.started_seq => break,
                _ => {}
            }
        }
        Ok(false)
    }
}

/// Whether what was found in a place is what a run made of it. In a database somebody may have written since: its structure
/// tells then, and where that was to stay as it was, whatever is not what the run read counts.
fn is_left(source: &ObjectState, target: &ObjectState, found: &ObjectState) -> bool {
    match (source, target, found) {
        (
            ObjectState::Database { rows: source, schema: old, .. },
            ObjectState::Database { rows: target, schema: new, .. },
            ObjectState::Database { rows, schema, .. },
        ) => source != target && if old == new { rows != source } else { schema != old },
        _ => source != target && found == target,
    }
}

#[cfg(test)]
mod tests {
    use ledger_format::hash::{CommitHash, ContentHash};

    use super::*;

    fn document(bytes: &[u8]) -> ObjectState {
        let (content, bytes) = (ContentHash::of(bytes), bytes.len() as u64);
        ObjectState::Document { content, bytes, mode: 0o644 }
    }

    fn database(rows: u8, schema: u8) -> ObjectState {
        let hash = |number| CommitHash::from_bytes([number; 32]);
        let (rows, schema) = (Box::new(hash(rows)), Box::new(hash(schema)));
        ObjectState::Database { page_root: hash(0), rows, schema }
    }

    #[test]
    fn a_place_is_left_changed_by_its_output_and_by_nothing_that_somebody_wrote() {
        let (one, two, three) = (document(b"1"), document(b"2"), document(b"3"));
        assert!(is_left(&one, &two, &two));
        assert!(!is_left(&one, &two, &one));
        assert!(!is_left(&one, &two, &three));
        assert!(!is_left(&one, &one, &one));
    }

    #[test]
    fn a_database_is_told_by_its_structure_where_that_changes_and_else_by_its_rows() {
        let (before, after) = (database(1, 1), database(2, 2));
        for (found, left) in [(1, 1), (3, 1)]
            .map(|(rows, schema)| (database(rows, schema), false))
            .into_iter()
            .chain([(2, 2), (3, 2)].map(|(rows, schema)| (database(rows, schema), true)))
        {
            assert_eq!(is_left(&before, &after, &found), left, "{found:?}");
        }
        let after = database(2, 1);
        for (rows, left) in [(1, false), (2, true), (3, true)] {
            assert_eq!(is_left(&before, &after, &database(rows, 1)), left, "{rows}");
        }
    }
}
