//! A `.glyph` store of version 1 made, migrated to version 3, and rolled back, from Rust.
//!
//! `cargo run --example migrate`

use std::sync::Arc;
use std::time::Duration;

use glyph_ledger::effects::{Clock as _, Random as _, SystemClock, SystemRandom};
use glyph_ledger::ledger::{Begins, Cursor, MemoryPins, Surroundings};
use glyph_ledger::migrate::{
    Consent, InitOptions, Inputs, OpenStore, Policy, RollbackOptions, Silent, apply, init, plan,
    rollback,
};
use glyph_ledger::target::glyph_store::{Layout, built_in_contract};
use glyph_ledger::trust::create_key;

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let layout = Layout::new(folder.path().join(".glyph"));
    let signer = Arc::new(create_key(&folder.path().join("key.pem"), &mut SystemRandom)?);
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        pins: Arc::new(MemoryPins::default()),
        wait: Duration::ZERO,
    };
    let ledger = layout.ledger();
    let open =
        OpenStore { site: layout.into(), ledger, contract: built_in_contract()?, surroundings };
    let project = "example".into();
    let options = InitOptions {
        open,
        project,
        baseline: None,
        begins: Begins::default(),
        signer: signer.clone(),
    };
    let (mut store, adoption) = init(options, &mut SystemRandom)?;
    println!("ledger {} holds a store of version {}", adoption.ledger, adoption.version);

    let inputs = Inputs { clock_ms: SystemClock.now_ms(), seed: SystemRandom.bytes32()? };
    for version in ["2", "3"] {
        let plan = plan(&mut store, Some(version), Policy::default())?;
        println!("plan {} loses {:?}", plan.id.short(), plan.loss);
        let consent = Consent(Some(plan.id.to_string()));
        let report = apply(&mut store, &plan, &consent, inputs, &*signer, &mut Silent)?;
        println!("{} → {}: certificate {}", report.from, report.to, report.certificate);
    }

    let before: Cursor = "@-1".parse()?;
    let size = store.ledger().resolve(&before)?;
    let options = RollbackOptions::default();
    let report = rollback(&mut store, size, options, inputs, &*signer, &mut Silent)?;
    println!("rolled back: {report:?}");
    Ok(())
}
