//! What the store is: its version and the state of each of its objects. Holds neither time nor
//! sequence number nor actor, so that equal stores have equal digests.

use std::collections::{BTreeMap, BTreeSet};

use ledger_format::body::{Body, Cause, DriftAccepted, MIXED_VERSIONS, ObjectState, Origin};
use serde::{Deserialize, Serialize};

use crate::{Entry, Illegal, Projection, require};

/// The fold of the store's state.
pub struct Store;

/// The store as the ledger has it. Moves when a run is committed; staged work does not count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreState {
    /// Name of the contract that describes it; `None` until it is adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// Whether objects may join it, each with a version of its own; its version is then
    /// [`MIXED_VERSIONS`].
    #[serde(default, skip_serializing_if = "is_false")]
    pub open: bool,
    /// Version token; empty until it is adopted.
    pub version: String,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Its objects by id.
    pub objects: BTreeMap<String, ObjectState>,
    /// Whether a committed run's outputs may not all be in their places yet.
    pub pending_publish: bool,
    /// Targets of the open run, which become the objects' states when it is committed.
    pub staged: BTreeMap<String, ObjectState>,
    /// Of an open store: the objects of a committed run until it ends. Should it be abandoned, they
    /// are those left in an unknown state.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unpublished: BTreeSet<String>,
    /// Objects that an abandoned run left in an unknown state, until each was observed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unsettled: BTreeSet<String>,
    /// Version the open run goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged_version: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it may skip by reference")]
const fn is_false(truth: &bool) -> bool {
    !*truth
}

impl StoreState {
    pub(crate) fn entries(&self) -> usize {
        let sets = self.unpublished.len() + self.unsettled.len();
        self.objects.len() + self.staged.len() + sets
    }

    /// Whether no run is under way between its start and its publication.
    const fn is_idle(&self) -> bool {
        self.staged_version.is_none() && !self.pending_publish
    }

    /// Refuses what is no database of an adopted store.
    fn check_database(&self, object: &str) -> Result<(), Illegal> {
        require(matches!(self.objects.get(object), Some(ObjectState::Database { .. })), || {
            format!("{object} is no database in the store's care")
        })?;
        require(self.contract.is_some(), || "no store is adopted yet".into())
    }

    /// Whether a store of this kind can be at `version`: an open one has none but its constant.
    fn check_version(open: bool, version: &str) -> Result<(), Illegal> {
        require(!open || version == MIXED_VERSIONS, || {
            format!("the version of an open store is {MIXED_VERSIONS}, not {version}")
        })
    }
}

impl Projection for Store {
    const NAME: &'static str = "store";
    const VERSION: u64 = 1;
    type State = StoreState;

    fn check(state: &StoreState, entry: Entry<'_>) -> Result<(), Illegal> {
        if let Some(object) = state.unsettled.first() {
            let settles = match &entry.event.body {
                Body::ObjectObserved(body) => {
                    body.cause == Cause::Abandoned && state.unsettled.contains(&body.object)
                }
                // The log says it of itself whenever it has grown enough.
                Body::StateRecorded(_) => true,
                _ => false,
            };
            require(settles, || {
                format!("{object} must first be observed, after its run was abandoned")
            })?;
        }
        match &entry.event.body {
            Body::ObjectObserved(body) => {
                check_observed(state, body.cause, &body.object, &body.state)
            }
            Body::ObjectPruned(body) => {
                state.check_database(&body.object)?;
                require(state.is_idle(), || {
                    format!("images of {} cannot be pruned while a run is open", body.object)
                })
            }
            Body::DriftAccepted(body) => check_accepted(state, body),
            Body::StoreAdopted(body) => {
                require(state.contract.is_none(), || "the store is adopted already".into())?;
                StoreState::check_version(body.open, &body.version)?;
                require(body.objects == state.objects.len() as u64, || {
                    format!("{} objects were observed, not {}", state.objects.len(), body.objects)
                })
            }
            Body::RunStarted(body) => {
                require(state.contract.is_some(), || "no store is adopted yet".into())?;
                require(body.from == state.version, || {
                    format!("the store is at version {}, not {}", state.version, body.from)
                })?;
                StoreState::check_version(state.open, &body.to)?;
                require(state.open || body.contract.is_some(), || {
                    "a run without a contract needs an open store".into()
                })
            }
            Body::ObjectMigrated(body) => {
                let held = state.objects.get(&body.object);
                require(held == Some(&body.source), || {
                    format!("the source of {} is not what the ledger has", body.object)
                })?;
                require(!state.staged.contains_key(&body.object), || {
                    format!("{} is migrated twice in one run", body.object)
                })?;
                require(body.source.kind() == body.target.kind(), || {
                    format!("{} would change its kind", body.object)
                })
            }
            Body::RunCommitted(body) => {
                let changed = state
                    .staged
                    .iter()
                    .filter(|(object, target)| state.objects.get(*object) != Some(*target));
                let changed = changed.count() as u64;
                require(body.places == changed, || {
                    format!("{changed} places change, not {}", body.places)
                })?;
                let Some(audit) = &body.audit else { return Ok(()) };
                let Some(ObjectState::Log { content, bytes, .. }) =
                    state.objects.get(&audit.object)
                else {
                    return Err(Illegal::new(format!("{} is not an audit file", audit.object)));
                };
                require((*content, *bytes) == (audit.content, audit.bytes), || {
                    format!("{} is not what the ledger has", audit.object)
                })
            }
            Body::RunPublished(body) => match &body.audit {
                None | Some(ObjectState::Log { .. }) => Ok(()),
                Some(_) => Err(Illegal::new("an audit file is a log")),
            },
            Body::RunAbandoned(body) => StoreState::check_version(state.open, &body.version),
            _ => Ok(()),
        }
    }

