//! Which objects there are, under which hashes, before and after.

use std::collections::BTreeMap;

use super::relink::Found;
use super::{Hash, LinkError, Links, Names, Target};
use crate::document::Pointer;

/// All objects of a set under their names.
#[derive(Debug, Clone, Default)]
pub struct Census {
    objects: Vec<Object>,
    /// By kind and hash: the objects that have it now, and under which naming.
    present: BTreeMap<(usize, Hash), Vec<(usize, ObjectIndex)>>,
    /// By kind and hash: an object that had it once.
    former: BTreeMap<(usize, Hash), ObjectIndex>,
}

/// An object of a census.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectIndex(usize);

#[derive(Debug, Clone)]
struct Object {
    id: String,
    before: Names,
    after: Names,
}

/// A hash by which others name an object, before and after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Renaming {
    /// What is hashed.
    pub naming: String,
    /// The hash before.
    pub old_hash: Hash,
    /// The hash after.
    pub new_hash: Hash,
}

/// What became of an object that is referred to: the pair that is recorded where the reference itself must not be
/// rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// Where the reference stands.
    pub place: Pointer,
    /// The kind of object that it names.
    pub to_kind: String,
    /// The hash that stands there.
    pub old_hash: Hash,
    /// The hash that the object has now.
    pub new_hash: Hash,
}

impl Census {
    /// An empty census.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in an object with its names as it is ([`Links::names`]). Until it is linked again its new names are these.
    pub fn add(
        &mut self,
        links: &Links,
        kind: &str,
        id: &str,
        names: Names,
    ) -> Result<ObjectIndex, LinkError> {
        let (kind, _) = links.kind(kind)?;
        let index = ObjectIndex(self.objects.len());
        for (naming, hash) in names.0.iter().enumerate() {
            if let Some(hash) = hash {
                self.present.entry((kind, *hash)).or_default().push((naming, index));
            }
        }
        self.objects.push(Object { id: id.to_owned(), before: names.clone(), after: names });
        Ok(index)
    }

    /// Notes names that the object had once, such as those of its older version; a reference by one of them is stale and
    /// not dangling.
    pub fn add_former(
        &mut self,
        links: &Links,
        kind: &str,
        object: ObjectIndex,
        names: &Names,
    ) -> Result<(), LinkError> {
        let (kind, _) = links.kind(kind)?;
        for hash in names.0.iter().flatten() {
            self.former.entry((kind, *hash)).or_insert(object);
        }
        Ok(())
    }

    /// What `object` was called when it was taken in.
    pub fn id(&self, object: ObjectIndex) -> &str {
        self.objects.get(object.0).map_or("", |object| &object.id)
    }

    pub(super) fn set_new_name(&mut self, object: ObjectIndex, naming: usize, hash: Option<Hash>) {
        let object = self.objects.get_mut(object.0);
        if let Some(name) = object.and_then(|object| object.after.0.get_mut(naming)) {
            *name = hash;
        }
    }

    /// The names of `object` that are others now, each once and in ascending order.
    pub fn renamings(
        &self,
        links: &Links,
        kind: &str,
        object: ObjectIndex,
    ) -> Result<Vec<Renaming>, LinkError> {
        let (_, kind) = links.kind(kind)?;
        let Some(object) = self.objects.get(object.0) else { return Ok(Vec::new()) };
        let pairs = object.before.0.iter().zip(&object.after.0);
        let renamings = kind.namings.iter().zip(pairs).filter_map(|(naming, pair)| match pair {
            (Some(old_hash), Some(new_hash)) if old_hash != new_hash => Some(Renaming {
                naming: naming.preimage.to_string(),
                old_hash: *old_hash,
                new_hash: *new_hash,
            }),
            _ => None,
        });
        let mut renamings: Vec<Renaming> = renamings.collect();
        renamings.sort();
        renamings.dedup();
        Ok(renamings)
    }

    /// Whether something has the hash that a reference holds, or had it.
    pub fn knows(&self, found: &Found) -> bool {
        self.targets(found).next().is_some()
            || self.former.contains_key(&(found.target.kind, found.hash))
    }

