//! Which version a database has that comes into care: the one it states; else the one that was given; else the
//! one whose structure it has, found by running the contract's edges on an empty database.

use std::time::Duration;

use super::error::MigrateError;
use super::observe::LiveDatabase;
use super::plan::script;
use crate::contract::{Contract, EMPTY, resolve};
use crate::objects::MemoryObjects;
use crate::target::sqlite::{Snapshot, StepError, StepInputs, WorkCopy, create_empty, image};

/// The version of a database that is there; `stated` is what it states by itself.
pub(super) fn of(
    contract: &Contract,
    stated: Option<String>,
    given: Option<String>,
    database: &LiveDatabase,
) -> Result<String, MigrateError> {
    match (stated, given) {
        (Some(stated), Some(given)) if stated != given => Err(MigrateError::Disagree {
            first: "the database",
            first_version: stated,
            second: "the baseline given",
            second_version: given,
            readable: contract.versions.join(", "),
        }),
        (Some(stated), _) => Ok(stated),
        (None, Some(given)) => known(contract, given),
        (None, None) => by_structure(contract, database),
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

/// The one version whose structure the database has.
fn by_structure(contract: &Contract, database: &LiveDatabase) -> Result<String, MigrateError> {
    if !begins_with_nothing(contract) {
        return Err(MigrateError::Baseline { candidates: Vec::new(), stopped: None });
    }
    let wanted = database.schema()?;
    let io = |source| MigrateError::Io { path: std::env::temp_dir(), source };
    let scratch = tempfile::tempdir().map_err(io)?;
    let empty = scratch.path().join("empty.db");
    create_empty(&empty, Duration::ZERO)?;
    let mut objects = MemoryObjects::new();
    let root = image::take(&Snapshot::open(&empty, Duration::ZERO)?, &mut objects)?.root();
    let mut copy = WorkCopy::create(scratch.path(), &root, &objects)?;
    let mut candidates = Vec::new();
    if copy.schema_digest()? == wanted {
        candidates.push(EMPTY.to_owned());
    }
    let mut step = 0;
    for edge in resolve(contract, EMPTY, &contract.current)? {
        for sql in edge.sql() {
            let inputs = StepInputs::of_step(0, &[0; 32], "baseline", step);
            match copy.run_step(&script(contract, sql), &inputs, &[]) {
                Ok(_) => step += 1,
                // Made for a database that was there before the first migration, or for rows of it.
                Err(stopped @ StepError::Statement { .. }) => {
                    let stopped = Some(Box::new(stopped));
                    return Err(MigrateError::Baseline { candidates, stopped });
                }
                Err(error) => return Err(error.into()),
            }
        }
        if copy.schema_digest()? == wanted {
            candidates.push(edge.to.clone());
        }
    }
    match candidates.as_slice() {
        [version] => Ok(version.clone()),
        _ => Err(MigrateError::Baseline { candidates, stopped: None }),
    }
}
