//! Looking at the live store: what its objects are, and whether that is what the ledger has.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use ledger_format::body::{Body, Cause, ObjectObserved, ObjectState};
use ledger_format::hash::{CommitHash, ContentHash};
use serde_json::Value;

use super::error::MigrateError;
use super::store::Store;
use crate::contract::Facts;
use crate::objects::Objects;
use crate::sql_folder::{Applied, Books};
use crate::target::Site;
use crate::target::glyph_store::{AuditError, AuditPrefix, ContentRow, Layout, read_prefix};
use crate::target::sqlite::{DatabaseError, PageTree, Snapshot, Watch, WorkCopy, image};

/// Table, key column, key and value column under which a `.glyph` database states its version.
pub(super) const VERSION_ROW: (&str, &str, &str, &str) = ("meta", "key", "store_version", "value");

/// A read transaction on a store's database.
pub(super) struct LiveDatabase(Snapshot);

impl LiveDatabase {
    pub(super) fn open(path: &Path, wait: Duration) -> Result<Self, DatabaseError> {
        Snapshot::open(path, wait).map(Self)
    }

    /// The version that the database states.
    pub(super) fn store_version(&self) -> Result<Option<String>, DatabaseError> {
        let (table, key_column, key, column) = VERSION_ROW;
        self.0.text_at(table, key_column, key, column)
    }

    /// Names and declared types of the columns of `table`; none if there is no such table.
    pub(super) fn declared_columns(
        &self,
        table: &str,
    ) -> Result<Vec<(String, String)>, DatabaseError> {
        self.0.declared_columns(table)
    }

