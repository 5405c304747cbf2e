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

/// What a process took, and for how long it had processors: that hardly grows where others use them too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) cost: Cost,
    pub(crate) processor_seconds: f64,
}

/// Runs this program, which prints with [`print()`] what it took.
pub(crate) fn own(arguments: &[&OsStr]) -> Result<Cost, Error> {
    own_counted(arguments).map(|counted| counted.cost)
}

/// The same with its processor time.
pub(crate) fn own_counted(arguments: &[&OsStr]) -> Result<Counted, Error> {
    told(|command| command.args(arguments))
}

/// The same with the user's key and remembered heads in `home`.
pub(crate) fn own_at_home(arguments: &[&OsStr], home: &Path) -> Result<Cost, Error> {
    told(|command| command.args(arguments).env(HOME_VARIABLE, home)).map(|counted| counted.cost)
}

fn told(called: impl FnOnce(&mut Command) -> &mut Command) -> Result<Counted, Error> {
    let program = std::env::current_exe().map_err(at(Path::new("bench")))?;
    let output = called(&mut Command::new(&program)).output().map_err(at(&program))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // What was done may have said something before.
    let mut numbers =
        text.lines().last().unwrap_or_default().split_whitespace().map(str::parse::<f64>);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(seconds)), Some(Ok(processor_seconds)), Some(Ok(peak_mib))) => {
            Ok(Counted { cost: Cost { seconds, peak_mib }, processor_seconds })
        }
        _ => Err(Error::Unexpected {
            what: "a process of its own",
            expected: "seconds, processor seconds and MiB".to_owned(),
            actual: text + &String::from_utf8_lossy(&output.stderr),
        }),
    }
}

/// Says for [`own`] what this process took.
pub(crate) fn print(took: Duration) -> Result<(), Error> {
    println!("{} {} {}", took.as_secs_f64(), processor_seconds()?, peak_mib()?);
    Ok(())
}

/// Ticks of the clock by which the kernel counts processor time for proc(5), in a second.
const TICKS: f64 = 100.0;

/// What this process and its threads had of processors, by themselves and in the kernel (`utime` and `stime` of proc(5)).
fn processor_seconds() -> Result<f64, Error> {
    let path = Path::new("/proc/self/stat");
    let stat = fs::read_to_string(path).map_err(at(path))?;
    // The name of the program may hold blanks; behind it stand the fields from the third on.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    match ticks.collect::<Result<Vec<f64>, _>>().as_deref() {
        Ok([own, kernel]) => Ok((own + kernel) / TICKS),
        _ => Err(Error::Unexpected {
            what: "utime and stime",
            expected: "two numbers of ticks".to_owned(),
            actual: fields.to_owned(),
        }),
    }
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
