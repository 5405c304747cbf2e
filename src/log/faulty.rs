//! A log that fails as it is told, for testing what is built on a log.
//!
//! What is appended goes into a [`Medium`], piece by piece: each event of a batch is one, and the head
//! that closes it another. A sync makes durable what was written; then the append is acknowledged.
//! [`Faults`] say where on that way it stops. Whoever opens the medium again is shown what has
//! survived: everything written if only the process ended, a part of what was not synced if the power
//! was cut. Knows no file and no clock: the same seed fails in the same way.
//!
//! ```
//! # use glyph_ledger::log::faulty::{Faults, Medium, WriteFault};
//! # use ledger_format::hash::LedgerId;
//! let medium = Medium::new(LedgerId::of(&[1; 32], &[2; 16]));
//! // The second append writes three pieces and then fails.
//! let torn = Faults { write: Some((1, WriteFault::Stops { pieces: 3 })), ..Faults::NONE };
//! let log = medium.open(torn);
//! // What is built on the log appends, meets the failure, and lets go of it. Then:
//! # drop(log);
//! medium.cut_power(1);
//! let survived = medium.open(Faults::NONE);
//! ```

use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledger_format::hash::LedgerId;
use ledger_format::tree::Frontier;

use super::memory::MemoryLog;
use super::{AppendError, Batch, Batches, Log, ReadError, ReadLog, Tip};

/// What errors name as the place.
const PLACE: &str = "a log in memory that fails as told";

/// Writes and reads among which a seed chooses the one that fails: enough for a handle that folds
/// some batches and appends a few.
const WRITES_DRAWN: u64 = 6;
const READS_DRAWN: u64 = 24;
const PIECES_DRAWN: u64 = 8;

/// What goes wrong on one handle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// The write that fails, counted from 0, and how. An append is a write, and so is taking in a
    /// tail.
    pub write: Option<(u64, WriteFault)>,
    /// The read that fails, counted from 0. Asking where the log ends is a read, and so is each batch.
    /// The reads after it do not fail.
    pub read: Option<u64>,
}

/// How a write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFault {
    /// It stops after so many pieces, nothing of it synced, and says so: [`AppendError::InDoubt`].
    /// With 0 nothing was written, with one more than the batch has events the whole batch was.
    Stops {
        /// Pieces written.
        pieces: usize,
    },
    /// All is written and synced, and only the acknowledgement does not come: `InDoubt` again.
    Unanswered,
    /// All is written and acknowledged, and nothing was synced: the disk lied.
    Unsynced,
}

impl Faults {
    /// Nothing fails.
    pub const NONE: Self = Self { write: None, read: None };

    /// What a seed comes to: one write that fails, or one read, or both, or nothing.
    pub fn of_seed(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let nth = dice.roll(WRITES_DRAWN);
        let fault = match dice.roll(4) {
            0 | 1 => {
                let pieces = usize::try_from(dice.roll(PIECES_DRAWN)).unwrap_or_default();
                WriteFault::Stops { pieces }
            }
            2 => WriteFault::Unanswered,
            _ => WriteFault::Unsynced,
        };
        let read = dice.roll(READS_DRAWN);
        match dice.roll(8) {
            0 => Self::NONE,
            1 => Self { write: Some((nth, fault)), read: Some(read) },
            2 | 3 => Self { write: None, read: Some(read) },
            _ => Self { write: Some((nth, fault)), read: None },
        }
    }
}

/// The generator of Steele, Lea and Flood with 64 bits of state.
struct Dice(u64);

impl Dice {
    const fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// What a log's bytes lie on. Outlives the handles that write to it; a clone is the same medium.
#[derive(Debug, Clone)]
pub struct Medium(Arc<Mutex<Held>>);

#[derive(Debug)]
struct Held {
    ledger: LedgerId,
    pieces: Vec<Piece>,
    /// How many of the pieces survive a cut of power.
    synced: usize,
    /// Events up to the last acknowledged head. Kept apart from the pieces, so that no cut of power
    /// takes it back.
    acknowledged: u64,
    /// How often the medium was opened.
    openings: u64,
}

#[derive(Debug, Clone)]
enum Piece {
    Event(Vec<u8>),
    Head(Box<Tip>),
}

impl Medium {
    /// An empty medium for the log of `ledger`.
    pub fn new(ledger: LedgerId) -> Self {
        let (pieces, synced, acknowledged, openings) = (Vec::new(), 0, 0, 0);
        Self(Arc::new(Mutex::new(Held { ledger, pieces, synced, acknowledged, openings })))
    }

