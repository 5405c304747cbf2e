//! Which fields bodies can have, found out from their types: a reader that answers whatever it is
//! asked for, and writes down what that was. So no field is left out because some sample lacks it.

use std::collections::BTreeSet;

use serde::de::value::{BorrowedStrDeserializer, Error};
use serde::de::{
    DeserializeOwned, DeserializeSeed, EnumAccess, Error as _, Expected, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::{Deserializer, forward_to_deserialize_any};

use crate::body::{
    ApprovalsSet, Body, ContractFrozen, DriftAccepted, KeyAuthorized, KeyRevoked, KeyRotated,
    LedgerCreated, ObjectMigrated, ObjectObserved, ObjectPruned, ObjectStaged, PlanApproved,
    ProofRecorded, RunAbandoned, RunAborted, RunCommitted, RunPublished, RunRoute, RunStarted,
    StateRecorded, StoreAdopted,
};

/// Path and type of every field of every kind.
pub(super) fn of_every_kind() -> BTreeSet<(String, String)> {
    let kinds: [fn(&mut Found, usize); 21] = [
        ask::<LedgerCreated>,
        ask::<KeyAuthorized>,
        ask::<KeyRotated>,
        ask::<KeyRevoked>,
        ask::<ApprovalsSet>,
        ask::<PlanApproved>,
        ask::<StoreAdopted>,
        ask::<ObjectObserved>,
        ask::<ObjectPruned>,
        ask::<DriftAccepted>,
        ask::<ContractFrozen>,
        ask::<ProofRecorded>,
        ask::<RunStarted>,
        ask::<RunRoute>,
        ask::<ObjectStaged>,
        ask::<ObjectMigrated>,
        ask::<RunCommitted>,
        ask::<RunPublished>,
        ask::<RunAborted>,
        ask::<RunAbandoned>,
        ask::<StateRecorded>,
    ];
    assert_eq!(kinds.len(), Body::KINDS.len());
    let mut found = Found::new();
    for kind in kinds {
        // Each round answers every choice with its next variant; none has more than four.
        (0..12).for_each(|round| kind(&mut found, round));
    }
    found
}

type Found = BTreeSet<(String, String)>;

fn ask<T: DeserializeOwned>(found: &mut Found, round: usize) {
    let asked = Asked { path: &[], round, found };
    assert!(T::deserialize(asked).is_ok(), "{} was not answered", std::any::type_name::<T>());
}

/// A list of one.
struct One<'a>(Option<Asked<'a>>);

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        self.0.take().map(|asked| seed.deserialize(asked)).transpose()
    }
}

/// The place that is asked for.
struct Asked<'a> {
    path: &'a [&'static str],
    round: usize,
    found: &'a mut Found,
}

impl Asked<'_> {
    fn write_down(self, holds: &str) {
        self.found.insert((self.path.join("."), holds.to_owned()));
    }
}

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Error;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom(format_args!("no answer for {}", &visitor as &dyn Expected)))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.write_down("Boolean");
        visitor.visit_bool(true)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.write_down("Integer");
        visitor.visit_u64(0)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.write_down("Text");
        visitor.visit_str("")
    }

    /// As many as the visitor says that it expects.
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.write_down("Text");
        let expected = (&visitor as &dyn Expected).to_string();
        let length = expected.split(' ').next().and_then(|number| number.parse().ok());
        visitor.visit_bytes(&vec![0; length.ok_or_else(|| Error::custom(expected))?])
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    /// A list is one field, whatever the one thing in it says.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let (path, round) = (self.path, self.round);
        self.write_down("Text");
        visitor.visit_seq(One(Some(Asked { path, round, found: &mut Found::new() })))
    }

    /// A map with an open set of keys is one field.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let (path, round) = (self.path, self.round);
        self.write_down("Text");
        let found = &mut Found::new();
        visitor.visit_map(Fields { of: Asked { path, round, found }, names: &[] })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Fields { of: self, names })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        assert!(names.len() <= 4, "{names:?}: more rounds are needed");
        visitor.visit_enum(Variant { name: names[self.round % names.len()], of: self })
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char str byte_buf unit unit_struct newtype_struct
        tuple tuple_struct identifier ignored_any
    }
}

struct Fields<'a> {
    of: Asked<'a>,
    names: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let name = self.names.first();
        name.map(|name| seed.deserialize(BorrowedStrDeserializer::new(name))).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let (name, rest) = self.names.split_first().ok_or_else(|| Error::custom("no field"))?;
        self.names = rest;
        let path = &[self.of.path, &[*name]].concat();
        seed.deserialize(Asked { path, round: self.of.round, found: self.of.found })
    }
}

struct Variant<'a> {
    of: Asked<'a>,
    name: &'static str,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        Ok((seed.deserialize(BorrowedStrDeserializer::new(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    /// A variant without fields is a word.
    fn unit_variant(self) -> Result<(), Error> {
        self.of.write_down("Text");
        Ok(())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let path = &[self.of.path, &[self.name]].concat();
        let of = Asked { path, round: self.of.round, found: self.of.found };
        visitor.visit_map(Fields { of, names })
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, _: S) -> Result<S::Value, Error> {
        Err(Error::custom("no body has one"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("no body has one"))
    }
}
