//! When power is cut: so many acknowledgements and parts of a gap, drawn from a seed. How long a gap is was
//! measured, so a moment comes again nearly, not exactly.

use std::time::Duration;

use ledger_format::hash::ContentHash;

/// A moment in some work: so many acknowledgements, and then a little longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Acknowledgements to wait for.
    pub(crate) acknowledgements: u64,
    /// How long to wait after the last of them.
    pub(crate) delay: Duration,
}

impl Moment {
    /// The moment of cut `number` under `seed`, in work of so many acknowledgements that follow each
    /// other after about `gap`.
    pub(crate) fn draw(seed: u64, number: u64, acknowledgements: u64, gap: Duration) -> Self {
        let drawn = ContentHash::of(format!("powercut/{seed}/{number}").as_bytes());
        let (first, second) = drawn.as_bytes().split_at(8);
        // Up to one and a half gaps: now and then the next acknowledgement comes before the cut.
        let parts = u32::try_from(low(second) % 1_000).unwrap_or_default();
        Self {
            acknowledgements: low(first) % acknowledgements.max(1),
            delay: gap * parts * 3 / 2_000,
        }
    }
}

fn low(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_follows_from_seed_and_number() {
        let gap = Duration::from_millis(10);
        let draw = |seed, number| Moment::draw(seed, number, 50, gap);
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
        let drawn: Vec<Moment> = (0..500).map(|number| draw(1, number)).collect();
        assert!(drawn.iter().all(|one| one.acknowledgements < 50 && one.delay < gap * 3 / 2));
        for wanted in 0..50 {
            assert!(drawn.iter().any(|one| one.acknowledgements == wanted), "{wanted}");
        }
    }
}
