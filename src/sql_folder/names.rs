//! What each layout reads out of a file's name, as its tool does:
//!
//! - sqlx: `sqlx-core/src/migrate/source.rs` and `migration_type.rs`
//! - golang-migrate: `source/parse.go`
//! - Diesel: `migrations_internals/src/lib.rs`
//! - refinery: `refinery_core/src/util.rs`
//! - goose: `NumericComponent` in `migration.go`, `migrate.go`
//! - dbmate: `pkg/dbmate/db.go`
//!
//! Names that a tool passes over are none; names that it stumbles over are refused with a reason.

use super::layout::{Key, Layout};

/// What a name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The version, as the tool's table has it.
    pub(super) version: String,
    /// Where it stands among the others.
    pub(super) key: Key,
    /// What it is about.
    pub(super) title: String,
    /// What of the migration the file holds.
    pub(super) part: Part,
}

/// What of a migration a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What applies it.
    Up,
    /// What takes it back.
    Down,
    /// Both, told apart by directives.
    Both,
    /// A program in this language.
    Program(&'static str),
}

/// None for a name that the tool passes over, and why a name is refused.
pub(super) type Reading = Result<Option<Name>, &'static str>;

/// Whether a name ends as scripts do; to the tools, capital letters are others.
pub(super) fn is_script(name: &str) -> bool {
    name.strip_suffix(".sql").is_some()
}

const NO_NUMBER: &str = "it does not begin with a number";
const TOO_LARGE: &str = "its number is too large";

/// What the file at `path`, relative to the folder, is to `layout`.
pub(super) fn read(layout: Layout, path: &str) -> Reading {
    match layout {
        Layout::Diesel => diesel(path),
        Layout::Refinery => refinery(path.rsplit('/').next().unwrap_or(path)),
        _ if path.contains('/') => Ok(None),
        Layout::Numbered => numbered(path),
        Layout::Sqlx => sqlx(path),
        Layout::GolangMigrate => golang_migrate(path),
        Layout::Goose => goose(path),
        Layout::Dbmate => Ok(dbmate(path)),
        Layout::Plain => plain(path),
    }
}

/// Whether any layout reads the bytes of a file of that path.
pub(super) fn may_be_read(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    is_script(name) || name == "metadata.toml" || !matches!(golang_migrate(name), Ok(None))
}

fn numbered(name: &str) -> Reading {
    let Some(stem) = script_stem(name)? else { return Ok(None) };
    let (stem, part) = direction(stem);
    let (digits, rest) = leading_digits(stem);
    if digits.is_empty() {
        return Err(NO_NUMBER);
    }
    if !rest.is_empty() && !rest.starts_with(['_', '-', '.', ' ']) {
        return Err("between number and name there must be _, -, . or a space");
    }
    let number: i64 = digits.parse().map_err(|_| TOO_LARGE)?;
    Ok(Some(Name { part, version: digits.to_owned(), ..by_number(number, words(rest)) }))
}

fn plain(name: &str) -> Reading {
    let Some(stem) = script_stem(name)? else { return Ok(None) };
    let (stem, part) = direction(stem);
    if stem.is_empty() {
        return Err("nothing stands before .sql");
    }
    let key = Key::Letters(stem.to_owned());
    Ok(Some(Name { version: stem.to_owned(), key, title: words(stem), part }))
}

fn sqlx(name: &str) -> Reading {
    let Some((version, rest)) = name.split_once('_') else { return Ok(None) };
    if !is_script(rest) {
        return Ok(None);
    }
    let number: i64 =
        version.parse().map_err(|_| "what stands before the first _ is no integer of 64 bits")?;
    let (suffix, part) = if rest.ends_with(".up.sql") {
        (".up.sql", Part::Up)
    } else if rest.ends_with(".down.sql") {
        (".down.sql", Part::Down)
    } else {
        (".sql", Part::Up)
    };
    let title = rest.trim_end_matches(suffix).replace('_', " ");
    Ok(Some(Name { part, ..by_number(number, title) }))
}

fn golang_migrate(name: &str) -> Reading {
    let (digits, rest) = leading_digits(name);
    let Some(rest) = rest.strip_prefix('_').filter(|rest| !rest.contains('\n')) else {
        return Ok(None);
    };
    if digits.is_empty() {
        return Ok(None);
    }
    let last = [(".up.", Part::Up), (".down.", Part::Down)];
    let last = last.map(|(mark, part)| rest.rfind(mark).map(|at| (at, part)));
    let Some((at, part)) = last.into_iter().flatten().max_by_key(|(at, _)| *at) else {
        return Ok(None);
    };
    let number: i64 = digits.parse().map_err(|_| TOO_LARGE)?;
    let title = rest.get(..at).unwrap_or_default().to_owned();
    Ok(Some(Name { part, ..by_number(number, title) }))
}

