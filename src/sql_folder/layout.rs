//! The layouts that are read, and the tools they belong to.

use crate::transform::ForeignKeyMode;

/// How a folder of migrations is laid out: which names are migrations, in which order they come, and where the way back
/// stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layout {
    /// `0001_name.sql`, and no tool known; the way back, if any, in `0001_name.down.sql`. By number.
    Numbered,
    /// `VERSION_name.sql`, or `VERSION_name.up.sql` with `VERSION_name.down.sql`. By number.
    Sqlx,
    /// `VERSION_name.up.sql` with `VERSION_name.down.sql`. By number.
    GolangMigrate,
    /// `VERSION_name/up.sql` with `down.sql` and `metadata.toml` beside it. By the version's letters.
    Diesel,
    /// `V1__name.sql` and `U1__name.sql`, also in folders below. By number.
    Refinery,
    /// `VERSION_name.sql` with `-- +goose Up` and `-- +goose Down` in it. By number.
    Goose,
    /// `VERSION_name.sql` with `-- migrate:up` and `-- migrate:down` in it. By the file name's letters.
    Dbmate,
    /// Any `.sql` files. By the file name's letters.
    Plain,
}

/// A migration tool that keeps account of what it applied in a table of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tool {
    /// sqlx and sqlx-cli: `_sqlx_migrations`.
    Sqlx,
    /// golang-migrate: `schema_migrations` with one row.
    GolangMigrate,
    /// Diesel: `__diesel_schema_migrations`.
    Diesel,
    /// refinery: `refinery_schema_history`.
    Refinery,
    /// goose: `goose_db_version`.
    Goose,
    /// dbmate: `schema_migrations` with a row a migration.
    Dbmate,
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Numbered,
        Self::Sqlx,
        Self::GolangMigrate,
        Self::Diesel,
        Self::Refinery,
        Self::Goose,
        Self::Dbmate,
        Self::Plain,
    ];

    /// Its name on the command line and in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Numbered => "numbered",
            Self::Sqlx => "sqlx",
            Self::GolangMigrate => "golang-migrate",
            Self::Diesel => "diesel",
            Self::Refinery => "refinery",
            Self::Goose => "goose",
            Self::Dbmate => "dbmate",
            Self::Plain => "plain",
        }
    }

    /// What its tool has SQLite do with foreign keys. sqlx switches them on (`SqliteConnectOptions::new`), and refinery's
    /// SQLite is built with them on (libsqlite3-sys, bundled); the others leave them as SQLite does, which is off. Where
    /// there is no tool, they are held.
    pub const fn foreign_keys(self) -> ForeignKeyMode {
        match self {
            Self::Numbered | Self::Plain | Self::Sqlx | Self::Refinery => ForeignKeyMode::On,
            Self::GolangMigrate | Self::Diesel | Self::Goose | Self::Dbmate => ForeignKeyMode::Off,
        }
    }

    /// The layout of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.name() == name)
    }

    /// The tool whose layout it is; `None` for those that no tool has to itself.
    pub const fn tool(self) -> Option<Tool> {
        match self {
            Self::Numbered | Self::Plain => None,
            Self::Sqlx => Some(Tool::Sqlx),
            Self::GolangMigrate => Some(Tool::GolangMigrate),
            Self::Diesel => Some(Tool::Diesel),
            Self::Refinery => Some(Tool::Refinery),
            Self::Goose => Some(Tool::Goose),
            Self::Dbmate => Some(Tool::Dbmate),
        }
    }

    /// How its versions are compared.
    pub(super) const fn order(self) -> Order {
        match self {
            Self::Numbered | Self::Sqlx | Self::GolangMigrate | Self::Refinery | Self::Goose => {
                Order::ByNumber
            }
            Self::Diesel | Self::Dbmate | Self::Plain => Order::ByLetters,
        }
    }
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Sqlx, Self::GolangMigrate, Self::Diesel, Self::Refinery, Self::Goose, Self::Dbmate];

    /// The layout of its folders.
    pub const fn layout(self) -> Layout {
        match self {
            Self::Sqlx => Layout::Sqlx,
            Self::GolangMigrate => Layout::GolangMigrate,
            Self::Diesel => Layout::Diesel,
            Self::Refinery => Layout::Refinery,
            Self::Goose => Layout::Goose,
            Self::Dbmate => Layout::Dbmate,
        }
    }

    /// Its name, which is its layout's.
    pub const fn name(self) -> &'static str {
        self.layout().name()
    }

    /// The tool of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }
}

/// How versions are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As integers.
    ByNumber,
    /// Byte by byte.
    ByLetters,
}

/// Where a migration stands among the others of its folder. Keys of one folder are all of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// By number.
    Number(i64),
    /// By letters.
    Letters(String),
}

impl Order {
    /// The key of a version as a table has it; `None` if it is no number where numbers are compared.
    pub(super) fn key(self, version: &str) -> Option<Key> {
        match self {
            Self::ByNumber => version.parse().ok().map(Key::Number),
            Self::ByLetters => Some(Key::Letters(version.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_layouts_and_tools_and_back() {
        for layout in Layout::ALL {
            assert_eq!(Layout::find(layout.name()), Some(layout));
            assert_eq!(layout.tool().map_or(layout, Tool::layout), layout);
        }
        for tool in Tool::ALL {
            assert_eq!(Tool::find(tool.name()), Some(tool));
        }
        assert_eq!((Layout::find("flyway"), Tool::find("numbered")), (None, None));
    }
}
