//! Whether a head is signed by a key that could sign it.

use ed25519_dalek::VerifyingKey;
use ledger_format::head::SignedHead;
use projections::KeyRing;

/// Checks a head's signature against the keys that could sign it.
pub(super) fn verify_signature(head: &SignedHead, keys: &KeyRing) -> Result<(), String> {
    let signer = head.signer();
    let key = keys.get(&signer);
    let key =
        key.ok_or_else(|| format!("key {} is not authorised to sign here", signer.short()))?;
    let key = VerifyingKey::from_bytes(&key.public_key.0)
        .map_err(|_| format!("key {} is no Ed25519 key", signer.short()))?;
    head.verify(&key).map_err(|error| error.to_string())
}
