//! The manifest of a `.glyph` store: read before anything else, changed in two places only.

use serde_json::Value;

/// Longest manifest read, in bytes. A manifest is a dozen lines.
pub const MANIFEST_BYTES_MAX: usize = 1024 * 1024;

/// A manifest as its exact bytes and what they say.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    text: String,
    value: Value,
}

/// A manifest that cannot be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Longer than [`MANIFEST_BYTES_MAX`].
    #[error("the manifest has {bytes} bytes, at most {MANIFEST_BYTES_MAX} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not YAML.
    #[error("the manifest is not YAML: {reason}")]
    Syntax {
        /// What is wrong and where.
        reason: String,
    },
    /// No `store.version`, or not a whole number.
    #[error("the manifest has no whole number at store.version: found {found}")]
    NoVersion {
        /// What is there.
        found: String,
    },
    /// `store.min_reader` is not a whole number.
    #[error("the manifest's store.min_reader is no whole number: found {found}")]
    MinReader {
        /// What is there.
        found: String,
    },
    /// Written in a way that cannot be changed in place without touching anything else.
    #[error(
        "the manifest cannot be changed in place: store.version must stand on a line of its own below store:"
    )]
    NotInPlace,
}

impl Manifest {
    /// Reads a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLong { bytes: bytes.len() });
        }
        let syntax = |reason: String| ManifestError::Syntax { reason };
        let text = std::str::from_utf8(bytes).map_err(|error| syntax(error.to_string()))?;
        let value: Value =
            serde_saphyr::from_str(text).map_err(|error| syntax(error.to_string()))?;
        Ok(Self { text: text.to_owned(), value })
    }

    /// The exact bytes.
    pub const fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// What they say.
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// `store.version`.
    pub fn version(&self) -> Result<u64, ManifestError> {
        let found = self.value.pointer("/store/version");
        found.and_then(Value::as_u64).ok_or_else(|| ManifestError::NoVersion {
            found: found.map_or_else(|| "nothing".to_owned(), Value::to_string),
        })
    }

    /// The oldest reader that may open the store: `store.min_reader`, else its version.
    pub fn min_reader(&self) -> Result<u64, ManifestError> {
        match self.value.pointer("/store/min_reader") {
            None => self.version(),
            Some(found) => {
                found.as_u64().ok_or_else(|| ManifestError::MinReader { found: found.to_string() })
            }
        }
    }

    /// A text of the `store` map.
    pub fn store_text(&self, key: &str) -> Option<&str> {
        self.value.get("store")?.get(key)?.as_str()
    }

    /// The manifest with another version and minimum reader, every other byte as it was.
    pub fn at_version(&self, version: u64) -> Result<Self, ManifestError> {
        let number = version.to_string();
        let mut out = String::with_capacity(self.text.len() + 24);
        let mut in_store = false;
        let mut indent = None;
        let mut replaced = false;
        for line in self.text.split_inclusive('\n') {
            let body = line.trim_end_matches(['\n', '\r']);
            let ending = line.get(body.len()..).unwrap_or_default();
            let trimmed = body.trim_start();
            let depth = body.len() - trimmed.len();
            if depth == 0 && !trimmed.is_empty() && !trimmed.starts_with('#') {
                in_store = trimmed.trim_end() == "store:";
                indent = None;
            }
            let in_map = in_store && depth > 0 && !trimmed.starts_with('#') && {
                *indent.get_or_insert(depth) == depth
            };
            if in_map && trimmed.starts_with("min_reader:") {
                continue;
            }
            if in_map && trimmed.starts_with("version:") && !replaced {
                replaced = true;
                let margin = body.get(..depth).unwrap_or_default();
                let comment =
                    trimmed.find(" #").and_then(|at| trimmed.get(at..)).unwrap_or_default();
                let newline = if ending.is_empty() { "\n" } else { ending };
                let stated = [margin, "version: ", &number, comment, newline];
                let least = [margin, "min_reader: ", &number, ending];
                out.extend(stated.into_iter().chain(least));
            } else {
                out.push_str(line);
            }
        }
        if !self.text.ends_with('\n') {
            // The last line had no end; what is the last one now has none either.
            let end = ["\r\n", "\n"].into_iter().find(|end| out.ends_with(end));
            out.truncate(out.len() - end.map_or(0, str::len));
        }
        let changed = Self::parse(out.as_bytes()).map_err(|_| ManifestError::NotInPlace)?;
        if replaced && changed.value == self.value_at_version(version) {
            Ok(changed)
        } else {
            Err(ManifestError::NotInPlace)
        }
    }

    fn value_at_version(&self, version: u64) -> Value {
        let mut value = self.value.clone();
        if let Some(store) = value.get_mut("store").and_then(Value::as_object_mut) {
            store.insert("version".into(), version.into());
            store.insert("min_reader".into(), version.into());
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# a store\nstore:\n  version: 1   # first\n  created_by: glyph/0.1.0\n  nested:\n    version: 7\nother:\n  version: 9\n";

    #[test]
    fn only_the_version_and_the_minimum_reader_change() {
        let manifest = Manifest::parse(TEXT.as_bytes()).unwrap();
        assert_eq!((manifest.version(), manifest.min_reader()), (Ok(1), Ok(1)));
        let two = manifest.at_version(2).unwrap();
        let expected =
            TEXT.replace("  version: 1   # first\n", "  version: 2 # first\n  min_reader: 2\n");
        assert_eq!(std::str::from_utf8(two.bytes()).unwrap(), expected);
        assert_eq!((two.version(), two.min_reader()), (Ok(2), Ok(2)));
        let three = two.at_version(3).unwrap();
        assert_eq!(std::str::from_utf8(three.bytes()).unwrap(), expected.replace(": 2", ": 3"));
    }

    #[test]
    fn a_manifest_without_a_final_newline_keeps_none() {
        let manifest = Manifest::parse(b"store:\n  version: 1").unwrap();
        assert_eq!(
            manifest.at_version(2).unwrap().bytes(),
            b"store:\n  version: 2\n  min_reader: 2"
        );
        let odd = Manifest::parse(b"store:\n  version: 1\nlast: {}\r").unwrap();
        assert!(odd.at_version(2).unwrap().bytes().ends_with(b"\nlast: {}\r"));
        let again = manifest.at_version(2).unwrap().at_version(3).unwrap();
        assert_eq!(again.bytes(), b"store:\n  version: 3\n  min_reader: 3");
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        assert!(matches!(Manifest::parse(b"store: [1"), Err(ManifestError::Syntax { .. })));
        assert!(matches!(Manifest::parse(b"\xff"), Err(ManifestError::Syntax { .. })));
        for text in
            ["a: 1", "store: {version: one}", "store: {version: 1.5}", "store: {version: -1}"]
        {
            let manifest = Manifest::parse(text.as_bytes()).unwrap();
            assert!(matches!(manifest.version(), Err(ManifestError::NoVersion { .. })), "{text}");
        }
        // Not knowing who may read it is no reason to read it.
        let manifest = Manifest::parse(b"store: {version: 1, min_reader: next}").unwrap();
        assert!(matches!(manifest.min_reader(), Err(ManifestError::MinReader { .. })));
        let inline = Manifest::parse(b"store: {version: 1}").unwrap();
        assert_eq!(inline.at_version(2), Err(ManifestError::NotInPlace));
    }
}
