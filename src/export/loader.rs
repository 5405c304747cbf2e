//! How other programs read an export: for each of them a text that names every column and its type,
//! so that nothing is guessed. Made from the one table of columns; the texts around it lie beside
//! this file.

use std::fmt::Write as _;

use ledger_format::column::{Column, Holds};
use ledger_format::flat::{FLAT_SCHEMA, TYPES_SCHEMA, flat_columns};
use ledger_format::json::NUMBER_MAX;
use ledger_format::line::{COLUMNS, LINE_SCHEMA};
use ledger_format::proved::{PROVED_SCHEMA, proved_columns};
use serde_json::{Map, Value, json};

/// A program that can be told what the columns of an export hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// `DuckDB`: SQL that defines a table macro `ledger_events(files)`.
    Duckdb,
    /// Polars: a Python module with a function `scan(path)`.
    Polars,
    /// Whatever reads JSON Schema (2020-12): the schema of a line.
    JsonSchema,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The lines that can be verified.
    Lines,
    /// The flat lines, and the line of types before them.
    Flat,
    /// The lines of a filtered export.
    Proved,
}

impl Form {
    fn columns(self) -> Vec<Column> {
        match self {
            Self::Lines => COLUMNS.to_vec(),
            Self::Flat => flat_columns().collect(),
            Self::Proved => proved_columns().collect(),
        }
    }

    /// The schemas of its lines, that of the first line first.
    const fn schemas(self) -> &'static [&'static str] {
        match self {
            Self::Lines => &[LINE_SCHEMA],
            Self::Flat => &[TYPES_SCHEMA, FLAT_SCHEMA],
            Self::Proved => &[PROVED_SCHEMA],
        }
    }

    /// The command that makes it.
    const fn command(self) -> &'static str {
        match self {
            Self::Lines => "glyph-ledger export",
            Self::Flat => "glyph-ledger export --flat",
            Self::Proved => "glyph-ledger export --kind KIND",
        }
    }
}

impl Reader {
    /// The text that makes this program read exports of `form`, exactly as this version writes them.
    pub fn loader(self, form: Form) -> String {
        match self {
            Self::Duckdb => fill(include_str!("loader/duckdb.sql"), form, duckdb_type),
            Self::Polars => fill(include_str!("loader/polars.py"), form, polars_type),
            Self::JsonSchema => format!("{:#}\n", json_schema(form)),
        }
    }
}

/// The template with its places in capitals filled in.
fn fill(template: &str, form: Form, type_of: fn(Holds) -> &'static str) -> String {
    let mut columns = String::new();
    for Column { name, holds, .. } in form.columns() {
        let _infallible = writeln!(columns, "    \"{name}\": {},", type_of(holds));
    }
    let schemas = form.schemas();
    let quoted: Vec<_> = schemas.iter().map(|schema| format!("'{schema}'")).collect();
    template
        .replace("    COLUMNS\n", &columns)
        .replace("FIRST_SCHEMA", schemas.first().copied().unwrap_or_default())
        .replace("SCHEMAS", &quoted.join(", "))
        .replace("COMMAND", form.command())
}

const fn duckdb_type(holds: Holds) -> &'static str {
    match holds {
        Holds::Text => "'VARCHAR'",
        Holds::Integer => "'BIGINT'",
        Holds::Boolean => "'BOOLEAN'",
    }
}

const fn polars_type(holds: Holds) -> &'static str {
    match holds {
        Holds::Text => "pl.String",
        Holds::Integer => "pl.Int64",
        Holds::Boolean => "pl.Boolean",
    }
}

fn json_schema(form: Form) -> Value {
    let columns = form.columns();
    let properties = columns.iter().map(|column| (column.name.to_owned(), property(*column, form)));
    let names: Vec<_> = columns.iter().map(|column| column.name).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("A line of `{}`", form.command()),
        "type": "object",
        "additionalProperties": false,
        "required": names,
        "properties": properties.collect::<Map<_, _>>(),
    })
}

fn property(Column { name, holds, nullable }: Column, form: Form) -> Value {
    let (kind, maximum) = match holds {
        Holds::Text => ("string", None),
        Holds::Integer => ("integer", u64::try_from(NUMBER_MAX).ok()),
        Holds::Boolean => ("boolean", None),
    };
    let mut property = Map::new();
    property.insert(
        "type".to_owned(),
        if nullable { json!([kind, "null"]) } else { Value::from(kind) },
    );
    if let Some(maximum) = maximum {
        property.insert("minimum".to_owned(), 0.into());
        property.insert("maximum".to_owned(), maximum.into());
    }
    if name == "schema" {
        property.insert("enum".to_owned(), form.schemas().into());
    }
    Value::Object(property)
}

#[cfg(test)]
mod tests {
    use super::*;

    const READERS: [Reader; 3] = [Reader::Duckdb, Reader::Polars, Reader::JsonSchema];

    #[test]
    fn every_loader_names_every_column_once_and_has_no_place_left_open() {
        for form in [Form::Lines, Form::Flat, Form::Proved] {
            for reader in READERS {
                let text = reader.loader(form);
                for Column { name, .. } in form.columns() {
                    let key = format!("\n    \"{name}\": ");
                    assert_eq!(text.matches(&key).count(), 1, "{name} in {text}");
                }
                assert!(
                    text.contains(form.schemas()[0]) && text.contains(form.command()),
                    "{text}"
                );
                for place in ["COLUMNS", "SCHEMAS", "FIRST_SCHEMA", "COMMAND"] {
                    assert!(!text.contains(place), "{place} in {text}");
                }
            }
        }
    }

    #[test]
    fn loaders_of_lines() {
        insta::assert_snapshot!("duckdb", Reader::Duckdb.loader(Form::Lines));
        insta::assert_snapshot!("polars", Reader::Polars.loader(Form::Lines));
        insta::assert_snapshot!("json_schema", Reader::JsonSchema.loader(Form::Lines));
        insta::assert_snapshot!("json_schema_proved", Reader::JsonSchema.loader(Form::Proved));
        insta::assert_snapshot!("duckdb_flat", Reader::Duckdb.loader(Form::Flat));
    }
}