    /// Opens what is there, as a process would that starts now: a batch that is not whole is cut off.
    /// A handle opened earlier appends no more.
    ///
    /// Batches that are gone although they were acknowledged are not missed here, as they would be by
    /// a log with an anchor: that is left to whoever remembers a head.
    pub fn open(&self, faults: Faults) -> FaultyLog {
        let mut held = self.held();
        held.openings += 1;
        let whole = held.pieces.iter().rposition(|piece| matches!(piece, Piece::Head(_)));
        held.pieces.truncate(whole.map_or(0, |last| last + 1));
        held.synced = held.synced.min(held.pieces.len());
        let batches = held.batches();
        let size = batches.last().map_or(0, |(_, tip)| tip.size());
        let state = if size > held.acknowledged { State::Tail } else { State::Settled };
        let shown = MemoryLog::of(held.ledger, batches);
        let (opening, reads, writes) = (held.openings, Cell::new(0), 0);
        drop(held);
        FaultyLog { medium: self.clone(), opening, shown, state, faults, reads, writes }
    }

    /// Cuts the power: of the pieces that were not synced only the first `kept` are left. What is left
    /// is on the disk.
    pub fn cut_power(&self, kept: usize) {
        let mut held = self.held();
        let left = held.synced.saturating_add(kept);
        held.pieces.truncate(left);
        held.synced = held.pieces.len();
    }

    /// Number of pieces that a cut of power could take.
    pub fn unsynced(&self) -> usize {
        let held = self.held();
        held.pieces.len() - held.synced
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The whole batches, each with where the log ended after it.
    fn batches(&self) -> Vec<(Batch, Tip)> {
        let (mut batches, mut events, mut first_seq) = (Vec::new(), Vec::new(), 0);
        for piece in &self.pieces {
            match piece {
                Piece::Event(bytes) => events.push(bytes.clone()),
                Piece::Head(tip) => {
                    let (events, head) = (std::mem::take(&mut events), tip.head.clone());
                    batches.push((Batch { first_seq, events, head }, Tip::clone(tip)));
                    first_seq = tip.size();
                }
            }
        }
        batches
    }

    fn write(&mut self, pieces: impl Iterator<Item = Piece>) {
        self.pieces.extend(pieces);
    }

    /// Makes everything durable; a sync reaches what earlier ones left out.
    fn sync(&mut self) {
        self.synced = self.pieces.len();
    }
}

/// A handle on a [`Medium`].
#[derive(Debug)]
pub struct FaultyLog {
    medium: Medium,
    opening: u64,
    /// What this handle reads: what was there when it was opened and what was acknowledged since.
    shown: MemoryLog,
    state: State,
    faults: Faults,
    reads: Cell<u64>,
    writes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Settled,
    Tail,
    Poisoned,
}

impl FaultyLog {
    fn size(&self) -> u64 {
        self.shown.end().map_or(0, Tip::size)
    }

    /// Counts a read.
    fn read_one(&self) -> Result<(), ReadError> {
        let nth = self.reads.get();
        self.reads.set(nth + 1);
        if self.faults.read != Some(nth) {
            return Ok(());
        }
        let source = io::Error::other(format!("read {nth} fails as it was told to"));
        Err(ReadError::Io { path: PLACE.into(), source })
    }

