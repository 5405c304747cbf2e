//! Any value of the profile, for properties.

use ledger_format::cbor::{Float, Integer, Map, Value};
use quickcheck::{Arbitrary, Gen};

/// Any value, floats included.
#[derive(Debug, Clone)]
pub(crate) struct AnyValue(pub(crate) Value);

/// Any value without floats.
#[derive(Debug, Clone)]
pub(crate) struct FloatFree(pub(crate) Value);

impl Arbitrary for AnyValue {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(value(g, 4, true))
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(parts(&self.0).into_iter().map(Self))
    }
}

impl Arbitrary for FloatFree {
    fn arbitrary(g: &mut Gen) -> Self {
        Self(value(g, 4, false))
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(parts(&self.0).into_iter().map(Self))
    }
}

fn value(g: &mut Gen, depth_left: usize, floats: bool) -> Value {
    let kinds: &[u8] = if depth_left == 0 { b"nbiIftx" } else { b"nbiIftxAAMMM" };
    match g.choose(kinds) {
        Some(b'n') => Value::Null,
        Some(b'b') => Value::Bool(bool::arbitrary(g)),
        Some(b'i') => Value::from(i64::from(i16::arbitrary(g))),
        Some(b'I') => integer(g),
        Some(b'f') if floats => float(g),
        Some(b'x') => Value::Bytes(Vec::arbitrary(g)),
        Some(b'A') => {
            let len = usize::arbitrary(g) % 6;
            Value::Array((0..len).map(|_| value(g, depth_left - 1, floats)).collect())
        }
        Some(b'M') => {
            let len = usize::arbitrary(g) % 6;
            let entries = (0..len).map(|_| (key(g), value(g, depth_left - 1, floats)));
            Value::Map(entries.collect::<Map>())
        }
        _ => Value::Text(String::arbitrary(g)),
    }
}

/// Keys that often share beginnings and lengths, so that their order is put to the test.
fn key(g: &mut Gen) -> String {
    let letters = ["a", "b", "aa", "é", "z", "", "\u{10ffff}", "0123456789012345678901234"];
    let count = usize::arbitrary(g) % 4;
    (0..count).filter_map(|_| g.choose(&letters).copied()).collect()
}

/// Integers around every border of the encoding.
fn integer(g: &mut Gen) -> Value {
    let borders: [i128; 8] =
        [0, 23, 0xff, 0xffff, 0xffff_ffff, (1 << 53) - 1, i64::MAX.into(), u64::MAX.into()];
    let border = g.choose(&borders).copied().unwrap_or_default();
    let near = border + i128::from(i8::arbitrary(g) % 3);
    let signed = if bool::arbitrary(g) { near } else { -1 - near };
    Integer::new(signed).map_or_else(|| Value::from(u64::arbitrary(g)), Value::Integer)
}

fn float(g: &mut Gen) -> Value {
    let special = [0.0, -0.0, 1.0, 0.1, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE];
    let number = if bool::arbitrary(g) {
        f64::from_bits(u64::arbitrary(g))
    } else {
        g.choose(&special).copied().unwrap_or_default()
    };
    Float::new(number)
        .or_else(|| Float::new(f64::from_bits(0x7ff8_0000_0000_0000)))
        .map_or(Value::Null, Value::Float)
}

fn parts(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Map(map) => map.iter().map(|(_, value)| value.clone()).collect(),
        _ => Vec::new(),
    }
}
