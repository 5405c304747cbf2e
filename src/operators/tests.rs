//! Every operator answers as its vectors say, and linked sets end as the fixtures. Knows the files of both, and writes
//! none of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::document::{Document, Format, json};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> Value {
    json::read(&fs::read(path).unwrap()).unwrap().value
}

fn written(value: &Value) -> String {
    json::write(value, &json::Style::default()).unwrap()
}

/// The vectors of an operator.
fn vectors(operator: &Operator) -> Vec<Value> {
    let file = read(&root(&format!("src/operators/vectors/{}.json", operator.id)));
    let map = file.as_map().unwrap();
    assert_eq!(map.get("operator_id").unwrap().as_text(), Some(operator.id));
    map.get("vectors").unwrap().as_list().unwrap().to_vec()
}

#[test]
fn m2_every_operator_answers_as_its_vectors_say() {
    for operator in OPERATORS {
        for vector in vectors(operator) {
            let vector = vector.as_map().unwrap();
            let name = vector.get("name").unwrap().as_text().unwrap();
            let answer = call(operator.id, vector.get("request").unwrap());
            let (expected, answer) = match answer {
                Ok(response) => ("response", response),
                Err(error) => ("error", error.to_value()),
            };
            let expected = vector.get(expected).unwrap_or(&Value::Null);
            assert_eq!(written(&answer), written(expected), "{}: {name}", operator.id);
        }
    }
}

/// The codes of an operator's vectors that refuse, and how many do not.
fn answers(operator: &Operator) -> (BTreeSet<String>, usize) {
    let (mut codes, mut successes) = (BTreeSet::new(), 0);
    for vector in vectors(operator) {
        match vector.as_map().unwrap().get("error") {
            Some(error) => {
                let code = error.as_map().unwrap().get("code_id").unwrap().as_text().unwrap();
                codes.insert(code.to_owned());
            }
            None => successes += 1,
        }
    }
    (codes, successes)
}

#[test]
fn m17_every_operator_has_a_vector_for_success_and_for_each_of_its_codes() {
    for operator in OPERATORS {
        let (shown, successes) = answers(operator);
        assert!(successes > 0, "{} has no success", operator.id);
        let allowed: BTreeSet<String> =
            operator.error_codes.iter().map(|code| code.id.to_owned()).collect();
        assert_eq!(shown, allowed, "{}", operator.id);
    }
}

#[test]
fn the_registry_is_sorted_and_every_code_is_registered() {
    assert!(OPERATORS.is_sorted_by(|one, other| one.id < other.id));
    for operator in OPERATORS {
        assert!(operator.error_codes.is_sorted_by(|one, other| one.id < other.id));
        assert!(
            operator
                .error_codes
                .iter()
                .all(|code| crate::diagnostic::Code::find(code.id).is_some())
        );
        assert_eq!(Operator::find(operator.id), Some(*operator));
    }
    let digests: BTreeSet<_> =
        OPERATORS.iter().map(|operator| operator.signature_digest()).collect();
    assert_eq!(digests.len(), OPERATORS.len());
}

/// A change of a schema, a code or a purity class is a change of what callers rely on: it shows here.
#[test]
fn the_registry_root_is_the_recorded_one() {
    assert_eq!(
        ledger_format::hash::hex(&registry_root()),
        "d4e92abc6686d94e02c76c3a7b04b6334fce0a5cc1e0721d03fe6df2bf370d7c"
    );
}

#[test]
fn every_schema_is_json_with_a_canonical_form() {
    let folder = fs::read_dir(root("src/operators/schemas")).unwrap();
    let paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(paths.len(), 6);
    for path in paths {
        crate::document::canonical::json(&read(&path), &[]).unwrap();
    }
    for operator in OPERATORS {
        let nothing = ledger_format::hash::ContentHash::of(b"");
        assert_ne!(operator.request_schema_digest(), nothing);
        assert_ne!(operator.response_schema_digest(), nothing);
    }
}

#[test]
fn what_is_no_operator_is_refused() {
    let error = call("Glyphser.Migrate.Everything", &Value::Null).unwrap_err();
    assert_eq!(error.code.id, "REQUEST_INVALID");
}

