//! What a step took away, measured by comparing the rows before and after it, never believed from
//! its text. Knows two connections and the names of the tables that were touched; changes nothing.
//!
//! Rows are matched by primary key, through the hash of the key or, where both sides have one, the
//! id itself. A table without a primary key is a bag of rows: a changed row is one that is gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ledger_format::cbor::{self, Float, Value};
use ledger_format::hash::ContentHash;
use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator as _;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Rows};

use super::ContentError;
use super::connection::View;
use super::content::{TableRows, refuse_too_many_columns, table_rows};
use super::rows::{ROW_HASH, row_hash};
use super::schema::{self, Column, Table, quoted, quoted_list};
use super::spans::{Spans, rows_within};

/// Rows that one step's loss lists singly; the rest is counted. A reader of a plan looks at a
/// handful and at the counts.
pub const LISTED_ROWS_MAX: usize = 100;

/// Vanished and new rows of one table remembered to find out whether only their ids differ. Beyond
/// it vanished rows count as gone, which is the careful answer.
pub const ID_CANDIDATES_MAX: usize = 10_000;

/// Longest key value listed as it is; a longer one is listed by its hash.
const LISTED_KEY_BYTES_MAX: usize = 256;

/// What must not be counted: a tool's own bookkeeping, a store's version row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exemption {
    /// A whole table.
    Table {
        /// Its name.
        table: String,
    },
    /// The row of a table whose only key column holds this text.
    Row {
        /// The table's name.
        table: String,
        /// The key.
        key: String,
    },
}

/// What one step took away.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loss {
    /// Tables that lost something, by name.
    pub tables: Vec<TableLoss>,
    /// Rows that lost something, up to [`LISTED_ROWS_MAX`].
    pub listed: Vec<LostRow>,
}

/// What one table lost.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableLoss {
    /// The table's name before the step.
    pub table: String,
    /// Whether the table itself is gone; its rows are among `rows_gone`.
    pub dropped: bool,
    /// Columns that are gone.
    pub dropped_columns: Vec<DroppedColumn>,
    /// Rows whose key is gone.
    pub rows_gone: u64,
    /// Rows that are there under another key.
    pub ids_changed: u64,
    /// These rows one by one, in the order of the old keys' hashes or ids.
    pub ids: Vec<ChangedId>,
    /// Columns that stayed and hold other values, with the number of rows.
    pub values_changed: BTreeMap<String, u64>,
}

/// A row that is there under another key.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedId {
    /// Its primary key before the step.
    pub was: Vec<Value>,
    /// Its primary key after it.
    pub now: Vec<Value>,
}

/// A column that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedColumn {
    /// Its name.
    pub column: String,
    /// Rows in which it held something else than its default.
    pub values: u64,
}

/// A row that lost something.
#[derive(Debug, Clone, PartialEq)]
pub struct LostRow {
    /// The table's name before the step.
    pub table: String,
    /// The row's primary key; of a row without one, its hash.
    pub key: Vec<Value>,
    /// What happened to it.
    pub what: RowLoss,
}

/// What happened to a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowLoss {
    /// It is gone.
    Gone,
    /// This column holds another value.
    Changed {
        /// The column.
        column: String,
    },
}

impl Loss {
    /// Whether nothing was taken away.
    #[must_use]
    pub fn is_lossless(&self) -> bool {
        self.tables.is_empty()
    }

    /// The loss as a value of the ledger's format (SPEC §8.4).
    #[must_use]
    pub fn to_value(&self) -> Value {
        cbor::map([
            ("tables", Value::Array(self.tables.iter().map(TableLoss::to_value).collect())),
            ("listed", Value::Array(self.listed.iter().map(LostRow::to_value).collect())),
        ])
    }

    fn list(&mut self, table: &str, key: Vec<Value>, what: RowLoss) {
        if self.listed.len() < LISTED_ROWS_MAX {
            self.listed.push(LostRow { table: table.to_owned(), key, what });
        }
    }
}

