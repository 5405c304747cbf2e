//! Documents in any of the formats, read and written through one door.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{LostForm, Value, WriteError, cbor, json, jsonl, yaml};

/// Largest document that is read, in bytes. Its value takes a few times as much memory; larger data belong into a
/// database.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The formats of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON text.
    Json,
    /// One JSON text a line.
    Jsonl,
    /// One YAML document.
    Yaml,
    /// One CBOR item in the canonical profile.
    Cbor,
}

impl Format {
    /// Its name in contracts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Yaml => "yaml",
            Self::Cbor => "cbor",
        }
    }
}

/// A document: what it says, and how it is written.
///
/// Whoever did not change the value keeps the bytes that were read: writing them again would lose what
/// [`Document::lost_form`] lists, and gain nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// How it is written.
    pub form: Form,
    /// Whether it is known that what was read is what would be written.
    is_as_written: bool,
}

/// How a document is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// As JSON.
    Json(json::Style),
    /// As lines of JSON.
    Jsonl(jsonl::Style),
    /// As YAML.
    Yaml(yaml::Style),
    /// As CBOR, which has one form only.
    Cbor,
}

impl Form {
    /// The form that new documents of `format` get.
    pub fn of_new(format: Format) -> Self {
        match format {
            Format::Json => Self::Json(json::Style::default()),
            Format::Jsonl => Self::Jsonl(jsonl::Style::default()),
            Format::Yaml => Self::Yaml(yaml::Style::default()),
            Format::Cbor => Self::Cbor,
        }
    }

    /// The format.
    pub const fn format(&self) -> Format {
        match self {
            Self::Json(_) => Format::Json,
            Self::Jsonl(_) => Format::Jsonl,
            Self::Yaml(_) => Format::Yaml,
            Self::Cbor => Format::Cbor,
        }
    }
}

impl Document {
    /// A new document.
    pub const fn new(value: Value, form: Form) -> Self {
        Self { value, form, is_as_written: false }
    }

    /// Reads a document of `format`.
    pub fn read(format: Format, bytes: &[u8]) -> Result<Self, ReadError> {
        acceptable(format, bytes)?;
        match format {
            Format::Json => {
                let json = json::read(bytes)?;
                let is_as_written = json.is_as_written;
                Ok(Self { value: json.value, form: Form::Json(json.style), is_as_written })
            }
            Format::Jsonl => {
                let lines = jsonl::read(bytes)?;
                Ok(Self::new(lines.value, Form::Jsonl(lines.style)))
            }
            Format::Yaml => {
                let yaml = yaml::read(bytes)?;
                Ok(Self::new(yaml.value, Form::Yaml(yaml.style)))
            }
            Format::Cbor => Ok(Self::new(cbor::read(bytes)?, Form::Cbor)),
        }
    }

    /// The same form with another value.
    #[must_use]
    pub fn with(&self, value: Value) -> Self {
        Self::new(value, self.form.clone())
    }

    /// The bytes of the value in its form.
    pub fn write(&self) -> Result<Vec<u8>, WriteError> {
        match &self.form {
            Form::Json(style) => json::write(&self.value, style).map(String::into_bytes),
            Form::Jsonl(style) => jsonl::write(&self.value, style).map(String::into_bytes),
            Form::Yaml(style) => yaml::write(&self.value, style).map(String::into_bytes),
            Form::Cbor => cbor::write(&self.value),
        }
    }

    /// What writing this document, which was read from `original`, loses of it although no value changes, in order of
    /// lines. Empty means that [`Document::write`] gives exactly `original`.
    pub fn lost_form(&self, original: &[u8]) -> Vec<LostForm> {
        if let Form::Yaml(style) = &self.form {
            return yaml::lost_form(original, &self.value, style);
        }
        if let Form::Json(style) = &self.form
            && (self.is_as_written || json::writes(&self.value, style, original))
        {
            return Vec::new();
        }
        json::lost_form(original, &self.write().unwrap_or_default())
    }
}

/// Refuses what is no document of any format, before a reader says something less clear about it.
fn acceptable(format: Format, bytes: &[u8]) -> Result<(), ReadError> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(ReadError {
            place: Place::Byte(DOCUMENT_BYTES_MAX),
            reason: ReadReason::Large,
        });
    }
    // Lines of JSON may be none.
    if bytes.is_empty() && format != Format::Jsonl {
        return Err(ReadError { place: Place::Byte(0), reason: ReadReason::Empty });
    }
    let beginning = bytes.get(..BINARY_LOOK_BYTES).unwrap_or(bytes);
    match beginning.iter().position(|byte| *byte == 0) {
        Some(at) if format != Format::Cbor => {
            Err(ReadError { place: Place::Byte(at), reason: ReadReason::Binary })
        }
        _ => Ok(()),
    }
}

