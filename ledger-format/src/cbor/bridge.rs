//! Between serde types and values of the profile: ciborium serialises, the profile's own reader
//! deserialises. Floats, tags and keys that are not text do not cross.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer, Visitor};
use serde::{Serialize, forward_to_deserialize_any};

use super::{Integer, Map, Value};

/// A serde type and a value of the profile do not fit each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BridgeError {
    message: String,
}

impl serde::de::Error for BridgeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self { message: message.to_string() }
    }
}

/// The value `item` serialises to.
pub fn to_value<T: Serialize>(item: &T) -> Result<Value, BridgeError> {
    let value = ciborium::Value::serialized(item).map_err(serde::de::Error::custom)?;
    from_ciborium(value)
}

/// The item that `value` describes. An explicit null never stands for an absent field.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, BridgeError> {
    T::deserialize(Reader(value))
}

fn from_ciborium(value: ciborium::Value) -> Result<Value, BridgeError> {
    let refuse =
        |what: &str| Err(BridgeError { message: format!("{what} cannot be encoded here") });
    match value {
        ciborium::Value::Null => Ok(Value::Null),
        ciborium::Value::Bool(truth) => Ok(Value::Bool(truth)),
        ciborium::Value::Integer(number) => match Integer::new(number.into()) {
            Some(number) => Ok(Value::Integer(number)),
            None => refuse("an integer outside -2^63..2^64-1"),
        },
        ciborium::Value::Bytes(bytes) => Ok(Value::Bytes(bytes)),
        ciborium::Value::Text(text) => Ok(Value::Text(text)),
        ciborium::Value::Array(items) => {
            items.into_iter().map(from_ciborium).collect::<Result<_, _>>().map(Value::Array)
        }
        ciborium::Value::Map(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let ciborium::Value::Text(key) = key else {
                    return refuse("a key that is not text");
                };
                if map.insert(key, from_ciborium(value)?).is_some() {
                    return refuse("a key that stands twice");
                }
            }
            Ok(Value::Map(map))
        }
        _ => refuse("a float or tag"),
    }
}

#[derive(Clone, Copy)]
struct Reader<'a>(&'a Value);

impl<'de> IntoDeserializer<'de, BridgeError> for Reader<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> serde::Deserializer<'de> for Reader<'de> {
    type Error = BridgeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Integer(number) => match u64::try_from(number.get()) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_i64(i64::try_from(number.get()).unwrap_or(i64::MIN)),
            },
            Value::Float(number) => visitor.visit_f64(number.get()),
            Value::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => {
                visitor.visit_seq(SeqDeserializer::new(items.iter().map(Reader)))
            }
            Value::Map(map) => visitor.visit_map(MapDeserializer::new(
                map.iter().map(|(key, value)| (key, Reader(value))),
            )),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, BridgeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BridgeError> {
        match self.0 {
            Value::Text(variant) => visitor.visit_enum(variant.as_str().into_deserializer()),
            Value::Map(map) if map.len() == 1 => {
                visitor.visit_enum(serde::de::value::MapAccessDeserializer::new(
                    MapDeserializer::new(map.iter().map(|(key, value)| (key, Reader(value)))),
                ))
            }
            _ => Err(serde::de::Error::custom("expected the name of a variant")),
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::hash::ContentHash;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: String,
        hash: ContentHash,
        count: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        maybe: Option<i64>,
        map: BTreeMap<String, Kind>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Held { at: u64 },
    }

    fn sample(maybe: Option<i64>) -> Sample {
        Sample {
            name: "n".into(),
            hash: ContentHash::of(b"x"),
            count: u64::MAX,
            maybe,
            map: [("a".into(), Kind::Plain), ("b".into(), Kind::Held { at: 3 })].into(),
        }
    }

    #[test]
    fn types_go_both_ways() {
        for sample in [sample(None), sample(Some(-5))] {
            let value = to_value(&sample).unwrap();
            assert_eq!(from_value::<Sample>(&value).unwrap(), sample);
        }
    }

    #[test]
    fn null_is_never_absent_and_unknown_fields_refuse() {
        let Value::Map(mut map) = to_value(&sample(None)).unwrap() else { panic!("a map") };
        map.insert("maybe", Value::Null);
        assert!(from_value::<Sample>(&Value::Map(map.clone())).is_err());
        map.insert("maybe", 1_u64);
        assert!(from_value::<Sample>(&Value::Map(map.clone())).is_ok());
        map.insert("more", 1_u64);
        assert!(from_value::<Sample>(&Value::Map(map)).is_err());
    }

    #[test]
    fn floats_do_not_cross() {
        assert!(to_value(&1.5_f64).is_err());
    }
}
