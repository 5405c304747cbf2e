//! Rows of every tool held against folders, written by our own SQL into a real database.

use rusqlite::Connection;

use super::super::{Column, Layout, Tables, compile};
use super::*;
use crate::contract::{Bundle, Contract};
use crate::sql_folder::tree::{Entry, Tree};
use crate::transform::ForeignKeyMode;

const GOOSE: &str = "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n";
const DBMATE: &str = "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n";

/// Three migrations of a tool, by their numbers, with one text each.
fn folder(tool: Tool, numbers: &[u32], sql: &str) -> Folder {
    let files = numbers.iter().flat_map(|number| match tool {
        Tool::Sqlx | Tool::GolangMigrate => vec![
            (format!("{number}_it's.up.sql"), sql),
            (format!("{number}_it's.down.sql"), "SELECT 2;"),
        ],
        Tool::Diesel => {
            vec![(format!("{number}_a/up.sql"), sql), (format!("{number}_a/down.sql"), "SELECT 2;")]
        }
        Tool::Refinery => vec![(format!("V{number}__a.sql"), sql)],
        Tool::Goose => vec![(format!("{number}_a.sql"), GOOSE)],
        Tool::Dbmate => vec![(format!("{number}_a.sql"), DBMATE)],
    });
    let files: Vec<(String, Entry)> =
        files.map(|(name, sql)| (name, Entry::File(sql.as_bytes().to_vec()))).collect();
    let tree = Tree::of(files.iter().map(|(name, entry)| (name.as_str(), entry.clone())));
    Folder::of(&tree, Some(tool.layout()), &Tables::default()).unwrap()
}

/// A database in which the scripts of the contract's first edges ran, with those that keep the books.
struct Database {
    connection: Connection,
    contract: Contract,
}

impl Database {
    fn of(folder: &Folder, tool: Tool) -> Self {
        let contract = compile(folder, Some(&Books::new(tool)), ForeignKeyMode::On);
        Self { connection: Connection::open_in_memory().unwrap(), contract }
    }

    fn run(&self, edge: usize, back: bool) {
        let edge = &self.contract.edges[edge];
        let steps = if back { edge.inverse.as_ref().unwrap() } else { &edge.steps };
        for file in steps.iter().flat_map(crate::contract::Step::files) {
            let sql = std::str::from_utf8(&self.contract.scripts[file]).unwrap();
            self.connection.execute_batch(sql).unwrap();
        }
    }

    fn tables(&self, tool: Tool) -> Tables {
        let mut columns = self
            .connection
            .prepare(&format!("SELECT name, type FROM pragma_table_info('{}')", tool.table()))
            .unwrap();
        let column =
            |row: &rusqlite::Row<'_>| Ok(Column { name: row.get(0)?, declared: row.get(1)? });
        let columns = columns.query_map([], column).unwrap().map(Result::unwrap).collect();
        Tables::new([(tool.table().to_owned(), columns)])
    }

    fn rows(&self, tool: Tool) -> Vec<Applied> {
        let books = Books::find(tool, &self.tables(tool)).unwrap().unwrap();
        let mut query = self.connection.prepare(books.query()).unwrap();
        let applied = |row: &rusqlite::Row<'_>| {
            Ok(Applied { version: row.get(0)?, checksum: row.get(1)?, ok: row.get(2)? })
        };
        query.query_map([], applied).unwrap().map(Result::unwrap).collect()
    }

    fn judged(&self, tool: Tool, folder: &Folder) -> (usize, Vec<String>) {
        let books = Books::find(tool, &self.tables(tool)).unwrap().unwrap();
        let found = books.judge(folder, &self.rows(tool));
        (found.applied, found.findings.iter().map(ToString::to_string).collect())
    }
}

