//! Creating and opening: fold up to the newest head, and believe nothing that does not lead there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ed25519_dalek::VerifyingKey;
use ledger_format::body::Body;
use ledger_format::event::Event;
use ledger_format::hash::{EventId, KeyId, LedgerId, NodeHash};
use ledger_format::head::SignedHead;
use ledger_format::tree::Frontier;
use projections::{KeyRing, KnownKey, State};

use super::fold::{self, FoldError};
use super::{
    Begins, KnownBy, KnownHead, Ledger, Pin, PinError, Provenance, Surroundings, Unsigned, cache,
};
use crate::effects::Signer;
use crate::log::sled::{
    Identity, OpenError, OpenOptions, SledLog, copy_for_reading, read_anchor, read_identity,
};
use crate::log::{AppendError, Batch, Log, ReadLog};

/// A ledger that was not opened or created.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The log.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// Its events.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// Its events do not lead to the head that was signed over them.
    #[error(
        "the {size} stored events have the root {actual}, the head signed over them has {expected}: \
         history was changed after it was signed"
    )]
    Rewritten {
        /// Number of events.
        size: u64,
        /// The root of the signed head.
        expected: NodeHash,
        /// The root of the stored events.
        actual: NodeHash,
    },
    /// The newest head is not signed by a key that may sign.
    #[error("head {size}: {unsigned}")]
    Signature {
        /// Number of events the head covers.
        size: u64,
        /// What is wrong with its signature.
        unsigned: Unsigned,
    },
    /// It ends before a head that is known.
    #[error(
        "the ledger has {} events (root {}), {} is over {} (root {})",
        newest.head().size, newest.head().root, known.by, known.size, known.root
    )]
    Regressed {
        /// The head that is known.
        known: Box<KnownHead>,
        /// The newest head found.
        newest: Box<SignedHead>,
    },
    /// It contradicts a head that is known. Both heads are evidence.
    #[error(
        "the ledger's first {} events have the root {actual}, {} has {}",
        known.size, known.by, known.root
    )]
    Diverged {
        /// The head that is known.
        known: Box<KnownHead>,
        /// The root found at its size.
        actual: NodeHash,
        /// A head of what was found: the one over as many events if there is one, else the newest.
        other: Box<SignedHead>,
    },
    /// A head that it was to be held against is of another ledger.
    #[error("{by} is of ledger {named}, this is ledger {found}")]
    OtherHead {
        /// Who knows the head.
        by: KnownBy,
        /// The ledger it is of.
        named: LedgerId,
        /// This ledger.
        found: LedgerId,
    },
    /// A head that it was to be held against is not signed by a key of this ledger.
    #[error("{by}, over {size} events: {unsigned}")]
    KnownSignature {
        /// Who knows the head.
        by: KnownBy,
        /// Number of events it covers.
        size: u64,
        /// What is wrong.
        unsigned: Unsigned,
    },
    /// Another ledger, or none, where one was known to be.
    #[error("{place} held ledger {expected}, now it holds {}", found.map_or_else(|| "none".to_owned(), |id| id.to_string()))]
    Foreign {
        /// The folder.
        place: String,
        /// The ledger known there.
        expected: LedgerId,
        /// The ledger found.
        found: Option<LedgerId>,
    },
    /// What is remembered cannot be read or written.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The first batch, or what lies beyond the last acknowledged one, could not be made durable.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Events that were in the log beyond the last acknowledged head, complete and signed, and were taken
/// in on opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Number of events that were acknowledged.
    pub acknowledged: u64,
    /// Number of events now.
    pub size: u64,
}

impl Ledger {
    /// Creates a ledger in the folder `dir`, which must not be there yet, signed by `signer`. `nonce`
    /// makes its id unique. `place` is the folder under which it will be known.
    pub fn create(
        dir: &Path,
        place: &Path,
        signer: &dyn Signer,
        nonce: [u8; 16],
        surroundings: Surroundings,
    ) -> Result<Self, LedgerError> {
        Self::create_as(dir, place, signer, (nonce, Begins::default()), surroundings)
    }

