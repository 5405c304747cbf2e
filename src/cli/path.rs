//! `migration path`: the way from one version to another, drawn into all the ways there are.

use std::collections::BTreeSet;
use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::list::ListedEdge;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use super::words::count;
use super::{contracts, databases, documents};
use crate::contract::{Contract, Paths};
use crate::diagnostic::{Failure, USAGE};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The version to begin at
    from: String,
    /// The version to come to
    to: String,
    /// The contract: a file, or the name of a built-in one; else that of what is in care here, else `glyph-store`
    #[arg(long, value_name = "FILE|NAME")]
    contract: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Drawn {
    contract: String,
    contract_version: String,
    from: String,
    to: String,
    /// The versions on the way, with both ends; null where there is none.
    path: Option<Vec<String>>,
    /// What is lost on the way.
    lossy: Vec<String>,
    versions: Vec<String>,
    min: String,
    current: String,
    edges: Vec<DrawnEdge>,
}

#[derive(Serialize)]
struct DrawnEdge {
    #[serde(flatten)]
    edge: ListedEdge,
    on_path: bool,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Drawn>, Failure> {
    let Arguments { from, to, contract } = arguments;
    let contract = match contract {
        Some(named) => contracts::named(named)?.judge()?,
        None => in_care(context)?,
    };
    let found = Paths::of(&contract).resolve(from, to);
    let chosen: BTreeSet<(&str, &str)> =
        found.iter().flatten().map(|edge| (edge.from.as_str(), edge.to.as_str())).collect();
    let edges = contract.edges.iter().map(|edge| DrawnEdge {
        on_path: chosen.contains(&(edge.from.as_str(), edge.to.as_str())),
        edge: ListedEdge::of(&contract, edge),
    });
    let edges = edges.collect();
    let path = found.as_ref().ok().map(|path| {
        let steps = path.iter().map(|edge| edge.to.clone());
        std::iter::once(from.clone()).chain(steps).collect()
    });
    let lossy = found.iter().flatten().flat_map(|edge| edge.lossy.iter().cloned()).collect();
    let failure = found.err().map(|error| Failure::from(&error));
    let done = Done::new(Drawn {
        from: from.clone(),
        to: to.clone(),
        path,
        lossy,
        edges,
        contract: contract.contract,
        contract_version: contract.contract_version,
        versions: contract.versions,
        min: contract.min,
        current: contract.current,
    });
    Ok(match failure {
        None => done,
        Some(failure) => done.found(failure),
    })
}

/// The contract of the database or documents here; that of stores where neither is.
fn in_care(context: &Context) -> Result<Contract, Failure> {
    if let Some((ledger, settings)) = databases::here(context)? {
        return settings.contract(&ledger);
    }
    let Some((_, settings)) = documents::here(context)? else {
        return Ok(contracts::named("glyph-store")?.judge()?);
    };
    let mut contracts = settings.contracts()?;
    if let Some(only) = contracts.pop().filter(|_| contracts.is_empty()) {
        return Ok(only);
    }
    let told = "the documents here have several contracts: say which";
    Err(Failure::new(&USAGE, told).at("--contract").next(["status"]))
}

impl Answer for Drawn {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let way = match &self.path {
            None => "no way".to_owned(),
            Some(path) => count(path.len().saturating_sub(1) as u64, "edge"),
        };
        let head = format!(
            "{} {}: {} -> {}, {way}",
            one_line(&self.contract),
            one_line(&self.contract_version),
            one_line(&self.from),
            one_line(&self.to)
        );
        writeln!(out, "{}", paint.strong(head))?;
        let on_path: BTreeSet<&String> = self.path.iter().flatten().collect();
        for version in &self.versions {
            let mark = if on_path.contains(version) { "*" } else { " " };
            writeln!(out, "{mark} {}{}", one_line(version), self.remark(version))?;
            for DrawnEdge { edge, on_path } in
                self.edges.iter().filter(|drawn| drawn.edge.from == *version)
            {
                let arrow = if *on_path { "==>" } else { "-->" };
                writeln!(out, "    {arrow} {:<10}  {}", one_line(&edge.to), edge.in_words(paint))?;
            }
        }
        Ok(())
    }
}

impl Drawn {
    fn remark(&self, version: &str) -> &'static str {
        match (version == self.min, version == self.current) {
            (true, true) => "  (oldest and current)",
            (true, false) => "  (oldest)",
            (false, true) => "  (current)",
            (false, false) => "",
        }
    }
}
