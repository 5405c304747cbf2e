//! `plan`: what a migration would do and lose, under one id.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use ledger_format::hash::CommitHash;
use serde::Serialize;

use super::context::Context;
use super::documents::{self, Contracts, LeavingOut, Working};
use super::new_file::NewFile;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use super::told::{write_all_left_out, write_aside, write_loss, write_steps};
use super::words::count;
use super::{failure, job};
use crate::diagnostic::{Exit, Failure, USAGE};
use crate::effects::Signer as _;
use crate::ledger::{Ledger, other_keys};
use crate::migrate::documents::{
    DocumentsPlan, DocumentsPolicy, LeftOut, plan_found as plan_documents,
};
use crate::migrate::{MigrateError, Plan, PlanFileError, PlannedId, Policy, plan};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Version to migrate to; else the contract's current one
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Write the plan to this file, for `apply`; an earlier plan that nobody edited gives way
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Refuse a plan that loses anything
    #[arg(long)]
    refuse_loss: bool,
    /// End with exit code 10 when there is something to do
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    leaving_out: LeavingOut,
    #[command(flatten)]
    working: Working,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Planned {
    Store { plan: Box<Plan>, values_lost: u64, file: Option<PathBuf> },
    Documents { plan: Box<DocumentsPlan>, values_lost: u64, file: Option<PathBuf> },
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Planned>, Failure> {
    let output = arguments.output.as_deref();
    let output = output.map(|file| {
        documents::must_lie_outside(file, context).map_err(|failure| match failure.code {
            code if code == &USAGE => failure.next(["plan", "-o", "../plan.json"]),
            _ => failure,
        })?;
        NewFile::at(file, is_plan)
    });
    let output = output.transpose()?;
    let file = arguments.output.clone();
    let keep = |text: Result<String, PlanFileError>| -> Result<(), Failure> {
        let (Some(output), Some(file)) = (output, &arguments.output) else { return Ok(()) };
        let text = text.map_err(MigrateError::from)?;
        output.make(0o666, |out| out.write_all(text.as_bytes()).map_err(failure::io(file)))
    };
    let to = arguments.to.as_deref();
    let of_documents = documents::open(context, &arguments.working, Contracts::AtHand)?;
    let (empty, lost, plan_id, missing, planned) =
        if let Some((mut documents, settings)) = of_documents {
            let policy = DocumentsPolicy {
                allow_loss: !arguments.refuse_loss,
                allow_programs: arguments.working.allow_programs,
                parameters: settings.parameters().collect(),
            };
            let left_out = arguments.leaving_out.in_tree(documents.collection().tree().root());
            documents = documents.leaving_out(left_out);
            let survey = documents::alone(documents.collection())?;
            let plan = plan_documents(&mut documents, &survey, to, policy)?;
            keep(plan.to_json())?;
            let missing = missing_approvals(documents.ledger(), &plan.id, context);
            let (empty, lost, id) = (plan.is_empty(), plan.lost, plan.id);
            let (plan, file) = (Box::new(plan), file.clone());
            (empty, lost, id, missing, Planned::Documents { plan, values_lost: lost, file })
        } else {
            arguments.leaving_out.must_be_none()?;
            let mut store = job::open(context)?;
            let policy = Policy { allow_loss: !arguments.refuse_loss };
            let plan = plan(&mut store, to, policy)?;
            keep(plan.to_json())?;
            let missing = missing_approvals(store.ledger(), &plan.id, context);
            let (empty, lost, id) = (plan.is_empty(), plan.lost(), plan.id);
            (
                empty,
                lost,
                id,
                missing,
                Planned::Store { plan: Box::new(plan), values_lost: lost, file: file.clone() },
            )
        };
    let mut done = Done::new(planned);
    if arguments.detailed_exitcode && !empty {
        done = done.exit(Exit::Pending);
    }
    if empty {
        return Ok(done);
    }
    let id = plan_id.short();
    Ok(match (file.map(|file| file.display().to_string()), lost) {
        (Some(file), _) if missing > 0 => done
            .note(format!("{} must agree to it before it is applied", other_keys(missing)))
            .next(&["migration", "approve", &file, "--key", "KEY_OF_ANOTHER"]),
        (Some(file), 0) => done.next(&["apply", &file]),
        (Some(file), _) => done.next(&["apply", &file, "--accept-lossy", &id]),
        // Nobody keeps this plan; the same one is made again, into a file.
        (None, _) => {
            let to = to.iter().flat_map(|to| ["--to", to]);
            let again: Vec<&str> =
                ["plan"].into_iter().chain(to).chain(["-o", "plan.json"]).collect();
            done.next(&again)
        }
    })
}

/// How many others must still agree to a plan that whoever is here carries out; of a reader without a key, to one that nobody of them does.
fn missing_approvals(ledger: &Ledger, plan: &CommitHash, context: &Context) -> u64 {
    let keys = ledger.state().keys();
    let given = match context.signer() {
        Ok(signer) => keys.approvals_by_others(plan, &signer.key_id()),
        Err(_) => keys.approvals(plan).count() as u64,
    };
    keys.approvals_required().saturating_sub(given)
}

fn is_plan(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes)
        .is_ok_and(|text| Plan::from_json(text).is_ok() || DocumentsPlan::from_json(text).is_ok())
}

