//! Which part of JSON Schema documents can be made for. A keyword outside of it is found before anything is made.

use std::collections::BTreeSet;

use super::text;
use crate::document::{Map, Pointer, Value};

/// Keywords that allow and forbid nothing.
const SILENT: [&str; 14] = [
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "$vocabulary",
];

/// Keywords that are understood and hold no schema.
const PLAIN: [&str; 17] = [
    "type",
    "enum",
    "const",
    "required",
    "minProperties",
    "maxProperties",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
];

/// Keywords that hold one schema, or in draft-07 a list of them.
const SCHEMA: [&str; 3] = ["items", "additionalItems", "additionalProperties"];

/// Keywords that hold a list of schemas.
const SCHEMAS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];

/// The first keyword that is reached from the root of `schema` and not understood, and its place.
pub(super) fn first_unsupported(schema: &Value) -> Option<(Pointer, String)> {
    Walk { root: schema, seen: BTreeSet::new() }.schema(schema, &Pointer::default())
}

/// What a local reference leads to.
pub(super) fn target<'a>(root: &'a Value, reference: &str) -> Option<(Pointer, &'a Value)> {
    let place: Pointer = unescaped(reference.strip_prefix('#')?)?.parse().ok()?;
    let target = place.get(root)?;
    Some((place, target))
}

/// The text of a fragment of a URI (RFC 3986, section 2.1).
fn unescaped(fragment: &str) -> Option<String> {
    let mut parts = fragment.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

struct Walk<'a> {
    root: &'a Value,
    seen: BTreeSet<Pointer>,
}

impl Walk<'_> {
    fn schema(&mut self, schema: &Value, place: &Pointer) -> Option<(Pointer, String)> {
        if !self.seen.insert(place.clone()) {
            return None;
        }
        let map = schema.as_map()?;
        map.iter().find_map(|(key, value)| self.keyword(key, value, &place.below(key), map))
    }

    fn keyword(
        &mut self,
        key: &str,
        value: &Value,
        place: &Pointer,
        beside: &Map,
    ) -> Option<(Pointer, String)> {
        match key {
            "pattern" => {
                let pattern = value.as_text().unwrap_or_default();
                (!text::is_simple(pattern)).then(|| (place.clone(), format!("pattern: {pattern}")))
            }
            "$ref" => self.reference(value.as_text().unwrap_or_default(), place),
            "properties" => {
                let mut entries = value.as_map()?.iter();
                entries.find_map(|(name, schema)| self.schema(schema, &place.below(name)))
            }
            // Without a tuple this says nothing.
            "additionalItems" if beside.get("items").and_then(Value::as_list).is_none() => None,
            _ if SILENT.contains(&key) || PLAIN.contains(&key) => None,
            _ if SCHEMA.contains(&key) || SCHEMAS.contains(&key) => match value.as_list() {
                Some(schemas) => schemas
                    .iter()
                    .enumerate()
                    .find_map(|(at, schema)| self.schema(schema, &place.below(&at.to_string()))),
                None => self.schema(value, place),
            },
            _ => Some((place.clone(), key.to_owned())),
        }
    }

    fn reference(&mut self, reference: &str, place: &Pointer) -> Option<(Pointer, String)> {
        match target(self.root, reference) {
            Some((place, schema)) => self.schema(schema, &place),
            None => Some((place.clone(), format!("$ref: {reference}"))),
        }
    }
}
