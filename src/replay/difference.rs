//! What changed between two cursors: version, databases table by table, and which other objects. Writes the images
//! that it compares into a temporary folder, and nothing else.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use ledger_format::body::{Body, Cause, DriftAccepted, ObjectObserved, ObjectState};
use ledger_format::hash::CommitHash;
use serde::Serialize;

use crate::ledger::{FoldError, Ledger};
use crate::objects::Objects;
use crate::target::sqlite::{Change, Changes, ContentError, ImageError, create_empty, image};

/// What differs between the states at two cursors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The version at the first.
    pub from: String,
    /// The version at the second.
    pub to: String,
    /// Objects that differ, by id.
    pub objects: Vec<ObjectDifference>,
    /// Objects that are the same.
    pub unchanged: u64,
    /// What in between no run did to objects that differ, in order. It is part of all the rest.
    pub outside: Vec<Outside>,
}

/// What the ledger has of a database and no run made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outside {
    /// The event that says so.
    pub seq: u64,
    /// The database.
    pub object: String,
    /// How it came about.
    #[serde(flatten)]
    pub how: How,
}

/// How something came about that no run made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum How {
    /// Rows were written.
    DataChange,
    /// Drift was accepted.
    DriftAccepted {
        /// Why.
        reason: String,
        /// What differed.
        changes: Changes,
    },
}

/// An object that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectDifference {
    /// Its id.
    pub object: String,
    /// Its kind.
    pub kind: String,
    /// What became of it.
    pub change: Change,
    /// Of a database: what of it.
    pub database: Option<Changes>,
}

/// Two states that could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum DifferenceError {
    /// A state cannot be folded.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// At that cursor nothing was in care yet.
    #[error("at the cursor of {size} events the ledger has nothing in its care")]
    NothingYet {
        /// Number of events.
        size: u64,
    },
    /// A database cannot be put together.
    #[error("{object}: {error}")]
    Image {
        /// The database.
        object: String,
        /// What happened.
        error: ImageError,
    },
    /// A database that was put together cannot be read.
    #[error("{object}: {error}")]
    Content {
        /// The database.
        object: String,
        /// What happened.
        error: ContentError,
    },
    /// There is no room for temporary files.
    #[error("a temporary folder: {0}")]
    Io(#[from] std::io::Error),
}

/// Compares the states after the first `from` and after the first `to` events of `ledger`.
pub fn difference(
    ledger: &Ledger,
    objects: &dyn Objects,
    from: u64,
    to: u64,
) -> Result<Difference, DifferenceError> {
    let (old, new) = (ledger.state_at(from)?, ledger.state_at(to)?);
    for (state, size) in [(&old, from), (&new, to)] {
        if state.store().contract.is_none() {
            return Err(DifferenceError::NothingYet { size });
        }
    }
    let outside = outside(ledger, objects, from.min(to)..from.max(to))?;
    let (old, new) = (old.store(), new.store());
    let ids = old.objects.keys().chain(new.objects.keys()).collect::<BTreeSet<_>>();
    let mut found = Difference {
        from: old.version.clone(),
        to: new.version.clone(),
        objects: Vec::new(),
        unchanged: 0,
        outside,
    };
    for id in ids {
        match one(id, old.objects.get(id), new.objects.get(id), objects)? {
            Some(difference) => found.objects.push(difference),
            None => found.unchanged += 1,
        }
    }
    // What is in neither state any more is no part of what differs.
    let Difference { outside, objects: differing, .. } = &mut found;
    outside.retain(|outside| differing.iter().any(|one| one.object == outside.object));
    Ok(found)
}

/// What accepted drift made of the database, if event `seq` says that some was accepted.
pub fn accepted_drift(
    ledger: &Ledger,
    objects: &dyn Objects,
    seq: u64,
) -> Result<Option<Changes>, DifferenceError> {
    let Body::DriftAccepted(accepted) = ledger.event(seq)?.event.body else { return Ok(None) };
    let before = ledger.state_at(seq)?;
    let before = before.store().objects.get(&accepted.object).and_then(ObjectState::page_root);
    databases(&accepted.object, before, accepted.state.page_root(), objects).map(Some)
}

fn outside(
    ledger: &Ledger,
    objects: &dyn Objects,
    seqs: Range<u64>,
) -> Result<Vec<Outside>, DifferenceError> {
    let mut found = Vec::new();
    ledger.each_event::<FoldError>(seqs, |recorded| {
        let seq = recorded.event.seq;
        match recorded.event.body {
            Body::DriftAccepted(DriftAccepted { object, reason, .. }) => {
                let how = How::DriftAccepted { reason, changes: Changes::default() };
                found.push(Outside { seq, object, how });
            }
            Body::ObjectObserved(ObjectObserved {
                object,
                cause: Cause::DataChange,
                state: ObjectState::Database { .. },
            }) => found.push(Outside { seq, object, how: How::DataChange }),
            _ => {}
        }
        Ok(())
    })?;
    for Outside { seq, how, .. } in &mut found {
        if let How::DriftAccepted { changes, .. } = how {
            *changes = accepted_drift(ledger, objects, *seq)?.unwrap_or_default();
        }
    }
    Ok(found)
}

fn one(
    id: &str,
    old: Option<&ObjectState>,
    new: Option<&ObjectState>,
    objects: &dyn Objects,
) -> Result<Option<ObjectDifference>, DifferenceError> {
    let change = match (old, new) {
        (old, new) if old == new => return Ok(None),
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        _ => Change::Changed,
    };
    let database =
        match (old.and_then(ObjectState::page_root), new.and_then(ObjectState::page_root)) {
            (None, None) => None,
            (old, new) => Some(databases(id, old, new, objects)?),
        };
    let kind = old.or(new).map(ObjectState::kind).unwrap_or_default().to_owned();
    Ok(Some(ObjectDifference { object: id.to_owned(), kind, change, database }))
}

/// Compares two images; one that is not there is compared as a database in which there is nothing.
fn databases(
    id: &str,
    old: Option<CommitHash>,
    new: Option<CommitHash>,
    objects: &dyn Objects,
) -> Result<Changes, DifferenceError> {
    let folder = tempfile::tempdir()?;
    let content = |error| DifferenceError::Content { object: id.to_owned(), error };
    let put = |root: Option<CommitHash>, path: &Path| match root {
        Some(root) => image::materialise(&root, objects, path)
            .map(|_| ())
            .map_err(|error| DifferenceError::Image { object: id.to_owned(), error }),
        None => create_empty(path, std::time::Duration::ZERO)
            .map_err(|error| content(ContentError::from(error))),
    };
    let (before, after) = (folder.path().join("before.db"), folder.path().join("after.db"));
    put(old, &before)?;
    put(new, &after)?;
    Changes::between(&before, &after).map_err(content)
}
