//! Accepting drift: a structure of a database that no run made becomes what the ledger has of it. It is told first, and done
//! only by who names what was told. What the database was before stays kept.

use std::path::Path;

use ledger_format::body::{Body, DriftAccepted, ObjectState};
use ledger_format::cbor::{self, Value};
use ledger_format::hash::{CommitHash, LedgerId};

use super::applied::must_be_unchanged;
use super::baseline;
use super::error::MigrateError;
use super::observe::LiveDatabase;
use super::plan::scratch_folder;
use super::run::{
    Consent, Observer, Subject as _, check_contract, consents, freeze_contract, shortened,
};
use super::space;
use super::store::{Store, detect};
use crate::effects::Signer;
use crate::target::sqlite::{Changes, image};

/// A database that is not what the ledger has, and what of it would be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drifted {
    /// What has to be typed for it to be accepted: a hash of all the rest. Rows are no part of it, they may go on changing.
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
}

/// What the database in care differs in from what the ledger has. `version` is the one that it has now, where nothing in it
/// tells that and it is another one than before. `None` where neither structure nor version differ.
pub fn drifted(store: &Store, version: Option<&str>) -> Result<Option<Drifted>, MigrateError> {
    store.must_be_idle()?;
    must_be_unchanged(store)?;
    look(store, version, &open(store)?)
}

/// How the database differs from what the ledger has of it, with its rows.
pub fn drift_in_full(store: &Store) -> Result<Changes, MigrateError> {
    space::check_live(store)?;
    let folder = scratch_folder(store)?;
    let database = open(store)?;
    let now = database.copy(folder.path())?;
    let (ObjectState::Database { page_root, .. }, _) = held(store)? else {
        return Err(MigrateError::BeforeAdoption);
    };
    let before = folder.path().join("before.db");
    image::materialise(page_root, &*store.objects, &before)?;
    compare(&before, now.path())
}

fn compare(before: &Path, now: &Path) -> Result<Changes, MigrateError> {
    Ok(Changes::between(before, now)?)
}

/// What became of accepted drift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedDrift {
    /// What was accepted.
    pub drifted: Drifted,
    /// Sequence number of the event that says so.
    pub seq: u64,
}

/// Takes the database as it is, if `consent` names how it differs now, and says why. Rows, audit lines and a manifest that
/// others changed are recorded with it.
pub fn accept_drift(
    store: &mut Store,
    version: Option<&str>,
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
    let Some(drifted) = look(store, version, &database)? else {
        let at = "the database has the structure and the version that the ledger has".to_owned();
        return Err(MigrateError::NothingToDo { at });
    };
    if !consents(drifted.id, consent) {
        return Err(MigrateError::DriftUnconfirmed { object: drifted.object, id: drifted.id });
    }
    database.must_be_sound()?;
    space::check_live(store)?;
    let mut bodies = freeze_contract(store)?;
    bodies.extend(store.manifest_change()?);
    bodies.extend(store.audit_growth()?);
    let accepted = DriftAccepted {
        object: drifted.object.clone(),
        state: database.take(&mut *store.objects)?,
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

fn open(store: &Store) -> Result<LiveDatabase, MigrateError> {
    Ok(LiveDatabase::open(&store.site.database(), store.wait)?)
}

/// What the ledger has of the database.
fn held(store: &Store) -> Result<(&ObjectState, &str), MigrateError> {
    let state = store.ledger.state().store();
    let held = state.objects.get(store.site.database_id()).ok_or(MigrateError::BeforeAdoption)?;
    Ok((held, &state.version))
}

fn look(
    store: &Store,
    version: Option<&str>,
    database: &LiveDatabase,
) -> Result<Option<Drifted>, MigrateError> {
    let (ObjectState::Database { schema: recorded, .. }, from) = held(store)? else {
        return Err(MigrateError::BeforeAdoption);
    };
    let stated = detect(&store.site, &store.contract, database)?;
    let to = baseline::or_before(&store.contract, stated, version, from)?;
    let found = database.schema()?;
    if found == **recorded && to == from {
        return Ok(None);
    }
    let mut drifted = Drifted {
        id: found,
        object: store.site.database_id().to_owned(),
        from: from.to_owned(),
        to,
        recorded: **recorded,
        found,
    };
    drifted.id = id_of(store.ledger.id(), store.contract.digest(), &drifted);
    Ok(Some(drifted))
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
    ]);
    CommitHash::of("drift_accepted", &preimage)
}
