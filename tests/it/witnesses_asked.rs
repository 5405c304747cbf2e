//! `head witness`, over real sockets: what witnesses that do as they should make of a ledger, of one that was rolled back, and of a fork;
//! and what the program makes of witnesses that lie, stall, fail and babble.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ed25519_dalek::VerifyingKey;
use ledger_format::hash::unhex;
use ledger_format::head::SignedHead;
use serde_json::Value;

use crate::support::witness::{
    AUTHORITY, Conforming, Listening, Reply, SEEN_AT, cosigned_at, witness_key,
};
use crate::support::{Place, Said, a_history, beside, check_answer, copy, done};

/// More than any answer needs.
const LONG: usize = 20 * 1024;

/// A ledger with a log key in `../log.pem`, and that key.
fn a_ledger() -> (Place, VerifyingKey) {
    let place = Place::new();
    a_history(&place);
    done(&place, &["key", "new", "../log.pem"]);
    let log = done(&place, &["key", "export", "--key", "../log.pem", "--form", "hex"]).stdout;
    done(&place, &["key", "authorize", log.trim(), "--role", "publish"]);
    let bytes = unhex(log.trim()).unwrap().try_into().unwrap();
    (place, VerifyingKey::from_bytes(&bytes).unwrap())
}

fn append(place: &Place) {
    done(place, &["key", "approvals", "0"]);
}

/// Asks the witness `number` at that address.
fn ask(place: &Place, url: &str, number: u8, more: &[&str]) -> Said {
    let key = witness_key(number).to_string();
    let words =
        ["head", "witness", url, "--witness-key", &key, "--log-key", "../log.pem", "--json"];
    place.run(&[&words[..], more].concat())
}

/// The same, and it cosigns: the answer's data.
fn cosigned(place: &Place, witness: &Listening, number: u8) -> Value {
    let said = ask(place, &witness.url(), number, &[]);
    assert_eq!(said.exit, 0, "{said:?}");
    let answer = said.json();
    check_answer("head", &answer);
    assert_eq!(answer["data"]["witnesses"][0]["seen"], SEEN_AT, "{answer:#}");
    answer["data"].clone()
}

fn codes(answer: &Value) -> Vec<&str> {
    let found = answer["diagnostics"].as_array().unwrap().iter();
    found.map(|diagnostic| diagnostic["code"].as_str().unwrap()).collect()
}

/// The files of heads that are kept, by name.
fn kept(place: &Place) -> Vec<(String, PathBuf)> {
    let folder = place.home().join("state/witnessed");
    let mut files = Vec::new();
    for ledger in fs::read_dir(folder).into_iter().flatten() {
        for file in fs::read_dir(ledger.unwrap().path()).unwrap() {
            let file = file.unwrap();
            files.push((file.file_name().into_string().unwrap(), file.path()));
        }
    }
    files.sort();
    files
}

fn old_sizes(witness: &Listening) -> Vec<String> {
    let first = |body: &String| body.lines().next().unwrap().to_owned();
    witness.requests().iter().map(first).collect()
}

