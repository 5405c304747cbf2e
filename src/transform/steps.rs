//! Applying steps.

use std::sync::Arc;

use ecow::{EcoString, eco_format};
use ledger_format::hash::hex;

use super::condition::holds;
use super::convert::{converted, is_of_kind};
use super::difference::difference_below;
use super::effect::Effect;
use super::external::ExternalError;
use super::groups::{Group, groups};
use super::inverse::is_bijective;
use super::jq::JqError;
use super::programs::Programs;
use super::step;
use super::step::{
    Convert, Each, Ensure, External, Groups, Jq, Kind, MapValues, Otherwise, Place, Put, Rehash,
    Rename, Require, Step, Transfer, When, Wrap,
};
use crate::diagnostic::{self, Code};
use crate::document::{Map, Pointer, Value};
use crate::glyphser::{self, Formula, FormulaReason};

/// A step that refused. The document is then neither what it was nor what it was to become, and of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {trouble}", if path.tokens().is_empty() { "the document".to_owned() } else { path.to_string() })]
pub struct StepError {
    /// Where.
    pub path: Pointer,
    /// Why.
    pub trouble: Trouble,
}

impl StepError {
    /// The registered code.
    pub const fn code(&self) -> &'static Code {
        match self.trouble {
            Trouble::Stale { .. } => &diagnostic::LINK_STALE,
            Trouble::NoHash | Trouble::Formula(_) => &diagnostic::LINK_INVALID,
            _ => &diagnostic::STEP_FAILED,
        }
    }
}

/// Why a step refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// Nothing stands there.
    #[error("nothing stands here, and the step does not say that it is optional")]
    Missing,
    /// What something is to be put into is not there.
    #[error(
        "nothing stands here, and {name:?} was to be put into it: a step before this one has to make the object"
    )]
    NoObject {
        /// What was to be put.
        name: String,
    },
    /// The place must be free and is not.
    #[error("something stands here already")]
    Taken,
    /// What stands there is of another kind than the step can work on.
    #[error("here stands {found}; the step works on {expected}")]
    Kind {
        /// What the step works on.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// What stands there is not what the step takes away.
    #[error("here stands another value than the one that the step takes away")]
    Unequal,
    /// A value that the step has nothing for.
    #[error("the step has nothing for this value")]
    Unmapped,
    /// An object that must be empty, or have one key, has others.
    #[error("the object has other keys: {0}")]
    OtherKeys(String),
    /// A jq program has no one result for it.
    #[error(transparent)]
    Jq(JqError),
    /// The place must hold a hash and does not.
    #[error("expected 64 lower-case hexadecimal digits, or 32 bytes")]
    NoHash,
    /// The hash there is not that of the content.
    #[error(
        "states {stated}, its content has {present}: it was changed and not hashed again, or is of another version"
    )]
    Stale {
        /// The hash that stands there.
        stated: String,
        /// The hash of the content.
        present: String,
    },
    /// A hash cannot be computed.
    #[error("{0}")]
    Formula(FormulaReason),
    /// An external program has no result for it.
    #[error(transparent)]
    External(ExternalError),
    /// The contract refuses it in its own words.
    #[error("{0}")]
    Required(String),
    /// The root has no name and no place of its own.
    #[error("the step cannot work on the whole document")]
    Root,
    /// A step that must say what to put says it twice or not at all.
    #[error("the step must have one of a value, a jq program and groups")]
    NoOneSource,
    /// A step that is none for documents.
    #[error("the step is none for documents")]
    NotForDocuments,
}

/// Applies `steps` to `document`, in order, and returns what they changed. `programs` holds every program they name.
pub fn apply(
    steps: &[Step],
    programs: &Programs,
    document: &mut Value,
) -> Result<Vec<Effect>, StepError> {
    let attempt = attempt(steps, programs, document);
    match attempt.refusals.into_iter().next() {
        None => Ok(attempt.effects),
        Some(refusal) => Err(refusal),
    }
}

/// Applies `steps` to `document` as [`apply`] does, and takes no note of what they change.
pub fn apply_unnoted(
    steps: &[Step],
    programs: &Programs,
    document: &mut Value,
) -> Result<(), StepError> {
    let mut work = Work { effects: None, refusals: Vec::new(), base: Vec::new(), programs };
    work.steps(steps, document)?;
    work.refusals.into_iter().next().map_or(Ok(()), Err)
}

/// What came of applying steps, be the document refused or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What was changed.
    pub effects: Vec<Effect>,
    /// Why the document is refused, in the order in which it was found; nothing, if it is not.
    pub refusals: Vec<StepError>,
    /// Whether all steps were taken; otherwise the last refusal is that of the step that could not be.
    pub complete: bool,
    /// The step that could not be taken, counted from 1.
    pub stopped_at: Option<usize>,
}

/// Applies `steps` to `document` as [`apply`] does, and goes on behind every refusal that allows it ([`Step::Ensure`]). A document that was refused is of no use afterwards.
pub fn attempt(steps: &[Step], programs: &Programs, document: &mut Value) -> Attempt {
    let (effects, refusals) = (Some(Vec::new()), Vec::new());
    let mut work = Work { effects, refusals, base: Vec::new(), programs };
    let stops = |(number, step)| Some((number, work.step(step, document).err()?));
    let stopped = (1..).zip(steps).find_map(stops);
    let complete = stopped.is_none();
    let (stopped_at, error) = stopped.unzip();
    work.refusals.extend(error);
    let (effects, refusals) = (work.effects.unwrap_or_default(), work.refusals);
    Attempt { effects, refusals, complete, stopped_at }
}

