//! `proof verify`: whether a proof is what was written, and whether the same is seen again.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ledger_format::hash::ContentHash;
use serde::Serialize;

use super::output::{Answer, Done};
use super::prove::{self, write_proof};
use super::terminal::Paint;
use crate::diagnostic::{Failure, NOT_PROVED_AGAIN, PROOF_FOREIGN};
use crate::migrate::proof::{Proof, differences, load};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Check that a proof is whole and unedited, and with document and contract that it is true.
    Verify(Arguments),
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The proof
    file: PathBuf,
    /// The document it was made of, as it was before
    target: Option<PathBuf>,
    #[command(flatten)]
    by: prove::By,
}

#[derive(Serialize)]
pub(super) struct Verified {
    fingerprint: ContentHash,
    /// Whether everything was seen again.
    proved_again: bool,
    /// Fields in which what was seen now differs.
    differs: Vec<&'static str>,
    proof: Proof,
}

pub(super) fn run(arguments: &Arguments) -> Result<Done<Verified>, Failure> {
    let Arguments { file, target, by } = arguments;
    let proof = load(file).map_err(|error| Failure::from(error).not_done(NOT_BELIEVED))?;
    let source = match target {
        Some(target) => is_source(&proof, target)?,
        None => false,
    };
    let mut failure = Some(not_again(target.is_some() && !source));
    let mut differs = Vec::new();
    if let (Some(target), true, true) = (target, by.is_given(), source) {
        let cases = proof.cases.as_ref().map(|cases| cases.asked);
        differs = differences(&proof, &prove::proof_of(&by.migration()?, target, cases)?);
        failure = (!differs.is_empty()).then(|| {
            let told = format!("proved again, this comes out otherwise: {}", differs.join(", "));
            Failure::new(&PROOF_FOREIGN, told).not_done(NOT_BELIEVED)
        });
    }
    let (fingerprint, proved_again) = (proof.fingerprint(), failure.is_none());
    let done = Done::new(Verified { fingerprint, proved_again, differs, proof });
    Ok(match failure {
        Some(failure) => done.found(failure),
        None => done,
    })
}

/// Whether the document in `target` is what the proof was made of; false if it is what that became. Anything else is
/// another document.
fn is_source(proof: &Proof, target: &Path) -> Result<bool, Failure> {
    let found = ContentHash::of(&prove::read(target)?);
    if found == proof.source || found == proof.result {
        return Ok(found == proof.source);
    }
    let told = format!("the proof is of {}, the document is {found}", proof.source);
    let failure = Failure::new(&PROOF_FOREIGN, told).at(target.display().to_string());
    Err(failure.not_done(NOT_BELIEVED))
}

fn not_again(migrated_since: bool) -> Failure {
    let told = if migrated_since {
        "the document was migrated since, as the proof says, and cannot be proved again"
    } else {
        "without the document and the contract, what the proof says was not seen again"
    };
    Failure::new(&NOT_PROVED_AGAIN, told).not_done("the proof itself is whole")
}

const NOT_BELIEVED: &str = "the proof was not found to be true";

impl Answer for Verified {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let again = if self.proved_again { "seen again" } else { "whole" };
        writeln!(
            out,
            "{}",
            paint.strong(format_args!("proof {} {again}", self.fingerprint.short()))
        )?;
        write_proof(&self.proof, out)?;
        writeln!(out, "  {}", if self.proof.pass { "it passes" } else { "it does not pass" })
    }
}
