//! What a contract makes of documents.

use std::collections::BTreeMap;

use ledger_format::body::Verdict;

use super::*;
use crate::contract::load_bytes;

const CONTRACT: &str = r"
contract: book
contract_version: 1.0.0
format: json
versions: ['1', '2', '3']
current: '3'
min: '1'
detect:
  - {version: '1', when: {path: /v, equals: 1}}
  - {version: '2', when: {path: /v, equals: 2}}
  - {version: '3', when: {path: /v, equals: 3}}
schemas: {'3': three.json}
edges:
  - from: '1'
    to: '2'
    steps:
      - {map_values: {path: /v, table: [{from: 1, to: 2}]}}
      - {rename: {path: /titel, to: title}}
    proof: {addsDefaulted: [], dropsNothing: true}
  - from: '2'
    to: '3'
    steps:
      - {map_values: {path: /v, table: [{from: 2, to: 3}]}}
      - {remove: {path: /draft, optional: true}}
    proof: {addsDefaulted: [], dropsNothing: false}
    lossy: [/draft]
normalize:
  - {add: {path: /tags, value: []}}
invariants:
  - {id: title-stays, expr: '(.source.title // .source.titel) == .target.title'}
";

fn prepared(text: &str) -> Prepared {
    let schema = br#"{"type": "object", "required": ["title"]}"#.to_vec();
    let scripts = BTreeMap::from([("three.json".to_owned(), schema)]);
    let contract = load_bytes("book.yaml", text.as_bytes(), scripts).unwrap();
    Prepared::of(contract, &Outside::default()).unwrap()
}

fn result(evaluation: &Evaluation) -> String {
    String::from_utf8(evaluation.result.clone().unwrap().bytes).unwrap()
}

#[test]
fn a_document_is_taken_along_the_way_and_normalised() {
    let evaluation =
        prepared(CONTRACT).evaluate(b"{\"v\": 1, \"titel\": \"x\", \"p\": 1.50}\n", None);
    assert_eq!(evaluation.refusals, []);
    assert_eq!(evaluation.status, Status::Migrated);
    assert_eq!(evaluation.route.as_ref().unwrap().chain, ["1", "2", "3"]);
    assert_eq!(result(&evaluation), "{\"v\": 3, \"title\": \"x\", \"p\": 1.50, \"tags\": []}\n");
    assert_eq!(evaluation.verdicts["validates_at_target"], Verdict::True);
    assert_eq!(evaluation.verdicts["invariant:title-stays"], Verdict::True);
    assert_eq!(evaluation.lost, []);
}

#[test]
fn m4_the_ladder_of_answers() {
    let prepared = prepared(CONTRACT);
    for (text, status) in [
        (r#"{"v":3,"title":"x","tags":[]}"#, Status::Current),
        (r#"{"v":3,"title":"x"}"#, Status::Normalized),
        (r#"{"v":2,"title":"x"}"#, Status::Migrated),
        (r#"{"v":4,"title":"x"}"#, Status::Unsupported),
        (r#"{"v":3}"#, Status::Unsupported),
        ("{", Status::Unsupported),
    ] {
        assert_eq!(prepared.evaluate(text.as_bytes(), None).status, status, "{text}");
    }
    let kept = "{ \"v\":3,\n\"title\":\"x\",\"tags\":[]}";
    assert_eq!(result(&prepared.evaluate(kept.as_bytes(), None)), kept);
}

#[test]
fn declared_loss_is_listed_and_any_other_refused() {
    let text = br#"{"v":2,"title":"x","draft":{"a":1,"b":[2]}}"#;
    let evaluation = prepared(CONTRACT).evaluate(text, None);
    let places: Vec<String> = evaluation.lost.iter().map(|lost| lost.path.to_string()).collect();
    assert_eq!(places, ["/draft/a", "/draft/b/0"]);
    let undeclared = CONTRACT.replace("lossy: [/draft]", "lossy: [/other]");
    let refusals = prepared(&undeclared).evaluate(text, None).refusals;
    assert_eq!(refusals[0].code.id, "LOSS_UNDECLARED");
}

#[test]
fn an_outcome_that_breaks_its_schema_or_an_invariant_is_refused() {
    let refusal = |text: &str, document: &[u8]| {
        let refusals = prepared(text).evaluate(document, None).refusals;
        refusals.first().map(|refusal| refusal.code.id)
    };
    assert_eq!(refusal(CONTRACT, br#"{"v":2}"#), Some("OUTCOME_INVALID"));
    let broken = CONTRACT.replace("== .target.title", "!= .target.title");
    assert_eq!(refusal(&broken, br#"{"v":2,"title":"x"}"#), Some("OUTCOME_INVALID"));
    let vague = CONTRACT.replace("== .target.title", "+ .target.title");
    assert_eq!(refusal(&vague, br#"{"v":2,"title":"x"}"#), Some("OUTCOME_INVALID"));
    assert_eq!(refusal(CONTRACT, br#"{"v":1}"#), Some("STEP_FAILED"));
}

#[test]
fn an_inverse_that_does_not_bring_back_is_no_inverse() {
    let with = |inverse: &str| {
        let text = CONTRACT
            .replace("lossy: [/draft]", &format!("lossy: [/draft]\n    inverse: {inverse}"));
        prepared(&text).evaluate(br#"{"v":2,"title":"x","draft":true}"#, None)
    };
    let back = "{map_values: {path: /v, table: [{from: 3, to: 2}]}}";
    let whole = with(&format!("[{back}, {{add: {{path: /draft, value: true}}}}]"));
    assert_eq!((whole.verdicts["round_trips"], whole.lost.len()), (Verdict::True, 0));
    let half = with(&format!("[{back}, {{add: {{path: /draft, value: false}}}}]"));
    assert_eq!((half.verdicts["round_trips"], half.lost.len()), (Verdict::False, 1));
}

#[test]
fn what_is_prepared_is_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Prepared>();
}
