//! The progress of runs: which may begin, which step comes next, how each ended. And from where on what they made can be
//! put back, and where a structure was accepted that no run made, which is told by sequence numbers as they are.

use std::collections::{BTreeMap, BTreeSet};

use ledger_format::body::{
    AuditAppend, Body, ObjectMigrated, ObjectPruned, ObjectState, Purpose, RENAMED_MAX, RunStarted,
    StagedContent,
};
use ledger_format::hash::{CommitHash, EventId};
use serde::{Deserialize, Serialize};

use crate::{Entry, Illegal, Projection, Routes, require};

/// The fold of runs.
pub struct Runs;

/// Every run of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunBook {
    /// The run that is under way, at most one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenRun>,
    /// The runs that have ended, in the order of their beginning.
    pub finished: Vec<FinishedRun>,
    /// Databases whose older images were pruned, with the sequence number from which on their states
    /// can be put back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pruned: BTreeMap<String, u64>,
    /// Where drift was accepted, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<AcceptedDrift>,
}

/// A structure of a database that no run made and that the ledger has since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedDrift {
    /// Sequence number of its `drift.accepted` event.
    pub seq: u64,
    /// Digest of the contract that the database has had a version of since.
    pub contract: CommitHash,
}

/// A run under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenRun {
    /// The id of its `run.started` event.
    pub run: EventId,
    /// Sequence number of its `run.started` event.
    pub started_seq: u64,
    /// What it set out to do.
    pub started: RunStarted,
    /// Results of the steps done so far, by object.
    pub steps: BTreeMap<String, Vec<StagedContent>>,
    /// Ways that its objects take, where it follows no contract as a whole.
    #[serde(default, skip_serializing_if = "Routes::is_empty")]
    pub routes: Routes,
    /// Objects that have reached their target.
    pub migrated: BTreeSet<String>,
    /// How far it is.
    pub phase: Phase,
}

/// How far an open run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Phase {
    /// It works beside the store.
    Staging,
    /// Its outputs are on their way to their places.
    Publishing {
        /// Sequence number of its `run.committed` event.
        committed_seq: u64,
        /// Its certificate.
        certificate: CommitHash,
        /// Number of places to write.
        places: u64,
        /// The audit line to append.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audit: Option<AuditAppend>,
    },
}

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinishedRun {
    /// The id of its `run.started` event.
    pub run: EventId,
    /// Sequence number of its `run.started` event.
    pub started_seq: u64,
    /// Sequence number of the event that ended it.
    pub ended_seq: u64,
    /// What it was for.
    pub purpose: Purpose,
    /// Its plan.
    pub plan: CommitHash,
    /// Version before.
    pub from: String,
    /// Version it went to.
    pub to: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Its outputs are in their places.
    Published {
        /// Sequence number of its `run.committed` event.
        committed_seq: u64,
        /// Its certificate.
        certificate: CommitHash,
    },
    /// It ended before it was committed.
    Aborted {
        /// Diagnostic code.
        code: String,
    },
    /// It was committed and then given up.
    Abandoned {
        /// Sequence number of its `run.committed` event.
        committed_seq: u64,
        /// Its certificate.
        certificate: CommitHash,
    },
}

impl Outcome {
    /// Where the run was committed, if it was.
    pub const fn committed_seq(&self) -> Option<u64> {
        match self {
            Self::Published { committed_seq, .. } | Self::Abandoned { committed_seq, .. } => {
                Some(*committed_seq)
            }
            Self::Aborted { .. } => None,
        }
    }
}

impl RunBook {
    pub(crate) fn entries(&self) -> usize {
        let open = self.open.as_ref();
        let open = open.map_or(0, |run| run.steps.len() + run.routes.len() + run.migrated.len());
        open + self.finished.len() + self.pruned.len() + self.accepted.len()
    }
}

impl OpenRun {
    /// Whether its objects take routes of their own.
    fn has_routes(&self) -> bool {
        self.started.contract.is_none() && self.started.purpose == Purpose::Migrate
    }

