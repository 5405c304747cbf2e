//! Whether the database of an application could go through its migrations.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Checked;
use crate::cli::context::Context;
use crate::cli::databases;
use crate::cli::documents::Described;
use crate::cli::job;
use crate::cli::output::{Answer, Done};
use crate::cli::plan::{write_loss, write_steps};
use crate::cli::terminal::{Paint, one_line};
use crate::diagnostic::{Exit, Failure};
use crate::migrate::{LossSummary, PlannedStep, Store, Tried, check};

/// What a database's migrations would do.
#[derive(Serialize)]
pub(in crate::cli) struct Verdict {
    database: PathBuf,
    from: String,
    to: String,
    steps: Vec<PlannedStep>,
    loss: LossSummary,
    values_lost: u64,
}

/// The database that the ledger here keeps, open, if that is what is to be checked.
pub(super) fn asked_for(
    target: &Path,
    described: &Described,
    context: &Context,
) -> Result<Option<Store>, Failure> {
    let Some((ledger, settings)) = databases::here(context)? else { return Ok(None) };
    let named = fs::canonicalize(target).ok();
    let database = fs::canonicalize(settings.site(&ledger)?.database()).ok();
    let own = described.contract.is_empty() && described.set.is_empty();
    let asked = own && (target == Path::new(".") || named.is_some() && named == database);
    if asked { job::open(context).map(Some) } else { Ok(None) }
}

/// Tries the way to version `to` on a copy.
pub(super) fn run(
    store: &Store,
    to: Option<&str>,
    detailed_exitcode: bool,
) -> Result<Done<Checked>, Failure> {
    let tried = check(store, to)?;
    let values_lost = tried.lost();
    let Tried { from, to, steps, loss } = tried;
    let pending = from != to;
    let database = store.site().database();
    let verdict = Verdict { database, from, to, steps, loss, values_lost };
    let mut done = Done::new(Checked::Database(verdict));
    if detailed_exitcode && pending {
        done = done.exit(Exit::Pending);
    }
    Ok(if pending { done.next(&["plan", "-o", "plan.json"]) } else { done })
}

impl Answer for Verdict {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        if self.from == self.to {
            return writeln!(
                out,
                "version {} is the one asked for; nothing to do",
                one_line(&self.from)
            );
        }
        let way = format!("{} -> {}", one_line(&self.from), one_line(&self.to));
        writeln!(out, "{}", paint.strong(format_args!("{way} could be applied")))?;
        write_steps(&self.steps, out)?;
        write_loss(&self.loss, out, paint)
    }
}
