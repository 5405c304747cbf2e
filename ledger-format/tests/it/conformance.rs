//! One hash over seeded cases of every encoded type of the format: an encoding that changes by accident fails here.

use conformance::{Draw, Suite, variant};
use ed25519_dalek::{Signer as _, SigningKey};
use ledger_format::body::{Body, possession_statement, shows_possession};
use ledger_format::bundle::Bundle;
use ledger_format::cbor::{self, Float, Integer, Map, VALUE_DEPTH_MAX, Value};
use ledger_format::event::Event;
use ledger_format::frame::{FRAME_BYTES_MAX, Frame, HeadRecord};
use ledger_format::hash::{
    CommitHash, ContentHash, EventId, KeyId, LedgerId, NodeHash, commit_preimage,
};
use ledger_format::head::{SignedHead, TreeHead};
use ledger_format::heads::heads_bytes;
use ledger_format::json;
use ledger_format::line::Line;
use ledger_format::note::{NOTE_BYTES_MAX, Note};
use ledger_format::statement::{Claimed, Claims, ProvedEvent, ProvedHead, Statement, claims_list};
use ledger_format::tile::entries_bytes;
use ledger_format::tree::{
    Frontier, MemoryTree, prove_consistency, prove_inclusion, verify_consistency, verify_inclusion,
};

use crate::cases;

#[test]
fn every_encoding_is_the_recorded_one() {
    let mut suite = Suite::in_folder(env!("CARGO_MANIFEST_DIR"));
    let decode = |bytes: &[u8]| cbor::decode(bytes, VALUE_DEPTH_MAX);
    suite.both_ways("cbor", |draw| value(draw, 3), Value::encode, decode);
    suite.one_way("json", |draw| json::to_text(&value(draw, 3)).into_bytes());
    bodies(&mut suite);
    suite.both_ways("event", cases::event, |event| event.encode().unwrap(), Event::decode);
    suite.both_ways("note", note, Note::encode, Note::parse);
    let text = |head: &TreeHead| head.text().into_bytes();
    suite.both_ways("head text", tree_head, text, |bytes| {
        TreeHead::parse(std::str::from_utf8(bytes).unwrap())
    });
    suite.both_ways("head", signed_head, SignedHead::encode, SignedHead::parse);
    suite.both_ways("frame", frame, Frame::encode, Frame::decode);
    suite.one_way("frames of a batch", |draw| {
        let events: Vec<_> = draw.list(12, |draw| draw.bytes(1_500));
        let frames = Frame::pack(LedgerId::from_bytes(draw.array()), draw.up_to(1 << 40), &events);
        frames.iter().flat_map(Frame::encode).collect()
    });
    suite.both_ways("head record", head_record, HeadRecord::encode, HeadRecord::decode);
    suite.both_ways("line", |draw| line(draw, false), |text| text.clone().into_bytes(), read_line);
    suite.both_ways(
        "line with head",
        |draw| line(draw, true),
        |text| text.clone().into_bytes(),
        read_line,
    );
    keys(&mut suite);
    certificates(&mut suite);
    trees(&mut suite);
    hashes(&mut suite);
    suite.finish();
}

/// What is certified of a run, and the file that carries it.
fn certificates(suite: &mut Suite) {
    suite.both_ways("statement", statement, Statement::encode, Statement::parse);
    let bundle = |draw: &mut Draw| {
        let key = SigningKey::from_bytes(&draw.array());
        Bundle::sign(draw.bytes(500), &key.verifying_key(), |text| key.sign(text))
    };
    suite.both_ways("bundle", bundle, Bundle::encode, Bundle::parse);
    suite.one_way("claims list", |draw| {
        let claims: Vec<Claimed> = (0..draw.up_to(9)).map(|number| claim(draw, number)).collect();
        claims_list(&claims).into_bytes()
    });
    suite.one_way("heads beside the newest", |draw| {
        let heads: Vec<SignedHead> = draw.list(4, signed_head);
        heads_bytes(&heads)
    });
    suite.one_way("events of a tile", |draw| {
        let events: Vec<Vec<u8>> = draw.list(12, |draw| draw.bytes(500));
        entries_bytes(events.iter().map(Vec::as_slice)).unwrap()
    });
}

fn statement(draw: &mut Draw) -> Statement {
    let claims: Vec<Claimed> = (0..draw.up_to(4)).map(|number| claim(draw, number)).collect();
    let claims = if draw.up_to(1) == 0 {
        Claims::Here(claims)
    } else {
        let count = 1_001 + draw.up_to(1 << 20);
        Claims::Listed { count, list: ContentHash::from_bytes(draw.array()) }
    };
    let event = |draw: &mut Draw| {
        let nodes = draw.list(64, |draw| NodeHash::from_bytes(draw.array()));
        ProvedEvent { bytes: draw.bytes(300), nodes }
    };
    Statement {
        ledger: LedgerId::from_bytes(draw.array()),
        run: EventId::from_bytes(draw.array()),
        certificate: CommitHash::from_bytes(draw.array()),
        claims,
        head: signed_head(draw),
        heads: draw.list(3, |draw| {
            let nodes = draw.list(64, |draw| NodeHash::from_bytes(draw.array()));
            ProvedHead { head: signed_head(draw), nodes }
        }),
        events: draw.list(5, event),
    }
}

