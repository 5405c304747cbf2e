//! What this project's contracts make of a document.

use std::path::Path;

use glyph_ledger::contract::{
    Contract, ContractError, VersionError, detect_document, load_file, resolve,
};
use glyph_ledger::document::Value;
use glyph_ledger::document::json::{self, JsonError};
use glyph_ledger::schema::{Schema, SchemaError};
use glyph_ledger::transform::{Effect, JqError, Parameters, Programs, attempt};

/// A contract, ready for documents.
pub(crate) struct Prepared {
    pub(crate) contract: Contract,
    programs: Programs,
    schema: Schema,
}

/// A contract that cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    #[error(transparent)]
    Contract(#[from] ContractError),
    #[error(transparent)]
    Program(#[from] JqError),
    #[error("there is no schema of the current version")]
    NoSchema,
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// What came of a document.
pub(crate) struct Outcome {
    /// The version it has, or why it has none.
    pub(crate) detected: Result<String, VersionError>,
    /// The versions it went through.
    pub(crate) chain: Vec<String>,
    /// What was changed.
    pub(crate) effects: Vec<Effect>,
    /// Why it is refused.
    pub(crate) errors: Vec<String>,
    /// What it is now, if all steps were taken; of a refused document only what its reports show.
    pub(crate) result: Option<Value>,
}

impl Prepared {
    pub(crate) fn load(path: &Path) -> Result<Self, PrepareError> {
        let contract = load_file(path)?;
        let programs = contract.programs()?;
        let file = contract.schemas.get(&contract.current);
        let bytes =
            file.and_then(|file| contract.scripts.get(file)).ok_or(PrepareError::NoSchema)?;
        let schema = Schema::compile(&contract.contract, &json::read(bytes)?.value)?;
        Ok(Self { contract, programs, schema })
    }

    /// Whether `document` has what its current version must have.
    pub(crate) fn validates(&self, document: &Value) -> bool {
        self.schema.is_valid(document)
    }

    pub(crate) fn migrate(&self, source: &Value, parameters: &Parameters) -> Outcome {
        let mut outcome = Outcome {
            detected: detect_document(&self.contract, source).map(str::to_owned),
            chain: Vec::new(),
            effects: Vec::new(),
            errors: Vec::new(),
            result: None,
        };
        let Ok(version) = outcome.detected.clone() else { return outcome };
        let edges = match resolve(&self.contract, &version, &self.contract.current) {
            Ok(edges) => edges,
            Err(error) => {
                outcome.errors.push(error.to_string());
                return outcome;
            }
        };
        outcome.chain.push(version);
        outcome.chain.extend(edges.iter().map(|edge| edge.to.clone()));
        let programs = self.programs.clone().with_parameters(parameters.clone());
        let mut document = source.clone();
        let parts = edges.iter().map(|edge| edge.steps.as_slice());
        for steps in parts.chain([self.contract.normalize.as_slice()]) {
            let done = attempt(steps, &programs, &mut document);
            outcome.effects.extend(done.effects);
            outcome.errors.extend(done.refusals.iter().map(|refusal| refusal.trouble.to_string()));
            if !done.complete {
                return outcome;
            }
        }
        outcome.result = Some(document);
        outcome
    }
}

impl Outcome {
    pub(crate) fn is_refused(&self) -> bool {
        self.detected.is_err() || !self.errors.is_empty()
    }

    /// `unsupported`, `migrated`, `normalized` or `current`, the first that holds.
    pub(crate) fn status(&self) -> &'static str {
        match () {
            () if self.is_refused() => "unsupported",
            () if self.chain.len() > 1 => "migrated",
            () if !self.effects.is_empty() => "normalized",
            () => "current",
        }
    }
}
