//! `proof consistency`, and `proof verify` of what it wrote: that one state of a ledger is the beginning of another, for people who do
//! not have the ledger.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use ed25519_dalek::VerifyingKey;
use ledger_format::consistency::{
    CONSISTENCY_BYTES_MAX, CONSISTENCY_FIRST_LINE, ConsistencyError, ConsistencyProof,
};
use ledger_format::hash::{KeyId, LedgerId};
use ledger_format::head::SignedHead;
use serde::Serialize;

use super::context::{Context, with_cosignatures};
use super::failure;
use super::new_file::NewFile;
use super::output::{Answer, Done};
use super::terminal::{Paint, path_shown};
use crate::diagnostic::{CURSOR_UNKNOWN, Failure, PROOF_INVALID, SIGNATURE_BAD, SIGNER_NOT_NAMED};
use crate::evidence::{Consistency, consistency};
use crate::ledger::{Cursor, Ledger};

/// What a proof that does not hold up does not show.
const NOT_SHOWN: &str = "that one state of the ledger continues the other is not shown";

#[derive(Debug, Args)]
pub(super) struct Between {
    /// The earlier state of the ledger
    #[arg(value_name = "EARLIER")]
    old: Cursor,
    /// The later one
    #[arg(value_name = "LATER", default_value = "@")]
    new: Cursor,
    /// Write the proof to this file, between the signed heads that close the batches of the two; an earlier proof that nobody
    /// changed gives way
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Serialize)]
pub(super) struct Consistent {
    #[serde(flatten)]
    proof: Consistency,
    #[serde(flatten)]
    signed: Option<Heads>,
    #[serde(skip)]
    file: Option<PathBuf>,
}

/// The heads of a proof in a file.
#[derive(Serialize)]
struct Heads {
    ledger: LedgerId,
    old_signer: KeyId,
    new_signer: KeyId,
    /// The proof as its file has it.
    proof: String,
    /// Whether both heads were signed by keys that were named; none where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by_named: Option<bool>,
}

pub(super) fn connect(arguments: &Between, context: &Context) -> Result<Done<Consistent>, Failure> {
    let Some(path) = &arguments.output else {
        let ledger = context.open()?;
        let (old, new) = (ledger.resolve(&arguments.old)?, ledger.resolve(&arguments.new)?);
        let proof = consistency(&ledger, old, new)?;
        return Ok(Done::new(Consistent { proof, signed: None, file: None }));
    };
    context.must_lie_outside(path)?;
    let file = NewFile::at(path, |bytes| ConsistencyProof::parse(bytes).is_ok())?;
    let ledger = context.open()?;
    let (old, new) = (head_at(&ledger, &arguments.old)?, head_at(&ledger, &arguments.new)?);
    let found = consistency(&ledger, old.head().size, new.head().size)?;
    let proof = ConsistencyProof { nodes: found.nodes, old, new };
    file.make(0o644, |out| out.write_all(&proof.encode()).map_err(failure::io(path)))?;
    Ok(Done::new(Consistent { file: Some(path.clone()), ..Consistent::of(&proof) }))
}

/// The head that closes the batch of the last event which `cursor` covers.
fn head_at(ledger: &Ledger, cursor: &Cursor) -> Result<SignedHead, Failure> {
    let covered = ledger.resolve(cursor)?;
    let nothing = || Failure::new(&CURSOR_UNKNOWN, "there is no event before the first");
    with_cosignatures(&ledger.head_over(covered.checked_sub(1).ok_or_else(nothing)?)?)
}

/// Whether a file begins as such a proof does.
pub(super) fn is_one(path: &Path) -> bool {
    let kind = CONSISTENCY_FIRST_LINE.split_inclusive('@').next().unwrap_or_default();
    let mut beginning = vec![0; kind.len()];
    File::open(path).is_ok_and(|mut file| file.read_exact(&mut beginning).is_ok())
        && beginning == kind.as_bytes()
}

