//! What the books say, held against the folder.

use super::books::Books;

/// What the rows of a tool's table mean for a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The books, with the kind of checksum that reproduces the rows.
    pub books: Books,
    /// How many migrations from the first on are applied, without a gap.
    pub applied: usize,
    /// Everything that is wrong. With anything here, nothing must be applied.
    pub findings: Vec<Finding>,
}

/// Something that is wrong between a folder and what was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// An applied migration's statements are others now.
    #[error(
        "{file:?} (version {version}) was edited after it was applied: its checksum is {found}, applied was {recorded}"
    )]
    Edited {
        /// The version.
        version: String,
        /// The file.
        file: String,
        /// The checksum of what was applied.
        recorded: String,
        /// The checksum of what is there.
        found: String,
    },
    /// Only line endings, white space or comments of an applied migration are others now.
    #[error(
        "{file:?} (version {version}) differs from what was applied in line endings, white space or comments only: \
        its checksum is {found}, applied was {recorded}"
    )]
    Cosmetic {
        /// The version.
        version: String,
        /// The file.
        file: String,
        /// The checksum of what was applied.
        recorded: String,
        /// The checksum of what is there.
        found: String,
    },
    /// An applied migration has no file any more.
    #[error("version {version} is applied, but no file of the folder has it")]
    Missing {
        /// The version.
        version: String,
    },
    /// The database is ahead of the folder.
    #[error("version {version} is applied, and is newer than the folder's last, {last}")]
    Newer {
        /// The version.
        version: String,
        /// The last version of the folder.
        last: String,
    },
    /// A migration that is not applied stands below one that is.
    #[error("{file:?} (version {version}) is not applied, though the later version {newest} is")]
    Late {
        /// The version.
        version: String,
        /// The file.
        file: String,
        /// The newest version that is applied.
        newest: String,
    },
    /// A migration was begun and not finished.
    #[error("version {version} is marked as begun and not finished")]
    Dirty {
        /// The version.
        version: String,
    },
    /// No way of computing them gives the checksums that are recorded.
    #[error("no known way of computing checksums gives those in {table}")]
    UnknownChecksums {
        /// The table.
        table: &'static str,
    },
}
