//! Commit and publish: take the live locks, compare every place with what the run read, commit, and
//! put the outputs into their places. Each place is {source → write, target → done, anything else →
//! stop}; so publishing can be done again from any point.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use ledger_format::body::{
    AuditAppend, Body, ObjectObserved, ObjectState, Purpose, RunCommitted, RunPublished,
};
use ledger_format::hash::CommitHash;
use projections::{OpenRun, Phase};

use super::error::MigrateError;
use super::observe::{LiveDatabase, document};
use super::run::{Milestone, Observer, Subject as _};
use super::stage::{contract_of, frozen_contract};
use super::stated;
use super::store::Store;
use crate::effects::Signer;
use crate::target::glyph_store::{Layout, manifest_version, migration_line, read_prefix};
use crate::target::sqlite::{Known, PageTree, Publisher, Standing, image, recognise};

/// The locks on the live store, and what the database is under them.
pub(super) struct Live {
    database: Publisher,
    tree: PageTree,
}

impl Live {
    /// Locks the live store and reads it.
    pub(super) fn lock(store: &Store) -> Result<Self, MigrateError> {
        let database = Publisher::begin(&store.site.database(), store.wait, store.access)?;
        let tree = database.page_tree()?;
        Ok(Self { database, tree })
    }

    /// The database's state by the ledger, if that is what it is.
    pub(super) fn as_recorded(&self, store: &Store) -> Option<ObjectState> {
        let recorded = store.ledger.state().store().objects.get(store.site.database_id())?;
        let ObjectState::Database { page_root, .. } = recorded else { return None };
        (*page_root == self.tree.root()).then(|| recorded.clone())
    }

    /// Locks the live store, compares it with what the run read, and commits the run.
    pub(super) fn commit(
        store: &mut Store,
        signer: &dyn Signer,
        observer: &mut dyn Observer,
    ) -> Result<Self, MigrateError> {
        let open = store.pending().cloned().ok_or(MigrateError::NoRun)?;
        let live = match store.held.take() {
            Some(held) => held,
            None => Self::lock(store)?,
        };
        unchanged(store, &live)?;
        if let Some(ObjectState::Database { page_root, .. }) =
            store.ledger.state().store().staged.get(store.site.database_id())
        {
            // After the commit it would be too late to find out.
            live.database.check_layout(
                &live.tree,
                &image::load(page_root, &*store.objects)?,
                &*store.objects,
            )?;
        }
        let growth = store.audit_growth()?;
        let audit = audit_append(store, &open, growth.as_ref());
        let state = store.ledger.state();
        let targets = &state.store().staged;
        let changed = targets
            .iter()
            .filter(|(object, target)| state.store().objects.get(*object) != Some(*target));
        let committed = RunCommitted {
            run: open.run,
            certificate: state.certificates().open_certificate(),
            places: changed.count() as u64,
            audit,
        };
        store.objects.sync()?;
        let bodies = growth.into_iter().chain([committed.into()]).collect();
        store.record(signer, bodies, observer)?;
        Ok(live)
    }
}

/// Refuses when a place is not what the run read any more.
fn unchanged(store: &Store, live: &Live) -> Result<(), MigrateError> {
    let objects = &store.ledger.state().store().objects;
    let stale = |object: &str| MigrateError::Stale {
        reason: format!("{object} changed while the run was at work"),
    };
    if let Some(path) = store.site.manifest() {
        let (_, manifest) = document(&path)?;
        if objects.get(Layout::MANIFEST) != Some(&manifest) {
            return Err(stale(Layout::MANIFEST));
        }
    }
    match live.as_recorded(store) {
        Some(_) => Ok(()),
        None => Err(stale(store.site.database_id())),
    }
}

fn audit_append(store: &Store, open: &OpenRun, growth: Option<&Body>) -> Option<AuditAppend> {
    store.site.audit()?;
    let state = store.ledger.state();
    let held = match growth {
        Some(Body::ObjectObserved(ObjectObserved { state, .. })) => state,
        _ => state.store().objects.get(Layout::AUDIT)?,
    };
    let ObjectState::Log { content, bytes, .. } = held else { return None };
    let kind = match open.started.purpose {
        Purpose::Migrate => "store_migrated",
        Purpose::Rollback => "store_rolled_back",
    };
    let line = migration_line(
        kind,
        open.started.clock_ms,
        (&open.started.from, &open.started.to),
        &store.ledger.id().to_string(),
        &state.certificates().open_certificate().to_string(),
        state.certificates().open_lost(),
    );
    Some(AuditAppend { object: Layout::AUDIT.to_owned(), bytes: *bytes, content: *content, line })
}

