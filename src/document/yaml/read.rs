//! Reading a YAML text: the events of the parser become values, or are refused.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use granit_parser::{
    Event, Marker, Options, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle,
};

use super::super::json::{self, DEPTH_MAX};
use super::super::{Key, Map, Value};
use super::scalar::{is_ambiguous, resolve};
use super::{Lists, Start, Style, Yaml};

/// A text that is not acceptable YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct YamlError {
    /// The line, from 1.
    pub line: usize,
    /// The character in that line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: Reason,
}

/// What is wrong with a YAML text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A byte that is no part of UTF-8 text.
    NotUtf8,
    /// A byte order mark.
    ByteOrderMark,
    /// It is no YAML, in the words of the parser.
    Syntax(String),
    /// There are comments at most.
    NoValue,
    /// A second document.
    SecondDocument,
    /// `*name`.
    Alias,
    /// The key `<<` without quotation marks.
    Merge,
    /// `!tag`.
    Tag,
    /// A key that is no text.
    Key(&'static str),
    /// A name that the map has already.
    DuplicateKey(String),
    /// A number whose digits JSON would write otherwise.
    NumberForm(String),
    /// Not a number, or infinity.
    NotFinite,
    /// Deeper than [`DEPTH_MAX`].
    Depth,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::ByteOrderMark => f.write_str("a byte order mark, which is not accepted here"),
            Self::Syntax(words) => write!(f, "not YAML: {words}"),
            Self::NoValue => f.write_str("the text ends without any value"),
            Self::SecondDocument => f.write_str("a second document; one file is one document here"),
            Self::Alias => f.write_str(
                "an alias: what stands in two places cannot be changed in one; write it out",
            ),
            Self::Merge => f.write_str(
                "a merge key: what stands in two places cannot be changed in one; write it out",
            ),
            Self::Tag => f.write_str("a tag, which no value here can keep"),
            Self::Key(kind) => write!(f, "a key must be a text, and this is {kind}"),
            Self::DuplicateKey(key) => write!(f, "the name {key:?} stands twice in one map"),
            Self::NumberForm(text) => write!(
                f,
                "readers differ on the number {text}: write it as JSON does, or as a text in quotation marks"
            ),
            Self::NotFinite => f.write_str("not a finite number, for which no value here stands"),
            Self::Depth => write!(f, "nested deeper than {DEPTH_MAX} levels"),
        }
    }
}

/// Reads the one value of `text`.
pub fn read(text: &[u8]) -> Result<Yaml, YamlError> {
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => return Err(at_byte(text, error.valid_up_to(), Reason::NotUtf8)),
    };
    if text.starts_with('\u{feff}') {
        return Err(at_byte(text.as_bytes(), 0, Reason::ByteOrderMark));
    }
    let options = options(Comments::PassedOver);
    let mut reader = Reader {
        text,
        parser: Parser::new_from_str_with_options(text, options),
        depth: 0,
        keys: HashSet::new(),
        style: Style::default(),
        seen: Seen::default(),
    };
    let value = reader.document()?;
    Ok(Yaml { value, style: reader.style_of() })
}

/// What the parser does with comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comments {
    PassedOver,
    Told,
}

/// Most comment lines in a row that are looked past for what follows them.
const COMMENT_LINES_MAX: usize = 1 << 20;

pub(super) fn options(comments: Comments) -> Options {
    granit_parser::options! {
        emit_comments: comments == Comments::Told,
        emit_anchor_events: comments == Comments::Told,
        max_buffered_comment_events: COMMENT_LINES_MAX,
        disallow_directives: true,
        flow_nesting_limit: DEPTH_MAX + 1,
        block_nesting_limit: DEPTH_MAX + 1,
    }
}

fn at_byte(text: &[u8], at: usize, reason: Reason) -> YamlError {
    let (line, column) = json::place(text, at);
    YamlError { line, column, reason }
}

fn at(mark: &Marker, reason: Reason) -> YamlError {
    YamlError { line: mark.line(), column: mark.col() + 1, reason }
}

impl From<ScanError> for YamlError {
    fn from(error: ScanError) -> Self {
        at(error.marker(), Reason::Syntax(error.kind().to_string()))
    }
}

struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    depth: usize,
    /// Every name seen, so that equal names share their memory.
    keys: HashSet<Key>,
    style: Style,
    seen: Seen,
}

/// What of the style was found already; the first of each kind counts.
#[derive(Default)]
struct Seen {
    indent: bool,
    lists: bool,
}

type Next<'a> = (Event<'a>, Span);

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Value, YamlError> {
        let start = loop {
            match self.next()? {
                (Event::StreamStart, _) => {}
                (Event::DocumentStart(explicit, _), _) => break explicit,
                (_, span) => return Err(at(&span.start, Reason::NoValue)),
            }
        };
        self.style.start = if start { Start::Explicit } else { Start::Implicit };
        let root = self.next()?;
        if matches!(&root, (Event::Scalar(text, ScalarStyle::Plain, ..), span) if text.is_empty() || span.is_empty())
        {
            return Err(at(&root.1.start, Reason::NoValue));
        }
        let value = self.value(root, None)?;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(value),
                (Event::DocumentStart(..), span) => {
                    return Err(at(&span.start, Reason::SecondDocument));
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<Next<'a>, YamlError> {
        match self.parser.next_event() {
            Some(next) => Ok(next?),
            None => Err(YamlError { line: 1, column: 1, reason: Reason::NoValue }),
        }
    }

    /// The value that begins with `first`; `column` is that of the map that holds it, if one does.
    fn value(&mut self, first: Next<'a>, column: Option<usize>) -> Result<Value, YamlError> {
        let (event, span) = first;
        let mark = span.start;
        if event.tag().is_some() {
            return Err(at(&span.tag_start().unwrap_or(mark), Reason::Tag));
        }
        match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) => self.plain(&text, &mark),
            Event::Scalar(text, ..) => Ok(Value::text(text)),
            Event::SequenceStart(style, ..) => {
                self.note(style, &span, column, Holds::List);
                self.deeper(&mark, Self::list)
            }
            Event::MappingStart(style, ..) => {
                self.note(style, &span, column, Holds::Map);
                let column = Some(mark.col()).filter(|_| style == StructureStyle::Block);
                self.deeper(&mark, |reader| reader.map(column))
            }
            _ => Err(at(&mark, Reason::Alias)),
        }
    }

    fn plain(&mut self, text: &str, mark: &Marker) -> Result<Value, YamlError> {
        let value = resolve(text).map_err(|reason| at(mark, reason))?;
        if matches!(value, Value::Text(_)) && is_ambiguous(text) {
            self.style.plain.insert(text.into());
        }
        Ok(value)
    }

    fn deeper(
        &mut self,
        mark: &Marker,
        read: impl FnOnce(&mut Self) -> Result<Value, YamlError>,
    ) -> Result<Value, YamlError> {
        if self.depth == DEPTH_MAX {
            return Err(at(mark, Reason::Depth));
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn list(&mut self) -> Result<Value, YamlError> {
        let mut values = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(values.into()),
                first => values.push(self.value(first, None)?),
            }
        }
    }

    fn map(&mut self, column: Option<usize>) -> Result<Value, YamlError> {
        let mut map = Map::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(map.into());
            }
            let merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            if merge {
                return Err(at(&span.start, Reason::Merge));
            }
            let key = match self.value((event, span), None)? {
                Value::Text(key) => self.shared(&key),
                other => return Err(at(&span.start, Reason::Key(other.kind()))),
            };
            if map.contains(&key) {
                return Err(at(&span.start, Reason::DuplicateKey(key.to_string())));
            }
            let first = self.next()?;
            let value = self.value(first, column)?;
            // The name is new, as just seen.
            let _ = map.push(key, value);
        }
    }

    fn shared(&mut self, key: &str) -> Key {
        if let Some(known) = self.keys.get(key) {
            return Arc::clone(known);
        }
        let key: Key = key.into();
        self.keys.insert(Arc::clone(&key));
        key
    }
}

/// What a key holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Map,
    List,
}

