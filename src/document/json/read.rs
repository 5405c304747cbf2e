//! Reading a JSON text.

use std::fmt;

use ecow::EcoString;

use super::super::{List, Map, Number, Value};
use super::laid::Laid;
use super::names::Names;
use super::plain::plain_length;
use super::style::{Seen, line_and_indent};
use super::verbatim::{Found, Layout, VERBATIM_FROM, Verbatim};
use super::{DEPTH_MAX, Json};

/// A text that is not acceptable JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct JsonError {
    /// The line, from 1.
    pub line: usize,
    /// The character in that line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: Reason,
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A byte that is no part of UTF-8 text.
    NotUtf8,
    /// A byte order mark, which JSON does not have.
    ByteOrderMark,
    /// The text ends where something must follow.
    End(&'static str),
    /// Something else stands where this must.
    Expected(&'static str),
    /// A name that the object has already.
    DuplicateKey(String),
    /// Half a surrogate pair, which is no character.
    LoneSurrogate,
    /// A control character that must be escaped in a text.
    Control(u8),
    /// A backslash with something that no escape begins with.
    Escape,
    /// Deeper than [`DEPTH_MAX`].
    Depth,
    /// Something stands after the value.
    Trailing,
    /// A line without a value, where each line has one.
    EmptyLine,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::ByteOrderMark => f.write_str("a byte order mark, which JSON does not have"),
            Self::End(expected) => write!(f, "the text ends where {expected} must follow"),
            Self::Expected(expected) => write!(f, "here must stand {expected}"),
            Self::DuplicateKey(key) => write!(f, "the name {key:?} stands twice in one object"),
            Self::LoneSurrogate => f.write_str("half a surrogate pair, which is no character"),
            Self::Control(byte) => write!(f, "control character {byte:#04x} must be escaped"),
            Self::Escape => f.write_str("no such escape"),
            Self::Depth => write!(f, "nested deeper than {DEPTH_MAX} levels"),
            Self::Trailing => f.write_str("something stands after the value"),
            Self::EmptyLine => f.write_str("an empty line"),
        }
    }
}

/// Reads the one value of `text`.
pub fn read(text: &[u8]) -> Result<Json, JsonError> {
    read_sharing(text, &mut Names::default())
}

/// Reads the one value of `text`, which has names in common with other texts.
pub(in super::super) fn read_sharing(text: &[u8], names: &mut Names) -> Result<Json, JsonError> {
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => return Err(located(text, error.valid_up_to(), Reason::NotUtf8)),
    };
    let mut reader = Reader::new(text, names);
    reader.document().map_err(|Wrong(reason)| located(text.as_bytes(), reader.at, reason))
}

/// Reads the one value of `text`, which was looked at before: no list of it stays text.
pub(super) fn read_walked(text: &str) -> Result<Json, JsonError> {
    let mut names = Names::default();
    let mut reader = Reader { walked: text.len(), ..Reader::new(text, &mut names) };
    reader.document().map_err(|Wrong(reason)| located(text.as_bytes(), reader.at, reason))
}

fn located(text: &[u8], at: usize, reason: Reason) -> JsonError {
    let (line, column) = place(text, at);
    JsonError { line, column, reason }
}

/// The line and the character in it, both from 1, of byte `at` of `text`.
pub(in super::super) fn place(text: &[u8], at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start =
        before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = before.split(|byte| *byte == b'\n').count();
    // Bytes that go on with a character are none of their own.
    let in_line = before.get(line_start..).unwrap_or_default();
    (line, 1 + in_line.iter().filter(|byte| **byte & 0xc0 != 0x80).count())
}

/// What is wrong at the reader's place.
struct Wrong(Reason);

