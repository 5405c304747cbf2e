//! Ledgers that were damaged, cut off, exchanged or rewritten, met by the program: the exit status,
//! the code, both heads where there are two, and nothing changed anywhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use glyph_ledger::log::sled::{OpenOptions, SledLog, read_identity};
use glyph_ledger::log::{Batch, Log as _, ReadLog as _};
use ledger_format::event::Event;
use ledger_format::hash::{EventId, HASH_BYTES, NodeHash};
use ledger_format::tree::Frontier;
use serde_json::Value;

use crate::support::{Place, copy, done, migrate};

/// The engine reports damage, or takes it for the end of a write that was cut short and drops it:
/// which, depends on where its last snapshot was taken.
const ENGINE_SAYS: &str = "LEDGER_DAMAGED|LEDGER_REGRESSED";

/// A store migrated from 1 to 2 to 3. Beside it lie its ledger as it was at 2, and all of it as it was
/// at 3.
struct Scene {
    place: Place,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new();
        done(&place, &["init"]);
        migrate(&place, "2");
        let scene = Self { place };
        copy(&scene.ledger(), &scene.beside("older"));
        migrate(&scene.place, "3");
        copy(&scene.place.work(), &scene.beside("whole"));
        scene
    }

    fn ledger(&self) -> PathBuf {
        self.place.work().join(".glyph/ledger")
    }

    fn db(&self) -> PathBuf {
        self.ledger().join("sled/db")
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.place.work().parent().unwrap().join(name)
    }

    /// Puts everything back as it was.
    fn mend(&self) {
        replace(&self.beside("whole"), &self.place.work());
    }

    /// Runs a command that must fail for `code`, or one of several between `|`, and leave every byte as it is, here and at home.
    fn refuses(&self, arguments: &[&str], exit: i32, code: &str) -> Value {
        let all = || [files(&self.place.work()), files(&self.place.home())];
        let before = all();
        let answer = self.fails(arguments, exit, code);
        assert!(before == all(), "{arguments:?} changed something: {answer}");
        answer
    }

    fn fails(&self, arguments: &[&str], exit: i32, code: &str) -> Value {
        let said = self.place.run(&[arguments, &["--json"]].concat());
        let answer = said.json();
        let told = (said.exit, code.split('|').any(|code| codes(&answer).contains(&code)));
        assert_eq!(told, (exit, true), "{arguments:?}, expected {code}: {answer:#}");
        answer
    }

    /// Both commands that read and those that would write refuse with `code`, and so does the judge
    /// with `verdict`; nobody changes a byte. Returns what `log` and the judge said.
    fn is_refused(&self, code: &str, verdict: &str) -> [String; 2] {
        let log = self.refuses(&["log"], 3, code);
        for arguments in [&["undo"] as &[&str], &["status"], &["plan", "-o", "../p.json"]] {
            self.refuses(arguments, 3, code);
        }
        let judged = self.refuses(&["verify-chain"], 3, verdict);
        [log["diagnostics"].to_string(), judged["diagnostics"].to_string()]
    }

    /// The newest head in the folder `ledger`: size and root.
    fn head(ledger: &Path) -> (u64, String) {
        let head = *batches_in(ledger).last().unwrap().head.head();
        (head.size, head.root.to_string())
    }
}

fn codes(answer: &Value) -> Vec<&str> {
    let found = answer["diagnostics"].as_array().unwrap();
    found.iter().map(|diagnostic| diagnostic["code"].as_str().unwrap()).collect()
}

/// Every file below `folder` with its bytes, and every folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = if path.is_dir() {
            found.extend(files(&path));
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        found.insert(path, bytes);
    }
    found
}

fn replace(from: &Path, to: &Path) {
    fs::remove_dir_all(to).unwrap();
    copy(from, to);
}

/// A head in short, as refusals name it.
fn short((size, root): &(u64, String)) -> String {
    format!("head {size} (root {})", &root[..12])
}

