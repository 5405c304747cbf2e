//! The published schema of contracts says what the loader says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use glyph_ledger::contract::{ContractError, load_bytes, registry};
use serde_json::Value;

use crate::support::{check_against, schema_of};

const TEXT: &str = r#"
contract: c
contract_version: 1.0.0
format: json
description: d
files: ["*.json"]
operator: o
versions: ["0", "1"]
current: "1"
min: "0"
detect:
  - {version: "0", when: {path: /v, absent: true}}
  - {version: "1", when: {all: [{path: /v, equals: 1}, {path: "", shape: {has: [v], lacks: [w]}}, {path: /v, type: integer}]}}
parameters: {cwd: where}
edges:
  - from: "0"
    to: "1"
    steps:
      - rename: {path: /a, to: b, optional: true}
      - move: {from: /a, to: /b}
      - copy: {from: /a, to: /b}
      - add: {path: /v, value: null, reason: r}
      - set: {path: /v, jq: .x}
      - merge: {path: "", value: {a: 1}}
      - remove: {path: /x, equals: [1]}
      - convert: {path: /x, to: number_to_text}
      - map_values: {path: /x, table: [{from: 1, to: 2}], otherwise: keep}
      - nest: {path: /n, keys: [a]}
      - hoist: {path: /n, keys: [a]}
      - wrap: {path: /n, key: a}
      - unwrap: {path: /n, key: a}
      - each: {path: /l, steps: [{when: {if: {path: /x, not_in: [1]}, steps: []}}]}
      - require: {path: /x, type: object, message: m}
      - jq: {path: /x, program: .}
      - ensure: {path: /x, type: array, jq: "[]", reads: [/y], message: m}
      - add:
          path: /g
          groups:
            of: /l
            where: {path: /i, filled: true}
            by: /n
            otherwise: o
            all: [{name: a, if: {path: /s, ends_with: [x], not_ends_with: [yx]}, first_by: /i}]
            collect: [{name: c, path: /i}]
            jq: "{n: .name}"
      - rehash: {at: /h, over: "", from: trace_chain_t1, to: trace_chain_t2}
      - program: {path: /x, argv: [/bin/true], timeout_ms: 5}
    proof: {addsDefaulted: [/v, /g], dropsNothing: false, invariant: i}
    lossy: [/x]
    inverse: []
normalize: [{add: {path: /n, value: {a: [1]}}}]
normalize_lossy: [/n]
invariants: [{id: i, expr: "true"}]
refs: [{at: /l/*/h, to_kind: c, preimage: "commit:t", exclude: [/h], encoding: sha256-hex, versions: ["1"]}]
self_hash: [{at: /h, preimage: jcs_sha256, exclude: [/h], encoding: hex, of: /x, versions: ["1"]}]
identity: {/l: /id}
signature: {at: [/s], drop: false}
"#;

fn schema() -> Value {
    schema_of("contract")
}

fn by_schema(text: &str) -> Result<(), String> {
    let options = serde_saphyr::options! { strict_booleans: true };
    let value: Value =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())?;
    check_against(&schema(), &value)
}

fn by_loader(text: &str) -> Result<(), String> {
    let loaded = load_bytes("c", text.as_bytes(), BTreeMap::new());
    loaded.map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_built_in_contract_is_valid() {
    for name in registry::names() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/contract/built_in");
        let text = fs::read_to_string(format!("{folder}/{name}/contract.yaml")).unwrap();
        assert_eq!(by_schema(&text), Ok(()), "{name}");
    }
}

#[test]
fn schema_and_loader_take_and_refuse_the_same() {
    assert_eq!((by_schema(TEXT), by_loader(TEXT)), (Ok(()), Ok(())));
    for (from, to) in [
        ("contract: c\n", ""),
        ("contract: c\n", "contract: 1\n"),
        ("contract: c\n", "contract: c\nmore: 1\n"),
        ("contract: c\n", "contract: c\nscripts: {}\n"),
        ("format: json", "format: xml"),
        ("format: json", "format: [json]"),
        ("files: [\"*.json\"]", "files: \"*.json\""),
        ("versions: [\"0\", \"1\"]", "versions: {}"),
        ("min: \"0\"", "min: 0"),
        ("absent: true", "absent: yes"),
        ("absent: true", "missing: true"),
        ("has: [v]", "has: v"),
        ("has: [v]", "owns: [v]"),
        ("type: integer", "type: float"),
        ("parameters: {cwd: where}", "parameters: [cwd]"),
        ("parameters: {cwd: where}", "parameters: {cwd: [where]}"),
        ("from: \"0\"\n", ""),
        ("steps:\n", "stages:\n"),
        ("rename:", "call:"),
        ("- rename: {path: /a, to: b, optional: true}", "- {}"),
        ("- rename: {path: /a, to: b, optional: true}", "- rename"),
        ("path: /a, to: b, optional: true", "path: a, to: b"),
        ("path: /a, to: b, optional: true", "path: /a~2, to: b"),
        ("path: /a, to: b, optional: true", "path: /a"),
        ("path: /a, to: b, optional: true", "path: /a, to: b, force: true"),
        ("path: /a, to: b, optional: true", "path: /a, to: b, optional: 1"),
        ("move: {from: /a, to: /b}", "move: {from: /a}"),
        ("copy: {from: /a, to: /b}", "copy: {from: /a, to: /b}, sql: x"),
        ("reason: r", "because: r"),
        ("to: number_to_text", "to: text"),
        ("{from: 1, to: 2}", "{from: 1}"),
        ("otherwise: keep", "otherwise: drop"),
        ("keys: [a]", "keys: a"),
        ("{path: /n, key: a}", "{path: /n}"),
        ("not_in: [1]", "not_in: 1"),
        ("if: {path: /x, not_in: [1]}, ", ""),
        ("type: object, ", ""),
        ("type: object", "type: map"),
        ("program: .", "script: ."),
        ("jq: \"[]\", reads: [/y]", "jq: \"[]\", reads: /y"),
        ("type: array, ", ""),
        ("            by: /n\n", ""),
        ("filled: true", "filled: 1"),
        ("if: {path: /s, ends_with: [x]", "if: {path: /s, ends_with: x"),
        ("first_by: /i", "last_by: /i"),
        ("{name: c, path: /i}", "{name: c}"),
        ("to: trace_chain_t2", "to: trace_chain_t9"),
        ("argv: [/bin/true], ", ""),
        ("timeout_ms: 5", "timeout_ms: soon"),
        ("normalize_lossy: [/n]", "normalize_lossy: /n"),
        ("dropsNothing: false", "dropsNothing: 0"),
        ("dropsNothing: false", "drops_nothing: false"),
        ("addsDefaulted: [/v, /g], ", ""),
        ("lossy: [/x]", "lossy: /x"),
        ("inverse: []", "inverse: {}"),
        ("expr: \"true\"", "expr: true"),
        ("id: i, ", ""),
        ("at: /l/*/h", "at: l"),
        ("to_kind: c, ", ""),
        ("encoding: sha256-hex", "encoding: sha256"),
        ("exclude: [/h], encoding: hex", "encoding: hex"),
        ("of: /x", "of: x"),
        ("of: /x, versions: [\"1\"]", "versions: 1"),
        ("sha256-hex, versions", "sha256-hex, until"),
        ("{/l: /id}", "{/l: id}"),
        (", drop: false", ""),
        ("drop: false", "drop: no"),
    ] {
        assert!(TEXT.contains(from), "{from}");
        let bent = TEXT.replacen(from, to, 1);
        assert!(by_loader(&bent).is_err(), "the loader takes {to}");
        assert!(by_schema(&bent).is_err(), "the schema takes {to}");
    }
}