#[test]
fn l6_a_witness_cosigns_the_head_and_what_it_signed_is_kept() {
    let (place, log) = a_ledger();
    let witness = Conforming::new(1, log).listening();
    let first = cosigned(&place, &witness, 1);
    let head = SignedHead::parse(first["note"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(witness_key(1).seen(head.note(), u64::MAX), Ok(SEEN_AT));
    let size = first["size"].to_string();
    let [(name, file)] = kept(&place).try_into().unwrap();
    assert_eq!((name, fs::read(&file).unwrap()), (size.clone(), head.encode()));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // The next one goes on from there, with a proof and without a question; the one before is not needed any more.
    append(&place);
    let second = cosigned(&place, &witness, 1);
    assert_eq!(old_sizes(&witness), ["old 0".to_owned(), format!("old {size}")]);
    assert_eq!(kept(&place).len(), 1);
    assert_eq!(kept(&place)[0].0, second["size"].to_string());
    // Who remembers nothing is told the size, once, and asks again.
    fs::remove_dir_all(place.home().join("state/witnessed")).unwrap();
    append(&place);
    cosigned(&place, &witness, 1);
    assert_eq!(old_sizes(&witness)[2..], ["old 0".to_owned(), format!("old {}", second["size"])]);
    // The same head again has one line of that witness.
    let again = cosigned(&place, &witness, 1);
    assert_eq!(again["note"].as_str().unwrap().matches("witness.example/w1 ").count(), 1);
    // For people.
    let key = witness_key(1).to_string();
    let said = done(
        &place,
        &["head", "witness", &witness.url(), "--witness-key", &key, "--log-key", "../log.pem"],
    );
    assert!(said.stdout.contains("was cosigned by 1 of 1 witness\n"), "{said:?}");
}

#[test]
fn l6_what_is_kept_goes_along_with_heads_proofs_bundles_and_publications() {
    let (place, log) = a_ledger();
    let witness = Conforming::new(1, log).listening();
    let data = cosigned(&place, &witness, 1);
    let line = |text: &str| text.matches("\u{2014} witness.example/w1 ").count();
    assert_eq!(done(&place, &["head", "show"]).stdout, data["note"].as_str().unwrap());
    let size = data["size"].to_string();
    assert_eq!(line(&done(&place, &["proof", "inclusion", "2"]).stdout), 1);
    done(&place, &["head", "publish", "../public"]);
    let checkpoint = || fs::read_to_string(beside(&place, "public").join("checkpoint")).unwrap();
    assert_eq!(line(&checkpoint()), 1);
    // Of what its events refer to nothing is kept; the archive is written and says so.
    fs::create_dir(place.work().join(".glyph-ledger/objects")).unwrap();
    let bundled = place.run(&["audit", "bundle", "-o", "../evidence.zip"]);
    assert_eq!(bundled.exit, 3, "{bundled:?}");
    let archive = fs::read(beside(&place, "evidence.zip")).unwrap();
    // In its head, and in the proofs of its runs.
    assert!(line(&String::from_utf8_lossy(&archive)) >= 2);
    done(
        &place,
        &[
            "head",
            "witness",
            &witness.url(),
            "--witness-key",
            &witness_key(1).to_string(),
            "--log-key",
            "../log.pem",
            "-o",
            "../cosigned",
        ],
    );
    assert_eq!(line(&fs::read_to_string(beside(&place, "cosigned")).unwrap()), 1);
    // Of a newer head it says nothing.
    append(&place);
    assert_eq!(line(&done(&place, &["head", "show"]).stdout), 0);
    assert_eq!(
        line(
            &done(
                &place,
                &["head", "show", "--at", &(data["size"].as_u64().unwrap() - 1).to_string()]
            )
            .stdout
        ),
        1
    );
    assert_eq!(line(&done(&place, &["proof", "inclusion", "2"]).stdout), 0);
    // Unless a policy asks for one that was seen.
    let policy = format!("witness W1 {}\nquorum W1\n", witness_key(1));
    fs::write(beside(&place, "policy"), policy).unwrap();
    let proof = done(&place, &["proof", "inclusion", "2", "--witness-policy", "../policy"]).stdout;
    assert!(line(&proof) == 1 && proof.contains(&format!("\n{size}\n")), "{proof}");
    let late = place.run(&["proof", "inclusion", "@", "--witness-policy", "../policy", "--json"]);
    assert_eq!((late.exit, codes(&late.json())), (7, vec!["WITNESSES_MISSING"]));
    // Who forgets the ledger forgets them, and damage is told.
    fs::write(&kept(&place)[0].1, "hello").unwrap();
    let damaged = place.run(&["head", "show", "--json"]);
    assert_eq!((damaged.exit, codes(&damaged.json())), (3, vec!["PIN_INVALID"]));
    let forgot =
        done(&place, &["head", "forget", data["ledger"].as_str().unwrap(), "--json"]).json();
    check_answer("head", &forgot);
    assert_eq!((forgot["data"]["cosigned"].as_u64(), kept(&place).len()), (Some(1), 0));
    done(&place, &["head", "show"]);
}

#[test]
fn l6_enough_witnesses_show_a_ledger_to_be_complete_without_a_head_from_elsewhere() {
    let (place, log) = a_ledger();
    let witnesses = [1, 2, 3].map(|number| Conforming::new(number, log).listening());
    let line = |(number, witness): (u8, &Listening)| {
        format!("witness W{number} {} {}\n", witness_key(number), witness.url())
    };
    let lines: Vec<String> = (1..4).zip(&witnesses).map(line).collect();
    let lines = lines.concat();
    let policy = format!("{lines}group two 2 W1 W2 W3\nquorum two\n");
    fs::write(beside(&place, "policy"), policy).unwrap();
    let judged = |place: &Place| {
        let said = place.run(&["verify-chain", "--witness-policy", "../policy", "--json"]);
        let answer = said.json();
        check_answer("verify-chain", &answer);
        let codes: Vec<String> = codes(&answer).into_iter().map(str::to_owned).collect();
        (said.exit, codes, answer["data"]["known_by"].clone())
    };
    let missing = |exit, known: Value| (exit, vec!["WITNESSES_MISSING".to_owned()], known);
    assert_eq!(judged(&place), missing(7, "pin".into()));
    cosigned(&place, &witnesses[0], 1);
    assert_eq!(judged(&place), missing(7, "pin".into()));
    // All that the policy has addresses of.
    let said = place.run(&[
        "head",
        "witness",
        "--witness-policy",
        "../policy",
        "--log-key",
        "../log.pem",
        "--json",
    ]);
    let answer = said.json();
    check_answer("head", &answer);
    assert_eq!((said.exit, &answer["data"]["policy_met"]), (0, &Value::Bool(true)), "{answer:#}");
    assert_eq!(answer["data"]["witnesses"].as_array().unwrap().len(), 3);
    fs::remove_dir_all(place.home().join("state/pins")).unwrap();
    assert_eq!(judged(&place), (0, vec![], "witnesses".into()));
    // A newer head that only one of them saw does not take that away, nor does the ledger's own going on.
    append(&place);
    cosigned(&place, &witnesses[1], 2);
    fs::remove_dir_all(place.home().join("state/pins")).unwrap();
    assert_eq!(judged(&place), (0, vec![], "witnesses".into()));
    // One that is down is told, and the others are asked all the same.
    append(&place);
    let [one, two, three] = witnesses;
    drop(one);
    let said = place.run(&[
        "head",
        "witness",
        "--witness-policy",
        "../policy",
        "--log-key",
        "../log.pem",
        "--json",
    ]);
    let answer = said.json();
    assert_eq!((said.exit, codes(&answer)), (1, vec!["WITNESS_UNREACHABLE"]), "{answer:#}");
    assert_eq!(answer["data"]["policy_met"], true);
    let asked = answer["data"]["witnesses"].as_array().unwrap();
    assert_eq!([&asked[0]["seen"], &asked[1]["seen"]], [&Value::Null, &SEEN_AT.into()]);
    // What the witnesses saw shows that something was cut off, with no pin left.
    let older = beside(&place, "older");
    copy(&place.work().join(".glyph-ledger"), &older);
    append(&place);
    for (number, witness) in [(2, &two), (3, &three)] {
        cosigned(&place, witness, number);
    }
    fs::remove_dir_all(place.home().join("state/pins")).unwrap();
    fs::remove_dir_all(place.work().join(".glyph-ledger")).unwrap();
    copy(&older, &place.work().join(".glyph-ledger"));
    let (exit, codes, _) = judged(&place);
    assert_eq!((exit, codes[0].as_str()), (3, "LEDGER_REGRESSED"));
}

#[test]
fn l6_files_are_held_to_a_policy_by_their_own_heads() {
    let (place, log) = a_ledger();
    let witness = Conforming::new(1, log).listening();
    let id = cosigned(&place, &witness, 1)["ledger"].as_str().unwrap().to_owned();
    done(&place, &["proof", "inclusion", "2", "-o", "../p.tlog-proof"]);
    done(&place, &["head", "publish", "../public"]);
    let signer = done(&place, &["key", "export", "--form", "hex"]).stdout;
    for (number, exit, told) in [(1, 0, vec![]), (2, 7, vec!["WITNESSES_MISSING"])] {
        let policy = format!("witness W {}\nquorum W\n", witness_key(number));
        fs::write(beside(&place, "policy"), policy).unwrap();
        let proof = ["proof", "verify", "../p.tlog-proof", "--signer", signer.trim()];
        let said = place.run(&[&proof[..], &["--witness-policy", "../policy", "--json"]].concat());
        assert_eq!((said.exit, codes(&said.json())), (exit, told), "{said:?}");
        let folder = ["head", "verify", "../public", "--ledger", &id];
        let said = place.run(&[&folder[..], &["--witness-policy", "../policy", "--json"]].concat());
        assert_eq!(said.exit, exit, "{said:?}");
        assert_eq!(said.json()["data"]["complete_to"].is_u64(), exit == 0, "{said:?}");
    }
}

#[test]
fn l6_witnesses_tell_of_a_ledger_that_was_rolled_back_and_of_a_fork() {
    let (place, log) = a_ledger();
    let witness = Conforming::new(1, log).listening();
    let older = beside(&place, "older");
    copy(&place.work().join(".glyph-ledger"), &older);
    append(&place);
    append(&place);
    cosigned(&place, &witness, 1);
    let refused = |code: &str| {
        let said = ask(&place, &witness.url(), 1, &[]);
        let answer = said.json();
        assert_eq!((said.exit, codes(&answer)[0]), (3, code), "{answer:#}");
        assert_eq!(answer["next"][0]["argv"][1], "verify-chain", "{answer:#}");
        assert!(kept(&place).is_empty());
    };
    // Nobody here remembers anything; the witness does.
    fs::remove_dir_all(place.home().join("state")).unwrap();
    fs::remove_dir_all(place.work().join(".glyph-ledger")).unwrap();
    copy(&older, &place.work().join(".glyph-ledger"));
    refused("LEDGER_REGRESSED");
    // Another history, as long as that and longer.
    append(&place);
    append(&place);
    refused("LEDGER_DIVERGED");
    append(&place);
    refused("LEDGER_DIVERGED");
}

#[test]
fn l6_a_ledger_that_does_not_continue_what_is_kept_is_shown_to_no_witness() {
    let (place, log) = a_ledger();
    let witness = Conforming::new(1, log).listening();
    let older = beside(&place, "older");
    copy(&place.work().join(".glyph-ledger"), &older);
    append(&place);
    cosigned(&place, &witness, 1);
    fs::remove_dir_all(place.home().join("state/pins")).unwrap();
    fs::remove_dir_all(place.work().join(".glyph-ledger")).unwrap();
    copy(&older, &place.work().join(".glyph-ledger"));
    for code in ["LEDGER_REGRESSED", "LEDGER_DIVERGED"] {
        let said = ask(&place, &witness.url(), 1, &[]);
        let answer = said.json();
        assert_eq!((said.exit, codes(&answer)), (3, vec![code]), "{answer:#}");
        assert_eq!(answer["diagnostics"][0]["evidence"].as_array().unwrap().len(), 2);
        append(&place);
    }
    assert_eq!(witness.requests().len(), 1);
}

/// What the witness 1 is to say, and how that ends.
fn bad_answers(text: &str) -> Vec<(&'static str, Reply, i32, &'static str)> {
    let says = |body: &str| Reply::says(200, body);
    let redirect = Reply::Says {
        status: 302,
        headers: "Location: http://127.0.0.1:1/\r\n".to_owned(),
        body: Vec::new(),
    };
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b'x'; 40 * LONG]].concat();
    let header = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(40 * LONG));
    let bomb =
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08"
            .to_vec();
    let other = text.replacen('\n', "0\n", 2);
    vec![
        (
            "signed by another key",
            says(&cosigned_at(text, 2, SEEN_AT).replace("/w2 ", "/w1 ")),
            3,
            "WITNESS_INVALID",
        ),
        ("of another head", says(&cosigned_at(&other, 1, SEEN_AT)), 3, "WITNESS_INVALID"),
        ("without a time", says(&cosigned_at(text, 1, 0)), 3, "WITNESS_INVALID"),
        ("of a far future", says(&cosigned_at(text, 1, 1 << 62)), 3, "WITNESS_INVALID"),
        ("of the year 9000", says(&cosigned_at(text, 1, 221_845_392_000)), 3, "WITNESS_INVALID"),
        ("nothing", says(""), 3, "WITNESS_INVALID"),
        ("garbage", says("\u{0}\u{1}garbage\n"), 3, "WITNESS_INVALID"),
        (
            "no text",
            Reply::Says { status: 200, headers: String::new(), body: vec![0xff; 40] },
            3,
            "WITNESS_INVALID",
        ),
        ("too much", says(&"x".repeat(LONG)), 3, "WITNESS_INVALID"),
        ("without an end", Reply::Raw(endless), 3, "WITNESS_INVALID"),
        ("compressed", Reply::Raw(bomb), 3, "WITNESS_INVALID"),
        ("a stale size, again and again", Reply::has(1), 3, "WITNESS_INVALID"),
        ("a size that is none", Reply::has("07"), 3, "WITNESS_INVALID"),
        ("a conflict and no size", Reply::says(409, "1\n"), 3, "WITNESS_INVALID"),
        ("more than there is", Reply::has(u64::MAX), 3, "LEDGER_REGRESSED"),
        ("a fork", Reply::says(422, ""), 3, "LEDGER_DIVERGED"),
        ("another place", redirect, 6, "WITNESS_REFUSED"),
        ("no such log", Reply::says(404, ""), 6, "WITNESS_REFUSED"),
        ("no such key", Reply::says(403, ""), 6, "WITNESS_REFUSED"),
        ("not understood", Reply::says(400, ""), 6, "WITNESS_REFUSED"),
        ("accepted, later", Reply::says(202, ""), 6, "WITNESS_REFUSED"),
        ("too often", Reply::says(429, ""), 1, "WITNESS_UNREACHABLE"),
        ("a failure", Reply::says(500, "oops"), 1, "WITNESS_UNREACHABLE"),
        ("a long head", Reply::Raw(header.into_bytes()), 1, "WITNESS_UNREACHABLE"),
        ("no HTTP", Reply::Raw(b"SSH-2.0-x\r\n".to_vec()), 1, "WITNESS_UNREACHABLE"),
        ("hanging up", Reply::Raw(Vec::new()), 1, "WITNESS_UNREACHABLE"),
        (
            "half an answer",
            Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".to_vec()),
            1,
            "WITNESS_UNREACHABLE",
        ),
    ]
}

