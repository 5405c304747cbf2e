//! `audit bundle`: all the evidence in one archive.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use ledger_format::hash::{LedgerId, NodeHash};
use serde::Serialize;

use super::super::context::{Context, with_cosignatures};
use super::super::documents;
use super::super::new_file::NewFile;
use super::super::output::{Answer, Done};
use super::super::terminal::{Paint, path_shown};
use super::super::words::count;
use crate::diagnostic::{Failure, OBJECT_MISSING};
use crate::effects::Signer;
use crate::objects::PackObjects;
use crate::package::{Packaged, package};

#[derive(Debug, Args)]
pub(in super::super) struct Arguments {
    /// The archive to write; nothing is ever written over
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Sign the certificate of each committed run with your key too, so that each can be given away alone
    #[arg(long)]
    certify: bool,
}

#[derive(Serialize)]
pub(in super::super) struct Written {
    ledger: LedgerId,
    file: PathBuf,
    events: u64,
    /// Root over all of them.
    root: NodeHash,
    /// Runs with certificate and proof.
    runs: u64,
    has_report: bool,
    files: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Written>, Failure> {
    let file = arguments.output.as_path();
    documents::must_lie_outside(file, context)?;
    let output = NewFile::absent(file)?;
    let signer = arguments.certify.then(|| context.signer()).transpose()?;
    let signer = signer.as_ref().map(|key| key as &dyn Signer);
    let ledger = context.open()?;
    let packs = PackObjects::open_read_only(&ledger.objects_dir())?;
    let head = *ledger.head().head();
    let signed = with_cosignatures(ledger.head())?;
    let packaged = output
        .make(0o600, |out| Ok(package(&ledger, &signed, signer, &packs, BufWriter::new(out))?))?;
    let Packaged { events, runs, has_report, files, missing } = packaged;
    let (ledger, root, file) = (head.ledger, head.root, file.to_owned());
    let done = Done::new(Written { ledger, file, events, root, runs, has_report, files })
        .note("the reader compares it with the head, which should not come from whoever brings the archive");
    Ok(match missing.first() {
        Some(name) => {
            let told =
                format!("{} not kept, the first is {name}", count(missing.len() as u64, "object"));
            let failure = Failure::new(&OBJECT_MISSING, told).next(["verify-chain", "--objects"]);
            done.found(failure.not_done("the report in it tells without them"))
        }
        None => done,
    })
}

impl Answer for Written {
    fn write(&self, out: &mut dyn Write, _: Paint) -> io::Result<()> {
        let Self { file, events, root, runs, .. } = self;
        let file = path_shown(file);
        writeln!(out, "{}, {} in {file}", count(*events, "event"), count(*runs, "run"))?;
        self.files.iter().try_for_each(|file| writeln!(out, "  {file}"))?;
        writeln!(out, "head to compare it with  {events}:{root}")
    }
}
