//! Proofs as files: `migration/FINGERPRINT.json` beside the document, made once and never written over.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ledger_format::hash::ContentHash;
use serde::{Deserialize, Serialize};

use super::{Proof, SCHEMA};
use crate::effects::{Syncs, syncs};

/// The folder beside a document that its proofs are kept in.
pub const FOLDER: &str = "migration";

/// Longest proof that is read, in bytes: what grows in one are the edges, the errors and one generated document.
const PROOF_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Where a proof is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// Whether it was there already.
    pub already: bool,
}

/// A proof that cannot be kept, or a file that is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofFileError {
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: String,
        /// What happened.
        source: io::Error,
    },
    /// What stands where the folder of proofs must is none.
    #[error("{path} is no folder, so that no proof can be kept in it")]
    NoFolder {
        /// The place.
        path: String,
    },
    /// Under the proof's name stands something else.
    #[error("{path} is there already and says something else than the proof of that name")]
    Taken {
        /// The file.
        path: String,
    },
    /// It is no proof, or a part of one.
    #[error("{path} is not a proof: {reason}")]
    Form {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// It was edited.
    #[error("{path} was edited: it has the fingerprint {actual}, but says {stated}")]
    Edited {
        /// The file.
        path: String,
        /// The fingerprint that it states, or that is its name.
        stated: String,
        /// The fingerprint of what it says.
        actual: ContentHash,
    },
    /// It says that it passes, or that it does not, against what it says was seen.
    #[error(
        "{path} contradicts itself: it says pass = {stated}, and what it says was seen says otherwise"
    )]
    Contradicts {
        /// The file.
        path: String,
        /// What it states.
        stated: bool,
    },
}

/// What a proof's file says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<P> {
    fingerprint: ContentHash,
    proof: P,
}

impl Proof {
    /// The text of its file.
    pub fn to_json(&self) -> String {
        let written = Written { fingerprint: self.fingerprint(), proof: self };
        // Maps have text keys only, so that there is a text.
        serde_json::to_string_pretty(&written).unwrap_or_default() + "\n"
    }
}

/// Keeps `proof` beside the document `target`, durably. A file of its name that is there is left as it is.
pub fn keep(proof: &Proof, target: &Path, syncing: &dyn Syncs) -> Result<Kept, ProofFileError> {
    let folder = target.with_file_name(FOLDER);
    make_folder(&folder, syncing)?;
    let path = folder.join(format!("{}.json", proof.fingerprint()));
    let text = proof.to_json();
    match fs::symlink_metadata(&path) {
        Ok(_) => return already(path, &text, syncing),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io_at(&path)(error)),
    }
    let mut building = tempfile::NamedTempFile::new_in(&folder).map_err(io_at(&folder))?;
    building.write_all(text.as_bytes()).map_err(io_at(&path))?;
    syncing.all(building.as_file()).map_err(io_at(&path))?;
    match building.persist_noclobber(&path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            return already(path, &text, syncing);
        }
        Err(error) => return Err(io_at(&path)(error.error)),
    }
    syncs::folder(syncing, &folder).map_err(io_at(&folder))?;
    Ok(Kept { path, already: false })
}

/// Reads the proof in the file `path`: whole, unedited and under its own name.
pub fn load(path: &Path) -> Result<Proof, ProofFileError> {
    let name = path.display().to_string();
    let form = |reason: String| ProofFileError::Form { path: name.clone(), reason };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io_at(path))?;
    file.take(PROOF_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io_at(path))?;
    if bytes.len() as u64 > PROOF_BYTES_MAX {
        return Err(form(format!("it is longer than {PROOF_BYTES_MAX} bytes")));
    }
    let proof = parse(&name, &bytes)?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let actual = proof.fingerprint();
    if stem.parse::<ContentHash>().is_ok_and(|stated| stated != actual) {
        return Err(ProofFileError::Edited { path: name, stated: stem.to_owned(), actual });
    }
    Ok(proof)
}

/// The proof that `bytes` are, which stand in the file `path`.
pub(in crate::migrate) fn parse(path: &str, bytes: &[u8]) -> Result<Proof, ProofFileError> {
    let form = |reason: String| ProofFileError::Form { path: path.to_owned(), reason };
    let Written { fingerprint, proof }: Written<Proof> =
        serde_json::from_slice(bytes).map_err(|error| form(error.to_string()))?;
    if proof.schema != SCHEMA {
        return Err(form(format!("its schema is {:?}", proof.schema)));
    }
    let actual = proof.fingerprint();
    if fingerprint != actual {
        let (path, stated) = (path.to_owned(), fingerprint.to_string());
        return Err(ProofFileError::Edited { path, stated, actual });
    }
    if proof.to_json().as_bytes() != bytes {
        return Err(form("its text is not the one that is written for what it says".to_owned()));
    }
    if proof.pass != proof.passes() {
        return Err(ProofFileError::Contradicts { path: path.to_owned(), stated: proof.pass });
    }
    Ok(proof)
}

fn make_folder(folder: &Path, syncing: &dyn Syncs) -> Result<(), ProofFileError> {
    match fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(ProofFileError::NoFolder { path: folder.display().to_string() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            syncs::make_folder(syncing, folder).map_err(io_at(folder))
        }
        Err(error) => Err(io_at(folder)(error)),
    }
}

/// A file that stands there is fine if it says the same. It is made durable again: whoever wrote it may not have come to
/// that.
fn already(path: PathBuf, text: &str, syncing: &dyn Syncs) -> Result<Kept, ProofFileError> {
    let found = fs::symlink_metadata(&path).map_err(io_at(&path))?;
    let may_be_same = found.is_file() && found.len() == text.len() as u64;
    if !may_be_same || fs::read(&path).map_err(io_at(&path))? != text.as_bytes() {
        return Err(ProofFileError::Taken { path: path.display().to_string() });
    }
    let synced = File::open(&path).and_then(|file| syncing.all(&file));
    synced.and_then(|()| syncs::folder(syncing, syncs::folder_of(&path))).map_err(io_at(&path))?;
    Ok(Kept { path, already: true })
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> ProofFileError {
    move |source| ProofFileError::Io { path: path.display().to_string(), source }
}
