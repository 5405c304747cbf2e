//! Whole folders: every layout in its tool's order, and everything that is refused.

use std::fs;
use std::os::unix::ffi::OsStringExt as _;

use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::*;
use crate::sql_folder::{Column, Tool};

fn file(text: &str) -> Entry {
    Entry::File(text.as_bytes().to_vec())
}

/// The tree of these files, with the folders that they lie in.
fn tree(files: &[(&str, &str)]) -> Tree {
    let folders = files.iter().filter_map(|(path, _)| path.rsplit_once('/'));
    let folders = folders.map(|(folder, _)| (folder, Entry::Folder)).collect::<Vec<_>>();
    Tree::of(folders.into_iter().chain(files.iter().map(|(path, text)| (*path, file(text)))))
}

fn read(files: &[(&str, &str)], layout: Option<Layout>) -> Result<Folder, Trouble> {
    Folder::of(&tree(files), layout, &Tables::default())
}

fn table(name: &str, columns: &[&str]) -> Tables {
    let column = |name: &&str| Column { name: (*name).to_owned(), declared: String::new() };
    Tables::new([(name.to_owned(), columns.iter().map(column).collect())])
}

const GOOSE: &str = "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n";
const DBMATE: &str = "-- migrate:up\nSELECT 1;\n-- migrate:down transaction:false\nSELECT 2;\n";

