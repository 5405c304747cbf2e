//! How the database of an application stands.

use std::io::{self, Write};
use std::path::PathBuf;

use ledger_format::hash::LedgerId;
use serde::Serialize;

use super::{Answered, Head, Object, Pending, Seen, Verified, Writer, last_verified, schema_drift};
use crate::cli::context::Context;
use crate::cli::databases;
use crate::cli::output::{Answer, Done};
use crate::cli::terminal::{Paint, one_line, path_shown};
use crate::cli::words::{count, time};
use crate::diagnostic::{Failure, STORE_DISAGREES};
use crate::migrate::{ACCEPT_DRIFT, OpenStore, Status, failures};
use crate::sql_folder::Finding;

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
    /// How that folder is laid out.
    layout: Option<String>,
    /// The table in which the layout's tool keeps account, if it is kept.
    books: Option<String>,
    /// Number of migrations that it went through; null where nothing tells its version.
    applied: Option<u64>,
    pending: Vec<Migration>,
    findings: Vec<Found>,
    pending_run: Option<Pending>,
    objects: Vec<Object>,
    runs: u64,
    recovered_from: Option<u64>,
    last_verified: Option<Verified>,
    writer: Option<Writer>,
}

/// A migration and its file.
#[derive(Serialize)]
struct Migration {
    version: String,
    file: Option<String>,
}

/// Something that is wrong between the migrations and what the database went through.
#[derive(Serialize)]
struct Found {
    kind: &'static str,
    version: Option<String>,
    file: Option<String>,
    told: String,
}

impl Found {
    fn of(finding: &Finding) -> Self {
        Self {
            kind: match finding {
                Finding::Edited { .. } => "edited",
                Finding::Cosmetic { .. } => "cosmetic",
                Finding::Missing { .. } => "missing",
                Finding::Newer { .. } => "newer",
                Finding::Late { .. } => "late",
                Finding::Dirty { .. } => "dirty",
                Finding::UnknownChecksums { .. } => "unknown_checksums",
            },
            version: finding.version().map(str::to_owned),
            file: finding.file().map(str::to_owned),
            told: finding.to_string(),
        }
    }
}

/// The migrations that lead to `versions`, with their files.
fn migrations(open: &OpenStore, versions: Vec<String>) -> Vec<Migration> {
    let with_file = |version: String| {
        let edge = open.contract.edges.iter().find(|edge| edge.to == version);
        let file = edge.and_then(|edge| edge.sql().next()).map(|sql| sql.script.clone());
        Migration { version, file }
    };
    versions.into_iter().map(with_file).collect()
}

/// What is told of a database that another program migrated since: its table says another version than the ledger.
fn disagreement(found: &Status) -> Option<Failure> {
    let (version, recorded) = found.version.as_ref().zip(found.recorded.as_ref())?;
    if version == recorded || found.pending.is_some() {
        return None;
    }
    let told = format!("the database states version {version}, the ledger has version {recorded}");
    Some(Failure::new(&STORE_DISAGREES, told).next(ACCEPT_DRIFT))
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
    let layout = settings.as_ref().and_then(|(_, settings)| settings.layout().map(str::to_owned));
    let folder = settings.map(|(dir, settings)| settings.migrations(&dir)).transpose()?;
    let wrong = schema_drift(&found)
        .into_iter()
        .chain(disagreement(&found))
        .chain(failures(&found.findings));
    let wrong: Vec<Failure> = wrong.collect();
    let answer = OfDatabase {
        database: open.site.database(),
        migrations: folder.flatten(),
        ledger: head.ledger,
        head: Head { size: head.size, root: head.root.to_string() },
        version: found.version,
        target: found.target,
        layout,
        books: open.contract.bookkeeping.as_ref().map(|books| books.table.clone()),
        applied: found.applied,
        pending: migrations(open, found.path),
        findings: found.findings.iter().map(Found::of).collect(),
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
    let done = Done::new(Answered::Database(answer));
    if wrong.is_empty() {
        return Ok((done.next(next), migrates));
    }
    Ok((wrong.into_iter().fold(done, Done::found), migrates))
}

impl Answer for OfDatabase {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let version = self.version.as_deref().unwrap_or("not told");
        writeln!(out, "{}", paint.strong(format_args!("database version {}", one_line(version))))?;
        writeln!(out, "  database    {}", path_shown(&self.database))?;
        if let Some(migrations) = &self.migrations {
            writeln!(out, "  migrations  {}", path_shown(migrations))?;
        }
        if let Some(layout) = &self.layout {
            let books = self.books.as_ref().map(|table| format!(", kept in {}", one_line(table)));
            writeln!(out, "  layout      {layout}{}", books.unwrap_or_default())?;
        }
        match self.applied {
            Some(applied) => writeln!(out, "  applied     {applied}")?,
            None => writeln!(out, "  applied     not told")?,
        }
        if self.pending.is_empty() && self.findings.is_empty() {
            writeln!(out, "  pending     none")?;
        }
        for Migration { version, file } in &self.pending {
            let file = file.as_deref().unwrap_or_default();
            writeln!(out, "  pending     {}  {}", one_line(version), one_line(file))?;
        }
        for Found { kind, told, .. } in &self.findings {
            writeln!(out, "  {:10}  {}", kind.replace('_', " "), one_line(told))?;
        }
        if let Some(pending) = &self.pending_run {
            let phase =
                if pending.committed { "committed, not published" } else { "not committed" };
            writeln!(out, "  run         {} ({phase})", pending.run.short())?;
        }
        for object in &self.objects {
            let drift = object.drift.replace('_', " ");
            writeln!(out, "  drift       {}: {drift}", one_line(&object.id))?;
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