#[test]
fn a_store_without_its_database_is_missing() {
    let scene = Scene::new();
    let head = Scene::head(&scene.ledger());
    fs::remove_file(scene.db()).unwrap();
    let [log, judged] = scene.is_refused("LEDGER_MISSING", "LEDGER_MISSING");
    assert!(log.contains(&short(&head)), "{log}");
    assert!(judged.contains(&head.1) && judged.contains("LEDGER_REGRESSED"), "{judged}");
    assert!(!scene.db().exists());
}

#[test]
fn an_emptied_or_cut_off_store_ends_before_its_heads() {
    let scene = Scene::new();
    let head = Scene::head(&scene.ledger());
    let cut = |length| {
        scene.mend();
        fs::File::options().write(true).open(scene.db()).unwrap().set_len(length).unwrap();
    };
    cut(0);
    let [log, judged] = scene.is_refused("LEDGER_REGRESSED", "LEDGER_REGRESSED");
    assert!(log.contains("no event") && log.contains(&short(&head)), "{log}");
    assert!(judged.contains("ends after 0 events") && judged.contains(&head.1), "{judged}");
    for length in [1, 71, 4_096, 20_000] {
        cut(length);
        // The engine does not open what is left; raw bytes tell how much of it is good.
        let [log, judged] = scene.is_refused(ENGINE_SAYS, "LEDGER_REGRESSED");
        assert!(log.contains(&short(&head)), "{length}: {log}");
        for witness in ["the anchor", "the remembered head"] {
            let told = format!("{witness} states {} with root {}", head.0, head.1);
            assert!(judged.contains(&told), "{length}: {judged}");
        }
    }
}

#[test]
fn l6_an_older_log_under_a_newer_pin_is_regressed() {
    let scene = Scene::new();
    let (newer, older) = (Scene::head(&scene.ledger()), Scene::head(&scene.beside("older")));
    assert!(older.0 < newer.0);
    // An older store under a newer anchor.
    replace(&scene.beside("older/sled"), &scene.ledger().join("sled"));
    let [log, judged] = scene.is_refused("LEDGER_REGRESSED", "LEDGER_REGRESSED");
    assert!(log.contains(&short(&older)) && log.contains(&short(&newer)), "{log}");
    assert!(judged.contains(&older.1) && judged.contains(&newer.1), "{judged}");
    // Its file alone, which the engine's own files beside it contradict.
    scene.mend();
    fs::copy(scene.beside("older/sled/db"), scene.db()).unwrap();
    let [log, judged] = scene.is_refused(ENGINE_SAYS, "LEDGER_REGRESSED");
    assert!(log.contains(&short(&newer)), "{log}");
    assert!(judged.contains(&older.1) && judged.contains(&newer.1), "{judged}");
    // The whole folder is older and consistent in itself: only what is remembered outside tells.
    scene.mend();
    replace(&scene.beside("older"), &scene.ledger());
    for said in scene.is_refused("LEDGER_REGRESSED", "LEDGER_REGRESSED") {
        assert!(said.contains(&older.1) && said.contains(&newer.1), "{said}");
    }
}

#[test]
fn l6_another_ledger_at_a_known_place_is_foreign() {
    let scene = Scene::new();
    let mine = ledger_id(&scene.place);
    let other = Place::new();
    done(&other, &["init"]);
    migrate(&other, "2");
    let others = ledger_id(&other);
    let theirs = other.work().join(".glyph/ledger");
    for part in ["", "sled"] {
        scene.mend();
        replace(&theirs.join(part), &scene.ledger().join(part));
        for said in scene.is_refused("LEDGER_FOREIGN", "LEDGER_FOREIGN") {
            assert!(said.contains(&mine) && said.contains(&others[..12]), "{part}: {said}");
        }
    }
}

