//! How a hash is written in a document.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger_format::hash::{hex, unhex};

use super::Hash;
use crate::contract::Encoding;
use crate::document::Value;

/// The hash that `value` is, written in this way and no other.
pub(super) fn read(encoding: Encoding, value: &Value) -> Option<Hash> {
    let bytes = match encoding {
        Encoding::Hex => unhex(value.as_text()?)?,
        Encoding::Sha256Hex => unhex(value.as_text()?.strip_prefix("sha256:")?)?,
        Encoding::Base64 => STANDARD.decode(value.as_text()?).ok()?,
        Encoding::Bytes => match value {
            Value::Bytes(bytes) => bytes.to_vec(),
            _ => return None,
        },
    };
    bytes.try_into().ok()
}

/// `hash`, written in this way.
pub(super) fn write(encoding: Encoding, hash: &Hash) -> Value {
    match encoding {
        Encoding::Hex => Value::text(hex(hash)),
        Encoding::Sha256Hex => Value::text(format!("sha256:{}", hex(hash))),
        Encoding::Bytes => Value::Bytes(hash.as_slice().into()),
        Encoding::Base64 => Value::text(STANDARD.encode(hash)),
    }
}

/// What must stand where a hash is written in this way.
pub(super) const fn expected(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Hex => "64 lower-case hexadecimal digits",
        Encoding::Sha256Hex => "sha256: and 64 lower-case hexadecimal digits",
        Encoding::Bytes => "32 bytes",
        Encoding::Base64 => "32 bytes in base64",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_was_written_and_in_no_other_way() {
        let all = [Encoding::Hex, Encoding::Sha256Hex, Encoding::Bytes, Encoding::Base64];
        let hash: Hash = std::array::from_fn(|place| u8::try_from(place * 8).unwrap());
        for (written, other) in all.iter().flat_map(|one| all.iter().map(move |two| (one, two))) {
            let found = read(*other, &write(*written, &hash));
            assert_eq!(found, (written == other).then_some(hash), "{written:?} as {other:?}");
        }
        for bad in ["", "00", &"AB".repeat(32), &"0".repeat(63), &"0".repeat(66)] {
            assert_eq!(read(Encoding::Hex, &Value::text(bad)), None, "{bad}");
        }
        assert_eq!(read(Encoding::Bytes, &Value::Bytes([0; 31].into())), None);
        assert_eq!(read(Encoding::Base64, &Value::text("AAAA")), None);
    }
}
