//! What every log keeps to: one suite, run over each of them, and over bent ones that it must find
//! out.

use std::ops::Range;

use ledger_format::tree::Frontier;

use super::faulty::{Faults, Medium};
use super::memory::MemoryLog;
use super::samples::Author;
use super::sled::{Identity, OpenOptions, SledLog};
use super::{
    AppendError, BATCH_EVENTS_MAX, Batch, BatchError, Batches, Log, ReadError, ReadLog, Tip,
};

/// A log under test, as it begins and as it is found again.
trait Subject {
    fn begin(&mut self, author: &Author, first: &Batch, frontier: &Frontier) -> Box<dyn Log>;

    /// Closes the log and opens it again, if it can be.
    fn reopen(&mut self, log: Box<dyn Log>) -> Box<dyn Log>;
}

/// Holds `subject` to the contract of [`Log`].
fn hold(subject: &mut dyn Subject) {
    let mut author = Author::new(1);
    let (first, frontier) = author.batch(1);
    let mut log = subject.begin(&author, &first, &frontier);
    let mut expected = Expected { tip: tip(&first, &frontier), batches: vec![first] };
    expected.compare(&*log);
    for round in 0..3 {
        for count in [1, 17, 1_000, 3, 40 + round] {
            let size = author.size();
            let (batch, frontier) = author.batch(count);
            refuses_what_cannot_come_next(&mut *log, &mut author, &batch, &frontier);
            log.append(size, &batch, &frontier).unwrap();
            expected.tip = tip(&batch, &frontier);
            expected.batches.push(batch);
        }
        expected.compare(&*log);
        log = subject.reopen(log);
        assert_eq!(log.accept_tail().unwrap(), None, "everything was acknowledged");
        expected.compare(&*log);
    }
    // Whoever reads it can go on from it.
    let mut reader = Author::new(1);
    log.read(0..u64::MAX).for_each(|batch| reader.catch_up(&batch.unwrap()));
    assert!(reader.batch(3) == author.batch(3));
}

fn tip(batch: &Batch, frontier: &Frontier) -> Tip {
    Tip { head: batch.head.clone(), frontier: frontier.clone() }
}

/// What a log must hold.
struct Expected {
    batches: Vec<Batch>,
    tip: Tip,
}

impl Expected {
    fn compare(&self, log: &dyn ReadLog) {
        assert_eq!(log.tip().unwrap().as_ref(), Some(&self.tip));
        let size = self.tip.size();
        let ranges = [
            0..u64::MAX,
            0..1,
            1..2,
            17..19,
            18..1_100,
            1_018..1_019,
            size - 1..size,
            size - 1..u64::MAX,
            0..0,
            5..5,
            size..size + 1,
            99_999..u64::MAX,
        ];
        for seqs in ranges {
            let mut read = log.read(seqs.clone());
            let found: Vec<Batch> = read.by_ref().map(Result::unwrap).collect();
            let overlapping = |batch: &&Batch| overlap(batch, &seqs);
            let expected: Vec<Batch> = self.batches.iter().filter(overlapping).cloned().collect();
            assert!(found == expected, "{seqs:?}");
            assert!(read.next().is_none(), "{seqs:?} goes on behind its end");
        }
        // Two readers do not disturb each other.
        let both = log.read(0..u64::MAX).zip(log.read(1..u64::MAX));
        for ((one, other), expected) in
            both.zip(self.batches.iter().zip(self.batches.iter().skip(1)))
        {
            assert!((&one.unwrap(), &other.unwrap()) == expected);
        }
    }
}

fn overlap(batch: &Batch, seqs: &Range<u64>) -> bool {
    !seqs.is_empty() && batch.first_seq < seqs.end && batch.head.head().size > seqs.start
}

