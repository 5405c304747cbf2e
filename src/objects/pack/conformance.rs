//! One hash over seeded cases of what packs and their index consist of.

use conformance::{Draw, Suite};
use ledger_format::hash::ContentHash;

use super::index::Index;
use super::{Place, scan};

#[test]
fn packs_and_their_index_are_written_as_recorded() {
    let mut suite = Suite::in_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/src/objects/pack"));
    let header = |draw: &mut Draw| (ContentHash::from_bytes(draw.array()), length(draw));
    let encode = |(name, length): &(ContentHash, u32)| scan::encode_header(name, *length);
    suite.both_ways("record header", header, encode, |bytes| scan::decode_header(bytes).ok_or(()));
    suite.both_ways("index", index, Index::encode, |bytes| Index::decode(bytes).ok_or(()));
    suite.finish();
}

fn index(draw: &mut Draw) -> Index {
    let place =
        |draw: &mut Draw| Place { pack: length(draw), offset: draw.number(), length: length(draw) };
    Index {
        scanned: draw.list(4, Draw::number),
        places: draw.list(20, |draw| (ContentHash::from_bytes(draw.array()), place(draw))),
    }
}

fn length(draw: &mut Draw) -> u32 {
    u32::try_from(draw.up_to(u32::MAX.into())).unwrap()
}
