//! `verify-chain`: whether the ledger is what was signed, whether that is all of it, and how the live
//! store stands to it. Never writes into the ledger or the store.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use ledger_format::body::Continues;
use ledger_format::hash::{KeyId, LedgerId, NodeHash};
use ledger_format::head::{SignedHead, TreeHead};
use serde::Serialize;

use super::context::{Context, Located};
use super::output::{Answer, Done};
use super::progress::Events;
use super::terminal::{Paint, one_line};
use super::words::count;
use super::{databases, documents, failure};
use crate::diagnostic::{AUDIT_CHANGED, COMPLETENESS_NOT_PROVEN, Failure};
use crate::effects::{Clock as _, SystemClock};
use crate::ledger::{KnownHead, notes};
use crate::objects::{GrowingPacks, MemoryObjects, Objects, ObjectsError};
use crate::trust::Home;
use crate::verify::{
    Change, Compared, Fault, FolderReport, Folders, Live, Options, Outcome, Report, Signed,
    compare_live, verify_folder,
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
    verdict: Word,
    ledger: Option<LedgerId>,
    size: u64,
    batches: u64,
    good: Option<Head>,
    /// Who showed it to be complete.
    known_by: Option<&'static str>,
    /// The head up to which nothing is missing.
    known_head: Option<Head>,
    acknowledged: Option<u64>,
    /// Every head that it was held against.
    compared: Vec<AgainstHead>,
    /// Whose keys signed what is vouched for.
    signers: Vec<Signer>,
    /// What was signed with a key since its owner may not have been the one who signs.
    suspect: Vec<Range>,
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
struct AgainstHead {
    by: &'static str,
    size: u64,
    /// null where what is wrong before it keeps that from being told.
    agrees: Option<bool>,
}

/// A key, and how many of the events that a signed head vouches for are signed with it.
#[derive(Serialize)]
struct Signer {
    key: KeyId,
    events: u64,
    first: u64,
    last: u64,
}

/// Events that one key signed.
#[derive(Serialize)]
struct Range {
    key: KeyId,
    first: u64,
    last: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Complete,
    ConsistentOnly,
    Failed,
}

/// The head over everything that is still good.
#[derive(Serialize)]
struct Head {
    size: u64,
    root: NodeHash,
    /// As it was signed; of one that was typed in there is none.
    note: Option<String>,
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
    if let (Word::Complete, Some(ledger)) = (verdict.verdict, &verdict.ledger) {
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
            Outcome::Complete { known } => (Word::Complete, Some(known)),
            Outcome::ConsistentOnly => (Word::ConsistentOnly, None),
            Outcome::Failed => (Word::Failed, None),
        };
        let (known_head, known_by) =
            known.map(|known| (Head::known(known), known.by.word())).unzip();
        Self {
            verdict,
            ledger: report.ledger,
            size: report.size,
            batches: report.batches,
            good: report.good.as_ref().map(Head::of),
            known_by,
            known_head,
            acknowledged: anchored.map(|TreeHead { size, .. }| size),
            compared: report.compared.iter().map(AgainstHead::of).collect(),
            signers: Signer::all(&report.signed),
            suspect: report.suspect().iter().map(Range::of).collect(),
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

impl Head {
    fn of(head: &SignedHead) -> Self {
        let (size, root) = (head.head().size, head.head().root);
        Self { size, root, note: notes([head]).pop() }
    }

    fn known(known: &KnownHead) -> Self {
        Self { size: known.size, root: known.root, note: notes(&known.note).pop() }
    }
}

impl AgainstHead {
    const fn of(compared: &Compared) -> Self {
        let Compared { by, size, agrees } = *compared;
        Self { by: by.word(), size, agrees }
    }

    const fn told(&self) -> &'static str {
        match self.agrees {
            Some(true) => "agrees",
            Some(false) => "contradicted",
            None => "not reached",
        }
    }
}

impl Signer {
    /// Every key that signed something, in the order of their first events.
    fn all(signed: &[Signed]) -> Vec<Self> {
        let mut signers: Vec<Self> = Vec::new();
        for Signed { key, seqs } in signed {
            let (events, last) = (seqs.end - seqs.start, seqs.end.saturating_sub(1));
            match signers.iter_mut().find(|signer| signer.key == *key) {
                Some(signer) => (signer.events, signer.last) = (signer.events + events, last),
                None => signers.push(Self { key: *key, events, first: seqs.start, last }),
            }
        }
        signers
    }
}

impl Range {
    fn of(signed: &Signed) -> Self {
        let Signed { key, seqs } = signed;
        Self { key: *key, first: seqs.start, last: seqs.end.saturating_sub(1) }
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

impl Judgement {
    /// What was looked at, and by whose word.
    fn write_checked(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let (events, heads) = (count(self.size, "event"), count(self.batches, "head"));
        writeln!(
            out,
            "  checked     {events}: bytes, order, links, who may sign what, what may come when"
        )?;
        writeln!(
            out,
            "              {heads}: root, signature, and that the key was allowed to sign"
        )?;
        for Signer { key, events, first, last } in &self.signers {
            let events = count(*events, "event");
            writeln!(out, "  signed by   key {}: {events}, from {first} to {last}", key.short())?;
        }
        for compared in &self.compared {
            let AgainstHead { by, size, .. } = compared;
            writeln!(
                out,
                "  held to     {by} over {}: {}",
                count(*size, "event"),
                compared.told()
            )?;
        }
        for Range { key, first, last } in &self.suspect {
            let told = format!(
                "events {first} to {last}: key {} signed them, perhaps not its owner",
                key.short()
            );
            writeln!(out, "  suspect     {}", paint.warning(told))?;
        }
        Ok(())
    }
}

impl Answer for Judgement {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let known = self.known_head.as_ref().map_or(self.size, |head| head.size);
        let size = count(known, "event");
        let head = match self.verdict {
            Word::Complete => paint.strong(format_args!("complete up to {size}")),
            Word::ConsistentOnly => {
                paint.warning(format_args!("consistent up to {size}; completeness not proven"))
            }
            Word::Failed => paint.error("not what was signed"),
        };
        writeln!(out, "{head}")?;
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
        match &self.good {
            Some(good) => {
                writeln!(out, "  good        {}, root {}", count(good.size, "event"), good.root)?;
            }
            None => writeln!(out, "  good        nothing")?,
        }
        if let Some(by) = self.known_by {
            writeln!(out, "  known by    {by}")?;
            if self.size > known {
                let beyond = count(self.size - known, "event");
                writeln!(
                    out,
                    "  beyond it   {beyond}, signed and consistent; whether all is not known"
                )?;
            }
        }
        self.write_checked(out, paint)?;
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
            let size = count(self.size, "event");
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
