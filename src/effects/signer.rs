//! The signer: the one thing that holds a private key.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use ledger_format::hash::KeyId;

/// Signs heads.
pub trait Signer: Send + Sync {
    /// The public key.
    fn public_key(&self) -> VerifyingKey;

    /// An Ed25519 signature over `message` (RFC 8032).
    fn sign(&self, message: &[u8]) -> Signature;

    /// The id under which the key acts.
    fn key_id(&self) -> KeyId {
        KeyId::of(self.public_key().as_bytes())
    }
}

/// A private key in memory; wiped when dropped, never printed.
pub struct KeySigner(SigningKey);

impl KeySigner {
    /// Takes a key.
    pub const fn new(key: SigningKey) -> Self {
        Self(key)
    }
}

impl Signer for KeySigner {
    fn public_key(&self) -> VerifyingKey {
        self.0.verifying_key()
    }

    fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message)
    }
}

impl std::fmt::Debug for KeySigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySigner({})", self.key_id().short())
    }
}
