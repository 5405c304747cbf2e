//! Export: a ledger as JSON lines, one an event, that can be verified with nothing but the file.
//!
//! An export consists of whole batches, because only a batch's head says what its events are. One
//! that begins at event 0 proves itself: links, roots, signatures. One that begins later shows that
//! its lines are events that follow each other; roots and signatures need the events before them,
//! and whoever verifies it is told from where on it begins. Knows lines and streams; holds one batch
//! in memory.

mod read;

use std::io::{self, BufRead, Write};
use std::ops::Range;

use ledger_format::head::SignedHead;
use ledger_format::line::{Line, LineError};

use crate::log::{Batch, ReadError};
use crate::verify::{Expectations, Observer, Options, Report, VerifyError, verify_batches};

pub use read::Fragment;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exported {
    /// Events written; wider than asked for where that fell into a batch.
    pub seqs: Range<u64>,
    /// The last head written.
    pub head: Option<SignedHead>,
}

/// An export that was not finished.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An event or head that is none.
    #[error("event {seq}: {error}")]
    Line {
        /// The event.
        seq: u64,
        /// What is wrong.
        error: LineError,
    },
    /// The output.
    #[error("writing the export: {0}")]
    Write(#[source] io::Error),
}

/// Writes `batches` to `out`, one line an event, the head on the last line of each batch.
pub fn export(
    batches: impl Iterator<Item = Result<Batch, ReadError>>,
    out: &mut impl Write,
) -> Result<Exported, ExportError> {
    let mut exported = Exported::default();
    for batch in batches {
        let Batch { first_seq, events, head } = batch?;
        if exported.head.is_none() {
            exported.seqs = first_seq..first_seq;
        }
        let last = events.len().saturating_sub(1);
        for (at, bytes) in events.iter().enumerate() {
            let line = Line::of(bytes, (at == last).then_some(&head));
            let line = line.map_err(|error| ExportError::Line { seq: exported.seqs.end, error })?;
            writeln!(out, "{line}").map_err(ExportError::Write)?;
            exported.seqs.end += 1;
        }
        exported.head = Some(head);
    }
    out.flush().map_err(ExportError::Write)?;
    Ok(exported)
}

/// What an export turned out to be.
#[derive(Debug)]
pub enum ExportReport {
    /// It begins at event 0 and was judged like a ledger.
    Whole(Box<Report>),
    /// It begins later, so that neither roots nor signatures could be checked.
    Fragment(Fragment),
}

/// Judges an export by nothing but itself and, if there is one, a head that the user trusts.
pub fn verify_export(
    reader: impl BufRead,
    trust: Option<SignedHead>,
    keep_going: bool,
    observer: &mut dyn Observer,
) -> Result<ExportReport, VerifyError> {
    let mut lines = read::lines(reader).peekable();
    if let Some(Ok(first)) = lines.peek()
        && first.event.seq > 0
    {
        let first = first.clone();
        return Ok(ExportReport::Fragment(read::fragment(&first, lines)?));
    }
    let expectations = Expectations { trust, ..Expectations::default() };
    let options = Options { objects: None, keep_going };
    let batches = read::batches(lines);
    let report = verify_batches(batches, &expectations, options, observer)?;
    Ok(ExportReport::Whole(Box::new(report)))
}
