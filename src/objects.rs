//! Content-addressed storage: bytes go in, their hash comes back, and the hash is the only name.
//!
//! Knows nothing of what the bytes mean: pages, documents and audit lines look alike here.

mod growing;
mod memory;
mod named;
mod pack;

use std::path::PathBuf;

use ledger_format::hash::ContentHash;

pub use growing::GrowingPacks;
pub use memory::MemoryObjects;
pub use named::Named;
pub use pack::{OBJECT_BYTES_MAX, PackObjects};

/// A store of byte strings named by their [`ContentHash`].
pub trait Objects: Sync {
    /// Keeps `bytes` and returns their name. Bytes that are already kept are not kept twice.
    fn put(&mut self, bytes: &[u8]) -> Result<ContentHash, ObjectsError>;

    /// The same for bytes whose name is known.
    fn put_named(&mut self, object: &Named) -> Result<ContentHash, ObjectsError> {
        self.put(object.bytes())
    }

    /// The bytes called `name`, checked against it.
    fn get(&self, name: &ContentHash) -> Result<Vec<u8>, ObjectsError>;

    /// Whether bytes called `name` are kept. Does not read them.
    fn contains(&self, name: &ContentHash) -> bool;

    /// Returns once everything put so far survives a power cut.
    fn sync(&mut self) -> Result<(), ObjectsError>;
}

/// Why an object could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// Nothing of this name is kept.
    #[error("object {name} is missing")]
    Missing {
        /// The name asked for.
        name: ContentHash,
    },
    /// What is kept under this name are other bytes.
    #[error("object {name} is damaged: its bytes hash to {actual}")]
    Corrupt {
        /// The name asked for.
        name: ContentHash,
        /// The name of the bytes found.
        actual: ContentHash,
    },
    /// More bytes than one object may have.
    #[error("an object of {bytes} bytes exceeds the limit of {limit} bytes")]
    TooLarge {
        /// Length of the refused object.
        bytes: u64,
        /// The longest object kept.
        limit: u64,
    },
    /// The storage beneath failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder in use.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}
