//! Columns of export lines: their names and what they hold (SPEC §11). The one table from which
//! schemas for other programs are made. Knows no line.

/// A column of every line of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The key in the line's JSON object.
    pub name: &'static str,
    /// What it holds where it is not null.
    pub holds: Holds,
    /// Whether it is null on some lines.
    pub nullable: bool,
}

/// What a column holds: one JSON type, the same on every line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A string.
    Text,
    /// A number without fraction, from 0 to 2^53 − 1.
    Integer,
    /// true or false.
    Boolean,
}

impl Column {
    pub(crate) const fn text(name: &'static str) -> Self {
        Self { name, holds: Holds::Text, nullable: false }
    }

    pub(crate) const fn integer(name: &'static str) -> Self {
        Self { name, holds: Holds::Integer, nullable: false }
    }

    pub(crate) const fn or_null(self) -> Self {
        Self { nullable: true, ..self }
    }
}

/// Whether `value` is what `column` may hold.
#[cfg(test)]
pub(crate) fn holds(column: Column, value: &serde_json::Value) -> bool {
    const MAX: u64 = (1 << 53) - 1;
    match column.holds {
        _ if value.is_null() => column.nullable,
        Holds::Text => value.is_string(),
        Holds::Integer => value.as_u64().is_some_and(|number| number <= MAX),
        Holds::Boolean => value.is_boolean(),
    }
}
