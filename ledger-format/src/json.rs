//! The one mapping from values of the profile to JSON (SPEC §4), for people and for tools that read
//! JSON. What is hashed and signed is never this text. Knows no event.

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value as Json;

use crate::cbor::{Float, Integer, Value};
use crate::hash::hex;

/// Largest integer, up or down, that is written as a JSON number: every JSON reader keeps it exact.
/// Beyond it an integer is written as decimal text.
pub const NUMBER_MAX: i128 = (1 << 53) - 1;

/// The JSON form of `value`. Bytes become lower-case hexadecimal text; integers beyond
/// ±[`NUMBER_MAX`] and the floats that JSON has no number for become text; maps keep their order.
#[must_use]
pub fn to_json(value: &Value) -> Json {
    // Every form below is one that JSON has.
    serde_json::to_value(Form(value)).unwrap_or_default()
}

/// The JSON form of `value` as text, without white space.
#[must_use]
pub fn to_text(value: &Value) -> String {
    serde_json::to_string(&Form(value)).unwrap_or_default()
}

/// A value in its JSON form.
struct Form<'a>(&'a Value);

impl Serialize for Form<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Integer(number) => integer(*number, serializer),
            Value::Float(number) => float(*number, serializer),
            Value::Bytes(bytes) => serializer.serialize_str(&hex(bytes)),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Form)),
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries.iter() {
                    map.serialize_entry(key, &Form(value))?;
                }
                map.end()
            }
        }
    }
}

fn integer<S: Serializer>(number: Integer, serializer: S) -> Result<S::Ok, S::Error> {
    let number = number.get();
    match i64::try_from(number) {
        Ok(small) if number.abs() <= NUMBER_MAX => serializer.serialize_i64(small),
        _ => serializer.serialize_str(&number.to_string()),
    }
}

fn float<S: Serializer>(number: Float, serializer: S) -> Result<S::Ok, S::Error> {
    match number.get() {
        finite if finite.is_finite() => serializer.serialize_f64(finite),
        nan if nan.is_nan() => serializer.serialize_str("NaN"),
        infinite if infinite > 0.0 => serializer.serialize_str("Infinity"),
        _ => serializer.serialize_str("-Infinity"),
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;
    use crate::cbor::map;

    #[test]
    fn every_type_has_its_form_and_maps_keep_canonical_order() {
        let float = |number| Value::Float(Float::new(number).unwrap());
        let value = map([
            ("bb", Value::Bytes(vec![0, 0xab])),
            ("z", Value::Null),
            ("a", Value::from(true)),
            ("ccc", Value::Array(vec!["\"\n\u{1}é".into(), Value::from(-3_i64)])),
            ("dddd", Value::Array(vec![float(1.0), float(-0.0), float(0.1)])),
            ("eeeee", Value::Array([f64::INFINITY, f64::NEG_INFINITY].map(float).into())),
            ("ffffff", float(f64::from_bits(0x7ff8_0000_0000_0000))),
        ]);
        assert_eq!(
            to_text(&value),
            r#"{"a":true,"z":null,"bb":"00ab","ccc":["\"\n\u0001é",-3],"dddd":[1.0,-0.0,0.1],"#
                .to_owned()
                + r#""eeeee":["Infinity","-Infinity"],"ffffff":"NaN"}"#
        );
        assert_eq!(to_json(&value).to_string(), to_text(&value));
    }

    #[test]
    fn integers_turn_into_text_beyond_2_to_the_53_minus_1() {
        let text = |number: i128| to_text(&Value::Integer(Integer::new(number).unwrap()));
        let limit = 9_007_199_254_740_991;
        assert_eq!(text(limit), "9007199254740991");
        assert_eq!(text(-limit), "-9007199254740991");
        assert_eq!(text(limit + 1), "\"9007199254740992\"");
        assert_eq!(text(-limit - 1), "\"-9007199254740992\"");
        assert_eq!(text(u64::MAX.into()), "\"18446744073709551615\"");
        assert_eq!(text(i64::MIN.into()), "\"-9223372036854775808\"");
    }

    quickcheck! {
        fn every_number_reads_back(bits: u64) -> bool {
            let as_integer: String = match to_json(&Value::from(bits)) {
                Json::String(text) => text,
                number => number.to_string(),
            };
            let Some(float) = Float::new(f64::from_bits(bits)) else { return true };
            let as_float = match to_text(&Value::Float(float)).trim_matches('"') {
                "NaN" => 0x7ff8_0000_0000_0000,
                text => text.parse::<f64>().unwrap().to_bits(),
            };
            as_integer == bits.to_string() && as_float == bits
        }
    }
}
