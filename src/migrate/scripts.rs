//! What is seen of the scripts of a database on copies that are thrown away: whether one that goes down takes back what the
//! one that goes up did, and whether a step depends on the order of rows that nothing orders.
//!
//! Each migration is tried on the newest content that the ledger has of the version before it; where it has none, on what
//! the scripts themselves make of an empty database. Books of other tools are left alone. Records nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger_format::hash::CommitHash;
use serde::Serialize;
use tempfile::TempDir;

use super::error::MigrateError;
use super::plan::{scratch_folder, script};
use super::store::Store;
use crate::contract::{EMPTY, Edge};
use crate::objects::MemoryObjects;
use crate::replay::{Images, ReplayError};
use crate::target::sqlite::{
    Changes, RowOrder, Script, Snapshot, StepError, StepInputs, WorkCopy, create_empty, image,
};
use crate::transform::{Sql, Step};

/// What was seen of one migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MigrationSeen {
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
    /// Its scripts.
    pub scripts: Vec<String>,
    /// The event since which the database was as it was tried on; none where scripts made it.
    pub content_of: Option<u64>,
    /// Why it was not tried.
    pub not_tried: Option<String>,
    /// Why it failed.
    pub failed: Option<String>,
    /// What differs when rows that nothing orders come the other way round; none if nothing does.
    pub order: Option<Changes>,
    /// What its way back does.
    pub back: Back,
}

/// What the way back of a migration does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "found")]
pub enum Back {
    /// It has none.
    None,
    /// It was not tried, since the migration did not run.
    NotTried,
    /// Structure and content are those of before.
    Restores,
    /// Something is not as before.
    Differs {
        /// What.
        changes: Changes,
    },
    /// It does not run.
    Fails {
        /// Why.
        why: String,
    },
}

impl MigrationSeen {
    /// Whether it was tried.
    #[must_use]
    pub const fn is_tried(&self) -> bool {
        self.not_tried.is_none()
    }

    /// Whether it was tried, and does not run, depends on an order, or is not taken back though it says so.
    #[must_use]
    pub const fn fails(&self) -> bool {
        self.failed.is_some()
            || self.order.is_some()
            || matches!(self.back, Back::Differs { .. } | Back::Fails { .. })
    }
}

/// Tries every migration of the store's database, in order.
pub fn prove_scripts(store: &Store) -> Result<Vec<MigrationSeen>, MigrateError> {
    let scratch = scratch_folder(store)?;
    let mut trial = Trial { store, scratch, known: known(store)?, made: None, folders: 0 };
    store.contract.edges.iter().map(|edge| trial.migration(edge)).collect()
}

/// The newest image of each version, with the event since which it is.
fn known(store: &Store) -> Result<BTreeMap<String, (u64, CommitHash)>, MigrateError> {
    let images = Images::of(&store.ledger, store.ledger.state().size());
    let images = images.map_err(|error| match error {
        ReplayError::Fold(error) => MigrateError::from(error),
        other => MigrateError::Outcome { check: other.to_string() },
    })?;
    let mut known: BTreeMap<String, (u64, CommitHash)> = BTreeMap::new();
    for image in images.images {
        for since in image.cursors {
            let newest = known.entry(since.version).or_insert((since.seq, image.root));
            if since.seq > newest.0 {
                *newest = (since.seq, image.root);
            }
        }
    }
    Ok(known)
}

struct Trial<'a> {
    store: &'a Store,
    scratch: TempDir,
    known: BTreeMap<String, (u64, CommitHash)>,
    /// What the last migration made, and at which version that is.
    made: Option<(String, WorkCopy)>,
    folders: u64,
}

