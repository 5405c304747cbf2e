//! The two forms of a value that have one text each, so that a hash of them means the value: canonical CBOR (SPEC §2) and
//! canonical JSON (RFC 8785).
//!
//! Documents keep the digits of their numbers; these forms keep numbers. So `1.0`, `1.00` and `1e0` are one number here,
//! as for every reader that computes with them, and `1` is the same number in canonical JSON and another one in CBOR,
//! which tells integers from floats. What has no such form is refused with its place. Knows no hash.

use std::cmp::Ordering;
use std::fmt::Write as _;

use ecow::EcoString;
use ledger_format::cbor;

use super::{Map, Number, Pointer, Value};

/// A value that has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", if place.tokens().is_empty() { "the document".to_owned() } else { place.to_string() })]
pub struct NoForm {
    /// Where.
    pub place: Pointer,
    /// Why.
    pub reason: NoFormReason,
}

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoFormReason {
    /// An integer that canonical CBOR does not hold.
    #[error("the integer {0} lies outside of -2^63 to 2^64-1, which canonical CBOR holds")]
    IntegerBeyondCbor(Number),
    /// An integer that canonical JSON would change.
    #[error(
        "the integer {0} lies beyond 2^53, where canonical JSON (RFC 8785) would change its digits"
    )]
    IntegerBeyondJson(Number),
    /// Bytes, which JSON has no form for.
    #[error("bytes have no form in canonical JSON (RFC 8785)")]
    BytesInJson,
    /// A number that no binary64 comes near to.
    #[error("the number {0} is too large for binary64")]
    BeyondBinary64(Number),
}

/// The canonical CBOR value of `value`, without what stands at the places `omitted` (a `*` in them is each element).
///
/// A number written as an integer becomes an integer, `-0` zero; any other the nearest binary64. Beyond the range of
/// either it is refused.
pub fn cbor(value: &Value, omitted: &[Pointer]) -> Result<cbor::Value, NoForm> {
    in_cbor(value, &below_root(omitted), &mut Vec::new())
}

/// The canonical JSON text (RFC 8785) of `value`, without what stands at the places `omitted`.
///
/// Numbers are binary64 there. One written as an integer is refused from 2^53 on, where its digits would change.
pub fn json(value: &Value, omitted: &[Pointer]) -> Result<String, NoForm> {
    let mut json = Json { text: String::new() };
    json.write(value, &below_root(omitted), &mut Vec::new())?;
    Ok(json.text)
}

/// What is left of the omitted places below the value at hand.
type Omitted<'a> = Vec<&'a [EcoString]>;

fn below_root(omitted: &[Pointer]) -> Omitted<'_> {
    omitted.iter().map(Pointer::tokens).collect()
}

/// The omitted places below `token`; `None` if the value there is omitted itself.
fn below<'a>(omitted: &Omitted<'a>, token: &str) -> Option<Omitted<'a>> {
    let mut deeper = Vec::new();
    for place in omitted {
        match place.split_first() {
            Some((first, rest)) if first == token || first == "*" => {
                if rest.is_empty() {
                    return None;
                }
                deeper.push(rest);
            }
            _ => {}
        }
    }
    Some(deeper)
}

fn in_cbor<'a>(
    value: &'a Value,
    omitted: &Omitted<'_>,
    at: &mut Vec<Token<'a>>,
) -> Result<cbor::Value, NoForm> {
    Ok(match value {
        Value::Null => cbor::Value::Null,
        Value::Bool(truth) => cbor::Value::Bool(*truth),
        Value::Number(number) => number_in_cbor(number).map_err(|reason| refuse(at, reason))?,
        Value::Text(text) => cbor::Value::Text(text.to_string()),
        Value::Bytes(bytes) => cbor::Value::Bytes(bytes.to_vec()),
        Value::List(values) => {
            let mut items = Vec::with_capacity(values.len());
            each(values, omitted, at, |value, omitted, at| {
                items.push(in_cbor(value, omitted, at)?);
                Ok(())
            })?;
            cbor::Value::Array(items)
        }
        Value::Map(map) => {
            let mut entries = Vec::with_capacity(map.len());
            for (key, value) in map.iter() {
                let Some(omitted) = below(omitted, key) else { continue };
                at.push(Token::Key(key));
                entries.push((key.to_string(), in_cbor(value, &omitted, at)?));
                at.pop();
            }
            // Sorted input is put behind the rest, which costs no moving.
            entries.sort_by(|(a, _), (b, _)| cbor::key_order(a, b));
            cbor::Value::Map(entries.into_iter().collect())
        }
    })
}

