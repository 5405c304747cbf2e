//! Proofs that one state of a ledger is the beginning of another, as files (SPEC §7.1). Knows the form and what it takes to verify one;
//! knows not whose key to believe.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::hash::NodeHash;
use crate::head::{HeadError, SignedHead};
use crate::note::NOTE_BYTES_MAX;
use crate::tree::{PROOF_NODES_MAX, verify_consistency};

/// Longest such proof, in bytes: its nodes, two notes, and its own lines.
pub const CONSISTENCY_BYTES_MAX: usize = PROOF_NODES_MAX * 45 + 2 * NOTE_BYTES_MAX + 128;

/// What each such proof begins with.
pub const CONSISTENCY_FIRST_LINE: &str = "glyph-ledger/consistency-proof@v1";

/// That the tree of an earlier head is the beginning of the tree of a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Lowest first.
    pub nodes: Vec<NodeHash>,
    /// The head over fewer events, or over as many.
    pub old: SignedHead,
    /// The other.
    pub new: SignedHead,
}

/// A text that is no such proof, or one that proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsistencyError {
    /// Not the form.
    #[error("not a proof of the form {CONSISTENCY_FIRST_LINE}: {0}")]
    Form(&'static str),
    /// What stands below the nodes is no head.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The heads are of two ledgers.
    #[error("the two heads are of two ledgers")]
    Ledgers,
    /// The nodes do not lead from the one to the other.
    #[error("the proof does not lead from the head over {old} events to that over {new}")]
    Leads {
        /// Size of the earlier.
        old: u64,
        /// Size of the later.
        new: u64,
    },
}

impl ConsistencyProof {
    /// The proof as text.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let nodes = self.nodes.iter().map(|node| BASE64.encode(node.as_bytes()));
        let lines = [CONSISTENCY_FIRST_LINE.to_owned()].into_iter().chain(nodes);
        let above: String =
            lines.chain([String::new()]).flat_map(|line| [line, "\n".to_owned()]).collect();
        [above.into_bytes(), self.old.encode(), b"\n".to_vec(), self.new.encode()].concat()
    }

    /// Reads the one form that [`ConsistencyProof::encode`] writes. Signatures and nodes are not looked at; see
    /// [`ConsistencyProof::leads`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ConsistencyError> {
        let form = ConsistencyError::Form;
        if bytes.len() > CONSISTENCY_BYTES_MAX {
            return Err(form("it is too long"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| form("not UTF-8"))?;
        // A note has one empty line, in front of its signatures.
        let parts: Vec<&str> = text.split("\n\n").collect();
        let [above, old, old_signed, new, new_signed] = parts.as_slice() else {
            return Err(form("there are no two heads below it"));
        };
        let mut lines = above.split('\n');
        if lines.next() != Some(CONSISTENCY_FIRST_LINE) {
            return Err(form("the first line is another"));
        }
        let node = |line: &str| BASE64.decode(line).ok()?.try_into().ok().map(NodeHash::from_bytes);
        let nodes: Option<Vec<NodeHash>> = lines.map(node).collect();
        let nodes = nodes.ok_or(form("a node is not 32 bytes of base64"))?;
        if nodes.len() > PROOF_NODES_MAX {
            return Err(form("more nodes than a proof has"));
        }
        let old = SignedHead::parse(format!("{old}\n\n{old_signed}\n").as_bytes())?;
        let new = SignedHead::parse(format!("{new}\n\n{new_signed}").as_bytes())?;
        let proof = Self { nodes, old, new };
        if proof.encode() == bytes { Ok(proof) } else { Err(form("not in canonical form")) }
    }

    /// Whether the tree of the earlier head, which is over at least one event, is the beginning of that of the later. Whether their
    /// signatures are good, and of keys to believe, is another question.
    pub fn leads(&self) -> Result<(), ConsistencyError> {
        let (old, new) = (self.old.head(), self.new.head());
        if old.ledger != new.ledger {
            return Err(ConsistencyError::Ledgers);
        }
        let leads = verify_consistency(old.size, &old.root, new.size, &new.root, &self.nodes);
        // Every tree begins with none.
        if leads && old.size > 0 {
            Ok(())
        } else {
            Err(ConsistencyError::Leads { old: old.size, new: new.size })
        }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::hash::{EventId, LedgerId};
    use crate::head::TreeHead;
    use crate::tree::{MemoryTree, prove_consistency, root};

    fn proof(old: u64, new: u64) -> ConsistencyProof {
        let leaf = |seq: u64| NodeHash::leaf(EventId::of(&seq.to_be_bytes()));
        let tree: MemoryTree = (0..new).map(leaf).collect();
        let key = SigningKey::from_bytes(&[7; 32]);
        let ledger = LedgerId::of(&[1; 32], &[2; 16]);
        let head = |size| {
            let head = TreeHead { ledger, size, root: root(&tree, size).unwrap() };
            SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text))
        };
        let nodes = prove_consistency(&tree, old, new).unwrap();
        ConsistencyProof { nodes, old: head(old), new: head(new) }
    }

    #[test]
    fn a_proof_reads_back_and_leads_from_one_to_the_other_only() {
        for (old, new) in [(1, 1), (1, 2), (4, 7), (6, 7), (255, 300)] {
            let proof = proof(old, new);
            assert_eq!(ConsistencyProof::parse(&proof.encode()), Ok(proof.clone()));
            assert_eq!(proof.leads(), Ok(()), "{old} {new}");
            let back = ConsistencyProof { old: proof.new.clone(), new: proof.old.clone(), ..proof };
            assert_eq!(back.leads().is_ok(), old == new, "{old} {new}");
        }
        assert!(proof(0, 3).leads().is_err(), "a head over no events is the beginning of anything");
    }

    #[test]
    fn every_byte_changed_and_every_cut_is_no_proof_or_another() {
        let proof = proof(4, 7);
        let bytes = proof.encode();
        for at in 0..bytes.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut bent = bytes.clone();
                bent[at] ^= flip;
                if let Ok(read) = ConsistencyProof::parse(&bent) {
                    assert_ne!(read, proof, "byte {at}");
                }
            }
            assert!(ConsistencyProof::parse(&bytes[..at]).is_err(), "cut at {at}");
        }
        let text = String::from_utf8(bytes).unwrap();
        let (above, heads) = text.split_once("\n\n").unwrap();
        for bad in [
            text.replacen("@v1", "@v2", 1),
            text.replace('\n', "\r\n"),
            format!("{text}\n"),
            format!("{above}\n\n\n{heads}"),
            format!("{text}\n{heads}"),
        ] {
            assert!(ConsistencyProof::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
