//! Applying steps.

use super::convert::{converted, is_of_kind};
use super::effect::Effect;
use super::inverse::is_bijective;
use super::jq::{JqError, Programs};
use super::step::{
    Condition, Convert, Each, Group, Jq, Kind, MapValues, Otherwise, Place, Put, Rename, Require,
    Step, Transfer, When, Wrap,
};
use crate::document::{Map, Pointer, Value};

/// A step that refused. The document is then neither what it was nor what it was to become, and of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {trouble}", if path.tokens().is_empty() { "the document".to_owned() } else { path.to_string() })]
pub struct StepError {
    /// Where.
    pub path: Pointer,
    /// Why.
    pub trouble: Trouble,
}

/// Why a step refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// Nothing stands there.
    #[error("nothing stands here, and the step does not say that it is optional")]
    Missing,
    /// The place must be free and is not.
    #[error("something stands here already")]
    Taken,
    /// What stands there is of another kind than the step can work on.
    #[error("here stands {found}; the step works on {expected}")]
    Kind {
        /// What the step works on.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// What stands there is not what the step takes away.
    #[error("here stands another value than the one that the step takes away")]
    Unequal,
    /// A value that the step has nothing for.
    #[error("the step has nothing for this value")]
    Unmapped,
    /// An object that must be empty, or have one key, has others.
    #[error("the object has other keys: {0}")]
    OtherKeys(String),
    /// A jq program has no one result for it.
    #[error(transparent)]
    Jq(JqError),
    /// The contract refuses it in its own words.

    #[error("{0}")]
    Required(String),
    /// The root has no name and no place of its own.
    #[error("the step cannot work on the whole document")]
    Root,
    /// A step that must say what to put says it twice or not at all.
    #[error("the step must have either a value or a jq program")]
    ValueOrProgram,
    /// A step that is none for documents.
    #[error("the step is none for documents")]
    NotForDocuments,
}

/// Applies `steps` to `document`, in order, and returns what they changed. `programs` holds every program they name.
pub fn apply(
    steps: &[Step],
    programs: &Programs,
    document: &mut Value,
) -> Result<Vec<Effect>, StepError> {
    let mut work = Work { effects: Vec::new(), base: Pointer::default(), programs };
    work.steps(steps, document)?;
    Ok(work.effects)
}

struct Work<'a> {
    programs: &'a Programs,
    effects: Vec<Effect>,
    /// Where in the document the value stands that steps are applied to.
    base: Pointer,
}

impl Work<'_> {
    fn steps(&mut self, steps: &[Step], root: &mut Value) -> Result<(), StepError> {
        steps.iter().try_for_each(|step| self.step(step, root))
    }

    fn step(&mut self, step: &Step, root: &mut Value) -> Result<(), StepError> {
        match step {
            Step::Rename(step) => self.rename(step, root),
            Step::Move(step) => self.transfer(step, root, true),
            Step::Copy(step) => self.transfer(step, root, false),
            Step::Add(step) => self.add(step, root),
            Step::Set(step) => self.set(step, root),
            Step::Merge(step) => self.merge(step, root),
            Step::Remove(step) => self.remove(step, root),
            Step::Convert(step) => self.convert(step, root),
            Step::MapValues(step) => self.map_values(step, root),
            Step::Nest(step) => self.nest(step, root),
            Step::Hoist(step) => self.hoist(step, root),
            Step::Wrap(step) => self.wrap(step, root),
            Step::Unwrap(step) => self.unwrap(step, root),
            Step::Each(step) => self.each(step, root),
            Step::When(step) => self.when(step, root),
            Step::Require(step) => self.require(step, root),
            Step::Jq(step) => self.jq(step, root),
            Step::Sql(_) => Err(self.refuse(&Pointer::default(), Trouble::NotForDocuments)),
        }
    }
}

