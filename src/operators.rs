//! Operators under the names that the execution guide fixes: `Glyphser.Migrate.Manifest`, `.Checkpoint`, `.Trace`,
//! `.ValidateOutcome`, and `Glyphser.Error.Emit`.
//!
//! Each is a function on values, and is called by name with a request as well ([`call`]). An operator works on one object:
//! references to others stay what they are, and are rewritten by whoever has the whole set ([`crate::link`]). The built-in
//! contracts say what becomes of an object. Knows no file, no ledger and no clock.

mod emit;
mod linked;
mod migrate;
mod registry;
mod request;
mod validate;

pub use emit::{ErrorRecord, emit};
pub use linked::{LinkedError, Member, Outcome, migrate_linked};
pub use migrate::{migrate, migrate_checkpoint, migrate_manifest, migrate_trace};
pub use registry::{Method, OPERATORS, Operator, Purity, SideEffect, Surface, registry_root};
pub use validate::{ValidationError, ValidationReport, validate_outcome};

use crate::contract::Invariant;
use crate::diagnostic;
use crate::document::{Map, Value};
use crate::transform::Parameters;
use request::Request;

/// Calls the operator of that name. What it takes and gives is what its schemas say; whatever it refuses is an error
/// record with a code that its registry record allows.
pub fn call(operator_id: &str, request: &Value) -> Result<Value, ErrorRecord> {
    let unknown = || {
        let message = format!("{operator_id} is no operator");
        ErrorRecord::of(&diagnostic::REQUEST_INVALID, operator_id, "", message)
    };
    let operator = Operator::find(operator_id).ok_or_else(unknown)?;
    let request = Request::of(operator.id, request)?;
    match operator.id {
        registry::VALIDATE_OUTCOME => validate(&request),
        registry::ERROR_EMIT => {
            request.only(&["code_id", "operator_id", "message", "path"])?;
            let record = emit(
                request.text("code_id")?,
                request.text("operator_id")?,
                &request.pointer("path")?,
                request.text("message")?,
            )?;
            Ok(record.to_value())
        }
        _ => {
            request.only(&["source", "target_version", "parameters"])?;
            let given = request.optional("parameters").map(|_| request.map("parameters"));
            let given = given.transpose()?.into_iter().flat_map(Map::iter);
            let parameters: Parameters =
                given.map(|(name, value)| (name.to_string(), value.clone())).collect();
            let source = request.value("source")?;
            let target = migrate(operator, source, request.text("target_version")?, &parameters)?;
            Ok([("target", target)].into_iter().collect::<Map>().into())
        }
    }
}

fn validate(request: &Request<'_>) -> Result<Value, ErrorRecord> {
    request.only(&["source", "target", "invariants"])?;
    let mut invariants = Vec::new();
    for one in request.list("invariants")? {
        one.only(&["id", "expr"])?;
        let (id, expr) = (one.text("id")?.to_owned(), one.text("expr")?.to_owned());
        invariants.push(Invariant { id, expr, reads: None });
    }
    let report = validate_outcome(request.value("source")?, request.value("target")?, &invariants);
    Ok(report.to_value())
}

#[cfg(test)]
mod tests;
