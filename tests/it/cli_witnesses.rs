//! Heads that others have seen: who must have, and what a ledger is worth that is held against one.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::Signer as _;
use ledger_format::note::Note;
use serde_json::Value;

use crate::support::witness::{SEEN_AT, cosigned_at, witness_key, witness_secret};
use crate::support::{Place, a_history, beside, check_answer, copy, done};

/// What the witness answers with: its signature line over the text of a note.
fn cosignature(note: &str, number: u8) -> String {
    let text = Note::parse(note.as_bytes()).unwrap().text().to_owned();
    cosigned_at(&text, number, SEEN_AT)
}

/// Two of three must have seen a head.
fn two_of_three() -> String {
    let line = |number: u8| format!("witness W{number} {}\n", witness_key(number));
    let lines: String = (1..4).map(line).collect();
    format!("{lines}group any-two 2 W1 W2 W3\nquorum any-two\n")
}

/// A ledger that nobody here remembers, its newest head, and a policy.
fn a_ledger() -> (Place, String) {
    let place = Place::new();
    a_history(&place);
    let note = done(&place, &["head", "show"]).stdout;
    fs::write(beside(&place, "policy"), two_of_three()).unwrap();
    fs::remove_dir_all(place.home().join("state")).unwrap();
    (place, note)
}

/// What the judge says of the ledger held against `note` under the policy.
fn judged(place: &Place, note: &str) -> (i32, Value) {
    fs::write(beside(place, "head"), note).unwrap();
    let said = place.run(&[
        "verify-chain",
        "--trust",
        "../head",
        "--witness-policy",
        "../policy",
        "--json",
    ]);
    let answer = said.json();
    check_answer("verify-chain", &answer);
    (said.exit, answer)
}

fn codes(answer: &Value) -> Vec<&str> {
    let found = answer["diagnostics"].as_array().unwrap().iter();
    found.map(|diagnostic| diagnostic["code"].as_str().unwrap()).collect()
}

#[test]
fn l6_a_head_that_enough_witnesses_saw_shows_a_ledger_to_be_complete() {
    let (place, note) = a_ledger();
    let [one, two, three] = [1, 2, 3].map(|number| cosignature(&note, number));
    for enough in [format!("{one}{two}"), format!("{three}{one}"), format!("{one}{two}{three}")] {
        let (exit, answer) = judged(&place, &format!("{note}{enough}"));
        assert_eq!((exit, &answer["data"]["known_by"]), (0, &"witnesses".into()), "{answer:#}");
    }
    let stranger = cosignature(&note, 4);
    let bent = two.replacen(" witness.example/w2 ", " witness.example/w3 ", 1);
    for few in
        [String::new(), one.clone(), format!("{one}{one}"), format!("{one}{stranger}"), one + &bent]
    {
        let (exit, answer) = judged(&place, &format!("{note}{few}"));
        let expected = vec!["COMPLETENESS_NOT_PROVEN", "WITNESSES_MISSING"];
        assert_eq!((exit, codes(&answer)), (7, expected), "{answer:#}");
        let message = answer["diagnostics"][1]["message"].as_str().unwrap();
        assert!(message.contains("W2: no cosignature by witness.example/w2"), "{message}");
    }
}

#[test]
fn l6_a_ledger_that_is_not_what_witnesses_saw_is_refused_whoever_saw_it() {
    let (place, _) = a_ledger();
    let older = beside(&place, "older");
    copy(&place.work().join(".glyph-ledger"), &older);
    done(&place, &["key", "approvals", "0"]);
    let note = done(&place, &["head", "show"]).stdout;
    fs::remove_dir_all(place.home().join("state")).unwrap();
    fs::remove_dir_all(place.work().join(".glyph-ledger")).unwrap();
    copy(&older, &place.work().join(".glyph-ledger"));
    for signed in
        [note.clone(), format!("{note}{}{}", cosignature(&note, 1), cosignature(&note, 2))]
    {
        let (exit, answer) = judged(&place, &signed);
        assert_eq!((exit, codes(&answer)[0]), (3, "LEDGER_REGRESSED"), "{answer:#}");
    }
}

