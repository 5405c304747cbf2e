//! Where fuzzing begins: inputs that are right, made from the vectors of `ledger-format` and by the program itself.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use glyph_ledger::contract::{Bundle, load_bytes};
use glyph_ledger::document::Value;
use glyph_ledger::migrate::documents::{
    DocumentsPlan, DocumentsPolicy, LossyValue, PlannedDocument, PlannedRoute,
};
use glyph_ledger::migrate::proof::{DocumentMigration, Generated, prove};
use glyph_ledger::migrate::{
    Environment, LostValues, Plan, PlanFileError, PlannedObject, PlannedStep, Policy,
};
use glyph_ledger::objects::{MemoryObjects, Objects as _, PackObjects};
use glyph_ledger::target::glyph_store::{built_in_contract, migration_line};
use glyph_ledger::target::sqlite::{DatabaseError, PageSize, PageSource, Transactions, image};
use ledger_format::event::Event;
use ledger_format::hash::{CommitHash, ContentHash, EventId, LedgerId, NodeHash, unhex};
use ledger_format::head::SignedHead;
use ledger_format::proof::InclusionProof;
use ledger_format::tree::{MemoryTree, prove_inclusion, root};
use projections::{Entry, State};
use serde_json::Value as Json;

use crate::{scratch, witness};

const CBOR: &str = include_str!("../../../ledger-format/vectors/cbor.json");
const EVENTS: &str = include_str!("../../../ledger-format/vectors/events.json");
const FRAMES: &str = include_str!("../../../ledger-format/vectors/frames.json");
const CERTIFICATE: &str = include_str!("../../../ledger-format/vectors/bundle.json");
const HEADS: &str = include_str!("../../../ledger-format/vectors/heads.json");
const LEDGER: &str = include_str!("../../../ledger-format/vectors/ledger.json");
const EXPORT: &str = include_str!("../../../ledger-format/vectors/ledger.jsonl");
const PROOFS: &str = include_str!("../../../ledger-format/vectors/proofs.json");
const MANIFEST: &str = "\
# a store
store:
  version: 1   # first
  created_by: glyph/0.1.0
  nested:
    version: 7
project: &name \"demo\"
list: [1, 2.5, true, null, *name]
text: |
  version: 9
";

/// Offset of the lowest bit of a seed for `anchor` that makes its checksums right.
const RIGHT: u8 = 0;

fn json(text: &str) -> Json {
    serde_json::from_str(text).expect("a vector is JSON")
}

fn items(vectors: &Json, list: &str) -> Vec<Json> {
    vectors[list].as_array().cloned().unwrap_or_default()
}

fn bytes(hex: &Json) -> Vec<u8> {
    unhex(hex.as_str().unwrap_or_default()).unwrap_or_default()
}

/// The ledger of the vectors.
pub(crate) fn ledger_id() -> LedgerId {
    static ID: OnceLock<LedgerId> = OnceLock::new();
    *ID.get_or_init(|| {
        json(LEDGER)["ledger"].as_str().unwrap().parse().expect("the vectors' ledger has an id")
    })
}

/// `LEDGER` of the ledger of the vectors.
pub(crate) fn identity() -> Vec<u8> {
    static TEXT: OnceLock<Vec<u8>> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        let vectors = json(LEDGER);
        let word = |name: &str| vectors[name].as_str().unwrap_or_default().to_owned();
        let (ledger, key, nonce) = (word("ledger"), word("public_key"), word("nonce"));
        format!("glyph-ledger folder 1\nledger {ledger}\nkey {key}\nnonce {nonce}\n").into_bytes()
    });
    text.clone()
}

pub(crate) fn identities() -> Vec<Vec<u8>> {
    vec![identity()]
}

pub(crate) fn values() -> Vec<Vec<u8>> {
    let vectors = json(CBOR);
    let accepted = items(&vectors, "accept").into_iter().chain(items(&vectors, "reject"));
    let mut values: Vec<_> = accepted.map(|vector| bytes(&vector["cbor"])).collect();
    values.extend(events());
    values
}