    /// The same of a ledger whose first event says more. One that goes on from the ledger known at `place` may take that place.
    pub fn create_as(
        dir: &Path,
        place: &Path,
        signer: &dyn Signer,
        beginning: ([u8; 16], Begins),
        surroundings: Surroundings,
    ) -> Result<Self, LedgerError> {
        let options = options(&surroundings);
        create(dir, place, signer, beginning, surroundings, |identity, first, frontier| {
            Ok(Box::new(SledLog::init(dir, identity, first, frontier, &options)?))
        })
    }

    /// Creates a ledger on a log of the caller's own, which must be empty and of the ledger with the
    /// id `LedgerId::of(public key, nonce)`.
    ///
    /// `dir` is the folder of what belongs to a ledger beside its log: stored content, work copies,
    /// the state cache. Nothing is written there before it is needed. Who else may write to the log
    /// meanwhile, and how it finds its own beginning again, is for the log to know; `place` is the
    /// name under which the ledger will be known. All else is as in [`Ledger::create`].
    pub fn create_on(
        mut log: Box<dyn Log + Send>,
        dir: &Path,
        place: &Path,
        signer: &dyn Signer,
        nonce: [u8; 16],
        surroundings: Surroundings,
    ) -> Result<Self, LedgerError> {
        // Looked at before anything is remembered of a ledger that then is not made.
        if let Some(actual) = log.tip().map_err(FoldError::Read)? {
            let actual = Some(Box::new(actual));
            return Err(AppendError::HeadMoved { expected: 0, actual }.into());
        }
        let beginning = (nonce, Begins::default());
        create(dir, place, signer, beginning, surroundings, |_, first, frontier| {
            log.append(0, first, frontier)?;
            Ok(log)
        })
    }

    /// Opens the ledger in the folder `dir`, known under `place`.
    ///
    /// The events must fold, lead to the root of the newest head, carry a signature that was allowed,
    /// and continue the head that is remembered; then the newest head is remembered.
    pub fn open(dir: &Path, place: &Path, surroundings: Surroundings) -> Result<Self, LedgerError> {
        let identity = |dir: &Path| read_identity(dir).map(|identity| identity.ledger());
        let found = || if dir.exists() { identity(dir).map(Some) } else { Ok(None) };
        check_place(place, &surroundings, found)?;
        let known = known_heads(identity(dir)?, &surroundings)?;
        look_first(dir, &known, &options(&surroundings))?;
        let log = SledLog::open(dir, &options(&surroundings))?;
        judge(Box::new(log), dir, place, surroundings)
    }

    /// Opens the ledger on a log of the caller's own, with `dir` and `place` as in
    /// [`Ledger::create_on`]. Judges it as [`Ledger::open`] does.
    pub fn open_on(
        log: Box<dyn Log + Send>,
        dir: &Path,
        place: &Path,
        surroundings: Surroundings,
    ) -> Result<Self, LedgerError> {
        let found = || Ok(log.tip()?.map(|tip| tip.head.head().ledger));
        check_place(place, &surroundings, || found().map_err(FoldError::Read))?;
        judge(log, dir, place, surroundings)
    }
}

