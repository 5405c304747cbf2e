//! What a step that cannot be looked into has done: its result compared with its input, leaf by leaf.

use std::collections::{BTreeMap, HashMap, HashSet};

use ecow::EcoString;

use super::effect::{Effect, Operation};
use crate::document::{Pointer, Value};

/// Lists whose elements are told apart by a key and not by their position: the place of the list, in which `*` stands for
/// any one name or position, and below each element the place of its key.
pub type Identity = BTreeMap<Pointer, Pointer>;

/// What must be taken away, put and changed to make `after` of `before`.
///
/// What only one of them has is told whole, at the highest place that differs; a scalar in the place of another, or of a
/// value of another kind, is a change. Elements of a list are compared by position, but where `identity` names a key for
/// them: there a place before and a place after belong together if their keys are equal, and an element that only moved is
/// no change. Where one of the two lists has an element without such a key, or two with the same, position counts.
/// The order of names in an object is no leaf. Takes time linear in the size of both.
pub fn difference(before: &Value, after: &Value, identity: &Identity) -> Vec<Effect> {
    difference_below(&Pointer::default(), before, after, identity)
}

/// The difference of what stood and stands at `base`, with all places as seen from the root.
pub(super) fn difference_below(
    base: &Pointer,
    before: &Value,
    after: &Value,
    identity: &Identity,
) -> Vec<Effect> {
    let start = || base.tokens().iter().map(|token| Token::Name(token)).collect();
    let mut found = Found { effects: Vec::new(), before: start(), after: start(), identity };
    found.compare(before, after);
    found.effects
}

/// One step of a place; a list has many, so they become text only where something differs.
#[derive(Clone, Copy)]
enum Token<'a> {
    Name(&'a str),
    Position(usize),
}

struct Found<'a> {
    effects: Vec<Effect>,
    /// Where the two values stand that are being compared, each in its own document.
    before: Vec<Token<'a>>,
    after: Vec<Token<'a>>,
    identity: &'a Identity,
}

impl<'a> Found<'a> {
    fn compare(&mut self, before: &'a Value, after: &'a Value) {
        match (before, after) {
            (Value::Map(before), Value::Map(after)) => {
                for (key, value) in before.iter() {
                    match after.get(key) {
                        Some(now) => self.below(Token::Name(key), Token::Name(key), value, now),
                        None => self.removed(Token::Name(key), value),
                    }
                }
                for (key, value) in after.iter().filter(|(key, _)| !before.contains(key)) {
                    self.added(Token::Name(key), value);
                }
            }
            (Value::List(before), Value::List(after)) => match self.keys_of(before, after) {
                Some((keys_before, keys_after)) => {
                    self.by_key(before, after, &keys_before, &keys_after);
                }
                None => self.by_position(before, after),
            },
            _ if before == after => {}
            _ => self.changed(before, after),
        }
    }

    fn by_position(&mut self, before: &'a [Value], after: &'a [Value]) {
        for (place, (value, now)) in before.iter().zip(after).enumerate() {
            self.below(Token::Position(place), Token::Position(place), value, now);
        }
        for (place, value) in before.iter().enumerate().skip(after.len()) {
            self.removed(Token::Position(place), value);
        }
        for (place, value) in after.iter().enumerate().skip(before.len()) {
            self.added(Token::Position(place), value);
        }
    }

    fn by_key(
        &mut self,
        before: &'a [Value],
        after: &'a [Value],
        keys_before: &[Id<'a>],
        keys_after: &[Id<'a>],
    ) {
        let stood: HashMap<_, _> = keys_before.iter().zip(before.iter().enumerate()).collect();
        let stays: HashSet<_> = keys_after.iter().collect();
        for (key, (place, value)) in keys_before.iter().zip(before.iter().enumerate()) {
            if !stays.contains(key) {
                self.removed(Token::Position(place), value);
            }
        }
        for (key, (place, now)) in keys_after.iter().zip(after.iter().enumerate()) {
            match stood.get(key) {
                Some((from, value)) => {
                    self.below(Token::Position(*from), Token::Position(place), value, now);
                }
                None => self.added(Token::Position(place), now),
            }
        }
    }

    /// The keys of the elements of both lists, if they tell them apart.
    fn keys_of(
        &self,
        before: &'a [Value],
        after: &'a [Value],
    ) -> Option<(Vec<Id<'a>>, Vec<Id<'a>>)> {
        let here = |list: &&Pointer| matches_place(list, &self.after);
        let (_, key) = self.identity.iter().find(|(list, _)| here(list))?;
        Some((keys(before, key)?, keys(after, key)?))
    }

    fn below(&mut self, from: Token<'a>, to: Token<'a>, before: &'a Value, after: &'a Value) {
        self.before.push(from);
        self.after.push(to);
        self.compare(before, after);
        self.before.pop();
        self.after.pop();
    }

    fn removed(&mut self, token: Token<'a>, value: &Value) {
        let path = place(self.before.iter().chain([&token]));
        self.effects.push(Effect::removed(path, value.clone()));
    }

    fn added(&mut self, token: Token<'a>, value: &Value) {
        let path = place(self.after.iter().chain([&token]));
        self.effects.push(Effect::added(path, value.clone(), None));
    }

    fn changed(&mut self, before: &Value, after: &Value) {
        let (from, path) = (place(&self.before), place(&self.after));
        let from = Some(from).filter(|from| *from != path);
        let (op, before, after) = (Operation::Changed, Some(before.clone()), Some(after.clone()));
        let (reason, returns) = (None, false);
        self.effects.push(Effect {
            op,
            path,
            from,
            before,
            after,
            reason,
            returns,
            derived: false,
        });
    }
}

/// What tells an element from its neighbours.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Id<'a> {
    Text(&'a str),
    Number(&'a str),
}

/// One key an element, if each has one of its own.
fn keys<'a>(values: &'a [Value], key: &Pointer) -> Option<Vec<Id<'a>>> {
    let id = |value: &'a Value| match key.get(value)? {
        Value::Text(text) => Some(Id::Text(text)),
        Value::Number(number) => Some(Id::Number(number.digits())),
        _ => None,
    };
    let keys: Vec<_> = values.iter().map(id).collect::<Option<_>>()?;
    let different: HashSet<_> = keys.iter().collect();
    (different.len() == keys.len()).then_some(keys)
}

