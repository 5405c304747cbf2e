//! Why an answer of this project may differ from the recorded one: each reason as decided in
//! `docs/decisions/0012-where-run-states-differ.md`. A reason is found by looking at the document, never at the name of a case.

use std::fmt;

use glyph_ledger::document::{Value, json};

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

/// What the reasons that do not show in an answer alone ask about a document.
pub(crate) struct Traits {
    /// Its version is 0, in so many words.
    pub(crate) says_zero: bool,
    /// Its version is the number 1 in another spelling.
    pub(crate) one_but_not_written_so: bool,
    /// Its loop stage is no text, but its text is one.
    pub(crate) stage_in_a_list: bool,
    /// Something that is made a text is an object that brings its own way to become one.
    pub(crate) own_text: bool,
}

impl Traits {
    pub(crate) fn of(document: &Value) -> Self {
        let at =
            |path: &[&str]| path.iter().try_fold(document, |value, key| value.as_map()?.get(key));
        let texts = [&["cwd"][..], &["loopStage"], &["workflow", "id"], &["paths", "auditDir"]];
        let version = match at(&["schemaVersion"]) {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        };
        Self {
            says_zero: version.is_some_and(|number| number.digits() == "0"),
            one_but_not_written_so: version.is_some_and(|number| {
                number.digits() != "1" && number.to_f64().to_bits() == 1_f64.to_bits()
            }),
            stage_in_a_list: at(&["loopStage"]).is_some_and(|stage| {
                stage.as_text().is_none() && STAGES.contains(&ecmascript::text(stage).as_str())
            }),
            own_text: texts.into_iter().filter_map(at).any(has_own_text),
        }
    }
}

fn has_own_text(value: &Value) -> bool {
    match value {
        Value::Map(map) => map.contains("toString"),
        Value::List(values) => values.iter().any(has_own_text),
        _ => false,
    }
}
