//! Cosignatures: what witnesses say of heads that they have seen to continue those they saw before (c2sp.org/tlog-cosignature, Ed25519).
//! Knows keys as witnesses give them out and the form of their signatures; knows not which witnesses are to be believed.

use std::fmt::{self, Display, Formatter};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::body::usable_key;
use crate::hash::{hex, unhex};
use crate::note::{Note, NoteSignature};

/// The type of a key that cosigns, among those of c2sp.org/signed-note.
const COSIGNER_ED25519: u8 = 0x04;

/// The type of a key that signs notes.
const SIGNER_ED25519: u8 = 0x01;

/// Bytes of the time in front of a signature.
const TIME_BYTES: usize = 8;

/// The latest time that a cosignature may have, in seconds since the Unix epoch: the last second of the year 9999. Whoever has a clock
/// believes less.
pub const COSIGNED_AT_MAX: u64 = 253_402_300_799;

/// A text that is no verifier key, or not one of the kind that is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifierKeyError {
    /// Not the form.
    #[error("no verifier key (NAME+HINT+BASE64): {0}")]
    Form(&'static str),
    /// A key of another type.
    #[error("a verifier key of type {found:#04x}, expected {expected:#04x}")]
    Type {
        /// The type needed.
        expected: u8,
        /// The type found.
        found: u8,
    },
    /// The bytes are no point, or one of small order.
    #[error("not a usable Ed25519 public key")]
    Unusable,
}

/// A key under the name that it signs notes with (c2sp.org/signed-note, "verifier keys").
#[derive(Debug, Clone, PartialEq, Eq)]
struct NamedKey {
    name: String,
    key: VerifyingKey,
    hint: [u8; 4],
}

/// The key of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey(NamedKey);

/// The key of a log, which signs its heads under their origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey(NamedKey);

/// A cosignature that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// There is none by that witness.
    #[error("no cosignature by {name}")]
    Absent {
        /// The witness.
        name: String,
    },
    /// There is one and it does not verify.
    #[error("the cosignature by {name} does not verify")]
    Bad {
        /// The witness.
        name: String,
    },
    /// There is one of a time that has not come yet.
    #[error("the cosignature by {name} is of {time} seconds after 1970, which lies in the future")]
    Future {
        /// The witness.
        name: String,
        /// The time that it states.
        time: u64,
    },
}

impl WitnessKey {
    /// The key of the witness `name`; `None` for a name that no note can have.
    pub fn new(name: &str, key: VerifyingKey) -> Option<Self> {
        NamedKey::new(name, key, COSIGNER_ED25519).map(Self)
    }

    /// Reads a verifier key of the type that cosigns.
    pub fn parse(text: &str) -> Result<Self, VerifierKeyError> {
        NamedKey::parse(text, COSIGNER_ED25519).map(Self)
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The key itself.
    pub const fn key(&self) -> &VerifyingKey {
        &self.0.key
    }

    /// When the witness says that it saw the note, in seconds since the Unix epoch. Of several cosignatures by it one must hold, and be of
    /// no later time than `latest`, or than [`COSIGNED_AT_MAX`].
    pub fn seen(&self, note: &Note, latest: u64) -> Result<u64, CosignatureError> {
        let name = self.0.name.clone();
        let mut lines = note.signatures().iter().filter(|line| self.0.named_by(line)).peekable();
        if lines.peek().is_none() {
            return Err(CosignatureError::Absent { name });
        }
        let times: Vec<u64> = lines.filter_map(|line| self.time(note.text(), line)).collect();
        let mut believed = times.iter().filter(|time| is_believable(**time, latest));
        match (believed.next(), times.first()) {
            (Some(time), _) => Ok(*time),
            (None, Some(time)) => Err(CosignatureError::Future { name, time: *time }),
            (None, None) => Err(CosignatureError::Bad { name }),
        }
    }

    /// The cosignatures by it that hold and are of no later time than `latest`.
    pub fn lines<'a>(
        &'a self,
        note: &'a Note,
        latest: u64,
    ) -> impl Iterator<Item = &'a NoteSignature> {
        let holds = move |line: &&NoteSignature| {
            self.0.named_by(line)
                && self.time(note.text(), line).is_some_and(|time| is_believable(time, latest))
        };
        note.signatures().iter().filter(holds)
    }

    /// The time of a cosignature that verifies.
    fn time(&self, text: &str, line: &NoteSignature) -> Option<u64> {
        let (time, signature) = line.signature.split_first_chunk::<TIME_BYTES>()?;
        let time = u64::from_be_bytes(*time);
        // No time is no statement of having seen it.
        if time == 0 {
            return None;
        }
        let signature = Signature::from_slice(signature).ok()?;
        self.0.key.verify_strict(&statement(text, time), &signature).ok().map(|()| time)
    }
}

