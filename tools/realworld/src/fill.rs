//! Puts made-up rows into the empty tables of a database, so that a migration after them has something to lose. Values follow
//! from the names of table and column and the row's number, and foreign keys name rows that are there.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// Puts `rows` rows into each empty table; returns how many rows the database has then, and the tables that took none.
pub(crate) fn fill(connection: &Connection, rows: u32) -> rusqlite::Result<(u64, Vec<String>)> {
    connection.execute_batch("PRAGMA foreign_keys = OFF; BEGIN")?;
    let mut waiting = Vec::new();
    for table in tables(connection)? {
        if count(connection, &table)? == 0 {
            waiting.push(table);
        }
    }
    // A table is filled when those that its rows name are; in a circle, the first comes first.
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|table| is_ready(connection, table, &waiting));
        let table = waiting.remove(ready.unwrap_or(0));
        for number in 1..=rows {
            insert(connection, &table, number)?;
        }
    }
    connection.execute_batch("COMMIT")?;
    let (mut total, mut empty) = (0, Vec::new());
    for table in tables(connection)? {
        match count(connection, &table)? {
            0 => empty.push(table),
            rows => total += rows,
        }
    }
    Ok((total, empty))
}

/// Neither virtual tables, nor those that belong to one, nor SQLite's own.
fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM pragma_table_list
        WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

fn count(connection: &Connection, table: &str) -> rusqlite::Result<u64> {
    let sql = format!("SELECT count(*) FROM {}", quoted(table));
    connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

fn is_ready(connection: &Connection, table: &str, waiting: &[String]) -> bool {
    let keys = foreign_keys(connection, table).unwrap_or_default();
    !keys.iter().any(|key| {
        let among = |name: &String| name.eq_ignore_ascii_case(&key.parent);
        !key.parent.eq_ignore_ascii_case(table) && waiting.iter().any(among)
    })
}

/// A row of all columns, or where a rule of the table refuses that, of those alone that have no default.
fn insert(connection: &Connection, table: &str, number: u32) -> rusqlite::Result<()> {
    let columns = columns(connection, table)?;
    let keys = foreign_keys(connection, table)?;
    for needed_only in [false, true] {
        let chosen: Vec<&Column> =
            columns.iter().filter(|column| !needed_only || column.needed).collect();
        let mut values = Vec::new();
        for column in &chosen {
            let key = keys.iter().find(|key| key.column.eq_ignore_ascii_case(&column.name));
            values.push(match key {
                Some(key) => parent_value(connection, table, key, number)?,
                None => column.value(table, number),
            });
        }
        let names: Vec<String> = chosen.iter().map(|column| quoted(&column.name)).collect();
        let marks = vec!["?"; names.len()].join(", ");
        let (table, names) = (quoted(table), names.join(", "));
        let sql = format!("INSERT INTO {table} ({names}) VALUES ({marks})");
        if connection.execute(&sql, params_from_iter(values)).is_ok() {
            break;
        }
    }
    Ok(())
}

struct Column {
    name: String,
    declared: String,
    /// Whether a row cannot do without: a key, or not null without a default.
    needed: bool,
}

impl Column {
    fn value(&self, table: &str, number: u32) -> Value {
        let declared = self.declared.to_ascii_uppercase();
        let is = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        if is(&["BOOL"]) {
            Value::Integer(i64::from(number % 2))
        } else if is(&["DATE", "TIMESTAMP"]) {
            Value::Text(format!("2024-01-{:02} 12:00:00", number % 28 + 1))
        } else if is(&["INT", "NUM", "DEC"]) {
            Value::Integer(i64::from(number))
        } else if is(&["REAL", "FLOA", "DOUB"]) {
            Value::Real(f64::from(number) + 0.5)
        } else if is(&["BLOB"]) {
            Value::Blob(format!("{table}.{} {number}", self.name).into_bytes())
        } else {
            Value::Text(format!("{table}.{} {number}", self.name))
        }
    }
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    // Where the default is a JSON value, a made-up text would be none.
    let sql = "SELECT name, type, (\"notnull\" AND dflt_value IS NULL) OR pk > 0 FROM pragma_table_info(?1)
        WHERE dflt_value IS NULL OR substr(dflt_value, 2, 1) NOT IN ('{', '[')";
    let column = |row: &rusqlite::Row<'_>| {
        Ok(Column { name: row.get(0)?, declared: row.get(1)?, needed: row.get(2)? })
    };
    connection.prepare(sql)?.query_map([table], column)?.collect()
}

struct ForeignKey {
    column: String,
    parent: String,
    /// The parent's column; else its primary key.
    to: Option<String>,
}

fn foreign_keys(connection: &Connection, table: &str) -> rusqlite::Result<Vec<ForeignKey>> {
    let sql = "SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list(?1)";
    let key = |row: &rusqlite::Row<'_>| {
        Ok(ForeignKey { column: row.get(0)?, parent: row.get(1)?, to: row.get(2)? })
    };
    connection.prepare(sql)?.query_map([table], key)?.collect()
}

/// What names a row of the parent; nothing if it has none, or is the table itself.
fn parent_value(
    connection: &Connection,
    table: &str,
    key: &ForeignKey,
    number: u32,
) -> rusqlite::Result<Value> {
    let exists = tables(connection)?.iter().any(|name| name.eq_ignore_ascii_case(&key.parent));
    if !exists || key.parent.eq_ignore_ascii_case(table) {
        return Ok(Value::Null);
    }
    let rows = count(connection, &key.parent)?;
    if rows == 0 {
        return Ok(Value::Null);
    }
    let to = match &key.to {
        Some(to) => quoted(to),
        None => columns(connection, &key.parent)?
            .iter()
            .find(|column| column.needed)
            .map_or_else(|| "rowid".to_owned(), |column| quoted(&column.name)),
    };
    let place = (u64::from(number) - 1) % rows;
    let parent = quoted(&key.parent);
    let sql = format!("SELECT {to} FROM {parent} ORDER BY 1 LIMIT 1 OFFSET {place}");
    connection.query_row(&sql, [], |row| row.get(0))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_name_rows_that_are_there_and_keep_the_rules() {
        let connection = Connection::open_in_memory().unwrap();
        let schema = "CREATE TABLE child (id INTEGER PRIMARY KEY, of TEXT NOT NULL REFERENCES parent (uuid));
            CREATE TABLE parent (uuid TEXT PRIMARY KEY, role TEXT NOT NULL DEFAULT 'USER' CHECK (role IN ('USER')));
            CREATE TABLE full (a); INSERT INTO full VALUES (1);
            CREATE TABLE never (a TEXT NOT NULL CHECK (a = ''));";
        connection.execute_batch(schema).unwrap();
        assert_eq!(fill(&connection, 3).unwrap(), (7, vec!["never".to_owned()]));
        let broken: i64 = connection
            .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(broken, 0);
    }
}
