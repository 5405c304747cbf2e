//! Whole jobs on a disk that fails: plan, stage, commit, publish, and the way back.

use glyph_ledger::diagnostic::Failure;
use glyph_ledger::migrate::{MigrateError, Silent, Store, resume};

use crate::faults_rig::{Campaign, Heard};
use crate::job_scene::{Scene, go_back, migrate, signer};

/// Size of the ledger when the store had just been adopted.
const ADOPTED: u64 = 5;

#[test]
fn l2_a_migration_survives_every_fault() {
    let campaign = Campaign {
        name: "migrate",
        prepare: |scene| drop(Scene::adopted(scene.home())),
        act: |scene| act(scene, upgrade),
        go_on: |scene| go_on(scene, upgrade),
        same_events: true,
        changes_min: 100,
    };
    campaign.run();
}

#[test]
fn l2_a_rollback_survives_every_fault() {
    let campaign = Campaign {
        name: "rollback",
        prepare: |scene| drop(Scene::at_version_2(scene.home())),
        act: |scene| act(scene, back),
        go_on: |scene| go_on(scene, back),
        same_events: true,
        changes_min: 80,
    };
    campaign.run();
}

type Job = fn(&mut Store) -> Result<(), MigrateError>;

fn act(scene: &Scene, job: Job) -> Heard {
    match scene.open() {
        Ok(mut store) => {
            let ended = job(&mut store);
            Heard::of(store.ledger(), ended.map_err(Failure::from))
        }
        Err(error) => Heard::nothing(error.into()),
    }
}

/// As a person would: resume what is open, else begin.
fn go_on(scene: &Scene, job: Job) -> Result<(), Failure> {
    let mut store = scene.open()?;
    if store.pending().is_some() {
        resume(&mut store, &signer(), &mut Silent)?;
    }
    Ok(job(&mut store)?)
}

fn upgrade(store: &mut Store) -> Result<(), MigrateError> {
    match store.ledger().state().store().version.as_str() {
        "1" => migrate(store, "2", &mut Silent).map(drop),
        _ => Ok(()),
    }
}

fn back(store: &mut Store) -> Result<(), MigrateError> {
    match store.ledger().state().store().version.as_str() {
        "2" => go_back(store, ADOPTED, &mut Silent).map(drop),
        _ => Ok(()),
    }
}
