//! `migration rollback` and `undo`: back to what the store was at a cursor, or before the last run.

use std::io::{self, Write};

use clap::Args;
use ledger_format::body::Changes;
use serde::Serialize;

use super::context::Context;
use super::documents::{self, Contracts, Working};
use super::job::{self, Bar, RunAnswer};
use super::output::{Answer, Done};
use super::terminal::Paint;
use crate::diagnostic::{CURSOR_UNKNOWN, Failure, NOTHING_TO_UNDO, USAGE};
use crate::ledger::{Cursor, CursorError, Ledger};
use crate::migrate::documents::rollback as rollback_documents;
use crate::migrate::{MigrateError, RollbackOptions, RunReport, rollback};

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
    /// Go back even though documents were changed or rows were written since; what was is recorded first
    #[arg(long)]
    discard_changes: bool,
    /// Leave documents that were changed as they are (only where a tree of documents is in care)
    #[arg(long, conflicts_with = "discard_changes")]
    keep_changes: bool,
    /// Keep others from writing to the database from now on, and not from the commit on: for one that never pauses
    #[arg(long)]
    hold_writes: bool,
    #[command(flatten)]
    alone: job::Alone,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum RolledBack {
    Run(Box<RunAnswer>),
    Nothing { unchanged: bool },
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<RolledBack>, Failure> {
    go_back(Some(&arguments.to), &arguments.how, context)
}

pub(super) fn undo(how: &How, context: &Context) -> Result<Done<RolledBack>, Failure> {
    go_back(None, how, context).map_err(|failure| {
        if failure.code == &CURSOR_UNKNOWN {
            Failure::new(&NOTHING_TO_UNDO, "no committed run is there to undo").next(["log"])
        } else {
            failure
        }
    })
}

/// Refuses to take back "the last run" where that ended before it changed anything: what would be taken back is a run before
/// it, which may have been an undo.
fn must_mean_the_last(ledger: &Ledger) -> Result<(), Failure> {
    let Some(last) = ledger.last_without_effect()? else { return Ok(()) };
    let Some(before) = ledger.run_with_effect(0)? else { return Ok(()) };
    // The same again, that was stopped.
    if job::went_back_to(ledger, last).is_some_and(|size| job::is_undo(ledger, size)) {
        return Ok(());
    }
    let told = format!("the last run, {}, ended before it changed anything", last.run.short());
    let cursor = format!("run:{}^", before.run.short());
    Err(Failure::new(&NOTHING_TO_UNDO, told).next(["migration", "rollback", "--to", &cursor]))
}

/// The number of events to go back to: as many as there were at `to`, else before the last run.
fn size_at(to: Option<&Cursor>, ledger: &Ledger) -> Result<u64, Failure> {
    if to.is_none() {
        if let Some(open) = &ledger.state().runs().open {
            return Err(MigrateError::Pending { run: open.run, phase: "under way" }.into());
        }
        must_mean_the_last(ledger)?;
    }
    let resolved = ledger.resolve(to.unwrap_or(&Cursor::RunsBack(1)));
    resolved.map_err(|error: CursorError| Failure::from(error))
}

fn go_back(to: Option<&Cursor>, how: &How, context: &Context) -> Result<Done<RolledBack>, Failure> {
    let mut bar = Bar::new(context);
    if let Some((mut documents, settings)) =
        documents::open(context, &Working::default(), Contracts::Unneeded)?
    {
        job::must_not_hold(how.hold_writes)?;
        how.alone.must_not()?;
        let signer = context.signer()?;
        let ledger = documents.ledger();
        let size = size_at(to, ledger)?;
        let before = ledger.state().size();
        let changes = match (how.keep_changes, how.discard_changes) {
            (true, _) => Some(Changes::Keep),
            (_, true) => Some(Changes::Discard),
            _ => None,
        };
        bar.listen()?;
        let report =
            rollback_documents(&mut documents, size, changes, job::inputs()?, &signer, &mut bar)
                .map_err(|error| job::told_of(asked(to, error), documents.ledger(), before))?;
        let noted = settings.unread();
        let look = if noted.is_some() { "status" } else { "check" };
        let done = answer(report, look, RunAnswer::of_documents, |_| Ok(()));
        return Ok(noted.into_iter().fold(done, Done::note));
    }
    if how.keep_changes {
        let told = "a store goes back as a whole: --keep-changes is for trees of documents";
        return Err(Failure::new(&USAGE, told).at("--keep-changes"));
    }
    let (mut store, noted) = job::open_by_ledger(context)?;
    let signer = context.signer()?;
    let size = size_at(to, store.ledger())?;
    how.alone.with(&mut store);
    if how.hold_writes {
        store.hold_writes()?;
    }
    let before = store.ledger().state().size();
    let options = RollbackOptions { discard_changes: how.discard_changes };
    bar.listen()?;
    let report = rollback(&mut store, size, options, job::inputs()?, &signer, &mut bar)
        .map_err(|error| job::told(asked(to, error), &store, before))?;
    let discards = how.discard_changes;
    let done = answer(
        report,
        "status",
        |run| run,
        |run| {
            if discards { run.discarding(size, store.ledger(), store.objects()) } else { Ok(()) }
        },
    );
    Ok(noted.into_iter().fold(done, Done::note))
}

/// A failure whose next commands go back to where this one was to go.
fn asked(to: Option<&Cursor>, error: MigrateError) -> Failure {
    let mut failure = Failure::from(error);
    let Some(to) = to else { return failure };
    for words in &mut failure.next {
        if words.first().is_some_and(|word| word == "undo") {
            let command = ["migration", "rollback", "--to"].map(str::to_owned);
            words.splice(..1, command.into_iter().chain([to.to_string()]));
        }
    }
    failure
}

/// The answer of a run `of` a kind; `look` is the command that says how things stand now. The run has ended well, whether or not more can be told
/// of it.
fn answer(
    report: Option<RunReport>,
    look: &str,
    of: fn(RunAnswer) -> RunAnswer,
    tell_more: impl FnOnce(&mut RunAnswer) -> Result<(), Failure>,
) -> Done<RolledBack> {
    let Some(report) = report else {
        return Done::new(RolledBack::Nothing { unchanged: true });
    };
    let forward = format!("{}", report.run);
    let forward = format!("run:{}^", forward.get(..12).unwrap_or(&forward));
    let mut run = of(RunAnswer::from(report));
    let untold = tell_more(&mut run).err();
    let done = Done::new(RolledBack::Run(Box::new(run))).next(&[look]);
    let done = done.next(&["migration", "rollback", "--to", &forward]);
    match untold {
        None => done,
        Some(failure) => {
            let told = format!("what left the store could not be told: {}", failure.message);
            done.note(told).next(&["diff", &forward, "@"])
        }
    }
}

impl Answer for RolledBack {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Run(run) => run.write(out, paint),
            Self::Nothing { .. } => writeln!(out, "the store is as of that cursor already"),
        }
    }
}
