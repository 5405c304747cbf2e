//! Values that are made of the elements of a list, put together by a text that stands in each. One walk, in the order of
//! the list; knows nothing of where the result is put.

use std::collections::{HashMap, HashSet};

use ecow::EcoString;

use super::condition::{filled, holds};
use super::step::{Asked, Groups};
use crate::document::{List, Map, Value};

/// What elements with one name come to.
pub(super) struct Group {
    /// The name, and the answers: what a program sees of the group.
    pub(super) head: Value,
    /// What was collected, under the names that the step gives to it.
    pub(super) collected: Vec<(String, Value)>,
}

/// The groups that `step` makes of `values`, in the order in which the first element of each stands.
pub(super) fn groups(step: &Groups, values: &List) -> Vec<Group> {
    let mut grouping = Grouping {
        step,
        places: HashMap::new(),
        open: Vec::new(),
        last: 0,
        spoken: step.all.iter().map(|asked| spoken(asked, values.len())).collect(),
    };
    values.each_with(keys(step).as_ref(), &mut |value| grouping.take(value));
    grouping.open.into_iter().map(|open| open.finished(step)).collect()
}

/// The keys of its elements that `step` looks at; none if it looks at whole elements.
fn keys(step: &Groups) -> Option<HashSet<&str>> {
    let asked = step
        .all
        .iter()
        .flat_map(|asked| std::iter::once(&asked.condition.path).chain(&asked.first_by));
    let collected = step.collect.iter().map(|collected| &collected.path);
    let places = step.only.iter().map(|only| &only.path).chain([&step.by]);
    let places = places.chain(collected).chain(asked);
    places.map(|place| place.tokens().first().map(EcoString::as_str)).collect()
}

struct Grouping<'a> {
    step: &'a Groups,
    /// Where the group of a name is.
    places: HashMap<EcoString, usize>,
    open: Vec<Open>,
    /// Where the group of the last element is, which most often is that of the next one.
    last: usize,
    /// For each question, what the first element with a text answered.
    spoken: Vec<HashMap<EcoString, bool>>,
}

/// A group that may get more elements.
struct Open {
    name: EcoString,
    answers: Vec<bool>,
    collected: Vec<Vec<Value>>,
}

impl Grouping<'_> {
    fn take(&mut self, element: &Value) {
        let step = self.step;
        if step.only.as_ref().is_some_and(|only| !holds(only, element)) {
            return;
        }
        // Whoever speaks for others does so whether or not it is in a group itself.
        let answers: Vec<bool> = (step.all.iter().zip(&mut self.spoken))
            .map(|(asked, spoken)| answer(asked, element, spoken))
            .collect();
        let named = step.by.get(element).and_then(text).filter(|text| filled(text)).cloned();
        let Some(name) = named.or_else(|| step.otherwise.as_deref().map(EcoString::from)) else {
            return;
        };
        let Some(open) = self.group(name) else { return };
        for (all, this) in open.answers.iter_mut().zip(answers) {
            *all &= this;
        }
        for (values, collected) in open.collected.iter_mut().zip(&step.collect) {
            values.extend(collected.path.get(element).cloned());
        }
    }

    fn group(&mut self, name: EcoString) -> Option<&mut Open> {
        if self.open.get(self.last).is_none_or(|open| open.name != name) {
            self.last = self.place(name);
        }
        self.open.get_mut(self.last)
    }

    fn place(&mut self, name: EcoString) -> usize {
        if let Some(place) = self.places.get(&name) {
            return *place;
        }
        self.places.insert(name.clone(), self.open.len());
        let answers = vec![true; self.step.all.len()];
        let collected = vec![Vec::new(); self.step.collect.len()];
        self.open.push(Open { name, answers, collected });
        self.open.len() - 1
    }
}

impl Open {
    fn finished(self, step: &Groups) -> Group {
        let answers = step.all.iter().map(|asked| asked.name.as_str()).zip(self.answers);
        let answers = answers.map(|(name, answer)| (name, Value::Bool(answer)));
        let head: Map = [("name", Value::Text(self.name))].into_iter().chain(answers).collect();
        let names = step.collect.iter().map(|collected| collected.name.clone());
        let collected = names.zip(self.collected.into_iter().map(Value::from)).collect();
        Group { head: head.into(), collected }
    }
}

