//! Appending: stamp, check against the fold, encode and decode again, sign, write, remember.

use std::ops::ControlFlow;
use std::thread;

use ledger_format::body::{Body, Role, StateRecorded};
use ledger_format::event::Event;
use ledger_format::hash::{EventId, KeyId};
use ledger_format::head::{SignedHead, TreeHead};
use projections::{Entry, Illegal};

use super::{Ledger, Pin, PinError, Prefix, Recorded, cache, open};
use crate::effects::Signer;
use crate::log::{self, BATCH_EVENTS_MAX, Batch};
use crate::ordered::{Crew, in_order};

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
    /// The key may sign in this ledger, and not this.
    #[error("this key may not {}: key {} has {}", needs.word(), key.short(), in_words(has))]
    RoleMissing {
        /// The key.
        key: KeyId,
        /// What it may not do.
        needs: Role,
        /// What it may do.
        has: Vec<Role>,
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

fn in_words(roles: &[Role]) -> String {
    match roles {
        [] => "no role".to_owned(),
        [only] => format!("the role {}", only.word()),
        several => {
            let words: Vec<_> = several.iter().map(|role| role.word()).collect();
            format!("the roles {}", words.join(", "))
        }
    }
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
            return Err(self.refusal(key, Role::Append));
        }
        let mut appended = Vec::with_capacity(bodies.len());
        let mut bodies = bodies.into_iter().peekable();
        while bodies.peek().is_some() {
            let recorded = usize::from(self.must_record());
            let chunk: Vec<Body> = bodies.by_ref().take(BATCH_EVENTS_MAX - recorded).collect();
            match self.append_batch(signer, chunk) {
                Ok(events) => appended.extend(events),
                Err(error) => {
                    // What went before is in the ledger; the error is told, whether or not it could be remembered.
                    if !appended.is_empty() {
                        drop(self.remember());
                    }
                    return Err(error);
                }
            }
        }
        if !appended.is_empty() {
            self.remember()?;
        }
        Ok(appended)
    }

    /// Why a key may not do what `needs` says.
    pub(crate) fn refusal(&self, key: KeyId, needs: Role) -> AppendError {
        match self.state.keys().get(&key) {
            None => AppendError::Unauthorised { key, ledger: self.id() },
            Some(known) => {
                AppendError::RoleMissing { key, needs, has: known.roles.iter().collect() }
            }
        }
    }

    /// Remembers the newest head outside of the ledger: once an append, however many batches it has.
    fn remember(&mut self) -> Result<(), PinError> {
        self.provenance = self.provenance.appended(Prefix::from(self.head.head()));
        let (head, provenance) = (self.head.clone(), self.provenance);
        self.surroundings.pins.set(&Pin { head, provenance })
    }

    /// Whether the next batch begins with the digest of the state. Digest and cache cost as much as the
    /// state holds, so a state that grows waits longer: two events for each of its entries. So what
    /// recording costs is bounded by a constant for each event, however many objects there are.
    fn must_record(&self) -> bool {
        let wait =
            cache::RECORD_EVERY_EVENTS.saturating_add(self.state.entries().saturating_mul(2));
        self.state.size() - self.recorded_size >= wait
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
        self.head = head;
        if recording {
            self.recorded_size = first_seq;
            appended.remove(0);
        }
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
        let encoded = encode_all(bodies.collect());
        let mut stamped = Vec::with_capacity(encoded.len());
        for (body, encoded) in encoded {
            let (seq, kind) = (self.state.size(), body.kind());
            let prev = self.state.chain().last();
            let event = Event { at, seq, body, prev, actor, ledger };
            let bytes = encoded.and_then(|body| encode(&event, &body));
            let bytes = bytes.map_err(|reason| AppendError::Encoding { seq, kind, reason })?;
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
        let own = *self.head.head();
        let newer = |pin: &TreeHead| {
            pin.size > first_seq || (pin.size == first_seq && pin.root != own.root)
        };
        if let Some(pin) = pin.filter(|pin| newer(pin.head.head())) {
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

/// A body with its bytes, or why it has none.
type Encoded = (Body, Result<Vec<u8>, String>);

/// Bodies that one thread is given at a time; for fewer none is started.
const PORTION: usize = 128;

/// Encodes bodies, on all cores: of an event it is what takes longest, and needs nothing of the events before.
fn encode_all(bodies: Vec<Body>) -> Vec<Encoded> {
    if bodies.len() <= PORTION {
        return bodies.into_iter().map(encode_body).collect();
    }
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut encoded = Vec::with_capacity(bodies.len());
    let mut bodies = bodies.into_iter();
    let portions = std::iter::from_fn(|| {
        let portion: Vec<Body> = bodies.by_ref().take(PORTION).collect();
        (!portion.is_empty()).then_some(portion)
    });
    let encode = |portion: Vec<Body>| portion.into_iter().map(encode_body).collect::<Vec<_>>();
    in_order(portions, Crew { workers, ahead: workers * 4 }, encode, |portion| {
        encoded.extend(portion);
        ControlFlow::Continue(())
    });
    encoded
}

/// The body's bytes, which must decode to the body and to nothing else.
fn encode_body(body: Body) -> Encoded {
    let mut bytes = Vec::new();
    let encoded = match body.encode_into(&mut bytes) {
        Err(error) => Err(error.to_string()),
        Ok(()) => match Body::from_bytes(body.kind(), &bytes) {
            Ok(decoded) if decoded == body => Ok(bytes),
            Ok(_) => Err("it decodes to another event".into()),
            Err(error) => Err(error.to_string()),
        },
    };
    (body, encoded)
}

/// The event's bytes around those of its body, which must decode to the event and to nothing else.
fn encode(event: &Event, body: &[u8]) -> Result<Vec<u8>, String> {
    let bytes = event.encode_around(body);
    match event.is_encoded_as(&bytes, body) {
        Ok(true) => Ok(bytes),
        Ok(false) => Err("it decodes to another event".into()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use ed25519_dalek::SigningKey;
    use ledger_format::body::{Cause, ObjectObserved, ObjectState, Origin, StoreAdopted};
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
        assert_eq!((pin.head.head().size, &pin), (3, &Pin::own(pin.head.clone())));
    }

    /// Bodies that are encoded on several threads come in their order, and one that cannot be encoded tells its place.
    #[test]
    fn many_bodies_are_encoded_in_order() {
        let many = PORTION * 5 / 2;
        let mut bodies: Vec<Body> = (0..many).map(|number| observed(&number.to_string())).collect();
        for (body, (same, encoded)) in bodies.iter().zip(encode_all(bodies.clone())) {
            assert_eq!(*body, same);
            let mut bytes = Vec::new();
            body.encode_into(&mut bytes).unwrap();
            assert_eq!(encoded, Ok(bytes));
        }
        bodies[many - 3] = observed(&"x".repeat(5_000));
        let folder = tempfile::tempdir().unwrap();
        let (dir, pins) = (folder.path().join("ledger"), Arc::<MemoryPins>::default());
        let signer = KeySigner::new(SigningKey::from_bytes(&[1; 32]));
        let mut ledger =
            Ledger::create(&dir, folder.path(), &signer, [2; 16], surroundings(&pins)).unwrap();
        let at = ledger.state().size() + many as u64 - 3;
        let refused = ledger.append(&signer, bodies).unwrap_err();
        assert!(matches!(refused, AppendError::Encoding { seq, .. } if seq == at), "{refused}");
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

    /// A ledger whose store has `objects` objects, that change over and over: how many events each of
    /// its batches has after `appends` full ones.
    fn batches(objects: usize, appends: usize) -> Vec<Vec<&'static str>> {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("ledger");
        let signer = KeySigner::new(SigningKey::from_bytes(&[7; 32]));
        let pins = Arc::<MemoryPins>::default();
        let mut ledger = Ledger::create(&dir, &dir, &signer, [2; 16], surroundings(&pins)).unwrap();
        let adopted = StoreAdopted {
            contract: "glyph-store".into(),
            version: "1".into(),
            origin: Origin::Adopted,
            objects: objects as u64,
            open: false,
        };
        let baseline = (0..objects).map(|object| observed(&object.to_string()));
        let content = ContentHash::of(b"");
        let state = ObjectState::Document { content, bytes: 0, mode: 0 };
        let changed = ObjectObserved { object: "0".into(), cause: Cause::DataChange, state };
        let changes = std::iter::repeat_with(|| changed.clone().into());
        let mut bodies = baseline.chain([adopted.into()]).chain(changes);
        for _ in 0..appends {
            let full: Vec<Body> = bodies.by_ref().take(BATCH_EVENTS_MAX).collect();
            assert_eq!(ledger.append(&signer, full).unwrap().len(), BATCH_EVENTS_MAX);
        }
        let kinds = |batch: Batch| {
            let kind = |bytes: &Vec<u8>| Event::decode(bytes).unwrap().body.kind();
            batch.events.iter().map(kind).collect()
        };
        ledger.batches(1..u64::MAX).map(|batch| kinds(batch.unwrap())).collect()
    }

    #[test]
    fn a_full_batch_is_one_batch_also_where_a_digest_comes_first() {
        let batches = batches(1, 12);
        let sizes: Vec<_> = batches.iter().map(Vec::len).collect();
        let (last, before) = sizes.split_last().unwrap();
        assert!(before.iter().all(|count| *count == BATCH_EVENTS_MAX), "{sizes:?}");
        // The digest took the place of one event, which therefore came alone.
        assert_eq!((*last, batches[batches.len() - 2][0]), (1, "state.recorded"), "{sizes:?}");
    }

    /// What a digest costs grows with the state, so it comes the later the more the state holds.
    #[test]
    fn a_state_of_more_objects_is_recorded_later() {
        let recorded = |objects, appends| -> Vec<_> {
            let events = batches(objects, appends).into_iter().flatten();
            let recorded = (1..).zip(events).filter(|(_, kind)| *kind == "state.recorded");
            recorded.map(|(seq, _)| seq).collect()
        };
        assert_eq!(recorded(1, 15), [11_001]);
        assert_eq!(recorded(2_000, 15), [] as [i32; 0]);
        assert_eq!(recorded(2_000, 16), [15_001]);
    }
}
