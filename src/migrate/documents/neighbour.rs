//! Trees of documents that lie in each other, each with a ledger: no document may be in the care of two.

use std::path::{Path, PathBuf};

use super::super::error::MigrateError;
use super::run::named;
use crate::contract::Contract;
use crate::target::documents::{Kinds, Survey, Tree};

/// Another tree of documents that has a ledger.
#[derive(Debug, Clone)]
pub struct Neighbour {
    /// Where its documents lie, as the operating system names it.
    pub root: PathBuf,
    /// The kinds of its documents.
    pub contracts: Vec<Contract>,
    /// What it always leaves out.
    pub left_out: Vec<String>,
}

/// Refuses if a document that was found in the tree at `root` is one of a neighbour's too.
pub fn must_not_share(
    root: &Path,
    survey: &Survey,
    neighbours: &[Neighbour],
) -> Result<(), MigrateError> {
    for neighbour in neighbours {
        let globs = neighbour.contracts.iter();
        let globs = globs.map(|contract| (contract.contract.as_str(), contract.files.as_slice()));
        let kinds = Kinds::of(globs)?;
        let tree = Tree::new(neighbour.root.clone())
            .always_leaving_out(neighbour.left_out.clone(), String::new());
        let mut shared = Vec::new();
        for id in survey.documents.keys() {
            let path = root.join(id);
            let theirs = path.strip_prefix(&neighbour.root).ok().and_then(Path::to_str);
            let Some(theirs) = theirs else { continue };
            // What several of its contracts claim, it claims.
            if !tree.leaves_out_always(theirs) && !matches!(kinds.of_file(theirs), Ok(None)) {
                shared.push(id.clone());
            }
        }
        if !shared.is_empty() {
            let named = named("documents in the care of two ledgers", &shared);
            return Err(MigrateError::Shared { named, other: neighbour.root.clone() });
        }
    }
    Ok(())
}
