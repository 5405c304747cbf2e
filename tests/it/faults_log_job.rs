//! A whole job over a log that fails at any of its writes and reads: what is resumed comes to the very
//! events that an undisturbed job comes to.

use glyph_ledger::ledger::Ledger;
use glyph_ledger::log::faulty::{Faults, Medium, WriteFault};
use glyph_ledger::log::{Batch, Log as _, ReadLog as _};
use glyph_ledger::migrate::{MigrateError, OpenStore, Silent, Store, resume};
use ledger_format::hash::{CommitHash, EventId, NodeHash};
use ledger_format::tree::Frontier;

use crate::faults_log::registered;
use crate::job_scene::{Scene, migrate, signer};

#[test]
fn a_job_on_a_failing_log_ends_as_if_undisturbed() {
    let home = tempfile::tempdir().unwrap();
    let adopted = Scene::adopted(&home.path().join("adopted"));
    let history: Vec<Batch> =
        adopted.open_ledger().batches(0..u64::MAX).map(Result::unwrap).collect();
    let (expected, failures) = job(&adopted, home.path(), &history, Faults::NONE, None);
    assert_eq!(failures, 0);
    // A log in a folder and one in memory hold the same events in the end.
    let usual = adopted.copy_to(&home.path().join("usual"));
    migrate(&mut usual.open().unwrap(), "2", &mut Silent).unwrap();
    let usual = usual.outcome();
    assert_eq!((usual.root, usual.certificates), expected);

    let faults = [
        (WriteFault::Stops { pieces: 0 }, None),
        (WriteFault::Stops { pieces: 1 }, None),
        (WriteFault::Stops { pieces: 99 }, None),
        (WriteFault::Stops { pieces: 99 }, Some(1)),
        (WriteFault::Unanswered, Some(0)),
    ];
    for (fault, cut) in faults {
        let writes = (0..).take_while(|nth| {
            let faults = Faults { write: Some((*nth, fault)), ..Faults::NONE };
            let (outcome, failures) = job(&adopted, home.path(), &history, faults, cut);
            assert_eq!(outcome, expected, "{faults:?}, {cut:?}");
            assert!(failures <= 1, "{faults:?}, {cut:?}: {failures} failures");
            failures == 1
        });
        assert!(writes.count() >= 4, "the job has fewer writes than it is known to have");
    }
    let mut refused = 0;
    for nth in 0..12 {
        let faults = Faults { read: Some(nth), ..Faults::NONE };
        let (outcome, failures) = job(&adopted, home.path(), &history, faults, None);
        assert_eq!(outcome, expected, "{faults:?}");
        refused += failures;
    }
    assert!(refused > 3, "only {refused} reads were met");
}

/// Takes a copy of the adopted store from version 1 to 2 over a log that fails once, and goes on after
/// the failure until it is done. The root over all events, the certificates, and the number of failures.
fn job(
    adopted: &Scene,
    home: &std::path::Path,
    history: &[Batch],
    faults: Faults,
    cut: Option<usize>,
) -> ((NodeHash, Vec<CommitHash>), u64) {
    let scene = adopted.copy_to(&home.join("job"));
    let medium = medium(history);
    let mut failures = 0;
    let outcome = loop {
        let faults = if failures == 0 { faults } else { Faults::NONE };
        match go_on(&scene, &medium, faults) {
            Ok(outcome) => break outcome,
            Err(error) => {
                registered(&error);
                failures += 1;
                if let Some(kept) = cut {
                    medium.cut_power(kept);
                }
            }
        }
    };
    std::fs::remove_dir_all(scene.home()).unwrap();
    (outcome, failures)
}

/// From wherever the store is to version 2.
fn go_on(
    scene: &Scene,
    medium: &Medium,
    faults: Faults,
) -> Result<(NodeHash, Vec<CommitHash>), MigrateError> {
    let OpenStore { site, ledger: dir, contract, surroundings } = scene.open_store();
    let wait = surroundings.wait;
    let ledger = Ledger::open_on(Box::new(medium.open(faults)), &dir, &dir, surroundings)?;
    let mut store = Store::open_with(site, contract, ledger, wait)?;
    if store.pending().is_some() {
        resume(&mut store, &signer(), &mut Silent)?;
    } else if store.ledger().state().store().version != "2" {
        migrate(&mut store, "2", &mut Silent)?;
    }
    let issued = &store.ledger().state().certificates().issued;
    let certificates = issued.iter().map(|issued| issued.certificate).collect();
    Ok((store.ledger().head().head().root, certificates))
}

/// A medium that holds `history`.
fn medium(history: &[Batch]) -> Medium {
    let medium = Medium::new(history[0].head.head().ledger);
    let mut log = medium.open(Faults::NONE);
    let mut frontier = Frontier::new();
    for batch in history {
        for event in &batch.events {
            frontier.push(NodeHash::leaf(EventId::of(event)));
        }
        log.append(batch.first_seq, batch, &frontier).unwrap();
    }
    assert_eq!(log.tip().unwrap().unwrap().size(), frontier.size());
    medium
}
