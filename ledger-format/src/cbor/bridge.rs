//! Between serde types and values of the profile: ciborium serialises, the profile's own decoder
//! deserialises, straight from the bytes. Floats, tags and keys that are not text do not cross.
//!
//! serde lets a reader be lenient: a struct from an array, a text from bytes, the name of a variant
//! from a map. This one is not, so that a type that is written in one way is read from that only.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use serde::{Deserializer, Serialize, forward_to_deserialize_any};

use super::decode::{Decoder, Item};
use super::{DecodeError, Integer, Map, VALUE_DEPTH_MAX, Value};

/// A serde type and a value of the profile do not fit each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{message}", .path.join("."), if .path.is_empty() { "" } else { ": " })]
pub struct BridgeError {
    /// Keys that lead to the place, outermost first.
    path: Vec<String>,
    message: String,
}

impl BridgeError {
    /// The same error, seen from the map that holds its place under `key`.
    fn within(mut self, key: Option<&str>) -> Self {
        self.path.splice(0..0, key.map(str::to_owned));
        self
    }
}

impl serde::de::Error for BridgeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self { path: Vec::new(), message: message.to_string() }
    }
}

/// The value `item` serialises to.
pub fn to_value<T: Serialize>(item: &T) -> Result<Value, BridgeError> {
    let value = ciborium::Value::serialized(item).map_err(BridgeError::custom)?;
    from_ciborium(value)
}

/// The item that the canonical `bytes`, nested at most `depth_max` deep, describe. An explicit null
/// never stands for an absent field.
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8], depth_max: usize) -> Result<T, BridgeError> {
    let mut reader = Reader { decoder: Decoder::new(bytes), depth_left: depth_max };
    let item = T::deserialize(&mut reader)?;
    reader.decoder.finish()?;
    Ok(item)
}

/// The item that `value` describes; as [`from_bytes`].
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, BridgeError> {
    from_bytes(&value.encode(), VALUE_DEPTH_MAX)
}

impl From<DecodeError> for BridgeError {
    fn from(error: DecodeError) -> Self {
        Self::custom(error)
    }
}

fn from_ciborium(value: ciborium::Value) -> Result<Value, BridgeError> {
    let refuse =
        |what: &str| Err(BridgeError::custom(format_args!("{what} cannot be encoded here")));
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
            let mut named = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let ciborium::Value::Text(key) = key else {
                    return refuse("a key that is not text");
                };
                named.push((key, from_ciborium(value)?));
            }
            match Map::from_entries(named) {
                Some(map) => Ok(Value::Map(map)),
                None => refuse("a key that stands twice"),
            }
        }
        _ => refuse("a float or tag"),
    }
}

struct Reader<'de> {
    decoder: Decoder<'de>,
    depth_left: usize,
}

