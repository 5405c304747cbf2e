//! Proofs about events through the program, and what becomes of them in the hands of somebody who has no ledger.

use std::fs;

use ledger_format::hash::NodeHash;
use ledger_format::proof::InclusionProof;
use ledger_format::tree::verify_consistency;
use serde_json::Value;

use crate::support::{Place, Said, a_tree, check_answer, done};

/// A ledger of a few events, and the public key that signs it.
fn a_ledger() -> (Place, String) {
    let place = a_tree(&[("one.json", r#"{"v": 1, "titel": "a"}"#)]);
    done(&place, &["apply"]);
    let key = done(&place, &["key", "export", "--form", "hex", "--json"]).json();
    let key = key["data"]["public_key"].as_str().unwrap().to_owned();
    (place, key)
}

fn verify(place: &Place, signer: Option<&str>) -> (Said, Value) {
    let signer = signer.map_or(Vec::new(), |key| vec!["--signer", key]);
    let said =
        place.run(&[&["proof", "verify", "p.tlog-proof", "--json"], signer.as_slice()].concat());
    let answer = said.json();
    check_answer("proof", &answer);
    (said, answer)
}

#[test]
fn l7_an_event_is_proved_to_somebody_who_has_no_ledger() {
    let (place, key) = a_ledger();
    let size = done(&place, &["log", "--json"]).json()["data"]["size"].as_u64().unwrap();
    for seq in 0..size {
        let cursor = seq.to_string();
        done(&place, &["proof", "inclusion", &cursor, "-o", "p.tlog-proof"]);
        // What goes to stdout is the same, and nothing else.
        let made = place.run(&["proof", "inclusion", &cursor]);
        assert_eq!(made.stdout, fs::read_to_string(place.work().join("p.tlog-proof")).unwrap());
        let stranger = Place::new();
        fs::write(stranger.work().join("p.tlog-proof"), &made.stdout).unwrap();
        let (said, answer) = verify(&stranger, Some(&key));
        assert_eq!((said.exit, &answer["data"]["seq"]), (0, &seq.into()), "{said:?}");
        assert_eq!(answer["data"]["signed_by_named"], true);
        let at = |root: &str| format!("{}:{root}", answer["data"]["size"]);
        let root = answer["data"]["root"].as_str().unwrap().to_owned();
        for (stated, exit) in [(at(&root), 0), (at(&"0".repeat(64)), 3), (format!("1:{root}"), 7)] {
            let expected = ["--signer", &key, "--expect", &stated];
            let said =
                stranger.run(&[&["proof", "verify", "p.tlog-proof"], &expected[..]].concat());
            assert_eq!(said.exit, exit, "{said:?}");
        }
        let (said, _) = verify(&stranger, None);
        assert_eq!((said.exit, said.stdout.contains("SIGNER_NOT_NAMED")), (7, true), "{said:?}");
    }
    assert_eq!(place.run(&["proof", "inclusion", &size.to_string()]).exit, 2);
}

#[test]
fn l7_a_proof_that_was_bent_proves_nothing() {
    let (place, key) = a_ledger();
    let made = done(&place, &["proof", "inclusion", "2"]).stdout;
    let other = done(&place, &["proof", "inclusion", "3"]).stdout;
    let line = |text: &str, beginning: &str| {
        text.lines().find(|line| line.starts_with(beginning)).unwrap().to_owned()
    };
    let bent = [
        made.replace("index 2", "index 3"),
        made.replace(&line(&made, "extra"), &line(&other, "extra")),
        made.replace(&line(&made, "extra"), ""),
        made.replacen("\n\n", "\n", 1),
        made[..made.len() - 10].to_owned(),
        format!("{made}\n"),
        made.replace('\n', "\r\n"),
    ];
    for text in bent {
        fs::write(place.work().join("p.tlog-proof"), &text).unwrap();
        let (said, answer) = verify(&place, Some(&key));
        assert_eq!((said.exit, &answer["ok"]), (3, &false.into()), "{text}: {said:?}");
        assert_eq!(answer["diagnostics"][0]["code"], "PROOF_INVALID", "{text}");
    }
    // Whole, and signed by somebody else.
    done(&place, &["key", "new", "other.pem"]);
    let other = done(&place, &["key", "export", "--key", "other.pem", "--json"]).json();
    fs::write(place.work().join("p.tlog-proof"), &made).unwrap();
    let (said, answer) = verify(&place, other["data"]["public_key"].as_str());
    assert_eq!((said.exit, &answer["diagnostics"][0]["code"]), (3, &"SIGNATURE_BAD".into()));
    // No file but an earlier proof is written over.
    fs::write(place.work().join("mine.txt"), "mine").unwrap();
    assert_eq!(place.run(&["proof", "inclusion", "2", "-o", "mine.txt"]).exit, 2);
    assert_eq!(fs::read_to_string(place.work().join("mine.txt")).unwrap(), "mine");
}

#[test]
fn l7_an_earlier_ledger_is_shown_to_be_the_beginning_of_a_later_one() {
    let (place, _) = a_ledger();
    let size = done(&place, &["log", "--json"]).json()["data"]["size"].as_u64().unwrap();
    let hash = |value: &Value| value.as_str().unwrap().parse::<NodeHash>().unwrap();
    for old in 0..size {
        let answer = done(&place, &["proof", "consistency", &old.to_string(), "--json"]).json();
        check_answer("proof", &answer);
        let data = &answer["data"];
        let nodes: Vec<NodeHash> = data["nodes"].as_array().unwrap().iter().map(hash).collect();
        let (old, new) = (data["old"].as_u64().unwrap(), data["new"].as_u64().unwrap());
        let (old_root, new_root) = (hash(&data["old_root"]), hash(&data["new_root"]));
        assert!(verify_consistency(old, &old_root, new, &new_root, &nodes), "{old} to {new}");
        assert_eq!(new, size);
    }
    assert_eq!(place.run(&["proof", "consistency", "3", "1"]).exit, 2);
}

/// Kept as a file it convinces whoever knows the keys, and has neither ledger nor anything else.
#[test]
fn l7_that_one_ledger_continues_another_is_kept_and_verified_without_it() {
    let (place, key) = a_ledger();
    done(&place, &["key", "new", "other.pem"]);
    let other = done(&place, &["key", "export", "--key", "other.pem", "--form", "hex", "--json"]);
    let other = other.json()["data"]["public_key"].as_str().unwrap().to_owned();
    done(&place, &["proof", "consistency", "0", "-o", "p.tlog-proof"]);
    let made = fs::read_to_string(place.work().join("p.tlog-proof")).unwrap();
    let stranger = Place::new();
    let judge = |text: &str, key: Option<&str>| {
        fs::write(stranger.work().join("p.tlog-proof"), text).unwrap();
        let (said, answer) = verify(&stranger, key);
        let code = answer["diagnostics"][0]["code"].as_str().unwrap_or_default().to_owned();
        (said.exit, code, answer)
    };
    let (exit, _, answer) = judge(&made, Some(&key));
    assert_eq!((exit, &answer["data"]["signed_by_named"]), (0, &true.into()), "{answer}");
    let (old, new) = (answer["data"]["old"].as_u64().unwrap(), answer["data"]["new"].as_u64());
    assert!(old >= 1 && new > Some(old), "{answer}");
    let (exit, code, _) = judge(&made, None);
    assert_eq!((exit, code.as_str()), (7, "SIGNER_NOT_NAMED"));
    let (exit, code, _) = judge(&made, Some(&other));
    assert_eq!((exit, code.as_str()), (3, "SIGNATURE_BAD"));
    // A head from elsewhere, over as many events as either.
    let zeros = "0".repeat(64);
    let stated = |size: &str| {
        let root = answer["data"][format!("{size}_root")].as_str().unwrap().to_owned();
        [root.as_str(), &zeros].map(|root| format!("{}:{root}", answer["data"][size]))
    };
    for [good, bad] in [stated("old"), stated("new")] {
        for (expect, exit) in [(good, 0), (bad, 3)] {
            let asked = ["proof", "verify", "p.tlog-proof", "--signer", &key, "--expect", &expect];
            fs::write(stranger.work().join("p.tlog-proof"), &made).unwrap();
            let said = stranger.run(&asked);
            assert_eq!(said.exit, exit, "{said:?}");
        }
    }
    // No line of it may be another, be missing, or stand twice.
    let lines: Vec<&str> = made.split_inclusive('\n').collect();
    for at in 0..lines.len() {
        let without = [&lines[..at], &lines[at + 1..]].concat().concat();
        let twice = [&lines[..=at], &lines[at..]].concat().concat();
        let middle = lines[at].len() / 2;
        let bent: String = lines[at]
            .char_indices()
            .map(|(place, letter)| {
                if place == middle && letter.is_ascii() {
                    if letter == 'A' { 'B' } else { 'A' }
                } else {
                    letter
                }
            })
            .collect();
        let changed = [&lines[..at], &[bent.as_str()], &lines[at + 1..]].concat().concat();
        for text in [without, twice, changed] {
            let (exit, _, answer) = judge(&text, Some(&key));
            assert!([2, 3].contains(&exit), "line {at}: {text}\n{answer}");
        }
    }
    // By two keys, each in its time.
    done(&place, &["key", "rotate", "other.pem"]);
    done(&place, &["key", "approvals", "0", "--key", "other.pem"]);
    done(&place, &["proof", "consistency", "1", "-o", "p.tlog-proof"]);
    let asked = ["proof", "verify", "p.tlog-proof", "--signer", &key];
    assert_eq!(place.run(&asked).exit, 3);
    done(&place, &[&asked[..], &["--signer", &other]].concat());
    assert_eq!(place.run(&["proof", "consistency", "3", "1", "-o", "q.tlog-proof"]).exit, 2);
    assert!(!place.work().join("q.tlog-proof").exists());
}

#[test]
fn what_is_stored_of_the_tree_is_believed_only_where_it_leads_to_the_signed_root() {
    let (place, key) = a_ledger();
    let tree = place.work().join(".glyph-ledger/cache/tree");
    let made = done(&place, &["proof", "inclusion", "1"]).stdout;
    let stored = fs::read(tree.join("0")).unwrap();
    let flipped: Vec<u8> = stored.iter().map(|byte| byte ^ 1).collect();
    let longer = [stored.as_slice(), &stored].concat();
    for bent in [&flipped, &stored[..7].to_vec(), &longer, &Vec::new()] {
        fs::write(tree.join("0"), bent).unwrap();
        assert_eq!(done(&place, &["proof", "inclusion", "1"]).stdout, made);
        assert_eq!(fs::read(tree.join("0")).unwrap()[..stored.len()], stored);
    }
    fs::remove_dir_all(&tree).unwrap();
    assert_eq!(done(&place, &["proof", "inclusion", "1"]).stdout, made);
    // Behind a proof the ledger goes on, and what is stored goes along.
    done(&place, &["undo"]);
    let later = done(&place, &["proof", "inclusion", "1"]).stdout;
    let [made, later] = [made, later].map(|text| InclusionProof::parse(text.as_bytes()).unwrap());
    assert!(later.head.head().size > made.head.head().size);
    fs::write(place.work().join("p.tlog-proof"), later.encode()).unwrap();
    assert_eq!(verify(&place, Some(&key)).0.exit, 0);
    done(&place, &["verify-chain"]);
}
