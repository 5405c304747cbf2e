//! Whether a job has room to begin. What it needs in the end nobody knows before it has run; what it
//! needs at least is known, and a job that cannot have even that is not begun.

use std::fs;
use std::path::Path;

use ledger_format::body::ObjectState;

use super::error::MigrateError;
use super::store::Store;
use crate::effects::space;
use crate::target::sqlite::image;

/// SQLite's header of one page in a write-ahead log, in bytes.
const FRAME_HEADER_BYTES: u64 = 24;

/// Refuses when the file system of the ledger has less than a work copy of `database` takes, together
/// with the log of its largest step, which changes `pages_changed` pages. Objects come on top, as far
/// as they are not there already.
pub(super) fn check(
    store: &Store,
    database: &ObjectState,
    pages_changed: u64,
) -> Result<(), MigrateError> {
    let ObjectState::Database { page_root, .. } = database else { return Ok(()) };
    let tree = image::load(page_root, &*store.objects)?;
    let page = u64::from(tree.page_size().bytes());
    let copy = u64::from(tree.page_count()).saturating_mul(page);
    let needed = copy.saturating_add(pages_changed.saturating_mul(page + FRAME_HEADER_BYTES));
    must_hold(store.ledger.dir(), needed)
}

/// Refuses the same of the live database before a page of it is read: reading a large one takes time.
pub(super) fn check_live(store: &Store) -> Result<(), MigrateError> {
    // What cannot be looked at is told by whoever opens it.
    let bytes = fs::metadata(store.site.database()).map_or(0, |found| found.len());
    must_hold(store.ledger.dir(), bytes)
}

/// Refuses when the file system of `path`, or of the next folder above it that there is, has less than
/// `needed` bytes free.
pub(super) fn must_hold(path: &Path, needed: u64) -> Result<(), MigrateError> {
    let above = std::path::absolute(path)
        .map_err(|source| MigrateError::Io { path: path.to_owned(), source })?;
    let path = above.ancestors().find(|folder| folder.is_dir()).unwrap_or(&above);
    let free = space::bytes_free(path)
        .map_err(|source| MigrateError::Io { path: path.to_owned(), source })?;
    match free {
        Some(available) if available < needed => {
            Err(MigrateError::NoSpace { path: path.to_owned(), needed, available })
        }
        _ => Ok(()),
    }
}
