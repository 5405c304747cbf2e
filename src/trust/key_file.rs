//! Private keys as files: PKCS#8 PEM, mode 0600.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use ledger_format::hash::unhex;
use zeroize::Zeroizing;

use crate::effects::{KernelSyncs, KeySigner, Random, syncs};

/// A private key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No file there.
    #[error("there is no key at {path}")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Others can read or write it.
    #[error("the key at {path} has mode {mode:04o}; others can reach it, expected 0600")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not an Ed25519 key in PKCS#8 PEM.
    #[error("{path} is not an Ed25519 private key in PKCS#8 PEM")]
    Form {
        /// The file.
        path: PathBuf,
    },
    /// The environment has something else than a seed.
    #[error("{SEED_VARIABLE} does not hold 64 hexadecimal digits")]
    Seed,
    /// The file system.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error("no new key: {reason}")]
    Random {
        /// What happened.
        reason: String,
    },
}

/// Reads the key at `path`, unless others can reach it.
pub fn load_key(path: &Path) -> Result<KeySigner, KeyError> {
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyError::Missing { path: path.to_owned() },
        _ => KeyError::Io { path: path.to_owned(), source },
    };
    let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let pem = Zeroizing::new(fs::read(path).map_err(io)?);
    let form = || KeyError::Form { path: path.to_owned() };
    let pem = std::str::from_utf8(&pem).map_err(|_| form())?;
    let key = SigningKey::from_pkcs8_pem(pem).map_err(|_| form())?;
    Ok(KeySigner::new(key))
}

/// Environment variable with the 32 bytes of a private key as 64 hexadecimal digits, for machines that keep no files.
pub const SEED_VARIABLE: &str = "GLYPH_LEDGER_KEY_SEED";

/// The key of a seed in hexadecimal digits (RFC 8032 §5.1.5). The text is wiped.
pub fn key_of_seed(text: String) -> Result<KeySigner, KeyError> {
    let text = Zeroizing::new(text);
    let bytes = Zeroizing::new(unhex(text.trim()).ok_or(KeyError::Seed)?);
    let seed: Zeroizing<[u8; 32]> =
        Zeroizing::new(bytes.as_slice().try_into().map_err(|_| KeyError::Seed)?);
    Ok(KeySigner::new(SigningKey::from_bytes(&seed)))
}

/// Makes a key at `path`, where no file may be yet.
pub fn create_key(path: &Path, random: &mut dyn Random) -> Result<KeySigner, KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    let seed = random.bytes32().map_err(|error| KeyError::Random { reason: error.to_string() })?;
    let key = SigningKey::from_bytes(&Zeroizing::new(seed));
    let pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| KeyError::Random { reason: error.to_string() })?;
    let folder = syncs::folder_of(path);
    syncs::make_folder(&KernelSyncs, folder).map_err(io)?;
    // Half a key under the name of one would stand in the way of every later attempt. The file is made
    // readable by its owner only.
    let mut file = tempfile::Builder::new().prefix(".key.").tempfile_in(folder).map_err(io)?;
    file.write_all(pem.as_bytes()).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist_noclobber(path).map_err(|error| io(error.error))?;
    syncs::folder(&KernelSyncs, folder).map_err(io)?;
    Ok(KeySigner::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::{FixedRandom, Signer as _};

    #[test]
    fn a_key_is_private_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/key.pem");
        let made = create_key(&path, &mut FixedRandom::new([1; 32])).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load_key(&path).unwrap().key_id(), made.key_id());
        assert!(!format!("{made:?}").contains("SigningKey"));
    }

    #[test]
    fn a_seed_is_the_key_of_its_bytes() {
        let public_key = SigningKey::from_bytes(&[7; 32]).verifying_key();
        assert_eq!(key_of_seed("07".repeat(32) + "\n").unwrap().public_key(), public_key);
        for bad in ["", "07", "zz"] {
            assert!(matches!(key_of_seed(bad.repeat(31)), Err(KeyError::Seed)), "{bad}");
        }
    }

    #[test]
    fn a_key_is_never_overwritten_and_an_exposed_or_broken_one_never_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        assert!(matches!(load_key(&path), Err(KeyError::Missing { .. })));
        create_key(&path, &mut FixedRandom::new([1; 32])).unwrap();
        assert!(create_key(&path, &mut FixedRandom::new([2; 32])).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load_key(&path), Err(KeyError::Exposed { mode: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "not a key").unwrap();
        assert!(matches!(load_key(&path), Err(KeyError::Form { .. })));
    }
}