impl TableLoss {
    fn to_value(&self) -> Value {
        let dropped = self.dropped_columns.iter().map(|dropped| {
            cbor::map([
                ("column", dropped.column.as_str().into()),
                ("values", dropped.values.into()),
            ])
        });
        let changed = self.values_changed.iter().map(|(column, rows)| {
            cbor::map([("column", column.as_str().into()), ("rows", (*rows).into())])
        });
        let ids = self.ids.iter().map(|changed| {
            cbor::map([
                ("was", Value::Array(changed.was.clone())),
                ("now", Value::Array(changed.now.clone())),
            ])
        });
        // A list that holds nothing is left out, as it was before ids were told one by one.
        let ids = (!self.ids.is_empty()).then(|| ("ids", Value::Array(ids.collect())));
        let entries = [
            ("table", self.table.as_str().into()),
            ("dropped", self.dropped.into()),
            ("dropped_columns", Value::Array(dropped.collect())),
            ("rows_gone", self.rows_gone.into()),
            ("ids_changed", self.ids_changed.into()),
            ("values_changed", Value::Array(changed.collect())),
        ];
        Value::Map(entries.into_iter().chain(ids).collect())
    }

    fn is_nothing(&self) -> bool {
        *self == Self { table: self.table.clone(), ..Self::default() }
    }
}

impl LostRow {
    fn to_value(&self) -> Value {
        let column = match &self.what {
            RowLoss::Gone => Value::Null,
            RowLoss::Changed { column } => column.as_str().into(),
        };
        cbor::map([
            ("table", self.table.as_str().into()),
            ("key", Value::Array(self.key.clone())),
            ("column", column),
        ])
    }
}

/// The tables a step may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Touched {
    /// These, and with a virtual table those it keeps its data in.
    Tables(BTreeSet<String>),
    /// Any: the step wrote the schema by hand.
    All,
}

impl Touched {
    /// The tables that are named.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        match self {
            Self::All => None,
            Self::Tables(names) => Some(names),
        }
        .into_iter()
        .flatten()
    }

    pub(super) fn has(&self, table: &str) -> bool {
        match self {
            Self::All => true,
            Self::Tables(names) => names.iter().any(|name| {
                table
                    .strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
            }),
        }
    }
}

/// One side of a step: a connection that is prepared for row hashes, and the names of the tables with rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) view: View<'a>,
    pub(super) tables: &'a BTreeSet<String>,
}

impl Side<'_> {
    fn table(&self, name: &str) -> Result<Option<Table>, ContentError> {
        if !self.tables.contains(name) {
            return Ok(None);
        }
        Ok(Some(self.view.run(|connection| schema::table(connection, name.to_owned()))?))
    }
}

/// What small tables held before a step that names them, known before it runs. It spares the connection that sees what was
/// before from reading the schema, where such a table turns out to have lost nothing.
pub(super) type Known = BTreeMap<String, (Table, TableRows)>;

/// Most rows of a table that is looked at before it is known whether the step touches it.
const KNOWN_ROWS_MAX: i64 = 1_000;

/// Looks at those of `tables` that are small and that `sql` names.
pub(super) fn known(
    view: View<'_>,
    tables: &BTreeSet<String>,
    sql: &str,
) -> Result<Known, ContentError> {
    let words = sql.split(|c: char| !c.is_alphanumeric() && c != '_').collect::<BTreeSet<_>>();
    let mut known = Known::new();
    for name in words.into_iter().filter_map(|word| tables.get(word)) {
        let query = format!("SELECT count(*) FROM (SELECT 1 FROM main.{} LIMIT ?1)", quoted(name));
        let rows = view.run(|connection| {
            connection.query_row(&query, [KNOWN_ROWS_MAX + 1], |row| row.get::<_, i64>(0))
        })?;
        if rows <= KNOWN_ROWS_MAX {
            let table = view.run(|connection| schema::table(connection, name.clone()))?;
            // A table that cannot be hashed is refused if it is touched.
            if let Ok(rows) = table_rows(view.connection(), view.path(), &table) {
                known.insert(name.clone(), (table, rows));
            }
        }
    }
    Ok(known)
}