pub(crate) fn events() -> Vec<Vec<u8>> {
    items(&json(EVENTS), "events").iter().map(|vector| bytes(&vector["bytes"])).collect()
}

fn notes() -> Vec<Vec<u8>> {
    let mut heads = items(&json(HEADS), "heads");
    heads.extend(items(&json(LEDGER), "heads"));
    heads.iter().filter_map(|head| Some(head["note"].as_str()?.as_bytes().to_vec())).collect()
}

pub(crate) fn heads() -> Vec<Vec<u8>> {
    let mut heads = notes();
    heads.extend(
        items(&json(HEADS), "heads").iter().filter_map(|head| Some(head["text"].as_str()?.into())),
    );
    heads
}

pub(crate) fn certificates() -> Vec<Vec<u8>> {
    let vector = json(CERTIFICATE);
    ["bundle", "statement"].iter().filter_map(|part| Some(vector[part].as_str()?.into())).collect()
}

pub(crate) fn cosignatures() -> Vec<Vec<u8>> {
    let head = witness::head(3, NodeHash::empty_root());
    let text = head.note().text().to_owned();
    let cosigned = |lines: &[(u8, u64)]| {
        let lines = lines.iter().map(|(number, time)| witness::line(&text, *number, *time));
        lines.fold(head.clone(), SignedHead::with_line).encode()
    };
    vec![
        cosigned(&[(8, 1_700_000_000)]),
        cosigned(&[(9, 1_700_000_000), (8, 1 << 62)]),
        cosigned(&[(8, 0), (8, 1)]),
        cosigned(&[]),
    ]
}

pub(crate) fn answers() -> Vec<Vec<u8>> {
    let head = witness::head(3, NodeHash::empty_root());
    let line = |number, time| {
        let line = witness::line(head.note().text(), number, time);
        let cosigned = head.clone().with_line(line).encode();
        cosigned[head.encode().len()..].to_vec()
    };
    let says =
        |status: u16, sized: u8, body: &[u8]| [&status.to_be_bytes()[..], &[sized], body].concat();
    vec![
        says(200, 0, &line(8, 1_700_000_000)),
        says(200, 0, &[line(9, 1), line(8, 2)].concat()),
        says(409, 1, b"2\n"),
        says(409, 1, b"7\n"),
        says(422, 0, b""),
        says(500, 0, b"oops"),
    ]
}

pub(crate) fn policies() -> Vec<Vec<u8>> {
    let (one, two) = (witness::vkey(8), witness::vkey(9));
    let witnesses = format!("witness A {one} https://a.example/\nwitness B {two}\n");
    ["quorum none", "quorum A", "group both all A B\nquorum both", "group G 1 A B\nquorum G"]
        .map(|rest| format!("# a comment\n{witnesses}\n{rest}\n").into_bytes())
        .to_vec()
}

pub(crate) fn tlog_proofs() -> Vec<Vec<u8>> {
    let events = events();
    let tree: MemoryTree = events.iter().map(|event| NodeHash::leaf(EventId::of(event))).collect();
    let size = events.len() as u64;
    let head = witness::head(size, root(&tree, size).expect("the tree has its leaves"));
    let of = |(index, event): (u64, &Vec<u8>)| {
        let nodes = prove_inclusion(&tree, index, size)?;
        let (extra, head) = (Some(event.clone()), head.clone());
        Some(InclusionProof { extra, index, nodes, head }.encode())
    };
    (0..).zip(&events).filter_map(of).take(4).collect()
}

pub(crate) fn lines() -> Vec<Vec<u8>> {
    EXPORT.lines().map(|line| line.as_bytes().to_vec()).collect()
}

pub(crate) fn exports() -> Vec<Vec<u8>> {
    let lines: Vec<&str> = EXPORT.split_inclusive('\n').collect();
    let from = |first: usize| lines[first..].concat().into_bytes();
    vec![
        from(0),
        from(5),
        from(lines.len() - 1),
        lines[..5].concat().into_bytes(),
        lines[..3].concat().into_bytes(),
    ]
}