/// One method an operation.
impl Work<'_> {
    fn rename(&mut self, step: &Rename, root: &mut Value) -> Result<(), StepError> {
        let (above, name) = self.inside(&step.path)?;
        let Some(map) = self.object(&above, root, step.optional)? else { return Ok(()) };
        if !map.contains(name) {
            return self.absent(&step.path, step.optional);
        }
        let to = above.below(&step.to);
        if !map.rename(name, step.to.as_str().into()) {
            return Err(self.refuse(&to, Trouble::Taken));
        }
        self.moved(&step.path, &to);
        Ok(())
    }

    fn transfer(
        &mut self,
        step: &Transfer,
        root: &mut Value,
        takes: bool,
    ) -> Result<(), StepError> {
        if step.to.get(root).is_some() {
            return Err(self.refuse(&step.to, Trouble::Taken));
        }
        let value = if takes {
            let (above, name) = self.inside(&step.from)?;
            let Some(map) = self.object(&above, root, step.optional)? else { return Ok(()) };
            map.remove(name)
        } else {
            step.from.get(root).cloned()
        };
        let Some(value) = value else { return self.absent(&step.from, step.optional) };
        if takes {
            self.moved(&step.from, &step.to);
        } else {
            self.note(Effect::added(step.to.under(&self.base), value.clone(), None));
        }
        self.put(&step.to, root, value)
    }

    fn add(&mut self, step: &Put, root: &mut Value) -> Result<(), StepError> {
        if step.path.get(root).is_some() {
            return Ok(());
        }
        let value = self.value(step, root)?;
        self.note(Effect::added(step.path.under(&self.base), value.clone(), step.reason.clone()));
        self.put(&step.path, root, value)
    }

    fn set(&mut self, step: &Put, root: &mut Value) -> Result<(), StepError> {
        let value = self.value(step, root)?;
        let Some(stands) = step.path.get_mut(root) else { return self.add(step, root) };
        if *stands == value {
            return Ok(());
        }
        let before = std::mem::replace(stands, value.clone());
        let effect = Effect::changed(step.path.under(&self.base), before, value, false);
        self.note(Effect { reason: step.reason.clone(), ..effect });
        Ok(())
    }

    fn merge(&mut self, step: &Put, root: &mut Value) -> Result<(), StepError> {
        let Value::Map(more) = self.value(step, root)? else {
            return Err(self.refuse(
                &step.path,
                Trouble::Kind { expected: Kind::Object.name(), found: "another value" },
            ));
        };
        let Some(map) = self.object(&step.path, root, false)? else { return Ok(()) };
        let mut added = Vec::new();
        for (key, value) in more.iter() {
            if map.push(key.clone(), value.clone()).is_ok() {
                added.push((key.clone(), value.clone()));
            }
        }
        for (key, value) in added {
            let place = step.path.below(&key).under(&self.base);
            self.note(Effect::added(place, value, step.reason.clone()));
        }
        Ok(())
    }

    fn remove(&mut self, step: &Place, root: &mut Value) -> Result<(), StepError> {
        let (above, name) = self.inside(&step.path)?;
        let Some(map) = self.object(&above, root, step.optional)? else { return Ok(()) };
        let Some(stands) = map.get(name) else { return self.absent(&step.path, step.optional) };
        if step.equals.as_ref().is_some_and(|expected| expected != stands) {
            return Err(self.refuse(&step.path, Trouble::Unequal));
        }
        if let Some(value) = map.remove(name) {
            self.note(Effect::removed(step.path.under(&self.base), value));
        }
        Ok(())
    }

    fn convert(&mut self, step: &Convert, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.path.get_mut(root) else {
            return self.absent(&step.path, step.optional);
        };
        let Some(value) = converted(stands, step.to) else {
            return Err(self.refuse(&step.path, Trouble::Unmapped));
        };
        self.change(&step.path, stands, value, true);
        Ok(())
    }

    fn map_values(&mut self, step: &MapValues, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.path.get_mut(root) else {
            return self.absent(&step.path, step.optional);
        };
        match step.table.iter().find(|line| line.from == *stands) {
            Some(line) => self.change(&step.path, stands, line.to.clone(), is_bijective(step)),
            None if step.otherwise == Otherwise::Keep => {}
            None => return Err(self.refuse(&step.path, Trouble::Unmapped)),
        }
        Ok(())
    }

    fn nest(&mut self, step: &Group, root: &mut Value) -> Result<(), StepError> {
        let (above, name) = self.inside(&step.path)?;
        let Some(outer) = self.object(&above, root, false)? else { return Ok(()) };
        if outer.contains(name) {
            return Err(self.refuse(&step.path, Trouble::Taken));
        }
        let mut inner = Map::new();
        let mut moved = Vec::new();
        for key in &step.keys {
            if let Some(value) = outer.remove(key) {
                inner.set(key, value);
                moved.push((above.below(key), step.path.below(key)));
            }
        }
        outer.set(name, inner.into());
        for (from, to) in &moved {
            self.moved(from, to);
        }
        Ok(())
    }

    fn hoist(&mut self, step: &Group, root: &mut Value) -> Result<(), StepError> {
        let (above, name) = self.inside(&step.path)?;
        let Some(outer) = self.object(&above, root, false)? else { return Ok(()) };
        let inner = match outer.remove(name) {
            Some(Value::Map(inner)) => inner,
            Some(other) => return Err(self.wrong_kind(&step.path, Kind::Object, &other)),
            None => return self.absent(&step.path, false),
        };
        let others = inner
            .iter()
            .map(|(key, _)| &**key)
            .filter(|key| !step.keys.iter().any(|known| known == key));
        let others: Vec<&str> = others.collect();
        if !others.is_empty() {
            return Err(self.refuse(&step.path, Trouble::OtherKeys(others.join(", "))));
        }
        let mut moved = Vec::new();
        for key in &step.keys {
            let Some(value) = inner.get(key) else { continue };
            let to = above.below(key);
            if outer.push(key.as_str().into(), value.clone()).is_err() {
                return Err(self.refuse(&to, Trouble::Taken));
            }
            moved.push((step.path.below(key), to));
        }
        for (from, to) in &moved {
            self.moved(from, to);
        }
        Ok(())
    }

    fn wrap(&mut self, step: &Wrap, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.path.get_mut(root) else { return self.absent(&step.path, false) };
        let inner = std::mem::replace(stands, Value::Null);
        *stands = [(&step.key, inner)].into_iter().collect::<Map>().into();
        self.moved(&step.path, &step.path.below(&step.key));
        Ok(())
    }

    fn unwrap(&mut self, step: &Wrap, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.path.get_mut(root) else { return self.absent(&step.path, false) };
        let Some(map) = stands.as_map_mut() else {
            return Err(self.wrong_kind(&step.path, Kind::Object, stands));
        };
        let others: Vec<&str> =
            map.iter().map(|(key, _)| &**key).filter(|key| *key != step.key).collect();
        if !others.is_empty() {
            return Err(self.refuse(&step.path, Trouble::OtherKeys(others.join(", "))));
        }
        let Some(inner) = map.remove(&step.key) else {
            return self.absent(&step.path.below(&step.key), false);
        };
        *stands = inner;
        self.moved(&step.path.below(&step.key), &step.path);
        Ok(())
    }

    fn each(&mut self, step: &Each, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.path.get_mut(root) else {
            return self.absent(&step.path, step.optional);
        };
        let here = step.path.under(&self.base);
        let outer = std::mem::take(&mut self.base);
        let done = match stands {
            Value::List(values) => values.iter_mut().enumerate().try_for_each(|(place, value)| {
                self.base = here.below(&place.to_string());
                self.steps(&step.steps, value)
            }),
            Value::Map(map) => map.iter_mut().try_for_each(|(key, value)| {
                self.base = here.below(key);
                self.steps(&step.steps, value)
            }),
            other => Err(StepError {
                path: here,
                trouble: Trouble::Kind { expected: "a list or an object", found: other.kind() },
            }),
        };
        self.base = outer;
        done
    }

    fn when(&mut self, step: &When, root: &mut Value) -> Result<(), StepError> {
        if holds(&step.condition, root) { self.steps(&step.steps, root) } else { Ok(()) }
    }

    fn jq(&mut self, step: &Jq, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.path.get_mut(root) else { return self.absent(&step.path, false) };
        let value = self.programs.run_step(step, stands);
        let value = value.map_err(|error| self.refuse(&step.path, Trouble::Jq(error)))?;
        self.change(&step.path, stands, value, false);
        Ok(())
    }

    fn require(&mut self, step: &Require, root: &Value) -> Result<(), StepError> {
        match step.path.get(root) {
            Some(value) if !is_of_kind(value, step.kind) => {
                Err(self.refuse(&step.path, Trouble::Required(step.message.clone())))
            }
            _ => Ok(()),
        }
    }
}