#[test]
fn a_fresh_ledger_in_the_place_of_a_known_one_is_foreign() {
    let scene = Scene::new();
    let mine = ledger_id(&scene.place);
    // Whoever remembers nothing may begin anew here; whoever remembers is told.
    fs::remove_dir_all(scene.place.work().join(".glyph")).unwrap();
    let begin = |home: PathBuf| {
        scene.place.said_by(scene.place.command(&["init"]).env("GLYPH_LEDGER_HOME", home))
    };
    let again = begin(scene.place.home());
    assert_eq!(again.exit, 3, "{again:?}");
    assert!(again.stderr.contains("LEDGER_FOREIGN") && again.stderr.contains(&mine), "{again:?}");
    assert!(!scene.place.work().join(".glyph").exists());
    assert_eq!(begin(scene.beside("stranger")).exit, 0);
    let fresh = fs::read_to_string(scene.ledger().join("LEDGER")).unwrap();
    for said in scene.is_refused("LEDGER_FOREIGN", "LEDGER_FOREIGN") {
        let found = fresh.lines().nth(1).unwrap().strip_prefix("ledger ").unwrap();
        assert!(said.contains(&mine) && said.contains(found), "{said}");
    }
}

#[test]
fn one_changed_byte_is_named_with_what_is_still_good() {
    let scene = Scene::new();
    let export = done(&scene.place, &["export"]).stdout;
    scene.mend();
    let lines: Vec<Value> =
        export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for seq in [0, 4, 10, lines.len() - 1] {
        scene.mend();
        let text = lines[seq]["bytes"].as_str().unwrap();
        let event = ledger_format::hash::unhex(text).unwrap();
        flip(&scene.db(), &event, event.len() / 2);
        let judged = scene.refuses(&["verify-chain"], 3, "LEDGER_DAMAGED");
        let good = judged["data"]["good"]["size"].as_u64().unwrap_or(0);
        assert!(good <= seq as u64, "event {seq}: {judged:#}");
        // At most the batch is lost with it.
        let ends = |line: &Value| line["head"].is_string();
        let batch = lines[..seq].iter().rposition(ends).map_or(0, |end| end + 1);
        assert_eq!(good, batch as u64, "event {seq}: {judged:#}");
        let named = judged["data"]["faults"].as_array().unwrap().iter().any(|fault| {
            fault["seq"]
                .as_u64()
                .is_some_and(|named| (batch as u64..=seq as u64 + 1).contains(&named))
        });
        assert!(named, "event {seq}: {judged:#}");
        scene.refuses(&["undo"], 3, ENGINE_SAYS);
    }
    for size in [5, lines.len()] {
        scene.mend();
        let note = lines[size - 1]["head"].as_str().unwrap();
        // A digit of the signature that stays one, so that the head is still a head.
        let is_digit = |byte: u8| byte.is_ascii_alphanumeric();
        let digit =
            |at: &usize| is_digit(note.as_bytes()[*at]) && is_digit(note.as_bytes()[*at] ^ 1);
        let at = (0..note.len() - 20).rev().find(digit).unwrap();
        flip(&scene.db(), note.as_bytes(), at);
        let judged = scene.refuses(&["verify-chain"], 3, "SIGNATURE_BAD");
        assert!(judged.to_string().contains(&format!("the head over {size} events")), "{judged:#}");
        assert!(judged["data"]["good"]["size"].as_u64().unwrap() < size as u64, "{judged:#}");
        scene.refuses(&["undo"], 3, ENGINE_SAYS);
    }
}