/// Versions in order, with `-` behind those that can be taken back.
fn versions(folder: &Folder) -> String {
    let one = |migration: &Migration| {
        format!("{}{}", migration.version, if migration.down.is_some() { "-" } else { "" })
    };
    folder.migrations.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_layout_is_recognised_and_ordered_as_its_tool_does() {
    use Layout::{Dbmate, Diesel, Goose, Numbered, Plain, Refinery};
    for (files, layout, expected) in [
        (
            vec![("10_c.sql", "c"), ("9_b.sql", "b"), ("0001_a.sql", "a"), ("README.md", "")],
            Numbered,
            "0001 9 10",
        ),
        (
            vec![
                ("2023-01-02-000000_b/up.sql", "b"),
                ("00000000000000_setup/up.sql", "a"),
                ("00000000000000_setup/down.sql", "x"),
                ("20230101000000_c/up.sql", "c"),
                ("20230101000000_c/down.sql", "-- nothing"),
                (".hidden/up.sql", "h"),
                ("note.md", ""),
            ],
            Diesel,
            "00000000000000- 20230101000000 20230102000000",
        ),
        (vec![("V10__c.sql", "c"), ("a/V2__b.sql", "b"), ("U1__a.sql", "a")], Refinery, "1 2 10"),
        (vec![("00010_b.sql", GOOSE), ("2_a.sql", GOOSE)], Goose, "2- 10-"),
        // dbmate sorts file names.
        (vec![("10_b.sql", DBMATE), ("2_a.sql", DBMATE)], Dbmate, "10- 2-"),
        (vec![("users.sql", "u"), ("b.sql", "b"), ("b.down.sql", "x")], Plain, "b- users"),
    ] {
        let found = read(&files, None).unwrap();
        assert_eq!((found.layout, versions(&found)), (layout, expected.to_owned()));
        assert_eq!(read(&files, Some(layout)).unwrap().migrations, found.migrations);
    }
}

#[test]
fn pairs_belong_to_more_than_one_tool_until_a_table_speaks() {
    let pairs = [("2_b.up.sql", "b"), ("10_c.up.sql", "c"), ("10_c.down.sql", "d")];
    let found = read(&pairs, None).unwrap_err();
    let Trouble::Ambiguous { candidates, .. } = &found else { panic!("{found}") };
    assert_eq!(candidates, &[Layout::Numbered, Layout::Sqlx, Layout::GolangMigrate]);
    for (layout, table) in [
        (Layout::Sqlx, table("_sqlx_migrations", Tool::Sqlx.columns())),
        (Layout::GolangMigrate, table("schema_migrations", &["version", "dirty"])),
    ] {
        let found = Folder::of(&tree(&pairs), None, &table).unwrap();
        assert_eq!((found.layout, versions(&found)), (layout, "2 10-".to_owned()));
        assert_eq!(read(&pairs, Some(layout)).unwrap(), found);
    }
    // Other columns are another's table.
    let other = table("schema_migrations", &["version", "name"]);
    assert!(matches!(Folder::of(&tree(&pairs), None, &other), Err(Trouble::Ambiguous { .. })));
    let mixed = [("1_a.sql", "a"), ("2_b.up.sql", "b")];
    let found = read(&mixed, None).unwrap_err();
    let Trouble::Ambiguous { candidates, .. } = &found else { panic!("{found}") };
    assert_eq!(candidates, &[Layout::Numbered, Layout::Sqlx]);
}

#[test]
fn numbers_are_of_no_tool_unless_its_table_is_there() {
    let numbers = [("1_a.sql", "a"), ("2_b.sql", "b")];
    let found = read(&numbers, None).unwrap();
    assert_eq!((found.layout, found.also_fits), (Layout::Numbered, vec![Layout::Sqlx]));
    let sqlx = table("_sqlx_migrations", Tool::Sqlx.columns());
    assert_eq!(Folder::of(&tree(&numbers), None, &sqlx).unwrap().layout, Layout::Sqlx);
    let goose = table("goose_db_version", Tool::Goose.columns());
    let found = Folder::of(&tree(&numbers), None, &goose).unwrap_err().to_string();
    assert!(found.contains("goose_db_version") && found.contains("numbered, sqlx"), "{found}");
    // Whoever names a layout has the last word.
    assert!(Folder::of(&tree(&numbers), Some(Layout::Numbered), &goose).is_ok());
}

#[test]
fn transactions_are_as_the_tool_makes_them() {
    use Transaction::{None as No, One};

    let transaction = |files: &[(&str, &str)], layout| {
        let found = read(files, Some(layout)).unwrap();
        let one = &found.migrations[0];
        (one.up.transaction, one.down.as_ref().map(|down| down.transaction))
    };
    for (files, layout, expected) in [
        (vec![("1_a.sql", "-- no-transaction\nVACUUM")], Layout::Sqlx, (No, None)),
        (vec![("1_a.sql", " -- no-transaction\nVACUUM")], Layout::Sqlx, (One, None)),
        (vec![("1_a.sql", "-- no-transaction\nVACUUM")], Layout::Numbered, (One, None)),
        (vec![("1_a.sql", DBMATE)], Layout::Dbmate, (One, Some(No))),
        (
            vec![("1_a.sql", "-- +goose NO TRANSACTION\n-- +goose Up\nVACUUM;")],
            Layout::Goose,
            (No, None),
        ),
        (
            vec![("1/up.sql", "a"), ("1/metadata.toml", "run_in_transaction = false # x")],
            Layout::Diesel,
            (No, None),
        ),
        (
            vec![("1/up.sql", "a"), ("1/metadata.toml", "run_in_transaction = true")],
            Layout::Diesel,
            (One, None),
        ),
        // Diesel's own reading of a file that does not say.
        (vec![("1/up.sql", "a"), ("1/metadata.toml", "")], Layout::Diesel, (No, None)),
    ] {
        assert_eq!(transaction(&files, layout), expected, "{layout:?} {files:?}");
    }
}

#[test]
fn what_is_no_folder_of_migrations_is_refused_by_name() {
    let some = Some;
    for (files, layout, expected) in [
        (vec![], None, "no migrations: it holds no .sql file"),
        (vec![("README.md", "")], some(Layout::Goose), "no migrations of layout goose"),
        (
            vec![("1.sql", "")],
            some(Layout::Sqlx),
            "no migrations of layout sqlx: \"1.sql\" is none",
        ),
        (
            vec![("1_a.sql", ""), ("01_b.sql", "")],
            None,
            "\"01_b.sql\" and \"1_a.sql\" both have version 1",
        ),
        (vec![("1_a.sql", ""), ("1_a.up.sql", "")], some(Layout::Sqlx), "both have version 1"),
        (
            vec![("1_a.up.sql", ""), ("1_a.up.sql.bak", "")],
            some(Layout::GolangMigrate),
            "both have version 1",
        ),
        (
            vec![("1_a.down.sql", ""), ("1_b.down.sql", ""), ("1_c.sql", "")],
            some(Layout::Sqlx),
            "both have",
        ),
        (vec![("1_a.sql", DBMATE), ("1_b.sql", DBMATE)], None, "both have version 1"),
        (vec![("2023-01_a/up.sql", ""), ("202301_b/up.sql", "")], None, "both have version 202301"),
        (vec![("V1__a.sql", ""), ("b/U1__b.sql", "")], None, "both have version 1"),
        (
            vec![("1_a.up.sql", ""), ("2_b.down.sql", "")],
            some(Layout::Sqlx),
            "takes back version 2, which no",
        ),
        (vec![("a.sql", ""), ("b.down.sql", "")], None, "takes back version b"),
        (vec![("1/up.sql", ""), ("2/down.sql", "")], None, "\"2\" has no up.sql"),
        (vec![("1/up.sql", ""), ("1/metadata.toml", "x =")], None, "line 1: no TOML"),
        (
            vec![("1_a.sql", GOOSE), ("2_b.sql", DBMATE)],
            None,
            "\"1_a.sql\" is goose, \"2_b.sql\" is dbmate",
        ),
        (
            vec![("V1__a.sql", ""), ("2_b.sql", "")],
            None,
            "\"2_b.sql\" is numbered, \"V1__a.sql\" is refinery",
        ),
        (
            vec![("1_a.sql", ""), ("schema.sql", "")],
            None,
            "\"1_a.sql\" is numbered, \"schema.sql\" is plain",
        ),
        (vec![("1x.sql", "")], None, "\"1x.sql\" is no name for a migration of layout numbered"),
        (
            vec![("V1__a.sql", ""), ("V2__b.rs", "")],
            None,
            "\"V2__b.rs\" is a migration written in Rust",
        ),
        (vec![("1_a.sql", GOOSE), ("2_b.go", "")], None, "\"2_b.go\" is a migration written in Go"),
        (vec![("1_a.sql", "-- +goose Up\nSELECT 1")], None, "\"1_a.sql\", line 2: the statement"),
        (vec![("1_a.sql", "-- migrate:up\n")], None, "\"1_a.sql\", line 2: no `-- migrate:down`"),
        (vec![("1_a.sql", "a\n\0b")], None, "the character NUL on line 2"),
        (vec![("none.sql", "")], None, "`none` is what"),
    ] {
        let found = read(&files, layout).unwrap_err().to_string();
        assert!(found.contains(expected), "{files:?}: {found}, not {expected}");
    }
    let odd = |path, entry| {
        Folder::of(&Tree::of([(path, entry)]), Some(Layout::Numbered), &Tables::default())
    };
    for (entry, expected) in [
        (Entry::Folder, "\"1_a.sql\" is a folder, not a file"),
        (Entry::Other("a symbolic link"), "\"1_a.sql\" is a symbolic link, not a file"),
        (Entry::BadName, "the name \"1_a.sql\" is not UTF-8"),
        (Entry::File(b"SELECT '\xff'".to_vec()), "\"1_a.sql\" is not UTF-8 from byte 8 on"),
    ] {
        assert_eq!(odd("1_a.sql", entry).unwrap_err().to_string(), expected);
    }
}

#[test]
fn links_folders_and_names_are_seen_as_they_lie_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let refused = || Folder::read(dir.path(), None, &Tables::default()).unwrap_err().to_string();
    fs::write(dir.path().join("1_a.sql"), "SELECT 1;").unwrap();
    fs::create_dir(dir.path().join("archive")).unwrap();
    fs::write(dir.path().join("archive/0_old.sql"), "\0").unwrap();
    let folder = Folder::read(dir.path(), None, &Tables::default()).unwrap();
    assert_eq!(folder.migrations[0].up.sql, "SELECT 1;");
    std::os::unix::fs::symlink("1_a.sql", dir.path().join("2_b.sql")).unwrap();
    assert!(refused().ends_with("\"2_b.sql\" is a symbolic link, not a file"), "{}", refused());
    fs::remove_file(dir.path().join("2_b.sql")).unwrap();
    fs::create_dir(dir.path().join("2_b.sql")).unwrap();
    assert!(refused().ends_with("\"2_b.sql\" is a folder, not a file"), "{}", refused());
    fs::remove_dir(dir.path().join("2_b.sql")).unwrap();
    let name = std::ffi::OsString::from_vec(b"2_\xff.sql".to_vec());
    fs::write(dir.path().join(name), "").unwrap();
    assert!(refused().contains("is not UTF-8"), "{}", refused());
    let missing = Folder::read(&dir.path().join("missing"), None, &Tables::default());
    assert!(missing.unwrap_err().to_string().contains("could not be read"));
}