fn number_in_cbor(number: &Number) -> Result<cbor::Value, NoFormReason> {
    if is_written_as_integer(number) {
        let integer = number.digits().parse().ok().and_then(cbor::Integer::new);
        let integer = integer.ok_or_else(|| NoFormReason::IntegerBeyondCbor(number.clone()))?;
        return Ok(cbor::Value::Integer(integer));
    }
    let float = cbor::Float::new(finite(number)?);
    Ok(float.map_or(cbor::Value::Null, cbor::Value::Float))
}

fn is_written_as_integer(number: &Number) -> bool {
    number.digits().bytes().all(|digit| digit.is_ascii_digit() || digit == b'-')
}

fn finite(number: &Number) -> Result<f64, NoFormReason> {
    let nearest = number.to_f64();
    if nearest.is_finite() {
        Ok(nearest)
    } else {
        Err(NoFormReason::BeyondBinary64(number.clone()))
    }
}

struct Json {
    text: String,
}

impl Json {
    fn write<'a>(
        &mut self,
        value: &'a Value,
        omitted: &Omitted<'_>,
        at: &mut Vec<Token<'a>>,
    ) -> Result<(), NoForm> {
        match value {
            Value::Null => self.text.push_str("null"),
            Value::Bool(truth) => self.text.push_str(if *truth { "true" } else { "false" }),
            Value::Number(number) => {
                self.number(number).map_err(|reason| refuse(at, reason))?;
            }
            Value::Text(text) => self.string(text),
            Value::Bytes(_) => return Err(refuse(at, NoFormReason::BytesInJson)),
            Value::List(values) => {
                let mut mark = '[';
                each(values, omitted, at, |value, omitted, at| {
                    self.text.push(std::mem::replace(&mut mark, ','));
                    self.write(value, omitted, at)
                })?;
                self.text.push_str(if mark == '[' { "[]" } else { "]" });
            }
            Value::Map(map) => self.map(map, omitted, at)?,
        }
        Ok(())
    }

    fn map<'a>(
        &mut self,
        map: &'a Map,
        omitted: &Omitted<'_>,
        at: &mut Vec<Token<'a>>,
    ) -> Result<(), NoForm> {
        let mut entries: Vec<_> = map.iter().collect();
        entries.sort_by(|(a, _), (b, _)| utf16_order(a, b));
        let mut mark = '{';
        for (key, value) in entries {
            let Some(omitted) = below(omitted, key) else { continue };
            self.text.push(std::mem::replace(&mut mark, ','));
            self.string(key);
            self.text.push(':');
            at.push(Token::Key(key));
            self.write(value, &omitted, at)?;
            at.pop();
        }
        self.text.push_str(if mark == '{' { "{}" } else { "}" });
        Ok(())
    }

    fn number(&mut self, number: &Number) -> Result<(), NoFormReason> {
        const SAFE: i128 = 1 << 53;
        let nearest = finite(number)?;
        if is_written_as_integer(number) {
            let exact = number.digits().parse::<i128>().ok().filter(|exact| exact.abs() < SAFE);
            exact.ok_or_else(|| NoFormReason::IntegerBeyondJson(number.clone()))?;
        }
        self.text.push_str(ryu_js::Buffer::new().format(nearest));
        Ok(())
    }

    /// A string in the form of ECMAScript's `JSON.stringify` (RFC 8785, section 3.2.2.2).
    fn string(&mut self, text: &str) {
        self.text.push('"');
        for letter in text.chars() {
            match letter {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\u{8}' => self.text.push_str("\\b"),
                '\t' => self.text.push_str("\\t"),
                '\n' => self.text.push_str("\\n"),
                '\u{c}' => self.text.push_str("\\f"),
                '\r' => self.text.push_str("\\r"),
                '\0'..='\u{1f}' => {
                    // Writing into a text cannot fail.
                    let _ = write!(self.text, "\\u{:04x}", u32::from(letter));
                }
                letter => self.text.push(letter),
            }
        }
        self.text.push('"');
    }
}

/// Order of names in canonical JSON: by UTF-16 code units (RFC 8785, section 3.2.3).
fn utf16_order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

/// One step of the way to the value at hand; put together to a pointer only when something is refused.
#[derive(Clone, Copy)]
enum Token<'a> {
    Key(&'a str),
    Position(usize),
}

fn each<'a>(
    values: &'a [Value],
    omitted: &Omitted<'_>,
    at: &mut Vec<Token<'a>>,
    mut take: impl FnMut(&'a Value, &Omitted<'_>, &mut Vec<Token<'a>>) -> Result<(), NoForm>,
) -> Result<(), NoForm> {
    for (position, value) in values.iter().enumerate() {
        let deeper = if omitted.is_empty() {
            Vec::new()
        } else {
            let Some(deeper) = below(omitted, &position.to_string()) else { continue };
            deeper
        };
        at.push(Token::Position(position));
        take(value, &deeper, at)?;
        at.pop();
    }
    Ok(())
}

