//! Where things lie in a `.glyph` store.

use std::path::{Path, PathBuf};

/// The places of one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Object id of the manifest.
    pub const MANIFEST: &str = "manifest.yaml";
    /// Object id of the database.
    pub const DATABASE: &str = "store.db";
    /// Object id of the audit file.
    pub const AUDIT: &str = "audit/events.jsonl";
    /// Folders that a new store has beside its files.
    pub const FOLDERS: [&str; 5] = ["content", "audit", "workspaces", "exports", "hooks"];

    /// The store in the folder `root`, usually named `.glyph`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The store's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its manifest.
    pub fn manifest(&self) -> PathBuf {
        self.root.join(Self::MANIFEST)
    }

    /// Its database.
    pub fn database(&self) -> PathBuf {
        self.root.join(Self::DATABASE)
    }

    /// Its audit file.
    pub fn audit(&self) -> PathBuf {
        self.root.join(Self::AUDIT)
    }

    /// Its ledger.
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    /// The store at or above `from`: a folder that has a manifest itself, or in `.glyph`.
    pub fn find(from: &Path) -> Option<Self> {
        from.ancestors()
            .flat_map(|folder| [folder.join(".glyph"), folder.to_owned()])
            .map(Self::new)
            .find(|layout| layout.manifest().is_file() || layout.ledger().join("LEDGER").is_file())
    }
}
