//! Computing one hash of one object.

use ledger_format::hash::{CommitHash, ContentHash};

use super::{Hash, encoding};
use crate::contract::{Encoding, Preimage};
use crate::document::canonical::{self, NoForm};
use crate::document::{Pointer, Value};

/// The hash of an object, of its bytes or of its value without what is `omitted`. `None` only where the object is to state
/// it itself and states none.
pub(super) fn hash(
    preimage: &Preimage,
    omitted: &[Pointer],
    bytes: &mut dyn FnMut(&Value) -> Vec<u8>,
    value: &Value,
) -> Result<Option<Hash>, NoForm> {
    Ok(Some(match preimage {
        Preimage::FileBytes => sha256(&bytes(value)),
        Preimage::ObjectDigest => sha256(&canonical::cbor(value, omitted)?.encode()),
        Preimage::JcsSha256 => sha256(canonical::json(value, omitted)?.as_bytes()),
        Preimage::Commit(tag) => *CommitHash::of(tag, &canonical::cbor(value, omitted)?).as_bytes(),
        Preimage::Stated(place) => return Ok(place.get(value).and_then(stated)),
    }))
}

/// A hash that an object states of itself, in whatever way it is written.
fn stated(value: &Value) -> Option<Hash> {
    [Encoding::Hex, Encoding::Sha256Hex, Encoding::Bytes, Encoding::Base64]
        .iter()
        .find_map(|encoding| encoding::read(*encoding, value))
}

fn sha256(bytes: &[u8]) -> Hash {
    *ContentHash::of(bytes).as_bytes()
}
