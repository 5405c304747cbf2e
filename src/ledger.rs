//! The ledger: open, append, read. What everything above goes through.
//!
//! A ledger is opened by folding its events up to the newest signed head; what does not lead to that
//! head's root is refused. From then on it appends only what its own fold allows, and signs only what
//! continues the head it verified. Where the bytes lie is for the log to know: a folder of ours, or any
//! other log. Knows no store, no contract, no command line.

mod append;
mod begins;
mod cache;
mod changed;
mod cursor;
mod fold;
mod keys;
mod known;
mod open;
mod pins;
mod place;
mod prefix;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledger_format::body::ObjectState;
use ledger_format::event::Event;
use ledger_format::hash::{EventId, LedgerId};
use ledger_format::head::SignedHead;
use projections::{ImageNeeds, State};

use crate::effects::Clock;
use crate::log::{Batch, Log, ReadError};

pub use append::AppendError;
pub use begins::Begins;
pub use cursor::{Cursor, CursorError};
pub use fold::{FoldError, Recorded};
pub(crate) use keys::other_keys;
pub use keys::{KeyChange, KeyChangeError, approvals_possible, approvers_beside, possession};
pub(crate) use known::notes;
pub use known::{KnownBy, KnownHead, Unsigned};
pub use open::{LedgerError, Recovered};
pub use pins::{MemoryPins, Pin, PinError, Pins, Provenance};
pub use place::place_of;
pub use prefix::Prefix;

/// What a ledger needs from outside.
#[derive(Clone)]
pub struct Surroundings {
    /// The clock for new events.
    pub clock: Arc<dyn Clock>,
    /// Heads seen earlier.
    pub pins: Arc<dyn Pins>,
    /// How long to wait for somebody else's lock.
    pub wait: Duration,
}

/// An open ledger. Nobody else has it open.
pub struct Ledger {
    dir: PathBuf,
    log: Box<dyn Log + Send>,
    state: State,
    head: SignedHead,
    surroundings: Surroundings,
    recovered: Option<Recovered>,
    recorded_size: u64,
    /// How this user came to know the ledger; appending does not make its past better known.
    provenance: Provenance,
}

impl Ledger {
    /// The ledger's folder; of one on a log of its own, the folder of what belongs to it beside that log.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its id.
    pub const fn id(&self) -> LedgerId {
        self.state.chain().ledger()
    }

    /// The newest signed head.
    pub const fn head(&self) -> &SignedHead {
        &self.head
    }

    /// How this user came to know the ledger.
    pub const fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// Remembers that the user vouches for the heads that they named when they opened the ledger, which contains them. How far they
    /// reach is how far it is known to be complete; what lies behind was only seen.
    pub fn pin(&mut self) -> Result<Pin, PinError> {
        let named =
            self.surroundings.pins.named().iter().filter(|known| known.shows_completeness());
        let prefixes = named.map(|known| Prefix { size: known.size, root: known.root });
        let provenance = prefixes.fold(self.provenance, Provenance::vouched);
        let pin = Pin { head: self.head.clone(), provenance };
        self.surroundings.pins.set(&pin)?;
        self.provenance = provenance;
        Ok(pin)
    }

    /// The head that closes the batch of event `seq`.
    pub fn head_over(&self, seq: u64) -> Result<SignedHead, FoldError> {
        let missing = ReadError::Damaged { seq, reason: "there is no such event".into() };
        let batch = self.log.read(seq..seq.saturating_add(1)).next().unwrap_or(Err(missing));
        Ok(batch.map_err(FoldError::Read)?.head)
    }

    /// Every projection's state at the newest head.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// What opening found beyond the last acknowledged head and took in, if anything.
    pub const fn recovered(&self) -> Option<Recovered> {
        self.recovered
    }

    /// Where its stored content lies.
    pub fn objects_dir(&self) -> PathBuf {
        self.dir.join("objects")
    }

    /// Where runs put their work copies.
    pub fn work_dir(&self) -> PathBuf {
        self.dir.join("work")
    }

    /// The batches that hold events of `seqs`, whole and in order.
    pub fn batches(
        &self,
        seqs: Range<u64>,
    ) -> impl Iterator<Item = Result<Batch, ReadError>> + use<'_> {
        self.log.read(seqs)
    }

    /// The events of `seqs`, in order.
    pub fn events(
        &self,
        seqs: Range<u64>,
    ) -> impl Iterator<Item = Result<Recorded, FoldError>> + use<'_> {
        fold::events(self.log.read(seqs.clone()), seqs)
    }

    /// Hands the events of `seqs` to `take`, in order, until it fails; read on several cores, for
    /// those who want many.
    pub fn each_event<E: From<FoldError>>(
        &self,
        seqs: Range<u64>,
        take: impl FnMut(Recorded) -> Result<(), E>,
    ) -> Result<(), E> {
        fold::each(self.log.read(seqs.clone()), seqs, take)
    }

    /// One event.
    pub fn event(&self, seq: u64) -> Result<Recorded, FoldError> {
        let missing = ReadError::Damaged { seq, reason: "there is no such event".into() };
        self.events(seq..seq.saturating_add(1)).next().unwrap_or(Err(FoldError::Read(missing)))
    }

    /// Every projection's state over the first `size` events, folded anew.
    pub fn state_at(&self, size: u64) -> Result<State, FoldError> {
        if size == self.state.size() {
            return Ok(self.state.clone());
        }
        self.refold(size)
    }

    fn refold(&self, size: u64) -> Result<State, FoldError> {
        let mut state = State::new(self.id());
        fold::fold(&mut state, self.log.read(0..size), size)?;
        Ok(state)
    }

    /// Which images of databases are needed, and which were pruned: a fold over all events.
    pub fn image_needs(&self) -> Result<ImageNeeds, FoldError> {
        let mut needs = ImageNeeds::default();
        self.each_event(0..self.state.size(), |recorded| {
            needs.take(recorded.event.seq, &recorded.event.body);
            Ok::<_, FoldError>(())
        })?;
        Ok(needs)
    }

    /// The first database of which the state after `size` events was pruned, if one was.
    pub fn pruned_at(&self, size: u64) -> Result<Option<String>, FoldError> {
        if self.state.runs().pruned.is_empty() {
            return Ok(None);
        }
        let pruned = self.image_needs()?.finish().pruned;
        let state = self.state_at(size)?;
        let mut objects = state.store().objects.iter();
        let gone = objects.find(|(_, held)| match held {
            ObjectState::Database { page_root, .. } => pruned.contains_key(page_root),
            ObjectState::Document { .. } | ObjectState::Log { .. } => false,
        });
        Ok(gone.map(|(object, _)| object.clone()))
    }

    /// The number of events that `cursor` covers.
    pub fn resolve(&self, cursor: &Cursor) -> Result<u64, CursorError> {
        cursor::resolve(self, cursor)
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger({} of {} events)", self.id().short(), self.state.size())
    }
}

fn recorded_event(bytes: Vec<u8>, event: Event) -> Recorded {
    let id = EventId::of(&bytes);
    Recorded { id, event, bytes }
}
