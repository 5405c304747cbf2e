//! What a step changed.

use ecow::EcoString;
use serde::Serialize;

use crate::document::{Pointer, Value};

/// One change to a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// What kind of change.
    pub op: Operation,
    /// Where: for something moved, the place it has now.
    pub path: Pointer,
    /// Where it stood, for something moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Pointer>,
    /// What stood there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What stands there now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Why, if the step says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the step's inverse brings back what stood there.
    #[serde(skip)]
    pub returns: bool,
    /// Whether it is a hash of other values of the document, which was compared with them and is computed anew.
    #[serde(skip)]
    pub derived: bool,
}

/// Kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Something stands where nothing stood.
    Added,
    /// Nothing stands where something stood.
    Removed,
    /// It stands somewhere else.
    Moved,
    /// Something else stands there.
    Changed,
}

impl Effect {
    pub(super) fn added(path: Pointer, after: Value, reason: Option<String>) -> Self {
        let (op, from, before, after) = (Operation::Added, None, None, Some(after));
        Self { op, path, from, before, after, reason, returns: true, derived: false }
    }

    pub(crate) fn removed(path: Pointer, before: Value) -> Self {
        let (op, from, before, after) = (Operation::Removed, None, Some(before), None);
        Self { op, path, from, before, after, reason: None, returns: false, derived: false }
    }

    pub(super) fn moved(from: Pointer, path: Pointer) -> Self {
        let (op, from, before, after) = (Operation::Moved, Some(from), None, None);
        Self { op, path, from, before, after, reason: None, returns: true, derived: false }
    }

    pub(crate) fn changed(path: Pointer, before: Value, after: Value, returns: bool) -> Self {
        let (op, from, before, after) = (Operation::Changed, None, Some(before), Some(after));
        Self { op, path, from, before, after, reason: None, returns, derived: false }
    }

    /// What stood at `place`, which lies at or below the place of this change.
    pub fn before_at(&self, place: &Pointer) -> Option<&Value> {
        Pointer::look(relative(&self.path, place)?, self.before.as_ref()?)
    }

    /// The places of the values that this change takes away for good: every leaf of what was removed, and every leaf that
    /// was changed to something from which it cannot be told.
    pub fn lost(&self) -> Vec<Pointer> {
        match (&self.op, &self.before) {
            (Operation::Removed | Operation::Changed, Some(before)) if !self.returns => {
                let mut places = Vec::new();
                leaves(before, &self.path, &mut |place, leaf| {
                    let kept = self
                        .after
                        .as_ref()
                        .and_then(|after| Pointer::look(relative(&self.path, place)?, after));
                    if kept != Some(leaf) {
                        places.push(place.clone());
                    }
                });
                places
            }
            _ => Vec::new(),
        }
    }
}

/// Where `place` lies below `root`.
fn relative<'a>(root: &Pointer, place: &'a Pointer) -> Option<&'a [EcoString]> {
    place.tokens().strip_prefix(root.tokens())
}

/// Hands every leaf of `value`, which stands at `root`, to `take`, in order: scalars, and lists and objects without
/// anything in them.
pub fn leaves(value: &Value, root: &Pointer, take: &mut dyn FnMut(&Pointer, &Value)) {
    match value {
        Value::List(values) if !values.is_empty() => {
            for (place, value) in values.iter().enumerate() {
                leaves(value, &root.below(&place.to_string()), take);
            }
        }
        Value::Map(map) if !map.is_empty() => {
            for (key, value) in map.iter() {
                leaves(value, &root.below(key), take);
            }
        }
        leaf => take(root, leaf),
    }
}
