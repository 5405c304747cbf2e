//! A log in memory, for tests and for work that nothing has to survive.

use std::ops::Range;

use ledger_format::hash::LedgerId;
use ledger_format::tree::Frontier;

use super::{AppendError, Batch, Batches, Log, ReadError, ReadLog, Tip};

/// Keeps every batch in a vector; gone with the process.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    ledger: LedgerId,
    batches: Vec<Batch>,
    tip: Option<Tip>,
}

impl MemoryLog {
    /// The empty log of `ledger`.
    pub const fn new(ledger: LedgerId) -> Self {
        Self { ledger, batches: Vec::new(), tip: None }
    }
}

impl ReadLog for MemoryLog {
    fn tip(&self) -> Result<Option<Tip>, ReadError> {
        Ok(self.tip.clone())
    }

    fn read(&self, seqs: Range<u64>) -> Batches<'_> {
        let overlaps = move |batch: &&Batch| {
            !seqs.is_empty() && batch.first_seq < seqs.end && batch.head.head().size > seqs.start
        };
        Box::new(self.batches.iter().filter(overlaps).cloned().map(Ok))
    }
}

impl Log for MemoryLog {
    fn append(
        &mut self,
        expected_size: u64,
        batch: &Batch,
        frontier: &Frontier,
    ) -> Result<(), AppendError> {
        if self.tip.as_ref().map_or(0, Tip::size) != expected_size {
            let actual = self.tip.clone().map(Box::new);
            return Err(AppendError::HeadMoved { expected: expected_size, actual });
        }
        batch.check(self.ledger, expected_size, frontier)?;
        self.batches.push(batch.clone());
        self.tip = Some(Tip { head: batch.head.clone(), frontier: frontier.clone() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::samples::Author;
    use crate::log::{BATCH_EVENTS_MAX, BatchError};

    fn refusal(log: &mut MemoryLog, batch: &Batch, frontier: &Frontier) -> BatchError {
        let size = log.tip.as_ref().map_or(0, Tip::size);
        match log.append(size, batch, frontier) {
            Err(AppendError::Impossible(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reading_returns_whole_batches_that_overlap_the_range() {
        let mut author = Author::new(1);
        let mut log = MemoryLog::new(author.ledger());
        for count in [1, 3, 2] {
            let size = author.size();
            let (batch, frontier) = author.batch(count);
            log.append(size, &batch, &frontier).unwrap();
        }
        let firsts = |seqs: Range<u64>| -> Vec<u64> {
            log.read(seqs).map(|batch| batch.unwrap().first_seq).collect()
        };
        assert_eq!(firsts(0..u64::MAX), [0, 1, 4]);
        assert_eq!(firsts(0..1), [0]);
        assert_eq!(firsts(3..4), [1]);
        assert_eq!(firsts(3..5), [1, 4]);
        assert_eq!(firsts(6..9), [] as [u64; 0]);
        assert_eq!(firsts(3..3), [] as [u64; 0]);
    }

    #[test]
    fn a_log_that_moved_on_says_where_it_ends() {
        let mut author = Author::new(1);
        let mut log = MemoryLog::new(author.ledger());
        let (first, frontier) = author.batch(2);
        log.append(0, &first, &frontier).unwrap();
        match log.append(0, &first, &frontier) {
            Err(AppendError::HeadMoved { expected: 0, actual: Some(tip) }) => {
                assert_eq!((tip.size(), &tip.head), (2, &first.head));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_impossible_batch_is_refused_with_its_reason() {
        let mut author = Author::new(1);
        let mut log = MemoryLog::new(author.ledger());
        let (batch, frontier) = author.batch(2);
        let with = |change: fn(&mut Batch)| {
            let mut bent = batch.clone();
            change(&mut bent);
            bent
        };
        let mut refuse = |bent: &Batch| refusal(&mut log, bent, &frontier);
        assert_eq!(refuse(&with(|b| b.events.clear())), BatchError::Count { actual: 0 });
        let many = with(|b| b.events.resize(BATCH_EVENTS_MAX + 1, Vec::new()));
        assert_eq!(refuse(&many), BatchError::Count { actual: BATCH_EVENTS_MAX + 1 });
        let later = with(|b| b.first_seq = 1);
        assert_eq!(refuse(&later), BatchError::FirstSeq { expected: 0, actual: 1 });
        let too_long = with(|b| b.events[0].resize(4_097, 0));
        assert_eq!(refuse(&too_long), BatchError::Length { seq: 0, actual: 4_097 });
        let short = with(|b| drop(b.events.pop()));
        assert_eq!(refuse(&short), BatchError::HeadSize { expected: 1, actual: 2 });
        let garbage = with(|b| b.events[1] = b"x".to_vec());
        assert!(matches!(refuse(&garbage), BatchError::Event { seq: 1, .. }));
        assert_eq!(refusal(&mut log, &batch, &Frontier::new()), BatchError::Frontier);
        let (foreign, other) = Author::new(2).batch(1);
        assert!(matches!(refusal(&mut log, &foreign, &other), BatchError::Ledger { .. }));
        log.append(0, &batch, &frontier).unwrap();
    }
}
