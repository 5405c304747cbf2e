//! Lines of JSON: one value a line, read as a list; each line is written in the style it was found in.
//!
//! Nothing written is a list without values. Refused, with their place: an empty line, and what is refused in JSON.

use super::json::{self, Escapes, JsonError, Names, Reason};
use super::{Unwritable, Value, WriteError};

/// A text of lines: its values, and how they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jsonl {
    /// The list of its values.
    pub value: Value,
    /// How they are written.
    pub style: Style,
}

/// The styles of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// Styles and how many lines in a row have them. Lines beyond the last have the last one's.
    runs: Vec<(usize, json::Style)>,
    /// What follows the last line: a newline, or nothing.
    last: LastLine,
}

/// What follows the last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastLine {
    Ended,
    Open,
}

/// One value a line without any space, each line ended.
impl Default for Style {
    fn default() -> Self {
        let line = json::Style {
            indent: None,
            newline: "\n",
            colon: "".into(),
            comma: "".into(),
            end: "".into(),
            escapes: Escapes::Needed,
        };
        Self { runs: vec![(1, line)], last: LastLine::Ended }
    }
}

/// Reads the values of `text`, one a line.
pub fn read(text: &[u8]) -> Result<Jsonl, JsonError> {
    let mut style = Style { runs: Vec::new(), last: LastLine::Ended };
    let mut values = Vec::new();
    let mut names = Names::default();
    for (number, line) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
        let (line, newline) = cut(line);
        if newline.is_none() {
            style.last = LastLine::Open;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            return Err(JsonError { line: number, column: 1, reason: Reason::EmptyLine });
        }
        let read = json::read_sharing(line, &mut names);
        let mut json = read.map_err(|error| JsonError { line: number, ..error })?;
        json.style.newline = newline.unwrap_or("\n");
        style.push(json.style);
        values.push(json.value);
    }
    if style.runs.is_empty() {
        style = Style::default();
    }
    Ok(Jsonl { value: values.into(), style })
}

/// The line, and what ends it, if anything does.
fn cut(line: &[u8]) -> (&[u8], Option<&'static str>) {
    if let Some(line) = line.strip_suffix(b"\r\n") {
        (line, Some("\r\n"))
    } else if let Some(line) = line.strip_suffix(b"\n") {
        (line, Some("\n"))
    } else {
        (line, None)
    }
}

/// The lines of the list `value`, in `style`.
pub fn write(value: &Value, style: &Style) -> Result<String, WriteError> {
    let values = value.as_list();
    let values = values.ok_or_else(|| WriteError::here(Unwritable::NoList(value.kind())))?;
    let mut text = String::new();
    for (place, (value, line)) in values.iter().zip(style.lines()).enumerate() {
        let written = json::write(value, line);
        text.push_str(&written.map_err(|error| error.within(&place.to_string()))?);
        if place + 1 < values.len() || style.last == LastLine::Ended {
            text.push_str(line.newline);
        }
    }
    Ok(text)
}

impl Style {
    fn push(&mut self, line: json::Style) {
        match self.runs.last_mut() {
            Some((count, style)) if *style == line => *count += 1,
            _ => self.runs.push((1, line)),
        }
    }

    /// One style a line, without an end.
    fn lines(&self) -> impl Iterator<Item = &json::Style> {
        let runs = self.runs.iter().flat_map(|(count, style)| std::iter::repeat_n(style, *count));
        runs.chain(self.runs.iter().rev().take(1).cycle().map(|(_, style)| style))
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;

    quickcheck! {
        fn what_is_written_reads_back(values: Vec<Value>) -> bool {
            let value = Value::from(values);
            let text = write(&value, &Style::default()).unwrap();
            let read = read(text.as_bytes()).unwrap();
            read.value == value && write(&read.value, &read.style) == Ok(text)
        }
    }

    #[test]
    fn each_line_keeps_its_style() {
        for text in [
            "",
            "1",
            "1\n",
            "{\"a\": 1, \"b\": [1, 2]}\n{\"a\":1,\"b\":[1,2]}\n\"\\u00e9\"",
            "[1,2]  \n[1, 2]\r\n",
        ] {
            let lines = read(text.as_bytes()).unwrap();
            assert_eq!(write(&lines.value, &lines.style).unwrap(), text);
        }
    }

    #[test]
    fn lines_that_are_new_look_like_the_last() {
        let lines = read(b"{\"a\": 1}\n{\"a\":1}").unwrap();
        let Value::List(mut values) = lines.value else { panic!("a list") };
        let first = values[0].clone();
        values.edit().push(first);
        let text = write(&Value::List(values), &lines.style).unwrap();
        assert_eq!(text, "{\"a\": 1}\n{\"a\":1}\n{\"a\":1}");
        let error = write(&Value::Null, &Style::default()).unwrap_err();
        assert_eq!(error.reason, Unwritable::NoList("null"));
        let error = write(&vec![Value::Bytes([].into())].into(), &Style::default());
        assert_eq!(error.unwrap_err().to_string(), "/0: JSON has no form for bytes");
    }

    #[test]
    fn everything_refused_is_named_with_its_place() {
        for (text, line, column, reason) in [
            (&b"1\n\n2\n"[..], 2, 1, Reason::EmptyLine),
            (b"1\n2\n \r\n", 3, 1, Reason::EmptyLine),
            (b"\n", 1, 1, Reason::EmptyLine),
            (b"1\n{\"a\":1,\"a\":2}\n", 2, 8, Reason::DuplicateKey("a".into())),
            (b"1\n[1,\n2]", 2, 4, Reason::End("a value")),
            (b"1\n\xff", 2, 1, Reason::NotUtf8),
            (b"\xef\xbb\xbf1", 1, 1, Reason::ByteOrderMark),
            (b"1 2\n", 1, 3, Reason::Trailing),
        ] {
            assert_eq!(read(text), Err(JsonError { line, column, reason }), "{text:?}");
        }
    }
}
