//! Makes one value as its schemas ask for it.

use super::dice::Dice;
use super::shape::{Shape, shape};
use super::{number, text};
use crate::document::{Key, Map, Value};
use crate::schema::node::meaning;

/// Values in one document from which on everything is made as small as allowed.
const VALUES_MAX: usize = 2_000;

/// Values that are drawn for one document at most, those that led nowhere among them.
const DRAWN_MAX: usize = 20_000;

/// How often a branch is chosen.
const BRANCHES_TRIED: usize = 4;

/// How many more elements than it must have a list gets where nothing limits it.
const LONGER: usize = 4;

/// Most elements of a list that are made, however many it may have.
const ELEMENTS_MAX: usize = 64;

/// How often an element is drawn anew that stands in its list already.
const TRIES_MAX: usize = 20;

/// Names for entries that no schema names, among them such as programs get wrong.
const NAMES: [&str; 6] = ["extra", "a/b", "~", "", "__proto__", "0"];

/// Which values are preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lean {
    /// The smallest, the shortest, the fewest.
    Small,
    /// The greatest, the longest, the most.
    Large,
    /// Any.
    Free,
}

impl Lean {
    /// That of a whole document.
    pub(super) const fn of(case: u64) -> Self {
        match case {
            0 => Self::Small,
            1 => Self::Large,
            _ => Self::Free,
        }
    }

    /// That of one value: where there is none, every third one lies at an edge.
    pub(super) fn choose(self, dice: &mut Dice) -> Self {
        match self {
            Self::Free => match dice.below(6) {
                0 => Self::Small,
                1 => Self::Large,
                _ => Self::Free,
            },
            lean => lean,
        }
    }
}

/// A document as `schema` asks for it; `None` if this draw leads nowhere.
pub(super) fn document(schema: &Value, lean: Lean, dice: &mut Dice) -> Option<Value> {
    Maker { root: schema, dice, lean, values: 0 }.value(&[schema], 0)
}

struct Maker<'a, 'd> {
    root: &'a Value,
    dice: &'d mut Dice,
    lean: Lean,
    /// How many values were made.
    values: usize,
}