fn refuse(at: &[Token<'_>], reason: NoFormReason) -> NoForm {
    let place = at.iter().fold(Pointer::default(), |place, token| match token {
        Token::Key(key) => place.below(key),
        Token::Position(position) => place.below(&position.to_string()),
    });
    NoForm { place, reason }
}

#[cfg(test)]
mod tests {
    use ledger_format::hash::hex;
    use quickcheck::quickcheck;

    use super::super::json as read;
    use super::*;

    fn value(text: &str) -> Value {
        read::read(text.as_bytes()).unwrap().value
    }

    fn places(texts: &[&str]) -> Vec<Pointer> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn in_cbor(text: &str) -> Result<String, String> {
        let canonical = cbor(&value(text), &[]).map_err(|error| error.to_string())?;
        Ok(hex(&canonical.encode()))
    }

    fn in_json(text: &str) -> Result<String, String> {
        json(&value(text), &[]).map_err(|error| error.to_string())
    }

    #[test]
    fn integers_and_floats_stay_apart_in_cbor() {
        for (text, bytes) in [
            ("1", "01"),
            ("-0", "00"),
            ("1.0", "fb3ff0000000000000"),
            ("1e0", "fb3ff0000000000000"),
            ("0.1", "fb3fb999999999999a"),
            ("-0.0", "fb8000000000000000"),
            ("18446744073709551615", "1bffffffffffffffff"),
            ("-9223372036854775808", "3b7fffffffffffffff"),
            (r#"{"aa":1,"b":[null,true]}"#, "a2616282f6f5626161 01".replace(' ', "").as_str()),
        ] {
            assert_eq!(in_cbor(text).as_deref(), Ok(bytes), "{text}");
        }
        for (text, expected) in [
            (r#"{"a":[0,18446744073709551616]}"#, "/a/1: the integer 18446744073709551616 lies"),
            ("-9223372036854775809", "the document: the integer"),
            ("[1e400]", "/0: the number 1e400 is too large"),
        ] {
            let error = in_cbor(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    /// RFC 8785, sections 3.2.2 and 3.2.3 and appendix B.
    #[test]
    fn the_examples_of_the_rfc_are_written_as_it_says() {
        let example = r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
        let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(in_json(example).as_deref(), Ok(expected));
        let names =
            r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
        assert_eq!(
            in_json(names).as_deref(),
            Ok(
                "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
            )
        );
        for (text, written) in [
            ("-0", "0"),
            ("-0.0", "0"),
            ("5e-324", "5e-324"),
            ("-1.7976931348623157e308", "-1.7976931348623157e+308"),
            ("295147905179352830000.0", "295147905179352830000"),
            ("1e21", "1e+21"),
            ("0.000001", "0.000001"),
            ("9.999999999999997e22", "9.999999999999997e+22"),
            ("9007199254740991", "9007199254740991"),
            ("[]", "[]"),
            ("{}", "{}"),
        ] {
            assert_eq!(in_json(text).as_deref(), Ok(written), "{text}");
        }
        for (text, expected) in [
            (r#"{"a":9007199254740992}"#, "/a: the integer 9007199254740992 lies beyond 2^53"),
            ("[1e400]", "/0: the number 1e400 is too large"),
        ] {
            assert!(in_json(text).unwrap_err().starts_with(expected));
        }
    }

    #[test]
    fn what_is_omitted_leaves_no_trace() {
        let whole = value(r#"{"a":1,"l":[{"h":1,"x":2},{"h":3}],"m":{"h":4}}"#);
        let rest = value(r#"{"l":[{"x":2},{}],"m":{"h":4}}"#);
        let omitted = places(&["/a", "/l/*/h", "/none/x"]);
        assert_eq!(cbor(&whole, &omitted), cbor(&rest, &[]));
        assert_eq!(json(&whole, &omitted), json(&rest, &[]));
        assert_ne!(json(&whole, &[]), json(&rest, &[]));
    }

    quickcheck! {
        /// Canonical text read back has the same canonical text, in both forms.
        fn a_canonical_text_is_its_own_canonical_text(value: Value) -> bool {
            let Ok(text) = json(&value, &[]) else { return true };
            let Ok(back) = read::read(text.as_bytes()) else { return false };
            json(&back.value, &[]).is_ok_and(|again| again == text)
        }

        fn the_order_of_names_is_no_part_of_it(entries: Vec<(String, i8)>) -> bool {
            let names: std::collections::BTreeMap<_, _> = entries.into_iter().collect();
            let map = |names: Vec<(&String, &i8)>| -> Value {
                names.into_iter().map(|(name, number)| (name, Value::from(i64::from(*number)))).collect::<Map>().into()
            };
            let (there, back) = (map(names.iter().collect()), map(names.iter().rev().collect()));
            cbor(&there, &[]) == cbor(&back, &[]) && json(&there, &[]) == json(&back, &[])
        }
    }
}