/// Compares what was before a step with what is after it. Where the step touched no table that was there,
/// nothing is read: a schema may be long. Of a table that it did, only rows are that may lie on the pages that it wrote, if that
/// can be told.
pub(super) fn measure(
    before: Side<'_>,
    known: &Known,
    after: Side<'_>,
    touched: (&Touched, &BTreeSet<u32>),
    exemptions: &[Exemption],
) -> Result<Loss, ContentError> {
    let (touched, written) = touched;
    // What a schema written by hand makes of a page, its bytes do not tell.
    let written = (*touched != Touched::All).then_some(written);
    let comparison = Comparison { before, after, written, exemptions };
    let mut total = Loss::default();
    for name in before.tables {
        let gone = !after.tables.contains(name);
        if name != "sqlite_sequence"
            && (gone || touched.has(name))
            && !comparison.exempts_table(name)
        {
            let lost = match known.get(name) {
                Some((table, rows)) => comparison.table(table, *rows, &mut total)?,
                None => comparison.unknown_table(name, &mut total)?,
            };
            if !lost.is_nothing() {
                total.tables.push(lost);
            }
        }
    }
    Ok(total)
}

struct Comparison<'a> {
    before: Side<'a>,
    after: Side<'a>,
    written: Option<&'a BTreeSet<u32>>,
    exemptions: &'a [Exemption],
}

