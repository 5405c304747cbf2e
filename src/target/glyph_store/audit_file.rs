//! The audit file of a `.glyph` store: JSON lines, only ever appended to. Its earlier bytes are
//! never touched, not even to read them into another form.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ledger_format::hash::ContentHash;
use serde_json::json;

use super::create::ACTOR;

/// Most bytes of an audit file that one record may take in. What is appended between two records is
/// kept as one object.
pub const AUDIT_TAIL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// An audit file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file system.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Shorter than what the ledger has of it.
    #[error("{path} has {actual} bytes; the ledger has {expected} of it")]
    Shorter {
        /// The file.
        path: PathBuf,
        /// Bytes recorded.
        expected: u64,
        /// Bytes found.
        actual: u64,
    },
    /// Its earlier bytes are not what the ledger has of them.
    #[error(
        "the first {bytes} bytes of {path} changed: they hash to {actual}, recorded as {expected}"
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Bytes recorded.
        bytes: u64,
        /// Hash recorded.
        expected: ContentHash,
        /// Hash found.
        actual: ContentHash,
    },
    /// Its last line has no end: somebody is writing it, or was killed while writing it.
    #[error("the last line of {path} has no end: whatever is appended now would become part of it")]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
    /// More was appended than one record takes in.
    #[error("{path} grew by {bytes} bytes; at most {AUDIT_TAIL_BYTES_MAX} are recorded at once")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Bytes appended.
        bytes: u64,
    },
}

/// An audit file, read from its end of what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPrefix {
    /// Hash of all its bytes.
    pub content: ContentHash,
    /// Their number.
    pub bytes: u64,
    /// The bytes after the known ones.
    pub tail: Vec<u8>,
    /// Whether its last line has an end.
    pub ended: bool,
}

/// Reads the audit file at `path`, checking that its first `known.0` bytes hash to `known.1`.
pub fn read_prefix(
    path: &Path,
    known: Option<(u64, ContentHash)>,
) -> Result<AuditPrefix, AuditError> {
    let io = |source| AuditError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let (skip, expected) = known.map_or((0, None), |(bytes, hash)| (bytes, Some(hash)));
    if length < skip {
        return Err(AuditError::Shorter { path: path.to_owned(), expected: skip, actual: length });
    }
    if length - skip > AUDIT_TAIL_BYTES_MAX {
        return Err(AuditError::TooLong { path: path.to_owned(), bytes: length - skip });
    }
    let mut head = Vec::new();
    file.by_ref().take(skip).read_to_end(&mut head).map_err(io)?;
    let actual = ContentHash::of(&head);
    if let Some(expected) = expected
        && expected != actual
    {
        return Err(AuditError::Changed { path: path.to_owned(), bytes: skip, expected, actual });
    }
    let mut tail = Vec::new();
    file.take(length - skip).read_to_end(&mut tail).map_err(io)?;
    head.extend_from_slice(&tail);
    let ended = head.last().is_none_or(|last| *last == b'\n');
    Ok(AuditPrefix { content: ContentHash::of(&head), bytes: head.len() as u64, tail, ended })
}

/// The line a run appends, in the form the Glyph tool writes: type, timestamp, actor, data. `kind`
/// is its type.
/// `clock_ms` is the run's recorded clock, so that a resumed run writes the same line.
pub fn migration_line(
    kind: &str,
    clock_ms: u64,
    (from, to): (&str, &str),
    ledger: &str,
    certificate: &str,
    lost: u64,
) -> String {
    let data = json!({
        "from_version": from,
        "to_version": to,
        "ledger": ledger,
        "certificate": certificate,
        "values_lost": lost,
    });
    let line = json!({
        "type": kind,
        "timestamp": timestamp(clock_ms),
        "actor": ACTOR,
        "data": data,
    });
    format!("{line}\n")
}

/// A time in the form that the Glyph tool writes: UTC, in whole seconds.
pub(super) fn timestamp(ms: u64) -> String {
    i64::try_from(ms / 1000)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_grown_file_is_read_and_a_changed_or_shortened_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        fs::write(&path, "one\n").unwrap();
        let first = read_prefix(&path, None).unwrap();
        assert_eq!((first.bytes, first.tail.as_slice()), (4, b"one\n".as_slice()));
        fs::write(&path, "one\ntwo\n").unwrap();
        let known = Some((first.bytes, first.content));
        let grown = read_prefix(&path, known).unwrap();
        assert_eq!((grown.bytes, grown.tail.as_slice()), (8, b"two\n".as_slice()));
        fs::write(&path, "0ne\ntwo\n").unwrap();
        assert!(matches!(read_prefix(&path, known), Err(AuditError::Changed { bytes: 4, .. })));
        fs::write(&path, "on").unwrap();
        assert!(matches!(read_prefix(&path, known), Err(AuditError::Shorter { .. })));
    }

    #[test]
    fn the_line_has_the_tools_four_keys() {
        let line = migration_line("store_migrated", 0, ("1", "2"), "l", "c", 0);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["type", "timestamp", "actor", "data"]);
        assert_eq!(value["timestamp"], "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(1_700_000_000_999), "2023-11-14T22:13:20Z");
        assert_eq!(timestamp(u64::MAX), "1970-01-01T00:00:00Z");
        assert!(line.ends_with("}\n"));
    }
}
