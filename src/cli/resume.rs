//! `migration resume`: on with the run that was interrupted, or an end to it.

use std::io::{self, Write};

use clap::Args;
use ledger_format::hash::EventId;
use serde::Serialize;

use super::apply;
use super::context::Context;
use super::documents::{self, Working};
use super::job::{self, Bar, RunAnswer};
use super::output::{Answer, Done};
use super::reason;
use super::terminal::{Paint, one_line};
use super::words::count;
use crate::diagnostic::{Failure, USAGE};
use crate::ledger::Ledger;
use crate::migrate::documents::{
    Abandoned as AbandonedDocuments, Conflicts, abandon as abandon_documents,
    resume as resume_documents,
};
use crate::migrate::{abandon, resume};
use crate::objects::Objects;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Give the run up instead, for this reason; what its places hold is recorded
    #[arg(long, value_name = "REASON", value_parser = reason::said)]
    abandon: Option<String>,
    /// Leave documents that somebody changed since the run was committed as they are
    #[arg(long, conflicts_with = "abandon")]
    keep_changes: bool,
    /// Refuse unless program, libraries, compiler and platform are exactly those that the run began with
    #[arg(long, conflicts_with = "abandon")]
    locked: bool,
    #[command(flatten)]
    alone: job::Alone,
    #[command(flatten)]
    working: Working,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Resumed {
    Run {
        #[serde(flatten)]
        run: RunAnswer,
        /// Documents that somebody changed, and that were left as they are.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        kept: Vec<String>,
    },
    Abandoned {
        abandoned: EventId,
        /// What became of documents; a store has none.
        #[serde(skip_serializing_if = "Option::is_none")]
        documents: Option<Left>,
    },
}

/// What a run of documents left that was given up.
#[derive(Serialize)]
pub(super) struct Left {
    written: Vec<String>,
    changed: Vec<String>,
    gone: Vec<String>,
    untouched: u64,
}

impl From<AbandonedDocuments> for Resumed {
    fn from(of: AbandonedDocuments) -> Self {
        let AbandonedDocuments { run, written, changed, gone, untouched } = of;
        let documents = Some(Left { written, changed, gone, untouched });
        Self::Abandoned { abandoned: run, documents }
    }
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Resumed>, Failure> {
    context.ledger_dir()?;
    let signer = context.signer()?;
    let mut bar = Bar::new(context);
    bar.listen()?;
    if let Some((mut documents, noted)) = documents::open_by_ledger(context, &arguments.working)? {
        let size = documents.ledger().state().size();
        if arguments.locked {
            must_be_locked(documents.ledger(), documents.objects())?;
        }
        let Some(reason) = &arguments.abandon else {
            let changed = if arguments.keep_changes { Conflicts::Keep } else { Conflicts::Stop };
            let done = resume_documents(&mut documents, changed, &signer, &mut bar)
                .map_err(|error| job::told_of(error.into(), documents.ledger(), size))?;
            let run = RunAnswer::of(done.report, documents.ledger(), documents.objects());
            let kept = done.kept;
            let look = if noted.is_some() { "status" } else { "check" };
            let done = Done::new(Resumed::Run { run, kept }).next(&[look]);
            return Ok(noted.into_iter().fold(done, Done::note));
        };
        let abandoned = abandon_documents(&mut documents, reason, &signer, &mut bar)?;
        let wrote = !abandoned.written.is_empty();
        let done = Done::new(abandoned.into()).next(&["status"]);
        let done = noted.into_iter().fold(done, Done::note);
        return Ok(if wrote { done.next(&["undo"]) } else { done });
    }
    if arguments.keep_changes {
        let told = "a store is published as a whole: --keep-changes is for trees of documents";
        return Err(Failure::new(&USAGE, told).at("--keep-changes"));
    }
    let (mut store, noted) = job::open_by_ledger(context)?;
    arguments.alone.with(&mut store);
    let size = store.ledger().state().size();
    if arguments.locked {
        must_be_locked(store.ledger(), store.objects())?;
    }
    let done = match &arguments.abandon {
        None => {
            let report = resume(&mut store, &signer, &mut bar)
                .map_err(|error| job::told(error.into(), &store, size))?;
            let run = RunAnswer::of(report, store.ledger(), store.objects());
            Done::new(Resumed::Run { run, kept: Vec::new() }).next(&["status"])
        }
        Some(reason) => {
            let abandoned = abandon(&mut store, reason, &signer, &mut bar)?;
            let done = Done::new(Resumed::Abandoned { abandoned, documents: None });
            let done = done.next(&["status"]);
            let wrote = store.ledger().last_without_effect()?.is_none();
            if wrote { done.next(&["undo"]) } else { done }
        }
    };
    Ok(noted.into_iter().fold(done, Done::note))
}

/// Refuses to go on with the open run in another environment than it began in. That there is none is told by who goes on.
fn must_be_locked(ledger: &Ledger, objects: &dyn Objects) -> Result<(), Failure> {
    if ledger.state().runs().open.is_none() {
        return Ok(());
    }
    apply::must_be_locked(None, ledger, objects).map_err(|error| Failure {
        next: vec![["migration", "resume"].map(str::to_owned).into()],
        ..Failure::from(error).not_done("the run was not gone on with")
    })
}

impl Answer for Resumed {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Run { run, kept } => {
                run.write(out, paint)?;
                named(out, "left as it is", kept)
            }
            Self::Abandoned { abandoned, documents } => {
                let run = abandoned.short();
                writeln!(out, "{}", paint.strong(format_args!("gave up run {run}")))?;
                let Some(left) = documents else { return Ok(()) };
                named(out, "written by it", &left.written)?;
                named(out, "changed by somebody", &left.changed)?;
                named(out, "gone", &left.gone)?;
                writeln!(out, "  {} as before it", count(left.untouched, "document"))
            }
        }
    }
}

/// Documents of which something is to be said, each on a line.
fn named(out: &mut dyn Write, what: &str, ids: &[String]) -> io::Result<()> {
    ids.iter().try_for_each(|id| writeln!(out, "  {what}: {}", one_line(id)))
}