impl Reader<'_> {
    /// Takes the style from the first map and the first list that a key holds.
    fn note(&mut self, style: StructureStyle, span: &Span, column: Option<usize>, holds: Holds) {
        let (StructureStyle::Block, Some(column)) = (style, column) else { return };
        if self.seen.indent && self.seen.lists {
            return;
        }
        // The parser tells where the first element of a list begins, not where its dash stands.
        let by = self.indentation(span).saturating_sub(column);
        if holds == Holds::List && !self.seen.lists {
            self.seen.lists = true;
            self.style.lists = if by == 0 { Lists::Flush } else { Lists::Indented };
        }
        if by > 0 && !self.seen.indent {
            self.seen.indent = true;
            self.style.indent = by.clamp(1, INDENT_MAX);
        }
    }

    /// Spaces at the beginning of the line in which `span` begins.
    fn indentation(&self, span: &Span) -> usize {
        let before =
            span.start.byte_offset().and_then(|at| self.text.get(..at)).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        line.len() - line.trim_start_matches(' ').len()
    }

    fn style_of(self) -> Style {
        let text = self.text;
        let mut style = self.style;
        let first = text.split_inclusive('\n').next().unwrap_or_default();
        style.newline = if first.ends_with("\r\n") { "\r\n" } else { "\n" };
        style.end = if text.ends_with('\n') { style.newline } else { "" };
        style
    }
}

/// Widest indentation that is taken over.
const INDENT_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::super::super::Number;
    use super::*;

    fn value(text: &str) -> Value {
        read(text.as_bytes()).unwrap().value
    }

    #[test]
    fn everything_refused_is_named_with_its_place() {
        let deep = "[".repeat(DEPTH_MAX + 1) + &"]".repeat(DEPTH_MAX + 1);
        for (text, line, column, reason) in [
            (&b"a: 1\nb: \xff"[..], 2, 4, Reason::NotUtf8),
            (b"\xef\xbb\xbfa: 1", 1, 1, Reason::ByteOrderMark),
            (b"", 1, 1, Reason::NoValue),
            (b"# nothing\n", 2, 1, Reason::NoValue),
            (b"a: 1\n---\nb: 2\n", 2, 1, Reason::SecondDocument),
            (b"a: &x 1\nb: *x\n", 2, 4, Reason::Alias),
            (b"a: {b: 1}\n<<: {c: 1}\n", 2, 1, Reason::Merge),
            (b"a: !!str 1\n", 1, 4, Reason::Tag),
            (b"a: !thing [1]\n", 1, 4, Reason::Tag),
            (b"1: a\n", 1, 1, Reason::Key("a number")),
            (b"? [a]\n: b\n", 1, 3, Reason::Key("a list")),
            (b"~: b\n", 1, 1, Reason::Key("null")),
            (b"a: 1\nb: 2\n'a': 3\n", 3, 1, Reason::DuplicateKey("a".into())),
            (b"a:\n  - 0755\n", 2, 5, Reason::NumberForm("0755".into())),
            (b"a: .nan\n", 1, 4, Reason::NotFinite),
            (deep.as_bytes(), 1, DEPTH_MAX + 1, Reason::Depth),
        ] {
            let expected = Err(YamlError { line, column, reason });
            assert_eq!(read(text), expected, "{}", String::from_utf8_lossy(text));
        }
        for (text, line) in
            [("a: [1", 1), ("%YAML 1.1\n---\na: 1", 1), ("a: 1\n b: 2", 2), ("a: \"\\ud800\"", 1)]
        {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(matches!(error.reason, Reason::Syntax(_)), "{error}");
            assert!(error.line >= line, "{error}");
        }
    }

    #[test]
    fn values_are_read_as_written() {
        let read = value("b: [true, ~, 1.50]\na: |\n  x\n  y\nc: &unused 'on'\nd:\ne: {}\n");
        let map = read.as_map().unwrap();
        assert_eq!(
            map.iter().map(|(key, _)| &**key).collect::<Vec<_>>(),
            ["b", "a", "c", "d", "e"]
        );
        let list = map.get("b").and_then(Value::as_list).unwrap();
        assert_eq!(list[2], Value::Number(Number::parse("1.50").unwrap()));
        assert_eq!(map.get("a"), Some(&Value::text("x\ny\n")));
        assert_eq!((map.get("c"), map.get("d")), (Some(&Value::text("on")), Some(&Value::Null)));
        assert_eq!(value("\"\\ud83d\\ude00\""), Value::text("\u{1f600}"));
        assert_eq!(value("--- null\n...\n"), Value::Null);
    }
}
