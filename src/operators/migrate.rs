//! `Glyphser.Migrate.Manifest`, `.Checkpoint`, `.Trace`: one object to another version, as its built-in contract says.

use super::ErrorRecord;
use super::registry::{self, Operator};
use crate::contract::{self, Contract, Edge, Pattern};
use crate::diagnostic::{self, Code, Failure};
use crate::document::{Pointer, Value};
use crate::link::{LinkError, Links, Subject};
use crate::transform::{self, Effect, Parameters, Programs, Step};

/// `Glyphser.Migrate.Manifest`.
pub fn migrate_manifest(source: &Value, target_version: &str) -> Result<Value, ErrorRecord> {
    migrate(&registry::MANIFEST, source, target_version, &Parameters::default())
}

/// `Glyphser.Migrate.Checkpoint`. The checkpoint's own hashes are compared first and computed again last; its references
/// to manifest and trace stay.
pub fn migrate_checkpoint(source: &Value, target_version: &str) -> Result<Value, ErrorRecord> {
    migrate(&registry::CHECKPOINT, source, target_version, &Parameters::default())
}

/// `Glyphser.Migrate.Trace`. The head is compared first and computed again; records stay.
pub fn migrate_trace(source: &Value, target_version: &str) -> Result<Value, ErrorRecord> {
    migrate(&registry::TRACE, source, target_version, &Parameters::default())
}

/// Any of them, with values that the newer version requires and the older one does not have.
pub fn migrate(
    operator: &Operator,
    source: &Value,
    target_version: &str,
    parameters: &Parameters,
) -> Result<Value, ErrorRecord> {
    let contracts = contracts().map_err(|error| defect(operator, &error))?;
    let contract =
        contracts.iter().find(|contract| Some(contract.contract.as_str()) == operator.contract);
    let contract = contract.ok_or_else(|| defect(operator, &"it migrates nothing"))?;
    let links = Links::of(&contracts.iter().collect::<Vec<_>>());
    let links = links.map_err(|error| defect(operator, &error))?;
    let job = Job { operator_id: operator.id, contract, parameters };
    job.run(&links, source, target_version)
}

/// One object on its way.
pub(super) struct Job<'a> {
    pub(super) operator_id: &'a str,
    pub(super) contract: &'a Contract,
    pub(super) parameters: &'a Parameters,
}

impl Job<'_> {
    fn run(
        &self,
        links: &Links,
        source: &Value,
        target_version: &str,
    ) -> Result<Value, ErrorRecord> {
        let version = contract::detect_document(self.contract, source)
            .map_err(|error| self.refuse(Failure::from(&error).code, "/source", &error))?;
        links
            .check_self(self.subject(version), source)
            .map_err(|error| self.refuse_link(&error))?;
        let mut target = source.clone();
        self.walk(version, target_version, &mut target)?;
        links
            .seal(self.subject(target_version), &mut target)
            .map_err(|error| self.refuse_link(&error))?;
        Ok(target)
    }

    /// Takes `value` along the edges from one version to another. Its hashes of itself and of others stay.
    pub(super) fn walk(
        &self,
        version: &str,
        target_version: &str,
        value: &mut Value,
    ) -> Result<(), ErrorRecord> {
        let edges = contract::resolve(self.contract, version, target_version)
            .map_err(|error| self.refuse(Failure::from(&error).code, "/target_version", &error))?;
        for edge in edges {
            self.edge(edge, value)?;
        }
        if target_version == self.contract.current {
            self.steps(&self.contract.normalize, value)?;
        }
        Ok(())
    }

    fn edge(&self, edge: &Edge, target: &mut Value) -> Result<(), ErrorRecord> {
        let effects = self.steps(&edge.steps, target)?;
        let declared: Vec<Pattern> =
            edge.lossy.iter().filter_map(|pattern| pattern.parse().ok()).collect();
        let is_declared = |place: &Pointer| declared.iter().any(|pattern| pattern.covers(place));
        let lost = effects.iter().flat_map(Effect::lost).find(|place| !is_declared(place));
        match lost {
            None => Ok(()),
            Some(place) => {
                let message = format!("edge {} loses it and does not say so", edge.name());
                Err(self.refuse(&diagnostic::LOSS_UNDECLARED, &in_source(&place), &message))
            }
        }
    }

    fn steps(&self, steps: &[Step], target: &mut Value) -> Result<Vec<Effect>, ErrorRecord> {
        let programs = Programs::with_files(steps, &self.contract.scripts)
            .map_err(|error| self.refuse(&diagnostic::INTERNAL, "", &error))?;
        let programs = programs.with_parameters(self.parameters.clone());
        transform::apply(steps, &programs, target)
            .map_err(|error| self.refuse(error.code(), &in_source(&error.path), &error.trouble))
    }

    fn subject<'a>(&'a self, version: &'a str) -> Subject<'a> {
        Subject { kind: &self.contract.contract, version, id: "the object" }
    }

    fn refuse_link(&self, error: &LinkError) -> ErrorRecord {
        let place = error.place().map(in_source).unwrap_or_default();
        self.refuse(error.code(), &place, error)
    }

    fn refuse(&self, code: &'static Code, path: &str, message: &impl ToString) -> ErrorRecord {
        ErrorRecord::of(code, self.operator_id, path, message.to_string())
    }
}

/// The place in the request of a place in the object.
fn in_source(place: &Pointer) -> String {
    format!("/source{place}")
}

fn defect(operator: &Operator, error: &impl ToString) -> ErrorRecord {
    ErrorRecord::of(&diagnostic::INTERNAL, operator.id, "", error.to_string())
}

/// The contracts of all kinds that the operators' objects refer to.
pub(super) fn contracts() -> Result<Vec<Contract>, contract::ContractError> {
    ["glyphser-manifest", "glyphser-trace", "glyphser-checkpoint", "glyphser-certificate"]
        .into_iter()
        .map(contract::registry::load_named)
        .collect()
}
