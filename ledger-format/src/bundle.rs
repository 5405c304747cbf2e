//! Certificates as files: a statement in a DSSE envelope, in the form of a Sigstore bundle (SPEC §8.8). Knows the form and one
//! signature; knows not what the statement says, nor whose key to believe.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::hash::KeyId;

/// Largest bundle, in bytes: a thousand claims with long paths, and a thousand events with their proofs.
pub const BUNDLE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What files of such bundles are called at their end.
pub const BUNDLE_EXTENSION: &str = "sigstore.json";

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Of the statement in the envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A signed statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The statement's bytes.
    pub payload: Vec<u8>,
    /// The key that signed it.
    pub signer: KeyId,
    signature: [u8; 64],
}

/// Bytes that are no bundle, or one that is not signed as it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not the form.
    #[error("not a certificate bundle: {0}")]
    Form(String),
    /// The key offered is not the one that the bundle names.
    #[error("signed by {named}, not by {offered}")]
    OtherKey {
        /// The signer that the bundle names.
        named: KeyId,
        /// The key that was to verify it.
        offered: KeyId,
    },
    /// The signature does not verify.
    #[error("the signature over the statement does not verify")]
    BadSignature,
}

/// What is signed: `DSSEv1`, and lengths and bytes of type and payload (DSSE 1.0, "PAE").
#[must_use]
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let (type_bytes, payload_bytes) = (payload_type.len(), payload.len());
    let mut bytes = format!("DSSEv1 {type_bytes} {payload_type} {payload_bytes} ").into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

impl Bundle {
    /// A bundle of `payload`, signed by `sign` as the key `key`.
    pub fn sign(
        payload: Vec<u8>,
        key: &VerifyingKey,
        sign: impl FnOnce(&[u8]) -> Signature,
    ) -> Self {
        let signature = sign(&pre_authentication_encoding(PAYLOAD_TYPE, &payload)).to_bytes();
        Self { payload, signer: KeyId::of(key.as_bytes()), signature }
    }

    /// The file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let signer = self.signer.to_string();
        let form = Form {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: Material {
                public_key: PublicKey { hint: signer.clone() },
                tlog_entries: Vec::new(),
            },
            dsse_envelope: Envelope {
                payload: BASE64.encode(&self.payload),
                payload_type: PAYLOAD_TYPE.to_owned(),
                signatures: vec![Signed { sig: BASE64.encode(self.signature), keyid: signer }],
            },
        };
        // Every field is text, so there is a JSON form of it.
        let mut bytes = serde_json::to_vec(&form).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads the one form that [`Bundle::encode`] writes. The signature is not looked at; see [`Bundle::verify`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let form = |told: &str| BundleError::Form(told.to_owned());
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(form("it is too long"));
        }
        let read: Form =
            serde_json::from_slice(bytes).map_err(|error| BundleError::Form(error.to_string()))?;
        if read.media_type != MEDIA_TYPE {
            return Err(form("its media type is another"));
        }
        let [signed] = read.dsse_envelope.signatures.as_slice() else {
            return Err(form("it does not have exactly one signature"));
        };
        let base64 = |text: &str| BASE64.decode(text).map_err(|_| form("not base64"));
        let signature = base64(&signed.sig)?.try_into();
        let bundle = Self {
            payload: base64(&read.dsse_envelope.payload)?,
            signer: signed.keyid.parse().map_err(|_| form("its signer is no key id"))?,
            signature: signature.map_err(|_| form("its signature has not 64 bytes"))?,
        };
        if bundle.encode() == bytes { Ok(bundle) } else { Err(form("not in canonical form")) }
    }

    /// Checks the signature with `key`, strictly (RFC 8032 with canonical points).
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), BundleError> {
        let offered = KeyId::of(key.as_bytes());
        if offered != self.signer {
            return Err(BundleError::OtherKey { named: self.signer, offered });
        }
        let message = pre_authentication_encoding(PAYLOAD_TYPE, &self.payload);
        key.verify_strict(&message, &Signature::from_bytes(&self.signature))
            .map_err(|_| BundleError::BadSignature)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Form {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Material {
    public_key: PublicKey,
    /// There is nothing in any other log; strict readers want the field.
    tlog_entries: Vec<Never>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicKey {
    hint: String,
}

/// What no list may hold.
#[derive(Serialize, Deserialize)]
enum Never {}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signed>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    sig: String,
    keyid: String,
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn bundle() -> Bundle {
        Bundle::sign(b"{\"a\":1}".to_vec(), &key().verifying_key(), |text| key().sign(text))
    }

    /// The example of the DSSE protocol document.
    #[test]
    fn what_is_signed_has_the_form_of_dsse() {
        let bytes = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn a_bundle_reads_back_and_verifies_under_its_key_only() {
        let read = Bundle::parse(&bundle().encode()).unwrap();
        assert_eq!(read, bundle());
        assert_eq!(read.verify(&key().verifying_key()), Ok(()));
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        assert!(matches!(read.verify(&other), Err(BundleError::OtherKey { .. })));
        let renamed = Bundle { signer: KeyId::of(other.as_bytes()), ..bundle() };
        assert_eq!(renamed.verify(&other), Err(BundleError::BadSignature));
    }

    #[test]
    fn every_byte_changed_and_every_cut_is_refused() {
        let bytes = bundle().encode();
        let accepted = |bytes: &[u8]| {
            Bundle::parse(bytes).is_ok_and(|bundle| bundle.verify(&key().verifying_key()).is_ok())
        };
        assert!(accepted(&bytes));
        for at in 0..bytes.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut bent = bytes.clone();
                bent[at] ^= flip;
                assert!(!accepted(&bent), "byte {at}");
            }
            assert!(Bundle::parse(&bytes[..at]).is_err(), "cut at {at}");
        }
        let text = String::from_utf8(bytes).unwrap();
        let (signed, _) = text.split_once("]}}").unwrap();
        let (_, signature) = signed.split_once("\"signatures\":[").unwrap();
        for bad in [
            format!("{text}\n"),
            text.replace(',', ", "),
            text.replace("v0.3", "v0.2"),
            text.replace(signature, &format!("{signature},{signature}")),
            text.replace(signature, ""),
            text.replace("\"tlogEntries\":[]", "\"tlogEntries\":[{}]"),
            text.replace("\"tlogEntries\":[]", "\"tlogEntries\":[],\"more\":1"),
            text.replacen("{\"mediaType\"", "{\"mediaType\":\"x\",\"mediaType\"", 1),
        ] {
            assert_ne!(bad, text);
            assert!(matches!(Bundle::parse(bad.as_bytes()), Err(BundleError::Form(_))), "{bad}");
        }
    }
}
