//! What the commands that work on a store share: opening it, its contract, and how a run is told of.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use ledger_format::body::{Body, Purpose};
use ledger_format::hash::{CommitHash, ContentHash, EventId, HASH_BYTES};
use projections::{FinishedRun, Phase};
use serde::Serialize;

use super::context::Context;
use super::new_file::NewFile;
use super::output::Answer;
use super::taken_out::TakenOut;
use super::terminal::{Paint, one_line};
use super::told::{write_documents_left_out, write_lost, write_settings_left_out, write_ways};
use super::words::count;
use super::{databases, documents, failure, interrupt, progress};
use crate::contract::Contract;
use crate::diagnostic::{Failure, Mend, NEEDS_EXCLUSIVE, PLAN_STALE, USAGE};
use crate::effects::{Clock as _, Random as _, SystemClock, SystemRandom};
use crate::ledger::{Cursor, Ledger};
use crate::migrate::account::{LossyEntry, find_run, lost, planned};
use crate::migrate::documents::Way;
use crate::migrate::{
    Inputs, MigrateError, Milestone, Observer, OpenStore, Plan, RunReport, Store,
};
use crate::objects::Objects;
use crate::replay::difference;
use crate::target::Site;
use crate::target::glyph_store::{Layout, built_in_contract};

/// Name of the file in a ledger's folder that says which contract `init` was given.
const CONTRACT_FILE: &str = "contract.path";

/// Where the store is and what it takes to open it.
pub(super) fn place(context: &Context) -> Result<OpenStore, Failure> {
    if let Some(open) = databases::place(context)? {
        return Ok(open);
    }
    let layout = context.store()?;
    open_at(context, layout)
}

/// The same for a store whose folder is known.
pub(super) fn open_at(context: &Context, layout: Layout) -> Result<OpenStore, Failure> {
    let ledger = context.ledger_of(&layout);
    let contract = contract_of(&ledger)?;
    let site = layout.into();
    Ok(OpenStore { site, ledger, contract, surroundings: context.surroundings()? })
}

/// The store and its ledger, open.
pub(super) fn open(context: &Context) -> Result<Store, Failure> {
    let open = place(context)?;
    context.must_have_ledger(&open.ledger)?;
    Ok(Store::open(open)?)
}

/// The database or store that the ledger here keeps, open, if `target` is that one: its file, its folder, or the folder here.
pub(super) fn asked_for(target: &Path, context: &Context) -> Result<Option<Store>, Failure> {
    if let Some((ledger, settings)) = databases::here(context)? {
        let named = fs::canonicalize(target).ok();
        let database = fs::canonicalize(settings.site(&ledger)?.database()).ok();
        let asked = target == Path::new(".") || named.is_some() && named == database;
        return if asked { open(context).map(Some) } else { Ok(None) };
    }
    if documents::here(context)?.is_some() {
        return Ok(None);
    }
    if target == Path::new(".") && context.names_a_store() {
        return open(context).map(Some);
    }
    let Some(layout) = layout_at(target, context) else { return Ok(None) };
    Ok(Some(Store::open(open_at(context, layout)?)?))
}

/// The store with a ledger of which `target` is the folder, one of its files, or the folder around it.
fn layout_at(target: &Path, context: &Context) -> Option<Layout> {
    let of_store = |name| name == Layout::MANIFEST || name == Layout::DATABASE;
    let around = target.file_name().is_some_and(of_store).then(|| target.parent()).flatten();
    let folders =
        [Some(target.join(".glyph")), Some(target.to_owned()), around.map(Path::to_owned)];
    let mut layouts = folders.into_iter().flatten().map(Layout::new);
    layouts.find(|layout| context.ledger_of(layout).join("LEDGER").is_file())
}

/// The store and its ledger, open by the contract that the ledger froze last where the one that it was set up with cannot be
/// read: what ends or takes back a run needs no other. Says so then.
pub(super) fn open_by_ledger(context: &Context) -> Result<(Store, Option<String>), Failure> {
    match place(context) {
        Ok(open) => {
            context.must_have_ledger(&open.ledger)?;
            Ok((Store::open(open)?, None))
        }
        Err(unreadable) => {
            let (store, told) = open_frozen(context, unreadable)?;
            Ok((store, Some(told)))
        }
    }
}