#[test]
fn l6_a_witness_that_lies_fails_or_babbles_is_told_by_name_and_nothing_of_it_is_kept() {
    let (place, _) = a_ledger();
    let note = done(&place, &["head", "show"]).stdout;
    let text = note.split_once("\n\n").unwrap().0.to_owned() + "\n";
    for (what, reply, exit, code) in bad_answers(&text) {
        let witness = Listening::new(move |_| reply.clone());
        let said = ask(&place, &witness.url(), 1, &["-o", "../cosigned"]);
        let answer = said.json();
        check_answer("head", &answer);
        assert_eq!((said.exit, codes(&answer)), (exit, vec![code]), "{what}: {answer:#}");
        let told = &answer["diagnostics"][0];
        assert_eq!(told["place"], witness.url(), "{what}: {told:#}");
        assert_eq!(told["not_done"], "nothing of this witness was kept", "{what}");
        assert!(answer["next"][0]["argv"].is_array(), "{what}: {told:#}");
        assert!(kept(&place).is_empty() && !beside(&place, "cosigned").exists(), "{what}");
        // Redirects are not followed, sizes not argued about.
        assert!(witness.requests().len() <= 2, "{what}");
    }
    // The same answer in order.
    let good = Listening::new(move |_| Reply::says(200, &cosigned_at(&text, 1, SEEN_AT)));
    assert_eq!(ask(&place, &good.url(), 1, &[]).exit, 0);
    assert_eq!(kept(&place).len(), 1);
}