/// What operations have in common.
impl Work<'_> {
    fn note(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    fn moved(&mut self, from: &Pointer, to: &Pointer) {
        self.note(Effect::moved(from.under(&self.base), to.under(&self.base)));
    }

    fn change(&mut self, path: &Pointer, stands: &mut Value, value: Value, returns: bool) {
        if *stands != value {
            let before = std::mem::replace(stands, value.clone());
            self.note(Effect::changed(path.under(&self.base), before, value, returns));
        }
    }

    /// What a step puts: the value it names, or what its program makes of the document.
    fn value(&self, step: &Put, root: &Value) -> Result<Value, StepError> {
        match (&step.value, &step.jq) {
            (Some(value), None) => Ok(value.clone()),
            (None, Some(program)) => self.computed(program, &step.path, root),
            _ => Err(self.refuse(&step.path, Trouble::ValueOrProgram)),
        }
    }

    fn computed(&self, program: &str, path: &Pointer, input: &Value) -> Result<Value, StepError> {
        self.programs.run(program, input).map_err(|error| self.refuse(path, Trouble::Jq(error)))
    }

    /// Puts `value` where nothing stands: under a new key of an object that is there.
    fn put(&self, path: &Pointer, root: &mut Value, value: Value) -> Result<(), StepError> {
        let (above, name) = self.inside(path)?;
        let put = match self.object(&above, root, false)? {
            Some(map) => map.push(name.into(), value),
            None => Ok(()),
        };
        put.map_err(|_| self.refuse(path, Trouble::Taken))
    }

    /// The object that holds the place, and the place's name in it.
    fn inside<'a>(&self, path: &'a Pointer) -> Result<(Pointer, &'a str), StepError> {
        path.split().ok_or_else(|| self.refuse(path, Trouble::Root))
    }

    fn object<'a>(
        &self,
        path: &Pointer,
        root: &'a mut Value,
        optional: bool,
    ) -> Result<Option<&'a mut Map>, StepError> {
        let Some(value) = path.get_mut(root) else {
            return self.absent(path, optional).map(|()| None);
        };
        match value {
            Value::Map(map) => Ok(Some(map)),
            other => Err(self.wrong_kind(path, Kind::Object, other)),
        }
    }

    fn absent(&self, path: &Pointer, optional: bool) -> Result<(), StepError> {
        if optional { Ok(()) } else { Err(self.refuse(path, Trouble::Missing)) }
    }

    fn wrong_kind(&self, path: &Pointer, expected: Kind, found: &Value) -> StepError {
        self.refuse(path, Trouble::Kind { expected: expected.name(), found: found.kind() })
    }

    fn refuse(&self, path: &Pointer, trouble: Trouble) -> StepError {
        StepError { path: path.under(&self.base), trouble }
    }
}

