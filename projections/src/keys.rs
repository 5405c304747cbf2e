//! Who may sign. Knows public keys; knows no private one and verifies no signature.

use std::collections::BTreeMap;

use ledger_format::body::{Body, FixedBytes};
use ledger_format::hash::{KeyId, LedgerId};
use serde::{Deserialize, Serialize};

use crate::{Entry, Illegal, Projection, require};

/// The fold of who may sign.
pub struct Keys;

/// The keys that may sign the next batch, by key id in hex.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRing {
    keys: BTreeMap<String, AuthorisedKey>,
}

/// A key that may sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorisedKey {
    /// The Ed25519 public key.
    pub public_key: FixedBytes<32>,
}

impl KeyRing {
    /// The public key of `actor`, if it may sign.
    pub fn get(&self, actor: &KeyId) -> Option<&AuthorisedKey> {
        self.keys.get(&actor.to_string())
    }

    pub(crate) fn entries(&self) -> usize {
        self.keys.len()
    }

    /// Every key that may sign.
    pub fn iter(&self) -> impl Iterator<Item = &AuthorisedKey> {
        self.keys.values()
    }
}

impl Projection for Keys {
    const NAME: &'static str = "keys";
    const VERSION: u64 = 1;
    type State = KeyRing;

    fn check(state: &KeyRing, entry: Entry<'_>) -> Result<(), Illegal> {
        let event = entry.event;
        let Body::LedgerCreated(genesis) = &event.body else {
            require(!state.keys.is_empty(), || "the first event must be ledger.created".into())?;
            return require(state.get(&event.actor).is_some(), || {
                format!("key {} is not authorised to sign here", event.actor.short())
            });
        };
        require(event.seq == 0, || "ledger.created stands only at the beginning".into())?;
        require(event.actor == KeyId::of(&genesis.public_key.0), || {
            "ledger.created is signed by another key than it names".into()
        })?;
        require(event.ledger == LedgerId::of(&genesis.public_key.0, &genesis.nonce.0), || {
            "the ledger id does not follow from its key and nonce".into()
        })
    }

    fn advance(state: &mut KeyRing, entry: Entry<'_>) {
        if let Body::LedgerCreated(genesis) = &entry.event.body {
            let key = AuthorisedKey { public_key: genesis.public_key };
            state.keys.insert(entry.event.actor.to_string(), key);
        }
    }
}
