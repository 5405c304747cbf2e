//! `head`: the signed head of the ledger, to be kept elsewhere; and what is remembered of the ledger outside of it. Publishing it, with
//! the tree and the events, stands next door.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use ledger_format::hash::{KeyId, LedgerId, NodeHash};
use ledger_format::head::SignedHead;
use serde::Serialize;

use super::context::{self, Context};
use super::failure;
use super::head_publish::{self, Published};
use super::head_verify::{self, Verified};
use super::head_witness::{self, Witnessed};
use super::new_file::NewFile;
use super::output::{Answer, Done};
use super::terminal::{Paint, lines_of, one_line, path_shown};
use super::words::count;
use crate::diagnostic::{CURSOR_UNKNOWN, Failure, NOTHING_HERE, USAGE};
use crate::ledger::{Cursor, Ledger, Prefix, Provenance, notes};
use crate::trust::{Forgotten, Home};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Print the newest signed head, to be kept where nobody reaches it who reaches the ledger.
    Show(Show),
    /// Remember the ledger as one that contains a head you know from elsewhere.
    Pin(Pin),
    /// Bring a folder up to the newest head: the head, the tree in tiles and the events, for any web host to serve.
    Publish(head_publish::Arguments),
    /// Have witnesses cosign the newest head, each of which does only if it continues all they saw before; and keep what they signed.
    Witness(head_witness::Arguments),
    /// Check such a folder, without the ledger; `--trust` and `--expect` name a head from elsewhere.
    Verify(head_verify::Arguments),
    /// Forget what is remembered of a ledger. What you lose is evidence.
    Forget(Forget),
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The head over the last event that this cursor covers, instead of the newest
    #[arg(long, value_name = "CURSOR")]
    at: Option<Cursor>,
    /// Write the head to this file; nothing is ever written over
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Pin {
    /// A file with the head that you know; or say it with --expect SIZE:ROOT
    head: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Forget {
    /// The ledger's id, all of it: there is no way back
    #[arg(value_name = "LEDGER_ID")]
    id: LedgerId,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answered {
    Shown(Shown),
    Pinned(Shown),
    Forgotten(Gone),
    Published(Published),
    Verified(Verified),
    Witnessed(Witnessed),
}

/// A head, and how the ledger is known here.
#[derive(Serialize)]
pub(super) struct Shown {
    ledger: LedgerId,
    size: u64,
    root: NodeHash,
    signer: KeyId,
    /// As it was signed.
    note: String,
    provenance: &'static str,
    /// With so many events it is known to be complete; null where that is not known of any number.
    complete: Option<u64>,
    /// The file that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

/// What is not remembered any more.
#[derive(Serialize)]
pub(super) struct Gone {
    ledger: LedgerId,
    provenance: Option<&'static str>,
    note: Option<String>,
    places: Vec<String>,
    /// Heads of it that witnesses cosigned and that were kept.
    cosigned: usize,
}

pub(super) fn run(verb: &Verb, context: &Context) -> Result<Done<Answered>, Failure> {
    match verb {
        Verb::Show(show) => show.run(context),
        Verb::Pin(pin) => pin.run(context),
        Verb::Publish(publish) => Ok(head_publish::run(publish, context)?.map(Answered::Published)),
        Verb::Witness(witness) => Ok(head_witness::run(witness, context)?.map(Answered::Witnessed)),
        Verb::Verify(verify) => Ok(head_verify::run(verify, context)?.map(Answered::Verified)),
        Verb::Forget(forget) => forget.run(),
    }
}

impl Show {
    fn run(&self, context: &Context) -> Result<Done<Answered>, Failure> {
        if let Some(path) = &self.output {
            context.must_lie_outside(path)?;
        }
        let file = self.output.as_deref().map(NewFile::absent).transpose()?;
        let ledger = context.open()?;
        let head = match &self.at {
            None => ledger.head().clone(),
            Some(cursor) => {
                let covered = ledger.resolve(cursor)?;
                let nothing =
                    || Failure::new(&CURSOR_UNKNOWN, "there is no event before the first");
                ledger.head_over(covered.checked_sub(1).ok_or_else(nothing)?)?
            }
        };
        let head = context::with_cosignatures(&head)?;
        if let (Some(file), Some(path)) = (file, &self.output) {
            file.make(0o644, |out| out.write_all(&head.encode()).map_err(failure::io(path)))?;
        }
        let shown = Shown::of(&ledger, &head, self.output.clone());
        let told = format!("size:root  {}:{}", shown.size, shown.root);
        let known = match ledger.provenance() {
            Provenance::OwnAppend(Prefix { size, .. }) => {
                format!("known here from its beginning up to {} (own-append)", count(size, "event"))
            }
            Provenance::Explicit(Prefix { size, .. }) => {
                format!("known from elsewhere up to {} (explicit)", count(size, "event"))
            }
            Provenance::FirstUse => "remembered as it was found here (first-use)".to_owned(),
        };
        Ok(Done::new(Answered::Shown(shown)).note(told).note(known))
    }
}

impl Pin {
    fn run(&self, context: &Context) -> Result<Done<Answered>, Failure> {
        let mut ledger = match &self.head {
            Some(_) if context.trusts_a_head() => {
                let told = "two files with a head are named: one as HEAD, one with --trust";
                return Err(Failure::new(&USAGE, told).not_done("nothing was remembered"));
            }
            Some(head) => {
                context.trusting(head).open().map_err(|failure| failure.judging_with(head))?
            }
            None if context.names_a_head() => context.open()?,
            None => {
                let told = "name a head that you know from elsewhere: a file with it, or --expect SIZE:ROOT";
                return Err(Failure::new(&USAGE, told).not_done("nothing was remembered"));
            }
        };
        ledger.pin()?;
        let newest = ledger.head().clone();
        Ok(Done::new(Answered::Pinned(Shown::of(&ledger, &newest, None))).next(&["verify-chain"]))
    }
}

impl Forget {
    fn run(&self) -> Result<Done<Answered>, Failure> {
        let (ledger, home) = (self.id, Home::from_environment()?);
        let Forgotten { pin, places } = context::pins()?.forget(&ledger)?;
        let verified = home.verified(&ledger);
        match fs::remove_file(&verified) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failure::io(&verified)(error));
            }
            _ => {}
        }
        let cosigned = context::cosigned_heads()?.forget(&ledger)?;
        if pin.is_none() && places.is_empty() && cosigned == 0 {
            let told = format!("nothing is remembered of ledger {ledger}");
            return Err(Failure::new(&NOTHING_HERE, told).at(home.pins().display().to_string()));
        }
        let provenance = pin.as_ref().map(|pin| pin.provenance.word());
        let note = notes(pin.as_ref().map(|pin| &pin.head)).pop();
        Ok(Done::new(Answered::Forgotten(Gone { ledger, provenance, note, places, cosigned })))
    }
}