impl Trial<'_> {
    fn migration(&mut self, edge: &Edge) -> Result<MigrationSeen, MigrateError> {
        let mut seen = MigrationSeen {
            from: edge.from.clone(),
            to: edge.to.clone(),
            scripts: edge.sql().map(|sql| sql.script.clone()).collect(),
            content_of: self.known.get(&edge.from).map(|(seq, _)| *seq),
            not_tried: None,
            failed: None,
            order: None,
            back: Back::None,
        };
        let Some(mut before) = self.before(edge)? else {
            seen.not_tried = Some(format!("no content of version {} is known", edge.from));
            seen.back = Back::NotTried;
            return Ok(seen);
        };
        let mut after = before.fork(&self.folder()?, RowOrder::Found)?;
        if let Some(why) = self.run(&mut after, &edge.steps)? {
            seen.failed = Some(why);
            seen.back = Back::NotTried;
            return Ok(seen);
        }
        seen.order = self.order(&mut before, &after, edge)?;
        if let Some(inverse) = &edge.inverse {
            seen.back = self.back(&before, &mut after, inverse)?;
        }
        remove(&before)?;
        if let Some((_, older)) = self.made.replace((edge.to.clone(), after)) {
            remove(&older)?;
        }
        Ok(seen)
    }

    /// A database of the version that `edge` begins at.
    fn before(&mut self, edge: &Edge) -> Result<Option<WorkCopy>, MigrateError> {
        if let Some((_, root)) = self.known.get(&edge.from).copied() {
            return Ok(Some(WorkCopy::create(&self.folder()?, &root, &*self.store.objects)?));
        }
        if let Some((_, copy)) = self.made.take_if(|(version, _)| *version == edge.from) {
            return Ok(Some(copy));
        }
        if edge.from != EMPTY {
            return Ok(None);
        }
        let folder = self.folder()?;
        let empty = folder.join("empty.db");
        create_empty(&empty, Duration::ZERO)?;
        let mut objects = MemoryObjects::new();
        let root = image::take(&Snapshot::open(&empty, Duration::ZERO)?, &mut objects)?.root();
        Ok(Some(WorkCopy::create(&folder, &root, &objects)?))
    }

    /// What differs from `after` when the steps of `edge` meet rows the other way round.
    fn order(
        &mut self,
        before: &mut WorkCopy,
        after: &WorkCopy,
        edge: &Edge,
    ) -> Result<Option<Changes>, MigrateError> {
        let mut reversed = before.fork(&self.folder()?, RowOrder::Reversed)?;
        // What fails in one order only depends on it as well: the database is then as before.
        let failed = self.run(&mut reversed, &edge.steps)?.is_some();
        let same = !failed && reversed.content_hash()? == after.content_hash()?;
        let changes =
            if same { None } else { Some(Changes::between(after.path(), reversed.path())?) };
        remove(&reversed)?;
        Ok(changes)
    }

    fn back(
        &mut self,
        before: &WorkCopy,
        after: &mut WorkCopy,
        inverse: &[Step],
    ) -> Result<Back, MigrateError> {
        let mut copy = after.fork(&self.folder()?, RowOrder::Found)?;
        let found = match self.run(&mut copy, inverse)? {
            Some(why) => Back::Fails { why },
            None if copy.content_hash()? == before.content_hash()? => Back::Restores,
            None => Back::Differs { changes: Changes::between(before.path(), copy.path())? },
        };
        remove(&copy)?;
        Ok(found)
    }

    /// Runs steps; why one of them failed, if one did. That the machine fails is an error.
    fn run(&self, copy: &mut WorkCopy, steps: &[Step]) -> Result<Option<String>, MigrateError> {
        for (at, sql) in (0..).zip(steps.iter().filter_map(Step::sql)) {
            let inputs = StepInputs::of_step(0, &[0; 32], self.store.site.database_id(), at);
            match copy.run_step(&self.alone(sql), &inputs, &[]) {
                Ok(_) => {}
                Err(
                    error @ (StepError::Statement { .. }
                    | StepError::Refused { .. }
                    | StepError::TransactionLeftOpen { .. }
                    | StepError::ForeignKey { .. }
                    | StepError::Broken { .. }),
                ) => return Ok(Some(error.to_string())),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// The script without what keeps a tool's books.
    fn alone(&self, sql: &Sql) -> Script {
        Script { record: None, ..script(&self.store.contract, sql) }
    }

    fn folder(&mut self) -> Result<PathBuf, MigrateError> {
        self.folders += 1;
        let path = self.scratch.path().join(self.folders.to_string());
        std::fs::create_dir(&path).map_err(io(&path))?;
        Ok(path)
    }
}

/// Removes a copy that is not needed any more, with its folder.
fn remove(copy: &WorkCopy) -> Result<(), MigrateError> {
    let folder = copy.path().parent().unwrap_or(copy.path());
    std::fs::remove_dir_all(folder).map_err(io(folder))
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> MigrateError + use<> {
    let path = path.to_owned();
    move |source| MigrateError::Io { path, source }
}
