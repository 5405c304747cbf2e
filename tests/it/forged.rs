//! Histories that somebody writes who has none of the ledger's keys but knows all that is public of it: events carry no signature of their own,
//! so each must stand under a head that its actor signed. Certificates and published folders, put to both verifiers.

use std::fs;
use std::path::Path;
use std::process::Command;

use ed25519_dalek::{Signer as _, SigningKey};
use glyph_ledger::evidence::{AttestError, PublishedError, attest, verify_published};
use ledger_format::body::{ApprovalsSet, Body, FixedBytes, KeyAuthorized, Role, Roles};
use ledger_format::bundle::Bundle;
use ledger_format::event::Event;
use ledger_format::hash::{EventId, KeyId, LedgerId, NodeHash, unhex};
use ledger_format::head::{SignedHead, TreeHead};
use ledger_format::statement::{ProvedEvent, ProvedHead, Statement};
use ledger_format::tile::{entries_bytes, tile_bytes};
use ledger_format::tree::{MemoryTree, prove_consistency, prove_inclusion, root};
use serde_json::Value;

/// A history: its events, linked.
#[derive(Clone)]
struct History {
    ledger: LedgerId,
    events: Vec<Event>,
}

impl History {
    /// As the vectors have it.
    fn real() -> Self {
        let ledger = vector("ledger.json");
        let event = |event: &Value| {
            Event::decode(&unhex(event["bytes"].as_str().unwrap()).unwrap()).unwrap()
        };
        let events: Vec<Event> = ledger["events"].as_array().unwrap().iter().map(event).collect();
        Self { ledger: events[0].ledger, events }
    }

    /// Its first event, and behind it one by the owner that lets a stranger in, which the owner never signed.
    fn forged() -> Self {
        let Self { ledger, events } = Self::real();
        let mut history = Self { ledger, events: events[..1].to_vec() };
        history.add(key_id(&owner()), authorises(&stranger(), &[Role::Administer, Role::Append]));
        history
    }

    fn add(&mut self, actor: KeyId, body: Body) -> EventId {
        let last = self.events.last().unwrap();
        let (seq, at, prev) = (last.seq + 1, last.at, EventId::of(&last.encode().unwrap()));
        let event = Event { at, seq, body, prev, actor, ledger: self.ledger };
        let id = EventId::of(&event.encode().unwrap());
        self.events.push(event);
        id
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        self.events.iter().map(|event| event.encode().unwrap()).collect()
    }

    fn tree(&self) -> MemoryTree {
        self.bytes().iter().map(|bytes| NodeHash::leaf(EventId::of(bytes))).collect()
    }

    /// A head over the first `size` events.
    fn head(&self, size: u64, by: &SigningKey) -> SignedHead {
        let head = TreeHead { ledger: self.ledger, size, root: root(&self.tree(), size).unwrap() };
        SignedHead::sign(head, &by.verifying_key(), |text| by.sign(text))
    }

    fn size(&self) -> u64 {
        self.events.len() as u64
    }
}

fn vector(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger-format/vectors").join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn owner() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn stranger() -> SigningKey {
    SigningKey::from_bytes(&[66; 32])
}

fn key_id(key: &SigningKey) -> KeyId {
    KeyId::of(key.verifying_key().as_bytes())
}

fn authorises(key: &SigningKey, roles: &[Role]) -> Body {
    let (public_key, roles) = (FixedBytes(key.verifying_key().to_bytes()), roles.iter().copied());
    KeyAuthorized { public_key, roles: Roles::new(roles).unwrap(), possession: None }.into()
}

/// A certificate of the run in the vectors, that nobody of that ledger signed: the stranger lets themselves in, and carries it out.
fn forged_certificate() -> (History, Statement) {
    let real = History::real();
    let mut history = History::forged();
    let strangers = key_id(&stranger());
    let run = history.add(strangers, real.events[6].body.clone());
    for seq in [10, 11] {
        let body = match real.events[seq].body.clone() {
            Body::RunCommitted(mut body) => {
                body.run = run;
                body.into()
            }
            Body::RunPublished(mut body) => {
                body.run = run;
                Body::from(body)
            }
            other => panic!("{other:?}"),
        };
        history.add(strangers, body);
    }
    let bundle = Bundle::parse(vector("bundle.json")["bundle"].as_str().unwrap().as_bytes());
    let real = Statement::parse(&bundle.unwrap().payload).unwrap();
    let (tree, size) = (history.tree(), history.size());
    let proved =
        |(seq, bytes)| ProvedEvent { bytes, nodes: prove_inclusion(&tree, seq, size).unwrap() };
    let events = (0..).zip(history.bytes()).map(proved).collect();
    let head = history.head(size, &stranger());
    (history, Statement { run, head, heads: Vec::new(), events, ..real })
}

