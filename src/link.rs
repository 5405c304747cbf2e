//! Hash links between documents: who names whom, in which order names can be computed, and how references follow when
//! what they name changes.
//!
//! The way of a set of objects: every object is taken into a [`Census`] with its names as it is, its own hashes checked;
//! every reference must lead to one of them. Then ([`Links::link_again`]), each object after those that it names, migrated
//! values get their references rewritten to the new names of what they refer to, their own hashes computed again, and their
//! new names noted.
//!
//! Knows documents and declarations. Knows no file, no ledger and no version chain; what is signed it never rewrites.

mod census;
mod encoding;
mod error;
mod former;
mod places;
mod preimage;
mod relink;
mod rounds;
mod sequence;

pub use census::{Census, ObjectIndex, Renaming, Successor};
pub use error::LinkError;
pub use former::former_names;
pub use preimage::Write;
pub use relink::{Found, Linked, Names, Subject};

use ledger_format::body::RENAMED_MAX;
use ledger_format::hash::HASH_BYTES;

use self::rounds::Work;
use crate::contract::{Contract, Pattern, Preimage, Reference, SelfHash, Signature};

/// A SHA-256, of whatever preimage.
pub type Hash = [u8; HASH_BYTES];

/// What the declarations of several kinds come to: how objects of each are named, and in which order.
#[derive(Debug, Clone)]
pub struct Links {
    kinds: Vec<Kind>,
    /// The kinds in the order in which they can be done.
    order: Vec<usize>,
}

/// A kind of object: what is declared of it, and under which hashes others refer to it.
#[derive(Debug, Clone)]
struct Kind {
    declared: Declared,
    namings: Vec<Naming>,
    /// For each of its references, the kind and the naming that it leads to.
    targets: Vec<Target>,
    /// What is to be done with each of its objects.
    work: Work,
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
    /// declared, what no hash can be computed of, and references that lead in a circle through several kinds. A kind may
    /// refer to itself; whether its objects lead in a circle is seen in [`Links::link_again`].
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
            let (namings, targets, work) = (Vec::new(), Vec::new(), Work::default());
            kinds.push(Kind { declared, namings, targets, work });
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
        for (kind, contract) in kinds.iter_mut().zip(contracts) {
            kind.name_by_own_hashes();
            check_namings(kind, contract)?;
        }
        let (works, order) = rounds::order(&kinds)?;
        for (kind, work) in kinds.iter_mut().zip(works) {
            kind.work = work;
        }
        Ok(Self { kinds, order })
    }

    /// The kinds of which others have the hashes first, as far as one kind can be done before another.
    pub fn kinds(&self) -> Vec<&str> {
        let kinds = self.order.iter().filter_map(|kind| self.kinds.get(*kind));
        kinds.map(|kind| kind.declared.kind.as_str()).collect()
    }

    fn kind(&self, name: &str) -> Result<(usize, &Kind), LinkError> {
        let found = self.kinds.iter().enumerate().find(|(_, kind)| kind.declared.kind == name);
        found.ok_or_else(|| LinkError::UnknownKind { kind: name.to_owned() })
    }
}

impl Kind {
    /// What an object says of itself others may name it by, whether or not somebody does here.
    fn name_by_own_hashes(&mut self) {
        for own in &self.declared.self_hash {
            let place = own.at.as_pointer();
            if place.tokens().iter().any(|token| token == places::EACH) {
                continue;
            }
            let preimage = Preimage::Stated(place.clone());
            let naming = Naming { preimage, exclude: Vec::new() };
            if !self.namings.contains(&naming) {
                self.namings.push(naming);
            }
        }
    }
}

/// Longest texts of all namings of a kind together, in bytes: an event lists them, with the hashes, and has 4,096.
const NAMINGS_BYTES_MAX: usize = 1_024;

/// Refuses more ways of naming than an event can tell of.
fn check_namings(kind: &Kind, contract: &Contract) -> Result<(), LinkError> {
    let bytes: usize = kind.namings.iter().map(|one| one.preimage.to_string().len()).sum();
    let count = kind.namings.len();
    if count > RENAMED_MAX || bytes > NAMINGS_BYTES_MAX {
        let rule = format!(
            "its objects are named in {count} ways of {bytes} bytes, at most {RENAMED_MAX} and {NAMINGS_BYTES_MAX}"
        );
        return Err(refused(contract, rule));
    }
    Ok(())
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
