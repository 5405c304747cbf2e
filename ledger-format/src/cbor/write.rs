//! From serde types straight to canonical bytes, without a value in between: what [`to_value`](super::to_value) and
//! [`encode_into`](super::encode_into) give together, and refused where they refuse.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::bridge::BridgeError;
use super::{
    Integer, MAJOR_TEXT, encode_array_header, encode_bytes, encode_integer, encode_map_header,
    encode_text, encode_unsigned,
};

/// The canonical bytes of what `item` serialises to.
pub fn to_bytes<T: Serialize + ?Sized>(item: &T) -> Result<Vec<u8>, BridgeError> {
    let mut out = Vec::with_capacity(BYTES_GUESS);
    append(item, &mut out)?;
    Ok(out)
}

/// Appends the canonical bytes of what `item` serialises to. After an error part of them may be there.
pub fn append<T: Serialize + ?Sized>(item: &T, out: &mut Vec<u8>) -> Result<(), BridgeError> {
    item.serialize(Writer(out))
}

/// What most events take.
const BYTES_GUESS: usize = 512;

impl serde::ser::Error for BridgeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        <Self as serde::de::Error>::custom(message)
    }
}

fn refuse<T>(what: &str) -> Result<T, BridgeError> {
    Err(<BridgeError as serde::ser::Error>::custom(format_args!("{what} cannot be encoded here")))
}

/// Appends one item.
struct Writer<'o>(&'o mut Vec<u8>);

impl<'o> Writer<'o> {
    fn integer(self, number: i128) -> Result<(), BridgeError> {
        let Some(Integer(number)) = Integer::new(number) else {
            return refuse("an integer outside -2^63..2^64-1");
        };
        encode_integer(number, self.0);
        Ok(())
    }

    /// A variant that holds something: a map of one entry, whose value follows.
    fn variant(self, name: &str) -> Self {
        encode_map_header(1, self.0);
        encode_text(name, self.0);
        self
    }

    fn items(self, len: Option<usize>) -> Items<'o> {
        let start = self.0.len();
        if let Some(len) = len {
            encode_array_header(len, self.0);
        }
        Items { start, announced: len, count: 0, out: self.0 }
    }

    fn entries(self) -> Entries<'o> {
        Entries { start: self.0.len(), given: Vec::new(), out: self.0 }
    }
}

impl<'o> Serializer for Writer<'o> {
    type Ok = ();
    type Error = BridgeError;
    type SerializeSeq = Items<'o>;
    type SerializeTuple = Items<'o>;
    type SerializeTupleStruct = Items<'o>;
    type SerializeTupleVariant = Items<'o>;
    type SerializeMap = Entries<'o>;
    type SerializeStruct = Entries<'o>;
    type SerializeStructVariant = Entries<'o>;

    fn serialize_bool(self, truth: bool) -> Result<(), BridgeError> {
        self.0.push(if truth { 0xf5 } else { 0xf4 });
        Ok(())
    }

    fn serialize_i8(self, number: i8) -> Result<(), BridgeError> {
        self.integer(number.into())
    }

    fn serialize_i16(self, number: i16) -> Result<(), BridgeError> {
        self.integer(number.into())
    }

    fn serialize_i32(self, number: i32) -> Result<(), BridgeError> {
        self.integer(number.into())
    }

    fn serialize_i64(self, number: i64) -> Result<(), BridgeError> {
        self.integer(number.into())
    }

    fn serialize_i128(self, number: i128) -> Result<(), BridgeError> {
        self.integer(number)
    }

    fn serialize_u8(self, number: u8) -> Result<(), BridgeError> {
        self.serialize_u64(number.into())
    }

    fn serialize_u16(self, number: u16) -> Result<(), BridgeError> {
        self.serialize_u64(number.into())
    }

    fn serialize_u32(self, number: u32) -> Result<(), BridgeError> {
        self.serialize_u64(number.into())
    }

    fn serialize_u64(self, number: u64) -> Result<(), BridgeError> {
        encode_unsigned(number, self.0);
        Ok(())
    }

