//! Durable appends of 1, 100 and 1,000 events a batch.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use glyph_ledger::ledger::Ledger;

use crate::error::{Error, at};
use crate::history::{Growth, Memory, Place, signer};
use crate::probe;
use crate::report::{Goal, Report, Row};
use crate::rounds::{Rounds, Tally};
use crate::table::ChainedTable;

/// Rounds, and how long each contender appends in each.
const ROUNDS: usize = 5;
const SPAN: Duration = Duration::from_millis(600);

const BATCHES: [(u32, Goals); 3] = [
    (1, Goals { disk: Some(0.25), table: 0.3 }),
    (100, Goals { disk: None, table: 0.9 }),
    (1_000, Goals { disk: None, table: 1.3 }),
];

struct Goals {
    disk: Option<f64>,
    table: f64,
}

/// One ledger being appended to.
struct Contender {
    ledger: Ledger,
    growth: Growth,
}

impl Contender {
    fn new(dir: &Path, memory: Memory) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(at(dir))?;
        let mut ledger = Place::new(dir).create(memory)?;
        let growth = Growth::begin(&mut ledger)?;
        Ok(Self { ledger, growth })
    }

    fn rate(&mut self, batch: u32) -> Result<f64, Error> {
        let Self { ledger, growth } = self;
        let signer = signer();
        let append = |bodies| ledger.append(&signer, bodies).map(|_| batch);
        Ok(Tally::during(SPAN, || growth.bodies(batch as usize), append)?.rate())
    }
}

pub(crate) fn measure(place: &Path, report: &mut Report) -> Result<(), Error> {
    let sample = sample(&place.join("sample"))?;
    for (batch, goals) in BATCHES {
        eprintln!("appending, {batch} a batch");
        let dir = place.join(format!("append.{batch}"));
        let mut ledger = Contender::new(&dir.join("files"), Memory::Files)?;
        let mut unpinned = Contender::new(&dir.join("process"), Memory::Process)?;
        let mut table = ChainedTable::create(&dir.join("table.sqlite"))?;
        let path = dir.join("pages");
        let mut pages = File::create(&path).map_err(at(&path))?;
        let mut ours = [Rounds::default(), Rounds::default()];
        let (mut tables, mut disk) = (Rounds::default(), Rounds::default());
        let events: Vec<Vec<u8>> = sample.iter().take(batch as usize).cloned().collect();
        for _ in 0..ROUNDS {
            disk.push(probe::durable_pages(&mut pages, &path, SPAN)?);
            let append = |()| table.append(&events).map(|()| batch);
            tables.push(Tally::during(SPAN, || (), append)?.rate());
            for (rounds, contender) in ours.iter_mut().zip([&mut ledger, &mut unpinned]) {
                rounds.push(contender.rate(batch)?);
            }
        }
        let [pinned, unpinned] = &ours;
        for (memory, rounds) in [("", pinned), (", head remembered in memory only", unpinned)] {
            let what = format!("durable append, {batch} a batch{memory}");
            if let Some(goal) = goals.disk {
                let peer = ("fdatasync of 4 KiB", disk.clone());
                report.add(Row::rates(&what, rounds, &peer, Goal::AtLeast(goal)));
            }
            let peer = ("hash-chained SQLite table", tables.clone());
            report.add(Row::rates(&what, rounds, &peer, Goal::AtLeast(goals.table)));
        }
        drop((ledger, table));
        fs::remove_dir_all(&dir).map_err(at(&dir))?;
    }
    Ok(())
}

/// The bytes of a thousand events, for whoever needs them without a ledger.
pub(crate) fn sample(dir: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let Contender { mut ledger, mut growth } = Contender::new(dir, Memory::Process)?;
    let events = ledger.append(&signer(), growth.bodies(1_000))?;
    drop(ledger);
    fs::remove_dir_all(dir).map_err(at(dir))?;
    Ok(events.into_iter().map(|recorded| recorded.bytes).collect())
}
