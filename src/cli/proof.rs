//! `proof verify`: whether proofs are what was written, and whether the same is seen again. Proofs about events are made and read
//! next door.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ledger_format::hash::ContentHash;
use serde::Serialize;

use super::care::Care;
use super::consistency::{self, Consistent};
use super::context::Context;
use super::inclusion::{self, Included};
use super::keys::public_key;
use super::output::{Answer, Done};
use super::proof_folder::{self, VerifiedAll};
use super::proving::{By, NOT_BELIEVED, differ, is_proof, proof_of, read, write_proof};
use super::terminal::Paint;
use crate::diagnostic::{Failure, NOT_PROVED_AGAIN, PROOF_FOREIGN, USAGE};
use crate::migrate::proof::{Generated, Proof, differences, load};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Check that proofs are whole and unedited, and with document and contract that they are true; of an event, that
    /// it is under the head of a key.
    Verify(Arguments),
    /// Prove that an event is in the ledger, to somebody who does not have that.
    Inclusion(inclusion::Inclusion),
    /// Prove that an earlier state of the ledger is the beginning of a later one.
    Consistency(consistency::Between),
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The proof, and the document it was made of, as it was before; or several proofs, or a folder of documents with
    /// proofs beside them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The public key that is to have signed the head of a proof about an event, or of one that a ledger continues another: a file, or
    /// itself; several may be named
    #[arg(long, value_name = "PUBLIC_KEY")]
    signer: Vec<String>,
    #[command(flatten)]
    by: By,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answered {
    One(Box<Verified>),
    All(VerifiedAll),
    Event(Box<Included>),
    Consistent(Box<Consistent>),
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

pub(super) fn run(verb: &Verb, context: &Context) -> Result<Done<Answered>, Failure> {
    match verb {
        Verb::Verify(arguments) => verify(arguments, context),
        Verb::Inclusion(arguments) => {
            let done = inclusion::include(arguments, context)?;
            Ok(done.map(|included| Answered::Event(Box::new(included))))
        }
        Verb::Consistency(arguments) => {
            let done = consistency::connect(arguments, context)?;
            Ok(done.map(|found| Answered::Consistent(Box::new(found))))
        }
    }
}

fn verify(arguments: &Arguments, context: &Context) -> Result<Done<Answered>, Failure> {
    let Arguments { files, signer, by } = arguments;
    let signers = || signer.iter().map(|key| public_key(key)).collect::<Result<Vec<_>, _>>();
    if let [file] = files.as_slice() {
        if inclusion::is_one(file) {
            let done = inclusion::verify(file, &signers()?, context)?;
            return Ok(done.map(|included| Answered::Event(Box::new(included))));
        }
        if consistency::is_one(file) {
            let done = consistency::verify(file, &signers()?, context)?;
            return Ok(done.map(|found| Answered::Consistent(Box::new(found))));
        }
    }
    if !signer.is_empty() {
        let told = "only proofs with heads are signed: one at a time, as `proof inclusion` and `proof consistency` write them";
        return Err(Failure::new(&USAGE, told).at("--signer"));
    }
    let (proof, target) = match files.as_slice() {
        [proof] if !proof.is_dir() => (proof, None),
        [proof, target] if !proof.is_dir() && !is_proof(target) => (proof, Some(target)),
        _ => return Ok(proof_folder::run(files, by, context)?.map(Answered::All)),
    };
    one(proof, target.map(PathBuf::as_path), by, context)
}

fn one(
    file: &Path,
    target: Option<&Path>,
    by: &By,
    context: &Context,
) -> Result<Done<Answered>, Failure> {
    let proof = load(file).map_err(|error| Failure::from(error).not_done(NOT_BELIEVED))?;
    let source = match target {
        Some(target) => is_source(&proof, target)?,
        None => false,
    };
    let mut failure = Some(not_again(target.is_some() && !source));
    let mut differs = Vec::new();
    if let (Some(target), true) = (target, source)
        && let Some(anew) = anew(&proof, target, by, context)?
    {
        differs = differences(&proof, &anew);
        failure = differ(&differs);
    }
    let (fingerprint, proved_again) = (proof.fingerprint(), failure.is_none());
    let verified = Verified { fingerprint, proved_again, differs, proof };
    let done = Done::new(Answered::One(Box::new(verified)));
    Ok(match failure {
        Some(failure) => done.found(failure),
        None => done,
    })
}

/// The proof of the document `target` made now: by the contract that is named, or by that of the ledger which has the
/// document in its care; nothing where there is neither.
fn anew(
    proof: &Proof,
    target: &Path,
    by: &By,
    context: &Context,
) -> Result<Option<Proof>, Failure> {
    let generated = Generated::of(proof.cases.as_ref().map(|cases| cases.asked));
    if by.is_given() {
        let source = read(target)?;
        return proof_of(&by.migration()?, target, &source, &generated).map(Some);
    }
    let care = Care::of(target, by, context)?;
    care.map(|care| care.proof(target, &generated)).transpose()
}

/// Whether the document in `target` is what the proof was made of; false if it is what that became. Anything else is
/// another document.
fn is_source(proof: &Proof, target: &Path) -> Result<bool, Failure> {
    if fs::metadata(target).is_ok_and(|found| found.is_dir()) {
        return Err(
            Failure::new(&USAGE, "a folder is no document").at(target.display().to_string())
        );
    }
    let found = ContentHash::of(&read(target)?);
    if found == proof.source || Some(found) == proof.result {
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

impl Answer for Answered {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::One(verified) => verified.write(out, paint),
            Self::All(verified) => verified.write(out, paint),
            Self::Event(included) => included.write(out, paint),
            Self::Consistent(consistent) => consistent.write(out, paint),
        }
    }
}

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
