//! A head as people have it: a signed note in a file. Knows its form; knows not whose head it is.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

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
    /// It is a head that every ledger begins with.
    #[error("{path} is a head over 0 events, which says nothing of any ledger")]
    Empty {
        /// The file.
        path: PathBuf,
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
    let head = SignedHead::parse(&bytes).map_err(form)?;
    if head.head().size == 0 {
        return Err(HeadFileError::Empty { path: path.to_owned() });
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use ledger_format::hash::{LedgerId, NodeHash};
    use ledger_format::head::TreeHead;

    use super::*;

    #[test]
    fn a_head_over_nothing_is_no_help() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head");
        let key = SigningKey::from_bytes(&[7; 32]);
        let ledger = LedgerId::of(key.verifying_key().as_bytes(), &[2; 16]);
        for size in [0, 1] {
            let head = TreeHead { ledger, size, root: NodeHash::empty_root() };
            let head = SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text));
            std::fs::write(&path, head.encode()).unwrap();
            let empty = matches!(read_head(&path), Err(HeadFileError::Empty { .. }));
            assert_eq!(empty, size == 0);
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
