//! Reading what an operator is called with: closed maps, every refusal with its place.

use super::ErrorRecord;
use crate::diagnostic;
use crate::document::{Map, Pointer, Value};

/// A map of a request, and where it stands.
pub(super) struct Request<'a> {
    operator_id: &'static str,
    map: &'a Map,
    place: Pointer,
}

impl<'a> Request<'a> {
    pub(super) fn of(operator_id: &'static str, value: &'a Value) -> Result<Self, ErrorRecord> {
        let place = Pointer::default();
        match value.as_map() {
            Some(map) => Ok(Self { operator_id, map, place }),
            None => Err(refuse(operator_id, &place, "an object")),
        }
    }

    /// Refuses every other field.
    pub(super) fn only(&self, fields: &[&str]) -> Result<(), ErrorRecord> {
        let other = self.map.iter().find(|(key, _)| !fields.contains(&&***key));
        match other {
            Some((key, _)) => {
                Err(refuse(self.operator_id, &self.place.below(key), "no such field"))
            }
            None => Ok(()),
        }
    }

    pub(super) fn optional(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field)
    }

    pub(super) fn value(&self, field: &str) -> Result<&'a Value, ErrorRecord> {
        self.optional(field).ok_or_else(|| self.refuse(field, "a value"))
    }

    pub(super) fn text(&self, field: &str) -> Result<&'a str, ErrorRecord> {
        self.optional(field).and_then(Value::as_text).ok_or_else(|| self.refuse(field, "a text"))
    }

    pub(super) fn map(&self, field: &str) -> Result<&'a Map, ErrorRecord> {
        self.optional(field).and_then(Value::as_map).ok_or_else(|| self.refuse(field, "an object"))
    }

    pub(super) fn pointer(&self, field: &str) -> Result<Pointer, ErrorRecord> {
        self.text(field)?.parse().map_err(|_| self.refuse(field, "an RFC 6901 pointer"))
    }

    /// The objects of a list.
    pub(super) fn list(&self, field: &str) -> Result<Vec<Self>, ErrorRecord> {
        let values = self.optional(field).and_then(Value::as_list);
        let values = values.ok_or_else(|| self.refuse(field, "a list"))?;
        let mut maps = Vec::with_capacity(values.len());
        for (position, value) in values.iter().enumerate() {
            let place = self.place.below(field).below(&position.to_string());
            let map = value.as_map();
            let map = map.ok_or_else(|| refuse(self.operator_id, &place, "an object"))?;
            maps.push(Self { operator_id: self.operator_id, map, place });
        }
        Ok(maps)
    }

    fn refuse(&self, field: &str, expected: &str) -> ErrorRecord {
        refuse(self.operator_id, &self.place.below(field), expected)
    }
}

fn refuse(operator_id: &str, place: &Pointer, expected: &str) -> ErrorRecord {
    let message = format!("expected {expected}");
    ErrorRecord::of(&diagnostic::REQUEST_INVALID, operator_id, place.to_string(), message)
}
