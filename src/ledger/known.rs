//! Heads that a ledger is held against, and who knows them. Knows no event: whether a ledger continues a head is for whoever
//! reads its events to say.

use std::fmt::{self, Display, Formatter};

use ledger_format::hash::{KeyId, LedgerId, NodeHash};
use ledger_format::head::SignedHead;

use projections::KeyRing;

use super::Pin;
use super::open::signed_by;

/// Who knows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// The anchor in the ledger's own folder.
    Anchor,
    /// The user's memory outside the store.
    Pin,
    /// The user, who gave a signed head.
    Trust,
    /// The user, who gave size and root.
    Expect,
    /// As many witnesses as the user's policy asks for.
    Witnesses,
    /// The user, who gave a signed head that fewer witnesses have seen than their policy asks for.
    Unwitnessed,
}

impl KnownBy {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Anchor => "anchor",
            Self::Pin => "pin",
            Self::Trust => "trust",
            Self::Expect => "expect",
            Self::Witnesses => "witnesses",
            Self::Unwitnessed => "unwitnessed",
        }
    }
}

impl Display for KnownBy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anchor => "the anchor",
            Self::Pin => "the remembered head",
            Self::Trust => "the trusted head",
            Self::Expect => "the expected head",
            Self::Witnesses => "the witnessed head",
            Self::Unwitnessed => "the head that too few witnesses saw",
        })
    }
}

/// A head that a ledger is held against: it must have had this root when it had so many events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHead {
    /// Who knows it.
    pub by: KnownBy,
    /// Number of events.
    pub size: u64,
    /// Root over their ids.
    pub root: NodeHash,
    /// The head as it was signed; of one that was typed in there is none.
    pub note: Option<SignedHead>,
}

impl KnownHead {
    /// A signed head that `by` knows.
    pub fn signed(by: KnownBy, note: SignedHead) -> Self {
        let head = note.head();
        Self { by, size: head.size, root: head.root, note: Some(note) }
    }

    /// A signed head that the user gave.
    pub fn trusted(note: SignedHead) -> Self {
        Self::signed(KnownBy::Trust, note)
    }

    /// Size and root that the user gave.
    pub const fn expected(size: u64, root: NodeHash) -> Self {
        Self { by: KnownBy::Expect, size, root, note: None }
    }

    /// Whether a ledger that contains it shows that nothing up to it is missing. Of a pin that depends on how it came to be.
    pub const fn shows_completeness(&self) -> bool {
        matches!(self.by, KnownBy::Trust | KnownBy::Expect | KnownBy::Witnesses) && self.size > 0
    }

    /// Refuses a signed head that is not by `actor`, who signed the last event under it, also where that key has ended since. One that was
    /// typed in is believed.
    pub fn must_be_by(&self, actor: &KeyId, keys: &KeyRing) -> Result<(), Unsigned> {
        match &self.note {
            Some(note) if note.signer() != *actor => Err(Unsigned::Unknown(note.signer())),
            Some(note) => signed_by(note, keys.known(actor)),
            None => Ok(()),
        }
    }

    /// The ledger that it is of, where it says so.
    pub fn ledger(&self) -> Option<LedgerId> {
        self.note.as_ref().map(|note| note.head().ledger)
    }
}

impl KnownHead {
    /// How far a pin shows a ledger to be complete, where that is less far than what was seen.
    pub(crate) fn complete(pin: &Pin) -> Option<Self> {
        let complete = pin.provenance.complete()?;
        let seen = pin.head.head().size;
        let (size, root) = (complete.size, complete.root);
        (size < seen).then_some(Self { by: KnownBy::Pin, size, root, note: None })
    }
}

impl From<&Pin> for KnownHead {
    fn from(pin: &Pin) -> Self {
        Self::signed(KnownBy::Pin, pin.head.clone())
    }
}

/// Why a head is not signed as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// By a key that may not sign here.
    #[error("key {} is not authorised to sign here", .0.short())]
    Unknown(KeyId),
    /// The signature does not verify.
    #[error("{0}")]
    Bad(String),
}

/// The notes among heads, as whoever was not there can be shown them.
pub(crate) fn notes<'a>(heads: impl IntoIterator<Item = &'a SignedHead>) -> Vec<String> {
    let text = |head: &SignedHead| String::from_utf8_lossy(&head.encode()).into_owned();
    let mut notes: Vec<String> = heads.into_iter().map(text).collect();
    notes.dedup();
    notes
}
