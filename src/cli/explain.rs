//! `explain`: what a code means and what to do, out of the catalogue.

use std::io::{self, Write};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use serde::Serialize;

use super::output::{Answer, Done};
use super::terminal::Paint;
use crate::diagnostic::{CATALOGUE, Code, Severity};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The code, as it stands in the brackets of an error; without it, all are listed
    #[arg(
        ignore_case = true,
        hide_possible_values = true,
        value_parser = PossibleValuesParser::new(CATALOGUE.iter().map(|code| code.id))
            .try_map(|id| Code::find(&id).ok_or("not in the catalogue"))
    )]
    code: Option<&'static Code>,
}

#[derive(Serialize)]
pub(super) struct Explained {
    codes: Vec<Entry>,
    #[serde(skip)]
    in_full: bool,
}

#[derive(Serialize)]
struct Entry {
    code: &'static str,
    number: u16,
    category: &'static str,
    severity: Severity,
    exit: u8,
    retryable: bool,
    meaning: &'static str,
    remedy: &'static str,
}

pub(super) fn run(arguments: &Arguments) -> Done<Explained> {
    let codes = arguments.code.map_or_else(|| CATALOGUE.to_vec(), |code| vec![code]);
    let in_full = arguments.code.is_some();
    Done::new(Explained { codes: codes.into_iter().map(Entry::of).collect(), in_full })
}

impl Entry {
    const fn of(code: &'static Code) -> Self {
        Self {
            code: code.id,
            number: code.number,
            category: code.category(),
            severity: code.severity,
            exit: code.exit as u8,
            retryable: code.retryable,
            meaning: code.meaning,
            remedy: code.remedy,
        }
    }
}

impl Answer for Explained {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        for entry in &self.codes {
            let Entry { code, number, category, exit, meaning, remedy, .. } = entry;
            if self.in_full {
                let retryable = if entry.retryable { ", may succeed later" } else { "" };
                writeln!(
                    out,
                    "{} ({number}, {category}, exit {exit}{retryable})",
                    paint.strong(code)
                )?;
                writeln!(out, "  {meaning}\n  {remedy}")?;
            } else {
                writeln!(
                    out,
                    "{number}  {}{:width$}  {meaning}",
                    paint.strong(code),
                    "",
                    width = longest() - code.len()
                )?;
            }
        }
        Ok(())
    }
}

fn longest() -> usize {
    CATALOGUE.iter().map(|code| code.id.len()).max().unwrap_or_default()
}