fn matches_place(pattern: &Pointer, place: &[Token<'_>]) -> bool {
    let same = |(word, token): (&EcoString, &Token<'_>)| match token {
        _ if word == "*" => true,
        Token::Name(name) => word == name,
        Token::Position(position) => *word == position.to_string(),
    };
    pattern.tokens().len() == place.len() && pattern.tokens().iter().zip(place).all(same)
}

fn place<'a>(tokens: impl IntoIterator<Item = &'a Token<'a>>) -> Pointer {
    let tokens = tokens.into_iter().map(|token| match token {
        Token::Name(name) => (*name).to_owned(),
        Token::Position(position) => position.to_string(),
    });
    tokens.collect()
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::super::leaves;
    use super::*;
    use crate::document::json;

    fn value(text: &str) -> Value {
        json::read(text.as_bytes()).unwrap().value
    }

    fn told(before: &str, after: &str, identity: &[(&str, &str)]) -> Vec<String> {
        let identity =
            identity.iter().map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).collect();
        let effects = difference(&value(before), &value(after), &identity);
        let from = |effect: &Effect| {
            effect.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default()
        };
        effects.iter().map(|e| format!("{:?} {}{}", e.op, e.path, from(e)).to_lowercase()).collect()
    }

    fn all_leaves(value: &Value) -> Vec<(Pointer, Value)> {
        let mut found = Vec::new();
        leaves(value, &Pointer::default(), &mut |place, leaf| {
            found.push((place.clone(), leaf.clone()));
        });
        found
    }

    quickcheck! {
        fn a_value_does_not_differ_from_itself(value: Value) -> bool {
            difference(&value, &value, &Identity::new()).is_empty()
        }

        /// Loss is exactly what stood at a leaf and does not stand there any more; a container that got its first entry
        /// is still there.
        fn what_is_lost_is_every_leaf_that_is_not_there_any_more(before: Value, after: Value) -> bool {
            let effects = difference(&before, &after, &Identity::new());
            let lost: Vec<Pointer> = effects.iter().flat_map(Effect::lost).collect();
            let still = |place: &Pointer, leaf: &Value| match (place.get(&after), leaf) {
                (Some(Value::List(_)), Value::List(_)) | (Some(Value::Map(_)), Value::Map(_)) => true,
                (now, leaf) => now == Some(leaf),
            };
            let gone = all_leaves(&before).into_iter().filter(|(place, leaf)| !still(place, leaf));
            let mut gone: Vec<Pointer> = gone.map(|(place, _)| place).collect();
            let mut lost = lost;
            gone.sort();
            lost.sort();
            gone == lost
        }
    }

    #[test]
    fn each_kind_of_difference_has_its_place() {
        let told = |before, after| told(before, after, &[]);
        assert_eq!(
            told(r#"{"a":1,"b":[1,{"c":2}],"d":3}"#, r#"{"b":[1.0,{"c":2}],"a":1,"e":{"f":1}}"#),
            ["changed /b/0", "removed /d", "added /e"]
        );
        assert_eq!(told("[1,2,3]", "[2,3]"), ["changed /0", "changed /1", "removed /2"]);
        assert_eq!(told("[]", "[1,2]"), ["added /0", "added /1"]);
        assert_eq!(told(r#"{"a":[1]}"#, r#"{"a":{"0":1}}"#), ["changed /a"]);
        assert_eq!(told("1", "2"), ["changed "]);
        assert_eq!(told(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#), [""; 0]);
    }

    #[test]
    fn elements_with_a_key_are_compared_wherever_they_stand() {
        let before = r#"{"t":[{"id":"a","v":1},{"id":"b","v":2},{"id":"c"}]}"#;
        let after = r#"{"t":[{"id":"c"},{"id":"b","v":3},{"id":"d"},{"id":"a"}]}"#;
        assert_eq!(
            told(before, after, &[("/t", "/id")]),
            ["changed /t/1/v", "added /t/2", "removed /t/0/v"]
        );
        let moved = r#"{"t":[{"id":"c"},{"id":"a","v":9},{"id":"b","v":2}]}"#;
        assert_eq!(told(before, moved, &[("/t", "/id")]), ["changed /t/1/v from /t/0/v"]);
        let nested = r#"[{"l":[{"k":{"n":1}},{"k":{"n":2}}]}]"#;
        let turned = r#"[{"l":[{"k":{"n":2}},{"k":{"n":1}}]}]"#;
        assert_eq!(told(nested, turned, &[("/*/l", "/k/n")]), [""; 0]);
        assert_eq!(told(nested, turned, &[]).len(), 2);
    }

    #[test]
    fn keys_that_tell_nothing_apart_leave_it_to_the_position() {
        for (before, after) in [
            (r#"[{"id":1},{"id":1}]"#, r#"[{"id":1},{"id":2}]"#),
            (r#"[{"id":1},{"id":2}]"#, r#"[{"id":1},{"x":2}]"#),
            (r#"[{"id":1},{"id":{}}]"#, r#"[{"id":1},{"id":2}]"#),
        ] {
            assert_eq!(told(before, after, &[("", "/id")]), told(before, after, &[]), "{before}");
        }
    }
}