impl<'a> Maker<'a, '_> {
    /// A value for `schemas`. Where there are branches to choose from, another one is taken if the first leads nowhere.
    fn value(&mut self, schemas: &[&'a Value], references: usize) -> Option<Value> {
        let chooses = |schema: &&Value| {
            let map = schema.as_map();
            map.is_some_and(|map| map.contains("anyOf") || map.contains("oneOf"))
        };
        let tries = if schemas.iter().any(chooses) { BRANCHES_TRIED } else { 1 };
        (0..tries).find_map(|_| self.drawn(schemas, references))
    }

    fn drawn(&mut self, schemas: &[&'a Value], references: usize) -> Option<Value> {
        self.values += 1;
        if self.values > DRAWN_MAX {
            return None;
        }
        let shape = shape(self.root, schemas, references, self.dice)?;
        if let Some(listed) = shape.listed() {
            return self.dice.one_of(listed).cloned();
        }
        match self.kind(&shape)? {
            "object" => self.object(&shape),
            "array" => self.list(&shape),
            "string" => text::text(&shape, self.lean, self.dice),
            "integer" => number::number(&shape, true, self.lean, self.dice),
            "number" => number::number(&shape, false, self.lean, self.dice),
            "boolean" => Some(Value::Bool(self.dice.once_in(2))),
            _ => Some(Value::Null),
        }
    }

    /// What is made where several types are allowed: where no schema says a type, mostly one that its keywords speak of, and
    /// else a scalar.
    fn kind(&mut self, shape: &Shape<'a>) -> Option<&'static str> {
        let types = shape.types();
        if shape.all("type").next().is_some() {
            return self.dice.one_of(&types).copied();
        }
        let spoken_of = shape.spoken_of();
        if spoken_of.is_empty() || (self.lean == Lean::Free && self.dice.once_in(16)) {
            return self.dice.one_of(&["string", "integer", "number", "boolean", "null"]).copied();
        }
        self.dice.one_of(&spoken_of).copied()
    }

    fn object(&mut self, shape: &Shape<'a>) -> Option<Value> {
        let low = shape.size("minProperties", usize::max).unwrap_or(0);
        let high = shape.size("maxProperties", usize::min).unwrap_or(usize::MAX);
        let names =
            |key| shape.all(key).filter_map(Value::as_list).flatten().filter_map(Value::as_text);
        let required: Vec<&str> = names("required").collect();
        let mut known: Vec<&str> = Vec::new();
        let named = shape.all("properties").filter_map(Value::as_map);
        let named = named.flat_map(|map| map.entries().iter().map(|(name, _)| &**name));
        for name in named.chain(required.iter().copied()) {
            if !known.contains(&name) {
                known.push(name);
            }
        }
        let mut map = Map::new();
        let mut open = required.iter().filter(|name| known.contains(name)).count();
        for name in known {
            let must = required.contains(&name);
            open -= usize::from(must && open > 0);
            if !must && (!self.wants_more() || map.len() + open >= high) {
                continue;
            }
            match self.value(&shape.entry(name), shape.references) {
                Some(value) => put(&mut map, name, value),
                None if must => return None,
                None => {}
            }
        }
        self.more_entries(shape, &mut map, low, high)?;
        Some(map.into())
    }

    /// Adds entries that no schema names, where those are allowed.
    fn more_entries(
        &mut self,
        shape: &Shape<'a>,
        map: &mut Map,
        low: usize,
        high: usize,
    ) -> Option<()> {
        let free = self.lean == Lean::Free && self.values < VALUES_MAX && self.dice.once_in(4);
        let mut wanted = low.max((map.len() + usize::from(free)).min(high));
        let mut number = 0;
        while map.len() < wanted {
            number += 1;
            let name = match self.dice.one_of(&NAMES) {
                Some(name) if !map.contains(name) && free => (*name).to_owned(),
                _ => format!("extra{number}"),
            };
            match self.value(&shape.entry(&name), shape.references) {
                Some(value) => put(map, &name, value),
                None if map.len() < low => return None,
                None => wanted = map.len(),
            }
        }
        Some(())
    }

    fn list(&mut self, shape: &Shape<'a>) -> Option<Value> {
        let low = shape.size("minItems", usize::max).unwrap_or(0);
        let high = shape.size("maxItems", usize::min);
        if high.is_some_and(|high| high < low) || low > ELEMENTS_MAX {
            return None;
        }
        let tuple = shape.all("prefixItems").filter_map(Value::as_list).map(<[Value]>::len).max();
        let usual = low.max(tuple.unwrap_or(0)).max(low + LONGER * usize::from(tuple.is_none()));
        let high = high.unwrap_or(usual).min(ELEMENTS_MAX);
        let lean = if self.values < VALUES_MAX { self.lean.choose(self.dice) } else { Lean::Small };
        let length = match lean {
            Lean::Small => low,
            Lean::Large => high,
            Lean::Free => self.dice.size(low, high),
        };
        let unique = shape.all("uniqueItems").any(|value| *value == Value::Bool(true));
        let mut seen = Vec::new();
        let mut values = Vec::new();
        while values.len() < length {
            let schemas = shape.element(values.len());
            let drawn = (0..if unique { TRIES_MAX } else { 1 }).find_map(|_| {
                let value = self.value(&schemas, shape.references)?;
                (!unique || !seen.contains(&meaning(&value))).then_some(value)
            });
            match drawn {
                Some(value) => {
                    if unique {
                        seen.push(meaning(&value));
                    }
                    values.push(value);
                }
                None if values.len() >= low => break,
                None => return None,
            }
        }
        Some(values.into())
    }

    fn wants_more(&mut self) -> bool {
        match self.lean {
            _ if self.values >= VALUES_MAX => false,
            Lean::Small => false,
            Lean::Large => true,
            Lean::Free => self.dice.once_in(2),
        }
    }
}

fn put(map: &mut Map, name: &str, value: Value) {
    // A name that is there keeps its value: both were made for the same schemas.
    let _ = map.push(Key::from(name), value);
}
