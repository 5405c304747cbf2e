//! What the judge said of a bent copy, weighed: found, harmless, or a mistake.

use std::collections::BTreeMap;

use ledger_format::hash::CommitHash;
use ledger_format::head::TreeHead;
use projections::State;

use crate::diagnostic::{COMPLETENESS_NOT_PROVEN, Failure};
use crate::verify::{Outcome, Report, VerifyError};

/// What the judge said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Something is wrong, told with this code.
    Found(&'static str),
    /// Nothing is wrong with what is there, and the judge says that it cannot tell whether that is all.
    NotProven,
    /// Everything is as it was: the same newest head, the same state, and nothing less.
    Harmless,
}

/// How the ledger was before anything was bent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    head: TreeHead,
    state: CommitHash,
}

impl Truth {
    /// Of a ledger that the judge found whole; `None` of any other.
    #[must_use]
    pub fn of(report: &Report) -> Option<Self> {
        if report.outcome == Outcome::Failed {
            return None;
        }
        Some(Self {
            head: *report.good.as_ref()?.head(),
            state: report.state.as_ref().map(State::digest)?,
        })
    }

    /// What a verdict on a bent copy comes to. An error is a ledger called good that is not the one it was.
    pub fn weigh(&self, judged: Result<Report, VerifyError>) -> Result<Shown, String> {
        let report = match judged {
            Ok(report) => report,
            Err(error) => return Ok(Shown::Found(Failure::from(error).code.id)),
        };
        if report.outcome == Outcome::Failed {
            let first = report.first().map(|fault| fault.code().id);
            return first.map(Shown::Found).ok_or_else(|| "failed without a fault".to_owned());
        }
        if Self::of(&report).as_ref() == Some(self) {
            return Ok(Shown::Harmless);
        }
        if report.outcome == Outcome::ConsistentOnly {
            return Ok(Shown::NotProven);
        }
        let good = report.good.as_ref().map_or(0, |head| head.head().size);
        Err(format!("called complete, with {good} events and not the state of before"))
    }
}

/// What came of one kind of attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The attack.
    pub title: String,
    /// In how many ways it was tried.
    pub tried: u64,
    /// How often each code was the first that was told.
    pub found: BTreeMap<&'static str, u64>,
    /// How often nothing had changed.
    pub harmless: u64,
    /// Ledgers called good that are not what they were: there must be none.
    pub mistaken: Vec<String>,
}

impl Row {
    /// Of an attack that was not tried yet.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        let (found, mistaken) = (BTreeMap::new(), Vec::new());
        Self { title: title.into(), tried: 0, found, harmless: 0, mistaken }
    }

    /// Notes what came of trying it in the way `number`.
    pub fn note(&mut self, number: u64, weighed: Result<Shown, String>) {
        self.tried += 1;
        match weighed {
            Ok(Shown::Found(code)) => self.count(code),
            Ok(Shown::NotProven) => self.count(COMPLETENESS_NOT_PROVEN.id),
            Ok(Shown::Harmless) => self.harmless += 1,
            Err(told) => self.mistaken.push(format!("{}, {number}: {told}", self.title)),
        }
    }

    fn count(&mut self, code: &'static str) {
        *self.found.entry(code).or_default() += 1;
    }
}
