//! One recorded case against what this project answers.
//!
//! Where the project decided otherwise on purpose, that one decision is undone in its answer, and what is left must equal
//! the recorded answer: a reason explains what follows from it and nothing else.

use std::collections::BTreeSet;

use glyph_ledger::contract::VersionError;
use glyph_ledger::document::{Map, Value, json};
use glyph_ledger::transform::{Effect, Operation, Parameters};

use crate::ecmascript::{ordered, rounded, stable_hash};
use crate::ours::{Outcome, Prepared};
use crate::reason::{Reason, allowed_by};
use crate::recorded::{CaseError, Recorded};

/// A difference, and why it is meant to be; without a reason it is a mistake.
pub(crate) struct Difference {
    pub(crate) what: String,
    pub(crate) reason: Option<Reason>,
}

/// The contracts that cases are about.
pub(crate) struct Contracts {
    pub(crate) run_state: Prepared,
    pub(crate) workflow_app: Prepared,
}

/// All differences between what was recorded in `case` and what the contracts make of it.
pub(crate) fn compare(
    contracts: &Contracts,
    case: Recorded<'_>,
) -> Result<Vec<Difference>, CaseError> {
    let mut found = Found(Vec::new());
    if case.find("/parseError").is_some() {
        // The text itself was not recorded.
        return Ok(found.0);
    }
    let source = match json::read(case.text("/raw")?.as_bytes()) {
        Ok(json) => json.value,
        Err(error) => {
            let reason = Reason::of_reading(&error.reason);
            found.note(format!("not read: {}", error.reason), reason);
            return Ok(found.0);
        }
    };
    let traits = allowed_by(&source);
    let folder = [("processCwd", Value::text(case.text("/processCwd")?))];
    let place = [("statePath", Value::text(case.text("/statePath")?))];

    let parameters: Parameters = folder.clone().into_iter().collect();
    let answer = Answer::of(&contracts.run_state, &source, &parameters, &traits);
    let (check, prove) = (case.at("/check")?, case.at("/prove")?);
    if check.find("/throws").is_some() {
        found.note("check: the recorded tool stops".into(), traits.get(&Reason::Crash).copied());
    } else {
        found.undone("check", &answer);
        found.verdict("check", check, &answer)?;
        found.proof("prove", prove, &answer)?;
    }

    let parameters = folder.into_iter().chain(place).collect();
    let answer = Answer::of(&contracts.run_state, &source, &parameters, &traits);
    let report = case.at("/stateCheck")?;
    if report.find("/throws").is_some() {
        found.note("report: the recorded tool stops".into(), traits.get(&Reason::Crash).copied());
    } else {
        found.undone("report", &answer);
        found.report(report, &answer)?;
    }

    let answer = Answer::of(&contracts.workflow_app, &source, &Parameters::default(), &traits);
    let app = case.at("/app")?;
    found.verdict("app", app.at("/verdict")?, &answer)?;
    found.proof("app", app, &answer)?;
    Ok(found.0)
}

/// What this project answers, with its decisions undone where that can be done.
struct Answer<'a> {
    prepared: &'a Prepared,
    source: Value,
    outcome: Outcome,
    /// Whether the result has what its version must have.
    validates: bool,
    /// Whether the result has nothing more to change.
    idempotent: bool,
    /// Whether nothing that was there went away.
    append_only: bool,
    undone: Vec<Reason>,
    traits: &'a BTreeSet<Reason>,
}

impl<'a> Answer<'a> {
    fn of(
        prepared: &'a Prepared,
        source: &'a Value,
        parameters: &Parameters,
        traits: &'a BTreeSet<Reason>,
    ) -> Self {
        let outcome = prepared.migrate(source, parameters);
        let mut undone = Vec::new();
        let (source, outcome) = match as_if_rounded(prepared, source, parameters, &outcome) {
            Some(rounded) => {
                undone.push(Reason::TextOfANumber);
                rounded
            }
            None => (source.clone(), outcome),
        };
        let again = outcome.result.as_ref().map(|result| prepared.migrate(result, parameters));
        let validates = outcome.result.as_ref().is_some_and(|result| prepared.validates(result));
        let idempotent = again.is_some_and(|again| again.status() == "current");
        let append_only = outcome.effects.iter().all(|effect| !loses(effect));
        let mut answer =
            Self { prepared, source, outcome, validates, idempotent, append_only, undone, traits };
        answer.undo_stage();
        answer.undo_zero();
        answer
    }

    /// As if a list were a loop stage when its text is one.
    fn undo_stage(&mut self) {
        if self.traits.contains(&Reason::StageInAList) && self.take_effect("/loopStage") {
            self.append_only = self.outcome.effects.iter().all(|effect| !loses(effect));
            self.undone.push(Reason::StageInAList);
        }
    }

    /// As if a state that says version 0 had to stay at it, and were refused for that.
    fn undo_zero(&mut self) {
        if self.traits.contains(&Reason::ExplicitZero) && self.take_effect("/schemaVersion") {
            self.outcome.errors.push("Expected schemaVersion 1; found 0.".to_owned());
            self.undone.push(Reason::ExplicitZero);
        }
    }