pub(crate) fn frames() -> Vec<Vec<u8>> {
    let vectors = json(FRAMES);
    let mut frames: Vec<_> = items(&vectors, "frames").iter().map(bytes).collect();
    frames.push(bytes(&vectors["head"]));
    frames.push(bytes(&vectors["raw"]));
    frames
}

/// Whole batches as they lie in the engine's file: frames and heads with something between them, some twice.
pub(crate) fn raw_stores() -> Vec<Vec<u8>> {
    use ledger_format::frame::{Frame, HeadRecord};
    let vectors = json(LEDGER);
    let events: Vec<_> =
        items(&vectors, "events").iter().map(|event| bytes(&event["bytes"])).collect();
    let mut raw = Vec::new();
    let mut first = 0;
    for head in items(&vectors, "heads") {
        let size = head["size"].as_u64().unwrap_or_default();
        let (from, to) = (usize::try_from(first).unwrap(), usize::try_from(size).unwrap());
        for frame in Frame::pack(ledger_id(), first, &events[from..to]) {
            raw.push(frame.encode());
        }
        let note = head["note"].as_str().unwrap_or_default().as_bytes().to_vec();
        raw.push(HeadRecord { ledger: ledger_id(), size, note }.encode());
        first = size;
    }
    let reversed: Vec<u8> = raw.iter().rev().flatten().copied().collect();
    let twice = [raw.concat(), raw.concat()].join([0_u8; 7].as_slice());
    vec![raw.concat(), reversed, twice, raw[..3].concat()]
}

/// A claim as `proof` reads it: two numbers, how to bend the true proof and where, hashes.
fn claim(first: &Json, second: &Json, proof: &Json, bend: u8) -> Vec<u8> {
    let number = |json: &Json| json.as_u64().unwrap_or_default().to_be_bytes();
    let nodes: Vec<u8> = proof.as_array().into_iter().flatten().flat_map(bytes).collect();
    [&number(first)[..], &number(second), &[bend, bend], &nodes].concat()
}

pub(crate) fn inclusion_proofs() -> Vec<Vec<u8>> {
    let proofs = items(&json(PROOFS), "inclusion");
    let bends = (0..4).cycle();
    proofs
        .iter()
        .zip(bends)
        .map(|(p, bend)| claim(&p["index"], &p["size"], &p["proof"], bend))
        .collect()
}

pub(crate) fn consistency_proofs() -> Vec<Vec<u8>> {
    let proofs = items(&json(PROOFS), "consistency");
    let bends = (0..4).cycle();
    proofs
        .iter()
        .zip(bends)
        .map(|(p, bend)| claim(&p["old"], &p["new"], &p["proof"], bend))
        .collect()
}

/// The cache after each event of the vectors' ledger.
pub(crate) fn states() -> Vec<Vec<u8>> {
    let mut state = State::new(ledger_id());
    let mut caches = vec![state.to_cache()];
    for vector in items(&json(LEDGER), "events") {
        let bytes = bytes(&vector["bytes"]);
        let event = Event::decode(&bytes).expect("a vector is an event");
        state
            .apply(Entry { event: &event, id: EventId::of(&bytes) })
            .expect("the vectors are a legal history");
        caches.push(state.to_cache());
    }
    caches
}

/// What a writer leaves, with and without its index, as `folder::pack` takes it apart.
pub(crate) fn packs() -> Vec<Vec<u8>> {
    let dir = scratch::empty_folder("pack-seed");
    let packs = dir.join("packs");
    let mut objects = PackObjects::create(&packs).expect("packs are made");
    for object in [b"".as_slice(), b"GLYPHobj", b"one", &[7; 300]] {
        objects.put(object).expect("an object is taken");
    }
    drop(objects);
    let read = |name: &str| std::fs::read(packs.join(name)).expect("a writer leaves its files");
    let (pack, mut index) = (read("00000000.pack"), read("index"));
    index.truncate(index.len() - 32);
    let mut both = vec![1];
    both.extend(&pack);
    // The index is the last third, so that much of the pack is needed in front of it.
    both.resize(1 + 2 * index.len(), 0);
    both.extend(&index);
    let short = index[..8 + 8 + 8 + 48].to_vec();
    let covered = [&[1], &pack[..pack.len().min(2 * short.len())], &short].concat();
    vec![
        [&[0], pack.as_slice()].concat(),
        [&[2], pack.as_slice(), &pack].concat(),
        both,
        covered,
        vec![0],
    ]
}

