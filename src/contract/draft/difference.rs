//! The steps that give documents of one look another look, with what each guesses and what they lose.

use super::form::{Field, Form, Shape};
use crate::document::{Pointer, Value};
use crate::transform::{
    Condition, Conversion, Convert, Each, Kind, Place, Put, Rename, Step, When, Wrap,
};

/// Steps, each with what a person must decide about it, and what they do.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) lines: Vec<Line>,
    /// Places that are lost, with `*` for the elements of lists.
    pub(super) lossy: Vec<Pointer>,
    /// Places that are added.
    pub(super) added: Vec<Pointer>,
}

/// A step and why it is there.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) why: String,
    pub(super) step: Step,
}

impl Steps {
    /// Adds what leads from `before` to `after`, which stand at `at` from where the steps begin, which is at `base`. The
    /// root keys `skipped` are somebody else's.
    pub(super) fn compare(
        &mut self,
        before: &Form,
        after: &Form,
        at: &Pointer,
        base: &Pointer,
        skipped: &[&str],
    ) {
        match (&before.shape, &after.shape) {
            (Shape::Any, _) | (_, Shape::Any) => {}
            (Shape::Object(old), Shape::Object(new))
                if wraps(before, after).is_none() && wraps(after, before).is_none() =>
            {
                self.objects(old, new, at, base, skipped);
            }
            (Shape::List(Some(old)), Shape::List(Some(new))) => self.lists(old, new, at, base),
            (Shape::List(_), Shape::List(_)) => {}
            (Shape::Scalar(old), Shape::Scalar(new)) if old == new => {}
            (Shape::Scalar(old), Shape::Scalar(new)) => {
                self.scalars((*old, before), (*new, after), at, base);
            }
            _ => self.containers(before, after, at, base),
        }
    }

    fn objects(
        &mut self,
        old: &[Field],
        new: &[Field],
        at: &Pointer,
        base: &Pointer,
        skipped: &[&str],
    ) {
        let others = |field: &&Field| !skipped.contains(&&*field.key);
        let has =
            |fields: &[Field], field: &Field| fields.iter().any(|other| other.key == field.key);
        let mut gone: Vec<&Field> =
            old.iter().filter(others).filter(|field| !has(new, field)).collect();
        let mut come: Vec<&Field> =
            new.iter().filter(others).filter(|field| !has(old, field)).collect();
        for (from, to) in renamed(&mut gone, &mut come) {
            self.rename(from, to, at, base);
        }
        for field in gone {
            self.remove(field, at, base);
        }
        for field in old.iter().filter(others) {
            if let Some(twin) = new.iter().find(|twin| twin.key == field.key) {
                self.inside(field, twin, at, base);
            }
        }
        for field in come.iter().filter(|field| field.always) {
            let why =
                "put where there is none; decide the value for documents other than the example";
            self.add(&at.below(&field.key), field.form.sample(), base, why);
        }
    }

    /// What leads from one value to another under the key of `new`, if there is one.
    fn inside(&mut self, old: &Field, new: &Field, at: &Pointer, base: &Pointer) {
        let place = at.below(&new.key);
        if old.always {
            return self.compare(&old.form, &new.form, &place, base, &[]);
        }
        let mut steps = Self::default();
        steps.compare(&old.form, &new.form, &place, base, &[]);
        self.lossy.append(&mut steps.lossy);
        self.added.append(&mut steps.added);
        if let (false, Some(kind)) = (steps.lines.is_empty(), kind(&old.form)) {
            let (why, steps) = body(steps.lines);
            let condition = Condition { path: place, kind: Some(kind), ..Condition::default() };
            self.line(Step::When(When { condition, steps }), why);
        }
    }

    fn lists(&mut self, old: &Form, new: &Form, at: &Pointer, base: &Pointer) {
        let mut steps = Self::default();
        let base = at.under(base).below("*");
        steps.compare(old, new, &Pointer::default(), &base, &[]);
        self.lossy.append(&mut steps.lossy);
        self.added.append(&mut steps.added);
        if !steps.lines.is_empty() {
            let (why, steps) = body(steps.lines);
            self.line(Step::Each(Each { path: at.clone(), steps, optional: false }), why);
        }
    }

    fn scalars(&mut self, old: (Kind, &Form), new: (Kind, &Form), at: &Pointer, base: &Pointer) {
        let Some(to) = conversion(old, new.0) else {
            return self.replace(new.1, at, base);
        };
        let convert = Convert { path: at.clone(), to, optional: false };
        self.line(
            Step::Convert(convert),
            "the same value as another kind; a document whose value is none is refused",
        );
    }

    /// A value that stands in an object now, or stood in one, or has become something else altogether.
    fn containers(&mut self, before: &Form, after: &Form, at: &Pointer, base: &Pointer) {
        if let Some(key) = wraps(after, before) {
            let wrap = Wrap { path: at.clone(), key };
            self.line(Step::Wrap(wrap), "the value stands in an object now");
        } else if let Some(key) = wraps(before, after) {
            let wrap = Wrap { path: at.clone(), key };
            self.line(
                Step::Unwrap(wrap),
                "the value stood in an object; one with further keys is refused",
            );
        } else {
            self.replace(after, at, base);
        }
    }

