//! Proofs about events and heads: that an event is in the tree of the newest head, that one tree is the beginning of another.

use ledger_format::hash::NodeHash;
use ledger_format::head::SignedHead;
use ledger_format::proof::InclusionProof;
use ledger_format::tree::{prove_consistency, prove_inclusion, root};
use serde::Serialize;

use super::tree::{StoredTree, TreeError};
use crate::ledger::{FoldError, Ledger};

/// A proof that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// There is no such event, or no tree of that size.
    #[error("the ledger has {size} events; there is no event or tree {asked}")]
    Beyond {
        /// What was asked for.
        asked: u64,
        /// How many there are.
        size: u64,
    },
    /// Two sizes in the wrong order.
    #[error("a tree of {old} events is not the beginning of one of {new}")]
    Order {
        /// The one that should be the beginning.
        old: u64,
        /// The other.
        new: u64,
    },
    /// Events do not follow each other without a gap, or are others than those in the tree.
    #[error("event {seq} does not follow: what is stored is not what the newest head states")]
    Gap {
        /// Where.
        seq: u64,
    },
    /// The event could not be read.
    #[error(transparent)]
    Events(#[from] FoldError),
    /// The tree is not to be had.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// That the tree of `old` events is the beginning of that of `new` events (RFC 6962 §2.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consistency {
    /// Number of events of the earlier tree.
    pub old: u64,
    /// Its root.
    pub old_root: NodeHash,
    /// Number of events of the later tree.
    pub new: u64,
    /// Its root.
    pub new_root: NodeHash,
    /// The nodes that show it.
    pub nodes: Vec<NodeHash>,
}

/// That event `seq` is in the tree of `head`, one of the ledger's; with the event's bytes, so that they need not be had otherwise.
pub fn inclusion(
    ledger: &Ledger,
    head: &SignedHead,
    seq: u64,
) -> Result<InclusionProof, EvidenceError> {
    let size = head.head().size;
    let beyond = || EvidenceError::Beyond { asked: seq, size };
    if seq >= size {
        return Err(beyond());
    }
    let event = ledger.event(seq)?;
    let tree = StoredTree::of(ledger)?;
    let nodes = prove_inclusion(&tree.nodes(size), seq, size).ok_or_else(beyond)?;
    Ok(InclusionProof { extra: Some(event.bytes), index: seq, nodes, head: head.clone() })
}

/// That the tree of the first `old` events is the beginning of that of the first `new`.
pub fn consistency(ledger: &Ledger, old: u64, new: u64) -> Result<Consistency, EvidenceError> {
    let size = ledger.head().head().size;
    if old > new {
        return Err(EvidenceError::Order { old, new });
    }
    let beyond = || EvidenceError::Beyond { asked: new, size };
    if new > size {
        return Err(beyond());
    }
    let tree = StoredTree::of(ledger)?;
    let root_at = |size| root(&tree.nodes(size), size).ok_or_else(beyond);
    let nodes = prove_consistency(&tree.nodes(new), old, new).ok_or_else(beyond)?;
    Ok(Consistency { old, old_root: root_at(old)?, new, new_root: root_at(new)?, nodes })
}