/// Makes the first event and has `write` make a log that holds it.
fn create(
    dir: &Path,
    place: &Path,
    signer: &dyn Signer,
    (nonce, begins): ([u8; 16], Begins),
    surroundings: Surroundings,
    write: impl FnOnce(&Identity, &Batch, &Frontier) -> Result<Box<dyn Log + Send>, LedgerError>,
) -> Result<Ledger, LedgerError> {
    let before = begins.continues.as_ref().map(|before| before.ledger);
    if let Some(expected) = surroundings.pins.ledger_at(place)?
        && before != Some(expected)
    {
        let place = place.display().to_string();
        return Err(LedgerError::Foreign { place, expected, found: None });
    }
    let public_key = *signer.public_key().as_bytes();
    let identity = Identity { public_key, nonce };
    let ledger = identity.ledger();
    let body = begins.body(public_key, nonce);
    let event = Event {
        at: surroundings.clock.now_ms(),
        seq: 0,
        body: Body::LedgerCreated(body),
        prev: EventId::GENESIS,
        actor: signer.key_id(),
        ledger,
    };
    let bytes = event.encode().map_err(|error| FoldError::Event { seq: 0, error })?;
    let mut state = State::new(ledger);
    fold::apply(&mut state, &super::recorded_event(bytes.clone(), event))?;
    let head =
        SignedHead::sign(state.chain().head(), &signer.public_key(), |text| signer.sign(text));
    let known = known_heads(ledger, &surroundings)?;
    known.iter().try_for_each(|known| reaches(&head, known))?;
    let root = state.chain().frontier().root();
    let passed = BTreeMap::from([
        (0, Passed { root: NodeHash::empty_root(), actor: None, head: None }),
        (1, Passed { root, actor: Some(head.signer()), head: Some(head.clone()) }),
    ]);
    // What a creation that failed left remembered is the head of no ledger; what the user names is meant.
    let named = known.iter().filter(|known| known.by != KnownBy::Pin);
    continues(named, &passed, &state, &head)?;
    let first = Batch { first_seq: 0, events: vec![bytes], head: head.clone() };
    // Remembered first: a head of a ledger that then is not made harms nobody, and one that is
    // made must not become known to its own creator by chance.
    let pin = Pin::own(head.clone());
    surroundings.pins.set(&pin)?;
    let log = write(&identity, &first, state.chain().frontier())?;
    surroundings.pins.set_ledger_at(place, &ledger)?;
    let dir = dir.to_owned();
    let provenance = pin.provenance;
    let (recovered, recorded_size) = (None, 0);
    Ok(Ledger { dir, log, state, head, surroundings, recovered, recorded_size, provenance })
}

/// Believes of an open log what leads to its newest head and continues what is remembered.
fn judge(
    mut log: Box<dyn Log + Send>,
    dir: &Path,
    place: &Path,
    surroundings: Surroundings,
) -> Result<Ledger, LedgerError> {
    let tip = log.tip().map_err(FoldError::Read)?;
    let tip = tip.ok_or(FoldError::Short { expected: 1, actual: 0 })?;
    let newest = *tip.head.head();
    let ledger = newest.ledger;
    let pin = surroundings.pins.get(&ledger)?;
    let known = known_heads(ledger, &surroundings)?;
    known.iter().try_for_each(|known| reaches(&tip.head, known))?;
    let sizes = known.iter().map(|known| known.size).collect();
    let Folded { state, signers, passed, recorded_size } =
        fold_to_head(&*log, dir, &tip.head, &sizes)?;
    let root = state.chain().frontier().root();
    if root != newest.root {
        let (size, expected) = (newest.size, newest.root);
        return Err(LedgerError::Rewritten { size, expected, actual: root });
    }
    verify_head(&tip.head, &signers)?;
    continues(&known, &passed, &state, &tip.head)?;
    let acknowledged = log.accept_tail()?;
    let recovered = acknowledged.map(|acknowledged| Recovered { acknowledged, size: newest.size });
    let provenance = pin.map_or(Provenance::FirstUse, |pin| pin.provenance);
    surroundings.pins.set(&Pin { head: tip.head.clone(), provenance })?;
    surroundings.pins.set_ledger_at(place, &ledger)?;
    let (dir, head) = (dir.to_owned(), tip.head);
    Ok(Ledger { dir, log, state, head, surroundings, recovered, recorded_size, provenance })
}

/// Refuses a place that is known to have held another ledger, or that held one and is now empty.
fn check_place<E>(
    place: &Path,
    surroundings: &Surroundings,
    found: impl FnOnce() -> Result<Option<LedgerId>, E>,
) -> Result<(), LedgerError>
where
    LedgerError: From<E>,
{
    let Some(expected) = surroundings.pins.ledger_at(place)? else { return Ok(()) };
    let found = found()?;
    if found == Some(expected) {
        return Ok(());
    }
    Err(LedgerError::Foreign { place: place.display().to_string(), expected, found })
}