/// Files whose names and contents are made of what the layouts look for.
#[derive(Debug, Clone)]
struct AnyFiles(Vec<(String, Option<Vec<u8>>)>);

impl Arbitrary for AnyFiles {
    fn arbitrary(g: &mut Gen) -> Self {
        let words = [
            "1",
            "01",
            "2",
            "10",
            "_",
            "__",
            "-",
            ".",
            "V",
            "U",
            "a",
            "é",
            "/",
            "up",
            "down",
            ".up.sql",
            ".down.sql",
            ".sql",
            ".go",
            ".rs",
            "up.sql",
            "metadata.toml",
            "none",
            "\n",
            "99999999999999999999",
        ];
        let lines = [
            "-- +goose Up\n",
            "-- +goose Down\n",
            "-- +goose StatementBegin\n",
            "-- +goose StatementEnd\n",
            "-- migrate:up\n",
            "-- migrate:down transaction:false\n",
            "SELECT 1;\n",
            "SELECT ';",
            "\r\n",
            "é",
            "\0",
            "-- no-transaction\n",
            "run_in_transaction = true\n",
            "/*",
        ];
        let mut text = |words: &[&str], most: usize| {
            let count = usize::arbitrary(g) % (most + 1);
            (0..count).map(|_| *g.choose(words).unwrap()).collect::<String>()
        };
        let files: Vec<(String, String)> =
            (0..6).map(|_| (text(&words, 5) + ".sql", text(&lines, 6))).collect();
        let made = |(name, text): (String, String)| {
            let bytes = match u8::arbitrary(g) % 8 {
                0 => None,
                1 => Some(Vec::arbitrary(g)),
                _ => Some(text.into_bytes()),
            };
            (name, bytes)
        };
        Self(files.into_iter().map(made).collect())
    }
}

