//! The Merkle tree over all events (RFC 6962 §2.1): roots, and proofs that an event is in it
//! (§2.1.1) and that one tree is the beginning of another (§2.1.2). Knows hashes and positions;
//! knows no event, no signature, no storage.

use crate::hash::NodeHash;

/// Longest proof: a tree of 2^63 leaves has 63 levels, and a consistency proof one node more.
pub const PROOF_NODES_MAX: usize = 64;

/// The right edge of a tree: the roots of its complete subtrees, from the largest to the smallest.
/// All that is needed to append and to know the root; O(log n) hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    nodes: Vec<NodeHash>,
}

/// Nodes that cannot be the frontier of a tree of that size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} leaves has {expected} frontier nodes, found {actual}")]
pub struct NotAFrontier {
    /// Number of leaves claimed.
    pub size: u64,
    /// Nodes a tree of that size has.
    pub expected: usize,
    /// Nodes given.
    pub actual: usize,
}

impl Frontier {
    /// The frontier of the empty tree.
    pub const fn new() -> Self {
        Self { size: 0, nodes: Vec::new() }
    }

    /// Takes stored nodes; whether they are the right ones shows in [`Frontier::root`] only.
    pub fn from_nodes(size: u64, nodes: Vec<NodeHash>) -> Result<Self, NotAFrontier> {
        let expected = size.count_ones() as usize;
        if nodes.len() == expected {
            Ok(Self { size, nodes })
        } else {
            Err(NotAFrontier { size, expected, actual: nodes.len() })
        }
    }

    /// Number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the complete subtrees, largest first.
    pub fn nodes(&self) -> &[NodeHash] {
        &self.nodes
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: NodeHash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                node = NodeHash::inner(&left, &node);
            }
        }
        self.nodes.push(node);
        self.size += 1;
    }

    /// Appends the root of a complete subtree of `2^level` leaves; `None`, and nothing done, unless
    /// the tree's size is a multiple of that.
    pub fn push_subtree(&mut self, level: u32, root: NodeHash) -> Option<()> {
        let leaves = 1_u64.checked_shl(level)?;
        if !self.size.is_multiple_of(leaves) {
            return None;
        }
        let mut node = root;
        for _ in 0..(self.size >> level).trailing_ones() {
            let left = self.nodes.pop()?;
            node = NodeHash::inner(&left, &node);
        }
        self.nodes.push(node);
        self.size += leaves;
        Some(())
    }

    /// The root of the tree.
    pub fn root(&self) -> NodeHash {
        let mut nodes = self.nodes.iter().rev();
        let Some(smallest) = nodes.next() else { return NodeHash::empty_root() };
        nodes.fold(*smallest, |right, left| NodeHash::inner(left, &right))
    }
}

/// Roots of complete subtrees: the node at `level` (0 = leaves) and `index` from the left.
pub trait Nodes {
    /// `None` when the tree does not hold that whole subtree.
    fn node(&self, level: u32, index: u64) -> Option<NodeHash>;
}

/// A whole tree in memory, every level of it.
#[derive(Debug, Clone, Default)]
pub struct MemoryTree {
    levels: Vec<Vec<NodeHash>>,
}

impl MemoryTree {
    /// Appends a leaf.
    pub fn push(&mut self, leaf: NodeHash) {
        let mut node = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(nodes) = self.levels.get_mut(level) else { return };
            nodes.push(node);
            match nodes.as_slice() {
                [.., left, right] if nodes.len().is_multiple_of(2) => {
                    node = NodeHash::inner(left, right);
                }
                _ => return,
            }
        }
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }
}

impl Nodes for MemoryTree {
    fn node(&self, level: u32, index: u64) -> Option<NodeHash> {
        self.levels.get(level as usize)?.get(usize::try_from(index).ok()?).copied()
    }
}

impl FromIterator<NodeHash> for MemoryTree {
    fn from_iter<I: IntoIterator<Item = NodeHash>>(leaves: I) -> Self {
        let mut tree = Self::default();
        for leaf in leaves {
            tree.push(leaf);
        }
        tree
    }
}

