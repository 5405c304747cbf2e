//! The judge's work: batch after batch, from the first event on.
//!
//! As long as everything is good, the fold itself carries chain, tree and keys, so nothing is hashed
//! twice. Behind the first fault there is no state to judge by; links, roots and signatures are still
//! judged, from the chain as it was signed where that can be restored.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use ledger_format::body::{Body, Continues};
use ledger_format::chain::Chain;
use ledger_format::event::EventError;
use ledger_format::hash::{EventId, NodeHash};
use ledger_format::head::SignedHead;
use projections::{Entry, KeyRing, State};

use super::audit::AuditRecords;
use super::compare::{self, Comparison, Passed};
use super::decoded::{Decoded, DecodedEvent, decode};
use super::objects::ObjectCheck;
use super::signature::verify_signature;
use super::{Expectations, Fault, Observer, Options, Outcome, Report, Signed, Stop, VerifyError};
use crate::log::{BATCH_EVENTS_MAX, Batch, in_order};

pub(super) struct Judge<'a> {
    expectations: &'a Expectations,
    keep_going: bool,
    faults: Vec<Fault>,
    /// The fold, while everything is good.
    state: Option<State>,
    /// The chain at the end of the last batch, as it was signed if that is known.
    chain: Option<Chain>,
    /// First event behind the last head that vouches for everything up to it.
    unvouched_from: Option<u64>,
    /// Whether the chain is not known as it was signed, so that no root can be judged any more.
    lost: bool,
    /// Whether the log was read to its end.
    heard_all: bool,
    /// Who could sign the next batch: the keys as folded at the last head.
    keys: KeyRing,
    good: Option<SignedHead>,
    size: u64,
    batches: u64,
    newest: Option<SignedHead>,
    /// What was passed at sizes that somebody knows.
    passed: BTreeMap<u64, Passed>,
    anchored_event: Option<EventId>,
    objects: Option<ObjectCheck<'a>>,
    audit: AuditRecords,
    /// Who signed what of the events that a head vouches for.
    signed: Vec<Signed>,
    continues: Option<Continues>,
}

/// What is wrong with an event at its place.
enum Wrong {
    Bytes(EventError),
    Place(&'static str, String),
}

impl<'a> Judge<'a> {
    pub(super) fn new(expectations: &'a Expectations, options: Options<'a>) -> Self {
        let mut passed: BTreeMap<u64, Passed> =
            compare::heads(expectations).map(|known| (known.size, Passed::default())).collect();
        if let Some(empty) = passed.get_mut(&0) {
            empty.root = Some(NodeHash::empty_root());
        }
        Self {
            expectations,
            keep_going: options.keep_going,
            faults: Vec::new(),
            state: None,
            chain: None,
            unvouched_from: None,
            lost: false,
            heard_all: false,
            keys: KeyRing::default(),
            good: None,
            size: 0,
            batches: 0,
            newest: None,
            passed,
            anchored_event: None,
            objects: options.objects.map(ObjectCheck::new),
            audit: AuditRecords::default(),
            signed: Vec::new(),
            continues: None,
        }
    }

    /// Judges every batch. One batch is held back until the next one is there, whose first event
    /// names the last of this.
    pub(super) fn hear(
        &mut self,
        batches: impl Iterator<Item = Result<Batch, Stop>>,
        total: Option<u64>,
        observer: &mut dyn Observer,
    ) -> Result<(), VerifyError> {
        let mut held: Option<Decoded> = None;
        let mut failure = None;
        let mut broken_off = false;
        in_order(batches, decode, |next| {
            let (next, stopped) = match next {
                Ok(next) => (Some(next), None),
                Err(stop) => (None, Some(stop)),
            };
            let mut flow = ControlFlow::Continue(());
            if let Some(batch) = held.take() {
                let successor = next.as_ref().and_then(|next| next.events.first());
                flow = self.batch(&batch, successor);
                observer.progress(self.size, total);
            }
            held = next;
            let flow = match stopped {
                None => flow,
                Some(Stop::Fault(fault)) => {
                    if flow.is_continue() {
                        self.faults.push(fault);
                    }
                    ControlFlow::Break(())
                }
                Some(Stop::Error(error)) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            };
            broken_off |= flow.is_break();
            flow
        });
        if let Some(error) = failure {
            return Err(error);
        }
        if let Some(batch) = held.filter(|_| !broken_off) {
            broken_off = self.batch(&batch, None).is_break();
            observer.progress(self.size, total);
        }
        self.heard_all = !broken_off;
        Ok(())
    }

