//! `audit exceptions`: what stands out.

use std::io::{self, Write};

use clap::Args;
use ledger_format::hash::LedgerId;
use serde::Serialize;

use super::super::context::Context;
use super::super::output::{Answer, Done};
use super::super::terminal::{Paint, one_line};
use super::super::words::{count, together};
use super::Within;
use crate::diagnostic::{EXCEPTIONS_FOUND, Failure};
use crate::evidence::{DriftSize, Exception, Matter, exceptions, measure_drift};
use crate::ledger::Ledger;
use crate::migrate::Amounts;
use crate::migrate::account::{amounts_lost, spans};
use crate::objects::{Objects, PackObjects};

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    #[command(flatten)]
    within: Within,
}

#[derive(Serialize)]
pub(in super::super) struct Found {
    ledger: LedgerId,
    /// The first event looked at, and the number of events before the last one's end.
    from: u64,
    to: u64,
    exceptions: Vec<Listed>,
}

/// An exception, and of a loss how much of each kind of thing it comes to, as far as that is kept.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    exception: Exception,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<Amounts>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Found>, Failure> {
    let ledger = context.open()?;
    let seqs = arguments.within.seqs(&ledger)?;
    let mut exceptions = exceptions(&ledger, &seqs)?;
    let packs = if exceptions.iter().any(|one| tells_more(&one.matter)) {
        let packs = PackObjects::open_read_only(&ledger.objects_dir())?;
        measure_drift(&ledger, &packs, &mut exceptions);
        Some(packs)
    } else {
        None
    };
    let lost = |matter: &Matter| lost_by(matter, &ledger, packs.as_ref()?);
    let listed = |exception: Exception| Listed { lost: lost(&exception.matter), exception };
    let exceptions: Vec<Listed> = exceptions.into_iter().map(listed).collect();
    let failure = exceptions.first().map(|first| {
        let told = count(exceptions.len() as u64, "exception");
        Failure::new(&EXCEPTIONS_FOUND, told)
            .at(format!("event {}", first.exception.seq))
            .not_done("nothing was judged")
            .next(["show", &first.exception.seq.to_string()])
    });
    let found = Found { ledger: ledger.id(), from: seqs.start, to: seqs.end, exceptions };
    let done = Done::new(found);
    Ok(match failure {
        Some(failure) => done.found(failure),
        None => done,
    })
}

/// Whether more can be told of it than its events say, out of what is kept beside them.
const fn tells_more(matter: &Matter) -> bool {
    matches!(matter, Matter::DriftAccepted { .. } | Matter::LossyWithoutReason { .. })
}

/// What a run lost, each kind of thing by itself, where all lists of it are kept.
fn lost_by(matter: &Matter, ledger: &Ledger, objects: &dyn Objects) -> Option<Amounts> {
    let Matter::LossyWithoutReason { run, .. } = matter else { return None };
    let span = spans(ledger).into_iter().find(|span| span.run == *run)?;
    amounts_lost(ledger, objects, &span).ok().flatten()
}

impl Answer for Found {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Self { from, to, exceptions, .. } = self;
        let events = count(to - from, "event");
        writeln!(out, "{} in {events}", count(exceptions.len() as u64, "exception"))?;
        for Listed { exception: Exception { seq, matter }, lost } in exceptions {
            let word = paint.strong(format_args!("{:20}", matter.word()));
            writeln!(out, "  {seq:>8}  {word}  {}", one_line(&told(matter, *lost)))?;
        }
        Ok(())
    }
}

/// How much drift changed, in words.
fn sized(size: DriftSize) -> String {
    let DriftSize { declared, rows_added, rows_removed, rows_changed, settings } = size;
    let rows = format!("rows: {rows_added} new, {rows_removed} gone, {rows_changed} changed");
    format!("{}, {rows}, {}", count(declared, "declaration"), count(settings, "setting"))
}

/// In words.
fn told(matter: &Matter, lost: Option<Amounts>) -> String {
    match matter {
        Matter::Unapproved { run, plan, required, .. } => {
            let (run, plan) = (run.short(), plan.short());
            format!("run {run}: no other key agreed to plan {plan}; {required} had to")
        }
        Matter::SelfApproved { run, approver, approved, .. } => {
            let (run, approver) = (run.short(), approver.short());
            format!("run {run}: key {approver} agreed (event {approved}) and carried it out")
        }
        Matter::DependentApproval { run, actor, approver, approved, authorized, .. } => {
            let (run, actor, approver) = (run.short(), actor.short(), approver.short());
            format!(
                "run {run}: key {approver} agreed (event {approved}), authorised by key {actor} (event {authorized}), \
                 which carried it out"
            )
        }
        Matter::LossyWithoutReason { run, values, objects, .. } => {
            let (run, objects) = (run.short(), count(*objects, "object"));
            let lost = lost.map_or_else(|| together(*values), |lost| lost.to_string());
            format!("run {run}: {lost} of {objects} lost, nobody who agreed said why")
        }
        Matter::Abandoned { run, reason } => {
            format!("run {}: committed and given up: {reason}", run.short())
        }
        Matter::ProofFailed { object, contract } => {
            format!("{object}: contract {} does not keep what it promises", contract.short())
        }
        Matter::DriftAccepted { object, version, reason, actor, size } => {
            let size = size.map_or_else(|| "not measured".to_owned(), sized);
            let actor = actor.short();
            format!("{object}, at version {version}, by key {actor}: {reason} ({size})")
        }
        Matter::Pruned { object, keep, images, reason, actor } => {
            let (images, actor) = (count(*images, "image"), actor.short());
            format!("{object}: {images} before event {keep} given up by key {actor}: {reason}")
        }
        Matter::ApprovalsLowered { before, required, actor } => {
            let (before, actor) = (count(*before, "other"), actor.short());
            format!("plans need the agreement of {required} instead of {before}, by key {actor}")
        }
        Matter::SuspectKey { key, suspect, first, last, events } => {
            let (events, key) = (count(*events, "event"), key.short());
            let why = if key == suspect.short() {
                "suspect then".to_owned()
            } else {
                format!("let in by key {}, suspect then", suspect.short())
            };
            format!("{events} from {first} to {last} signed by key {key}, {why}")
        }
    }
}
