//! Lines back into batches.

use std::io::{self, BufRead, Read as _};

use ledger_format::chain::Chain;
use ledger_format::hash::{EventId, LedgerId, NodeHash};
use ledger_format::line::{LINE_BYTES_MAX, Line, LineError};
use ledger_format::tree::Frontier;

use crate::log::{BATCH_EVENTS_MAX, Batch};
use crate::verify::{Fault, Stop, VerifyError};

/// The middle of a ledger: lines that are events and follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The ledger.
    pub ledger: LedgerId,
    /// First event in the file; those before it are not there.
    pub first: u64,
    /// Number of events.
    pub events: u64,
    /// Id of the event before the first, as the first names it.
    pub follows: EventId,
    /// What is wrong; reading ended there.
    pub fault: Option<Fault>,
}

/// Most faults that are listed; behind them nothing is read, so that memory does not grow with what is wrong.
pub(super) const FAULTS_MAX: usize = 1_000;

/// The lines of a file, none of which is longer than those of its form may be.
pub(super) struct Texts<R> {
    reader: R,
    /// Longest allowed, in bytes.
    most: usize,
    /// How many were read.
    number: u64,
    /// Whether the line read last goes on behind what was read of it.
    goes_on: bool,
}

impl<R: BufRead> Texts<R> {
    pub(super) const fn new(reader: R, most: usize) -> Self {
        Self { reader, most, number: 0, goes_on: false }
    }

    /// The number of the line read last, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// That the line read last is none.
    pub(super) const fn fault(&self, error: LineError) -> Fault {
        Fault::Line { line: self.number, error }
    }

    /// The next line without its newline; `None` behind the last.
    pub(super) fn next_text(&mut self) -> Result<Option<String>, Stop> {
        let failed = |source| Stop::Error(io_error(source));
        if std::mem::take(&mut self.goes_on) {
            self.reader.skip_until(b'\n').map_err(failed)?;
        }
        self.number += 1;
        let mut bytes = Vec::new();
        // One byte more for the newline, and one to see that there is more than a line may have.
        let limit = self.most as u64 + 2;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes);
        if read.map_err(failed)? == 0 {
            return Ok(None);
        }
        if bytes.pop_if(|last| *last == b'\n').is_none() {
            self.goes_on = true;
            let (most, actual) = (self.most, bytes.len());
            return Err(Stop::Fault(self.fault(if actual > most {
                LineError::TooLong { most, actual }
            } else {
                LineError::Json("cut off before the end of the line".to_owned())
            })));
        }
        let text = String::from_utf8(bytes).map_err(|error| LineError::Json(error.to_string()));
        text.map(Some).map_err(|error| Stop::Fault(self.fault(error)))
    }
}

/// Every line of an export, checked by itself. Ends after the first that is none.
pub(super) struct Lines<R> {
    texts: Texts<R>,
    ended: bool,
    /// The line that is none.
    wrong: Option<Fault>,
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Line, Stop>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let line = self.read().transpose();
        self.ended = !matches!(line, Some(Ok(_)));
        if let Some(Err(Stop::Fault(fault))) = &line {
            self.wrong = Some(fault.clone());
        }
        line
    }
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { texts: Texts::new(reader, LINE_BYTES_MAX), ended: false, wrong: None }
    }

    fn read(&mut self) -> Result<Option<Line>, Stop> {
        let Some(text) = self.texts.next_text()? else { return Ok(None) };
        let line = Line::parse(&text).map_err(|error| Stop::Fault(self.texts.fault(error)))?;
        Ok(Some(line))
    }

    /// Reads on behind what could be judged, and adds to `faults` which lines are none or do not follow the line before them: there is
    /// nothing to judge more by. Whether all was read.
    pub(super) fn look_behind(mut self, faults: &mut Vec<Fault>) -> Result<bool, VerifyError> {
        let unheard = self.wrong.take().filter(|wrong| !faults.contains(wrong));
        faults.extend(unheard);
        let mut before: Option<Line> = None;
        while faults.len() < FAULTS_MAX {
            self.ended = false;
            match self.next() {
                None => return Ok(true),
                Some(Err(Stop::Error(error))) => return Err(error),
                Some(Err(Stop::Fault(fault))) => {
                    faults.push(fault);
                    before = None;
                }
                Some(Ok(line)) => {
                    let alone = before.as_ref().is_some_and(|before| !follows(&line, before));
                    faults.extend(alone.then(|| Fault::OutOfPlace {
                        line: self.texts.number(),
                        seq: line.event.seq,
                        reason: "does not follow the line before it".to_owned(),
                    }));
                    before = Some(line);
                }
            }
        }
        Ok(false)
    }
}