struct Work<'a> {
    programs: &'a Programs,
    /// What was changed; none where no note is taken of it.
    effects: Option<Vec<Effect>>,
    refusals: Vec<StepError>,
    /// Where in the document the value stands that steps are applied to.
    base: Vec<Token>,
}

/// A token of a pointer, spelt where somebody asks for it.
enum Token {
    Name(EcoString),
    Element(usize),
}

impl Token {
    fn spelt(&self) -> EcoString {
        match self {
            Self::Name(name) => name.clone(),
            Self::Element(place) => eco_format!("{place}"),
        }
    }
}

impl Work<'_> {
    fn steps(&mut self, steps: &[Step], root: &mut Value) -> Result<(), StepError> {
        steps.iter().try_for_each(|step| self.step(step, root))
    }

    fn step(&mut self, step: &Step, root: &mut Value) -> Result<(), StepError> {
        match step {
            Step::Rename(step) => self.rename(step, root),
            Step::Move(step) => self.transfer(step, root, true),
            Step::Copy(step) => self.transfer(step, root, false),
            Step::Add(step) => self.add(step, root),
            Step::Set(step) => self.set(step, root),
            Step::Merge(step) => self.merge(step, root),
            Step::Remove(step) => self.remove(step, root),
            Step::Convert(step) => self.convert(step, root),
            Step::MapValues(step) => self.map_values(step, root),
            Step::Nest(step) => self.nest(step, root),
            Step::Hoist(step) => self.hoist(step, root),
            Step::Wrap(step) => self.wrap(step, root),
            Step::Unwrap(step) => self.unwrap(step, root),
            Step::Each(step) => self.each(step, root),
            Step::When(step) => self.when(step, root),
            Step::Require(step) => self.require(step, root),
            Step::Ensure(step) => self.ensure(step, root),
            Step::Jq(step) => self.jq(step, root),
            Step::Rehash(step) => self.rehash(step, root),
            Step::Program(step) => self.program(step, root),
            Step::Sql(_) => Err(self.refuse(&Pointer::default(), Trouble::NotForDocuments)),
        }
    }
}

