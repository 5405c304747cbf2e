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
use super::terminal::{Paint, one_line, plain};
use crate::diagnostic::{CONFIRMATION_REQUIRED, Failure, NOTHING_TO_DO, USAGE};
use crate::ledger::Cursor;
use crate::migrate::{Consent, Drifted, accept_drift, drift_in_full, drifted};
use crate::target::sqlite::Changes;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Why, for whoever reads the history
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The version that the database has now, where its tables do not tell that; else the one that it had
    #[arg(long, value_name = "VERSION")]
    baseline: Option<String>,
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
    /// What differs; null where it was accepted, after which `diff` tells it.
    changes: Option<Changes>,
    /// The event that accepted it; null where it was only told.
    accepted: Option<u64>,
}

impl Told {
    fn of(drifted: Drifted, changes: Option<Changes>, accepted: Option<u64>) -> Self {
        let Drifted { id, object, from, to, recorded, found } = drifted;
        Self { id, object, from, to, schemas: [recorded, found], changes, accepted }
    }
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Told>, Failure> {
    if documents::open(context, &Working::default(), Contracts::Unneeded)?.is_some() {
        let told = "documents have no structure that could drift: what was changed is in `status`";
        return Err(Failure::new(&USAGE, told).next(["status"]));
    }
    let mut store = job::open(context)?;
    let version = arguments.baseline.as_deref();
    let mut again = vec!["migration", "accept-drift", "--reason", &arguments.reason];
    again.extend(version.into_iter().flat_map(|version| ["--baseline", version]));
    let Some(typed) = &arguments.yes else {
        let Some(drifted) = drifted(&store, version)? else {
            let told = "the database has the structure and the version that the ledger has";
            return Err(Failure::new(&NOTHING_TO_DO, told).next(["status"]));
        };
        let id = drifted.id.short();
        again.extend(["--yes", &id]);
        let changes = drift_in_full(&store)?;
        return Ok(Done::new(Told::of(drifted, Some(changes), None)).next(&again));
    };
    let (signer, mut bar) = (context.signer()?, Bar::new(context));
    let consent = Consent(Some(typed.clone()));
    let done = accept_drift(&mut store, version, &consent, &arguments.reason, &signer, &mut bar)
        .map_err(|error| {
            let failure = Failure::from(error);
            let unconfirmed = failure.code == &CONFIRMATION_REQUIRED;
            let again = again.iter().map(|&word| word.to_owned()).collect();
            if unconfirmed { Failure { next: vec![again], ..failure } } else { failure }
        })?;
    let before = Cursor::Seq(done.seq.saturating_sub(1)).to_string();
    Ok(Done::new(Told::of(done.drifted, None, Some(done.seq)))
        .next(&["status"])
        .next(&["diff", &before, "@"])
        .next(&["migration", "rollback", "--to", &before, "--discard-changes"]))
}

impl Answer for Told {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let object = one_line(&self.object);
        let versions = format!("version {} -> {}", plain(&self.from), plain(&self.to));
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
