//! Working on many documents: each on its own in several threads, or all together where they name each other by hash.
//! Results come in the order of ids, whatever the number of threads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::evaluation::{Evaluation, Moved};
use super::former::Former;
use super::prepared::Prepared;
use super::refusal::Refusal;
use crate::contract::Edge;
use crate::document::Value;
use crate::link::{
    self, Census, LinkError, Linked, Links, ObjectIndex, Renaming, Subject, former_names,
};
use crate::ordered::{Crew, try_in_order_while};
use crate::target::documents::Found;

/// Most documents that one thread is given at a time.
const PORTION: usize = 32;

/// Portions that are worked on, or done and not taken yet, where documents are small: as many documents as are recorded
/// together, so that threads work on while that is done.
const AHEAD: usize = 64;

/// The same for each thread, however large documents are.
const AHEAD_MIN: usize = 3;

/// Bytes of documents that are held at a time, over all threads; one document of each portion may be larger.
const HELD_BYTES_MAX: usize = 24 * 1024 * 1024;

/// The kinds of documents of a set, and how they name each other.
pub(super) struct Kinds<'a> {
    pub(super) contracts: &'a [Prepared],
    pub(super) links: &'a Links,
    /// The version to go to; each kind's current one if `None`.
    pub(super) to: Option<&'a str>,
    /// Whether documents name each other, so that none can be worked on alone.
    pub(super) linked: bool,
    /// What documents were called before.
    pub(super) former: &'a Former,
}

/// A document that was worked on.
pub(super) struct Done {
    pub(super) id: String,
    pub(super) kind: usize,
    pub(super) source: Found,
    pub(super) evaluation: Evaluation,
    /// Whether a signature keeps it from being rewritten.
    pub(super) signed: bool,
    /// Names of it that are others now.
    pub(super) renamed: Vec<Renaming>,
    /// The documents that it names, as it was or as it will be.
    pub(super) names: BTreeSet<String>,
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
        ids: &BTreeMap<&str, usize>,
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
        ids: &BTreeMap<&str, usize>,
        jobs: usize,
        load: Load<'_, E>,
        look: Look<'_, R>,
        take: &mut dyn FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        let (pace, always) = (Pace::default(), jobs * AHEAD_MIN);
        let mut ids = ids.iter().map(|(id, kind)| (*id, *kind));
        let portions = std::iter::from_fn(|| {
            let portion: Vec<_> = ids.by_ref().take(pace.portion(always)).collect();
            (!portion.is_empty()).then_some(portion)
        });
        let crew = Crew { workers: jobs, ahead: AHEAD.max(always) };
        let may_draw = |waiting: usize| waiting < always || pace.may_hold(waiting * PORTION);
        let work = |portion| self.portion(portion, &pace, load, look);
        try_in_order_while(portions, crew, may_draw, work, |portion: Result<Portion<'_, R>, E>| {
            let Portion { done, bytes, left } = portion?;
            pace.held.fetch_sub(bytes, Ordering::Relaxed);
            done.into_iter().try_for_each(&mut *take)?;
            left.into_iter().try_for_each(|(id, kind)| take(look(self.one(id, kind, load)?)))
        })
    }

    /// Works on as many of the documents as may be held at a time, and leaves the others.
    fn portion<'i, R, E>(
        &self,
        ids: Vec<(&'i str, usize)>,
        pace: &Pace,
        load: Load<'_, E>,
        look: Look<'_, R>,
    ) -> Result<Portion<'i, R>, E> {
        let (mut done, mut bytes) = (Vec::with_capacity(ids.len()), 0);
        let mut ids = ids.into_iter();
        for (id, kind) in ids.by_ref() {
            let one = self.one(id, kind, load)?;
            let held = pace.took_in(one.source.bytes.len());
            bytes += one.source.bytes.len();
            done.push(look(one));
            if held > HELD_BYTES_MAX {
                break;
            }
        }
        Ok(Portion { done, bytes, left: ids.collect() })
    }

    fn one<E>(&self, id: &str, kind: usize, load: Load<'_, E>) -> Result<Done, E> {
        let source = load(id)?;
        let evaluation = match self.contracts.get(kind) {
            Some(prepared) => prepared.evaluate(&source.bytes, self.to),
            None => Evaluation::refused(None, Vec::new()),
        };
        let (id, renamed, names) = (id.to_owned(), Vec::new(), BTreeSet::new());
        Ok(Done { id, kind, source, evaluation, signed: false, renamed, names })
    }

    /// Works on documents that name each other: all are read, then migrated, then linked again in the order in which their
    /// new names can be told, then judged.
    fn together<R, E>(
        &self,
        ids: &BTreeMap<&str, usize>,
        load: Load<'_, E>,
        look: Look<'_, R>,
        take: &mut dyn FnMut(R) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut set = Set { kinds: self, census: Census::new(), members: Vec::new() };
        for (id, kind) in ids {
            let source = load(id)?;
            set.read(id, *kind, source);
        }
        set.remember_former_names();
        set.check_references();
        set.take_steps();
        set.link_again();
        let Set { census, members, .. } = set;
        members.into_iter().try_for_each(|member| take(look(self.judged(member, &census))))
    }

    fn judged(&self, member: Member, census: &Census) -> Done {
        let Member { id, kind, source, mut refusals, moved, signed, detected, index, names } =
            member;
        let name = self.contracts.get(kind).map(|prepared| &prepared.contract().contract);
        let renamed = match (name, index) {
            (Some(name), Some(index)) => census.renamings(self.links, name, index),
            _ => Ok(Vec::new()),
        };
        let renamed = renamed.unwrap_or_else(|error| {
            refusals.push(error.into());
            Vec::new()
        });
        let evaluation = match (self.contracts.get(kind), moved) {
            (Some(prepared), Some(mut moved)) => {
                moved.refusals.extend(refusals);
                prepared.judge(moved, &source.bytes)
            }
            _ => Evaluation::refused(detected, refusals),
        };
        let names = names.iter().map(|index| census.id(*index).to_owned()).collect();
        Done { id, kind, source, evaluation, signed, renamed, names }
    }
}

