//! How the database of an application stands.

use std::io::{self, Write};
use std::path::PathBuf;

use ledger_format::hash::LedgerId;
use serde::Serialize;

use super::{Answered, Head, Object, Pending, Seen, Verified, Writer, last_verified, schema_drift};
use crate::cli::context::Context;
use crate::cli::databases;
use crate::cli::output::{Answer, Done};
use crate::cli::terminal::{Paint, plain};
use crate::cli::words::{count, time};
use crate::diagnostic::Failure;
use crate::migrate::{Changed, MigrateError, OpenStore};

/// How a database stands.
#[derive(Serialize)]
pub(in crate::cli) struct OfDatabase {
    database: PathBuf,
    /// The folder of its migrations, if they are in one.
    migrations: Option<PathBuf>,
    ledger: LedgerId,
    head: Head,
    version: Option<String>,
    target: String,
    /// Number of migrations that it went through.
    applied: u64,
    pending: Vec<String>,
    edited: Vec<String>,
    missing: Vec<String>,
    late: Vec<String>,
    pending_run: Option<Pending>,
    objects: Vec<Object>,
    runs: u64,
    recovered_from: Option<u64>,
    last_verified: Option<Verified>,
    writer: Option<Writer>,
}

/// The answer, and whether a migration is pending.
pub(super) fn answer(
    open: &OpenStore,
    seen: Seen,
    context: &Context,
) -> Result<(Done<Answered>, bool), Failure> {
    let Seen { found, head, recovered_from, writer } = seen;
    let head = head.head();
    let settings = databases::here(context)?;
    let migrations = settings.map(|(dir, settings)| settings.migrations(&dir)).transpose()?;
    let version = found.version.as_deref();
    let applied = version.and_then(|version| open.contract.position(version)).unwrap_or(0) as u64;
    let changed = found.changed.clone();
    let drift = schema_drift(&found);
    let Changed { edited, missing, late } = found.changed;
    let answer = OfDatabase {
        database: open.site.database(),
        migrations: migrations.flatten(),
        ledger: head.ledger,
        head: Head { size: head.size, root: head.root.to_string() },
        version: found.version,
        target: found.target,
        applied,
        pending: found.path,
        edited,
        missing,
        late,
        pending_run: found.pending.map(|(run, committed)| Pending { run, committed }),
        objects: found.drift.into_iter().map(Object::of).collect(),
        runs: found.runs,
        recovered_from,
        last_verified: last_verified(&head.ledger)?,
        writer,
    };
    let next: &[&str] = match &answer.pending_run {
        Some(_) => &["migration", "resume"],
        None if answer.writer.is_some() => &["status"],
        None if !answer.pending.is_empty() => &["plan", "-o", "plan.json"],
        None => &["verify-chain", "--objects"],
    };
    let migrates = !answer.pending.is_empty();
    let mut done = Done::new(Answered::Database(answer));
    done = drift.into_iter().fold(done, Done::found);
    if changed.is_nothing() {
        return Ok((done.next(next), migrates));
    }
    let told = Failure::from(MigrateError::AppliedChanged { changed });
    Ok((done.found(Failure { next: Vec::new(), ..told }), migrates))
}

impl Answer for OfDatabase {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let version = self.version.as_deref().unwrap_or("not told");
        writeln!(out, "{}", paint.strong(format_args!("database version {}", plain(version))))?;
        writeln!(out, "  database    {}", self.database.display())?;
        if let Some(migrations) = &self.migrations {
            writeln!(out, "  migrations  {}", migrations.display())?;
        }
        writeln!(out, "  applied     {}", self.applied)?;
        match &self.pending[..] {
            [] => writeln!(out, "  pending     none")?,
            pending => writeln!(out, "  pending     {}", plain(&pending.join(", ")))?,
        }
        for (what, names) in
            [("edited", &self.edited), ("missing", &self.missing), ("late", &self.late)]
        {
            for name in names {
                writeln!(out, "  {what:10}  {}", plain(name))?;
            }
        }
        if let Some(pending) = &self.pending_run {
            let phase =
                if pending.committed { "committed, not published" } else { "not committed" };
            writeln!(out, "  run         {} ({phase})", pending.run.short())?;
        }
        for object in &self.objects {
            let drift = object.drift.replace('_', " ");
            writeln!(out, "  drift       {}: {drift}", plain(&object.id))?;
        }
        if let Some(writer) = &self.writer {
            let pid = writer.pid.map_or_else(String::new, |pid| format!(" {pid}"));
            writeln!(
                out,
                "  in use      by process{pid}; version, drift and runs are not told meanwhile"
            )?;
        }
        let (events, runs) = (count(self.head.size, "event"), count(self.runs, "run"));
        writeln!(out, "  ledger      {} with {events}, {runs}", self.ledger.short())?;
        match &self.last_verified {
            Some(last) => writeln!(
                out,
                "  verified    {} up to {}",
                time(last.at_ms),
                count(last.size, "event")
            ),
            None => writeln!(out, "  verified    never from here"),
        }
    }
}
