//! `migration accept-drift`: a structure of a database that no run made becomes what the ledger has of it. Without its id it is
//! told what that would be.

use std::io::{self, Write};

use clap::Args;
use ledger_format::hash::CommitHash;
use serde::Serialize;

use super::context::Context;
use super::diff::write_changes;
use super::documents::{self, Contracts, Working};
use super::job::{self, Bar};
use super::output::{Answer, Done};
use super::reason;
use super::terminal::{Paint, one_line};
use crate::diagnostic::{
    BASELINE_DIFFERS, CONFIRMATION_REQUIRED, Failure, NOTHING_TO_DO, PLAN_STALE, USAGE,
};
use crate::ledger::Cursor;
use crate::migrate::{Baseline, Consent, Drifted, MigrateError, accept_drift, drifted};
use crate::target::sqlite::Changes;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Why, for whoever reads the history
    #[arg(long, value_name = "TEXT", value_parser = reason::said)]
    reason: String,
    /// The version that the database has now, where its tables do not tell that; else the one that it had
    #[arg(long, value_name = "VERSION")]
    baseline: Option<String>,
    /// Take that version as it is, though the database has another structure than its migrations make
    #[arg(long, requires = "baseline")]
    believe_baseline: bool,
    /// The id of what is accepted, as it is shown without this; at least its first twelve digits
    #[arg(long, value_name = "ID")]
    yes: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Told {
    /// What has to be typed.
    id: CommitHash,
    object: String,
    from: String,
    to: String,
    /// Schema by the ledger, and schema found.
    schemas: [CommitHash; 2],
    /// Page root found.
    pages: CommitHash,
    /// What differs; null where it was accepted, after which `diff` tells it.
    changes: Option<Changes>,
    /// The event that accepted it; null where it was only told.
    accepted: Option<u64>,
}

impl Told {
    fn of(drifted: Drifted, changes: Option<Changes>, accepted: Option<u64>) -> Self {
        let Drifted { id, object, from, to, recorded, found, pages } = drifted;
        Self { id, object, from, to, schemas: [recorded, found], pages, changes, accepted }
    }
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Told>, Failure> {
    if documents::open(context, &Working::default(), Contracts::Unneeded)?.is_some() {
        let told = "documents have no structure that could drift: what was changed is in `status`";
        return Err(Failure::new(&USAGE, told).next(["status"]));
    }
    let mut store = job::open(context)?;
    let believed = arguments.believe_baseline;
    let version = arguments.baseline.clone().map(|version| Baseline { version, believed });
    let version = version.as_ref();
    let mut again = vec!["migration", "accept-drift", "--reason", &arguments.reason];
    again.extend(arguments.baseline.iter().flat_map(|version| ["--baseline", version]));
    again.extend(believed.then_some("--believe-baseline"));
    let Some(typed) = &arguments.yes else {
        let Some((drifted, changes)) = drifted(&store, version).map_err(looked_at)? else {
            let told = "the database has the structure and the version that the ledger has";
            return Err(Failure::new(&NOTHING_TO_DO, told).next(["status"]));
        };
        let id = drifted.id.short();
        again.extend(["--yes", &id]);
        let unconfirmed =
            MigrateError::DriftUnconfirmed { object: drifted.object.clone(), id: drifted.id };
        let unconfirmed = Failure::from(unconfirmed).not_done("nothing was accepted");
        let again = again.iter().map(|&word| word.to_owned()).collect();
        let unconfirmed = Failure { next: vec![again], ..unconfirmed };
        return Ok(Done::new(Told::of(drifted, Some(changes), None)).found(unconfirmed));
    };
    let (signer, mut bar) = (context.signer()?, Bar::new(context));
    let consent = Consent(Some(typed.clone()));
    let done = accept_drift(&mut store, version, &consent, &arguments.reason, &signer, &mut bar)
        .map_err(|error| {
            let failure = looked_at(error);
            let unnamed = [&CONFIRMATION_REQUIRED, &PLAN_STALE].contains(&failure.code);
            let again = again.iter().map(|&word| word.to_owned()).collect();
            if unnamed { Failure { next: vec![again], ..failure } } else { failure }
        })?;
    let before = Cursor::Seq(done.seq.saturating_sub(1)).to_string();
    Ok(Done::new(Told::of(done.drifted, None, Some(done.seq)))
        .next(&["status"])
        .next(&["diff", &before, "@"])
        .next(&["migration", "rollback", "--to", &before, "--discard-changes"]))
}

/// A version that was named and that the database does not have is nothing that its ledger could be asked about.
fn looked_at(error: MigrateError) -> Failure {
    let failure = Failure::from(error);
    if failure.code != &BASELINE_DIFFERS {
        return failure;
    }
    failure.not_done("nothing was accepted").next(["explain", BASELINE_DIFFERS.id])
}

impl Answer for Told {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let object = one_line(&self.object);
        let versions = format!("version {} -> {}", one_line(&self.from), one_line(&self.to));
        if let Some(seq) = self.accepted {
            let head = format!("accepted the structure of {object}, {versions}");
            writeln!(out, "{}", paint.strong(head))?;
            return writeln!(out, "  event {seq}; what it was before stays kept");
        }
        writeln!(out, "{}", paint.strong(format_args!("{object} drifted, {versions}")))?;
        if let Some(changes) = &self.changes {
            write_changes(changes, out, paint)?;
        }
        writeln!(out, "  what the ledger has of it stays kept; to go on from what is there now,")?;
        writeln!(out, "  type its id: --yes {}", self.id.short())
    }
}
