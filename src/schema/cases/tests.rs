//! Documents made from a table of schemas; knows no contract but a digest.

use ledger_format::cbor;

use super::*;
use crate::document::json;

const CASES: u64 = 1_000;

fn schema(text: &str) -> Schema {
    Schema::compile("s", &json::read(text.as_bytes()).unwrap().value).unwrap()
}

fn contract() -> CommitHash {
    CommitHash::of("contract", &cbor::map([("name", "test".into())]))
}

fn cases(text: &str) -> Vec<Value> {
    let schema = schema(text);
    let generator = Generator::new(&schema, contract()).unwrap();
    (0..CASES)
        .map(|case| {
            let document = generator.case(case).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(schema.validate(&document).is_ok());
            document
        })
        .collect()
}

fn written(value: &Value) -> String {
    let style =
        json::Style { indent: None, colon: "".into(), end: "".into(), ..json::Style::default() };
    json::write(value, &style).unwrap()
}

#[test]
fn every_document_is_valid_and_the_edges_are_among_them() {
    for (schema, edges) in [
        (r#"{"type":"integer","minimum":-3,"maximum":9}"#, &["-3", "9"][..]),
        (r#"{"type":"integer","exclusiveMinimum":-3,"exclusiveMaximum":9}"#, &["-2", "8"]),
        (r#"{"type":"integer"}"#, &["9007199254740993", "12345678901234567890123", "0"]),
        (r#"{"type":"number","minimum":0.5,"exclusiveMaximum":1}"#, &["0.5", "0.99"]),
        (
            r#"{"type":"number","multipleOf":0.25,"minimum":-1,"maximum":1}"#,
            &["-1", "1", "-0.75", "0"],
        ),
        (r#"{"type":"integer","multipleOf":7,"minimum":1,"maximum":30}"#, &["7", "14", "21", "28"]),
        (
            r#"{"type":"integer","minimum":9223372036854775807,"maximum":18446744073709551615}"#,
            &["9223372036854775807", "18446744073709551615"],
        ),
        (
            r#"{"type":"string","minLength":1,"maxLength":2}"#,
            &["\"a\"", "\"\u{e9}\"", "\"\u{1f600}\""],
        ),
        (r#"{"type":"string","maxLength":3}"#, &["\"\""]),
        (r#"{"type":"string","pattern":"^v[0-9]+(\\.[0-9]+)?$"}"#, &[]),
        (
            r#"{"type":"string","pattern":"^(a|bc){2}$"}"#,
            &["\"aa\"", "\"abc\"", "\"bca\"", "\"bcbc\""],
        ),
        (r#"{"type":"string","pattern":"^\\d{2}-\\w$"}"#, &[]),
        (r#"{"enum":["a",1,null,[],{"k":1}]}"#, &["\"a\"", "1", "null", "[]", "{\"k\":1}"]),
        (r#"{"const":{"a":[1.0]}}"#, &["{\"a\":[1.0]}"]),
        (r#"{"type":["string","null"],"maxLength":0}"#, &["\"\"", "null"]),
        (r#"{"type":["boolean","null"]}"#, &["true", "false", "null"]),
        (
            r#"{"type":"array","items":{"const":1},"minItems":1,"maxItems":3}"#,
            &["[1]", "[1,1]", "[1,1,1]"],
        ),
        (r#"{"type":"array","items":{"const":1}}"#, &["[]"]),
        (
            r#"{"type":"array","prefixItems":[{"const":1},{"const":2}],"items":false}"#,
            &["[]", "[1]", "[1,2]"],
        ),
        (
            r#"{"type":"array","prefixItems":[{"const":1}],"items":{"const":0},"minItems":2,"maxItems":3}"#,
            &["[1,0]", "[1,0,0]"],
        ),
        (
            r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"array","items":[{"const":1}],"additionalItems":false}"#,
            &["[]", "[1]"],
        ),
        (
            r#"{"type":"array","uniqueItems":true,"items":{"enum":[1,1.0,2]},"minItems":1}"#,
            &["[1]", "[1,2]", "[2,1]"],
        ),
        (
            r#"{"type":"object","properties":{"a":{"const":1},"b":{"const":2}},"required":["a"],"additionalProperties":false}"#,
            &["{\"a\":1}", "{\"a\":1,\"b\":2}"],
        ),
        (
            r#"{"type":"object","additionalProperties":{"const":1},"maxProperties":2}"#,
            &["{}", "{\"extra\":1}", "{\"a/b\":1}", "{\"__proto__\":1}"],
        ),
        (
            r#"{"type":"object","additionalProperties":{"const":1},"minProperties":2,"maxProperties":2}"#,
            &[],
        ),
        (
            r#"{"type":"object","required":["x"],"properties":{"y":{"const":0}},"maxProperties":1}"#,
            &[],
        ),
        (r#"{"oneOf":[{"type":"integer","minimum":0},{"type":"integer","maximum":0}]}"#, &[]),
        (r#"{"anyOf":[{"const":1},{"const":2}]}"#, &["1", "2"]),
        (
            r#"{"allOf":[{"type":"object","required":["a"]},{"properties":{"a":{"type":"integer","minimum":1}}},{"properties":{"a":{"maximum":1}},"additionalProperties":false}]}"#,
            &["{\"a\":1}"],
        ),
        (
            r##"{"type":"object","properties":{"next":{"$ref":"#"}},"additionalProperties":false}"##,
            &[
                "{}",
                "{\"next\":{}}",
                "{\"next\":{\"next\":{\"next\":{\"next\":{\"next\":{\"next\":{}}}}}}}",
            ],
        ),
        (
            r##"{"$ref":"#/$defs/tree","$defs":{"tree":{"anyOf":[{"const":0},{"type":"object","required":["l","r"],"properties":{"l":{"$ref":"#/$defs/tree"},"r":{"$ref":"#/$defs/tree"}},"additionalProperties":false}]}}}"##,
            &["0", "{\"l\":0,\"r\":0}"],
        ),
        (r##"{"$ref":"#/$defs/a~1b%20c","$defs":{"a/b c":{"const":3}}}"##, &["3"]),
    ] {
        let cases: Vec<String> = cases(schema).iter().map(written).collect();
        for edge in edges {
            assert!(
                cases.iter().any(|case| case == edge),
                "{schema} never gives {edge}; but {:?}",
                &cases[..20]
            );
        }
    }
}

#[test]
fn the_first_case_is_the_smallest_and_the_second_the_largest() {
    let cases = cases(
        r#"{"type":"object","properties":{"a":{"type":"integer","minimum":1,"maximum":5},"l":{"type":"array","items":{"type":"string","maxLength":2},"maxItems":2}},"required":["a"],"additionalProperties":false}"#,
    );
    assert_eq!(written(&cases[0]), r#"{"a":1}"#);
    assert!(written(&cases[1]).starts_with(r#"{"a":5,"l":[""#), "{}", written(&cases[1]));
    assert_eq!(cases[1].as_map().unwrap().get("l").unwrap().as_list().unwrap().len(), 2);
}

/// The draws are part of proofs: these lines change only if documents drawn for old proofs may change.
#[test]
fn a_case_is_the_same_for_ever() {
    let text = r#"{"type":"object","properties":{"n":{"type":"integer","minimum":0,"maximum":1000000},"s":{"type":"string","pattern":"^[a-f]{8}$"}},"required":["n","s"],"additionalProperties":false}"#;
    let told: Vec<String> = cases(text)[2..6].iter().map(written).collect();
    assert_eq!(
        told,
        [
            r#"{"n":0,"s":"fdecfdfa"}"#,
            r#"{"n":752801,"s":"eddabbcc"}"#,
            r#"{"n":1000000,"s":"aacbfece"}"#,
            r#"{"n":0,"s":"cfbbecbc"}"#,
        ]
    );
    let schema = schema(text);
    let other = CommitHash::of("contract", &cbor::map([("name", "other".into())]));
    let other = Generator::new(&schema, other).unwrap().case(2).unwrap();
    assert_ne!(written(&other), told[0]);
}

#[test]
fn what_is_not_understood_is_named_by_its_place() {
    for (text, at, what) in [
        (r#"{"not":{}}"#, "/not", "not"),
        (r#"{"properties":{"a":{"items":{"if":{}}}}}"#, "/properties/a/items/if", "if"),
        (r#"{"patternProperties":{}}"#, "/patternProperties", "patternProperties"),
        (r#"{"allOf":[{},{"contains":{}}]}"#, "/allOf/1/contains", "contains"),
        (
            r##"{"$ref":"#/$defs/a","$defs":{"a":{"propertyNames":{}},"b":{"not":{}}}}"##,
            "/$defs/a/propertyNames",
            "propertyNames",
        ),
        (r#"{"pattern":"^(?=a)"}"#, "/pattern", "pattern: ^(?=a)"),
        (r#"{"pattern":"\\bword"}"#, "/pattern", "pattern: \\bword"),
        (r##"{"$ref":"#here","$defs":{"a":{"$anchor":"here"}}}"##, "/$ref", "$ref: #here"),
        (r#"{"unevaluatedProperties":false}"#, "/unevaluatedProperties", "unevaluatedProperties"),
    ] {
        let schema = schema(text);
        let error = Generator::new(&schema, contract()).unwrap_err();
        let CasesError::Unsupported { place, keyword, .. } = error else { panic!("{text}") };
        assert_eq!((place.to_string().as_str(), keyword.as_str()), (at, what));
    }
    // A property may have any name.
    assert!(Generator::new(&schema(r#"{"properties":{"not":{}}}"#), contract()).is_ok());
}

#[test]
fn a_schema_that_nothing_satisfies_is_told() {
    for text in [
        "false",
        r#"{"type":"integer","minimum":2,"maximum":1}"#,
        r##"{"type":"object","required":["a"],"properties":{"a":{"$ref":"#"}}}"##,
        r#"{"type":"array","items":{"const":1},"uniqueItems":true,"minItems":2}"#,
    ] {
        let schema = schema(text);
        let error = Generator::new(&schema, contract()).unwrap().case(3).unwrap_err();
        assert!(matches!(error, CasesError::NoneValid { case: 3, .. }), "{text}");
    }
}

#[test]
fn a_failing_document_shrinks_to_what_matters_and_stays_valid() {
    let schema = schema(
        r#"{"type":"object","required":["id"],"properties":{"id":{"type":"string","minLength":2},"l":{"type":"array","items":{"type":"integer"}}}}"#,
    );
    let document =
        json::read(br#"{"id":"something","l":[4,17,250,3],"more":{"x":[true]},"z":1.50}"#)
            .unwrap()
            .value;
    let mut fails = |value: &Value| {
        let list = value.as_map().and_then(|map| map.get("l")).and_then(Value::as_list);
        list.is_some_and(|list| {
            list.iter()
                .any(|value| matches!(value, Value::Number(number) if number.as_i64() > Some(10)))
        })
    };
    let small = shrink(&document, &schema, &mut fails);
    assert_eq!(written(&small), r#"{"id":"aa","l":[11]}"#);
    assert!(schema.is_valid(&small));
}

#[test]
fn shrinking_ends_for_whatever_fails() {
    for text in ["{}", r#"{"type":"array","minItems":3}"#] {
        let schema = schema(text);
        let generator = Generator::new(&schema, contract()).unwrap();
        for case in 0..20 {
            let small = shrink(&generator.case(case).unwrap(), &schema, &mut |_| true);
            assert!(schema.is_valid(&small));
        }
    }
}
