//! Lists, of which large ones stay the text that they were read from until somebody looks into them.

use std::collections::HashSet;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use ecow::EcoVec;

use super::Value;
use super::json::Verbatim;

/// Values in order. Clones share their memory until one of them changes.
///
/// A large list of a JSON document is the text that was read, as long as nobody looks at one of its elements: most of a large
/// document is neither asked for nor changed by a migration, and is written as it was read.
#[derive(Clone)]
pub struct List(Held);

#[derive(Clone)]
enum Held {
    Values(EcoVec<Value>),
    Text(Arc<Verbatim>),
}

impl List {
    /// A list that stays text until somebody looks into it.
    pub(super) fn of_text(text: Verbatim) -> Self {
        Self(Held::Text(Arc::new(text)))
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Values(values) => values.len(),
            Held::Text(text) => text.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values, to change them and how many there are.
    pub fn edit(&mut self) -> &mut EcoVec<Value> {
        if let Held::Text(text) = &mut self.0 {
            // Whoever else has the text need not keep values because of this.
            let values = match Arc::get_mut(text) {
                Some(text) => text.take(),
                None => text.read(),
            };
            self.0 = Held::Values(values);
        }
        match &mut self.0 {
            Held::Values(values) => values,
            Held::Text(_) => unreachable!("the text was just replaced by its values"),
        }
    }

    /// The values, to change them.
    pub fn make_mut(&mut self) -> &mut [Value] {
        self.edit().make_mut()
    }

    /// Hands each value to `take`, in order. Of an object it may leave out entries whose keys are not among `keys`, which is
    /// faster: nothing is made of them, and nothing is kept.
    pub fn each_with(&self, keys: Option<&HashSet<&str>>, take: &mut dyn FnMut(&Value)) {
        match (&self.0, keys) {
            (Held::Text(text), Some(keys)) if !text.is_read() => text.each_with(keys, take),
            _ => self.iter().for_each(take),
        }
    }

    /// The text, if it is one still.
    pub(super) fn verbatim(&self) -> Option<&Verbatim> {
        if let Held::Text(text) = &self.0 { Some(text) } else { None }
    }
}

impl Default for List {
    fn default() -> Self {
        Self(Held::Values(EcoVec::new()))
    }
}

impl Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        match &self.0 {
            Held::Values(values) => values,
            Held::Text(text) => text.values(),
        }
    }
}

/// Equal lists have equal values in the same order.
impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Held::Text(one), Held::Text(other)) if Arc::ptr_eq(one, other) => true,
            _ => self.len() == other.len() && **self == **other,
        }
    }
}

impl Eq for List {}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl From<EcoVec<Value>> for List {
    fn from(values: EcoVec<Value>) -> Self {
        Self(Held::Values(values))
    }
}

impl From<Vec<Value>> for List {
    fn from(values: Vec<Value>) -> Self {
        Self(Held::Values(values.into()))
    }
}

impl<const COUNT: usize> From<[Value; COUNT]> for List {
    fn from(values: [Value; COUNT]) -> Self {
        Self(Held::Values(values.into()))
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Self(Held::Values(values.into_iter().collect()))
    }
}

impl<'a> IntoIterator for &'a List {
    type Item = &'a Value;
    type IntoIter = std::slice::Iter<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
