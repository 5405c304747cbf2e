//! Whether patterns of places may concern the same part of a document.

use ecow::EcoString;

use crate::contract::Pattern;
use crate::document::Pointer;

/// The token of a pattern that stands for each element.
pub(super) const EACH: &str = "*";

/// Whether everything that `place` means lies at or below what `pattern` means.
pub(super) fn covers(pattern: &Pattern, place: &Pattern) -> bool {
    pattern.covers(place.as_pointer())
}

/// Whether something that one of the two means may lie at or below something that the other means.
pub(super) fn overlap(one: &Pointer, other: &Pattern) -> bool {
    let same =
        |(one, other): (&EcoString, &EcoString)| one == EACH || other == EACH || one == other;
    one.tokens().iter().zip(other.tokens()).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_covers_what_lies_below_it() {
        let at = |text: &str| text.parse::<Pattern>().unwrap();
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
            let overlaps = overlap(at(pattern).as_pointer(), &at(place));
            assert_eq!(overlaps, overlapping, "{pattern} and {place}");
        }
    }
}
