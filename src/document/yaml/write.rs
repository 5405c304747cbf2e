//! Writing a value as YAML in block style.

use std::fmt::Write as _;

use super::super::json::DEPTH_MAX;
use super::super::{Map, Unwritable, Value, WriteError};
use super::scalar::{is_ambiguous, is_printable, may_be_plain};
use super::{Lists, Start, Style};

/// The text of `value` in `style`. Refused: bytes, and what is nested too deep to be read again.
pub fn write(value: &Value, style: &Style) -> Result<String, WriteError> {
    let mut writer = Writer { text: String::new(), style, depth: 0, open_end: false };
    if style.start == Start::Explicit {
        writer.text.push_str("---");
        writer.line(0);
    }
    writer.root(value)?;
    // A block text that ends without a newline would lose its own.
    writer.text.push_str(if writer.open_end { style.newline } else { style.end });
    Ok(writer.text)
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    /// As it is.
    Plain,
    /// In quotation marks, with escapes.
    Quoted,
    /// Line by line, in a block.
    Block,
}

/// How the writer writes `text`.
pub(super) fn quoting(text: &str, style: &Style) -> Quoting {
    if may_be_plain(text) && (!is_ambiguous(text) || style.plain.contains(text)) && text != "<<" {
        Quoting::Plain
    } else if may_be_block(text) {
        Quoting::Block
    } else {
        Quoting::Quoted
    }
}

/// Several lines, of which none ends in space, and the last of which is not empty.
fn may_be_block(text: &str) -> bool {
    let lines = text.strip_suffix('\n').unwrap_or(text);
    let plain = |line: &str| line.chars().all(is_printable) && !line.ends_with(' ');
    lines.contains('\n')
        && !lines.starts_with([' ', '\n'])
        && !lines.ends_with('\n')
        && lines.split('\n').all(plain)
}

/// Characters up to which a key stands before its colon on one line (YAML 1.2.2, section 7.4.2, allows 1024); a longer one
/// gets a line of its own.
const KEY_CHARACTERS_MAX: usize = 1_000;

struct Writer<'a> {
    text: String,
    style: &'a Style,
    depth: usize,
    /// The last thing written is a block text that owns the newline after it.
    open_end: bool,
}

/// Columns that a dash or question mark and the space behind it take.
const MARK: usize = 2;

