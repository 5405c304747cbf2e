//! What `verify-chain` says of ledgers that are good and of ledgers that are not: what it looked at and by whose word, each wrong by a
//! code of its own, and with `--keep-going` all of it in one pass.

use std::fs;
use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use glyph_ledger::log::sled::{OpenOptions, SledLog, read_identity};
use glyph_ledger::log::{Batch, Log as _, ReadLog as _};
use ledger_format::hash::{EventId, NodeHash};
use ledger_format::head::SignedHead;
use ledger_format::tree::Frontier;
use serde_json::{Value, json};

use crate::support::{Place, a_history, beside, check_answer, copy, done};

fn a_ledger() -> Place {
    let place = Place::new();
    a_history(&place);
    place
}

/// What the judge says, and that it left every byte as it was.
fn judged(place: &Place, arguments: &[&str]) -> (i32, Value) {
    let said = place.run(&[&["verify-chain", "--json"], arguments].concat());
    let answer = said.json();
    check_answer("verify-chain", &answer);
    (said.exit, answer)
}

fn codes(answer: &Value) -> Vec<&str> {
    let found = answer["diagnostics"].as_array().unwrap().iter();
    found.map(|diagnostic| diagnostic["code"].as_str().unwrap()).collect()
}

/// Stores the same batches anew, edited by somebody who has no key: what was signed over stays what it was.
fn store_anew(place: &Place, mut edit: impl FnMut(&mut Batch)) {
    let ledger = place.work().join(".glyph-ledger");
    let folder = tempfile::tempdir().unwrap();
    let (forged, options) = (folder.path().join("ledger"), OpenOptions::default());
    let identity = read_identity(&ledger).unwrap();
    let (mut signed, mut log) = (Frontier::new(), None::<SledLog>);
    for mut batch in batches_in(&ledger) {
        for bytes in &batch.events {
            signed.push(NodeHash::leaf(EventId::of(bytes)));
        }
        edit(&mut batch);
        match &mut log {
            None => {
                log = Some(SledLog::init(&forged, &identity, &batch, &signed, &options).unwrap());
            }
            Some(log) => log.append(batch.first_seq, &batch, &signed).unwrap(),
        }
    }
    drop(log);
    fs::remove_dir_all(ledger.join("sled")).unwrap();
    copy(&forged.join("sled"), &ledger.join("sled"));
}

fn batches_in(ledger: &Path) -> Vec<Batch> {
    let folder = tempfile::tempdir().unwrap();
    let copied = folder.path().join("ledger");
    copy(ledger, &copied);
    let log = SledLog::open(&copied, &OpenOptions::default()).unwrap();
    log.read(0..u64::MAX).collect::<Result<_, _>>().unwrap()
}

#[test]
fn l5_the_judge_says_what_it_looked_at_and_by_whose_word() {
    let place = a_ledger();
    let (exit, answer) = judged(&place, &[]);
    let data = &answer["data"];
    assert_eq!((exit, &data["read_to_end"]), (0, &true.into()));
    let compared = json!([
        {"by": "anchor", "size": 10, "agrees": true},
        {"by": "pin", "size": 10, "agrees": true},
    ]);
    assert_eq!(data["compared"], compared);
    let keys = done(&place, &["key", "list", "--json"]).json();
    let own = &keys["data"]["keys"][0]["key"];
    assert_eq!(data["signers"], json!([{"key": own, "events": 10, "first": 0, "last": 9}]));
    assert_eq!((&data["suspect"], &data["faults"]), (&json!([]), &json!([])));
    let said = done(&place, &["verify-chain"]).stdout;
    let short = &own.as_str().unwrap()[..12];
    for told in [&format!("key {short}: 10 events"), "held to     pin over 10 events: agrees"] {
        assert!(said.contains(told), "{told}: {said}");
    }
}

/// Flips a bit within the bytes that were signed, at the end of a text of the event.
fn bend(batch: &mut Batch, text: &[u8]) {
    for bytes in &mut batch.events {
        if let Some(at) = bytes.windows(text.len()).position(|window| window == text) {
            bytes[at + text.len() - 1] ^= 1;
        }
    }
}

