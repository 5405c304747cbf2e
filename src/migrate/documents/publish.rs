//! Putting the outputs of a committed run of documents into their places: each is written over what the run read and over
//! nothing else.

use std::collections::{BTreeMap, BTreeSet};

use ledger_format::body::{Body, Cause, ObjectState, RunPublished};
use ledger_format::hash::ContentHash;
use projections::{OpenRun, Phase};

use super::super::error::MigrateError;
use super::super::run::{Milestone, Observer, Subject as _};
use super::collection::{Documents, state_of};
use super::run::{BATCH, may_replace, named, observation};
use crate::effects::Signer;
use crate::target::documents::{Beside, Found, Output, Places, Tree, TreeError};

/// Bytes of outputs that are held at a time while they are put into their places.
const BATCH_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What becomes of a document that holds neither what its committed run read nor what it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conflicts {
    /// It stops the run.
    #[default]
    Stop,
    /// It stays as it is, which is recorded once the run has ended.
    Keep,
}

/// When the places were compared with what the run read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// By this process, as it committed the run.
    JustNow,
    /// By one that is gone.
    Before,
}

/// A place that a committed run writes to.
pub(super) struct Place {
    pub(super) id: String,
    /// What the run read.
    pub(super) source: Option<ObjectState>,
    /// What it made.
    pub(super) target: ObjectState,
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
    /// The places that a run writes to that was committed at `committed_seq` and migrated these documents.
    pub(super) fn places_of<'a>(
        &self,
        committed_seq: u64,
        migrated: impl Iterator<Item = &'a String>,
    ) -> Result<Vec<Place>, MigrateError> {
        let before = self.ledger.state_at(committed_seq)?;
        let (before, staged) = (&before.store().objects, &before.store().staged);
        // Also those whose target is what the ledger had: a document that is gone comes back.
        let targets = migrated.filter_map(|id| Some((id, staged.get(id)?)));
        Ok(targets
            .map(|(id, target)| {
                let source = before.get(id).cloned();
                Place { id: id.clone(), source, target: target.clone() }
            })
            .collect())
    }

    /// What stands in a place, once what a killed job left beside it is cleared away: what it took out of the place and had
    /// not judged yet is put back.
    pub(super) fn standing(
        &self,
        place: &Place,
        may_replace: &dyn Fn(Option<&Found>) -> bool,
    ) -> Result<Standing, MigrateError> {
        let places = Places(&self.collection.tree);
        match places.beside(&place.id)? {
            Beside::Nothing => {}
            beside => {
                let output = holds(places, place)?;
                if output && self.was_taken_out(place, &beside, may_replace)? {
                    places.put_back(&place.id)?;
                }
                places.forget(&place.id)?;
            }
        }
        stands(places, place, may_replace)
    }

    /// Whether what lies beside a place that holds its output is what stood there and must not be lost: neither an output
    /// that was not written to its end, nor what the run read.
    fn was_taken_out(
        &self,
        place: &Place,
        beside: &Beside,
        may_replace: &dyn Fn(Option<&Found>) -> bool,
    ) -> Result<bool, MigrateError> {
        let Beside::File(found) = beside else { return Ok(true) };
        if may_replace(Some(found)) {
            return Ok(false);
        }
        let Some(content) = super::collection::content_of(&place.target) else { return Ok(false) };
        Ok(!self.objects.get(&content)?.starts_with(&found.bytes))
    }
}

