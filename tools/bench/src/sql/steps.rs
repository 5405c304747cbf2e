//! Many small migrations on a new database.

use std::fs;
use std::path::Path;
use std::time::Instant;

use clap::Args;
use rusqlite::Connection;

use super::{Application, MIGRATIONS, peers};
use crate::error::{Error, at};
use crate::rounds::Rounds;

/// Rounds, in which the contenders take turns.
const ROUNDS: usize = 3;

/// Rounds of what takes a moment only.
const STATUS_ROUNDS: usize = 9;

#[derive(Args)]
pub(crate) struct Arguments {
    /// How many migrations.
    #[arg(long, default_value_t = 1_000)]
    steps: u32,
}

/// The migrations: a table, a column, an index and two rows, over and over, some of the tables referring to others.
fn migration(step: u32) -> String {
    let table = step - step % 4;
    match step % 4 {
        0 => {
            let parent = table.saturating_sub(8);
            let refers = if table.is_multiple_of(20) && parent < table {
                format!(",\n  parent_id INTEGER REFERENCES t{parent} (id)")
            } else {
                String::new()
            };
            format!(
                "CREATE TABLE t{table} (\n  id INTEGER PRIMARY KEY,\n  name TEXT NOT NULL,\n  \
                 created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP{refers}\n);\n"
            )
        }
        1 => format!("ALTER TABLE t{table} ADD COLUMN note TEXT NOT NULL DEFAULT '';\n"),
        2 => format!("CREATE INDEX t{table}_name ON t{table} (name);\n"),
        _ => format!("INSERT INTO t{table} (name, note) VALUES ('a', 'first'), ('b', 'second');\n"),
    }
}

/// Measures applying them and prints a table.
pub(crate) fn measure(arguments: &Arguments, place: &Path) -> Result<(), Error> {
    let scripts: Vec<String> = (0..arguments.steps).map(migration).collect();
    let present = peers::present();
    let (mut ours, mut memory, mut plain) =
        (Rounds::default(), Rounds::default(), Rounds::default());
    let mut others = vec![Rounds::default(); present.len()];
    for _ in 0..ROUNDS {
        let application = filled(place, &scripts)?;
        application.init()?;
        let cost = application.run(&["apply", "--yes"])?;
        ours.push(cost.seconds);
        memory.push(cost.peak_mib);
        plain.push(in_one_transaction(place, &scripts)?);
        for (peer, seconds) in present.iter().zip(&mut others) {
            seconds.push(peer.run(place, &scripts)?);
        }
    }
    let steps = arguments.steps;
    println!("{steps} migrations on a new database, {ROUNDS} rounds, medians\n");
    println!("| what | seconds | ours is |");
    println!("|---|---|---|");
    println!("| apply, every step an event, images kept | {:.2} | |", ours.median());
    println!(
        "| all of them in one transaction, nothing kept | {:.2} | {:.1} × it |",
        plain.median(),
        ours.over(&plain)
    );
    for (peer, seconds) in present.iter().zip(&others) {
        println!("| {} | {:.2} | {:.2} × it |", peer.name(), seconds.median(), ours.over(seconds));
    }
    println!("\nPeak memory of apply: {:.0} MiB.", memory.median());
    for (name, command) in peers::absent() {
        println!("{name} is not on the PATH; to measure beside it: {command}");
    }
    Ok(())
}

/// Measures finding nothing to do and prints a line.
pub(crate) fn status(arguments: &Arguments, place: &Path) -> Result<(), Error> {
    let scripts: Vec<String> = (0..arguments.steps).map(migration).collect();
    let application = filled(place, &scripts)?;
    application.init()?;
    application.run(&["apply", "--yes"])?;
    let mut seconds = Rounds::default();
    for _ in 0..STATUS_ROUNDS {
        seconds.push(application.run(&["status"])?.seconds);
    }
    let (steps, ms) = (arguments.steps, seconds.median() * 1_000.0);
    println!(
        "status with {steps} applied migrations and none to do: {ms:.1} ms, the whole process"
    );
    Ok(())
}

fn filled(place: &Path, scripts: &[String]) -> Result<Application, Error> {
    let application = Application::new(place, "ours")?;
    for (number, sql) in (1..).zip(scripts) {
        application.migration(&format!("{number:06}_step.sql"), sql)?;
    }
    Ok(application)
}

/// What SQLite itself needs, were nothing recorded and all of it done at once.
fn in_one_transaction(place: &Path, scripts: &[String]) -> Result<f64, Error> {
    let folder = place.join("plain");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(at(&folder))?;
    }
    fs::create_dir_all(folder.join(MIGRATIONS)).map_err(at(&folder))?;
    let began = Instant::now();
    let mut connection = Connection::open(folder.join("app.db"))?;
    let transaction = connection.transaction()?;
    for sql in scripts {
        transaction.execute_batch(sql)?;
    }
    transaction.commit()?;
    Ok(began.elapsed().as_secs_f64())
}