/// Every batch that cannot stand where `batch` can is refused with its reason. That nothing of it was
/// written shows when the log is compared.
fn refuses_what_cannot_come_next(
    log: &mut dyn Log,
    author: &mut Author,
    batch: &Batch,
    frontier: &Frontier,
) {
    let size = batch.first_seq;
    for expected_size in [0, size - 1, size + 1].into_iter().filter(|at| *at != size) {
        match log.append(expected_size, batch, frontier) {
            Err(AppendError::HeadMoved { expected, actual: Some(tip) }) => {
                assert_eq!((expected, tip.size()), (expected_size, size));
            }
            other => panic!("appended at {expected_size} of {size}: {other:?}"),
        }
    }
    let mut refuse = |bent: &Batch, frontier: &Frontier| match log.append(size, bent, frontier) {
        Err(AppendError::Impossible(why)) => why,
        other => panic!("{other:?}"),
    };
    let with = |change: &dyn Fn(&mut Batch)| {
        let mut bent = batch.clone();
        change(&mut bent);
        bent
    };
    let count = batch.events.len();
    let (end, last) = (size + count as u64, count - 1);
    let none = with(&|b| b.events.clear());
    assert_eq!(refuse(&none, frontier), BatchError::Count { actual: 0 });
    let many = with(&|b| b.events.resize(BATCH_EVENTS_MAX + 1, Vec::new()));
    assert_eq!(refuse(&many, frontier), BatchError::Count { actual: BATCH_EVENTS_MAX + 1 });
    let elsewhere = with(&|b| b.first_seq += 1);
    let first_seq = BatchError::FirstSeq { expected: size, actual: size + 1 };
    assert_eq!(refuse(&elsewhere, frontier), first_seq);
    let too_long = with(&|b| b.events[0].resize(4_097, 0));
    assert_eq!(refuse(&too_long, frontier), BatchError::Length { seq: size, actual: 4_097 });
    if count > 1 {
        let short = with(&|b| drop(b.events.pop()));
        let head_size = BatchError::HeadSize { expected: end - 1, actual: end };
        assert_eq!(refuse(&short, frontier), head_size);
    }
    let garbage = with(&|b| b.events[last] = b"x".to_vec());
    assert!(matches!(refuse(&garbage, frontier), BatchError::Event { seq, .. } if seq == end - 1));
    assert_eq!(refuse(batch, &Frontier::new()), BatchError::Frontier);
    let (stranger, _) = Author::new(2).batch(count);
    let foreign = with(&|b| b.head = stranger.head.clone());
    let foreign = refuse(&foreign, frontier);
    // The stranger's head is over as many events only where the log begins.
    assert!(matches!(foreign, BatchError::Ledger { .. }), "{foreign:?}");
    assert_eq!(author.size(), end);
}

#[test]
fn a_log_in_memory_conforms() {
    hold(&mut Memory);
}

#[test]
fn a_log_in_a_folder_conforms() {
    let home = tempfile::tempdir().unwrap();
    hold(&mut Folder { home });
}

#[test]
fn a_log_that_may_fail_and_does_not_conforms() {
    hold(&mut Faultless { medium: None });
}

struct Memory;

impl Subject for Memory {
    fn begin(&mut self, author: &Author, first: &Batch, frontier: &Frontier) -> Box<dyn Log> {
        let mut log = MemoryLog::new(author.ledger());
        assert_eq!(log.tip().unwrap(), None);
        assert!(log.read(0..u64::MAX).next().is_none());
        log.append(0, first, frontier).unwrap();
        Box::new(log)
    }

    fn reopen(&mut self, log: Box<dyn Log>) -> Box<dyn Log> {
        log
    }
}

struct Folder {
    home: tempfile::TempDir,
}

impl Subject for Folder {
    fn begin(&mut self, author: &Author, first: &Batch, frontier: &Frontier) -> Box<dyn Log> {
        let identity = Identity { public_key: author.public_key, nonce: author.nonce };
        let (dir, options) = (self.home.path().join("ledger"), OpenOptions::default());
        Box::new(SledLog::init(&dir, &identity, first, frontier, &options).unwrap())
    }

