//! `replay`: what the ledger says at a cursor, folded anew from the first event; with `--out`, the
//! store as it was then.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use ledger_format::hash::{CommitHash, LedgerId, NodeHash};
use ledger_format::json::to_json;
use projections::{State, StateDigests};
use serde::Serialize;

use super::context::Context;
use super::output::{Answer, Done};
use super::terminal::{Paint, lines_of, one_line, path_shown};
use super::words::count;
use crate::diagnostic::{Failure, NOT_RECOMPUTABLE, REPLAY_DIVERGENCE};
use crate::ledger::{Cursor, Ledger};
use crate::migrate::{Outcome, Recomputed as Outcomes, must_be_kept, recompute};
use crate::objects::PackObjects;
use crate::replay::{Replay, materialise, replay};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Replay up to this cursor
    #[arg(long, value_name = "CURSOR", default_value = "@")]
    to: Cursor,
    /// Print the state of this projection
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(State::NAMES))]
    projection: Option<String>,
    /// Put the store as it was into this new folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Run every recorded step again from what its run read, and compare the results
    #[arg(long)]
    recompute: bool,
    /// Let steps that run external programs run them again
    #[arg(long, requires = "recompute")]
    allow_programs: bool,
}

#[derive(Serialize)]
pub(super) struct Replayed {
    ledger: LedgerId,
    size: u64,
    root: NodeHash,
    digest: CommitHash,
    digests: StateDigests,
    projection: Option<Projected>,
    store: Option<Materialised>,
    recomputed: Option<Recomputed>,
}

/// How the steps of committed runs came out when they were run again.
#[derive(Serialize)]
struct Recomputed {
    steps: u64,
    same: u64,
    not_recomputable: u64,
}

#[derive(Serialize)]
struct Projected {
    name: String,
    value: serde_json::Value,
}

/// The store, put on disk.
#[derive(Serialize)]
struct Materialised {
    folder: PathBuf,
    version: String,
    objects: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Replayed>, Failure> {
    let ledger = context.open()?;
    let size = ledger.resolve(&arguments.to)?;
    let replayed = replay(&ledger, size)?;
    let out = arguments.out.as_deref();
    let store = out.map(|out| Materialised::make(&ledger, &replayed, out)).transpose()?;
    let name = arguments.projection.as_deref();
    let projection = name.map(|name| Projected::of(&replayed, name)).transpose()?;
    let again = if arguments.recompute {
        let packs = PackObjects::open_read_only(&ledger.objects_dir())?;
        Some(recompute(&ledger, &packs, size, arguments.allow_programs)?)
    } else {
        None
    };
    let done = Done::new(Replayed {
        ledger: ledger.id(),
        size,
        root: replayed.head().root,
        digest: replayed.state.digest(),
        digests: replayed.digests(),
        projection,
        store,
        recomputed: again.as_ref().map(Recomputed::of),
    });
    Ok(again.iter().filter_map(told).fold(done, Done::found))
}

/// What is wrong with steps that were run again: the first that gave another result, else the first that could not be run.
fn told(again: &Outcomes) -> Option<Failure> {
    let differs = again.steps.iter().find(|step| step.outcome == Outcome::Differs);
    if let Some(step) = differs {
        let message = format!(
            "step {} of {} gave another result than the one recorded",
            step.step, step.object
        );
        return Some(Failure::new(&REPLAY_DIVERGENCE, message).at(format!("run {}", step.run)));
    }
    again.steps.iter().find_map(|step| {
        let Outcome::NotRecomputable { reason } = &step.outcome else { return None };
        let number = Recomputed::of(again).not_recomputable;
        let which =
            format!("{} could not be run again; {}: {reason}", count(number, "step"), step.object);
        let failure = Failure::new(&NOT_RECOMPUTABLE, which).at(format!("run {}", step.run));
        Some(failure.not_done("nothing was written; the other steps were run again"))
    })
}

impl Recomputed {
    fn of(again: &Outcomes) -> Self {
        let number = |of: &dyn Fn(&Outcome) -> bool| {
            again.steps.iter().filter(|step| of(&step.outcome)).count() as u64
        };
        Self {
            steps: again.steps.len() as u64,
            same: number(&|outcome| *outcome == Outcome::Same),
            not_recomputable: number(&|outcome| matches!(outcome, Outcome::NotRecomputable { .. })),
        }
    }
}

impl Projected {
    fn of(replayed: &Replay, name: &str) -> Result<Self, Failure> {
        let value = replayed.values(&[name])?.remove(name);
        let value = value.as_ref().map(to_json).unwrap_or_default();
        Ok(Self { name: name.to_owned(), value })
    }
}

impl Materialised {
    fn make(ledger: &Ledger, replayed: &Replay, out: &Path) -> Result<Self, Failure> {
        must_be_kept(ledger, replayed.state.size())?;
        let packs = PackObjects::open_read_only(&ledger.objects_dir())?;
        let made = materialise(replayed, &packs, out)?;
        Ok(Self { folder: made.out, version: made.version, objects: made.objects })
    }
}

impl Answer for Replayed {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let size = count(self.size, "event");
        writeln!(out, "{}", paint.strong(format_args!("replayed {size}, root {}", self.root)))?;
        for (name, digest) in &self.digests {
            writeln!(out, "  {name:12}  {digest}")?;
        }
        writeln!(out, "  {:12}  {}", "all", self.digest)?;
        if let Some(Projected { name, value }) = &self.projection {
            writeln!(out, "{}", paint.strong(name))?;
            writeln!(out, "{}", lines_of(&serde_json::to_string_pretty(value)?))?;
        }
        if let Some(Materialised { folder, version, objects }) = &self.store {
            let objects = count(objects.len() as u64, "object");
            let folder = path_shown(folder);
            let version = one_line(version);
            writeln!(out, "store of version {version} with {objects} in {folder}")?;
        }
        if let Some(Recomputed { steps, same, not_recomputable }) = &self.recomputed {
            let again = count(steps - not_recomputable, "step");
            writeln!(out, "{again} run again, {same} with the result recorded")?;
        }
        Ok(())
    }
}
