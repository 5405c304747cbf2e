//! What is done with one object: its names, its references, its hashes of itself.

use super::preimage::{Unhashable, Write};
use super::rounds::Phase;
use super::sequence::sequence;
use super::{
    Census, Hash, Kind, LinkError, Links, ObjectIndex, Successor, Target, encoding, preimage,
};
use crate::contract::{Encoding, Pattern, SelfHash};
use crate::document::canonical::NoForm;
use crate::document::{Pointer, Value};
use crate::transform::Effect;

/// The hashes under which others may refer to an object, one for each way that is declared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names(pub(super) Vec<Option<Hash>>);

impl Names {
    /// Hashes of which it is only known that an object had them.
    pub fn of(hashes: impl IntoIterator<Item = Hash>) -> Self {
        Self(hashes.into_iter().map(Some).collect())
    }

    /// The hashes, in the order in which the ways of naming are declared.
    pub fn hashes(&self) -> impl Iterator<Item = &Hash> {
        self.0.iter().flatten()
    }
}

/// A reference that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where it stands.
    pub place: Pointer,
    /// The kind of object that it names.
    pub to_kind: String,
    /// The hash that stands there.
    pub hash: Hash,
    pub(super) target: Target,
}

/// An object of some kind and version, as everything here is asked about it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// The version that its value has.
    pub version: &'a str,
    /// What messages call it.
    pub id: &'a str,
}

impl Links {
    /// The names of an object that is `value`, written as `bytes`.
    pub fn names(
        &self,
        subject: Subject<'_>,
        bytes: &[u8],
        value: &Value,
    ) -> Result<Names, LinkError> {
        let (_, kind) = self.kind(subject.kind)?;
        let mut as_written = |_: &Value| Ok(bytes.to_vec());
        let name = |naming: usize| kind.name(naming, subject.id, &mut as_written, value);
        (0..kind.namings.len()).map(name).collect::<Result<_, _>>().map(Names)
    }

    /// The references of an object, in declared order.
    pub fn references(&self, subject: Subject<'_>, value: &Value) -> Result<Vec<Found>, LinkError> {
        let (_, kind) = self.kind(subject.kind)?;
        let mut all = Vec::new();
        for one in 0..kind.declared.refs.len() {
            all.extend(kind.found_in(one, subject, value)?);
        }
        Ok(all)
    }

    /// Refuses an object whose hashes of itself are not those of its content.
    pub fn check_self(&self, subject: Subject<'_>, value: &Value) -> Result<(), LinkError> {
        let (_, kind) = self.kind(subject.kind)?;
        for own in &kind.declared.self_hash {
            if !holds_in(&own.versions, subject.version) {
                continue;
            }
            for place in own.at.places(value) {
                let stated = read(own.encoding, subject.id, &place, value)?;
                let present = own_hash(own, subject.id, value)?;
                if stated != present {
                    let object = subject.id.to_owned();
                    return Err(LinkError::StaleSelf { object, place, stated, present });
                }
            }
        }
        Ok(())
    }

    /// Whether somebody signed the object, so that it must not be rewritten.
    pub fn is_signed(&self, kind: &str, value: &Value) -> Result<bool, LinkError> {
        let (_, kind) = self.kind(kind)?;
        let signature = kind.declared.signature.as_ref();
        let stands = |at: &Pattern| !at.places(value).is_empty();
        Ok(signature.is_some_and(|signature| signature.at.iter().any(stands)))
    }

    /// Takes the signature off, if the contract says so; what is taken off is lost. An object that is still signed
    /// afterwards is to be left alone.
    pub fn unsign(&self, kind: &str, value: &mut Value) -> Result<Vec<Effect>, LinkError> {
        let (_, kind) = self.kind(kind)?;
        let mut effects = Vec::new();
        let dropped = kind.declared.signature.as_ref().filter(|signature| signature.drop);
        for at in dropped.into_iter().flat_map(|signature| &signature.at) {
            for place in at.places(value).into_iter().rev() {
                let Some((above, name)) = place.split() else { continue };
                let map = above.get_mut(value).and_then(Value::as_map_mut);
                if let Some(taken) = map.and_then(|map| map.remove(name)) {
                    effects.push(Effect::removed(place, taken));
                }
            }
        }
        Ok(effects)
    }

