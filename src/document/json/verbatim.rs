//! Lists of a JSON text that are kept as text: found out in one walk that makes nothing, and only where the text is exactly
//! what the writer would write.
//!
//! Whatever this walk does not know at once, it leaves to the reader: other spacing than the style of the document, names with
//! escapes, `\u`, and all that is wrong. So it refuses more than the reader, never less.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use ecow::{EcoString, EcoVec};

use super::super::number;
use super::super::{Key, Map, Value};
use super::DEPTH_MAX;
use super::read::read_walked;
use super::style::{Escapes, Style};

/// Length in bytes from which a list stays text. Below that its values are made faster than they are asked for twice.
/// Tests of this crate have short lists, of which all that can be are kept as text.
pub(super) const VERBATIM_FROM: usize = if cfg!(test) { 4 } else { 1 << 20 };

/// Names of one object up to which the walk compares each with all others; objects with more are left to the reader.
const NAMES_MAX: usize = 256;

/// A list of a document as it was written.
pub(in crate::document) struct Verbatim {
    /// From its opening bracket to its closing one.
    text: Box<str>,
    layout: Layout,
    /// Lists and objects around it.
    depth: usize,
    /// Where in the text each value begins.
    starts: Vec<u32>,
    ascii: bool,
    /// Its values, once somebody has looked at them.
    values: OnceLock<EcoVec<Value>>,
}

/// What came of looking for a list.
pub(super) struct Found {
    /// The list.
    pub(super) list: Option<Verbatim>,
    /// How far was looked, in bytes.
    pub(super) length: usize,
    /// Whether there was a colon.
    pub(super) saw_colon: bool,
    /// Whether there was a comma.
    pub(super) saw_comma: bool,
}

/// What stands between values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) indent: Option<Box<str>>,
    pub(super) newline: &'static str,
    pub(super) colon: Box<str>,
    pub(super) comma: Box<str>,
}

impl Layout {
    /// Whether a text of this layout is one of `style`. Without lines there is no end of one.
    fn is_of(&self, style: &Style) -> bool {
        self.indent == style.indent
            && self.colon == style.colon
            && self.comma == style.comma
            && (self.indent.is_none() || self.newline == style.newline)
    }
}

impl Verbatim {
    /// The list that `text` begins with, `depth` lists and objects deep; none if it is short, or not written as the writer
    /// would.
    pub(super) fn at(text: &str, depth: usize, layout: Layout) -> Found {
        let mut walk = Walk::new(text, &layout);
        let mut starts = Vec::new();
        let walked = walk.list(depth, |walk, depth| {
            starts.push(u32::try_from(text.len() - walk.rest.len()).ok()?);
            walk.value(depth)
        });
        let length = text.len() - walk.rest.len();
        let Walk { ascii, saw_colon, saw_comma, .. } = walk;
        let text = text.get(..length).filter(|text| text.len() >= VERBATIM_FROM);
        let list = walked.and(text).map(|text| Self {
            text: text.into(),
            layout,
            depth,
            starts,
            ascii,
            values: OnceLock::new(),
        });
        Found { list, length, saw_colon, saw_comma }
    }

    /// Its text, if that is what the writer would write in `style`, `depth` lists and objects deep.
    pub(super) fn written(&self, style: &Style, depth: usize) -> Option<&str> {
        let fits = self.depth == depth
            && self.layout.is_of(style)
            && (self.ascii || style.escapes == Escapes::Needed);
        fits.then_some(&*self.text)
    }

    /// Length of the text, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Number of its values.
    pub(in crate::document) const fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether somebody has looked at its values.
    pub(in crate::document) fn is_read(&self) -> bool {
        self.values.get().is_some()
    }

    /// Its values, made by the first who asks.
    pub(in crate::document) fn values(&self) -> &EcoVec<Value> {
        self.values.get_or_init(|| self.read())
    }

    /// Its values, which it does not keep.
    pub(in crate::document) fn take(&mut self) -> EcoVec<Value> {
        self.values.take().unwrap_or_else(|| self.read())
    }

    /// Its values, made anew.
    pub(in crate::document) fn read(&self) -> EcoVec<Value> {
        match walked(&self.text) {
            Value::List(mut values) => std::mem::take(values.edit()),
            other => unreachable!("a list was walked, not {}", other.kind()),
        }
    }

    /// Hands each value to `take`; of objects only the entries under `keys`.
    pub(in crate::document) fn each_with(
        &self,
        keys: &HashSet<&str>,
        take: &mut dyn FnMut(&Value),
    ) {
        let mut walk = Walk::new(&self.text, &self.layout);
        let mut parts = Parts { keys, places: Vec::new(), last: Map::new().into() };
        for start in &self.starts {
            if walk.part(*start as usize, self.depth + 1, &mut parts).is_none() {
                unreachable!("what was walked once can be walked again");
            }
            take(&parts.last);
        }
    }
}

