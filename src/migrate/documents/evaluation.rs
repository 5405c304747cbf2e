//! What a contract makes of one document: bytes in; version, way, changes, loss and bytes out. Knows no file and no
//! ledger; the same bytes give the same answer everywhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger_format::body::Verdict;
use ledger_format::cbor::{self, Value as Cbor};
use ledger_format::hash::CommitHash;
use serde::Serialize;

use super::prepared::{Prepared, Promise, Route};
use super::refusal::Refusal;
use crate::contract::{Edge, Pattern, detect_document};
use crate::document::{Document, LostForm, Map, Pointer, Value};
use crate::transform::{Attempt, Effect, Step, Trouble, apply_unnoted, attempt, inverse};

/// How a document stands to its contract. Each is worse than those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is at the version asked for, and nothing would change.
    Current,
    /// It is at the version asked for, and normalising changes it.
    Normalized,
    /// It is at an older version, and can be migrated.
    Migrated,
    /// It cannot be migrated.
    Unsupported,
}

/// A document and the version it has.
#[derive(Debug, Clone)]
pub struct Read {
    /// The document.
    pub document: Document,
    /// Its version.
    pub version: String,
}

/// A document on its way: steps were taken, and nothing was judged yet.
#[derive(Debug, Clone)]
pub struct Moved {
    /// What it was.
    pub read: Read,
    /// The way it took.
    pub route: Arc<Route>,
    /// What it says now.
    pub value: Value,
    /// What was changed, in order.
    pub effects: Vec<Effect>,
    /// What was lost.
    pub lost: Vec<Lost>,
    /// Why it is refused, if it is.
    pub refusals: Vec<Refusal>,
    /// Whether the steps that lead back give exactly what it was.
    pub round_trips: Verdict,
}

/// One value that is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// The edge that loses it; none for the normalisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge: Option<CommitHash>,
    /// Where it stood.
    pub path: Pointer,
    /// What stood there.
    pub value: Value,
}

/// What a contract makes of a document.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// How it stands.
    pub status: Status,
    /// The version found.
    pub detected: Option<String>,
    /// The way it takes, if there is one.
    pub route: Option<Arc<Route>>,
    /// What changes, in order.
    pub effects: Vec<Effect>,
    /// What is lost.
    pub lost: Vec<Lost>,
    /// What of its form is lost although no value changes.
    pub form_lost: Vec<LostForm>,
    /// Why it is refused, if it is.
    pub refusals: Vec<Refusal>,
    /// What was checked, by name.
    pub verdicts: BTreeMap<String, Verdict>,
    /// The document after it, unless it is refused.
    pub result: Option<Outcome>,
}

/// A migrated document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What it says.
    pub value: Value,
    /// Its bytes, exactly as they are published.
    pub bytes: Vec<u8>,
}

/// Tag of the hash of what is lost (SPEC §8.4).
const LOSS_TAG: &str = "migration_loss";

impl Evaluation {
    /// `CommitHash("migration_loss", [{edge, path, value}])` (SPEC §8.4).
    pub fn loss_hash(&self) -> CommitHash {
        CommitHash::of(LOSS_TAG, &self.loss_list())
    }

    /// The list that the hash is of.
    pub fn loss_list(&self) -> Cbor {
        loss_list(&self.lost)
    }

    pub(in crate::migrate) fn refused(detected: Option<String>, refusals: Vec<Refusal>) -> Self {
        Self {
            status: Status::Unsupported,
            detected,
            route: None,
            effects: Vec::new(),
            lost: Vec::new(),
            form_lost: Vec::new(),
            refusals,
            verdicts: BTreeMap::new(),
            result: None,
        }
    }
}

/// What is lost, as it is hashed and kept.
pub(in crate::migrate) fn loss_list(lost: &[Lost]) -> Cbor {
    let lost = lost.iter().map(|lost| {
        // Values are written by their digits and text, all of which can be encoded.
        let value = cbor::to_value(&lost.value).unwrap_or(Cbor::Null);
        cbor::map([
            ("edge", lost.edge.map_or(Cbor::Null, Into::into)),
            ("path", Cbor::from(lost.path.to_string().as_str())),
            ("value", value),
        ])
    });
    Cbor::Array(lost.collect())
}

impl Prepared {
    /// What becomes of `bytes` on the way to version `to`, the contract's current one if `None`. References to other
    /// documents stay as they are.
    pub fn evaluate(&self, bytes: &[u8], to: Option<&str>) -> Evaluation {
        let read = match self.read(bytes) {
            Ok(read) => read,
            Err(refusal) => return Evaluation::refused(None, vec![refusal]),
        };
        let version = read.version.clone();
        match self.take_steps(read, to) {
            Ok(moved) => self.judge(moved, bytes),
            Err(refusal) => Evaluation::refused(Some(version), vec![refusal]),
        }
    }

