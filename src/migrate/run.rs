//! Runs: begin, work, commit, publish; and go on with one that was interrupted.

use std::path::{Path, PathBuf};

use ledger_format::body::{
    Body, Cause, ContractFrozen, FixedBytes, ObjectObserved, Purpose, Role, RunAbandoned,
    RunAborted, RunStarted,
};
use ledger_format::hash::{CommitHash, EventId};
use projections::{OpenRun, Phase};

use super::amounts::Amounts;
use super::applied::must_be_unchanged;
use super::environment::Environment;
use super::error::MigrateError;
use super::observe::{LiveDatabase, take_all};
use super::plan::{Plan, still_fits};
use super::publish::{Live, publish, settle_manifest, version_written};
use super::rehearsal::Rehearsal;
use super::space;
use super::stage::stage;
use super::store::{Store, detect};
use crate::contract::Bundle;
use crate::effects::Signer;
use crate::ledger::{Ledger, approvers_beside};
use crate::target::glyph_store::manifest_version;
use crate::target::sqlite::{Publisher, StepInputs};

/// The clock and randomness that a run's steps see, recorded with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inputs {
    /// Milliseconds since the Unix epoch.
    pub clock_ms: u64,
    /// Seed of all randomness.
    pub seed: [u8; 32],
}

impl Inputs {
    /// Those of a rehearsal that nobody carries out: what is lost does not hang on clock or chance.
    pub(super) const NONE: Self = Self { clock_ms: 0, seed: [0; 32] };

    /// What step `step` of `object` sees of them.
    pub(super) fn of_step(&self, object: &str, step: u64) -> Result<StepInputs, MigrateError> {
        let clock_ms = i64::try_from(self.clock_ms).map_err(|_| MigrateError::Outcome {
            check: format!(
                "the clock of the run, {} ms, is beyond what SQL can tell",
                self.clock_ms
            ),
        })?;
        Ok(StepInputs::of_step(clock_ms, &self.seed, object, step))
    }
}

/// Whether the operator has accepted a plan's loss, by typing its id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consent(
    /// What was typed: the plan's id or at least its first twelve digits.
    pub Option<String>,
);

/// Fewest digits of a plan's id that count as having typed it.
pub(super) const CONSENT_DIGITS_MIN: usize = 12;

/// A place in a run's life, in the order in which they are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone<'a> {
    /// A step ran on the work copy.
    Step {
        /// Steps done.
        done: u64,
        /// Steps in all.
        total: u64,
        /// The script.
        script: &'a str,
    },
    /// Events are durable up to that size.
    Recorded {
        /// Number of events in the ledger.
        size: u64,
    },
    /// A document was worked on.
    Document {
        /// Documents done.
        done: u64,
        /// Documents in all.
        total: u64,
    },
    /// A place is about to be written.
    Publishing {
        /// The object.
        object: &'a str,
    },
    /// A place was written.
    Published {
        /// The object.
        object: &'a str,
    },
}

/// Is told what a run reaches. Whatever it does, the run can be resumed afterwards.
pub trait Observer {
    /// The run has reached `milestone`.
    fn reached(&mut self, milestone: &Milestone<'_>);

    /// Whether the run is to stop where that is safe. It stays open and is resumed like one that was killed.
    fn wants_to_stop(&self) -> bool {
        false
    }
}

/// An observer that does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn reached(&mut self, _milestone: &Milestone<'_>) {}
}

/// What runs work on: they begin, stage, commit and publish in the same way whatever it is.
pub(super) trait Subject {
    /// What is held from the commit until the outputs are in their places.
    type Live;

    /// The ledger.
    fn book(&self) -> &Ledger;

    /// The ledger, to append to it.
    fn book_mut(&mut self) -> &mut Ledger;

    /// Where it lies on this machine.
    fn root(&self) -> &Path;

    /// Stages what is left to stage, and commits the open run.
    fn work(
        &mut self,
        signer: &dyn Signer,
        observer: &mut dyn Observer,
    ) -> Result<Self::Live, MigrateError>;

    /// Puts the outputs of the committed run into their places.
    fn publish(
        &mut self,
        signer: &dyn Signer,
        live: Option<Self::Live>,
        observer: &mut dyn Observer,
    ) -> Result<(), MigrateError>;

    /// The run under way.
    fn open_run(&self) -> Result<OpenRun, MigrateError> {
        self.book().state().runs().open.clone().ok_or(MigrateError::NoRun)
    }