#[test]
fn rows_that_are_written_are_read_as_applied_and_taken_back_as_not() {
    for tool in Tool::ALL {
        let folder = folder(tool, &[1, 2, 3], "SELECT 1;");
        let database = Database::of(&folder, tool);
        for applied in 1..=3 {
            database.run(applied - 1, false);
            assert_eq!(database.judged(tool, &folder), (applied, vec![]), "{tool:?}");
        }
        if tool == Tool::Refinery {
            continue;
        }
        for applied in (0..3).rev() {
            database.run(applied, true);
            assert_eq!(database.judged(tool, &folder), (applied, vec![]), "{tool:?}");
        }
    }
}

#[test]
fn what_does_not_fit_the_folder_is_named() {
    for tool in Tool::ALL {
        let database = Database::of(&folder(tool, &[1, 2, 4, 5], "SELECT 1;"), tool);
        (0..4).for_each(|edge| database.run(edge, false));
        let (applied, findings) = database.judged(tool, &folder(tool, &[1, 3, 5], "SELECT 1;"));
        if tool.keeps_newest_only() {
            assert_eq!((applied, findings.len()), (3, 0));
        } else {
            assert_eq!((applied, findings.len()), (1, 3), "{tool:?} {findings:?}");
            assert!(findings[0].starts_with("version 2 is applied, but no file"), "{findings:?}");
            assert!(findings[1].starts_with("version 4 is applied, but no file"), "{findings:?}");
            assert!(findings[2].contains("(version 3) is not applied, though"), "{findings:?}");
        }
        let (_, findings) = database.judged(tool, &folder(tool, &[1, 2, 4], "SELECT 1;"));
        assert_eq!(findings, ["version 5 is applied, and is newer than the folder's last, 4"]);
    }
}

#[test]
fn edits_are_seen_by_their_checksums_and_told_from_cosmetic_ones() {
    for tool in [Tool::Sqlx, Tool::Refinery] {
        let database = Database::of(&folder(tool, &[1], "SELECT 1;\nSELECT 2;\n"), tool);
        database.run(0, false);
        let judged = |sql: &str| {
            let (applied, mut findings) = database.judged(tool, &folder(tool, &[1], sql));
            assert_eq!((applied, findings.len()), (1, 1), "{tool:?} {sql:?}");
            findings.remove(0)
        };
        assert!(judged("SELECT 1;\nSELECT 3;\n").contains("was edited after it was applied"));
        let recorded = database.rows(tool)[0].checksum.clone().unwrap();
        assert!(judged("SELECT 1;\nSELECT 3;\n").contains(&recorded));
        for cosmetic in
            ["SELECT 1;\r\nSELECT 2;\r\n", "SELECT 1;\nSELECT 2;", "SELECT 1;  \nSELECT 2;\n"]
        {
            assert!(judged(cosmetic).contains("line endings"), "{tool:?} {cosmetic:?}");
        }
    }
}

#[test]
fn refinerys_checksums_are_of_the_width_that_gives_those_recorded() {
    let folder = folder(Tool::Refinery, &[1, 2], "SELECT 1;");
    let rows = |width| {
        let row = |version: &str| Applied {
            version: version.to_owned(),
            checksum: checksum::refinery("a", version, "SELECT 1;", width),
            ok: true,
        };
        vec![row("1"), row("2")]
    };
    for width in [Width::Four, Width::Eight] {
        let found = Books::new(Tool::Refinery).judge(&folder, &rows(width));
        assert_eq!((found.books.width(), found.findings), (width, vec![]));
    }
    let unknown = rows(Width::Four).into_iter();
    let unknown: Vec<Applied> =
        unknown.map(|row| Applied { checksum: Some("1".into()), ..row }).collect();
    let found = Books::new(Tool::Refinery).judge(&folder, &unknown).findings;
    assert_eq!(found, [Finding::UnknownChecksums { table: "refinery_schema_history" }]);
}

