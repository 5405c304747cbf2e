//! A ledger's folder, judged without touching it: the engine writes whenever it opens a store, so
//! what is opened is a copy, made under a shared lock and gone afterwards. What the engine does not
//! open is read as raw bytes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger_format::head::TreeHead;

use super::{Expectations, Fault, Observer, Options, Report, VerifyError, verify, verify_batches};
use crate::ledger::Pins;
use crate::log::sled::{
    AnchorReading, OpenError, OpenOptions, Salvage, SalvagedLog, SledLog, copy_for_reading,
    read_anchor, read_identity,
};

/// Memory for the engine's pages of a copy that is read once from beginning to end, in bytes.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// Which ledger to judge.
#[derive(Debug, Clone, Copy)]
pub struct Folders<'a> {
    /// The ledger's folder.
    pub dir: &'a Path,
    /// The folder under which it is known to [`Pins`].
    pub place: &'a Path,
    /// How long to wait for a writer's lock.
    pub wait: Duration,
}

/// What was found in a folder.
#[derive(Debug)]
pub struct FolderReport {
    /// The verdict, the folder's own files included.
    pub report: Report,
    /// The newest acknowledged head. A ledger that holds more has a tail that a crash kept from
    /// being acknowledged; the next opening takes it in.
    pub anchored: Option<TreeHead>,
    /// What raw bytes still held, where the engine could not open the store.
    pub salvage: Option<Salvage>,
}

/// Judges the ledger in `at.dir`, compares it with its anchor, with what `pins` remember and with what the
/// user named, and changes nothing there.
pub fn verify_folder(
    at: Folders<'_>,
    pins: &dyn Pins,
    options: Options<'_>,
    observer: &mut dyn Observer,
) -> Result<FolderReport, VerifyError> {
    let dir = at.dir;
    let known = pins.ledger_at(at.place)?;
    if known.is_none() && !dir.exists() {
        return Err(VerifyError::NothingHere { dir: dir.to_owned() });
    }
    let place = known.map(|ledger| (at.place.to_owned(), ledger));
    let ledger = match read_identity(dir) {
        Ok(identity) => identity.ledger(),
        Err(error) => {
            let expectations = Expectations { place, ..Expectations::default() };
            return refused(&expectations, options, part_fault(error)?, observer);
        }
    };
    let mut faults = Vec::new();
    let anchor = match read_anchor(dir) {
        Ok(AnchorReading { anchor, fault }) => {
            faults.extend(
                fault
                    .map(|fault| Fault::Part { path: dir.join("HEAD"), reason: fault.to_string() }),
            );
            Some(anchor)
        }
        Err(error) => {
            faults.push(part_fault(error)?);
            None
        }
    };
    let anchored = anchor.as_ref().map(|anchor| *anchor.head.head());
    let pin = pins.get(&ledger)?;
    let named = pins.named().to_vec();
    let expectations = Expectations { ledger: Some(ledger), anchor, pin, named, place };
    let source = Source { dir, wait: at.wait };
    let (mut report, salvage) = source.judge(&expectations, options, &mut faults, observer)?;
    report.accuse(faults);
    Ok(FolderReport { report, anchored, salvage })
}

struct Source<'a> {
    dir: &'a Path,
    wait: Duration,
}

