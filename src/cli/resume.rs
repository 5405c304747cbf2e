//! `migration resume`: on with the run that was interrupted, or an end to it.

use std::io::{self, Write};

use clap::Args;
use ledger_format::hash::EventId;
use serde::Serialize;

use super::context::Context;
use super::job::{self, Bar, RunAnswer};
use super::output::{Answer, Done};
use super::terminal::Paint;
use crate::diagnostic::Failure;
use crate::migrate::{abandon, resume};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Give the run up instead, for this reason; what its places hold is recorded
    #[arg(long, value_name = "REASON")]
    abandon: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Resumed {
    Run(RunAnswer),
    Abandoned { abandoned: EventId },
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Resumed>, Failure> {
    let signer = context.signer()?;
    let mut store = job::open(context)?;
    let size = store.ledger().state().size();
    let mut bar = Bar::new(context);
    let answer = match &arguments.abandon {
        None => {
            let report = resume(&mut store, &signer, &mut bar)
                .map_err(|error| job::told(error.into(), &store, size))?;
            Resumed::Run(report.into())
        }
        Some(reason) => {
            Resumed::Abandoned { abandoned: abandon(&mut store, reason, &signer, &mut bar)? }
        }
    };
    Ok(Done::new(answer).next(&["status"]))
}

impl Answer for Resumed {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Run(run) => run.write(out, paint),
            Self::Abandoned { abandoned } => writeln!(out, "gave up run {}", abandoned.short()),
        }
    }
}
