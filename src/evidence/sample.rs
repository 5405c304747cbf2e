//! Drawing a sample that anybody can draw again: which of N things are chosen follows from a seed, by SHA-256 and nothing
//! else (SPEC §15). Knows numbers; knows no event.

use std::collections::BTreeSet;

use ledger_format::hash::ContentHash;

/// Most things that are drawn at once; more are looked at whole.
pub const SAMPLE_MAX: u64 = 10_000;

/// Longest seed, in bytes.
pub const SEED_BYTES_MAX: usize = 256;

/// What the text of each block begins with.
const TITLE: &str = "glyph-ledger/audit-sample/1";

/// What a sample is drawn by: a text of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed(String);

impl Seed {
    /// Takes a text that is not empty and holds no control character, so that it can be typed again.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= SEED_BYTES_MAX;
        (fits && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Block `counter`: the first eight bytes of the SHA-256 of three lines, as a number.
    fn block(&self, counter: u64) -> u64 {
        let text = format!("{TITLE}\n{}\n{counter}\n", self.0);
        let hash = ContentHash::of(text.as_bytes());
        hash.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// Draws `wanted` different numbers below `of`, each as likely as every other, in the order in which they are drawn; all of
/// them if there are not more.
#[must_use]
pub fn draw(seed: &Seed, wanted: u64, of: u64) -> Vec<u64> {
    let wanted = wanted.min(of).min(SAMPLE_MAX);
    // Above this the remainders would not be equally likely.
    let fair = u64::MAX - (u64::MAX % of.max(1) + 1) % of.max(1);
    let mut seen = BTreeSet::new();
    let blocks = (0..).map(|counter| seed.block(counter)).filter(|block| *block <= fair);
    let numbers = blocks.map(|block| block % of.max(1)).filter(|number| seen.insert(*number));
    numbers.take(usize::try_from(wanted).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(text: &str) -> Seed {
        Seed::new(text).unwrap()
    }

    /// The numbers that SPEC §15 shows.
    #[test]
    fn a_sample_is_the_same_for_ever() {
        assert_eq!(seed("autumn").block(0), 11_190_569_059_230_052_132);
        assert_eq!(draw(&seed("autumn"), 5, 1000), [132, 7, 273, 540, 874]);
    }

    #[test]
    fn everything_is_drawn_once_where_not_less_is_wanted() {
        for of in [0, 1, 2, 7, 100] {
            for wanted in [of, of + 1, u64::MAX] {
                let mut drawn = draw(&seed("x"), wanted, of);
                drawn.sort_unstable();
                assert_eq!(drawn, (0..of).collect::<Vec<_>>());
            }
        }
        assert_eq!(draw(&seed("x"), 0, 10), [0; 0]);
    }

    #[test]
    fn a_smaller_sample_is_the_beginning_of_a_larger_one() {
        let all = draw(&seed("s"), 50, 1 << 40);
        assert_eq!(draw(&seed("s"), 20, 1 << 40), all[..20]);
        assert_ne!(draw(&seed("t"), 20, 1 << 40), all[..20]);
    }

    #[test]
    fn blocks_that_would_favour_small_numbers_are_passed_over() {
        // Just above half of all numbers: nearly every other block is passed over.
        let of = (1 << 63) + 1;
        let blocks: Vec<u64> = (0..64).map(|counter| seed("half").block(counter)).collect();
        let kept: Vec<u64> = blocks.iter().copied().filter(|block| *block < of).collect();
        assert!(kept.len() < blocks.len());
        assert_eq!(draw(&seed("half"), kept.len() as u64, of), kept);
        // A power of two divides them all: nothing is passed over.
        let all: Vec<u64> = blocks.iter().map(|block| block % (1 << 63)).collect();
        assert_eq!(draw(&seed("half"), 64, 1 << 63), all);
    }

    #[test]
    fn every_number_is_as_likely_as_every_other() {
        let mut times = [0_u64; 10];
        for number in 0..2_000 {
            for drawn in draw(&seed(&number.to_string()), 3, 10) {
                times[usize::try_from(drawn).unwrap()] += 1;
            }
        }
        // 600 each; six standard deviations are about 120.
        assert!(times.iter().all(|times| (480..720).contains(times)), "{times:?}");
    }

    #[test]
    fn a_seed_is_a_line_that_can_be_typed_again() {
        assert_eq!(Seed::new(""), None);
        assert_eq!(Seed::new("a\nb"), None);
        assert_eq!(Seed::new(&"x".repeat(SEED_BYTES_MAX + 1)), None);
        assert_eq!(seed("Prüfung 7").as_str(), "Prüfung 7");
    }
}
