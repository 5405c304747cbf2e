//! A copy of a database that is ours alone, on which the steps of a migration run.
//!
//! While a step runs, everything it writes is in the write-ahead log and the database file is still
//! the one before it. So a step that fails leaves nothing, whatever transactions it used: the log is
//! thrown away. A step that succeeds is measured against the file, then the log is written into it.
//!
//! `synchronous = OFF`: what was staged survives the end of this process, not of the machine. After
//! another boot a work copy is made again from its image.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger_format::hash::{CommitHash, ContentHash};
use recorded_vfs::{NotRegistered, RecordedClock};
use rusqlite::config::DbConfig;
use rusqlite::{Batch, Connection, fallible_iterator::FallibleIterator as _};

use super::authority::{Authority, RequestedPragma};
use super::connection::{Guest, GuestPages, beside, open_existing, open_recorded, wal_path};
use super::error::{is_of_the_machine, message};
use super::inputs::StepInputs;
use super::loss::{self, Exemption, Loss};
use super::page::{PageSource, page_name};
use super::script::{self, Opening, Script};
use super::{
    ContentError, DatabaseError, ImageError, PageTree, UnknownPage, content, image, schema, wal,
};
use crate::objects::Objects;

/// The database's name in the folder given for it.
const FILE: &str = "work.db";

/// Nobody else opens a work copy; a lock on it is a mistake and not worth waiting for.
const WAIT: Duration = Duration::ZERO;

/// Longest piece of a failed statement that an error carries.
const TOLD_SQL_CHARS_MAX: usize = 500;

/// A database being migrated.
#[derive(Debug)]
pub struct WorkCopy {
    path: PathBuf,
    tree: PageTree,
    /// Rows that break a foreign key, by child table and broken rule, as found at the start.
    broken_keys: BTreeMap<(String, String), u64>,
}

/// What one step did.
#[derive(Debug, Clone, PartialEq)]
pub struct StepOutcome {
    /// Statements run.
    pub statements: u64,
    /// In how many transactions.
    pub transactions: Transactions,
    /// Pages that are other than before, or are only there before or after, ascending.
    pub changed_pages: Vec<u32>,
    /// Pages before the step.
    pub page_count_before: u32,
    /// Pages after it.
    pub page_count_after: u32,
    /// The name of the database after the step.
    pub page_root: CommitHash,
    /// Settings of the file that the script asked for; none of them was applied.
    pub requested: Vec<RequestedPragma>,
    /// What it took away.
    pub loss: Loss,
}

/// How a step's statements were divided into transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transactions {
    /// All in one, ours.
    One,
    /// In several, because a statement cannot run inside one (`VACUUM`, switching foreign keys), or because
    /// the script is run without one around it.
    Several,
    /// In those that the script begins itself.
    Script,
}