/// The loader names every operation it knows when it meets one that it does not know.
#[test]
fn the_schema_has_every_operation() {
    let error = by_loader(&TEXT.replace("rename:", "call:")).unwrap_err();
    let known = error.split("expected one of ").nth(1).unwrap();
    let known: BTreeSet<&str> = known.split(", ").map(|name| name.trim_matches('`')).collect();
    let schema = schema();
    let described = schema["$defs"]["step"]["properties"].as_object().unwrap();
    assert_eq!(known, described.keys().map(String::as_str).collect());
}

/// Every place of a value, the root first.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => {
            map.iter()
                .for_each(|(key, value)| places(value, &format!("{here}/{}", escaped(key)), found));
        }
        Value::Array(list) => {
            let each = list.iter().enumerate();
            each.for_each(|(at, value)| places(value, &format!("{here}/{at}"), found));
        }
        _ => {}
    }
}

/// What the loader says of the form of a contract, apart from what rules say of its meaning.
fn form_by_loader(text: &str) -> Result<(), String> {
    match load_bytes("c", text.as_bytes(), BTreeMap::new()) {
        Err(error @ ContractError::Syntax { .. }) => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// A field with no value, a value of another kind, a key more: wherever the schema refuses it the loader does, and wherever
/// the loader finds the form wrong the schema does.
#[test]
fn m1_schema_and_loader_agree_on_every_contract_that_is_bent_in_one_place() {
    let options = serde_saphyr::options! { strict_booleans: true };
    let whole: Value = serde_saphyr::from_str_with_options(TEXT, options).unwrap();
    let schema = schema();
    let mut all = Vec::new();
    places(&whole, "", &mut all);
    let bends = ["null", "1", "\"x\"", "true", "[]", "{}", "[null]", "{\"x\": null}"];
    let mut tried = 0;
    for place in &all {
        for bend in bends {
            let mut bent = whole.clone();
            *bent.pointer_mut(place).unwrap() = serde_json::from_str(bend).unwrap();
            tried += 1;
            let text = serde_json::to_string(&bent).unwrap();
            let (schema, loader) = (check_against(&schema, &bent), by_loader(&text));
            assert!(
                schema.is_ok() || loader.is_err(),
                "{place} = {bend}: {schema:?}, the loader takes it"
            );
            // Of what is hashed the schema says only that it is a text.
            if place.ends_with("/preimage") && bent.pointer(place).unwrap().is_string() {
                continue;
            }
            let form = form_by_loader(&text);
            assert!(
                form.is_ok() || schema.is_err(),
                "{place} = {bend}: {form:?}, the schema takes it"
            );
        }
        // A key that nobody knows.
        let mut bent = whole.clone();
        if let Some(map) = bent.pointer_mut(place).unwrap().as_object_mut() {
            map.insert("unheard".to_owned(), Value::Null);
            let text = serde_json::to_string(&bent).unwrap();
            let (schema, form) = (check_against(&schema, &bent), form_by_loader(&text));
            assert_eq!(schema.is_ok(), form.is_ok(), "{place}: {schema:?} {form:?}");
        }
    }
    assert!(tried > 1_000, "{tried}");
}

/// `description:` and nothing behind it.
#[test]
fn m1_a_field_without_a_value_is_refused_by_both() {
    for field in ["description: d", "operator: o"] {
        let bent = TEXT.replacen(field, field.split(' ').next().unwrap(), 1);
        assert!(bent != TEXT && by_schema(&bent).is_err() && by_loader(&bent).is_err(), "{field}");
    }
}