#[test]
fn l6_a_witness_that_stalls_is_waited_for_as_long_as_was_said() {
    let (place, _) = a_ledger();
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".to_vec();
    for begun in [Vec::new(), b"HTTP/1.1 200".to_vec(), half] {
        let witness = Listening::new(move |_| Reply::Stalls(begun.clone()));
        let said = ask(&place, &witness.url(), 1, &["--timeout", "1"]);
        let answer = said.json();
        assert_eq!((said.exit, codes(&answer)), (1, vec!["WITNESS_UNREACHABLE"]), "{answer:#}");
        let message = answer["diagnostics"][0]["message"].as_str().unwrap();
        assert!(message.contains("no whole answer within 1 s"), "{message}");
        assert!(kept(&place).is_empty());
    }
    // Nobody listens there.
    let gone = Listening::new(|_| Reply::says(500, "")).url();
    let said = ask(&place, &gone, 1, &[]);
    assert_eq!((said.exit, codes(&said.json())), (1, vec!["WITNESS_UNREACHABLE"]), "{said:?}");
}

#[test]
fn l6_an_encrypted_witness_is_believed_by_the_authority_that_was_named_and_by_no_other() {
    let (place, _) = a_ledger();
    let note = done(&place, &["head", "show"]).stdout;
    let text = note.split_once("\n\n").unwrap().0.to_owned() + "\n";
    let witness = Listening::encrypted(move |_| Reply::says(200, &cosigned_at(&text, 1, SEEN_AT)));
    let unknown = ask(&place, &witness.url(), 1, &[]);
    let answer = unknown.json();
    assert_eq!((unknown.exit, codes(&answer)), (1, vec!["WITNESS_UNREACHABLE"]), "{answer:#}");
    let message = answer["diagnostics"][0]["message"].as_str().unwrap();
    assert!(message.contains("UnknownIssuer"), "{message}");
    assert!(kept(&place).is_empty() && witness.requests().is_empty());
    fs::write(beside(&place, "authority.pem"), AUTHORITY).unwrap();
    let said = ask(&place, &witness.url(), 1, &["--authority", "../authority.pem"]);
    assert_eq!((said.exit, kept(&place).len()), (0, 1), "{said:?}");
    fs::write(beside(&place, "authority.pem"), "hello").unwrap();
    let said = ask(&place, &witness.url(), 1, &["--authority", "../authority.pem"]);
    assert_eq!((said.exit, codes(&said.json())), (2, vec!["USAGE"]), "{said:?}");
}

