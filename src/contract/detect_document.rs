//! Telling which version a document has: exactly one version's detectors may match.

use super::detector::{Detector, Shape, When};
use super::model::{Contract, Format};
use crate::document::{Number, Pointer, Value, json};
use crate::transform::is_of_kind;

/// Most characters of what a document states that a message repeats.
const STATED_CHARS_MAX: usize = 64;

/// A document that has no version from the oldest readable to the current one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// It is newer than the contract's current version.
    #[error("the document states version {stated}, which is newer than {current}")]
    Newer {
        /// What it states.
        stated: String,
        /// The contract's current version.
        current: String,
    },
    /// It is older than the oldest version that can be read.
    #[error("the document states version {stated}, which is older than {min}")]
    Older {
        /// What it states.
        stated: String,
        /// The oldest version that can be read.
        min: String,
    },
    /// What stands in the version's place is nothing that any version has there.
    #[error("the document states version {stated}, which is not {expected}")]
    WrongType {
        /// What it states.
        stated: String,
        /// What versions have there.
        expected: &'static str,
    },
    /// No version matches.
    #[error("the document states version {stated}; known are {}", known.join(", "))]
    Unknown {
        /// What it states; `none` if nothing.
        stated: String,
        /// Every version of the contract.
        known: Vec<String>,
    },
    /// Lines state several versions.
    #[error("mixed versions: line 1 states {first}, line {line} states {stated}")]
    Mixed {
        /// What the first line states; `none` if nothing.
        first: String,
        /// The first line that states another.
        line: usize,
        /// What that one states.
        stated: String,
    },
    /// More than one version matches.
    #[error("more than one version matches: {}", matches.join(", "))]
    Ambiguous {
        /// The versions.
        matches: Vec<String>,
    },
}

/// The version of a document, if the contract can migrate it.
pub fn detect_document<'a>(
    contract: &'a Contract,
    document: &Value,
) -> Result<&'a str, VersionError> {
    let mut matches: Vec<&str> = Vec::new();
    for Detector { version, when } in &contract.detect {
        if holds(when, document) && !matches.contains(&version.as_str()) {
            matches.push(version);
        }
    }
    match matches.as_slice() {
        [version] => {
            let version = readable(contract, version)?;
            must_be_of_one_version(contract, version, document)?;
            Ok(version)
        }
        [] => Err(unrecognised(contract, document)),
        _ => {
            let matches = matches.into_iter().map(str::to_owned).collect();
            Err(VersionError::Ambiguous { matches })
        }
    }
}

/// Refuses lines of which a later one states another version than the first, by which the whole is of version `version`. Lines that
/// state none go with the first.
fn must_be_of_one_version(
    contract: &Contract,
    version: &str,
    document: &Value,
) -> Result<(), VersionError> {
    let (Some(Format::Jsonl), Value::List(lines)) = (contract.format(), document) else {
        return Ok(());
    };
    let Some(stating) = place_in_lines(contract) else { return Ok(()) };
    let detector =
        contract.detect.iter().find(|one| one.version == version && holds(&one.when, document));
    // What else holds of the first line tells which others speak of versions at all.
    let others: Vec<(Pointer, &Value)> = detector
        .iter()
        .flat_map(|detector| detector.when.parts())
        .filter_map(|part| Some((in_lines(part.path.as_deref()?)?, part.equals.as_ref()?)))
        .filter(|(place, _)| *place != stating)
        .collect();
    let mut first = None;
    for (number, line) in (1..).zip(lines.iter()) {
        let stated = stating.get(line);
        if number == 1 {
            first = stated;
            continue;
        }
        let Some(stated) = stated.filter(|stated| Some(*stated) != first) else { continue };
        if others.iter().all(|(place, value)| place.get(line) == Some(*value)) {
            let first = first.map_or_else(|| "none".to_owned(), in_words);
            return Err(VersionError::Mixed { first, line: number, stated: in_words(stated) });
        }
    }
    Ok(())
}

