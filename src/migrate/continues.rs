//! Going on from a ledger that cannot be gone on with: a copy that is older than what is remembered, or one of which only a head is
//! left. The store gets a new ledger, whose first event names the old one; nothing of the old one is touched.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger_format::body::Continues;
use ledger_format::hash::LedgerId;

use crate::ledger::{Begins, Ledger, LedgerError, MemoryPins, Pins};
use crate::verify::{Fault, Folders, Options, Unobserved, VerifyError, verify_folder};

use super::MigrateError;

/// A ledger that none can go on from.
#[derive(Debug, thiserror::Error)]
pub enum ContinueError {
    /// It did not come to a verdict.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// It is not what was signed.
    #[error("{}: {fault}", dir.display())]
    Fault {
        /// Its folder.
        dir: PathBuf,
        /// What is wrong first.
        fault: Box<Fault>,
    },
}

/// The ledger in the folder `dir`, as a first event names it: with the newest head of what is there. It must be what was signed; that it
/// is all there was is what cannot be shown of it.
pub fn continued(dir: &Path, wait: Duration) -> Result<Continues, ContinueError> {
    let at = Folders { dir, place: dir, wait };
    let nobody = MemoryPins::default();
    let report = verify_folder(at, &nobody, Options::default(), &mut Unobserved)?.report;
    match (report.faults.into_iter().next(), report.good) {
        (None, Some(good)) => {
            let head = good.head();
            Ok(Continues { ledger: head.ledger, size: head.size, root: head.root })
        }
        (fault, _) => {
            let (dir, fault) = (dir.to_owned(), Box::new(fault.unwrap_or(Fault::Empty)));
            Err(ContinueError::Fault { dir, fault })
        }
    }
}

/// The ledger that must be opened, not made, at `place`: the one that lies in `dir`, or that is known to have lain there and is not
/// the one gone on from.
pub(super) fn known_here(
    dir: &Path,
    place: &Path,
    begins: &Begins,
    pins: &dyn Pins,
) -> Result<bool, MigrateError> {
    let known = pins.ledger_at(place).map_err(LedgerError::Pin)?;
    let before: Option<LedgerId> = begins.continues.as_ref().map(|before| before.ledger);
    Ok(dir.exists() || (known.is_some() && known != before))
}

/// Refuses a ledger that is there already and did not begin so.
pub(super) fn must_begin(ledger: &Ledger, begins: &Begins) -> Result<(), MigrateError> {
    if *begins == Begins::default() || ledger.begins().map_err(LedgerError::from)? == *begins {
        return Ok(());
    }
    Err(MigrateError::BegunOtherwise { dir: ledger.dir().to_owned() })
}
