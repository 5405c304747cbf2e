//! `export verify`: whether an export is what was signed, and whether that is all of it, for whoever has only that.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::PathBuf;

use clap::Args;
use ledger_format::hash::LedgerId;
use serde::Serialize;

use super::context::Context;
use super::export_file::{Found, NOT_CHECKED, Source, line_in_whole};
use super::export_selection::{Asked, Selected};
use super::failure;
use super::keys::public_key;
use super::looked_at::{Head, LookedAt, Verdict};
use super::output::{Answer, Done};
use super::progress::Events;
use super::terminal::Paint;
use super::words::count;
use crate::diagnostic::{COMPLETENESS_NOT_PROVEN, EXPORT_PART, Failure, USAGE};
use crate::export::{ExportReport, Fragment, verify_export};
use crate::ledger::KnownBy;
use crate::verify::{Expectations, Fault, Outcome, Report};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The export, or - for stdin; `--ledger` with the ledger's id says whose it is to be, `--trust` and `--expect` what is known of it
    /// from elsewhere
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The public key that is to have signed the head of a filtered export: a file, or itself
    #[arg(long, value_name = "PUBLIC_KEY")]
    signer: Option<String>,
    /// Go on after the first fault and list the others
    #[arg(long)]
    keep_going: bool,
}

#[derive(Serialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub(super) enum Verified {
    /// From event 0 on.
    Whole(Whole),
    /// From a later event on.
    Part(Part),
    /// Some events, each with a proof.
    Selection(Box<Selected>),
}

#[derive(Serialize)]
pub(super) struct Whole {
    verdict: Verdict,
    ledger: Option<LedgerId>,
    /// Whether the caller knew the ledger's id.
    ledger_known: bool,
    #[serde(flatten)]
    looked_at: LookedAt,
    /// The head over everything that is still good.
    good: Option<Head>,
    /// Who showed it to be complete, and up to how many events.
    known_by: Option<&'static str>,
    complete_to: Option<u64>,
    faults: Vec<Found>,
    /// Whether everything was read; else what lies behind the last fault was not looked at.
    read_to_end: bool,
    not_checked: Vec<&'static str>,
}

