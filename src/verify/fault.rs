//! What can be wrong with a ledger, each with the place, both sides where there are two, and its
//! registered code.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use ledger_format::event::FORMAT;
use ledger_format::hash::{ContentHash, EventId, KeyId, LedgerId, NodeHash};
use ledger_format::head::{SignedHead, TreeHead};
use ledger_format::line::LineError;

use crate::diagnostic::{self, Code};
use crate::ledger::{KnownBy, KnownHead, Unsigned, notes};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A part of the ledger's folder is not there.
    #[error("{} is missing", path.display())]
    Missing {
        /// What is missing.
        path: PathBuf,
    },
    /// A part of the ledger's folder cannot be read.
    #[error("{} is damaged: {reason}", path.display())]
    Part {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// There is not a single event.
    #[error("the ledger holds no event")]
    Empty,
    /// Another ledger than the one known at this place.
    #[error("{} held ledger {expected}, now it holds {found}", place.display())]
    Foreign {
        /// The folder.
        place: PathBuf,
        /// The ledger known there.
        expected: LedgerId,
        /// The ledger found.
        found: LedgerId,
    },
    /// Another ledger than the one that was to be verified.
    #[error("these are events of ledger {found}, expected {expected}")]
    OtherLedger {
        /// The ledger expected.
        expected: LedgerId,
        /// The ledger found.
        found: LedgerId,
    },
    /// A head of another ledger was to be compared with.
    #[error("{by} is of ledger {named}, this is ledger {found}")]
    OtherHead {
        /// Who knows it.
        by: KnownBy,
        /// The ledger it is of.
        named: LedgerId,
        /// This ledger.
        found: LedgerId,
    },
    /// The log cannot be read on from here.
    #[error("event {seq} cannot be read: {reason}")]
    Unreadable {
        /// First event that cannot be read.
        seq: u64,
        /// What was found.
        reason: String,
    },
    /// An event in a format that is not read here. Nothing says that it is damaged.
    #[error("event {seq} is in event format {actual}; this program reads format {FORMAT}")]
    Format {
        /// The event.
        seq: u64,
        /// Its format.
        actual: u64,
    },
    /// Events are not there.
    #[error("events {first} to {last} are missing")]
    Gap {
        /// First missing event.
        first: u64,
        /// Last missing event.
        last: u64,
    },
    /// Events stand where others stood already.
    #[error("a batch begins at event {found}, expected {expected}")]
    Disorder {
        /// The event that comes next.
        expected: u64,
        /// Where the batch begins.
        found: u64,
    },
    /// An event does not continue the one before it.
    #[error("event {seq} {reason}")]
    Unlinked {
        /// The event.
        seq: u64,
        /// How that shows.
        reason: String,
    },
    /// Events that no head closes.
    #[error("events from {first} on are not closed by a head: {reason}")]
    Unclosed {
        /// First such event.
        first: u64,
        /// How that shows.
        reason: &'static str,
    },
    /// One event's bytes are not those that were signed.
    #[error(
        "event {seq} was changed: its bytes have the id {actual}; the event after it and the head \
         signed over {head_size} events name {expected}"
    )]
    Altered {
        /// The event.
        seq: u64,
        /// The id that was signed.
        expected: EventId,
        /// The id of the bytes found.
        actual: EventId,
        /// Size of the head that says so.
        head_size: u64,
    },
    /// Somewhere among these events the bytes are not those that were signed.
    #[error(
        "events {first} to {last} are not those that were signed: they lead to the root {actual}, \
         the head over {} events states {expected}{}", last + 1, Broken(*broken_at)
    )]
    Rewritten {
        /// First event of the range: everything before it is what was signed.
        first: u64,
        /// Last event of the range.
        last: u64,
        /// The root that was signed.
        expected: NodeHash,
        /// The root of the events found.
        actual: NodeHash,
        /// First event in the range that is no event or does not continue the one before it.
        broken_at: Option<u64>,
    },
    /// A head stands where another must.
    #[error("the head that closes events {first} to {last} states {} events of ledger {}", stated.size, stated.ledger)]
    Misplaced {
        /// First event it should close.
        first: u64,
        /// Last event it should close.
        last: u64,
        /// What it states.
        stated: Box<TreeHead>,
    },
    /// A head is not signed by a key that could sign it.
    #[error("the head over {size} events: {unsigned}")]
    Signature {
        /// Number of events it covers.
        size: u64,
        /// What is wrong.
        unsigned: Unsigned,
    },
    /// A head to compare with is not signed by a key of this ledger.
    #[error("{by}, over {size} events: {unsigned}")]
    KnownSignature {
        /// Who knows it.
        by: KnownBy,
        /// Number of events it covers.
        size: u64,
        /// What is wrong.
        unsigned: Unsigned,
    },
    /// A signed event that may not stand where it stands.
    #[error("event {seq} ({kind}): {rule}")]
    Illegal {
        /// The event.
        seq: u64,
        /// Its kind; "unknown" where its bytes are no event.
        kind: &'static str,
        /// The rule it breaks.
        rule: String,
    },
    /// The ledger ends before a head that was seen earlier.
    #[error(
        "the ledger ends after {size} events{}; {} states {} with root {}{}",
        Led(good.as_deref()), known.by, known.size, known.root, ByStranger(*stranger)
    )]
    Regressed {
        /// What is known.
        known: Box<KnownHead>,
        /// Number of events found.
        size: u64,
        /// The newest good head found.
        good: Option<Box<SignedHead>>,
        /// The key that signed what is known, where no event that is here authorises it.
        stranger: Option<KeyId>,
    },
    /// The ledger contradicts a head that was seen earlier. Both heads are evidence.
    #[error(
        "the first {} events have the root {actual}; {} states {}",
        known.size, known.by, known.root
    )]
    Diverged {
        /// What is known.
        known: Box<KnownHead>,
        /// The root of as many events as found.
        actual: NodeHash,
        /// A head of what was found: the one over as many events if there is one, else the newest.
        other: Option<Box<SignedHead>>,
    },
    /// The anchor names another last event than the one it covers.
    #[error("the anchor names {expected} as event {seq}, found {actual}")]
    AnchorEvent {
        /// The event.
        seq: u64,
        /// The id the anchor names.
        expected: EventId,
        /// The id of the event found.
        actual: EventId,
    },
    /// Stored content that an event refers to is not there.
    #[error("object {name}, which event {seq} refers to, is missing")]
    ObjectMissing {
        /// The object.
        name: ContentHash,
        /// The first event that refers to it.
        seq: u64,
    },
    /// Stored content is not what its name says.
    #[error("object {name}, which event {seq} refers to, is damaged: {reason}")]
    ObjectDamaged {
        /// The object.
        name: ContentHash,
        /// The first event that refers to it.
        seq: u64,
        /// What is wrong.
        reason: String,
    },
    /// A line of an export stands where it must not.
    #[error("line {line}: event {seq} {reason}")]
    OutOfPlace {
        /// The line, from 1.
        line: u64,
        /// Its event.
        seq: u64,
        /// Why it must not stand there.
        reason: String,
    },
    /// A line of an export is none.
    #[error("line {line}: {error}")]
    Line {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        error: LineError,
    },
}

