//! Whether the database of an application or of a store could go through its migrations.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::Checked;
use crate::cli::output::{Answer, Done};
use crate::cli::terminal::{Paint, one_line};
use crate::cli::told::{write_loss, write_steps};
use crate::diagnostic::{Exit, Failure};
use crate::migrate::documents::Status;
use crate::migrate::{LossSummary, PlannedStep, Store, Tried, check};

/// What a database's migrations would do.
#[derive(Serialize)]
pub(in crate::cli) struct Verdict {
    database: PathBuf,
    status: Status,
    from: String,
    to: String,
    steps: Vec<PlannedStep>,
    loss: LossSummary,
    values_lost: u64,
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
    let status = if pending { Status::Migrated } else { Status::Current };
    let database = store.site().database();
    let verdict = Verdict { database, status, from, to, steps, loss, values_lost };
    let mut done = Done::new(Checked::Database(verdict));
    if detailed_exitcode && pending {
        done = done.exit(Exit::Pending);
    }
    Ok(if pending { done.next(&["plan", "-o", "plan.json"]) } else { done })
}

impl Answer for Verdict {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        if self.status == Status::Current {
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
