//! Takes histories of migrations that others wrote through the program: `init`, `plan`, `apply`, `verify-chain --objects`,
//! `replay --recompute`, `undo`, and prints a line for each. The histories lie outside of this repository;
//! [docs/REALWORLD.md](../../../docs/REALWORLD.md) says how to get them.
//!
//! Exit code 1 if anything was refused or came out other than promised.

mod error;
mod fill;
mod history;
mod program;
mod report;
mod trial;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use error::Error;
use history::History;
use program::Program;
use trial::Trial;

#[derive(Parser)]
struct Arguments {
    /// The program; else the one beside this tool
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Rows put into each empty table before the rest of a history is applied
    #[arg(long, default_value_t = 5)]
    rows: u32,
    /// At how many points of a history rows are put in, evenly spaced; the first is before its beginning
    #[arg(long, default_value_t = 4)]
    points: usize,
    /// NAME=DIR of each history, and what else is to be said of it: NAME=DIR,layout=LAYOUT,database=FILE,foreign-keys=MODE
    #[arg(required = true, value_parser = History::parse)]
    histories: Vec<History>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything came out as promised.
fn run(arguments: &Arguments) -> Result<bool, Error> {
    let program = match &arguments.program {
        Some(file) => file.clone(),
        None => std::env::current_exe()?.with_file_name("glyph-ledger"),
    };
    let mut trials = Vec::new();
    for history in &arguments.histories {
        let versions = history.versions()?;
        for point in history::points(versions.len(), arguments.points) {
            let folder = tempfile::tempdir()?;
            let program = Program::new(&program, folder.path());
            let start = trial::Start { versions: &versions, point, rows: arguments.rows };
            trials.push(Trial::run(&program, history, &start)?);
        }
    }
    print!("{}", report::text(&trials));
    Ok(trials.iter().all(Trial::is_good))
}