#[test]
fn what_was_begun_and_not_finished_is_named() {
    for (tool, update) in [
        (Tool::Sqlx, "UPDATE _sqlx_migrations SET success = 0 WHERE version = 2"),
        (Tool::GolangMigrate, "UPDATE schema_migrations SET dirty = 1"),
    ] {
        let folder = folder(tool, &[1, 2], "SELECT 1;");
        let database = Database::of(&folder, tool);
        (0..2).for_each(|edge| database.run(edge, false));
        database.connection.execute_batch(update).unwrap();
        let (_, findings) = database.judged(tool, &folder);
        let [told] = findings.as_slice() else { panic!("{findings:?}") };
        assert!(told.starts_with("version 2 (\"2_it's.up.sql\") is marked as begun"), "{told}");
    }
    let folder = folder(Tool::GolangMigrate, &[1], "SELECT 1;");
    let nil = Applied { version: "-1".into(), checksum: None, ok: false };
    let found = Books::new(Tool::GolangMigrate).judge(&folder, &[nil]);
    assert_eq!((found.applied, found.findings.len()), (0, 1));
}

#[test]
fn rows_of_goose_are_read_from_the_newest_on() {
    let folder = folder(Tool::Goose, &[1, 2], GOOSE);
    let database = Database::of(&folder, Tool::Goose);
    (0..2).for_each(|edge| database.run(edge, false));
    // Old versions of goose kept what was taken back.
    let taken_back = "INSERT INTO goose_db_version (version_id, is_applied) VALUES (2, 0)";
    database.connection.execute_batch(taken_back).unwrap();
    assert_eq!(database.judged(Tool::Goose, &folder), (1, vec![]));
}

#[test]
fn a_table_with_other_columns_is_not_the_tools() {
    let column = |name: &str| Column { name: name.to_owned(), declared: String::new() };
    let tables = |names: &[&str]| {
        Tables::new([(
            "schema_migrations".to_owned(),
            names.iter().map(|name| column(name)).collect(),
        )])
    };
    assert!(Books::find(Tool::Dbmate, &tables(&["version"])).unwrap().is_some());
    let found = Books::find(Tool::GolangMigrate, &tables(&["version"])).unwrap_err().to_string();
    assert!(
        found.contains("[\"version\"]") && found.contains("[\"version\", \"dirty\"]"),
        "{found}"
    );
    assert_eq!(Books::find(Tool::Sqlx, &tables(&["version"])), Ok(None));
}

#[test]
fn a_contract_says_what_its_folder_says() {
    for tool in Tool::ALL {
        let folder = folder(tool, &[1, 2], "SELECT 1;");
        let contract = compile(&folder, Some(&Books::new(tool)), ForeignKeyMode::On);
        let read = Folder::of_contract(&contract).unwrap();
        assert_eq!(read.layout, folder.layout);
        let told = |folder: &Folder| {
            let one = |one: &Migration| (one.version.clone(), one.name.clone(), one.up.clone());
            folder.migrations.iter().map(one).collect::<Vec<_>>()
        };
        assert_eq!(told(&read), told(&folder), "{tool:?}");
        assert_eq!(Folder::of_contract(&compile(&folder, None, ForeignKeyMode::On)), None);
    }
}

#[test]
fn a_folder_is_a_contract_that_loads_and_is_another_after_an_edit() {
    for tool in Tool::ALL {
        let one = folder(tool, &[1, 2], "SELECT 1;");
        let contract = compile(&one, Some(&Books::new(tool)), ForeignKeyMode::On);
        assert_eq!(Bundle::unpack(Bundle::of(&contract).bytes()).unwrap(), contract);
        assert_eq!(contract.versions, ["none", "1", "2"]);
        assert_eq!(contract.bookkeeping.as_ref().unwrap().table, tool.table());
        assert_eq!(compile(&one, Some(&Books::new(tool)), ForeignKeyMode::On), contract);
        let without = compile(&one, None, ForeignKeyMode::On);
        assert_ne!(without.contract_version, contract.contract_version);
        assert!(without.contract_version.starts_with("1.2.0+"), "{}", without.contract_version);
        assert_eq!(without.bookkeeping, None);
    }
    let version =
        |sql| compile(&folder(Tool::Diesel, &[1], sql), None, ForeignKeyMode::On).contract_version;
    assert_ne!(version("SELECT 1;"), version("SELECT 2;"));
    assert_eq!(Layout::find("diesel"), Some(Tool::Diesel.layout()));
}
