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

    /// The log of `ledger` that holds `batches`, each given with where it leads.
    pub(super) fn of(ledger: LedgerId, batches: Vec<(Batch, Tip)>) -> Self {
        let tip = batches.last().map(|(_, tip)| tip.clone());
        Self { ledger, batches: batches.into_iter().map(|(batch, _)| batch).collect(), tip }
    }

    pub(super) const fn end(&self) -> Option<&Tip> {
        self.tip.as_ref()
    }

    /// Refuses a batch that cannot come next.
    pub(super) fn check(
        &self,
        expected_size: u64,
        batch: &Batch,
        frontier: &Frontier,
    ) -> Result<(), AppendError> {
        if self.tip.as_ref().map_or(0, Tip::size) != expected_size {
            let actual = self.tip.clone().map(Box::new);
            return Err(AppendError::HeadMoved { expected: expected_size, actual });
        }
        batch.check(self.ledger, expected_size, frontier)?;
        Ok(())
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
        self.check(expected_size, batch, frontier)?;
        self.batches.push(batch.clone());
        self.tip = Some(Tip { head: batch.head.clone(), frontier: frontier.clone() });
        Ok(())
    }
}