/// Whether `line` is of the event that comes after that of the line `before`.
fn follows(line: &Line, before: &Line) -> bool {
    let (event, last) = (&line.event, &before.event);
    event.ledger == last.ledger
        && event.seq == last.seq + 1
        && event.prev == before.id
        && event.at >= last.at
}

/// Batches out of lines: each ends with the line that carries its head.
pub(super) fn batches(
    mut lines: impl Iterator<Item = Result<Line, Stop>>,
) -> impl Iterator<Item = Result<Batch, Stop>> {
    std::iter::from_fn(move || next_batch(&mut lines).transpose())
}

fn next_batch(lines: &mut impl Iterator<Item = Result<Line, Stop>>) -> Result<Option<Batch>, Stop> {
    let mut events = Vec::new();
    let mut first_seq = None;
    for line in lines {
        let line = line?;
        let first_seq = *first_seq.get_or_insert(line.event.seq);
        events.push(line.bytes);
        if let Some(head) = line.head {
            return Ok(Some(Batch { first_seq, events, head }));
        }
        if events.len() == BATCH_EVENTS_MAX {
            let reason = "more events than a batch holds";
            return Err(Stop::Fault(Fault::Unclosed { first: first_seq, reason }));
        }
    }
    let reason = "the file ends before the head of its last batch";
    let unclosed = |first| Stop::Fault(Fault::Unclosed { first, reason });
    first_seq.map_or(Ok(None), |first| Err(unclosed(first)))
}

/// Checks that `first` and the `lines` after it, from the middle of a ledger, follow each other.
pub(super) fn fragment(
    first: &Line,
    lines: impl Iterator<Item = Result<Line, Stop>>,
) -> Result<Fragment, VerifyError> {
    let event = &first.event;
    let mut fragment = Fragment {
        ledger: event.ledger,
        first: event.seq,
        events: 0,
        follows: event.prev,
        fault: None,
    };
    // The tree to the left is unknown, and no root is asked of it.
    let unknown = vec![NodeHash::empty_root(); event.seq.count_ones() as usize];
    let mut chain = Frontier::from_nodes(event.seq, unknown)
        .map(|left| Chain::resume(event.ledger, event.prev, event.at, left))
        .map_err(|error| io_error(io::Error::other(error)))?;
    for line in lines {
        let pushed = line.and_then(|line| {
            chain.push(&line.event, line.id).map_err(|error| {
                Stop::Fault(Fault::Unlinked { seq: chain.size(), reason: error.to_string() })
            })
        });
        match pushed {
            Ok(()) => fragment.events += 1,
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Fault(fault)) => {
                fragment.fault = Some(fault);
                break;
            }
        }
    }
    Ok(fragment)
}

/// The first `count` bytes, or all where there are fewer.
pub(super) fn first_bytes(reader: &mut impl BufRead, count: usize) -> Result<Vec<u8>, VerifyError> {
    let mut bytes = Vec::new();
    reader.take(count as u64).read_to_end(&mut bytes).map_err(io_error)?;
    Ok(bytes)
}

fn io_error(source: io::Error) -> VerifyError {
    VerifyError::Io { what: "reading the export".to_owned(), source }
}
