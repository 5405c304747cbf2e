//! `Glyphser.Migrate.ValidateOutcome`: whether what must hold between an object before and after does.

use crate::contract::Invariant;
use crate::diagnostic::{self, Code};
use crate::document::{Map, Pointer, Value};
use crate::transform::Program;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationReport {
    /// Whether every invariant holds.
    pub is_valid: bool,
    /// What does not, sorted by path and code.
    pub errors: Vec<ValidationError>,
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValidationError {
    /// Where: `/invariants/ID`, as an RFC 6901 pointer.
    pub path: String,
    /// `OUTCOME_INVALID` where it is false, `STEP_FAILED` where it has no answer.
    pub code_id: &'static str,
}

/// Evaluates every invariant on `{source, target}`.
pub fn validate_outcome(
    source: &Value,
    target: &Value,
    invariants: &[Invariant],
) -> ValidationReport {
    let pair = [("source", source.clone()), ("target", target.clone())];
    let pair = pair.into_iter().collect::<Map>().into();
    let mut errors: Vec<ValidationError> = invariants
        .iter()
        .filter_map(|invariant| {
            let path = Pointer::default().below("invariants").below(&invariant.id).to_string();
            let code = breach(invariant, &pair)?;
            Some(ValidationError { path, code_id: code.id })
        })
        .collect();
    errors.sort();
    ValidationReport { is_valid: errors.is_empty(), errors }
}

/// The code under which an invariant is reported; `None` if it holds.
fn breach(invariant: &Invariant, pair: &Value) -> Option<&'static Code> {
    match Program::compile(&invariant.expr).and_then(|program| program.run(pair)) {
        Ok(Value::Bool(true)) => None,
        Ok(Value::Bool(false)) => Some(&diagnostic::OUTCOME_INVALID),
        Ok(_) | Err(_) => Some(&diagnostic::STEP_FAILED),
    }
}

impl ValidationReport {
    /// The report as a value.
    pub fn to_value(&self) -> Value {
        let error = |error: &ValidationError| -> Value {
            let entries = [
                ("path", Value::text(error.path.as_str())),
                ("code_id", Value::text(error.code_id)),
            ];
            entries.into_iter().collect::<Map>().into()
        };
        let entries = [
            ("is_valid", self.is_valid.into()),
            ("errors", Value::List(self.errors.iter().map(error).collect())),
        ];
        entries.into_iter().collect::<Map>().into()
    }
}