impl Source<'_> {
    fn judge(
        &self,
        expectations: &Expectations,
        options: Options<'_>,
        faults: &mut Vec<Fault>,
        observer: &mut dyn Observer,
    ) -> Result<(Report, Option<Salvage>), VerifyError> {
        let copies = tempfile::Builder::new().prefix("glyph-ledger-verify.").tempdir();
        let io = |source| VerifyError::Io { what: "making a folder for a copy".to_owned(), source };
        let copies = copies.map_err(io)?;
        let copy = copies.path().join("ledger");
        let opened = copy_for_reading(self.dir, &copy, &self.options())
            .and_then(|()| SledLog::open(&copy, &self.options()));
        let judged = match opened {
            Ok(log) => (verify(&log, expectations, options, observer)?, None),
            Err(error) => {
                let error = at_home(error, &copy, self.dir);
                self.judge_raw(error, expectations, options, faults, observer)?
            }
        };
        let io = |source| VerifyError::Io { what: "removing the copy".to_owned(), source };
        copies.close().map_err(io)?;
        Ok(judged)
    }

    /// Judges what raw bytes still hold of a store that was refused with `error`.
    fn judge_raw(
        &self,
        error: OpenError,
        expectations: &Expectations,
        options: Options<'_>,
        faults: &mut Vec<Fault>,
        observer: &mut dyn Observer,
    ) -> Result<(Report, Option<Salvage>), VerifyError> {
        // An end before or beside the anchor shows again when the heads are compared.
        let ends_elsewhere =
            matches!(error, OpenError::Regressed { .. } | OpenError::Forked { .. });
        let told = error.to_string();
        let refusal = part_fault(error)?;
        if !ends_elsewhere && !faults.contains(&refusal) {
            faults.push(refusal);
        }
        let salvaged = match SalvagedLog::read_raw(self.dir, &self.options()) {
            Ok(salvaged) => salvaged,
            Err(error) => {
                let fault = part_fault(error)?;
                if !faults.contains(&fault) {
                    faults.push(fault);
                }
                let report = verify_batches(std::iter::empty(), expectations, options, observer)?;
                return Ok((report, None));
            }
        };
        let salvage = salvaged.salvage().clone();
        let report = verify(&salvaged, expectations, options, observer)?;
        if !ends_elsewhere && salvage.size < promised(&salvage, expectations) {
            let Salvage { size: seq, reason, .. } = salvage.clone();
            faults.push(Fault::Unreadable { seq, reason });
        }
        if let Some(fault) = contradicted(&salvage) {
            faults.push(fault);
        }
        if ends_elsewhere && report.faults.is_empty() {
            faults.push(Fault::Part { path: self.dir.to_owned(), reason: told });
        }
        Ok((report, Some(salvage)))
    }

    fn options(&self) -> OpenOptions {
        OpenOptions { wait: self.wait, cache_bytes: CACHE_BYTES, ..OpenOptions::default() }
    }
}

/// What is wrong where every event was found that the newest head was signed over, and they are not
/// those. The engine takes such an end for a write that was cut short, and drops it.
fn contradicted(salvage: &Salvage) -> Option<Fault> {
    let good = salvage.head.map_or(0, |head| head.size);
    let seen = salvage.newest_seen.filter(|seen| good < seen.size && seen.size <= salvage.size)?;
    let reason = format!(
        "the events found from here on do not lead to root {}, signed over {} events",
        seen.root, seen.size
    );
    Some(Fault::Unreadable { seq: good, reason })
}

/// Number of events that some head, found or anchored, says there were.
fn promised(salvage: &Salvage, expectations: &Expectations) -> u64 {
    let seen = salvage.newest_seen.map_or(0, |head| head.size);
    expectations.anchor.as_ref().map_or(seen, |anchor| anchor.head.head().size.max(seen))
}

fn refused(
    expectations: &Expectations,
    options: Options<'_>,
    fault: Fault,
    observer: &mut dyn Observer,
) -> Result<FolderReport, VerifyError> {
    let mut report = verify_batches(std::iter::empty(), expectations, options, observer)?;
    report.accuse([fault]);
    Ok(FolderReport { report, anchored: None, salvage: None })
}

/// What a refusal says about the folder; those that say nothing about it are errors.
fn part_fault(error: OpenError) -> Result<Fault, VerifyError> {
    match error {
        OpenError::Missing { path, .. } => Ok(Fault::Missing { path }),
        OpenError::Damaged { path, reason, .. } => Ok(Fault::Part { path, reason }),
        OpenError::Foreign { dir, expected, found } => {
            Ok(Fault::Foreign { place: dir, expected, found: found.ledger })
        }
        OpenError::Forked { ref dir, .. } | OpenError::Regressed { ref dir, .. } => {
            Ok(Fault::Part { path: dir.clone(), reason: error.to_string() })
        }
        error @ (OpenError::Busy { .. }
        | OpenError::Exists { .. }
        | OpenError::Impossible(_)
        | OpenError::NoSpace { .. }
        | OpenError::Io { .. }) => Err(VerifyError::Folder(error)),
    }
}

/// An error about the copy, told about the folder that was copied.
fn at_home(mut error: OpenError, copy: &Path, dir: &Path) -> OpenError {
    let home = |path: &mut PathBuf| {
        if let Ok(below) = path.strip_prefix(copy) {
            *path = if below == Path::new("") { dir.to_owned() } else { dir.join(below) };
        }
    };
    match &mut error {
        OpenError::Missing { path, .. }
        | OpenError::Damaged { path, .. }
        | OpenError::Exists { path }
        | OpenError::NoSpace { path, .. }
        | OpenError::Io { path, .. } => home(path),
        OpenError::Foreign { dir, .. }
        | OpenError::Forked { dir, .. }
        | OpenError::Regressed { dir, .. }
        | OpenError::Busy { dir, .. } => home(dir),
        OpenError::Impossible(_) => {}
    }
    error
}
