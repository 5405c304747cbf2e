//! What lies where in a ledger's folder, and who it says it is.
//!
//! | name | what |
//! |---|---|
//! | `LEDGER` | the ledger's identity, as text; written once |
//! | `HEAD` | the anchor: the newest acknowledged head |
//! | `lock` | the kernel lock's file; never deleted; holds the last writer's process id |
//! | `CLOSED` | length and time of `sled/db` when it was last closed in order; only a hint |
//! | `POISONED` | a sync failed: the store is renewed before anything else happens |
//! | `sled/` | the engine's folder |
//! | `sled.fresh/`, `sled.replaced/`, `HEAD.fresh` | only while a store is being renewed |
//! | `rehearsal.*` | only while a store is being opened |

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ledger_format::hash::{LedgerId, hex, unhex};

use crate::effects::syncs::{self, Syncs};

/// Longest `LEDGER` file that is read: its one form has about 240 bytes.
const IDENTITY_BYTES_MAX: usize = 1_024;

/// Names below a ledger's folder.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// The folder itself.
    pub(super) dir: PathBuf,
}

impl Folder {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    pub(super) fn identity(&self) -> PathBuf {
        self.dir.join("LEDGER")
    }

    pub(super) fn anchor(&self) -> PathBuf {
        self.dir.join("HEAD")
    }

    pub(super) fn fresh_anchor(&self) -> PathBuf {
        self.dir.join("HEAD.fresh")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    pub(super) fn closed(&self) -> PathBuf {
        self.dir.join("CLOSED")
    }

    pub(super) fn poisoned(&self) -> PathBuf {
        self.dir.join("POISONED")
    }

    pub(super) fn store(&self) -> PathBuf {
        self.dir.join("sled")
    }

    pub(super) fn fresh_store(&self) -> PathBuf {
        self.dir.join("sled.fresh")
    }

    pub(super) fn replaced_store(&self) -> PathBuf {
        self.dir.join("sled.replaced")
    }

    pub(super) fn db(&self) -> PathBuf {
        self.store().join("db")
    }
}

/// Prefix of the folders in which a store is opened for trial.
pub(super) const REHEARSAL_PREFIX: &str = "rehearsal.";

/// Who a ledger is: what its id is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The Ed25519 public key that created the ledger.
    pub public_key: [u8; 32],
    /// The random bytes that make its id unique.
    pub nonce: [u8; 16],
}

impl Identity {
    /// The ledger's id.
    pub fn ledger(&self) -> LedgerId {
        LedgerId::of(&self.public_key, &self.nonce)
    }

    pub(super) fn text(&self) -> String {
        let (ledger, key, nonce) = (self.ledger(), hex(&self.public_key), hex(&self.nonce));
        format!("glyph-ledger folder 1\nledger {ledger}\nkey {key}\nnonce {nonce}\n")
    }

    /// Reads the one form that [`Identity::text`] writes.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > IDENTITY_BYTES_MAX {
            return None;
        }
        let whole = std::str::from_utf8(text).ok()?;
        let value = |name: &str| whole.lines().find_map(|line| line.strip_prefix(name));
        let public_key = unhex(value("key ")?)?.try_into().ok()?;
        let nonce = unhex(value("nonce ")?)?.try_into().ok()?;
        let identity = Self { public_key, nonce };
        (identity.text() == whole).then_some(identity)
    }
}

/// What is true of a file as long as nobody writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trace {
    length: u64,
    modified_ns: u128,
}

impl Trace {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { length: metadata.len(), modified_ns: modified.as_nanos() })
    }

    pub(super) fn text(&self) -> String {
        format!("{} {}\n", self.length, self.modified_ns)
    }
}

/// Copies the engine's folder `from` to the new folder `to`, except what the engine cannot open
/// with, and makes the copy durable. Bytes that an fsync refused are read from the kernel's memory
/// here and written anew.
pub(super) fn copy_store(from: &Path, to: &Path, syncs: &dyn Syncs) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_store(&path, &target, syncs)?;
        } else if !is_half_snapshot(&path) {
            fs::copy(&path, &target)?;
            syncs.all(&File::open(&target)?)?;
        }
    }
    syncs::folder(syncs, to)
}

/// Whether this is a snapshot whose writing was cut short. The engine takes it for the newest one
/// and then refuses to open.
pub(super) fn is_half_snapshot(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        let name = name.to_string_lossy();
        name.starts_with("snap.") && name.ends_with(".generating")
    })
}

/// Bytes of all files below `dir`.
pub(super) fn bytes_below(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            bytes_below(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(bytes)
}