/// The claim of an object that stands behind those of lower numbers.
fn claim(draw: &mut Draw, number: u64) -> Claimed {
    let mut hash = || Value::Bytes(draw.array::<32>().to_vec());
    let claim = cbor::map([
        ("to", "2".into()),
        ("from", "1".into()),
        ("path", Value::Array((0..number % 3).map(|_| hash()).collect())),
        ("verdicts", [("validates", "true")].into_iter().collect::<Map>().into()),
        ("loss_hash", hash()),
        ("object_id", format!("{number}.json").as_str().into()),
        ("inputs_hash", if number.is_multiple_of(2) { Value::Null } else { hash() }),
        ("object_kind", ["document", "database"][usize::from(number == 3)].into()),
        ("operator_id", "operator".into()),
        ("source_hash", hash()),
        ("target_hash", hash()),
        ("contract_digest", if number == 2 { Value::Null } else { hash() }),
        ("migration_policy_hash", hash()),
    ]);
    Claimed::new(&claim).unwrap()
}

/// What a new key signs to show that somebody holds it.
fn keys(suite: &mut Suite) {
    suite.one_way("key possession", |draw| {
        let key = SigningKey::from_bytes(&draw.array());
        let (ledger, public_key) =
            (LedgerId::from_bytes(draw.array()), key.verifying_key().to_bytes());
        let shown = key.sign(&possession_statement(ledger, &public_key)).to_bytes();
        assert!(shows_possession(ledger, &public_key, &shown));
        shown.to_vec()
    });
}

/// Each kind by itself, so that a changed body is named by its kind.
fn bodies(suite: &mut Suite) {
    fn of_kind<T: Into<Body>>(suite: &mut Suite, kind: &'static str, make: fn(&mut Draw) -> T) {
        let encode = |body: &Body| body.to_value().unwrap().encode();
        let decode = |bytes: &[u8]| Body::from_bytes(kind, bytes);
        suite.both_ways(kind, |draw| make(draw).into(), encode, decode);
    }
    of_kind(suite, "ledger.created", cases::ledger_created);
    of_kind(suite, "key.authorized", cases::key_authorized);
    of_kind(suite, "key.rotated", cases::key_rotated);
    of_kind(suite, "key.revoked", cases::key_revoked);
    of_kind(suite, "approvals.set", cases::approvals_set);
    of_kind(suite, "plan.approved", cases::plan_approved);
    of_kind(suite, "store.adopted", cases::store_adopted);
    of_kind(suite, "object.observed", cases::object_observed);
    of_kind(suite, "object.pruned", cases::object_pruned);
    of_kind(suite, "drift.accepted", cases::drift_accepted);
    of_kind(suite, "contract.frozen", cases::contract_frozen);
    of_kind(suite, "proof.recorded", cases::proof_recorded);
    of_kind(suite, "run.started", cases::run_started);
    of_kind(suite, "run.route", cases::run_route);
    of_kind(suite, "object.staged", cases::object_staged);
    of_kind(suite, "object.migrated", cases::object_migrated);
    of_kind(suite, "run.committed", cases::run_committed);
    of_kind(suite, "run.published", cases::run_published);
    of_kind(suite, "run.aborted", cases::run_aborted);
    of_kind(suite, "run.abandoned", cases::run_abandoned);
    of_kind(suite, "state.recorded", cases::state_recorded);
}

fn trees(suite: &mut Suite) {
    suite.one_way("inclusion proof", |draw| {
        let tree = tree(draw);
        let size = 1 + draw.below(tree.size());
        let index = draw.below(size);
        let proof = prove_inclusion(&tree, index, size).unwrap();
        let (leaf, root) = (leaf(&tree, index), ledger_format::tree::root(&tree, size).unwrap());
        assert!(verify_inclusion(leaf, index, size, &proof, &root));
        nodes(&proof)
    });
    suite.one_way("consistency proof", |draw| {
        let tree = tree(draw);
        let new = draw.below(tree.size() + 1);
        let old = draw.below(new + 1);
        let proof = prove_consistency(&tree, old, new).unwrap();
        let root = |size| ledger_format::tree::root(&tree, size).unwrap();
        assert!(verify_consistency(old, &root(old), new, &root(new), &proof));
        nodes(&proof)
    });
    suite.one_way("frontier", |draw| {
        let mut frontier = Frontier::new();
        for _ in 0..draw.below(80) {
            frontier.push(NodeHash::from_bytes(draw.array()));
        }
        let again = Frontier::from_nodes(frontier.size(), frontier.nodes().to_vec()).unwrap();
        assert_eq!(again.root(), frontier.root());
        [&frontier.size().to_be_bytes()[..], &nodes(frontier.nodes()), frontier.root().as_bytes()]
            .concat()
    });
}

