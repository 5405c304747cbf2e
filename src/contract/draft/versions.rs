//! Guessing how documents of two looks are told apart.

use super::super::detector::{Shape as Keys, When};
use super::form::{Field, Form, Shape};
use crate::document::{Pointer, Value};
use crate::transform::Kind;

/// Keys that state a version in documents of many kinds, the most telling first; spelt without dashes, in lower case.
const NAMES: &[&str] = &[
    "schemaversion",
    "specversion",
    "formatversion",
    "version",
    "apiversion",
    "nbformat",
    "schema",
    "v",
];

/// A version: its token, and how it is recognised.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) token: String,
    pub(super) when: When,
}

/// A key that states the version.
pub(super) struct Stated {
    pub(super) key: String,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

/// The key of the root that states the version, if one has a name for that and not the same value in both.
pub(super) fn stated(before: &Form, after: &Form) -> Option<Stated> {
    let keys = |form: &Form| -> Vec<String> {
        let Shape::Object(fields) = &form.shape else { return Vec::new() };
        fields.iter().map(|field| field.key.to_string()).collect()
    };
    let all: Vec<String> = keys(after).into_iter().chain(keys(before)).collect();
    let value = |form: &Form, key: &str| {
        let value = form.field(key).filter(|field| field.always)?.form.example.clone()?;
        matches!(value, Value::Text(_) | Value::Number(_)).then_some(value)
    };
    let plain = |key: &str| key.replace(['-', '_'], "").to_lowercase();
    NAMES.iter().find_map(|name| {
        let key = all.iter().find(|key| plain(key) == **name)?;
        let (old, new) = (value(before, key), value(after, key));
        // A key that is there without a value to compare states nothing that could be recognised.
        let hidden =
            |form: &Form, value: &Option<Value>| form.field(key).is_some() && value.is_none();
        let useless = hidden(before, &old) || hidden(after, &new) || old == new;
        (!useless).then(|| Stated { key: key.clone(), before: old, after: new })
    })
}

/// The two versions by the key that states them, in the object at `at`.
pub(super) fn by_key(stated: &Stated, at: &Pointer) -> (Version, Version) {
    let path = at.below(&stated.key).to_string();
    let when = |value: &Option<Value>| When {
        path: Some(path.clone()),
        equals: value.clone(),
        absent: value.is_none(),
        ..When::default()
    };
    let new = token(stated.after.as_ref()).unwrap_or_else(|| "unstated".to_owned());
    let old = token(stated.before.as_ref()).unwrap_or_else(|| below(&new));
    let old = if old == new { format!("{old}-before") } else { old };
    let before = Version { token: old, when: when(&stated.before) };
    (before, Version { token: new, when: when(&stated.after) })
}

/// The two versions by keys or kinds that differ in what stands at `at`.
pub(super) fn by_look(before: &Form, after: &Form, at: &Pointer) -> Option<(Version, Version)> {
    let (old, new) = tell_apart(before, after, at)?;
    let version = |token: &str, when| Version { token: token.to_owned(), when };
    Some((version("1", old), version("2", new)))
}

fn token(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Text(text) => Some(text.to_string()),
        Value::Number(number) => Some(number.digits().to_owned()),
        _ => None,
    }
}

/// A token for the version below one that is a number.
fn below(token: &str) -> String {
    let number: Option<u64> = token.parse().ok();
    number
        .and_then(|number| number.checked_sub(1))
        .map_or_else(|| "unstated".to_owned(), |number| number.to_string())
}

fn tell_apart(before: &Form, after: &Form, at: &Pointer) -> Option<(When, When)> {
    let (Shape::Object(old), Shape::Object(new)) = (&before.shape, &after.shape) else {
        let (old, new) = (kind(before)?, kind(after)?);
        let when = |kind| When { path: Some(at.to_string()), kind: Some(kind), ..When::default() };
        return (old != new).then(|| (when(old), when(new)));
    };
    let only = |one: &[Field], other: &Form| -> Vec<String> {
        let own = one.iter().filter(|field| field.always && other.field(&field.key).is_none());
        own.map(|field| field.key.to_string()).collect()
    };
    let (gone, come) = (only(old, after), only(new, before));
    if !gone.is_empty() || !come.is_empty() {
        let when = |has: &[String], lacks: &[String]| When {
            path: Some(at.to_string()),
            shape: Some(Keys { table: None, has: has.to_vec(), lacks: lacks.to_vec() }),
            ..When::default()
        };
        return Some((when(&gone, &come), when(&come, &gone)));
    }
    let common = old.iter().filter(|field| field.always);
    let mut common = common.filter_map(|field| Some((field, after.field(&field.key)?)));
    common.find_map(|(old, new)| {
        tell_apart(&old.form, &new.form, &at.below(&old.key)).filter(|_| new.always)
    })
}

fn kind(form: &Form) -> Option<Kind> {
    match &form.shape {
        Shape::Any => None,
        Shape::Scalar(kind) => Some(*kind),
        Shape::List(_) => Some(Kind::Array),
        Shape::Object(_) => Some(Kind::Object),
    }
}
