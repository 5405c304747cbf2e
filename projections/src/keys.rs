//! Who may sign what, and who agreed to a plan. Knows public keys; knows no private one, and of signatures only that by which
//! a new key shows that somebody holds it.

use std::collections::{BTreeMap, BTreeSet};

use ledger_format::body::{
    Body, FixedBytes, KeyAuthorized, KeyRevoked, KeyRotated, LedgerCreated, Purpose, Role, Roles,
    RunStarted, shows_possession, usable_key,
};
use ledger_format::event::Event;
use ledger_format::hash::{CommitHash, KeyId, LedgerId};
use serde::{Deserialize, Serialize};

use crate::{Entry, Illegal, Projection, require};

/// The fold of who may sign.
pub struct Keys;

/// The keys that may sign the next batch and those that may not any more, by key id in hex; and who agreed to which plan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRing {
    keys: BTreeMap<String, KnownKey>,
    approvals_required: u64,
    /// By plan id in hex, the keys in hex.
    approvals: BTreeMap<String, BTreeSet<String>>,
}

/// A key that may sign, or once might.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownKey {
    /// The Ed25519 public key.
    pub public_key: FixedBytes<32>,
    /// What it may do, or might.
    pub roles: Roles,
    /// The event that authorised it.
    pub since: u64,
    /// How it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// How a key ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// The event that ended it.
    pub at: u64,
    /// The key that took over, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<KeyId>,
    /// The first event that its owner may not have signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspect_since: Option<u64>,
}

impl KeyRing {
    /// The key of `actor`, if it may sign.
    pub fn get(&self, actor: &KeyId) -> Option<&KnownKey> {
        self.keys.get(&actor.to_string()).filter(|key| key.ended.is_none())
    }

    /// The key of `actor`, if it ever might sign.
    pub fn known(&self, actor: &KeyId) -> Option<&KnownKey> {
        self.keys.get(&actor.to_string())
    }

    /// Every key that may sign.
    pub fn iter(&self) -> impl Iterator<Item = &KnownKey> {
        self.keys.values().filter(|key| key.ended.is_none())
    }

    /// Every key that may sign or once might.
    pub fn all(&self) -> impl Iterator<Item = &KnownKey> {
        self.keys.values()
    }

    /// Whether `actor` may do what `role` says.
    pub fn may(&self, actor: &KeyId, role: Role) -> bool {
        self.get(actor).is_some_and(|key| key.roles.contains(role))
    }

    /// How many keys, other than the one that carries it out, must agree to a plan.
    pub const fn approvals_required(&self) -> u64 {
        self.approvals_required
    }

    /// The keys that agreed to a plan and may still do so.
    pub fn approvals(&self, plan: &CommitHash) -> impl Iterator<Item = KeyId> {
        let approved = self.approvals.get(&plan.to_string()).into_iter().flatten();
        let approved = approved.filter_map(|key| key.parse().ok());
        approved.filter(|key| self.may(key, Role::Approve))
    }

    /// How many of those agreed that count when `actor` carries the plan out: all but itself.
    pub fn approvals_by_others(&self, plan: &CommitHash, actor: &KeyId) -> u64 {
        self.approvals(plan).filter(|key| key != actor).count() as u64
    }

    pub(crate) fn entries(&self) -> usize {
        self.keys.len() + self.approvals.values().map(|keys| 1 + keys.len()).sum::<usize>()
    }

    fn check_new(&self, public_key: &FixedBytes<32>) -> Result<(), Illegal> {
        require(usable_key(&public_key.0).is_some(), || {
            "the new key is no Ed25519 key".to_owned()
        })?;
        let id = KeyId::of(&public_key.0);
        require(self.known(&id).is_none(), || format!("key {} was authorised before", id.short()))
    }

    fn check_authorised(&self, ledger: LedgerId, body: &KeyAuthorized) -> Result<(), Illegal> {
        self.check_new(&body.public_key)?;
        body.possession
            .as_ref()
            .map_or(Ok(()), |possession| check_possession(ledger, &body.public_key, possession))
    }

    fn check_rotated(&self, ledger: LedgerId, body: &KeyRotated) -> Result<(), Illegal> {
        self.check_new(&body.public_key)?;
        check_possession(ledger, &body.public_key, &body.possession)
    }

    fn check_revoked(&self, seq: u64, body: &KeyRevoked) -> Result<(), Illegal> {
        let short = body.key.short();
        let key = self
            .known(&body.key)
            .ok_or_else(|| Illegal::new(format!("key {short} may not sign here")))?;
        let administers = |key: &&KnownKey| key.roles.contains(Role::Administer);
        match &key.ended {
            None => {
                require(!administers(&key) || self.iter().filter(administers).count() > 1, || {
                    format!("key {short} is the last one that administers")
                })?;
            }
            // Of a key that ended, a rotated one too, it may come out later since when it was not its owner's alone.
            Some(ended) => {
                require(ended.suspect_since.is_none() && body.suspect_since.is_some(), || {
                    format!("key {short} may not sign here")
                })?;
            }
        }
        require(body.suspect_since.is_none_or(|since| since < seq), || {
            "a key is suspect since an event that lies ahead".to_owned()
        })
    }

    fn check_approved(&self, actor: &KeyId, plan: &CommitHash) -> Result<(), Illegal> {
        let before = self.approvals.get(&plan.to_string());
        require(!before.is_some_and(|keys| keys.contains(&actor.to_string())), || {
            format!("key {} agreed to plan {} before", actor.short(), plan.short())
        })
    }

