//! What is known against what was found.

use std::collections::BTreeMap;

use ledger_format::hash::{EventId, KeyId, LedgerId, NodeHash};
use ledger_format::head::SignedHead;
use projections::KeyRing;

use super::signature::verify_remembered;
use super::{Compared, Expectations, Fault};
use crate::ledger::{KnownBy, KnownHead, Unsigned};

/// What was found in the log.
pub(super) struct Found<'a> {
    pub(super) ledger: Option<LedgerId>,
    pub(super) size: u64,
    /// Whether the whole log was read.
    pub(super) heard_all: bool,
    /// Whether no fault was found in it.
    pub(super) sound: bool,
    pub(super) keys: &'a KeyRing,
    /// What was passed at the sizes of the heads known, as far as the log got.
    pub(super) passed: &'a BTreeMap<u64, Passed>,
    pub(super) good: Option<&'a SignedHead>,
    pub(super) newest: Option<&'a SignedHead>,
    /// The last event under the anchor.
    pub(super) anchored_event: Option<EventId>,
}

/// The log at some size.
#[derive(Default)]
pub(super) struct Passed {
    pub(super) root: Option<NodeHash>,
    /// Who signed the last of the events, and so the head over them.
    pub(super) actor: Option<KeyId>,
    /// The head over so many events, where a batch ends there.
    pub(super) head: Option<SignedHead>,
}

/// Every head that somebody knows.
pub(super) fn heads(expectations: &Expectations) -> impl Iterator<Item = KnownHead> + use<'_> {
    let Expectations { anchor, pin, named, .. } = expectations;
    let anchor =
        anchor.iter().map(|anchor| KnownHead::signed(KnownBy::Anchor, anchor.head.clone()));
    let seen = pin.iter().map(KnownHead::from);
    let complete = pin.iter().filter_map(KnownHead::complete);
    anchor.chain(seen).chain(complete).chain(named.iter().cloned())
}

/// What came of it.
pub(super) struct Comparison {
    /// What is wrong.
    pub(super) faults: Vec<Fault>,
    pub(super) compared: Vec<Compared>,
    /// The newest head from outside up to which nothing is missing.
    pub(super) complete: Option<KnownHead>,
}

/// Holds what was found against everything that is known.
pub(super) fn compare(expectations: &Expectations, found: &Found<'_>) -> Comparison {
    let mut faults = Vec::new();
    let mut compared = Vec::new();
    let mut complete: Option<KnownHead> = None;
    faults.extend(foreign(expectations, found));
    for known in heads(expectations) {
        let verdict = against(&known, found);
        compared.push(Compared { by: known.by, size: known.size, agrees: verdict.agrees() });
        match verdict {
            Verdict::Fault(fault) => faults.push(fault),
            Verdict::Unknown => {}
            Verdict::Agrees => {
                let newer = complete.as_ref().is_none_or(|held| held.size < known.size);
                if newer && shows_completeness(&known, expectations) {
                    complete = Some(known);
                }
            }
        }
    }
    if let (Some(anchor), Some(actual)) = (&expectations.anchor, found.anchored_event)
        && anchor.last != actual
    {
        let seq = anchor.head.head().size.saturating_sub(1);
        faults.push(Fault::AnchorEvent { seq, expected: anchor.last, actual });
    }
    Comparison { faults, compared, complete }
}

enum Verdict {
    Agrees,
    /// A fault before that size keeps it from being compared.
    Unknown,
    Fault(Fault),
}

impl Verdict {
    /// Whether it agrees, where that could be told.
    const fn agrees(&self) -> Option<bool> {
        match self {
            Self::Agrees => Some(true),
            Self::Unknown => None,
            Self::Fault(_) => Some(false),
        }
    }
}

fn foreign(expectations: &Expectations, found: &Found<'_>) -> Option<Fault> {
    let (place, expected) = expectations.place.clone()?;
    let found = found.ledger.or(expectations.ledger)?;
    (expected != found).then_some(Fault::Foreign { place, expected, found })
}

fn against(known: &KnownHead, found: &Found<'_>) -> Verdict {
    let (by, size) = (known.by, known.size);
    if let (Some(named), Some(found)) = (known.ledger(), found.ledger)
        && named != found
    {
        return Verdict::Fault(Fault::OtherHead { by, named, found });
    }
    let ends_before = found.heard_all && size > found.size;
    // The key may have come in with events that are not here: whether it may sign there cannot be known.
    let unknown = |note: &SignedHead| found.keys.known(&note.signer()).is_none();
    let stranger = known.note.as_ref().filter(|note| unknown(note)).map(SignedHead::signer);
    let regressed = |stranger| {
        Verdict::Fault(Fault::Regressed {
            known: Box::new(known.clone()),
            size: found.size,
            good: found.good.map(|head| Box::new(head.clone())),
            stranger,
        })
    };
    if ends_before && stranger.is_some() {
        return regressed(stranger);
    }
    if let Some(note) = &known.note
        && found.keys.iter().next().is_some()
        && let Err(unsigned) = verify_remembered(note, found.keys)
    {
        return Verdict::Fault(Fault::KnownSignature { by, size, unsigned });
    }
    if ends_before {
        return regressed(None);
    }
    let good = found.good.map_or(0, |head| head.head().size);
    let comparable = found.sound || size <= good;
    let Some(passed) = found.passed.get(&size).filter(|_| comparable) else {
        return Verdict::Unknown;
    };
    match passed.root {
        None => Verdict::Unknown,
        Some(root) if root == known.root => {
            let signer = known.note.as_ref().map(SignedHead::signer);
            match signer.filter(|signer| passed.actor != Some(*signer)) {
                None => Verdict::Agrees,
                Some(signer) => {
                    let unsigned = Unsigned::Unknown(signer);
                    Verdict::Fault(Fault::KnownSignature { by, size, unsigned })
                }
            }
        }
        Some(actual) => Verdict::Fault(Fault::Diverged {
            known: Box::new(known.clone()),
            actual,
            other: passed.head.as_ref().or(found.newest).map(|head| Box::new(head.clone())),
        }),
    }
}

/// The anchor lies in the store: whoever replaces the store replaces it too.
fn shows_completeness(known: &KnownHead, expectations: &Expectations) -> bool {
    let complete = expectations.pin.as_ref().and_then(|pin| pin.provenance.complete());
    let pinned = known.by == KnownBy::Pin && complete.is_some_and(|to| known.size <= to.size);
    pinned || known.shows_completeness()
}
