//! Each finding on a contract that has it, and a contract that has none.

use std::collections::BTreeMap;

use super::super::source::Source;
use super::*;

const TEXT: &str = r#"
contract: state
contract_version: 1.0.0
format: json
files: ["**/state.json"]
versions: ["0", "1", "2"]
current: "2"
min: "0"
detect:
  - {version: "0", when: {path: /v, absent: true}}
  - {version: "1", when: {path: /v, equals: 1}}
  - {version: "2", when: {path: /v, equals: 2}}
schemas: {"2": two.json}
edges:
  - from: "0"
    to: "1"
    steps:
      - add: {path: /v, value: 1}
      - each: {path: /tasks, steps: [{add: {path: /done, value: false}}]}
    proof: {addsDefaulted: [/v, "/tasks/*/done"], dropsNothing: true}
  - from: "1"
    to: "2"
    steps:
      - set: {path: /v, value: 2}
      - remove: {path: /draft, optional: true}
      - jq: {path: /tasks, program: "map(.)"}
    proof: {addsDefaulted: [], dropsNothing: false}
    lossy: [/draft]
invariants: [{id: same, expr: .source.id == .target.id}]
refs: [{at: /h, to_kind: state, preimage: file_bytes, encoding: hex}]
self_hash: [{at: /own, preimage: jcs_sha256, exclude: [/own], encoding: hex}]
signature: {at: [/signature], drop: false}
"#;

fn found(text: &str) -> Vec<Finding> {
    let files = BTreeMap::from([("two.json".to_owned(), b"{}".to_vec())]);
    lint(&Source::parse("c.yaml", text.as_bytes(), files).unwrap(), &BTreeSet::new())
}

#[test]
fn a_sound_contract_has_no_finding() {
    assert_eq!(found(TEXT), []);
}

#[test]
fn each_finding_is_found_with_its_place() {
    for (from, to, expected) in [
        ("state.json\"", "[state.json\"", "error glob 5:9"),
        ("contract: state", "contract: My State", "error name 2:11"),
        ("1.0.0", "'1.0'", "error contract-version 3:19"),
        ("files: [\"**/state.json\"]\n", "", "warning no-files 2:11"),
        ("{\"2\": two.json}", "{\"1\": two.json}", "warning no-schema 7:10"),
        (
            "invariants: [{id: same, expr: .source.id == .target.id}]\n",
            "",
            "warning no-invariants 15:3",
        ),
        ("expr: .source.id == .target.id", "expr: '.source |'", "error jq 29:31"),
        ("map(.)", "map(now)", "error not-deterministic 26:37"),
        ("path: /v, absent: true", "path: /w, absent: true", "warning detectors-overlap 11:5"),
        ("path: /v, absent: true", "path: /v, type: number", "warning detectors-overlap 11:5"),
        ("min: \"0\"", "min: \"9\"", "error rule 8:6"),
        ("current: \"2\"", "current: \"1\"", "error overshoot 22:9"),
        ("to: \"1\"", "to: \"0\"", "error cycle 15:5"),
        ("from: \"1\"\n    to: \"2\"", "from: \"0\"\n    to: \"1\"", "error duplicate-edge 21:5"),
        ("from: \"1\"\n    to: \"2\"", "from: \"0\"\n    to: \"2\"", "error dead-end 6:17"),
        ("versions: [\"0\", \"1\"", "versions: [\"0\", \"x\", \"1\"", "error gap 6:17"),
        ("versions: [\"0\", \"1\"", "versions: [\"0\", \"x\", \"1\"", "error undetected 6:17"),
        ("    lossy: [/draft]\n", "", "error undeclared-loss 25:9"),
        ("lossy: [/draft]", "lossy: [/drafts]", "error undeclared-loss 25:9"),
        (
            "- set: {path: /v, value: 2}",
            "- set: {path: /w, value: 2}",
            "warning undeclared-loss 24:9",
        ),
        ("- add: {path: /v, value: 1}", "- remove: {path: /x}", "error drops 20:65"),
        ("addsDefaulted: [/v, ", "addsDefaulted: [", "error adds-defaulted 18:9"),
        (
            "addsDefaulted: [/v, \"/tasks/*/done\"]",
            "addsDefaulted: [/v]",
            "error adds-defaulted 19:38",
        ),
        ("addsDefaulted: [/v, ", "addsDefaulted: [/v, /w, ", "error adds-defaulted 20:33"),
        (
            "invariants:",
            "normalize: [{remove: {path: /n}}]\ninvariants:",
            "error undeclared-loss 29:13",
        ),
        ("map(.)", "own_function", "error jq 26:37"),
        (
            "- add: {path: /v, value: 1}",
            "- ensure: {path: /w, type: array, value: [], message: m}",
            "error adds-defaulted 18:9",
        ),
        ("dropsNothing: true}", "dropsNothing: true}\n    lossy: [x]", "error rule 21:13"),
        ("to_kind: state", "to_kind: other", "error unknown-kind 30:26"),
        ("exclude: [/own]", "exclude: [/other]", "error self-hash 31:13"),
        (
            "preimage: file_bytes, encoding: hex",
            "preimage: file_bytes, encoding: bytes",
            "error encoding 30:65",
        ),
        ("signature: {at: [/signature], drop: false}", "", "warning no-signature 30:7"),
        ("signature: {at: [/signature]", "signature: {at: []", "error signature 32:12"),
        ("two.json}", "three.json}", "error rule 13:16"),
        (
            "dropsNothing: true}",
            "dropsNothing: true}\n    inverse: [{remove: {path: /v}}]",
            "warning inverse 21:14",
        ),
    ] {
        assert!(TEXT.contains(from), "{from}");
        let findings = found(&TEXT.replacen(from, to, 1));
        let said: Vec<String> = findings
            .iter()
            .map(|Finding { code, severity, at, .. }| {
                let severity = format!("{severity:?}").to_lowercase();
                format!("{severity} {code} {}", at.to_string().trim_start_matches("c.yaml:"))
            })
            .collect();
        assert!(said.iter().any(|said| said == expected), "{to}: {expected} is not in {said:#?}");
    }
}

#[test]
fn a_schema_that_is_no_json_is_found() {
    for (bytes, expected) in
        [("{", "two.json: "), ("[]", "two.json"), ("{\"a\":1,\"a\":2}", "two.json: ")]
    {
        let files = BTreeMap::from([("two.json".to_owned(), bytes.as_bytes().to_vec())]);
        let source = Source::parse("c.yaml", TEXT.as_bytes(), files).unwrap();
        let findings = lint(&source, &BTreeSet::new());
        assert!(
            findings
                .iter()
                .any(|finding| finding.code == "schema" && finding.message.contains(expected)),
            "{findings:?}"
        );
    }
}

#[test]
fn a_version_that_leads_on_but_not_to_the_current_one_is_unreachable() {
    let text = TEXT
        .replace("current: \"2\"", "current: \"3\"")
        .replace("versions: [\"0\", \"1\", \"2\"]", "versions: [\"0\", \"1\", \"2\", \"3\"]")
        .replace("detect:", "detect:\n  - {version: \"3\", when: {path: /v, equals: 3}}");
    let codes: Vec<&str> = found(&text).iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["unreachable", "unreachable", "dead-end", "no-schema"]);
}

#[test]
fn databases_are_not_asked_for_what_documents_have() {
    let source = super::super::registry::source_named("glyph-store").unwrap();
    assert_eq!(lint(&source, &BTreeSet::new()), []);
}
