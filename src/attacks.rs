//! Attacks: a copy of a ledger is bent in every way a stranger could bend it, and the judge is asked about each. What it does
//! not find must be harmless: the same newest head and the same state.
//!
//! Works on copies only. Knows what lies where in a stored ledger; knows nothing of how the judge finds out, and has no
//! private key but a stranger's.

mod attack;
mod folder;
mod selection;
mod stored;
mod weigh;

pub use attack::Attack;
pub use folder::{FolderAttack, FolderCopy};
pub use selection::{SelectionError, Tried, try_selection};
pub use stored::Stored;
pub use weigh::{Row, Shown, Truth};

use crate::verify::{Expectations, Options, Unobserved, verify};

/// A number drawn from `seed` for place `number`: the generator of Steele, Lea and Flood.
#[must_use]
pub const fn drawn(seed: u64, number: u64) -> u64 {
    let z = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Every number below `all` when there are at most `most`, else `most` of them, drawn from `seed`.
#[must_use]
pub fn selection(all: u64, most: u64, seed: u64) -> Vec<u64> {
    if all <= most {
        return (0..all).collect();
    }
    let mut chosen: Vec<_> = (0..most).map(|number| drawn(seed, number) % all).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// Tries `attack` in each of the ways `numbers`, and has each judged by what is remembered of the whole ledger.
#[must_use]
pub fn try_out(
    attack: Attack,
    whole: &Stored,
    remembered: &Expectations,
    truth: &Truth,
    numbers: &[u64],
) -> Row {
    let mut row = Row::new(attack.title());
    for number in numbers {
        let Some(bent) = attack.bend(whole, *number) else { continue };
        let judged = verify(&bent, remembered, Options::default(), &mut Unobserved);
        row.note(*number, truth.weigh(judged));
    }
    row
}
