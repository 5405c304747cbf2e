//! Asking a witness to cosign a head (c2sp.org/tlog-witness): it is shown that the head continues the one that it cosigned last, and of
//! its answer is believed what its key signed. Knows a wire that it is given; knows no ledger but by the proofs that it asks for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger_format::cosignature::{CosignatureError, WitnessKey};
use ledger_format::hash::NodeHash;
use ledger_format::head::{HeadError, SignedHead};

use super::proofs::EvidenceError;

/// Longest answer that is read, in bytes: a few cosignatures.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// The type of an answer that names a size.
const SIZE_TYPE: &str = "text/x.tlog.size";

/// Carries a request to a witness and brings its answer back.
pub trait Wire {
    /// Posts `body` to `url`. At most [`ANSWER_BYTES_MAX`] bytes of the answer are needed.
    fn post(&self, url: &str, body: &[u8]) -> Result<WireAnswer, WireError>;
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The type of what it says, if it names one.
    pub content_type: Option<String>,
    /// What it says.
    pub body: Vec<u8>,
}

/// Nothing came back, or not in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url}: {reason}")]
pub struct WireError {
    /// Where it went.
    pub url: String,
    /// What happened.
    pub reason: String,
}

/// A witness, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Where it answers: its submission prefix.
    pub url: &'a str,
    /// Its key.
    pub key: &'a WitnessKey,
    /// The size of the head that it is known to have cosigned last; 0 where nothing is known.
    pub known: u64,
    /// The latest time that is believed of a cosignature, in seconds since the Unix epoch.
    pub latest: u64,
}

/// A head with the cosignature of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The head, with that line and all it had before.
    pub head: SignedHead,
    /// When the witness says that it saw it, in seconds since the Unix epoch.
    pub seen: u64,
}

