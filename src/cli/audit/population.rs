//! `audit population`: how many events there are, and that they are all.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::super::context::Context;
use super::super::output::{Answer, Done};
use super::super::terminal::Paint;
use super::super::words::{count, time};
use super::Within;
use crate::diagnostic::Failure;
use crate::evidence::{Boundary, Consistency, Population, population};

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    #[command(flatten)]
    within: Within,
}

#[derive(Serialize)]
pub(in super::super) struct Counted {
    #[serde(flatten)]
    population: Population,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Counted>, Failure> {
    let ledger = context.open()?;
    let seqs = arguments.within.seqs(&ledger)?;
    let population = population(&ledger, seqs)?;
    let done = Done::new(Counted { population });
    Ok(done
        .note("that nothing was cut off behind the head shows with a head kept elsewhere")
        .next(&["verify-chain"]))
}

impl Answer for Counted {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Population { ledger, events, first, last, heads, range, to_head, .. } =
            &self.population;
        let title =
            format!("{}, none missing between the first and the last", count(*events, "event"));
        writeln!(out, "{}", paint.strong(title))?;
        writeln!(out, "  ledger  {ledger}")?;
        write_boundary("first ", first, out)?;
        write_boundary("last  ", last, out)?;
        writeln!(out, "  heads   {heads}")?;
        for (kind, events) in &self.population.kinds {
            writeln!(out, "  {events:>8}  {kind}")?;
        }
        for (key, events) in &self.population.signers {
            writeln!(out, "  {events:>8}  signed by {key}")?;
        }
        write_connection(range, out)?;
        write_connection(to_head, out)?;
        writeln!(out, "  newest head:")?;
        self.population.head.lines().try_for_each(|line| writeln!(out, "    {line}"))
    }
}

fn write_boundary(name: &str, boundary: &Boundary, out: &mut dyn Write) -> io::Result<()> {
    let Boundary { seq, id, at_ms } = boundary;
    writeln!(out, "  {name}  {seq}  {id}  {}", time(*at_ms))
}

/// Two equal trees need no proof.
fn write_connection(proof: &Consistency, out: &mut dyn Write) -> io::Result<()> {
    let Consistency { old, old_root, new, new_root, nodes } = proof;
    if old == new {
        return Ok(());
    }
    writeln!(out, "  the first {old} events are the beginning of the first {new}:")?;
    writeln!(out, "    root of {old}  {old_root}")?;
    writeln!(out, "    root of {new}  {new_root}")?;
    nodes.iter().try_for_each(|node| writeln!(out, "    {node}"))
}
