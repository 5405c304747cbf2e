//! Whether the migrations that a database went through still are what they were. Files are edited, lost, and put
//! between others by merging branches; what was applied stands in the ledger, and only what comes after it may change.

use std::collections::BTreeSet;

use ledger_format::body::{Body, Purpose};
use ledger_format::hash::CommitHash;

use super::error::MigrateError;
use super::stage::frozen_contract;
use super::store::Store;
use crate::contract::{Contract, Edge};

/// What is other than when it was applied: scripts by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changed {
    /// Applied scripts whose text is another one now.
    pub edited: Vec<String>,
    /// Applied scripts that are not there any more.
    pub missing: Vec<String>,
    /// Scripts that were not there, and stand before one that was applied.
    pub late: Vec<String>,
}

impl Changed {
    /// Whether everything that was applied is as it was.
    pub const fn is_nothing(&self) -> bool {
        self.edited.is_empty() && self.missing.is_empty() && self.late.is_empty()
    }
}

/// Compares the database's contract with the one that its migrations were applied from.
pub(super) fn changed(store: &Store) -> Result<Changed, MigrateError> {
    if store.site.store().is_some() {
        return Ok(Changed::default());
    }
    match in_force(store, store.ledger.state().size())? {
        None => Ok(Changed::default()),
        Some(digest) if digest == store.contract.digest() => Ok(Changed::default()),
        Some(digest) => {
            let then = frozen_contract(&store.ledger, &*store.objects, digest)?;
            Ok(compared(&then, &store.contract, &store.ledger.state().store().version))
        }
    }
}

/// Refuses to go on from migrations that changed after they were applied.
pub(super) fn must_be_unchanged(store: &Store) -> Result<(), MigrateError> {
    let changed = changed(store)?;
    if changed.is_nothing() { Ok(()) } else { Err(MigrateError::AppliedChanged { changed }) }
}

/// Digest of the contract that led to where the database was when the ledger had `size` events; `None`
/// if nothing was applied by then.
fn in_force(store: &Store, mut size: u64) -> Result<Option<CommitHash>, MigrateError> {
    let state = store.ledger.state();
    for run in state.runs().finished.iter().rev() {
        if run.outcome.committed_seq().is_none_or(|committed| committed >= size) {
            continue;
        }
        let Body::RunStarted(started) = store.ledger.event(run.started_seq)?.event.body else {
            continue;
        };
        match (started.purpose, started.to_size) {
            (Purpose::Rollback, Some(back_to)) => size = back_to,
            _ => return Ok(started.contract),
        }
    }
    // What it had gone through when it came into care.
    Ok(state.contracts().first(&store.contract.contract).map(|frozen| frozen.digest))
}

/// What of the edges up to `version` is another one in `now` than it was `then`.
fn compared(then: &Contract, now: &Contract, version: &str) -> Changed {
    let mut changed = Changed::default();
    let applied = then.position(version).unwrap_or(0);
    for edge in then.edges.iter().filter(|edge| within(then, edge, applied)) {
        let same = now.edges.iter().find(|other| other.to == edge.to);
        match same {
            None => changed.missing.push(named(edge)),
            Some(other) if texts(now, other) != texts(then, edge) => {
                changed.edited.push(named(other));
            }
            Some(_) => {}
        }
    }
    let known: BTreeSet<&str> =
        then.versions.iter().take(applied + 1).map(String::as_str).collect();
    // Where the version itself is missing, nothing is before or after it.
    let Some(reached) = now.position(version) else { return changed };
    let late = now.edges.iter().filter(|edge| within(now, edge, reached));
    changed.late.extend(late.filter(|edge| !known.contains(edge.to.as_str())).map(named));
    changed
}

fn within(contract: &Contract, edge: &Edge, applied: usize) -> bool {
    contract.position(&edge.to).is_some_and(|position| position <= applied)
}

fn named(edge: &Edge) -> String {
    edge.sql().next().map_or_else(|| edge.name(), |sql| sql.script.clone())
}

/// What an edge runs, whatever its files are called.
fn texts<'a>(contract: &'a Contract, edge: &'a Edge) -> Vec<Option<&'a [u8]>> {
    edge.sql().map(|sql| contract.scripts.get(&sql.script).map(Vec::as_slice)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql_folder::{Folder, compile};

    fn contract(files: &[(&str, &str)]) -> Contract {
        let dir = tempfile::tempdir().unwrap();
        for (name, sql) in files {
            std::fs::write(dir.path().join(name), sql).unwrap();
        }
        compile(&Folder::read(dir.path()).unwrap())
    }

    #[test]
    fn only_what_was_applied_must_stay() {
        let then =
            contract(&[("1_a.sql", "A"), ("2_b.sql", "B"), ("4_d.sql", "D"), ("5_e.sql", "E")]);
        let now = contract(&[
            ("1_a.sql", "A"),
            ("2_other.sql", "B"),
            ("4_d.sql", "D"),
            ("5_e.sql", "E!"),
        ]);
        assert_eq!(compared(&then, &now, "4"), Changed::default());
        let now =
            contract(&[("1_a.sql", "A!"), ("3_c.sql", "C"), ("4_d.sql", "D"), ("6_f.sql", "F")]);
        let found = compared(&then, &now, "4");
        assert_eq!(found.edited, ["1_a.sql"]);
        assert_eq!(found.missing, ["2_b.sql"]);
        assert_eq!(found.late, ["3_c.sql"]);
    }

    #[test]
    fn nothing_is_late_where_the_version_itself_is_gone() {
        let then = contract(&[("1_a.sql", "A"), ("2_b.sql", "B")]);
        let found = compared(&then, &contract(&[("1_a.sql", "A")]), "2");
        assert_eq!(found, Changed { missing: vec!["2_b.sql".to_owned()], ..Changed::default() });
    }
}
