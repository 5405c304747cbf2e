//! Routes of a run: the ways that its objects take through their contracts. Knows what each is made
//! of; knows not who takes it.

use ledger_format::body::{ROUTE_EDGES_MAX, RunRoute};
use ledger_format::hash::CommitHash;
use serde::{Deserialize, Serialize};

use crate::{Illegal, require};

/// One way through a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Digest of the contract it leads through.
    pub contract: CommitHash,
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
    /// Digests of its edges in the order they are walked.
    pub edges: Vec<CommitHash>,
}

/// The routes of one run by number, from 0.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// The route of that number.
    pub fn get(&self, number: u64) -> Option<&Route> {
        self.0.get(usize::try_from(number).ok()?)
    }

    /// Every route, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter()
    }

    /// Number of routes.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in the next route, or the next stretch of the last one.
    pub fn push(&mut self, body: &RunRoute) {
        if body.route < self.0.len() as u64
            && let Some(last) = self.0.last_mut()
        {
            last.edges.extend_from_slice(&body.edges);
            return;
        }
        self.0.push(Route {
            contract: body.contract,
            from: body.from.clone(),
            to: body.to.clone(),
            edges: body.edges.clone(),
        });
    }

    /// Whether `body` may come next.
    pub(crate) fn check(&self, body: &RunRoute) -> Result<(), Illegal> {
        require(body.edges.len() <= ROUTE_EDGES_MAX, || {
            format!("a route's event has {} edges, at most {ROUTE_EDGES_MAX}", body.edges.len())
        })?;
        let known = self.0.len() as u64;
        if body.route == known {
            return Ok(());
        }
        let goes_on = body.route.checked_add(1) == Some(known);
        let last = self.0.last().filter(|_| goes_on);
        let last = last
            .ok_or_else(|| Illegal::new(format!("route {known} comes next, not {}", body.route)))?;
        let same = (last.contract, &last.from, &last.to) == (body.contract, &body.from, &body.to);
        require(same, || format!("route {} goes on with another contract or version", body.route))
    }
}