/// Everything that the ledger is held against: what is remembered of it, and what the user named.
fn known_heads(
    ledger: LedgerId,
    surroundings: &Surroundings,
) -> Result<Vec<KnownHead>, LedgerError> {
    let pins = &surroundings.pins;
    let pin = pins.get(&ledger)?;
    let known = pin.iter().map(KnownHead::from).chain(pins.named().iter().cloned());
    known
        .map(|known| match known.ledger().filter(|named| *named != ledger) {
            None => Ok(known),
            Some(named) => Err(LedgerError::OtherHead { by: known.by, named, found: ledger }),
        })
        .collect()
}

/// Refuses, by a copy, a folder that acknowledges less than is known: the engine writes as it
/// opens, and what is an older ledger is evidence. One whose store goes on beyond its anchor as far as
/// is known has only lost the anchor.
fn look_first(dir: &Path, known: &[KnownHead], options: &OpenOptions) -> Result<(), LedgerError> {
    let Some(farthest) = known.iter().max_by_key(|known| known.size) else { return Ok(()) };
    let anchored = read_anchor(dir)?.anchor.head.head().size;
    if anchored >= farthest.size {
        return Ok(());
    }
    let io = |source| OpenError::Io { path: std::env::temp_dir(), source };
    let copies = tempfile::Builder::new().prefix("glyph-ledger-open.").tempdir().map_err(io)?;
    let copy = copies.path().join("ledger");
    copy_for_reading(dir, &copy, options)?;
    // Whatever else is wrong the opening in its place tells, by its right name.
    let tip = SledLog::open(&copy, options).ok().and_then(|log| log.tip().ok().flatten());
    tip.map_or(Ok(()), |tip| reaches(&tip.head, farthest))
}

/// Refuses a ledger that ends before what is known.
fn reaches(newest: &SignedHead, known: &KnownHead) -> Result<(), LedgerError> {
    if newest.head().size >= known.size {
        return Ok(());
    }
    let (known, newest) = (Box::new(known.clone()), Box::new(newest.clone()));
    Err(LedgerError::Regressed { known, newest })
}

/// Refuses a ledger that contradicts what is known, and heads that are not by whoever signed the events under them.
fn continues<'a>(
    known: impl IntoIterator<Item = &'a KnownHead>,
    passed: &BTreeMap<u64, Passed>,
    state: &State,
    newest: &SignedHead,
) -> Result<(), LedgerError> {
    for known in known {
        if let Some(note) = &known.note
            && let Err(unsigned) = signed_by(note, state.keys().known(&note.signer()))
        {
            return Err(LedgerError::KnownSignature { by: known.by, size: known.size, unsigned });
        }
        let Some(Passed { root, actor, head }) = passed.get(&known.size) else { continue };
        if *root != known.root {
            let (known, actual) = (Box::new(known.clone()), *root);
            let other = Box::new(head.as_ref().unwrap_or(newest).clone());
            return Err(LedgerError::Diverged { known, actual, other });
        }
        let signer = known.note.as_ref().map(SignedHead::signer);
        if let Some(signer) = signer.filter(|signer| *actor != Some(*signer)) {
            let (by, size, unsigned) = (known.by, known.size, Unsigned::Unknown(signer));
            return Err(LedgerError::KnownSignature { by, size, unsigned });
        }
    }
    Ok(())
}

struct Folded {
    state: State,
    /// Who could sign the newest batch: the keys as folded before it.
    signers: KeyRing,
    /// What was passed at the sizes asked for.
    passed: BTreeMap<u64, Passed>,
    /// Size over which the state's digest was last recorded.
    recorded_size: u64,
}

/// The ledger at some size.
struct Passed {
    root: NodeHash,
    /// Who signed the last of the events, and so the head over them.
    actor: Option<KeyId>,
    /// The head over so many events, where a batch ends there.
    head: Option<SignedHead>,
}