fn with_head(history: &History, statement: &Statement, head: SignedHead) -> Statement {
    let nodes = prove_consistency(&history.tree(), head.head().size, history.size()).unwrap();
    Statement { heads: vec![ProvedHead { head, nodes }], ..statement.clone() }
}

fn signed(statement: &Statement, by: &SigningKey) -> Vec<u8> {
    Bundle::sign(statement.encode(), &by.verifying_key(), |text| by.sign(text)).encode()
}

#[test]
fn l7_nobody_certifies_with_events_that_their_actors_did_not_sign() {
    let (history, statement) = forged_certificate();
    let folder = tempfile::tempdir().unwrap();
    let judge = |statement: &Statement| {
        let bytes = signed(statement, &stranger());
        let path = folder.path().join("forged.json");
        fs::write(&path, &bytes).unwrap();
        (attest(&bytes, Some(history.ledger), None), python("verify_bundle.py", &path, &history))
    };
    // Nobody but the stranger signed a head.
    let (error, python) = judge(&statement);
    assert!(matches!(error, Err(AttestError::Unsigned { seq: 0, .. })), "{error:?}");
    assert!(!python);
    // With the owner's own head over the first event, which everybody can have.
    let (error, python) = judge(&with_head(&history, &statement, history.head(1, &owner())));
    assert!(matches!(error, Err(AttestError::Unsigned { seq: 1, .. })), "{error:?}");
    assert!(!python);
    // A head that says to be the owner's.
    let forged = history.head(2, &stranger());
    let (error, python) = judge(&with_head(&history, &statement, forged));
    assert!(error.is_err() && !python);
    // Had the owner signed it, it would be true: nothing else is wrong with it.
    let (attested, python) = judge(&with_head(&history, &statement, history.head(2, &owner())));
    assert!(attested.is_ok() && python, "{attested:?}");
    // A head of another history, and one that nothing needs.
    let real = History::real();
    let (error, python) = judge(&with_head(&history, &statement, real.head(2, &owner())));
    assert!(matches!(error, Err(AttestError::Statement(_))) && !python, "{error:?}");
    let mut other = history.clone();
    other.add(key_id(&stranger()), authorises(&SigningKey::from_bytes(&[3; 32]), &[Role::Approve]));
    let mut both = with_head(&history, &statement, history.head(2, &owner()));
    both.heads.push(both.heads[0].clone());
    let (error, python) = judge(&both);
    assert!(error.is_err() && !python);
}

#[test]
fn l6_nobody_publishes_events_that_their_actors_did_not_sign() {
    let mut history = History::forged();
    history.add(key_id(&stranger()), ApprovalsSet { count: 0 }.into());
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let size = history.size();
    let hashes: Vec<NodeHash> =
        history.bytes().iter().map(|bytes| NodeHash::leaf(EventId::of(bytes))).collect();
    let entries = entries_bytes(history.bytes().iter().map(Vec::as_slice)).unwrap();
    for folder in ["tile/0/000.p", "tile/entries/000.p", "heads"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    fs::write(dir.join(format!("tile/0/000.p/{size}")), tile_bytes(&hashes)).unwrap();
    fs::write(dir.join(format!("tile/entries/000.p/{size}")), entries).unwrap();
    fs::write(dir.join("checkpoint"), history.head(size, &stranger()).encode()).unwrap();
    let judge = |heads: &[SignedHead]| {
        let notes: Vec<String> =
            heads.iter().map(|head| String::from_utf8(head.encode()).unwrap()).collect();
        let text = format!("{}\n", serde_json::to_string(&notes).unwrap());
        fs::write(dir.join(format!("heads/{size}.json")), text).unwrap();
        let judged = verify_published(dir, Some(history.ledger), &[]);
        (judged.map(|_| ()), python("verify_tiles.py", dir, &history))
    };
    for heads in [vec![], vec![history.head(1, &owner())]] {
        let (error, python) = judge(&heads);
        assert!(matches!(error, Err(PublishedError::Unsigned { .. })) && !python, "{error:?}");
    }
    let (error, python) = judge(&[history.head(2, &stranger())]);
    assert!(error.is_err() && !python, "{error:?}");
    let (judged, python) = judge(&[history.head(2, &owner())]);
    assert!(judged.is_ok() && python, "{judged:?}");
    let (error, python) = judge(&[history.head(1, &owner()), history.head(2, &owner())]);
    assert!(error.is_err() && !python, "{error:?}");
}

/// Whether the verifier in Python finds nothing wrong.
fn python(verifier: &str, path: &Path, history: &History) -> bool {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/verify").join(verifier);
    let ledger = history.ledger.to_string();
    let said = Command::new("python3")
        .arg("-B")
        .arg(script)
        .arg(path)
        .args(["--ledger", &ledger])
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&said.stdout).unwrap();
    answer["ok"].as_bool().unwrap()
}
