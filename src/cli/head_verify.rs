//! `head verify`: whether a published folder is what its head says, for whoever has only that.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use ledger_format::hash::{KeyId, LedgerId, NodeHash};
use serde::Serialize;

use super::context::Context;
use super::failure;
use super::output::{Answer, Done};
use super::terminal::{Paint, path_shown};
use super::words::count;
use crate::diagnostic::{
    COMPLETENESS_NOT_PROVEN, Failure, LEDGER_DIVERGED, LEDGER_FOREIGN, LEDGER_REGRESSED,
};
use crate::evidence::{self, verify_published};
use crate::ledger::{KnownBy, KnownHead};

/// What a folder that does not hold up is not.
const NOT_BELIEVED: &str = "the folder is not to be believed";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder that was published, as it was fetched; `--ledger` with the ledger's id says whose it is to be, `--trust` and `--expect`
    /// what is known of it from elsewhere
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// A folder that holds up.
#[derive(Serialize)]
pub(super) struct Verified {
    ledger: LedgerId,
    /// Whether the caller knew the ledger's id.
    ledger_known: bool,
    size: u64,
    root: NodeHash,
    signer: KeyId,
    /// The log key that signed the head too.
    #[serde(skip_serializing_if = "Option::is_none")]
    log_key: Option<KeyId>,
    /// Events up to which a head from elsewhere shows that all are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete_to: Option<u64>,
    #[serde(skip)]
    dir: PathBuf,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Verified>, Failure> {
    let dir = &arguments.dir;
    let place = dir.display().to_string();
    let expected = context.ledger_named()?;
    let known = context.named_elsewhere()?;
    let sizes: Vec<u64> = known.iter().map(|known| known.size).collect();
    let found = verify_published(dir, expected, &sizes)
        .map_err(|error| Failure::from(error).not_done(NOT_BELIEVED))?;
    for known in &known {
        contains(&found, known).map_err(|failure| failure.at(&place).not_done(NOT_BELIEVED))?;
    }
    let head = found.head.head();
    let counts = known.iter().filter(|known| known.by != KnownBy::Unwitnessed);
    let alone = context.endorsement_alone(&found.head)?;
    let seen = alone.as_ref().filter(|endorsed| endorsed.met).map(|_| head.size);
    let complete_to = counts.map(|known| known.size).chain(seen).max();
    let done = Done::new(Verified {
        ledger: head.ledger,
        ledger_known: expected.is_some(),
        size: head.size,
        root: head.root,
        signer: found.head.signer(),
        log_key: found.log_key,
        complete_to,
        dir: dir.clone(),
    });
    let told = match (expected, complete_to) {
        (_, Some(_)) => return Ok(done),
        _ if !known.is_empty() => {
            "too few of the witnesses that were asked for saw the trusted head"
        }
        (Some(_), None) => "internally consistent; completeness not proven",
        (None, None) => "internally consistent; whose ledger it is was not compared with anything",
    };
    let failure = Failure::new(&COMPLETENESS_NOT_PROVEN, told).at(place);
    let done = done.found(failure.not_done("nothing was compared with a head from elsewhere"));
    let unmet = alone.and_then(|endorsed| context.unmet(&endorsed));
    Ok(unmet.into_iter().fold(done, Done::found))
}

/// Whether the folder's history goes through a head that is known from elsewhere.
fn contains(found: &evidence::Published, known: &KnownHead) -> Result<(), Failure> {
    let there = found.head.head();
    let (by, size, root) = (known.by, known.size, known.root);
    let other = known.note.as_ref().map(|note| note.head().ledger);
    if let Some(other) = other.filter(|other| *other != there.ledger) {
        return Err(Failure::new(&LEDGER_FOREIGN, format!("{by} is of ledger {other}")));
    }
    match found.passed.iter().find(|passed| passed.size == size) {
        Some(passed) if passed.root == root => known
            .must_be_by(&passed.actor, &found.keys)
            .map_err(|unsigned| failure::of_known(by, size, &unsigned)),
        Some(passed) => {
            let there = passed.root;
            let told = format!("the first {size} events have root {there}, {by} says {root}");
            Err(Failure::new(&LEDGER_DIVERGED, told))
        }
        None => {
            let told = format!("it ends after {} events, {by} covers {size}", there.size);
            Err(Failure::new(&LEDGER_REGRESSED, told))
        }
    }
}

impl Answer for Verified {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Self { ledger, size, root, signer, dir, .. } = self;
        let dir = path_shown(dir);
        let told = format!("{dir} has {} of ledger {ledger}", count(*size, "event"));
        writeln!(out, "{}", paint.strong(told))?;
        writeln!(out, "  root      {root}")?;
        writeln!(out, "  signer    {signer}")?;
        if let Some(key) = &self.log_key {
            writeln!(out, "  log key   {key}")?;
        }
        match self.complete_to {
            Some(size) => writeln!(out, "  complete  up to {}", count(size, "event")),
            None => writeln!(out, "  complete  not proven"),
        }
    }
}