    fn check_started(&self, actor: &KeyId, body: &RunStarted) -> Result<(), Illegal> {
        let (required, given) =
            (self.approvals_required, self.approvals_by_others(&body.plan, actor));
        require(body.purpose != Purpose::Migrate || given >= required, || {
            format!(
                "plan {} needs {required} approvals by others and has {given}",
                body.plan.short()
            )
        })
    }

    fn add(&mut self, public_key: FixedBytes<32>, roles: Roles, since: u64) {
        let key = KnownKey { public_key, roles, since, ended: None };
        self.keys.insert(KeyId::of(&public_key.0).to_string(), key);
    }

    fn end(&mut self, key: &KeyId, ended: Ended) {
        if let Some(key) = self.keys.get_mut(&key.to_string()) {
            key.ended = Some(ended);
        }
    }

    /// Ends a key, or says of one that ended since when it is suspect.
    fn revoke(&mut self, body: &KeyRevoked, at: u64) {
        let Some(key) = self.keys.get_mut(&body.key.to_string()) else { return };
        let ended = key.ended.get_or_insert(Ended { at, successor: None, suspect_since: None });
        ended.suspect_since = body.suspect_since;
    }

    /// What its owner agreed to stays agreed to, by the same owner.
    fn rotate(&mut self, old: &KeyId, body: &KeyRotated, at: u64) {
        let successor = KeyId::of(&body.public_key.0);
        let Some(roles) = self.get(old).map(|key| key.roles.clone()) else { return };
        self.add(body.public_key, roles, at);
        self.end(old, Ended { at, successor: Some(successor), suspect_since: None });
        for keys in self.approvals.values_mut() {
            if keys.remove(&old.to_string()) {
                keys.insert(successor.to_string());
            }
        }
    }
}

impl Projection for Keys {
    const NAME: &'static str = "keys";
    const VERSION: u64 = 2;
    type State = KeyRing;

    fn check(state: &KeyRing, entry: Entry<'_>) -> Result<(), Illegal> {
        let event = entry.event;
        if let Body::LedgerCreated(genesis) = &event.body {
            return check_genesis(event, genesis);
        }
        require(!state.keys.is_empty(), || "the first event must be ledger.created".into())?;
        let actor = &event.actor;
        let key = state.get(actor).ok_or_else(|| {
            Illegal::new(format!("key {} is not authorised to sign here", actor.short()))
        })?;
        require(signs(&key.roles, &event.body), || {
            format!("key {} may not sign {}", actor.short(), event.body.kind())
        })?;
        match &event.body {
            Body::KeyAuthorized(body) => state.check_authorised(event.ledger, body),
            Body::KeyRotated(body) => state.check_rotated(event.ledger, body),
            Body::KeyRevoked(body) => state.check_revoked(event.seq, body),
            Body::PlanApproved(body) => state.check_approved(actor, &body.plan),
            Body::RunStarted(body) => state.check_started(actor, body),
            _ => Ok(()),
        }
    }

    fn advance(state: &mut KeyRing, entry: Entry<'_>) {
        let (event, at) = (entry.event, entry.event.seq);
        match &event.body {
            Body::LedgerCreated(genesis) => {
                state.add(genesis.public_key, Roles::of_genesis(), at);
                if let Some(recovery) = genesis.recovery {
                    state.add(recovery, Roles::of_recovery(), at);
                }
            }
            Body::KeyAuthorized(body) => state.add(body.public_key, body.roles.clone(), at),
            Body::KeyRotated(body) => state.rotate(&event.actor, body, at),
            Body::KeyRevoked(body) => state.revoke(body, at),
            Body::ApprovalsSet(body) => state.approvals_required = body.count,
            Body::PlanApproved(body) => {
                let keys = state.approvals.entry(body.plan.to_string()).or_default();
                keys.insert(event.actor.to_string());
            }
            _ => {}
        }
    }
}

/// Which role signs what. A key that publishes only signs no event; a digest of the state closes anybody's batch.
fn signs(roles: &Roles, body: &Body) -> bool {
    let role = match body {
        Body::KeyAuthorized(_) | Body::KeyRevoked(_) | Body::ApprovalsSet(_) => Role::Administer,
        Body::PlanApproved(_) => Role::Approve,
        Body::KeyRotated(_) | Body::StateRecorded(_) => {
            return roles.iter().any(|role| role != Role::Publish);
        }
        _ => Role::Append,
    };
    roles.contains(role)
}

fn check_genesis(event: &Event, genesis: &LedgerCreated) -> Result<(), Illegal> {
    require(event.seq == 0, || "ledger.created stands only at the beginning".into())?;
    require(event.actor == KeyId::of(&genesis.public_key.0), || {
        "ledger.created is signed by another key than it names".into()
    })?;
    require(event.ledger == LedgerId::of(&genesis.public_key.0, &genesis.nonce.0), || {
        "the ledger id does not follow from its key and nonce".into()
    })?;
    require(usable_key(&genesis.public_key.0).is_some(), || {
        "the key that the ledger begins with is no Ed25519 key".into()
    })?;
    require(genesis.recovery != Some(genesis.public_key), || {
        "the key to recover with is the ledger's own".into()
    })?;
    let recovers = genesis.recovery.is_none_or(|key| usable_key(&key.0).is_some());
    require(recovers, || "the key to recover with is no Ed25519 key".into())?;
    require(genesis.continues.as_ref().is_none_or(|before| before.ledger != event.ledger), || {
        "a ledger does not go on from itself".into()
    })
}

fn check_possession(
    ledger: LedgerId,
    public_key: &FixedBytes<32>,
    possession: &FixedBytes<64>,
) -> Result<(), Illegal> {
    require(shows_possession(ledger, &public_key.0, &possession.0), || {
        "it is not shown that somebody holds the new key".into()
    })
}
