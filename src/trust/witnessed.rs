//! Heads that witnesses cosigned, kept outside the store beside the remembered ones: a file a head, in a folder a ledger. Knows whose
//! lines stand under a head by their names; knows no key of a witness, and not whether a head is the ledger's.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ledger_format::hash::LedgerId;
use ledger_format::head::{HeadError, SignedHead};
use ledger_format::note::NOTE_BYTES_MAX;

use crate::effects::{KernelSyncs, syncs};

/// Cosigned heads as files in the user's state folder.
#[derive(Debug, Clone)]
pub struct CosignedHeads {
    folder: PathBuf,
}

/// Cosigned heads that cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum CosignedError {
    /// The file system.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The file is no head.
    #[error("{path} is no head that was kept: {error}")]
    Form {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: HeadError,
    },
    /// The file is a head, and not the one of its name.
    #[error("{path} is a head of another ledger, or over another number of events")]
    Misplaced {
        /// The file.
        path: PathBuf,
    },
    /// Another head over as many events is kept.
    #[error("{path} is another head over as many events")]
    Other {
        /// The file.
        path: PathBuf,
    },
}

impl CosignedHeads {
    /// Heads in that folder, made when first needed.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The heads kept of `ledger`, newest first.
    pub fn all(&self, ledger: &LedgerId) -> Result<Vec<SignedHead>, CosignedError> {
        let folder = self.of(ledger);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(CosignedError::Io { path: folder, source }),
        };
        let mut heads = Vec::new();
        for entry in entries {
            let entry =
                entry.map_err(|source| CosignedError::Io { path: folder.clone(), source })?;
            // Files of other names are what writing one of them left behind.
            if let Some(size) = size_named(&entry.path()) {
                heads.push(read(&entry.path(), ledger, size)?);
            }
        }
        heads.sort_by_key(|head| std::cmp::Reverse(head.head().size));
        Ok(heads)
    }

    /// Keeps a head with the cosignatures that it has, and those that were kept with it before. Heads before it go that nobody cosigned
    /// but who cosigned this one too. It is durable when this returns.
    pub fn keep(&self, head: &SignedHead) -> Result<SignedHead, CosignedError> {
        let (ledger, size) = (head.head().ledger, head.head().size);
        let folder = self.of(&ledger);
        let path = folder.join(size.to_string());
        let heads = self.all(&ledger)?;
        let same = heads.iter().find(|kept| kept.head().size == size);
        let all = match same {
            Some(kept) => head
                .clone()
                .with_signatures_of(kept)
                .ok_or_else(|| CosignedError::Other { path: path.clone() })?,
            None => head.clone(),
        };
        // What cannot be read back is not kept.
        let form = |error| CosignedError::Form { path: path.clone(), error };
        SignedHead::parse(&all.encode()).map_err(form)?;
        write(&folder, &path, &all.encode())
            .map_err(|source| CosignedError::Io { path: path.clone(), source })?;
        let saw = cosigners(&all);
        for kept in heads.iter().filter(|kept| kept.head().size < size) {
            if cosigners(kept).is_subset(&saw) {
                remove(&folder.join(kept.head().size.to_string()))?;
            }
        }
        Ok(all)
    }

    /// Forgets every head kept of `ledger`, and says how many there were.
    pub fn forget(&self, ledger: &LedgerId) -> Result<usize, CosignedError> {
        let folder = self.of(ledger);
        let kept = self.all(ledger).map_or(1, |heads| heads.len());
        match fs::remove_dir_all(&folder) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(CosignedError::Io { path: folder, source })
            }
            Err(_) => Ok(0),
            Ok(()) => Ok(kept),
        }
    }

    fn of(&self, ledger: &LedgerId) -> PathBuf {
        self.folder.join(ledger.to_string())
    }
}

/// The number of events that a file is named by.
fn size_named(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let size: u64 = name.parse().ok()?;
    (size.to_string() == name).then_some(size)
}

fn read(path: &Path, ledger: &LedgerId, size: u64) -> Result<SignedHead, CosignedError> {
    let io = |source| CosignedError::Io { path: path.to_owned(), source };
    let form = |error| CosignedError::Form { path: path.to_owned(), error };
    if fs::metadata(path).map_err(io)?.len() > NOTE_BYTES_MAX as u64 {
        return Err(form(HeadError::Form("longer than a note")));
    }
    let head = SignedHead::parse(&fs::read(path).map_err(io)?).map_err(form)?;
    if head.head().ledger != *ledger || head.head().size != size {
        return Err(CosignedError::Misplaced { path: path.to_owned() });
    }
    Ok(head)
}

/// Whole or not at all, readable by its owner only.
fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    syncs::make_folder(&KernelSyncs, folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    syncs::folder(&KernelSyncs, folder)
}