/// The root of the first `size` leaves; `None` when `nodes` holds fewer.
pub fn root(nodes: &impl Nodes, size: u64) -> Option<NodeHash> {
    if size == 0 { Some(NodeHash::empty_root()) } else { subtree(nodes, 0, size) }
}

/// The nodes that lead from leaf `index` to the root of the first `size` leaves, lowest first
/// (RFC 6962 §2.1.1). `None` when `index` is not below `size` or `nodes` holds fewer leaves.
pub fn prove_inclusion(nodes: &impl Nodes, index: u64, size: u64) -> Option<Vec<NodeHash>> {
    if index >= size {
        return None;
    }
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let split = start + split_point(end - start);
        if index < split {
            proof.push(subtree(nodes, split, end)?);
            end = split;
        } else {
            proof.push(subtree(nodes, start, split)?);
            start = split;
        }
    }
    proof.reverse();
    Some(proof)
}

/// Whether `proof` leads from `leaf` at `index` to the root of a tree of `size` leaves.
pub fn verify_inclusion(
    leaf: NodeHash,
    index: u64,
    size: u64,
    proof: &[NodeHash],
    root: &NodeHash,
) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut index, mut last) = (leaf, index, size - 1);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if index & 1 == 1 || index == last {
            node = NodeHash::inner(sibling, &node);
            while index & 1 == 0 && index != 0 {
                index >>= 1;
                last >>= 1;
            }
        } else {
            node = NodeHash::inner(&node, sibling);
        }
        index >>= 1;
        last >>= 1;
    }
    last == 0 && node == *root
}

/// The nodes that show the tree of `old` leaves to be the beginning of the tree of `new` leaves
/// (RFC 6962 §2.1.2). Empty when `old` is 0 or equals `new`; `None` when `old` is larger than `new`
/// or `nodes` holds fewer leaves.
pub fn prove_consistency(nodes: &impl Nodes, old: u64, new: u64) -> Option<Vec<NodeHash>> {
    if old > new {
        return None;
    }
    if old == 0 || old == new {
        return Some(Vec::new());
    }
    let mut proof = Vec::new();
    let (mut start, mut end, mut whole) = (0, new, true);
    while old != end {
        let split = start + split_point(end - start);
        if old <= split {
            proof.push(subtree(nodes, split, end)?);
            end = split;
        } else {
            proof.push(subtree(nodes, start, split)?);
            start = split;
            whole = false;
        }
    }
    if !whole {
        proof.push(subtree(nodes, start, end)?);
    }
    proof.reverse();
    Some(proof)
}

/// Whether `proof` shows that the tree with `old_root` over `old` leaves is the beginning of the
/// tree with `new_root` over `new` leaves (RFC 9162 §2.1.4.2, the same proof form).
pub fn verify_consistency(
    old: u64,
    old_root: &NodeHash,
    new: u64,
    new_root: &NodeHash,
    proof: &[NodeHash],
) -> bool {
    if old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return proof.is_empty() && *old_root == NodeHash::empty_root();
    }
    let (first, rest) = if old.is_power_of_two() {
        (*old_root, proof)
    } else {
        match proof.split_first() {
            Some((first, rest)) => (*first, rest),
            None => return false,
        }
    };
    let shift = (old - 1).trailing_ones();
    let (mut index, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut old_node, mut new_node) = (first, first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if index & 1 == 1 || index == last {
            old_node = NodeHash::inner(sibling, &old_node);
            new_node = NodeHash::inner(sibling, &new_node);
            while index & 1 == 0 && index != 0 {
                index >>= 1;
                last >>= 1;
            }
        } else {
            new_node = NodeHash::inner(&new_node, sibling);
        }
        index >>= 1;
        last >>= 1;
    }
    last == 0 && old_node == *old_root && new_node == *new_root
}

/// The hash of leaves `start..end`, where `start` is a multiple of the largest power of two below
/// or at the width: true for every range that the RFC's recursion meets.
fn subtree(nodes: &impl Nodes, start: u64, end: u64) -> Option<NodeHash> {
    let width = end - start;
    if width.is_power_of_two() {
        let level = width.trailing_zeros();
        return nodes.node(level, start >> level);
    }
    let split = start + split_point(width);
    Some(NodeHash::inner(&subtree(nodes, start, split)?, &subtree(nodes, split, end)?))
}