/// Folds everything, or from the cache on if the events behind it show it to be right.
fn fold_to_head(
    log: &dyn ReadLog,
    dir: &Path,
    head: &SignedHead,
    sizes: &BTreeSet<u64>,
) -> Result<Folded, LedgerError> {
    let usable = |cached: &State| {
        cached.chain().ledger() == head.head().ledger
            && cached.size() < head.head().size
            && sizes.first().is_none_or(|first| cached.size() < *first)
    };
    if let Some(cached) = cache::read(dir).filter(usable) {
        let digest = cached.digest();
        let from = cached.size();
        // A frontier that is not the true one leads to another root, and an event behind it that
        // was not signed does so too. So once the root is right, so is the digest found on the way.
        if let Ok(folded) = fold_from(log, cached, head, sizes)
            && folded.state.chain().frontier().root() == head.head().root
            && recorded_at(log, from)? == Some(digest)
        {
            return Ok(folded);
        }
    }
    fold_from(log, State::new(head.head().ledger), head, sizes)
}

/// The digest recorded in the event at `seq`, if it records one over the events before it.
fn recorded_at(
    log: &dyn ReadLog,
    seq: u64,
) -> Result<Option<ledger_format::hash::CommitHash>, FoldError> {
    let Some(recorded) = fold::events(log.read(seq..seq + 1), seq..seq + 1).next() else {
        return Ok(None);
    };
    Ok(match recorded?.event.body {
        Body::StateRecorded(body) if body.size == seq => Some(body.digest),
        _ => None,
    })
}

fn fold_from(
    log: &dyn ReadLog,
    mut state: State,
    head: &SignedHead,
    sizes: &BTreeSet<u64>,
) -> Result<Folded, LedgerError> {
    let size = head.head().size;
    let from = state.size();
    let mut signers = state.keys().clone();
    let mut recorded_size = from;
    let mut passed = BTreeMap::new();
    let pass = |state: &State, actor: Option<KeyId>, head: Option<&SignedHead>| {
        let root = state.chain().frontier().root();
        sizes.contains(&state.size()).then(|| Passed { root, actor, head: head.cloned() })
    };
    passed.extend(pass(&state, None, None).map(|at| (from, at)));
    for batch in log.read(from..size) {
        let batch = batch.map_err(FoldError::Read)?;
        let (first_seq, closing) = (batch.first_seq, batch.head.clone());
        if first_seq >= from && first_seq > 0 {
            signers = state.keys().clone();
        }
        for recorded in fold::events(std::iter::once(Ok(batch)), from..size) {
            let recorded = recorded?;
            fold::apply(&mut state, &recorded)?;
            if let Body::StateRecorded(body) = &recorded.event.body {
                recorded_size = body.size;
            }
            let closing = Some(&closing).filter(|head| head.head().size == state.size());
            let actor = Some(recorded.event.actor);
            passed.extend(pass(&state, actor, closing).map(|at| (state.size(), at)));
            if first_seq == 0 && recorded.event.seq == 0 {
                signers = state.keys().clone();
            }
        }
    }
    if state.size() != size {
        return Err(FoldError::Short { expected: size, actual: state.size() }.into());
    }
    Ok(Folded { state, signers, passed, recorded_size })
}

/// Checks a head's signature against the keys that could sign it.
fn verify_head(head: &SignedHead, signers: &KeyRing) -> Result<(), LedgerError> {
    signed_by(head, signers.get(&head.signer()))
        .map_err(|unsigned| LedgerError::Signature { size: head.head().size, unsigned })
}

/// Checks a head's signature with the key that it names, if that is a key to go by.
pub(super) fn signed_by(head: &SignedHead, key: Option<&KnownKey>) -> Result<(), Unsigned> {
    let signer = head.signer();
    let key = key.ok_or(Unsigned::Unknown(signer))?;
    let key = VerifyingKey::from_bytes(&key.public_key.0)
        .map_err(|_| Unsigned::Bad(format!("key {} is no Ed25519 key", signer.short())))?;
    head.verify(&key).map_err(|error| Unsigned::Bad(error.to_string()))
}

fn options(surroundings: &Surroundings) -> OpenOptions {
    OpenOptions { wait: surroundings.wait, ..OpenOptions::default() }
}

/// The id under which a signer acts, checked against who may sign.
pub(super) fn may_sign(keys: &KeyRing, signer: &KeyId) -> bool {
    keys.get(signer).is_some()
}