/// One method an operation.
impl Work<'_> {
    fn rename(&mut self, step: &Rename, root: &mut Value) -> Result<(), StepError> {
        let (above, name) = self.inside(&step.path)?;
        let Some(map) = self.object(above, root, step.optional)? else { return Ok(()) };
        if !map.contains(name) {
            return self.absent(&step.path, step.optional);
        }
        if !map.rename(name, step.to.as_str().into()) {
            return Err(self.refuse(&beside(above, &step.to), Trouble::Taken));
        }
        self.note(|work| work.moved(&step.path, &beside(above, &step.to)));
        Ok(())
    }

    fn transfer(
        &mut self,
        step: &Transfer,
        root: &mut Value,
        takes: bool,
    ) -> Result<(), StepError> {
        if step.to.get(root).is_some() {
            return Err(self.refuse(&step.to, Trouble::Taken));
        }
        let value = if takes {
            let (above, name) = self.inside(&step.from)?;
            let Some(map) = self.object(above, root, step.optional)? else { return Ok(()) };
            map.remove(name)
        } else {
            step.from.get(root).cloned()
        };
        let Some(value) = value else { return self.absent(&step.from, step.optional) };
        if takes {
            self.note(|work| work.moved(&step.from, &step.to));
        } else {
            self.note(|work| Effect::added(work.place(&step.to), value.clone(), None));
        }
        self.put(&step.to, root, value)
    }

    fn add(&mut self, step: &Put, root: &mut Value) -> Result<(), StepError> {
        if step.path.get(root).is_some() {
            return Ok(());
        }
        let value = self.value(&step.into(), root)?;
        let reason = || step.reason.clone();
        self.note(|work| Effect::added(work.place(&step.path), value.clone(), reason()));
        self.put(&step.path, root, value)
    }

    fn set(&mut self, step: &Put, root: &mut Value) -> Result<(), StepError> {
        let value = self.value(&step.into(), root)?;
        let Some(stands) = step.path.get_mut(root) else { return self.add(step, root) };
        if *stands == value {
            return Ok(());
        }
        let before = std::mem::replace(stands, value.clone());
        self.note(|work| {
            let effect = Effect::changed(work.place(&step.path), before, value, false);
            Effect { reason: step.reason.clone(), ..effect }
        });
        Ok(())
    }

    fn merge(&mut self, step: &Put, root: &mut Value) -> Result<(), StepError> {
        let Value::Map(more) = self.value(&step.into(), root)? else {
            return Err(self.refuse(
                &step.path,
                Trouble::Kind { expected: Kind::Object.name(), found: "another value" },
            ));
        };
        let Some(map) = self.object(step.path.tokens(), root, false)? else { return Ok(()) };
        let mut added = Vec::new();
        for (key, value) in more.iter() {
            if map.push(key.clone(), value.clone()).is_ok() {
                added.push((key.clone(), value.clone()));
            }
        }
        for (key, value) in added {
            self.note(|work| {
                let reason = step.reason.as_ref().map(|reason| reason.replace("{key}", &key));
                Effect::added(work.place(&step.path.below(&key)), value, reason)
            });
        }
        Ok(())
    }

    fn remove(&mut self, step: &Place, root: &mut Value) -> Result<(), StepError> {
        let (above, name) = self.inside(&step.path)?;
        let Some(map) = self.object(above, root, step.optional)? else { return Ok(()) };
        let Some(stands) = map.get(name) else { return self.absent(&step.path, step.optional) };
        if step.equals.as_ref().is_some_and(|expected| expected != stands) {
            return Err(self.refuse(&step.path, Trouble::Unequal));
        }
        if let Some(value) = map.remove(name) {
            self.note(|work| Effect::removed(work.place(&step.path), value));
        }
        Ok(())
    }

    fn convert(&mut self, step: &Convert, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.path.get_mut(root) else {
            return self.absent(&step.path, step.optional);
        };
        let Some(value) = converted(stands, step.to) else {
            return Err(self.refuse(&step.path, Trouble::Unmapped));
        };
        self.change(&step.path, stands, value, true);
        Ok(())
    }

    fn map_values(&mut self, step: &MapValues, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.path.get_mut(root) else {
            return self.absent(&step.path, step.optional);
        };
        match step.table.iter().find(|line| line.from == *stands) {
            Some(line) => self.change(&step.path, stands, line.to.clone(), is_bijective(step)),
            None if step.otherwise == Otherwise::Keep => {}
            None => return Err(self.refuse(&step.path, Trouble::Unmapped)),
        }
        Ok(())
    }

    fn nest(&mut self, step: &step::Group, root: &mut Value) -> Result<(), StepError> {
        let (above, name) = self.inside(&step.path)?;
        let Some(outer) = self.object(above, root, false)? else { return Ok(()) };
        if outer.contains(name) {
            return Err(self.refuse(&step.path, Trouble::Taken));
        }
        let mut inner = Map::new();
        let mut moved = Vec::new();
        for key in &step.keys {
            if let Some(value) = outer.remove(key) {
                inner.set(key, value);
                moved.push((beside(above, key), step.path.below(key)));
            }
        }
        outer.set(name, inner.into());
        for (from, to) in &moved {
            self.note(|work| work.moved(from, to));
        }
        Ok(())
    }

    fn hoist(&mut self, step: &step::Group, root: &mut Value) -> Result<(), StepError> {
        let (above, name) = self.inside(&step.path)?;
        let Some(outer) = self.object(above, root, false)? else { return Ok(()) };
        let inner = match outer.remove(name) {
            Some(Value::Map(inner)) => inner,
            Some(other) => return Err(self.wrong_kind(&step.path, Kind::Object, &other)),
            None => return self.absent(&step.path, false),
        };
        let others = inner
            .iter()
            .map(|(key, _)| &**key)
            .filter(|key| !step.keys.iter().any(|known| known == key));
        let others: Vec<&str> = others.collect();
        if !others.is_empty() {
            return Err(self.refuse(&step.path, Trouble::OtherKeys(others.join(", "))));
        }
        let mut moved = Vec::new();
        for key in &step.keys {
            let Some(value) = inner.get(key) else { continue };
            let to = beside(above, key);
            if outer.push(key.as_str().into(), value.clone()).is_err() {
                return Err(self.refuse(&to, Trouble::Taken));
            }
            moved.push((step.path.below(key), to));
        }
        for (from, to) in &moved {
            self.note(|work| work.moved(from, to));
        }
        Ok(())
    }

    fn wrap(&mut self, step: &Wrap, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.path.get_mut(root) else { return self.absent(&step.path, false) };
        let inner = std::mem::replace(stands, Value::Null);
        *stands = [(&step.key, inner)].into_iter().collect::<Map>().into();
        self.note(|work| work.moved(&step.path, &step.path.below(&step.key)));
        Ok(())
    }

    fn unwrap(&mut self, step: &Wrap, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.path.get_mut(root) else { return self.absent(&step.path, false) };
        let Some(map) = stands.as_map_mut() else {
            return Err(self.wrong_kind(&step.path, Kind::Object, stands));
        };
        let others: Vec<&str> =
            map.iter().map(|(key, _)| &**key).filter(|key| *key != step.key).collect();
        if !others.is_empty() {
            return Err(self.refuse(&step.path, Trouble::OtherKeys(others.join(", "))));
        }
        let Some(inner) = map.remove(&step.key) else {
            return self.absent(&step.path.below(&step.key), false);
        };
        *stands = inner;
        self.note(|work| work.moved(&step.path.below(&step.key), &step.path));
        Ok(())
    }

    fn each(&mut self, step: &Each, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.path.get_mut(root) else {
            return self.absent(&step.path, step.optional);
        };
        let outer = self.base.len();
        self.base.extend(step.path.tokens().iter().cloned().map(Token::Name));
        let done = match stands {
            Value::List(values) => {
                let mut values = values.make_mut().iter_mut().enumerate();
                values.try_for_each(|(place, value)| self.at(Token::Element(place), step, value))
            }
            Value::Map(map) => {
                let mut entries = Arc::make_mut(map).iter_mut();
                entries
                    .try_for_each(|(key, value)| self.at(Token::Name((&**key).into()), step, value))
            }
            other => {
                let trouble =
                    Trouble::Kind { expected: "a list or an object", found: other.kind() };
                Err(self.refuse(&Pointer::default(), trouble))
            }
        };
        self.base.truncate(outer);
        done
    }

    /// Takes the steps of `step` on the element `token`.
    fn at(&mut self, token: Token, step: &Each, value: &mut Value) -> Result<(), StepError> {
        self.base.push(token);
        let done = self.steps(&step.steps, value);
        self.base.pop();
        done
    }

    fn when(&mut self, step: &When, root: &mut Value) -> Result<(), StepError> {
        if holds(&step.condition, root) { self.steps(&step.steps, root) } else { Ok(()) }
    }

    fn jq(&mut self, step: &Jq, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.path.get_mut(root) else { return self.absent(&step.path, false) };
        let value = self.programs.run_step(step, stands);
        let value = value.map_err(|error| self.refuse(&step.path, Trouble::Jq(error)))?;
        if let Some(value) = value {
            self.replace(&step.path, stands, value);
        }
        Ok(())
    }

    fn program(&mut self, step: &External, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.path.get_mut(root) else { return self.absent(&step.path, false) };
        let value = self.programs.run_external(step, stands);
        let value = value.map_err(|error| self.refuse(&step.path, Trouble::External(error)))?;
        self.replace(&step.path, stands, value);
        Ok(())
    }

    fn rehash(&mut self, step: &Rehash, root: &mut Value) -> Result<(), StepError> {
        let Some(stands) = step.at.get(root) else {
            return self.absent(&step.at, step.optional);
        };
        let stated =
            glyphser::held(stands).ok_or_else(|| self.refuse(&step.at, Trouble::NoHash))?;
        let Some(over) = step.over.get(root) else { return self.absent(&step.over, false) };
        let by = |formula: Formula| {
            let hash = formula.hash(over);
            hash.map_err(|error| {
                self.refuse(&error.place.under(&step.over), Trouble::Formula(error.reason))
            })
        };
        let present = by(step.from)?;
        if present != stated {
            let trouble = Trouble::Stale { stated: hex(&stated), present: hex(&present) };
            return Err(self.refuse(&step.at, trouble));
        }
        let value = glyphser::held_like(stands, &by(step.to)?);
        if value != *stands
            && let Some(stands) = step.at.get_mut(root)
        {
            let before = std::mem::replace(stands, value.clone());
            self.note(|work| {
                let effect = Effect::changed(work.place(&step.at), before, value, true);
                Effect { derived: true, ..effect }
            });
        }
        Ok(())
    }

    fn require(&mut self, step: &Require, root: &Value) -> Result<(), StepError> {
        match step.path.get(root) {
            Some(value) if !is_of_kind(value, step.kind) => {
                Err(self.refuse(&step.path, Trouble::Required(step.message.clone())))
            }
            _ => Ok(()),
        }
    }

    fn ensure(&mut self, step: &Ensure, root: &mut Value) -> Result<(), StepError> {
        let stands = step.path.get(root);
        if stands.map_or(step.optional, |value| is_of_kind(value, step.kind)) {
            return Ok(());
        }
        let value = self.value(&step.into(), root)?;
        let reason = step.reason.clone();
        let Some(stands) = step.path.get_mut(root) else {
            self.note(|work| Effect::added(work.place(&step.path), value.clone(), reason));
            return self.put(&step.path, root, value);
        };
        let before = std::mem::replace(stands, value.clone());
        self.note(|work| {
            let effect = Effect::changed(work.place(&step.path), before, value, false);
            Effect { reason, ..effect }
        });
        let refusal = self.refuse(&step.path, Trouble::Required(step.message.clone()));
        self.refusals.push(refusal);
        Ok(())
    }
}

