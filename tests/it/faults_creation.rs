//! Stores made, and stores taken into care, on a disk that fails.

use std::fs;
use std::io::ErrorKind;

use glyph_ledger::diagnostic::{ALREADY_HERE, Failure};

use crate::faults_rig::{Campaign, Heard};
use crate::job_scene::Scene;

#[test]
fn l2_an_adoption_survives_every_fault() {
    let campaign = Campaign {
        name: "adopt",
        prepare: |scene| drop(Scene::created(scene.home())),
        act: init,
        go_on: |scene| go_on(scene, |_| {}),
        same_events: true,
        changes_min: 50,
    };
    campaign.run();
}

#[test]
fn l2_a_creation_survives_every_fault() {
    let campaign = Campaign {
        name: "create",
        prepare: |_| {},
        act: init,
        go_on: |scene| go_on(scene, remove_parts),
        same_events: false,
        changes_min: 80,
    };
    campaign.run();
}

fn init(scene: &Scene) -> Heard {
    match scene.init() {
        Ok((store, _)) => Heard::of(store.ledger(), Ok(())),
        Err(error) => Heard::nothing(error.into()),
    }
}

/// The same command again, until it says that there is nothing left to do.
fn go_on(scene: &Scene, advised: fn(&Scene)) -> Result<(), Failure> {
    if scene.open().is_ok_and(|store| store.ledger().state().store().contract.is_some()) {
        return Ok(());
    }
    match scene.init().map_err(Failure::from) {
        Err(failure) if failure.code.id == ALREADY_HERE.id => {
            advised(scene);
            scene.init().map(drop).map_err(Failure::from)
        }
        done => done.map(drop),
    }
}

/// What is advised where a store was cut short while it was being made: it holds nothing yet.
fn remove_parts(scene: &Scene) {
    assert!(!scene.layout().manifest().exists(), "a store with a manifest is no part of one");
    match fs::remove_dir_all(scene.layout().root()) {
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
}