    /// An object takes a route of the run exactly if the run has routes.
    fn check_route(&self, object: &str, route: Option<u64>) -> Result<(), Illegal> {
        match route {
            None => require(!self.has_routes(), || format!("{object} takes no route of the run")),
            Some(number) => {
                require(self.has_routes(), || format!("{object} takes a route, the run has none"))?;
                require(self.routes.get(number).is_some(), || {
                    format!("{object} takes route {number}, the run has {}", self.routes.len())
                })
            }
        }
    }
}

impl Projection for Runs {
    const NAME: &'static str = "runs";
    const VERSION: u64 = 2;
    type State = RunBook;

    fn check(state: &RunBook, entry: Entry<'_>) -> Result<(), Illegal> {
        let body = &entry.event.body;
        if matches!(body, Body::RunStarted(_)) {
            return match &state.open {
                None => Ok(()),
                Some(open) => Err(Illegal::new(format!("run {} is still open", open.run.short()))),
            };
        }
        if let Body::ObjectPruned(body) = body {
            return check_pruned(state, entry.event.seq, body);
        }
        let Some(named) = body.run() else { return Ok(()) };
        let open = state.open.as_ref().filter(|open| open.run == named);
        let open =
            open.ok_or_else(|| Illegal::new(format!("run {} is not open", named.short())))?;
        match (body, &open.phase) {
            (Body::RunRoute(route), Phase::Staging) => {
                require(open.has_routes(), || "the run's objects take no routes".into())?;
                require(open.migrated.is_empty(), || {
                    "a route comes before the first object that is migrated".into()
                })?;
                open.routes.check(route)
            }
            (Body::ObjectStaged(step), Phase::Staging) => {
                require(open.started.contract.is_some(), || {
                    "a step follows the run's contract, and the run has none".into()
                })?;
                require(!open.migrated.contains(&step.object), || {
                    format!("{} has reached its target already", step.object)
                })?;
                let done = open.steps.get(&step.object).map_or(0, Vec::len) as u64;
                require(step.step == done, || {
                    format!("step {done} of {} comes next, not {}", step.object, step.step)
                })
            }
            (Body::ObjectMigrated(body), Phase::Staging) => {
                open.check_route(&body.object, body.route)?;
                check_renamed(body)?;
                let staged = open.steps.get(&body.object).and_then(|steps| steps.last());
                require(staged.is_none_or(|staged| leads_to(staged, &body.target)), || {
                    format!("the target of {} is not what its last step made", body.object)
                })?;
                require((open.migrated.len() as u64) < open.started.objects, || {
                    format!("the run has only {} objects", open.started.objects)
                })
            }
            (Body::RunCommitted(_), Phase::Staging) => {
                require(open.migrated.len() as u64 == open.started.objects, || {
                    let (done, all) = (open.migrated.len(), open.started.objects);
                    format!("{done} of {all} objects have reached their target")
                })
            }
            (Body::RunAborted(_), Phase::Staging)
            | (Body::RunAbandoned(_), Phase::Publishing { .. }) => Ok(()),
            (Body::RunPublished(body), Phase::Publishing { places, audit, .. }) => {
                require(body.places == *places, || {
                    format!("{} of {places} places are published", body.places)
                })?;
                let holds_line = match (&body.audit, audit) {
                    (None, None) => true,
                    (Some(ObjectState::Log { bytes, .. }), Some(line)) => {
                        *bytes >= line.bytes.saturating_add(line.line.len() as u64)
                    }
                    _ => false,
                };
                require(holds_line, || "the audit file does not hold the run's line".into())
            }
            (_, Phase::Staging) => Err(Illegal::new("the run is not committed yet")),
            (_, Phase::Publishing { .. }) => Err(Illegal::new("the run is committed already")),
        }
    }