    /// The objects that a reference may mean.
    pub fn targets(&self, found: &Found) -> impl Iterator<Item = ObjectIndex> {
        self.named(found.target, &found.hash, false)
    }

    /// Refuses a reference that leads nowhere, or to what an object was.
    pub fn check(&self, from: &str, found: &Found) -> Result<(), LinkError> {
        if self.named(found.target, &found.hash, true).next().is_some() {
            return Ok(());
        }
        Err(self.unknown(from, found))
    }

    /// Refuses a reference of a signed object that leads nowhere. It may lead to what an object was: nobody may rewrite it.
    pub fn check_signed(&self, from: &str, found: &Found) -> Result<(), LinkError> {
        if self.former.contains_key(&(found.target.kind, found.hash)) {
            return Ok(());
        }
        self.check(from, found)
    }

    /// The hash that the target of a reference has now.
    pub(super) fn new_hash(&self, from: &str, found: &Found) -> Result<Hash, LinkError> {
        let targets: Vec<ObjectIndex> = self.named(found.target, &found.hash, false).collect();
        let new_name = |object: &ObjectIndex| self.new_name(*object, found.target.naming);
        let mut hashes = targets.iter().map(new_name);
        match hashes.next() {
            Some(Some(hash)) if hashes.all(|other| other == Some(hash)) => Ok(hash),
            Some(Some(_)) => Err(LinkError::Ambiguous {
                object: from.to_owned(),
                place: found.place.clone(),
                targets: targets.iter().map(|target| self.id(*target).to_owned()).collect(),
                stated: found.hash,
            }),
            _ => Err(self.unknown(from, found)),
        }
    }

    /// The objects of the target's kind that were taken in under `hash`: by the naming that is declared, or by any.
    pub(super) fn named<'a>(
        &'a self,
        target: Target,
        hash: &Hash,
        as_declared: bool,
    ) -> impl Iterator<Item = ObjectIndex> + 'a {
        let named = self.present.get(&(target.kind, *hash)).into_iter().flatten();
        let named = named.filter(move |(naming, _)| !as_declared || *naming == target.naming);
        let mut last = None;
        named
            .map(|(_, object)| *object)
            .filter(move |object| last.replace(*object) != Some(*object))
    }

    fn unknown(&self, from: &str, found: &Found) -> LinkError {
        let (object, place, stated) = (from.to_owned(), found.place.clone(), found.hash);
        let otherwise = self.named(found.target, &found.hash, false).next();
        let otherwise = otherwise.map(|target| (target, "it is the hash of another part of it"));
        let former = self.former.get(&(found.target.kind, found.hash));
        let former = former.map(|target| (*target, "it is one that it had before it was changed"));
        match otherwise.or(former) {
            Some((target, reason)) => {
                let target = self.id(target).to_owned();
                LinkError::StaleReference { object, place, target, stated, reason }
            }
            None => LinkError::Dangling { object, place, to_kind: found.to_kind.clone(), stated },
        }
    }

    /// What became of the target of a reference of a signed object, if its hash is another one now.
    pub(super) fn successor(
        &self,
        from: &str,
        found: &Found,
    ) -> Result<Option<Successor>, LinkError> {
        let is_present = self.named(found.target, &found.hash, false).next().is_some();
        let former = self.former.get(&(found.target.kind, found.hash));
        let new_hash = match former.filter(|_| !is_present) {
            Some(object) => {
                let new = self.new_name(*object, found.target.naming);
                new.ok_or_else(|| self.unknown(from, found))?
            }
            None => self.new_hash(from, found)?,
        };
        Ok((new_hash != found.hash).then(|| Successor {
            place: found.place.clone(),
            to_kind: found.to_kind.clone(),
            old_hash: found.hash,
            new_hash,
        }))
    }

    fn new_name(&self, object: ObjectIndex, naming: usize) -> Option<Hash> {
        self.objects.get(object.0)?.after.0.get(naming).copied().flatten()
    }

    /// The names of an object as it was taken in.
    pub fn names(&self, object: ObjectIndex) -> Option<&Names> {
        self.objects.get(object.0).map(|object| &object.before)
    }
}
