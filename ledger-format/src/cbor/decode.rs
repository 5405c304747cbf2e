//! The strict decoder: accepts exactly the encoder's output.

use std::cmp::Ordering;

use super::{
    Float, Integer, MAJOR_ARRAY, MAJOR_BYTES, MAJOR_MAP, MAJOR_NEGATIVE, MAJOR_TAG, MAJOR_TEXT,
    MAJOR_UNSIGNED, Map, Value, key_order,
};

/// Why bytes are not a value of the profile, and at which byte that shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {reason}")]
pub struct DecodeError {
    /// Offset of the first byte that breaks the profile.
    pub offset: usize,
    /// The rule it breaks.
    pub reason: Reason,
}

/// The rules of the profile, each as its breach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The bytes end inside a value.
    #[error("the value is cut off")]
    Truncated,
    /// Bytes follow the value.
    #[error("bytes follow the value")]
    Trailing,
    /// A length or number is written longer than needed.
    #[error("a number or length is not in its shortest form")]
    NotShortest,
    /// Indefinite length or a reserved header.
    #[error("indefinite lengths and reserved headers are not part of the profile")]
    Indefinite,
    /// A tag.
    #[error("tags are not part of the profile")]
    Tag,
    /// A negative integer below −2^63.
    #[error("the integer is below -2^63")]
    IntegerRange,
    /// A float of 16 or 32 bits.
    #[error("floats are always 64 bits wide")]
    FloatWidth,
    /// A NaN other than `7ff8000000000000`.
    #[error("the only NaN is 7ff8000000000000")]
    NanPayload,
    /// A simple value other than false, true and null.
    #[error("the only simple values are false, true and null")]
    Simple,
    /// Text that is not UTF-8.
    #[error("text is not valid UTF-8")]
    Utf8,
    /// A map key that is not text.
    #[error("map keys are text")]
    KeyType,
    /// A key at or before its predecessor.
    #[error("map keys are not in canonical order")]
    KeyOrder,
    /// The same key twice.
    #[error("a map key stands twice")]
    DuplicateKey,
    /// Nesting beyond the limit.
    #[error("arrays and maps nest deeper than allowed")]
    Depth,
}

/// Decodes one value that fills `bytes` exactly, nested at most `depth_max` arrays and maps deep.
pub fn decode(bytes: &[u8], depth_max: usize) -> Result<Value, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let value = decoder.value(depth_max)?;
    decoder.finish()?;
    Ok(value)
}

/// Reads canonical bytes item by item. The one place that knows the profile's rules; what the items
/// become is for its callers.
#[derive(Debug)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// One item: a scalar, or the header of an array or map of so many items or entries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Item<'a> {
    /// `null`.
    Null,
    /// `false` or `true`.
    Bool(bool),
    /// An integer.
    Integer(Integer),
    /// A binary64 number.
    Float(Float),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A text string.
    Text(&'a str),
    /// An array of so many items, which follow.
    Array(usize),
    /// A map of so many entries, which follow: [`Decoder::key`], then the value.
    Map(usize),
}

