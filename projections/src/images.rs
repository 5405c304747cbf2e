//! Which images of databases are needed: every state that a database had from a place in the history on, and what steps of
//! runs made of it from there on. A fold beside the projections: it has no digest, and whoever needs it folds it.

use std::collections::{BTreeMap, BTreeSet};

use ledger_format::body::Body;
use ledger_format::hash::CommitHash;

/// The fold over the bodies of all events, in order.
#[derive(Debug, Clone, Default)]
pub struct ImageNeeds {
    /// Where an event first names a page root of an object, and where the object had it last.
    spans: BTreeMap<(String, CommitHash), Span>,
    held: BTreeMap<String, CommitHash>,
    /// Targets of the open run.
    staged: BTreeMap<String, CommitHash>,
    keep: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    first: u64,
    last: u64,
}

/// Page roots, each with the sequence number of the first event that names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NeededImages {
    /// Those of which everything must be there.
    pub needed: BTreeMap<CommitHash, u64>,
    /// Those that were pruned: of them only what others need must be there.
    pub pruned: BTreeMap<CommitHash, u64>,
}

impl ImageNeeds {
    /// Takes in the body of event `seq`.
    pub fn take(&mut self, seq: u64, body: &Body) {
        for root in body.page_roots() {
            self.name(seq, body.object().unwrap_or_default(), root);
        }
        match body {
            Body::ObjectObserved(body) => {
                if let Some(root) = body.state.page_root() {
                    self.hold(seq, &body.object, root);
                }
            }
            Body::DriftAccepted(body) => {
                if let Some(root) = body.state.page_root() {
                    self.hold(seq, &body.object, root);
                }
            }
            Body::ObjectMigrated(body) => {
                if let Some(root) = body.target.page_root() {
                    self.staged.insert(body.object.clone(), root);
                }
            }
            Body::RunCommitted(_) => {
                for (object, root) in std::mem::take(&mut self.staged) {
                    self.hold(seq, &object, root);
                }
            }
            Body::RunAborted(_) => self.staged.clear(),
            Body::ObjectPruned(body) => drop(self.keep.insert(body.object.clone(), body.keep)),
            _ => {}
        }
    }

    /// The same, had the images of `object` been pruned from `keep` on.
    #[must_use]
    pub fn keeping(mut self, object: &str, keep: u64) -> Self {
        self.keep.insert(object.to_owned(), keep);
        self
    }

    /// What is needed after all that, and what is not. A page root that any object needs is needed.
    #[must_use]
    pub fn finish(mut self) -> NeededImages {
        for (object, root) in std::mem::take(&mut self.held) {
            self.name(u64::MAX, &object, root);
        }
        let mut images = NeededImages::default();
        let needed: BTreeSet<CommitHash> = self
            .spans
            .iter()
            .filter(|((object, _), span)| span.last >= self.keep.get(object).copied().unwrap_or(0))
            .map(|((_, root), _)| *root)
            .collect();
        for ((_, root), span) in &self.spans {
            let to = if needed.contains(root) { &mut images.needed } else { &mut images.pruned };
            let first = to.entry(*root).or_insert(span.first);
            *first = span.first.min(*first);
        }
        images
    }

    /// An event names a page root of an object, or the object has it still.
    fn name(&mut self, seq: u64, object: &str, root: CommitHash) {
        let span = self.spans.entry((object.to_owned(), root));
        span.or_insert(Span { first: seq, last: seq }).last = seq;
    }

    /// From event `seq` on an object is so; what it was it was up to the event before.
    fn hold(&mut self, seq: u64, object: &str, root: CommitHash) {
        if let Some(before) = self.held.insert(object.to_owned(), root)
            && before != root
        {
            let span = self.spans.entry((object.to_owned(), before));
            let before = seq.saturating_sub(1);
            let span = span.or_insert(Span { first: before, last: before });
            span.last = span.last.max(before);
        }
    }
}