/// Where a line states its version: the place in the first line at which versions differ in what they have.
fn place_in_lines(contract: &Contract) -> Option<Pointer> {
    let parts = || contract.detect.iter().flat_map(|detector| detector.when.parts());
    let of_versions = |path: &str| versions_at(contract, path);
    let path = parts().filter(|part| part.equals.is_some()).filter_map(|part| part.path.as_deref());
    let mut telling = path.filter(|path| {
        let values = of_versions(path);
        let absent = parts().any(|part| part.absent && part.path.as_deref() == Some(*path));
        absent || values.iter().any(|value| Some(value) != values.first())
    });
    in_lines(telling.next()?)
}

/// The place below the first line that `path` is.
fn in_lines(path: &str) -> Option<Pointer> {
    let place: Pointer = path.parse().ok()?;
    let (first, below) = place.tokens().split_first()?;
    (first == "0" && !below.is_empty()).then(|| below.iter().cloned().collect())
}

fn readable<'a>(contract: &'a Contract, version: &'a str) -> Result<&'a str, VersionError> {
    let place = contract.position(version);
    let stated = version.to_owned();
    if place < contract.position(&contract.min) {
        return Err(VersionError::Older { stated, min: contract.min.clone() });
    }
    if place > contract.position(&contract.current) {
        return Err(VersionError::Newer { stated, current: contract.current.clone() });
    }
    Ok(version)
}

/// Whether a condition holds of a document.
fn holds(when: &When, document: &Value) -> bool {
    if !when.all.is_empty() {
        return when.all.iter().all(|when| holds(when, document));
    }
    // The loader has seen to it that this is a place.
    let Some(Ok(place)) = when.path.as_deref().map(str::parse::<Pointer>) else { return false };
    let stands = place.get(document);
    let equals = when.equals.as_ref().is_none_or(|value| stands == Some(value));
    let kind = when.kind.is_none_or(|kind| stands.is_some_and(|value| is_of_kind(value, kind)));
    let shape = when.shape.as_ref().is_none_or(|shape| has_shape(shape, stands));
    equals && kind && shape && (!when.absent || stands.is_none())
}

fn has_shape(shape: &Shape, value: Option<&Value>) -> bool {
    let Some(map) = value.and_then(Value::as_map) else { return false };
    shape.has.iter().all(|key| map.contains(key))
        && !shape.lacks.iter().any(|key| map.contains(key))
}

/// Why no detector matches, as far as the place shows that most detectors ask about first.
fn unrecognised(contract: &Contract, document: &Value) -> VersionError {
    let Some((path, place)) = version_place(contract) else {
        return unknown(contract, "none".to_owned());
    };
    let Some(value) = place.get(document) else { return unknown(contract, "none".to_owned()) };
    let stated = in_words(value);
    let known = versions_at(contract, path);
    let numbers: Option<Vec<&Number>> = known.iter().map(|value| number(value)).collect();
    match (numbers, value) {
        (Some(numbers), Value::Number(found)) if is_integer(found) => {
            if numbers.iter().all(|known| above(found, known)) {
                VersionError::Newer { stated, current: contract.current.clone() }
            } else if numbers.iter().all(|known| above(known, found)) {
                VersionError::Older { stated, min: contract.min.clone() }
            } else {
                unknown(contract, stated)
            }
        }
        (Some(_), _) => VersionError::WrongType { stated, expected: "an integer" },
        (None, Value::Text(_)) => unknown(contract, stated),
        (None, _) if known.iter().all(|value| value.as_text().is_some()) => {
            VersionError::WrongType { stated, expected: "a text" }
        }
        _ => unknown(contract, stated),
    }
}

fn unknown(contract: &Contract, stated: String) -> VersionError {
    VersionError::Unknown { stated, known: contract.versions.clone() }
}