/// Puts the outputs of the committed run into their places. `live` holds the locks if this process
/// committed it; a resumed run takes them here.
pub(super) fn publish(
    store: &mut Store,
    signer: &dyn Signer,
    live: Option<Live>,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let open = store.pending().cloned().ok_or(MigrateError::NoRun)?;
    let Phase::Publishing { places, audit, .. } = &open.phase else {
        return Err(MigrateError::NoRun);
    };
    let live = match live {
        Some(live) => live,
        None => Live::lock(store)?,
    };
    let sources = sources(store, &open)?;
    // Every place is looked at before any is written: a conflict in one leaves all as they are.
    let manifest = store.site.manifest();
    if let Some(path) = &manifest {
        manifest_standing(store, path, &open, &sources)?;
    }
    let (place, target) = look_at_database(store, &open, &sources, &live)?;
    if let Some(line) = audit {
        begun_line(store, &open, line)?;
    }
    let goes_up = goes_up(store, &open)?;
    if let Some(path) = manifest.as_deref().filter(|_| goes_up) {
        publish_manifest(store, path, &open, &sources, observer)?;
    }
    publish_database(store, place, &target, live, observer)?;
    if let Some(path) = manifest.as_deref().filter(|_| !goes_up) {
        publish_manifest(store, path, &open, &sources, observer)?;
    }
    let audit = match audit {
        None => None,
        Some(line) => Some(append_line(store, &open, line, observer)?),
    };
    store.objects.sync()?;
    let published = RunPublished { run: open.run, places: *places, audit };
    store.record(signer, vec![published.into()], observer)
}

type States = std::collections::BTreeMap<String, ObjectState>;

/// What the objects were before the run was committed.
fn sources(store: &Store, open: &OpenRun) -> Result<States, MigrateError> {
    let size = match open.phase {
        Phase::Publishing { committed_seq, .. } => committed_seq,
        Phase::Staging => open.started_seq,
    };
    Ok(store.ledger.state_at(size)?.store().objects.clone())
}

/// Going up the manifest is published first, going down last: so an old program is refused in
/// between, never misled.
fn goes_up(store: &Store, open: &OpenRun) -> Result<bool, MigrateError> {
    let contract = frozen_contract(&store.ledger, &*store.objects, contract_of(&open.started)?)?;
    Ok(contract.position(&open.started.to) >= contract.position(&open.started.from))
}

/// Whether a place is still to be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    ToWrite,
    Written,
}

fn manifest_standing(
    store: &Store,
    path: &Path,
    open: &OpenRun,
    sources: &States,
) -> Result<Place, MigrateError> {
    let object = Layout::MANIFEST;
    let (_, found) = document(path)?;
    if store.ledger.state().store().objects.get(object) == Some(&found) {
        Ok(Place::Written)
    } else if sources.get(object) == Some(&found) {
        Ok(Place::ToWrite)
    } else {
        Err(MigrateError::Conflict { place: object.to_owned(), run: open.run })
    }
}

fn publish_manifest(
    store: &Store,
    path: &Path,
    open: &OpenRun,
    sources: &States,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let object = Layout::MANIFEST;
    if manifest_standing(store, path, open, sources)? == Place::Written {
        return sync_file(path);
    }
    observer.reached(&Milestone::Publishing { object });
    put_manifest(store, path, &store.ledger.state().store().objects)?;
    observer.reached(&Milestone::Published { object });
    Ok(())
}

/// Writes the manifest that `states` has.
fn put_manifest(store: &Store, path: &Path, states: &States) -> Result<(), MigrateError> {
    let Some(ObjectState::Document { content, mode, .. }) = states.get(Layout::MANIFEST) else {
        return Err(MigrateError::DocumentChanged { object: Layout::MANIFEST.to_owned() });
    };
    let bytes = store.objects.get(content)?;
    // A manifest that is a link stays one: what it leads to is replaced.
    let replace = || replace(&fs::canonicalize(path)?, &bytes, *mode);
    replace().map_err(|source| MigrateError::Io { path: path.to_owned(), source })
}

