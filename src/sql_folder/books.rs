//! A tool's books: the table in which it keeps account of what it applied, and how its rows are read. Names, columns and
//! declarations are the tools' own:
//!
//! - sqlx: `sqlx-sqlite/src/migrate.rs`
//! - golang-migrate: `database/sqlite3/sqlite3.go`
//! - Diesel: `diesel/src/migration/setup_migration_table.sql`
//! - refinery: `refinery_core/src/traits/mod.rs`
//! - goose: `internal/dialects/sqlite3.go`
//! - dbmate: `pkg/driver/sqlite/sqlite.go`

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
    pub(super) tool: Tool,
    pub(super) width: Width,
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

impl Tables {
    /// The tables of a database, each with its columns in their order.
    pub fn new(tables: impl IntoIterator<Item = (String, Vec<Column>)>) -> Self {
        Self(tables.into_iter().collect())
    }

    fn columns(&self, table: &str) -> Option<&[Column]> {
        // SQLite's names are the same in capital and small letters.
        let found = self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(table));
        found.map(|(_, columns)| columns.as_slice())
    }
}

impl Tool {
    /// Its table.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Sqlx => "_sqlx_migrations",
            Self::GolangMigrate | Self::Dbmate => "schema_migrations",
            Self::Diesel => "__diesel_schema_migrations",
            Self::Refinery => "refinery_schema_history",
            Self::Goose => "goose_db_version",
        }
    }

    /// The columns of its table, in their order.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Sqlx => {
                &["version", "description", "installed_on", "success", "checksum", "execution_time"]
            }
            Self::GolangMigrate => &["version", "dirty"],
            Self::Diesel => &["version", "run_on"],
            Self::Refinery => &["version", "name", "applied_on", "checksum"],
            Self::Goose => &["id", "version_id", "is_applied", "tstamp"],
            Self::Dbmate => &["version"],
        }
    }

    /// Whether its table holds one row, the newest version, in the place of one a migration.
    pub(super) const fn keeps_newest_only(self) -> bool {
        matches!(self, Self::GolangMigrate)
    }
}

impl Books {
    /// The books of `tool`, as it would begin them: for a database that has no migrations yet and whose tool is to find its
    /// table there.
    pub const fn new(tool: Tool) -> Self {
        Self { tool, width: Width::Four }
    }

    /// The same with checksums of versions as wide as that.
    pub const fn with_width(tool: Tool, width: Width) -> Self {
        Self { tool, width }
    }

    /// The books of `tool` in a database with those tables; `None` if its table is not there.
    pub fn find(tool: Tool, tables: &Tables) -> Result<Option<Self>, BooksError> {
        let table = tool.table();
        let Some(columns) = tables.columns(table) else { return Ok(None) };
        let found: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let expected = tool.columns();
        let same = found.len() == expected.len()
            && found.iter().zip(expected).all(|(found, name)| found.eq_ignore_ascii_case(name));
        if !same {
            return Err(BooksError::Columns { tool, table, expected: expected.to_vec(), found });
        }
        let is_wide = columns.first().is_some_and(|column| column.declared.contains('8'));
        Ok(Some(Self { tool, width: if is_wide { Width::Eight } else { Width::Four } }))
    }

    /// Whether the tables have that tool's, with its columns.
    pub(super) fn fit(tool: Tool, tables: &Tables) -> bool {
        matches!(Self::find(tool, tables), Ok(Some(_)))
    }

    /// Whose they are.
    pub const fn tool(&self) -> Tool {
        self.tool
    }

    /// How wide the tool takes versions to be in checksums; of refinery only.
    pub const fn width(&self) -> Width {
        self.width
    }

    /// A query for the rows of the table: version (text), checksum (text or null), whether it went well (0 or 1), as
    /// [`Applied`] has them.
    pub const fn query(&self) -> &'static str {
        match self.tool {
            Tool::Sqlx => {
                "SELECT coalesce(CAST(version AS TEXT), ''), lower(hex(checksum)), coalesce(success, 0) <> 0 \
                 FROM _sqlx_migrations ORDER BY version"
            }
            Tool::GolangMigrate => {
                "SELECT coalesce(CAST(version AS TEXT), ''), NULL, coalesce(dirty, 1) = 0 FROM schema_migrations LIMIT 1"
            }
            Tool::Diesel => {
                "SELECT CAST(version AS TEXT), NULL, 1 FROM __diesel_schema_migrations ORDER BY version"
            }
            Tool::Refinery => {
                "SELECT coalesce(CAST(version AS TEXT), ''), CAST(checksum AS TEXT), 1 \
                 FROM refinery_schema_history ORDER BY version"
            }
            // The newest row of a version says whether it is applied; version 0 is that of the empty database.
            Tool::Goose => {
                "SELECT CAST(version_id AS TEXT), NULL, 1 FROM goose_db_version AS row WHERE version_id <> 0 \
                 AND is_applied AND id = (SELECT max(id) FROM goose_db_version WHERE version_id = row.version_id) \
                 ORDER BY version_id"
            }
            Tool::Dbmate => {
                "SELECT coalesce(CAST(version AS TEXT), ''), NULL, 1 FROM schema_migrations ORDER BY version"
            }
        }
    }
}
