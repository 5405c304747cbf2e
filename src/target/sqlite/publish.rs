//! Writing an image into a live database, in one transaction of the live database's own journal:
//! other processes see the database before or after it and keep working, in the mode they work in.
//!
//! Only pages that differ are written, through the `sqlite_dbpage` table: the highest first, page 1
//! last, keeping what belongs to the file's life. Then the schema cookie moves on, so that every
//! connection reads the schema again. The commit is durable when it returns.
//!
//! What others read once and keep, such as the page size, changes only where nobody else has the database open ([`Access`]).

use std::fs;
use std::path::Path;
use std::time::Duration;

use ledger_format::hash::CommitHash;

use super::alone::{self, Mode};
use super::connection::{Guest, GuestPages};
use super::image::{self, ImageError};
use super::page::{Layout, keep_life};
use super::{DatabaseError, PageTree, schema};
use crate::objects::Objects;

/// Why an image was not published; the live database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The live database could not be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The image could not be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image differs in what other connections read once and keep: only a database nobody else
    /// has open can change it.
    #[error("the page layout would change from {live} to {target}: nobody else may have it open")]
    NeedsExclusive {
        /// The live database's layout.
        live: Layout,
        /// The image's layout.
        target: Layout,
    },
    /// A connection decides on an encoding once: none can write a database of another one and read it.
    #[error("the encoding would change from {live} to {target}, which no database does in place")]
    OtherEncoding {
        /// The live database's layout.
        live: Layout,
        /// The image's layout.
        target: Layout,
    },
}

/// Who else may have a live database open while it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Anybody: its page layout stays.
    #[default]
    Shared,
    /// Nobody.
    Alone,
}

/// The write lock on a live database. Dropped without [`Publisher::commit`], nothing was written.
#[derive(Debug)]
pub struct Publisher {
    guest: Guest,
    /// Of one that is alone: the mode that the database is put back to.
    alone: Option<Mode>,
}

impl Publisher {
    /// Takes the write lock on the database at `path`, waiting up to `wait` for it. Readers go on;
    /// other writers wait until the publisher is gone.
    pub fn begin(path: &Path, wait: Duration, access: Access) -> Result<Self, PublishError> {
        let guest = Guest::open(path, wait)?;
        guest.must_be_writable()?;
        // FULL would not sync the folder after a rollback journal is deleted.
        guest.run(|connection| connection.pragma_update(None, "synchronous", "EXTRA"))?;
        let alone = match access {
            Access::Alone => Some(alone::begin(&guest)?),
            Access::Shared => {
                guest.begin_writing()?;
                None
            }
        };
        Ok(Self { guest, alone })
    }

    /// Refuses a database that no publisher could write to, without taking a lock.
    pub fn may_begin(path: &Path, wait: Duration) -> Result<(), PublishError> {
        Ok(Guest::open(path, wait)?.must_be_writable()?)
    }

    /// The pages as they are under the lock. The caller compares them with what was staged.
    pub fn page_tree(&self) -> Result<PageTree, PublishError> {
        Ok(PageTree::build(&GuestPages::of(&self.guest)?)?)
    }

    /// The declared structure as it is under the lock.
    pub fn schema_digest(&self) -> Result<CommitHash, PublishError> {
        Ok(self.guest.run(schema::digest)?)
    }

    /// Refuses an image that [`Publisher::write`] would refuse for its page layout.
    pub fn check_layout(
        &self,
        live: &PageTree,
        target: &PageTree,
        objects: &dyn Objects,
    ) -> Result<(), PublishError> {
        match self.page_one(live, target, objects) {
            Err(PublishError::NeedsExclusive { .. }) if self.alone.is_some() => Ok(()),
            checked => checked.map(|_| ()),
        }
    }

