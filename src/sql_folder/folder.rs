//! A folder of migrations, read.

use super::layout::Layout;

/// The migrations of a folder, in the order in which the tool of its layout applies them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// How it is laid out.
    pub layout: Layout,
    /// Other layouts that its files fit as well. That it was read as `layout` is then worth telling.
    pub also_fits: Vec<Layout>,
    /// The migrations. Versions differ, and there is at least one.
    pub migrations: Vec<Migration>,
    /// Scripts that are there and that the layout passes over, as its tool does.
    pub ignored: Vec<String>,
}

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its version, as the tool's table has it.
    pub version: String,
    /// What it is about, as the tool's table has it, or as its file's name says.
    pub name: String,
    /// What applies it.
    pub up: Script,
    /// What takes it back, if that holds any statement.
    pub down: Option<Script>,
}

/// The SQL of one direction. Its lines have the numbers that they have in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// What a contract and messages call it: its file, with ` (down)` behind it where both directions share one.
    pub name: String,
    /// Its file, relative to the folder, with `/` between folders.
    pub file: String,
    /// The SQL.
    pub sql: String,
    /// Whether its tool puts a transaction around it.
    pub transaction: Transaction,
}

/// What a tool puts around a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// One transaction.
    One,
    /// None: the script, its metadata or a directive says so.
    None,
}

impl Folder {
    /// Position of a version, from the first.
    pub fn position(&self, version: &str) -> Option<usize> {
        self.migrations.iter().position(|migration| migration.version == version)
    }
}
