//! What several schemas together ask of one value.

use super::dice::Dice;
use super::subset::target;
use crate::document::{Map, Value};

/// References that are followed below each other; deeper ones are left out where that is allowed.
pub(super) const REFERENCES_MAX: usize = 6;

/// Everything that is asked of one value, after one branch of each choice was taken.
#[derive(Debug, Default)]
pub(super) struct Shape<'a> {
    /// The keyword objects that apply.
    pub(super) schemas: Vec<&'a Map>,
    /// How many references led here.
    pub(super) references: usize,
}

/// Takes together what `schema` says itself and by reference, and one branch of each choice. `None` if nothing satisfies it
/// or references lead too deep.
pub(super) fn shape<'a>(
    root: &'a Value,
    schemas: &[&'a Value],
    references: usize,
    dice: &mut Dice,
) -> Option<Shape<'a>> {
    let mut shape = Shape { schemas: Vec::new(), references };
    let mut open: Vec<(&Value, usize)> =
        schemas.iter().rev().map(|schema| (*schema, references)).collect();
    while let Some((schema, references)) = open.pop() {
        let map = match schema {
            Value::Bool(true) => continue,
            Value::Map(map) => map,
            _ => return None,
        };
        shape.references = shape.references.max(references);
        shape.schemas.push(map);
        if let Some(reference) = map.get("$ref") {
            if references >= REFERENCES_MAX {
                return None;
            }
            open.push((target(root, reference.as_text()?)?.1, references + 1));
        }
        let all = map.get("allOf").and_then(Value::as_list).unwrap_or_default();
        open.extend(all.iter().rev().map(|schema| (schema, references)));
        for choice in ["anyOf", "oneOf"] {
            if let Some(branches) = map.get(choice).and_then(Value::as_list) {
                open.push((dice.one_of(branches)?, references));
            }
        }
    }
    Some(shape)
}

impl<'a> Shape<'a> {
    /// Every value that stands under `key` in one of the schemas.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &'a Value> {
        self.schemas.iter().filter_map(move |schema| schema.get(key))
    }

    /// The greatest, or by `min` the smallest, size under `key`.
    pub(super) fn size(&self, key: &str, take: fn(usize, usize) -> usize) -> Option<usize> {
        let sizes = self.all(key).filter_map(|value| match value {
            Value::Number(number) => {
                let number = super::super::decimal::Decimal::read(number.digits()).to_integer()?;
                // A size beyond what there can be is no limit.
                Some(usize::try_from(number).unwrap_or(usize::MAX))
            }
            _ => None,
        });
        sizes.reduce(take)
    }

    /// The values it must be one of, if it must.
    pub(super) fn listed(&self) -> Option<&'a [Value]> {
        let consts = self.all("const").map(std::slice::from_ref);
        consts.chain(self.all("enum").filter_map(Value::as_list)).min_by_key(|values| values.len())
    }

    /// The types it may have.
    pub(super) fn types(&self) -> Vec<&'static str> {
        let all = ["object", "array", "string", "integer", "number", "boolean", "null"];
        let mut types: Vec<&'static str> = all.to_vec();
        for named in self.all("type") {
            let names: Vec<&str> = match named {
                Value::List(names) => names.iter().filter_map(Value::as_text).collect(),
                one => one.as_text().into_iter().collect(),
            };
            let allows = |kind: &str| {
                names.contains(&kind) || (kind == "integer" && names.contains(&"number"))
            };
            types.retain(|kind| allows(kind));
        }
        types
    }

    /// The types that its keywords speak of.
    pub(super) fn spoken_of(&self) -> Vec<&'static str> {
        let about = [
            (
                "object",
                &[
                    "properties",
                    "required",
                    "additionalProperties",
                    "minProperties",
                    "maxProperties",
                ][..],
            ),
            ("array", &["items", "prefixItems", "minItems", "maxItems", "uniqueItems"][..]),
            ("string", &["minLength", "maxLength", "pattern"][..]),
            (
                "number",
                &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"][..],
            ),
        ];
        let has = |keys: &[&str]| keys.iter().any(|key| self.all(key).next().is_some());
        about.into_iter().filter(|(_, keys)| has(keys)).map(|(kind, _)| kind).collect()
    }

    /// The schemas that speak of the entry `name`.
    pub(super) fn entry(&self, name: &str) -> Vec<&'a Value> {
        let of = |schema: &&'a Map| {
            let named = schema.get("properties").and_then(Value::as_map);
            named.and_then(|named| named.get(name)).or_else(|| schema.get("additionalProperties"))
        };
        self.schemas.iter().filter_map(of).collect()
    }

    /// The schemas that speak of the element at `place`.
    pub(super) fn element(&self, place: usize) -> Vec<&'a Value> {
        let of = |schema: &&'a Map| {
            let tuple = |key| schema.get(key).and_then(Value::as_list);
            match tuple("prefixItems") {
                Some(tuple) if place < tuple.len() => tuple.get(place),
                Some(_) => schema.get("items"),
                None => match tuple("items") {
                    Some(tuple) if place < tuple.len() => tuple.get(place),
                    Some(_) => schema.get("additionalItems"),
                    None => schema.get("items"),
                },
            }
        };
        self.schemas.iter().filter_map(of).collect()
    }
}
