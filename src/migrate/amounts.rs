//! What a loss comes to, each kind of thing counted by itself, in words. Knows summaries of losses; measures nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::loss::{LossSummary, LostValues};

/// What kind of thing an entry of a [`LossSummary`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LostKind {
    /// A table, with its rows.
    Table,
    /// Rows of a table that stays.
    Rows,
    /// Rows that have another key.
    Ids,
    /// A column, with its values.
    Column,
    /// Values of a column that stays.
    Values,
}

impl LostKind {
    /// Reads the name of an entry: what it is of, and which kind of thing is counted. Where a table or column is gone, a
    /// point tells the two apart; a table with a point in its name is told as a column.
    fn of<'a>(name: &'a str, lost: &LostValues) -> (&'a str, Self) {
        if lost.dropped {
            let kind = if name.contains('.') { Self::Column } else { Self::Table };
            return (name, kind);
        }
        for (ending, kind) in
            [(" (rows)", Self::Rows), (" (ids)", Self::Ids), (" (values)", Self::Values)]
        {
            if let Some(of) = name.strip_suffix(ending) {
                return (of, kind);
            }
        }
        (name, Self::Values)
    }
}

/// One entry of a [`LossSummary`] in words: "posts: 2 rows gone".
pub fn in_words(name: &str, lost: &LostValues) -> String {
    let (of, kind) = LostKind::of(name, lost);
    let number = |thing| counted(lost.values, thing);
    match kind {
        LostKind::Table => format!("{of}: the table, with {}", number("row")),
        LostKind::Column => format!("{of}: the column, with {}", number("value")),
        LostKind::Rows => format!("{of}: {} gone", number("row")),
        LostKind::Ids => format!("{of}: {} under another id", number("row")),
        LostKind::Values => format!("{of}: {} changed", number("value")),
    }
}

fn counted(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// How much of each kind is lost: "1 table, 3 rows and 2 values".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Amounts {
    tables: u64,
    columns: u64,
    rows: u64,
    ids: u64,
    values: u64,
}

impl Amounts {
    /// Of a loss of nothing but values, as documents have it.
    pub const fn values(values: u64) -> Self {
        Self { tables: 0, columns: 0, rows: 0, ids: 0, values }
    }

    /// Of all that a run has kept of what one object lost; `None` where that is not the `total` that its event states.
    pub fn of_kept(kept: &[serde_json::Value], total: u64) -> Option<Self> {
        let values = || Self::values(kept.len() as u64);
        let amounts = summed(kept).map_or_else(values, |loss| Self::of(&loss));
        let Self { rows, ids, values, .. } = amounts;
        (rows.checked_add(ids)?.checked_add(values)? == total).then_some(amounts)
    }

    /// Of everything in a summary.
    pub fn of(summary: &LossSummary) -> Self {
        let each = summary.iter().map(|(name, lost)| Self::of_entry(name, lost));
        each.fold(Self::default(), Self::and)
    }

    /// Of one entry of a summary.
    pub fn of_entry(name: &str, lost: &LostValues) -> Self {
        let nothing = Self::default();
        match LostKind::of(name, lost).1 {
            LostKind::Table => Self { tables: 1, rows: lost.values, ..nothing },
            LostKind::Column => Self { columns: 1, values: lost.values, ..nothing },
            LostKind::Rows => Self { rows: lost.values, ..nothing },
            LostKind::Ids => Self { ids: lost.values, ..nothing },
            LostKind::Values => Self::values(lost.values),
        }
    }

    /// Whether anything is in it. A table without rows and a column without values held nothing.
    pub const fn holds_something(self) -> bool {
        self.rows > 0 || self.ids > 0 || self.values > 0
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            tables: self.tables.saturating_add(other.tables),
            columns: self.columns.saturating_add(other.columns),
            rows: self.rows.saturating_add(other.rows),
            ids: self.ids.saturating_add(other.ids),
            values: self.values.saturating_add(other.values),
        }
    }
}

impl fmt::Display for Amounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            (self.tables, "table"),
            (self.rows, "row"),
            (self.ids, "id"),
            (self.columns, "column"),
            (self.values, "value"),
        ];
        let words = all.into_iter().filter(|(number, _)| *number > 0);
        let words: Vec<String> = words.map(|(number, thing)| counted(number, thing)).collect();
        match words.as_slice() {
            [] => f.write_str("nothing"),
            [one] => f.write_str(one),
            [first @ .., last] => write!(f, "{} and {last}", first.join(", ")),
        }
    }
}

