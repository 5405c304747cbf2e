//! What is remembered against what was found.

use std::collections::BTreeMap;

use ledger_format::hash::{EventId, LedgerId, NodeHash};
use ledger_format::head::{SignedHead, TreeHead};
use projections::KeyRing;

use super::signature::verify_remembered;
use super::{Expectations, Fault, Witness};

/// What was found in the log.
pub(super) struct Found<'a> {
    pub(super) ledger: Option<LedgerId>,
    pub(super) size: u64,
    /// Whether the whole log was read.
    pub(super) heard_all: bool,
    /// Whether no fault was found in it.
    pub(super) sound: bool,
    pub(super) keys: &'a KeyRing,
    /// Roots at the sizes of the heads remembered, as far as the log got.
    pub(super) roots: &'a BTreeMap<u64, Option<NodeHash>>,
    pub(super) good: Option<&'a SignedHead>,
    pub(super) newest: Option<&'a SignedHead>,
    /// The last event under the anchor.
    pub(super) anchored_event: Option<EventId>,
}

/// Every head that somebody remembers.
pub(super) fn heads(
    expectations: &Expectations,
) -> impl Iterator<Item = (Witness, &SignedHead)> + use<'_> {
    let anchor = expectations.anchor.iter().map(|anchor| (Witness::Anchor, &anchor.head));
    let pin = expectations.pin.iter().map(|pin| (Witness::Pin, &pin.head));
    let trust = expectations.trust.iter().map(|head| (Witness::Trust, head));
    anchor.chain(pin).chain(trust)
}

/// What is wrong, and the newest head from outside up to which nothing is missing.
pub(super) fn compare(
    expectations: &Expectations,
    found: &Found<'_>,
) -> (Vec<Fault>, Option<(Witness, SignedHead)>) {
    let mut faults = Vec::new();
    let mut complete: Option<(Witness, SignedHead)> = None;
    faults.extend(foreign(expectations, found));
    for (by, head) in heads(expectations) {
        match against(by, head, found) {
            Verdict::Fault(fault) => faults.push(fault),
            Verdict::Unknown => {}
            Verdict::Agrees => {
                let size = head.head().size;
                let newer = complete.as_ref().is_none_or(|(_, held)| held.head().size < size);
                if newer && proves_completeness(by, expectations) {
                    complete = Some((by, head.clone()));
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
    (faults, complete)
}

enum Verdict {
    Agrees,
    /// A fault before that size keeps it from being compared.
    Unknown,
    Fault(Fault),
}

fn foreign(expectations: &Expectations, found: &Found<'_>) -> Option<Fault> {
    let (place, expected) = expectations.place.clone()?;
    let found = found.ledger.or(expectations.ledger)?;
    (expected != found).then_some(Fault::Foreign { place, expected, found })
}

fn against(by: Witness, head: &SignedHead, found: &Found<'_>) -> Verdict {
    let remembered: TreeHead = *head.head();
    if let Some(ledger) = found.ledger
        && remembered.ledger != ledger
    {
        let (remembered, found) = (remembered.ledger, ledger);
        return Verdict::Fault(Fault::OtherHead { by, remembered, found });
    }
    if found.keys.iter().next().is_some()
        && let Err(reason) = verify_remembered(head, found.keys)
    {
        let size = remembered.size;
        return Verdict::Fault(Fault::WitnessSignature { by, size, reason });
    }
    if found.heard_all && remembered.size > found.size {
        return Verdict::Fault(Fault::Regressed {
            by,
            remembered: Box::new(remembered),
            size: found.size,
            found: found.good.map(|head| Box::new(*head.head())),
        });
    }
    let good = found.good.map_or(0, |head| head.head().size);
    let comparable = found.sound || remembered.size <= good;
    match found.roots.get(&remembered.size).copied().flatten().filter(|_| comparable) {
        Some(root) if root == remembered.root => Verdict::Agrees,
        Some(actual) => Verdict::Fault(Fault::Diverged {
            by,
            remembered: Box::new(head.clone()),
            actual,
            newest: found.newest.map(|head| Box::new(head.clone())),
        }),
        None => Verdict::Unknown,
    }
}

/// The anchor lies in the store: whoever replaces the store replaces it too.
fn proves_completeness(by: Witness, expectations: &Expectations) -> bool {
    match by {
        Witness::Anchor => false,
        Witness::Pin => {
            expectations.pin.as_ref().is_some_and(|pin| pin.provenance.proves_completeness())
        }
        Witness::Trust => true,
    }
}
