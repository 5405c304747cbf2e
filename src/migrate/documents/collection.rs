//! A tree of documents in the care of a ledger, opened together.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ledger_format::body::{Body, MIXED_VERSIONS, ObjectState, Origin, StoreAdopted};
use ledger_format::hash::{CommitHash, ContentHash};

use super::super::continues::{known_here, must_begin};
use super::super::error::MigrateError;
use super::super::stage::frozen_contract;
use super::super::store::{open_objects, remembered_as};
use super::former::Former;
use super::prepared::{Outside, Prepared};
use super::publish::Conflicts;
use super::work::{Kinds, Look, links_of};
use crate::contract::{Bundle, Contract};
use crate::effects::{KernelSyncs, Random, Signer, syncs};
use crate::ledger::{Begins, Ledger, Surroundings};
use crate::link::Links;
use crate::objects::Objects;
use crate::target::documents::{self as target, Found, Places, Stamps, Survey, Tree};

/// The name under which a tree of documents is in a ledger's care: it has a contract for each kind of document and none of
/// its own.
const TREE_CONTRACT: &str = "documents";

/// Documents whose kinds are known.
pub struct Collection {
    pub(super) tree: Tree,
    pub(super) contracts: Vec<Prepared>,
    pub(super) links: Links,
}

impl Collection {
    /// The documents of `tree` that `contracts` describe. Refuses contracts that cannot be used together.
    pub fn of(
        tree: Tree,
        contracts: Vec<Contract>,
        outside: &Outside,
    ) -> Result<Self, MigrateError> {
        let knows = |name: &str| contracts.iter().any(|c| c.parameters.contains_key(name));
        if let Some((name, _)) = outside.parameters.iter().find(|(name, _)| !knows(name)) {
            return Err(MigrateError::UnknownParameter { name: name.to_owned() });
        }
        let contracts = contracts.into_iter().map(|contract| {
            let outside = outside.of_contract(&contract);
            Prepared::of(contract, &outside)
        });
        let contracts = contracts.collect::<Result<Vec<_>, _>>()?;
        let links = links_of(&contracts)?;
        Ok(Self { tree, contracts, links })
    }

    /// Where the documents lie.
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Leaves out the documents and folders that these ids or globs name, in all that looks through the tree from now on.
    #[must_use]
    pub fn leaving_out(self, left_out: Vec<String>) -> Self {
        Self { tree: self.tree.leaving_out(left_out), ..self }
    }

    /// The kinds.
    pub fn contracts(&self) -> &[Prepared] {
        &self.contracts
    }

    /// Ids of all documents, each with the place of its contract.
    pub fn find(&self) -> Result<BTreeMap<String, usize>, MigrateError> {
        Ok(self.survey()?.documents)
    }

    /// The same with what of the tree was not looked into.
    pub fn survey(&self) -> Result<Survey, MigrateError> {
        Ok(self.tree.find(&self.globs()?)?)
    }

    /// The same, but for documents and folders that these ids or globs name.
    pub(super) fn survey_without(&self, left_out: Vec<String>) -> Result<Survey, MigrateError> {
        Ok(self.tree.clone().leaving_out(left_out).find(&self.globs()?)?)
    }

    /// Whether a file of that id is, or would be, one of the documents.
    pub fn claims(&self, id: &str) -> Result<bool, MigrateError> {
        Ok(!self.tree.leaves_out_always(id) && self.globs()?.of_file(id)?.is_some())
    }

    /// The place of the contract that describes a document of that id.
    pub fn kind_of(&self, id: &str) -> Result<Option<usize>, MigrateError> {
        Ok(self.globs()?.of_file(id)?)
    }

    fn globs(&self) -> Result<target::Kinds, MigrateError> {
        let contracts = self.contracts.iter().map(Prepared::contract);
        let globs =
            contracts.map(|contract| (contract.contract.as_str(), contract.files.as_slice()));
        Ok(target::Kinds::of(globs)?)
    }

    /// Whether documents are worked on together. One document alone is looked at without those that it names.
    pub(super) fn is_together(&self) -> bool {
        !self.tree.is_one() && self.is_linked()
    }

