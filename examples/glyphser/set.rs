//! A run's manifest, trace, checkpoint and certificate, in the oldest versions, linked by hash; the same migrated; and
//! sets with one thing wrong.

use glyph_ledger::document::{Document, Format, Value, canonical};
use glyph_ledger::glyphser::Formula;
use glyph_ledger::operators::{Member, Outcome, migrate_linked};
use glyph_ledger::transform::Parameters;
use ledger_format::hash::{ContentHash, hex};
use serde_json::{Value as Json, json};

use super::Made;

/// File, kind, text.
type File = (&'static str, &'static str, String);

const KINDS: [(&str, &str); 4] = [
    ("manifest.core.yaml", "glyphser-manifest"),
    ("run.trace.json", "glyphser-trace"),
    ("run.checkpoint.json", "glyphser-checkpoint"),
    ("execution_certificate.json", "glyphser-certificate"),
];

/// Every file below the folder of the fixtures, with its text.
pub(crate) fn files() -> Made<Vec<(String, String)>> {
    let mut files = Vec::new();
    let linked = linked(false)?;
    put(&mut files, "linked", &linked);
    let given = parameters();
    files.push(("parameters.json".to_owned(), pretty(&given)?));
    put(&mut files, "migrated", &migrated(&linked)?);
    put(&mut files, "signed", &self::linked(true)?);
    put(&mut files, "bad/stale-head", &edited(&linked, 1, "op.a", "op.b")?);
    put(
        &mut files,
        "bad/stale-self",
        &edited(&linked, 2, "\"run_id\": \"r1\"", "\"run_id\": \"r2\"")?,
    );
    let manifest = ("UML_OS.Config.SchemaValidator_v1", "Glyphser.Config.SchemaValidator");
    put(&mut files, "bad/renamed-not-rehashed", &edited(&linked, 0, manifest.0, manifest.1)?);
    let without_trace: Vec<File> =
        linked.iter().filter(|(name, ..)| *name != "run.trace.json").cloned().collect();
    put(&mut files, "bad/dangling", &without_trace);
    for (one, other) in [("left", "right"), ("right", "left")] {
        files.push((format!("bad/cyclic/{one}.yaml"), cyclic(one, other)));
    }
    Ok(files)
}

fn put(files: &mut Vec<(String, String)>, folder: &str, set: &[File]) {
    files.extend(set.iter().map(|(name, _, text)| (format!("{folder}/{name}"), text.clone())));
}

/// What newer versions require and older ones do not have.
pub(crate) fn parameters() -> Json {
    let hash = |text: &str| ContentHash::of(text.as_bytes()).to_string();
    json!({
        "ir_hash": hash("ir"),
        "lockfile_hash": hash("lockfile"),
        "toolchain_hash": hash("toolchain"),
        "rng_state_hash": hash("rng"),
        "data_cursors_hash": hash("cursors"),
        "dp_enabled": false,
        "trust_store_hash": hash("trust store"),
        "valid_until_utc": "2027-01-01T00:00:00Z",
        "verification_time_utc": "2026-01-01T00:00:00Z",
    })
}

/// The set in its oldest versions.
fn linked(signed: bool) -> Made<Vec<File>> {
    let manifest = "# The manifest of an example run.
spec_version: UML_OS.Config.SchemaValidator_v1
tenant_id: example
model: {layers: 2, width: 8}
seed: 42
learning_rate: 0.001
"
    .to_owned();
    let manifest_hash = object_digest(&read("glyphser-manifest", manifest.as_bytes())?.value)?;
    let records = json!([
        {"kind": "RUN_HEADER", "schema_version": "1", "run_id": "r1"},
        {"kind": "ITER", "t": 0, "rank": 0, "operator_seq": 0, "operator_id": "op.a", "loss_total": 0.1},
        {"kind": "RUN_END", "status": "OK"}
    ]);
    let head = by(Formula::TraceChainT1, &records)?;
    let trace = json!({"trace_schema_version": "T1", "records": records, "trace_final_hash": head});
    let checkpoint = checkpoint(&manifest_hash, &head)?;
    let mut certificate = json!({
        "signed_payload": {
            "certificate_version": 1,
            "tenant_id": "example",
            "run_id": "r1",
            "policy_hash": ContentHash::of(b"policy").to_string(),
            "manifest_hash": manifest_hash,
            "checkpoint_hash": checkpoint["header"]["checkpoint_hash"],
            "checkpoint_header_hash": checkpoint["header"]["checkpoint_header_hash"],
            "trace_root_hash": head,
        },
        "unsigned_metadata": {"note": "made for tests"},
    });
    if signed {
        // Whether it verifies is nobody's question here: that it is there is enough to leave the certificate alone.
        certificate["signature"] = "ab".repeat(64).into();
    }
    Ok([manifest, pretty(&trace)?, pretty(&checkpoint)?, pretty(&certificate)?]
        .into_iter()
        .zip(KINDS)
        .map(|(text, (name, kind))| (name, kind, text))
        .collect())
}

