//! Working on the documents of a finished run once more: sources, contracts, policy and parameters are those that the
//! ledger kept. Looks at no live document.

use std::collections::BTreeMap;

use ledger_format::body::{ObjectMigrated, ObjectState};
use ledger_format::hash::{CommitHash, ContentHash};

use super::super::error::MigrateError;
use super::super::stage::frozen_contract;
use super::collection::content_of;
use super::plan::{Bound, PlannedRoute, bound};
use super::prepared::{Outside, Prepared};
use super::refusal::Refusal;
use super::ways::Ways;
use super::work::{Done, Kinds, links_of};
use crate::diagnostic::{LINK_DANGLING, LINK_STALE};
use crate::ledger::Ledger;
use crate::objects::Objects;
use crate::target::documents::{self as target, Found};

/// Documents whose sources are held at a time, where none names another.
const PORTION: usize = 512;

/// Bytes of sources that are held at a time, where none names another; one document may be larger.
const HELD_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// How a document came out when it was worked on once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::migrate) enum Again {
    /// As recorded, hash for hash.
    Same,
    /// Otherwise.
    Differs,
    /// It was not worked on.
    Not {
        /// Why.
        reason: String,
    },
}

/// A finished run on documents.
pub(in crate::migrate) struct Finished<'a> {
    /// Its plan.
    pub plan: CommitHash,
    /// What it recorded of each document.
    pub migrated: &'a BTreeMap<String, ObjectMigrated>,
    /// What the ledger had of every document when it began.
    pub held: &'a BTreeMap<String, ObjectState>,
    /// Whether external programs may run.
    pub allow_programs: bool,
}

/// Works on every document of `run` once more, and says how each came out.
pub(in crate::migrate) fn again(
    ledger: &Ledger,
    objects: &dyn Objects,
    run: &Finished<'_>,
) -> Result<BTreeMap<String, Again>, MigrateError> {
    let Bound { policy, routes, .. } = bound(objects, run.plan)?;
    let allow_programs = policy.allow_programs && run.allow_programs;
    let outside = Outside { parameters: policy.parameters(), allow_programs };
    let ways = Ways::of(&routes, |digest| {
        let frozen = frozen_contract(ledger, objects, digest)?;
        let outside = outside.of_contract(&frozen);
        Ok(Prepared::of(frozen, &outside)?)
    })?;
    let links = links_of(&ways.contracts)?;
    let linked = ways.contracts.iter().any(Prepared::names_others);
    let kinds = Kinds { contracts: &ways.contracts, links: &links, to: ways.to.as_deref(), linked };
    let mut outcomes = BTreeMap::new();
    let mut ids = BTreeMap::new();
    for (id, body) in run.migrated {
        let route = body.route.unwrap_or(u64::MAX);
        let number = usize::try_from(route).ok();
        let planned = number.and_then(|number| routes.get(number));
        let (Some(kind), Some(planned)) = (ways.kind(route), planned) else {
            return Err(MigrateError::Outcome { check: format!("the plan has no route of {id}") });
        };
        let runs_program = ways.contracts.get(kind).is_some_and(|of| runs_program(of, planned));
        if runs_program && !allow_programs {
            let reason = "its steps run an external program, which was not allowed".to_owned();
            outcomes.insert(id.clone(), Again::Not { reason });
            // Others may have its new hash in them.
            if !linked {
                continue;
            }
        }
        ids.insert(id.clone(), kind);
    }
    let some_left_out = !outcomes.is_empty();
    if linked {
        enter_others(&ways.contracts, run.held, &mut ids)?;
    }
    let whole = Whole { objects, run, kinds: &kinds, some_left_out: some_left_out && linked };
    whole.compare(&ids, &mut outcomes)?;
    Ok(outcomes)
}

/// Whether what documents on that route go through runs external programs.
fn runs_program(prepared: &Prepared, route: &PlannedRoute) -> bool {
    let contract = prepared.contract();
    let digests = contract.edges.iter().map(|edge| (contract.edge_digest(edge), edge));
    let mut walked = digests.filter(|(digest, _)| route.edges.contains(digest));
    let steps =
        |steps: &[crate::contract::Step]| steps.iter().any(crate::contract::Step::runs_program);
    let edges =
        walked.any(|(_, edge)| steps(&edge.steps) || edge.inverse.as_deref().is_some_and(steps));
    edges || route.to == contract.current && steps(&contract.normalize)
}

