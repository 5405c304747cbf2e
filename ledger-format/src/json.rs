//! The one mapping from values of the profile to JSON (SPEC §4), for people and for tools that read
//! JSON. What is hashed and signed is never this text. Knows no event.

use serde_json::{Number, Value as Json};

use crate::cbor::{Float, Integer, Map, Value};
use crate::hash::hex;

/// Largest integer, up or down, that is written as a JSON number: every JSON reader keeps it exact.
/// Beyond it an integer is written as decimal text.
pub const NUMBER_MAX: i128 = (1 << 53) - 1;

/// The JSON form of `value`. Bytes become lower-case hexadecimal text; integers beyond
/// ±[`NUMBER_MAX`] and the floats that JSON has no number for become text; maps keep their order.
#[must_use]
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Integer(number) => integer(*number),
        Value::Float(number) => float(*number),
        Value::Bytes(bytes) => Json::String(hex(bytes)),
        Value::Text(text) => Json::String(text.clone()),
        Value::Array(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(map) => Json::Object(object(map)),
    }
}

/// The JSON form of `value` as text, without white space.
#[must_use]
pub fn to_text(value: &Value) -> String {
    to_json(value).to_string()
}

fn integer(number: Integer) -> Json {
    let number = number.get();
    match i64::try_from(number) {
        Ok(small) if number.abs() <= NUMBER_MAX => Json::from(small),
        _ => Json::String(number.to_string()),
    }
}

fn float(number: Float) -> Json {
    let number = number.get();
    match Number::from_f64(number) {
        Some(finite) => Json::Number(finite),
        None if number.is_nan() => Json::from("NaN"),
        None if number > 0.0 => Json::from("Infinity"),
        None => Json::from("-Infinity"),
    }
}

fn object(map: &Map) -> serde_json::Map<String, Json> {
    map.iter().map(|(key, value)| (key.to_owned(), to_json(value))).collect()
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
