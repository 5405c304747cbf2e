//! The population of an audit: the events of a range, counted one by one and shown to be all that there are between its ends.
//! Nothing stored beside the events is believed here: their ids are computed, followed from one to the next, and lead from the
//! tree before the range to that behind it.

use std::collections::BTreeMap;
use std::ops::Range;

use ledger_format::hash::{EventId, KeyId, LedgerId, NodeHash};
use ledger_format::head::SignedHead;
use ledger_format::tree::{Frontier, Nodes as _, prove_consistency, root};
use serde::Serialize;

use super::proofs::{Consistency, EvidenceError};
use super::tree::StoredTree;
use crate::ledger::{Ledger, Recorded};

/// The events of a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Population {
    /// The ledger.
    pub ledger: LedgerId,
    /// Number of events.
    pub events: u64,
    /// The first of them.
    pub first: Boundary,
    /// The last of them.
    pub last: Boundary,
    /// Id of the event before the first, as the first names it.
    pub follows: EventId,
    /// Number of events by kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Number of events by the key that signed them.
    pub signers: BTreeMap<KeyId, u64>,
    /// Number of signed heads that close batches of the range.
    pub heads: u64,
    /// That what was there before the range is the beginning of what was there after it.
    pub range: Consistency,
    /// That the end of the range is the beginning of what the newest head states.
    pub to_head: Consistency,
    /// The newest head, as its note.
    pub head: String,
}

/// An event at one end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Boundary {
    /// Its position.
    pub seq: u64,
    /// Its id.
    pub id: EventId,
    /// When it was recorded, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// Counts the events of `seqs` and shows that they are all between its ends. The range is not empty.
pub fn population(ledger: &Ledger, seqs: Range<u64>) -> Result<Population, EvidenceError> {
    let size = ledger.head().head().size;
    if seqs.is_empty() || seqs.end > size {
        return Err(EvidenceError::Beyond { asked: seqs.end.max(seqs.start + 1), size });
    }
    let tree = StoredTree::of(ledger)?;
    let mut counting = Counting::from(seqs.start, &tree, size)?;
    ledger.each_event::<EvidenceError>(seqs.clone(), |recorded| counting.take(&recorded))?;
    let heads = heads(ledger, &seqs)?;
    let gap = || EvidenceError::Gap { seq: seqs.end };
    let end = root(&tree.nodes(size), seqs.end).ok_or_else(gap)?;
    let (Some(first), Some(last)) = (counting.first, counting.last) else { return Err(gap()) };
    if counting.tree.size() != seqs.end || counting.tree.root() != end {
        return Err(gap());
    }
    let connect = |old, new| consistent(&tree, size, old, new).ok_or_else(gap);
    Ok(Population {
        ledger: ledger.id(),
        events: seqs.end - seqs.start,
        first,
        last,
        follows: counting.follows,
        kinds: counting.kinds,
        signers: counting.signers,
        heads,
        range: connect(seqs.start, seqs.end)?,
        to_head: connect(seqs.end, size)?,
        head: note(ledger.head()),
    })
}

/// The tree of `old` events as the beginning of that of `new`, out of the nodes of one tree.
fn consistent(tree: &StoredTree, size: u64, old: u64, new: u64) -> Option<Consistency> {
    let nodes = tree.nodes(size);
    Some(Consistency {
        old,
        old_root: root(&nodes, old)?,
        new,
        new_root: root(&nodes, new)?,
        nodes: prove_consistency(&nodes, old, new)?,
    })
}

/// The note of a head; notes are UTF-8 (SPEC §7).
pub(super) fn note(head: &SignedHead) -> String {
    String::from_utf8_lossy(&head.encode()).into_owned()
}

fn heads(ledger: &Ledger, seqs: &Range<u64>) -> Result<u64, EvidenceError> {
    let mut heads = 0;
    for batch in ledger.batches(seqs.clone()) {
        let size = batch.map_err(|error| EvidenceError::Events(error.into()))?.head.head().size;
        heads += u64::from(seqs.start < size && size <= seqs.end);
    }
    Ok(heads)
}

