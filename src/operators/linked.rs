//! Several objects that refer to each other by hash, migrated together in memory.

use super::ErrorRecord;
use super::migrate::{Job, contracts};
use crate::contract::{Contract, ContractError, Edge};
use crate::diagnostic::{self, Failure};
use crate::document::{Document, Value};
use crate::link::{
    Census, LinkError, Linked, Links, Names, ObjectIndex, Subject, Successor, former_names,
};
use crate::transform::{self, Parameters, Programs};

/// An object of a set.
#[derive(Debug, Clone)]
pub struct Member {
    /// What it is called, in messages and results.
    pub id: String,
    /// The built-in contract that describes it.
    pub contract: String,
    /// The object as it is.
    pub document: Document,
    /// Its bytes as they are.
    pub bytes: Vec<u8>,
    /// What it was called before, as a ledger has it (`migrate::documents::Former`); what its steps lead back to is found
    /// without.
    pub former: Option<Names>,
}

/// What became of an object, which all stand in the order of the members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is of its contract's current version now.
    Migrated {
        /// The version that it was of.
        from: String,
        /// What it says now.
        value: Value,
    },
    /// Somebody signed it, so it stays; what its references lead to now is told beside it.
    Signed(Vec<Successor>),
}

/// An object that refuses the set. Nothing of the set counts then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{id} {record}")]
pub struct LinkedError {
    /// The object.
    pub id: String,
    /// Why.
    pub record: ErrorRecord,
}

/// Migrates every member to the current version of its contract and links them again. Refused by name are stale, dangling
/// and ambiguous references, and whatever one of the objects refuses.
pub fn migrate_linked(
    members: &[Member],
    parameters: &Parameters,
) -> Result<Vec<Outcome>, LinkedError> {
    let contracts = contracts().map_err(|error| defect(&error))?;
    let links = Links::of(&contracts.iter().collect::<Vec<_>>());
    let links = links.map_err(|error| refusal("", &error))?;
    let mut set = Set { contracts: &contracts, links, census: Census::new(), parameters };
    let mut found = Vec::new();
    for member in members {
        found.push(set.take(member)?);
    }
    for (member, found) in members.iter().zip(&found) {
        set.check(member, found)?;
    }
    let mut values = Vec::new();
    for (member, found) in members.iter().zip(&found) {
        values.push(set.migrate(member, found)?);
    }
    set.link_again(members, &found, &mut values)?;
    let outcomes = members.iter().zip(&found).zip(values);
    outcomes.map(|((member, found), value)| set.outcome(member, found, value)).collect()
}

struct Set<'a> {
    contracts: &'a [Contract],
    links: Links,
    census: Census,
    parameters: &'a Parameters,
}

/// What was found out about a member.
struct Found<'a> {
    contract: &'a Contract,
    version: &'a str,
    index: ObjectIndex,
    signed: bool,
}

