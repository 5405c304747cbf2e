//! `plan`: what a migration would do and lose, under one id.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::new_file::NewFile;
use super::output::{Answer, Done};
use super::terminal::{Paint, plain};
use super::words::count;
use super::{failure, job};
use crate::diagnostic::Failure;
use crate::migrate::{MigrateError, Plan, Policy, plan};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Version to migrate to; else the contract's current one
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Write the plan to this file, for `apply`
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Refuse a plan that loses anything
    #[arg(long)]
    refuse_loss: bool,
}

#[derive(Serialize)]
pub(super) struct Planned {
    plan: Plan,
    values_lost: u64,
    file: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Planned>, Failure> {
    let output = arguments.output.as_deref();
    let output = output.map(|file| {
        context.must_lie_outside(file)?;
        NewFile::at(file, is_plan)
    });
    let output = output.transpose()?;
    let mut store = job::open(context)?;
    let policy = Policy { allow_loss: !arguments.refuse_loss };
    let plan = plan(&mut store, arguments.to.as_deref(), policy)?;
    if let (Some(output), Some(file)) = (output, &arguments.output) {
        let text = plan.to_json().map_err(MigrateError::from)?;
        output.make(0o666, |out| out.write_all(text.as_bytes()).map_err(failure::io(file)))?;
    }
    let (empty, lost, id) = (plan.is_empty(), plan.lost(), plan.id.short());
    let file = arguments.output.clone();
    let done = Done::new(Planned { plan, values_lost: lost, file: file.clone() });
    let Some(file) = file.filter(|_| !empty) else { return Ok(done) };
    let file = file.display().to_string();
    Ok(match lost {
        0 => done.next(&["apply", &file]),
        _ => done.next(&["apply", &file, "--accept-lossy", &id]),
    })
}

fn is_plan(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| Plan::from_json(text).is_ok())
}

impl Answer for Planned {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let plan = &self.plan;
        if plan.is_empty() {
            return writeln!(out, "version {} is the one asked for; nothing to do", plan.from);
        }
        writeln!(out, "{}", paint.strong(format_args!("plan {}", plan.id.short())))?;
        writeln!(out, "  {} -> {}", plan.from, plan.to)?;
        for step in &plan.steps {
            let statements = count(step.statements, "statement");
            let pages = count(step.pages_changed, "page");
            writeln!(
                out,
                "  {}  {}: {statements}, {pages} changed",
                plain(&step.edge),
                plain(&step.script)
            )?;
        }
        if self.values_lost == 0 {
            return writeln!(out, "  loses nothing");
        }
        let lost = count(self.values_lost, "value");
        writeln!(out, "  {}", paint.warning(format_args!("loses {lost}")))?;
        for (what, loss) in &plan.loss {
            let gone = if loss.dropped { " (dropped)" } else { "" };
            writeln!(out, "    {}{gone}: {}", plain(what), count(loss.values, "value"))?;
        }
        Ok(())
    }
}
