//! `migration report`: what a run came to, in numbers, and what it lost.

use std::io::{self, Write};

use clap::Args;
use ledger_format::body::Purpose;
use serde::Serialize;
use serde_json::Value;

use super::context::Context;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line, plain};
use super::trace::{WhichRun, word};
use super::words::count;
use crate::diagnostic::Failure;
use crate::migrate::account::{LossyEntry, MigrationReport, ObjectReplay, report};
use crate::objects::PackObjects;

/// Lost things listed unless another number is asked for.
const LOSSY_DEFAULT: usize = 100;

/// Documents left out that are shown to people; a screen of them.
const LEFT_OUT_SHOWN_MAX: usize = 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: WhichRun,
    /// List at most so many of the things that were lost, and replay tuples of as many objects
    #[arg(long, value_name = "N", default_value_t = LOSSY_DEFAULT)]
    lossy: usize,
}

#[derive(Serialize)]
pub(super) struct Reported {
    migration_report: MigrationReport,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Reported>, Failure> {
    let ledger = context.open()?;
    let span = arguments.which.find(&ledger)?;
    let packs = PackObjects::open_read_only(&ledger.objects_dir())?;
    let migration_report = report(&ledger, &packs, &span, arguments.lossy)?;
    Ok(Done::new(Reported { migration_report }).next(&["migration", "certificate"]))
}

impl Answer for Reported {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let report = &self.migration_report;
        let purpose = match report.purpose {
            Purpose::Migrate => "migration",
            Purpose::Rollback => "rollback",
        };
        let title =
            format_args!("{purpose}, run {} ({})", report.run.short(), word(report.outcome));
        writeln!(out, "{}", paint.strong(title))?;
        writeln!(out, "  objects migrated  {}", report.objects_migrated)?;
        writeln!(out, "  objects failed    {}", report.objects_failed)?;
        writeln!(out, "  fields added      {}", report.field_additions)?;
        writeln!(out, "  fields removed    {}", report.field_removals)?;
        if report.not_counted > 0 {
            let objects = count(report.not_counted, "object");
            writeln!(out, "  fields of {objects} were not counted")?;
        }
        for id in report.documents_left_out.iter().take(LEFT_OUT_SHOWN_MAX) {
            writeln!(out, "  left out          {}", one_line(id))?;
        }
        let more = report.documents_left_out.len().saturating_sub(LEFT_OUT_SHOWN_MAX);
        if more > 0 {
            writeln!(out, "  left out          {more} more; --json lists them")?;
        }
        writeln!(out, "  lost              {}", count(report.values_lost, "value"))?;
        report.lossy.iter().try_for_each(|lossy| write_lossy(lossy, out))?;
        for ObjectReplay { object, replay } in &report.replay {
            writeln!(
                out,
                "  replay  {}  {} -> {}  {}  policy {}",
                plain(object),
                replay.source_hash.short(),
                replay.target_hash.short(),
                plain(&replay.migration_operator_id),
                replay.migration_policy_hash.short()
            )?;
        }
        match report.replay_not_listed {
            0 => Ok(()),
            more => writeln!(out, "    and {more} more; `migration certificate` has every one"),
        }
    }
}

pub(super) fn write_lossy(
    LossyEntry { object, what }: &LossyEntry,
    out: &mut dyn Write,
) -> io::Result<()> {
    let path = what.get("path").and_then(Value::as_str);
    let what = match (path, what.get("value")) {
        (Some(path), Some(value)) => format!("{path} = {value}"),
        _ => of_step(what),
    };
    writeln!(out, "    {}: {}", one_line(object), plain(&what))
}

/// Keys of rows that one line names.
const KEYS_SHOWN_MAX: usize = 5;

/// What one step took away from a database, in words; as it is kept, where it has another form.
fn of_step(what: &Value) -> String {
    let tables = what.get("tables").and_then(Value::as_array).into_iter().flatten();
    let mut parts: Vec<String> = tables.flat_map(of_table).collect();
    let listed = what.get("listed").and_then(Value::as_array).map(Vec::as_slice);
    let listed = listed.unwrap_or_default();
    let keys: Vec<String> = listed.iter().take(KEYS_SHOWN_MAX).filter_map(key).collect();
    if !keys.is_empty() {
        let more = match listed.len().saturating_sub(keys.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        parts.push(format!("rows {}{more}", keys.join(", ")));
    }
    if parts.is_empty() { what.to_string() } else { parts.join("; ") }
}

fn of_table(table: &Value) -> Vec<String> {
    let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or(0);
    let text = |of: &Value, name: &str| {
        of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let list = |name: &str| table.get(name).and_then(Value::as_array).into_iter().flatten();
    let (name, gone) = (text(table, "table"), number(table, "rows_gone"));
    let mut parts = Vec::new();
    if table.get("dropped") == Some(&Value::Bool(true)) {
        parts.push(format!("table {name} dropped, with {}", count(gone, "row")));
    } else if gone > 0 {
        parts.push(format!("{} of {name} gone", count(gone, "row")));
    }
    match number(table, "ids_changed") {
        0 => {}
        ids => parts.push(format!("{} of {name} changed", count(ids, "id"))),
    }
    parts.extend(list("values_changed").map(|column| {
        let rows = count(number(column, "rows"), "value");
        format!("{rows} of {name}.{} changed", text(column, "column"))
    }));
    parts.extend(list("dropped_columns").map(|column| {
        let values = count(number(column, "values"), "value");
        format!("column {name}.{} dropped, with {values}", text(column, "column"))
    }));
    parts
}

/// A row by its table and key.
fn key(row: &Value) -> Option<String> {
    let key = row.get("key")?.as_array()?.iter().map(|part| match part {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let key: Vec<String> = key.collect();
    Some(format!("{} {}", row.get("table")?.as_str()?, key.join("/")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_step_took_is_told_in_words() {
        let rows = |count: u64| {
            (0..count).map(|id| json!({"table": "t", "column": null, "key": [id, "a"]}))
        };
        let table = json!({"table": "t", "dropped": false, "rows_gone": 7, "ids_changed": 1,
            "values_changed": [{"column": "c", "rows": 2}],
            "dropped_columns": [{"column": "d", "values": 1}]});
        let gone = json!({"table": "u", "dropped": true, "rows_gone": 1, "ids_changed": 0,
            "values_changed": [], "dropped_columns": []});
        let what = json!({"tables": [table, gone], "listed": rows(7).collect::<Vec<_>>()});
        assert_eq!(
            of_step(&what),
            "7 rows of t gone; 1 id of t changed; 2 values of t.c changed; column t.d dropped, with 1 value; \
             table u dropped, with 1 row; rows t 0/a, t 1/a, t 2/a, t 3/a, t 4/a and 2 more"
        );
        assert_eq!(of_step(&json!({"other": 1})), r#"{"other":1}"#);
    }
}