    /// Turns the database, which has the pages of `live`, into the image `target`; returns the
    /// number of pages written. Whole files are written into `folder` for it where the page layout changes. After an error
    /// the publisher can only be dropped.
    pub fn write(
        &mut self,
        live: &PageTree,
        target: &PageTree,
        objects: &dyn Objects,
        folder: &Path,
    ) -> Result<u32, PublishError> {
        let differing = live.diff(target);
        if differing.is_empty() {
            return Ok(0);
        }
        let page_one = match self.page_one(live, target, objects) {
            Err(PublishError::NeedsExclusive { .. }) if self.alone.is_some() => {
                return self.replace(target, objects, folder);
            }
            page_one => page_one?,
        };
        let lock_page = target.page_size().lock_page();
        let mut written = 1;
        for number in differing.into_iter().rev().filter(|number| ![1, lock_page].contains(number))
        {
            if let Some(name) = target.page(number) {
                self.put(number, &image::read_page(name, target.page_size(), objects)?)?;
                written += 1;
            }
        }
        self.put(1, &page_one)?;
        if target.page_count() < live.page_count() {
            self.cut_after(target.page_count())?;
        }
        self.announce_schema()?;
        Ok(written)
    }

    /// Turns the database into the image `target` as a whole.
    fn replace(
        &mut self,
        target: &PageTree,
        objects: &dyn Objects,
        folder: &Path,
    ) -> Result<u32, PublishError> {
        fs::create_dir_all(folder).map_err(DatabaseError::io(folder))?;
        let file = folder.join(WHOLE);
        image::materialise(&target.root(), objects, &file)?;
        let replaced = alone::replace(&mut self.guest, &file);
        // Whatever became of it, nobody needs the file; one that stays is in the way of nothing.
        let _ = fs::remove_file(&file);
        replaced?;
        if self.page_tree()?.root() != target.root() {
            let (path, message) = (self.guest.path().to_owned(), "not what was written to it");
            return Err(DatabaseError::Corrupt { path, message: message.to_owned() }.into());
        }
        Ok(target.page_count())
    }

    /// Makes what a process killed in between may have committed durable: a commit of its own
    /// changes no page that counts and syncs all that went before it.
    pub fn affirm(self) -> Result<(), PublishError> {
        self.announce_schema()?;
        self.commit()
    }

    /// Makes what was written the database, durably.
    pub fn commit(mut self) -> Result<(), PublishError> {
        self.guest.close_as_an_owner()?;
        // A database that was replaced as a whole is so already.
        if !self.guest.connection().is_autocommit() {
            self.guest.run(|connection| connection.execute_batch("COMMIT"))?;
        }
        self.alone.take().map_or(Ok(()), |mode| Ok(alone::end(&self.guest, mode)?))
    }

    /// Page 1 of `target` with the life of the live file.
    fn page_one(
        &self,
        live: &PageTree,
        target: &PageTree,
        objects: &dyn Objects,
    ) -> Result<Vec<u8>, PublishError> {
        let Some(name) = target.page(1) else {
            return Err(ImageError::NoPages { root: target.root() }.into());
        };
        let mut page = image::read_page(name, target.page_size(), objects)?;
        let living = self.guest.read_page(1)?;
        let from = Layout::of(live.page_size(), &living);
        let to = Layout::of(target.page_size(), &page);
        if from.encoding != to.encoding {
            return Err(PublishError::OtherEncoding { live: from, target: to });
        }
        if from != to {
            return Err(PublishError::NeedsExclusive { live: from, target: to });
        }
        keep_life(&mut page, &living);
        Ok(page)
    }

    /// Cuts the database off after page `last`. SQLite forgets a cut with the next page written, and
    /// with the end of a statement that needed a savepoint; this statement inserts one row and needs
    /// none.
    fn cut_after(&self, last: u32) -> Result<(), DatabaseError> {
        let cut = "INSERT INTO sqlite_dbpage(pgno, data) VALUES (?1, NULL)";
        self.guest.run(|connection| connection.execute(cut, [last + 1]).map(|_| ()))
    }

    /// Moves the schema cookie on. Until here this connection takes the schema for unchanged, and so
    /// reads none through what it remembers of the old pages.
    fn announce_schema(&self) -> Result<(), DatabaseError> {
        self.guest.run(|connection| {
            let cookie: i32 =
                connection.pragma_query_value(None, "schema_version", |row| row.get(0))?;
            connection.pragma_update(None, "schema_version", cookie.wrapping_add(1))
        })
    }

