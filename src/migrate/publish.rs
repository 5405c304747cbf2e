//! Commit and publish: take the live locks, compare every place with what the run read, commit, and
//! put the outputs into their places. Each place is {source → write, target → done, anything else →
//! stop}; so publishing can be done again from any point.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ledger_format::body::{
    AuditAppend, Body, ObjectObserved, ObjectState, Purpose, RunCommitted, RunPublished,
};
use projections::{OpenRun, Phase};

use super::error::MigrateError;
use super::observe::{LiveDatabase, document};
use super::run::{Milestone, Observer};
use super::store::Store;
use crate::effects::Signer;
use crate::target::glyph_store::{Layout, manifest_version, migration_line, read_prefix};
use crate::target::sqlite::{Known, Publisher, Standing, image, recognise};

/// The locks on the live store.
pub(super) struct Live {
    database: Publisher,
}

impl Live {
    /// Locks the live store, compares it with what the run read, and commits the run.
    pub(super) fn commit(
        store: &mut Store,
        signer: &dyn Signer,
        observer: &mut dyn Observer,
    ) -> Result<Self, MigrateError> {
        let open = store.pending().cloned().ok_or(MigrateError::NoRun)?;
        let database = Publisher::begin(&store.layout.database(), store.wait)?;
        unchanged(store, &database)?;
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
        Ok(Self { database })
    }
}

/// Refuses when a place is not what the run read any more.
fn unchanged(store: &Store, database: &Publisher) -> Result<(), MigrateError> {
    let objects = &store.ledger.state().store().objects;
    let stale = |object: &str| MigrateError::Stale {
        reason: format!("{object} changed while the run was at work"),
    };
    let (_, manifest) = document(&store.layout.manifest())?;
    if objects.get(Layout::MANIFEST) != Some(&manifest) {
        return Err(stale(Layout::MANIFEST));
    }
    match objects.get(Layout::DATABASE) {
        Some(ObjectState::Database { page_root, .. })
            if database.page_tree()?.root() == *page_root =>
        {
            Ok(())
        }
        _ => Err(stale(Layout::DATABASE)),
    }
}

fn audit_append(store: &Store, open: &OpenRun, growth: Option<&Body>) -> Option<AuditAppend> {
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
        None => Live { database: Publisher::begin(&store.layout.database(), store.wait)? },
    };
    let sources = store.ledger.state_at(committed_before(&open))?.store().objects.clone();
    let goes_up = goes_up(store, &open);
    if goes_up {
        publish_manifest(store, &open, &sources, observer)?;
    }
    publish_database(store, &open, &sources, live, observer)?;
    if !goes_up {
        publish_manifest(store, &open, &sources, observer)?;
    }
    let audit = match audit {
        None => None,
        Some(line) => Some(append_line(store, &open, line, observer)?),
    };
    store.objects.sync()?;
    let published = RunPublished { run: open.run, places: *places, audit };
    store.record(signer, vec![published.into()], observer)
}

/// Size of the ledger before the run's `run.committed` event.
const fn committed_before(open: &OpenRun) -> u64 {
    match open.phase {
        Phase::Publishing { committed_seq, .. } => committed_seq,
        Phase::Staging => open.started_seq,
    }
}

/// Going up the manifest is published first, going down last: so an old program is refused in
/// between, never misled.
fn goes_up(store: &Store, open: &OpenRun) -> bool {
    let position = |version: &str| store.contract.position(version);
    position(&open.started.to) >= position(&open.started.from)
}

type States = std::collections::BTreeMap<String, ObjectState>;

