//! What the ledger has of append-only files: the states recorded, and the text they add up to.

use ledger_format::body::{Body, ObjectState};
use ledger_format::hash::ContentHash;

use crate::objects::{Objects, ObjectsError};

/// One recorded state of an append-only file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// The event that records it.
    pub seq: u64,
    /// The file's object id.
    pub object: String,
    /// Hash of all its bytes.
    pub content: ContentHash,
    /// Their number.
    pub bytes: u64,
    /// The bytes that came since the record before, as an object.
    pub tail: ContentHash,
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

/// Adds what `body`, of event `seq`, records of an append-only file.
pub(crate) fn record(records: &mut Vec<AuditRecord>, seq: u64, body: &Body) {
    let (object, state) = match body {
        Body::ObjectObserved(body) => (Some(body.object.clone()), Some(&body.state)),
        // A store has one audit file; a published run extends it.
        Body::RunPublished(body) => {
            (records.last().map(|record| record.object.clone()), body.audit.as_ref())
        }
        _ => return,
    };
    if let (Some(object), Some(ObjectState::Log { content, bytes, tail })) = (object, state) {
        let (content, bytes, tail) = (*content, *bytes, *tail);
        records.push(AuditRecord { seq, object, content, bytes, tail });
    }
}

/// The text of the file `object` as last recorded in `records`, put together from its parts and
/// compared with what was recorded.
pub fn audit_text(
    records: &[AuditRecord],
    object: &str,
    objects: &dyn Objects,
) -> Result<Vec<u8>, AuditTextError> {
    let mut text = Vec::new();
    let mut newest = None;
    for record in records.iter().filter(|record| record.object == object) {
        let seq = record.seq;
        let tail = objects.get(&record.tail);
        let tail = tail.map_err(|error| AuditTextError::Object { seq, error })?;
        // A file that was put back to less, or to something else, is recorded whole.
        if tail.len() as u64 == record.bytes {
            text.clear();
        }
        text.extend_from_slice(&tail);
        newest = Some(record);
    }
    let Some(record) = newest else { return Ok(text) };
    let (actual, actual_bytes) = (ContentHash::of(&text), text.len() as u64);
    if (actual, actual_bytes) == (record.content, record.bytes) {
        Ok(text)
    } else {
        let (seq, expected) = (record.seq, (record.content, record.bytes));
        Err(AuditTextError::Sum { seq, expected, actual, actual_bytes })
    }
}
