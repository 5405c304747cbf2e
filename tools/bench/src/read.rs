//! Opening, verifying, replaying and exporting one long ledger, each time in a process of its own that
//! does nothing else and says how long it took and how much memory.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use glyph_ledger::export::{export, export_flat};
use glyph_ledger::log::ReadLog as _;
use glyph_ledger::log::sled::{OpenOptions, SledLog};
use glyph_ledger::replay::replay;
use glyph_ledger::verify::{
    Expectations, Folders, Options, Report as Verdict, Unobserved, verify, verify_folder,
};

use crate::apart::{self, Cost};
use crate::append;
use crate::error::{Error, at};
use crate::history::{Growth, Memory, Place, signer};
use crate::probe;
use crate::report::{Goal, Report, Row, float};
use crate::rounds::Rounds;

/// Rounds, in each of which every reading is done once.
const ROUNDS: usize = 3;

/// Events of one append while the long ledger is written.
const BATCH: u32 = 1_000;

/// A way of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reading {
    /// Open, with the state cache that appending left.
    Open,
    /// Open without that cache.
    OpenUncached,
    /// Verify the folder, as verify-chain does.
    VerifyFolder,
    /// Verify a log that is open already.
    VerifyLog,
    /// Fold every projection from the first event.
    Replay,
    /// Write every event as a line.
    Export,
    /// Write every event as a flat line.
    ExportFlat,
}

const READINGS: [Reading; 7] = [
    Reading::VerifyFolder,
    Reading::VerifyLog,
    Reading::Replay,
    Reading::Export,
    Reading::ExportFlat,
    Reading::Open,
    Reading::OpenUncached,
];

pub(crate) fn measure(place: &Path, events: u64, report: &mut Report) -> Result<(), Error> {
    let dir = place.join("long");
    let sample = append::sample(&place.join("sample"))?;
    eprintln!("writing {events} events");
    let size = write(&dir, events)?;
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = u32::try_from(cores).unwrap_or(1);
    let (mut single, mut all) = (Rounds::default(), Rounds::default());
    let mut rates = READINGS.map(|_| Rounds::default());
    let mut seconds = READINGS.map(|_| Rounds::default());
    let mut peaks = READINGS.map(|_| Rounds::default());
    for round in 1..=ROUNDS {
        eprintln!("reading, round {round} of {ROUNDS}");
        single.push(probe::hashes(&sample, size, 1));
        all.push(probe::hashes(&sample, size, cores));
        let rounds = rates.iter_mut().zip(&mut seconds).zip(&mut peaks);
        for (reading, ((rate, second), peak)) in READINGS.iter().zip(rounds) {
            let cost = apart(*reading, &dir)?;
            rate.push(float(size) / cost.seconds);
            second.push(cost.seconds);
            peak.push(cost.peak_mib);
        }
    }
    let limit = ("SHA-256, all cores", all);
    report.add(Row::rates(
        "SHA-256 of those events and their tree, one core",
        &single,
        &limit,
        Goal::None,
    ));
    let table = READINGS.iter().zip(&rates).zip(seconds.iter().zip(&peaks));
    for ((reading, rate), (seconds, peak)) in table {
        let speed = |what, goal| Row::rate(what, rate, &limit, goal);
        match reading {
            Reading::VerifyFolder => {
                report.add(Row::rates(
                    "verify-chain of the folder",
                    rate,
                    &limit,
                    Goal::AtLeast(0.7),
                ));
                report.add(Row::memory("verify-chain of the folder, peak", peak));
            }
            Reading::VerifyLog => {
                report.add(Row::rates(
                    "verify-chain of an open log",
                    rate,
                    &limit,
                    Goal::AtLeast(0.7),
                ));
                report.add(Row::memory("verify-chain of an open log, peak", peak));
            }
            Reading::Replay => {
                report.add(speed("replay, all projections", Goal::AtLeast(500_000.0)));
                report.add(Row::memory("replay, peak", peak));
            }
            Reading::Export => {
                report.add(speed("export as JSON lines", Goal::AtLeast(300_000.0)));
                report.add(Row::memory("export, peak", peak));
            }
            Reading::ExportFlat => {
                report.add(speed("export as flat JSON lines", Goal::None));
                report.add(Row::memory("export as flat lines, peak", peak));
            }
            Reading::Open => report.add(Row::time("open", seconds, Goal::Below(0.3))),
            Reading::OpenUncached => {
                report.add(Row::time("open, without the state cache", seconds, Goal::None));
            }
        }
    }
    Ok(())
}

