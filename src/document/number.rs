//! Numbers as text: what was written stays written.

use std::fmt;

use ecow::EcoString;

/// A number in the grammar of JSON (RFC 8259, section 6), with the digits it was written with. Equal means equal digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(EcoString);

impl Number {
    /// Takes `digits` if they are a number of JSON from the first to the last.
    pub fn parse(digits: &str) -> Option<Self> {
        (length(digits.as_bytes())? == digits.len()).then(|| Self(digits.into()))
    }

    /// The number that `text` begins with.
    pub(super) fn at_beginning(text: &str) -> Option<Self> {
        Some(Self(text.get(..length(text.as_bytes())?)?.into()))
    }

    /// The digits as written.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The number, if it is written as an integer and fits. `1.0` and `1e3` are not written as integers.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// The nearest binary64 (IEEE 754, ties to even); infinite beyond its range.
    pub fn to_f64(&self) -> f64 {
        // Every number of JSON is one of Rust's.
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(ecow::eco_format!("{number}"))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many bytes at the beginning of `text` are one number; `None` if it does not begin with one.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut end = usize::from(text.first() == Some(&b'-'));
    end = match text.get(end)? {
        b'0' => end + 1,
        b'1'..=b'9' => digits(end),
        _ => return None,
    };
    if text.get(end) == Some(&b'.') {
        end = more(end + 1, digits(end + 1))?;
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        end = more(end + 1 + sign, digits(end + 1 + sign))?;
    }
    Some(end)
}

fn more(from: usize, end: usize) -> Option<usize> {
    (end > from).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_that_of_json() {
        for good in [
            "0",
            "-0",
            "7",
            "10",
            "0.5",
            "-1.50",
            "1e5",
            "1E+05",
            "2.0e-9",
            "12345678901234567890123",
        ] {
            assert_eq!(Number::parse(good).unwrap().digits(), good);
        }
        for bad in [
            "", "-", "01", "+1", ".5", "1.", "1e", "1e+", "0x1", "1_0", "NaN", "Infinity", " 1",
            "1 ",
        ] {
            assert!(Number::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn digits_are_the_value() {
        let number = |digits| Number::parse(digits).unwrap();
        assert_ne!(number("1"), number("1.0"));
        assert_eq!(number("9007199254740993").as_i64(), Some(9_007_199_254_740_993));
        assert_eq!(number("1.0").as_i64(), None);
        assert_eq!(number("18446744073709551616").as_i64(), None);
        assert!(number("1e400").to_f64().is_infinite());
    }
}
