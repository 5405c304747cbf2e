//! First contracts from examples, each tried on the example it was made from.

use super::super::{Contract, detect_document, load_bytes, resolve};
use super::*;
use crate::document::json;

fn value(text: &str) -> Value {
    json::read(text.as_bytes()).unwrap().value
}

fn made(before: &str, after: &str) -> Result<(Draft, Contract), DraftError> {
    let (before, after) = (value(before), value(after));
    let (name, format, files) = ("example", Format::Json, "**/example.json");
    let draft = draft(&Examples { name, format, files, before: &before, after: &after })?;
    let contract = load_bytes("draft", draft.text.as_bytes(), BTreeMap::new()).unwrap();
    // The lint has nothing to say but what is announced, in the draft and in its text.
    let source = Source::parse("draft", draft.text.as_bytes(), BTreeMap::new()).unwrap();
    let findings = lint(&source, &BTreeSet::new());
    let found: BTreeSet<_> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), draft.warnings, "{}", draft.text);
    assert!(draft.warnings.iter().all(|code| draft.text.contains(code)), "{}", draft.text);
    Ok((draft, contract))
}

fn written(value: &Value) -> String {
    let plain =
        json::Style { indent: None, colon: "".into(), end: "".into(), ..json::Style::default() };
    json::write(value, &plain).unwrap()
}

/// The older example after the edge, which must be recognised before and after.
fn migrated(before: &str, after: &str) -> (String, Vec<String>) {
    let (draft, contract) = made(before, after).unwrap();
    assert_eq!(draft.reaches, Some(true), "{}", draft.text);
    let mut document = value(before);
    let from = detect_document(&contract, &document).unwrap();
    let path = resolve(&contract, from, &contract.current).unwrap();
    for edge in &path {
        apply(&edge.steps, &Programs::of(&edge.steps).unwrap(), &mut document).unwrap();
    }
    assert_eq!(path.len(), 1);
    assert_eq!(detect_document(&contract, &document).unwrap(), contract.current);
    assert_eq!(detect_document(&contract, &value(after)).unwrap(), contract.current);
    (written(&document), draft.lossy)
}

