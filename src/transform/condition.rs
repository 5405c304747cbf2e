//! Whether what a step asks of a place holds.

use super::convert::is_of_kind;
use super::step::Condition;
use crate::document::Value;

/// Whether `condition` holds of `root`.
pub(super) fn holds(condition: &Condition, root: &Value) -> bool {
    let stands = condition.path.get(root);
    let equals = condition.equals.as_ref().is_none_or(|value| stands == Some(value));
    let not_in = condition
        .not_in
        .as_ref()
        .is_none_or(|values| stands.is_none_or(|value| !values.contains(value)));
    let kind =
        condition.kind.is_none_or(|kind| stands.is_some_and(|value| is_of_kind(value, kind)));
    let text = stands.and_then(Value::as_text);
    let ends = |ends: &Vec<String>| {
        text.is_some_and(|text| ends.iter().any(|end| text.ends_with(end.as_str())))
    };
    equals
        && not_in
        && kind
        && (!condition.filled || text.is_some_and(filled))
        && condition.ends_with.as_ref().is_none_or(ends)
        && !condition.not_ends_with.as_ref().is_some_and(ends)
        && (!condition.absent || stands.is_none())
}

/// Whether there is more in a text than white space, by the rule of ECMAScript's `trim`: what Unicode calls white space, and
/// U+FEFF, but not U+0085.
pub(super) fn filled(text: &str) -> bool {
    let white =
        |letter: char| letter == '\u{feff}' || (letter.is_whitespace() && letter != '\u{85}');
    !text.chars().all(white)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::json;

    #[test]
    fn white_space_is_that_of_ecmascript() {
        for text in [
            "",
            " ",
            "\t\n\u{b}\u{c}\r",
            "\u{a0}\u{1680}\u{2000}\u{200a}\u{3000}\u{feff}\u{2028}\u{202f}\u{205f}",
        ] {
            assert!(!filled(text), "{text:?}");
        }
        for text in ["a", " a", "\u{85}", "\u{200b}", "\u{180e}", "\u{0}", "\u{1c}"] {
            assert!(filled(text), "{text:?}");
        }
    }

    #[test]
    fn ends_of_texts_are_asked_for() {
        let holds = |condition: &str, document: &str| {
            let condition: Condition = serde_json::from_str(condition).unwrap();
            holds(&condition, &json::read(document.as_bytes()).unwrap().value)
        };
        let ends = r#"{"path":"/t","ends_with":["\n","."]}"#;
        let ends_not = r#"{"path":"/t","not_ends_with":["\n","."]}"#;
        for (document, expected) in [
            (r#"{"t":"a."}"#, true),
            (r#"{"t":"\n"}"#, true),
            (r#"{"t":".a"}"#, false),
            (r#"{"t":""}"#, false),
            (r#"{"t":["."]}"#, false),
            ("{}", false),
        ] {
            assert_eq!(holds(ends, document), expected, "{document}");
            assert_eq!(holds(ends_not, document), !expected, "{document}");
        }
    }
}