    fn serialize_u128(self, number: u128) -> Result<(), BridgeError> {
        match u64::try_from(number) {
            Ok(number) => self.serialize_u64(number),
            Err(_) => refuse("an integer outside -2^63..2^64-1"),
        }
    }

    fn serialize_f32(self, _number: f32) -> Result<(), BridgeError> {
        refuse("a float or tag")
    }

    fn serialize_f64(self, _number: f64) -> Result<(), BridgeError> {
        refuse("a float or tag")
    }

    fn serialize_char(self, character: char) -> Result<(), BridgeError> {
        self.serialize_str(character.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), BridgeError> {
        encode_text(text, self.0);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), BridgeError> {
        encode_bytes(bytes, self.0);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), BridgeError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, item: &T) -> Result<(), BridgeError> {
        item.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), BridgeError> {
        self.0.push(0xf6);
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), BridgeError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), BridgeError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        item: &T,
    ) -> Result<(), BridgeError> {
        item.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        item: &T,
    ) -> Result<(), BridgeError> {
        // How ciborium is told of tags, which the profile has none of.
        if name == "@@TAG@@" {
            return refuse("a float or tag");
        }
        item.serialize(self.variant(variant))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items<'o>, BridgeError> {
        Ok(self.items(len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Items<'o>, BridgeError> {
        Ok(self.items(Some(len)))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        len: usize,
    ) -> Result<Items<'o>, BridgeError> {
        Ok(self.items(Some(len)))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Items<'o>, BridgeError> {
        if name == "@@TAG@@" {
            return refuse("a float or tag");
        }
        Ok(self.variant(variant).items(Some(len)))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Entries<'o>, BridgeError> {
        Ok(self.entries())
    }

    fn serialize_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Entries<'o>, BridgeError> {
        Ok(self.entries())
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Entries<'o>, BridgeError> {
        Ok(self.variant(variant).entries())
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The items of an array, whose header may have to wait for their number.
struct Items<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    announced: Option<usize>,
    count: usize,
}

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), BridgeError> {
        self.count += 1;
        append(item, self.out)
    }

    fn close(self) -> Result<(), BridgeError> {
        match self.announced {
            Some(announced) if announced == self.count => Ok(()),
            Some(_) => refuse("a list of another length than it said"),
            None => {
                let items = self.out.split_off(self.start);
                encode_array_header(self.count, self.out);
                self.out.extend_from_slice(&items);
                Ok(())
            }
        }
    }
}

/// The entries of a map as they were given: they are put in order once all are there.
struct Entries<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    /// Where the key, the value and what follows it begin.
    given: Vec<(usize, usize, usize)>,
}

impl Entries<'_> {
    fn key(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), BridgeError>,
    ) -> Result<(), BridgeError> {
        let key = self.out.len();
        write(self.out)?;
        match self.out.get(key) {
            Some(head) if head >> 5 == MAJOR_TEXT => {
                let value = self.out.len();
                self.given.push((key, value, value));
                Ok(())
            }
            _ => refuse("a key that is not text"),
        }
    }

    fn value<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), BridgeError> {
        append(item, self.out)?;
        if let Some((_, _, end)) = self.given.last_mut() {
            *end = self.out.len();
        }
        Ok(())
    }

    fn close(mut self) -> Result<(), BridgeError> {
        let (start, bytes) = (self.start, self.out.split_off(self.start));
        let part = |from: usize, to: usize| bytes.get(from - start..to - start).unwrap_or_default();
        // By their canonical bytes, the shorter key comes first.
        self.given.sort_unstable_by(|a, b| part(a.0, a.1).cmp(part(b.0, b.1)));
        let twice = |pair: &[(usize, usize, usize)]| matches!(pair, [a, b] if part(a.0, a.1) == part(b.0, b.1));
        if self.given.windows(2).any(twice) {
            return refuse("a key that stands twice");
        }
        encode_map_header(self.given.len(), self.out);
        for (key, _, end) in &self.given {
            self.out.extend_from_slice(part(*key, *end));
        }
        Ok(())
    }
}