/// Writes a ledger of at least `events` events and returns how many it has.
pub(crate) fn write(dir: &Path, events: u64) -> Result<u64, Error> {
    fs::create_dir_all(dir).map_err(at(dir))?;
    let mut ledger = Place::new(dir).create(Memory::Files)?;
    let mut growth = Growth::begin(&mut ledger)?;
    while ledger.head().head().size < events {
        ledger.append(&signer(), growth.bodies(BATCH as usize))?;
    }
    Ok(ledger.head().head().size)
}

/// Reads in a process of its own.
fn apart(reading: Reading, dir: &Path) -> Result<Cost, Error> {
    let name = reading.to_possible_value().map(|value| value.get_name().to_owned());
    let name = name.unwrap_or_default();
    apart::own(&["read".as_ref(), name.as_ref(), dir.as_ref()])
}

/// Reads, and prints seconds and peak MiB for [`apart()`].
pub(crate) fn print(reading: Reading, dir: &Path) -> Result<(), Error> {
    apart::print(read(reading, &Place::new(dir))?)
}

fn read(reading: Reading, place: &Place) -> Result<Duration, Error> {
    let dir = place.ledger();
    match reading {
        Reading::Open => timed(|| place.open().map(drop)).map_err(Error::from),
        Reading::OpenUncached => {
            let cache = place.cache();
            let aside = cache.with_extension("aside");
            fs::rename(&cache, &aside).map_err(at(&cache))?;
            let opened = timed(|| place.open().map(drop));
            fs::rename(&aside, &cache).map_err(at(&cache))?;
            Ok(opened?)
        }
        Reading::VerifyFolder => timed(|| {
            let at = Folders { dir: &dir, place: &dir, wait: Duration::ZERO };
            let judged = verify_folder(at, &place.pins(), Options::default(), &mut Unobserved)?;
            sound(&judged.report)
        }),
        Reading::VerifyLog => {
            let log = SledLog::open(&dir, &OpenOptions::default())?;
            timed(|| {
                let known = Expectations::default();
                sound(&verify(&log, &known, Options::default(), &mut Unobserved)?)
            })
        }
        Reading::Replay => {
            let ledger = place.open()?;
            let size = ledger.head().head().size;
            timed(|| replay(&ledger, size).map(drop)).map_err(Error::from)
        }
        Reading::Export | Reading::ExportFlat => {
            let log = SledLog::open(&dir, &OpenOptions::default())?;
            let path = Path::new("/dev/null");
            let mut out = BufWriter::new(File::create(path).map_err(at(path))?);
            let batches = log.read(0..u64::MAX);
            let written = timed(|| {
                let written = match reading {
                    Reading::ExportFlat => export_flat(batches, &mut out),
                    _ => export(batches, &mut out),
                };
                written.map(drop)
            });
            written.map_err(Error::from)
        }
    }
}

fn timed<E>(work: impl FnOnce() -> Result<(), E>) -> Result<Duration, E> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed())
}

/// A ledger that is not sound would be a measurement of something else.
fn sound(verdict: &Verdict) -> Result<(), Error> {
    match verdict.first() {
        None => Ok(()),
        Some(fault) => Err(Error::Unexpected {
            what: "verifying the history",
            expected: "no fault".to_owned(),
            actual: fault.to_string(),
        }),
    }
}
