//! Places in documents that differ in list positions or keys only: JSON Pointers in which `*` stands for any one.

use std::fmt;
use std::str::FromStr;

use ecow::EcoString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::document::{Pointer, PointerError, Value};

/// A token that stands for every element of a list and every value of an object. A key that is itself written `*` is
/// covered as one among all.
const ANY: &str = "*";

/// A JSON Pointer (RFC 6901) in which a token `*` stands for every element of a list and every value of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pattern(Pointer);

impl Pattern {
    /// The tokens, unescaped.
    pub fn tokens(&self) -> &[EcoString] {
        self.0.tokens()
    }

    /// The pattern as a pointer, `*` a token as any other.
    pub const fn as_pointer(&self) -> &Pointer {
        &self.0
    }

    /// Whether `place`, or a place that holds it, is one of those meant.
    pub fn covers(&self, place: &Pointer) -> bool {
        place.tokens().len() >= self.tokens().len()
            && self.tokens().iter().zip(place.tokens()).all(|(any, one)| any == ANY || any == one)
    }

    /// Whether `place` is one of those meant.
    pub fn matches(&self, place: &Pointer) -> bool {
        place.tokens().len() == self.tokens().len() && self.covers(place)
    }

    /// Whether this covers every place that `other` means.
    pub fn covers_pattern(&self, other: &Self) -> bool {
        self.covers(&other.0)
    }

    /// Every place meant that holds something in `root`, in the order of the document.
    pub fn places(&self, root: &Value) -> Vec<Pointer> {
        let mut places = Vec::new();
        collect(self.tokens(), root, Pointer::default(), &mut places);
        places
    }
}

fn collect(tokens: &[EcoString], value: &Value, here: Pointer, places: &mut Vec<Pointer>) {
    let Some((token, rest)) = tokens.split_first() else { return places.push(here) };
    match value {
        Value::List(values) if token == ANY => {
            for (position, value) in values.iter().enumerate() {
                collect(rest, value, here.below(&position.to_string()), places);
            }
        }
        Value::Map(map) if token == ANY => {
            for (key, value) in map.iter() {
                collect(rest, value, here.below(key), places);
            }
        }
        _ => {
            if let Some(value) = Pointer::default().below(token).get(value) {
                collect(rest, value, here.below(token), places);
            }
        }
    }
}

impl From<Pointer> for Pattern {
    fn from(place: Pointer) -> Self {
        Self(place)
    }
}

impl FromStr for Pattern {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::json;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_star_is_any_one_and_what_lies_below_is_covered() {
        let place = |text: &str| text.parse::<Pointer>().unwrap();
        assert!(pattern("/a/*/b").covers(&place("/a/0/b/c")));
        assert!(!pattern("/a/*/b").matches(&place("/a/0/b/c")));
        assert!(pattern("/a/*/b").matches(&place("/a/x/b")));
        assert!(!pattern("/a/*/b").covers(&place("/a/x")));
        assert!(pattern("").covers(&place("/a")));
    }

    #[test]
    fn places_are_found_in_order() {
        let root =
            json::read(br#"{"l":[{"h":1},{},{"h":2}],"m":{"b":{"h":3},"a":{"h":4}}}"#).unwrap();
        let found = |text: &str| -> Vec<String> {
            pattern(text).places(&root.value).iter().map(ToString::to_string).collect()
        };
        assert_eq!(found("/l/*/h"), ["/l/0/h", "/l/2/h"]);
        assert_eq!(found("/m/*/h"), ["/m/b/h", "/m/a/h"]);
        assert_eq!(found("/l/1"), ["/l/1"]);
        assert_eq!(found("/x/*"), [""; 0]);
    }
}
