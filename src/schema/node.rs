//! Documents as the validator walks them: in place, and by the digits of their numbers.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::slice;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, JsonNumber, Node, NodeIdentity, Object};
use ledger_format::hash::hex;
use serde_json::Value as Plain;

use super::decimal::{Decimal, beside};
use crate::document::{Key, List, Map, Number, Value};

/// The representation of documents whose numbers are the digits they are written with.
pub(super) struct Exact;

impl Json for Exact {
    type Node<'a> = &'a Value;
    type PreparedKey = String;
    type StringBuffer = Buffer;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(buffer: &mut Buffer, string: &str, f: impl FnOnce(&Value) -> T) -> T {
        f(buffer.0.insert(Value::text(string)))
    }
}

/// A place for a name that is judged as a value of its own.
#[derive(Debug, Default)]
pub(super) struct Buffer(Option<Value>);

impl<'a> Node<'a, Exact> for &'a Value {
    type Object = &'a Map;
    type Array = &'a List;
    type Number = &'a Number;

    fn as_object(&self) -> Option<&'a Map> {
        Value::as_map(self)
    }

    fn as_array(&self) -> Option<&'a List> {
        if let Value::List(values) = self { Some(values) } else { None }
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self {
            Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Bytes(bytes) => Some(Cow::Owned(hex(bytes))),
            _ => None,
        }
    }

    fn as_number(&self) -> Option<&'a Number> {
        if let Value::Number(number) = self { Some(number) } else { None }
    }

    fn as_boolean(&self) -> Option<bool> {
        if let Value::Bool(truth) = self { Some(*truth) } else { None }
    }

    fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    fn json_type(&self) -> JsonType {
        match self {
            Value::Null => JsonType::Null,
            Value::Bool(_) => JsonType::Boolean,
            Value::Number(_) => JsonType::Number,
            Value::Text(_) | Value::Bytes(_) => JsonType::String,
            Value::List(_) => JsonType::Array,
            Value::Map(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Plain) -> bool {
        equals(self, expected)
    }

    /// For messages, which name no value of a list or an object: those are empty here, so that a mistake in a large document
    /// copies nothing of it. What is judged never comes from here.
    fn to_value(&self) -> Cow<'a, Plain> {
        Cow::Owned(match self {
            Value::Null => Plain::Null,
            Value::Bool(truth) => Plain::Bool(*truth),
            Value::Number(number) => Plain::Number(number.to_number().into_owned()),
            Value::Text(text) => Plain::String(text.to_string()),
            Value::Bytes(bytes) => Plain::String(hex(bytes)),
            Value::List(_) => Plain::Array(Vec::new()),
            Value::Map(_) => Plain::Object(serde_json::Map::new()),
        })
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref::<Value>(*self).addr()))
    }
}

impl<'a> Object<'a, Exact> for &'a Map {
    type Node = &'a Value;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        Map::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Value> {
        Map::get(self, key)
    }

    fn members(&self) -> Members<'a> {
        Members(self.entries().iter())
    }
}

/// The entries of an object.
pub(super) struct Members<'a>(slice::Iter<'a, (Key, Value)>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (&**key, value))
    }
}

impl<'a> Array<'a, Exact> for &'a List {
    type Node = &'a Value;
    type ElementsIter = slice::Iter<'a, Value>;

    fn len(&self) -> usize {
        List::len(self)
    }

    fn elements(&self) -> slice::Iter<'a, Value> {
        self.iter()
    }

    fn is_unique(&self) -> bool {
        let mut seen = BTreeSet::new();
        self.iter().all(|value| seen.insert(meaning(value)))
    }
}

impl JsonNumber for &Number {
    fn as_u64(&self) -> Option<u64> {
        self.digits().parse().ok().or_else(|| whole(self)?.try_into().ok())
    }

    fn as_i64(&self) -> Option<i64> {
        Number::as_i64(self).or_else(|| whole(self)?.try_into().ok())
    }

    fn as_f64(&self) -> Option<f64> {
        beside(self)
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.digits())
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        let integer =
            || self.as_u64().map(Into::into).or_else(|| Number::as_i64(self).map(Into::into));
        let float = || serde_json::Number::from_f64(self.to_f64());
        Cow::Owned(integer().or_else(float).unwrap_or_else(|| 0.into()))
    }

    fn is_integer(&self) -> bool {
        Number::as_i64(self).is_some() || Decimal::read(self.digits()).is_integer()
    }
}

/// The integer that a number written with a point or an exponent means.
fn whole(number: &Number) -> Option<i128> {
    let digits = number.digits();
    digits.contains(['.', 'e', 'E']).then(|| Decimal::read(digits).to_integer())?
}

/// Whether `value` means what the schema's `expected` means.
fn equals(value: &Value, expected: &Plain) -> bool {
    match (value, expected) {
        (Value::Null, Plain::Null) => true,
        (Value::Bool(truth), Plain::Bool(expected)) => truth == expected,
        (Value::Number(number), Plain::Number(expected)) => {
            let expected = expected.to_string();
            number.digits() == expected
                || Decimal::read(number.digits()) == Decimal::read(&expected)
        }
        (Value::Text(text), Plain::String(expected)) => **text == **expected,
        (Value::Bytes(bytes), Plain::String(expected)) => hex(bytes) == *expected,
        (Value::List(values), Plain::Array(expected)) => {
            let pairs = || values.iter().zip(expected);
            values.len() == expected.len()
                && pairs().all(|(value, expected)| equals(value, expected))
        }
        (Value::Map(map), Plain::Object(expected)) => {
            let same = |(key, expected): (&String, &Plain)| {
                map.get(key).is_some_and(|value| equals(value, expected))
            };
            map.len() == expected.len() && expected.iter().all(same)
        }
        _ => false,
    }
}

/// What `value` means: the same text for values that are equal under JSON Schema, and for no others.
pub(super) fn meaning(value: &Value) -> String {
    let mut meaning = String::new();
    write_meaning(value, &mut meaning);
    meaning
}

fn write_meaning(value: &Value, to: &mut String) {
    match value {
        Value::Null => to.push('n'),
        Value::Bool(truth) => to.push(if *truth { 't' } else { 'f' }),
        Value::Number(number) => to.push_str(&Decimal::read(number.digits()).canonical()),
        Value::Text(text) => write_text(text, to),
        Value::Bytes(bytes) => write_text(&hex(bytes), to),
        Value::List(values) => {
            to.push('[');
            for value in values {
                write_meaning(value, to);
                to.push(',');
            }
            to.push(']');
        }
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            to.push('{');
            for (key, value) in entries {
                write_text(key, to);
                write_meaning(value, to);
                to.push(',');
            }
            to.push('}');
        }
    }
}

/// A text with its length before it, so that no text reads as the end of one.
fn write_text(text: &str, to: &mut String) {
    to.push('"');
    to.push_str(&text.len().to_string());
    to.push(':');
    to.push_str(text);
}
