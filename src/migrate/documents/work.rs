//! Working on many documents: each on its own in several threads, or all together where they name each other by hash.
//! Results come in the order of ids, whatever the number of threads.

use std::collections::BTreeMap;

use super::evaluation::{Evaluation, Moved};
use super::prepared::Prepared;
use super::refusal::Refusal;
use crate::document::Value;
use crate::link::{Census, LinkError, Links, ObjectIndex, Subject};
use crate::ordered::{Crew, try_in_order};
use crate::target::documents::Found;

/// Documents that one thread is given at a time.
const PORTION: usize = 32;

/// Portions for each thread that are worked on, or done and not taken yet.
const AHEAD: usize = 3;

/// Bytes of documents that are held at a time, over all threads; one document may be larger.
const HELD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The kinds of documents of a set, and how they name each other.
pub(super) struct Kinds<'a> {
    pub(super) contracts: &'a [Prepared],
    pub(super) links: &'a Links,
    /// The version to go to; each kind's current one if `None`.
    pub(super) to: Option<&'a str>,
    /// Whether documents name each other, so that none can be worked on alone.
    pub(super) linked: bool,
}

/// A document that was worked on.
pub(super) struct Done {
    pub(super) id: String,
    pub(super) kind: usize,
    pub(super) source: Found,
    pub(super) evaluation: Evaluation,
    /// What its references would have to say, if a signature keeps it from being rewritten.
    pub(super) signed: bool,
}

/// Reads a document.
pub(super) type Load<'a, E> = &'a (dyn Fn(&str) -> Result<Found, E> + Sync);

/// What is made of a document on the thread that worked on it.
pub(super) type Look<'a, R> = &'a (dyn Fn(Done) -> R + Sync);

impl Kinds<'_> {
    /// Works on the documents `ids`, given with their kinds in the order of ids, and hands what `look` makes of each to
    /// `take` in that order.
    pub(super) fn work<R: Send, E: Send>(
        &self,
        ids: &BTreeMap<String, usize>,
        jobs: usize,
        load: Load<'_, E>,
        look: Look<'_, R>,
        take: &mut dyn FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.linked {
            self.together(ids, load, look, take)
        } else {
            self.apart(ids, jobs.max(1), load, look, take)
        }
    }

    fn apart<R: Send, E: Send>(
        &self,
        ids: &BTreeMap<String, usize>,
        jobs: usize,
        load: Load<'_, E>,
        look: Look<'_, R>,
        take: &mut dyn FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut ids = ids.iter();
        let portions = std::iter::from_fn(|| {
            let portion: Vec<_> = ids.by_ref().take(PORTION).collect();
            (!portion.is_empty()).then_some(portion)
        });
        let crew = Crew { workers: jobs, ahead: jobs * AHEAD };
        let bytes_max = HELD_BYTES_MAX / crew.ahead;
        let work = |portion| self.portion(portion, bytes_max, load, look);
        try_in_order(portions, crew, work, |portion: Result<Portion<'_, R>, E>| {
            let Portion { done, left } = portion?;
            done.into_iter().try_for_each(&mut *take)?;
            left.into_iter().try_for_each(|(id, kind)| take(look(self.one(id, *kind, load)?)))
        })
    }

    /// Works on as many of the documents as may be held at a time, and leaves the others.
    fn portion<'i, R, E>(
        &self,
        ids: Vec<(&'i String, &'i usize)>,
        bytes_max: usize,
        load: Load<'_, E>,
        look: Look<'_, R>,
    ) -> Result<Portion<'i, R>, E> {
        let mut done = Vec::with_capacity(ids.len());
        let mut held = 0;
        let mut ids = ids.into_iter();
        for (id, kind) in ids.by_ref() {
            let one = self.one(id, *kind, load)?;
            held += one.source.bytes.len();
            done.push(look(one));
            if held > bytes_max {
                break;
            }
        }
        Ok(Portion { done, left: ids.collect() })
    }

    fn one<E>(&self, id: &str, kind: usize, load: Load<'_, E>) -> Result<Done, E> {
        let source = load(id)?;
        let evaluation = match self.contracts.get(kind) {
            Some(prepared) => prepared.evaluate(&source.bytes, self.to),
            None => Evaluation::refused(None, Vec::new()),
        };
        Ok(Done { id: id.to_owned(), kind, source, evaluation, signed: false })
    }

    /// Works on documents that name each other: all are read, then migrated, then linked again in the order in which their
    /// new names can be told, then judged.
    fn together<R, E>(
        &self,
        ids: &BTreeMap<String, usize>,
        load: Load<'_, E>,
        look: Look<'_, R>,
        take: &mut dyn FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut set = Set { kinds: self, census: Census::new(), members: Vec::new() };
        for (id, kind) in ids {
            let source = load(id)?;
            set.read(id, *kind, source);
        }
        set.check_references();
        set.take_steps();
        set.link_again();
        set.members.into_iter().try_for_each(|member| take(look(self.judged(member))))
    }

    fn judged(&self, member: Member) -> Done {
        let Member { id, kind, source, refusals, moved, signed, detected, .. } = member;
        let evaluation = match (self.contracts.get(kind), moved) {
            (Some(prepared), Some(mut moved)) => {
                moved.refusals.extend(refusals);
                prepared.judge(moved, &source.bytes)
            }
            _ => Evaluation::refused(detected, refusals),
        };
        Done { id, kind, source, evaluation, signed }
    }
}

