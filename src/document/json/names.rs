//! Names of a document, each once in memory however often it stands there.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::Key;

/// Names that were seen.
#[derive(Debug, Default)]
pub(in super::super) struct Names {
    /// By number.
    seen: Vec<Seen>,
    numbers: HashMap<Key, usize>,
    /// The number of the newest one.
    newest: usize,
}

#[derive(Debug)]
struct Seen {
    name: Key,
    /// The number of the one that followed it last: objects of one list mostly have the same names in the same order.
    next: usize,
}

impl Names {
    /// The one that is equal to `name`.
    pub(super) fn shared(&mut self, name: &str) -> Key {
        let guess = self.seen.get(self.newest).and_then(|newest| self.seen.get(newest.next));
        if let Some(guess) = guess.filter(|guess| *guess.name == *name) {
            let key = Arc::clone(&guess.name);
            self.newest = self.seen.get(self.newest).map_or(0, |newest| newest.next);
            return key;
        }
        let (key, number) = match self.numbers.get_key_value(name) {
            Some((key, number)) => (Arc::clone(key), *number),
            None => self.take_in(name),
        };
        if let Some(newest) = self.seen.get_mut(self.newest) {
            newest.next = number;
        }
        self.newest = number;
        key
    }

    fn take_in(&mut self, name: &str) -> (Key, usize) {
        let (key, number): (Key, usize) = (name.into(), self.seen.len());
        self.numbers.insert(Arc::clone(&key), number);
        self.seen.push(Seen { name: Arc::clone(&key), next: number });
        (key, number)
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;

    quickcheck! {
        fn equal_names_are_one_and_others_are_not(names: Vec<u8>) -> bool {
            let mut shared = Names::default();
            let names = names.iter().map(|name| format!("n{}", name % 5));
            let keys: Vec<(String, Key)> = names.map(|name| (name.clone(), shared.shared(&name))).collect();
            keys.iter().all(|(name, key)| **key == **name && keys.iter().all(|(other, same)| Arc::ptr_eq(key, same) == (name == other)))
        }
    }
}