#[test]
fn l5_all_damage_is_named_in_one_pass() {
    let place = a_ledger();
    store_anew(&place, |batch| {
        bend(batch, b"no such table");
        bend(batch, b"Migrate.Manifest");
    });
    let (exit, first) = judged(&place, &[]);
    assert_eq!((exit, codes(&first)), (3, vec!["LEDGER_DAMAGED"]), "{first:#}");
    assert_eq!(first["data"]["read_to_end"], false);
    assert_eq!(
        (&first["data"]["faults"][0]["seq"], &first["data"]["good"]["size"]),
        (&5.into(), &5.into())
    );
    let (exit, all) = judged(&place, &["--keep-going"]);
    let faults = all["data"]["faults"].as_array().unwrap();
    let seqs: Vec<_> = faults.iter().map(|fault| fault["seq"].as_u64().unwrap()).collect();
    assert_eq!((exit, seqs), (3, vec![5, 7]), "{all:#}");
    assert_eq!(all["data"]["read_to_end"], true);
    let said = place.run(&["verify-chain"]);
    assert!(said.stdout.contains("(--keep-going)"), "{said:?}");
}

#[test]
fn l5_each_wrong_has_a_code_of_its_own() {
    let expect = |place: &Place, arguments: &[&str], exit: i32, code: &str| {
        let (found, answer) = judged(place, arguments);
        assert_eq!((found, codes(&answer)[0]), (exit, code), "{answer:#}");
        answer
    };
    // Corrupt.
    let place = a_ledger();
    store_anew(&place, |batch| bend(batch, b"no such table"));
    expect(&place, &[], 3, "LEDGER_DAMAGED");
    // Signed by a key that nobody knows; signed by nobody.
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let place = a_ledger();
    store_anew(&place, |batch| {
        if batch.first_seq == 7 {
            let sign = |text: &[u8]| stranger.sign(text);
            batch.head = SignedHead::sign(*batch.head.head(), &stranger.verifying_key(), sign);
        }
    });
    let answer = expect(&place, &[], 3, "SIGNER_UNKNOWN");
    assert_eq!(answer["data"]["good"]["size"], 7, "{answer:#}");
    let place = a_ledger();
    store_anew(&place, |batch| {
        if batch.first_seq == 7 {
            let own = batch.head.signer().to_string();
            let sign = |text: &[u8]| stranger.sign(text);
            let forged = SignedHead::sign(*batch.head.head(), &stranger.verifying_key(), sign);
            let theirs = forged.signer().to_string();
            let note = String::from_utf8(forged.encode()).unwrap().replace(&theirs, &own);
            batch.head = SignedHead::parse(note.as_bytes()).unwrap();
        }
    });
    expect(&place, &[], 3, "SIGNATURE_BAD");
    // Truncated: the same history, shorter than what is remembered.
    let place = a_ledger();
    copy(&place.work().join(".glyph-ledger"), &beside(&place, "older"));
    done(&place, &["key", "approvals", "0"]);
    let newer = done(&place, &["head", "show", "--json"]).json()["data"].clone();
    fs::remove_dir_all(place.work().join(".glyph-ledger")).unwrap();
    copy(&beside(&place, "older"), &place.work().join(".glyph-ledger"));
    expect(&place, &[], 3, "LEDGER_REGRESSED");
    // With nothing outside to hold it to, nobody can tell; with a head of another history, anybody.
    fs::remove_dir_all(place.home().join("state")).unwrap();
    expect(&place, &[], 7, "COMPLETENESS_NOT_PROVEN");
    let other = format!("10:{}", newer["root"].as_str().unwrap());
    expect(&place, &["--expect", &other], 3, "LEDGER_DIVERGED");
    // Cannot be judged at all.
    let held = SledLog::open(&place.work().join(".glyph-ledger"), &OpenOptions::default()).unwrap();
    let said = place.run(&["verify-chain", "--json"]);
    drop(held);
    assert_eq!((said.exit, codes(&said.json())), (8, vec!["BUSY"]));
}
