//! `export`: the ledger as lines that can be verified with nothing but the file, some of its events with proofs of their own, or flat
//! lines for programs that guess; and what makes other programs read either without guessing.

use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};
use ledger_format::body::Body;
use ledger_format::hash::{KeyId, LedgerId, NodeHash};
use ledger_format::head::SignedHead;
use serde::Serialize;

use super::context::Context;
use super::export_verify::{self, Verified};
use super::new_file::NewFile;
use super::output::{Answer, Done};
use super::terminal::{Paint, path_shown};
use super::words::count;
use super::{documents, failure};
use crate::diagnostic::{Failure, USAGE};
use crate::export::{
    ExportError, Exported, Filter, Form, NOT_SHOWN, Reader, export, export_flat, export_selection,
};
use crate::ledger::{Cursor, Ledger};
use crate::migrate::account::find_run;

#[derive(Debug, Args)]
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
    #[command(flatten)]
    only: Only,
    /// The first event to export: the last one that this cursor covers
    #[arg(long, value_name = "CURSOR")]
    from: Option<Cursor>,
    /// The last event to export; else the newest
    #[arg(long, value_name = "CURSOR")]
    to: Option<Cursor>,
}

/// What events are asked for. With any of these each event carries a proof of its own that it is in the ledger, all under the newest
/// head; options of one name add to each other, those of different names must all fit.
#[derive(Debug, Args)]
struct Only {
    /// Export only events of this kind, each with a proof of its own that it is in the ledger; may be given several times
    #[arg(long, value_name = "KIND", conflicts_with = "flat",
        value_parser = PossibleValuesParser::new(Body::KINDS.iter().copied()))]
    kind: Vec<String>,
    /// The same of events of this run: the first digits of its id, or a cursor; may be given several times
    #[arg(long, value_name = "RUN", conflicts_with = "flat")]
    run: Vec<String>,
    /// The same of events about this object; may be given several times
    #[arg(long, value_name = "ID", conflicts_with = "flat")]
    object: Vec<String>,
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
    /// What was written; whole batches, so perhaps more than was asked for. Of events that were asked for one by one, these.
    first_seq: u64,
    events: u64,
    /// The head that each event is proved under.
    #[serde(skip_serializing_if = "Option::is_none")]
    under: Option<Under>,
}

#[derive(Serialize)]
struct Under {
    size: u64,
    root: NodeHash,
    signer: KeyId,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Exporting>, Failure> {
    if let Some(Verb::Verify(export)) = &arguments.verb {
        if let Some(option) = arguments.made_by() {
            let told = "this is for making an export, and `export verify` makes none";
            return Err(Failure::new(&USAGE, told).at(option).next(["export", "verify", "--help"]));
        }
        let verified = export_verify::run(export, context)?;
        return Ok(verified.map(|verified| Exporting::Verified(Box::new(verified))));
    }
    match arguments.schema {
        Some(reader) => Ok(Done::new(Exporting::Loader(loader(arguments, reader)))),
        None => write(arguments, context).map(|written| {
            let unshown = written.under.is_some().then(|| format!("not shown: {NOT_SHOWN}"));
            let done = Done::new(Exporting::Written(written));
            unshown.into_iter().fold(done, Done::note)
        }),
    }
}

impl Arguments {
    /// An option that was given and says how an export is made.
    fn made_by(&self) -> Option<&'static str> {
        let given = [
            ("--flat", self.flat),
            ("--schema", self.schema.is_some()),
            ("--output", self.output.is_some()),
            ("--kind, --run, --object", self.only.asks()),
            ("--from", self.from.is_some()),
            ("--to", self.to.is_some()),
        ];
        given.into_iter().find_map(|(option, given)| given.then_some(option))
    }
}

impl Only {
    const fn asks(&self) -> bool {
        !(self.kind.is_empty() && self.run.is_empty() && self.object.is_empty())
    }

    fn filter(&self, ledger: &Ledger) -> Result<Filter, Failure> {
        let runs = self.run.iter().map(|run| Ok(find_run(ledger, Some(run))?.run));
        Ok(Filter {
            kinds: self.kind.iter().cloned().collect(),
            runs: runs.collect::<Result<_, Failure>>()?,
            objects: self.object.iter().cloned().collect(),
        })
    }
}

