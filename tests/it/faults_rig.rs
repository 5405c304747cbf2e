//! Campaigns of faults: some work is done on a disk that fails at one call, for every call there is, and
//! then done again from wherever it stands. It must come to what the undisturbed work came to.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use faultfs::{Call, Counts, DiskId, Effect, Fault, Keeper, keep, unavailable};
use glyph_ledger::diagnostic::{Code, Failure};
use glyph_ledger::ledger::Ledger;
use glyph_ledger::trust::FilePins;
use glyph_ledger::verify::{
    Folders, Options, Outcome as Verdict, Unobserved, VerifyError, verify_folder,
};
use ledger_format::body::Body;
use ledger_format::hash::NodeHash;

use crate::job_scene::{Outcome, Scene};
use crate::support::not_shown;

/// How many seeds each cut gets, each deciding otherwise what reached the disk.
const SEEDS: &str = "GLYPH_LEDGER_FAULT_DISK_SEEDS";
const SEEDS_DEFAULT: u64 = 1;

/// One case, as it is printed and kept, to be run alone.
const ONE: &str = "GLYPH_LEDGER_FAULT_DISK_CASE";

/// How many reads are made to fail, spread over all there are, unless seeds were asked for.
const READS_DEFAULT: u64 = 30;

/// No case takes a second on an idle machine, nor a minute on a busy one; one that takes so long hangs.
const HANGS_AFTER: Duration = Duration::from_mins(5);

/// How often the work is taken up again after a fault. Nothing fails any more then.
const ATTEMPTS: usize = 3;

/// Cases that fail before a campaign gives up: the rest would say the same.
const FAILURES_MAX: usize = 12;

/// Some work, and how it is taken up again.
pub(crate) struct Campaign {
    /// Its name, in the names of its cases.
    pub(crate) name: &'static str,
    /// What lies on the disk before.
    pub(crate) prepare: fn(&Scene),
    /// The work. Whatever fails, it returns.
    pub(crate) act: fn(&Scene) -> Heard,
    /// Goes on with the work from wherever it is, to its end.
    pub(crate) go_on: fn(&Scene) -> Result<(), Failure>,
    /// Whether the events come out the same too. A store that was made and not taken into care is adopted
    /// when that is done again, and the events say so.
    pub(crate) same_events: bool,
    /// Fewest changes that the work is known to make.
    pub(crate) changes_min: u64,
}

/// What whoever did the work was told.
pub(crate) struct Heard {
    /// Size and root of the ledger, as acknowledged.
    pub(crate) acknowledged: Option<(u64, NodeHash)>,
    /// How the work ended.
    pub(crate) ended: Result<(), Failure>,
}

impl Heard {
    /// What a ledger that is still open has acknowledged.
    pub(crate) fn of(ledger: &Ledger, ended: Result<(), Failure>) -> Self {
        let head = ledger.head().head();
        Self { acknowledged: Some((head.size, head.root)), ended }
    }

    /// It did not come to that.
    pub(crate) const fn nothing(failure: Failure) -> Self {
        Self { acknowledged: None, ended: Err(failure) }
    }
}

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Case {
    fault: Fault,
    seed: u64,
}

