//! `prove`: what is seen of the migration of a document, or of every document of a folder, as proofs beside them.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use ledger_format::hash::ContentHash;
use serde::Serialize;

use super::care::Care;
use super::context::Context;
use super::documents::{self, LeavingOut};
use super::job;
use super::output::{Answer, Done};
use super::prove_scripts::{self, ProvedScripts};
use super::prove_tree::{self, ProvedTree};
use super::proving::{By, missing, proof_of, read, write_proof};
use super::terminal::{Paint, path_shown};
use crate::diagnostic::{Failure, USAGE};
use crate::effects::KernelSyncs;
use crate::migrate::Store;
use crate::migrate::proof::{Generated, Proof, keep};

/// Most documents that are generated for one proof.
const CASES_MAX: u64 = 1_000_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The document, or a folder of documents; nothing: the documents here that the ledger has in its care; nothing, or its file or
    /// folder: the migrations of the database or store in care here
    pub(super) target: Option<PathBuf>,
    #[command(flatten)]
    pub(super) by: By,
    #[command(flatten)]
    pub(super) leaving_out: LeavingOut,
    /// See the same of this many documents, generated from the schema of the document's version
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=CASES_MAX))]
    pub(super) cases: Option<u64>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answered {
    One(Box<Proved>),
    Tree(ProvedTree),
    Scripts(ProvedScripts),
}

#[derive(Serialize)]
pub(super) struct Proved {
    fingerprint: ContentHash,
    file: PathBuf,
    already_there: bool,
    recorded: bool,
    proof: Proof,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Answered>, Failure> {
    let Arguments { target, by, leaving_out, cases } = arguments;
    let target = match target {
        None if documents::here(context)?.is_some() => Some(PathBuf::from(".")),
        target => target.clone(),
    };
    let target = target.as_deref();
    if let Some(target) = target
        && !by.is_given()
        && let Some(store) = job::asked_for(target, context)?
    {
        return scripts(&store, arguments);
    }
    if let Some(target) = target
        && fs::metadata(target).is_ok_and(|found| found.is_dir())
    {
        let proved = prove_tree::run(target, by, leaving_out, Generated::of(*cases), context)?;
        return Ok(proved.map(Answered::Tree));
    }
    let Some(target) = target else { return scripts(&job::open(context)?, arguments) };
    leaving_out.must_be_none()?;
    let source = read(target)?;
    let mut care = Care::of(target, by, context)?;
    let generated = Generated::of(*cases);
    let proof = match &care {
        Some(care) if !by.is_given() => care.proof(target, &generated)?,
        _ => proof_of(&by.migration()?, target, &source, &generated)?,
    };
    let kept = keep(&proof, target, &KernelSyncs)?;
    let recorded = match &mut care {
        Some(care) => {
            let id = care.id(target)?;
            let noted = care.book.record(&[(&id, &proof)])?;
            noted.into_iter().next().unwrap_or(Ok(()))
        }
        None => Err("the proof stands in its file, and in no ledger"),
    };
    let failure = missing(&proof).map(|told| told.not_done(KEPT_FAILING));
    let file = kept.path.display().to_string();
    let mut done = Done::new(Answered::One(Box::new(Proved {
        fingerprint: proof.fingerprint(),
        file: kept.path,
        already_there: kept.already,
        recorded: recorded.is_ok(),
        proof,
    })));
    if let Err(why) = recorded {
        done = done.note(format!("not recorded: {why}"));
    }
    if let Some(failure) = failure {
        return Ok(done.found(failure));
    }
    let target = target.display().to_string();
    let mut verify = vec!["proof", "verify", &file, &target];
    verify.extend(by.words());
    Ok(done.next(&verify))
}

/// What is seen of a database's scripts, of which no documents are generated and which no other contract brings along.
fn scripts(store: &Store, arguments: &Arguments) -> Result<Done<Answered>, Failure> {
    let Arguments { by, leaving_out, cases, .. } = arguments;
    leaving_out.must_be_none()?;
    if by.is_given() || cases.is_some() {
        let told = "name the document or the folder that is to be proved";
        return Err(Failure::new(&USAGE, told).at("TARGET").next(["prove", "--help"]));
    }
    Ok(prove_scripts::run(store)?.map(Answered::Scripts))
}

const KEPT_FAILING: &str = "the proof was kept, and says that it does not pass";

impl Answer for Answered {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::One(proved) => proved.write(out, paint),
            Self::Tree(proved) => proved.write(out, paint),
            Self::Scripts(proved) => proved.write(out, paint),
        }
    }
}

impl Answer for Proved {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Self { fingerprint, file, already_there, proof, .. } = self;
        let verdict = if proof.pass { paint.strong("proved") } else { paint.warning("not proved") };
        writeln!(out, "{verdict} {}", fingerprint.short())?;
        write_proof(proof, out)?;
        let there = if *already_there { ", which was there already" } else { "" };
        writeln!(out, "  kept in {}{there}", path_shown(file))
    }
}