/// What a run has kept of the loss of steps of a database (SPEC §8.4), summed; `None` for what a document lost.
pub fn summed<'a>(kept: impl IntoIterator<Item = &'a serde_json::Value>) -> Option<LossSummary> {
    let mut summary = LossSummary::default();
    for step in kept {
        let step = Step::deserialize(step).ok()?;
        for (name, lost) in step.tables.iter().flat_map(OfTable::entries) {
            let sum: &mut LostValues = summary.entry(name).or_default();
            sum.dropped |= lost.dropped;
            sum.values = sum.values.saturating_add(lost.values);
        }
    }
    Some(summary)
}

#[derive(Deserialize)]
struct Step {
    tables: Vec<OfTable>,
}

#[derive(Deserialize)]
struct OfTable {
    table: String,
    dropped: bool,
    rows_gone: u64,
    ids_changed: u64,
    values_changed: Vec<Changed>,
    dropped_columns: Vec<Dropped>,
}

#[derive(Deserialize)]
struct Changed {
    column: String,
    rows: u64,
}

#[derive(Deserialize)]
struct Dropped {
    column: String,
    values: u64,
}

impl OfTable {
    /// Under the names that a summary has.
    fn entries(&self) -> Vec<(String, LostValues)> {
        let Self { table, dropped, rows_gone, ids_changed, values_changed, dropped_columns } = self;
        let stays = |values: u64| LostValues { dropped: false, values };
        let goes = |values: u64| LostValues { dropped: true, values };
        let mut entries = Vec::new();
        match (dropped, rows_gone) {
            (true, rows) => entries.push((table.clone(), goes(*rows))),
            (false, 0) => {}
            (false, rows) => entries.push((format!("{table} (rows)"), stays(*rows))),
        }
        if *ids_changed > 0 {
            entries.push((format!("{table} (ids)"), stays(*ids_changed)));
        }
        entries.extend(
            dropped_columns
                .iter()
                .map(|Dropped { column, values }| (format!("{table}.{column}"), goes(*values))),
        );
        entries.extend(
            values_changed.iter().map(|Changed { column, rows }| {
                (format!("{table}.{column} (values)"), stays(*rows))
            }),
        );
        entries
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ledger_format::json::to_json;

    use super::super::loss::summary_of;
    use super::*;
    use crate::target::sqlite::{DroppedColumn, Loss, TableLoss};

    fn loss() -> Loss {
        let dropped =
            TableLoss { table: "a".into(), dropped: true, rows_gone: 3, ..TableLoss::default() };
        let changed = TableLoss {
            table: "b".into(),
            rows_gone: 1,
            ids_changed: 2,
            dropped_columns: vec![DroppedColumn { column: "x".into(), values: 4 }],
            values_changed: BTreeMap::from([("y".to_owned(), 5)]),
            ..TableLoss::default()
        };
        Loss { tables: vec![dropped, changed], ..Loss::default() }
    }

    #[test]
    fn each_kind_of_thing_is_counted_by_itself() {
        let told = Amounts::of(&summary_of(&loss())).to_string();
        assert_eq!(told, "1 table, 4 rows, 2 ids, 1 column and 9 values");
        assert_eq!(Amounts::values(1).to_string(), "1 value");
        assert_eq!(Amounts::default().to_string(), "nothing");
        let two = Amounts::values(2).and(Amounts { rows: 1, ..Amounts::default() });
        assert_eq!(two.to_string(), "1 row and 2 values");
    }

    #[test]
    fn what_a_run_has_kept_sums_to_what_its_steps_lost() {
        let kept = to_json(&loss().to_value());
        assert_eq!(summed([&kept]), Some(summary_of(&loss())));
        let twice = summed([&kept, &kept]).unwrap();
        assert_eq!(twice.get("b (rows)"), Some(&LostValues { dropped: false, values: 2 }));
        let of_document = serde_json::json!({ "path": "/a", "value": 1 });
        assert_eq!(summed([&of_document]), None);
        assert_eq!(Amounts::of_kept(&[of_document], 1), Some(Amounts::values(1)));
        let told =
            Amounts::of_kept(std::slice::from_ref(&kept), 15).map(|amounts| amounts.to_string());
        assert_eq!(told.as_deref(), Some("1 table, 4 rows, 2 ids, 1 column and 9 values"));
        assert_eq!(Amounts::of_kept(&[kept], 16), None);
    }
}
