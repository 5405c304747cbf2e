//! The generator of cases. Written down here, so that cases never change because a library of random numbers does:
//! block `i` of a stream is `SHA-256(seed ‖ i)` with `i` as 8 bytes, big-endian, and bytes are taken from the blocks in
//! order. Whoever changes anything in this file changes every recorded hash.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

const BLOCK_BYTES: usize = 32;

/// Texts that take every way through an encoder: empty, plain, escaped in JSON, two to four bytes a letter, composed and not.
const WORDS: [&str; 12] = [
    "",
    "a",
    "store.db",
    "audit/events.jsonl",
    "\"",
    "\\",
    "\u{1}",
    "\u{7f}\u{80}",
    "\u{e9}e\u{301}",
    "\u{2028}",
    "\u{10ffff}",
    "0123456789abcdef",
];

/// A stream of choices that depends on its seed only.
#[derive(Debug, Clone)]
pub struct Draw {
    seed: Vec<u8>,
    blocks: u64,
    block: [u8; BLOCK_BYTES],
    used: usize,
    picked: BTreeMap<&'static str, (usize, BTreeSet<usize>)>,
}

impl Draw {
    /// The stream of case `case` of `name`.
    #[must_use]
    pub fn new(name: &str, case: u64) -> Self {
        let seed = [name.as_bytes(), &[0], &case.to_be_bytes()].concat();
        Self {
            seed,
            blocks: 0,
            block: [0; BLOCK_BYTES],
            used: BLOCK_BYTES,
            picked: BTreeMap::new(),
        }
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        if self.used == BLOCK_BYTES {
            let hasher = Sha256::new().chain_update(&self.seed);
            self.block = hasher.chain_update(self.blocks.to_be_bytes()).finalize().into();
            self.blocks += 1;
            self.used = 0;
        }
        let byte = self.block.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        byte
    }

    /// Exactly `N` bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// A number below `end`, or 0 where that is 0. Slightly uneven, which no case minds.
    pub fn below(&mut self, end: u64) -> u64 {
        u64::from_be_bytes(self.array()).checked_rem(end).unwrap_or_default()
    }

    /// As [`Draw::below`], for positions and lengths.
    pub fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap_or_default()
    }

    /// A number of at most `max`: every second one at a border of the encodings or at `max` itself.
    pub fn up_to(&mut self, max: u64) -> u64 {
        const BORDERS: [u64; 12] = [
            0,
            1,
            23,
            24,
            0xff,
            0x100,
            0xffff,
            0x1_0000,
            0xffff_ffff,
            0x1_0000_0000,
            1 << 53,
            u64::MAX,
        ];
        let number = if self.truth() {
            BORDERS.get(self.index(BORDERS.len())).copied().unwrap_or_default()
        } else {
            let wide = u64::from_be_bytes(self.array());
            wide >> self.below(64)
        };
        number.min(max)
    }

    /// Any number of 64 bits.
    pub fn number(&mut self) -> u64 {
        self.up_to(u64::MAX)
    }

    /// Yes or no.
    pub fn truth(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// At most `max` bytes, often none and often exactly `max`.
    pub fn bytes(&mut self, max: usize) -> Vec<u8> {
        let length = match self.byte() % 8 {
            0 => 0,
            1 => max,
            _ => self.index(max.saturating_add(1)),
        };
        (0..length).map(|_| self.byte()).collect()
    }

    /// A text of at most `words` words.
    pub fn text(&mut self, words: usize) -> String {
        let count = self.index(words.saturating_add(1));
        (0..count).filter_map(|_| WORDS.get(self.index(WORDS.len())).copied()).collect()
    }

    /// Nothing, or what `make` makes.
    pub fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.truth().then(|| make(self))
    }

    /// At most `max` things.
    pub fn list<T, L: FromIterator<T>>(
        &mut self,
        max: usize,
        mut make: impl FnMut(&mut Self) -> T,
    ) -> L {
        let count = self.index(max.saturating_add(1));
        (0..count).map(|_| make(self)).collect()
    }

    /// One of `names`, the variants of `kind`. Over all cases of a suite every one must have been picked, or the suite
    /// fails.
    pub fn pick(&mut self, kind: &'static str, names: &[&'static str]) -> &'static str {
        let at = self.index(names.len());
        self.picked.entry(kind).or_insert_with(|| (names.len(), BTreeSet::new())).1.insert(at);
        names.get(at).copied().unwrap_or_default()
    }

    /// Notes that the variant called `name`, one of `names`, came up in something that was not drawn but computed.
    pub fn saw(&mut self, kind: &'static str, names: &[&'static str], name: &str) {
        let at = names.iter().position(|known| *known == name);
        let seen = &mut self.picked.entry(kind).or_insert_with(|| (names.len(), BTreeSet::new())).1;
        seen.extend(at);
    }

    pub(crate) fn picked(&self) -> impl Iterator<Item = (&'static str, usize, &BTreeSet<usize>)> {
        self.picked.iter().map(|(kind, (count, seen))| (*kind, *count, seen))
    }
}

/// Draws one variant of an enum. A variant that has no arm does not compile; an arm that is never drawn fails the suite.
#[macro_export]
macro_rules! variant {
    ($draw:expr, $kind:ident { $($variant:ident => $make:expr),+ $(,)? }) => {{
        let _every_variant = |value: &$kind| match value { $($kind::$variant { .. } => ()),+ };
        let drawn = $draw.pick(stringify!($kind), &[$(stringify!($variant)),+]);
        $(if drawn == stringify!($variant) { $make } else)+ { unreachable!("one of the names given") }
    }};
}

/// Notes which variant of an enum a computed value has. A variant that is not listed does not compile; one that never comes
/// up fails the suite.
#[macro_export]
macro_rules! seen {
    ($draw:expr, $value:expr, $kind:ident { $($variant:ident),+ $(,)? }) => {
        $draw.saw(
            stringify!($kind),
            &[$(stringify!($variant)),+],
            match $value { $($kind::$variant { .. } => stringify!($variant)),+ },
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_sha_256_of_seed_and_counter() {
        let bytes: [u8; 33] = Draw::new("x", 1).array();
        let first = Sha256::digest(b"x\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0");
        let second = Sha256::digest(b"x\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01");
        assert_eq!(bytes[..32], first[..]);
        assert_eq!(bytes[32], second[0]);
    }

    #[test]
    fn numbers_stay_in_their_bounds_and_reach_their_borders() {
        let mut draw = Draw::new("numbers", 0);
        let drawn: Vec<u64> = (0..2_000).map(|_| draw.up_to(300)).collect();
        for border in [0, 23, 24, 255, 256, 300] {
            assert!(drawn.contains(&border), "{border}");
        }
        assert!(drawn.iter().all(|number| *number <= 300));
        assert_eq!(draw.below(0), 0);
        assert!((0..200).map(|_| draw.bytes(5)).any(|bytes| bytes.len() == 5));
    }
}
