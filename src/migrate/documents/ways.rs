//! The contracts that planned routes lead through, each made ready once.

use std::collections::BTreeMap;

use ledger_format::hash::CommitHash;

use super::super::error::MigrateError;
use super::plan::{NamedDocument, PlannedLinks, PlannedRoute};
use super::prepared::Prepared;

/// Routes and their contracts.
pub(super) struct Ways {
    pub(super) contracts: Vec<Prepared>,
    /// The place of each route's contract.
    pub(super) of_route: Vec<usize>,
    /// The version to go to, where it is not each kind's current one.
    pub(super) to: Option<String>,
}

impl Ways {
    /// Of `routes`; `prepare` makes a contract ready.
    pub(super) fn of(
        routes: &[PlannedRoute],
        mut prepare: impl FnMut(CommitHash) -> Result<Prepared, MigrateError>,
    ) -> Result<Self, MigrateError> {
        let mut contracts: Vec<Prepared> = Vec::new();
        let mut of_route = Vec::new();
        for route in routes {
            let make = || prepare(route.contract);
            of_route.push(place_of(&mut contracts, route.contract, make)?);
        }
        let goes_elsewhere = |(route, kind): (&PlannedRoute, &usize)| {
            let current = contracts.get(*kind).map(|prepared| &prepared.contract().current);
            (current != Some(&route.to)).then(|| route.to.clone())
        };
        let to = routes.iter().zip(&of_route).find_map(goes_elsewhere);
        Ok(Self { contracts, of_route, to })
    }

    /// Takes in the contracts by which documents name each other, and tells the place of the contract of each document that
    /// is named.
    pub(super) fn take_in<'a>(
        &mut self,
        links: &'a PlannedLinks,
        mut prepare: impl FnMut(CommitHash) -> Result<Prepared, MigrateError>,
    ) -> Result<BTreeMap<&'a str, usize>, MigrateError> {
        let mut places = Vec::new();
        for digest in &links.contracts {
            places.push(place_of(&mut self.contracts, *digest, || prepare(*digest))?);
        }
        let place = |named: &'a NamedDocument| {
            let place = usize::try_from(named.contract).ok().and_then(|at| places.get(at));
            let check = || format!("the plan has no contract of {}", named.id);
            let place = place.ok_or_else(|| MigrateError::Outcome { check: check() })?;
            Ok((named.id.as_str(), *place))
        };
        links.named.iter().map(place).collect()
    }

    /// The contract of a route.
    pub(super) fn kind(&self, route: u64) -> Option<usize> {
        self.of_route.get(usize::try_from(route).ok()?).copied()
    }
}

/// The place of the contract of that digest in a list; it is made and put there if it is not.
fn place_of(
    contracts: &mut Vec<Prepared>,
    digest: CommitHash,
    make: impl FnOnce() -> Result<Prepared, MigrateError>,
) -> Result<usize, MigrateError> {
    if let Some(known) = contracts.iter().position(|known| known.digest() == digest) {
        return Ok(known);
    }
    contracts.push(make()?);
    Ok(contracts.len() - 1)
}
