//! A ledger opened on a disk that fails: closed in order, left by a killed process, with a batch beyond
//! its anchor, and after a failed sync.

use std::fs;

use crate::faults_append::append;
use crate::faults_rig::{Campaign, Heard};
use crate::job_scene::Scene;

#[test]
fn l2_a_ledger_that_was_closed_opens_after_every_fault() {
    run("open-closed", |scene| drop(scene.init().unwrap()), 5);
}

#[test]
fn l2_a_ledger_that_was_left_open_opens_after_every_fault() {
    run("open-left", left, 12);
}

#[test]
fn l2_a_ledger_with_a_tail_opens_after_every_fault() {
    run(
        "open-tail",
        |scene| {
            drop(scene.init().unwrap());
            let anchor = scene.layout().ledger().join("HEAD");
            let before = fs::read(&anchor).unwrap();
            append(&mut scene.open_ledger()).unwrap();
            fs::write(&anchor, before).unwrap();
        },
        6,
    );
}

#[test]
fn l2_a_poisoned_ledger_opens_after_every_fault() {
    run(
        "open-poisoned",
        |scene| {
            left(scene);
            fs::write(scene.layout().ledger().join("POISONED"), "a sync failed\n").unwrap();
        },
        25,
    );
}

fn left(scene: &Scene) {
    drop(scene.init().unwrap());
    fs::remove_file(scene.layout().ledger().join("CLOSED")).unwrap();
}

fn run(name: &'static str, prepare: fn(&Scene), changes_min: u64) {
    let campaign = Campaign {
        name,
        prepare,
        act: |scene| match scene.try_open_ledger() {
            Ok(ledger) => Heard::of(&ledger, Ok(())),
            Err(error) => Heard::nothing(error.into()),
        },
        go_on: |scene| Ok(scene.try_open_ledger().map(drop)?),
        same_events: true,
        changes_min,
    };
    campaign.run();
}