impl Shown {
    fn of(ledger: &Ledger, head: &SignedHead, file: Option<PathBuf>) -> Self {
        Self {
            ledger: ledger.id(),
            size: head.head().size,
            root: head.head().root,
            signer: head.signer(),
            note: String::from_utf8_lossy(&head.encode()).into_owned(),
            provenance: ledger.provenance().word(),
            complete: ledger.provenance().complete().map(|complete| complete.size),
            file,
        }
    }
}

impl Answer for Answered {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Shown(shown) => match &shown.file {
                None => write!(out, "{}", lines_of(&shown.note)),
                Some(file) => writeln!(out, "written to {}", path_shown(file)),
            },
            Self::Pinned(pinned) => {
                let complete = count(pinned.complete.unwrap_or_default(), "event");
                let told = format!("remembered as complete up to {complete}");
                writeln!(out, "{}", paint.strong(told))?;
                writeln!(out, "  ledger  {}", pinned.ledger)?;
                writeln!(out, "  known   {}", pinned.provenance)?;
                writeln!(out, "  seen    {}, root {}", count(pinned.size, "event"), pinned.root)
            }
            Self::Published(published) => published.write(out, paint),
            Self::Verified(verified) => verified.write(out, paint),
            Self::Witnessed(witnessed) => witnessed.write(out, paint),
            Self::Forgotten(gone) => {
                writeln!(out, "{}", paint.strong(format_args!("forgot ledger {}", gone.ledger)))?;
                for place in &gone.places {
                    writeln!(out, "  it lay in {}", one_line(place))?;
                }
                match (&gone.provenance, &gone.note) {
                    (Some(provenance), Some(note)) => {
                        writeln!(out, "  its head ({provenance}), for whoever wants to keep it:")?;
                        write!(out, "\n{}", lines_of(note))
                    }
                    _ => writeln!(out, "  no head of it was remembered"),
                }
            }
        }
    }
}
