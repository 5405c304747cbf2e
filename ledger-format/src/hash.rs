//! The hash classes of the format. Each class is a type of its own, so that a hash of one class can
//! never be passed where another is meant. Knows SHA-256 and hex; knows no event and no tree.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::cbor::{self, Value};

/// Length of every hash of the format, in bytes (SHA-256).
pub const HASH_BYTES: usize = 32;

/// A text that is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 lower-case hexadecimal digits, found {found:?}")]
pub struct NotAHash {
    /// The text as given.
    pub found: String,
}

macro_rules! hash_class {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; HASH_BYTES]);

        impl $name {
            /// Takes bytes that are already a hash of this class.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
                &self.0
            }

            /// The first 12 hexadecimal digits, for people to read.
            #[must_use]
            pub fn short(&self) -> String {
                hex(&self.0).chars().take(12).collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = NotAHash;
            fn from_str(text: &str) -> Result<Self, NotAHash> {
                unhex(text)
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Self)
                    .ok_or_else(|| NotAHash { found: text.to_owned() })
            }
        }

        impl From<$name> for Value {
            fn from(hash: $name) -> Value {
                Value::Bytes(hash.0.to_vec())
            }
        }

        /// Hex text in human-readable formats (JSON), 32 bytes in CBOR.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.serialize_str(&hex(&self.0))
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    deserializer.deserialize_bytes(ThirtyTwo).map(Self)
                }
            }
        }
    };
}

hash_class! {
    /// SHA-256 of an object's bytes as they are: the name of stored content.
    ContentHash
}
hash_class! {
    /// SHA-256 of `CBOR([tag, value])`: the hash of one of our structured values (SPEC §3).
    CommitHash
}
hash_class! {
    /// The id of an event: its RFC 6962 leaf hash, `SHA-256(0x00 ‖ event bytes)` (SPEC §5).
    EventId
}
hash_class! {
    /// A node of the Merkle tree over all events, the root among them (RFC 6962 §2.1).
    NodeHash
}
hash_class! {
    /// The id of a ledger: `CommitHash("ledger_id", [genesis public key, nonce])` (SPEC §5.2).
    LedgerId
}
hash_class! {
    /// Who signed: SHA-256 of an Ed25519 public key (SPEC §5).
    KeyId
}

impl ContentHash {
    /// The name of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha256(&[bytes]))
    }
}

impl CommitHash {
    /// Hashes `value` under `tag`. The array around them has exactly two elements, so no value can
    /// pose as another under a different tag.
    #[must_use]
    pub fn of(tag: &str, value: &Value) -> Self {
        Self(sha256(&[&commit_preimage(tag, value)]))
    }

    /// The same for a value whose canonical bytes are at hand.
    #[must_use]
    pub fn of_encoded(tag: &str, value: &[u8]) -> Self {
        let mut head = Vec::with_capacity(tag.len() + 8);
        cbor::encode_array_header(2, &mut head);
        cbor::encode_text(tag, &mut head);
        Self(sha256(&[&head, value]))
    }
}

impl EventId {
    /// `prev` of the first event: 32 zero bytes.
    pub const GENESIS: Self = Self([0; HASH_BYTES]);

    /// The id of the event stored as `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha256(&[&[0x00], bytes]))
    }
}

impl NodeHash {
    /// The tree's leaf for an event is the event's id.
    #[must_use]
    pub const fn leaf(id: EventId) -> Self {
        Self(id.0)
    }

    /// `SHA-256(0x01 ‖ left ‖ right)` (RFC 6962 §2.1).
    #[must_use]
    pub fn inner(left: &Self, right: &Self) -> Self {
        Self(sha256(&[&[0x01], &left.0, &right.0]))
    }

    /// The root of the empty tree: SHA-256 of nothing.
    #[must_use]
    pub fn empty_root() -> Self {
        Self(sha256(&[]))
    }
}

impl LedgerId {
    /// Binds the ledger to the key that created it and to 16 random bytes, so that a history cannot
    /// be made again under the same id with another key.
    #[must_use]
    pub fn of(genesis_public_key: &[u8; 32], nonce: &[u8; 16]) -> Self {
        let value = Value::Array(vec![
            Value::Bytes(genesis_public_key.to_vec()),
            Value::Bytes(nonce.to_vec()),
        ]);
        Self(*CommitHash::of("ledger_id", &value).as_bytes())
    }
}

impl KeyId {
    /// The id of an Ed25519 public key.
    #[must_use]
    pub fn of(public_key: &[u8; 32]) -> Self {
        Self(sha256(&[public_key]))
    }
}

/// The exact bytes a [`CommitHash`] hashes: `CBOR([tag, value])`. Stored as an object, these bytes
/// have the commit hash's 32 bytes as their [`ContentHash`].
#[must_use]
pub fn commit_preimage(tag: &str, value: &Value) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    cbor::encode_array_header(2, &mut bytes);
    cbor::encode_text(tag, &mut bytes);
    cbor::encode_into(value, &mut bytes);
    bytes
}

/// Lower-case hexadecimal digits of `bytes`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble };
    let mut text = vec![0; 2 * bytes.len()];
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 0x0f)];
    }
    // Digits are ASCII.
    String::from_utf8(text).unwrap_or_default()
}

/// The bytes of lower-case hexadecimal digits; `None` for anything else, upper case included.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

fn sha256(parts: &[&[u8]]) -> [u8; HASH_BYTES] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Reads exactly 32 bytes from a binary serde format.
struct ThirtyTwo;

impl serde::de::Visitor<'_> for ThirtyTwo {
    type Value = [u8; HASH_BYTES];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("32 bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_both_ways_and_refuses_what_is_not_lower_case_hex() {
        assert_eq!(unhex(&hex(&[0, 1, 0xab, 0xff])), Some(vec![0, 1, 0xab, 0xff]));
        for bad in ["0", "0G", "AB", "é0"] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_preimage_stored_as_content_has_the_commit_hash_as_its_name() {
        let value = Value::from(7_u64);
        let stored = ContentHash::of(&commit_preimage("x", &value));
        assert_eq!(stored.as_bytes(), CommitHash::of("x", &value).as_bytes());
    }
}
