//! Taking a store into care: a new one, or one that is there.

use std::sync::Arc;

use ledger_format::body::{Body, Cause, ObjectObserved, ObjectState, Origin, StoreAdopted};
use ledger_format::hash::LedgerId;

use super::error::MigrateError;
use super::observe::{self, LiveDatabase};
use super::store::{OpenStore, Store, check_manifest, detect, read_manifest, remembered_as};
use crate::effects::{KernelSyncs, Random, Signer, syncs};
use crate::ledger::Ledger;
use crate::target::glyph_store::{Layout, create, read_prefix};

/// What to take into care.
pub struct InitOptions {
    /// The store and its surroundings.
    pub open: OpenStore,
    /// Name of the project, for a new store.
    pub project: String,
    /// Who signs.
    pub signer: Arc<dyn Signer>,
}

/// A store now in the care of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// The ledger.
    pub ledger: LedgerId,
    /// Whether the store was made or was there before.
    pub origin: Origin,
    /// Its version.
    pub version: String,
    /// Its objects, as recorded.
    pub objects: Vec<(String, ObjectState)>,
}

/// Creates a store where there is none, else adopts the one that is there without changing a byte of
/// it, and creates its ledger. An adoption that was cut short is finished by doing it again.
pub fn init(
    options: InitOptions,
    random: &mut dyn Random,
) -> Result<(Store, Adoption), MigrateError> {
    let InitOptions { open, project, signer } = options;
    let there = open.layout.manifest().exists();
    if there {
        judge(&open)?;
    }
    let origin = if there { Origin::Adopted } else { Origin::Created };
    let mut store = open_or_create_ledger(&open, there, &project, &*signer, random)?;
    let adoption = adopt(&mut store, origin, &*signer)?;
    Ok((store, adoption))
}

/// Refuses a store that could not be adopted, before anything is made.
fn judge(open: &OpenStore) -> Result<(), MigrateError> {
    let layout = &open.layout;
    let manifest = read_manifest(layout)?;
    check_manifest(layout, &open.contract, &manifest)?;
    let database = LiveDatabase::open(&layout.database(), open.surroundings.wait)?;
    detect(layout, &open.contract, &manifest, &database)?;
    read_prefix(&layout.audit(), None)?;
    Ok(())
}

fn open_or_create_ledger(
    open: &OpenStore,
    there: bool,
    project: &str,
    signer: &dyn Signer,
    random: &mut dyn Random,
) -> Result<Store, MigrateError> {
    let place = remembered_as(&open.ledger)?;
    let known =
        open.surroundings.pins.ledger_at(&place).map_err(crate::ledger::LedgerError::Pin)?;
    if open.ledger.exists() || known.is_some() {
        return Store::open_unchecked(open.clone());
    }
    if !there {
        create(&open.layout, project, open.surroundings.clock.now_ms())?;
    }
    if let Some(parent) = open.ledger.parent() {
        let io = |source| MigrateError::Io { path: parent.to_owned(), source };
        syncs::make_folder(&KernelSyncs, parent).map_err(io)?;
    }
    let mut nonce = [0; 16];
    nonce.iter_mut().zip(random.bytes32()?).for_each(|(held, drawn)| *held = drawn);
    let wait = open.surroundings.wait;
    let ledger = Ledger::create(&open.ledger, &place, signer, nonce, open.surroundings.clone())?;
    Store::with_ledger(open.layout.clone(), open.contract.clone(), ledger, wait)
}

/// Takes a store into the care of its ledger, which must have none yet.
pub fn adopt(
    store: &mut Store,
    origin: Origin,
    signer: &dyn Signer,
) -> Result<Adoption, MigrateError> {
    let layout = store.layout.clone();
    if store.ledger.state().store().contract.is_some() {
        return Err(MigrateError::AlreadyAdopted {
            root: layout.root().to_owned(),
            ledger: store.ledger.id().to_string(),
        });
    }
    let manifest = read_manifest(&layout)?;
    let database = LiveDatabase::open(&layout.database(), store.wait)?;
    let version = detect(&layout, &store.contract, &manifest, &database)?;
    let (bytes, manifest_state) = observe::document(&layout.manifest())?;
    store.objects.put(&bytes)?;
    let audit = read_prefix(&layout.audit(), None)?;
    let tail = store.objects.put(&audit.tail)?;
    let audit_state = ObjectState::Log { content: audit.content, bytes: audit.bytes, tail };
    let database_state = database.take(&mut *store.objects)?;
    let objects = vec![
        (Layout::MANIFEST.to_owned(), manifest_state),
        (Layout::DATABASE.to_owned(), database_state),
        (Layout::AUDIT.to_owned(), audit_state),
    ];
    store.objects.sync()?;
    let baseline = objects.iter().map(|(object, state)| {
        let (object, state) = (object.clone(), state.clone());
        Body::from(ObjectObserved { object, cause: Cause::Baseline, state })
    });
    let adopted = StoreAdopted {
        contract: store.contract.contract.clone(),
        version: version.clone(),
        origin,
        objects: objects.len() as u64,
        open: false,
    };
    let bodies = baseline.chain([adopted.into()]).collect();
    store.ledger.append(signer, bodies)?;
    Ok(Adoption { ledger: store.ledger.id(), origin, version, objects })
}
