//! Where the user's own things lie, outside of every store.

use std::env;
use std::path::{Path, PathBuf};

use ledger_format::hash::LedgerId;

/// Environment variable that puts keys and pins below one folder.
pub const HOME_VARIABLE: &str = "GLYPH_LEDGER_HOME";

/// The user's folders for keys and remembered heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    config: PathBuf,
    state: PathBuf,
}

/// No environment variable says where the user's files are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "neither {HOME_VARIABLE} nor HOME is set, so there is no place for keys and remembered heads"
)]
pub struct NoHome;

impl Home {
    /// `$GLYPH_LEDGER_HOME`, else the XDG base directories, else their defaults below `$HOME`.
    pub fn from_environment() -> Result<Self, NoHome> {
        let set =
            |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(root) = set(HOME_VARIABLE) {
            return Ok(Self::below(&root));
        }
        let base = |variable: &str, default: &str| {
            let xdg = set(variable).filter(|path| path.is_absolute());
            xdg.or_else(|| Some(set("HOME")?.join(default))).ok_or(NoHome)
        };
        Ok(Self {
            config: base("XDG_CONFIG_HOME", ".config")?.join("glyph-ledger"),
            state: base("XDG_STATE_HOME", ".local/state")?.join("glyph-ledger"),
        })
    }

    /// Everything below one folder.
    pub fn below(root: &Path) -> Self {
        Self { config: root.join("config"), state: root.join("state") }
    }

    /// The private key used when no other is named.
    pub fn key_file(&self) -> PathBuf {
        self.config.join("key.pem")
    }

    /// The folder of remembered heads.
    pub fn pins(&self) -> PathBuf {
        self.state.join("pins")
    }

    /// The file that says when a ledger was last verified.
    pub fn verified(&self, ledger: &LedgerId) -> PathBuf {
        self.state.join("verified").join(ledger.to_string())
    }

    /// The folder of heads that witnesses cosigned.
    pub fn witnessed(&self) -> PathBuf {
        self.state.join("witnessed")
    }

    /// The folder of the index from places to ledgers.
    pub fn places(&self) -> PathBuf {
        self.state.join("places")
    }
}
