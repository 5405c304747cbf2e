//! `self-test`: whether this program finds what a stranger could do to this ledger. Works on copies.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::context::{Context, Located};
use super::output::{Answer, Done};
use super::terminal::Paint;
use super::words::count;
use crate::attacks::{Row, Tried, try_selection};
use crate::diagnostic::{ATTACK_NOT_FOUND, Failure};
use crate::verify::Folders;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// In how many ways to try each attack, at most
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    ways: u64,
    /// What the ways are drawn from: the same number draws the same ones
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
}

#[derive(Serialize)]
pub(super) struct SelfTest {
    /// Events that were bent in memory.
    events: u64,
    tried: u64,
    found: u64,
    harmless: u64,
    mistaken: u64,
    attacks: Vec<Tally>,
}

/// What came of one kind of attack.
#[derive(Serialize)]
struct Tally {
    attack: String,
    tried: u64,
    found: u64,
    harmless: u64,
    mistaken: u64,
    codes: Vec<&'static str>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<SelfTest>, Failure> {
    let Located { dir, place, surroundings } = context.locate()?;
    let at = Folders { dir: &dir, place: &place, wait: surroundings.wait };
    let Tried { events, rows } =
        try_selection(at, &*surroundings.pins, arguments.ways, arguments.seed)?;
    let mistaken: Vec<_> = rows.iter().flat_map(|row| row.mistaken.clone()).collect();
    let attacks: Vec<_> = rows.into_iter().map(Tally::of).collect();
    let sum = |of: fn(&Tally) -> u64| attacks.iter().map(of).sum::<u64>();
    let answer = SelfTest {
        events,
        tried: sum(|tally| tally.tried),
        found: sum(|tally| tally.found),
        harmless: sum(|tally| tally.harmless),
        mistaken: sum(|tally| tally.mistaken),
        attacks,
    };
    Ok(mistaken.into_iter().fold(Done::new(answer), |done, told| {
        done.found(
            Failure::new(&ATTACK_NOT_FOUND, told)
                .not_done("only a copy of the ledger was bent; the ledger is as it was"),
        )
    }))
}

impl Tally {
    fn of(row: Row) -> Self {
        Self {
            attack: row.title,
            tried: row.tried,
            found: row.found.values().sum(),
            harmless: row.harmless,
            mistaken: row.mistaken.len() as u64,
            codes: row.found.into_keys().collect(),
        }
    }
}

impl Answer for SelfTest {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Self { events, tried, found, harmless, mistaken, attacks } = self;
        let head = format!("{tried} attacks on a copy: {found} found, {harmless} harmless");
        match mistaken {
            0 => writeln!(out, "{}", paint.strong(format_args!("{head}")))?,
            mistaken => {
                writeln!(out, "{}", paint.error(format_args!("{head}, {mistaken} not found")))?;
            }
        }
        writeln!(out, "  stored events were bent among the first {}", count(*events, "event"))?;
        writeln!(out, "  harmless: the same newest head and the same state")?;
        let width = attacks.iter().map(|tally| tally.attack.chars().count()).max().unwrap_or(0);
        for Tally { attack, tried, found, harmless, mistaken, codes } in attacks {
            let mistaken =
                if *mistaken == 0 { String::new() } else { format!(", {mistaken} NOT FOUND") };
            let codes = codes.join(" ");
            writeln!(
                out,
                "  {attack:width$}  {tried:>4} tried, {found:>4} found, {harmless:>4} harmless{mistaken}  {codes}"
            )?;
        }
        Ok(())
    }
}