/// Documents that one thread was given.
struct Portion<'i, R> {
    done: Vec<R>,
    left: Vec<(&'i String, &'i usize)>,
}

/// All documents of a linked set.
struct Set<'a> {
    kinds: &'a Kinds<'a>,
    census: Census,
    members: Vec<Member>,
}

struct Member {
    id: String,
    kind: usize,
    source: Found,
    detected: Option<String>,
    index: Option<ObjectIndex>,
    moved: Option<Moved>,
    refusals: Vec<Refusal>,
    signed: bool,
}

impl Set<'_> {
    fn read(&mut self, id: &str, kind: usize, source: Found) {
        let mut member = Member {
            id: id.to_owned(),
            kind,
            source,
            detected: None,
            index: None,
            moved: None,
            refusals: Vec::new(),
            signed: false,
        };
        if let Err(refusal) = self.enter(&mut member) {
            member.refusals.push(refusal);
        }
        self.members.push(member);
    }

    /// Takes a document in under its names, its own hashes checked.
    fn enter(&mut self, member: &mut Member) -> Result<(), Refusal> {
        let Some(prepared) = self.kinds.contracts.get(member.kind) else { return Ok(()) };
        let kind = prepared.contract().contract.as_str();
        let read = prepared.read(&member.source.bytes)?;
        member.detected = Some(read.version.clone());
        let links = self.kinds.links;
        let subject = Subject { kind, version: &read.version, id: &member.id };
        let value = &read.document.value;
        let names = links.names(subject, &member.source.bytes, value)?;
        member.index = Some(self.census.add(links, kind, &member.id, names)?);
        links.check_self(subject, value)?;
        member.moved = Some(Prepared::take_nothing(read));
        Ok(())
    }

    fn check_references(&mut self) {
        let (kinds, census) = (self.kinds, &self.census);
        for member in &mut self.members {
            let Some(moved) = &member.moved else { continue };
            let found = kinds.subject(member.kind, &moved.read.version, &member.id);
            let found =
                found.map(|subject| kinds.links.references(subject, &moved.read.document.value));
            let wrong = match found {
                Some(Ok(found)) => {
                    found.iter().find_map(|found| census.check(&member.id, found).err())
                }
                Some(Err(error)) => Some(error),
                None => None,
            };
            member.refusals.extend(wrong.map(Refusal::from));
        }
    }

    fn take_steps(&mut self) {
        let kinds = self.kinds;
        for member in &mut self.members {
            let (Some(prepared), Some(moved)) = (kinds.contracts.get(member.kind), &member.moved)
            else {
                continue;
            };
            let kind = prepared.contract().contract.as_str();
            let mut read = moved.read.clone();
            let unsigned = kinds.links.unsign(kind, &mut read.document.value);
            let signed = kinds.links.is_signed(kind, &read.document.value);
            match (unsigned, signed) {
                (Ok(_), Ok(true)) => member.signed = true,
                (Ok(effects), Ok(false)) => match prepared.take_steps(read, kinds.to) {
                    Ok(moved) => member.moved = Some(moved.after_unsigning(effects)),
                    Err(refusal) => member.refusals.push(refusal),
                },
                (Err(error), _) | (_, Err(error)) => member.refusals.push(error.into()),
            }
        }
    }

    fn link_again(&mut self) {
        let kinds = self.kinds;
        for round in kinds.links.rounds() {
            let of_round = kinds.links.kind_of(round);
            for member in &mut self.members {
                let (Some(index), Some(moved)) = (member.index, &mut member.moved) else {
                    continue;
                };
                let Some(subject) = kinds.subject(member.kind, &moved.route.to, &member.id) else {
                    continue;
                };
                if subject.kind != of_round || member.signed {
                    continue;
                }
                let document = moved.read.document.clone();
                let mut write = |value: &Value| document.with(value.clone()).write();
                let (value, census) = (&mut moved.value, &mut self.census);
                let linked = kinds.links.relink(round, subject, index, value, &mut write, census);
                match linked {
                    Ok(effects) => moved.effects.extend(effects),
                    Err(error) => member.refusals.push(error.into()),
                }
            }
        }
    }
}

impl Kinds<'_> {
    fn subject<'a>(&'a self, kind: usize, version: &'a str, id: &'a str) -> Option<Subject<'a>> {
        let kind = self.contracts.get(kind)?.contract().contract.as_str();
        Some(Subject { kind, version, id })
    }
}

/// The links that the contracts declare together.
pub(super) fn links_of(contracts: &[Prepared]) -> Result<Links, LinkError> {
    Links::of(&contracts.iter().map(Prepared::contract).collect::<Vec<_>>())
}