impl<'de> Reader<'de> {
    fn item(&mut self) -> Result<Item<'de>, BridgeError> {
        Ok(self.decoder.item(self.depth_left)?)
    }

    /// Hands `len` items or entries to `visit`, which must take them all.
    fn nested<T>(
        &mut self,
        len: usize,
        visit: impl FnOnce(&mut Nested<'_, 'de>) -> Result<T, BridgeError>,
    ) -> Result<T, BridgeError> {
        self.depth_left -= 1;
        let mut nested = Nested { reader: self, left: len, previous: None };
        let visited = visit(&mut nested)?;
        if nested.left > 0 {
            return Err(BridgeError::invalid_length(len, &"fewer items"));
        }
        self.depth_left += 1;
        Ok(visited)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = BridgeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        match self.item()? {
            Item::Null => visitor.visit_unit(),
            Item::Bool(truth) => visitor.visit_bool(truth),
            Item::Integer(number) => match u64::try_from(number.get()) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_i64(i64::try_from(number.get()).unwrap_or(i64::MIN)),
            },
            Item::Float(number) => visitor.visit_f64(number.get()),
            Item::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Item::Text(text) => visitor.visit_borrowed_str(text),
            Item::Array(len) => self.nested(len, |items| visitor.visit_seq(items)),
            Item::Map(len) => self.nested(len, |entries| visitor.visit_map(entries)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        match self.item()? {
            Item::Map(len) => self.nested(len, |entries| visitor.visit_map(entries)),
            _ => Err(BridgeError::custom("expected a map")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BridgeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        match self.item()? {
            Item::Text(text) => visitor.visit_borrowed_str(text),
            _ => Err(BridgeError::custom("expected text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BridgeError> {
        self.deserialize_str(visitor)
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
        match self.item()? {
            Item::Text(variant) => visitor.visit_enum(BorrowedStrDeserializer::new(variant)),
            Item::Map(1) => self.nested(1, |entry| visitor.visit_enum(entry)),
            _ => Err(BridgeError::custom("expected the name of a variant")),
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit
        unit_struct seq tuple tuple_struct identifier ignored_any
    }
}

/// The items of an array or the entries of a map.
struct Nested<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: usize,
    previous: Option<&'de str>,
}

impl<'de> Nested<'_, 'de> {
    /// The next entry's key, as what `seed` makes of it.
    fn key<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<K::Value, BridgeError> {
        self.left -= 1;
        let key = self.reader.decoder.key(self.previous)?;
        self.previous = Some(key);
        seed.deserialize(BorrowedStrDeserializer::new(key))
    }
}

impl<'de> SeqAccess<'de> for &mut Nested<'_, 'de> {
    type Error = BridgeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, BridgeError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for &mut Nested<'_, 'de> {
    type Error = BridgeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, BridgeError> {
        if self.left == 0 { Ok(None) } else { self.key(seed).map(Some) }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, BridgeError> {
        seed.deserialize(&mut *self.reader).map_err(|error| error.within(self.previous))
    }
}

/// A variant that holds something: a map of one entry. One that holds nothing is its name alone.
impl<'de> EnumAccess<'de> for &mut Nested<'_, 'de> {
    type Error = BridgeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), BridgeError> {
        let variant = self.key(seed)?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Nested<'_, 'de> {
    type Error = BridgeError;

    fn unit_variant(self) -> Result<(), BridgeError> {
        Err(BridgeError::custom("expected the variant's name alone"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, BridgeError> {
        seed.deserialize(&mut *self.reader).map_err(|error| error.within(self.previous))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, BridgeError> {
        let read = self.reader.deserialize_tuple(len, visitor);
        read.map_err(|error| error.within(self.previous))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BridgeError> {
        let read = self.reader.deserialize_map(visitor);
        read.map_err(|error| error.within(self.previous))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::cbor;
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

    /// What serde's derived readers would take for the same item is refused.
    #[test]
    fn every_type_is_read_from_one_form_only() {
        let Value::Map(mut map) = to_value(&sample(None)).unwrap() else { panic!("a map") };
        let kinds = |kind: Value| cbor::map([("a", kind)]);
        let held = |inner: Value| cbor::map([("held", inner)]);
        assert!(from_value::<Sample>(&Value::Map(map.clone())).is_ok());
        for (field, other_form) in [
            ("name", Value::Bytes(b"n".to_vec())),
            ("hash", Value::Text(ContentHash::of(b"x").to_string())),
            ("count", Value::Text("1".into())),
            ("map", Value::Array(vec![])),
            ("map", kinds(cbor::map([("plain", Value::Null)]))),
            ("map", kinds(held(Value::Array(vec![3_u64.into()])))),
            ("map", kinds(Value::from("held"))),
            ("map", kinds(Value::from(0_u64))),
        ] {
            let mut map = map.clone();
            map.insert(field, other_form.clone());
            assert!(from_value::<Sample>(&Value::Map(map)).is_err(), "{field}: {other_form:?}");
        }
        map.insert("maybe", 1_u64);
        let in_order = ["name", "hash", "count", "maybe", "map"];
        let fields = in_order.map(|field| map.get(field).unwrap().clone());
        assert!(from_value::<Sample>(&Value::Array(fields.into())).is_err());
    }

    #[test]
    fn what_is_not_canonical_does_not_cross() {
        let bytes = to_value(&sample(None)).unwrap().encode();
        let read = |bytes: &[u8], depth| from_bytes::<Sample>(bytes, depth);
        assert!(read(&bytes, 4).is_ok());
        assert!(read(&bytes, 3).is_err());
        assert!(read(&[bytes.clone(), vec![0]].concat(), 4).is_err());
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut], 4).is_err(), "{cut}");
        }
    }

    #[test]
    fn an_error_names_its_place() {
        let mut value = to_value(&sample(None)).unwrap();
        let Value::Map(map) = &mut value else { panic!("a map") };
        let kind = cbor::map([("held", cbor::map([("at", "noon".into())]))]);
        map.insert("map", cbor::map([("b", kind)]));
        let error = from_value::<Sample>(&value).unwrap_err().to_string();
        assert_eq!(error, "map.b.held.at: invalid type: string \"noon\", expected u64");
        let error = from_value::<Sample>(&Value::Null).unwrap_err().to_string();
        assert_eq!(error, "expected a map");
    }

    #[test]
    fn floats_do_not_cross() {
        assert!(to_value(&1.5_f64).is_err());
    }
}