impl Layout {
    fn line(&self, depth: usize) -> Vec<u8> {
        let Some(indent) = &self.indent else { return Vec::new() };
        [self.newline, &indent.repeat(depth)].concat().into_bytes()
    }
}

/// A walk over a text that makes nothing. `None` wherever the text is not what the writer would write.
struct Walk<'a> {
    text: &'a str,
    /// What was not walked yet.
    rest: &'a [u8],
    layout: &'a Layout,
    /// What ends a line, and begins the next one, at each depth.
    lines: Vec<Vec<u8>>,
    colon: Vec<u8>,
    /// At each depth, how the entries of the last object begin that stood there: their line, name and colon. No two have one
    /// name. Most objects have the names of the one before them, in its order.
    known: Vec<Vec<&'a [u8]>>,
    ascii: bool,
    saw_colon: bool,
    saw_comma: bool,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, layout: &'a Layout) -> Self {
        Self {
            text,
            rest: text.as_bytes(),
            layout,
            lines: Vec::new(),
            colon: [":", &layout.colon].concat().into_bytes(),
            known: Vec::new(),
            ascii: true,
            saw_colon: false,
            saw_comma: false,
        }
    }

    /// Passes over the list at which the walk is; `item` over each of its values.
    fn list(
        &mut self,
        depth: usize,
        mut item: impl FnMut(&mut Self, usize) -> Option<()>,
    ) -> Option<()> {
        self.open(b'[', depth)?;
        if self.byte(b']').is_some() {
            return Some(());
        }
        loop {
            self.line(depth + 1)?;
            item(self, depth + 1)?;
            if !self.comma()? {
                self.line(depth)?;
                return self.byte(b']');
            }
        }
    }

    fn entries(
        &mut self,
        depth: usize,
        mut entry: impl FnMut(&mut Self, usize, &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        self.open(b'{', depth)?;
        if self.byte(b'}').is_some() {
            return Some(());
        }
        self.saw_colon = true;
        for place in 0.. {
            let head = self.head(depth, place)?;
            entry(self, place, head)?;
            if !self.comma()? {
                break;
            }
        }
        self.line(depth)?;
        self.byte(b'}')
    }

    /// Goes one level deeper.
    fn open(&mut self, bracket: u8, depth: usize) -> Option<()> {
        while self.lines.len() <= depth + 1 {
            self.lines.push(self.layout.line(self.lines.len()));
            self.known.push(Vec::new());
        }
        if depth < DEPTH_MAX { self.byte(bracket) } else { None }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.rest.first()? {
            b'"' => self.string().map(|_| ()),
            b'{' => self.entries(depth, |walk, _, _| walk.value(depth + 1)),
            b'[' => self.list(depth, Self::value),
            b't' => self.pass(b"true"),
            b'f' => self.pass(b"false"),
            b'n' => self.pass(b"null"),
            _ => {
                self.rest = self.rest.get(number::length(self.rest)?..)?;
                Some(())
            }
        }
    }

    /// How the entry at `place` of an object begins.
    fn head(&mut self, depth: usize, place: usize) -> Option<&'a [u8]> {
        if let Some(head) = self.known.get(depth)?.get(place)
            && let Some(rest) = self.rest.strip_prefix(*head)
        {
            self.rest = rest;
            return Some(head);
        }
        let before = self.rest;
        self.line(depth + 1)?;
        if self.string()? == Escaped::Yes {
            return None;
        }
        self.rest = self.rest.strip_prefix(self.colon.as_slice())?;
        let head = before.get(..before.len() - self.rest.len())?;
        let known = self.known.get_mut(depth)?;
        known.truncate(place);
        if place >= NAMES_MAX || known.contains(&head) {
            return None;
        }
        known.push(head);
        Some(head)
    }

    fn string(&mut self) -> Option<Escaped> {
        self.byte(b'"')?;
        let mut escaped = Escaped::No;
        loop {
            let (length, ascii) = plain(self.rest);
            self.ascii &= ascii;
            match self.rest.get(length..)? {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    return Some(escaped);
                }
                [b'\\', b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', rest @ ..] => {
                    self.rest = rest;
                    escaped = Escaped::Yes;
                }
                _ => return None,
            }
        }
    }

    /// Reads the value that begins at `start`; of an object, what is asked for.
    fn part(&mut self, start: usize, depth: usize, parts: &mut Parts<'_, 'a>) -> Option<()> {
        self.rest = self.text.as_bytes().get(start..)?;
        if self.rest.first() == Some(&b'{') {
            return parts.of_object(self, depth);
        }
        parts.last = self.value_read(depth)?;
        Some(())
    }

    /// The value at which the walk is, read.
    fn value_read(&mut self, depth: usize) -> Option<Value> {
        let from = self.text.len() - self.rest.len();
        let begins = self.rest.first();
        self.value(depth)?;
        let text = self.text.get(from..self.text.len() - self.rest.len())?;
        let inside = text.get(1..text.len() - 1).filter(|_| begins == Some(&b'"'));
        match inside.filter(|inside| !inside.contains('\\')) {
            Some(plain) => Some(Value::Text(EcoString::from(plain))),
            None => Some(walked(text)),
        }
    }

    fn line(&mut self, depth: usize) -> Option<()> {
        self.rest = self.rest.strip_prefix(self.lines.get(depth)?.as_slice())?;
        Some(())
    }

    /// Passes over a comma and what follows it, if there is one.
    fn comma(&mut self) -> Option<bool> {
        if self.byte(b',').is_none() {
            return Some(false);
        }
        self.saw_comma = true;
        if !self.layout.comma.is_empty() {
            self.pass(self.layout.comma.as_bytes())?;
        }
        Some(true)
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                Some(())
            }
            _ => None,
        }
    }

    fn pass(&mut self, bytes: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(bytes)?;
        Some(())
    }
}