#[test]
fn one_changed_byte_beside_the_events_is_named_too() {
    let scene = Scene::new();
    let head = fs::read(scene.ledger().join("HEAD")).unwrap();
    for at in [0, 60, 300, 4_096, 4_200, head.len() - 1] {
        scene.mend();
        let mut bent = head.clone();
        bent[at] ^= 1;
        fs::write(scene.ledger().join("HEAD"), bent).unwrap();
        let judged = scene.refuses(&["verify-chain"], 3, "LEDGER_DAMAGED");
        let slot = format!("HEAD is damaged: slot {}", at / 4_096);
        assert!(judged.to_string().contains(&slot), "{judged:#}");
    }
    scene.mend();
    let pack = scene.ledger().join("objects/00000000.pack");
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&pack, bytes).unwrap();
    let judged = scene.refuses(&["verify-chain", "--objects"], 3, "OBJECT_DAMAGED");
    assert_eq!(judged["data"]["objects"]["bad"], 1, "{judged:#}");
    assert!(judged.to_string().contains("which event "), "{judged:#}");

    scene.mend();
    flip(&scene.place.work().join(".glyph/audit/events.jsonl"), b"store_init", 6);
    let before = files(&scene.place.work());
    let judged = scene.fails(&["verify-chain"], 3, "AUDIT_CHANGED");
    assert!(files(&scene.place.work()) == before);
    assert_eq!(judged["diagnostics"][0]["place"], "audit/events.jsonl:1");
    let size = judged["data"]["size"].clone();
    scene.fails(&["undo"], 3, "AUDIT_CHANGED");
    let judged = scene.fails(&["verify-chain"], 3, "AUDIT_CHANGED");
    assert_eq!(judged["data"]["size"], size, "nothing was appended");
}

/// Event 10 changed, every later event made to name the new ids, every head left as it was signed:
/// what somebody without the key can do.
#[test]
fn history_rewritten_without_the_key_is_not_signed_on() {
    let scene = Scene::new();
    let (_, signed) = Scene::head(&scene.ledger());
    rewrite(&scene.ledger());
    let judged = scene.refuses(&["verify-chain"], 3, "LEDGER_DAMAGED");
    let fault = &judged["diagnostics"][0];
    let message = fault["message"].as_str().unwrap();
    let range = message.strip_prefix("events ").and_then(|rest| rest.split(" are not").next());
    let (first, last) = range.unwrap().split_once(" to ").unwrap();
    let batch = first.parse::<u64>().unwrap()..=last.parse().unwrap();
    assert!(batch.contains(&10), "{judged:#}");
    assert_eq!(judged["data"]["good"]["size"], *batch.start());
    // Nothing is appended, and the events stay as they are, for evidence.
    let before = batches_in(&scene.ledger());
    let head = fs::read(scene.ledger().join("HEAD")).unwrap();
    let store = || -> Vec<_> {
        let files = files(&scene.place.work());
        files.into_iter().filter(|(path, _)| !path.starts_with(scene.ledger())).collect()
    };
    let (home, outside) = (files(&scene.place.home()), store());
    for arguments in [&["undo"] as &[&str], &["log"], &["status"]] {
        let refused = scene.fails(arguments, 3, "LEDGER_DAMAGED");
        assert!(refused.to_string().contains(&signed), "{refused:#}");
    }
    // Nor by somebody who has the key and remembers nothing: the heads in the store tell.
    let key = scene.place.home().join("config/key.pem");
    let mut undo = scene.place.command(&["undo", "--json", "--key", key.to_str().unwrap()]);
    let refused = scene.place.said_by(undo.env("GLYPH_LEDGER_HOME", scene.beside("stranger")));
    assert_eq!((refused.exit, codes(&refused.json())), (3, vec!["LEDGER_DAMAGED"]));
    assert!(refused.stdout.contains("changed after it was signed"), "{refused:?}");
    assert!(refused.stdout.contains(&signed), "{refused:?}");
    assert_eq!(batches_in(&scene.ledger()), before);
    assert_eq!(fs::read(scene.ledger().join("HEAD")).unwrap(), head);
    assert!((home, outside) == (files(&scene.place.home()), store()));
}

#[test]
fn keys_that_may_not_sign_append_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new();
    let stranger = Place::new();
    done(&stranger, &["init"]);
    let key = stranger.home().join("config/key.pem");
    let before = done(&scene.place, &["export"]).stdout;
    scene.fails(&["undo", "--key", key.to_str().unwrap()], 3, "KEY_UNKNOWN");
    let own = scene.place.home().join("config/key.pem");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o640)).unwrap();
    scene.fails(&["undo"], 3, "KEY_EXPOSED");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&own, scene.beside("key.pem")).unwrap();
    scene.fails(&["undo"], 3, "KEY_MISSING");
    fs::write(&own, "no key").unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o600)).unwrap();
    scene.fails(&["undo"], 3, "KEY_INVALID");
    assert_eq!(done(&scene.place, &["export"]).stdout, before);
}

