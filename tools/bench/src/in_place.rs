//! A tree of documents, planned and applied in place, with a ledger in which every source is kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use glyph_ledger::contract::registry::load_named;
use glyph_ledger::effects::{FixedRandom, SystemClock};
use glyph_ledger::ledger::{Begins, MemoryPins, Surroundings};
use glyph_ledger::migrate::documents::{self, Documents, DocumentsPolicy, OpenDocuments, Outside};
use glyph_ledger::migrate::{Consent, Inputs, Silent};
use glyph_ledger::target::documents::Tree;

use crate::error::Error;
use crate::history::signer;

/// Plans and applies the built-in contract `name` to the documents in `source`, with a ledger in `target`.
pub(crate) fn apply(name: &str, source: &Path, target: &Path, jobs: usize) -> Result<(), Error> {
    let contract = load_named(name)?;
    let pins = Arc::new(MemoryPins::default());
    let surroundings = Surroundings { clock: Arc::new(SystemClock), pins, wait: Duration::ZERO };
    let open = OpenDocuments {
        tree: Tree::new(source.to_owned()),
        ledger: target.join("ledger"),
        contracts: vec![contract],
        outside: Outside::default(),
        jobs,
        surroundings,
    };
    let mut documents =
        Documents::init(open, Begins::default(), &signer(), &mut FixedRandom::new([3; 32]))?;
    let policy =
        DocumentsPolicy { allow_loss: true, allow_programs: false, parameters: BTreeMap::new() };
    let plan = documents::plan(&mut documents, None, policy)?;
    let consent = Consent(Some(plan.id.to_string()));
    let inputs = Inputs { clock_ms: 0, seed: [0; 32] };
    documents::apply(&mut documents, plan, &consent, inputs, &signer(), &mut Silent)?;
    Ok(())
}
