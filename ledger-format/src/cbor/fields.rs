//! Reading a map with a closed set of keys.

use super::{Map, Value};

/// A map does not have the shape its schema asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
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
    map: &'a Map,
    taken: usize,
}

impl<'a> Fields<'a> {
    /// The fields of `value`, which must be a map.
    pub fn of(value: &'a Value) -> Result<Self, FieldError> {
        match value {
            Value::Map(map) => Ok(Self { map, taken: 0 }),
            _ => Err(FieldError::NotAMap),
        }
    }

    /// A field of any type.
    pub fn value(&mut self, key: &'static str) -> Result<&'a Value, FieldError> {
        let value = self.map.get(key).ok_or(FieldError::Missing { key })?;
        self.taken += 1;
        Ok(value)
    }

    /// An unsigned integer of 64 bits.
    pub fn unsigned(&mut self, key: &'static str) -> Result<u64, FieldError> {
        let expected = "an integer from 0 to 2^64-1";
        match self.value(key)? {
            Value::Integer(number) => {
                u64::try_from(number.get()).map_err(|_| FieldError::Type { key, expected })
            }
            _ => Err(FieldError::Type { key, expected }),
        }
    }

    /// A text.
    pub fn text(&mut self, key: &'static str) -> Result<&'a str, FieldError> {
        match self.value(key)? {
            Value::Text(text) => Ok(text),
            _ => Err(FieldError::Type { key, expected: "text" }),
        }
    }

    /// A byte string of exactly 32 bytes.
    pub fn bytes32(&mut self, key: &'static str) -> Result<[u8; 32], FieldError> {
        let error = FieldError::Type { key, expected: "32 bytes" };
        match self.value(key)? {
            Value::Bytes(bytes) => bytes.as_slice().try_into().map_err(|_| error),
            _ => Err(error),
        }
    }

    /// Ends the reading: a key that was not taken is not part of the schema.
    pub fn finish(self, schema: &[&str]) -> Result<(), FieldError> {
        if self.taken == self.map.len() {
            return Ok(());
        }
        let unknown = self.map.iter().find(|(key, _)| !schema.contains(key));
        Err(FieldError::Unknown {
            key: unknown.map_or_else(String::new, |(key, _)| key.to_owned()),
        })
    }
}
