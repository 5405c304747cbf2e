//! Values as parts of contracts, plans and proofs: to and from serde.
//!
//! The forms those have know integers only. A number that is not written as one, or does not fit 64 bits, becomes a map
//! with the one key [`DIGITS`], so that no digit is lost and no float enters a hash; bytes become one with the key
//! [`BYTES`]. Canonical CBOR sorts names: there a map whose names stand in another order becomes one with the key
//! [`ENTRIES`], so that what is read back is the map with its order. A map of the document itself that looks so has one `$` more before its key.

use std::fmt;

use ledger_format::cbor::key_order;
use ledger_format::hash::{hex, unhex};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Map, Number, Value};

/// The key under which stand the digits of a number that is no 64-bit integer.
const DIGITS: &str = "$number";

/// The key under which stand bytes, as lower-case hexadecimal digits.
const BYTES: &str = "$bytes";

/// The key under which stand the entries of a map whose names are not in canonical order, as pairs.
const ENTRIES: &str = "$entries";

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(truth) => to.serialize_bool(*truth),
            Self::Number(number) => {
                let plain = number.as_i64().filter(|plain| plain.to_string() == number.digits());
                if let Some(plain) = plain {
                    return to.serialize_i64(plain);
                }
                only(to, DIGITS, number.digits())
            }
            Self::Text(text) => to.serialize_str(text),
            Self::Bytes(bytes) => only(to, BYTES, &hex(bytes)),
            Self::List(values) => to.collect_seq(values),
            Self::Map(map) => match look_alike(map) {
                Some((key, value)) => only(to, &format!("${key}"), value),
                None if !to.is_human_readable() && !is_canonical(map) => only(
                    to,
                    ENTRIES,
                    &map.iter().map(|(key, value)| (&**key, value)).collect::<Vec<_>>(),
                ),
                None => to.collect_map(map.iter().map(|(key, value)| (&**key, value))),
            },
        }
    }
}

/// Whether the names stand in the order of canonical CBOR.
fn is_canonical(map: &Map) -> bool {
    map.entries().is_sorted_by(|(a, _), (b, _)| key_order(a, b).is_lt())
}

/// A map of one entry.
fn only<S: Serializer, T: Serialize + ?Sized>(
    to: S,
    key: &str,
    value: &T,
) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

/// The only entry of a map that, written as it is, would be read as something else.
fn look_alike(map: &Map) -> Option<(&str, &Value)> {
    let (key, value) = map.iter().next().filter(|_| map.len() == 1)?;
    let special = format!("${}", key.trim_start_matches('$'));
    (key.starts_with('$') && matches!(&*special, DIGITS | BYTES | ENTRIES))
        .then_some((&**key, value))
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        Value::deserialize(from)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        digits(&number.to_string())
    }

    fn visit_i128<E: serde::de::Error>(self, number: i128) -> Result<Value, E> {
        digits(&number.to_string())
    }

    fn visit_u128<E: serde::de::Error>(self, number: u128) -> Result<Value, E> {
        digits(&number.to_string())
    }

    /// The shortest digits that mean the same binary64; not a number and infinity have none.
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        digits(&format!("{number:?}"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, value)) = entries.next_entry::<String, Value>()? {
            if map.push(key.as_str().into(), value).is_err() {
                return Err(A::Error::custom(format_args!("the name {key:?} stands twice")));
            }
        }
        special(map)
    }
}

/// What a map means that looks like a number or bytes.
fn special<E: serde::de::Error>(map: Map) -> Result<Value, E> {
    match look_alike(&map) {
        Some((DIGITS, Value::Text(text))) => digits(text),
        Some((BYTES, Value::Text(text))) => {
            let bytes = unhex(text).map(|bytes| Value::Bytes(bytes.into()));
            bytes.ok_or_else(|| E::custom(format_args!("{text:?} are not hexadecimal digits")))
        }
        Some((ENTRIES, Value::List(pairs))) => ordered(pairs),
        Some((key, value)) if key.starts_with("$$") => {
            let key = key.strip_prefix('$').unwrap_or(key);
            Ok([(key, value.clone())].into_iter().collect::<Map>().into())
        }
        _ => Ok(map.into()),
    }
}

/// The map of those entries.
fn ordered<E: serde::de::Error>(pairs: &[Value]) -> Result<Value, E> {
    let mut map = Map::new();
    for pair in pairs {
        let Value::List(pair) = pair else { return Err(E::custom("an entry is a list")) };
        let [Value::Text(key), value] = &**pair else {
            return Err(E::custom("an entry is a name and a value"));
        };
        if map.push(key.as_str().into(), value.clone()).is_err() {
            return Err(E::custom(format_args!("the name {key:?} stands twice")));
        }
    }
    Ok(map.into())
}

fn digits<E: serde::de::Error>(digits: &str) -> Result<Value, E> {
    let number = Number::parse(digits);
    number.map(Value::Number).ok_or_else(|| E::custom(format_args!("{digits:?} is not a number")))
}

#[cfg(test)]
mod tests {
    use ledger_format::cbor;
    use quickcheck::quickcheck;

    use super::*;

    quickcheck! {
        fn neither_digits_nor_order_are_lost_on_the_way_to_cbor_and_back(value: Value) -> bool {
            let there = cbor::to_value(&value).unwrap();
            cbor::from_value::<Value>(&there) == Ok(value)
        }
    }

    #[test]
    fn numbers_that_are_no_integers_are_written_by_their_digits() {
        let number = |digits: &str| Value::Number(Number::parse(digits).unwrap());
        for (digits, written) in
            [("7", "7"), ("-0", "{\"$number\":\"-0\"}"), ("1.50", "{\"$number\":\"1.50\"}")]
        {
            assert_eq!(serde_json::to_string(&number(digits)).unwrap(), written);
            assert_eq!(serde_json::from_str::<Value>(written).unwrap(), number(digits));
        }
        assert_eq!(serde_json::from_str::<Value>("1.50").unwrap(), number("1.5"));
        assert!(serde_json::from_str::<Value>("{\"$number\":\"x\"}").is_err());
    }

    #[test]
    fn bytes_and_maps_that_look_like_them_are_told_apart() {
        let bytes = Value::Bytes([0, 255].into());
        let map = |key: &str| [(key, Value::text("00ff"))].into_iter().collect::<Map>().into();
        for (value, written) in [
            (bytes, r#"{"$bytes":"00ff"}"#),
            (map("$bytes"), r#"{"$$bytes":"00ff"}"#),
            (map("$$number"), r#"{"$$$number":"00ff"}"#),
            (map("bytes"), r#"{"bytes":"00ff"}"#),
            (map("$else"), r#"{"$else":"00ff"}"#),
        ] {
            assert_eq!(serde_json::to_string(&value).unwrap(), written);
            assert_eq!(serde_json::from_str::<Value>(written).unwrap(), value);
        }
        for bad in ["0", "0G", "FF"] {
            assert!(serde_json::from_str::<Value>(&format!("{{\"$bytes\":\"{bad}\"}}")).is_err());
        }
    }
}
