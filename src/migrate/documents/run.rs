//! Runs on documents: every source is kept, every result staged, one event commits them, then they are put into their
//! places. The engine is that of all runs; what is here is how documents are read, worked on and written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ledger_format::body::{
    Body, Cause, Changes, FixedBytes, MIXED_VERSIONS, ObjectMigrated, ObjectObserved, ObjectState,
    Purpose, ROUTE_EDGES_MAX, RunCommitted, RunRoute, RunStarted,
};
use ledger_format::hash::{CommitHash, ContentHash};
use projections::OpenRun;

use super::super::amounts::Amounts;
use super::super::environment::Environment;
use super::super::error::MigrateError;
use super::super::run::{
    Consent, Inputs, Milestone, Observer, RunReport, Subject, check_consent, go_on, resume_run,
};
use super::collection::{Documents, content_of, state_of};
use super::former::{Former, recorded};
use super::looking::each_looked_at;
use super::plan::{
    Bound, DocumentsPlan, NamedDocument, PlannedDocument, PlannedLinks, PlannedRoute, Row, bound,
};
use super::prepared::Prepared;
use super::publish::{Before, Conflicts, publish};
use super::rollback;
use super::summary::Summary;
use super::ways::Ways;
use super::work::{Kinds, links_of};
use crate::effects::Signer;
use crate::ledger::Ledger;
use crate::objects::Named;
use crate::target::documents::{Found, Places, Stamp};

/// Documents recorded together. One that was not recorded yet is worked on again on resuming. Every batch has the objects
/// synced once, which on a busy machine takes longer than everything else; the threads work ahead of it as far meanwhile.
const BATCH: usize = 2_000;

/// Bytes of results after which they are recorded, however few documents they are of.
const RECORDED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Most documents that one error names.
const NAMED_MAX: usize = 20;

/// Carries out `plan`, and lets go of it before the documents are worked on: what binds the run is kept with it. If it loses
/// anything, `consent` must be its id.
pub fn apply(
    documents: &mut Documents,
    plan: DocumentsPlan,
    consent: &Consent,
    inputs: Inputs,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<RunReport, MigrateError> {
    documents.must_be_idle()?;
    documents.may_sign(signer)?;
    if plan.is_empty() {
        return Err(MigrateError::NothingToDo {
            at: "every document is as its contract says".to_owned(),
        });
    }
    if plan.ledger != documents.ledger.id() {
        return Err(MigrateError::Stale { reason: "it was made for another ledger".into() });
    }
    documents.must_be_agreed_to(plan.id, signer)?;
    may_run_programs(plan.policy.allow_programs, documents)?;
    let accepted_loss =
        check_consent(plan.id, Amounts::values(plan.lost), plan.policy.allow_loss, consent)?;
    still_fits(documents, &plan)?;
    let lengths = take_sources(documents, &plan)?;
    let bodies = freeze(documents, &plan)?;
    let environment = documents.objects.put(&Environment::here().bytes())?;
    documents.objects.put(&plan.preimage())?;
    documents.objects.sync()?;
    record_sources(documents, &plan, &lengths, bodies, signer, observer)?;
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
    drop((plan, lengths));
    documents.record(signer, vec![started.into()], observer)?;
    go_on(documents, signer, observer)
}

/// A run that was gone on with to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumption {
    /// What it came to.
    pub report: RunReport,
    /// Documents that somebody changed, and that were left as they are.
    pub kept: Vec<String>,
}

