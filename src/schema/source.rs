//! From a document that is a schema to what the validator compiles: its draft, its references, its numbers.

use jsonschema::Draft;
use serde_json::Value as Plain;

use super::Defect;
use super::decimal::Decimal;
use crate::document::{Number, Pointer, Value};

/// Keywords that lead to another schema.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// The draft that `schema` says it is of, or 2020-12.
pub(super) fn draft(schema: &Value) -> Result<Draft, (Pointer, Defect)> {
    let Some(named) = schema.as_map().and_then(|map| map.get("$schema")) else {
        return Ok(Draft::Draft202012);
    };
    let text = named.as_text().unwrap_or_default();
    match text.trim_end_matches('#') {
        "https://json-schema.org/draft/2020-12/schema" => Ok(Draft::Draft202012),
        "http://json-schema.org/draft-07/schema" | "https://json-schema.org/draft-07/schema" => {
            Ok(Draft::Draft7)
        }
        _ => Err((Pointer::default().below("$schema"), Defect::Draft(format!("{text:?}")))),
    }
}

/// The schema with numbers of the machine; refused is one whose digits those cannot hold.
pub(super) fn plain(schema: &Value, place: &Pointer) -> Result<Plain, (Pointer, Defect)> {
    Ok(match schema {
        Value::Null => Plain::Null,
        Value::Bool(truth) => Plain::Bool(*truth),
        Value::Number(number) => {
            let exact = exact(number).map(Plain::Number);
            exact.ok_or_else(|| (place.clone(), Defect::Number(number.digits().to_owned())))?
        }
        Value::Text(text) => Plain::String(text.to_string()),
        Value::Bytes(_) => {
            let words = "it holds bytes, which no schema does".to_owned();
            return Err((place.clone(), Defect::Invalid(words)));
        }
        Value::List(values) => {
            let values = values.iter().enumerate();
            let values = values.map(|(at, value)| plain(value, &place.below(&at.to_string())));
            Plain::Array(values.collect::<Result<_, _>>()?)
        }
        Value::Map(map) => {
            let mut object = serde_json::Map::new();
            for (key, value) in map.iter() {
                object.insert(String::from(&**key), plain(value, &place.below(key))?);
            }
            Plain::Object(object)
        }
    })
}

fn exact(number: &Number) -> Option<serde_json::Number> {
    let digits = number.digits();
    if let Ok(integer) = digits.parse::<i64>() {
        return Some(integer.into());
    }
    if let Ok(integer) = digits.parse::<u64>() {
        return Some(integer.into());
    }
    let float = number.to_f64();
    let held = Decimal::read(digits) == Decimal::read(&format!("{float:?}"));
    serde_json::Number::from_f64(float).filter(|_| held)
}

/// The first reference that leads out of `schema`.
pub(super) fn remote_reference(schema: &Value) -> Option<(Pointer, Defect)> {
    find(schema, &Pointer::default())
}

fn find(value: &Value, place: &Pointer) -> Option<(Pointer, Defect)> {
    match value {
        Value::List(values) => values
            .iter()
            .enumerate()
            .find_map(|(at, value)| find(value, &place.below(&at.to_string()))),
        Value::Map(map) => map.iter().find_map(|(key, value)| match value.as_text() {
            Some(text) if REFERENCES.contains(&&**key) && !text.starts_with('#') => {
                Some((place.below(key), Defect::Remote(text.to_owned())))
            }
            _ => find(value, &place.below(key)),
        }),
        _ => None,
    }
}