    /// `former` is what documents were called before.
    pub(super) fn kinds<'a>(&'a self, to: Option<&'a str>, former: &'a Former) -> Kinds<'a> {
        let (contracts, links, linked) = (&self.contracts, &self.links, self.is_together());
        Kinds { contracts, links, to, linked, former }
    }

    /// What stands in the place of a document that must be there.
    pub(super) fn load(&self, id: &str) -> Result<Found, MigrateError> {
        let found = Places(&self.tree).look(id)?;
        found.ok_or_else(|| MigrateError::Gone { object: id.to_owned() })
    }

    /// Works on the documents found as they are, and hands what `look` makes of each to `take` in the order of ids. `former`
    /// is what documents were called before.
    pub(super) fn work<R: Send>(
        &self,
        found: &BTreeMap<String, usize>,
        to: Option<&str>,
        jobs: usize,
        former: &Former,
        look: Look<'_, R>,
        take: &mut dyn FnMut(R) -> Result<(), MigrateError>,
    ) -> Result<(), MigrateError> {
        let load = |id: &str| self.load(id);
        let ids = found.iter().map(|(id, kind)| (id.as_str(), *kind)).collect();
        self.kinds(to, former).work(&ids, jobs, &load, look, take)
    }
}

/// What is needed to open documents and their ledger.
#[derive(Clone)]
pub struct OpenDocuments {
    /// Where they lie.
    pub tree: Tree,
    /// Where their ledger lies.
    pub ledger: PathBuf,
    /// The kinds of documents.
    pub contracts: Vec<Contract>,
    /// What steps get from outside.
    pub outside: Outside,
    /// Number of threads that work on documents.
    pub jobs: usize,
    /// Clock, pins and patience.
    pub surroundings: Surroundings,
}

/// Documents whose ledger is open. Nobody else has it open.
pub struct Documents {
    pub(super) collection: Collection,
    pub(super) outside: Outside,
    pub(super) jobs: usize,
    // Closed before the ledger is: who waits for the ledger finds the objects free.
    pub(super) objects: Box<dyn Objects>,
    pub(super) ledger: Ledger,
    /// What becomes of documents that somebody changed since a run was committed.
    pub(super) conflicts: Conflicts,
    /// Those that the last run left as they are.
    pub(super) kept: Vec<String>,
    /// By which those are known again that were read and kept for the run under way.
    pub(super) stamps: Stamps,
}

impl Documents {
    /// Opens the ledger and prepares the contracts. Looks at no document.
    pub fn open(open: OpenDocuments) -> Result<Self, MigrateError> {
        let place = remembered_as(&open.ledger)?;
        let ledger = Ledger::open(&open.ledger, &place, open.surroundings.clone())?;
        Self::with_ledger(open, ledger)
    }

    /// Creates a ledger for the documents of a tree, or finishes creating it. No document is touched, and none is in its
    /// care yet: each joins when it is first migrated.
    pub fn init(
        open: OpenDocuments,
        begins: Begins,
        signer: &dyn Signer,
        random: &mut dyn Random,
    ) -> Result<Self, MigrateError> {
        let place = remembered_as(&open.ledger)?;
        let known = known_here(&open.ledger, &place, &begins, &*open.surroundings.pins)?;
        let mut documents = if known {
            let documents = Self::open(open)?;
            must_begin(&documents.ledger, &begins)?;
            documents
        } else {
            // What cannot be used is refused before anything is made.
            Collection::of(open.tree.clone(), open.contracts.clone(), &open.outside)?.find()?;
            if let Some(parent) = open.ledger.parent() {
                let io = |source| MigrateError::Io { path: parent.to_owned(), source };
                syncs::make_folder(&KernelSyncs, parent).map_err(io)?;
            }
            let mut nonce = [0; 16];
            nonce.iter_mut().zip(random.bytes32()?).for_each(|(held, drawn)| *held = drawn);
            let surroundings = open.surroundings.clone();
            let beginning = (nonce, begins);
            let ledger = Ledger::create_as(&open.ledger, &place, signer, beginning, surroundings)?;
            Self::with_ledger(open, ledger)?
        };
        if documents.ledger.state().store().contract.is_some() {
            let root = documents.collection.tree.root().to_owned();
            let ledger = documents.ledger.id().to_string();
            return Err(MigrateError::AlreadyAdopted { root, ledger });
        }
        let adopted = StoreAdopted {
            contract: TREE_CONTRACT.to_owned(),
            version: MIXED_VERSIONS.to_owned(),
            origin: Origin::Adopted,
            objects: 0,
            open: true,
        };
        documents.ledger.append(signer, vec![adopted.into()])?;
        Ok(documents)
    }