impl Comparison<'_> {
    fn unknown_table(&self, name: &str, total: &mut Loss) -> Result<TableLoss, ContentError> {
        let before = self.before.view;
        let old = before.run(|connection| schema::table(connection, name.to_owned()))?;
        refuse_too_many_columns(before.path(), &old)?;
        if let Some(new) = self.after.table(name)?
            && let Some(part) = self.part(&old, &new)?
        {
            let mut lost = TableLoss { table: old.name.clone(), ..TableLoss::default() };
            self.compare(&old, &new, &part, &mut lost, total)?;
            return Ok(lost);
        }
        let rows = table_rows(before.connection(), before.path(), &old)?;
        self.table(&old, rows, total)
    }

    fn table(
        &self,
        old: &Table,
        rows: TableRows,
        total: &mut Loss,
    ) -> Result<TableLoss, ContentError> {
        let mut lost = TableLoss { table: old.name.clone(), ..TableLoss::default() };
        let Some(new) = &self.after.table(&old.name)? else {
            if !self.renamed(old, rows)? {
                lost.dropped = true;
                lost.rows_gone = rows.count;
            }
            return Ok(lost);
        };
        refuse_too_many_columns(self.after.view.path(), new)?;
        let all_stay = old.columns.iter().all(|column| new.column(&column.name).is_some());
        if rows.count == 0 && all_stay {
            return Ok(lost);
        }
        if self.holds(new, old, rows)? {
            return Ok(lost);
        }
        self.compare(old, new, &Part::All, &mut lost, total)?;
        Ok(lost)
    }

    fn compare(
        &self,
        old: &Table,
        new: &Table,
        part: &Part,
        lost: &mut TableLoss,
        total: &mut Loss,
    ) -> Result<(), ContentError> {
        match Matching::of(old, new) {
            Some(matching) => self.compare_by_key(old, new, &matching, part, lost, total),
            None => self.compare_bags(old, new, part, lost, total),
        }
    }

    /// Which rows of a table can only differ, if that can be told.
    fn part(&self, old: &Table, new: &Table) -> Result<Option<Part>, ContentError> {
        let Some(written) = self.written.filter(|_| new.begins_as(old)) else { return Ok(None) };
        // The columns of `new` are those of `old` and perhaps more.
        if rows_within(new).is_none() {
            return Ok(None);
        }
        let spans = Spans::of(&old.name, self.before.view, self.after.view, written)?;
        Ok(spans.map(|spans| Part::Within(spans.to_json())))
    }

    /// Whether a table that is new has every row of `old` under the same column names.
    fn renamed(&self, old: &Table, rows: TableRows) -> Result<bool, ContentError> {
        for name in self.after.tables.difference(self.before.tables) {
            if let Some(new) = self.after.table(name)?
                && self.holds(&new, old, rows)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether `new`, seen through the columns of `old`, has exactly `rows`.
    fn holds(&self, new: &Table, old: &Table, rows: TableRows) -> Result<bool, ContentError> {
        if new.id != old.id || old.columns.iter().any(|column| new.column(&column.name).is_none()) {
            return Ok(false);
        }
        let seen = Table { name: new.name.clone(), ..old.clone() };
        let now = table_rows(self.after.view.connection(), self.after.view.path(), &seen)?;
        Ok(now == rows)
    }

    fn compare_by_key(
        &self,
        old: &Table,
        new: &Table,
        matching: &Matching,
        part: &Part,
        lost: &mut TableLoss,
        total: &mut Loss,
    ) -> Result<(), ContentError> {
        let (old_query, new_query) = matching.queries(old, new, part);
        // The outer `?`s sort the errors of each side by its own database.
        let mut old_rows = self.before.view.run(|connection| connection.prepare(&old_query))?;
        let mut new_rows = self.after.view.run(|connection| connection.prepare(&new_query))?;
        let mut walk = Walk::new(matching, lost, total, self.exemptions);
        self.before.view.run(|_| {
            let mut old_rows = old_rows.query(part.parameters())?;
            let mut new_rows = new_rows.query(part.parameters())?;
            walk.run(&mut old_rows, &mut new_rows)
        })?;
        let renamed = walk.finish();
        for column in matching.dropped.iter().filter(|column| !renamed.contains(*column)) {
            let values = self
                .before
                .view
                .run(|connection| values_besides_default(connection, old, column))?;
            lost.dropped_columns.push(DroppedColumn { column: column.clone(), values });
        }
        Ok(())
    }

    fn compare_bags(
        &self,
        old: &Table,
        new: &Table,
        part: &Part,
        lost: &mut TableLoss,
        total: &mut Loss,
    ) -> Result<(), ContentError> {
        let stays = |column: &&Column| new.column(&column.name).is_some();
        let common = quoted_list(old.columns.iter().filter(stays).map(|column| &*column.name));
        let query = |table: &Table| {
            format!("SELECT {ROW_HASH}({common}) FROM {} ORDER BY 1", part.of(table))
        };
        let (old_query, new_query) = (query(old), query(new));
        let mut old_rows = self.before.view.run(|connection| connection.prepare(&old_query))?;
        let mut new_rows = self.after.view.run(|connection| connection.prepare(&new_query))?;
        let gone = self.before.view.run(|_| {
            let mut old_rows = old_rows.query(part.parameters())?;
            let mut new_rows = new_rows.query(part.parameters())?;
            new_rows.advance()?;
            let mut gone = 0;
            while let Some(row) = old_rows.next()? {
                let hash = row.get_ref(0)?.as_blob()?;
                while new_rows.get().is_some_and(|new| blob_of(new) < hash) {
                    new_rows.advance()?;
                }
                if new_rows.get().is_some_and(|new| blob_of(new) == hash) {
                    new_rows.advance()?;
                } else {
                    gone += 1;
                    total.list(&old.name, vec![Value::Bytes(hash.to_vec())], RowLoss::Gone);
                }
            }
            Ok(gone)
        })?;
        lost.rows_gone = gone;
        for column in old.columns.iter().filter(|column| !stays(column)) {
            let values = self
                .before
                .view
                .run(|connection| values_besides_default(connection, old, &column.name))?;
            lost.dropped_columns.push(DroppedColumn { column: column.name.clone(), values });
        }
        Ok(())
    }

    fn exempts_table(&self, name: &str) -> bool {
        self.exemptions
            .iter()
            .any(|exempt| matches!(exempt, Exemption::Table { table } if table == name))
    }
}

/// Which rows of a table are compared.
enum Part {
    All,
    /// Those whose rowids lie within these spans, as JSON.
    Within(String),
}

impl Part {
    /// What to select from.
    fn of(&self, table: &Table) -> String {
        let within = match self {
            Self::All => None,
            Self::Within(_) => rows_within(table),
        };
        within.unwrap_or_else(|| format!("main.{}", quoted(&table.name)))
    }

    fn parameters(&self) -> impl rusqlite::Params {
        let spans = match self {
            Self::All => None,
            Self::Within(spans) => Some(spans.as_str()),
        };
        rusqlite::params_from_iter(spans)
    }
}

/// How the rows of a table before and after are matched and what of them is compared.
struct Matching {
    /// Key columns before and after, in key order.
    key: Vec<(String, String)>,
    /// Whether the key is an id on both sides, and so its own sort key.
    by_id: bool,
    /// Columns beside the key that are there before and after.
    common: Vec<String>,
    dropped: Vec<String>,
    added: Vec<String>,
}

impl Matching {
    /// `None` if one side has no primary key or the two have other columns in it.
    fn of(old: &Table, new: &Table) -> Option<Self> {
        let (old_key, new_key) = (old.key(), new.key());
        let fits = |(old_name, new_name): (&&str, &&str)| {
            old_name == new_name
                || (new.column(old_name).is_none() && old.column(new_name).is_none())
        };
        if old_key.is_empty()
            || old_key.len() != new_key.len()
            || !old_key.iter().zip(&new_key).all(fits)
        {
            return None;
        }
        let beside = |table: &Table, key: &[&str], other: &Table, stays: bool| -> Vec<String> {
            let names = table.columns.iter().map(|column| column.name.clone());
            names
                .filter(|name| !key.contains(&name.as_str()))
                .filter(|name| other.column(name).is_some() == stays)
                .collect()
        };
        Some(Self {
            by_id: old.id.is_some() && new.id.is_some(),
            common: beside(old, &old_key, new, true),
            dropped: beside(old, &old_key, new, false),
            added: beside(new, &new_key, old, false),
            key: old_key
                .iter()
                .zip(&new_key)
                .map(|(old, new)| ((*old).to_owned(), (*new).to_owned()))
                .collect(),
        })
    }

    /// Sort key, key, common columns, then the columns of one side only.
    fn queries(&self, old: &Table, new: &Table, part: &Part) -> (String, String) {
        let query = |table: &Table, key: Vec<&str>, own: &[String]| {
            let keys = quoted_list(key.iter().copied());
            let sort = if self.by_id { keys.clone() } else { format!("{ROW_HASH}({keys})") };
            let rest = self.common.iter().chain(own).map(String::as_str);
            let columns = quoted_list(key.into_iter().chain(rest));
            format!("SELECT {sort}, {columns} FROM {} ORDER BY 1", part.of(table))
        };
        (
            query(old, self.key.iter().map(|(old, _)| old.as_str()).collect(), &self.dropped),
            query(new, self.key.iter().map(|(_, new)| new.as_str()).collect(), &self.added),
        )
    }

    fn key_at(&self) -> std::ops::Range<usize> {
        1..1 + self.key.len()
    }

    fn common_at(&self) -> std::ops::Range<usize> {
        let start = 1 + self.key.len();
        start..start + self.common.len()
    }

    fn own_at(&self, position: usize) -> usize {
        self.common_at().end + position
    }
}

/// Walks two row lists in key order, side by side.
struct Walk<'a> {
    matching: &'a Matching,
    lost: &'a mut TableLoss,
    total: &'a mut Loss,
    exemptions: &'a [Exemption],
    /// Vanished rows by the hash of their common columns, and keys to list them under.
    vanished: Vec<(ContentHash, Vec<Value>)>,
    /// New rows by the same hash, in their order: their keys.
    appeared: BTreeMap<ContentHash, VecDeque<Vec<Value>>>,
    appeared_count: usize,
    /// Pairs of a dropped and an added column that agreed in every matched row so far.
    twins: Vec<(usize, usize)>,
    /// Dropped columns in which a matched row held a value.
    filled: BTreeSet<usize>,
}

