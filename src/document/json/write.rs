//! Writing a value in a style.

use super::super::{List, Map, Unwritable, Value, WriteError};
use super::DEPTH_MAX;
use super::plain::plain_length;
use super::style::{Escapes, Style};
use super::verbatim::Verbatim;

/// About what the text of a small document takes, so that it need not grow in steps.
const TEXT_BYTES: usize = 4_096;

/// The text of `value` in `style`. Refused: bytes, and what is nested too deep to be read again.
pub fn write(value: &Value, style: &Style) -> Result<String, WriteError> {
    let kept = verbatim_bytes(value);
    // What is not touched takes no memory; what grows is in memory twice for a moment.
    let room = TEXT_BYTES + kept + kept / 4;
    let mut writer = Writer::new(String::with_capacity(room), style);
    writer.value(value)?;
    writer.to.put(&style.end);
    Ok(writer.to)
}

/// Bytes of lists that are written as they were read, below objects alone.
fn verbatim_bytes(value: &Value) -> usize {
    match value {
        Value::List(values) => values.verbatim().map_or(0, Verbatim::bytes),
        Value::Map(map) => map.iter().map(|(_, value)| verbatim_bytes(value)).sum(),
        _ => 0,
    }
}

/// Whether [`write()`] gives exactly `text`. No text is made for that.
pub(in super::super) fn writes(value: &Value, style: &Style, text: &[u8]) -> bool {
    let mut writer = Writer::new(Left(Some(text)), style);
    let written = writer.value(value);
    writer.to.put(&style.end);
    written.is_ok() && writer.to.0 == Some(&[])
}

/// Where a text goes.
trait Sink {
    fn put(&mut self, text: &str);
}

impl Sink for String {
    #[inline]
    fn put(&mut self, text: &str) {
        self.push_str(text);
    }
}

/// What is left of a text that is compared with the one that is written; none once they differ.
struct Left<'a>(Option<&'a [u8]>);

impl Sink for Left<'_> {
    fn put(&mut self, text: &str) {
        self.0 = self.0.and_then(|left| left.strip_prefix(text.as_bytes()));
    }
}

struct Writer<'a, S> {
    to: S,
    style: &'a Style,
    depth: usize,
    /// What lies before a value of the deepest level so far; those above begin alike.
    line: String,
}

impl<'a, S: Sink> Writer<'a, S> {
    fn new(to: S, style: &'a Style) -> Self {
        Self { to, style, depth: 0, line: style.newline.to_owned() }
    }

    fn value(&mut self, value: &Value) -> Result<(), WriteError> {
        match value {
            Value::Null => self.to.put("null"),
            Value::Bool(true) => self.to.put("true"),
            Value::Bool(false) => self.to.put("false"),
            Value::Number(number) => self.to.put(number.digits()),
            Value::Text(text) => self.quoted(text),
            Value::Bytes(_) => return Err(WriteError::here(Unwritable::Bytes("JSON"))),
            Value::List(values) => return self.list(values),
            Value::Map(map) => return self.map(map),
        }
        Ok(())
    }

    fn list(&mut self, values: &List) -> Result<(), WriteError> {
        let verbatim = values.verbatim();
        if let Some(text) = verbatim.and_then(|text| text.written(self.style, self.depth)) {
            self.to.put(text);
            return Ok(());
        }
        self.between("[", "]", values.iter().enumerate(), |writer, (place, value)| {
            writer.value(value).map_err(|error| error.within(&place.to_string()))
        })
    }

    fn map(&mut self, map: &Map) -> Result<(), WriteError> {
        self.between("{", "}", map.iter(), |writer, (key, value)| {
            writer.quoted(key);
            writer.to.put(":");
            writer.to.put(&writer.style.colon);
            writer.value(value).map_err(|error| error.within(key))
        })
    }

    fn between<T>(
        &mut self,
        open: &str,
        close: &str,
        items: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        if self.depth == DEPTH_MAX {
            return Err(WriteError::here(Unwritable::Depth));
        }
        self.to.put(open);
        if items.len() > 0 {
            self.depth += 1;
            for (place, item) in items.enumerate() {
                if place > 0 {
                    self.to.put(",");
                    self.to.put(&self.style.comma);
                }
                self.line();
                write(self, item)?;
            }
            self.depth -= 1;
            self.line();
        }
        self.to.put(close);
        Ok(())
    }

    fn line(&mut self) {
        if let Some(indent) = &self.style.indent {
            let length = self.style.newline.len() + indent.len() * self.depth;
            while self.line.len() < length {
                self.line.push_str(indent);
            }
            self.to.put(self.line.get(..length).unwrap_or_default());
        }
    }

    fn quoted(&mut self, text: &str) {
        self.to.put("\"");
        let mut rest = text;
        while let Some(place) = self.special(rest.as_bytes()) {
            // Bytes that are not plain are ASCII, or begin a character.
            let (plain, special) = rest.split_at_checked(place).unwrap_or((rest, ""));
            self.to.put(plain);
            let mut characters = special.chars();
            if let Some(character) = characters.next() {
                self.escaped(character);
            }
            rest = characters.as_str();
        }
        self.to.put(rest);
        self.to.put("\"");
    }

    /// Where in `text` something stands that is escaped.
    fn special(&self, text: &[u8]) -> Option<usize> {
        let plain = plain_length(text);
        let plain = match self.style.escapes {
            Escapes::Needed => plain,
            Escapes::AllButAscii => {
                let beyond = text.iter().take(plain).position(|byte| !byte.is_ascii());
                beyond.unwrap_or(plain)
            }
        };
        (plain < text.len()).then_some(plain)
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
                    self.to.put(&format!("\\u{unit:04x}"));
                }
                return;
            }
        };
        self.to.put(short);
    }
}
