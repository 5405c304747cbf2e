//! Taking a store or a database into care: a new one, or one that is there.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use ledger_format::body::{Body, Cause, ObjectObserved, ObjectState, Origin, StoreAdopted};
use ledger_format::hash::LedgerId;

use super::applied::must_be_sound;
use super::baseline::{self, Baseline};
use super::books;
use super::continues::{known_here, must_begin};
use super::error::MigrateError;
use super::observe::{LiveDatabase, take_all};
use super::run::freeze_contract;
use super::space;
use super::store::{OpenStore, Store, check_site, detect, remembered_as};
use crate::effects::{KernelSyncs, Random, Signer, syncs};
use crate::ledger::{Begins, Ledger};
use crate::target::Site;
use crate::target::glyph_store::{create, read_prefix};
use crate::target::sqlite::create_empty;

/// What to take into care.
pub struct InitOptions {
    /// The store and its surroundings.
    pub open: OpenStore,
    /// Name of the project, for a new store.
    pub project: String,
    /// The version of a database; found out if not given.
    pub baseline: Option<Baseline>,
    /// What its ledger begins with beside the signer's key.
    pub begins: Begins,
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
    let InitOptions { open, project, baseline, begins, signer } = options;
    let there = is_there(&open.site);
    let version = if there { judge(&open, baseline)? } else { unmade(&open, baseline.as_ref())? };
    let origin = if there { Origin::Adopted } else { Origin::Created };
    let mut store = open_or_create_ledger(&open, there, &project, &*signer, begins, random)?;
    let adoption = adopt_at(&mut store, origin, version, &*signer)?;
    Ok((store, adoption))
}

/// Whether there is a store, or a database with at least a page.
fn is_there(site: &Site) -> bool {
    match site {
        Site::GlyphStore(layout) => layout.manifest().exists(),
        Site::Database(_) => has_pages(&site.database()),
    }
}

/// Whether there is a database at `path`, with at least a page. One that cannot be looked at is there: opening it says what
/// is wrong.
pub(super) fn has_pages(path: &Path) -> bool {
    fs::metadata(path)
        .map_or_else(|error| error.kind() != ErrorKind::NotFound, |found| found.len() > 0)
}

/// Refuses what could not be adopted, before anything is made. The version of a database, which may have
/// to be found out.
fn judge(open: &OpenStore, baseline: Option<Baseline>) -> Result<Option<String>, MigrateError> {
    let OpenStore { site, contract, .. } = open;
    check_site(site, contract)?;
    let database = LiveDatabase::open(&site.database(), open.surroundings.wait)?;
    let stated = detect(site, contract, &database)?;
    let Some(audit) = site.audit() else {
        space::must_hold(&open.ledger, database.bytes())?;
        database.must_be_sound()?;
        must_be_sound(books::judged(contract, &database)?.map_or_else(Vec::new, |it| it.findings))?;
        return baseline::of(contract, stated, baseline, &database).map(Some);
    };
    read_prefix(&audit, None)?;
    Ok(None)
}

/// The version of a database that is to be made, if it is one.
fn unmade(open: &OpenStore, baseline: Option<&Baseline>) -> Result<Option<String>, MigrateError> {
    if open.site.store().is_some() {
        return Ok(None);
    }
    check_site(&open.site, &open.contract)?;
    let version = baseline.map(|baseline| baseline.version.as_str());
    baseline::of_nothing(&open.contract, version).map(Some)
}

fn open_or_create_ledger(
    open: &OpenStore,
    there: bool,
    project: &str,
    signer: &dyn Signer,
    begins: Begins,
    random: &mut dyn Random,
) -> Result<Store, MigrateError> {
    let place = remembered_as(&open.ledger)?;
    if known_here(&open.ledger, &place, &begins, &*open.surroundings.pins)? {
        let store = Store::open_unchecked(open.clone())?;
        must_begin(&store.ledger, &begins)?;
        return Ok(store);
    }
    if !there {
        match &open.site {
            Site::GlyphStore(layout) => {
                create(layout, project, open.surroundings.clock.now_ms())?;
            }
            Site::Database(_) => create_empty(&open.site.database(), open.surroundings.wait)?,
        }
    }
    if let Some(parent) = open.ledger.parent() {
        let io = |source| MigrateError::Io { path: parent.to_owned(), source };
        syncs::make_folder(&KernelSyncs, parent).map_err(io)?;
    }
    let mut nonce = [0; 16];
    nonce.iter_mut().zip(random.bytes32()?).for_each(|(held, drawn)| *held = drawn);
    let wait = open.surroundings.wait;
    let (beginning, surroundings) = ((nonce, begins), open.surroundings.clone());
    let ledger = Ledger::create_as(&open.ledger, &place, signer, beginning, surroundings)?;
    Store::with_ledger(open.site.clone(), open.contract.clone(), ledger, wait)
}

/// Takes a store into the care of its ledger, which must have none yet. A database must state its
/// version by itself.
pub fn adopt(
    store: &mut Store,
    origin: Origin,
    signer: &dyn Signer,
) -> Result<Adoption, MigrateError> {
    adopt_at(store, origin, None, signer)
}

/// The same of a store, or of a database at `version`.
fn adopt_at(
    store: &mut Store,
    origin: Origin,
    version: Option<String>,
    signer: &dyn Signer,
) -> Result<Adoption, MigrateError> {
    if store.ledger.state().store().contract.is_some() {
        return Err(MigrateError::AlreadyAdopted {
            root: store.site.root().to_owned(),
            ledger: store.ledger.id().to_string(),
        });
    }
    let database = LiveDatabase::open(&store.site.database(), store.wait)?;
    let Some(version) = detect(&store.site, &store.contract, &database)?.or(version) else {
        return Err(MigrateError::Baseline { candidates: Vec::new(), stopped: None });
    };
    let objects = take_all(&store.site, &database, &mut *store.objects)?;
    // Of what a database went through already only the text is left, which must stay as it is from now on.
    let frozen = match store.site.store() {
        None if store.contract.position(&version) != Some(0) => freeze_contract(store)?,
        _ => Vec::new(),
    };
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
    let bodies = baseline.chain([adopted.into()]).chain(frozen).collect();
    store.ledger.append(signer, bodies)?;
    Ok(Adoption { ledger: store.ledger.id(), origin, version, objects })
}