    /// Takes back the change at `path`.
    fn take_effect(&mut self, path: &str) -> bool {
        let place =
            self.outcome.effects.iter().position(|effect| {
                effect.op == Operation::Changed && effect.path.to_string() == path
            });
        let Some(place) = place else { return false };
        let effect = self.outcome.effects.remove(place);
        let stands = self.outcome.result.as_mut().and_then(|result| effect.path.get_mut(result));
        if let (Some(stands), Some(before)) = (stands, effect.before) {
            *stands = before;
        }
        true
    }

    fn contract(&self) -> &str {
        &self.prepared.contract.contract
    }

    /// The recorded tool's words for why the version is none that it can read.
    fn version_words(&self, error: &VersionError) -> Option<[String; 2]> {
        let contract = self.contract();
        match error {
            VersionError::Newer { stated, current } => Some([
                format!("{contract} schemaVersion {stated} is newer than this runtime ({current})"),
                format!(
                    "Run state schemaVersion {stated} is newer than this CW runtime ({current})."
                ),
            ]),
            VersionError::Older { stated, min } => Some([
                format!("{contract} schemaVersion {stated} is below the minimum supported {min}"),
                format!("Unsupported run-state schemaVersion {stated}."),
            ]),
            _ => None,
        }
    }
}

/// The document as if its numbers had been written as ECMAScript writes them, and what comes of it, if that is anything
/// else than what comes of it as it is: then the text of a number went into it.
fn as_if_rounded(
    prepared: &Prepared,
    source: &Value,
    parameters: &Parameters,
    outcome: &Outcome,
) -> Option<(Value, Outcome)> {
    let source = rounded(source);
    let other = prepared.migrate(&source, parameters);
    let same = other.result == outcome.result.as_ref().map(rounded);
    (outcome.detected.is_ok() && !same).then_some((source, other))
}

/// Whether a change takes away something that was there. The version itself is to change.
fn loses(effect: &Effect) -> bool {
    effect.lost().iter().any(|place| place.to_string() != "/schemaVersion")
}

struct Found(Vec<Difference>);

impl Found {
    fn note(&mut self, what: String, reason: Option<Reason>) {
        self.0.push(Difference { what, reason });
    }

    fn undone(&mut self, answer: &str, ours: &Answer<'_>) {
        for reason in &ours.undone {
            self.note(answer.to_owned(), Some(*reason));
        }
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, recorded: &T, ours: &T) {
        if recorded != ours {
            self.note(format!("{what}: {recorded:?} was recorded, not {ours:?}"), None);
        }
    }

    /// Looks at a version that this project refuses. False if it refuses none.
    fn refused_version(
        &mut self,
        what: &str,
        recorded: Recorded<'_>,
        ours: &Answer<'_>,
        words: usize,
    ) -> Result<bool, CaseError> {
        let Err(error) = &ours.outcome.detected else { return Ok(false) };
        let refused = recorded.text("/status")? == "unsupported";
        let errors = recorded.texts("/errors")?;
        let same_words = ours.version_words(error).and_then(|all| all.get(words).cloned());
        if refused && same_words.is_some_and(|words| errors == [words]) {
            return Ok(true);
        }
        let reason = if refused {
            Some(Reason::VersionRefused)
        } else {
            ours.traits.get(&Reason::VersionNotAnInteger).copied()
        };
        self.note(format!("{what}: {error}"), reason);
        Ok(true)
    }

    fn verdict(
        &mut self,
        what: &str,
        recorded: Recorded<'_>,
        ours: &Answer<'_>,
    ) -> Result<(), CaseError> {
        if self.refused_version(what, recorded, ours, 0)? {
            return Ok(());
        }
        let outcome = &ours.outcome;
        let current = &ours.prepared.contract.current;
        self.equal(what, &recorded.text("/contract")?, &ours.contract());
        self.equal(what, &recorded.text("/status")?, &outcome.status());
        self.equal(
            what,
            &recorded.digits("/detectedVersion")?,
            &outcome.detected.clone().unwrap_or_default(),
        );
        self.equal(what, &recorded.digits("/currentVersion")?, current);
        self.equal(what, &recorded.truth("/reachable")?, &(outcome.chain.last() == Some(current)));
        self.equal(what, &recorded.all_digits("/chain")?, &outcome.chain);
        self.equal(what, &recorded.digits("/changes")?, &outcome.effects.len().to_string());
        self.equal(what, &recorded.texts("/errors")?, &outcome.errors);
        Ok(())
    }

