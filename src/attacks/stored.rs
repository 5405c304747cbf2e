//! A ledger as its log stores it, in memory: frames and head records under the numbers they are filed by.

use std::collections::BTreeMap;
use std::ops::Range;

use ledger_format::frame::{Frame, HeadRecord};
use ledger_format::hash::LedgerId;
use ledger_format::head::SignedHead;
use ledger_format::tree::Frontier;

use crate::log::{BATCH_EVENTS_MAX, Batch, Batches, ReadError, ReadLog, Tip};

/// The stored values of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub(super) ledger: LedgerId,
    /// Frames by the number of their first event.
    pub(super) frames: BTreeMap<u64, Vec<u8>>,
    /// Head records by the number of events they cover.
    pub(super) heads: BTreeMap<u64, Vec<u8>>,
}

impl Stored {
    /// The first whole batches of `log`, up to about `events_max` events; `None` where it holds none.
    pub fn copy(log: &dyn ReadLog, events_max: u64) -> Result<Option<Self>, ReadError> {
        let mut batches = Vec::new();
        for batch in log.read(0..events_max) {
            batches.push(batch?);
        }
        let ledger = batches.first().map(|batch: &Batch| batch.head.head().ledger);
        Ok(ledger.map(|ledger| Self::of(ledger, &batches)))
    }

    /// These batches, each filed under the numbers it claims.
    #[must_use]
    pub fn of(ledger: LedgerId, batches: &[Batch]) -> Self {
        let mut stored = Self { ledger, frames: BTreeMap::new(), heads: BTreeMap::new() };
        for batch in batches {
            stored.file(batch.first_seq, &batch.events);
            stored.close(&batch.head);
        }
        stored
    }

    /// The batches as they can be read, up to the first that cannot.
    #[must_use]
    pub fn batches(&self) -> Vec<Batch> {
        self.read(0..u64::MAX).map_while(Result::ok).collect()
    }

    pub(super) fn file(&mut self, first_seq: u64, events: &[Vec<u8>]) {
        for frame in Frame::pack(self.ledger, first_seq, events) {
            self.frames.insert(frame.first_seq, frame.encode());
        }
    }

    pub(super) fn close(&mut self, head: &SignedHead) {
        let size = head.head().size;
        let record = HeadRecord { ledger: self.ledger, size, note: head.encode() };
        self.heads.insert(size, record.encode());
    }

    fn batch(&self, first_seq: u64) -> Result<Batch, ReadError> {
        let damaged = |seq, reason: String| ReadError::Damaged { seq, reason };
        let (size, record) = self
            .heads
            .range(first_seq.saturating_add(1)..)
            .next()
            .ok_or_else(|| damaged(first_seq, "its head is missing".to_owned()))?;
        let head = head(*size, record).map_err(|reason| damaged(first_seq, reason))?;
        let count = usize::try_from(size - first_seq).unwrap_or(usize::MAX);
        if count > BATCH_EVENTS_MAX {
            return Err(damaged(first_seq, "the head that closes its batch is missing".to_owned()));
        }
        let mut events = Vec::new();
        while events.len() < count {
            let seq = first_seq + events.len() as u64;
            let frame =
                self.frames.get(&seq).ok_or_else(|| damaged(seq, "it is missing".into()))?;
            let frame = Frame::decode(frame).map_err(|error| damaged(seq, error.to_string()))?;
            if frame.first_seq != seq || frame.ledger != self.ledger {
                return Err(damaged(seq, "a frame stands where it does not belong".to_owned()));
            }
            events.extend(frame.events);
        }
        if events.len() > count {
            return Err(damaged(first_seq, "a frame reaches beyond its batch".to_owned()));
        }
        Ok(Batch { first_seq, events, head })
    }
}

fn head(size: u64, record: &[u8]) -> Result<SignedHead, String> {
    let record = HeadRecord::decode(record).map_err(|error| error.to_string())?;
    let head = SignedHead::parse(&record.note).map_err(|error| error.to_string())?;
    if record.size != size || head.head().size != size || record.ledger != head.head().ledger {
        return Err("a head stands where it does not belong".to_owned());
    }
    Ok(head)
}

impl ReadLog for Stored {
    fn tip(&self) -> Result<Option<Tip>, ReadError> {
        let Some((size, record)) = self.heads.last_key_value() else { return Ok(None) };
        let damaged = |reason| ReadError::Damaged { seq: size.saturating_sub(1), reason };
        let head = head(*size, record).map_err(damaged)?;
        // Nothing that only reads asks for the edge of the tree.
        Ok(Some(Tip { head, frontier: Frontier::new() }))
    }

    fn read(&self, seqs: Range<u64>) -> Batches<'_> {
        let mut next = Some(0);
        let end = self.heads.last_key_value().map_or(0, |(size, _)| *size).min(seqs.end);
        Box::new(std::iter::from_fn(move || {
            let first_seq = next.take().filter(|next| *next < end)?;
            let batch = self.batch(first_seq);
            next = batch.as_ref().ok().map(|batch| batch.head.head().size);
            Some(batch)
        }))
    }
}
