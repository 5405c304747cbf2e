//! How a store stands: versions, compatibility, what is pending, what drifted.

use std::path::Path;

use ledger_format::body::{Body, ObjectState};
use ledger_format::hash::EventId;
use ledger_format::head::SignedHead;
use projections::Phase;

use super::applied::{applied, findings, position};
use super::environment::Environment;
use super::error::MigrateError;
use super::observe::{LiveDatabase, document};
use super::stage::{contract_of, frozen_contract};
use super::store::{OpenStore, Store, check_site, detect, read_manifest, readable};
use crate::contract::resolve;
use crate::ledger::LedgerError;
use crate::log::sled::read_anchor;
use crate::sql_folder::Finding;
use crate::target::glyph_store::{
    AuditError, ContentFileError, ContentFiles, Manifest, Tables, look_at_content,
    manifest_version, read_prefix, sort_tables,
};

/// Which store versions a program reads and writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compatibility {
    /// Oldest version this program reads.
    pub min_readable: u64,
    /// Newest version this program reads.
    pub max_readable: u64,
    /// Version this program writes.
    pub writable: u64,
    /// Oldest reader that the manifest asks for.
    pub min_reader: u64,
    /// The program that made the store, by its manifest.
    pub created_by: Option<String>,
    /// The program whose run wrote the store last; `None` before the first run, and while a writer has the ledger.
    pub last_writer: Option<LastWriter>,
    /// Tables of the database, sorted by what is known of them.
    pub tables: Tables,
    /// How the files of content stand to the database, where they were looked at.
    pub content: Option<ContentFiles>,
}

/// The program of the last committed run, and which store versions it reads and writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWriter {
    /// Name and version.
    pub program: String,
    /// Its run.
    pub run: EventId,
    /// Oldest version that it reads.
    pub min_readable: u64,
    /// Newest version that it reads.
    pub max_readable: u64,
    /// Version that it writes.
    pub writable: u64,
}

/// How one object stands to what the ledger has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    /// It is as recorded.
    None,
    /// Its application wrote rows or lines: the normal life of a store.
    DataChange,
    /// A document was changed.
    DocumentChange,
    /// The schema is another one.
    SchemaDrift,
    /// Earlier lines of an append-only file changed.
    HistoryChanged,
    /// It was not looked at.
    NotChecked,
}

/// How a store stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Version by manifest and database; `None` while a run is half published.
    pub version: Option<String>,
    /// Who can read it, by its manifest, if there is one.
    pub compatibility: Option<Compatibility>,
    /// Version that the contract leads to.
    pub target: String,
    /// Versions on the way there.
    pub path: Vec<String>,
    /// The version by the ledger; `None` while a writer has it.
    pub recorded: Option<String>,
    /// Of a database: how many migrations it went through, as far as that is known.
    pub applied: Option<u64>,
    /// Of a database: what is wrong between its migrations and what it went through.
    pub findings: Vec<Finding>,
    /// The run under way: its id and whether it is committed.
    pub pending: Option<(EventId, bool)>,
    /// Objects and how each stands.
    pub drift: Vec<(String, Drift)>,
    /// Number of events in the ledger.
    pub size: u64,
    /// Number of committed runs.
    pub runs: u64,
}

/// What can be told of a store while a writer has its ledger: versions, compatibility and the newest
/// acknowledged head. No drift, no runs: those are in the ledger.
pub fn glance(open: &OpenStore) -> Result<(Status, SignedHead), MigrateError> {
    let manifest = manifest_of(open)?;
    let head = read_anchor(&open.ledger).map_err(LedgerError::from)?.anchor.head;
    let database = LiveDatabase::open(&open.site.database(), open.surroundings.wait)?;
    let version = match detect(&open.site, &open.contract, &database) {
        Ok(version) => version,
        // The writer may be between the manifest and the database.
        Err(MigrateError::Disagree { .. }) => None,
        Err(error) => return Err(error),
    };
    let target = open.contract.current.clone();
    let path = match &version {
        Some(version) => resolve(&open.contract, version, &target)?,
        None => Vec::new(),
    };
    let compatibility =
        manifest.map(|manifest| compatibility(open, &manifest, &database)).transpose()?;
    let status = Status {
        compatibility,
        path: path.iter().map(|edge| edge.to.clone()).collect(),
        target,
        recorded: None,
        applied: version.as_deref().and_then(|version| position(&open.contract, version)),
        findings: Vec::new(),
        pending: None,
        drift: Vec::new(),
        size: head.head().size,
        runs: 0,
        version,
    };
    Ok((status, head))
}

/// The manifest, if there is one; refuses one that nobody here can read.
fn manifest_of(open: &OpenStore) -> Result<Option<Manifest>, MigrateError> {
    check_site(&open.site, &open.contract)?;
    open.site.store().map(read_manifest).transpose()
}

