//! `prove`: what is seen of the migration of a document, or of every document of a folder, as proofs beside them.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use ledger_format::hash::ContentHash;
use serde::Serialize;

use super::care::Care;
use super::context::Context;
use super::documents::{self, LeavingOut, Settings, Working};
use super::job;
use super::output::{Answer, Done};
use super::plan::must_be_of_documents;
use super::prove_scripts::{self, ProvedScripts};
use super::prove_tree::{self, ProvedTree};
use super::terminal::{Paint, one_line, path_shown};
use super::words::count;
use super::{contracts, failure};
use crate::contract::{Contract, ContractError, Source};
use crate::diagnostic::{Failure, NOTHING_HERE, PROPERTY_MISSING, USAGE};
use crate::document::{DOCUMENT_BYTES_MAX, Value, json};
use crate::effects::KernelSyncs;
use crate::migrate::documents::{DocumentsPolicy, Refusal};
use crate::migrate::proof::{
    DocumentMigration, Generated, Proof, Property, ProveError, Seen, keep, prove,
};

/// Most documents that are generated for one proof.
const CASES_MAX: u64 = 1_000_000;

/// Witnesses against a property that are shown to people.
const WITNESSES_SHOWN: usize = 3;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The document, or a folder of documents; none, or its file or folder: the migrations of the database or store in care here
    pub(super) target: Option<PathBuf>,
    #[command(flatten)]
    pub(super) by: By,
    #[command(flatten)]
    pub(super) leaving_out: LeavingOut,
    /// See the same of this many documents, generated from the schema of the document's version
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=CASES_MAX))]
    pub(super) cases: Option<u64>,
}

/// By which contract, and with what from outside.
#[derive(Debug, Args)]
pub(super) struct By {
    /// The contract: the name of one that is built in, or a file
    #[arg(long, value_name = "CONTRACT")]
    contract: Option<String>,
    /// A value that the contract's steps get from outside: JSON, or else a text
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    pub(super) working: Working,
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
    if let Some(target) = target
        && !by.is_given()
        && let Some(store) = job::asked_for(target, context)?
    {
        must_be_of_documents(leaving_out)?;
        return prove_scripts::run(arguments, &store);
    }
    if let Some(target) = target
        && fs::metadata(target).is_ok_and(|found| found.is_dir())
    {
        return prove_tree::run(arguments, target, context);
    }
    must_be_of_documents(leaving_out)?;
    let Some(target) = target else { return prove_scripts::run(arguments, &job::open(context)?) };
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

const KEPT_FAILING: &str = "the proof was kept, and says that it does not pass";

/// The proof of the migration of the document in the file `target`, whose bytes were `source`.
pub(super) fn proof_of(
    migration: &DocumentMigration,
    target: &Path,
    source: &[u8],
    generated: &Generated,
) -> Result<Proof, Failure> {
    let place = target.display().to_string();
    prove(migration, source, generated, &mut || read_again(target)).map_err(|error| {
        match (&error, migration.refusal(source)) {
            (ProveError::Unsupported { .. }, Some(refusal)) => {
                refused(&refusal, &error.to_string(), &place)
            }
            _ => Failure::from(error),
        }
    })
}

/// The bytes of a document: of a file, and of no more than a document may have.
pub(super) fn read(target: &Path) -> Result<Vec<u8>, Failure> {
    let place = target.display().to_string();
    let found = match fs::metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Failure::new(&NOTHING_HERE, format!("{place} is not there")).at(place));
        }
        found => found.map_err(failure::io(target))?,
    };
    if !found.is_file() {
        return Err(Failure::new(&USAGE, format!("{place} is no file")).at(place));
    }
    read_again(target).map_err(failure::io(target))
}

