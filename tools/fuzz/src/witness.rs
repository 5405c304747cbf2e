//! What witnesses and those who rely on them write: cosignatures, answers, policies, and proofs that bring a cosigned head along.

use std::cell::Cell;

use ed25519_dalek::{Signer as _, SigningKey};
use glyph_ledger::evidence::{Asked, Wire, WireAnswer, WireError, cosign};
use glyph_ledger::trust::Policy;
use ledger_format::cosignature::{COSIGNED_AT_MAX, LogKey, WitnessKey, statement};
use ledger_format::hash::{EventId, LedgerId, NodeHash};
use ledger_format::head::{SignedHead, TreeHead};
use ledger_format::note::{Note, NoteSignature};
use ledger_format::proof::InclusionProof;

/// Any time is believed that has not more than ten digits.
const LATEST: u64 = 9_999_999_999;

pub(crate) const NAME: &str = "witness.example/w1";

fn secret(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// The key of the witness that signs in seeds, and of another one of its name.
fn key(number: u8) -> WitnessKey {
    WitnessKey::new(NAME, secret(number).verifying_key()).expect("a name of a key")
}

/// What somebody might write into a policy of that witness.
pub(crate) fn vkey(number: u8) -> String {
    key(number).to_string()
}

/// The line of the witness `number` under a text.
pub(crate) fn line(text: &str, number: u8, time: u64) -> NoteSignature {
    let signature = secret(number).sign(&statement(text, time)).to_bytes();
    let vkey = key(number).to_string();
    let hint = ledger_format::hash::unhex(vkey.split('+').nth(1).unwrap_or_default());
    let key_hint = hint.and_then(|hint| hint.try_into().ok()).expect("four bytes");
    let signature = [&time.to_be_bytes()[..], &signature].concat();
    NoteSignature { name: NAME.to_owned(), key_hint, signature }
}

pub(crate) fn cosignature(input: &[u8]) {
    let Ok(note) = Note::parse(input) else { return };
    let (ours, other) = (key(8), key(9));
    for latest in [0, LATEST, u64::MAX] {
        let seen = ours.seen(&note, latest);
        let held = ours.lines(&note, latest).count();
        assert_eq!(seen.is_ok(), held > 0, "a line that holds is when it was seen");
        if let Ok(time) = seen {
            assert!(time > 0 && time <= latest && time <= COSIGNED_AT_MAX);
            assert!(other.seen(&note, latest).is_err() || note.signatures().len() > held);
        }
    }
    // Signed anew, at the time that the input names first, it holds as far as that time is one.
    let named = note.signatures().iter().find_map(|line| line.signature.first_chunk::<8>());
    let time = named.map_or(0, |time| u64::from_be_bytes(*time));
    let text = note.text().to_owned();
    let alone = Note::parse(input).ok().map(|note| note.with_line(line(&text, 9, time)));
    let alone = alone.expect("it was read before");
    let holds = time > 0 && time <= COSIGNED_AT_MAX;
    assert!(other.seen(&alone, u64::MAX).is_ok() || !holds);
}

/// An answer of a witness to a head: the status in two bytes, whether it names the type of a size in one, and what it says.
pub(crate) fn answer(input: &[u8]) {
    let Some((front, body)) = input.split_first_chunk::<3>() else { return };
    let status = u16::from_be_bytes([front[0], front[1]]);
    let content_type = (front[2] % 2 == 1).then(|| "text/x.tlog.size".to_owned());
    let wire = Same {
        answer: WireAnswer { status, content_type, body: body.to_vec() },
        asked: Cell::new(0),
    };
    let (head, key) = (any_head(), key(8));
    let asked = Asked { url: "https://witness.example", key: &key, known: 0, latest: LATEST };
    let answered = cosign(&head, asked, |_| Ok(Vec::new()), &wire);
    assert!(wire.asked.get() <= 2, "a witness is asked twice at most");
    if let Ok(cosigned) = answered {
        assert_eq!(cosigned.head.head(), head.head());
        assert_eq!(cosigned.head.signer(), head.signer());
        assert_eq!(key.seen(cosigned.head.note(), LATEST), Ok(cosigned.seen));
        let others = cosigned.head.cosignatures().filter(|line| line.name != NAME).count();
        assert_eq!(others, 0, "lines of others are not taken along");
    }
}

/// A head that nobody but its ledger signed.
pub(crate) fn head(size: u64, root: NodeHash) -> SignedHead {
    let (ledger, secret) = (LedgerId::of(&[7; 32], &[1; 16]), secret(7));
    let head = TreeHead { ledger, size, root };
    SignedHead::sign(head, &secret.verifying_key(), |text| secret.sign(text))
}

fn any_head() -> SignedHead {
    head(3, NodeHash::empty_root())
}

struct Same {
    answer: WireAnswer,
    asked: Cell<usize>,
}

impl Wire for Same {
    fn post(&self, _url: &str, _body: &[u8]) -> Result<WireAnswer, WireError> {
        self.asked.set(self.asked.get() + 1);
        Ok(self.answer.clone())
    }
}

pub(crate) fn policy(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for word in text.split_whitespace() {
        if let Ok(key) = WitnessKey::parse(word) {
            assert_eq!(WitnessKey::parse(&key.to_string()), Ok(key));
        }
        if let Ok(key) = LogKey::parse(word) {
            assert_eq!(LogKey::parse(&key.to_string()), Ok(key));
        }
    }
    let Ok(policy) = Policy::parse(text) else { return };
    let head = any_head();
    let nobody = policy.judge(&head, LATEST);
    let nothing = policy.judge_nothing();
    assert!(nobody.met || !nothing.met, "what needs nobody is met by any head");
    assert!(nobody.seen.iter().all(|(_, seen)| seen.is_err()));
    assert_eq!(nobody.seen.len(), policy.witnesses().len());
    // Who is asked for nothing is not asked for more by what somebody signed.
    let note = head.note().text().to_owned();
    let seen = policy.judge(&head.with_line(line(&note, 8, 1_700_000_000)), LATEST);
    assert!(seen.met || !nobody.met, "a cosignature takes nothing away");
}

pub(crate) fn proof(input: &[u8]) {
    let Ok(proof) = InclusionProof::parse(input) else { return };
    assert_eq!(proof.encode(), input, "accepted, and written otherwise");
    let Some(event) = &proof.extra else { return };
    let id = EventId::of(event);
    if proof.leads_from(id).is_ok() {
        assert!(proof.index < proof.head.head().size);
        assert!(proof.leads_from(EventId::of(&[event.as_slice(), b"x"].concat())).is_err());
    }
}
