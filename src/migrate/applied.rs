//! Whether the migrations that a database went through still are what they were. Files are edited, lost, and put
//! between others by merging branches; what was applied stands in the ledger, and only what comes after it may change.

use std::collections::BTreeSet;

use ledger_format::body::{Body, Purpose};
use ledger_format::hash::{CommitHash, ContentHash};

use super::books;
use super::error::MigrateError;
use super::observe::LiveDatabase;
use super::stage::frozen_contract;
use super::store::Store;
use crate::contract::{Contract, Edge};
use crate::diagnostic::{
    BOOKS_INVALID, Code, Failure, MIGRATION_DIRTY, MIGRATION_EDITED, MIGRATION_LATE,
    MIGRATION_MISSING, MIGRATION_NEWER,
};
use crate::sql_folder::{Finding, same_statements};

/// Findings named in one message; the rest is counted.
const NAMED_MAX: usize = 5;

/// What is wrong between the database's migrations and what it went through: by the contract that they were applied from,
/// which the ledger keeps, and by the table of the migration tool, if there is one.
pub(super) fn findings(store: &Store) -> Result<Vec<Finding>, MigrateError> {
    if store.site.store().is_some() {
        return Ok(Vec::new());
    }
    let mut found = since_applied(store)?;
    let database = LiveDatabase::open(&store.site.database(), store.wait)?;
    let judged = books::judged(&store.contract, &database)?;
    for finding in judged.into_iter().flat_map(|judged| judged.findings) {
        match found.iter_mut().find(|known| known.says_the_same(&finding)) {
            None => found.push(finding),
            // The checksum that somebody finds in the table says more than one of ours.
            Some(known @ Finding::Edited { .. }) if matches!(finding, Finding::Edited { .. }) => {
                *known = finding;
            }
            Some(_) => {}
        }
    }
    Ok(found)
}

/// The same, by the ledger alone.
fn since_applied(store: &Store) -> Result<Vec<Finding>, MigrateError> {
    match in_force(store, store.ledger.state().size())? {
        None => Ok(Vec::new()),
        Some(digest) if digest == store.contract.digest() => Ok(Vec::new()),
        Some(digest) => {
            let then = frozen_contract(&store.ledger, &*store.objects, digest)?;
            Ok(compared(&then, &store.contract, &store.ledger.state().store().version))
        }
    }
}

/// How many migrations a database of that version went through. What was applied then counts, not what the folder holds
/// now: files are lost, and put between others.
pub(super) fn applied(store: &Store, version: &str) -> Result<Option<u64>, MigrateError> {
    let now = position(&store.contract, version);
    match in_force(store, store.ledger.state().size())? {
        Some(digest) if digest != store.contract.digest() => {
            let then = frozen_contract(&store.ledger, &*store.objects, digest)?;
            Ok(position(&then, version).or(now))
        }
        _ => Ok(now),
    }
}

/// How many steps lead to a version.
pub(super) fn position(contract: &Contract, version: &str) -> Option<u64> {
    contract.position(version).map(|position| position as u64)
}

/// Refuses to go on from migrations that changed after they were applied.
pub(super) fn must_be_unchanged(store: &Store) -> Result<(), MigrateError> {
    must_be_sound(findings(store)?)
}

/// Refuses to go on with anything that is not harmless.
pub(super) fn must_be_sound(mut findings: Vec<Finding>) -> Result<(), MigrateError> {
    findings.retain(|finding| !finding.is_harmless());
    if findings.is_empty() { Ok(()) } else { Err(MigrateError::AppliedChanged { findings }) }
}

/// What is told of each kind of finding, each with its code and the first that it names; of harmless ones nothing.
pub fn failures(findings: &[Finding]) -> Vec<Failure> {
    let mut told: Vec<(&'static Code, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        let Some(code) = code(finding) else { continue };
        match told.iter_mut().find(|(known, _)| *known == code) {
            Some((_, of_code)) => of_code.push(finding),
            None => told.push((code, vec![finding])),
        }
    }
    told.into_iter().map(|(code, findings)| failure(code, &findings)).collect()
}

/// All of them in one.
pub(super) fn first_failure(findings: &[Finding]) -> Option<Failure> {
    let told = failures(findings);
    let message = told.iter().map(|failure| failure.message.as_str()).collect::<Vec<_>>();
    let message = message.join("; ");
    Some(Failure { message, ..told.into_iter().next()? })
}

fn failure(code: &'static Code, findings: &[&Finding]) -> Failure {
    let named = findings.iter().take(NAMED_MAX).map(ToString::to_string).collect::<Vec<_>>();
    let named = named.join("; ");
    let failure = Failure::new(
        code,
        match findings.len().saturating_sub(NAMED_MAX) {
            0 => named,
            more => format!("{named}; and {more} more"),
        },
    );
    let first = findings.first().and_then(|first| first.file().or_else(|| first.version()));
    first.into_iter().fold(failure, Failure::at)
}

const fn code(finding: &Finding) -> Option<&'static Code> {
    match finding {
        Finding::Edited { .. } => Some(&MIGRATION_EDITED),
        Finding::Missing { .. } => Some(&MIGRATION_MISSING),
        Finding::Newer { .. } => Some(&MIGRATION_NEWER),
        Finding::Late { .. } => Some(&MIGRATION_LATE),
        Finding::Dirty { .. } => Some(&MIGRATION_DIRTY),
        Finding::UnknownChecksums { .. } => Some(&BOOKS_INVALID),
        Finding::Cosmetic { .. } => None,
    }
}

