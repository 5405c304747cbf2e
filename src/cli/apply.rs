//! `apply`: carries out a plan.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::documents::{self, Contracts, LeavingOut, Settings, Working, said_again};
use super::job::{self, Bar, Fixed, RunAnswer};
use super::output::{Answer, Done};
use super::terminal::Paint;
use crate::diagnostic::{Failure, USAGE};
use crate::ledger::Ledger;
use crate::migrate::documents::{
    Documents, DocumentsPlan, DocumentsPolicy, apply as apply_documents,
    plan_found as plan_documents,
};
use crate::migrate::{Consent, Environment, MigrateError, Plan, Policy, apply, plan_to_apply};
use crate::objects::Objects;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The plan file; else a plan is made now for the contract's current version
    plan: Option<PathBuf>,
    /// The plan's id, typed to accept what it loses
    #[arg(long, value_name = "PLAN_ID")]
    accept_lossy: Option<String>,
    /// Do not ask; never accepts a loss
    #[arg(long, short)]
    yes: bool,
    /// Refuse unless program, libraries, compiler and platform are exactly those that the plan
    /// recorded; without a plan file, those of the last run
    #[arg(long)]
    locked: bool,
    /// Keep others from writing to the database from now on, and not from the commit on: for one that never pauses
    #[arg(long)]
    hold_writes: bool,
    #[command(flatten)]
    leaving_out: LeavingOut,
    #[command(flatten)]
    fixed: Fixed,
    #[command(flatten)]
    working: Working,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Applied {
    Run(Box<RunAnswer>),
    /// There was nothing to do, and no run.
    Nothing {
        unchanged: bool,
    },
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Applied>, Failure> {
    let Arguments {
        plan: file,
        accept_lossy,
        yes: _,
        locked,
        hold_writes,
        leaving_out,
        fixed,
        working,
    } = arguments;
    if file.is_some() && !leaving_out.named.is_empty() {
        let told = "a plan says itself what it leaves out: give --leave-out to `plan`";
        return Err(Failure::new(&USAGE, told).at("--leave-out"));
    }
    let of_documents = documents::open(context, working, Contracts::AtHand)?;
    if let Some((documents, settings)) = of_documents {
        job::must_not_hold(*hold_writes)?;
        let left_out = leaving_out.in_tree(documents.collection().tree().root());
        return of_tree(arguments, documents.leaving_out(left_out), &settings, context);
    }
    // That nothing is here is said first.
    if !leaving_out.named.is_empty() {
        job::place(context)?;
        leaving_out.must_be_none()?;
    }
    let loaded = match file {
        Some(file) => Some(Plan::load(file).map_err(MigrateError::from)?),
        None => None,
    };
    let mut store = job::open(context)?;
    let signer = context.signer()?;
    if *locked {
        let planned = loaded.as_ref().map(|plan| &plan.environment);
        must_be_locked(planned, store.ledger(), store.objects())?;
    }
    if *hold_writes {
        store.hold_writes()?;
    }
    let consent = Consent(accept_lossy.clone());
    let inputs = fixed.inputs()?;
    let plan = match loaded {
        Some(plan) => plan,
        None => plan_to_apply(&mut store, None, Policy::default(), &consent, inputs)?,
    };
    let size = store.ledger().state().size();
    let mut bar = Bar::new(context);
    bar.listen()?;
    match apply(&mut store, &plan, &consent, inputs, &signer, &mut bar) {
        Ok(report) => {
            let answer = RunAnswer::of(report, store.ledger(), store.objects());
            Ok(done(answer.with_plan(&plan)))
        }
        Err(MigrateError::NothingToDo { .. }) => Ok(nothing()),
        Err(error) => Err(job::told(refused(error, arguments), &store, size)),
    }
}

/// The same for a tree of documents.
fn of_tree(
    arguments: &Arguments,
    mut documents: Documents,
    settings: &Settings,
    context: &Context,
) -> Result<Done<Applied>, Failure> {
    let signer = context.signer()?;
    let loaded = arguments.plan.as_ref().map(|file| DocumentsPlan::load(file));
    let loaded = loaded.transpose().map_err(MigrateError::from)?;
    if arguments.locked {
        let planned = loaded.as_ref().map(|plan| &plan.environment);
        must_be_locked(planned, documents.ledger(), documents.objects())?;
    }
    let plan = if let Some(plan) = loaded {
        plan
    } else {
        let policy = DocumentsPolicy {
            allow_loss: true,
            allow_programs: arguments.working.allow_programs,
            parameters: settings.parameters().collect(),
        };
        let root = documents.collection().tree().root().to_owned();
        let again = |failure| said_again(&root, &arguments.planned(), failure);
        let survey = documents::alone(documents.collection()).map_err(again)?;
        let plan = plan_documents(&mut documents, &survey, None, policy);
        plan.map_err(|error| again(error.into()))?
    };
    let size = documents.ledger().state().size();
    let consent = Consent(arguments.accept_lossy.clone());
    let mut bar = Bar::new(context);
    bar.listen()?;
    match apply_documents(
        &mut documents,
        plan,
        &consent,
        arguments.fixed.inputs()?,
        &signer,
        &mut bar,
    ) {
        Ok(report) => Ok(done(RunAnswer::of(report, documents.ledger(), documents.objects()))),
        Err(MigrateError::NothingToDo { .. }) => Ok(nothing()),
        Err(error) => Err(job::told_of(refused(error, arguments), documents.ledger(), size)),
    }
}

impl Arguments {
    /// `plan` for what is to be applied.
    fn planned(&self) -> Vec<String> {
        let left_out = self.leaving_out.named.iter();
        let left_out = left_out.flat_map(|named| ["--leave-out".to_owned(), named.clone()]);
        let programs = self.working.allow_programs.then(|| "--allow-programs".to_owned());
        ["plan".to_owned()].into_iter().chain(programs).chain(left_out).collect()
    }
}

fn done(run: RunAnswer) -> Done<Applied> {
    Done::new(Applied::Run(Box::new(run))).next(&["verify-chain", "--objects"]).next(&["undo"])
}

fn nothing() -> Done<Applied> {
    Done::new(Applied::Nothing { unchanged: true }).next(&["status"])
}

impl Answer for Applied {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Run(run) => run.write(out, paint),
            Self::Nothing { .. } => writeln!(out, "nothing to do: all is as its contract says"),
        }
    }
}

