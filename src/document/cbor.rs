//! CBOR documents: exactly the canonical profile of `ledger-format` (its SPEC, section 2), to values and back.
//!
//! An integer has its digits, a float the shortest digits of the same 64 bits, always with a point or an exponent: `1` and
//! `1.0` are two values, and both come back as the bytes they were. Infinity and not-a-number have no digits and are
//! refused. Names stand in canonical order, whatever order a step left them in.

use std::sync::Arc;

use ledger_format::cbor::{self, DecodeError, Decoder, Item, VALUE_DEPTH_MAX};

use super::{Key, Map, Number, Unwritable, Value, WriteError};

/// Bytes that are not acceptable CBOR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// They are not canonical.
    #[error(transparent)]
    Profile(#[from] DecodeError),
    /// A float that has no digits.
    #[error("at byte {offset}: not a finite number, for which no value here stands")]
    NotFinite {
        /// Where it begins.
        offset: usize,
    },
}

impl CborError {
    /// The byte at which it shows.
    pub const fn offset(&self) -> usize {
        match self {
            Self::Profile(error) => error.offset,
            Self::NotFinite { offset } => *offset,
        }
    }
}

/// Reads the one value of `bytes`.
pub fn read(bytes: &[u8]) -> Result<Value, CborError> {
    let mut reader =
        Reader { decoder: Decoder::new(bytes), keys: std::collections::HashSet::new() };
    let value = reader.value(VALUE_DEPTH_MAX)?;
    reader.decoder.finish()?;
    Ok(value)
}

struct Reader<'a> {
    decoder: Decoder<'a>,
    /// Every name seen, so that equal names share their memory.
    keys: std::collections::HashSet<Key>,
}

impl Reader<'_> {
    fn value(&mut self, depth_left: usize) -> Result<Value, CborError> {
        let offset = self.decoder.offset();
        Ok(match self.decoder.item(depth_left)? {
            Item::Null => Value::Null,
            Item::Bool(truth) => truth.into(),
            Item::Integer(integer) => {
                let number = Number::parse(&integer.get().to_string());
                number.map_or(Value::Null, Value::Number)
            }
            Item::Float(float) => {
                let number = Number::parse(&shortest(float.get()));
                Value::Number(number.ok_or(CborError::NotFinite { offset })?)
            }
            Item::Bytes(bytes) => Value::Bytes(bytes.into()),
            Item::Text(text) => Value::text(text),
            Item::Array(count) => {
                let values = (0..count).map(|_| self.value(depth_left - 1));
                Value::List(values.collect::<Result<_, _>>()?)
            }
            Item::Map(count) => self.map(count, depth_left - 1)?,
        })
    }

    fn map(&mut self, count: usize, depth_left: usize) -> Result<Value, CborError> {
        let mut map = Map::new();
        let mut previous = None;
        for _ in 0..count {
            let key = self.decoder.key(previous)?;
            previous = Some(key);
            let shared = self.shared(key);
            let value = self.value(depth_left)?;
            // Names come in order, so each is new.
            let _ = map.push(shared, value);
        }
        Ok(map.into())
    }

    fn shared(&mut self, key: &str) -> Key {
        if let Some(known) = self.keys.get(key) {
            return Arc::clone(known);
        }
        let key: Key = key.into();
        self.keys.insert(Arc::clone(&key));
        key
    }
}

/// The shortest digits that mean the same 64 bits, with a point or an exponent.
fn shortest(float: f64) -> String {
    format!("{float:?}")
}

/// The canonical bytes of `value`. Refused: numbers that 64 bits do not hold digit for digit, and too deep nesting.
pub fn write(value: &Value) -> Result<Vec<u8>, WriteError> {
    let mut bytes = Vec::new();
    write_into(value, VALUE_DEPTH_MAX, &mut bytes)?;
    Ok(bytes)
}

