//! Heads as people have them: a signed note in a file, or size and root as they were read out over the telephone. Knows forms; knows not
//! whose head it is.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger_format::hash::NodeHash;
use ledger_format::head::{HeadError, SignedHead};

/// Longest file taken for a head, in bytes; a head with a few cosignatures is a tenth of it.
pub const HEAD_BYTES_MAX: u64 = 16 * 1024;

/// A file that is no head.
#[derive(Debug, thiserror::Error)]
pub enum HeadFileError {
    /// The file system.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// It is too long.
    #[error("{path} is not a head: it has more than {HEAD_BYTES_MAX} bytes")]
    Long {
        /// The file.
        path: PathBuf,
    },
    /// It is another text.
    #[error("{path} is not a head: {error}")]
    Form {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: HeadError,
    },
}

/// The head in the file `path`. Its signature is for whoever knows the ledger's keys to check.
pub fn read_head(path: &Path) -> Result<SignedHead, HeadFileError> {
    let io = |source| HeadFileError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io)?;
    file.take(HEAD_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > HEAD_BYTES_MAX {
        return Err(HeadFileError::Long { path: path.to_owned() });
    }
    let form = |error| HeadFileError::Form { path: path.to_owned(), error };
    SignedHead::parse(&bytes).map_err(form)
}

/// A head as somebody states it: `SIZE:ROOT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    /// Number of events.
    pub size: u64,
    /// Root over their ids.
    pub root: NodeHash,
}

impl FromStr for Stated {
    type Err = &'static str;

    /// The root is read as 64 hexadecimal digits, and as the base64 that a note has.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "expected SIZE:ROOT, as `head show` prints them";
        let (size, root) = text.split_once(':').ok_or(FORM)?;
        let in_note = || {
            let bytes = BASE64.decode(root).ok()?;
            bytes.try_into().ok().map(NodeHash::from_bytes)
        };
        let root = root.to_ascii_lowercase().parse().ok().or_else(in_note).ok_or(FORM)?;
        Ok(Self { size: size.parse().map_err(|_| FORM)?, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_root_are_read_in_both_spellings_of_the_root() {
        let root = NodeHash::from_bytes([0xA5; 32]);
        let stated = Stated { size: 12, root };
        let base64 = BASE64.encode([0xA5; 32]);
        for text in
            [format!("12:{root}"), format!("12:{root}").to_uppercase(), format!("12:{base64}")]
        {
            assert_eq!(text.parse(), Ok(stated), "{text}");
        }
        for bad in ["", "12", ":", "12:", "-1:00", &format!("x:{root}"), &format!("12:{root}0")] {
            assert!(bad.parse::<Stated>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_that_is_no_head_is_refused_by_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head");
        assert!(matches!(read_head(&path), Err(HeadFileError::Io { .. })));
        std::fs::write(&path, "hello").unwrap();
        assert!(matches!(read_head(&path), Err(HeadFileError::Form { .. })));
        std::fs::write(&path, vec![b'a'; 20_000]).unwrap();
        assert!(matches!(read_head(&path), Err(HeadFileError::Long { .. })));
    }
}
