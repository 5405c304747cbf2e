//! Where an export is read from, and how what is wrong in it is told. Knows no verdict.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::terminal::one_line;
use crate::diagnostic::Failure;
use crate::verify::Fault;

/// What an export that does not hold up is not.
const NOT_BELIEVED: &str = "the export is not to be believed beyond what is named good";

/// What no export shows, whatever it holds.
pub(super) const NOT_CHECKED: [&str; 2] = [
    "the content that events name by hash: it is not part of an export",
    "whether what was recorded is true: times, reasons, what steps really did",
];

/// The line where a fault shows in an export from event 0 on, which has a line for every event.
pub(super) fn line_in_whole(fault: &Fault) -> Option<u64> {
    fault.line().or_else(|| fault.seq().map(|seq| seq + 1))
}

/// Where an export is read from.
pub(super) enum Source<'a> {
    Stdin,
    File(&'a Path),
}

impl<'a> Source<'a> {
    pub(super) fn of(file: &'a Path) -> Self {
        if file == Path::new("-") { Self::Stdin } else { Self::File(file) }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Stdin => "stdin".to_owned(),
            Self::File(file) => file.display().to_string(),
        }
    }

    /// As it is given to a command that is run next.
    pub(super) fn given(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::File(_) => self.name(),
        }
    }

    pub(super) fn failure(&self, fault: &Fault, line: Option<u64>) -> Failure {
        let place = match line {
            Some(line) => format!("{}:{line}", self.name()),
            None => self.name(),
        };
        Failure::new(fault.code(), fault.to_string())
            .at(place)
            .not_done(NOT_BELIEVED)
            .showing(fault.evidence())
            .next(["explain", fault.code().id])
    }
}

#[derive(Serialize)]
pub(super) struct Found {
    code: &'static str,
    /// The line where it shows, from 1.
    line: Option<u64>,
    seq: Option<u64>,
    message: String,
}

impl Found {
    pub(super) fn of(fault: &Fault, line: Option<u64>) -> Self {
        let (code, seq) = (fault.code().id, fault.seq());
        Self { code, line, seq, message: fault.to_string() }
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let message = one_line(&self.message);
        match self.line {
            Some(line) if !message.starts_with("line ") => {
                writeln!(out, "  fault       line {line}: {message}")
            }
            _ => writeln!(out, "  fault       {message}"),
        }
    }
}
