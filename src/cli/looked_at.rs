//! What a verification of a ledger, or of its export, looked at, and by whose word. Knows a report; decides nothing.

use std::io::{self, Write};

use ledger_format::hash::{KeyId, NodeHash};
use ledger_format::head::SignedHead;
use serde::Serialize;

use super::terminal::Paint;
use super::words::count;
use crate::ledger::{KnownHead, notes};
use crate::verify::{Compared, Report, Signed};

/// What a verification came to.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Complete,
    ConsistentOnly,
    Failed,
}

/// How much was read, against what it was held, and who signed it.
#[derive(Serialize)]
pub(super) struct LookedAt {
    /// Events read.
    pub(super) size: u64,
    batches: u64,
    /// Every head that it was held against.
    compared: Vec<AgainstHead>,
    /// Whose keys signed what is vouched for.
    signers: Vec<Signer>,
    /// What was signed with a key since its owner may not have been the one who signs.
    suspect: Vec<Range>,
}

#[derive(Serialize)]
pub(super) struct AgainstHead {
    by: &'static str,
    size: u64,
    /// null where what is wrong before it keeps that from being told.
    agrees: Option<bool>,
}

/// A key, and how many of the events that a signed head vouches for are signed with it.
#[derive(Serialize)]
struct Signer {
    key: KeyId,
    events: u64,
    first: u64,
    last: u64,
}

/// Events that one key signed.
#[derive(Serialize)]
struct Range {
    key: KeyId,
    first: u64,
    last: u64,
}

/// A head.
#[derive(Serialize)]
pub(super) struct Head {
    pub(super) size: u64,
    pub(super) root: NodeHash,
    /// As it was signed; of one that was typed in there is none.
    pub(super) note: Option<String>,
}

impl Verdict {
    /// In words, of a ledger that is complete, or else consistent, up to `size` events.
    pub(super) fn write(self, size: u64, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let size = count(size, "event");
        let title = match self {
            Self::Complete => paint.strong(format_args!("complete up to {size}")),
            Self::ConsistentOnly => {
                paint.warning(format_args!("consistent up to {size}; completeness not proven"))
            }
            Self::Failed => paint.error("not what was signed"),
        };
        writeln!(out, "{title}")
    }
}

impl LookedAt {
    pub(super) fn of(report: &Report) -> Self {
        Self {
            size: report.size,
            batches: report.batches,
            compared: report.compared.iter().map(AgainstHead::of).collect(),
            signers: Signer::all(&report.signed),
            suspect: report.suspect().iter().map(Range::of).collect(),
        }
    }

    /// Tells people up to where all is good, and by whose word it is known to be all up to `known` events.
    pub(super) fn write_known(
        &self,
        good: Option<&Head>,
        by: Option<&str>,
        known: u64,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match good {
            Some(Head { size, root, .. }) => {
                writeln!(out, "  good        {}, root {root}", count(*size, "event"))?;
            }
            None => writeln!(out, "  good        nothing")?,
        }
        let Some(by) = by else { return Ok(()) };
        writeln!(out, "  known by    {by}")?;
        match self.size.saturating_sub(known) {
            0 => Ok(()),
            beyond => {
                let beyond = count(beyond, "event");
                writeln!(
                    out,
                    "  beyond it   {beyond}, signed and consistent; whether all is not known"
                )
            }
        }
    }

    /// Tells people what was looked at, and by whose word.
    pub(super) fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let (events, heads) = (count(self.size, "event"), count(self.batches, "head"));
        writeln!(
            out,
            "  checked     {events}: bytes, order, links, who may sign what, what may come when"
        )?;
        writeln!(
            out,
            "              {heads}: root, signature, and that the key was allowed to sign"
        )?;
        for Signer { key, events, first, last } in &self.signers {
            let events = count(*events, "event");
            writeln!(out, "  signed by   key {}: {events}, from {first} to {last}", key.short())?;
        }
        self.compared.iter().try_for_each(|compared| compared.write(out, "not reached"))?;
        for Range { key, first, last } in &self.suspect {
            let told = format!(
                "events {first} to {last}: key {} signed them, perhaps not its owner",
                key.short()
            );
            writeln!(out, "  suspect     {}", paint.warning(told))?;
        }
        Ok(())
    }
}

impl AgainstHead {
    pub(super) const fn of(compared: &Compared) -> Self {
        let Compared { by, size, agrees } = *compared;
        Self { by: by.word(), size, agrees }
    }

    /// `not_told` says what kept it from being told.
    pub(super) fn write(&self, out: &mut dyn Write, not_told: &str) -> io::Result<()> {
        let told = match self.agrees {
            Some(true) => "agrees",
            Some(false) => "contradicted",
            None => not_told,
        };
        writeln!(out, "  held to     {} over {}: {told}", self.by, count(self.size, "event"))
    }
}

impl Signer {
    /// Every key that signed something, in the order of their first events.
    fn all(signed: &[Signed]) -> Vec<Self> {
        let mut signers: Vec<Self> = Vec::new();
        for Signed { key, seqs } in signed {
            let (events, last) = (seqs.end - seqs.start, seqs.end.saturating_sub(1));
            match signers.iter_mut().find(|signer| signer.key == *key) {
                Some(signer) => (signer.events, signer.last) = (signer.events + events, last),
                None => signers.push(Self { key: *key, events, first: seqs.start, last }),
            }
        }
        signers
    }
}

impl Range {
    fn of(signed: &Signed) -> Self {
        let Signed { key, seqs } = signed;
        Self { key: *key, first: seqs.start, last: seqs.end.saturating_sub(1) }
    }
}

impl Head {
    pub(super) fn of(head: &SignedHead) -> Self {
        let (size, root) = (head.head().size, head.head().root);
        Self { size, root, note: notes([head]).pop() }
    }

    pub(super) fn known(known: &KnownHead) -> Self {
        Self { size: known.size, root: known.root, note: notes(&known.note).pop() }
    }
}
