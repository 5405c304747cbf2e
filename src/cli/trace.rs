//! `migration trace`: a run as records in order.

use std::io::{self, Write};

use clap::Args;
use ledger_format::hash::EventId;
use serde::Serialize;

use super::context::Context;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use crate::diagnostic::Failure;
use crate::ledger::{FoldError, Ledger};
use crate::migrate::account::{RunOutcome, RunSpan, Stage, Status, TraceRecord, find_run, trace};

/// Which run.
#[derive(Debug, Args)]
pub(super) struct WhichRun {
    /// The first digits of the run's id, with or without `run:` before them, or a cursor (`@`, `@-2`), which names the run that
    /// the state there is the outcome of; else the last run
    run: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: WhichRun,
}

#[derive(Serialize)]
pub(super) struct Traced {
    run: EventId,
    outcome: RunOutcome,
    records: Vec<TraceRecord>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Traced>, Failure> {
    let ledger = context.open()?;
    let span = arguments.which.find(&ledger)?;
    let mut records = Vec::new();
    trace::<FoldError>(&ledger, &span, &mut |record| {
        records.push(record);
        Ok(())
    })?;
    Ok(Done::new(Traced { run: span.run, outcome: span.outcome, records }))
}

impl WhichRun {
    pub(super) fn find(&self, ledger: &Ledger) -> Result<RunSpan, Failure> {
        Ok(find_run(ledger, self.run.as_deref())?)
    }
}

pub(super) const fn word(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Open => "under way",
        RunOutcome::Committed => "committed, not published",
        RunOutcome::Published => "published",
        RunOutcome::Aborted => "aborted",
        RunOutcome::Abandoned => "abandoned",
    }
}

impl Answer for Traced {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let title = format_args!("run {} ({})", self.run.short(), word(self.outcome));
        writeln!(out, "{}", paint.strong(title))?;
        self.records.iter().try_for_each(|record| write_record(record, out))
    }
}

fn write_record(record: &TraceRecord, out: &mut dyn Write) -> io::Result<()> {
    match record {
        TraceRecord::RunHeader { migration_operator_id, from_version, to_version } => {
            let operator = migration_operator_id.as_deref().unwrap_or("no operator");
            let (from, to) = (one_line(from_version), one_line(to_version));
            writeln!(out, "  run_header  {}  {from} -> {to}", one_line(operator))
        }
        TraceRecord::Iter { object_id, stage, status } => {
            let stage = match stage {
                Stage::Step => "step",
                Stage::Migrate => "migrate",
            };
            let status = match status {
                Status::Ok => "ok",
                Status::Lossy => "lossy",
            };
            writeln!(out, "  iter        {stage:7}  {status:5}  {}", one_line(object_id))
        }
        TraceRecord::RunEnd { migration_certificate_hash: Some(hash) } => {
            writeln!(out, "  run_end     certificate {hash}")
        }
        TraceRecord::RunEnd { migration_certificate_hash: None } => {
            writeln!(out, "  run_end     no certificate: the run was not committed")
        }
    }
}
