//! Canonical CBOR in the profile of SPEC §2: one value, one encoding. The decoder accepts exactly
//! what the encoder writes and names the byte at which anything else begins. Knows no event.
//!
//! The profile: definite lengths; shortest integers from −2^63 to 2^64−1; text keys only, sorted by
//! their encoded bytes, no duplicates; no tags; floats always binary64, NaN only `7ff8000000000000`;
//! text is valid UTF-8 and never normalised; nothing after the value.

mod bridge;
mod decode;
mod fields;
mod write;

use std::cmp::Ordering;

pub use bridge::{BridgeError, from_bytes, from_value, to_value};
pub use decode::{DecodeError, Decoder, Item, Reason, decode};
pub use fields::{FieldError, Fields};
pub use write::{append, to_bytes};

/// Deepest nesting of an event, state, plan or certificate, counted in arrays and maps. None of
/// them needs more than eight; the bound keeps every reader's stack small.
pub const EVENT_DEPTH_MAX: usize = 32;

/// Deepest nesting of a migrated value. People's documents nest deeper than events do, and a
/// recursive reader still fits into a default thread's stack at this depth.
pub const VALUE_DEPTH_MAX: usize = 512;

/// A value of the profile.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`: a value of its own, never "absent".
    Null,
    /// `false` or `true`.
    Bool(bool),
    /// An integer from −2^63 to 2^64−1.
    Integer(Integer),
    /// A binary64 number.
    Float(Float),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A text string.
    Text(String),
    /// An array.
    Array(Vec<Value>),
    /// A map with text keys.
    Map(Map),
}

impl Value {
    /// The canonical bytes of this value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        encode_into(self, &mut bytes);
        bytes
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Integer(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(Integer(number.into()))
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// An integer that major types 0 and 1 can hold within the profile: −2^63 to 2^64−1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Integer(i128);

impl Integer {
    const MIN: i128 = i64::MIN as i128;
    const MAX: i128 = u64::MAX as i128;

    /// `None` outside −2^63 … 2^64−1.
    #[must_use]
    pub fn new(number: i128) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&number).then_some(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i128 {
        self.0
    }
}

impl From<u64> for Integer {
    fn from(number: u64) -> Self {
        Self(number.into())
    }
}

/// A binary64 number whose NaN, if it is one, has the profile's only payload.
#[derive(Debug, Clone, Copy)]
pub struct Float(f64);

impl Float {
    const NAN_BITS: u64 = 0x7ff8_0000_0000_0000;

    /// `None` for a NaN with any other payload: the profile refuses, it does not rewrite.
    #[must_use]
    pub fn new(number: f64) -> Option<Self> {
        (!number.is_nan() || number.to_bits() == Self::NAN_BITS).then_some(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Equal bits: −0.0 and 0.0 are two values, NaN equals itself.
impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

/// A map in canonical key order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Map(Vec<(String, Value)>);

impl Map {
    /// An empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Puts `value` under `key` and returns what stood there before.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let key = key.into();
        let value = value.into();
        match self.0.binary_search_by(|(held, _)| key_order(held, &key)) {
            Ok(at) => self.0.get_mut(at).map(|(_, held)| std::mem::replace(held, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        let at = self.0.binary_search_by(|(held, _)| key_order(held, key)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Entries in canonical order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The map of these entries, in whatever order they come; `None` if a key stands twice. Putting in
    /// one after the other would move all that are behind it each time.
    pub(crate) fn from_entries(mut entries: Vec<(String, Value)>) -> Option<Self> {
        entries.sort_by(|(a, _), (b, _)| key_order(a, b));
        let twice = entries.array_windows().any(|[(a, _), (b, _)]| a == b);
        (!twice).then_some(Self(entries))
    }

    /// For the decoder, which has checked the order itself.
    fn push_sorted(&mut self, key: String, value: Value) {
        self.0.push((key, value));
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Map {
    /// A later entry replaces an earlier one of the same key.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::Array(items)
    }
}

/// A map from literal entries: `map([("a", 1_u64.into())])`.
pub fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().collect())
}

/// Order of keys: bytewise by encoded key. For text keys that is shorter first, then bytewise.
#[must_use]
pub fn key_order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

/// Appends the canonical bytes of `value` to `out`.
pub fn encode_into(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Integer(Integer(number)) => encode_integer(*number, out),
        Value::Float(Float(number)) => {
            out.push(0xfb);
            out.extend_from_slice(&number.to_bits().to_be_bytes());
        }
        Value::Bytes(bytes) => encode_bytes(bytes, out),
        Value::Text(text) => encode_text(text, out),
        Value::Array(items) => {
            encode_array_header(items.len(), out);
            for item in items {
                encode_into(item, out);
            }
        }
        Value::Map(map) => {
            encode_map_header(map.len(), out);
            for (key, item) in map.iter() {
                encode_text(key, out);
                encode_into(item, out);
            }
        }
    }
}

/// Appends a text string.
pub fn encode_text(text: &str, out: &mut Vec<u8>) {
    encode_head(MAJOR_TEXT, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// Appends a byte string.
pub fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    encode_head(MAJOR_BYTES, bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends the header of an array of `len` items; the caller appends the items.
pub fn encode_array_header(len: usize, out: &mut Vec<u8>) {
    encode_head(MAJOR_ARRAY, len as u64, out);
}

/// Appends the header of a map of `len` entries; the caller appends them in canonical key order.
pub fn encode_map_header(len: usize, out: &mut Vec<u8>) {
    encode_head(MAJOR_MAP, len as u64, out);
}

const MAJOR_UNSIGNED: u8 = 0;
const MAJOR_NEGATIVE: u8 = 1;
const MAJOR_BYTES: u8 = 2;
const MAJOR_TEXT: u8 = 3;
const MAJOR_ARRAY: u8 = 4;
const MAJOR_MAP: u8 = 5;
const MAJOR_TAG: u8 = 6;

/// Appends an unsigned integer.
pub fn encode_unsigned(number: u64, out: &mut Vec<u8>) {
    encode_head(MAJOR_UNSIGNED, number, out);
}

fn encode_integer(number: i128, out: &mut Vec<u8>) {
    // Integer::new bounds the number, so both conversions always succeed.
    let (major, argument) =
        if number < 0 { (MAJOR_NEGATIVE, -1 - number) } else { (MAJOR_UNSIGNED, number) };
    encode_head(major, u64::try_from(argument).unwrap_or(u64::MAX), out);
}

#[expect(clippy::cast_possible_truncation, reason = "each arm's range fits its width")]
fn encode_head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    match argument {
        0..=23 => out.push(major | argument as u8),
        24..=0xff => out.extend_from_slice(&[major | 0x18, argument as u8]),
        0x100..=0xffff => {
            out.push(major | 0x19);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 0x1a);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 0x1b);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}