#[test]
fn a_second_writer_is_told_who_holds_the_ledger() {
    let scene = Scene::new();
    let held = SledLog::open(&scene.ledger(), &OpenOptions::default()).unwrap();
    let me = format!("process {}", std::process::id());
    for arguments in [&["undo"] as &[&str], &["log"], &["plan"], &["verify-chain"]] {
        let busy = scene.refuses(arguments, 8, "BUSY");
        assert!(busy["diagnostics"][0]["message"].as_str().unwrap().contains(&me), "{busy}");
    }
    // Whoever only wants to know is told all the same.
    let status = done(&scene.place, &["status", "--json"]).json();
    assert_eq!(status["data"]["writer"]["pid"], std::process::id());
    drop(held);
    done(&scene.place, &["undo"]);
}

fn ledger_id(place: &Place) -> String {
    let judged = done(place, &["log", "--json"]).json();
    judged["data"]["ledger"].as_str().unwrap().to_owned()
}

/// Changes one bit in every copy of `wanted` that `path` holds, `at` bytes in.
fn flip(path: &Path, wanted: &[u8], at: usize) {
    let mut bytes = fs::read(path).unwrap();
    let places: Vec<_> = bytes
        .windows(wanted.len())
        .enumerate()
        .filter(|(_, window)| *window == wanted)
        .map(|(place, _)| place)
        .collect();
    assert!(!places.is_empty(), "{} does not hold it", path.display());
    for place in places {
        bytes[place + at] ^= 1;
    }
    fs::write(path, bytes).unwrap();
}

/// Puts a store with another event 10 in the place of the one in `ledger`.
fn rewrite(ledger: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let (forged, options) = (folder.path().join("ledger"), OpenOptions::default());
    let identity = read_identity(ledger).unwrap();
    let (mut signed, mut renamed) = (Frontier::new(), Vec::new());
    let mut log: Option<SledLog> = None;
    for mut batch in batches_in(ledger) {
        for bytes in &mut batch.events {
            signed.push(NodeHash::leaf(EventId::of(bytes)));
            forge(bytes, &mut renamed);
        }
        match &mut log {
            None => {
                log = Some(SledLog::init(&forged, &identity, &batch, &signed, &options).unwrap());
            }
            Some(log) => log.append(batch.first_seq, &batch, &signed).unwrap(),
        }
    }
    drop(log);
    replace(&forged.join("sled"), &ledger.join("sled"));
}

/// Changes event 10, and in every event the names of those that have other ids now.
fn forge(bytes: &mut Vec<u8>, renamed: &mut Vec<(EventId, EventId)>) {
    let before = EventId::of(bytes);
    for at in 0..bytes.len().saturating_sub(HASH_BYTES) {
        let window = &mut bytes[at..at + HASH_BYTES];
        if let Some((_, now)) = renamed.iter().find(|(then, _)| then.as_bytes() == window) {
            window.copy_from_slice(now.as_bytes());
        }
    }
    let mut event = Event::decode(bytes).unwrap();
    if event.seq == 10 {
        event.at += 1;
        *bytes = event.encode().unwrap();
    }
    renamed.push((before, EventId::of(bytes)));
}

/// What is stored in the folder `ledger`, read from a copy.
fn batches_in(ledger: &Path) -> Vec<Batch> {
    let folder = tempfile::tempdir().unwrap();
    let copied = folder.path().join("ledger");
    copy(ledger, &copied);
    let log = SledLog::open(&copied, &OpenOptions::default()).unwrap();
    log.read(0..u64::MAX).collect::<Result<_, _>>().unwrap()
}
