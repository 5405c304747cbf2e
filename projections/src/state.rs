//! All projections together, with the chain they hang on: what a ledger knows at a cursor.

use std::collections::BTreeMap;

use ledger_format::body::Body;
use ledger_format::cbor::{self, Value};
use ledger_format::chain::Chain;
use ledger_format::hash::{CommitHash, EventId, LedgerId, NodeHash};
use ledger_format::tree::Frontier;
use serde::{Deserialize, Serialize};

use crate::{
    Audit, AuditTrail, CertificateBook, Certificates, Contracts, Entry, FrozenContracts, Illegal,
    KeyRing, Keys, Projection, RunBook, Runs, Store, StoreState,
};

/// Every projection's state over the first [`State::size`] events.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    chain: Chain,
    keys: KeyRing,
    contracts: FrozenContracts,
    store: StoreState,
    runs: RunBook,
    certificates: CertificateBook,
    audit: AuditTrail,
}

/// State digests by projection name.
pub type StateDigests = BTreeMap<&'static str, CommitHash>;

macro_rules! for_each_projection {
    ($state:expr, $use:ident) => {{
        let state = $state;
        $use!(Keys, state.keys);
        $use!(Contracts, state.contracts);
        $use!(Store, state.store);
        $use!(Runs, state.runs);
        $use!(Certificates, state.certificates);
        $use!(Audit, state.audit);
    }};
}

impl State {
    /// Names of all projections, in the order they are folded.
    pub const NAMES: [&str; 6] =
        [Keys::NAME, Contracts::NAME, Store::NAME, Runs::NAME, Certificates::NAME, Audit::NAME];

    /// The state before the first event.
    pub fn new(ledger: LedgerId) -> Self {
        Self {
            chain: Chain::new(ledger),
            keys: KeyRing::default(),
            contracts: FrozenContracts::default(),
            store: StoreState::default(),
            runs: RunBook::default(),
            certificates: CertificateBook::default(),
            audit: AuditTrail::default(),
        }
    }

    /// Whether `entry` may come next: it continues the chain and breaks no projection's rule.
    pub fn check(&self, entry: Entry<'_>) -> Result<(), Illegal> {
        self.chain.check(entry.event).map_err(|error| Illegal::new(error.to_string()))?;
        if let Body::StateRecorded(body) = &entry.event.body {
            self.check_recorded(body.size, body.digest)?;
        }
        macro_rules! check {
            ($projection:ident, $state:expr) => {
                $projection::check(&$state, entry)?
            };
        }
        for_each_projection!(self, check);
        Ok(())
    }

    /// Checks `entry` and takes it in. On an error nothing has changed.
    pub fn apply(&mut self, entry: Entry<'_>) -> Result<(), Illegal> {
        self.check(entry)?;
        self.chain.push(entry.event, entry.id).map_err(|error| Illegal::new(error.to_string()))?;
        macro_rules! advance {
            ($projection:ident, $state:expr) => {
                $projection::advance(&mut $state, entry)
            };
        }
        for_each_projection!(self, advance);
        Ok(())
    }

    /// The digest of each projection's state.
    pub fn digests(&self) -> StateDigests {
        let mut digests = StateDigests::new();
        macro_rules! digest {
            ($projection:ident, $state:expr) => {
                digests.insert($projection::NAME, $projection::digest(&$state))
            };
        }
        for_each_projection!(self, digest);
        digests
    }

    /// `CommitHash("projection_state", {projection name: state digest})` (SPEC §6.3).
    pub fn digest(&self) -> CommitHash {
        CommitHash::of("projection_state", &Value::Map(self.digests().into_iter().collect()))
    }

    /// The chain up to here.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Number of events folded.
    pub const fn size(&self) -> u64 {
        self.chain.size()
    }

    /// Number of entries that the state holds: about what its digest and a cache of it cost. Itself
    /// it costs next to nothing.
    pub fn entries(&self) -> u64 {
        let mut entries = 0;
        macro_rules! count {
            ($projection:ident, $state:expr) => {
                entries += $state.entries() as u64
            };
        }
        for_each_projection!(self, count);
        entries
    }

    /// Who may sign.
    pub const fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// Frozen contracts.
    pub const fn contracts(&self) -> &FrozenContracts {
        &self.contracts
    }

    /// The store.
    pub const fn store(&self) -> &StoreState {
        &self.store
    }

    /// Runs.
    pub const fn runs(&self) -> &RunBook {
        &self.runs
    }

    /// Certificates.
    pub const fn certificates(&self) -> &CertificateBook {
        &self.certificates
    }

    /// The audit trail.
    pub const fn audit(&self) -> &AuditTrail {
        &self.audit
    }

    /// One projection's state as a value, by name.
    pub fn value_of(&self, name: &str) -> Option<Value> {
        let mut found = None;
        macro_rules! find {
            ($projection:ident, $state:expr) => {
                if $projection::NAME == name {
                    found = cbor::to_value(&$state).ok();
                }
            };
        }
        for_each_projection!(self, find);
        found
    }

    /// The state as bytes for a cache. Good for nothing until [`State::from_cache`]'s result is
    /// compared with a digest that stands in a verified event.
    pub fn to_cache(&self) -> Vec<u8> {
        let cached = Cached {
            ledger: self.chain.ledger(),
            last: self.chain.last(),
            last_at: self.chain.last_at(),
            size: self.chain.size(),
            frontier: self.chain.frontier().nodes().to_vec(),
            keys: self.keys.clone(),
            contracts: self.contracts.clone(),
            store: self.store.clone(),
            runs: self.runs.clone(),
            certificates: self.certificates.clone(),
            audit: self.audit.clone(),
        };
        cbor::to_value(&cached).map(|value| value.encode()).unwrap_or_default()
    }

    /// Reads [`State::to_cache`]'s bytes; `None` for anything else. A cache is disposable: what does
    /// not read is as good as absent.
    pub fn from_cache(bytes: &[u8]) -> Option<Self> {
        let value = cbor::decode(bytes, cbor::EVENT_DEPTH_MAX).ok()?;
        let cached: Cached = cbor::from_value(&value).ok()?;
        let frontier = Frontier::from_nodes(cached.size, cached.frontier).ok()?;
        Some(Self {
            chain: Chain::resume(cached.ledger, cached.last, cached.last_at, frontier),
            keys: cached.keys,
            contracts: cached.contracts,
            store: cached.store,
            runs: cached.runs,
            certificates: cached.certificates,
            audit: cached.audit,
        })
    }

    fn check_recorded(&self, size: u64, digest: CommitHash) -> Result<(), Illegal> {
        if size != self.size() {
            let here = self.size();
            return Err(Illegal::new(format!("a digest over {size} events stands at {here}")));
        }
        let actual = self.digest();
        if digest == actual {
            Ok(())
        } else {
            Err(Illegal::new(format!("the state digest here is {actual}, not {digest}")))
        }
    }
}

/// `CommitHash("projection/<name>/<version>", state)`.
pub(crate) fn digest(name: &str, version: u64, state: &impl Serialize) -> CommitHash {
    // Every state is made of text, integers, booleans and bytes, all of which can be encoded.
    let state = cbor::to_bytes(state).unwrap_or_else(|_| Value::Null.encode());
    CommitHash::of_encoded(&format!("projection/{name}/{version}"), &state)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cached {
    ledger: LedgerId,
    last: EventId,
    last_at: u64,
    size: u64,
    frontier: Vec<NodeHash>,
    keys: KeyRing,
    contracts: FrozenContracts,
    store: StoreState,
    runs: RunBook,
    certificates: CertificateBook,
    audit: AuditTrail,
}
