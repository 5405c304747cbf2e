//! Texts: of a length, or of a simple pattern.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::dice::Dice;
use super::make::Lean;
use super::shape::Shape;
use crate::document::Value;

/// How much longer than it must be a text becomes where no length limits it, in characters.
const LONGER: usize = 12;

/// Longest text that is made, in characters, however long it may be.
const LENGTH_MAX: usize = 1024;

/// How often something is repeated at most that a pattern repeats without end.
const REPEATED: u32 = 6;

/// Characters that programs get wrong, among those they get right.
const LETTERS: [char; 20] = [
    'a', 'b', 'c', 'x', 'y', 'z', 'A', 'Z', '0', '9', ' ', '-', '_', '/', '~', '"', '\\', '\n',
    'é', '😀',
];

/// Whether texts can be made for `pattern`: literals, classes, repetitions, alternatives and anchors.
pub(super) fn is_simple(pattern: &str) -> bool {
    regex_syntax::parse(pattern).is_ok_and(|hir| {
        let looks = hir.properties().look_set();
        looks.iter().all(|look| matches!(look, Look::Start | Look::End))
    })
}

/// A text as `shape` asks for. Where a pattern and a length meet, the schema has the last word.
pub(super) fn text(shape: &Shape<'_>, lean: Lean, dice: &mut Dice) -> Option<Value> {
    let low = shape.size("minLength", usize::max).unwrap_or(0);
    let high = shape.size("maxLength", usize::min);
    if high.is_some_and(|high| high < low) || low > LENGTH_MAX {
        return None;
    }
    let high = high.unwrap_or(low + LONGER).min(LENGTH_MAX);
    if let Some(pattern) = shape.all("pattern").find_map(Value::as_text) {
        let mut text = String::new();
        matching(&regex_syntax::parse(pattern).ok()?, lean, dice, &mut text)?;
        return Some(Value::text(text));
    }
    let length = match lean.choose(dice) {
        Lean::Small => low,
        Lean::Large => high,
        Lean::Free => dice.size(low, high),
    };
    let letters = (0..length).map(|_| dice.one_of(&LETTERS).copied());
    Some(Value::text(letters.collect::<Option<String>>()?))
}

fn matching(pattern: &Hir, lean: Lean, dice: &mut Dice, to: &mut String) -> Option<()> {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => to.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => to.push(letter(class, dice)?),
        HirKind::Capture(capture) => matching(&capture.sub, lean, dice, to)?,
        HirKind::Concat(parts) => {
            parts.iter().try_for_each(|part| matching(part, lean, dice, to))?;
        }
        HirKind::Alternation(parts) => matching(dice.one_of(parts)?, lean, dice, to)?,
        HirKind::Repetition(repeated) => {
            let low = usize::try_from(repeated.min).ok()?;
            let high = repeated.max.unwrap_or_else(|| repeated.min.saturating_add(REPEATED));
            let high = usize::try_from(high).ok()?.min(LENGTH_MAX);
            let times = match lean.choose(dice) {
                Lean::Small => low,
                Lean::Large => high,
                Lean::Free => dice.size(low, high),
            };
            for _ in 0..times {
                if to.len() > LENGTH_MAX {
                    return None;
                }
                matching(&repeated.sub, lean, dice, to)?;
            }
        }
    }
    Some(())
}

/// A character of a class; of its ASCII part if it has one, since the classes of JavaScript's patterns mean that.
fn letter(class: &Class, dice: &mut Dice) -> Option<char> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => {
            class.iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
        Class::Bytes(class) => {
            class.iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
    };
    let printable = ranges.iter().map(|(low, high)| ((*low).max(0x20), (*high).min(0x7e)));
    let printable: Vec<(u32, u32)> = printable.filter(|(low, high)| low <= high).collect();
    let (low, high) = *dice.one_of(if printable.is_empty() { &ranges } else { &printable })?;
    let drawn = u32::try_from(dice.between(low.into(), high.into())).ok()?;
    // Between the ends of a range may lie what is no character.
    char::from_u32(drawn).or_else(|| char::from_u32(low))
}
