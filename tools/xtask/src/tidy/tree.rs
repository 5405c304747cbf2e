//! The files of the repository, read once: what git would track, as text.
//!
//! Knows the disk. Knows nothing of any rule.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Finding;
use super::rust::Source;

/// All files that people write, in path order.
pub(super) struct Tree {
    files: Vec<File>,
    unreadable: Vec<Finding>,
}

/// One file: text if it is UTF-8, and its tokens if it is Rust.
pub(super) struct File {
    /// Relative to the root, with `/`.
    pub(super) path: String,
    /// Empty for files that are not UTF-8: binary fixtures have no lines to judge.
    pub(super) text: String,
    /// Present for every `.rs` file that can be read as Rust.
    pub(super) rust: Option<Source>,
}

impl Tree {
    /// Reads everything below `root`, except build output and hidden folders other than `.ci` and `.cargo`.
    pub(super) fn read(root: &Path) -> Result<Self, ReadError> {
        let mut contents = Vec::new();
        read_folder(root, "", &mut contents)?;
        Ok(Self::from_contents(contents))
    }

    /// A tree in memory, for tests.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self::from_contents(
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect(),
        )
    }

    fn from_contents(mut contents: Vec<(String, String)>) -> Self {
        contents.sort();
        let mut unreadable = Vec::new();
        let mut files = Vec::new();
        for (path, text) in contents {
            let mut rust = None;
            if is_rust(&path) {
                match Source::parse(&text) {
                    Ok(source) => rust = Some(source),
                    Err(line) => {
                        unreadable.push(Finding::new(&path, line, "cannot be read as Rust"));
                    }
                }
            }
            files.push(File { path, text, rust });
        }
        Self { files, unreadable }
    }

    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// One finding for each `.rs` file that is not Rust; no rule has seen these.
    pub(super) fn unreadable(&self) -> &[Finding] {
        &self.unreadable
    }

    /// Every file that is Rust, with its path and its tokens.
    pub(super) fn rust(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.files
            .iter()
            .filter_map(|file| file.rust.as_ref().map(|source| (file.path.as_str(), source)))
    }

    pub(super) fn get(&self, path: &str) -> Option<&File> {
        let index = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(index)
    }
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// A folder or file that could not be read, with the reason.
#[derive(Debug)]
pub(super) struct ReadError {
    path: PathBuf,
    error: io::Error,
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "cannot read {}: {}", self.path.display(), self.error)
    }
}

/// Cargo puts this file into every build folder. Going by it, rather than by the name `target`, matters here: `target` is
/// also a module.
const BUILD_OUTPUT_MARK: &str = "CACHEDIR.TAG";

fn read_folder(
    folder: &Path,
    prefix: &str,
    contents: &mut Vec<(String, String)>,
) -> Result<(), ReadError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error| ReadError { path, error }
    };
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let entry = entry.map_err(failed(folder))?;
        let path = entry.path();
        let name = entry.file_name();
        // A name that is not UTF-8 is nothing that people write into this repository.
        let Some(name) = name.to_str() else { continue };
        let kind = entry.file_type().map_err(failed(&path))?;
        let relative = format!("{prefix}{name}");
        if kind.is_dir() {
            let hidden = name.starts_with('.') && name != ".ci" && name != ".cargo";
            if !hidden && !path.join(BUILD_OUTPUT_MARK).exists() {
                read_folder(&path, &format!("{relative}/"), contents)?;
            }
        } else if kind.is_file() {
            let bytes = fs::read(&path).map_err(failed(&path))?;
            contents.push((relative, String::from_utf8(bytes).unwrap_or_default()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_leaves_build_output_alone() {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("src/target/mod.rs", "//! A module called target is source."),
            ("out/CACHEDIR.TAG", ""),
            ("out/debug/generated.rs", "not for us"),
            (".git/config", ""),
            (".ci/run", "#!/bin/sh"),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(folder.path().join("image.bin"), [0xff, 0xfe]).unwrap();

        let tree = Tree::read(folder.path()).unwrap();

        let paths: Vec<&str> = tree.files().iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [".ci/run", "image.bin", "src/target/mod.rs"]);
        assert!(tree.get("image.bin").unwrap().text.is_empty());
        assert_eq!(tree.rust().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Tree::read(Path::new("no-such-folder")).err().unwrap();
        assert!(error.to_string().contains("no-such-folder"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_rust_is_a_finding_and_not_a_silence() {
        let tree = Tree::of(&[("src/a.rs", "//! Doc.\nfn a( {\n")]);
        assert_eq!(tree.unreadable().len(), 1);
        assert_eq!(tree.unreadable()[0].path, "src/a.rs");
    }
}