#[derive(Serialize)]
pub(super) struct Part {
    ledger: LedgerId,
    first_seq: u64,
    /// Events that were read and follow each other.
    events: u64,
    faults: Vec<Found>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Verified>, Failure> {
    let Arguments { file, signer, keep_going } = arguments;
    let signer = signer.as_deref().map(public_key).transpose()?;
    let source = Source::of(file);
    let (ledger, named) = (context.ledger_named()?, context.named_elsewhere()?);
    let expectations = Expectations { ledger, named, ..Expectations::default() };
    let mut events = Events::new(context);
    let report = match &source {
        Source::Stdin => verify_export(io::stdin().lock(), &expectations, *keep_going, &mut events),
        Source::File(file) => {
            let reader = BufReader::new(File::open(file).map_err(failure::io(file))?);
            verify_export(reader, &expectations, *keep_going, &mut events)
        }
    };
    drop(events);
    match report.map_err(|error| Failure::from(error).at(source.name()))? {
        ExportReport::Selection(selection) => {
            let asked = Asked { source: &source, ledger_known: ledger.is_some(), signer };
            let selected = asked.judge(&selection, context)?;
            Ok(selected.map(|selected| Verified::Selection(Box::new(selected))))
        }
        _ if signer.is_some() => {
            let told = "only filtered exports need it: others bring the keys of their ledger along";
            Err(Failure::new(&USAGE, told).at("--signer"))
        }
        ExportReport::Fragment(fragment) => Ok(part(&fragment, &source)),
        ExportReport::Whole(report) => whole(&report, &expectations, &source, context),
    }
}

/// A part cannot be told from a history whose beginning was cut off.
fn part(fragment: &Fragment, source: &Source<'_>) -> Done<Verified> {
    let Fragment { ledger, first, events, fault, .. } = fragment;
    let told = format!("it begins at event {first}, and what it is judged by comes before");
    let refused = Failure::new(&EXPORT_PART, told).at(source.name());
    let refused = refused.not_done("nothing of it was verified but that its lines are events");
    let found = |fault: &Fault| Found::of(fault, fault.line());
    let faults = fault.iter().map(found).collect();
    let part = Part { ledger: *ledger, first_seq: *first, events: *events, faults };
    let done = Done::new(Verified::Part(part)).found(refused.next(["export", "--help"]));
    let failure = |fault: &Fault| source.failure(fault, fault.line());
    fault.iter().map(failure).fold(done, Done::found)
}

fn whole(
    report: &Report,
    expectations: &Expectations,
    source: &Source<'_>,
    context: &Context,
) -> Result<Done<Verified>, Failure> {
    // Nothing but witnesses who saw its own newest head shows an export to be complete that no head was named for.
    let newest = report.good.as_ref().filter(|_| report.outcome == Outcome::ConsistentOnly);
    let alone = newest.map(|head| context.endorsement_alone(head)).transpose()?.flatten();
    let seen = alone.as_ref().is_some_and(|endorsed| endorsed.met);
    let known = match &report.outcome {
        Outcome::Complete { known } => Some((known.by, known.size)),
        Outcome::ConsistentOnly if seen => Some((KnownBy::Witnesses, report.size)),
        Outcome::ConsistentOnly | Outcome::Failed => None,
    };
    let verdict = match (&report.outcome, known) {
        (Outcome::Failed, _) => Verdict::Failed,
        (_, Some(_)) => Verdict::Complete,
        (_, None) => Verdict::ConsistentOnly,
    };
    let done = Done::new(Verified::Whole(Whole {
        verdict,
        ledger: report.ledger,
        ledger_known: expectations.ledger.is_some(),
        looked_at: LookedAt::of(report),
        good: report.good.as_ref().map(Head::of),
        known_by: known.map(|(by, _)| by.word()),
        complete_to: known.map(|(_, size)| size),
        faults: report.faults.iter().map(|fault| Found::of(fault, line_in_whole(fault))).collect(),
        read_to_end: report.heard_all,
        not_checked: NOT_CHECKED.to_vec(),
    }));
    let failure = |fault: &Fault| source.failure(fault, line_in_whole(fault));
    let done = report.faults.iter().map(failure).fold(done, Done::found);
    let unproven = (verdict == Verdict::ConsistentOnly).then(|| not_proven(expectations, source));
    let unmet = context.unmet_by(alone.as_ref())?;
    Ok(unproven.into_iter().chain(unmet).fold(done, Done::found))
}

fn not_proven(expectations: &Expectations, source: &Source<'_>) -> Failure {
    let told = match expectations {
        Expectations { named, .. } if !named.is_empty() => {
            "too few of the witnesses that were asked for saw the trusted head"
        }
        Expectations { ledger: Some(_), .. } => "internally consistent; completeness not proven",
        _ => "internally consistent; whose ledger it is was not compared with anything",
    };
    Failure::new(&COMPLETENESS_NOT_PROVEN, told)
        .at(source.name())
        .not_done("no head from elsewhere was there to compare with")
        .next(["export", "verify", &source.given(), "--trust", "HEAD"])
}

impl Answer for Verified {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Whole(whole) => whole.write(out, paint),
            Self::Part(part) => part.write(out, paint),
            Self::Selection(selected) => selected.write(out, paint),
        }
    }
}

impl Answer for Whole {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let read = self.looked_at.size;
        let known = self.complete_to.unwrap_or(read);
        self.verdict.write(known, out, paint)?;
        if let Some(ledger) = &self.ledger {
            let known = if self.ledger_known { ", as named" } else { "" };
            writeln!(out, "  ledger      {ledger}{known}")?;
        }
        self.looked_at.write_known(self.good.as_ref(), self.known_by, known, out)?;
        self.looked_at.write(out, paint)?;
        for told in &self.not_checked {
            writeln!(out, "  not looked  {told}")?;
        }
        self.faults.iter().try_for_each(|fault| fault.write(out))?;
        if !self.read_to_end {
            let told = "what lies behind was not looked at (--keep-going)";
            writeln!(out, "  broken off  after {}; {told}", count(read, "event"))?;
        }
        Ok(())
    }
}

impl Answer for Part {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Self { ledger, first_seq, events, faults } = self;
        let told = format!("{} from event {first_seq} on", count(*events, "event"));
        writeln!(out, "{}", paint.warning(format_args!("{told}: a part, which proves nothing")))?;
        writeln!(out, "  ledger      {ledger}, by what its lines say")?;
        writeln!(out, "  checked     that the lines are events and follow each other")?;
        faults.iter().try_for_each(|fault| fault.write(out))
    }
}
