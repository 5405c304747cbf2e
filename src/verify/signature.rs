//! Whether a head is signed by a key that could sign it.

use ed25519_dalek::VerifyingKey;
use ledger_format::head::SignedHead;
use projections::{KeyRing, KnownKey};

use crate::ledger::Unsigned;

/// Checks the signature of the head that closes a batch against the keys that could sign it then.
pub(super) fn verify_signature(head: &SignedHead, keys: &KeyRing) -> Result<(), Unsigned> {
    verify_by(head, keys.get(&head.signer()))
}

/// Checks the signature of a head that somebody remembers: the key that signed it may have ended since. That it signed the last event
/// under the head too shows only where the events lead there.
pub(super) fn verify_remembered(head: &SignedHead, keys: &KeyRing) -> Result<(), Unsigned> {
    verify_by(head, keys.known(&head.signer()))
}

fn verify_by(head: &SignedHead, key: Option<&KnownKey>) -> Result<(), Unsigned> {
    let signer = head.signer();
    let key = key.ok_or(Unsigned::Unknown(signer))?;
    let key = VerifyingKey::from_bytes(&key.public_key.0)
        .map_err(|_| Unsigned::Bad(format!("key {} is no Ed25519 key", signer.short())))?;
    head.verify(&key).map_err(|error| Unsigned::Bad(error.to_string()))
}
