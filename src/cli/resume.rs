//! `migration resume`: on with the run that was interrupted, or an end to it.

use std::io::{self, Write};

use clap::Args;
use ledger_format::hash::EventId;
use serde::Serialize;

use super::context::Context;
use super::documents::{self, Contracts, Working};
use super::job::{self, Bar, RunAnswer};
use super::output::{Answer, Done};
use super::terminal::Paint;
use crate::diagnostic::Failure;
use crate::migrate::documents::{abandon as abandon_documents, resume as resume_documents};
use crate::migrate::{abandon, resume};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Give the run up instead, for this reason; what its places hold is recorded
    #[arg(long, value_name = "REASON")]
    abandon: Option<String>,
    #[command(flatten)]
    working: Working,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Resumed {
    Run(RunAnswer),
    Abandoned { abandoned: EventId },
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Resumed>, Failure> {
    let signer = context.signer()?;
    let mut bar = Bar::new(context);
    bar.listen()?;
    if let Some((mut documents, _)) =
        documents::open(context, &arguments.working, Contracts::AtHand)?
    {
        let size = documents.ledger().state().size();
        let answer = match &arguments.abandon {
            None => {
                let report = resume_documents(&mut documents, &signer, &mut bar)
                    .map_err(|error| job::told_of(error.into(), documents.ledger(), size))?;
                Resumed::Run(RunAnswer::of(report, documents.ledger(), documents.objects()))
            }
            Some(reason) => {
                let abandoned = abandon_documents(&mut documents, reason, &signer, &mut bar)?;
                Resumed::Abandoned { abandoned }
            }
        };
        return Ok(Done::new(answer).next(&["check"]));
    }
    let mut store = job::open(context)?;
    let size = store.ledger().state().size();
    let answer = match &arguments.abandon {
        None => {
            let report = resume(&mut store, &signer, &mut bar)
                .map_err(|error| job::told(error.into(), &store, size))?;
            Resumed::Run(RunAnswer::of(report, store.ledger(), store.objects()))
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
