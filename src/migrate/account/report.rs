//! The report on a run: how many objects, what was added to and removed from them, what was lost.

use std::collections::BTreeMap;

use ledger_format::body::{Body, ObjectMigrated, ObjectState, Purpose, RunStarted};
use ledger_format::cbor::{self, EVENT_DEPTH_MAX, Value as Cbor};
use ledger_format::hash::{CommitHash, ContentHash, EventId};
use ledger_format::json::to_json;
use projections::{Claim, Routes};
use serde::Serialize;

use super::super::amounts::Amounts;
use super::super::documents::{Outline, outline};
use super::super::error::MigrateError;
use super::super::stage::frozen_contract;
use super::certificate::ReplayTuple;
use super::run::{RunOutcome, RunSpan};
use super::trace::of_run;
use crate::contract::Contract;
use crate::document::{Document, Format};
use crate::ledger::Ledger;
use crate::objects::Objects;
use crate::target::glyph_store::Layout;
use crate::transform::{Identity, Operation, difference};

/// The report on a run.
///
/// What is added and removed is no part of the events: it is the difference of the source and the target that were kept, so
/// something that moved counts as both, and a field that holds others counts once. Databases have no fields in this sense.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MigrationReport {
    /// The run.
    pub run: EventId,
    /// What it was for.
    pub purpose: Purpose,
    /// How far it came.
    pub outcome: RunOutcome,
    /// Objects that reached their target; none of a run that was not committed.
    pub objects_migrated: u64,
    /// Objects that the run set out to migrate and ended without.
    pub objects_failed: u64,
    /// Fields that documents have and did not have.
    pub field_additions: u64,
    /// Fields that documents had and do not have.
    pub field_removals: u64,
    /// Objects whose fields were not counted: no contract of the run says how they are written.
    pub not_counted: u64,
    /// Documents, and with a `/` at the end folders, that were left out because whoever planned the run said so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documents_left_out: Vec<String>,
    /// Number of values lost.
    pub values_lost: u64,
    /// The first of them.
    pub lossy: Vec<LossyEntry>,
    /// What of each object can be compared with another migration of it, of the first objects.
    pub replay: Vec<ObjectReplay>,
    /// Objects whose replay tuple is not listed.
    pub replay_not_listed: u64,
}

/// The replay tuple of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectReplay {
    /// The object.
    pub object: String,
    /// Source, target, operator and policy.
    #[serde(flatten)]
    pub replay: ReplayTuple,
}

/// Something that is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LossyEntry {
    /// The object.
    pub object: String,
    /// What, as the run has kept it: of a document edge, path and value; of a database what one step took away.
    pub what: serde_json::Value,
}

/// The first of what a run lost, at most `max`. Reads no document.
pub fn lost(
    ledger: &Ledger,
    objects: &dyn Objects,
    span: &RunSpan,
    max: usize,
) -> Result<Vec<LossyEntry>, MigrateError> {
    let mut lossy = Vec::new();
    of_run(ledger, span, |body| match body {
        Body::ObjectMigrated(body) if body.lost > 0 => take_lost(&body, objects, max, &mut lossy),
        _ => Ok::<_, MigrateError>(()),
    })?;
    Ok(lossy)
}

/// What a run lost, each kind of thing by itself; `None` where a list of it is not kept.
pub fn amounts_lost(
    ledger: &Ledger,
    objects: &dyn Objects,
    span: &RunSpan,
) -> Result<Option<Amounts>, MigrateError> {
    let mut lost = Some(Amounts::default());
    of_run(ledger, span, |body| {
        if let Body::ObjectMigrated(body) = body {
            lost = lost.zip(amounts_of(&body, objects)).map(|(lost, more)| lost.and(more));
        }
        Ok::<_, MigrateError>(())
    })?;
    Ok(lost)
}

/// The same of one object.
pub fn amounts_of(body: &ObjectMigrated, objects: &dyn Objects) -> Option<Amounts> {
    let mut lossy = Vec::new();
    take_lost(body, objects, usize::MAX, &mut lossy).ok()?;
    let kept: Vec<_> = lossy.into_iter().map(|entry| entry.what).collect();
    Amounts::of_kept(&kept, body.lost)
}

/// What the plan of a run came to that took documents on: which ways they took, and what was left out because whoever planned
/// it said so. `None` of any other run.
pub fn planned(
    ledger: &Ledger,
    objects: &dyn Objects,
    span: &RunSpan,
) -> Result<Option<Outline>, MigrateError> {
    let started = ledger.event(span.first)?;
    match started.event.body {
        Body::RunStarted(started)
            if started.purpose == Purpose::Migrate && ledger.state().store().open =>
        {
            outline(objects, started.plan).map(Some)
        }
        _ => Ok(None),
    }
}

