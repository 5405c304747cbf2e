//! Runs on documents: every source is kept, every result staged, one event commits them, then they are put into their
//! places. The engine is that of all runs; what is here is how documents are read, worked on and written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ledger_format::body::{
    Body, Cause, Changes, FixedBytes, MIXED_VERSIONS, ObjectMigrated, ObjectObserved, ObjectState,
    Purpose, ROUTE_EDGES_MAX, RunCommitted, RunPublished, RunRoute, RunStarted,
};
use ledger_format::hash::{CommitHash, ContentHash, EventId};
use projections::{OpenRun, Phase};

use super::super::environment;
use super::super::error::MigrateError;
use super::super::run::{
    Consent, Inputs, Milestone, Observer, RunReport, Subject, check_consent, forget_work, go_on,
    resume_run,
};
use super::collection::{Documents, content_of, state_of};
use super::plan::{Bound, DocumentsPlan, PlannedDocument, PlannedRoute, bound};
use super::prepared::Prepared;
use super::rollback;
use super::summary::Summary;
use super::ways::{Ways, place_of};
use super::work::{Kinds, links_of};
use crate::effects::Signer;
use crate::ledger::Ledger;
use crate::objects::{Named, ObjectsError};
use crate::ordered::{Crew, try_in_order};
use crate::target::documents::{Found, Output, Places};

/// Documents recorded together. One that was not recorded yet is worked on again on resuming. Every batch has the objects
/// synced once, which on a busy machine takes longer than everything else.
const BATCH: usize = 8_000;

/// Bytes of results after which they are recorded, however few documents they are of.
const RECORDED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Documents that one thread is given to look at.
const LOOKED_AT: usize = 64;

/// Portions for each thread that are looked at, or were and are not taken yet.
const AHEAD: usize = 3;

/// Documents that are put into their places together, and their bytes: all are written beside their places before the
/// first is put there. File systems sync them together, twice a batch; and ext4 is slow to make files where many have been
/// replaced within the last minutes, since it looks at each of their numbers before it takes a new one.
const PUBLISHED_TOGETHER: usize = 200_000;
const PUBLISHED_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Bytes of outputs that one thread is given to write; one may be larger.
const PORTION_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most documents that one error names.
const NAMED_MAX: usize = 20;

type States = BTreeMap<String, ObjectState>;

/// The places that a committed run writes to: what stood there, and what is to stand there.
pub(super) type Targets = BTreeMap<String, (Option<ObjectState>, ObjectState)>;

