//! States of runs with many tasks: what checking and applying one takes, whether that grows with the tasks and no faster,
//! and, where it is at hand, what the tool takes that made such states.

mod make;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::{Args, ValueEnum};
use glyph_ledger::contract::registry::load_named;
use glyph_ledger::migrate::documents::{Outside, Prepared};

use crate::apart::{self, Cost};
use crate::error::{Error, at};
use crate::in_place;
use crate::rounds::Rounds;

/// Rounds, in each of which everything is done once.
const ROUNDS: usize = 3;

/// Numbers of tasks, all completed, that show how the time grows. Each is twice the one before.
const GROWING: [u64; 3] = [5_000, 10_000, 20_000];

#[derive(Args)]
pub(crate) struct Arguments {
    /// How many tasks the large state has; 140,000 are 50 MB.
    #[arg(long, default_value_t = 140_000)]
    tasks: u64,
    /// How many of them are completed. The time of the tool that made such states grows with their square.
    #[arg(long, default_value_t = 0)]
    completed: u64,
    /// The `cli.js` of the tool that made such states, to be run with Node beside us.
    #[arg(long, value_name = "FILE")]
    beside: Option<PathBuf>,
    /// The program that runs it.
    #[arg(long, value_name = "FILE", default_value = "node")]
    node: PathBuf,
}

#[derive(Args)]
pub(crate) struct Once {
    /// In which way.
    way: Way,
    /// The folder that holds the state, and nothing else.
    folder: PathBuf,
    /// The folder for the ledger, of `apply`.
    target: PathBuf,
}

/// What a process of our own does with a state.
#[derive(Clone, Copy, ValueEnum)]
enum Way {
    /// Reads it and works out all that there is to say about it, its result included.
    Check,
    /// Plans and applies in place, with a ledger and the source kept.
    Apply,
}

/// Does what a process of our own is started for.
pub(crate) fn once(arguments: &Once) -> Result<(), Error> {
    let Once { way, folder, target } = arguments;
    let began = Instant::now();
    match way {
        Way::Check => check(&folder.join(STATE))?,
        Way::Apply => in_place::apply("run-state", folder, target, 1)?,
    }
    apart::print(began.elapsed())
}

/// The name of a state.
const STATE: &str = "state.json";

fn check(path: &Path) -> Result<(), Error> {
    let prepared = Prepared::of(load_named("run-state")?, &Outside::default())?;
    let bytes = fs::read(path).map_err(at(path))?;
    let evaluation = prepared.evaluate(&bytes, None);
    let refused = evaluation.refusals.first().map(|refusal| refusal.message.clone());
    match refused {
        None => Ok(()),
        Some(actual) => {
            let expected = "no refusal".to_owned();
            Err(Error::Unexpected { what: "checking a state", expected, actual })
        }
    }
}

/// Measures and prints a table.
pub(crate) fn measure(arguments: &Arguments, place: &Path) -> Result<(), Error> {
    let Arguments { tasks, completed, beside, node } = arguments;
    let large = State::new(place, "large", *tasks, *completed)?;
    println!("A state with {tasks} tasks, {completed} completed, {:.1} MB\n", large.mb()?);
    println!("| what | seconds | peak, MiB | beside the recorded tool: time | memory |");
    println!("|---|---|---|---|---|");
    let program = beside.as_deref();
    let beside = program.map(|program| Measured::of(|| large.beside(node, program))).transpose()?;
    for (name, way) in [("check", "check"), ("plan and apply with a ledger", "apply")] {
        let own = Measured::of(|| large.own(way))?;
        own.print(name, beside.as_ref());
    }
    if let Some(beside) = &beside {
        beside.print("the recorded tool, check", None);
    }
    println!(
        "\n| completed tasks | check, seconds | beside half as many | the recorded tool, seconds | beside half as many |"
    );
    println!("|---|---|---|---|---|");
    let mut before: [Option<Rounds>; 2] = [None, None];
    for tasks in GROWING {
        let state = State::new(place, "growing", tasks, tasks)?;
        let own = Measured::of(|| state.own("check"))?.seconds;
        let mut cells = vec![own];
        if let Some(program) = program {
            cells.push(Measured::of(|| state.beside(node, program))?.seconds);
        }
        print!("| {tasks} |");
        for (seconds, before) in cells.into_iter().zip(&mut before) {
            let ratio = before.as_ref().map(|before| seconds.over(before));
            let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.1} ×"));
            print!(" {:.3} | {ratio} |", seconds.median());
            *before = Some(seconds);
        }
        println!();
    }
    Ok(())
}

