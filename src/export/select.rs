//! A filtered export: the events that somebody asked for, each with a proof of its own under one head. Knows the ledger and its stored
//! tree; holds a few batches in memory and the nodes that the proofs of one batch share.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::ops::{ControlFlow, Range};

use ledger_format::body::Body;
use ledger_format::event::Event;
use ledger_format::hash::{EventId, NodeHash};
use ledger_format::head::SignedHead;
use ledger_format::line::LineError;
use ledger_format::proved::ProvedLine;
use ledger_format::tree::{Nodes, prove_inclusion};

use super::ExportError;
use crate::evidence::StoredTree;
use crate::ledger::Ledger;
use crate::log::{Batch, in_order};

/// What a filtered export does not show.
pub const NOT_SHOWN: &str =
    "that no other event fits what was asked for: any of these lines can be left out unseen";

/// Which events are asked for. Those that fit each of the three; nothing named fits all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Kinds of events.
    pub kinds: BTreeSet<String>,
    /// Runs, by the events that began them.
    pub runs: BTreeSet<EventId>,
    /// Objects.
    pub objects: BTreeSet<String>,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// Number of events.
    pub events: u64,
    /// The first of them.
    pub first: Option<u64>,
}

impl Filter {
    /// Whether the event of that id is asked for.
    #[must_use]
    pub fn takes(&self, id: EventId, body: &Body) -> bool {
        let run = if matches!(body, Body::RunStarted(_)) { Some(id) } else { body.run() };
        let run_fits = || run.is_some_and(|run| self.runs.contains(&run));
        let object_fits = || body.object().is_some_and(|object| self.objects.contains(object));
        (self.kinds.is_empty() || self.kinds.contains(body.kind()))
            && (self.runs.is_empty() || run_fits())
            && (self.objects.is_empty() || object_fits())
    }
}

/// Writes those events of `seqs` that `filter` takes to `out`, one line an event, each proved to be under `head`, which is one of the
/// ledger's. That none fits is an error: an empty file would be no proof of anything.
pub fn export_selection(
    ledger: &Ledger,
    head: &SignedHead,
    seqs: Range<u64>,
    filter: &Filter,
    out: &mut impl Write,
) -> Result<Selected, ExportError> {
    let unknown = || ExportError::Unsigned { signer: head.signer() };
    let signer = ledger.state().keys().known(&head.signer()).ok_or_else(unknown)?.public_key.0;
    let tree = StoredTree::of(ledger)?;
    let selection = Selection { tree: &tree, head, signer, seqs: seqs.clone(), filter };
    let mut selected = Selected::default();
    let mut written = Ok(());
    let lines = |batch| selection.lines(&batch);
    in_order(ledger.batches(seqs), lines, |next| {
        written = next.map_err(ExportError::Read).flatten().and_then(|lines| {
            let Lines { text, events, first } = lines;
            out.write_all(text.as_bytes()).map_err(ExportError::Write)?;
            let first = selected.first.or(first);
            selected = Selected { events: selected.events + events, first };
            Ok(())
        });
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    written?;
    if selected.events == 0 {
        return Err(ExportError::Nothing);
    }
    out.flush().map_err(ExportError::Write)?;
    Ok(selected)
}

struct Selection<'a> {
    tree: &'a StoredTree,
    head: &'a SignedHead,
    signer: [u8; 32],
    seqs: Range<u64>,
    filter: &'a Filter,
}

/// The lines of one batch.
#[derive(Default)]
struct Lines {
    text: String,
    events: u64,
    first: Option<u64>,
}

impl Selection<'_> {
    fn lines(&self, batch: &Batch) -> Result<Lines, ExportError> {
        let size = self.head.head().size;
        let nodes = Remembering { nodes: self.tree.nodes(size), seen: RefCell::default() };
        let mut lines = Lines::default();
        for (seq, bytes) in (batch.first_seq..).zip(&batch.events) {
            if !self.seqs.contains(&seq) {
                continue;
            }
            let wrong = |error| ExportError::Line { seq, error };
            let event = Event::decode(bytes).map_err(LineError::from).map_err(wrong)?;
            if !self.filter.takes(EventId::of(bytes), &event.body) {
                continue;
            }
            let unproved = || ExportError::Unproved { seq, size };
            let proof = prove_inclusion(&nodes, seq, size).ok_or_else(unproved)?;
            let line = ProvedLine::of(bytes, self.head, self.signer, proof).map_err(wrong)?;
            lines.text.push_str(&line);
            lines.text.push('\n');
            lines.events += 1;
            lines.first.get_or_insert(seq);
        }
        Ok(lines)
    }
}

/// Nodes of a tree, each looked up once: those of events beside each other are mostly the same.
struct Remembering<N> {
    nodes: N,
    seen: RefCell<HashMap<(u32, u64), NodeHash>>,
}

impl<N: Nodes> Nodes for Remembering<N> {
    fn node(&self, level: u32, index: u64) -> Option<NodeHash> {
        let place = (level, index);
        if let Some(node) = self.seen.borrow().get(&place) {
            return Some(*node);
        }
        let node = self.nodes.node(level, index)?;
        self.seen.borrow_mut().insert(place, node);
        Some(node)
    }
}
