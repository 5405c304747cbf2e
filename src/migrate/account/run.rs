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

/// The run whose id begins with `name`, with or without `run:` before it; without a name the last one that began.
pub fn find_run(ledger: &Ledger, name: Option<&str>) -> Result<RunSpan, CursorError> {
    let mut spans = spans(ledger);
    let Some(name) = name else {
        return spans.pop().ok_or(CursorError::NoRun);
    };
    let digits = name.strip_prefix("run:").unwrap_or(name);
    let cursor: Cursor = format!("run:{digits}").parse()?;
    let Cursor::Run { id, before: false } = cursor else {
        return Err(CursorError::Form { text: name.to_owned() });
    };
    spans.retain(|span| span.run.to_string().starts_with(&id));
    let (what, size) = (format!("run {id}"), ledger.state().size());
    match spans.len() {
        0 | 1 => spans.pop().ok_or(CursorError::Unknown { what, size }),
        _ => Err(CursorError::Ambiguous { what }),
    }
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
