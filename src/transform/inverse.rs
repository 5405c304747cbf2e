//! Steps that take back what another step did. They exist only where they are true.

use super::convert::back;
use super::step::{
    Convert, Each, Ensure, Group, MapValues, Mapping, Place, Put, Rehash, Rename, Step, Transfer,
    Wrap,
};
use crate::document::Value;

/// The steps that take back what `steps` did; `None` if one of them has no inverse.
///
/// That there is one says nothing about a document yet: it counts only for those it was tried on (a step that adds a
/// default has an inverse that would also remove a value that was there before and equal to it).
pub fn inverse(steps: &[Step]) -> Option<Vec<Step>> {
    steps.iter().rev().map(of_step).collect()
}

/// Whether there are steps that take back what `step` did.
pub fn is_reversible(step: &Step) -> bool {
    of_step(step).is_some()
}

fn of_step(step: &Step) -> Option<Step> {
    match step {
        Step::Rename(Rename { path, to, optional }) => {
            let (above, name) = path.split()?;
            let back = Rename { path: above.below(to), to: name.to_owned(), optional: *optional };
            Some(Step::Rename(back))
        }
        Step::Move(Transfer { from, to, optional }) => {
            Some(Step::Move(Transfer { from: to.clone(), to: from.clone(), optional: *optional }))
        }
        Step::Add(Put { path, value: Some(value), .. }) => {
            let equals = Some(value.clone());
            Some(Step::Remove(Place { path: path.clone(), optional: false, equals }))
        }
        Step::Ensure(Ensure { path, value: Some(value), optional: false, .. }) => {
            let equals = Some(value.clone());
            Some(Step::Remove(Place { path: path.clone(), optional: false, equals }))
        }
        Step::Convert(Convert { path, to, optional }) => {
            Some(Step::Convert(Convert { path: path.clone(), to: back(*to), optional: *optional }))
        }
        Step::MapValues(table) => back_table(table).map(Step::MapValues),
        Step::Nest(group) => Some(Step::Hoist(group.clone())),
        Step::Hoist(Group { path, keys }) => {
            Some(Step::Nest(Group { path: path.clone(), keys: keys.clone() }))
        }
        Step::Wrap(wrap) => Some(Step::Unwrap(wrap.clone())),
        Step::Unwrap(Wrap { path, key }) => {
            Some(Step::Wrap(Wrap { path: path.clone(), key: key.clone() }))
        }
        Step::Each(Each { path, steps, optional }) => {
            let steps = inverse(steps)?;
            Some(Step::Each(Each { path: path.clone(), steps, optional: *optional }))
        }
        Step::Rehash(step) => {
            Some(Step::Rehash(Rehash { from: step.to, to: step.from, ..step.clone() }))
        }
        Step::Require(require) => Some(Step::Require(require.clone())),
        Step::Copy(_)
        | Step::Sql(_)
        | Step::Set(_)
        | Step::Merge(_)
        | Step::Remove(_)
        | Step::When(_)
        | Step::Jq(_)
        | Step::Program(_)
        | Step::Add(_)
        | Step::Ensure(_) => None,
    }
}

/// Only a table that sends different values to different values, and keeps nothing that it also makes, can be read
/// backwards.
fn back_table(table: &MapValues) -> Option<MapValues> {
    is_bijective(table).then(|| MapValues {
        path: table.path.clone(),
        table: table
            .table
            .iter()
            .map(|line| Mapping { from: line.to.clone(), to: line.from.clone() })
            .collect(),
        otherwise: table.otherwise,
        optional: table.optional,
    })
}

pub(super) fn is_bijective(table: &MapValues) -> bool {
    let made_twice =
        |value: &Value| table.table.iter().filter(|line| line.to == *value).count() > 1;
    let also_kept = |value: &Value| {
        table.otherwise == super::step::Otherwise::Keep
            && !table.table.iter().any(|line| line.from == *value)
    };
    table.table.iter().all(|line| !made_twice(&line.to) && !also_kept(&line.to))
}