fn holds(places: Places<'_>, place: &Place) -> Result<bool, MigrateError> {
    match places.look(&place.id) {
        Ok(found) => Ok(found.is_some_and(|found| state_of(&found) == place.target)),
        Err(error) if is_no_document(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn stands(
    places: Places<'_>,
    place: &Place,
    may_replace: &dyn Fn(Option<&Found>) -> bool,
) -> Result<Standing, MigrateError> {
    match places.look(&place.id) {
        Ok(Some(found)) if state_of(&found) == place.target => Ok(Standing::Output(found)),
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
/// what the run read stops everything before anything is written, or stays as it is.
pub(super) fn publish(
    documents: &mut Documents,
    compared: Compared,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let open = documents.open_run()?;
    let Phase::Publishing { places: expected, committed_seq, .. } = open.phase else {
        return Err(MigrateError::NoRun);
    };
    let places = documents.places_of(committed_seq, open.migrated.iter())?;
    let mut publishing = Publishing { documents, open: &open, kept: BTreeMap::new() };
    if compared == Compared::Before {
        publishing.look_first(&places)?;
    }
    publishing.write_all(&places, observer)?;
    let kept = publishing.kept;
    let mut bodies: Vec<Body> =
        vec![RunPublished { run: open.run, places: expected, audit: None }.into()];
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

struct Publishing<'a> {
    documents: &'a Documents,
    open: &'a OpenRun,
    /// Documents that stay as they are, with what was found there.
    kept: BTreeMap<String, Option<Found>>,
}

impl Publishing<'_> {
    /// Looks at all places before any is written.
    fn look_first(&mut self, places: &[Place]) -> Result<(), MigrateError> {
        let mut conflicts = Vec::new();
        for place in places {
            let replaced = |found: Option<&Found>| self.may_replace(place, found);
            let standing = self.documents.standing(place, &replaced)?;
            conflicts.extend(self.conflict(place, standing).err());
        }
        if conflicts.is_empty() { Ok(()) } else { Err(self.refused(&conflicts)) }
    }

    fn write_all(
        &mut self,
        places: &[Place],
        observer: &mut dyn Observer,
    ) -> Result<(), MigrateError> {
        let mut places = places.iter().peekable();
        while places.peek().is_some() {
            let mut batch = Vec::new();
            let mut bytes = 0;
            while batch.len() < BATCH && bytes < BATCH_BYTES_MAX {
                let Some(place) = places.next() else { break };
                let ObjectState::Document { content, mode, bytes: length } = place.target else {
                    continue;
                };
                if !self.kept.contains_key(&place.id) {
                    bytes += length;
                    batch.push((place, content, mode));
                }
            }
            self.write(&batch, observer)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        batch: &[(&Place, ContentHash, u32)],
        observer: &mut dyn Observer,
    ) -> Result<(), MigrateError> {
        let tree: &Tree = &self.documents.collection.tree;
        let mut contents = Vec::with_capacity(batch.len());
        for (_, content, _) in batch {
            contents.push(self.documents.objects.get(content)?);
        }
        let mut outputs = Vec::new();
        let mut to_write = Vec::new();
        for ((place, _, mode), bytes) in batch.iter().zip(&contents) {
            let output = Output { id: &place.id, bytes, mode: *mode };
            let replaced = |found: Option<&Found>| self.may_replace(place, found);
            match stands(Places(tree), place, &replaced)? {
                Standing::Output(_) => outputs.push(output),
                Standing::Source(_) => to_write.push((*place, output)),
                other => self.keep(place, other)?,
            }
        }
        let prepared: Vec<Output<'_>> = to_write.iter().map(|(_, output)| *output).collect();
        Places(tree).prepare(&prepared)?;
        for (place, output) in to_write {
            observer.reached(&Milestone::Publishing { object: output.id });
            let replaced = |found: Option<&Found>| self.may_replace(place, found);
            if Places(tree).put(&output, &replaced)? {
                observer.reached(&Milestone::Published { object: output.id });
                outputs.push(output);
                continue;
            }
            // Preparing the batch took its time: somebody wrote meanwhile.
            match stands(Places(tree), place, &replaced)? {
                Standing::Output(_) => outputs.push(output),
                other => self.keep(place, other)?,
            }
        }
        Ok(Places(tree).settle(&outputs)?)
    }

    fn may_replace(&self, place: &Place, found: Option<&Found>) -> bool {
        may_replace(self.open, found, place.source.as_ref())
    }

    /// Leaves a place as it is, or refuses to go on.
    fn keep(&mut self, place: &Place, standing: Standing) -> Result<(), MigrateError> {
        self.conflict(place, standing).map_err(|id| self.refused(&[id]))
    }

    /// Takes note of a place that stays as it is; its id if that is not wanted.
    fn conflict(&mut self, place: &Place, standing: Standing) -> Result<(), String> {
        let found = match standing {
            Standing::Output(_) | Standing::Source(_) => return Ok(()),
            Standing::Changed(found) => Some(found),
            Standing::Gone => None,
        };
        match self.documents.conflicts {
            Conflicts::Stop => Err(place.id.clone()),
            Conflicts::Keep => {
                self.kept.insert(place.id.clone(), found);
                Ok(())
            }
        }
    }

    fn refused(&self, ids: &[String]) -> MigrateError {
        let ids: BTreeSet<&String> = ids.iter().collect();
        let ids: Vec<String> = ids.into_iter().cloned().collect();
        let named = named("changed since the run read them", &ids);
        MigrateError::DocumentsConflict { named, run: self.open.run }
    }
}