/// Refuses another environment than that of the plan, or without one than that of the last run, which is the open one if
/// there is one.
pub(super) fn must_be_locked(
    planned: Option<&Environment>,
    ledger: &Ledger,
    objects: &dyn Objects,
) -> Result<(), MigrateError> {
    if let Some(planned) = planned {
        return planned.must_be_here("the plan");
    }
    let Some((run, recorded)) = Environment::of_last_run(ledger, objects)? else {
        let reason = "no plan was given, and there was no run yet".to_owned();
        return Err(MigrateError::NoEnvironment { reason });
    };
    recorded.must_be_here(&format!("run {}", run.short()))
}

/// Adds the exact command where only a confirmation is missing.
fn refused(error: MigrateError, arguments: &Arguments) -> Failure {
    let plan = match &error {
        MigrateError::Unconfirmed { plan, .. } | MigrateError::WrongConsent { plan, .. } => {
            plan.short()
        }
        MigrateError::Stale { .. } => return stale(error, arguments),
        _ => return error.into(),
    };
    let failure = Failure::from(error);
    match &arguments.plan {
        Some(file) => {
            let file = file.display().to_string();
            failure.next(["apply", &file, "--accept-lossy", &plan])
        }
        None => failure.next(["apply", "--accept-lossy", &plan]),
    }
}

/// Has a plan that no longer fits made again where it was.
fn stale(error: MigrateError, arguments: &Arguments) -> Failure {
    let failure = Failure::from(error);
    match &arguments.plan {
        Some(file) => Failure { next: Vec::new(), ..failure }.next([
            "plan",
            "-o",
            &file.display().to_string(),
        ]),
        None => failure,
    }
}