impl Campaign {
    /// Runs every case, or says why none can be run here.
    pub(crate) fn run(&self) {
        if let Some(why) = unavailable() {
            not_shown(self.name, &why);
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let watchdog = Watchdog::new();
        let stage = Stage::new(self, place.path());
        let cases = self.cases(&stage.counts);
        let (start, mut failed, mut struck) = (Instant::now(), Vec::new(), 0);
        for case in &cases {
            let name = self.name_of(case);
            watchdog.watch(&name);
            let Played { met, judged } = stage.play(case);
            struck += usize::from(met.is_some());
            if let Err(why) = judged {
                let met = met.as_deref().unwrap_or("nothing");
                println!("{name}: met {met}: {why}\n  again: {}", again(&name));
                failed.push(name);
            }
            if failed.len() >= FAILURES_MAX {
                break;
            }
        }
        println!("{}: {} cases, {struck} struck, {:?}", self.name, cases.len(), start.elapsed());
        keep_in_mind(&failed);
        assert!(failed.is_empty(), "{failed:#?}");
        // Work that meets no fault ends well and shows nothing.
        let all = cases.len();
        assert!(all == 1 || struck * 10 > all * 9, "{}: {struck} of {all} were struck", self.name);
    }

    fn cases(&self, counts: &Counts) -> Vec<Case> {
        if let Ok(one) = std::env::var(ONE) {
            return self.case_of(&one).into_iter().collect();
        }
        let asked = std::env::var(SEEDS).ok().map(|seeds| seeds.parse().unwrap());
        let changes = counts.of(Call::Change);
        assert!(changes >= self.changes_min, "{}: only {changes} changes", self.name);
        let kept = fs::read_to_string(kept_file()).unwrap();
        let mut cases: Vec<Case> = kept.lines().filter_map(|line| self.case_of(line)).collect();
        let each: [(Call, &[Effect]); 4] = [
            (Call::Sync, &[Effect::Broken]),
            (Call::Write, &[Effect::Broken, Effect::Full, Effect::Short, Effect::FullOnce]),
            (Call::Name, &[Effect::Broken, Effect::FullOnce]),
            (Call::Read, &[Effect::Broken]),
        ];
        // A disk that is full for one moment is less than one that stays full, and left to longer runs.
        let always = |effect: &&Effect| asked.is_some() || **effect != Effect::FullOnce;
        for (call, effects) in each {
            let total = counts.of(call);
            let step = match (call, asked) {
                (Call::Read, None) => total.div_ceil(READS_DEFAULT).max(1),
                _ => 1,
            };
            for nth in (0..total).step_by(usize::try_from(step).unwrap()) {
                let fault = |effect: &Effect| Fault { call, nth, effect: *effect };
                let effects = effects.iter().filter(always);
                cases.extend(effects.map(|effect| Case { fault: fault(effect), seed: 0 }));
            }
        }
        let seeds = asked.unwrap_or(SEEDS_DEFAULT);
        // The last one cuts the power after the work was done.
        for nth in 0..=changes {
            let fault = Fault { call: Call::Change, nth, effect: Effect::Cut };
            let cuts = (0..seeds).map(|seed| Case { fault, seed: nth * seeds + seed });
            cases.extend(cuts);
        }
        cases
    }

    fn name_of(&self, case: &Case) -> String {
        format!("{}:{}:{}", self.name, case.fault, case.seed)
    }

    fn case_of(&self, name: &str) -> Option<Case> {
        let (campaign, rest) = name.split_once(':')?;
        let (fault, seed) = rest.rsplit_once(':')?;
        let case = Case { fault: fault.parse().ok()?, seed: seed.parse().ok()? };
        (campaign == self.name).then_some(case)
    }
}

/// What became of one case.
struct Played {
    /// The call at which the fault struck, if the work came to it.
    met: Option<String>,
    judged: Result<(), String>,
}

/// Keeps the disks of a campaign.
#[test]
fn part_keeper() {
    keep().unwrap();
}

fn keeper() -> Keeper {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "faults_rig::part_keeper", "--test-threads=1"]).stdout(Stdio::null());
    Keeper::start(&mut command).unwrap()
}

/// A campaign's disk before the work, and what the undisturbed work came to.
struct Stage<'a> {
    campaign: &'a Campaign,
    place: &'a Path,
    keeper: Keeper,
    disk: DiskId,
    counts: Counts,
    expected: Outcome,
}

impl<'a> Stage<'a> {
    fn new(campaign: &'a Campaign, place: &'a Path) -> Self {
        let keeper = keeper();
        keeper.mount(DiskId::EMPTY, None, place).unwrap();
        fs::create_dir(home(place)).unwrap();
        (campaign.prepare)(&scene(place));
        let disk = keeper.settled(keeper.unmount().unwrap()).unwrap();
        keeper.mount(disk, None, place).unwrap();
        (campaign.act)(&scene(place)).ended.unwrap();
        let counts = keeper.counts().unwrap();
        let expected = scene(place).outcome();
        assert_eq!(verified(&scene(place)), Ok(()));
        keeper.unmount().unwrap();
        println!("{}: {counts:?}", campaign.name);
        Self { campaign, place, keeper, disk, counts, expected }
    }

    fn play(&self, case: &Case) -> Played {
        let (scene, keeper) = (scene(self.place), &self.keeper);
        keeper.forget_after(self.disk).unwrap();
        keeper.mount(self.disk, Some(case.fault), self.place).unwrap();
        let heard = caught(|| (self.campaign.act)(&scene));
        keeper.lift().unwrap();
        let met = keeper.met().unwrap();
        if case.fault.effect == Effect::Cut {
            self.exchange(|disk| keeper.cut(disk, case.seed));
        }
        let judged = heard.and_then(|heard| self.after(&scene, &heard));
        keeper.unmount().unwrap();
        Played { met, judged }
    }

    /// Takes the disk out, and puts in its place what becomes of it.
    fn exchange(&self, becomes: impl FnOnce(DiskId) -> std::io::Result<DiskId>) {
        let disk = becomes(self.keeper.unmount().unwrap()).unwrap();
        self.keeper.mount(disk, None, self.place).unwrap();
    }

    fn after(&self, scene: &Scene, heard: &Heard) -> Result<(), String> {
        if let Err(failure) = &heard.ended {
            is_clear(failure)?;
        }
        let ended = heard.ended.as_ref().map_or_else(text, |()| "done".to_owned());
        flat(|| self.finish(scene)).map_err(|why| format!("the work said: {ended}; then {why}"))?;
        flat(|| self.nothing_left_over(scene))?;
        // What was finished is durable: it survives whatever else is lost.
        self.exchange(|disk| self.keeper.cut_bare(disk));
        flat(|| self.judge(scene, heard)).map_err(|why| format!("after another cut: {why}"))
    }