#[test]
fn reading_never_panics_and_the_order_is_total() {
    fn holds(AnyFiles(files): AnyFiles) -> bool {
        let entry = |bytes: &Option<Vec<u8>>| bytes.clone().map_or(Entry::Folder, Entry::File);
        let entries: Vec<(&str, Entry)> =
            files.iter().map(|(name, bytes)| (name.as_str(), entry(bytes))).collect();
        let tree = Tree::of(entries);
        Layout::ALL.map(Some).into_iter().chain([None]).all(|layout| {
            let Ok(folder) = Folder::of(&tree, layout, &Tables::default()) else { return true };
            let ordered = folder.migrations.windows(2).all(|pair| in_order(folder.layout, pair));
            ordered && !folder.migrations.is_empty()
        })
    }
    /// The tool's own comparison: of numbers, of versions, or of file names.
    fn in_order(layout: Layout, pair: &[Migration]) -> bool {
        let number = |at: usize| pair[at].version.parse::<i64>().unwrap();
        match layout {
            Layout::Diesel | Layout::Plain => pair[0].version < pair[1].version,
            Layout::Dbmate => {
                pair[0].version != pair[1].version && pair[0].up.file < pair[1].up.file
            }
            _ => number(0) < number(1),
        }
    }
    QuickCheck::new().tests(3_000).quickcheck(holds as fn(AnyFiles) -> bool);
}
