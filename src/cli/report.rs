//! `migration report`: what a run came to, in numbers, and what it lost.

use std::io::{self, Write};

use clap::Args;
use ledger_format::body::Purpose;
use serde::Serialize;

use super::context::Context;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use super::told::write_lost;
use super::trace::{WhichRun, word};
use super::words::count;
use crate::diagnostic::Failure;
use crate::migrate::account::{MigrationReport, ObjectReplay, report};
use crate::objects::PackObjects;

/// Lost things listed unless another number is asked for.
const LOSSY_DEFAULT: usize = 100;

/// Documents left out that are shown to people; a screen of them.
const LEFT_OUT_SHOWN_MAX: usize = 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: WhichRun,
    /// List at most so many of the things that were lost, and replay tuples of as many objects
    #[arg(long, value_name = "N", default_value_t = LOSSY_DEFAULT)]
    lossy: usize,
}

#[derive(Serialize)]
pub(super) struct Reported {
    migration_report: MigrationReport,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Reported>, Failure> {
    let ledger = context.open()?;
    let span = arguments.which.find(&ledger)?;
    let packs = PackObjects::open_read_only(&ledger.objects_dir())?;
    let migration_report = report(&ledger, &packs, &span, arguments.lossy)?;
    Ok(Done::new(Reported { migration_report }).next(&["migration", "certificate"]))
}

impl Answer for Reported {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let report = &self.migration_report;
        let purpose = match report.purpose {
            Purpose::Migrate => "migration",
            Purpose::Rollback => "rollback",
        };
        let title =
            format_args!("{purpose}, run {} ({})", report.run.short(), word(report.outcome));
        writeln!(out, "{}", paint.strong(title))?;
        writeln!(out, "  objects migrated  {}", report.objects_migrated)?;
        writeln!(out, "  objects failed    {}", report.objects_failed)?;
        writeln!(out, "  fields added      {}", report.field_additions)?;
        writeln!(out, "  fields removed    {}", report.field_removals)?;
        if report.not_counted > 0 {
            let objects = count(report.not_counted, "object");
            writeln!(out, "  fields of {objects} were not counted")?;
        }
        for id in report.documents_left_out.iter().take(LEFT_OUT_SHOWN_MAX) {
            writeln!(out, "  left out          {}", one_line(id))?;
        }
        let more = report.documents_left_out.len().saturating_sub(LEFT_OUT_SHOWN_MAX);
        if more > 0 {
            writeln!(out, "  left out          {more} more; --json lists them")?;
        }
        write_lost("lost              ", report.values_lost, &report.lossy, out)?;
        for ObjectReplay { object, replay } in &report.replay {
            writeln!(
                out,
                "  replay  {}  {} -> {}  {}  policy {}",
                one_line(object),
                replay.source_hash.short(),
                replay.target_hash.short(),
                one_line(&replay.migration_operator_id),
                replay.migration_policy_hash.short()
            )?;
        }
        match report.replay_not_listed {
            0 => Ok(()),
            more => writeln!(out, "    and {more} more; `migration certificate` has every one"),
        }
    }
}
