//! The one test command: every step runs, whatever an earlier one said, and a table at the end says what failed.
//!
//! Knows which programs to start. Judges nothing itself: a step's exit code is its verdict.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::tidy;

/// Runs all steps in the workspace at `root` and answers success only if none failed.
pub(crate) fn run(root: &Path) -> ExitCode {
    let mut reports = vec![
        measured("format", || cargo(root, &["fmt", "--all", "--check"])),
        measured("tidy", || Outcome::from(tidy::check_and_print(root))),
    ];
    for (name, arguments) in CARGO_STEPS {
        reports.push(measured(name, || cargo(root, arguments)));
    }
    reports.push(measured("dependencies", || cargo_deny(root)));
    print_summary(&reports);
    if reports.iter().any(|report| report.outcome == Outcome::Failed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Steps that build; each is also the command to repeat that step alone.
const CARGO_STEPS: &[(&str, &[&str])] = &[
    ("lints", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    ("tests", &["test", "--workspace", "--locked", "--no-fail-fast"]),
    ("documentation", &["doc", "--workspace", "--no-deps", "--locked"]),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Passed,
    Failed,
    Skipped,
}

impl From<bool> for Outcome {
    fn from(passed: bool) -> Self {
        if passed { Self::Passed } else { Self::Failed }
    }
}

struct Report {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

fn measured(name: &'static str, step: impl FnOnce() -> Outcome) -> Report {
    println!("\n== {name}");
    let start = Instant::now();
    let outcome = step();
    Report { name, outcome, took: start.elapsed() }
}

fn cargo(root: &Path, arguments: &[&str]) -> Outcome {
    println!("$ cargo {}", arguments.join(" "));
    // Warnings of rustdoc (a broken link, a missing page) are failures; the other steps do not read this variable.
    let status = command(root, arguments).env("RUSTDOCFLAGS", "-D warnings").status();
    match status {
        Ok(status) => Outcome::from(status.success()),
        Err(error) => {
            println!("cargo could not be started: {error}");
            Outcome::Failed
        }
    }
}

fn cargo_deny(root: &Path) -> Outcome {
    let installed =
        command(root, &["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        println!("cargo-deny is not installed: skipped (tools/setup --with-deny installs it)");
        return Outcome::Skipped;
    }
    println!(
        "advisories are not checked: their database lies on the network; `cargo deny check advisories` does it"
    );
    cargo(root, &["deny", "--locked", "check", "bans", "licenses", "sources"])
}

fn command(root: &Path, arguments: &[&str]) -> Command {
    // Cargo names itself to what it runs; started by hand, the one on the PATH is meant.
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root).stdin(Stdio::null());
    command
}

fn print_summary(reports: &[Report]) {
    println!("\n== summary");
    for Report { name, outcome, took } in reports {
        let verdict = match outcome {
            Outcome::Passed => "ok",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "skipped",
        };
        println!("{name:<14} {verdict:<8} {:>6.1} s", took.as_secs_f64());
    }
}