fn compatibility(
    open: &OpenStore,
    manifest: &Manifest,
    database: &LiveDatabase,
) -> Result<Compatibility, MigrateError> {
    let (min_readable, max_readable) = readable(&open.contract);
    let broken =
        |error| MigrateError::Manifest { path: open.site.manifest().unwrap_or_default(), error };
    let min_reader = manifest.min_reader().map_err(broken)?;
    let version = manifest.version().map_err(broken)?;
    Ok(Compatibility {
        min_readable,
        max_readable,
        writable: manifest_version(&open.contract.current).unwrap_or(max_readable),
        min_reader,
        created_by: manifest.store_text("created_by").map(str::to_owned),
        last_writer: None,
        tables: sort_tables(&database.tables()?, version),
        content: None,
    })
}

/// The program of the last committed run.
fn last_writer(store: &Store) -> Result<Option<LastWriter>, MigrateError> {
    let runs = store.ledger.state().runs();
    let committed = runs.finished.iter().rev().find(|run| run.outcome.committed_seq().is_some());
    let Some(run) = committed else { return Ok(None) };
    let recorded = store.ledger.event(run.started_seq)?;
    let Body::RunStarted(started) = &recorded.event.body else { return Ok(None) };
    let contract = frozen_contract(&store.ledger, &*store.objects, contract_of(started)?)?;
    let (min_readable, max_readable) = readable(&contract);
    Ok(Some(LastWriter {
        program: Environment::of_run(run.run, started, &*store.objects)?.tool,
        run: run.run,
        min_readable,
        max_readable,
        writable: manifest_version(&contract.current).unwrap_or(max_readable),
    }))
}

/// Looks at a store without changing it. `deep` compares the database page by page, else only its
/// schema, and the files of content with what the database says of them.
pub fn status(open: &OpenStore, store: &Store, deep: bool) -> Result<Status, MigrateError> {
    let manifest = manifest_of(open)?;
    let state = store.ledger.state();
    let pending = state.runs().open.as_ref();
    let database = LiveDatabase::open(&open.site.database(), open.surroundings.wait)?;
    let version = match detect(&open.site, &open.contract, &database) {
        Ok(stated) => Some(stated.unwrap_or_else(|| state.store().version.clone())),
        Err(MigrateError::Disagree { .. }) if pending.is_some() => None,
        Err(error) => return Err(error),
    };
    let target = open.contract.current.clone();
    let from = version.as_deref().unwrap_or(&state.store().version);
    // While a run is committed and not published, the ledger is ahead of the database, and neither is wrong.
    let findings = if state.store().pending_publish { Vec::new() } else { findings(store)? };
    let path = match resolve(&open.contract, from, &target) {
        Ok(path) => path,
        // There is no way on from a version that is missing; what is missing is told.
        Err(_) if !findings.is_empty() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let mut drift = Vec::new();
    for (object, recorded) in &state.store().objects {
        let half_way =
            state.store().pending_publish && !matches!(recorded, ObjectState::Log { .. });
        let found = if half_way {
            // What is recorded are the targets of a run that may not have written them yet.
            Drift::NotChecked
        } else {
            drift_of(open.site.root(), object, recorded, &database, deep)?
        };
        drift.push((object.clone(), found));
    }
    let mut compatibility =
        manifest.map(|manifest| compatibility(open, &manifest, &database)).transpose()?;
    if let (Some(compatibility), Some(layout)) = (&mut compatibility, open.site.store()) {
        compatibility.last_writer = last_writer(store)?;
        if deep {
            let looked = look_at_content(layout, &database.content_rows()?);
            compatibility.content = Some(looked.map_err(|error| {
                let ContentFileError { path, source } = error;
                MigrateError::Io { path, source }
            })?);
        }
    }
    let runs = state.runs().finished.iter().filter(|run| run.outcome.committed_seq().is_some());
    Ok(Status {
        compatibility,
        path: path.iter().map(|edge| edge.to.clone()).collect(),
        target,
        recorded: Some(state.store().version.clone()),
        applied: applied(store, from)?,
        findings,
        pending: pending.map(|open| (open.run, open.phase != Phase::Staging)),
        drift,
        size: state.size(),
        runs: runs.count() as u64,
        version,
    })
}

fn drift_of(
    root: &Path,
    object: &str,
    recorded: &ObjectState,
    database: &LiveDatabase,
    deep: bool,
) -> Result<Drift, MigrateError> {
    match recorded {
        ObjectState::Document { .. } => {
            let (_, found) = document(&root.join(object))?;
            Ok(if found == *recorded { Drift::None } else { Drift::DocumentChange })
        }
        ObjectState::Database { page_root, schema, .. } => {
            if database.schema()? != **schema {
                return Ok(Drift::SchemaDrift);
            }
            if !deep {
                return Ok(Drift::NotChecked);
            }
            let same = database.page_tree()?.root() == *page_root;
            Ok(if same { Drift::None } else { Drift::DataChange })
        }
        ObjectState::Log { content, bytes, .. } => {
            match read_prefix(&root.join(object), Some((*bytes, *content))) {
                Ok(found) if found.tail.is_empty() => Ok(Drift::None),
                Ok(_) => Ok(Drift::DataChange),
                Err(AuditError::Changed { .. } | AuditError::Shorter { .. }) => {
                    Ok(Drift::HistoryChanged)
                }
                Err(error) => Err(error.into()),
            }
        }
    }
}
