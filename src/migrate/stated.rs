//! What version a database states by itself, where it is no `.glyph` store: by the table of a migration tool, if its
//! contract keeps one; by the shape of its tables, if its contract tells versions apart by that.

use std::path::Path;

use serde_json::Value;

use super::books;
use super::error::MigrateError;
use super::observe::{LiveDatabase, StoreFacts};
use crate::contract::{self, Contract, DetectError};

/// The version that `database`, which lies at `path`, states; `None` where the contract leaves it to the
/// ledger to know.
pub(super) fn version(
    contract: &Contract,
    path: &Path,
    database: &LiveDatabase,
) -> Result<Option<String>, MigrateError> {
    if let Some(judged) = books::judged(contract, database)? {
        // Books with something wrong in them state nothing; what is wrong is told by name.
        let version = contract.versions.get(judged.applied).filter(|_| judged.is_sound());
        return Ok(version.cloned());
    }
    if contract.detect.is_empty() {
        return Ok(None);
    }
    let facts = StoreFacts { manifest: &Value::Null, database };
    match contract::detect(contract, &facts) {
        Ok(version) => Ok(Some(version)),
        Err(DetectError::Ambiguous { matches }) => Err(MigrateError::Ambiguous { matches }),
        Err(DetectError::Facts(error)) => Err(error.into()),
        Err(DetectError::Unknown { known, .. } | DetectError::Shape { candidates: known, .. }) => {
            Err(MigrateError::Version {
                path: path.to_owned(),
                stated: "none by the shape of its tables".to_owned(),
                readable: known.join(", "),
            })
        }
    }
}