/// Adds the documents in the ledger's care that the run did not migrate: those that it did may name them.
fn enter_others(
    contracts: &[Prepared],
    held: &BTreeMap<String, ObjectState>,
    ids: &mut BTreeMap<String, usize>,
) -> Result<(), MigrateError> {
    let globs = contracts.iter().map(Prepared::contract);
    let globs = globs.map(|contract| (contract.contract.as_str(), contract.files.as_slice()));
    let kinds = target::Kinds::of(globs)?;
    for id in held.keys().filter(|id| !ids.contains_key(*id)).cloned().collect::<Vec<_>>() {
        if let Some(kind) = kinds.of_file(&id)? {
            ids.insert(id, kind);
        }
    }
    Ok(())
}

struct Whole<'a> {
    objects: &'a dyn Objects,
    run: &'a Finished<'a>,
    kinds: &'a Kinds<'a>,
    some_left_out: bool,
}

impl Whole<'_> {
    fn compare(
        &self,
        ids: &BTreeMap<String, usize>,
        outcomes: &mut BTreeMap<String, Again>,
    ) -> Result<(), MigrateError> {
        let mut portion = BTreeMap::new();
        let mut sources = BTreeMap::new();
        let mut bytes = 0;
        for (id, kind) in ids {
            let Some(source) = self.source(id)? else { continue };
            bytes += source.bytes.len() as u64;
            portion.insert(id.clone(), *kind);
            sources.insert(id.clone(), source);
            let full = portion.len() >= PORTION || bytes >= HELD_BYTES_MAX;
            if full && !self.kinds.linked {
                self.portion(
                    &std::mem::take(&mut portion),
                    &std::mem::take(&mut sources),
                    outcomes,
                )?;
                bytes = 0;
            }
        }
        self.portion(&portion, &sources, outcomes)
    }

    fn portion(
        &self,
        ids: &BTreeMap<String, usize>,
        sources: &BTreeMap<String, Found>,
        outcomes: &mut BTreeMap<String, Again>,
    ) -> Result<(), MigrateError> {
        let load = |id: &str| {
            let found = sources.get(id).cloned();
            found.ok_or_else(|| MigrateError::Gone { object: id.to_owned() })
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        self.kinds.work(ids, threads, &load, &|done| done, &mut |done| {
            if let Some(body) = self.run.migrated.get(&done.id)
                && !outcomes.contains_key(&done.id)
            {
                outcomes.insert(done.id.clone(), self.outcome(&done, body));
            }
            Ok(())
        })
    }

    /// What a document was when the run began.
    fn source(&self, id: &str) -> Result<Option<Found>, MigrateError> {
        let migrated = self.run.migrated.get(id).map(|body| &body.source);
        let state = migrated.or_else(|| self.run.held.get(id));
        let Some(ObjectState::Document { content, mode, .. }) = state else { return Ok(None) };
        Ok(Some(Found { bytes: self.objects.get(content)?, mode: *mode }))
    }

    fn outcome(&self, done: &Done, body: &ObjectMigrated) -> Again {
        let evaluation = &done.evaluation;
        match &evaluation.result {
            Some(found) => {
                let target = Some(ContentHash::of(&found.bytes));
                if target == content_of(&body.target) && evaluation.loss_hash() == body.loss {
                    Again::Same
                } else if self.some_left_out {
                    let reason = "a document that it may name runs an external program";
                    Again::Not { reason: reason.to_owned() }
                } else {
                    Again::Differs
                }
            }
            None => match evaluation.refusals.iter().find(|refusal| is_about_others(refusal)) {
                Some(refusal) => Again::Not {
                    reason: format!("the ledger does not have what it names: {}", refusal.message),
                },
                None => Again::Differs,
            },
        }
    }
}

/// Whether it is not for this document but for another, which the ledger does not have as it was then: what a run did not
/// migrate it did not record either.
fn is_about_others(refusal: &Refusal) -> bool {
    [&LINK_DANGLING, &LINK_STALE].contains(&refusal.code)
}
