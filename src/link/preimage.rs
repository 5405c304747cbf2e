//! Computing one hash of one object.

use ledger_format::cbor::Value as Cbor;
use ledger_format::hash::ContentHash;

use super::{Hash, LinkError, encoding};
use crate::contract::{Encoding, Preimage};
use crate::document::canonical::{self, NoForm};
use crate::document::{Pointer, Value, WriteError};

/// Gives the bytes of a value as they stand in its file, or will.
pub type Write<'a> = dyn FnMut(&Value) -> Result<Vec<u8>, WriteError> + 'a;

/// Why something has no hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unhashable {
    NoForm(NoForm),
    Unwritable(WriteError),
}

impl From<NoForm> for Unhashable {
    fn from(reason: NoForm) -> Self {
        Self::NoForm(reason)
    }
}

impl Unhashable {
    /// The error, of the object `id`.
    pub(super) fn of(self, id: &str) -> LinkError {
        let object = id.to_owned();
        match self {
            Self::NoForm(reason) => LinkError::NoForm { object, reason },
            Self::Unwritable(reason) => LinkError::Unwritable { object, reason },
        }
    }
}

/// The hash of an object, of its bytes or of its value without what is `omitted`. `None` only where the object is to state
/// it itself and states none.
pub(super) fn hash(
    preimage: &Preimage,
    omitted: &[Pointer],
    bytes: &mut Write<'_>,
    value: &Value,
) -> Result<Option<Hash>, Unhashable> {
    Ok(Some(match preimage {
        Preimage::FileBytes => sha256(&bytes(value).map_err(Unhashable::Unwritable)?),
        Preimage::ObjectDigest => sha256(&canonical::cbor(value, omitted)?.encode()),
        Preimage::JcsSha256 => sha256(canonical::json(value, omitted)?.as_bytes()),
        Preimage::Commit(tag) => {
            let pair = vec![tag.as_str().into(), canonical::cbor(value, omitted)?];
            sha256(&Cbor::Array(pair).encode())
        }
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