/// The place whose value the first detector that compares one compares.
fn version_place(contract: &Contract) -> Option<(&str, Pointer)> {
    let parts = contract.detect.iter().flat_map(|detector| detector.when.parts());
    let path = parts.filter(|part| part.equals.is_some()).find_map(|part| part.path.as_deref())?;
    Some((path, path.parse().ok()?))
}

/// What versions have at `path`.
fn versions_at<'a>(contract: &'a Contract, path: &str) -> Vec<&'a Value> {
    let parts = contract.detect.iter().flat_map(|detector| detector.when.parts());
    let parts = parts.filter(|part| part.path.as_deref() == Some(path));
    parts.filter_map(|part| part.equals.as_ref()).collect()
}

fn number(value: &Value) -> Option<&Number> {
    if let Value::Number(number) = value { is_integer(number).then_some(number) } else { None }
}

fn is_integer(number: &Number) -> bool {
    !number.digits().contains(['.', 'e', 'E'])
}

/// Whether an integer is above another, however long they are.
fn above(one: &Number, other: &Number) -> bool {
    let parts = |number: &Number| {
        let digits = number.digits();
        let magnitude = digits.trim_start_matches('-').to_owned();
        (digits.starts_with('-') && magnitude != "0", magnitude.len(), magnitude)
    };
    match (parts(one), parts(other)) {
        ((false, ..), (true, ..)) => true,
        ((true, ..), (false, ..)) => false,
        ((false, length, digits), (false, others, other)) => (length, digits) > (others, other),
        ((true, length, digits), (true, others, other)) => (length, digits) < (others, other),
    }
}