#[test]
fn each_difference_becomes_a_step_that_makes_it() {
    for (before, after, expected, lossy) in [
        (r#"{"v":1,"a":1}"#, r#"{"v":2,"a":5}"#, r#"{"v":2,"a":1}"#, vec![]),
        (r#"{"a":1}"#, r#"{"schemaVersion":1,"a":1}"#, r#"{"a":1,"schemaVersion":1}"#, vec![]),
        (r#"{"version":"x","a":1}"#, r#"{"a":1}"#, r#"{"a":1}"#, vec![]),
        (r#"{"v":1,"run_id":"x"}"#, r#"{"v":2,"runId":"y"}"#, r#"{"v":2,"runId":"x"}"#, vec![]),
        (
            r#"{"v":1,"titel":"On time"}"#,
            r#"{"v":2,"name":"On time"}"#,
            r#"{"v":2,"name":"On time"}"#,
            vec![],
        ),
        (r#"{"v":1,"draft":true}"#, r#"{"v":2}"#, r#"{"v":2}"#, vec!["/draft"]),
        (
            r#"{"v":1,"p":{"x":1}}"#,
            r#"{"v":2,"p":{"x":1,"y":[]}}"#,
            r#"{"v":2,"p":{"x":1,"y":[]}}"#,
            vec![],
        ),
        (r#"{"v":1,"n":7}"#, r#"{"v":2,"n":"7"}"#, r#"{"v":2,"n":"7"}"#, vec![]),
        (r#"{"v":1,"n":"7"}"#, r#"{"v":2,"n":8}"#, r#"{"v":2,"n":7}"#, vec![]),
        (r#"{"v":1,"n":"x"}"#, r#"{"v":2,"n":8}"#, r#"{"v":2,"n":8}"#, vec!["/n"]),
        (r#"{"v":1,"n":true}"#, r#"{"v":2,"n":0}"#, r#"{"v":2,"n":1}"#, vec![]),
        (r#"{"v":1,"n":1}"#, r#"{"v":2,"n":{"value":2}}"#, r#"{"v":2,"n":{"value":1}}"#, vec![]),
        (r#"{"v":1,"n":{"value":1}}"#, r#"{"v":2,"n":2}"#, r#"{"v":2,"n":1}"#, vec![]),
        (
            r#"{"v":1,"n":[1]}"#,
            r#"{"v":2,"n":{"a":1,"b":2}}"#,
            r#"{"v":2,"n":{"a":1,"b":2}}"#,
            vec!["/n"],
        ),
        (
            r#"{"v":1,"tasks":[{"id":"a","state":1},{"id":"b"}]}"#,
            r#"{"v":2,"tasks":[{"id":"a","done":false}]}"#,
            r#"{"v":2,"tasks":[{"id":"a","done":false},{"id":"b","done":false}]}"#,
            vec!["/tasks/*/state"],
        ),
        (
            r#"{"v":1,"l":[{"o":{"a":1}},{}]}"#,
            r#"{"v":2,"l":[{"o":{"b":2}}]}"#,
            r#"{"v":2,"l":[{"o":{"b":2}},{}]}"#,
            vec!["/l/*/o/a"],
        ),
        (
            r#"{"a":1}"#,
            r#"{"a":1,"b":"\u0085\u2028\ud83d\ude00"}"#,
            "{\"a\":1,\"b\":\"\u{85}\u{2028}\u{1f600}\"}",
            vec![],
        ),
        (r#"{"a":{"x":1}}"#, r#"{"a":{"y":1}}"#, r#"{"a":{"y":1}}"#, vec!["/a/x"]),
        (r#"{"a":1.50}"#, r#"{"a":"1.50"}"#, r#"{"a":"1.50"}"#, vec![]),
        // Every element counts: one text that is no number keeps all of them from being converted.
        (
            r#"{"v":1,"l":[{"n":"1"},{"n":"2"}]}"#,
            r#"{"v":2,"l":[{"n":3}]}"#,
            r#"{"v":2,"l":[{"n":1},{"n":2}]}"#,
            vec![],
        ),
        (
            r#"{"v":1,"l":[{"n":"1"},{"n":"x"}]}"#,
            r#"{"v":2,"l":[{"n":3}]}"#,
            r#"{"v":2,"l":[{"n":3},{"n":3}]}"#,
            vec!["/l/*/n"],
        ),
        // And one other value is enough for two keys not to be one.
        (
            r#"{"v":1,"l":[{"a":"one"},{"a":"two"}]}"#,
            r#"{"v":2,"l":[{"b":"one"},{"b":"two"}]}"#,
            r#"{"v":2,"l":[{"b":"one"},{"b":"two"}]}"#,
            vec![],
        ),
        (
            r#"{"v":1,"l":[{"a":"one"},{"a":"two"}]}"#,
            r#"{"v":2,"l":[{"b":"one"},{"b":"three"}]}"#,
            r#"{"v":2,"l":[{"b":"one"},{"b":"one"}]}"#,
            vec!["/l/*/a"],
        ),
        // Lists of objects, as lines are.
        (
            r#"[{"v":1,"a":1,"gone":0},{"v":1,"a":2}]"#,
            r#"[{"v":2,"b":"x","a":1}]"#,
            r#"[{"v":2,"a":1,"b":"x"},{"v":2,"a":2,"b":"x"}]"#,
            vec!["/*/gone"],
        ),
        (r#"[{"a":1},{"a":2}]"#, r#"[{"a":"1"}]"#, r#"[{"a":"1"},{"a":"2"}]"#, vec![]),
    ] {
        let (document, lost) = migrated(before, after);
        assert_eq!(
            (document.as_str(), lost),
            (expected, lossy.iter().map(ToString::to_string).collect()),
            "{before}"
        );
    }
}

#[test]
fn schemas_are_compared_as_the_documents_they_describe() {
    let schema = |version: i64, properties: &str, required: &str| {
        format!(
            r#"{{"type":"object","$defs":{{"t":{{"type":"object","required":["id"],"properties":{{"id":{{"type":"string"}}}}}}}},
             "required":["v",{required}],"properties":{{"v":{{"const":{version}}},{properties}}}}}"#
        )
    };
    let before = schema(
        1,
        r##""old":{"type":"string"},"n":{"type":"integer"},"t":{"$ref":"#/$defs/t"}"##,
        r#""n","t""#,
    );
    let after = schema(
        2,
        r#""n":{"type":"string"},"t":{"type":"object","required":["id","x"],"properties":{"id":{"type":"string"},"x":{"type":"array"}}}"#,
        r#""n","t""#,
    );
    let (draft, contract) = made(&before, &after).unwrap();
    assert_eq!((draft.reaches, draft.lossy), (None, vec!["/old".to_owned()]));
    let steps = &contract.edges[0].steps;
    let mut document = value(r#"{"v":1,"n":3,"t":{"id":"a"}}"#);
    apply(steps, &Programs::of(steps).unwrap(), &mut document).unwrap();
    assert_eq!(written(&document), r#"{"v":2,"n":"3","t":{"id":"a","x":[]}}"#);
}

#[test]
fn what_shows_no_difference_makes_no_contract() {
    assert_eq!(made(r#"{"a":1}"#, r#"{"a":2}"#).unwrap_err(), DraftError::Same);
    assert_eq!(made("[1]", "[2]").unwrap_err(), DraftError::Same);
    let schema = r#"{"type":"object","properties":{}}"#;
    assert_eq!(made(schema, r#"{"a":2}"#).unwrap_err(), DraftError::Mixed);
}

#[test]
fn every_guess_says_so() {
    let (draft, _) = made(r#"{"v":1,"gone":1,"k":"x"}"#, r#"{"v":2,"k":3,"come":[]}"#).unwrap();
    insta::assert_snapshot!("draft", draft.text);
}

mod any {
    use quickcheck::quickcheck;

    use super::*;

    quickcheck! {
        /// Whatever two documents look like, the contract made from them is sound, and does what it says of itself.
        fn two_documents_make_a_sound_contract_or_none(before: Value, after: Value) -> bool {
            let (name, format, files) = ("example", Format::Json, "*.json");
            match draft(&Examples { name, format, files, before: &before, after: &after }) {
                Ok(draft) => draft.reaches.is_some(),
                Err(error) => !matches!(error, DraftError::Unsound(_)),
            }
        }
    }
}