fn hashes(suite: &mut Suite) {
    suite.one_way("CommitHash", |draw| {
        let (tag, value) = (draw.text(3), value(draw, 3));
        let hash = CommitHash::of(&tag, &value);
        let preimage = commit_preimage(&tag, &value);
        assert_eq!(ContentHash::of(&preimage).as_bytes(), hash.as_bytes());
        [preimage.as_slice(), hash.as_bytes()].concat()
    });
    suite.one_way("ContentHash", |draw| ContentHash::of(&draw.bytes(200)).as_bytes().to_vec());
    suite.one_way("EventId", |draw| EventId::of(&draw.bytes(200)).as_bytes().to_vec());
    suite.one_way("KeyId", |draw| KeyId::of(&draw.array()).as_bytes().to_vec());
    suite
        .one_way("LedgerId", |draw| LedgerId::of(&draw.array(), &draw.array()).as_bytes().to_vec());
}

fn value(draw: &mut Draw, depth_left: usize) -> Value {
    if depth_left == 0 {
        return Value::from(draw.number());
    }
    // Long enough for a header of two bytes where that does not multiply.
    let longest = if depth_left == 1 { 30 } else { 5 };
    variant!(draw, Value {
        Null => Value::Null,
        Bool => Value::Bool(draw.truth()),
        Integer => {
            let number = i128::from(draw.number());
            let signed = if draw.truth() { number } else { -1 - number };
            Value::Integer(Integer::new(signed).unwrap_or(Integer::new(i64::MIN.into()).unwrap()))
        },
        Float => {
            let bits = u64::from_be_bytes(draw.array());
            let special = [0.0, -0.0, 0.1, f64::INFINITY, f64::NEG_INFINITY, f64::from_bits(0x7ff8 << 48)];
            let float = if draw.truth() { f64::from_bits(bits) } else { special[draw.index(special.len())] };
            Value::Float(Float::new(float).unwrap_or(Float::new(1.5).unwrap()))
        },
        Bytes => Value::Bytes(draw.bytes(270)),
        Text => Value::Text(draw.text(20)),
        Array => Value::Array(draw.list(longest, |draw| value(draw, depth_left - 1))),
        Map => Value::Map(draw.list(longest, |draw| (draw.text(3), value(draw, depth_left - 1)))),
    })
}

fn key(draw: &mut Draw) -> SigningKey {
    SigningKey::from_bytes(&[draw.byte() % 3; 32])
}

fn note(draw: &mut Draw) -> Note {
    let key = key(draw);
    let text = format!("line {}\n{}\n", draw.number(), draw.number());
    Note::signed(text, "a/name", &key.verifying_key(), |text| key.sign(text))
}

fn tree_head(draw: &mut Draw) -> TreeHead {
    let (ledger, root) = (LedgerId::from_bytes(draw.array()), NodeHash::from_bytes(draw.array()));
    TreeHead { ledger, size: draw.number(), root }
}

fn signed_head(draw: &mut Draw) -> SignedHead {
    let (head, key) = (tree_head(draw), key(draw));
    SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text))
}

fn frame(draw: &mut Draw) -> Frame {
    let (ledger, first_seq) = (LedgerId::from_bytes(draw.array()), draw.number());
    let mut events = vec![draw.bytes(200)];
    events.extend(draw.list::<_, Vec<_>>(10, |draw| draw.bytes(200)));
    let frame = Frame { ledger, first_seq, events };
    assert!(frame.encode().len() <= FRAME_BYTES_MAX);
    frame
}

fn head_record(draw: &mut Draw) -> HeadRecord {
    let ledger = LedgerId::from_bytes(draw.array());
    HeadRecord { ledger, size: draw.number(), note: draw.bytes(NOTE_BYTES_MAX / 8) }
}

fn line(draw: &mut Draw, with_head: bool) -> String {
    let key = key(draw);
    let actor = KeyId::of(key.verifying_key().as_bytes());
    let event = Event { actor, ..cases::event(draw) };
    let root = NodeHash::from_bytes(draw.array());
    let head = TreeHead { ledger: event.ledger, size: event.seq + 1, root };
    let head =
        with_head.then(|| SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text)));
    Line::of(&event.encode().unwrap(), head.as_ref()).unwrap()
}

fn read_line(bytes: &[u8]) -> Result<String, ledger_format::line::LineError> {
    let line = Line::parse(std::str::from_utf8(bytes).unwrap())?;
    Line::of(&line.bytes, line.head.as_ref())
}

fn tree(draw: &mut Draw) -> MemoryTree {
    let mut leaves = vec![NodeHash::from_bytes(draw.array())];
    leaves.extend(draw.list::<_, Vec<_>>(40, |draw| NodeHash::from_bytes(draw.array())));
    leaves.into_iter().collect()
}

fn leaf(tree: &MemoryTree, index: u64) -> NodeHash {
    ledger_format::tree::Nodes::node(tree, 0, index).unwrap()
}

fn nodes(nodes: &[NodeHash]) -> Vec<u8> {
    nodes.iter().flat_map(|node| *node.as_bytes()).collect()
}
