//! What the ledger has of append-only files: the states recorded, and the text they add up to.

use std::collections::BTreeMap;

use ledger_format::body::{Body, ObjectState};
use ledger_format::hash::ContentHash;

use crate::objects::{Objects, ObjectsError};

/// Recorded states of append-only files, in order: what their text is put together from. Held for
/// every record of a ledger, so each takes no more than 48 bytes.
#[derive(Debug, Clone, Default)]
pub struct AuditRecords {
    files: BTreeMap<String, AuditFile>,
    /// The file recorded last.
    newest: Option<String>,
}

#[derive(Debug, Clone)]
struct AuditFile {
    /// Hash of all its bytes, as last recorded.
    content: ContentHash,
    parts: Vec<Part>,
}

/// What one event records of a file.
#[derive(Debug, Clone)]
struct Part {
    seq: u64,
    /// Number of all its bytes.
    bytes: u64,
    /// The bytes that came since the record before, as an object.
    tail: ContentHash,
}

/// The recorded text of an append-only file cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum AuditTextError {
    /// A part of it cannot be read.
    #[error("event {seq}: {error}")]
    Object {
        /// The event that records the part.
        seq: u64,
        /// What happened.
        error: ObjectsError,
    },
    /// The parts do not add up to what was recorded.
    #[error("event {seq} records {} bytes hashing to {}, its parts are {actual_bytes} hashing to {actual}", expected.1, expected.0)]
    Sum {
        /// The event.
        seq: u64,
        /// Hash and length recorded.
        expected: (ContentHash, u64),
        /// Hash of the parts.
        actual: ContentHash,
        /// Their length.
        actual_bytes: u64,
    },
}

impl AuditRecords {
    /// Adds what `body`, of event `seq`, records of an append-only file.
    pub(crate) fn record(&mut self, seq: u64, body: &Body) {
        let (object, state) = match body {
            Body::ObjectObserved(body) => (Some(body.object.as_str()), Some(&body.state)),
            // A store has one audit file; a published run extends it.
            Body::RunPublished(body) => (self.newest.as_deref(), body.audit.as_ref()),
            _ => return,
        };
        let (Some(object), Some(ObjectState::Log { content, bytes, tail })) = (object, state)
        else {
            return;
        };
        let part = Part { seq, bytes: *bytes, tail: **tail };
        if let Some(file) = self.files.get_mut(object) {
            file.content = *content;
            file.parts.push(part);
        } else {
            let file = AuditFile { content: *content, parts: vec![part] };
            self.files.insert(object.to_owned(), file);
        }
        if self.newest.as_deref() != Some(object) {
            self.newest = Some(object.to_owned());
        }
    }
}

/// The text of the file `object` as last recorded in `records`, put together from its parts and
/// compared with what was recorded.
pub fn audit_text(
    records: &AuditRecords,
    object: &str,
    objects: &dyn Objects,
) -> Result<Vec<u8>, AuditTextError> {
    let mut text = Vec::new();
    let Some(file) = records.files.get(object) else { return Ok(text) };
    let mut expected = (file.content, 0);
    let mut newest = 0;
    for Part { seq, bytes, tail } in &file.parts {
        let tail = objects.get(tail);
        let tail = tail.map_err(|error| AuditTextError::Object { seq: *seq, error })?;
        // A file that was put back to less, or to something else, is recorded whole.
        if tail.len() as u64 == *bytes {
            text.clear();
        }
        text.extend_from_slice(&tail);
        (newest, expected.1) = (*seq, *bytes);
    }
    let (actual, actual_bytes) = (ContentHash::of(&text), text.len() as u64);
    if (actual, actual_bytes) == expected {
        Ok(text)
    } else {
        Err(AuditTextError::Sum { seq: newest, expected, actual, actual_bytes })
    }
}
