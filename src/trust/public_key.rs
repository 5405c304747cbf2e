//! Public keys as text, in the forms in which people have them: a line of `ssh-ed25519`, PEM, 64 hexadecimal digits. Knows forms; knows
//! not whose a key is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use ledger_format::body::usable_key;
use ledger_format::hash::{hex, unhex};

/// The algorithm's name in OpenSSH's lines (RFC 8709 §4).
const SSH_NAME: &str = "ssh-ed25519";

/// Longest text that is looked at; a line of OpenSSH has 80 characters and a comment.
pub const PUBLIC_KEY_BYTES_MAX: usize = 16 * 1024;

/// A text that is no public key, or one that must not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// None of the forms.
    #[error(
        "no public key: expected a line `ssh-ed25519 …`, PEM (BEGIN PUBLIC KEY), or 64 hexadecimal digits"
    )]
    Form,
    /// A private key, which nobody should hand around.
    #[error("this is a private key; keep it, and give its public key (`glyph-ledger key export`)")]
    Private,
    /// Another algorithm.
    #[error("a public key of another kind than Ed25519: {found}")]
    Kind {
        /// Its name.
        found: String,
    },
    /// The bytes are no point, or one of small order.
    #[error("not a usable Ed25519 public key")]
    Unusable,
}

/// Reads a public key in any of the forms.
pub fn read_public_key(text: &str) -> Result<VerifyingKey, PublicKeyError> {
    let text = text.trim();
    if text.contains("PRIVATE KEY-----") {
        return Err(PublicKeyError::Private);
    }
    if text.starts_with("-----BEGIN") {
        let key = VerifyingKey::from_public_key_pem(text).map_err(|_| PublicKeyError::Form)?;
        return usable(key.as_bytes());
    }
    if let Some(bytes) = unhex(&text.to_ascii_lowercase()) {
        return usable(&bytes);
    }
    let mut words = text.split_ascii_whitespace();
    match (words.next(), words.next()) {
        (Some(SSH_NAME), Some(blob)) => {
            let blob = BASE64.decode(blob).map_err(|_| PublicKeyError::Form)?;
            let head = ssh_head();
            usable(blob.strip_prefix(head.as_slice()).ok_or(PublicKeyError::Form)?)
        }
        (Some(name), Some(_)) if name.starts_with("ssh-") || name.starts_with("ecdsa-") => {
            Err(PublicKeyError::Kind { found: name.to_owned() })
        }
        _ => Err(PublicKeyError::Form),
    }
}

/// A key as a line of OpenSSH, without a comment.
#[must_use]
pub fn ssh_line(key: &VerifyingKey) -> String {
    let blob = [ssh_head().as_slice(), key.as_bytes()].concat();
    format!("{SSH_NAME} {}", BASE64.encode(blob))
}

/// A key in PEM, as `openssl pkey -pubout` writes it.
pub fn pem(key: &VerifyingKey) -> Result<String, PublicKeyError> {
    key.to_public_key_pem(LineEnding::LF).map_err(|_| PublicKeyError::Unusable)
}

/// A key as 64 hexadecimal digits.
#[must_use]
pub fn digits(key: &VerifyingKey) -> String {
    hex(key.as_bytes())
}

/// What stands before the 32 bytes in OpenSSH's blob: two lengths and the name between them (RFC 4253 §6.6).
fn ssh_head() -> Vec<u8> {
    let mut head = Vec::with_capacity(19);
    head.extend([0, 0, 0, 11]);
    head.extend(SSH_NAME.as_bytes());
    head.extend([0, 0, 0, 32]);
    head
}

fn usable(bytes: &[u8]) -> Result<VerifyingKey, PublicKeyError> {
    let bytes: &[u8; 32] = bytes.try_into().map_err(|_| PublicKeyError::Form)?;
    usable_key(bytes).ok_or(PublicKeyError::Unusable)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use ed25519_dalek::pkcs8::EncodePrivateKey as _;

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    #[test]
    fn every_form_reads_back() {
        let key = key().verifying_key();
        let line = ssh_line(&key);
        assert!(line.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"), "{line}");
        let forms = [
            line.clone(),
            format!("{line} somebody@somewhere\n"),
            pem(&key).unwrap(),
            digits(&key),
        ];
        for form in forms {
            assert_eq!(read_public_key(&form), Ok(key), "{form}");
        }
        assert_eq!(read_public_key(&digits(&key).to_uppercase()), Ok(key));
    }

    #[test]
    fn what_is_no_public_key_is_told_apart() {
        let private = key().to_pkcs8_pem(LineEnding::LF).unwrap();
        assert_eq!(read_public_key(&private), Err(PublicKeyError::Private));
        let found = "ssh-rsa".to_owned();
        assert_eq!(
            read_public_key("ssh-rsa AAAAB3NzaC1yc2E="),
            Err(PublicKeyError::Kind { found })
        );
        assert_eq!(read_public_key(&"00".repeat(32)), Err(PublicKeyError::Unusable));
        for bad in [
            "",
            "key",
            "00",
            "ssh-ed25519",
            "ssh-ed25519 !",
            "ssh-ed25519 AAAA",
            "-----BEGIN PUBLIC KEY-----",
        ] {
            assert_eq!(read_public_key(bad), Err(PublicKeyError::Form), "{bad}");
        }
    }
}