impl<'a> Set<'a> {
    fn take(&mut self, member: &Member) -> Result<Found<'a>, LinkedError> {
        let contracts = self.contracts;
        let contract = contracts.iter().find(|contract| contract.contract == member.contract);
        let contract = contract.ok_or_else(|| {
            refusal(&member.id, &LinkError::UnknownKind { kind: member.contract.clone() })
        })?;
        let value = &member.document.value;
        let version = crate::contract::detect_document(contract, value);
        let version = version.map_err(|error| failed(member, &Failure::from(&error)))?;
        let subject = subject(member, version);
        let refuse = |error: LinkError| refusal(&member.id, &error);
        self.links.check_self(subject, value).map_err(refuse)?;
        let names = self.links.names(subject, &member.bytes, value).map_err(refuse)?;
        let index = self.census.add(&self.links, &member.contract, &member.id, names);
        let index = index.map_err(refuse)?;
        let signed = self.links.is_signed(&member.contract, value).map_err(refuse)?;
        let recorded = member.former.iter().cloned();
        for names in recorded.chain(self.former_names(contract, member, version)) {
            self.census.add_former(&self.links, &member.contract, index, &names).map_err(refuse)?;
        }
        Ok(Found { contract, version, index, signed })
    }

    /// The names that an object had in older versions, as far as its steps can be taken back.
    fn former_names(&self, contract: &Contract, member: &Member, version: &str) -> Vec<Names> {
        let take_back = |edge: &Edge, value: &mut Value| {
            let back = edge.inverse.clone().or_else(|| transform::inverse(&edge.steps));
            let Some(back) = back else { return false };
            let programs = Programs::with_files(&back, &contract.scripts);
            let programs =
                programs.map(|programs| programs.with_parameters(self.parameters.clone()));
            programs.is_ok_and(|programs| transform::apply(&back, &programs, value).is_ok())
        };
        let found = (member.id.as_str(), version);
        former_names(&self.links, contract, found, &member.document, &take_back)
    }

    fn check(&self, member: &Member, found: &Found<'_>) -> Result<(), LinkedError> {
        let refuse = |error: LinkError| refusal(&member.id, &error);
        let references =
            self.links.references(subject(member, found.version), &member.document.value);
        for reference in references.map_err(refuse)? {
            if found.signed {
                self.census.check_signed(&member.id, &reference).map_err(refuse)?;
            } else {
                self.census.check(&member.id, &reference).map_err(refuse)?;
            }
        }
        Ok(())
    }

    fn migrate(&self, member: &Member, found: &Found<'_>) -> Result<Value, LinkedError> {
        let mut value = member.document.value.clone();
        if !found.signed {
            let job = Job {
                operator_id: found.contract.operator.as_deref().unwrap_or_default(),
                contract: found.contract,
                parameters: self.parameters,
            };
            let refuse = |record| LinkedError { id: member.id.clone(), record };
            job.walk(found.version, &found.contract.current, &mut value).map_err(refuse)?;
        }
        Ok(value)
    }

    fn link_again(
        &mut self,
        members: &[Member],
        found: &[Found<'_>],
        values: &mut [Value],
    ) -> Result<(), LinkedError> {
        let moved = members.iter().zip(found).zip(&mut *values);
        let moved = moved.filter(|((_, found), _)| !found.signed);
        let linked = moved.map(|((member, found), value)| Linked {
            subject: subject(member, &found.contract.current),
            object: found.index,
            value,
            write: Box::new(|value| member.document.with(value.clone()).write()),
            effects: Vec::new(),
            refusal: None,
        });
        let mut linked: Vec<Linked<'_>> = linked.collect();
        self.links.link_again(&mut linked, &mut self.census);
        match linked.iter().find_map(|one| Some((one.subject.id, one.refusal.as_ref()?))) {
            Some((id, error)) => Err(refusal(id, error)),
            None => Ok(()),
        }
    }

    fn outcome(
        &self,
        member: &Member,
        found: &Found<'_>,
        value: Value,
    ) -> Result<Outcome, LinkedError> {
        if !found.signed {
            return Ok(Outcome::Migrated { from: found.version.to_owned(), value });
        }
        let subject = subject(member, found.version);
        let successors = self.links.successors(subject, &value, &self.census);
        successors.map(Outcome::Signed).map_err(|error| refusal(&member.id, &error))
    }
}

fn subject<'a>(member: &'a Member, version: &'a str) -> Subject<'a> {
    Subject { kind: &member.contract, version, id: &member.id }
}

fn refusal(id: &str, error: &LinkError) -> LinkedError {
    let path = error.place().map(ToString::to_string).unwrap_or_default();
    let record = ErrorRecord::of(error.code(), "", path, error.to_string());
    LinkedError { id: id.to_owned(), record }
}

fn failed(member: &Member, failure: &Failure) -> LinkedError {
    let record = ErrorRecord::of(failure.code, "", "", failure.message.as_str());
    LinkedError { id: member.id.clone(), record }
}

fn defect(error: &ContractError) -> LinkedError {
    let record = ErrorRecord::of(&diagnostic::INTERNAL, "", "", error.to_string());
    LinkedError { id: String::new(), record }
}