/// What was counted so far.
struct Counting {
    tree: Frontier,
    follows: EventId,
    first: Option<Boundary>,
    last: Option<Boundary>,
    kinds: BTreeMap<&'static str, u64>,
    signers: BTreeMap<KeyId, u64>,
}

impl Counting {
    /// With the tree of the `start` events before the range.
    fn from(start: u64, tree: &StoredTree, size: u64) -> Result<Self, EvidenceError> {
        let nodes = tree.nodes(size);
        let gap = || EvidenceError::Gap { seq: start };
        let subtrees = (0..u64::BITS).rev().filter(|level| start >> level & 1 == 1);
        let subtrees: Option<Vec<NodeHash>> =
            subtrees.map(|level| nodes.node(level, ((start >> level) >> 1) << 1)).collect();
        let tree = Frontier::from_nodes(start, subtrees.ok_or_else(gap)?).map_err(|_| gap())?;
        if Some(tree.root()) != root(&nodes, start) {
            return Err(gap());
        }
        Ok(Self::new(tree))
    }

    const fn new(tree: Frontier) -> Self {
        Self {
            tree,
            follows: EventId::from_bytes([0; 32]),
            first: None,
            last: None,
            kinds: BTreeMap::new(),
            signers: BTreeMap::new(),
        }
    }

    fn take(&mut self, recorded: &Recorded) -> Result<(), EvidenceError> {
        let event = &recorded.event;
        let here = Boundary { seq: event.seq, id: EventId::of(&recorded.bytes), at_ms: event.at };
        let before = self.last.map_or(event.prev, |last| last.id);
        if event.seq != self.tree.size() || event.prev != before {
            return Err(EvidenceError::Gap { seq: self.tree.size() });
        }
        if self.first.is_none() {
            (self.first, self.follows) = (Some(here), event.prev);
        }
        self.last = Some(here);
        self.tree.push(NodeHash::leaf(here.id));
        *self.kinds.entry(event.body.kind()).or_default() += 1;
        *self.signers.entry(event.actor).or_default() += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ledger_format::body::{ApprovalsSet, LedgerCreated};
    use ledger_format::event::Event;

    use super::*;

    /// Events that follow each other; the second one may be bent.
    fn recorded(seq: u64, prev: EventId, at: u64) -> Recorded {
        let body = match seq {
            0 => LedgerCreated::anew([1; 32], [2; 16]).into(),
            _ => ApprovalsSet { count: seq }.into(),
        };
        let (actor, ledger) = (KeyId::of(&[1; 32]), LedgerId::of(&[1; 32], &[2; 16]));
        let event = Event { at, seq, body, prev, actor, ledger };
        let bytes = event.encode().unwrap();
        Recorded { id: EventId::of(&bytes), event, bytes }
    }

    fn count(events: &[Recorded]) -> Result<Counting, EvidenceError> {
        let mut counting = Counting::new(Frontier::new());
        events.iter().try_for_each(|event| counting.take(event))?;
        Ok(counting)
    }

    #[test]
    fn a_missing_a_repeated_and_an_exchanged_event_are_gaps() {
        let first = recorded(0, EventId::from_bytes([0; 32]), 1);
        let second = recorded(1, first.id, 1);
        let third = recorded(2, second.id, 1);
        let other = recorded(1, first.id, 2);
        let counted = count(&[first.clone(), second.clone(), third.clone()]).unwrap();
        assert_eq!(counted.last.map(|last| last.id), Some(third.id));
        assert_eq!(counted.kinds["approvals.set"], 2);
        for (events, at) in [
            (vec![first.clone(), third.clone()], 1),
            (vec![first.clone(), second.clone(), second.clone()], 2),
            (vec![second.clone()], 0),
            (vec![first.clone(), other, third.clone()], 2),
            // Only the id that follows from the bytes counts.
            (vec![first.clone(), Recorded { bytes: first.bytes.clone(), ..second }, third], 2),
        ] {
            let gap = count(&events).err();
            assert!(matches!(gap, Some(EvidenceError::Gap { seq }) if seq == at), "{gap:?}");
        }
    }
}