struct Reader<'a> {
    text: &'a str,
    /// The next byte; always at the beginning of a character.
    at: usize,
    depth: usize,
    names: &'a mut Names,
    seen: Seen<'a>,
    laid: Laid<'a>,
    /// Emptied room, one for each level that was open at once: what is read grows there, and takes what it needs.
    maps: Vec<Map>,
    lists: Vec<Vec<Value>>,
    /// Up to where lists were looked for that can stay text.
    walked: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, names: &'a mut Names) -> Self {
        let (maps, lists, walked) = (Vec::new(), Vec::new(), 0);
        let (seen, laid) = (Seen::default(), Laid::new());
        Self { text, at: 0, depth: 0, names, seen, laid, maps, lists, walked }
    }

    fn document(&mut self) -> Result<Json, Wrong> {
        if self.text.starts_with('\u{feff}') {
            return Err(Wrong(Reason::ByteOrderMark));
        }
        let space = self.space();
        self.laid.is(space, "");
        let value = self.value()?;
        let end = self.space();
        if self.peek().is_some() {
            return Err(Wrong(Reason::Trailing));
        }
        let style = self.seen.style(end);
        Ok(Json { value, is_as_written: self.laid.holds(&style), style })
    }

    fn value(&mut self) -> Result<Value, Wrong> {
        match self.peek() {
            Some(b'{') => self.map(),
            Some(b'[') => self.list(),
            Some(b'"') => Ok(Value::Text(self.quoted()?.into())),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(Wrong(Reason::Expected("a value"))),
            None => Err(Wrong(Reason::End("a value"))),
        }
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, Wrong> {
        if !self.rest().starts_with(word) {
            return Err(Wrong(Reason::Expected("a value")));
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, Wrong> {
        let rest = self.rest();
        let number = Number::at_beginning(rest);
        let number = number.ok_or(Wrong(Reason::Expected("a number")))?;
        self.at += number.digits().len();
        Ok(Value::Number(number))
    }

    fn list(&mut self) -> Result<Value, Wrong> {
        if let Some(verbatim) = self.verbatim() {
            return Ok(Value::List(List::of_text(verbatim)));
        }
        let mut values = self.lists.pop().unwrap_or_default();
        self.between(b']', "a comma or ]", |reader| {
            values.push(reader.value()?);
            Ok(())
        })?;
        let exactly = Value::List(exact(&mut values));
        self.lists.push(values);
        Ok(exactly)
    }

    /// The list at which the reader is, if it can stay text. No byte is looked at twice for that, whatever nests in what.
    fn verbatim(&mut self) -> Option<Verbatim> {
        let rest = self.rest();
        if rest.len() < VERBATIM_FROM || self.at < self.walked {
            return None;
        }
        let opening = self.seen.opening.filter(|_| self.depth > 0);
        let opening = opening.unwrap_or_else(|| space_of(rest.get(1..).unwrap_or_default()));
        let (newline, indent) = line_and_indent(opening);
        let colon = self.seen.colon.or_else(|| behind(rest, "\":"));
        // What follows a colon follows a comma too, in most styles.
        let comma = self.seen.comma.or(colon).or_else(|| behind(rest, ",")).unwrap_or_default();
        let colon = colon.unwrap_or_default();
        let layout = Layout {
            indent: indent.map(Into::into),
            newline,
            colon: colon.into(),
            comma: if indent.is_some() { "" } else { comma }.into(),
        };
        let Found { list, length, saw_colon, saw_comma } = Verbatim::at(rest, self.depth, layout);
        self.walked = self.at + length;
        let list = list?;
        self.laid.doubt();
        self.at += length;
        if self.depth == 0 {
            self.seen.opening = Some(opening);
        }
        if saw_colon {
            self.seen.colon.get_or_insert(colon);
        }
        if saw_comma {
            self.seen.comma.get_or_insert(comma);
        }
        Some(list)
    }

    fn map(&mut self) -> Result<Value, Wrong> {
        let mut map = self.maps.pop().unwrap_or_default();
        self.between(b'}', "a comma or }", |reader| reader.entry(&mut map))?;
        let exactly = map.take_exactly();
        self.maps.push(map);
        Ok(exactly.into())
    }

    fn entry(&mut self, map: &mut Map) -> Result<(), Wrong> {
        match self.peek() {
            Some(b'"') => {}
            Some(_) => return Err(Wrong(Reason::Expected("a name in quotation marks"))),
            None => return Err(Wrong(Reason::End("a name in quotation marks"))),
        }
        let name_at = self.at;
        let key = self.quoted()?;
        let key = self.names.shared(key.as_str());
        if map.contains_shared(&key) {
            self.at = name_at;
            return Err(Wrong(Reason::DuplicateKey(key.to_string())));
        }
        let before = self.space();
        self.laid.is(before, "");
        self.expect(b':', "a colon")?;
        let space = self.space();
        let first = *self.seen.colon.get_or_insert(space);
        self.laid.is(space, first);
        let value = self.value()?;
        map.push_new(key, value);
        Ok(())
    }

    /// What stands between an opening bracket, at which the reader is, and its closing one.
    fn between(
        &mut self,
        close: u8,
        comma: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        if self.depth == DEPTH_MAX {
            return Err(Wrong(Reason::Depth));
        }
        self.depth += 1;
        self.at += 1;
        let space = self.space();
        if self.depth == 1 {
            self.seen.opening = Some(space);
            self.laid.opens(space);
        }
        if self.peek() == Some(close) {
            self.laid.is(space, "");
            self.at += 1;
            self.depth -= 1;
            return Ok(());
        }
        self.laid.line(space, self.depth);
        loop {
            item(self)?;
            let before = self.space();
            match self.peek() {
                Some(b',') => {
                    self.laid.is(before, "");
                    self.at += 1;
                    let space = self.space();
                    let first = *self.seen.comma.get_or_insert(space);
                    self.laid.comma(space, first, self.depth);
                }
                Some(byte) if byte == close => {
                    self.at += 1;
                    self.depth -= 1;
                    self.laid.line(before, self.depth);
                    return Ok(());
                }
                Some(_) => return Err(Wrong(Reason::Expected(comma))),
                None => return Err(Wrong(Reason::End(comma))),
            }
        }
    }

    /// The text that begins with the quotation mark at which the reader is.
    fn quoted(&mut self) -> Result<Quoted<'a>, Wrong> {
        self.at += 1;
        let plain = self.plain();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Quoted::AsIs(plain));
        }
        let mut text = plain.to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Quoted::Unescaped(text));
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(control) => return Err(Wrong(Reason::Control(control))),
                None => return Err(Wrong(Reason::End("a quotation mark"))),
            }
            text.push_str(self.plain());
        }
    }

    /// The characters up to the next one that means something in a text.
    fn plain(&mut self) -> &'a str {
        let rest = self.rest();
        let length = plain_length(rest.as_bytes());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn escape(&mut self) -> Result<char, Wrong> {
        let begin = self.at;
        self.at += 1;
        let simple = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => {
                self.laid.doubt();
                '/'
            }
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.laid.doubt();
                return self.code_point(begin);
            }
            Some(_) => {
                self.at = begin;
                return Err(Wrong(Reason::Escape));
            }
            None => return Err(Wrong(Reason::End("an escape"))),
        };
        self.at += 1;
        Ok(simple)
    }

    /// A `\u` with four digits, or two of them that are one character; the reader is at the `u`.
    fn code_point(&mut self, begin: usize) -> Result<char, Wrong> {
        let mut units = [self.unit()?, 0];
        if matches!(units, [0xd800..=0xdbff, _]) && self.rest().starts_with("\\u") {
            self.at += 1;
            units[1] = self.unit()?;
        }
        let Some(Ok(character)) = char::decode_utf16(units).next() else {
            self.at = begin;
            return Err(Wrong(Reason::LoneSurrogate));
        };
        self.seen.escaped_beyond_ascii |= !character.is_ascii();
        Ok(character)
    }

    fn unit(&mut self) -> Result<u16, Wrong> {
        let digits = self
            .rest()
            .get(1..5)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or(Wrong(Reason::Expected("four hexadecimal digits")))?;
        self.at += 5;
        Ok(unit)
    }

    /// Passes over white space and returns it.
    fn space(&mut self) -> &'a str {
        let space = space_of(self.rest());
        self.at += space.len();
        space
    }

    fn expect(&mut self, byte: u8, name: &'static str) -> Result<(), Wrong> {
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(Wrong(Reason::Expected(name))),
            None => Err(Wrong(Reason::End(name))),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// The white space that a text begins with.
fn space_of(text: &str) -> &str {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let length = text.bytes().take_while(|byte| is_space(byte)).count();
    text.get(..length).unwrap_or_default()
}

/// The white space behind the first `mark` of a text, which may be a part of a string.
fn behind<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    Some(space_of(text.split_once(mark)?.1))
}

