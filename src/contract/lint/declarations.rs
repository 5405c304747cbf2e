//! Whether names, globs, schemas, programs, references and signatures are declared so that they can work.

use std::collections::BTreeSet;

use super::super::diff::Number;
use super::super::model::{Contract, Format};
use super::super::pattern::Pattern;
use super::super::reference::Encoding;
use super::{Notes, Severity, entry, place};
use crate::document::{Pointer, json};
use crate::schema::Schema;
use crate::transform::{Groups, JqError, Program, Step};

pub(super) fn check(contract: &Contract, kinds: &BTreeSet<String>, notes: &mut Notes) {
    names(contract, notes);
    if contract.is_of_documents() {
        expected_of_documents(contract, notes);
    }
    must_compile(contract, notes);
    references(contract, kinds, notes);
    self_hashes(contract, notes);
    signature(contract, notes);
}

/// Globs, schemas and programs that cannot be made ready; the loader refuses them too.
pub(super) fn must_compile(contract: &Contract, notes: &mut Notes) {
    globs(contract, notes);
    schemas(contract, notes);
    programs(contract, notes);
}

fn names(contract: &Contract, notes: &mut Notes) {
    let plain = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-._".contains(letter)
    };
    if contract.contract.is_empty() || !contract.contract.chars().all(plain) {
        let message =
            format!("the name {:?} has other letters than a-z, 0-9, -, . and _", contract.contract);
        let help = "references and commands name the contract by it";
        notes.add("name", Severity::Error, place(&["contract"]), message, help);
    }
    if Number::parse(&contract.contract_version).is_none() {
        let message = format!("{:?} is not MAJOR.MINOR.PATCH", contract.contract_version);
        let help = "begin with 1.0.0; `contract diff` says which part to raise";
        notes.add("contract-version", Severity::Error, place(&["contract_version"]), message, help);
    }
}

fn expected_of_documents(contract: &Contract, notes: &mut Notes) {
    if contract.files.is_empty() {
        let message = "no `files`: no file of a tree is recognised as of this kind";
        let help = "give globs such as \"**/state.json\"";
        notes.add("no-files", Severity::Warning, place(&["contract"]), message, help);
    }
    if !contract.schemas.contains_key(&contract.current) {
        let message = format!(
            "no schema for the current version {:?}: results are not validated",
            contract.current
        );
        let help = "name a JSON Schema under `schemas`";
        notes.add("no-schema", Severity::Warning, place(&["current"]), message, help);
    }
    if contract.invariants.is_empty() && !contract.edges.is_empty() {
        let message =
            "no `invariants`: nothing is required to hold between a document before and after";
        let help = "say in jq on {source, target} what must stay the same";
        notes.add("no-invariants", Severity::Warning, place(&["edges"]), message, help);
    }
}

fn globs(contract: &Contract, notes: &mut Notes) {
    for (position, glob) in contract.files.iter().enumerate() {
        if let Err(error) = globset::Glob::new(glob) {
            let help = "see `files` in docs/schemas/contract.schema.json";
            notes.add("glob", Severity::Error, entry("files", position), error.to_string(), help);
        }
    }
}

fn schemas(contract: &Contract, notes: &mut Notes) {
    for (version, file) in &contract.schemas {
        // A file that is not there is a rule of the loader's.
        let Some(bytes) = contract.scripts.get(file) else { continue };
        if let Err(message) = schema_error(file, bytes) {
            let help = "schemas are JSON Schema, draft 2020-12, as strict JSON";
            notes.add("schema", Severity::Error, place(&["schemas", version]), message, help);
        }
    }
}

/// What is wrong with a schema.
fn schema_error(name: &str, bytes: &[u8]) -> Result<(), String> {
    let schema = json::read(bytes).map_err(|error| format!("{name}: {error}"))?.value;
    Schema::compile(name, &schema).map(drop).map_err(|error| error.to_string())
}

fn programs(contract: &Contract, notes: &mut Notes) {
    if let Some(file) = &contract.definitions {
        let found = notes.0.len();
        compile(contract, ".", place(&["definitions"]), &format!("{file}: "), notes);
        if notes.0.len() > found {
            // No program compiles with them, and none of those is wrong for it.
            return;
        }
    }
    for (position, invariant) in contract.invariants.iter().enumerate() {
        compile(contract, &invariant.expr, entry("invariants", position).below("expr"), "", notes);
    }
    let mut ids = BTreeSet::new();
    for (position, invariant) in contract.invariants.iter().enumerate() {
        if !ids.insert(&invariant.id) {
            let at = entry("invariants", position).below("id");
            let message = format!("the invariant {:?} stands twice", invariant.id);
            notes.add(
                "invariant",
                Severity::Error,
                at,
                message,
                "verdicts are recorded under its id",
            );
        }
    }
    for (position, edge) in contract.edges.iter().enumerate() {
        let at = entry("edges", position);
        of_steps(contract, &edge.steps, &at.below("steps"), notes);
        of_steps(
            contract,
            edge.inverse.as_deref().unwrap_or_default(),
            &at.below("inverse"),
            notes,
        );
    }
    of_steps(contract, &contract.normalize, &place(&["normalize"]), notes);
}