#[test]
fn l6_a_policy_may_name_the_log_and_one_that_is_none_is_refused() {
    let (place, note) = a_ledger();
    let origin = note.lines().next().unwrap().to_owned();
    let text = Note::parse(note.as_bytes()).unwrap().text().to_owned();
    let log = witness_secret(9);
    let published = Note::signed(text, &origin, &log.verifying_key(), |text| log.sign(text));
    let published = String::from_utf8(published.encode()).unwrap();
    let line = published.split_once("\n\n").unwrap().1;
    let typed = [&[1_u8][..], log.verifying_key().as_bytes()].concat();
    let blob = BASE64.decode(line.trim_end().rsplit(' ').next().unwrap()).unwrap();
    let vkey =
        format!("{origin}+{}+{}", ledger_format::hash::hex(&blob[..4]), BASE64.encode(typed));
    let policy = format!("log {vkey}\n{}", two_of_three());
    fs::write(beside(&place, "policy"), &policy).unwrap();
    let both = format!("{}{}", cosignature(&note, 1), cosignature(&note, 3));
    let (exit, answer) = judged(&place, &format!("{note}{both}"));
    assert_eq!((exit, codes(&answer).contains(&"WITNESSES_MISSING")), (7, true), "{answer:#}");
    let (exit, answer) = judged(&place, &format!("{note}{line}{both}"));
    assert_eq!(exit, 0, "{answer:#}");
    for bad in
        ["", "quorum W9\n", &policy.replace("quorum any-two", "quorum"), &policy.replace('+', "-")]
    {
        fs::write(beside(&place, "policy"), bad).unwrap();
        let said = place.run(&[
            "verify-chain",
            "--trust",
            "../head",
            "--witness-policy",
            "../policy",
            "--json",
        ]);
        assert_eq!((said.exit, codes(&said.json())), (2, vec!["POLICY_INVALID"]), "{bad}");
    }
    // Without a head, and none kept here, nobody saw one.
    fs::write(beside(&place, "policy"), two_of_three()).unwrap();
    let said = place.run(&["verify-chain", "--witness-policy", "../policy", "--json"]);
    assert!(codes(&said.json()).contains(&"WITNESSES_MISSING"), "{said:?}");
    assert_eq!(said.exit, 7);
}

#[test]
fn l6_a_proof_is_held_against_a_head_that_too_few_witnesses_saw_and_says_so() {
    let place = Place::new();
    a_history(&place);
    fs::write(beside(&place, "policy"), two_of_three()).unwrap();
    let note = done(&place, &["head", "show"]).stdout;
    let [one, two] = [1, 2].map(|number| cosignature(&note, number));
    done(&place, &["proof", "inclusion", "2", "-o", "p.tlog-proof"]);
    done(&place, &["export", "--kind", "run.started", "-o", "../some.jsonl"]);
    done(&place, &["export", "-o", "../all.jsonl"]);
    let key = done(&place, &["key", "export", "--form", "hex"]).stdout;
    for (seen, exit, expected) in
        [(format!("{one}{two}"), 0, vec![]), (one, 7, vec!["WITNESSES_MISSING"])]
    {
        fs::write(beside(&place, "head"), format!("{note}{seen}")).unwrap();
        let proof = ["proof", "verify", "p.tlog-proof", "--signer", key.trim(), "--json"];
        let against = ["--trust", "../head", "--witness-policy", "../policy"];
        let said = place.run(&[&proof[..], &against[..]].concat());
        assert_eq!((said.exit, codes(&said.json())), (exit, expected.clone()), "{said:?}");
        let some = ["export", "verify", "../some.jsonl", "--signer", key.trim(), "--json"];
        let said = place.run(&[&some[..], &against[..]].concat());
        assert_eq!((said.exit, codes(&said.json())), (exit, expected), "{said:?}");
        let all = ["export", "verify", "../all.jsonl", "--json"];
        let said = place.run(&[&all[..], &against[..]].concat());
        let named = codes(&said.json()).contains(&"WITNESSES_MISSING");
        assert_eq!((said.exit, named), (exit, exit == 7), "{said:?}");
    }
}
