//! The index file: a cache of where objects lie. It is believed only if it is whole and no pack is
//! shorter than it was; what lies behind it is found by looking.
//!
//! magic ‖ packs ‖ their lengths ‖ entries (name ‖ pack ‖ offset ‖ length) ‖ SHA-256 of all that.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use ledger_format::hash::{ContentHash, HASH_BYTES};

use super::Place;

const MAGIC: [u8; 8] = *b"GLYPHidx";
const ENTRY_BYTES: usize = HASH_BYTES + 4 + 8 + 4;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// How far each pack is covered.
    pub(super) scanned: Vec<u64>,
    pub(super) places: HashMap<ContentHash, Place>,
}

impl Index {
    /// Reads the index at `path` if it fits packs of these lengths.
    pub(super) fn load(path: &Path, lengths: &[u64]) -> Option<Self> {
        let bytes = fs::read(path).ok()?;
        let (body, checksum) = bytes.split_last_chunk::<HASH_BYTES>()?;
        if ContentHash::of(body).as_bytes() != checksum {
            return None;
        }
        let index = Self::decode(body)?;
        let fits = index.scanned.len() <= lengths.len()
            && index.scanned.iter().zip(lengths).all(|(scanned, length)| scanned <= length)
            && index.places.values().all(|place| index.covers(place));
        fits.then_some(index)
    }

    /// Whether an entry lies in the part of its pack that is covered. One that does not would have
    /// memory taken for bytes that are nowhere.
    fn covers(&self, place: &Place) -> bool {
        let end = place.offset.checked_add(u64::from(place.length));
        let scanned = self.scanned.get(place.pack as usize);
        end.zip(scanned).is_some_and(|(end, scanned)| end <= *scanned)
    }

    /// Writes the index beside its place and renames it. It need not be durable.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let mut bytes = self.encode();
        let checksum = ContentHash::of(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        let fresh = path.with_extension("fresh");
        fs::write(&fresh, bytes)?;
        fs::rename(&fresh, path)
    }

    /// The same bytes for the same packs: entries as their objects lie.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.places.len() * ENTRY_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&(self.scanned.len() as u64).to_be_bytes());
        for length in &self.scanned {
            bytes.extend_from_slice(&length.to_be_bytes());
        }
        let mut entries: Vec<_> = self.places.iter().collect();
        entries.sort_unstable_by_key(|(name, place)| (place.pack, place.offset, **name));
        for (name, place) in entries {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(&place.pack.to_be_bytes());
            bytes.extend_from_slice(&place.offset.to_be_bytes());
            bytes.extend_from_slice(&place.length.to_be_bytes());
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (packs, rest) = rest.split_first_chunk::<8>()?;
        let packs = usize::try_from(u64::from_be_bytes(*packs)).ok()?;
        let (lengths, entries) = rest.split_at_checked(packs.checked_mul(8)?)?;
        let (lengths, _) = lengths.as_chunks::<8>();
        let (entries, []) = entries.as_chunks::<ENTRY_BYTES>() else { return None };
        let scanned = lengths.iter().map(|length| u64::from_be_bytes(*length)).collect();
        let places = entries.iter().map(decode_entry).collect::<Option<_>>()?;
        (*magic == MAGIC).then_some(Self { scanned, places })
    }
}

fn decode_entry(entry: &[u8; ENTRY_BYTES]) -> Option<(ContentHash, Place)> {
    let (name, rest) = entry.split_first_chunk::<HASH_BYTES>()?;
    let (pack, rest) = rest.split_first_chunk::<4>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let length = u32::from_be_bytes(rest.try_into().ok()?);
    let (pack, offset) = (u32::from_be_bytes(*pack), u64::from_be_bytes(*offset));
    Some((ContentHash::from_bytes(*name), Place { pack, offset, length }))
}
