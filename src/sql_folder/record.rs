//! The SQL by which a tool writes a migration into its books and takes it out again, as the tool itself does it. Times come
//! from the database's clock.

use super::books::Books;
use super::checksum;
use super::folder::Migration;
use super::layout::Tool;

/// The declarations of sqlx's table and so on, for a database that has none. They do nothing where it is there.
fn create(books: &Books) -> &'static str {
    match books.tool {
        Tool::Sqlx => {
            "CREATE TABLE IF NOT EXISTS _sqlx_migrations (\n    version BIGINT PRIMARY KEY,\n    \
             description TEXT NOT NULL,\n    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,\n    \
             success BOOLEAN NOT NULL,\n    checksum BLOB NOT NULL,\n    execution_time BIGINT NOT NULL\n);\n"
        }
        Tool::GolangMigrate => {
            "CREATE TABLE IF NOT EXISTS schema_migrations (version uint64,dirty bool);\n\
             CREATE UNIQUE INDEX IF NOT EXISTS version_unique ON schema_migrations (version);\n"
        }
        Tool::Diesel => {
            "CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (\n       \
             version VARCHAR(50) PRIMARY KEY NOT NULL,\n       \
             run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP\n);\n"
        }
        Tool::Refinery => {
            "CREATE TABLE IF NOT EXISTS refinery_schema_history(\n             version int4 PRIMARY KEY,\n             \
             name VARCHAR(255),\n             applied_on VARCHAR(255),\n             checksum VARCHAR(255));\n"
        }
        Tool::Goose => {
            "CREATE TABLE IF NOT EXISTS goose_db_version (\n\t\tid INTEGER PRIMARY KEY AUTOINCREMENT,\n\t\t\
             version_id INTEGER NOT NULL,\n\t\tis_applied INTEGER NOT NULL,\n\t\t\
             tstamp TIMESTAMP DEFAULT (datetime('now'))\n\t);\n\
             INSERT INTO goose_db_version (version_id, is_applied)\n    \
             SELECT 0, 1 WHERE NOT EXISTS (SELECT 1 FROM goose_db_version);\n"
        }
        Tool::Dbmate => {
            "CREATE TABLE IF NOT EXISTS \"schema_migrations\" (version varchar(128) primary key);\n"
        }
    }
}

/// The time as the crate `time` writes it by RFC 3339: without zeros at the end of the second.
const RFC_3339_NOW: &str = "rtrim(rtrim(strftime('%Y-%m-%dT%H:%M:%f', 'now'), '0'), '.') || 'Z'";

/// The SQL that writes `migration` into the books. `first` of all migrations makes the table if it is not there.
pub(super) fn written(books: &Books, migration: &Migration, first: bool) -> String {
    let head = if first { create(books) } else { "" };
    let version = &migration.version;
    let (name, sql) = (text(&migration.name), &migration.up.sql);
    let row = match books.tool {
        Tool::Sqlx => format!(
            "INSERT INTO _sqlx_migrations ( version, description, success, checksum, execution_time )\n\
             VALUES ( {version}, {name}, TRUE, X'{}', 0 );\n",
            checksum::sqlx(sql)
        ),
        Tool::GolangMigrate => newest(Some(version)),
        Tool::Diesel => {
            format!(
                "INSERT INTO __diesel_schema_migrations (version) VALUES ({});\n",
                text(version)
            )
        }
        Tool::Refinery => format!(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)\n\
             VALUES ({version}, {name}, {RFC_3339_NOW}, '{}');\n",
            checksum::refinery(&migration.name, version, sql, books.width)
                .or_else(|| checksum::refinery(&migration.name, version, sql, super::Width::Eight))
                .unwrap_or_default()
        ),
        Tool::Goose => {
            format!(
                "INSERT INTO goose_db_version (version_id, is_applied) VALUES ({version}, 1);\n"
            )
        }
        Tool::Dbmate => {
            format!("INSERT INTO \"schema_migrations\" (version) VALUES ({});\n", text(version))
        }
    };
    format!("{head}{row}")
}

/// The SQL that takes `migration` out of the books; `before` is the version below it, if there is one.
pub(super) fn taken_back(books: &Books, migration: &Migration, before: Option<&str>) -> String {
    let version = &migration.version;
    match books.tool {
        Tool::Sqlx => format!("DELETE FROM _sqlx_migrations WHERE version = {version};\n"),
        Tool::GolangMigrate => newest(before),
        Tool::Diesel => {
            format!("DELETE FROM __diesel_schema_migrations WHERE version = {};\n", text(version))
        }
        Tool::Refinery => {
            format!("DELETE FROM refinery_schema_history WHERE version = {version};\n")
        }
        Tool::Goose => format!("DELETE FROM goose_db_version WHERE version_id = {version};\n"),
        Tool::Dbmate => {
            format!("DELETE FROM \"schema_migrations\" WHERE version = {};\n", text(version))
        }
    }
}

/// The one row of golang-migrate, or none of a database without migrations.
fn newest(version: Option<&str>) -> String {
    let insert = |version| {
        format!("INSERT INTO schema_migrations (version, dirty) VALUES ({version}, 0);\n")
    };
    format!("DELETE FROM schema_migrations;\n{}", version.map(insert).unwrap_or_default())
}

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