impl<'a> Decoder<'a> {
    /// A reader at the first of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Offset of the next byte.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// The next item. An array or map needs a `depth_left` of at least 1; its items have one less.
    pub fn item(&mut self, depth_left: usize) -> Result<Item<'a>, DecodeError> {
        let start = self.at;
        let (major, low) = self.initial()?;
        match major {
            MAJOR_UNSIGNED => Ok(Item::Integer(Integer::from(self.argument(start, low)?))),
            MAJOR_NEGATIVE => {
                let number = -1 - i128::from(self.argument(start, low)?);
                let number = Integer::new(number);
                number.map(Item::Integer).ok_or(error(start, Reason::IntegerRange))
            }
            MAJOR_BYTES => self.string(start, low).map(Item::Bytes),
            MAJOR_TEXT => self.text(start, low).map(Item::Text),
            MAJOR_ARRAY | MAJOR_MAP if depth_left == 0 => Err(error(start, Reason::Depth)),
            MAJOR_ARRAY => self.length(start, low).map(Item::Array),
            MAJOR_MAP => self.length(start, low).map(Item::Map),
            MAJOR_TAG => Err(error(start, Reason::Tag)),
            _ => self.simple_or_float(start, low),
        }
    }

    /// The key of a map's next entry, which must come after `previous`.
    pub fn key(&mut self, previous: Option<&str>) -> Result<&'a str, DecodeError> {
        let start = self.at;
        let (major, low) = self.initial()?;
        if major != MAJOR_TEXT {
            return Err(error(start, Reason::KeyType));
        }
        let key = self.text(start, low)?;
        match previous.map(|previous| key_order(previous, key)) {
            None | Some(Ordering::Less) => Ok(key),
            Some(Ordering::Equal) => Err(error(start, Reason::DuplicateKey)),
            Some(Ordering::Greater) => Err(error(start, Reason::KeyOrder)),
        }
    }

    /// Checks the next value, items and all, and returns its bytes.
    pub(super) fn skip(&mut self, depth_left: usize) -> Result<&'a [u8], DecodeError> {
        let start = self.at;
        match self.item(depth_left)? {
            Item::Array(len) => {
                for _ in 0..len {
                    self.skip(depth_left - 1)?;
                }
            }
            Item::Map(len) => {
                let mut previous = None;
                for _ in 0..len {
                    previous = Some(self.key(previous)?);
                    self.skip(depth_left - 1)?;
                }
            }
            _ => {}
        }
        Ok(self.bytes.get(start..self.at).unwrap_or_default())
    }

    /// Nothing may follow the value.
    pub const fn finish(&self) -> Result<(), DecodeError> {
        if self.at < self.bytes.len() { Err(error(self.at, Reason::Trailing)) } else { Ok(()) }
    }

    fn value(&mut self, depth_left: usize) -> Result<Value, DecodeError> {
        Ok(match self.item(depth_left)? {
            Item::Null => Value::Null,
            Item::Bool(truth) => Value::Bool(truth),
            Item::Integer(number) => Value::Integer(number),
            Item::Float(number) => Value::Float(number),
            Item::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Item::Text(text) => Value::Text(text.to_owned()),
            Item::Array(len) => {
                let mut items = Vec::with_capacity(len.min(CAPACITY_GUESS_MAX));
                for _ in 0..len {
                    items.push(self.value(depth_left - 1)?);
                }
                Value::Array(items)
            }
            Item::Map(len) => {
                let mut map = Map(Vec::with_capacity(len.min(CAPACITY_GUESS_MAX)));
                let mut previous = None;
                for _ in 0..len {
                    let key = self.key(previous)?;
                    map.push_sorted(key.to_owned(), self.value(depth_left - 1)?);
                    previous = Some(key);
                }
                Value::Map(map)
            }
        })
    }

    fn simple_or_float(&mut self, start: usize, low: u8) -> Result<Item<'a>, DecodeError> {
        match low {
            20 => Ok(Item::Bool(false)),
            21 => Ok(Item::Bool(true)),
            22 => Ok(Item::Null),
            25 | 26 => Err(error(start, Reason::FloatWidth)),
            27 => {
                let number = f64::from_bits(u64::from_be_bytes(self.take_array()?));
                Float::new(number).map(Item::Float).ok_or(error(start, Reason::NanPayload))
            }
            28..=31 => Err(error(start, Reason::Indefinite)),
            _ => Err(error(start, Reason::Simple)),
        }
    }

    fn text(&mut self, start: usize, low: u8) -> Result<&'a str, DecodeError> {
        let bytes = self.string(start, low)?;
        std::str::from_utf8(bytes).map_err(|_| error(start, Reason::Utf8))
    }

    fn string(&mut self, start: usize, low: u8) -> Result<&'a [u8], DecodeError> {
        let len = self.length(start, low)?;
        self.take(len)
    }

    /// A length that the remaining bytes can hold: every item takes at least one byte, so a larger
    /// one is refused before anything is allocated for it.
    fn length(&mut self, start: usize, low: u8) -> Result<usize, DecodeError> {
        let len = self.argument(start, low)?;
        let left = self.bytes.len() - self.at;
        usize::try_from(len)
            .ok()
            .filter(|len| *len <= left)
            .ok_or(error(self.bytes.len(), Reason::Truncated))
    }

    fn argument(&mut self, start: usize, low: u8) -> Result<u64, DecodeError> {
        let (argument, smallest) = match low {
            0..=23 => return Ok(low.into()),
            24 => (u64::from(u8::from_be_bytes(self.take_array()?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.take_array()?)), 0x100),
            26 => (u64::from(u32::from_be_bytes(self.take_array()?)), 0x1_0000),
            27 => (u64::from_be_bytes(self.take_array()?), 0x1_0000_0000),
            _ => return Err(error(start, Reason::Indefinite)),
        };
        if argument < smallest {
            return Err(error(start, Reason::NotShortest));
        }
        Ok(argument)
    }

    fn initial(&mut self) -> Result<(u8, u8), DecodeError> {
        let [byte] = self.take_array::<1>()?;
        Ok((byte >> 5, byte & 0x1f))
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let taken = taken.ok_or(error(self.bytes.len(), Reason::Truncated))?;
        self.at += N;
        Ok(*taken)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..len));
        let taken = taken.ok_or(error(self.bytes.len(), Reason::Truncated))?;
        self.at += len;
        Ok(taken)
    }
}

