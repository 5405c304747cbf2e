//! Which contracts are frozen. Knows digests; knows no contract's text.

use std::collections::BTreeMap;

use ledger_format::body::Body;
use ledger_format::hash::{CommitHash, ContentHash};
use serde::{Deserialize, Serialize};

use crate::{Entry, Illegal, Projection, require};

/// The fold of frozen contracts.
pub struct Contracts;

/// Every contract that a run of this ledger has used, by name, in the order of use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenContracts {
    contracts: BTreeMap<String, Vec<FrozenContract>>,
}

/// One version of a contract, as frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenContract {
    /// The contract's own version.
    pub contract_version: String,
    /// Digest of what it means.
    pub digest: CommitHash,
    /// Its bytes.
    pub bundle: ContentHash,
}

impl FrozenContracts {
    /// The frozen contract of that digest.
    pub fn by_digest(&self, digest: &CommitHash) -> Option<(&str, &FrozenContract)> {
        self.contracts.iter().find_map(|(name, versions)| {
            let frozen = versions.iter().find(|frozen| frozen.digest == *digest)?;
            Some((name.as_str(), frozen))
        })
    }

    /// What `name` at `contract_version` was frozen as.
    pub fn by_identity(&self, name: &str, contract_version: &str) -> Option<&FrozenContract> {
        let versions = self.contracts.get(name)?;
        versions.iter().find(|frozen| frozen.contract_version == contract_version)
    }

    /// What `name` was frozen as when it was first used.
    pub fn first(&self, name: &str) -> Option<&FrozenContract> {
        self.contracts.get(name)?.first()
    }

    /// What `name` was frozen as last.
    pub fn last(&self, name: &str) -> Option<&FrozenContract> {
        self.contracts.get(name)?.last()
    }

    /// The names of all contracts that are frozen.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.contracts.keys().map(String::as_str)
    }

    pub(crate) fn entries(&self) -> usize {
        self.contracts.values().map(Vec::len).sum()
    }

    fn check_frozen(&self, contract: &CommitHash, whose: &str) -> Result<(), Illegal> {
        require(self.by_digest(contract).is_some(), || {
            format!("the {whose}'s contract {} is not frozen", contract.short())
        })
    }
}

impl Projection for Contracts {
    const NAME: &'static str = "contracts";
    const VERSION: u64 = 1;
    type State = FrozenContracts;

    fn check(state: &FrozenContracts, entry: Entry<'_>) -> Result<(), Illegal> {
        match &entry.event.body {
            Body::ContractFrozen(body) => {
                let held = state.by_identity(&body.contract, &body.contract_version);
                require(held.is_none(), || {
                    format!(
                        "contract {} {} is frozen already",
                        body.contract, body.contract_version
                    )
                })
            }
            Body::RunStarted(body) => {
                body.contract.map_or(Ok(()), |contract| state.check_frozen(&contract, "run"))
            }
            Body::DriftAccepted(body) => state.check_frozen(&body.contract, "accepted drift"),
            Body::RunRoute(body) => state.check_frozen(&body.contract, "route"),
            _ => Ok(()),
        }
    }

    fn advance(state: &mut FrozenContracts, entry: Entry<'_>) {
        if let Body::ContractFrozen(body) = &entry.event.body {
            let frozen = FrozenContract {
                contract_version: body.contract_version.clone(),
                digest: body.digest,
                bundle: body.bundle,
            };
            state.contracts.entry(body.contract.clone()).or_default().push(frozen);
        }
    }
}