/// Goes on with the run under way. `changed` says what becomes of documents that somebody changed since the run was
/// committed.
pub fn resume(
    documents: &mut Documents,
    changed: Conflicts,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<Resumption, MigrateError> {
    documents.conflicts = changed;
    let report = resume_run(documents, signer, observer)?;
    Ok(Resumption { report, kept: std::mem::take(&mut documents.kept) })
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
fn still_fits(documents: &Documents, plan: &DocumentsPlan) -> Result<(), MigrateError> {
    let known = |route: &PlannedRoute| {
        documents.collection.contracts.iter().any(|prepared| prepared.digest() == route.contract)
    };
    if let Some(route) = plan.routes.iter().find(|route| !known(route)) {
        let reason =
            format!("the contract {} {} is another one now", route.kind, route.contract_version);
        return Err(MigrateError::Stale { reason });
    }
    let links = plan.links.as_ref();
    let is_at_hand = |digest: &CommitHash| {
        documents.collection.contracts.iter().any(|prepared| prepared.digest() == *digest)
    };
    if !links.is_none_or(|links| links.contracts.iter().all(is_at_hand)) {
        let reason = "a contract by which documents name each other is another one now".to_owned();
        return Err(MigrateError::Stale { reason });
    }
    Ok(())
}

/// Keeps every source, and what sources name, and returns their lengths. Refuses a plan that was made with other documents
/// than there are now: what was kept until then is named by nothing.
fn take_sources(documents: &mut Documents, plan: &DocumentsPlan) -> Result<Vec<u64>, MigrateError> {
    let Documents { collection, objects, jobs, stamps, .. } = documents;
    let look = |source: Source<'_>| {
        let found = Places(&collection.tree).look_and_stamp(source.id)?;
        Ok(found.filter(|(found, _)| (found.content, found.mode) == (source.content, source.mode)))
    };
    let held =
        |found: &Option<(Found, Stamp)>| found.as_ref().map_or(0, |(found, _)| found.bytes.len());
    let (mut lengths, mut changed) = (Vec::with_capacity(plan.objects.len()), Vec::new());
    stamps.clear();
    each_looked_at(*jobs, sources(plan), look, held, |source, found| {
        match found {
            Some((found, stamp)) if changed.is_empty() => {
                lengths.push(found.bytes.len() as u64);
                objects.put_named(&Named::called(found.content, found.bytes))?;
                stamps.insert(stamp);
            }
            Some(_) => {}
            None => changed.push(source.id.to_owned()),
        }
        Ok(())
    })?;
    if changed.is_empty() {
        Ok(lengths)
    } else {
        stamps.clear();
        Err(MigrateError::Stale { reason: named("changed", &changed) })
    }
}

/// A document as a plan binds it.
#[derive(Clone, Copy)]
struct Source<'a> {
    id: &'a str,
    content: ContentHash,
    mode: u32,
}

impl<'a> Source<'a> {
    fn planned(of: &'a PlannedDocument) -> Self {
        Self { id: &of.id, content: of.source, mode: of.mode }
    }

    fn named(of: &'a NamedDocument) -> Self {
        Self { id: &of.id, content: of.source, mode: of.mode }
    }

    /// Whether what was worked on is what the plan binds.
    fn is(&self, found: &Summary) -> bool {
        found.source_mode == self.mode && content_of(&found.source) == Some(self.content)
    }
}

/// The documents that a plan is about, and those that they name.
fn sources(plan: &DocumentsPlan) -> impl Iterator<Item = Source<'_>> {
    let named = plan.links.iter().flat_map(|links| &links.named).map(Source::named);
    plan.objects.iter().map(Source::planned).chain(named)
}

/// The documents in words, as many as one error names.
pub(super) fn named(what: &str, ids: &[String]) -> String {
    let shown: Vec<&str> = ids.iter().take(NAMED_MAX).map(String::as_str).collect();
    match ids.len().saturating_sub(shown.len()) {
        0 => format!("{what}: {}", shown.join(", ")),
        more => format!("{what}: {} and {more} more", shown.join(", ")),
    }
}

/// The same of documents in which somebody wrote, and of others that are not there any more.
pub(super) fn changed_or_gone(what: &str, changed: &[String], gone: &[String]) -> String {
    let is_gone = if gone.len() == 1 { "is gone" } else { "are gone" };
    let lists = [(what, changed), (is_gone, gone)];
    let lists = lists.iter().filter(|(_, ids)| !ids.is_empty());
    lists.map(|(what, ids)| named(what, ids)).collect::<Vec<_>>().join("; ")
}

pub(super) fn observation(id: &str, cause: Cause, state: ObjectState) -> Body {
    ObjectObserved { object: id.to_owned(), cause, state }.into()
}

