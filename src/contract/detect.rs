//! Telling which version a store has: exactly one detector must match.

use serde_json::Value;

use super::detector::{Shape, When};
use super::model::Contract;
use crate::document;

/// What a detector may ask about a store.
pub trait Facts {
    /// Why a question could not be answered.
    type Error;

    /// The manifest; null of a database, which has none.
    fn manifest(&self) -> &Value;

    /// Names of the columns of a table; empty when there is no such table. Asked only when the
    /// manifest alone leaves more than one version possible.
    fn columns(&self, table: &str) -> Result<Vec<String>, Self::Error>;
}

/// No version, or more than one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DetectError<E> {
    /// The manifest states no version that the contract knows.
    #[error("the manifest states version {stated}; known are {}", known.join(", "))]
    Unknown {
        /// What the manifest states.
        stated: String,
        /// Every version of the contract.
        known: Vec<String>,
    },
    /// The manifest's version is known, but the database does not look like it.
    #[error("the manifest states version {stated}, but the database has the shape of none of {}", candidates.join(", "))]
    Shape {
        /// What the manifest states.
        stated: String,
        /// Versions the manifest left possible.
        candidates: Vec<String>,
    },
    /// More than one detector matches.
    #[error("more than one version matches: {}", matches.join(", "))]
    Ambiguous {
        /// The versions.
        matches: Vec<String>,
    },
    /// A question could not be answered.
    #[error(transparent)]
    Facts(E),
}

/// The version of the store that `facts` describe.
pub fn detect<F: Facts>(contract: &Contract, facts: &F) -> Result<String, DetectError<F::Error>> {
    let by_manifest: Vec<_> = contract
        .detect
        .iter()
        .filter(|detector| equals(&detector.when, facts.manifest()))
        .collect();
    let stated = || {
        let place = contract.detect.first().and_then(|detector| detector.when.path.as_deref());
        let place = place.unwrap_or_default();
        facts.manifest().pointer(place).map_or_else(|| "none".to_owned(), Value::to_string)
    };
    if by_manifest.is_empty() {
        return Err(DetectError::Unknown { stated: stated(), known: contract.versions.clone() });
    }
    let mut matches = Vec::new();
    for detector in &by_manifest {
        let fits = match &detector.when.shape {
            None => true,
            Some(shape) => {
                let table = shape.table.as_deref().unwrap_or_default();
                has_shape(shape, &facts.columns(table).map_err(DetectError::Facts)?)
            }
        };
        if fits {
            matches.push(detector.version.clone());
        }
    }
    match matches.as_slice() {
        [version] => Ok(version.clone()),
        [] => {
            let candidates = by_manifest.iter().map(|detector| detector.version.clone()).collect();
            Err(DetectError::Shape { stated: stated(), candidates })
        }
        _ => Err(DetectError::Ambiguous { matches }),
    }
}

fn equals(when: &When, manifest: &Value) -> bool {
    if when.path.is_none() && when.equals.is_none() {
        return true;
    }
    let found = when.path.as_deref().and_then(|path| manifest.pointer(path));
    match (found, &when.equals) {
        (Some(Value::Number(found)), Some(document::Value::Number(expected))) => {
            found.as_i64().is_some() && found.as_i64() == expected.as_i64()
        }
        (Some(Value::String(found)), Some(document::Value::Text(expected))) => {
            **found == **expected
        }
        _ => false,
    }
}

fn has_shape(shape: &Shape, columns: &[String]) -> bool {
    shape.has.iter().all(|column| columns.contains(column))
        && !shape.lacks.iter().any(|column| columns.contains(column))
}