/// Whether a text between quotation marks has escapes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escaped {
    No,
    Yes,
}

/// How many bytes at the beginning of `text` mean nothing special in a string, and whether all of them are ASCII.
fn plain(text: &[u8]) -> (usize, bool) {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    // Bytes below a bound make their highest bit borrow; from the lowest of these bytes on upwards others may seem to.
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word & HIGHS;
    let is = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let mut length = 0;
    let mut high = 0;
    let mut rest = text;
    while let Some((eight, behind)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*eight);
        let special = below(word, b' ') | is(word, b'"') | is(word, b'\\');
        if special != 0 {
            let bits = special.trailing_zeros() & !7;
            let before = word & ((1 << bits) - 1);
            return (length + bits as usize / 8, (high | before) & HIGHS == 0);
        }
        high |= word;
        length += 8;
        rest = behind;
    }
    let special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    let last = rest.iter().position(special).unwrap_or(rest.len());
    let ascii = rest.iter().take(last).all(u8::is_ascii);
    (length + last, high & HIGHS == 0 && ascii)
}

/// The entries of objects that are asked for.
struct Parts<'k, 'a> {
    keys: &'k HashSet<&'k str>,
    /// How the entry at each place of the last object began, and its key if it is asked for.
    places: Vec<(&'a [u8], Option<Key>)>,
    /// The last value, or what was asked for of it.
    last: Value,
}

impl<'a> Parts<'_, 'a> {
    fn of_object(&mut self, walk: &mut Walk<'a>, depth: usize) -> Option<()> {
        let Self { keys, places, last } = self;
        if last.as_map().is_none() {
            *last = Map::new().into();
        }
        let found = last.as_map_mut()?;
        found.clear();
        // Names are no longer looked for once all were found.
        let mut left = keys.len();
        let walked = walk.entries(depth, |walk, place, head| {
            match places.get(place) {
                Some((known, _)) if std::ptr::eq(*known, head) => {}
                _ => {
                    places.truncate(place);
                    let key = key_of(head)?;
                    places.push((head, keys.contains(key).then(|| key.into())));
                }
            }
            let (_, Some(key)) = places.get(place)? else { return walk.value(depth + 1) };
            // No object has a name twice.
            found.push(Arc::clone(key), walk.value_read(depth + 1)?).ok()?;
            left -= 1;
            (left > 0).then_some(())
        });
        if left == 0 { Some(()) } else { walked }
    }
}

/// The name in the beginning of an entry, which has no escapes.
fn key_of(head: &[u8]) -> Option<&str> {
    let head = std::str::from_utf8(head).ok()?;
    Some(head.split_once('"')?.1.rsplit_once('"')?.0)
}

