//! `diff`: what changed between two cursors. Databases are told table by table.

use std::io::{self, Write};
use std::ops::Range;

use clap::Args;
use ledger_format::body::Body;
use serde::Serialize;

use super::context::Context;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use super::told::write_ways;
use super::words::count;
use crate::diagnostic::Failure;
use crate::ledger::{Cursor, Ledger};
use crate::migrate::account::{RunSpan, planned, spans};
use crate::migrate::documents::Way;
use crate::migrate::must_be_kept;
use crate::objects::{Objects, PackObjects};
use crate::replay::{Difference, How, Outside, difference};
use crate::target::sqlite::{Change, Changes, ColumnValues, Declared, Kind, TableChanges};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The cursor before
    #[arg(value_name = "A")]
    from: Cursor,
    /// The cursor after
    #[arg(value_name = "B", default_value = "@")]
    to: Cursor,
}

#[derive(Serialize)]
pub(super) struct Compared {
    /// Number of events before, and after.
    sizes: [u64; 2],
    #[serde(flatten)]
    difference: Difference,
    /// Of documents, which have no version in common: what runs in between did.
    #[serde(skip)]
    runs: Option<Vec<RunBetween>>,
}

/// What a run between two cursors did with documents.
enum RunBetween {
    Migrated(Vec<Way>),
    PutBack { documents: u64 },
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Compared>, Failure> {
    let ledger = context.open()?;
    let sizes = [ledger.resolve(&arguments.from)?, ledger.resolve(&arguments.to)?];
    sizes.iter().try_for_each(|size| must_be_kept(&ledger, *size))?;
    let packs = PackObjects::open_read_only(&ledger.objects_dir())?;
    let [from, to] = sizes;
    let difference = difference(&ledger, &packs, from, to)?;
    let is_of_documents = ledger.state().store().open;
    let runs = is_of_documents.then(|| between(&ledger, &packs, from.min(to)..from.max(to)));
    Ok(Done::new(Compared { sizes, difference, runs: runs.transpose()? }))
}

/// The runs of documents that were committed among these events.
fn between(
    ledger: &Ledger,
    objects: &dyn Objects,
    seqs: Range<u64>,
) -> Result<Vec<RunBetween>, Failure> {
    let committed = |span: &RunSpan| span.committed.is_some_and(|seq| seqs.contains(&seq));
    let runs = spans(ledger).into_iter().filter(committed).map(|span| {
        if let Some(planned) = planned(ledger, objects, &span)? {
            return Ok(RunBetween::Migrated(planned.ways));
        }
        let Body::RunStarted(started) = ledger.event(span.first)?.event.body else {
            return Ok(RunBetween::PutBack { documents: 0 });
        };
        Ok(RunBetween::PutBack { documents: started.objects })
    });
    runs.collect()
}

/// What runs in between did, in their order.
fn write_runs(runs: &[RunBetween], out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", paint.strong("runs in between"))?;
    runs.iter().try_for_each(|run| match run {
        RunBetween::Migrated(ways) => write_ways(ways, out),
        RunBetween::PutBack { documents } => {
            writeln!(out, "  put back: {}", count(*documents, "document"))
        }
    })
}

impl Answer for Compared {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Difference { from, to, objects, unchanged, outside } = &self.difference;
        let [before, after] = self.sizes.map(|size| count(size, "event"));
        let versions = match &self.runs {
            Some(_) => "documents".to_owned(),
            None => format!("{} -> {}", one_line(from), one_line(to)),
        };
        writeln!(out, "{}  ({before} -> {after})", paint.strong(versions))?;
        for object in objects {
            let (mark, id) = (mark(object.change), one_line(&object.object));
            writeln!(out, "{mark} {id}  {}", paint.faint(&object.kind))?;
            if let Some(changes) = &object.database {
                write_changes(changes, out, paint)?;
            }
        }
        writeln!(out, "{} unchanged", count(*unchanged, "object"))?;
        write_runs(self.runs.as_deref().unwrap_or_default(), out, paint)?;
        write_outside(outside, out, paint)
    }
}

/// Which part of all that no run made.
fn write_outside(outside: &[Outside], out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    if outside.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", paint.strong("of that no run made"))?;
    for Outside { seq, object, how } in outside {
        match how {
            How::DataChange => {
                let before = seq.saturating_sub(1);
                let object = one_line(object);
                writeln!(out, "  rows of {object}, recorded at event {seq} (diff {before} {seq})")?;
            }
            How::DriftAccepted { reason, changes } => {
                let (object, reason) = (one_line(object), one_line(reason));
                writeln!(out, "  drift of {object}, accepted at event {seq}: {reason}")?;
                write_changes(changes, out, paint)?;
            }
        }
    }
    Ok(())
}

/// What differs between two databases, for people.
pub(super) fn write_changes(
    changes: &Changes,
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<()> {
    for declared in &changes.declared {
        writeln!(out, "  {}", declared_line(declared))?;
    }
    for table in &changes.tables {
        writeln!(out, "  {}", table_line(table))?;
    }
    for setting in &changes.settings {
        let (before, after) = (one_line(&setting.before), one_line(&setting.after));
        writeln!(out, "  ~ {}: {before} -> {after}", setting.name)?;
    }
    let same = format!("{} with the same rows", count(changes.tables_unchanged, "table"));
    writeln!(out, "  {}", paint.faint(same))
}

/// A declaration that differs, on one line.
pub(super) fn declared_line(declared: &Declared) -> String {
    let Declared { kind, name, change, before, after } = declared;
    let head = format!("{} {} {}", mark(*change), kind.name(), one_line(name));
    let text = |text: &Option<String>| text.as_deref().map(one_line).unwrap_or_default();
    match (kind, change) {
        (Kind::Column, Change::Changed) => format!("{head}: {} -> {}", text(before), text(after)),
        (Kind::Column, _) => {
            format!("{head} {}{}", text(before), text(after)).trim_end().to_owned()
        }
        _ => head,
    }
}

/// A table's rows, on one line.
pub(super) fn table_line(table: &TableChanges) -> String {
    let TableChanges { table, rows_before, rows_after, added, removed, changed, columns } = table;
    let rows = |rows: &Option<u64>| rows.map_or_else(|| "none".to_owned(), |rows| rows.to_string());
    let rows = format!("{} -> {} rows", rows(rows_before), rows(rows_after));
    let columns = columns.iter().map(|column| match column.change {
        Change::Added => format!("; {} added", column_words(column)),
        _ => format!("; {} removed", column_words(column)),
    });
    let columns: String = columns.collect();
    format!(
        "{}: {rows}, {added} added, {removed} removed, {changed} changed{columns}",
        one_line(table)
    )
}

/// A column that holds values, in words.
pub(super) fn column_words(of: &ColumnValues) -> String {
    format!("column {} with {}", one_line(&of.column), count(of.values, "value"))
}

const fn mark(change: Change) -> char {
    match change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Changed => '~',
    }
}
