//! `contract lint`: what is wrong or doubtful about contracts.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use super::words::count;
use crate::contract::{ContractError, Finding, Severity, Source, lint, registry};
use crate::diagnostic::{CONTRACT_INVALID, Failure};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The contracts; references of one may lead to another
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
pub(super) struct Linted {
    files: Vec<PathBuf>,
    errors: u64,
    warnings: u64,
    findings: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    code: &'static str,
    severity: Severity,
    file: String,
    line: Option<u64>,
    column: Option<u64>,
    message: String,
    help: &'static str,
}

pub(super) fn run(arguments: &Arguments) -> Result<Done<Linted>, Failure> {
    let mut findings = Vec::new();
    let mut sources = Vec::new();
    for file in &arguments.files {
        match Source::read(file) {
            Ok(source) => sources.push(source),
            Err(error @ ContractError::Io { .. }) => return Err(error.into()),
            Err(error) => findings.extend(Finding::of(&error)),
        }
    }
    let mut kinds: BTreeSet<String> = registry::names().map(str::to_owned).collect();
    kinds.extend(sources.iter().map(|source| source.contract.contract.clone()));
    findings.extend(sources.iter().flat_map(|source| lint(source, &kinds)));
    let number =
        |severity| findings.iter().filter(|finding| finding.severity == severity).count() as u64;
    let (errors, warnings) = (number(Severity::Error), number(Severity::Warning));
    let first = findings.iter().find(|finding| finding.severity == Severity::Error);
    let failure = first.map(|first| {
        let message = format!("{}, the first: {}", count(errors, "error"), first.message);
        Failure::new(&CONTRACT_INVALID, message).at(first.at.to_string())
    });
    let files = arguments.files.clone();
    let findings = findings.into_iter().map(Found::of).collect();
    let done = Done::new(Linted { files, errors, warnings, findings });
    Ok(match failure {
        None => done,
        Some(failure) => done.found(failure),
    })
}

impl Found {
    fn of(finding: Finding) -> Self {
        let Finding { code, severity, at, message, help } = finding;
        let (line, column) = at.line_column.unzip();
        Self { code, severity, file: at.file, line, column, message, help }
    }

    fn place(&self) -> String {
        match (self.line, self.column) {
            (Some(line), Some(column)) => format!("{}:{line}:{column}", self.file),
            _ => self.file.clone(),
        }
    }
}

impl Answer for Linted {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        for finding in &self.findings {
            let kind = match finding.severity {
                Severity::Error => paint.error(format_args!("error[{}]", finding.code)),
                Severity::Warning => paint.warning(format_args!("warning[{}]", finding.code)),
            };
            writeln!(
                out,
                "{}: {kind}: {}",
                one_line(&finding.place()),
                one_line(&finding.message)
            )?;
            writeln!(out, "  help: {}", finding.help)?;
        }
        let files = count(self.files.len() as u64, "contract");
        let (errors, warnings) = (count(self.errors, "error"), count(self.warnings, "warning"));
        writeln!(out, "{files}, {errors}, {warnings}")
    }
}
