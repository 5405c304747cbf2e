//! Which files of a tree are documents, and of which kind.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};

/// Folder of a ledger beside documents; nothing in it is one.
pub(crate) const LEDGER_FOLDER: &str = ".glyph-ledger";

/// Folder for proofs beside documents; nothing in it is one.
const PROOF_FOLDER: &str = "migration";

/// How a file is named while it is written: hidden, and never a document.
pub(super) const UNFINISHED: (&str, &str) = (".", ".glyph-ledger-new");

/// Most files of a tree. Ids, versions and hashes of each are held in memory while a job runs.
const FILES_MAX: usize = 2_000_000;

/// A tree that cannot be looked through.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A file or folder.
    #[error("{}: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// A document that is reached by a link.
    #[error("{} is a link; documents behind links are not migrated", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A document that is neither file nor folder.
    #[error("{} is no regular file", path.display())]
    Special {
        /// The path.
        path: PathBuf,
    },
    /// A name that no id can stand for.
    #[error("{} has a name that is not UTF-8", path.display())]
    Name {
        /// The path.
        path: PathBuf,
    },
    /// A file that several contracts claim.
    #[error("{id} is claimed by the contracts {}", kinds.join(" and "))]
    Ambiguous {
        /// Its id.
        id: String,
        /// The contracts.
        kinds: Vec<String>,
    },
    /// A contract that does not say which files are its own.
    #[error("the contract {kind} does not say which files are of its kind (`files`)")]
    NoFiles {
        /// The contract.
        kind: String,
    },
    /// A pattern that is none.
    #[error("the contract {kind}: {reason}")]
    Pattern {
        /// The contract.
        kind: String,
        /// What is wrong.
        reason: String,
    },
    /// More files than can be worked on.
    #[error("{} has more than {FILES_MAX} files", root.display())]
    TooMany {
        /// The tree.
        root: PathBuf,
    },
}

/// Which files are of which kind, by their ids.
#[derive(Debug, Clone)]
pub struct Kinds(Vec<(String, GlobSet)>);

impl Kinds {
    /// Each kind with the globs of its files.
    pub fn of<'a>(kinds: impl Iterator<Item = (&'a str, &'a [String])>) -> Result<Self, TreeError> {
        kinds
            .map(|(kind, globs)| Ok((kind.to_owned(), globs_of(kind, globs)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The place in the list of the kind that a file is of; none if it is of no kind.
    pub fn of_file(&self, id: &str) -> Result<Option<usize>, TreeError> {
        let claims = self.0.iter().enumerate().filter(|(_, (_, globs))| globs.is_match(id));
        let claims: Vec<usize> = claims.map(|(place, _)| place).collect();
        match claims.as_slice() {
            [] => Ok(None),
            [kind] => Ok(Some(*kind)),
            several => {
                let named = several.iter().filter_map(|place| self.0.get(*place));
                let kinds = named.map(|(kind, _)| kind.clone()).collect();
                Err(TreeError::Ambiguous { id: id.to_owned(), kinds })
            }
        }
    }
}

fn globs_of(kind: &str, globs: &[String]) -> Result<GlobSet, TreeError> {
    let wrong = |error: globset::Error| TreeError::Pattern {
        kind: kind.to_owned(),
        reason: error.to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(Glob::new(glob).map_err(wrong)?);
    }
    set.build().map_err(wrong)
}

/// A folder whose files are documents, or one file in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    root: PathBuf,
    only: Option<String>,
}

impl Tree {
    /// The documents at or below `root`.
    pub const fn new(root: PathBuf) -> Self {
        Self { root, only: None }
    }

    /// One document of the tree at `root`.
    #[must_use]
    pub fn only(self, id: String) -> Self {
        Self { only: Some(id), ..self }
    }

    /// Whether it is of one document only.
    pub const fn is_one(&self) -> bool {
        self.only.is_some()
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the document `id` lies.
    pub fn path(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    /// Ids of all documents with the place of their kind, in bytewise order of ids. Of a tree with one document that one,
    /// which is of the only kind if there is only one.
    pub fn find(&self, kinds: &Kinds) -> Result<BTreeMap<String, usize>, TreeError> {
        let mut found = BTreeMap::new();
        if let Some(id) = &self.only {
            let kind = if kinds.0.len() == 1 { Some(0) } else { kinds.of_file(id)? };
            found.extend(kind.map(|kind| (id.clone(), kind)));
            return Ok(found);
        }
        if let Some((kind, _)) = kinds.0.iter().find(|(_, globs)| globs.is_empty()) {
            return Err(TreeError::NoFiles { kind: kind.clone() });
        }
        let mut folders = vec![String::new()];
        let mut seen = 0_usize;
        while let Some(folder) = folders.pop() {
            let path = self.root.join(&folder);
            let io = |source| TreeError::Io { path: path.clone(), source };
            for entry in fs::read_dir(&path).map_err(io)? {
                let entry = entry.map_err(io)?;
                seen += 1;
                if seen > FILES_MAX {
                    return Err(TreeError::TooMany { root: self.root.clone() });
                }
                let kind = entry.file_type().map_err(io)?;
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                    return Err(TreeError::Name { path: entry.path() });
                };
                if name == LEDGER_FOLDER || is_unfinished(&name) {
                    continue;
                }
                let id = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                if kind.is_dir() {
                    if name != PROOF_FOLDER {
                        folders.push(id);
                    }
                    continue;
                }
                let Some(of) = kinds.of_file(&id)? else { continue };
                if kind.is_symlink() {
                    return Err(TreeError::Link { path: entry.path() });
                }
                if !kind.is_file() {
                    return Err(TreeError::Special { path: entry.path() });
                }
                found.insert(id, of);
            }
        }
        Ok(found)
    }
}

fn is_unfinished(name: &str) -> bool {
    let (before, after) = UNFINISHED;
    name.starts_with(before) && name.ends_with(after)
}
