//! The state cache: the fold's state as a file, so that opening need not begin at the first event.
//! Disposable: deleting it changes speed, never answers.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use projections::State;

const FOLDER: &str = "cache";
const STATE: &str = "state";

/// Number of events after which the digest of a small state is recorded again, so that a cache can be
/// trusted up to there. Folding this many takes some ten milliseconds.
pub(super) const RECORD_EVERY_EVENTS: u64 = 10_000;

/// The cached state, if there is one that reads. Nothing may rest on it until its digest was found in
/// an event under a verified head.
pub(super) fn read(dir: &Path) -> Option<State> {
    State::from_cache(&fs::read(dir.join(FOLDER).join(STATE)).ok()?)
}

/// Writes `state` as the cache. A cache that cannot be written is no error, only no cache.
pub(super) fn write(dir: &Path, state: &State) {
    let write = || -> std::io::Result<()> {
        let folder = dir.join(FOLDER);
        fs::create_dir_all(&folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(&state.to_cache())?;
        file.persist(folder.join(STATE))?;
        Ok(())
    };
    if let Err(error) = write() {
        tracing::debug!(%error, "no state cache was written");
    }
}
