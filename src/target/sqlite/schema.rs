//! What a database declares: its tables with their columns and keys, and the digest of all
//! declarations (SPEC §9.3). Reads the schema only, no row.

use std::collections::BTreeSet;

use ledger_format::cbor::Value;
use ledger_format::hash::CommitHash;
use rusqlite::Connection;

use super::authority::MEMORIES;

/// What must be known of a whole schema after every step, read in one go: a schema may be long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Overview {
    /// Names of the [`tables`].
    pub(super) tables: BTreeSet<String>,
    /// Names and texts of those that may have foreign keys: nothing has one without the word.
    pub(super) referring: Vec<(String, String)>,
    /// Whether there are virtual tables, whose modules remember what a connection did, or declarations that may ask the
    /// connection what it did.
    pub(super) remembers: bool,
}

impl Overview {
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let mut overview = Self::default();
        let mut declarations = connection
            .prepare_cached("SELECT type = 'table', name, rootpage, sql FROM main.sqlite_schema")?;
        let mut declarations = declarations.query([])?;
        while let Some(row) = declarations.next()? {
            let (is_table, root): (bool, Option<i64>) = (row.get(0)?, row.get(2)?);
            let sql = row.get_ref(3)?.as_bytes_or_null()?.unwrap_or_default();
            overview.remembers |= (is_table && root == Some(0))
                || MEMORIES.iter().any(|name| has_word(sql, name.as_bytes()));
            let name: String = row.get(1)?;
            if is_table && root.is_some_and(|root| root > 0) && !name.starts_with("sqlite_stat") {
                if has_word(sql, b"references") {
                    overview.referring.push((name.clone(), String::from_utf8_lossy(sql).into()));
                }
                overview.tables.insert(name);
            }
        }
        Ok(overview)
    }
}

/// Whether `text` has `word`, which is in lower case, somewhere, in whatever case.
fn has_word(text: &[u8], word: &[u8]) -> bool {
    let Some(first) = word.first() else { return true };
    let upper = first.to_ascii_uppercase();
    let starts = text.iter().enumerate().filter(|(_, byte)| **byte == *first || **byte == upper);
    starts.into_iter().any(|(at, _)| {
        text.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
    })
}

/// A table that has rows of its own: no view, no virtual table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    /// Columns that store values; generated columns follow from them and are left out.
    pub(super) columns: Vec<Column>,
    /// The column that is the rowid under another name (`INTEGER PRIMARY KEY`).
    pub(super) id: Option<String>,
    /// All columns, as they stand in a row.
    pub(super) declared: Vec<Declared>,
}

/// What decides where in a row a value of a column stands, and as what it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    name: String,
    /// Its type, which may make numbers of other kinds of what is stored.
    kind: String,
    /// What rows have that are older than the column.
    default: Option<String>,
    key: u32,
    /// Whether it is stored.
    hidden: i64,
}

/// A column that stores values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// Position in the primary key from 1, or 0.
    pub(super) key: u32,
    /// The default as an SQL expression.
    pub(super) default: Option<String>,
}

impl Table {
    /// The primary key's columns in key order; none for a table without one.
    pub(super) fn key(&self) -> Vec<&str> {
        let mut key: Vec<&Column> = self.columns.iter().filter(|column| column.key > 0).collect();
        key.sort_by_key(|column| column.key);
        key.iter().map(|column| column.name.as_str()).collect()
    }

    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether its first columns are those of `before`: then a row that was stored there reads the same here.
    pub(super) fn begins_as(&self, before: &Self) -> bool {
        self.id == before.id && self.declared.starts_with(&before.declared)
    }

