//! What a scalar without quotation marks means, and which texts may be written so.

use super::super::{Number, Value};
use super::read::Reason;

/// The value of a plain scalar in the core schema (YAML 1.2.2, section 10.3.2).
pub(super) fn resolve(text: &str) -> Result<Value, Reason> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(true.into()),
        "false" | "False" | "FALSE" => return Ok(false.into()),
        _ => {}
    }
    if let Some(number) = Number::parse(text) {
        return Ok(Value::Number(number));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" => Err(Reason::NotFinite),
        _ if matches!(text, ".nan" | ".NaN" | ".NAN") => Err(Reason::NotFinite),
        _ if is_core_number(text, unsigned) => Err(Reason::NumberForm(text.to_owned())),
        _ => Ok(Value::text(text)),
    }
}

/// Whether the core schema reads a number that JSON would not write so: `+1`, `007`, `.5`, `1.`, `0o17`, `0x1F`.
fn is_core_number(text: &str, unsigned: &str) -> bool {
    let radix = |prefix: &str, digit: fn(&u8) -> bool| {
        let digits = text.strip_prefix(prefix).filter(|digits| !digits.is_empty());
        digits.is_some_and(|digits| digits.as_bytes().iter().all(digit))
    };
    if radix("0o", |byte| (b'0'..=b'7').contains(byte)) || radix("0x", u8::is_ascii_hexdigit) {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent && !(whole.is_empty() && fraction.is_empty()) && digits(whole) && digits(fraction)
}

/// Whether `text`, without quotation marks, is this text and nothing else: for every reader of YAML 1.2.
pub(super) fn may_be_plain(text: &str) -> bool {
    let ends = [text.chars().next(), text.chars().next_back()];
    let Some(first) = ends.first().copied().flatten() else { return false };
    let space = |end: Option<char>| end.is_some_and(|end| end == ' ');
    !"-?:,[]{}#&*!|>'\"%@`".contains(first)
        && !ends.into_iter().any(space)
        && !text.starts_with("...")
        && !text.ends_with(':')
        && !text.contains(": ")
        && !text.contains(" #")
        && text.chars().all(is_printable)
        && matches!(resolve(text), Ok(Value::Text(_)))
}

/// Whether readers of YAML 1.1, of which there are many, take `text` for something else if it has no quotation marks: a
/// boolean, a number, a time, a merge.
pub(super) fn is_ambiguous(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    if matches!(&*word, "y" | "n" | "yes" | "no" | "on" | "off" | "=" | "<<") {
        return true;
    }
    let begins = text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    let number_like = |byte: u8| byte.is_ascii_hexdigit() || b"xotTzZ_:.,+- inf".contains(&byte);
    begins && text.bytes().all(number_like)
}

/// Characters that stand in a text without being escaped. A tab is none: it looks like spaces.
pub(super) fn is_printable(character: char) -> bool {
    matches!(character,
        ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' |
        '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        for (text, value) in [
            ("null", Value::Null),
            ("~", Value::Null),
            ("True", true.into()),
            ("FALSE", false.into()),
            ("-12", (-12).into()),
            ("yes", Value::text("yes")),
            ("1_000", Value::text("1_000")),
            ("12:30", Value::text("12:30")),
            ("0o8", Value::text("0o8")),
            ("0x", Value::text("0x")),
            ("e5", Value::text("e5")),
            (".", Value::text(".")),
            ("1.2.3", Value::text("1.2.3")),
            ("nULL", Value::text("nULL")),
        ] {
            assert_eq!(resolve(text), Ok(value), "{text}");
        }
        for digits in ["1.50", "12345678901234567890123", "1e5", "-0", "1E+05"] {
            assert_eq!(resolve(digits), Ok(Value::Number(Number::parse(digits).unwrap())));
        }
    }

    #[test]
    fn numbers_that_json_writes_otherwise_are_refused() {
        for text in ["+1", "007", "0755", ".5", "1.", "0o17", "0x1F", "-.5e3", "1.e5", "+0"] {
            assert_eq!(resolve(text), Err(Reason::NumberForm(text.to_owned())), "{text}");
        }
        for text in [".inf", "-.INF", "+.Inf", ".nan", ".NaN"] {
            assert_eq!(resolve(text), Err(Reason::NotFinite), "{text}");
        }
    }

    #[test]
    fn what_other_readers_may_misread_is_known() {
        for text in
            ["on", "No", "y", "2001-01-01", "12:30:45", "1_000", "0b101", "<<", "1.2.3", "1e5"]
        {
            assert!(is_ambiguous(text), "{text}");
        }
        for text in ["one", "nobody", "a1", "v1.2", "-", "10 apples"] {
            assert!(!is_ambiguous(text) || !may_be_plain(text), "{text}");
        }
    }
}