/// What a document states, short enough for a message.
fn in_words(value: &Value) -> String {
    let written = match value {
        Value::List(_) | Value::Map(_) => None,
        scalar => json::write(scalar, &json::Style::default()).ok(),
    };
    // Lists, objects and byte strings are no versions; their kind says enough.
    let Some(text) = written else { return value.kind().to_owned() };
    let text = text.trim_end();
    let short: String = text.chars().take(STATED_CHARS_MAX).collect();
    if short.len() < text.len() { format!("{short}\u{2026}") } else { short }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::load_bytes;
    use super::*;
    use crate::document::jsonl;

    fn contract(versions: &str, detect: &str) -> Contract {
        let text = format!(
            "{{contract: c, contract_version: 1.0.0, format: json, versions: [{versions}], current: '1', min: '0',
              edges: [], detect: [{detect}]}}"
        );
        load_bytes("c", text.as_bytes(), BTreeMap::new()).unwrap()
    }

    fn run_state() -> Contract {
        contract(
            "'0', '1'",
            "{version: '0', when: {path: /v, absent: true}}, {version: '1', when: {path: /v, equals: 1}}",
        )
    }

    fn detected(contract: &Contract, text: &str) -> Result<String, VersionError> {
        let document = json::read(text.as_bytes()).unwrap().value;
        detect_document(contract, &document).map(str::to_owned)
    }

    #[test]
    fn a_version_is_what_one_detector_says() {
        let contract = run_state();
        assert_eq!(detected(&contract, "{}").unwrap(), "0");
        assert_eq!(detected(&contract, r#"{"v":1}"#).unwrap(), "1");
    }

    #[test]
    fn what_is_no_version_is_refused_by_what_it_states() {
        let contract = run_state();
        for text in ["1.9", "1.0", "1e0", "\"1\"", "true", "null", "[]"] {
            let error = detected(&contract, &format!(r#"{{"v":{text}}}"#)).unwrap_err();
            assert!(matches!(error, VersionError::WrongType { .. }), "{text}: {error}");
        }
        for text in ["2", "9007199254740993", "99999999999999999999999"] {
            let error = detected(&contract, &format!(r#"{{"v":{text}}}"#)).unwrap_err();
            let expected = VersionError::Newer { stated: text.to_owned(), current: "1".to_owned() };
            assert_eq!(error, expected);
        }
        for text in ["-1", "0", "-99999999999999999999999"] {
            let error = detected(&contract, &format!(r#"{{"v":{text}}}"#)).unwrap_err();
            assert!(matches!(error, VersionError::Older { .. }), "{text}: {error}");
        }
    }

    #[test]
    fn lines_that_state_several_versions_have_none() {
        let lines = |detect: &str| {
            let text = format!(
                "{{contract: c, contract_version: 1.0.0, format: jsonl, versions: ['1', '2'], current: '2', min: '1',
                  edges: [], detect: [{detect}]}}"
            );
            load_bytes("c", text.as_bytes(), BTreeMap::new()).unwrap()
        };
        let detected = |contract: &Contract, text: &str| {
            let document = jsonl::read(text.as_bytes()).unwrap().value;
            detect_document(contract, &document).map(str::to_owned)
        };
        let stated = |first: &str, line, stated: &str| VersionError::Mixed {
            first: first.to_owned(),
            line,
            stated: stated.to_owned(),
        };
        let contract = lines(
            "{version: '1', when: {path: /0/v, equals: 1}}, {version: '2', when: {path: /0/v, equals: 2}}",
        );
        assert_eq!(detected(&contract, "{\"v\":2}\n{\"v\":2}\n").unwrap(), "2");
        // A line that states none goes with the first.
        assert_eq!(detected(&contract, "{\"v\":2}\n{}\n7\n").unwrap(), "2");
        for (text, line, other) in [("{\"v\":1}", 2, "1"), ("{}\n{\"v\":9}", 3, "9")] {
            let text = format!("{{\"v\":2}}\n{text}\n");
            assert_eq!(detected(&contract, &text), Err(stated("2", line, other)), "{text}");
        }
        let contract = lines(
            "{version: '1', when: {path: /0/v, absent: true}}, {version: '2', when: {path: /0/v, equals: 2}}",
        );
        assert_eq!(detected(&contract, "{}\n{}\n").unwrap(), "1");
        assert_eq!(detected(&contract, "{}\n{\"v\":2}\n"), Err(stated("none", 2, "2")));
        // Where the first line is a head of its own kind, what others have under that name is no version.
        let head =
            |v| format!("{{all: [{{path: /0/is, equals: head}}, {{path: /0/v, equals: {v}}}]}}");
        let contract = lines(&format!(
            "{{version: '1', when: {}}}, {{version: '2', when: {}}}",
            head(1),
            head(2)
        ));
        let text = "{\"is\":\"head\",\"v\":2}\n{\"is\":\"row\",\"v\":\"x\"}\n";
        assert_eq!(detected(&contract, text).unwrap(), "2");
        let text = "{\"is\":\"head\",\"v\":2}\n{\"is\":\"head\",\"v\":1}\n";
        assert_eq!(detected(&contract, text), Err(stated("2", 2, "1")));
    }

    #[test]
    fn shapes_kinds_and_several_conditions_are_asked() {
        let contract = contract(
            "'0', '1', '2'",
            "{version: '0', when: {path: '', shape: {has: [a], lacks: [b]}}},
             {version: '1', when: {all: [{path: /b, type: integer}, {path: /c, equals: 'x'}]}},
             {version: '2', when: {path: /c, equals: 'y'}}",
        );
        assert_eq!(detected(&contract, r#"{"a":1}"#).unwrap(), "0");
        assert_eq!(detected(&contract, r#"{"b":1,"c":"x"}"#).unwrap(), "1");
        let newer = VersionError::Newer { stated: "2".into(), current: "1".into() };
        assert_eq!(detected(&contract, r#"{"c":"y"}"#), Err(newer));
        let matches = vec!["0".to_owned(), "2".to_owned()];
        assert_eq!(
            detected(&contract, r#"{"a":1,"c":"y"}"#),
            Err(VersionError::Ambiguous { matches })
        );
        assert!(matches!(detected(&contract, r#"{"c":"z"}"#), Err(VersionError::Unknown { .. })));
        assert!(matches!(detected(&contract, r#"{"c":1}"#), Err(VersionError::WrongType { .. })));
    }
}