fn of_steps(contract: &Contract, steps: &[Step], at: &Pointer, notes: &mut Notes) {
    for (position, step) in steps.iter().enumerate() {
        let at = at.below(&position.to_string());
        match step {
            Step::Add(put) | Step::Set(put) | Step::Merge(put) => {
                let name = match step {
                    Step::Add(_) => "add",
                    Step::Set(_) => "set",
                    _ => "merge",
                };
                own_programs(
                    contract,
                    put.jq.as_ref(),
                    put.groups.as_ref(),
                    &at.below(name),
                    notes,
                );
            }
            Step::Jq(jq) => {
                let at = at.below("jq");
                jq.program
                    .iter()
                    .for_each(|text| compile(contract, text, at.below("program"), "", notes));
                let file =
                    jq.file.as_ref().and_then(|file| Some((file, contract.scripts.get(file)?)));
                if let Some((file, bytes)) = file {
                    let text = String::from_utf8_lossy(bytes);
                    compile(contract, &text, at.below("file"), &format!("{file}: "), notes);
                }
            }
            Step::Ensure(ensure) => {
                let at = at.below("ensure");
                own_programs(contract, ensure.jq.as_ref(), ensure.groups.as_ref(), &at, notes);
            }
            Step::Each(each) => {
                of_steps(contract, &each.steps, &at.below("each").below("steps"), notes);
            }
            Step::When(when) => {
                of_steps(contract, &when.steps, &at.below("when").below("steps"), notes);
            }
            _ => {}
        }
    }
}

/// The programs of a step at `at` that puts something.
fn own_programs(
    contract: &Contract,
    jq: Option<&String>,
    groups: Option<&Groups>,
    at: &Pointer,
    notes: &mut Notes,
) {
    let of_groups = groups.and_then(|groups| groups.jq.as_ref());
    let of_groups = of_groups.map(|text| (text, at.below("groups").below("jq")));
    let own = jq.map(|text| (text, at.below("jq")));
    for (text, at) in own.into_iter().chain(of_groups) {
        compile(contract, text, at, "", notes);
    }
}

fn compile(contract: &Contract, text: &str, at: Pointer, prefix: &str, notes: &mut Notes) {
    let definitions = contract.definitions_text().unwrap_or_default();
    let Err(error) = Program::with_definitions(text, definitions) else { return };
    let said = match &error {
        JqError::Program(said) => said.clone(),
        other => other.to_string(),
    };
    let (code, help) = if said.contains("would make the result depend") {
        ("not-deterministic", "give it what it needs from the document, or as one of `parameters`")
    } else {
        ("jq", "the program must compile before any document is touched")
    };
    notes.add(code, Severity::Error, at, format!("{prefix}{said}"), help);
}

fn references(contract: &Contract, kinds: &BTreeSet<String>, notes: &mut Notes) {
    for (position, reference) in contract.refs.iter().enumerate() {
        let at = entry("refs", position);
        let kind = &reference.to_kind;
        if !kinds.contains(kind) && *kind != contract.contract {
            let message = format!("there is no contract {kind:?} that the hash could be of");
            let help = "name a built-in contract or one of those given with this one";
            notes.add("unknown-kind", Severity::Error, at.below("to_kind"), message, help);
        }
        encoding(contract, reference.encoding, &at, notes);
    }
}

fn self_hashes(contract: &Contract, notes: &mut Notes) {
    for (position, own) in contract.self_hash.iter().enumerate() {
        let at = entry("self_hash", position);
        let left_out = |pattern: &Pattern| pattern.covers_pattern(&own.at);
        let lies_in_it = own.at.tokens().starts_with(own.of.tokens());
        if lies_in_it && !own.exclude.iter().any(left_out) {
            let message =
                format!("{} is not left out before hashing: no value there could be right", own.at);
            let help = "name the place itself under `exclude`";
            notes.add("self-hash", Severity::Error, at.clone(), message, help);
        }
        encoding(contract, own.encoding, &at, notes);
    }
}

fn encoding(contract: &Contract, encoding: Encoding, at: &Pointer, notes: &mut Notes) {
    if encoding == Encoding::Bytes && contract.format() != Some(Format::Cbor) {
        let message = format!("{} cannot hold byte strings", contract.format);
        let help = "bytes stand in CBOR only; elsewhere use hex, sha256-hex or base64";
        notes.add("encoding", Severity::Error, at.below("encoding"), message, help);
    }
}

fn signature(contract: &Contract, notes: &mut Notes) {
    let linked = !contract.refs.is_empty() || !contract.self_hash.is_empty();
    match &contract.signature {
        None if linked => {
            let part = if contract.refs.is_empty() { "self_hash" } else { "refs" };
            let message = "hashes are declared and no `signature`: objects that somebody signed would be rewritten";
            let help = "say where signatures stand: {at: [...], drop: false}; an object without one counts as unsigned";
            notes.add("no-signature", Severity::Warning, place(&[part]), message, help);
        }
        Some(signature) if signature.at.is_empty() => {
            let message = "`signature` names no place, so no object is ever signed";
            let help = "name the places, or leave `signature` out";
            notes.add("signature", Severity::Error, place(&["signature"]), message, help);
        }
        _ => {}
    }
}
