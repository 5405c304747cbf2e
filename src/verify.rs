//! The judge: whether a ledger is what was signed, and whether that is all of it.
//!
//! Reads a log through two questions, where it ends and which batches it holds, and derives
//! everything else anew from their bytes: ids, links, roots, signatures, legality, state digests.
//! Shares nothing with the writer but the format and the folds. Knows no engine except to have its
//! folder copied, believes no cache, signs nothing, repairs nothing and never writes into a ledger.

mod audit;
mod compare;
mod decoded;
mod fault;
mod folder;
mod judge;
mod live;
mod objects;
mod signature;

use std::ops::Range;
use std::path::PathBuf;

use ledger_format::body::Continues;
use ledger_format::hash::{KeyId, LedgerId};
use ledger_format::head::SignedHead;
use projections::{KeyRing, State};

use crate::ledger::{KnownBy, KnownHead, Pin, PinError};
use crate::log::sled::{Anchor, OpenError};
use crate::log::{Batch, ReadError, ReadLog};
use crate::objects::Objects;
use judge::Judge;

pub use audit::{AuditRecords, AuditTextError, audit_text};
pub use fault::Fault;
pub use folder::{FolderReport, Folders, verify_folder};
pub use live::{Change, Difference, Live, LiveError, compare_live};

/// What a ledger is compared with. Nothing here is believed to be complete or even true: each part
/// is checked against the events, and says what it can.
#[derive(Debug, Clone, Default)]
pub struct Expectations {
    /// The ledger it must be; without it, the one its first event says it is.
    pub ledger: Option<LedgerId>,
    /// The newest acknowledged head, from the ledger's own folder.
    pub anchor: Option<Anchor>,
    /// The head remembered outside the store.
    pub pin: Option<Pin>,
    /// Heads that the user named.
    pub named: Vec<KnownHead>,
    /// The place where the ledger lies, and the ledger known to lie there.
    pub place: Option<(PathBuf, LedgerId)>,
}

impl Expectations {
    /// That a head is in it which the user trusts, if there is one, and nothing else.
    #[must_use]
    pub fn trusting(head: Option<SignedHead>) -> Self {
        Self { named: head.map(KnownHead::trusted).into_iter().collect(), ..Self::default() }
    }
}

/// How to verify.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Where stored content lies, to check that everything events refer to is there and whole.
    pub objects: Option<&'a dyn Objects>,
    /// Whether to go on after the first fault and collect the others. Legality is judged up to the
    /// first fault only: beyond it there is no state to judge by.
    pub keep_going: bool,
}

/// Is told how far a verification is.
pub trait Observer {
    /// `done` of `total` events are judged; `total` is `None` when nobody knows yet.
    fn progress(&mut self, done: u64, total: Option<u64>);
}

/// Looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn progress(&mut self, _done: u64, _total: Option<u64>) {}
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// The ledger; `None` when there was not even a first event.
    pub ledger: Option<LedgerId>,
    /// Number of events read.
    pub size: u64,
    /// Number of batches read.
    pub batches: u64,
    /// The head over the longest good prefix: everything up to it is what was signed, in order and
    /// legal. `None` when nothing is.
    pub good: Option<SignedHead>,
    /// What is wrong, in the order found; the first is the first bad place. Without
    /// [`Options::keep_going`] those of one place only.
    pub faults: Vec<Fault>,
    /// The verdict.
    pub outcome: Outcome,
    /// Objects checked, if they were.
    pub objects: Option<ObjectCount>,
    /// Every recorded state of append-only files, in order, as far as the good prefix goes.
    pub audit: AuditRecords,
    /// The fold over all events, when all of them are good.
    pub state: Option<State>,
    /// Every head that was known, and whether the ledger agrees with it.
    pub compared: Vec<Compared>,
    /// Whether the log was read to its end.
    pub heard_all: bool,
    /// Who signed which of the events that signed heads vouch for, in order.
    pub signed: Vec<Signed>,
    /// The keys as far as they are known.
    pub keys: KeyRing,
    /// The ledger that this one goes on from, by what its first event says.
    pub continues: Option<Continues>,
}

/// A head that the ledger was held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// Who knows it.
    pub by: KnownBy,
    /// Number of events it covers.
    pub size: u64,
    /// Whether the ledger agrees; `None` where what is wrong before it keeps that from being told.
    pub agrees: Option<bool>,
}

