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
use super::terminal::{Paint, plain};
use super::words::count;
use crate::diagnostic::Failure;
use crate::ledger::{Cursor, Ledger};
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
    Ok(Done::new(Replayed {
        ledger: ledger.id(),
        size,
        root: replayed.head().root,
        digest: replayed.state.digest(),
        digests: replayed.digests(),
        projection,
        store,
    }))
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
            writeln!(out, "{}", plain(&serde_json::to_string_pretty(value)?))?;
        }
        if let Some(Materialised { folder, version, objects }) = &self.store {
            let objects = count(objects.len() as u64, "object");
            writeln!(out, "store of version {version} with {objects} in {}", folder.display())?;
        }
        Ok(())
    }
}
