//! `audit sample`: events to look at, drawn so that anybody can draw them again.

use std::io::{self, Write};

use clap::Args;
use clap::builder::PossibleValuesParser;
use ledger_format::body::Body;
use ledger_format::hash::{EventId, KeyId, LedgerId, NodeHash};
use serde::Serialize;

use super::super::context::Context;
use super::super::output::{Answer, Done};
use super::super::terminal::{Paint, one_line};
use super::super::words::{count, summary, time};
use super::Within;
use crate::diagnostic::{Failure, NOTHING_HERE, USAGE};
use crate::evidence::{SAMPLE_MAX, SEED_BYTES_MAX, Seed, consistency, draw};
use crate::ledger::{FoldError, Recorded};

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    #[command(flatten)]
    within: Within,
    /// Draw so many events
    #[arg(long, short, value_name = "N", default_value_t = 25,
        value_parser = clap::value_parser!(u64).range(1..=SAMPLE_MAX))]
    n: u64,
    /// What they are drawn by: any text of one line, best one that nobody could know when the events were recorded
    #[arg(long, value_name = "TEXT")]
    seed: String,
    /// Draw from events of this kind only; may be given several times
    #[arg(long, value_name = "KIND",
        value_parser = PossibleValuesParser::new(Body::KINDS.iter().copied()))]
    kind: Vec<String>,
}

#[derive(Serialize)]
pub(in super::super) struct Drawn {
    ledger: LedgerId,
    seed: String,
    /// Number of events that were drawn from.
    population: u64,
    /// The first of the range, and the number of events before its end.
    from: u64,
    to: u64,
    /// Root over the events before the end of the range, so that it is known what was drawn from.
    root: NodeHash,
    /// The kinds that were drawn from; empty for all.
    kinds: Vec<String>,
    /// In the order of the events.
    sample: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    /// The how-manieth that was drawn, from 0.
    drawn: u64,
    /// Its place in the population, from 0.
    index: u64,
    seq: u64,
    id: EventId,
    at: String,
    at_ms: u64,
    kind: &'static str,
    actor: KeyId,
    run: Option<EventId>,
    object: Option<String>,
    summary: String,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Drawn>, Failure> {
    let Arguments { within, n, seed, kind } = arguments;
    let seed = Seed::new(seed).ok_or_else(|| {
        let told = format!("a seed is one line of 1 to {SEED_BYTES_MAX} bytes");
        Failure::new(&USAGE, told).at("--seed")
    })?;
    let ledger = context.open()?;
    let seqs = within.seqs(&ledger)?;
    let root = consistency(&ledger, seqs.end, seqs.end)?.new_root;
    let chosen = |body: &Body| kind.is_empty() || kind.iter().any(|kind| kind == body.kind());
    let mut population = Vec::new();
    ledger.each_event::<FoldError>(seqs.clone(), |recorded| {
        if chosen(&recorded.event.body) {
            population.push(recorded.event.seq);
        }
        Ok(())
    })?;
    if population.is_empty() {
        let told = "no event of the range is of such a kind".to_owned();
        return Err(Failure::new(&NOTHING_HERE, told).at("--kind").next(["audit", "population"]));
    }
    let mut sample = Vec::new();
    for (drawn, index) in (0..).zip(draw(&seed, *n, population.len() as u64)) {
        let place = usize::try_from(index).ok().and_then(|index| population.get(index));
        if let Some(seq) = place {
            sample.push(Line::of(drawn, index, &ledger.event(*seq)?));
        }
    }
    sample.sort_by_key(|line| line.seq);
    let first = sample.first().map(|line| line.seq.to_string()).unwrap_or_default();
    let drawn = Drawn {
        ledger: ledger.id(),
        seed: seed.as_str().to_owned(),
        population: population.len() as u64,
        from: seqs.start,
        to: seqs.end,
        root,
        kinds: kind.clone(),
        sample,
    };
    Ok(Done::new(drawn).next(&["show", &first]).next(&["proof", "inclusion", &first]))
}

impl Line {
    fn of(drawn: u64, index: u64, recorded: &Recorded) -> Self {
        let Recorded { id, event, .. } = recorded;
        let started = matches!(event.body, Body::RunStarted(_));
        Self {
            drawn,
            index,
            seq: event.seq,
            id: *id,
            at: time(event.at),
            at_ms: event.at,
            kind: event.body.kind(),
            actor: event.actor,
            run: if started { Some(*id) } else { event.body.run() },
            object: event.body.object().map(ToOwned::to_owned),
            summary: summary(&event.body),
        }
    }
}

impl Answer for Drawn {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Self { seed, population, to, root, sample, .. } = self;
        let title = format!("{} of {population}, by seed {seed:?}", sample.len());
        writeln!(out, "{}", paint.strong(title))?;
        writeln!(out, "  from the first {}, root {root}", count(*to, "event"))?;
        for Line { seq, id, at, kind, summary, .. } in sample {
            let (id, at) = (paint.faint(id.short()), paint.faint(at));
            let kind = paint.strong(kind);
            writeln!(out, "  {seq:>8}  {id}  {at}  {kind}  {}", one_line(summary))?;
        }
        Ok(())
    }
}