/// Both slots, each in half of the input.
pub(crate) fn anchors() -> Vec<Vec<u8>> {
    let notes = notes();
    let slot = |counter: u64, note: &[u8]| {
        let length = u16::try_from(note.len()).unwrap();
        let last = [0xab; 32];
        [
            b"GLYPHanc".as_slice(),
            &counter.to_be_bytes(),
            &last,
            &7_u64.to_be_bytes(),
            &length.to_be_bytes(),
            note,
        ]
        .concat()
    };
    let both = |first: &[u8], second: &[u8]| {
        let (mut even, mut odd) = (slot(4, first), slot(5, second));
        let half = even.len().max(odd.len()) + 1;
        even.resize(half, 0);
        odd.resize(half, RIGHT);
        [even, odd].concat()
    };
    notes.windows(2).map(|pair| both(&pair[0], &pair[1])).collect()
}

pub(crate) fn pins() -> Vec<Vec<u8>> {
    let mut pins: Vec<Vec<u8>> = ["first-use\n", "explicit\n", "own-append\n"]
        .iter()
        .zip(notes().iter().rev())
        .map(|(word, note)| [word.as_bytes(), note].concat())
        .collect();
    pins.push(format!("{}\n/a/place\n", ledger_id()).into_bytes());
    pins
}

/// The scripts that a contract under test may name.
pub(crate) fn scripts() -> BTreeMap<String, Vec<u8>> {
    static SCRIPTS: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    SCRIPTS
        .get_or_init(|| built_in_contract().expect("the built-in contract loads").scripts)
        .clone()
}

pub(crate) fn contracts() -> Vec<Vec<u8>> {
    let yaml = include_bytes!("../../../src/contract/built_in/glyph-store/contract.yaml");
    let contract = built_in_contract().expect("the built-in contract loads");
    let json = serde_json::to_vec(&contract).expect("a contract has a JSON form");
    vec![yaml.to_vec(), json, DOCUMENTS.into()]
}

/// A contract of documents with a jq step and an invariant.
const DOCUMENTS: &str = r"contract: c
contract_version: 1.0.0
format: json
files: ['*.json']
versions: ['1', '2']
current: '2'
min: '1'
detect:
  - {version: '1', when: {path: /v, equals: 1}}
  - {version: '2', when: {path: /v, equals: 2}}
edges:
  - from: '1'
    to: '2'
    steps:
      - {set: {path: /v, value: 2}}
      - {when: {if: {path: /b, absent: true}, steps: [{add: {path: /b, jq: .a}}]}}
      - {remove: {path: /x, optional: true}}
    proof: {addsDefaulted: [/b], dropsNothing: false}
    lossy: [/x]
invariants:
  - {id: same, expr: .source.a == .target.a}
";

pub(crate) fn jq_programs() -> Vec<Vec<u8>> {
    let reduce = "def f($x): if $x > 1 then [.[] | select(. != null)] else {a: .b?} end; f(2)";
    let text = "reduce .[] as {a: $x, b: [$y]} (0; . + $x * 2) // \"n\\(1 + 2)\" | ascii_downcase";
    let path = ".source.a == .target[\"a b\"][1:-1] and (.x // [] | length) >= 0 | not";
    let labels =
        "try error(\"x\") catch ., label $out | foreach .[] as $i (0; .+$i; ., break $out)";
    [reduce, text, path, labels, ".", ""].map(Into::into).into()
}