    /// The rows of a tool's books.
    pub(super) fn rows_of(&self, books: &Books) -> Result<Vec<Applied>, DatabaseError> {
        let rows = self.0.rows(books.query(), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let applied = |(version, checksum, ok)| Applied { version, checksum, ok };
        Ok(rows.into_iter().map(applied).collect())
    }

    pub(super) fn schema(&self) -> Result<CommitHash, DatabaseError> {
        self.0.schema_digest()
    }

    pub(super) fn must_be_sound(&self) -> Result<(), DatabaseError> {
        self.0.must_be_sound()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    /// A copy in `folder` to run steps on.
    pub(super) fn copy(&self, folder: &Path) -> Result<WorkCopy, MigrateError> {
        Ok(WorkCopy::copy(folder, &self.0)?)
    }

    /// What it declares, by kind and name.
    pub(super) fn declared(&self) -> Result<BTreeMap<(String, String), String>, DatabaseError> {
        let query = "SELECT type, name, sql FROM sqlite_schema
            WHERE sql IS NOT NULL AND name <> 'sqlite_sequence' AND name NOT GLOB 'sqlite_stat*'";
        let rows = self.0.rows(query, |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
        Ok(rows.into_iter().collect())
    }

    /// Names of its tables, without those of SQLite itself.
    pub(super) fn tables(&self) -> Result<Vec<String>, DatabaseError> {
        let query = "SELECT name FROM sqlite_schema
            WHERE type = 'table' AND name NOT GLOB 'sqlite_*' ORDER BY name";
        self.0.rows(query, |row| row.get(0))
    }

    /// What a `.glyph` database says of its content; nothing if it has no such table.
    pub(super) fn content_rows(&self) -> Result<Vec<ContentRow>, DatabaseError> {
        let columns = self.0.columns("content")?;
        if !["id", "hash", "size", "path"]
            .iter()
            .all(|name| columns.iter().any(|held| held == name))
        {
            return Ok(Vec::new());
        }
        // What other programs put there need not have the declared types.
        let query = "SELECT coalesce(CAST(id AS TEXT), ''), coalesce(CAST(hash AS TEXT), ''),
            coalesce(CAST(size AS INTEGER), -1), coalesce(CAST(path AS TEXT), '')
            FROM content ORDER BY 1";
        self.0.rows(query, |row| {
            let (id, hash) = (row.get(0)?, row.get(1)?);
            Ok(ContentRow { id, hash, size: row.get(2)?, path: row.get(3)? })
        })
    }

    pub(super) fn page_tree(&self) -> Result<PageTree, DatabaseError> {
        PageTree::build(&self.0)
    }

    /// Keeps its image, as far as `objects` lack it, and returns its state.
    pub(super) fn take(&self, objects: &mut dyn Objects) -> Result<ObjectState, MigrateError> {
        let tree = image::take(&self.0, objects)?;
        self.state(&tree)
    }

    /// The same where its pages are known to be `tree`.
    pub(super) fn keep(
        &self,
        tree: &PageTree,
        objects: &mut dyn Objects,
    ) -> Result<ObjectState, MigrateError> {
        image::store(tree, &self.0, objects)?;
        self.state(tree)
    }

    fn state(&self, tree: &PageTree) -> Result<ObjectState, MigrateError> {
        Ok(ObjectState::Database {
            page_root: tree.root(),
            rows: self.0.content_hash()?.into(),
            schema: self.schema()?.into(),
        })
    }
}

/// What a contract's detectors may ask about a store.
pub(super) struct StoreFacts<'a> {
    pub(super) manifest: &'a Value,
    pub(super) database: &'a LiveDatabase,
}

impl Facts for StoreFacts<'_> {
    type Error = DatabaseError;

    fn manifest(&self) -> &Value {
        self.manifest
    }

    fn columns(&self, table: &str) -> Result<Vec<String>, DatabaseError> {
        self.database.0.columns(table)
    }
}

/// A document's bytes and state.
pub(super) fn document(path: &Path) -> Result<(Vec<u8>, ObjectState), MigrateError> {
    let io = |source| MigrateError::Io { path: path.to_owned(), source };
    let bytes = fs::read(path).map_err(io)?;
    let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o7777;
    let state = document_state(&bytes, mode);
    Ok((bytes, state))
}

/// The state of a document of these bytes.
pub(super) fn document_state(bytes: &[u8], mode: u32) -> ObjectState {
    ObjectState::Document { content: ContentHash::of(bytes), bytes: bytes.len() as u64, mode }
}

/// Every object of the live store or database with its state; all their content is kept.
pub(super) fn take_all(
    site: &Site,
    database: &LiveDatabase,
    objects: &mut dyn Objects,
) -> Result<Vec<(String, ObjectState)>, MigrateError> {
    let mut found = Vec::new();
    if let Some(path) = site.manifest() {
        let (bytes, state) = document(&path)?;
        objects.put(&bytes)?;
        found.push((Layout::MANIFEST.to_owned(), state));
    }
    found.push((site.database_id().to_owned(), database.take(objects)?));
    if let Some(path) = site.audit() {
        let audit = read_prefix(&path, None)?;
        let tail = objects.put(&audit.tail)?;
        let state =
            ObjectState::Log { content: audit.content, bytes: audit.bytes, tail: tail.into() };
        found.push((Layout::AUDIT.to_owned(), state));
    }
    Ok(found)
}

/// The live store, read once, with its content kept where it is not what the ledger has.
pub(super) struct Observation {
    /// Object id and state of the manifest, if there is one, and of the database, in this order.
    pub(super) objects: Vec<(String, ObjectState)>,
    pub(super) database_state: ObjectState,
    pub(super) version: String,
    /// What changed since it was recorded, ready to be appended.
    pub(super) changes: Vec<Body>,
}

impl Store {
    /// Looks at the live store and keeps what changed. Refuses a changed schema and changed earlier
    /// audit lines.
    pub(super) fn observe(&mut self) -> Result<Observation, MigrateError> {
        let look = |database: &LiveDatabase| Ok((Seen::Pages(database.page_tree()?), ()));
        self.observe_by(look).map(|(observation, ..)| observation)
    }

    /// The same, and one pass makes a copy of the database in `folder`, whose image is kept then. The database is watched from
    /// that moment on.
    pub(super) fn observe_copying(
        &mut self,
        folder: &Path,
    ) -> Result<(Observation, WorkCopy, Watch), MigrateError> {
        let (observation, database, mut copy) = self.observe_by(|database| {
            let copy = database.copy(folder)?;
            Ok((Seen::Pages(copy.page_tree().clone()), copy))
        })?;
        copy.image_is_kept();
        Ok((observation, copy, database.0.watch()?))
    }

    /// The same where it is known already what the database is.
    pub(super) fn observe_knowing(
        &mut self,
        database: ObjectState,
    ) -> Result<Observation, MigrateError> {
        let known = |_: &LiveDatabase| Ok((Seen::State(database), ()));
        self.observe_by(known).map(|(observation, ..)| observation)
    }

