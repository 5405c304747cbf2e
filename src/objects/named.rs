//! Bytes with their name, which is computed once: whoever has one on another thread need not have it computed again here.

use ledger_format::hash::ContentHash;

/// Bytes and the hash that names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    name: ContentHash,
    bytes: Vec<u8>,
}

impl Named {
    /// `bytes` under their name.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        Self { name: ContentHash::of(&bytes), bytes }
    }

    /// `bytes` whose name was computed before.
    pub(crate) const fn called(name: ContentHash, bytes: Vec<u8>) -> Self {
        Self { name, bytes }
    }

    /// Their name.
    #[must_use]
    pub const fn name(&self) -> ContentHash {
        self.name
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
