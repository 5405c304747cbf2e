//! Documents made from a schema, and what is seen of their migration: once for each contract and version, however many
//! documents of it are proved.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ledger_format::hash::CommitHash;

use super::prove::{Migration, ProveError, Views, failing};
use super::{Cases, Counterexample};
use crate::document::Value;
use crate::schema::cases::{Generator, shrink};

/// How many generated documents are looked at, and what was seen of them.
#[derive(Debug, Default)]
pub struct Generated {
    asked: Option<u64>,
    seen: Mutex<BTreeMap<(CommitHash, String), Cases>>,
}

impl Generated {
    /// None, or so many for each contract and version.
    pub fn of(asked: Option<u64>) -> Self {
        Self { asked, seen: Mutex::default() }
    }

    /// What is seen of the documents made from the schema of `version`; nothing if none were asked for.
    pub(super) fn look(
        &self,
        migration: &dyn Migration,
        version: &str,
    ) -> Result<Option<Cases>, ProveError> {
        let Some(asked) = self.asked else { return Ok(None) };
        let of = (migration.contract().digest, version.to_owned());
        // Whoever comes second waits: what is seen is the same for all.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cases) = seen.get(&of) {
            return Ok(Some(cases.clone()));
        }
        let cases = look(migration, version, asked)?;
        seen.insert(of, cases.clone());
        Ok(Some(cases))
    }
}

fn look(migration: &dyn Migration, version: &str, asked: u64) -> Result<Cases, ProveError> {
    let no_schema = || ProveError::NoSchema { version: version.to_owned() };
    let schema = migration.schema(version).ok_or_else(no_schema)?;
    let generator = Generator::new(schema, migration.contract().digest)?;
    for case in 0..asked {
        let document = generator.case(case)?;
        if migration.write(&document).is_none() {
            return Err(ProveError::Unwritable { case });
        }
        if let Some((fails, _)) = wrong(migration, version, &document) {
            let mut still_fails = |smaller: &Value| {
                wrong(migration, version, smaller).is_some_and(|(same, _)| same == fails)
            };
            let document = shrink(&document, schema, &mut still_fails);
            let (fails, errors) = wrong(migration, version, &document).unwrap_or_default();
            let counterexample = Some(Counterexample { case, fails, errors, document });
            return Ok(Cases { asked, checked: case + 1, counterexample });
        }
    }
    Ok(Cases { asked, checked: asked, counterexample: None })
}

/// What is required of `document` and does not hold, and the errors; `None` if all is well.
fn wrong(
    migration: &dyn Migration,
    version: &str,
    document: &Value,
) -> Option<(Vec<super::Property>, Vec<String>)> {
    let source = migration.write(document)?;
    // Without a thread there is nothing to be seen of it: that is told by the document that is proved.
    let views = Views::of(migration, &source).ok()?;
    failing(&views, version)
}
