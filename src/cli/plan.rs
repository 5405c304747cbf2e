//! `plan`: what a migration would do and lose, under one id.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::documents::{self, Contracts, LeavingOut, Working};
use super::new_file::NewFile;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use super::words::count;
use super::{failure, job};
use crate::diagnostic::{Exit, Failure, USAGE};
use crate::migrate::documents::{
    Aside, DocumentsPlan, DocumentsPolicy, LeftOut, Named, plan_found as plan_documents,
};
use crate::migrate::{
    Amounts, LossSummary, MigrateError, Plan, PlanFileError, PlannedId, PlannedStep, Policy,
    in_words, lost, plan,
};
use crate::target::sqlite::Transactions;

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
    let (empty, lost, id, planned) = if let Some((mut documents, settings)) = of_documents {
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
        let (empty, lost, id) = (plan.is_empty(), plan.lost, plan.id.short());
        let (plan, file) = (Box::new(plan), file.clone());
        (empty, lost, id, Planned::Documents { plan, values_lost: lost, file })
    } else {
        must_be_of_documents(&arguments.leaving_out)?;
        let mut store = job::open(context)?;
        let policy = Policy { allow_loss: !arguments.refuse_loss };
        let plan = plan(&mut store, to, policy)?;
        keep(plan.to_json())?;
        let (empty, lost, id) = (plan.is_empty(), plan.lost(), plan.id.short());
        (
            empty,
            lost,
            id,
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
    Ok(match (file.map(|file| file.display().to_string()), lost) {
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

/// Refuses to leave documents out where there are none.
pub(super) fn must_be_of_documents(leaving_out: &LeavingOut) -> Result<(), Failure> {
    if leaving_out.named.is_empty() {
        return Ok(());
    }
    let told =
        "a store or database is migrated as a whole: --leave-out is for folders of documents";
    Err(Failure::new(&USAGE, told).at("--leave-out"))
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

/// Says what is done to a database, step by step.
pub(super) fn write_steps(steps: &[PlannedStep], out: &mut dyn Write) -> io::Result<()> {
    steps.iter().try_for_each(|step| {
        let statements = count(step.statements, "statement");
        let pages = count(step.pages_changed, "page");
        let (edge, script) = (one_line(&step.edge), one_line(&step.script));
        writeln!(out, "  {edge}  {script}: {statements}, {pages} changed")?;
        match step.transactions {
            Transactions::One => {}
            Transactions::Several => writeln!(out, "    not all in one transaction")?,
            Transactions::Script => writeln!(out, "    in transactions of its own")?,
        }
        write_settings_left_out(&step.left_out, out)
    })
}

/// Names settings of the file that scripts ask for and that stay as they are.
pub(super) fn write_settings_left_out(left_out: &[String], out: &mut dyn Write) -> io::Result<()> {
    left_out.iter().try_for_each(|asked| {
        writeln!(out, "    PRAGMA {} is left out: the file keeps what it has", one_line(asked))
    })
}

/// Says what of a database is lost.
pub(super) fn write_loss(loss: &LossSummary, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    if lost(loss) == 0 {
        writeln!(out, "  loses nothing")?;
    } else {
        let lost = Amounts::of(loss);
        writeln!(out, "  {}", paint.warning(format_args!("loses {lost}")))?;
    }
    write_each_loss(loss, out)
}

/// What is lost, by table and column.
pub(super) fn write_each_loss(loss: &LossSummary, out: &mut dyn Write) -> io::Result<()> {
    loss.iter()
        .try_for_each(|(name, lost)| writeln!(out, "    {}", one_line(&in_words(name, lost))))
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

/// The same for a list of them.
pub(super) fn write_all_left_out(
    documents: &[String],
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<()> {
    for id in documents.iter().take(LEFT_OUT_SHOWN_MAX) {
        writeln!(out, "  {}: {}", paint.warning("left out"), one_line(id))?;
    }
    match documents.len().saturating_sub(LEFT_OUT_SHOWN_MAX) {
        0 => Ok(()),
        more => writeln!(out, "  {}: {more} more", paint.warning("left out")),
    }
}

/// Documents left out that are shown to people; a screen of them.
const LEFT_OUT_SHOWN_MAX: usize = 20;

/// Says what of a tree was not looked into, and which documents have further names.
pub(super) fn write_aside(aside: &Aside, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let mut say = |what: &str, which: &Named| {
        if which.total == 0 {
            return Ok(());
        }
        let ids: Vec<String> = which.ids.iter().take(ASIDE_MAX).map(|id| one_line(id)).collect();
        let more = match which.total.saturating_sub(ids.len() as u64) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        writeln!(out, "  {}: {}{more}", paint.warning(what), ids.join(", "))
    };
    say("not looked into", &aside.skipped)?;
    say("not looked into, a link", &aside.links)?;
    say("hard-linked, and its other names keep what they hold", &aside.hard_linked)
}

/// Most names on one line of what was left aside.
const ASIDE_MAX: usize = 10;
