//! Where a database that is migrated lies, and what lies with it.

use std::path::{Path, PathBuf};

use super::glyph_store::Layout;

/// A `.glyph` store, with its manifest and audit file, or the database of any application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Site {
    /// A `.glyph` store.
    GlyphStore(Layout),
    /// A database that belongs to nothing that this program knows.
    Database(DatabaseFile),
}

/// The place of an application's database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFile {
    folder: PathBuf,
    name: String,
}

impl DatabaseFile {
    /// The database at `path`; `None` if that has no file name, or one that is not UTF-8.
    pub fn at(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_owned();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Some(Self { folder: folder.unwrap_or(Path::new(".")).to_owned(), name })
    }
}

impl Site {
    /// The folder that the ids of objects are paths below.
    pub fn root(&self) -> &Path {
        match self {
            Self::GlyphStore(layout) => layout.root(),
            Self::Database(file) => &file.folder,
        }
    }

    /// Object id of the database.
    pub fn database_id(&self) -> &str {
        match self {
            Self::GlyphStore(_) => Layout::DATABASE,
            Self::Database(file) => &file.name,
        }
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.root().join(self.database_id())
    }

    /// The store that it is, if it is one.
    pub const fn store(&self) -> Option<&Layout> {
        match self {
            Self::GlyphStore(layout) => Some(layout),
            Self::Database(_) => None,
        }
    }

    /// The manifest, if there is one.
    pub fn manifest(&self) -> Option<PathBuf> {
        self.store().map(Layout::manifest)
    }

    /// The audit file, if there is one.
    pub fn audit(&self) -> Option<PathBuf> {
        self.store().map(Layout::audit)
    }
}

impl From<Layout> for Site {
    fn from(layout: Layout) -> Self {
        Self::GlyphStore(layout)
    }
}

impl From<DatabaseFile> for Site {
    fn from(file: DatabaseFile) -> Self {
        Self::Database(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_by_its_file_and_found_in_its_folder() {
        let site = Site::from(DatabaseFile::at(Path::new("data/an app.db")).unwrap());
        assert_eq!((site.database_id(), site.root()), ("an app.db", Path::new("data")));
        assert_eq!(site.database(), Path::new("data/an app.db"));
        assert_eq!((site.manifest(), site.audit()), (None, None));
        let here = Site::from(DatabaseFile::at(Path::new("app.db")).unwrap());
        assert_eq!(here.database(), Path::new("./app.db"));
        assert_eq!(DatabaseFile::at(Path::new("/")), None);
        assert_eq!(DatabaseFile::at(Path::new("data/..")), None);
    }

    #[test]
    fn a_store_has_all_three() {
        let site = Site::from(Layout::new("home/.glyph"));
        assert_eq!(site.database(), Path::new("home/.glyph/store.db"));
        assert_eq!(site.manifest().as_deref(), Some(Path::new("home/.glyph/manifest.yaml")));
        assert!(site.audit().is_some());
    }
}