fn publish_manifest(
    store: &Store,
    open: &OpenRun,
    sources: &States,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let object = Layout::MANIFEST;
    let target = store.ledger.state().store().objects.get(object);
    let (_, found) = document(&store.layout.manifest())?;
    if Some(&found) == target {
        return Ok(());
    }
    let (Some(ObjectState::Document { content, mode, .. }), true) =
        (target, sources.get(object) == Some(&found))
    else {
        return Err(MigrateError::Conflict { place: object.to_owned(), run: open.run });
    };
    observer.reached(&Milestone::Publishing { object });
    let bytes = store.objects.get(content)?;
    let path = store.layout.manifest();
    replace(&path, &bytes, *mode).map_err(|source| MigrateError::Io { path, source })?;
    observer.reached(&Milestone::Published { object });
    Ok(())
}

fn publish_database(
    store: &Store,
    open: &OpenRun,
    sources: &States,
    live: Live,
    observer: &mut dyn Observer,
) -> Result<(), MigrateError> {
    let object = Layout::DATABASE;
    let conflict = || MigrateError::Conflict { place: object.to_owned(), run: open.run };
    let known = |states: &States| match states.get(object) {
        Some(ObjectState::Database { page_root, schema, .. }) => {
            Ok(Known { page_root: *page_root, schema: *schema })
        }
        _ => Err(conflict()),
    };
    let source = known(sources)?;
    let target = known(&store.ledger.state().store().objects)?;
    let mut database = live.database;
    let tree = database.page_tree()?;
    let found = Known { page_root: tree.root(), schema: database.schema_digest()? };
    match recognise(&found, &source, &target) {
        Standing::Target => return Ok(()),
        Standing::Source => {}
        // The application wrote to it after it was published: what it wrote stays.
        Standing::TargetWritten if states_version(store, &open.started.to)? => return Ok(()),
        Standing::TargetWritten | Standing::SourceWritten | Standing::Other => {
            return Err(conflict());
        }
    }
    observer.reached(&Milestone::Publishing { object });
    let target = image::load(&target.page_root, &*store.objects)?;
    database.write(&tree, &target, &*store.objects)?;
    database.commit()?;
    observer.reached(&Milestone::Published { object });
    Ok(())
}

fn states_version(store: &Store, version: &str) -> Result<bool, MigrateError> {
    let database = LiveDatabase::open(&store.layout.database(), store.wait)?;
    let expected = manifest_version(version).map(|number| number.to_string());
    Ok(database.store_version()? == expected)
}

/// Appends the run's line to the audit file, or what is missing of it, and returns what the file is
/// then.
fn append_line(
    store: &mut Store,
    open: &OpenRun,
    audit: &AuditAppend,
    observer: &mut dyn Observer,
) -> Result<ObjectState, MigrateError> {
    let path = store.layout.audit();
    let object = Layout::AUDIT;
    let known = Some((audit.bytes, audit.content));
    let found = read_prefix(&path, known)?;
    let line = audit.line.as_bytes();
    let missing = if found.tail.starts_with(line) || holds_line(&found.tail, line) {
        None
    } else if let Some(rest) = line.strip_prefix(found.tail.as_slice()) {
        Some(rest)
    } else if found.tail.ends_with(b"\n") {
        // Others appended whole lines of their own since: theirs stay, ours follows.
        Some(line)
    } else {
        return Err(MigrateError::Conflict { place: object.to_owned(), run: open.run });
    };
    if let Some(missing) = missing {
        observer.reached(&Milestone::Publishing { object });
        let append = || -> io::Result<()> {
            let mut file = fs::OpenOptions::new().append(true).open(&path)?;
            file.write_all(missing)?;
            file.sync_all()
        };
        append().map_err(|source| MigrateError::Io { path: path.clone(), source })?;
        observer.reached(&Milestone::Published { object });
    }
    let now = read_prefix(&path, known)?;
    let tail = store.objects.put(&now.tail)?;
    Ok(ObjectState::Log { content: now.content, bytes: now.bytes, tail })
}

fn holds_line(tail: &[u8], line: &[u8]) -> bool {
    tail.split_inclusive(|byte| *byte == b'\n').any(|held| held == line)
}

/// Replaces a file whole or not at all, durably, with its permissions.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    fs::File::open(folder)?.sync_all()
}
