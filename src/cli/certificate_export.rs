//! `migration certificate export`: the certificate of a run as a file for whoever does not have the ledger.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use ledger_format::bundle::Bundle;
use ledger_format::hash::{CommitHash, EventId, KeyId, LedgerId};
use ledger_format::statement::{CLAIMS_MAX, Claims, claims_list, read_claims_list};
use serde::Serialize;

use super::context::{Context, with_cosignatures};
use super::failure;
use super::new_file::NewFile;
use super::output::{Answer, Done};
use super::terminal::{Paint, path_shown};
use super::trace::{WhichRun, word};
use super::words::count;
use crate::diagnostic::{Failure, USAGE};
use crate::effects::Signer as _;
use crate::evidence::{CommittedRun, certify};
use crate::migrate::account::claimed;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: WhichRun,
    /// Write the bundle to this file; an earlier bundle that nobody changed gives way
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the claims to this file, where there are more than a bundle holds
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
}

/// A certificate that was written.
#[derive(Serialize)]
pub(super) struct Exported {
    ledger: LedgerId,
    run: EventId,
    certificate: CommitHash,
    objects: u64,
    /// Of the head that the evidence is under.
    size: u64,
    signer: KeyId,
    /// The bundle, where it was not written to a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<String>,
    #[serde(skip)]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Exported>, Failure> {
    let Arguments { which, output, claims: list } = arguments;
    for path in output.iter().chain(list) {
        context.must_lie_outside(path)?;
    }
    let file = output.as_deref().map(|path| NewFile::at(path, is_bundle)).transpose()?;
    let list_file = list.as_deref().map(|path| NewFile::at(path, is_list)).transpose()?;
    let signer = context.signer()?;
    let ledger = context.open()?;
    let span = which.find(&ledger)?;
    let Some((certificate, claims)) = claimed(&ledger, &span)? else {
        let (run, word) = (span.run.short(), word(span.outcome));
        let told = format!("run {run} is {word}; only a run that was committed has a certificate");
        return Err(Failure::new(&USAGE, told));
    };
    let run = CommittedRun { id: span.run, first: span.first, certificate, claims };
    let head = with_cosignatures(ledger.head())?;
    let certified = certify(&ledger, run, &signer, &head)?;
    match (&certified.statement.claims, list_file, list) {
        (Claims::Listed { .. }, Some(file), Some(path)) => {
            write(file, path, claims_list(&certified.claims).as_bytes())?;
        }
        (Claims::Listed { count, .. }, _, _) => {
            let told = format!(
                "a bundle holds {CLAIMS_MAX} claims and the run made {count}: say where their list is to stand"
            );
            return Err(Failure::new(&USAGE, told).at("--claims"));
        }
        (Claims::Here(_), None, _) | (Claims::Here(_), _, None) => {}
        (Claims::Here(_), Some(_), Some(_)) => {
            let told = "the bundle has all claims in it; there is no list of them";
            return Err(Failure::new(&USAGE, told).at("--claims"));
        }
    }
    let bytes = certified.bundle.encode();
    if let (Some(file), Some(path)) = (file, output) {
        write(file, path, &bytes)?;
    }
    let bundle = output.is_none().then(|| String::from_utf8_lossy(&bytes).into_owned());
    Ok(Done::new(Exported {
        ledger: ledger.id(),
        run: span.run,
        certificate,
        objects: certified.statement.claims.count(),
        size: certified.statement.head.head().size,
        signer: signer.key_id(),
        bundle,
        output: output.clone(),
    }))
}

fn write(file: NewFile<'_>, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    file.make(0o644, |out| out.write_all(bytes).map_err(failure::io(path)))
}

fn is_bundle(bytes: &[u8]) -> bool {
    Bundle::parse(bytes).is_ok()
}

fn is_list(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| read_claims_list(text).is_some())
}

impl Answer for Exported {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        if let Some(bundle) = &self.bundle {
            return out.write_all(bundle.as_bytes());
        }
        let told = format!("certificate of run {}", self.run.short());
        writeln!(out, "{}", paint.strong(told))?;
        writeln!(
            out,
            "  certificate  {}, over {}",
            self.certificate,
            count(self.objects, "object")
        )?;
        writeln!(out, "  signer       {}", self.signer)?;
        writeln!(out, "  under        the head over {}", count(self.size, "event"))?;
        writeln!(out, "  ledger       {}", self.ledger)?;
        match &self.output {
            Some(path) => writeln!(out, "written to {}", path_shown(path)),
            None => Ok(()),
        }
    }
}