fn diesel(path: &str) -> Reading {
    let Some((folder, file)) = path.split_once('/') else { return Ok(None) };
    let part = match file {
        "up.sql" => Part::Up,
        "down.sql" => Part::Down,
        _ => return Ok(None),
    };
    if folder.starts_with('.') {
        return Ok(None);
    }
    let (version, title) = folder.split_once('_').unwrap_or((folder, ""));
    let version = version.replace('-', "");
    if version.is_empty() {
        return Err("no version stands before the first _");
    }
    Ok(Some(Name { key: Key::Letters(version.clone()), version, title: words(title), part }))
}

fn refinery(name: &str) -> Reading {
    let (stem, part) = match (name.strip_suffix(".sql"), name.strip_suffix(".rs")) {
        (Some(stem), _) => (stem, Part::Up),
        (None, Some(stem)) => (stem, Part::Program("Rust")),
        (None, None) => return Ok(None),
    };
    let Some(rest) = stem.strip_prefix(['U', 'V']) else { return Ok(None) };
    let (digits, rest) = leading_digits(rest);
    let (fraction, rest) = match rest.strip_prefix('.').map(leading_digits) {
        Some((fraction, rest)) => (fraction, rest),
        None => ("", rest),
    };
    let Some(title) = rest.strip_prefix("__") else { return Ok(None) };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if digits.is_empty() || title.is_empty() || !title.chars().all(is_word) {
        return Ok(None);
    }
    if !fraction.is_empty() {
        return Err("refinery takes whole numbers only");
    }
    let number: i64 = digits.parse().map_err(|_| TOO_LARGE)?;
    Ok(Some(Name { part, ..by_number(number, title.to_owned()) }))
}

fn goose(name: &str) -> Reading {
    let (part, is_sql) = match (name.strip_suffix(".sql"), name.strip_suffix(".go")) {
        (Some(_), _) => (Part::Both, true),
        (None, Some(stem)) if !stem.ends_with("_test") => (Part::Program("Go"), false),
        _ => return Ok(None),
    };
    let number = name.split_once('_').and_then(|(number, _)| number.parse::<i64>().ok());
    match number {
        Some(number) if number > 0 => {
            let title = name.split_once('_').map_or("", |(_, rest)| rest);
            let title = words(title.trim_end_matches(".sql").trim_end_matches(".go"));
            Ok(Some(Name { part, ..by_number(number, title) }))
        }
        _ if is_sql => Err("what stands before the first _ is no number above 0"),
        _ => Ok(None),
    }
}

fn dbmate(name: &str) -> Option<Name> {
    let stem = name.strip_suffix(".sql").filter(|stem| !stem.contains('\n'))?;
    let (digits, rest) = leading_digits(stem);
    let key = Key::Letters(name.to_owned());
    (!digits.is_empty()).then(|| Name {
        version: digits.to_owned(),
        key,
        title: words(rest),
        part: Part::Both,
    })
}

fn by_number(number: i64, title: String) -> Name {
    Name { version: number.to_string(), key: Key::Number(number), title, part: Part::Up }
}

/// The name without `.sql`; a name that has it in other letters would silently be passed over.
fn script_stem(name: &str) -> Result<Option<&str>, &'static str> {
    match name.strip_suffix(".sql") {
        Some(stem) => Ok(Some(stem)),
        None if name.to_ascii_lowercase().ends_with(".sql") => {
            Err("only names that end in .sql, in small letters, are read")
        }
        None => Ok(None),
    }
}

fn direction(stem: &str) -> (&str, Part) {
    if let Some(stem) = stem.strip_suffix(".down") {
        return (stem, Part::Down);
    }
    (stem.strip_suffix(".up").unwrap_or(stem), Part::Up)
}

