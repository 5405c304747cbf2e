//! A new ledger's folder: built beside its place, then renamed into it once.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use ledger_format::tree::Frontier;

use super::OpenOptions;
use super::anchor::{Anchor, AnchorFile};
use super::error::{OpenError, io_error};
use super::folder::{Folder, Identity};
use super::store::{Fault, Store};
use crate::effects::syncs;
use crate::log::{Batch, Closing};

/// Creates the folder `dir`, which appears whole and durable or not at all.
pub(super) fn create(
    dir: &Path,
    identity: &Identity,
    first: &Batch,
    frontier: &Frontier,
    options: &OpenOptions,
) -> Result<(), OpenError> {
    match fs::symlink_metadata(dir) {
        Ok(_) => return Err(OpenError::Exists { path: dir.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(io_error(dir)(source)),
    }
    let closing = first.check(identity.ledger(), 0, frontier)?;
    let parent = syncs::folder_of(dir);
    let building = tempfile::Builder::new().prefix(".glyph-ledger-init.").tempdir_in(parent);
    let building = building.map_err(io_error(parent))?;
    build(building.path(), identity, first, frontier, closing, options)?;
    fs::rename(building.path(), dir).map_err(io_error(dir))?;
    // There is nothing left to remove at the temporary place.
    let _moved = building.keep();
    syncs::folder(&*options.syncs, parent).map_err(io_error(parent))
}

/// Writes a whole ledger folder into `dir`, which exists and is empty.
fn build(
    dir: &Path,
    identity: &Identity,
    first: &Batch,
    frontier: &Frontier,
    closing: Closing,
    options: &OpenOptions,
) -> Result<(), OpenError> {
    let folder = Folder::new(dir);
    let syncs = &*options.syncs;
    let write = |path: &Path, text: &str| {
        fs::write(path, text).and_then(|()| syncs.all(&File::open(path)?)).map_err(io_error(path))
    };
    write(&folder.identity(), &identity.text())?;
    write(&folder.lock(), "")?;
    let path = folder.store();
    let failed = |fault: Fault| io_error(&path)(fault.into());
    let store = Store::open(&path, identity.ledger(), options.cache_bytes).map_err(failed)?;
    let written = store.write(first, frontier);
    let closed = store.close();
    written.and(closed).map_err(failed)?;
    syncs::below(&path, syncs).map_err(io_error(&path))?;
    let Closing { last, last_at } = closing;
    let anchor = Anchor { head: first.head.clone(), last, last_at };
    let anchor_path = folder.anchor();
    AnchorFile::create(&anchor_path, &anchor, syncs).map_err(io_error(&anchor_path))?;
    syncs::folder(syncs, dir).map_err(io_error(dir))
}