/// The largest power of two below `width`, for a width of at least 2.
const fn split_point(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::EventId;

    fn leaves(count: u64) -> Vec<NodeHash> {
        (0..count).map(|n| NodeHash::leaf(EventId::of(&n.to_be_bytes()))).collect()
    }

    fn mth(leaves: &[NodeHash]) -> NodeHash {
        match leaves {
            [] => NodeHash::empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                NodeHash::inner(&mth(left), &mth(right))
            }
        }
    }

    #[test]
    fn frontier_and_memory_tree_have_the_root_of_the_definition() {
        let all = leaves(70);
        let mut frontier = Frontier::new();
        let mut tree = MemoryTree::default();
        for size in 0..=all.len() {
            let expected = mth(&all[..size]);
            assert_eq!(frontier.root(), expected, "{size}");
            assert_eq!(root(&tree, size as u64), Some(expected), "{size}");
            let again = Frontier::from_nodes(frontier.size(), frontier.nodes().to_vec()).unwrap();
            assert_eq!(again, frontier);
            if let Some(leaf) = all.get(size) {
                frontier.push(*leaf);
                tree.push(*leaf);
            }
        }
        assert!(Frontier::from_nodes(3, vec![all[0]]).is_err());
    }

    #[test]
    fn whole_subtrees_append_like_their_leaves() {
        let all = leaves(24);
        let mut by_leaf = Frontier::new();
        let mut by_subtree = Frontier::new();
        for chunk in all.chunks(4) {
            for leaf in chunk {
                by_leaf.push(*leaf);
            }
            by_subtree.push_subtree(2, mth(chunk)).unwrap();
            assert_eq!(by_leaf, by_subtree);
        }
        by_leaf.push(all[0]);
        assert_eq!(by_leaf.push_subtree(2, all[0]), None);
    }

    #[test]
    fn every_proof_verifies_and_no_altered_one_does() {
        let all = leaves(33);
        let tree: MemoryTree = all.iter().copied().collect();
        for size in 1..=33_u64 {
            let root_now = root(&tree, size).unwrap();
            for index in 0..size {
                let leaf = all[usize::try_from(index).unwrap()];
                let proof = prove_inclusion(&tree, index, size).unwrap();
                assert!(verify_inclusion(leaf, index, size, &proof, &root_now), "{index}/{size}");
                let wrong = NodeHash::inner(&leaf, &leaf);
                assert!(!verify_inclusion(wrong, index, size, &proof, &root_now));
                assert!(!verify_inclusion(leaf, index + size, size, &proof, &root_now));
                for cut in 0..proof.len() {
                    assert!(!verify_inclusion(leaf, index, size, &proof[..cut], &root_now));
                    let mut bent = proof.clone();
                    bent[cut] = wrong;
                    assert!(!verify_inclusion(leaf, index, size, &bent, &root_now));
                }
                let longer = [proof, vec![wrong]].concat();
                assert!(!verify_inclusion(leaf, index, size, &longer, &root_now));
            }
            for old in 0..=size {
                let old_root = root(&tree, old).unwrap();
                let proof = prove_consistency(&tree, old, size).unwrap();
                assert!(
                    verify_consistency(old, &old_root, size, &root_now, &proof),
                    "{old}/{size}"
                );
                let wrong = NodeHash::inner(&old_root, &old_root);
                assert!(!verify_consistency(old, &wrong, size, &root_now, &proof));
                // Every tree begins with the empty one, so only for old > 0 is there a claim.
                assert!(old == 0 || !verify_consistency(old, &old_root, size, &wrong, &proof));
                let longer = [proof.clone(), vec![wrong]].concat();
                assert!(!verify_consistency(old, &old_root, size, &root_now, &longer));
                for cut in 0..proof.len() {
                    assert!(!verify_consistency(old, &old_root, size, &root_now, &proof[..cut]));
                }
            }
            assert_eq!(prove_inclusion(&tree, size, size), None);
            assert_eq!(prove_consistency(&tree, size + 1, size), None);
        }
        assert_eq!(root(&tree, 34), None);
    }
}