    /// What became of the objects that a signed object refers to: the pairs that are recorded in its place.
    pub fn successors(
        &self,
        subject: Subject<'_>,
        value: &Value,
        census: &Census,
    ) -> Result<Vec<Successor>, LinkError> {
        let mut successors = Vec::new();
        for found in self.references(subject, value)? {
            successors.extend(census.successor(subject.id, &found)?);
        }
        Ok(successors)
    }

    /// Computes the hashes of an object of itself again, and leaves its references as they are.
    pub fn seal(&self, subject: Subject<'_>, value: &mut Value) -> Result<Vec<Effect>, LinkError> {
        let (_, kind) = self.kind(subject.kind)?;
        let mut effects = Vec::new();
        for task in &kind.work.tasks {
            let Phase::Seal(own) = task.phase else { continue };
            if let Some(own) = kind.declared.self_hash.get(own) {
                seal(own, subject, value, &mut effects)?;
            }
        }
        Ok(effects)
    }

    /// Links objects again, each after those that it names: rewrites references to the new names of their targets, computes
    /// the objects' own hashes again, notes their new names in `census`. Objects that need each other are refused by name,
    /// and nothing is linked then.
    pub fn link_again(&self, objects: &mut [Linked<'_>], census: &mut Census) {
        let steps = match sequence(self, objects, census) {
            Ok(steps) => steps,
            Err(circle) => {
                for place in circle.objects {
                    if let Some(linked) = objects.get_mut(place) {
                        linked.refusal = Some((*circle.error).clone());
                    }
                }
                return;
            }
        };
        for (place, phase) in steps {
            let Some(linked) = objects.get_mut(place) else { continue };
            if linked.refusal.is_none()
                && let Err(error) = self.do_phase(phase, linked, census)
            {
                linked.refusal = Some(error);
            }
        }
    }

    fn do_phase(
        &self,
        phase: Phase,
        linked: &mut Linked<'_>,
        census: &mut Census,
    ) -> Result<(), LinkError> {
        let Linked { subject, object, value, write, effects, .. } = linked;
        let (_, kind) = self.kind(subject.kind)?;
        match phase {
            Phase::Relink(one) => kind.rewrite(one, *subject, value, census, effects)?,
            Phase::Seal(one) => {
                if let Some(own) = kind.declared.self_hash.get(one) {
                    seal(own, *subject, value, effects)?;
                }
            }
            Phase::Name(one) => {
                let name = kind.name(one, subject.id, write, value)?;
                census.set_new_name(*object, one, name);
            }
        }
        Ok(())
    }
}

/// An object that is to be linked again.
pub struct Linked<'a> {
    /// What it is, with the version that its value has now.
    pub subject: Subject<'a>,
    /// Its place in the census.
    pub object: ObjectIndex,
    /// Its value, all steps taken.
    pub value: &'a mut Value,
    /// Gives the bytes of a value as they will be published.
    pub write: Box<Write<'a>>,
    /// What was changed.
    pub effects: Vec<Effect>,
    /// Why it cannot be linked, if it cannot.
    pub refusal: Option<LinkError>,
}

impl Kind {
    fn name(
        &self,
        naming: usize,
        id: &str,
        bytes: &mut Write<'_>,
        value: &Value,
    ) -> Result<Option<Hash>, LinkError> {
        let Some(naming) = self.namings.get(naming) else { return Ok(None) };
        let name = preimage::hash(&naming.preimage, &pointers(&naming.exclude), bytes, value);
        name.map_err(|reason| reason.of(id))
    }