impl<'a> Walk<'a> {
    fn new(
        matching: &'a Matching,
        lost: &'a mut TableLoss,
        total: &'a mut Loss,
        exemptions: &'a [Exemption],
    ) -> Self {
        let added = 0..matching.added.len();
        let twins = (0..matching.dropped.len())
            .flat_map(|dropped| added.clone().map(move |added| (dropped, added)))
            .collect();
        Self {
            matching,
            lost,
            total,
            exemptions,
            vanished: Vec::new(),
            appeared: BTreeMap::new(),
            appeared_count: 0,
            twins,
            filled: BTreeSet::new(),
        }
    }

    fn run(&mut self, old: &mut Rows<'_>, new: &mut Rows<'_>) -> rusqlite::Result<()> {
        old.advance()?;
        new.advance()?;
        loop {
            match (old.get(), new.get()) {
                (None, None) => return Ok(()),
                (Some(old_row), Some(new_row)) => match sort_key(old_row).cmp(&sort_key(new_row)) {
                    std::cmp::Ordering::Less => {
                        self.vanish(old_row)?;
                        old.advance()?;
                    }
                    std::cmp::Ordering::Greater => {
                        self.appear(new_row)?;
                        new.advance()?;
                    }
                    std::cmp::Ordering::Equal => {
                        self.meet(old_row, new_row)?;
                        old.advance()?;
                        new.advance()?;
                    }
                },
                (Some(old_row), None) => {
                    self.vanish(old_row)?;
                    old.advance()?;
                }
                (None, Some(new_row)) => {
                    self.appear(new_row)?;
                    new.advance()?;
                }
            }
        }
    }