/// Whether a proof leads from one head to another, each signed by one of `signers`.
pub(super) fn verify(
    path: &Path,
    signers: &[VerifyingKey],
    context: &Context,
) -> Result<Done<Consistent>, Failure> {
    let place = path.display().to_string();
    let refused = |error: ConsistencyError| {
        Failure::new(&PROOF_INVALID, error.to_string()).at(&place).not_done(NOT_SHOWN)
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failure::io(path))?;
    let mut file = file.take(CONSISTENCY_BYTES_MAX as u64 + 1);
    file.read_to_end(&mut bytes).map_err(failure::io(path))?;
    let proof = ConsistencyProof::parse(&bytes).map_err(refused)?;
    proof.leads().map_err(refused)?;
    let by_named = |head: &&SignedHead| signers.iter().any(|key| head.verify(key).is_ok());
    let unsigned = [&proof.old, &proof.new].into_iter().find(|head| !by_named(head));
    let mut consistent = Consistent::of(&proof);
    if let Some(signed) = consistent.signed.as_mut().filter(|_| !signers.is_empty()) {
        signed.signed_by_named = Some(unsigned.is_none());
    }
    let done = Done::new(consistent);
    let done = held(&proof, context)?
        .into_iter()
        .map(|failure| failure.at(&place).not_done("the head is not to be believed"))
        .fold(done, Done::found);
    Ok(match unsigned {
        None => done,
        Some(_) if signers.is_empty() => {
            let told = "whose keys signed the heads was not compared with anything";
            let failure = Failure::new(&SIGNER_NOT_NAMED, told).at(&place);
            done.found(failure.not_done("the signatures were not looked at").next([
                "proof",
                "verify",
                &place,
                "--signer",
                "PUBLIC_KEY",
            ]))
        }
        Some(head) => {
            let (size, key) = (head.head().size, head.signer().short());
            let told = format!(
                "the head over {size} events is signed by none of the keys named; it says key {key}"
            );
            let failure = Failure::new(&SIGNATURE_BAD, told).at(&place);
            done.found(failure.not_done("the head is not to be believed"))
        }
    })
}

/// What the heads that the user named say of those of the proof: of the earlier one where they are over as many events.
fn held(proof: &ConsistencyProof, context: &Context) -> Result<Vec<Failure>, Failure> {
    let named = context.named_elsewhere()?;
    let sizes = |size: u64| named.iter().any(|known| known.size == size);
    let ConsistencyProof { old, new, .. } = proof;
    let of_old = sizes(old.head().size) && !sizes(new.head().size);
    context.held_against(if of_old { old } else { new }, None)
}

impl Consistent {
    fn of(proof: &ConsistencyProof) -> Self {
        let ConsistencyProof { nodes, old, new } = proof;
        Self {
            signed: Some(Heads {
                ledger: new.head().ledger,
                old_signer: old.signer(),
                new_signer: new.signer(),
                proof: String::from_utf8_lossy(&proof.encode()).into_owned(),
                signed_by_named: None,
            }),
            proof: Consistency {
                old: old.head().size,
                old_root: old.head().root,
                new: new.head().size,
                new_root: new.head().root,
                nodes: nodes.clone(),
            },
            file: None,
        }
    }
}

impl Answer for Consistent {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Consistency { old, old_root, new, new_root, nodes } = &self.proof;
        let told = format!("the first {old} events are the beginning of the first {new}");
        writeln!(out, "{}", paint.strong(told))?;
        writeln!(out, "  root of {old}  {old_root}")?;
        writeln!(out, "  root of {new}  {new_root}")?;
        let Some(signed) = &self.signed else {
            return nodes.iter().try_for_each(|node| writeln!(out, "  {node}"));
        };
        writeln!(out, "  ledger  {}", signed.ledger)?;
        let by = match signed.signed_by_named {
            Some(true) => "signed, as named, by",
            Some(false) => "not both signed by who was named, by their own word by",
            None => "signed, by their own word, by",
        };
        write!(out, "  heads   {by} {}", signed.old_signer)?;
        if signed.new_signer == signed.old_signer {
            writeln!(out)?;
        } else {
            writeln!(out, " and {}", signed.new_signer)?;
        }
        match &self.file {
            Some(file) => writeln!(out, "written to {}", path_shown(file)),
            None => Ok(()),
        }
    }
}
