//! Where in a contract's text something stands.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use crate::document::Pointer;

/// A place in a contract's text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file, or what else the text is from.
    pub file: String,
    /// Line and column, from 1; none where there is no text, as in a ledger.
    pub line_column: Option<(u64, u64)>,
}

impl Location {
    /// Somewhere in `file`.
    pub fn of_file(file: &str) -> Self {
        Self { file: file.to_owned(), line_column: None }
    }

    pub(super) fn at(file: &str, found: serde_saphyr::Location) -> Self {
        let known = found.line() > 0;
        let line_column = known.then(|| (found.line(), found.column()));
        Self { file: file.to_owned(), line_column }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        self.line_column.map_or(Ok(()), |(line, column)| write!(f, ":{line}:{column}"))
    }
}

/// Where each value of a text begins.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Spans(Spanned<Node>);

/// A value as far as it holds others.
#[derive(Debug)]
enum Node {
    /// None: null, or nothing behind the colon.
    Nothing,
    Leaf,
    List(Vec<Spanned<Node>>),
    Map(Vec<(String, Spanned<Node>)>),
}

impl Spans {
    /// Where the value at `place` begins, or, if there is none, the nearest one that would hold it.
    pub(super) fn find(&self, place: &Pointer) -> serde_saphyr::Location {
        let mut here = &self.0;
        for token in place.tokens() {
            let below = match &here.value {
                Node::Nothing | Node::Leaf => None,
                Node::List(values) => token.parse().ok().and_then(|at: usize| values.get(at)),
                Node::Map(entries) => {
                    entries.iter().find(|(key, _)| key == token).map(|(_, value)| value)
                }
            };
            let Some(below) = below else { break };
            here = below;
        }
        here.referenced
    }
}

/// Below these keys stand values of documents, which may be null.
const OF_DOCUMENTS: [&str; 4] = ["value", "equals", "from", "to"];

/// Below this one stands a list of them.
const OF_DOCUMENTS_LISTED: &str = "not_in";

impl Spans {
    /// Where the first value is missing that a contract's field must have.
    pub(super) fn nothing(&self) -> Option<serde_saphyr::Location> {
        let mut left = vec![&self.0];
        while let Some(here) = left.pop() {
            match &here.value {
                Node::Nothing => return Some(here.referenced),
                Node::Leaf => {}
                Node::List(values) => left.extend(values.iter().rev()),
                Node::Map(entries) => {
                    let fields = entries.iter().filter(|(key, value)| {
                        let listed = key == OF_DOCUMENTS_LISTED;
                        !(OF_DOCUMENTS.contains(&key.as_str())
                            || listed && matches!(value.value, Node::List(_)))
                    });
                    left.extend(fields.rev().map(|(_, value)| value));
                }
            }
        }
        None
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Nodes)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Node, D::Error> {
        Node::deserialize(from)
    }

    fn visit_bool<E>(self, _truth: bool) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_i64<E>(self, _number: i64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_u64<E>(self, _number: u64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_i128<E>(self, _number: i128) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_u128<E>(self, _number: u128) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_f64<E>(self, _number: f64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_str<E>(self, _text: &str) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Node::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_found_where_it_begins() {
        let text = "a: 1\nlist:\n  - x: {y: 2}\n    z: [3, 4]\n  -  last\n";
        let spans: Spans = serde_saphyr::from_str(text).unwrap();
        for (place, expected) in [
            ("", (1, 1)),
            ("/a", (1, 4)),
            ("/list/0", (3, 5)),
            ("/list/0/x/y", (3, 12)),
            ("/list/0/z/1", (4, 12)),
            ("/list/1", (5, 6)),
            ("/list/1/nothing/there", (5, 6)),
        ] {
            let found = spans.find(&place.parse().unwrap());
            assert_eq!((found.line(), found.column()), expected, "{place}");
        }
    }
}