impl Writer<'_> {
    fn root(&mut self, value: &Value) -> Result<(), WriteError> {
        match value {
            Value::List(values) if !values.is_empty() => self.list(values, 0),
            Value::Map(map) if !map.is_empty() => self.map(map, 0),
            scalar => self.scalar(scalar, 0),
        }
    }

    fn map(&mut self, map: &Map, column: usize) -> Result<(), WriteError> {
        self.deeper()?;
        for (place, (key, value)) in map.iter().enumerate() {
            if place > 0 {
                self.line(column);
            }
            let written = self.key(key);
            if written.chars().count() > KEY_CHARACTERS_MAX {
                self.text.push_str("? ");
                self.text.push_str(&written);
                self.line(column);
            } else {
                self.text.push_str(&written);
            }
            self.text.push(':');
            self.held(value, column).map_err(|error| error.within(key))?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn list(&mut self, values: &[Value], column: usize) -> Result<(), WriteError> {
        self.deeper()?;
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                self.line(column);
            }
            self.text.push_str("- ");
            let done = match value {
                Value::List(values) if !values.is_empty() => self.list(values, column + MARK),
                Value::Map(map) if !map.is_empty() => self.map(map, column + MARK),
                scalar => self.scalar(scalar, column),
            };
            done.map_err(|error| error.within(&place.to_string()))?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// What stands behind a key at `column`.
    fn held(&mut self, value: &Value, column: usize) -> Result<(), WriteError> {
        let below = column + self.style.indent.max(1);
        match value {
            Value::List(values) if !values.is_empty() => {
                let column = if self.style.lists == Lists::Flush { column } else { below };
                self.line(column);
                self.list(values, column)
            }
            Value::Map(map) if !map.is_empty() => {
                self.line(below);
                self.map(map, below)
            }
            scalar => {
                self.text.push(' ');
                self.scalar(scalar, column)
            }
        }
    }

    /// A scalar, or a list or map with nothing in it, that belongs to something at `column`.
    fn scalar(&mut self, value: &Value, column: usize) -> Result<(), WriteError> {
        self.open_end = false;
        match value {
            Value::Null => self.text.push_str("null"),
            Value::Bool(true) => self.text.push_str("true"),
            Value::Bool(false) => self.text.push_str("false"),
            Value::Number(number) => self.text.push_str(number.digits()),
            Value::Text(text) => match quoting(text, self.style) {
                Quoting::Plain => self.text.push_str(text),
                Quoting::Quoted => quoted(text, &mut self.text),
                Quoting::Block => self.block(text, column + self.style.indent.max(1)),
            },
            Value::Bytes(_) => return Err(WriteError::here(Unwritable::Bytes("YAML"))),
            Value::List(_) | Value::Map(_) if self.depth == DEPTH_MAX => {
                return Err(WriteError::here(Unwritable::Depth));
            }
            Value::List(_) => self.text.push_str("[]"),
            Value::Map(_) => self.text.push_str("{}"),
        }
        Ok(())
    }

    fn block(&mut self, text: &str, column: usize) {
        let (lines, mark) = match text.strip_suffix('\n') {
            Some(lines) => (lines, "|"),
            None => (text, "|-"),
        };
        self.text.push_str(mark);
        for line in lines.split('\n') {
            if line.is_empty() {
                self.text.push_str(self.style.newline);
            } else {
                self.line(column);
                self.text.push_str(line);
            }
        }
        self.open_end = true;
    }

    fn key(&self, key: &str) -> String {
        let mut written = String::new();
        match quoting(key, self.style) {
            Quoting::Plain => written.push_str(key),
            Quoting::Quoted | Quoting::Block => quoted(key, &mut written),
        }
        written
    }

    fn line(&mut self, column: usize) {
        self.text.push_str(self.style.newline);
        self.text.extend(std::iter::repeat_n(' ', column));
    }

    fn deeper(&mut self) -> Result<(), WriteError> {
        if self.depth == DEPTH_MAX {
            return Err(WriteError::here(Unwritable::Depth));
        }
        self.depth += 1;
        Ok(())
    }
}

/// Appends `text` in quotation marks.
pub(super) fn quoted(text: &str, to: &mut String) {
    to.push('"');
    for character in text.chars() {
        match character {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            _ if is_printable(character) => to.push(character),
            _ => {
                let code = u32::from(character);
                // Writing to a String cannot fail.
                let _ = match code {
                    0..=0xff => write!(to, "\\x{code:02x}"),
                    0x100..=0xffff => write!(to, "\\u{code:04x}"),
                    _ => write!(to, "\\U{code:08x}"),
                };
            }
        }
    }
    to.push('"');
}

#[cfg(test)]
mod tests {
    use quickcheck::{Arbitrary, Gen, quickcheck};

    use super::super::read;
    use super::*;

    impl Arbitrary for Style {
        fn arbitrary(g: &mut Gen) -> Self {
            let newline = *g.choose(&["\n", "\r\n"]).unwrap_or(&"\n");
            Self {
                indent: *g.choose(&[1, 2, 3, 4]).unwrap_or(&2),
                lists: *g.choose(&[Lists::Flush, Lists::Indented]).unwrap_or(&Lists::Flush),
                newline,
                start: *g.choose(&[Start::Explicit, Start::Implicit]).unwrap_or(&Start::Implicit),
                end: *g.choose(&["", newline]).unwrap_or(&newline),
                plain: ["on", "1_0"].map(Into::into).into(),
            }
        }
    }

    /// Text of the characters and words that mean something somewhere in YAML.
    #[derive(Debug, Clone)]
    struct Tricky(String);

    impl Arbitrary for Tricky {
        fn arbitrary(g: &mut Gen) -> Self {
            const PIECES: &[&str] = &[
                "a",
                "b",
                "on",
                "null",
                "1",
                "-",
                "?",
                ":",
                ",",
                "[",
                "]",
                "{",
                "}",
                "#",
                "&",
                "*",
                "!",
                "|",
                ">",
                "'",
                "\"",
                "%",
                "@",
                "`",
                " ",
                "  ",
                "\n",
                "\n\n",
                "\r",
                "\t",
                "---",
                "...",
                "<<",
                "~",
                ".",
                "0x",
                "\u{85}",
                "\u{2028}",
                "\u{feff}",
                "\u{1f600}",
                "\u{0}",
                "\\",
                "=",
                "e",
            ];
            let count = usize::arbitrary(g) % 7;
            Self((0..count).filter_map(|_| g.choose(PIECES)).copied().collect())
        }
    }

    fn back(value: &Value, style: &Style) -> bool {
        let text = write(value, style).unwrap();
        match read(text.as_bytes()) {
            Ok(yaml) => yaml.value == *value,
            Err(error) => panic!("{error}: {text}"),
        }
    }

    quickcheck! {
        fn what_is_written_reads_back(value: Value, style: Style) -> bool {
            back(&value, &style)
        }

        fn tricky_texts_read_back_wherever_they_stand(texts: Vec<Tricky>, style: Style) -> bool {
            let texts: Vec<Value> = texts.into_iter().map(|text| Value::text(text.0)).collect();
            let keys = texts.iter().filter_map(Value::as_text);
            let map: Map = keys.zip(texts.iter().rev().cloned()).collect();
            let nested = Value::from(vec![map.clone().into(), Value::from(texts.clone()), map.clone().into()]);
            let held: Map = [("k", nested), ("l", map.into())].into_iter().collect();
            back(&Value::from(texts.clone()), &style)
                && back(&held.into(), &style)
                && texts.iter().all(|text| back(text, &style))
        }
    }

    #[test]
    fn people_would_write_it_so() {
        let text = "\
name: Build
on: push
version: 1.50
\"yes\": \"no\"
steps:
  - run: |
      make
      make test
    with: {}
  - - 1
    - null
  - \"# no comment\"
  - it's
  - []
";
        let yaml = read(text.as_bytes()).unwrap();
        assert_eq!(write(&yaml.value, &yaml.style).unwrap(), text);
        let flush = "---\r\na:\r\n- 1\r\nb:\r\n    c: |-\r\n        x\r\n\r\n        y\r\n";
        let yaml = read(flush.as_bytes()).unwrap();
        assert_eq!(write(&yaml.value, &yaml.style).unwrap(), flush);
    }

    #[test]
    fn long_keys_and_deep_values_read_back() {
        let key = "k".repeat(3_000);
        let map: Map = [(key.as_str(), Value::from(vec![1.into()]))].into_iter().collect();
        assert!(back(&Value::from(vec![map.into()]), &Style::default()));
        let nested = |depth| (0..depth).fold(Value::Null, |value, _| Value::from(vec![value]));
        assert!(back(&nested(DEPTH_MAX), &Style::default()));
        let error = write(&nested(DEPTH_MAX + 1), &Style::default()).unwrap_err();
        assert_eq!(error.reason, Unwritable::Depth);
        let bytes = Value::from(vec![Value::Bytes([].into())]);
        assert_eq!(
            write(&bytes, &Style::default()).unwrap_err().to_string(),
            "/0: YAML has no form for bytes"
        );
    }
}
