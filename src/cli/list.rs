//! `migration list`: every contract there is, with its versions and edges.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use ledger_format::hash::CommitHash;
use serde::Serialize;

use super::output::{Answer, Done};
use super::terminal::{Paint, one_line, path_shown};
use super::words::count;
use crate::contract::{Contract, Edge, load_file, registry};
use crate::diagnostic::Failure;
use crate::transform::inverse;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A contract to list beside the built-in ones; may be given several times
    #[arg(long, value_name = "FILE")]
    contract: Vec<PathBuf>,
}

#[derive(Serialize)]
pub(super) struct Registry {
    contracts: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    contract: String,
    contract_version: String,
    /// None for a built-in one.
    file: Option<PathBuf>,
    digest: CommitHash,
    format: String,
    description: Option<String>,
    files: Vec<String>,
    operator: Option<String>,
    versions: Vec<String>,
    min: String,
    current: String,
    parameters: BTreeMap<String, String>,
    schemas: Vec<String>,
    invariants: Vec<String>,
    normalize_steps: usize,
    edges: Vec<ListedEdge>,
}

#[derive(Serialize)]
pub(super) struct ListedEdge {
    pub(super) from: String,
    pub(super) to: String,
    digest: CommitHash,
    description: Option<String>,
    steps: usize,
    adds_defaulted: Vec<String>,
    drops_nothing: bool,
    lossy: Vec<String>,
    /// Whether there are steps that take it back; whether they do shows on a document.
    inverse: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Done<Registry>, Failure> {
    let mut contracts = Vec::new();
    for name in registry::names() {
        contracts.push(Listed::of(registry::load_named(name)?, None));
    }
    for file in &arguments.contract {
        contracts.push(Listed::of(load_file(file)?, Some(file.clone())));
    }
    Ok(Done::new(Registry { contracts }))
}

impl Listed {
    fn of(contract: Contract, file: Option<PathBuf>) -> Self {
        let edges = contract.edges.iter().map(|edge| ListedEdge::of(&contract, edge)).collect();
        Self {
            digest: contract.digest(),
            file,
            edges,
            schemas: contract.schemas.into_keys().collect(),
            invariants: contract.invariants.into_iter().map(|invariant| invariant.id).collect(),
            normalize_steps: contract.normalize.len(),
            contract: contract.contract,
            contract_version: contract.contract_version,
            format: contract.format,
            description: contract.description,
            files: contract.files,
            operator: contract.operator,
            versions: contract.versions,
            min: contract.min,
            current: contract.current,
            parameters: contract.parameters,
        }
    }
}

impl ListedEdge {
    pub(super) fn of(contract: &Contract, edge: &Edge) -> Self {
        Self {
            from: edge.from.clone(),
            to: edge.to.clone(),
            digest: contract.edge_digest(edge),
            description: edge.description.clone(),
            steps: edge.steps.len(),
            adds_defaulted: edge.proof.adds_defaulted.clone(),
            drops_nothing: edge.proof.drops_nothing,
            lossy: edge.lossy.clone(),
            inverse: edge.inverse.is_some() || inverse(&edge.steps).is_some(),
        }
    }

    /// What the edge does, in a line.
    pub(super) fn in_words(&self, paint: Paint) -> String {
        let mut parts = vec![count(self.steps as u64, "step")];
        if !self.adds_defaulted.is_empty() {
            parts.push(format!("adds {}", count(self.adds_defaulted.len() as u64, "default")));
        }
        if self.inverse {
            parts.push("can be taken back".to_owned());
        }
        if !self.lossy.is_empty() {
            let lossy = one_line(&self.lossy.join(", "));
            parts.push(paint.warning(format_args!("loses {lossy}")));
        }
        parts.join(", ")
    }
}

impl Answer for Registry {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        for (place, listed) in self.contracts.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            listed.write(out, paint)?;
        }
        Ok(())
    }
}

impl Listed {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let from =
            self.file.as_ref().map_or_else(|| "built in".to_owned(), |file| path_shown(file));
        let name = paint.strong(format_args!(
            "{} {}",
            one_line(&self.contract),
            one_line(&self.contract_version)
        ));
        writeln!(out, "{name}  {}, {from}", one_line(&self.format))?;
        if let Some(description) = &self.description {
            writeln!(out, "  {}", one_line(description))?;
        }
        writeln!(out, "  versions  {}", self.versions_in_words())?;
        if !self.files.is_empty() {
            writeln!(out, "  files     {}", one_line(&self.files.join(", ")))?;
        }
        let ways = self.edges.iter().map(|edge| one_line(&format!("{} -> {}", edge.from, edge.to)));
        let ways: Vec<String> = ways.collect();
        let width = ways.iter().map(|way| way.chars().count()).max().unwrap_or_default().max(8);
        for (way, edge) in ways.iter().zip(&self.edges) {
            writeln!(out, "  {way:<width$}  {}", edge.in_words(paint))?;
        }
        if self.normalize_steps > 0 {
            let (at, steps) =
                (format!("at {}", self.current), count(self.normalize_steps as u64, "step"));
            writeln!(out, "  {:<width$}  {steps} of normalisation", one_line(&at))?;
        }
        writeln!(out, "  digest    {}", paint.faint(self.digest))
    }

    fn versions_in_words(&self) -> String {
        let words = self.versions.iter().map(|version| {
            let version = one_line(version);
            match (*self.min == *version, *self.current == *version) {
                (true, true) => format!("{version} (the only one)"),
                (true, false) => format!("{version} (oldest)"),
                (false, true) => format!("{version} (current)"),
                (false, false) => version,
            }
        });
        words.collect::<Vec<_>>().join(", ")
    }
}
