//! Migrating a tree of many small documents, every one an event and every source kept: what each stage takes, beside what
//! the machine needs for the files alone and for reading and writing their values.
//!
//! Every stage runs in a process of its own, as on the command line, and says how long it took and how much memory.

mod make;
mod probe;
mod stage;

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread;

use clap::{Args, ValueEnum};
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

use crate::apart::{self, Cost, Counted};
use crate::error::{Error, at};
use crate::report::float;
use stage::Stage;

/// Documents a second that the whole way should reach, and the memory that no stage should exceed.
const RATE_MIN: f64 = 20_000.0;
const PEAK_MIB_MAX: f64 = 200.0;

#[derive(Args)]
pub(crate) struct Arguments {
    /// How many documents to make up.
    #[arg(long, default_value_t = 100_000)]
    count: u64,
    /// The number that they are made from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Args)]
pub(crate) struct One {
    /// Which.
    stage: Stage,
    /// The folder that documents and ledger lie in.
    place: PathBuf,
    /// Number of threads.
    #[arg(long)]
    jobs: usize,
}

/// Does what a process of our own is started for.
pub(crate) fn run(arguments: &One) -> Result<(), Error> {
    let One { stage, place, jobs } = arguments;
    apart::print(stage.run(place, *jobs)?)
}

/// Makes documents up, takes them through every stage and prints what it took.
pub(crate) fn measure(arguments: &Arguments, place: &Path) -> Result<(), Error> {
    let count = arguments.count;
    eprintln!("making {count} documents");
    number_apart(place);
    let bytes = make::write(&stage::tree(place), arguments.seed, count)?;
    make::write(&stage::other_tree(place), arguments.seed, count)?;
    settle(place)?;
    let jobs = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!(
        "{count} documents, {:.0} bytes each, {jobs} threads\n\n\
         | what | seconds | documents/s | processor, µs a document | peak MiB |\n|---|---|---|---|---|",
        float(bytes) / float(count)
    );
    for stage in [Stage::Files, Stage::Values] {
        row(stage.title(), own(stage, place, jobs)?, count);
    }
    let mut whole = Counted { cost: Cost { seconds: 0.0, peak_mib: 0.0 }, processor_seconds: 0.0 };
    for stage in [Stage::Init, Stage::Plan, Stage::Apply] {
        let cost = own(stage, place, jobs)?;
        row(stage.title(), cost, count);
        whole.processor_seconds += cost.processor_seconds;
        whole.cost.seconds += cost.cost.seconds;
        whole.cost.peak_mib = whole.cost.peak_mib.max(cost.cost.peak_mib);
    }
    row("all three", whole, count);
    let said = |reached: bool| if reached { "reached" } else { "not reached" };
    println!(
        "\n≥ {RATE_MIN} documents/s: {}. < {PEAK_MIB_MAX} MiB: {}.",
        said(float(count) / whole.cost.seconds >= RATE_MIN),
        said(whole.cost.peak_mib < PEAK_MIB_MAX)
    );
    Ok(())
}

/// Asks a file system that knows how, as ext4 does, to number the files of each folder in `place` far from those of the
/// others. It is slow to number new files near those that were removed within the last minutes, so that a stage would pay for
/// what another one removed. Where it does not know how, the numbers say so.
fn number_apart(place: &Path) {
    let folder = File::open(place);
    let asked = folder.map_err(drop).and_then(|folder| {
        let flags = ioctl_getflags(&folder).map_err(drop)?;
        ioctl_setflags(&folder, flags | IFlags::TOPDIR).map_err(drop)
    });
    if asked.is_err() {
        eprintln!("the stages may pay for what others removed");
    }
}

/// Has the disk hold everything, so that no stage waits for what another one wrote.
fn settle(place: &Path) -> Result<(), Error> {
    let folder = File::open(place).map_err(at(place))?;
    rustix::fs::syncfs(&folder).map_err(|error| at(place)(error.into()))
}

fn row(what: &str, Counted { cost, processor_seconds }: Counted, count: u64) {
    let Cost { seconds, peak_mib } = cost;
    let (rate, each) = (float(count) / seconds, processor_seconds / float(count) * 1e6);
    println!("| {what} | {seconds:.2} | {rate:.0} | {each:.1} | {peak_mib:.0} |");
}

/// Runs a stage in a process of its own.
fn own(stage: Stage, place: &Path, jobs: usize) -> Result<Counted, Error> {
    eprintln!("{}", stage.title());
    let name = stage.to_possible_value().map(|value| value.get_name().to_owned());
    let (name, jobs) = (name.unwrap_or_default(), jobs.to_string());
    let rest = ["--jobs", jobs.as_str()].map(OsStr::new);
    let [jobs, number] = rest;
    apart::own_counted(&[
        "documents-stage".as_ref(),
        name.as_ref(),
        place.as_os_str(),
        jobs,
        number,
    ])
}