    fn observe_by<T>(
        &mut self,
        look: impl FnOnce(&LiveDatabase) -> Result<(Seen, T), MigrateError>,
    ) -> Result<(Observation, LiveDatabase, T), MigrateError> {
        let manifest = self.manifest_seen()?;
        let database = LiveDatabase::open(&self.site.database(), self.wait)?;
        let version = self.detect(&database)?;
        let recorded = self.ledger.state().store().objects.clone();
        let (mut changes, mut objects) = (Vec::new(), Vec::new());
        if let Some((bytes, state)) = manifest {
            changes.extend(self.manifest_changed(&bytes, &state)?);
            objects.push((Layout::MANIFEST.to_owned(), state));
        }
        let id = self.site.database_id().to_owned();
        database.must_have_recorded_schema(self)?;
        let (seen, made) = look(&database)?;
        let held = recorded.get(&id);
        let database_state = match (seen, held) {
            (Seen::State(state), _) => state,
            (Seen::Pages(tree), Some(held)) if has_pages_of(held, &tree) => held.clone(),
            (Seen::Pages(tree), _) => database.keep(&tree, &mut *self.objects)?,
        };
        if held != Some(&database_state) {
            changes.push(observed(&id, database_state.clone()));
        }
        objects.push((id, database_state.clone()));
        changes.extend(self.audit_growth()?);
        Ok((Observation { objects, database_state, version, changes }, database, made))
    }

    /// A manifest that others changed since it was recorded, kept and ready to be appended as an observation.
    pub(super) fn manifest_change(&mut self) -> Result<Option<Body>, MigrateError> {
        match self.manifest_seen()? {
            None => Ok(None),
            Some((bytes, state)) => self.manifest_changed(&bytes, &state),
        }
    }

    /// The manifest, if the store has one.
    fn manifest_seen(&self) -> Result<Option<(Vec<u8>, ObjectState)>, MigrateError> {
        self.site.manifest().map(|path| document(&path)).transpose()
    }

    fn manifest_changed(
        &mut self,
        bytes: &[u8],
        state: &ObjectState,
    ) -> Result<Option<Body>, MigrateError> {
        if self.ledger.state().store().objects.get(Layout::MANIFEST) == Some(state) {
            return Ok(None);
        }
        self.objects.put(bytes)?;
        Ok(Some(observed(Layout::MANIFEST, state.clone())))
    }

    /// Lines that others appended to the audit file since it was recorded, kept and ready to be appended as an observation.
    pub(super) fn audit_growth(&mut self) -> Result<Option<Body>, MigrateError> {
        let Some(found) = self.audit_seen()?.filter(|found| !found.tail.is_empty()) else {
            return Ok(None);
        };
        let tail = self.objects.put(&found.tail)?;
        let state =
            ObjectState::Log { content: found.content, bytes: found.bytes, tail: tail.into() };
        Ok(Some(observed(Layout::AUDIT, state)))
    }

    /// The audit file, read from the end of what is recorded of it. Refuses changed earlier lines, and a last line without an end,
    /// which a run's line would become part of.
    pub(super) fn audit_seen(&self) -> Result<Option<AuditPrefix>, MigrateError> {
        let recorded = self.ledger.state().store().objects.get(Layout::AUDIT);
        let (Some(path), Some(ObjectState::Log { content, bytes, .. })) =
            (self.site.audit(), recorded)
        else {
            return Ok(None);
        };
        let found = read_prefix(&path, Some((*bytes, *content)))?;
        if !found.ended {
            return Err(AuditError::Unfinished { path }.into());
        }
        Ok(Some(found))
    }
}

impl LiveDatabase {
    /// Refuses another schema than the ledger has.
    pub(super) fn must_have_recorded_schema(&self, store: &Store) -> Result<(), MigrateError> {
        let object = store.site.database_id();
        match store.ledger.state().store().objects.get(object) {
            Some(ObjectState::Database { schema, .. }) => self.must_have_schema(object, schema),
            _ => Ok(()),
        }
    }

    fn must_have_schema(&self, object: &str, recorded: &CommitHash) -> Result<(), MigrateError> {
        let actual = self.schema()?;
        if actual == *recorded {
            return Ok(());
        }
        Err(MigrateError::SchemaDrift { object: object.to_owned(), recorded: *recorded, actual })
    }
}

/// What was found of a live database.
enum Seen {
    Pages(PageTree),
    State(ObjectState),
}

fn has_pages_of(state: &ObjectState, tree: &PageTree) -> bool {
    matches!(state, ObjectState::Database { page_root, .. } if *page_root == tree.root())
}

fn observed(object: &str, state: ObjectState) -> Body {
    ObjectObserved { object: object.to_owned(), cause: Cause::DataChange, state }.into()
}
