//! Where chance comes from: SHA-256 in counter mode. Block `i` of a case is `SHA-256(seed ‖ i)`, its seed is
//! `SHA-256(contract digest ‖ case ‖ attempt)`, all numbers as 8 bytes, most significant first.

use ledger_format::hash::CommitHash;
use sha2::{Digest as _, Sha256};

/// Draws numbers, for ever the same ones.
#[derive(Debug)]
pub(super) struct Dice {
    seed: [u8; 32],
    block: u64,
    /// What is left of the last block.
    left: Vec<u64>,
}

impl Dice {
    pub(super) fn new(contract: &CommitHash, case: u64, attempt: u64) -> Self {
        let seed = Sha256::new()
            .chain_update(contract.as_bytes())
            .chain_update(case.to_be_bytes())
            .chain_update(attempt.to_be_bytes());
        Self { seed: seed.finalize().into(), block: 0, left: Vec::new() }
    }

    /// A number below `end`; 0 if that is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        // The high half of the product: no value is more likely than another by more than end / 2^64.
        let product = u128::from(self.next()) * u128::from(end);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A number from `low` to `high`, both among them.
    pub(super) fn between(&mut self, low: i128, high: i128) -> i128 {
        let width = high.saturating_sub(low).saturating_add(1);
        low + i128::from(self.below(u64::try_from(width).unwrap_or(u64::MAX)))
    }

    /// A size from `low` to `high`, both among them.
    pub(super) fn size(&mut self, low: usize, high: usize) -> usize {
        let width = high.saturating_sub(low).saturating_add(1) as u64;
        low + usize::try_from(self.below(width)).unwrap_or(0)
    }

    /// True once in `times`.
    pub(super) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of `items`.
    pub(super) fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.size(0, items.len().checked_sub(1)?))
    }

    fn next(&mut self) -> u64 {
        if let Some(number) = self.left.pop() {
            return number;
        }
        let hash = Sha256::new().chain_update(self.seed).chain_update(self.block.to_be_bytes());
        self.block += 1;
        let hash: [u8; 32] = hash.finalize().into();
        let (words, _) = hash.as_chunks::<8>();
        self.left = words.iter().rev().map(|word| u64::from_be_bytes(*word)).collect();
        self.left.pop().unwrap_or(0)
    }
}
