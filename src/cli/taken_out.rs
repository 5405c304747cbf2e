//! What became of a database that went back over what no run had made: what left it, what came back, and what else is again as it
//! was. Decides nothing; tells one difference from three sides.

use std::io::{self, Write};

use serde::Serialize;

use super::diff::{column_words, declared_line};
use super::terminal::{Paint, one_line};
use super::words::count;
use crate::target::sqlite::{Change, Changes, TableChanges};

/// What differs since a database went back.
#[derive(Serialize)]
pub(super) struct TakenOut {
    /// Where drift was accepted that went with it.
    pub(super) accepted: Vec<u64>,
    pub(super) changes: Changes,
}

impl TakenOut {
    pub(super) fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let accepted = self.accepted.iter();
        let accepted = accepted.map(|seq| format!("the drift that was accepted at event {seq}"));
        let left = accepted.chain(self.of(Change::Removed)).collect::<Vec<_>>();
        if left.is_empty() {
            writeln!(out, "  nothing left the database")?;
        }
        write_under("left the database, and stays kept in the ledger:", &left, out)?;
        write_under("came back:", &self.of(Change::Added), out)?;
        write_under("is again as it was:", &self.of(Change::Changed), out)?;
        let same = format!("{} with the same rows", count(self.changes.tables_unchanged, "table"));
        writeln!(out, "  {}", paint.faint(same))
    }

    /// Lines about everything that this became of.
    fn of(&self, change: Change) -> Vec<String> {
        let Changes { declared, tables, settings, .. } = &self.changes;
        let declared = declared.iter().filter(|declared| declared.change == change);
        let mut lines: Vec<String> = declared.map(declared_line).collect();
        lines.extend(tables.iter().filter_map(|table| table_line(table, change)));
        if change == Change::Changed {
            lines.extend(settings.iter().map(|setting| {
                let (before, after) = (one_line(&setting.before), one_line(&setting.after));
                format!("~ {}: {before} -> {after}", setting.name)
            }));
        }
        lines
    }
}

/// What this became of in a table; nothing where nothing did. Values that others were written over have left.
fn table_line(table: &TableChanges, change: Change) -> Option<String> {
    let (rows, overwritten) = match change {
        Change::Removed => (table.removed, table.changed),
        Change::Added => (table.added, 0),
        Change::Changed => return None,
    };
    let rows = (rows > 0).then(|| count(rows, "row"));
    let overwritten =
        (overwritten > 0).then(|| format!("what {} held", count(overwritten, "other row")));
    let columns = table.columns.iter().filter(|column| column.change == change).map(column_words);
    let parts: Vec<String> = rows.into_iter().chain(overwritten).chain(columns).collect();
    (!parts.is_empty()).then(|| format!("{}: {}", one_line(&table.table), parts.join(", ")))
}

fn write_under(head: &str, lines: &[String], out: &mut dyn Write) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {head}")?;
    lines.iter().try_for_each(|line| writeln!(out, "    {line}"))
}

#[cfg(test)]
mod tests {
    use super::super::globals::ColorChoice;
    use super::*;
    use crate::target::sqlite::{ColumnValues, Declared, Kind};

    fn told(taken: &TakenOut) -> String {
        let mut out = Vec::new();
        taken.write(&mut out, Paint::of(&io::stdout(), ColorChoice::Never)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_comes_back_is_not_told_as_lost() {
        let declared = |kind, name: &str, change| Declared {
            kind,
            name: name.to_owned(),
            change,
            before: Some("TEXT".to_owned()).filter(|_| change != Change::Added),
            after: Some("TEXT".to_owned()).filter(|_| change != Change::Removed),
        };
        let column =
            |column: &str, change| ColumnValues { column: column.into(), change, values: 2 };
        let table = TableChanges {
            table: "users".to_owned(),
            rows_before: Some(4),
            rows_after: Some(3),
            added: 0,
            removed: 1,
            changed: 1,
            columns: vec![column("mail", Change::Added), column("tag", Change::Removed)],
        };
        let changes = Changes {
            declared: vec![
                declared(Kind::Table, "users", Change::Changed),
                declared(Kind::Column, "users.mail", Change::Added),
                declared(Kind::Column, "users.tag", Change::Removed),
            ],
            tables: vec![table],
            tables_unchanged: 1,
            settings: Vec::new(),
        };
        let taken = TakenOut { accepted: vec![7], changes };
        let expected = "  left the database, and stays kept in the ledger:
    the drift that was accepted at event 7
    - column users.tag TEXT
    users: 1 row, what 1 other row held, column tag with 2 values
  came back:
    + column users.mail TEXT
    users: column mail with 2 values
  is again as it was:
    ~ table users
  1 table with the same rows
";
        assert_eq!(told(&taken), expected);
        let nothing = TakenOut { accepted: Vec::new(), changes: Changes::default() };
        assert!(told(&nothing).starts_with("  nothing left the database\n"));
    }
}
