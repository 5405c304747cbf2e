//! Places with `*` in them: which places of a value they mean, and whether one covers another.

use crate::document::{Pointer, Value};

/// The token that stands for each element.
const EACH: &str = "*";

/// The places of `root` that `pattern` means and at which something stands, in order.
pub(super) fn expand(pattern: &Pointer, root: &Value) -> Vec<Pointer> {
    let mut found = Vec::new();
    walk(pattern.tokens(), root, &Pointer::default(), &mut found);
    found
}

fn walk(pattern: &[String], value: &Value, here: &Pointer, found: &mut Vec<Pointer>) {
    let Some((token, rest)) = pattern.split_first() else {
        found.push(here.clone());
        return;
    };
    match value {
        Value::List(values) if token == EACH => {
            for (position, value) in values.iter().enumerate() {
                walk(rest, value, &here.below(&position.to_string()), found);
            }
        }
        Value::Map(map) if token == EACH => {
            for (key, value) in map.iter() {
                walk(rest, value, &here.below(key), found);
            }
        }
        _ => {
            if let Some(value) = Pointer::default().below(token).get(value) {
                walk(rest, value, &here.below(token), found);
            }
        }
    }
}

/// Whether everything that `place` means lies at or below what `pattern` means.
pub(super) fn covers(pattern: &Pointer, place: &Pointer) -> bool {
    let (pattern, place) = (pattern.tokens(), place.tokens());
    pattern.len() <= place.len()
        && pattern.iter().zip(place).all(|(one, other)| one == EACH || one == other)
}

/// Whether something that one of the two means may lie at or below something that the other means.
pub(super) fn overlap(one: &Pointer, other: &Pointer) -> bool {
    let same = |(one, other): (&String, &String)| one == EACH || other == EACH || one == other;
    one.tokens().iter().zip(other.tokens()).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::json;

    fn at(text: &str) -> Pointer {
        text.parse().unwrap()
    }

    #[test]
    fn a_star_is_each_element_and_what_is_absent_is_nowhere() {
        let root = json::read(br#"{"l":[{"h":1},{},{"h":2}],"m":{"a":1,"b":2}}"#).unwrap().value;
        for (pattern, places) in [
            ("/l/*/h", vec!["/l/0/h", "/l/2/h"]),
            ("/m/*", vec!["/m/a", "/m/b"]),
            ("/l/1", vec!["/l/1"]),
            ("/l/*/h/*", vec![]),
            ("/none/*", vec![]),
            ("", vec![""]),
        ] {
            let found: Vec<String> =
                expand(&at(pattern), &root).iter().map(ToString::to_string).collect();
            assert_eq!(found, places, "{pattern}");
        }
    }

    #[test]
    fn a_place_covers_what_lies_below_it() {
        for (pattern, place, covered, overlapping) in [
            ("", "/a", true, true),
            ("/a", "/a", true, true),
            ("/a", "/a/b", true, true),
            ("/a/b", "/a", false, true),
            ("/a", "/b", false, false),
            ("/l/*", "/l/0/h", true, true),
            ("/l/0", "/l/*", false, true),
            ("/l/*/h", "/l/*/h", true, true),
            ("/l/*/h", "/l/*/i", false, false),
        ] {
            assert_eq!(covers(&at(pattern), &at(place)), covered, "{pattern} covers {place}");
            assert_eq!(overlap(&at(pattern), &at(place)), overlapping, "{pattern} and {place}");
        }
    }
}
