//! What the machine needs without any ledger: for the files, and for their values.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use glyph_ledger::document::{Document, Format};

use crate::error::{Error, at};

/// Reads every file of `tree` and writes as many into the folder `beside`, and makes them durable together.
pub(super) fn files(tree: &Path, beside: &Path) -> Result<Duration, Error> {
    let paths = all(tree)?;
    fs::create_dir_all(beside).map_err(at(beside))?;
    let began = Instant::now();
    for (number, path) in paths.iter().enumerate() {
        let bytes = fs::read(path).map_err(at(path))?;
        let copy = beside.join(number.to_string());
        fs::write(&copy, bytes).map_err(at(&copy))?;
    }
    let folder = File::open(beside).map_err(at(beside))?;
    rustix::fs::syncfs(&folder).map_err(|error| at(beside)(error.into()))?;
    let took = began.elapsed();
    fs::remove_dir_all(beside).map_err(at(beside))?;
    Ok(took)
}

/// Reads every document of `tree` and writes its value again, on `jobs` threads; no file is written.
pub(super) fn values(tree: &Path, jobs: usize) -> Result<Duration, Error> {
    let paths = all(tree)?;
    let began = Instant::now();
    let done: Result<Vec<()>, Error> = thread::scope(|scope| {
        let portions = paths.chunks(paths.len().div_ceil(jobs).max(1));
        let threads: Vec<_> = portions.map(|paths| scope.spawn(|| portion(paths))).collect();
        let done = threads.into_iter().map(thread::ScopedJoinHandle::join);
        done.map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    done.map(|_| began.elapsed())
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

/// Every file of a tree of two levels, but for the ledger.
fn all(tree: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for folder in fs::read_dir(tree).map_err(at(tree))? {
        let folder = folder.map_err(at(tree))?.path();
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            found.push(entry.map_err(at(&folder))?.path());
        }
    }
    Ok(found)
}