    fn report(&mut self, recorded: Recorded<'_>, ours: &Answer<'_>) -> Result<(), CaseError> {
        let report = recorded.at("/report")?;
        if self.refused_version("report", report, ours, 1)? {
            return Ok(());
        }
        let outcome = &ours.outcome;
        self.equal("report", &report.text("/status")?, &outcome.status());
        self.equal("report", &report.texts("/errors")?, &outcome.errors);
        let changes = report.list("/changes")?;
        self.equal("report: number of changes", &changes.len(), &outcome.effects.len());
        for (recorded, effect) in changes.iter().zip(&outcome.effects) {
            self.change(Recorded(recorded), effect, ours)?;
        }
        if let Some(result) = &outcome.result {
            let form =
                |value: &Value| json::write(value, &json::Style::default()).unwrap_or_default();
            self.value("text", recorded.text("/migratedText")?, result, form);
        }
        Ok(())
    }

    fn change(
        &mut self,
        recorded: Recorded<'_>,
        effect: &Effect,
        ours: &Answer<'_>,
    ) -> Result<(), CaseError> {
        let path = effect.path.tokens().join(".");
        self.equal("change", &recorded.text("/path")?, &path.as_str());
        self.equal(
            &path,
            &recorded.text("/reason")?,
            &effect.reason.as_deref().unwrap_or_default(),
        );
        // The list has the object itself, which steps behind this one may have filled.
        let result = ours.outcome.result.as_ref();
        let filled = |value: &&Value| value.as_map().is_some() || value.as_list().is_some();
        let finished = effect.after.as_ref().filter(filled).and(result);
        let finished = finished.and_then(|result| effect.path.get(result));
        for (name, value) in
            [("before", effect.before.as_ref()), ("after", finished.or(effect.after.as_ref()))]
        {
            let what = format!("{path} {name}");
            match (recorded.find(&format!("/{name}")), value) {
                (Some(recorded), Some(value)) => {
                    self.value(&what, recorded.clone(), value, Value::clone);
                }
                (None, None) => {}
                (recorded, value) => self.equal(&what, &recorded.is_some(), &value.is_some()),
            }
        }
        Ok(())
    }

    /// Compares what `form` makes of a value: as it is, then with its numbers, then with its keys as the recorded tool has
    /// them.
    fn value<T: PartialEq<R> + std::fmt::Debug, R: std::fmt::Debug>(
        &mut self,
        what: &str,
        recorded: R,
        value: &Value,
        form: impl Fn(&Value) -> T,
    ) {
        if form(value) == recorded {
            return;
        }
        let numbers = rounded(value);
        let both = ordered(&numbers);
        if form(&both) != recorded {
            self.note(format!("{what}: {recorded:?} was recorded, not {:?}", form(&both)), None);
            return;
        }
        if numbers != *value {
            self.note(what.to_owned(), Some(Reason::NumbersAsWritten));
        }
        if both != numbers {
            self.note(what.to_owned(), Some(Reason::KeysInOrder));
        }
    }

    fn proof(
        &mut self,
        what: &str,
        recorded: Recorded<'_>,
        ours: &Answer<'_>,
    ) -> Result<(), CaseError> {
        let source_hash = stable_hash(&ours.source);
        self.equal(what, &recorded.text("/sourceHash")?, &source_hash.as_str());
        if ours.outcome.detected.is_err() {
            return Ok(());
        }
        let outcome = &ours.outcome;
        let status = outcome.status();
        let supported = status != "unsupported";
        let result = outcome.result.as_ref().filter(|_| supported).unwrap_or(&ours.source);
        let result_hash = stable_hash(result);
        self.equal(what, &recorded.text("/resultHash")?, &result_hash.as_str());

        let validates = supported && ours.validates;
        let idempotent = supported && ours.idempotent;
        self.equal(what, &recorded.truth("/validatesAtCurrent")?, &validates);
        self.equal(what, &recorded.truth("/idempotent")?, &idempotent);
        self.equal(what, &recorded.truth("/sourceImmutable")?, &true);
        let recorded_append_only = recorded.truth("/appendOnly")?;
        let append_only = supported && ours.append_only;
        if recorded_append_only != append_only {
            let destroyed = supported && !append_only && outcome.effects.iter().any(loses);
            self.note(format!("{what}: appendOnly"), destroyed.then_some(Reason::ValueDestroyed));
        }
        // With what was recorded of it, everything that follows from it must be as recorded.
        let pass = validates && idempotent && recorded_append_only;
        self.equal(what, &recorded.truth("/pass")?, &pass);
        let number = |text: &String| Value::from(text.parse::<i64>().unwrap_or(-1));
        let claims: Map = [
            ("contract", Value::text(ours.contract())),
            ("detectedVersion", outcome.detected.as_ref().map_or(Value::Null, number)),
            ("chain", Value::List(outcome.chain.iter().map(number).collect())),
            ("status", Value::text(status)),
            ("validatesAtCurrent", validates.into()),
            ("appendOnly", recorded_append_only.into()),
            ("idempotent", idempotent.into()),
            ("sourceImmutable", true.into()),
            ("sourceHash", Value::text(source_hash)),
            ("resultHash", Value::text(result_hash)),
        ]
        .into_iter()
        .collect();
        self.equal(what, &recorded.text("/fingerprint")?, &stable_hash(&claims.into()).as_str());
        Ok(())
    }
}
