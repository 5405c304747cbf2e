//! Reading a ledger without changing it: the engine cannot open a store without writing, so whoever
//! must not change anything opens a copy.

use std::fs::{self, File};
use std::path::Path;

use super::error::{OpenError, busy, io_error, missing_or_io};
use super::folder::{self, Folder};
use super::lock::Lock;
use super::open::{enough_space, read_identity};
use super::{OpenOptions, leave_trace};
use crate::effects::syncs::NoSync;

/// Copies the ledger in `dir` to `into`, which must not exist yet and can then be opened like any
/// ledger. No writer is at work meanwhile; `dir` stays as it is, except for the time of last access.
pub fn copy_for_reading(dir: &Path, into: &Path, options: &OpenOptions) -> Result<(), OpenError> {
    let from = Folder::new(dir);
    read_identity(dir)?;
    let _lock = Lock::shared(&from.lock(), options.wait).map_err(busy(dir))?;
    let (store, db) = (from.store(), from.db());
    fs::metadata(&db).map_err(missing_or_io(&db, None))?;
    fs::create_dir(into).map_err(io_error(into))?;
    enough_space(&store, into)?;
    let to = Folder::new(into);
    for (source, target) in
        [(from.identity(), to.identity()), (from.anchor(), to.anchor()), (from.lock(), to.lock())]
    {
        fs::copy(&source, &target).map_err(missing_or_io(&source, None))?;
    }
    folder::copy_store(&store, &to.store(), &NoSync).map_err(io_error(&to.store()))?;
    // The copy need not be opened in a copy first.
    let traced = File::open(to.db()).and_then(|db| leave_trace(&to, &db));
    traced.map_err(io_error(&to.closed()))
}
