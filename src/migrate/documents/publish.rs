//! Putting the outputs of a committed run of documents into their places: each is written over what the run read and over
//! nothing else.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger_format::body::{Body, Cause, ObjectState, RunPublished};
use projections::{OpenRun, Phase};

use super::super::error::MigrateError;
use super::super::run::{Milestone, Observer, Subject as _};
use super::collection::{Documents, content_of, state_of};
use super::looking::{crew, each_looked_at};
use super::run::{changed_or_gone, may_replace, observation};
use crate::effects::Signer;
use crate::objects::Objects;
use crate::ordered::in_order;
use crate::target::documents::{Beside, Found, Output, Places, Stamps, Tree, TreeError};

/// Documents that are put into their places together, and their bytes: all are written beside their places before the
/// first is put there. File systems sync them together, twice a batch; and ext4 is slow to make files where many have been
/// replaced within the last minutes, since it looks at each of their numbers before it takes a new one.
const TOGETHER: usize = 200_000;
const TOGETHER_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Most documents of one folder that one thread is given to write. Whoever changes a folder has it for himself meanwhile, so
/// that threads which are given different ones do not wait for each other.
const FOLDER_PORTION: usize = 1_000;

/// What becomes of a document that holds neither what its committed run read nor what it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conflicts {
    /// It stops the run.
    #[default]
    Stop,
    /// It stays as it is, which is recorded once the run has ended.
    Keep,
}

/// What a committed run read in one of its places. All else that is known of the place, the ledger holds.
pub(in crate::migrate) type Before = Option<ObjectState>;

/// A place that a committed run writes to.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) id: &'a str,
    /// What the run read.
    pub(super) source: Option<&'a ObjectState>,
    /// What it made.
    pub(super) target: &'a ObjectState,
}

/// What stands in a place of a committed run.
pub(super) enum Standing {
    /// Its output.
    Output(Found),
    /// What it may replace; nothing, where it is told to bring a document back.
    Source(Option<Found>),
    /// Something that somebody else wrote.
    Changed(Found),
    /// Nothing, or no file.
    Gone,
}

impl Documents {
    /// What a run that was committed at `committed_seq` read of these documents, which it migrated.
    pub(super) fn before<'a>(
        &self,
        committed_seq: u64,
        migrated: impl Iterator<Item = &'a String>,
    ) -> Result<Vec<Before>, MigrateError> {
        let before = self.ledger.state_at(committed_seq)?;
        Ok(migrated.map(|id| before.store().objects.get(id).cloned()).collect())
    }

    /// The place of a document that the last committed run migrated; also of one whose target is what it was before, since
    /// one that is gone comes back.
    pub(super) fn place<'a>(&'a self, id: &'a str, before: &'a Before) -> Option<Place<'a>> {
        let target = self.ledger.state().store().objects.get(id)?;
        Some(Place { id, source: before.as_ref(), target })
    }

    /// What stands in a place, once what a killed job left beside it is cleared away: what it took out of the place and had
    /// not judged yet is put back.
    pub(super) fn standing(
        &self,
        place: Place<'_>,
        may_replace: &dyn Fn(Option<&Found>) -> bool,
    ) -> Result<Standing, MigrateError> {
        let places = Places(&self.collection.tree);
        match places.beside(place.id)? {
            Beside::Nothing => {}
            beside => {
                let output = holds(places, place)?;
                if output && self.was_taken_out(place, &beside, may_replace)? {
                    places.put_back(place.id)?;
                }
                places.forget(place.id)?;
            }
        }
        stands(places, place, may_replace)
    }

    /// Whether what lies beside a place that holds its output is what stood there and must not be lost: neither an output
    /// that was not written to its end, nor what the run read.
    fn was_taken_out(
        &self,
        place: Place<'_>,
        beside: &Beside,
        may_replace: &dyn Fn(Option<&Found>) -> bool,
    ) -> Result<bool, MigrateError> {
        let Beside::File(found) = beside else { return Ok(true) };
        if may_replace(Some(found)) {
            return Ok(false);
        }
        let Some(content) = content_of(place.target) else { return Ok(false) };
        Ok(!self.objects.get(&content)?.starts_with(&found.bytes))
    }
}

