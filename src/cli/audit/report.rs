//! `audit report`: the ledger as one page that verifies itself.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use ledger_format::hash::{LedgerId, NodeHash};
use serde::Serialize;

use super::super::context::Context;
use super::super::new_file::NewFile;
use super::super::output::{Answer, Done};
use super::super::terminal::{Paint, path_shown};
use super::super::words::count;
use super::super::{documents, failure};
use crate::diagnostic::{Failure, OBJECT_MISSING};
use crate::evidence::{ReportError, Reported, report};
use crate::objects::PackObjects;

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// The page to write; nothing is ever written over
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Serialize)]
pub(in super::super) struct Written {
    ledger: LedgerId,
    file: PathBuf,
    events: u64,
    /// Root over all of them.
    root: NodeHash,
    /// Lists of losses and contracts in it.
    objects: u64,
    /// Those that are only named.
    left_out: u64,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Written>, Failure> {
    let file = arguments.output.as_path();
    documents::must_lie_outside(file, context)?;
    let output = NewFile::absent(file)?;
    let ledger = context.open()?;
    let packs = PackObjects::open_read_only(&ledger.objects_dir())?;
    let head = *ledger.head().head();
    let reported = output.make(0o600, |out| {
        let written =
            report(ledger.id(), ledger.batches(0..head.size), &packs, &mut BufWriter::new(out));
        written.map_err(|error| told(error, file))
    })?;
    let Reported { events, objects, left_out, missing } = reported;
    let left_out = left_out + missing.len() as u64;
    let written = Written {
        ledger: head.ledger,
        file: file.to_owned(),
        events,
        root: head.root,
        objects,
        left_out,
    };
    let done = Done::new(written)
        .note("the reader compares it with the head, which should not come from whoever brings the page")
        .next(&["audit", "exceptions"]);
    Ok(match missing.first() {
        Some(name) => {
            let told =
                format!("{} not kept, the first is {name}", count(missing.len() as u64, "object"));
            let failure = Failure::new(&OBJECT_MISSING, told).next(["verify-chain", "--objects"]);
            done.found(failure.not_done("the page tells without them"))
        }
        None => done,
    })
}

fn told(error: ReportError, file: &Path) -> Failure {
    match error {
        ReportError::Write(error) => failure::io(file)(error),
        error => error.into(),
    }
}

impl Answer for Written {
    fn write(&self, out: &mut dyn Write, _: Paint) -> io::Result<()> {
        let Self { file, events, root, .. } = self;
        writeln!(out, "{} in {}", count(*events, "event"), path_shown(file))?;
        writeln!(out, "head to compare it with  {events}:{root}")
    }
}
