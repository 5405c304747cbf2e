//! A copy of a database that is ours alone, on which the steps of a migration run.
//!
//! While a step runs, everything it writes is in the write-ahead log and the database file is still
//! the one before it. So a step that fails leaves nothing, whatever transactions it used: the log is
//! thrown away. A step that succeeds is measured against the file; the log is written into it before
//! the next step.
//!
//! Opening a connection reads the whole schema, which after many steps is long. So a step goes on with the
//! connection of the one before it where it cannot tell: nothing was done that lasts as long as a connection does,
//! nothing asks for such a thing, and no page is remembered.
//!
//! `synchronous = OFF`: what was staged survives the end of this process, not of the machine. After
//! another boot a work copy is made again from its image.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use ledger_format::hash::CommitHash;
use recorded_vfs::{NotRegistered, RecordedClock};
use rusqlite::Connection;

use super::authority::RequestedPragma;
use super::connection::{Guest, GuestPages, View, beside, open_existing, wal_path};
use super::foreign_keys::{Broken, ForeignKeys};
use super::inputs::StepInputs;
use super::loss::{self, Exemption, Known, Loss, Side};
use super::page::{PageSize, PageSource, page_name};
use super::running::{Ran, Run, Transactions, Worker, settle};
use super::schema::Overview;
use super::script::Script;
use super::wal::Log;
use super::{
    ContentError, DatabaseError, ImageError, PageTree, UnknownPage, content, image, schema,
};
use crate::objects::Objects;
use crate::transform::ForeignKeyMode;

/// The database's name in the folder given for it.
const FILE: &str = "work.db";

/// Nobody else opens a work copy; a lock on it is a mistake and not worth waiting for.
pub(super) const WAIT: Duration = Duration::ZERO;

/// A database being migrated.
#[derive(Debug)]
pub struct WorkCopy {
    path: PathBuf,
    tree: PageTree,
    keys: ForeignKeys,
    overview: Overview,
    /// The number by which the file tells one schema from the next, after the last step.
    cookie: Option<i64>,
    /// The log of the last step, as long as it is not in the file.
    log: Option<Log>,
    /// What of the present image is in the objects that it was made from.
    kept: Kept,
    /// The connection that the last step ran on, if it is as a new one would be.
    worker: Option<Worker>,
    /// Sees the database as it is before a step, while that runs.
    reader: Option<Guest>,
    order: RowOrder,
    /// The last script after which foreign keys were left to the end.
    left_to_the_end: Option<String>,
}

/// What of an image is stored.
#[derive(Debug)]
enum Kept {
    Whole,
    /// All but what stands on these pages.
    But(BTreeSet<u32>),
    Unknown,
}

/// In which order rows come that no statement orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowOrder {
    /// As SQLite finds them.
    #[default]
    Found,
    /// The other way round, which shows what depends on it.
    Reversed,
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