pub(super) fn leading_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn words(text: &str) -> String {
    text.trim_matches(['_', '-', '.', ' ']).replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version and part of a name, or what became of it.
    fn said(layout: Layout, path: &str) -> String {
        match read(layout, path) {
            Err(reason) => format!("refused: {reason}"),
            Ok(None) => "passed over".to_owned(),
            Ok(Some(name)) => format!("{} {:?} {:?}", name.version, name.part, name.title),
        }
    }

    #[test]
    fn each_layout_reads_names_as_its_tool_does() {
        use Layout::{Dbmate, Diesel, GolangMigrate, Goose, Numbered, Plain, Refinery, Sqlx};
        for (layout, path, expected) in [
            (Numbered, "0001_add_users.sql", "0001 Up \"add users\""),
            (Numbered, "20230101120000-x.sql", "20230101120000 Up \"x\""),
            (Numbered, "3.sql", "3 Up \"\""),
            (Numbered, "3_x.up.sql", "3 Up \"x\""),
            (Numbered, "3_x.down.sql", "3 Down \"x\""),
            (Numbered, "3x.sql", "refused: between number and name"),
            (Numbered, "schema.sql", "refused: it does not begin"),
            (Numbered, "99999999999999999999.sql", "refused: its number is too large"),
            (Numbered, "3_x.SQL", "refused: only names that end in .sql"),
            (Numbered, "README.md", "passed over"),
            (Numbered, "old/1_x.sql", "passed over"),
            (Sqlx, "0001_add_users.sql", "1 Up \"add users\""),
            (Sqlx, "1_a.up.sql", "1 Up \"a\""),
            (Sqlx, "1_a.down.sql", "1 Down \"a\""),
            (Sqlx, "1_a.sql.sql", "1 Up \"a\""),
            (Sqlx, "-5_a.sql", "-5 Up \"a\""),
            (Sqlx, "1.sql", "passed over"),
            (Sqlx, "1_a.txt", "passed over"),
            (Sqlx, "full_schema.sql", "refused: what stands before the first _"),
            (GolangMigrate, "0002_b_c.up.sql", "2 Up \"b_c\""),
            (GolangMigrate, "2_b.down.sql", "2 Down \"b\""),
            (GolangMigrate, "2_b.up.down.sql", "2 Down \"b.up\""),
            (GolangMigrate, "2_.up.sql", "2 Up \"\""),
            (GolangMigrate, "2_b.up.sql.bak", "2 Up \"b\""),
            (GolangMigrate, "2_b.sql", "passed over"),
            (GolangMigrate, "-2_b.up.sql", "passed over"),
            (GolangMigrate, "18446744073709551615_b.up.sql", "refused: its number is too large"),
            (Diesel, "2023-01-01-120000_add_users/up.sql", "20230101120000 Up \"add users\""),
            (Diesel, "00000000000000/down.sql", "00000000000000 Down \"\""),
            (Diesel, "x/notes.md", "passed over"),
            (Diesel, ".git/up.sql", "passed over"),
            (Diesel, "a/b/up.sql", "passed over"),
            (Diesel, "up.sql", "passed over"),
            (Diesel, "_x/up.sql", "refused: no version"),
            (Refinery, "V1__initial.sql", "1 Up \"initial\""),
            (Refinery, "a/b/U020__x_y.sql", "20 Up \"x_y\""),
            (Refinery, "V2__x.rs", "2 Program(\"Rust\") \"x\""),
            (Refinery, "V1.5__x.sql", "refused: refinery takes whole"),
            (Refinery, "V1_x.sql", "passed over"),
            (Refinery, "V1__x-y.sql", "passed over"),
            (Refinery, "|1__x.sql", "passed over"),
            (Refinery, "v1__x.sql", "passed over"),
            (Goose, "00001_a_b.sql", "1 Both \"a b\""),
            (Goose, "2_b.go", "2 Program(\"Go\") \"b\""),
            (Goose, "2_b_test.go", "passed over"),
            (Goose, "main.go", "passed over"),
            (Goose, "0_a.sql", "refused: what stands before the first _ is no number above 0"),
            (Goose, "schema.sql", "refused: what stands before"),
            (Dbmate, "20230101_a.sql", "20230101 Both \"a\""),
            (Dbmate, "007.sql", "007 Both \"\""),
            (Dbmate, "7up.sql", "7 Both \"up\""),
            (Dbmate, "a7.sql", "passed over"),
            (Plain, "users.sql", "users Up \"users\""),
            (Plain, "users.down.sql", "users Down \"users\""),
            (Plain, ".sql", "refused: nothing stands"),
            (Plain, "notes.txt", "passed over"),
        ] {
            let found = said(layout, path);
            assert!(found.starts_with(expected), "{layout:?} {path}: {found}, not {expected}");
        }
    }
}