    fn advance(state: &mut RunBook, entry: Entry<'_>) {
        let seq = entry.event.seq;
        if let Body::ObjectPruned(body) = &entry.event.body {
            state.pruned.insert(body.object.clone(), body.keep);
            return;
        }
        if let Body::DriftAccepted(body) = &entry.event.body {
            state.accepted.push(AcceptedDrift { seq, contract: body.contract });
            return;
        }
        if let Body::RunStarted(started) = &entry.event.body {
            state.open = Some(OpenRun {
                run: entry.id,
                started_seq: seq,
                started: started.clone(),
                steps: BTreeMap::new(),
                routes: Routes::default(),
                migrated: BTreeSet::new(),
                phase: Phase::Staging,
            });
            return;
        }
        let Some(open) = &mut state.open else { return };
        let outcome = match &entry.event.body {
            Body::ObjectStaged(body) => {
                open.steps.entry(body.object.clone()).or_default().push(body.result);
                return;
            }
            Body::RunRoute(body) => return open.routes.push(body),
            Body::ObjectMigrated(body) => {
                open.migrated.insert(body.object.clone());
                return;
            }
            Body::RunCommitted(body) => {
                open.phase = Phase::Publishing {
                    committed_seq: seq,
                    certificate: body.certificate,
                    places: body.places,
                    audit: body.audit.clone(),
                };
                return;
            }
            Body::RunAborted(body) => Outcome::Aborted { code: body.code.clone() },
            Body::RunPublished(_) | Body::RunAbandoned(_) => {
                let Phase::Publishing { committed_seq, certificate, .. } = open.phase else {
                    return;
                };
                if matches!(entry.event.body, Body::RunPublished(_)) {
                    Outcome::Published { committed_seq, certificate }
                } else {
                    Outcome::Abandoned { committed_seq, certificate }
                }
            }
            _ => return,
        };
        if let Some(open) = state.open.take() {
            state.finished.push(FinishedRun {
                run: open.run,
                started_seq: open.started_seq,
                ended_seq: seq,
                purpose: open.started.purpose,
                plan: open.started.plan,
                from: open.started.from,
                to: open.started.to,
                outcome,
            });
        }
    }
}

/// Images are given up of states that were, and what was given up does not come back.
fn check_pruned(state: &RunBook, seq: u64, body: &ObjectPruned) -> Result<(), Illegal> {
    let (object, keep) = (&body.object, body.keep);
    require(keep <= seq, || format!("event {keep} lies ahead"))?;
    let before = state.pruned.get(object).copied().unwrap_or_default();
    require(keep >= before, || {
        format!(
            "the images of {object} before event {before} were pruned, not only those before {keep}"
        )
    })
}

/// An object has other names than before only if it is another one, and each is told once, in order.
fn check_renamed(body: &ObjectMigrated) -> Result<(), Illegal> {
    let (object, renamed) = (&body.object, &body.renamed);
    if renamed.is_empty() {
        return Ok(());
    }
    require(body.route.is_some() && body.source != body.target, || {
        format!("{object} is renamed, and took no route to another content")
    })?;
    require(renamed.len() <= RENAMED_MAX, || {
        format!("{object} is renamed {} times, at most {RENAMED_MAX}", renamed.len())
    })?;
    require(renamed.iter().all(|one| one.old_hash != one.new_hash), || {
        format!("{object} is renamed to what it was called")
    })?;
    require(renamed.is_sorted_by(|before, after| before < after), || {
        format!("the renamings of {object} are not in order, or one stands there twice")
    })
}

/// Whether an object that is `staged` after its last step is `target`.
fn leads_to(staged: &StagedContent, target: &ObjectState) -> bool {
    match (staged, target) {
        (
            StagedContent::Document { content: staged },
            ObjectState::Document { content: target, .. },
        ) => staged == target,
        (
            StagedContent::Database { page_root: staged },
            ObjectState::Database { page_root: target, .. },
        ) => staged == target,
        _ => false,
    }
}
