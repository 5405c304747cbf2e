//! `migration rollback` and `undo`: back to what the store was at a cursor, or before the last run.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::job::{self, Bar, RunAnswer};
use super::output::{Answer, Done};
use super::terminal::Paint;
use crate::diagnostic::{Failure, NOTHING_TO_UNDO};
use crate::ledger::{Cursor, CursorError};
use crate::migrate::{RollbackOptions, rollback};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The cursor to go back to
    #[arg(long, value_name = "CURSOR")]
    to: Cursor,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(super) struct How {
    /// Go back even though the manifest was changed; the change is recorded first
    #[arg(long)]
    discard_changes: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum RolledBack {
    Run(RunAnswer),
    Nothing { unchanged: bool },
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<RolledBack>, Failure> {
    go_back(&arguments.to, &arguments.how, context)
}

pub(super) fn undo(how: &How, context: &Context) -> Result<Done<RolledBack>, Failure> {
    go_back(&Cursor::RunsBack(1), how, context).map_err(|failure| {
        if failure.code == &crate::diagnostic::CURSOR_UNKNOWN {
            Failure::new(&NOTHING_TO_UNDO, "no committed run is there to undo").next(["log"])
        } else {
            failure
        }
    })
}

fn go_back(to: &Cursor, how: &How, context: &Context) -> Result<Done<RolledBack>, Failure> {
    let signer = context.signer()?;
    let mut store = job::open(context)?;
    let size = store.ledger().resolve(to).map_err(|error: CursorError| Failure::from(error))?;
    let before = store.ledger().state().size();
    let options = RollbackOptions { discard_changes: how.discard_changes };
    let mut bar = Bar::new(context);
    let report = rollback(&mut store, size, options, job::inputs()?, &signer, &mut bar)
        .map_err(|error| job::told(error.into(), &store, before))?;
    Ok(match report {
        None => Done::new(RolledBack::Nothing { unchanged: true }),
        Some(report) => {
            let forward = format!("{}", report.run);
            let forward = format!("run:{}^", forward.get(..12).unwrap_or(&forward));
            Done::new(RolledBack::Run(report.into())).next(&["status"]).next(&[
                "migration",
                "rollback",
                "--to",
                &forward,
            ])
        }
    })
}

impl Answer for RolledBack {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Run(run) => run.write(out, paint),
            Self::Nothing { .. } => writeln!(out, "the store is as of that cursor already"),
        }
    }
}
