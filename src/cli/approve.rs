//! `migration approve`: agrees to a plan with the key that signs.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use ledger_format::hash::{CommitHash, EventId, KeyId};
use serde::Serialize;

use super::context::Context;
use super::output::{Answer, Done};
use super::reason;
use super::terminal::Paint;
use super::words::count;
use crate::diagnostic::Failure;
use crate::effects::Signer as _;
use crate::ledger::KeyChange;
use crate::migrate::documents::DocumentsPlan;
use crate::migrate::{MigrateError, Plan, PlanFileError};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The plan: its file, or its id
    plan: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = reason::said)]
    reason: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Approved {
    plan: CommitHash,
    key: KeyId,
    event: EventId,
    /// How many keys agreed to it, this one included.
    approvals: u64,
    /// How many must, beside the one that carries it out.
    required: u64,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Approved>, Failure> {
    let (plan, signer) = (plan_id(&arguments.plan)?, context.signer()?);
    let mut ledger = context.open()?;
    let reason = arguments.reason.clone();
    let recorded = ledger.change_keys(&signer, KeyChange::Approve { plan, reason })?;
    let keys = ledger.state().keys();
    let (approvals, required) = (keys.approvals(&plan).count() as u64, keys.approvals_required());
    let (key, event) = (signer.key_id(), recorded.id);
    Ok(Done::new(Approved { plan, key, event, approvals, required }))
}

/// The id that was typed, or that of the plan in a file of that name.
fn plan_id(given: &str) -> Result<CommitHash, Failure> {
    if let Ok(id) = given.parse() {
        return Ok(id);
    }
    let path = Path::new(given);
    match Plan::load(path) {
        Ok(plan) => Ok(plan.id),
        // Of another form, perhaps that of documents.
        Err(PlanFileError::Form(_)) => {
            Ok(DocumentsPlan::load(path).map_err(MigrateError::from)?.id)
        }
        Err(error) => Err(MigrateError::from(error).into()),
    }
}

impl Answer for Approved {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let told = format_args!("key {} agrees to plan {}", self.key.short(), self.plan.short());
        writeln!(out, "{}", paint.strong(told))?;
        let approvals = count(self.approvals, "key");
        writeln!(
            out,
            "{approvals} in all; needed beside the one that carries it out: {}",
            self.required
        )
    }
}