macro_rules! items {
    ($($trait:ident $method:ident),*) => {
        $(impl $trait for Items<'_> {
            type Ok = ();
            type Error = BridgeError;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), BridgeError> {
                self.item(item)
            }

            fn end(self) -> Result<(), BridgeError> {
                self.close()
            }
        })*
    };
}

items!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

macro_rules! fields {
    ($($trait:ident),*) => {
        $(impl $trait for Entries<'_> {
            type Ok = ();
            type Error = BridgeError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                item: &T,
            ) -> Result<(), BridgeError> {
                self.key(|out| {
                    encode_text(key, out);
                    Ok(())
                })?;
                self.value(item)
            }

            fn end(self) -> Result<(), BridgeError> {
                self.close()
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = BridgeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), BridgeError> {
        self.key(|out| append(key, out))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), BridgeError> {
        self.value(item)
    }

    fn end(self) -> Result<(), BridgeError> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cbor::to_value;

    #[derive(serde::Serialize)]
    struct Everything<'a> {
        zeta: Option<u8>,
        a: i64,
        list: Vec<Kind>,
        nested: BTreeMap<&'a str, (bool, char)>,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<u8>,
        bytes: crate::hash::ContentHash,
        unit: (),
    }

    #[derive(serde::Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Holding(u64),
        Pair(i8, u16),
        Named { later: u8, b: i128 },
    }

    fn everything(number: u64) -> Everything<'static> {
        Everything {
            zeta: number.is_multiple_of(2).then_some(7),
            a: i64::MIN + i64::try_from(number).unwrap(),
            list: vec![
                Kind::Plain,
                Kind::Holding(number),
                Kind::Pair(-1, 300),
                Kind::Named { later: 1, b: -70_000 },
            ],
            nested: [("longer", (true, 'é')), ("b", (false, 'x'))].into(),
            absent: None,
            bytes: crate::hash::ContentHash::of(b"x"),
            unit: (),
        }
    }

    #[test]
    fn bytes_are_those_of_the_value() {
        for number in [0, 23, 24, 255, 256, 65_535, 65_536, 1 << 32, u64::from(u32::MAX)] {
            let item = everything(number);
            assert_eq!(to_bytes(&item).unwrap(), to_value(&item).unwrap().encode());
        }
        for body in crate::body::samples::every_kind() {
            let mut bytes = Vec::new();
            body.encode_into(&mut bytes).unwrap();
            assert_eq!(bytes, body.to_value().unwrap().encode());
        }
    }

    /// A sequence and a map that do not know how long they are.
    struct Unannounced(u8);

    impl Serialize for Unannounced {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut items = serializer.serialize_seq(None)?;
            for item in 0..self.0 {
                items.serialize_element(&item)?;
            }
            items.end()
        }
    }

    /// A map with these keys, in this order.
    struct Keys<K>(Vec<K>);

    impl<K: Serialize> Serialize for Keys<K> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|key| (key, 1)))
        }
    }

    #[test]
    fn lengths_that_are_not_known_before_are_written_first() {
        for len in [0, 1, 23, 24, 200] {
            let item = Unannounced(len);
            assert_eq!(to_bytes(&item).unwrap(), to_value(&item).unwrap().encode());
        }
    }

    #[test]
    fn what_has_no_value_has_no_bytes() {
        fn refused<T: Serialize>(item: &T, why: &str) {
            let said = to_bytes(item).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
            assert!(to_value(item).is_err());
        }
        refused(&1.5_f64, "float");
        refused(&(1.5_f32, 1), "float");
        refused(&(i128::from(i64::MIN) - 1), "an integer outside");
        refused(&(u128::from(u64::MAX) + 1), "an integer outside");
        refused(&Keys(vec![1, 2]), "not text");
        refused(&Keys(vec!["a", "b", "a"]), "twice");
        let keys = Keys(vec!["bb", "a", "c", ""]);
        assert_eq!(to_bytes(&keys).unwrap(), to_value(&keys).unwrap().encode());
    }
}
