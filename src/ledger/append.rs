//! Appending: stamp, check against the fold, encode and decode again, sign, write, remember.

use ledger_format::body::{Body, StateRecorded};
use ledger_format::event::{Event, EventError};
use ledger_format::hash::{EventId, KeyId};
use ledger_format::head::{SignedHead, TreeHead};
use projections::{Entry, Illegal};

use super::{Ledger, Pin, PinError, Recorded, cache, open};
use crate::effects::Signer;
use crate::log::{self, BATCH_EVENTS_MAX, Batch};

/// Events that were not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The key may not sign in this ledger.
    #[error("key {} is not authorised to sign in ledger {}", key.short(), ledger.short())]
    Unauthorised {
        /// The key.
        key: KeyId,
        /// The ledger.
        ledger: ledger_format::hash::LedgerId,
    },
    /// An event may not come next.
    #[error("event {seq} ({kind}) may not come next: {rule}")]
    Illegal {
        /// Its place.
        seq: u64,
        /// Its kind.
        kind: &'static str,
        /// The rule it breaks.
        rule: Illegal,
    },
    /// An event cannot be encoded within its limits, or does not decode to itself.
    #[error("event {seq} ({kind}) cannot be written: {reason}")]
    Encoding {
        /// Its place.
        seq: u64,
        /// Its kind.
        kind: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A newer head of this ledger was seen meanwhile: somebody appended to another copy of it.
    #[error(
        "a head over {} events is remembered, this copy of the ledger has {size}: another copy was appended to",
        pinned.size
    )]
    Behind {
        /// The head remembered.
        pinned: Box<TreeHead>,
        /// Number of events here.
        size: u64,
    },
    /// The log.
    #[error(transparent)]
    Log(#[from] log::AppendError),
    /// What is remembered of this ledger could not be looked at first. Nothing was written.
    #[error("nothing was appended, since the remembered head could not be read: {0}")]
    Unremembered(#[source] PinError),
    /// The new head was written and could not be remembered.
    #[error("the events are in the ledger, but the new head could not be remembered: {0}")]
    Pin(#[from] PinError),
}

impl Ledger {
    /// Appends one event a body, in batches of at most [`BATCH_EVENTS_MAX`], each durable before the
    /// next, and returns the events. Fewer bodies than that are one batch: all or none.
    pub fn append(
        &mut self,
        signer: &dyn Signer,
        bodies: Vec<Body>,
    ) -> Result<Vec<Recorded>, AppendError> {
        if self.state.size() != self.head.head().size {
            return Err(log::AppendError::Poisoned { path: self.dir.clone() }.into());
        }
        let key = signer.key_id();
        if !open::may_sign(self.state.keys(), &key) {
            return Err(AppendError::Unauthorised { key, ledger: self.id() });
        }
        let mut appended = Vec::with_capacity(bodies.len());
        let mut bodies = bodies.into_iter().peekable();
        while bodies.peek().is_some() {
            let recorded = usize::from(self.must_record());
            let chunk: Vec<Body> = bodies.by_ref().take(BATCH_EVENTS_MAX - recorded).collect();
            appended.extend(self.append_batch(signer, chunk)?);
        }
        Ok(appended)
    }

    /// Whether the next batch begins with the digest of the state.
    const fn must_record(&self) -> bool {
        self.state.size() - self.recorded_size >= cache::RECORD_EVERY_EVENTS
    }

    fn append_batch(
        &mut self,
        signer: &dyn Signer,
        bodies: Vec<Body>,
    ) -> Result<Vec<Recorded>, AppendError> {
        let recording = self.must_record();
        if recording {
            cache::write(&self.dir, &self.state);
        }
        let record = recording.then(|| {
            Body::StateRecorded(StateRecorded {
                size: self.state.size(),
                digest: self.state.digest(),
            })
        });
        let first_seq = self.state.size();
        let written = match self.stamp(signer.key_id(), record.into_iter().chain(bodies)) {
            Ok(appended) => self.write(signer, first_seq, &appended).map(|head| (appended, head)),
            Err(error) => Err(error),
        };
        let (mut appended, head) = match written {
            Ok(written) => written,
            Err(error) => {
                self.fold_back(first_seq);
                return Err(error);
            }
        };
        self.head = head.clone();
        if recording {
            self.recorded_size = first_seq;
            appended.remove(0);
        }
        self.surroundings.pins.set(&Pin { head, provenance: self.provenance })?;
        Ok(appended)
    }

    /// Turns bodies into the events that come next and folds them.
    fn stamp(
        &mut self,
        actor: KeyId,
        bodies: impl Iterator<Item = Body>,
    ) -> Result<Vec<Recorded>, AppendError> {
        let at = self.surroundings.clock.now_ms().max(self.state.chain().last_at());
        let ledger = self.id();
        let mut stamped = Vec::new();
        for body in bodies {
            let (seq, kind) = (self.state.size(), body.kind());
            let prev = self.state.chain().last();
            let event = Event { at, seq, body, prev, actor, ledger };
            let bytes =
                encode(&event).map_err(|reason| AppendError::Encoding { seq, kind, reason })?;
            let id = EventId::of(&bytes);
            self.state.apply(Entry { event: &event, id }).map_err(|rule| AppendError::Illegal {
                seq,
                kind,
                rule,
            })?;
            stamped.push(Recorded { id, event, bytes });
        }
        Ok(stamped)
    }

    fn write(
        &mut self,
        signer: &dyn Signer,
        first_seq: u64,
        events: &[Recorded],
    ) -> Result<SignedHead, AppendError> {
        let pin = self.surroundings.pins.get(&self.id()).map_err(AppendError::Unremembered)?;
        if let Some(pin) = pin.filter(|pin| pin.head.head().size > first_seq) {
            let pinned = Box::new(*pin.head.head());
            return Err(AppendError::Behind { pinned, size: first_seq });
        }
        let chain = self.state.chain();
        let head = SignedHead::sign(chain.head(), &signer.public_key(), |text| signer.sign(text));
        let events = events.iter().map(|recorded| recorded.bytes.clone()).collect();
        let batch = Batch { first_seq, events, head: head.clone() };
        self.log.append(first_seq, &batch, chain.frontier())?;
        Ok(head)
    }

    /// Folds anew up to `size` after a batch was refused half-way. Should even that fail, the handle
    /// keeps a state beyond its head, by which nothing can be judged any more: it appends nothing.
    fn fold_back(&mut self, size: u64) {
        if self.state.size() == size {
            return;
        }
        match self.refold(size) {
            Ok(state) if state.chain().head() == *self.head.head() => self.state = state,
            Ok(_) => tracing::error!("the ledger's events no longer lead to its head"),
            Err(error) => tracing::error!(%error, "the ledger's events no longer fold"),
        }
    }
}

/// The event's bytes, which must decode to the event and to nothing else.
fn encode(event: &Event) -> Result<Vec<u8>, String> {
    let bytes = event.encode().map_err(|error: EventError| error.to_string())?;
    match Event::decode(&bytes) {
        Ok(decoded) if decoded == *event => Ok(bytes),
        Ok(_) => Err("it decodes to another event".into()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use ed25519_dalek::SigningKey;
    use ledger_format::body::{Cause, ObjectObserved, ObjectState};
    use ledger_format::hash::ContentHash;

    use super::*;
    use crate::effects::{FixedClock, KeySigner};
    use crate::ledger::{MemoryPins, Pins as _, Provenance, Surroundings};

    fn observed(object: &str) -> Body {
        let content = ContentHash::of(object.as_bytes());
        let state = ObjectState::Document { content, bytes: 1, mode: 0o644 };
        ObjectObserved { object: object.to_owned(), cause: Cause::Baseline, state }.into()
    }

    fn surroundings(pins: &Arc<MemoryPins>) -> Surroundings {
        Surroundings { clock: Arc::new(FixedClock(7)), pins: pins.clone(), wait: Duration::ZERO }
    }

    /// Appending shows what comes after, never that nothing was cut off before.
    #[test]
    fn a_pin_of_first_use_stays_one_when_its_user_appends() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, place) = (folder.path().join("ledger"), folder.path());
        let signer = KeySigner::new(SigningKey::from_bytes(&[1; 32]));
        let (creator, stranger) = (Arc::<MemoryPins>::default(), Arc::<MemoryPins>::default());
        drop(Ledger::create(&dir, place, &signer, [2; 16], surroundings(&creator)).unwrap());
        let mut ledger = Ledger::open(&dir, place, surroundings(&stranger)).unwrap();
        ledger.append(&signer, vec![observed("a")]).unwrap();
        let id = ledger.id();
        drop(ledger);
        let pin = stranger.get(&id).unwrap().unwrap();
        assert_eq!((pin.head.head().size, pin.provenance), (2, Provenance::FirstUse));
        let mut ledger = Ledger::open(&dir, place, surroundings(&creator)).unwrap();
        ledger.append(&signer, vec![observed("b")]).unwrap();
        let pin = creator.get(&id).unwrap().unwrap();
        assert_eq!((pin.head.head().size, pin.provenance), (3, Provenance::OwnAppend));
    }

    #[test]
    fn a_refused_batch_leaves_the_state_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, pins) = (folder.path().join("ledger"), Arc::<MemoryPins>::default());
        let signer = KeySigner::new(SigningKey::from_bytes(&[1; 32]));
        let mut ledger =
            Ledger::create(&dir, folder.path(), &signer, [2; 16], surroundings(&pins)).unwrap();
        let before = ledger.state().clone();
        let twice = vec![observed("a"), observed("a")];
        assert!(matches!(ledger.append(&signer, twice), Err(AppendError::Illegal { seq: 2, .. })));
        assert_eq!(ledger.state(), &before);
        let stranger = KeySigner::new(SigningKey::from_bytes(&[9; 32]));
        let refused = ledger.append(&stranger, vec![observed("a")]);
        assert!(matches!(refused, Err(AppendError::Unauthorised { .. })));
        ledger.append(&signer, vec![observed("a")]).unwrap();
        assert_eq!(ledger.state().size(), 2);
    }

    #[test]
    fn a_full_batch_is_one_batch_also_where_a_digest_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("ledger");
        let signer = KeySigner::new(SigningKey::from_bytes(&[7; 32]));
        let pins = Arc::new(MemoryPins::default());
        let surroundings =
            Surroundings { clock: Arc::new(FixedClock(1)), pins, wait: Duration::ZERO };
        let mut ledger = Ledger::create(&dir, &dir, &signer, [2; 16], surroundings).unwrap();
        let state = ObjectState::Document { content: ContentHash::of(b""), bytes: 0, mode: 0 };
        let observed = |n: u64| -> Body {
            let (object, state) = (n.to_string(), state.clone());
            ObjectObserved { object, cause: Cause::Baseline, state }.into()
        };
        let full = BATCH_EVENTS_MAX as u64;
        let mut appended = 0;
        while ledger.state().size() < cache::RECORD_EVERY_EVENTS + full {
            let bodies = (appended..appended + full).map(observed).collect();
            assert_eq!(ledger.append(&signer, bodies).unwrap().len(), BATCH_EVENTS_MAX);
            appended += full;
        }
        let batches = ledger.batches(1..u64::MAX).map(|batch| batch.unwrap().events.len());
        let batches: Vec<_> = batches.collect();
        let (last, before) = batches.split_last().unwrap();
        assert!(before.iter().all(|count| *count == BATCH_EVENTS_MAX), "{batches:?}");
        // The digest took the place of one event, which therefore came alone.
        assert_eq!(*last, 1, "{batches:?}");
    }
}