pub(crate) fn documents_plans() -> Vec<Vec<u8>> {
    let hash = |byte: u8| CommitHash::from_bytes([byte; 32]);
    let bytes = |byte: u8| ContentHash::from_bytes([byte; 32]);
    let route = PlannedRoute {
        kind: "c".to_owned(),
        contract_version: "1.0.0".to_owned(),
        contract: hash(1),
        from: "1".to_owned(),
        to: "2".to_owned(),
        edges: vec![hash(2)],
    };
    let document = PlannedDocument {
        id: "a/b.json".to_owned(),
        route: 0,
        source: bytes(3),
        mode: 0o644,
        target: bytes(4),
        lost: 1,
        loss: hash(5),
    };
    let value = Value::text("x");
    let path = "/x".parse().expect("a pointer");
    let mut plan = DocumentsPlan {
        schema: "glyph-ledger/documents-plan/0".to_owned(),
        id: hash(0),
        ledger: ledger_id(),
        policy: allowing_loss(),
        routes: vec![route],
        objects: vec![document],
        lossy: vec![LossyValue { object: "a/b.json".to_owned(), path, value }],
        lost: 1,
        form_lost: vec!["a/b.json: line 1".to_owned()],
        form_lost_total: 1,
        unchanged: 2,
        signed: vec!["s.json".to_owned()],
        bytes_kept: 300,
        aside: glyph_ledger::migrate::documents::Aside::default(),
        links: None,
        left_out: None,
        environment: Environment::here(),
    };
    let edited = DocumentsPlan::from_json(&plan.to_json().expect("a plan is written"));
    if let Err(PlanFileError::Edited { actual, .. }) = edited {
        plan.id = actual;
    }
    let text = plan.to_json().expect("a plan is written");
    assert!(DocumentsPlan::from_json(&text).is_ok());
    vec![text.into_bytes()]
}

fn allowing_loss() -> DocumentsPolicy {
    let parameters = [("p".to_owned(), Value::from(1_i64))].into();
    DocumentsPolicy { allow_loss: true, allow_programs: false, parameters }
}

/// One that passes, and one that does not.
pub(crate) fn proof_files() -> Vec<Vec<u8>> {
    let contract = |text: &str| {
        load_bytes("seed", text.as_bytes(), BTreeMap::new()).expect("the contract loads")
    };
    let policy = DocumentsPolicy { parameters: BTreeMap::new(), ..allowing_loss() };
    let proof = |text: &str| {
        let migration =
            DocumentMigration::of(contract(text), &policy).expect("the contract can be used");
        let source = br#"{"v": 1, "a": 2.50, "x": [1]}"#;
        let seen = prove(&migration, source, &Generated::default(), &mut || Ok(source.to_vec()));
        seen.expect("there is a proof").to_json().into_bytes()
    };
    vec![proof(DOCUMENTS), proof(&DOCUMENTS.replace(".a == .target", ".a != .target"))]
}

pub(crate) fn json_documents() -> Vec<Vec<u8>> {
    let pretty =
        "{\n  \"a\": [1, 2.50, -0, 1e5],\n  \"b\": {\"\\u00e9\": null},\n  \"c\": \"x\\ny\"\n}\n";
    let special = "{\"$number\":\"1.0\",\"n\":{\"$bytes\":\"00\"},\"m\":{\"$$number\":true}}";
    [pretty, special, "[\n\t1,\n\t[]\n]", "12345678901234567890123"].map(Into::into).into()
}

pub(crate) fn jsonl_documents() -> Vec<Vec<u8>> {
    let mixed = "{\"a\": 1}\n{\"a\":1}\r\n[1, 2]  \n\"\\ud83d\\ude00\"";
    [mixed, "1\n2\n", ""].map(Into::into).into()
}

pub(crate) fn yaml_documents() -> Vec<Vec<u8>> {
    let workflow = "# about\non: push\njobs:\n  - run: |\n      make\n      test\n    'if': \"no\" # why\n  - - 1.50\n    - ~\n";
    let flush = "---\r\na:\r\n- {b: [], c: &x d}\r\n- >-\r\n  f\r\n  g\r\n";
    let odd = "? \"k\\x00\"\n: 2001-01-01\n? 'it''s'\n:\n    e: 'x\n\n      y'\n";
    let quoted =
        "'a: b': 'c #d'\n'- e': \"f:\"\n'---': '? g'\n'1': ' h '\n'': '&i'\nj: \"k\\nl\\n \\nm\"\n";
    [workflow, flush, odd, quoted, "[a, {b: c}]\n", "x: |+\n  y\n\n"].map(Into::into).into()
}