fn loader(arguments: &Arguments, reader: Program) -> Loader {
    let form = match arguments {
        Arguments { flat: true, .. } => Form::Flat,
        Arguments { only, .. } if only.asks() => Form::Proved,
        _ => Form::Lines,
    };
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
    let content = Content::asked(arguments, &ledger, seqs, context)?;
    let written = match output {
        Some((file, output)) => to_file(&content, file, output)?,
        None => to_stdout(&content)?,
    };
    let Exact { first_seq, events } = written;
    Ok(Written {
        ledger: ledger.id(),
        format: arguments.format,
        flat: arguments.flat,
        file: arguments.output.clone(),
        first_seq,
        events,
        under: content.under(),
    })
}

/// What is written.
struct Content<'a> {
    ledger: &'a Ledger,
    seqs: Range<u64>,
    lines: Lines,
}

enum Lines {
    Whole,
    Flat,
    /// Those that fit, proved under the head.
    Only(Box<(Filter, SignedHead)>),
}

/// How much was written.
#[derive(Default)]
struct Exact {
    first_seq: u64,
    events: u64,
}

impl<'a> Content<'a> {
    fn asked(
        arguments: &Arguments,
        ledger: &'a Ledger,
        seqs: Range<u64>,
        context: &Context,
    ) -> Result<Self, Failure> {
        let lines = if arguments.only.asks() {
            let head = context.head_to_prove_under(ledger, seqs.end)?;
            Lines::Only(Box::new((arguments.only.filter(ledger)?, head)))
        } else if arguments.flat {
            Lines::Flat
        } else {
            Lines::Whole
        };
        Ok(Self { ledger, seqs, lines })
    }

    fn under(&self) -> Option<Under> {
        let Lines::Only(only) = &self.lines else { return None };
        let (_, head) = &**only;
        let (size, root) = (head.head().size, head.head().root);
        Some(Under { size, root, signer: head.signer() })
    }

    fn write(&self, out: &mut impl Write) -> Result<Exact, ExportError> {
        let Self { ledger, seqs, lines } = self;
        let batches = || ledger.batches(seqs.clone());
        match lines {
            Lines::Whole => export(batches(), out).map(Exact::from),
            Lines::Flat => export_flat(batches(), out).map(Exact::from),
            Lines::Only(only) => {
                let (filter, head) = &**only;
                let selected = export_selection(ledger, head, seqs.clone(), filter, out)?;
                let first_seq = selected.first.unwrap_or_default();
                Ok(Exact { first_seq, events: selected.events })
            }
        }
    }
}

impl From<Exported> for Exact {
    fn from(exported: Exported) -> Self {
        let Range { start, end } = exported.seqs;
        Self { first_seq: start, events: end - start }
    }
}

fn seqs(arguments: &Arguments, ledger: &Ledger) -> Result<Range<u64>, Failure> {
    let newest = Cursor::Back(0);
    let end = ledger.resolve(arguments.to.as_ref().unwrap_or(&newest))?;
    let from = arguments.from.as_ref().map(|from| ledger.resolve(from)).transpose()?;
    let start = from.map_or(0, |covered| covered.saturating_sub(1));
    if start >= end {
        let message = format!("event {start} lies behind the end of the export, {end}");
        return Err(Failure::new(&USAGE, message).next(["log"]));
    }
    Ok(start..end)
}

fn to_stdout(content: &Content<'_>) -> Result<Exact, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match content.write(&mut out) {
        // A reader that went away has had enough.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Exact::default())
        }
        Err(ExportError::Write(error)) => Err(failure::io(Path::new("stdout"))(error)),
        written => Ok(written?),
    }
}

/// The file appears whole or not at all.
fn to_file(content: &Content<'_>, file: &Path, output: NewFile<'_>) -> Result<Exact, Failure> {
    output.make(0o600, |out| match content.write(&mut BufWriter::new(out)) {
        Err(ExportError::Write(error)) => Err(failure::io(file)(error)),
        written => Ok(written?),
    })
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
                writeln!(out, "{events} from event {} on in {}", self.first_seq, path_shown(file))?;
                match &self.under {
                    Some(Under { size, root, .. }) => {
                        let all = count(*size, "event");
                        writeln!(out, "  each is proved under the head over {all}, root {root}")
                    }
                    None => Ok(()),
                }
            }
            None => Ok(()),
        }
    }
}
