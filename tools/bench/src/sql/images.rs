//! A large database of which a step touches a little: what is stored of it, how long that takes beside copying the file, and
//! how long going back takes.

use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use clap::Args;
use rusqlite::Connection;

use super::Application;
use crate::error::{Error, at};
use crate::report::float;
use crate::rounds::Rounds;

/// Times the step is applied and taken back.
const ROUNDS: usize = 3;

/// Random bytes of a row.
const ROW_BYTES: u64 = 400;

const TABLE: &str =
    "CREATE TABLE items (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL);\n";

#[derive(Args)]
pub(crate) struct Arguments {
    /// How large the database is, in MiB.
    #[arg(long, default_value_t = 256)]
    mib: u64,
    /// How many rows of a hundred the step touches, all side by side.
    #[arg(long, default_value_t = 1)]
    percent: u64,
}

/// Measures and prints a table.
pub(crate) fn measure(arguments: &Arguments, place: &Path) -> Result<(), Error> {
    let application = Application::new(place, "large")?;
    let rows = make(&application, arguments.mib)?;
    let touched = rows * arguments.percent / 100;
    application.migration("0001_items.sql", TABLE)?;
    let step = format!(
        "ALTER TABLE items ADD COLUMN state TEXT;\n\
         UPDATE items SET state = 'seen' WHERE id <= {touched};\n"
    );
    application.migration("0002_state.sql", &step)?;
    let database = application.database();
    let bytes = fs::metadata(&database).map_err(at(&database))?.len();
    let copying = copied(&database, &place.join("copy"))?;
    let first = application.init()?;
    let stored = application.objects_bytes()?;
    let (mut apply, mut undo) = (Measured::default(), Measured::default());
    let mut beyond = None;
    for _ in 0..ROUNDS {
        let before = application.objects_bytes()?;
        apply.push(application.run(&["apply", "--yes"])?);
        beyond = beyond.or(Some(application.objects_bytes()? - before));
        undo.push(application.run(&["undo"])?);
    }
    println!("A database of {:.0} MiB; the step touches {touched} of {rows} rows\n", mib(bytes));
    println!("| what | seconds | beside copying the file | peak, MiB |");
    println!("|---|---|---|---|");
    println!("| copying the file, durably | {copying:.2} | | |");
    let line = |what: &str, seconds: f64, peak: f64| {
        println!("| {what} | {seconds:.2} | {:.1} × it | {peak:.0} |", seconds / copying);
    };
    line("init: the first image", first.seconds, first.peak_mib);
    line("apply", apply.seconds.median(), apply.peak_mib.median());
    line("undo", undo.seconds.median(), undo.peak_mib.median());
    let beyond = beyond.unwrap_or_default();
    println!(
        "
Stored: {:.1} MiB for the first image, {:.2} % of the database beyond it for the step.",
        mib(stored),
        100.0 * float(beyond) / float(bytes)
    );
    Ok(())
}

#[derive(Default)]
struct Measured {
    seconds: Rounds,
    peak_mib: Rounds,
}

impl Measured {
    fn push(&mut self, cost: crate::apart::Cost) {
        self.seconds.push(cost.seconds);
        self.peak_mib.push(cost.peak_mib);
    }
}

/// Makes a database of at least `mib` MiB and returns how many rows it has.
fn make(application: &Application, mib: u64) -> Result<u64, Error> {
    let connection = Connection::open(application.database())?;
    let rows = mib * 1024 * 1024 / (ROW_BYTES + 20);
    connection.execute_batch(&format!(
        "PRAGMA synchronous = OFF; {TABLE}
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO items SELECT i, 'kind ' || (i % 7), randomblob({ROW_BYTES}) FROM n;"
    ))?;
    Ok(rows)
}

fn copied(from: &Path, to: &Path) -> Result<f64, Error> {
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        fs::copy(from, to).map_err(at(to))?;
        File::open(to).and_then(|file| file.sync_all()).map_err(at(to))?;
        rounds.push(began.elapsed().as_secs_f64());
        fs::remove_file(to).map_err(at(to))?;
    }
    Ok(rounds.median())
}

fn mib(bytes: u64) -> f64 {
    float(bytes) / 1_048_576.0
}
