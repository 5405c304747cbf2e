//! `audit`: what an auditor asks a ledger: how many events there are and that none is missing, which of them to look at, and
//! which stand out; and evidence to give away. Tells what there is; whether that is as it should be, people say.

mod bundle;
mod exceptions;
mod population;
mod report;
mod sample;

use std::io::{self, Write};
use std::ops::Range;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::Context;
use super::output::{Answer, Done};
use super::terminal::Paint;
use crate::diagnostic::{Failure, USAGE};
use crate::ledger::{Cursor, Ledger};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Count the events and show that none is missing between the first and the last.
    Population(population::Arguments),
    /// Draw events to look at, by a seed, so that anybody can draw the same.
    Sample(sample::Arguments),
    /// List what stands out: runs nobody else agreed to, losses without a reason, suspect keys.
    Exceptions(exceptions::Arguments),
    /// Write the ledger as one page that verifies itself in a browser.
    Report(report::Arguments),
    /// Write all that somebody needs who has neither ledger nor program, as one archive.
    Bundle(bundle::Arguments),
}

/// Which events.
#[derive(Debug, Args)]
struct Within {
    /// The first event: the last one that this cursor covers
    #[arg(long, value_name = "CURSOR")]
    from: Option<Cursor>,
    /// The last event
    #[arg(long, value_name = "CURSOR", default_value = "@")]
    to: Cursor,
}

impl Within {
    fn seqs(&self, ledger: &Ledger) -> Result<Range<u64>, Failure> {
        let end = ledger.resolve(&self.to)?;
        let from = self.from.as_ref().map(|from| ledger.resolve(from)).transpose()?;
        let start = from.map_or(0, |covered| covered.saturating_sub(1));
        if start >= end {
            let told = format!("event {start} lies behind the end of the range, {end}");
            return Err(Failure::new(&USAGE, told).next(["log"]));
        }
        Ok(start..end)
    }
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answered {
    Population(Box<population::Counted>),
    Sample(sample::Drawn),
    Exceptions(exceptions::Found),
    Report(report::Written),
    Bundle(bundle::Written),
}

pub(super) fn run(verb: &Verb, context: &Context) -> Result<Done<Answered>, Failure> {
    match verb {
        Verb::Population(arguments) => {
            let done = population::run(arguments, context)?;
            Ok(done.map(|counted| Answered::Population(Box::new(counted))))
        }
        Verb::Sample(arguments) => Ok(sample::run(arguments, context)?.map(Answered::Sample)),
        Verb::Exceptions(arguments) => {
            Ok(exceptions::run(arguments, context)?.map(Answered::Exceptions))
        }
        Verb::Report(arguments) => Ok(report::run(arguments, context)?.map(Answered::Report)),
        Verb::Bundle(arguments) => Ok(bundle::run(arguments, context)?.map(Answered::Bundle)),
    }
}

impl Answer for Answered {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Population(counted) => counted.write(out, paint),
            Self::Sample(drawn) => drawn.write(out, paint),
            Self::Exceptions(found) => found.write(out, paint),
            Self::Report(written) => written.write(out, paint),
            Self::Bundle(written) => written.write(out, paint),
        }
    }
}
