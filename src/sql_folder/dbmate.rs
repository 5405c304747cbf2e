//! The two directions of a dbmate migration, told apart by `-- migrate:up` and `-- migrate:down` as dbmate's
//! `pkg/dbmate/migration.go` does. Each keeps its lines where they are in the file.

use super::folder::Transaction;
use super::goose::Wrong;

/// Both directions of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sections {
    pub(super) up: Section,
    pub(super) down: Section,
}

/// One direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) sql: String,
    pub(super) transaction: Transaction,
}

/// Tells the directions of `text` apart.
pub(super) fn sections(text: &str) -> Result<Sections, Wrong> {
    let lines: Vec<&str> = text.split('\n').collect();
    let of = |direction: &str| {
        let marked = (1..).zip(&lines).filter(|(_, line)| options(line, direction).is_some());
        marked.map(|(number, _)| number).collect::<Vec<usize>>()
    };
    let (ups, downs) = (of("up"), of("down"));
    let up = *ups.first().ok_or((1, "no `-- migrate:up`"))?;
    if let Some(second) = ups.get(1) {
        return Err((*second, "a second `-- migrate:up`, which dbmate cannot record in SQLite"));
    }
    let before = (1..up).zip(&lines).find(|(_, line)| !is_nothing(line));
    if let Some((number, _)) = before {
        return Err((number, "SQL stands before `-- migrate:up`"));
    }
    let down = *downs.first().ok_or((lines.len(), "no `-- migrate:down`"))?;
    if down < up {
        return Err((down, "`-- migrate:down` stands before `-- migrate:up`"));
    }
    if let Some(second) = downs.get(1) {
        return Err((*second, "a second `-- migrate:down`"));
    }
    let end = lines.len() + 1;
    Ok(Sections { up: section(&lines, "up", up, down), down: section(&lines, "down", down, end) })
}

/// Whether a line says where the way up begins.
pub(super) fn begins(text: &str) -> bool {
    text.split('\n').any(|line| options(line, "up").is_some())
}

/// What stands behind the directive of that direction, if the line is one.
fn options<'a>(line: &'a str, direction: &str) -> Option<&'a str> {
    let rest = line.strip_prefix("--")?.trim_start_matches(is_space).strip_prefix("migrate:")?;
    let rest = rest.strip_prefix(direction)?;
    (rest.is_empty() || rest.starts_with(is_space)).then_some(rest)
}

/// White space as the regular expressions of Go have it.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0c' | '\r')
}

fn is_nothing(line: &str) -> bool {
    let line = line.trim_start_matches(is_space);
    line.is_empty() || line.starts_with("--")
}

/// The lines from the directive on line `from` to before line `to`, the directive left out.
fn section(lines: &[&str], direction: &str, from: usize, to: usize) -> Section {
    let mut sql = "\n".repeat(from);
    for line in lines.iter().take(to - 1).skip(from) {
        sql.push_str(line);
        sql.push('\n');
    }
    let directive = lines.get(from - 1).and_then(|line| options(line, direction));
    let mut pairs = directive.unwrap_or_default().split_whitespace().map(|pair| pair.split(':'));
    // The last one of a name counts; one with more than one colon does not.
    let mut transaction = Transaction::One;
    for mut pair in &mut pairs {
        if let (Some("transaction"), Some(value), None) = (pair.next(), pair.next(), pair.next()) {
            let none = value == "false";
            transaction = if none { Transaction::None } else { Transaction::One };
        }
    }
    Section { sql: sql.trim_end().to_owned() + "\n", transaction }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_keep_their_lines() {
        let text =
            "-- about\n\n-- migrate:up transaction:false\nVACUUM;\r\n\n--migrate:down\nSELECT 1;";
        let found = sections(text).unwrap();
        assert_eq!(found.up.sql, "\n\n\nVACUUM;\n");
        assert_eq!(found.up.transaction, Transaction::None);
        assert_eq!(found.down.sql, "\n\n\n\n\n\nSELECT 1;\n");
        assert_eq!(found.down.transaction, Transaction::One);
        assert!(begins(text) && !begins("-- migrate:upwards\n -- migrate:up"));
        let odd = "-- migrate:up transaction:false:x transaction:true\n-- migrate:down";
        assert_eq!(sections(odd).unwrap().up.transaction, Transaction::One);
    }

    #[test]
    fn what_dbmate_stumbles_over_is_refused_with_its_line() {
        for (text, line, reason) in [
            ("SELECT 1;", 1, "no `-- migrate:up`"),
            ("SELECT 1;\n-- migrate:up\n-- migrate:down", 1, "SQL stands before"),
            ("-- migrate:up\nSELECT 1;\n", 3, "no `-- migrate:down`"),
            ("-- migrate:down\n-- migrate:up\n", 1, "stands before"),
            ("-- migrate:up\n-- migrate:down\n-- migrate:down", 3, "a second `-- migrate:down`"),
            ("-- migrate:up\n-- migrate:down\n-- migrate:up\n-- migrate:down", 3, "a second"),
        ] {
            let (found, why) = sections(text).unwrap_err();
            assert!(found == line && why.contains(reason), "{text:?}: {found} {why}");
        }
    }
}
