//! Export: a ledger as JSON lines, one an event, that can be verified with nothing but the file.
//!
//! An export consists of whole batches, because only a batch's head says what its events are. One
//! that begins at event 0 proves itself: links, roots, signatures. One that begins later shows that
//! its lines are events that follow each other; roots and signatures need the events before them,
//! and whoever verifies it is told from where on it begins. A filtered export has single events, each with a proof under one
//! head. A flat export proves nothing: it is for programs that guess what columns hold. Knows lines and streams; holds a few batches in memory.

mod loader;
mod proved;
mod read;
mod select;

use std::io::{self, BufRead, Cursor, Read as _, Write};
use std::ops::{ControlFlow, Range};

use ledger_format::flat::{flat_line, types_line};
use ledger_format::hash::KeyId;
use ledger_format::head::SignedHead;
use ledger_format::line::{Line, LineError};

use crate::evidence::TreeError;
use crate::log::{Batch, ReadError, in_order};
use crate::verify::{Expectations, Observer, Options, Report, VerifyError, verify_batches};

pub use loader::{Form, Reader};
pub use proved::Selection;
pub use read::Fragment;
pub use select::{Filter, NOT_SHOWN, Selected, export_selection};

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
    /// The tree that proofs are made from.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// An event that is not under the head.
    #[error("event {seq} cannot be proved under the head over {size} events")]
    Unproved {
        /// The event.
        seq: u64,
        /// Number of events under the head.
        size: u64,
    },
    /// A head by a key that the ledger does not know.
    #[error("the head is signed by {signer}, which this ledger does not know")]
    Unsigned {
        /// The key.
        signer: KeyId,
    },
    /// No event was asked for.
    #[error("no event fits what was asked for")]
    Nothing,
    /// The output.
    #[error("writing the export: {0}")]
    Write(#[source] io::Error),
}

/// Writes `batches` to `out`, one line an event, the head on the last line of each batch.
pub fn export(
    batches: impl Iterator<Item = Result<Batch, ReadError>>,
    out: &mut impl Write,
) -> Result<Exported, ExportError> {
    write(batches, Line::of, out)
}

/// Writes `batches` to `out` as a flat export: a first line that shows the type of every column, then
/// one line an event, each with every column.
pub fn export_flat(
    batches: impl Iterator<Item = Result<Batch, ReadError>>,
    out: &mut impl Write,
) -> Result<Exported, ExportError> {
    writeln!(out, "{}", types_line()).map_err(ExportError::Write)?;
    write(batches, flat_line, out)
}

/// The line of an event and of the head that closes its batch with it.
type LineOf = fn(&[u8], Option<&SignedHead>) -> Result<String, LineError>;

fn write(
    batches: impl Iterator<Item = Result<Batch, ReadError>>,
    line_of: LineOf,
    out: &mut impl Write,
) -> Result<Exported, ExportError> {
    let mut exported = Exported::default();
    let mut written = Ok(());
    let lines = |batch| lines(batch, line_of);
    in_order(batches, lines, |next| {
        written = next.map_err(ExportError::Read).flatten().and_then(|lines| {
            let Lines { seqs, text, head } = lines;
            out.write_all(text.as_bytes()).map_err(ExportError::Write)?;
            let start = if exported.head.is_none() { seqs.start } else { exported.seqs.start };
            exported = Exported { seqs: start..seqs.end, head: Some(head) };
            Ok(())
        });
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    written?;
    out.flush().map_err(ExportError::Write)?;
    Ok(exported)
}

/// The lines of one batch.
struct Lines {
    seqs: Range<u64>,
    text: String,
    head: SignedHead,
}

fn lines(batch: Batch, line_of: LineOf) -> Result<Lines, ExportError> {
    let Batch { first_seq, events, head } = batch;
    let end = first_seq + events.len() as u64;
    let mut text = String::new();
    for (seq, bytes) in (first_seq..).zip(&events) {
        let line = line_of(bytes, (seq + 1 == end).then_some(&head));
        text.push_str(&line.map_err(|error| ExportError::Line { seq, error })?);
        text.push('\n');
    }
    Ok(Lines { seqs: first_seq..end, text, head })
}

/// What an export turned out to be.
#[derive(Debug)]
pub enum ExportReport {
    /// It begins at event 0 and was judged like a ledger.
    Whole(Box<Report>),
    /// It begins later, so that neither roots nor signatures could be checked.
    Fragment(Fragment),
    /// It has some events, each with a proof of its own.
    Selection(Box<Selection>),
}

/// Judges an export by nothing but itself and what is expected of it. A flat export is refused at its first line. With `keep_going` what
/// lies behind the first fault is looked at too: as far as it can be judged, and from there on line by line.
pub fn verify_export(
    mut reader: impl BufRead,
    expectations: &Expectations,
    keep_going: bool,
    observer: &mut dyn Observer,
) -> Result<ExportReport, VerifyError> {
    let beginning = proved::beginning();
    let read = read::first_bytes(&mut reader, beginning.len())?;
    let filtered = read == beginning.as_bytes();
    let reader = Cursor::new(read).chain(reader);
    if filtered {
        let selection = proved::judge(reader, expectations, keep_going, observer)?;
        return Ok(ExportReport::Selection(Box::new(selection)));
    }
    let mut lines = read::Lines::new(reader);
    let first = lines.next();
    if let Some(Ok(line)) = &first
        && line.event.seq > 0
    {
        let line = line.clone();
        return Ok(ExportReport::Fragment(read::fragment(&line, first.into_iter().chain(lines))?));
    }
    let options = Options { objects: None, keep_going };
    let batches = read::batches(first.into_iter().chain(lines.by_ref()));
    let mut report = verify_batches(batches, expectations, options, observer)?;
    if keep_going && !report.faults.is_empty() {
        report.heard_all = lines.look_behind(&mut report.faults)?;
    }
    Ok(ExportReport::Whole(Box::new(report)))
}