/// Makes the manifest agree with the database of a half published run that is given up: the one of
/// before if the database is of before, else the run's own. Touches no manifest but these two, and
/// removes one that was not finished.
pub(super) fn settle_manifest(store: &Store, open: &OpenRun) -> Result<(), MigrateError> {
    let Some(path) = store.site.manifest() else { return Ok(()) };
    let unfinished = unfinished(&path);
    match fs::remove_file(&unfinished) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(MigrateError::Io { path: unfinished, source });
        }
        _ => {}
    }
    let sources = sources(store, open)?;
    let targets = &store.ledger.state().store().objects;
    let (_, found) = document(&path)?;
    let is_ours = [&sources, targets].iter().any(|of| of.get(Layout::MANIFEST) == Some(&found));
    let (from, to) = (&open.started.from, &open.started.to);
    if !is_ours || manifest_version(from) == manifest_version(to) {
        return Ok(());
    }
    let settled = if states_version(store, from)? == Some(true) {
        &sources
    } else if states_version(store, to)? == Some(true) {
        targets
    } else {
        return Ok(());
    };
    if settled.get(Layout::MANIFEST) == Some(&found) {
        Ok(())
    } else {
        put_manifest(store, &path, settled)
    }
}

/// The version that a half published run left a database at that states none: publishing is one
/// transaction, so it is the one of before if the structure is of before, else the run's own. Where the
/// run changed no structure, the pages that it was to write tell.
pub(super) fn version_written(
    store: &Store,
    open: &OpenRun,
    database: &LiveDatabase,
) -> Result<String, MigrateError> {
    let (sources, object) = (sources(store, open)?, store.site.database_id());
    let targets = &store.ledger.state().store().objects;
    let (from, to) = (&open.started.from, &open.started.to);
    let (
        Some(ObjectState::Database { page_root: before, schema: schema_before, .. }),
        Some(ObjectState::Database { page_root: after, schema: schema_after, .. }),
    ) = (sources.get(object), targets.get(object))
    else {
        return Ok(to.clone());
    };
    let schema = database.schema()?;
    let written = if schema_before == schema_after {
        let (before, after) =
            (image::load(before, &*store.objects)?, image::load(after, &*store.objects)?);
        let found = database.page_tree()?;
        let as_in = |tree: &PageTree| {
            let pages = before.diff(&after).into_iter();
            pages.filter(|number| found.page(*number) == tree.page(*number)).count()
        };
        as_in(&after) > as_in(&before)
    } else {
        schema != **schema_before
    };
    Ok(if written { to.clone() } else { from.clone() })
}

/// Whether the database is still to be written under the lock, and what it is to be.
fn look_at_database(
    store: &Store,
    open: &OpenRun,
    sources: &States,
    live: &Live,
) -> Result<(Place, CommitHash), MigrateError> {
    let object = store.site.database_id();
    let conflict = || MigrateError::Conflict { place: object.to_owned(), run: open.run };
    let known = |states: &States| match states.get(object) {
        Some(ObjectState::Database { page_root, schema, .. }) => {
            Ok(Known { page_root: *page_root, schema: **schema })
        }
        _ => Err(conflict()),
    };
    let source = known(sources)?;
    let target = known(&store.ledger.state().store().objects)?;
    let found = Known { page_root: live.tree.root(), schema: live.database.schema_digest()? };
    let (from, to) = (&open.started.from, &open.started.to);
    let place = match recognise(&found, &source, &target) {
        Standing::Target => Place::Written,
        Standing::Source => Place::ToWrite,
        // The application wrote to it after it was published: what it wrote stays.
        Standing::TargetWritten if states_version(store, to)? != Some(false) => Place::Written,
        // The run changed no structure, so that only the stated version tells before from after.
        Standing::Other
            if found.schema == target.schema
                && states_version(store, from)? == Some(false)
                && states_version(store, to)? == Some(true) =>
        {
            Place::Written
        }
        Standing::TargetWritten | Standing::SourceWritten | Standing::Other => {
            return Err(conflict());
        }
    };
    Ok((place, target.page_root))
}

fn publish_database(
    store: &Store,
    place: Place,
    target: &CommitHash,
    live: Live,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let Live { mut database, tree } = live;
    if place == Place::Written {
        return Ok(database.affirm()?);
    }
    let object = store.site.database_id();
    observer.reached(&Milestone::Publishing { object });
    let target = image::load(target, &*store.objects)?;
    database.write(&tree, &target, &*store.objects, &store.ledger.work_dir())?;
    database.commit()?;
    observer.reached(&Milestone::Published { object });
    Ok(())
}

