//! Verifying proofs of the Merkle tree. An input is numbers and hashes; as random hashes never lead to a root, every input
//! also says which tree to grow and which true proof to bend.

use ledger_format::hash::NodeHash;
use ledger_format::tree::{
    Frontier, MemoryTree, prove_consistency, prove_inclusion, root, verify_consistency,
    verify_inclusion,
};

/// Largest tree that is grown: 64 leaves have every shape of proof that larger ones have.
const LEAVES_MAX: u64 = 64;

/// Two numbers and some hashes, taken from the front of the input; what is missing is zero.
struct Claim {
    first: u64,
    second: u64,
    /// What to do to a true proof: none, change, drop, add.
    bend: u8,
    at: usize,
    nodes: Vec<NodeHash>,
}

impl Claim {
    fn of(input: &[u8]) -> Self {
        let number = |at: usize| {
            let mut bytes = [0; 8];
            for (to, from) in bytes.iter_mut().zip(input.get(at..).unwrap_or_default()) {
                *to = *from;
            }
            u64::from_be_bytes(bytes)
        };
        let byte = |at: usize| input.get(at).copied().unwrap_or_default();
        let (nodes, _) = input.get(18..).unwrap_or_default().as_chunks::<32>();
        Self {
            first: number(0),
            second: number(8),
            bend: byte(16) % 4,
            at: usize::from(byte(17)),
            nodes: nodes.iter().map(|node| NodeHash::from_bytes(*node)).collect(),
        }
    }

    /// The true `proof` as the input bends it; whether that changed it.
    fn bent(&self, mut proof: Vec<NodeHash>) -> (Vec<NodeHash>, bool) {
        let at = self.at % (proof.len() + 1);
        let other = self.nodes.first().copied().unwrap_or(NodeHash::empty_root());
        let before = proof.clone();
        match self.bend {
            0 => {}
            1 => proof.iter_mut().skip(at).take(1).for_each(|node| *node = other),
            2 => drop((at < proof.len()).then(|| proof.remove(at))),
            _ => proof.insert(at, other),
        }
        let changed = proof != before;
        (proof, changed)
    }
}

fn tree(leaves: u64) -> (MemoryTree, NodeHash) {
    let (mut tree, mut frontier) = (MemoryTree::default(), Frontier::new());
    for number in 0..leaves {
        let leaf = leaf(number);
        tree.push(leaf);
        frontier.push(leaf);
    }
    let root = root(&tree, leaves).expect("the tree has its leaves");
    assert_eq!(frontier.root(), root);
    (tree, root)
}

fn leaf(number: u64) -> NodeHash {
    let mut bytes = [0xab; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    NodeHash::from_bytes(bytes)
}

pub(crate) fn inclusion(input: &[u8]) {
    let claim = Claim::of(input);
    let claimed_root = claim.nodes.last().copied().unwrap_or(NodeHash::empty_root());
    // Any numbers at all: the answer hardly matters, that there is one does. A leaf is the root of its own tree.
    let said = verify_inclusion(leaf(0), claim.first, claim.second, &claim.nodes, &claimed_root);
    assert!(!said || claim.first < claim.second);

    let size = claim.second % LEAVES_MAX + 1;
    let index = claim.first % size;
    let (tree, root) = tree(size);
    let proof = prove_inclusion(&tree, index, size).expect("a leaf of the tree has a proof");
    let (bent, changed) = claim.bent(proof);
    assert_eq!(verify_inclusion(leaf(index), index, size, &bent, &root), !changed);
    if !changed {
        assert!(!verify_inclusion(leaf(index + 1), index, size, &bent, &root), "another leaf");
        assert!(
            !verify_inclusion(leaf(index), index, size, &bent, &leaf(0)) || size == 1,
            "another root"
        );
        let elsewhere = (index + 1) % size;
        assert!(
            size == 1 || !verify_inclusion(leaf(index), elsewhere, size, &bent, &root),
            "another place"
        );
    }
}

pub(crate) fn consistency(input: &[u8]) {
    let claim = Claim::of(input);
    let claimed = |at: usize| claim.nodes.get(at).copied().unwrap_or(NodeHash::empty_root());
    let said =
        verify_consistency(claim.first, &claimed(0), claim.second, &claimed(1), &claim.nodes);
    assert!(!said || claim.first <= claim.second);

    let new = claim.second % (LEAVES_MAX + 1);
    let old = claim.first % (new + 1);
    let (tree_of_new, new_root) = tree(new);
    let (_, old_root) = tree(old);
    let proof = prove_consistency(&tree_of_new, old, new)
        .expect("trees that continue each other have a proof");
    let (bent, changed) = claim.bent(proof);
    assert_eq!(verify_consistency(old, &old_root, new, &new_root, &bent), !changed);
    if !changed {
        let other = leaf(LEAVES_MAX + 1);
        assert!(!verify_consistency(old, &other, new, &new_root, &bent), "another old root");
        assert!(
            old == 0 || !verify_consistency(old, &old_root, new, &other, &bent),
            "another new root"
        );
    }
}
