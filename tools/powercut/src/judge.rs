//! What a cut left, compared with what had been acknowledged and with undisturbed work.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use glyph_ledger::objects::PackObjects;
use glyph_ledger::verify::{Folders, Options, Outcome as Verified, Unobserved, verify_folder};
use ledger_format::hash::EventId;

use crate::error::Error;
use crate::scene::{Outcome, Part, Scene};

/// What undisturbed work comes to.
pub(crate) struct Reference {
    pub(crate) ids: Vec<EventId>,
    pub(crate) outcome: Outcome,
}

/// What became of one cut.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Events that had been acknowledged.
    pub(crate) acknowledged: u64,
    /// Of these, events that are not there with the same bytes.
    pub(crate) missing: u64,
    /// Everything else that is not as promised.
    pub(crate) faults: Vec<String>,
}

impl Verdict {
    pub(crate) fn is_good(&self) -> bool {
        self.missing == 0 && self.faults.is_empty()
    }
}

impl Reference {
    /// Reads it from a scene in which the work is done.
    pub(crate) fn of(scene: &Scene) -> Result<Self, Error> {
        let ids = ids(scene)?;
        Ok(Self { ids, outcome: scene.outcome()? })
    }

    /// Judges the scene after a cut: looks for the acknowledged events, verifies the ledger with its
    /// objects, finishes the work and compares what it comes to.
    pub(crate) fn judge(&self, scene: &Scene, part: Part, acknowledged: u64) -> Verdict {
        let mut verdict = Verdict { acknowledged, ..Verdict::default() };
        // A panic is a verdict too, and must not end the rig.
        let judged = catch_unwind(AssertUnwindSafe(|| self.compare(scene, part, &mut verdict)));
        match judged {
            Ok(Ok(())) => {}
            Ok(Err(error)) => verdict.faults.push(error.to_string()),
            Err(_) => verdict.faults.push("a panic".to_owned()),
        }
        verdict
    }

    fn compare(&self, scene: &Scene, part: Part, verdict: &mut Verdict) -> Result<(), Error> {
        // Until they are found, all are missing.
        verdict.missing = verdict.acknowledged;
        let found = ids(scene)?;
        let wanted = usize::try_from(verdict.acknowledged).unwrap_or(usize::MAX);
        let kept =
            self.ids.iter().take(wanted).zip(&found).filter(|(wanted, found)| wanted == found);
        verdict.missing -= kept.count() as u64;
        verdict.faults.extend(verified(scene)?);
        scene.work(part, &mut |_| ())?;
        verdict.faults.extend(verified(scene)?);
        let outcome = scene.outcome()?;
        if outcome != self.outcome {
            let expected = &self.outcome;
            verdict.faults.push(format!("came to {outcome:?}, undisturbed to {expected:?}"));
        }
        Ok(())
    }
}

fn ids(scene: &Scene) -> Result<Vec<EventId>, Error> {
    let store = scene.open()?;
    let ids = store.ledger().events(0..u64::MAX).map(|event| Ok(event?.id));
    ids.collect()
}

/// What verification has against the ledger.
fn verified(scene: &Scene) -> Result<Vec<String>, Error> {
    let dir = scene.layout().ledger();
    let objects = PackObjects::open_read_only(&dir.join(OBJECTS))
        .map_err(glyph_ledger::migrate::MigrateError::from)?;
    let at = Folders { dir: &dir, place: &place(&dir)?, wait: Duration::ZERO };
    let options = Options { objects: Some(&objects), keep_going: false };
    let judged = verify_folder(at, &scene.pins(), options, &mut Unobserved);
    let report = match judged {
        Ok(judged) => judged.report,
        Err(error) => return Ok(vec![format!("verify-chain: {error}")]),
    };
    Ok(match report.outcome {
        Verified::Complete { .. } => Vec::new(),
        Verified::ConsistentOnly => vec!["verify-chain: completeness is not proven".to_owned()],
        Verified::Failed => {
            report.faults.iter().map(|fault| format!("verify-chain: {fault}")).collect()
        }
    })
}

/// The objects' folder in a ledger's.
const OBJECTS: &str = "objects";

fn place(dir: &Path) -> Result<std::path::PathBuf, Error> {
    glyph_ledger::ledger::place_of(dir).map_err(crate::error::at(dir))
}
