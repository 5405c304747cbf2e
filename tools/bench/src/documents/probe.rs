//! What the machine needs without any ledger: for the files, and for their values.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use glyph_ledger::document::{Document, Format};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::error::{Error, at};

/// Bytes of sources that a thread gathers before they go into the one file that keeps them.
const KEPT_BYTES: usize = 1024 * 1024;

/// What the file system allows: every file of `tree` is read and its bytes are kept once more at the end of the file `kept`;
/// as many are written beside them under hidden names; then each changes names with the one beside it, which is removed;
/// everything is made durable once, at the end. On `jobs` threads, each with folders of its own.
pub(super) fn exchanged(tree: &Path, kept: &Path, jobs: usize) -> Result<Duration, Error> {
    let paths = all(tree)?;
    let kept_in = File::options().create_new(true).append(true).open(kept).map_err(at(kept))?;
    let began = Instant::now();
    on_threads(&paths, jobs, |paths| write_beside(paths, (kept, &kept_in)))?;
    on_threads(&paths, jobs, |paths| paths.iter().try_for_each(|path| exchange(path)))?;
    let folder = File::open(tree).map_err(at(tree))?;
    rustix::fs::syncfs(&folder).map_err(|error| at(tree)(error.into()))?;
    Ok(began.elapsed())
}

fn write_beside(paths: &[PathBuf], (kept, mut kept_in): (&Path, &File)) -> Result<(), Error> {
    let mut gathered = Vec::with_capacity(KEPT_BYTES + 4_096);
    for path in paths {
        let bytes = fs::read(path).map_err(at(path))?;
        let fresh = beside(path);
        fs::write(&fresh, &bytes).map_err(at(&fresh))?;
        gathered.extend_from_slice(&bytes);
        if gathered.len() >= KEPT_BYTES {
            kept_in.write_all(&gathered).map_err(at(kept))?;
            gathered.clear();
        }
    }
    kept_in.write_all(&gathered).map_err(at(kept))
}

fn exchange(path: &Path) -> Result<(), Error> {
    let fresh = beside(path);
    let exchanged = renameat_with(CWD, &fresh, CWD, path, RenameFlags::EXCHANGE);
    exchanged.map_err(|error| at(path)(error.into()))?;
    fs::remove_file(&fresh).map_err(at(&fresh))
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

/// Reads every document of `tree` and writes its value again, on `jobs` threads; no file is written.
pub(super) fn values(tree: &Path, jobs: usize) -> Result<Duration, Error> {
    let paths = all(tree)?;
    let began = Instant::now();
    on_threads(&paths, jobs, portion)?;
    Ok(began.elapsed())
}

/// Gives each thread an equal part of the paths.
fn on_threads(
    paths: &[PathBuf],
    jobs: usize,
    work: impl Fn(&[PathBuf]) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let work = &work;
    thread::scope(|scope| {
        let portions = paths.chunks(paths.len().div_ceil(jobs).max(1));
        let threads: Vec<_> = portions.map(|paths| scope.spawn(move || work(paths))).collect();
        let mut done = threads.into_iter().map(thread::ScopedJoinHandle::join);
        done.try_for_each(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn portion(paths: &[PathBuf]) -> Result<(), Error> {
    for path in paths {
        let bytes = fs::read(path).map_err(at(path))?;
        let written = Document::read(Format::Json, &bytes).ok().and_then(|read| read.write().ok());
        if written.as_ref() != Some(&bytes) {
            return Err(Error::Unexpected {
                what: "a document read and written",
                expected: "the same bytes".to_owned(),
                actual: path.display().to_string(),
            });
        }
    }
    Ok(())
}

/// Every file of a tree of two levels, in order, but for the ledger.
fn all(tree: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for folder in fs::read_dir(tree).map_err(at(tree))? {
        let folder = folder.map_err(at(tree))?.path();
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            found.push(entry.map_err(at(&folder))?.path());
        }
    }
    found.sort_unstable();
    Ok(found)
}
