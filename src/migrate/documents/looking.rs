//! Looking at many places on several threads, with what was found there handed on in order. Knows not what is looked for.

use super::super::error::MigrateError;
use crate::ordered::{Crew, try_in_order};

/// Places that one thread is given at a time.
const PORTION: usize = 64;

/// Portions for each thread that are worked on, or were and are not taken yet.
const AHEAD: usize = 3;

/// Bytes of what was found that are held at a time, over all threads; one document may be larger.
const HELD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Whoever works on so many places at a time.
pub(super) fn crew(jobs: usize) -> Crew {
    let workers = jobs.max(1);
    Crew { workers, ahead: workers.saturating_mul(AHEAD) }
}

/// Looks at every place, and hands what `look` found to `take`, in order. `held` is how many bytes that takes.
pub(super) fn each_looked_at<I: Copy + Send, T: Send>(
    jobs: usize,
    mut items: impl Iterator<Item = I>,
    look: impl Fn(I) -> Result<T, MigrateError> + Sync,
    held: impl Fn(&T) -> usize + Sync,
    mut take: impl FnMut(I, T) -> Result<(), MigrateError>,
) -> Result<(), MigrateError> {
    let portions = std::iter::from_fn(|| {
        let portion: Vec<I> = items.by_ref().take(PORTION).collect();
        (!portion.is_empty()).then_some(portion)
    });
    let crew = crew(jobs);
    let bytes_max = HELD_BYTES_MAX / crew.ahead;
    let work = |portion: Vec<I>| {
        let (mut found, mut bytes) = (Vec::with_capacity(portion.len()), 0);
        let mut left = portion.into_iter();
        for item in left.by_ref() {
            let looked = look(item)?;
            bytes += held(&looked);
            found.push((item, looked));
            if bytes > bytes_max {
                break;
            }
        }
        Ok(Looked { found, left: left.collect() })
    };
    try_in_order(portions, crew, work, |looked: Result<Looked<I, T>, MigrateError>| {
        let Looked { found, left } = looked?;
        found.into_iter().try_for_each(|(item, looked)| take(item, looked))?;
        left.into_iter().try_for_each(|item| take(item, look(item)?))
    })
}

/// A portion, as far as it may be held.
struct Looked<I, T> {
    found: Vec<(I, T)>,
    left: Vec<I>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_handed_on_in_order_however_much_of_it_may_be_held() {
        for (jobs, bytes) in [(0, 0), (1, HELD_BYTES_MAX), (3, HELD_BYTES_MAX / 100)] {
            let mut taken = Vec::new();
            let take = |item: u64, found: u64| {
                assert_eq!(found, item * 2);
                taken.push(item);
                Ok(())
            };
            each_looked_at(jobs, 0..1_000, |item| Ok(item * 2), |_| bytes, take).unwrap();
            assert_eq!(taken, (0..1_000).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_cannot_be_looked_at_ends_it_there() {
        let mut taken = 0;
        let look = |item: u64| {
            let gone = || MigrateError::Gone { object: item.to_string() };
            if item == 100 { Err(gone()) } else { Ok(item) }
        };
        let count = |_, _| {
            taken += 1;
            Ok(())
        };
        let ended = each_looked_at(2, 0..1_000, look, |_| 0, count);
        assert!(matches!(ended, Err(MigrateError::Gone { object }) if object == "100"));
        assert_eq!(taken, PORTION);
    }
}
