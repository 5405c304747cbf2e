//! `export`: the ledger as lines that can be verified with nothing but the file, or as flat ones for
//! programs that guess; and what makes other programs read either without guessing.

use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use ledger_format::hash::LedgerId;
use serde::Serialize;

use super::context::Context;
use super::export_verify::{self, Verified};
use super::new_file::NewFile;
use super::output::{Answer, Done};
use super::terminal::{Paint, path_shown};
use super::words::count;
use super::{documents, failure};
use crate::diagnostic::{Failure, USAGE};
use crate::export::{ExportError, Exported, Form, Reader, export, export_flat};
use crate::ledger::{Cursor, Ledger};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The form of the export
    #[arg(long, default_value = "jsonl")]
    format: Format,
    /// Give every field of every kind a column of its own, for programs that guess types from the
    /// first lines; for queries, not for verifying
    #[arg(long)]
    flat: bool,
    /// Instead of the export, print what makes that program read one of this form and version
    #[arg(
        long,
        value_name = "READER",
        conflicts_with_all = ["output", "from", "to"],
    )]
    schema: Option<Program>,
    /// Write to this file instead of stdout; nothing is ever written over
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The first event to export: the last one that this cursor covers
    #[arg(long, value_name = "CURSOR")]
    from: Option<Cursor>,
    /// The last event to export
    #[arg(long, value_name = "CURSOR", default_value = "@")]
    to: Cursor,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check an export; no ledger is needed.
    Verify(export_verify::Arguments),
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// JSON lines, one an event, with its exact bytes
    Jsonl,
}

/// A program that reads exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Program {
    /// SQL that defines a table macro: `FROM ledger_events('FILE')`
    Duckdb,
    /// A Python module: `scan("FILE")`
    Polars,
    /// The JSON Schema of a line
    JsonSchema,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Exporting {
    Written(Written),
    Loader(Loader),
    Verified(Box<Verified>),
}

#[derive(Serialize)]
pub(super) struct Loader {
    format: Format,
    flat: bool,
    reader: Program,
    text: String,
}

#[derive(Serialize)]
pub(super) struct Written {
    ledger: LedgerId,
    format: Format,
    flat: bool,
    file: Option<PathBuf>,
    /// What was written; whole batches, so perhaps more than was asked for.
    first_seq: u64,
    events: u64,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Exporting>, Failure> {
    if let Some(Verb::Verify(export)) = &arguments.verb {
        let verified = export_verify::run(export, context)?;
        return Ok(verified.map(|verified| Exporting::Verified(Box::new(verified))));
    }
    match arguments.schema {
        Some(reader) => Ok(Done::new(Exporting::Loader(loader(arguments, reader)))),
        None => write(arguments, context).map(|written| Done::new(Exporting::Written(written))),
    }
}

fn loader(arguments: &Arguments, reader: Program) -> Loader {
    let form = if arguments.flat { Form::Flat } else { Form::Lines };
    let text = match reader {
        Program::Duckdb => Reader::Duckdb,
        Program::Polars => Reader::Polars,
        Program::JsonSchema => Reader::JsonSchema,
    };
    let text = text.loader(form);
    Loader { format: arguments.format, flat: arguments.flat, reader, text }
}

fn write(arguments: &Arguments, context: &Context) -> Result<Written, Failure> {
    if context.answers_in_json() && arguments.output.is_none() {
        let message = "with --json the answer goes to stdout, so the export needs -o FILE";
        return Err(Failure::new(&USAGE, message).next(["export", "--json", "-o", "FILE"]));
    }
    let output = arguments.output.as_deref();
    let output = output.map(|file| {
        documents::must_lie_outside(file, context)?;
        Ok::<_, Failure>((file, NewFile::absent(file)?))
    });
    let output = output.transpose()?;
    let ledger = context.open()?;
    let seqs = seqs(arguments, &ledger)?;
    let exported = match output {
        Some((file, output)) => to_file(&ledger, seqs, arguments.flat, file, output)?,
        None => to_stdout(&ledger, seqs, arguments.flat)?,
    };
    let events = exported.seqs.end - exported.seqs.start;
    Ok(Written {
        ledger: ledger.id(),
        format: arguments.format,
        flat: arguments.flat,
        file: arguments.output.clone(),
        first_seq: exported.seqs.start,
        events,
    })
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

fn to_stdout(ledger: &Ledger, seqs: Range<u64>, flat: bool) -> Result<Exported, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match to(&mut out, ledger, seqs, flat) {
        // A reader that went away has had enough.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Exported::default())
        }
        Err(ExportError::Write(error)) => Err(failure::io(Path::new("stdout"))(error)),
        written => Ok(written?),
    }
}

/// Every line of an export, of either form, begins with its schema.
/// The file appears whole or not at all.
fn to_file(
    ledger: &Ledger,
    seqs: Range<u64>,
    flat: bool,
    file: &Path,
    output: NewFile<'_>,
) -> Result<Exported, Failure> {
    output.make(0o600, |out| match to(&mut BufWriter::new(out), ledger, seqs, flat) {
        Err(ExportError::Write(error)) => Err(failure::io(file)(error)),
        written => Ok(written?),
    })
}

fn to(
    out: &mut impl Write,
    ledger: &Ledger,
    seqs: Range<u64>,
    flat: bool,
) -> Result<Exported, ExportError> {
    let batches = ledger.batches(seqs);
    if flat { export_flat(batches, out) } else { export(batches, out) }
}

impl Answer for Exporting {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Written(written) => written.write(out, paint),
            Self::Loader(loader) => out.write_all(loader.text.as_bytes()),
            Self::Verified(verified) => verified.write(out, paint),
        }
    }
}

impl Answer for Written {
    /// Without a file the lines are on stdout already, and nothing else may be.
    fn write(&self, out: &mut dyn Write, _: Paint) -> io::Result<()> {
        match &self.file {
            Some(file) => {
                let events = count(self.events, "event");
                writeln!(out, "{events} from event {} on in {}", self.first_seq, path_shown(file))
            }
            None => Ok(()),
        }
    }
}
