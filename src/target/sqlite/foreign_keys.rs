//! Rows that refer to what is not there, counted at the start, and looked for again after each step where it may have
//! made some. Knows the schema and what was touched; changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::error::{is_of_the_machine, message};
use super::loss::Touched;
use super::schema::Overview;

/// The foreign keys of a database while steps run on it.
#[derive(Debug, Clone)]
pub(super) struct ForeignKeys {
    /// Rows that broke one at the start, by child table and by broken rule.
    broken: BTreeMap<(String, String), u64>,
    /// Every table that may have some.
    children: BTreeMap<String, Child>,
    /// Names of all tables after the last step.
    tables: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct Child {
    /// Its declaration.
    sql: String,
    /// The tables that it refers to, in lower case.
    parents: BTreeSet<String>,
}

/// A rule that more rows break than at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) table: String,
    pub(super) rule: String,
    pub(super) before: u64,
    pub(super) after: u64,
}

impl ForeignKeys {
    /// Looks at the whole database.
    pub(super) fn at_the_start(
        connection: &Connection,
        overview: &Overview,
    ) -> rusqlite::Result<Self> {
        let (children, tables) = (BTreeMap::new(), overview.tables.clone());
        let mut keys = Self { broken: BTreeMap::new(), children, tables };
        for (name, sql) in &overview.referring {
            keys.learn(connection, name, sql)?;
            let found = broken_rows(connection, name)?.into_iter();
            keys.broken.extend(found.map(|(rule, rows)| ((name.clone(), rule), rows)));
        }
        Ok(keys)
    }

    /// A rule that more rows break than at the start, of those that a step could have broken: it touched the table, changed its
    /// declaration, or did so to a table that it refers to. `reshaped` are tables with other indices, which a
    /// reference needs, and views.
    pub(super) fn newly_broken(
        &mut self,
        connection: &Connection,
        overview: &Overview,
        touched: &Touched,
        reshaped: &BTreeSet<String>,
    ) -> rusqlite::Result<Option<Broken>> {
        let moved: BTreeSet<String> = self
            .tables
            .symmetric_difference(&overview.tables)
            .chain(reshaped)
            .chain(touched.names())
            .map(|name| name.to_ascii_lowercase())
            .collect();
        for (name, sql) in &overview.referring {
            let known = self.children.get(name).is_some_and(|child| child.sql == *sql);
            if !known {
                self.learn(connection, name, sql)?;
            }
            let parents = self.children.get(name).map(|child| &child.parents);
            let concerned = !known
                || touched.has(name)
                || reshaped.contains(name)
                || parents.is_some_and(|parents| !parents.is_disjoint(&moved));
            if concerned && let Some(broken) = self.more_broken(connection, name)? {
                return Ok(Some(broken));
            }
        }
        self.tables.clone_from(&overview.tables);
        Ok(None)
    }

    /// The same, looked for in every table.
    pub(super) fn broken_anywhere(
        &self,
        connection: &Connection,
        overview: &Overview,
    ) -> rusqlite::Result<Option<Broken>> {
        for (name, _) in &overview.referring {
            if let Some(broken) = self.more_broken(connection, name)? {
                return Ok(Some(broken));
            }
        }
        Ok(None)
    }

    fn learn(&mut self, connection: &Connection, name: &str, sql: &str) -> rusqlite::Result<()> {
        let mut parents = connection
            .prepare_cached("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1, 'main')")?;
        let parents = parents.query_map([name], |row| row.get::<_, String>(0))?;
        let parents = parents.map(|parent| parent.map(|name| name.to_ascii_lowercase()));
        let child = Child { sql: sql.to_owned(), parents: parents.collect::<Result<_, _>>()? };
        self.children.insert(name.to_owned(), child);
        Ok(())
    }

    fn more_broken(&self, connection: &Connection, name: &str) -> rusqlite::Result<Option<Broken>> {
        for (rule, after) in broken_rows(connection, name)? {
            let key = (name.to_owned(), rule);
            let before = self.broken.get(&key).copied().unwrap_or_default();
            if after > before {
                let (table, rule) = key;
                return Ok(Some(Broken { table, rule, before, after }));
            }
        }
        Ok(None)
    }
}

/// Rows of a table that refer to what is not there, counted by the table referred to. A declaration that cannot be
/// checked counts as one row under SQLite's words about it.
fn broken_rows(connection: &Connection, table: &str) -> rusqlite::Result<Vec<(String, u64)>> {
    let mut check = connection.prepare_cached(
        "SELECT parent, count(*) FROM pragma_foreign_key_check(?1, 'main') GROUP BY parent",
    )?;
    let found = check
        .query_map([table], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))
        .and_then(Iterator::collect);
    match found {
        Err(error) if is_of_the_machine(&error) => Err(error),
        found => Ok(found.unwrap_or_else(|error| vec![(message(&error), 1)])),
    }
}
