//! Whether a head is signed by a key that could sign it.

use ed25519_dalek::VerifyingKey;
use ledger_format::head::SignedHead;
use projections::{KeyRing, KnownKey};

/// Checks the signature of the head that closes a batch against the keys that could sign it then.
pub(super) fn verify_signature(head: &SignedHead, keys: &KeyRing) -> Result<(), String> {
    verify_by(head, keys.get(&head.signer()))
}

/// Checks the signature of a head that somebody remembers: the key that signed it may have ended since.
pub(super) fn verify_remembered(head: &SignedHead, keys: &KeyRing) -> Result<(), String> {
    verify_by(head, keys.known(&head.signer()))
}

fn verify_by(head: &SignedHead, key: Option<&KnownKey>) -> Result<(), String> {
    let signer = head.signer();
    let key =
        key.ok_or_else(|| format!("key {} is not authorised to sign here", signer.short()))?;
    let key = VerifyingKey::from_bytes(&key.public_key.0)
        .map_err(|_| format!("key {} is no Ed25519 key", signer.short()))?;
    head.verify(&key).map_err(|error| error.to_string())
}