/// Why a step did not run. The work copy is then as it was before the step.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// SQLite refused a statement.
    #[error("{script}:{line}: {message}\n  in: {sql}")]
    Statement {
        /// The script's name.
        script: String,
        /// The line of the statement's first word, from 1.
        line: u64,
        /// The statement, shortened.
        sql: String,
        /// SQLite's words.
        message: String,
    },
    /// A statement does what no migration may do.
    #[error("{script}:{line}: {what} is not allowed in a migration\n  in: {sql}")]
    Refused {
        /// The script's name.
        script: String,
        /// The line of the statement's first word, from 1.
        line: u64,
        /// The statement, shortened.
        sql: String,
        /// What was refused.
        what: String,
    },
    /// The script ended with its own transaction still open.
    #[error("{script}: begins a transaction and does not end it")]
    TransactionLeftOpen {
        /// The script's name.
        script: String,
    },
    /// After the step more rows break a foreign key than before it.
    #[error(
        "{script}: rows of {table} that break a foreign key ({rule}): {before} before, {after} after"
    )]
    ForeignKey {
        /// The script's name.
        script: String,
        /// The table whose rows refer to what is not there.
        table: String,
        /// The table referred to, or SQLite's words about the declaration.
        rule: String,
        /// Such rows before the step.
        before: u64,
        /// Such rows after the step.
        after: u64,
    },
    /// After the step SQLite cannot read the database any more.
    #[error("{script}: leaves a database that cannot be read: {message}")]
    Broken {
        /// The script's name.
        script: String,
        /// SQLite's words.
        message: String,
    },
    /// `PRAGMA integrity_check` found something.
    #[error("the migrated database is not sound: {}", found.join("; "))]
    Integrity {
        /// What it found.
        found: Vec<String>,
    },
    /// The write-ahead log and SQLite disagree about the number of pages.
    #[error("the write-ahead log tells of {log} pages, SQLite of {sqlite}")]
    LogDisagrees {
        /// Pages by the log.
        log: u32,
        /// Pages by SQLite.
        sqlite: u32,
    },
    /// The page tree did not fit the log.
    #[error(transparent)]
    UnknownPage(#[from] UnknownPage),
    /// The clock could not be put in place.
    #[error(transparent)]
    Clock(#[from] NotRegistered),
    /// The work copy could not be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The rows could not be compared.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The image could not be written as a file.
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl StepError {
    /// That a copy of ours is damaged after a step is the step's doing, and no fault of the file.
    fn of_script(self, script: &Script) -> Self {
        match self {
            Self::Database(DatabaseError::Corrupt { message, .. })
            | Self::Content(ContentError::Database(DatabaseError::Corrupt { message, .. })) => {
                Self::Broken { script: script.name.clone(), message }
            }
            other => other,
        }
    }
}

impl WorkCopy {
    /// Writes the image `root` into `folder` as a work copy. One that is already there is replaced.
    pub fn create(
        folder: &Path,
        root: &CommitHash,
        objects: &dyn Objects,
    ) -> Result<Self, StepError> {
        Self::written(folder, |path| image::materialise(root, objects, path))
    }

    /// Writes what `source` holds into `folder` as a work copy, and keeps it nowhere else.
    pub fn copy(folder: &Path, source: &impl PageSource) -> Result<Self, StepError> {
        Self::written(folder, |path| image::copy(source, path))
    }

    fn written(
        folder: &Path,
        write: impl FnOnce(&Path) -> Result<PageTree, ImageError>,
    ) -> Result<Self, StepError> {
        let path = folder.join(FILE);
        for suffix in ["", "-wal", "-shm", "-journal"] {
            remove(&beside(&path, suffix))?;
        }
        let tree = write(&path)?;
        let connection = open_existing(&path, WAIT)?;
        let sorted = |error| DatabaseError::of(&path, WAIT, error);
        let logged = || -> rusqlite::Result<_> {
            settle(&connection)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            broken_keys(&connection)
        };
        let broken_keys = logged().map_err(sorted)?;
        drop(connection);
        Ok(Self { path, tree, broken_keys })
    }

    /// Runs `script` as one step: all of it or nothing. Clock and randomness are those of `inputs`, so
    /// the same step on the same image gives the same pages. Foreign keys are enforced unless the script's
    /// first `PRAGMA foreign_keys` switches them off; that one counts from the start, since inside a
    /// transaction SQLite ignores it.
    pub fn run_step(
        &mut self,
        script: &Script,
        inputs: &StepInputs,
        exemptions: &[Exemption],
    ) -> Result<StepOutcome, StepError> {
        let done = self.stage(script, inputs, exemptions);
        if done.is_err() {
            // No connection is open any more, and the log holds nothing but this step.
            for suffix in ["-wal", "-shm"] {
                remove(&beside(&self.path, suffix))?;
            }
        }
        done
    }

    /// Checks the whole database (`PRAGMA integrity_check`); the last thing after all steps.
    pub fn check_integrity(&self) -> Result<(), StepError> {
        let guest = Guest::open(&self.path, WAIT)?;
        let found = guest.run(|connection| {
            let mut check = connection.prepare("PRAGMA integrity_check")?;
            check.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()
        });
        // The copy is nobody's; what its tables need they got from the steps.
        let found = match found {
            Err(DatabaseError::NeedsApplication { message, .. }) => vec![message],
            found => found?,
        };
        if found == ["ok"] { Ok(()) } else { Err(StepError::Integrity { found }) }
    }

    /// Keeps the present image in `objects`, storing only what they lack; returns the number of
    /// pages stored.
    pub fn store(&self, objects: &mut dyn Objects) -> Result<u32, StepError> {
        let guest = self.reader()?;
        Ok(image::store(&self.tree, &GuestPages::of(&guest)?, objects)?)
    }

    /// The pages after the last step.
    #[must_use]
    pub fn page_tree(&self) -> &PageTree {
        &self.tree
    }

    /// What the database holds (SPEC §9.2).
    pub fn content_hash(&self) -> Result<CommitHash, ContentError> {
        let guest = self.reader()?;
        content::hash(guest.connection(), guest.path())
    }

    /// The declared structure (SPEC §9.3).
    pub fn schema_digest(&self) -> Result<CommitHash, DatabaseError> {
        self.reader()?.run(schema::digest)
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn stage(
        &mut self,
        script: &Script,
        inputs: &StepInputs,
        exemptions: &[Exemption],
    ) -> Result<StepOutcome, StepError> {
        let before = self.reader()?;
        let clock = RecordedClock::stop_at(inputs.clock_ms)?;
        let mut run = Run::begin(&self.path, script, inputs)?;
        run.all()?;
        let (statements, transactions, authority) = run.end();
        drop(clock);
        let loss = self
            .judge(script, &before, &authority, exemptions)
            .map_err(|error| error.of_script(script))?;
        drop(before);
        let tree = self.absorb_log()?;
        let old = std::mem::replace(&mut self.tree, tree);
        Ok(StepOutcome {
            statements,
            transactions,
            changed_pages: old.diff(&self.tree),
            page_count_before: old.page_count(),
            page_count_after: self.tree.page_count(),
            page_root: self.tree.root(),
            requested: authority.requested(),
            loss,
        })
    }

    /// Looks at what the step made of the database, before it is taken.
    fn judge(
        &self,
        script: &Script,
        before: &Guest,
        authority: &Authority,
        exemptions: &[Exemption],
    ) -> Result<Loss, StepError> {
        let after = self.reader()?;
        self.refuse_newly_broken_keys(script, &after)?;
        Ok(loss::measure(before, &after, &authority.touched(), exemptions)?)
    }

    /// Names the pages in the log, writes the log into the file, and hashes those pages.
    fn absorb_log(&self) -> Result<PageTree, StepError> {
        let log = wal::read(&wal_path(&self.path))?;
        let guest = Guest::open(&self.path, WAIT)?;
        guest.run(|connection| {
            connection.pragma_update(None, "synchronous", "OFF")?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        })?;
        let pages = GuestPages::of(&guest)?;
        let page_count = pages.page_count();
        if let Some(log) = log.page_count.filter(|count| *count != page_count) {
            return Err(StepError::LogDisagrees { log, sqlite: page_count });
        }
        // An added page without a frame (SQLite's lock page at 1 GiB) reads as the file has it.
        let added = self.tree.page_count() + 1..=page_count;
        let changed = log
            .pages
            .range(..=page_count)
            .copied()
            .chain(added)
            .map(|number| Ok((number, page_name(number, pages.read_page(number)?))))
            .collect::<Result<BTreeMap<u32, ContentHash>, DatabaseError>>()?;
        let mut tree = self.tree.clone();
        tree.update(page_count, &changed)?;
        Ok(tree)
    }

    fn refuse_newly_broken_keys(&self, script: &Script, after: &Guest) -> Result<(), StepError> {
        for ((table, rule), after) in after.run(broken_keys)? {
            let key = (table, rule);
            let before = self.broken_keys.get(&key).copied().unwrap_or_default();
            if after > before {
                let ((table, rule), script) = (key, script.name.clone());
                return Err(StepError::ForeignKey { script, table, rule, before, after });
            }
        }
        Ok(())
    }

    /// A connection inside a read transaction, able to hash rows.
    fn reader(&self) -> Result<Guest, DatabaseError> {
        let guest = Guest::open(&self.path, WAIT)?;
        guest.run(|connection| {
            content::prepare(connection)?;
            connection.execute_batch("BEGIN")?;
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        })?;
        Ok(guest)
    }
}

/// One script running on a connection of its own, so that nothing it sets lasts beyond it.
struct Run<'a> {
    path: &'a Path,
    connection: Connection,
    authority: Authority,
    script: &'a Script,
    /// Whether it begins transactions of its own.
    own_transactions: bool,
    /// Whether a script before it did.
    brought_own: bool,
    /// Whether statements of any script ran without a transaction around them.
    on_their_own: bool,
    begun: u64,
    /// Statements run.
    done: u64,
    /// The rest of the script, and the line it begins on.
    rest: &'a str,
    line: u64,
}

impl<'a> Run<'a> {
    fn begin(path: &'a Path, script: &'a Script, inputs: &StepInputs) -> Result<Self, StepError> {
        let arrangement = script::arrangement(&script.sql);
        let mut connection = open_recorded(path, WAIT)?;
        let sorted = |error| DatabaseError::of(path, WAIT, error);
        inputs.replace_randomness(&connection).map_err(sorted)?;
        settle(&connection).map_err(sorted)?;
        let enforced = arrangement.foreign_keys.unwrap_or(true);
        connection.pragma_update(None, "foreign_keys", enforced).map_err(sorted)?;
        let authority = Authority::over(&mut connection).map_err(sorted)?;
        Ok(Self {
            path,
            connection,
            authority,
            script,
            own_transactions: arrangement.own_transactions,
            brought_own: false,
            on_their_own: script.no_transaction,
            begun: 0,
            done: 0,
            rest: &script.sql,
            line: 1,
        })
    }

    fn all(&mut self) -> Result<(), StepError> {
        self.statements()?;
        if self.own_transactions && !self.connection.is_autocommit() {
            return Err(StepError::TransactionLeftOpen { script: self.script.name.clone() });
        }
        if let Some(record) = self.script.record.as_deref() {
            self.go_on_with(record);
            self.statements()?;
        }
        if self.connection.is_autocommit() { Ok(()) } else { self.control("COMMIT") }
    }

    /// The next script, in the transaction that is open, if one is.
    fn go_on_with(&mut self, script: &'a Script) {
        self.brought_own |= self.own_transactions;
        (self.script, self.own_transactions, self.rest, self.line) =
            (script, false, &script.sql, 1);
    }

    fn statements(&mut self) -> Result<(), StepError> {
        loop {
            let next = script::after_trivia(self.rest);
            self.advance(self.rest.len() - next.len());
            if next.is_empty() {
                return Ok(());
            }
            let length = self.statement(next)?;
            self.advance(length);
            self.done += 1;
        }
    }

    fn end(self) -> (u64, Transactions, Authority) {
        let transactions = match (self.brought_own || self.own_transactions, self.begun) {
            (true, _) => Transactions::Script,
            (false, 0 | 1) if !self.on_their_own => Transactions::One,
            (false, _) => Transactions::Several,
        };
        (self.done, transactions, self.authority)
    }

    /// Runs the statement that `sql` begins with and returns its length.
    fn statement(&mut self, sql: &str) -> Result<usize, StepError> {
        let opening = script::opening(sql);
        if !self.own_transactions {
            self.arrange_transaction(opening, sql)?;
        }
        self.authority.expect_vacuum(opening == Opening::Vacuum);
        // The first semicolon ends most statements; SQLite says so by accepting what lies before it.
        let near = script::reach(sql);
        match self.run(sql.get(..near).unwrap_or(sql)) {
            Ok(length) => Ok(length),
            Err(Failure::Prepare(_)) if near < sql.len() => {
                self.authority.forget_refusal();
                self.run(sql)
            }
            Err(failure) => Err(failure),
        }
        .map_err(|failure| self.failed(sql, failure))
    }

    /// Opens a transaction of ours for what can run in one, and closes it before what cannot.
    fn arrange_transaction(&mut self, opening: Opening, sql: &str) -> Result<(), StepError> {
        let outside = self.connection.is_autocommit();
        match opening {
            Opening::EndOfTransaction => {
                Err(self.refused(sql, "ending a transaction that the script did not begin"))
            }
            Opening::Vacuum | Opening::ForeignKeys(Some(_)) if outside => Ok(()),
            Opening::Vacuum | Opening::ForeignKeys(Some(_)) => self.control("COMMIT"),
            _ if outside && self.script.no_transaction => Ok(()),
            _ if outside => {
                self.begun += 1;
                self.control("BEGIN IMMEDIATE")
            }
            _ => Ok(()),
        }
    }

    fn run(&self, sql: &str) -> Result<usize, Failure> {
        let mut batch = Batch::new(&self.connection, sql);
        let Some(mut statement) = batch.next().map_err(Failure::Prepare)? else {
            return Ok(sql.len());
        };
        if statement.parameter_count() > 0 {
            return Err(Failure::Parameters);
        }
        let length = statement.expanded_sql().map_or(sql.len(), |text| text.len());
        let mut rows = statement.query([]).map_err(Failure::Step)?;
        while rows.next().map_err(Failure::Step)?.is_some() {}
        Ok(length)
    }

    fn failed(&self, sql: &str, failure: Failure) -> StepError {
        if let Some(what) = self.authority.refusal() {
            return self.refused(sql, &what);
        }
        match failure {
            Failure::Parameters => self.refused(sql, "a parameter without a value"),
            Failure::Prepare(error) | Failure::Step(error) if is_of_the_machine(&error) => {
                DatabaseError::of(self.path, WAIT, error).into()
            }
            Failure::Prepare(error) | Failure::Step(error) => StepError::Statement {
                script: self.script.name.clone(),
                line: self.line,
                sql: shortened(sql),
                message: message(&error),
            },
        }
    }

    fn refused(&self, sql: &str, what: &str) -> StepError {
        StepError::Refused {
            script: self.script.name.clone(),
            line: self.line,
            sql: shortened(sql),
            what: what.to_owned(),
        }
    }

    fn control(&self, sql: &'static str) -> Result<(), StepError> {
        self.connection.execute_batch(sql).map_err(|error| self.failed(sql, Failure::Step(error)))
    }

    fn advance(&mut self, length: usize) {
        let (passed, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.line += passed.matches('\n').count() as u64;
        self.rest = rest;
    }
}

enum Failure {
    Prepare(rusqlite::Error),
    Step(rusqlite::Error),
    Parameters,
}

/// Settings of every connection that writes: the log stays until we write it into the file.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "synchronous", "OFF")
}

/// Rows that refer to what is not there, counted by child table and by parent table. A declaration
/// that cannot be checked counts as one row under SQLite's words about it.
fn broken_keys(connection: &Connection) -> rusqlite::Result<BTreeMap<(String, String), u64>> {
    let mut broken = BTreeMap::new();
    for table in schema::tables(connection)? {
        let mut check = connection.prepare_cached(
            "SELECT parent, count(*) FROM pragma_foreign_key_check(?1) GROUP BY parent",
        )?;
        let found = check
            .query_map([&table.name], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))
            .and_then(Iterator::collect::<Result<Vec<(String, u64)>, _>>);
        let found = match found {
            Err(error) if is_of_the_machine(&error) => return Err(error),
            found => found.unwrap_or_else(|error| vec![(message(&error), 1)]),
        };
        broken.extend(found.into_iter().map(|(rule, rows)| ((table.name.clone(), rule), rows)));
    }
    Ok(broken)
}

fn shortened(sql: &str) -> String {
    let statement = sql.get(..script::reach(sql)).unwrap_or(sql);
    match statement.char_indices().nth(TOLD_SQL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", statement.get(..end).unwrap_or_default()),
        None => statement.to_owned(),
    }
}

fn remove(path: &Path) -> Result<(), DatabaseError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(DatabaseError::io(path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::MemoryObjects;
    use crate::target::sqlite::testing::{WAIT as LONG, database, sql};
    use crate::target::sqlite::{RowLoss, Snapshot, TableLoss};
    use ledger_format::cbor::Value;

    const INPUTS: StepInputs = StepInputs { clock_ms: 1_000_000_000_000, seed: [7; 32] };

    struct Bench {
        _dir: tempfile::TempDir,
        copy: WorkCopy,
        objects: MemoryObjects,
    }

    fn bench(setup: &str) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let live = dir.path().join("live.db");
        database(&live, setup);
        let mut objects = MemoryObjects::new();
        let tree = image::take(&Snapshot::open(&live, LONG).unwrap(), &mut objects).unwrap();
        let copy = WorkCopy::create(dir.path(), &tree.root(), &objects).unwrap();
        Bench { _dir: dir, copy, objects }
    }

    impl Bench {
        fn step(&mut self, sql: &str) -> Result<StepOutcome, StepError> {
            let script = Script::new("step.sql", sql);
            let outcome = self.copy.run_step(&script, &INPUTS, &[]);
            // Whatever happened, the tree is the file's.
            let rebuilt = PageTree::build(&Snapshot::open(self.copy.path(), LONG).unwrap());
            assert_eq!(self.copy.page_tree(), &rebuilt.unwrap());
            assert!(fs::metadata(wal_path(self.copy.path())).map_or(0, |wal| wal.len()) == 0);
            outcome
        }

        fn ask<T: rusqlite::types::FromSql>(&self, query: &str) -> T {
            sql(self.copy.path(), query)
        }
    }

    const FAMILY: &str = "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE child(id INTEGER PRIMARY KEY,
            parent INTEGER REFERENCES parent(id) ON DELETE CASCADE);
        INSERT INTO parent VALUES (1,'a'),(2,'b');
        INSERT INTO child VALUES (10,1),(11,1),(12,2);";

    const REBUILD: &str = "CREATE TABLE new_parent(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
        INSERT INTO new_parent SELECT id, name FROM parent;
        DROP TABLE parent;
        ALTER TABLE new_parent RENAME TO parent;";

    fn big(rows: u32) -> String {
        format!(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
            INSERT INTO t SELECT i, 'value ' || i FROM n;"
        )
    }

    #[test]
    fn a_step_names_the_pages_it_changed_and_its_root() {
        let mut bench = bench(&big(20_000));
        let before = bench.copy.page_tree().clone();
        let outcome = bench.step("ALTER TABLE t ADD COLUMN w TEXT; -- done\n").unwrap();
        assert_eq!((outcome.statements, outcome.transactions), (1, Transactions::One));
        assert_eq!(outcome.changed_pages, [1]);
        assert_eq!(outcome.page_root, bench.copy.page_tree().root());
        assert!(outcome.loss.is_lossless(), "{:?}", outcome.loss);
        let outcome = bench.step("UPDATE t SET w = 'x' WHERE id = 1; SELECT * FROM t;").unwrap();
        assert_eq!(outcome.changed_pages.len(), 1);
        let stored = bench.copy.store(&mut bench.objects).unwrap();
        assert_eq!(stored as usize, before.diff(bench.copy.page_tree()).len());
        bench.copy.check_integrity().unwrap();
    }

    #[test]
    fn growth_and_shrinking_are_followed() {
        let mut bench = bench("CREATE TABLE t(a)");
        let grown = bench.step("INSERT INTO t VALUES (zeroblob(900000)); DELETE FROM t;").unwrap();
        assert!(grown.page_count_after > grown.page_count_before + 200);
        let shrunk = bench.step("VACUUM").unwrap();
        assert_eq!((shrunk.page_count_after, shrunk.transactions), (2, Transactions::One));
        let several = bench.step("CREATE TABLE u(a); VACUUM; DROP TABLE u;").unwrap();
        assert_eq!(several.transactions, Transactions::Several);
        assert!(several.loss.is_lossless());
    }

    #[test]
    fn a_script_without_a_transaction_runs_statement_by_statement_and_leaves_nothing_if_it_fails() {
        let mut bench = bench(FAMILY);
        let before = bench.copy.page_tree().clone();
        let run = |bench: &mut Bench, sql: &str| {
            let record =
                Script::new("record", "CREATE TABLE record(a); INSERT INTO record VALUES (1);");
            let script = Script {
                no_transaction: true,
                record: Some(Box::new(record)),
                ..Script::new("step.sql", sql)
            };
            bench.copy.run_step(&script, &INPUTS, &[])
        };
        // A rollback inside of a statement would take everything before it along, if there were a transaction.
        let sql = "INSERT INTO parent VALUES (3,'c'); SAVEPOINT s; DELETE FROM child; ROLLBACK TO s; RELEASE s;";
        let outcome = run(&mut bench, sql).unwrap();
        assert_eq!((outcome.statements, outcome.transactions), (7, Transactions::Several));
        assert_eq!(bench.ask::<i64>("SELECT count(*) FROM child"), 3);
        assert_eq!(bench.ask::<i64>("SELECT a FROM record"), 1);
        let after = bench.copy.page_tree().clone();
        assert_ne!(after, before);
        let failed = run(&mut bench, "DELETE FROM child; INSERT INTO nowhere VALUES (1);");
        assert!(matches!(failed, Err(StepError::Statement { line: 1, .. })), "{failed:?}");
        let refused = run(&mut bench, "DELETE FROM child; COMMIT;");
        assert!(matches!(refused, Err(StepError::Refused { .. })), "{refused:?}");
        assert_eq!(bench.copy.page_tree(), &after);
    }

    #[test]
    fn statements_end_where_sqlite_says() {
        let mut bench = bench("CREATE TABLE t(a)");
        let outcome = bench
            .step(
                "\u{feff}-- a; comment\n;;INSERT INTO t VALUES ('a;b''; c');
                CREATE TRIGGER r AFTER INSERT ON t BEGIN
                    UPDATE t SET a = a || ';' WHERE a = 'x'; -- ; BEGIN
                    SELECT CASE WHEN 1 THEN 2 END;
                END;
                INSERT INTO t /* ; */ VALUES ('x')",
            )
            .unwrap();
        assert_eq!((outcome.statements, outcome.transactions), (3, Transactions::One));
        assert_eq!(bench.ask::<String>("SELECT group_concat(a, '|') FROM t"), "a;b'; c|x;");
    }

    #[test]
    fn a_failing_statement_is_named_and_leaves_nothing() {
        let mut bench = bench(FAMILY);
        let before = bench.copy.page_tree().clone();
        for script in [
            "INSERT INTO parent VALUES (3,'c');\n\n-- here\n  INSERT INTO nowhere VALUES (1);",
            "BEGIN; INSERT INTO parent VALUES (3,'c'); COMMIT;\n\n\nINSERT INTO nowhere VALUES (1);",
            "INSERT INTO parent VALUES (3,'c'); VACUUM;\n\n\nINSERT INTO nowhere VALUES (1);",
        ] {
            match bench.step(script) {
                Err(StepError::Statement { script, line, sql, message }) => {
                    assert_eq!((script.as_str(), line), ("step.sql", 4));
                    assert_eq!(sql, "INSERT INTO nowhere VALUES (1);");
                    assert_eq!(message, "no such table: nowhere");
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(bench.copy.page_tree(), &before);
        }
        assert!(bench.step("INSERT INTO parent VALUES (3,'c')").is_ok());
    }

    #[test]
    fn what_reaches_outside_is_refused_by_name() {
        let mut bench = bench("CREATE TABLE t(a)");
        for (script, told) in [
            ("ATTACH 'x.db' AS x", "ATTACH"),
            ("DETACH main", "DETACH"),
            ("VACUUM INTO '/tmp/never.db'", "VACUUM INTO"),
            ("SELECT load_extension('x')", "load_extension"),
            ("COMMIT; CREATE TABLE u(a)", "ending a transaction that the script did not begin"),
            ("INSERT INTO t VALUES (?1)", "a parameter without a value"),
        ] {
            match bench.step(script) {
                Err(StepError::Refused { what, line: 1, .. }) => assert_eq!(what, told),
                other => panic!("{script}: {other:?}"),
            }
        }
        let open = bench.step("BEGIN; CREATE TABLE u(a);");
        assert!(matches!(open, Err(StepError::TransactionLeftOpen { .. })));
    }

    #[test]
    fn file_settings_are_taken_out_and_recorded() {
        let mut bench = bench("CREATE TABLE t(a)");
        let outcome = bench
            .step(
                "PRAGMA journal_mode = DELETE; PRAGMA page_size=512; PRAGMA main.synchronous = 2;
                PRAGMA wal_checkpoint(TRUNCATE); PRAGMA locking_mode=EXCLUSIVE;
                CREATE TABLE u(a); VACUUM; PRAGMA user_version = 7;",
            )
            .unwrap();
        let named: Vec<_> =
            outcome.requested.iter().map(|r| (r.name.as_str(), r.value.as_deref())).collect();
        assert_eq!(
            named,
            [
                ("journal_mode", Some("DELETE")),
                ("page_size", Some("512")),
                ("synchronous", Some("2")),
                ("wal_checkpoint", Some("TRUNCATE")),
                ("locking_mode", Some("EXCLUSIVE")),
            ]
        );
        assert_eq!(bench.copy.page_tree().page_size().bytes(), 4096);
        assert_eq!(bench.ask::<i64>("PRAGMA user_version"), 7);
        assert_eq!(bench.ask::<String>("PRAGMA journal_mode"), "wal");
    }

    #[test]
    fn the_documented_rebuild_keeps_the_children() {
        for script in [
            format!("PRAGMA foreign_keys=OFF; {REBUILD} PRAGMA foreign_keys=ON;"),
            format!("PRAGMA foreign_keys=OFF; BEGIN; {REBUILD} COMMIT; PRAGMA foreign_keys=ON;"),
            format!("BEGIN; PRAGMA foreign_keys=OFF; {REBUILD} PRAGMA foreign_keys=ON; COMMIT;"),
        ] {
            let mut bench = bench(FAMILY);
            let outcome = bench.step(&script).unwrap();
            assert!(outcome.loss.is_lossless(), "{script}: {:?}", outcome.loss);
            assert_eq!(bench.ask::<i64>("SELECT count(*) FROM child"), 3);
        }
    }

    #[test]
    fn a_rebuild_with_keys_on_shows_every_child_it_deletes() {
        let mut bench = bench(FAMILY);
        let loss = bench.step(REBUILD).unwrap().loss;
        assert!(!loss.is_lossless());
        let expected =
            TableLoss { table: "child".to_owned(), rows_gone: 3, ..TableLoss::default() };
        assert_eq!(loss.tables, [expected]);
        let keys: Vec<_> = loss.listed.iter().map(|row| row.key.clone()).collect();
        assert_eq!(keys, [[Value::from(10_i64)], [11_i64.into()], [12_i64.into()]]);
    }

    #[test]
    fn keys_broken_by_a_step_are_refused_and_old_breaks_are_not() {
        let mut bench = bench(&format!("{FAMILY} INSERT INTO child VALUES (13, 99);"));
        bench.step("INSERT INTO parent VALUES (3, 'c')").unwrap();
        let refused = bench.step("PRAGMA foreign_keys=OFF; DELETE FROM parent WHERE id = 2;");
        assert!(matches!(
            refused,
            Err(StepError::ForeignKey { before: 1, after: 2, ref table, .. }) if table == "child"
        ));
        assert_eq!(bench.ask::<i64>("SELECT count(*) FROM parent"), 3);
    }

    #[test]
    fn a_killed_work_copy_is_made_anew() {
        let mut bench = bench(FAMILY);
        let staged = bench.copy.page_tree().clone();
        let killed = open_existing(bench.copy.path(), WAIT).unwrap();
        settle(&killed).unwrap();
        killed.execute_batch("DELETE FROM child; BEGIN; DELETE FROM parent;").unwrap();
        let folder = bench.copy.path().parent().unwrap().to_owned();
        let log = fs::read(wal_path(bench.copy.path())).unwrap();
        assert!(!log.is_empty());
        drop(killed);
        assert_eq!(fs::read(wal_path(bench.copy.path())).unwrap(), log, "close checkpointed");
        bench.copy = WorkCopy::create(&folder, &staged.root(), &bench.objects).unwrap();
        let outcome = bench.step("SELECT 1").unwrap();
        assert_eq!((outcome.page_root, outcome.changed_pages), (staged.root(), vec![]));
    }

    #[test]
    fn a_rolled_back_transaction_counts_for_nothing() {
        let mut bench = bench(&big(10));
        let before = bench.copy.page_tree().clone();
        let outcome = bench.step(
            "PRAGMA cache_size=5; BEGIN; INSERT INTO t(v) SELECT randomblob(4000) FROM
            pragma_function_list; ROLLBACK;",
        );
        assert_eq!(outcome.unwrap().changed_pages, [0_u32; 0]);
        assert_eq!(bench.copy.page_tree(), &before);
    }

    #[test]
    fn damage_is_found_at_the_end() {
        let mut bench =
            bench("CREATE TABLE t(a); CREATE INDEX i ON t(a); INSERT INTO t VALUES (1);");
        bench
            .step(
                "PRAGMA writable_schema=ON;
            UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t(a DESC, a)' WHERE name = 'i';",
            )
            .unwrap();
        assert!(bench.copy.check_integrity().is_err());
    }

    fn table_loss(setup: &str, script: &str) -> (Vec<TableLoss>, Vec<LostRowText>) {
        let mut bench = bench(setup);
        let loss = bench.step(script).unwrap().loss;
        assert_eq!(loss.is_lossless(), loss.tables.is_empty());
        let listed = loss.listed.iter().map(|row| {
            let column = match &row.what {
                RowLoss::Gone => "gone".to_owned(),
                RowLoss::Changed { column } => column.clone(),
            };
            (row.table.clone(), column)
        });
        (loss.tables.clone(), listed.collect())
    }

    type LostRowText = (String, String);

    fn only(tables: &[TableLoss]) -> &TableLoss {
        assert_eq!(tables.len(), 1, "{tables:?}");
        &tables[0]
    }

    #[test]
    fn every_kind_of_loss_is_measured() {
        const T: &str = "CREATE TABLE t(k TEXT PRIMARY KEY, v, d DEFAULT 'd');
            INSERT INTO t VALUES ('a',1,'d'),('b',2,'x'),('c',3,NULL);
            CREATE TABLE bag(a, b); INSERT INTO bag VALUES (1,2),(1,2),(3,4);";
        let (lost, listed) = table_loss(T, "DROP TABLE t");
        assert!(only(&lost).dropped && only(&lost).rows_gone == 3 && listed.is_empty());
        let (lost, _) = table_loss(T, "ALTER TABLE t DROP COLUMN d");
        let dropped = DroppedColumnText("d".to_owned(), 2);
        assert_eq!(only(&lost).dropped_columns.iter().map(text).collect::<Vec<_>>(), [dropped]);
        let (lost, listed) = table_loss(T, "DELETE FROM t WHERE k = 'b'");
        assert_eq!((only(&lost).rows_gone, listed[0].1.as_str()), (1, "gone"));
        let (lost, listed) = table_loss(T, "UPDATE t SET v = v * 1.0 WHERE k <> 'b'");
        assert_eq!((only(&lost).values_changed["v"], listed.len()), (2, 2));
        let zero = "CREATE TABLE z(id INTEGER PRIMARY KEY, v); INSERT INTO z VALUES (1, -0.0);";
        let (lost, _) = table_loss(zero, "UPDATE z SET v = 0.0");
        assert_eq!(only(&lost).values_changed["v"], 1);
        let (lost, _) = table_loss(T, "UPDATE t SET k = k || k");
        assert_eq!((only(&lost).ids_changed, only(&lost).rows_gone), (3, 0));
        let (lost, _) = table_loss(T, "DELETE FROM bag WHERE rowid = 1");
        assert_eq!(only(&lost).rows_gone, 1);
        let (lost, _) = table_loss(T, "REPLACE INTO t VALUES ('a', 9, 'd')");
        assert_eq!(only(&lost).values_changed["v"], 1);
        let (lost, _) = table_loss(
            T,
            "CREATE TRIGGER r AFTER INSERT ON bag BEGIN
            DELETE FROM t; END; INSERT INTO bag VALUES (0, 0);",
        );
        assert_eq!((only(&lost).table.as_str(), only(&lost).rows_gone), ("t", 3));
        let (lost, _) = table_loss(
            "CREATE VIRTUAL TABLE w USING fts5(b); INSERT INTO w VALUES ('x');",
            "UPDATE w SET b = 'y'",
        );
        assert!(lost.iter().any(|lost| lost.table == "w_content"), "{lost:?}");
    }

    #[derive(Debug, PartialEq)]
    struct DroppedColumnText(String, u64);

    fn text(dropped: &crate::target::sqlite::DroppedColumn) -> DroppedColumnText {
        DroppedColumnText(dropped.column.clone(), dropped.values)
    }

    #[test]
    fn what_only_moves_is_no_loss() {
        const T: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, v);
            INSERT INTO t VALUES (1,'a'),(2,'b');
            CREATE TABLE k(a TEXT, b TEXT, PRIMARY KEY(b,a)) WITHOUT ROWID;
            INSERT INTO k VALUES ('x','y');";
        for script in [
            "ALTER TABLE t RENAME TO u; ALTER TABLE u ADD COLUMN w;",
            "ALTER TABLE t RENAME COLUMN v TO w",
            "ALTER TABLE t RENAME COLUMN id TO key",
            "ALTER TABLE k RENAME COLUMN a TO c",
            "ALTER TABLE t ADD COLUMN w DEFAULT 5; UPDATE t SET w = 6;",
            "INSERT INTO t VALUES (3,'c'); CREATE INDEX i ON t(v); REINDEX; ANALYZE;",
            "CREATE TABLE n(v, id INTEGER PRIMARY KEY, w); INSERT INTO n(id,v) SELECT * FROM t;
             DROP TABLE t; ALTER TABLE n RENAME TO t;",
            "CREATE TEMP TABLE t2 AS SELECT * FROM t; DROP TABLE t2;",
            "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1,'a')",
        ] {
            let (lost, _) = table_loss(T, script);
            assert!(lost.is_empty(), "{script}: {lost:?}");
        }
    }

    #[test]
    fn exempt_rows_and_tables_do_not_count() {
        let mut bench = bench(
            "CREATE TABLE meta(key TEXT PRIMARY KEY, value);
            INSERT INTO meta VALUES ('store_version','1'),('name','n'); CREATE TABLE book(v);
            INSERT INTO book VALUES (1);",
        );
        let script = Script::new("s", "UPDATE meta SET value = 2; DELETE FROM book");
        let exemptions = [
            Exemption::Row { table: "meta".to_owned(), key: "store_version".to_owned() },
            Exemption::Table { table: "book".to_owned() },
        ];
        let loss = bench.copy.run_step(&script, &INPUTS, &exemptions).unwrap().loss;
        assert_eq!(loss.tables.len(), 1);
        assert_eq!(loss.tables[0].values_changed, BTreeMap::from([("value".to_owned(), 1)]));
    }

    #[test]
    fn a_record_shares_its_scripts_transaction_or_follows_it() {
        let mut bench = bench("CREATE TABLE book(v)");
        let mut step = |sql: &str, record: &str| {
            let record = Some(Box::new(Script::new("record", record)));
            let script = Script { record, ..Script::new("s", sql) };
            bench
                .copy
                .run_step(&script, &INPUTS, &[])
                .map(|done| (done.statements, done.transactions))
        };
        let row = "INSERT INTO book VALUES (1);";
        assert_eq!(step("CREATE TABLE a(x)", row).unwrap(), (2, Transactions::One));
        let own = "BEGIN; CREATE TABLE b(x); COMMIT;";
        assert_eq!(step(own, row).unwrap(), (4, Transactions::Script));
        assert_eq!(step("CREATE TABLE c(x); VACUUM", row).unwrap(), (3, Transactions::Several));
        assert_eq!(step("", row).unwrap(), (1, Transactions::One));
        for script in ["CREATE TABLE d(x)", "BEGIN; CREATE TABLE d(x); COMMIT;", "BEGIN;"] {
            assert!(step(script, "INSERT INTO nowhere VALUES (1)").is_err());
        }
        assert_eq!(bench.ask::<i64>("SELECT count(*) FROM book"), 4);
        assert_eq!(bench.ask::<i64>("SELECT count(*) FROM sqlite_schema WHERE name = 'd'"), 0);
    }

    #[test]
    fn a_large_script_is_not_read_again_for_every_statement() {
        let mut bench = bench("CREATE TABLE t(a)");
        let script =
            "INSERT INTO t VALUES ('some text of some length; and more');\n".repeat(20_000);
        assert_eq!(bench.step(&script).unwrap().statements, 20_000);
    }

    #[test]
    fn a_step_that_asks_for_time_and_randomness_gives_the_same_pages_again() {
        let sql = "ALTER TABLE t ADD COLUMN token BLOB;
            UPDATE t SET token = randomblob(16);
            CREATE TABLE log(at TEXT DEFAULT CURRENT_TIMESTAMP, dice DEFAULT (random()), t);
            INSERT INTO log(t) SELECT id FROM t ORDER BY random();
            CREATE TRIGGER r AFTER INSERT ON log BEGIN UPDATE t SET v = datetime('now'); END;
            INSERT INTO log(t) VALUES (0);";
        let script = Script::new("s", sql);
        let run = |inputs: &StepInputs| {
            let mut bench = bench(&big(500));
            let root = bench.copy.run_step(&script, inputs, &[]).unwrap().page_root;
            (root, bench.ask::<String>("SELECT max(v) FROM t"))
        };
        let (root, time) = run(&INPUTS);
        assert_eq!(time, "2001-09-09 01:46:40");
        assert_eq!(run(&INPUTS).0, root);
        assert_ne!(run(&StepInputs { seed: [8; 32], ..INPUTS }).0, root);
        assert_ne!(run(&StepInputs { clock_ms: 0, ..INPUTS }).0, root);
    }
}