    /// Compares what was found with what is remembered.
    pub(super) fn conclude(mut self, total: Option<u64>) -> Report {
        if self.heard_all
            && let Some(total) = total.filter(|total| *total > self.size)
        {
            self.faults.push(Fault::Gap { first: self.size, last: total - 1 });
        }
        let found = compare::Found {
            ledger: self.chain.as_ref().map(Chain::ledger),
            size: self.size,
            heard_all: self.heard_all,
            sound: self.faults.is_empty(),
            keys: &self.keys,
            passed: &self.passed,
            good: self.good.as_ref(),
            newest: self.newest.as_ref(),
            anchored_event: self.anchored_event,
        };
        let Comparison { faults, compared, complete } = compare::compare(self.expectations, &found);
        let ledger = found.ledger;
        self.faults.extend(faults);
        if self.faults.is_empty() && self.size == 0 {
            self.faults.push(Fault::Empty);
        }
        let objects = self.objects.map(|objects| {
            let (count, faults) = objects.finish();
            self.faults.extend(faults);
            count
        });
        let outcome = match complete {
            _ if !self.faults.is_empty() => Outcome::Failed,
            Some(known) => Outcome::Complete { known },
            None => Outcome::ConsistentOnly,
        };
        let state = self.state.filter(|_| outcome != Outcome::Failed);
        Report {
            ledger,
            size: self.size,
            batches: self.batches,
            good: self.good,
            faults: self.faults,
            outcome,
            objects,
            audit: self.audit,
            state,
            compared,
            heard_all: self.heard_all,
            signed: self.signed,
            keys: self.keys,
            continues: self.continues,
        }
    }

    /// Judges one batch; breaks off where nothing behind it could be judged, or nobody wants it.
    fn batch(&mut self, batch: &Decoded, successor: Option<&DecodedEvent>) -> ControlFlow<()> {
        let before = self.faults.len();
        let flow = self.judge(batch, successor);
        if self.faults.len() > before && !self.keep_going { ControlFlow::Break(()) } else { flow }
    }

    fn judge(&mut self, batch: &Decoded, successor: Option<&DecodedEvent>) -> ControlFlow<()> {
        let first = batch.first_seq;
        if first != self.size {
            self.faults.push(if first > self.size {
                Fault::Gap { first: self.size, last: first - 1 }
            } else {
                Fault::Disorder { expected: self.size, found: first }
            });
            return ControlFlow::Break(());
        }
        let count = batch.events.len() as u64;
        if count == 0 || count > BATCH_EVENTS_MAX as u64 {
            let reason = "there are none, or more than a batch holds";
            self.faults.push(Fault::Unclosed { first, reason });
            return ControlFlow::Break(());
        }
        let Some(start) = self.begin(batch) else { return ControlFlow::Break(()) };
        let wrong = self.fold(batch);
        self.size += count;
        self.batches += 1;
        self.newest = Some(batch.head.clone());
        if first == 0 && self.keys.iter().next().is_none() {
            // Without the first event nobody is known who could have signed anything.
            if let Some((seq, wrong)) = wrong {
                let root = walk(&start, &batch.events).chain.frontier().root();
                self.faults.push(wrong.unsigned(seq, root == batch.head.head().root));
            }
            return ControlFlow::Break(());
        }
        let end = match &self.state {
            Some(state) => Walked { chain: state.chain().clone(), broken_at: None },
            None => walk(&start, &batch.events),
        };
        self.weigh(batch, &start, end, wrong, successor);
        ControlFlow::Continue(())
    }

    /// The chain before the batch; for the first, that of the ledger expected or named by its head.
    fn begin(&mut self, batch: &Decoded) -> Option<Chain> {
        if let Some(chain) = &self.chain {
            return Some(chain.clone());
        }
        let found = batch.head.head().ledger;
        let ledger = self.expectations.ledger.unwrap_or(found);
        if found != ledger {
            self.faults.push(Fault::OtherLedger { expected: ledger, found });
            return None;
        }
        self.state = Some(State::new(ledger));
        let chain = Chain::new(ledger);
        self.chain = Some(chain.clone());
        Some(chain)
    }

    /// Folds the batch's events. Stops at the first that is wrong; then there is no state any more.
    fn fold(&mut self, batch: &Decoded) -> Option<(u64, Wrong)> {
        let mut state = self.state.take()?;
        let actor = batch.head.signer();
        for (seq, decoded) in (batch.first_seq..).zip(&batch.events) {
            let event = match &decoded.event {
                Ok(event) => event,
                Err(error) => return Some((seq, Wrong::Bytes(error.clone()))),
            };
            let kind = event.body.kind();
            if let Err(rule) = state.apply(Entry { event, id: decoded.id }) {
                return Some((seq, Wrong::Place(kind, rule.to_string())));
            }
            if let Body::LedgerCreated(body) = &event.body {
                self.keys = state.keys().clone();
                self.continues.clone_from(&body.continues);
            }
            if event.actor != actor {
                let (named, signed) = (event.actor.short(), actor.short());
                let rule =
                    format!("names key {named} as its signer, its head is signed by {signed}");
                return Some((seq, Wrong::Place(kind, rule)));
            }
            if let Some(passed) = self.passed.get_mut(&state.size()) {
                passed.root = Some(state.chain().frontier().root());
                passed.actor = Some(actor);
            }
        }
        self.state = Some(state);
        None
    }