    /// Whether a column of any kind is called so.
    pub(super) fn has_name(&self, name: &str) -> bool {
        self.declared.iter().any(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// All tables with rows, by name, without those that `ANALYZE` fills.
pub(super) fn tables(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    let mut names = connection.prepare(
        "SELECT name FROM main.sqlite_schema
         WHERE type = 'table' AND rootpage > 0 AND name NOT GLOB 'sqlite_stat*'",
    )?;
    let mut names = names.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    names.sort_unstable();
    names.into_iter().map(|name| table(connection, name)).collect()
}

/// The SQL of everything that is declared.
pub(super) fn declarations(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut sql = connection.prepare("SELECT sql FROM sqlite_schema WHERE sql NOT NULL")?;
    sql.query_map([], |row| row.get(0))?.collect()
}

/// `CommitHash("sqlite_schema", …)` over every declaration.
pub(super) fn digest(connection: &Connection) -> rusqlite::Result<CommitHash> {
    let mut declarations = connection.prepare(
        "SELECT type, name, tbl_name, sql FROM main.sqlite_schema
         WHERE sql IS NOT NULL AND name <> 'sqlite_sequence' AND name NOT GLOB 'sqlite_stat*'",
    )?;
    let mut declared = declarations
        .query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?
        .collect::<Result<Vec<[String; 4]>, _>>()?;
    declared.sort_unstable();
    let declared = declared
        .into_iter()
        .map(|fields| Value::Array(fields.into_iter().map(Value::Text).collect()))
        .collect();
    Ok(CommitHash::of("sqlite_schema", &Value::Array(declared)))
}

/// `name` as an SQL identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `names` as a list of SQL identifiers.
pub(super) fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// The table called `name`, which must be there.
pub(super) fn table(connection: &Connection, name: String) -> rusqlite::Result<Table> {
    /// `hidden` of `table_xinfo`: an ordinary column.
    const STORES_VALUES: i64 = 0;
    let mut declared = connection.prepare_cached(
        "SELECT name, type, dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main')
         ORDER BY cid",
    )?;
    let declared = declared
        .query_map([&name], |row| {
            let (name, kind, default) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Declared { name, kind, default, key: row.get(3)?, hidden: row.get(4)? })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let stored = declared.iter().filter(|column| column.hidden == STORES_VALUES).cloned();
    let columns: Vec<Column> =
        stored.map(|Declared { name, default, key, .. }| Column { name, key, default }).collect();
    // SQLite makes an index for every primary key but the one that is the rowid itself.
    let indexed: bool = connection
        .prepare_cached("SELECT count(*) FROM pragma_index_list(?1, 'main') WHERE origin = 'pk'")?
        .query_row([&name], |row| Ok(row.get::<_, i64>(0)? > 0))?;
    let mut key = columns.iter().filter(|column| column.key > 0);
    let id = match (key.next(), key.next()) {
        (Some(only), None) if !indexed => Some(only.name.clone()),
        _ => None,
    };
    Ok(Table { name, columns, id, declared })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(sql: &str) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(sql).unwrap();
        connection
    }

    #[test]
    fn only_a_rowid_alias_is_an_id() {
        let connection = declared(
            "CREATE TABLE a(k INTEGER PRIMARY KEY, v);
             CREATE TABLE b(k INTEGER PRIMARY KEY DESC, v);
             CREATE TABLE c(k INTEGER PRIMARY KEY, v) WITHOUT ROWID;
             CREATE TABLE d(k INT PRIMARY KEY, v, g AS (v || 'x'), s AS (v) STORED);
             CREATE TABLE e(v);
             CREATE TABLE f(a, b, c, PRIMARY KEY (c, a));",
        );
        let tables = tables(&connection).unwrap();
        let ids: Vec<_> = tables.iter().map(|table| table.id.as_deref()).collect();
        assert_eq!(ids, [Some("k"), None, None, None, None, None]);
        assert_eq!(tables[5].key(), ["c", "a"]);
        let columns: Vec<_> = tables[3].columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(columns, ["k", "v"]);
    }

    #[test]
    fn the_digest_sees_declarations_and_not_their_order_or_statistics() {
        let one = declared("CREATE TABLE a(k); CREATE INDEX i ON a(k); CREATE TABLE b(x UNIQUE);");
        let two = declared("CREATE TABLE b(x UNIQUE); CREATE TABLE a(k); CREATE INDEX i ON a(k);");
        assert_eq!(digest(&one).unwrap(), digest(&two).unwrap());
        let before = digest(&one).unwrap();
        one.execute_batch("INSERT INTO a VALUES (1); ANALYZE;").unwrap();
        assert_eq!(digest(&one).unwrap(), before);
        one.execute_batch("DROP INDEX i").unwrap();
        assert_ne!(digest(&one).unwrap(), before);
    }
}