/// Carries out `plan`. If it loses anything, `consent` must be its id.
pub fn apply(
    documents: &mut Documents,
    plan: &DocumentsPlan,
    consent: &Consent,
    inputs: Inputs,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<RunReport, MigrateError> {
    documents.must_be_idle()?;
    documents.may_sign(signer)?;
    if plan.is_empty() {
        return Err(MigrateError::NothingToDo { version: "its kind's current version".to_owned() });
    }
    if plan.ledger != documents.ledger.id() {
        return Err(MigrateError::Stale { reason: "it was made for another ledger".into() });
    }
    may_run_programs(plan.policy.allow_programs, documents)?;
    let accepted_loss = check_consent(plan.id, plan.lost, plan.policy.allow_loss, consent)?;
    knows_routes(documents, plan)?;
    let lengths = take_sources(documents, plan)?;
    let bodies = freeze(documents, &plan.routes)?;
    let environment = documents.objects.put(&environment::bytes())?;
    documents.objects.put(&plan.preimage())?;
    documents.objects.sync()?;
    record_sources(documents, plan, &lengths, bodies, signer, observer)?;
    let started = RunStarted {
        purpose: Purpose::Migrate,
        plan: plan.id,
        contract: None,
        from: MIXED_VERSIONS.to_owned(),
        to: MIXED_VERSIONS.to_owned(),
        to_size: None,
        policy: plan.policy.hash(),
        clock_ms: inputs.clock_ms,
        seed: FixedBytes(inputs.seed),
        environment,
        objects: plan.objects.len() as u64,
        accepted_loss,
        changes: None,
    };
    documents.record(signer, vec![started.into()], observer)?;
    go_on(documents, signer, observer)
}

/// Goes on with the run under way.
pub fn resume(
    documents: &mut Documents,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<RunReport, MigrateError> {
    resume_run(documents, signer, observer)
}

/// Ends the run under way without its outputs: aborts it if it was not committed, else gives up publishing it and records
/// what its places hold.
pub fn abandon(
    documents: &mut Documents,
    reason: &str,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<EventId, MigrateError> {
    let open = documents.open_run()?;
    documents.may_sign(signer)?;
    let (run, reason) = (open.run, super::super::run::shortened(reason));
    if open.phase == Phase::Staging {
        let aborted =
            ledger_format::body::RunAborted { run, code: "ABANDONED".to_owned(), message: reason };
        documents.record(signer, vec![aborted.into()], observer)?;
        forget_work(documents, run)?;
        return Ok(run);
    }
    let targets = documents.places_of(&open)?;
    let mut places = 0;
    let mut observed = Vec::new();
    for (id, (_, target)) in &targets {
        Places(&documents.collection.tree).forget(id)?;
        let found = documents.collection.load(id)?;
        documents.objects.put(&found.bytes)?;
        let state = state_of(&found);
        places += u64::from(state == *target);
        observed.push(observation(id, Cause::Abandoned, state));
    }
    documents.objects.sync()?;
    let version = MIXED_VERSIONS.to_owned();
    let abandoned = ledger_format::body::RunAbandoned { run, reason, places, version };
    let bodies = std::iter::once(abandoned.into()).chain(observed).collect();
    documents.record(signer, bodies, observer)?;
    forget_work(documents, run)?;
    Ok(run)
}

/// Programs run only where whoever runs this says so, whatever a plan says.
fn may_run_programs(planned: bool, documents: &Documents) -> Result<(), MigrateError> {
    if planned && !documents.outside.allow_programs {
        Err(MigrateError::ProgramsNotAllowed)
    } else {
        Ok(())
    }
}

/// Refuses a plan that was made with other contracts than there are now.
fn knows_routes(documents: &Documents, plan: &DocumentsPlan) -> Result<(), MigrateError> {
    let known = |route: &PlannedRoute| {
        documents.collection.contracts.iter().any(|prepared| prepared.digest() == route.contract)
    };
    if let Some(route) = plan.routes.iter().find(|route| !known(route)) {
        let reason =
            format!("the contract {} {} is another one now", route.kind, route.contract_version);
        return Err(MigrateError::Stale { reason });
    }
    Ok(())
}

/// Keeps every source, and returns their lengths. Refuses a plan that was made with other documents than there are now:
/// what was kept until then is named by nothing.
fn take_sources(documents: &mut Documents, plan: &DocumentsPlan) -> Result<Vec<u64>, MigrateError> {
    let Documents { collection, objects, jobs, .. } = documents;
    let look = |object: &PlannedDocument| {
        let found = Places(&collection.tree).look(&object.id)?;
        let found = found.filter(|found| found.mode == object.mode);
        let source = found.map(|found| Named::of(found.bytes));
        Ok(source.filter(|source| source.name() == object.source))
    };
    let (mut lengths, mut changed) = (Vec::with_capacity(plan.objects.len()), Vec::new());
    each_looked_at(*jobs, plan.objects.iter(), look, |object, source| {
        match source {
            Some(source) if changed.is_empty() => {
                objects.put_named(&source)?;
                lengths.push(source.bytes().len() as u64);
            }
            Some(_) => {}
            None => changed.push(object.id.clone()),
        }
        Ok(())
    })?;
    if changed.is_empty() {
        Ok(lengths)
    } else {
        Err(MigrateError::Stale { reason: named("changed", &changed) })
    }
}

/// Looks at many places on several threads, and hands on what `look` found in order.
fn each_looked_at<I: Copy + Send, T: Send>(
    jobs: usize,
    mut items: impl Iterator<Item = I>,
    look: impl Fn(I) -> Result<T, MigrateError> + Sync,
    mut take: impl FnMut(I, T) -> Result<(), MigrateError>,
) -> Result<(), MigrateError> {
    let portions = std::iter::from_fn(|| {
        let portion: Vec<I> = items.by_ref().take(LOOKED_AT).collect();
        (!portion.is_empty()).then_some(portion)
    });
    let crew = Crew { workers: jobs, ahead: jobs.saturating_mul(AHEAD) };
    let work = |portion: Vec<I>| -> Result<Vec<(I, T)>, MigrateError> {
        portion.into_iter().map(|item| Ok((item, look(item)?))).collect()
    };
    try_in_order(portions, crew, work, |looked: Result<Vec<(I, T)>, MigrateError>| {
        looked?.into_iter().try_for_each(|(item, found)| take(item, found))
    })
}

/// The documents in words, as many as one error names.
pub(super) fn named(what: &str, ids: &[String]) -> String {
    let shown: Vec<&str> = ids.iter().take(NAMED_MAX).map(String::as_str).collect();
    match ids.len().saturating_sub(shown.len()) {
        0 => format!("{what}: {}", shown.join(", ")),
        more => format!("{what}: {} and {more} more", shown.join(", ")),
    }
}

pub(super) fn observation(id: &str, cause: Cause, state: ObjectState) -> Body {
    ObjectObserved { object: id.to_owned(), cause, state }.into()
}

fn freeze(documents: &mut Documents, routes: &[PlannedRoute]) -> Result<Vec<Body>, MigrateError> {
    let contracts = documents.collection.contracts.iter().map(Prepared::contract);
    let used = contracts.filter(|contract| {
        let digest = contract.digest();
        routes.iter().any(|route| route.contract == digest)
    });
    let used: Vec<_> = used.cloned().collect();
    let mut bodies = Vec::new();
    for contract in &used {
        bodies.extend(documents.freeze(contract)?);
    }
    Ok(bodies)
}

/// Records `first`, and those sources that the ledger does not have as they are. All of them are durable.
fn record_sources(
    documents: &mut Documents,
    plan: &DocumentsPlan,
    lengths: &[u64],
    first: Vec<Body>,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let mut bodies = first;
    for (object, bytes) in plan.objects.iter().zip(lengths) {
        let state =
            ObjectState::Document { content: object.source, bytes: *bytes, mode: object.mode };
        let cause = match documents.ledger.state().store().objects.get(&object.id) {
            None => Cause::Joined,
            Some(held) if *held != state => Cause::DataChange,
            Some(_) => continue,
        };
        bodies.push(observation(&object.id, cause, state));
        if bodies.len() >= BATCH {
            documents.record(signer, std::mem::take(&mut bodies), observer)?;
        }
    }
    if bodies.is_empty() { Ok(()) } else { documents.record(signer, bodies, observer) }
}

impl Subject for Documents {
    /// Documents have no locks: what was compared last before the commit is compared again, place by place, as each is
    /// written. What is kept until then is what they are compared with.
    type Live = Targets;

    fn book(&self) -> &Ledger {
        &self.ledger
    }

    fn book_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    fn root(&self) -> &Path {
        self.collection.tree.root()
    }

    fn work(
        &mut self,
        signer: &dyn Signer,
        observer: &mut dyn Observer,
    ) -> Result<Targets, MigrateError> {
        let open = self.open_run()?;
        match open.started.purpose {
            Purpose::Migrate => stage(self, &open, signer, observer)?,
            Purpose::Rollback => rollback::stage(self, &open, signer, observer)?,
        }
        commit(self, &open, signer, observer)
    }

    fn publish(
        &mut self,
        signer: &dyn Signer,
        live: Option<Targets>,
        observer: &mut dyn Observer,
    ) -> Result<(), MigrateError> {
        publish(self, live, signer, observer)
    }
}

/// Works on every document of the open run that is not recorded yet.
fn stage(
    documents: &mut Documents,
    open: &OpenRun,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let Bound { policy, routes, objects, .. } = bound(&*documents.objects, open.started.plan)?;
    may_run_programs(policy.allow_programs, documents)?;
    documents.outside.parameters = policy.parameters();
    let planned: BTreeMap<String, PlannedDocument> =
        objects.into_iter().map(|row| (row.0.clone(), row.into())).collect();
    announce(documents, open, &routes, signer, observer)?;
    let ways = Ways::of(&routes, |digest| documents.prepared(digest))?;
    // What documents of the run refer to may need no migration itself; so all of them are looked at where they are linked.
    let all = Work::of(documents, ways, &planned)?;
    let (pending, bytes) = (Vec::new(), 0);
    let mut staging = Staging { documents, planned: &planned, open, pending, bytes, done: 0 };
    all.run(&mut staging, signer, observer)?;
    staging.flush(signer, observer)
}

/// Records the routes of a run, unless they are.
fn announce(
    documents: &mut Documents,
    open: &OpenRun,
    routes: &[PlannedRoute],
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let mut bodies: Vec<Body> = Vec::new();
    for (number, planned) in (0_u64..).zip(routes) {
        let held = open.routes.get(number).map_or(0, |held| held.edges.len());
        let begun = open.routes.get(number).is_some();
        if begun && held == planned.edges.len() {
            continue;
        }
        let rest = planned.edges.get(held..).unwrap_or_default();
        let mut stretches: Vec<&[CommitHash]> = rest.chunks(ROUTE_EDGES_MAX).collect();
        if stretches.is_empty() {
            stretches.push(&[]);
        }
        bodies.extend(stretches.into_iter().map(|edges| {
            let route = RunRoute {
                run: open.run,
                route: number,
                contract: planned.contract,
                from: planned.from.clone(),
                to: planned.to.clone(),
                edges: edges.to_vec(),
            };
            Body::from(route)
        }));
    }
    if bodies.is_empty() { Ok(()) } else { documents.record(signer, bodies, observer) }
}

/// Everything that is worked on to stage a run.
struct Work {
    contracts: Vec<Prepared>,
    links: crate::link::Links,
    ids: BTreeMap<String, usize>,
    /// The version to go to, where it is not each kind's current one.
    to: Option<String>,
    linked: bool,
    tree: crate::target::documents::Tree,
    jobs: usize,
}

impl Work {
    fn of(
        documents: &Documents,
        ways: Ways,
        planned: &BTreeMap<String, PlannedDocument>,
    ) -> Result<Self, MigrateError> {
        let kinds = planned
            .values()
            .filter_map(|object| Some((object.id.clone(), ways.kind(object.route)?)));
        let mut ids: BTreeMap<String, usize> = kinds.collect();
        let linked = documents.collection.contracts.iter().any(Prepared::names_others);
        let Ways { mut contracts, to, .. } = ways;
        if linked {
            for (id, other) in documents.collection.find()? {
                let Some(prepared) = documents.collection.contracts.get(other) else { continue };
                let place = place_of(&mut contracts, prepared.digest(), || {
                    let contract = prepared.contract().clone();
                    let outside = documents.outside.of_contract(&contract);
                    Ok(Prepared::of(contract, &outside)?)
                })?;
                ids.entry(id).or_insert(place);
            }
        }
        let links = links_of(&contracts)?;
        let (tree, jobs) = (documents.collection.tree.clone(), documents.jobs);
        Ok(Self { contracts, links, ids, to, linked, tree, jobs })
    }

    fn run(
        mut self,
        staging: &mut Staging<'_>,
        signer: &dyn Signer,
        observer: &mut dyn Observer,
    ) -> Result<(), MigrateError> {
        // With links every document is needed to tell the new names; else those recorded already are done.
        if !self.linked {
            self.ids.retain(|id, _| !staging.open.migrated.contains(id));
        }
        staging.done = staging.open.migrated.len() as u64;
        let Self { contracts, links, linked, to, .. } = &self;
        let kinds = Kinds { contracts, links, to: to.as_deref(), linked: *linked };
        let tree = &self.tree;
        let load = |id: &str| {
            let found = Places(tree).look(id)?;
            found.ok_or_else(|| MigrateError::Gone { object: id.to_owned() })
        };
        kinds.work(&self.ids, self.jobs, &load, &Summary::of, &mut |summary| {
            staging.take(summary, contracts, signer, observer)
        })
    }
}

struct Staging<'a> {
    documents: &'a mut Documents,
    planned: &'a BTreeMap<String, PlannedDocument>,
    open: &'a OpenRun,
    pending: Vec<Body>,
    /// Bytes of the results that are pending.
    bytes: u64,
    done: u64,
}

impl Staging<'_> {
    /// Takes a result: it must be the planned one, hash for hash.
    fn take(
        &mut self,
        summary: Summary,
        contracts: &[Prepared],
        signer: &dyn Signer,
        observer: &mut dyn Observer,
    ) -> Result<(), MigrateError> {
        let Summary { id, kind, source, source_mode, target, loss, .. } = summary;
        let Some(planned) = self.planned.get(&id) else { return Ok(()) };
        if self.open.migrated.contains(&id) {
            return Ok(());
        }
        if content_of(&source) != Some(planned.source) || source_mode != planned.mode {
            let reason = format!("{id} changed while the run was at work");
            return Err(MigrateError::Stale { reason });
        }
        let Some(target) = target else {
            let named = summary.refusal.map(|refusal| (id, refusal));
            return Err(MigrateError::Refused { total: 1, named: named.into_iter().collect() });
        };
        if (target.name(), loss) != (planned.target, planned.loss) {
            let (recorded, actual) = (planned.target.to_string(), target.name().to_string());
            return Err(MigrateError::Diverged { object: id, step: 0, recorded, actual });
        }
        let objects = &mut self.documents.objects;
        objects.put_named(&target)?;
        let loss_list = summary.loss_list.map(|list| objects.put_named(&list)).transpose()?;
        let operator = contracts.get(kind).map_or("", Prepared::operator).to_owned();
        let bytes = target.bytes().len() as u64;
        let (content, mode) = (target.name(), source_mode);
        self.bytes += bytes;
        self.pending.push(
            ObjectMigrated {
                run: self.open.run,
                object: id,
                route: Some(planned.route),
                operator,
                source,
                target: ObjectState::Document { content, bytes, mode },
                loss,
                lost: planned.lost,
                reads_inputs: false,
                loss_list,
                verdicts: summary.verdicts,
            }
            .into(),
        );
        self.done += 1;
        observer
            .reached(&Milestone::Document { done: self.done, total: self.planned.len() as u64 });
        if self.pending.len() >= BATCH || self.bytes >= RECORDED_BYTES_MAX {
            self.flush(signer, observer)?;
        }
        if observer.wants_to_stop() {
            self.flush(signer, observer)?;
            return Err(MigrateError::Interrupted);
        }
        Ok(())
    }

    fn flush(
        &mut self,
        signer: &dyn Signer,
        observer: &mut dyn Observer,
    ) -> Result<(), MigrateError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.documents.objects.sync()?;
        self.bytes = 0;
        let bodies = std::mem::take(&mut self.pending);
        self.documents.record(signer, bodies, observer)
    }
}

