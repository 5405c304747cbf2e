//! What is wrong or doubtful about a contract, with the place of each, before any document is migrated with it.
//!
//! Begins with the rules that the loader refuses a contract for, and goes on with what can be told from the text alone:
//! whether versions are told apart and lead to the current one, and whether the steps do what their edge declares. What a
//! step does to a given document is not known here.

mod declarations;
mod detectors;
mod graph;
mod steps;

use std::collections::BTreeSet;

use serde::Serialize;

use super::load::ContractError;
use super::location::Location;
use super::model::Contract;
use super::rules;
use super::source::Source;
use crate::document::Pointer;

/// Something about a contract that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing it is, stable for ever.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub at: Location,
    /// What it is.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

impl Finding {
    /// What is wrong with a contract that cannot be parsed or breaks a rule; none for other errors.
    pub fn of(error: &ContractError) -> Option<Self> {
        let (code, at, message) = match error {
            ContractError::Syntax { at, reason } => ("syntax", at, reason),
            ContractError::Rule { at, rule } => ("rule", at, rule),
            ContractError::Io { .. } | ContractError::Unnamed { .. } => return None,
        };
        let (severity, at, message) = (Severity::Error, at.clone(), message.clone());
        Some(Self { code, severity, at, message, help: HELP_RULE })
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The contract must not be used like this.
    Error,
    /// It may be meant.
    Warning,
}

/// Everything that is wrong or doubtful about a contract, in the order of its text. `kinds` are the names of the
/// contracts that its references may lead to besides itself.
pub fn lint(source: &Source, kinds: &BTreeSet<String>) -> Vec<Finding> {
    let contract = &source.contract;
    let mut notes = Notes::default();
    for breach in rules::breaches(contract, &source.missing) {
        notes.add(breach.code, Severity::Error, breach.at, breach.rule, HELP_RULE);
    }
    declarations::check(contract, kinds, &mut notes);
    detectors::check(contract, &mut notes);
    graph::check(contract, &mut notes);
    if contract.is_of_documents() {
        steps::check(contract, &mut notes);
    }
    located(source, notes)
}

/// The first of a contract's globs, schemas and programs that cannot be made ready: its place and what is wrong with it.
pub(super) fn not_compiling(contract: &Contract) -> Option<(Pointer, String)> {
    let mut notes = Notes::default();
    declarations::must_compile(contract, &mut notes);
    let mut errors = notes.0.into_iter().filter(|note| note.severity == Severity::Error);
    errors.next().map(|note| (note.at, note.message))
}

const HELP_RULE: &str = "the contract does not load before this is mended";

fn located(source: &Source, notes: Notes) -> Vec<Finding> {
    if notes.0.is_empty() {
        return Vec::new();
    }
    let places = source.places();
    let found = notes.0.into_iter().map(|Note { code, severity, at, message, help }| Finding {
        code,
        severity,
        at: places.find(&at),
        message,
        help,
    });
    let mut findings: Vec<Finding> = found.collect();
    findings.sort_by(|one, other| (&one.at, one.severity).cmp(&(&other.at, other.severity)));
    findings
}

/// Findings that know their place in the contract as a document only.
#[derive(Debug, Default)]
struct Notes(Vec<Note>);

#[derive(Debug)]
struct Note {
    code: &'static str,
    severity: Severity,
    at: Pointer,
    message: String,
    help: &'static str,
}

impl Notes {
    fn add(
        &mut self,
        code: &'static str,
        severity: Severity,
        at: Pointer,
        message: impl Into<String>,
        help: &'static str,
    ) {
        self.0.push(Note { code, severity, at, message: message.into(), help });
    }
}

/// A place in a contract.
fn place(tokens: &[&str]) -> Pointer {
    tokens.iter().fold(Pointer::default(), |place, token| place.below(token))
}

/// The place of an entry of a list in a contract.
fn entry(list: &str, position: usize) -> Pointer {
    place(&[list, &position.to_string()])
}

/// The versions from the oldest readable to the current one, each with its position.
fn readable(contract: &Contract) -> Vec<(usize, &str)> {
    let (Some(min), Some(current)) =
        (contract.position(&contract.min), contract.position(&contract.current))
    else {
        return Vec::new();
    };
    let versions = contract.versions.iter().map(String::as_str).enumerate();
    versions.filter(|(position, _)| (min..=current).contains(position)).collect()
}

#[cfg(test)]
mod tests;
