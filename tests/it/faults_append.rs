//! Batches appended to a ledger on a disk that fails.

use glyph_ledger::diagnostic::Failure;
use glyph_ledger::ledger::Ledger;
use glyph_ledger::target::glyph_store::Layout;
use ledger_format::body::{Body, Cause, ObjectObserved};

use crate::faults_rig::{Campaign, Heard};
use crate::job_scene::signer;

/// Events of an adopted store.
const ADOPTED: u64 = 5;

#[test]
fn l2_a_ledger_survives_every_fault_of_an_append() {
    let campaign = Campaign {
        name: "append",
        prepare: |scene| drop(scene.init().unwrap()),
        act: |scene| match scene.try_open_ledger() {
            Ok(mut ledger) => {
                let ended = append(&mut ledger);
                Heard::of(&ledger, ended)
            }
            Err(error) => Heard::nothing(error.into()),
        },
        go_on: |scene| append(&mut scene.try_open_ledger()?),
        same_events: true,
        changes_min: 20,
    };
    campaign.run();
}

/// Makes the ledger longer by three batches, as far as it is not.
pub(crate) fn append(ledger: &mut Ledger) -> Result<(), Failure> {
    let state = ledger.state().store().objects[Layout::AUDIT].clone();
    let object = Layout::AUDIT.to_owned();
    let observed = Body::from(ObjectObserved { object, cause: Cause::DataChange, state });
    let mut end = ADOPTED;
    for events in [1, 40, 300] {
        end += events;
        if ledger.state().size() < end {
            let bodies = vec![observed.clone(); usize::try_from(events).unwrap()];
            ledger.append(&signer(), bodies)?;
        }
    }
    Ok(())
}
