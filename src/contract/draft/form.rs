//! What a document, or every document of a JSON Schema, looks like: which keys it has and what kinds of values.

use crate::document::{Key, Map, Pointer, Value};
use crate::transform::Kind;

/// References that are followed from one schema to the next, at most: a schema may hold itself.
const REFERENCES_MAX: usize = 16;

/// Elements of one list that are looked at; those behind them are taken to be alike.
const ELEMENTS_MAX: usize = 10_000;

/// Further values that are kept of one look, to see whether all of them can be converted.
const OTHERS_MAX: usize = 10_000;

/// The look of a value, and an example of it if there is one.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) shape: Shape,
    pub(super) example: Option<Value>,
    /// Further examples of a text or number, from the elements of a list.
    pub(super) others: Vec<Value>,
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// Nothing is known: null, or values of several kinds.
    Any,
    Scalar(Kind),
    /// A list, with the look that all its elements share.
    List(Option<Box<Form>>),
    Object(Vec<Field>),
}

/// A key of an object.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) key: Key,
    pub(super) form: Form,
    /// Every object of the kind has it.
    pub(super) always: bool,
}

impl Form {
    /// The look of one document.
    pub(super) fn of(value: &Value) -> Self {
        let shape = match value {
            Value::Bool(_) => Shape::Scalar(Kind::Boolean),
            Value::Number(_) => Shape::Scalar(Kind::Number),
            Value::Text(_) => Shape::Scalar(Kind::String),
            Value::List(values) => {
                let forms = values.iter().take(ELEMENTS_MAX).map(Self::of);
                Shape::List(forms.reduce(Self::united).map(Box::new))
            }
            Value::Map(map) => Shape::Object(
                map.iter()
                    .map(|(key, value)| Field {
                        key: key.clone(),
                        form: Self::of(value),
                        always: true,
                    })
                    .collect(),
            ),
            _ => Shape::Any,
        };
        Self { shape, example: Some(value.clone()), others: Vec::new() }
    }

    /// The look of the documents that a JSON Schema describes, as far as its plain keywords tell.
    pub(super) fn of_schema(schema: &Value) -> Self {
        described(schema, schema, REFERENCES_MAX)
    }

    /// A value of this look.
    pub(super) fn sample(&self) -> Value {
        if let Some(example) = &self.example {
            return example.clone();
        }
        match &self.shape {
            Shape::Any => Value::Null,
            Shape::Scalar(Kind::Boolean) => false.into(),
            Shape::Scalar(Kind::String) => Value::text(""),
            Shape::Scalar(_) => 0.into(),
            Shape::List(_) => Value::from(Vec::new()),
            Shape::Object(fields) => {
                let fields = fields.iter().filter(|field| field.always);
                fields.map(|field| (&field.key, field.form.sample())).collect::<Map>().into()
            }
        }
    }

    /// Every example there is.
    pub(super) fn examples(&self) -> impl Iterator<Item = &Value> {
        self.example.iter().chain(&self.others)
    }

    /// The look of the elements of a list of objects.
    pub(super) fn of_elements(&self) -> Option<&Self> {
        let Shape::List(Some(element)) = &self.shape else { return None };
        matches!(element.shape, Shape::Object(_)).then_some(element)
    }

    /// The field of that name.
    pub(super) fn field(&self, key: &str) -> Option<&Field> {
        let Shape::Object(fields) = &self.shape else { return None };
        fields.iter().find(|field| *field.key == *key)
    }

    /// Whether a value of one look has the other look too, as far as both are known.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (&self.shape, &other.shape) {
            (Shape::Any, _) | (_, Shape::Any) => true,
            (Shape::Scalar(one), Shape::Scalar(other)) => one == other,
            (Shape::List(one), Shape::List(other)) => {
                one.as_ref().zip(other.as_ref()).is_none_or(|(one, other)| one.same(other))
            }
            (Shape::Object(one), Shape::Object(others)) => {
                let has = |form: &Self, field: &Field| {
                    !field.always
                        || form.field(&field.key).is_some_and(|found| found.form.same(&field.form))
                };
                one.iter().all(|field| has(other, field))
                    && others.iter().all(|field| has(self, field))
            }
            _ => false,
        }
    }

    /// The look that two values share.
    fn united(self, other: Self) -> Self {
        let mut others = self.others;
        let room = OTHERS_MAX.saturating_sub(others.len());
        let scalar = |value: &Value| matches!(value, Value::Text(_) | Value::Number(_));
        let further = other.example.into_iter().chain(other.others).filter(scalar);
        others.extend(further.take(room));
        let example = self.example;
        let shape = match (self.shape, other.shape) {
            (Shape::Scalar(one), Shape::Scalar(other)) if one == other => Shape::Scalar(one),
            (Shape::List(one), Shape::List(other)) => Shape::List(match (one, other) {
                (Some(one), Some(other)) => Some(Box::new(one.united(*other))),
                (one, other) => one.or(other),
            }),
            (Shape::Object(one), Shape::Object(other)) => Shape::Object(united_fields(one, other)),
            _ => Shape::Any,
        };
        Self { shape, example, others }
    }
}

fn united_fields(one: Vec<Field>, mut other: Vec<Field>) -> Vec<Field> {
    let mut fields = Vec::new();
    for field in one {
        let there = other.iter().position(|candidate| candidate.key == field.key);
        fields.push(match there.map(|place| other.remove(place)) {
            None => Field { always: false, ..field },
            Some(twin) => {
                let always = field.always && twin.always;
                Field { key: field.key, form: field.form.united(twin.form), always }
            }
        });
    }
    fields.extend(other.into_iter().map(|field| Field { always: false, ..field }));
    fields
}

fn described(schema: &Value, root: &Value, references: usize) -> Form {
    let unknown = Form { shape: Shape::Any, example: None, others: Vec::new() };
    let Some(map) = schema.as_map() else { return unknown };
    if let Some(place) = map.get("$ref").and_then(Value::as_text) {
        let place = place.strip_prefix('#').and_then(|place| place.parse::<Pointer>().ok());
        let target = place.filter(|_| references > 0).and_then(|place| place.get(root).cloned());
        return target.map_or(unknown, |target| described(&target, root, references - 1));
    }
    if let Some(value) = map.get("const") {
        return Form::of(value);
    }
    let example = map.get("default").cloned();
    let shape = match map.get("type").and_then(Value::as_text) {
        Some("boolean") => Shape::Scalar(Kind::Boolean),
        Some("integer" | "number") => Shape::Scalar(Kind::Number),
        Some("string") => Shape::Scalar(Kind::String),
        Some("array") => {
            let items = map.get("items").map(|items| described(items, root, references));
            Shape::List(items.map(Box::new))
        }
        Some("object") => Shape::Object(fields(map, root, references)),
        None if map.contains("properties") => Shape::Object(fields(map, root, references)),
        _ => Shape::Any,
    };
    Form { shape, example, others: Vec::new() }
}

fn fields(schema: &Map, root: &Value, references: usize) -> Vec<Field> {
    let required = schema.get("required").and_then(Value::as_list).unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_map);
    let properties = properties.into_iter().flat_map(Map::iter);
    let field = |(key, schema): (&Key, &Value)| Field {
        key: key.clone(),
        form: described(schema, root, references),
        always: required.iter().any(|name| name.as_text() == Some(key)),
    };
    properties.map(field).collect()
}
