//! Cuts the power under a ledger that is being written, many times, and says what was lost.
//!
//! The disk is a loop device with ext4 ([`stack`]); a cut stops it between two block requests, at a
//! moment drawn from a seed, and what it has then is mounted on another device. What the process had
//! been told is durable must be there, and finishing the work must come to what undisturbed work comes
//! to. Two controls take a promise away, once the writer's syncs, once the disk's flushes, and must lose
//! something: else the rig could not have seen a loss.
//!
//! Needs root and loop devices. Knows the library as a user does; must never be a dependency of it.

mod cut;
mod error;
mod judge;
mod moment;
mod report;
mod scene;
mod stack;
mod writer;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, ExitCode};

use clap::{Parser, Subcommand};

use cut::{Circumstances, Undisturbed};
use error::{Error, at};
use moment::Moment;
use report::{Kind, Report, Row};
use scene::Part;
use stack::{Cache, Mounting, Stack};
use writer::Syncing;

/// Where the result stands, below the workspace root.
const DOCUMENT: &str = "docs/DURABILITY.md";

/// What this needs from the machine beside root.
const PROGRAMS: [&str; 6] = ["mount", "umount", "fsfreeze", "unshare", "mkfs.ext4", "strace"];

/// The exit status where no power can be cut: one that nothing else here ends with.
const UNABLE: u8 = 77;

/// Cuts the power under a ledger and looks for what was acknowledged.
#[derive(Parser)]
struct Arguments {
    /// How often to cut.
    #[arg(long, default_value_t = 60)]
    cuts: u64,
    /// How often to cut in each control.
    #[arg(long, default_value_t = 10)]
    controls: u64,
    /// What the moments are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The number of the first cut, to do one of them again.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Writes the result to docs/DURABILITY.md.
    #[arg(long)]
    write: bool,
    /// Where the disk of a cut that lost something is kept.
    #[arg(long, default_value = "target/powercut")]
    keep: PathBuf,
    /// Set by the tool for itself: it runs in a mount namespace of its own, in this folder.
    #[arg(long, hide = true)]
    inside: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Does the work that is cut short. The tool calls itself so.
    #[command(hide = true)]
    Write {
        /// What work.
        part: Part,
        /// The scene's folder.
        home: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match (&arguments.command, &arguments.inside) {
        (Some(Command::Write { part, home }), _) => {
            writer::write(*part, home).map(|()| ExitCode::SUCCESS)
        }
        (None, Some(root)) => rig(&arguments, root),
        (None, None) => apart(),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("powercut: {error}");
        match error {
            Error::Unable(_) => ExitCode::from(UNABLE),
            _ => ExitCode::FAILURE,
        }
    })
}