impl Answer for Planned {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let plan = match self {
            Self::Store { plan, .. } => plan,
            Self::Documents { plan, .. } => return write_documents(plan, out, paint),
        };
        if plan.is_empty() {
            return writeln!(out, "version {} is the one asked for; nothing to do", plan.from);
        }
        writeln!(out, "{}", paint.strong(format_args!("plan {}", plan.id.short())))?;
        writeln!(out, "  {} -> {}", plan.from, plan.to)?;
        write_steps(&plan.steps, out)?;
        write_loss(&plan.loss, out, paint)?;
        write_ids(&plan.ids_changed, out)
    }
}

/// Names the rows that get another key.
fn write_ids(ids: &[PlannedId], out: &mut dyn Write) -> io::Result<()> {
    let key = |key: &[serde_json::Value]| {
        let values: Vec<String> = key.iter().map(serde_json::Value::to_string).collect();
        one_line(&values.join(", "))
    };
    for PlannedId { table, was, now } in ids.iter().take(IDS_SHOWN_MAX) {
        writeln!(out, "    id in {}: {} -> {}", one_line(table), key(was), key(now))?;
    }
    match ids.len().saturating_sub(IDS_SHOWN_MAX) {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more; the plan file and --json have them all"),
    }
}

/// Changed ids shown to people; a screen of them.
const IDS_SHOWN_MAX: usize = 20;

fn write_documents(plan: &DocumentsPlan, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let unchanged = count(plan.unchanged, "document");
    if plan.is_empty() {
        let be = if plan.unchanged == 1 { "is as it" } else { "are as they" };
        writeln!(out, "nothing to do: {unchanged} {be} should be")?;
        write_left_out(plan.left_out.as_ref(), out, paint)?;
        return write_aside(&plan.aside, out, paint);
    }
    writeln!(out, "{}", paint.strong(format_args!("plan {}", plan.id.short())))?;
    for (number, route) in (0..).zip(&plan.routes) {
        let documents = plan.objects.iter().filter(|object| object.route == number).count() as u64;
        let way = if route.edges.is_empty() {
            format!("normalise {}", route.from)
        } else {
            format!("{} -> {}", route.from, route.to)
        };
        let (kind, documents) = (one_line(&route.kind), count(documents, "document"));
        writeln!(
            out,
            "  {kind} {}  {}: {documents}",
            one_line(&route.contract_version),
            one_line(&way)
        )?;
    }
    writeln!(out, "  {unchanged} unchanged; {} will be kept", count(plan.bytes_kept, "byte"))?;
    write_aside(&plan.aside, out, paint)?;
    write_left_out(plan.left_out.as_ref(), out, paint)?;
    for signed in &plan.signed {
        writeln!(out, "  {} is signed, and stays as it is", one_line(signed))?;
    }
    for form in &plan.form_lost {
        writeln!(out, "  {}", paint.faint(format_args!("form: {}", one_line(form))))?;
    }
    let more = plan.form_lost_total.saturating_sub(plan.form_lost.len() as u64);
    if more > 0 {
        writeln!(out, "  {}", paint.faint(format_args!("form: and {more} more")))?;
    }
    if plan.lost == 0 {
        return writeln!(out, "  loses nothing");
    }
    writeln!(out, "  {}", paint.warning(format_args!("loses {}", count(plan.lost, "value"))))?;
    for lossy in &plan.lossy {
        let value = serde_json::to_string(&lossy.value).unwrap_or_default();
        writeln!(
            out,
            "    {}#{}  {}",
            one_line(&lossy.object),
            one_line(&lossy.path.to_string()),
            one_line(&value)
        )?;
    }
    let shown = plan.lossy.len() as u64;
    if plan.lost > shown {
        writeln!(out, "    and {} more; all of them are kept with the run", plan.lost - shown)?;
    }
    Ok(())
}

/// Says what was left out because somebody said so.
fn write_left_out(left_out: Option<&LeftOut>, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let documents = left_out.map(|left_out| left_out.documents.as_slice()).unwrap_or_default();
    write_all_left_out(documents, out, paint)
}