    fn meet(&mut self, old: &Row<'_>, new: &Row<'_>) -> rusqlite::Result<()> {
        for (at, column) in self.matching.common_at().zip(&self.matching.common) {
            if !same(old.get_ref(at)?, new.get_ref(at)?) {
                let key = self.key(old)?;
                if self.is_exempt(&key) {
                    return Ok(());
                }
                *self.lost.values_changed.entry(column.clone()).or_default() += 1;
                let what = RowLoss::Changed { column: column.clone() };
                self.total.list(&self.lost.table, key, what);
            }
        }
        for dropped in 0..self.matching.dropped.len() {
            if old.get_ref(self.matching.own_at(dropped))? != ValueRef::Null {
                self.filled.insert(dropped);
            }
        }
        let mut agreeing = Vec::with_capacity(self.twins.len());
        for &(dropped, added) in &self.twins {
            let value = old.get_ref(self.matching.own_at(dropped))?;
            if same(value, new.get_ref(self.matching.own_at(added))?) {
                agreeing.push((dropped, added));
            }
        }
        self.twins = agreeing;
        Ok(())
    }

    fn vanish(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let key = self.key(row)?;
        if self.is_exempt(&key) {
            return Ok(());
        }
        if self.vanished.len() < ID_CANDIDATES_MAX && !self.matching.common.is_empty() {
            let hash = self.common_hash(row)?;
            self.vanished.push((hash, key));
        } else {
            self.lost.rows_gone += 1;
            self.total.list(&self.lost.table, key, RowLoss::Gone);
        }
        Ok(())
    }

