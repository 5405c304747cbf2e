//! Why an answer of this project may differ from the recorded one: each reason as decided in
//! `docs/decisions/0012-where-run-states-differ.md`. A reason is found by looking at the document, never at the name of a case.

use std::collections::BTreeSet;
use std::fmt;

use glyph_ledger::document::{Number, Value, json};

use crate::ecmascript;

/// One of the deliberate differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    DuplicateKeys,
    LoneSurrogates,
    Depth,
    NumbersAsWritten,
    KeysInOrder,
    ExplicitZero,
    VersionRefused,
    VersionNotAnInteger,
    ValueDestroyed,
    StageInAList,
    TextOfANumber,
    Crash,
}

impl Reason {
    pub(crate) const ALL: [Self; 12] = [
        Self::DuplicateKeys,
        Self::LoneSurrogates,
        Self::Depth,
        Self::NumbersAsWritten,
        Self::KeysInOrder,
        Self::ExplicitZero,
        Self::VersionRefused,
        Self::VersionNotAnInteger,
        Self::ValueDestroyed,
        Self::StageInAList,
        Self::TextOfANumber,
        Self::Crash,
    ];

    /// Why the reader refuses a text that the recorded tool takes, if that is deliberate.
    pub(crate) const fn of_reading(reason: &json::Reason) -> Option<Self> {
        match reason {
            json::Reason::DuplicateKey(_) => Some(Self::DuplicateKeys),
            json::Reason::LoneSurrogate => Some(Self::LoneSurrogates),
            json::Reason::Depth => Some(Self::Depth),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DuplicateKeys => "a key that stands twice is refused",
            Self::LoneSurrogates => "half a surrogate pair is refused",
            Self::Depth => "nesting beyond the limit is refused",
            Self::NumbersAsWritten => "numbers keep the digits they were written with",
            Self::KeysInOrder => "keys like positions keep their place",
            Self::ExplicitZero => "a state that says version 0 is migrated",
            Self::VersionRefused => "what is no version is refused as that, before any step",
            Self::VersionNotAnInteger => "a version that is not written as an integer is refused",
            Self::ValueDestroyed => "a value that is replaced counts as lost",
            Self::StageInAList => "a list is no loop stage, whatever text can be made of it",
            Self::TextOfANumber => "the text of a number is that of its digits",
            Self::Crash => "an object with a toString of its own is a value like others",
        })
    }
}

/// The loop stages there are.
const STAGES: [&str; 5] = ["interpret", "act", "observe", "adjust", "checkpoint"];

/// The reasons that do not show in an answer alone, as far as `document` allows them.
pub(crate) fn allowed_by(document: &Value) -> BTreeSet<Reason> {
    let at = |path: &[&str]| path.iter().try_fold(document, |value, key| value.as_map()?.get(key));
    let texts = [&["cwd"][..], &["loopStage"], &["workflow", "id"], &["paths", "auditDir"]];
    let version = match at(&["schemaVersion"]) {
        Some(Value::Number(number)) => Some(number),
        _ => None,
    };
    let is_one = |number: &Number| number.to_f64().to_bits() == 1_f64.to_bits();
    let is_stage = |stage: &Value| STAGES.contains(&ecmascript::text(stage).as_str());
    let holds = [
        (Reason::ExplicitZero, version.is_some_and(|number| number.digits() == "0")),
        (
            Reason::VersionNotAnInteger,
            version.is_some_and(|number| number.digits() != "1" && is_one(number)),
        ),
        (
            Reason::StageInAList,
            at(&["loopStage"]).is_some_and(|stage| stage.as_text().is_none() && is_stage(stage)),
        ),
        (Reason::Crash, texts.into_iter().filter_map(at).any(has_own_text)),
    ];
    holds.into_iter().filter(|(_, holds)| *holds).map(|(reason, _)| reason).collect()
}

fn has_own_text(value: &Value) -> bool {
    match value {
        Value::Map(map) => map.contains("toString"),
        Value::List(values) => values.iter().any(has_own_text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_allows_what_stands_in_it() {
        for (document, reasons) in [
            (r#"{"schemaVersion":0,"loopStage":"act"}"#, &[Reason::ExplicitZero][..]),
            (r#"{"schemaVersion":-0}"#, &[]),
            (r#"{"schemaVersion":10e-1}"#, &[Reason::VersionNotAnInteger]),
            (r#"{"schemaVersion":1,"loopStage":[["act"]]}"#, &[Reason::StageInAList]),
            (r#"{"loopStage":["act","act"]}"#, &[]),
            (r#"{"cwd":[{"toString":1}]}"#, &[Reason::Crash]),
            (r#"{"cwd":{"deeper":{"toString":1}},"toString":1}"#, &[]),
            ("[]", &[]),
        ] {
            let value = json::read(document.as_bytes()).unwrap().value;
            assert_eq!(allowed_by(&value).into_iter().collect::<Vec<_>>(), reasons, "{document}");
        }
    }
}
