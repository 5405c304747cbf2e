//! Hash links between documents: who names whom, in which order names can be computed, and how references follow when
//! what they name changes.
//!
//! The way of a set of objects: every object is taken into a [`Census`] with its names as it is, its own hashes checked;
//! every reference must lead to one of them. Then, round by round ([`Links::rounds`]), migrated values get their
//! references rewritten to the new names of what they refer to, their own hashes computed again, and their new names noted.
//!
//! Knows documents and declarations. Knows no file, no ledger and no version chain; what is signed it never rewrites.

mod census;
mod encoding;
mod error;
mod places;
mod preimage;
mod relink;
mod rounds;

pub use census::{Census, ObjectIndex, Successor};
pub use error::LinkError;
pub use preimage::Write;
pub use relink::{Found, Names, Subject};
pub use rounds::Round;

use ledger_format::hash::HASH_BYTES;

use crate::contract::{Contract, Pattern, Preimage, Reference, SelfHash, Signature};

/// A SHA-256, of whatever preimage.
pub type Hash = [u8; HASH_BYTES];

/// What the declarations of several kinds come to: how objects of each are named, and in which order.
#[derive(Debug, Clone)]
pub struct Links {
    kinds: Vec<Kind>,
    rounds: Vec<Round>,
}

/// A kind of object: what is declared of it, and under which hashes others refer to it.
#[derive(Debug, Clone)]
struct Kind {
    declared: Declared,
    namings: Vec<Naming>,
    /// For each of its references, the kind and the naming that it leads to.
    targets: Vec<Target>,
}

/// One way in which objects of a kind are named.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Naming {
    preimage: Preimage,
    exclude: Vec<Pattern>,
}

#[derive(Debug, Clone, Copy)]
struct Target {
    kind: usize,
    naming: usize,
}

/// The part of a contract that concerns hashes.
#[derive(Debug, Clone)]
struct Declared {
    kind: String,
    refs: Vec<Reference>,
    self_hash: Vec<SelfHash>,
    signature: Option<Signature>,
}

impl Links {
    /// Puts the declarations of contracts together. Refused are a kind declared twice, a reference to a kind that is not
    /// declared, what no hash can be computed of, and references that lead in a circle.
    pub fn of(contracts: &[&Contract]) -> Result<Self, LinkError> {
        let mut kinds: Vec<Kind> = Vec::new();
        for contract in contracts {
            check(contract)?;
            if kinds.iter().any(|kind| kind.declared.kind == contract.contract) {
                return Err(refused(contract, "the kind is declared twice"));
            }
            let declared = Declared {
                kind: contract.contract.clone(),
                refs: contract.refs.clone(),
                self_hash: contract.self_hash.clone(),
                signature: contract.signature.clone(),
            };
            kinds.push(Kind { declared, namings: Vec::new(), targets: Vec::new() });
        }
        for (from, contract) in contracts.iter().enumerate() {
            for reference in &contract.refs {
                let target = target(&mut kinds, reference).ok_or_else(|| {
                    let rule = format!("{} is no declared kind", reference.to_kind);
                    refused(contract, format!("refs {}: {rule}", reference.at))
                })?;
                if let Some(kind) = kinds.get_mut(from) {
                    kind.targets.push(target);
                }
            }
        }
        let rounds = rounds::order(&kinds)?;
        Ok(Self { kinds, rounds })
    }

    /// The rounds in which objects are linked again. Each concerns the objects of one kind; a kind comes up more than once
    /// only where an `exclude` breaks a circle.
    pub fn rounds(&self) -> &[Round] {
        &self.rounds
    }

    /// The kinds in the order in which they are done, each once.
    pub fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = Vec::new();
        for round in &self.rounds {
            let kind = self.kinds.get(round.kind).map(|kind| kind.declared.kind.as_str());
            kinds.extend(kind.filter(|kind| !kinds.contains(kind)));
        }
        kinds
    }

    /// The kind that a round concerns.
    pub fn kind_of(&self, round: &Round) -> &str {
        self.kinds.get(round.kind).map_or("", |kind| &kind.declared.kind)
    }

    fn kind(&self, name: &str) -> Result<(usize, &Kind), LinkError> {
        let found = self.kinds.iter().enumerate().find(|(_, kind)| kind.declared.kind == name);
        found.ok_or_else(|| LinkError::UnknownKind { kind: name.to_owned() })
    }
}

/// Where a reference leads; a way of naming that is new there is added.
fn target(kinds: &mut [Kind], reference: &Reference) -> Option<Target> {
    let place = kinds.iter().position(|kind| kind.declared.kind == reference.to_kind)?;
    let kind = kinds.get_mut(place)?;
    let naming =
        Naming { preimage: reference.preimage.clone(), exclude: reference.exclude.clone() };
    let known = kind.namings.iter().position(|known| *known == naming);
    let naming = known.unwrap_or_else(|| {
        kind.namings.push(naming);
        kind.namings.len() - 1
    });
    Some(Target { kind: place, naming })
}

/// Refuses declarations that no hash can be computed of.
fn check(contract: &Contract) -> Result<(), LinkError> {
    for reference in &contract.refs {
        let whole = matches!(reference.preimage, Preimage::FileBytes | Preimage::Stated(_));
        if whole && !reference.exclude.is_empty() {
            let (at, preimage) = (&reference.at, &reference.preimage);
            let rule = format!("refs {at}: nothing can be excluded from {preimage}");
            return Err(refused(contract, rule));
        }
    }
    for own in &contract.self_hash {
        if matches!(own.preimage, Preimage::FileBytes | Preimage::Stated(_)) {
            let (at, preimage) = (&own.at, &own.preimage);
            return Err(refused(contract, format!("self_hash {at}: {preimage} would hash itself")));
        }
    }
    Ok(())
}

fn refused(contract: &Contract, rule: impl Into<String>) -> LinkError {
    LinkError::Declared { kind: contract.contract.clone(), rule: rule.into() }
}

#[cfg(test)]
mod tests;
