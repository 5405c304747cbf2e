//! Writing a value in a style.

use std::fmt::Write as _;

use super::super::{Map, Unwritable, Value, WriteError};
use super::DEPTH_MAX;
use super::style::{Escapes, Style};

/// The text of `value` in `style`. Refused: bytes, and what is nested too deep to be read again.
pub fn write(value: &Value, style: &Style) -> Result<String, WriteError> {
    let mut writer = Writer { text: String::new(), style, depth: 0 };
    writer.value(value)?;
    writer.text.push_str(&style.end);
    Ok(writer.text)
}

struct Writer<'a> {
    text: String,
    style: &'a Style,
    depth: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) -> Result<(), WriteError> {
        match value {
            Value::Null => self.text.push_str("null"),
            Value::Bool(true) => self.text.push_str("true"),
            Value::Bool(false) => self.text.push_str("false"),
            Value::Number(number) => self.text.push_str(number.digits()),
            Value::Text(text) => self.quoted(text),
            Value::Bytes(_) => return Err(WriteError::here(Unwritable::Bytes("JSON"))),
            Value::List(values) => return self.list(values),
            Value::Map(map) => return self.map(map),
        }
        Ok(())
    }

    fn list(&mut self, values: &[Value]) -> Result<(), WriteError> {
        self.between('[', ']', values.iter().enumerate(), |writer, (place, value)| {
            writer.value(value).map_err(|error| error.within(&place.to_string()))
        })
    }

    fn map(&mut self, map: &Map) -> Result<(), WriteError> {
        self.between('{', '}', map.iter(), |writer, (key, value)| {
            writer.quoted(key);
            writer.text.push(':');
            writer.text.push_str(&writer.style.colon);
            writer.value(value).map_err(|error| error.within(key))
        })
    }

    fn between<T>(
        &mut self,
        open: char,
        close: char,
        items: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        if self.depth == DEPTH_MAX {
            return Err(WriteError::here(Unwritable::Depth));
        }
        self.text.push(open);
        if items.len() > 0 {
            self.depth += 1;
            for (place, item) in items.enumerate() {
                if place > 0 {
                    self.text.push(',');
                    self.text.push_str(&self.style.comma);
                }
                self.line();
                write(self, item)?;
            }
            self.depth -= 1;
            self.line();
        }
        self.text.push(close);
        Ok(())
    }

    fn line(&mut self) {
        if let Some(indent) = &self.style.indent {
            self.text.push_str(self.style.newline);
            for _ in 0..self.depth {
                self.text.push_str(indent);
            }
        }
    }

    fn quoted(&mut self, text: &str) {
        self.text.push('"');
        let mut plain = 0;
        for (place, character) in text.char_indices() {
            if self.is_plain(character) {
                continue;
            }
            self.text.push_str(text.get(plain..place).unwrap_or_default());
            self.escaped(character);
            plain = place + character.len_utf8();
        }
        self.text.push_str(text.get(plain..).unwrap_or_default());
        self.text.push('"');
    }

    fn is_plain(&self, character: char) -> bool {
        character >= ' '
            && character != '"'
            && character != '\\'
            && (character.is_ascii() || self.style.escapes == Escapes::Needed)
    }

    fn escaped(&mut self, character: char) {
        let short = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(self.text, "\\u{unit:04x}");
                }
                return;
            }
        };
        self.text.push_str(short);
    }
}