    /// Writes `pieces`, syncs and acknowledges `size` events, as far as the faults let it.
    fn acknowledge(&mut self, pieces: Vec<Piece>, size: u64) -> Result<(), AppendError> {
        let nth = self.writes;
        self.writes += 1;
        let fault = self.faults.write.and_then(|(at, fault)| (at == nth).then_some(fault));
        let mut held = self.medium.held();
        match fault {
            Some(WriteFault::Stops { pieces: written }) => {
                held.write(pieces.into_iter().take(written));
            }
            Some(WriteFault::Unanswered) => {
                held.write(pieces.into_iter());
                held.sync();
            }
            Some(WriteFault::Unsynced) => {
                held.write(pieces.into_iter());
                held.acknowledged = size;
                return Ok(());
            }
            None => {
                held.write(pieces.into_iter());
                held.sync();
                held.acknowledged = size;
                return Ok(());
            }
        }
        self.state = State::Poisoned;
        let source = io::Error::other(format!("write {nth} fails as it was told to"));
        Err(AppendError::InDoubt { path: PLACE.into(), source })
    }

    fn must_be_usable(&self) -> Result<(), AppendError> {
        if self.state == State::Poisoned || self.medium.held().openings != self.opening {
            return Err(AppendError::Poisoned { path: PathBuf::from(PLACE) });
        }
        Ok(())
    }
}

impl ReadLog for FaultyLog {
    fn tip(&self) -> Result<Option<Tip>, ReadError> {
        self.read_one()?;
        self.shown.tip()
    }

    fn read(&self, seqs: Range<u64>) -> Batches<'_> {
        let mut batches = self.shown.read(seqs);
        let mut failed = false;
        Box::new(std::iter::from_fn(move || {
            let batch = if failed { None } else { batches.next() }?;
            let read = self.read_one().and(batch);
            failed = read.is_err();
            Some(read)
        }))
    }
}

impl Log for FaultyLog {
    fn append(
        &mut self,
        expected_size: u64,
        batch: &Batch,
        frontier: &Frontier,
    ) -> Result<(), AppendError> {
        self.must_be_usable()?;
        if self.state == State::Tail {
            let (anchored, stored) = (self.medium.held().acknowledged, self.size());
            return Err(AppendError::Unsettled { anchored, stored });
        }
        self.shown.check(expected_size, batch, frontier)?;
        let tip = Tip { head: batch.head.clone(), frontier: frontier.clone() };
        let size = tip.size();
        let events = batch.events.iter().cloned().map(Piece::Event);
        let pieces = events.chain([Piece::Head(Box::new(tip))]).collect();
        self.acknowledge(pieces, size)?;
        self.shown.append(expected_size, batch, frontier)
    }