#[test]
fn the_functions_are_the_operators() {
    let old = json::read(br#"{"spec_version":"UML_OS.Config.SchemaValidator_v1"}"#).unwrap().value;
    let new = migrate_manifest(&old, "2").unwrap();
    assert_eq!(migrate_manifest(&new, "2"), Ok(new));
    assert_eq!(migrate_trace(&old, "T4").unwrap_err().code.id, "MIGRATION_VERSION_UNKNOWN");
    assert_eq!(migrate_checkpoint(&old, "C7").unwrap_err().code.id, "MIGRATION_VERSION_UNKNOWN");
}

const KINDS: [(&str, &str); 4] = [
    ("manifest.core.yaml", "glyphser-manifest"),
    ("run.trace.json", "glyphser-trace"),
    ("run.checkpoint.json", "glyphser-checkpoint"),
    ("execution_certificate.json", "glyphser-certificate"),
];

/// The objects of a folder of fixtures.
fn members(folder: &str) -> Vec<Member> {
    let member = |(name, kind): (&str, &str)| {
        let bytes = fs::read(root("fixtures/glyphser").join(folder).join(name)).ok()?;
        let format = if kind == "glyphser-manifest" { Format::Yaml } else { Format::Json };
        let document = Document::read(format, &bytes).unwrap();
        Some(Member {
            id: name.to_owned(),
            contract: kind.to_owned(),
            document,
            bytes,
            former: None,
        })
    };
    KINDS.into_iter().filter_map(member).collect()
}

fn given() -> Parameters {
    let given = read(&root("fixtures/glyphser/parameters.json"));
    let entries = given.as_map().unwrap().iter();
    entries.map(|(name, value)| (name.to_string(), value.clone())).collect()
}

fn refused(folder: &str) -> (String, String, String) {
    let error = migrate_linked(&members(folder), &given()).unwrap_err();
    (error.id, error.record.code.id.to_owned(), error.record.path)
}

#[test]
fn m14_a_linked_set_is_migrated_in_order_and_linked_again() {
    let (old, new) = (members("linked"), members("migrated"));
    assert_eq!((old.len(), new.len()), (4, 4));
    let outcomes = migrate_linked(&old, &given()).unwrap();
    for ((old, new), outcome) in old.iter().zip(&new).zip(outcomes) {
        let Outcome::Migrated { value, .. } = outcome else { panic!("{} is signed", old.id) };
        let bytes = old.document.with(value).write().unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), String::from_utf8_lossy(&new.bytes));
    }
    for (member, outcome) in new.iter().zip(migrate_linked(&new, &given()).unwrap()) {
        let Outcome::Migrated { value, .. } = outcome else { panic!("{} is signed", member.id) };
        assert_eq!(value, member.document.value, "{} is of the current version", member.id);
    }
    let backwards: Vec<Member> = old.iter().rev().cloned().collect();
    let mut outcomes = migrate_linked(&backwards, &given()).unwrap();
    outcomes.reverse();
    assert_eq!(outcomes, migrate_linked(&old, &given()).unwrap());
}

#[test]
fn m14_a_signed_certificate_stays_and_its_successors_are_told() {
    let signed = members("signed");
    let outcomes = migrate_linked(&signed, &given()).unwrap();
    let Outcome::Signed(told) = &outcomes[3] else { panic!("it is rewritten") };
    let new = members("migrated");
    let head = new[1].document.value.as_map().unwrap().get("trace_final_hash").unwrap();
    let places: Vec<String> = told.iter().map(|pair| pair.place.to_string()).collect();
    assert_eq!(
        places,
        [
            "/signed_payload/manifest_hash",
            "/signed_payload/checkpoint_hash",
            "/signed_payload/checkpoint_header_hash",
            "/signed_payload/trace_root_hash"
        ]
    );
    assert_eq!(Some(ledger_format::hash::hex(&told[3].new_hash).as_str()), head.as_text());
}

#[test]
fn m14_what_a_signed_object_names_is_found_by_what_a_ledger_knows() {
    let (signed, old) = (members("signed"), members("linked"));
    let mut now = members("migrated");
    now[3] = signed[3].clone();
    let error = migrate_linked(&now, &given()).unwrap_err();
    assert_eq!(error.record.code.id, "LINK_DANGLING");
    // The hashes that each object of the older set states or has.
    for (member, old) in now.iter_mut().zip(&old).take(3) {
        let text = String::from_utf8_lossy(&old.bytes).into_owned();
        let words = text.split(|letter: char| !letter.is_ascii_hexdigit());
        let stated = words.filter_map(|word| word.parse::<ledger_format::hash::ContentHash>().ok());
        let digest = crate::document::canonical::cbor(&old.document.value, &[]).unwrap().encode();
        let digest = ledger_format::hash::ContentHash::of(&digest);
        let known = stated.chain([digest]).map(|hash| *hash.as_bytes());
        member.former = Some(crate::link::Names::of(known));
    }
    let outcomes = migrate_linked(&now, &given()).unwrap();
    assert!(matches!(&outcomes[3], Outcome::Signed(told) if told.len() == 4));
}

#[test]
fn m14_what_does_not_fit_together_is_refused_by_name() {
    let refused_as =
        |id: &str, code: &str, path: &str| (id.to_owned(), code.to_owned(), path.to_owned());
    assert_eq!(
        refused("bad/stale-head"),
        refused_as("run.trace.json", "LINK_STALE", "/source/trace_final_hash")
    );
    assert_eq!(
        refused("bad/stale-self"),
        refused_as("run.checkpoint.json", "LINK_STALE", "/header/checkpoint_header_hash")
    );
    assert_eq!(
        refused("bad/renamed-not-rehashed"),
        refused_as("run.checkpoint.json", "LINK_STALE", "/header/manifest_hash")
    );
    assert_eq!(
        refused("bad/dangling"),
        refused_as("run.checkpoint.json", "LINK_DANGLING", "/header/trace_root_hash")
    );
    let contract = |name: &str| {
        crate::contract::load_file(&root("fixtures/glyphser/bad/cyclic").join(name)).unwrap()
    };
    let (left, right) = (contract("left.yaml"), contract("right.yaml"));
    let error = crate::link::Links::of(&[&left, &right]).unwrap_err();
    assert_eq!(error.code().id, "LINK_CYCLE");
}