fn holds(places: Places<'_>, place: Place<'_>) -> Result<bool, MigrateError> {
    match places.look(place.id) {
        Ok(found) => Ok(found.is_some_and(|found| state_of(&found) == *place.target)),
        Err(error) if is_no_document(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn stands(
    places: Places<'_>,
    place: Place<'_>,
    may_replace: &dyn Fn(Option<&Found>) -> bool,
) -> Result<Standing, MigrateError> {
    match places.look(place.id) {
        Ok(Some(found)) if state_of(&found) == *place.target => Ok(Standing::Output(found)),
        Ok(found) if may_replace(found.as_ref()) => Ok(Standing::Source(found)),
        Ok(Some(found)) => Ok(Standing::Changed(found)),
        Ok(None) => Ok(Standing::Gone),
        Err(error) if is_no_document(&error) => Ok(Standing::Gone),
        Err(error) => Err(error.into()),
    }
}

/// Whether there is something in a place that cannot be a document.
const fn is_no_document(error: &TreeError) -> bool {
    matches!(error, TreeError::Link { .. } | TreeError::Special { .. } | TreeError::Large { .. })
}

/// Puts the outputs into their places. A place that holds its output already is left alone. One that holds neither that nor
/// what the run read stops everything before anything is written, or stays as it is. The places of a run that this process
/// committed just now were `compared` with what it read; those of one whose process is gone are not known yet.
pub(super) fn publish(
    documents: &mut Documents,
    compared: Option<Vec<Before>>,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let mut stamps = std::mem::take(&mut documents.stamps);
    // Not a copy of it: it names every document.
    let open = documents.ledger.state().runs().open.as_ref().ok_or(MigrateError::NoRun)?;
    let (run, Phase::Publishing { places: expected, committed_seq, .. }) = (open.run, &open.phase)
    else {
        return Err(MigrateError::NoRun);
    };
    let (expected, is_known) = (*expected, compared.is_some());
    let before = if let Some(before) = compared {
        before
    } else {
        stamps.clear();
        documents.before(*committed_seq, open.migrated.iter())?
    };
    let held = &*documents;
    let migrated = open.migrated.iter().zip(&before);
    let places = migrated.filter_map(|(id, before)| held.place(id, before));
    let (kept, written) = (BTreeMap::new(), BTreeSet::new());
    let mut publishing = Publishing { documents, open, stamps: &stamps, kept, written };
    if !is_known {
        publishing.look_first(places.clone())?;
    }
    publishing.write_all(places, observer)?;
    let kept = publishing.kept;
    drop(before);
    let mut bodies: Vec<Body> = vec![RunPublished { run, places: expected, audit: None }.into()];
    documents.kept = kept.keys().cloned().collect();
    for (id, found) in kept {
        if let Some(found) = found {
            documents.objects.put(&found.bytes)?;
            bodies.push(observation(&id, Cause::DataChange, state_of(&found)));
        }
    }
    documents.objects.sync()?;
    documents.record(signer, bodies, observer)
}

/// Puts the outputs of one run into their places.
struct Publishing<'a> {
    documents: &'a Documents,
    open: &'a OpenRun,
    /// By which what the run read is known again, where this process read it.
    stamps: &'a Stamps,
    /// Documents that stay as they are, with what was found there.
    kept: BTreeMap<String, Option<Found>>,
    /// Places that a process which is gone has written.
    written: BTreeSet<String>,
}

/// Outputs that are put into their places together.
#[derive(Default)]
struct Batch<'p> {
    /// Places whose outputs are written beside them.
    ready: Vec<Place<'p>>,
    /// Places that their outputs stand in.
    placed: Vec<&'p str>,
}

/// What kept places from being written.
#[derive(Default)]
struct Met {
    conflicts: Vec<String>,
    gone: Vec<String>,
    error: Option<MigrateError>,
}

impl<'a> Publishing<'a> {
    /// Looks at all places of a run, before any is written.
    fn look_first<'p>(
        &mut self,
        places: impl Iterator<Item = Place<'p>>,
    ) -> Result<(), MigrateError> {
        let (documents, hand) = (self.documents, self.hand());
        let mut met = Met::default();
        let held = |came: &Option<Came>| came.as_ref().map_or(0, Came::bytes);
        let look = |place| hand.look(place);
        each_looked_at(documents.jobs, places, look, held, |place, came| {
            let replaced = |found: Option<&Found>| hand.may_replace(place, found);
            let came = match came {
                Some(came) => came,
                None => documents.standing(place, &replaced)?.into(),
            };
            match came {
                Came::Found => drop(self.written.insert(place.id.to_owned())),
                Came::Left(found) => self.leave(place, found, &mut met),
                Came::Done | Came::NotBegun => {}
            }
            Ok(())
        })?;
        self.ended(met)
    }

    fn write_all<'p>(
        &mut self,
        places: impl Iterator<Item = Place<'p>>,
        observer: &mut dyn Observer,
    ) -> Result<(), MigrateError> {
        let mut places = places.peekable();
        while places.peek().is_some() {
            let (mut batch, mut to_write, mut bytes) = (Batch::default(), Vec::new(), 0);
            while to_write.len() + batch.placed.len() < TOGETHER && bytes < TOGETHER_BYTES_MAX {
                let Some(place) = places.next() else { break };
                let ObjectState::Document { bytes: length, .. } = place.target else {
                    continue;
                };
                if self.written.contains(place.id) {
                    batch.placed.push(place.id);
                } else if !self.kept.contains_key(place.id) {
                    bytes += length;
                    to_write.push(place);
                }
            }
            batch.ready.reserve_exact(to_write.len());
            if let Err(error) = self.prepare(&to_write, &mut batch) {
                self.forget(&batch.ready);
                return Err(error);
            }
            drop(to_write);
            self.put(&mut batch, observer)?;
            Places(self.hand().tree).settle(&batch.placed)?;
        }
        Ok(())
    }

    /// Writes outputs beside the places that they may be put into, durably.
    fn prepare<'p>(
        &mut self,
        to_write: &[Place<'p>],
        batch: &mut Batch<'p>,
    ) -> Result<(), MigrateError> {
        let (documents, hand, many) = (self.documents, self.hand(), to_write.len());
        let (mut left, stopped) = (to_write, AtomicBool::new(false));
        let portions = std::iter::from_fn(|| {
            let portion = portion(left, |place| place.id);
            left = left.get(portion.len()..).unwrap_or_default();
            (!portion.is_empty() && !is_set(&stopped)).then_some(portion)
        });
        let objects = &*documents.objects;
        let work = |portion: &[Place<'p>]| {
            let prepare = |place: &Place<'p>| (*place, hand.prepare(*place, objects, many));
            portion.iter().map(prepare).collect::<Vec<_>>()
        };
        let mut met = Met::default();
        // Whatever was begun is heard, so that all that was written is known.
        in_order(portions, crew(documents.jobs), work, |portion| {
            for (place, came) in portion {
                match came {
                    Ok(Came::Done) => batch.ready.push(place),
                    Ok(Came::Found) => batch.placed.push(place.id),
                    Ok(Came::Left(found)) => self.leave(place, found, &mut met),
                    Ok(Came::NotBegun) => {}
                    Err(error) => met.error = met.error.take().or(Some(error)),
                }
            }
            stopped.store(met.is_anything(), Ordering::Relaxed);
            ControlFlow::Continue(())
        });
        self.ended(met)?;
        let ids: Vec<&str> = batch.ready.iter().map(|place| place.id).collect();
        Ok(Places(hand.tree).harden(&ids, many)?)
    }

    /// Puts what was prepared into its places. Once there is one that it cannot be put into, what was not begun is removed.
    fn put(
        &mut self,
        batch: &mut Batch<'_>,
        observer: &mut dyn Observer,
    ) -> Result<(), MigrateError> {
        let (hand, stops) = (self.hand(), self.documents.conflicts == Conflicts::Stop);
        let (stopped, observer) = (AtomicBool::new(false), RefCell::new(observer));
        let Batch { ready, placed } = batch;
        let mut left = ready.as_slice();
        let portions = std::iter::from_fn(|| {
            let portion = if is_set(&stopped) { &[] } else { portion(left, |place| place.id) };
            left = left.get(portion.len()..).unwrap_or_default();
            for place in portion {
                observer.borrow_mut().reached(&Milestone::Publishing { object: place.id });
            }
            (!portion.is_empty()).then_some(portion)
        });
        let work = |portion: &[Place<'_>]| {
            portion.iter().map(|place| hand.put(*place, stops, &stopped)).collect::<Vec<_>>()
        };
        let mut met = Met::default();
        let mut taken = ready.iter();
        in_order(portions, crew(self.documents.jobs), work, |portion| {
            for (came, place) in portion.into_iter().zip(taken.by_ref()) {
                match came {
                    Ok(Came::Done) => {
                        observer.borrow_mut().reached(&Milestone::Published { object: place.id });
                        placed.push(place.id);
                    }
                    Ok(Came::Found) => placed.push(place.id),
                    Ok(Came::Left(found)) => self.leave(*place, found, &mut met),
                    Ok(Came::NotBegun) => {}
                    Err(error) => met.error = met.error.take().or(Some(error)),
                }
            }
            ControlFlow::Continue(())
        });
        self.forget(left);
        self.ended(met)
    }

    /// Removes what was prepared and is not put into its place. What cannot be removed is replaced by whoever goes on.
    fn forget(&self, places: &[Place<'_>]) {
        for place in places {
            drop(Places(self.hand().tree).forget(place.id));
        }
    }

    /// Takes note of a place that stays as it is, or of one more conflict where that is not wanted.
    fn leave(&mut self, place: Place<'_>, found: Option<Found>, met: &mut Met) {
        match self.documents.conflicts {
            Conflicts::Stop if found.is_none() => met.gone.push(place.id.to_owned()),
            Conflicts::Stop => met.conflicts.push(place.id.to_owned()),
            Conflicts::Keep => drop(self.kept.insert(place.id.to_owned(), found)),
        }
    }

    fn ended(&self, Met { conflicts, gone, error }: Met) -> Result<(), MigrateError> {
        match error {
            Some(error) => Err(error),
            None if conflicts.is_empty() && gone.is_empty() => Ok(()),
            None => {
                let named = changed_or_gone("changed since the run read them", &conflicts, &gone);
                Err(MigrateError::DocumentsConflict { named, run: self.open.run })
            }
        }
    }

    fn hand(&self) -> Hand<'a> {
        Hand { tree: &self.documents.collection.tree, open: self.open, stamps: self.stamps }
    }
}