#[test]
fn l6_whom_to_ask_must_be_said_and_without_encryption_only_this_machine_is_asked() {
    let (place, log) = a_ledger();
    let key = witness_key(1).to_string();
    let policy = format!("witness W1 {key}\nquorum W1\n");
    fs::write(beside(&place, "policy"), policy).unwrap();
    let log_key = format!("{}+{}", key.split('+').next().unwrap(), "00000000+AQ==");
    for words in [
        &["https://witness.example"][..],
        &["--witness-key", &key],
        &["https://a.example", "https://b.example", "--witness-key", &key],
        &["https://a.example", "--witness-key", "hello"],
        &["https://a.example", "--witness-key", &log_key],
        &["http://witness.example", "--witness-key", &key],
        &["http://10.0.0.1", "--witness-key", &key],
        &["ftp://127.0.0.1", "--witness-key", &key],
        &["https://user:secret@127.0.0.1", "--witness-key", &key],
        &["--witness-policy", "../policy"],
        &["https://a.example", "--witness-policy", "../policy"],
        &["https://a.example", "--witness-key", &key, "-o", ".glyph-ledger/cosigned"],
        &["https://a.example", "--witness-key", &key, "-o", "../policy"],
        &["https://a.example", "--witness-key", &key, "--timeout", "0"],
        &[],
    ] {
        let said = place.run(&[&["head", "witness", "--json"][..], words].concat());
        assert_eq!((said.exit, codes(&said.json())), (2, vec!["USAGE"]), "{words:?}: {said:?}");
    }
    assert!(!place.work().join(".glyph-ledger/cosigned").exists());
    // A head that the log key did not sign is one that a witness does not know.
    let witness = Conforming::new(1, log).listening();
    let said = place.run(&["head", "witness", &witness.url(), "--witness-key", &key, "--json"]);
    let answer = said.json();
    assert_eq!((said.exit, codes(&answer)), (6, vec!["WITNESS_REFUSED"]), "{answer:#}");
    let next = answer["next"][0]["argv"].as_array().unwrap();
    assert!(next.contains(&"--log-key".into()), "{answer:#}");
    // A key that may not publish signs no head for others.
    let own = place.home().join("config/key.pem");
    let said = place.run(&[
        "head",
        "witness",
        &witness.url(),
        "--witness-key",
        &key,
        "--log-key",
        own.to_str().unwrap(),
        "--json",
    ]);
    assert_eq!((said.exit, codes(&said.json())), (6, vec!["KEY_REFUSED"]), "{said:?}");
    assert_eq!(witness.requests().len(), 1);
}
