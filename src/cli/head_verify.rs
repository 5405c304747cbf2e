//! `head verify`: whether a published folder is what its head says, for whoever has only that.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use ledger_format::hash::{KeyId, LedgerId, NodeHash};
use ledger_format::head::SignedHead;
use serde::Serialize;

use super::context::Context;
use super::output::{Answer, Done};
use super::terminal::{Paint, plain};
use super::verify_chain::read_head;
use super::words::count;
use crate::diagnostic::{
    COMPLETENESS_NOT_PROVEN, Failure, LEDGER_DIVERGED, LEDGER_FOREIGN, LEDGER_REGRESSED,
};
use crate::evidence::{self, verify_published};

/// What a folder that does not hold up is not.
const NOT_BELIEVED: &str = "the folder is not to be believed";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder that was published, as it was fetched; `--ledger` with the ledger's id says whose it is to be
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// A head known from elsewhere (a file)
    #[arg(long, value_name = "HEAD")]
    trust: Option<PathBuf>,
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
    let Arguments { dir, trust } = arguments;
    let expected = context.ledger_named()?;
    let trust = trust.as_deref().map(read_head).transpose()?;
    let at = trust.as_ref().map(|head| head.head().size);
    let found = verify_published(dir, expected, at)
        .map_err(|error| Failure::from(error).not_done(NOT_BELIEVED))?;
    let complete_to = trust.map(|trust| complete_to(&trust, &found)).transpose();
    let complete_to = complete_to
        .map_err(|failure| failure.at(dir.display().to_string()).not_done(NOT_BELIEVED))?;
    let head = found.head.head();
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
        (Some(_), None) => "internally consistent; completeness not proven",
        (None, None) => "internally consistent; whose ledger it is was not compared with anything",
    };
    let failure = Failure::new(&COMPLETENESS_NOT_PROVEN, told).at(dir.display().to_string());
    Ok(done.found(failure.not_done("nothing was compared with a head from elsewhere")))
}

/// The size up to which a head that is known from elsewhere shows the folder to be whole.
fn complete_to(trust: &SignedHead, found: &evidence::Published) -> Result<u64, Failure> {
    let (known, there) = (trust.head(), found.head.head());
    if known.ledger != there.ledger {
        let told = format!("the trusted head is of ledger {}", known.ledger);
        return Err(Failure::new(&LEDGER_FOREIGN, told));
    }
    match found.root_at {
        Some(root) if root == known.root => Ok(known.size),
        Some(root) => {
            let told = format!(
                "the first {} events have root {root}, the trusted head says {}",
                known.size, known.root
            );
            Err(Failure::new(&LEDGER_DIVERGED, told))
        }
        None => {
            let told = format!(
                "it ends after {} events, the trusted head covers {}",
                there.size, known.size
            );
            Err(Failure::new(&LEDGER_REGRESSED, told))
        }
    }
}

impl Answer for Verified {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Self { ledger, size, root, signer, dir, .. } = self;
        let dir = plain(&dir.display().to_string());
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