impl Met {
    const fn is_anything(&self) -> bool {
        self.error.is_some() || !self.conflicts.is_empty() || !self.gone.is_empty()
    }
}

/// What came of one place.
enum Came {
    /// What was to be done there is done, or can be.
    Done,
    /// Its output stood there.
    Found,
    /// It stays as it is, since it holds this, which is neither what the run read nor its output; or nothing.
    Left(Option<Found>),
    /// Nothing, since another place had stopped everything.
    NotBegun,
}

impl Came {
    /// Bytes that it holds.
    fn bytes(&self) -> usize {
        if let Self::Left(Some(found)) = self { found.bytes.len() } else { 0 }
    }
}

impl From<Standing> for Came {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Output(_) => Self::Found,
            Standing::Source(_) => Self::Done,
            Standing::Changed(found) => Self::Left(Some(found)),
            Standing::Gone => Self::Left(None),
        }
    }
}

/// What a thread needs to work on places.
#[derive(Clone, Copy)]
struct Hand<'a> {
    tree: &'a Tree,
    open: &'a OpenRun,
    stamps: &'a Stamps,
}

impl Hand<'_> {
    /// How a place stands; `None` where a killed job left something beside it.
    fn look(self, place: Place<'_>) -> Result<Option<Came>, MigrateError> {
        match Places(self.tree).beside(place.id)? {
            Beside::Nothing => self.stands(place).map(|standing| Some(standing.into())),
            _ => Ok(None),
        }
    }

    /// Writes an output, one of `many`, beside its place, if that holds what the run read.
    fn prepare(
        self,
        place: Place<'_>,
        objects: &dyn Objects,
        many: usize,
    ) -> Result<Came, MigrateError> {
        let places = Places(self.tree);
        let untouched = places.bears_one_of(place.id, self.stamps);
        let came = if untouched { Came::Done } else { self.stands(place)?.into() };
        if let (Came::Done, ObjectState::Document { content, mode, .. }) = (&came, place.target) {
            let bytes = objects.get(content)?;
            let output = Output { id: place.id, bytes: &bytes, mode: *mode };
            let prepared = places.prepare(&output, many);
            if prepared.is_err() {
                drop(places.forget(place.id));
            }
            prepared?;
        }
        Ok(came)
    }

    /// Puts a prepared output into its place, unless everything was stopped; and stops everything if it cannot be put there.
    fn put(
        self,
        place: Place<'_>,
        stops: bool,
        stopped: &AtomicBool,
    ) -> Result<Came, MigrateError> {
        if is_set(stopped) {
            drop(Places(self.tree).forget(place.id));
            return Ok(Came::NotBegun);
        }
        let came = self.exchange(place);
        if came.is_err() || (stops && matches!(came, Ok(Came::Left(_)))) {
            stopped.store(true, Ordering::Relaxed);
        }
        came
    }

    fn exchange(self, place: Place<'_>) -> Result<Came, MigrateError> {
        let is_output = |found: &Found| content_of(place.target) == Some(found.content);
        let replaced = |found: Option<&Found>| self.may_replace(place, found);
        if Places(self.tree).put(place.id, &is_output, &replaced)? {
            return Ok(Came::Done);
        }
        // Preparing the batch took its time: somebody wrote meanwhile, and perhaps took it back.
        Ok(match self.stands(place)? {
            Standing::Source(found) => Came::Left(found),
            other => other.into(),
        })
    }

    fn stands(self, place: Place<'_>) -> Result<Standing, MigrateError> {
        stands(Places(self.tree), place, &|found| self.may_replace(place, found))
    }

    fn may_replace(self, place: Place<'_>, found: Option<&Found>) -> bool {
        may_replace(self.open, found, place.source)
    }
}

/// As many of these, in order, as one thread is given: those that lie in one folder.
fn portion<T>(left: &[T], id: impl Fn(&T) -> &str) -> &[T] {
    let first = left.first().map_or("", |one| folder(id(one)));
    let mut together = left.iter().take(FOLDER_PORTION);
    let end = together.position(|one| folder(id(one)) != first);
    left.get(..end.unwrap_or(left.len().min(FOLDER_PORTION))).unwrap_or_default()
}

fn folder(id: &str) -> &str {
    id.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn is_set(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Relaxed)
}
