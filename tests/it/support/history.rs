//! A ledger with a little of everything: a store adopted, a run that was aborted, a run that came to
//! its end. Key, nonce and clock are fixed, so that every hash in it is.

use std::sync::Arc;

use glyph_ledger::effects::{FixedClock, FixedRandom};
use glyph_ledger::ledger::{Ledger, Surroundings, place_of};
use glyph_ledger::trust::{FilePins, Home, create_key};
use ledger_format::body::{
    Body, Cause, ContractFrozen, FixedBytes, ObjectMigrated, ObjectObserved, ObjectState, Origin,
    Purpose, RunAborted, RunCommitted, RunPublished, RunStarted, StoreAdopted, Verdict,
};
use ledger_format::cbor::Value;
use ledger_format::hash::{CommitHash, ContentHash};

use super::Place;

const AT_MS: u64 = 1_700_000_000_000;
const MANIFEST: &str = "manifest.yaml";

/// Makes the ledger `.glyph-ledger` in `place`, and lets go of it.
pub(crate) fn a_history(place: &Place) {
    let home = Home::below(&place.home());
    let signer = create_key(&home.key_file(), &mut FixedRandom::new([1; 32])).unwrap();
    let surroundings = Surroundings {
        clock: Arc::new(FixedClock(AT_MS)),
        pins: Arc::new(FilePins::new(home.pins(), home.places())),
        wait: std::time::Duration::ZERO,
    };
    let dir = place.work().join(".glyph-ledger");
    let mut ledger =
        Ledger::create(&dir, &place_of(&dir).unwrap(), &signer, [2; 16], surroundings).unwrap();
    let mut append = |bodies: Vec<Body>| {
        let appended = ledger.append(&signer, bodies).unwrap();
        (appended.last().unwrap().id, ledger.state().certificates().open_certificate())
    };
    append(vec![
        ObjectObserved { object: MANIFEST.into(), cause: Cause::Baseline, state: manifest("1") }
            .into(),
        StoreAdopted {
            contract: "glyph-store".into(),
            version: "1".into(),
            origin: Origin::Adopted,
            objects: 1,
            open: false,
        }
        .into(),
        ContractFrozen {
            contract: "glyph-store".into(),
            contract_version: "1.0.0".into(),
            digest: digest("contract"),
            bundle: ContentHash::of(b"bundle"),
        }
        .into(),
    ]);
    let (run, _) = append(vec![started().into()]);
    // A message that a terminal would obey.
    let message = "no such table: \u{1b}[2Jgone".into();
    append(vec![RunAborted { run, code: "STEP_FAILED".into(), message }.into()]);
    let (run, _) = append(vec![started().into()]);
    let (_, certificate) = append(vec![migrated(run).into()]);
    append(vec![RunCommitted { run, certificate, places: 1, audit: None }.into()]);
    append(vec![RunPublished { run, places: 1, audit: None }.into()]);
}

fn started() -> RunStarted {
    RunStarted {
        purpose: Purpose::Migrate,
        plan: digest("plan"),
        contract: Some(digest("contract")),
        from: "1".into(),
        to: "2".into(),
        to_size: None,
        policy: digest("policy"),
        clock_ms: AT_MS,
        seed: FixedBytes([9; 32]),
        environment: ContentHash::of(b"environment"),
        objects: 1,
        accepted_loss: Some(digest("plan")),
        changes: None,
    }
}

fn migrated(run: ledger_format::hash::EventId) -> ObjectMigrated {
    ObjectMigrated {
        run,
        object: MANIFEST.into(),
        route: None,
        operator: "Glyphser.Migrate.Manifest".into(),
        source: manifest("1"),
        target: manifest("2"),
        loss: digest("loss"),
        lost: 2,
        reads_inputs: false,
        loss_list: Some(ContentHash::of(b"losses")),
        verdicts: [("deterministic".to_owned(), Verdict::True)].into(),
        renamed: Vec::new(),
    }
}

fn manifest(version: &str) -> ObjectState {
    let text = format!("store:\n  version: {version}\n");
    let bytes = text.len() as u64;
    ObjectState::Document { content: ContentHash::of(text.as_bytes()), bytes, mode: 0o644 }
}

fn digest(of: &str) -> CommitHash {
    CommitHash::of("test", &Value::from(of))
}
