//! What commands about proofs of documents share: by which contract a document is migrated, making a proof of one, and
//! saying what a proof says. Knows no answer of theirs.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::Path;

use clap::Args;
use ledger_format::hash::ContentHash;

use super::documents::{self, Settings, Working};
use super::terminal::one_line;
use super::words::count;
use super::{contracts, failure};
use crate::contract::{Contract, ContractError, Source};
use crate::diagnostic::{Failure, NOTHING_HERE, PROOF_FOREIGN, PROPERTY_MISSING, USAGE};
use crate::document::{DOCUMENT_BYTES_MAX, Value, json};
use crate::migrate::documents::{DocumentsPolicy, Refusal};
use crate::migrate::proof::{
    DocumentMigration, Generated, Proof, Property, ProveError, Seen, prove,
};

/// Witnesses against a property that are shown to people.
const WITNESSES_SHOWN: usize = 3;

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

/// Whether a file or folder is named as proofs are, so that it is not meant as the document of one.
pub(super) fn is_proof(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let json = path.extension().is_some_and(|extension| extension == "json");
    path.is_dir() || json && stem.parse::<ContentHash>().is_ok()
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

/// What is said of a proof that was made anew and came out otherwise.
pub(super) fn differ(differs: &[&'static str]) -> Option<Failure> {
    let told = || format!("proved again, this comes out otherwise: {}", differs.join(", "));
    (!differs.is_empty()).then(|| Failure::new(&PROOF_FOREIGN, told()).not_done(NOT_BELIEVED))
}

/// What is not so of a proof that is not what it should be.
pub(super) const NOT_BELIEVED: &str = "the proof was not found to be true";

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
