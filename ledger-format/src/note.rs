//! Signed notes (c2sp.org/signed-note): a text and Ed25519 signature lines under it. Knows the form
//! and the keys it is given; knows not what the text says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::hash::hex;

/// Largest note accepted, in bytes: a head is about 300, with a few cosignatures about 1,000.
pub const NOTE_BYTES_MAX: usize = 3_500;

const SIGNATURE_TYPE_ED25519: u8 = 0x01;
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// Bytes that are not a signed note, or a note whose signature is not the expected one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not the form of a signed note.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// No signature line under that name.
    #[error("no signature by {name}")]
    Unsigned {
        /// The key name looked for.
        name: String,
    },
    /// A signature line under that name that the key does not verify.
    #[error("the signature by {name} does not verify")]
    BadSignature {
        /// The key name.
        name: String,
    },
}

/// A parsed note: its text (with the final newline) and its signature lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: String,
    /// First four bytes of the key's hash: a hint for finding the key, no more.
    pub key_hint: [u8; 4],
    /// What follows the hint; for Ed25519 the 64 bytes of the signature.
    pub signature: Vec<u8>,
}

impl Note {
    /// A note of `text`, which must end in a newline, under one Ed25519 signature made by `sign`.
    pub fn signed(
        text: String,
        name: &str,
        key: &VerifyingKey,
        sign: impl FnOnce(&[u8]) -> Signature,
    ) -> Self {
        let signature = sign(text.as_bytes()).to_bytes().to_vec();
        let line =
            NoteSignature { name: name.to_owned(), key_hint: key_hint(name, key), signature };
        Self { text, signatures: vec![line] }
    }

    /// The same note with one more line under it; one that it has already it has once.
    #[must_use]
    pub fn with_line(mut self, line: NoteSignature) -> Self {
        if !self.signatures.contains(&line) {
            self.signatures.push(line);
        }
        self
    }

    /// The same note with one more signature under it.
    #[must_use]
    pub fn also_signed(
        self,
        name: &str,
        key: &VerifyingKey,
        sign: impl FnOnce(&[u8]) -> Signature,
    ) -> Self {
        let Self { signatures, .. } = Self::signed(self.text.clone(), name, key, sign);
        signatures.into_iter().fold(self, Self::with_line)
    }

    /// The same note with the lines of `other` by keys that it has no line of; `None` if that is under another text.
    #[must_use]
    pub fn with_lines_of(mut self, other: &Self) -> Option<Self> {
        if self.text != other.text {
            return None;
        }
        let of = |line: &NoteSignature| (line.name.clone(), line.key_hint);
        let ours: Vec<_> = self.signatures.iter().map(of).collect();
        let theirs = other.signatures.iter().filter(|line| !ours.contains(&of(line)));
        self.signatures.extend(theirs.cloned());
        Some(self)
    }

    /// Parses the one form of the note that [`Note::encode`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Form("longer than 3500 bytes"));
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Form("not UTF-8"))?;
        if whole.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Form("control characters"));
        }
        let split = whole.rfind("\n\n").ok_or(NoteError::Form("no signature block"))?;
        let (text, block) = (whole.get(..=split), whole.get(split + 2..));
        let (Some(text), Some(block)) = (text, block) else {
            return Err(NoteError::Form("no signature block"));
        };
        let block = block.strip_suffix('\n').ok_or(NoteError::Form("no final newline"))?;
        let signatures = block.split('\n').map(signature_line).collect::<Result<_, _>>()?;
        let note = Self { text: text.to_owned(), signatures };
        if note.encode() != bytes {
            return Err(NoteError::Form("signature lines are not in canonical base64"));
        }
        Ok(note)
    }

    /// The bytes of the note.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.text.clone();
        bytes.push('\n');
        for line in &self.signatures {
            let blob = [line.key_hint.as_slice(), &line.signature].concat();
            bytes.push_str(SIGNATURE_PREFIX);
            bytes.push_str(&line.name);
            bytes.push(' ');
            bytes.push_str(&BASE64.encode(blob));
            bytes.push('\n');
        }
        bytes.into_bytes()
    }

    /// The signed text, with its final newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines in their order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks the signature under `name` with `key`, strictly (RFC 8032 with canonical points).
    pub fn verify(&self, name: &str, key: &VerifyingKey) -> Result<(), NoteError> {
        let hint = key_hint(name, key);
        let mut lines = self.signatures.iter().filter(|line| line.name == name).peekable();
        if lines.peek().is_none() {
            return Err(NoteError::Unsigned { name: name.to_owned() });
        }
        let verifies = |line: &NoteSignature| {
            line.key_hint == hint
                && Signature::from_slice(&line.signature).is_ok_and(|signature| {
                    key.verify_strict(self.text.as_bytes(), &signature).is_ok()
                })
        };
        if lines.any(verifies) {
            Ok(())
        } else {
            Err(NoteError::BadSignature { name: name.to_owned() })
        }
    }
}

/// A key as other software is told it: `name+hint+type and key` (c2sp.org/signed-note, "verifier key").
#[must_use]
pub fn verifier_key(name: &str, key: &VerifyingKey) -> String {
    let typed = [&[SIGNATURE_TYPE_ED25519], key.as_bytes().as_slice()].concat();
    format!("{name}+{}+{}", hex(&key_hint(name, key)), BASE64.encode(typed))
}

/// `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)[..4]`: the key id of c2sp.org/signed-note.
fn key_hint(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([0x0a, SIGNATURE_TYPE_ED25519]);
    hasher.update(key.as_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

fn signature_line(line: &str) -> Result<NoteSignature, NoteError> {
    let form = NoteError::Form("a signature line is not \u{2014} NAME BASE64");
    let rest = line.strip_prefix(SIGNATURE_PREFIX).ok_or(form.clone())?;
    let (name, blob) = rest.split_once(' ').ok_or(form.clone())?;
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') {
        return Err(form);
    }
    let blob = BASE64.decode(blob).map_err(|_| form.clone())?;
    let (hint, signature) = blob.split_first_chunk::<4>().ok_or(form.clone())?;
    if signature.is_empty() {
        return Err(form);
    }
    Ok(NoteSignature { name: name.to_owned(), key_hint: *hint, signature: signature.to_vec() })
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    fn note(key: &SigningKey) -> Note {
        Note::signed("line one\nline two\n".into(), "some/name", &key.verifying_key(), |text| {
            key.sign(text)
        })
    }

    #[test]
    fn a_note_parses_back_and_verifies_under_its_key_only() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let other = SigningKey::from_bytes(&[8; 32]);
        let note = note(&key);
        let parsed = Note::parse(&note.encode()).unwrap();
        assert_eq!(parsed, note);
        assert_eq!(parsed.verify("some/name", &key.verifying_key()), Ok(()));
        assert!(matches!(
            parsed.verify("some/name", &other.verifying_key()),
            Err(NoteError::BadSignature { .. })
        ));
        assert!(matches!(
            parsed.verify("other", &key.verifying_key()),
            Err(NoteError::Unsigned { .. })
        ));
    }

    #[test]
    fn every_single_changed_byte_fails_to_parse_or_to_verify() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let bytes = note(&key).encode();
        for at in 0..bytes.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut bent = bytes.clone();
                bent[at] ^= flip;
                let accepted = Note::parse(&bent)
                    .is_ok_and(|note| note.verify("some/name", &key.verifying_key()).is_ok());
                assert!(!accepted, "byte {at}");
            }
        }
        for cut in 0..bytes.len() {
            assert!(Note::parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }
}
