//! Published folders through the program: what is written, what a reader without the ledger makes of them, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ledger_format::head::SignedHead;
use serde_json::Value;

use crate::support::{Place, Said, a_tree, check_answer, done};

/// Enough documents that their run fills more than two tiles.
const DOCUMENTS: usize = 150;

/// A ledger whose events fill `full` tiles and a part of the next, and its id.
fn a_ledger(documents: usize) -> (Place, String) {
    let texts: Vec<(String, String)> = (0..documents)
        .map(|n| (format!("{n}.json"), format!(r#"{{"v": 1, "titel": "book {n}"}}"#)))
        .collect();
    let texts: Vec<(&str, &str)> =
        texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let place = a_tree(&texts);
    done(&place, &["apply"]);
    let id = done(&place, &["key", "list", "--json"]).json()["data"]["ledger"].clone();
    (place, id.as_str().unwrap().to_owned())
}

fn publish(place: &Place, more: &[&str]) -> Value {
    let said = done(place, &[&["head", "publish", "../public", "--json"], more].concat());
    let answer = said.json();
    check_answer("head", &answer);
    answer["data"].clone()
}

fn refused(place: &Place, more: &[&str], exit: i32, code: &str) -> Said {
    let before = files(&public(place));
    let said = place.run(&[&["head", "publish", "../public", "--json"], more].concat());
    let found = said.json()["diagnostics"][0]["code"].clone();
    assert_eq!((said.exit, found), (exit, code.into()), "{said:?}");
    assert_eq!(files(&public(place)), before, "nothing was changed");
    said
}

fn public(place: &Place) -> PathBuf {
    place.work().with_file_name("public")
}

/// Every file below, with its bytes and its number, which another file of the same bytes does not have.
fn files(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let number = fs::metadata(&path).unwrap().ino();
                found.insert(path.clone(), (fs::read(&path).unwrap(), number));
            }
        }
    }
    found
}

/// What both verifiers say of the folder: their exit, the program's code, and whether they accept it.
fn verdicts(place: &Place, more: &[&str]) -> (i32, Value, bool) {
    let stranger = Place::new();
    let folder = public(place).display().to_string();
    let verify = [&["head", "verify", &folder, "--json"], more].concat();
    let said = stranger.run(&verify);
    let answer = said.json();
    check_answer("head", &answer);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/verify/verify_tiles.py");
    let python = Command::new("python3").arg("-B").arg(script).arg(&folder).args(more).output();
    let python = python.unwrap();
    assert_eq!(python.status.code(), Some(said.exit), "{said:?}\n{python:?}");
    (said.exit, answer["diagnostics"][0]["code"].clone(), matches!(said.exit, 0 | 7))
}

#[test]
fn l6_a_published_folder_is_verified_by_whoever_has_only_that() {
    let (place, id) = a_ledger(3);
    let published = publish(&place, &[]);
    assert_eq!(published["ledger"], *id);
    // The files that the size asks for, and no others.
    let size = published["size"].as_u64().unwrap();
    let names: Vec<String> = files(&public(&place))
        .keys()
        .map(|path| path.strip_prefix(public(&place)).unwrap().display().to_string())
        .collect();
    let expected = [
        "checkpoint".to_owned(),
        format!("heads/{size}.json"),
        format!("tile/0/000.p/{size}"),
        format!("tile/entries/000.p/{size}"),
    ];
    assert_eq!(names, expected);
    assert_eq!(verdicts(&place, &["--ledger", &id]), (7, "COMPLETENESS_NOT_PROVEN".into(), true));
    let trust = place.home().join("head");
    fs::copy(public(&place).join("checkpoint"), &trust).unwrap();
    let trust = trust.to_str().unwrap();
    assert_eq!(verdicts(&place, &["--ledger", &id, "--trust", trust]), (0, Value::Null, true));
    let other = format!("{}{}", if id.starts_with('0') { "1" } else { "0" }, &id[1..]);
    assert_eq!(verdicts(&place, &["--ledger", &other]), (3, "LEDGER_FOREIGN".into(), false));
    // Nothing is new, and nothing is written.
    let before = files(&public(&place));
    assert_eq!(publish(&place, &[])["written"], 0);
    assert_eq!(files(&public(&place)), before);
    // A later head shows the folder to be cut off.
    done(&place, &["undo"]);
    let latest = done(&place, &["proof", "inclusion", "0"]).stdout;
    let note = latest.split_once("\n\n").unwrap().1;
    fs::write(trust, note).unwrap();
    assert_eq!(verdicts(&place, &["--trust", trust]), (3, "LEDGER_REGRESSED".into(), false));
}