    /// Refuses while a run is under way, and while the ledger has nothing in its care.
    fn must_be_idle(&self) -> Result<(), MigrateError> {
        let state = self.book().state();
        if let Some(open) = &state.runs().open {
            let phase = match open.phase {
                Phase::Staging => "not committed yet",
                Phase::Publishing { .. } => "committed and not published yet",
            };
            return Err(MigrateError::Pending { run: open.run, phase });
        }
        self.must_be_settled()?;
        if state.store().contract.is_none() {
            return Err(MigrateError::NotAdopted { ledger: self.book().dir().to_owned() });
        }
        Ok(())
    }

    /// Refuses while what a run left that was given up is not recorded.
    fn must_be_settled(&self) -> Result<(), MigrateError> {
        let state = self.book().state();
        match state.runs().finished.last() {
            Some(last) if !state.store().unsettled.is_empty() => {
                Err(MigrateError::HalfAbandoned { run: last.run })
            }
            _ => Ok(()),
        }
    }

    /// Refuses a key that may not record runs in the ledger, before anything is done that only an event of that key could tell
    /// of.
    fn may_sign(&self, signer: &dyn Signer) -> Result<(), MigrateError> {
        let (key, ledger) = (signer.key_id(), self.book());
        if ledger.state().keys().may(&key, Role::Append) {
            return Ok(());
        }
        Err(ledger.refusal(key, Role::Append).into())
    }

    /// Refuses a plan to which fewer others agreed than the ledger asks for.
    fn must_be_agreed_to(&self, plan: CommitHash, signer: &dyn Signer) -> Result<(), MigrateError> {
        let keys = self.book().state().keys();
        let given = keys.approvals_by_others(&plan, &signer.key_id());
        let required = keys.approvals_required();
        if given < required {
            let possible = approvers_beside(keys, &signer.key_id());
            return Err(MigrateError::Unapproved { plan, required, given, possible });
        }
        Ok(())
    }

    /// Appends events and says so. Objects they name are durable already.
    fn record(
        &mut self,
        signer: &dyn Signer,
        bodies: Vec<Body>,
        observer: &mut dyn Observer,
    ) -> Result<(), MigrateError> {
        self.book_mut().append(signer, bodies)?;
        observer.reached(&Milestone::Recorded { size: self.book().state().size() });
        Ok(())
    }

    /// The folder that a run works in.
    fn work_folder(&self, run: EventId) -> PathBuf {
        self.book().work_dir().join(run.to_string())
    }
}

impl Subject for Store {
    type Live = Live;

    fn book(&self) -> &Ledger {
        &self.ledger
    }

    fn book_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    fn root(&self) -> &Path {
        self.site.root()
    }

    fn work(
        &mut self,
        signer: &dyn Signer,
        observer: &mut dyn Observer,
    ) -> Result<Live, MigrateError> {
        stage(self, signer, observer)?;
        if observer.wants_to_stop() {
            return Err(MigrateError::Interrupted);
        }
        Live::commit(self, signer, observer)
    }

