//! A selection of attacks, tried on a copy of somebody's own ledger.

use std::fs;
use std::io;
use std::path::Path;

use ledger_format::hash::EventId;

use super::{Attack, FolderAttack, FolderCopy, Row, Stored, Truth, selection, try_out};
use crate::ledger::{MemoryPins, Pin, PinError, Pins};
use crate::log::ReadError;
use crate::log::sled::{Anchor, OpenError, OpenOptions, SledLog, copy_for_reading, read_anchor};
use crate::verify::{
    Expectations, Fault, Folders, Options, Unobserved, VerifyError, verify, verify_folder,
};

/// Events of the ledger that are bent in memory: its first ones. Each attack has them all judged.
const EVENTS_MAX: u64 = 2_000;

/// Bytes of stores that may be copied for one kind of attack on files: each has a copy judged.
const COPIED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What the attacks on a copy came to.
#[derive(Debug)]
pub struct Tried {
    /// Events that were bent in memory.
    pub events: u64,
    /// One a kind of attack.
    pub rows: Vec<Row>,
}

/// Attacks that were not tried.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// The ledger is not good as it is.
    #[error("the ledger is not good as it is: {0}")]
    NotGood(Box<Fault>),
    /// There are no whole batches to bend.
    #[error("the ledger holds no whole batch")]
    Nothing,
    /// The ledger could not be copied.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The copy could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The copy could not be judged.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// What is remembered of the copy.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The operating system failed.
    #[error("bending a copy: {0}")]
    Io(#[from] io::Error),
}

/// Tries every kind of attack on copies of the ledger in `at`, each in at most `ways` ways that are drawn from `seed`. The ledger
/// must be the one that `pins` remember and the user named. It is read under a shared lock while it is copied, and not touched.
pub fn try_selection(
    at: Folders<'_>,
    pins: &dyn Pins,
    ways: u64,
    seed: u64,
) -> Result<Tried, SelectionError> {
    let Folders { dir, wait, .. } = at;
    // Told of the ledger itself, not of a copy.
    let judged = verify_folder(at, pins, Options::default(), &mut Unobserved)?;
    if let Some(fault) = judged.report.first() {
        return Err(SelectionError::NotGood(Box::new(fault.clone())));
    }
    let folder = tempfile::Builder::new().prefix("glyph-ledger-self-test.").tempdir()?;
    let options = OpenOptions { wait, ..OpenOptions::default() };
    let read = folder.path().join("read");
    copy_for_reading(dir, &read, &options)?;
    let place = folder.path().join("bent");
    fs::create_dir(&place)?;
    copy_for_reading(dir, &place.join("ledger"), &options)?;
    let mut tried = in_memory(&SledLog::open(&read, &options)?, ways, seed)?;
    tried.rows.extend(in_files(&place, ways, seed)?);
    folder.close()?;
    Ok(tried)
}

fn in_memory(log: &SledLog, ways: u64, seed: u64) -> Result<Tried, SelectionError> {
    let whole = Stored::copy(log, EVENTS_MAX)?.ok_or(SelectionError::Nothing)?;
    let last = whole.batches().pop().ok_or(SelectionError::Nothing)?;
    let event = last.events.last().ok_or(SelectionError::Nothing)?;
    let head = last.head;
    let events = head.head().size;
    let remembered = Expectations {
        anchor: Some(Anchor { head: head.clone(), last: EventId::of(event), last_at: 0 }),
        pin: Some(Pin::own(head)),
        ..Expectations::default()
    };
    let report = verify(&whole, &remembered, Options::default(), &mut Unobserved)?;
    let truth = Truth::of(&report).ok_or(SelectionError::Nothing)?;
    let rows = Attack::ALL.into_iter().map(|attack| {
        let numbers = selection(attack.ways(&whole), ways, seed);
        try_out(attack, &whole, &remembered, &truth, &numbers)
    });
    Ok(Tried { events, rows: rows.collect() })
}

fn in_files(place: &Path, ways: u64, seed: u64) -> Result<Vec<Row>, SelectionError> {
    let dir = place.join("ledger");
    let anchor = read_anchor(&dir)?.anchor;
    let pins = MemoryPins::default();
    pins.set_ledger_at(place, &anchor.head.head().ledger)?;
    pins.set(&Pin::own(anchor.head))?;
    let copy = FolderCopy { dir, place: place.to_owned(), pins };
    let truth = Truth::of(&copy.judge()?).ok_or(SelectionError::Nothing)?;
    let bytes = fs::metadata(copy.dir.join("sled/db"))?.len();
    let affordable = (COPIED_BYTES_MAX / bytes.max(1)).clamp(1, ways.max(1));
    let try_out = |attack| {
        let numbers = selection(copy.ways(attack)?, affordable, seed);
        copy.try_out(attack, &truth, &numbers)
    };
    Ok(FolderAttack::ALL.into_iter().map(try_out).collect::<io::Result<_>>()?)
}