fn remove(path: &Path) -> Result<(), CosignedError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(CosignedError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Who signed a head beside its actor and its log, by name and hint.
fn cosigners(head: &SignedHead) -> BTreeSet<(&str, [u8; 4])> {
    head.cosignatures().map(|line| (line.name.as_str(), line.key_hint)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use ed25519_dalek::{Signer as _, SigningKey};
    use ledger_format::hash::NodeHash;
    use ledger_format::head::TreeHead;
    use ledger_format::note::NoteSignature;

    use super::*;

    fn ledger() -> LedgerId {
        LedgerId::of(&[7; 32], &[1; 16])
    }

    /// A head over `size` events, cosigned by those witnesses.
    fn head(size: u64, root: NodeHash, witnesses: &[u8]) -> SignedHead {
        let key = SigningKey::from_bytes(&[7; 32]);
        let head = TreeHead { ledger: ledger(), size, root };
        let head = SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text));
        witnesses.iter().fold(head, |head, number| {
            let name = format!("witness.example/{number}");
            let signature = vec![*number; 72];
            head.with_line(NoteSignature { name, key_hint: [*number; 4], signature })
        })
    }

    fn seen(size: u64, witnesses: &[u8]) -> SignedHead {
        head(size, NodeHash::empty_root(), witnesses)
    }

    fn sizes(kept: &CosignedHeads) -> Vec<u64> {
        kept.all(&ledger()).unwrap().iter().map(|head| head.head().size).collect()
    }

    #[test]
    fn heads_are_kept_with_all_their_cosignatures_and_older_ones_as_long_as_somebody_else_saw_them()
    {
        let folder = tempfile::tempdir().unwrap();
        let kept = CosignedHeads::new(folder.path().join("witnessed"));
        assert_eq!(kept.all(&ledger()).unwrap(), []);
        kept.keep(&seen(3, &[1])).unwrap();
        let both = kept.keep(&seen(3, &[2])).unwrap();
        // Of several lines by one witness the newest is kept.
        let again = seen(3, &[]).with_line(NoteSignature {
            name: "witness.example/1".to_owned(),
            key_hint: [1; 4],
            signature: vec![9; 72],
        });
        let newer = kept.keep(&again).unwrap();
        assert_eq!(newer.cosignatures().count(), 2);
        assert!(newer.cosignatures().any(|line| line.signature == [9; 72]));
        let both = kept.keep(&both).unwrap();
        assert_eq!((both.cosignatures().count(), kept.all(&ledger()).unwrap()), (2, vec![both]));
        // The one that has all of them goes.
        kept.keep(&seen(5, &[1])).unwrap();
        assert_eq!(sizes(&kept), [5, 3]);
        kept.keep(&seen(8, &[1])).unwrap();
        assert_eq!(sizes(&kept), [8, 3]);
        kept.keep(&seen(8, &[2, 3])).unwrap();
        assert_eq!(sizes(&kept), [8]);
        // An older one that comes late stays where it is.
        kept.keep(&seen(4, &[4])).unwrap();
        assert_eq!(sizes(&kept), [8, 4]);
        let file = folder.path().join("witnessed").join(ledger().to_string()).join("8");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!((kept.forget(&ledger()).unwrap(), kept.forget(&ledger()).unwrap()), (2, 0));
        assert!(sizes(&kept).is_empty());
    }

    #[test]
    fn what_is_no_head_of_the_ledger_is_refused_by_its_file_and_another_one_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let kept = CosignedHeads::new(folder.path().to_owned());
        kept.keep(&seen(3, &[1])).unwrap();
        let other = head(3, NodeHash::from_bytes([1; 32]), &[1]);
        assert!(matches!(kept.keep(&other), Err(CosignedError::Other { .. })));
        let crowd: Vec<u8> = (1..40).collect();
        assert!(matches!(kept.keep(&seen(9, &crowd)), Err(CosignedError::Form { .. })));
        assert_eq!(kept.all(&ledger()).unwrap(), [seen(3, &[1])]);
        let dir = folder.path().join(ledger().to_string());
        fs::write(dir.join(".tmpX"), "left behind").unwrap();
        assert_eq!(sizes(&kept), [3]);
        fs::write(dir.join("4"), "hello").unwrap();
        assert!(matches!(kept.all(&ledger()), Err(CosignedError::Form { .. })));
        fs::write(dir.join("4"), seen(3, &[1]).encode()).unwrap();
        assert!(matches!(kept.all(&ledger()), Err(CosignedError::Misplaced { .. })));
        fs::write(dir.join("4"), vec![b'a'; NOTE_BYTES_MAX + 1]).unwrap();
        assert!(matches!(kept.all(&ledger()), Err(CosignedError::Form { .. })));
        // What cannot be read can be forgotten.
        assert_eq!(kept.forget(&ledger()).unwrap(), 1);
    }
}