    /// Documents with a ledger that the caller has opened.
    pub fn with_ledger(open: OpenDocuments, ledger: Ledger) -> Result<Self, MigrateError> {
        let OpenDocuments { tree, contracts, outside, jobs, .. } = open;
        if let Some(adopted) = &ledger.state().store().contract
            && !ledger.state().store().open
        {
            let (adopted, offered) = (adopted.clone(), TREE_CONTRACT.to_owned());
            return Err(MigrateError::OtherContract { adopted, offered });
        }
        let collection = Collection::of(tree, contracts, &outside)?;
        let objects = open_objects(&ledger)?;
        let (conflicts, kept, stamps) = (Conflicts::Stop, Vec::new(), Stamps::default());
        Ok(Self { collection, outside, jobs, objects, ledger, conflicts, kept, stamps })
    }

    /// Leaves out the documents and folders that these ids or globs name; plans made from now on say so.
    #[must_use]
    pub fn leaving_out(self, left_out: Vec<String>) -> Self {
        Self { collection: self.collection.leaving_out(left_out), ..self }
    }

    /// The ledger.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Stored content.
    pub fn objects(&self) -> &dyn Objects {
        &*self.objects
    }

    /// The documents.
    pub const fn collection(&self) -> &Collection {
        &self.collection
    }

    /// Of each contract that the ledger froze, the last, as it keeps it.
    pub fn frozen(&self) -> Result<Vec<Contract>, MigrateError> {
        let contracts = self.ledger.state().contracts();
        let last = contracts.names().filter_map(|name| contracts.last(name));
        last.map(|frozen| frozen_contract(&self.ledger, &*self.objects, frozen.digest)).collect()
    }

    /// The same documents, described by other contracts.
    pub fn described_by(
        self,
        contracts: Vec<Contract>,
        outside: Outside,
    ) -> Result<Self, MigrateError> {
        let collection = Collection::of(self.collection.tree, contracts, &outside)?;
        Ok(Self { collection, outside, ..self })
    }

    /// The contract of that digest: one of those at hand, else one that the ledger froze.
    pub(super) fn prepared(&self, digest: CommitHash) -> Result<Prepared, MigrateError> {
        let frozen = frozen_contract(&self.ledger, &*self.objects, digest)?;
        let outside = self.outside.of_contract(&frozen);
        Ok(Prepared::of(frozen, &outside)?)
    }

    /// Refuses contracts that were used before under the same name and version with another meaning.
    pub fn must_be_unedited(&self) -> Result<(), MigrateError> {
        self.collection.contracts.iter().try_for_each(|prepared| {
            self.is_unedited(prepared.contract(), prepared.digest()).map(drop)
        })
    }

    /// Whether a contract is frozen as it is; refuses one that is frozen otherwise.
    fn is_unedited(&self, contract: &Contract, actual: CommitHash) -> Result<bool, MigrateError> {
        let contracts = self.ledger.state().contracts();
        if contracts.by_digest(&actual).is_some() {
            return Ok(true);
        }
        let (name, version) = (&contract.contract, &contract.contract_version);
        contracts.by_identity(name, version).map_or(Ok(false), |frozen| {
            Err(MigrateError::ContractEdited {
                name: name.clone(),
                version: version.clone(),
                frozen: frozen.digest,
                actual,
            })
        })
    }

    /// The event that freezes a contract, unless it is frozen; refuses one that was used before under the same name and
    /// version with another meaning.
    pub(super) fn freeze(&mut self, contract: &Contract) -> Result<Option<Body>, MigrateError> {
        let digest = contract.digest();
        if self.is_unedited(contract, digest)? {
            return Ok(None);
        }
        let (name, version) = (&contract.contract, &contract.contract_version);
        let bundle = self.objects.put(Bundle::of(contract).bytes())?;
        let (contract, contract_version) = (name.clone(), version.clone());
        let frozen =
            ledger_format::body::ContractFrozen { contract, contract_version, digest, bundle };
        Ok(Some(frozen.into()))
    }
}

/// The state of what stands in a place.
pub(super) const fn state_of(found: &Found) -> ObjectState {
    let (content, bytes) = (found.content, found.bytes.len() as u64);
    ObjectState::Document { content, bytes, mode: found.mode }
}

/// The bytes that a state names.
pub(super) const fn content_of(state: &ObjectState) -> Option<ContentHash> {
    if let ObjectState::Document { content, .. } = state { Some(*content) } else { None }
}
