//! `verify-chain`: whether the ledger is what was signed, whether that is all of it, and how the live
//! store stands to it. Never writes into the ledger or the store.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use ledger_format::body::Continues;
use ledger_format::hash::LedgerId;
use ledger_format::head::TreeHead;
use serde::Serialize;

use super::context::{Context, Located};
use super::looked_at::{Head, LookedAt, Verdict};
use super::output::{Answer, Done};
use super::progress::Events;
use super::terminal::{Paint, one_line};
use super::words::count;
use super::{databases, documents, failure};
use crate::diagnostic::{AUDIT_CHANGED, COMPLETENESS_NOT_PROVEN, Failure};
use crate::effects::{Clock as _, SystemClock};
use crate::objects::{GrowingPacks, MemoryObjects, Objects, ObjectsError};
use crate::trust::Home;
use crate::verify::{
    Change, Fault, FolderReport, Folders, Live, Options, Outcome, Report, compare_live,
    verify_folder,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Check the stored content that events refer to as well
    #[arg(long)]
    objects: bool,
    /// Go on after the first fault and list the others
    #[arg(long)]
    keep_going: bool,
}

#[derive(Serialize)]
pub(super) struct Judgement {
    verdict: Verdict,
    ledger: Option<LedgerId>,
    #[serde(flatten)]
    looked_at: LookedAt,
    good: Option<Head>,
    /// Who showed it to be complete.
    known_by: Option<&'static str>,
    /// The head up to which nothing is missing.
    known_head: Option<Head>,
    acknowledged: Option<u64>,
    objects: Option<ObjectCount>,
    faults: Vec<Found>,
    /// Whether everything was read; else what lies behind the last fault was not judged.
    read_to_end: bool,
    live: LiveVerdict,
    salvaged: Option<u64>,
    /// The ledger that this one goes on from, by what its first event says.
    continues: Option<Continues>,
}

#[derive(Serialize)]
struct ObjectCount {
    good: u64,
    bad: u64,
    pruned: u64,
}

#[derive(Serialize)]
struct Found {
    code: &'static str,
    seq: Option<u64>,
    message: String,
}

#[derive(Serialize)]
struct LiveVerdict {
    verdict: LiveWord,
    reason: Option<String>,
    differences: Vec<Differs>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum LiveWord {
    Matches,
    Differs,
    NotChecked,
}

#[derive(Serialize)]
struct Differs {
    object: String,
    change: String,
    code: Option<&'static str>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Judgement>, Failure> {
    let Located { dir, place, surroundings } = context.locate_to_judge()?;
    let objects = objects_in(&dir.join("objects"), arguments.objects)?;
    let objects = objects.as_deref();
    let options = Options {
        objects: objects.filter(|_| arguments.objects),
        keep_going: arguments.keep_going,
    };
    let wait = surroundings.wait;
    let at = Folders { dir: &dir, place: &place, wait };
    let mut events = Events::new(context);
    let found = verify_folder(at, &*surroundings.pins, options, &mut events)?;
    drop(events);
    let live = live(&found.report, &dir, objects, wait, context)?;
    let verdict = Judgement::new(&found, &live);
    if let (Verdict::Complete, Some(ledger)) = (verdict.verdict, &verdict.ledger) {
        remember(ledger, verdict.known_head.as_ref().map_or(0, |head| head.size))?;
    }
    let done = judged(Done::new(verdict), &found.report, &live);
    let shown = "the head was held against the ledger, and shows nobody that it is complete";
    let unwitnessed = context.unwitnessed()?.map(|found| found.not_done(shown));
    Ok(unwitnessed.into_iter().fold(done, Done::found))
}

/// The stored content in `dir`. Where it cannot be opened, there is none, unless it was `asked` for: a
/// folder that is gone then is one without objects, so that each missing one is named.
fn objects_in(dir: &Path, asked: bool) -> Result<Option<Box<dyn Objects>>, Failure> {
    match GrowingPacks::open(dir) {
        Ok(packs) => Ok(Some(Box::new(packs))),
        Err(_) if !asked => Ok(None),
        Err(ObjectsError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(Some(Box::new(MemoryObjects::new())))
        }
        Err(error) => Err(error.into()),
    }
}

/// How the store beside the ledger stands to it.
fn live(
    report: &Report,
    dir: &Path,
    objects: Option<&dyn Objects>,
    wait: Duration,
    context: &Context,
) -> Result<Live, Failure> {
    let Some(state) = &report.state else {
        return Ok(Live::NotChecked { reason: "the ledger is not good up to its end" });
    };
    let root = if state.store().open {
        documents::tree_of(dir)?
    } else if let Some(root) = databases::root_of(dir)? {
        root
    } else if let Some(layout) = context.store_of(dir) {
        layout.root().to_owned()
    } else {
        return Ok(Live::NotChecked { reason: "no store lies beside the ledger" });
    };
    Ok(compare_live(state.store(), &report.audit, &root, objects, wait)?)
}

/// Notes in the user's own folder that the ledger was found complete.
fn remember(ledger: &LedgerId, size: u64) -> Result<(), Failure> {
    let file = Home::from_environment()?.verified(ledger);
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failure::io(folder))?;
    let note = format!("{} {size}\n", SystemClock.now_ms());
    fs::write(&file, note).map_err(failure::io(&file))
}

