//! Several heads as one file (SPEC §7.2): who stands behind the events of a published folder beside the signer of its newest head. Knows the form; knows
//! not whose keys to believe.

use std::collections::BTreeSet;

use crate::hash::KeyId;
use crate::head::SignedHead;
use crate::note::NOTE_BYTES_MAX;

/// Longest such file, in bytes: notes of ten thousand signers.
pub const HEADS_BYTES_MAX: u64 = 10_000 * (NOTE_BYTES_MAX as u64 + 64);

/// The file: the notes, as an array of texts.
#[must_use]
pub fn heads_bytes(heads: &[SignedHead]) -> Vec<u8> {
    let note = |head: &SignedHead| String::from_utf8_lossy(&head.encode()).into_owned();
    let notes: Vec<String> = heads.iter().map(note).collect();
    // An array of texts has a JSON form.
    let mut bytes = serde_json::to_vec(&notes).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Reads the one form that [`heads_bytes`] writes, where the heads ascend by size and no two are by one key.
#[must_use]
pub fn read_heads(bytes: &[u8]) -> Option<Vec<SignedHead>> {
    let notes: Vec<String> = serde_json::from_slice(bytes).ok()?;
    let read = |note: &String| SignedHead::parse(note.as_bytes()).ok();
    let heads: Vec<SignedHead> = notes.iter().map(read).collect::<Option<_>>()?;
    let ascend = heads.is_sorted_by(|one, next| one.head().size < next.head().size);
    let signers: BTreeSet<KeyId> = heads.iter().map(SignedHead::signer).collect();
    let fits = ascend && signers.len() == heads.len();
    (fits && heads_bytes(&heads) == bytes).then_some(heads)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::hash::{LedgerId, NodeHash};
    use crate::head::TreeHead;

    fn head(size: u64, by: u8) -> SignedHead {
        let key = SigningKey::from_bytes(&[by; 32]);
        let head = TreeHead {
            ledger: LedgerId::of(&[1; 32], &[2; 16]),
            size,
            root: NodeHash::empty_root(),
        };
        SignedHead::sign(head, &key.verifying_key(), |text| key.sign(text))
    }

    #[test]
    fn heads_read_back_in_one_form_and_one_order() {
        assert_eq!(heads_bytes(&[]), b"[]\n");
        let heads = vec![head(3, 1), head(5, 2)];
        let bytes = heads_bytes(&heads);
        assert_eq!(read_heads(&bytes), Some(heads));
        for bad in [
            vec![head(5, 2), head(3, 1)],
            vec![head(3, 1), head(3, 2)],
            vec![head(3, 1), head(5, 1)],
        ] {
            assert_eq!(read_heads(&heads_bytes(&bad)), None);
        }
        let text = String::from_utf8(bytes.clone()).unwrap();
        for bent in [
            text.trim_end().to_owned(),
            text.replacen(',', ", ", 1),
            text.replacen('[', "[\"\",", 1),
        ] {
            assert_ne!(bent, text);
            assert_eq!(read_heads(bent.as_bytes()), None);
        }
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            assert_ne!(read_heads(&bent), read_heads(&bytes), "byte {at}");
        }
    }
}
