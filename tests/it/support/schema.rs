//! Checks answers against the published schemas. Reads the part of JSON Schema (2020-12) that they
//! use, and refuses a schema that uses more.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

/// The published schema of that name.
pub(crate) fn schema_of(name: &str) -> Value {
    let path = format!("{}/docs/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let text =
        fs::read_to_string(Path::new(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Panics unless `answer` has the form of every answer, and its data that of its command's.
pub(crate) fn check_answer(command: &str, answer: &Value) {
    check_against(&schema_of("answer"), answer).unwrap();
    assert_eq!(answer["schema"], format!("glyph-ledger/{command}/0"));
    if !answer["data"].is_null() {
        check_against(&schema_of(command), &answer["data"]).unwrap();
    }
}

/// Why `value` is not valid under `schema`.
pub(crate) fn check_against(schema: &Value, value: &Value) -> Result<(), String> {
    check(schema, schema, value, "value")
}

/// `root` is the schema that references without a file lead into.
fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if *schema == Value::Bool(true) {
        return Ok(());
    }
    for (keyword, rule) in schema.as_object().ok_or(format!("{at}: a schema is a map"))? {
        let holds = match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" => true,
            "type" => types(rule).any(|name| is_of_type(value, name)),
            "const" => value == rule,
            "enum" => rule.as_array().is_some_and(|all| all.contains(value)),
            "pattern" => matches_pattern(rule, value),
            "minimum" => value.is_null() || value.as_u64() >= rule.as_u64(),
            "maximum" => {
                value.is_null() || value.as_u64().is_some_and(|n| Some(n) <= rule.as_u64())
            }
            "required" => !value.is_object() || types(rule).all(|key| value.get(key).is_some()),
            "properties" => {
                check_properties(root, rule, value, at)?;
                true
            }
            "additionalProperties" if *rule == Value::Bool(false) => {
                unknown(schema, value).is_empty()
            }
            "additionalProperties" => {
                for (key, value) in unknown(schema, value) {
                    check(root, rule, value, &format!("{at}/{key}"))?;
                }
                true
            }
            "$ref" => {
                let place = rule.as_str().ok_or("a reference is a text")?;
                if let Some(inside) = place.strip_prefix('#') {
                    let target = root.pointer(inside).ok_or(format!("{at}: no {place}"))?;
                    check(root, target, value, at)?;
                } else {
                    let name = place.strip_suffix(".schema.json");
                    let other = schema_of(name.ok_or("a reference names a file here")?);
                    check(&other, &other, value, at)?;
                }
                true
            }
            "anyOf" => rule
                .as_array()
                .into_iter()
                .flatten()
                .any(|rule| check(root, rule, value, at).is_ok()),
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{at}/{place}"))?;
                }
                true
            }
            "maxItems" => {
                value.as_array().is_none_or(|items| Some(items.len() as u64) <= rule.as_u64())
            }
            "minProperties" => entries(value).is_none_or(|number| Some(number) >= rule.as_u64()),
            "maxProperties" => entries(value).is_none_or(|number| Some(number) <= rule.as_u64()),
            _ => return Err(format!("{at}: the checker does not know {keyword:?}")),
        };
        if !holds {
            return Err(format!("{at}: {value} against {keyword}: {rule}"));
        }
    }
    Ok(())
}

fn entries(value: &Value) -> Option<u64> {
    value.as_object().map(|map| map.len() as u64)
}

fn check_properties(root: &Value, rules: &Value, value: &Value, at: &str) -> Result<(), String> {
    for (key, rule) in rules.as_object().ok_or("properties is a map")? {
        if let Some(value) = value.get(key) {
            check(root, rule, value, &format!("{at}/{key}"))?;
        }
    }
    Ok(())
}

/// What `value` has beyond the properties of `schema`.
fn unknown<'a>(schema: &Value, value: &'a Value) -> Vec<(&'a String, &'a Value)> {
    let none = Map::new();
    let known = schema["properties"].as_object().unwrap_or(&none);
    let all = value.as_object().into_iter().flatten();
    all.filter(|(key, _)| !known.contains_key(*key)).collect()
}

/// One text, or a list of them.
fn types(rule: &Value) -> impl Iterator<Item = &str> {
    rule.as_str().into_iter().chain(rule.as_array().into_iter().flatten().filter_map(Value::as_str))
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

/// The few patterns that the schemas use.
fn matches_pattern(rule: &Value, value: &Value) -> bool {
    let hex = |text: &str| text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    match (rule.as_str(), value.as_str()) {
        (_, None) => true,
        (Some("^[0-9a-f]{64}$"), Some(text)) => text.len() == 64 && hex(text),
        (Some("^(/([^/~]|~[01])*)*$"), Some(text)) => {
            text.is_empty()
                || text.starts_with('/') && !text.replace("~0", "").replace("~1", "").contains('~')
        }
        (Some("^([0-9a-f]{2})+$"), Some(text)) => {
            !text.is_empty() && text.len().is_multiple_of(2) && hex(text)
        }
        _ => false,
    }
}

#[test]
fn the_checker_finds_what_a_schema_forbids() {
    use serde_json::json;
    let schema = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["id"],
        "properties": {
            "id": {"type": "string", "pattern": "^([0-9a-f]{2})+$"},
            "list": {"type": "array", "items": {"enum": ["a", null]}},
            "map": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 2}},
            "few": {"type": "integer", "maximum": 3},
            "either": {"anyOf": [{"const": 1}, {"type": "null"}]},
            "one": {"type": "object", "minProperties": 1, "maxProperties": 1},
            "place": {"$ref": "#/$defs/place"}
        },
        "$defs": {"place": {"type": "string", "pattern": "^(/([^/~]|~[01])*)*$"}}
    });
    let good = json!({"id": "0f", "list": ["a", null], "map": {"x": 2}, "few": 3, "either": null,
        "one": {"a": 1}, "place": "/a/~0~1/"});
    assert_eq!(check_against(&schema, &good), Ok(()));
    for bad in [
        json!([]),
        json!({}),
        json!({"id": 1}),
        json!({"id": "0F"}),
        json!({"id": "0f", "more": 1}),
        json!({"id": "0f", "list": ["b"]}),
        json!({"id": "0f", "map": {"x": 1}}),
        json!({"id": "0f", "either": 2}),
        json!({"id": "0f", "few": 4}),
        json!({"id": "0f", "one": {}}),
        json!({"id": "0f", "one": {"a": 1, "b": 2}}),
        json!({"id": "0f", "place": "a"}),
        json!({"id": "0f", "place": "/a~2"}),
    ] {
        assert!(check_against(&schema, &bad).is_err(), "{bad}");
    }
    assert!(check_against(&json!({"oneOf": []}), &json!(1)).is_err());
}
