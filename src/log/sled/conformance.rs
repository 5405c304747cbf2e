//! One hash over seeded cases of everything that this folder writes beside frames and heads.

use conformance::{Draw, Suite};
use ed25519_dalek::{Signer as _, SigningKey};
use ledger_format::hash::{EventId, LedgerId, NodeHash};
use ledger_format::head::{SignedHead, TreeHead};
use ledger_format::tree::Frontier;

use super::anchor::{self, Anchor};
use super::folder::Identity;
use super::store;

#[test]
fn everything_written_beside_the_events_is_as_recorded() {
    let mut suite = Suite::in_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/src/log/sled"));
    let identity = |draw: &mut Draw| Identity { public_key: draw.array(), nonce: draw.array() };
    let text = |identity: &Identity| identity.text().into_bytes();
    suite.both_ways("LEDGER", identity, text, |text| Identity::parse(text).ok_or(()));
    let slot = |(counter, anchor): &(u64, Anchor)| anchor::encode(*counter, anchor).unwrap();
    suite.both_ways(
        "HEAD slot",
        |draw| (draw.number(), an_anchor(draw)),
        slot,
        |bytes| anchor::decode(bytes.try_into().unwrap()),
    );
    let key = |(kind, number): &(u8, u64)| store::key(*kind, *number).to_vec();
    suite.both_ways(
        "key",
        |draw| (*b"eh".get(draw.index(2)).unwrap(), draw.number()),
        key,
        |key| store::number(key, key[0]).map(|number| (key[0], number)).ok_or(()),
    );
    let read = |bytes: &[u8]| store::decode_frontier(bytes).ok_or(());
    suite.both_ways("frontier", frontier, store::encode_frontier, read);
    suite.finish();
}

fn an_anchor(draw: &mut Draw) -> Anchor {
    let (ledger, root) = (LedgerId::from_bytes(draw.array()), NodeHash::from_bytes(draw.array()));
    let key = SigningKey::from_bytes(&[draw.byte() % 3; 32]);
    let head = TreeHead { ledger, size: draw.number(), root };
    let head = SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text));
    Anchor { head, last: EventId::from_bytes(draw.array()), last_at: draw.number() }
}

fn frontier(draw: &mut Draw) -> Frontier {
    let size = draw.number();
    let nodes = (0..size.count_ones()).map(|_| NodeHash::from_bytes(draw.array())).collect();
    Frontier::from_nodes(size, nodes).unwrap()
}
