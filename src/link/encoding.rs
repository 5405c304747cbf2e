//! How a hash is written in a document.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger_format::hash::{hex, unhex};
use serde::{Deserialize, Serialize};

use super::Hash;
use crate::document::Value;

/// How a hash is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Encoding {
    /// 64 lower-case hexadecimal digits.
    #[default]
    #[serde(rename = "hex")]
    Hex,
    /// `sha256:` and 64 lower-case hexadecimal digits.
    #[serde(rename = "sha256-hex")]
    Sha256Hex,
    /// 32 bytes (CBOR).
    #[serde(rename = "bytes")]
    Bytes,
    /// Base64 in the standard alphabet, with padding (RFC 4648, section 4).
    #[serde(rename = "base64")]
    Base64,
}

impl Encoding {
    /// The hash that `value` is, written in this way and no other.
    pub fn read(self, value: &Value) -> Option<Hash> {
        let bytes = match self {
            Self::Hex => unhex(value.as_text()?)?,
            Self::Sha256Hex => unhex(value.as_text()?.strip_prefix("sha256:")?)?,
            Self::Base64 => STANDARD.decode(value.as_text()?).ok()?,
            Self::Bytes => match value {
                Value::Bytes(bytes) => bytes.to_vec(),
                _ => return None,
            },
        };
        bytes.try_into().ok()
    }

    /// `hash`, written in this way.
    pub fn write(self, hash: &Hash) -> Value {
        match self {
            Self::Hex => Value::text(hex(hash)),
            Self::Sha256Hex => Value::text(format!("sha256:{}", hex(hash))),
            Self::Bytes => Value::Bytes(hash.as_slice().into()),
            Self::Base64 => Value::text(STANDARD.encode(hash)),
        }
    }

    /// What must stand where a hash is written in this way.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Hex => "64 lower-case hexadecimal digits",
            Self::Sha256Hex => "sha256: and 64 lower-case hexadecimal digits",
            Self::Bytes => "32 bytes",
            Self::Base64 => "32 bytes in base64",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_was_written_and_in_no_other_way() {
        let all = [Encoding::Hex, Encoding::Sha256Hex, Encoding::Bytes, Encoding::Base64];
        let hash: Hash = std::array::from_fn(|place| u8::try_from(place * 8).unwrap());
        for (written, read) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other)))
        {
            let found = read.read(&written.write(&hash));
            assert_eq!(found, (written == read).then_some(hash), "{written:?} as {read:?}");
        }
        for bad in ["", "00", &"AB".repeat(32), &"0".repeat(63), &"0".repeat(66)] {
            assert_eq!(Encoding::Hex.read(&Value::text(bad)), None, "{bad}");
        }
        assert_eq!(Encoding::Bytes.read(&Value::Bytes([0; 31].into())), None);
        assert_eq!(Encoding::Base64.read(&Value::text("AAAA")), None);
    }
}
