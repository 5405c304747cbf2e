//! What is said of a filtered export: whose events are shown, under which head, and by whose word that is to be believed.

use std::collections::BTreeMap;
use std::io::{self, Write};

use ed25519_dalek::VerifyingKey;
use ledger_format::hash::{KeyId, LedgerId, NodeHash};
use ledger_format::head::SignedHead;
use serde::Serialize;

use super::context::Context;
use super::export_file::{Found, NOT_CHECKED, Source};
use super::looked_at::AgainstHead;
use super::output::{Answer, Done};
use super::terminal::Paint;
use super::words::count;
use crate::diagnostic::{Failure, SIGNATURE_BAD, SIGNER_NOT_NAMED};
use crate::export::{NOT_SHOWN, Selection};

/// What is not shown about who recorded the events.
const ONE_SIGNER: &str = "who recorded each event: whoever signed the head says so of all of them";

/// A filtered export.
#[derive(Serialize)]
pub(super) struct Selected {
    verdict: Word,
    ledger: Option<LedgerId>,
    /// Whether the caller knew the ledger's id.
    ledger_known: bool,
    /// Of the head that all events are under.
    size: Option<u64>,
    root: Option<NodeHash>,
    signer: Option<KeyId>,
    /// Who knows the head, or its key.
    known_by: Option<&'static str>,
    compared: Vec<AgainstHead>,
    events: u64,
    first_seq: Option<u64>,
    last_seq: Option<u64>,
    kinds: BTreeMap<&'static str, u64>,
    faults: Vec<Found>,
    read_to_end: bool,
    not_checked: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// Each event is in the history of a head that is known, or signed by a key that is.
    Proven,
    /// The same of a head that nobody knows.
    ConsistentOnly,
    Failed,
}

/// What it was asked of.
pub(super) struct Asked<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) ledger_known: bool,
    /// The key that is to have signed.
    pub(super) signer: Option<VerifyingKey>,
}

impl Asked<'_> {
    pub(super) fn judge(
        &self,
        selection: &Selection,
        context: &Context,
    ) -> Result<Done<Selected>, Failure> {
        let head = selection.head.as_ref();
        let alone = head.map(|head| context.endorsement_alone(head)).transpose()?.flatten();
        let seen = alone.as_ref().is_some_and(|endorsed| endorsed.met).then_some("witnesses");
        let other = self.other_signer(selection);
        let sound = selection.faults.is_empty() && other.is_none();
        let named = self.signer.map(|_| "signer");
        let known = selection.known.as_ref().map(|known| known.by.word());
        let known_by = known.or(seen).or(named).filter(|_| sound);
        let verdict = match known_by {
            _ if !sound => Word::Failed,
            Some(_) => Word::Proven,
            None => Word::ConsistentOnly,
        };
        let faults = selection.faults.iter();
        let faults = faults.map(|fault| self.source.failure(fault, fault.line()));
        let nameless = (verdict == Word::ConsistentOnly).then(|| self.nameless());
        let unmet = context.unmet_by(alone.as_ref())?;
        let found = faults.chain(other).chain(nameless).chain(unmet);
        let selected = Selected::of(selection, verdict, known_by, self.ledger_known);
        Ok(found.fold(Done::new(selected), Done::found))
    }

    /// That another key signed than the one that was named.
    fn other_signer(&self, selection: &Selection) -> Option<Failure> {
        let head = selection.head.as_ref()?;
        let named = KeyId::of(self.signer.as_ref()?.as_bytes());
        let told = format!("the head is signed by {}, not by {named}", head.signer());
        (named != head.signer()).then(|| {
            let failure = Failure::new(&SIGNATURE_BAD, told).at(self.source.name());
            failure.not_done("the head is not to be believed")
        })
    }

    fn nameless(&self) -> Failure {
        let told =
            "each line leads to the head; whose key signed it was not compared with anything";
        let next = ["export", "verify", &self.source.given(), "--signer", "PUBLIC_KEY"];
        let failure = Failure::new(&SIGNER_NOT_NAMED, told).at(self.source.name());
        failure.not_done("whoever has a key can make a history of their own").next(next)
    }
}

impl Selected {
    fn of(
        selection: &Selection,
        verdict: Word,
        known_by: Option<&'static str>,
        ledger_known: bool,
    ) -> Self {
        let (head, faults) = (selection.head.as_ref(), selection.faults.iter());
        Self {
            verdict,
            ledger: selection.ledger(),
            ledger_known,
            size: head.map(|head| head.head().size),
            root: selection.root(),
            signer: head.map(SignedHead::signer),
            known_by,
            compared: selection.compared.iter().map(AgainstHead::of).collect(),
            events: selection.events,
            first_seq: selection.first,
            last_seq: selection.last,
            kinds: selection.kinds.clone(),
            faults: faults.map(|fault| Found::of(fault, fault.line())).collect(),
            read_to_end: selection.heard_all,
            not_checked: [NOT_SHOWN, ONE_SIGNER].into_iter().chain(NOT_CHECKED).collect(),
        }
    }

    fn title(&self, paint: Paint) -> String {
        let events = count(self.events, "event");
        match self.verdict {
            Word::Proven => paint.strong(format_args!("{events}, each proved to be in the ledger")),
            Word::ConsistentOnly => {
                let told = "each under a head that was not compared with anything";
                paint.warning(format_args!("{events}, {told}"))
            }
            Word::Failed => paint.error("not what was signed"),
        }
    }
}

impl Answer for Selected {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        writeln!(out, "{}", self.title(paint))?;
        if let (Some(ledger), Some(size), Some(root)) = (&self.ledger, self.size, &self.root) {
            let known = if self.ledger_known { ", as named" } else { "" };
            writeln!(out, "  ledger      {ledger}{known}")?;
            writeln!(out, "  under       the head over {}, root {root}", count(size, "event"))?;
        }
        if let Some(signer) = &self.signer {
            writeln!(out, "  signed by   key {signer}")?;
        }
        if let Some(by) = self.known_by {
            writeln!(out, "  known by    {by}")?;
        }
        let events = count(self.events, "event");
        writeln!(out, "  checked     {events}: bytes, columns, order, and the way to the root")?;
        if let (Some(first), Some(last)) = (self.first_seq, self.last_seq) {
            writeln!(out, "              from event {first} to {last}")?;
        }
        for (kind, events) in &self.kinds {
            writeln!(out, "              {events} {kind}")?;
        }
        let elsewhere = "over another number of events, which says nothing";
        self.compared.iter().try_for_each(|compared| compared.write(out, elsewhere))?;
        for told in &self.not_checked {
            writeln!(out, "  not looked  {told}")?;
        }
        self.faults.iter().try_for_each(|fault| fault.write(out))?;
        if !self.read_to_end {
            let told = "what lies behind was not looked at (--keep-going)";
            writeln!(out, "  broken off  after {events}; {told}")?;
        }
        Ok(())
    }
}
