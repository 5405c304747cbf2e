//! Proofs of the documents of a tree: of each on its own, or, where they name each other by hash, of each as what it is in
//! the whole set. Keeps nothing and records nothing.

use std::collections::BTreeMap;
use std::io;
use std::thread;

use super::document::DocumentMigration;
use super::prove::{Migrated, ProveError, Views, proof_of, prove};
use super::{Generated, Proof};
use crate::contract::{Contract, Pattern};
use crate::diagnostic::OUTCOME_INVALID;
use crate::migrate::MigrateError;
use crate::migrate::documents::{Collection, DocumentsPolicy, Former, InSet, Prepared, Refusal};

/// A document of a tree, and what is seen of its migration.
#[derive(Debug)]
pub struct Proven {
    /// Its id.
    pub id: String,
    /// Its proof, or why it has none.
    pub proof: Result<Proof, Refusal>,
}

/// Makes the proofs of a tree.
pub struct TreeProver<'a> {
    collection: &'a Collection,
    migrations: Vec<DocumentMigration>,
    set: Option<Set>,
}

/// A linked set, seen three times. It is held whole, as it is for planning.
struct Set {
    first: BTreeMap<String, InSet>,
    elsewhere: BTreeMap<String, InSet>,
    onward: BTreeMap<String, InSet>,
}

impl<'a> TreeProver<'a> {
    /// For the documents of `collection`, as a run under that policy would migrate them; `former` is what they were called
    /// before, as far as a ledger is asked. A linked set is looked at now.
    pub fn new(
        collection: &'a Collection,
        policy: &DocumentsPolicy,
        former: &Former,
    ) -> Result<Self, MigrateError> {
        let contracts = collection.contracts().iter().map(Prepared::contract).cloned();
        let migrations = contracts.map(|contract| DocumentMigration::of(contract, policy));
        let migrations = migrations.collect::<Result<_, _>>()?;
        let set = if collection.is_linked() { Some(Set::of(collection, former)?) } else { None };
        Ok(Self { collection, migrations, set })
    }

    /// Ids of all documents, each with the place of its contract.
    pub fn documents(&self) -> Result<BTreeMap<String, usize>, MigrateError> {
        self.collection.find()
    }

    /// The proofs of these documents, in their order; each of `jobs` threads holds one document at a time.
    pub fn prove(
        &self,
        documents: &[(String, usize)],
        generated: &Generated,
        jobs: usize,
    ) -> Result<Vec<Proven>, MigrateError> {
        let jobs = jobs.clamp(1, documents.len().max(1));
        let share = |first: usize| {
            let own = documents.iter().enumerate().skip(first).step_by(jobs);
            own.map(|(place, (id, kind))| Ok((place, self.one(id, *kind, generated)?)))
                .collect::<Result<Vec<_>, MigrateError>>()
        };
        let done: Vec<_> = thread::scope(|scope| {
            let share = &share;
            let threads: Vec<_> =
                (0..jobs).map(|first| scope.spawn(move || share(first))).collect();
            threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        let mut proven = Vec::with_capacity(documents.len());
        for share in done {
            match share {
                Ok(share) => proven.extend(share?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        proven.sort_by_key(|(place, _)| *place);
        Ok(proven.into_iter().map(|(_, proven)| proven).collect())
    }

    fn one(&self, id: &str, kind: usize, generated: &Generated) -> Result<Proven, MigrateError> {
        let id = id.to_owned();
        let Some(migration) = self.migrations.get(kind) else {
            let proof = Err(Refusal::new(&OUTCOME_INVALID, "no contract describes it"));
            return Ok(Proven { id, proof });
        };
        let again = || self.collection.bytes_of(&id);
        let mut reread = || again().map_err(io::Error::other);
        let (source, proof) = match &self.set {
            None => {
                let source = again()?;
                let proof = prove(migration, &source, generated, &mut reread);
                (source, proof)
            }
            Some(set) => match set.views(&id, migration) {
                Ok((source, views)) => {
                    let proof = proof_of(migration, views, &source, generated, &mut reread);
                    (source, proof)
                }
                Err(refusal) => return Ok(Proven { id, proof: Err(refusal) }),
            },
        };
        let proof = match proof {
            Ok(proof) => Ok(proof),
            Err(ProveError::Unsupported { errors }) => {
                let unnamed = || Refusal::new(&OUTCOME_INVALID, errors.join("; "));
                Err(migration.refusal(&source).unwrap_or_else(unnamed))
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Proven { id, proof })
    }
}

impl Set {
    fn of(collection: &Collection, former: &Former) -> Result<Self, MigrateError> {
        let as_it_is = BTreeMap::new();
        let first = collection.whole_set(&as_it_is, former)?;
        let elsewhere =
            thread::scope(|scope| scope.spawn(|| collection.whole_set(&as_it_is, former)).join());
        let elsewhere = match elsewhere {
            Ok(set) => set?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        let result = |(id, member): (&String, &InSet)| {
            Some((id.clone(), member.evaluation.result.as_ref()?.bytes.clone()))
        };
        let onward = collection.whole_set(&first.iter().filter_map(result).collect(), former)?;
        Ok(Self { first, elsewhere, onward })
    }

    /// What is seen of one document; why not, where its place in the set is what refuses it.
    fn views(&self, id: &str, migration: &DocumentMigration) -> Result<(Vec<u8>, Views), Refusal> {
        let missing = || Refusal::new(&OUTCOME_INVALID, "it was not there when the set was read");
        let member = self.first.get(id).ok_or_else(missing)?;
        let source = member.source.clone();
        if member.evaluation.result.is_none() {
            // Refused for what its own steps make of it, it gets the proof that it has alone.
            let alone = Views::of(migration, &source).ok();
            let fails =
                |views: &Views| views.first.result.is_none() && views.first.value().is_some();
            let refusal = || member.evaluation.refusals.first().cloned().unwrap_or_else(missing);
            return alone.filter(fails).map(|views| (source, views)).ok_or_else(refusal);
        }
        let told =
            |set: &BTreeMap<String, InSet>| set.get(id).map(|member| linked(migration, member));
        let first = told(&self.first).ok_or_else(missing)?;
        Ok((source, Views { first, elsewhere: told(&self.elsewhere), onward: told(&self.onward) }))
    }
}

/// What becomes of a document in its set. The hashes in it may change: they name what others became.
fn linked(migration: &DocumentMigration, member: &InSet) -> Migrated {
    let before = migration.value_of(&member.source);
    let mut migrated = migration.told(&member.source, before, None, member.evaluation.clone());
    let hashes = hashes(migration.described());
    let changed = member.evaluation.effects.iter().map(|effect| &effect.path);
    let changed = changed.filter(|path| hashes.iter().any(|hash| hash.matches(path)));
    migrated.exempt.extend(changed.cloned());
    migrated
}

fn hashes(contract: &Contract) -> Vec<&Pattern> {
    let others = contract.refs.iter().map(|reference| &reference.at);
    others.chain(contract.self_hash.iter().map(|own| &own.at)).collect()
}