/// Runs this program again in a mount namespace of its own, so that nothing it mounts outlives it.
fn apart() -> Result<ExitCode, Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::Unable("mounting needs root".to_owned()));
    }
    if !Path::new("/dev/loop-control").exists() {
        return Err(Error::Unable("there are no loop devices (/dev/loop-control)".to_owned()));
    }
    for program in PROGRAMS {
        if Process::new(program).arg("--version").output().is_err() {
            return Err(Error::Unable(format!("there is no {program}; tools/setup installs it")));
        }
    }
    let folder = tempfile::Builder::new().prefix("powercut.").tempdir();
    let folder = folder.map_err(at(&std::env::temp_dir()))?;
    let program = std::env::current_exe().map_err(at(Path::new("powercut")))?;
    let status = Process::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .arg(program)
        .arg("--inside")
        .arg(folder.path())
        .args(std::env::args_os().skip(1))
        .status()
        .map_err(at(Path::new("unshare")))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn rig(arguments: &Arguments, root: &Path) -> Result<ExitCode, Error> {
    let stack = Stack::build(root, cut::prepare)?;
    let append = Undisturbed::watch(&stack, Part::Append)?;
    let jobs = Undisturbed::watch(&stack, Part::Jobs)?;
    let undisturbed = |part| match part {
        Part::Append => &append,
        Part::Jobs => &jobs,
    };
    let mut report = Report::default();
    for (kind, number, under) in series(arguments) {
        let work = undisturbed(under.part);
        let moment = Moment::draw(arguments.seed, number, work.acknowledgements, work.gap);
        let cut = work.cut(&stack, under, moment)?;
        let verdict = &cut.verdict;
        eprintln!(
            "cut {number} {under:?} after {} acknowledgements and {:?}: {} of {} events missing",
            cut.moment.acknowledgements, cut.moment.delay, verdict.missing, verdict.acknowledged
        );
        if kind == Kind::Promise && !verdict.is_good() {
            accuse(arguments, &stack, number, &verdict.faults)?;
        }
        let what = what(under, verdict.acknowledged, work);
        report.add(Row { kind, what, disk: disk(under) }, verdict);
    }
    stack.take_apart()?;
    let Arguments { cuts, controls, seed, .. } = arguments;
    let command = format!(
        "cargo run -p powercut -- --cuts {cuts} --controls {controls} --seed {seed} --write"
    );
    let text = report.markdown(&command);
    println!("{text}");
    if arguments.write {
        report::write(&workspace().join(DOCUMENT), &text)?;
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every cut of this run, with its number.
fn series(arguments: &Arguments) -> impl Iterator<Item = (Kind, u64, Circumstances)> {
    let end = arguments.first + arguments.cuts;
    let promises =
        (arguments.first..end).map(|number| (Kind::Promise, number, circumstances(number)));
    let controls = (0..arguments.controls).flat_map(|number| {
        let unsynced = Circumstances {
            syncing: Syncing::Pretended,
            mounting: Mounting::Ordered,
            ..circumstances(number)
        };
        let unflushed = Circumstances {
            cache: Cache::Lost,
            mounting: Mounting::NoFlush,
            ..circumstances(number)
        };
        [(Kind::Control, number, unsynced), (Kind::Control, number, unflushed)]
    });
    promises.chain(controls)
}

/// Cuts take turns in everything that they can differ in.
const fn circumstances(number: u64) -> Circumstances {
    Circumstances {
        part: if number & 1 == 0 { Part::Jobs } else { Part::Append },
        cache: if number & 2 == 0 { Cache::Lost } else { Cache::Kept },
        mounting: if number & 4 == 0 { Mounting::Ordered } else { Mounting::Writeback },
        syncing: Syncing::Real,
    }
}

fn what(under: Circumstances, acknowledged: u64, work: &Undisturbed) -> &'static str {
    match under.part {
        Part::Append => "append",
        Part::Jobs if acknowledged < work.going_back_from => "apply",
        Part::Jobs => "rollback",
    }
}

const fn disk(under: Circumstances) -> &'static str {
    match (under.syncing, under.mounting, under.cache) {
        (Syncing::Pretended, _, _) => "`fsync` does nothing",
        (_, Mounting::NoFlush, _) => "flushes never reach it",
        (_, _, Cache::Kept) => "keeps what was written",
        (_, _, Cache::Lost) => "keeps what was flushed",
    }
}

/// Says how to do a bad cut again, and keeps its disk.
fn accuse(
    arguments: &Arguments,
    stack: &Stack,
    number: u64,
    faults: &[String],
) -> Result<(), Error> {
    let seed = arguments.seed;
    fs::create_dir_all(&arguments.keep).map_err(at(&arguments.keep))?;
    let image = arguments.keep.join(format!("seed-{seed}-cut-{number}.img"));
    stack.keep(&image)?;
    for fault in faults {
        eprintln!("  {fault}");
    }
    eprintln!(
        "  again: cargo run -p powercut -- --seed {seed} --first {number} --cuts 1 --controls 0"
    );
    eprintln!("  its disk: {}", image.display());
    Ok(())
}

/// Two folders above this package.
fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_path_buf()
}
