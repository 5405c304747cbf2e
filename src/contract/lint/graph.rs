//! Whether every version that is read leads to the current one, and no edge beyond it.

use super::super::model::Contract;
use super::super::path::Paths;
use super::{Notes, Severity, entry, readable};

pub(super) fn check(contract: &Contract, notes: &mut Notes) {
    overshoot(contract, notes);
    unreachable(contract, notes);
}

fn overshoot(contract: &Contract, notes: &mut Notes) {
    let paths = Paths::of(contract);
    let Ok(current) = paths.position(&contract.current) else { return };
    for (position, edge) in contract.edges.iter().enumerate() {
        if paths.position(&edge.to).is_ok_and(|to| to > current) {
            let message = format!(
                "edge {} leads beyond the current version {}",
                edge.name(),
                contract.current
            );
            notes.add(
                "overshoot",
                Severity::Error,
                entry("edges", position).below("to"),
                message,
                "let it end at a version up to `current`, or raise `current`",
            );
        }
    }
}

/// Versions from which no chain of edges leads to the current one.
fn unreachable(contract: &Contract, notes: &mut Notes) {
    let leads = leading_to_current(contract);
    for (position, version) in readable(contract) {
        if leads.get(position).copied().unwrap_or(true) {
            continue;
        }
        let current = &contract.current;
        let out = contract.edges.iter().any(|edge| edge.from == version);
        let into = contract.edges.iter().any(|edge| edge.to == version);
        let (code, message) = match (out, into) {
            (false, true) => (
                "dead-end",
                format!("version {version:?} is a dead end: edges lead to it and none leads on"),
            ),
            (false, false) => ("gap", format!("no edge leads on from version {version:?}")),
            _ => (
                "unreachable",
                format!("no chain of edges leads from version {version:?} to {current:?}"),
            ),
        };
        let help = "add an edge that leads on, or raise `min` above this version";
        notes.add(code, Severity::Error, entry("versions", position), message, help);
    }
}

/// For each version, whether some chain of edges leads from it to the current one. Edges that do not go up count too, as
/// they are told apart.
fn leading_to_current(contract: &Contract) -> Vec<bool> {
    let paths = Paths::of(contract);
    let mut incoming = vec![Vec::new(); contract.versions.len()];
    for edge in &contract.edges {
        if let (Ok(from), Ok(to)) = (paths.position(&edge.from), paths.position(&edge.to))
            && let Some(sources) = incoming.get_mut(to)
        {
            sources.push(from);
        }
    }
    let mut leads = vec![false; contract.versions.len()];
    let mut open: Vec<usize> = paths.position(&contract.current).into_iter().collect();
    while let Some(version) = open.pop() {
        if let Some(reached @ false) = leads.get_mut(version) {
            *reached = true;
            open.extend(incoming.get(version).into_iter().flatten());
        }
    }
    leads
}