/// Adds what is wrong, and what is not proven.
fn judged(mut done: Done<Judgement>, report: &Report, live: &Live) -> Done<Judgement> {
    for fault in &report.faults {
        done = done.found(of_fault(fault));
    }
    if let Live::Differs(differences) = live {
        for difference in differences.iter().filter(|found| is_evidence(&found.change)) {
            let message = format!("{}: {}", difference.object, difference.change);
            let failure = Failure::new(&AUDIT_CHANGED, message).at(place_of_change(difference));
            done = done.found(failure.not_done("the store was not changed"));
        }
    }
    if report.outcome == Outcome::ConsistentOnly {
        let message = format!(
            "internally consistent up to {}; completeness not proven",
            count(report.size, "event")
        );
        let failure = Failure::new(&COMPLETENESS_NOT_PROVEN, message)
            .not_done("no head from outside was there to compare with")
            .next(["verify-chain", "--trust", "HEAD"]);
        done = done.found(failure);
    }
    done
}

fn of_fault(fault: &Fault) -> Failure {
    let failure = Failure::new(fault.code(), fault.to_string())
        .not_done("nothing was changed; the ledger is not to be trusted beyond what is named good")
        .showing(fault.evidence());
    let place = match fault {
        Fault::Missing { path } | Fault::Part { path, .. } | Fault::Foreign { place: path, .. } => {
            Some(path.display().to_string())
        }
        _ => fault.seq().map(|seq| format!("event {seq}")),
    };
    place.into_iter().fold(failure, Failure::at).next(["explain", fault.code().id])
}

/// Whether a difference contradicts what the ledger promises to keep, rather than being somebody's
/// work on the store.
fn is_evidence(change: &Change) -> bool {
    change.code() == Some(&AUDIT_CHANGED)
}

fn place_of_change(difference: &crate::verify::Difference) -> String {
    match difference.change {
        Change::Line { line } => format!("{}:{line}", difference.object),
        _ => difference.object.clone(),
    }
}

impl Judgement {
    fn new(found: &FolderReport, live: &Live) -> Self {
        let FolderReport { report, anchored, salvage } = found;
        let (verdict, known) = match &report.outcome {
            Outcome::Complete { known } => (Verdict::Complete, Some(known)),
            Outcome::ConsistentOnly => (Verdict::ConsistentOnly, None),
            Outcome::Failed => (Verdict::Failed, None),
        };
        let (known_head, known_by) =
            known.map(|known| (Head::known(known), known.by.word())).unzip();
        Self {
            verdict,
            ledger: report.ledger,
            looked_at: LookedAt::of(report),
            good: report.good.as_ref().map(Head::of),
            known_by,
            known_head,
            acknowledged: anchored.map(|TreeHead { size, .. }| size),
            read_to_end: report.heard_all,
            objects: report.objects.map(|count| ObjectCount {
                good: count.good,
                bad: count.bad,
                pruned: count.pruned,
            }),
            faults: report.faults.iter().map(Found::of).collect(),
            live: LiveVerdict::of(live),
            salvaged: salvage.as_ref().map(|salvage| salvage.size),
            continues: report.continues.clone(),
        }
    }
}

impl Found {
    fn of(fault: &Fault) -> Self {
        Self { code: fault.code().id, seq: fault.seq(), message: fault.to_string() }
    }
}

impl LiveVerdict {
    fn of(live: &Live) -> Self {
        let (verdict, reason, differences) = match live {
            Live::Matches => (LiveWord::Matches, None, &[][..]),
            Live::Differs(differences) => (LiveWord::Differs, None, &differences[..]),
            Live::NotChecked { reason } => (LiveWord::NotChecked, Some((*reason).into()), &[][..]),
        };
        let differences = differences.iter().map(|difference| Differs {
            object: difference.object.clone(),
            change: difference.change.to_string(),
            code: difference.change.code().map(|code| code.id),
        });
        Self { verdict, reason, differences: differences.collect() }
    }
}

impl Answer for Judgement {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let read = self.looked_at.size;
        let known = self.known_head.as_ref().map_or(read, |head| head.size);
        self.verdict.write(known, out, paint)?;
        if let Some(ledger) = &self.ledger {
            writeln!(out, "  ledger      {ledger}")?;
        }
        if let Some(Continues { ledger, size, .. }) = &self.continues {
            let events = count(*size, "event");
            writeln!(
                out,
                "  goes on     from {events} of ledger {ledger}, which is not looked at"
            )?;
        }
        self.looked_at.write_known(self.good.as_ref(), self.known_by, known, out)?;
        self.looked_at.write(out, paint)?;
        if let Some(found) = self.salvaged {
            writeln!(out, "  salvaged    {} from raw bytes", count(found, "event"))?;
        }
        match &self.objects {
            Some(objects) => {
                let ObjectCount { good, bad, pruned } = objects;
                let pruned = match pruned {
                    0 => String::new(),
                    pruned => format!(", {} pruned", count(*pruned, "image")),
                };
                writeln!(out, "  objects     {good} good, {bad} bad{pruned}")?;
            }
            None => writeln!(out, "  objects     not checked (--objects)")?,
        }
        for fault in &self.faults {
            writeln!(out, "  fault       {}", one_line(&fault.message))?;
        }
        if !self.read_to_end {
            let size = count(read, "event");
            writeln!(
                out,
                "  broken off  after {size}; what lies behind was not judged (--keep-going)"
            )?;
        }
        match (self.live.verdict, &self.live.reason) {
            (LiveWord::Matches, _) => writeln!(out, "  live store  matches"),
            (LiveWord::Differs, _) => {
                writeln!(out, "  live store  differs")?;
                for Differs { object, change, .. } in &self.live.differences {
                    writeln!(out, "    {}: {}", one_line(object), one_line(change))?;
                }
                Ok(())
            }
            (LiveWord::NotChecked, reason) => {
                let reason = reason.as_deref().unwrap_or_default();
                writeln!(out, "  live store  not checked: {reason}")
            }
        }
    }
}