/// Room for the answers of as many elements, if one answers for another.
fn spoken(asked: &Asked, elements: usize) -> HashMap<EcoString, bool> {
    HashMap::with_capacity(if asked.first_by.is_some() { elements } else { 0 })
}

/// What an element answers: for itself, or what the first one with the same text answered.
fn answer(asked: &Asked, element: &Value, spoken: &mut HashMap<EcoString, bool>) -> bool {
    let own = || holds(&asked.condition, element);
    let same = asked.first_by.as_ref().and_then(|place| place.get(element).and_then(text));
    let Some(same) = same else { return own() };
    if let Some(said) = spoken.get(same) {
        return *said;
    }
    let said = own();
    spoken.insert(same.clone(), said);
    said
}

fn text(value: &Value) -> Option<&EcoString> {
    if let Value::Text(text) = value { Some(text) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::json;

    fn step(text: &str) -> Groups {
        serde_json::from_str(text).unwrap()
    }

    fn made(step: &Groups, list: &str) -> String {
        let list = json::read(list.as_bytes()).unwrap().value;
        let Value::List(list) = list else { panic!("a list") };
        let groups = groups(step, &list);
        let groups = groups.into_iter().map(|Group { head, collected }| {
            let collected: Map = collected.into_iter().collect();
            Value::from(vec![head, collected.into()])
        });
        let plain = json::Style { indent: None, end: "".into(), ..json::Style::default() };
        json::write(&Value::from(groups.collect::<Vec<_>>()), &plain).unwrap().replace(' ', "")
    }

    #[test]
    fn elements_are_put_together_in_the_order_in_which_names_appear() {
        let step = step(r#"{"of":"/l","by":"/g","collect":[{"name":"ids","path":"/i"}]}"#);
        assert_eq!(
            made(
                &step,
                r#"[{"g":"b","i":1},{"g":"a","i":[2]},7,{"g":"b","i":1},{"i":3},{"g":" ","i":4},{"g":5},{"g":"a"}]"#
            ),
            r#"[[{"name":"b"},{"ids":[1,1]}],[{"name":"a"},{"ids":[[2]]}]]"#
        );
        assert_eq!(made(&step, "[]"), "[]");
    }

    #[test]
    fn elements_without_a_name_go_where_the_step_says() {
        let step = step(
            r#"{"of":"/l","where":{"path":"/i","filled":true},"by":"/g","otherwise":"rest","collect":[{"name":"i","path":"/i"}]}"#,
        );
        assert_eq!(
            made(
                &step,
                r#"[{"i":"x"},{"g":"rest","i":"y"},{"g":"a","i":""},{"g":{},"i":"z"},"i"]"#
            ),
            r#"[[{"name":"rest"},{"i":["x","y","z"]}]]"#
        );
    }

    #[test]
    fn the_first_with_a_text_answers_for_all_that_have_it() {
        let asked = r#""all":[{"name":"done","if":{"path":"/s","equals":"ok"},"first_by":"/i"}]"#;
        let first = step(&format!(r#"{{"of":"/l","by":"/g",{asked}}}"#));
        let list = r#"[{"i":"x","s":"ok","g":"a"},{"i":"x","g":"b"},{"i":"y","g":"c"},{"i":"y","s":"ok","g":"c"},{"s":"ok","g":"d"},{"g":"d"}]"#;
        assert_eq!(
            made(&first, list),
            r#"[[{"name":"a","done":true},{}],[{"name":"b","done":true},{}],[{"name":"c","done":false},{}],[{"name":"d","done":false},{}]]"#
        );
        let own = step(
            r#"{"of":"/l","by":"/g","all":[{"name":"done","if":{"path":"/s","equals":"ok"}}]}"#,
        );
        assert!(made(&own, list).contains(r#"{"name":"b","done":false}"#));
        assert_eq!(keys(&first), Some(["g", "s", "i"].into()));
        assert_eq!(keys(&step(r#"{"of":"/l","by":""}"#)), None);
    }
}
