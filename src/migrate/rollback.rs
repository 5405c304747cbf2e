//! Going back: a run whose targets are what the objects were at an earlier cursor. It appends; what
//! was done stays in the history, and what was there before is kept.

use ledger_format::body::{Body, FixedBytes, ObjectState, Purpose, RunStarted};
use ledger_format::cbor::{self, Value};
use ledger_format::hash::{CommitHash, LedgerId};

use super::edits::{Edits, same};
use super::environment::Environment;
use super::error::MigrateError;
use super::observe::Observation;
use super::plan::{Policy, binding};
use super::publish::Live;
use super::run::{
    Inputs, Observer, RunReport, Subject as _, check_contract, freeze_contract, go_on,
    must_be_writable,
};
use super::stage::restored;
use super::store::Store;
use crate::effects::Signer;
use crate::ledger::Ledger;
use crate::target::glyph_store::Layout;
use crate::target::sqlite::image;

/// How to go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RollbackOptions {
    /// Go back even though a document was changed, or rows were written, since that was recorded. It is recorded
    /// first, so there is a way back to it.
    pub discard_changes: bool,
}

/// Puts manifest and database back to what they were when the ledger had `size` events. Rows written
/// since are recorded first. `None` when the store is as of then already.
pub fn rollback(
    store: &mut Store,
    size: u64,
    options: RollbackOptions,
    inputs: Inputs,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<Option<RunReport>, MigrateError> {
    store.must_be_idle()?;
    store.may_sign(signer)?;
    check_contract(store)?;
    must_be_kept(&store.ledger, size)?;
    let state_then = store.ledger.state_at(size)?;
    let begun = state_then.runs().open.as_ref().map_or(size, |open| open.started_seq);
    let then = state_then.store().clone();
    if then.contract.is_none() {
        return Err(MigrateError::BeforeAdoption);
    }
    if !then.unsettled.is_empty() {
        return Err(MigrateError::Unsettled);
    }
    must_be_writable(store)?;
    // What takes time and needs no lock comes before it.
    let edits = if options.discard_changes {
        None
    } else {
        Some(Edits::since(&store.ledger, size.min(begun), size, &then.objects)?)
    };
    let (observation, held) = observe_locked(store)?;
    let documents_changed = observation.changes.iter().any(|change| match change {
        Body::ObjectObserved(body) => matches!(body.state, ObjectState::Document { .. }),
        _ => false,
    });
    if documents_changed && !options.discard_changes {
        return Err(MigrateError::DocumentChanged { object: Layout::MANIFEST.to_owned() });
    }
    let gone_over = if options.discard_changes {
        over_written(store, &observation.objects, (size, begun), &then.objects)?
    } else {
        Vec::new()
    };
    let now = &observation.objects;
    let moved = now.iter().any(|(object, state)| then.objects.get(object) != Some(state));
    // Where nothing in the database tells its version, a run can leave every page as it was.
    if !moved && then.version == observation.version {
        return Ok(None);
    }
    if let Some(edits) = edits {
        must_hold_nothing_else(store, now, &then.objects, &edits)?;
    }
    check_kept(store, &observation.database_state, &then.objects)?;
    let (ledger, contract) = (store.ledger.id(), store.contract.digest());
    let plan = plan_id(ledger, contract, &restored(&store.site), &then.objects, &then.version);
    let objects = now.len() as u64;
    let mut bodies = freeze_contract(store)?;
    bodies.extend(observation.changes);
    let environment = store.objects.put(&Environment::here().bytes())?;
    store.objects.sync()?;
    if !bodies.is_empty() {
        store.record(signer, bodies, observer)?;
    }
    let started = RunStarted {
        purpose: Purpose::Rollback,
        plan,
        contract: Some(store.contract.digest()),
        from: store.ledger.state().store().version.clone(),
        to: then.version,
        to_size: Some(size),
        policy: Policy::default().hash(),
        clock_ms: inputs.clock_ms,
        seed: FixedBytes(inputs.seed),
        environment,
        objects,
        accepted_loss: None,
        changes: None,
    };
    store.record(signer, vec![started.into()], observer)?;
    store.held = held;
    let report = go_on(store, signer, observer);
    store.held = None;
    Ok(Some(RunReport { gone_over, ..report? }))
}

/// The manifest, if somebody wrote in it since a run and it is put back. What leaves a database is told row by row.
fn over_written(
    store: &Store,
    now: &[(String, ObjectState)],
    (size, begun): (u64, u64),
    then: &States,
) -> Result<Vec<String>, MigrateError> {
    let Some((id, now)) = now.iter().find(|(id, _)| id == Layout::MANIFEST) else {
        return Ok(Vec::new());
    };
    let held = store.ledger.state().store().objects.get(id);
    let goes = !then.get(id).is_some_and(|then| same(now, then));
    let written = || {
        Edits::since(&store.ledger, size.min(begun), size, then).map(|edits| edits.holds(id, now))
    };
    let gone = goes && (!held.is_some_and(|held| same(now, held)) || written()?);
    Ok(gone.then(|| id.clone()).into_iter().collect())
}

/// Refuses a cursor at which a database was as no kept image has it.
pub fn must_be_kept(ledger: &Ledger, size: u64) -> Result<(), MigrateError> {
    let Some(object) = ledger.pruned_at(size)? else { return Ok(()) };
    let keep = ledger.state().runs().pruned.get(&object).copied().unwrap_or_default();
    Err(MigrateError::Pruned { object, seq: size.saturating_sub(1), keep })
}

/// Looks at the live store under its lock, which is held on to if nothing was written since that was recorded: what is then
/// found is what is gone back from. Else whatever takes time is done without the lock.
fn observe_locked(store: &mut Store) -> Result<(Observation, Option<Live>), MigrateError> {
    let (live, asked_for) = match store.held.take() {
        Some(held) => (held, true),
        None => (Live::lock(store)?, false),
    };
    if let Some(state) = live.as_recorded(store) {
        return Ok((store.observe_knowing(state)?, Some(live)));
    }
    let live = asked_for.then_some(live);
    Ok((store.observe()?, live))
}

type States = std::collections::BTreeMap<String, ObjectState>;

/// Refuses to take away what somebody wrote since a run, whether the ledger has it already or not.
fn must_hold_nothing_else(
    store: &Store,
    now: &[(String, ObjectState)],
    then: &States,
    edits: &Edits,
) -> Result<(), MigrateError> {
    let recorded = &store.ledger.state().store().objects;
    for (object, now) in now {
        let Some(held) = recorded.get(object) else { continue };
        let goes = !then.get(object).is_some_and(|then| same(now, then));
        if goes && (!same(now, held) || edits.holds(object, held)) {
            let object = object.clone();
            return Err(match (now, edits.accepted(&object)) {
                (ObjectState::Database { .. }, Some(seq)) => {
                    MigrateError::AcceptedGoes { object, seq }
                }
                (ObjectState::Database { .. }, None) => MigrateError::RowsWritten { object },
                _ => MigrateError::DocumentChanged { object },
            });
        }
    }
    Ok(())
}

/// Refuses to begin when content to be written is not there or not whole: once the run is committed
/// it would be too late. Of the database these are the pages that differ from what it has now.
fn check_kept(store: &Store, now: &ObjectState, targets: &States) -> Result<(), MigrateError> {
    let objects = &*store.objects;
    if store.site.store().is_some() {
        let Some(ObjectState::Document { content, .. }) = targets.get(Layout::MANIFEST) else {
            return Err(MigrateError::BeforeAdoption);
        };
        objects.get(content)?;
    }
    let (
        ObjectState::Database { page_root: now, .. },
        Some(ObjectState::Database { page_root: then, .. }),
    ) = (now, targets.get(store.site.database_id()))
    else {
        return Err(MigrateError::BeforeAdoption);
    };
    let (now, then) = (image::load(now, objects)?, image::load(then, objects)?);
    let pages = now.diff(&then);
    for page in pages.into_iter().filter_map(|number| then.page(number)) {
        objects.get(page)?;
    }
    Ok(())
}

/// `CommitHash("rollback_plan", …)` over what is put back (SPEC §8.2).
pub(super) fn plan_id(
    ledger: LedgerId,
    contract: CommitHash,
    restored: &[&str],
    targets: &States,
    version: &str,
) -> CommitHash {
    let objects = restored.iter().filter_map(|object| {
        let target = targets.get(*object)?;
        Some(cbor::map([
            ("id", Value::from(*object)),
            ("kind", Value::from(target.kind())),
            ("target", CommitHash::from_bytes(target.claim_hash()).into()),
            ("target_binding", binding(target, version).into()),
        ]))
    });
    let preimage = cbor::map([
        ("ledger", ledger.into()),
        ("contract_digest", contract.into()),
        ("to", Value::from(version)),
        ("objects", Value::Array(objects.collect())),
    ]);
    CommitHash::of("rollback_plan", &preimage)
}