    fn advance(state: &mut StoreState, entry: Entry<'_>) {
        match &entry.event.body {
            Body::ObjectObserved(body) => {
                state.objects.insert(body.object.clone(), body.state.clone());
                state.unsettled.remove(&body.object);
            }
            Body::DriftAccepted(body) => {
                state.objects.insert(body.object.clone(), body.state.clone());
                state.version.clone_from(&body.version);
            }
            Body::StoreAdopted(body) => {
                state.contract = Some(body.contract.clone());
                state.version.clone_from(&body.version);
                state.origin = Some(body.origin);
                state.open = body.open;
            }
            Body::RunStarted(body) => state.staged_version = Some(body.to.clone()),
            Body::ObjectMigrated(body) => {
                state.staged.insert(body.object.clone(), body.target.clone());
            }
            Body::RunCommitted(body) => {
                if state.open {
                    let audit = body.audit.iter().map(|audit| audit.object.clone());
                    state.unpublished = state.staged.keys().cloned().chain(audit).collect();
                }
                state.objects.append(&mut state.staged);
                if let Some(version) = state.staged_version.take() {
                    state.version = version;
                }
                state.pending_publish = true;
            }
            Body::RunPublished(body) => {
                state.pending_publish = false;
                state.unpublished.clear();
                if let Some(audit) = &body.audit {
                    let log = state.objects.values_mut().find(|held| held.kind() == audit.kind());
                    if let Some(log) = log {
                        *log = audit.clone();
                    }
                }
            }
            Body::RunAborted(_) => {
                state.staged.clear();
                state.staged_version = None;
            }
            Body::RunAbandoned(body) => {
                state.pending_publish = false;
                state.version.clone_from(&body.version);
                state.unsettled = if state.open {
                    std::mem::take(&mut state.unpublished)
                } else {
                    state.objects.keys().cloned().collect()
                };
            }
            _ => {}
        }
    }
}

fn check_observed(
    state: &StoreState,
    cause: Cause,
    object: &str,
    found: &ObjectState,
) -> Result<(), Illegal> {
    let held = state.objects.get(object);
    if cause == Cause::Baseline {
        require(state.contract.is_none(), || "a baseline comes before store.adopted".into())?;
        require(held.is_none(), || format!("{object} has a baseline already"))?;
        // The log that a published run writes to is told by its kind alone. Looked for only where a
        // log was found, of which there is one: this is asked of every object of a baseline.
        if matches!(found, ObjectState::Document { .. } | ObjectState::Database { .. }) {
            return Ok(());
        }
        let log = state.objects.iter().find(|(_, held)| matches!(held, ObjectState::Log { .. }));
        return log.map_or(Ok(()), |(log, _)| {
            Err(Illegal::new(format!("{object} is a log, and a store has one: {log}")))
        });
    }
    if cause == Cause::Joined {
        require(state.open, || "objects join an open store only".into())?;
        require(held.is_none(), || format!("{object} is in the store's care already"))?;
        require(matches!(found, ObjectState::Document { .. }), || {
            format!("{object} is a {}, and only documents join", found.kind())
        })?;
        return require(state.is_idle(), || format!("{object} cannot join while a run is open"));
    }
    let Some(held) = held else {
        return Err(Illegal::new(format!("{object} was never adopted")));
    };
    require(held.kind() == found.kind(), || format!("{object} changed its kind"))?;
    let after_abandoning = cause == Cause::Abandoned;
    require(after_abandoning == state.unsettled.contains(object), || {
        format!("{object} is not what an abandoned run left")
    })?;
    let grows_only = match (held, found) {
        (ObjectState::Log { bytes: before, .. }, ObjectState::Log { bytes: after, .. }) => {
            cause == Cause::Abandoned || after >= before
        }
        _ => state.is_idle(),
    };
    require(grows_only, || format!("{object} cannot be observed so at this point"))
}

/// A database drifted if its structure, or the version that it has by it, is another one than the ledger has.
fn check_accepted(state: &StoreState, body: &DriftAccepted) -> Result<(), Illegal> {
    let DriftAccepted { object, state: found, version, .. } = body;
    state.check_database(object)?;
    require(state.is_idle(), || {
        format!("drift of {object} cannot be accepted while a run is open")
    })?;
    StoreState::check_version(state.open, version)?;
    let (Some(ObjectState::Database { schema: held, .. }), ObjectState::Database { schema, .. }) =
        (state.objects.get(object), found)
    else {
        return Err(Illegal::new(format!("{object} changed its kind")));
    };
    require(held != schema || state.version != *version, || {
        format!("{object} has the structure and the version that the ledger has")
    })
}