/// Digest of the contract that led to where the database was when the ledger had `size` events, or under which it was
/// accepted as it was; `None` if nothing was applied by then.
fn in_force(store: &Store, mut size: u64) -> Result<Option<CommitHash>, MigrateError> {
    let state = store.ledger.state();
    let accepted = |from: u64, to: u64| {
        let mut accepted = state.runs().accepted.iter().rev();
        accepted.find(|one| one.seq >= from && one.seq < to).map(|one| one.contract)
    };
    for run in state.runs().finished.iter().rev() {
        let Some(committed) = run.outcome.committed_seq().filter(|committed| *committed < size)
        else {
            continue;
        };
        if let Some(contract) = accepted(committed, size) {
            return Ok(Some(contract));
        }
        let Body::RunStarted(started) = store.ledger.event(run.started_seq)?.event.body else {
            continue;
        };
        match (started.purpose, started.to_size) {
            (Purpose::Rollback, Some(back_to)) => size = back_to,
            _ => return Ok(started.contract),
        }
    }
    if let Some(contract) = accepted(0, size) {
        return Ok(Some(contract));
    }
    // What it had gone through when it came into care.
    Ok(state.contracts().first(&store.contract.contract).map(|frozen| frozen.digest))
}

/// What of the edges up to `version` is another one in `now` than it was `then`.
fn compared(then: &Contract, now: &Contract, version: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let applied = then.position(version).unwrap_or(0);
    for edge in then.edges.iter().filter(|edge| within(then, edge, applied)) {
        match now.edges.iter().find(|other| other.to == edge.to) {
            None => {
                let (version, file) = (edge.to.clone(), Some(named(edge)));
                found.push(Finding::Missing { version, file });
            }
            Some(other) => found.extend(change(&texts(then, edge), &texts(now, other), other)),
        }
    }
    let known: BTreeSet<&str> =
        then.versions.iter().take(applied + 1).map(String::as_str).collect();
    // Where the version itself is missing, nothing is before or after it.
    let Some(reached) = now.position(version) else { return found };
    let late = now.edges.iter().filter(|edge| within(now, edge, reached));
    found.extend(late.filter(|edge| !known.contains(edge.to.as_str())).map(|edge| Finding::Late {
        version: edge.to.clone(),
        file: named(edge),
        newest: version.to_owned(),
    }));
    found
}

/// How the scripts of an edge differ from what they were.
fn change(then: &[&str], now: &[&str], edge: &Edge) -> Option<Finding> {
    if then == now {
        return None;
    }
    let hash = |texts: &[&str]| ContentHash::of(texts.concat().as_bytes()).to_string();
    let (version, file) = (edge.to.clone(), named(edge));
    let (recorded, found) = (hash(then), hash(now));
    let same = then.len() == now.len()
        && then.iter().zip(now).all(|(then, now)| same_statements(then, now));
    Some(if same {
        Finding::Cosmetic { version, file, recorded, found }
    } else {
        Finding::Edited { version, file, recorded, found }
    })
}

fn within(contract: &Contract, edge: &Edge, applied: usize) -> bool {
    contract.position(&edge.to).is_some_and(|position| position <= applied)
}

fn named(edge: &Edge) -> String {
    edge.sql().next().map_or_else(|| edge.name(), |sql| sql.script.clone())
}

/// What an edge runs, whatever its files are called.
fn texts<'a>(contract: &'a Contract, edge: &'a Edge) -> Vec<&'a str> {
    let text = |name: &str| contract.scripts.get(name).map(Vec::as_slice).unwrap_or_default();
    edge.sql().map(|sql| std::str::from_utf8(text(&sql.script)).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql_folder::{Folder, Tables, compile};
    use crate::transform::ForeignKeyMode;

    fn contract(files: &[(&str, &str)]) -> Contract {
        let dir = tempfile::tempdir().unwrap();
        for (name, sql) in files {
            std::fs::write(dir.path().join(name), sql).unwrap();
        }
        let folder = Folder::read(dir.path(), None, &Tables::default()).unwrap();
        compile(&folder, None, ForeignKeyMode::On)
    }

    fn kinds(found: &[Finding]) -> Vec<(&'static str, &str)> {
        let kind = |one: &Finding| code(one).map_or("COSMETIC", |code| code.id);
        found.iter().map(|one| (kind(one), one.file().unwrap())).collect()
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
        assert_eq!(compared(&then, &now, "4"), []);
        let now = contract(&[
            ("1_a.sql", "A!"),
            ("3_c.sql", "C"),
            ("4_d.sql", "D -- more\n"),
            ("6_f.sql", "F"),
        ]);
        let found = compared(&then, &now, "4");
        assert_eq!(
            kinds(&found),
            [
                ("MIGRATION_EDITED", "1_a.sql"),
                ("MIGRATION_MISSING", "2_b.sql"),
                ("COSMETIC", "4_d.sql"),
                ("MIGRATION_LATE", "3_c.sql"),
            ]
        );
        assert_eq!(failures(&found).len(), 3);
        assert!(must_be_sound(found.into_iter().filter(Finding::is_harmless).collect()).is_ok());
    }

    #[test]
    fn nothing_is_late_where_the_version_itself_is_gone() {
        let then = contract(&[("1_a.sql", "A"), ("2_b.sql", "B")]);
        let found = compared(&then, &contract(&[("1_a.sql", "A")]), "2");
        assert_eq!(kinds(&found), [("MIGRATION_MISSING", "2_b.sql")]);
    }

    #[test]
    fn a_message_names_the_first_and_counts_the_rest() {
        let late = |version: u32| Finding::Late {
            version: version.to_string(),
            file: format!("{version}.sql"),
            newest: "9".to_owned(),
        };
        let found: Vec<Finding> = (1..=7).map(late).collect();
        let told = first_failure(&found).unwrap();
        assert_eq!(told.place.as_deref(), Some("1.sql"));
        assert!(told.message.ends_with("9 is; and 2 more"), "{}", told.message);
    }
}
