//! Whether two detectors can both match one object.

use super::super::detector::{Detector, When};
use super::super::model::Contract;
use super::{Notes, Severity, entry};
use crate::document::{Pointer, Value};
use crate::transform::{Kind, is_of_kind};

/// Most pairs that are compared; a ladder of thousands of versions has a detector each.
const PAIRS_MAX: usize = 1_000_000;

pub(super) fn check(contract: &Contract, notes: &mut Notes) {
    let asked: Vec<(&Detector, Vec<Claim>)> =
        contract.detect.iter().map(|detector| (detector, claims(&detector.when))).collect();
    let mut pairs = 0;
    for (position, (one, claims)) in asked.iter().enumerate() {
        for (other, others) in asked.iter().take(position) {
            pairs += 1;
            if pairs > PAIRS_MAX {
                return;
            }
            if one.version != other.version && !excluded(claims, others) {
                let message = format!(
                    "one object can match the detectors of version {:?} and {:?}",
                    other.version, one.version
                );
                notes.add(
                    "detectors-overlap",
                    Severity::Warning,
                    entry("detect", position),
                    message,
                    "let one of them ask for something that the other excludes; an object that matches both is refused",
                );
            }
        }
    }
}

/// What a detector claims of a place.
struct Claim {
    at: Pointer,
    what: What,
}

enum What {
    Equals(Value),
    Kind(Kind),
    Present,
    Absent,
}

fn claims(when: &When) -> Vec<Claim> {
    let mut claims = Vec::new();
    for part in when.parts() {
        let Some(Ok(at)) = part.path.as_deref().map(str::parse::<Pointer>) else { continue };
        let mut claim = |at: Pointer, what| claims.push(Claim { at, what });
        if let Some(value) = &part.equals {
            claim(at.clone(), What::Equals(value.clone()));
        }
        if let Some(kind) = part.kind {
            claim(at.clone(), What::Kind(kind));
        }
        if part.absent {
            claim(at.clone(), What::Absent);
        }
        let Some(shape) = &part.shape else { continue };
        // Tables have names that no path of a manifest can have.
        let root = if let Some(table) = &shape.table {
            Pointer::default().below("\u{0}").below(table)
        } else {
            claim(at.clone(), What::Kind(Kind::Object));
            at
        };
        shape.has.iter().for_each(|key| claim(root.below(key), What::Present));
        shape.lacks.iter().for_each(|key| claim(root.below(key), What::Absent));
    }
    claims
}

/// Whether no object can fulfil all claims of both lists.
fn excluded(claims: &[Claim], others: &[Claim]) -> bool {
    claims
        .iter()
        .any(|one| others.iter().any(|other| contradict(one, other) || contradict(other, one)))
}

/// Whether `one` rules out `other`, which stands at the same place or below it.
fn contradict(one: &Claim, other: &Claim) -> bool {
    let Some(below) = other.at.tokens().strip_prefix(one.at.tokens()) else { return false };
    let below = below.iter().fold(Pointer::default(), |place, token| place.below(token));
    let same = below.tokens().is_empty();
    match (&one.what, &other.what) {
        (What::Absent, What::Absent) => false,
        (What::Absent, _) => true,
        (What::Equals(value), What::Equals(other)) => below.get(value) != Some(other),
        (What::Equals(value), What::Kind(kind)) => {
            !below.get(value).is_some_and(|value| is_of_kind(value, *kind))
        }
        (What::Equals(value), What::Present) => below.get(value).is_none(),
        (What::Equals(value), What::Absent) => below.get(value).is_some(),
        (What::Kind(kind), What::Kind(other)) if same => !compatible(*kind, *other),
        (What::Kind(kind), What::Kind(_) | What::Equals(_) | What::Present) if !same => {
            !matches!(kind, Kind::Object | Kind::Array)
        }
        _ => false,
    }
}

fn compatible(one: Kind, other: Kind) -> bool {
    let number = |kind| matches!(kind, Kind::Integer | Kind::Number);
    one == other || number(one) && number(other)
}
