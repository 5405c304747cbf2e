//! SPEC.md says what the code does, as far as that can be compared: limits, kinds, columns, tags and
//! the worked example.

use std::path::Path;

use ledger_format::body::{Body, ROUTE_EDGES_MAX};
use ledger_format::bundle::BUNDLE_BYTES_MAX;
use ledger_format::cbor::{EVENT_DEPTH_MAX, VALUE_DEPTH_MAX};
use ledger_format::column::{Column, Holds};
use ledger_format::consistency::CONSISTENCY_BYTES_MAX;
use ledger_format::cosignature::COSIGNED_AT_MAX;
use ledger_format::event::{AT_MS_MAX, EVENT_BYTES_MAX, FORMAT, SEQ_MAX};
use ledger_format::flat::{FLAT_LINE_BYTES_MAX, FLAT_SCHEMA, TYPES_SCHEMA, flat_columns};
use ledger_format::frame::FRAME_BYTES_MAX;
use ledger_format::hash::HASH_BYTES;
use ledger_format::json::NUMBER_MAX;
use ledger_format::line::{COLUMNS, LINE_BYTES_MAX, LINE_SCHEMA};
use ledger_format::note::NOTE_BYTES_MAX;
use ledger_format::proof::PROOF_BYTES_MAX;
use ledger_format::statement::{CLAIMS_MAX, EVIDENCE_EVENTS_MAX};
use ledger_format::tree::PROOF_NODES_MAX;

use crate::{history, make};

#[test]
fn the_limits_are_those_of_the_code() {
    let spec = spec();
    for (name, value) in [
        ("FORMAT", i128::from(FORMAT)),
        ("HASH_BYTES", HASH_BYTES as i128),
        ("EVENT_DEPTH_MAX", EVENT_DEPTH_MAX as i128),
        ("VALUE_DEPTH_MAX", VALUE_DEPTH_MAX as i128),
        ("EVENT_BYTES_MAX", EVENT_BYTES_MAX as i128),
        ("SEQ_MAX", SEQ_MAX.into()),
        ("AT_MS_MAX", AT_MS_MAX.into()),
        ("NUMBER_MAX", NUMBER_MAX),
        ("NOTE_BYTES_MAX", NOTE_BYTES_MAX as i128),
        ("COSIGNED_AT_MAX", COSIGNED_AT_MAX.into()),
        ("ROUTE_EDGES_MAX", ROUTE_EDGES_MAX as i128),
        ("PROOF_NODES_MAX", PROOF_NODES_MAX as i128),
        ("PROOF_BYTES_MAX", PROOF_BYTES_MAX as i128),
        ("CONSISTENCY_BYTES_MAX", CONSISTENCY_BYTES_MAX as i128),
        ("CLAIMS_MAX", CLAIMS_MAX as i128),
        ("EVIDENCE_EVENTS_MAX", EVIDENCE_EVENTS_MAX as i128),
        ("BUNDLE_BYTES_MAX", BUNDLE_BYTES_MAX as i128),
        ("FRAME_BYTES_MAX", FRAME_BYTES_MAX as i128),
        ("LINE_BYTES_MAX", LINE_BYTES_MAX as i128),
        ("FLAT_LINE_BYTES_MAX", FLAT_LINE_BYTES_MAX as i128),
    ] {
        assert!(spec.contains(&format!("| `{name}` | {value} |")), "{name} = {value}");
    }
}

#[test]
fn every_public_limit_of_the_code_has_its_row() {
    let spec = spec();
    let mut found = 0;
    for source in sources(&folder().join("src")) {
        let names = source.lines().filter_map(|line| line.strip_prefix("pub const "));
        for name in names.filter_map(|rest| rest.split(':').next()) {
            if name.ends_with("_MAX") || name.ends_with("_BYTES") {
                assert!(spec.contains(&format!("| `{name}` |")), "{name}");
                found += 1;
            }
        }
    }
    assert!(found >= 11, "{found}");
}

#[test]
fn every_kind_has_its_schema_with_its_fields_in_canonical_order() {
    let spec = spec();
    let mut events: Vec<Vec<u8>> =
        history::history().unwrap().events.into_iter().map(|(_, bytes)| bytes).collect();
    events.extend(history::other_events().unwrap());
    for kind in Body::KINDS {
        let (_, after) = spec.split_once(&format!("\n; {kind}")).expect(kind);
        let (_, schema) = after.split_once("\n{").unwrap();
        let schema = schema.split("\n\n").next().unwrap();
        for bytes in &events {
            let event = ledger_format::event::Event::decode(bytes).unwrap();
            let value = event.body.to_value().unwrap();
            let ledger_format::cbor::Value::Map(body) = value else { panic!("a map") };
            if event.body.kind() == *kind {
                let places: Option<Vec<usize>> =
                    body.iter().map(|(key, _)| schema.find(&format!(" {key}: "))).collect();
                assert!(places.expect(kind).is_sorted(), "{kind}");
            }
        }
    }
}

#[test]
fn columns_schema_and_worked_example_are_those_of_the_code() {
    let spec = spec();
    for schema in [LINE_SCHEMA, FLAT_SCHEMA, TYPES_SCHEMA] {
        assert!(spec.contains(&format!("`{schema}`")), "{schema}");
    }
    let files = make::files().unwrap();
    let (_, example) = files.iter().find(|(name, _)| *name == "example.txt").unwrap();
    assert!(spec.contains(example.as_str()), "the worked example is not vectors/example.txt");
}

#[test]
fn the_columns_of_lines_are_those_of_the_code() {
    let spec = spec();
    let (_, table) = spec.split_once("| column | type | value |\n|---|---|---|\n").unwrap();
    let mut found = Vec::new();
    for row in table.lines().take_while(|row| row.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        found.extend(cells[1].split(", ").map(|name| format!("{name} {}", cells[2])));
    }
    let expected = COLUMNS.map(|Column { name, holds, nullable }| {
        let holds = if holds == Holds::Integer { "number" } else { "text" };
        format!("`{name}` {holds}{}", if nullable { " or null" } else { "" })
    });
    assert_eq!(found, expected);
}

#[test]
fn the_columns_of_flat_lines_are_those_of_the_code() {
    let spec = spec();
    let (_, section) = spec.split_once("### 11.1").unwrap();
    let listed = section.split("```").nth(1).unwrap().split_whitespace().skip(1);
    let expected =
        flat_columns().skip(COLUMNS.len()).map(|Column { name, holds, .. }| match holds {
            Holds::Text => name.to_owned(),
            Holds::Integer => format!("{name}#"),
            Holds::Boolean => format!("{name}?"),
        });
    assert_eq!(listed.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

fn spec() -> String {
    std::fs::read_to_string(folder().join("SPEC.md")).unwrap()
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(sources(&path));
        } else {
            texts.push(std::fs::read_to_string(path).unwrap());
        }
    }
    texts
}