/// Tells what a run came to. At most `lossy_max` lost things are listed, and replay tuples of as many objects.
pub fn report(
    ledger: &Ledger,
    objects: &dyn Objects,
    span: &RunSpan,
    lossy_max: usize,
) -> Result<MigrationReport, MigrateError> {
    let mut making = Making {
        ledger,
        objects,
        lossy_max,
        started: None,
        routes: Routes::default(),
        forms: BTreeMap::new(),
        report: MigrationReport {
            run: span.run,
            purpose: Purpose::Migrate,
            outcome: span.outcome,
            objects_migrated: 0,
            objects_failed: 0,
            field_additions: 0,
            field_removals: 0,
            not_counted: 0,
            documents_left_out: Vec::new(),
            values_lost: 0,
            lossy: Vec::new(),
            replay: Vec::new(),
            replay_not_listed: 0,
        },
        published: None,
    };
    of_run(ledger, span, |body| making.take(body))?;
    let Making { mut report, started, published, .. } = making;
    let planned = started.map_or(0, |started| {
        report.purpose = started.purpose;
        started.objects
    });
    let outline = self::planned(ledger, objects, span)?.unwrap_or_default();
    report.documents_left_out = outline.left_out.documents;
    match span.outcome {
        RunOutcome::Aborted => {
            (report.objects_migrated, report.objects_failed) = (0, planned);
        }
        RunOutcome::Open => report.objects_migrated = 0,
        // Given up: what had reached its place is migrated, the rest is not.
        RunOutcome::Abandoned => {
            let published = published.unwrap_or(0).min(planned);
            (report.objects_migrated, report.objects_failed) = (published, planned - published);
        }
        RunOutcome::Committed | RunOutcome::Published => {}
    }
    Ok(report)
}

struct Making<'a> {
    ledger: &'a Ledger,
    objects: &'a dyn Objects,
    lossy_max: usize,
    started: Option<RunStarted>,
    routes: Routes,
    /// How documents under a contract are written, and which of their lists have keys.
    forms: BTreeMap<CommitHash, Option<(Format, Identity)>>,
    report: MigrationReport,
    /// Places that held their target when publishing was given up.
    published: Option<u64>,
}

impl Making<'_> {
    fn take(&mut self, body: Body) -> Result<(), MigrateError> {
        match body {
            Body::RunStarted(body) => self.started = Some(body),
            Body::RunRoute(body) => self.routes.push(&body),
            Body::ObjectMigrated(body) => self.object(&body)?,
            Body::RunAbandoned(body) => self.published = Some(body.places),
            _ => {}
        }
        Ok(())
    }

    fn object(&mut self, body: &ObjectMigrated) -> Result<(), MigrateError> {
        self.report.objects_migrated += 1;
        self.report.values_lost = self.report.values_lost.saturating_add(body.lost);
        self.lossy(body)?;
        self.replay(body);
        let (
            ObjectState::Document { content: source, .. },
            ObjectState::Document { content: target, .. },
        ) = (&body.source, &body.target)
        else {
            self.report.not_counted += 1;
            return Ok(());
        };
        let Some((format, identity)) = self.form(body)? else {
            self.report.not_counted += 1;
            return Ok(());
        };
        let read = |content: &ContentHash| -> Result<_, MigrateError> {
            Ok(Document::read(format, &self.objects.get(content)?).ok())
        };
        let (Some(before), Some(after)) = (read(source)?, read(target)?) else {
            self.report.not_counted += 1;
            return Ok(());
        };
        for effect in difference(&before.value, &after.value, &identity) {
            match effect.op {
                Operation::Added => self.report.field_additions += 1,
                Operation::Removed => self.report.field_removals += 1,
                Operation::Moved | Operation::Changed => {}
            }
        }
        Ok(())
    }

    fn replay(&mut self, body: &ObjectMigrated) {
        if self.report.replay.len() >= self.lossy_max {
            self.report.replay_not_listed += 1;
            return;
        }
        let Some(started) = &self.started else { return };
        let route = body.route.and_then(|number| self.routes.get(number));
        // Which edges were taken is no part of the tuple.
        let claim = Claim::new(started, route, Vec::new(), body);
        let (object, replay) = (body.object.clone(), ReplayTuple::of(&claim));
        self.report.replay.push(ObjectReplay { object, replay });
    }

    /// How a document is written: by its contract; a store's manifest is YAML.
    fn form(&mut self, body: &ObjectMigrated) -> Result<Option<(Format, Identity)>, MigrateError> {
        if body.object == Layout::MANIFEST && body.route.is_none() {
            return Ok(Some((Format::Yaml, Identity::new())));
        }
        let route = body.route.and_then(|number| self.routes.get(number));
        let Some(digest) = route.map(|route| route.contract) else { return Ok(None) };
        if let Some(form) = self.forms.get(&digest) {
            return Ok(form.clone());
        }
        let form = form_of(&frozen_contract(self.ledger, self.objects, digest)?);
        self.forms.insert(digest, form.clone());
        Ok(form)
    }

    fn lossy(&mut self, body: &ObjectMigrated) -> Result<(), MigrateError> {
        take_lost(body, self.objects, self.lossy_max, &mut self.report.lossy)
    }
}

/// Adds what one object lost to `lossy`, up to `max` entries.
fn take_lost(
    body: &ObjectMigrated,
    objects: &dyn Objects,
    max: usize,
    lossy: &mut Vec<LossyEntry>,
) -> Result<(), MigrateError> {
    let room = max.saturating_sub(lossy.len());
    let Some(name) = body.loss_list.filter(|_| room > 0) else { return Ok(()) };
    let bytes = objects.get(&name)?;
    let Ok(Cbor::Array(entries)) = cbor::decode(&bytes, EVENT_DEPTH_MAX) else { return Ok(()) };
    let entry = |what| LossyEntry { object: body.object.clone(), what: to_json(what) };
    lossy.extend(entries.iter().take(room).map(entry));
    Ok(())
}

fn form_of(contract: &Contract) -> Option<(Format, Identity)> {
    let formats = [Format::Json, Format::Jsonl, Format::Yaml, Format::Cbor];
    let format = formats.into_iter().find(|format| format.name() == contract.format)?;
    let keys = contract.identity.iter();
    let identity = keys.map(|(list, key)| (list.as_pointer().clone(), key.clone())).collect();
    Some((format, identity))
}
