//! Which version a database has that comes into care: the one it states; else the one that was given, if it has the
//! structure of that; else the one whose structure it has, found by running the contract's edges on an empty database.

use std::collections::BTreeMap;
use std::time::Duration;

use tempfile::TempDir;

use super::error::MigrateError;
use super::observe::LiveDatabase;
use super::plan::script;
use crate::contract::{Contract, EMPTY, Edge, resolve};
use crate::objects::MemoryObjects;
use crate::target::sqlite::{Snapshot, StepError, StepInputs, WorkCopy, create_empty, image};

/// The version that somebody says a database has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// The version.
    pub version: String,
    /// Whether it is taken as it is, and not held against the structure of the database.
    pub believed: bool,
}

impl Baseline {
    /// A version that is held against the structure.
    pub fn of(version: impl Into<String>) -> Self {
        Self { version: version.into(), believed: false }
    }
}

/// Differences between two structures that are named; the rest is counted.
const NAMED_MAX: usize = 5;

/// The version of a database that is there; `stated` is what it states by itself.
pub(super) fn of(
    contract: &Contract,
    stated: Option<String>,
    given: Option<Baseline>,
    database: &LiveDatabase,
) -> Result<String, MigrateError> {
    match (stated, given) {
        (Some(stated), Some(given)) if stated != given.version => {
            Err(disagree(contract, stated, &given.version))
        }
        (Some(stated), _) => Ok(stated),
        (None, Some(given)) => {
            let version = known(contract, given.version)?;
            if !given.believed {
                must_have_structure(contract, &version, database)?;
            }
            Ok(version)
        }
        (None, None) => by_structure(contract, database),
    }
}

/// The version of a database that drifted: the one it states, or was given; else the one that it had `before`. Another
/// one than that is held against the structure, as where a database comes into care.
pub(super) fn or_before(
    contract: &Contract,
    stated: Option<String>,
    given: Option<&Baseline>,
    before: &str,
    database: &LiveDatabase,
) -> Result<String, MigrateError> {
    match given {
        Some(given) if stated.is_some() || given.version != before => {
            of(contract, stated, Some(given.clone()), database)
        }
        _ => Ok(stated.unwrap_or_else(|| before.to_owned())),
    }
}

fn disagree(contract: &Contract, stated: String, given: &str) -> MigrateError {
    MigrateError::Disagree {
        first: "the database",
        first_version: stated,
        second: "the baseline given",
        second_version: given.to_owned(),
        readable: contract.versions.join(", "),
    }
}

/// The version of a database that is yet to be made.
pub(super) fn of_nothing(contract: &Contract, given: Option<&str>) -> Result<String, MigrateError> {
    if begins_with_nothing(contract) && given.is_none_or(|given| given == EMPTY) {
        return Ok(EMPTY.to_owned());
    }
    let check = format!(
        "a new database is at version {EMPTY}, and the contract goes from {} to {}",
        contract.min,
        given.unwrap_or(&contract.current)
    );
    Err(MigrateError::Outcome { check })
}

fn known(contract: &Contract, given: String) -> Result<String, MigrateError> {
    // Told as every other version that is not there.
    resolve(contract, &given, &given)?;
    Ok(given)
}

fn begins_with_nothing(contract: &Contract) -> bool {
    contract.versions.first().is_some_and(|first| first == EMPTY)
}

/// Refuses a version whose structure the database does not have, or for which nothing tells what that is.
fn must_have_structure(
    contract: &Contract,
    version: &str,
    database: &LiveDatabase,
) -> Result<(), MigrateError> {
    let differs = |differences: String| {
        // What is wrong with the database itself says more.
        database.must_be_sound()?;
        Err(MigrateError::BaselineDiffers { version: version.to_owned(), differences })
    };
    if !begins_with_nothing(contract) {
        return differs("its contract does not say what that is from the beginning".to_owned());
    }
    let mut made = Made::empty()?;
    for edge in resolve(contract, EMPTY, version)? {
        match made.migrate(contract, edge) {
            Ok(()) => {}
            Err(stopped @ StepError::Statement { .. }) => {
                return differs(format!(
                    "its migrations do not run on an empty database: {stopped}"
                ));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if made.copy.schema_digest()? == database.schema()? {
        return Ok(());
    }
    let expected = LiveDatabase::open(made.copy.path(), Duration::ZERO)?;
    differs(in_words(&expected.declared()?, &database.declared()?))
}

type Declared = BTreeMap<(String, String), String>;

/// How what a database declares differs from what it should.
fn in_words(expected: &Declared, found: &Declared) -> String {
    let mut told = Vec::new();
    for ((kind, name), sql) in expected {
        match found.get(&(kind.clone(), name.clone())) {
            None => told.push(format!("{kind} {name} is missing")),
            Some(other) if other != sql => {
                told.push(format!("{kind} {name} is declared otherwise"));
            }
            Some(_) => {}
        }
    }
    let more = found.keys().filter(|known| !expected.contains_key(*known));
    told.extend(more.map(|(kind, name)| format!("{kind} {name} is not in it")));
    let named = told.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join("; ");
    match told.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}

/// What migrations make of an empty database.
struct Made {
    copy: WorkCopy,
    steps: u64,
    _scratch: TempDir,
}

impl Made {
    fn empty() -> Result<Self, MigrateError> {
        let io = |source| MigrateError::Io { path: std::env::temp_dir(), source };
        let scratch = tempfile::tempdir().map_err(io)?;
        let empty = scratch.path().join("empty.db");
        create_empty(&empty, Duration::ZERO)?;
        let mut objects = MemoryObjects::new();
        let root = image::take(&Snapshot::open(&empty, Duration::ZERO)?, &mut objects)?.root();
        let copy = WorkCopy::create(scratch.path(), &root, &objects)?;
        Ok(Self { copy, steps: 0, _scratch: scratch })
    }

    fn migrate(&mut self, contract: &Contract, edge: &Edge) -> Result<(), StepError> {
        for sql in edge.sql() {
            let inputs = StepInputs::of_step(0, &[0; 32], "baseline", self.steps);
            self.copy.run_step(&script(contract, sql), &inputs, &[])?;
            self.steps += 1;
        }
        Ok(())
    }
}

/// The one version whose structure the database has.
fn by_structure(contract: &Contract, database: &LiveDatabase) -> Result<String, MigrateError> {
    if !begins_with_nothing(contract) {
        return Err(MigrateError::Baseline { candidates: Vec::new(), stopped: None });
    }
    let wanted = database.schema()?;
    let mut made = Made::empty()?;
    let mut candidates = Vec::new();
    if made.copy.schema_digest()? == wanted {
        candidates.push(EMPTY.to_owned());
    }
    for edge in resolve(contract, EMPTY, &contract.current)? {
        match made.migrate(contract, edge) {
            Ok(()) => {}
            // Made for a database that was there before the first migration, or for rows of it.
            Err(stopped @ StepError::Statement { .. }) => {
                let stopped = Some(Box::new(stopped));
                return Err(MigrateError::Baseline { candidates, stopped });
            }
            Err(error) => return Err(error.into()),
        }
        if made.copy.schema_digest()? == wanted {
            candidates.push(edge.to.clone());
        }
    }
    match candidates.as_slice() {
        [version] => Ok(version.clone()),
        _ => Err(MigrateError::Baseline { candidates, stopped: None }),
    }
}