const fn is_believable(time: u64, latest: u64) -> bool {
    time <= latest && time <= COSIGNED_AT_MAX
}

/// What a witness signs, of the text of a note and the time.
pub fn statement(text: &str, time: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

impl LogKey {
    /// Reads a verifier key of the type that signs notes.
    pub fn parse(text: &str) -> Result<Self, VerifierKeyError> {
        NamedKey::parse(text, SIGNER_ED25519).map(Self)
    }

    /// The key itself.
    pub const fn key(&self) -> &VerifyingKey {
        &self.0.key
    }

    /// Whether it signed the note.
    pub fn signed(&self, note: &Note) -> bool {
        note.verify(&self.0.name, &self.0.key).is_ok()
    }
}

impl NamedKey {
    fn new(name: &str, key: VerifyingKey, of_type: u8) -> Option<Self> {
        let fits =
            !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+' || c < ' ');
        fits.then(|| Self { name: name.to_owned(), key, hint: hint(name, of_type, &key) })
    }

    fn parse(text: &str, expected: u8) -> Result<Self, VerifierKeyError> {
        let form = VerifierKeyError::Form;
        // The key in base64 may have a + of its own.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hinted), Some(typed)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(form("it has no three parts"));
        };
        let typed = BASE64.decode(typed).map_err(|_| form("the key is not base64"))?;
        let (found, bytes) = typed.split_first().ok_or(form("the key is empty"))?;
        if *found != expected {
            return Err(VerifierKeyError::Type { expected, found: *found });
        }
        let bytes = bytes.try_into().map_err(|_| form("the key does not have 32 bytes"))?;
        let key = usable_key(bytes).ok_or(VerifierKeyError::Unusable)?;
        let named = Self::new(name, key, expected).ok_or(form("the name is none of a key"))?;
        if unhex(hinted).as_deref() != Some(&named.hint) {
            return Err(form("the hint is not that of name and key"));
        }
        Ok(named)
    }

    /// Whether a line says to be by this key.
    fn named_by(&self, line: &NoteSignature) -> bool {
        line.name == self.name && line.key_hint == self.hint
    }

    fn write(&self, of_type: u8, f: &mut Formatter<'_>) -> fmt::Result {
        let typed = [&[of_type], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex(&self.hint), BASE64.encode(typed))
    }
}

impl Display for WitnessKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.write(COSIGNER_ED25519, f)
    }
}

impl Display for LogKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.write(SIGNER_ED25519, f)
    }
}

