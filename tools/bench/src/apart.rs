//! Processes of their own, in which one thing is done and nothing else, so that its time and its peak memory are known.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use glyph_ledger::trust::HOME_VARIABLE;

use crate::error::{Error, at};

/// What a process took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) seconds: f64,
    pub(crate) peak_mib: f64,
}

/// Runs this program, which prints with [`print()`] what it took.
pub(crate) fn own(arguments: &[&OsStr]) -> Result<Cost, Error> {
    told(|command| command.args(arguments))
}

/// The same with the user's key and remembered heads in `home`.
pub(crate) fn own_at_home(arguments: &[&OsStr], home: &Path) -> Result<Cost, Error> {
    told(|command| command.args(arguments).env(HOME_VARIABLE, home))
}

fn told(called: impl FnOnce(&mut Command) -> &mut Command) -> Result<Cost, Error> {
    let program = std::env::current_exe().map_err(at(Path::new("bench")))?;
    let output = called(&mut Command::new(&program)).output().map_err(at(&program))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // What was done may have said something before.
    let mut numbers =
        text.lines().last().unwrap_or_default().split_whitespace().map(str::parse::<f64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(seconds)), Some(Ok(peak_mib))) => Ok(Cost { seconds, peak_mib }),
        _ => Err(Error::Unexpected {
            what: "a process of its own",
            expected: "seconds and MiB".to_owned(),
            actual: text + &String::from_utf8_lossy(&output.stderr),
        }),
    }
}

/// Says for [`own`] what this process took.
pub(crate) fn print(took: Duration) -> Result<(), Error> {
    println!("{} {}", took.as_secs_f64(), peak_mib()?);
    Ok(())
}

/// The most memory this process ever had resident (`VmHWM` of proc(5)).
fn peak_mib() -> Result<f64, Error> {
    let path = Path::new("/proc/self/status");
    let status = fs::read_to_string(path).map_err(at(path))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib = line.trim().trim_end_matches(" kB").parse::<f64>();
    kib.map(|kib| kib / 1_024.0).map_err(|_| Error::Unexpected {
        what: "VmHWM",
        expected: "a number of kB".to_owned(),
        actual: line.to_owned(),
    })
}