fn read_again(target: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more, so that a longer document is seen to be one.
    File::open(target)?.take(DOCUMENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What is said of a document that has no proof.
pub(super) fn refused(refusal: &Refusal, told: &str, place: &str) -> Failure {
    let place = match &refusal.path {
        Some(path) => format!("{place}, {path}"),
        None => place.to_owned(),
    };
    Failure::new(refusal.code, told)
        .at(place)
        .not_done("no proof was made of it, and nothing was written")
}

/// What a proof that does not pass lacks.
pub(super) fn missing(proof: &Proof) -> Option<Failure> {
    if proof.pass {
        return None;
    }
    let mut words: Vec<String> = proof.missing().into_iter().map(|of| against(proof, of)).collect();
    if words.is_empty() {
        words.extend(proof.errors.iter().cloned());
    }
    if let Some(found) = proof.cases.as_ref().and_then(|cases| cases.counterexample.as_ref()) {
        let fails: Vec<_> = found.fails.iter().map(|property| property.name().to_owned()).collect();
        let why = if fails.is_empty() { &found.errors } else { &fails };
        words.push(format!("case {} fails: {}", found.case, why.join(", ")));
    }
    Some(Failure::new(&PROPERTY_MISSING, words.join("; ")))
}

/// A property that was not seen, with the first thing that shows it.
fn against(proof: &Proof, property: Property) -> String {
    let witness = proof.witnesses.iter().find(|witness| witness.property == property);
    let shown = witness.map(|witness| match witness.path.tokens() {
        [] => format!(": {}", witness.told),
        _ => format!(": {}: {}", witness.path, witness.told),
    });
    format!("{property} was not seen{}", shown.unwrap_or_default())
}

impl By {
    /// Whether a contract is named.
    pub(super) const fn is_given(&self) -> bool {
        self.contract.is_some()
    }

    /// The contract that is named.
    pub(super) fn contracts(&self) -> Vec<String> {
        self.contract.iter().cloned().collect()
    }

    /// As it was typed.
    pub(super) fn words(&self) -> Vec<&str> {
        let contract = self.contract.iter().flat_map(|name| ["--contract", name]);
        let set = self.set.iter().flat_map(|given| ["--set", given]);
        let programs = self.working.allow_programs.then_some("--allow-programs");
        contract.chain(set).chain(programs).collect()
    }

    /// What a run would be allowed, with the values given now instead of those that are known.
    pub(super) fn policy(
        &self,
        known: impl Iterator<Item = (String, Value)>,
        contracts: &[Contract],
    ) -> Result<DocumentsPolicy, Failure> {
        let mut policy = self.own_policy(known);
        for given in &self.set {
            let (name, value) = documents::parameter(given)?;
            if !contracts.iter().any(|contract| contract.parameters.contains_key(&name)) {
                let rule = format!("no contract has a parameter {name:?}");
                return Err(Failure::from(&ContractError::rule("--set", rule)));
            }
            policy.parameters.insert(name, value);
        }
        Ok(policy)
    }

    /// The same with the values that are known, and none given now.
    pub(super) fn own_policy(
        &self,
        known: impl Iterator<Item = (String, Value)>,
    ) -> DocumentsPolicy {
        let allow_programs = self.working.allow_programs;
        DocumentsPolicy { allow_loss: true, allow_programs, parameters: known.collect() }
    }

    /// By the contract that is named, without a ledger.
    pub(super) fn migration(&self) -> Result<DocumentMigration, Failure> {
        let Some(name) = &self.contract else {
            let told = "name the contract that the document is migrated by";
            return Err(Failure::new(&USAGE, told).at("--contract"));
        };
        let contract = contracts::named(name).and_then(Source::judge);
        let contract = contract.map_err(|error| Failure::from(&error))?;
        let policy = self.policy(std::iter::empty(), std::slice::from_ref(&contract))?;
        DocumentMigration::of(contract, &policy).map_err(|error| Failure::from(&error))
    }

    /// What describes documents that no ledger has in its care.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        documents::Described { contract: self.contracts(), set: self.set.clone() }.settings()
    }
}

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

/// What a proof says, for people.
pub(super) fn write_proof(proof: &Proof, out: &mut dyn Write) -> io::Result<()> {
    let contract = &proof.contract;
    writeln!(
        out,
        "  {} {}: {}",
        one_line(&contract.name),
        one_line(&contract.version),
        one_line(&proof.chain.join(" -> "))
    )?;
    for property in Property::ALL {
        let seen = match proof.observed.of(property) {
            Seen::Holds => "yes",
            Seen::Fails => "no",
            Seen::NotApplicable => "not applicable",
        };
        let required = if proof.required.contains(&property) { "" } else { " (not required)" };
        writeln!(out, "  {:<24} {seen}{required}", property.name())?;
        write_witnesses(proof, property, out)?;
    }
    if proof.loss.values > 0 {
        writeln!(out, "  loses {}", count(proof.loss.values, "value"))?;
    }
    let Some(cases) = &proof.cases else { return Ok(()) };
    writeln!(out, "  {} of {} looked at", cases.checked, count(cases.asked, "generated document"))?;
    if let Some(found) = &cases.counterexample {
        let style = json::Style {
            indent: None,
            end: "".into(),
            comma: " ".into(),
            ..json::Style::default()
        };
        let text = json::write(&found.document, &style).unwrap_or_else(|_| "(bytes)".to_owned());
        writeln!(out, "  fails: {}", one_line(&text))?;
    }
    Ok(())
}

fn write_witnesses(proof: &Proof, property: Property, out: &mut dyn Write) -> io::Result<()> {
    let witnesses: Vec<_> =
        proof.witnesses.iter().filter(|witness| witness.property == property).collect();
    for witness in witnesses.iter().take(WITNESSES_SHOWN) {
        let place = match witness.path.tokens() {
            [] => String::new(),
            _ => format!("{}  ", one_line(&witness.path.to_string())),
        };
        writeln!(out, "    {place}{}", one_line(&witness.told))?;
    }
    match witnesses.len().saturating_sub(WITNESSES_SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more"),
    }
}
