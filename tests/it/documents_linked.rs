//! Documents that name each other by hash, through the commands.

use std::fs;
use std::path::{Path, PathBuf};

use glyph_ledger::document::{Document, Format, canonical};
use glyph_ledger::glyphser::Formula;
use ledger_format::hash::{ContentHash, hex};
use serde_json::{Value, json};

use crate::support::{Place, Said, check_answer, done};

/// Every kind of a linked set.
const KINDS: [&str; 4] =
    ["glyphser-certificate", "glyphser-checkpoint", "glyphser-manifest", "glyphser-trace"];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/glyphser")
}

/// The documents of a set, by name.
fn documents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())
        })
        .collect();
    all.sort();
    all
}

/// Runs a command with the kinds and the values that the newer versions need.
fn described(place: &Place, command: &[&str]) -> Said {
    let parameters = fs::read(fixtures().join("parameters.json")).unwrap();
    let parameters: Value = serde_json::from_slice(&parameters).unwrap();
    let mut arguments: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    for kind in KINDS {
        arguments.extend(["--contract".to_owned(), kind.to_owned()]);
    }
    for (name, value) in parameters.as_object().unwrap() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        arguments.extend(["--set".to_owned(), format!("{name}={text}")]);
    }
    place.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn set(place: &Place, name: &str) -> PathBuf {
    let folder = place.work().join("set");
    fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in documents(&fixtures().join(name)) {
        fs::write(folder.join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn m14_a_linked_tree_is_migrated_by_the_commands() {
    let place = Place::new();
    let folder = set(&place, "linked");
    assert_eq!(described(&place, &["init", "--documents", "set"]).exit, 0);
    let ledger = ["--ledger", "set/.glyph-ledger"];
    let run = |words: &[&str]| place.run(&[words, &ledger].concat());
    let planned = run(&["plan", "-o", "plan.json", "--json"]);
    assert_eq!(planned.exit, 0, "{}", planned.stderr);
    let data = planned.json()["data"].clone();
    assert_eq!(data["plan"]["objects"].as_array().unwrap().len(), 4);
    assert_eq!(data["plan"]["lossy"][0]["path"], "/header/trace_final_hash");
    let id = data["plan"]["id"].as_str().unwrap()[..12].to_owned();
    let unconfirmed = run(&["apply", "plan.json"]);
    assert_eq!(unconfirmed.exit, 5, "{}", unconfirmed.stderr);
    assert_eq!(documents(&folder), documents(&fixtures().join("linked")));
    let applied = run(&["apply", "plan.json", "--accept-lossy", &id]);
    assert_eq!(applied.exit, 0, "{}", applied.stderr);
    // The operators made the same of them, on a way of their own.
    assert_eq!(documents(&folder), documents(&fixtures().join("migrated")));
    let undone = run(&["undo"]);
    assert_eq!(undone.exit, 0, "{}", undone.stderr);
    assert_eq!(documents(&folder), documents(&fixtures().join("linked")));
}

#[test]
fn m14_a_bent_link_is_refused_by_name_and_nothing_is_touched() {
    for (name, code) in [
        ("bad/stale-head", "STEP_FAILED"),
        ("bad/stale-self", "LINK_STALE"),
        ("bad/dangling", "LINK_DANGLING"),
        ("bad/renamed-not-rehashed", "LINK_DANGLING"),
    ] {
        let place = Place::new();
        let folder = set(&place, name);
        let said = described(&place, &["check", "set", "--json"]);
        assert_eq!(said.json()["diagnostics"][0]["code"], code, "{name}");
        assert_ne!(said.exit, 0, "{name}");
        assert_eq!(documents(&folder), documents(&fixtures().join(name)));
    }
}

#[test]
fn m6_proofs_of_a_linked_tree_are_of_the_bytes_that_apply_writes() {
    let place = Place::new();
    let folder = set(&place, "linked");
    assert_eq!(described(&place, &["init", "--documents", "set"]).exit, 0);
    let ends = |exit: i32, words: &[&str]| {
        let said = place.run(&[&["--ledger", "set/.glyph-ledger"], words, &["--json"]].concat());
        assert_eq!(said.exit, exit, "{words:?}: {said:?}");
        said.json()["data"].clone()
    };
    let at = |words: &[&str]| ends(0, words);
    // Edges that rename or hash again drop nothing: values stand elsewhere, and hashes are computed from what is there.
    let proved = at(&["prove", "set"]);
    assert_eq!((&proved["documents"], &proved["passed"]), (&4.into(), &4.into()));
    for one in proved["proofs"].as_array().unwrap() {
        assert_eq!(one["missing"], json!([]), "{one}");
    }
    let alone = at(&["prove", "set/run.checkpoint.json"]);
    assert_eq!(at(&["proof", "verify", "set"])["proved_again"], proved["documents"]);
    let results: Vec<(String, Value)> = proved["proofs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let name = format!("migration/{}.json", one["fingerprint"].as_str().unwrap());
            let file = fs::read(folder.join(name)).unwrap();
            let proof: Value = serde_json::from_slice(&file).unwrap();
            (one["id"].as_str().unwrap().to_owned(), proof["proof"]["result"].clone())
        })
        .collect();
    assert!(results.contains(&("run.checkpoint.json".into(), alone["proof"]["result"].clone())));
    let plan = at(&["plan", "-o", "plan.json"])["plan"]["id"].as_str().unwrap().to_owned();
    at(&["apply", "plan.json", "--accept-lossy", &plan]);
    for (id, result) in results {
        let found = ContentHash::of(&fs::read(folder.join(&id)).unwrap());
        assert_eq!(Value::from(found.to_string()), result, "{id}");
    }
}

/// A set in the care of a ledger, in the working folder of its place.
fn in_care(name: &str, add: impl Fn(&Path)) -> Place {
    let place = Place::new();
    for (name, bytes) in documents(&fixtures().join(name)) {
        fs::write(place.work().join(name), bytes).unwrap();
    }
    add(&place.work());
    assert_eq!(described(&place, &["init", "--documents"]).exit, 0);
    place
}

/// Plans and applies; what the plan was.
fn migrated(place: &Place) -> Value {
    let planned = done(place, &["plan", "-o", "../plan.json", "--json"]).json();
    check_answer("plan", &planned);
    let plan = planned["data"]["plan"].clone();
    done(place, &["apply", "../plan.json", "--accept-lossy", plan["id"].as_str().unwrap()]);
    fs::remove_file(place.work().parent().unwrap().join("plan.json")).unwrap();
    plan
}

fn read(place: &Place, name: &str) -> Value {
    serde_json::from_slice(&fs::read(place.work().join(name)).unwrap()).unwrap()
}

fn write(folder: &Path, name: &str, value: &Value) {
    fs::write(folder.join(name), serde_json::to_string_pretty(value).unwrap() + "\n").unwrap();
}

fn value(of: &Value) -> glyph_ledger::document::Value {
    Document::read(Format::Json, of.to_string().as_bytes()).unwrap().value
}

fn object_digest(of: &Value) -> Value {
    let bytes = canonical::cbor(&value(of), &[]).unwrap().encode();
    ContentHash::of(&bytes).to_string().into()
}

/// A checkpoint of version C2 after `prev`, of one shard more.
fn successor(prev: &Value, shard: u8) -> Value {
    let mut next = prev.clone();
    let shards = next["manifest"]["shards"].as_array_mut().unwrap();
    let sha256 = ContentHash::of(&[shard]).to_string();
    shards.push(json!({"path": format!("tensors/rank=0/shard={shard}.bin"), "sha256": sha256, "size_bytes": 1}));
    let shards = value(&next["manifest"]["shards"]);
    let by = |formula: Formula| Value::from(hex(&formula.hash(&shards).unwrap()));
    next["manifest"]["checkpoint_merkle_root"] = by(Formula::CheckpointMerkleV1);
    let digest = object_digest(&next["manifest"]);
    let manifest_root = next["manifest"]["checkpoint_merkle_root"].clone();
    let header = next["header"].as_object_mut().unwrap();
    header.insert("checkpoint_merkle_root".into(), manifest_root);
    header.insert("tensors_root_hash".into(), by(Formula::TensorsRootV1));
    header.insert("optimizer_state_root_hash".into(), by(Formula::OptimizerRootV1));
    header.insert("checkpoint_manifest_hash".into(), digest.clone());
    header.insert("checkpoint_hash".into(), digest);
    header.insert("checkpoint_hash_prev".into(), prev["header"]["checkpoint_hash"].clone());
    header.remove("checkpoint_header_hash");
    next["header"]["checkpoint_header_hash"] = object_digest(&next["header"]);
    next
}

#[test]
fn m14_a_chain_of_checkpoints_is_linked_again() {
    let place = in_care("linked", |folder| {
        let mut prev: Value =
            serde_json::from_slice(&fs::read(folder.join("run.checkpoint.json")).unwrap()).unwrap();
        // The newest comes first by name.
        for (name, shard) in ["c", "b", "a"].into_iter().zip(3..) {
            prev = successor(&prev, shard);
            write(folder, &format!("{name}.checkpoint.json"), &prev);
        }
    });
    let before = documents(&place.work());
    assert_eq!(migrated(&place)["objects"].as_array().unwrap().len(), 7);
    let chain = ["run", "c", "b", "a"].map(|name| read(&place, &format!("{name}.checkpoint.json")));
    for pair in chain.windows(2) {
        let (prev, next) = (&pair[0]["header"], &pair[1]["header"]);
        assert_eq!(next["checkpoint_hash_prev"], prev["checkpoint_hash"]);
        assert_eq!(next["checkpoint_schema_version"], "C7");
    }
    done(&place, &["replay", "--recompute"]);
    done(&place, &["verify-chain", "--objects"]);
    done(&place, &["undo"]);
    assert_eq!(documents(&place.work()), before);
    fs::remove_file(place.work().join("c.checkpoint.json")).unwrap();
    let broken = place.run(&["plan", "--json"]);
    assert_eq!(broken.json()["diagnostics"][0]["code"], "LINK_DANGLING", "{broken:?}");
}

#[test]
fn m14_a_signed_certificate_is_followed_after_what_it_names_changed() {
    let place = in_care("signed", |_| ());
    let certificate = "execution_certificate.json";
    let signed = fs::read(place.work().join(certificate)).unwrap();
    let old = read(&place, "run.checkpoint.json")["header"].clone();
    let plan = migrated(&place);
    assert_eq!(plan["signed"], json!([certificate]));
    assert_eq!(plan["objects"].as_array().unwrap().len(), 3);
    assert_eq!(fs::read(place.work().join(certificate)).unwrap(), signed);

    // What it names is another one now. The tree is whole all the same, again and after going back.
    let planned = done(&place, &["plan", "--json"]).json();
    assert_eq!(planned["data"]["plan"]["objects"], json!([]));
    done(&place, &["status"]);
    // No step leads back to what it was called: whoever looks asks the ledger.
    for look in [&["check"][..], &["check", "."], &["prove", "."], &["proof", "verify", "."]] {
        done(&place, look);
    }
    let alone = place.run(&[
        "check",
        "--contract",
        "glyphser-certificate",
        "--contract",
        "glyphser-checkpoint",
        "--contract",
        "glyphser-manifest",
        "--contract",
        "glyphser-trace",
        "--json",
    ]);
    assert_eq!(alone.json()["diagnostics"][0]["code"], "LINK_DANGLING", "{alone:?}");
    let new = read(&place, "run.checkpoint.json")["header"].clone();
    for name in ["checkpoint_hash", "checkpoint_header_hash"] {
        let (old, new) = (old[name].as_str().unwrap(), new[name].as_str().unwrap());
        assert_ne!(old, new);
        let shown = place.run(&["show", old, "--json"]).json();
        check_answer("show", &shown);
        let trail = &shown["data"]["trail"];
        assert_eq!((&trail["hash"], &trail["not_listed"]), (&old.into(), &0.into()));
        let [step] = trail["steps"].as_array().unwrap().as_slice() else { panic!("{trail}") };
        assert_eq!(step["object"], "run.checkpoint.json");
        assert_eq!((&step["from"], &step["to"]), (&"C2".into(), &"C7".into()));
        assert_eq!((&step["hash_before"], &step["hash_after"]), (&true.into(), &false.into()));
        let naming = format!("stated:/header/{name}");
        let pair = json!({"naming": naming, "old_hash": old, "new_hash": new});
        assert!(step["renamed"].as_array().unwrap().contains(&pair), "{step}");
        assert_eq!(trail["now"]["run.checkpoint.json"], step["target"]);
        // And back.
        let back = place.run(&["show", new, "--json"]).json()["data"]["trail"].clone();
        assert_eq!(back["steps"][0]["renamed"], step["renamed"]);
        assert_eq!(back["steps"][0]["hash_after"], true);
    }
    let text = place.run(&["show", old["checkpoint_hash"].as_str().unwrap()]);
    assert!(text.stdout.contains("  run.checkpoint.json  C2 -> C7  event "), "{text:?}");
    let unknown = place.run(&["show", &"0".repeat(64), "--json"]);
    assert_eq!(unknown.exit, 2, "{unknown:?}");
    assert_eq!(unknown.json()["diagnostics"][0]["code"], "CURSOR_UNKNOWN");

    done(&place, &["undo"]);
    let undone = place.run(&["show", old["checkpoint_hash"].as_str().unwrap(), "--json"]).json();
    assert_eq!(undone["data"]["trail"]["steps"][1]["purpose"], "rollback");
    migrated(&place);
    assert_eq!(read(&place, "run.checkpoint.json")["header"], new);
    done(&place, &["replay", "--recompute"]);
    done(&place, &["verify-chain", "--objects"]);

    // Nobody else has these names: a certificate of something else still dangles.
    let mut other: Value = serde_json::from_slice(&signed).unwrap();
    other["signed_payload"]["checkpoint_hash"] = "1".repeat(64).into();
    fs::create_dir(place.work().join("other")).unwrap();
    write(&place.work().join("other"), certificate, &other);
    let dangling = place.run(&["plan", "--json"]);
    assert_eq!(dangling.json()["diagnostics"][0]["code"], "LINK_DANGLING", "{dangling:?}");
}

#[test]
fn m14_what_a_migrated_document_names_is_kept_with_the_run_and_computed_again() {
    let place = in_care("migrated", |folder| {
        let certificate = "execution_certificate.json";
        let now: Value =
            serde_json::from_slice(&fs::read(folder.join(certificate)).unwrap()).unwrap();
        let now = &now["signed_payload"];
        let old = fs::read(fixtures().join("linked").join(certificate)).unwrap();
        let mut old: Value = serde_json::from_slice(&old).unwrap();
        let payload = &mut old["signed_payload"];
        for name in ["manifest_hash", "checkpoint_hash", "checkpoint_header_hash"] {
            payload[name] = now[name].clone();
        }
        payload["trace_root_hash"] = now["trace_final_hash"].clone();
        write(folder, certificate, &old);
    });
    let plan =
        done(&place, &["plan", "-o", "../plan.json", "--json"]).json()["data"]["plan"].clone();
    assert_eq!(plan["objects"].as_array().unwrap().len(), 1);
    let named: Vec<&str> = plan["links"]["named"]
        .as_array()
        .unwrap()
        .iter()
        .map(|named| named["id"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["manifest.core.yaml", "run.checkpoint.json", "run.trace.json"]);

    // It is what was planned, or nothing.
    let manifest = place.work().join("manifest.core.yaml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.clone() + "# more\n").unwrap();
    let stale = place.run(&["apply", "../plan.json", "--json"]);
    assert_eq!(
        (stale.exit, stale.json()["diagnostics"][0]["code"].clone()),
        (8, "PLAN_STALE".into())
    );
    fs::write(&manifest, text).unwrap();

    done(&place, &["apply", "../plan.json"]);
    let again = done(&place, &["replay", "--recompute", "--json"]).json();
    check_answer("replay", &again);
    done(&place, &["verify-chain", "--objects"]);
    // Their places no longer matter.
    fs::remove_file(&manifest).unwrap();
    done(&place, &["replay", "--recompute"]);
}