    /// The references that one declaration finds in an object.
    pub(super) fn found_in(
        &self,
        one: usize,
        subject: Subject<'_>,
        value: &Value,
    ) -> Result<Vec<Found>, LinkError> {
        let reference = self.declared.refs.get(one);
        let reference = reference.filter(|one| holds_in(&one.versions, subject.version));
        let (Some(reference), Some(target)) = (reference, self.targets.get(one).copied()) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for place in reference.at.places(value) {
            if place.get(value) == Some(&Value::Null) {
                continue;
            }
            let hash = read(reference.encoding, subject.id, &place, value)?;
            found.push(Found { place, to_kind: reference.to_kind.clone(), hash, target });
        }
        Ok(found)
    }

    fn rewrite(
        &self,
        one: usize,
        subject: Subject<'_>,
        value: &mut Value,
        census: &Census,
        effects: &mut Vec<Effect>,
    ) -> Result<(), LinkError> {
        let Some(reference) = self.declared.refs.get(one) else { return Ok(()) };
        for found in self.found_in(one, subject, value)? {
            let new_hash = census.new_hash(subject.id, &found)?;
            let reason = format!("{} has a new hash", found.to_kind);
            let written = encoding::write(reference.encoding, &new_hash);
            effects.extend(put(found.place, value, written, reason));
        }
        Ok(())
    }
}

fn seal(
    own: &SelfHash,
    subject: Subject<'_>,
    value: &mut Value,
    effects: &mut Vec<Effect>,
) -> Result<(), LinkError> {
    if !holds_in(&own.versions, subject.version) {
        return Ok(());
    }
    for place in own.at.places(value) {
        read(own.encoding, subject.id, &place, value)?;
        let hash = own_hash(own, subject.id, value)?;
        let written = encoding::write(own.encoding, &hash);
        effects.extend(put(place, value, written, "the content has a new hash".to_owned()));
    }
    Ok(())
}

/// Puts a hash in the place of another. Nothing is lost with it: the pair of both is recorded, and the old one is computed
/// again from what is kept.
fn put(place: Pointer, root: &mut Value, hash: Value, reason: String) -> Option<Effect> {
    let stands = place.get_mut(root).filter(|stands| **stands != hash)?;
    let before = std::mem::replace(stands, hash.clone());
    let effect = Effect::changed(place, before, hash, true);
    Some(Effect { reason: Some(reason), ..effect })
}

fn read(encoding: Encoding, id: &str, place: &Pointer, root: &Value) -> Result<Hash, LinkError> {
    let hash = place.get(root).and_then(|stands| encoding::read(encoding, stands));
    hash.ok_or_else(|| LinkError::NoHash {
        object: id.to_owned(),
        place: place.clone(),
        expected: encoding::expected(encoding),
    })
}

/// The hash of an object, or of a part of it, that it holds itself; the place where it holds it is left out of it.
fn own_hash(own: &SelfHash, id: &str, value: &Value) -> Result<Hash, LinkError> {
    let part = own.of.get(value).ok_or_else(|| LinkError::NoHash {
        object: id.to_owned(),
        place: own.of.clone(),
        expected: "what is hashed",
    })?;
    let omitted = own.exclude.iter().chain([&own.at]);
    let omitted: Vec<Pointer> =
        omitted.filter_map(|place| inside(&own.of, place.as_pointer())).collect();
    let mut no_bytes = |_: &Value| Ok(Vec::new());
    let hash = preimage::hash(&own.preimage, &omitted, &mut no_bytes, part);
    let hash = hash.map_err(|mut reason| {
        if let Unhashable::NoForm(NoForm { place, .. }) = &mut reason {
            *place = place.under(&own.of);
        }
        reason.of(id)
    })?;
    // Only a stated hash can be absent, and that preimage is refused here.
    Ok(hash.unwrap_or_default())
}

/// `place` as seen from `part`, if it lies in it.
fn inside(part: &Pointer, place: &Pointer) -> Option<Pointer> {
    let rest = place.tokens().strip_prefix(part.tokens())?;
    Some(rest.iter().fold(Pointer::default(), |place, token| place.below(token)))
}

fn pointers(patterns: &[Pattern]) -> Vec<Pointer> {
    patterns.iter().map(|pattern| pattern.as_pointer().clone()).collect()
}

fn holds_in(versions: &[String], version: &str) -> bool {
    versions.is_empty() || versions.iter().any(|known| known == version)
}
