//! The line that stands for one event in a filtered export (SPEC §11.2): the columns of every line, the head that all of them are
//! under, the key that signed it, and the nodes that lead from the event to its root. A line alone therefore proves that its event is
//! in the history of that head. Knows no file and no other line; knows not whose key to believe.

use serde_json::Value as Json;

use crate::column::Column;
use crate::event::{Event, EventError};
use crate::hash::{EventId, HASH_BYTES, KeyId, NodeHash, hex, unhex};
use crate::head::SignedHead;
use crate::line::{COLUMNS, Columns, LINE_BYTES_MAX, Line, LineError, difference, write_head};
use crate::row::Row;
use crate::tree::{PROOF_NODES_MAX, verify_inclusion};

/// The name of this form of line.
pub const PROVED_SCHEMA: &str = "glyph-ledger/proved-event/1";

/// Longest line, in bytes: a line, the nodes of a proof, a key, and the names of the two columns.
pub const PROVED_LINE_BYTES_MAX: usize = LINE_BYTES_MAX + PROOF_NODES_MAX * 2 * HASH_BYTES + 128;

/// The column that has the key which signed the head.
const SIGNER: Column = Column::text("signer");

/// The column that has the nodes.
const INCLUSION: Column = Column::text("inclusion");

/// The columns of every line of a filtered export, in order.
pub fn proved_columns() -> impl Iterator<Item = Column> {
    let always = |column| Column { nullable: false, ..column };
    let of_head = |column: Column| ["size", "head"].contains(&column.name);
    let columns = COLUMNS.into_iter();
    let columns = columns.map(move |column| if of_head(column) { always(column) } else { column });
    columns.chain([SIGNER, INCLUSION])
}

/// What a line says, once it has been found to say only what its bytes and its head imply, and its nodes to lead to the root that the
/// head states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedLine {
    /// The event's id.
    pub id: EventId,
    /// The event.
    pub event: Event,
    /// The event's canonical bytes.
    pub bytes: Vec<u8>,
    /// The head. It is of the event's ledger; its signature is not checked yet.
    pub head: SignedHead,
    /// The public key whose id the head names.
    pub signer: [u8; 32],
    /// From the leaf's sibling up.
    pub nodes: Vec<NodeHash>,
}

impl ProvedLine {
    /// The line, without a newline, of the event stored as `bytes` under `head`, which the key `signer` signed. Refused where the nodes
    /// do not lead from the event to the head's root.
    pub fn of(
        bytes: &[u8],
        head: &SignedHead,
        signer: [u8; 32],
        nodes: Vec<NodeHash>,
    ) -> Result<String, LineError> {
        let line = Self {
            id: EventId::of(bytes),
            event: Event::decode(bytes)?,
            bytes: bytes.to_vec(),
            head: head.clone(),
            signer,
            nodes,
        };
        line.must_lead()?;
        line.text()
    }

    /// Reads a line, without its newline. Accepts only the exact text that the event's bytes, the head, the key and the nodes imply,
    /// and names the first column that differs.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        if text.len() > PROVED_LINE_BYTES_MAX {
            let (most, actual) = (PROVED_LINE_BYTES_MAX, text.len());
            return Err(LineError::TooLong { most, actual });
        }
        let found: Columns =
            serde_json::from_str(text).map_err(|error| LineError::Json(error.to_string()))?;
        must_be_of_this_form(&found)?;
        let bytes = text_of(&found, "bytes").and_then(unhex);
        let bytes = bytes.ok_or(LineError::Type { column: "bytes", expected: "lower-case hex" })?;
        let note = text_of(&found, "head");
        let note = note.ok_or(LineError::Type { column: "head", expected: "a note" })?;
        let signer = text_of(&found, SIGNER.name).and_then(unhex);
        let signer = signer.and_then(|bytes| bytes.try_into().ok());
        let expected = "64 digits of lower-case hex";
        let signer = signer.ok_or(LineError::Type { column: SIGNER.name, expected })?;
        let nodes = text_of(&found, INCLUSION.name).and_then(nodes_of);
        let expected = "up to 64 times 64 digits of lower-case hex";
        let nodes = nodes.ok_or(LineError::Type { column: INCLUSION.name, expected })?;
        let head = SignedHead::parse(note.as_bytes())?;
        let event = Event::decode(&bytes)?;
        let line = Self { id: EventId::of(&bytes), event, bytes, head, signer, nodes };
        let implied = line.text()?;
        if implied != text {
            return Err(difference(&found, &implied));
        }
        line.must_lead()?;
        Ok(line)
    }

    fn text(&self) -> Result<String, LineError> {
        self.check_head()?;
        let body = self.event.body.to_value().map_err(EventError::from)?;
        let (id, event, bytes) = (self.id, self.event.clone(), self.bytes.clone());
        let mut row = Row::with_capacity(4_096);
        Line { id, event, bytes, head: None }.write_event(PROVED_SCHEMA, &body, &mut row)?;
        write_head(Some(&self.head), &mut row)?;
        row.plain(SIGNER.name, &hex(&self.signer));
        let nodes: String = self.nodes.iter().map(|node| hex(node.as_bytes())).collect();
        row.plain(INCLUSION.name, &nodes);
        Ok(row.finish())
    }

    fn check_head(&self) -> Result<(), LineError> {
        let (stated, event) = (self.head.head(), &self.event);
        if stated.ledger != event.ledger {
            let (expected, actual) = (event.ledger.to_string(), stated.ledger.to_string());
            return Err(LineError::OtherHead { field: "ledger", expected, actual });
        }
        let (named, key) = (self.head.signer(), KeyId::of(&self.signer));
        if named != key {
            return Err(LineError::OtherSigner { named, key });
        }
        Ok(())
    }

    fn must_lead(&self) -> Result<(), LineError> {
        let (head, index) = (self.head.head(), self.event.seq);
        let leaf = NodeHash::leaf(self.id);
        if verify_inclusion(leaf, index, head.size, &self.nodes, &head.root) {
            Ok(())
        } else {
            Err(LineError::NotIncluded { id: self.id, index, size: head.size })
        }
    }
}