/// The store and its ledger, open by the contract that the ledger froze last, and what to say of that. Fails as it did before where
/// what is here is not set up by a contract or migrations of its own, or where nothing was frozen yet.
pub(super) fn open_frozen(
    context: &Context,
    unreadable: Failure,
) -> Result<(Store, String), Failure> {
    let Some((site, ledger)) = set_up_by_itself(context)? else { return Err(unreadable) };
    let surroundings = context.surroundings()?;
    let Some(store) = Store::open_frozen(site, &ledger, surroundings)? else {
        return Err(unreadable);
    };
    let told = format!(
        "what migrates it cannot be read ({}): gone by the contract that the ledger keeps",
        unreadable.message
    );
    Ok((store, told))
}

/// The database or store here, with its ledger, if that was told what migrates it.
fn set_up_by_itself(context: &Context) -> Result<Option<(Site, PathBuf)>, Failure> {
    if let Some((ledger, settings)) = databases::here(context)? {
        return Ok(Some((settings.site(&ledger)?, ledger)));
    }
    let Ok(layout) = context.store() else { return Ok(None) };
    let ledger = context.ledger_of(&layout);
    let told = ledger.join(CONTRACT_FILE).exists();
    Ok(told.then(|| (layout.into(), ledger)))
}

/// Who else may have a database open.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Alone {
    /// Publish only while nobody else has the database open, and then whatever its page size or vacuum mode becomes
    #[arg(long)]
    exclusive: bool,
}

impl Alone {
    /// Has runs of `store` publish so.
    pub(super) const fn with(self, store: &mut Store) {
        if self.exclusive {
            store.publish_alone();
        }
    }

    /// Refuses that where documents are in care.
    pub(super) fn must_not(self) -> Result<(), Failure> {
        if !self.exclusive {
            return Ok(());
        }
        let told = "documents have no page layout: --exclusive is for databases";
        Err(Failure::new(&USAGE, told).at("--exclusive"))
    }
}

/// Refuses to hold writes where documents are in care, whose writers ask for no lock.
pub(super) fn must_not_hold(hold_writes: bool) -> Result<(), Failure> {
    if !hold_writes {
        return Ok(());
    }
    let told = "documents have no lock that others would heed: --hold-writes is for databases";
    Err(Failure::new(&USAGE, told).at("--hold-writes"))
}

