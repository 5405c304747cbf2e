//! The reader of proofs of migrations.

use glyph_ledger::migrate::proof::{ProofFileError, load};

use crate::scratch;

/// A mutation changes the fingerprint, so a proof that was read but for its fingerprint is given the right one.
pub(crate) fn file(input: &[u8]) {
    let path = scratch::folder("proof").join("proof.json");
    scratch::write(&path, input);
    let proof = match load(&path) {
        Ok(proof) => proof,
        Err(ProofFileError::Edited { stated, actual, .. }) => {
            assert_ne!(stated, actual.to_string());
            let Ok(text) = std::str::from_utf8(input) else { return };
            scratch::write(&path, text.replacen(&stated, &actual.to_string(), 1).as_bytes());
            let Ok(proof) = load(&path) else { return };
            proof
        }
        Err(_) => return,
    };
    // What is read is what is written, under its name and under no other.
    let named = scratch::folder("proof").join(format!("{}.json", proof.fingerprint()));
    scratch::write(&named, proof.to_json().as_bytes());
    assert_eq!(load(&named).expect("what is written is read"), proof);
    std::fs::remove_file(&named).expect("the scratch folder can be written");
    assert!(!proof.pass || proof.result.is_some() && proof.missing().is_empty());
}
