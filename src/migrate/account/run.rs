//! Which run is meant, and where its events stand.

use ledger_format::hash::EventId;
use projections::{Outcome, Phase};
use serde::Serialize;

use crate::ledger::{Cursor, CursorError, Ledger};

/// A run and the events that may belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSpan {
    /// The run.
    pub run: EventId,
    /// Sequence number of its `run.started` event.
    pub first: u64,
    /// Number of events of the ledger when it had ended, or now.
    pub end: u64,
    /// How far it has come.
    pub outcome: RunOutcome,
    /// Sequence number of its `run.committed` event, if it was committed.
    pub committed: Option<u64>,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// It is under way and not committed.
    Open,
    /// It is committed, and being published.
    Committed,
    /// It has come to its end.
    Published,
    /// It ended before it was committed.
    Aborted,
    /// It was committed, and its publication given up.
    Abandoned,
}

impl RunOutcome {
    /// The word that stands for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Committed => "committed",
            Self::Published => "published",
            Self::Aborted => "aborted",
            Self::Abandoned => "abandoned",
        }
    }

    /// Whether the run was committed.
    pub const fn is_committed(self) -> bool {
        matches!(self, Self::Committed | Self::Published | Self::Abandoned)
    }
}

/// The run that `name` names: the first digits of its id, with or without `run:` before them, or a cursor, of which it is the run that the
/// state there is the outcome of. Without a name the last one that began.
pub fn find_run(ledger: &Ledger, name: Option<&str>) -> Result<RunSpan, CursorError> {
    let mut spans = spans(ledger);
    let Some(name) = name else {
        return spans.pop().ok_or(CursorError::NoRun);
    };
    let digits = name.strip_prefix("run:").unwrap_or(name);
    let Ok(Cursor::Run { id, before: false }) = format!("run:{digits}").parse() else {
        return at(ledger, name, spans);
    };
    spans.retain(|span| span.run.to_string().starts_with(&id));
    let (what, size) = (format!("run {id}"), ledger.state().size());
    match spans.len() {
        0 | 1 => spans.pop().ok_or(CursorError::Unknown { what, size }),
        _ => Err(CursorError::Ambiguous { what }),
    }
}

/// The last run that was committed at the cursor `name`. Within a run that is not committed there, two are meant as well as one.
fn at(ledger: &Ledger, name: &str, spans: Vec<RunSpan>) -> Result<RunSpan, CursorError> {
    let size = ledger.resolve(&name.parse()?)?;
    let under_way = |span: &&RunSpan| {
        let staged = match (span.committed, span.outcome) {
            (Some(committed), _) => size <= committed,
            (None, RunOutcome::Open) => true,
            (None, _) => size < span.end,
        };
        span.first < size && staged
    };
    if let Some(within) = spans.iter().find(under_way) {
        let (cursor, run) = (name.to_owned(), within.run.short());
        return Err(CursorError::Within { cursor, run });
    }
    let committed = |span: &RunSpan| span.committed.is_some_and(|committed| committed < size);
    spans.into_iter().rfind(committed).ok_or(CursorError::NoRun)
}

/// Every run of the ledger, in the order in which they began.
pub fn spans(ledger: &Ledger) -> Vec<RunSpan> {
    let runs = ledger.state().runs();
    let finished = runs.finished.iter().map(|run| RunSpan {
        run: run.run,
        first: run.started_seq,
        end: run.ended_seq + 1,
        committed: run.outcome.committed_seq(),
        outcome: match run.outcome {
            Outcome::Published { .. } => RunOutcome::Published,
            Outcome::Aborted { .. } => RunOutcome::Aborted,
            Outcome::Abandoned { .. } => RunOutcome::Abandoned,
        },
    });
    let open = runs.open.iter().map(|run| RunSpan {
        run: run.run,
        first: run.started_seq,
        end: ledger.state().size(),
        committed: match run.phase {
            Phase::Staging => None,
            Phase::Publishing { committed_seq, .. } => Some(committed_seq),
        },
        outcome: match run.phase {
            Phase::Staging => RunOutcome::Open,
            Phase::Publishing { .. } => RunOutcome::Committed,
        },
    });
    finished.chain(open).collect()
}
