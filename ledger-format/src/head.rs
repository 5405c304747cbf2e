//! Tree heads: size and Merkle root of a ledger, as a C2SP checkpoint in a signed note (SPEC §7).
//! Knows whose name a head must carry; knows not whether that key was allowed to sign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::hash::{KeyId, LedgerId, NodeHash};
use crate::note::{Note, NoteError, NoteSignature};

/// What a head states: this ledger has `size` events and they hash to `root`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// The ledger.
    pub ledger: LedgerId,
    /// Number of events.
    pub size: u64,
    /// RFC 6962 root over their ids.
    pub root: NodeHash,
}

/// A head and the note that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    head: TreeHead,
    signer: KeyId,
    note: Note,
}

/// A note that is not a head, or not a properly signed one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The note itself.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text of the note is not a checkpoint of a glyph ledger.
    #[error("not a tree head: {0}")]
    Form(&'static str),
    /// The key offered is not the one the head names.
    #[error("signed by {named}, not by {offered}")]
    OtherKey {
        /// The signer the head names.
        named: KeyId,
        /// The key that was to verify it.
        offered: KeyId,
    },
}

const ORIGIN_PREFIX: &str = "glyph-ledger/";
const ACTOR_PREFIX: &str = "glyph-actor/";

impl TreeHead {
    /// The checkpoint text: origin, size, root (c2sp.org/tlog-checkpoint, no extension lines).
    pub fn text(&self) -> String {
        let root = BASE64.encode(self.root.as_bytes());
        format!("{}\n{}\n{root}\n", self.origin(), self.size)
    }

    /// The name of the log (c2sp.org/tlog-checkpoint).
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{ORIGIN_PREFIX}{}", self.ledger)
    }

    /// Parses a checkpoint text; only the one form [`TreeHead::text`] writes.
    pub fn parse(text: &str) -> Result<Self, HeadError> {
        let mut lines = text.split('\n');
        let mut line = || lines.next().ok_or(HeadError::Form("fewer than three lines"));
        let (origin, size, root) = (line()?, line()?, line()?);
        let ledger = origin.strip_prefix(ORIGIN_PREFIX).and_then(|id| id.parse().ok());
        let ledger = ledger.ok_or(HeadError::Form("the origin is not glyph-ledger/<ledger id>"))?;
        let size = size.parse().map_err(|_| HeadError::Form("the size is not a number"))?;
        let root = BASE64.decode(root).ok().and_then(|bytes| bytes.try_into().ok());
        let root = root.map(NodeHash::from_bytes);
        let root = root.ok_or(HeadError::Form("the root is not 32 bytes of base64"))?;
        let head = Self { ledger, size, root };
        if head.text() != text {
            return Err(HeadError::Form("not in canonical form"));
        }
        Ok(head)
    }
}

impl SignedHead {
    /// Signs `head` as the actor whose key `key` is.
    pub fn sign(head: TreeHead, key: &VerifyingKey, sign: impl FnOnce(&[u8]) -> Signature) -> Self {
        let signer = KeyId::of(key.as_bytes());
        let note = Note::signed(head.text(), &actor_name(&signer), key, sign);
        Self { head, signer, note }
    }

    /// Parses a note as a head. Checks form only; see [`SignedHead::verify`].
    pub fn parse(note: &[u8]) -> Result<Self, HeadError> {
        let note = Note::parse(note)?;
        let head = TreeHead::parse(note.text())?;
        let mut actors =
            note.signatures().iter().filter_map(|line| line.name.strip_prefix(ACTOR_PREFIX));
        let (Some(actor), None) = (actors.next(), actors.next()) else {
            return Err(HeadError::Form("not exactly one signature line names an actor"));
        };
        let signer = actor.parse();
        let signer = signer.map_err(|_| HeadError::Form("the actor's name is not a key id"))?;
        Ok(Self { head, signer, note })
    }

