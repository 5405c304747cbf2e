//! Reading a map with a closed set of keys straight from its bytes.

use super::decode::{Decoder, Item};
use super::{DecodeError, Integer};

/// Bytes are not a map of the shape its schema asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// The bytes are not canonical.
    #[error("not canonical CBOR: {0}")]
    Cbor(#[from] DecodeError),
    /// The value is not a map.
    #[error("expected a map")]
    NotAMap,
    /// A key of the schema is absent.
    #[error("field {key:?} is missing")]
    Missing {
        /// The absent key.
        key: &'static str,
    },
    /// A key the schema does not have.
    #[error("field {key:?} is not part of the schema")]
    Unknown {
        /// The key found.
        key: String,
    },
    /// A field of another type than the schema's.
    #[error("field {key:?} is not {expected}")]
    Type {
        /// The field.
        key: &'static str,
        /// What the schema asks for.
        expected: &'static str,
    },
}

/// Takes the fields of a closed map one by one; [`Fields::finish`] refuses what nobody took.
pub struct Fields<'a> {
    entries: Vec<(&'a str, &'a [u8])>,
    depth_max: usize,
    taken: usize,
}

impl<'a> Fields<'a> {
    /// The fields of the map that fills `bytes` exactly, nested at most `depth_max` deep. All of it
    /// is checked to be canonical, so each field's bytes are.
    pub fn of(bytes: &'a [u8], depth_max: usize) -> Result<Self, FieldError> {
        let mut decoder = Decoder::new(bytes);
        let Item::Map(len) = decoder.item(depth_max)? else { return Err(FieldError::NotAMap) };
        let mut entries: Vec<(&str, &[u8])> = Vec::with_capacity(len.min(FIELDS_GUESS_MAX));
        for _ in 0..len {
            let key = decoder.key(entries.last().map(|(key, _)| *key))?;
            entries.push((key, decoder.skip(depth_max - 1)?));
        }
        decoder.finish()?;
        Ok(Self { entries, depth_max, taken: 0 })
    }

    /// The canonical bytes of a field of any type.
    pub fn bytes_of(&mut self, key: &'static str) -> Result<&'a [u8], FieldError> {
        let entry = self.entries.iter().find(|(held, _)| *held == key);
        let (_, bytes) = entry.ok_or(FieldError::Missing { key })?;
        self.taken += 1;
        Ok(bytes)
    }

    /// An unsigned integer of 64 bits.
    pub fn unsigned(&mut self, key: &'static str) -> Result<u64, FieldError> {
        let number = match self.item(key)? {
            Item::Integer(number) => u64::try_from(Integer::get(number)).ok(),
            _ => None,
        };
        number.ok_or(FieldError::Type { key, expected: "an integer from 0 to 2^64-1" })
    }

    /// A text.
    pub fn text(&mut self, key: &'static str) -> Result<&'a str, FieldError> {
        match self.item(key)? {
            Item::Text(text) => Ok(text),
            _ => Err(FieldError::Type { key, expected: "text" }),
        }
    }

    /// A byte string of exactly 32 bytes.
    pub fn bytes32(&mut self, key: &'static str) -> Result<[u8; 32], FieldError> {
        let bytes = match self.item(key)? {
            Item::Bytes(bytes) => bytes.try_into().ok(),
            _ => None,
        };
        bytes.ok_or(FieldError::Type { key, expected: "32 bytes" })
    }

    /// Ends the reading: a key that was not taken is not part of the schema.
    pub fn finish(self, schema: &[&str]) -> Result<(), FieldError> {
        if self.taken == self.entries.len() {
            return Ok(());
        }
        let unknown = self.entries.iter().find(|(key, _)| !schema.contains(key));
        Err(FieldError::Unknown {
            key: unknown.map_or_else(String::new, |(key, _)| (*key).to_owned()),
        })
    }

    fn item(&mut self, key: &'static str) -> Result<Item<'a>, FieldError> {
        Ok(Decoder::new(self.bytes_of(key)?).item(self.depth_max)?)
    }
}

/// Entries reserved ahead at most: a short header may claim as many entries as bytes remain.
const FIELDS_GUESS_MAX: usize = 16;
