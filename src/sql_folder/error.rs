//! What is wrong with a folder of migrations.

use std::io;
use std::path::PathBuf;

use super::layout::{Layout, Tool};

/// A folder that cannot be taken for a folder of migrations. Nothing of it was used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {trouble}", dir.display())]
pub struct FolderError {
    /// The folder.
    pub dir: PathBuf,
    /// What is wrong.
    pub trouble: Trouble,
}

/// What is wrong with a folder of migrations. Names of files are relative to it.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The folder or something in it could not be read.
    #[error("{} could not be read: {source}", called(name))]
    Io {
        /// What was read; empty for the folder itself.
        name: String,
        /// The system's words.
        source: io::Error,
    },
    /// Nothing in it is a migration.
    #[error("no migrations{}: {}", of(*layout), why_empty(ignored))]
    Empty {
        /// The layout it was read as, if one was asked for.
        layout: Option<Layout>,
        /// Scripts that are there and are no migrations of that layout.
        ignored: Vec<String>,
    },
    /// Its files fit more than one layout.
    #[error("files like {example:?} fit more than one layout: {}", names(candidates))]
    Ambiguous {
        /// One of them.
        example: String,
        /// The layouts.
        candidates: Vec<Layout>,
    },
    /// Its files are of different layouts.
    #[error("files of different layouts: {}", found.iter().map(|(layout, file)|
        format!("{file:?} is {}", layout.name())).collect::<Vec<_>>().join(", "))]
    Mixed {
        /// One file of each layout.
        found: Vec<(Layout, String)>,
    },
    /// The database has the table of a tool whose layout the files do not have.
    #[error("the database has the table {table} of {}, but files like {example:?} are laid out as {}",
        tool.name(), names(files))]
    Disagrees {
        /// The table.
        table: &'static str,
        /// The tool.
        tool: Tool,
        /// One of the files.
        example: String,
        /// What the files fit.
        files: Vec<Layout>,
    },
    /// Two migrations have one version.
    #[error("{first:?} and {second:?} both have version {version}")]
    Duplicate {
        /// The version.
        version: String,
        /// The file that comes first by name.
        first: String,
        /// The other one.
        second: String,
    },
    /// A name that is no migration's, where the layout has no other use for it.
    #[error("{file:?} is no name for a migration of layout {}: {reason}", layout.name())]
    BadName {
        /// The layout.
        layout: Layout,
        /// The file.
        file: String,
        /// Why not.
        reason: &'static str,
    },
    /// A way back from nowhere.
    #[error("{file:?} takes back version {version}, which no file applies")]
    DownWithoutUp {
        /// The file.
        file: String,
        /// Its version.
        version: String,
    },
    /// A name that is not UTF-8.
    #[error("the name {file:?} is not UTF-8")]
    NameNotUtf8 {
        /// The name, with replacement characters.
        file: String,
    },
    /// A script that is not UTF-8.
    #[error("{file:?} is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// The file.
        file: String,
        /// The first byte that is not.
        at: usize,
    },
    /// A script that holds the character NUL, at which SQLite stops reading.
    #[error("{file:?} holds the character NUL on line {line}")]
    Nul {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// A symbolic link, a folder or something else where a file is expected.
    #[error("{file:?} is {what}, not a file")]
    NotAFile {
        /// The name.
        file: String,
        /// What it is.
        what: &'static str,
    },
    /// A folder of Diesel's without `up.sql`.
    #[error("{folder:?} has no up.sql")]
    NoUp {
        /// The folder.
        folder: String,
    },
    /// A migration in a programming language, which only its own tool can run.
    #[error("{file:?} is a migration written in {language}, which only {} can run", layout.name())]
    NotSql {
        /// The file.
        file: String,
        /// The language.
        language: &'static str,
        /// The layout.
        layout: Layout,
    },
    /// A script whose directives its tool would not take, or that cannot be followed.
    #[error("{file:?}, line {line}: {reason}")]
    Directive {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// More or longer than is read.
    #[error("{name:?} {what}")]
    TooLarge {
        /// What it is.
        name: String,
        /// What is too large, and the limit.
        what: String,
    },
}

impl Trouble {
    /// The layouts that one has to be said of.
    #[must_use]
    pub fn layouts(&self) -> &[Layout] {
        match self {
            Self::Ambiguous { candidates: layouts, .. }
            | Self::Disagrees { files: layouts, .. } => layouts,
            _ => &[],
        }
    }
}

/// What was read; the folder itself has no name in it.
fn called(name: &str) -> String {
    if name.is_empty() { "this folder".to_owned() } else { format!("{name:?}") }
}

/// Layouts in words.
fn names(layouts: &[Layout]) -> String {
    layouts.iter().map(|layout| layout.name()).collect::<Vec<_>>().join(", ")
}

fn of(layout: Option<Layout>) -> String {
    layout.map(|layout| format!(" of layout {}", layout.name())).unwrap_or_default()
}

fn why_empty(files: &[String]) -> String {
    match files {
        [] => "it holds no .sql file".to_owned(),
        [first, ..] => format!("{first:?} is none"),
    }
}