/// `SHA-256(name ‖ 0x0A ‖ type ‖ public key)[..4]`.
fn hint(name: &str, of_type: u8, key: &VerifyingKey) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([0x0a, of_type]);
    hasher.update(key.as_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    const NAME: &str = "witness.example/w1";

    fn log() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn cosigner() -> SigningKey {
        SigningKey::from_bytes(&[8; 32])
    }

    fn witness() -> WitnessKey {
        WitnessKey::new(NAME, cosigner().verifying_key()).unwrap()
    }

    fn note() -> String {
        let (text, key) = ("example.com/log\n12\nAAAA\n".to_owned(), log());
        let note =
            Note::signed(text, "example.com/log", &key.verifying_key(), |text| key.sign(text));
        String::from_utf8(note.encode()).unwrap()
    }

    /// A signature line as a witness answers with it.
    fn line(text: &str, time: u64, key: &SigningKey, hint: [u8; 4]) -> String {
        let signature = key.sign(&statement(text, time)).to_bytes();
        let blob = [&hint[..], &time.to_be_bytes(), &signature].concat();
        format!("\u{2014} {NAME} {}\n", BASE64.encode(blob))
    }

    fn seen(note: &str) -> Result<u64, CosignatureError> {
        witness().seen(&Note::parse(note.as_bytes()).unwrap(), u64::MAX)
    }

    #[test]
    fn a_cosignature_says_when_a_note_was_seen() {
        let (note, hint) = (note(), witness().0.hint);
        let text = note.split_once("\n\n").unwrap().0.to_owned() + "\n";
        let good = line(&text, 1_700_000_000, &cosigner(), hint);
        assert!(matches!(seen(&note), Err(CosignatureError::Absent { .. })));
        assert_eq!(seen(&format!("{note}{good}")), Ok(1_700_000_000));
        // Twice by one key is once, and a bad one beside a good one does not matter.
        let bad = line("another text\n", 1_700_000_000, &cosigner(), hint);
        assert_eq!(seen(&format!("{note}{good}{good}")), Ok(1_700_000_000));
        assert_eq!(seen(&format!("{note}{bad}{good}")), Ok(1_700_000_000));
        for bad in
            [bad, line(&text, 0, &cosigner(), hint), line(&text, 1_700_000_000, &log(), hint)]
        {
            assert!(matches!(seen(&format!("{note}{bad}")), Err(CosignatureError::Bad { .. })));
        }
        // A line of another key under that name is nobody's business.
        let other = line(&text, 1_700_000_000, &cosigner(), [0; 4]);
        assert!(matches!(seen(&format!("{note}{other}")), Err(CosignatureError::Absent { .. })));
    }

    #[test]
    fn a_cosignature_of_a_time_to_come_says_nothing() {
        let (note, hint) = (note(), witness().0.hint);
        let text = note.split_once("\n\n").unwrap().0.to_owned() + "\n";
        let later = [1_700_000_001, COSIGNED_AT_MAX, COSIGNED_AT_MAX + 1, 1 << 62, u64::MAX];
        let at = |time| line(&text, time, &cosigner(), hint);
        let judged = |lines: &str, latest| {
            let note = Note::parse(format!("{note}{lines}").as_bytes()).unwrap();
            let kept = witness().lines(&note, latest).count();
            (witness().seen(&note, latest), kept)
        };
        for time in later {
            let future = CosignatureError::Future { name: NAME.to_owned(), time };
            assert_eq!(judged(&at(time), 1_700_000_000), (Err(future.clone()), 0), "{time}");
            // Without a clock, years of four digits are all that is believed.
            let (seen, kept) = judged(&at(time), u64::MAX);
            let expected = if time <= COSIGNED_AT_MAX { (Ok(time), 1) } else { (Err(future), 0) };
            assert_eq!((seen, kept), expected, "{time}");
            // Beside one that counts it does no harm.
            let both = format!("{}{}", at(time), at(1_700_000_000));
            assert_eq!(judged(&both, 1_700_000_000), (Ok(1_700_000_000), 1), "{time}");
        }
    }

    #[test]
    fn the_signed_message_is_that_of_the_specification() {
        let expected = "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n\
                        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let text = "example.com/behind-the-sofa\n20852163\n\
                    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        assert_eq!(statement(text, 1_679_315_147), expected.as_bytes());
    }

    #[test]
    fn verifier_keys_are_read_as_they_are_written_and_nothing_else() {
        let text = witness().to_string();
        assert_eq!(WitnessKey::parse(&text), Ok(witness()));
        assert!(matches!(LogKey::parse(&text), Err(VerifierKeyError::Type { found: 4, .. })));
        let log = LogKey(NamedKey::new("example.com/log", log().verifying_key(), 1).unwrap());
        assert_eq!(LogKey::parse(&log.to_string()), Ok(log.clone()));
        assert!(log.signed(&Note::parse(note().as_bytes()).unwrap()));
        let renamed = text.replacen("w1", "w2", 1);
        for bad in
            ["", "a", "a+b", "a+b+c", &text[..text.len() - 4], &renamed, &text.replace('+', " ")]
        {
            assert!(WitnessKey::parse(bad).is_err(), "{bad}");
        }
    }
}
