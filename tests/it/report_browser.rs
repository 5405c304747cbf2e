//! The evidence report in a real browser: what it says of a good ledger, of a bent one, and of one that others wrote.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use glyph_ledger::evidence::report;
use glyph_ledger::log::ReadLog as _;
use glyph_ledger::objects::MemoryObjects;
use serde_json::{Value, json};

use crate::support::{
    Place, VecLog, a_migrated_store, a_tree, apply_plan, beside, check_answer, done, log,
    log_of_documents, look, plan_all,
};

/// Documents in care that a run took on, one of which lost something; and its report.
fn a_report() -> (Place, PathBuf) {
    let lossy = r#"{"v": 1, "titel": "b", "draft": ["kept nowhere else", 1]}"#;
    let place = a_tree(&[("one.json", r#"{"v": 1, "titel": "a"}"#), ("two.json", lossy)]);
    let id = plan_all(&place);
    assert_eq!(apply_plan(&place, &id).exit, 0);
    let file = report_of(&place);
    (place, file)
}

fn report_of(place: &Place) -> PathBuf {
    drop(fs::remove_file(beside(place, "report.html")));
    let answer = done(place, &["audit", "report", "-o", "../report.html", "--json"]).json();
    check_answer("audit", &answer);
    beside(place, "report.html")
}

/// What the page says, which asked nobody and met no rule of its own.
fn shown(file: &Path, more: &Value) -> Value {
    let mut request = json!({"open": file});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = look(&request);
    assert_eq!((&answer["requested"], &answer["complaints"]), (&json!([]), &json!([])), "{answer}");
    answer
}

fn verdict(file: &Path, more: &Value) -> String {
    shown(file, more)["verdict"].as_str().unwrap_or("none").to_owned()
}

/// The text of the page, all of it.
const TEXT: &str = "document.querySelector('main').textContent";

fn text_of(file: &Path) -> String {
    let answer = shown(file, &json!({"evaluate": [TEXT]}));
    answer["values"][0].as_str().unwrap().to_owned()
}

fn write_log(log: &VecLog, file: &Path) {
    let mut bytes = Vec::new();
    report(log.ledger(), log.read(0..log.size()), &MemoryObjects::new(), &mut bytes).unwrap();
    fs::write(file, bytes).unwrap();
}

#[test]
fn p3_a_report_verifies_itself_and_is_complete_where_the_reader_knows_the_head() {
    let (place, file) = a_report();
    assert_eq!(verdict(&file, &json!({})), "consistent");
    let text = text_of(&file);
    assert!(text.contains("two.json") && text.contains("kept nowhere else"), "{text}");
    assert!(text.contains("follows from the events"), "{text}");
    assert!(!text.contains("compliant"));

    let population = done(&place, &["audit", "population", "--json"]).json();
    let data = &population["data"];
    let (size, root) = (&data["to_head"]["new"], data["to_head"]["new_root"].as_str().unwrap());
    let note = data["head"].as_str().unwrap();
    let ledger = data["ledger"].as_str().unwrap();
    let key = data["signers"].as_object().unwrap().keys().next().unwrap();
    let earlier = done(&place, &["proof", "consistency", "2", "--json"]).json();
    let earlier = earlier["data"]["old_root"].as_str().unwrap().to_owned();
    let public = done(&place, &["key", "export"]).stdout;
    for (known, expected) in [
        (note.to_owned(), "matches"),
        (format!("the head:\n{note}").replacen("the head:", "", 1), "matches"),
        (format!("{size}:{root}"), "matches"),
        (format!("{ledger}\n{size}:{root}\n{key}"), "matches"),
        (format!("3:{earlier}"), "matches"),
        (ledger.to_owned(), "consistent"),
        (key.clone(), "consistent"),
        (public.lines().next().unwrap().to_owned(), "consistent"),
        (format!("2:{earlier}"), "differs"),
        (format!("{size}:{}", "0".repeat(64)), "differs"),
        (format!("{}:{root}", size.as_u64().unwrap() + 1), "differs"),
        (format!("0:{root}"), "differs"),
        ("0".repeat(64), "differs"),
        (note.replace(ledger, &"0".repeat(64)), "differs"),
        (note.replacen("glyph-actor/", "glyph-actor/0", 1), "differs"),
        ("anything".to_owned(), "differs"),
        (format!("{size}:{root} {}", "0".repeat(64)), "differs"),
    ] {
        assert_eq!(verdict(&file, &json!({"known": known})), expected, "{known}");
    }
    // The head of the text above it is not believed for its root alone: its signature is looked at.
    let line = note.lines().last().unwrap();
    let bent = line.replace(&line[line.len() - 8..], "AAAAAAA=");
    assert_eq!(verdict(&file, &json!({"known": note.replace(line, &bent)})), "differs");
}

#[test]
fn p3_one_flipped_byte_anywhere_is_found_and_its_event_named() {
    let (_place, file) = a_report();
    let page = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = page.lines().collect();
    let bent = file.with_file_name("bent.html");
    let mut seq = 0;
    for (at, line) in lines.iter().enumerate() {
        let Some((letter @ ("e" | "h"), text)) = line.split_once(' ') else { continue };
        let bytes = BASE64.decode(text).unwrap();
        seq += u64::from(letter == "e");
        // Somewhere else in each: in the fields that events begin and end with, and between.
        let places = [3, 17, bytes.len() / 3, bytes.len() / 2, bytes.len() - 40, bytes.len() - 2];
        for place in places.into_iter().skip(at % 3).step_by(3) {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1;
            let mut lines = lines.clone();
            let line = format!("{letter} {}", BASE64.encode(&bytes));
            lines[at] = &line;
            fs::write(&bent, lines.join("\n")).unwrap();
            let answer = shown(&bent, &json!({}));
            assert_eq!(answer["verdict"], "damaged", "{letter} before {seq}, byte {place}");
            let named = answer["told"].as_str().unwrap();
            let what = if letter == "h" { "The head after event" } else { "Event" };
            assert!(
                named.starts_with(&format!("{what} {} is wrong", seq - 1)),
                "byte {place}: {named}"
            );
        }
    }
}

/// What is done to the lines of a page.
type Change<'a> = &'a dyn Fn(&mut Vec<String>);

#[test]
fn p3_what_is_left_out_exchanged_or_added_is_found() {
    let (_place, file) = a_report();
    let page = fs::read_to_string(&file).unwrap();
    let lines: Vec<String> = page.lines().map(str::to_owned).collect();
    let is = |letter: &'static str| move |line: &String| line.starts_with(letter);
    let events: Vec<usize> = (0..lines.len()).filter(|at| is("e ")(&lines[*at])).collect();
    let heads: Vec<usize> = (0..lines.len()).filter(|at| is("h ")(&lines[*at])).collect();
    let other = file.with_file_name("other.html");
    write_log(&log(5, &[3, 4]), &other);
    let foreign = fs::read_to_string(&other).unwrap();
    let foreign = foreign.lines().find(|line| line.starts_with("e ")).unwrap();
    let bent = file.with_file_name("bent.html");
    let (one, last) = (events[events.len() / 2], *events.last().unwrap());
    let changes: [(&str, Change<'_>); 9] = [
        ("an event", &|lines| drop(lines.remove(one))),
        ("the last event", &|lines| drop(lines.remove(last))),
        ("the last head", &|lines| drop(lines.remove(*heads.last().unwrap()))),
        ("an event twice", &|lines| lines.insert(one, lines[one].clone())),
        ("two exchanged", &|lines| lines.swap(one, last)),
        ("two heads exchanged", &|lines| lines.swap(heads[0], heads[1])),
        ("one of another ledger", &|lines| foreign.clone_into(&mut lines[one])),
        ("a line that is none", &|lines| lines.insert(one, "x y".to_owned())),
        ("no events", &|lines| lines.retain(|line| !is("e ")(line) && !is("h ")(line))),
    ];
    for (what, change) in changes {
        let mut lines = lines.clone();
        change(&mut lines);
        fs::write(&bent, lines.join("\n")).unwrap();
        assert_eq!(verdict(&bent, &json!({})), "damaged", "{what}");
    }
    // A list of losses is found by its hash: another one is none.
    let mut without = lines.clone();
    without.retain(|line| !is("o ")(line));
    fs::write(&bent, without.join("\n")).unwrap();
    assert_eq!(verdict(&bent, &json!({})), "consistent");
    let text = text_of(&bent);
    assert!(text.contains("the list of it is not in this file") && !text.contains("kept nowhere"));
    // Cut off after a batch it is a ledger of fewer events, which the head shows.
    let cut = heads[heads.len() - 2];
    let end = *heads.last().unwrap();
    let mut shorter = lines.clone();
    shorter.drain(cut + 1..=end);
    fs::write(&bent, shorter.join("\n")).unwrap();
    assert_eq!(verdict(&bent, &json!({})), "consistent");
    let head = String::from_utf8(BASE64.decode(&lines[end][2..]).unwrap()).unwrap();
    assert_eq!(verdict(&bent, &json!({"known": head})), "differs");
}

#[test]
fn p3_names_that_mean_something_to_a_browser_are_text() {
    let hostile = [
        "<img src=x onerror=document.title='taken'>.json",
        "<b>.json",
        "\u{202e}nosj.exe.json",
        "a&lt;b\"'`${7*7}.json",
        "</script><script>document.title='taken'<\u{2044}script>.json",
        "--><style>*{display:none}<\u{2044}style>.json",
    ];
    let documents: Vec<(String, String)> = hostile
        .iter()
        .map(|name| {
            let text = json!({"v": 1, "titel": "a", "draft": name}).to_string();
            (name.replace('/', "\u{2215}"), text)
        })
        .collect();
    let documents: Vec<(&str, &str)> =
        documents.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let place = a_tree(&documents);
    let id = plan_all(&place);
    done(
        &place,
        &["migration", "approve", &id, "--reason", "<script>document.title='taken'</script>"],
    );
    assert_eq!(apply_plan(&place, &id).exit, 0);
    let file = report_of(&place);
    let tags =
        "[...document.querySelectorAll('img, b, i, iframe, link, main style, main script')].length";
    let answer = shown(&file, &json!({"evaluate": ["document.title", tags, TEXT]}));
    assert_eq!(answer["verdict"], "consistent");
    assert!(answer["values"][0].as_str().unwrap().starts_with("Evidence of ledger "));
    assert_eq!(answer["values"][1], 0, "{answer}");
    let text = answer["values"][2].as_str().unwrap();
    for shown in
        ["<img src=x onerror", "\\u{202e}nosj", "a&lt;b\"'`${7*7}", "<script>document.title"]
    {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert!(!text.contains('\u{202e}'));
}

#[test]
fn p3_every_kind_of_event_is_read_and_every_certificate_follows() {
    let place = Place::new();
    let file = beside(&place, "log.html");
    for seed in 0..6 {
        write_log(&log(seed, &[40, 1, 200, 60]), &file);
        let answer = shown(&file, &json!({}));
        assert_eq!(answer["verdict"], "consistent", "{seed}: {answer}");
        write_log(&log_of_documents(seed, &[40, 1, 200, 60]), &file);
        let answer = shown(&file, &json!({}));
        assert_eq!(answer["verdict"], "consistent", "{seed}, documents: {answer}");
    }
    let place = Place::new();
    a_migrated_store(&place);
    done(&place, &["undo"]);
    assert_eq!(verdict(&report_of(&place), &json!({})), "consistent");
}

#[test]
fn p3_keys_that_come_and_go_are_followed() {
    let (place, _) = a_report();
    let revoked = |key: &Value, more: &[&str]| {
        let key = key["data"]["key"].as_str().unwrap().to_owned();
        let said = [&["key", "revoke", &key[..16], "--reason", "<b>lost</b>"], more].concat();
        done(&place, &said);
    };
    let first = done(&place, &["key", "export", "--json"]).json();
    for name in ["approver.pem", "next.pem"] {
        done(&place, &["key", "new", name]);
    }
    let approver = done(&place, &["key", "export", "--key", "approver.pem", "--json"]).json();
    let public = approver["data"]["public_key"].as_str().unwrap().to_owned();
    done(&place, &["key", "authorize", &public, "--role", "approve"]);
    done(&place, &["key", "rotate", "next.pem"]);
    let by_next = ["--key", "next.pem"];
    revoked(&approver, &by_next);
    // Of the key that was replaced it comes out later that somebody else had it too.
    revoked(&first, &[&["--suspect-since", "3"], &by_next[..]].concat());
    done(&place, &["undo", "--key", "next.pem"]);
    let file = report_of(&place);
    assert_eq!(verdict(&file, &json!({})), "consistent");
    let text = text_of(&file);
    for told in ["took over", "<b>lost</b>", "since event 3", "A key was replaced"] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[test]
fn p3_twenty_thousand_events_are_verified_within_three_seconds() {
    let place = Place::new();
    let file = beside(&place, "log.html");
    write_log(&log(7, &[1000; 20]), &file);
    let mut seconds = Vec::new();
    // Of processors, since other tests are at work beside it.
    while seconds.len() < 5 && seconds.iter().all(|taken| *taken >= 3.0) {
        let answer = shown(&file, &json!({}));
        assert_eq!(answer["verdict"], "consistent", "{answer}");
        seconds.push(answer["processor"].as_f64().unwrap());
    }
    assert!(seconds.iter().any(|taken| *taken < 3.0), "{seconds:?}");
}

#[test]
fn p3_a_browser_that_cannot_verify_says_so_and_believes_nothing() {
    let (_place, file) = a_report();
    for (what, before) in [
        ("no WebCrypto", "Object.defineProperty(crypto, 'subtle', {value: undefined})"),
        (
            "no Ed25519",
            "crypto.subtle.importKey = () => Promise.reject(new DOMException('no', 'NotSupportedError'))",
        ),
        ("one that says yes to all", "crypto.subtle.verify = () => Promise.resolve(true)"),
    ] {
        let answer = shown(&file, &json!({"before": before}));
        assert_eq!(answer["verdict"], "cannot", "{what}");
        assert!(answer["told"].as_str().unwrap().contains("Nothing was verified"), "{answer}");
    }
    // Without scripts the page says what it says before any ran.
    let page = fs::read_to_string(&file).unwrap();
    assert!(page.contains("Nothing is verified yet"));
    // Another script than the one that the page was made with does not run.
    let changed = page.replace("async function main() {", "async function main() { let x;");
    assert_ne!(changed, page);
    let other = file.with_file_name("changed.html");
    fs::write(&other, changed).unwrap();
    let answer = look(&json!({"open": other, "seconds": 1}));
    assert_eq!(answer["verdict"], Value::Null, "{answer}");
    assert!(answer["told"].as_str().unwrap().contains("Nothing is verified yet"));
    assert!(answer["complaints"].to_string().contains("Content Security Policy"), "{answer}");
}

#[test]
fn p3_a_report_is_the_same_every_time_and_takes_no_other_file_s_place() {
    let (place, file) = a_report();
    let first = fs::read(&file).unwrap();
    assert_eq!(fs::read(report_of(&place)).unwrap(), first);
    fs::write(beside(&place, "mine.html"), "<!doctype html>mine").unwrap();
    for taken in ["../mine.html", "../report.html", ".glyph-ledger/report.html", "new.json"] {
        let said = place.run(&["audit", "report", "-o", taken]);
        assert_eq!(said.exit, 2, "{taken}: {said:?}");
    }
    assert_eq!(fs::read(beside(&place, "mine.html")).unwrap(), b"<!doctype html>mine");
}
