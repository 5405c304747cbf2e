//! The part of a document that a program sees. What it does not read is not converted for it.

use std::collections::{BTreeMap, HashSet};

use ecow::EcoString;
use jaq_json::Val;

use super::jq::{JqError, Program, to_jq};
use super::parameters::Parameters;
use crate::document::{Pointer, Value};

/// In a place that is read: each element of a list, each value of an object.
const EACH: &str = "*";

impl Program {
    /// The one result of the program for what it reads of `input`: all of it, or what stands at those places (`*` in a
    /// place: each element, each value).
    pub fn run_reading(&self, input: &Value, reads: Option<&[Pointer]>) -> Result<Value, JqError> {
        self.result(seen(input, reads), to_jq(&Parameters::default().to_value()))
    }
}

/// What of `document` a program sees: all of it, or what stands at the places that it reads, each where it stands. Lists
/// keep their length; what is not read is absent from objects, and null in lists.
pub(super) fn seen(document: &Value, reads: Option<&[Pointer]>) -> Val {
    let Some(reads) = reads else { return to_jq(document) };
    let mut wanted = Wanted::default();
    for place in reads {
        wanted.add(place.tokens());
    }
    wanted.of(document)
}

/// Places, as a tree.
#[derive(Default)]
struct Wanted<'a> {
    whole: bool,
    below: BTreeMap<&'a str, Self>,
    /// Its own name as programs have it, made once for all objects.
    name: Val,
}

impl<'a> Wanted<'a> {
    fn add(&mut self, tokens: &'a [EcoString]) {
        match tokens.split_first() {
            Some((token, rest)) => {
                let name = || Val::utf8_str(token.to_string());
                let new = || Self { name: name(), ..Self::default() };
                self.below.entry(token).or_insert_with(new).add(rest);
            }
            None => self.whole = true,
        }
    }

    /// What is wanted under a name, and that name.
    fn under(&self, token: &str) -> Option<(&Self, Val)> {
        let named = self.below.get(token).map(|wanted| (wanted, wanted.name.clone()));
        named.or_else(|| Some((self.below.get(EACH)?, Val::utf8_str(token.to_owned()))))
    }

    /// The keys of an object that are looked at, if it is not all of them.
    fn keys(&self) -> Option<HashSet<&str>> {
        let all = self.whole || self.below.contains_key(EACH);
        (!all).then(|| self.below.keys().copied().collect())
    }

    fn of(&self, value: &Value) -> Val {
        match value {
            Value::Map(map) if !self.whole => {
                let names =
                    if self.below.contains_key(EACH) { map.len() } else { self.below.len() };
                let mut seen = jaq_json::Map::default();
                // Documents can have a hundred thousand such objects: no more room than they need.
                seen.reserve_exact(names.min(map.len()));
                seen.extend(map.iter().filter_map(|(key, value)| {
                    let (wanted, name) = self.under(key)?;
                    Some((name, wanted.of(value)))
                }));
                Val::obj(seen)
            }
            Value::List(values) if !self.whole => {
                let each = self.below.get(EACH);
                let keys = each.and_then(Self::keys);
                let mut seen = Vec::with_capacity(values.len());
                values.each_with(keys.as_ref(), &mut |value| {
                    let named = || self.below.get(seen.len().to_string().as_str());
                    let wanted = each.or_else(named);
                    seen.push(wanted.map_or(Val::Null, |wanted| wanted.of(value)));
                });
                Val::Arr(seen.into())
            }
            whole => to_jq(whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::json;

    fn seen_of(document: &str, reads: &[&str]) -> String {
        let document = json::read(document.as_bytes()).unwrap().value;
        let reads: Vec<Pointer> = reads.iter().map(|place| place.parse().unwrap()).collect();
        seen(&document, Some(&reads)).to_string()
    }

    #[test]
    fn a_program_sees_what_it_reads_where_it_stands() {
        let document = r#"{"a":{"b":1,"c":2},"l":[{"x":1,"y":2},"z",[3]],"d":null}"#;
        for (reads, expected) in [
            (&[][..], "{}"),
            (&[""], document),
            (&["/a/b", "/d", "/none"], r#"{"a":{"b":1},"d":null}"#),
            (&["/a/b", "/a"], r#"{"a":{"b":1,"c":2}}"#),
            (&["/l/*/x"], r#"{"l":[{"x":1},"z",[null]]}"#),
            (&["/l/1"], r#"{"l":[null,"z",null]}"#),
            (&["/*/b"], r#"{"a":{"b":1},"l":[null,null,null],"d":null}"#),
            (&["/d/deeper"], r#"{"d":null}"#),
        ] {
            assert_eq!(seen_of(document, reads), expected, "{reads:?}");
        }
    }
}
