//! A tool's books: the table in which it keeps account of what it applied.

use std::collections::BTreeMap;

use super::checksum::Width;
use super::layout::Tool;

/// The tables of a database with their columns, as `PRAGMA table_info` tells them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tables(BTreeMap<String, Vec<Column>>);

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its declared type, as it is written; empty if there is none.
    pub declared: String,
}

/// A tool's table in a database, and how the tool computes the checksums in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    tool: Tool,
    width: Width,
}

/// What the books say of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The version.
    pub version: String,
    /// The checksum of what was applied, where the tool keeps one: as hexadecimal digits of sqlx, decimal of refinery.
    pub checksum: Option<String>,
    /// Whether it went well.
    pub ok: bool,
}

/// Why a table is not a tool's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BooksError {
    /// It has the name, but other columns.
    #[error("the table {table} has the columns {found:?}; that of {} has {expected:?}", tool.name())]
    Columns {
        /// The tool.
        tool: Tool,
        /// The table.
        table: &'static str,
        /// The tool's columns.
        expected: Vec<&'static str>,
        /// Those that are there.
        found: Vec<String>,
    },
}