    fn finish(&self, scene: &Scene) -> Result<(), String> {
        let mut said = Vec::new();
        for _ in 0..ATTEMPTS {
            match (self.campaign.go_on)(scene) {
                Ok(()) => return Ok(()),
                Err(failure) => {
                    is_clear(&failure)?;
                    said.push(text(&failure));
                }
            }
        }
        Err(format!("going on failed: {said:#?}"))
    }

    fn nothing_left_over(&self, scene: &Scene) -> Result<(), String> {
        let mut found = scene.names();
        // Known: nobody removes what a killed creation had built so far.
        found.0.retain(|path| !path.to_string_lossy().starts_with(".glyph-ledger-init."));
        let expected = (self.expected.files.clone(), self.expected.left_over.clone());
        if found == expected {
            Ok(())
        } else {
            Err(format!("{found:?} lie about, not {expected:?}"))
        }
    }

    fn judge(&self, scene: &Scene, heard: &Heard) -> Result<(), String> {
        if let Some((size, root)) = heard.acknowledged {
            let state = scene.open_ledger().state_at(size).map_err(|error| error.to_string())?;
            let found = state.chain().frontier().root();
            if (state.size(), found) != (size, root) {
                return Err(format!("{size} acknowledged events are not those that are there"));
            }
        }
        let mut found = scene.outcome();
        // What a run removed behind itself may have come back.
        found.left_over.clone_from(&self.expected.left_over);
        found.files.clone_from(&self.expected.files);
        self.same(scene, found)?;
        verified(scene)
    }

    fn same(&self, scene: &Scene, mut found: Outcome) -> Result<(), String> {
        let expected = &self.expected;
        if !self.campaign.same_events {
            found.batches.clone_from(&expected.batches);
            found.root = expected.root;
        }
        if found == *expected {
            return Ok(());
        }
        let ledger = scene.open_ledger();
        let kinds = ledger.events(0..u64::MAX).map(|event| match event.unwrap().event.body {
            Body::RunAborted(aborted) => format!("{} {}", aborted.code, aborted.message),
            body => body.kind().to_owned(),
        });
        let kinds: Vec<String> = kinds.collect();
        Err(format!("{found:#?}\nexpected {expected:#?}\nevents {kinds:?}"))
    }
}

/// A refusal names a registered code, and says what to do.
fn is_clear(failure: &Failure) -> Result<(), String> {
    let registered = Code::find(failure.code.id).is_some();
    let says_what_to_do = !failure.code.remedy.is_empty() && !failure.message.is_empty();
    let is_a_defect = failure.code.id == "INTERNAL";
    if registered && says_what_to_do && !is_a_defect {
        Ok(())
    } else {
        Err(format!("no clear refusal: {}", text(failure)))
    }
}

fn text(failure: &Failure) -> String {
    format!("{} {failure}", failure.code.id)
}

/// What the judge of ledgers says.
fn verified(scene: &Scene) -> Result<(), String> {
    let dir = scene.layout().ledger();
    let pins = FilePins::new(scene.home().join("pins"), scene.home().join("places"));
    let at = Folders { dir: &dir, place: &dir, wait: scene.wait };
    let found = verify_folder(at, &pins, Options::default(), &mut Unobserved)
        .map_err(|error: VerifyError| format!("verifying: {error}"))?;
    match found.report.outcome {
        Verdict::Complete { .. } => Ok(()),
        other => Err(format!("verifying: {other:?} {:?}", found.report.faults)),
    }
}

fn home(place: &Path) -> PathBuf {
    place.join("home")
}

fn scene(place: &Path) -> Scene {
    Scene::at(&home(place))
}

fn caught<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
        format!("a panic: {}", said.unwrap_or_default())
    })
}

fn flat(act: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    caught(act).and_then(|done| done)
}

fn again(name: &str) -> String {
    let campaign = name.split(':').next().unwrap_or_default();
    format!("{ONE}={name} cargo test --test it faults_ -- --nocapture # {campaign}")
}

fn kept_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/faults_seeds.txt")
}

fn keep_in_mind(failed: &[String]) {
    let kept = fs::read_to_string(kept_file()).unwrap();
    let mut file = OpenOptions::new().append(true).open(kept_file()).unwrap();
    for name in failed.iter().filter(|name| !kept.lines().any(|line| line == *name)) {
        writeln!(file, "{name}").unwrap();
    }
}

/// Ends the process when a case hangs: nothing else could, and nobody would know which one it was.
struct Watchdog(Sender<String>);

impl Watchdog {
    fn new() -> Self {
        let (sender, cases) = mpsc::channel::<String>();
        std::thread::spawn(move || {
            let mut watched = "the undisturbed work".to_owned();
            loop {
                match cases.recv_timeout(HANGS_AFTER) {
                    Ok(next) => watched = next,
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        keep_in_mind(std::slice::from_ref(&watched));
                        eprintln!("{watched} hangs; again: {}", again(&watched));
                        std::process::abort();
                    }
                }
            }
        });
        Self(sender)
    }

    fn watch(&self, case: &str) {
        self.0.send(case.to_owned()).unwrap();
    }
}