    fn accept_tail(&mut self) -> Result<Option<u64>, AppendError> {
        self.must_be_usable()?;
        if self.state == State::Settled {
            return Ok(None);
        }
        let acknowledged = self.medium.held().acknowledged;
        self.state = State::Settled;
        self.acknowledge(Vec::new(), self.size())?;
        Ok(Some(acknowledged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::samples::Author;

    /// A log of batches of one and three events, and a third of four events that meets `fault`.
    fn failed(fault: WriteFault) -> (Medium, Author, Result<(), AppendError>) {
        let mut author = Author::new(1);
        let medium = Medium::new(author.ledger());
        let mut log = medium.open(Faults { write: Some((2, fault)), ..Faults::NONE });
        let mut appended = Ok(());
        for count in [1, 3, 4] {
            let size = author.size();
            let (batch, frontier) = author.batch(count);
            appended = log.append(size, &batch, &frontier);
            assert!(appended.is_ok() || size == 4);
        }
        let (batch, frontier) = author.clone().batch(1);
        let further = log.append(8, &batch, &frontier);
        assert_eq!(further.is_ok(), appended.is_ok());
        if appended.is_err() {
            assert!(matches!(further, Err(AppendError::Poisoned { .. })));
            assert_eq!(log.tip().unwrap().unwrap().size(), 4, "the old end is still shown");
        }
        (medium, author, appended)
    }

    fn sizes(medium: &Medium) -> Vec<u64> {
        let log = medium.open(Faults::NONE);
        log.read(0..u64::MAX).map(|batch| batch.unwrap().head.head().size).collect()
    }

    #[test]
    fn a_batch_of_which_a_part_arrived_is_not_shown() {
        for pieces in 0..7 {
            let (medium, _, appended) = failed(WriteFault::Stops { pieces });
            assert!(matches!(appended, Err(AppendError::InDoubt { .. })));
            assert_eq!(medium.unsynced(), pieces.min(5));
            let whole = if pieces >= 5 { vec![1, 4, 8] } else { vec![1, 4] };
            assert_eq!(sizes(&medium), whole, "{pieces}");
        }
    }

    #[test]
    fn a_cut_of_power_takes_what_was_not_synced_and_no_more() {
        for kept in 0..7 {
            let (medium, ..) = failed(WriteFault::Stops { pieces: 5 });
            medium.cut_power(kept);
            assert_eq!(sizes(&medium).len(), if kept >= 5 { 3 } else { 2 }, "{kept}");
            let (medium, ..) = failed(WriteFault::Unanswered);
            medium.cut_power(0);
            assert_eq!(sizes(&medium), [1, 4, 8]);
        }
    }

    #[test]
    fn a_disk_that_lied_loses_what_it_acknowledged_unless_a_later_sync_was_true() {
        let (medium, mut author, appended) = failed(WriteFault::Unsynced);
        assert!(appended.is_ok());
        assert_eq!(medium.unsynced(), 0, "the append after it synced both");
        let mut log = medium.open(Faults { write: Some((0, WriteFault::Unsynced)), read: None });
        author.batch(1);
        let (batch, frontier) = author.batch(2);
        log.append(9, &batch, &frontier).unwrap();
        assert_eq!(medium.unsynced(), 3);
        medium.cut_power(2);
        assert_eq!(sizes(&medium), [1, 4, 8, 9]);
    }

    #[test]
    fn a_tail_is_judged_before_anything_follows_it() {
        let (medium, mut author, _) = failed(WriteFault::Stops { pieces: 5 });
        let (batch, frontier) = author.batch(1);
        let mut log = medium.open(Faults { write: Some((0, WriteFault::Unanswered)), read: None });
        let refused = log.append(8, &batch, &frontier);
        assert!(matches!(refused, Err(AppendError::Unsettled { anchored: 4, stored: 8 })));
        assert!(matches!(log.accept_tail(), Err(AppendError::InDoubt { .. })));
        assert!(matches!(log.accept_tail(), Err(AppendError::Poisoned { .. })));
        let mut log = medium.open(Faults::NONE);
        assert_eq!(log.accept_tail().unwrap(), Some(4));
        assert_eq!(log.accept_tail().unwrap(), None);
        log.append(8, &batch, &frontier).unwrap();
        let mut second = medium.open(Faults::NONE);
        assert_eq!(second.accept_tail().unwrap(), None);
        let (batch, frontier) = author.batch(1);
        assert!(matches!(log.append(9, &batch, &frontier), Err(AppendError::Poisoned { .. })));
        second.append(9, &batch, &frontier).unwrap();
    }

    #[test]
    fn one_read_fails_and_nothing_comes_after_it() {
        let (medium, ..) = failed(WriteFault::Unanswered);
        let log = medium.open(Faults { read: Some(2), ..Faults::NONE });
        log.tip().unwrap();
        let mut read = log.read(0..u64::MAX);
        assert!(read.next().unwrap().is_ok());
        assert!(matches!(read.next(), Some(Err(ReadError::Io { .. }))));
        assert!(read.next().is_none());
        assert_eq!(log.read(0..u64::MAX).flatten().count(), 3);
    }

    #[test]
    fn seeds_come_to_every_kind_of_fault() {
        let drawn: Vec<Faults> = (0..1_000).map(Faults::of_seed).collect();
        assert_eq!(drawn, (0..1_000).map(Faults::of_seed).collect::<Vec<_>>());
        let any = |is: fn(&Faults) -> bool| assert!(drawn.iter().any(is));
        any(|faults| *faults == Faults::NONE);
        any(|faults| faults.read == Some(0) && faults.write.is_none());
        any(|faults| matches!(faults.write, Some((0, WriteFault::Stops { pieces: 0 }))));
        any(|faults| matches!(faults.write, Some((_, WriteFault::Stops { pieces: 7 }))));
        any(|faults| matches!(faults.write, Some((5, WriteFault::Unanswered))));
        any(|faults| faults.write.is_some() && faults.read.is_some());
        any(|faults| matches!(faults.write, Some((_, WriteFault::Unsynced))));
    }
}