/// Why a step did not run. The work copy is then as it was before the step.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// SQLite refused a statement.
    #[error("{script}:{line}: {message}; in: {sql}")]
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
    #[error("{script}:{line}: {what} is not allowed in a migration; in: {sql}")]
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
    fn of_keys(script: &str, broken: Broken) -> Self {
        let Broken { table, rule, before, after } = broken;
        Self::ForeignKey { script: script.to_owned(), table, rule, before, after }
    }

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
        let written = Self::written(folder, |path| image::unfold(root, objects, path))?;
        Ok(Self { kept: Kept::Whole, ..written })
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
            let overview = Overview::of(&connection)?;
            Ok((ForeignKeys::at_the_start(&connection, &overview)?, overview))
        };
        let (keys, overview) = logged().map_err(sorted)?;
        drop(connection);
        Ok(Self {
            path,
            tree,
            keys,
            overview,
            cookie: None,
            log: None,
            kept: Kept::Unknown,
            worker: None,
            reader: None,
            order: RowOrder::Found,
            left_to_the_end: None,
        })
    }

    /// Another work copy of the same pages in `folder`, whose steps meet rows in `order`.
    pub fn fork(&mut self, folder: &Path, order: RowOrder) -> Result<Self, StepError> {
        self.empty_log()?;
        // Copying closes a handle of the file, which would take the locks of these along.
        (self.worker, self.reader) = (None, None);
        let path = folder.join(FILE);
        fs::copy(&self.path, &path).map_err(DatabaseError::io(&path))?;
        Ok(Self {
            path,
            tree: self.tree.clone(),
            keys: self.keys.clone(),
            overview: self.overview.clone(),
            cookie: self.cookie,
            left_to_the_end: self.left_to_the_end.clone(),
            log: None,
            worker: None,
            reader: None,
            kept: Kept::Unknown,
            order,
        })
    }

    /// Runs `script` as one step: all of it or nothing. Clock and randomness are those of `inputs`, so
    /// the same step on the same image gives the same pages. Foreign keys are held as the script's mode says, unless
    /// its first `PRAGMA foreign_keys` switches them; that one counts from the start, since inside a
    /// transaction SQLite ignores it.
    pub fn run_step(
        &mut self,
        script: &Script,
        inputs: &StepInputs,
        exemptions: &[Exemption],
    ) -> Result<StepOutcome, StepError> {
        self.empty_log()?;
        let done = self.stage(script, inputs, exemptions);
        if done.is_err() {
            self.forget_step()?;
        }
        done
    }

    /// Checks the whole database (`PRAGMA integrity_check`), and the foreign keys that were left to the end; the last
    /// thing after all steps.
    pub fn check_integrity(&self) -> Result<(), StepError> {
        self.check_keys_left()?;
        check_integrity(&self.path)
    }

    /// Checks the foreign keys that were left to the end.
    fn check_keys_left(&self) -> Result<(), StepError> {
        let Some(script) = &self.left_to_the_end else { return Ok(()) };
        let guest = Guest::open(&self.path, WAIT)?;
        let broken = guest.run(|all| self.keys.broken_anywhere(all, &self.overview))?;
        broken.map_or(Ok(()), |broken| Err(StepError::of_keys(script, broken)))
    }

    /// Keeps the present image in `objects`, storing only what they lack; returns the number of
    /// pages stored. They must be those that it was created from.
    pub fn store(&mut self, objects: &mut dyn Objects) -> Result<u32, StepError> {
        let stored = if let (Kept::But(changed), Some(log)) = (&self.kept, &self.log) {
            let source = Written { log, tree: &self.tree };
            image::store_changed(&self.tree, changed, &source, objects)?
        } else {
            let guest = self.reader()?;
            image::store(&self.tree, &GuestPages::of(&guest)?, objects)?
        };
        self.kept = Kept::Whole;
        Ok(stored)
    }

    /// The objects have the whole present image.
    pub fn image_is_kept(&mut self) {
        self.kept = Kept::Whole;
    }

    /// The pages after the last step.
    #[must_use]
    pub fn page_tree(&self) -> &PageTree {
        &self.tree
    }

    /// What the database holds (SPEC §9.2).
    pub fn content_hash(&self) -> Result<CommitHash, ContentError> {
        let guest = self.reader()?;
        // Nobody writes to it: whoever reads it sees the same.
        content::hash_on_all_cores(guest.view())
    }

    /// The same of a database that must not contradict itself, which is found out at the same time.
    pub fn sound_content(&self) -> Result<CommitHash, StepError> {
        self.check_keys_left()?;
        thread::scope(|scope| {
            let path = &self.path;
            let check = thread::Builder::new().spawn_scoped(scope, || check_integrity(path));
            let content = self.content_hash();
            match check.map(ScopedJoinHandle::join) {
                Ok(Ok(checked)) => checked?,
                // A machine that gives no thread.
                Err(_) => self.check_integrity()?,
                Ok(Err(panic)) => resume_unwind(panic),
            }
            Ok(content?)
        })
    }

    /// The SQL of everything the schema declares.
    pub fn declarations(&self) -> Result<Vec<String>, DatabaseError> {
        self.reader()?.run(schema::declarations)
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
        self.look_before()?;
        let known = self.known(script)?;
        let ran = self.run(script, inputs)?;
        let (statements, transactions) = (ran.statements, ran.transactions);
        let requested = ran.authority.requested();
        let page_count_before = self.tree.page_count();
        let (loss, changed_pages) =
            self.judge(script, &known, ran, exemptions).map_err(|error| error.of_script(script))?;
        Ok(StepOutcome {
            statements,
            transactions,
            changed_pages,
            page_count_before,
            page_count_after: self.tree.page_count(),
            page_root: self.tree.root(),
            requested,
            loss,
        })
    }

    /// Looks at what the step made of the database, and takes it.
    fn judge(
        &mut self,
        script: &Script,
        known: &Known,
        ran: Ran,
        exemptions: &[Exemption],
    ) -> Result<(Loss, Vec<u32>), StepError> {
        let goes_on = ran.worker.is_some();
        let worker = match ran.worker {
            Some(worker) => worker,
            None => Worker::open(&self.path)?,
        };
        let path = self.path.clone();
        let after = View::of(&worker.connection, &path, WAIT);
        let cookie = after.run(schema_version)?;
        let overview = if goes_on && self.cookie == Some(cookie) {
            self.overview.clone()
        } else {
            after.run(Overview::of)?
        };
        let (touched, reshaped) = (ran.authority.touched(), ran.authority.reshaped());
        if script.foreign_keys == ForeignKeyMode::AtEnd {
            self.left_to_the_end = Some(script.name.clone());
        } else {
            let look =
                |all: &Connection| self.keys.newly_broken(all, &overview, &touched, &reshaped);
            let broken = after.run(look)?;
            broken.map_or(Ok(()), |broken| Err(StepError::of_keys(&script.name, broken)))?;
        }
        let log = Log::read(&wal_path(&self.path))?;
        let written = self.pages_written(after, log.as_ref())?;
        let loss = self.loss(known, after, &overview.tables, (&touched, &written), exemptions)?;
        // What is remembered of pages shows in the bytes that nothing uses of pages that are used again.
        after.run(|connection| connection.execute_batch("PRAGMA shrink_memory"))?;
        let changed_pages = self.take_in_log(after, log, &written)?;
        (self.overview, self.cookie) = (overview, Some(cookie));
        self.worker = (!self.overview.remembers).then_some(worker);
        Ok((loss, changed_pages))
    }

    /// Runs the script on the connection of the step before it or, where it could tell that, on a new one.
    fn run(&mut self, script: &Script, inputs: &StepInputs) -> Result<Ran, StepError> {
        let _clock = RecordedClock::stop_at(inputs.clock_ms)?;
        if let Some(worker) = self.worker.take() {
            let authority = worker.authority.clone();
            let ran = Run::begin(&self.path, worker, script, inputs, self.order).and_then(Run::all);
            if ran.is_ok() || !authority.needs_new_connection() {
                return ran;
            }
            self.forget_step()?;
            self.look_before()?;
        }
        let worker = Worker::open(&self.path)?;
        Run::begin(&self.path, worker, script, inputs, self.order)?.all()
    }

    /// Goes back to before the step: the log holds nothing else, and no connection is open any more.
    fn forget_step(&mut self) -> Result<(), DatabaseError> {
        (self.worker, self.reader) = (None, None);
        for suffix in ["-wal", "-shm"] {
            remove(&beside(&self.path, suffix))?;
        }
        Ok(())
    }

    /// Holds on to the database as it is now. The schema is not read yet: most steps need none of it.
    fn look_before(&mut self) -> Result<(), DatabaseError> {
        if self.reader.is_none() {
            let guest = Guest::open(&self.path, WAIT)?;
            guest.run(content::prepare)?;
            self.reader = Some(guest);
        }
        let Some(reader) = &self.reader else { return Ok(()) };
        reader.run(|connection| {
            connection.execute_batch("BEGIN")?;
            schema_version(connection).map(drop)
        })
    }

    /// What is known at small cost of the tables that a step names, before it runs.
    fn known(&self, script: &Script) -> Result<Known, StepError> {
        let Some(worker) = &self.worker else { return Ok(Known::new()) };
        let view = View::of(&worker.connection, &self.path, WAIT);
        let known = loss::known(view, &self.overview.tables, &script.sql)?;
        view.run(|connection| connection.execute_batch("PRAGMA shrink_memory"))?;
        Ok(known)
    }

    /// What the step took away; what was before it is let go.
    fn loss(
        &self,
        known: &Known,
        after: View<'_>,
        tables: &BTreeSet<String>,
        touched: (&loss::Touched, &BTreeSet<u32>),
        exemptions: &[Exemption],
    ) -> Result<Loss, StepError> {
        let Some(reader) = &self.reader else { return Ok(Loss::default()) };
        let before = Side { view: reader.view(), tables: &self.overview.tables };
        let after = Side { view: after, tables };
        let loss = loss::measure(before, known, after, touched, exemptions)?;
        reader.run(|connection| connection.execute_batch("COMMIT"))?;
        Ok(loss)
    }

    /// The pages that the step wrote, and those that it added.
    fn pages_written(
        &self,
        after: View<'_>,
        log: Option<&Log>,
    ) -> Result<BTreeSet<u32>, StepError> {
        let (_, page_count) = after.pages()?;
        let wal = log.map(|log| &log.wal);
        if let Some(log) = wal.and_then(|wal| wal.page_count).filter(|count| *count != page_count) {
            return Err(StepError::LogDisagrees { log, sqlite: page_count });
        }
        let logged = wal.into_iter().flat_map(|wal| wal.pages.range(..=page_count));
        // An added page without a frame (SQLite's lock page at 1 GiB) reads as the file has it.
        let added = self.tree.page_count() + 1..=page_count;
        Ok(logged.map(|(number, _)| *number).chain(added).collect())
    }

    /// Names and hashes the pages in the log; returns those that are other than before.
    fn take_in_log(
        &mut self,
        after: View<'_>,
        log: Option<Log>,
        written: &BTreeSet<u32>,
    ) -> Result<Vec<u32>, StepError> {
        let pages = GuestPages::seen_by(after)?;
        let (page_count, page_size) = (pages.page_count(), pages.page_size());
        let before = self.tree.page_count();
        let mut changed = BTreeMap::new();
        for &number in written {
            let bytes = page_size.bytes() as usize;
            let page = match &log {
                Some(log) => log.page(number, bytes)?,
                None => None,
            };
            let page = page.map_or_else(|| pages.read_page(number), Ok)?;
            let name = page_name(number, page);
            if self.tree.page(number) != Some(&name) {
                changed.insert(number, name);
            }
        }
        let gone = page_count + 1..=before;
        let numbers: Vec<u32> = changed.keys().copied().chain(gone).collect();
        let depth = self.tree.node_levels().len();
        self.tree.update(page_count, &changed)?;
        let same_shape = self.tree.node_levels().len() == depth;
        self.kept = match self.kept {
            Kept::Whole if same_shape => Kept::But(numbers.iter().copied().collect()),
            _ => Kept::Unknown,
        };
        self.log = log;
        Ok(numbers)
    }

    /// Writes the log into the file.
    fn empty_log(&mut self) -> Result<(), StepError> {
        if self.log.as_ref().is_none_or(|log| log.wal.pages.is_empty()) {
            self.log = None;
            return Ok(());
        }
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::open(&self.path)?,
        };
        let busy = worker
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))
            .map_err(|error| DatabaseError::of(&self.path, WAIT, error))?;
        if busy {
            return Err(DatabaseError::Busy { path: self.path.clone(), waited: WAIT }.into());
        }
        (self.log, self.worker) = (None, Some(worker));
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

