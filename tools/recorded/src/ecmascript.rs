//! Values as a program in ECMAScript has them once it has read a JSON text, and the hash that the recorded tool makes of
//! them: numbers are binary64, keys that are written like positions come first, in order.

use std::fmt::Write as _;

use glyph_ledger::document::{Map, Number, Value};
use sha2::{Digest as _, Sha256};

/// `value` with its numbers as `JSON.stringify` writes them.
pub(crate) fn rounded(value: &Value) -> Value {
    match value {
        Value::Number(number) => rounded_number(number),
        Value::List(values) => Value::List(values.iter().map(rounded).collect()),
        Value::Map(map) => {
            map.iter().map(|(key, value)| (key, rounded(value))).collect::<Map>().into()
        }
        other => other.clone(),
    }
}

fn rounded_number(number: &Number) -> Value {
    let number = number.to_f64();
    if !number.is_finite() {
        return Value::Null;
    }
    Number::parse(ryu_js::Buffer::new().format(number)).map_or(Value::Null, Value::Number)
}

/// `value` with the keys of its objects in the order in which they are enumerated.
pub(crate) fn ordered(value: &Value) -> Value {
    match value {
        Value::List(values) => Value::List(values.iter().map(ordered).collect()),
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            // Stable: all keys that are no positions keep their order behind those that are.
            entries.sort_by_key(|(key, _)| position(key).unwrap_or(u32::MAX));
            let entries = entries.into_iter().map(|(key, value)| (key, ordered(value)));
            entries.collect::<Map>().into()
        }
        other => other.clone(),
    }
}

/// The position that a key is: an integer below 2³² − 1 without leading zeros.
fn position(key: &str) -> Option<u32> {
    let number: u32 = key.parse().ok().filter(|number| *number < u32::MAX)?;
    (number.to_string() == key).then_some(number)
}

/// What `String` makes of `value`.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Map(_) => "[object Object]".to_owned(),
        Value::List(values) => values
            .iter()
            .map(|value| if *value == Value::Null { String::new() } else { text(value) })
            .collect::<Vec<_>>()
            .join(","),
        Value::Number(number) => ryu_js::Buffer::new().format(number.to_f64()).to_owned(),
        other => stable(other),
    }
}

/// `sha256:` and the SHA-256 of the value's stable text.
pub(crate) fn stable_hash(value: &Value) -> String {
    let hash = Sha256::digest(stable(value).as_bytes());
    hash.iter().fold("sha256:".to_owned(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The text without white space, its keys sorted by their units of UTF-16 (as RFC 8785 has it).
fn stable(value: &Value) -> String {
    match value {
        Value::List(values) => {
            format!("[{}]", values.iter().map(stable).collect::<Vec<_>>().join(","))
        }
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_cached_key(|(key, _)| key.encode_utf16().collect::<Vec<_>>());
            let entries = entries
                .into_iter()
                .map(|(key, value)| format!("{}:{}", quoted(key), stable(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        Value::Text(text) => quoted(text),
        Value::Number(number) => match rounded_number(number) {
            Value::Number(number) => number.digits().to_owned(),
            _ => "null".to_owned(),
        },
        Value::Bool(truth) => truth.to_string(),
        _ => "null".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{8}' => quoted.push_str("\\b"),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\u{c}' => quoted.push_str("\\f"),
            '\r' => quoted.push_str("\\r"),
            '\0'..='\u{1f}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use glyph_ledger::document::json;

    use super::*;

    fn value(text: &str) -> Value {
        json::read(text.as_bytes()).unwrap().value
    }

    #[test]
    fn the_stable_text_sorts_and_rounds() {
        for (text, expected) in [
            ("{\"b\":1.0,\"a\":[1e400,-0,1E3]}", "{\"a\":[null,0,1000],\"b\":1}"),
            ("{\"\u{ffff}\":1,\"\u{1d11e}\":2}", "{\"\u{1d11e}\":2,\"\u{ffff}\":1}"),
            (r#""\u0001\n\u007f/""#, "\"\\u0001\\n\u{7f}/\""),
            ("9007199254740993", "9007199254740992"),
        ] {
            assert_eq!(stable(&value(text)), expected);
        }
        let empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(stable_hash(&value("{}")), empty);
    }

    #[test]
    fn keys_like_positions_come_first() {
        let before = value(r#"{"x":1,"10":2,"9":3,"09":4,"4294967295":5}"#);
        assert_eq!(ordered(&before), value(r#"{"9":3,"10":2,"x":1,"09":4,"4294967295":5}"#));
    }

    #[test]
    fn any_value_is_a_text() {
        assert_eq!(text(&value(r#"["act"]"#)), "act");
        assert_eq!(text(&value("[1e3,null,[true,{}]]")), "1000,,true,[object Object]");
    }
}