pub(crate) fn bundles() -> Vec<Vec<u8>> {
    let mut contract = built_in_contract().expect("the built-in contract loads");
    let whole = Bundle::of(&contract).bytes().to_vec();
    contract.edges.truncate(1);
    contract.scripts.retain(|name, _| name.starts_with("0002_publication"));
    vec![whole, Bundle::of(&contract).bytes().to_vec()]
}

pub(crate) fn manifests() -> Vec<Vec<u8>> {
    let other = "store:\n  min_reader: 2\n  version: 3\r\nother:\n- a: {version: 1}\n";
    vec![MANIFEST.into(), other.into(), b"{\"store\": {\"version\": 1}}".to_vec()]
}

pub(crate) fn audit_files() -> Vec<Vec<u8>> {
    let line = migration_line("store_migrated", 0, ("1", "2"), "l", "c", 0);
    [0, 100, 255]
        .iter()
        .map(|share| [&[*share], line.as_bytes(), line.as_bytes()].concat())
        .collect()
}

pub(crate) fn plans() -> Vec<Vec<u8>> {
    let hash = |byte: u8| CommitHash::from_bytes([byte; 32]);
    let mut plan = Plan {
        schema: "glyph-ledger/migration-plan/0".to_owned(),
        ids_changed: Vec::new(),
        id: hash(0),
        ledger: ledger_id(),
        contract: hash(1),
        from: "1".to_owned(),
        to: "2".to_owned(),
        policy: Policy::default(),
        objects: vec![PlannedObject {
            id: "manifest.yaml".to_owned(),
            kind: "document".to_owned(),
            from: "1".to_owned(),
            source_binding: hash(2),
            path: vec![hash(3)],
        }],
        environment: Environment::here(),
        told: hash(0),
        loss: [("sources.labels".to_owned(), LostValues { dropped: true, values: 30 })].into(),
        steps: vec![PlannedStep {
            edge: "1 -> 2".to_owned(),
            script: "two.sql".to_owned(),
            statements: 3,
            pages_changed: 2,
            bytes_changed: 8_192,
            transactions: Transactions::Script,
            left_out: vec!["journal_mode = WAL".to_owned()],
        }],
    };
    if let Err(PlanFileError::Edited { actual, .. }) =
        Plan::from_json(&plan.to_json().expect("a plan is written"))
    {
        plan.id = actual;
    }
    if let Err(PlanFileError::Retold { actual, .. }) =
        Plan::from_json(&plan.to_json().expect("a plan is written"))
    {
        plan.told = actual;
    }
    let text = plan.to_json().expect("a plan is written");
    assert!(Plan::from_json(&text).is_ok());
    vec![text.into_bytes()]
}

/// Makes what is made once, so that no input is charged for it.
pub(crate) fn prepare() {
    let _made = (identity(), ledger_id(), scripts(), image_objects());
}

/// The objects below the roots of [`images`].
pub(crate) fn image_objects() -> &'static MemoryObjects {
    &taken().0
}

pub(crate) fn images() -> Vec<Vec<u8>> {
    taken().1.clone()
}

fn taken() -> &'static (MemoryObjects, Vec<Vec<u8>>) {
    static TAKEN: OnceLock<(MemoryObjects, Vec<Vec<u8>>)> = OnceLock::new();
    TAKEN.get_or_init(|| {
        let mut objects = MemoryObjects::default();
        let roots = [1, 64, 65, 200, 5_000].map(|pages| {
            let tree = image::take(&Pages(pages), &mut objects).expect("pages are taken");
            let root = ContentHash::from_bytes(*tree.root().as_bytes());
            objects.get(&root).expect("a root is kept")
        });
        (objects, roots.to_vec())
    })
}

/// A database of that many pages, each of which says its number.
struct Pages(u32);

impl PageSource for Pages {
    fn page_size(&self) -> PageSize {
        PageSize::new(512).expect("a page size of SQLite")
    }

    fn page_count(&self) -> u32 {
        self.0
    }

    fn read_page(&self, number: u32) -> Result<Vec<u8>, DatabaseError> {
        Ok(number.to_be_bytes().repeat(128))
    }
}