fn freeze(documents: &mut Documents, plan: &DocumentsPlan) -> Result<Vec<Body>, MigrateError> {
    let linked = plan.links.iter().flat_map(|links| links.contracts.iter().copied());
    let used: BTreeSet<CommitHash> =
        plan.routes.iter().map(|route| route.contract).chain(linked).collect();
    let contracts = documents.collection.contracts.iter();
    let used = contracts.filter(|prepared| used.contains(&prepared.digest()));
    let used: Vec<_> = used.map(|prepared| prepared.contract().clone()).collect();
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
    for (source, bytes) in sources(plan).zip(lengths) {
        let (content, mode) = (source.content, source.mode);
        let state = ObjectState::Document { content, bytes: *bytes, mode };
        let cause = match documents.ledger.state().store().objects.get(source.id) {
            None => Cause::Joined,
            Some(held) if *held != state => Cause::DataChange,
            Some(_) => continue,
        };
        bodies.push(observation(source.id, cause, state));
        if bodies.len() >= BATCH {
            documents.record(signer, std::mem::take(&mut bodies), observer)?;
        }
    }
    if bodies.is_empty() { Ok(()) } else { documents.record(signer, bodies, observer) }
}

impl Subject for Documents {
    /// Documents have no locks: what was compared last before the commit is compared again, place by place, as each is
    /// written. What is kept until then is what they are compared with, in the order of ids.
    type Live = Vec<Before>;

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
    ) -> Result<Vec<Before>, MigrateError> {
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
        live: Option<Vec<Before>>,
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
    let Bound { policy, routes, objects, links, .. } =
        bound(&*documents.objects, open.started.plan)?;
    may_run_programs(policy.allow_programs, documents)?;
    documents.outside.parameters = policy.parameters();
    let (ids, planned) = Planned::of(objects);
    announce(documents, open, &routes, signer, observer)?;
    let ways = Ways::of(&routes, |digest| documents.prepared(digest))?;
    // What documents of the run refer to may need no migration itself; so that is looked at too.
    let all = Work::of(documents, ways, (&ids, &planned), links.as_ref())?;
    let named = links.iter().flat_map(|links| &links.named);
    let named = named.map(|named| (named.id.as_str(), Source::named(named))).collect();
    let (ids, pending, bytes, done) = (&ids, Vec::new(), 0, 0);
    let mut staging = Staging { documents, ids, planned, named, open, pending, bytes, done };
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

/// What a plan binds of one document.
struct Due {
    route: u64,
    source: ContentHash,
    mode: u32,
    target: ContentHash,
    lost: u64,
    loss: CommitHash,
}

/// What a plan binds of the documents that were not taken yet, the first one last. They are taken in the order of their ids,
/// and let go of: at the end of a run of many documents, memory is needed for what was recorded of them.
struct Planned(Vec<Due>);

impl Due {
    fn source_of<'i>(&self, id: &'i str) -> Source<'i> {
        Source { id, content: self.source, mode: self.mode }
    }
}

impl Planned {
    /// The ids in their order, and what is bound of each.
    fn of(mut rows: Vec<Row>) -> (Vec<Box<str>>, Self) {
        rows.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let (mut ids, mut planned) =
            (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for Row(id, route, source, mode, target, lost, loss) in rows {
            ids.push(id.into_boxed_str());
            planned.push(Due { route, source, mode, target, lost, loss });
        }
        planned.reverse();
        (ids, Self(planned))
    }

    /// Takes what is bound of `id`, one of all `ids` or none, and lets go of what is bound of those before it.
    fn take(&mut self, ids: &[Box<str>], id: &str) -> Option<Due> {
        while let Some(next) = ids.get(ids.len().checked_sub(self.0.len())?)
            && **next <= *id
        {
            let due = self.0.pop();
            if **next == *id {
                return due;
            }
        }
        None
    }

    /// Gives back the memory of what was taken.
    fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }
}

/// Everything that is worked on to stage a run.
struct Work<'a> {
    contracts: Vec<Prepared>,
    links: crate::link::Links,
    ids: BTreeMap<&'a str, usize>,
    /// The version to go to, where it is not each kind's current one.
    to: Option<String>,
    linked: bool,
    tree: crate::target::documents::Tree,
    jobs: usize,
}