    fn reopen(&mut self, log: Box<dyn Log>) -> Box<dyn Log> {
        drop(log);
        let dir = self.home.path().join("ledger");
        Box::new(SledLog::open(&dir, &OpenOptions::default()).unwrap())
    }
}

struct Faultless {
    medium: Option<Medium>,
}

impl Subject for Faultless {
    fn begin(&mut self, author: &Author, first: &Batch, frontier: &Frontier) -> Box<dyn Log> {
        let medium = self.medium.insert(Medium::new(author.ledger()));
        let mut log = medium.open(Faults::NONE);
        assert_eq!(log.tip().unwrap(), None);
        log.append(0, first, frontier).unwrap();
        Box::new(log)
    }

    fn reopen(&mut self, log: Box<dyn Log>) -> Box<dyn Log> {
        drop(log);
        let medium = self.medium.as_ref().unwrap();
        medium.cut_power(0);
        Box::new(medium.open(Faults::NONE))
    }
}

/// A log with one thing wrong.
struct Bent {
    log: MemoryLog,
    defect: Defect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    ForgetsTheLastBatch,
    CutsBatchesToTheRange,
    ReadsBackwards,
    AppendsAnywhere,
    KeepsWhatItRefuses,
    ShowsAnOldEnd,
    HasATail,
}

impl ReadLog for Bent {
    fn tip(&self) -> Result<Option<Tip>, ReadError> {
        if self.defect == Defect::ShowsAnOldEnd {
            let (first, frontier) = Author::new(1).batch(1);
            return Ok(Some(tip(&first, &frontier)));
        }
        self.log.tip()
    }

    fn read(&self, seqs: Range<u64>) -> Batches<'_> {
        let mut read: Vec<_> = self.log.read(seqs.clone()).collect();
        match self.defect {
            Defect::ForgetsTheLastBatch => drop(read.pop()),
            Defect::ReadsBackwards => read.reverse(),
            Defect::CutsBatchesToTheRange => {
                for batch in read.iter_mut().flatten() {
                    let over = batch.head.head().size.saturating_sub(seqs.end);
                    let kept = batch.events.len().saturating_sub(usize::try_from(over).unwrap());
                    batch.events.truncate(kept);
                }
            }
            _ => {}
        }
        Box::new(read.into_iter())
    }
}

impl Log for Bent {
    fn append(
        &mut self,
        expected_size: u64,
        batch: &Batch,
        frontier: &Frontier,
    ) -> Result<(), AppendError> {
        let actual = self.log.tip().unwrap().map_or(0, |tip| tip.size());
        let size = if self.defect == Defect::AppendsAnywhere { actual } else { expected_size };
        let appended = self.log.append(size, batch, frontier);
        if appended.is_err() && self.defect == Defect::KeepsWhatItRefuses {
            drop(self.log.append(actual, batch, frontier));
        }
        appended
    }

    fn accept_tail(&mut self) -> Result<Option<u64>, AppendError> {
        Ok((self.defect == Defect::HasATail).then_some(1))
    }
}

struct Crooked(Defect);

impl Subject for Crooked {
    fn begin(&mut self, author: &Author, first: &Batch, frontier: &Frontier) -> Box<dyn Log> {
        let mut log = MemoryLog::new(author.ledger());
        log.append(0, first, frontier).unwrap();
        Box::new(Bent { log, defect: self.0 })
    }

    fn reopen(&mut self, log: Box<dyn Log>) -> Box<dyn Log> {
        log
    }
}

#[test]
fn a_log_with_anything_wrong_is_found_out() {
    for defect in [
        Defect::ForgetsTheLastBatch,
        Defect::CutsBatchesToTheRange,
        Defect::ReadsBackwards,
        Defect::AppendsAnywhere,
        Defect::KeepsWhatItRefuses,
        Defect::ShowsAnOldEnd,
        Defect::HasATail,
    ] {
        let held = std::panic::catch_unwind(|| hold(&mut Crooked(defect)));
        assert!(held.is_err(), "{defect:?} passes");
    }
}
