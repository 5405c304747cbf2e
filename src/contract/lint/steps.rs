//! Whether the steps of an edge do what the edge declares, as far as that can be told without a document: places are
//! those that the steps name, with `*` for the elements that `each` goes through.

use super::super::model::{Contract, Edge};
use super::super::pattern::Pattern;
use super::{Notes, Severity, entry, place};
use crate::document::{Pointer, Value};
use crate::transform::{Step, inverse, is_reversible};

pub(super) fn check(contract: &Contract, notes: &mut Notes) {
    let versions = version_places(contract);
    let mut normal = Seen::default();
    normal.steps(&contract.normalize, &place(&["normalize"]), &Pointer::default(), &[]);
    undeclared(
        &contract.normalize_lossy,
        "the normalisation",
        "normalize_lossy",
        &normal,
        &versions,
        notes,
    );
    for (position, edge) in contract.edges.iter().enumerate() {
        let at = entry("edges", position);
        let mut seen = Seen::default();
        seen.steps(&edge.steps, &at.below("steps"), &Pointer::default(), &[]);
        loss(edge, &at, &seen, &versions, notes);
        defaults(edge, &at, &seen, notes);
        own_inverse(edge, &at, notes);
    }
}

/// The places that detectors compare: what is changed there is no loss.
fn version_places(contract: &Contract) -> Vec<Pattern> {
    let parts = contract.detect.iter().flat_map(|detector| detector.when.parts());
    let parts = parts.filter(|part| part.equals.is_some());
    parts.filter_map(|part| part.path.as_deref()?.parse().ok()).collect()
}

/// What the steps of an edge do that can be seen.
#[derive(Default)]
struct Seen {
    losses: Vec<Loss>,
    /// Places where something is put if nothing is there, and the steps that do it.
    added: Vec<(Pattern, Pointer)>,
    /// A program could do anything.
    opaque: bool,
}

struct Loss {
    /// What is lost.
    what: Pattern,
    /// The step that loses it.
    step: Pointer,
    /// Whether it is lost whenever it is there, not only if another value is put.
    always: bool,
}

impl Seen {
    /// `free` are places that a guard has found empty.
    fn steps(&mut self, steps: &[Step], at: &Pointer, base: &Pointer, free: &[Pointer]) {
        for (position, step) in steps.iter().enumerate() {
            self.step(step, &at.below(&position.to_string()), base, free);
        }
    }

    fn step(&mut self, step: &Step, at: &Pointer, base: &Pointer, free: &[Pointer]) {
        match step {
            Step::Remove(place) => self.lost(&place.path.under(base), at, true),
            Step::Set(put) if free.contains(&put.path.under(base)) => {
                self.added.push((put.path.under(base).into(), at.clone()));
            }
            Step::Set(put) => self.lost(&put.path.under(base), at, false),
            Step::MapValues(table) if !is_reversible(step) => {
                self.lost(&table.path.under(base), at, true);
            }
            Step::Ensure(ensure) if !ensure.optional => {
                self.added.push((ensure.path.under(base).into(), at.clone()));
            }
            Step::Add(put) => self.added.push((put.path.under(base).into(), at.clone())),
            Step::Merge(put) => match &put.value {
                Some(Value::Map(map)) => {
                    let root = put.path.under(base);
                    let keys = map.iter().map(|(key, _)| (root.below(key).into(), at.clone()));
                    self.added.extend(keys);
                }
                _ => self.opaque = true,
            },
            Step::Each(each) => {
                let base = each.path.under(base).below("*");
                self.steps(&each.steps, &at.below("each").below("steps"), &base, &[]);
            }
            Step::When(when) => {
                let mut free = free.to_vec();
                free.extend(when.condition.absent.then(|| when.condition.path.under(base)));
                self.steps(&when.steps, &at.below("when").below("steps"), base, &free);
            }
            Step::Jq(_) => self.opaque = true,
            step if !is_reversible(step) => self.opaque |= is_program(step),
            _ => {}
        }
    }

    fn lost(&mut self, what: &Pointer, step: &Pointer, always: bool) {
        self.losses.push(Loss { what: what.clone().into(), step: step.clone(), always });
    }
}

