//! `export`: the ledger as lines that can be verified with nothing but the file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ledger_format::hash::LedgerId;
use serde::Serialize;

use super::context::Context;
use super::failure;
use super::output::{Answer, Done};
use super::terminal::Paint;
use super::words::count;
use crate::diagnostic::{Failure, USAGE};
use crate::export::{ExportError, Exported, export};
use crate::ledger::{Cursor, Ledger};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The form of the export
    #[arg(long, default_value = "jsonl")]
    format: Format,
    /// Write to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The first event to export: the last one that this cursor covers
    #[arg(long, value_name = "CURSOR")]
    from: Option<Cursor>,
    /// The last event to export
    #[arg(long, value_name = "CURSOR", default_value = "@")]
    to: Cursor,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// JSON lines, one an event, with its exact bytes
    Jsonl,
}

#[derive(Serialize)]
pub(super) struct Written {
    ledger: LedgerId,
    format: Format,
    file: Option<PathBuf>,
    /// What was written; whole batches, so perhaps more than was asked for.
    first_seq: u64,
    events: u64,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Written>, Failure> {
    if context.answers_in_json() && arguments.output.is_none() {
        let message = "with --json the answer goes to stdout, so the export needs -o FILE";
        return Err(Failure::new(&USAGE, message).next(["export", "--json", "-o", "FILE"]));
    }
    if let Some(file) = &arguments.output {
        context.must_lie_outside(file)?;
    }
    let ledger = context.open()?;
    let seqs = seqs(arguments, &ledger)?;
    let exported = match &arguments.output {
        Some(file) => to_file(&ledger, seqs, file)?,
        None => to_stdout(&ledger, seqs)?,
    };
    let events = exported.seqs.end - exported.seqs.start;
    let answer = Written {
        ledger: ledger.id(),
        format: arguments.format,
        file: arguments.output.clone(),
        first_seq: exported.seqs.start,
        events,
    };
    Ok(Done::new(answer))
}

fn seqs(arguments: &Arguments, ledger: &Ledger) -> Result<Range<u64>, Failure> {
    let end = ledger.resolve(&arguments.to)?;
    let from = arguments.from.as_ref().map(|from| ledger.resolve(from)).transpose()?;
    let start = from.map_or(0, |covered| covered.saturating_sub(1));
    if start >= end {
        let message = format!("event {start} lies behind the end of the export, {end}");
        return Err(Failure::new(&USAGE, message).next(["log"]));
    }
    Ok(start..end)
}

fn to_stdout(ledger: &Ledger, seqs: Range<u64>) -> Result<Exported, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match export(ledger.batches(seqs), &mut out) {
        // A reader that went away has had enough.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Exported::default())
        }
        Err(ExportError::Write(error)) => Err(failure::io(Path::new("stdout"))(error)),
        written => Ok(written?),
    }
}

/// The file appears whole or not at all.
fn to_file(ledger: &Ledger, seqs: Range<u64>, file: &Path) -> Result<Exported, Failure> {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut building = tempfile::NamedTempFile::new_in(folder).map_err(failure::io(folder))?;
    let exported = match export(ledger.batches(seqs), &mut BufWriter::new(building.as_file_mut())) {
        Err(ExportError::Write(error)) => return Err(failure::io(file)(error)),
        written => written?,
    };
    building.as_file().sync_all().map_err(failure::io(file))?;
    building.persist(file).map_err(|error| failure::io(file)(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failure::io(folder))?;
    Ok(exported)
}

impl Answer for Written {
    /// Without a file the lines are on stdout already, and nothing else may be.
    fn write(&self, out: &mut dyn Write, _: Paint) -> io::Result<()> {
        match &self.file {
            Some(file) => {
                let events = count(self.events, "event");
                writeln!(out, "{events} from event {} on in {}", self.first_seq, file.display())
            }
            None => Ok(()),
        }
    }
}