/// Where a step takes the value from that it puts.
struct Source<'a> {
    path: &'a Pointer,
    value: Option<&'a Value>,
    jq: Option<&'a str>,
    reads: Option<&'a [Pointer]>,
    groups: Option<&'a Groups>,
}

impl<'a> From<&'a Put> for Source<'a> {
    fn from(step: &'a Put) -> Self {
        let (value, jq, reads) = (step.value.as_ref(), step.jq.as_deref(), step.reads.as_deref());
        Self { path: &step.path, value, jq, reads, groups: step.groups.as_ref() }
    }
}

impl<'a> From<&'a Ensure> for Source<'a> {
    fn from(step: &'a Ensure) -> Self {
        let (value, jq, reads) = (step.value.as_ref(), step.jq.as_deref(), step.reads.as_deref());
        Self { path: &step.path, value, jq, reads, groups: step.groups.as_ref() }
    }
}

/// What operations have in common.
impl Work<'_> {
    /// Takes note of what was changed, where that is asked for.
    fn note(&mut self, effect: impl FnOnce(&Self) -> Effect) {
        if self.effects.is_some() {
            let effect = effect(self);
            self.effects.get_or_insert_default().push(effect);
        }
    }

    fn moved(&self, from: &Pointer, to: &Pointer) -> Effect {
        Effect::moved(self.place(from), self.place(to))
    }

    fn change(&mut self, path: &Pointer, stands: &mut Value, value: Value, returns: bool) {
        if *stands != value {
            let before = std::mem::replace(stands, value.clone());
            self.note(|work| Effect::changed(work.place(path), before, value, returns));
        }
    }

    /// Puts the result of a program in the place of its input, and notes in what they differ.
    fn replace(&mut self, path: &Pointer, stands: &mut Value, value: Value) {
        let before = std::mem::replace(stands, value);
        let (base, identity) = (self.place(path), self.programs.identity());
        if let Some(effects) = &mut self.effects {
            effects.extend(difference_below(&base, &before, stands, identity));
        }
    }

    /// What a step puts: the value it names, or what its program or its groups make of the document.
    fn value(&self, source: &Source<'_>, root: &Value) -> Result<Value, StepError> {
        match (source.value, source.jq, source.groups) {
            (Some(value), None, None) => Ok(value.clone()),
            (None, Some(program), None) => {
                let value = self.programs.run_jq(program, source.reads, root);
                value.map_err(|error| self.refuse(source.path, Trouble::Jq(error)))
            }
            (None, None, Some(step)) => self.grouped(step, source.path, root),
            _ => Err(self.refuse(source.path, Trouble::NoOneSource)),
        }
    }

    /// The list of the groups that `step` makes, to be put at `path`.
    fn grouped(&self, step: &Groups, path: &Pointer, root: &Value) -> Result<Value, StepError> {
        let list = match step.of.get(root) {
            Some(Value::List(values)) => values,
            Some(other) => return Err(self.wrong_kind(&step.of, Kind::Array, other)),
            None => return Err(self.refuse(&step.of, Trouble::Missing)),
        };
        let finished = groups(step, list).into_iter().map(|group| self.finished(step, path, group));
        finished.collect::<Result<_, _>>().map(Value::List)
    }

    /// The object of one group: what its program makes of its head, and behind that what was collected.
    fn finished(&self, step: &Groups, path: &Pointer, group: Group) -> Result<Value, StepError> {
        let Group { mut head, collected } = group;
        if let Some(program) = &step.jq {
            let made = self.programs.run_jq(program, None, &head);
            head = made.map_err(|error| self.refuse(path, Trouble::Jq(error)))?;
        }
        match &mut head {
            Value::Map(object) => {
                let object = Arc::make_mut(object);
                for (name, values) in collected {
                    let put = object.push(name.as_str().into(), values);
                    put.map_err(|_| self.refuse(&path.below(&name), Trouble::Taken))?;
                }
            }
            other => return Err(self.wrong_kind(path, Kind::Object, other)),
        }
        Ok(head)
    }

    /// Puts `value` where nothing stands: under a new key of an object that is there.
    fn put(&self, path: &Pointer, root: &mut Value, value: Value) -> Result<(), StepError> {
        let (above, name) = self.inside(path)?;
        let object = self.object(above, root, false).map_err(|error| match error.trouble {
            Trouble::Missing => {
                StepError { trouble: Trouble::NoObject { name: name.to_owned() }, ..error }
            }
            _ => error,
        });
        let put = match object? {
            Some(map) => map.push(name.into(), value),
            None => Ok(()),
        };
        put.map_err(|_| self.refuse(path, Trouble::Taken))
    }

    /// The object that holds the place, and the place's name in it.
    fn inside<'a>(&self, path: &'a Pointer) -> Result<(&'a [EcoString], &'a str), StepError> {
        let (name, above) =
            path.tokens().split_last().ok_or_else(|| self.refuse(path, Trouble::Root))?;
        Ok((above, name))
    }

    fn object<'a>(
        &self,
        tokens: &[EcoString],
        root: &'a mut Value,
        optional: bool,
    ) -> Result<Option<&'a mut Map>, StepError> {
        let path = || tokens.iter().cloned().collect::<Pointer>();
        let Some(value) = Pointer::look_mut(tokens, root) else {
            return if optional { Ok(None) } else { Err(self.refuse(&path(), Trouble::Missing)) };
        };
        match value {
            Value::Map(map) => Ok(Some(Arc::make_mut(map))),
            other => Err(self.wrong_kind(&path(), Kind::Object, other)),
        }
    }

    fn absent(&self, path: &Pointer, optional: bool) -> Result<(), StepError> {
        if optional { Ok(()) } else { Err(self.refuse(path, Trouble::Missing)) }
    }

    fn wrong_kind(&self, path: &Pointer, expected: Kind, found: &Value) -> StepError {
        self.refuse(path, Trouble::Kind { expected: expected.name(), found: found.kind() })
    }

    /// `path`, which is meant from the value at hand, as seen from the root.
    fn place(&self, path: &Pointer) -> Pointer {
        self.base.iter().map(Token::spelt).chain(path.tokens().iter().cloned()).collect()
    }

    fn refuse(&self, path: &Pointer, trouble: Trouble) -> StepError {
        StepError { path: self.place(path), trouble }
    }
}