    /// Reads a document and tells its version.
    pub fn read(&self, bytes: &[u8]) -> Result<Read, Refusal> {
        let document = Document::read(self.format(), bytes)?;
        let version = detect_document(self.contract(), &document.value)?.to_owned();
        Ok(Read { document, version })
    }

    /// A document that stays where it is.
    pub(super) fn take_nothing(read: Read) -> Moved {
        let route = Arc::new(Route::staying(&read.version));
        let (effects, lost, refusals) = (Vec::new(), Vec::new(), Vec::new());
        let round_trips = Verdict::NotApplicable;
        let value = read.document.value.clone();
        Moved { read, route, value, effects, lost, refusals, round_trips }
    }

    /// Takes the steps of every edge on the way, and at the current version those of the normalisation.
    pub fn take_steps(&self, read: Read, to: Option<&str>) -> Result<Moved, Refusal> {
        let to = to.unwrap_or(&self.contract().current);
        let route = self.route(&read.version, to)?;
        let value = read.document.value.clone();
        let (effects, lost, refusals) = (Vec::new(), Vec::new(), Vec::new());
        let round_trips =
            if route.edges.is_empty() { Verdict::NotApplicable } else { Verdict::True };
        let mut moved = Moved { read, route, value, effects, lost, refusals, round_trips };
        let route = Arc::clone(&moved.route);
        for (place, digest) in route.places.iter().zip(&route.edges) {
            let Some(edge) = self.edge(*place) else { continue };
            if !self.walk(&mut moved, edge, *digest) {
                return Ok(moved);
            }
        }
        let normalize = &self.contract().normalize;
        if to == self.contract().current && !normalize.is_empty() {
            let done = attempt(normalize, &self.programs, &mut moved.value);
            let lost = self.losses(&done.effects, None);
            moved.declare(lost, &|| "the normalisation".to_owned(), &self.normalize_lossy);
            moved.took(done, &|| "the normalisation".to_owned());
        }
        Ok(moved)
    }

    /// Takes the steps of an edge back; says whether that could be done.
    pub(super) fn take_back(&self, edge: &Edge, value: &mut Value) -> bool {
        let back = edge.inverse.clone().or_else(|| inverse(&edge.steps));
        back.is_some_and(|back| apply_unnoted(&back, &self.programs, value).is_ok())
    }

    /// Takes the steps of one edge. Whether the document can go on.
    fn walk(&self, moved: &mut Moved, edge: &Edge, digest: CommitHash) -> bool {
        let route = Arc::clone(&moved.route);
        let back = route.back(digest);
        let before = back.map(|_| moved.value.clone());
        let done = attempt(&edge.steps, &self.programs, &mut moved.value);
        let refused = !done.refusals.is_empty();
        let mut lost = Vec::new();
        if !refused {
            let returns = self.returns(back, before.as_ref(), &moved.value);
            moved.round_trips = both(moved.round_trips, returns);
            // What steps that the contract names bring back is not lost, whatever was done to it.
            if !(edge.inverse.is_some() && returns == Verdict::True) {
                lost = self.losses(&done.effects, Some(digest));
            }
        }
        moved.declare(lost, &|| edge.name(), route.lossy(digest));
        moved.took(done, &|| edge.name());
        !refused
    }

    /// Whether the steps that lead back give what was there before.
    fn returns(&self, back: Option<&[Step]>, before: Option<&Value>, after: &Value) -> Verdict {
        let (Some(back), Some(before)) = (back, before) else { return Verdict::NotApplicable };
        let mut value = after.clone();
        match apply_unnoted(back, &self.programs, &mut value) {
            Ok(()) if value == *before => Verdict::True,
            _ => Verdict::False,
        }
    }

    fn losses(&self, effects: &[Effect], edge: Option<CommitHash>) -> Vec<Lost> {
        let mut lost = Vec::new();
        for effect in effects {
            for path in effect.lost() {
                if !self.version_places.contains(&path) {
                    let value = effect.before_at(&path).cloned().unwrap_or(Value::Null);
                    lost.push(Lost { edge, path, value });
                }
            }
        }
        lost
    }