/// Whether the live database states that version; `None` if it states none by itself.
fn states_version(store: &Store, version: &str) -> Result<Option<bool>, MigrateError> {
    let path = store.site.database();
    let database = LiveDatabase::open(&path, store.wait)?;
    if store.site.store().is_none() {
        let stated = stated::version(&store.contract, &path, &database)?;
        return Ok(stated.map(|stated| stated == version));
    }
    let expected = manifest_version(version).map(|number| number.to_string());
    Ok(Some(database.store_version()? == expected))
}

/// Appends the run's line to the audit file, or what is missing of it, and returns what the file is
/// then.
fn append_line(
    store: &mut Store,
    open: &OpenRun,
    audit: &AuditAppend,
    observer: &mut dyn Observer,
) -> Result<ObjectState, MigrateError> {
    let path = audit_place(store, open)?;
    let object = Layout::AUDIT;
    let Begun { at, held } = begun_line(store, open, audit)?;
    let (held, missing) = audit.line.as_bytes().split_at(held);
    if !missing.is_empty() {
        observer.reached(&Milestone::Publishing { object });
    }
    let append = || -> io::Result<()> {
        // Where a sync failed the kernel takes bytes for clean that the disk never got, and syncs them
        // no more. What stands there already is therefore written once more, as it stands.
        if !held.is_empty() {
            fs::OpenOptions::new().write(true).open(&path)?.write_all_at(held, at)?;
        }
        fs::OpenOptions::new().append(true).open(&path)?.write_all(missing)
    };
    append().map_err(|source| MigrateError::Io { path: path.clone(), source })?;
    if !missing.is_empty() {
        observer.reached(&Milestone::Published { object });
    }
    sync_file(&path)?;
    let now = read_prefix(&path, Some((audit.bytes, audit.content)))?;
    let tail = store.objects.put(&now.tail)?;
    Ok(ObjectState::Log { content: now.content, bytes: now.bytes, tail: tail.into() })
}

/// How far the run's line stands in the audit file.
struct Begun {
    /// Where it begins, or will.
    at: u64,
    /// How many of its bytes are there.
    held: usize,
}

/// Where the audit file has the run's line. Whole lines that others appended stay before it; a line that
/// somebody began is ours to end only if it is the beginning of ours.
fn begun_line(store: &Store, open: &OpenRun, audit: &AuditAppend) -> Result<Begun, MigrateError> {
    let path = audit_place(store, open)?;
    let found = read_prefix(&path, Some((audit.bytes, audit.content)))?;
    let line = audit.line.as_bytes();
    let mut at = audit.bytes;
    for held in found.tail.split_inclusive(|byte| *byte == b'\n') {
        if held == line || (!held.ends_with(b"\n") && line.starts_with(held)) {
            return Ok(Begun { at, held: held.len() });
        }
        if !held.ends_with(b"\n") {
            return Err(MigrateError::Conflict { place: Layout::AUDIT.to_owned(), run: open.run });
        }
        at += held.len() as u64;
    }
    Ok(Begun { at, held: 0 })
}

/// Where the audit file lies of a store whose run has a line for it.
fn audit_place(store: &Store, open: &OpenRun) -> Result<PathBuf, MigrateError> {
    let conflict = || MigrateError::Conflict { place: Layout::AUDIT.to_owned(), run: open.run };
    store.site.audit().ok_or_else(conflict)
}

/// Replaces a file whole or not at all, durably, with its owner and these permissions. What a killed one left beside
/// the file goes; what it may link to stays.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let fresh = unfinished(path);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&fresh)?;
    file.write_all(bytes)?;
    let (old, new) = (fs::metadata(path)?, file.metadata()?);
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        fchown(&file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    sync_entry(path)
}

/// Makes the name of a file durable.
fn sync_entry(path: &Path) -> io::Result<()> {
    fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Makes a file durable that a process killed in between may have left with the kernel alone.
fn sync_file(path: &Path) -> Result<(), MigrateError> {
    let sync = || fs::File::open(path)?.sync_all().and_then(|()| sync_entry(path));
    sync().map_err(|source| MigrateError::Io { path: path.to_owned(), source })
}

/// Where the file that is to replace `path` is made.
fn unfinished(path: &Path) -> PathBuf {
    path.with_added_extension("new")
}
