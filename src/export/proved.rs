//! Whether a filtered export is one: each line proves its event, and all stand under one head, in order and none twice. Knows nothing of
//! the events that are not in it, and so not whether there are any.

use std::collections::BTreeMap;
use std::io::BufRead;

use ed25519_dalek::VerifyingKey;
use ledger_format::hash::{LedgerId, NodeHash};
use ledger_format::head::SignedHead;
use ledger_format::proved::{PROVED_LINE_BYTES_MAX, PROVED_SCHEMA, ProvedLine};

use super::read::{FAULTS_MAX, Texts};
use crate::ledger::{KnownHead, Unsigned};
use crate::verify::{Compared, Expectations, Fault, Observer, Stop, VerifyError};

/// How often whoever watches is told how far it is, in lines.
const TOLD_EVERY: u64 = 1_000;

/// Some events of a ledger, each proved to be in it.
#[derive(Debug, Default)]
pub struct Selection {
    /// The head that all of them are under. Of a selection that is not good, that of the first line that is.
    pub head: Option<SignedHead>,
    /// The public key whose signature the head carries; whose that is, is for whoever asks to know.
    pub signer: Option<[u8; 32]>,
    /// Number of events.
    pub events: u64,
    /// The first.
    pub first: Option<u64>,
    /// The last.
    pub last: Option<u64>,
    /// How many there are of each kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// What is wrong, each with its line.
    pub faults: Vec<Fault>,
    /// Every head that was known, and whether this one agrees with it: `None` where it is over another number of events.
    pub compared: Vec<Compared>,
    /// The head from elsewhere that this one is.
    pub known: Option<KnownHead>,
    /// Whether everything was read.
    pub heard_all: bool,
}

/// How such an export begins.
pub(super) fn beginning() -> String {
    format!("{{\"schema\":\"{PROVED_SCHEMA}\"")
}

pub(super) fn judge(
    reader: impl BufRead,
    expectations: &Expectations,
    keep_going: bool,
    observer: &mut dyn Observer,
) -> Result<Selection, VerifyError> {
    let mut texts = Texts::new(reader, PROVED_LINE_BYTES_MAX);
    let mut selection = Selection::default();
    let enough = if keep_going { FAULTS_MAX } else { 1 };
    while selection.faults.len() < enough {
        let line = match texts.next_text() {
            Ok(Some(text)) => ProvedLine::parse(&text).map_err(|error| texts.fault(error)),
            Ok(None) => {
                selection.heard_all = true;
                break;
            }
            Err(Stop::Fault(fault)) => Err(fault),
            Err(Stop::Error(error)) => return Err(error),
        };
        let number = texts.number();
        match line {
            Ok(line) => selection.take(&line, number, expectations),
            Err(fault) => selection.faults.push(fault),
        }
        if number.is_multiple_of(TOLD_EVERY) {
            observer.progress(selection.events, None);
        }
    }
    Ok(selection)
}

impl Selection {
    /// The ledger that it is of.
    #[must_use]
    pub fn ledger(&self) -> Option<LedgerId> {
        self.head.as_ref().map(|head| head.head().ledger)
    }

    /// The root of its head.
    #[must_use]
    pub fn root(&self) -> Option<NodeHash> {
        self.head.as_ref().map(|head| head.head().root)
    }

    fn take(&mut self, line: &ProvedLine, number: u64, expectations: &Expectations) {
        let seq = line.event.seq;
        let mut wrong = |reason: String| {
            self.faults.push(Fault::OutOfPlace { line: number, seq, reason });
        };
        match (&self.head, self.last) {
            (Some(head), _) if *head != line.head => {
                let size = line.head.head().size;
                return wrong(format!(
                    "stands under another head than the first line, over {size} events"
                ));
            }
            (_, Some(last)) if seq <= last => {
                return wrong(format!("stands behind event {last}: repeated, or not in order"));
            }
            (Some(_), _) => {}
            (None, _) => self.begin(line, expectations),
        }
        *self.kinds.entry(line.event.body.kind()).or_default() += 1;
        self.events += 1;
        self.first.get_or_insert(seq);
        self.last = Some(seq);
    }

    /// Looks at the head, which is that of all lines.
    fn begin(&mut self, line: &ProvedLine, expectations: &Expectations) {
        let (head, size) = (&line.head, line.head.head().size);
        let found = head.head().ledger;
        if let Some(expected) = expectations.ledger.filter(|expected| *expected != found) {
            self.faults.push(Fault::OtherLedger { expected, found });
        }
        let signed = signature(head, &line.signer);
        self.faults.extend(signed.err().map(|unsigned| Fault::Signature { size, unsigned }));
        for known in &expectations.named {
            let verdict = against(known, head, &line.signer);
            let agrees = verdict.as_ref().map_or(Some(false), |same| same.then_some(true));
            self.compared.push(Compared { by: known.by, size: known.size, agrees });
            match verdict {
                Err(fault) => self.faults.push(fault),
                Ok(true) if known.shows_completeness() => self.known = Some(known.clone()),
                Ok(_) => {}
            }
        }
        (self.head, self.signer) = (Some(head.clone()), Some(line.signer));
    }
}

/// Whether `known` is this head; false where it is over another number of events, which says nothing.
fn against(known: &KnownHead, head: &SignedHead, signer: &[u8; 32]) -> Result<bool, Fault> {
    let (by, size, stated) = (known.by, known.size, head.head());
    if let Some(named) = known.ledger().filter(|named| *named != stated.ledger) {
        return Err(Fault::OtherHead { by, named, found: stated.ledger });
    }
    if size != stated.size {
        return Ok(false);
    }
    if known.root != stated.root {
        let (known, other) = (Box::new(known.clone()), Some(Box::new(head.clone())));
        return Err(Fault::Diverged { known, actual: stated.root, other });
    }
    let unsigned = |unsigned| Fault::KnownSignature { by, size, unsigned };
    match &known.note {
        Some(note) if note.signer() != head.signer() => {
            Err(unsigned(Unsigned::Unknown(note.signer())))
        }
        Some(note) => signature(note, signer).map(|()| true).map_err(unsigned),
        None => Ok(true),
    }
}

fn signature(head: &SignedHead, key: &[u8; 32]) -> Result<(), Unsigned> {
    let key = VerifyingKey::from_bytes(key).map_err(|error| Unsigned::Bad(error.to_string()))?;
    head.verify(&key).map_err(|error| Unsigned::Bad(error.to_string()))
}