/// The place under `name` in what stands where `above` leads.
fn beside(above: &[EcoString], name: &str) -> Pointer {
    above.iter().cloned().chain([name.into()]).collect()
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::String => "a text",
            Self::Array => "a list",
            Self::Object => "an object",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Operation, inverse};
    use super::*;
    use crate::document::json;

    fn steps(text: &str) -> Vec<Step> {
        serde_json::from_str(text).unwrap()
    }

    fn document(text: &str) -> Value {
        json::read(text.as_bytes()).unwrap().value
    }

    fn written(value: &Value) -> String {
        let plain = json::Style {
            indent: None,
            colon: "".into(),
            end: "".into(),
            ..json::Style::default()
        };
        json::write(value, &plain).unwrap()
    }

    /// Applies steps and, if they have an inverse, the inverse.
    fn run(text: &str, before: &str) -> (String, Vec<Effect>) {
        let steps = steps(text);
        let mut value = document(before);
        let effects = apply(&steps, &Programs::of(&steps).unwrap(), &mut value).unwrap();
        let after = written(&value);
        if let Some(back) = inverse(&steps) {
            apply(&back, &Programs::default(), &mut value).unwrap();
            assert_eq!(written(&value), before, "there and back again: {text}");
        }
        (after, effects)
    }

    fn refused(text: &str, before: &str) -> String {
        let steps = steps(text);
        apply(&steps, &Programs::of(&steps).unwrap(), &mut document(before))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn each_operation_does_what_its_name_says_and_its_inverse_takes_it_back() {
        for (text, before, after) in [
            (r#"[{"rename":{"path":"/a","to":"x"}}]"#, r#"{"a":1,"b":2}"#, r#"{"x":1,"b":2}"#),
            (r#"[{"move":{"from":"/a/b","to":"/b"}}]"#, r#"{"a":{"b":1}}"#, r#"{"a":{},"b":1}"#),
            (r#"[{"copy":{"from":"/a","to":"/b"}}]"#, r#"{"a":[1]}"#, r#"{"a":[1],"b":[1]}"#),
            (r#"[{"add":{"path":"/b","value":null}}]"#, r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            (r#"[{"set":{"path":"/a","value":2}}]"#, r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"[{"merge":{"path":"","value":{"a":9,"b":2}}}]"#, r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
            (r#"[{"remove":{"path":"/a"}}]"#, r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
            (r#"[{"add":{"path":"/b","jq":".a + 1"}}]"#, r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
            (
                r#"[{"jq":{"path":"/a","program":"map(. * 2)"}}]"#,
                r#"{"a":[1,2]}"#,
                r#"{"a":[2,4]}"#,
            ),
            (
                r#"[{"convert":{"path":"/a","to":"number_to_text"}}]"#,
                r#"{"a":1.50}"#,
                r#"{"a":"1.50"}"#,
            ),
            (
                r#"[{"convert":{"path":"/a","to":"integer_to_boolean"}}]"#,
                r#"{"a":1}"#,
                r#"{"a":true}"#,
            ),
            (
                r#"[{"map_values":{"path":"/a","table":[{"from":"x","to":1},{"from":"y","to":2}]}}]"#,
                r#"{"a":"y"}"#,
                r#"{"a":2}"#,
            ),
            (
                r#"[{"nest":{"path":"/n","keys":["b","c"]}}]"#,
                r#"{"a":1,"b":2,"c":3}"#,
                r#"{"a":1,"n":{"b":2,"c":3}}"#,
            ),
            (
                r#"[{"hoist":{"path":"/n","keys":["b"]}}]"#,
                r#"{"a":1,"n":{"b":2}}"#,
                r#"{"a":1,"b":2}"#,
            ),
            (r#"[{"wrap":{"path":"/a","key":"v"}}]"#, r#"{"a":1}"#, r#"{"a":{"v":1}}"#),
            (r#"[{"unwrap":{"path":"","key":"v"}}]"#, r#"{"v":[1]}"#, "[1]"),
            (
                r#"[{"each":{"path":"/l","steps":[{"rename":{"path":"/a","to":"b"}}]}}]"#,
                r#"{"l":[{"a":1},{"a":2}]}"#,
                r#"{"l":[{"b":1},{"b":2}]}"#,
            ),
            (
                r#"[{"when":{"if":{"path":"/a","not_in":["x"]},"steps":[{"set":{"path":"/a","value":"x"}}]}}]"#,
                r#"{"a":"y"}"#,
                r#"{"a":"x"}"#,
            ),
            (
                r#"[{"when":{"if":{"path":"/b","absent":true},"steps":[{"set":{"path":"/b","value":1}}]}}]"#,
                r#"{"b":0}"#,
                r#"{"b":0}"#,
            ),
        ] {
            assert_eq!(run(text, before).0, after, "{text}");
        }
    }

    #[test]
    fn every_refusal_names_the_place_and_the_reason() {
        for (text, before, expected) in [
            (r#"[{"rename":{"path":"/a","to":"b"}}]"#, r#"{"b":1}"#, "/a: nothing stands here"),
            (
                r#"[{"rename":{"path":"/a","to":"b"}}]"#,
                r#"{"a":0,"b":1}"#,
                "/b: something stands here already",
            ),
            (r#"[{"move":{"from":"/a","to":"/b/c"}}]"#, r#"{"a":1}"#, "/b: nothing stands here"),
            (
                r#"[{"rename":{"path":"","to":"b"}}]"#,
                "{}",
                "the document: the step cannot work on the whole document",
            ),
            (
                r#"[{"add":{"path":"/a/b","value":1}}]"#,
                r#"{"a":[]}"#,
                "/a: here stands a list; the step works on an object",
            ),
            (
                r#"[{"remove":{"path":"/a","equals":1}}]"#,
                r#"{"a":1.0}"#,
                "/a: here stands another value",
            ),
            (
                r#"[{"convert":{"path":"/a","to":"text_to_number"}}]"#,
                r#"{"a":"x"}"#,
                "/a: the step has nothing for this value",
            ),
            (
                r#"[{"hoist":{"path":"/n","keys":["b"]}}]"#,
                r#"{"n":{"b":1,"c":2}}"#,
                "/n: the object has other keys: c",
            ),
            (
                r#"[{"hoist":{"path":"/n","keys":["b"]}}]"#,
                r#"{"b":0,"n":{"b":1}}"#,
                "/b: something stands here already",
            ),
            (
                r#"[{"each":{"path":"/l","steps":[{"remove":{"path":"/a/b"}}]}}]"#,
                r#"{"l":[{"a":{}}]}"#,
                "/l/0/a/b: nothing stands here",
            ),
            (
                r#"[{"require":{"path":"/a","type":"array","message":"a must be an array."}}]"#,
                r#"{"a":1}"#,
                "/a: a must be an array.",
            ),
        ] {
            let message = refused(text, before);
            assert!(message.starts_with(expected), "{message}");
        }
    }

    const CHAINED: &str = r#"{"records":[{"kind":"RUN_HEADER","schema_version":"1","run_id":"r1"},{"kind":"ITER","t":0,"rank":0,"operator_seq":0,"operator_id":"op.a","loss_total":0.1},{"kind":"RUN_END","status":"OK"}],"head":"f78a647484049aab14d089285c1b5232c500dcd8b467313a114deae5de7ed8e6"}"#;

    #[test]
    fn a_hash_is_computed_by_another_formula_and_back() {
        let step = r#"[{"rehash":{"at":"/head","over":"/records","from":"trace_chain_t3","to":"trace_chain_t4"}}]"#;
        let t4 = "d8fa73fbfbdecede32c4609bed56d423947cf6b4374422517e25b15935e78604";
        let (after, effects) = run(step, CHAINED);
        assert!(after.ends_with(&format!("\"head\":\"{t4}\"}}")), "{after}");
        assert_eq!(effects.len(), 1);
        assert!(effects[0].lost().is_empty());
        let compared = step.replace("t4", "t3");
        assert_eq!(run(&compared, CHAINED), (CHAINED.to_owned(), Vec::new()));
    }

    #[test]
    fn a_hash_that_does_not_fit_its_content_is_stale() {
        let step = |from: &str| {
            format!(
                r#"[{{"rehash":{{"at":"/head","over":"/records","from":"{from}","to":"trace_chain_t4"}}}}]"#
            )
        };
        for (step, before, expected) in [
            (step("trace_chain_t2"), CHAINED.to_owned(), "/head: states f78a6474"),
            (step("trace_chain_t3"), CHAINED.replace("op.a", "op.b"), "/head: states f78a6474"),
            (step("trace_chain_t3"), CHAINED.replace("\"f78", "\"F78"), "/head: expected 64"),
            (
                step("trace_chain_t3"),
                CHAINED.replace("{\"kind\":\"RUN_END\",\"status\":\"OK\"}", "7"),
                "/records/2: expected a record",
            ),
            (step("trace_chain_t3"), "{}".to_owned(), "/head: nothing stands here"),
        ] {
            let message = refused(&step, &before);
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn what_must_be_of_a_kind_is_put_in_or_refused_and_the_rest_is_still_looked_at() {
        let steps = steps(
            r#"[{"ensure":{"path":"/l","type":"array","value":[],"reason":"r","message":"l must be a list"}},
                {"ensure":{"path":"/o","type":"object","jq":"{n: (.l | length)}","reads":["/l"],"message":"no o"}},
                {"ensure":{"path":"/x","type":"array","value":[],"optional":true,"message":"no x"}},
                {"add":{"path":"/o/m","value":1}}]"#,
        );
        let programs = Programs::of(&steps).unwrap();
        for (before, after, refusals) in [
            ("{}", r#"{"l":[],"o":{"n":0,"m":1}}"#, &[][..]),
            (r#"{"o":{},"l":[7],"x":[]}"#, r#"{"o":{"m":1},"l":[7],"x":[]}"#, &[]),
            (
                r#"{"l":1,"x":null,"o":[]}"#,
                r#"{"l":[],"x":[],"o":{"n":0,"m":1}}"#,
                &["/l: l must be a list", "/o: no o", "/x: no x"],
            ),
        ] {
            let mut value = document(before);
            let done = attempt(&steps, &programs, &mut value);
            let words: Vec<String> = done.refusals.iter().map(ToString::to_string).collect();
            assert_eq!(
                (written(&value).as_str(), words.as_slice()),
                (after, &refusals.iter().map(ToString::to_string).collect::<Vec<_>>()[..])
            );
            assert!(done.complete);
            assert_eq!(
                apply(&steps, &programs, &mut document(before)).is_ok(),
                refusals.is_empty()
            );
        }
        let done = attempt(&steps[3..], &programs, &mut document("{}"));
        assert!(!done.complete);
        assert_eq!(done.refusals.len(), 1);
    }

    #[test]
    fn groups_are_put_as_a_list_of_objects() {
        let add = |groups: &str| format!(r#"[{{"add":{{"path":"/g","groups":{groups}}}}}]"#);
        let collect = r#""collect":[{"name":"ids","path":"/i"}]"#;
        let plain = add(&format!(r#"{{"of":"/l","by":"/n",{collect}}}"#));
        let (after, effects) =
            run(&plain, r#"{"l":[{"n":"b","i":1},{"n":"a","i":2},{"n":"b","i":3}]}"#);
        let list = r#"{"l":[{"n":"b","i":1},{"n":"a","i":2},{"n":"b","i":3}],"g":"#;
        let groups = r#"[{"name":"b","ids":[1,3]},{"name":"a","ids":[2]}]}"#;
        assert_eq!(after, format!("{list}{groups}"));
        assert_eq!((effects.len(), effects[0].op), (1, Operation::Added));
        let named =
            |program: &str| add(&format!(r#"{{"of":"/l","by":"/n",{collect},"jq":"{program}"}}"#));
        let (after, _) =
            run(&named("{upper: (.name | ascii_upcase)}"), r#"{"l":[{"n":"b","i":1}]}"#);
        assert!(after.ends_with(r#""g":[{"upper":"B","ids":[1]}]}"#), "{after}");
        let refused = |text: &str, before: &str| {
            let steps = steps(text);
            let programs = Programs::of(&steps).unwrap();
            apply(&steps, &programs, &mut document(before)).unwrap_err().to_string()
        };
        let one = r#"{"l":[{"n":"b"}]}"#;
        for (text, before, expected) in [
            (plain.clone(), "{}", "/l: "),
            (plain, r#"{"l":{}}"#, "/l: "),
            (named(".name"), one, "/g: "),
            (named("{ids: 1}"), one, "/g/ids: "),
            (named("error(\\\"no\\\")"), one, "/g: the jq program failed"),
        ] {
            let error = refused(&text, before);
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn values_from_outside_are_seen_or_missed_by_name() {
        let steps = steps(
            r#"[{"merge":{"path":"","jq":"{a: parameter(\"p\"), b: $parameters.q}","reason":"{key} is required"}}]"#,
        );
        let programs = Programs::of(&steps).unwrap();
        let error = apply(&steps, &programs, &mut document("{}")).unwrap_err().to_string();
        assert!(error.contains("the parameter p is not given"), "{error}");
        let given = [("p", Value::text("x"))].into_iter().collect();
        let mut value = document("{}");
        let effects = apply(&steps, &programs.with_parameters(given), &mut value).unwrap();
        assert_eq!(written(&value), r#"{"a":"x","b":null}"#);
        let reasons: Vec<_> =
            effects.iter().filter_map(|effect| effect.reason.as_deref()).collect();
        assert_eq!(reasons, ["a is required", "b is required"]);
    }

    #[test]
    fn programs_share_definitions() {
        let steps = steps(r#"[{"add":{"path":"/b","jq":".a | loud"}}]"#);
        let none = std::collections::BTreeMap::new();
        let programs =
            Programs::with_definitions(&steps, &none, "def loud: upcase + \"!\";").unwrap();
        let mut value = document("{\"a\":\"stra\u{df}e \u{e9}\"}");
        apply(&steps, &programs, &mut value).unwrap();
        assert_eq!(written(&value), "{\"a\":\"stra\u{df}e \u{e9}\",\"b\":\"STRASSE \u{c9}!\"}");
        assert!(Programs::with_definitions(&steps, &none, "def loud").is_err());
        assert!(Programs::of(&steps).is_err());
    }

    #[test]
    fn loss_is_what_the_inverse_does_not_bring_back() {
        let lost = |text: &str, before: &str| -> Vec<String> {
            run(text, before)
                .1
                .iter()
                .flat_map(Effect::lost)
                .map(|place| place.to_string())
                .collect()
        };
        assert_eq!(
            lost(r#"[{"remove":{"path":"/a"}}]"#, r#"{"a":{"b":[1,{}],"c":null}}"#),
            ["/a/b/0", "/a/b/1", "/a/c"]
        );
        assert_eq!(
            lost(r#"[{"set":{"path":"/a","value":{"x":1,"y":3}}}]"#, r#"{"a":{"x":1,"y":2}}"#),
            ["/a/y"]
        );
        assert_eq!(lost(r#"[{"rename":{"path":"/a","to":"b"}}]"#, r#"{"a":1}"#), [""; 0]);
        assert_eq!(
            lost(r#"[{"convert":{"path":"/a","to":"number_to_text"}}]"#, r#"{"a":1}"#),
            [""; 0]
        );
        let table =
            r#"[{"map_values":{"path":"/a","table":[{"from":1,"to":0},{"from":2,"to":0}]}}]"#;
        assert_eq!(lost(table, r#"{"a":2}"#), ["/a"]);
    }

    #[test]
    fn effects_say_where_what_stood_and_why() {
        let (_, effects) = run(
            r#"[{"each":{"path":"/l","steps":[{"add":{"path":"/v","value":1,"reason":"v is required"}}]}},{"rename":{"path":"/l","to":"m"}}]"#,
            r#"{"l":[{},{"v":2}]}"#.replace(",{\"v\":2}", "").as_str(),
        );
        assert_eq!(effects.len(), 2);
        assert_eq!(effects[0].op, Operation::Added);
        assert_eq!(effects[0].path.to_string(), "/l/0/v");
        assert_eq!(effects[0].reason.as_deref(), Some("v is required"));
        assert_eq!(effects[1].op, Operation::Moved);
        assert_eq!(effects[1].from.as_ref().map(ToString::to_string).as_deref(), Some("/l"));
    }

    #[test]
    fn what_a_program_changed_is_told_leaf_by_leaf() {
        let told = |effects: &[Effect]| -> Vec<String> {
            effects.iter().map(|effect| format!("{:?} {}", effect.op, effect.path)).collect()
        };
        let (after, effects) = run(
            r#"[{"each":{"path":"/l","steps":[{"jq":{"path":"/x","program":".a += 1 | del(.b) | .c = 3"}}]}}]"#,
            r#"{"l":[{"x":{"a":1,"b":2,"d":4}}]}"#,
        );
        assert_eq!(after, r#"{"l":[{"x":{"a":2,"d":4,"c":3}}]}"#);
        assert_eq!(told(&effects), ["Changed /l/0/x/a", "Removed /l/0/x/b", "Added /l/0/x/c"]);
        let lost: Vec<_> = effects.iter().flat_map(Effect::lost).map(|at| at.to_string()).collect();
        assert_eq!(lost, ["/l/0/x/a", "/l/0/x/b"]);

        let steps = steps(r#"[{"jq":{"path":"/l","program":"reverse"}}]"#);
        let identity = [("/l".parse().unwrap(), "/id".parse().unwrap())].into();
        let programs = Programs::of(&steps).unwrap().with_identity(identity);
        let mut value = document(r#"{"l":[{"id":1},{"id":2}]}"#);
        assert_eq!(apply(&steps, &programs, &mut value), Ok(vec![]));
        assert_eq!(written(&value), r#"{"l":[{"id":2},{"id":1}]}"#);
    }

    #[test]
    fn external_programs_run_where_they_are_allowed() {
        let steps = steps(r#"[{"program":{"path":"/a","argv":["x"],"files":["x"]}}]"#);
        let programs = Programs::of(&steps).unwrap();
        let refused = apply(&steps, &programs, &mut document(r#"{"a":1}"#)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "/a: an external program runs only where programs are allowed"
        );
        let files = [("x".to_owned(), b"#!/bin/sh\necho 2".to_vec())].into();
        let mut value = document(r#"{"a":1}"#);
        let effects = apply(&steps, &programs.allow_external(files), &mut value).unwrap();
        assert_eq!(written(&value), r#"{"a":2}"#);
        assert_eq!(effects.iter().flat_map(Effect::lost).count(), 1);
    }
}
