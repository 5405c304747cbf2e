//! `prove` of a database or a store: what is seen of the scripts of its migrations.

use std::io::{self, Write};

use serde::Serialize;

use super::diff::{declared_line, table_line};
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use super::words::count;
use crate::diagnostic::{Failure, PROPERTY_MISSING};
use crate::migrate::{Back, MigrationSeen, Store, prove_scripts};
use crate::target::sqlite::Changes;

/// Differences of one migration that are shown to people.
const SHOWN_MAX: usize = 8;

#[derive(Serialize)]
pub(super) struct ProvedScripts {
    migrations: Vec<MigrationSeen>,
    /// Migrations with a way back, and those that it restores everything of.
    with_way_back: u64,
    restored: u64,
    /// Migrations that do not hold.
    failing: u64,
    /// Migrations of which nothing was seen.
    not_tried: u64,
}

pub(super) fn run(store: &Store) -> Result<Done<ProvedScripts>, Failure> {
    let migrations = prove_scripts(store)?;
    let failure = failure(&migrations);
    let number =
        |of: fn(&MigrationSeen) -> bool| migrations.iter().filter(|seen| of(seen)).count() as u64;
    let proved = ProvedScripts {
        with_way_back: number(|seen| !matches!(seen.back, Back::None | Back::NotTried)),
        restored: number(|seen| seen.back == Back::Restores),
        failing: number(MigrationSeen::fails),
        not_tried: number(|seen| !seen.is_tried()),
        migrations,
    };
    let done = Done::new(proved);
    Ok(match failure {
        None => done,
        Some(failure) => done.found(failure),
    })
}

/// That some of `migrations` do not hold, or that nothing was seen of any.
fn failure(migrations: &[MigrationSeen]) -> Option<Failure> {
    let all = migrations.len();
    let failing: Vec<&str> =
        migrations.iter().filter(|seen| seen.fails()).map(|seen| seen.to.as_str()).collect();
    let told = if let Some(first) = failing.first() {
        let told = format!("{} of {all} do not hold: {}", failing.len(), failing.join(", "));
        Failure::new(&PROPERTY_MISSING, told).at(format!("version {first}"))
    } else if all > 0 && !migrations.iter().any(MigrationSeen::is_tried) {
        let told = format!(
            "none of {} could be tried: of no version that one begins at is any content known",
            count(all as u64, "migration")
        );
        Failure::new(&PROPERTY_MISSING, told)
    } else {
        return None;
    };
    Some(told.not_done("nothing was recorded; all of it was tried on copies"))
}

impl Answer for ProvedScripts {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        for seen in &self.migrations {
            let scripts: Vec<String> = seen.scripts.iter().map(|name| one_line(name)).collect();
            let back = match &seen.back {
                Back::None => "no way back".to_owned(),
                Back::NotTried => "not tried".to_owned(),
                Back::Restores => "taken back whole".to_owned(),
                Back::Differs { .. } => paint.warning("not taken back whole"),
                Back::Fails { .. } => paint.warning("the way back fails"),
            };
            writeln!(out, "{}  {}: {back}", one_line(&seen.to), scripts.join(", "))?;
            if let Some(why) = seen.not_tried.as_ref().or(seen.failed.as_ref()) {
                writeln!(out, "    {}", one_line(why))?;
            }
            match &seen.back {
                Back::Fails { why } => writeln!(out, "    {}", one_line(why))?,
                Back::Differs { changes } => write_changes(changes, out)?,
                Back::None | Back::NotTried | Back::Restores => {}
            }
            if let Some(changes) = &seen.order {
                writeln!(
                    out,
                    "  {}",
                    paint.warning("depends on the order of rows that nothing orders")
                )?;
                write_changes(changes, out)?;
            }
        }
        match (self.restored, self.with_way_back) {
            (_, 0) => writeln!(out, "no migration that was tried has a script that takes it back")?,
            (restored, ways) => {
                writeln!(out, "{restored} of {} back restore everything", count(ways, "way"))?;
            }
        }
        match self.not_tried {
            0 => Ok(()),
            some => writeln!(out, "{} not tried", count(some, "migration")),
        }
    }
}

fn write_changes(changes: &Changes, out: &mut dyn Write) -> io::Result<()> {
    let declared = changes.declared.iter().map(declared_line);
    let settings = changes.settings.iter().map(|one| format!("~ {}", one.name));
    let lines = declared.chain(changes.tables.iter().map(table_line)).chain(settings);
    let lines: Vec<String> = lines.collect();
    for line in lines.iter().take(SHOWN_MAX) {
        writeln!(out, "    {line}")?;
    }
    match lines.len().saturating_sub(SHOWN_MAX) {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more"),
    }
}