/// The contract that the ledger was set up with, else the built-in one.
fn contract_of(ledger: &Path) -> Result<Contract, Failure> {
    let file = ledger.join(CONTRACT_FILE);
    match fs::read_to_string(&file) {
        Ok(path) => databases::load_remembered(Path::new(path.trim_end()), &file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(built_in_contract()?),
        Err(error) => Err(failure::io(&file)(error)),
    }
}

/// Remembers which contract the ledger was set up with, durably.
pub(super) fn remember_contract(ledger: &Path, contract: &Path) -> Result<(), Failure> {
    let path: PathBuf = fs::canonicalize(contract).map_err(failure::io(contract))?;
    let file = ledger.join(CONTRACT_FILE);
    NewFile::at(&file, |_| true)?
        .make(0o644, |out| writeln!(out, "{}", path.display()).map_err(failure::io(&file)))
}

/// What is said of a job that did not end: with the run still open, how to go on with it.
pub(super) fn told(failure: Failure, store: &Store, size_before: u64) -> Failure {
    told_of(failure, store.ledger(), size_before)
}

/// The same, by the ledger alone.
pub(super) fn told_of(failure: Failure, ledger: &Ledger, size_before: u64) -> Failure {
    match &ledger.state().runs().open {
        Some(_) if failure.code == &NEEDS_EXCLUSIVE => Failure { next: Vec::new(), ..failure }
            .not_done("the run is committed and not published everywhere yet")
            .next(["migration", "resume", "--exclusive"]),
        // Its scripts are those that it froze, and no file.
        Some(open) if open.phase == Phase::Staging => Failure { mend: Mend::Nothing, ..failure }
            .not_done("the store was not touched; the run stays open")
            .next(["migration", "resume"]),
        Some(_) if failure.next.is_empty() => failure
            .not_done("the run is committed and not published everywhere yet")
            .next(["migration", "resume"]),
        None if ledger.state().size() > size_before => stopped(failure, ledger)
            .not_done("the store was not touched; the ledger has recorded the attempt"),
        _ => failure,
    }
}

/// A failure that ended a run. One that was going back is not planned again, but begun again.
fn stopped(mut failure: Failure, ledger: &Ledger) -> Failure {
    let last = ledger.state().runs().finished.last();
    let Some(size) = last.and_then(|last| went_back_to(ledger, last)) else { return failure };
    if failure.code == &PLAN_STALE {
        failure.next = Vec::new();
        if is_undo(ledger, size) {
            return failure.next(["undo"]);
        }
        let cursor = Cursor::Seq(size.saturating_sub(1)).to_string();
        return failure.next(["migration", "rollback", "--to", &cursor]);
    }
    failure
}

/// Whether `undo` goes back to where the ledger had `size` events.
pub(super) fn is_undo(ledger: &Ledger, size: u64) -> bool {
    ledger.resolve(&Cursor::RunsBack(1)).is_ok_and(|undone| undone == size)
}

/// How many events the ledger had where a run was to go back to; `None` of a run that was not going back.
pub(super) fn went_back_to(ledger: &Ledger, run: &FinishedRun) -> Option<u64> {
    match ledger.event(run.started_seq).ok()?.event.body {
        Body::RunStarted(started) if started.purpose == Purpose::Rollback => started.to_size,
        _ => None,
    }
}

/// What the steps of a run read beside the database, where it is not to be drawn.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Fixed {
    /// The time that steps see, and not that of now: RFC 3339 with its zone, or milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = clock)]
    clock: Option<u64>,
    /// Where the randomness of steps begins, and not anywhere: 64 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = seed)]
    seed: Option<[u8; HASH_BYTES]>,
}

impl Fixed {
    /// The clock and randomness of a new run.
    pub(super) fn inputs(&self) -> Result<Inputs, Failure> {
        let seed = match self.seed {
            Some(seed) => seed,
            None => SystemRandom.bytes32().map_err(MigrateError::from)?,
        };
        Ok(Inputs { clock_ms: self.clock.unwrap_or_else(|| SystemClock.now_ms()), seed })
    }
}

/// The clock and randomness of a new run that runs no step.
pub(super) fn inputs() -> Result<Inputs, Failure> {
    Fixed::default().inputs()
}

fn clock(text: &str) -> Result<u64, String> {
    let ms = match text.parse::<i64>() {
        Ok(ms) => jiff::Timestamp::from_millisecond(ms),
        Err(_) => text.parse(),
    };
    let ms = ms.map_err(|error| error.to_string())?.as_millisecond();
    u64::try_from(ms).map_err(|_| "a time before 1970".to_owned())
}

fn seed(text: &str) -> Result<[u8; HASH_BYTES], String> {
    let digits: ContentHash = text.parse().map_err(|_| "not 64 hexadecimal digits".to_owned())?;
    Ok(*digits.as_bytes())
}

/// A run as the commands that finish one answer it.
#[derive(Serialize)]
pub(super) struct RunAnswer {
    run: EventId,
    purpose: Purpose,
    from: String,
    to: String,
    certificate: CommitHash,
    /// Whether its objects are documents, which have no version in common.
    #[serde(skip)]
    of_documents: bool,
    /// The ways of its documents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ways: Vec<Way>,
    objects_migrated: u64,
    objects_failed: u64,
    /// Documents that were left out because whoever planned the run said so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    documents_left_out: Vec<String>,
    values_lost: u64,
    lossy: Vec<LossyEntry>,
    events: u64,
    /// What differs from before because changes were to be discarded; all that left the store stays kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_out: Option<Box<TakenOut>>,
    /// Documents in which somebody had written, and that were put back over it because that was to be discarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    gone_over: Option<GoneOver>,
    /// Settings of the file that scripts asked for, and that stayed as they were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
}

