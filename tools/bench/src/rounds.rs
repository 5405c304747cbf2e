//! Medians of rounds.

use std::time::{Duration, Instant};

/// One number a round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rounds(Vec<f64>);

impl Rounds {
    pub(crate) fn push(&mut self, number: f64) {
        self.0.push(number);
    }

    /// The middle number; 0 without any.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    /// The median of what `self` is of `other`, round by round.
    pub(crate) fn over(&self, other: &Self) -> f64 {
        Self(self.0.iter().zip(&other.0).map(|(own, others)| own / others).collect()).median()
    }
}

/// How often something happened in how much time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    count: f64,
    elapsed: Duration,
}

impl Tally {
    /// Repeats `step`, which says how many things it did, until `span` is over. `prepare` is not timed.
    pub(crate) fn during<T, E>(
        span: Duration,
        mut prepare: impl FnMut() -> T,
        mut step: impl FnMut(T) -> Result<u32, E>,
    ) -> Result<Self, E> {
        let mut tally = Self::default();
        while tally.elapsed < span {
            let prepared = prepare();
            let began = Instant::now();
            let count = step(prepared)?;
            tally.elapsed += began.elapsed();
            tally.count += f64::from(count);
        }
        Ok(tally)
    }

    /// Things a second.
    pub(crate) fn rate(self) -> f64 {
        self.count / self.elapsed.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_ratios_are_taken_round_by_round() {
        let (mut own, mut other) = (Rounds::default(), Rounds::default());
        for (a, b) in [(10.0, 1.0), (1.0, 10.0), (6.0, 3.0)] {
            own.push(a);
            other.push(b);
        }
        let found = [own.median(), own.over(&other), Rounds::default().median()];
        assert_eq!(found.map(f64::to_bits), [6.0, 2.0, 0.0_f64].map(f64::to_bits));
    }
}