/// All of `values`, in no more memory than they need. What stays is empty, and has room for as many again.
fn exact(values: &mut Vec<Value>) -> List {
    values.drain(..).collect()
}

/// A text between quotation marks.
enum Quoted<'a> {
    /// As it stands in the document.
    AsIs(&'a str),
    /// With its escapes resolved.
    Unescaped(String),
}

impl Quoted<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::AsIs(text) => text,
            Self::Unescaped(text) => text,
        }
    }
}

impl From<Quoted<'_>> for EcoString {
    fn from(quoted: Quoted<'_>) -> Self {
        match quoted {
            Quoted::AsIs(text) => text.into(),
            Quoted::Unescaped(text) => text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_refused_is_named_with_its_place() {
        let deep = "[".repeat(DEPTH_MAX + 1);
        for (text, line, column, reason) in [
            (&b"{\"a\":1,\n \"a\":2}"[..], 2, 2, Reason::DuplicateKey("a".into())),
            (b"{\"\\u0061\":1,\"a\":2}", 1, 13, Reason::DuplicateKey("a".into())),
            (b"[1,\n\xff]", 2, 1, Reason::NotUtf8),
            (b"\xef\xbb\xbf{}", 1, 1, Reason::ByteOrderMark),
            (b"\"\\ud800\"", 1, 2, Reason::LoneSurrogate),
            (b"\"\\ud800\\u0041\"", 1, 2, Reason::LoneSurrogate),
            (b"\"\\udc00\"", 1, 2, Reason::LoneSurrogate),
            ("\"\u{e9}\u{1}\"".as_bytes(), 1, 3, Reason::Control(1)),
            (b"\"\\x\"", 1, 2, Reason::Escape),
            (b"\"\\u12g4\"", 1, 3, Reason::Expected("four hexadecimal digits")),
            (b"", 1, 1, Reason::End("a value")),
            (b" \n", 2, 1, Reason::End("a value")),
            (b"{\"a\"", 1, 5, Reason::End("a colon")),
            (b"{\"a\":1,}", 1, 8, Reason::Expected("a name in quotation marks")),
            (b"[1 2]", 1, 4, Reason::Expected("a comma or ]")),
            (b"{\"a\":1", 1, 7, Reason::End("a comma or }")),
            (b"\"abc", 1, 5, Reason::End("a quotation mark")),
            (b"1 2", 1, 3, Reason::Trailing),
            (b"01", 1, 2, Reason::Trailing),
            (b"-", 1, 1, Reason::Expected("a number")),
            (b"tru", 1, 1, Reason::Expected("a value")),
            (b"'a'", 1, 1, Reason::Expected("a value")),
            (deep.as_bytes(), 1, DEPTH_MAX + 1, Reason::Depth),
        ] {
            let expected = Err(JsonError { line, column, reason });
            assert_eq!(read(text), expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn nesting_up_to_the_limit_is_read() {
        let text = "[".repeat(DEPTH_MAX) + &"]".repeat(DEPTH_MAX);
        assert!(read(text.as_bytes()).unwrap().keeps_form_of(text.as_bytes()));
    }

    #[test]
    fn values_are_read_as_written() {
        let json = read(br#"{"b":[true,null,-1.50e+07],"a":"x\n\ud83d\ude00"}"#).unwrap();
        let map = json.value.as_map().unwrap();
        assert_eq!(map.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(map.get("a"), Some(&Value::text("x\n\u{1f600}")));
        let list = map.get("b").and_then(Value::as_list).unwrap();
        assert_eq!(list[2], Value::Number(Number::parse("-1.50e+07").unwrap()));
    }
}