/// Compares every place with what the run read, and commits the run.
fn commit(
    documents: &mut Documents,
    open: &OpenRun,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<Targets, MigrateError> {
    let state = documents.ledger.state();
    let held = &state.store().objects;
    let mut changed = Vec::new();
    let mut places = 0;
    let tree = &documents.collection.tree;
    let look = |(id, _): (&String, &ObjectState)| {
        let found = Places(tree).look(id)?;
        Ok(may_replace(open, found.as_ref(), held.get(id)))
    };
    each_looked_at(documents.jobs, state.store().staged.iter(), look, |(id, target), fits| {
        if !fits {
            changed.push(id.clone());
        }
        places += u64::from(held.get(id) != Some(target));
        Ok(())
    })?;
    if !changed.is_empty() {
        return Err(MigrateError::Stale {
            reason: named("changed while the run was at work", &changed),
        });
    }
    let staged = state.store().staged.iter();
    let targets = staged.map(|(id, target)| (id.clone(), (held.get(id).cloned(), target.clone())));
    let targets = targets.collect();
    let certificate = state.certificates().open_certificate();
    documents.objects.sync()?;
    let committed = RunCommitted { run: open.run, certificate, places, audit: None };
    documents.record(signer, vec![committed.into()], observer)?;
    Ok(targets)
}

/// Whether what stands in a place may be replaced: it is what the run read, or nothing, where a rollback was told to
/// discard what was done to documents.
fn may_replace(open: &OpenRun, found: Option<&Found>, source: Option<&ObjectState>) -> bool {
    match found {
        Some(found) => source == Some(&state_of(found)),
        None => open.started.changes == Some(Changes::Discard),
    }
}

impl Documents {
    /// The places of a run that a process committed which is gone.
    fn places_of(&self, open: &OpenRun) -> Result<Targets, MigrateError> {
        let Phase::Publishing { committed_seq, .. } = open.phase else {
            return Err(MigrateError::NoRun);
        };
        let before: States = self.ledger.state_at(committed_seq)?.store().objects.clone();
        let now = &self.ledger.state().store().objects;
        // Also those whose target is what the ledger had: a document that is gone comes back.
        let targets = open.migrated.iter().filter_map(|id| Some((id, now.get(id)?)));
        Ok(targets
            .map(|(id, target)| (id.clone(), (before.get(id).cloned(), target.clone())))
            .collect())
    }
}

/// Puts the outputs into their places. A place that holds its output already is left alone; one that holds neither that nor
/// what the run read stops everything before anything is written. Those of a run that was committed just now were compared
/// before that, and `compared` is what with.
fn publish(
    documents: &mut Documents,
    compared: Option<Targets>,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let open = documents.open_run()?;
    let Phase::Publishing { places: expected, .. } = open.phase else {
        return Err(MigrateError::NoRun);
    };
    let (targets, written) = if let Some(targets) = compared {
        (targets, BTreeSet::new())
    } else {
        let targets = documents.places_of(&open)?;
        let written = written_already(documents, &open, &targets)?;
        (targets, written)
    };
    let mut places = targets.iter().peekable();
    while places.peek().is_some() {
        let mut batch = Vec::new();
        let mut length = 0;
        while batch.len() < PUBLISHED_TOGETHER && length < PUBLISHED_BYTES_MAX {
            let Some((id, (source, target))) = places.next() else { break };
            let ObjectState::Document { content, mode, bytes } = target else { continue };
            length += bytes;
            let (source, content, mode) = (source.as_ref(), *content, *mode);
            batch.push(Place { id, source, target, content, mode });
        }
        publish_batch(documents, &open, &batch, &written, observer)?;
    }
    let published = RunPublished { run: open.run, places: expected, audit: None };
    documents.record(signer, vec![published.into()], observer)
}

/// Those places that hold their output already. One that holds neither that nor what the run read is refused.
fn written_already(
    documents: &Documents,
    open: &OpenRun,
    targets: &Targets,
) -> Result<BTreeSet<String>, MigrateError> {
    let tree = &documents.collection.tree;
    let look = |(id, (source, target)): (&String, &(Option<ObjectState>, ObjectState))| {
        let found = Places(tree).look(id)?;
        let is_written = found.as_ref().is_some_and(|found| state_of(found) == *target);
        Ok((is_written, is_written || may_replace(open, found.as_ref(), source.as_ref())))
    };
    let (mut written, mut conflicts) = (BTreeSet::new(), Vec::new());
    each_looked_at(documents.jobs, targets.iter(), look, |(id, _), (is_written, fits)| {
        if is_written {
            written.insert(id.clone());
        } else if !fits {
            conflicts.push(id.clone());
        }
        Ok(())
    })?;
    if conflicts.is_empty() {
        Ok(written)
    } else {
        let place = named("documents that somebody changed", &conflicts);
        Err(MigrateError::Conflict { place, run: open.run })
    }
}

/// A place that is to be written.
struct Place<'a> {
    id: &'a str,
    source: Option<&'a ObjectState>,
    target: &'a ObjectState,
    content: ContentHash,
    mode: u32,
}