    fn rename(&mut self, from: &Field, to: &Field, at: &Pointer, base: &Pointer) {
        let (path, optional) = (at.below(&from.key), !from.always);
        let step = Step::Rename(Rename { path, to: to.key.to_string(), optional });
        self.line(step, "taken for one key under a new name; decide whether it is");
        self.inside(from, to, at, base);
    }

    fn remove(&mut self, field: &Field, at: &Pointer, base: &Pointer) {
        let path = at.below(&field.key);
        self.lossy.push(path.under(base));
        let step = Step::Remove(Place { path, optional: !field.always, equals: None });
        self.line(step, "lost; decide whether it may be, or where else it is to go");
    }

    fn replace(&mut self, after: &Form, at: &Pointer, base: &Pointer) {
        self.lossy.push(at.under(base));
        let step = Step::Set(put(at, after.sample()));
        self.line(step, "of another kind, so the old value is lost; decide how the new one follows from it (`jq`)");
    }

    pub(super) fn add(&mut self, path: &Pointer, value: Value, base: &Pointer, why: &str) {
        self.added.push(path.under(base));
        self.line(Step::Add(put(path, value)), why);
    }

    pub(super) fn line(&mut self, step: Step, why: impl Into<String>) {
        self.lines.push(Line { why: why.into(), step });
    }
}

pub(super) fn put(path: &Pointer, value: Value) -> Put {
    let (jq, reads, groups, reason) = (None, None, None, None);
    Put { path: path.clone(), value: Some(value), jq, reads, groups, reason }
}

/// The steps of lines, and everything that was said of them.
pub(super) fn body(lines: Vec<Line>) -> (String, Vec<Step>) {
    let mut reasons: Vec<String> = Vec::new();
    let mut steps = Vec::new();
    for Line { why, step } in lines {
        if !reasons.contains(&why) {
            reasons.push(why);
        }
        steps.push(step);
    }
    (reasons.join("; "), steps)
}

fn kind(form: &Form) -> Option<Kind> {
    match &form.shape {
        Shape::Any => None,
        Shape::Scalar(kind) => Some(*kind),
        Shape::List(_) => Some(Kind::Array),
        Shape::Object(_) => Some(Kind::Object),
    }
}

/// The one key of `outer` under which a value like `inner` stands.
fn wraps(outer: &Form, inner: &Form) -> Option<String> {
    let Shape::Object(fields) = &outer.shape else { return None };
    let ([field], true) = (fields.as_slice(), !matches!(inner.shape, Shape::Any)) else {
        return None;
    };
    let known = !matches!(field.form.shape, Shape::Any);
    (known && field.always && kind(inner) != Some(Kind::Object) && field.form.same(inner))
        .then(|| field.key.to_string())
}

fn conversion((old, before): (Kind, &Form), new: Kind) -> Option<Conversion> {
    let readable = |value: &Value, good: fn(&str) -> bool| match value {
        Value::Text(text) => good(text),
        Value::Number(number) => good(number.digits()),
        _ => false,
    };
    match (old, new) {
        (Kind::Number, Kind::String) => Some(Conversion::NumberToText),
        (Kind::Boolean, Kind::Number) => Some(Conversion::BooleanToInteger),
        (Kind::String, Kind::Number) => {
            let number = |text: &str| crate::document::Number::parse(text).is_some();
            before
                .examples()
                .all(|value| readable(value, number))
                .then_some(Conversion::TextToNumber)
        }
        (Kind::Number, Kind::Boolean) => {
            let truth = |digits: &str| digits == "0" || digits == "1";
            before
                .examples()
                .all(|value| readable(value, truth))
                .then_some(Conversion::IntegerToBoolean)
        }
        _ => None,
    }
}

/// Takes out of both lists the pairs that are one key under two names: spelt alike, or with the same telling value.
fn renamed<'a>(
    gone: &mut Vec<&'a Field>,
    come: &mut Vec<&'a Field>,
) -> Vec<(&'a Field, &'a Field)> {
    let mut pairs = Vec::new();
    for alike in [spelt_alike, of_one_value] {
        gone.retain(|old| {
            let twins = come.iter().filter(|new| alike(old, new)).count();
            let Some(place) = come.iter().position(|new| alike(old, new)) else { return true };
            if twins > 1 {
                return true;
            }
            pairs.push((*old, come.remove(place)));
            false
        });
    }
    pairs
}

fn spelt_alike(old: &Field, new: &Field) -> bool {
    let letters = |key: &str| -> String {
        key.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    !letters(&old.key).is_empty() && letters(&old.key) == letters(&new.key)
}

fn of_one_value(old: &Field, new: &Field) -> bool {
    let telling = |value: &Value| match value {
        Value::Null | Value::Bool(_) => false,
        Value::Number(number) => number.digits().len() > 1,
        Value::List(values) => !values.is_empty(),
        _ => value.as_text() != Some("") && value.as_map().is_none_or(|map| !map.is_empty()),
    };
    let mut pairs = old.form.examples().zip(new.form.examples()).peekable();
    let tells = pairs.peek().is_some_and(|(one, _)| telling(one));
    tells && pairs.all(|(one, other)| one == other)
}
