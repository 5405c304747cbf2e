//! Certificates as files: made by the program, verified by whoever has no ledger, by the verifier in Python and by software that is
//! not ours; bent in every way that could make one say something else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ed25519_dalek::{Signer as _, SigningKey};
use glyph_ledger::evidence::{AttestError, Attested, attest};
use ledger_format::bundle::Bundle;
use ledger_format::hash::{CommitHash, EventId, KeyId, LedgerId, NodeHash};
use ledger_format::head::{SignedHead, TreeHead};
use ledger_format::statement::{Claims, ProvedEvent, Statement};
use ledger_format::tree::{MemoryTree, prove_inclusion};
use serde_json::Value;

use crate::support::{Place, Said, a_tree, check_answer, done};

const DOCUMENT: &str = r#"{"v": 1, "titel": "a"}"#;

/// A ledger with a run, its id, and the certificate of the run in `certificate.sigstore.json`.
fn certified() -> (Place, String) {
    let place = a_tree(&[("one.json", DOCUMENT), ("two.json", r#"{"v": 1, "titel": "b"}"#)]);
    done(&place, &["apply"]);
    let exported = export(&place, &["-o", FILE]);
    let id = exported["ledger"].as_str().unwrap().to_owned();
    (place, id)
}

const FILE: &str = "../certificate.sigstore.json";

fn export(place: &Place, more: &[&str]) -> Value {
    let arguments = [&["migration", "certificate", "export", "--json"], more].concat();
    let answer = done(place, &arguments).json();
    check_answer("certificate", &answer);
    answer["data"].clone()
}

fn file(place: &Place) -> PathBuf {
    place.work().join(FILE)
}

/// What the program says of the bundle of `place` to somebody without a ledger; the Python verifier must agree.
fn verified(place: &Place, more: &[&str]) -> (i32, Value) {
    let stranger = Place::new();
    let bundle = file(place).display().to_string();
    let said = stranger.run(&[&["bundle", "verify", &bundle, "--json"], more].concat());
    let answer = said.json();
    check_answer("bundle", &answer);
    let python = python(&[&[bundle.as_str()], more].concat());
    assert_eq!(python.status.code(), Some(said.exit), "{said:?}\n{python:?}");
    (said.exit, answer)
}

fn python(arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/verify/verify_bundle.py");
    Command::new("python3").arg("-B").arg(script).args(arguments).output().unwrap()
}

fn code(answer: &Value) -> &str {
    answer["diagnostics"][0]["code"].as_str().unwrap_or_default()
}

#[test]
fn l7_a_certificate_is_verified_by_whoever_knows_the_ledgers_id() {
    let (place, id) = certified();
    let target = place.work().join("one.json").display().to_string();
    let (exit, answer) = verified(&place, &["--ledger", &id, "--subject", &target]);
    assert_eq!(exit, 0, "{answer}");
    let data = &answer["data"];
    assert_eq!(data["subject"], serde_json::json!(["one.json"]));
    assert_eq!((&data["objects"], &data["outcome"]), (&2.into(), &"published".into()));
    assert_eq!((&data["signer"]["since"], &data["claims_seen"]), (&0.into(), &true.into()));
    let stranger = Place::new();
    let told = stranger.run(&["bundle", "verify", file(&place).to_str().unwrap(), "--ledger", &id]);
    let (size, said) = (data["size"].as_u64().unwrap(), told.stdout);
    let expected = format!("authorised at seq 0; revocation after size {size} is not visible here");
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains("nor is what was left out"), "{said}");
    let (exit, answer) = verified(&place, &[]);
    assert_eq!((exit, code(&answer)), (7, "SIGNER_NOT_NAMED"));
    let first = if id.starts_with('0') { "1" } else { "0" };
    let other = format!("{first}{}", &id[1..]);
    let (exit, answer) = verified(&place, &["--ledger", &other]);
    assert_eq!((exit, code(&answer)), (3, "LEDGER_FOREIGN"));
    // A head from elsewhere says something of one over as many events, and of no other.
    let (root, bent) = (data["root"].as_str().unwrap(), "0".repeat(64));
    for (stated, exit, code_told) in [
        (format!("{size}:{root}"), 0, ""),
        (format!("{size}:{bent}"), 3, "LEDGER_DIVERGED"),
        (format!("{}:{root}", size - 1), 7, "COMPLETENESS_NOT_PROVEN"),
    ] {
        let bundle = file(&place).display().to_string();
        let expect = ["--ledger", &id, "--expect", &stated, "--json"];
        let said = place.run(&[&["bundle", "verify", &bundle], &expect[..]].concat());
        let answer = said.json();
        assert_eq!(said.exit, exit, "{answer}");
        assert!(exit == 0 || code(&answer) == code_told, "{answer}");
    }
    // The folder of a ledger says its id too.
    let bundle = file(&place).display().to_string();
    done(&place, &["bundle", "verify", &bundle, "--ledger", ".glyph-ledger"]);
    // What goes to stdout is the file.
    let printed = done(&place, &["migration", "certificate", "export"]).stdout;
    assert_eq!(printed, fs::read_to_string(file(&place)).unwrap());
    assert_eq!(export(&place, &[])["bundle"], printed);
}

#[test]
fn l7_a_file_that_the_certificate_is_not_about_is_refused() {
    let (place, id) = certified();
    let beside = |name: &str, text: &str| {
        let path = place.work().with_file_name(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    for (file, told) in [
        (beside("other.json", "{}"), "no object as the run left it"),
        (beside("before.json", DOCUMENT), "what one.json was before the run"),
    ] {
        let (exit, answer) = verified(&place, &["--ledger", &id, "--subject", &file]);
        assert_eq!((exit, code(&answer)), (3, "SUBJECT_FOREIGN"));
        let message = answer["diagnostics"][0]["message"].as_str().unwrap();
        assert!(message.contains(told), "{message}");
    }
    let gone = beside("gone.json", "");
    fs::remove_file(&gone).unwrap();
    assert_eq!(verified(&place, &["--ledger", &id, "--subject", &gone]).0, 1);
}

#[test]
fn l7_software_that_is_not_ours_takes_the_bundle_and_refuses_a_changed_one() {
    let (place, _) = certified();
    let keys = done(&place, &["key", "list", "--json"]).json();
    let key = |field: &str| keys["data"]["keys"][0][field].as_str().unwrap().to_owned();
    let (id, public_key) = (key("key"), key("public_key"));
    let text = fs::read_to_string(file(&place)).unwrap();
    let path = place.work().with_file_name("read.json");
    let read = |text: &str| -> Value {
        fs::write(&path, text).unwrap();
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/readers");
        let said = Command::new(tools.join(".venv/bin/python"))
            .arg(tools.join("read_bundle.py"))
            .args([path.to_str().unwrap(), &id, &public_key])
            .output()
            .expect("the readers are installed by tools/setup");
        assert!(said.status.success(), "{said:?}");
        serde_json::from_slice(&said.stdout).unwrap()
    };
    let good = read(&text);
    let nothing = serde_json::json!({"sigstore": null, "dsse": null, "in_toto": null});
    assert_eq!(good["refused"], nothing);
    let names: Vec<_> = good["subjects"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
    assert_eq!(names, ["one.json", "two.json"]);
    let statement = Statement::parse(&Bundle::parse(text.as_bytes()).unwrap().payload).unwrap();
    let Claims::Here(claims) = &statement.claims else { panic!("no claims") };
    let hex = ledger_format::hash::hex(claims[0].target());
    assert_eq!(good["subjects"][0]["digest"], serde_json::json!({"sha256": hex}));
    // A byte of the statement, a byte of the signature, another type, a field that the form does not have.
    let flipped = |at: usize| {
        let mut bent = text.clone();
        bent.replace_range(at..=at, if &text[at..=at] == "A" { "B" } else { "A" });
        bent
    };
    let place_of = |field: &str| text.find(field).unwrap() + field.len();
    for (bent, reader) in [
        (flipped(place_of("\"payload\":\"") + 400), "dsse"),
        (flipped(place_of("\"sig\":\"") + 20), "dsse"),
        (text.replace("in-toto+json", "in-toto+jsom"), "dsse"),
        (text.replacen("{\"mediaType\"", "{\"glyph\":1,\"mediaType\"", 1), "sigstore"),
        (text.replace("v0.3+json", "v9.9+json"), "sigstore"),
    ] {
        assert_ne!(bent, text);
        let read = read(&bent);
        assert!(read["refused"][reader].is_string(), "{reader}: {read}");
        assert!(attest(bent.as_bytes(), None, None).is_err());
    }
}

#[test]
fn l7_the_predicate_is_what_its_schema_says() {
    let (place, _) = certified();
    let bundle = Bundle::parse(&fs::read(file(&place)).unwrap()).unwrap();
    let statement: Value = serde_json::from_slice(&bundle.payload).unwrap();
    let path = "ledger-format/migration-certificate.schema.json";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let schema = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    let predicate = &statement["predicate"];
    schema.validate(predicate).unwrap();
    let bent = |place: &str, value: Value| {
        let mut bent = predicate.clone();
        let (above, field) = place.rsplit_once('/').unwrap();
        match bent.pointer_mut(above).unwrap() {
            Value::Object(map) if value == "absent" => drop(map.remove(field)),
            Value::Object(map) => drop(map.insert(field.to_owned(), value)),
            other => panic!("{other} has no fields"),
        }
        schema.is_valid(&bent)
    };
    let (hash, note) = ("0".repeat(64), predicate["evidence"]["head"].clone());
    let listed = |count: u64| serde_json::json!({"list": hash, "count": count});
    let heads = |proof: &str| serde_json::json!([{"note": note, "proof": [proof]}]);
    for (place, good) in [
        ("/claims/0/object_kind", Value::from("database")),
        ("/claims/0/contract_digest", Value::Null),
        ("/claims", listed(1_001)),
        ("/evidence/heads", heads(&hash)),
    ] {
        assert!(bent(place, good), "{place}");
    }
    for (place, bad) in [
        ("/evidence", Value::from("absent")),
        ("/evidence/heads", Value::from("absent")),
        ("/evidence/heads", heads("00")),
        ("/evidence/head", Value::from("glyph-ledger")),
        ("/evidence/events", Value::Array(Vec::new())),
        ("/evidence/events/0/bytes", Value::from("a8f")),
        ("/run", Value::from("0".repeat(63))),
        ("/claims", Value::Array(Vec::new())),
        ("/claims", listed(1_000)),
        ("/claims", listed(1 << 53)),
        ("/claims/0/object_kind", Value::from("folder")),
        ("/claims/0/verdicts/kept", Value::from("yes")),
        ("/claims/0/loss_hash", Value::Null),
    ] {
        assert!(!bent(place, bad), "{place}");
    }
}

#[test]
fn l7_who_may_not_append_certifies_nothing_and_what_was_certified_stays() {
    let (place, id) = certified();
    let as_other = |arguments: &[&str]| place.run(&[arguments, &["--key", "other.pem"]].concat());
    let refused = |said: &Said, exit: i32, code: &str| {
        assert_eq!((said.exit, said.stdout.contains(code)), (exit, true), "{said:?}");
    };
    let export = ["migration", "certificate", "export", "--json"];
    done(&place, &["key", "new", "other.pem"]);
    refused(&as_other(&export), 3, "KEY_UNKNOWN");
    let key = as_other(&["key", "export", "--form", "hex", "--json"]).json();
    let key = key["data"]["public_key"].as_str().unwrap().to_owned();
    done(&place, &["key", "authorize", &key, "--role", "append"]);
    let exported = as_other(&[&export[..], &["-o", FILE]].concat());
    assert_eq!(exported.exit, 0, "{exported:?}");
    let (exit, answer) = verified(&place, &["--ledger", &id]);
    let signer = &answer["data"]["signer"];
    assert_eq!((exit, signer["since"].as_u64().unwrap() > 0), (0, true), "{answer}");
    let other = signer["key"].as_str().unwrap().to_owned();
    done(&place, &["key", "revoke", &other[..8], "--reason", "left us"]);
    refused(&as_other(&export), 3, "KEY_UNKNOWN");
    // The bundle of before says so much and no more.
    assert_eq!(verified(&place, &["--ledger", &id]).0, 0);
    // Keys of the wrong kind.
    fs::write(place.work().join("wrong.pem"), format!("{key}\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(place.work().join("wrong.pem"), mode).unwrap();
    refused(&place.run(&[&export[..], &["--key", "wrong.pem"]].concat()), 3, "KEY_INVALID");
    // A run that was not committed, and none at all.
    refused(&place.run(&[&export[..], &["00000000"]].concat()), 2, "CURSOR_UNKNOWN");
}

#[test]
fn l7_more_claims_than_a_bundle_holds_stand_in_a_list() {
    let texts: Vec<(String, String)> = (0..1_001)
        .map(|n| (format!("{n:04}.json"), format!(r#"{{"v": 1, "titel": "book {n}"}}"#)))
        .collect();
    let texts: Vec<(&str, &str)> =
        texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let place = a_tree(&texts);
    done(&place, &["apply"]);
    let without = place.run(&["migration", "certificate", "export", "-o", FILE, "--json"]);
    assert_eq!((without.exit, without.stdout.contains("--claims")), (2, true), "{without:?}");
    assert!(!file(&place).exists());
    let id = export(&place, &["-o", FILE, "--claims", "../claims.jsonl"])["ledger"].clone();
    let id = id.as_str().unwrap();
    let list = place.work().with_file_name("claims.jsonl");
    let (exit, answer) = verified(&place, &["--ledger", id]);
    assert_eq!((exit, code(&answer)), (7, "NOT_PROVED_AGAIN"));
    let target = place.work().join("0007.json").display().to_string();
    let with = ["--ledger", id, "--claims", list.to_str().unwrap(), "--subject", &target];
    let (exit, answer) = verified(&place, &with);
    assert_eq!((exit, &answer["data"]["subject"][0]), (0, &"0007.json".into()), "{answer}");
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, text.replacen("0007.json", "0007.jsom", 1)).unwrap();
    let (exit, answer) = verified(&place, &with);
    assert_eq!((exit, code(&answer)), (3, "BUNDLE_INVALID"));
}

/// The bundle of the vectors: its file, and its ledger.
fn vector() -> (Vec<u8>, LedgerId) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger-format/vectors/bundle.json");
    let vector: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let text = |field: &str| vector[field].as_str().unwrap().to_owned();
    (text("bundle").into_bytes(), text("ledger").parse().unwrap())
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

fn signed(statement: &Statement, by: &SigningKey) -> Vec<u8> {
    Bundle::sign(statement.encode(), &by.verifying_key(), |text| by.sign(text)).encode()
}

#[test]
fn l7_every_byte_of_a_bundle_counts() {
    let (bytes, ledger) = vector();
    assert!(attest(&bytes, Some(ledger), None).is_ok());
    for at in 0..bytes.len() {
        let mut bent = bytes.clone();
        bent[at] ^= [0x01, 0x02, 0x20, 0x80][at % 4];
        assert!(attest(&bent, Some(ledger), None).is_err(), "byte {at}");
    }
    for cut in (0..bytes.len()).step_by(13) {
        assert!(attest(&bytes[..cut], Some(ledger), None).is_err(), "cut at {cut}");
    }
}

/// A statement that was edited and signed again by whoever has the key.
type Edit = fn(&mut Statement);

/// What each edit must be refused for.
type Refusal = fn(&AttestError) -> bool;

const EDITS: &[(&str, Edit, Refusal)] = &[
    (
        "another certificate",
        |s| s.certificate = CommitHash::of("vector", &0_u64.into()),
        |e| matches!(e, AttestError::Certificate { .. }),
    ),
    ("a claim left out", |s| with_claims(s, 1), |e| matches!(e, AttestError::Certificate { .. })),
    ("no claims", |s| with_claims(s, 0), |e| matches!(e, AttestError::Certificate { .. })),
    (
        "another run",
        |s| s.run = EventId::of(b"another"),
        |e| matches!(e, AttestError::Unrelated { .. }),
    ),
    (
        "another ledger",
        |s| s.ledger = LedgerId::of(&[1; 32], &[1; 16]),
        |e| matches!(e, AttestError::Foreign { .. }),
    ),
    (
        "a truncated proof",
        |s| s.events[2].nodes.truncate(1),
        |e| matches!(e, AttestError::Statement(_)),
    ),
    (
        "a proof too long",
        |s| s.events[2].nodes.push(NodeHash::empty_root()),
        |e| matches!(e, AttestError::Statement(_)),
    ),
    (
        "proofs for another size",
        |s| s.events = events_under(s, 11),
        |e| matches!(e, AttestError::Statement(_)),
    ),
    (
        "no first event",
        |s| s.events = s.events.split_off(1),
        |e| matches!(e, AttestError::Illegal { .. }),
    ),
    (
        "no beginning of the run",
        |s| s.events = [s.events[..1].to_vec(), s.events[2..].to_vec()].concat(),
        |e| matches!(e, AttestError::Unrelated { .. }),
    ),
    ("no commit", |s| s.events.truncate(2), |e| matches!(e, AttestError::Missing { .. })),
    (
        "an event twice",
        |s| s.events.insert(1, s.events[1].clone()),
        |e| matches!(e, AttestError::Statement(_)),
    ),
    ("events in disorder", |s| s.events.swap(1, 2), |e| matches!(e, AttestError::Statement(_))),
    (
        "an event of something else",
        |s| s.events.insert(1, event(s, 1, 12)),
        |e| matches!(e, AttestError::Unrelated { .. }),
    ),
    (
        "a head by a stranger",
        |s| s.head = head(&key(9), s.head.head()),
        |e| matches!(e, AttestError::Unauthorised { what: "heads", .. }),
    ),
    (
        "a head of another size",
        |s| s.head = head(&key(7), &TreeHead { size: 13, ..*s.head.head() }),
        |e| matches!(e, AttestError::Statement(_)),
    ),
    (
        "a head of another ledger",
        |s| {
            s.head = head(
                &key(7),
                &TreeHead { ledger: LedgerId::of(&[1; 32], &[1; 16]), ..*s.head.head() },
            );
        },
        |e| matches!(e, AttestError::Statement(_)),
    ),
];

#[test]
fn l7_what_the_key_itself_signed_wrongly_is_refused_by_both_verifiers() {
    let (bytes, ledger) = vector();
    let bundle = Bundle::parse(&bytes).unwrap();
    let statement = Statement::parse(&bundle.payload).unwrap();
    assert_eq!(signed(&statement, &key(7)), bytes);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bent.json").display().to_string();
    for (name, edit, refusal) in EDITS {
        let mut edited = statement.clone();
        edit(&mut edited);
        let bent = signed(&edited, &key(7));
        let error = attest(&bent, Some(ledger), None).expect_err(name);
        assert!(refusal(&error), "{name}: {error}");
        fs::write(&path, &bent).unwrap();
        let python = python(&[&path, "--ledger", &ledger.to_string()]);
        assert_eq!(python.status.code(), Some(3), "{name}: {python:?}");
    }
    // By a key that the ledger does not have, and by one that says to be another.
    let stranger = attest(&signed(&statement, &key(9)), Some(ledger), None);
    assert!(matches!(stranger, Err(AttestError::Unauthorised { what: "certificates", .. })));
    let mut renamed = Bundle::parse(&signed(&statement, &key(9))).unwrap();
    renamed.signer = KeyId::of(key(7).verifying_key().as_bytes());
    assert!(matches!(attest(&renamed.encode(), Some(ledger), None), Err(AttestError::Bundle(_))));
}

/// Notes in a bundle: what their form allows and what not.
#[test]
fn l7_the_head_in_a_bundle_is_a_note_in_its_one_form() {
    let (bytes, ledger) = vector();
    let payload = Bundle::parse(&bytes).unwrap().payload;
    let text = String::from_utf8(payload).unwrap();
    let line = text.split("\\n\\n").nth(1).unwrap().split("\\n").next().unwrap();
    let judged = |edited: &str| -> Result<Attested, AttestError> {
        let key = key(7);
        let bundle =
            Bundle::sign(edited.as_bytes().to_vec(), &key.verifying_key(), |text| key.sign(text));
        attest(&bundle.encode(), Some(ledger), None)
    };
    let lines = |more: &str| text.replacen(&format!("{line}\\n"), more, 1);
    let witness = "\u{2014} witness.example AAAAAAA=\\n";
    // A signature of somebody unknown is nobody's concern.
    assert!(judged(&lines(&format!("{line}\\n{witness}"))).is_ok());
    for (name, bad) in [
        ("another origin", text.replacen("glyph-ledger/", "other-ledger/", 1)),
        ("CRLF", text.replace("\\n", "\\r\\n")),
        ("trailing bytes", lines(&format!("{line}\\n\\n"))),
        ("no final newline", lines(line)),
        ("two signatures by one key", lines(&format!("{line}\\n{line}\\n"))),
        ("no signature", lines("")),
        ("a signature that is none", lines(&format!("{line}\\nsigned by me\\n"))),
    ] {
        assert_ne!(bad, text, "{name}");
        assert!(judged(&bad).is_err(), "{name}");
    }
}

fn with_claims(statement: &mut Statement, count: usize) {
    if let Claims::Here(claims) = &mut statement.claims {
        claims.truncate(count);
    }
}

fn head(by: &SigningKey, head: &TreeHead) -> SignedHead {
    SignedHead::sign(*head, &by.verifying_key(), |text| by.sign(text))
}

/// The events of a statement with proofs under another size.
fn events_under(statement: &Statement, size: u64) -> Vec<ProvedEvent> {
    [0, 6, 10].into_iter().map(|seq| event(statement, seq, size)).collect()
}

/// An event of the vectors' ledger, proved under a size.
fn event(_: &Statement, seq: u64, size: u64) -> ProvedEvent {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger-format/vectors/ledger.json");
    let ledger: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let bytes =
        |event: &Value| ledger_format::hash::unhex(event["bytes"].as_str().unwrap()).unwrap();
    let events: Vec<Vec<u8>> = ledger["events"].as_array().unwrap().iter().map(bytes).collect();
    let tree: MemoryTree = events.iter().map(|bytes| NodeHash::leaf(EventId::of(bytes))).collect();
    let nodes = prove_inclusion(&tree, seq, size).unwrap();
    ProvedEvent { bytes: events[usize::try_from(seq).unwrap()].clone(), nodes }
}
