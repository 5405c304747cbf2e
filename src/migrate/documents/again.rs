//! Working on the documents of a finished run once more: sources, contracts, policy and parameters are those that the
//! ledger kept. Looks at no live document.

use std::collections::BTreeMap;

use ledger_format::body::{ObjectMigrated, ObjectState};
use ledger_format::hash::{CommitHash, ContentHash};

use super::super::error::MigrateError;
use super::super::stage::frozen_contract;
use super::collection::content_of;
use super::former::{Former, recorded};
use super::plan::{Bound, NamedDocument, PlannedRoute, bound};
use super::prepared::{Outside, Prepared};
use super::ways::Ways;
use super::work::{Done, Kinds, links_of};
use crate::ledger::Ledger;
use crate::objects::Objects;
use crate::target::documents::Found;

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
    /// Whether external programs may run.
    pub allow_programs: bool,
}

/// Works on every document of `run` once more, and says how each came out.
pub(in crate::migrate) fn again(
    ledger: &Ledger,
    objects: &dyn Objects,
    run: &Finished<'_>,
) -> Result<BTreeMap<String, Again>, MigrateError> {
    let Bound { policy, routes, links: bound, .. } = bound(objects, run.plan)?;
    let allow_programs = policy.allow_programs && run.allow_programs;
    let outside = Outside { parameters: policy.parameters(), allow_programs };
    let prepare = |digest| {
        let frozen = frozen_contract(ledger, objects, digest)?;
        let outside = outside.of_contract(&frozen);
        Ok(Prepared::of(frozen, &outside)?)
    };
    let mut ways = Ways::of(&routes, prepare)?;
    let mut ids = match &bound {
        Some(bound) => ways.take_in(bound, prepare)?,
        None => BTreeMap::new(),
    };
    let links = links_of(&ways.contracts)?;
    let (linked, former) = (bound.is_some(), &Former::default());
    let (contracts, to) = (&ways.contracts, ways.to.as_deref());
    let kinds = Kinds { contracts, links: &links, to, linked, former };
    let mut outcomes = BTreeMap::new();
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
        ids.insert(id.as_str(), kind);
    }
    let some_left_out = !outcomes.is_empty();
    let named = bound.iter().flat_map(|bound| &bound.named);
    let named = named.map(|named| (named.id.as_str(), named)).collect();
    let some_left_out = some_left_out && linked;
    let whole = Whole { objects, run, named, kinds: &kinds, some_left_out };
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

struct Whole<'a> {
    objects: &'a dyn Objects,
    run: &'a Finished<'a>,
    /// Documents that migrated ones name.
    named: BTreeMap<&'a str, &'a NamedDocument>,
    kinds: &'a Kinds<'a>,
    some_left_out: bool,
}

impl Whole<'_> {
    fn compare(
        &self,
        ids: &BTreeMap<&str, usize>,
        outcomes: &mut BTreeMap<String, Again>,
    ) -> Result<(), MigrateError> {
        let mut portion = BTreeMap::new();
        let mut sources = BTreeMap::new();
        let mut bytes = 0;
        for (id, kind) in ids {
            let Some(source) = self.source(id)? else { continue };
            bytes += source.bytes.len() as u64;
            portion.insert(*id, *kind);
            sources.insert((*id).to_owned(), source);
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
        ids: &BTreeMap<&str, usize>,
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
        let (content, mode) = match (migrated, self.named.get(id)) {
            (Some(ObjectState::Document { content, mode, .. }), _) => (content, *mode),
            (None, Some(named)) => (&named.source, named.mode),
            _ => return Ok(None),
        };
        let (bytes, content) = (self.objects.get(content)?, *content);
        Ok(Some(Found { bytes, content, mode, names: 1 }))
    }

    fn outcome(&self, done: &Done, body: &ObjectMigrated) -> Again {
        let evaluation = &done.evaluation;
        match &evaluation.result {
            Some(found) => {
                let target = Some(ContentHash::of(&found.bytes));
                let found = (target, evaluation.loss_hash(), recorded(&done.renamed));
                if found == (content_of(&body.target), body.loss, body.renamed.clone()) {
                    Again::Same
                } else if self.some_left_out {
                    let reason = "a document that it may name runs an external program";
                    Again::Not { reason: reason.to_owned() }
                } else {
                    Again::Differs
                }
            }
            None => Again::Differs,
        }
    }
}