fn holds(condition: &Condition, root: &Value) -> bool {
    let stands = condition.path.get(root);
    let equals = condition.equals.as_ref().is_none_or(|value| stands == Some(value));
    let not_in = condition
        .not_in
        .as_ref()
        .is_none_or(|values| stands.is_none_or(|value| !values.contains(value)));
    let kind =
        condition.kind.is_none_or(|kind| stands.is_some_and(|value| is_of_kind(value, kind)));
    equals && not_in && kind && (!condition.absent || stands.is_none())
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::String => "a text",
            Self::Array => "a list",
            Self::Object => "an object",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Operation, inverse};
    use super::*;
    use crate::document::json;

    fn steps(text: &str) -> Vec<Step> {
        serde_json::from_str(text).unwrap()
    }

    fn document(text: &str) -> Value {
        json::read(text.as_bytes()).unwrap().value
    }

    fn written(value: &Value) -> String {
        let plain = json::Style {
            indent: None,
            colon: "".into(),
            end: "".into(),
            ..json::Style::default()
        };
        json::write(value, &plain).unwrap()
    }

    /// Applies steps and, if they have an inverse, the inverse.
    fn run(text: &str, before: &str) -> (String, Vec<Effect>) {
        let steps = steps(text);
        let mut value = document(before);
        let effects = apply(&steps, &Programs::of(&steps).unwrap(), &mut value).unwrap();
        let after = written(&value);
        if let Some(back) = inverse(&steps) {
            apply(&back, &Programs::default(), &mut value).unwrap();
            assert_eq!(written(&value), before, "there and back again: {text}");
        }
        (after, effects)
    }

    fn refused(text: &str, before: &str) -> String {
        let steps = steps(text);
        apply(&steps, &Programs::of(&steps).unwrap(), &mut document(before))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn each_operation_does_what_its_name_says_and_its_inverse_takes_it_back() {
        for (text, before, after) in [
            (r#"[{"rename":{"path":"/a","to":"x"}}]"#, r#"{"a":1,"b":2}"#, r#"{"x":1,"b":2}"#),
            (r#"[{"move":{"from":"/a/b","to":"/b"}}]"#, r#"{"a":{"b":1}}"#, r#"{"a":{},"b":1}"#),
            (r#"[{"copy":{"from":"/a","to":"/b"}}]"#, r#"{"a":[1]}"#, r#"{"a":[1],"b":[1]}"#),
            (r#"[{"add":{"path":"/b","value":null}}]"#, r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            (r#"[{"set":{"path":"/a","value":2}}]"#, r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"[{"merge":{"path":"","value":{"a":9,"b":2}}}]"#, r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
            (r#"[{"remove":{"path":"/a"}}]"#, r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
            (r#"[{"add":{"path":"/b","jq":".a + 1"}}]"#, r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
            (
                r#"[{"jq":{"path":"/a","program":"map(. * 2)"}}]"#,
                r#"{"a":[1,2]}"#,
                r#"{"a":[2,4]}"#,
            ),
            (
                r#"[{"convert":{"path":"/a","to":"number_to_text"}}]"#,
                r#"{"a":1.50}"#,
                r#"{"a":"1.50"}"#,
            ),
            (
                r#"[{"convert":{"path":"/a","to":"integer_to_boolean"}}]"#,
                r#"{"a":1}"#,
                r#"{"a":true}"#,
            ),
            (
                r#"[{"map_values":{"path":"/a","table":[{"from":"x","to":1},{"from":"y","to":2}]}}]"#,
                r#"{"a":"y"}"#,
                r#"{"a":2}"#,
            ),
            (
                r#"[{"nest":{"path":"/n","keys":["b","c"]}}]"#,
                r#"{"a":1,"b":2,"c":3}"#,
                r#"{"a":1,"n":{"b":2,"c":3}}"#,
            ),
            (
                r#"[{"hoist":{"path":"/n","keys":["b"]}}]"#,
                r#"{"a":1,"n":{"b":2}}"#,
                r#"{"a":1,"b":2}"#,
            ),
            (r#"[{"wrap":{"path":"/a","key":"v"}}]"#, r#"{"a":1}"#, r#"{"a":{"v":1}}"#),
            (r#"[{"unwrap":{"path":"","key":"v"}}]"#, r#"{"v":[1]}"#, "[1]"),
            (
                r#"[{"each":{"path":"/l","steps":[{"rename":{"path":"/a","to":"b"}}]}}]"#,
                r#"{"l":[{"a":1},{"a":2}]}"#,
                r#"{"l":[{"b":1},{"b":2}]}"#,
            ),
            (
                r#"[{"when":{"if":{"path":"/a","not_in":["x"]},"steps":[{"set":{"path":"/a","value":"x"}}]}}]"#,
                r#"{"a":"y"}"#,
                r#"{"a":"x"}"#,
            ),
            (
                r#"[{"when":{"if":{"path":"/b","absent":true},"steps":[{"set":{"path":"/b","value":1}}]}}]"#,
                r#"{"b":0}"#,
                r#"{"b":0}"#,
            ),
        ] {
            assert_eq!(run(text, before).0, after, "{text}");
        }
    }

    #[test]
    fn every_refusal_names_the_place_and_the_reason() {
        for (text, before, expected) in [
            (r#"[{"rename":{"path":"/a","to":"b"}}]"#, r#"{"b":1}"#, "/a: nothing stands here"),
            (
                r#"[{"rename":{"path":"/a","to":"b"}}]"#,
                r#"{"a":0,"b":1}"#,
                "/b: something stands here already",
            ),
            (r#"[{"move":{"from":"/a","to":"/b/c"}}]"#, r#"{"a":1}"#, "/b: nothing stands here"),
            (
                r#"[{"rename":{"path":"","to":"b"}}]"#,
                "{}",
                "the document: the step cannot work on the whole document",
            ),
            (
                r#"[{"add":{"path":"/a/b","value":1}}]"#,
                r#"{"a":[]}"#,
                "/a: here stands a list; the step works on an object",
            ),
            (
                r#"[{"remove":{"path":"/a","equals":1}}]"#,
                r#"{"a":1.0}"#,
                "/a: here stands another value",
            ),
            (
                r#"[{"convert":{"path":"/a","to":"text_to_number"}}]"#,
                r#"{"a":"x"}"#,
                "/a: the step has nothing for this value",
            ),
            (
                r#"[{"hoist":{"path":"/n","keys":["b"]}}]"#,
                r#"{"n":{"b":1,"c":2}}"#,
                "/n: the object has other keys: c",
            ),
            (
                r#"[{"hoist":{"path":"/n","keys":["b"]}}]"#,
                r#"{"b":0,"n":{"b":1}}"#,
                "/b: something stands here already",
            ),
            (
                r#"[{"each":{"path":"/l","steps":[{"remove":{"path":"/a/b"}}]}}]"#,
                r#"{"l":[{"a":{}}]}"#,
                "/l/0/a/b: nothing stands here",
            ),
            (
                r#"[{"require":{"path":"/a","type":"array","message":"a must be an array."}}]"#,
                r#"{"a":1}"#,
                "/a: a must be an array.",
            ),
        ] {
            let message = refused(text, before);
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn loss_is_what_the_inverse_does_not_bring_back() {
        let lost = |text: &str, before: &str| -> Vec<String> {
            run(text, before)
                .1
                .iter()
                .flat_map(Effect::lost)
                .map(|place| place.to_string())
                .collect()
        };
        assert_eq!(
            lost(r#"[{"remove":{"path":"/a"}}]"#, r#"{"a":{"b":[1,{}],"c":null}}"#),
            ["/a/b/0", "/a/b/1", "/a/c"]
        );
        assert_eq!(
            lost(r#"[{"set":{"path":"/a","value":{"x":1,"y":3}}}]"#, r#"{"a":{"x":1,"y":2}}"#),
            ["/a/y"]
        );
        assert_eq!(lost(r#"[{"rename":{"path":"/a","to":"b"}}]"#, r#"{"a":1}"#), [""; 0]);
        assert_eq!(
            lost(r#"[{"convert":{"path":"/a","to":"number_to_text"}}]"#, r#"{"a":1}"#),
            [""; 0]
        );
        let table =
            r#"[{"map_values":{"path":"/a","table":[{"from":1,"to":0},{"from":2,"to":0}]}}]"#;
        assert_eq!(lost(table, r#"{"a":2}"#), ["/a"]);
    }

    #[test]
    fn effects_say_where_what_stood_and_why() {
        let (_, effects) = run(
            r#"[{"each":{"path":"/l","steps":[{"add":{"path":"/v","value":1,"reason":"v is required"}}]}},{"rename":{"path":"/l","to":"m"}}]"#,
            r#"{"l":[{},{"v":2}]}"#.replace(",{\"v\":2}", "").as_str(),
        );
        assert_eq!(effects.len(), 2);
        assert_eq!(effects[0].op, Operation::Added);
        assert_eq!(effects[0].path.to_string(), "/l/0/v");
        assert_eq!(effects[0].reason.as_deref(), Some("v is required"));
        assert_eq!(effects[1].op, Operation::Moved);
        assert_eq!(effects[1].from.as_ref().map(ToString::to_string).as_deref(), Some("/l"));
    }
}
