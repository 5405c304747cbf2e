//! Our side: every notebook of a folder, by the built-in contract.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use glyph_ledger::contract::registry::load_named;
use glyph_ledger::migrate::documents::{Outside, Prepared};

use super::Refused;
use crate::error::{Error, at};

/// The notebooks of a folder, in the order of their names.
pub(super) fn notebooks(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.extension().is_some_and(|end| end == "ipynb") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Reads, converts and writes, as the package does it.
pub(super) fn convert(source: &Path, target: &Path, jobs: usize) -> Result<(), Error> {
    let prepared = Prepared::of(load_named("nbformat")?, &Outside::default())?;
    let paths = notebooks(source)?;
    let portions = paths.chunks(paths.len().div_ceil(jobs).max(1));
    let refused: Result<Vec<Vec<Refused>>, Error> = thread::scope(|scope| {
        let threads = portions.map(|paths| scope.spawn(|| portion(&prepared, paths, target)));
        let threads: Vec<_> = threads.collect();
        let done = threads.into_iter().map(thread::ScopedJoinHandle::join);
        done.map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    for refused in refused?.into_iter().flatten() {
        println!("{}", serde_json::to_string(&refused).unwrap_or_default());
    }
    Ok(())
}

fn portion(prepared: &Prepared, paths: &[PathBuf], target: &Path) -> Result<Vec<Refused>, Error> {
    let mut refused = Vec::new();
    for path in paths {
        let bytes = fs::read(path).map_err(at(path))?;
        let name = path.file_name().unwrap_or_default();
        let evaluation = prepared.evaluate(&bytes, None);
        if let Some(outcome) = evaluation.result {
            let target = target.join(name);
            fs::write(&target, outcome.bytes).map_err(at(&target))?;
        } else {
            let why = evaluation.refusals.first().map(|refusal| refusal.message.clone());
            let name = name.to_string_lossy().into_owned();
            refused.push(Refused { name, why: why.unwrap_or_default() });
        }
    }
    Ok(refused)
}