    /// Holds the events found against the head that closes them.
    fn weigh(
        &mut self,
        batch: &Decoded,
        start: &Chain,
        found: Walked,
        wrong: Option<(u64, Wrong)>,
        successor: Option<&DecodedEvent>,
    ) {
        let (first, last) = (batch.first_seq, self.size - 1);
        let stated = batch.head.head();
        let broken_at = wrong.as_ref().map(|(seq, _)| *seq).or(found.broken_at);
        if stated.size != self.size || stated.ledger != start.ledger() {
            let stated = Box::new(*stated);
            self.faults.push(Fault::Misplaced { first, last, stated });
            return self.go_on(found.chain, first);
        }
        if let Err(unsigned) = verify_signature(&batch.head, &self.keys) {
            self.faults.push(Fault::Signature { size: stated.size, unsigned });
            return self.go_on(found.chain, first);
        }
        let actual = found.chain.frontier().root();
        if actual == stated.root {
            if let Some((seq, wrong)) = wrong {
                self.faults.push(wrong.signed(seq));
                self.state = None;
            }
            return self.vouch(batch, found.chain);
        }
        self.state = None;
        if self.unvouched_from.is_none()
            && let Some(restored) = restore(batch, start, &self.last_ids(batch, successor))
        {
            let altered = |(seq, expected, actual)| Fault::Altered {
                seq,
                expected,
                actual,
                head_size: stated.size,
            };
            self.faults.extend(restored.altered.into_iter().map(altered));
            self.chain = Some(restored.chain);
            return;
        }
        if !self.lost {
            let first = self.unvouched_from.unwrap_or(first);
            let expected = stated.root;
            self.faults.push(Fault::Rewritten { first, last, expected, actual, broken_at });
            self.lost = true;
        } else if let Some(seq) = broken_at {
            // Behind a range that is lost every root is another; only what shows by itself is told.
            let reason = "is no event, or does not continue the one before it".to_owned();
            self.faults.push(Fault::Unlinked { seq, reason });
        }
        self.go_on(found.chain, first);
    }

    /// The batch's head vouches for everything up to it.
    fn vouch(&mut self, batch: &Decoded, chain: Chain) {
        self.unvouched_from = None;
        self.lost = false;
        if let Some(passed) = self.passed.get_mut(&batch.head.head().size) {
            passed.head = Some(batch.head.clone());
        }
        if let Some(state) = self.state.as_ref().filter(|_| changes_keys(batch)) {
            self.keys = state.keys().clone();
        }
        self.note_signer(batch);
        let good = self.faults.is_empty();
        if good {
            self.good = Some(batch.head.clone());
        }
        for (seq, decoded) in (batch.first_seq..).zip(&batch.events) {
            let Ok(event) = &decoded.event else { continue };
            if let Some(objects) = &mut self.objects {
                objects.check(seq, &event.body);
            }
            if good {
                self.audit.record(seq, &event.body);
            }
        }
        let anchor = self.expectations.anchor.as_ref();
        if anchor.is_some_and(|anchor| anchor.head.head().size == chain.size()) {
            self.anchored_event = Some(chain.last());
        }
        self.chain = Some(chain);
    }

    /// Adds the batch to what its signer signed. Batches of one signer after each other are one entry.
    fn note_signer(&mut self, batch: &Decoded) {
        let (key, size) = (batch.head.signer(), self.size);
        match self.signed.last_mut() {
            Some(last) if last.key == key && last.seqs.end == batch.first_seq => {
                last.seqs.end = size;
            }
            _ => self.signed.push(Signed { key, seqs: batch.first_seq..size }),
        }
    }

    /// Goes on behind events from `first` on for which no head vouches.
    fn go_on(&mut self, chain: Chain, first: u64) {
        self.state = None;
        self.unvouched_from.get_or_insert(first);
        self.chain = Some(chain);
    }

