//! Maps that keep their order.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::Value;

/// The name of a value in a map. Equal names of one document share their memory.
pub type Key = Arc<str>;

/// Entries up to which a map is searched from its beginning; an index costs more than it saves below that.
const INDEXED_FROM: usize = 24;

/// Values under names, each name once, in the order in which they were put.
#[derive(Clone, Default)]
pub struct Map {
    entries: Vec<(Key, Value)>,
    /// Where each name stands; there from [`INDEXED_FROM`] entries on.
    index: Option<Box<Index>>,
}

/// Where names stand. Boxed, because most maps are small and have none.
#[derive(Clone)]
struct Index(HashMap<Key, usize>);

impl Map {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of entries.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether something stands under `key`.
    pub fn contains(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// What stands under `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        Some(&self.entries.get(self.place(key)?)?.1)
    }

    /// What stands under `key`, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let place = self.place(key)?;
        Some(&mut self.entries.get_mut(place)?.1)
    }

    /// Puts `value` under a name that is new, behind all others; a name that is there is refused, and gets its value
    /// back.
    pub fn push(&mut self, key: Key, value: Value) -> Result<(), Value> {
        if self.contains(&key) {
            return Err(value);
        }
        self.push_new(key, value);
        Ok(())
    }

    /// The same under a name that is known to be new.
    pub(super) fn push_new(&mut self, key: Key, value: Value) {
        if let Some(index) = &mut self.index {
            index.0.insert(Arc::clone(&key), self.entries.len());
        }
        if self.entries.len() == self.entries.capacity() {
            // A document has many small maps, which get a key or two: twice the room would be most of its memory.
            self.entries.reserve_exact((self.entries.len() / 4).max(2));
        }
        self.entries.push((key, value));
        if self.index.is_none() && self.entries.len() >= INDEXED_FROM {
            self.index_all();
        }
    }

    /// Whether something stands under `key`, where equal names are one in memory, as they are while a document is read.
    pub(super) fn contains_shared(&self, key: &Key) -> bool {
        match &self.index {
            Some(index) => index.0.contains_key(key),
            None => self.entries.iter().any(|(name, _)| Arc::ptr_eq(name, key)),
        }
    }

    /// Puts `value` under `key`: in the place of what stood there, which is returned, or behind all others.
    pub fn set(&mut self, key: &str, value: Value) -> Option<Value> {
        if let Some(stood) = self.get_mut(key) {
            return Some(std::mem::replace(stood, value));
        }
        // The name is new, so it is taken.
        let _ = self.push(key.into(), value);
        None
    }

    /// Takes away what stands under `key`; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let place = self.place(key)?;
        let (_, value) = self.entries.remove(place);
        if self.index.is_some() {
            self.index_all();
        }
        Some(value)
    }

    /// Gives the entry of `from` the name `to`, in the same place. False, and nothing done, if there is no `from` or there
    /// is a `to`.
    pub fn rename(&mut self, from: &str, to: Key) -> bool {
        if self.contains(&to) {
            return false;
        }
        let Some(place) = self.place(from) else { return false };
        if let Some(entry) = self.entries.get_mut(place) {
            entry.0 = to;
        }
        if self.index.is_some() {
            self.index_all();
        }
        true
    }

    /// The entries in order, as they lie in memory.
    pub fn entries(&self) -> &[(Key, Value)] {
        &self.entries
    }

    /// The entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Value)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The entries in order, their values to change.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&Key, &mut Value)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// Takes all entries away, and keeps their room.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.index = None;
    }

    /// Takes all entries, into no more memory than they need. What stays is empty, and has room for as many again.
    pub(super) fn take_exactly(&mut self) -> Self {
        Self { entries: self.entries.drain(..).collect(), index: self.index.take() }
    }

    fn place(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.0.get(key).copied(),
            None => self.entries.iter().position(|(name, _)| &**name == key),
        }
    }

    fn index_all(&mut self) {
        let places = self.entries.iter().enumerate();
        let places = places.map(|(place, (key, _))| (Arc::clone(key), place));
        self.index = Some(Box::new(Index(places.collect())));
    }
}

/// Equal maps have equal entries in the same order.
impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Eq for Map {}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Of entries with one name the last one stands, where the first one stood.
impl<K: AsRef<str>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.set(key.as_ref(), value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;

    quickcheck! {
        /// A map of any size answers like a plain list of pairs that is searched.
        fn behaves_like_a_list_of_pairs(actions: Vec<(u8, u8)>) -> bool {
            let mut map = Map::new();
            let mut pairs: Vec<(String, Value)> = Vec::new();
            for (number, (action, name)) in (0_i64..).zip(actions) {
                let (key, value) = (format!("k{}", name % 64), Value::from(number));
                let place = pairs.iter().position(|(known, _)| *known == key);
                match (action % 4, place) {
                    (0 | 1, None) => {
                        map.set(&key, value.clone());
                        pairs.push((key, value));
                    }
                    (0, Some(_)) => assert!(map.push(key.as_str().into(), value).is_err()),
                    (1, Some(place)) => {
                        assert_eq!(map.set(&key, value.clone()).as_ref(), Some(&pairs[place].1));
                        pairs[place].1 = value;
                    }
                    (2, _) => {
                        let removed = place.map(|place| pairs.remove(place).1);
                        assert_eq!(map.remove(&key), removed);
                    }
                    (_, place) => {
                        let to = format!("k{}", number % 64);
                        let free = !pairs.iter().any(|(known, _)| *known == to);
                        assert_eq!(map.rename(&key, to.as_str().into()), place.is_some() && free);
                        if let (Some(place), true) = (place, free) {
                            pairs[place].0 = to;
                        }
                    }
                }
            }
            pairs.iter().all(|(key, value)| map.get(key) == Some(value))
                && map.iter().map(|(key, value)| (key.to_string(), value.clone())).eq(pairs)
        }
    }
}
