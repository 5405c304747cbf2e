//! A key that was lost, and a ledger that cannot be gone on with: what was kept for the day, and what is left of before.

use std::fs;

use ed25519_dalek::{Signer as _, SigningKey};
use ledger_format::hash::{NodeHash, hex};
use ledger_format::head::{SignedHead, TreeHead};
use serde_json::{Value, json};

use crate::support::{Place, Said, a_migrated_store, a_shelf, beside, check_answer, copy, done};

const INIT: [&str; 4] = ["init", "--documents", "--contract", "../contracts/book.yaml"];

fn a_book() -> Place {
    a_shelf(&[("one.json", r#"{"v": 1, "titel": "a"}"#)])
}

/// Makes a key beside the working folder; its public key.
fn a_key(place: &Place, name: &str) -> String {
    let file = format!("../{name}");
    let made = done(place, &["key", "new", &file, "--json"]).json();
    made["data"]["public_key"].as_str().unwrap().to_owned()
}

fn init(place: &Place, more: &[&str]) -> Said {
    place.run(&[&INIT, more, &["--json"]].concat())
}

fn code(said: &Said) -> String {
    said.json()["diagnostics"][0]["code"].as_str().unwrap_or_default().to_owned()
}

fn size(place: &Place) -> u64 {
    done(place, &["log", "--json"]).json()["data"]["size"].as_u64().unwrap()
}

#[test]
fn l9_a_lost_key_is_taken_away_by_the_one_that_was_kept_for_that() {
    let place = a_book();
    let recovery = a_key(&place, "recovery.pem");
    let made = init(&place, &["--recovery", &recovery]);
    let answer = made.json();
    check_answer("init", &answer);
    assert_eq!(made.exit, 0, "{made:?}");
    let keys = done(&place, &["key", "list", "--json"]).json()["data"]["keys"].clone();
    let kept = keys.as_array().unwrap().iter().find(|key| key["key"] == answer["data"]["recovery"]);
    assert_eq!(kept.unwrap()["roles"], json!(["administer"]));
    // It says which keys there are, and nothing of the store.
    let before = size(&place);
    assert_ne!(place.run(&["apply", "--key", "../recovery.pem"]).exit, 0);
    assert_eq!(size(&place), before);
    done(&place, &["apply"]);
    let own = answer["data"]["key"].as_str().unwrap();
    fs::remove_file(place.home().join("config/key.pem")).unwrap();
    let new = a_key(&place, "new.pem");
    let roles = ["--role", "administer", "--role", "append", "--role", "approve"];
    let authorize = [&["key", "authorize", &new, "--key", "../recovery.pem"][..], &roles].concat();
    done(&place, &authorize);
    let revoke = ["key", "revoke", own, "--reason", "lost", "--suspect-since", "2"];
    done(&place, &[&revoke[..], &["--key", "../recovery.pem"]].concat());
    done(&place, &["undo", "--key", "../new.pem"]);
    // What the lost key signed since then is told, and stays legal.
    let judged = done(&place, &["verify-chain", "--json"]).json();
    check_answer("verify-chain", &judged);
    let suspect = &judged["data"]["suspect"];
    assert_eq!(suspect.as_array().map(Vec::len), Some(1), "{judged:#}");
    assert_eq!((&suspect[0]["key"], &suspect[0]["first"]), (&own.into(), &2.into()));
    let signers = judged["data"]["signers"].as_array().unwrap();
    assert_eq!(signers.len(), 3, "{judged:#}");
    assert_eq!(suspect[0]["last"], signers[0]["last"]);
    let said = done(&place, &["verify-chain"]).stdout;
    assert!(said.contains("perhaps not its owner"), "{said}");
}

#[test]
fn l9_a_key_to_recover_with_is_said_when_the_ledger_is_made() {
    let place = a_book();
    let recovery = a_key(&place, "recovery.pem");
    let nothing_made = |said: &Said, exit: i32, expected: &str| {
        assert_eq!((said.exit, code(said).as_str()), (exit, expected), "{said:?}");
        assert!(!place.work().join(".glyph-ledger").exists());
    };
    nothing_made(&init(&place, &["--recovery", "../recovery.pem"]), 3, "KEY_INVALID");
    nothing_made(&init(&place, &["--recovery", &"00".repeat(32)]), 3, "KEY_INVALID");
    let own =
        [&INIT[..], &["--recovery", &recovery, "--key", "../recovery.pem", "--json"]].concat();
    nothing_made(&place.run(&own), 6, "KEY_REFUSED");
    // Nor a store.
    let store = Place::new();
    let own = a_key(&store, "own.pem");
    let said = store.run(&["init", "--recovery", &own, "--key", "../own.pem", "--json"]);
    assert_eq!((said.exit, code(&said).as_str()), (6, "KEY_REFUSED"), "{said:?}");
    assert_eq!(fs::read_dir(store.work()).unwrap().count(), 0);
    assert_eq!(init(&place, &[]).exit, 0);
    let again = init(&place, &["--recovery", &recovery]);
    assert_eq!((again.exit, code(&again)), (2, "ALREADY_HERE".to_owned()), "{again:?}");
}

#[test]
fn l9_the_key_to_recover_with_takes_over_from_nobody_and_who_rotates_it_is_warned() {
    let place = a_book();
    let recovery = a_key(&place, "recovery.pem");
    assert_eq!(init(&place, &["--recovery", &recovery]).exit, 0);
    a_key(&place, "new.pem");
    let before = size(&place);
    let said = place.run(&["key", "rotate", "../recovery.pem", "--json"]);
    assert_eq!((said.exit, code(&said).as_str()), (6, "KEY_REFUSED"), "{said:?}");
    let message = said.json()["diagnostics"][0]["message"].to_string();
    assert!(message.contains("the key to recover with does not take over"), "{message}");
    assert_eq!(size(&place), before);
    let said = done(&place, &["key", "rotate", "../new.pem", "--key", "../recovery.pem"]);
    assert!(said.stderr.contains("warning: it took over from the key to recover with"), "{said:?}");
    // Any other is rotated without a word of that.
    a_key(&place, "next.pem");
    let said = done(&place, &["key", "rotate", "../next.pem"]);
    assert!(!said.stderr.contains("warning"), "{said:?}");
}

/// Puts the older copy back over the ledger in `folder`, as somebody does with a backup, and then aside.
fn restored(place: &Place, folder: &str) {
    let ledger = place.work().join(folder);
    fs::remove_dir_all(&ledger).unwrap();
    copy(&beside(place, "older"), &ledger);
    assert_eq!(code(&place.run(&["log", "--json"])), "LEDGER_REGRESSED");
    fs::rename(&ledger, beside(place, "old")).unwrap();
}

/// What `init` says of the ledger before, and what its own folder holds.
fn before(place: &Place, answer: &Value) -> Value {
    check_answer("init", answer);
    let before = answer["data"]["continues"].clone();
    assert_ne!(before["ledger"], answer["data"]["ledger"]);
    // Its pin stays: what was restored is still known to be older.
    let old = place.run(&["verify-chain", "--ledger", "../old", "--json"]);
    assert_eq!((old.exit, code(&old)), (3, "LEDGER_REGRESSED".to_owned()), "{old:?}");
    assert_eq!(old.json()["data"]["good"]["root"], before["root"]);
    before
}

#[test]
fn l6_work_goes_on_from_a_backup_under_a_new_id() {
    let place = a_book();
    assert_eq!(init(&place, &[]).exit, 0);
    copy(&place.work().join(".glyph-ledger"), &beside(&place, "older"));
    done(&place, &["apply"]);
    let newest = done(&place, &["head", "show"]).stdout;
    restored(&place, ".glyph-ledger");
    // Nobody begins anew where a ledger was, unless they say from which one they go on.
    let refused = init(&place, &[]);
    assert_eq!((refused.exit, code(&refused)), (3, "LEDGER_FOREIGN".to_owned()));
    let missing = init(&place, &["--continues", "../nothing"]);
    assert_eq!((missing.exit, code(&missing)), (1, "IO".to_owned()));
    let emptied = beside(&place, "emptied");
    copy(&beside(&place, "old"), &emptied);
    fs::write(emptied.join("sled/db"), "").unwrap();
    let damaged = init(&place, &["--continues", "../emptied"]);
    assert_eq!(damaged.exit, 3, "{damaged:?}");
    assert!(!place.work().join(".glyph-ledger").exists());
    let made = init(&place, &["--continues", "../old"]);
    assert_eq!(made.exit, 0, "{made:?}");
    assert_eq!(before(&place, &made.json())["size"], 2);
    let again = init(&place, &["--continues", "../old"]);
    assert_eq!((again.exit, code(&again)), (2, "ALREADY_HERE".to_owned()), "{again:?}");
    done(&place, &["status"]);
    done(&place, &["verify-chain"]);
    let first = done(&place, &["show", "0"]).stdout;
    assert!(first.contains("continues"), "{first}");
    // Where nothing is left of it but a head, that is named.
    fs::write(beside(&place, "newest.note"), newest).unwrap();
    fs::rename(place.work().join(".glyph-ledger"), beside(&place, "second")).unwrap();
    let said = init(&place, &["--continues", "../newest.note"]);
    assert_eq!(
        (said.exit, code(&said)),
        (3, "LEDGER_FOREIGN".to_owned()),
        "another one was here last"
    );
}

/// A backup from before a key took over does not know who signed what is remembered: it is an older ledger all the same, and what to do is said.
#[test]
fn l6_a_backup_from_before_a_rotation_is_told_as_what_it_is() {
    let place = a_book();
    assert_eq!(init(&place, &[]).exit, 0);
    copy(&place.work().join(".glyph-ledger"), &beside(&place, "older"));
    a_key(&place, "new.pem");
    done(&place, &["key", "rotate", "../new.pem"]);
    done(&place, &["apply", "--key", "../new.pem"]);
    let ledger = place.work().join(".glyph-ledger");
    fs::rename(&ledger, beside(&place, "newest")).unwrap();
    copy(&beside(&place, "older"), &ledger);
    for command in [["verify-chain", "--json"], ["log", "--json"], ["status", "--json"]] {
        let said = place.run(&command);
        assert_eq!((said.exit, code(&said).as_str()), (3, "LEDGER_REGRESSED"), "{said:?}");
    }
    let more = done(&place, &["explain", "LEDGER_REGRESSED"]).stdout;
    assert!(more.contains("init --continues DIR"), "{more}");
    // With the ledger moved out of its place the way on from it is named.
    fs::rename(&ledger, beside(&place, "old")).unwrap();
    for arguments in [&["log", "--json"][..], &["status", "--json"]] {
        let said = place.run(arguments);
        assert_eq!((said.exit, code(&said).as_str()), (3, "LEDGER_FOREIGN"), "{said:?}");
        let next = said.json()["next"][1]["argv"].clone();
        assert_eq!((&next[1], &next[2]), (&"init".into(), &"--continues".into()), "{next}");
    }
    let more = done(&place, &["explain", "LEDGER_FOREIGN"]).stdout;
    assert!(more.contains("init --continues DIR"), "{more}");
    let made = init(&place, &["--continues", "../old"]);
    assert_eq!(made.exit, 0, "{made:?}");
    assert_eq!(before(&place, &made.json())["size"], 2);
}

/// A first event names another ledger by its head. What nobody who is known signed is not named.
#[test]
fn l6_nobody_goes_on_from_a_head_that_a_stranger_signed() {
    let place = a_book();
    assert_eq!(init(&place, &[]).exit, 0);
    let note = done(&place, &["head", "show"]).stdout;
    let head = *SignedHead::parse(note.as_bytes()).unwrap().head();
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let forged = |head: TreeHead, name: &str| {
        let signed = SignedHead::sign(head, &stranger.verifying_key(), |text| stranger.sign(text));
        fs::write(beside(&place, name), signed.encode()).unwrap();
    };
    forged(head, "forged.note");
    forged(TreeHead { root: NodeHash::empty_root(), ..head }, "other.note");
    fs::write(beside(&place, "true.note"), &note).unwrap();
    fs::write(beside(&place, "bent.note"), note.replacen("\n2\n", "\n3\n", 1)).unwrap();
    let strangers = hex(stranger.verifying_key().as_bytes());
    let elsewhere = |arguments: &[&str]| init(&place, &[&["../new"], arguments].concat());
    fs::create_dir(beside(&place, "new")).unwrap();
    for (arguments, expected) in [
        (&["--continues", "../forged.note"][..], "SIGNER_UNKNOWN"),
        (&["--continues", "../true.note", "--continues-key", &strangers], "SIGNER_UNKNOWN"),
        (&["--continues", "../bent.note"], "SIGNATURE_BAD"),
        (&["--continues", "../other.note", "--continues-key", &strangers], "LEDGER_DIVERGED"),
    ] {
        let refused = elsewhere(arguments);
        assert_eq!((refused.exit, code(&refused).as_str()), (3, expected), "{refused:?}");
        assert_eq!(fs::read_dir(beside(&place, "new")).unwrap().count(), 0);
    }
    let made = elsewhere(&["--continues", "../true.note"]);
    assert_eq!(made.exit, 0, "{made:?}");
    // What is only said by the first event is told as that.
    let ledger = beside(&place, "new/.glyph-ledger");
    let ledger = ledger.to_str().unwrap();
    let judged = done(&place, &["verify-chain", "--ledger", ledger, "--json"]).json();
    check_answer("verify-chain", &judged);
    assert_eq!(judged["data"]["continues"]["ledger"], head.ledger.to_string());
    let told = done(&place, &["verify-chain", "--ledger", ledger]).stdout;
    assert!(told.contains("which is not looked at"), "{told}");
}

#[test]
fn l6_a_store_goes_on_from_a_backup() {
    let place = Place::new();
    done(&place, &["init"]);
    copy(&place.work().join(".glyph/ledger"), &beside(&place, "older"));
    let plan = done(&place, &["plan", "--to", "2", "-o", "../plan.json", "--json"]).json();
    let id = plan["data"]["plan"]["id"].as_str().unwrap();
    done(&place, &["apply", "../plan.json", "--accept-lossy", id]);
    restored(&place, ".glyph/ledger");
    let made = place.run(&["init", "--continues", "../old", "--json"]);
    assert_eq!(made.exit, 0, "{made:?}");
    before(&place, &made.json());
    assert_eq!(made.json()["data"]["version"], "2");
    crate::support::migrate(&place, "3");
    done(&place, &["undo"]);
    done(&place, &["verify-chain", "--objects"]);
    let whole = Place::new();
    a_migrated_store(&whole);
    let taken = whole.run(&["init", "--continues", ".glyph/ledger", "--json"]);
    assert_eq!((taken.exit, code(&taken)), (2, "ALREADY_HERE".to_owned()), "{taken:?}");
}