/// Events that one key signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The key.
    pub key: KeyId,
    /// The events.
    pub seqs: Range<u64>,
}

/// The verdict on a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything holds, and nothing is missing up to `known`.
    Complete {
        /// The head that was known from outside.
        known: KnownHead,
    },
    /// Everything holds together; whether its end was cut off cannot be told.
    ConsistentOnly,
    /// [`Report::faults`] is not empty.
    Failed,
}

/// How much stored content was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ObjectCount {
    /// Distinct objects that are there and whole.
    pub good: u64,
    /// Distinct objects that are missing or damaged.
    pub bad: u64,
    /// Images of databases that were pruned and are not all there: nothing is wrong with that.
    pub pruned: u64,
}

/// A verification that did not come to a verdict.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no ledger, and none is known to have been there.
    #[error("there is no ledger in {}", dir.display())]
    NothingHere {
        /// The folder.
        dir: PathBuf,
    },
    /// The log's storage failed.
    #[error(transparent)]
    Read(ReadError),
    /// The ledger's folder could not be copied: in use, no space, no permission.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// What is remembered cannot be read.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The operating system failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What it said.
        source: std::io::Error,
    },
}

/// Judges all of `source` and compares it with `expectations`.
pub fn verify(
    source: &dyn ReadLog,
    expectations: &Expectations,
    options: Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Report, VerifyError> {
    let (total, damaged) = match source.tip() {
        Ok(tip) => (tip.map(|tip| tip.size()), None),
        Err(error) => (None, Some(read_fault(error)?)),
    };
    let mut judge = Judge::new(expectations, options);
    let batches = source.read(0..u64::MAX).map(|batch| batch.map_err(stop));
    judge.hear(batches, total, observer)?;
    let mut report = judge.conclude(total);
    report.accuse(damaged);
    Ok(report)
}

/// Judges batches from anywhere, an export for one.
pub(crate) fn verify_batches(
    batches: impl Iterator<Item = Result<Batch, Stop>>,
    expectations: &Expectations,
    options: Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Report, VerifyError> {
    let mut judge = Judge::new(expectations, options);
    judge.hear(batches, None, observer)?;
    Ok(judge.conclude(None))
}

/// Why there are no more batches.
#[derive(Debug)]
pub(crate) enum Stop {
    /// What comes next is damaged.
    Fault(Fault),
    /// It could not be read.
    Error(VerifyError),
}

fn stop(error: ReadError) -> Stop {
    match read_fault(error) {
        Ok(fault) => Stop::Fault(fault),
        Err(error) => Stop::Error(error),
    }
}

fn read_fault(error: ReadError) -> Result<Fault, VerifyError> {
    match error {
        ReadError::Damaged { seq, reason } => Ok(Fault::Unreadable { seq, reason }),
        error @ ReadError::Io { .. } => Err(VerifyError::Read(error)),
    }
}

impl Report {
    /// The first bad place.
    pub fn first(&self) -> Option<&Fault> {
        self.faults.first()
    }

    /// Puts what was found before the events were read in front of what was found in them.
    fn accuse(&mut self, faults: impl IntoIterator<Item = Fault>) {
        let found = std::mem::take(&mut self.faults);
        self.faults.extend(faults);
        if !self.faults.is_empty() {
            self.outcome = Outcome::Failed;
        }
        // That nothing is there goes without saying where it was said why.
        let explained = |fault: &Fault| *fault == Fault::Empty && !self.faults.is_empty();
        let found: Vec<Fault> = found.into_iter().filter(|fault| !explained(fault)).collect();
        self.faults.extend(found);
    }

    /// What was signed with keys that were revoked, from the event on since which their owners may not have been the ones who
    /// signed.
    pub fn suspect(&self) -> Vec<Signed> {
        let since = |key: &KeyId| self.keys.known(key)?.ended.as_ref()?.suspect_since;
        let suspect = |signed: &Signed| {
            let start = signed.seqs.start.max(since(&signed.key)?);
            let seqs = start..signed.seqs.end;
            (!seqs.is_empty()).then_some(Signed { key: signed.key, seqs })
        };
        self.signed.iter().filter_map(suspect).collect()
    }

    /// Number of events in the longest good prefix.
    pub fn good_size(&self) -> u64 {
        self.good.as_ref().map_or(0, |head| head.head().size)
    }
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { objects, keep_going } = self;
        write!(f, "Options(objects: {}, keep_going: {keep_going})", objects.is_some())
    }
}