    fn put(&self, number: u32, page: &[u8]) -> Result<(), DatabaseError> {
        self.guest.run(|connection| {
            connection
                .prepare_cached("INSERT INTO sqlite_dbpage(pgno, data) VALUES (?1, ?2)")?
                .execute((number, page))
                .map(|_| ())
        })
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if let Some(mode) = self.alone.take() {
            // Failing leaves another mode or a lock that goes with the connection, and the same content.
            let _ = alone::end(&self.guest, mode);
        }
    }
}

/// Name of the file that a database is replaced by.
const WHOLE: &str = "whole.db";

/// A state of a database that a run knows of: where it began, or where it was to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its pages.
    pub page_root: CommitHash,
    /// Its declared structure.
    pub schema: CommitHash,
}

/// Which known state a live database is in after an interrupted publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Exactly the source: publish.
    Source,
    /// The source's structure with rows written since.
    SourceWritten,
    /// Exactly the target: published.
    Target,
    /// The target's structure with rows written since: published, if the version rows say so too.
    TargetWritten,
    /// Neither, or both structures are the same and rows were written: the version rows decide.
    Other,
}

/// Compares a live database's state with the two it may be in.
#[must_use]
pub fn recognise(live: &Known, source: &Known, target: &Known) -> Standing {
    let structure = (live.schema == source.schema, live.schema == target.schema);
    match structure {
        _ if live.page_root == target.page_root => Standing::Target,
        _ if live.page_root == source.page_root => Standing::Source,
        (false, true) => Standing::TargetWritten,
        (true, false) => Standing::SourceWritten,
        _ => Standing::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::MemoryObjects;
    use crate::target::sqlite::testing::{WAIT, database, owner, sql};
    use crate::target::sqlite::{Script, Snapshot, StepInputs, WorkCopy};
    use std::path::PathBuf;

    struct Scene {
        dir: tempfile::TempDir,
        objects: MemoryObjects,
        source: PageTree,
        access: Access,
    }

    fn scene(setup: &str) -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let live = dir.path().join("live.db");
        database(&live, setup);
        let mut objects = MemoryObjects::new();
        let source = image::take(&Snapshot::open(&live, WAIT).unwrap(), &mut objects).unwrap();
        Scene { dir, objects, source, access: Access::Shared }
    }

    impl Scene {
        fn live(&self) -> PathBuf {
            self.dir.path().join("live.db")
        }

        fn migrated(&mut self, from: &PageTree, sql: &str) -> PageTree {
            let mut copy = WorkCopy::create(self.dir.path(), &from.root(), &self.objects).unwrap();
            let script = Script::new("s", sql);
            let inputs = StepInputs { clock_ms: 0, seed: [0; 32] };
            copy.run_step(&script, &inputs, &[]).unwrap();
            copy.store(&mut self.objects).unwrap();
            copy.page_tree().clone()
        }

        fn publish(&self, target: &PageTree) -> Result<u32, PublishError> {
            let mut publisher = Publisher::begin(&self.live(), WAIT, self.access)?;
            let live = publisher.page_tree()?;
            let folder = self.dir.path().join("work");
            let written = publisher.write(&live, target, &self.objects, &folder)?;
            publisher.commit()?;
            Ok(written)
        }

        fn live_root(&self) -> CommitHash {
            PageTree::build(&Snapshot::open(&self.live(), WAIT).unwrap()).unwrap().root()
        }
    }

    const ROWS: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        INSERT INTO t SELECT i, 'value ' || i FROM n;";

    const GROW: &str = "ALTER TABLE t ADD COLUMN w TEXT DEFAULT 'w'; CREATE INDEX i ON t(v);";
    const SHRINK: &str = "DELETE FROM t WHERE id > 10; VACUUM;";

    #[test]
    fn the_live_database_becomes_the_target_and_goes_back_in_either_journal_mode() {
        for settings in [
            "PRAGMA journal_mode=wal;",
            "PRAGMA journal_mode=delete;",
            "PRAGMA journal_mode=truncate; PRAGMA page_size=1024;",
            "PRAGMA auto_vacuum=full;",
            "PRAGMA auto_vacuum=incremental; PRAGMA journal_mode=wal;",
        ] {
            let mut scene = scene(&format!("{settings}{ROWS}"));
            let mode: String = sql(&scene.live(), "PRAGMA journal_mode");
            let grown = scene.migrated(&scene.source.clone(), GROW);
            let shrunk = scene.migrated(&grown, SHRINK);
            assert!(grown.page_count() > scene.source.page_count());
            assert!(shrunk.page_count() < scene.source.page_count());
            for target in [&grown, &shrunk, &scene.source, &shrunk, &grown, &scene.source] {
                scene.publish(target).unwrap();
                assert_eq!(scene.live_root(), target.root(), "{settings}");
                assert_eq!(sql::<String>(&scene.live(), "PRAGMA integrity_check"), "ok");
                assert_eq!(sql::<String>(&scene.live(), "PRAGMA journal_mode"), mode);
                let bytes = std::fs::metadata(scene.live()).unwrap().len();
                let page = u64::from(target.page_size().bytes());
                assert_eq!(bytes, page * u64::from(target.page_count()), "{settings}");
            }
        }
    }

    #[test]
    fn only_what_differs_is_written() {
        let mut scene = scene(ROWS);
        let target = scene.migrated(&scene.source.clone(), "ALTER TABLE t ADD COLUMN w TEXT");
        assert_eq!(scene.publish(&target).unwrap(), 1);
        assert_eq!(scene.publish(&target).unwrap(), 0);
    }

    #[test]
    fn a_reader_sees_the_old_database_to_its_end_and_then_the_new_one() {
        let mut scene = scene(&format!("PRAGMA journal_mode=wal; {ROWS}"));
        let target = scene.migrated(&scene.source.clone(), &format!("{GROW}{SHRINK}"));
        let reader = owner(&scene.live(), "BEGIN");
        let count =
            |of: &rusqlite::Connection, query| of.query_row(query, [], |row| row.get::<_, i64>(0));
        assert_eq!(count(&reader, "SELECT count(*) FROM t").unwrap(), 5000);
        scene.publish(&target).unwrap();
        assert_eq!(count(&reader, "SELECT count(*) FROM t").unwrap(), 5000);
        assert!(count(&reader, "SELECT count(w) FROM t").is_err());
        reader.execute_batch("COMMIT").unwrap();
        assert_eq!(count(&reader, "SELECT count(w) FROM t").unwrap(), 10);
        reader.execute_batch("INSERT INTO t(v) VALUES ('after')").unwrap();
        assert_eq!(count(&reader, "SELECT count(*) FROM t WHERE w = 'w'").unwrap(), 11);
        drop(reader);
        assert_eq!(sql::<String>(&scene.live(), "PRAGMA integrity_check"), "ok");
    }

    #[test]
    fn a_prepared_statement_of_another_connection_goes_on_with_the_new_schema() {
        for mode in ["wal", "delete"] {
            let mut scene = scene(&format!("PRAGMA journal_mode={mode}; {ROWS}"));
            let other = owner(&scene.live(), "");
            let mut all = other.prepare("SELECT * FROM t LIMIT 1").unwrap();
            let columns = |all: &mut rusqlite::Statement<'_>| {
                all.query_row([], |row| Ok(row.as_ref().column_count())).unwrap()
            };
            assert_eq!(columns(&mut all), 2);
            let target = scene.migrated(&scene.source.clone(), GROW);
            scene.publish(&target).unwrap();
            assert_eq!(columns(&mut all), 3);
            scene.publish(&scene.source).unwrap();
            assert_eq!(columns(&mut all), 2);
        }
    }

    #[test]
    fn what_was_written_since_staging_shows_under_the_lock() {
        let mut scene = scene(&format!("PRAGMA journal_mode=wal; {ROWS}"));
        let target = scene.migrated(&scene.source.clone(), GROW);
        database(&scene.live(), "UPDATE t SET v = 'late' WHERE id = 3");
        let publisher = Publisher::begin(&scene.live(), WAIT, Access::Shared).unwrap();
        assert_ne!(publisher.page_tree().unwrap(), scene.source);
        assert_ne!(publisher.page_tree().unwrap(), target);
        drop(publisher);
        assert_eq!(sql::<String>(&scene.live(), "SELECT v FROM t WHERE id = 3"), "late");
    }

    #[test]
    fn a_publisher_that_is_dropped_changed_nothing() {
        for mode in ["wal", "delete"] {
            let mut scene = scene(&format!("PRAGMA journal_mode={mode}; {ROWS}"));
            let target = scene.migrated(&scene.source.clone(), &format!("{GROW}{SHRINK}"));
            let before = std::fs::read(scene.live()).unwrap();
            let mut publisher = Publisher::begin(&scene.live(), WAIT, Access::Shared).unwrap();
            publisher.write(&scene.source, &target, &scene.objects, scene.dir.path()).unwrap();
            drop(publisher);
            assert_eq!(std::fs::read(scene.live()).unwrap(), before, "{mode}");
            assert_eq!(scene.live_root(), scene.source.root());
        }
    }

    #[test]
    fn a_held_lock_is_busy_and_a_reader_in_rollback_mode_holds_up_the_commit() {
        let mut scene = scene(ROWS);
        let target = scene.migrated(&scene.source.clone(), GROW);
        let writer = owner(&scene.live(), "BEGIN IMMEDIATE");
        let refused = Publisher::begin(&scene.live(), Duration::ZERO, Access::Shared);
        assert!(matches!(refused, Err(PublishError::Database(DatabaseError::Busy { .. }))));
        drop(writer);
        let reader = owner(&scene.live(), "BEGIN; SELECT * FROM t;");
        let mut publisher =
            Publisher::begin(&scene.live(), Duration::ZERO, Access::Shared).unwrap();
        publisher.write(&scene.source, &target, &scene.objects, scene.dir.path()).unwrap();
        let refused = publisher.commit();
        assert!(matches!(refused, Err(PublishError::Database(DatabaseError::Busy { .. }))));
        drop(reader);
        assert_eq!(scene.live_root(), scene.source.root());
    }

    #[test]
    fn another_page_layout_is_refused_by_name() {
        for (other, access) in [
            ("PRAGMA page_size=1024;", Access::Shared),
            ("PRAGMA auto_vacuum=full;", Access::Shared),
            ("PRAGMA encoding='UTF-16';", Access::Shared),
            ("PRAGMA encoding='UTF-16';", Access::Alone),
        ] {
            let mut scene = scene(ROWS);
            scene.access = access;
            let elsewhere = scene.dir.path().join("other.db");
            database(&elsewhere, &format!("{other}{ROWS}"));
            let snapshot = Snapshot::open(&elsewhere, WAIT).unwrap();
            let target = image::take(&snapshot, &mut scene.objects).unwrap();
            let refused = scene.publish(&target);
            let named = match &refused {
                Err(PublishError::NeedsExclusive { .. }) => !other.contains("encoding"),
                Err(PublishError::OtherEncoding { .. }) => other.contains("encoding"),
                _ => false,
            };
            assert!(named, "{other}: {refused:?}");
            assert_eq!(scene.live_root(), scene.source.root());
        }
    }

    /// Every mode of the journal, each with each other page layout.
    fn layouts() -> impl Iterator<Item = (&'static str, &'static str)> {
        ["wal", "delete", "truncate", "persist"].into_iter().flat_map(|mode| {
            [
                "PRAGMA page_size=1024;",
                "PRAGMA page_size=65536;",
                "PRAGMA auto_vacuum=full;",
                "PRAGMA auto_vacuum=incremental; PRAGMA page_size=512;",
            ]
            .map(|other| (mode, other))
        })
    }

    #[test]
    fn who_is_alone_changes_the_page_layout_there_and_back() {
        for (mode, other) in layouts() {
            let mut scene = scene(&format!("PRAGMA journal_mode={mode}; {ROWS}"));
            scene.access = Access::Alone;
            let elsewhere = scene.dir.path().join("other.db");
            database(&elsewhere, &format!("{other}{ROWS} DELETE FROM t WHERE id % 3 = 0;"));
            let snapshot = Snapshot::open(&elsewhere, WAIT).unwrap();
            let target = image::take(&snapshot, &mut scene.objects).unwrap();
            let grown = scene.migrated(&target, GROW);
            let before: String = sql(&scene.live(), "PRAGMA journal_mode");
            for target in [&target, &grown, &scene.source, &grown, &scene.source] {
                scene.publish(target).unwrap();
                assert_eq!(scene.live_root(), target.root(), "{mode} {other}");
                assert_eq!(sql::<String>(&scene.live(), "PRAGMA integrity_check"), "ok");
                assert_eq!(sql::<String>(&scene.live(), "PRAGMA journal_mode"), before);
                let bytes = std::fs::metadata(scene.live()).unwrap().len();
                let page = u64::from(target.page_size().bytes());
                assert_eq!(bytes, page * u64::from(target.page_count()), "{mode} {other}");
            }
            assert!(!scene.dir.path().join("work").join(WHOLE).exists());
        }
    }

    #[test]
    fn who_is_not_alone_is_busy_and_changes_nothing() {
        for (mode, others) in
            [("wal", ""), ("wal", "BEGIN; SELECT * FROM t;"), ("delete", "BEGIN; SELECT * FROM t;")]
        {
            let scene = scene(&format!("PRAGMA journal_mode={mode}; {ROWS}"));
            let before = std::fs::read(scene.live()).unwrap();
            let other = owner(&scene.live(), &format!("SELECT count(*) FROM t; {others}"));
            let refused = Publisher::begin(&scene.live(), Duration::ZERO, Access::Alone);
            let busy = matches!(refused, Err(PublishError::Database(DatabaseError::Busy { .. })));
            assert!(busy, "{mode} {others}: {refused:?}");
            assert_eq!(sql::<String>(&scene.live(), "PRAGMA journal_mode"), mode);
            drop((refused, other));
            assert_eq!(std::fs::read(scene.live()).unwrap(), before, "{mode} {others}");
        }
    }

    #[test]
    fn nobody_writes_between_what_was_compared_and_the_whole_that_replaces_it() {
        let mut scene = scene(ROWS);
        let elsewhere = scene.dir.path().join("other.db");
        database(&elsewhere, &format!("PRAGMA page_size=1024; {ROWS}"));
        let snapshot = Snapshot::open(&elsewhere, WAIT).unwrap();
        let target = image::take(&snapshot, &mut scene.objects).unwrap();
        // One that has it open and does nothing is not seen, and goes on with the new pages.
        let idle = owner(&scene.live(), "SELECT count(*) FROM t");
        let write = "UPDATE t SET v = 'late' WHERE id = 1";
        let mut publisher = Publisher::begin(&scene.live(), WAIT, Access::Alone).unwrap();
        idle.busy_timeout(Duration::ZERO).unwrap();
        assert!(idle.execute_batch(write).is_err());
        let reads = "SELECT count(*) FROM t WHERE v LIKE 'value %'";
        assert_eq!(idle.query_row(reads, [], |row| row.get::<_, i64>(0)).unwrap(), 5000);
        let live = publisher.page_tree().unwrap();
        let folder = scene.dir.path().join("work");
        publisher.write(&live, &target, &scene.objects, &folder).unwrap();
        assert!(idle.execute_batch(write).is_err());
        publisher.commit().unwrap();
        assert_eq!(scene.live_root(), target.root());
        idle.execute_batch(write).unwrap();
        assert_eq!(sql::<i64>(&scene.live(), reads), 4999);
        assert_eq!(sql::<String>(&scene.live(), "PRAGMA integrity_check"), "ok");
    }

    #[test]
    fn a_damaged_image_is_not_published() {
        let mut scene = scene(ROWS);
        let target = scene.migrated(&scene.source.clone(), GROW);
        let last = *target.page(target.page_count()).unwrap();
        scene.objects.damage(last, vec![0; 4096]);
        assert!(matches!(scene.publish(&target), Err(PublishError::Image(_))));
        assert_eq!(scene.live_root(), scene.source.root());
    }

    #[test]
    fn a_database_is_recognised_by_pages_and_then_by_structure() {
        let hash = |seed: u8| CommitHash::from_bytes([seed; 32]);
        let known = |page_root, schema| Known { page_root: hash(page_root), schema: hash(schema) };
        let (source, target) = (known(1, 1), known(2, 2));
        for (live, expected) in [
            (source, Standing::Source),
            (target, Standing::Target),
            (known(3, 1), Standing::SourceWritten),
            (known(3, 2), Standing::TargetWritten),
            (known(3, 3), Standing::Other),
        ] {
            assert_eq!(recognise(&live, &source, &target), expected);
        }
        assert_eq!(recognise(&known(3, 1), &source, &known(2, 1)), Standing::Other);
    }
}
