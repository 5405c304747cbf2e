//! From a document that something is wrong with to a small one.

use std::sync::Arc;

use crate::document::{Pointer, Value};
use crate::schema::Schema;

/// How many smaller documents are tried.
pub const STEPS_MAX: usize = 5_000;

/// The smallest document found on the way from `document` by taking away entries and elements and making scalars simpler,
/// that `schema` still allows and that `still_fails`.
pub fn shrink(
    document: &Value,
    schema: &Schema,
    still_fails: &mut dyn FnMut(&Value) -> bool,
) -> Value {
    let mut best = document.clone();
    let mut steps = 0;
    let mut from = 0;
    let mut changed = true;
    while changed {
        changed = false;
        while let Some(edit) = edits(&best).into_iter().nth(from) {
            steps += 1;
            if steps > STEPS_MAX {
                return best;
            }
            match edit.applied(&best) {
                Some(smaller) if schema.is_valid(&smaller) && still_fails(&smaller) => {
                    best = smaller;
                    changed = true;
                }
                _ => from += 1,
            }
        }
        from = 0;
    }
    best
}

/// One way to make a document simpler.
enum Edit {
    /// Without the entry or element at this place.
    Without(Pointer),
    /// With the first so many elements of the list at this place.
    First(Pointer, usize),
    /// With this in that place.
    With(Pointer, Value),
}

impl Edit {
    fn applied(&self, document: &Value) -> Option<Value> {
        let mut document = document.clone();
        match self {
            Self::Without(place) => {
                let (above, name) = place.split()?;
                match above.get_mut(&mut document)? {
                    Value::Map(map) => drop(Arc::make_mut(map).remove(name)?),
                    Value::List(values) => drop(values.edit().remove(name.parse().ok()?)),
                    _ => return None,
                }
            }
            Self::First(place, length) => match place.get_mut(&mut document)? {
                Value::List(values) => values.edit().truncate(*length),
                _ => return None,
            },
            Self::With(place, value) => *place.get_mut(&mut document)? = value.clone(),
        }
        Some(document)
    }
}

/// Every edit of `document`, those that take most away first.
fn edits(document: &Value) -> Vec<Edit> {
    let mut edits = Vec::new();
    collect(document, &Pointer::default(), &mut edits);
    edits
}

fn collect(value: &Value, place: &Pointer, edits: &mut Vec<Edit>) {
    match value {
        Value::List(values) => {
            if values.len() > 1 {
                edits.push(Edit::First(place.clone(), values.len() / 2));
            }
            let places: Vec<_> = (0..values.len()).map(|at| place.below(&at.to_string())).collect();
            edits.extend(places.iter().rev().cloned().map(Edit::Without));
            for (value, place) in values.iter().zip(&places) {
                collect(value, place, edits);
            }
        }
        Value::Map(map) => {
            let places: Vec<_> = map.iter().map(|(key, _)| place.below(key)).collect();
            edits.extend(places.iter().cloned().map(Edit::Without));
            for ((_, value), place) in map.iter().zip(&places) {
                collect(value, place, edits);
            }
        }
        scalar => {
            edits.extend(
                simpler(scalar).into_iter().map(|simpler| Edit::With(place.clone(), simpler)),
            );
        }
    }
}

/// Simpler scalars of the same kind, the simplest first; each of them simpler than `scalar`, so that there is an end.
fn simpler(scalar: &Value) -> Vec<Value> {
    match scalar {
        Value::Bool(true) => vec![false.into()],
        Value::Number(number) if number.digits() != "0" => {
            let mut simpler = vec![Value::from(0)];
            match number.as_i64() {
                Some(-1) => simpler.push(1.into()),
                Some(number) => {
                    let shares = (1..i64::BITS - 1).map(|halvings| number / (1_i64 << halvings));
                    let nonzero = shares.take_while(|share| *share != 0);
                    simpler.extend(nonzero.map(|share| Value::from(number - share)));
                }
                None => simpler.push(1.into()),
            }
            simpler
        }
        Value::Text(text) if !text.is_empty() => {
            let letters = text.chars().count();
            let first = |length: usize| Value::text(text.chars().take(length).collect::<String>());
            let mut simpler = vec![first(0), first(letters / 2), first(letters - 1)];
            if text.chars().any(|letter| letter != 'a') {
                simpler.push(Value::text("a".repeat(letters)));
            }
            simpler.dedup();
            simpler
        }
        _ => Vec::new(),
    }
}