/// Documents by id, the first of them, and how many there are.
#[derive(Serialize)]
struct GoneOver {
    ids: Vec<String>,
    total: u64,
}

/// Documents gone over that an answer lists.
const GONE_OVER_LISTED_MAX: usize = 100;

/// Those of them that are shown to people; a screen of them.
const GONE_OVER_SHOWN_MAX: usize = 20;

impl GoneOver {
    fn of(mut ids: Vec<String>) -> Option<Self> {
        let total = ids.len() as u64;
        ids.truncate(GONE_OVER_LISTED_MAX);
        (total > 0).then_some(Self { ids, total })
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let documents = count(self.total, "changed document");
        writeln!(out, "  gone over    {documents}; what stood there stays kept in the ledger:")?;
        let shown = self.ids.iter().take(GONE_OVER_SHOWN_MAX);
        shown.clone().try_for_each(|id| writeln!(out, "    {}", one_line(id)))?;
        match self.total.saturating_sub(shown.len() as u64) {
            0 => Ok(()),
            more => writeln!(out, "    and {more} more; `log` has each (object.observed)"),
        }
    }
}

/// Lost things that the answer of a run lists; `migration report` has the rest.
const LOSSY_LISTED_MAX: usize = 100;

impl RunAnswer {
    /// The answer, with the first of what the run lost. The run has ended well, whether or not that can be listed.
    pub(super) fn of(report: RunReport, ledger: &Ledger, objects: &dyn Objects) -> Self {
        let span = find_run(ledger, Some(&report.run.to_string())).ok();
        let span = span.as_ref();
        let listed = |span| lost(ledger, objects, span, LOSSY_LISTED_MAX).unwrap_or_default();
        let lossy = span.filter(|_| report.lost > 0).map(listed).unwrap_or_default();
        let planned = |span| planned(ledger, objects, span).ok().flatten();
        let planned = span.and_then(planned).unwrap_or_default();
        let (ways, documents_left_out) = (planned.ways, planned.left_out.documents);
        let of_documents = ledger.state().store().open;
        Self { of_documents, ways, documents_left_out, lossy, ..Self::from(report) }
    }

    /// The same of a run that put documents back, each to a version of its own.
    pub(super) fn of_documents(self) -> Self {
        Self { of_documents: true, ..self }
    }

    /// The same of a run that discarded what was written since the ledger had `size` events.
    pub(super) fn discarding(
        &mut self,
        size: u64,
        ledger: &Ledger,
        objects: &dyn Objects,
    ) -> Result<(), Failure> {
        let id = self.run.to_string();
        let started = ledger.resolve(&Cursor::Run { id, before: true })?;
        let accepted = ledger.state().runs().accepted.iter().map(|one| one.seq);
        let accepted = accepted.filter(|seq| *seq >= size).collect();
        let between = difference(ledger, objects, started, ledger.state().size())?;
        let changes = between.objects.into_iter().find_map(|object| object.database);
        self.taken_out = changes.map(|changes| Box::new(TakenOut { accepted, changes }));
        Ok(())
    }

    /// The same of a run that carried out `plan`.
    pub(super) fn with_plan(self, plan: &Plan) -> Self {
        let left_out = plan.steps.iter().flat_map(|step| step.left_out.iter().cloned());
        Self { left_out: left_out.collect(), ..self }
    }
}

impl From<RunReport> for RunAnswer {
    fn from(report: RunReport) -> Self {
        Self {
            run: report.run,
            purpose: report.purpose,
            from: report.from,
            to: report.to,
            certificate: report.certificate,
            of_documents: false,
            ways: Vec::new(),
            objects_migrated: report.objects_migrated,
            objects_failed: 0,
            documents_left_out: Vec::new(),
            values_lost: report.lost,
            lossy: Vec::new(),
            events: report.size,
            taken_out: None,
            gone_over: GoneOver::of(report.gone_over),
            left_out: Vec::new(),
        }
    }
}