/// A state in a folder of its own.
struct State {
    folder: PathBuf,
}

impl State {
    fn new(place: &Path, name: &str, tasks: u64, completed: u64) -> Result<Self, Error> {
        let folder = place.join(name);
        fresh(&folder)?;
        make::write(&folder.join(STATE), tasks, completed)?;
        Ok(Self { folder })
    }

    fn mb(&self) -> Result<f64, Error> {
        let path = self.folder.join(STATE);
        let bytes = fs::metadata(&path).map_err(at(&path))?.len();
        Ok(crate::report::float(bytes) / 1e6)
    }

    /// Seconds of a whole process of our own, and its peak memory.
    fn own(&self, way: &str) -> Result<Cost, Error> {
        let (folder, target) =
            (self.folder.with_extension("own"), self.folder.with_extension("ledger"));
        fresh(&folder)?;
        fresh(&target)?;
        let (from, to) = (self.folder.join(STATE), folder.join(STATE));
        fs::copy(&from, &to).map_err(at(&from))?;
        let once: [&OsStr; 4] =
            ["run-state-once".as_ref(), way.as_ref(), folder.as_ref(), target.as_ref()];
        let began = Instant::now();
        let Cost { peak_mib, .. } = apart::own(&once)?;
        Ok(Cost { seconds: began.elapsed().as_secs_f64(), peak_mib })
    }

    /// Seconds of the whole process of the tool whose `cli.js` is `program`, and its peak memory.
    fn beside(&self, node: &Path, program: &Path) -> Result<Cost, Error> {
        let peak = Path::new(env!("CARGO_MANIFEST_DIR")).join("run-state/peak.cjs");
        let began = Instant::now();
        let output = Command::new(node)
            .arg("--require")
            .arg(&peak)
            .arg(program)
            .args(["migration", "check"])
            .arg(self.folder.join(STATE))
            .output()
            .map_err(at(node))?;
        let seconds = began.elapsed().as_secs_f64();
        let told = String::from_utf8_lossy(&output.stderr);
        let peak = told.lines().find_map(|line| line.strip_prefix("peak_mib ")?.parse().ok());
        match peak {
            Some(peak_mib) if output.status.success() => Ok(Cost { seconds, peak_mib }),
            _ => Err(Error::Unexpected {
                what: "the recorded tool",
                expected: "an end without trouble".to_owned(),
                actual: format!("{}: {told}", output.status),
            }),
        }
    }
}

/// Makes an empty folder.
fn fresh(folder: &Path) -> Result<(), Error> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(at(folder))?;
    }
    fs::create_dir_all(folder).map_err(at(folder))
}

/// Seconds and peak memory, a number a round.
#[derive(Default)]
struct Measured {
    seconds: Rounds,
    peak_mib: Rounds,
}

impl Measured {
    fn of(mut once: impl FnMut() -> Result<Cost, Error>) -> Result<Self, Error> {
        let mut measured = Self::default();
        for _ in 0..ROUNDS {
            let cost = once()?;
            measured.seconds.push(cost.seconds);
            measured.peak_mib.push(cost.peak_mib);
        }
        Ok(measured)
    }

    fn print(&self, name: &str, beside: Option<&Self>) {
        let (faster, smaller) = beside.map_or_else(Default::default, |beside| {
            let faster = beside.seconds.over(&self.seconds);
            let smaller = self.peak_mib.over(&beside.peak_mib);
            (format!("{faster:.1} × as fast"), format!("{smaller:.2} × of it"))
        });
        let (seconds, peak) = (self.seconds.median(), self.peak_mib.median());
        println!("| {name} | {seconds:.3} | {peak:.0} | {faster} | {smaller} |");
    }
}
