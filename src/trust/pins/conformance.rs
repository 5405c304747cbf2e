//! One hash over seeded cases of the files outside of every store.

use conformance::{Draw, Suite, variant};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use ed25519_dalek::{Signer as _, SigningKey};
use ledger_format::hash::{LedgerId, NodeHash};
use ledger_format::head::{SignedHead, TreeHead};

use super::{encode, parse};
use crate::ledger::{Pin, Prefix, Provenance};

#[test]
fn pins_and_keys_are_written_as_recorded() {
    let mut suite = Suite::in_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/src/trust"));
    suite.both_ways("pin", pin, encode, |bytes| parse(std::str::from_utf8(bytes).unwrap()));
    let pem = |key: &SigningKey| key.to_pkcs8_pem(LineEnding::LF).unwrap().as_bytes().to_vec();
    let read = |bytes: &[u8]| SigningKey::from_pkcs8_pem(std::str::from_utf8(bytes).unwrap());
    suite.both_ways("key file", |draw| SigningKey::from_bytes(&draw.array()), pem, read);
    suite.finish();
}

fn pin(draw: &mut Draw) -> Pin {
    let (ledger, root) = (LedgerId::from_bytes(draw.array()), NodeHash::from_bytes(draw.array()));
    let key = SigningKey::from_bytes(&[draw.byte() % 3; 32]);
    let head = TreeHead { ledger, size: draw.number(), root };
    let head = SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text));
    let complete = complete(draw, Prefix::from(head.head()));
    let provenance = variant!(draw, Provenance {
        FirstUse => Provenance::FirstUse,
        Explicit => Provenance::Explicit(complete),
        OwnAppend => Provenance::OwnAppend(complete),
    });
    Pin { head, provenance }
}

/// What was seen, or a beginning of it.
fn complete(draw: &mut Draw, seen: Prefix) -> Prefix {
    let size = draw.number() % seen.size.max(1);
    let prefix = Prefix { size, root: NodeHash::from_bytes(draw.array()) };
    if size == 0 || draw.byte().is_multiple_of(2) { seen } else { prefix }
}
