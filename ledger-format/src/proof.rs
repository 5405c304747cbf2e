//! Proofs as files (c2sp.org/tlog-proof): that an event is in the tree that a signed head closes. Knows the form and what it takes to
//! verify one; knows not whose key to believe.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::hash::{EventId, NodeHash};
use crate::head::{HeadError, SignedHead};
use crate::note::NOTE_BYTES_MAX;
use crate::tree::{PROOF_NODES_MAX, verify_inclusion};

/// What files of such proofs are called at their end.
pub const PROOF_EXTENSION: &str = "tlog-proof";

/// Longest proof, in bytes: its nodes, a note, what it brings along, and its own lines.
pub const PROOF_BYTES_MAX: usize =
    PROOF_NODES_MAX * 45 + NOTE_BYTES_MAX + EXTRA_BYTES_MAX.div_ceil(3) * 4 + 128;

/// Longest that a proof brings along, in bytes: an event.
const EXTRA_BYTES_MAX: usize = crate::event::EVENT_BYTES_MAX;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// That the event at `index` is in the tree of the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// What it brings along: the bytes of the event, so that whoever has the proof has that too. Nothing vouches for it but
    /// what follows from it.
    pub extra: Option<Vec<u8>>,
    /// The event's seq.
    pub index: u64,
    /// From the leaf's sibling up.
    pub nodes: Vec<NodeHash>,
    /// The head.
    pub head: SignedHead,
}

/// A text that is no proof, or one that proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not the form.
    #[error("not a proof of the form {FIRST_LINE}: {0}")]
    Form(&'static str),
    /// What stands below it is no head.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The nodes do not lead from the event to the head's root.
    #[error(
        "the proof does not lead from event {id} at {index} to the root of the head over {size} events"
    )]
    Leads {
        /// The event.
        id: EventId,
        /// Where it was to be.
        index: u64,
        /// The size of the head's tree.
        size: u64,
    },
}

impl InclusionProof {
    /// The proof as text.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let extra = self.extra.as_ref().map(|extra| format!("extra {}", BASE64.encode(extra)));
        let nodes = self.nodes.iter().map(|node| BASE64.encode(node.as_bytes()));
        let lines = [FIRST_LINE.to_owned()].into_iter().chain(extra);
        let lines = lines.chain([format!("index {}", self.index)]).chain(nodes);
        let text: String =
            lines.chain([String::new()]).flat_map(|line| [line, "\n".to_owned()]).collect();
        let mut bytes = text.into_bytes();
        bytes.extend(self.head.encode());
        bytes
    }

    /// Reads the one form that [`InclusionProof::encode`] writes. Signature and nodes are not looked at; see
    /// [`InclusionProof::leads_from`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let form = ProofError::Form;
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(form("it is too long"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| form("not UTF-8"))?;
        let (above, note) = text.split_once("\n\n").ok_or(form("there is no head below it"))?;
        let mut lines = above.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(form("the first line is another"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let extra =
            extra.and_then(|line| line.strip_prefix("extra ")).map(|text| BASE64.decode(text));
        let extra = extra.transpose().map_err(|_| form("what it brings along is not base64"))?;
        if extra.as_ref().is_some_and(|extra| extra.len() > EXTRA_BYTES_MAX) {
            return Err(form("it brings too much along"));
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(|index| index.parse().ok()).ok_or(form("no index"))?;
        let node = |line: &str| BASE64.decode(line).ok()?.try_into().ok().map(NodeHash::from_bytes);
        let nodes: Option<Vec<NodeHash>> = lines.map(node).collect();
        let nodes = nodes.ok_or(form("a node is not 32 bytes of base64"))?;
        if nodes.len() > PROOF_NODES_MAX {
            return Err(form("more nodes than a proof has"));
        }
        let proof = Self { extra, index, nodes, head: SignedHead::parse(note.as_bytes())? };
        if proof.encode() == bytes { Ok(proof) } else { Err(form("not in canonical form")) }
    }

    /// Whether the nodes lead from the event `id` to the root that the head states. Whether its signature is good, and of a
    /// key to believe, is another question.
    pub fn leads_from(&self, id: EventId) -> Result<(), ProofError> {
        let head = self.head.head();
        let (index, size) = (self.index, head.size);
        if verify_inclusion(NodeHash::leaf(id), index, size, &self.nodes, &head.root) {
            Ok(())
        } else {
            Err(ProofError::Leads { id, index, size })
        }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::hash::LedgerId;
    use crate::head::TreeHead;
    use crate::tree::{MemoryTree, prove_inclusion, root};

    fn id(seq: u64) -> EventId {
        EventId::of(&seq.to_be_bytes())
    }

    fn proof(index: u64, size: u64, extra: Option<Vec<u8>>) -> InclusionProof {
        let tree: MemoryTree = (0..size).map(|seq| NodeHash::leaf(id(seq))).collect();
        let key = SigningKey::from_bytes(&[7; 32]);
        let ledger = LedgerId::of(&[1; 32], &[2; 16]);
        let head = TreeHead { ledger, size, root: root(&tree, size).unwrap() };
        let head = SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text));
        InclusionProof { extra, index, nodes: prove_inclusion(&tree, index, size).unwrap(), head }
    }

    #[test]
    fn a_proof_reads_back_and_leads_from_its_event_alone() {
        for (index, size) in [(0, 1), (0, 2), (4, 7), (6, 7), (255, 300)] {
            for extra in [None, Some(Vec::new()), Some(b"event".to_vec())] {
                let proof = proof(index, size, extra);
                assert_eq!(InclusionProof::parse(&proof.encode()), Ok(proof.clone()));
                assert_eq!(proof.leads_from(id(index)), Ok(()));
                assert!(matches!(proof.leads_from(id(index + 1)), Err(ProofError::Leads { .. })));
                let elsewhere = InclusionProof { index: index + 1, ..proof };
                assert!(elsewhere.leads_from(id(index)).is_err());
            }
        }
    }

    #[test]
    fn every_byte_changed_and_every_cut_is_no_proof_or_another() {
        let proof = proof(4, 7, Some(b"event".to_vec()));
        let bytes = proof.encode();
        for at in 0..bytes.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut bent = bytes.clone();
                bent[at] ^= flip;
                if let Ok(read) = InclusionProof::parse(&bent) {
                    assert_ne!(read, proof, "byte {at}");
                }
            }
            assert!(InclusionProof::parse(&bytes[..at]).is_err(), "cut at {at}");
        }
        let text = String::from_utf8(bytes).unwrap();
        for bad in [
            text.replacen("index 4", "index 04", 1),
            text.replacen("index 4", "index -4", 1),
            text.replacen("index 4\n", "index 4\n\n", 1),
            text.replacen("@v1", "@v2", 1),
            text.replace('\n', "\r\n"),
            format!("{text}\n"),
        ] {
            assert!(InclusionProof::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
