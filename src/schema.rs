//! JSON Schema: whether a document is what its version says it is.
//!
//! Draft 2020-12, which is also what a schema without `$schema` is read as, and draft-07. `format` is an annotation, as the
//! newer draft has it. A document is judged as it lies in memory, without a copy, by the digits of its numbers: see
//! [`Schema::validate`]. A byte string, which JSON does not have, is judged as the text of its lower-case hex digits.
//!
//! Knows documents only: no file, no network, no contract. A schema that would need another one is refused by name.
//!
//! ```
//! use glyph_ledger::document::json;
//! use glyph_ledger::schema::Schema;
//!
//! let schema = json::read(br#"{"type": "object", "required": ["title"]}"#)?.value;
//! let schema = Schema::compile("book-1", &schema)?;
//! assert!(schema.validate(&json::read(br#"{"title": "On time"}"#)?.value).is_ok());
//! let violations = schema.validate(&json::read(b"{}")?.value).unwrap_err();
//! assert_eq!(violations[0].keyword, "required");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cases;
mod decimal;
mod node;
mod source;

use std::collections::BTreeSet;
use std::fmt;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ReferencingError, ValidationError, Validator};
use serde::Serialize;

use crate::document::{Pointer, Value};
use node::Exact;

/// How many violations of one document are told: enough to see what is wrong, and no more memory for a document where all
/// is.
pub const VIOLATIONS_MAX: usize = 100;

/// Longest message of one violation, in characters: a list of names can be as long as the document.
const MESSAGE_CHARS_MAX: usize = 300;

/// A compiled schema.
pub struct Schema {
    name: String,
    source: Value,
    validator: Validator<Exact>,
}

/// One thing in a document that its schema does not allow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Violation {
    /// Where in the document.
    pub path: Pointer,
    /// The keyword of the schema that is violated.
    pub keyword: String,
    /// What is wrong, without the value.
    pub message: String,
}

/// A schema that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema {name}, {}: {defect}", if place.tokens().is_empty() { "at its root".to_owned() } else { format!("at {place}") })]
pub struct SchemaError {
    /// Its name.
    pub name: String,
    /// Where in the schema.
    pub place: Pointer,
    /// What is wrong with it.
    pub defect: Defect,
}

/// What can be wrong with a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// It is of another draft.
    #[error("it is of {0}; what can be read is draft 2020-12 and draft-07")]
    Draft(String),
    /// It refers to another document.
    #[error(
        "it refers to {0}, which is outside of it; nothing is fetched: put the definition into $defs"
    )]
    Remote(String),
    /// A number of it cannot be held exactly by what judges documents.
    #[error(
        "the number {0} cannot be compared with exactly: write it with at most 15 digits, or as an integer of 64 bits"
    )]
    Number(String),
    /// It is no schema.
    #[error("{0}")]
    Invalid(String),
}

impl Schema {
    /// Compiles `schema`, which messages call `name`.
    pub fn compile(name: &str, schema: &Value) -> Result<Self, SchemaError> {
        let told = |(place, defect)| SchemaError { name: name.to_owned(), place, defect };
        let draft = source::draft(schema).map_err(told)?;
        let plain = source::plain(schema, &Pointer::default()).map_err(told)?;
        let validator = jsonschema::options_for::<Exact>()
            .offline()
            .with_draft(draft)
            .should_validate_formats(false)
            .build(&plain)
            .map_err(|error| told(defect_of(&error, schema)))?;
        Ok(Self { name: name.to_owned(), source: schema.clone(), validator })
    }

    /// The name it is called by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was compiled from.
    pub const fn source(&self) -> &Value {
        &self.source
    }

    /// Whether `document` is valid.
    pub fn is_valid(&self, document: &Value) -> bool {
        self.validator.is_valid(document)
    }

    /// What in `document` the schema does not allow, sorted by place, at most [`VIOLATIONS_MAX`].
    ///
    /// Numbers are judged by their digits, whatever their size; docs/decisions/0015 says where that ends.
    pub fn validate(&self, document: &Value) -> Result<(), Vec<Violation>> {
        if self.validator.is_valid(document) {
            return Ok(());
        }
        let mut first = BTreeSet::new();
        for error in self.validator.iter_errors(document) {
            first.insert(violation(&error, document));
            if first.len() > VIOLATIONS_MAX {
                first.pop_last();
            }
        }
        if first.is_empty() {
            let message = "the two ways to judge it disagree".to_owned();
            first.insert(Violation { path: Pointer::default(), keyword: String::new(), message });
        }
        Err(first.into_iter().collect())
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.name).finish()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, keyword, message } = self;
        match path.tokens() {
            [] => write!(f, "the document: {message} ({keyword})"),
            _ => write!(f, "{path}: {message} ({keyword})"),
        }
    }
}

fn violation(error: &ValidationError<'_>, document: &Value) -> Violation {
    let path: Pointer = error.instance_path().as_str().parse().unwrap_or_default();
    let kind = path.get(document).map_or("a name", Value::kind);
    let message = error.masked_with(kind).to_string();
    Violation { path, keyword: error.kind().keyword().to_owned(), message: shortened(message) }
}

fn shortened(message: String) -> String {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
        None => message,
    }
}

fn defect_of(error: &ValidationError<'_>, schema: &Value) -> (Pointer, Defect) {
    let unretrievable = |error: &ReferencingError| {
        matches!(error, ReferencingError::Unretrievable { .. })
            .then(|| source::remote_reference(schema))
            .flatten()
    };
    if let ValidationErrorKind::Referencing(error) = error.kind()
        && let Some(remote) = unretrievable(error)
    {
        return remote;
    }
    let place = error.instance_path().as_str().parse().unwrap_or_default();
    (place, Defect::Invalid(shortened(error.to_string())))
}

#[cfg(test)]
mod tests;
