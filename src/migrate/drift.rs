//! Accepting drift: a structure of a database that no run made becomes what the ledger has of it. It is told first, and done
//! only by who names what was told. What the database was before stays kept.

use ledger_format::body::{Body, DriftAccepted, ObjectState};
use ledger_format::cbor::{self, Value};
use ledger_format::hash::{CommitHash, LedgerId};

use super::applied::must_be_unchanged;
use super::baseline::{self, Baseline};
use super::error::MigrateError;
use super::observe::LiveDatabase;
use super::plan::scratch_folder;
use super::run::{
    CONSENT_DIGITS_MIN, Consent, Observer, Subject as _, check_contract, consents, freeze_contract,
    shortened,
};
use super::space;
use super::store::{Store, detect};
use crate::effects::Signer;
use crate::target::sqlite::{Changes, image};

/// A database that is not what the ledger has, and what of it would be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drifted {
    /// What has to be typed for it to be accepted: a hash of all the rest.
    pub id: CommitHash,
    /// The database.
    pub object: String,
    /// Version by the ledger.
    pub from: String,
    /// Version that it has by its own table or, where nothing tells it, by who accepts the drift.
    pub to: String,
    /// Its schema by the ledger.
    pub recorded: CommitHash,
    /// Its schema now.
    pub found: CommitHash,
    /// Its page root now: rows and settings are accepted with the structure, as they were looked at.
    pub pages: CommitHash,
}

/// What the database in care differs in from what the ledger has. `version` is the one that it has now, where nothing in it
/// tells that and it is another one than before. `None` where neither structure nor version differ.
pub fn drifted(
    store: &Store,
    version: Option<&Baseline>,
) -> Result<Option<(Drifted, Changes)>, MigrateError> {
    store.must_be_idle()?;
    must_be_unchanged(store)?;
    let database = open(store)?;
    let Some(seen) = look(store, version, &database)? else { return Ok(None) };
    space::check_live(store)?;
    let folder = scratch_folder(store)?;
    let now = database.copy(folder.path())?;
    let (ObjectState::Database { page_root, .. }, _) = held(store)? else {
        return Err(MigrateError::BeforeAdoption);
    };
    let before = folder.path().join("before.db");
    image::materialise(page_root, &*store.objects, &before)?;
    let drifted = seen.with_pages(store, now.page_tree().root());
    Ok(Some((drifted, Changes::between(&before, now.path())?)))
}

/// What became of accepted drift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedDrift {
    /// What was accepted.
    pub drifted: Drifted,
    /// Sequence number of the event that says so.
    pub seq: u64,
}

/// Takes the database as it is, if `consent` names how it differs now, and says why. Audit lines and a manifest that
/// others changed are recorded with it.
pub fn accept_drift(
    store: &mut Store,
    version: Option<&Baseline>,
    consent: &Consent,
    reason: &str,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<AcceptedDrift, MigrateError> {
    store.must_be_idle()?;
    store.may_sign(signer)?;
    must_be_unchanged(store)?;
    check_contract(store)?;
    let database = open(store)?;
    let Some(seen) = look(store, version, &database)? else {
        let at = "the database has the structure and the version that the ledger has".to_owned();
        return Err(MigrateError::NothingToDo { at });
    };
    // All that follows is read in one transaction: what was named is what is taken.
    let tree = database.page_tree()?;
    let drifted = seen.with_pages(store, tree.root());
    must_be_named(&drifted, consent)?;
    database.must_be_sound()?;
    space::check_live(store)?;
    let mut bodies = freeze_contract(store)?;
    bodies.extend(store.manifest_change()?);
    bodies.extend(store.audit_growth()?);
    let accepted = DriftAccepted {
        object: drifted.object.clone(),
        state: database.keep(&tree, &mut *store.objects)?,
        version: drifted.to.clone(),
        contract: store.contract.digest(),
        reason: shortened(reason),
    };
    store.objects.sync()?;
    bodies.push(Body::from(accepted));
    store.record(signer, bodies, observer)?;
    let accepted = store.ledger.state().runs().accepted.last();
    let seq = accepted.map(|accepted| accepted.seq).ok_or(MigrateError::BeforeAdoption)?;
    Ok(AcceptedDrift { drifted, seq })
}

/// Refuses unless `consent` names the drift as it is now.
fn must_be_named(drifted: &Drifted, consent: &Consent) -> Result<(), MigrateError> {
    let (object, id) = (drifted.object.clone(), drifted.id);
    match &consent.0 {
        _ if consents(id, consent) => Ok(()),
        Some(typed) if typed.len() >= CONSENT_DIGITS_MIN => {
            Err(MigrateError::DriftMoved { object, typed: typed.clone() })
        }
        _ => Err(MigrateError::DriftUnconfirmed { object, id }),
    }
}

fn open(store: &Store) -> Result<LiveDatabase, MigrateError> {
    Ok(LiveDatabase::open(&store.site.database(), store.wait)?)
}

/// What the ledger has of the database.
fn held(store: &Store) -> Result<(&ObjectState, &str), MigrateError> {
    let state = store.ledger.state().store();
    let held = state.objects.get(store.site.database_id()).ok_or(MigrateError::BeforeAdoption)?;
    Ok((held, &state.version))
}

/// How versions and schemas differ.
struct Seen {
    from: String,
    to: String,
    recorded: CommitHash,
    found: CommitHash,
}

impl Seen {
    fn with_pages(self, store: &Store, pages: CommitHash) -> Drifted {
        let Self { from, to, recorded, found } = self;
        let object = store.site.database_id().to_owned();
        let mut drifted = Drifted { id: found, object, from, to, recorded, found, pages };
        drifted.id = id_of(store.ledger.id(), store.contract.digest(), &drifted);
        drifted
    }
}

fn look(
    store: &Store,
    version: Option<&Baseline>,
    database: &LiveDatabase,
) -> Result<Option<Seen>, MigrateError> {
    let (ObjectState::Database { schema: recorded, .. }, from) = held(store)? else {
        return Err(MigrateError::BeforeAdoption);
    };
    let stated = detect(&store.site, &store.contract, database)?;
    let to = baseline::or_before(&store.contract, stated, version, from, database)?;
    let (from, recorded, found) = (from.to_owned(), **recorded, database.schema()?);
    let same = found == recorded && to == from;
    Ok((!same).then_some(Seen { from, to, recorded, found }))
}

/// `CommitHash("drift_accepted", …)` over how a database differs (SPEC §8.2).
pub(super) fn id_of(ledger: LedgerId, contract: CommitHash, drifted: &Drifted) -> CommitHash {
    let preimage = cbor::map([
        ("ledger", ledger.into()),
        ("contract_digest", contract.into()),
        ("object", Value::from(drifted.object.as_str())),
        ("from", Value::from(drifted.from.as_str())),
        ("to", Value::from(drifted.to.as_str())),
        ("recorded", drifted.recorded.into()),
        ("found", drifted.found.into()),
        ("pages", drifted.pages.into()),
    ]);
    CommitHash::of("drift_accepted", &preimage)
}
