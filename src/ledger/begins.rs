//! What the first event of a ledger says beside the key that signs it: who may administer when that key is lost, and which ledger the
//! store had before. Knows no file.

use ledger_format::body::{Body, Continues, FixedBytes, LedgerCreated};

use super::{FoldError, Ledger};

/// What a ledger begins with beside its own key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Begins {
    /// A public key that may administer, and nothing else: its private part is kept away from everything.
    pub recovery: Option<[u8; 32]>,
    /// The ledger that this one goes on from.
    pub continues: Option<Continues>,
}

impl Begins {
    pub(super) fn body(&self, public_key: [u8; 32], nonce: [u8; 16]) -> LedgerCreated {
        LedgerCreated {
            recovery: self.recovery.map(FixedBytes),
            continues: self.continues.clone(),
            ..LedgerCreated::anew(public_key, nonce)
        }
    }
}

impl Ledger {
    /// What it began with.
    pub fn begins(&self) -> Result<Begins, FoldError> {
        Ok(match self.event(0)?.event.body {
            Body::LedgerCreated(LedgerCreated { recovery, continues, .. }) => {
                Begins { recovery: recovery.map(|key| key.0), continues }
            }
            _ => Begins::default(),
        })
    }
}