    /// What is said elsewhere about the id of the batch's last event.
    fn last_ids(&self, batch: &Decoded, successor: Option<&DecodedEvent>) -> Vec<EventId> {
        let named = successor.and_then(|event| event.event.as_ref().ok()).map(|event| event.prev);
        let anchor = self.expectations.anchor.as_ref();
        let anchored = anchor.filter(|anchor| anchor.head.head().size == batch.head.head().size);
        let own = batch.events.last().map(|event| event.id);
        own.into_iter().chain(named).chain(anchored.map(|anchor| anchor.last)).collect()
    }
}

impl Wrong {
    /// The fault, where nobody is known who could have signed the bytes. That they are in another format is believed where they lead to
    /// the root that stands over them.
    fn unsigned(self, seq: u64, rooted: bool) -> Fault {
        match self {
            Self::Bytes(EventError::Format { actual }) if rooted => Fault::Format { seq, actual },
            Self::Bytes(error) => Fault::Unreadable { seq, reason: error.to_string() },
            Self::Place(_, reason) => Fault::Unreadable { seq, reason },
        }
    }

    /// The fault, where the bytes are those that were signed.
    fn signed(self, seq: u64) -> Fault {
        match self {
            Self::Bytes(EventError::Format { actual }) => Fault::Format { seq, actual },
            Self::Bytes(error) => Fault::Illegal { seq, kind: "unknown", rule: error.to_string() },
            Self::Place(kind, rule) => Fault::Illegal { seq, kind, rule },
        }
    }
}

/// Where a batch leads, taken as it is.
struct Walked {
    chain: Chain,
    /// First event that is none or does not continue the one before it.
    broken_at: Option<u64>,
}

fn walk(start: &Chain, events: &[DecodedEvent]) -> Walked {
    let mut walked = Walked { chain: start.clone(), broken_at: None };
    for decoded in events {
        let chain = &mut walked.chain;
        let pushed =
            decoded.event.as_ref().is_ok_and(|event| chain.push(event, decoded.id).is_ok());
        if !pushed {
            walked.broken_at.get_or_insert(chain.size());
            let at = decoded.event.as_ref().map_or(chain.last_at(), |event| event.at);
            force(chain, decoded.id, at);
        }
    }
    walked
}

/// Appends an id whatever its event says.
fn force(chain: &mut Chain, id: EventId, at: u64) {
    let mut frontier = chain.frontier().clone();
    frontier.push(NodeHash::leaf(id));
    *chain = Chain::resume(chain.ledger(), id, at, frontier);
}

/// A batch as it was signed: the events that are no longer so, each with the id signed and found.
struct Restored {
    chain: Chain,
    altered: Vec<(u64, EventId, EventId)>,
}

/// Most places in one batch where own id and link differ for which every combination is tried: one
/// changed event makes at most two. With more, only the links are believed.
const COMBINED_MAX: usize = 4;

/// Every event names the one before it, so there are two sayings about each id: its bytes' own and
/// its successor's. The choice that leads to the signed root is what was signed; the events whose own
/// ids it does not take are the ones that were changed.
fn restore(batch: &Decoded, start: &Chain, last_ids: &[EventId]) -> Option<Restored> {
    let signed = batch.head.head().root;
    let own: Vec<EventId> = batch.events.iter().map(|event| event.id).collect();
    last_ids.iter().find_map(|last| {
        let links = batch.events.iter().skip(1).zip(&own);
        let links = links.map(|(next, own)| next.event.as_ref().map_or(*own, |next| next.prev));
        let links: Vec<EventId> = links.chain([*last]).collect();
        let differing = own.iter().zip(&links).filter(|(own, link)| own != link).count();
        let combinations = if differing <= COMBINED_MAX { 1_u32 << differing } else { 1 };
        (0..combinations).find_map(|own_ones| {
            let restored = choose(batch, start, &links, own_ones);
            (restored.chain.frontier().root() == signed).then_some(restored)
        })
    })
}

/// Believes the links, except at the differing places whose bits are set in `own_ones`.
fn choose(batch: &Decoded, start: &Chain, links: &[EventId], own_ones: u32) -> Restored {
    let mut restored = Restored { chain: start.clone(), altered: Vec::new() };
    let mut place = 0;
    for (decoded, link) in batch.events.iter().zip(links) {
        let mut id = decoded.id;
        if id != *link {
            if own_ones.checked_shr(place).unwrap_or_default() & 1 == 0 {
                id = *link;
                restored.altered.push((restored.chain.size(), id, decoded.id));
            }
            place += 1;
        }
        let at = decoded.event.as_ref().map_or(restored.chain.last_at(), |event| event.at);
        force(&mut restored.chain, id, at);
    }
    restored
}

/// Whether other keys may sign behind the batch than before it.
fn changes_keys(batch: &Decoded) -> bool {
    let mut events = batch.events.iter().filter_map(|decoded| decoded.event.as_ref().ok());
    events.any(|event| {
        let body = &event.body;
        matches!(body, Body::KeyAuthorized(_) | Body::KeyRotated(_) | Body::KeyRevoked(_))
    })
}