/// Steps whose effects cannot be seen in them.
const fn is_program(step: &Step) -> bool {
    !matches!(step, Step::Copy(_) | Step::Require(_) | Step::Ensure(_))
}

fn loss(edge: &Edge, at: &Pointer, seen: &Seen, versions: &[Pattern], notes: &mut Notes) {
    let name = format!("edge {}", edge.name());
    if !edge.proof.drops_nothing {
        return undeclared(&edge.lossy, &name, "lossy", seen, versions, notes);
    }
    let certain = seen.losses.iter().filter(|loss| loss.always && !exempt(&loss.what, versions));
    for Loss { what, .. } in certain {
        let message = format!("{name} promises to drop nothing and takes away {what}");
        let help = "say dropsNothing: false and declare the place under `lossy`";
        let at = at.below("proof").below("dropsNothing");
        notes.add("drops", Severity::Error, at, message, help);
    }
    let possible = seen.losses.iter().filter(|loss| !loss.always && !exempt(&loss.what, versions));
    for Loss { what, step, .. } in possible {
        let message = format!("{name} promises to drop nothing and may replace {what}");
        let help = "put it under a guard that finds the place empty, or declare the loss";
        notes.add("undeclared-loss", Severity::Warning, step.clone(), message, help);
    }
}

/// Losses that the field `field`, which declares `lossy`, does not have.
fn undeclared(
    lossy: &[String],
    name: &str,
    field: &str,
    seen: &Seen,
    versions: &[Pattern],
    notes: &mut Notes,
) {
    let declared: Vec<Pattern> = lossy.iter().filter_map(|path| path.parse().ok()).collect();
    for Loss { what, step, always } in &seen.losses {
        // A part of it that is declared may be all that there is.
        let known =
            declared.iter().any(|path| path.covers_pattern(what) || what.covers_pattern(path));
        if known || exempt(what, versions) {
            continue;
        }
        let (severity, verb) = if *always {
            (Severity::Error, "takes away")
        } else {
            (Severity::Warning, "may replace")
        };
        let message = format!("{name} {verb} {what}, and `{field}` does not say so");
        let help = "declare the place; loss that is not declared stops a migration";
        notes.add("undeclared-loss", severity, step.clone(), message, help);
    }
}

/// What is changed in the place of the version is no loss.
fn exempt(what: &Pattern, versions: &[Pattern]) -> bool {
    versions.iter().any(|version| version.covers_pattern(what))
}

fn defaults(edge: &Edge, at: &Pointer, seen: &Seen, notes: &mut Notes) {
    let list = at.below("proof").below("addsDefaulted");
    let declared: Vec<Option<Pattern>> =
        edge.proof.adds_defaulted.iter().map(|path| path.parse().ok()).collect();
    for (what, step) in &seen.added {
        if !declared.iter().flatten().any(|path| path.covers_pattern(what)) {
            let message =
                format!("edge {} adds {what}, and `addsDefaulted` does not say so", edge.name());
            let help = "name the place under proof.addsDefaulted";
            notes.add("adds-defaulted", Severity::Error, step.clone(), message, help);
        }
    }
    for (position, path) in declared.iter().enumerate() {
        let Some(path) = path else { continue };
        let seen_or_hidden = seen.opaque
            || seen.added.iter().any(|(what, _)| path.covers_pattern(what))
            || seen.losses.iter().any(|loss| path.covers_pattern(&loss.what));
        if !seen_or_hidden {
            let message = format!("no step of edge {} adds {path}", edge.name());
            let help = "take it out of proof.addsDefaulted, or add the step";
            notes.add(
                "adds-defaulted",
                Severity::Error,
                list.below(&position.to_string()),
                message,
                help,
            );
        }
    }
}

fn own_inverse(edge: &Edge, at: &Pointer, notes: &mut Notes) {
    let Some(given) = &edge.inverse else { return };
    if inverse(&edge.steps).is_some_and(|real| real != *given) {
        let message = format!(
            "the inverse given for edge {} is not the one that follows from its steps",
            edge.name()
        );
        let help = "leave `inverse` out: the steps can be taken back as they are";
        notes.add("inverse", Severity::Warning, at.below("inverse"), message, help);
    }
}