impl<'a> Work<'a> {
    fn of(
        documents: &Documents,
        mut ways: Ways,
        (planned, due): (&'a [Box<str>], &Planned),
        bound: Option<&'a PlannedLinks>,
    ) -> Result<Self, MigrateError> {
        let kinds = planned.iter().zip(due.0.iter().rev());
        let kinds = kinds.filter_map(|(id, due)| Some((&**id, ways.kind(due.route)?)));
        let mut ids: BTreeMap<&str, usize> = kinds.collect();
        if let Some(links) = bound {
            ids.extend(ways.take_in(links, |digest| documents.prepared(digest))?);
        }
        let (linked, Ways { contracts, to, .. }) = (bound.is_some(), ways);
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
            self.ids.retain(|id, _| !staging.open.migrated.contains(*id));
        }
        staging.done = staging.open.migrated.len() as u64;
        let Self { contracts, links, linked, to, .. } = &self;
        let (to, linked, former) = (to.as_deref(), *linked, &Former::default());
        let kinds = Kinds { contracts, links, to, linked, former };
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
    /// Ids of the planned documents.
    ids: &'a [Box<str>],
    planned: Planned,
    /// Documents that planned ones name.
    named: BTreeMap<&'a str, Source<'a>>,
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
        if self.open.migrated.contains(&summary.id) {
            return Ok(());
        }
        let planned = self.planned.take(self.ids, &summary.id);
        let bound = planned.as_ref().map(|due| due.source_of(&summary.id));
        let bound = bound.or_else(|| self.named.get(summary.id.as_str()).copied());
        if bound.is_some_and(|bound| !bound.is(&summary)) {
            let reason = format!("{} changed while the run was at work", summary.id);
            return Err(MigrateError::Stale { reason });
        }
        let Some(planned) = planned else { return Ok(()) };
        let Summary { id, kind, source, source_mode, target, loss, .. } = summary;
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
                renamed: recorded(&summary.renamed),
            }
            .into(),
        );
        self.done += 1;
        observer.reached(&Milestone::Document { done: self.done, total: self.ids.len() as u64 });
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
        self.planned.shrink();
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
) -> Result<Vec<Before>, MigrateError> {
    let state = documents.ledger.state();
    let held = &state.store().objects;
    let (mut changed, mut places) = (Vec::new(), 0);
    let (tree, stamps) = (&documents.collection.tree, &documents.stamps);
    let look = |(id, _): (&String, &ObjectState)| {
        if Places(tree).bears_one_of(id, stamps) {
            return Ok(true);
        }
        let found = Places(tree).look(id)?;
        Ok(may_replace(open, found.as_ref(), held.get(id)))
    };
    let staged = state.store().staged.iter();
    each_looked_at(
        documents.jobs,
        staged,
        look,
        |_| 0,
        |(id, target), fits| {
            if !fits {
                changed.push(id.clone());
            }
            places += u64::from(held.get(id) != Some(target));
            Ok(())
        },
    )?;
    if !changed.is_empty() {
        return Err(MigrateError::Stale {
            reason: named("changed while the run was at work", &changed),
        });
    }
    let before = state.store().staged.keys().map(|id| held.get(id).cloned()).collect();
    let certificate = state.certificates().open_certificate();
    documents.objects.sync()?;
    let committed = RunCommitted { run: open.run, certificate, places, audit: None };
    documents.record(signer, vec![committed.into()], observer)?;
    Ok(before)
}

/// Whether what stands in a place may be replaced: it is what the run read, or nothing, where a rollback was told to
/// discard what was done to documents.
pub(super) fn may_replace(
    open: &OpenRun,
    found: Option<&Found>,
    source: Option<&ObjectState>,
) -> bool {
    match found {
        Some(found) => source == Some(&state_of(found)),
        None => open.started.changes == Some(Changes::Discard),
    }
}

/// The bytes that the ledger has of a document.
pub(super) fn kept(documents: &Documents, state: &ObjectState) -> Result<(), MigrateError> {
    if let Some(content) = content_of(state) {
        documents.objects.get(&content)?;
    }
    Ok(())
}
