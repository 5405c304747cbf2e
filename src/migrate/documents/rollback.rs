//! Going back: a run whose targets are what the documents were at an earlier cursor.

use std::collections::BTreeMap;

use ledger_format::body::{
    Body, Cause, Changes, FixedBytes, MIXED_VERSIONS, ObjectMigrated, ObjectState, Purpose,
    RunStarted, Verdict,
};
use ledger_format::cbor::{self, Value as Cbor};
use ledger_format::hash::CommitHash;
use projections::OpenRun;

use super::super::edits::Edits;
use super::super::environment::Environment;
use super::super::error::MigrateError;
use super::super::plan::{Policy, binding};
use super::super::run::{Inputs, Observer, RunReport, Subject as _, go_on};
use super::collection::{Documents, state_of};
use super::run::{changed_or_gone, kept, observation};
use crate::effects::Signer;
use crate::target::documents::Places;

/// Operator that puts a document back to what it was at an earlier cursor.
const RESTORE_OPERATOR: &str = "glyph-ledger.restore";

/// Events recorded together.
const BATCH: usize = 900;

type States = BTreeMap<String, ObjectState>;

/// Puts every document in the ledger's care back to what it was when the ledger had `size` events; one that joined later to
/// what it was then. Documents that somebody changed since they were recorded are refused, named one by one, unless
/// `changes` says what to do with them. `None` when all is as of then already.
pub fn rollback(
    documents: &mut Documents,
    size: u64,
    changes: Option<Changes>,
    inputs: Inputs,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<Option<RunReport>, MigrateError> {
    documents.must_be_idle()?;
    documents.may_sign(signer)?;
    documents.stamps.clear();
    let (then, begun) = as_of(documents, size)?;
    let edits = Edits::since(&documents.ledger, size.min(begun), size, &then)?;
    let (mut targets, mut observed) = (States::new(), Vec::new());
    let (mut changed, mut gone) = (Vec::new(), Vec::new());
    for (id, held) in &documents.ledger.state().store().objects {
        let Some(target) = then.get(id) else { continue };
        let found = Places(&documents.collection.tree).look(id)?;
        let now = found.as_ref().map(state_of);
        let is_changed = now.as_ref() != Some(held);
        if now.as_ref() != Some(target) && (is_changed || edits.holds(id, held)) {
            let of = if found.is_some() { &mut changed } else { &mut gone };
            of.push(id.clone());
            if changes == Some(Changes::Keep) {
                continue;
            }
        }
        if let (true, Some(found), Some(now)) = (is_changed, found, now) {
            observed.push((id.clone(), found.bytes, now.clone()));
            if now != *target {
                targets.insert(id.clone(), target.clone());
            }
        } else if held != target || is_changed {
            targets.insert(id.clone(), target.clone());
        }
    }
    let nothing_else = changed.is_empty() && gone.is_empty();
    if !nothing_else && changes.is_none() {
        let named = changed_or_gone("changed since", &changed, &gone);
        return Err(MigrateError::DocumentsChanged { named });
    }
    if targets.is_empty() {
        return Ok(None);
    }
    for target in targets.values() {
        kept(documents, target)?;
    }
    let mut bodies = Vec::new();
    for (id, bytes, state) in observed {
        documents.objects.put(&bytes)?;
        bodies.push(observation(&id, Cause::DataChange, state));
    }
    let environment = documents.objects.put(&Environment::here().bytes())?;
    let plan = preimage(documents, &targets);
    documents.objects.put(&plan)?;
    documents.objects.sync()?;
    if !bodies.is_empty() {
        documents.record(signer, bodies, observer)?;
    }
    let started = RunStarted {
        purpose: Purpose::Rollback,
        plan: CommitHash::of(TAG, &meaning(documents, &targets)),
        contract: None,
        from: MIXED_VERSIONS.to_owned(),
        to: MIXED_VERSIONS.to_owned(),
        to_size: Some(size),
        policy: Policy::default().hash(),
        clock_ms: inputs.clock_ms,
        seed: FixedBytes(inputs.seed),
        environment,
        objects: targets.len() as u64,
        accepted_loss: None,
        changes: changes.filter(|_| !nothing_else),
    };
    documents.record(signer, vec![started.into()], observer)?;
    let report = go_on(documents, signer, observer)?;
    let gone_over = if changes == Some(Changes::Discard) { changed } else { Vec::new() };
    Ok(Some(RunReport { gone_over, ..report }))
}

/// Tag of a rollback's plan.
const TAG: &str = "rollback_plan";

/// What every document was when the ledger had `size` events, or when it joined after that; and where the run began that was
/// under way then.
fn as_of(documents: &Documents, size: u64) -> Result<(States, u64), MigrateError> {
    let then = documents.ledger.state_at(size)?;
    if then.store().contract.is_none() {
        return Err(MigrateError::BeforeAdoption);
    }
    if !then.store().unsettled.is_empty() {
        return Err(MigrateError::Unsettled);
    }
    let mut states = then.store().objects.clone();
    for recorded in documents.ledger.events(size..documents.ledger.state().size()) {
        if let Body::ObjectObserved(body) = recorded?.event.body
            && body.cause == Cause::Joined
        {
            states.insert(body.object, body.state);
        }
    }
    let begun = then.runs().open.as_ref().map_or(size, |open| open.started_seq);
    Ok((states, begun))
}

fn preimage(documents: &Documents, targets: &States) -> Vec<u8> {
    Cbor::Array(vec![Cbor::from(TAG), meaning(documents, targets)]).encode()
}

fn meaning(documents: &Documents, targets: &States) -> Cbor {
    let objects = targets.iter().map(|(id, target)| {
        cbor::map([
            ("id", Cbor::from(id.as_str())),
            ("kind", Cbor::from(target.kind())),
            ("target", CommitHash::from_bytes(target.claim_hash()).into()),
            ("target_binding", binding(target, MIXED_VERSIONS).into()),
        ])
    });
    cbor::map([
        ("ledger", documents.ledger.id().into()),
        ("contract_digest", Cbor::Null),
        ("to", Cbor::from(MIXED_VERSIONS)),
        ("objects", Cbor::Array(objects.collect())),
    ])
}

/// Records every target of an open rollback that is not recorded yet: the documents it named when it began.
pub(super) fn stage(
    documents: &mut Documents,
    open: &OpenRun,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let size = open.started.to_size.ok_or(MigrateError::BeforeAdoption)?;
    let (then, _) = as_of(documents, size)?;
    let ids = named_in(documents, open.started.plan)?;
    let mut bodies: Vec<Body> = Vec::new();
    for id in ids {
        if open.migrated.contains(&id) {
            continue;
        }
        let held = documents.ledger.state().store().objects.get(&id).cloned();
        let (Some(source), Some(target)) = (held, then.get(&id).cloned()) else { continue };
        bodies.push(
            ObjectMigrated {
                run: open.run,
                object: id,
                route: None,
                operator: RESTORE_OPERATOR.to_owned(),
                source,
                target,
                loss: super::super::loss::MeasuredLoss::default().hash(),
                lost: 0,
                reads_inputs: false,
                loss_list: None,
                verdicts: [("source_kept".to_owned(), Verdict::True)].into(),
                renamed: Vec::new(),
            }
            .into(),
        );
        if bodies.len() >= BATCH {
            documents.record(signer, std::mem::take(&mut bodies), observer)?;
        }
    }
    if bodies.is_empty() { Ok(()) } else { documents.record(signer, bodies, observer) }
}

/// Ids of the documents that the plan of a rollback names.
fn named_in(documents: &Documents, plan: CommitHash) -> Result<Vec<String>, MigrateError> {
    let name = ledger_format::hash::ContentHash::from_bytes(*plan.as_bytes());
    let bytes = documents.objects.get(&name)?;
    let wrong = || super::super::plan::PlanFileError::Form(format!("object {name} is not a plan"));
    let text = |value: &Cbor| match value {
        Cbor::Map(object) => match object.get("id") {
            Some(Cbor::Text(id)) => Some(id.clone()),
            _ => None,
        },
        _ => None,
    };
    let ids = match cbor::decode(&bytes, cbor::EVENT_DEPTH_MAX) {
        Ok(Cbor::Array(parts)) => match parts.as_slice() {
            [_, Cbor::Map(meaning)] => match meaning.get("objects") {
                Some(Cbor::Array(objects)) => objects.iter().map(text).collect(),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    ids.ok_or_else(|| wrong().into())
}