    /// Checks the actor's signature with `key`.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), HeadError> {
        let offered = KeyId::of(key.as_bytes());
        if offered != self.signer {
            return Err(HeadError::OtherKey { named: self.signer, offered });
        }
        Ok(self.note.verify(&actor_name(&self.signer), key)?)
    }

    /// The same head with a second signature, by the ledger's log key under the name of the origin: what is published and shown to
    /// witnesses.
    #[must_use]
    pub fn published(self, key: &VerifyingKey, sign: impl FnOnce(&[u8]) -> Signature) -> Self {
        let note = self.note.also_signed(&self.head.origin(), key, sign);
        Self { note, ..self }
    }

    /// Checks the log key's signature with `key`.
    pub fn verify_published(&self, key: &VerifyingKey) -> Result<(), HeadError> {
        Ok(self.note.verify(&self.head.origin(), key)?)
    }

    /// Whether somebody signed it under the name of the origin.
    pub fn is_published(&self) -> bool {
        let origin = self.head.origin();
        self.note.signatures().iter().any(|line| line.name == origin)
    }

    /// The same head with the signatures that another note of it has, of those who signed this one not; `None` if that is another head, or
    /// by another actor.
    #[must_use]
    pub fn with_signatures_of(self, other: &Self) -> Option<Self> {
        let note = self.note.with_lines_of(&other.note)?;
        (self.signer == other.signer).then_some(Self { note, ..self })
    }

    /// The lines under it that are neither its actor's nor its log's: those of witnesses, and of whoever else signed.
    pub fn cosignatures(&self) -> impl Iterator<Item = &NoteSignature> {
        let origin = self.head.origin();
        let lines = self.note.signatures().iter();
        lines.filter(move |line| line.name != origin && !line.name.starts_with(ACTOR_PREFIX))
    }

    /// What the head states.
    pub const fn head(&self) -> &TreeHead {
        &self.head
    }

    /// The actor whose signature the head carries.
    pub const fn signer(&self) -> KeyId {
        self.signer
    }

    /// The same head with one more signature line under it, which is not an actor's.
    #[must_use]
    pub fn with_line(self, line: NoteSignature) -> Self {
        if line.name.starts_with(ACTOR_PREFIX) {
            return self;
        }
        Self { note: self.note.with_line(line), ..self }
    }

    /// The note that carries it.
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// The bytes of the note.
    pub fn encode(&self) -> Vec<u8> {
        self.note.encode()
    }
}

/// The name under which an actor signs.
#[must_use]
pub fn actor_name(actor: &KeyId) -> String {
    format!("{ACTOR_PREFIX}{actor}")
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    fn head() -> TreeHead {
        TreeHead {
            ledger: LedgerId::of(&[1; 32], &[2; 16]),
            size: 12,
            root: NodeHash::empty_root(),
        }
    }

    #[test]
    fn a_signed_head_parses_back_and_knows_its_signer() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let signed = SignedHead::sign(head(), &key.verifying_key(), |text| key.sign(text));
        let parsed = SignedHead::parse(&signed.encode()).unwrap();
        assert_eq!(parsed, signed);
        assert_eq!(parsed.head(), &head());
        assert_eq!(parsed.verify(&key.verifying_key()), Ok(()));
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        assert!(matches!(parsed.verify(&other), Err(HeadError::OtherKey { .. })));
    }

    #[test]
    fn a_head_has_one_actor_among_its_signatures() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let signed = SignedHead::sign(head(), &key.verifying_key(), |text| key.sign(text));
        let note = String::from_utf8(signed.encode()).unwrap();
        let (text, line) = note.split_once("\n\n").unwrap();
        let other = line.replace(ACTOR_PREFIX, "witness/");
        let parsed =
            |lines: &[&str]| SignedHead::parse(format!("{text}\n\n{}", lines.concat()).as_bytes());
        assert_eq!(parsed(&[&other, line]).unwrap().verify(&key.verifying_key()), Ok(()));
        for bad in [vec![other.as_str()], vec![line, line], vec![&line.replace("r/", "r/x")]] {
            assert!(matches!(parsed(&bad), Err(HeadError::Form(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_published_head_has_the_signature_of_the_log_key_once() {
        let (key, log) = (SigningKey::from_bytes(&[7; 32]), SigningKey::from_bytes(&[8; 32]));
        let signed = SignedHead::sign(head(), &key.verifying_key(), |text| key.sign(text));
        assert!(!signed.is_published());
        let publish =
            |head: SignedHead| head.published(&log.verifying_key(), |text| log.sign(text));
        let published = publish(signed.clone());
        assert_eq!(publish(published.clone()), published);
        let read = SignedHead::parse(&published.encode()).unwrap();
        assert_eq!((read.is_published(), read.signer()), (true, signed.signer()));
        assert_eq!(read.verify(&key.verifying_key()), Ok(()));
        assert_eq!(read.verify_published(&log.verifying_key()), Ok(()));
        assert!(read.verify_published(&key.verifying_key()).is_err());
        assert!(signed.verify_published(&log.verifying_key()).is_err());
        assert_eq!(signed.clone().with_signatures_of(&published), Some(published));
        let later = TreeHead { size: 13, ..head() };
        let later = SignedHead::sign(later, &key.verifying_key(), |text| key.sign(text));
        assert_eq!(signed.with_signatures_of(&later), None);
    }

    #[test]
    fn only_the_canonical_text_is_a_head() {
        let text = head().text();
        assert_eq!(TreeHead::parse(&text), Ok(head()));
        for bad in [
            text.replace("\n12\n", "\n012\n"),
            text.replace("\n12\n", "\n+12\n"),
            text.replace("glyph-ledger", "other"),
            format!("{text}extension\n"),
            text.trim_end().to_owned(),
        ] {
            assert!(TreeHead::parse(&bad).is_err(), "{bad}");
        }
    }
}