#[test]
fn l6_only_what_is_new_is_published_and_full_tiles_stay() {
    let (place, id) = a_ledger(DOCUMENTS);
    publish(&place, &[]);
    let before = files(&public(&place));
    let partial = |name: &&PathBuf| name.display().to_string().contains(".p/");
    assert!(before.keys().any(|name| name.ends_with("tile/0/000")), "{:?}", before.keys());
    done(&place, &["undo"]);
    let published = publish(&place, &["--ledger", ".glyph-ledger"]);
    let after = files(&public(&place));
    let full = before
        .iter()
        .filter(|(name, _)| !partial(name) && name.to_string_lossy().contains("/tile/"));
    assert!(full.clone().count() > 0);
    full.for_each(|(name, file)| assert_eq!(after.get(name), Some(file), "{name:?}"));
    let new = after.iter().filter(|(name, file)| before.get(*name) != Some(file)).count() as u64;
    assert_eq!(published["written"], new);
    // No partial tile stands beside its full one.
    for name in after.keys().filter(partial) {
        let full = name.parent().unwrap().with_extension("");
        assert!(!full.exists(), "{full:?}");
    }
    assert_eq!(verdicts(&place, &["--ledger", &id]), (7, "COMPLETENESS_NOT_PROVEN".into(), true));
    // An interrupted publication is gone on with.
    fs::remove_file(public(&place).join("checkpoint")).unwrap();
    fs::remove_file(public(&place).join("tile/entries/000")).unwrap();
    publish(&place, &[]);
    assert_eq!(files(&public(&place)).len(), after.len());
    assert_eq!(verdicts(&place, &["--ledger", &id]).0, 7);
}

#[test]
fn l6_a_published_folder_that_was_bent_is_refused_by_both_verifiers() {
    let (place, id) = a_ledger(DOCUMENTS);
    publish(&place, &[]);
    let mut bent = 0;
    for (path, (bytes, _)) in files(&public(&place)) {
        let checkpoint = path.ends_with("checkpoint");
        let last = bytes.len() - 1;
        let mut changed = bytes.clone();
        changed[last / 2] ^= 1;
        for bytes in [&changed, &bytes[..last], &[&bytes[..], b"\n"].concat()] {
            bent += 1;
            fs::write(&path, bytes).unwrap();
            let (exit, code, python) = verdicts(&place, &["--ledger", &id]);
            assert_eq!((exit, python), (3, false), "{path:?}: {code}");
        }
        fs::remove_file(&path).unwrap();
        let (exit, _, python) = verdicts(&place, &["--ledger", &id]);
        assert_eq!((exit, python), (if checkpoint { 1 } else { 3 }, false), "{path:?} gone");
        fs::write(&path, &bytes).unwrap();
    }
    assert!(bent >= 18, "{bent}");
    assert_eq!(verdicts(&place, &["--ledger", &id]).0, 7);
}

