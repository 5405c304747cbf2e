//! `apply`: carries out a plan.

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::documents::{self, Contracts, Settings, Working};
use super::job::{self, Bar, RunAnswer};
use super::output::Done;
use crate::diagnostic::Failure;
use crate::ledger::Ledger;
use crate::migrate::documents::{
    Documents, DocumentsPlan, DocumentsPolicy, apply as apply_documents, plan as plan_documents,
};
use crate::migrate::{Consent, Environment, MigrateError, Plan, Policy, apply, plan};
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
    #[command(flatten)]
    working: Working,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<RunAnswer>, Failure> {
    let Arguments { plan: file, accept_lossy, yes: _, locked, working } = arguments;
    let of_documents = documents::open(context, working, Contracts::AtHand)?;
    if let Some((documents, settings)) = of_documents {
        return of_tree(arguments, documents, &settings, context);
    }
    let loaded = match file {
        Some(file) => Some(Plan::load(file).map_err(MigrateError::from)?),
        None => None,
    };
    let signer = context.signer()?;
    let mut store = job::open(context)?;
    if *locked {
        let planned = loaded.as_ref().map(|plan| &plan.environment);
        must_be_locked(planned, store.ledger(), store.objects())?;
    }
    let plan = match loaded {
        Some(plan) => plan,
        None => plan(&mut store, None, Policy::default())?,
    };
    let size = store.ledger().state().size();
    let consent = Consent(accept_lossy.clone());
    let mut bar = Bar::new(context);
    bar.listen()?;
    let report = apply(&mut store, &plan, &consent, job::inputs()?, &signer, &mut bar)
        .map_err(|error| job::told(refused(error, arguments), &store, size))?;
    let answer = RunAnswer::of(report, store.ledger(), store.objects());
    Ok(Done::new(answer).next(&["verify-chain", "--objects"]).next(&["undo"]))
}

/// The same for a tree of documents.
fn of_tree(
    arguments: &Arguments,
    mut documents: Documents,
    settings: &Settings,
    context: &Context,
) -> Result<Done<RunAnswer>, Failure> {
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
        plan_documents(&mut documents, None, policy)?
    };
    let size = documents.ledger().state().size();
    let consent = Consent(arguments.accept_lossy.clone());
    let mut bar = Bar::new(context);
    bar.listen()?;
    let report =
        apply_documents(&mut documents, &plan, &consent, job::inputs()?, &signer, &mut bar)
            .map_err(|error| job::told_of(refused(error, arguments), documents.ledger(), size))?;
    let answer = RunAnswer::of(report, documents.ledger(), documents.objects());
    Ok(Done::new(answer).next(&["verify-chain", "--objects"]).next(&["undo"]))
}

/// Refuses another environment than that of the plan, or without one than that of the last run.
fn must_be_locked(
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