/// The pages of the last step, out of its log.
struct Written<'a> {
    log: &'a Log,
    tree: &'a PageTree,
}

impl PageSource for Written<'_> {
    fn page_size(&self) -> PageSize {
        self.tree.page_size()
    }

    fn page_count(&self) -> u32 {
        self.tree.page_count()
    }

    fn read_page(&self, number: u32) -> Result<Vec<u8>, DatabaseError> {
        let bytes = self.page_size().bytes() as usize;
        // What has no frame is SQLite's lock page, in which nothing stands.
        Ok(self.log.page(number, bytes)?.unwrap_or_else(|| vec![0; bytes]))
    }
}

fn check_integrity(path: &Path) -> Result<(), StepError> {
    let guest = Guest::open(path, WAIT)?;
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

fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "schema_version", |row| row.get(0))
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
    use crate::target::sqlite::{ChangedId, RowLoss, Snapshot, TableLoss};
    use ledger_format::cbor::Value;

    const INPUTS: StepInputs = StepInputs { clock_ms: 1_000_000_000_000, seed: [7; 32] };

    struct Bench {
        dir: tempfile::TempDir,
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
        Bench { dir, copy, objects }
    }

    impl Bench {
        fn step(&mut self, sql: &str) -> Result<StepOutcome, StepError> {
            let script = Script::new("step.sql", sql);
            let outcome = self.copy.run_step(&script, &INPUTS, &[]);
            // Whatever happened, the tree is the file's.
            let rebuilt = PageTree::build(&Snapshot::open(self.copy.path(), LONG).unwrap());
            assert_eq!(self.copy.page_tree(), &rebuilt.unwrap());
            if outcome.is_err() {
                let left = fs::metadata(wal_path(self.copy.path())).map_or(0, |wal| wal.len());
                assert_eq!(left, 0);
            }
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
        assert_eq!((outcome.statements, outcome.transactions), (5, Transactions::Several));
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
    fn keys_broken_from_the_other_side_are_refused_after_any_number_of_steps() {
        let setup = "CREATE TABLE p(k); CREATE UNIQUE INDEX pk ON p(k); INSERT INTO p VALUES (1);";
        for broken in [
            "PRAGMA foreign_keys=OFF; DELETE FROM p",
            "PRAGMA foreign_keys=OFF; UPDATE p SET k = 2",
            "PRAGMA foreign_keys=OFF; DROP TABLE p",
            "PRAGMA legacy_alter_table=ON; PRAGMA foreign_keys=OFF; ALTER TABLE p RENAME TO q",
            "PRAGMA foreign_keys=OFF; INSERT INTO c VALUES (7)",
            "PRAGMA foreign_keys=OFF; CREATE TABLE d(k REFERENCES P(k)); INSERT INTO d VALUES (7)",
            "DROP INDEX pk",
            "DROP INDEX pk; CREATE INDEX pk ON p(k)",
            "PRAGMA foreign_keys=OFF; CREATE TRIGGER r AFTER INSERT ON u BEGIN DELETE FROM p; END;
                INSERT INTO u VALUES (1)",
            "PRAGMA foreign_keys=OFF; PRAGMA writable_schema=ON; DELETE FROM p",
        ] {
            let mut bench = bench(setup);
            bench.step("CREATE TABLE c(k REFERENCES p(k)); INSERT INTO c VALUES (1)").unwrap();
            bench.step("CREATE TABLE u(a)").unwrap();
            let refused = bench.step(broken);
            assert!(matches!(refused, Err(StepError::ForeignKey { .. })), "{broken}: {refused:?}");
            bench.step("INSERT INTO u VALUES (1)").unwrap();
            let refused = bench.step(broken);
            assert!(matches!(refused, Err(StepError::ForeignKey { .. })), "{broken}: {refused:?}");
            bench.step("CREATE TABLE e(k REFERENCES p(k))").unwrap();
        }
    }

    /// Each of these could tell something of those before it, were nothing done about it.
    const SUSPICIOUS: [&str; 25] = [
        "CREATE TABLE a(id INTEGER PRIMARY KEY, v TEXT)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
            INSERT INTO a SELECT i, hex(randomblob(300)) FROM n",
        "DELETE FROM a WHERE id % 3 = 0",
        "CREATE TABLE b AS SELECT * FROM a WHERE id % 2",
        "DROP TABLE a",
        "CREATE TABLE c(x, y DEFAULT (random()), at DEFAULT CURRENT_TIMESTAMP)",
        "INSERT INTO c(x) SELECT zeroblob(90) FROM b",
        "INSERT INTO c(x) VALUES (last_insert_rowid())",
        "INSERT INTO c(x) SELECT changes() + total_changes()",
        "CREATE TRIGGER r AFTER UPDATE ON b BEGIN INSERT INTO c(x) VALUES (total_changes()); END",
        "UPDATE b SET v = 'other' WHERE id = 1",
        "DROP TRIGGER r; CREATE TABLE d(x, y DEFAULT (last_insert_rowid()))",
        "INSERT INTO d(x) VALUES (1)",
        "DROP TABLE d; PRAGMA case_sensitive_like = ON",
        "INSERT INTO c(x) SELECT 'A' LIKE 'a'",
        "PRAGMA reverse_unordered_selects = ON; INSERT INTO c(x) SELECT id FROM b",
        "INSERT INTO c(x) SELECT id FROM b",
        "CREATE TEMP TABLE b(id); INSERT INTO b VALUES (77)",
        "INSERT INTO c(x) SELECT id FROM b",
        "CREATE INDEX i ON b(v); CREATE INDEX j ON b(id); ANALYZE",
        "UPDATE sqlite_stat1 SET stat = '5 5' WHERE idx = 'i'",
        "INSERT INTO c(x) SELECT v FROM b WHERE v > 'a' AND id > 0",
        "CREATE VIRTUAL TABLE w USING fts5(body); INSERT INTO w VALUES ('one two')",
        "INSERT INTO w SELECT v FROM b",
        "DROP TABLE w; DELETE FROM c; BEGIN; DROP TABLE b; COMMIT",
    ];

    #[test]
    fn no_step_can_tell_whether_one_ran_on_its_connection_before() {
        let setup = "CREATE TABLE z(a); INSERT INTO z VALUES (zeroblob(20000));";
        let (mut going_on, mut anew) = (bench(setup), bench(setup));
        let mut kept = 0;
        for script in SUSPICIOUS {
            (anew.copy.worker, anew.copy.reader) = (None, None);
            let expected = anew.step(script).unwrap();
            assert_eq!(going_on.step(script).unwrap(), expected, "{script}");
            kept += u32::from(going_on.copy.worker.is_some());
        }
        assert!((10..20).contains(&kept), "{kept}");
    }

    #[test]
    fn only_what_changed_is_asked_for_and_all_of_it_stored() {
        let mut bench = bench(&big(2_000));
        for script in [
            "UPDATE t SET v = 'other' WHERE id = 1500",
            "INSERT INTO t(v) SELECT v || v FROM t",
            "DELETE FROM t WHERE id > 900",
            "VACUUM",
            "CREATE TABLE n(a); INSERT INTO n VALUES (zeroblob(20000000))",
            "SELECT 1",
        ] {
            let root = bench.step(script).unwrap().page_root;
            bench.copy.store(&mut bench.objects).unwrap();
            assert_eq!(image::load(&root, &bench.objects).unwrap(), *bench.copy.page_tree());
            let whole = bench.dir.path().join("whole.db");
            image::materialise(&root, &bench.objects, &whole).unwrap();
            fs::remove_file(whole).unwrap();
        }
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
        let mut ids = only(&lost).ids.clone();
        ids.sort_by(|one, other| one.was[0].encode().cmp(&other.was[0].encode()));
        let renamed = |was: &str| ChangedId {
            was: vec![was.into()],
            now: vec![was.repeat(2).as_str().into()],
        };
        assert_eq!(ids, ["a", "b", "c"].map(renamed));
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
        assert_eq!(step("CREATE TABLE a(x)", row).unwrap(), (1, Transactions::One));
        let own = "BEGIN; CREATE TABLE b(x); COMMIT;";
        assert_eq!(step(own, row).unwrap(), (3, Transactions::Script));
        assert_eq!(step("CREATE TABLE c(x); VACUUM", row).unwrap(), (2, Transactions::Several));
        assert_eq!(step("", row).unwrap(), (0, Transactions::One));
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