/// Documents that one thread was given.
struct Portion<'i, R> {
    done: Vec<R>,
    /// Bytes of those that are done.
    bytes: usize,
    left: Vec<(&'i str, usize)>,
}

/// How large the documents are that were read so far, by which it is told how far ahead others may be read.
#[derive(Default)]
struct Pace {
    documents: AtomicUsize,
    bytes: AtomicUsize,
    /// Bytes of those that were not taken yet.
    held: AtomicUsize,
}

impl Pace {
    /// Takes note of a document of so many bytes, and returns how many are held with it.
    fn took_in(&self, bytes: usize) -> usize {
        self.documents.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.held.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// Whether so many documents may be held, if they are as large as those before.
    fn may_hold(&self, documents: usize) -> bool {
        self.each().is_some_and(|each| documents.saturating_mul(each) < HELD_BYTES_MAX)
    }

    /// How many documents one thread is given, so that so many portions may be held.
    fn portion(&self, portions: usize) -> usize {
        let room = HELD_BYTES_MAX / portions.max(1);
        let fit = self.each().and_then(|each| room.checked_div(each));
        fit.unwrap_or(PORTION).clamp(1, PORTION)
    }

    /// Bytes of a document, once one was read.
    fn each(&self) -> Option<usize> {
        let documents = self.documents.load(Ordering::Relaxed);
        self.bytes.load(Ordering::Relaxed).checked_div(documents)
    }
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
    /// What its references lead to.
    names: BTreeSet<ObjectIndex>,
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
            names: BTreeSet::new(),
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
        let index = self.census.add(links, kind, &member.id, names)?;
        member.index = Some(index);
        if let Some(former) = self.kinds.former.names_of(&member.id) {
            self.census.add_former(links, kind, index, &former)?;
        }
        links.check_self(subject, value)?;
        member.signed = stays_signed(links, kind, value)?;
        member.moved = Some(Prepared::take_nothing(read));
        Ok(())
    }

    /// Where something signed names what nothing is called, what everything was called in older versions is found out.
    fn remember_former_names(&mut self) {
        let kinds = self.kinds;
        let signed = self.members.iter().filter(|member| member.signed);
        let mut found = signed.flat_map(|member| kinds.references_of(member));
        if found.all(|found| self.census.knows(&found)) {
            return;
        }
        drop(found);
        for member in &self.members {
            let (Some(prepared), Some(index)) = (kinds.contracts.get(member.kind), member.index)
            else {
                continue;
            };
            let Some(Moved { read, .. }) = &member.moved else { continue };
            let take_back = |edge: &Edge, value: &mut Value| prepared.take_back(edge, value);
            let (contract, found) = (prepared.contract(), (member.id.as_str(), &*read.version));
            for names in former_names(kinds.links, contract, found, &read.document, &take_back) {
                // The kind was declared when the document was taken in.
                let _ = self.census.add_former(kinds.links, &contract.contract, index, &names);
            }
        }
    }