    fn publish(
        &mut self,
        signer: &dyn Signer,
        live: Option<Live>,
        observer: &mut dyn Observer,
    ) -> Result<(), MigrateError> {
        publish(self, signer, live, observer)
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunReport {
    /// The run.
    pub run: EventId,
    /// What it was for.
    pub purpose: Purpose,
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
    /// Its certificate.
    pub certificate: CommitHash,
    /// Number of objects that reached their target.
    pub objects_migrated: u64,
    /// Number of values lost.
    pub lost: u64,
    /// Number of events in the ledger after it.
    pub size: u64,
}

/// Carries out `plan`. If it loses anything, `consent` must be its id.
pub fn apply(
    store: &mut Store,
    plan: &Plan,
    consent: &Consent,
    inputs: Inputs,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<RunReport, MigrateError> {
    store.must_be_idle()?;
    store.may_sign(signer)?;
    if plan.is_empty() {
        let at = format!("the store has version {} already", plan.to);
        return Err(MigrateError::NothingToDo { at });
    }
    store.must_be_agreed_to(plan.id, signer)?;
    must_be_unchanged(store)?;
    let accepted_loss =
        check_consent(plan.id, Amounts::of(&plan.loss), plan.policy.allow_loss, consent)?;
    check_contract(store)?;
    still_fits(store, plan)?;
    must_be_writable(store)?;
    if store.rehearsal.is_none() {
        space::check_live(store)?;
    }
    let mut bodies = freeze_contract(store)?;
    let rehearsed = store.rehearsal.as_ref().and_then(Rehearsal::source).cloned();
    let observation = if let Some(state) = rehearsed {
        store.observe_knowing(state)?
    } else {
        store.rehearsal = None;
        let observation = store.observe()?;
        let largest_step = plan.steps.iter().map(|step| step.pages_changed).max();
        space::check(store, &observation.database_state, largest_step.unwrap_or(0))?;
        observation
    };
    bodies.extend(observation.changes);
    let environment = store.objects.put(&Environment::here().bytes())?;
    store.objects.put(&plan.preimage())?;
    store.objects.sync()?;
    if !bodies.is_empty() {
        store.record(signer, bodies, observer)?;
    }
    let started = RunStarted {
        purpose: Purpose::Migrate,
        plan: plan.id,
        contract: Some(plan.contract),
        from: plan.from.clone(),
        to: plan.to.clone(),
        to_size: None,
        policy: plan.policy.hash(),
        clock_ms: inputs.clock_ms,
        seed: FixedBytes(inputs.seed),
        environment,
        objects: plan.objects.len() as u64,
        accepted_loss,
        changes: None,
    };
    store.record(signer, vec![started.into()], observer)?;
    go_on(store, signer, observer)
}

/// Refuses a database that nothing could be published to.
pub(super) fn must_be_writable(store: &Store) -> Result<(), MigrateError> {
    Ok(Publisher::may_begin(&store.site.database(), store.wait)?)
}

/// Goes on with the run under way.
pub fn resume(
    store: &mut Store,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<RunReport, MigrateError> {
    resume_run(store, signer, observer)
}

/// The same of whatever runs work on.
pub(super) fn resume_run<S: Subject>(
    subject: &mut S,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<RunReport, MigrateError> {
    subject.must_be_settled()?;
    subject.open_run()?;
    subject.may_sign(signer)?;
    go_on(subject, signer, observer)
}

/// Ends the run under way without its outputs: aborts it if it was not committed, else gives up
/// publishing it and records the places as they are found.
pub fn abandon(
    store: &mut Store,
    reason: &str,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<EventId, MigrateError> {
    let open = store.pending().cloned().ok_or(MigrateError::NoRun)?;
    store.may_sign(signer)?;
    let run = open.run;
    if open.phase == Phase::Staging {
        let (code, message) = ("ABANDONED".to_owned(), shortened(reason));
        store.record(signer, vec![RunAborted { run, code, message }.into()], observer)?;
        forget_work(store, run)?;
        return Ok(run);
    }
    settle_manifest(store, &open)?;
    let database = LiveDatabase::open(&store.site.database(), store.wait)?;
    let version = version_found(store, &open, &database)?;
    let found = take_all(&store.site, &database, &mut *store.objects)?;
    let targets = &store.ledger.state().store().objects;
    let places = found.iter().filter(|(object, state)| targets.get(object) == Some(state)).count();
    let abandoned = RunAbandoned { run, reason: shortened(reason), places: places as u64, version };
    let observed = found.into_iter().map(|(object, state)| {
        Body::from(ObjectObserved { object, cause: Cause::Abandoned, state })
    });
    store.objects.sync()?;
    store.record(signer, std::iter::once(abandoned.into()).chain(observed).collect(), observer)?;
    forget_work(store, run)?;
    Ok(run)
}

/// The version that a given up run leaves the store at. Where manifest and database disagree, because
/// somebody edited the manifest meanwhile, it is the database's: a run that nobody can end would be
/// worse than a manifest to mend.
fn version_found(
    store: &Store,
    open: &OpenRun,
    database: &LiveDatabase,
) -> Result<String, MigrateError> {
    let disagree = match detect(&store.site, &store.contract, database) {
        Err(disagree @ MigrateError::Disagree { .. }) => disagree,
        Ok(None) => return version_written(store, open, database),
        Ok(Some(found)) => return Ok(found),
        Err(error) => return Err(error),
    };
    let stated = database.store_version()?;
    let number = |token: &String| manifest_version(token).map(|number| number.to_string());
    let versions = [&open.started.from, &open.started.to];
    let found = versions.into_iter().find(|token| number(token) == stated);
    found.cloned().ok_or(disagree)
}

/// From wherever the open run is to its end. An error before it is committed ends it as aborted,
/// unless the same command may simply succeed later.
pub(super) fn go_on<S: Subject>(
    subject: &mut S,
    signer: &dyn Signer,
    observer: &mut dyn Observer,
) -> Result<RunReport, MigrateError> {
    let open = subject.open_run()?;
    let live = match open.phase {
        Phase::Publishing { .. } => None,
        Phase::Staging => match subject.work(signer, observer) {
            Ok(live) => Some(live),
            Err(error) if error.code().retryable => return Err(error),
            Err(error) => return Err(abort(subject, signer, &open, error, observer)),
        },
    };
    subject.publish(signer, live, observer)?;
    forget_work(subject, open.run)?;
    report(subject.book(), &open)
}

fn abort<S: Subject>(
    subject: &mut S,
    signer: &dyn Signer,
    open: &OpenRun,
    error: MigrateError,
    observer: &mut dyn Observer,
) -> MigrateError {
    let aborted = RunAborted {
        run: open.run,
        code: error.code().id.to_owned(),
        message: shortened(&without_place(subject.root(), &error.to_string())),
    };
    match subject.record(signer, vec![aborted.into()], observer) {
        Ok(()) => match forget_work(subject, open.run) {
            Ok(()) => error,
            Err(left) => left,
        },
        Err(unrecorded) => unrecorded,
    }
}

/// Longest message kept in an event, in bytes; an event has at most 4,096.
const MESSAGE_BYTES_MAX: usize = 2_000;

/// The message without where on this machine the store lies.
fn without_place(root: &Path, message: &str) -> String {
    let root = root.display().to_string();
    if root.len() > 1 { message.replace(&root, "") } else { message.to_owned() }
}

pub(super) fn shortened(message: &str) -> String {
    let mut end = message.len().min(MESSAGE_BYTES_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.get(..end).unwrap_or_default().to_owned()
}

fn report(ledger: &Ledger, open: &OpenRun) -> Result<RunReport, MigrateError> {
    let issued = ledger.state().certificates().issued.last();
    let issued = issued.ok_or(MigrateError::NoRun)?;
    Ok(RunReport {
        run: open.run,
        purpose: open.started.purpose,
        from: issued.from.clone(),
        to: issued.to.clone(),
        certificate: issued.certificate,
        objects_migrated: issued.objects,
        lost: issued.lost,
        size: ledger.state().size(),
    })
}

pub(super) fn forget_work<S: Subject>(subject: &S, run: EventId) -> Result<(), MigrateError> {
    let path = subject.work_folder(run);
    match std::fs::remove_dir_all(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(MigrateError::Io { path, source }),
    }
}

/// Whether somebody accepted what the plan called `plan` loses: its id then, if it loses anything.
pub(super) fn check_consent(
    plan: CommitHash,
    lost: Amounts,
    allow_loss: bool,
    consent: &Consent,
) -> Result<Option<CommitHash>, MigrateError> {
    let loses = lost.holds_something();
    match &consent.0 {
        _ if loses && !allow_loss => Err(MigrateError::LossRefused { lost }),
        None if loses => Err(MigrateError::Unconfirmed { plan, lost }),
        None => Ok(None),
        Some(_) if consents(plan, consent) => Ok(loses.then_some(plan)),
        Some(typed) => Err(MigrateError::WrongConsent { plan, typed: typed.clone() }),
    }
}

/// Whether somebody typed `id`, or enough of its first digits.
pub(super) fn consents(id: CommitHash, consent: &Consent) -> bool {
    let typed = consent.0.as_deref().unwrap_or_default();
    typed.len() >= CONSENT_DIGITS_MIN && id.to_string().starts_with(typed)
}

/// Refuses a contract that was used before under the same name and version with another meaning.
pub(super) fn check_contract(store: &Store) -> Result<(), MigrateError> {
    let (name, version) = (&store.contract.contract, &store.contract.contract_version);
    let actual = store.contract.digest();
    match store.ledger.state().contracts().by_identity(name, version) {
        Some(frozen) if frozen.digest != actual => Err(MigrateError::ContractEdited {
            name: name.clone(),
            version: version.clone(),
            frozen: frozen.digest,
            actual,
        }),
        _ => Ok(()),
    }
}

/// The event that freezes the store's contract, unless it is frozen.
pub(super) fn freeze_contract(store: &mut Store) -> Result<Vec<Body>, MigrateError> {
    let digest = store.contract.digest();
    if store.ledger.state().contracts().by_digest(&digest).is_some() {
        return Ok(Vec::new());
    }
    let bundle = store.objects.put(Bundle::of(&store.contract).bytes())?;
    let contract = store.contract.contract.clone();
    let contract_version = store.contract.contract_version.clone();
    Ok(vec![ContractFrozen { contract, contract_version, digest, bundle }.into()])
}
