//! `proof inclusion`, and `proof verify` of what it wrote: that an event is in the ledger, for people who do not have that.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use ed25519_dalek::VerifyingKey;
use ledger_format::event::Event;
use ledger_format::hash::{EventId, KeyId, LedgerId, NodeHash};
use ledger_format::proof::{InclusionProof, PROOF_BYTES_MAX};
use serde::Serialize;

use super::context::Context;
use super::failure;
use super::new_file::NewFile;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line, path_shown};
use super::words::summary;
use crate::diagnostic::{CURSOR_UNKNOWN, Failure, PROOF_INVALID, SIGNATURE_BAD, SIGNER_NOT_NAMED};
use crate::evidence::inclusion;
use crate::ledger::Cursor;

/// What the first line of such a proof begins with.
const BEGINNING: &[u8] = b"c2sp.org/tlog-proof@";

#[derive(Debug, Args)]
pub(super) struct Inclusion {
    /// The last event that this cursor covers
    #[arg(value_name = "CURSOR")]
    event: Cursor,
    /// Write the proof to this file; an earlier proof that nobody changed gives way
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// That an event is in the tree of a head.
#[derive(Serialize)]
pub(super) struct Included {
    seq: u64,
    event: EventId,
    kind: &'static str,
    summary: String,
    ledger: LedgerId,
    /// Of the head.
    size: u64,
    root: NodeHash,
    signer: KeyId,
    /// The proof as its file has it.
    proof: String,
    /// Whether the head was signed by the key that was named; none where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by_named: Option<bool>,
    #[serde(skip)]
    role: Role,
}

/// What an answer is of.
enum Role {
    /// The proof itself goes to stdout.
    Made,
    Written(PathBuf),
    Verified,
}

pub(super) fn include(arguments: &Inclusion, context: &Context) -> Result<Done<Included>, Failure> {
    let file = arguments.output.as_deref();
    if let Some(file) = file {
        context.must_lie_outside(file)?;
    }
    let file = file.map(|file| NewFile::at(file, is_proof)).transpose()?;
    let ledger = context.open()?;
    let covered = ledger.resolve(&arguments.event)?;
    let nothing = || Failure::new(&CURSOR_UNKNOWN, "there is no event before the first");
    let seq = covered.checked_sub(1).ok_or_else(nothing)?;
    let head = context.head_to_prove_under(&ledger, covered)?;
    let proof = inclusion(&ledger, &head, seq)?;
    let role = match (&file, &arguments.output) {
        (Some(file), Some(path)) => {
            file.make(0o644, |out| out.write_all(&proof.encode()).map_err(failure::io(path)))?;
            Role::Written(path.clone())
        }
        _ => Role::Made,
    };
    Ok(Done::new(Included { role, ..Included::of(&proof)? }))
}

/// Whether a file begins as a proof about an event does.
pub(super) fn is_one(path: &Path) -> bool {
    let mut beginning = [0; BEGINNING.len()];
    File::open(path).is_ok_and(|mut file| file.read_exact(&mut beginning).is_ok())
        && beginning == BEGINNING
}

fn is_proof(bytes: &[u8]) -> bool {
    InclusionProof::parse(bytes).is_ok()
}

/// Whether a proof leads from its event to a head that one of `signers` signed.
pub(super) fn verify(
    path: &Path,
    signers: &[VerifyingKey],
    context: &Context,
) -> Result<Done<Included>, Failure> {
    let place = path.display().to_string();
    let refused = |told: String| {
        Failure::new(&PROOF_INVALID, told)
            .at(&place)
            .not_done("the event was not found to be in it")
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failure::io(path))?;
    file.take(PROOF_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failure::io(path))?;
    let proof = InclusionProof::parse(&bytes).map_err(|error| refused(error.to_string()))?;
    let included = Included { role: Role::Verified, ..Included::of(&proof)? };
    proof.leads_from(included.event).map_err(|error| refused(error.to_string()))?;
    let held = context.held_against(&proof.head, None)?.into_iter();
    let held = held.map(|failure| failure.at(&place).not_done("the head is not to be believed"));
    let signed = signers.iter().map(|key| proof.head.verify(key));
    let Some(signed) = signed.reduce(Result::or) else {
        let told =
            format!("whose key {} is was not compared with anything", included.signer.short());
        let failure = Failure::new(&SIGNER_NOT_NAMED, told).at(&place);
        let done = held.fold(Done::new(included), Done::found);
        return Ok(done.found(failure.not_done("the signature was not looked at")));
    };
    let done = Done::new(Included { signed_by_named: Some(signed.is_ok()), ..included });
    let done = held.fold(done, Done::found);
    Ok(match signed {
        Ok(()) => done,
        Err(error) => done.found(
            Failure::new(&SIGNATURE_BAD, error.to_string())
                .at(place)
                .not_done("the head is not to be believed"),
        ),
    })
}

impl Included {
    /// What a proof says; refused where the event that it brings along is not the one that it is about.
    fn of(proof: &InclusionProof) -> Result<Self, Failure> {
        let refused = |told: String| Failure::new(&PROOF_INVALID, told);
        let bytes = proof.extra.as_ref();
        let bytes = bytes.ok_or_else(|| refused("it does not bring its event along".to_owned()))?;
        let event = Event::decode(bytes).map_err(|error| refused(error.to_string()))?;
        let head = proof.head.head();
        if event.seq != proof.index || event.ledger != head.ledger {
            let told = "the event that it brings along is another one than it is about";
            return Err(refused(told.to_owned()));
        }
        Ok(Self {
            seq: event.seq,
            event: EventId::of(bytes),
            kind: event.body.kind(),
            summary: summary(&event.body),
            ledger: head.ledger,
            size: head.size,
            root: head.root,
            signer: proof.head.signer(),
            proof: String::from_utf8_lossy(&proof.encode()).into_owned(),
            signed_by_named: None,
            role: Role::Made,
        })
    }
}

impl Answer for Included {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        if let Role::Made = self.role {
            return out.write_all(self.proof.as_bytes());
        }
        let told = format!("event {} of ledger {}", self.seq, self.ledger.short());
        writeln!(out, "{}", paint.strong(told))?;
        writeln!(out, "  event   {}  {}  {}", self.event, self.kind, one_line(&self.summary))?;
        writeln!(out, "  head    over {} events, root {}", self.size, self.root)?;
        let signed = match self.signed_by_named {
            Some(true) => "signed by the key that was named",
            Some(false) => "not signed by the key that was named",
            None => "says to be signed by",
        };
        writeln!(out, "  signer  {signed}: {}", self.signer)?;
        match &self.role {
            Role::Written(path) => {
                writeln!(out, "written to {}", path_shown(path))
            }
            _ => Ok(()),
        }
    }
}
