//! Properties that two values, or what was done to one, show by themselves.

use std::collections::BTreeMap;

use crate::document::{Pointer, Value};
use crate::transform::{Effect, Operation};

/// How many places are named where something does not hold.
const PLACES_MAX: usize = 100;

/// The first places of `before` that are not in `after` as they were: a key or an element that is gone, a value that is
/// another one, be it by its digits only. What stands at `exempt` may differ. Lists may get longer, at their end. What steps
/// moved may stand where they put it, and a hash of other values that steps computed anew may be another one.
pub fn appends_only(
    before: &Value,
    after: &Value,
    exempt: &[Pointer],
    followed: &Followed,
) -> Vec<Pointer> {
    let mut comparison = Comparison { after, exempt, followed, changed: Vec::new() };
    comparison.compare(before, after, &Pointer::default(), &Pointer::default());
    comparison.changed
}

/// What steps did to places without dropping what stood there, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Followed(BTreeMap<Pointer, Vec<(usize, Fate)>>);

/// What became of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// What stood there stands here.
    Moved(Pointer),
    /// It is computed anew from other values.
    Derived,
}

impl Followed {
    /// What `effects`, in order, say of that.
    pub fn of(effects: &[Effect]) -> Self {
        let mut followed = Self::default();
        for (number, effect) in effects.iter().enumerate() {
            let (place, fate) = match &effect.from {
                Some(from) => (from, Fate::Moved(effect.path.clone())),
                None if effect.derived => (&effect.path, Fate::Derived),
                None => continue,
            };
            followed.0.entry(place.clone()).or_default().push((number, fate));
        }
        followed
    }

    /// Where the value stands now that stood at `place`; nowhere if it is computed anew.
    fn now(&self, place: &Pointer) -> Option<Pointer> {
        let (mut place, mut next) = (place.clone(), 0);
        while let Some((number, above, fate)) = self.first_from(next, &place) {
            place = match fate {
                Fate::Moved(to) => place.moved(&above, to)?,
                Fate::Derived if above == place => return None,
                Fate::Derived => place,
            };
            next = number + 1;
        }
        Some(place)
    }

    /// The first that happened to `place`, or to what holds it, counted from `number`.
    fn first_from(&self, number: usize, place: &Pointer) -> Option<(usize, Pointer, &Fate)> {
        let mut above = Some(place.clone());
        let mut first: Option<(usize, Pointer, &Fate)> = None;
        while let Some(held) = above {
            above = held.split().map(|(above, _)| above);
            let fates = self.0.get(&held).map(Vec::as_slice).unwrap_or_default();
            let at = fates.partition_point(|(happened, _)| *happened < number);
            if let Some((happened, fate)) = fates.get(at)
                && first.as_ref().is_none_or(|(so_far, ..)| happened < so_far)
            {
                first = Some((*happened, held, fate));
            }
        }
        first
    }
}

struct Comparison<'a> {
    /// The whole result.
    after: &'a Value,
    exempt: &'a [Pointer],
    followed: &'a Followed,
    changed: Vec<Pointer>,
}

impl Comparison<'_> {
    /// Compares what stood at `place` with what stands at `here`.
    fn compare(&mut self, before: &Value, after: &Value, place: &Pointer, here: &Pointer) {
        if self.changed.len() >= PLACES_MAX
            || [place, here].iter().any(|at| self.exempt.contains(at))
        {
            return;
        }
        let mut below = |token: &str, before: &Value, after: Option<&Value>| {
            let (place, here) = (place.below(token), here.below(token));
            match after {
                Some(after) => self.compare(before, after, &place, &here),
                None if self.exempt.contains(&place) => {}
                None => self.elsewhere(before, &place, &here),
            }
        };
        match (before, after) {
            (Value::Map(before), Value::Map(after)) => {
                before.iter().for_each(|(key, value)| below(key, value, after.get(key)));
            }
            (Value::List(before), Value::List(after)) => {
                for (at, value) in before.iter().enumerate() {
                    below(&at.to_string(), value, after.get(at));
                }
            }
            _ if before == after => {}
            _ => self.elsewhere(before, place, here),
        }
    }

    /// Looks for what stood at `place`, and does not stand at `here`, where steps put it.
    fn elsewhere(&mut self, before: &Value, place: &Pointer, here: &Pointer) {
        let Some(now) = self.followed.now(place) else { return };
        match now.get(self.after) {
            Some(after) if now != *here => self.compare(before, after, place, &now),
            _ => self.changed.push(place.clone()),
        }
    }
}

/// The first places that `effects` add or lose without being declared, and which of the two: `adds` and `loses` say whether
/// a place is. What stands at `exempt` may change.
pub fn undeclared(
    effects: &[Effect],
    exempt: &[Pointer],
    adds: &dyn Fn(&Pointer) -> bool,
    loses: &dyn Fn(&Pointer) -> bool,
) -> Vec<(Pointer, &'static str)> {
    let added = |effect: &Effect| {
        (effect.op == Operation::Added && !adds(&effect.path)).then(|| effect.path.clone())
    };
    let lost = |effect: &Effect| effect.lost().into_iter().filter(|place| !loses(place));
    let places = effects.iter().flat_map(|effect| {
        let added = added(effect).map(|place| (place, "it is added, and the edge does not say so"));
        let lost = lost(effect).map(|place| (place, "it is lost, and the edge does not say so"));
        added.into_iter().chain(lost)
    });
    places.filter(|(place, _)| !exempt.contains(place)).take(PLACES_MAX).collect()
}
