//! `prove`: what is seen of the migration of one document, as a proof beside it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use ledger_format::hash::{CommitHash, ContentHash};
use serde::Serialize;

use super::context::Context;
use super::documents::{self, Contracts, Settings, Working};
use super::output::{Answer, Done};
use super::terminal::{Paint, plain};
use super::words::count;
use super::{contracts, failure};
use crate::contract::{Contract, Source};
use crate::diagnostic::{Failure, NOTHING_HERE, PROPERTY_MISSING, USAGE};
use crate::document::{DOCUMENT_BYTES_MAX, json};
use crate::effects::{KernelSyncs, KeySigner};
use crate::migrate::MigrateError;
use crate::migrate::documents::{Noted, Outside, ProofNote, Refusal, note_proof};
use crate::migrate::proof::{DocumentMigration, Proof, Property, ProveError, Seen, keep, prove};
use crate::target::documents::Kinds;

/// Most documents that are generated for one proof.
const CASES_MAX: u64 = 1_000_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The document
    target: PathBuf,
    #[command(flatten)]
    by: By,
    /// See the same of this many documents, generated from the schema of the document's version
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=CASES_MAX))]
    cases: Option<u64>,
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
    /// Let steps run the external programs that the contract names
    #[arg(long)]
    allow_programs: bool,
}

