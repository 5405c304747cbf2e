//! A run as records in order: what it set out to do, what became of each object at each stage, and its certificate.

use ledger_format::body::{Body, RunStarted};
use ledger_format::hash::{CommitHash, EventId};
use projections::Routes;
use serde::Serialize;

use super::run::RunSpan;
use crate::ledger::{FoldError, Ledger};

/// One record of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TraceRecord {
    /// An operator at work in the run, and from where to where it takes objects. One for each; an aborted run that came
    /// to no object has one without an operator.
    RunHeader {
        /// The operator.
        migration_operator_id: Option<String>,
        /// Version before.
        from_version: String,
        /// Version after.
        to_version: String,
    },
    /// An object at a stage.
    Iter {
        /// The object.
        object_id: String,
        /// The stage.
        stage: Stage,
        /// How it came out.
        status: Status,
    },
    /// How the run ended.
    RunEnd {
        /// Its certificate, if it was committed.
        migration_certificate_hash: Option<CommitHash>,
    },
}

/// Stages of an object in a run, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// One step was taken on the work copy.
    Step,
    /// It was migrated, its outcome validated and kept.
    Migrate,
}

/// How an object came out of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is done.
    Ok,
    /// It is done, and something declared was lost.
    Lossy,
}

/// Hands the records of a run to `take`, in order. Two runs that did the same have the same trace: there is no time, place
/// or actor in it.
pub fn trace<E: From<FoldError>>(
    ledger: &Ledger,
    span: &RunSpan,
    take: &mut dyn FnMut(TraceRecord) -> Result<(), E>,
) -> Result<(), E> {
    for header in headers(ledger, span)? {
        take(header)?;
    }
    let mut certificate = None;
    of_run(ledger, span, |body| {
        let iter = match body {
            Body::ObjectStaged(body) => Some((body.object, Stage::Step, Status::Ok)),
            Body::ObjectMigrated(body) => {
                let status = if body.lost > 0 { Status::Lossy } else { Status::Ok };
                Some((body.object, Stage::Migrate, status))
            }
            Body::RunCommitted(body) => {
                certificate = Some(body.certificate);
                None
            }
            _ => None,
        };
        iter.map_or(Ok(()), |(object_id, stage, status)| {
            take(TraceRecord::Iter { object_id, stage, status })
        })
    })?;
    take(TraceRecord::RunEnd { migration_certificate_hash: certificate })
}

/// Operators and versions, each once, in the order in which objects first show them.
fn headers<E: From<FoldError>>(ledger: &Ledger, span: &RunSpan) -> Result<Vec<TraceRecord>, E> {
    let mut headers = Vec::new();
    let mut routes = Routes::default();
    let mut started: Option<RunStarted> = None;
    of_run::<E>(ledger, span, |body| {
        match body {
            Body::RunStarted(body) => started = Some(body),
            Body::RunRoute(body) => routes.push(&body),
            Body::ObjectMigrated(body) => {
                let route = body.route.and_then(|number| routes.get(number));
                let route = route.map(|route| (&route.from, &route.to));
                let whole = started.as_ref().map(|started| (&started.from, &started.to));
                let Some((from, to)) = route.or(whole) else { return Ok(()) };
                let header = TraceRecord::RunHeader {
                    migration_operator_id: Some(body.operator),
                    from_version: from.clone(),
                    to_version: to.clone(),
                };
                if !headers.contains(&header) {
                    headers.push(header);
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    if let (true, Some(RunStarted { from, to, .. })) = (headers.is_empty(), started) {
        let (from_version, to_version) = (from, to);
        let migration_operator_id = None;
        headers.push(TraceRecord::RunHeader { migration_operator_id, from_version, to_version });
    }
    Ok(headers)
}

/// Hands the bodies of the run's own events to `take`, in order.
pub(super) fn of_run<E: From<FoldError>>(
    ledger: &Ledger,
    span: &RunSpan,
    mut take: impl FnMut(Body) -> Result<(), E>,
) -> Result<(), E> {
    let belongs = |id: EventId, body: &Body| id == span.run || body.run() == Some(span.run);
    ledger.each_event(span.first..span.end, |recorded| {
        let body = recorded.event.body;
        if belongs(recorded.id, &body) { take(body) } else { Ok(()) }
    })
}
