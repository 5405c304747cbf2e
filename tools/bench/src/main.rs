//! Measures the ledger beside what it is compared with, in the same run on the same machine, and says
//! which goals are reached.
//!
//! Every number is the median of rounds in which the contenders take turns, so that what else the
//! machine does falls on all of them. What is read from a ledger is read by a process of its own, whose
//! peak memory is then known. Knows the library as a user does; must never be a dependency of it.

mod apart;
mod append;
mod documents;
mod error;
mod history;
mod in_place;
mod notebooks;
mod probe;
mod read;
mod report;
mod rounds;
mod run_state;
mod sql;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::{Error, at};
use read::Reading;
use report::Report;

/// The one of the program.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Where the result stands, below the workspace root.
const DOCUMENT: &str = "docs/BENCHMARKS.md";

/// Measures glyph-ledger beside raw disk, raw SHA-256 and a hash-chained SQLite table.
#[derive(Parser)]
struct Arguments {
    /// Events of the ledger that is opened, verified, replayed and exported.
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// Writes the result to docs/BENCHMARKS.md.
    #[arg(long)]
    write: bool,
    /// A folder on the disk to measure; what is written there is removed again.
    #[arg(long, default_value = "target")]
    dir: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Writes a ledger of `--events` events into a folder, to read it under a profiler.
    Write {
        /// The folder.
        dir: PathBuf,
    },
    /// Converts notebooks beside the `PyPI` package nbformat and compares the results.
    Notebooks(notebooks::Arguments),
    /// Converts a folder of notebooks. The tool calls itself so.
    NotebooksConvert(notebooks::Convert),
    /// Migrates a tree of many small documents with a ledger, and says what each stage takes.
    Documents(documents::Arguments),
    /// Does one stage of that. The tool calls itself so.
    DocumentsStage(documents::One),
    /// Measures what states of runs cost that have many tasks.
    RunState(run_state::Arguments),
    /// Makes something of one state of a run. The tool calls itself so.
    RunStateOnce(run_state::Once),
    /// Applies many small SQL migrations to a new database, beside other tools.
    #[command(after_help = sql::installing())]
    SqlSteps(sql::Steps),
    /// Looks how a database stands that had many.
    SqlStatus(sql::Steps),
    /// Migrates a large database of which a step touches a little, and goes back.
    SqlImages(sql::Images),
    /// Runs one command of the command line. The tool calls itself so.
    SqlOnce(sql::Once),
    /// Reads that ledger in one way and prints seconds and peak MiB. The tool calls itself so.
    Read {
        /// In which way.
        what: Reading,
        /// The folder.
        dir: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    match &arguments.command {
        Some(Command::Write { dir }) => return read::write(dir, arguments.events).map(drop),
        Some(Command::Read { what, dir }) => return read::print(*what, dir),
        Some(Command::NotebooksConvert(convert)) => return notebooks::run(convert),
        Some(Command::DocumentsStage(one)) => return documents::run(one),
        Some(Command::RunStateOnce(once)) => return run_state::once(once),
        Some(Command::SqlOnce(once)) => return sql::once(once),
        _ => {}
    }
    fs::create_dir_all(&arguments.dir).map_err(at(&arguments.dir))?;
    let place = tempfile::Builder::new().prefix("bench.").tempdir_in(&arguments.dir);
    let place = place.map_err(at(&arguments.dir))?;
    match &arguments.command {
        Some(Command::Notebooks(notebooks)) => return notebooks::measure(notebooks, place.path()),
        Some(Command::Documents(documents)) => return documents::measure(documents, place.path()),
        Some(Command::RunState(states)) => return run_state::measure(states, place.path()),
        Some(Command::SqlSteps(steps)) => return sql::steps(steps, place.path()),
        Some(Command::SqlStatus(steps)) => return sql::status(steps, place.path()),
        Some(Command::SqlImages(images)) => return sql::images(images, place.path()),
        _ => {}
    }
    let mut report = Report::new(arguments.events);
    append::measure(place.path(), &mut report)?;
    read::measure(place.path(), arguments.events, &mut report)?;
    let text = report.markdown();
    println!("{text}");
    if arguments.write {
        let path = root().join(DOCUMENT);
        fs::write(&path, text).map_err(at(&path))?;
    }
    Ok(())
}

/// The workspace root: two folders above this package.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_path_buf()
}