fn must_be_of_this_form(found: &Columns) -> Result<(), LineError> {
    let actual = found.get("schema");
    if actual.and_then(Json::as_str) == Some(PROVED_SCHEMA) {
        return Ok(());
    }
    Err(LineError::Column {
        column: "schema".to_owned(),
        expected: Json::from(PROVED_SCHEMA).to_string(),
        actual: actual.map_or_else(|| "absent".to_owned(), Json::to_string),
    })
}

fn text_of<'a>(found: &'a Columns, column: &str) -> Option<&'a str> {
    found.get(column).and_then(Json::as_str)
}

/// The nodes that stand in a row as digits; `None` for a text of another length, or too many.
fn nodes_of(digits: &str) -> Option<Vec<NodeHash>> {
    let bytes = unhex(digits)?;
    let (nodes, rest) = bytes.as_chunks::<HASH_BYTES>();
    let fits = rest.is_empty() && nodes.len() <= PROOF_NODES_MAX;
    fits.then(|| nodes.iter().map(|node| NodeHash::from_bytes(*node)).collect())
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use quickcheck::quickcheck;

    use super::*;
    use crate::body::{Body, Cause, ObjectObserved, ObjectState, samples};
    use crate::column::holds;
    use crate::hash::{ContentHash, LedgerId};
    use crate::head::TreeHead;
    use crate::tree::{MemoryTree, prove_inclusion, root};

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn signer() -> [u8; 32] {
        key().verifying_key().to_bytes()
    }

    fn event(seq: u64, body: Body) -> Vec<u8> {
        let event = Event {
            at: 1_700_000_000_123,
            seq,
            body,
            prev: EventId::of(b"before"),
            actor: KeyId::of(&[9; 32]),
            ledger: LedgerId::of(&[1; 32], &[2; 16]),
        };
        event.encode().unwrap()
    }

    fn sign(ledger: LedgerId, size: u64, root: NodeHash) -> SignedHead {
        let head = TreeHead { ledger, size, root };
        SignedHead::sign(head, &key().verifying_key(), |text| key().sign(text))
    }

    /// A head over the events, and the nodes of each.
    fn proved(events: &[Vec<u8>]) -> (SignedHead, Vec<Vec<NodeHash>>) {
        let leaf = |bytes: &Vec<u8>| NodeHash::leaf(EventId::of(bytes));
        let tree: MemoryTree = events.iter().map(leaf).collect();
        let size = events.len() as u64;
        let head = sign(LedgerId::of(&[1; 32], &[2; 16]), size, root(&tree, size).unwrap());
        (head, (0..size).map(|seq| prove_inclusion(&tree, seq, size).unwrap()).collect())
    }

    fn lines(bodies: Vec<Body>) -> Vec<String> {
        let events: Vec<_> = (0..).zip(bodies).map(|(seq, body)| event(seq, body)).collect();
        let (head, nodes) = proved(&events);
        let lines = events.iter().zip(nodes);
        lines.map(|(bytes, nodes)| ProvedLine::of(bytes, &head, signer(), nodes).unwrap()).collect()
    }

    fn observed(object: &str) -> Body {
        let state = ObjectState::Document { content: ContentHash::of(b""), bytes: 0, mode: 0 };
        ObjectObserved { object: object.into(), cause: Cause::Baseline, state }.into()
    }

    #[test]
    fn lines_of_every_kind_read_back_and_have_every_column() {
        for (seq, text) in (0..).zip(lines(samples::every_kind())) {
            let line = ProvedLine::parse(&text).unwrap();
            assert_eq!((line.event.seq, line.text().as_ref()), (seq, Ok(&text)));
            let columns: Columns = serde_json::from_str(&text).unwrap();
            assert!(columns.keys().eq(proved_columns().map(|column| column.name)));
            for (column, value) in proved_columns().zip(columns.values()) {
                assert!(holds(column, value), "{}: {value}", column.name);
            }
            // No other form takes it for its own.
            assert_eq!(Line::parse(&text), Err(LineError::Proved));
        }
    }

    #[test]
    fn every_column_that_says_something_else_is_refused() {
        let text = lines(vec![observed("a"), observed("b"), observed("c")]).remove(1);
        let columns: Columns = serde_json::from_str(&text).unwrap();
        for column in columns.keys() {
            for other in [Json::Null, Json::from(77), Json::from("x"), Json::from(vec![1])] {
                if other == columns[column] {
                    continue;
                }
                let mut bent = columns.clone();
                bent.insert(column.clone(), other);
                let bent = Json::Object(bent).to_string();
                let error = ProvedLine::parse(&bent).unwrap_err();
                assert!(error.to_string().contains(&format!("column {column:?}")), "{error}");
            }
            let mut bent = columns.clone();
            bent.shift_remove(column);
            assert!(ProvedLine::parse(&Json::Object(bent).to_string()).is_err());
        }
        let more = text.replacen("\"seq\":1", "\"seq\":1,\"sec\":1", 1);
        assert_eq!(ProvedLine::parse(&more), Err(LineError::Unknown { column: "sec".into() }));
        for other in [text.replacen(',', ", ", 1), format!("{text}\n"), text.replace("ff", "FF")] {
            assert!(other == text || ProvedLine::parse(&other).is_err(), "{other}");
        }
    }

    #[test]
    fn nodes_cut_off_swapped_or_of_another_event_prove_nothing() {
        let events: Vec<_> = (0..7).map(|seq| event(seq, observed("a"))).collect();
        let (head, nodes) = proved(&events);
        let of = |seq: usize, nodes: &[NodeHash]| {
            ProvedLine::of(&events[seq], &head, signer(), nodes.to_vec())
        };
        for seq in 0..events.len() {
            let right = &nodes[seq];
            assert!(of(seq, right).is_ok());
            let mut swapped = right.clone();
            swapped.reverse();
            let more = [right.as_slice(), &[NodeHash::empty_root()]].concat();
            for wrong in [&right[1..], &right[..right.len() - 1], &swapped, &more, &[]] {
                assert!(matches!(of(seq, wrong), Err(LineError::NotIncluded { .. })), "{seq}");
            }
            for (other, wrong) in nodes.iter().enumerate().filter(|(other, _)| *other != seq) {
                assert!(of(seq, wrong).is_err(), "{other} for {seq}");
            }
        }
    }

    #[test]
    fn a_head_of_another_ledger_size_or_key_is_refused() {
        let events: Vec<_> = (0..3).map(|seq| event(seq, observed("a"))).collect();
        let (head, nodes) = proved(&events);
        let of = |head: &SignedHead, key| ProvedLine::of(&events[2], head, key, nodes[2].clone());
        let stated = *head.head();
        let foreign = sign(LedgerId::of(&[9; 32], &[2; 16]), 3, stated.root);
        assert!(matches!(
            of(&foreign, signer()),
            Err(LineError::OtherHead { field: "ledger", .. })
        ));
        for size in [0, 1, 2, 4, u64::MAX] {
            let other = sign(stated.ledger, size, stated.root);
            assert!(matches!(of(&other, signer()), Err(LineError::NotIncluded { .. })), "{size}");
        }
        assert!(matches!(of(&head, [9; 32]), Err(LineError::OtherSigner { .. })));
    }

    #[test]
    fn no_single_changed_byte_is_accepted_as_the_same_line() {
        let text = lines(vec![observed("ä\u{1}\""), observed("b")]).remove(0);
        let line = ProvedLine::parse(&text).unwrap();
        for at in 0..text.len() {
            for flip in [0x01, 0x02, 0x20, 0x80] {
                let mut bent = text.clone().into_bytes();
                bent[at] ^= flip;
                let Ok(bent) = String::from_utf8(bent) else { continue };
                // Only the head's signature is for others to check.
                let Ok(accepted) = ProvedLine::parse(&bent) else { continue };
                assert_eq!(accepted.head.head(), line.head.head(), "byte {at}");
                let head = line.head.clone();
                assert_eq!(ProvedLine { head, ..accepted }, line, "byte {at}");
            }
        }
    }

    quickcheck! {
        fn the_longest_texts_fit_the_longest_line(object: String) -> bool {
            let object = object.repeat(40);
            let bytes = event(0, observed(&object[..object.floor_char_boundary(3_500)]));
            let (head, nodes) = proved(std::slice::from_ref(&bytes));
            let text = ProvedLine::of(&bytes, &head, signer(), nodes.concat()).unwrap();
            text.len() <= PROVED_LINE_BYTES_MAX && ProvedLine::parse(&text).is_ok()
        }
    }
}
