//! `migration new`: a first contract from two examples.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::new_file::NewFile;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line, path_shown};
use super::words::count;
use super::{documents, failure};
use crate::contract::{Draft, Examples, Format, draft};
use crate::diagnostic::{Failure, USAGE};
use crate::document::{self, Document, Value};

/// Longest example, in bytes.
const EXAMPLE_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A document of the older version, or its JSON Schema
    older: PathBuf,
    /// A document of the newer version, or its JSON Schema
    newer: PathBuf,
    /// Write the contract to this file; nothing is ever written over
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Name of the contract; else it is taken from the newer example's file name
    #[arg(long)]
    name: Option<String>,
    /// How documents are written; else the examples' file names tell
    #[arg(long, value_parser = FORMATS.map(document::Format::name))]
    format: Option<String>,
}

const FORMATS: [document::Format; 4] = [
    document::Format::Json,
    document::Format::Jsonl,
    document::Format::Yaml,
    document::Format::Cbor,
];

#[derive(Serialize)]
pub(super) struct Drafted {
    contract: String,
    versions: [String; 2],
    steps: usize,
    lossy: Vec<String>,
    /// Whether the steps give the older example the look of the newer one; null for schemas.
    reaches: Option<bool>,
    /// What `contract lint` warns of.
    warnings: Vec<&'static str>,
    file: Option<PathBuf>,
    text: String,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Drafted>, Failure> {
    let Arguments { older, newer, output, .. } = arguments;
    let target = output.as_deref().map(|file| {
        documents::must_lie_outside(file, context)?;
        NewFile::absent(file)
    });
    let target = target.transpose()?;
    let (of_older, before) = read(older)?;
    let (of_newer, after) = read(newer)?;
    let format = match &arguments.format {
        Some(format) => format.as_str(),
        None if of_older == of_newer => of_newer.name(),
        None => {
            let told = format!(
                "one example is written as {}, the other as {}: name the documents' format",
                of_older.name(),
                of_newer.name()
            );
            return Err(Failure::new(&USAGE, told).at("--format"));
        }
    };
    let format = Format::find(format).unwrap_or(Format::Json);
    let name = arguments.name.clone().unwrap_or_else(|| name_of(newer));
    let files = format!("**/{}", newer.file_name().unwrap_or_default().to_string_lossy());
    let files = &files;
    let examples = Examples { name: &name, format, files, before: &before, after: &after };
    let made = draft(&examples)
        .map_err(|error| Failure::new(&USAGE, error.to_string()).at(newer.display().to_string()))?;
    if let (Some(target), Some(file)) = (target, output) {
        target.make(0o666, |out| out.write_all(made.text.as_bytes()).map_err(failure::io(file)))?;
    }
    let Draft { text, versions, steps, lossy, reaches, warnings } = made;
    let file = output.clone();
    let done = Done::new(Drafted {
        contract: name,
        versions,
        steps,
        lossy,
        reaches,
        warnings,
        file,
        text,
    });
    Ok(match output {
        Some(file) => done.next(&["contract", "lint", &file.display().to_string()]),
        None => done,
    })
}

/// How the example at `path` is written, by its name, and what it says.
fn read(path: &Path) -> Result<(document::Format, Value), Failure> {
    let io = failure::io(path);
    let length = fs::metadata(path).map_err(failure::io(path))?.len();
    if length > EXAMPLE_BYTES_MAX {
        return Err(io(io::Error::other(format!("longer than {EXAMPLE_BYTES_MAX} bytes"))));
    }
    let bytes = fs::read(path).map_err(io)?;
    let format = format_of(path);
    let document = Document::read(format, &bytes).map_err(|error| {
        let message = format!("the example is no document of format {}: {error}", format.name());
        Failure::new(&USAGE, message).at(path.display().to_string())
    })?;
    Ok((format, document.value))
}

fn format_of(path: &Path) -> document::Format {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "jsonl" | "ndjson" => document::Format::Jsonl,
        "yaml" | "yml" => document::Format::Yaml,
        "cbor" => document::Format::Cbor,
        _ => document::Format::Json,
    }
}

/// A name from that of a file: `state` for `run/state.v2.json`.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let stem = name.split('.').find(|part| !part.is_empty()).unwrap_or_default();
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let name: String = stem.chars().map(plain).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "documents".to_owned() } else { name.to_owned() }
}

impl Answer for Drafted {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Some(file) = &self.file else { return write!(out, "{}", self.text) };
        let [old, new] = &self.versions;
        let name = one_line(&self.contract);
        let steps = count(self.steps as u64, "step");
        let head = format!("{name} {} -> {}: {steps}", one_line(old), one_line(new));
        writeln!(out, "{}", paint.strong(head))?;
        for place in &self.lossy {
            writeln!(out, "  {}", paint.warning(format_args!("loses {}", one_line(place))))?;
        }
        let tried = match self.reaches {
            None => "made from schemas; not tried on a document",
            Some(true) => "tried on the older example: it gets the look of the newer one",
            Some(false) => {
                "tried on the older example: it does not get the look of the newer one yet"
            }
        };
        writeln!(out, "  {tried}")?;
        if !self.warnings.is_empty() {
            writeln!(out, "  lint warns of {}", self.warnings.join(", "))?;
        }
        writeln!(out, "  in {}; every comment in it is something to decide", path_shown(file))
    }
}
