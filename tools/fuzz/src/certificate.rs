//! The reader of certificate bundles.

use ed25519_dalek::{Signer as _, SigningKey};
use glyph_ledger::evidence::attest;
use ledger_format::bundle::Bundle;
use ledger_format::statement::Statement;

/// An input is a statement, or a whole bundle. A mutation changes what is signed, so a statement is signed again with the key of the
/// vectors, which everybody knows: what is judged then is what it says.
pub(crate) fn file(input: &[u8]) {
    let payload = match Bundle::parse(input) {
        Ok(bundle) => {
            assert_eq!(bundle.encode(), input, "a bundle has one spelling");
            bundle.payload
        }
        Err(_) => input.to_vec(),
    };
    if let Ok(statement) = Statement::parse(&payload) {
        assert_eq!(statement.encode(), payload, "a statement has one spelling");
    }
    let key = SigningKey::from_bytes(&[7; 32]);
    let signed = Bundle::sign(payload, &key.verifying_key(), |text| key.sign(text));
    if let Ok(attested) = attest(&signed.encode(), None, None) {
        let statement = &attested.statement;
        assert_eq!(attested.started.objects, statement.claims.count());
        assert!(attested.committed.seq < statement.head.head().size);
        assert!(statement.proved().is_ok_and(|events| !events.is_empty()));
    }
}