/// A checkpoint of version C2 that was taken at the end of the trace.
pub(crate) fn checkpoint(manifest_hash: &str, trace_head: &str) -> Made<Json> {
    let shard = |path: &str, content: &[u8]| json!({"path": path, "sha256": ContentHash::of(content).to_string(), "size_bytes": content.len()});
    let shards = json!([
        shard("optimizer/rank=0/shard=0.bin", &[3]),
        shard("tensors/rank=0/shard=0.bin", &[0]),
        shard("tensors/rank=0/shard=1.bin", &[1]),
        shard("tensors/rank=0/shard=2.bin", &[2]),
    ]);
    let root = by(Formula::CheckpointMerkleV1, &shards)?;
    let manifest = json!({"manifest_version": 1, "checkpoint_merkle_root": root, "shards": shards});
    let manifest_digest = object_digest(&value(&manifest)?)?;
    let mut header = json!({
        "checkpoint_schema_version": "C2",
        "tenant_id": "example",
        "run_id": "r1",
        "t": 1,
        "manifest_hash": manifest_hash,
        "policy_bundle_hash": ContentHash::of(b"policy").to_string(),
        "checkpoint_merkle_root": manifest["checkpoint_merkle_root"],
        "tensors_root_hash": by(Formula::TensorsRootV1, &manifest["shards"])?,
        "optimizer_state_root_hash": by(Formula::OptimizerRootV1, &manifest["shards"])?,
        "trace_root_hash": trace_head,
        "trace_tail_hash_at_checkpoint": trace_head,
        "checkpoint_manifest_hash": manifest_digest,
        "checkpoint_hash": manifest_digest,
    });
    header["checkpoint_header_hash"] = object_digest(&value(&header)?)?.into();
    Ok(json!({"header": header, "manifest": manifest}))
}

fn migrated(set: &[File]) -> Made<Vec<File>> {
    let mut members = Vec::new();
    for (name, kind, text) in set {
        members.push(Member {
            id: (*name).to_owned(),
            contract: (*kind).to_owned(),
            document: read(kind, text.as_bytes())?,
            bytes: text.clone().into_bytes(),
            former: None,
        });
    }
    let outcomes = migrate_linked(&members, &given(&parameters())?)?;
    let mut files = Vec::new();
    for ((member, outcome), (name, kind, _)) in members.iter().zip(outcomes).zip(set) {
        let Outcome::Migrated { value, .. } = outcome else {
            return Err(format!("{name} is signed").into());
        };
        let bytes = member.document.with(value).write()?;
        files.push((*name, *kind, String::from_utf8(bytes)?));
    }
    Ok(files)
}

fn given(parameters: &Json) -> Made<Parameters> {
    let parameters = value(parameters)?;
    let map = parameters.as_map().ok_or("parameters are no object")?;
    Ok(map.iter().map(|(name, value)| (name.to_string(), value.clone())).collect())
}

/// The set with one text in one of its files replaced, and nothing hashed again.
fn edited(set: &[File], file: usize, from: &str, to: &str) -> Made<Vec<File>> {
    let mut set = set.to_vec();
    let (name, _, text) = set.get_mut(file).ok_or("no such file")?;
    let edited = text.replace(from, to);
    if edited == *text {
        return Err(format!("{name} has no {from}").into());
    }
    *text = edited;
    Ok(set)
}

fn cyclic(one: &str, other: &str) -> String {
    format!(
        "contract: {one}
contract_version: 1.0.0
format: json
versions: ['1']
current: '1'
min: '1'
detect: [{{version: '1', when: {{path: /version, equals: 1}}}}]
edges: []
refs: [{{at: /{other}, to_kind: {other}, preimage: object_digest, encoding: hex}}]
"
    )
}

fn read(kind: &str, bytes: &[u8]) -> Made<Document> {
    let format = if kind == "glyphser-manifest" { Format::Yaml } else { Format::Json };
    Ok(Document::read(format, bytes)?)
}

pub(crate) fn value(json: &Json) -> Made<Value> {
    Ok(Document::read(Format::Json, json.to_string().as_bytes())?.value)
}

fn object_digest(value: &Value) -> Made<String> {
    Ok(ContentHash::of(&canonical::cbor(value, &[])?.encode()).to_string())
}

fn by(formula: Formula, over: &Json) -> Made<String> {
    Ok(hex(&formula.hash(&value(over)?)?))
}

pub(crate) fn pretty(json: &Json) -> Made<String> {
    Ok(serde_json::to_string_pretty(json)? + "\n")
}
