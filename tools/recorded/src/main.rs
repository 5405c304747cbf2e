//! Compares what the built-in contracts `run-state` and `workflow-app` make of documents with what another program was
//! recorded to make of them: `cargo run -p recorded -- CASES.jsonl`. Cases are one JSON object a line and lie outside of
//! this repository.
//!
//! Every difference must have one of the reasons of `reason.rs`; otherwise the exit code is 1.

mod compare;
mod ecmascript;
mod ours;
mod reason;
mod recorded;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use glyph_ledger::document::json;

use compare::{Contracts, compare};
use ours::Prepared;
use reason::Reason;
use recorded::Recorded;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(cases), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: recorded CASES.jsonl");
        return ExitCode::from(2);
    };
    match run(&PathBuf::from(cases)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints a line a case, then the numbers; returns how many cases differ without a reason.
fn run(cases: &Path) -> Result<usize, Box<dyn Error>> {
    let contracts = Contracts {
        run_state: Prepared::load(&built_in("run-state"))?,
        workflow_app: Prepared::load(&built_in("workflow-app"))?,
    };
    let text =
        std::fs::read_to_string(cases).map_err(|error| format!("{}: {error}", cases.display()))?;
    let mut equal = 0;
    let mut unexplained = 0;
    let mut explained: Vec<Reason> = Vec::new();
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    for (place, line) in lines.enumerate() {
        let case = json::read(recorded::readable(line).as_bytes())
            .map_err(|error| format!("case {}: {error}", place + 1))?;
        let case = Recorded(&case.value);
        let name = case.text("/name")?;
        let differences = compare(&contracts, case).map_err(|error| format!("{name}: {error}"))?;
        let reasons: BTreeSet<Reason> =
            differences.iter().filter_map(|found| found.reason).collect();
        let without: Vec<&str> = differences
            .iter()
            .filter(|found| found.reason.is_none())
            .map(|found| found.what.as_str())
            .collect();
        if !without.is_empty() {
            unexplained += 1;
            println!("{name}  DIFFERS without a reason");
            for what in without {
                println!("    {what}");
            }
        } else if reasons.is_empty() {
            equal += 1;
            println!("{name}  equal");
        } else {
            let words: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            println!("{name}  differs: {}", words.join("; "));
        }
        explained.extend(reasons);
    }
    println!("{equal} cases equal, {unexplained} differ without a reason");
    for reason in Reason::ALL {
        let number = explained.iter().filter(|found| **found == reason).count();
        if number > 0 {
            println!("{number:5}  {reason}");
        }
    }
    Ok(unexplained)
}

fn built_in(contract: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/contract/built_in");
    folder.join(contract).join("contract.yaml")
}