#[derive(Serialize)]
pub(super) struct Proved {
    fingerprint: ContentHash,
    file: PathBuf,
    already_there: bool,
    recorded: bool,
    proof: Proof,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Proved>, Failure> {
    let Arguments { target, by, cases } = arguments;
    let care = Care::of(target, context)?;
    let migration = match &care {
        Some(care) if !by.is_given() => by.migration_by(care.contract(target)?, &care.settings)?,
        _ => by.migration()?,
    };
    let proof = proof_of(&migration, target, *cases)?;
    let kept = keep(&proof, target, &KernelSyncs)?;
    let recorded = match care {
        Some(care) => care.record(&proof, by, context)?,
        None => Err("the proof stands in its file, and in no ledger"),
    };
    let failure = missing(&proof);
    let file = kept.path.display().to_string();
    let mut done = Done::new(Proved {
        fingerprint: proof.fingerprint(),
        file: kept.path,
        already_there: kept.already,
        recorded: recorded.is_ok(),
        proof,
    });
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

/// A document that lies in a tree that a ledger has in its care.
struct Care {
    id: String,
    settings: Settings,
    signer: KeySigner,
}

impl Care {
    /// The ledger here, if it is one of documents and `target` lies in its tree. Whoever proves there must be able to sign.
    fn of(target: &Path, context: &Context) -> Result<Option<Self>, Failure> {
        let Some((dir, settings)) = documents::here(context)? else { return Ok(None) };
        let Ok(id) = documents::id_in(&documents::tree_of(&dir)?, target) else { return Ok(None) };
        Ok(Some(Self { id, settings, signer: context.signer()? }))
    }

    /// The contract that describes the document.
    fn contract(&self, target: &Path) -> Result<Contract, Failure> {
        let contracts = self.settings.contracts()?;
        let globs = contracts.iter().map(|of| (of.contract.as_str(), of.files.as_slice()));
        let kind = Kinds::of(globs).and_then(|kinds| kinds.of_file(&self.id));
        let kind = kind.map_err(|error| Failure::from(MigrateError::from(error)))?;
        let contract = kind.and_then(|kind| contracts.into_iter().nth(kind));
        contract.ok_or_else(|| {
            let told = "no contract of the ledger describes it: name one";
            Failure::new(&USAGE, told).at(target.display().to_string())
        })
    }

    /// Records a proof of the document, or says why not.
    fn record(
        self,
        proof: &Proof,
        by: &By,
        context: &Context,
    ) -> Result<Result<(), &'static str>, Failure> {
        let working = Working { allow_programs: by.allow_programs, jobs: Some(1) };
        let left = "the proof stands in its file, and is not recorded";
        let told = |failure: Failure| failure.not_done(left);
        let Some((mut open, _)) =
            documents::open(context, &working, Contracts::AtHand).map_err(told)?
        else {
            return Ok(Err(left));
        };
        let text = proof.to_json();
        let note = ProofNote {
            contract: proof.contract.digest,
            fingerprint: CommitHash::from_bytes(*proof.fingerprint().as_bytes()),
            bytes: text.as_bytes(),
            pass: proof.pass,
        };
        let noted = note_proof(&mut open, &self.id, note, &self.signer);
        Ok(match noted.map_err(|error| told(error.into()))? {
            Noted::Now | Noted::Before => Ok(()),
            Noted::OtherContract => Err("its contract is none of those that the ledger was given"),
        })
    }
}

/// The proof of the migration of the document in the file `target`.
pub(super) fn proof_of(
    migration: &DocumentMigration,
    target: &Path,
    cases: Option<u64>,
) -> Result<Proof, Failure> {
    let source = read(target)?;
    let place = target.display().to_string();
    prove(migration, &source, cases, &mut || read_again(target)).map_err(|error| {
        match (&error, migration.refusal(&source)) {
            (ProveError::Unsupported { .. }, Some(refusal)) => refused(refusal, &error, &place),
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

fn refused(refusal: Refusal, error: &ProveError, place: &str) -> Failure {
    let place = match refusal.path {
        Some(path) => format!("{place}, {path}"),
        None => place.to_owned(),
    };
    let failure = Failure::new(refusal.code, error.to_string()).at(place);
    failure.not_done("no proof was made, and nothing was written")
}

fn missing(proof: &Proof) -> Option<Failure> {
    if proof.pass {
        return None;
    }
    let mut words: Vec<String> =
        proof.missing().iter().map(|property| format!("{property} was not seen")).collect();
    words.extend(proof.errors.iter().cloned());
    if let Some(found) = proof.cases.as_ref().and_then(|cases| cases.counterexample.as_ref()) {
        let fails: Vec<_> = found.fails.iter().map(|property| property.name().to_owned()).collect();
        let why = if fails.is_empty() { &found.errors } else { &fails };
        words.push(format!("case {} fails: {}", found.case, why.join(", ")));
    }
    let failure = Failure::new(&PROPERTY_MISSING, words.join("; "));
    Some(failure.not_done("the proof was kept, and says that it does not pass"))
}

impl By {
    /// Whether a contract is named.
    pub(super) const fn is_given(&self) -> bool {
        self.contract.is_some()
    }

    /// As it was typed.
    fn words(&self) -> Vec<&str> {
        let contract = self.contract.iter().flat_map(|name| ["--contract", name]);
        let set = self.set.iter().flat_map(|given| ["--set", given]);
        contract.chain(set).chain(self.allow_programs.then_some("--allow-programs")).collect()
    }

    pub(super) fn migration(&self) -> Result<DocumentMigration, Failure> {
        let Some(name) = &self.contract else {
            let told = "name the contract that the document is migrated by";
            return Err(Failure::new(&USAGE, told).at("--contract"));
        };
        let contract = contracts::named(name).and_then(Source::judge);
        let contract = contract.map_err(|error| Failure::from(&error))?;
        let parameters =
            self.set.iter().map(|given| documents::parameter(given)).collect::<Result<_, _>>()?;
        let outside = Outside { parameters, allow_programs: self.allow_programs };
        DocumentMigration::of(contract, &outside).map_err(|error| Failure::from(&error))
    }

    /// By a contract of the ledger here, with the values that it was given, unless others are given now.
    fn migration_by(
        &self,
        contract: Contract,
        settings: &Settings,
    ) -> Result<DocumentMigration, Failure> {
        let known = settings.parameters();
        let known = known.filter(|(name, _)| contract.parameters.contains_key(name)).map(Ok);
        let given = self.set.iter().map(|given| documents::parameter(given));
        let parameters = known.chain(given).collect::<Result<_, _>>()?;
        let outside = Outside { parameters, allow_programs: self.allow_programs };
        DocumentMigration::of(contract, &outside).map_err(|error| Failure::from(&error))
    }
}

impl Answer for Proved {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Self { fingerprint, file, already_there, proof, .. } = self;
        let verdict = if proof.pass { paint.strong("proved") } else { paint.warning("not proved") };
        writeln!(out, "{verdict} {}", fingerprint.short())?;
        write_proof(proof, out)?;
        let there = if *already_there { ", which was there already" } else { "" };
        writeln!(out, "  kept in {}{there}", plain(&file.display().to_string()))
    }
}

/// What a proof says, for people.
pub(super) fn write_proof(proof: &Proof, out: &mut dyn Write) -> io::Result<()> {
    let contract = &proof.contract;
    writeln!(
        out,
        "  {} {}: {}",
        plain(&contract.name),
        plain(&contract.version),
        plain(&proof.chain.join(" -> "))
    )?;
    for property in Property::ALL {
        let seen = match proof.observed.of(property) {
            Seen::Holds => "yes",
            Seen::Fails => "no",
            Seen::NotApplicable => "not applicable",
        };
        let required = if proof.required.contains(&property) { "" } else { " (not required)" };
        writeln!(out, "  {:<24} {seen}{required}", property.name())?;
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
        writeln!(out, "  fails: {}", plain(&text))?;
    }
    Ok(())
}