/// Whatever became of its files, publishing again leaves the folder that verifies, and says which it put right.
/// What stands in a file's place and is none is told, and not waited for; a head that is none says how it comes back.
#[test]
fn l6_what_is_no_file_in_a_published_folder_is_told_and_not_waited_for() {
    use rustix::fs::{CWD, FileType, mknodat};
    let (place, _) = a_ledger(3);
    publish(&place, &[]);
    let again = |code: &str, told: &str| {
        let said = place.run(&["head", "publish", "../public", "--json"]);
        let found = &said.json()["diagnostics"][0];
        assert_eq!((said.exit, &found["code"]), (3, &code.into()), "{said:?}");
        assert!(found["message"].as_str().unwrap().contains(told), "{said:?}");
    };
    for (path, (bytes, _)) in files(&public(&place)) {
        fs::remove_file(&path).unwrap();
        mknodat(CWD, &path, FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(verdicts(&place, &[]).0, 3, "{}", path.display());
        again("LEDGER_DAMAGED", "no regular file");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(verdicts(&place, &[]).0, 3, "{}", path.display());
        again("LEDGER_DAMAGED", "no regular file");
        fs::remove_dir(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    }
    fs::write(public(&place).join("checkpoint"), "half a head").unwrap();
    again("LEDGER_DAMAGED", "remove it, and `head publish` writes it anew");
    fs::remove_file(public(&place).join("checkpoint")).unwrap();
    publish(&place, &[]);
    assert_eq!(verdicts(&place, &[]).0, 7);
}

#[test]
fn l6_a_published_folder_that_was_damaged_is_put_right_and_that_is_said() {
    let (place, id) = a_ledger(DOCUMENTS);
    publish(&place, &[]);
    let good: BTreeMap<PathBuf, Vec<u8>> =
        files(&public(&place)).into_iter().map(|(path, (bytes, _))| (path, bytes)).collect();
    let contents = || -> BTreeMap<PathBuf, Vec<u8>> {
        files(&public(&place)).into_iter().map(|(path, (bytes, _))| (path, bytes)).collect()
    };
    assert!(good.len() >= 7, "{:?}", good.keys());
    for (path, bytes) in good.iter().filter(|(path, _)| !path.ends_with("checkpoint")) {
        let name = path.strip_prefix(public(&place)).unwrap().display().to_string();
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        let longer = [bytes, &b"\n"[..]].concat();
        for damaged in [Some(changed), Some(longer), Some(bytes[1..].to_vec()), None] {
            match damaged {
                Some(bytes) => fs::write(path, bytes).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
            let published = publish(&place, &[]);
            assert_eq!(published["mended"]["named"], serde_json::json!([name]), "{published}");
            assert_eq!(
                (&published["mended"]["files"], &published["written"]),
                (&1.into(), &1.into())
            );
            assert_eq!(contents(), good, "{name}");
        }
    }
    // Nothing is left of it but the head; and a publication that also brings something new.
    fs::remove_dir_all(public(&place).join("tile")).unwrap();
    assert_eq!(publish(&place, &[])["mended"]["files"], good.len() as u64 - 2);
    assert_eq!(contents(), good);
    fs::write(public(&place).join("tile/entries/000"), "other").unwrap();
    done(&place, &["undo"]);
    let said = done(&place, &["head", "publish", "../public"]).stdout;
    let told = "mended 1 file that had gone missing or been changed: tile/entries/000\n";
    assert!(said.contains(told), "{said}");
    assert_eq!(verdicts(&place, &["--ledger", &id]).0, 7);
    assert_eq!(publish(&place, &[])["mended"], Value::Null);
    // The nodes that are kept beside the ledger are not believed where they lead nowhere.
    let leaves = place.work().join(".glyph-ledger/cache/tree/0");
    let mut bytes = fs::read(&leaves).unwrap();
    bytes[40] ^= 1;
    fs::write(&leaves, bytes).unwrap();
    assert_eq!(publish(&place, &[])["written"], 0);
    assert_eq!(verdicts(&place, &["--ledger", &id]).0, 7);
}

#[test]
fn l6_a_folder_of_something_else_is_never_published_to() {
    let (place, _) = a_ledger(2);
    let (other, _) = a_ledger(1);
    publish(&other, &[]);
    // Another ledger's.
    copy(&public(&other), &public(&place));
    refused(&place, &[], 3, "LEDGER_FOREIGN");
    fs::remove_dir_all(public(&place)).unwrap();
    // Not empty, and no head.
    fs::create_dir(public(&place)).unwrap();
    fs::write(public(&place).join("index.html"), "mine").unwrap();
    refused(&place, &[], 2, "USAGE");
    fs::write(public(&place).join("checkpoint"), "mine").unwrap();
    refused(&place, &[], 3, "LEDGER_DAMAGED");
    fs::remove_dir_all(public(&place)).unwrap();
    // A later head of the same ledger, and another history.
    let earlier = place.work().with_file_name("earlier");
    publish(&place, &[]);
    copy(&public(&place), &earlier);
    let head = fs::read_to_string(earlier.join("checkpoint")).unwrap();
    let root = head.lines().nth(2).unwrap();
    let edited = head.replacen(root, &format!("{}A=", "A".repeat(42)), 1);
    fs::write(public(&place).join("checkpoint"), edited).unwrap();
    refused(&place, &[], 3, "LEDGER_DIVERGED");
    let size = head.lines().nth(1).unwrap();
    let later = head.replacen(&format!("\n{size}\n"), "\n999\n", 1);
    fs::write(public(&place).join("checkpoint"), later).unwrap();
    refused(&place, &[], 3, "LEDGER_REGRESSED");
    // A tile that is not the ledger's, where no head says that it was published.
    fs::remove_file(public(&place).join("checkpoint")).unwrap();
    let tile = public(&place).join(format!("tile/0/000.p/{size}"));
    fs::write(&tile, "mine").unwrap();
    refused(&place, &[], 3, "LEDGER_DIVERGED");
    // Inside the ledger.
    let inside = place.run(&["head", "publish", ".glyph-ledger/public", "--json"]);
    assert_eq!(inside.exit, 2, "{inside:?}");
}

#[test]
fn l6_the_log_key_signs_published_heads_under_the_ledgers_name() {
    let (place, id) = a_ledger(1);
    done(&place, &["key", "new", "../log.pem"]);
    refused(&place, &["--log-key", "../log.pem"], 6, "KEY_REFUSED");
    let log =
        done(&place, &["key", "export", "--key", "../log.pem", "--form", "hex", "--json"]).json();
    let log = log["data"]["public_key"].as_str().unwrap().to_owned();
    done(&place, &["key", "authorize", &log, "--role", "publish"]);
    publish(&place, &[]);
    let note = || fs::read_to_string(public(&place).join("checkpoint")).unwrap();
    let lines = |note: &str, name: &str| note.lines().filter(|line| line.contains(name)).count();
    let own = format!("\u{2014} glyph-ledger/{id} ");
    assert_eq!(lines(&note(), &own), 0);
    // The same head, with one signature more; once only.
    for _ in 0..2 {
        let published = publish(&place, &["--log-key", "../log.pem"]);
        assert_eq!(published["verifier_keys"].as_array().unwrap().len(), 2);
        assert_eq!((lines(&note(), &own), lines(&note(), "\u{2014} glyph-actor/")), (1, 1));
    }
    // What others signed stays as long as the head is the same.
    fs::write(public(&place).join("checkpoint"), note() + "\u{2014} witness.example AAAAAAA=\n")
        .unwrap();
    publish(&place, &["--log-key", "../log.pem"]);
    assert_eq!((lines(&note(), &own), lines(&note(), "witness.example")), (1, 1));
    let said = Place::new().run(&["head", "verify", public(&place).to_str().unwrap(), "--json"]);
    assert!(said.json()["data"]["log_key"].is_string(), "{said:?}");
    // No key at all, and one of the wrong kind.
    refused(&place, &["--log-key", "../none.pem"], 3, "KEY_MISSING");
    fs::write(place.work().with_file_name("log.pem"), "not a key").unwrap();
    refused(&place, &["--log-key", "../log.pem"], 3, "KEY_INVALID");
}

fn copy(from: &Path, to: &Path) {
    for (path, (bytes, _)) in files(from) {
        let path = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// A head from elsewhere counts where whoever signed the last event under it signed it: another key of the ledger shows nothing with it.
#[test]
fn l6_a_head_from_elsewhere_is_by_whoever_signed_its_last_event() {
    let (place, id) = a_ledger(2);
    done(&place, &["key", "new", "other.pem"]);
    let other = place.run(&["key", "export", "--key", "other.pem", "--form", "hex", "--json"]);
    let other = other.json()["data"]["public_key"].as_str().unwrap().to_owned();
    done(&place, &["key", "authorize", &other, "--role", "publish"]);
    let published = publish(&place, &[]);
    done(&place, &["migration", "certificate", "export", "-o", "../kept.sigstore.json"]);
    let pem = fs::read_to_string(place.work().join("other.pem")).unwrap();
    let key = ed25519_dalek::SigningKey::from_pkcs8_pem(&pem).unwrap();
    let own = fs::read(public(&place).join("checkpoint")).unwrap();
    let head = *SignedHead::parse(&own).unwrap().head();
    let by_other = SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text));
    let (trust, lower) = (place.home().join("other"), place.home().join("own"));
    fs::write(&trust, by_other.encode()).unwrap();
    fs::write(&lower, own).unwrap();
    assert_eq!(published["size"], head.size);
    let folder = public(&place).display().to_string();
    let bundle = place.work().with_file_name("kept.sigstore.json").display().to_string();
    for verb in [["head", "verify", &folder], ["bundle", "verify", &bundle]] {
        for (trusted, exit, code) in
            [(&lower, 0, Value::Null), (&trust, 3, Value::from("SIGNER_UNKNOWN"))]
        {
            let named = ["--ledger", &id, "--json", "--trust", trusted.to_str().unwrap()];
            let said = place.run(&[&verb[..], &named].concat());
            let found = said.json()["diagnostics"][0]["code"].clone();
            assert_eq!((said.exit, found), (exit, code), "{verb:?}: {said:?}");
        }
    }
}