/// A head that was not cosigned.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// Nothing came back.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The witness cosigned more events than the ledger has: what is here was rolled back, or the witness lies.
    #[error("the witness {name} has cosigned a head over {theirs} events, the ledger has {ours}")]
    Ahead {
        /// The witness.
        name: String,
        /// Events it has seen.
        theirs: u64,
        /// Events here.
        ours: u64,
    },
    /// The witness cosigned another history: there is a fork, or the witness lies.
    #[error(
        "the witness {name} says that the head over {ours} events does not continue the one over {theirs} that it cosigned"
    )]
    Fork {
        /// The witness.
        name: String,
        /// The size that the proof began with.
        theirs: u64,
        /// Events here.
        ours: u64,
    },
    /// It says no, or not now.
    #[error("the witness {name} answers {status}: {meaning}")]
    Refused {
        /// The witness.
        name: String,
        /// The HTTP status.
        status: u16,
        /// What that means.
        meaning: &'static str,
    },
    /// Its answer makes no sense.
    #[error("the witness {name} answers {status}, and {reason}")]
    Nonsense {
        /// The witness.
        name: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It says to have cosigned the head, and did not.
    #[error("{0}")]
    Cosignature(#[from] CosignatureError),
    /// What it sent is no note under the head.
    #[error("its answer is no cosignature: {0}")]
    Note(#[from] HeadError),
    /// The proof could not be made.
    #[error(transparent)]
    Proof(#[from] EvidenceError),
}

/// Has a witness cosign `head`, which its own log key must have signed; `prove` makes the consistency proof from a size to the
/// head's. A witness that turns out to have seen another head than was known is asked a second time, and no third.
pub fn cosign(
    head: &SignedHead,
    asked: Asked<'_>,
    prove: impl Fn(u64) -> Result<Vec<NodeHash>, EvidenceError>,
    wire: &dyn Wire,
) -> Result<Cosigned, WitnessError> {
    let ours = head.head().size;
    let first = asked.known.min(ours);
    let mut old = first;
    loop {
        let answer = wire.post(&place(asked.url), &request(head, old, &prove(old)?))?;
        match weigh(head, asked, old, &answer)? {
            Weighed::Cosigned(cosigned) => return Ok(cosigned),
            Weighed::Seen(theirs) if old == first && theirs != old => old = theirs,
            // It was asked with the size that it has, which is ours too: its head has another root.
            Weighed::Seen(theirs) if theirs == old && old == ours => {
                return Err(WitnessError::Fork { name: asked.key.name().to_owned(), theirs, ours });
            }
            Weighed::Seen(_) => {
                let (name, status) = (asked.key.name().to_owned(), answer.status);
                let reason = "names the size that it was asked with, or another one each time";
                return Err(WitnessError::Nonsense { name, status, reason });
            }
        }
    }
}

enum Weighed {
    Cosigned(Cosigned),
    /// The size of the head that it cosigned last.
    Seen(u64),
}

fn place(url: &str) -> String {
    format!("{}/add-checkpoint", url.trim_end_matches('/'))
}

/// The body of `add-checkpoint`.
fn request(head: &SignedHead, old: u64, proof: &[NodeHash]) -> Vec<u8> {
    let nodes = proof.iter().map(|node| format!("{}\n", BASE64.encode(node.as_bytes())));
    let mut body = [format!("old {old}\n")].into_iter().chain(nodes).collect::<String>();
    body.push('\n');
    let mut body = body.into_bytes();
    body.extend(head.encode());
    body
}

fn weigh(
    head: &SignedHead,
    asked: Asked<'_>,
    old: u64,
    answer: &WireAnswer,
) -> Result<Weighed, WitnessError> {
    let (name, status) = (asked.key.name().to_owned(), answer.status);
    let ours = head.head().size;
    let nonsense = |reason| WitnessError::Nonsense { name: name.clone(), status, reason };
    let refused = |meaning| Err(WitnessError::Refused { name: name.clone(), status, meaning });
    if answer.body.len() > ANSWER_BYTES_MAX {
        return Err(nonsense("says more than any answer needs"));
    }
    match status {
        200 => Ok(Weighed::Cosigned(believed(head, asked, &answer.body)?)),
        409 => {
            let theirs = match size_of(answer) {
                Some(theirs) => theirs,
                // Nothing says that it names a size where sizes agree and roots do not.
                None if old == ours => old,
                None => return Err(nonsense("does not name a size")),
            };
            if theirs > ours {
                return Err(WitnessError::Ahead { name, theirs, ours });
            }
            Ok(Weighed::Seen(theirs))
        }
        422 => Err(WitnessError::Fork { name, theirs: old, ours }),
        300..=399 => refused("it points elsewhere, which is not followed"),
        400 => refused("it does not take the request"),
        403 => refused("it does not know a log key that signed the head"),
        404 => refused("it does not know the ledger, or does not answer at that address"),
        429 => refused("it was asked too often"),
        500..=599 => refused("it fails"),
        _ => refused("it says neither yes nor no"),
    }
}

/// A size as a witness names it: in decimal, on a line.
fn size_of(answer: &WireAnswer) -> Option<u64> {
    let typed = answer.content_type.as_deref()?.split(';').next()?.trim();
    let line = std::str::from_utf8(&answer.body).ok()?.strip_suffix('\n')?;
    let size: u64 = line.parse().ok()?;
    (typed == SIZE_TYPE && size.to_string() == line).then_some(size)
}

/// The head with those lines of an answer that the witness's key signed. Lines of others are nobody's business.
fn believed(head: &SignedHead, asked: Asked<'_>, lines: &[u8]) -> Result<Cosigned, WitnessError> {
    let Asked { key, latest, .. } = asked;
    let together = SignedHead::parse(&[head.encode().as_slice(), lines].concat())?;
    let seen = key.seen(together.note(), latest)?;
    let lines = key.lines(together.note(), latest).cloned();
    Ok(Cosigned { head: lines.fold(head.clone(), SignedHead::with_line), seen })
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use ed25519_dalek::{Signer as _, SigningKey};
    use ledger_format::cosignature::statement;
    use ledger_format::hash::{EventId, LedgerId, unhex};
    use ledger_format::head::TreeHead;
    use ledger_format::note::Note;
    use ledger_format::tree::{MemoryTree, prove_consistency, root, verify_consistency};

    use super::*;

    const NAME: &str = "witness.example/w1";
    const URL: &str = "https://witness.example/submit/";

    fn key(number: u8) -> SigningKey {
        SigningKey::from_bytes(&[number; 32])
    }

    fn witness_key() -> WitnessKey {
        WitnessKey::new(NAME, key(8).verifying_key()).unwrap()
    }

    /// A ledger of as many events as its tree has leaves.
    struct Ledger {
        tree: MemoryTree,
    }

    impl Ledger {
        fn new(history: u8, events: u64) -> Self {
            let leaf = |seq: u64| {
                NodeHash::leaf(EventId::of(&[&[history][..], &seq.to_be_bytes()].concat()))
            };
            Self { tree: (0..events).map(leaf).collect() }
        }

        fn head(&self, size: u64) -> SignedHead {
            let ledger = LedgerId::of(&[1; 32], &[2; 16]);
            let head = TreeHead { ledger, size, root: root(&self.tree, size).unwrap() };
            let signed = SignedHead::sign(head, &key(7).verifying_key(), |text| key(7).sign(text));
            let origin = head.text().lines().next().unwrap().to_owned();
            let log = Note::signed(head.text(), &origin, &key(9).verifying_key(), |text| {
                key(9).sign(text)
            });
            log.signatures().iter().cloned().fold(signed, SignedHead::with_line)
        }

        fn ask(&self, size: u64, known: u64, wire: &dyn Wire) -> Result<Cosigned, WitnessError> {
            let key = witness_key();
            let asked = Asked { url: URL, key: &key, known, latest: 1_800_000_000 };
            let prove = |old| Ok(prove_consistency(&self.tree, old, size).unwrap());
            cosign(&self.head(size), asked, prove, wire)
        }
    }

    /// A witness that does what c2sp.org/tlog-witness says, for one log.
    #[derive(Default)]
    struct Conforming {
        last: Cell<Option<(u64, NodeHash)>>,
        requests: Cell<usize>,
    }

    impl Conforming {
        fn answer(&self, body: &[u8]) -> Option<WireAnswer> {
            let text = std::str::from_utf8(body).unwrap();
            let (above, note) = text.split_once("\n\n")?;
            let mut lines = above.lines();
            let old: u64 = lines.next()?.strip_prefix("old ")?.parse().ok()?;
            let node =
                |line: &str| BASE64.decode(line).ok()?.try_into().ok().map(NodeHash::from_bytes);
            let proof: Vec<NodeHash> = lines.map(node).collect::<Option<_>>()?;
            let head = SignedHead::parse(note.as_bytes()).ok()?;
            let (size, found) = (head.head().size, head.head().root);
            let origin = head.head().text().lines().next()?.to_owned();
            if head.note().verify(&origin, &key(9).verifying_key()).is_err() {
                return Some(says(403, ""));
            }
            let (last, last_root) = self.last.get().unwrap_or((0, NodeHash::empty_root()));
            if old > size {
                return Some(says(400, ""));
            }
            if old != last {
                let content_type = Some(SIZE_TYPE.to_owned());
                return Some(WireAnswer { content_type, ..says(409, &format!("{last}\n")) });
            }
            let continues = match old {
                0 => proof.is_empty(),
                old => verify_consistency(old, &last_root, size, &found, &proof),
            };
            if old == size && last_root != found {
                let content_type = Some(SIZE_TYPE.to_owned());
                return Some(WireAnswer { content_type, ..says(409, &format!("{last}\n")) });
            }
            if !continues {
                return Some(says(422, ""));
            }
            self.last.set(Some((size, found)));
            Some(says(200, &cosigned(head.note().text(), 1_700_000_000, 8)))
        }
    }

    impl Wire for Conforming {
        fn post(&self, url: &str, body: &[u8]) -> Result<WireAnswer, WireError> {
            assert_eq!(url, "https://witness.example/submit/add-checkpoint");
            self.requests.set(self.requests.get() + 1);
            Ok(self.answer(body).unwrap_or_else(|| says(400, "")))
        }
    }

    fn says(status: u16, text: &str) -> WireAnswer {
        WireAnswer { status, content_type: None, body: text.as_bytes().to_vec() }
    }

    fn cosigned(text: &str, time: u64, number: u8) -> String {
        let vkey = WitnessKey::new(NAME, key(number).verifying_key()).unwrap().to_string();
        let hint = unhex(vkey.split('+').nth(1).unwrap()).unwrap();
        let signature = key(number).sign(&statement(text, time)).to_bytes();
        let blob = [hint.as_slice(), &time.to_be_bytes(), &signature].concat();
        format!("\u{2014} {NAME} {}\n", BASE64.encode(blob))
    }

    /// A wire that brings back what it is told, again and again.
    struct Bent(RefCell<Vec<Result<WireAnswer, WireError>>>);

    impl Wire for Bent {
        fn post(&self, _url: &str, _body: &[u8]) -> Result<WireAnswer, WireError> {
            let mut answers = self.0.borrow_mut();
            if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
        }
    }

    fn bent(answers: Vec<WireAnswer>) -> Bent {
        Bent(RefCell::new(answers.into_iter().map(Ok).collect()))
    }

    #[test]
    fn a_witness_cosigns_what_continues_what_it_saw() {
        let (ledger, witness) = (Ledger::new(1, 40), Conforming::default());
        let key = witness_key();
        let first = ledger.ask(7, 0, &witness).unwrap();
        assert_eq!(
            (first.seen, key.seen(first.head.note(), u64::MAX)),
            (1_700_000_000, Ok(1_700_000_000))
        );
        // Nothing but that line was added, and the head is still one.
        assert_eq!(first.head.note().signatures().len(), 3);
        assert_eq!(SignedHead::parse(&first.head.encode()), Ok(first.head));
        // With what is known of it one request is enough; without, it says what it saw.
        ledger.ask(20, 7, &witness).unwrap();
        assert_eq!(witness.requests.get(), 2);
        ledger.ask(40, 0, &witness).unwrap();
        assert_eq!(witness.requests.get(), 4);
        // The same again.
        ledger.ask(40, 40, &witness).unwrap();
    }

    #[test]
    fn a_ledger_that_was_rolled_back_or_forked_is_told_by_the_witness() {
        let (ledger, witness) = (Ledger::new(1, 40), Conforming::default());
        ledger.ask(30, 0, &witness).unwrap();
        for known in [0, 10, 30, 99] {
            let refused = ledger.ask(20, known, &witness).unwrap_err();
            assert!(
                matches!(refused, WitnessError::Ahead { theirs: 30, ours: 20, .. }),
                "{refused}"
            );
        }
        let fork = Ledger::new(2, 40);
        for (size, known) in [(30, 0), (30, 30), (40, 0), (40, 30)] {
            let refused = fork.ask(size, known, &witness).unwrap_err();
            assert!(matches!(refused, WitnessError::Fork { theirs: 30, .. }), "{refused}");
        }
        // What it cosigned before is what it goes on from.
        ledger.ask(40, 0, &witness).unwrap();
    }

    #[test]
    fn a_witness_that_lies_stalls_or_makes_no_sense_is_not_believed() {
        let ledger = Ledger::new(1, 20);
        let text = ledger.head(20).note().text().to_owned();
        let asks = |answers: Vec<WireAnswer>| ledger.ask(20, 0, &bent(answers)).unwrap_err();
        let sized =
            |text: &str| WireAnswer { content_type: Some(SIZE_TYPE.to_owned()), ..says(409, text) };
        for (status, told) in [
            (500, "fails"),
            (403, "log key"),
            (404, "ledger"),
            (400, "request"),
            (302, "elsewhere"),
            (429, "often"),
            (201, "neither"),
        ] {
            let refused = asks(vec![says(status, "")]);
            assert!(matches!(refused, WitnessError::Refused { .. }), "{refused}");
            assert!(refused.to_string().contains(told), "{refused}");
        }
        // Sizes that are none, that it was asked with, that change with each question.
        for text in ["", "7", "07\n", "-7\n", "x\n", "7\n\n", "99999999999999999999\n"] {
            let refused = asks(vec![sized(text)]);
            assert!(matches!(refused, WitnessError::Nonsense { .. }), "{text}: {refused}");
        }
        for answers in [
            vec![says(409, "7\n")],
            vec![sized("0\n")],
            vec![sized("7\n"), sized("8\n")],
            vec![sized("7\n"), sized("7\n")],
            vec![says(200, &"x".repeat(ANSWER_BYTES_MAX + 1))],
        ] {
            let refused = asks(answers);
            assert!(matches!(refused, WitnessError::Nonsense { .. }), "{refused}");
        }
        // Cosignatures of another text, by another key, without a time, and what is none at all.
        for lines in [
            cosigned("another\n", 1_700_000_000, 8),
            cosigned(&text, 0, 8),
            cosigned(&text, 1_700_000_000, 6),
            cosigned(&text, 1_800_000_001, 8),
            cosigned(&text, 1 << 62, 8),
        ] {
            let refused = asks(vec![says(200, &lines)]);
            assert!(matches!(refused, WitnessError::Cosignature(_)), "{refused}");
        }
        for lines in ["", "hello", "hello\n", "\u{2014} a b c\n"] {
            assert!(ledger.ask(20, 0, &bent(vec![says(200, lines)])).is_err(), "{lines}");
        }
        // Lines of others beside the good one are not taken along.
        let many = cosigned(&text, 1_700_000_000, 6) + &cosigned(&text, 1_700_000_000, 8);
        let good = ledger.ask(20, 0, &bent(vec![says(200, &many)])).unwrap();
        assert_eq!(good.head.note().signatures().len(), 3);
        // Nothing comes back.
        let reason = "timed out".to_owned();
        let silent = Bent(RefCell::new(vec![Err(WireError { url: URL.to_owned(), reason })]));
        assert!(matches!(ledger.ask(20, 0, &silent), Err(WitnessError::Wire(_))));
    }
}
