//! Heads through the program: kept, named, remembered and forgotten, and what every command makes of a ledger that contradicts
//! one.

use std::fs;
use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use ledger_format::hash::{NodeHash, hex, unhex};
use ledger_format::head::{SignedHead, TreeHead};
use serde_json::Value;

use crate::support::{Place, a_tree, beside, check_answer, copy, done};

/// Commands that open a ledger, to read it or to append to it.
const OPENING: [&[&str]; 9] = [
    &["log"],
    &["status"],
    &["plan"],
    &["apply"],
    &["key", "list"],
    &["key", "approvals", "0"],
    &["head", "show"],
    &["replay"],
    &["verify-chain"],
];

/// Commands that open a ledger and append nothing.
const READING: [&[&str]; 7] = [
    &["log"],
    &["status"],
    &["plan"],
    &["key", "list"],
    &["head", "show"],
    &["replay"],
    &["audit", "population"],
];

fn a_ledger() -> Place {
    a_tree(&[("one.json", r#"{"v": 1, "titel": "a"}"#)])
}

/// The newest head, also in the file `name` beside the working folder.
fn head(place: &Place, name: &str) -> Value {
    let answer = done(place, &["head", "show", "--json"]).json();
    check_answer("head", &answer);
    let data = answer["data"].clone();
    fs::write(beside(place, name), data["note"].as_str().unwrap()).unwrap();
    data
}

fn stated(head: &Value) -> String {
    format!("{}:{}", head["size"], head["root"].as_str().unwrap())
}

fn forget_everything(place: &Place) {
    fs::remove_dir_all(place.home().join("state")).unwrap();
}

fn put_back(from: &Path, place: &Place) {
    fs::remove_dir_all(place.work().join(".glyph-ledger")).unwrap();
    copy(from, &place.work().join(".glyph-ledger"));
}

/// What the first diagnostic shows to others.
fn evidence(answer: &Value) -> Vec<SignedHead> {
    let notes = answer["diagnostics"][0]["evidence"].as_array().unwrap();
    notes.iter().map(|note| SignedHead::parse(note.as_str().unwrap().as_bytes()).unwrap()).collect()
}

/// Fails for `code`; the answer.
fn refused(place: &Place, arguments: &[&str], exit: i32, code: &str) -> Value {
    let said = place.run(&[arguments, &["--json"]].concat());
    let answer = if said.stdout.is_empty() { Value::Null } else { said.json() };
    let first = &answer["diagnostics"][0]["code"];
    assert_eq!((said.exit, first), (exit, &code.into()), "{arguments:?}: {said:?}");
    check_answer(answer["schema"].as_str().unwrap().split('/').nth(1).unwrap(), &answer);
    answer
}

/// The public key of the ledger's only key.
fn key_of(place: &Place) -> VerifyingKey {
    let keys = done(place, &["key", "list", "--json"]).json();
    let bytes = unhex(keys["data"]["keys"][0]["public_key"].as_str().unwrap()).unwrap();
    VerifyingKey::from_bytes(&bytes.try_into().unwrap()).unwrap()
}

#[test]
fn l6_every_command_holds_a_ledger_against_the_head_that_is_named() {
    let place = a_ledger();
    let older = beside(&place, "older");
    copy(&place.work().join(".glyph-ledger"), &older);
    done(&place, &["key", "approvals", "0"]);
    let newest = head(&place, "newest.note");
    for arguments in OPENING {
        let said = place.run(&[arguments, &["--trust", "../newest.note"]].concat());
        assert_eq!(said.exit, 0, "{arguments:?}: {said:?}");
    }
    // A machine that never saw the newer ledger sees nothing wrong with the older one.
    put_back(&older, &place);
    forget_everything(&place);
    let stated = stated(&newest);
    for arguments in OPENING {
        for named in [["--trust", "../newest.note"], ["--expect", &stated]] {
            let before = fs::read(place.work().join(".glyph-ledger/sled/db")).unwrap();
            let answer = refused(&place, &[arguments, &named].concat(), 3, "LEDGER_REGRESSED");
            let heads = evidence(&answer);
            // What was typed in is no signed head.
            assert_eq!(heads.len(), if named[0] == "--trust" { 2 } else { 1 }, "{answer}");
            assert_eq!(heads.last().unwrap().head().size, 2, "{answer}");
            let after = fs::read(place.work().join(".glyph-ledger/sled/db")).unwrap();
            assert!(before == after, "{arguments:?} wrote");
        }
    }
    done(&place, &["log"]);
    assert_eq!(place.run(&["verify-chain"]).exit, 7);
}

/// Two histories under one id, with as many events each, signed by one key: whoever is shown the two heads needs nothing else.
#[test]
fn l6_a_fork_is_shown_by_two_signed_heads() {
    let place = a_ledger();
    let fork = beside(&place, "fork");
    copy(&place.work().join(".glyph-ledger"), &fork);
    let key = key_of(&place);
    done(&place, &["key", "approvals", "0"]);
    head(&place, "mine.note");
    let mine = beside(&place, "mine");
    copy(&place.work().join(".glyph-ledger"), &mine);
    // Somebody who has the key and remembers nothing goes on from the copy.
    put_back(&fork, &place);
    let home = beside(&place, "theirs");
    copy(&place.home().join("config"), &home.join("config"));
    let theirs = |arguments: &[&str]| {
        place.said_by(place.command(arguments).env("GLYPH_LEDGER_HOME", &home))
    };
    assert_eq!(theirs(&["key", "approvals", "0"]).exit, 0);
    for arguments in OPENING {
        let answer = refused(&place, arguments, 3, "LEDGER_DIVERGED");
        let heads = evidence(&answer);
        let [one, other] = heads.as_slice() else { panic!("{answer}") };
        assert_eq!((one.verify(&key), other.verify(&key)), (Ok(()), Ok(())));
        assert_eq!(one.head().size, other.head().size);
        assert_ne!(one.head().root, other.head().root);
    }
    // People are shown them as well, as they were signed.
    let said = place.run(&["log"]);
    let note = fs::read_to_string(beside(&place, "mine.note")).unwrap();
    assert!(said.stderr.contains(&note), "{said:?}");
    // Forked further back, under more events: the newest head, and the root it contradicts.
    assert_eq!(theirs(&["key", "approvals", "0"]).exit, 0);
    let answer = refused(&place, &["log"], 3, "LEDGER_DIVERGED");
    assert_eq!(evidence(&answer).len(), 2);
    // The copy that was known is still good.
    put_back(&mine, &place);
    done(&place, &["verify-chain"]);
}

#[test]
fn l6_a_head_from_elsewhere_makes_a_ledger_known() {
    let place = a_ledger();
    let first = head(&place, "first.note");
    done(&place, &["key", "approvals", "0"]);
    forget_everything(&place);
    assert_eq!(place.run(&["verify-chain"]).exit, 7);
    assert_eq!(head(&place, "found.note")["provenance"], "first-use");
    assert_eq!(place.run(&["verify-chain"]).exit, 7);
    // Nothing is vouched for by saying so.
    refused(&place, &["head", "pin"], 2, "USAGE");
    let other = format!("2:{}", NodeHash::empty_root());
    refused(&place, &["head", "pin", "--expect", &other], 3, "LEDGER_DIVERGED");
    assert_eq!(place.run(&["verify-chain"]).exit, 7);
    let pinned = done(&place, &["head", "pin", "--expect", &stated(&first), "--json"]).json();
    check_answer("head", &pinned);
    assert_eq!(pinned["data"]["provenance"], "explicit");
    // It vouches for no more than it covers, however often what lies behind is seen.
    assert_eq!(complete_up_to(&place), Some(2));
    for arguments in READING {
        assert_eq!(place.run(arguments).exit, 0, "{arguments:?}");
    }
    assert_eq!(complete_up_to(&place), Some(2));
    let shown = head(&place, "seen.note");
    assert_eq!((&shown["provenance"], &shown["complete"]), (&"explicit".into(), &2.into()));
    // What is appended from here is known; a head that covers less takes nothing away.
    done(&place, &["key", "approvals", "0"]);
    assert_eq!(complete_up_to(&place), Some(4));
    done(&place, &["head", "pin", "../first.note"]);
    assert_eq!(complete_up_to(&place), Some(4));
    // One over no events is every ledger's.
    let nothing = format!("0:{}", NodeHash::empty_root());
    for verb in [&["verify-chain"][..], &["head", "pin"], &["log"]] {
        let said = place.run(&[verb, &["--expect", &nothing]].concat());
        assert!(said.exit == 2 && said.stderr.contains("0 events"), "{said:?}");
    }
    let twice = ["head", "pin", "../first.note", "--trust", "../first.note"];
    refused(&place, &twice, 2, "USAGE");
    forget_everything(&place);
    done(&place, &["head", "pin", "../first.note"]);
    done(&place, &["verify-chain"]);
    // Whoever saw it from its beginning loses nothing by naming a head.
    let place = a_ledger();
    head(&place, "first.note");
    let pinned = done(&place, &["head", "pin", "../first.note", "--json"]).json();
    assert_eq!(pinned["data"]["provenance"], "own-append");
    assert_eq!(complete_up_to(&place), Some(2));
}

/// Whoever made a ledger and reads what somebody else put behind it knows that it is there, and not whether that is all.
#[test]
fn l6_reading_makes_nothing_better_known() {
    let place = a_ledger();
    assert_eq!(complete_up_to(&place), Some(2));
    let home = beside(&place, "theirs");
    copy(&place.home().join("config"), &home.join("config"));
    let theirs = |arguments: &[&str]| {
        place.said_by(place.command(arguments).env("GLYPH_LEDGER_HOME", &home))
    };
    assert_eq!(theirs(&["key", "approvals", "0"]).exit, 0);
    for arguments in READING {
        assert_eq!(place.run(arguments).exit, 0, "{arguments:?}");
        assert_eq!(complete_up_to(&place), Some(2));
    }
    // A pin that says otherwise of what is in the ledger contradicts it.
    let ledger = head(&place, "newest.note")["ledger"].as_str().unwrap().to_owned();
    let file = place.home().join("state/pins").join(&ledger);
    let pin = fs::read_to_string(&file).unwrap();
    let line = pin.lines().next().unwrap();
    assert!(line.starts_with("own-append 2:"), "{line}");
    fs::write(&file, pin.replacen("own-append 2:", "own-append 1:", 1)).unwrap();
    refused(&place, &["verify-chain"], 3, "LEDGER_DIVERGED");
    for bent in ["own-append 3:", "own-append 0:", "own-append 02:", "first-use 2:"] {
        fs::write(&file, pin.replacen("own-append 2:", bent, 1)).unwrap();
        refused(&place, &["verify-chain"], 3, "PIN_INVALID");
    }
}

/// With so many events the ledger is found complete; `None` where that is not proven.
fn complete_up_to(place: &Place) -> Option<u64> {
    let said = place.run(&["verify-chain", "--json"]);
    let judged = said.json();
    match said.exit {
        0 => judged["data"]["known_head"]["size"].as_u64(),
        7 => None,
        _ => panic!("{said:?}"),
    }
}

#[test]
fn l6_what_is_forgotten_is_told_first() {
    let place = a_ledger();
    let newest = head(&place, "newest.note");
    let ledger = newest["ledger"].as_str().unwrap();
    assert_eq!(place.run(&["head", "forget", &ledger[..12]]).exit, 2);
    let gone = done(&place, &["head", "forget", ledger, "--json"]).json();
    check_answer("head", &gone);
    assert_eq!(
        (&gone["data"]["note"], &gone["data"]["provenance"]),
        (&newest["note"], &"own-append".into())
    );
    assert_eq!(gone["data"]["places"].as_array().unwrap().len(), 1);
    assert_eq!(place.run(&["verify-chain"]).exit, 7);
    assert_eq!(place.run(&["head", "forget", &"0".repeat(64)]).exit, 2);
    // A ledger that is gone stands in the way of a new one until it is forgotten, also where its pin is damaged.
    done(&place, &["log"]);
    fs::write(place.home().join("state/pins").join(ledger), "damaged").unwrap();
    fs::remove_dir_all(place.work().join(".glyph-ledger")).unwrap();
    let init = ["init", "--documents", "--contract", "../contracts/book.yaml"];
    refused(&place, &init, 3, "LEDGER_FOREIGN");
    let gone = done(&place, &["head", "forget", ledger]);
    assert!(gone.stdout.contains("no head of it was remembered"), "{gone:?}");
    done(&place, &init);
}

#[test]
fn heads_are_written_to_files_and_of_any_time() {
    let place = a_ledger();
    let first = done(&place, &["head", "show"]).stdout;
    done(&place, &["key", "approvals", "0"]);
    assert_ne!(done(&place, &["head", "show"]).stdout, first);
    for cursor in ["0", "1", "@~1"] {
        let shown = done(&place, &["head", "show", "--at", cursor, "--json"]).json();
        assert!(shown["data"]["size"].as_u64().unwrap() < 3, "{shown}");
    }
    assert_eq!(done(&place, &["head", "show", "--at", "1"]).stdout, first);
    done(&place, &["head", "show", "-o", "head.note"]);
    done(&place, &["log", "--trust", "head.note"]);
    refused(&place, &["head", "show", "-o", "head.note"], 2, "USAGE");
}

/// The root is right and the key may sign, but it is not the one that signed the last event under the head.
#[test]
fn l6_a_head_by_another_key_of_the_ledger_is_not_believed() {
    let place = a_ledger();
    let other = SigningKey::from_bytes(&[9; 32]);
    let public_key = hex(other.verifying_key().as_bytes());
    done(&place, &["key", "authorize", &public_key, "--role", "append"]);
    let newest = head(&place, "newest.note");
    let newest = SignedHead::parse(newest["note"].as_str().unwrap().as_bytes()).unwrap();
    let signed = SignedHead::sign(*newest.head(), &other.verifying_key(), |text| other.sign(text));
    fs::write(beside(&place, "other.note"), signed.encode()).unwrap();
    for command in [&["log"][..], &["verify-chain"]] {
        let trusting = |note| [command, &["--trust", note]].concat();
        refused(&place, &trusting("../other.note"), 3, "SIGNER_UNKNOWN");
        assert_eq!(place.run(&trusting("../newest.note")).exit, 0);
    }
    refused(&place, &["head", "pin", "../other.note"], 3, "SIGNER_UNKNOWN");
}

/// Notes that are no head of this ledger, each refused by what it is.
#[test]
fn l6_a_head_that_is_none_is_not_believed() {
    let place = a_ledger();
    let newest = head(&place, "newest.note");
    let note = newest["note"].as_str().unwrap();
    let other = a_ledger();
    let others = head(&other, "newest.note");
    let others = others["note"].as_str().unwrap();
    let parsed = SignedHead::parse(note.as_bytes()).unwrap();
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let sign = |head: TreeHead| {
        let signed = SignedHead::sign(head, &stranger.verifying_key(), |text| stranger.sign(text));
        String::from_utf8(signed.encode()).unwrap()
    };
    let (text, line) = note.split_once("\n\n").unwrap();
    for (bad, exit, code) in [
        (note.replace('\n', "\r\n"), 2, "USAGE"),
        (format!("{note}trailing"), 2, "USAGE"),
        (format!("{note}\n"), 2, "USAGE"),
        (format!("{note}{line}"), 2, "USAGE"),
        (note.replacen("glyph-ledger/", "other/", 1), 2, "USAGE"),
        (note.replacen("\n2\n", "\n1\n", 1), 3, "SIGNATURE_BAD"),
        (others.to_owned(), 3, "LEDGER_FOREIGN"),
        (sign(*parsed.head()), 3, "SIGNER_UNKNOWN"),
        (sign(TreeHead { size: 0, ..*parsed.head() }), 2, "USAGE"),
        (text.to_owned(), 2, "USAGE"),
    ] {
        fs::write(beside(&place, "bad.note"), &bad).unwrap();
        refused(&place, &["log", "--trust", "../bad.note"], exit, code);
        refused(&place, &["verify-chain", "--trust", "../bad.note"], exit, code);
        refused(&place, &["head", "pin", "../bad.note"], exit, code);
    }
    for expected in ["2", "2:zz", ":", "x:00"] {
        assert_eq!(place.run(&["log", "--expect", expected]).exit, 2, "{expected}");
    }
    // Signatures of others stand beside, and are nobody's business here.
    let beside_it = format!("{note}\u{2014} somebody.example AAAAAAECAwQ=\n");
    fs::write(beside(&place, "cosigned.note"), beside_it).unwrap();
    done(&place, &["log", "--trust", "../cosigned.note"]);
}