/// The value of a text that was walked.
fn walked(text: &str) -> Value {
    match read_walked(text) {
        Ok(json) => json.value,
        Err(error) => unreachable!("what was walked can be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::super::super::List;
    use super::super::{Json, read, write};
    use super::*;

    fn list(text: &str) -> List {
        let Value::List(list) = read(text.as_bytes()).unwrap().value else { panic!("a list") };
        list
    }

    /// Whether some list in it is text still.
    fn has_text(value: &Value) -> bool {
        match value {
            Value::List(list) => list.verbatim().is_some() || list.iter().any(has_text),
            Value::Map(map) => map.iter().any(|(_, value)| has_text(value)),
            _ => false,
        }
    }

    quickcheck! {
        /// Lists that stay text say what the reader says of them, also once somebody looks into them and once they changed.
        fn text_says_what_its_values_say(value: Value, style: Style) -> bool {
            let text = write(&value, &style).unwrap();
            let json = read(text.as_bytes()).unwrap();
            let plain = read_walked(&text).unwrap();
            assert_eq!(json.style, plain.style, "{text}");
            assert_eq!(write(&json.value, &json.style).unwrap(), text);
            let mut changed = json.value.clone();
            if let Value::List(list) = &mut changed {
                list.edit().push(Value::Null);
                assert_eq!(list.len(), list.iter().count());
            }
            json.value == plain.value && plain.value == value
        }

        /// Whatever is wrong with a text, or unusual, is told as if no list stayed text.
        fn a_changed_byte_is_read_alike(value: Value, style: Style, at: usize, byte: u8) -> bool {
            let mut text = write(&value, &style).unwrap().into_bytes();
            let at = at % text.len();
            let bytes = b"{}[],:\"\\ \n\r\ttfn-0.1eEu\x01";
            text[at] = bytes[usize::from(byte) % bytes.len()];
            let Ok(text) = String::from_utf8(text) else { return true };
            // Only how much is known of its form may differ.
            let told = |json: Result<Json, _>| json.map(|Json { value, style, .. }| (value, style));
            told(read(text.as_bytes())) == told(read_walked(&text))
        }

        /// Text written in one style and put into a document of another, or elsewhere, is written in that style.
        fn text_is_written_in_the_style_at_hand(value: Value, one: Style, other: Style) -> bool {
            let read_back = read(write(&value, &one).unwrap().as_bytes()).unwrap().value;
            let around = |value: &Value| -> Value { vec![vec![value.clone()].into()].into() };
            write(&read_back, &other) == write(&value, &other)
                && write(&around(&read_back), &one) == write(&around(&value), &one)
        }

        fn parts_are_those_of_the_values(entries: Vec<Vec<(u8, bool)>>, style: Style) -> bool {
            let name = |number: u8| format!("k{}", number % 5);
            let object = |entries: Vec<(u8, bool)>| -> Value {
                let entries = entries.into_iter().map(|(number, same)| {
                    let value = Value::text(if same { "same" } else { "an\\other \" one" });
                    (name(number), value)
                });
                entries.collect::<Map>().into()
            };
            let values: Vec<Value> = entries.into_iter().map(object).collect();
            let text = write(&values.clone().into(), &style).unwrap();
            let keys = HashSet::from(["k1", "k3", "none"]);
            let mut parts = Vec::new();
            let list = list(&text);
            list.each_with(Some(&keys), &mut |part| parts.push(part.clone()));
            let expected = values.iter().map(|value| -> Value {
                let entries = value.as_map().unwrap().iter();
                let entries = entries.filter(|(key, _)| keys.contains(&***key));
                entries.map(|(key, value)| (key.to_string(), value.clone())).collect::<Map>().into()
            });
            // Of what is no text, all is handed over.
            list.verbatim().is_none() || parts == expected.collect::<Vec<_>>()
        }
    }

    #[test]
    fn only_what_is_written_as_the_writer_writes_stays_text() {
        for text in [
            "[1,2]",
            "[1, 2]\n",
            "{\n  \"a\": [\n    {\n      \"b\": \"c\\n\"\n    }\n  ]\n}",
            "[{\"a\":[[]]},{\"a\":{}}]",
            "[\"\u{e9}\"]",
        ] {
            assert!(has_text(&read(text.as_bytes()).unwrap().value), "{text}");
        }
        for text in ["[1 ,2]", "[\n1]\n", "[\"\\u0041\"]", "[\"\\/ \"]", "[{\"\\n\":1}]", "[[\n ]]"]
        {
            let value = read(text.as_bytes()).unwrap().value;
            assert!(!has_text(&value), "{text}");
        }
    }

    #[test]
    fn looking_into_a_list_makes_its_values_and_changing_it_drops_the_text() {
        let one = list("[1,2,3]");
        let mut other = one.clone();
        assert!(!one.verbatim().unwrap().is_read());
        other.edit().push(4.into());
        assert!(other.verbatim().is_none() && !one.verbatim().unwrap().is_read());
        assert_eq!((one.len(), other.len()), (3, 4));
        assert_eq!(one.first(), Some(&1.into()));
        assert!(one.verbatim().unwrap().is_read());
        assert_ne!(one, other);
    }

    #[test]
    fn a_text_of_ascii_ends_where_something_special_stands() {
        for length in 0..20 {
            for special in ["\"", "\\", "\u{1}", "\n", ""] {
                let text = "x".repeat(length) + special + "\u{e9}\"";
                let ends = if special.is_empty() { length + 2 } else { length };
                assert_eq!(plain(text.as_bytes()), (ends, !special.is_empty()), "{text:?}");
            }
        }
        assert_eq!(plain(b"\x7f\x80\xff \x1f"), (4, false));
    }
}