    /// Judges a document that is as it is to be published: loss declared, schema, invariants. `source` is what it was.
    pub fn judge(&self, moved: Moved, source: &[u8]) -> Evaluation {
        let Moved { read, route, value, effects, lost, mut refusals, round_trips } = moved;
        let mut verdicts = BTreeMap::new();
        let mut result = None;
        let mut form_lost = Vec::new();
        let mut rewritten = false;
        if refusals.is_empty() {
            let schema = self.schemas.get(&route.to);
            let violations = schema.and_then(|schema| schema.validate(&value).err());
            let valid = schema.map(|_| violations.is_none());
            note(&mut verdicts, "validates_at_target", valid);
            refusals.extend(violations.into_iter().flatten().map(Refusal::from));
            refusals.extend(self.broken_invariants(&read.document.value, &value, &mut verdicts));
            note(&mut verdicts, "loss_declared", Some(true));
            verdicts.insert("round_trips".to_owned(), round_trips);
        }
        if refusals.is_empty() {
            let unchanged = effects.is_empty() && value == read.document.value;
            let bytes = if unchanged {
                Ok(source.to_vec())
            } else {
                rewritten = true;
                form_lost = read.document.lost_form(source);
                read.document.with(value.clone()).write()
            };
            match bytes {
                Ok(bytes) => result = Some(Outcome { value, bytes }),
                Err(error) => refusals.push(error.into()),
            }
        }
        let status = if result.is_none() {
            Status::Unsupported
        } else if !route.edges.is_empty() {
            Status::Migrated
        } else if rewritten {
            Status::Normalized
        } else {
            Status::Current
        };
        let (detected, route) = (Some(read.version), Some(route));
        Evaluation { status, detected, route, effects, lost, form_lost, refusals, verdicts, result }
    }

    fn broken_invariants(
        &self,
        source: &Value,
        target: &Value,
        verdicts: &mut BTreeMap<String, Verdict>,
    ) -> Vec<Refusal> {
        if self.invariants.is_empty() {
            return Vec::new();
        }
        let both: Map =
            [("source", source.clone()), ("target", target.clone())].into_iter().collect();
        let both = Value::from(both);
        let mut broken = Vec::new();
        for Promise { id, program, reads } in &self.invariants {
            let found = program.run_reading(&both, reads.as_deref());
            let holds = found == Ok(Value::Bool(true));
            note(verdicts, &format!("invariant:{id}"), Some(holds));
            match found {
                Ok(Value::Bool(true)) => {}
                Ok(Value::Bool(false)) => {
                    broken.push(Refusal::outcome(format!("the invariant {id} does not hold")));
                }
                Ok(other) => broken.push(Refusal::outcome(format!(
                    "the invariant {id} gave {}, not true or false",
                    other.kind()
                ))),
                Err(error) => broken.push(Refusal::outcome(format!("the invariant {id}: {error}"))),
            }
        }
        broken
    }
}

impl Moved {
    /// Takes note of what was done before any step: a signature taken off, which the contract declares by saying so.
    pub(super) fn after_unsigning(mut self, effects: Vec<Effect>) -> Self {
        for effect in &effects {
            for path in effect.lost() {
                let value = effect.before_at(&path).cloned().unwrap_or(Value::Null);
                self.lost.push(Lost { edge: None, path, value });
            }
        }
        self.effects.splice(0..0, effects);
        self
    }

    /// Takes note of what was lost; what is not declared refuses the document.
    fn declare(&mut self, lost: Vec<Lost>, edge: &dyn Fn() -> String, declared: &[Pattern]) {
        for lost in lost {
            if !declared.iter().any(|pattern| pattern.covers(&lost.path)) {
                self.refusals.push(Refusal::undeclared(&edge(), lost.path.clone()));
            }
            self.lost.push(lost);
        }
    }

    /// Takes note of what the steps of `edge` did. Which of them could not be taken is told, unless the contract says in its own
    /// words why.
    fn took(&mut self, done: Attempt, edge: &dyn Fn() -> String) {
        self.effects.extend(done.effects);
        let own =
            done.refusals.last().is_some_and(|last| matches!(last.trouble, Trouble::Required(_)));
        self.refusals.extend(done.refusals.into_iter().map(Refusal::from));
        if let (Some(number), Some(last), false) = (done.stopped_at, self.refusals.last_mut(), own)
        {
            last.message = format!("{} (step {number} of {})", last.message, edge());
        }
    }
}

/// Both of two answers; one that cannot be given makes the whole one that cannot.
const fn both(so_far: Verdict, next: Verdict) -> Verdict {
    match (so_far, next) {
        (Verdict::False, _) | (_, Verdict::False) => Verdict::False,
        (Verdict::NotApplicable, _) | (_, Verdict::NotApplicable) => Verdict::NotApplicable,
        (Verdict::True, Verdict::True) => Verdict::True,
    }
}

fn note(verdicts: &mut BTreeMap<String, Verdict>, name: &str, holds: Option<bool>) {
    let verdict = match holds {
        None => Verdict::NotApplicable,
        Some(true) => Verdict::True,
        Some(false) => Verdict::False,
    };
    verdicts.insert(name.to_owned(), verdict);
}