const fn error(offset: usize, reason: Reason) -> DecodeError {
    DecodeError { offset, reason }
}

/// Items reserved ahead at most: a short header may claim as many items as bytes remain, and an
/// item in memory is far larger than a byte.
const CAPACITY_GUESS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::super::{EVENT_DEPTH_MAX, map};
    use super::*;
    use crate::hash::unhex;

    fn refused(hex: &str) -> (usize, Reason) {
        let error = decode(&unhex(hex).unwrap(), EVENT_DEPTH_MAX).unwrap_err();
        (error.offset, error.reason)
    }

    #[test]
    fn every_breach_of_the_profile_is_named_with_its_byte() {
        for (hex, offset, reason) in [
            ("", 0, Reason::Truncated),
            ("1817", 0, Reason::NotShortest),
            ("1900ff", 0, Reason::NotShortest),
            ("1a0000ffff", 0, Reason::NotShortest),
            ("1b00000000ffffffff", 0, Reason::NotShortest),
            ("5800", 0, Reason::NotShortest),
            ("3b8000000000000000", 0, Reason::IntegerRange),
            ("9f00ff", 0, Reason::Indefinite),
            ("7f6161ff", 0, Reason::Indefinite),
            ("c100", 0, Reason::Tag),
            ("f93c00", 0, Reason::FloatWidth),
            ("fa3f800000", 0, Reason::FloatWidth),
            ("fb7ff8000000000001", 0, Reason::NanPayload),
            ("fbfff8000000000000", 0, Reason::NanPayload),
            ("f7", 0, Reason::Simple),
            ("f818", 0, Reason::Simple),
            ("61ff", 0, Reason::Utf8),
            ("a10000", 1, Reason::KeyType),
            ("a2616200616100", 4, Reason::KeyOrder),
            ("a262616100616200", 5, Reason::KeyOrder),
            ("a2616100616100", 4, Reason::DuplicateKey),
            ("0000", 1, Reason::Trailing),
            ("8201", 2, Reason::Truncated),
            ("9bffffffffffffffff", 9, Reason::Truncated),
            ("a1", 1, Reason::Truncated),
        ] {
            assert_eq!(refused(hex), (offset, reason), "{hex}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| [vec![0x81; depth], vec![0x00]].concat();
        assert!(decode(&nested(EVENT_DEPTH_MAX), EVENT_DEPTH_MAX).is_ok());
        let error = decode(&nested(EVENT_DEPTH_MAX + 1), EVENT_DEPTH_MAX).unwrap_err();
        assert_eq!((error.offset, error.reason), (EVENT_DEPTH_MAX, Reason::Depth));
    }

    #[test]
    fn every_prefix_of_a_value_is_truncated() {
        let value = map([
            ("a", Value::from(1000_u64)),
            ("bb", Value::Array(vec![Value::Null, Value::from("text"), Value::from(-70_000_i64)])),
            ("ccc", Value::Float(Float::new(0.1).unwrap())),
        ]);
        let bytes = value.encode();
        assert_eq!(decode(&bytes, EVENT_DEPTH_MAX), Ok(value));
        for cut in 0..bytes.len() {
            assert_eq!(
                decode(&bytes[..cut], EVENT_DEPTH_MAX).unwrap_err().reason,
                Reason::Truncated
            );
        }
    }
}
