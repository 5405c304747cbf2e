//! The stages, one a process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use glyph_ledger::effects::{FixedRandom, SystemClock};
use glyph_ledger::ledger::{Begins, Surroundings};
use glyph_ledger::migrate::documents::{
    self, Documents, DocumentsPlan, DocumentsPolicy, OpenDocuments, Outside,
};
use glyph_ledger::migrate::{Consent, Inputs, Silent};
use glyph_ledger::target::documents::Tree;
use glyph_ledger::trust::FilePins;

use super::{make, probe};
use crate::error::{Error, at};
use crate::history::signer;

/// What is done with the documents.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Stage {
    /// Read every file, write as many beside, exchange them and remove what came out, in a tree of their own.
    Files,
    /// Read every document's value and write it again.
    Values,
    /// Make the ledger.
    Init,
    /// Plan, and write the plan to a file.
    Plan,
    /// Read the plan and apply it.
    Apply,
}

impl Stage {
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Files => "files alone: read, keep, write beside, exchange, remove, sync",
            Self::Values => "values alone: parse and serialise",
            Self::Init => "init",
            Self::Plan => "plan",
            Self::Apply => "apply",
        }
    }

    /// Does it and returns the seconds it took, what had to be opened and closed included.
    pub(super) fn run(self, place: &Path, jobs: usize) -> Result<Duration, Error> {
        let began = Instant::now();
        match self {
            Self::Files => {
                return probe::exchanged(&other_tree(place), &place.join("kept"), jobs);
            }
            Self::Values => return probe::values(&tree(place), jobs),
            Self::Init => {
                drop(Documents::init(
                    open(place, jobs)?,
                    Begins::default(),
                    &signer(),
                    &mut FixedRandom::new([3; 32]),
                )?);
            }
            Self::Plan => {
                let mut documents = Documents::open(open(place, jobs)?)?;
                let plan = documents::plan(&mut documents, None, policy())?;
                let text = plan.to_json().map_err(glyph_ledger::migrate::MigrateError::from)?;
                let path = plan_file(place);
                std::fs::write(&path, text).map_err(at(&path))?;
            }
            Self::Apply => {
                let plan = DocumentsPlan::load(&plan_file(place));
                let plan = plan.map_err(glyph_ledger::migrate::MigrateError::from)?;
                let mut documents = Documents::open(open(place, jobs)?)?;
                let inputs = Inputs { clock_ms: 0, seed: [0; 32] };
                let consent = Consent::default();
                documents::apply(&mut documents, plan, &consent, inputs, &signer(), &mut Silent)?;
            }
        }
        Ok(began.elapsed())
    }
}

/// Where the documents lie.
pub(super) fn tree(place: &Path) -> PathBuf {
    place.join("tree")
}

/// Where the same documents lie once more, for the files alone.
pub(super) fn other_tree(place: &Path) -> PathBuf {
    place.join("other")
}

fn plan_file(place: &Path) -> PathBuf {
    place.join("plan.json")
}

const fn policy() -> DocumentsPolicy {
    DocumentsPolicy { allow_loss: false, allow_programs: false, parameters: BTreeMap::new() }
}

/// The same as on the command line: the ledger beside the documents, heads remembered in files.
fn open(place: &Path, jobs: usize) -> Result<OpenDocuments, Error> {
    let pins = Arc::new(FilePins::new(place.join("pins"), place.join("places")));
    Ok(OpenDocuments {
        tree: Tree::new(tree(place)),
        ledger: tree(place).join(".glyph-ledger"),
        contracts: vec![make::contract()?],
        outside: Outside::default(),
        jobs,
        surroundings: Surroundings { clock: Arc::new(SystemClock), pins, wait: Duration::ZERO },
    })
}
