//! The audit trail: how much of what happened, and which lines went into the store's audit file.

use std::collections::BTreeMap;

use ledger_format::body::Body;
use ledger_format::hash::{ContentHash, EventId};
use serde::{Deserialize, Serialize};

use crate::{Entry, Illegal, Projection};

/// The fold of the audit trail.
pub struct Audit;

/// Counts of events, and the lines written by runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditTrail {
    /// Number of events by kind.
    pub events: BTreeMap<String, u64>,
    /// Lines that committed runs appended to the store's audit file.
    pub lines: Vec<AuditLine>,
}

/// One line of the store's audit file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditLine {
    /// The run that wrote it.
    pub run: EventId,
    /// Hash of the line with its newline.
    pub line: ContentHash,
}

impl AuditTrail {
    pub(crate) fn entries(&self) -> usize {
        self.events.len() + self.lines.len()
    }
}

impl Projection for Audit {
    const NAME: &'static str = "audit";
    const VERSION: u64 = 1;
    type State = AuditTrail;

    fn check(_state: &AuditTrail, _entry: Entry<'_>) -> Result<(), Illegal> {
        Ok(())
    }

    fn advance(state: &mut AuditTrail, entry: Entry<'_>) {
        let kind = entry.event.body.kind();
        match state.events.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(state.events.insert(kind.to_owned(), 1)),
        }
        if let Body::RunCommitted(body) = &entry.event.body
            && let Some(audit) = &body.audit
        {
            let line = ContentHash::of(audit.line.as_bytes());
            state.lines.push(AuditLine { run: body.run, line });
        }
    }
}