impl Fault {
    /// The registered code.
    pub const fn code(&self) -> &'static Code {
        match self {
            Self::Missing { .. } | Self::Empty => &diagnostic::LEDGER_MISSING,
            Self::Foreign { .. } | Self::OtherLedger { .. } | Self::OtherHead { .. } => {
                &diagnostic::LEDGER_FOREIGN
            }
            Self::Part { .. }
            | Self::Unreadable { .. }
            | Self::Gap { .. }
            | Self::Disorder { .. }
            | Self::Unlinked { .. }
            | Self::Unclosed { .. }
            | Self::Altered { .. }
            | Self::Rewritten { .. }
            | Self::Misplaced { .. }
            | Self::AnchorEvent { .. }
            | Self::OutOfPlace { .. }
            | Self::Line { .. } => &diagnostic::LEDGER_DAMAGED,
            Self::Signature { unsigned, .. } | Self::KnownSignature { unsigned, .. } => {
                match unsigned {
                    Unsigned::Unknown(_) => &diagnostic::SIGNER_UNKNOWN,
                    Unsigned::Bad(_) => &diagnostic::SIGNATURE_BAD,
                }
            }
            Self::Format { .. } => &diagnostic::FORMAT_UNSUPPORTED,
            Self::Illegal { .. } => &diagnostic::EVENT_ILLEGAL,
            Self::Regressed { .. } => &diagnostic::LEDGER_REGRESSED,
            Self::Diverged { .. } => &diagnostic::LEDGER_DIVERGED,
            Self::ObjectMissing { .. } => &diagnostic::OBJECT_MISSING,
            Self::ObjectDamaged { .. } => &diagnostic::OBJECT_DAMAGED,
        }
    }

    /// Texts that show it to others: the heads that contradict each other, as they were signed.
    pub fn evidence(&self) -> Vec<String> {
        match self {
            Self::Regressed { known, good: other, .. } | Self::Diverged { known, other, .. } => {
                notes(known.note.iter().chain(other.as_deref()))
            }
            _ => Vec::new(),
        }
    }

    /// The line of an export that it is about, where it is about one.
    pub const fn line(&self) -> Option<u64> {
        match self {
            Self::Line { line, .. } | Self::OutOfPlace { line, .. } => Some(*line),
            _ => None,
        }
    }

    /// The first event it is about, where it is about events.
    pub const fn seq(&self) -> Option<u64> {
        match self {
            Self::Unreadable { seq, .. }
            | Self::Format { seq, .. }
            | Self::Unlinked { seq, .. }
            | Self::Altered { seq, .. }
            | Self::Illegal { seq, .. }
            | Self::AnchorEvent { seq, .. }
            | Self::OutOfPlace { seq, .. }
            | Self::ObjectMissing { seq, .. }
            | Self::ObjectDamaged { seq, .. } => Some(*seq),
            Self::Gap { first, .. }
            | Self::Unclosed { first, .. }
            | Self::Rewritten { first, .. }
            | Self::Misplaced { first, .. } => Some(*first),
            Self::Disorder { expected, .. } => Some(*expected),
            Self::Signature { size, .. } => Some(size.saturating_sub(1)),
            Self::Regressed { size, .. } => Some(*size),
            _ => None,
        }
    }
}

/// Where the good events lead, in the middle of a sentence.
struct Led<'a>(Option<&'a SignedHead>);

impl Display for Led<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0
            .map(SignedHead::head)
            .map_or(Ok(()), |good| write!(f, ", of which {} lead to root {}", good.size, good.root))
    }
}

/// Who signed a head that lies ahead, where that is none of those who are known here.
struct ByStranger(Option<KeyId>);

impl Display for ByStranger {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let told = "may have come in with events that are missing; by these it is nobody's";
        self.0.map_or(Ok(()), |key| write!(f, ", signed by key {}, which {told}", key.short()))
    }
}

struct Broken(Option<u64>);

impl Display for Broken {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |seq| write!(f, "; the links first break at event {seq}"))
    }
}
