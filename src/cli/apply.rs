//! `apply`: carries out a plan.

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::job::{self, Bar, RunAnswer};
use super::output::Done;
use crate::diagnostic::Failure;
use crate::migrate::{Consent, MigrateError, Plan, Policy, apply, plan};

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
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<RunAnswer>, Failure> {
    let Arguments { plan: file, accept_lossy, yes: _ } = arguments;
    let loaded = match file {
        Some(file) => Some(Plan::load(file).map_err(MigrateError::from)?),
        None => None,
    };
    let signer = context.signer()?;
    let mut store = job::open(context)?;
    let plan = match loaded {
        Some(plan) => plan,
        None => plan(&mut store, None, Policy::default())?,
    };
    let size = store.ledger().state().size();
    let consent = Consent(accept_lossy.clone());
    let mut bar = Bar::new(context);
    let report = apply(&mut store, &plan, &consent, job::inputs()?, &signer, &mut bar)
        .map_err(|error| job::told(refused(error, arguments), &store, size))?;
    Ok(Done::new(RunAnswer::from(report)).next(&["verify-chain", "--objects"]).next(&["undo"]))
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