fn write_into(value: &Value, depth_left: usize, to: &mut Vec<u8>) -> Result<(), WriteError> {
    match value {
        Value::Null => cbor::encode_into(&cbor::Value::Null, to),
        Value::Bool(truth) => cbor::encode_into(&cbor::Value::Bool(*truth), to),
        Value::Number(number) => {
            let refused = || WriteError::here(Unwritable::Number(number.clone()));
            cbor::encode_into(&item(number).ok_or_else(refused)?, to);
        }
        Value::Text(text) => cbor::encode_text(text, to),
        Value::Bytes(bytes) => cbor::encode_bytes(bytes, to),
        Value::List(_) | Value::Map(_) if depth_left == 0 => {
            return Err(WriteError::here(Unwritable::Depth));
        }
        Value::List(values) => {
            cbor::encode_array_header(values.len(), to);
            for (place, value) in values.iter().enumerate() {
                let written = write_into(value, depth_left - 1, to);
                written.map_err(|error| error.within(&place.to_string()))?;
            }
        }
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|(a, _), (b, _)| cbor::key_order(a, b));
            cbor::encode_map_header(entries.len(), to);
            for (key, value) in entries {
                cbor::encode_text(key, to);
                write_into(value, depth_left - 1, to).map_err(|error| error.within(key))?;
            }
        }
    }
    Ok(())
}

/// The item that has exactly these digits.
fn item(number: &Number) -> Option<cbor::Value> {
    let digits = number.digits();
    if digits.contains(['.', 'e', 'E']) {
        let float = number.to_f64();
        let exact = float.is_finite() && shortest(float) == digits;
        return cbor::Float::new(float).filter(|_| exact).map(cbor::Value::Float);
    }
    let integer: i128 =
        digits.parse().ok().filter(|integer: &i128| integer.to_string() == digits)?;
    cbor::Integer::new(integer).map(cbor::Value::Integer)
}

#[cfg(test)]
mod tests {
    use ledger_format::hash::unhex;
    use quickcheck::quickcheck;

    use super::*;

    fn number(digits: &str) -> Value {
        Value::Number(Number::parse(digits).unwrap())
    }

    quickcheck! {
        fn floats_keep_their_bits(bits: u64) -> bool {
            let float = f64::from_bits(bits);
            let bytes = [&[0xfb][..], &bits.to_be_bytes()].concat();
            read(&bytes).map_or(!float.is_finite(), |value| write(&value) == Ok(bytes))
        }

        fn integers_keep_their_digits(integer: i64) -> bool {
            let value = number(&integer.to_string());
            read(&write(&value).unwrap()) == Ok(value)
        }

        fn what_is_written_is_read_and_written_alike(value: Value, bytes: Vec<u8>) -> bool {
            let value = Value::from(vec![value, Value::Bytes(bytes.into())]);
            // A value that other formats can hold may have a number that this one cannot.
            let Ok(written) = write(&value) else { return true };
            write(&read(&written).unwrap()) == Ok(written)
        }

        fn no_bytes_make_the_reader_fail(bytes: Vec<u8>) -> bool {
            read(&bytes).map_or(true, |value| write(&value) == Ok(bytes))
        }
    }

    #[test]
    fn digits_tell_integers_from_floats() {
        for (hex, digits) in [
            ("01", "1"),
            ("fb3ff0000000000000", "1.0"),
            ("fb8000000000000000", "-0.0"),
            ("fb4341c37937e08000", "1e16"),
            ("fb0000000000000001", "5e-324"),
            ("1bffffffffffffffff", "18446744073709551615"),
            ("3b7fffffffffffffff", "-9223372036854775808"),
        ] {
            let bytes = unhex(hex).unwrap();
            assert_eq!(read(&bytes), Ok(number(digits)), "{hex}");
            assert_eq!(write(&number(digits)), Ok(bytes), "{digits}");
        }
    }

    #[test]
    fn numbers_that_would_change_are_refused() {
        for digits in
            ["1.50", "-0", "1e3", "18446744073709551616", "0.1000000000000000055", "1e400"]
        {
            let error = write(&Value::from(vec![number(digits)])).unwrap_err();
            assert_eq!(error.path.to_string(), "/0");
            assert!(matches!(error.reason, Unwritable::Number(_)), "{digits}");
        }
    }

    #[test]
    fn everything_refused_is_named_with_its_byte() {
        for (hex, offset) in [
            ("", 0),
            ("8201", 2),
            ("82011817", 2),
            ("8201fb7ff8000000000000", 2),
            ("a16161fbfff0000000000000", 3),
            ("a2616200616100", 4),
            ("0000", 1),
            ("82c100", 1),
        ] {
            assert_eq!(read(&unhex(hex).unwrap()).unwrap_err().offset(), offset, "{hex}");
        }
    }

    #[test]
    fn names_are_written_in_canonical_order() {
        let map: Map = [("bb", Value::Null), ("c", Value::Null)].into_iter().collect();
        assert_eq!(write(&map.into()).unwrap(), unhex("a26163f6626262f6").unwrap());
    }
}