    fn check_references(&mut self) {
        let (kinds, census) = (self.kinds, &self.census);
        for member in &mut self.members {
            let Some(moved) = &member.moved else { continue };
            let found = kinds.subject(member.kind, &moved.read.version, &member.id);
            let found =
                found.map(|subject| kinds.links.references(subject, &moved.read.document.value));
            let (id, signed) = (&member.id, member.signed);
            let check = |found: &link::Found| {
                let checked =
                    if signed { census.check_signed(id, found) } else { census.check(id, found) };
                checked.err()
            };
            let wrong = match found {
                Some(Ok(found)) => {
                    member.names.extend(found.iter().flat_map(|found| census.targets(found)));
                    found.iter().find_map(check)
                }
                Some(Err(error)) => Some(error),
                None => None,
            };
            member.refusals.extend(wrong.map(Refusal::from));
        }
    }

    fn take_steps(&mut self) {
        let (kinds, census) = (self.kinds, &self.census);
        for member in self.members.iter_mut().filter(|member| !member.signed) {
            let (Some(prepared), Some(moved)) = (kinds.contracts.get(member.kind), &member.moved)
            else {
                continue;
            };
            let mut read = moved.read.clone();
            match kinds.links.unsign(&prepared.contract().contract, &mut read.document.value) {
                Ok(effects) => match prepared.take_steps(read, kinds.to) {
                    Ok(moved) => {
                        let route = &moved.route;
                        let subject = kinds.subject(member.kind, &route.to, &member.id);
                        // A place that holds no hash refuses the document when it is linked.
                        let found = subject
                            .and_then(|of| kinds.links.references(of, &moved.value).ok())
                            .unwrap_or_default();
                        member.names.extend(found.iter().flat_map(|found| census.targets(found)));
                        member.moved = Some(moved.after_unsigning(effects));
                    }
                    Err(refusal) => member.refusals.push(refusal),
                },
                Err(error) => member.refusals.push(error.into()),
            }
        }
    }

    fn link_again(&mut self) {
        let Self { kinds, census, members } = self;
        let mut linked = Vec::new();
        for member in members.iter_mut().filter(|member| !member.signed) {
            let (Some(object), Some(moved)) = (member.index, &mut member.moved) else { continue };
            let Moved { read, route, value, .. } = moved;
            let Some(subject) = kinds.subject(member.kind, &route.to, &member.id) else { continue };
            let document = &read.document;
            let write = Box::new(|value: &Value| document.with(value.clone()).write());
            let (effects, refusal) = (Vec::new(), None);
            linked.push(Linked { subject, object, value, write, effects, refusal });
        }
        kinds.links.link_again(&mut linked, census);
        let done = linked.into_iter().map(|one| (one.object, one.effects, one.refusal));
        let mut done = done.collect::<Vec<_>>().into_iter().peekable();
        for member in members {
            let Some((_, effects, refusal)) = done.next_if(|one| Some(one.0) == member.index)
            else {
                continue;
            };
            if let Some(moved) = &mut member.moved {
                moved.effects.extend(effects);
            }
            member.refusals.extend(refusal.map(Refusal::from));
        }
    }
}

impl Kinds<'_> {
    fn subject<'a>(&'a self, kind: usize, version: &'a str, id: &'a str) -> Option<Subject<'a>> {
        let kind = self.contracts.get(kind)?.contract().contract.as_str();
        Some(Subject { kind, version, id })
    }
}

impl Kinds<'_> {
    /// The references of a document as it is.
    fn references_of(&self, member: &Member) -> Vec<link::Found> {
        let moved = member.moved.as_ref();
        let found = moved.and_then(|moved| {
            let subject = self.subject(member.kind, &moved.read.version, &member.id)?;
            self.links.references(subject, &moved.read.document.value).ok()
        });
        found.unwrap_or_default()
    }
}

/// Whether a document is signed and its signature is not to be taken off.
fn stays_signed(links: &Links, kind: &str, value: &Value) -> Result<bool, LinkError> {
    if !links.is_signed(kind, value)? {
        return Ok(false);
    }
    let mut unsigned = value.clone();
    links.unsign(kind, &mut unsigned)?;
    links.is_signed(kind, &unsigned)
}

/// The links that the contracts declare together.
pub(super) fn links_of(contracts: &[Prepared]) -> Result<Links, LinkError> {
    Links::of(&contracts.iter().map(Prepared::contract).collect::<Vec<_>>())
}