impl Answer for RunAnswer {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let done = match self.purpose {
            Purpose::Migrate => "migrated",
            Purpose::Rollback => "rolled back",
        };
        if self.of_documents {
            let documents = count(self.objects_migrated, "document");
            writeln!(out, "{}", paint.strong(format_args!("{done} {documents}")))?;
            write_ways(&self.ways, out)?;
        } else {
            let (from, to) = (one_line(&self.from), one_line(&self.to));
            writeln!(out, "{}", paint.strong(format_args!("{done} {from} -> {to}")))?;
        }
        writeln!(out, "  run          {}", self.run.short())?;
        writeln!(out, "  certificate  {}", self.certificate)?;
        writeln!(out, "  objects      {}", self.objects_migrated)?;
        write_documents_left_out(&self.documents_left_out, out)?;
        match &self.taken_out {
            None => write_lost("lost         ", self.values_lost, &self.lossy, out)?,
            Some(taken) => taken.write(out, paint)?,
        }
        if let Some(gone_over) = &self.gone_over {
            gone_over.write(out)?;
        }
        write_settings_left_out(&self.left_out, out)
    }
}

/// A progress bar over a run's steps, on stderr, where somebody watches.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new(context: &Context) -> Self {
        Self(progress::bar(context, "{bar:24} {pos}/{len} {msg}"))
    }
}

impl Bar {
    /// From now on an interruption stops the run where that is safe.
    #[expect(clippy::unused_self, reason = "who listens is who is asked")]
    pub(super) fn listen(&self) -> Result<(), Failure> {
        interrupt::listen().map_err(failure::io(Path::new("signals")))
    }

    /// Does `work` with the bar out of the way.
    pub(super) fn aside(&self, work: impl FnOnce()) {
        self.0.suspend(work);
    }
}

impl Observer for Bar {
    fn reached(&mut self, milestone: &Milestone<'_>) {
        match milestone {
            Milestone::Step { done, total, script } => {
                self.0.set_length(*total);
                self.0.set_position(*done);
                self.0.set_message(one_line(script));
            }
            Milestone::Document { done, total } => {
                self.0.set_length(*total);
                self.0.set_position(*done);
                let left = total.saturating_sub(*done);
                self.0.set_message(pace(self.0.per_sec(), left, self.0.eta()));
            }
            Milestone::Publishing { object } => self.0.set_message(format!("publishing {object}")),
            Milestone::Recorded { .. } | Milestone::Published { .. } => self.0.tick(),
        }
    }

    fn wants_to_stop(&self) -> bool {
        interrupt::wanted()
    }
}

/// How fast documents go their way, and what is left.
fn pace(each_second: f64, left: u64, until_done: Duration) -> String {
    if each_second < 0.5 {
        return format!("{left} left");
    }
    format!("{each_second:.0} documents/s, {left} left, about {} s", until_done.as_secs())
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_read_as_they_are_written() {
        assert_eq!(clock("2001-09-09T01:46:40.123Z"), Ok(1_000_000_000_123));
        assert_eq!(clock("1000000000123"), Ok(1_000_000_000_123));
        for bad in ["", "now", "-1", "1969-12-31T23:59:59Z", "2001-09-09", "99999999999999999"] {
            assert!(clock(bad).is_err(), "{bad}");
        }
        assert_eq!(seed(&"0a".repeat(32)), Ok([10; 32]));
        for bad in ["", "0a", "0A", &"0g".repeat(32)] {
            assert!(seed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bar_says_how_fast_documents_go_and_what_is_left() {
        let seconds = Duration::from_secs;
        assert_eq!(pace(812.4, 1_000, seconds(2)), "812 documents/s, 1000 left, about 2 s");
        assert_eq!(pace(0.0, 7, seconds(0)), "7 left");
        assert_eq!(pace(50.0, 0, seconds(0)), "50 documents/s, 0 left, about 0 s");
    }
}
