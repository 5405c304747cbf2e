//! Properties that two values, or what was done to one, show by themselves.

use crate::document::{Pointer, Value};
use crate::transform::{Effect, Operation};

/// How many places are named where something does not hold.
const PLACES_MAX: usize = 100;

/// The first places of `before` that are not in `after` as they were: a key or an element that is gone, a value that is
/// another one, be it by its digits only. What stands at `exempt` may differ. Lists may get longer, at their end.
pub fn appends_only(before: &Value, after: &Value, exempt: &[Pointer]) -> Vec<Pointer> {
    let mut changed = Vec::new();
    compare(before, after, &Pointer::default(), exempt, &mut changed);
    changed
}

fn compare(
    before: &Value,
    after: &Value,
    place: &Pointer,
    exempt: &[Pointer],
    changed: &mut Vec<Pointer>,
) {
    if changed.len() >= PLACES_MAX || exempt.contains(place) {
        return;
    }
    let mut below = |token: &str, before: &Value, after: Option<&Value>| {
        let place = place.below(token);
        match after {
            Some(after) => compare(before, after, &place, exempt, changed),
            None if exempt.contains(&place) => {}
            None => changed.push(place),
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
        _ => changed.push(place.clone()),
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