fn publish_batch(
    documents: &Documents,
    open: &OpenRun,
    batch: &[Place<'_>],
    written: &BTreeSet<String>,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let places = Places(&documents.collection.tree);
    let to_write: Vec<&Place<'_>> =
        batch.iter().filter(|place| !written.contains(place.id)).collect();
    let done = prepare(documents, &to_write).and_then(|()| put(places, open, &to_write, observer));
    if done.is_err() {
        // What cannot be removed either is replaced by whoever goes on.
        for place in &to_write {
            drop(places.forget(place.id));
        }
        return done;
    }
    // Also what a killed job may have left with the kernel alone.
    let ids: Vec<&str> = batch.iter().map(|place| place.id).collect();
    Ok(places.settle(&ids)?)
}

/// Writes all outputs beside their places, durably.
fn prepare(documents: &Documents, to_write: &[&Place<'_>]) -> Result<(), MigrateError> {
    let Documents { collection, objects, jobs, .. } = documents;
    let places = Places(&collection.tree);
    let mut left = to_write.iter();
    let portions = std::iter::from_fn(|| {
        let mut portion = Vec::new();
        let mut bytes = 0;
        while portion.len() < LOOKED_AT && bytes < PORTION_BYTES_MAX {
            let Some(place) = left.next() else { break };
            let content = objects.get(&place.content).map(|content| (*place, content));
            bytes += content.as_ref().map_or(0, |(_, content)| content.len());
            portion.push(content);
        }
        (!portion.is_empty()).then_some(portion)
    });
    let write = |portion: Vec<Result<(&Place<'_>, Vec<u8>), ObjectsError>>| {
        portion.into_iter().try_for_each(|content| -> Result<(), MigrateError> {
            let (Place { id, mode, .. }, bytes) = content?;
            let output = Output { id, bytes: &bytes, mode: *mode };
            Ok(places.prepare(&output, to_write.len())?)
        })
    };
    let crew = Crew { workers: *jobs, ahead: jobs.saturating_mul(AHEAD) };
    try_in_order(portions, crew, write, |done| done)?;
    let ids: Vec<&str> = to_write.iter().map(|place| place.id).collect();
    Ok(places.harden(&ids)?)
}

/// Puts what was prepared into its places.
fn put(
    places: Places<'_>,
    open: &OpenRun,
    to_write: &[&Place<'_>],
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    for place in to_write {
        // Preparing took its time: somebody may have written meanwhile.
        if !still_to_write(places, open, place)? {
            places.forget(place.id)?;
            continue;
        }
        observer.reached(&Milestone::Publishing { object: place.id });
        places.put(place.id)?;
        observer.reached(&Milestone::Published { object: place.id });
    }
    Ok(())
}

/// Whether a place still holds what the run read; not if it holds the output, and anything else is a conflict.
fn still_to_write(
    places: Places<'_>,
    open: &OpenRun,
    place: &Place<'_>,
) -> Result<bool, MigrateError> {
    let found = places.look(place.id)?;
    if found.as_ref().is_some_and(|found| state_of(found) == *place.target) {
        return Ok(false);
    }
    if may_replace(open, found.as_ref(), place.source) {
        return Ok(true);
    }
    let place = named("a document that somebody changed", &[place.id.to_owned()]);
    Err(MigrateError::Conflict { place, run: open.run })
}

/// The bytes that the ledger has of a document.
pub(super) fn kept(documents: &Documents, state: &ObjectState) -> Result<(), MigrateError> {
    if let Some(content) = content_of(state) {
        documents.objects.get(&content)?;
    }
    Ok(())
}