    fn appear(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        if self.appeared_count < ID_CANDIDATES_MAX {
            self.appeared_count += 1;
            let (hash, key) = (self.common_hash(row)?, self.key(row)?);
            self.appeared.entry(hash).or_default().push_back(key);
        }
        Ok(())
    }

    /// Settles vanished rows, and returns the dropped columns that live on under another name.
    fn finish(mut self) -> BTreeSet<String> {
        for (hash, key) in std::mem::take(&mut self.vanished) {
            if let Some(now) = self.appeared.get_mut(&hash).and_then(VecDeque::pop_front) {
                self.lost.ids_changed += 1;
                self.lost.ids.push(ChangedId { was: key, now });
            } else {
                self.lost.rows_gone += 1;
                self.total.list(&self.lost.table, key, RowLoss::Gone);
            }
        }
        let (mut taken, mut renamed) = (BTreeSet::new(), BTreeSet::new());
        for (dropped, added) in self.twins {
            let Some(name) = self.matching.dropped.get(dropped) else { continue };
            if self.filled.contains(&dropped) && !renamed.contains(name) && taken.insert(added) {
                renamed.insert(name.clone());
            }
        }
        renamed
    }

    fn common_hash(&self, row: &Row<'_>) -> rusqlite::Result<ContentHash> {
        let values = self.matching.common_at().map(|at| row.get_ref(at));
        Ok(row_hash(values.collect::<Result<Vec<_>, _>>()?.into_iter()))
    }

    fn key(&self, row: &Row<'_>) -> rusqlite::Result<Vec<Value>> {
        self.matching.key_at().map(|at| Ok(listed(row.get_ref(at)?))).collect()
    }

    fn is_exempt(&self, found: &[Value]) -> bool {
        self.exemptions.iter().any(|exempt| match exempt {
            Exemption::Row { table, key } => {
                *table == self.lost.table && matches!(found, [Value::Text(text)] if text == key)
            }
            Exemption::Table { .. } => false,
        })
    }
}

/// The sort key of a row: an id or the hash of its key.
fn sort_key<'a>(row: &'a Row<'_>) -> (Option<i64>, &'a [u8]) {
    match row.get_ref(0) {
        Ok(ValueRef::Integer(id)) => (Some(id), &[]),
        _ => (None, blob_of(row)),
    }
}

fn blob_of<'a>(row: &'a Row<'_>) -> &'a [u8] {
    match row.get_ref(0) {
        Ok(ValueRef::Blob(hash)) => hash,
        _ => &[],
    }
}

/// Equal in type and in every bit.
fn same(one: ValueRef<'_>, other: ValueRef<'_>) -> bool {
    match (one, other) {
        (ValueRef::Real(one), ValueRef::Real(other)) => one.to_bits() == other.to_bits(),
        (one, other) => one == other,
    }
}

/// A key value for people to read.
fn listed(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => Float::new(number).map_or(Value::Null, Value::Float),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) if bytes.len() > LISTED_KEY_BYTES_MAX => {
            cbor::map([("sha256", ContentHash::of(bytes).into())])
        }
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => text.into(),
            Err(_) => Value::Bytes(text.to_vec()),
        },
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

/// Rows of `table` in which `column` is something else than its default.
fn values_besides_default(
    connection: &Connection,
    table: &Table,
    column: &str,
) -> rusqlite::Result<u64> {
    let count = |default: &str| {
        let query = format!(
            "SELECT count(*) FROM main.{} WHERE {} IS NOT ({default})",
            quoted(&table.name),
            quoted(column)
        );
        connection.query_row(&query, [], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))
    };
    match table.column(column).and_then(|column| column.default.as_deref()) {
        // A bare word is a string as a default and a column in a query; then only NULL is default.
        Some(default) => count(default).or_else(|_| count("NULL")),
        None => count("NULL"),
    }
}