/// How far into a text a byte 0 is looked for: files of other kinds have one near their beginning.
const BINARY_LOOK_BYTES: usize = 1024;

/// Bytes that are no acceptable document of their format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct ReadError {
    /// Where.
    pub place: Place,
    /// Why.
    pub reason: ReadReason,
}

/// A place in the bytes of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a text.
    Line {
        /// The line, from 1.
        line: usize,
        /// The character in that line, from 1.
        column: usize,
    },
    /// An offset, from 0.
    Byte(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, column } => write!(f, "line {line}, column {column}"),
            Self::Byte(offset) => write!(f, "byte {offset}"),
        }
    }
}

/// Why bytes are no acceptable document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadReason {
    /// There are none.
    #[error("the file is empty")]
    Empty,
    /// There are more than [`DOCUMENT_BYTES_MAX`].
    #[error("the document has more than {DOCUMENT_BYTES_MAX} bytes")]
    Large,
    /// They are no text.
    #[error("not a text: here stands a byte 0")]
    Binary,
    /// Not acceptable JSON.
    #[error("{0}")]
    Json(json::Reason),
    /// Not acceptable YAML.
    #[error("{0}")]
    Yaml(yaml::Reason),
    /// Not canonical CBOR.
    #[error("{0}")]
    Cbor(ledger_format::cbor::Reason),
    /// Infinity, or not a number.
    #[error("not a finite number, for which no value here stands")]
    NotFinite,
}

impl From<json::JsonError> for ReadError {
    fn from(error: json::JsonError) -> Self {
        let place = Place::Line { line: error.line, column: error.column };
        Self { place, reason: ReadReason::Json(error.reason) }
    }
}

impl From<yaml::YamlError> for ReadError {
    fn from(error: yaml::YamlError) -> Self {
        let place = Place::Line { line: error.line, column: error.column };
        Self { place, reason: ReadReason::Yaml(error.reason) }
    }
}

impl From<cbor::CborError> for ReadError {
    fn from(error: cbor::CborError) -> Self {
        let place = Place::Byte(error.offset());
        let reason = match error {
            cbor::CborError::Profile(error) => ReadReason::Cbor(error.reason),
            cbor::CborError::NotFinite { .. } => ReadReason::NotFinite,
        };
        Self { place, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Map;
    use super::*;

    const FORMATS: [Format; 4] = [Format::Json, Format::Jsonl, Format::Yaml, Format::Cbor];

    #[test]
    fn every_format_writes_what_it_reads_back() {
        let map: Map = [("a", Value::text("on")), ("b", 1.into())].into_iter().collect();
        let value = Value::from(vec![map.into(), Value::Null]);
        for format in FORMATS {
            let document = Document::new(value.clone(), Form::of_new(format));
            let bytes = document.write().unwrap();
            let back = Document::read(format, &bytes).unwrap();
            assert_eq!((&back.value, back.form.format()), (&value, format));
            assert_eq!(back.write().unwrap(), bytes);
            assert_eq!(back.lost_form(&bytes), []);
            let changed = back.with(Value::from(vec![]));
            assert_eq!(
                Document::read(format, &changed.write().unwrap()).unwrap().value,
                changed.value
            );
            let name = serde_json::to_string(&format).unwrap();
            assert_eq!(name, format!("\"{}\"", format.name()));
        }
    }

    #[test]
    fn what_is_no_document_is_named_so() {
        let refused = |format, bytes: &[u8]| Document::read(format, bytes).unwrap_err().to_string();
        for format in [Format::Json, Format::Yaml, Format::Cbor] {
            assert_eq!(refused(format, b""), "byte 0: the file is empty");
        }
        for format in [Format::Json, Format::Jsonl, Format::Yaml] {
            assert_eq!(refused(format, b"{\"\0"), "byte 2: not a text: here stands a byte 0");
        }
        assert_eq!(refused(Format::Json, b"[1,]"), "line 1, column 4: here must stand a value");
        assert_eq!(refused(Format::Jsonl, b"1\n\n"), "line 2, column 1: an empty line");
        assert!(refused(Format::Yaml, b"a: *b").starts_with("line 1, column 4: "));
        assert_eq!(refused(Format::Cbor, &[0x82, 1]), "byte 2: the value is cut off");
        let large = vec![b' '; DOCUMENT_BYTES_MAX + 1];
        assert!(refused(Format::Json, &large).contains("more than 268435456 bytes"));
    }

    #[test]
    fn spacing_that_no_style_describes_is_told() {
        let text = b"{\n  \"a\": 1,\n\n  \"b\": 2\n}\n";
        let lost = Document::read(Format::Json, text).unwrap().lost_form(text);
        assert_eq!(lost.iter().map(ToString::to_string).collect::<Vec<_>>(), ["line 3: spacing"]);
    }
}
