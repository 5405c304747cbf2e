//! Schemas, violations and numbers; knows small documents only.

use quickcheck::quickcheck;

use super::decimal::{Decimal, beside};
use super::*;
use crate::document::{Number, json};

fn value(text: &str) -> Value {
    json::read(text.as_bytes()).unwrap().value
}

fn schema(text: &str) -> Schema {
    Schema::compile("s", &value(text)).unwrap()
}

fn valid(schema_text: &str, text: &str) -> bool {
    let schema = schema(schema_text);
    let judged = schema.is_valid(&value(text));
    assert_eq!(schema.validate(&value(text)).is_ok(), judged);
    judged
}

fn defect(text: &str) -> (String, Defect) {
    let error = Schema::compile("s", &value(text)).unwrap_err();
    (error.place.to_string(), error.defect)
}

#[test]
fn numbers_are_judged_by_their_digits() {
    let long = "12345678901234567890123";
    for (schema, good, bad) in [
        (
            r#"{"type":"integer"}"#,
            vec![long, "1.0", "-0", "1.5e1", "1e400"],
            vec!["1.5", "1e-400", "1.5e0"],
        ),
        (
            r#"{"const":9007199254740993}"#,
            vec!["9007199254740993", "9007199254740993.0"],
            vec!["9007199254740992", "9007199254740994"],
        ),
        (
            r#"{"enum":[0.1, 1e2]}"#,
            vec!["0.1", "0.10", "1e-1", "100"],
            vec!["0.1000000000000000001", "100.00000000000000001"],
        ),
        (
            r#"{"maximum":0.3}"#,
            vec!["0.3", "0.29999999999999999", "-1e400", "0.29999999999999993001"],
            vec!["0.30000000000000001", "1e400"],
        ),
        (
            r#"{"exclusiveMaximum":0.3}"#,
            vec!["0.29999999999999999", "0.29999999999999993001"],
            vec!["0.3", "0.300"],
        ),
        (
            r#"{"minimum":0.3}"#,
            vec!["0.3", "0.30000000000000001"],
            vec!["0.29999999999999999", "0.29999999999999993001"],
        ),
        (
            r#"{"minimum":-9223372036854775808}"#,
            vec!["-9223372036854775808"],
            vec!["-9223372036854775809"],
        ),
        (
            r#"{"maximum":18446744073709551615}"#,
            vec!["18446744073709551615"],
            vec!["18446744073709551616", long],
        ),
        (r#"{"maximum":1e20}"#, vec!["100000000000000000000"], vec!["100000000000000000001"]),
        (r#"{"minimum":9007199254740993}"#, vec!["9007199254740993"], vec!["9007199254740992"]),
        (r#"{"multipleOf":0.1}"#, vec!["0.3", "1.1", "1e1"], vec!["0.35", "0.30000000000000001"]),
        (
            r#"{"multipleOf":3}"#,
            vec!["12345678901234567890123", "0"],
            vec!["12345678901234567890124", "1"],
        ),
        (
            r#"{"uniqueItems":true}"#,
            vec!["[1, 2, \"1\"]", "[9007199254740992, 9007199254740993]"],
            vec!["[1, 1.0]", "[{\"a\":1,\"b\":2},{\"b\":2.0,\"a\":1}]"],
        ),
    ] {
        for text in good {
            assert!(valid(schema, text), "{schema} {text}");
        }
        for text in bad {
            assert!(!valid(schema, text), "{schema} {text}");
        }
    }
}

#[test]
fn violations_are_sorted_and_name_place_and_keyword() {
    let schema = schema(
        r#"{"properties":{"b":{"type":"integer"},"a":{"maxLength":1},"l":{"items":{"minimum":2}}},"required":["z"],"additionalProperties":false}"#,
    );
    let wrong = value(r#"{"b":"x","l":[1,2,0],"a":"long","y":1}"#);
    let violations = schema.validate(&wrong).unwrap_err();
    let told: Vec<_> = violations.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "the document: Additional properties are not allowed ('y' was unexpected) (additionalProperties)",
            "the document: \"z\" is a required property (required)",
            "/a: a text is longer than 1 character (maxLength)",
            "/b: a text is not of type \"integer\" (type)",
            "/l/0: a number is less than the minimum of 2 (minimum)",
            "/l/2: a number is less than the minimum of 2 (minimum)",
        ]
    );
}

#[test]
fn of_many_violations_the_first_are_told() {
    let schema = schema(r#"{"items":{"type":"null"}}"#);
    let numbers: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let violations = schema.validate(&value(&format!("[{}]", numbers.join(",")))).unwrap_err();
    assert_eq!(violations.len(), VIOLATIONS_MAX);
    assert!(violations.is_sorted());
    assert_eq!(violations[0].path.to_string(), "/0");
}

#[test]
fn schemas_of_other_drafts_and_of_none_are_refused() {
    for draft in
        ["https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#"]
    {
        assert!(Schema::compile("s", &value(&format!(r#"{{"$schema":"{draft}"}}"#))).is_ok());
    }
    for draft in ["\"http://json-schema.org/draft-04/schema#\"", "\"https://example.org/own\"", "7"]
    {
        let (place, defect) = defect(&format!(r#"{{"$schema":{draft}}}"#));
        assert_eq!(place, "/$schema", "{defect}");
        assert!(matches!(defect, Defect::Draft(_)));
    }
    // `items` with a list is a tuple in draft-07 and a mistake in 2020-12.
    assert!(!valid(
        r#"{"$schema":"http://json-schema.org/draft-07/schema#","items":[{"type":"null"}]}"#,
        "[1]"
    ));
    assert!(
        matches!(defect(r#"{"items":[{"type":"null"}]}"#), (place, Defect::Invalid(_)) if place == "/items")
    );
}

#[test]
fn nothing_outside_of_the_schema_is_fetched() {
    for reference in
        ["https://example.org/x.json", "other.json", "file:///etc/passwd", "/etc/passwd#/a"]
    {
        let text = format!(
            r##"{{"properties":{{"a":{{"$ref":"#/$defs/b"}}}},"$defs":{{"b":{{"$ref":"{reference}"}}}}}}"##
        );
        let (place, defect) = defect(&text);
        assert_eq!((place.as_str(), defect), ("/$defs/b/$ref", Defect::Remote(reference.into())));
    }
    assert!(!valid(r##"{"$ref":"#/$defs/b","$defs":{"b":{"type":"null"}}}"##, "1"));
}

#[test]
fn what_is_no_schema_is_refused_at_its_place() {
    for (text, at) in [
        (r#"{"properties":{"a":{"type":"text"}}}"#, "/properties/a/type"),
        (r#"{"minLength":-1}"#, "/minLength"),
        (r#"{"items":{"pattern":"("}}"#, "/items/pattern"),
        ("[]", ""),
    ] {
        let (place, defect) = defect(text);
        assert_eq!(place, at, "{defect}");
        assert!(matches!(defect, Defect::Invalid(_)), "{defect}");
    }
    let (place, defect) = defect(r##"{"$ref":"#/$defs/none"}"##);
    assert!(matches!(defect, Defect::Invalid(_)), "{place} {defect}");
}

#[test]
fn numbers_that_no_bound_can_hold_are_refused() {
    for digits in ["18446744073709551616", "-9223372036854775809", "0.30000000000000001", "1e400"] {
        let (place, found) = defect(&format!(r#"{{"items":{{"maximum":{digits}}}}}"#));
        assert_eq!((place.as_str(), found), ("/items/maximum", Defect::Number(digits.into())));
    }
}

#[test]
fn bytes_are_judged_as_their_hex_digits() {
    let bytes = Value::Bytes([0, 0xab].into());
    assert!(
        schema(r#"{"type":"string","const":"00ab","pattern":"^[0-9a-f]*$","maxLength":4}"#)
            .is_valid(&bytes)
    );
    assert!(!schema(r#"{"maxLength":3}"#).is_valid(&bytes));
    let list = Value::from(vec![bytes, Value::text("00ab")]);
    assert!(!schema(r#"{"uniqueItems":true}"#).is_valid(&list));
}

#[test]
fn deep_documents_end_in_an_answer() {
    let tree = schema(r##"{"type":"array","items":{"$ref":"#"}}"##);
    let deep = json::DEPTH_MAX;
    let text = format!("{}{}", "[".repeat(deep), "]".repeat(deep));
    assert!(tree.is_valid(&value(&text)));
    let text = format!("{}1{}", "[".repeat(deep), "]".repeat(deep));
    let violations = tree.validate(&value(&text)).unwrap_err();
    assert_eq!(violations[0].path.tokens().len(), deep);
}

#[test]
fn decimals_are_told_apart_and_ordered() {
    let read = Decimal::read;
    for (one, other) in [
        ("1", "1.0"),
        ("1", "10e-1"),
        ("-0", "0"),
        ("0e5", "0.0"),
        ("120", "1.2e2"),
        ("0.012", "1.2E-2"),
    ] {
        assert_eq!(read(one), read(other));
    }
    let rising = [
        "-1e400",
        "-10",
        "-2",
        "-1.5",
        "-0.01",
        "0",
        "1e-400",
        "0.1",
        "0.10000000000000000001",
        "9",
        "10",
        "1e400",
    ];
    assert!(rising.windows(2).all(|pair| read(pair[0]) < read(pair[1])));
}

quickcheck! {
    /// Where a number lies beside a bound is what integer arithmetic says of both.
    fn numbers_lie_on_their_side_of_every_bound(units: i64, bound: i32, more: i8) -> bool {
        // Both in units of 10^-25: the number is close to the bound or anywhere.
        let bound_units = i128::from(bound) * 10_i128.pow(19);
        let units = if units % 2 == 0 { bound_units + i128::from(more) } else { i128::from(units) * 10_i128.pow(10) };
        let number = Number::parse(&format!("{units}e-25")).unwrap();
        let bound = format!("{bound}e-6").parse::<f64>().unwrap();
        beside(&number).unwrap().partial_cmp(&bound) == units.partial_cmp(&bound_units)
    }

    /// In place and by digits is judged what the library judges of its own values.
    fn judges_what_the_library_judges_of_its_own_values(document: Value) -> bool {
        let text = json::write(&document, &json::Style::default()).unwrap();
        let plain: serde_json::Value = serde_json::from_str(&text).unwrap();
        SCHEMAS.iter().all(|text| {
            let own = jsonschema::draft202012::new(&serde_json::from_str(text).unwrap()).unwrap();
            schema(text).is_valid(&document) == own.is_valid(&plain)
        })
    }
}

const SCHEMAS: [&str; 12] = [
    r#"{"type":"integer"}"#,
    r#"{"type":["string","null"]}"#,
    r#"{"minLength":2}"#,
    r#"{"minItems":2}"#,
    r#"{"maxProperties":1}"#,
    r#"{"uniqueItems":true}"#,
    r#"{"items":{"type":["number","string","boolean","null"]}}"#,
    r#"{"additionalProperties":{"type":"boolean"}}"#,
    r#"{"propertyNames":{"maxLength":2}}"#,
    r#"{"anyOf":[{"const":true},{"const":null},{"enum":[0,1,[],{}]}]}"#,
    r#"{"minimum":1,"maximum":100000}"#,
    r#"{"not":{"contains":{"type":"string"}}}"#,
];
