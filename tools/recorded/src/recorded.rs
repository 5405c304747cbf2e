//! Reading a recorded case. What is not there, or is of another kind, is an error.

use glyph_ledger::document::{Pointer, Value};

/// The line of a case, with U+FFFD in the place of halves of surrogate pairs that stand in what was recorded: no text has
/// them, and this project answers no text with them.
pub(crate) fn readable(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        text.push_str(before);
        let length = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                text.push_str("\\ufffd");
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            // A backslash and what it escapes, which is ASCII in every JSON text.
            _ => 2,
        };
        let (whole, behind) = escape.split_at_checked(length).unwrap_or((escape, ""));
        text.push_str(whole);
        rest = behind;
    }
    text + rest
}

/// The unit of UTF-16 that an escape at the beginning of `text` means.
fn unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// A part of a case.
#[derive(Clone, Copy)]
pub(crate) struct Recorded<'a>(pub(crate) &'a Value);

/// A recorded case that is not written as cases are.
#[derive(Debug, thiserror::Error)]
#[error("{0} is missing or of another kind")]
pub(crate) struct CaseError(String);

impl<'a> Recorded<'a> {
    pub(crate) fn find(self, path: &str) -> Option<&'a Value> {
        path.parse::<Pointer>().ok()?.get(self.0)
    }

    pub(crate) fn at(self, path: &str) -> Result<Self, CaseError> {
        self.find(path).map(Self).ok_or_else(|| CaseError(path.to_owned()))
    }

    pub(crate) fn text(self, path: &str) -> Result<&'a str, CaseError> {
        self.take(path, Value::as_text)
    }

    pub(crate) fn texts(self, path: &str) -> Result<Vec<String>, CaseError> {
        let text = |value: &Value| value.as_text().map(str::to_owned);
        self.take(path, |value| value.as_list()?.iter().map(text).collect())
    }

    pub(crate) fn list(self, path: &str) -> Result<&'a [Value], CaseError> {
        self.take(path, Value::as_list)
    }

    pub(crate) fn truth(self, path: &str) -> Result<bool, CaseError> {
        self.take(path, |value| if let Value::Bool(truth) = value { Some(*truth) } else { None })
    }

    pub(crate) fn digits(self, path: &str) -> Result<String, CaseError> {
        self.take(path, digits)
    }

    pub(crate) fn all_digits(self, path: &str) -> Result<Vec<String>, CaseError> {
        self.take(path, |value| value.as_list()?.iter().map(digits).collect())
    }

    fn take<T>(
        self,
        path: &str,
        as_kind: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, CaseError> {
        self.find(path).and_then(as_kind).ok_or_else(|| CaseError(path.to_owned()))
    }
}

fn digits(value: &Value) -> Option<String> {
    if let Value::Number(number) = value { Some(number.digits().to_owned()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn halves_of_pairs_are_replaced_and_nothing_else() {
        for (line, expected) in [
            (r#""\\ud800 é""#, r#""\\ud800 é""#),
            (r#""\ud834\udd1e\ud834""#, r#""\ud834\udd1e\ufffd""#),
            (r#""\udd1e\ud834\u0041\\""#, r#""\ufffd\ufffd\u0041\\""#),
            ("{}", "{}"),
        ] {
            assert_eq!(readable(line), expected);
        }
    }
}
