//! `head publish`: a folder that any web host serves and clients of tiled logs read.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use ledger_format::hash::{KeyId, LedgerId, NodeHash};
use ledger_format::head::actor_name;
use ledger_format::note::verifier_key;
use serde::Serialize;

use super::context::{Context, with_cosignatures};
use super::output::{Answer, Done};
use super::terminal::{Paint, path_shown};
use super::words::count;
use crate::diagnostic::{Failure, INTERNAL};
use crate::effects::Signer;
use crate::evidence::{Mended, Publication, publish};
use crate::ledger::Ledger;
use crate::trust::load_key;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder: new, empty, or one that the ledger was published to before
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// A private key that may publish, to sign the head under the ledger's name too
    #[arg(long, value_name = "FILE")]
    log_key: Option<PathBuf>,
}

/// A folder that was brought up to date.
#[derive(Serialize)]
pub(super) struct Published {
    ledger: LedgerId,
    size: u64,
    root: NodeHash,
    signer: KeyId,
    /// Events that were published before.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
    /// Files written.
    written: u64,
    /// Those among them that were there before and were missing or changed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    mended: Option<PutRight>,
    /// Keys as clients are told them.
    verifier_keys: Vec<String>,
    #[serde(skip)]
    dir: PathBuf,
}

/// Files that were put right.
#[derive(Serialize)]
struct PutRight {
    files: u64,
    /// The first of them.
    named: Vec<String>,
}

impl PutRight {
    fn of(mended: &Mended) -> Option<Self> {
        let Mended { files, named } = mended.clone();
        (files > 0).then_some(Self { files, named })
    }
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Published>, Failure> {
    let Arguments { dir, log_key } = arguments;
    context.must_lie_outside(dir)?;
    let log_key = log_key.as_deref().map(load_key).transpose()?;
    let log_key = log_key.as_ref().map(|key| key as &dyn Signer);
    let ledger = context.open()?;
    let publication = publish(&ledger, dir, log_key, Some(&with_cosignatures(ledger.head())?))?;
    let published = Published::of(&publication, &ledger, log_key, dir.clone())?;
    let done = Done::new(published);
    Ok(if publication.head.is_published() {
        done
    } else {
        done.note("the head has no signature under the ledger's own name, by which some clients look for it: --log-key")
    })
}

impl Published {
    fn of(
        publication: &Publication,
        ledger: &Ledger,
        log_key: Option<&dyn Signer>,
        dir: PathBuf,
    ) -> Result<Self, Failure> {
        let (head, signer) = (publication.head.head(), publication.head.signer());
        let unknown = || Failure::new(&INTERNAL, "the head's signer is not in the ledger");
        let known = ledger.state().keys().known(&signer).ok_or_else(unknown)?;
        let key = ledger_format::body::usable_key(&known.public_key.0).ok_or_else(unknown)?;
        let mut verifier_keys = vec![verifier_key(&actor_name(&signer), &key)];
        verifier_keys.extend(log_key.map(|key| verifier_key(&head.origin(), &key.public_key())));
        Ok(Self {
            ledger: head.ledger,
            size: head.size,
            root: head.root,
            signer,
            before: publication.before,
            written: publication.written,
            mended: PutRight::of(&publication.mended),
            verifier_keys,
            dir,
        })
    }
}

impl Answer for Published {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Self { size, root, before, written, mended, dir, .. } = self;
        let dir = path_shown(dir);
        let told = match before {
            Some(before) if before == size => format!("{dir} has all {}", count(*size, "event")),
            Some(before) => format!("{dir} has {}, {before} before", count(*size, "event")),
            None => format!("{dir} has {}", count(*size, "event")),
        };
        writeln!(out, "{}", paint.strong(told))?;
        writeln!(out, "  root   {root}")?;
        writeln!(out, "  wrote  {}", count(*written, "file"))?;
        if let Some(PutRight { files, named }) = mended {
            let more = files.saturating_sub(named.len() as u64);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let files = count(*files, "file");
            let named = named.join(", ");
            writeln!(out, "  mended {files} that had gone missing or been changed: {named}{more}")?;
        }
        self.verifier_keys.iter().try_for_each(|key| writeln!(out, "  key    {key}"))
    }
}
