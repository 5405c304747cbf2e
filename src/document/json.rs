//! JSON (RFC 8259), read strictly and written in the style it was found in.
//!
//! Refused, with their place: what is not UTF-8, a byte order mark, two equal names in one object, half a surrogate pair,
//! nesting deeper than [`DEPTH_MAX`], and all that the RFC does not allow.

mod laid;
mod lost;
mod names;
mod plain;
mod read;
mod style;
mod verbatim;
mod write;

use super::Value;

pub(super) use lost::lost_form;
pub(super) use names::Names;
pub use read::{JsonError, Reason, read};
pub(super) use read::{place, read_sharing};
pub use style::{Escapes, Style};
pub(super) use verbatim::Verbatim;
pub use write::write;
pub(super) use write::writes;

/// Deepest nesting, counted in objects and lists: that of every migrated value, whatever its format.
pub const DEPTH_MAX: usize = ledger_format::cbor::VALUE_DEPTH_MAX;

/// A JSON text: what it says and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json {
    /// What it says.
    pub value: Value,
    /// How it is written, as far as a few rules can tell.
    pub style: Style,
    /// Whether it is known that writing this again gives exactly the text that was read. Where it is not, it may.
    pub(super) is_as_written: bool,
}

impl Json {
    /// Whether writing this again in its style gives exactly `text`; otherwise the form of the text is lost.
    pub fn keeps_form_of(&self, text: &[u8]) -> bool {
        writes(&self.value, &self.style, text)
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::{Arbitrary, Gen, quickcheck};

    use super::super::{Map, Number, Unwritable};
    use super::*;

    impl Arbitrary for Style {
        fn arbitrary(g: &mut Gen) -> Self {
            let indent = g
                .choose(&[None, Some("  "), Some("    "), Some("\t"), Some("")])
                .copied()
                .flatten();
            let newline = *g.choose(&["\n", "\r\n"]).unwrap_or(&"\n");
            Self {
                indent: indent.map(Into::into),
                newline,
                colon: (*g.choose(&["", " "]).unwrap_or(&"")).into(),
                comma: if indent.is_some() {
                    "".into()
                } else {
                    (*g.choose(&["", " "]).unwrap_or(&"")).into()
                },
                end: (*g.choose(&["", newline]).unwrap_or(&"")).into(),
                escapes: Escapes::Needed,
            }
        }
    }

    impl Arbitrary for Value {
        fn arbitrary(g: &mut Gen) -> Self {
            let deeper = |g: &mut Gen| Gen::new(g.size() / 3);
            match u8::arbitrary(g) % if g.size() < 2 { 4 } else { 6 } {
                0 => Self::Null,
                1 => Self::Bool(bool::arbitrary(g)),
                2 => {
                    let digits =
                        g.choose(&["0", "-0", "1.0", "12345678901234567890", "1e5", "-2.5E-3"]);
                    Self::Number(
                        digits.and_then(|digits| Number::parse(digits)).unwrap_or_else(|| 1.into()),
                    )
                }
                3 => Self::text(String::arbitrary(g)),
                4 => Vec::arbitrary(&mut deeper(g)).into(),
                _ => {
                    let entries = Vec::<(String, Self)>::arbitrary(&mut deeper(g));
                    entries.into_iter().collect::<Map>().into()
                }
            }
        }
    }

    quickcheck! {
        fn what_is_written_reads_back(value: Value, style: Style) -> bool {
            read(write(&value, &style).unwrap().as_bytes()).map(|json| json.value) == Ok(value)
        }

        fn a_text_in_one_style_keeps_its_form(value: Value, style: Style) -> bool {
            let text = write(&value, &style).unwrap();
            read(text.as_bytes()).is_ok_and(|json| json.keeps_form_of(text.as_bytes()))
        }

        fn ascii_style_keeps_its_form(value: Value) -> bool {
            let style = Style { escapes: Escapes::AllButAscii, ..Style::default() };
            let text = write(&value, &style).unwrap();
            text.is_ascii() && read(text.as_bytes()).is_ok_and(|json| json.keeps_form_of(text.as_bytes()) && json.value == value)
        }

        fn no_bytes_make_the_reader_fail(bytes: Vec<u8>) -> bool {
            read(&bytes).is_ok() || read(&bytes).is_err()
        }
    }

    quickcheck! {
        fn what_is_known_to_stand_as_written_does(value: Value, style: Style, changes: Vec<(usize, u8)>) -> bool {
            let mut text = write(&value, &style).unwrap();
            let read = |text: &str| read::read_walked(text);
            let known = read(&text).unwrap().is_as_written;
            let only_ends_in_crlf = text.find("\r\n").is_some_and(|at| at + 2 == text.len());
            let doubtful = text.contains("\\u") || only_ends_in_crlf;
            assert!(known || doubtful, "{text}");
            changes.iter().all(|(at, change)| {
                let at = (0..=at % (text.len() + 1)).rev().find(|at| text.is_char_boundary(*at));
                text.insert_str(at.unwrap(), [" ", "\n", "\r\n", "  ", "\t", "\\/", "\\u0041"][*change as usize % 7]);
                read(&text).is_ok_and(|json| !json.is_as_written || json.keeps_form_of(text.as_bytes()))
                    || read(&text).is_err()
            })
        }
    }

    #[test]
    fn m16_styles_that_people_use_are_kept() {
        for text in [
            "{}",
            "[]\n",
            "{\"a\":1}",
            "{\"a\": 1, \"b\": [1, 2]}\n",
            "{\"a\":1,\"b\":[1,2]}\r\n",
            "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": []\n  }\n}\n",
            "[\n\t1,\n\t2\n]",
            "{\r\n  \"a\": 1\r\n}\r\n",
            "[\n1,\n[\n2\n]\n]",
            "\"caf\u{e9}\"",
            "\"caf\\u00e9 \\ud83d\\ude00\"",
            "1.50",
            "12345678901234567890123.0",
        ] {
            let json = read(text.as_bytes()).unwrap();
            assert_eq!(write(&json.value, &json.style).unwrap(), text);
            let known = read::read_walked(text).unwrap().is_as_written;
            assert_eq!(
                known,
                !text.contains("\\u") && text != "{\"a\":1,\"b\":[1,2]}\r\n",
                "{text}"
            );
        }
    }

    #[test]
    fn what_json_has_no_form_for_is_refused_by_its_place() {
        let bytes: Value = [("a", Value::from(vec![Value::Null, Value::Bytes([1].into())]))]
            .into_iter()
            .collect::<Map>()
            .into();
        let refused = |value: &Value| write(value, &Style::default()).unwrap_err();
        assert_eq!(refused(&bytes).to_string(), "/a/1: JSON has no form for bytes");
        let nested = |depth| (0..depth).fold(Value::Null, |value, _| Value::from(vec![value]));
        assert!(write(&nested(DEPTH_MAX), &Style::default()).is_ok());
        assert_eq!(refused(&nested(DEPTH_MAX + 1)).reason, Unwritable::Depth);
    }

    #[test]
    fn a_form_that_no_style_describes_is_noticed() {
        for text in [
            "{\n}\n",
            "{ \"a\":1}",
            "{\"a\" :1}",
            "[\n  1, 2]",
            "[1, 2,3]",
            "\"\\/\"",
            "\"\\u0041\"",
            " 1",
            "\"\\u00e9\u{e9}\"",
        ] {
            let json = read(text.as_bytes()).unwrap();
            assert!(!json.keeps_form_of(text.as_bytes()), "{text}");
            assert!(!json.is_as_written, "{text}");
        }
    }
}
